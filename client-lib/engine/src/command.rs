//! What an app asks of its client, and what it is told at once.
//!
//! A command changes the store or reads it; it never waits for the network. What the network does
//! with it comes later, as [`crate::event::Event`]s. Commands and replies are plain data, so that a
//! second process can send them to the one that owns the profile (spec: CLI-071).

use serde::{Deserialize, Serialize};

mod advice;
mod chat;
mod door;
mod failure;
mod group;
mod info;
mod number;

pub use chat::{
    ChatInfo, ChatKind, ChatState, ContactInfo, Mentioned, MessageBody, MessageInfo, MessageState,
    Pinned, Sender, StuckCause, TransferState,
};
pub use door::{
    GroupLinkInfo, GroupLinkNumber, GroupLinkTerms, LinkAdmission, RequestAnswer, RequestInfo,
    RequestNumber, RequestState,
};
pub use failure::{CommandError, FailureReason};
pub use group::{
    GroupChange, GroupEdit, GroupInfo, GroupRight, PictureChange, PictureInfo, RightGrant,
    RoleGrant,
};
pub use info::{
    CatchUpInfo, DeviceInfo, GroupCodeInfo, LinkInfo, LinkState, MemberInfo, MemberRole,
    ProfileInfo, RelayInfo, RelayState, StatusInfo, SuccessorInfo, ThisDevice, Whose,
};
pub use number::{ChatNumber, ContactNumber, DeviceNumber, LinkNumber, MessageNumber};

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
    /// Sends a text that mentions everybody in the chat.
    MentionAll {
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
    /// Pins a message for all in the chat, or takes the pin away.
    SetPinned {
        /// Which chat.
        chat: ChatNumber,
        /// Which message; it is stored.
        message: MessageNumber,
        /// What it is to be.
        pinned: Pinned,
    },
    /// Tries a failed message again.
    Retry {
        /// Which chat.
        chat: ChatNumber,
        /// Which message.
        message: MessageNumber,
    },
    /// Fetches the file of a message to a new file.
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
    /// Adds several contacts, each with all devices: all who can be reached by one commit. Who is in
    /// already is passed over; who cannot be added has an event of its own.
    GroupAddAll {
        /// Which group.
        chat: ChatNumber,
        /// Whom.
        contacts: Vec<ContactNumber>,
    },
    /// Removes a member with all devices.
    GroupRemove {
        /// Which group.
        chat: ChatNumber,
        /// Whom, by the fingerprint that [`Reply::Members`] shows.
        member: String,
    },
    /// Changes settings, rights, roles and members of a group by one commit, or ends it.
    ChangeGroup {
        /// Which group.
        chat: ChatNumber,
        /// What is to change.
        change: GroupChange,
    },
    /// Leaves a group.
    GroupLeave(ChatNumber),
    /// Makes a link by which people ask to be let into a group.
    GroupLinkMake {
        /// Which group.
        chat: ChatNumber,
        /// What kind of link.
        terms: GroupLinkTerms,
    },
    /// The links of a group.
    GroupLinks(ChatNumber),
    /// Makes a link of a group useless.
    GroupLinkRevoke {
        /// Which group.
        chat: ChatNumber,
        /// Which link.
        link: GroupLinkNumber,
    },
    /// Asks to be let into a group. Leaving the chat takes it back.
    GroupJoin {
        /// The text of a link of the group.
        link: SecretText,
    },
    /// Who asks to be let into a group.
    GroupRequests(ChatNumber),
    /// Says yes or no to a request.
    GroupAnswer {
        /// Which group.
        chat: ChatNumber,
        /// Which request.
        request: RequestNumber,
        /// Yes or no.
        answer: RequestAnswer,
    },
    /// Forms a group anew, on another channel at this identity's relay, for all who were in it: what
    /// owners and admins do where it cannot go on. Answers with the link by which those come in who
    /// cannot be reached otherwise.
    GroupSucceed {
        /// Which group.
        chat: ChatNumber,
        /// Whom to leave out, by the fingerprints that [`Reply::Members`] shows.
        without: Vec<String>,
    },
    /// Goes along with somebody who has formed a group anew.
    GroupFollow {
        /// Which group.
        chat: ChatNumber,
        /// Whose word, by the fingerprint that [`Reply::Successors`] shows; none: the one that there
        /// is.
        by: Option<String>,
    },
    /// Who has formed a group anew and can be followed.
    GroupSuccessors(ChatNumber),
    /// Asks the others once more to add this device again to a chat in which it cannot go on.
    Rejoin(ChatNumber),
    /// Adds devices of a member again that ask for it, when a person has to say so.
    Readmit {
        /// Which chat.
        chat: ChatNumber,
        /// Whose, by the fingerprint that [`Reply::Members`] shows.
        member: String,
    },
    /// Who is in a chat.
    GroupMembers(ChatNumber),
    /// What the members of a group have agreed on.
    GroupInfo(ChatNumber),
    /// What members of a chat compare to know that they see one group with one history.
    GroupCode(ChatNumber),
    /// Begins to link a new device; answers with the code that it must be given.
    DeviceLink,
    /// The two comparison codes were equal: grants, or they were not: stops.
    DeviceLinkConfirm(Comparison),
    /// The devices of this identity.
    Devices,
    /// Shuts a device out of everything.
    DeviceRevoke(DeviceNumber),
    /// New keys for everything that this device can renew: its leaf in each group, its key packages,
    /// and, on a device that may link and revoke others, the inbox. It revokes nobody.
    RefreshKeys,
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

impl Command {
    /// Whether what a person typed for it can be right, as far as no profile is needed to say so: an
    /// app can look before it makes one.
    ///
    /// # Errors
    /// [`CommandError`], as the command itself would be refused.
    pub fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::CreateIdentity { name, relay } => {
                crate::chats::check_name(name)?;
                crate::profile::parse_relay(relay).map(drop)
            }
            Self::JoinIdentity { code, device_name } => {
                crate::chats::check_name(device_name)?;
                crate::linking::parse(code).map(drop)
            }
            Self::AddContact { link } => crate::contacts::parse(link).map(drop),
            Self::GroupJoin { link } => crate::asking::parse(link).map(drop),
            _ => Ok(()),
        }
    }

    /// Whether it only asks and stores nothing: then it can be given twice.
    pub const fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Events { .. }
                | Self::Profile
                | Self::CheckPhrase(_)
                | Self::Links
                | Self::Contacts
                | Self::SafetyNumber(_)
                | Self::Chats
                | Self::Messages { .. }
                | Self::GroupLinks(_)
                | Self::GroupRequests(_)
                | Self::GroupMembers(_)
                | Self::GroupSuccessors(_)
                | Self::GroupInfo(_)
                | Self::GroupCode(_)
                | Self::Devices
                | Self::Status
        )
    }
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
    /// To [`Command::AddContact`], [`Command::GroupNew`] and [`Command::GroupJoin`].
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
    /// To [`Command::SendText`], [`Command::MentionAll`] and [`Command::SendFile`]: accepted, and durable.
    Accepted {
        /// Which chat.
        chat: ChatNumber,
        /// The message, pending.
        message: MessageNumber,
    },
    /// To [`Command::Messages`].
    Messages(Vec<MessageInfo>),
    /// To [`Command::GroupLinkMake`].
    GroupLink(GroupLinkInfo),
    /// To [`Command::GroupLinks`].
    GroupLinks(Vec<GroupLinkInfo>),
    /// To [`Command::GroupRequests`].
    GroupRequests(Vec<RequestInfo>),
    /// To [`Command::GroupSuccessors`].
    Successors(Vec<SuccessorInfo>),
    /// To [`Command::GroupMembers`].
    Members(Vec<MemberInfo>),
    /// To [`Command::GroupInfo`].
    Group(GroupInfo),
    /// To [`Command::GroupCode`].
    GroupCode(GroupCodeInfo),
    /// To [`Command::DeviceLink`].
    DeviceCode(SecretText),
    /// To [`Command::Devices`].
    Devices(Vec<DeviceInfo>),
    /// To [`Command::Events`].
    Events(Vec<crate::event::NumberedEvent>),
    /// To [`Command::Status`].
    Status(StatusInfo),
}
