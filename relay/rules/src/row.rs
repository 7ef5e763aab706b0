//! The byte layout of stored values: a version byte, then fields of fixed length, big-endian, the
//! last one possibly open-ended. Rows are the relay's own, never sent; their layout is no part of
//! the protocol.

use bytes::{BufMut as _, Bytes, BytesMut};
use hushwire_wire::id::{Sequence, Timestamp};

use crate::store::StoreError;

/// First byte of every value; another one is a row of a later release, or damage.
const VERSION: u8 = 1;

/// Writes a value field by field.
pub(crate) struct RowWriter(BytesMut);

impl RowWriter {
    /// Starts a value; `capacity` is what follows the version byte.
    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = BytesMut::with_capacity(capacity.saturating_add(1));
        bytes.put_u8(VERSION);
        Self(bytes)
    }

    pub(crate) fn fixed(mut self, field: impl AsRef<[u8]>) -> Self {
        self.0.put_slice(field.as_ref());
        self
    }

    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.0.put_u8(value);
        self
    }

    pub(crate) fn u16(mut self, value: u16) -> Self {
        self.0.put_u16(value);
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.put_u32(value);
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.put_u64(value);
        self
    }

    pub(crate) fn time(self, time: Timestamp) -> Self {
        self.u64(time.0)
    }

    pub(crate) fn sequence(self, sequence: Sequence) -> Self {
        self.u64(sequence.0)
    }

    /// Ends the value.
    pub(crate) fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

/// Reads a value field by field; whatever does not fit is damage.
pub(crate) struct RowReader(Bytes);

impl RowReader {
    /// Starts at the field after the version byte.
    pub(crate) fn new(mut value: Bytes) -> Result<Self, StoreError> {
        match value.first() {
            Some(&VERSION) => Ok(Self(value.split_off(1))),
            _ => Err(StoreError::Damaged),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        if self.0.len() < N {
            return Err(StoreError::Damaged);
        }
        let field = self.0.split_to(N);
        field.as_ref().try_into().map_err(|_| StoreError::Damaged)
    }

    /// A field of a type that holds exactly `N` bytes.
    pub(crate) fn fixed<const N: usize, T>(
        &mut self,
        from_bytes: impl FnOnce([u8; N]) -> T,
    ) -> Result<T, StoreError> {
        self.array::<N>().map(from_bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StoreError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, StoreError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StoreError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StoreError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.u64().map(Timestamp)
    }

    pub(crate) fn sequence(&mut self) -> Result<Sequence, StoreError> {
        self.u64().map(Sequence)
    }

    /// The open-ended last field.
    pub(crate) fn rest(self) -> Bytes {
        self.0
    }

    /// The end, when the last field is not open-ended.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        if self.0.is_empty() { Ok(()) } else { Err(StoreError::Damaged) }
    }
}

/// A key of an id and a number, sorted by both.
pub(crate) fn numbered_key(id: &[u8], number: u64) -> Bytes {
    let mut key = BytesMut::with_capacity(id.len().saturating_add(8));
    key.put_slice(id);
    key.put_u64(number);
    key.freeze()
}

/// The number at the end of such a key.
pub(crate) fn number_of_key(key: &[u8]) -> Result<u64, StoreError> {
    let number = key.last_chunk::<8>().ok_or(StoreError::Damaged)?;
    Ok(u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back_as_it_was_written() {
        let value = RowWriter::new(16).u8(1).u16(2).u32(3).u64(4).fixed([5; 3]).finish();
        let mut row = RowReader::new(value).unwrap();
        assert_eq!((row.u8(), row.u16(), row.u32(), row.u64()), (Ok(1), Ok(2), Ok(3), Ok(4)));
        assert_eq!(row.rest().as_ref(), [5; 3]);
    }

    #[test]
    fn other_versions_and_lengths_are_damage() {
        for value in [&[][..], &[0], &[2, 0]] {
            let row = RowReader::new(Bytes::copy_from_slice(value));
            assert_eq!(row.err(), Some(StoreError::Damaged));
        }
        let mut short = RowReader::new(Bytes::from_static(&[1, 0])).unwrap();
        assert_eq!(short.u16(), Err(StoreError::Damaged));
        let long = RowReader::new(Bytes::from_static(&[1, 0])).unwrap();
        assert_eq!(long.finish(), Err(StoreError::Damaged));
    }

    #[test]
    fn numbered_keys_sort_by_number() {
        assert!(numbered_key(b"a", 255) < numbered_key(b"a", 256));
        assert_eq!(number_of_key(&numbered_key(b"a", 7)), Ok(7));
        assert_eq!(number_of_key(b"short"), Err(StoreError::Damaged));
    }
}
