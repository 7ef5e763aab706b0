//! Joining: what a Welcome has to be.

use hushwire_protocol::group::{
    CommitIntent, Group, GroupError, KeyPackageUse, LeafSelector, OpenError, Outcome,
    OwnKeyPackage, Rejection, UnverifiedKeyPackage, VerifiedKeyPackage,
};
use hushwire_protocol::provider::{Provider, Suite};
use hushwire_wire::id::ChannelId;

use super::world::{CHANNEL, Device, adding, admit, assert_agreement, group_of, spread};

#[test]
fn each_joiner_gets_its_own_secrets_only() {
    // spec: GRP-070
    let suite = Suite::Hybrid;
    let mut members = group_of(2, suite);
    let mut newcomers = [Device::new(7, 1), Device::new(8, 1), Device::new(9, 1)];
    let packages: Vec<_> = newcomers.iter_mut().map(|device| device.key_package(suite)).collect();
    let references: Vec<_> = packages.iter().map(|package| package.reference()).collect();
    let commit = members[0].begin(adding(packages));
    let (entry, welcomes) = members[0].confirm(commit);
    members[1].apply(&entry);
    let tree = members[0].group().tree_bytes().unwrap();
    for welcome in &welcomes {
        let contains = |reference: &[u8]| welcome.welcome.windows(32).any(|part| part == reference);
        let named = references.iter().filter(|reference| contains(reference.as_bytes())).count();
        assert_eq!(named, 1, "a joiner learns no other joiner's reference");
        let own = references.iter().position(|reference| *reference == welcome.joiner).unwrap();
        for (index, newcomer) in newcomers.iter_mut().enumerate().filter(|(i, _)| *i != own) {
            let error = newcomer.try_join(&welcome.welcome, &tree).unwrap_err();
            assert_eq!(error, OpenError::Failed(GroupError::UnknownKeyPackage), "{index}");
        }
    }
    for (newcomer, reference) in newcomers.iter_mut().zip(&references) {
        let welcome = welcomes.iter().find(|welcome| welcome.joiner == *reference).unwrap();
        newcomer.try_join(&welcome.welcome, &tree).unwrap();
        newcomer.epoch = entry.opens();
    }
    members.extend(newcomers);
    assert_agreement(&mut members);
}

#[test]
fn a_failed_join_keeps_the_key_package() {
    // spec: GRP-071
    let suite = Suite::Classical;
    let mut members = group_of(2, suite);
    let mut newcomer = Device::new(7, 1);
    let commit = members[0].begin(adding(vec![newcomer.key_package(suite)]));
    let old_tree = members[0].group().tree_bytes().unwrap();
    let (entry, welcomes) = members[0].confirm(commit);
    let tree = members[0].group().tree_bytes().unwrap();
    let welcome = &welcomes[0].welcome;
    assert!(newcomer.try_join(welcome, &old_tree).is_err(), "another tree");
    assert!(newcomer.try_join(&welcome[..welcome.len() - 1], &tree).is_err(), "truncated");
    assert!(newcomer.try_join(welcome, &tree[1..]).is_err(), "no tree");
    let provider = Provider::new(&newcomer.store, &mut newcomer.rng);
    let other = ChannelId::from_bytes([1; 32]);
    let snapshot = newcomer.store.snapshot();
    let error = Group::join(&provider, &newcomer.key, &other, welcome, &tree).unwrap_err();
    assert_eq!(error, OpenError::Rejected(Rejection::WrongEpoch), "another channel");
    newcomer.store.roll_back(snapshot);
    newcomer.try_join(welcome, &tree).unwrap();
    newcomer.epoch = entry.opens();
    let error = newcomer.try_join(welcome, &tree).unwrap_err();
    assert_eq!(error, OpenError::Failed(GroupError::UnknownKeyPackage), "used once");
}

#[test]
fn a_device_that_lost_its_state_is_added_again() {
    // spec: GRP-041, GRP-071, GRP-090
    let suite = Suite::Hybrid;
    let mut members = group_of(3, suite);
    let mut lost = members.pop().unwrap();
    let package = lost.key_package_for(suite, KeyPackageUse::Rejoin(CHANNEL));
    assert_eq!(package.rejoins(), Some(CHANNEL));
    // the second member has no right to remove anybody; adding again who asks needs none
    let commit = members[1].begin(readmitting(&lost, package));
    assert!(matches!(lost.apply(&commit.entry).outcome, Outcome::Readmitted));
    spread(&mut members, 1, commit, &mut [&mut lost]);
    members.push(lost);
    assert_agreement(&mut members);
    let said = members[2].say("back");
    members[0].hear(&said);
}

/// Removes a device and adds it again by this package.
fn readmitting(device: &Device, package: VerifiedKeyPackage) -> CommitIntent {
    let selector = LeafSelector::Device(device.identity(), device.credential.device());
    CommitIntent { remove: vec![selector], ..adding(vec![package]) }
}

#[test]
fn nobody_adds_a_device_again_that_did_not_ask_for_it_in_this_group() {
    // spec: GRP-041, GRP-090
    let suite = Suite::Hybrid;
    let mut members = group_of(3, suite);
    let other = ChannelId::from_bytes([99; 32]);
    for usage in [KeyPackageUse::Once, KeyPackageUse::LastResort, KeyPackageUse::Rejoin(other)] {
        let package = members[2].key_package_for(suite, usage);
        let intent = readmitting(&members[2], package.clone());
        let refused = members[1].try_begin(intent.clone(), &[], None);
        let no_right = GroupError::WouldBeRejected(Rejection::NoRight);
        assert_eq!(refused.map(|_| ()), Err(no_right), "{usage:?}");
        // Who may remove may.
        assert!(members[0].try_begin(intent, &[], None).is_ok(), "{usage:?}");
        members[0].abandon();
    }
}

#[test]
fn a_last_resort_package_serves_twice_and_is_forgotten() {
    // spec: GRP-023
    let suite = Suite::Classical;
    let mut members = group_of(1, suite);
    let mut newcomer = Device::new(7, 1);
    let package = newcomer.key_package_for(suite, KeyPackageUse::LastResort);
    for _ in 0..2 {
        let mut intent = adding(vec![package.clone()]);
        if members[0].group().members().unwrap().len() == 2 {
            let selector = LeafSelector::Identity(newcomer.identity());
            intent.remove = vec![selector];
        }
        let commit = members[0].begin(intent);
        spread(&mut members, 0, commit, &mut [&mut newcomer]);
    }
    let provider = Provider::new(&newcomer.store, &mut newcomer.rng);
    OwnKeyPackage::forget(&provider, &package.reference()).unwrap();
    let selector = LeafSelector::Identity(newcomer.identity());
    let commit = members[0].begin(CommitIntent {
        add: vec![package],
        remove: vec![selector],
        ..CommitIntent::default()
    });
    let (_, welcomes) = members[0].confirm(commit);
    let tree = members[0].group().tree_bytes().unwrap();
    let error = newcomer.try_join(&welcomes[0].welcome, &tree).unwrap_err();
    assert_eq!(error, OpenError::Failed(GroupError::UnknownKeyPackage));
}

#[test]
fn packages_of_another_suite_or_key_are_refused() {
    // spec: GRP-001, GRP-020
    let mut device = Device::new(7, 1);
    let provider = Provider::new(&device.store, &mut device.rng);
    let generate = |key, credential, suite| {
        OwnKeyPackage::generate(&provider, key, credential, suite, KeyPackageUse::Once)
    };
    let own = generate(&device.key, &device.credential, Suite::Hybrid).unwrap();
    let parsed = UnverifiedKeyPackage::parse(&own.bytes).unwrap();
    let error = parsed.verify(Suite::Classical).map(|_| ()).unwrap_err();
    assert_eq!(error, Rejection::BadLeaf);
    let stranger = Device::new(8, 1);
    let error = generate(&stranger.key, &device.credential, Suite::Hybrid).unwrap_err();
    assert_eq!(error, GroupError::WrongDevice);
    for index in 0..own.bytes.len() {
        let mut changed = own.bytes.clone();
        changed[index] ^= 1;
        let verified =
            UnverifiedKeyPackage::parse(&changed).and_then(|package| package.verify(Suite::Hybrid));
        assert!(verified.is_err(), "byte {index}");
    }
}

#[test]
fn a_late_joiner_meets_everybody() {
    let suite = Suite::Classical;
    let mut members = group_of(2, suite);
    for root in 20..25 {
        let mut newcomer = Device::new(root, 1);
        admit(&mut members, &mut newcomer, suite);
        members.push(newcomer);
        assert_agreement(&mut members);
    }
}
