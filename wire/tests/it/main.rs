//! The wire at its boundary: frames as bytes, and the tables of the spec.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what the tests share may do what the tests do"
)]

mod allocation;
mod arbitrary;
mod bounds;
mod documents;
mod order;
mod references;
mod round_trip;
mod truncation;
