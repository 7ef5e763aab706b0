//! Where a relay keeps what it was told to keep: objects, each a small sorted table of rows.
//!
//! An *object* is one channel, one inbox or one blob. A store offers atomic batches on one object,
//! guarded by the object's revision, ordered reads within one object, and expiry of rows by time.
//! There is no transaction across objects and no scan over all objects on the request path, so that
//! a replicated log with compare-and-append per subject can implement it as well as one RocksDB.

use bytes::Bytes;
use hushwire_wire::id::{BlobId, ChannelId, InboxId, Timestamp};

/// One channel, inbox or blob: the unit of atomicity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A channel with its epochs and entries.
    Channel(ChannelId),
    /// An inbox with its capabilities, items, slots and shelves.
    Inbox(InboxId),
    /// A blob with its chunks.
    Blob(BlobId),
}

/// How often an object was changed; 0 for one that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// A kind of row within an object. The discriminant is the row's first key byte on disk and is
/// never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Channel: one row for each epoch, by epoch id.
    Epoch = 1,
    /// Channel: what stays of an entry, by (epoch, sequence).
    EntryHeader = 2,
    /// Channel: the sealed bytes of an entry, by (epoch, sequence).
    EntryContent = 3,
    /// Channel: (epoch, sequence) of an entry, by entry id.
    EntryPlace = 4,
    /// Channel: epoch public keys that were seen.
    SeenKey = 5,
    /// Inbox: its one record.
    Inbox = 16,
    /// Inbox: a capability, by capability id.
    Capability = 17,
    /// Inbox: an item, by sequence.
    Item = 18,
    /// Inbox: sequence of an item, by item id.
    ItemPlace = 19,
    /// Inbox: a device slot, by slot id.
    Slot = 20,
    /// Inbox: a key package, by (slot, number).
    Shelf = 21,
    /// Inbox: the sealed device list.
    DeviceList = 22,
    /// Inbox: sequence of an item, by (capability, how many items it had written before).
    CapabilityItem = 23,
    /// Inbox: how many key packages were taken lately, by (capability, slot).
    ShelfTakes = 24,
    /// Blob: its one record.
    Blob = 32,
    /// Blob: a chunk, by offset.
    Chunk = 33,
}

impl Table {
    /// The table of the same object whose only row, when it goes, takes all rows of this one with
    /// it. These rows need no time of their own, so that prolonging many of them is one change.
    pub const fn lives_with(self) -> Option<Self> {
        match self {
            Self::Chunk => Some(Self::Blob),
            _ => None,
        }
    }

    /// The table whose rows live with the row of this one.
    pub const fn carries(self) -> Option<Self> {
        match self {
            Self::Blob => Some(Self::Chunk),
            _ => None,
        }
    }
}

/// Sets or removes one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The kind of row.
    pub table: Table,
    /// Its key within the object and table; sorted bytewise.
    pub key: Bytes,
    /// What becomes of it.
    pub action: Action,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It has this value from now on, until `expires` if that is given.
    Put {
        /// The value.
        value: Bytes,
        /// From this time on the row no longer exists.
        expires: Option<Timestamp>,
    },
    /// It no longer exists.
    Delete,
}

/// Changes to one object that are stored together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The object.
    pub object: Object,
    /// The revision the changes were computed from; another one refuses the batch.
    pub expected: Revision,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// A row of an ordered read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key within the object and table.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// How much one ordered read returns at most; at least one row comes if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Rows.
    pub rows_max: usize,
    /// Bytes of values, stopped at after the row that reaches it.
    pub bytes_max: usize,
}

impl ReadLimit {
    /// Whether a read stopped because it had returned so much; else there is no more.
    pub fn is_reached_by(&self, rows: &[Row]) -> bool {
        let bytes = rows.iter().fold(0_usize, |bytes, row| bytes.saturating_add(row.value.len()));
        rows.len() >= self.rows_max || bytes >= self.bytes_max
    }
}

/// Rows that an ordered read has found so far, within its bound: the same for every store.
#[derive(Debug)]
pub struct Found {
    rows: Vec<Row>,
    bytes: usize,
    limit: ReadLimit,
}

/// Whether an ordered read returns more rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It does, if there are any.
    Some,
    /// It ends here.
    None,
}

impl Found {
    /// No rows yet.
    pub const fn new(limit: ReadLimit) -> Self {
        Self { rows: Vec::new(), bytes: 0, limit }
    }

    /// Adds the next row.
    pub fn push(&mut self, row: Row) -> Room {
        self.bytes = self.bytes.saturating_add(row.value.len());
        self.rows.push(row);
        let full = self.rows.len() >= self.limit.rows_max || self.bytes >= self.limit.bytes_max;
        if full { Room::None } else { Room::Some }
    }

    /// What was found.
    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

/// Whether a row that expires then, or never, exists at a time.
pub fn exists_at(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|time| now < time)
}

/// Why a store could not serve. Blame: the machine the relay runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The object changed since it was read.
    #[error("the object was changed meanwhile")]
    Conflict,
    /// No space is left.
    #[error("the disk is full")]
    Full,
    /// Stored bytes cannot be understood.
    #[error("the store is damaged")]
    Damaged,
    /// Reading or writing failed.
    #[error("the disk failed")]
    Failed,
}

/// Reads. Rows whose time has come do not exist (`now` decides, not a sweep).
pub trait Read {
    /// The object's revision.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn revision(&self, object: &Object) -> Result<Revision, StoreError>;

    /// One row.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn row(
        &self,
        object: &Object,
        table: Table,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Bytes>, StoreError>;

    /// Rows of one table of one object from `from` on whose keys start with `prefix`, in key order.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn rows(
        &self,
        object: &Object,
        table: Table,
        prefix: &[u8],
        from: &[u8],
        limit: ReadLimit,
        now: Timestamp,
    ) -> Result<Vec<Row>, StoreError>;
}

/// Writes.
pub trait Store: Read {
    /// Stores batches, each whole or not at all; when this returns they are on disk. Batches of
    /// different objects may be stored apart from each other, then in the order given. A row that
    /// goes, by a change or by its time, takes those with it that live with it ([`Table::lives_with`]).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if an object's revision is not the expected one: then nothing of
    /// any batch is stored. Any other error: what is stored is unknown until the next start.
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError>;

    /// Removes some rows whose time has come, earliest first, with those that live with them, and
    /// says how many came to their time. Never reads rows whose time has not come.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be changed.
    fn expire(&mut self, now: Timestamp, rows_max: usize) -> Result<usize, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_carries_lives_with_it() {
        // spec: BLB-010
        let tables = [
            Table::Epoch,
            Table::EntryHeader,
            Table::EntryContent,
            Table::EntryPlace,
            Table::SeenKey,
            Table::Inbox,
            Table::Capability,
            Table::Item,
            Table::ItemPlace,
            Table::Slot,
            Table::Shelf,
            Table::DeviceList,
            Table::CapabilityItem,
            Table::ShelfTakes,
            Table::Blob,
            Table::Chunk,
        ];
        for table in tables {
            let carried = table.carries();
            assert!(carried.is_none_or(|carried| carried.lives_with() == Some(table)), "{table:?}");
            let carrier = table.lives_with();
            assert!(carrier.is_none_or(|carrier| carrier.carries() == Some(table)), "{table:?}");
        }
        assert!(tables.iter().any(|table| table.lives_with().is_some()));
    }
}
