//! A clock that was ahead and went back: what was noted by it must not bind this device for as long
//! as the clock was wrong.
//!
//! Waits in memory are forgotten with all else that is not durable. Times in the store are cut when a
//! profile is opened and when the clock goes back; a short wait is over when its end cannot be right.

use hushwire_wire::id::Timestamp;

use crate::{
    capabilities, door, groups, handled, inbox, joining, linking, log, readmission, refreshing,
    shelf, store::StoreError, warnings, work::Work,
};

/// How far the clock goes back before the engine takes the lower time, in milliseconds; in smaller
/// steps its time stands still meanwhile.
pub(crate) const CLOCK_BACK_MS: u64 = 60 * 1000;
/// How long the engine waits, at most, before it tries again to begin anew from a store that failed,
/// in milliseconds.
pub(crate) const RELOAD_REST_MS: u64 = 5 * 1000;

/// Whether a wait is over that was at most `span_ms` long: its end has come, or is further away than
/// it ever was (spec: CLI-137).
pub(crate) fn is_over(now: Timestamp, end_ms: u64, span_ms: u64) -> bool {
    end_ms <= now.0 || end_ms > now.plus_ms(span_ms).0
}

/// Cuts every stored time to the latest that it can be by this clock (spec: CLI-137).
pub(crate) fn cut_times(work: &mut Work<'_>) -> Result<(), StoreError> {
    capabilities::cut_times(work)?;
    handled::cut_times(work)?;
    shelf::cut_times(work)?;
    warnings::cut_times(work)?;
    linking::cut_times(work)?;
    inbox::cut_times(work)?;
    joining::cut_times(work)?;
    readmission::cut_times(work)?;
    for channel in groups::channels(work)? {
        log::cut_times(work, &channel)?;
        door::cut_times(work, &channel)?;
        refreshing::cut_times(work, &channel)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_over_at_its_end_and_when_its_end_cannot_be_right() {
        // spec: CLI-137
        let now = Timestamp(1_000);
        for (end_ms, over) in
            [(0, true), (1_000, true), (1_001, false), (1_500, false), (1_501, true)]
        {
            assert_eq!(is_over(now, end_ms, 500), over, "{end_ms}");
        }
    }
}
