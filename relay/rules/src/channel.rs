//! Channels: a tree of epochs, each an append-only log with a chain of hashes.

pub(crate) mod append;
pub(crate) mod create;
pub(crate) mod open;
pub(crate) mod row;
