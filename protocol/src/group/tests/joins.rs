//! Groups that no client of ours would bring anybody into, judged by who joins.

use super::*;

/// What a newcomer says to the owner's group, into which it was added beside these others.
fn verdict(owner: &mut Device, others: Vec<KeyPackage>) -> Result<(), OpenError> {
    let mut newcomer = Device::new(8);
    let package = newcomer.key_package(unlimited(), capabilities());
    let packages = [vec![package], others].concat();
    let provider = Provider::new(&owner.store, &mut owner.rng);
    let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let signer = LeafSigner(&owner.key);
    let (_, welcome, _) = group.mls.add_members(&provider.0, &signer, &packages).unwrap();
    group.mls.merge_pending_commit(&provider.0).unwrap();
    let parts = welcome::split(&welcome.tls_serialize_detached().unwrap()).unwrap();
    let snapshot = group.snapshot(parts.group_info).unwrap();
    let provider = Provider::new(&newcomer.store, &mut newcomer.rng);
    let own = parts.joiners.iter().find_map(|one| {
        let welcomed = Welcomed { suite: SUITE, secrets: &one.secrets, snapshot: &snapshot };
        let joined = Group::join(&provider, &newcomer.key, &CHANNEL, welcomed).map(|_| ());
        (joined != Err(GroupError::UnknownKeyPackage.into())).then_some(joined)
    });
    own.unwrap()
}

#[test]
fn who_is_added_beside_others_joins() {
    assert_eq!(verdict(&mut World::new().owner, vec![second_device(1), second_device(7)]), Ok(()));
}

#[test]
fn who_joins_verifies_every_leaf_that_is_there() {
    // spec: GRP-020, GRP-023, GRP-071
    let limited = Lifetime::init(0, u64::MAX - 1);
    let other = device_with(1, ManagerCounter(1), 1 ^ 0x55).key_package(limited, capabilities());
    let found = verdict(&mut World::new().owner, vec![other]);
    assert_eq!(found, Err(Rejection::LifetimeNotUnlimited.into()));
}

#[test]
fn what_a_joiner_is_told_of_the_group_has_no_extensions() {
    // spec: GRP-071
    let mut owner = World::new().owner;
    let provider = Provider::new(&owner.store, &mut owner.rng);
    let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let config = MlsGroupJoinConfig::builder().use_ratchet_tree_extension(true).build();
    group.mls.set_configuration(provider.0.storage(), &config).unwrap();
    assert_eq!(verdict(&mut owner, vec![]), Err(Rejection::WrongEpoch.into()));
}

#[test]
fn who_joins_meets_every_device_once() {
    // spec: GRP-021, GRP-071: another key for the owner's own device
    let manager = ManagerKey::from_bytes(&[1 ^ 0x55; 32]);
    let statement =
        RootKey::from_bytes(&[1; 32]).state_manager(manager.public(), ManagerCounter(1));
    let key = DeviceKey::from_bytes(&[99; 32]);
    let id = DeviceId::from_bytes([1; 16]);
    let certificate = manager.certify(&statement, id, key.public(), DeviceSerial(2));
    let credential = DeviceCredential::new(statement, certificate).unwrap();
    let mut again = Device { key, credential, ..Device::new(1) };
    let package = again.key_package(unlimited(), capabilities());
    let found = verdict(&mut World::new().owner, vec![package]);
    assert_eq!(found, Err(Rejection::DuplicateDevice.into()));
}

#[test]
fn nobody_joins_a_group_that_is_over() {
    // spec: GRP-071, GRP-081
    let World { mut owner, keys, .. } = World::new();
    let provider = Provider::new(&owner.store, &mut owner.rng);
    let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let over = GroupState { life: Life::Dissolved, ..group.state().clone() };
    let intent = CommitIntent { set_state: Some(over), ..CommitIntent::default() };
    let basis = CommitBasis::first(READ);
    group.begin_commit(&provider, &owner.key, &EPOCH, &keys, intent, basis).unwrap();
    group.confirm_commit(&provider).unwrap();
    assert_eq!(verdict(&mut owner, vec![]), Err(Rejection::Dissolved.into()));
}

#[test]
fn nobody_joins_two_who_are_among_themselves() {
    // spec: GRP-013, GRP-071
    let mut owner = Device::new(1);
    let provider = Provider::new(&owner.store, &mut owner.rng);
    let state = GroupState::new(GroupKind::Direct, owner.credential.identity());
    Group::create(&provider, &owner.key, &owner.credential, &CHANNEL, SUITE, state).unwrap();
    let found = verdict(&mut owner, vec![second_device(2)]);
    assert_eq!(found, Err(Rejection::TooManyIdentities.into()));
}
