//! What an app asks of its client, and what it is told at once.
//!
//! A command changes the store or reads it; it never waits for the network. What the network does
//! with it comes later, as [`crate::event::Event`]s. Commands and replies are plain data, so that a
//! second process can send them to the one that owns the profile (spec: CLI-070).

use serde::{Deserialize, Serialize};

/// A chat on this device: direct or group. Local; never leaves the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChatNumber(pub u64);

/// A message in a chat, in the order of the chat; the first is 1. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageNumber(pub u64);

/// A contact on this device. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContactNumber(pub u64);

/// A contact link that this identity gave out. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkNumber(pub u64);

/// A device of this identity, in the order of the device list; the first is 1. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceNumber(pub u64);

/// Text that must not be logged: prints nothing in Debug, zeroized when dropped.
#[derive(
    Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop,
)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, to show it to the person it belongs to.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// How often a contact link may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkUse {
    /// By one person, once.
    Single,
    /// By anybody who has it, until it is revoked.
    Lasting,
}

/// Whether a person has compared a contact's safety number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verification {
    /// Not compared.
    Unverified,
    /// Compared, and equal.
    Verified,
}

/// What an app asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Command {
    /// Creates this profile's identity. `relay` is a relay address, `host:port#id`.
    CreateIdentity {
        /// Shown to contacts.
        name: String,
        /// Where the inbox and own channels live.
        relay: String,
    },
    /// Begins to join an existing identity as a new device, with the code that one of its devices
    /// shows.
    JoinIdentity {
        /// The linking code.
        code: SecretText,
        /// A name for this device.
        device_name: String,
    },
    /// Who this profile is.
    Profile,
    /// Makes a contact link.
    MakeLink {
        /// How often it may be used.
        usage: LinkUse,
        /// Milliseconds from now; `None`: until revoked.
        expires_in_ms: Option<u64>,
    },
    /// The contact links given out.
    Links,
    /// Makes a link useless.
    RevokeLink(LinkNumber),
    /// Begins a direct chat with the person behind a contact link.
    AddContact {
        /// The link's text.
        link: SecretText,
    },
    /// The contacts.
    Contacts,
    /// The number that two people compare.
    SafetyNumber(ContactNumber),
    /// Notes the outcome of a comparison.
    SetVerification {
        /// Who was compared.
        contact: ContactNumber,
        /// The outcome.
        verification: Verification,
    },
    /// The chats, most recent first.
    Chats,
    /// Sends a text (Markdown, MIMI profile).
    SendText {
        /// Where.
        chat: ChatNumber,
        /// What.
        text: String,
    },
    /// Uploads a file and sends it.
    SendFile {
        /// Where.
        chat: ChatNumber,
        /// An absolute path on this machine.
        path: String,
        /// `type/subtype`.
        media_type: String,
    },
    /// Messages of a chat, oldest first, from `from` on.
    Messages {
        /// Which chat.
        chat: ChatNumber,
        /// First message to return.
        from: MessageNumber,
        /// At most so many.
        count_max: u32,
    },
    /// Everything up to this message was seen by the person.
    MarkRead {
        /// Which chat.
        chat: ChatNumber,
        /// The last message seen.
        upto: MessageNumber,
    },
    /// Tries a failed message again.
    Retry {
        /// Which chat.
        chat: ChatNumber,
        /// Which message.
        message: MessageNumber,
    },
    /// Fetches the file of a message into a folder or to a new file.
    Download {
        /// Which chat.
        chat: ChatNumber,
        /// Which message.
        message: MessageNumber,
        /// An absolute path that does not exist yet.
        path: String,
    },
    /// Creates a group with oneself as owner.
    GroupNew {
        /// Its name, seen by members only.
        name: String,
    },
    /// Adds a contact with all devices.
    GroupAdd {
        /// Which group.
        chat: ChatNumber,
        /// Whom.
        contact: ContactNumber,
    },
    /// Removes a member with all devices.
    GroupRemove {
        /// Which group.
        chat: ChatNumber,
        /// Whom, by the fingerprint that [`Reply::Members`] shows.
        member: String,
    },
    /// Leaves a group.
    GroupLeave(ChatNumber),
    /// Who is in a chat.
    GroupMembers(ChatNumber),
    /// Begins to link a new device; answers with the code that it must be given.
    DeviceLink,
    /// The two comparison codes were equal: grants, or they were not: stops.
    DeviceLinkConfirm(Comparison),
    /// The devices of this identity.
    Devices,
    /// Shuts a device out of everything.
    DeviceRevoke(DeviceNumber),
    /// Checks a recovery phrase against this identity. The phrase itself is on no device.
    CheckPhrase(SecretText),
    /// Events from `from` on. The app keeps the number of the last event it handled.
    Events {
        /// First event to return.
        from: crate::event::EventNumber,
        /// At most so many.
        count_max: u32,
    },
    /// What still waits for the network, and how the relays are.
    Status,
}

/// How two people found their comparison codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Not the same.
    Different,
}

/// What an app is told at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reply {
    /// Done, nothing to say.
    Done,
    /// To [`Command::CreateIdentity`]: shown once, kept nowhere.
    IdentityCreated {
        /// Twenty-four words.
        phrase: SecretText,
        /// The identity.
        profile: ProfileInfo,
    },
    /// To [`Command::Profile`].
    Profile(ProfileInfo),
    /// To [`Command::MakeLink`].
    Link(LinkInfo),
    /// To [`Command::Links`].
    Links(Vec<LinkInfo>),
    /// To [`Command::AddContact`] and [`Command::GroupNew`].
    Chat(ChatInfo),
    /// To [`Command::Contacts`].
    Contacts(Vec<ContactInfo>),
    /// To [`Command::SafetyNumber`].
    SafetyNumber {
        /// Sixty digits in groups of five.
        digits: String,
        /// Whether it was compared.
        verification: Verification,
    },
    /// To [`Command::Chats`].
    Chats(Vec<ChatInfo>),
    /// To [`Command::SendText`] and [`Command::SendFile`]: accepted, and durable.
    Accepted {
        /// Which chat.
        chat: ChatNumber,
        /// The message, pending.
        message: MessageNumber,
    },
    /// To [`Command::Messages`].
    Messages(Vec<MessageInfo>),
    /// To [`Command::GroupMembers`].
    Members(Vec<MemberInfo>),
    /// To [`Command::DeviceLink`].
    DeviceCode(SecretText),
    /// To [`Command::Devices`].
    Devices(Vec<DeviceInfo>),
    /// To [`Command::Events`].
    Events(Vec<crate::event::NumberedEvent>),
    /// To [`Command::Status`].
    Status(StatusInfo),
}

/// Who this profile is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileInfo {
    /// Shown to contacts.
    pub name: String,
    /// The identity, in hex.
    pub fingerprint: String,
    /// The home relay's address.
    pub relay: String,
    /// This device's place in the device list.
    pub device: Option<DeviceNumber>,
}

/// A contact link that was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInfo {
    /// Its number on this device.
    pub number: LinkNumber,
    /// Its text: whoever has it can write to this identity.
    pub text: SecretText,
    /// How often it may be used.
    pub usage: LinkUse,
    /// What has become of it.
    pub state: LinkState,
}

/// What has become of a contact link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// The relay does not know it yet.
    Pending,
    /// It can be used.
    Active,
    /// Its single use is over.
    Used,
    /// It was revoked.
    Revoked,
}

/// A chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatInfo {
    /// Its number on this device.
    pub number: ChatNumber,
    /// The group's or the contact's name.
    pub name: String,
    /// Direct or group.
    pub kind: ChatKind,
    /// Whether it can be written to.
    pub state: ChatState,
    /// The contact of a direct chat.
    pub contact: Option<ContactNumber>,
    /// Messages that were not seen.
    pub unread: u64,
    /// The number of the last message; 0: none.
    pub last: MessageNumber,
    /// Cannot be told from the network's point of view; which relay carries it.
    pub relay: String,
}

/// Direct or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatKind {
    /// Two identities.
    Direct,
    /// Any number.
    Group,
}

/// Whether a chat can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatState {
    /// Not set up with the other side yet; what is written waits.
    Opening,
    /// Yes.
    Open,
    /// This identity left.
    Left,
    /// This identity was removed.
    Removed,
    /// It cannot go on by itself; an event said why.
    Stuck,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactInfo {
    /// Its number on this device.
    pub number: ContactNumber,
    /// The name it gave itself.
    pub name: String,
    /// The identity, in hex.
    pub fingerprint: String,
    /// Whether the safety number was compared.
    pub verification: Verification,
    /// The direct chat.
    pub chat: Option<ChatNumber>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageInfo {
    /// Which chat.
    pub chat: ChatNumber,
    /// Its number there.
    pub number: MessageNumber,
    /// Who wrote it.
    pub sender: Sender,
    /// What it says.
    pub body: MessageBody,
    /// How far it has come.
    pub state: MessageState,
    /// When its sender says it was written, milliseconds since the Unix epoch.
    pub sent_at_ms: u64,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sender {
    /// This identity, on any of its devices.
    Me,
    /// Somebody else.
    Other {
        /// The identity, in hex.
        fingerprint: String,
        /// The name known for it; its fingerprint's beginning if none is.
        name: String,
    },
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MessageBody {
    /// Text.
    Text(String),
    /// A file.
    File {
        /// A safe file name.
        name: String,
        /// Its length in bytes.
        size: u64,
        /// `type/subtype`.
        media_type: String,
        /// How much of it is here, or was sent.
        transfer: TransferState,
    },
    /// Something this version does not know; kept.
    NotSupported {
        /// What it says it is.
        media_type: String,
    },
}

/// How much of a file has come or gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferState {
    /// Not fetched.
    Remote,
    /// Under way, in bytes of `of`.
    Moving {
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        of: u64,
    },
    /// All of it.
    Complete,
    /// It cannot be had.
    Failed(FailureReason),
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageState {
    /// Received from somebody else.
    Received,
    /// On this device only.
    Pending,
    /// On the relay's disk.
    Stored,
    /// On devices of so many of the other people.
    Delivered {
        /// People who have it.
        people: u32,
        /// The other people in the chat.
        of: u32,
    },
    /// It will not go out by itself.
    Failed(FailureReason),
}

/// Why something will not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// This identity is not in the group any more.
    #[error("you are no longer in this group")]
    NotAMember,
    /// The rights of the group do not allow it.
    #[error("your role in this group does not allow it")]
    NoRight,
    /// The link was revoked, used up, or never valid.
    #[error("the link is not valid any more; ask for a new one")]
    LinkNotValid,
    /// The relay answered with another key than the one that was pinned.
    #[error("the relay has another key than expected; do not trust it, ask its operator")]
    RelayKeyMismatch,
    /// What came does not prove the identity that was expected.
    #[error("the other side could not prove its identity")]
    IdentityNotProven,
    /// What the other side signed is too old or from the future, or a clock is wrong.
    #[error("the other side's device list is too old, or a clock is wrong by months")]
    NotFresh,
    /// No key package of the person is left.
    #[error("the other side must come online before it can be added")]
    NoKeyPackage,
    /// The file is not there any more, or has changed.
    #[error("the file vanished or changed while it was read")]
    FileChanged,
    /// The file cannot be read or written.
    #[error("the file cannot be read or written")]
    FileNotAccessible,
    /// The file is larger than the relay takes.
    #[error("the file is larger than the relay takes")]
    TooLarge,
    /// The relay no longer keeps it.
    #[error("the relay no longer keeps it")]
    Expired,
    /// The bytes are not what their sender described.
    #[error("the content does not match its description")]
    Damaged,
    /// The relay refuses in a way that will not change.
    #[error("the relay refused it")]
    Refused,
    /// The person's inbox takes nothing from this identity any more.
    #[error("the other side cannot be reached; ask for a new link")]
    NotReachable,
    /// The person stopped it.
    #[error("stopped")]
    Cancelled,
}

/// A member of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// The identity, in hex.
    pub fingerprint: String,
    /// The name known for it.
    pub name: String,
    /// What it may do.
    pub role: MemberRole,
    /// Devices in the group.
    pub devices: u32,
    /// Whether it is this identity.
    pub whose: Whose,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberRole {
    /// Everything.
    Owner,
    /// Add and remove members.
    Admin,
    /// Write.
    Member,
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whose {
    /// This identity's.
    Mine,
    /// Somebody else's.
    Others,
}

/// A device of this identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its place in the list.
    pub number: DeviceNumber,
    /// Its name.
    pub name: String,
    /// Whether it is the one that answers.
    pub current: ThisDevice,
}

/// Whether a device is the one that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThisDevice {
    /// It is.
    Yes,
    /// It is another one.
    No,
}

/// What still waits for the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusInfo {
    /// Durable wishes that are not settled.
    pub waiting: u64,
    /// Sessions with relays.
    pub relays: Vec<RelayInfo>,
}

/// A session with a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayInfo {
    /// Its address.
    pub address: String,
    /// How it is.
    pub state: RelayState,
}

/// How a session with a relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelayState {
    /// Trying.
    Connecting,
    /// There, still reading what came meanwhile.
    CatchingUp,
    /// There, and nothing is missing.
    Current,
    /// Not reachable; tried again later.
    Offline,
    /// It showed another key; not tried again before the profile is opened anew.
    KeyMismatch,
}

/// Why a command was not accepted. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The profile has an identity already.
    #[error("this profile has an identity already")]
    IdentityExists,
    /// The profile has no identity yet.
    #[error("this profile has no identity yet; run `init` first")]
    NoIdentity,
    /// There is no such chat.
    #[error("there is no such chat")]
    NoSuchChat,
    /// There is no such message.
    #[error("there is no such message")]
    NoSuchMessage,
    /// There is no such contact.
    #[error("there is no such contact")]
    NoSuchContact,
    /// There is no such link.
    #[error("there is no such link")]
    NoSuchLink,
    /// There is no such device.
    #[error("there is no such device")]
    NoSuchDevice,
    /// A device does not revoke itself.
    #[error("this is the device you are using; revoke it from another one")]
    ThisDevice,
    /// There is no such member.
    #[error("there is no such member")]
    NoSuchMember,
    /// It works in groups only, or in direct chats only.
    #[error("this kind of chat does not allow it")]
    WrongChatKind,
    /// The chat is over.
    #[error("this chat is over: you left it or were removed")]
    ChatClosed,
    /// The rights of the group do not allow it.
    #[error("your role in this group does not allow it")]
    NoRight,
    /// The last owner cannot leave a group that has other members.
    #[error("you are the last owner; make another member owner first, or remove the others")]
    LastOwner,
    /// The relay address is not of the form `host:port#id`.
    #[error(
        "the relay address is not valid; it reads host:port#id, as `hush-relay init` prints it"
    )]
    BadRelayAddress,
    /// The link is incomplete: characters are missing at its end.
    #[error("the link is incomplete; copy it whole")]
    LinkTruncated,
    /// The text is no link of this system.
    #[error("this is not a Hushwire link")]
    NotALink,
    /// The link is of a newer version.
    #[error("the link needs a newer version of this program")]
    LinkTooNew,
    /// The link is one's own.
    #[error("this is your own link")]
    OwnLink,
    /// The contact is there already.
    #[error("this person is a contact already")]
    AlreadyAContact,
    /// The person is in the group already.
    #[error("this person is in the group already")]
    AlreadyAMember,
    /// The name or text is empty or too long.
    #[error("the text is empty or too long")]
    BadText,
    /// The recovery phrase has a word that is not in the list.
    #[error("word {0} of the phrase is not in the word list")]
    PhraseWord(u8),
    /// The recovery phrase does not have 24 words, or its check word is wrong.
    #[error("the phrase is incomplete or two words are swapped")]
    PhraseIncomplete,
    /// The recovery phrase belongs to another identity.
    #[error("the phrase belongs to another identity")]
    PhraseOfAnother,
    /// This device does not hold the manager key.
    #[error("this device may not link or revoke devices")]
    NotAManager,
    /// No device is being linked.
    #[error("no device is being linked")]
    NotLinking,
    /// The message has no file, or is not failed, or the file is here already.
    #[error("this does not apply to that message")]
    NotApplicable,
    /// The path is not absolute, or exists already.
    #[error("the path is not absolute, or something is there already")]
    BadPath,
    /// The disk is full; nothing was changed.
    #[error("the disk is full; nothing was changed: make room and try again")]
    DiskFull,
    /// The store is damaged.
    #[error("the store is damaged: restore it from a backup, or link this device anew")]
    StoreDamaged,
    /// The disk failed; nothing was changed.
    #[error("the disk failed; nothing was changed")]
    DiskFailed,
    /// A fault of this program.
    #[error("a fault of this program; nothing was changed")]
    Internal,
}
