//! What a fake client has, and what commands do to it.

use std::path::Path;

use hushwire::{
    command::{
        ChatInfo, ChatKind, ChatNumber, ChatState, Command, CommandError, ContactInfo,
        ContactNumber, DeviceInfo, DeviceNumber, FailureReason, GroupCodeInfo, GroupInfo,
        GroupLinkInfo, GroupLinkNumber, GroupLinkTerms, GroupRight, LinkAdmission, LinkInfo,
        LinkNumber, LinkState, MemberInfo, MemberRole, Mentioned, MessageBody, MessageInfo,
        MessageNumber, MessageState, PictureInfo, Pinned, ProfileInfo, RelayInfo, RelayState,
        Reply, RequestInfo, RightGrant, SecretText, Sender, StatusInfo, SuccessorInfo, ThisDevice,
        TransferState, Verification, Whose,
    },
    event::{Event, EventNumber, NumberedEvent},
};

const FINGERPRINT: &str = "aaaa1111";

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
    pub(crate) group_links: Vec<GroupLinkInfo>,
    pub(crate) requests: Vec<RequestInfo>,
    pub(crate) members: Vec<MemberInfo>,
    pub(crate) successors: Vec<SuccessorInfo>,
    pub(crate) devices: Vec<DeviceInfo>,
    pub(crate) events: Vec<NumberedEvent>,
    pub(crate) relay: RelayState,
    pub(crate) fate: Fate,
    /// What was asked, reads left out.
    pub(crate) asked: Vec<Command>,
    /// Events that follow a command.
    pub(crate) then: Vec<Event>,
    pub(crate) gone: bool,
    /// The oldest event that is kept.
    pub(crate) oldest: EventNumber,
    /// The owner of the profile ends before it answers a change.
    pub(crate) unanswered: bool,
}

fn profile(name: &str) -> ProfileInfo {
    ProfileInfo {
        name: name.into(),
        fingerprint: FINGERPRINT.into(),
        relay: "relay.example:4433#ab".into(),
        device: Some(DeviceNumber(1)),
    }
}

impl State {
    pub(crate) const fn empty() -> Self {
        Self {
            profile: None,
            contacts: Vec::new(),
            chats: Vec::new(),
            messages: Vec::new(),
            links: Vec::new(),
            group_links: Vec::new(),
            requests: Vec::new(),
            members: Vec::new(),
            successors: Vec::new(),
            devices: Vec::new(),
            events: Vec::new(),
            relay: RelayState::Current,
            fate: Fate::Stored,
            asked: Vec::new(),
            then: Vec::new(),
            gone: false,
            oldest: EventNumber(1),
            unanswered: false,
        }
    }

    /// An identity with two contacts, their chats, and a group.
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
            pinned: Vec::new(),
            stuck: None,
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
            asking: 0,
        };
        let device = |number, name: &str, current| DeviceInfo {
            number: DeviceNumber(number),
            name: name.into(),
            current,
        };
        Self {
            profile: Some(profile("Alice")),
            contacts: vec![contact(bob, 1), contact(carol, 2)],
            chats: vec![
                chat(1, "Bob", ChatKind::Direct, Some(bob.0)),
                chat(2, "Carol", ChatKind::Direct, Some(carol.0)),
                chat(3, "Climbing", ChatKind::Group, None),
            ],
            successors: vec![SuccessorInfo { by: "9a".repeat(32), name: "Grace".into() }],
            members: vec![
                member("Alice", FINGERPRINT, MemberRole::Owner, Whose::Mine),
                member("Bob", "b0b0", MemberRole::Member, Whose::Others),
            ],
            devices: vec![device(1, "laptop", ThisDevice::Yes), device(2, "phone", ThisDevice::No)],
            ..Self::empty()
        }
    }

    pub(crate) fn add_event(&mut self, event: Event) {
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
        let (mentioned, pinned) = (Mentioned::Nobody, Pinned::No);
        self.messages.push(MessageInfo {
            chat,
            number,
            sender,
            body,
            state,
            sent_at_ms,
            mentioned,
            pinned,
        });
        number
    }

    fn send(&mut self, chat: ChatNumber, body: MessageBody) -> Result<Reply, CommandError> {
        match self.chats.iter().find(|known| known.number == chat).map(|known| known.state) {
            None => return Err(CommandError::NoSuchChat),
            Some(ChatState::Left | ChatState::Removed) => return Err(CommandError::ChatClosed),
            Some(_) => {}
        }
        let message = self.add_message(chat.0, Sender::Me, body, MessageState::Pending);
        self.add_event(Event::MessageAdded { chat, message });
        Ok(Reply::Accepted { chat, message })
    }

    fn waiting(&self) -> u64 {
        let pending = |message: &&MessageInfo| message.state == MessageState::Pending;
        let unsettled = u64::from(self.fate == Fate::Waits && !self.asked.is_empty());
        (self.messages.iter().filter(pending).count() as u64).max(unsettled)
    }

    pub(crate) fn status(&self) -> StatusInfo {
        let relay = RelayInfo { address: "relay.example:4433#ab".into(), state: self.relay };
        StatusInfo {
            waiting: self.waiting(),
            refreshing: 0,
            relays: vec![relay],
            catching_up: Vec::new(),
        }
    }

    /// What the network does with what waits.
    pub(crate) fn work(&mut self) {
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
                move_on(transfer, *size);
            }
        }
        for (chat, message) in changed {
            self.add_event(Event::MessageStateChanged { chat, message });
        }
    }

    /// Whether events from this number on are kept.
    pub(crate) fn check_kept(&self, from: EventNumber) -> Result<(), CommandError> {
        let oldest = self.oldest;
        if from < oldest { Err(CommandError::EventsGone { oldest }) } else { Ok(()) }
    }

    pub(crate) fn read(&self, command: &Command) -> Option<Reply> {
        let reply = match command {
            Command::Profile => Reply::Profile(self.profile.clone()?),
            Command::Contacts => Reply::Contacts(self.contacts.clone()),
            Command::Chats => Reply::Chats(self.chats.clone()),
            Command::Links => Reply::Links(self.links.clone()),
            Command::GroupLinks(_) => Reply::GroupLinks(self.group_links.clone()),
            Command::GroupRequests(_) => Reply::GroupRequests(self.requests.clone()),
            Command::GroupMembers(_) => Reply::Members(self.members.clone()),
            Command::GroupSuccessors(_) => Reply::Successors(self.successors.clone()),
            Command::GroupInfo(chat) => Reply::Group(group(*chat)),
            Command::GroupCode(_) => Reply::GroupCode(GroupCodeInfo {
                epoch: "e0".repeat(32),
                code: "00001 00002 00003 00004 00005 00006".into(),
            }),
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

    pub(crate) fn change(&mut self, command: Command) -> Result<Reply, CommandError> {
        match command {
            Command::Profile => Err(CommandError::NoIdentity),
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
            Command::MakeLink { usage, expires_in_ms } => {
                let expires_at_ms = expires_in_ms.map(|length| 1_795_254_060_000 + length);
                let number = LinkNumber(self.links.len() as u64 + 1);
                let text = SecretText::new(format!("hush:{}", "x".repeat(195)));
                let link =
                    LinkInfo { number, text, usage, state: LinkState::Active, expires_at_ms };
                self.links.push(link.clone());
                Ok(Reply::Link(link))
            }
            Command::GroupSucceed { chat, .. } => {
                let terms = GroupLinkTerms {
                    admission: LinkAdmission::Former,
                    uses: None,
                    expires_in_ms: None,
                };
                self.change(Command::GroupLinkMake { chat, terms })
            }
            Command::GroupLinkMake { chat, terms } => {
                let link = GroupLinkInfo {
                    chat,
                    number: GroupLinkNumber(1),
                    text: SecretText::new(format!("hush:{}", "g".repeat(195))),
                    admission: terms.admission,
                    uses: terms.uses,
                    state: LinkState::Active,
                    expires_at_ms: terms.expires_in_ms,
                    maker: FINGERPRINT.into(),
                };
                self.group_links.push(link.clone());
                Ok(Reply::GroupLink(link))
            }
            Command::GroupJoin { link } if link.expose() == "hush:person" => {
                Err(CommandError::NotAGroupLink)
            }
            Command::GroupJoin { .. } => {
                self.chats[2].state = ChatState::Asked;
                Ok(Reply::Chat(self.chats[2].clone()))
            }
            Command::GroupLeave(_) if self.chats[2].state != ChatState::Open => {
                Err(CommandError::ChatClosed)
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
            other => self.change_chats(other),
        }
    }

    fn change_chats(&mut self, command: Command) -> Result<Reply, CommandError> {
        match command {
            Command::SendText { text, .. } if text.is_empty() => Err(CommandError::BadText),
            Command::SendText { chat, text } | Command::MentionAll { chat, text } => {
                self.send(chat, MessageBody::Text(text))
            }
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

fn group(chat: ChatNumber) -> GroupInfo {
    let grant = |right| RightGrant { right, least: MemberRole::Admin };
    GroupInfo {
        chat,
        name: "Climbing".into(),
        description: "on rocks\nand ice".into(),
        picture: Some(PictureInfo { media_type: "image/png".into(), bytes: vec![7; 3_072] }),
        rights: GroupRight::ALL.map(grant).to_vec(),
        role: MemberRole::Owner,
    }
}

/// Half of the file moves.
fn move_on(transfer: &mut TransferState, size: u64) {
    if let TransferState::Moving { done, of } = transfer {
        *done += size / 2;
        if *done >= *of {
            *transfer = TransferState::Complete;
        }
    }
}
