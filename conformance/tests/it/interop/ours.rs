//! A member by our own library: what a client does with its group, without a client around it.

use hushwire_protocol::address::{Host, RelayAddress};
use hushwire_protocol::card::ShelfKey;
use hushwire_protocol::epoch::EpochKeys;
use hushwire_protocol::group::{
    CommitBasis, CommitIntent, Group, GroupKind, GroupSnapshot, GroupState, KeyPackageUse,
    LogPlace, Opened, Outcome, OwnKeyPackage, PendingCommit, UnverifiedKeyPackage,
    VerifiedKeyPackage, Welcomed,
};
use hushwire_protocol::identity::{
    DeviceCredential, DeviceId, DeviceKey, DeviceListRank, DeviceSerial, ManagerCounter,
    ManagerKey, RootKey,
};
use hushwire_protocol::invitation::ContactCard;
use hushwire_protocol::profile::ProfileName;
use hushwire_protocol::provider::{Provider, Suite};
use hushwire_protocol::seal::InboxKey;
use hushwire_protocol::storage::MemoryMlsStore;
use hushwire_wire::id::{CapabilitySecret, ChainHead, EpochId, InboxId, RelayId, Sequence};
use hushwire_wire::transcript::{Operation, first_head, next_head};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::channel::{CHANNEL, Entry};

const SUITE: Suite = Suite::Classical;

/// The seed of a device's key, and its credential.
pub(super) fn device(root: u8) -> ([u8; 32], DeviceCredential) {
    let manager = ManagerKey::from_bytes(&[root ^ 0x55; 32]);
    let statement =
        RootKey::from_bytes(&[root; 32]).state_manager(manager.public(), ManagerCounter(1));
    let seed = [root ^ 0x77; 32];
    let key = DeviceKey::from_bytes(&seed).public();
    let id = DeviceId::from_bytes([root; 16]);
    let certificate = manager.certify(&statement, id, key, DeviceSerial(1));
    (seed, DeviceCredential::new(statement, certificate).unwrap())
}

/// A device with its store and its place in the log.
pub(super) struct Ours {
    store: MemoryMlsStore,
    rng: ChaCha20Rng,
    pub(super) key: DeviceKey,
    pub(super) credential: DeviceCredential,
    pub(super) epoch: EpochId,
    keys: Option<EpochKeys>,
    read_to: Sequence,
    head: ChainHead,
}

/// What an entry was.
pub(super) enum Read {
    Message(Vec<u8>),
    Commit,
}

impl Ours {
    pub(super) fn new(root: u8) -> Self {
        let (seed, credential) = device(root);
        let epoch = EpochId::from_bytes([0; 32]);
        Self {
            store: MemoryMlsStore::default(),
            rng: ChaCha20Rng::from_seed([root; 32]),
            key: DeviceKey::from_bytes(&seed),
            credential,
            epoch,
            keys: None,
            read_to: Sequence::FIRST,
            head: first_head(&CHANNEL, &epoch),
        }
    }

    /// Makes the group; the relay then says which epoch it begins with.
    pub(super) fn create(&mut self, name: &str) {
        let mut state = GroupState::new(GroupKind::Group, self.credential.identity());
        name.clone_into(&mut state.name);
        let provider = Provider::new(&self.store, &mut self.rng);
        let (key, credential) = (&self.key, &self.credential);
        let created = Group::create(&provider, key, credential, &CHANNEL, SUITE, state).unwrap();
        self.keys = Some(created.keys);
    }

    pub(super) fn key_package(&mut self) -> Vec<u8> {
        let provider = Provider::new(&self.store, &mut self.rng);
        let (key, credential) = (&self.key, &self.credential);
        OwnKeyPackage::generate(&provider, key, credential, SUITE, KeyPackageUse::Once)
            .unwrap()
            .bytes
    }

    pub(super) fn join(&mut self, epoch: EpochId, secrets: &[u8], snapshot: &GroupSnapshot) {
        let provider = Provider::new(&self.store, &mut self.rng);
        let welcomed = Welcomed { suite: SUITE, secrets, snapshot };
        let joined = Group::join(&provider, &self.key, &CHANNEL, welcomed).unwrap();
        self.enter(epoch, joined.keys);
    }

    pub(super) fn keys(&self) -> &EpochKeys {
        self.keys.as_ref().unwrap()
    }

    pub(super) fn group(&mut self) -> Group {
        let provider = Provider::new(&self.store, &mut self.rng);
        Group::load(&provider, &CHANNEL).unwrap().unwrap()
    }

    pub(super) fn seal_message(&mut self, content: &[u8]) -> Vec<u8> {
        let mut group = self.group();
        let place = self.place();
        let provider = Provider::new(&self.store, &mut self.rng);
        let keys = self.keys.as_ref().unwrap();
        group
            .seal_message(&provider, &self.key, &self.epoch, keys, content, place)
            .unwrap()
            .envelope
    }

    pub(super) fn begin(&mut self, intent: CommitIntent) -> PendingCommit {
        let mut group = self.group();
        let basis = CommitBasis::first(self.place());
        let provider = Provider::new(&self.store, &mut self.rng);
        let keys = self.keys.as_ref().unwrap();
        group.begin_commit(&provider, &self.key, &self.epoch, keys, intent, basis).unwrap()
    }

    pub(super) fn confirm(&mut self, entry: &Entry, keys: EpochKeys) {
        let mut group = self.group();
        let provider = Provider::new(&self.store, &mut self.rng);
        group.confirm_commit(&provider).unwrap();
        self.enter(entry.opens(), keys);
    }

    /// Reads the entry that comes next.
    pub(super) fn read(&mut self, entry: &Entry) -> Read {
        assert_eq!((entry.epoch, entry.sequence), (self.epoch, self.read_to));
        let mut group = self.group();
        let provider = Provider::new(&self.store, &mut self.rng);
        let keys = self.keys.as_ref().unwrap();
        let (operation, envelope) = (&entry.operation, &entry.envelope);
        match group.open_entry(&provider, &self.epoch, keys, operation, envelope).unwrap() {
            Opened::Message(message) => {
                assert!(message.binding.read_to <= entry.sequence);
                self.pass(entry);
                Read::Message(message.content.to_vec())
            }
            Opened::Commit(candidate) => {
                candidate.judge_history(entry.sequence, Some(self.head)).unwrap();
                let applied = candidate.apply(&mut group, &provider).unwrap();
                let Outcome::Stays(keys) = applied.outcome else { panic!("removed") };
                self.enter(entry.opens(), keys);
                Read::Commit
            }
            Opened::Leave(_) | Opened::UnknownNote => panic!("nobody leaves or notes"),
        }
    }

    /// An own message, as the relay stored it.
    pub(super) fn pass(&mut self, entry: &Entry) {
        self.head = next_head(&self.head, entry.sequence, &entry.id());
        self.read_to = Sequence(entry.sequence.0 + 1);
    }

    pub(super) fn set_epoch(&mut self, epoch: EpochId) {
        self.epoch = epoch;
        self.read_to = Sequence::FIRST;
        self.head = first_head(&CHANNEL, &epoch);
    }

    fn enter(&mut self, epoch: EpochId, keys: EpochKeys) {
        self.keys = Some(keys);
        self.set_epoch(epoch);
    }

    fn place(&self) -> LogPlace {
        LogPlace { read_to: self.read_to, head: self.head }
    }
}

/// What anybody of ours says to a KeyPackage before adding its device.
pub(super) fn verify(package: &[u8]) -> VerifiedKeyPackage {
    UnverifiedKeyPackage::parse(package).unwrap().verify(SUITE).unwrap()
}

/// The mark of a commit of ours, as the relay takes it.
pub(super) fn operation(commit: &PendingCommit) -> Operation {
    Operation::Commit(commit.mark.clone())
}

/// How somebody with this credential is written back to.
pub(super) fn card(credential: &DeviceCredential) -> ContactCard {
    ContactCard {
        relay: RelayAddress::new(Host::parse("a.org").unwrap(), 1, RelayId::from_bytes([1; 32]))
            .unwrap(),
        inbox: InboxId::from_bytes([2; 16]),
        capability: CapabilitySecret::from_bytes([3; 32]),
        statement: credential.statement().clone(),
        inbox_key: InboxKey::from_bytes([4; 32]).public().unwrap(),
        shelf_key: ShelfKey::from_bytes([5; 32]),
        device_list_minimum: DeviceListRank::default(),
        name: ProfileName::new("Alice").unwrap(),
    }
}
