//! What people and their clients say: MIMI content (draft-ietf-mimi-content-08) as a strict profile.
//!
//! ```text
//! Content ─encode▶ EncodedContent ─▶ MLS application message
//!    ▲                  └─▶ MessageId
//!    └──────decode────── bytes of another member
//! ```
//!
//! A message has one encoding, deterministic CBOR, and a decoder that refuses every other: so its id,
//! a hash over its bytes, is the same for all. Reading costs no more memory than the bytes that came:
//! [`cbor::Reader`] allocates nothing, and no declared length is believed. What this version does not
//! know inside a well-formed message (extensions, dispositions, media types, statuses, control kinds)
//! is kept and shown as unsupported, never dropped. Nothing here knows groups or clocks: who may edit
//! what, and when something expires, is decided by the engine. Normative text: `spec/content.md`.

pub mod cbor;
mod compose;
mod control;
mod error;
mod extension;
mod id;
mod media_type;
mod part;
mod pin;
mod reading;
mod status;

use core::fmt;

pub use compose::TextFormat;
pub use control::{CONTROL_ENTRIES_MAX, ControlEntry, ControlKind, ControlMessage, ControlScope};
pub use error::ContentError;
pub use extension::{Extension, ExtensionKey, Extensions, Mentions};
pub use id::{MessageId, RoomUri, Salt, SenderUri, blob_of_url, blob_url, mentioned_fingerprint};
pub use media_type::{KnownMediaType, MediaType};
pub use part::{
    Disposition, ExternalPart, MultiPart, PARTS_MAX, Part, PartBody, PartSemantics, SinglePart,
};
pub use pin::{Pin, Pinning};
pub use reading::{Action, PartIndex, Piece, Shown};
pub use status::{MessageStatus, STATUSES_MAX, Status, StatusReport};

use cbor::{CborError, Reader, Writer};
use hushwire_wire::id::Timestamp;
use part::{PART_LEVELS_MAX, PartBudget};

/// Longest encoded message, in bytes: with MLS framing and the envelope it still stands inline in an
/// entry (spec: CNT-001).
pub const CONTENT_BYTES_MAX: usize = 60 * 1024;
/// Longest topic id, in bytes (spec: CNT-020).
pub const TOPIC_BYTES_MAX: usize = 4_096;
/// How far from now an expiry may lie, in seconds: a year of 366 days (spec: CNT-023).
pub const EXPIRY_DISTANCE_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;

/// When a message is to be deleted at its receivers: a wish, not a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// So many seconds after it was read.
    AfterReading(u32),
    /// At this second since the Unix epoch.
    At(u32),
}

impl Expiration {
    /// Checks that the expiry is not absurdly far from `now`.
    ///
    /// # Errors
    /// [`ContentError::ExpiryTooFar`] (spec: CNT-023).
    pub fn check(self, now: Timestamp) -> Result<(), ContentError> {
        let distance = match self {
            Self::AfterReading(seconds) => u64::from(seconds),
            Self::At(second) => u64::from(second).abs_diff(now.0 / 1_000),
        };
        if distance > EXPIRY_DISTANCE_SECONDS_MAX {
            Err(ContentError::ExpiryTooFar)
        } else {
            Ok(())
        }
    }
}

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Makes the id unique.
    pub salt: Salt,
    /// The first version of the message that this one edits or deletes.
    pub replaces: Option<MessageId>,
    /// Groups messages; empty for none.
    pub topic: Vec<u8>,
    /// When it is to be deleted.
    pub expires: Option<Expiration>,
    /// The message that this one answers or reacts to.
    pub in_reply_to: Option<MessageId>,
    /// Further fields, all kept.
    pub extensions: Extensions,
    /// What it holds.
    pub body: Part,
}

/// Prints the type's name only: logs carry no content.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(..)")
    }
}

/// The one encoding of a message, within its bounds.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedContent {
    bytes: Vec<u8>,
    salt: Salt,
}

impl EncodedContent {
    /// The bytes: plaintext of an MLS application message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The id that this message has when `sender` sends it to `room` (spec: CNT-012).
    pub fn message_id(&self, sender: &SenderUri, room: &RoomUri) -> MessageId {
        MessageId::compute(&self.bytes, self.salt, sender, room)
    }
}

impl fmt::Debug for EncodedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodedContent(..)")
    }
}

impl Content {
    /// Reads a message of another member.
    ///
    /// # Errors
    /// [`ContentError`], one for each rule of `spec/content.md`.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        // spec: CNT-001
        if bytes.len() > CONTENT_BYTES_MAX {
            return Err(ContentError::TooLong);
        }
        let mut reader = Reader::new(bytes);
        let content = Self::read(&mut reader)?;
        reader.finish()?;
        // spec: CNT-009: the reader takes one encoding only; this keeps it so.
        if content.write() != bytes {
            return Err(ContentError::NotDeterministic);
        }
        Ok(content)
    }

    /// Encodes this message, and holds it to what receivers check.
    ///
    /// # Errors
    /// [`ContentError`], for what receivers would refuse.
    pub fn encode(&self) -> Result<EncodedContent, ContentError> {
        let bytes = self.write();
        Self::decode(&bytes)?;
        Ok(EncodedContent { bytes, salt: self.salt })
    }

    /// Checks the sender and room that the message names itself, if it does, against where it came
    /// from.
    ///
    /// # Errors
    /// [`ContentError::WrongAddress`] (spec: CNT-015).
    pub fn check_address(&self, sender: &SenderUri, room: &RoomUri) -> Result<(), ContentError> {
        let sender_agrees = self.extensions.sender_uri().is_none_or(|uri| uri == sender.as_str());
        let room_agrees = self.extensions.room_uri().is_none_or(|uri| uri == room.as_str());
        if sender_agrees && room_agrees { Ok(()) } else { Err(ContentError::WrongAddress) }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        // spec: CNT-010
        reader.array_of(7)?;
        let salt = reader.bytes(Salt::LENGTH)?;
        let salt = salt.try_into().map(Salt::from_bytes).map_err(|_| ContentError::WrongLength)?;
        let replaces = read_message_id(reader)?;
        let topic = reader.bytes(TOPIC_BYTES_MAX)?.to_vec();
        let expires = read_expiration(reader)?;
        let in_reply_to = read_message_id(reader)?;
        let extensions = Extensions::read(reader)?;
        let body = Part::read(reader, PART_LEVELS_MAX, &mut PartBudget::full())?;
        // spec: CNT-019
        if body.body == PartBody::Null && replaces.is_none() {
            return Err(ContentError::EmptyBody);
        }
        Ok(Self { salt, replaces, topic, expires, in_reply_to, extensions, body })
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(7).bytes(self.salt.as_bytes());
        write_message_id(&mut writer, self.replaces);
        writer.bytes(&self.topic);
        match self.expires {
            None => writer.null(),
            Some(Expiration::AfterReading(seconds)) => {
                writer.array(2).boolean(true).unsigned(u64::from(seconds))
            }
            Some(Expiration::At(second)) => {
                writer.array(2).boolean(false).unsigned(u64::from(second))
            }
        };
        write_message_id(&mut writer, self.in_reply_to);
        self.extensions.write(&mut writer);
        self.body.write(&mut writer);
        writer.finish()
    }
}

fn read_message_id(reader: &mut Reader<'_>) -> Result<Option<MessageId>, ContentError> {
    if reader.null() {
        return Ok(None);
    }
    MessageId::from_slice(reader.bytes(MessageId::LENGTH)?).map(Some)
}

fn write_message_id(writer: &mut Writer, id: Option<MessageId>) {
    match id {
        None => writer.null(),
        Some(id) => writer.bytes(id.as_bytes()),
    };
}

fn read_expiration(reader: &mut Reader<'_>) -> Result<Option<Expiration>, ContentError> {
    if reader.null() {
        return Ok(None);
    }
    reader.array_of(2)?;
    let is_relative = reader.boolean()?;
    let time = reader.unsigned(u64::from(u32::MAX))?;
    let time = u32::try_from(time).map_err(|_| CborError::AboveBound)?;
    Ok(Some(if is_relative { Expiration::AfterReading(time) } else { Expiration::At(time) }))
}

#[cfg(test)]
mod tests;
