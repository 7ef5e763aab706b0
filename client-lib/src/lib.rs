//! # The embeddable client
//!
//! An app opens a profile with [`client::Client::open`], gives [`command::Command`]s with
//! [`client::Client::command`], and reads [`event::Event`]s with [`client::Client::next_events`].
//! That is all it needs; the rest of this crate is how it is done.
//!
//! ```no_run
#![doc = include_str!("../examples/embed.rs")]
//! ```
//!
//! What a command changes is durable when its [`command::Reply`] comes; the network follows by itself
//! and is told by events. The reply that fits:
//!
//! | command | reply |
//! |---|---|
//! | `CreateIdentity` | `IdentityCreated`, with the recovery phrase, once |
//! | `Profile` | `Profile` |
//! | `MakeLink`; `Links` | `Link`; `Links` |
//! | `AddContact`, `GroupNew` | `Chat` |
//! | `Contacts`; `Chats`; `Messages` | `Contacts`; `Chats`; `Messages` |
//! | `SafetyNumber` | `SafetyNumber` |
//! | `SendText`, `SendFile` | `Accepted`, with the message's number |
//! | `GroupMembers`; `GroupSuccessors`; `Devices` | `Members`; `Successors`; `Devices` |
//! | `DeviceLink` | `DeviceCode` |
//! | `Events`; `Status` | `Events`; `Status` |
//! | every other | `Done` |
//!
//! **Events** are numbered without gaps: an app keeps the number of the last one that it handled and
//! asks for the next, and so misses none; one that was handled just before a crash comes again. The
//! newest 100,000 are kept; who asks for an older one is told which is the oldest ([`command::CommandError::EventsGone`]).
//!
//! **Runtime.** A client needs a tokio runtime with time and I/O, of one thread or many; its engine
//! has a thread of its own. [`client::Client::close`] waits until all has ended. A client that is
//! dropped instead ends soon after; nothing that was answered is lost, and what waits for the network
//! goes out when the profile is opened again.
//!
//! **Several clients** in one process, on several profiles, do not know of each other. A second one
//! on the same profile, in this process or another of the same user, goes through the first.
//!
//! **Errors** have a text, a stable `code()` and an `advice()` for the person; `words` has a text for
//! what the operating system says.
//!
//! ```text
//! app ─▶ client ─▶ driver ─▶ engine (sans-IO) ─▶ driver ─▶ transport ─▶ relay
//!                    │                             │
//!                    └── store (SQLCipher) ◀───────┴── files
//! ```
//!
//! The parts around the sans-IO engine decide nothing; the engine does. Modules that are hidden here
//! are public for the tests of this crate only.

pub mod client;
mod crash;
mod driver;
#[doc(hidden)]
pub mod files;
mod key_file;
#[doc(hidden)]
pub mod local;
#[doc(hidden)]
pub mod lock;
mod private_file;
mod random;
#[doc(hidden)]
pub mod store;
pub mod transport;
pub mod words;

pub use hushwire_engine::{command, engine::Isolation, event};
pub use hushwire_protocol::hidden;
