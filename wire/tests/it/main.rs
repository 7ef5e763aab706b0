//! The wire at its boundary: frames as bytes, and the tables of the spec.
#![allow(clippy::unwrap_used, reason = "what the tests share may unwrap as the tests do")]

mod allocation;
mod arbitrary;
mod bounds;
mod documents;
mod order;
mod round_trip;
mod truncation;
