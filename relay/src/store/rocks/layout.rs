//! Every byte that the store lays on disk (spec: RLY-010; the same tables stand in `spec/relay.md`).
//!
//! | family      | key                                       | value                          |
//! |-------------|-------------------------------------------|--------------------------------|
//! | `default`   | `schema`                                  | version (4)                    |
//! | `records`   | object, table (1), row key                | format (1), expiry (8), value  |
//! | `content`   | object, table (1), row key                | format (1), expiry (8), value  |
//! | `chunks`    | object, table (1), row key                | format (1), expiry (8), value  |
//! | `revisions` | object                                    | format (1), expiry (8), revision (8) |
//! | `expiry`    | time (8), family (1), key in that family  | empty                          |
//!
//! *object* is a kind (1) and an id: channel 1 and 32 bytes, inbox 2 and 16 bytes, blob 3 and 32
//! bytes; the kind fixes the length, so no key is a prefix of another object's. Integers are
//! big-endian. *expiry* is milliseconds since the Unix epoch, `2^64 - 1` for never. Values are
//! ciphertext for the most part, so nothing is compressed; `content` and `chunks` hold theirs in
//! blob files beside the sorted tables, since they are written once and large.

use bytes::Bytes;
use hushwire_relay_rules::store::{Object, Revision, StoreError, Table, exists_at};
use hushwire_wire::id::{BlobId, Timestamp};

/// The layout that this build writes.
pub(super) const SCHEMA: u32 = 1;
/// Where the schema version stands, in the family `default`.
pub(super) const SCHEMA_KEY: &[u8] = b"schema";

const FORMAT: u8 = 1;
const BLOB_KIND: u8 = 3;
const HEADER_BYTES: usize = 1 + 8;
const NEVER: u64 = u64::MAX;

/// A column family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Family {
    /// Small rows that are rewritten.
    Records = 1,
    /// Sealed entries and items, written once.
    Content = 2,
    /// Chunks of blobs, written once.
    Chunks = 3,
    /// How often each object was changed.
    Revisions = 4,
    /// What expires, sorted by time.
    Expiry = 5,
}

impl Family {
    /// Every family but `default`.
    pub(super) const ALL: [Self; 5] =
        [Self::Records, Self::Content, Self::Chunks, Self::Revisions, Self::Expiry];

    /// Its name on disk.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Content => "content",
            Self::Chunks => "chunks",
            Self::Revisions => "revisions",
            Self::Expiry => "expiry",
        }
    }

    /// Its number in keys of the family `expiry`.
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.code() == code)
    }

    /// Where the rows of a table lie.
    pub(super) const fn of(table: Table) -> Self {
        match table {
            Table::EntryContent | Table::Item => Self::Content,
            Table::Chunk => Self::Chunks,
            Table::Epoch
            | Table::EntryHeader
            | Table::EntryPlace
            | Table::SeenKey
            | Table::Inbox
            | Table::Capability
            | Table::ItemPlace
            | Table::Slot
            | Table::Shelf
            | Table::DeviceList
            | Table::CapabilityItem
            | Table::ShelfTakes
            | Table::Blob => Self::Records,
        }
    }

    /// Whether rows are written once, so that no earlier expiry has to be looked up for a write.
    pub(super) const fn is_written_once(self) -> bool {
        matches!(self, Self::Content | Self::Chunks)
    }
}

/// A key in the family `revisions`, and the start of every row key of the object.
pub(super) fn object_key(object: &Object) -> Vec<u8> {
    let (kind, id): (u8, &[u8]) = match object {
        Object::Channel(id) => (1, id.as_ref()),
        Object::Inbox(id) => (2, id.as_ref()),
        Object::Blob(id) => (BLOB_KIND, id.as_ref()),
    };
    let mut key = Vec::with_capacity(80);
    key.push(kind);
    key.extend_from_slice(id);
    key
}

/// A key in the family of `table`.
pub(super) fn row_key(object: &Object, table: Table, key: &[u8]) -> Vec<u8> {
    let mut bytes = object_key(object);
    bytes.push(table as u8);
    bytes.extend_from_slice(key);
    bytes
}

/// The rows that go with another one, as a range of keys.
pub(super) struct Carried {
    pub(super) family: Family,
    pub(super) from: Vec<u8>,
    pub(super) to: Vec<u8>,
}

/// What goes with the row that has this key, if anything does.
pub(super) fn carried(family: Family, key: &[u8]) -> Option<Carried> {
    // A blob has one row, under the empty key: its table's byte is the last one.
    let (table, object) = key.split_last()?;
    let of_blob = object.first() == Some(&BLOB_KIND) && object.len() == 1 + BlobId::LENGTH;
    if family != Family::of(Table::Blob) || !of_blob || *table != Table::Blob as u8 {
        return None;
    }
    let table = Table::Blob.carries()?;
    let mut from = object.to_vec();
    from.push(table as u8);
    let to = successor(&from)?;
    Some(Carried { family: Family::of(table), from, to })
}

/// The least key above every key that starts with `prefix`; `None` if there is no such key.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

/// A row's value with its expiry.
pub(super) struct Stored<'bytes> {
    /// From this time on the row does not exist; `None`: never.
    pub(super) expires: Option<Timestamp>,
    /// The value.
    pub(super) value: &'bytes [u8],
}

impl<'bytes> Stored<'bytes> {
    /// Reads a value of `records`, `content`, `chunks` or `revisions`.
    pub(super) fn parse(bytes: &'bytes [u8]) -> Result<Self, StoreError> {
        let (header, value) =
            bytes.split_first_chunk::<HEADER_BYTES>().ok_or(StoreError::Damaged)?;
        let [FORMAT, time @ ..] = *header else { return Err(StoreError::Damaged) };
        let time = u64::from_be_bytes(time);
        Ok(Self { expires: (time != NEVER).then_some(Timestamp(time)), value })
    }

    /// Whether the row exists at this time.
    pub(super) fn exists(&self, now: Timestamp) -> bool {
        exists_at(self.expires, now)
    }

    /// The value, copied out of the store's memory.
    pub(super) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.value)
    }
}

/// The bytes of a value with its expiry.
pub(super) fn stored(expires: Option<Timestamp>, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + value.len());
    bytes.push(FORMAT);
    bytes.extend_from_slice(&expires.map_or(NEVER, |time| time.0).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// Reads a value of `revisions`.
pub(super) fn revision(value: &[u8]) -> Result<Revision, StoreError> {
    value
        .try_into()
        .map(|bytes| Revision(u64::from_be_bytes(bytes)))
        .map_err(|_| StoreError::Damaged)
}

/// A key in the family `expiry`.
pub(super) fn expiry_key(time: Timestamp, family: Family, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + key.len());
    bytes.extend_from_slice(&time.0.to_be_bytes());
    bytes.push(family.code());
    bytes.extend_from_slice(key);
    bytes
}

/// What a key in the family `expiry` says.
pub(super) struct Expiry<'key> {
    /// From this time on the row does not exist.
    pub(super) time: Timestamp,
    /// Where the row lies.
    pub(super) family: Family,
    /// Its key there.
    pub(super) key: &'key [u8],
}

impl<'key> Expiry<'key> {
    /// Reads a key of `expiry`.
    pub(super) fn parse(bytes: &'key [u8]) -> Result<Self, StoreError> {
        let (time, rest) = bytes.split_first_chunk::<8>().ok_or(StoreError::Damaged)?;
        let (code, key) = rest.split_first().ok_or(StoreError::Damaged)?;
        let family = Family::from_code(*code).ok_or(StoreError::Damaged)?;
        Ok(Self { time: Timestamp(u64::from_be_bytes(*time)), family, key })
    }
}

/// A row key taken apart, for people who inspect a store.
pub(super) struct Described<'key> {
    /// The kind of object.
    pub(super) object: &'static str,
    /// Its id.
    pub(super) id: &'key [u8],
    /// The table's number; `None` for a key of `revisions`.
    pub(super) table: Option<u8>,
    /// The key within object and table.
    pub(super) key: &'key [u8],
}

/// Takes a key of `records`, `content`, `chunks` or `revisions` apart.
pub(super) fn describe(bytes: &[u8]) -> Result<Described<'_>, StoreError> {
    let (kind, rest) = bytes.split_first().ok_or(StoreError::Damaged)?;
    let (object, length) = match kind {
        1 => ("channel", 32),
        2 => ("inbox", 16),
        3 => ("blob", 32),
        _ => return Err(StoreError::Damaged),
    };
    let (id, rest) = rest.split_at_checked(length).ok_or(StoreError::Damaged)?;
    let (table, key) = rest.split_first().map_or((None, rest), |(table, key)| (Some(*table), key));
    Ok(Described { object, id, table, key })
}

#[cfg(test)]
mod tests {
    use hushwire_wire::id::{ChannelId, InboxId};

    use super::*;

    #[test]
    fn the_bytes_are_the_documented_ones() {
        // spec: RLY-010
        let channel = Object::Channel(ChannelId::from_bytes([7; 32]));
        let inbox = Object::Inbox(InboxId::from_bytes([8; 16]));
        let key = row_key(&channel, Table::Epoch, b"k");
        assert_eq!(hex::encode(&key), format!("01{}01{}", "07".repeat(32), "6b"));
        assert_eq!(object_key(&inbox).len(), 17);
        assert_eq!(hex::encode(stored(Some(Timestamp(258)), b"v")), "01000000000000010276");
        assert_eq!(hex::encode(stored(None, b"")), "01ffffffffffffffff");
        let expiry = expiry_key(Timestamp(258), Family::Content, b"k");
        assert_eq!(hex::encode(&expiry), "0000000000000102026b");
        let parsed = Expiry::parse(&expiry).unwrap();
        assert_eq!(
            (parsed.time, parsed.family, parsed.key),
            (Timestamp(258), Family::Content, &b"k"[..])
        );
    }

    #[test]
    fn damaged_bytes_are_named() {
        for bytes in [&b""[..], &[1; 8], &[2; 9]] {
            assert!(matches!(Stored::parse(bytes), Err(StoreError::Damaged)));
        }
        assert!(matches!(Expiry::parse(&[0; 8]), Err(StoreError::Damaged)));
        assert!(matches!(Expiry::parse(&[9; 9]), Err(StoreError::Damaged)));
        assert!(describe(&[1; 20]).is_err());
    }

    #[test]
    fn a_successor_is_above_every_key_with_the_prefix() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(successor(&[255]), None);
    }
}
