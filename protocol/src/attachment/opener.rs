//! Opens a blob from its first chunk to its last, through interruptions.

use hushwire_wire::id::ContentHash;
use sha2::{Digest as _, Sha256};

use super::{
    Attachment, AttachmentError, ChunkCipher, FileKey,
    layout::{ChunkIndex, FileLength, FileRange, Layout},
    sealer::{digest, same_hash},
};

/// Opens the chunks of one file in order.
///
/// For each: fetch what [`Self::next_range`] names, call [`Self::open_next`], write the buffer to the
/// place that was returned; at the end [`Self::finish`]. Until that has agreed, the file keeps a
/// name that says it is not whole.
#[derive(Debug)]
pub struct Opener {
    cipher: ChunkCipher,
    expected: ContentHash,
    next: ChunkIndex,
    hash: Sha256,
}

impl Opener {
    /// Starts from what a message says.
    pub fn new(attachment: &Attachment) -> Self {
        Self::with(&attachment.key, attachment.length, attachment.hash)
    }

    pub(super) fn with(key: &FileKey, length: FileLength, expected: ContentHash) -> Self {
        let cipher = ChunkCipher::new(key, length);
        Self { cipher, expected, next: ChunkIndex::default(), hash: Sha256::new() }
    }

    /// Where everything lies. A blob of another length than it says is refused before it is fetched
    /// (spec: ATT-006).
    pub const fn layout(&self) -> &Layout {
        self.cipher.layout()
    }

    /// What to fetch of the blob for the next chunk; `None` when all are opened.
    pub fn next_range(&self) -> Option<FileRange> {
        self.layout().sealed_range(self.next).ok()
    }

    /// Opens the next chunk in place, and names its place in the file.
    ///
    /// # Errors
    /// As [`ChunkCipher::open`]; the same chunk can be fetched and opened again.
    pub fn open_next(&mut self, buffer: &mut Vec<u8>) -> Result<FileRange, AttachmentError> {
        let range = self.layout().file_range(self.next)?;
        let mut hash = self.hash.clone();
        hash.update(&buffer);
        self.cipher.open(self.next, buffer)?;
        self.hash = hash;
        self.next = self.next.next();
        Ok(range)
    }

    /// What to read of the file that an interrupted download has left, for [`Self::replay_next`].
    pub fn next_file_range(&self) -> Option<FileRange> {
        self.layout().file_range(self.next).ok()
    }

    /// Takes the next chunk from the file instead of the relay. It is sealed again, which gives the
    /// chunk that came the first time (spec: ATT-009), and so the whole hash still tells whether
    /// everything is right.
    ///
    /// # Errors
    /// As [`ChunkCipher::seal`].
    pub fn replay_next(&mut self, buffer: &mut Vec<u8>) -> Result<(), AttachmentError> {
        self.cipher.seal(self.next, buffer)?;
        self.hash.update(&buffer);
        self.next = self.next.next();
        Ok(())
    }

    /// Ends the download.
    ///
    /// # Errors
    /// [`AttachmentError::WrongHash`] (spec: ATT-013), [`AttachmentError::OutOfOrder`] before the
    /// last chunk.
    pub fn finish(self) -> Result<(), AttachmentError> {
        if self.next != self.layout().chunks() {
            return Err(AttachmentError::OutOfOrder);
        }
        if same_hash(digest(&self.hash), self.expected) {
            Ok(())
        } else {
            Err(AttachmentError::WrongHash)
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "test files are short")]
mod tests {
    use super::*;
    use crate::attachment::Sealer;

    const KEY: FileKey = FileKey::from_bytes([5; 32]);
    const LENGTH: u64 = 600_000;

    fn file() -> Vec<u8> {
        (0..LENGTH).map(|index| (index / 3) as u8).collect()
    }

    fn length() -> FileLength {
        FileLength::new(LENGTH).unwrap()
    }

    fn part(bytes: &[u8], range: FileRange) -> Vec<u8> {
        bytes[range.offset as usize..][..range.length as usize].to_vec()
    }

    fn upload() -> (Vec<u8>, ContentHash) {
        let (file, mut blob) = (file(), Vec::new());
        let mut sealer = Sealer::new(&KEY, length());
        while let Some(range) = sealer.next_range() {
            let mut buffer = part(&file, range);
            sealer.seal_next(&mut buffer).unwrap();
            blob.extend_from_slice(&buffer);
        }
        (blob, sealer.finish().unwrap())
    }

    #[test]
    fn a_resumed_download_is_checked_as_a_whole() {
        // spec: ATT-013
        let (blob, hash) = upload();
        for damaged in [false, true] {
            let mut opener = Opener::with(&KEY, length(), hash);
            let mut left = part(&file(), opener.next_file_range().unwrap());
            left[9] ^= u8::from(damaged);
            opener.replay_next(&mut left).unwrap();
            let mut opened = Vec::new();
            while let Some(range) = opener.next_range() {
                let mut buffer = part(&blob, range);
                let place = opener.open_next(&mut buffer).unwrap();
                assert_eq!(place.offset as usize, 262_128 + opened.len());
                opened.extend_from_slice(&buffer);
            }
            assert_eq!(opened, file()[262_128..]);
            let expected = if damaged { Err(AttachmentError::WrongHash) } else { Ok(()) };
            assert_eq!(opener.finish(), expected);
        }
    }

    #[test]
    fn a_refused_chunk_can_be_fetched_again() {
        let (blob, hash) = upload();
        let mut opener = Opener::with(&KEY, length(), hash);
        while let Some(range) = opener.next_range() {
            let mut damaged = part(&blob, range);
            damaged[0] ^= 1;
            assert_eq!(opener.open_next(&mut damaged), Err(AttachmentError::NotAuthentic));
            opener.open_next(&mut part(&blob, range)).unwrap();
        }
        assert_eq!(opener.open_next(&mut vec![0; 98_304]), Err(AttachmentError::OutOfOrder));
        assert_eq!(opener.finish(), Ok(()));
    }

    #[test]
    fn another_hash_and_an_early_end_are_refused() {
        // spec: ATT-013
        let (blob, _) = upload();
        let mut opener = Opener::with(&KEY, length(), ContentHash::from_bytes([0; 32]));
        let first = opener.next_range().unwrap();
        opener.open_next(&mut part(&blob, first)).unwrap();
        while let Some(range) = opener.next_range() {
            opener.open_next(&mut part(&blob, range)).unwrap();
        }
        assert_eq!(opener.finish(), Err(AttachmentError::WrongHash));
        let early = Opener::with(&KEY, length(), ContentHash::from_bytes([0; 32]));
        assert_eq!(early.finish(), Err(AttachmentError::OutOfOrder));
    }
}
