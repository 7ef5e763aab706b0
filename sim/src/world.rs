//! The world: everybody and everything, and what happens next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hushwire_engine::{
    command::{
        ChatInfo, ChatKind, ChatNumber, ChatState, Command, CommandError, Comparison,
        FailureReason, LinkNumber, LinkState, MessageBody, MessageInfo, MessageState, Reply,
        SecretText, Sender,
    },
    event::{Event, NumberedEvent, Warning},
    io::{Disconnect, Input, Lane, Output},
    session::SessionNumber,
};
use hushwire_relay_rules::store::StoreError as RelayStoreError;
use hushwire_wire::{
    frame::{
        AnswerFrame, RequestFrame, decode_answer, decode_request, encode_answer, encode_request,
    },
    id::Timestamp,
};

use crate::{
    agenda::Agenda,
    check::{self, Violation},
    client::{Client, Standing},
    dice::Dice,
    ledger::{Agreed, ChatKey, Fate, Ledger},
    network::{Line, LinkId, Network, Pace, delay_ms},
    plan::{Detail, Plan},
    relay::{Life, Relay, Said as RelaySaid},
    tally::Tally,
};

/// When every world begins, in milliseconds since the Unix epoch.
const DAWN: Timestamp = Timestamp(1_800_000_000_000);
/// How long the world has, once it is whole, until nothing may wait any more.
const REST_MS: u64 = 6 * 3_600_000;
/// How often a person looks whether their other device shows the digits too.
const LOOKS_MAX: u8 = 90;
/// Lines that a journal keeps.
const JOURNAL_MAX: usize = 2_000;
/// Steps that one run takes at most: more is somebody who is never done.
const STEPS_MAX: u64 = 3_000_000;
/// The stream of a seed that everything but its plan is drawn from.
const FATE: u64 = 2;
/// What every text and name has, so that a relay can be searched for it.
pub(crate) const NEEDLE: &str = "needle";

/// Something that happens at its time.
pub(crate) enum Happening {
    /// A move of the plan.
    Move(usize),
    /// A client's time has come, if it still waits for this.
    Wake { client: usize, at: Timestamp },
    /// A connection that a client asked for is there, or not.
    Connects { client: usize, life: u64, session: SessionNumber, relay: Option<usize> },
    /// A request arrives.
    Request { link: LinkId, frame: RequestFrame },
    /// An answer arrives.
    Answer { link: LinkId, frame: AnswerFrame },
    /// A client learns that a connection is gone.
    ClientLoses(LinkId),
    /// A relay learns that a connection is gone.
    RelayLoses(LinkId),
    /// A dead client is opened.
    Opens(usize),
    /// A dead relay starts.
    RelayStarts(usize),
    /// A relay's disk works again.
    RelayHeals(usize),
    /// A person answers whether the codes are the same.
    Confirms(usize),
    /// A person adds another by a link that they were given.
    Adds { client: usize, link: SecretText },
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) dice: Dice,
    pub(crate) agenda: Agenda<Happening>,
    pub(crate) clients: Vec<Client>,
    pub(crate) relays: Vec<Relay>,
    pub(crate) network: Network,
    pub(crate) ledger: Ledger,
    pub(crate) tally: Tally,
    /// The fingerprint of each person.
    pub(crate) people: Vec<String>,
    pub(crate) texts: u64,
    /// Links that are not published yet, and who gets them then.
    pub(crate) promised: BTreeMap<(usize, LinkNumber), usize>,
    /// The digits that each device showed last in a linking, and how often they were looked for elsewhere.
    digits: BTreeMap<usize, String>,
    looks: BTreeMap<usize, u8>,
    /// Direct chats that could not be set up, for a reason that the person was told.
    pub(crate) excused: BTreeSet<(usize, ChatNumber)>,
    pub(crate) violation: Option<Violation>,
    seed: u64,
    detail: Detail,
    lines: VecDeque<String>,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            now: DAWN,
            dice: Dice::new(plan.seed, FATE),
            agenda: Agenda::new(),
            clients: Vec::new(),
            relays: (1..=plan.relays).map(Relay::new).collect(),
            network: Network::default(),
            ledger: Ledger::default(),
            tally: Tally::default(),
            people: Vec::new(),
            texts: 0,
            promised: BTreeMap::new(),
            excused: BTreeSet::new(),
            digits: BTreeMap::new(),
            looks: BTreeMap::new(),
            violation: None,
            seed: plan.seed,
            detail: plan.detail,
            lines: VecDeque::new(),
        }
    }

    /// Everything, from the beginning to the rest after it.
    pub(crate) fn live(&mut self, plan: &Plan) -> Result<(), Violation> {
        for person in 0..usize::from(plan.people) {
            self.born(person)?;
        }
        let begin = self.now.plus_ms(30_000);
        for (place, one) in plan.moves.iter().enumerate() {
            self.agenda.put(begin.plus_ms(one.at_ms), Happening::Move(place));
        }
        let last = plan.moves.last().map_or(0, |one| one.at_ms);
        self.pass(plan, begin.plus_ms(last))?;
        self.heal();
        self.pass(plan, self.now.plus_ms(REST_MS))?;
        self.judge()
    }

    pub(crate) fn journal(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() == JOURNAL_MAX {
            self.lines.pop_front();
        }
        let since = self.now.ms_since(DAWN);
        self.lines.push_back(format!("{:>5}.{:03} s  {}", since / 1_000, since % 1_000, line()));
    }

    fn frame(&mut self, client: usize, what: &str) {
        let what: String = what.chars().take(240).collect();
        self.note(|| format!("    device {client} {what}"));
    }

    /// A person comes to be, with one device.
    fn born(&mut self, person: usize) -> Result<(), Violation> {
        let client = self.device(person, Standing::In);
        let relay = self.relays[person % self.relays.len()].address.to_string();
        let name = format!("{NEEDLE} person {person}");
        let command = Command::CreateIdentity { name, relay };
        match self.ask(client, command) {
            Some(Ok(Reply::IdentityCreated { profile, .. })) => {
                self.people.push(profile.fingerprint);
                Ok(())
            }
            other => Err(Violation::Unexplained(format!("no identity: {other:?}"))),
        }
    }

    /// A new device of a person.
    pub(crate) fn device(&mut self, person: usize, standing: Standing) -> usize {
        let number = self.clients.len();
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(number as u64 * 7_919);
        self.clients.push(Client::new(person, standing, seed));
        self.open(number);
        number
    }

    /// Lets everything happen until this time.
    fn pass(&mut self, plan: &Plan, until: Timestamp) -> Result<(), Violation> {
        while let Some((at, happening)) = self.agenda.take(until) {
            self.now = self.now.max(at);
            self.tally.steps += 1;
            if self.tally.steps > STEPS_MAX {
                return Err(Violation::Stuck("the world does not come to rest".into()));
            }
            self.happen(plan, happening);
            if let Some(violation) = self.violation.take() {
                return Err(violation);
            }
        }
        self.now = until;
        Ok(())
    }

    fn happen(&mut self, plan: &Plan, happening: Happening) {
        match happening {
            Happening::Move(place) => self.act(&plan.moves[place]),
            Happening::Wake { client, at } => {
                if self.clients[client].wake_at == Some(at) {
                    self.clients[client].wake_at = None;
                    self.feed(client, Input::Timeout);
                }
            }
            Happening::Connects { client, life, session, relay } => {
                if self.clients[client].lives == life && self.clients[client].engine.is_some() {
                    self.connects(client, session, relay);
                }
            }
            Happening::Request { link, frame } => self.request(link, frame),
            Happening::Answer { link, frame } => self.answer(link, frame),
            Happening::ClientLoses(link) => self.client_loses(link),
            Happening::RelayLoses(link) => self.relay_loses(link),
            Happening::Opens(client) => self.open(client),
            Happening::RelayStarts(relay) => {
                self.relays[relay].up = true;
                self.note(|| format!("relay {relay} starts"));
            }
            Happening::RelayHeals(relay) => self.relays[relay].set_disk(None),
            Happening::Confirms(client) => {
                self.confirm(client);
            }
            Happening::Adds { client, link } => {
                let again = Happening::Adds { client, link: link.clone() };
                self.insist(client, Command::AddContact { link }, again);
            }
        }
    }

    /// Opens a client, or tries again later.
    fn open(&mut self, client: usize) {
        if self.clients[client].engine.is_some() {
            return;
        }
        let now = self.now;
        match self.clients[client].open(now) {
            Ok(()) => {
                // An app reads what happened before it died.
                self.events(client);
                self.after(client);
            }
            Err(hushwire_engine::store::StoreError::Damaged) => {
                self.violation = Some(Violation::Damaged(format!("device {client} at opening")));
            }
            Err(_) => {
                self.clients[client].trigger.take_crash();
                self.agenda.put(now.plus_ms(5_000), Happening::Opens(client));
            }
        }
    }

    /// Kills a client; somebody opens it again.
    pub(crate) fn crash(&mut self, client: usize) {
        self.note(|| format!("device {client} dies"));
        self.clients[client].die();
        for link in self.network.of_client(client) {
            self.lose_at_relay(link, 0);
            if let Some(link) = self.network.links.get_mut(&link) {
                link.line = Line::Broken;
            }
        }
        self.clients[client].links.clear();
        let again = self.now.plus_ms(self.clients[client].dice.between(100, 20_000));
        self.agenda.put(again, Happening::Opens(client));
    }

    /// Says something to a client's engine, and does what follows at once. None: it died meanwhile.
    pub(crate) fn ask(
        &mut self,
        client: usize,
        command: Command,
    ) -> Option<Result<Reply, CommandError>> {
        let now = self.clients[client].time(self.now);
        let reply = self.clients[client].engine.as_mut()?.command(now, command);
        if reply == Err(CommandError::StoreDamaged) {
            self.violation = Some(Violation::Damaged(format!("device {client}")));
        }
        if self.clients[client].trigger.take_crash() {
            self.crash(client);
            return None;
        }
        self.after(client);
        Some(reply)
    }

    /// A person compares what a device shows with what their other one shows, once it does.
    fn confirm(&mut self, client: usize) {
        let Some(shown) = self.digits.get(&client) else { return };
        let person = self.clients[client].person;
        let other = self.digits.iter().find(|(other, digits)| {
            **other != client && *digits == shown && self.clients[**other].person == person
        });
        if other.is_some() {
            let confirm = Command::DeviceLinkConfirm(Comparison::Equal);
            self.insist(client, confirm, Happening::Confirms(client));
            return;
        }
        let looks = self.looks.entry(client).or_default();
        *looks = looks.saturating_add(1);
        if *looks < LOOKS_MAX {
            self.agenda.put(self.now.plus_ms(5_000), Happening::Confirms(client));
        }
    }

    /// Asks as a person does who wants it: again after a while, if the device could not.
    fn insist(&mut self, client: usize, command: Command, again: Happening) {
        let reply = self.ask(client, command);
        let could = |error: &CommandError| {
            !matches!(error, CommandError::DiskFull | CommandError::DiskFailed)
        };
        if !reply.is_some_and(|reply| reply.as_ref().err().is_none_or(could)) {
            self.agenda.put(self.now.plus_ms(5_000), again);
        }
    }

    fn feed(&mut self, client: usize, input: Input) {
        let now = self.clients[client].time(self.now);
        let Some(engine) = self.clients[client].engine.as_mut() else { return };
        if engine.handle_input(now, input) == Err(hushwire_engine::store::StoreError::Damaged) {
            self.violation = Some(Violation::Damaged(format!("device {client}")));
        }
        self.after(client);
    }

    /// Does what an engine wants, until it wants nothing.
    fn after(&mut self, client: usize) {
        loop {
            if self.clients[client].trigger.take_crash() {
                return self.crash(client);
            }
            let Some(engine) = self.clients[client].engine.as_mut() else { return };
            match engine.poll_output() {
                Some(Output::Connect { session, relay }) => {
                    let wanted = self.relays.iter().position(|one| one.address == relay);
                    let life = self.clients[client].lives;
                    self.clients[client].wanted.insert(session);
                    let at = self.now.plus_ms(self.delay(client).saturating_mul(2));
                    let happening = Happening::Connects { client, life, session, relay: wanted };
                    self.agenda.put(at, happening);
                }
                Some(Output::Send { session, lane, frame }) => {
                    self.send(client, session, lane, frame);
                }
                Some(Output::Close(session)) => {
                    self.clients[client].wanted.remove(&session);
                    if let Some(link) = self.clients[client].links.remove(&session) {
                        self.lose_at_relay(link, 100);
                    }
                }
                Some(Output::Events) => self.events(client),
                Some(Output::StatusChanged) => {}
                Some(output) => {
                    let input = self.clients[client].disk.take(output);
                    if let Some(input) = input {
                        let now = self.clients[client].time(self.now);
                        if let Some(engine) = self.clients[client].engine.as_mut() {
                            // What failed is tried again when the engine says so.
                            let _failed = engine.handle_input(now, input);
                        }
                    }
                }
                None => break,
            }
        }
        self.plan_wake(client);
    }

    fn plan_wake(&mut self, client: usize) {
        let device = &mut self.clients[client];
        let Some(engine) = &device.engine else { return };
        let at =
            engine.poll_timeout().map(|at| Timestamp(at.0.saturating_add_signed(-device.skew_ms)));
        if at != device.wake_at {
            device.wake_at = at;
            if let Some(at) = at {
                self.agenda.put(at.max(self.now.plus_ms(1)), Happening::Wake { client, at });
            }
        }
    }

    fn delay(&mut self, client: usize) -> u64 {
        let slow = self.clients[client].slow_until > self.now;
        delay_ms(&mut self.clients[client].dice, if slow { Pace::Slow } else { Pace::Usual })
    }

    fn connects(&mut self, client: usize, session: SessionNumber, relay: Option<usize>) {
        if !self.clients[client].wanted.remove(&session) {
            return;
        }
        let reached = relay
            .filter(|relay| self.relays[*relay].up && self.clients[client].whole_at <= self.now);
        let Some(relay) = reached else {
            return self.feed(client, Input::Disconnected(session, Disconnect::Network));
        };
        let seat = self.relays[relay].open();
        let link = self.network.open(client, session, relay, seat);
        self.clients[client].links.insert(session, link);
        self.feed(client, Input::Connected(session));
    }

    fn send(&mut self, client: usize, session: SessionNumber, lane: Lane, frame: RequestFrame) {
        let delay = self.delay(client);
        let now = self.now;
        let Some(id) = self.clients[client].links.get(&session).copied() else { return };
        let Some(link) = self.network.links.get_mut(&id) else { return };
        let line = link.line;
        if self.detail == Detail::Frames {
            self.frame(client, &format!("{line:?} asks {:?} {:?}", frame.id, frame.request));
        }
        let Some(link) = self.network.links.get_mut(&id) else { return };
        if line == Line::Whole {
            let at = link.request_at(now, delay, lane, frame.id);
            self.agenda.put(at, Happening::Request { link: id, frame });
        }
    }

    fn request(&mut self, id: LinkId, frame: RequestFrame) {
        let Some(link) = self.network.links.get(&id) else { return };
        if link.line == Line::Broken {
            return;
        }
        let (relay, seat) = (link.relay, link.seat);
        let bytes = encode_request(&frame);
        let Ok(frame) = decode_request(bytes.slice(4..)) else {
            self.violation = Some(Violation::Unexplained("an engine sent what is no frame".into()));
            return;
        };
        let (said, life) = self.relays[relay].take(self.now, seat, frame);
        match life {
            Life::Goes => self.deliver(relay, said),
            Life::Died => self.crash_relay(relay),
        }
    }

    fn deliver(&mut self, relay: usize, said: Vec<RelaySaid>) {
        for (seat, frame) in said {
            let Some(id) = self.network.of_seat(relay, seat) else { continue };
            let Some(client) = self.network.links.get(&id).map(|link| link.client) else {
                continue;
            };
            let delay = self.delay(client);
            let now = self.now;
            let Some(link) = self.network.links.get_mut(&id) else { continue };
            if link.line == Line::Whole {
                let at = link.answer_at(now, delay, frame.id);
                self.agenda.put(at, Happening::Answer { link: id, frame });
            }
        }
    }

    fn answer(&mut self, id: LinkId, frame: AnswerFrame) {
        let Some(link) = self.network.links.get(&id) else { return };
        let (client, session) = (link.client, link.session);
        let is_current = self.clients[client].links.get(&session) == Some(&id);
        if link.line == Line::Broken || !is_current {
            return;
        }
        if self.detail == Detail::Frames {
            self.frame(client, &format!("hears {:?} {:?}", frame.id, frame.answer));
        }
        let bytes = encode_answer(&frame);
        match decode_answer(bytes.slice(4..)) {
            Ok(frame) => self.feed(client, Input::Frame(session, frame)),
            Err(_) => {
                let what = "a relay sent what is no frame".into();
                self.violation = Some(Violation::Unexplained(what));
            }
        }
    }

    /// Breaks a connection: nothing arrives any more, and each end learns of it within these times.
    pub(crate) fn break_link(&mut self, id: LinkId, client_ms: u64, relay_ms: u64) {
        if let Some(link) = self.network.links.get_mut(&id) {
            link.line = Line::Broken;
            let dice = &mut self.clients[link.client].dice;
            let at = self.now.plus_ms(dice.between(1, client_ms));
            self.agenda.put(at, Happening::ClientLoses(id));
            self.lose_at_relay(id, relay_ms);
        }
    }

    fn lose_at_relay(&mut self, id: LinkId, within_ms: u64) {
        let Some(link) = self.network.links.get(&id) else { return };
        let at = self.now.plus_ms(self.clients[link.client].dice.between(0, within_ms));
        self.agenda.put(at, Happening::RelayLoses(id));
    }

    fn client_loses(&mut self, id: LinkId) {
        let Some(link) = self.network.links.get(&id) else { return };
        let (client, session) = (link.client, link.session);
        if self.clients[client].links.get(&session) == Some(&id) {
            self.clients[client].links.remove(&session);
            self.feed(client, Input::Disconnected(session, Disconnect::Network));
        }
    }

    fn relay_loses(&mut self, id: LinkId) {
        let Some(link) = self.network.links.get_mut(&id) else { return };
        link.line = Line::Broken;
        let (relay, seat, client, session) = (link.relay, link.seat, link.client, link.session);
        self.relays[relay].close(seat);
        // The client hears of it in any case; it is forgotten when both know.
        if self.clients[client].links.get(&session) == Some(&id) {
            let at = self.now.plus_ms(self.clients[client].dice.between(1, 2_000));
            self.agenda.put(at, Happening::ClientLoses(id));
        } else {
            self.network.links.remove(&id);
        }
    }

    /// Kills a relay, breaks its connections, and starts it again after a while.
    pub(crate) fn crash_relay(&mut self, relay: usize) {
        self.note(|| format!("relay {relay} dies"));
        self.relays[relay].die();
        for link in self.network.of_relay(relay) {
            self.break_link(link, 3_000, 1);
        }
        let again = self.now.plus_ms(self.dice.between(200, 40_000));
        self.agenda.put(again, Happening::RelayStarts(relay));
    }

    /// From now on nothing breaks any more, and what is broken is mended.
    fn heal(&mut self) {
        self.note(|| "the world is whole".into());
        for relay in 0..self.relays.len() {
            self.relays[relay].heal();
            self.relays[relay].up = true;
        }
        for client in 0..self.clients.len() {
            let now = self.now;
            let device = &mut self.clients[client];
            device.trigger.heal();
            device.whole_at = now;
            device.slow_until = now;
            if device.skew_ms != 0 {
                device.skew_ms = 0;
                self.feed(client, Input::Timeout);
            }
            self.open(client);
        }
    }

    /// Reads what happened to a device, as an app does.
    fn events(&mut self, client: usize) {
        loop {
            let device = &mut self.clients[client];
            let from = device.next_event;
            let now = device.time(self.now);
            let Some(engine) = device.engine.as_mut() else { return };
            let reply = engine.command(now, Command::Events { from, count_max: 100 });
            let events = match reply {
                Ok(Reply::Events(events)) if events.is_empty() => return,
                Ok(Reply::Events(events)) => events,
                // The disk may refuse what the engine wanted to do beside it; it says so again.
                _ => return,
            };
            for NumberedEvent { number, event, .. } in events {
                let expected = self.clients[client].next_event;
                if number != expected {
                    let what = format!("device {client}: {number:?} instead of {expected:?}");
                    self.violation = Some(Violation::EventGap(what));
                    return;
                }
                self.clients[client].next_event.0 += 1;
                self.note(|| format!("device {client} sees {event:?}"));
                if let Err(violation) = self.event(client, event) {
                    self.violation = Some(violation);
                    return;
                }
            }
        }
    }

    fn event(&mut self, client: usize, event: Event) -> Result<(), Violation> {
        match event {
            Event::MessageAdded { chat, message }
            | Event::MessageStateChanged { chat, message } => {
                if let Some(info) = self.message(client, chat, message) {
                    self.saw(client, info)?;
                }
            }
            Event::MembersRemoved { chat, members } => {
                if let Some(key) = self.key_of(client, chat) {
                    self.ledger.view(client, &key).removed.extend(members);
                }
                self.compare(client, chat)?;
            }
            Event::MembersAdded { chat, members } => {
                if let Some(key) = self.key_of(client, chat) {
                    let view = self.ledger.view(client, &key);
                    view.removed.retain(|gone| !members.contains(gone));
                }
                self.compare(client, chat)?;
            }
            Event::ChatAdded(chat) | Event::ChatChanged(chat) | Event::RemovedFromChat(chat) => {
                self.chat_moved(client, chat);
                self.compare(client, chat)?;
            }
            Event::DeviceCompare { code } => {
                self.digits.insert(client, code.expose().to_owned());
                let at = self.now.plus_ms(self.clients[client].dice.between(500, 5_000));
                self.agenda.put(at, Happening::Confirms(client));
            }
            Event::DeviceLinked if self.clients[client].standing == Standing::Linking => {
                self.clients[client].standing = Standing::In;
            }
            Event::DeviceLinkFailed(_) if self.clients[client].standing == Standing::Linking => {
                self.clients[client].standing = Standing::Out;
            }
            // Some clock was wrong: the person is told, and begins anew.
            Event::ContactFailed {
                chat,
                reason: FailureReason::NotFresh | FailureReason::ClockWrong,
            } if self.clients.iter().any(|device| device.skewed) => {
                self.excused.insert((client, chat));
            }
            Event::LinkChanged(link) => self.give(client, link),
            Event::ThisDeviceRevoked => self.clients[client].standing = Standing::Out,
            Event::Warning(Warning::ClockDiffers { .. }) if self.clients[client].skewed => {}
            Event::Warning(warning) if check::accuses(&warning) => {
                return Err(Violation::FalseAlarm(format!("device {client}: {warning:?}")));
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives a link to whom it was promised, once it can be used.
    fn give(&mut self, client: usize, number: LinkNumber) {
        let Some(Reply::Links(links)) = self.look(client, Command::Links) else { return };
        let active = |state| matches!(state, LinkState::Active);
        let found = links.into_iter().find(|link| link.number == number && active(link.state));
        if let Some(link) = found
            && let Some(other) = self.promised.remove(&(client, number))
        {
            let at = self.now.plus_ms(self.clients[other].dice.between(100, 30_000));
            self.agenda.put(at, Happening::Adds { client: other, link: link.text });
        }
    }

    /// A device looks at its clock.
    pub(crate) fn tick(&mut self, client: usize) {
        self.feed(client, Input::Timeout);
    }

    /// A person's device of this name is one no more.
    pub(crate) fn revoked(&mut self, by: usize, name: &str) {
        let person = self.clients[by].person;
        for (number, device) in self.clients.iter_mut().enumerate() {
            let named = name == format!("{NEEDLE} device {number}");
            if device.person == person && number != by && named {
                device.standing = Standing::Out;
            }
        }
    }

    /// A command that only reads, which does not lead to more events.
    pub(crate) fn look(&mut self, client: usize, command: Command) -> Option<Reply> {
        let now = self.clients[client].time(self.now);
        self.clients[client].engine.as_mut()?.command(now, command).ok()
    }

    pub(crate) fn chats(&mut self, client: usize) -> Vec<ChatInfo> {
        match self.look(client, Command::Chats) {
            Some(Reply::Chats(chats)) => chats,
            _ => Vec::new(),
        }
    }

    fn message(
        &mut self,
        client: usize,
        chat: ChatNumber,
        from: hushwire_engine::command::MessageNumber,
    ) -> Option<MessageInfo> {
        match self.look(client, Command::Messages { chat, from, count_max: 1 }) {
            Some(Reply::Messages(mut messages)) => messages.pop(),
            _ => None,
        }
    }

    pub(crate) fn key_of(&mut self, client: usize, chat: ChatNumber) -> Option<ChatKey> {
        let found = self.chats(client).into_iter().find(|info| info.number == chat)?;
        self.key(client, &found)
    }

    /// What a chat is called by everybody.
    pub(crate) fn key(&mut self, client: usize, chat: &ChatInfo) -> Option<ChatKey> {
        if chat.kind == ChatKind::Group {
            return Some(ChatKey(chat.name.clone()));
        }
        let own = self.people.get(self.clients[client].person)?.clone();
        let number = chat.contact?;
        let Some(Reply::Contacts(contacts)) = self.look(client, Command::Contacts) else {
            return None;
        };
        let other = contacts.into_iter().find(|contact| contact.number == number)?.fingerprint;
        let (low, high) = if own < other { (own, other) } else { (other, own) };
        Some(ChatKey(format!("{low} {high}")))
    }

    fn saw(&mut self, client: usize, info: MessageInfo) -> Result<(), Violation> {
        let place = (client, info.chat, info.number);
        if let Some(text) = self.ledger.places.get(&place) {
            let now = self.now;
            let Some(said) = self.ledger.said.get_mut(text) else { return Ok(()) };
            match (info.state, said.fate) {
                (MessageState::Stored | MessageState::Delivered { .. }, Fate::Acknowledged(_)) => {}
                (MessageState::Stored | MessageState::Delivered { .. }, _) => {
                    said.fate = Fate::Acknowledged(now);
                    self.tally.acknowledged += 1;
                }
                (MessageState::Failed(_), _) => said.fate = Fate::Failed,
                _ => {}
            }
            return Ok(());
        }
        let MessageBody::Text(text) = info.body else { return Ok(()) };
        let from_here = info.sender == Sender::Me
            && self.ledger.said.get(&text).is_some_and(|said| said.client == client);
        if from_here
            || !matches!(
                info.state,
                MessageState::Received | MessageState::Stored | MessageState::Delivered { .. }
            )
        {
            return Ok(());
        }
        let Some(key) = self.key_of(client, info.chat) else { return Ok(()) };
        let had = self.ledger.view(client, &key).received.contains(&text);
        let changed = info.sender == Sender::Me && had;
        if changed {
            return Ok(());
        }
        self.tally.received += 1;
        let person = self.people[self.clients[client].person].clone();
        check::received(&mut self.ledger, client, &person, &key, &text)
    }

    fn chat_moved(&mut self, client: usize, chat: ChatNumber) {
        let found = self.chats(client).into_iter().find(|info| info.number == chat);
        let Some(info) = found else { return };
        let Some(key) = self.key(client, &info) else { return };
        let now = self.now;
        let view = self.ledger.view(client, &key);
        match info.state {
            ChatState::Open => {
                view.open_since.get_or_insert(now);
            }
            _ => view.open_since = None,
        }
    }

    /// Compares what a device sees at its epoch with what others saw there.
    fn compare(&mut self, client: usize, chat: ChatNumber) -> Result<(), Violation> {
        let Some(Reply::GroupCode(code)) = self.look(client, Command::GroupCode(chat)) else {
            return Ok(());
        };
        let Some(Reply::Members(members)) = self.look(client, Command::GroupMembers(chat)) else {
            return Ok(());
        };
        let name = self.chats(client).into_iter().find(|info| info.number == chat);
        let name = name.filter(|info| info.kind == ChatKind::Group).map(|info| info.name);
        let mut members: Vec<String> = members
            .into_iter()
            .map(|one| format!("{} {:?} {}", one.fingerprint, one.role, one.devices))
            .collect();
        members.sort();
        let seen = Agreed { code: code.code, members, name: name.unwrap_or_default() };
        check::at_epoch(&mut self.ledger, &code.epoch, seen)
    }

    /// Devices that are in, by number.
    pub(crate) fn devices_in(&self) -> BTreeSet<usize> {
        let all = self.clients.iter().enumerate();
        all.filter(|(_, device)| device.standing == Standing::In).map(|(place, _)| place).collect()
    }

    /// Everything that must hold when nothing is under way any more.
    fn judge(&mut self) -> Result<(), Violation> {
        let devices = self.devices_in();
        let mut epochs: BTreeMap<ChatKey, (usize, String)> = Default::default();
        for client in devices.clone() {
            if let Some(Reply::Status(status)) = self.look(client, Command::Status)
                && status.waiting > 0
            {
                let what = format!("device {client} has {} wishes that wait", status.waiting);
                return Err(Violation::Stuck(what));
            }
            for chat in self.chats(client) {
                let Some(key) = self.key(client, &chat) else { continue };
                if chat.state == ChatState::Stuck && !self.excused.contains(&(client, chat.number))
                {
                    return Err(Violation::Stuck(format!("device {client}, chat {}", key.0)));
                }
                if chat.state != ChatState::Open {
                    continue;
                }
                self.compare(client, chat.number)?;
                let Some(Reply::GroupCode(code)) =
                    self.look(client, Command::GroupCode(chat.number))
                else {
                    continue;
                };
                let first = epochs.entry(key.clone()).or_insert((client, code.epoch.clone()));
                if first.1 != code.epoch {
                    let what = format!("devices {} and {client} in {}", first.0, key.0);
                    return Err(Violation::Fork(what));
                }
            }
        }
        for (text, said) in &self.ledger.said {
            if said.fate == Fate::Pending && devices.contains(&said.client) {
                let what = format!("device {}: {text:?} is pending", said.client);
                return Err(Violation::Stuck(what));
            }
        }
        check::complete(&self.ledger, &devices)?;
        self.search()
    }

    /// Looks for what no relay may know in everything that one has.
    fn search(&self) -> Result<(), Violation> {
        let mut needles = vec![NEEDLE.as_bytes().to_vec()];
        for fingerprint in &self.people {
            needles.push(fingerprint.as_bytes().to_vec());
            let digits = fingerprint.as_bytes().chunks_exact(2);
            let raw = digits
                .filter_map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok());
            needles.push(raw.collect());
        }
        for (place, relay) in self.relays.iter().enumerate() {
            if let Some(found) = check::plaintext(relay.store.contents(), &needles) {
                return Err(Violation::Plaintext(format!("relay {place}, needle {found}")));
            }
        }
        Ok(())
    }

    pub(crate) fn relay_disk_fails(&mut self, relay: usize, milliseconds: u64) {
        self.relays[relay].set_disk(Some(RelayStoreError::Full));
        let at = self.now.plus_ms(milliseconds);
        self.agenda.put(at, Happening::RelayHeals(relay));
    }
}
