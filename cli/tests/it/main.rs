//! The whole command line against a fake client and a fake terminal: no network, no store.

mod arguments;
mod chats;
mod devices;
mod fake;
mod files;
mod follow;
mod json;
mod opening;
mod people;
mod talk;
