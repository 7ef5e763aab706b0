//! The epochs that a reading knows: where it stands in each, and which it has to look at again.

use std::collections::VecDeque;

use hushwire_wire::{
    error::Code,
    id::{EpochId, Sequence},
};

use crate::outcome::Refused;

/// Epochs that one reading watches at most (spec: CHN-027).
pub(crate) const EPOCHS_WATCHED_MAX: usize = 256;

/// Whether an epoch has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attention {
    /// It may have entries or children that the reading has not seen.
    Due,
    /// All of it was seen; news wake it.
    Resting,
}

/// Where a reading stands in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) epoch: EpochId,
    /// The next entry to read.
    pub(super) position: Sequence,
    /// Candidates whose children were visited or passed over.
    pub(super) children_seen: usize,
    /// The end that the client was told last.
    pub(super) end_told: Option<Sequence>,
    pub(super) attention: Attention,
}

impl Watched {
    pub(super) const fn new(epoch: EpochId, position: Sequence) -> Self {
        Self { epoch, position, children_seen: 0, end_told: None, attention: Attention::Due }
    }
}

/// The epochs of a reading, in the order they were visited.
#[derive(Debug)]
pub(super) struct WatchList(VecDeque<Watched>);

impl WatchList {
    pub(super) fn new(first: Watched) -> Self {
        Self(VecDeque::from([first]))
    }

    /// The epoch to look at next: the one visited last, which makes the order depth first.
    pub(super) fn due(&mut self) -> Option<&mut Watched> {
        self.0.iter_mut().rev().find(|watched| watched.attention == Attention::Due)
    }

    /// Visits a child. A resting epoch, the oldest first, makes room.
    pub(super) fn visit(&mut self, epoch: EpochId) -> Result<(), Refused> {
        if self.0.len() >= EPOCHS_WATCHED_MAX {
            let oldest = self.0.iter().position(|w| w.attention == Attention::Resting);
            let oldest = oldest.ok_or(Code::LimitExceeded)?;
            self.0.remove(oldest);
        }
        self.0.push_back(Watched::new(epoch, Sequence::FIRST));
        Ok(())
    }

    /// Epochs at rest are not needed by a reading that ends when it has caught up.
    pub(super) fn forget_resting(&mut self) {
        self.0.retain(|watched| watched.attention == Attention::Due);
    }

    /// Says whether the epoch is watched, and makes it due if so.
    pub(super) fn wake(&mut self, epoch: &EpochId) -> bool {
        let found = self.0.iter_mut().find(|watched| watched.epoch == *epoch);
        found.map(|watched| watched.attention = Attention::Due).is_some()
    }

    /// Makes every epoch due.
    pub(super) fn wake_fully(&mut self) {
        for watched in &mut self.0 {
            watched.attention = Attention::Due;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(number: usize) -> EpochId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        EpochId::from_bytes(bytes)
    }

    #[test]
    fn a_full_list_forgets_the_oldest_resting_epoch() {
        // spec: CHN-027
        let mut list = WatchList::new(Watched::new(epoch(0), Sequence::FIRST));
        for number in 1..EPOCHS_WATCHED_MAX {
            list.due().unwrap().attention = Attention::Resting;
            list.visit(epoch(number)).unwrap();
        }
        list.visit(epoch(EPOCHS_WATCHED_MAX)).unwrap();
        assert!(!list.wake(&epoch(0)));
        assert!(list.wake(&epoch(1)));
    }

    #[test]
    fn who_reads_to_the_end_remembers_what_is_unfinished() {
        // spec: CHN-027
        let mut list = WatchList::new(Watched::new(epoch(0), Sequence::FIRST));
        list.due().unwrap().attention = Attention::Resting;
        list.visit(epoch(1)).unwrap();
        list.forget_resting();
        assert!(!list.wake(&epoch(0)));
        assert_eq!(list.due().unwrap().epoch, epoch(1));
    }

    #[test]
    fn a_list_full_of_unfinished_epochs_takes_no_more() {
        // spec: CHN-027
        let mut list = WatchList::new(Watched::new(epoch(0), Sequence::FIRST));
        for number in 1..EPOCHS_WATCHED_MAX {
            list.visit(epoch(number)).unwrap();
        }
        let refused = list.visit(epoch(EPOCHS_WATCHED_MAX)).unwrap_err();
        assert_eq!(refused.refusal().code, Code::LimitExceeded);
    }
}
