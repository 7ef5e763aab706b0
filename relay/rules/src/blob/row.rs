//! The rows of a blob.

use bytes::Bytes;
use hushwire_wire::{
    id::{BlobId, Timestamp},
    message::BlobReference,
};

use super::hash::RunningHash;
use crate::{
    row::{RowReader, RowWriter, numbered_key},
    store::{Action, Change, Object, Read, StoreError, Table},
};

/// Key of the one row of its table.
pub(crate) const ONLY: &[u8] = &[];

/// A blob.
#[derive(Clone, Debug)]
pub(crate) struct BlobRow {
    pub(crate) size: u64,
    /// Bytes on disk, from the start, without a gap.
    pub(crate) stored: u64,
    /// Length of its chunks, all but the last; fixed when it was created.
    pub(crate) chunk_bytes: u32,
    /// All its rows go at this time (spec: BLB-010).
    pub(crate) expires_at: Timestamp,
    /// Until when the content of entries that name it is kept; `None` if no entry does.
    pub(crate) held_until: Option<Timestamp>,
    /// Over what is stored; `None` for a blob that is too large for an entry to name.
    pub(crate) hash: Option<RunningHash>,
}

impl BlobRow {
    pub(crate) fn encode(&self) -> Bytes {
        let row = RowWriter::new(160)
            .u64(self.size)
            .u64(self.stored)
            .u32(self.chunk_bytes)
            .time(self.expires_at)
            .time(self.held_until.unwrap_or(NOT_HELD));
        match &self.hash {
            Some(hash) => row.fixed(hash.encode()).finish(),
            None => row.finish(),
        }
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let blob = Self {
            size: row.u64()?,
            stored: row.u64()?,
            chunk_bytes: row.u32()?,
            expires_at: row.time()?,
            held_until: Some(row.time()?).filter(|time| *time != NOT_HELD),
            hash: match row.rest() {
                state if state.is_empty() => None,
                state => Some(RunningHash::decode(&state)?),
            },
        };
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

    /// Whether this is the blob that an entry names: whole, with that size and hash (spec: CHN-010).
    pub(crate) fn holds(&self, reference: &BlobReference) -> bool {
        self.size == reference.size
            && self.stored == self.size
            && self.hash.as_ref().is_some_and(|hash| hash.finish() == reference.content_hash)
    }

    /// The change that stores it.
    pub(crate) fn kept(&self) -> Change {
        let action = Action::Put { value: self.encode(), expires: Some(self.expires_at) };
        Change { table: Table::Blob, key: Bytes::from_static(ONLY), action }
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

/// Stands for a blob that no entry names; no time that an entry is kept until is 0.
const NOT_HELD: Timestamp = Timestamp(0);

/// The key of the chunk that starts here.
pub(crate) fn chunk_key(start: u64) -> Bytes {
    numbered_key(&[], start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_row_round_trips_and_refuses_nonsense() {
        let mut hash = RunningHash::default();
        hash.add(b"four");
        let row = BlobRow {
            size: 10,
            stored: 4,
            chunk_bytes: 4,
            expires_at: Timestamp(5),
            held_until: None,
            hash: Some(hash),
        };
        let others = [
            BlobRow { held_until: Some(Timestamp(5)), ..row.clone() },
            BlobRow { hash: None, ..row.clone() },
        ];
        for row in others.iter().chain([&row]) {
            let read = BlobRow::decode(row.encode()).unwrap();
            assert_eq!((read.encode(), read.held_until), (row.encode(), row.held_until));
        }
        let nonsense = [
            BlobRow { stored: 11, ..row.clone() }.encode(),
            BlobRow { chunk_bytes: 0, ..row.clone() }.encode(),
            row.encode().slice(..60),
        ];
        for nonsense in nonsense {
            assert!(matches!(BlobRow::decode(nonsense), Err(StoreError::Damaged)));
        }
        assert_eq!((row.chunk_start(7), row.chunk_length(4), row.chunk_length(8)), (4, 4, 2));
    }
}
