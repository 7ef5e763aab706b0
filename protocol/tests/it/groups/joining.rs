//! Joining: what a Welcome has to be.

use hushwire_protocol::attachment::{open_blob, seal_blob};
use hushwire_protocol::group::{
    CommitIntent, GroupError, GroupKind, GroupSnapshot, KeyPackageUse, LeafSelector, OpenError,
    Outcome, OwnKeyPackage, Rejection, UnverifiedKeyPackage, VerifiedKeyPackage, Welcomed,
    joiner_of,
};
use hushwire_protocol::provider::{Provider, Suite};
use hushwire_wire::id::ChannelId;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::world::{CHANNEL, Device, adding, admit, assert_agreement, group_of, spread};

#[test]
fn each_joiner_gets_its_own_secrets_only() {
    // spec: GRP-070, GRP-072
    let suite = Suite::Hybrid;
    let mut members = group_of(2, suite);
    let mut newcomers = [Device::new(7, 1), Device::new(8, 1), Device::new(9, 1)];
    let packages: Vec<_> = newcomers.iter_mut().map(|device| device.key_package(suite)).collect();
    let references: Vec<_> = packages.iter().map(|package| package.reference()).collect();
    let commit = members[0].begin(adding(packages));
    let (entry, welcomes) = members[0].confirm(commit);
    members[1].apply(&entry);
    let names = |bytes: &[u8]| {
        let contains = |reference: &[u8]| bytes.windows(32).any(|part| part == reference);
        references.iter().filter(|reference| contains(reference.as_bytes())).count()
    };
    assert_eq!(names(&welcomes.snapshot.to_bytes()), 0, "what all get names no package");
    for (joiner, welcomed) in welcomes.joiners.iter().zip(welcomes.each()) {
        assert_eq!(names(welcomed.secrets), 1, "a joiner learns no other joiner's reference");
        assert_eq!(joiner_of(welcomed.secrets), Ok(joiner.joiner));
        let own = references.iter().position(|reference| *reference == joiner.joiner).unwrap();
        for (index, newcomer) in newcomers.iter_mut().enumerate().filter(|(i, _)| *i != own) {
            let error = newcomer.try_join(welcomed).unwrap_err();
            assert_eq!(error, OpenError::Failed(GroupError::UnknownKeyPackage), "{index}");
        }
    }
    for (newcomer, reference) in newcomers.iter_mut().zip(&references) {
        let place = welcomes.joiners.iter().position(|one| one.joiner == *reference).unwrap();
        newcomer.try_join(welcomes.each().nth(place).unwrap()).unwrap();
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
    let old = members[0].group().snapshot(Vec::new()).unwrap();
    let (entry, welcomes) = members[0].confirm(commit);
    let good = welcomes.each().next().unwrap();
    let whole = good.snapshot.clone();
    let mut refused = |group_info: &[u8], tree: &[u8], why: &str| {
        let (group_info, tree) = (group_info.to_vec(), tree.to_vec());
        let snapshot = GroupSnapshot { group_info, tree };
        assert!(newcomer.try_join(Welcomed { snapshot: &snapshot, ..good }).is_err(), "{why}");
    };
    refused(&whole.group_info, &old.tree, "another tree");
    refused(&whole.group_info, &whole.tree[1..], "no tree");
    refused(&whole.group_info[1..], &whole.tree, "another group info");
    refused(&[], &whole.tree, "no group info");
    let secrets = &good.secrets[..good.secrets.len() - 1];
    assert!(newcomer.try_join(Welcomed { secrets, ..good }).is_err(), "truncated");
    let other = Welcomed { suite: Suite::Hybrid, ..good };
    assert!(newcomer.try_join(other).is_err(), "another suite");
    let other = ChannelId::from_bytes([1; 32]);
    let error = newcomer.try_join_at(&other, good).unwrap_err();
    assert_eq!(error, OpenError::Rejected(Rejection::WrongEpoch), "another channel");
    newcomer.try_join(good).unwrap();
    newcomer.epoch = entry.opens();
    let error = newcomer.try_join(good).unwrap_err();
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
    let intent = readmitting(&lost, package);
    assert_eq!(members[1].group().check_intent(intent.clone()), Ok(()));
    let commit = members[1].begin(intent);
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
        let known = members[1].group().check_intent(intent.clone());
        assert_eq!(known, Err(no_right), "{usage:?}");
        // Who may remove may.
        assert!(members[0].try_begin(intent, &[], None).is_ok(), "{usage:?}");
        members[0].abandon();
    }
}

#[test]
fn who_goes_while_another_device_of_theirs_comes_is_removed() {
    // spec: GRP-090
    let suite = Suite::Classical;
    let mut members = group_of(3, suite);
    let mut second = Device::new(3, 2);
    let package = second.key_package(suite);
    let intent = readmitting(&members[2], package);
    let commit = members[0].begin(intent);
    assert!(matches!(members[2].apply(&commit.entry).outcome, Outcome::Removed));
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
    let error = newcomer.try_join(welcomes.each().next().unwrap()).unwrap_err();
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

#[test]
fn a_group_that_goes_into_no_invitation_is_joined_by_one_blob() {
    // spec: GRP-072, ATT-015
    let suite = Suite::Hybrid;
    let mut members = vec![Device::new(1, 1)];
    members[0].create(suite, GroupKind::Group);
    let devices = (1..=15).flat_map(|root| (1..=10).map(move |device| (root, device)));
    let mut newcomers: Vec<_> =
        devices.skip(1).map(|(root, device)| Device::new(root, device)).collect();
    let packages = newcomers.iter_mut().map(|device| device.key_package(suite)).collect();
    let commit = members[0].begin(adding(packages));
    let (entry, welcomes) = members[0].confirm(commit);
    let bytes = welcomes.snapshot.to_bytes();
    assert!(bytes.len() > 229_376, "{}", bytes.len());
    let largest = welcomes.each().map(|welcomed| welcomed.secrets.len()).max().unwrap();
    assert!(largest < 2_000, "{largest}");
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let sealed = seal_blob(&mut rng, &bytes).unwrap();
    let opened = open_blob(&sealed.seal, &sealed.bytes).unwrap();
    let snapshot = GroupSnapshot::decode(&opened).unwrap();
    for place in [0, 77, 148] {
        let mut newcomer = newcomers.remove(place + 1 - members.len());
        let reached = welcomes
            .each()
            .any(|one| newcomer.try_join(Welcomed { snapshot: &snapshot, ..one }).is_ok());
        assert!(reached, "{place}");
        newcomer.epoch = entry.opens();
        members.push(newcomer);
    }
    assert_agreement(&mut members);
    let commit = members[2].begin(CommitIntent::default());
    let (entry, _) = members[2].confirm(commit);
    for place in [0, 1, 3] {
        members[place].apply(&entry);
    }
    assert_agreement(&mut members);
}
