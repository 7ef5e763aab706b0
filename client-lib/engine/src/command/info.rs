//! Profile, links, members, devices and relays, as an app is told of them.

use serde::{Deserialize, Serialize};

use super::{DeviceNumber, LinkNumber, LinkUse, SecretText};

/// Who this profile is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileInfo {
    /// Shown to contacts.
    pub name: String,
    /// The identity, in hex.
    pub fingerprint: String,
    /// The home relay's address.
    pub relay: String,
    /// This device's number; none once it was revoked.
    pub device: Option<DeviceNumber>,
}

/// A contact link that was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInfo {
    /// Its number on this device.
    pub number: LinkNumber,
    /// Its text: whoever has it can write to this identity.
    pub text: SecretText,
    /// How often it may be used.
    pub usage: LinkUse,
    /// What has become of it.
    pub state: LinkState,
    /// When it stops working by itself, by this device's clock; milliseconds since the Unix epoch.
    /// Else it works until it is used or revoked.
    #[serde(default)]
    pub expires_at_ms: Option<u64>,
}

/// What has become of a contact link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// The relay does not know it yet.
    Pending,
    /// It can be used.
    Active,
    /// Its single use is over; it stays used when it is revoked afterwards.
    Used,
    /// It was revoked.
    Revoked,
    /// Its time is over, by this device's clock.
    Expired,
}

/// A member of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// The identity, in hex.
    pub fingerprint: String,
    /// The name known for it.
    pub name: String,
    /// What it may do.
    pub role: MemberRole,
    /// Devices in the group.
    pub devices: u32,
    /// Whether it is this identity.
    pub whose: Whose,
    /// Devices that ask to be added again, and wait for a person to say so.
    #[serde(default)]
    pub asking: u32,
}

/// Somebody who has formed a group anew, and whom this person does not follow so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuccessorInfo {
    /// Whose word it is, in hex: for [`Command::GroupFollow`](super::Command::GroupFollow).
    pub by: String,
    /// The name known for it.
    pub name: String,
}

/// Where a group is, to be compared with what another member sees there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCodeInfo {
    /// The epoch, in hex: who is at another one has another code.
    pub epoch: String,
    /// Thirty digits in groups of five, the same for all members at that epoch (spec: GRP-054).
    pub code: String,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MemberRole {
    /// Everything.
    Owner,
    /// What the group's rights give to admins.
    Admin,
    /// What they give to everybody.
    Member,
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whose {
    /// This identity's.
    Mine,
    /// Somebody else's.
    Others,
}

/// A device of this identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its number on this device.
    pub number: DeviceNumber,
    /// Its name.
    pub name: String,
    /// Whether it is the one that answers.
    pub current: ThisDevice,
}

/// Whether a device is the one that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThisDevice {
    /// It is.
    Yes,
    /// It is another one.
    No,
}

/// What still waits for the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusInfo {
    /// Durable wishes that are not settled.
    pub waiting: u64,
    /// What is left of a refresh of the keys: groups, the inbox's keys, the shelf. 0: none is under
    /// way.
    #[serde(default)]
    pub refreshing: u64,
    /// The relays in use, each once, by address.
    pub relays: Vec<RelayInfo>,
    /// The chats that are still being read.
    #[serde(default)]
    pub catching_up: Vec<CatchUpInfo>,
}

/// How far the reading of a chat is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUpInfo {
    /// Which; none: the group of this identity's own devices.
    pub chat: Option<super::ChatNumber>,
    /// Entries that were read since it began.
    pub read: u64,
    /// Entries that there are at least, as far as the relay has said: it tells of what lies behind a
    /// change of members when that is read.
    pub of: u64,
}

/// A relay in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayInfo {
    /// Its address.
    pub address: String,
    /// How it is: of several sessions with it, the one that is worst.
    pub state: RelayState,
}

/// How a relay is, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RelayState {
    /// There; nothing is missing here, and it has everything that this device has for it.
    Current,
    /// There; nothing is missing here, but it does not have everything yet.
    Sending,
    /// There, still reading what came meanwhile.
    CatchingUp,
    /// Trying.
    Connecting,
    /// Not reachable; tried again later.
    Offline,
    /// It showed another key; not tried again before the profile is opened anew.
    KeyMismatch,
}
