//! What a group does all day.

use hushwire_protocol::group::{
    CommitIntent, Cover, GroupError, LeafMark, LeafSelector, Membership, OpenError, Opened,
    Outcome, Rejection, Role,
};
use hushwire_protocol::provider::Suite;
use hushwire_protocol::storage::group_prefix;
use hushwire_wire::transcript::{Cut, Operation};

use super::world::{CHANNEL, Device, adding, admit, assert_agreement, group_of, spread};

#[test]
fn ten_people_talk_in_both_suites() {
    // spec: GRP-001, GRP-050, GRP-070, GRP-071
    for suite in Suite::ALL {
        let mut members = group_of(10, suite);
        assert_agreement(&mut members);
        for speaker in [0, 4, 9] {
            let entry = members[speaker].say("hello");
            for (index, member) in members.iter_mut().enumerate().filter(|(i, _)| *i != speaker) {
                let heard = member.hear(&entry);
                assert_eq!(&heard.content[..], b"hello", "{index}");
                assert_eq!(heard.sender.credential.identity(), heard.sender.identity());
            }
        }
        assert_eq!(members[3].group().suite().unwrap(), suite);
    }
}

#[test]
fn every_member_commits_in_turn() {
    // spec: GRP-038
    for suite in Suite::ALL {
        let mut members = group_of(5, suite);
        for author in 0..5 {
            let commit = members[author].begin(CommitIntent::default());
            spread(&mut members, author, commit, &mut []);
            assert_agreement(&mut members);
        }
        assert_eq!(members[0].group().epoch_number(), 6);
    }
}

#[test]
fn every_epoch_has_its_authenticator() {
    // spec: GRP-054
    let mut members = group_of(2, Suite::Classical);
    let before = members[0].group().epoch_authenticator();
    let commit = members[1].begin(CommitIntent::default());
    spread(&mut members, 1, commit, &mut []);
    let after = members[0].group().epoch_authenticator();
    assert_eq!((before.len(), after.len()), (32, 32));
    assert_ne!(before, after);
}

#[test]
fn a_removed_member_is_shut_out() {
    // spec: GRP-033
    let mut members = group_of(4, Suite::Hybrid);
    let target = members[3].identity();
    let intent =
        CommitIntent { remove: vec![LeafSelector::Identity(target)], ..CommitIntent::default() };
    let commit = members[0].begin(intent);
    assert!(matches!(&commit.entry.operation, Operation::Commit(mark) if mark.cut == Cut::Cut));
    let (entry, _) = members[0].confirm(commit);
    let mut removed = members.pop().unwrap();
    let old_keys = removed.keys.take();
    removed.keys = old_keys;
    let applied = removed.try_apply(&entry).unwrap();
    assert!(matches!(applied.outcome, Outcome::Removed));
    assert_eq!(removed.group().membership(), Membership::Removed);
    for member in &mut members[1..] {
        let applied = member.apply(&entry);
        assert_eq!(applied.removed.len(), 1);
        assert_eq!(applied.removed[0].identity(), target);
    }
    assert_agreement(&mut members);
    let secret = members[1].say("without you");
    let error = removed.open(&secret).unwrap_err();
    assert_eq!(error, OpenError::Failed(GroupError::NotAMember));
    let binding = removed.binding();
    let error = removed
        .transact(|group, provider, key, epoch, keys| {
            group.seal_message(provider, key, epoch, keys, b"x", binding)
        })
        .unwrap_err();
    assert_eq!(error, GroupError::NotAMember);
    removed.transact(|group, provider, _, _, _| group.delete(provider)).unwrap();
    assert_eq!(removed.store.count(&group_prefix(&CHANNEL)), 0);
}

#[test]
fn the_old_envelope_key_opens_nothing_of_the_next_epoch() {
    // spec: ENV-002, ENV-003
    let mut members = group_of(3, Suite::Classical);
    let mut late = members.pop().unwrap();
    let commit = members[0].begin(CommitIntent::default());
    spread(&mut members, 0, commit, &mut []);
    let entry = members[1].say("later");
    let error = late.open(&entry).unwrap_err();
    assert_eq!(error, OpenError::Rejected(Rejection::Undecryptable));
}

#[test]
fn state_and_roles_change_together() {
    // spec: GRP-011, GRP-042
    let mut members = group_of(3, Suite::Classical);
    let promoted = members[1].identity();
    let mut state = members[0].group().state().clone();
    "climbers".clone_into(&mut state.name);
    state.set_role(promoted, Role::Admin);
    let before = members[0].group().state().clone();
    let intent = CommitIntent { set_state: Some(state.clone()), ..CommitIntent::default() };
    let commit = members[0].begin(intent);
    let (entry, _) = members[0].confirm(commit);
    for member in &mut members[1..] {
        let applied = member.apply(&entry);
        assert_eq!(applied.state_before, Some(before.clone()));
    }
    assert_agreement(&mut members);
    assert_eq!(*members[2].group().state(), state);
    let role = |device: &mut Device| device.group().members().unwrap()[1].role;
    assert_eq!(role(&mut members[2]), Role::Admin);
}

#[test]
fn a_second_device_comes_without_a_right() {
    // spec: GRP-040, GRP-022
    let mut members = group_of(3, Suite::Classical);
    let mut second = Device::new(3, 2);
    let package = second.key_package(Suite::Classical);
    let commit = members[1].begin(adding(vec![package]));
    spread(&mut members, 1, commit, &mut [&mut second]);
    members.push(second);
    assert_agreement(&mut members);
    let removed = members[3].credential.clone();
    let selector = LeafSelector::Device(removed.identity(), removed.device());
    let commit =
        members[2].begin(CommitIntent { remove: vec![selector], ..CommitIntent::default() });
    members.pop();
    spread(&mut members, 2, commit, &mut []);
    assert_agreement(&mut members);
}

#[test]
fn a_device_has_another_mark_after_each_of_its_commits() {
    let mut members = group_of(2, Suite::Classical);
    let mut second = Device::new(2, 2);
    admit(&mut members, &mut second, Suite::Classical);
    members.push(second);
    let devices: Vec<_> = [0, 1, 2]
        .map(|index| (members[index].identity(), members[index].credential.device()))
        .to_vec();
    let marks = |device: &mut Device| -> Vec<LeafMark> {
        let group = device.group();
        let mark =
            |(identity, device): &(_, _)| group.leaf_mark(identity, device).unwrap().unwrap();
        devices.iter().map(mark).collect()
    };
    let before = marks(&mut members[0]);
    assert_ne!(before[1], before[2], "two devices of one person");
    assert_ne!(before[0].as_bytes(), before[1].as_bytes());
    let commit = members[1].begin(CommitIntent::default());
    spread(&mut members, 1, commit, &mut []);
    for member in &mut members {
        let after = marks(member);
        assert_eq!((after[0], after[2]), (before[0], before[2]));
        assert_ne!(after[1], before[1]);
    }
    let stranger = Device::new(9, 1);
    let mark = members[0].group().leaf_mark(&stranger.identity(), &stranger.credential.device());
    assert_eq!(mark, Ok(None));
}

#[test]
fn a_commit_may_be_cut_as_cover() {
    // spec: GRP-033
    let mut members = group_of(2, Suite::Classical);
    let intent = CommitIntent { cover: Cover::Always, ..CommitIntent::default() };
    let commit = members[1].begin(intent);
    assert!(matches!(&commit.entry.operation, Operation::Commit(mark) if mark.cut == Cut::Cut));
    spread(&mut members, 1, commit, &mut []);
    assert_agreement(&mut members);
}

#[test]
fn messages_within_the_window_open_in_any_order() {
    // spec: GRP-052
    let mut members = group_of(2, Suite::Classical);
    let entries: Vec<_> = (0..20).map(|number| members[0].say(&number.to_string())).collect();
    for (number, entry) in entries.iter().enumerate().rev() {
        let heard = members[1].hear(entry);
        assert_eq!(heard.content[..], *number.to_string().as_bytes());
    }
    let error = members[1].open(&entries[3]).unwrap_err();
    assert_eq!(error, OpenError::Rejected(Rejection::KeyUnavailable));
}

#[test]
fn as_many_messages_as_may_be_missing_keep_nobody_from_the_next() {
    // spec: GRP-052
    const FORWARD_DISTANCE_MAX: u32 = 10_000;
    let mut members = group_of(2, Suite::Classical);
    let [mut last, mut beyond] = [None, None];
    for number in 0..=FORWARD_DISTANCE_MAX + 1 {
        last = beyond.replace(members[0].say(&number.to_string()));
    }
    let (last, beyond) = (last.unwrap(), beyond.unwrap());
    let error = members[1].open(&beyond).unwrap_err();
    assert_eq!(error, OpenError::Rejected(Rejection::KeyUnavailable));
    let number = FORWARD_DISTANCE_MAX.to_string();
    assert_eq!(members[1].hear(&last).content[..], *number.as_bytes());
    // Seen from there it is the next one.
    let number = (FORWARD_DISTANCE_MAX + 1).to_string();
    assert_eq!(members[1].hear(&beyond).content[..], *number.as_bytes());
}

#[test]
fn what_was_not_stored_did_not_happen() {
    // spec: GRP-036
    let suite = Suite::Classical;
    let mut members = group_of(3, suite);
    let mut newcomer = Device::new(9, 1);

    // the author dies after it made a commit and before it stored it
    let snapshot = members[0].store.snapshot();
    let lost = members[0].begin(adding(vec![newcomer.key_package(suite)]));
    members[0].store.roll_back(snapshot);
    assert!(members[0].transact(|g, p, _, _, _| g.confirm_commit(p)).is_err());
    drop(lost);

    // a receiver dies after it applied a commit and before it stored that
    let commit = members[0].begin(CommitIntent::default());
    let entry = commit.entry.clone();
    let snapshot = members[1].store.snapshot();
    members[1].try_apply(&entry).unwrap();
    members[1].store.roll_back(snapshot);
    spread(&mut members, 0, commit, &mut []);
    assert_agreement(&mut members);

    // a message was opened, and not stored
    let said = members[2].say("again");
    let snapshot = members[1].store.snapshot();
    members[1].hear(&said);
    members[1].store.roll_back(snapshot);
    members[1].hear(&said);

    admit(&mut members, &mut newcomer, suite);
    members.push(newcomer);
    assert_agreement(&mut members);
    assert!(matches!(members[3].open(&said), Err(OpenError::Rejected(_))));
    let said = members[3].say("new here");
    assert!(matches!(members[0].open(&said), Ok(Opened::Message(_))));
}
