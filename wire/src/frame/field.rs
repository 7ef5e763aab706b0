//! Single fields: bytes into ids, lists and required content, and lists back into bytes.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::id::{EntryId, WrongLength};

use super::fault::Fault;

/// A field whose type fixes its length (spec: WIRE-010).
pub(super) fn fixed<T>(field: &'static str, bytes: &Bytes) -> Result<T, Fault>
where
    T: for<'a> TryFrom<&'a [u8], Error = WrongLength>,
{
    if bytes.is_empty() {
        return Err(Fault::Missing { field });
    }
    T::try_from(bytes).map_err(|WrongLength { expected, actual }| Fault::WrongLength {
        field,
        expected,
        actual,
    })
}

/// Bytes of any length but 0 (spec: WIRE-017).
pub(super) fn content(field: &'static str, bytes: Bytes) -> Result<Bytes, Fault> {
    if bytes.is_empty() { Err(Fault::Missing { field }) } else { Ok(bytes) }
}

/// A field of which version 1 wants nothing.
pub(super) fn absent(field: &'static str, bytes: &Bytes) -> Result<(), Fault> {
    if bytes.is_empty() { Ok(()) } else { Err(Fault::Conflict { field }) }
}

/// A list of entry ids, one after the other (spec: WIRE-018). Its length bounds what is allocated
/// (spec: WIRE-008).
pub(super) fn entry_ids(field: &'static str, bytes: &Bytes) -> Result<Vec<EntryId>, Fault> {
    let (ids, rest) = bytes.as_chunks::<{ EntryId::LENGTH }>();
    if !rest.is_empty() {
        return Err(Fault::WrongCount { field });
    }
    Ok(ids.iter().copied().map(EntryId::from_bytes).collect())
}

/// The reverse of [`entry_ids`].
pub(super) fn from_entry_ids(ids: &[EntryId]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(ids.len().saturating_mul(EntryId::LENGTH));
    for id in ids {
        bytes.put_slice(id.as_bytes());
    }
    bytes.freeze()
}
