//! Blobs: written chunk by chunk at their end by who holds the upload key, read by who knows the id.

pub(crate) mod hash;
pub(crate) mod hold;
pub(crate) mod row;
pub(crate) mod upload;
