//! Seals a file from its first chunk to its last, through interruptions.

use core::fmt;

use hushwire_wire::id::ContentHash;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    AttachmentError, ChunkCipher, FileKey,
    layout::{ChunkIndex, FileLength, FileRange, Layout},
};

/// How far a file was sealed, and the hash of the sealed bytes so far. Stored before the chunk that
/// it counts is sent, and given to [`Sealer::resume`] after an interruption (spec: ATT-012).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Chunks that were sealed.
    pub chunks: ChunkIndex,
    /// SHA-256 of their sealed bytes.
    pub hash: ContentHash,
}

impl Checkpoint {
    /// Length of the encoding in bytes.
    pub const LENGTH: usize = 4 + ContentHash::LENGTH;

    /// Number of chunks (4 bytes, big-endian), then the hash.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let fields = self.chunks.0.to_be_bytes().into_iter().chain(*self.hash.as_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let (chunks, hash) = bytes.split_first_chunk::<4>()?;
        let chunks = ChunkIndex(u32::from_be_bytes(*chunks));
        Some(Self { chunks, hash: ContentHash::from_slice(hash).ok()? })
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}

/// Seals the chunks of one file in order.
///
/// For each: read what [`Self::next_range`] names, call [`Self::seal_next`], store
/// [`Self::checkpoint`], send the buffer to the offset that was returned unless the relay has it; at
/// the end [`Self::finish`].
#[derive(Debug)]
pub struct Sealer {
    cipher: ChunkCipher,
    next: ChunkIndex,
    hash: Sha256,
    checkpoint: Option<Checkpoint>,
}

impl Sealer {
    /// Starts with a fresh key.
    pub fn new(key: &FileKey, length: FileLength) -> Self {
        let cipher = ChunkCipher::new(key, length);
        Self { cipher, next: ChunkIndex::default(), hash: Sha256::new(), checkpoint: None }
    }

    /// Starts again after an interruption. All chunks are sealed again from the first, whether the
    /// relay has them or not: that is what shows that the file is still the same (spec: ATT-012).
    pub fn resume(key: &FileKey, length: FileLength, checkpoint: Checkpoint) -> Self {
        Self { checkpoint: Some(checkpoint), ..Self::new(key, length) }
    }

    /// Where everything lies.
    pub const fn layout(&self) -> &Layout {
        self.cipher.layout()
    }

    /// What to read from the file for the next chunk; `None` when all are sealed.
    pub fn next_range(&self) -> Option<FileRange> {
        self.layout().file_range(self.next).ok()
    }

    /// Seals the next chunk in place, and names its place in the blob.
    ///
    /// # Errors
    /// [`AttachmentError::SourceChanged`] when the file is not the one that was sealed before
    /// (spec: ATT-012): the blob is to be given up, and the file sealed anew with a fresh key.
    /// [`AttachmentError::OutOfOrder`] after the last chunk.
    pub fn seal_next(&mut self, buffer: &mut Vec<u8>) -> Result<FileRange, AttachmentError> {
        let range = self.layout().sealed_range(self.next)?;
        self.cipher.seal(self.next, buffer)?;
        self.hash.update(&buffer);
        self.next = self.next.next();
        match self.checkpoint {
            Some(expected) if expected.chunks == self.next && expected != self.checkpoint() => {
                buffer.clear();
                Err(AttachmentError::SourceChanged)
            }
            _ => Ok(range),
        }
    }

    /// How far this is.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { chunks: self.next, hash: digest(&self.hash) }
    }

    /// The hash of the whole blob, for the message (spec: ATT-010).
    ///
    /// # Errors
    /// [`AttachmentError::OutOfOrder`] before the last chunk was sealed.
    pub fn finish(self) -> Result<ContentHash, AttachmentError> {
        if self.next != self.layout().chunks() {
            return Err(AttachmentError::OutOfOrder);
        }
        Ok(digest(&self.hash))
    }
}

pub(super) fn digest(hash: &Sha256) -> ContentHash {
    ContentHash::from_bytes(hash.clone().finalize().into())
}

pub(super) fn same_hash(left: ContentHash, right: ContentHash) -> bool {
    left.as_bytes()[..].ct_eq(&right.as_bytes()[..]).into()
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "test files are short")]
mod tests {
    use super::*;

    const KEY: FileKey = FileKey::from_bytes([3; 32]);
    const LENGTH: u64 = 600_000;

    fn file() -> Vec<u8> {
        (0..LENGTH).map(|index| (index / 7) as u8).collect()
    }

    fn length() -> FileLength {
        FileLength::new(LENGTH).unwrap()
    }

    /// Seals up to `chunks` more chunks of `file`.
    fn seal(sealer: &mut Sealer, file: &[u8], chunks: usize) -> Result<Vec<u8>, AttachmentError> {
        let mut sent = Vec::new();
        for _ in 0..chunks {
            let Some(range) = sealer.next_range() else { break };
            let mut buffer = file[range.offset as usize..][..range.length as usize].to_vec();
            let place = sealer.seal_next(&mut buffer)?;
            assert_eq!(place.length as usize, buffer.len());
            sent.extend_from_slice(&buffer);
        }
        Ok(sent)
    }

    #[test]
    fn a_resumed_upload_gives_the_same_blob() {
        // spec: ATT-009, ATT-012
        let file = file();
        let mut whole = Sealer::new(&KEY, length());
        let blob = seal(&mut whole, &file, 9).unwrap();
        assert_eq!(blob.len() as u64, whole.layout().sealed_length());
        let hash = whole.finish().unwrap();
        assert_eq!(hash.as_bytes()[..], Sha256::digest(&blob)[..]);

        let mut first = Sealer::new(&KEY, length());
        seal(&mut first, &file, 2).unwrap();
        let stored = first.checkpoint().to_bytes();
        let checkpoint = Checkpoint::from_bytes(&stored).unwrap();
        let mut second = Sealer::resume(&KEY, length(), checkpoint);
        assert_eq!(seal(&mut second, &file, 9).unwrap(), blob);
        assert!(same_hash(second.finish().unwrap(), hash));
    }

    #[test]
    fn a_changed_file_is_noticed() {
        // spec: ATT-012
        let mut first = Sealer::new(&KEY, length());
        seal(&mut first, &file(), 2).unwrap();
        for changed in [0, 262_127, 262_128, 524_255] {
            let mut file = file();
            file[changed] ^= 1;
            let mut second = Sealer::resume(&KEY, length(), first.checkpoint());
            let error = seal(&mut second, &file, 9).unwrap_err();
            assert_eq!(error, AttachmentError::SourceChanged);
        }
        let mut second = Sealer::resume(&KEY, length(), first.checkpoint());
        let mut short = vec![0; 100];
        assert_eq!(second.seal_next(&mut short), Err(AttachmentError::SourceChanged));
    }

    #[test]
    fn an_unfinished_upload_has_no_hash() {
        let mut sealer = Sealer::new(&KEY, length());
        seal(&mut sealer, &file(), 2).unwrap();
        assert_eq!(sealer.finish(), Err(AttachmentError::OutOfOrder));
        let mut sealer = Sealer::new(&KEY, length());
        seal(&mut sealer, &file(), 3).unwrap();
        assert_eq!(sealer.next_range(), None);
        assert_eq!(sealer.seal_next(&mut Vec::new()), Err(AttachmentError::OutOfOrder));
    }
}
