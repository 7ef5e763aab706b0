//! x

pub mod attachment;
pub mod content;
pub mod derive;
pub mod encoding;
pub mod envelope;
pub mod epoch;
pub mod group;
pub mod hpke;
pub mod identity;
pub mod label;
pub mod padding;
pub mod provider;
pub mod random;
mod secret;
pub mod storage;
pub mod address;
pub mod card;
pub mod link;
pub mod profile;
pub mod safety_number;
pub mod seal;
pub mod sealed_box;
pub mod invitation;
pub mod linking;
mod error_name;
