//! Names inside content: salts, message ids, and the URIs they are computed over.

use core::fmt;

use data_encoding::BASE64URL_NOPAD;
use hushwire_wire::id::{BlobId, ChannelId, WrongLength};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};

use super::ContentError;

/// The hash algorithm of message ids: SHA-256 in the IANA registry of named information hashes.
pub(super) const HASH_SHA256: u8 = 1;

/// Longest URI that a message id is computed over, in bytes.
pub(super) const URI_BYTES_MAX: usize = 1_024;

/// 16 random bytes that make each message's id unguessable and unique (spec: CNT-011).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Length in bytes.
    pub const LENGTH: usize = 16;

    /// Draws a salt.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = [0; Self::LENGTH];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Takes exactly 16 bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// The id of a message: an algorithm number and the first 31 bytes of a hash
/// (draft-ietf-mimi-content-08, "Message ID"; spec: CNT-012).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 32]);

impl MessageId {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// Takes 32 bytes that begin with the number of SHA-256.
    ///
    /// # Errors
    /// [`ContentError::WrongLength`], or [`ContentError::UnknownHash`] for another first byte
    /// (spec: CNT-013).
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ContentError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| ContentError::WrongLength)?;
        match bytes {
            [HASH_SHA256, ..] => Ok(Self(bytes)),
            _ => Err(ContentError::UnknownHash),
        }
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The id of an encoded message that `sender` sent to `room`.
    pub(super) fn compute(encoded: &[u8], salt: Salt, sender: &SenderUri, room: &RoomUri) -> Self {
        // spec: CNT-012
        let mut hash = Sha256::new();
        for uri in [&sender.0, &room.0] {
            hash.update(uri.length_prefix());
            hash.update(uri.text.as_bytes());
        }
        hash.update(encoded);
        // The salt again, so that nobody can extend the hash.
        hash.update(salt.0);
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [HASH_SHA256; 32];
        for (to, from) in id.iter_mut().skip(1).zip(digest) {
            *to = from;
        }
        Self(id)
    }
}

impl AsRef<[u8]> for MessageId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for MessageId {
    type Error = ContentError;

    fn try_from(bytes: &[u8]) -> Result<Self, ContentError> {
        Self::from_slice(bytes)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageId(..)")
    }
}

/// A URI of at most [`URI_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq)]
struct Uri {
    text: String,
}

impl Uri {
    fn parse(text: &str) -> Result<Self, ContentError> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > URI_BYTES_MAX || !visible {
            return Err(ContentError::BadUri);
        }
        Ok(Self { text: text.to_owned() })
    }

    fn of(kind: &str, id: &[u8]) -> Self {
        Self { text: format!("{kind}{}", BASE64URL_NOPAD.encode(id)) }
    }

    fn length_prefix(&self) -> [u8; 2] {
        // URI_BYTES_MAX and the fixed forms are far below 2^16.
        u16::try_from(self.text.len()).unwrap_or(u16::MAX).to_be_bytes()
    }
}

const IDENTITY: &str = "hush:identity/";
const CHANNEL: &str = "hush:channel/";
const BLOB: &str = "hush:blob/";

/// Who sent a message: `hush:identity/<fingerprint>` (spec: CNT-014).
#[derive(Clone, PartialEq, Eq)]
pub struct SenderUri(Uri);

impl SenderUri {
    /// The URI of an identity with this fingerprint.
    pub fn from_fingerprint(fingerprint: &[u8; 32]) -> Self {
        Self(Uri::of(IDENTITY, fingerprint))
    }

    /// A URI of another system, as the upstream examples have them.
    ///
    /// # Errors
    /// [`ContentError::BadUri`] when it is empty, too long or not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, ContentError> {
        Uri::parse(text).map(Self)
    }

    /// The URI's text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

/// Where a message was sent: `hush:channel/<channel id>` (spec: CNT-014).
#[derive(Clone, PartialEq, Eq)]
pub struct RoomUri(Uri);

impl RoomUri {
    /// The URI of a channel.
    pub fn from_channel(channel: ChannelId) -> Self {
        Self(Uri::of(CHANNEL, channel.as_bytes()))
    }

    /// A URI of another system, as the upstream examples have them.
    ///
    /// # Errors
    /// [`ContentError::BadUri`] when it is empty, too long or not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, ContentError> {
        Uri::parse(text).map(Self)
    }

    /// The URI's text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for SenderUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SenderUri(..)")
    }
}

impl fmt::Debug for RoomUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomUri(..)")
    }
}

/// The URL of a blob on the channel's relay: `hush:blob/<blob id>` (spec: CNT-014).
pub fn blob_url(blob: BlobId) -> String {
    Uri::of(BLOB, blob.as_bytes()).text
}

/// The fingerprint that a link in a text mentions, if it is `hush:identity/<fingerprint>`.
pub fn mentioned_fingerprint(url: &str) -> Option<[u8; 32]> {
    decode_id(url, IDENTITY)?.as_slice().try_into().ok()
}

/// The blob that a URL names, if it is `hush:blob/<blob id>` in its one encoding.
pub fn blob_of_url(url: &str) -> Option<BlobId> {
    let bytes = decode_id(url, BLOB)?;
    let blob: Result<BlobId, WrongLength> = BlobId::from_slice(&bytes);
    blob.ok()
}

fn decode_id(url: &str, kind: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(url.strip_prefix(kind)?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_other_lengths_or_hashes_are_refused() {
        // spec: CNT-013
        assert!(MessageId::from_slice(&[1; 32]).is_ok());
        assert_eq!(MessageId::from_slice(&[2; 32]), Err(ContentError::UnknownHash));
        assert_eq!(MessageId::from_slice(&[1; 31]), Err(ContentError::WrongLength));
        assert_eq!(MessageId::from_slice(&[]), Err(ContentError::WrongLength));
    }

    #[test]
    fn uris_have_one_form() {
        // spec: CNT-014
        let url = blob_url(BlobId::from_bytes([0xff; 32]));
        assert_eq!(url, "hush:blob/__________________________________________8");
        assert_eq!(blob_of_url(&url), Some(BlobId::from_bytes([0xff; 32])));
        for other in [
            "hush:blob/__________________________________________9",
            "hush:blob/__________________________________________8=",
            "hush:blob/_______________________________________8",
            "hush:blob/",
            "HUSH:blob/__________________________________________8",
            "hush:identity/__________________________________________8",
            "https://example.com/",
        ] {
            assert_eq!(blob_of_url(other), None, "{other}");
        }
        let sender = SenderUri::from_fingerprint(&[0; 32]);
        assert_eq!(sender.as_str(), "hush:identity/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(mentioned_fingerprint(sender.as_str()), Some([0; 32]));
        let room = RoomUri::from_channel(ChannelId::from_bytes([0; 32]));
        assert_eq!(room.as_str(), "hush:channel/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    }

    #[test]
    fn foreign_uris_are_bounded() {
        assert!(SenderUri::parse("mimi://example.com/u/alice-smith").is_ok());
        for text in ["", "a b", "\u{e4}", &"a".repeat(URI_BYTES_MAX + 1)] {
            assert_eq!(SenderUri::parse(text), Err(ContentError::BadUri));
            assert_eq!(RoomUri::parse(text), Err(ContentError::BadUri));
        }
    }

    #[test]
    fn debug_prints_names_only() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Salt::from_bytes([7; 16]),
            MessageId::from_slice(&[1; 32]).unwrap(),
            SenderUri::from_fingerprint(&[7; 32]),
        );
        assert_eq!(shown, "Salt(..) MessageId(..) SenderUri(..)");
    }
}
