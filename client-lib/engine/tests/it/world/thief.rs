//! What somebody can do who has stolen a store, and what a relay can do by itself: go back, or be
//! another one.

use bytes::Bytes;
use hushwire_engine::{
    session::SessionNumber,
    store::{Order, Range, Store as _, Table},
    transaction::Transaction,
};
use hushwire_protocol::{
    content::Content as MimiContent,
    epoch::EpochKeys,
    group::{CommitBasis, CommitIntent, Group, LogPlace, Statement},
    identity::{
        DeviceEntry, DeviceKey, DeviceKind, DeviceListVersion, ManagerKey, UnverifiedCredential,
        device_list::DeviceListTerms,
    },
    insider::Seals,
    provider::Provider,
};
use hushwire_wire::{
    frame::RequestFrame,
    id::{ChainHead, ChannelId, EntryId, EpochId, Nonce, Sequence, SlotId, Timestamp},
    message::{Answer, Content, Handle, Hello, Request, RequestId},
    transcript::{self, Cut, Operation},
    version::VersionRange,
};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::{ClientStore, MemoryStore, Who, World, relay::RelayKey};

/// A thief's place at a relay.
pub(crate) struct Seat {
    relay: usize,
    session: u64,
    handle: Handle,
    last: u64,
}

impl World {
    /// A person's keys and place in the group of a chat, as a thief of the open store has them.
    pub(crate) fn steal(&mut self, who: Who, channel: &ChannelId) -> Stolen {
        let store = self.people[who.0].engine.take().unwrap().into_store();
        let group: StolenGroup = record(&store, Table::Group, channel.as_bytes());
        let epoch = EpochId::from_slice(&group.epoch).unwrap();
        let key = [&channel.as_bytes()[..], &epoch.as_bytes()[..]].concat();
        let keys: StolenEpoch = record(&store, Table::Epoch, &key);
        let now = self.time_of(who);
        self.restart_on(who, store, now);
        Stolen {
            channel: *channel,
            epoch,
            keys: EpochKeys::from_secret_bytes(&(**keys.keys).try_into().unwrap()),
        }
    }

    /// Where a person expects the next entry of a channel.
    pub(crate) fn next_place(&mut self, who: Who, channel: &ChannelId) -> Sequence {
        self.log_place(who, channel).read_to
    }

    /// How far a person has read a channel, and to which head.
    pub(crate) fn log_place(&mut self, who: Who, channel: &ChannelId) -> LogPlace {
        #[derive(serde::Deserialize)]
        struct Place {
            next: u64,
            head: serde_bytes::ByteBuf,
        }
        let store = self.people[who.0].engine.take().unwrap().into_store();
        let group: StolenGroup = record(&store, Table::Group, channel.as_bytes());
        let key = [&channel.as_bytes()[..], &group.epoch[..]].concat();
        let place: Place = record(&store, Table::Epoch, &key);
        let now = self.time_of(who);
        self.restart_on(who, store, now);
        LogPlace {
            read_to: Sequence(place.next),
            head: ChainHead::from_slice(&place.head).unwrap(),
        }
    }

    /// The channels of a person's groups.
    pub(crate) fn channels(&mut self, who: Who) -> Vec<ChannelId> {
        let store = self.people[who.0].engine.take().unwrap().into_store();
        let range = Range { prefix: &[], from: None, order: Order::Ascending, rows_max: 100 };
        let rows = store.rows(Table::Group, range).unwrap();
        let channels = rows.iter().map(|row| ChannelId::from_slice(&row.key).unwrap()).collect();
        let now = self.time_of(who);
        self.restart_on(who, store, now);
        channels
    }

    /// A copy of what a device has stored.
    pub(crate) fn profile(&self, who: Who) -> ClientStore {
        self.people[who.0].engine.as_ref().unwrap().store().clone()
    }

    /// Puts a device back to what it had stored.
    pub(crate) fn put_back(&mut self, who: Who, store: ClientStore) {
        let now = self.time_of(who);
        self.restart_on(who, store, now);
    }

    pub(super) fn restart_on(&mut self, who: Who, store: ClientStore, now: Timestamp) {
        let links: Vec<SessionNumber> = self.people[who.0].links.keys().copied().collect();
        for session in links {
            self.drop_link(who, session);
        }
        self.people[who.0].open(store, now);
        self.work();
    }

    /// Appends bytes to a channel with stolen keys; what the relay answers.
    pub(crate) fn inject(
        &mut self,
        relay: usize,
        stolen: &Stolen,
        operation: Operation,
        envelope: &[u8],
    ) -> Answer {
        let mut seat = self.take_seat(relay, stolen);
        let answer = self.push(&mut seat, operation, envelope);
        self.relays[relay].sessions.remove(&seat.session);
        answer
    }

    /// A session with stolen keys that stays open.
    pub(crate) fn take_seat(&mut self, relay: usize, stolen: &Stolen) -> Seat {
        let (session, handle) = self.break_in(relay, stolen);
        Seat { relay, session, handle, last: 1 }
    }

    /// Appends bytes from there; what the relay answers.
    pub(crate) fn push(
        &mut self,
        seat: &mut Seat,
        operation: Operation,
        envelope: &[u8],
    ) -> Answer {
        let now = self.now;
        seat.last += 1;
        let id = RequestId(seat.last);
        let content = Content::Inline(Bytes::copy_from_slice(envelope));
        let request = Request::Append { handle: seat.handle, content, operation };
        let relay = &mut self.relays[seat.relay];
        relay.take(now, seat.session, RequestFrame { id, request });
        let answers = core::mem::take(&mut relay.sessions.get_mut(&seat.session).unwrap().answers);
        self.work();
        answers.into_iter().find(|answer| answer.id == id).unwrap().answer
    }

    /// Says something in a group in somebody's name, whatever its client would say to it.
    pub(crate) fn smuggle(
        &mut self,
        who: Who,
        channel: &ChannelId,
        content: &MimiContent,
    ) -> Answer {
        let stolen = self.steal(who, channel);
        let key = self.device_key(who);
        let mut store = self.people[who.0].engine.take().unwrap().into_store();
        let mut rng = ChaCha20Rng::seed_from_u64(self.now.0);
        let transaction = Transaction::new(&store);
        let provider = Provider::new(&transaction, &mut rng);
        let mut group = Group::load(&provider, channel).unwrap().unwrap();
        let place = LogPlace::start(channel, &stolen.epoch);
        let bytes = content.encode().unwrap().into_bytes();
        let sealed =
            group.seal_message(&provider, &key, &stolen.epoch, &stolen.keys, &bytes, place);
        let envelope = sealed.unwrap().envelope;
        let changes = transaction.into_changes();
        store.apply(changes).unwrap();
        let now = self.time_of(who);
        self.restart_on(who, store, now);
        self.inject(0, &stolen, Operation::Message, &envelope)
    }

    /// Commits in a group in somebody's name, whatever its members will say to it; what the relay
    /// answers, and which entry it is.
    pub(crate) fn commit_unjudged(
        &mut self,
        who: Who,
        channel: &ChannelId,
        intent: CommitIntent,
        cut: Cut,
        seals: Seals,
    ) -> (Answer, EntryId) {
        let stolen = self.steal(who, channel);
        let key = self.device_key(who);
        let store = self.profile(who);
        let mut rng = ChaCha20Rng::seed_from_u64(self.now.0);
        let transaction = Transaction::new(&store);
        let provider = Provider::sealing(&transaction, &mut rng, seals);
        let mut group = Group::load(&provider, channel).unwrap().unwrap();
        let read = LogPlace::start(channel, &stolen.epoch);
        let basis = CommitBasis { read, contested: Vec::new(), report: None };
        let (epoch, keys) = (&stolen.epoch, &stolen.keys);
        let pending =
            group.begin_commit_unjudged(&provider, &key, epoch, keys, intent, basis, cut).unwrap();
        let operation = Operation::Commit(pending.mark);
        let content = transcript::content_hash(&pending.envelope);
        let entry = transcript::entry_id(channel, epoch, &operation, &content);
        (self.inject(0, &stolen, operation, &pending.envelope), entry)
    }

    /// A statement by somebody's leaf, as a note of an epoch.
    pub(crate) fn seal_statement(
        &mut self,
        who: Who,
        stolen: &Stolen,
        statement: Statement,
    ) -> Vec<u8> {
        let key = self.device_key(who);
        let store = self.profile(who);
        let mut rng = ChaCha20Rng::seed_from_u64(self.now.0);
        let transaction = Transaction::new(&store);
        let provider = Provider::new(&transaction, &mut rng);
        let Stolen { channel, epoch, keys } = stolen;
        statement.seal(&provider, channel, epoch, keys, &key).unwrap()
    }

    /// A device list of a person, signed by one of their devices, that names this device only.
    pub(crate) fn sign_list(&self, who: Who, version: u64) -> Vec<u8> {
        let identity: StolenDevice = record(&self.profile(who), Table::Profile, b"identity");
        let credential = UnverifiedCredential::parse(&identity.credential).unwrap();
        let credential = credential.verify().unwrap();
        let entry = DeviceEntry {
            device: credential.device(),
            slot: SlotId::from_slice(&identity.slot).unwrap(),
            certificate: credential.certificate().hash(),
            kind: DeviceKind::Manager,
        };
        let terms = DeviceListTerms {
            version: DeviceListVersion(version),
            issued_at: self.now,
            expires_at: self.now.plus_ms(24 * 60 * 60 * 1000),
            devices: vec![entry],
        };
        let manager = ManagerKey::from_bytes(identity.manager_key.as_slice().try_into().unwrap());
        manager.list_devices(credential.statement(), terms).unwrap().to_bytes()
    }

    fn device_key(&self, who: Who) -> DeviceKey {
        let store = self.people[who.0].engine.as_ref().unwrap().store();
        let identity: StolenDevice = record(store, Table::Profile, b"identity");
        DeviceKey::from_bytes(&identity.device_key.as_slice().try_into().unwrap())
    }

    /// How many commits a device's group has seen.
    pub(crate) fn epoch_number(&mut self, who: Who, channel: &ChannelId) -> u64 {
        let store = self.profile(who);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let transaction = Transaction::new(&store);
        let provider = Provider::new(&transaction, &mut rng);
        Group::load(&provider, channel).unwrap().unwrap().epoch_number()
    }

    /// Opens a session with stolen keys.
    fn break_in(&mut self, relay: usize, stolen: &Stolen) -> (u64, Handle) {
        let now = self.now;
        let relay = &mut self.relays[relay];
        let number = relay.open();
        let nonce = Nonce::from_bytes([9; 32]);
        let versions = VersionRange::SUPPORTED;
        let hello = Request::Hello(Hello { versions, nonce, capabilities: 0 });
        relay.take(now, number, RequestFrame { id: RequestId(0), request: hello });
        let reply = relay.sessions.get_mut(&number).unwrap().answers.pop_front().unwrap().answer;
        let Answer::Hello(reply) = reply else { panic!("no hello") };
        let session = transcript::session_id(1, &nonce, &reply.nonce, &reply.relay_key);
        let id = transcript::relay_id(&reply.relay_key);
        let signed = transcript::channel_open(&id, &session, &stolen.channel, &stolen.epoch);
        let request = Request::ChannelOpen {
            channel: stolen.channel,
            epoch: stolen.epoch,
            signature: signed.sign(&stolen.keys.signing),
        };
        relay.take(now, number, RequestFrame { id: RequestId(1), request });
        let answer = relay.sessions.get_mut(&number).unwrap().answers.pop_front().unwrap().answer;
        let Answer::ChannelOpened(opened) = answer else { panic!("not opened: {answer:?}") };
        (number, opened.handle)
    }

    /// A copy of what a relay has stored.
    pub(crate) fn backup(&self, relay: usize) -> MemoryStore {
        self.relays[relay].store.clone()
    }

    /// Puts a relay back to what it had stored; its sessions end.
    pub(crate) fn restore(&mut self, relay: usize, store: MemoryStore) {
        self.set_up(relay, false);
        self.relays[relay].store = store;
        self.set_up(relay, true);
    }

    /// Another relay stands at this one's place, or the first one again. Returns who was there.
    pub(crate) fn swap_key(&mut self, relay: usize, key: RelayKey) -> RelayKey {
        self.set_up(relay, false);
        let before = self.relays[relay].swap_key(key);
        self.set_up(relay, true);
        before
    }

    /// Gives a relay another key, as somebody who stands in its place has. Returns who was there.
    pub(crate) fn replace_key(&mut self, relay: usize) -> RelayKey {
        self.swap_key(relay, RelayKey::from_seed(77))
    }
}

/// The keys of an epoch, in the wrong hands.
pub(crate) struct Stolen {
    pub(crate) channel: ChannelId,
    pub(crate) epoch: EpochId,
    pub(crate) keys: EpochKeys,
}

#[derive(serde::Deserialize)]
struct StolenGroup {
    epoch: serde_bytes::ByteBuf,
}

#[derive(serde::Deserialize)]
struct StolenEpoch {
    keys: serde_bytes::ByteBuf,
}

pub(super) fn record<R: serde::de::DeserializeOwned>(
    store: &ClientStore,
    table: Table,
    key: &[u8],
) -> R {
    rmp_serde::from_slice(&store.row(table, key).unwrap().unwrap()).unwrap()
}

#[derive(serde::Deserialize)]
struct StolenDevice {
    device_key: serde_bytes::ByteBuf,
    manager_key: serde_bytes::ByteBuf,
    credential: serde_bytes::ByteBuf,
    slot: serde_bytes::ByteBuf,
}
