//! The body of a message: a tree of parts, at most four levels deep.

use core::fmt;

use zeroize::Zeroizing;

use super::{
    ContentError,
    cbor::{Reader, Writer},
    control::ControlMessage,
    media_type::{KnownMediaType, MEDIA_TYPE_BYTES_MAX, MediaType},
    status::StatusReport,
};
use crate::attachment::Attachment;

/// Levels of parts, the body itself is the first (spec: CNT-017).
pub(super) const PART_LEVELS_MAX: u8 = 4;
/// Parts of one message, the body and every nested part counted (spec: CNT-017).
pub const PARTS_MAX: usize = 1_024;
/// Longest list of language tags, in bytes (spec: CNT-020).
pub(super) const LANGUAGE_BYTES_MAX: usize = 255;
/// Longest URL of an external part, in bytes (spec: CNT-020).
pub(super) const URL_BYTES_MAX: usize = 2_048;
/// Longest key, nonce, associated data or hash of an external part, in bytes (spec: CNT-020).
pub(super) const EXTERNAL_FIELD_BYTES_MAX: usize = 255;
/// Longest description of an external part, in bytes (spec: CNT-020).
pub(super) const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// Longest file name of an external part, in bytes (spec: CNT-020).
pub(super) const FILE_NAME_BYTES_MAX: usize = 255;

/// What a part is meant for. Numbers that this version does not know are kept, and shown as
/// [`Disposition::RENDER`] (spec: CNT-018).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition(pub u8);

impl Disposition {
    /// No hint.
    pub const UNSPECIFIED: Self = Self(0);
    /// Shown by local policy.
    pub const RENDER: Self = Self(1);
    /// A single reaction to another message.
    pub const REACTION: Self = Self(2);
    /// A profile of a participant or room.
    pub const PROFILE: Self = Self(3);
    /// Shown within the conversation.
    pub const INLINE: Self = Self(4);
    /// An icon.
    pub const ICON: Self = Self(5);
    /// To be downloaded when asked for.
    pub const ATTACHMENT: Self = Self(6);
    /// A multimedia session.
    pub const SESSION: Self = Self(7);
    /// A preview that the sender made, such as a thumbnail.
    pub const PREVIEW: Self = Self(8);
}

/// How the parts of a [`MultiPart`] belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartSemantics {
    /// The receiver picks one.
    ChooseOne,
    /// All or none.
    SingleUnit,
    /// As many as possible.
    ProcessAll,
}

impl PartSemantics {
    const fn number(self) -> u64 {
        match self {
            Self::ChooseOne => 0,
            Self::SingleUnit => 1,
            Self::ProcessAll => 2,
        }
    }

    const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::ChooseOne),
            1 => Some(Self::SingleUnit),
            2 => Some(Self::ProcessAll),
            _ => None,
        }
    }
}

/// A part: `NestedPart` of the draft.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is meant for.
    pub disposition: Disposition,
    /// Language tags (RFC 5646), separated by commas; empty says nothing.
    pub language: String,
    /// What it holds.
    pub body: PartBody,
}

/// What a part holds.
#[derive(Clone, PartialEq, Eq)]
pub enum PartBody {
    /// Nothing: what a deletion holds.
    Null,
    /// Bytes of a media type.
    Single(SinglePart),
    /// Bytes elsewhere.
    External(Box<ExternalPart>),
    /// Further parts.
    Multi(MultiPart),
}

/// Bytes of a media type.
#[derive(Clone, PartialEq, Eq)]
pub struct SinglePart {
    /// Their media type.
    pub media_type: MediaType,
    /// The bytes.
    pub content: Vec<u8>,
}

/// Bytes elsewhere, and how to get and open them.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalPart {
    /// Media type of what is there.
    pub media_type: MediaType,
    /// Where it is.
    pub url: String,
    /// Seconds since the Unix epoch until it is there; 0 says nothing.
    pub expires: u32,
    /// Bytes, before sealing for our own attachments (spec: ATT-010); 0 says nothing.
    pub size: u64,
    /// AEAD of the IANA registry, or of its private range; 0 is none.
    pub algorithm: u16,
    /// Key of the AEAD.
    pub key: Zeroizing<Vec<u8>>,
    /// Nonce of the AEAD.
    pub nonce: Vec<u8>,
    /// Associated data of the AEAD.
    pub associated_data: Vec<u8>,
    /// Hash of the IANA registry of named information hashes; 0 is none.
    pub hash_algorithm: u8,
    /// Hash of the bytes at the URL.
    pub hash: Vec<u8>,
    /// Text for people.
    pub description: String,
    /// A suggestion; see [`crate::attachment::safe_file_name`].
    pub file_name: String,
}

/// Two or more parts.
#[derive(Clone, PartialEq, Eq)]
pub struct MultiPart {
    /// How they belong together.
    pub semantics: PartSemantics,
    /// The parts.
    pub parts: Vec<Part>,
}

macro_rules! debug_prints_the_name {
    ($($name:ident),+) => { $(
        /// Prints the type's name only: logs carry no content.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+ };
}
debug_prints_the_name!(Part, PartBody, SinglePart, ExternalPart, MultiPart);

impl Part {
    /// A part with bytes of a media type that this version knows.
    pub fn single(disposition: Disposition, media_type: KnownMediaType, content: Vec<u8>) -> Self {
        let body = PartBody::Single(SinglePart { media_type: media_type.into(), content });
        Self { disposition, language: String::new(), body }
    }

    /// A part with nothing in it.
    pub const fn null() -> Self {
        let body = PartBody::Null;
        Self { disposition: Disposition::UNSPECIFIED, language: String::new(), body }
    }

    /// Several parts as one.
    pub const fn multi(semantics: PartSemantics, parts: Vec<Self>) -> Self {
        let body = PartBody::Multi(MultiPart { semantics, parts });
        Self { disposition: Disposition::UNSPECIFIED, language: String::new(), body }
    }

    pub(super) fn read(
        reader: &mut Reader<'_>,
        levels: u8,
        budget: &mut PartBudget,
    ) -> Result<Self, ContentError> {
        let below = levels.checked_sub(1).ok_or(ContentError::TooDeep)?;
        budget.spend()?;
        let items = reader.array(15)?;
        if items < 3 {
            return Err(ContentError::BadPart);
        }
        let disposition = Disposition(reader.byte()?);
        let language = reader.text(LANGUAGE_BYTES_MAX)?.to_owned();
        let cardinality = reader.unsigned(u64::MAX)?;
        let body = match (cardinality, items) {
            (0, 3) => PartBody::Null,
            (1, 5) => PartBody::Single(SinglePart::read(reader)?),
            (2, 15) => PartBody::External(Box::new(ExternalPart::read(reader)?)),
            (3, 5) => PartBody::Multi(MultiPart::read(reader, below, budget)?),
            (0..=3, _) => return Err(ContentError::BadPart),
            _ => return Err(ContentError::UnknownCardinality),
        };
        Ok(Self { disposition, language, body })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let (items, cardinality) = match &self.body {
            PartBody::Null => (3, 0),
            PartBody::Single(_) => (5, 1),
            PartBody::External(_) => (15, 2),
            PartBody::Multi(_) => (5, 3),
        };
        writer.array(items).unsigned(u64::from(self.disposition.0));
        writer.text(&self.language).unsigned(cardinality);
        match &self.body {
            PartBody::Null => {}
            PartBody::Single(part) => {
                writer.text(part.media_type.as_str()).bytes(&part.content);
            }
            PartBody::External(part) => part.write(writer),
            PartBody::Multi(part) => {
                writer.unsigned(part.semantics.number()).array(part.parts.len());
                part.parts.iter().for_each(|part| part.write(writer));
            }
        }
    }
}

/// Counts parts down (spec: CNT-017).
pub(super) struct PartBudget(usize);

impl PartBudget {
    pub(super) const fn full() -> Self {
        Self(PARTS_MAX)
    }

    fn spend(&mut self) -> Result<(), ContentError> {
        self.0 = self.0.checked_sub(1).ok_or(ContentError::TooManyParts)?;
        Ok(())
    }
}

impl SinglePart {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        let media_type = MediaType::parse(reader.text(MEDIA_TYPE_BYTES_MAX)?)?;
        let part = Self { media_type, content: reader.bytes(usize::MAX)?.to_vec() };
        part.check()?;
        Ok(part)
    }

    /// Bytes of a media type that this version knows are held to it (spec: CNT-022).
    fn check(&self) -> Result<(), ContentError> {
        match self.media_type.known() {
            Some(KnownMediaType::PlainText | KnownMediaType::Markdown) => {
                core::str::from_utf8(&self.content).map_err(|_| ContentError::TextNotUtf8)?;
            }
            Some(KnownMediaType::Status) => drop(StatusReport::decode(&self.content)?),
            Some(KnownMediaType::Control) => drop(ControlMessage::decode(&self.content)?),
            None => {}
        }
        Ok(())
    }
}

impl ExternalPart {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        const FIELD: usize = EXTERNAL_FIELD_BYTES_MAX;
        let part = Self {
            media_type: MediaType::parse(reader.text(MEDIA_TYPE_BYTES_MAX)?)?,
            url: reader.text(URL_BYTES_MAX)?.to_owned(),
            expires: narrow(reader.unsigned(u64::from(u32::MAX))?)?,
            size: reader.unsigned(u64::MAX)?,
            algorithm: narrow(reader.unsigned(u64::from(u16::MAX))?)?,
            key: Zeroizing::new(reader.bytes(FIELD)?.to_vec()),
            nonce: reader.bytes(FIELD)?.to_vec(),
            associated_data: reader.bytes(FIELD)?.to_vec(),
            hash_algorithm: reader.byte()?,
            hash: reader.bytes(FIELD)?.to_vec(),
            description: reader.text(DESCRIPTION_BYTES_MAX)?.to_owned(),
            file_name: reader.text(FILE_NAME_BYTES_MAX)?.to_owned(),
        };
        if Attachment::is_ours(&part) {
            // spec: ATT-011
            Attachment::from_external(&part)?;
        }
        Ok(part)
    }

    fn write(&self, writer: &mut Writer) {
        writer.text(self.media_type.as_str()).text(&self.url);
        writer.unsigned(u64::from(self.expires)).unsigned(self.size);
        writer.unsigned(u64::from(self.algorithm));
        writer.bytes(&self.key).bytes(&self.nonce).bytes(&self.associated_data);
        writer.unsigned(u64::from(self.hash_algorithm)).bytes(&self.hash);
        writer.text(&self.description).text(&self.file_name);
    }
}

impl MultiPart {
    fn read(
        reader: &mut Reader<'_>,
        levels: u8,
        budget: &mut PartBudget,
    ) -> Result<Self, ContentError> {
        let semantics = PartSemantics::from_number(reader.unsigned(u64::MAX)?)
            .ok_or(ContentError::UnknownSemantics)?;
        let count = reader.array(PARTS_MAX)?;
        if count < 2 {
            return Err(ContentError::TooFewParts);
        }
        let mut parts = Vec::new();
        for _ in 0..count {
            parts.push(Part::read(reader, levels, budget)?);
        }
        Ok(Self { semantics, parts })
    }
}

fn narrow<T: TryFrom<u64>>(value: u64) -> Result<T, ContentError> {
    T::try_from(value).map_err(|_| ContentError::BadPart)
}
