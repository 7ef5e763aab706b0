//! Stories of relays and clients over a store in memory, with a clock that is turned by hand.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the helpers of tests may fail as tests do; clippy sees only the tests themselves"
)]

mod appends;
mod blobs;
mod capabilities;
mod contests;
mod durability;
mod expiry;
mod holds;
mod inboxes;
mod meanwhile;
mod model;
mod notes;
mod oracle;
mod readings;
mod sessions;
mod shares;
mod shelves;
mod turns;
mod world;
