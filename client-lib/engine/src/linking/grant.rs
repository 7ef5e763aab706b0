//! The grant: what makes a device one of the identity's, given on one side and taken on the other.

use hushwire_protocol::{
    identity::{DeviceCredential, DeviceEntry, DeviceKind, DeviceSerial},
    linking::{GrantedSecrets, InboxOwnerKey, LinkGrant, OwnGroup},
    profile::ProfileName,
};
use hushwire_wire::transcript;
use zeroize::Zeroizing;

use super::{end, fail, send};
use crate::{
    command::{CommandError, FailureReason},
    devices,
    event::Event,
    inbox, inbox_keys, profile,
    record::{IdentityRecord, InboxRecord, LinkingRecord, SecretBytes},
    rejoin,
    store::StoreError,
    work::Work,
};

/// The old device's person said that the digits are equal: certifies the new device, lists it,
/// hands over what it needs, and wishes it into every group (spec: IDN-053).
pub(super) fn give(work: &mut Work<'_>, record: &LinkingRecord) -> Result<(), CommandError> {
    let confirming = record.old_confirming()?;
    let identity = profile::require(work)?;
    let manager = identity.manager_key().ok_or(CommandError::NotAManager)?;
    let statement = identity.statement()?;
    let terms = confirming.request().terms().clone();
    let current = devices::device_list(work)?;
    let version = devices::version_behind(work, current.rank().version)?;
    let serial = DeviceSerial(version.0);
    let certificate = manager.certify(&statement, terms.device, terms.device_key, serial);
    let entry = DeviceEntry {
        device: terms.device,
        slot: terms.slot,
        certificate: certificate.hash(),
        kind: DeviceKind::Manager,
    };
    let mut entries = current.devices().to_vec();
    entries.push(entry.clone());
    let list = profile::sign_list(work, &manager, &statement, version, entries)?;
    devices::take_list(work, list)?;
    let inbox = inbox::required(work)?;
    let generation = inbox_keys::grant(work)?;
    let credential =
        DeviceCredential::new(statement, certificate).map_err(|_| CommandError::Internal)?;
    let grant = LinkGrant {
        credential,
        relay: inbox.relay.parse().map_err(|_| CommandError::StoreDamaged)?,
        inbox: inbox.inbox,
        device_list: devices::device_list(work)?.rank(),
        name: ProfileName::from_stored(&identity.name),
        secrets: GrantedSecrets {
            inbox_owner: InboxOwnerKey::from_bytes(&*owner_seed(&inbox)?),
            inbox_key: inbox.inbox_key()?,
            shelf_key: inbox.shelf_key()?,
            manager: Some(manager),
        },
        own_group: OwnGroup {
            capability: inbox::capability(&inbox.own_capability)?,
            channel: identity.own_group,
            generation,
            device_list: devices::device_list(work)?,
        },
    };
    let sealed =
        confirming.confirm_and_grant(&grant, work.rng).map_err(|_| CommandError::Internal)?;
    send(work, record, &sealed)?;
    end(work)?;
    devices::name_device(work, &terms.device, terms.name.as_str())?;
    devices::admit(work, &entry)?;
    work.event(Event::DeviceLinked)?;
    Ok(())
}

fn owner_seed(inbox: &InboxRecord) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    inbox.coming_owner_key().array().map(Zeroizing::new).ok_or(StoreError::Damaged)
}

/// The new device takes the grant; if it is none, or not whole, linking is over.
pub(super) fn take(
    work: &mut Work<'_>,
    record: &LinkingRecord,
    sealed: &[u8],
) -> Result<(), StoreError> {
    // Nothing takes the place of an identity that is there (spec: IDN-065).
    if work.identity()?.is_some() {
        return fail(work, FailureReason::Cancelled);
    }
    let grant = record.new_confirming()?.confirm().handle_grant(sealed);
    match grant {
        Ok(grant) => become_device(work, record, &grant),
        Err(_) => fail(work, FailureReason::IdentityNotProven),
    }
}

fn become_device(
    work: &mut Work<'_>,
    record: &LinkingRecord,
    grant: &LinkGrant,
) -> Result<(), StoreError> {
    let joining = record.joining.as_ref().ok_or(StoreError::Damaged)?;
    let (credential, own) = (&grant.credential, &grant.own_group);
    let secrets = &grant.secrets;
    let manager = secrets.manager.as_ref();
    let identity = IdentityRecord {
        name: grant.name.as_str().to_owned(),
        device_name: joining.device_name.clone(),
        root_key: credential.root_key(),
        statement: credential.statement().to_bytes(),
        credential: credential.to_bytes(),
        device_key: joining.device_key.clone(),
        manager_key: manager.map(|key| SecretBytes::new(&key.to_secret_bytes()[..])),
        device: credential.device(),
        slot: joining.slot,
        own_group: own.channel,
        revoked: false,
    };
    let inbox = InboxRecord {
        relay: grant.relay.to_string(),
        inbox: grant.inbox,
        owner_key: SecretBytes::new(&secrets.inbox_owner.to_secret_bytes()[..]),
        seal_key: SecretBytes::new(secrets.inbox_key.expose()),
        old_seal_keys: Vec::new(),
        linked_ms: Some(work.now.0),
        shelf_key: SecretBytes::new(secrets.shelf_key.expose()),
        own_capability: SecretBytes::new(own.capability.expose()),
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
        generation: own.generation.0,
        told_owner: Some(transcript::public_key(secrets.inbox_owner.signing_key())),
        generation_seen: 0,
        untaken_owner_keys: Vec::new(),
        seal_key_ends: false,
        unheard: Vec::new(),
        created: true,
        opened_ms: 0,
        cursor: 0,
        device_list_version: grant.device_list.version.0,
        list_version_told: 0,
        cards_again_ms: None,
        device_list: own.device_list.to_bytes(),
    };
    work.tx.save(IdentityRecord::KEY, &identity)?;
    work.tx.save(InboxRecord::KEY, &inbox)?;
    devices::name_device(work, &identity.device, &joining.device_name)?;
    work.effects.inbox = true;
    rejoin::wait_to_be_let_in(work, &own.channel)?;
    end(work)?;
    work.event(Event::DeviceLinked)
}
