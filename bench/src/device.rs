//! A device with a store in memory, as far as the group code can tell.

use hushwire_protocol::{
    epoch::EpochKeys,
    group::{
        CommitBasis, CommitIntent, Group, GroupSnapshot, GroupState, JoinerWelcome,
        KeyPackageReference, KeyPackageUse, LeafSelector, LogPlace, Opened, Outcome, OwnKeyPackage,
        PendingCommit, UnverifiedKeyPackage, VerifiedKeyPackage, Welcomed,
    },
    identity::{
        DeviceCredential, DeviceId, DeviceKey, DeviceSerial, Fingerprint, ManagerCounter,
        ManagerKey, RootKey,
    },
    provider::{Provider, Suite},
    storage::{MemoryMlsStore, group_prefix},
};
use hushwire_wire::{
    id::{ChannelId, EpochId, Nonce},
    transcript::{self, Operation},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

use crate::fault::Fault;

/// The channel of every group of a measurement.
const CHANNEL: ChannelId = ChannelId::from_bytes([0xC4; 32]);

/// Devices of each person: the largest groups have more devices than people.
const DEVICES_EACH: u32 = 4;

/// A device of a person.
pub(crate) struct Device {
    store: MemoryMlsStore,
    rng: ChaCha20Rng,
    key: DeviceKey,
    credential: DeviceCredential,
    epoch: EpochId,
    keys: Option<EpochKeys>,
    package: Option<KeyPackageReference>,
}

/// A commit that its author has not applied yet.
pub(crate) struct Commit {
    pub(crate) envelope: Vec<u8>,
    operation: Operation,
    epoch: EpochId,
    next_keys: EpochKeys,
    group_info: Vec<u8>,
    joiners: Vec<JoinerWelcome>,
}

/// What joiners are sent.
pub(crate) struct Welcome {
    joiners: Vec<JoinerWelcome>,
    pub(crate) snapshot: GroupSnapshot,
    epoch: EpochId,
}

/// An entry of the channel's log.
#[derive(Clone)]
pub(crate) struct Entry {
    envelope: Vec<u8>,
    operation: Operation,
    opens: EpochId,
}

impl Welcome {
    /// The secrets of one joiner; those of all are as long.
    pub(crate) fn secrets(&self) -> &[u8] {
        self.joiners.first().map_or(&[], |joiner| &joiner.secrets)
    }
}

impl Commit {
    /// As others read it.
    pub(crate) fn entry(&self) -> Entry {
        let content = transcript::content_hash(&self.envelope);
        let id = transcript::entry_id(&CHANNEL, &self.epoch, &self.operation, &content);
        Entry {
            envelope: self.envelope.clone(),
            operation: self.operation.clone(),
            opens: EpochId::from_bytes(*id.as_bytes()),
        }
    }
}

impl Device {
    /// The device that grows from this number.
    pub(crate) fn new(number: u32) -> Result<Self, Fault> {
        let seed = |what: u8, number: u32| {
            let mut seed = [what; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            seed
        };
        let (person, device) = (number / DEVICES_EACH, number % DEVICES_EACH);
        let manager = ManagerKey::from_bytes(&seed(1, person));
        let statement = RootKey::from_bytes(&seed(2, person))
            .state_manager(manager.public(), ManagerCounter(1));
        let key = DeviceKey::from_bytes(&seed(3, number));
        let id = DeviceId::from_bytes([device.to_be_bytes()[3]; 16]);
        let certificate = manager.certify(&statement, id, key.public(), DeviceSerial(1));
        let credential =
            DeviceCredential::new(statement, certificate).map_err(|_| Fault::Device)?;
        Ok(Self {
            store: MemoryMlsStore::default(),
            rng: ChaCha20Rng::from_seed(seed(4, number)),
            key,
            credential,
            epoch: EpochId::from_bytes([0; 32]),
            keys: None,
            package: None,
        })
    }

    pub(crate) fn identity(&self) -> Fingerprint {
        self.credential.identity()
    }

    /// This device, to be removed.
    pub(crate) fn selector(&self) -> LeafSelector {
        LeafSelector::Device(self.identity(), self.credential.device())
    }

    /// How many bytes its state of the group has, as its store gets them.
    pub(crate) fn stored(&self) -> usize {
        self.store.bytes(&group_prefix(&CHANNEL))
    }

    /// Makes a group with this device alone in it.
    pub(crate) fn create(&mut self, suite: Suite, state: GroupState) -> Result<(), Fault> {
        let provider = Provider::new(&self.store, &mut self.rng);
        let created =
            Group::create(&provider, &self.key, &self.credential, &CHANNEL, suite, state)?;
        let key = created.keys.public_key();
        self.epoch = transcript::root_epoch_id(&CHANNEL, &key, &Nonce::from_bytes([0; 32]));
        self.keys = Some(created.keys);
        Ok(())
    }

    /// A key package of this device.
    pub(crate) fn package(&mut self, suite: Suite) -> Result<VerifiedKeyPackage, Fault> {
        let provider = Provider::new(&self.store, &mut self.rng);
        let once = KeyPackageUse::Once;
        let own = OwnKeyPackage::generate(&provider, &self.key, &self.credential, suite, once)?;
        self.package = Some(own.reference);
        Ok(UnverifiedKeyPackage::parse(&own.bytes)?.verify(suite)?)
    }

    fn read(&self) -> LogPlace {
        LogPlace::start(&CHANNEL, &self.epoch)
    }

    /// Loads the group, as a client does for each step, and begins a commit.
    pub(crate) fn begin(&mut self, intent: CommitIntent) -> Result<Commit, Fault> {
        let basis = CommitBasis::first(self.read());
        let keys = self.keys.as_ref().ok_or(Fault::Device)?;
        let provider = Provider::new(&self.store, &mut self.rng);
        let mut group = Group::load(&provider, &CHANNEL)?.ok_or(Fault::Device)?;
        let pending = group.begin_commit(&provider, &self.key, &self.epoch, keys, intent, basis)?;
        let PendingCommit { envelope, mark, welcomes, group_info, next_keys } = pending;
        let (operation, epoch) = (Operation::Commit(mark), self.epoch);
        Ok(Commit { envelope, operation, epoch, next_keys, group_info, joiners: welcomes })
    }

    /// Applies its own commit, and makes what its joiners need.
    pub(crate) fn confirm(&mut self, commit: Commit) -> Result<Welcome, Fault> {
        let opens = commit.entry().opens;
        let provider = Provider::new(&self.store, &mut self.rng);
        let mut group = Group::load(&provider, &CHANNEL)?.ok_or(Fault::Device)?;
        group.confirm_commit(&provider)?;
        self.epoch = opens;
        self.keys = Some(commit.next_keys);
        let snapshot = group.snapshot(commit.group_info)?;
        Ok(Welcome { joiners: commit.joiners, snapshot, epoch: opens })
    }

    /// Joins.
    pub(crate) fn join(&mut self, suite: Suite, welcome: &Welcome) -> Result<(), Fault> {
        let mine = welcome.joiners.iter().find(|one| Some(one.joiner) == self.package);
        let secrets = &mine.ok_or(Fault::Device)?.secrets;
        let provider = Provider::new(&self.store, &mut self.rng);
        let welcomed = Welcomed { suite, secrets, snapshot: &welcome.snapshot };
        let joined = Group::join(&provider, &self.key, &CHANNEL, welcomed)?;
        self.keys = Some(joined.keys);
        self.epoch = welcome.epoch;
        Ok(())
    }

    /// Opens, judges and applies somebody's commit.
    pub(crate) fn follow(&mut self, entry: &Entry) -> Result<(), Fault> {
        let keys = self.keys.as_ref().ok_or(Fault::Device)?;
        let provider = Provider::new(&self.store, &mut self.rng);
        let mut group = Group::load(&provider, &CHANNEL)?.ok_or(Fault::Device)?;
        let opened =
            group.open_entry(&provider, &self.epoch, keys, &entry.operation, &entry.envelope)?;
        let Opened::Commit(candidate) = opened else { return Err(Fault::Device) };
        let Outcome::Stays(keys) = candidate.apply(&mut group, &provider)?.outcome else {
            return Err(Fault::Device);
        };
        self.keys = Some(keys);
        self.epoch = entry.opens;
        Ok(())
    }

    /// Seals a message.
    pub(crate) fn say(&mut self, content: &[u8]) -> Result<Vec<u8>, Fault> {
        let read = self.read();
        let keys = self.keys.as_ref().ok_or(Fault::Device)?;
        let provider = Provider::new(&self.store, &mut self.rng);
        let mut group = Group::load(&provider, &CHANNEL)?.ok_or(Fault::Device)?;
        let sealed = group.seal_message(&provider, &self.key, &self.epoch, keys, content, read)?;
        Ok(sealed.envelope)
    }

    /// Opens a message.
    pub(crate) fn hear(&mut self, envelope: &[u8]) -> Result<(), Fault> {
        let keys = self.keys.as_ref().ok_or(Fault::Device)?;
        let provider = Provider::new(&self.store, &mut self.rng);
        let mut group = Group::load(&provider, &CHANNEL)?.ok_or(Fault::Device)?;
        let opened =
            group.open_entry(&provider, &self.epoch, keys, &Operation::Message, envelope)?;
        matches!(opened, Opened::Message(_)).then_some(()).ok_or(Fault::Device)
    }
}
