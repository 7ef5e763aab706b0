//! The single records of a profile.

use hushwire_protocol::identity::DeviceId;
use hushwire_wire::id::{InboxId, PublicKey, SlotId};
use serde::{Deserialize, Serialize};

use super::{Record, SecretBytes, id};
use crate::store::Table;

/// Who this profile is. Key `identity`.
#[derive(Serialize, Deserialize)]
pub(crate) struct IdentityRecord {
    pub(crate) name: String,
    pub(crate) device_name: String,
    #[serde(with = "id")]
    pub(crate) root_key: PublicKey,
    #[serde(with = "serde_bytes")]
    pub(crate) statement: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(crate) credential: Vec<u8>,
    pub(crate) device_key: SecretBytes,
    /// Devices that hold it may link and revoke others.
    pub(crate) manager_key: Option<SecretBytes>,
    #[serde(with = "id")]
    pub(crate) device: DeviceId,
    #[serde(with = "id")]
    pub(crate) slot: SlotId,
    /// The channel of the group of this identity's devices.
    #[serde(with = "id")]
    pub(crate) own_group: hushwire_wire::id::ChannelId,
    pub(crate) revoked: bool,
}

impl Record for IdentityRecord {
    const TABLE: Table = Table::Profile;
}

impl IdentityRecord {
    pub(crate) const KEY: &'static [u8] = b"identity";
}

/// The identity's inbox. Key `inbox`.
#[derive(Serialize, Deserialize)]
pub(crate) struct InboxRecord {
    pub(crate) relay: String,
    #[serde(with = "id")]
    pub(crate) inbox: InboxId,
    pub(crate) owner_key: SecretBytes,
    pub(crate) seal_key: SecretBytes,
    /// Earlier seal keys, while items sealed to them may still come.
    pub(crate) old_seal_keys: Vec<SecretBytes>,
    pub(crate) shelf_key: SecretBytes,
    /// By it own devices take each other's key packages.
    pub(crate) own_capability: SecretBytes,
    pub(crate) created: bool,
    /// First item that this device has not handled.
    pub(crate) cursor: u64,
    pub(crate) device_list_version: u64,
    /// The signed device list, as it was last made or seen.
    #[serde(with = "serde_bytes")]
    pub(crate) device_list: Vec<u8>,
}

impl Record for InboxRecord {
    const TABLE: Table = Table::Profile;
}

impl InboxRecord {
    pub(crate) const KEY: &'static [u8] = b"inbox";
}

/// The last numbers given out. Key `counters`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counters {
    pub(crate) event: u64,
    pub(crate) intent: u64,
    pub(crate) chat: u64,
    pub(crate) contact: u64,
    pub(crate) link: u64,
    pub(crate) transfer: u64,
}

impl Record for Counters {
    const TABLE: Table = Table::Profile;
}

impl Counters {
    pub(crate) const KEY: &'static [u8] = b"counters";
}

/// A linking of devices that is under way. Key `linking`.
#[derive(Serialize, Deserialize)]
pub(crate) struct LinkingRecord {
    /// The linking's state, as the protocol crate writes it.
    pub(crate) state: SecretBytes,
    pub(crate) relay: String,
    pub(crate) device_name: String,
}

impl Record for LinkingRecord {
    const TABLE: Table = Table::Profile;
}

impl LinkingRecord {
    pub(crate) const KEY: &'static [u8] = b"linking";
}
