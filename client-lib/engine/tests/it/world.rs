//! A world: people with engines, relays with the real rules, a network that can be cut, and one
//! clock. Nothing sleeps; time passes when somebody waits for it.

use std::{collections::BTreeMap, sync::Arc};

use self::{
    insider::{Dice, Loaded},
    relay::{Relay, RelayKey},
};
use crate::disk::Disk;
use bytes::Bytes;
use hushwire_engine::{
    command::{
        ChatInfo, ChatNumber, Command, CommandError, LinkUse, MessageBody, MessageInfo,
        MessageNumber, MessageState, Reply, SecretText,
    },
    engine::{Engine, Settings},
    event::{Event, EventNumber},
    io::{Disconnect, Input, Output},
    memory::MemoryStore as ClientStore,
    session::SessionNumber,
    store::{Order, Range, Store as _, Table},
};
use hushwire_protocol::epoch::EpochKeys;
use hushwire_relay_rules::MemoryStore;
use hushwire_wire::{
    frame::{
        AnswerFrame, RequestFrame, decode_answer, decode_request, encode_answer, encode_request,
    },
    id::{ChannelId, EpochId, Nonce, Sequence, Timestamp},
    limit::Limits,
    message::{Answer, Content, Handle, Hello, Request, RequestId},
    transcript::{self, Operation},
    version::VersionRange,
};

pub(crate) mod insider;
mod relay;
pub(crate) mod witness;

/// When every world begins, in milliseconds since the Unix epoch.
const DAWN: Timestamp = Timestamp(1_800_000_000_000);

/// A person's device, by its place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who(pub(crate) usize);

pub(crate) struct World {
    now: Timestamp,
    people: Vec<Person>,
    relays: Vec<Relay>,
    tamper: Tamper,
    witness: witness::Witness,
}

struct Person {
    engine: Option<Engine<ClientStore>>,
    seed: u64,
    online: bool,
    /// What the person's clock shows beside the world's, in milliseconds.
    skew_ms: i64,
    links: BTreeMap<SessionNumber, Link>,
    /// What the person asks vanishes on its way.
    mute: bool,
    settings: Settings,
    /// The last reading of each epoch that was asked for.
    readings: BTreeMap<EpochId, Asked>,
    disk: Disk,
    /// Steps until it crashes.
    crash_in: Option<u32>,
    /// What its next draw gives, if that is not left to chance.
    loaded: Loaded,
}

/// A request that was asked on a session.
#[derive(Clone, Copy)]
struct Asked {
    session: SessionNumber,
    id: RequestId,
}

/// Changes an answer on its way, or drops it.
type Tamper = Box<dyn FnMut(AnswerFrame) -> Option<AnswerFrame>>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    relay: usize,
    session: u64,
}

impl World {
    pub(crate) fn new(relays: u8) -> Self {
        let relays = (1..=relays).map(Relay::new).collect();
        Self {
            now: DAWN,
            people: Vec::new(),
            relays,
            tamper: Box::new(Some),
            witness: Default::default(),
        }
    }

    /// A world whose relays take only so many bytes in an entry itself.
    pub(crate) fn with_inline_max(bytes: u32) -> Self {
        let mut world = Self::new(1);
        let limits = Limits { entry_inline_bytes_max: bytes, ..Limits::V1 };
        world.relays[0].limits = Arc::new(limits);
        world
    }

    /// From now on every answer goes through this.
    pub(crate) fn set_tamper(
        &mut self,
        tamper: impl FnMut(AnswerFrame) -> Option<AnswerFrame> + 'static,
    ) {
        self.tamper = Box::new(tamper);
    }

    /// What a device asks is lost on its way, or is not any more.
    pub(crate) fn set_mute(&mut self, who: Who, mute: bool) {
        self.people[who.0].mute = mute;
    }

    /// Opens a device anew with other settings.
    pub(crate) fn set_settings(&mut self, who: Who, settings: Settings) {
        self.people[who.0].settings = settings;
        self.restart(who);
    }

    /// How many connections a device has.
    pub(crate) fn connections(&self, who: Who) -> usize {
        self.people[who.0].links.len()
    }

    /// Says something to a device's last reading of an epoch, in the relay's name.
    pub(crate) fn whisper(&mut self, who: Who, epoch: EpochId, answer: Answer) {
        let Asked { session, id } = self.people[who.0].readings[&epoch];
        self.feed(who, Input::Frame(session, AnswerFrame { id, answer }));
        self.work();
    }

    /// Rows that a device has read from its store since it was opened.
    pub(crate) fn rows_read(&self, who: Who) -> u64 {
        self.people[who.0].engine.as_ref().unwrap().store().rows_read()
    }

    /// A person with an identity at a relay.
    pub(crate) fn person(&mut self, name: &str, relay: usize) -> Who {
        self.person_off_by(name, relay, 0)
    }

    /// A person whose clock is wrong from the beginning, in milliseconds.
    pub(crate) fn person_off_by(&mut self, name: &str, relay: usize, skew_ms: i64) -> Who {
        let who = self.device_off_by(skew_ms);
        let relay = self.relays[relay].address.clone();
        let reply = self.ask(who, Command::CreateIdentity { name: name.to_owned(), relay });
        assert!(matches!(reply, Reply::IdentityCreated { .. }));
        self.settle();
        who
    }

    /// A device without an identity.
    pub(crate) fn device(&mut self, _name: &str) -> Who {
        self.device_off_by(0)
    }

    fn device_off_by(&mut self, skew_ms: i64) -> Who {
        let seed = 1 + self.people.len() as u64;
        let mut person = Person {
            engine: None,
            seed: seed * 1_000,
            online: true,
            skew_ms,
            links: BTreeMap::new(),
            mute: false,
            settings: Settings::default(),
            readings: BTreeMap::new(),
            disk: Disk::default(),
            crash_in: None,
            loaded: Loaded::default(),
        };
        person.open(ClientStore::default(), Timestamp(self.now.0.saturating_add_signed(skew_ms)));
        self.people.push(person);
        Who(self.people.len() - 1)
    }

    /// Says something to an engine, and does what follows at once.
    pub(crate) fn try_ask(&mut self, who: Who, command: Command) -> Result<Reply, CommandError> {
        let now = self.time_of(who);
        let reply = self.people[who.0].engine.as_mut().unwrap().command(now, command);
        self.work();
        reply
    }

    pub(crate) fn ask(&mut self, who: Who, command: Command) -> Reply {
        self.try_ask(who, command).unwrap()
    }

    fn time_of(&self, who: Who) -> Timestamp {
        Timestamp(self.now.0.saturating_add_signed(self.people[who.0].skew_ms))
    }

    /// Sets a person's clock off.
    pub(crate) fn skew(&mut self, who: Who, milliseconds: i64) {
        self.people[who.0].skew_ms = milliseconds;
    }

    /// Cuts a device off, or connects it again.
    pub(crate) fn set_online(&mut self, who: Who, online: bool) {
        self.people[who.0].online = online;
        if !online {
            let links: Vec<SessionNumber> = self.people[who.0].links.keys().copied().collect();
            for session in links {
                self.drop_link(who, session);
                self.feed(who, Input::Disconnected(session, Disconnect::Network));
            }
        }
        self.work();
    }

    /// Stops a relay as a crash does, or starts it again on what it had stored.
    pub(crate) fn set_up(&mut self, relay: usize, up: bool) {
        self.relays[relay].up = up;
        if !up {
            self.relays[relay].sessions.clear();
            for who in (0..self.people.len()).map(Who) {
                let cut: Vec<SessionNumber> = self.people[who.0]
                    .links
                    .iter()
                    .filter(|(_, link)| link.relay == relay)
                    .map(|(session, _)| *session)
                    .collect();
                for session in cut {
                    self.people[who.0].links.remove(&session);
                    self.feed(who, Input::Disconnected(session, Disconnect::Network));
                }
            }
        }
        self.work();
    }

    /// The files that a device sees.
    pub(crate) fn disk(&mut self, who: Who) -> &mut Disk {
        &mut self.people[who.0].disk
    }

    /// Kills a client at its n-th step from now, file operations and answers counted: after the
    /// disk or the relay has done it, before the client hears of it.
    pub(crate) fn crash_at(&mut self, who: Who, step: u32) {
        self.people[who.0].crash_in = Some(step);
    }

    fn count_down(&mut self, who: Who) -> bool {
        let Some(left) = &mut self.people[who.0].crash_in else { return false };
        *left -= 1;
        let now = *left == 0;
        if now {
            self.people[who.0].crash_in = None;
        }
        now
    }

    /// Kills a client and opens it again on what it had stored.
    pub(crate) fn restart(&mut self, who: Who) {
        self.crash(who);
        self.work();
    }

    fn crash(&mut self, who: Who) {
        let links: Vec<SessionNumber> = self.people[who.0].links.keys().copied().collect();
        for session in links {
            self.drop_link(who, session);
        }
        let store = self.people[who.0].engine.take().unwrap().into_store();
        let now = self.time_of(who);
        self.people[who.0].disk.close_all();
        self.people[who.0].open(store, now);
    }

    fn drop_link(&mut self, who: Who, session: SessionNumber) {
        if let Some(link) = self.people[who.0].links.remove(&session) {
            self.relays[link.relay].sessions.remove(&link.session);
        }
    }

    fn feed(&mut self, who: Who, input: Input) {
        let now = self.time_of(who);
        self.people[who.0].engine.as_mut().unwrap().handle_input(now, input).unwrap();
    }

    /// Lets everything happen that can happen without time passing.
    pub(crate) fn work(&mut self) {
        for _ in 0..100_000 {
            let mut moved = false;
            for who in (0..self.people.len()).map(Who) {
                moved |= self.do_outputs(who);
                moved |= self.deliver(who);
            }
            if !moved {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Lets time pass until nobody waits for anything but the far future.
    pub(crate) fn settle(&mut self) {
        self.pass(20_000);
    }

    /// Lets so much time pass, in milliseconds.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        let until = self.now.plus_ms(milliseconds);
        self.work();
        for _ in 0..100_000 {
            let next = (0..self.people.len()).map(Who).filter_map(|who| self.deadline(who)).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            for who in (0..self.people.len()).map(Who) {
                self.feed(who, Input::Timeout);
            }
            self.work();
        }
        panic!("somebody is never done");
    }

    fn deadline(&self, who: Who) -> Option<Timestamp> {
        let person = &self.people[who.0];
        let at = person.engine.as_ref()?.poll_timeout()?;
        Some(Timestamp(at.0.saturating_add_signed(-person.skew_ms)))
    }

    fn do_outputs(&mut self, who: Who) -> bool {
        let mut moved = false;
        while let Some(output) = self.people[who.0].engine.as_mut().unwrap().poll_output() {
            moved = true;
            match output {
                Output::Connect { session, relay } => {
                    self.connect(who, session, &relay.to_string())
                }
                Output::Send { session, frame, .. } => self.send(who, session, frame),
                Output::Close(session) => self.drop_link(who, session),
                Output::Events | Output::StatusChanged => {}
                output => {
                    let crash = self.count_down(who);
                    let input = self.people[who.0].disk.take(output);
                    match input {
                        _ if crash => self.crash(who),
                        Some(input) => self.feed(who, input),
                        None => {}
                    }
                }
            }
        }
        moved
    }

    fn connect(&mut self, who: Who, session: SessionNumber, address: &str) {
        let online = self.people[who.0].online;
        let same_host =
            |relay: &Relay| relay.address.split('#').next() == address.split('#').next();
        let found = self.relays.iter().position(|relay| same_host(relay) && relay.up && online);
        let Some(relay) = found else {
            return self.feed(who, Input::Disconnected(session, Disconnect::Network));
        };
        if self.relays[relay].address != address {
            return self.feed(who, Input::Disconnected(session, Disconnect::KeyMismatch));
        }
        let link = Link { relay, session: self.relays[relay].open() };
        self.people[who.0].links.insert(session, link);
        self.feed(who, Input::Connected(session));
    }

    fn send(&mut self, who: Who, session: SessionNumber, frame: RequestFrame) {
        self.witness.see(who, session, &frame);
        let person = &mut self.people[who.0];
        let Some(link) = person.links.get(&session) else { return };
        if let Request::ChannelRead { epoch, .. } = &frame.request {
            person.readings.insert(*epoch, Asked { session, id: frame.id });
        }
        if person.mute {
            return;
        }
        let bytes = encode_request(&frame);
        let frame = decode_request(bytes.slice(4..)).expect("an engine sends valid frames");
        self.relays[link.relay].take(self.now, link.session, frame);
    }

    fn deliver(&mut self, who: Who) -> bool {
        let mut moved = false;
        let links: Vec<(SessionNumber, Link)> =
            self.people[who.0].links.iter().map(|(session, link)| (*session, *link)).collect();
        for (session, link) in links {
            let open = self.relays[link.relay].sessions.get_mut(&link.session);
            let Some(answer) = open.and_then(|open| open.answers.pop_front()) else { continue };
            moved = true;
            if self.count_down(who) {
                self.crash(who);
                return true;
            }
            let Some(answer) = (self.tamper)(answer) else { continue };
            let bytes = encode_answer(&answer);
            let answer = decode_answer(bytes.slice(4..)).expect("a relay sends valid frames");
            self.feed(who, Input::Frame(session, answer));
        }
        moved
    }

    // --- what an insider or the relay itself can do -------------------------------------------

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
        #[derive(serde::Deserialize)]
        struct Place {
            next: u64,
        }
        let store = self.people[who.0].engine.take().unwrap().into_store();
        let group: StolenGroup = record(&store, Table::Group, channel.as_bytes());
        let key = [&channel.as_bytes()[..], &group.epoch[..]].concat();
        let place: Place = record(&store, Table::Epoch, &key);
        let now = self.time_of(who);
        self.restart_on(who, store, now);
        Sequence(place.next)
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

    fn restart_on(&mut self, who: Who, store: ClientStore, now: Timestamp) {
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
        let now = self.now;
        let (number, handle) = self.break_in(relay, stolen);
        let content = Content::Inline(Bytes::copy_from_slice(envelope));
        let request = Request::Append { handle, content, operation };
        let relay = &mut self.relays[relay];
        relay.take(now, number, RequestFrame { id: RequestId(2), request });
        let answers = relay.sessions.remove(&number).unwrap().answers;
        self.work();
        answers.into_iter().find(|answer| answer.id == RequestId(2)).unwrap().answer
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

    /// Gives a relay another key, as somebody who stands in its place has.
    /// Another relay stands at this one's place, or the first one again. Returns who was there.
    pub(crate) fn swap_key(&mut self, relay: usize, key: RelayKey) -> RelayKey {
        self.set_up(relay, false);
        let before = self.relays[relay].swap_key(key);
        self.set_up(relay, true);
        before
    }

    pub(crate) fn replace_key(&mut self, relay: usize) -> RelayKey {
        self.swap_key(relay, RelayKey::from_seed(77))
    }

    // --- what people do -----------------------------------------------------------------------

    pub(crate) fn link(&mut self, who: Who, usage: LinkUse) -> SecretText {
        let reply = self.ask(who, Command::MakeLink { usage, expires_in_ms: None });
        let Reply::Link(link) = reply else { panic!("no link") };
        self.settle();
        link.text
    }

    /// Two people become contacts; the chat of each.
    pub(crate) fn befriend(&mut self, one: Who, other: Who) -> (ChatNumber, ChatNumber) {
        let link = self.link(other, LinkUse::Single);
        let Reply::Chat(chat) = self.ask(one, Command::AddContact { link }) else { panic!() };
        self.settle();
        let theirs = self.chats(other).remove(0);
        (chat.number, theirs.number)
    }

    pub(crate) fn say(&mut self, who: Who, chat: ChatNumber, text: &str) -> MessageNumber {
        let reply = self.ask(who, Command::SendText { chat, text: text.to_owned() });
        let Reply::Accepted { message, .. } = reply else { panic!("not accepted") };
        message
    }

    pub(crate) fn chats(&mut self, who: Who) -> Vec<ChatInfo> {
        let Reply::Chats(chats) = self.ask(who, Command::Chats) else { panic!() };
        chats
    }

    pub(crate) fn chat(&mut self, who: Who, name: &str) -> ChatInfo {
        self.chats(who).into_iter().find(|chat| chat.name == name).expect("no chat of that name")
    }

    pub(crate) fn messages(&mut self, who: Who, chat: ChatNumber) -> Vec<MessageInfo> {
        let command = Command::Messages { chat, from: MessageNumber(1), count_max: 1_000 };
        let Reply::Messages(messages) = self.ask(who, command) else { panic!() };
        messages
    }

    pub(crate) fn texts(&mut self, who: Who, chat: ChatNumber) -> Vec<String> {
        self.messages(who, chat)
            .into_iter()
            .map(|message| match message.body {
                MessageBody::Text(text) => text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    pub(crate) fn states(&mut self, who: Who, chat: ChatNumber) -> Vec<MessageState> {
        self.messages(who, chat).into_iter().map(|message| message.state).collect()
    }

    /// Every event so far; their numbers have no gap (spec: CLI-020).
    pub(crate) fn events(&mut self, who: Who) -> Vec<Event> {
        let command = Command::Events { from: EventNumber(1), count_max: 1_000 };
        let Reply::Events(events) = self.ask(who, command) else { panic!() };
        for (place, event) in (1..).zip(&events) {
            assert_eq!(event.number, EventNumber(place));
        }
        events.into_iter().map(|event| event.event).collect()
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

fn record<R: serde::de::DeserializeOwned>(store: &ClientStore, table: Table, key: &[u8]) -> R {
    rmp_serde::from_slice(&store.row(table, key).unwrap().unwrap()).unwrap()
}

impl Person {
    fn open(&mut self, store: ClientStore, now: Timestamp) {
        self.seed += 1;
        let rng = Box::new(Dice::new(self.seed, &self.loaded));
        self.engine = Some(Engine::open(store, rng, self.settings, now).unwrap());
    }
}
