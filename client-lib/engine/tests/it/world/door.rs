//! What former members, and holders of a link, can do at a group's door with what they know.

use bytes::Bytes;
use hushwire_engine::{
    command::ChatNumber,
    store::{Order, Range, Store as _, Table},
};
use hushwire_protocol::{
    card::ShelfKey,
    content::{Content, ControlEntry, ControlKind, ControlMessage, Salt},
    door::{DoorGeneration, DoorKeys, OwnerKeySeed},
    identity::{
        DeviceCredential, DeviceId, DeviceKey, DeviceSerial, ManagerCounter, ManagerKey, RootKey,
    },
    invitation::{ContactCard, InboxContent, JoinRequest},
    link::ContactLink,
    profile::ProfileName,
    seal::{InboxKey, InboxPublicKey, ItemSender, seal_item},
};
use hushwire_wire::{
    SigningKey,
    id::{CapabilitySecret, InboxId, Nonce, Sequence, SessionId, SlotId},
    message::{Answer, Follow, Handle, Hello, Request, RequestId},
    transcript,
    version::VersionRange,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::{RequestFrame, Who, World};

/// The keys of a door, as a member has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StolenDoor {
    inbox: InboxId,
    owner: [u8; 32],
    seal: [u8; 32],
}

impl StolenDoor {
    pub(crate) const fn inbox(&self) -> InboxId {
        self.inbox
    }

    pub(crate) fn inbox_key(&self) -> InboxKey {
        InboxKey::from_bytes(self.seal)
    }
}

#[derive(serde::Deserialize)]
struct StoredDoor {
    inbox: serde_bytes::ByteBuf,
    owner_key: serde_bytes::ByteBuf,
    seal_key: serde_bytes::ByteBuf,
}

impl World {
    fn doors(&self, who: Who) -> Vec<StoredDoor> {
        let store = self.profile(who);
        let range = Range { prefix: b"door ", from: None, order: Order::Ascending, rows_max: 100 };
        let rows = store.rows(Table::Profile, range).unwrap();
        let doors = rows.iter().filter(|row| !row.key.starts_with(b"door place "));
        doors.map(|row| rmp_serde::from_slice(&row.value).unwrap()).collect()
    }

    /// The keys of the one door that a device knows.
    pub(crate) fn door_keys(&self, who: Who) -> StolenDoor {
        let door = self.doors(who).remove(0);
        StolenDoor {
            inbox: InboxId::from_slice(&door.inbox).unwrap(),
            owner: door.owner_key.as_slice().try_into().unwrap(),
            seal: door.seal_key.as_slice().try_into().unwrap(),
        }
    }

    pub(crate) fn has_no_door(&self, who: Who) -> bool {
        self.doors(who).is_empty()
    }

    /// What the relay answers to who opens a door by these keys.
    pub(crate) fn open_door(&mut self, door: &StolenDoor) -> Answer {
        self.at_door(door).0
    }

    /// How many items wait in an inbox.
    pub(crate) fn items_at(&mut self, inbox: &InboxId) -> usize {
        let who = (0..self.people.len()).map(Who).find(|who| {
            self.doors(*who).iter().any(|door| door.inbox.as_slice() == inbox.as_bytes())
        });
        let keys = self.door_keys(who.unwrap());
        self.at_door(&keys).1
    }

    /// Gives a door an owner key that nobody knows.
    pub(crate) fn shut_door(&mut self, door: &StolenDoor) {
        let (number, handle, session) = self.enter_door(door);
        let now = self.now;
        let relay = &mut self.relays[0];
        let next = SigningKey::from_bytes(&[0x55; 32]);
        let next_owner_key = transcript::public_key(&next);
        let id = transcript::relay_id(&relay.signer.public_key());
        let signed = transcript::inbox_rotate(&id, &session, &door.inbox, &next_owner_key);
        let signature = signed.sign(&next);
        let rotate = Request::InboxRotate { handle, next_owner_key, signature };
        relay.take(now, number, RequestFrame { id: RequestId(2), request: rotate });
        let answer = relay.sessions.get_mut(&number).unwrap().answers.pop_front().unwrap().answer;
        assert_eq!(answer, Answer::Done);
        relay.sessions.remove(&number);
        self.work();
    }

    fn enter_door(&mut self, door: &StolenDoor) -> (u64, Handle, SessionId) {
        let (number, session, answer) = self.knock(door);
        let Answer::InboxOpened { handle, .. } = answer else { panic!("not opened: {answer:?}") };
        (number, handle, session)
    }

    fn at_door(&mut self, door: &StolenDoor) -> (Answer, usize) {
        let (number, _, answer) = self.knock(door);
        let now = self.now;
        let relay = &mut self.relays[0];
        let mut items = 0;
        if let Answer::InboxOpened { handle, .. } = &answer {
            let (handle, from, follow) = (*handle, Sequence::FIRST, Follow::UntilEnd);
            let read = Request::InboxRead { handle, from, follow };
            relay.take(now, number, RequestFrame { id: RequestId(2), request: read });
            let answers = &relay.sessions[&number].answers;
            items = answers.iter().filter(|it| matches!(it.answer, Answer::InboxItem(_))).count();
        }
        relay.sessions.remove(&number);
        (answer, items)
    }

    fn knock(&mut self, door: &StolenDoor) -> (u64, SessionId, Answer) {
        let now = self.now;
        let relay = &mut self.relays[0];
        let number = relay.open();
        let nonce = Nonce::from_bytes([9; 32]);
        let versions = VersionRange::SUPPORTED;
        let hello = Request::Hello(Hello { versions, nonce, capabilities: 0 });
        relay.take(now, number, RequestFrame { id: RequestId(0), request: hello });
        let reply = relay.sessions.get_mut(&number).unwrap().answers.pop_front().unwrap().answer;
        let Answer::Hello(reply) = reply else { panic!("no hello") };
        let session = transcript::session_id(1, &nonce, &reply.nonce, &reply.relay_key);
        let id = transcript::relay_id(&reply.relay_key);
        let (inbox, slot) = (door.inbox, SlotId::from_bytes([0; 16]));
        let key = SigningKey::from_bytes(&door.owner);
        let signature = transcript::inbox_open(&id, &session, &inbox, &slot).sign(&key);
        let open = Request::InboxOpen { inbox, slot, signature };
        relay.take(now, number, RequestFrame { id: RequestId(1), request: open });
        let answer = relay.sessions.get_mut(&number).unwrap().answers.pop_front().unwrap().answer;
        (number, session, answer)
    }

    /// A member says in its group that the door is another one.
    pub(crate) fn claim_door(&mut self, who: Who, chat: ChatNumber) {
        let inbox = self.door_keys(who).inbox;
        self.tell_at_door(who, chat, vec![door_entry(inbox, 1_000)]);
    }

    /// A member says something of the door in its group, whatever its client would say to it.
    pub(crate) fn tell_at_door(&mut self, who: Who, chat: ChatNumber, entries: Vec<ControlEntry>) {
        let channel = self.channel_of(who, chat);
        self.tell_in_group(who, &channel, entries);
    }

    /// Says control entries in a group, whatever its client would say.
    pub(crate) fn tell_in_group(
        &mut self,
        who: Who,
        channel: &hushwire_wire::id::ChannelId,
        entries: Vec<ControlEntry>,
    ) {
        let message = ControlMessage::new(entries).unwrap();
        // No two messages are the same.
        self.now = self.now.plus_ms(1);
        let mut salt = [4; 16];
        salt[..8].copy_from_slice(&self.now.0.to_be_bytes());
        let content = Content::control(Salt::from_bytes(salt), &message);
        let answer = self.smuggle(who, channel, &content);
        assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
    }

    fn channel_of(&mut self, who: Who, chat: ChatNumber) -> hushwire_wire::id::ChannelId {
        #[derive(serde::Deserialize)]
        struct StoredChat {
            channel: serde_bytes::ByteBuf,
        }
        let chat: StoredChat = self.row(who, Table::Chat, &chat.0.to_be_bytes());
        hushwire_wire::id::ChannelId::from_slice(&chat.channel).unwrap()
    }

    /// Somebody whom nobody has seen before asks at a door.
    pub(crate) fn ask_at_door(&mut self, link: &ContactLink, key: &InboxPublicKey) {
        self.ask_at_door_as(self.relays[0].last_session, link, key);
    }

    /// The same, by somebody who may ask again.
    pub(crate) fn ask_at_door_as(&mut self, seed: u64, link: &ContactLink, key: &InboxPublicKey) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let root = RootKey::from_bytes(&seed);
        let manager = ManagerKey::generate(&mut rng);
        let statement = root.state_manager(manager.public(), ManagerCounter(1));
        let device = DeviceKey::generate(&mut rng);
        let id = DeviceId::generate(&mut rng);
        let certificate = manager.certify(&statement, id, device.public(), DeviceSerial(1));
        let credential = DeviceCredential::new(statement.clone(), certificate).unwrap();
        let card = ContactCard {
            relay: link.relay.clone(),
            inbox: InboxId::from_bytes([1; 16]),
            capability: CapabilitySecret::from_bytes([2; 32]),
            statement,
            inbox_key: InboxKey::generate(&mut rng).public().unwrap(),
            shelf_key: ShelfKey::generate(&mut rng),
            device_list_minimum: Default::default(),
            name: ProfileName::new("Nobody").unwrap(),
        };
        let proof = link.secret.join_proof(&link.inbox, &credential.identity());
        let content = InboxContent::JoinRequest(Box::new(JoinRequest { proof, card }));
        let sender = ItemSender { credential: &credential, key: &device };
        let mut rng = ChaCha20Rng::seed_from_u64(self.relays[0].last_session);
        let item = seal_item(&link.inbox, key, sender, &content.to_bytes(), &mut rng).unwrap();
        let (inbox, secret) = (link.inbox, link.secret.capability());
        let item = Bytes::from(item);
        let answer = self.ask_relay(0, Request::InboxSend { inbox, secret, item });
        assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    }
}

/// The keys of a door as a member tells them.
pub(crate) fn door_entry(inbox: InboxId, generation: u64) -> ControlEntry {
    let keys = DoorKeys {
        inbox,
        generation: DoorGeneration(generation),
        owner: OwnerKeySeed::from_bytes([7; 32]),
        inbox_key: InboxKey::from_bytes([8; 32]),
        earlier: Vec::new(),
    };
    ControlEntry { kind: ControlKind::Door, payload: keys.to_bytes().to_vec() }
}
