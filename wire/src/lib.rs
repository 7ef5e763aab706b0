//! # What the relay may see
//!
//! The wire between a client and a relay: frames, ids, transcripts, error codes and limits. There
//! is no group, no person and no content here; a relay that links this crate and nothing else of
//! ours cannot know any.
//!
//! ```text
//! bytes ─▶ frame ─▶ message::Request ─▶ relay rules ─▶ message::Answer ─▶ frame ─▶ bytes
//! ```
//!
//! The normative text is `spec/wire.md`; each rule that is cited here (`spec: WIRE-010`) stands there.

pub mod address;
pub mod error;
pub mod frame;
pub mod id;
pub mod limit;
pub mod message;
pub mod transcript;
pub mod version;

pub use ed25519_dalek::SigningKey;
