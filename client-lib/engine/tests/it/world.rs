//! A world: people with engines, relays with the real rules, a network that can be cut, and one
//! clock. Nothing sleeps; time passes when somebody waits for it.

use std::{collections::BTreeMap, sync::Arc};

use self::{
    insider::{Dice, Loaded},
    relay::Relay,
};
use crate::disk::Disk;
use hushwire_engine::{
    command::{Command, CommandError, Reply},
    engine::{Engine, Settings},
    io::{Disconnect, Input, Output},
    memory::MemoryStore as ClientStore,
    session::SessionNumber,
};
use hushwire_protocol::group::{LogPlace, RuleVersion};
use hushwire_relay_rules::MemoryStore;
use hushwire_wire::{
    error::{Code, Refusal},
    frame::{
        AnswerFrame, RequestFrame, decode_answer, decode_request, encode_answer, encode_request,
    },
    id::{ChannelId, EpochId, Sequence, Timestamp},
    limit::Limits,
    message::{Answer, Entry, EntryBody, EpochEnd, Request, RequestId},
    transcript::{self, Operation},
};

pub(crate) mod ages;
mod doings;
pub(crate) mod door;
pub(crate) mod insider;
mod late;
pub(crate) mod past;
pub(crate) mod puppet;
mod relay;
mod thief;
pub(crate) mod witness;

pub(crate) use thief::Stolen;

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
    late: late::Late,
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
    /// What the person commits vanishes on its way.
    commits_lost: bool,
    commits_refused: bool,
    /// Relays say that they know none of its epochs.
    barred: bool,
    settings: Settings,
    /// The last reading of each epoch that was asked for.
    readings: BTreeMap<EpochId, Asked>,
    disk: Disk,
    /// Steps until it crashes.
    crash_in: Option<u32>,
    /// What its next draw gives, if that is not left to chance.
    loaded: Loaded,
    /// The newest rules of groups that its program knows.
    rules: RuleVersion,
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

/// The end of an epoch behind these entries, which stand behind a place, as a relay signs it.
pub(crate) fn end_behind(
    relay: usize,
    channel: &ChannelId,
    place: LogPlace,
    entries: &[Entry],
) -> EpochEnd {
    let epoch = entries[0].epoch;
    let mut place = place;
    for entry in entries {
        let id = match &entry.body {
            EntryBody::Whole { content, operation } => {
                transcript::entry_id(channel, &epoch, operation, &content.hash())
            }
            EntryBody::Expired(id) => *id,
        };
        let head = transcript::next_head(&place.head, entry.sequence, &id);
        place = LogPlace { read_to: entry.sequence.next(), head };
    }
    let key = relay::signing_key(u8::try_from(relay).unwrap() + 1);
    let relay = transcript::relay_id(&transcript::public_key(&key));
    let last = Sequence(place.read_to.0 - 1);
    let receipt = transcript::entry_receipt(&relay, channel, &epoch, last, &place.head);
    let signature = Some(receipt.sign(&key));
    EpochEnd { epoch, next: place.read_to, head: place.head, signature }
}

impl World {
    pub(crate) fn new(relays: u8) -> Self {
        let relays = (1..=relays).map(Relay::new).collect();
        Self {
            now: DAWN,
            people: Vec::new(),
            relays,
            tamper: Box::new(Some),
            late: Default::default(),
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

    /// A world whose relays open only so many handles on a session.
    pub(crate) fn with_handles_max(handles: u16) -> Self {
        let mut world = Self::new(1);
        let limits = Limits { handles_max: handles, ..Limits::V1 };
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

    /// What a device commits is lost on its way, or is not any more.
    pub(crate) fn set_commits_lost(&mut self, who: Who, lost: bool) {
        self.people[who.0].commits_lost = lost;
    }

    /// Relays have no room for what a device commits, or have it again.
    pub(crate) fn set_commits_refused(&mut self, who: Who, refused: bool) {
        self.people[who.0].commits_refused = refused;
    }

    /// Relays tell a device that they know none of its epochs, or do not any more.
    pub(crate) fn set_barred(&mut self, who: Who, barred: bool) {
        self.people[who.0].barred = barred;
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

    /// Gives a device's last reading of an epoch entries that a relay has not, behind the place that was
    /// read, and the end of the epoch with that relay's signature.
    pub(crate) fn whisper_signed(
        &mut self,
        who: Who,
        relay: usize,
        channel: &ChannelId,
        place: LogPlace,
        entries: Vec<Entry>,
    ) {
        let epoch = entries[0].epoch;
        let end = end_behind(relay, channel, place, &entries);
        for entry in entries {
            self.whisper(who, epoch, Answer::Entry(entry));
        }
        self.whisper(who, epoch, Answer::EpochEnd(end));
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
            commits_lost: false,
            commits_refused: false,
            barred: false,
            settings: Settings::default(),
            readings: BTreeMap::new(),
            disk: Disk::default(),
            crash_in: None,
            loaded: Loaded::default(),
            rules: RuleVersion::SUPPORTED,
        };
        person.open(ClientStore::default(), Timestamp(self.now.0.saturating_add_signed(skew_ms)));
        self.people.push(person);
        Who(self.people.len() - 1)
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
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

    /// Sets a person's clock off. A driver looks at the clock twice a minute.
    pub(crate) fn skew(&mut self, who: Who, milliseconds: i64) {
        self.people[who.0].skew_ms = milliseconds;
        self.feed(who, Input::Timeout);
        self.work();
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

    fn crash_links(&mut self, who: Who) {
        let links: Vec<SessionNumber> = self.people[who.0].links.keys().copied().collect();
        for session in links {
            self.drop_link(who, session);
        }
    }

    fn crash(&mut self, who: Who) {
        self.crash_links(who);
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
        let commits =
            matches!(frame.request, Request::Append { operation: Operation::Commit(_), .. });
        if person.mute || (commits && person.commits_lost) {
            return;
        }
        if commits && person.commits_refused {
            let answer = Answer::Refused(Refusal::from(Code::StorageFull));
            let open = self.relays[link.relay].sessions.get_mut(&link.session).unwrap();
            return open.answers.push_back(AnswerFrame { id: frame.id, answer });
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
            let Some(mut answer) = self.late.keep(who, session, answer) else { continue };
            if self.people[who.0].barred && matches!(answer.answer, Answer::ChannelOpened(_)) {
                answer.answer = Answer::Refused(Refusal::from(Code::Denied));
            }
            let bytes = encode_answer(&answer);
            let answer = decode_answer(bytes.slice(4..)).expect("a relay sends valid frames");
            self.feed(who, Input::Frame(session, answer));
        }
        moved
    }
}

impl Person {
    fn open(&mut self, store: ClientStore, now: Timestamp) {
        self.seed += 1;
        let rng = Box::new(Dice::new(self.seed, &self.loaded));
        let engine = Engine::hazmat_open_supporting(store, rng, self.settings, now, self.rules);
        self.engine = Some(engine.unwrap());
    }
}
