//! An open profile together with the terminal: the typed requests that commands are made of.

use core::{future::Future, time::Duration};

use hushwire::{
    command::{
        ChatInfo, ChatNumber, ChatState, Command, CommandError, ContactInfo, DeviceInfo, LinkInfo,
        MemberInfo, MessageInfo, MessageNumber, ProfileInfo, Reply, StatusInfo, SuccessorInfo,
    },
    event::{EventNumber, NumberedEvent},
};

use crate::{
    backend::Backend,
    console::Console,
    fault::{ClientFault, Fault},
    names::{Candidate, NameError, Noun, resolve},
    output::Output,
    people::People,
    record::{DoneRecord, Record},
    settle::Waits,
};

/// How long a command waits for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all, and that is what the person asked for.
    NoNetwork,
    /// So long; then what still waits is said.
    Wait(Duration),
}

/// An open profile and the terminal.
pub struct Session<'a, B> {
    /// The profile.
    pub backend: &'a B,
    /// The terminal.
    pub console: &'a dyn Console,
    /// Where records go.
    pub output: Output<'a>,
    /// How long to wait for the network.
    pub patience: Patience,
    pub(crate) waits: Waits,
}

/// Reads the one reply that fits a command.
macro_rules! expect_reply {
    ($session:expr, $command:expr, $pattern:pat => $value:expr) => {
        match $session.request($command).await? {
            $pattern => Ok($value),
            _ => Err(Fault::UnexpectedReply),
        }
    };
}
pub(crate) use expect_reply;

impl<B: Backend> Session<'_, B> {
    /// Hands over a command.
    pub(crate) async fn request(&self, command: Command) -> Result<Reply, Fault> {
        Ok(self.backend.command(command).await?)
    }

    /// A command that has nothing to answer.
    pub(crate) async fn perform(&self, command: Command) -> Result<(), Fault> {
        expect_reply!(self, command, Reply::Done => ())
    }

    /// Says a record.
    pub(crate) fn say(&self, record: &Record) -> Result<(), Fault> {
        self.output.record(record).map_err(|error| Fault::of_output(&error, record.outcome()))
    }

    /// Says that something is done, after waiting for the network.
    pub(crate) fn done(&self, mut done: DoneRecord) -> Result<(), Fault> {
        let state = match self.patience {
            Patience::Wait(_) => "settled",
            Patience::NoNetwork => {
                done.words.push_str(" (queued for the network)");
                "queued"
            }
        };
        self.say(&Record::Done(DoneRecord { state: Some(state), ..done }))
    }

    /// Says something beside the result.
    pub(crate) fn note(&self, note: &str) {
        // The result counts, also when there is nobody to tell what stands beside it.
        let _ = self.output.note(note);
    }

    pub(crate) async fn profile(&self) -> Result<ProfileInfo, Fault> {
        expect_reply!(self, Command::Profile, Reply::Profile(profile) => profile)
    }

    pub(crate) async fn status(&self) -> Result<StatusInfo, Fault> {
        expect_reply!(self, Command::Status, Reply::Status(status) => status)
    }

    pub(crate) async fn links(&self) -> Result<Vec<LinkInfo>, Fault> {
        expect_reply!(self, Command::Links, Reply::Links(links) => links)
    }

    pub(crate) async fn contacts(&self) -> Result<Vec<ContactInfo>, Fault> {
        expect_reply!(self, Command::Contacts, Reply::Contacts(contacts) => contacts)
    }

    pub(crate) async fn chats(&self) -> Result<Vec<ChatInfo>, Fault> {
        expect_reply!(self, Command::Chats, Reply::Chats(chats) => chats)
    }

    pub(crate) async fn devices(&self) -> Result<Vec<DeviceInfo>, Fault> {
        expect_reply!(self, Command::Devices, Reply::Devices(devices) => devices)
    }

    pub(crate) async fn members(&self, chat: ChatNumber) -> Result<Vec<MemberInfo>, Fault> {
        expect_reply!(self, Command::GroupMembers(chat), Reply::Members(members) => members)
    }

    /// Oneself and the contacts.
    pub(crate) async fn people(&self) -> Result<People, Fault> {
        let mut people = People::default();
        match self.profile().await {
            Ok(profile) => people.insert(&profile.name, &profile.fingerprint),
            // Nobody yet.
            Err(Fault::Client(ClientFault::Command(_))) => {}
            Err(fault) => return Err(fault),
        }
        self.contacts().await?.iter().for_each(|contact| people.insert_contact(contact));
        Ok(people)
    }

    /// Oneself, the contacts, and the members of a chat.
    pub(crate) async fn people_in(&self, chat: ChatNumber) -> Result<People, Fault> {
        let mut people = self.people().await?;
        match self.members(chat).await {
            Ok(members) => {
                members.iter().for_each(|member| people.insert(&member.name, &member.fingerprint));
            }
            // The two of a direct chat are there already.
            Err(Fault::Client(ClientFault::Command(_))) => {}
            Err(fault) => return Err(fault),
        }
        Ok(people)
    }

    pub(crate) async fn messages(
        &self,
        chat: ChatNumber,
        from: MessageNumber,
        count_max: u32,
    ) -> Result<Vec<MessageInfo>, Fault> {
        let command = Command::Messages { chat, from, count_max };
        expect_reply!(self, command, Reply::Messages(messages) => messages)
    }

    /// One message as it is now.
    pub(crate) async fn message(
        &self,
        chat: ChatNumber,
        number: MessageNumber,
    ) -> Result<MessageInfo, Fault> {
        let messages = self.messages(chat, number, 1).await?;
        let found = messages.into_iter().find(|message| message.number == number);
        found.ok_or_else(|| CommandError::NoSuchMessage.into())
    }

    pub(crate) async fn events(
        &self,
        from: EventNumber,
        count_max: u32,
    ) -> Result<Vec<NumberedEvent>, Fault> {
        let command = Command::Events { from, count_max };
        expect_reply!(self, command, Reply::Events(events) => events)
    }

    /// The number that the next event will have. Events have no gaps, so the end is found by
    /// doubling and halving, without reading them all.
    pub(crate) async fn next_event_number(&self) -> Result<EventNumber, Fault> {
        let (mut low, mut high) = (0, 1);
        while self.has_event(high).await? {
            low = high;
            high = high.saturating_mul(2);
        }
        // There is an event `low` (or it is 0), and none from `high` on.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.has_event(middle).await? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(EventNumber(high))
    }

    async fn has_event(&self, number: u64) -> Result<bool, Fault> {
        match self.events(EventNumber(number), 1).await {
            Ok(events) => Ok(!events.is_empty()),
            // There was one; it is not kept any more.
            Err(Fault::Client(ClientFault::Command(CommandError::EventsGone { .. }))) => Ok(true),
            Err(fault) => Err(fault),
        }
    }

    /// The chat that a person means. One that is over may have begun again meanwhile, so that is
    /// asked of the relays first.
    pub(crate) async fn chat_named(&self, query: &str) -> Result<ChatInfo, Fault> {
        let chat = self.chat_here(query).await?;
        // What an owner has ended does not begin again.
        if !matches!(chat.state, ChatState::Left | ChatState::Removed) {
            return Ok(chat);
        }
        self.catch_up().await?;
        self.chat_here(query).await
    }

    async fn chat_here(&self, query: &str) -> Result<ChatInfo, Fault> {
        self.named(
            || self.chats(),
            |chats| {
                let numbered = |chat: &ChatInfo| Candidate::numbered(chat.number.0, &chat.name);
                choose(query, Noun::Chat, chats, numbered)
            },
        )
        .await
    }

    /// The contact that a person means.
    pub(crate) async fn contact_named(&self, query: &str) -> Result<ContactInfo, Fault> {
        self.named(
            || self.contacts(),
            |contacts| {
                let numbered = |it: &ContactInfo| Candidate::numbered(it.number.0, &it.name);
                choose(query, Noun::Contact, contacts, numbered)
            },
        )
        .await
    }

    /// The device that a person means.
    pub(crate) async fn device_named(&self, query: &str) -> Result<DeviceInfo, Fault> {
        self.named(
            || self.devices(),
            |devices| {
                let numbered = |it: &DeviceInfo| Candidate::numbered(it.number.0, &it.name);
                choose(query, Noun::Device, devices, numbered)
            },
        )
        .await
    }

    /// The member of a chat that a person means.
    pub(crate) async fn member_named(
        &self,
        chat: ChatNumber,
        query: &str,
    ) -> Result<MemberInfo, Fault> {
        self.named(
            || self.members(chat),
            |members| {
                let unnumbered = |it: &MemberInfo| Candidate::unnumbered(&it.name, &it.fingerprint);
                choose(query, Noun::Member, members, unnumbered)
            },
        )
        .await
    }

    /// Who has formed a group anew, and is not followed yet.
    pub(crate) async fn successors(&self, chat: ChatNumber) -> Result<Vec<SuccessorInfo>, Fault> {
        let command = Command::GroupSuccessors(chat);
        expect_reply!(self, command, Reply::Successors(successors) => successors)
    }

    /// Who has formed a group anew, by the beginning of their name or fingerprint.
    pub(crate) async fn successor_named(
        &self,
        chat: ChatNumber,
        query: &str,
    ) -> Result<SuccessorInfo, Fault> {
        self.named(
            || self.successors(chat),
            |successors| {
                let unnumbered = |it: &SuccessorInfo| Candidate::unnumbered(&it.name, &it.by);
                choose(query, Noun::Successor, successors, unnumbered)
            },
        )
        .await
    }

    /// Chooses one of several. What is not here may have come meanwhile: if nothing fits, the relays
    /// are asked, and it is looked for again.
    async fn named<T, L: Future<Output = Result<Vec<T>, Fault>>>(
        &self,
        list: impl Fn() -> L,
        choose: impl Fn(Vec<T>) -> Result<T, NameError>,
    ) -> Result<T, Fault> {
        match choose(list().await?) {
            Err(NameError::NoMatch { .. }) => {
                self.catch_up().await?;
                Ok(choose(list().await?)?)
            }
            chosen => Ok(chosen?),
        }
    }
}

fn choose<T>(
    query: &str,
    noun: Noun,
    things: Vec<T>,
    candidate: impl Fn(&T) -> Candidate,
) -> Result<T, NameError> {
    let candidates: Vec<Candidate> = things.iter().map(candidate).collect();
    let place = resolve(query, noun, &candidates)?;
    let missing = || NameError::NoMatch { noun, query: query.to_owned() };
    things.into_iter().nth(place).ok_or_else(missing)
}
