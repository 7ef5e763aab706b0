//! The group of three in which the commits stand: Alice owns it, Bob reads, Carol is a plain member.

use hushwire_protocol::envelope::{EnvelopeContent, EnvelopeKind, Place, open};
use hushwire_protocol::epoch::EpochKeys;
use hushwire_protocol::group::{
    CommitBasis, CommitIntent, Group as MlsGroup, GroupKind, GroupSnapshot, GroupState, Joined,
    LogPlace, OwnKeyPackage, UnverifiedKeyPackage, VerifiedKeyPackage, Welcomed,
};
use hushwire_protocol::identity::{DeviceKey, Fingerprint, UnverifiedCredential};
use hushwire_protocol::insider::{Seals, seal_content};
use hushwire_protocol::provider::{Provider, Suite as MlsSuite};
use hushwire_protocol::storage::MemoryMlsStore;
use hushwire_wire::id::{ChannelId, EpochId, PublicKey, Sequence};
use hushwire_wire::transcript::{CommitMark, Cut, Operation, first_head};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    input::Input,
    kinds::{
        chain::{Chain, public},
        mls::{CLASSICAL, key_pair, package::Package, schedule},
        sealed_box::variable,
    },
};

/// Who makes a commit: their place among the authors.
pub(super) type Author = usize;
/// She owns the group; her leaf is 0.
pub(super) const ALICE: Author = 0;
/// A plain member; her leaf is 2.
pub(super) const CAROL: Author = 1;

const fn chain(root: u8) -> Chain {
    Chain { root, root_signer: root, manager: root + 1, signer: root + 1, counter: 1 }
}

pub(super) const ALICES_CHAIN: Chain = chain(0x17);
/// Who reads; his leaf is 1.
pub(super) const BOBS_CHAIN: Chain = Chain::OURS;
pub(super) const CAROLS_CHAIN: Chain = chain(0x27);
/// Somebody outside.
pub(super) const DAVE: Chain = chain(0x37);
pub(super) const ALICES: u8 = 0x1A;
pub(super) const BOBS: u8 = 4;
pub(super) const CAROLS: u8 = 0x2A;
/// His device.
pub(super) const DAVES: u8 = 0x3A;

pub(super) const CHANNEL: ChannelId = ChannelId::from_bytes([0xC4; 32]);
const FIRST: EpochId = EpochId::from_bytes([0xE0; 32]);
pub(super) const EPOCH: EpochId = EpochId::from_bytes([0xE1; 32]);
const SUITE: MlsSuite = MlsSuite::Classical;

/// A commit at its place.
#[derive(Clone)]
pub(super) struct Entry {
    /// What stands there before it.
    earlier: Vec<Vec<u8>>,
    pub(super) mark: CommitMark,
    envelope: Vec<u8>,
}

/// The agreed state as `groups.md` lays it out, of a group of kind group that takes nobody's place.
pub(super) struct State {
    pub(super) name: &'static str,
    /// Whose identity, and the number of the role.
    pub(super) roles: Vec<(Chain, u8)>,
    pub(super) rights: [u8; 9],
}

impl State {
    /// That of the epoch in which the commits stand.
    pub(super) fn agreed() -> Self {
        Self { name: "", roles: vec![(ALICES_CHAIN, 2)], rights: [1, 1, 1, 2, 2, 0, 1, 1, 0] }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut roles: Vec<_> =
            self.roles.iter().map(|(who, role)| (who.fingerprint(), *role)).collect();
        roles.sort_unstable();
        let roles = roles.iter().flat_map(|(who, role)| [&who[..], &[*role]].concat());
        [
            // Layout, rules, kind.
            &[0, 1, 0, 1, 2][..],
            &variable(self.name.as_bytes()),
            // Description, avatar, dissolved.
            &[0, 0, 0],
            &variable(&roles.collect::<Vec<_>>()),
            &variable(&self.rights),
            &[0],
        ]
        .concat()
    }
}

/// Whose identity a chain leads from.
pub(super) fn identity(chain: &Chain) -> Fingerprint {
    Fingerprint::from_bytes(chain.fingerprint())
}

/// A key that no commit gives.
pub(super) fn other_key() -> PublicKey {
    PublicKey::from_bytes(public(0x66))
}

/// A KeyPackage as somebody adds it who does not look.
pub(super) fn passed(package: &Package) -> VerifiedKeyPackage {
    let package = UnverifiedKeyPackage::parse(&package.bytes());
    package.and_then(UnverifiedKeyPackage::verify_by_nobody).expect("well formed")
}

/// The KeyPackage of somebody's device, with keys of its own: such that an insider spoils what it seals
/// to the leaf's ([`Seals::Half`]).
pub(super) fn package(chain: &Chain, device: u8) -> Package {
    let is_spoiled = |seed: &u8| {
        let (_, key) = key_pair(CLASSICAL, *seed);
        Sha256::digest(key).first().is_some_and(|byte| byte % 2 == 1)
    };
    let leaf_seed = (device | 0x80..).find(is_spoiled).expect("half of the keys");
    let seeds = [device | 0x40, leaf_seed];
    Package { credential: chain.credential(device), seeds, ..Package::of(device) }
        .with_suite(CLASSICAL)
}

/// The group that Bob joins.
pub(super) fn judge(
    store: &MemoryMlsStore,
    rng: &mut ChaCha20Rng,
    input: Input<'_>,
    snapshot: &GroupSnapshot,
) -> Joined {
    let [package, init_key, leaf_key, secrets] =
        ["key_package", "init_key", "leaf_key", "secrets"].map(|field| input.bytes(field));
    let code = u16::try_from(input.integer("suite")).expect("16 bits");
    let suite = MlsSuite::from_code(code).expect("a suite of ours");
    let seed = input.bytes("device_key_seed").try_into().expect("a seed");
    let provider = Provider::new(store, rng);
    OwnKeyPackage::import(&provider, suite, &package, &init_key, &leaf_key).expect("of ours");
    let welcomed = Welcomed { suite, secrets: &secrets, snapshot };
    let device = DeviceKey::from_bytes(&seed);
    MlsGroup::join(&provider, &device, &input.id("channel"), welcomed).expect("a group of ours")
}

/// The group in the epoch of the commits.
pub(super) struct House {
    authors: [(MemoryMlsStore, DeviceKey); 2],
    keys: EpochKeys,
    /// What was agreed to.
    state: GroupState,
    secrets: Vec<u8>,
    snapshot: GroupSnapshot,
    /// The MLS message of the commit that opened the epoch.
    pub(super) first_message: Vec<u8>,
}

impl House {
    /// Alice makes the group, and adds Bob and Carol.
    pub(super) fn new() -> Self {
        Self::agreeing(|_| {})
    }

    /// The same, where something else was agreed to.
    pub(super) fn agreeing(change: impl FnOnce(&mut GroupState)) -> Self {
        let (alices, mut rng) = (MemoryMlsStore::default(), ChaCha20Rng::from_seed([0xA1; 32]));
        let key = DeviceKey::from_bytes(&[ALICES; 32]);
        let credential = UnverifiedCredential::parse(&ALICES_CHAIN.credential(ALICES));
        let credential = credential.and_then(UnverifiedCredential::verify).expect("a whole chain");
        let mut state = GroupState::new(GroupKind::Group, credential.identity());
        change(&mut state);
        let provider = Provider::new(&alices, &mut rng);
        let created =
            MlsGroup::create(&provider, &key, &credential, &CHANNEL, SUITE, state.clone());
        let created = created.expect("new");
        let (mut group, keys) = (created.group, created.keys);
        let [bob, carol] = [package(&BOBS_CHAIN, BOBS), package(&CAROLS_CHAIN, CAROLS)];
        let intent =
            CommitIntent { add: vec![passed(&bob), passed(&carol)], ..CommitIntent::default() };
        let basis = CommitBasis::first(place(&FIRST));
        let provider = Provider::new(&alices, &mut rng);
        let commit = group.begin_commit(&provider, &key, &FIRST, &keys, intent, basis);
        let commit = commit.expect("everybody takes it");
        let provider = Provider::new(&alices, &mut rng);
        group.confirm_commit(&provider).expect("it is pending");
        let snapshot = group.snapshot(commit.group_info).expect("a tree");
        let secrets_of = |package: &Package| {
            let reference = passed(package).reference();
            let own = commit.welcomes.iter().find(|welcome| welcome.joiner == reference);
            own.expect("one for each").secrets.clone()
        };
        let carols = MemoryMlsStore::default();
        let provider = Provider::new(&carols, &mut rng);
        let [init_key, leaf_key] = carol.private_keys();
        OwnKeyPackage::import(&provider, SUITE, &carol.bytes(), &init_key, &leaf_key)
            .expect("hers");
        let hers = DeviceKey::from_bytes(&[CAROLS; 32]);
        let secrets = secrets_of(&carol);
        let welcomed = Welcomed { suite: SUITE, secrets: &secrets, snapshot: &snapshot };
        MlsGroup::join(&provider, &hers, &CHANNEL, welcomed).expect("she is welcome");
        let operation = Operation::Commit(commit.mark);
        let at = Place { channel: &CHANNEL, epoch: &FIRST, operation: &operation };
        let first = open(&keys.envelope, at, &commit.envelope).expect("just sealed");
        Self {
            secrets: secrets_of(&bob),
            authors: [(alices, key), (carols, hers)],
            keys: commit.next_keys,
            state,
            snapshot,
            first_message: first.message,
        }
    }

    /// A commit that nobody looked at before it left. Whoever made it is as before.
    pub(super) fn commit(
        &self,
        author: Author,
        intent: CommitIntent,
        cut: Cut,
        seals: Seals,
    ) -> Entry {
        let (store, key) = &self.authors[author];
        let before = store.snapshot();
        let mut rng = ChaCha20Rng::from_seed([0xB1; 32]);
        let provider = Provider::sealing(store, &mut rng, seals);
        let mut group = MlsGroup::load(&provider, &CHANNEL).expect("whole").expect("a group");
        let basis = CommitBasis::first(place(&EPOCH));
        let commit = group
            .begin_commit_unjudged(&provider, key, &EPOCH, &self.keys, intent, basis, cut)
            .expect("MLS makes it");
        store.roll_back(before);
        Entry { earlier: Vec::new(), mark: commit.mark, envelope: commit.envelope }
    }

    /// What a commit sets that changes the agreed state so.
    pub(super) fn setting(&self, change: impl FnOnce(&mut GroupState)) -> CommitIntent {
        let mut state = self.state.clone();
        change(&mut state);
        CommitIntent { set_state: Some(state), ..CommitIntent::default() }
    }

    /// A new path by Alice that does not open for Bob.
    pub(super) fn spoiled(&self) -> Entry {
        self.commit(ALICE, CommitIntent::default(), Cut::Through, Seals::Half)
    }

    /// What every member knows of the epoch.
    pub(super) fn secrets(&self) -> schedule::Epoch {
        let [init_key, _] = package(&BOBS_CHAIN, BOBS).private_keys();
        schedule::open(CLASSICAL, &init_key, &self.secrets, &self.snapshot.group_info)
    }

    /// The same commit, behind an entry by which somebody asks to leave.
    pub(super) fn behind(&self, leave: &[u8], entry: &Entry) -> Entry {
        let content = EnvelopeContent::plain(EnvelopeKind::Leave, leave.to_vec());
        let operation = Operation::Message;
        let sealed = seal_content(&self.keys, &CHANNEL, &EPOCH, &operation, &content, [0xB4; 24]);
        Entry { earlier: vec![sealed.expect("short")], ..entry.clone() }
    }

    /// The same commit, with something changed that stands beside it or around it.
    pub(super) fn resealed(
        &self,
        entry: &Entry,
        change: impl FnOnce(&mut CommitMark, &mut EnvelopeContent),
    ) -> Entry {
        let operation = Operation::Commit(entry.mark.clone());
        let at = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &operation };
        let mut content = open(&self.keys.envelope, at, &entry.envelope).expect("just sealed");
        let mut mark = entry.mark.clone();
        change(&mut mark, &mut content);
        let operation = Operation::Commit(mark.clone());
        let envelope = seal_content(&self.keys, &CHANNEL, &EPOCH, &operation, &content, [0xB3; 24]);
        Entry { mark, envelope: envelope.expect("short"), ..entry.clone() }
    }

    /// What Bob has in his hands, and the entry.
    pub(super) fn input(&self, entry: &Entry) -> Value {
        let package = package(&BOBS_CHAIN, BOBS);
        let [init_key, leaf_key] = package.private_keys();
        let contested: Vec<_> = entry.mark.contested.iter().map(hex::encode).collect();
        json!({
            "suite": CLASSICAL.to_string(),
            "channel": hex::encode(CHANNEL),
            "device_key_seed": hex::encode([BOBS; 32]),
            "key_package": hex::encode(package.bytes()),
            "init_key": hex::encode(init_key),
            "leaf_key": hex::encode(leaf_key),
            "secrets": hex::encode(&self.secrets),
            "group_info": hex::encode(&self.snapshot.group_info),
            "tree": hex::encode(&self.snapshot.tree),
            "epoch": hex::encode(EPOCH),
            "earlier": entry.earlier.iter().map(hex::encode).collect::<Vec<_>>(),
            "next_key": hex::encode(entry.mark.next_key),
            "cut": if entry.mark.cut == Cut::Cut { "1" } else { "0" },
            "contested": contested,
            "envelope": hex::encode(&entry.envelope),
        })
    }
}

fn place(epoch: &EpochId) -> LogPlace {
    LogPlace { read_to: Sequence::FIRST, head: first_head(&CHANNEL, epoch) }
}
