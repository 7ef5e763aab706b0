//! The relay's clock: the one place that asks the system for the time.

use std::time::{SystemTime, UNIX_EPOCH};

use hushwire_wire::id::Timestamp;

/// The time now. A clock before 1970 counts as 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
