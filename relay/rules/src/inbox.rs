//! Inboxes: written by capability, read by their owner's devices, each with a slot.

pub(crate) mod capability;
pub(crate) mod owner;
pub(crate) mod row;
pub(crate) mod send;
pub(crate) mod shelf;
pub(crate) mod slot;
