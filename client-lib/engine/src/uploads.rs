//! Bytes on their way to a relay as a blob: how much of them is there, and, where they are no part
//! of another row, the bytes themselves.
//!
//! Progress has a row of its own: bytes of megabytes are not written again for each part that goes.

use hushwire_protocol::attachment::SEALED_CHUNK_BYTES;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    backoff,
    record::{Record, WishNumber, by_number},
    store::{StoreError, Table},
    wish::Progress,
    work::Work,
};

/// How much of the blob the relay has said that it has. Key: wish number, `up`.
#[derive(Serialize, Deserialize)]
struct UploadedRecord {
    stored: u64,
}

impl Record for UploadedRecord {
    const TABLE: Table = Table::Sealed;
}

fn progress_key(number: WishNumber) -> Vec<u8> {
    [&by_number(number.0)[..], b"up"].concat()
}

/// What of an upload comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// The relay is asked how much it has, and makes the blob if it has none.
    Begin,
    /// The part that begins here.
    From(u64),
    /// Nothing: all of it is there.
    Whole,
}

/// What of the upload of a wish comes next.
pub(crate) fn next(work: &Work<'_>, number: WishNumber, size: u64) -> Result<Upload, StoreError> {
    let record = work.tx.load::<UploadedRecord>(&progress_key(number))?;
    Ok(match record {
        None => Upload::Begin,
        Some(UploadedRecord { stored }) if stored < size => Upload::From(stored),
        Some(_) => Upload::Whole,
    })
}

/// The relay said how much it has by now (spec: CLI-140).
pub(crate) fn answered(
    work: &Work<'_>,
    number: WishNumber,
    stored: u64,
) -> Result<Progress, StoreError> {
    let key = progress_key(number);
    let before = work.tx.load::<UploadedRecord>(&key)?.map(|record| record.stored);
    work.tx.save(&key, &UploadedRecord { stored })?;
    Ok(if before.is_none_or(|before| stored > before) {
        Progress::Uploading
    } else {
        Progress::Refused { retry_after_ms: backoff::REFUSED_REST_MS }
    })
}

/// Whether a part of what a wish uploads is at the relay, or was.
pub(crate) fn is_begun(work: &Work<'_>, number: WishNumber) -> Result<bool, StoreError> {
    Ok(work.tx.row(Table::Sealed, &progress_key(number))?.is_some())
}

/// Forgets how much is at the relay: it is asked that by the next try (spec: CLI-110).
pub(crate) fn forget_progress(work: &Work<'_>, number: WishNumber) {
    work.tx.remove(Table::Sealed, &progress_key(number));
}

fn part_key(number: WishNumber, index: u32) -> Vec<u8> {
    [&by_number(number.0)[..], &index.to_be_bytes()].concat()
}

/// Stores what a wish uploads. Key of each part: wish number, its index.
pub(crate) fn store_parts(work: &Work<'_>, number: WishNumber, bytes: &[u8]) {
    for (index, part) in (0..).zip(bytes.chunks(SEALED_CHUNK_BYTES as usize)) {
        let value = Zeroizing::new(part.to_vec());
        work.tx.put(Table::Sealed, &part_key(number, index), value);
    }
}

/// The part that begins at this byte.
pub(crate) fn part(
    work: &Work<'_>,
    number: WishNumber,
    offset: u64,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let index = u32::try_from(offset / u64::from(SEALED_CHUNK_BYTES));
    let key = part_key(number, index.map_err(|_| StoreError::Damaged)?);
    work.tx.row(Table::Sealed, &key)?.ok_or(StoreError::Damaged)
}

/// Forgets all parts of what a wish uploads.
pub(crate) fn forget_parts(work: &Work<'_>, number: WishNumber, size: u64) {
    let parts = size.div_ceil(u64::from(SEALED_CHUNK_BYTES));
    for index in 0..u32::try_from(parts).unwrap_or(u32::MAX) {
        work.tx.remove(Table::Sealed, &part_key(number, index));
    }
}
