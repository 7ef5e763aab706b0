//! Media types (RFC 6838): kept as they came, recognised where this version knows them.

use super::ContentError;

/// Longest media type with its parameters, in bytes (spec: CNT-020).
pub(super) const MEDIA_TYPE_BYTES_MAX: usize = 255;

/// A media type with its parameters, as it stands in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

/// What this version can do with a part's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownMediaType {
    /// `text/plain;charset=utf-8`.
    PlainText,
    /// `text/markdown;variant=GFM-MIMI`.
    Markdown,
    /// `application/mimi-message-status`.
    Status,
    /// `application/vnd.hushwire.control`.
    Control,
}

impl KnownMediaType {
    /// Every media type that this version knows inside a message (spec: CNT-021).
    pub const ALL: [Self; 4] = [Self::PlainText, Self::Markdown, Self::Status, Self::Control];

    /// The one form in which this version writes and recognises it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::PlainText => "text/plain;charset=utf-8",
            Self::Markdown => "text/markdown;variant=GFM-MIMI",
            Self::Status => "application/mimi-message-status",
            Self::Control => "application/vnd.hushwire.control",
        }
    }
}

impl MediaType {
    /// Takes visible ASCII and spaces, at most [`MEDIA_TYPE_BYTES_MAX`] bytes. Empty is allowed:
    /// an external part that is a service has none.
    ///
    /// # Errors
    /// [`ContentError::BadMediaType`] (spec: CNT-020).
    pub fn parse(text: &str) -> Result<Self, ContentError> {
        let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if text.len() > MEDIA_TYPE_BYTES_MAX || !printable {
            return Err(ContentError::BadMediaType);
        }
        Ok(Self(text.to_owned()))
    }

    /// As it stands in the message.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What this version can do with it; `None` is kept and shown as unsupported. Type, subtype and
    /// parameter are compared without case, as RFC 2045 has them.
    pub fn known(&self) -> Option<KnownMediaType> {
        KnownMediaType::ALL.into_iter().find(|known| known.text().eq_ignore_ascii_case(&self.0))
    }
}

impl From<KnownMediaType> for MediaType {
    fn from(known: KnownMediaType) -> Self {
        Self(known.text().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_are_recognised_and_others_kept() {
        // spec: CNT-021
        for known in KnownMediaType::ALL {
            assert_eq!(MediaType::from(known).known(), Some(known));
        }
        let shouted = MediaType::parse("TEXT/Plain;charset=UTF-8").unwrap();
        assert_eq!(shouted.known(), Some(KnownMediaType::PlainText));
        for other in ["text/plain", "text/plain;charset=iso-8859-1", "text/html;charset=utf-8", ""]
        {
            let media_type = MediaType::parse(other).unwrap();
            assert_eq!(media_type.known(), None);
            assert_eq!(media_type.as_str(), other);
        }
    }

    #[test]
    fn control_characters_and_long_types_are_refused() {
        // spec: CNT-020
        for text in ["a/b\n", "a/\u{e4}", "a/\u{7f}", &"a".repeat(256)] {
            assert_eq!(MediaType::parse(text), Err(ContentError::BadMediaType));
        }
        assert!(MediaType::parse(&"a".repeat(255)).is_ok());
    }
}
