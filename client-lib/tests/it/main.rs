//! The client's parts at their boundaries: files, sockets, processes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do: by panic, with what they found"
)]

mod files;
mod local;
mod memory;
mod memory_relay;
mod quic;
mod store;
mod store_failure;
mod stories;
mod transfers;
