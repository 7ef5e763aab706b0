//! The shelf as it is used now: one question about it at a time (spec: CLI-089).

use hushwire_wire::{
    id::Timestamp,
    message::{Answer, Request, ShelfBefore},
};

use super::{Engine, inbox::InboxLive};
use crate::{
    pending::Pending,
    session::SessionNumber,
    shelf::{self, PackageNumber, Shelf},
    store::{Store, StoreError},
};

/// The least time between two questions that items bring about, in milliseconds.
const SHELF_WAIT_MS: u64 = 60 * 1000;

/// What is under way about the shelf of an open inbox.
#[derive(Default)]
pub(super) struct ShelfLive {
    /// Requests without an answer.
    unanswered: usize,
    asked_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
}

impl ShelfLive {
    /// The shelf may need something.
    pub(super) fn look(&mut self, now: Timestamp) {
        let earliest = self.asked_at.map_or(now, |at| at.plus_ms(SHELF_WAIT_MS).max(now));
        self.due_at.get_or_insert(earliest);
    }

    /// When the relay is to be asked; not while it has answers to give.
    pub(super) const fn deadline(&self) -> Option<Timestamp> {
        if self.unanswered == 0 { self.due_at } else { None }
    }
}

impl<S: Store> Engine<S> {
    /// Asks what is on the shelf, if that is due.
    pub(super) fn pump_shelf(&mut self) {
        let now = self.now();
        let Some(live) = &mut self.inbox else { return };
        let Some(handle) = live.handle() else { return };
        if live.shelf.deadline().is_none_or(|at| at > now) {
            return;
        }
        let key = live.key.clone();
        let Some(number) = self.ready(&key) else { return };
        if let Some(live) = &mut self.inbox {
            live.shelf = ShelfLive { unanswered: 1, asked_at: Some(now), due_at: None };
        }
        self.send(number, Request::ShelfStatus(handle), Pending::ShelfStatus);
    }

    pub(super) fn shelf_answered(
        &mut self,
        number: SessionNumber,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        self.shelf_heard();
        let Answer::ShelfState { packages, last_resort } = answer else { return Ok(()) };
        let Some(handle) = self.inbox.as_ref().and_then(InboxLive::handle) else { return Ok(()) };
        let shelf = Shelf { packages: *packages, last_resort: *last_resort };
        let puts = self.transact(|work| shelf::fill(work, handle, &shelf))?;
        if let Some(live) = &mut self.inbox {
            live.shelf.unanswered = live.shelf.unanswered.saturating_add(puts.len());
        }
        for put in puts {
            let pending = Pending::ShelfPut { package: put.package, before: put.before };
            self.send(number, put.request, pending);
        }
        Ok(())
    }

    pub(super) fn shelf_put_answered(
        &mut self,
        package: PackageNumber,
        before: ShelfBefore,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        self.shelf_heard();
        self.transact(|work| shelf::answered(work, package, before, answer))
    }

    fn shelf_heard(&mut self) {
        if let Some(live) = &mut self.inbox {
            live.shelf.unanswered = live.shelf.unanswered.saturating_sub(1);
        }
    }
}
