//! What a message says of a file: an external part of MIMI content, in one form.

use core::fmt;

use hushwire_wire::id::{BlobId, ContentHash};
use zeroize::Zeroizing;

use super::{AttachmentError, FileKey, FileLength};
use crate::content::{Disposition, ExternalPart, MediaType, Part, PartBody, blob_of_url, blob_url};

/// The construction of this module in the private range of the IANA AEAD registry (spec: ATT-010).
pub const ALGORITHM_CHUNKED: u16 = 0xf4a1;
/// SHA-256 in the IANA registry of named information hashes.
const HASH_SHA256: u8 = 1;

/// A file on the channel's relay, and all that it takes to get and open it.
#[derive(PartialEq, Eq)]
pub struct Attachment {
    /// The blob.
    pub blob: BlobId,
    /// The file's key.
    pub key: FileKey,
    /// The file's length.
    pub length: FileLength,
    /// SHA-256 of the whole blob.
    pub hash: ContentHash,
    /// The file's media type.
    pub media_type: MediaType,
    /// The name that the sender suggests; [`super::safe_file_name`] makes it usable.
    pub file_name: String,
    /// Text for people.
    pub description: String,
}

impl Attachment {
    /// Whether a part claims to be of this construction.
    pub const fn is_ours(part: &ExternalPart) -> bool {
        part.algorithm == ALGORITHM_CHUNKED
    }

    /// Reads a part of this construction.
    ///
    /// # Errors
    /// [`AttachmentError::BadField`] (spec: ATT-011), [`AttachmentError::TooLong`] (spec: ATT-005).
    pub fn from_external(part: &ExternalPart) -> Result<Self, AttachmentError> {
        let bad = AttachmentError::BadField;
        let is_whole = Self::is_ours(part)
            && part.hash_algorithm == HASH_SHA256
            && part.nonce.is_empty()
            && part.associated_data.is_empty();
        if !is_whole {
            return Err(bad);
        }
        let key: [u8; FileKey::LENGTH] = part.key.as_slice().try_into().map_err(|_| bad)?;
        Ok(Self {
            blob: blob_of_url(&part.url).ok_or(bad)?,
            key: FileKey::from_bytes(key),
            length: FileLength::new(part.size)?,
            hash: ContentHash::from_slice(&part.hash).map_err(|_| bad)?,
            media_type: part.media_type.clone(),
            file_name: part.file_name.clone(),
            description: part.description.clone(),
        })
    }

    /// The part of a message that says it.
    pub fn to_external(&self) -> ExternalPart {
        ExternalPart {
            media_type: self.media_type.clone(),
            url: blob_url(self.blob),
            expires: 0,
            size: self.length.bytes(),
            algorithm: ALGORITHM_CHUNKED,
            key: Zeroizing::new(self.key.expose().to_vec()),
            nonce: Vec::new(),
            associated_data: Vec::new(),
            hash_algorithm: HASH_SHA256,
            hash: self.hash.as_bytes().to_vec(),
            description: self.description.clone(),
            file_name: self.file_name.clone(),
        }
    }

    /// The same as a part that is to be downloaded when asked for.
    pub fn to_part(&self) -> Part {
        Part {
            disposition: Disposition::ATTACHMENT,
            language: String::new(),
            body: PartBody::External(Box::new(self.to_external())),
        }
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment() -> Attachment {
        Attachment {
            blob: BlobId::from_bytes([1; 32]),
            key: FileKey::from_bytes([2; 32]),
            length: FileLength::new(1_000).unwrap(),
            hash: ContentHash::from_bytes([3; 32]),
            media_type: MediaType::parse("image/png").unwrap(),
            file_name: "picture.png".to_owned(),
            description: "A picture".to_owned(),
        }
    }

    #[test]
    fn a_part_says_all_of_it() {
        // spec: ATT-010
        let part = attachment().to_external();
        assert!(Attachment::is_ours(&part));
        assert_eq!(Attachment::from_external(&part), Ok(attachment()));
    }

    #[test]
    fn other_fields_are_refused() {
        // spec: ATT-011
        type Change = fn(&mut ExternalPart);
        let changes: [(&str, Change); 10] = [
            ("algorithm", |part| part.algorithm = 1),
            ("hash algorithm", |part| part.hash_algorithm = 2),
            ("short key", |part| part.key.truncate(31)),
            ("long key", |part| part.key.push(0)),
            ("nonce", |part| part.nonce.push(0)),
            ("associated data", |part| part.associated_data.push(0)),
            ("short hash", |part| part.hash.truncate(31)),
            ("scheme", |part| part.url = "https://example.com/".to_owned()),
            ("short url", |part| part.url.truncate(52)),
            ("url", |part| part.url.push('A')),
        ];
        for (name, change) in changes {
            let mut part = attachment().to_external();
            change(&mut part);
            assert_eq!(Attachment::from_external(&part), Err(AttachmentError::BadField), "{name}");
        }
        // spec: ATT-005
        let mut part = attachment().to_external();
        part.size = u64::MAX;
        assert_eq!(Attachment::from_external(&part), Err(AttachmentError::TooLong));
    }

    #[test]
    fn debug_prints_the_name_only() {
        assert_eq!(format!("{:?}", attachment()), "Attachment(..)");
    }
}
