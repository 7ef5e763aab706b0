//! The identity of a profile: creating it, and what a person may ask of it.

use hushwire_protocol::{
    address::RelayAddress,
    group::GroupKind,
    identity::{
        DeviceCredential, DeviceEntry, DeviceId, DeviceKey, DeviceKind, DeviceListVersion,
        DeviceSerial, Fingerprint, ManagerCounter, ManagerKey, ManagerStatement, PhraseError,
        RecoveryPhrase, RootKey, device_list::DeviceListTerms,
    },
    seal::InboxKey,
};
use hushwire_wire::{
    SigningKey,
    id::{ChannelId, InboxId, SlotId},
    transcript,
};
use zeroize::Zeroizing;

use crate::{
    capabilities::{self, Uses},
    chats,
    command::{CommandError, ProfileInfo, Reply, SecretText},
    devices, groups, linking,
    record::{IdentityRecord, InboxRecord, PurposeRecord, SecretBytes, Wish, credential},
    store::StoreError,
    work::Work,
};

/// The name that the first device gives itself.
const FIRST_DEVICE_NAME: &str = "first device";
/// How long a device list may be used, in milliseconds; it is signed anew long before.
const DEVICE_LIST_LIFE_MS: u64 = 90 * 24 * 60 * 60 * 1000;
/// Room for clocks that are behind, in milliseconds.
const CLOCK_SKEW_MS: u64 = 24 * 60 * 60 * 1000;

/// A command needs an identity.
pub(crate) fn require(work: &Work<'_>) -> Result<IdentityRecord, CommandError> {
    work.identity()?.ok_or(CommandError::NoIdentity)
}

/// Creates the identity: root, manager and device keys, inbox, the group of its devices. Works
/// without a network; the wishes do the rest.
pub(crate) fn create(work: &mut Work<'_>, name: &str, relay: &str) -> Result<Reply, CommandError> {
    if work.identity()?.is_some() {
        return Err(CommandError::IdentityExists);
    }
    let name = chats::check_name(name)?;
    let relay = parse_relay(relay)?;
    linking::abandon(work)?;
    let phrase = RecoveryPhrase::generate(work.rng);
    let root = RootKey::from_phrase(&phrase);
    let manager = ManagerKey::generate(work.rng);
    let statement = root.state_manager(manager.public(), ManagerCounter(1));
    let device_key = DeviceKey::generate(work.rng);
    let device = DeviceId::generate(work.rng);
    let slot = SlotId::from_bytes(work.random());
    let certificate = manager.certify(&statement, device, device_key.public(), DeviceSerial(1));
    let credential = DeviceCredential::new(statement.clone(), certificate)
        .map_err(|_| CommandError::Internal)?;
    let own_group = ChannelId::from_bytes(work.random());
    let record = IdentityRecord {
        name,
        device_name: FIRST_DEVICE_NAME.to_owned(),
        root_key: root.public(),
        statement: statement.to_bytes(),
        credential: credential.to_bytes(),
        device_key: SecretBytes::new(&device_key.to_secret_bytes()[..]),
        manager_key: Some(SecretBytes::new(&manager.to_secret_bytes()[..])),
        device,
        slot,
        own_group,
        revoked: false,
    };
    work.tx.save(IdentityRecord::KEY, &record)?;
    let entry = DeviceEntry {
        device,
        slot,
        certificate: credential.certificate().hash(),
        kind: DeviceKind::Manager,
    };
    let list = sign_list(work, &manager, &statement, DeviceListVersion(1), vec![entry])?;
    make_inbox(work, &relay, list)?;
    groups::form(work, own_group, GroupKind::OwnDevices, "", PurposeRecord::OwnDevices)?;
    devices::name_device(work, &device, FIRST_DEVICE_NAME)?;
    let phrase = SecretText::new(phrase.to_words().to_string());
    Ok(Reply::IdentityCreated { phrase, profile: info(work)? })
}

/// Reads a relay's address.
pub(crate) fn parse_relay(text: &str) -> Result<RelayAddress, CommandError> {
    text.parse().map_err(|_| CommandError::BadRelayAddress)
}

/// Signs a device list that can be used from now on.
pub(crate) fn sign_list(
    work: &Work<'_>,
    manager: &ManagerKey,
    statement: &ManagerStatement,
    version: DeviceListVersion,
    mut devices: Vec<DeviceEntry>,
) -> Result<SignedList, CommandError> {
    devices.sort_by_key(|entry| entry.device);
    let terms = DeviceListTerms {
        version,
        issued_at: hushwire_wire::id::Timestamp(work.now.0.saturating_sub(CLOCK_SKEW_MS)),
        expires_at: work.now.plus_ms(DEVICE_LIST_LIFE_MS),
        devices,
    };
    let list = manager.list_devices(statement, terms).map_err(|_| CommandError::Internal)?;
    Ok(SignedList { version: version.0, bytes: list.to_bytes() })
}

/// A signed device list, encoded.
pub(crate) struct SignedList {
    pub(crate) version: u64,
    pub(crate) bytes: Vec<u8>,
}

fn make_inbox(
    work: &mut Work<'_>,
    relay: &RelayAddress,
    list: SignedList,
) -> Result<(), CommandError> {
    let seal_key = InboxKey::generate(work.rng);
    let own_capability = SecretBytes::new(&work.random::<32>());
    let owner_seed = Zeroizing::new(work.random::<32>());
    let owner_key = transcript::public_key(&SigningKey::from_bytes(&owner_seed));
    let inbox = InboxRecord {
        relay: relay.to_string(),
        inbox: InboxId::from_bytes(work.random()),
        owner_key: SecretBytes::new(&*owner_seed),
        seal_key: SecretBytes::new(seal_key.expose()),
        old_seal_keys: Vec::new(),
        linked_ms: None,
        shelf_key: SecretBytes::new(&work.random::<32>()),
        own_capability: own_capability.clone(),
        next_owner_key: None,
        later_owner_key: None,
        rotation_unsure: false,
        earlier_owner_keys: Vec::new(),
        earlier_shelf_keys: Vec::new(),
        earlier_capabilities: Vec::new(),
        way: crate::record::Way::Present,
        denied_since_ms: None,
        shelf_stale: false,
        shelf_clearing: 0,
        keys_untold: false,
        generation: 0,
        told_owner: Some(owner_key),
        generation_seen: 0,
        untaken_owner_keys: Vec::new(),
        seal_key_ends: false,
        unheard: Vec::new(),
        created: false,
        opened_ms: 0,
        cursor: 0,
        device_list_version: list.version,
        list_version_told: 0,
        cards_again_ms: None,
        device_list: list.bytes,
    };
    work.tx.save(InboxRecord::KEY, &inbox)?;
    work.effects.inbox = true;
    work.wish(Wish::PutDeviceList)?;
    capabilities::make(work, own_capability, None, Uses::Lasting)?;
    Ok(())
}

/// Who this profile is.
pub(crate) fn info(work: &Work<'_>) -> Result<ProfileInfo, CommandError> {
    let identity = require(work)?;
    let inbox = work.inbox()?.ok_or(CommandError::NoIdentity)?;
    let number = devices::number_of(work, &identity.device)?;
    let device = (!identity.revoked).then_some(number);
    Ok(ProfileInfo {
        fingerprint: identity.fingerprint().to_hex(),
        name: identity.name,
        relay: inbox.relay,
        device,
    })
}

/// This identity's fingerprint.
pub(crate) fn fingerprint(work: &Work<'_>) -> Result<Fingerprint, CommandError> {
    Ok(require(work)?.fingerprint())
}

/// This device: its key, and the credential that says whose it is.
pub(crate) struct Device {
    pub(crate) key: DeviceKey,
    pub(crate) credential: DeviceCredential,
}

/// This device. An identity is there, or nothing would ask.
pub(crate) fn device(work: &Work<'_>) -> Result<Device, StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let key = identity.device_key()?;
    let credential = identity.credential()?;
    Ok(Device { key, credential })
}

/// Compares a recovery phrase with the identity.
pub(crate) fn check_phrase(work: &Work<'_>, phrase: &SecretText) -> Result<Reply, CommandError> {
    let identity = require(work)?;
    let phrase = RecoveryPhrase::parse(phrase.expose()).map_err(|error| match error {
        PhraseError::UnknownWord(position) => {
            CommandError::PhraseWord(u8::try_from(position).unwrap_or(u8::MAX))
        }
        _ => CommandError::PhraseIncomplete,
    })?;
    if RootKey::from_phrase(&phrase).public() != identity.root_key {
        return Err(CommandError::PhraseOfAnother);
    }
    Ok(Reply::Done)
}

impl IdentityRecord {
    /// The identity.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.root_key)
    }

    pub(crate) fn device_key(&self) -> Result<DeviceKey, StoreError> {
        self.device_key.array().map(|seed| DeviceKey::from_bytes(&seed)).ok_or(StoreError::Damaged)
    }

    /// The manager key, if this device holds it.
    pub(crate) fn manager_key(&self) -> Option<ManagerKey> {
        let seed = self.manager_key.as_ref()?.array()?;
        Some(ManagerKey::from_bytes(&seed))
    }

    pub(crate) fn credential(&self) -> Result<DeviceCredential, StoreError> {
        credential(&self.credential)
    }

    pub(crate) fn statement(&self) -> Result<ManagerStatement, StoreError> {
        ManagerStatement::decode(&self.statement).map_err(|_| StoreError::Damaged)
    }
}
