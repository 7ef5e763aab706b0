//! The rows of a blob.

use bytes::Bytes;
use hushwire_wire::{
    id::{BlobId, Timestamp},
    message::BlobReference,
};

use crate::{
    row::{RowReader, RowWriter, numbered_key},
    store::{Object, Read, StoreError, Table},
};

/// Key of the one row of its table.
pub(crate) const ONLY: &[u8] = &[];

/// A blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobRow {
    pub(crate) size: u64,
    /// Bytes on disk, from the start, without a gap.
    pub(crate) stored: u64,
    /// Length of its chunks, all but the last; fixed when it was created.
    pub(crate) chunk_bytes: u32,
    /// All its rows go at this time (spec: BLB-010).
    pub(crate) expires_at: Timestamp,
}

impl BlobRow {
    pub(crate) fn encode(&self) -> Bytes {
        RowWriter::new(28)
            .u64(self.size)
            .u64(self.stored)
            .u32(self.chunk_bytes)
            .time(self.expires_at)
            .finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let blob = Self {
            size: row.u64()?,
            stored: row.u64()?,
            chunk_bytes: row.u32()?,
            expires_at: row.time()?,
        };
        row.finish()?;
        // A length of 0 would make readers divide by it.
        if blob.chunk_bytes == 0 || blob.stored > blob.size {
            return Err(StoreError::Damaged);
        }
        Ok(blob)
    }

    /// The blob, if there is one; without it every request is denied (spec: BLB-011).
    pub(crate) fn load(
        view: &impl Read,
        now: Timestamp,
        blob: &BlobId,
    ) -> Result<Option<Self>, StoreError> {
        let value = view.row(&Object::Blob(*blob), Table::Blob, ONLY, now)?;
        value.map(Self::decode).transpose()
    }

    /// The start of the chunk that holds this byte.
    pub(crate) fn chunk_start(&self, offset: u64) -> u64 {
        let chunk_bytes = u64::from(self.chunk_bytes).max(1);
        offset / chunk_bytes * chunk_bytes
    }

    /// How long the chunk is that starts here.
    pub(crate) fn chunk_length(&self, start: u64) -> u64 {
        self.size.saturating_sub(start).min(self.chunk_bytes.into())
    }
}

/// The key of the chunk that starts here.
pub(crate) fn chunk_key(start: u64) -> Bytes {
    numbered_key(&[], start)
}

/// Whether the blob that an entry names is there whole, with that size.
pub(crate) fn is_complete(
    view: &impl Read,
    now: Timestamp,
    reference: &BlobReference,
) -> Result<bool, StoreError> {
    let row = BlobRow::load(view, now, &reference.blob)?;
    Ok(row.is_some_and(|row| row.size == reference.size && row.stored == row.size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_row_round_trips_and_refuses_nonsense() {
        let row = BlobRow { size: 10, stored: 4, chunk_bytes: 4, expires_at: Timestamp(5) };
        assert_eq!(BlobRow::decode(row.encode()), Ok(row));
        for nonsense in [BlobRow { stored: 11, ..row }, BlobRow { chunk_bytes: 0, ..row }] {
            assert_eq!(BlobRow::decode(nonsense.encode()), Err(StoreError::Damaged));
        }
        assert_eq!((row.chunk_start(7), row.chunk_length(4), row.chunk_length(8)), (4, 4, 2));
    }
}
