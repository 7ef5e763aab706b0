//! What somebody can do who does not keep to the program: draw what they like, and write any item
//! to an inbox that they have a capability for.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hushwire_engine::store::{Change, Order, Range, Store as _, Table};
use hushwire_protocol::{
    identity::{DeviceKey, ManagerStatement, UnverifiedCredential},
    invitation::ContactCard,
    link::ContactLink,
    profile::ProfileName,
    seal::{InboxKey, ItemSender, seal_item},
};
use hushwire_wire::{
    frame::RequestFrame,
    id::{CapabilitySecret, ChannelId, InboxId, Nonce, SlotId},
    message::{Answer, Hello, Request, RequestId},
    version::VersionRange,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{SeedableRng as _, TryCryptoRng, TryRng};

use super::{Who, World, thief::record};

/// Bytes that the next draw of 32 bytes gives.
pub(super) type Loaded = Arc<Mutex<Option<[u8; 32]>>>;

/// Dice that can be loaded.
pub(super) struct Dice {
    fair: ChaCha20Rng,
    loaded: Loaded,
}

impl Dice {
    pub(super) fn new(seed: u64, loaded: &Loaded) -> Self {
        Self { fair: ChaCha20Rng::seed_from_u64(seed), loaded: Arc::clone(loaded) }
    }
}

impl TryRng for Dice {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.fair.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.fair.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        if let Ok(bytes) = <&mut [u8; 32]>::try_from(&mut *bytes)
            && let Some(loaded) = self.loaded.lock().unwrap().take()
        {
            *bytes = loaded;
            return Ok(());
        }
        self.fair.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Dice {}

/// Who a device is, as its store says.
#[derive(serde::Deserialize)]
pub(super) struct StoredIdentity {
    name: String,
    statement: serde_bytes::ByteBuf,
    credential: serde_bytes::ByteBuf,
    pub(super) device_key: serde_bytes::ByteBuf,
    slot: serde_bytes::ByteBuf,
    device: serde_bytes::ByteBuf,
    own_group: serde_bytes::ByteBuf,
}

#[derive(serde::Deserialize)]
struct StoredInbox {
    relay: String,
    inbox: serde_bytes::ByteBuf,
    owner_key: serde_bytes::ByteBuf,
    seal_key: serde_bytes::ByteBuf,
    shelf_key: serde_bytes::ByteBuf,
    own_capability: serde_bytes::ByteBuf,
    old_seal_keys: Vec<serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
struct StoredContact {
    card: serde_bytes::ByteBuf,
}

pub(super) fn array<const N: usize>(bytes: &serde_bytes::ByteBuf) -> [u8; N] {
    bytes.as_slice().try_into().unwrap()
}

impl World {
    /// The next 32 bytes that a device draws at random are these.
    pub(crate) fn load_dice(&mut self, who: Who, bytes: [u8; 32]) {
        *self.people[who.0].loaded.lock().unwrap() = Some(bytes);
    }

    /// A relay's address, as people write it.
    pub(crate) fn address(&self, relay: usize) -> String {
        self.relays[relay].address.clone()
    }

    /// Makes a device believe that its inbox is at another relay: what it forms from then on is there.
    pub(crate) fn move_inbox(&mut self, who: Who, from: usize, to: usize) {
        let mut store = self.people[who.0].engine.take().unwrap().into_store();
        let mut value = store.row(Table::Profile, b"inbox").unwrap().unwrap();
        let [from, to] = [from, to].map(|relay| self.relays[relay].address.clone());
        let at = value.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        value[at..at + from.len()].copy_from_slice(to.as_bytes());
        let change = Change { table: Table::Profile, key: b"inbox".to_vec(), value: Some(value) };
        store.apply(vec![change]).unwrap();
        let now = self.time_of(who);
        self.restart_on(who, store, now);
    }

    /// A row of a device's store.
    pub(super) fn row<R: serde::de::DeserializeOwned>(
        &mut self,
        who: Who,
        table: Table,
        key: &[u8],
    ) -> R {
        let store = self.people[who.0].engine.take().unwrap().into_store();
        let row = record(&store, table, key);
        let now = self.time_of(who);
        self.restart_on(who, store, now);
        row
    }

    /// A card that names somebody, their inbox and a capability for it.
    pub(crate) fn card(&mut self, of: Who, capability: CapabilitySecret) -> ContactCard {
        let identity: StoredIdentity = self.row(of, Table::Profile, b"identity");
        let inbox: StoredInbox = self.row(of, Table::Profile, b"inbox");
        ContactCard {
            relay: inbox.relay.parse().unwrap(),
            inbox: InboxId::from_bytes(array(&inbox.inbox)),
            capability,
            statement: ManagerStatement::decode(&identity.statement).unwrap(),
            inbox_key: InboxKey::from_bytes(array(&inbox.seal_key)).public().unwrap(),
            shelf_key: hushwire_protocol::card::ShelfKey::from_bytes(array(&inbox.shelf_key)),
            device_list_minimum: Default::default(),
            name: ProfileName::new(&identity.name).unwrap(),
        }
    }

    /// The capability by which an identity's own devices write to its inbox.
    pub(crate) fn own_capability(&mut self, of: Who) -> CapabilitySecret {
        let inbox: StoredInbox = self.row(of, Table::Profile, b"inbox");
        CapabilitySecret::from_bytes(array(&inbox.own_capability))
    }

    /// The card that one device has of somebody with this fingerprint.
    pub(crate) fn known_card(&mut self, who: Who, fingerprint: &str) -> ContactCard {
        let key = hex::decode(fingerprint).unwrap();
        let contact: StoredContact = self.row(who, Table::Contact, &key);
        ContactCard::decode(&contact.card).unwrap()
    }

    /// The card that one device has of another person.
    pub(crate) fn reaching(&mut self, from: Who, to: Who) -> ContactCard {
        let identity: StoredIdentity = self.row(to, Table::Profile, b"identity");
        let statement = ManagerStatement::decode(&identity.statement).unwrap();
        self.known_card(from, &statement.identity().to_hex())
    }

    /// The id of a device.
    pub(crate) fn device_id(&self, of: Who) -> [u8; 16] {
        array(&self.stored_identity(of).device)
    }

    /// The channel of the group of a device's own devices.
    pub(crate) fn own_group(&self, of: Who) -> ChannelId {
        ChannelId::from_bytes(array(&self.stored_identity(of).own_group))
    }

    fn stored_identity(&self, of: Who) -> StoredIdentity {
        let store = self.people[of.0].engine.as_ref().unwrap().store();
        record(store, Table::Profile, b"identity")
    }

    /// A device's place in its identity's inbox.
    pub(crate) fn slot(&mut self, of: Who) -> SlotId {
        let identity: StoredIdentity = self.row(of, Table::Profile, b"identity");
        SlotId::from_bytes(array(&identity.slot))
    }

    /// The inbox's owner key and seal key, as a device has them.
    pub(crate) fn inbox_keys(&mut self, of: Who) -> [Vec<u8>; 2] {
        let inbox: StoredInbox = self.row(of, Table::Profile, b"inbox");
        [inbox.owner_key.into_vec(), inbox.seal_key.into_vec()]
    }

    /// Opens an item of somebody's inbox with their key.
    pub(crate) fn open_item(&mut self, of: Who, item: &[u8]) -> Vec<u8> {
        self.try_open_item(of, item).unwrap()
    }

    /// The same, if it is sealed to that key.
    pub(crate) fn try_open_item(&mut self, of: Who, item: &[u8]) -> Option<Vec<u8>> {
        let inbox: StoredInbox = self.row(of, Table::Profile, b"inbox");
        let id = InboxId::from_bytes(array(&inbox.inbox));
        let key = InboxKey::from_bytes(array(&inbox.seal_key));
        let opened = hushwire_protocol::seal::open_item(&id, &key, item).ok()?;
        Some(opened.content.to_vec())
    }

    /// Takes a key package from somebody's shelf, by their card.
    pub(crate) fn take_package(&mut self, of: Who, card: &ContactCard) -> Answer {
        let identity: StoredIdentity = self.row(of, Table::Profile, b"identity");
        let secret = CapabilitySecret::from_bytes(*card.capability.expose());
        let slot = SlotId::from_bytes(array(&identity.slot));
        self.ask_relay(0, Request::ShelfTake { inbox: card.inbox, secret, slot })
    }

    /// How many key packages of its own a device can still use.
    pub(crate) fn own_packages(&mut self, of: Who) -> usize {
        let store = self.people[of.0].engine.take().unwrap().into_store();
        let prefix = b"package ";
        let range = Range { prefix, from: None, order: Order::Ascending, rows_max: 10_000 };
        let count = store.rows(Table::Profile, range).unwrap().len();
        let now = self.time_of(of);
        self.restart_on(of, store, now);
        count
    }

    /// How many earlier seal keys a device still has.
    pub(crate) fn old_seal_keys(&mut self, of: Who) -> usize {
        let inbox: StoredInbox = self.row(of, Table::Profile, b"inbox");
        inbox.old_seal_keys.len()
    }

    /// Writes an item to the inbox of `to`, by a capability for it, signed by the device of `from`.
    pub(crate) fn write_item(
        &mut self,
        from: Who,
        to: Who,
        capability: CapabilitySecret,
        content: &[u8],
    ) -> Answer {
        let card = self.card(to, capability);
        self.write_by(from, &card, &[content]).remove(0)
    }

    /// Writes items as a card says, signed by the device of `from`; what the relay answers.
    pub(crate) fn write_by(
        &mut self,
        from: Who,
        card: &ContactCard,
        contents: &[&[u8]],
    ) -> Vec<Answer> {
        let identity: StoredIdentity = self.row(from, Table::Profile, b"identity");
        let credential =
            UnverifiedCredential::parse(&identity.credential).unwrap().verify().unwrap();
        let key = DeviceKey::from_bytes(&array(&identity.device_key));
        self.write_as(ItemSender { credential: &credential, key: &key }, card, contents)
    }

    /// Writes items as a card says, signed by any device; what the relay answers.
    pub(crate) fn write_as(
        &mut self,
        sender: ItemSender<'_>,
        card: &ContactCard,
        contents: &[&[u8]],
    ) -> Vec<Answer> {
        let mut rng = ChaCha20Rng::seed_from_u64(99);
        let answers = contents
            .iter()
            .map(|content| {
                let item =
                    seal_item(&card.inbox, &card.inbox_key, sender, content, &mut rng).unwrap();
                let secret = CapabilitySecret::from_bytes(*card.capability.expose());
                let item = Bytes::from(item);
                self.ask_relay(0, Request::InboxSend { inbox: card.inbox, secret, item })
            })
            .collect();
        self.work();
        answers
    }

    /// What a relay answers to a request of somebody on a session of their own.
    pub(crate) fn ask_relay(&mut self, relay: usize, request: Request) -> Answer {
        let now = self.now;
        let relay = &mut self.relays[relay];
        let number = relay.open();
        let hello = Request::Hello(Hello {
            versions: VersionRange::SUPPORTED,
            nonce: Nonce::from_bytes([8; 32]),
            capabilities: 0,
        });
        relay.take(now, number, RequestFrame { id: RequestId(0), request: hello });
        relay.take(now, number, RequestFrame { id: RequestId(1), request });
        let answers = relay.sessions.remove(&number).unwrap().answers;
        answers.into_iter().find(|answer| answer.id == RequestId(1)).unwrap().answer
    }
}

/// The capability in a contact link.
pub(crate) fn capability_of(link: &hushwire_engine::command::SecretText) -> CapabilitySecret {
    ContactLink::parse(link.expose()).unwrap().secret.capability()
}
