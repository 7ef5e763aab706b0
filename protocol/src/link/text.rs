//! The text that contact links and linking codes share: `hush:` and base64url without padding.
//!
//! ```text
//! uint8  version and kind: version in the high four bits, explicit-port flag in bit 3, kind below
//! uint16 port: only with the flag, and never the default port
//! opaque relay id[32]
//! opaque body[80 or 64]: fixed by the kind
//! opaque host[..]: up to the checksum
//! opaque checksum[3]: first bytes of a labelled hash of all before
//! ```

use core::fmt;

use data_encoding::{BASE64URL_NOPAD, DecodeKind};
use hushwire_wire::id::RelayId;
use zeroize::Zeroizing;

use crate::address::{Host, RelayAddress};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::label::Label;

/// What a link begins with.
pub const SCHEME: &str = "hush:";

/// The longest link as text, in bytes, scheme included (spec: LNK-013).
pub const LINK_BYTES_MAX: usize = 200;

/// The port that a link does not need to name (spec: LNK-010).
pub const DEFAULT_PORT: u16 = 4433;

const VERSION: u8 = 1;
const EXPLICIT_PORT: u8 = 0b1000;
const CHECKSUM_BYTES: usize = 3;

/// Why text is no link, or a link cannot be written. The person who pasted it is to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It does not begin with `hush:`.
    #[error("not a hush link")]
    Foreign,
    /// Characters that are not of base64url.
    #[error("the link contains characters that do not belong there")]
    Characters,
    /// The version is not one that this build knows.
    #[error("the link is of a newer version")]
    UnknownVersion,
    /// The checksum is wrong, or no bytes give this text: the link was cut off or altered.
    #[error("the link was cut off or altered")]
    Damaged,
    /// The kind is not one that this build knows.
    #[error("the link is of an unknown kind")]
    UnknownKind,
    /// A linking code where a contact link is expected, or the reverse.
    #[error("the link is of another kind")]
    OtherKind,
    /// The checksum is right, but the fields are not.
    #[error("the link is malformed: {0}")]
    Malformed(DecodeError),
    /// The link would be, or is, longer than 200 bytes: the relay's host name is too long.
    #[error("the link is longer than 200 bytes: the relay's host name is too long")]
    TooLong,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// A person's inbox.
    Contact,
    /// A group's inbox.
    Group,
    /// Linking a device.
    Device,
}

impl LinkKind {
    const fn code(self) -> u8 {
        match self {
            Self::Contact => 1,
            Self::Group => 2,
            Self::Device => 3,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Contact),
            2 => Some(Self::Group),
            3 => Some(Self::Device),
            _ => None,
        }
    }

    const fn body_bytes(self) -> usize {
        match self {
            Self::Contact | Self::Group => 16 + 32 + 32,
            Self::Device => 32 + 32,
        }
    }
}

/// The parts of a link's text.
pub struct LinkText {
    /// What it is for.
    pub kind: LinkKind,
    /// The relay.
    pub relay: RelayAddress,
    /// What the kind defines.
    pub body: Zeroizing<Vec<u8>>,
}

impl LinkText {
    /// Reads a link's text. The version is looked at first: what follows is the version's.
    ///
    /// # Errors
    /// [`LinkError`], but for [`LinkError::OtherKind`] (spec: LNK-010, LNK-011, LNK-013).
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let encoded = text.trim().strip_prefix(SCHEME).ok_or(LinkError::Foreign)?;
        if SCHEME.len() + encoded.len() > LINK_BYTES_MAX {
            return Err(LinkError::TooLong);
        }
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes());
        let bytes = Zeroizing::new(bytes.map_err(|error| match error.kind {
            DecodeKind::Symbol => LinkError::Characters,
            _ => LinkError::Damaged,
        })?);
        let first = *bytes.first().ok_or(LinkError::Damaged)?;
        if first >> 4 != VERSION {
            return Err(LinkError::UnknownVersion);
        }
        let covered = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(LinkError::Damaged)?;
        let (covered, sum) = bytes.split_at_checked(covered).ok_or(LinkError::Damaged)?;
        if checksum(covered) != sum {
            return Err(LinkError::Damaged);
        }
        let kind = LinkKind::from_code(first & 0b111).ok_or(LinkError::UnknownKind)?;
        read_fields(kind, covered).map_err(LinkError::Malformed)
    }

    /// The link's text.
    ///
    /// # Errors
    /// [`LinkError::TooLong`] (spec: LNK-013).
    pub fn to_text(&self) -> Result<Zeroizing<String>, LinkError> {
        let port = self.relay.port();
        let flag = if port == DEFAULT_PORT { 0 } else { EXPLICIT_PORT };
        let writer =
            Writer::with_capacity(LINK_BYTES_MAX * 2).byte(VERSION << 4 | flag | self.kind.code());
        let writer = if flag == 0 { writer } else { writer.short(port) };
        let writer =
            writer.fixed(self.relay.relay()).fixed(&*self.body).fixed(self.relay.host().as_str());
        let sum = checksum(writer.as_bytes());
        let bytes = writer.fixed(sum).into_secret();
        let length = SCHEME.len() + BASE64URL_NOPAD.encode_len(bytes.len());
        if length > LINK_BYTES_MAX {
            return Err(LinkError::TooLong);
        }
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(SCHEME);
        BASE64URL_NOPAD.encode_append(&bytes, &mut text);
        Ok(text)
    }
}

/// Prints the type's name only.
impl fmt::Debug for LinkText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkText(..)")
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [one, two, three, ..] = Label::LinkChecksum.hash(bytes);
    [one, two, three]
}

fn read_fields(kind: LinkKind, bytes: &[u8]) -> Result<LinkText, DecodeError> {
    let mut reader = Reader::new(bytes);
    let port = if reader.byte()? & EXPLICIT_PORT == 0 {
        DEFAULT_PORT
    } else {
        // One encoding: the default port is never spelt out.
        Some(reader.short()?)
            .filter(|port| *port != DEFAULT_PORT)
            .ok_or(DecodeError::UndefinedValue)?
    };
    let relay = RelayId::from_bytes(reader.array()?);
    let body = Zeroizing::new(reader.bytes(kind.body_bytes())?.to_vec());
    let host = core::str::from_utf8(reader.bytes(reader.remaining())?);
    let host = Host::parse(host.map_err(|_| DecodeError::NotText)?);
    let host = host.map_err(|_| DecodeError::UndefinedValue)?;
    let relay = RelayAddress::new(host, port, relay).map_err(|_| DecodeError::UndefinedValue)?;
    Ok(LinkText { kind, relay, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(first: u8, middle: &[u8]) -> String {
        let mut bytes = vec![first];
        bytes.extend_from_slice(middle);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    fn error(first: u8, middle: &[u8]) -> LinkError {
        LinkText::parse(&text(first, middle)).map(|_| ()).unwrap_err()
    }

    #[test]
    fn only_one_encoding_is_taken() {
        // spec: LNK-010, LNK-011
        let with = |port: &[u8], host: &str| [port, &[7; 32 + 80], host.as_bytes()].concat();
        assert!(LinkText::parse(&text(0x11, &with(&[], "a.org"))).is_ok());
        assert!(LinkText::parse(&text(0x19, &with(&[0, 1], "a.org"))).is_ok());
        let undefined = LinkError::Malformed(DecodeError::UndefinedValue);
        assert_eq!(error(0x19, &with(&DEFAULT_PORT.to_be_bytes(), "a.org")), undefined);
        assert_eq!(error(0x19, &with(&[0, 0], "a.org")), undefined);
        assert_eq!(error(0x11, &with(&[], "A.org")), undefined);
        assert_eq!(error(0x11, &with(&[], "")), undefined);
        assert_eq!(error(0x21, &with(&[], "a.org")), LinkError::UnknownVersion);
        assert_eq!(error(0x17, &with(&[], "a.org")), LinkError::UnknownKind);
        assert_eq!(error(0x11, &[7; 50]), LinkError::Malformed(DecodeError::Truncated));
        assert_eq!(error(0x11, &with(&[], &"a".repeat(60))), LinkError::TooLong);
    }

    #[test]
    fn debug_prints_the_name_only() {
        let link = LinkText::parse(&text(0x11, &[&[7; 112][..], b"a.org"].concat())).unwrap();
        assert_eq!(format!("{link:?}"), "LinkText(..)");
    }
}
