//! Channels at a relay: scripts of creating, opening, appending, committing and reading.

mod appends;
mod blobs;
mod contests;
mod log;
mod readings;

use serde_json::Value;

use crate::{
    relay,
    suite::{Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "relay-channel";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    relay::run(input)
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(appends::creations())
        .group(appends::openings())
        .group(appends::messages())
        .group(appends::commits())
        .group(appends::waits())
        .group(contests::notes())
        .group(contests::turns())
        .group(appends::bounds())
        .group(blobs::proven())
        .group(blobs::held())
        .group(readings::trees())
        .group(readings::refusals())
        .group(readings::kept())
        .group(appends::expired())
}
