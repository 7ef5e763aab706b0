//! Leaving: a SelfRemove inside the envelope, and the commit of somebody else that does it.

use hushwire_protocol::group::{
    CommitIntent, GroupError, LeaveProposal, Membership, OpenError, Outcome, Rejection,
};
use hushwire_protocol::provider::Suite;
use hushwire_wire::transcript::{Cut, Operation};

use super::world::{assert_agreement, group_of};

#[test]
fn a_member_leaves_by_the_commit_of_any_other() {
    // spec: GRP-034, GRP-041, GRP-033
    for suite in Suite::ALL {
        let mut members = group_of(4, suite);
        let wish = members[3].ask_to_leave();
        let said = members[3].say("bye");
        let mut leave = None;
        for member in &mut members[..3] {
            leave = Some(member.hear_leave(&wish));
            member.hear(&said);
        }
        // It is kept until somebody commits it.
        let leave = LeaveProposal::from_bytes(leave.unwrap().as_bytes().to_vec());
        let intent = CommitIntent { leave: vec![leave], ..CommitIntent::default() };
        let commit = members[2].begin(intent);
        assert!(matches!(&commit.entry.operation, Operation::Commit(mark) if mark.cut == Cut::Cut));
        let (entry, _) = members[2].confirm(commit);
        let mut leaver = members.pop().unwrap();
        assert!(matches!(leaver.try_apply(&entry).unwrap().outcome, Outcome::Removed));
        assert_eq!(leaver.group().membership(), Membership::Removed);
        for member in &mut members[..2] {
            assert_eq!(member.apply(&entry).removed[0].identity(), leaver.identity());
        }
        assert_agreement(&mut members);
        let said = members[0].say("still here");
        members[1].hear(&said);
    }
}

#[test]
fn the_last_owner_stays() {
    // spec: GRP-044
    let mut members = group_of(3, Suite::Classical);
    let wish = members[0].ask_to_leave();
    let leave = members[1].hear_leave(&wish);
    let intent = CommitIntent { leave: vec![leave], ..CommitIntent::default() };
    let error = members[1].try_begin(intent, &[], None).map(|_| ()).unwrap_err();
    assert_eq!(error, GroupError::WouldBeRejected(Rejection::LastOwner));
    // nothing stuck: the next commit goes through
    let commit = members[1].begin(CommitIntent::default());
    let (entry, _) = members[1].confirm(commit);
    members[0].apply(&entry);
    members[2].apply(&entry);
    assert_agreement(&mut members);
}

#[test]
fn while_a_commit_of_a_leave_waits_messages_are_sealed() {
    // spec: GRP-034
    let mut members = group_of(3, Suite::Classical);
    let wish = members[2].ask_to_leave();
    let leave = members[1].hear_leave(&wish);
    members[0].hear_leave(&wish);
    let intent = CommitIntent { leave: vec![leave], ..CommitIntent::default() };
    let commit = members[1].begin(intent);
    let said = members[1].say("before it is through");
    assert_eq!(members[0].hear(&said).content.as_slice(), b"before it is through");
    let (entry, _) = members[1].confirm(commit);
    let applied = members[0].apply(&entry);
    assert_eq!(applied.removed.len(), 1);
    assert_agreement(&mut members[..2]);
}

#[test]
fn a_wish_is_good_in_its_epoch_only() {
    // spec: GRP-034
    let mut members = group_of(3, Suite::Classical);
    let wish = members[2].ask_to_leave();
    let leave = members[1].hear_leave(&wish);
    let commit = members[0].begin(CommitIntent::default());
    let (entry, _) = members[0].confirm(commit);
    members[1].apply(&entry);
    members[2].apply(&entry);
    let intent = CommitIntent { leave: vec![leave], ..CommitIntent::default() };
    let error = members[1].try_begin(intent, &[], None).map(|_| ()).unwrap_err();
    assert_eq!(error, GroupError::WouldBeRejected(Rejection::WrongEpoch));
}

#[test]
fn an_abandoned_commit_forgets_the_proposals() {
    let mut members = group_of(3, Suite::Classical);
    let wish = members[2].ask_to_leave();
    let leave = members[1].hear_leave(&wish);
    let _lost =
        members[1].begin(CommitIntent { leave: vec![leave.clone()], ..CommitIntent::default() });
    members[1].abandon();
    let said = members[1].say("go on");
    members[0].hear(&said);
    let again = members[1].begin(CommitIntent { leave: vec![leave], ..CommitIntent::default() });
    assert!(members[0].open(&again.entry).is_ok());
    let twice = members[2].open(&wish);
    assert!(matches!(twice, Err(OpenError::Rejected(_)) | Ok(_)));
}
