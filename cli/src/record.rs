//! What a command says: one record, which becomes lines for a person or one JSON object.
//!
//! The field names are an interface; `tests/it/json.rs` pins them.

use hushwire::command::{
    ChatInfo, ContactInfo, DeviceInfo, GroupCodeInfo, LinkInfo, MemberInfo, ProfileInfo,
    SecretText, StatusInfo, SuccessorInfo, Verification,
};
use serde::Serialize;

use crate::{code::code_of, people::People, visible};

mod door;
mod event;
mod group;
mod message;

pub use door::{GroupLinkRecord, RequestRecord};
pub use event::EventRecord;
pub use group::{GroupRecord, RightsRecord};
pub use message::MessageRecord;

/// One thing that is said.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// Who this profile is; the phrase only when it was just made.
    Identity(IdentityRecord),
    /// A contact link.
    Link(LinkRecord),
    /// A link of a group.
    GroupLink(GroupLinkRecord),
    /// Somebody asks to be let into a group.
    JoinRequest(RequestRecord),
    /// A contact.
    Contact(ContactRecord),
    /// A chat.
    Chat(ChatRecord),
    /// A message.
    Message(Box<MessageRecord>),
    /// A file was saved.
    Saved(SavedRecord),
    /// A member of a chat.
    Member(MemberRecord),
    /// Somebody who has formed a group anew.
    Successor(SuccessorRecord),
    /// What the members of a group have agreed on.
    Group(GroupRecord),
    /// A device of this identity.
    Device(DeviceRecord),
    /// The code that a new device must be given.
    DeviceCode(CodeRecord),
    /// The digits to compare.
    Comparison(CodeRecord),
    /// The number that two people compare.
    SafetyNumber(SafetyNumberRecord),
    /// See [`GroupCodeRecord`].
    GroupCode(GroupCodeRecord),
    /// What waits, and how the relays are.
    Status(StatusRecord),
    /// Something is done that has nothing else to say.
    Done(DoneRecord),
    /// What happened.
    Event(Box<EventRecord>),
}

impl Record {
    /// What a command has done that says this record, for who cannot be shown it; [`None`] if it only
    /// shows.
    pub fn outcome(&self) -> Option<String> {
        match self {
            Self::Identity(IdentityRecord { phrase: Some(_), .. }) => Some(
                "the identity is made, but its recovery phrase was shown to nobody: to have one, delete the profile and begin again"
                    .to_owned(),
            ),
            Self::Identity(IdentityRecord { phrase: None, .. }) => None,
            Self::Link(LinkRecord { link, showing: Showing::WithQr, .. }) => {
                Some(format!("link {link} is made; see `hush link list`"))
            }
            Self::GroupLink(GroupLinkRecord { link, showing: Showing::WithQr, .. }) => {
                Some(format!("link {link} of the group is made; see `hush group links`"))
            }
            Self::Message(message) if message.sender == "me" => {
                let MessageRecord { chat, message, state, .. } = message.as_ref();
                Some(format!("message {message} of chat {chat} is {state}"))
            }
            Self::Saved(saved) => Some(format!("saved to {}", visible::line(&saved.path))),
            Self::Done(done) => Some(done.words.clone()),
            _ => None,
        }
    }
}

/// Who this profile is.
#[derive(Debug, Serialize)]
pub struct IdentityRecord {
    /// Shown to contacts.
    pub name: String,
    /// The identity, in hex.
    pub fingerprint: String,
    /// The home relay's address.
    pub relay: String,
    /// This device's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u64>,
    /// Twenty-four words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phrase: Option<SecretText>,
}

impl IdentityRecord {
    /// The profile, and the phrase if it was just made.
    pub fn new(profile: ProfileInfo, phrase: Option<SecretText>) -> Self {
        let ProfileInfo { name, fingerprint, relay, device } = profile;
        Self { name, fingerprint, relay, device: device.map(|device| device.0), phrase }
    }
}

/// A contact link.
#[derive(Debug, Serialize)]
pub struct LinkRecord {
    /// Its number on this device.
    pub link: u64,
    /// Whoever has it can write to this identity.
    pub text: SecretText,
    /// single or lasting.
    pub usage: String,
    /// pending, active, used, revoked or expired.
    pub state: String,
    /// When it stops working by itself, by this device's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// Whether the person is about to pass it on.
    #[serde(skip)]
    pub showing: Showing,
}

/// How much of a code is shown to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// In a line of a list.
    InList,
    /// With its QR code.
    WithQr,
}

impl LinkRecord {
    /// A link as the library tells it.
    pub fn new(link: LinkInfo, showing: Showing) -> Self {
        Self {
            link: link.number.0,
            text: link.text,
            usage: code_of(&link.usage),
            state: code_of(&link.state),
            expires_at_ms: link.expires_at_ms,
            showing,
        }
    }
}

/// A contact.
#[derive(Debug, Serialize)]
pub struct ContactRecord {
    /// Its number on this device.
    pub contact: u64,
    /// The name it gave itself.
    pub name: String,
    /// What it is called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
    /// The identity, in hex.
    pub fingerprint: String,
    /// verified or unverified.
    pub verification: String,
    /// The direct chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<u64>,
}

impl ContactRecord {
    /// A contact among others.
    pub fn new(contact: ContactInfo, people: &People) -> Self {
        Self {
            contact: contact.number.0,
            label: people.label(&contact.name, &contact.fingerprint),
            name: contact.name,
            fingerprint: contact.fingerprint,
            verification: code_of(&contact.verification),
            chat: contact.chat.map(|chat| chat.0),
        }
    }
}

/// A chat.
#[derive(Debug, Serialize)]
pub struct ChatRecord {
    /// Its number on this device.
    pub chat: u64,
    /// The group's or the contact's name.
    pub name: String,
    /// What it is called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
    /// direct or group.
    pub kind: String,
    /// opening, open, asked, not_admitted, left, removed, elsewhere, dissolved, stuck or newer_rules.
    pub state: String,
    /// The contact of a direct chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<u64>,
    /// Messages that were not seen.
    pub unread: u64,
    /// The number of the last message; 0: none.
    pub last: u64,
    /// Which relay carries it.
    pub relay: String,
    /// Messages that are pinned, the one that was pinned last behind the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<u64>,
    /// Why this device cannot go on in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
}

impl ChatRecord {
    /// A chat, called as the person on its other side is.
    pub fn new(chat: ChatInfo, people: &People) -> Self {
        Self {
            chat: chat.number.0,
            label: people.chat_label(&chat),
            name: chat.name,
            kind: code_of(&chat.kind),
            state: code_of(&chat.state),
            contact: chat.contact.map(|contact| contact.0),
            unread: chat.unread,
            last: chat.last.0,
            relay: chat.relay,
            pinned: chat.pinned.iter().map(|message| message.0).collect(),
            stuck: chat.stuck.map(|cause| code_of(&cause)),
        }
    }
}

/// A file was saved.
#[derive(Debug, Serialize)]
pub struct SavedRecord {
    /// Which chat.
    pub chat: u64,
    /// Which message.
    pub message: u64,
    /// Where it is now.
    pub path: String,
}

/// A member of a chat.
#[derive(Debug, Serialize)]
pub struct MemberRecord {
    /// The identity, in hex.
    pub fingerprint: String,
    /// The name known for it.
    pub name: String,
    /// What it is called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
    /// owner, admin or member.
    pub role: String,
    /// Devices in the group.
    pub devices: u32,
    /// mine or others.
    pub whose: String,
    /// Devices that ask to be added again.
    pub asking: u32,
}

impl MemberRecord {
    /// A member among others.
    pub fn new(member: MemberInfo, people: &People) -> Self {
        Self {
            label: people.label(&member.name, &member.fingerprint),
            fingerprint: member.fingerprint,
            name: member.name,
            role: code_of(&member.role),
            devices: member.devices,
            whose: code_of(&member.whose),
            asking: member.asking,
        }
    }
}

/// Somebody who has formed a group anew.
#[derive(Debug, Serialize)]
pub struct SuccessorRecord {
    /// The identity, in hex.
    pub fingerprint: String,
    /// The name known for it.
    pub name: String,
    /// What it is called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
}

impl SuccessorRecord {
    /// As the library tells it.
    pub fn new(successor: SuccessorInfo, people: &People) -> Self {
        let SuccessorInfo { by, name } = successor;
        Self { label: people.label(&name, &by), fingerprint: by, name }
    }
}

/// A device of this identity.
#[derive(Debug, Serialize)]
pub struct DeviceRecord {
    /// Its number on this device.
    pub device: u64,
    /// Its name.
    pub name: String,
    /// yes or no.
    pub current: String,
}

impl From<DeviceInfo> for DeviceRecord {
    fn from(device: DeviceInfo) -> Self {
        Self { device: device.number.0, name: device.name, current: code_of(&device.current) }
    }
}

/// A code for another device.
#[derive(Debug, Serialize)]
pub struct CodeRecord {
    /// Its text.
    pub code: SecretText,
}

/// What members of a chat compare.
#[derive(Debug, Serialize)]
pub struct GroupCodeRecord {
    /// Which chat.
    pub chat: u64,
    /// Its name.
    pub name: String,
    /// What it is called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
    /// The epoch, in hex: who is at another one has other digits.
    pub epoch: String,
    /// Thirty digits in groups of five.
    pub digits: String,
}

impl GroupCodeRecord {
    /// The code of a chat.
    pub fn new(chat: &ChatInfo, label: String, code: GroupCodeInfo) -> Self {
        let GroupCodeInfo { epoch, code: digits } = code;
        Self { chat: chat.number.0, name: chat.name.clone(), label, epoch, digits }
    }
}

/// The number that two people compare.
#[derive(Debug, Serialize)]
pub struct SafetyNumberRecord {
    /// Which contact.
    pub contact: u64,
    /// Its name.
    pub name: String,
    /// What it is called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
    /// Sixty digits in groups of five.
    pub digits: String,
    /// verified or unverified.
    pub verification: String,
}

impl SafetyNumberRecord {
    /// The number of a contact.
    pub fn new(
        contact: ContactInfo,
        people: &People,
        digits: String,
        verification: Verification,
    ) -> Self {
        let label = people.label(&contact.name, &contact.fingerprint);
        let verification = code_of(&verification);
        Self { contact: contact.number.0, name: contact.name, label, digits, verification }
    }
}

/// What waits, and how the relays are.
#[derive(Debug, Serialize)]
pub struct StatusRecord {
    /// Shown to contacts.
    pub name: String,
    /// The identity, in hex.
    pub fingerprint: String,
    /// The home relay's address.
    pub relay: String,
    /// This device's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u64>,
    /// Durable wishes that are not settled.
    pub waiting: u64,
    /// What is left of a refresh of the keys; 0 if none is under way.
    pub refreshing: u64,
    /// The relays in use, each once.
    pub relays: Vec<RelayRecord>,
    /// The chats that are still being read.
    pub catching_up: Vec<CatchUpRecord>,
}

/// How far the reading of a chat is.
#[derive(Debug, Serialize)]
pub struct CatchUpRecord {
    /// Which; none: the group of one's own devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<u64>,
    /// Entries that were read.
    pub read: u64,
    /// Entries that there are at least.
    pub of: u64,
}

/// A relay in use.
#[derive(Debug, Serialize)]
pub struct RelayRecord {
    /// Its address.
    pub address: String,
    /// current, sending, catching_up, connecting, offline or key_mismatch.
    pub state: String,
}

impl StatusRecord {
    /// The profile and its status.
    pub fn new(profile: ProfileInfo, status: StatusInfo) -> Self {
        let relays = status.relays.into_iter();
        Self {
            name: profile.name,
            fingerprint: profile.fingerprint,
            relay: profile.relay,
            device: profile.device.map(|device| device.0),
            waiting: status.waiting,
            refreshing: status.refreshing,
            relays: relays
                .map(|relay| RelayRecord { address: relay.address, state: code_of(&relay.state) })
                .collect(),
            catching_up: status
                .catching_up
                .into_iter()
                .map(|behind| CatchUpRecord {
                    chat: behind.chat.map(|chat| chat.0),
                    read: behind.read,
                    of: behind.of,
                })
                .collect(),
        }
    }
}

/// Something is done.
#[derive(Debug, Default, Serialize)]
pub struct DoneRecord {
    /// A stable name for it.
    pub done: &'static str,
    /// settled, or queued if the network was not to be waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<u64>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<u64>,
    /// Which link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<u64>,
    /// Which device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u64>,
    /// Which identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Which message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<u64>,
    /// Which right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
    /// Which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The same for a person; the words are ours, or made visible.
    #[serde(skip)]
    pub words: String,
}
