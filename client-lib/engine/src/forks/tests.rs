use hushwire_wire::{
    id::{PublicKey, Sequence},
    transcript::{CommitMark, Cut},
};

use hushwire_protocol::group::{Rank, Role};

use super::*;
use crate::{
    record::{Arrival, Caution, Saying, Search},
    work::trial::{NOW, with_profile},
};

/// Epochs of a channel that are watched (spec: CLI-190).
const WATCHED_MAX: usize = 64;

fn nth(number: u8) -> EpochId {
    EpochId::from_bytes([number; 32])
}

/// This device leaves an epoch of this name, so long ago, and is as far there with its own word.
fn left_ago(work: &mut Work<'_>, channel: &ChannelId, epoch: EpochId, ago_ms: u64, saying: Saying) {
    let group = groups::record(work, channel).unwrap().unwrap();
    let (like, _) = log::epoch_state(work, channel, &group.epoch).unwrap();
    let mls = log::load_group(work, channel).unwrap();
    let leaving = Leaving { roster: PastRoster::of(&mls).unwrap(), own_leaf: LeafIndex(0) };
    let read_ms = NOW.0 - ago_ms;
    log::save_epoch(work, channel, &epoch, &EpochRecord { read_ms, ..like }).unwrap();
    let applied = EntryId::from_bytes([1; 32]);
    leave(work, channel, &GroupRecord { epoch, ..group }, &applied, &leaving, &[]).unwrap();
    let (mut record, _) = log::epoch_state(work, channel, &epoch).unwrap();
    let left = record.left.as_mut().unwrap();
    (left.left_ms, left.saying) = (read_ms, saying);
    log::save_epoch(work, channel, &epoch, &record).unwrap();
}

#[test]
fn where_a_word_was_said_takes_half_of_the_places_at_most() {
    // spec: CLI-190
    with_profile(|work, channel| {
        for number in 0..100_u8 {
            left_ago(work, channel, nth(number), 2_000_000 - u64::from(number), Saying::Done);
        }
        for number in 100..110_u8 {
            left_ago(work, channel, nth(number), 1_000 - u64::from(number), Saying::Silent);
        }
        let kept = kept(work, channel, &[]).unwrap();
        assert_eq!(kept.len(), WATCHED_MAX);
        assert!((100..110).all(|number| kept.contains(&nth(number))), "those that were left last");
        let spoken = (0..100).filter(|number| kept.contains(&nth(*number)));
        assert_eq!(spoken.collect::<Vec<_>>(), (46..100).collect::<Vec<_>>());
    });
}

#[test]
fn where_this_device_waits_or_is_in_doubt_is_watched_whatever_else_there_is() {
    // spec: CLI-190, CLI-196
    const DAYS_MS: u64 = 40 * 24 * 60 * 60 * 1000;
    with_profile(|work, channel| {
        let (waits, doubts, calm) = (nth(200), nth(201), nth(202));
        for epoch in [waits, doubts, calm] {
            left_ago(work, channel, epoch, DAYS_MS, Saying::Silent);
        }
        for number in 0..100_u8 {
            left_ago(work, channel, nth(number), 1_000 - u64::from(number), Saying::Done);
        }
        let (mut record, _) = log::epoch_state(work, channel, &doubts).unwrap();
        let followed = EntryId::from_bytes([2; 32]);
        record.left.as_mut().unwrap().doubt = Some(Doubt { followed, until_ms: NOW.0, said: None });
        log::save_epoch(work, channel, &doubts, &record).unwrap();
        let group = groups::record(work, channel).unwrap().unwrap();
        let unsettled = Some(Unsettled {
            epoch: waits,
            since_ms: NOW.0,
            caution: Caution::Waits,
            search: Search::Hears,
            arrival: Arrival::Late,
        });
        groups::save(work, channel, &GroupRecord { unsettled, ..group }).unwrap();
        let kept = kept(work, channel, &[]).unwrap();
        assert!(kept.contains(&waits) && kept.contains(&doubts));
        assert!(!kept.contains(&calm));
    });
}

#[test]
fn an_invitation_is_taken_where_what_was_waited_for_is_not_there() {
    // spec: CLI-196
    with_profile(|work, channel| {
        let group = groups::record(work, channel).unwrap().unwrap();
        let unsettled = Some(Unsettled {
            epoch: nth(9),
            since_ms: NOW.0,
            caution: Caution::Waits,
            search: Search::Asks,
            arrival: Arrival::InTime,
        });
        let group = GroupRecord { unsettled, ..group };
        let me = work.me().unwrap();
        assert_eq!(exchanged(work, channel, &group, &me), Ok(()));
    });
}

#[test]
fn who_is_invited_away_watches_on_as_one_that_applied_the_other_one() {
    // spec: CLI-196, CLI-198
    with_profile(|work, channel| {
        let (broken, worse, own) = (nth(3), nth(4), EntryId::from_bytes([1; 32]));
        let epoch = nth(9);
        left_ago(work, channel, epoch, 1_000, Saying::Done);
        let (mut record, _) = log::epoch_state(work, channel, &epoch).unwrap();
        let candidate = |entry: EntryId, verdict| CandidateRecord { entry, verdict, stored_ms: 1 };
        let id = |epoch: EpochId| EntryId::from_bytes(*epoch.as_bytes());
        record.candidates = vec![
            candidate(id(worse), Verdict::Invalid),
            candidate(id(broken), Verdict::Disputed),
            candidate(own, Verdict::Applied),
        ];
        log::save_epoch(work, channel, &epoch, &record).unwrap();
        let group = groups::record(work, channel).unwrap().unwrap();
        let unsettled = Some(Unsettled {
            epoch,
            since_ms: NOW.0,
            caution: Caution::Waits,
            search: Search::Asks,
            arrival: Arrival::InTime,
        });
        let me = work.me().unwrap();
        exchanged(work, channel, &GroupRecord { unsettled, ..group }, &me).unwrap();
        let (after, _) = log::epoch_state(work, channel, &epoch).unwrap();
        assert_eq!(after.left.map(|left| left.applied), Some(id(broken)));
    });
}

#[test]
fn who_was_added_again_and_said_nothing_follows_who_speaks_whatever_its_own_rank() {
    // spec: GRP-123, CLI-198
    with_profile(|work, channel| {
        let epoch = nth(9);
        let (applied, other) = (EntryId::from_bytes([1; 32]), EntryId::from_bytes([2; 32]));
        let candidate = |entry| CandidateRecord { entry, verdict: Verdict::Applied, stored_ms: 1 };
        let rank = Rank { role: Role::Member, leaf: LeafIndex(1) };
        let said = VerifiedStatement { candidate: other, rank };
        for came_back in [false, true] {
            left_ago(work, channel, epoch, 1_000, Saying::Silent);
            let (mut record, _) = log::epoch_state(work, channel, &epoch).unwrap();
            record.candidates = vec![candidate(applied), candidate(other)];
            record.statements = vec![said.into()];
            if came_back {
                record.left = record.left.map(|left| LeftRecord::following(applied, left));
            }
            log::save_epoch(work, channel, &epoch, &record).unwrap();
            review(work, channel, &epoch).unwrap();
            let (record, _) = log::epoch_state(work, channel, &epoch).unwrap();
            let doubt = record.left.unwrap().doubt.map(|doubt| doubt.followed);
            assert_eq!(doubt, came_back.then_some(other));
        }
    });
}

#[test]
fn a_watch_ends_by_looks_that_make_a_day_and_where_a_relay_shows_nothing_too() {
    // spec: CLI-190
    const HOUR_MS: u64 = 60 * 60 * 1000;
    with_profile(|work, channel| {
        let epoch = nth(9);
        left_ago(work, channel, epoch, 0, Saying::Done);
        let is_watched = |work: &Work<'_>| {
            let row = work.tx.load::<EpochRecord>(&by_channel(channel, &epoch)).unwrap();
            row.is_some_and(|row| row.left.is_some())
        };
        // Ten years between two looks are six hours.
        for look in 1..=4_u64 {
            assert!(is_watched(work), "{look}");
            work.now = work.now.plus_ms(87_600 * HOUR_MS);
            in_vain(work, channel, &epoch).unwrap();
        }
        assert!(!is_watched(work));
    });
}

#[test]
fn of_a_watched_epoch_no_more_candidates_are_kept_than_a_relay_stores() {
    // spec: CLI-209
    with_profile(|work, channel| {
        let group = groups::record(work, channel).unwrap().unwrap();
        let mls = log::load_group(work, channel).unwrap();
        let roster = PastRoster::of(&mls).unwrap();
        let leaving = Leaving { roster, own_leaf: LeafIndex(0) };
        let applied = EntryId::from_bytes([1; 32]);
        leave(work, channel, &group, &applied, &leaving, &[]).unwrap();
        let (before, _) = log::epoch_state(work, channel, &group.epoch).unwrap();
        let many = 2 * u64::from(Limits::V1.candidates_max);
        for place in 0..many {
            let mark = CommitMark {
                next_key: PublicKey::from_bytes([7; 32]),
                cut: Cut::Cut,
                contested: Vec::new(),
            };
            let content = Content::Inline(place.to_be_bytes().to_vec().into());
            let operation = Operation::Commit(mark);
            let entry = Entry {
                epoch: group.epoch,
                sequence: Sequence(before.next + place),
                stored_at: NOW,
                body: EntryBody::Whole { operation, content },
            };
            assert_eq!(take(work, channel, &entry).unwrap(), log::Taken::Next);
        }
        let (kept, _) = log::epoch_state(work, channel, &group.epoch).unwrap();
        assert_eq!(kept.next, before.next + many, "it is read on");
        assert_eq!(kept.candidates.len(), usize::from(Limits::V1.candidates_max));
    });
}

#[test]
fn who_was_stuck_where_candidates_stand_watches_that_epoch_when_it_is_back() {
    // spec: CLI-190, CLI-198
    with_profile(|work, channel| {
        let epoch = groups::record(work, channel).unwrap().unwrap().epoch;
        let left = |work: &Work<'_>| log::epoch_state(work, channel, &epoch).unwrap().0.left;
        stranded(work, channel, &epoch).unwrap();
        assert!(left(work).is_none(), "nothing parts anybody there");
        let (mut record, _) = log::epoch_state(work, channel, &epoch).unwrap();
        let candidate = |number: u8, verdict| {
            let entry = EntryId::from_bytes([number; 32]);
            CandidateRecord { entry, verdict, stored_ms: 0 }
        };
        record.candidates = vec![
            candidate(1, Verdict::Invalid),
            candidate(2, Verdict::Unjudged),
            candidate(3, Verdict::Late),
        ];
        log::save_epoch(work, channel, &epoch, &record).unwrap();
        stranded(work, channel, &epoch).unwrap();
        let applied = |work: &Work<'_>| left(work).unwrap().applied;
        assert_eq!(applied(work), EntryId::from_bytes([2; 32]));
        assert!(left(work).unwrap().came_back);
        assert_eq!(kept(work, channel, &[]).unwrap(), [epoch]);
        for (by, followed) in [(4, 2), (1, 2), (3, 3)] {
            back_by(work, channel, &epoch, &nth(by)).unwrap();
            assert_eq!(applied(work), EntryId::from_bytes([followed; 32]));
        }
    });
}
