//! The group that is joined in the tests of Welcomes.

use hushwire_protocol::group::{
    CommitBasis, CommitIntent, Group as MlsGroup, GroupKind, GroupSnapshot, GroupState, Life,
    LogPlace, Rejection, UnverifiedKeyPackage,
};
use hushwire_protocol::identity::{DeviceKey, UnverifiedCredential};
use hushwire_protocol::provider::{Provider, Suite as MlsSuite};
use hushwire_protocol::storage::MemoryMlsStore;
use hushwire_wire::id::{ChannelId, EpochId, Sequence};
use hushwire_wire::transcript::{Cut, first_head};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use serde_json::{Value, json};

use super::expected;
use crate::{
    kinds::{
        chain::{Chain, flipped},
        envelope::rejected,
        mls::{
            CLASSICAL, HYBRID,
            package::{Package, extensions, numbers},
        },
        sealed_box::variable,
    },
    suite::Group,
};

/// Who owns the group.
pub(super) const ALICE: Chain =
    Chain { root: 7, root_signer: 7, manager: 8, signer: 8, counter: 1 };
/// Her device.
pub(super) const ALICES: u8 = 9;
/// Who joins.
pub(super) const BOB: Chain = Chain::OURS;
/// His device.
pub(super) const BOBS: u8 = 4;

const CHANNEL: ChannelId = ChannelId::from_bytes([0xC4; 32]);
/// Ids of epochs are the relay's: nothing here depends on this one.
const EPOCH: EpochId = EpochId::from_bytes([0xE0; 32]);

/// What a joiner has in its hands.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) suite: u16,
    pub(super) channel: [u8; 32],
    pub(super) package: Package,
    pub(super) init_key: Vec<u8>,
    pub(super) secrets: Vec<u8>,
    pub(super) snapshot: GroupSnapshot,
}

impl Given {
    fn input(&self) -> Value {
        let [init_key, leaf_key] = self.package.private_keys();
        json!({
            "suite": self.suite.to_string(),
            "channel": hex::encode(self.channel),
            "device_key_seed": hex::encode([BOBS; 32]),
            "key_package": hex::encode(self.package.bytes()),
            "package_suite": self.package.suite.to_string(),
            "init_key": hex::encode(init_key),
            "leaf_key": hex::encode(leaf_key),
            "secrets": hex::encode(&self.secrets),
            "group_info": hex::encode(&self.snapshot.group_info),
            "tree": hex::encode(&self.snapshot.tree),
        })
    }
}

/// The agreed state as `groups.md` lays it out.
pub(super) fn state() -> Vec<u8> {
    let owner = [&ALICE.fingerprint()[..], &[2]].concat();
    [
        // Layout, rules, kind, name, description, avatar, dissolved.
        &[0, 1, 0, 1, 2][..],
        &variable(b"walks"),
        &[0, 0, 0],
        &variable(&owner),
        &variable(&[1, 1, 1, 2, 2, 0, 1, 1, 0]),
        // It takes the place of no other.
        &[0],
    ]
    .concat()
}

/// The extensions of the GroupContext (GRP-014).
pub(super) fn context_extensions() -> Vec<u8> {
    let lists: [&[u16]; 3] = [&[0xF4A1], &[0x000A], &[1]];
    let required = lists.iter().flat_map(|list| variable(&numbers(list))).collect();
    extensions(&[(0x0003, required), (0xF4A1, state())])
}

/// Alice makes the group, and adds Bob by a commit that makes the state what `change` makes it.
fn welcome(code: u16, change: impl FnOnce(&mut GroupState)) -> Given {
    let suite = MlsSuite::from_code(code).expect("a suite of ours");
    let (store, mut rng) = (MemoryMlsStore::default(), ChaCha20Rng::from_seed([0xA1; 32]));
    let key = DeviceKey::from_bytes(&[ALICES; 32]);
    let credential = UnverifiedCredential::parse(&ALICE.credential(ALICES));
    let credential = credential.and_then(UnverifiedCredential::verify).expect("a whole chain");
    let mut state = GroupState::new(GroupKind::Group, credential.identity());
    "walks".clone_into(&mut state.name);
    let provider = Provider::new(&store, &mut rng);
    let created = MlsGroup::create(&provider, &key, &credential, &CHANNEL, suite, state.clone())
        .expect("new");
    let (mut group, keys) = (created.group, created.keys);
    let package =
        Package { credential: BOB.credential(BOBS), ..Package::of(BOBS).with_suite(code) };
    let added = UnverifiedKeyPackage::parse(&package.bytes()).and_then(|it| it.verify(suite));
    let before = state.clone();
    change(&mut state);
    let intent = CommitIntent {
        add: vec![added.expect("a KeyPackage of ours")],
        set_state: (state != before).then_some(state),
        ..CommitIntent::default()
    };
    let place = LogPlace { read_to: Sequence::FIRST, head: first_head(&CHANNEL, &EPOCH) };
    let provider = Provider::new(&store, &mut rng);
    let basis = CommitBasis::first(place);
    let commit = group
        .begin_commit_unjudged(&provider, &key, &EPOCH, &keys, intent, basis, Cut::Through)
        .expect("MLS makes it");
    let provider = Provider::new(&store, &mut rng);
    group.confirm_commit(&provider).expect("it is pending");
    let [init_key, _] = package.private_keys();
    Given {
        suite: code,
        channel: *CHANNEL.as_bytes(),
        package,
        init_key,
        secrets: commit.welcomes[0].secrets.clone(),
        snapshot: group.snapshot(commit.group_info).expect("a tree"),
    }
}

/// The tests, by what they are about.
pub(super) fn tests() -> Vec<Group> {
    vec![valid(), broken(), states()]
}

fn valid() -> Group {
    let rules = ["GRP-001", "GRP-010", "GRP-014", "GRP-050", "GRP-070", "GRP-072"];
    [("hybrid", HYBRID), ("classical", CLASSICAL)].into_iter().fold(
        Group::new("a group of two", &rules),
        |group, (comment, suite)| {
            let given = welcome(suite, |_| {});
            group.valid(comment, given.input(), expected(&given))
        },
    )
}

fn broken() -> Group {
    let ours = welcome(CLASSICAL, |_| {});
    let secrets = |secrets: &[u8]| Given { secrets: secrets.to_vec(), ..ours.clone() };
    let group_info = |group_info: Vec<u8>| {
        let snapshot = GroupSnapshot { group_info, ..ours.snapshot.clone() };
        Given { snapshot, ..ours.clone() }
    };
    let tree = |tree: &[u8]| {
        let snapshot = GroupSnapshot { tree: tree.to_vec(), ..ours.snapshot.clone() };
        Given { snapshot, ..ours.clone() }
    };
    let whole = &ours.snapshot;
    let last = ours.secrets.len() - 1;
    let info_end = whole.group_info.len() - 1;
    let tree_end = whole.tree.len() - 1;
    let sealed = Rejection::UndecryptableMessage;
    let (bytes, commit) = (Rejection::MalformedMessage, Rejection::InvalidCommit);
    let other = Given { channel: [0xC5; 32], ..ours.clone() };
    let mut group = Group::new("not what was sent", &["GRP-071"]);
    for (comment, given, rejection) in [
        ("secrets cut off", secrets(&ours.secrets[..last]), bytes),
        ("a byte behind the secrets", secrets(&[&ours.secrets[..], &[0]].concat()), bytes),
        ("secrets changed", secrets(&flipped(&ours.secrets, last)), sealed),
        ("GroupInfo changed", group_info(flipped(&whole.group_info, info_end)), sealed),
        ("GroupInfo of another Welcome", group_info(vec![7; info_end]), sealed),
        ("tree cut off", tree(&whole.tree[..tree_end]), bytes),
        ("no tree", tree(&[]), bytes),
        ("a leaf of the tree changed", tree(&flipped(&whole.tree, tree_end)), commit),
        ("another channel", other, Rejection::WrongEpoch),
    ] {
        group = group.test(comment, &[], given.input(), rejected(rejection));
    }
    group
}

fn states() -> Group {
    let mut group = Group::new("groups that nobody joins", &["GRP-044", "GRP-071", "GRP-081"]);
    for (comment, given, rejection) in [
        (
            "it is dissolved",
            welcome(CLASSICAL, |state| state.life = Life::Dissolved),
            Rejection::Dissolved,
        ),
        ("nobody owns it", welcome(CLASSICAL, |state| state.roles.clear()), Rejection::LastOwner),
    ] {
        group = group.test(comment, &[], given.input(), rejected(rejection));
    }
    group
}
