//! Why content is refused.

use super::cbor::CborError;
use crate::attachment::AttachmentError;

/// Why content was refused (the peer is to blame), or could not be made (the caller is).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The bytes are no deterministic CBOR of the expected shape.
    #[error("the encoding is wrong: {0}")]
    Cbor(#[from] CborError),
    /// The message is longer than [`super::CONTENT_BYTES_MAX`].
    #[error("the message is too long")]
    TooLong,
    /// Encoding what was decoded gives other bytes.
    #[error("the encoding is not deterministic")]
    NotDeterministic,
    /// A salt or message id has a wrong length.
    #[error("an id has a wrong length")]
    WrongLength,
    /// A message id names a hash that this version does not know.
    #[error("a message id has an unknown hash")]
    UnknownHash,
    /// A URI is empty, too long or not visible ASCII.
    #[error("a URI is not valid")]
    BadUri,
    /// A media type is too long or not printable ASCII.
    #[error("a media type is not valid")]
    BadMediaType,
    /// An extension has a wrong key, or a known one a value of a wrong type.
    #[error("an extension is not valid")]
    BadExtension,
    /// A part has a wrong number of fields.
    #[error("a part is not valid")]
    BadPart,
    /// A part's cardinality is unknown.
    #[error("a part has an unknown cardinality")]
    UnknownCardinality,
    /// A part's semantics are unknown.
    #[error("a part has unknown semantics")]
    UnknownSemantics,
    /// A part of several has fewer than two.
    #[error("a part of several has too few parts")]
    TooFewParts,
    /// There are more than [`super::PARTS_MAX`] parts.
    #[error("there are too many parts")]
    TooManyParts,
    /// Parts are nested more than four levels deep.
    #[error("parts are nested too deeply")]
    TooDeep,
    /// An empty body that replaces nothing.
    #[error("the body is empty and deletes nothing")]
    EmptyBody,
    /// A text part is not UTF-8.
    #[error("a text is not UTF-8")]
    TextNotUtf8,
    /// A status report is empty, too long, or names a message twice.
    #[error("a status report is not valid")]
    BadStatusReport,
    /// A control message is empty or too long.
    #[error("a control message is not valid")]
    BadControl,
    /// An attachment of ours has wrong fields.
    #[error("an attachment is not valid: {0}")]
    Attachment(#[from] AttachmentError),
    /// The message names another sender or room than it came from.
    #[error("the message names another sender or room")]
    WrongAddress,
    /// The message expires too far from now.
    #[error("the expiry is too far from now")]
    ExpiryTooFar,
}

impl ContentError {
    /// The stable name, as vectors have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cbor(error) => error.name(),
            Self::TooLong => "TOO_LONG",
            Self::NotDeterministic => "NOT_DETERMINISTIC",
            Self::WrongLength => "WRONG_LENGTH",
            Self::UnknownHash => "UNKNOWN_HASH",
            Self::BadUri => "BAD_URI",
            Self::BadMediaType => "BAD_MEDIA_TYPE",
            Self::BadExtension => "BAD_EXTENSION",
            Self::BadPart => "BAD_PART",
            Self::UnknownCardinality => "UNKNOWN_CARDINALITY",
            Self::UnknownSemantics => "UNKNOWN_SEMANTICS",
            Self::TooFewParts => "TOO_FEW_PARTS",
            Self::TooManyParts => "TOO_MANY_PARTS",
            Self::TooDeep => "TOO_DEEP",
            Self::EmptyBody => "EMPTY_BODY",
            Self::TextNotUtf8 => "TEXT_NOT_UTF8",
            Self::BadStatusReport => "BAD_STATUS_REPORT",
            Self::BadControl => "BAD_CONTROL",
            Self::Attachment(error) => error.name(),
            Self::WrongAddress => "WRONG_ADDRESS",
            Self::ExpiryTooFar => "EXPIRY_TOO_FAR",
        }
    }
}
