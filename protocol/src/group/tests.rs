//! Commits that no client of ours would make, judged by a receiver.

use hushwire_wire::id::{ChainHead, ChannelId, EntryId, EpochId, PublicKey, Sequence};
use hushwire_wire::transcript::{CommitMark, Cut, Operation};
use openmls::extensions::{LastResortExtension, UnknownExtension};
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{
    Capabilities, CommitBuilder, Extension, Extensions, Initial, KeyPackage, LeafNodeParameters,
    Lifetime, MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY,
    MlsGroupJoinConfig, OpenMlsProvider as _, PreSharedKeyProposal, Proposal, WireFormatPolicy,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

mod entries;
mod joins;
mod proposals;

use super::binding::Binding;
use super::key_package::credential_with_key;
use super::profile::{capabilities, context_extensions, unlimited};
use super::*;
use crate::envelope::{EnvelopeContent, EnvelopeKind, Place, seal};
use crate::identity::{DeviceId, DeviceSerial, Fingerprint, ManagerCounter, ManagerKey, RootKey};
use crate::provider::LeafSigner;
use crate::storage::MemoryMlsStore;
use openmls::schedule::PreSharedKeyId;

const CHANNEL: ChannelId = ChannelId::from_bytes([3; 32]);
const EPOCH: EpochId = EpochId::from_bytes([4; 32]);
const SUITE: Suite = Suite::Classical;
const READ: LogPlace = LogPlace { read_to: Sequence::FIRST, head: ChainHead::from_bytes([6; 32]) };

struct Device {
    store: MemoryMlsStore,
    rng: ChaCha20Rng,
    key: DeviceKey,
    credential: DeviceCredential,
}

impl Device {
    fn new(root: u8) -> Self {
        let manager = ManagerKey::from_bytes(&[root ^ 0x55; 32]);
        let statement =
            RootKey::from_bytes(&[root; 32]).state_manager(manager.public(), ManagerCounter(1));
        let key = DeviceKey::from_bytes(&[root ^ 0x77; 32]);
        let id = DeviceId::from_bytes([1; 16]);
        let certificate = manager.certify(&statement, id, key.public(), DeviceSerial(1));
        Self {
            store: MemoryMlsStore::default(),
            rng: ChaCha20Rng::from_seed([root; 32]),
            key,
            credential: DeviceCredential::new(statement, certificate).unwrap(),
        }
    }

    fn key_package(&mut self, lifetime: Lifetime, capabilities: Capabilities) -> KeyPackage {
        self.key_package_with(lifetime, capabilities, vec![])
    }

    fn key_package_with(
        &mut self,
        lifetime: Lifetime,
        capabilities: Capabilities,
        extensions: Vec<Extension>,
    ) -> KeyPackage {
        let provider = Provider::new(&self.store, &mut self.rng);
        let credential = credential_with_key(&self.key, &self.credential).unwrap();
        KeyPackage::builder()
            .key_package_lifetime(lifetime)
            .leaf_node_capabilities(capabilities)
            .key_package_extensions(Extensions::from_vec(extensions).unwrap())
            .build(SUITE.ciphersuite(), &provider.0, &LeafSigner(&self.key), credential)
            .unwrap()
            .into_key_package()
    }
}

/// The first owns the group; the second is a plain member, the third too.
struct World {
    owner: Device,
    member: Device,
    third: Device,
    keys: EpochKeys,
}

impl World {
    fn new() -> Self {
        let (mut owner, mut member, mut third) = (Device::new(1), Device::new(2), Device::new(3));
        let provider = Provider::new(&owner.store, &mut owner.rng);
        let state = GroupState::new(GroupKind::Group, owner.credential.identity());
        let created =
            Group::create(&provider, &owner.key, &owner.credential, &CHANNEL, SUITE, state);
        let Created { mut group, keys } = created.unwrap();
        let packages = [&mut member, &mut third].map(|device| {
            let provider = Provider::new(&device.store, &mut device.rng);
            let (key, credential) = (&device.key, &device.credential);
            let own =
                OwnKeyPackage::generate(&provider, key, credential, SUITE, KeyPackageUse::Once);
            UnverifiedKeyPackage::parse(&own.unwrap().bytes).unwrap().verify(SUITE).unwrap()
        });
        let intent = CommitIntent { add: packages.to_vec(), ..CommitIntent::default() };
        let provider = Provider::new(&owner.store, &mut owner.rng);
        let pending = group
            .begin_commit(&provider, &owner.key, &EPOCH, &keys, intent, CommitBasis::first(READ))
            .unwrap();
        group.confirm_commit(&provider).unwrap();
        let snapshot = group.snapshot(pending.group_info).unwrap();
        for (device, welcome) in [&mut member, &mut third].into_iter().zip(&pending.welcomes) {
            let provider = Provider::new(&device.store, &mut device.rng);
            let welcomed =
                Welcomed { suite: SUITE, secrets: &welcome.secrets, snapshot: &snapshot };
            Group::join(&provider, &device.key, &CHANNEL, welcomed).unwrap();
        }
        Self { owner, member, third, keys: pending.next_keys }
    }

    fn leaf(&mut self, of: &Fingerprint) -> LeafIndex {
        let provider = Provider::new(&self.owner.store, &mut self.owner.rng);
        let group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
        let members = group.members().unwrap();
        members.iter().find(|member| member.identity() == *of).unwrap().leaf
    }

    /// What the owner says to a commit that the member makes by hand.
    fn verdict(&mut self, forgery: Forgery<'_>) -> Result<(), Rejection> {
        match self.opened(forgery) {
            Ok(_) => Ok(()),
            Err(OpenError::Rejected(rejection)) => Err(rejection),
            Err(other) => panic!("unexpected: {other:?}"),
        }
    }

    fn opened(&mut self, forgery: Forgery<'_>) -> Result<StagedCandidate, OpenError> {
        let (operation, envelope) = forgery.make(&mut self.member, &self.keys);
        let provider = Provider::new(&self.owner.store, &mut self.owner.rng);
        let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
        match group.open_entry(&provider, &EPOCH, &self.keys, &operation, &envelope)? {
            Opened::Commit(candidate) => Ok(candidate),
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// The same between the two, with the owner as the author.
    fn swap(mut self) -> Self {
        core::mem::swap(&mut self.owner, &mut self.member);
        self
    }
}

type Build<'a> = Box<dyn for<'b> Fn(CommitBuilder<'b, Initial>) -> CommitBuilder<'b, Initial> + 'a>;

/// A commit with any content and any mark.
struct Forgery<'a> {
    build: Build<'a>,
    cut: Cut,
    signed_cut: Cut,
    signed_epoch: EpochId,
    /// What is signed in the place of a commit.
    signed: Option<Binding>,
    next_key: Option<PublicKey>,
    policy: WireFormatPolicy,
    contested: Vec<EntryId>,
    /// By whom a report about the first contested entry is signed, in the member's name.
    reporter: Option<DeviceKey>,
    proposals: Vec<Vec<u8>>,
}

impl<'a> Forgery<'a> {
    fn new<F>(build: F) -> Self
    where
        F: for<'b> Fn(CommitBuilder<'b, Initial>) -> CommitBuilder<'b, Initial> + 'a,
    {
        Self {
            build: Box::new(build),
            cut: Cut::Through,
            signed_cut: Cut::Through,
            signed_epoch: EPOCH,
            signed: None,
            next_key: None,
            policy: MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY,
            contested: vec![],
            reporter: None,
            proposals: vec![],
        }
    }

    fn cut<F>(build: F) -> Self
    where
        F: for<'b> Fn(CommitBuilder<'b, Initial>) -> CommitBuilder<'b, Initial> + 'a,
    {
        Self { cut: Cut::Cut, signed_cut: Cut::Cut, ..Self::new(build) }
    }

    fn make(self, author: &mut Device, keys: &EpochKeys) -> (Operation, Vec<u8>) {
        let provider = Provider::new(&author.store, &mut author.rng);
        let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
        let contested = self.contested.clone();
        let binding =
            Binding::Commit { read: READ, cut: self.signed_cut, contested: contested.clone() };
        let binding = self.signed.unwrap_or(binding);
        group.mls.set_aad(binding.to_bytes(&CHANNEL, &self.signed_epoch));
        let mls = &provider.0;
        let config = MlsGroupJoinConfig::builder().wire_format_policy(self.policy).build();
        group.mls.set_configuration(mls.storage(), &config).unwrap();
        let (commit, _, _) = (self.build)(group.mls.commit_builder())
            .load_psks(mls.storage())
            .unwrap()
            .build(mls.rand(), mls.crypto(), &LeafSigner(&author.key), |_| true)
            .unwrap()
            .stage_commit(mls)
            .unwrap()
            .into_messages();
        let derived = group.mls.safe_export_secret_from_pending(
            mls.crypto(),
            mls.storage(),
            EPOCH_KEY_COMPONENT,
        );
        let derived = EpochKeys::derive(&derived.unwrap(), &[0; 32]).public_key();
        let next_key = self.next_key.unwrap_or(derived);
        let report = self.reporter.map(|key| {
            let report = Report::new(contested[0], Rejection::NoRight);
            report.sign(&CHANNEL, &EPOCH, group.own_leaf(), &key)
        });
        let mark = CommitMark { next_key, cut: self.cut, contested };
        let operation = Operation::Commit(mark);
        let place = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &operation };
        let message = commit.tls_serialize_detached().unwrap();
        let content = EnvelopeContent {
            kind: EnvelopeKind::Commit,
            message,
            proposals: self.proposals,
            report: report.unwrap_or_default(),
        };
        let envelope = seal(&keys.envelope, provider.draw(), place, &content).unwrap();
        (operation, envelope)
    }
}

fn renewed(builder: CommitBuilder<'_, Initial>) -> CommitBuilder<'_, Initial> {
    builder.force_self_update(true)
}

#[test]
fn a_plain_renewal_is_taken() {
    assert_eq!(World::new().verdict(Forgery::new(renewed)), Ok(()));
}

#[test]
fn another_next_key_is_refused() {
    // spec: GRP-037
    let next_key = Some(PublicKey::from_bytes([9; 32]));
    let forgery = Forgery { next_key, ..Forgery::new(renewed) };
    assert_eq!(World::new().verdict(forgery), Err(Rejection::NextKeyMismatch));
}

#[test]
fn what_was_signed_has_to_stand_beside_the_commit() {
    // spec: GRP-051
    let forgery = Forgery { cut: Cut::Cut, ..Forgery::new(renewed) };
    assert_eq!(World::new().verdict(forgery), Err(Rejection::WrongBinding));
    let signed_epoch = EpochId::from_bytes([5; 32]);
    let forgery = Forgery { signed_epoch, ..Forgery::new(renewed) };
    assert_eq!(World::new().verdict(forgery), Err(Rejection::WrongBinding));
    for signed in [Binding::Message(READ), Binding::Leave] {
        let forgery = Forgery { signed: Some(signed), ..Forgery::new(renewed) };
        assert_eq!(World::new().verdict(forgery), Err(Rejection::WrongKind));
    }
}

#[test]
fn a_removal_needs_cut_and_right() {
    // spec: GRP-031, GRP-033, GRP-041
    let mut world = World::new();
    let third = world.third.credential.identity();
    let target = world.leaf(&third).to_mls();
    let forgery = Forgery::new(|builder| renewed(builder).propose_removals([target]));
    assert_eq!(world.verdict(forgery), Err(Rejection::RemovalWithoutCut));
    let forgery = Forgery::cut(|builder| renewed(builder).propose_removals([target]));
    assert_eq!(World::new().verdict(forgery), Err(Rejection::NoRight));
}

#[test]
fn a_commit_without_a_path_is_refused() {
    // spec: GRP-038
    // a second device of the owner: needs no right, and MLS asks for no path
    let second = second_device(1);
    let forgery = Forgery::new(|builder| builder.propose_adds([second.clone()]));
    assert_eq!(World::new().verdict(forgery), Err(Rejection::PathMissing));
    let forgery = Forgery::new(|builder| renewed(builder).propose_adds([second.clone()]));
    assert_eq!(World::new().verdict(forgery), Ok(()));
}

/// Another device of the identity that grew from `root`.
fn second_device(root: u8) -> KeyPackage {
    device_with(root, ManagerCounter(1), root ^ 0x55).key_package(unlimited(), capabilities())
}

fn device_with(root: u8, counter: ManagerCounter, manager: u8) -> Device {
    let manager = ManagerKey::from_bytes(&[manager; 32]);
    let statement = RootKey::from_bytes(&[root; 32]).state_manager(manager.public(), counter);
    let key = DeviceKey::from_bytes(&[root ^ 0x99; 32]);
    let id = DeviceId::from_bytes([2; 16]);
    let certificate = manager.certify(&statement, id, key.public(), DeviceSerial(2));
    let credential = DeviceCredential::new(statement, certificate).unwrap();
    Device { key, credential, ..Device::new(root) }
}

#[test]
fn a_limited_lifetime_is_refused_whatever_the_clock() {
    // spec: GRP-023, GRP-031: the first is valid now and in ten years, by any clock
    let limited = Lifetime::init(0, u64::MAX - 1);
    let package = device_with(1, ManagerCounter(1), 1 ^ 0x55).key_package(limited, capabilities());
    let forgery = Forgery::new(|builder| renewed(builder).propose_adds([package.clone()]));
    assert_eq!(World::new().verdict(forgery), Err(Rejection::LifetimeNotUnlimited));
    let limited = Lifetime::default();
    let package = device_with(1, ManagerCounter(1), 1 ^ 0x55).key_package(limited, capabilities());
    let forgery = Forgery::new(|builder| renewed(builder).propose_adds([package.clone()]));
    assert_eq!(World::new().verdict(forgery), Err(Rejection::LifetimeNotUnlimited));
}

#[test]
fn a_limited_lifetime_comes_before_what_is_no_fault_of_mls() {
    // spec: GRP-023, GRP-150: by another clock openmls says so before the next key is looked at
    let limited = Lifetime::init(0, u64::MAX - 1);
    let package = device_with(1, ManagerCounter(1), 1 ^ 0x55).key_package(limited, capabilities());
    let adding = || Forgery::new(|builder| renewed(builder).propose_adds([package.clone()]));
    let next_key = Some(PublicKey::from_bytes([9; 32]));
    let limited = Err(Rejection::LifetimeNotUnlimited);
    assert_eq!(World::new().verdict(Forgery { next_key, ..adding() }), limited);
    assert_eq!(World::new().verdict(Forgery { cut: Cut::Cut, ..adding() }), limited);
}

#[test]
fn members_judge_the_extensions_of_a_key_package_as_its_adder_does() {
    // spec: GRP-149
    let ours = || Extension::Unknown(state::EXTENSION_TYPE, UnknownExtension(vec![1, 2, 3]));
    let last_resort = || Extension::LastResort(LastResortExtension::new());
    let cases = [
        (vec![], Ok(())),
        (vec![last_resort()], Ok(())),
        (vec![ours()], Ok(())),
        (vec![last_resort(), ours()], Err(Rejection::BadLeaf)),
        (vec![ours(), last_resort()], Err(Rejection::BadLeaf)),
    ];
    for (extensions, expected) in cases {
        let mut device = device_with(1, ManagerCounter(1), 1 ^ 0x55);
        let shown = format!("{extensions:?}");
        let package = device.key_package_with(unlimited(), capabilities(), extensions);
        let bytes = package.tls_serialize_detached().unwrap();
        let adder = UnverifiedKeyPackage::parse(&bytes).and_then(|package| package.verify(SUITE));
        assert_eq!(adder.map(|_| ()), expected, "{shown}");
        let forgery = Forgery::new(|builder| renewed(builder).propose_adds([package.clone()]));
        assert_eq!(World::new().verdict(forgery), expected, "{shown}");
    }
}

#[test]
fn a_stranger_needs_the_right_to_add() {
    // spec: GRP-040
    let package = second_device(7);
    let forgery = Forgery::new(|builder| renewed(builder).propose_adds([package.clone()]));
    assert_eq!(World::new().verdict(forgery), Err(Rejection::NoRight));
}

#[test]
fn other_capabilities_are_refused() {
    // spec: GRP-024
    let mut more = capabilities();
    more = Capabilities::new(
        None,
        Some(&[SUITE.ciphersuite()]),
        Some(more.extensions()),
        Some(more.proposals()),
        Some(more.credentials()),
    );
    let package = device_with(1, ManagerCounter(1), 1 ^ 0x55).key_package(unlimited(), more);
    let forgery = Forgery::new(|builder| renewed(builder).propose_adds([package.clone()]));
    assert_eq!(World::new().verdict(forgery), Err(Rejection::BadLeaf));
}

#[test]
fn a_credential_of_another_key_is_refused() {
    // spec: GRP-020, IDN-025
    let honest = device_with(1, ManagerCounter(1), 1 ^ 0x55);
    let thief = Device::new(8);
    let provider = Provider::new(&thief.store, &mut ChaCha20Rng::from_seed([1; 32]));
    let credential = openmls::prelude::CredentialWithKey {
        credential: openmls::prelude::BasicCredential::new(honest.credential.to_bytes()).into(),
        signature_key: thief.key.public().as_bytes().to_vec().into(),
    };
    let package = KeyPackage::builder()
        .key_package_lifetime(unlimited())
        .leaf_node_capabilities(capabilities())
        .build(SUITE.ciphersuite(), &provider.0, &LeafSigner(&thief.key), credential)
        .unwrap()
        .into_key_package();
    let forgery = Forgery::new(|builder| renewed(builder).propose_adds([package.clone()]));
    assert_eq!(World::new().verdict(forgery), Err(Rejection::BadCredential));
}

#[test]
fn the_group_context_has_exactly_our_extensions() {
    // spec: GRP-012, GRP-014
    let owner = Device::new(1).credential.identity();
    let direct = GroupState::new(GroupKind::Direct, owner);
    let forgery = Forgery::new(|builder| {
        let extensions = context_extensions(&direct).unwrap();
        renewed(builder).propose_group_context_extensions(extensions).unwrap()
    });
    assert_eq!(World::new().verdict(forgery), Err(Rejection::BadGroupState));
    let forgery = Forgery::new(|builder| {
        let mut extensions = context_extensions(&direct).unwrap();
        let broken = Extension::Unknown(state::EXTENSION_TYPE, UnknownExtension(vec![1]));
        extensions.add_or_replace(broken).unwrap();
        renewed(builder).propose_group_context_extensions(extensions).unwrap()
    });
    assert_eq!(World::new().verdict(forgery), Err(Rejection::BadGroupState));
}

#[test]
fn a_seized_role_is_refused() {
    // spec: GRP-042
    let owner = Device::new(1).credential.identity();
    let member = Device::new(2).credential.identity();
    let mut state = GroupState::new(GroupKind::Group, owner);
    state.set_role(member, Role::Owner);
    let forgery = Forgery::new(|builder| {
        let extensions = context_extensions(&state).unwrap();
        renewed(builder).propose_group_context_extensions(extensions).unwrap()
    });
    assert_eq!(World::new().verdict(forgery), Err(Rejection::NoRight));
}

#[test]
fn a_raise_of_the_rules_is_judged_as_far_as_an_old_program_can() {
    // spec: GRP-101, GRP-102
    let owner = Device::new(1).credential.identity();
    let newer = RuleVersion(2);
    let state = GroupState { rules: newer, ..GroupState::new(GroupKind::Group, owner) };
    // A layout that only a newer program can read.
    let unread = [&[0, 9, 0, 2][..], b"of another time"].concat();
    for bytes in [state.to_bytes(), unread] {
        let extensions = || {
            let mut extensions = context_extensions(&state).unwrap();
            let newer = UnknownExtension(bytes.clone());
            let newer = Extension::Unknown(state::EXTENSION_TYPE, newer);
            extensions.add_or_replace(newer).unwrap();
            extensions
        };
        let raise =
            || Forgery::new(|b| renewed(b).propose_group_context_extensions(extensions()).unwrap());
        assert_eq!(World::new().verdict(raise()), Err(Rejection::NoRight));
        let opened = World::new().swap().opened(raise());
        assert_eq!(opened.map(|_| ()), Err(OpenError::NewerRules(newer)));
        let package = second_device(1);
        let with_more = Forgery::new(|b| {
            let b = renewed(b).propose_adds([package.clone()]);
            b.propose_group_context_extensions(extensions()).unwrap()
        });
        assert_eq!(World::new().swap().verdict(with_more), Err(Rejection::BadGroupState));
    }
}

#[test]
fn a_commit_in_plaintext_is_refused() {
    // spec: GRP-034
    let policy = MIXED_PLAINTEXT_WIRE_FORMAT_POLICY;
    let forgery = Forgery { policy, ..Forgery::new(renewed) };
    assert_eq!(World::new().verdict(forgery), Err(Rejection::WrongWireFormat));
}

#[test]
fn other_proposals_are_refused() {
    // spec: GRP-035
    let mut world = World::new();
    let id = PreSharedKeyId::external(vec![1], vec![7; 32]);
    for device in [&mut world.owner, &mut world.member] {
        let provider = Provider::new(&device.store, &mut device.rng);
        id.store(&provider.0, &[8; 32]).unwrap();
    }
    let forgery = Forgery::new(|builder| {
        let proposal = PreSharedKeyProposal::new(id.clone());
        renewed(builder).add_proposal(Proposal::PreSharedKey(Box::new(proposal)))
    });
    assert_eq!(world.verdict(forgery), Err(Rejection::UnknownProposal));
}

#[test]
fn a_leaf_stays_with_its_device() {
    // spec: GRP-025: another root certifies the same device key
    let key = Device::new(2).key;
    let manager = ManagerKey::from_bytes(&[1; 32]);
    let statement =
        RootKey::from_bytes(&[9; 32]).state_manager(manager.public(), ManagerCounter(1));
    let id = DeviceId::from_bytes([1; 16]);
    let certificate = manager.certify(&statement, id, key.public(), DeviceSerial(1));
    let other = DeviceCredential::new(statement, certificate).unwrap();
    let forgery = Forgery::new(|builder| {
        let credential = credential_with_key(&key, &other).unwrap();
        let parameters = LeafNodeParameters::builder().with_credential_with_key(credential);
        renewed(builder).leaf_node_parameters(parameters.build())
    });
    assert_eq!(World::new().verdict(forgery), Err(Rejection::IdentityChanged));
}

#[test]
fn a_report_is_signed_by_the_leaf_it_names() {
    // spec: GRP-060
    let contested = vec![EntryId::from_bytes([6; 32])];
    let reporter = Some(Device::new(2).key);
    let forgery = Forgery { contested: contested.clone(), reporter, ..Forgery::new(renewed) };
    assert_eq!(World::new().verdict(forgery), Ok(()));
    let reporter = Some(Device::new(3).key);
    let forgery = Forgery { contested, reporter, ..Forgery::new(renewed) };
    assert_eq!(World::new().verdict(forgery), Err(Rejection::BadReport));
}

#[test]
fn a_proposal_that_the_commit_does_not_refer_to_is_refused() {
    // spec: GRP-035
    let mut world = World::new();
    let provider = Provider::new(&world.third.store, &mut world.third.rng);
    let mut third = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let sealed = third.seal_leave(&provider, &world.third.key, &EPOCH, &world.keys).unwrap();
    let place = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &Operation::Message };
    let content = crate::envelope::open(&world.keys.envelope, place, &sealed.envelope).unwrap();
    let forgery = Forgery { proposals: vec![content.message], ..Forgery::new(renewed) };
    assert_eq!(world.verdict(forgery), Err(Rejection::UnreferencedProposal));
}

#[test]
fn nothing_of_a_group_is_printed() {
    let mut world = World::new();
    let candidate = world.opened(Forgery::new(renewed)).unwrap();
    assert_eq!(format!("{candidate:?}"), "StagedCandidate(..)");
    let provider = Provider::new(&world.owner.store, &mut world.owner.rng);
    let group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let snapshot = group.snapshot(vec![1]).unwrap();
    assert_eq!(format!("{group:?} {snapshot:?}"), "Group(..) GroupSnapshot(..)");
    let reference = KeyPackageReference::from_bytes([1; 32]);
    assert_eq!(format!("{reference:?}"), "KeyPackageReference(..)");
}

#[test]
fn a_group_begins_with_a_state_that_everybody_takes() {
    // spec: GRP-010, GRP-013, GRP-100
    let good = GroupState::new(GroupKind::Group, Device::new(1).credential.identity());
    let unprintable = GroupState { name: "a\u{202e}".to_owned(), ..good.clone() };
    let newer = GroupState { rules: RuleVersion(2), ..good.clone() };
    let of_another = GroupState::new(GroupKind::Group, Device::new(2).credential.identity());
    let create = |state| {
        let mut device = Device::new(1);
        let provider = Provider::new(&device.store, &mut device.rng);
        let (key, credential) = (&device.key, &device.credential);
        Group::create(&provider, key, credential, &CHANNEL, SUITE, state).map(|_| ())
    };
    let expected = GroupError::WouldBeRejected(Rejection::BadGroupState);
    for state in [unprintable, newer, of_another] {
        assert_eq!(create(state), Err(expected));
    }
    assert_eq!(create(good), Ok(()));
}
