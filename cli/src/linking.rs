//! Linking a device, seen from both sides: events in, digits to compare.

use core::time::Duration;

use hushwire::{
    command::SecretText,
    event::{Event, EventNumber},
};
use tokio::time::timeout;

use crate::{backend::Backend, fault::Fault, feed::Feed};

/// How long a linking code is waited for. People fetch the other device meanwhile.
const LINKING_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// What happens next while linking.
#[derive(Debug)]
pub(crate) enum LinkingStep {
    /// These digits are to be compared.
    Compare(SecretText),
    /// It is done.
    Linked,
}

/// Follows one linking.
pub(crate) struct Linking<'a, B> {
    feed: Feed<'a, B>,
}

impl<'a, B: Backend> Linking<'a, B> {
    pub(crate) const fn new(backend: &'a B, since: EventNumber) -> Self {
        Self { feed: Feed::new(backend, since) }
    }

    /// Waits for the next step.
    pub(crate) async fn next(&mut self) -> Result<LinkingStep, Fault> {
        timeout(LINKING_TIME_MAX, self.step()).await.map_err(|_| Fault::LinkingTimedOut)?
    }

    async fn step(&mut self) -> Result<LinkingStep, Fault> {
        loop {
            match self.feed.next().await?.event {
                Event::DeviceCompare { code } => return Ok(LinkingStep::Compare(code)),
                Event::DeviceLinked => return Ok(LinkingStep::Linked),
                Event::DeviceLinkFailed(reason) => return Err(Fault::Refused(reason)),
                _ => {}
            }
        }
    }
}
