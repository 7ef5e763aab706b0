//! Who waits for a place in an epoch, and whose turn it is (spec: CHN-036, CHN-037, CHN-038).
//!
//! A commit or note that comes too early is refused, and its session waits. When the time has come,
//! one of those who wait is drawn and has the place to itself for a while, so that who is fast is not
//! before the others again and again.
//!
//! Owns names of sessions and sources for as long as they wait, and nothing that a restart must not
//! lose. Never knows what is stored, nor what an entry holds. Invariant: what it remembers is
//! bounded; who finds no room to wait is refused and taken as if nobody waited.

mod queue;

use core::fmt;
use std::collections::BTreeMap;

use hushwire_wire::id::{ChannelId, EpochId, SessionId, Timestamp};
use rand_core::CryptoRng;

use queue::Queue;

/// Sessions that wait at a relay, in all epochs together (spec: RLY-049).
const WAITING_MAX: usize = 65_536;
/// How often those are forgotten who did not come again, in milliseconds.
const SWEEP_MS: u64 = 10_000;

/// Where a session comes from, as far as the driver can tell: those who share it share one chance to be
/// drawn (spec: CHN-038). Two sources are equal when their bytes are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source([u8; Self::LENGTH]);

impl Source {
    /// Length in bytes.
    pub const LENGTH: usize = 8;

    /// A source with this name; it goes nowhere.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

/// Prints the name only: a source may be an address.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(..)")
    }
}

/// Who asks for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) source: Source,
    pub(crate) session: SessionId,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The next candidate of an epoch.
    Commit,
    /// Its next note.
    Note,
}

/// A place that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) channel: ChannelId,
    pub(crate) epoch: EpochId,
    pub(crate) kind: Kind,
}

/// An attempt at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bid {
    pub(crate) slot: Slot,
    pub(crate) asker: Asker,
    /// How long the place is not there yet for anybody, in milliseconds.
    pub(crate) left_ms: u64,
    /// How long a turn lasts, in milliseconds.
    pub(crate) turn_ms: u64,
}

/// Sessions that wait, in a relay's memory. A new one is as good: who waits asks again.
pub struct WaitingRoom {
    rng: Box<dyn CryptoRng + Send>,
    queues: BTreeMap<Slot, Queue>,
    waiting: usize,
    swept_at: Timestamp,
}

/// Prints the name only: it holds ids.
impl fmt::Debug for WaitingRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitingRoom(..)")
    }
}

impl WaitingRoom {
    /// Nobody waits. Draws are made with `rng`, which nobody outside can foresee.
    pub fn new(rng: Box<dyn CryptoRng + Send>) -> Self {
        Self { rng, queues: BTreeMap::new(), waiting: 0, swept_at: Timestamp(0) }
    }

    /// Whether the asker may take the place now; else it waits from now on, and is told how long, in
    /// milliseconds.
    pub(crate) fn ask(&mut self, now: Timestamp, bid: &Bid) -> Result<(), u64> {
        self.sweep(now);
        let queue = self.queues.entry(bid.slot).or_default();
        let before = queue.len();
        let space = WAITING_MAX.saturating_sub(self.waiting);
        let answer = queue.ask(now, bid, space, &mut *self.rng);
        self.waiting = self.waiting.saturating_sub(before).saturating_add(queue.len());
        if queue.is_over(now) {
            self.queues.remove(&bid.slot);
        }
        answer
    }

    /// The place was taken. Whoever waited to commit has something new to read first; notes do not
    /// stand in each other's way.
    pub(crate) fn taken(&mut self, slot: &Slot) {
        match slot.kind {
            Kind::Commit => {
                let gone = self.queues.remove(slot).map_or(0, |queue| queue.len());
                self.waiting = self.waiting.saturating_sub(gone);
            }
            Kind::Note => {
                if let Some(queue) = self.queues.get_mut(slot) {
                    queue.end_turn();
                }
            }
        }
    }

    /// Forgets who did not come again.
    fn sweep(&mut self, now: Timestamp) {
        // A clock that was set back counts as time that has passed.
        if now >= self.swept_at && now.ms_since(self.swept_at) < SWEEP_MS {
            return;
        }
        self.swept_at = now;
        self.queues.retain(|_, queue| {
            queue.forget_gone(now);
            !queue.is_over(now)
        });
        self.waiting = self.queues.values().map(Queue::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    const TURN_MS: u64 = 1_000;

    fn room() -> WaitingRoom {
        WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(7)))
    }

    fn bid(epoch: u32, asker: u32, left_ms: u64) -> Bid {
        let mut name = [0; 32];
        name[..4].copy_from_slice(&asker.to_be_bytes());
        let mut id = [0; 32];
        id[..4].copy_from_slice(&epoch.to_be_bytes());
        let mut source = [0; Source::LENGTH];
        source[..4].copy_from_slice(&asker.to_be_bytes());
        Bid {
            slot: Slot {
                channel: ChannelId::from_bytes([1; 32]),
                epoch: EpochId::from_bytes(id),
                kind: Kind::Commit,
            },
            asker: Asker {
                source: Source::from_bytes(source),
                session: SessionId::from_bytes(name),
            },
            left_ms,
            turn_ms: TURN_MS,
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        // spec: RLY-049
        let mut room = room();
        let now = Timestamp(1_000_000);
        for epoch in 0..u32::try_from(WAITING_MAX).unwrap() + 10 {
            assert_eq!(room.ask(now, &bid(epoch, 1, 500)), Err(500));
        }
        assert_eq!((room.waiting, room.queues.len()), (WAITING_MAX, WAITING_MAX));
        // Whoever found no room is taken when the time has come, and whoever did is as well.
        let late = now.plus_ms(500);
        assert_eq!(room.ask(late, &bid(u32::try_from(WAITING_MAX).unwrap(), 1, 0)), Ok(()));
        assert_eq!(room.ask(late, &bid(3, 1, 0)), Ok(()));
        room.taken(&bid(3, 1, 0).slot);
        assert_eq!(room.waiting, WAITING_MAX - 1);
        assert_eq!(room.ask(now.plus_ms(SWEEP_MS), &bid(9, 2, 300)), Err(300));
        assert_eq!((room.waiting, room.queues.len()), (1, 1));
    }

    #[test]
    fn who_is_gone_is_looked_for_now_and_then_and_not_for_everyone_who_asks() {
        // spec: RLY-049
        let mut room = room();
        let now = Timestamp(1_000_000);
        for (after_ms, swept_after_ms) in
            [(0, 0), (SWEEP_MS - 1, 0), (SWEEP_MS, SWEEP_MS), (SWEEP_MS + 1, SWEEP_MS)]
        {
            assert_eq!(room.ask(now.plus_ms(after_ms), &bid(1, 1, 500)), Err(500));
            assert_eq!(room.swept_at, now.plus_ms(swept_after_ms), "after {after_ms}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_keeps_nobody_out() {
        // spec: CHN-037
        let mut room = room();
        let now = Timestamp(1_000_000);
        assert_eq!(room.ask(now, &bid(1, 1, 500)), Err(500));
        assert_eq!(room.ask(now.plus_ms(500), &bid(1, 2, 0)), Err(TURN_MS));
        // The turn would last for long yet, by the clock that it was given by.
        assert_eq!(room.ask(Timestamp(0), &bid(1, 2, 0)), Ok(()));
    }

    #[test]
    fn who_was_drawn_keeps_the_turn_while_nobody_else_waits() {
        // spec: CHN-037
        let mut room = room();
        let now = Timestamp(1_000_000);
        assert_eq!(room.ask(now, &bid(1, 1, 500)), Err(500));
        // It came in time, and what it brought was refused: it may mend that within its turn.
        let drawn = now.plus_ms(500);
        assert_eq!(room.ask(drawn, &bid(1, 1, 0)), Ok(()));
        assert_eq!(room.ask(drawn.plus_ms(100), &bid(1, 2, 0)), Err(TURN_MS - 100));
        assert_eq!(room.ask(drawn.plus_ms(200), &bid(1, 1, 0)), Ok(()));
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let source = Source::from_bytes([9; 8]);
        assert_eq!(format!("{:?} {source:?}", room()), "WaitingRoom(..) Source(..)");
    }
}
