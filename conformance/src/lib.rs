//! # Test vectors
//!
//! Writes `test-vectors/` and runs what is stored there against the libraries.
//!
//! ```text
//! kinds/<kind>.rs ── suite() ─▶ Suite ─▶ files ─▶ test-vectors/v1/<kind>.json
//!                └─ run() ◀── input ◀── runner ◀──────────┘
//! ```
//!
//! A kind says what its tests are and how one is run; it is one file, named in [`kinds::ALL`].
//! What the fields of its inputs and outputs mean stands in `test-vectors/README.md`, for all.
//! Writing is deterministic, so that `cargo vectors --check` can compare byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a generator and runner of fixed data: what is wrong in a table has to stop it"
)]

pub mod files;
pub mod given;
pub mod input;
pub mod kinds;
pub mod relay;
pub mod runner;
pub mod suite;
