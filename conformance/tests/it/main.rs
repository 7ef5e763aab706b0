//! Vectors against the library, and what the build may link.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "what the tests share may do what the tests do"
)]

mod dependencies;
mod documents;
mod ed25519_upstream;
mod interop;
mod licences;
mod readme;
mod stored;
