//! # The embeddable client
//!
//! The parts around the sans-IO engine: an encrypted store, the network, files, and the lock that
//! keeps a profile with one process. None of them decides anything; the engine does.
//!
//! ```text
//! app ─▶ client ─▶ driver ─▶ engine (sans-IO) ─▶ driver ─▶ transport ─▶ relay
//!                    │                             │
//!                    └── store (SQLCipher) ◀───────┴── files
//! ```

pub mod client;
mod crash;
mod driver;
pub mod files;
mod key_file;
pub mod local;
pub mod lock;
mod private_file;
mod random;
pub mod store;
pub mod transport;
pub mod words;

pub use hushwire_engine::{command, engine::Isolation, event};
pub use hushwire_protocol::hidden;
