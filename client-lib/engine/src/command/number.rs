//! What an app names chats, messages, contacts, links and devices by.

use serde::{Deserialize, Serialize};

/// A chat on this device: direct or group. Local; never leaves the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChatNumber(pub u64);

/// A message in a chat, in the order of the chat; the first is 1. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageNumber(pub u64);

/// A contact on this device. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContactNumber(pub u64);

/// A contact link that this identity gave out. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkNumber(pub u64);

/// A device of this identity, in the order in which this device came to know them; no number is
/// given twice. Local: another device may give it another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceNumber(pub u64);
