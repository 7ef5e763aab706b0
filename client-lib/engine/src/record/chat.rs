//! What a person sees: chats, messages, contacts, links.

use hushwire_protocol::identity::Fingerprint;
use hushwire_wire::id::{CapabilityId, ChannelId};
use serde::{Deserialize, Serialize};

use super::{Record, SecretBytes, id};
use crate::{
    command::{
        ChatKind, ChatNumber, ChatState, ContactNumber, FailureReason, LinkUse, MessageNumber,
        Verification,
    },
    store::Table,
};

/// Groups of a chat that are remembered (spec: CNT-045).
const CHAT_ROOMS_MAX: usize = 16;

/// A chat. Key: number.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ChatRecord {
    pub(crate) name: String,
    pub(crate) kind: ChatKind,
    pub(crate) state: ChatState,
    /// The group that carries it; none while a contact is being reached.
    #[serde(with = "id::option")]
    pub(crate) channel: Option<ChannelId>,
    /// The groups in which something of it was said, the latest last.
    #[serde(with = "id::list", default)]
    pub(crate) rooms: Vec<ChannelId>,
    pub(crate) contact: Option<ContactNumber>,
    pub(crate) last: u64,
    pub(crate) read_upto: u64,
    pub(crate) unread: u64,
    /// When something last happened here, for the order of chats.
    pub(crate) active_ms: u64,
    /// Messages that are pinned, in the order of pinning.
    #[serde(default)]
    pub(crate) pinned: Vec<MessageNumber>,
}

impl Record for ChatRecord {
    const TABLE: Table = Table::Chat;
}

impl ChatRecord {
    /// From now on this group carries it.
    pub(crate) fn carry(&mut self, channel: ChannelId) {
        self.channel = Some(channel);
        self.add_room(channel);
    }

    /// Notes that something of it is said in a group, which may be a former one; says whether that is
    /// new.
    pub(crate) fn add_room(&mut self, channel: ChannelId) -> bool {
        let new = !self.rooms.contains(&channel);
        if new {
            self.rooms.push(channel);
            let over = self.rooms.len().saturating_sub(CHAT_ROOMS_MAX);
            self.rooms.drain(..over);
        }
        new
    }
}

/// A message. Key: chat, number.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct MessageRecord {
    /// The sender's identity; none: this identity.
    #[serde(with = "id::option")]
    pub(crate) sender: Option<Fingerprint>,
    /// The MIMI message id; it is known once the message is sealed for its room.
    #[serde(with = "serde_bytes")]
    pub(crate) mimi_id: Vec<u8>,
    pub(crate) sent_at_ms: u64,
    pub(crate) body: BodyRecord,
    /// For a message written on this device.
    pub(crate) outgoing: Option<Outgoing>,
    /// Whether it mentions everybody.
    #[serde(default)]
    pub(crate) mentions_all: bool,
    /// The exact content bytes, to send again and to show what later versions understand.
    #[serde(with = "serde_bytes")]
    pub(crate) content: Vec<u8>,
    /// When this device learned that the relay has it; 0: it does not know, or a build before wrote it.
    #[serde(default)]
    pub(crate) stored_ms: u64,
}

impl Record for MessageRecord {
    const TABLE: Table = Table::Message;
}

/// What a message says.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum BodyRecord {
    Text(String),
    File(FileRecord),
    NotSupported { media_type: String },
}

/// A file that a message carries.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) media_type: String,
    /// The transfer that is or was last under way.
    pub(crate) transfer: Option<u64>,
    pub(crate) complete: bool,
    pub(crate) failed: Option<FailureReason>,
}

/// How far a message of this identity has come.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outgoing {
    Pending,
    Stored,
    Failed(FailureReason),
}

/// Who has a message. Key: chat, number, fingerprint.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct DeliveryRecord {
    pub(crate) delivered: bool,
    pub(crate) read: bool,
}

impl Record for DeliveryRecord {
    const TABLE: Table = Table::Receipt;
}

/// A contact. Key: fingerprint.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ContactRecord {
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) verification: Verification,
    pub(crate) chat: Option<ChatNumber>,
    /// Where and how to write to the contact's inbox; none while it is being reached.
    pub(crate) card: Option<SecretBytes>,
    /// Whether this person added the contact, by a link; else the contact came by one of ours.
    #[serde(default)]
    pub(crate) sought: bool,
    /// The capability this identity gave to the contact.
    pub(crate) given: Option<SecretBytes>,
    /// The rank of the newest device list that was seen; no older one is accepted: its version,
    pub(crate) device_list_version: u64,
    /// and the manager counter before that.
    #[serde(default)]
    pub(crate) device_list_counter: u64,
}

impl Record for ContactRecord {
    const TABLE: Table = Table::Contact;
}

/// A contact link this identity gave out. Key: number.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LinkRecord {
    pub(crate) secret: SecretBytes,
    #[serde(with = "id")]
    pub(crate) capability: CapabilityId,
    pub(crate) usage: LinkUse,
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) published: bool,
    pub(crate) used: bool,
    pub(crate) revoked: bool,
}

impl Record for LinkRecord {
    const TABLE: Table = Table::Link;
}
