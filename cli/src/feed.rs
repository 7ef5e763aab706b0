//! Events one by one.

use std::collections::VecDeque;

use hushwire::event::{EventNumber, NumberedEvent};

use crate::{backend::Backend, fault::Fault};

/// Events from a number on, without gaps. [`Feed::next`] may be dropped while it waits.
pub(crate) struct Feed<'a, B> {
    backend: &'a B,
    next: EventNumber,
    ready: VecDeque<NumberedEvent>,
}

impl<'a, B: Backend> Feed<'a, B> {
    pub(crate) const fn new(backend: &'a B, from: EventNumber) -> Self {
        Self { backend, next: from, ready: VecDeque::new() }
    }

    /// The next event, waiting for it.
    pub(crate) async fn next(&mut self) -> Result<NumberedEvent, Fault> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.next = EventNumber(event.number.0.saturating_add(1));
                return Ok(event);
            }
            let next = self.next;
            let events = self.backend.next_events(next).await?;
            self.ready = events.into_iter().filter(|event| event.number >= next).collect();
        }
    }
}
