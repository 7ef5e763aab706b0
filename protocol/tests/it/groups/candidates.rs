//! Several candidates for one epoch: the first valid one wins, for everybody.

use hushwire_protocol::envelope::{Place, open};
use hushwire_protocol::group::{CommitIntent, GroupError, OpenError, Opened, Rejection, Report};
use hushwire_protocol::provider::Suite;
use hushwire_wire::id::{ChainHead, EntryId, PublicKey, Sequence};
use hushwire_wire::transcript::{CommitMark, Cut, Operation};

use super::world::{CHANNEL, Device, Entry, assert_agreement, group_of, spread};

fn rejection(device: &mut Device, entry: &Entry) -> Rejection {
    match device.try_apply(entry) {
        Err(OpenError::Rejected(rejection)) => rejection,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

#[test]
fn the_loser_of_a_race_applies_the_winner() {
    for suite in Suite::ALL {
        let mut members = group_of(3, suite);
        let winner = members[0].begin(CommitIntent::default());
        let _loser = members[1].begin(CommitIntent::default());
        members[1].abandon();
        spread(&mut members, 0, winner, &mut []);
        assert_agreement(&mut members);
        let commit = members[1].begin(CommitIntent::default());
        spread(&mut members, 1, commit, &mut []);
        assert_agreement(&mut members);
    }
}

#[test]
fn rejected_candidates_leave_no_trace() {
    // spec: GRP-036, GRP-037, ENV-003
    let mut members = group_of(3, Suite::Classical);
    let good = members[0].begin(CommitIntent::default());
    let mut garbage = good.entry.clone();
    garbage.envelope[40] ^= 1;
    let Operation::Commit(mark) = &good.entry.operation else { panic!() };
    let other = CommitMark { next_key: PublicKey::from_bytes([9; 32]), ..mark.clone() };
    let moved = Entry { operation: Operation::Commit(other), ..good.entry.clone() };
    for member in &mut members[1..] {
        assert_eq!(rejection(member, &garbage), Rejection::Undecryptable);
        assert_eq!(rejection(member, &moved), Rejection::Undecryptable);
    }
    spread(&mut members, 0, good, &mut []);
    assert_agreement(&mut members);
}

#[test]
fn a_second_opening_of_the_same_commit_is_refused_without_rollback() {
    // spec: GRP-036
    let mut members = group_of(2, Suite::Classical);
    let commit = members[0].begin(CommitIntent::default());
    assert!(matches!(members[1].open(&commit.entry), Ok(Opened::Commit(_))));
    // opened, kept, not applied: the ratchet has moved, which is why a transaction is rolled back
    assert_eq!(rejection(&mut members[1], &commit.entry), Rejection::KeyUnavailable);
}

#[test]
fn an_own_commit_cannot_be_judged_by_opening_it() {
    // spec: GRP-032
    let mut members = group_of(2, Suite::Classical);
    let commit = members[0].begin(CommitIntent::default());
    assert_eq!(rejection(&mut members[0], &commit.entry), Rejection::OwnLeaf);
    let id = commit.entry.id();
    let (entry, _) = members[0].confirm(commit);
    assert_eq!(entry.id(), id, "the author knows its entry by its id");
}

#[test]
fn only_one_commit_is_pending() {
    let mut members = group_of(2, Suite::Classical);
    let _pending = members[0].begin(CommitIntent::default());
    let again = members[0].try_begin(CommitIntent::default(), &[], None);
    assert_eq!(again.map(|_| ()), Err(GroupError::CommitPending));
    members[0].abandon();
    let error = members[0].transact(|group, provider, _, _, _| group.confirm_commit(provider));
    assert_eq!(error, Err(GroupError::NoCommitPending));
}

#[test]
fn a_contest_carries_a_signed_report() {
    // spec: GRP-060, GRP-051
    let mut members = group_of(3, Suite::Classical);
    let bad = EntryId::from_bytes([7; 32]);
    let report = Report::new(bad, Rejection::NextKeyMismatch);
    let commit = members[1].try_begin(CommitIntent::default(), &[bad], Some(report)).unwrap();
    let Ok(Opened::Commit(candidate)) = members[0].open(&commit.entry) else { panic!() };
    let verified = candidate.report.unwrap();
    assert_eq!(verified.report, report);
    assert_eq!(verified.reporter.identity(), members[1].identity());
    let Operation::Commit(mark) = &commit.entry.operation else { panic!() };
    assert_eq!(mark.contested, [bad]);
    assert_eq!(mark.cut, Cut::Through);
}

#[test]
fn a_commit_is_good_in_the_history_that_its_author_had_read() {
    // spec: GRP-051, GRP-053
    let mut members = group_of(2, Suite::Classical);
    let commit = members[0].begin(CommitIntent::default());
    let Ok(Opened::Commit(candidate)) = members[1].open(&commit.entry) else { panic!() };
    let read = *candidate.read();
    assert_eq!(read, members[1].binding());
    let other = ChainHead::from_bytes([9; 32]);
    assert_eq!(candidate.judge_history(Sequence(3), Some(read.head)), Ok(()));
    for head in [None, Some(other)] {
        let verdict = candidate.judge_history(Sequence(3), head);
        assert_eq!(verdict, Err(Rejection::OtherHistory));
    }
}

#[test]
fn nobody_has_read_behind_its_own_commit() {
    // spec: GRP-053
    let mut members = group_of(2, Suite::Classical);
    let head = members[0].binding().head;
    members[0].read_to = Sequence(4);
    let commit = members[0].begin(CommitIntent::default());
    let Ok(Opened::Commit(candidate)) = members[1].open(&commit.entry) else { panic!() };
    assert_eq!(candidate.judge_history(Sequence(4), Some(head)), Ok(()));
    let verdict = candidate.judge_history(Sequence(3), Some(head));
    assert_eq!(verdict, Err(Rejection::OtherHistory));
}

#[test]
fn a_report_about_another_entry_is_refused() {
    // spec: GRP-060
    let mut members = group_of(2, Suite::Classical);
    let report = Report::new(EntryId::from_bytes([8; 32]), Rejection::NoRight);
    let contested = [EntryId::from_bytes([7; 32])];
    let commit = members[0].try_begin(CommitIntent::default(), &contested, Some(report)).unwrap();
    assert_eq!(rejection(&mut members[1], &commit.entry), Rejection::UncontestedReport);
}

#[test]
fn every_member_can_open_the_envelope_and_sees_an_mls_message() {
    // spec: ENV-001, ENV-004
    let mut members = group_of(3, Suite::Classical);
    let entry = members[0].say("x");
    let place = Place { channel: &CHANNEL, epoch: &entry.epoch, operation: &entry.operation };
    for member in &members {
        let key = &member.keys.as_ref().unwrap().envelope;
        let content = open(key, place, &entry.envelope).unwrap();
        assert_eq!(content.message[..4], [0, 1, 0, 2], "MLS 1.0, PrivateMessage");
        assert!(content.proposals.is_empty());
    }
}
