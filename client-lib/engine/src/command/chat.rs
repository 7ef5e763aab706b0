//! A chat and its messages, as an app is told of them.

use serde::{Deserialize, Serialize};

use super::{ChatNumber, ContactNumber, FailureReason, MessageNumber, Verification};

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
    /// The address of the relay that carries it.
    pub relay: String,
    /// Messages that are pinned, the one that was pinned last behind the others.
    #[serde(default)]
    pub pinned: Vec<MessageNumber>,
    /// Why this device cannot go on in it, if it cannot and knows.
    #[serde(default)]
    pub stuck: Option<StuckCause>,
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
    /// This identity has asked to be let in.
    Asked,
    /// It asked, and was not let in; an event said why.
    NotAdmitted,
    /// This identity left.
    Left,
    /// This identity was removed.
    Removed,
    /// What it was about goes on in another chat, which was there before.
    Elsewhere,
    /// An owner ended the group for all.
    Dissolved,
    /// It cannot go on by itself; an event said why.
    Stuck,
    /// It goes by rules that this program does not know; it goes on once the program is newer.
    NewerRules,
}

/// Why a device cannot go on in a group by itself, and asks to be added again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StuckCause {
    /// The relay does not know the epoch any more that the device is in, or says so.
    EpochGone,
    /// The relay does not have the commit any more by which the others went on.
    CommitGone,
    /// The relay shows others another history.
    OtherHistory,
    /// The group went on by a commit in this device's name that its store did not make: it is an old
    /// copy, or there are two.
    OwnCommit,
    /// What is stored of the group is missing, or cannot be read.
    StateDamaged,
    /// Somebody added the device again, and the invitation has not come.
    AddedAgain,
    /// Members took different ones of two commits, and the others go on behind another than this
    /// device does, as far as it can know.
    OtherBranch,
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
    /// When the relay stored it, by the relay's clock; for an own message, when this device took it.
    /// Milliseconds since the Unix epoch.
    pub sent_at_ms: u64,
    /// Whom it mentions, as far as that is told apart.
    pub mentioned: Mentioned,
    /// Whether it is pinned in its chat.
    pub pinned: Pinned,
}

/// Whom a message mentions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mentioned {
    /// Nobody, or only those whom its text names.
    #[default]
    Nobody,
    /// Everybody in the chat.
    All,
}

/// Whether a message is pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pinned {
    /// It is not.
    #[default]
    No,
    /// It is, for all in the chat.
    Yes,
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
