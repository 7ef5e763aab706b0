//! Who may do what: every rule refuses at the author, who judges as everybody does. That receivers
//! judge alike is shown in the crate's own tests, with commits that no client would make.

use hushwire_protocol::group::{
    Change, CommitIntent, DEVICES_MAX, GroupError, GroupKind, GroupState, LeafIndex, LeafSelector,
    Life, OpenError, PEOPLE_MAX, Rejection, Role, Roster, RuleVersion, judge,
};
use hushwire_protocol::identity::{
    DeviceCredential, DeviceId, DeviceKey, DeviceSerial, ManagerCounter, ManagerKey,
    ManagerStatement, RootKey,
};
use hushwire_protocol::provider::Suite;
use hushwire_wire::transcript::Cut;

use super::world::{Device, adding, admit, group_of};

const SUITE: Suite = Suite::Classical;
const FIRST: ManagerCounter = ManagerCounter(1);

fn refused(device: &mut Device, intent: CommitIntent) -> Rejection {
    match device.try_begin(intent, &[], None).map(|_| ()) {
        Err(GroupError::WouldBeRejected(rejection)) => rejection,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn changed(device: &mut Device, change: impl FnOnce(&mut GroupState)) -> CommitIntent {
    let mut state = device.group().state().clone();
    change(&mut state);
    CommitIntent { set_state: Some(state), ..CommitIntent::default() }
}

fn removing(selector: LeafSelector) -> CommitIntent {
    CommitIntent { remove: vec![selector], ..CommitIntent::default() }
}

#[test]
fn members_may_not_add_remove_or_describe() {
    // spec: GRP-011, GRP-031, GRP-040, GRP-041, GRP-042
    let mut members = group_of(3, SUITE);
    let package = Device::new(9, 1).key_package(SUITE);
    assert_eq!(refused(&mut members[1], adding(vec![package])), Rejection::NoRight);
    let other = LeafSelector::Identity(members[2].identity());
    assert_eq!(refused(&mut members[1], removing(other)), Rejection::NoRight);
    let intent = changed(&mut members[1], |state| "mine".clone_into(&mut state.name));
    assert_eq!(refused(&mut members[1], intent), Rejection::NoRight);
    let own = members[1].identity();
    let intent = changed(&mut members[1], |state| state.set_role(own, Role::Owner));
    assert_eq!(refused(&mut members[1], intent), Rejection::NoRight);
}

#[test]
fn admins_may_not_touch_owners() {
    // spec: GRP-041, GRP-042
    let mut members = group_of(3, SUITE);
    let admin = members[1].identity();
    let owner = members[0].identity();
    let intent = changed(&mut members[0], |state| state.set_role(admin, Role::Admin));
    let commit = members[0].begin(intent);
    super::world::spread(&mut members, 0, commit, &mut []);
    assert_eq!(
        refused(&mut members[1], removing(LeafSelector::Identity(owner))),
        Rejection::NoRight
    );
    let intent = changed(&mut members[1], |state| state.set_role(admin, Role::Owner));
    assert_eq!(refused(&mut members[1], intent), Rejection::NoRight);
    let other = LeafSelector::Identity(members[2].identity());
    assert!(members[1].try_begin(removing(other), &[], None).is_ok());
}

#[test]
fn roles_of_those_who_go_go_with_them() {
    // spec: GRP-043
    let mut members = group_of(3, SUITE);
    let admin = members[1].identity();
    let intent = changed(&mut members[0], |state| state.set_role(admin, Role::Admin));
    let commit = members[0].begin(intent);
    super::world::spread(&mut members, 0, commit, &mut []);
    let wish = members[1].ask_to_leave();
    let leave = members[2].hear_leave(&wish);
    // the third is a plain member: taking out a role that has nobody needs no right
    let commit = members[2].begin(CommitIntent { leave: vec![leave], ..CommitIntent::default() });
    let (entry, _) = members[2].confirm(commit);
    members[0].apply(&entry);
    assert_eq!(members[0].group().state().roles.len(), 1);
}

#[test]
fn the_last_owner_cannot_step_down() {
    // spec: GRP-044
    let mut members = group_of(2, SUITE);
    let owner = members[0].identity();
    let intent = changed(&mut members[0], |state| state.set_role(owner, Role::Member));
    assert_eq!(refused(&mut members[0], intent), Rejection::LastOwner);
    let heir = members[1].identity();
    let intent = changed(&mut members[0], |state| {
        state.set_role(heir, Role::Owner);
        state.set_role(owner, Role::Member);
    });
    assert!(members[0].try_begin(intent, &[], None).is_ok());
}

#[test]
fn kinds_keep_their_size() {
    // spec: GRP-012, GRP-013
    let mut members = vec![Device::new(1, 1)];
    members[0].create(SUITE, GroupKind::Direct);
    let mut friend = Device::new(2, 1);
    admit(&mut members, &mut friend, SUITE);
    members.push(friend);
    let package = Device::new(3, 1).key_package(SUITE);
    assert_eq!(refused(&mut members[1], adding(vec![package])), Rejection::TooManyIdentities);
    let second = Device::new(1, 2).key_package(SUITE);
    assert!(members[1].try_begin(adding(vec![second]), &[], None).is_ok());
    members[1].abandon();
    let intent = changed(&mut members[1], |state| state.kind = GroupKind::OwnDevices);
    assert_eq!(refused(&mut members[1], intent), Rejection::BadGroupState);

    let mut own = [Device::new(1, 1)];
    own[0].create(SUITE, GroupKind::OwnDevices);
    let package = Device::new(2, 1).key_package(SUITE);
    assert_eq!(refused(&mut own[0], adding(vec![package])), Rejection::TooManyIdentities);
}

#[test]
fn a_role_needs_somebody_who_holds_it() {
    // spec: GRP-013
    let mut members = group_of(2, SUITE);
    let stranger = Device::new(9, 1).identity();
    // begin_commit takes such roles out, as nobody holds them
    let intent = changed(&mut members[0], |state| state.set_role(stranger, Role::Admin));
    let commit = members[0].begin(intent);
    let (_, _) = members[0].confirm(commit);
    assert_eq!(members[0].group().state().roles.len(), 1);
}

#[test]
fn a_superseded_manager_adds_no_device() {
    // spec: GRP-022
    let mut members = group_of(2, SUITE);
    let (key, newer) = super::world::credential(2, 5, 1);
    assert_eq!(key.public(), members[1].key.public());
    members[1].credential = newer.clone();
    let intent = CommitIntent { credential: Some(newer), ..CommitIntent::default() };
    let commit = members[1].begin(intent);
    super::world::spread(&mut members, 1, commit, &mut []);
    let old = Device::new(2, 2).key_package(SUITE);
    assert_eq!(refused(&mut members[0], adding(vec![old])), Rejection::StaleManager);
}

#[test]
fn a_device_is_in_a_group_once() {
    // spec: GRP-021
    let mut members = group_of(2, SUITE);
    let package = members[1].key_package(SUITE);
    let result = members[0].try_begin(adding(vec![package]), &[], None).map(|_| ());
    // MLS refuses the same signature key twice, before our rule for devices with other keys
    assert_eq!(result, Err(GroupError::WouldBeRejected(Rejection::InvalidCommit)));
}

#[test]
fn callers_mistakes_are_named() {
    let mut members = group_of(2, SUITE);
    let own = LeafSelector::Identity(members[0].identity());
    let result = members[0].try_begin(removing(own), &[], None).map(|_| ());
    assert_eq!(result, Err(GroupError::CannotRemoveOwnLeaf));
    let stranger = LeafSelector::Identity(Device::new(9, 1).identity());
    let result = members[0].try_begin(removing(stranger), &[], None).map(|_| ());
    assert_eq!(result, Err(GroupError::UnknownMember));
    let (other, binding) = (Device::new(9, 1).key, members[0].binding());
    let result = members[0].transact(|group, provider, _, epoch, keys| {
        group.seal_message(provider, &other, epoch, keys, b"x", binding).map(|_| ())
    });
    assert_eq!(result, Err(GroupError::WrongDevice));
    // spec: GRP-100
    let newer = changed(&mut members[0], |state| state.rules = RuleVersion(2));
    assert_eq!(refused(&mut members[0], newer), Rejection::BadGroupState);
}

#[test]
fn a_group_that_is_dissolved_takes_and_gives_nothing() {
    // spec: GRP-080, GRP-081
    let mut members = group_of(3, SUITE);
    let dissolving = |device: &mut Device| changed(device, |state| state.life = Life::Dissolved);
    let intent = dissolving(&mut members[1]);
    assert_eq!(refused(&mut members[1], intent), Rejection::NoRight);
    let intent = dissolving(&mut members[0]);
    assert_eq!(members[0].group().check_intent(intent.clone()), Ok(()));
    let commit = members[0].begin(intent);
    super::world::spread(&mut members, 0, commit, &mut []);
    let rejected = GroupError::WouldBeRejected(Rejection::Dissolved);
    assert_eq!(members[0].group().check_intent(CommitIntent::default()), Err(rejected));
    assert_eq!(refused(&mut members[0], CommitIntent::default()), Rejection::Dissolved);
    // What was sealed all the same is not opened.
    let said = members[1].say("still here");
    let error = members[0].open(&said).map(|_| ()).unwrap_err();
    assert_eq!(error, OpenError::Rejected(Rejection::Dissolved));
}

#[test]
fn what_would_be_refused_is_known_before_it_is_made() {
    // spec: GRP-042
    let mut members = group_of(3, SUITE);
    let would = |device: &mut Device, intent: CommitIntent| device.group().check_intent(intent);
    let renamed = changed(&mut members[0], |state| "climbs".clone_into(&mut state.name));
    assert_eq!(would(&mut members[0], renamed.clone()), Ok(()));
    let no_right = Err(GroupError::WouldBeRejected(Rejection::NoRight));
    assert_eq!(would(&mut members[1], renamed), no_right);
    let owner = members[0].identity();
    let down = changed(&mut members[0], |state| state.set_role(owner, Role::Member));
    let last = Err(GroupError::WouldBeRejected(Rejection::LastOwner));
    assert_eq!(would(&mut members[0], down), last);
    let hidden = changed(&mut members[0], |state| "a\u{202e}".clone_into(&mut state.name));
    let bad = Err(GroupError::WouldBeRejected(Rejection::BadGroupState));
    assert_eq!(would(&mut members[0], hidden), bad);
    let other = LeafSelector::Identity(members[2].identity());
    assert_eq!(would(&mut members[0], removing(other)), Ok(()));
    assert_eq!(would(&mut members[1], removing(other)), no_right);
    // Nothing was begun.
    assert!(members[0].try_begin(CommitIntent::default(), &[], None).is_ok());
}

#[test]
fn a_group_has_a_bound_for_people_and_one_for_devices() {
    // spec: GRP-073
    let person = |number: usize| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let manager = ManagerKey::from_bytes(&seed);
        let statement = RootKey::from_bytes(&seed).state_manager(manager.public(), FIRST);
        (manager, statement)
    };
    let device = |(manager, statement): &(ManagerKey, ManagerStatement), number: usize| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let id = DeviceId::from_bytes(id);
        let key = DeviceKey::from_bytes(&[9; 32]).public();
        let certificate = manager.certify(statement, id, key, DeviceSerial(1));
        DeviceCredential::new(statement.clone(), certificate).unwrap()
    };
    let owner = person(0);
    let state = GroupState::new(GroupKind::Group, device(&owner, 0).identity());
    let others: Vec<_> = (1..=PEOPLE_MAX).map(|number| device(&person(number), 0)).collect();
    let judged = |people: usize, devices: usize, added: Vec<DeviceCredential>| {
        let own = (0..devices).map(|number| device(&owner, number));
        let leaves = own.chain(others[..people].iter().cloned());
        let before = Roster::new((0..).map(LeafIndex).zip(leaves), state.clone());
        let committer = LeafIndex(0);
        let (asked, removed, left, cut) = (vec![], vec![], vec![], Cut::Through);
        let state = state.clone();
        judge(&before, &Change { committer, added, asked, removed, left, state, cut })
    };
    let last = others[PEOPLE_MAX - 1].clone();
    assert_eq!(judged(PEOPLE_MAX - 2, 1, vec![last.clone()]), Ok(()));
    let full = judged(PEOPLE_MAX - 1, 1, vec![last.clone()]);
    assert_eq!(full, Err(Rejection::TooManyIdentities));
    let second = device(&owner, 999_999);
    assert_eq!(judged(PEOPLE_MAX - 1, 1, vec![second.clone()]), Ok(()));
    let room = DEVICES_MAX - 1_000;
    assert_eq!(judged(999, room, vec![second.clone()]), Ok(()));
    assert_eq!(judged(1_000, room, vec![second]), Err(Rejection::TooManyDevices));
    assert_eq!(judged(1_000, room, vec![last]), Err(Rejection::TooManyDevices));
}
