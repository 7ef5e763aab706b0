//! The wire at its boundary: frames as bytes.

mod allocation;
mod arbitrary;
mod round_trip;
mod truncation;
