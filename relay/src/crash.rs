//! Named crash points: places where a test may ask the process to die as in a power cut.
//!
//! Always compiled in, so that what is tested is what runs; inactive unless the environment
//! variable [`VARIABLE`] names a point. `NAME` aborts at the first pass, `NAME:3` at the third
//! (spec: RLY-030).

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// The environment variable that arms one point.
pub const VARIABLE: &str = "HUSHWIRE_CRASH_AT";

/// A step after which the process may be asked to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The store is open, nothing is served yet.
    StartOpened,
    /// The writer has computed the changes of a group of writes.
    WritePlanned,
    /// The changes of a group are ready for the disk.
    CommitBeforeSync,
    /// The changes of a group are on disk; nobody was told.
    CommitAfterSync,
    /// The group is on disk; sessions with readings were not woken.
    FanoutBeforeWake,
    /// The receipt is signed and was not sent.
    AnswerBeforeSend,
    /// A chunk of a blob is on disk.
    BlobChunkStored,
    /// Expired rows are about to be removed.
    ExpireBefore,
    /// The relay was asked to stop; sessions were not told.
    StopBegun,
}

/// Every point with its name; the table stands in `spec/relay.md`.
pub const POINTS: [(Point, &str); 9] = [
    (Point::StartOpened, "relay.start.opened"),
    (Point::WritePlanned, "relay.write.planned"),
    (Point::CommitBeforeSync, "relay.commit.before-sync"),
    (Point::CommitAfterSync, "relay.commit.after-sync"),
    (Point::FanoutBeforeWake, "relay.fanout.before-wake"),
    (Point::AnswerBeforeSend, "relay.answer.before-send"),
    (Point::BlobChunkStored, "relay.blob.chunk-stored"),
    (Point::ExpireBefore, "relay.expire.before"),
    (Point::StopBegun, "relay.stop.begun"),
];

/// The variable names no point, or has no valid count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} names no crash point; the names stand in spec/relay.md")]
pub struct UnknownPoint;

#[derive(Debug)]
struct Armed {
    point: Point,
    passes_left: AtomicU32,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Reads the environment once. Called before the store opens, so that a wrong name stops the start
/// instead of testing nothing.
///
/// # Errors
/// [`UnknownPoint`] if the variable is set and names no point.
pub fn arm_from_environment() -> Result<(), UnknownPoint> {
    let armed = match std::env::var(VARIABLE) {
        Ok(text) => Some(parse(&text)?),
        Err(_) => None,
    };
    ARMED.get_or_init(|| armed);
    Ok(())
}

/// Aborts the process if this point is armed and its count is used up.
pub fn pass(point: Point) {
    let Some(Some(armed)) = ARMED.get() else { return };
    if armed.point == point && armed.passes_left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}

fn parse(text: &str) -> Result<Armed, UnknownPoint> {
    let (name, passes) = match text.split_once(':') {
        Some((name, count)) => (name, count.parse().map_err(|_| UnknownPoint)?),
        None => (text, 1),
    };
    let point = POINTS.iter().find(|(_, known)| *known == name).map(|(point, _)| *point);
    match point {
        Some(point) if passes > 0 => Ok(Armed { point, passes_left: AtomicU32::new(passes) }),
        _ => Err(UnknownPoint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_counts_are_read_and_others_refused() {
        // spec: RLY-030
        for (point, name) in POINTS {
            assert_eq!(parse(name).unwrap().point, point);
        }
        assert_eq!(parse("relay.commit.after-sync:3").unwrap().passes_left.into_inner(), 3);
        for text in ["", "relay.commit", "relay.commit.after-sync:0", "relay.commit.after-sync:x"] {
            assert_eq!(parse(text).unwrap_err(), UnknownPoint, "{text}");
        }
    }
}
