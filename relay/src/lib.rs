//! # The blind relay
//!
//! The server around `hushwire-relay-rules`: it carries frames, time, randomness and disk to the
//! rules and back, and decides nothing itself. It links neither the protocol crate nor anything of
//! a client: what it cannot know is a property of the build.
//!
//! ```text
//!            ┌ listen ─▶ session ─▶ lane ──Write──▶ writer ─▶ store (RocksDB)
//! client ◀─QUIC─┘           ▲ ▲ └──Lookup, Reading──▶ disk ──────┘   │
//!                           │ └───────── outcome ────────────────────┤ after the sync
//!                           └─────── fanout (marks, no entries) ◀────┘
//! ```
//!
//! Invariants:
//! - Nothing is acknowledged before it is on disk; receipts are signed after the sync.
//! - Every queue, window and table has a bound; a full one has a named outcome.
//! - Logs carry no ids, addresses or content.
//!
//! Embedding, on a port that the system chooses:
//!
//! ```no_run
//! # async fn example() -> Result<(), hushwire_relay::StartError> {
//! use hushwire_relay::{Config, Relay};
//! let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
//! let relay = Relay::start(config)?;
//! println!("{}", relay.address());
//! relay.stop().await;
//! # Ok(()) }
//! ```

mod clock;
pub mod config;
pub mod crash;
pub mod dial;
pub mod directory;
mod disk;
mod fanout;
pub mod key;
pub mod listen;
mod random;
pub mod record;
pub mod relay;
mod reset;
mod session;
mod signers;
mod source;
pub mod store;
pub mod tls;
mod window;
mod writer;

pub use config::Config;
pub use relay::{Relay, RunningRelay, StartError};
