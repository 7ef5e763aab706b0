//! The world: everybody and everything, and what happens next.

mod judgement;
pub(crate) mod lies;
mod mischief;
mod reach;
mod wires;
mod witness;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hushwire_engine::{
    command::{
        ChatNumber, Command, CommandError, Comparison, GroupLinkNumber, LinkNumber, Reply,
        RequestAnswer, RequestNumber, SecretText,
    },
    io::{Input, Output},
    session::SessionNumber,
};
use hushwire_relay_rules::store::StoreError as RelayStoreError;
use hushwire_wire::{
    frame::{AnswerFrame, RequestFrame},
    id::{ChannelId, Timestamp},
};
use mischief::{Before, Trick};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::{
    agenda::Agenda,
    check::Violation,
    client::{Client, Standing},
    dice::Dice,
    insider::Loot,
    ledger::Ledger,
    network::{Line, LinkId, Network},
    plan::{Detail, Plan, Relays},
    relay::Relay,
    tally::Tally,
};

/// When every world begins, in milliseconds since the Unix epoch.
const DAWN: Timestamp = Timestamp(1_800_000_000_000);
/// How long the world has, once it is whole, until nothing may wait any more.
const REST_MS: u64 = 6 * 3_600_000;
/// How often a person looks whether their other device shows the digits too.
const LOOKS_MAX: u8 = 90;
/// Lines that a journal keeps, and one with every frame.
const JOURNAL_MAX: usize = 2_000;
const FRAMES_MAX: usize = 400_000;
/// Steps that one run takes at most: more is somebody who is never done.
const STEPS_MAX: u64 = 3_000_000;
/// The stream of a seed that everything but its plan is drawn from.
const FATE: u64 = 2;
/// What turns a seed into that of the hostile member.
const EVIL: u64 = 0x6576_696c;
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
    /// Whoever was shown another history is shown the true one.
    TellsTruth(usize),
    /// A person asks to be let into a group.
    Knocks { client: usize, link: SecretText },
    /// A person answers who asks to be let in.
    Answers { client: usize, chat: ChatNumber, request: RequestNumber, answer: RequestAnswer },
    /// A relay is put back to its old copy.
    PutsBack,
    /// The hostile member goes on with a row of commits.
    Presses { client: usize, loot: Box<Loot>, trick: Trick, left: u8 },
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
    /// Links of groups that are not published yet, and who gets them then.
    pub(crate) invited: BTreeMap<(usize, ChatNumber, GroupLinkNumber), usize>,
    /// The digits that each device showed last in a linking, and how often they were looked for elsewhere.
    digits: BTreeMap<usize, String>,
    looks: BTreeMap<usize, u8>,
    /// Who of the people does not keep to the program.
    pub(crate) hostile: Option<usize>,
    /// Whether relays lie, and how many of them there truly are.
    pub(crate) relays_are: Relays,
    pub(crate) relays_true: usize,
    /// The copy to which a relay is put back, while that is to come; it happens once.
    put_back: Option<Option<Box<lies::OldCopy>>>,
    /// The channel of each group chat on each device.
    channels: BTreeMap<(usize, ChatNumber), String>,
    /// Channels in which a group goes on, each with the one before.
    before_it: BTreeMap<String, String>,
    /// Devices that cannot go on in a chat, or in the group of their person's devices.
    stuck: BTreeSet<(usize, Option<ChatNumber>)>,
    /// Members whose devices ask to be added again to a chat, where a person has to say so, and whom.
    asked: BTreeSet<(usize, ChatNumber, String)>,
    /// Devices that were told that they do not follow an invitation.
    turned_away: BTreeSet<usize>,
    /// Who linked each device.
    pub(crate) linked_by: BTreeMap<usize, usize>,
    /// Devices that drew new keys for the inbox of their person.
    pub(crate) drew_keys: BTreeSet<usize>,
    /// Somebody at a door was told no; somebody else may have said yes.
    pub(crate) declined: bool,
    /// Devices that could not open an item of their inbox, which a relay that lies had bent: they may
    /// have been invited by it.
    missed_items: BTreeSet<usize>,
    /// The first device list that anybody was shown.
    first_list: Option<bytes::Bytes>,
    /// What the hostile member draws.
    evil: ChaCha20Rng,
    /// What the hostile member keeps of earlier epochs.
    hoard: BTreeMap<ChannelId, Loot>,
    before: Before,
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
            invited: BTreeMap::new(),
            hostile: plan.hostile.map(usize::from),
            relays_are: plan.relays_are,
            relays_true: usize::from(plan.relays),
            put_back: None,
            channels: BTreeMap::new(),
            before_it: BTreeMap::new(),
            stuck: BTreeSet::new(),
            asked: BTreeSet::new(),
            turned_away: BTreeSet::new(),
            linked_by: BTreeMap::new(),
            drew_keys: BTreeSet::new(),
            declined: false,
            missed_items: BTreeSet::new(),
            first_list: None,
            evil: ChaCha20Rng::seed_from_u64(plan.seed ^ EVIL),
            hoard: BTreeMap::new(),
            before: Before::new(),
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
        self.rest(plan)?;
        self.judge()
    }

    /// What it came to so far.
    pub(crate) fn tally(&self) -> Tally {
        let struck = self.clients.iter().map(|client| client.trigger.struck()).sum();
        Tally { struck, ..self.tally.clone() }
    }

    pub(crate) fn journal(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let most = match self.detail {
            Detail::People => JOURNAL_MAX,
            Detail::Frames => FRAMES_MAX,
        };
        if self.lines.len() >= most {
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
            Happening::Move(place) => {
                self.hoard();
                self.act(&plan.moves[place]);
            }
            Happening::TellsTruth(client) => self.tell_truth(client),
            Happening::PutsBack => self.put_back(),
            Happening::Presses { client, loot, trick, left } => {
                self.press(client, *loot, trick, left);
            }
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
            Happening::Knocks { client, link } => self.knock(client, link),
            Happening::Answers { client, chat, request, answer } => {
                self.answer_knock(client, chat, request, answer);
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
    pub(crate) fn insist(&mut self, client: usize, command: Command, again: Happening) {
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
                    let wanted = wanted.map(|relay| self.at_address(client, relay));
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

    /// From now on nothing breaks any more, and what is broken is mended.
    fn heal(&mut self) {
        self.note(|| "the world is whole".into());
        for client in 0..self.clients.len() {
            self.tell_truth(client);
        }
        self.put_back();
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

    pub(crate) fn relay_disk_fails(&mut self, relay: usize, milliseconds: u64) {
        self.relays[relay].set_disk(Some(RelayStoreError::Full));
        let at = self.now.plus_ms(milliseconds);
        self.agenda.put(at, Happening::RelayHeals(relay));
    }
}
