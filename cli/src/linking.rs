//! Linking a device, seen from both sides: events in, digits to compare.

use core::time::Duration;

use hushwire::{
    command::SecretText,
    event::{Event, EventNumber},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    backend::Backend,
    fault::Fault,
    feed::Feed,
    session::{Patience, Session},
    settle::{distrusted, not_reached},
};

/// How long a device that shows a linking code waits for each step. People fetch the other device
/// meanwhile.
pub(crate) const OFFER_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// How long a new device waits for each step of the old one, whose person sits beside it. Nobody
/// tells it when that one stops.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(3 * 60);
/// How often the relays are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

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
    session: &'a Session<'a, B>,
    feed: Feed<'a, B>,
    step_time_max: Duration,
    /// When the relays are looked at next; [`None`] if the network is not to be waited for.
    look: Option<Instant>,
    told: Told,
}

/// Whether it was said that a relay is not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Yes,
    No,
}

impl<'a, B: Backend> Linking<'a, B> {
    pub(crate) fn new(
        session: &'a Session<'a, B>,
        since: EventNumber,
        step_time_max: Duration,
    ) -> Self {
        let look = match session.patience {
            Patience::Wait(patience) => Some(Instant::now() + patience),
            Patience::NoNetwork => None,
        };
        let feed = Feed::new(session.backend, since);
        Self { session, feed, step_time_max, look, told: Told::No }
    }

    /// Waits for the next step.
    ///
    /// # Errors
    /// [`Fault::LinkingTimedOut`] when it does not come, [`Fault::RelayKeyMismatch`] when it cannot.
    pub(crate) async fn next(&mut self) -> Result<LinkingStep, Fault> {
        let deadline = Instant::now() + self.step_time_max;
        loop {
            let look = self.look.map_or(deadline, |look| look.min(deadline));
            tokio::select! {
                biased;
                event = self.feed.next() => match event?.event {
                    Event::DeviceCompare { code } => return Ok(LinkingStep::Compare(code)),
                    Event::DeviceLinked => return Ok(LinkingStep::Linked),
                    Event::DeviceLinkFailed(reason) => return Err(Fault::Refused(reason)),
                    _ => {}
                },
                () = sleep_until(look) => {
                    if Instant::now() >= deadline {
                        return Err(Fault::LinkingTimedOut);
                    }
                    self.look_at_relays().await?;
                }
            }
        }
    }

    async fn look_at_relays(&mut self) -> Result<(), Fault> {
        self.look = Some(Instant::now() + LOOK_INTERVAL);
        let status = self.session.status().await?;
        if let Some(relay) = distrusted(&status) {
            return Err(Fault::RelayKeyMismatch { relay });
        }
        if self.told == Told::No && not_reached(&status.relays) > 0 {
            self.told = Told::Yes;
            self.session.note("a relay is not reached; this goes on when it is (hush status)");
        }
        Ok(())
    }
}
