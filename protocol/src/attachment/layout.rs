//! Where a file's bytes lie in its sealed form: a function of the file's length alone.

use hushwire_wire::limit::Limits;

use super::AttachmentError;
use crate::padding::padded_length;

/// Length of a sealed chunk in bytes, all but the last: the relay's chunk (spec: ATT-003).
pub const SEALED_CHUNK_BYTES: u32 = Limits::V1.blob_chunk_bytes;
/// Length of a chunk's tag in bytes.
pub(super) const TAG_BYTES: u32 = 16;
/// File bytes in a full chunk.
const PLAIN_CHUNK_BYTES: u32 = SEALED_CHUNK_BYTES - TAG_BYTES;
/// Longest file in bytes: what the largest blob of version 1 holds (spec: ATT-005).
pub const FILE_BYTES_MAX: u64 = {
    let chunks = Limits::V1.blob_bytes_max / SEALED_CHUNK_BYTES as u64;
    chunks * PLAIN_CHUNK_BYTES as u64
};

/// Length of a file in bytes, before sealing; at most [`FILE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileLength(u64);

impl FileLength {
    /// Takes a length in bytes.
    ///
    /// # Errors
    /// [`AttachmentError::TooLong`] above [`FILE_BYTES_MAX`] (spec: ATT-005).
    pub const fn new(bytes: u64) -> Result<Self, AttachmentError> {
        if bytes > FILE_BYTES_MAX { Err(AttachmentError::TooLong) } else { Ok(Self(bytes)) }
    }

    /// The length in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// The place of a chunk in its file; the first is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkIndex(pub u32);

impl ChunkIndex {
    /// The place after this one. Saturates: no file has so many chunks.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A range of bytes of a file or blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes; at most [`SEALED_CHUNK_BYTES`].
    pub length: u32,
}

/// Whether a chunk is the last of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkPlace {
    Inner,
    Last,
}

/// Where everything of a file of some length lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    file_length: FileLength,
    sealed_length: u64,
}

impl Layout {
    /// The layout of a file of this length (spec: ATT-003, ATT-004).
    pub const fn new(file_length: FileLength) -> Self {
        let length = file_length.bytes();
        let filled = length.div_ceil(PLAIN_CHUNK_BYTES as u64);
        let chunks = if filled == 0 { 1 } else { filled };
        let sealed_min = length.saturating_add(chunks.saturating_mul(TAG_BYTES as u64));
        // At most 2^32, which is a padded length itself, so there always is one.
        let sealed_length = match padded_length(sealed_min) {
            Some(padded) => padded,
            None => Limits::V1.blob_bytes_max,
        };
        Self { file_length, sealed_length }
    }

    /// Length of the file in bytes.
    pub const fn file_length(&self) -> FileLength {
        self.file_length
    }

    /// Length of the blob in bytes: a padded length (spec: ATT-004).
    pub const fn sealed_length(&self) -> u64 {
        self.sealed_length
    }

    /// Number of chunks, at least one.
    pub fn chunks(&self) -> ChunkIndex {
        let chunks = self.sealed_length.div_ceil(u64::from(SEALED_CHUNK_BYTES));
        ChunkIndex(u32::try_from(chunks).unwrap_or(u32::MAX))
    }

    /// The chunk that holds a byte of the file.
    ///
    /// # Errors
    /// [`AttachmentError::OutOfOrder`] beyond the file's end.
    pub fn chunk_of(&self, file_offset: u64) -> Result<ChunkIndex, AttachmentError> {
        if file_offset >= self.file_length.bytes() {
            return Err(AttachmentError::OutOfOrder);
        }
        let index = file_offset / u64::from(PLAIN_CHUNK_BYTES);
        u32::try_from(index).map(ChunkIndex).map_err(|_| AttachmentError::TooLong)
    }

    /// How many whole chunks lie before `sealed_offset`, the relay's answer to how much it has.
    ///
    /// # Errors
    /// [`AttachmentError::OutOfOrder`] when that is no boundary of chunks, or beyond the end.
    pub fn chunks_before(&self, sealed_offset: u64) -> Result<ChunkIndex, AttachmentError> {
        if sealed_offset == self.sealed_length {
            return Ok(self.chunks());
        }
        let chunk = u64::from(SEALED_CHUNK_BYTES);
        if sealed_offset > self.sealed_length || !sealed_offset.is_multiple_of(chunk) {
            return Err(AttachmentError::OutOfOrder);
        }
        u32::try_from(sealed_offset / chunk).map(ChunkIndex).map_err(|_| AttachmentError::TooLong)
    }

    /// Where a sealed chunk lies in the blob.
    ///
    /// # Errors
    /// [`AttachmentError::OutOfOrder`] for a chunk beyond the end.
    pub fn sealed_range(&self, index: ChunkIndex) -> Result<FileRange, AttachmentError> {
        let chunk = u64::from(SEALED_CHUNK_BYTES);
        let offset = u64::from(index.0).saturating_mul(chunk);
        let left = self.sealed_length.saturating_sub(offset).min(chunk);
        match u32::try_from(left) {
            Ok(length @ 1..) => Ok(FileRange { offset, length }),
            _ => Err(AttachmentError::OutOfOrder),
        }
    }

    /// Which bytes of the file a chunk holds: none, when it is padding only.
    ///
    /// # Errors
    /// [`AttachmentError::OutOfOrder`] for a chunk beyond the end.
    pub fn file_range(&self, index: ChunkIndex) -> Result<FileRange, AttachmentError> {
        let capacity = self.capacity(index)?;
        let start = u64::from(index.0).saturating_mul(u64::from(PLAIN_CHUNK_BYTES));
        let offset = start.min(self.file_length.bytes());
        let left = self.file_length.bytes().saturating_sub(offset).min(u64::from(capacity));
        let length = u32::try_from(left).map_err(|_| AttachmentError::TooLong)?;
        Ok(FileRange { offset, length })
    }

    /// How many bytes a chunk holds, file and padding together.
    pub(super) fn capacity(&self, index: ChunkIndex) -> Result<u32, AttachmentError> {
        Ok(self.sealed_range(index)?.length.saturating_sub(TAG_BYTES))
    }

    pub(super) fn place(&self, index: ChunkIndex) -> ChunkPlace {
        if index.next() == self.chunks() { ChunkPlace::Last } else { ChunkPlace::Inner }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::padding::is_padded_length;

    fn layout(bytes: u64) -> Layout {
        Layout::new(FileLength::new(bytes).unwrap())
    }

    #[test]
    fn known_layouts() {
        // spec: ATT-003, ATT-004
        for (file, sealed, chunks) in [
            (0, 256, 1),
            (1, 256, 1),
            (240, 256, 1),
            (241, 272, 1),
            (262_128, 262_144, 1),
            (262_129, 270_336, 2),
            (1_000_000, 1_015_808, 4),
            (FILE_BYTES_MAX, 1 << 32, 16_384),
        ] {
            let layout = layout(file);
            assert_eq!((layout.sealed_length(), layout.chunks().0), (sealed, chunks), "{file}");
        }
    }

    #[test]
    fn longer_files_are_refused() {
        // spec: ATT-005
        assert_eq!(FILE_BYTES_MAX, 4_294_705_152);
        assert_eq!(FileLength::new(FILE_BYTES_MAX + 1), Err(AttachmentError::TooLong));
    }

    #[test]
    fn places_beyond_the_end_are_refused() {
        let layout = layout(300_000);
        let end = layout.chunks();
        assert_eq!(layout.sealed_range(end), Err(AttachmentError::OutOfOrder));
        assert_eq!(layout.file_range(end), Err(AttachmentError::OutOfOrder));
        assert_eq!(layout.sealed_range(ChunkIndex(u32::MAX)), Err(AttachmentError::OutOfOrder));
        assert_eq!(layout.chunk_of(300_000), Err(AttachmentError::OutOfOrder));
        assert_eq!(layout.chunk_of(299_999), Ok(ChunkIndex(1)));
        assert_eq!(layout.chunks_before(1), Err(AttachmentError::OutOfOrder));
        assert_eq!(layout.chunks_before(0), Ok(ChunkIndex(0)));
        assert_eq!(layout.chunks_before(262_144), Ok(ChunkIndex(1)));
        assert_eq!(layout.chunks_before(layout.sealed_length()), Ok(end));
        assert_eq!(layout.chunks_before(524_288), Err(AttachmentError::OutOfOrder));
    }

    proptest! {
        #[test]
        fn chunks_tile_file_and_blob(bytes in prop_oneof![0u64..2_000_000, 0..=FILE_BYTES_MAX]) {
            // spec: ATT-003, ATT-004
            let layout = layout(bytes);
            prop_assert!(is_padded_length(layout.sealed_length()));
            let (mut sealed, mut file) = (0, 0);
            for index in 0..layout.chunks().0 {
                let range = layout.sealed_range(ChunkIndex(index)).unwrap();
                prop_assert_eq!(range.offset, sealed);
                prop_assert!(range.length > TAG_BYTES);
                sealed += u64::from(range.length);
                let range = layout.file_range(ChunkIndex(index)).unwrap();
                prop_assert_eq!(range.offset, file);
                file += u64::from(range.length);
            }
            prop_assert_eq!(sealed, layout.sealed_length());
            prop_assert_eq!(file, bytes);
        }
    }
}
