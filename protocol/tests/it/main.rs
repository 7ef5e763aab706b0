//! Integration tests of the protocol crate, one module for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what the tests share may unwrap as the tests do"
)]

mod groups;
