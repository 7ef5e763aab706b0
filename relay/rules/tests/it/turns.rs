//! Who gets an epoch's next candidate when many want it: a simulated contest of a hostile member that
//! loses no time, and honest ones, each as far from the relay as it is.

use hushwire_relay_rules::{Source, WaitingRoom};
use hushwire_wire::{
    error::Code,
    id::{EntryId, Timestamp},
    message::{Answer, Handle},
    transcript::Cut,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::world::{Client, Relay, appended, commit, created, open, opened, root};

/// Whose member it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Hostile,
    Honest,
}

/// Who takes part, and how.
#[derive(Clone, Copy)]
struct Part {
    side: Side,
    source: u8,
    /// How long its way to the relay takes.
    way_ms: u64,
    /// When it comes the first time, after the first candidate.
    comes_ms: u64,
}

const HOSTILE: Part = Part { side: Side::Hostile, source: 200, way_ms: 0, comes_ms: 0 };

/// So many honest ones, from 20 to 300 milliseconds away.
fn honest(count: u8, comes_ms: u64) -> Vec<Part> {
    (0..count)
        .map(|number| {
            let way_ms = 20 + 280 * u64::from(number) / u64::from(count);
            Part { side: Side::Honest, source: number, way_ms, comes_ms }
        })
        .collect()
}

struct Member {
    part: Part,
    client: Client,
    handle: Handle,
    next_at: Timestamp,
}

/// Members of a channel who all contest what stands in its first epoch, again and again: what the
/// relay does is the same whether a candidate is garbage or not.
struct Contest {
    relay: Relay,
    members: Vec<Member>,
    begun_at: Timestamp,
    candidates: Vec<EntryId>,
    /// Whose the candidates after the first one are.
    won: Vec<Side>,
}

/// Whether an epoch takes more.
#[derive(PartialEq, Eq)]
enum Room {
    Some,
    None,
}

impl Contest {
    fn new(seed: u64, parts: &[Part]) -> Self {
        let mut relay = Relay::default();
        relay.waiting = WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(seed)));
        let mut first = relay.connect();
        let handle = created(&mut relay, &mut first).handle;
        let garbage = appended(relay.ask(&mut first, commit(handle, 2, Cut::Cut, &[]))).entry;
        let begun_at = relay.now;
        let members = parts
            .iter()
            .map(|part| {
                let source = Source::from_bytes([part.source; Source::LENGTH]);
                let mut client = relay.connect_from(source);
                let request = open(&relay, &client, root(1), 1);
                let handle = opened(relay.ask(&mut client, request)).handle;
                let next_at = begun_at.plus_ms(part.comes_ms);
                Member { part: *part, client, handle, next_at }
            })
            .collect();
        Self { relay, members, begun_at, candidates: vec![garbage], won: Vec::new() }
    }

    fn run(mut self) -> Vec<Side> {
        while self.attempt() == Room::Some {}
        self.won
    }

    /// The next attempt of all: at the time that its member was told, or when it has read of a new
    /// candidate.
    fn attempt(&mut self) -> Room {
        let member = self.members.iter_mut().min_by_key(|member| member.next_at).unwrap();
        self.relay.now = member.next_at;
        let key = u8::try_from(self.candidates.len()).unwrap() + 2;
        let request = commit(member.handle, key, Cut::Cut, &self.candidates);
        match self.relay.ask(&mut member.client, request) {
            Answer::Appended(appended) => {
                self.candidates.push(appended.entry);
                self.won.push(member.part.side);
                self.tell();
                Room::Some
            }
            Answer::Refused(refusal) if refusal.code == Code::TooEarly => {
                let wait_ms = refusal.retry_after_ms + member.part.way_ms;
                member.next_at = self.relay.now.plus_ms(wait_ms);
                Room::Some
            }
            Answer::Refused(refusal) if refusal.code == Code::CandidatesExhausted => Room::None,
            other => panic!("{other:?}"),
        }
    }

    fn tell(&mut self) {
        for member in &mut self.members {
            let comes_at = self.begun_at.plus_ms(member.part.comes_ms);
            member.next_at = self.relay.now.plus_ms(member.part.way_ms).max(comes_at);
        }
    }
}

/// How many of the candidates of so many contests were of honest members, and of how many.
fn honest_share(rounds: u64, parts: &[Part]) -> (u32, u32) {
    let won = (0..rounds).flat_map(|seed| Contest::new(seed, parts).run());
    won.fold((0, 0), |(honest, all), side| (honest + u32::from(side == Side::Honest), all + 1))
}

/// Asserts that a share is the expected one, within five standard deviations.
fn assert_share((honest, all): (u32, u32), expected: f64) {
    let share = f64::from(honest) / f64::from(all);
    let deviation = (expected * (1.0 - expected) / f64::from(all)).sqrt();
    assert!((share - expected).abs() < 5.0 * deviation, "{share} of {all}, not {expected}");
}

#[test]
fn a_fast_member_is_drawn_as_often_as_each_other_one() {
    // spec: CHN-036, CHN-037
    for count in [1, 3, 9] {
        let parts = [vec![HOSTILE], honest(count, 0)].concat();
        assert_share(honest_share(24, &parts), f64::from(count) / f64::from(count + 1));
    }
}

#[test]
fn one_who_opens_many_sessions_is_drawn_as_often_as_with_one() {
    // spec: CHN-038
    let parts = [vec![HOSTILE; 12], honest(3, 0)].concat();
    assert_share(honest_share(16, &parts), 0.75);
    // From as many sources he has as many chances.
    let hostile = (0..12).map(|number| Part { source: 100 + number, ..HOSTILE });
    let parts = [hostile.collect(), honest(3, 0)].concat();
    assert_share(honest_share(16, &parts), 3.0 / 15.0);
}

#[test]
fn honest_members_get_through_long_before_an_epoch_is_full() {
    // spec: CHN-021, CHN-035, CHN-037
    // They come as late as clients contest (contest_wait_ms, contest_wait_span_ms).
    for count in [1, 3] {
        let parts = [vec![HOSTILE], honest(count, 5_500)].concat();
        for seed in 0..100 {
            let mut contest = Contest::new(seed, &parts);
            while !contest.won.contains(&Side::Honest) {
                assert!(contest.attempt() == Room::Some, "the epoch is full");
            }
            // Until then the hostile member is alone, and has put in few.
            let alone = contest.won.iter().filter(|side| **side == Side::Hostile).count();
            assert!((7..24).contains(&alone), "{alone} of {count}");
        }
    }
}

#[test]
fn who_is_away_for_a_night_comes_in_time() {
    // spec: CHN-035
    let night_ms = 12 * 60 * 60 * 1_000;
    for seed in 0..20 {
        let mut contest = Contest::new(seed, &[vec![HOSTILE], honest(1, night_ms)].concat());
        while !contest.won.contains(&Side::Honest) {
            assert!(contest.attempt() == Room::Some, "the epoch is full");
        }
    }
}
