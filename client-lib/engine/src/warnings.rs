//! Equal warnings: a relay, or who fills an inbox, can give cause for one again and again. The first
//! few of a day are told; the last of them stands for all that follow (spec: CLI-097).

use hushwire_wire::transcript;
use serde::{Deserialize, Serialize};

use crate::{
    event::Warning,
    record::{self, Record},
    store::{StoreError, Table},
    work::Work,
};

/// Equal warnings that are told within `EQUAL_SPAN_MS`.
const EQUAL_MAX: u32 = 8;
/// For how long equal warnings are counted, in milliseconds: a day.
const EQUAL_SPAN_MS: u64 = 24 * 60 * 60 * 1000;
const PREFIX: &[u8] = b"warned ";

/// How often a warning was told. Key: `warned `, SHA-256 of it.
#[derive(Serialize, Deserialize)]
struct WarnedRecord {
    count: u32,
    until_ms: u64,
}

impl Record for WarnedRecord {
    const TABLE: Table = Table::Profile;
}

/// Whether a warning is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// It is.
    Tell,
    /// It was told often enough.
    PassOver,
}

/// Counts a warning, if it is to be told.
pub(crate) fn count(work: &Work<'_>, warning: &Warning) -> Result<Telling, StoreError> {
    let hash = transcript::content_hash(&record::encode(warning)?);
    let key = [PREFIX, hash.as_bytes()].concat();
    let known = work.tx.load::<WarnedRecord>(&key)?;
    let fresh = WarnedRecord { count: 0, until_ms: work.now.plus_ms(EQUAL_SPAN_MS).0 };
    let mut record = known.filter(|known| known.until_ms > work.now.0).unwrap_or(fresh);
    if record.count >= told_max(warning) {
        return Ok(Telling::PassOver);
    }
    record.count = record.count.saturating_add(1);
    work.tx.save(&key, &record)?;
    Ok(Telling::Tell)
}

/// What is a state, and not something that happened, is told once.
const fn told_max(warning: &Warning) -> u32 {
    match warning {
        Warning::InboxDenied { .. } | Warning::ClockDiffers { .. } | Warning::NewerRules { .. } => {
            1
        }
        _ => EQUAL_MAX,
    }
}

/// No count lasts longer than one that begins now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let latest_ms = work.now.plus_ms(EQUAL_SPAN_MS).0;
    for row in work.tx.list::<WarnedRecord>(PREFIX, usize::MAX)? {
        if row.record.until_ms > latest_ms {
            work.tx.save(&row.key, &WarnedRecord { until_ms: latest_ms, ..row.record })?;
        }
    }
    Ok(())
}

/// Forgets what is not counted any more.
pub(crate) fn tend(work: &Work<'_>) -> Result<(), StoreError> {
    for row in work.tx.list::<WarnedRecord>(PREFIX, usize::MAX)? {
        if row.record.until_ms <= work.now.0 {
            work.tx.remove(Table::Profile, &row.key);
        }
    }
    Ok(())
}
