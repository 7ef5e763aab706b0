//! # What a client decides
//!
//! The engine of one profile: commands in, events out; frames in, frames out. It owns the rows of a
//! [`store::Store`] and decides everything; it has no socket, file, thread or clock.
//!
//! ```text
//! app ─Command▶ dispatch ─▶ a Wish in the store ─▶ wish::step ─Request▶ driver ─▶ relay
//! app ◀─Event── store ◀─ log::take, inbox::take ◀─────Answer── driver ◀─ relay
//! ```
//!
//! - [`engine`] is the live side: sessions, which channels are open, which wish is under way. All
//!   of it can be forgotten at any moment.
//! - Everything else works on a [`work::Work`]: one transaction, the time, randomness, and the
//!   effects that are released once the transaction is stored.
//!
//! Normative text: `spec/client.md`. The rows that several parts use are in [`record`]; others stand
//! beside their use.

mod additions;
mod advance;
mod answer;
mod asking;
mod backoff;
mod capabilities;
mod changing;
mod chats;
mod clock;
pub mod command;
mod contacts;
mod control;
mod devices;
mod direct;
mod dispatch;
mod door;
pub mod engine;
mod entered;
pub mod event;
mod files;
mod forks;
mod groups;
mod handled;
mod inbox;
mod inbox_keys;
mod invitations;
pub mod io;
mod joining;
mod leaving;
mod linking;
mod links;
mod log;
pub mod memory;
mod messages;
mod newer_rules;
mod outbox;
mod own_group;
mod packages;
mod pending;
mod pins;
mod profile;
mod readmission;
mod receipts;
mod received;
mod record;
mod refreshing;
mod rejoin;
mod revoking;
pub mod session;
mod shelf;
mod snapshots;
pub mod store;
mod stuck;
mod succession;
pub mod transaction;
mod uploads;
mod warnings;
mod wish;
mod work;

pub use record::TransferNumber;
