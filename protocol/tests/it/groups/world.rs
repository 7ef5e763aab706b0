//! Devices and the entries that pass between them.

use hushwire_protocol::epoch::EpochKeys;
use hushwire_protocol::group::{
    Applied, CommitBasis, CommitIntent, Group, GroupError, GroupKind, GroupSnapshot, GroupState,
    JoinerWelcome, KeyPackageUse, LeaveProposal, LogPlace, OpenError, Opened, OpenedMessage,
    Outcome, OwnKeyPackage, PendingCommit, Report, RuleVersion, StagedCandidate,
    UnverifiedKeyPackage, VerifiedKeyPackage, Welcomed,
};
use hushwire_protocol::identity::{
    DeviceCredential, DeviceId, DeviceKey, DeviceSerial, Fingerprint, ManagerCounter, ManagerKey,
    RootKey,
};
use hushwire_protocol::provider::{Provider, Suite};
use hushwire_protocol::storage::MemoryMlsStore;
use hushwire_wire::id::{ChannelId, EntryId, EpochId, Nonce, Sequence};
use hushwire_wire::transcript::{Operation, content_hash, entry_id, first_head, root_epoch_id};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

pub(crate) const CHANNEL: ChannelId = ChannelId::from_bytes([0xC4; 32]);

/// One entry of the channel's log.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) epoch: EpochId,
    pub(crate) operation: Operation,
    pub(crate) envelope: Vec<u8>,
}

impl Entry {
    pub(crate) fn id(&self) -> EntryId {
        entry_id(&CHANNEL, &self.epoch, &self.operation, &content_hash(&self.envelope))
    }

    /// The epoch that this commit opens.
    pub(crate) fn opens(&self) -> EpochId {
        EpochId::from_bytes(*self.id().as_bytes())
    }
}

/// A commit that its author has not confirmed yet.
pub(crate) struct OwnCommit {
    pub(crate) entry: Entry,
    pub(crate) welcomes: Vec<JoinerWelcome>,
    group_info: Vec<u8>,
    next_keys: EpochKeys,
}

/// What the joiners of a commit are sent.
pub(crate) struct Welcomes {
    pub(crate) suite: Suite,
    pub(crate) joiners: Vec<JoinerWelcome>,
    pub(crate) snapshot: GroupSnapshot,
}

impl Welcomes {
    /// What each joiner has in its hands, in the order of the joiners.
    pub(crate) fn each(&self) -> impl Iterator<Item = Welcomed<'_>> {
        let Self { suite, joiners, snapshot } = self;
        joiners.iter().map(|one| Welcomed { suite: *suite, secrets: &one.secrets, snapshot })
    }
}

/// A device with its store, and the epoch that it is in.
pub(crate) struct Device {
    pub(crate) store: MemoryMlsStore,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) key: DeviceKey,
    pub(crate) credential: DeviceCredential,
    pub(crate) epoch: EpochId,
    pub(crate) keys: Option<EpochKeys>,
    /// How far it says that it had read.
    pub(crate) read_to: Sequence,
    /// The newest rules that its program knows.
    pub(crate) rules: RuleVersion,
}

/// A device of the identity that grew from `root`, under its manager statement `counter`.
pub(crate) fn credential(root: u8, counter: u64, device: u8) -> (DeviceKey, DeviceCredential) {
    let manager = ManagerKey::from_bytes(&[root ^ 0x55; 32]);
    let statement =
        RootKey::from_bytes(&[root; 32]).state_manager(manager.public(), ManagerCounter(counter));
    let key = DeviceKey::from_bytes(&[root.wrapping_mul(16).wrapping_add(device); 32]);
    let id = DeviceId::from_bytes([device; 16]);
    let certificate = manager.certify(&statement, id, key.public(), DeviceSerial(1));
    let credential = DeviceCredential::new(statement, certificate).unwrap();
    (key, credential)
}

impl Device {
    pub(crate) fn new(root: u8, device: u8) -> Self {
        let (key, credential) = credential(root, 1, device);
        Self {
            store: MemoryMlsStore::default(),
            rng: ChaCha20Rng::from_seed([root.wrapping_mul(16).wrapping_add(device); 32]),
            key,
            credential,
            epoch: EpochId::from_bytes([0; 32]),
            keys: None,
            read_to: Sequence::FIRST,
            rules: RuleVersion::SUPPORTED,
        }
    }

    pub(crate) fn identity(&self) -> Fingerprint {
        self.credential.identity()
    }

    /// One operation in one transaction: all of its writes are kept, or none.
    pub(crate) fn transact<T, E>(
        &mut self,
        operation: impl FnOnce(
            &mut Group,
            &Provider<'_>,
            &DeviceKey,
            &EpochId,
            &EpochKeys,
        ) -> Result<T, E>,
    ) -> Result<T, E> {
        let snapshot = self.store.snapshot();
        let provider = Provider::new(&self.store, &mut self.rng).supporting(self.rules);
        let mut group = Group::load(&provider, &CHANNEL).unwrap().expect("a stored group");
        let keys = self.keys.as_ref().expect("keys of the epoch");
        let result = operation(&mut group, &provider, &self.key, &self.epoch, keys);
        if result.is_err() {
            self.store.roll_back(snapshot);
        }
        result
    }

    pub(crate) fn group(&mut self) -> Group {
        let provider = Provider::new(&self.store, &mut self.rng).supporting(self.rules);
        Group::load(&provider, &CHANNEL).unwrap().expect("a stored group")
    }

    pub(crate) fn create(&mut self, suite: Suite, kind: GroupKind) {
        let state = GroupState::new(kind, self.identity());
        let provider = Provider::new(&self.store, &mut self.rng).supporting(self.rules);
        let created =
            Group::create(&provider, &self.key, &self.credential, &CHANNEL, suite, state).unwrap();
        let key = created.keys.public_key();
        self.epoch = root_epoch_id(&CHANNEL, &key, &Nonce::from_bytes([0; 32]));
        self.keys = Some(created.keys);
    }

    pub(crate) fn key_package(&mut self, suite: Suite) -> VerifiedKeyPackage {
        self.key_package_for(suite, KeyPackageUse::Once)
    }

    pub(crate) fn key_package_for(
        &mut self,
        suite: Suite,
        usage: KeyPackageUse,
    ) -> VerifiedKeyPackage {
        let provider = Provider::new(&self.store, &mut self.rng).supporting(self.rules);
        let own =
            OwnKeyPackage::generate(&provider, &self.key, &self.credential, suite, usage).unwrap();
        let verified = UnverifiedKeyPackage::parse(&own.bytes).unwrap().verify(suite).unwrap();
        assert_eq!(verified.reference(), own.reference);
        verified
    }

    pub(crate) fn binding(&self) -> LogPlace {
        LogPlace { read_to: self.read_to, head: first_head(&CHANNEL, &self.epoch) }
    }

    pub(crate) fn say(&mut self, text: &str) -> Entry {
        let binding = self.binding();
        let sealed = self
            .transact(|group, provider, key, epoch, keys| {
                group.seal_message(provider, key, epoch, keys, text.as_bytes(), binding)
            })
            .unwrap();
        Entry { epoch: self.epoch, operation: Operation::Message, envelope: sealed.envelope }
    }

    pub(crate) fn ask_to_leave(&mut self) -> Entry {
        let sealed = self
            .transact(|group, provider, key, epoch, keys| {
                group.seal_leave(provider, key, epoch, keys)
            })
            .unwrap();
        Entry { epoch: self.epoch, operation: Operation::Message, envelope: sealed.envelope }
    }

    pub(crate) fn try_begin(
        &mut self,
        intent: CommitIntent,
        contested: &[EntryId],
        report: Option<Report>,
    ) -> Result<OwnCommit, GroupError> {
        let basis = CommitBasis { read: self.binding(), contested: contested.to_vec(), report };
        let PendingCommit { envelope, mark, welcomes, group_info, next_keys } =
            self.transact(|group, provider, key, epoch, keys| {
                group.begin_commit(provider, key, epoch, keys, intent, basis)
            })?;
        let entry = Entry { epoch: self.epoch, operation: Operation::Commit(mark), envelope };
        Ok(OwnCommit { entry, welcomes, group_info, next_keys })
    }

    pub(crate) fn begin(&mut self, intent: CommitIntent) -> OwnCommit {
        self.try_begin(intent, &[], None).unwrap()
    }

    pub(crate) fn confirm(&mut self, commit: OwnCommit) -> (Entry, Welcomes) {
        self.transact(|group, provider, _, _, _| group.confirm_commit(provider)).unwrap();
        self.epoch = commit.entry.opens();
        self.keys = Some(commit.next_keys);
        let group = self.group();
        let snapshot = group.snapshot(commit.group_info).unwrap();
        let suite = group.suite().unwrap();
        (commit.entry, Welcomes { suite, joiners: commit.welcomes, snapshot })
    }

    pub(crate) fn abandon(&mut self) {
        self.transact(|group, provider, _, _, _| group.abandon_commit(provider)).unwrap();
    }

    pub(crate) fn open(&mut self, entry: &Entry) -> Result<Opened, OpenError> {
        self.transact(|group, provider, _, epoch, keys| {
            group.open_entry(provider, epoch, keys, &entry.operation, &entry.envelope)
        })
    }

    pub(crate) fn hear(&mut self, entry: &Entry) -> OpenedMessage {
        match self.open(entry).unwrap() {
            Opened::Message(message) => message,
            other => panic!("expected a message, got {other:?}"),
        }
    }

    pub(crate) fn hear_leave(&mut self, entry: &Entry) -> LeaveProposal {
        match self.open(entry).unwrap() {
            Opened::Leave(leave) => leave.proposal,
            other => panic!("expected a leave, got {other:?}"),
        }
    }

    /// Opens and applies in one transaction, as a client does.
    pub(crate) fn try_apply(&mut self, entry: &Entry) -> Result<Applied, OpenError> {
        let applied = self.transact(|group, provider, _, epoch, keys| {
            match group.open_entry(provider, epoch, keys, &entry.operation, &entry.envelope)? {
                Opened::Commit(candidate) => apply(candidate, group, provider),
                other => panic!("expected a commit, got {other:?}"),
            }
        })?;
        Ok(applied)
    }

    pub(crate) fn apply(&mut self, entry: &Entry) -> Applied {
        let mut applied = self.try_apply(entry).unwrap();
        self.epoch = entry.opens();
        self.keys = match core::mem::replace(&mut applied.outcome, Outcome::Removed) {
            Outcome::Stays(keys) => {
                applied.outcome =
                    Outcome::Stays(EpochKeys::from_secret_bytes(&keys.to_secret_bytes()));
                Some(keys)
            }
            gone @ (Outcome::Removed | Outcome::Readmitted) => {
                applied.outcome = gone;
                None
            }
        };
        applied
    }

    pub(crate) fn try_join(&mut self, welcomed: Welcomed<'_>) -> Result<(), OpenError> {
        self.try_join_at(&CHANNEL, welcomed)
    }

    pub(crate) fn try_join_at(
        &mut self,
        channel: &ChannelId,
        welcomed: Welcomed<'_>,
    ) -> Result<(), OpenError> {
        let saved = self.store.snapshot();
        let provider = Provider::new(&self.store, &mut self.rng).supporting(self.rules);
        match Group::join(&provider, &self.key, channel, welcomed) {
            Ok(joined) => {
                self.keys = Some(joined.keys);
                Ok(())
            }
            Err(error) => {
                self.store.roll_back(saved);
                Err(error)
            }
        }
    }
}

fn apply(
    candidate: StagedCandidate,
    group: &mut Group,
    provider: &Provider<'_>,
) -> Result<Applied, OpenError> {
    Ok(candidate.apply(group, provider)?)
}

pub(crate) fn adding(packages: Vec<VerifiedKeyPackage>) -> CommitIntent {
    CommitIntent { add: packages, ..CommitIntent::default() }
}

/// `members[0]` adds the device; all others apply the commit.
pub(crate) fn admit(members: &mut [Device], newcomer: &mut Device, suite: Suite) {
    let package = newcomer.key_package(suite);
    let commit = members[0].begin(adding(vec![package]));
    spread(members, 0, commit, &mut [newcomer]);
}

/// The author confirms its commit, the others apply it, the newcomers join.
pub(crate) fn spread(
    members: &mut [Device],
    author: usize,
    commit: OwnCommit,
    newcomers: &mut [&mut Device],
) {
    let (entry, welcomes) = members[author].confirm(commit);
    for index in (0..members.len()).filter(|index| *index != author) {
        members[index].apply(&entry);
    }
    assert_eq!(welcomes.joiners.len(), newcomers.len());
    for newcomer in newcomers {
        let taken = welcomes.each().any(|welcomed| newcomer.try_join(welcomed).is_ok());
        assert!(taken, "one of the welcomes is for each newcomer");
        newcomer.epoch = entry.opens();
    }
}

/// A group of so many people with one device each; the first owns it.
pub(crate) fn group_of(count: u8, suite: Suite) -> Vec<Device> {
    let mut members = vec![Device::new(1, 1)];
    members[0].create(suite, GroupKind::Group);
    let mut newcomers: Vec<_> = (2..=count).map(|root| Device::new(root, 1)).collect();
    if newcomers.is_empty() {
        return members;
    }
    let packages = newcomers.iter_mut().map(|device| device.key_package(suite)).collect();
    let commit = members[0].begin(adding(packages));
    spread(&mut members, 0, commit, &mut newcomers.iter_mut().collect::<Vec<_>>());
    members.extend(newcomers);
    members
}

/// Every device holds the same epoch, keys and members.
pub(crate) fn assert_agreement(members: &mut [Device]) {
    let expected = members[0].group().epoch_authenticator();
    let roster = members[0].group().members().unwrap();
    let key = members[0].keys.as_ref().unwrap().public_key();
    let epoch = members[0].epoch;
    for member in members {
        let group = member.group();
        assert_eq!(group.epoch_authenticator(), expected);
        assert_eq!(group.members().unwrap(), roster);
        assert_eq!(member.keys.as_ref().unwrap().public_key(), key);
        assert_eq!(member.epoch, epoch);
    }
}
