//! A member that is moved by hand: it has the store of a person's device, and makes whatever commits it
//! is told to.

use hushwire_engine::{
    store::{Store as _, Table},
    transaction::Transaction,
};
use hushwire_protocol::{
    epoch::EpochKeys,
    group::{
        CommitBasis, CommitIntent, Group, GroupError, KeyPackageUse, LogPlace, OwnKeyPackage,
        UnverifiedKeyPackage, VerifiedKeyPackage,
    },
    identity::{DeviceCredential, DeviceKey, UnverifiedCredential},
    provider::{Provider, Suite},
};
use hushwire_wire::{
    id::{ChannelId, EpochId},
    message::Answer,
    transcript::{self, Operation},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::{ClientStore, Who, World, thief::record};

/// A member moved by hand.
pub(crate) struct Puppet {
    store: ClientStore,
    rng: ChaCha20Rng,
    pub(crate) key: DeviceKey,
    pub(crate) credential: DeviceCredential,
    channel: ChannelId,
    pub(crate) epoch: EpochId,
    keys: EpochKeys,
}

#[derive(serde::Deserialize)]
struct StoredIdentity {
    credential: serde_bytes::ByteBuf,
    device_key: serde_bytes::ByteBuf,
}

impl World {
    /// Takes the place of a person's device, which has to stay away from then on.
    pub(crate) fn puppet(&mut self, who: Who, channel: &ChannelId) -> Puppet {
        let stolen = self.steal(who, channel);
        let store = self.profile(who);
        let identity: StoredIdentity = record(&store, Table::Profile, b"identity");
        Puppet {
            store,
            rng: ChaCha20Rng::seed_from_u64(4242 + who.0 as u64),
            key: DeviceKey::from_bytes(&identity.device_key.as_slice().try_into().unwrap()),
            credential: UnverifiedCredential::parse(&identity.credential)
                .unwrap()
                .verify()
                .unwrap(),
            channel: *channel,
            epoch: stolen.epoch,
            keys: stolen.keys,
        }
    }

    /// Commits in an epoch without messages, and goes on in the next one.
    pub(crate) fn commit_as(&mut self, puppet: &mut Puppet, intent: CommitIntent) {
        let tx = Transaction::new(&puppet.store);
        let provider = Provider::new(&tx, &mut puppet.rng);
        let mut group = Group::load(&provider, &puppet.channel).unwrap().unwrap();
        let read = LogPlace::start(&puppet.channel, &puppet.epoch);
        let pending = group
            .begin_commit(
                &provider,
                &puppet.key,
                &puppet.epoch,
                &puppet.keys,
                intent,
                CommitBasis::first(read),
            )
            .unwrap();
        group.confirm_commit(&provider).unwrap();
        let operation = Operation::Commit(pending.mark);
        let content = transcript::content_hash(&pending.envelope);
        let entry = transcript::entry_id(&puppet.channel, &puppet.epoch, &operation, &content);
        let stolen = super::thief::Stolen {
            channel: puppet.channel,
            epoch: puppet.epoch,
            keys: EpochKeys::from_secret_bytes(&puppet.keys.to_secret_bytes()),
        };
        let changes = tx.into_changes();
        puppet.store.apply(changes).unwrap();
        puppet.epoch = EpochId::from_bytes(*entry.as_bytes());
        puppet.keys = pending.next_keys;
        let answer = self.inject(0, &stolen, operation, &pending.envelope);
        assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
    }

    /// Why a member could not commit this, if it could not.
    pub(crate) fn refuses_commit(
        &mut self,
        puppet: &mut Puppet,
        intent: CommitIntent,
    ) -> Option<GroupError> {
        let tx = Transaction::new(&puppet.store);
        let provider = Provider::new(&tx, &mut puppet.rng);
        let mut group = Group::load(&provider, &puppet.channel).unwrap().unwrap();
        let basis = CommitBasis::first(LogPlace::start(&puppet.channel, &puppet.epoch));
        let (epoch, keys) = (&puppet.epoch, &puppet.keys);
        group.begin_commit(&provider, &puppet.key, epoch, keys, intent, basis).err()
    }
}

impl Puppet {
    /// A key package of this device, whose private part nobody has.
    pub(crate) fn package(&mut self, usage: KeyPackageUse) -> Vec<u8> {
        let store = ClientStore::default();
        let tx = Transaction::new(&store);
        let provider = Provider::new(&tx, &mut self.rng);
        OwnKeyPackage::generate(&provider, &self.key, &self.credential, Suite::Hybrid, usage)
            .unwrap()
            .bytes
    }
}

/// A key package as others take it.
pub(crate) fn verified(package: &[u8]) -> VerifiedKeyPackage {
    UnverifiedKeyPackage::parse(package).unwrap().verify(Suite::Hybrid).unwrap()
}
