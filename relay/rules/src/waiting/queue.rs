//! Those who wait for one place, by where they come from.

use hushwire_wire::id::{SessionId, Timestamp};
use rand_core::CryptoRng;

use super::{Asker, Bid, Source};

/// Sources with sessions that wait for one place (spec: RLY-049).
const WAITING_SOURCES_MAX: usize = 256;
/// Sessions of one source that wait for one place (spec: RLY-049).
const WAITING_OF_SOURCE_MAX: usize = 8;

/// Those who wait for one place.
#[derive(Default)]
pub(super) struct Queue {
    crowds: Vec<Crowd>,
    turn: Option<Turn>,
}

/// Those of one source; never empty.
struct Crowd {
    source: Source,
    waiting: Vec<Stay>,
}

/// A session, and until when it has to ask again to go on waiting.
struct Stay {
    session: SessionId,
    until: Timestamp,
}

/// The session that was drawn, and until when the place is its own.
#[derive(Clone, Copy)]
struct Turn {
    session: SessionId,
    until: Timestamp,
}

impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.crowds.iter().map(|crowd| crowd.waiting.len()).sum()
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.crowds.is_empty() && self.turn.is_none_or(|turn| now >= turn.until)
    }

    pub(super) const fn end_turn(&mut self) {
        self.turn = None;
    }

    /// Who was told to come and has not come within the length of a turn waits no longer.
    pub(super) fn forget_gone(&mut self, now: Timestamp) {
        for crowd in &mut self.crowds {
            crowd.waiting.retain(|stay| now < stay.until);
        }
        self.crowds.retain(|crowd| !crowd.waiting.is_empty());
    }

    /// See [`super::WaitingRoom::ask`]; at most `space` more may wait.
    pub(super) fn ask(
        &mut self,
        now: Timestamp,
        bid: &Bid,
        space: usize,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), u64> {
        self.forget_gone(now);
        let left_ms = if bid.left_ms > 0 {
            bid.left_ms
        } else {
            // spec: CHN-037
            match self.turn_at(now, bid.turn_ms, rng) {
                None => return Ok(()),
                Some(turn) if turn.session == bid.asker.session => return Ok(()),
                Some(turn) => turn.until.ms_since(now),
            }
        };
        // spec: CHN-036
        self.wait(&bid.asker, now.plus_ms(left_ms).plus_ms(bid.turn_ms), space);
        Err(left_ms)
    }

    /// Whose turn it is: that of who was drawn before, or is drawn now; nobody's if nobody waits.
    fn turn_at(&mut self, now: Timestamp, turn_ms: u64, rng: &mut dyn CryptoRng) -> Option<Turn> {
        // No turn that is given at this time lasts longer: the clock was set back.
        let goes_on = |turn: &Turn| now < turn.until && turn.until.ms_since(now) <= turn_ms;
        if !self.turn.as_ref().is_some_and(goes_on) {
            let until = now.plus_ms(turn_ms);
            self.turn = self.draw(rng).map(|session| Turn { session, until });
        }
        self.turn
    }

    /// One of those who wait, who then does so no longer: each source has the same chance, and each
    /// session of it (spec: CHN-038).
    fn draw(&mut self, rng: &mut dyn CryptoRng) -> Option<SessionId> {
        let place = below(self.crowds.len(), rng)?;
        let crowd = self.crowds.get_mut(place)?;
        let drawn = below(crowd.waiting.len(), rng)?;
        let session = crowd.waiting.get(drawn)?.session;
        crowd.waiting.remove(drawn);
        self.crowds.retain(|crowd| !crowd.waiting.is_empty());
        Some(session)
    }

    /// The asker waits, if there is room for it; who waits already keeps its place.
    fn wait(&mut self, asker: &Asker, until: Timestamp, space: usize) {
        let mut all = self.crowds.iter_mut().flat_map(|crowd| &mut crowd.waiting);
        if let Some(stay) = all.find(|stay| stay.session == asker.session) {
            stay.until = until;
            return;
        }
        if space == 0 {
            return;
        }
        let sources = self.crowds.len();
        let stay = Stay { session: asker.session, until };
        match self.crowds.iter_mut().find(|crowd| crowd.source == asker.source) {
            Some(crowd) if crowd.waiting.len() < WAITING_OF_SOURCE_MAX => crowd.waiting.push(stay),
            None if sources < WAITING_SOURCES_MAX => {
                self.crowds.push(Crowd { source: asker.source, waiting: vec![stay] });
            }
            Some(_) | None => {}
        }
    }
}

/// A number below `count`; none if that is 0. The bias of the remainder does not matter here.
fn below(count: usize, rng: &mut dyn CryptoRng) -> Option<usize> {
    let count = u64::try_from(count).ok()?;
    usize::try_from(rng.next_u64().checked_rem(count)?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hushwire_wire::id::{ChannelId, EpochId};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::{super::Kind, super::Slot, *};

    fn asker(source: u16, session: u8) -> Asker {
        let mut name = [0; Source::LENGTH];
        name[..2].copy_from_slice(&source.to_be_bytes());
        let [high, low] = source.to_be_bytes();
        let mut id = [session; 32];
        (id[0], id[1]) = (high, low);
        Asker { source: Source::from_bytes(name), session: SessionId::from_bytes(id) }
    }

    fn bid(asker: Asker, left_ms: u64) -> Bid {
        let slot = Slot {
            channel: ChannelId::from_bytes([1; 32]),
            epoch: EpochId::from_bytes([2; 32]),
            kind: Kind::Commit,
        };
        Bid { slot, asker, left_ms, turn_ms: 1_000 }
    }

    /// A queue whose clock is turned by hand.
    struct Story {
        queue: Queue,
        rng: ChaCha20Rng,
    }

    impl Story {
        fn new() -> Self {
            Self { queue: Queue::default(), rng: ChaCha20Rng::seed_from_u64(3) }
        }

        fn ask(&mut self, now: u64, asker: Asker, left_ms: u64) -> Result<(), u64> {
            self.queue.ask(Timestamp(now), &bid(asker, left_ms), usize::MAX, &mut self.rng)
        }
    }

    #[test]
    fn who_is_alone_waits_no_longer_than_the_time() {
        // spec: CHN-036, CHN-037
        let mut story = Story::new();
        let alone = asker(1, 1);
        assert_eq!(story.ask(0, alone, 400), Err(400));
        assert_eq!(story.ask(400, alone, 0), Ok(()));
        // Nobody waited, and nobody does who came when the time had passed.
        assert_eq!(Story::new().ask(400, alone, 0), Ok(()));
    }

    #[test]
    fn who_did_not_wait_lets_those_go_first_who_did() {
        // spec: CHN-037
        let mut story = Story::new();
        let (waits, pushes) = (asker(1, 1), asker(2, 2));
        assert_eq!(story.ask(0, waits, 400), Err(400));
        assert_eq!(story.ask(400, pushes, 0), Err(1_000));
        assert_eq!(story.ask(700, pushes, 0), Err(700));
        assert_eq!(story.ask(1_399, waits, 0), Ok(()));
    }

    #[test]
    fn a_turn_that_is_not_used_goes_to_another() {
        // spec: CHN-037
        let mut story = Story::new();
        let (gone, comes) = (asker(1, 1), asker(2, 2));
        assert_eq!(story.ask(0, gone, 400), Err(400));
        assert_eq!(story.ask(400, comes, 0), Err(1_000));
        assert_eq!(story.ask(1_399, comes, 0), Err(1));
        assert_eq!(story.ask(1_400, comes, 0), Ok(()));
        // Who let its turn pass waits anew like everybody.
        assert_eq!(story.ask(1_500, gone, 0), Err(900));
    }

    #[test]
    fn whose_turn_it_is_not_waits_on() {
        // spec: CHN-037
        let mut story = Story::new();
        for source in 1..=3 {
            for session in 0..2 {
                assert_eq!(story.ask(0, asker(source, session), 5_000), Err(5_000));
            }
        }
        let mut turns = Vec::new();
        for time in 1..=6 {
            let turn = story.queue.turn_at(Timestamp(time * 1_000), 1_000, &mut story.rng).unwrap();
            turns.push(turn.session);
            assert_eq!(story.queue.len(), 6 - turns.len());
        }
        assert_eq!(turns.into_iter().collect::<BTreeSet<_>>().len(), 6, "each once");
        assert!(story.queue.turn_at(Timestamp(7_000), 1_000, &mut story.rng).is_none());
    }

    #[test]
    fn who_does_not_come_when_it_was_told_is_forgotten() {
        // spec: CHN-036
        for (now, expected) in [(1_399, Err(1_000)), (1_400, Ok(()))] {
            let mut story = Story::new();
            assert_eq!(story.ask(0, asker(1, 1), 400), Err(400));
            assert_eq!(story.ask(now, asker(2, 2), 0), expected, "at {now}");
        }
    }

    #[test]
    fn each_source_has_the_same_chance_however_many_sessions_it_has() {
        // spec: CHN-038
        let mut won = 0_u32;
        let mut story = Story::new();
        for _ in 0..3_000 {
            story.queue = Queue::default();
            for session in 1..=8 {
                assert_eq!(story.ask(0, asker(1, session), 400), Err(400));
            }
            assert_eq!(story.ask(0, asker(2, 100), 400), Err(400));
            won += u32::from(story.ask(400, asker(2, 100), 0) == Ok(()));
        }
        // A half of 3,000, within five standard deviations.
        assert!((1_363..=1_637).contains(&won), "{won}");
    }

    #[test]
    fn a_crowd_finds_so_many_places_and_no_more() {
        // spec: RLY-049
        let mut story = Story::new();
        for session in 0..20 {
            assert_eq!(story.ask(0, asker(1, session), 400), Err(400));
        }
        assert_eq!(story.queue.len(), WAITING_OF_SOURCE_MAX);
        for source in 0..300 {
            assert_eq!(story.ask(0, asker(source, 30), 400), Err(400));
        }
        assert_eq!(story.queue.crowds.len(), WAITING_SOURCES_MAX);
        let mut full = Story::new();
        let bid = bid(asker(1, 1), 400);
        assert_eq!(full.queue.ask(Timestamp(0), &bid, 0, &mut full.rng), Err(400));
        assert_eq!(full.queue.len(), 0);
    }
}
