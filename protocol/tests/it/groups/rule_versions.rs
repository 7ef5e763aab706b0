//! Programs of two ages in one group: who knows the newer rules judges by them, who does not gives no
//! verdict and has changed nothing.

use hushwire_protocol::group::{
    CommitIntent, GroupError, GroupKind, GroupState, LeafSelector, OpenError, Rejection, Role,
    RuleVersion,
};
use hushwire_protocol::provider::Suite;

use super::world::{Device, OwnCommit, adding, assert_agreement, group_of};

const SUITE: Suite = Suite::Classical;
const NEWER: RuleVersion = RuleVersion(2);

/// Four members of whom the last has an old program; the first owns the group, the second with it.
fn members() -> Vec<Device> {
    let mut members = group_of(4, SUITE);
    let second = members[1].identity();
    let mut state = members[0].group().state().clone();
    state.set_role(second, Role::Owner);
    let commit = members[0].begin(CommitIntent { set_state: Some(state), ..Default::default() });
    super::world::spread(&mut members, 0, commit, &mut []);
    for member in &mut members[..3] {
        member.rules = NEWER;
    }
    members
}

fn raising(device: &mut Device, change: impl FnOnce(&mut GroupState)) -> CommitIntent {
    let mut state = device.group().state().clone();
    state.rules = NEWER;
    change(&mut state);
    CommitIntent { set_state: Some(state), ..CommitIntent::default() }
}

fn raise(device: &mut Device) -> OwnCommit {
    let intent = raising(device, |_| ());
    device.begin(intent)
}

#[test]
fn who_does_not_know_the_rules_gives_no_verdict_and_goes_on_once_it_does() {
    // spec: GRP-012, GRP-101, GRP-102, GRP-103
    let mut members = members();
    let commit = raise(&mut members[0]);
    let (entry, _) = members[0].confirm(commit);
    for member in &mut members[1..3] {
        member.apply(&entry);
    }
    for _ in 0..2 {
        let opened = members[3].open(&entry).map(|_| ());
        assert_eq!(opened, Err(OpenError::NewerRules(NEWER)));
    }
    // Also what is behind it says nothing to it; the others go on.
    let commit = members[1].begin(CommitIntent::default());
    let (next, _) = members[1].confirm(commit);
    for index in [0, 2] {
        members[index].apply(&next);
    }
    members[3].rules = NEWER;
    members[3].apply(&entry);
    assert_eq!(members[3].group().state().rules, NEWER);
    members[3].apply(&next);
    assert_agreement(&mut members);
    let said = members[3].say("here again");
    members[0].hear(&said);
}

#[test]
fn what_an_old_program_can_know_of_a_raise_it_judges() {
    // spec: GRP-101, GRP-102, GRP-031
    let mut members = members();
    let verdict = |members: &mut Vec<Device>, author: usize, intent| {
        members[author].try_begin(intent, &[], None).map(|_| ())
    };
    let refused = |rejection| Err(GroupError::WouldBeRejected(rejection));
    // Only an owner, and nothing else with it.
    let intent = raising(&mut members[2], |_| ());
    assert_eq!(verdict(&mut members, 2, intent), refused(Rejection::NoRight));
    let intent = raising(&mut members[0], |state| "new".clone_into(&mut state.name));
    assert_eq!(verdict(&mut members, 0, intent), refused(Rejection::BadGroupState));
    let whom = LeafSelector::Identity(members[3].identity());
    let intent = CommitIntent { remove: vec![whom], ..raising(&mut members[0], |_| ()) };
    assert_eq!(verdict(&mut members, 0, intent), refused(Rejection::BadGroupState));
    let package = Device::new(9, 1).key_package(SUITE);
    let intent = CommitIntent {
        set_state: raising(&mut members[0], |_| ()).set_state,
        ..adding(vec![package])
    };
    assert_eq!(verdict(&mut members, 0, intent), refused(Rejection::BadGroupState));
    // A program makes no group by rules that it does not know.
    let intent = raising(&mut members[3], |_| ());
    assert_eq!(verdict(&mut members, 3, intent), refused(Rejection::BadGroupState));
}

#[test]
fn rules_never_fall() {
    // spec: GRP-012
    let mut members = members();
    let commit = raise(&mut members[0]);
    let (entry, _) = members[0].confirm(commit);
    members[1].apply(&entry);
    let mut state = members[1].group().state().clone();
    state.rules = RuleVersion::V1;
    let intent = CommitIntent { set_state: Some(state), ..CommitIntent::default() };
    let refused = members[1].try_begin(intent, &[], None).map(|_| ());
    assert_eq!(refused, Err(GroupError::WouldBeRejected(Rejection::BadGroupState)));
}

#[test]
fn an_invitation_to_newer_rules_waits_with_its_key_package() {
    // spec: GRP-104
    let mut owner = Device::new(1, 1);
    owner.rules = NEWER;
    owner.create(SUITE, GroupKind::Group);
    let commit = raise(&mut owner);
    owner.confirm(commit);
    let mut newcomer = Device::new(2, 1);
    let commit = owner.begin(adding(vec![newcomer.key_package(SUITE)]));
    let (entry, welcomes) = owner.confirm(commit);
    let welcomed = welcomes.each().next().unwrap();
    for _ in 0..2 {
        assert_eq!(newcomer.try_join(welcomed), Err(OpenError::NewerRules(NEWER)));
    }
    newcomer.rules = NEWER;
    newcomer.try_join(welcomed).unwrap();
    newcomer.epoch = entry.opens();
    assert_agreement(&mut [owner, newcomer]);
}

#[test]
fn an_older_program_on_the_store_of_a_newer_one_judges_nothing() {
    // spec: GRP-102
    let mut members = members();
    let commit = raise(&mut members[0]);
    let (entry, _) = members[0].confirm(commit);
    members[1].apply(&entry);
    let said = members[0].say("newer");
    members[1].rules = RuleVersion::V1;
    assert_eq!(members[1].open(&said).map(|_| ()), Err(OpenError::NewerRules(NEWER)));
    assert!(members[1].try_begin(CommitIntent::default(), &[], None).is_err());
}
