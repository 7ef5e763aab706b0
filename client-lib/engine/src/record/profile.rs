//! The single records of a profile.

use hushwire_protocol::identity::DeviceId;
use hushwire_wire::id::{CapabilityId, InboxId, PublicKey, SlotId};
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
    pub(crate) old_seal_keys: Vec<OldSealKey>,
    /// When this device was linked: it has none of the seal keys before. None where it made the inbox.
    #[serde(default)]
    pub(crate) linked_ms: Option<u64>,
    pub(crate) shelf_key: SecretBytes,
    /// By it own devices take each other's key packages.
    pub(crate) own_capability: SecretBytes,
    /// The owner key that a rotation under way brings; the relay may have it already.
    #[serde(default)]
    pub(crate) next_owner_key: Option<SecretBytes>,
    /// The owner key that follows it: it was drawn while the relay might have taken that one already.
    #[serde(default)]
    pub(crate) later_owner_key: Option<SecretBytes>,
    /// The relay refused the owner key while a rotation was under way: the next one, tried now, may
    /// be in its place, or another device's.
    #[serde(default)]
    pub(crate) rotation_unsure: bool,
    /// The shelf was filled under an earlier shelf key.
    #[serde(default)]
    pub(crate) shelf_stale: bool,
    /// How often the shelf was to be cleared: a put counts for the last time only if it was made then.
    #[serde(default)]
    pub(crate) shelf_clearing: u64,
    /// The keys are to be told to own devices once the revoked one is out of their group.
    #[serde(default)]
    pub(crate) keys_untold: bool,
    /// The generation of the keys that were told to own devices last, by whichever of them.
    #[serde(default)]
    pub(crate) generation: u64,
    /// The owner key of these; none in a store of a build before.
    #[serde(with = "id::option", default)]
    pub(crate) told_owner: Option<PublicKey>,
    /// The highest generation that a device told which was revoked, or this one granted.
    #[serde(default)]
    pub(crate) generation_seen: u64,
    /// Owner keys of sets that were told and not taken, the latest last: the relay may have one of them.
    #[serde(default)]
    pub(crate) untaken_owner_keys: Vec<SecretBytes>,
    /// A device that was revoked may know the seal key.
    #[serde(default)]
    pub(crate) seal_key_ends: bool,
    /// Devices that were linked and had not been heard when keys were drawn, which they do not know: whether
    /// they were by now shows the own group, once it is read.
    #[serde(with = "id::each", default)]
    pub(crate) unheard: Vec<DeviceId>,
    /// Owner keys that it had before, the latest last: a relay that is put back has one of them.
    #[serde(default)]
    pub(crate) earlier_owner_keys: Vec<SecretBytes>,
    /// Shelf keys that it had before, the latest last: own devices that have not heard of the present one
    /// seal their key packages under one of them.
    #[serde(default)]
    pub(crate) earlier_shelf_keys: Vec<OldShelfKey>,
    /// Own capabilities that another has replaced, and that still work; the latest last.
    #[serde(default)]
    pub(crate) earlier_capabilities: Vec<OldCapability>,
    /// How it is opened, since it was denied last.
    #[serde(default)]
    pub(crate) way: Way,
    /// Since when opening it is denied, if it is.
    #[serde(default)]
    pub(crate) denied_since_ms: Option<u64>,
    pub(crate) created: bool,
    /// When this device opened it last; 0: never, or in a build before.
    #[serde(default)]
    pub(crate) opened_ms: u64,
    /// First item that this device has not handled.
    pub(crate) cursor: u64,
    pub(crate) device_list_version: u64,
    /// The highest version that an own device told contacts of, as far as this one read that, or that was
    /// passed over.
    #[serde(default)]
    pub(crate) list_version_told: u64,
    /// From when on the version of the list is none from the future: contacts did not take it before.
    #[serde(default)]
    pub(crate) cards_again_ms: Option<u64>,
    /// The signed device list, as it was last made or seen.
    #[serde(with = "serde_bytes")]
    pub(crate) device_list: Vec<u8>,
}

impl Record for InboxRecord {
    const TABLE: Table = Table::Profile;
}

impl InboxRecord {
    pub(crate) const KEY: &'static [u8] = b"inbox";

    /// What lies on the shelf is to be replaced, also what is on its way there.
    pub(crate) const fn clear_shelf(&mut self) {
        self.shelf_stale = true;
        self.shelf_clearing = self.shelf_clearing.saturating_add(1);
    }
}

/// How an inbox is opened (spec: CLI-181).
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    /// With the owner key that it should have.
    #[default]
    Present,
    /// With one of a set that was told and not taken, at this place (spec: IDN-073, IDN-074).
    Untaken(u8),
    /// With the earlier owner key at this place.
    Earlier(u8),
    /// It is created again.
    Anew,
}

/// A shelf key that another has replaced.
#[derive(Serialize, Deserialize)]
pub(crate) struct OldShelfKey {
    pub(crate) key: SecretBytes,
    /// It opens nothing any more then.
    pub(crate) until_ms: u64,
}

/// An own capability that another has replaced.
#[derive(Serialize, Deserialize)]
pub(crate) struct OldCapability {
    #[serde(with = "id")]
    pub(crate) capability: CapabilityId,
    /// It is revoked when the inbox was read to its end after this time.
    pub(crate) until_ms: u64,
}

/// A seal key that another has replaced.
#[derive(Serialize, Deserialize)]
pub(crate) struct OldSealKey {
    pub(crate) key: SecretBytes,
    /// The owner key with which other own devices were told of it; none: they were not.
    #[serde(with = "id::option", default)]
    pub(crate) told_with: Option<PublicKey>,
    /// It was replaced when a device was revoked that knew it.
    #[serde(default)]
    pub(crate) ends: bool,
    /// It is deleted when the inbox was read to its end after this time.
    pub(crate) until_ms: u64,
}

/// The last numbers given out. Key `counters`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counters {
    pub(crate) event: u64,
    /// Builds of store version 1 called it an intent; without that name the count would begin anew,
    /// and new wishes would replace those that wait (spec: CLI-133).
    #[serde(alias = "intent")]
    pub(crate) wish: u64,
    pub(crate) chat: u64,
    pub(crate) contact: u64,
    pub(crate) link: u64,
    pub(crate) transfer: u64,
    pub(crate) package: u64,
    pub(crate) device: u64,
    pub(crate) group_link: u64,
    pub(crate) request: u64,
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
    pub(crate) step: LinkingStep,
    /// The linking's state, as the protocol crate writes it.
    pub(crate) state: SecretBytes,
    /// The code, as text: it says where the two devices meet.
    pub(crate) code: SecretBytes,
    /// It is over then, whatever its step.
    pub(crate) expires_at_ms: u64,
    /// First item at the rendezvous that was not handled.
    pub(crate) cursor: u64,
    /// On the new device.
    pub(crate) joining: Option<JoiningRecord>,
}

/// How far a linking is (spec: IDN-051).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LinkingStep {
    /// Old device: the code is shown, a request is awaited.
    Offered,
    /// Old device: the person compares.
    OldComparing,
    /// New device: the reveal is awaited.
    Joining,
    /// New device: the person compares.
    NewComparing,
    /// New device: the person said that the digits are equal; the grant is awaited.
    NewConfirmed,
    /// It is over; the rendezvous is still to be cleared away.
    Over,
}

/// What a new device keeps until it has its identity.
#[derive(Serialize, Deserialize)]
pub(crate) struct JoiningRecord {
    pub(crate) device_name: String,
    pub(crate) device_key: SecretBytes,
    #[serde(with = "id")]
    pub(crate) slot: SlotId,
    /// The sealed request, until it was wished for.
    pub(crate) request: Option<SecretBytes>,
    /// A grant that came before the person answered here.
    pub(crate) grant: Option<SecretBytes>,
}

impl Record for LinkingRecord {
    const TABLE: Table = Table::Profile;
}

impl LinkingRecord {
    pub(crate) const KEY: &'static [u8] = b"linking";
}
