//! Refusals of the reader.

/// Why bytes are no deterministic CBOR, or not the item that was expected. Always the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// An item, or a string's declared length, goes past the end.
    #[error("the item is truncated")]
    Truncated,
    /// Bytes follow the item.
    #[error("bytes follow the item")]
    TrailingBytes,
    /// A head or number is not in its shortest form.
    #[error("a number is not in its shortest form")]
    NotShortest,
    /// An indefinite length.
    #[error("a length is indefinite")]
    IndefiniteLength,
    /// A reserved head, or a simple value that has no encoding.
    #[error("the item is not well-formed")]
    Malformed,
    /// The item is of another type than expected here.
    #[error("the item has an unexpected type")]
    UnexpectedType,
    /// The item's value or length is above its bound.
    #[error("a value or length is above its bound")]
    AboveBound,
    /// A text string is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A map's keys are not in bytewise order, or one is there twice.
    #[error("map keys are not sorted and unique")]
    KeyOrder,
    /// A map's key is of a type that is not allowed.
    #[error("a map key has a type that is not allowed")]
    KeyType,
    /// Arrays, maps and tags are nested too deeply.
    #[error("the nesting is too deep")]
    TooDeep,
}

impl CborError {
    /// The stable name, as vectors have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "TRUNCATED",
            Self::TrailingBytes => "TRAILING_BYTES",
            Self::NotShortest => "NOT_SHORTEST",
            Self::IndefiniteLength => "INDEFINITE_LENGTH",
            Self::Malformed => "MALFORMED",
            Self::UnexpectedType => "UNEXPECTED_TYPE",
            Self::AboveBound => "ABOVE_BOUND",
            Self::NotUtf8 => "NOT_UTF8",
            Self::KeyOrder => "KEY_ORDER",
            Self::KeyType => "KEY_TYPE",
            Self::TooDeep => "TOO_DEEP",
        }
    }
}
