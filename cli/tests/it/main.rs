//! The whole command line against a fake client and a fake terminal: no network, no store.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod arguments;
mod chats;
mod codes;
mod devices;
mod doors;
mod fake;
mod files;
mod follow;
mod groups;
mod json;
mod names;
mod opening;
mod people;
mod process;
mod talk;
