//! A client without store and network: chats in memory, and a fate for what is sent.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use hushwire::{
    command::{
        ChatInfo, ChatKind, ChatNumber, ChatState, Command, CommandError, ContactInfo,
        ContactNumber, DeviceInfo, DeviceNumber, FailureReason, LinkInfo, LinkNumber, LinkState,
        MemberInfo, MemberRole, MessageBody, MessageInfo, MessageNumber, MessageState, ProfileInfo,
        RelayInfo, RelayState, Reply, SecretText, Sender, StatusInfo, ThisDevice, TransferState,
        Verification, Whose,
    },
    event::{Event, EventNumber, NumberedEvent},
};
use hushwire_cli::{
    backend::{Backend, LockKind, Opener, Opening},
    fault::{ClientFault, Exit, OpenFault},
};
use tokio::sync::Notify;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The relay takes it.
    Stored,
    /// It waits for the network.
    Waits,
    /// It will not go out.
    Fails(FailureReason),
}

/// All that a profile has.
pub(crate) struct State {
    pub(crate) profile: Option<ProfileInfo>,
    pub(crate) contacts: Vec<ContactInfo>,
    pub(crate) chats: Vec<ChatInfo>,
    pub(crate) messages: Vec<MessageInfo>,
    pub(crate) links: Vec<LinkInfo>,
    pub(crate) members: Vec<MemberInfo>,
    pub(crate) devices: Vec<DeviceInfo>,
    pub(crate) events: Vec<NumberedEvent>,
    pub(crate) relay: RelayState,
    pub(crate) fate: Fate,
    /// What was asked, reads left out.
    pub(crate) asked: Vec<Command>,
    /// Events that follow a command.
    pub(crate) then: Vec<Event>,
    pub(crate) gone: bool,
}

pub(crate) struct World {
    state: Mutex<State>,
    changed: Notify,
}

const FINGERPRINT: &str = "aaaa1111";

impl World {
    pub(crate) fn inhabited() -> Self {
        let chat = |number, name: &str, kind, contact| ChatInfo {
            number: ChatNumber(number),
            name: name.into(),
            kind,
            state: ChatState::Open,
            contact,
            unread: 0,
            last: MessageNumber(0),
            relay: "relay.example:4433#ab".into(),
        };
        let bob = (ContactNumber(1), "Bob", "b0b0");
        let carol = (ContactNumber(2), "Carol", "ca01");
        let contact =
            |(number, name, fingerprint): (ContactNumber, &str, &str), chat| ContactInfo {
                number,
                name: name.into(),
                fingerprint: fingerprint.into(),
                verification: Verification::Unverified,
                chat: Some(ChatNumber(chat)),
            };
        let member = |name: &str, fingerprint: &str, role, whose| MemberInfo {
            fingerprint: fingerprint.into(),
            name: name.into(),
            role,
            devices: 1,
            whose,
        };
        let device = |number, name: &str, current| DeviceInfo {
            number: DeviceNumber(number),
            name: name.into(),
            current,
        };
        Self::of(State {
            profile: Some(profile("Alice")),
            contacts: vec![contact(bob, 1), contact(carol, 2)],
            chats: vec![
                chat(1, "Bob", ChatKind::Direct, Some(bob.0)),
                chat(2, "Carol", ChatKind::Direct, Some(carol.0)),
                chat(3, "Climbing", ChatKind::Group, None),
            ],
            members: vec![
                member("Alice", FINGERPRINT, MemberRole::Owner, Whose::Mine),
                member("Bob", "b0b0", MemberRole::Member, Whose::Others),
            ],
            devices: vec![device(1, "laptop", ThisDevice::Yes), device(2, "phone", ThisDevice::No)],
            ..empty()
        })
    }

    pub(crate) fn without_identity() -> Self {
        Self::of(empty())
    }

    fn of(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A text from somebody else arrives.
    pub(crate) fn receive(&self, chat: u64, name: &str, text: &str) -> MessageNumber {
        let sender = Sender::Other { fingerprint: "b0b0".into(), name: name.into() };
        let body = MessageBody::Text(text.into());
        let number = self.state().add_message(chat, sender, body, MessageState::Received);
        self.happen(Event::MessageAdded { chat: ChatNumber(chat), message: number });
        number
    }

    pub(crate) fn happen(&self, event: Event) {
        self.state().add_event(event);
        self.changed.notify_waiters();
    }

    pub(crate) fn vanish(&self) {
        self.state().gone = true;
        self.changed.notify_waiters();
    }
}

fn profile(name: &str) -> ProfileInfo {
    ProfileInfo {
        name: name.into(),
        fingerprint: FINGERPRINT.into(),
        relay: "relay.example:4433#ab".into(),
        device: Some(DeviceNumber(1)),
    }
}

const fn empty() -> State {
    State {
        profile: None,
        contacts: Vec::new(),
        chats: Vec::new(),
        messages: Vec::new(),
        links: Vec::new(),
        members: Vec::new(),
        devices: Vec::new(),
        events: Vec::new(),
        relay: RelayState::Current,
        fate: Fate::Stored,
        asked: Vec::new(),
        then: Vec::new(),
        gone: false,
    }
}

impl State {
    fn add_event(&mut self, event: Event) {
        let number = EventNumber(self.events.len() as u64 + 1);
        self.events.push(NumberedEvent { number, at_ms: 1_795_254_060_000, event });
    }

    pub(crate) fn add_message(
        &mut self,
        chat: u64,
        sender: Sender,
        body: MessageBody,
        state: MessageState,
    ) -> MessageNumber {
        let chat = self.chats.iter_mut().find(|known| known.number.0 == chat).unwrap();
        chat.last.0 += 1;
        chat.unread += u64::from(sender != Sender::Me);
        let (chat, number) = (chat.number, chat.last);
        let sent_at_ms = 1_795_254_060_000;
        self.messages.push(MessageInfo { chat, number, sender, body, state, sent_at_ms });
        number
    }

    fn send(&mut self, chat: ChatNumber, body: MessageBody) -> Result<Reply, CommandError> {
        if !self.chats.iter().any(|known| known.number == chat) {
            return Err(CommandError::NoSuchChat);
        }
        let message = self.add_message(chat.0, Sender::Me, body, MessageState::Pending);
        Ok(Reply::Accepted { chat, message })
    }

    fn waiting(&self) -> u64 {
        let pending = |message: &&MessageInfo| message.state == MessageState::Pending;
        let unsettled = u64::from(self.fate == Fate::Waits && !self.asked.is_empty());
        (self.messages.iter().filter(pending).count() as u64).max(unsettled)
    }

    fn status(&self) -> StatusInfo {
        let relay = RelayInfo { address: "relay.example:4433#ab".into(), state: self.relay };
        StatusInfo { waiting: self.waiting(), relays: vec![relay] }
    }

    /// What the network does with what waits.
    fn work(&mut self) {
        let state = match self.fate {
            Fate::Stored => MessageState::Stored,
            Fate::Waits => return,
            Fate::Fails(reason) => MessageState::Failed(reason),
        };
        let mut changed = Vec::new();
        for message in &mut self.messages {
            if message.state == MessageState::Pending {
                message.state = state.clone();
                changed.push((message.chat, message.number));
            }
            if let MessageBody::File { transfer, size, .. } = &mut message.body {
                if let TransferState::Moving { done, of } = transfer {
                    *done += *size / 2;
                    if *done >= *of {
                        *transfer = TransferState::Complete;
                    }
                }
            }
        }
        for (chat, message) in changed {
            self.add_event(Event::MessageStateChanged { chat, message });
        }
    }

    fn read(&self, command: &Command) -> Option<Reply> {
        let reply = match command {
            Command::Contacts => Reply::Contacts(self.contacts.clone()),
            Command::Chats => Reply::Chats(self.chats.clone()),
            Command::Links => Reply::Links(self.links.clone()),
            Command::GroupMembers(_) => Reply::Members(self.members.clone()),
            Command::Devices => Reply::Devices(self.devices.clone()),
            Command::Status => Reply::Status(self.status()),
            Command::Events { from, count_max } => {
                let events = self.events.iter().filter(|event| event.number >= *from);
                Reply::Events(events.take(*count_max as usize).cloned().collect())
            }
            Command::Messages { chat, from, count_max } => {
                let messages = self.messages.iter();
                let wanted = messages.filter(|one| one.chat == *chat && one.number >= *from);
                Reply::Messages(wanted.take(*count_max as usize).cloned().collect())
            }
            _ => return None,
        };
        Some(reply)
    }

    fn change(&mut self, command: Command) -> Result<Reply, CommandError> {
        match command {
            Command::Profile => {
                self.profile.clone().map(Reply::Profile).ok_or(CommandError::NoIdentity)
            }
            Command::CreateIdentity { name, .. } if self.profile.is_none() => {
                self.profile = Some(profile(&name));
                let phrase = SecretText::new(["zoo"; 24].join(" "));
                Ok(Reply::IdentityCreated { phrase, profile: profile(&name) })
            }
            Command::CreateIdentity { .. } => Err(CommandError::IdentityExists),
            Command::JoinIdentity { .. } => {
                self.profile = Some(profile("Alice"));
                Ok(Reply::Done)
            }
            Command::MakeLink { usage, .. } => {
                let number = LinkNumber(self.links.len() as u64 + 1);
                let text = SecretText::new(format!("hush:{}", "x".repeat(195)));
                let link = LinkInfo { number, text, usage, state: LinkState::Active };
                self.links.push(link.clone());
                Ok(Reply::Link(link))
            }
            Command::RevokeLink(number) if !self.links.iter().any(|link| link.number == number) => {
                Err(CommandError::NoSuchLink)
            }
            Command::AddContact { link } if link.expose() == "hush:short" => {
                Err(CommandError::LinkTruncated)
            }
            Command::AddContact { .. } => Ok(Reply::Chat(self.chats[0].clone())),
            Command::GroupNew { name } => {
                self.chats[2].name = name;
                Ok(Reply::Chat(self.chats[2].clone()))
            }
            Command::SafetyNumber(contact) => {
                let verification = self
                    .contacts
                    .iter()
                    .find(|known| known.number == contact)
                    .unwrap()
                    .verification;
                Ok(Reply::SafetyNumber { digits: ["12345"; 12].join(" "), verification })
            }
            Command::SetVerification { contact, verification } => {
                let contact = self.contacts.iter_mut().find(|known| known.number == contact);
                contact.unwrap().verification = verification;
                Ok(Reply::Done)
            }
            Command::SendText { text, .. } if text.is_empty() => Err(CommandError::BadText),
            Command::SendText { chat, text } => self.send(chat, MessageBody::Text(text)),
            Command::SendFile { chat, path, media_type } => {
                let name = Path::new(&path).file_name().unwrap().to_string_lossy().into_owned();
                let transfer = TransferState::Moving { done: 0, of: 4 };
                self.send(chat, MessageBody::File { name, size: 4, media_type, transfer })
            }
            Command::Download { message, .. } => {
                let message = self.messages.iter_mut().find(|one| one.number == message).unwrap();
                if let MessageBody::File { transfer, size, .. } = &mut message.body {
                    *transfer = TransferState::Moving { done: 0, of: *size };
                }
                Ok(Reply::Done)
            }
            Command::Retry { message, .. } => {
                let message = self.messages.iter_mut().find(|one| one.number == message).unwrap();
                message.state = MessageState::Pending;
                Ok(Reply::Done)
            }
            Command::DeviceLink => {
                Ok(Reply::DeviceCode(SecretText::new("hush-device:code".into())))
            }
            Command::CheckPhrase(phrase) if phrase.expose() == "right" => Ok(Reply::Done),
            Command::CheckPhrase(_) => Err(CommandError::PhraseOfAnother),
            _ => Ok(Reply::Done),
        }
    }
}

/// What the opener opens.
pub(crate) struct FakeClient(Arc<World>);

impl Backend for FakeClient {
    async fn command(&self, command: Command) -> Result<Reply, ClientFault> {
        let reply = {
            let mut state = self.0.state();
            if state.gone {
                return Err(ClientFault::Gone);
            }
            match state.read(&command) {
                Some(reply) => {
                    if matches!(command, Command::Messages { .. }) {
                        state.work();
                    }
                    reply
                }
                None => {
                    state.asked.push(command.clone());
                    let reply = state.change(command)?;
                    for event in std::mem::take(&mut state.then) {
                        state.add_event(event);
                    }
                    reply
                }
            }
        };
        self.0.changed.notify_waiters();
        Ok(reply)
    }

    async fn next_events(&self, from: EventNumber) -> Result<Vec<NumberedEvent>, ClientFault> {
        loop {
            let changed = self.0.changed.notified();
            {
                let state = self.0.state();
                if state.gone {
                    return Err(ClientFault::Gone);
                }
                let events = state.events.iter().filter(|event| event.number >= from);
                let events: Vec<_> = events.cloned().collect();
                if !events.is_empty() {
                    return Ok(events);
                }
            }
            changed.await;
        }
    }

    async fn settled(&self, _timeout: Duration) -> Result<StatusInfo, ClientFault> {
        let mut state = self.0.state();
        state.work();
        Ok(state.status())
    }

    async fn close(self) {}
}

/// Opens a [`World`], and remembers how.
pub(crate) struct FakeOpener {
    world: Arc<World>,
    pub(crate) lock: Option<LockKind>,
    pub(crate) fault: Option<OpenFault>,
    pub(crate) opened: Mutex<Vec<Opening>>,
}

impl FakeOpener {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Arc::new(world),
            lock: Some(LockKind::Passphrase),
            fault: None,
            opened: Mutex::default(),
        }
    }

    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    pub(crate) fn wrong_passphrase() -> OpenFault {
        OpenFault {
            code: "wrong_passphrase",
            what: "the passphrase is wrong".into(),
            advice: "Type it again.".into(),
            exit: Exit::NeedsAction,
        }
    }
}

impl Opener for FakeOpener {
    type Backend = FakeClient;

    fn lock_kind(&self, _profile: &Path) -> Option<LockKind> {
        self.lock
    }

    async fn open(&self, opening: Opening) -> Result<Self::Backend, OpenFault> {
        self.opened.lock().unwrap().push(opening);
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => Ok(FakeClient(self.world())),
        }
    }
}
