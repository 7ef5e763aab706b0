//! The relay at its boundary: real QUIC, a real store, a real process where it has to die.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod client;
mod crash;
mod fanout;
mod flush;
mod operation;
mod process;
mod refusal;
mod rows;
mod story;
