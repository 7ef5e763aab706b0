//! # What the relay never sees
//!
//! Who somebody is, whom they talk to and what they say: identities and their devices, MLS groups,
//! the envelope around what a group writes, content, attachments, links and first contact. Sans-IO:
//! nothing here reads a clock, a file, a socket or the system's randomness; time and randomness come
//! in as arguments.
//!
//! ```text
//! phrase ─▶ identity ─▶ credential ─▶ group ─▶ envelope ─▶ bytes for a channel of the relay
//!              │                        ▲
//!              │                     content, attachment
//!              └─▶ link ─▶ card ─▶ seal(invitation) ─▶ bytes for an inbox of the relay
//! ```
//!
//! Bytes from outside become values in one place each, and what a type promises has been verified
//! when the value exists: a [`identity::DeviceCredential`] is signed up to its root, a
//! [`card::Card`] is of the identity that its link names. [`group`], [`provider`] and [`storage`] are
//! the only modules that know the MLS library.
//!
//! The normative text is `spec/`; each rule that is cited here (`spec: IDN-010`) stands there.

pub mod address;
pub mod attachment;
pub mod card;
pub mod content;
pub mod derive;
mod digits;
pub mod door;
pub mod encoding;
pub mod envelope;
pub mod epoch;
mod error_name;
pub mod group;
pub mod group_code;
pub mod hidden;
pub mod hpke;
pub mod identity;
#[cfg(feature = "insider")]
pub mod insider;
pub mod invitation;
pub mod label;
pub mod link;
pub mod linking;
pub mod own_devices;
pub mod padding;
pub mod profile;
pub mod provider;
pub mod random;
#[cfg(test)]
mod registry;
pub mod safety_number;
pub mod seal;
pub mod sealed_box;
mod secret;
pub mod storage;
pub mod succession;
