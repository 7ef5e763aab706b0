//! Removal of rows whose time has come, through an index sorted by time: no scan over live rows.

use hushwire_relay_rules::store::StoreError;
use hushwire_wire::id::Timestamp;
use rocksdb::{ReadOptions, WriteBatch, WriteOptions};

use super::{
    RocksStore,
    layout::{Expiry, Family},
    store_error,
};

/// Removes up to `rows_max` rows whose time has come, earliest first; their number (spec: RLY-014).
///
/// Not synced: rows whose time has come do not exist for readers either way, so a crash that brings
/// them back changes nothing. Index rows whose row was removed before its time are dropped beside.
pub(super) fn expire(
    store: &mut RocksStore,
    now: Timestamp,
    rows_max: usize,
) -> Result<usize, StoreError> {
    let inner = &store.inner;
    let index = inner.family(Family::Expiry)?;
    let mut options = ReadOptions::default();
    // A row exists while now < expires, so everything up to and with `now` has gone.
    options.set_iterate_upper_bound(Timestamp(now.0.saturating_add(1)).0.to_be_bytes().to_vec());
    let mut cursor = inner.database.raw_iterator_cf_opt(&index, options);
    cursor.seek(&store.expired_until);
    let mut batch = WriteBatch::default();
    let mut removed = 0;
    let mut visited = 0;
    let mut last = None;
    while let Some(bytes) = cursor.key() {
        let expiry = Expiry::parse(bytes)?;
        if inner.expires(expiry.family, expiry.key)? == Some(expiry.time) {
            batch.delete_cf(&inner.family(expiry.family)?, expiry.key);
            inner.remove_carried(&mut batch, expiry.family, expiry.key)?;
            removed += usize::from(expiry.family != Family::Revisions);
        }
        batch.delete_cf(&index, bytes);
        visited += 1;
        last = Some(bytes.to_vec());
        if removed >= rows_max || visited >= rows_max.saturating_mul(VISITED_FACTOR) {
            break;
        }
        cursor.next();
    }
    cursor.status().map_err(|error| store_error(&error))?;
    drop(cursor);
    if let Some(last) = last {
        inner
            .database
            .write_opt(batch, &WriteOptions::default())
            .map_err(|error| store_error(&error))?;
        store.expired_until = last;
    }
    Ok(removed)
}

/// Index rows visited for each row that may be removed: bounds the work of one call when rows were
/// deleted before their time.
const VISITED_FACTOR: usize = 4;
