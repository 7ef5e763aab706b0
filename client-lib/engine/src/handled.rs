//! Inbox items that were handled: what comes again is passed over, whatever number the relay gives
//! it (spec: CLI-088).

use hushwire_wire::id::ItemId;
use serde::{Deserialize, Serialize};

use crate::{
    record::Record,
    store::{StoreError, Table},
    work::Work,
};

/// How long an item is known, in milliseconds: as long as relays keep items, and a day more.
const MEMORY_MS: u64 = 91 * 24 * 60 * 60 * 1000;
const PREFIX: &[u8] = b"item ";

/// An item that was handled. Key: `item `, its id.
#[derive(Serialize, Deserialize)]
struct HandledRecord {
    until_ms: u64,
}

impl Record for HandledRecord {
    const TABLE: Table = Table::Profile;
}

fn row_key(item: &ItemId) -> Vec<u8> {
    [PREFIX, item.as_bytes()].concat()
}

/// Notes that an item was handled.
pub(crate) fn note(work: &Work<'_>, item: &ItemId) -> Result<(), StoreError> {
    let until_ms = work.now.plus_ms(MEMORY_MS).0;
    work.tx.save(&row_key(item), &HandledRecord { until_ms })
}

/// Whether an item was handled.
pub(crate) fn contains(work: &Work<'_>, item: &ItemId) -> Result<bool, StoreError> {
    Ok(work.tx.load::<HandledRecord>(&row_key(item))?.is_some())
}

/// None is kept longer than one that is handled now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let latest_ms = work.now.plus_ms(MEMORY_MS).0;
    for row in work.tx.list::<HandledRecord>(PREFIX, usize::MAX)? {
        if row.record.until_ms > latest_ms {
            work.tx.save(&row.key, &HandledRecord { until_ms: latest_ms })?;
        }
    }
    Ok(())
}

/// Forgets what no relay keeps any more.
pub(crate) fn tend(work: &Work<'_>) -> Result<(), StoreError> {
    for row in work.tx.list::<HandledRecord>(PREFIX, usize::MAX)? {
        if row.record.until_ms <= work.now.0 {
            work.tx.remove(Table::Profile, &row.key);
        }
    }
    Ok(())
}
