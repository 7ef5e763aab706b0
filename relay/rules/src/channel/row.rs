//! The rows of a channel.

use bytes::Bytes;
use hushwire_wire::{
    id::{
        BlobId, ChainHead, ChannelId, ContentHash, EntryId, EpochId, PublicKey, Sequence, Timestamp,
    },
    message::{BlobReference, Content},
    transcript::{self, CommitMark, Cut, Operation},
};

use crate::{
    row::{RowReader, RowWriter, numbered_key},
    store::{Object, Read, StoreError, Table},
};

/// A commit of an epoch: the child it opened has the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) entry: EntryId,
    pub(crate) cut: Cut,
}

impl Candidate {
    /// The epoch that it opened (spec: CHN-011).
    pub(crate) const fn child(&self) -> EpochId {
        EpochId::from_bytes(*self.entry.as_bytes())
    }
}

/// Where an epoch hangs in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The channel's first epoch.
    Root,
    /// Opened by a commit of another epoch.
    Child { parent: EpochId, cut: Cut },
}

/// One epoch, by its id: all that an append has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EpochRow {
    pub(crate) key: PublicKey,
    pub(crate) origin: Origin,
    pub(crate) opened_at: Timestamp,
    /// Since when the row, and the memory of its key, are kept for their whole retention.
    pub(crate) renewed_at: Timestamp,
    pub(crate) last_candidate_at: Timestamp,
    pub(crate) notes: u16,
    pub(crate) last_note_at: Timestamp,
    pub(crate) next: Sequence,
    pub(crate) head: ChainHead,
    pub(crate) candidates: Vec<Candidate>,
}

impl EpochRow {
    /// An epoch without entries.
    pub(crate) fn opened(
        channel: &ChannelId,
        epoch: &EpochId,
        key: PublicKey,
        origin: Origin,
        now: Timestamp,
    ) -> Self {
        Self {
            key,
            origin,
            opened_at: now,
            renewed_at: now,
            last_candidate_at: Timestamp(0),
            notes: 0,
            last_note_at: Timestamp(0),
            next: Sequence::FIRST,
            // spec: CHN-006
            head: transcript::first_head(channel, epoch),
            candidates: Vec::new(),
        }
    }

    pub(crate) fn candidate_ids(&self) -> Vec<EntryId> {
        self.candidates.iter().map(|candidate| candidate.entry).collect()
    }

    pub(crate) fn encode(&self) -> Bytes {
        let candidates = self.candidates.len().saturating_mul(33);
        let mut row = RowWriter::new(candidates.saturating_add(170)).fixed(self.key);
        row = match self.origin {
            Origin::Root => row.u8(0).u8(0).fixed([0; EpochId::LENGTH]),
            Origin::Child { parent, cut } => row.u8(1).u8(cut.code()).fixed(parent),
        };
        row = row
            .time(self.opened_at)
            .time(self.renewed_at)
            .time(self.last_candidate_at)
            .u16(self.notes)
            .time(self.last_note_at)
            .sequence(self.next)
            .fixed(self.head)
            // Bounded by `candidates_max`, which is of this type.
            .u16(u16::try_from(self.candidates.len()).unwrap_or(u16::MAX));
        for candidate in &self.candidates {
            row = row.fixed(candidate.entry).u8(candidate.cut.code());
        }
        row.finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let key = row.fixed(PublicKey::from_bytes)?;
        let (kind, cut) = (row.u8()?, row.u8()?);
        let parent = row.fixed(EpochId::from_bytes)?;
        let origin = match kind {
            0 => Origin::Root,
            1 => Origin::Child { parent, cut: cut_of(cut)? },
            _ => return Err(StoreError::Damaged),
        };
        let (opened_at, renewed_at, last_candidate_at) = (row.time()?, row.time()?, row.time()?);
        let (notes, last_note_at) = (row.u16()?, row.time()?);
        let (next, head) = (row.sequence()?, row.fixed(ChainHead::from_bytes)?);
        let mut candidates = Vec::new();
        for _ in 0..row.u16()? {
            let entry = row.fixed(EntryId::from_bytes)?;
            candidates.push(Candidate { entry, cut: cut_of(row.u8()?)? });
        }
        row.finish()?;
        Ok(Self {
            key,
            origin,
            opened_at,
            renewed_at,
            last_candidate_at,
            notes,
            last_note_at,
            next,
            head,
            candidates,
        })
    }

    /// The epoch, if the store still has it.
    pub(crate) fn load(
        view: &impl Read,
        now: Timestamp,
        channel: &ChannelId,
        epoch: &EpochId,
    ) -> Result<Option<Self>, StoreError> {
        let object = Object::Channel(*channel);
        let value = view.row(&object, Table::Epoch, epoch.as_bytes(), now)?;
        value.map(Self::decode).transpose()
    }
}

fn cut_of(code: u8) -> Result<Cut, StoreError> {
    match code {
        0 => Ok(Cut::Through),
        1 => Ok(Cut::Cut),
        _ => Err(StoreError::Damaged),
    }
}

/// The key of what an epoch holds at a place.
pub(crate) fn place_key(epoch: &EpochId, sequence: Sequence) -> Bytes {
    numbered_key(epoch.as_bytes(), sequence.0)
}

/// What stays of an entry when its content is gone, by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderRow {
    pub(crate) entry: EntryId,
    pub(crate) stored_at: Timestamp,
}

impl HeaderRow {
    pub(crate) fn encode(&self) -> Bytes {
        RowWriter::new(40).fixed(self.entry).time(self.stored_at).finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let header = Self { entry: row.fixed(EntryId::from_bytes)?, stored_at: row.time()? };
        row.finish()?;
        Ok(header)
    }
}

/// Where an entry stands and what its append was answered with, by entry id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceRow {
    pub(crate) sequence: Sequence,
    pub(crate) head: ChainHead,
}

impl PlaceRow {
    pub(crate) fn encode(&self) -> Bytes {
        RowWriter::new(40).sequence(self.sequence).fixed(self.head).finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let place = Self { sequence: row.sequence()?, head: row.fixed(ChainHead::from_bytes)? };
        row.finish()?;
        Ok(place)
    }
}

/// The sealed bytes of an entry and what a commit carries in the open, by place (spec: CHN-004).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentRow {
    pub(crate) operation: Operation,
    pub(crate) content: Content,
}

impl ContentRow {
    pub(crate) fn encode(operation: &Operation, content: &Content) -> Bytes {
        let inline = match content {
            Content::Inline(bytes) => bytes.len(),
            Content::Blob(_) => 72,
        };
        let mut row = RowWriter::new(inline.saturating_add(64));
        row = match operation {
            Operation::Message => row.u8(1),
            Operation::Commit(mark) => {
                let contested = mark.contested.len();
                row = row
                    .u8(2)
                    .fixed(mark.next_key)
                    .u8(mark.cut.code())
                    // Equal to the candidates of the epoch, hence bounded by `candidates_max`.
                    .u16(u16::try_from(contested).unwrap_or(u16::MAX));
                mark.contested.iter().fold(row, |row, entry| row.fixed(entry))
            }
            Operation::Note => row.u8(3),
        };
        match content {
            Content::Inline(bytes) => row.u8(1).fixed(bytes).finish(),
            Content::Blob(reference) => row
                .u8(2)
                .fixed(reference.blob)
                .fixed(reference.content_hash)
                .u64(reference.size)
                .finish(),
        }
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let operation = match row.u8()? {
            1 => Operation::Message,
            2 => {
                let next_key = row.fixed(PublicKey::from_bytes)?;
                let cut = cut_of(row.u8()?)?;
                let mut contested = Vec::new();
                for _ in 0..row.u16()? {
                    contested.push(row.fixed(EntryId::from_bytes)?);
                }
                Operation::Commit(CommitMark { next_key, cut, contested })
            }
            3 => Operation::Note,
            _ => return Err(StoreError::Damaged),
        };
        let content = match row.u8()? {
            1 => Content::Inline(row.rest()),
            2 => {
                let reference = BlobReference {
                    blob: row.fixed(BlobId::from_bytes)?,
                    content_hash: row.fixed(ContentHash::from_bytes)?,
                    size: row.u64()?,
                };
                row.finish()?;
                Content::Blob(reference)
            }
            _ => return Err(StoreError::Damaged),
        };
        Ok(Self { operation, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch_row() -> EpochRow {
        EpochRow {
            key: PublicKey::from_bytes([1; 32]),
            origin: Origin::Child { parent: EpochId::from_bytes([2; 32]), cut: Cut::Cut },
            opened_at: Timestamp(3),
            renewed_at: Timestamp(4),
            last_candidate_at: Timestamp(5),
            notes: 6,
            last_note_at: Timestamp(7),
            next: Sequence(8),
            head: ChainHead::from_bytes([9; 32]),
            candidates: vec![
                Candidate { entry: EntryId::from_bytes([10; 32]), cut: Cut::Through },
                Candidate { entry: EntryId::from_bytes([11; 32]), cut: Cut::Cut },
            ],
        }
    }

    /// Every proper prefix and every extension of a closed row is damage.
    fn refuses_other_lengths<T>(value: &Bytes, decode: impl Fn(Bytes) -> Result<T, StoreError>) {
        for length in 0..value.len() {
            assert_eq!(decode(value.slice(..length)).err(), Some(StoreError::Damaged), "{length}");
        }
        let longer = Bytes::from([value.as_ref(), &[0]].concat());
        assert_eq!(decode(longer).err(), Some(StoreError::Damaged));
    }

    #[test]
    fn epoch_rows_round_trip() {
        let child = epoch_row();
        let root = EpochRow { origin: Origin::Root, candidates: vec![], ..child.clone() };
        for row in [child, root] {
            let value = row.encode();
            assert_eq!(EpochRow::decode(value.clone()), Ok(row));
            refuses_other_lengths(&value, EpochRow::decode);
        }
    }

    #[test]
    fn small_rows_round_trip() {
        let header = HeaderRow { entry: EntryId::from_bytes([1; 32]), stored_at: Timestamp(2) };
        assert_eq!(HeaderRow::decode(header.encode()), Ok(header));
        refuses_other_lengths(&header.encode(), HeaderRow::decode);
        let place = PlaceRow { sequence: Sequence(3), head: ChainHead::from_bytes([4; 32]) };
        assert_eq!(PlaceRow::decode(place.encode()), Ok(place));
        refuses_other_lengths(&place.encode(), PlaceRow::decode);
    }

    #[test]
    fn content_rows_round_trip() {
        let mark = CommitMark {
            next_key: PublicKey::from_bytes([1; 32]),
            cut: Cut::Through,
            contested: vec![EntryId::from_bytes([2; 32]), EntryId::from_bytes([3; 32])],
        };
        let reference = BlobReference {
            blob: BlobId::from_bytes([4; 32]),
            content_hash: ContentHash::from_bytes([5; 32]),
            size: 6,
        };
        for operation in [Operation::Message, Operation::Commit(mark), Operation::Note] {
            for content in
                [Content::Inline(Bytes::from_static(b"sealed")), Content::Blob(reference)]
            {
                let value = ContentRow::encode(&operation, &content);
                let expected = ContentRow { operation: operation.clone(), content };
                assert_eq!(ContentRow::decode(value), Ok(expected));
            }
        }
    }
}
