//! Inboxes at a relay: scripts of owners, devices and writers.

mod desk;
mod owner;
mod writer;

use serde_json::Value;

use crate::{
    relay,
    suite::{Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "relay-inbox";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    relay::run(input)
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(owner::creations())
        .group(owner::rotations())
        .group(owner::slots())
        .group(writer::sends())
        .group(writer::quotas())
        .group(writer::denials())
        .group(writer::shelves())
        .group(writer::spent())
        .group(owner::absences())
}
