//! # `hush`: the terminal face of Hushwire
//!
//! A command line becomes one or more commands of the client library; replies and events become
//! records; records become lines for a person or JSON for a script. Nothing is decided here that
//! concerns messages, keys or the network.
//!
//! ```text
//! command line ─▶ args ─▶ run ─▶ commands ─Command▶ backend (hushwire)
//!                                    │                  │
//!            terminal ◀─ output ◀─ record ◀─Reply, Event┘
//! ```
//!
//! The library half exists so that tests can put a fake [`backend::Backend`] and
//! [`console::Console`] in the places of the network and the terminal.

pub mod args;
pub mod backend;
mod code;
mod commands;
pub mod console;
pub mod fault;
mod feed;
pub mod human;
mod linking;
pub mod media_type;
pub mod moment;
pub mod names;
pub mod output;
pub mod pages;
pub mod passphrase;
pub mod people;
pub mod qr;
pub mod record;
pub mod run;
pub mod session;
mod settle;
pub mod terminal;
pub mod visible;
pub mod wrap;
