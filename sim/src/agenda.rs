//! What will happen, in order of time; of what happens at one time, in the order it was planned.

use std::collections::BTreeMap;

use hushwire_wire::id::Timestamp;

/// Happenings by time.
pub(crate) struct Agenda<H> {
    queue: BTreeMap<(Timestamp, u64), H>,
    last: u64,
}

impl<H> Agenda<H> {
    pub(crate) const fn new() -> Self {
        Self { queue: BTreeMap::new(), last: 0 }
    }

    pub(crate) fn put(&mut self, at: Timestamp, happening: H) {
        self.last += 1;
        self.queue.insert((at, self.last), happening);
    }

    /// The next one, unless it is later than this.
    pub(crate) fn take(&mut self, until: Timestamp) -> Option<(Timestamp, H)> {
        let ((at, _), _) = self.queue.first_key_value()?;
        if *at > until {
            return None;
        }
        self.queue.pop_first().map(|((at, _), happening)| (at, happening))
    }
}
