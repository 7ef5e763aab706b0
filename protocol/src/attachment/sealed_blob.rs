//! Bytes that go as a blob at once: a ratchet tree, a group's state. The same sealing as for files.

use core::fmt;

use hushwire_wire::id::ContentHash;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};

use super::{AttachmentError, FileKey, FileLength, Opener, Sealer, layout::FileRange};

/// What it takes to open a sealed blob.
#[derive(PartialEq, Eq)]
pub struct BlobSeal {
    /// The key.
    pub key: FileKey,
    /// Length of the content.
    pub length: FileLength,
    /// SHA-256 of the sealed bytes.
    pub hash: ContentHash,
}

impl BlobSeal {
    /// Length of the encoding in bytes.
    pub const LENGTH: usize = FileKey::LENGTH + 8 + ContentHash::LENGTH;

    /// Key, length of the content (8 bytes, big-endian), hash (spec: ATT-015). Secret, as the key is.
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; Self::LENGTH]> {
        let mut bytes = zeroize::Zeroizing::new([0; Self::LENGTH]);
        let length = self.length.bytes().to_be_bytes();
        let fields = self.key.expose().iter().chain(&length).chain(self.hash.as_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`AttachmentError::BadField`] for another number of bytes, [`AttachmentError::TooLong`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, AttachmentError> {
        let bad = AttachmentError::BadField;
        let (key, rest) = bytes.split_first_chunk::<{ FileKey::LENGTH }>().ok_or(bad)?;
        let (length, hash) = rest.split_first_chunk::<8>().ok_or(bad)?;
        Ok(Self {
            key: FileKey::from_bytes(*key),
            length: FileLength::new(u64::from_be_bytes(*length))?,
            hash: ContentHash::from_slice(hash).map_err(|_| bad)?,
        })
    }
}

impl fmt::Debug for BlobSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobSeal(..)")
    }
}

/// Sealed bytes, and what opens them.
#[derive(PartialEq, Eq)]
pub struct SealedBlob {
    /// What opens them.
    pub seal: BlobSeal,
    /// What is uploaded, of a padded length.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for SealedBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedBlob(..)")
    }
}

/// Seals `content` with a fresh key.
///
/// # Errors
/// [`AttachmentError::TooLong`] (spec: ATT-005).
pub fn seal_blob<R: CryptoRng + ?Sized>(
    rng: &mut R,
    content: &[u8],
) -> Result<SealedBlob, AttachmentError> {
    let length = u64::try_from(content.len()).map_err(|_| AttachmentError::TooLong)?;
    let (key, length) = (FileKey::random(rng), FileLength::new(length)?);
    let mut sealer = Sealer::new(&key, length);
    let mut bytes = Vec::new();
    while let Some(range) = sealer.next_range() {
        let mut buffer = slice(content, range)?.to_vec();
        sealer.seal_next(&mut buffer)?;
        bytes.append(&mut buffer);
    }
    let hash = sealer.finish()?;
    Ok(SealedBlob { seal: BlobSeal { key, length, hash }, bytes })
}

/// Opens sealed bytes that came whole.
///
/// # Errors
/// [`AttachmentError`]: nothing of the content is handed out before all of it was checked.
pub fn open_blob(seal: &BlobSeal, bytes: &[u8]) -> Result<Vec<u8>, AttachmentError> {
    let mut opener = Opener::with(&seal.key, seal.length, seal.hash);
    // spec: ATT-006
    if u64::try_from(bytes.len()) != Ok(opener.layout().sealed_length()) {
        return Err(AttachmentError::WrongLength);
    }
    if ContentHash::from_bytes(Sha256::digest(bytes).into()) != seal.hash {
        return Err(AttachmentError::WrongHash);
    }
    let mut content = Vec::new();
    while let Some(range) = opener.next_range() {
        let mut buffer = slice(bytes, range)?.to_vec();
        opener.open_next(&mut buffer)?;
        content.append(&mut buffer);
    }
    opener.finish()?;
    Ok(content)
}

fn slice(bytes: &[u8], range: FileRange) -> Result<&[u8], AttachmentError> {
    let start = usize::try_from(range.offset).map_err(|_| AttachmentError::TooLong)?;
    let end = start.saturating_add(range.length as usize);
    bytes.get(start..end).ok_or(AttachmentError::WrongLength)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::padding::is_padded_length;

    #[test]
    fn blobs_round_trip() {
        // spec: ATT-001, ATT-015
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        for length in [0, 1, 240, 241, 262_128, 262_129, 700_000] {
            let content = vec![9; length];
            let blob = seal_blob(&mut rng, &content).unwrap();
            assert!(is_padded_length(blob.bytes.len() as u64));
            let seal = BlobSeal::from_slice(&blob.seal.to_bytes()[..]).unwrap();
            assert_eq!(seal, blob.seal);
            assert_eq!(open_blob(&seal, &blob.bytes).unwrap(), content);
        }
        let one = seal_blob(&mut rng, b"content").unwrap();
        let other = seal_blob(&mut rng, b"content").unwrap();
        assert!(one.seal.key != other.seal.key && one.bytes != other.bytes);
    }

    #[test]
    fn damaged_blobs_are_refused() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let blob = seal_blob(&mut rng, &[9; 1_000]).unwrap();
        let mut damaged = blob.bytes.clone();
        damaged[5] ^= 1;
        assert_eq!(open_blob(&blob.seal, &damaged), Err(AttachmentError::WrongHash));
        for length in [0, 256, 1_023] {
            let cut = &blob.bytes[..length];
            assert_eq!(open_blob(&blob.seal, cut), Err(AttachmentError::WrongLength));
        }
        let mut bytes = blob.seal.to_bytes();
        bytes[0] ^= 1;
        let other_key = BlobSeal::from_slice(&bytes[..]).unwrap();
        assert_eq!(open_blob(&other_key, &blob.bytes), Err(AttachmentError::NotAuthentic));
    }

    #[test]
    fn other_seals_are_refused() {
        for length in [0, 71, 73] {
            assert_eq!(BlobSeal::from_slice(&vec![0; length]), Err(AttachmentError::BadField));
        }
        assert_eq!(BlobSeal::from_slice(&[0xff; 72]), Err(AttachmentError::TooLong));
        assert_eq!(format!("{:?}", BlobSeal::from_slice(&[0; 72]).unwrap()), "BlobSeal(..)");
    }
}
