//! Revoking a device: shutting it out of the list, the groups and the inbox, and new keys for
//! everything that it knew (spec: IDN-057, IDN-058).

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    identity::DeviceListVersion,
    seal::InboxKey,
};
use hushwire_wire::{SigningKey, message::Request, transcript};

use crate::{
    command::{CommandError, DeviceNumber},
    control, devices, groups, inbox, links, profile,
    record::{GroupState, InboxRecord, IntentNumber, SecretBytes, Wish},
    store::StoreError,
    wish::{Desk, Step},
    work::Work,
};

/// Length of each key that own devices are told, in bytes.
const KEY_BYTES: usize = 32;

/// Shuts a device out of everything.
pub(crate) fn revoke(work: &mut Work<'_>, number: DeviceNumber) -> Result<(), CommandError> {
    let identity = profile::require(work)?;
    let manager = identity.manager_key().ok_or(CommandError::NotAManager)?;
    let statement = identity.statement()?;
    let current = devices::device_list(work)?;
    let place = number.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    let revoked = place.and_then(|place| current.devices().get(place)).cloned();
    let revoked = revoked.ok_or(CommandError::NoSuchDevice)?;
    if revoked.device == identity.device {
        return Err(CommandError::ThisDevice);
    }
    let version = DeviceListVersion(current.rank().version.0.saturating_add(1));
    let mut entries = current.devices().to_vec();
    entries.retain(|entry| entry.device != revoked.device);
    let list = profile::sign_list(work, &manager, &statement, version, entries)?;
    renew_keys(work)?;
    devices::take_list(work, list)?;
    work.wish(Wish::DropSlot { slot: revoked.slot })?;
    for channel in groups::channels(work)? {
        let Some(group) = groups::record(work, &channel)? else { continue };
        if matches!(group.state, GroupState::Member | GroupState::Creating) {
            work.wish(Wish::RemoveDevice { channel, device: revoked.device })?;
        }
    }
    links::put_again(work)?;
    devices::send_cards(work)?;
    Ok(())
}

/// Draws new keys for the inbox and wishes them to be known to the relay.
fn renew_keys(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    let old = transcript::capability_id(&inbox::capability(&record.own_capability)?);
    let seal_key = SecretBytes::new(InboxKey::generate(work.rng).expose());
    record.old_seal_keys.push(core::mem::replace(&mut record.seal_key, seal_key));
    record.shelf_key = SecretBytes::new(&work.random::<KEY_BYTES>());
    record.own_capability = SecretBytes::new(&work.random::<KEY_BYTES>());
    record.next_owner_key = Some(SecretBytes::new(&work.random::<KEY_BYTES>()));
    record.shelf_stale = true;
    record.keys_untold = true;
    let secret = record.own_capability.clone();
    work.tx.save(InboxRecord::KEY, &record)?;
    work.wish(Wish::RotateInbox)?;
    work.wish(Wish::PutCapability { secret, link: None })?;
    work.wish(Wish::RevokeCapability { capability: old })?;
    Ok(())
}

/// Asks the relay to take the next owner key.
pub(crate) fn rotate(
    work: &mut Work<'_>,
    number: IntentNumber,
    desk: &Desk,
) -> Result<Step, StoreError> {
    let record = inbox::required(work)?;
    let Some(next) = &record.next_owner_key else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let seed = next.array().ok_or(StoreError::Damaged)?;
    let next = SigningKey::from_bytes(&seed);
    let next_owner_key = transcript::public_key(&next);
    let signed =
        transcript::inbox_rotate(&desk.relay, &desk.session, &record.inbox, &next_owner_key);
    let signature = signed.sign(&next);
    Ok(inbox::request(desk, |handle| Request::InboxRotate { handle, next_owner_key, signature }))
}

/// The relay took the next owner key. Says whether there was one.
pub(crate) fn rotated(work: &Work<'_>) -> Result<bool, StoreError> {
    let mut record = inbox::required(work)?;
    let Some(next) = record.next_owner_key.take() else { return Ok(false) };
    record.owner_key = next;
    work.tx.save(InboxRecord::KEY, &record)?;
    Ok(true)
}

/// Tells the remaining own devices the new keys. The revoked one is out of their group by now.
pub(crate) fn tell_keys(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    if !core::mem::take(&mut record.keys_untold) {
        return Ok(());
    }
    work.tx.save(InboxRecord::KEY, &record)?;
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    let owner = record.next_owner_key.as_ref().unwrap_or(&record.owner_key);
    let keys = [owner, &record.seal_key, &record.shelf_key, &record.own_capability];
    let payload = keys.map(SecretBytes::expose).concat();
    let rotated = ControlEntry { kind: ControlKind::InboxKeysRotated, payload };
    let listed = ControlEntry { kind: ControlKind::DevicesListed, payload: record.device_list };
    control::send(work, &own_group, vec![rotated, listed])
}

/// Takes the new keys from the device that drew them.
pub(crate) fn take_keys(work: &mut Work<'_>, payload: &[u8]) -> Result<(), StoreError> {
    let keys: Vec<SecretBytes> = payload.chunks(KEY_BYTES).map(SecretBytes::new).collect();
    let [owner, seal, shelf, capability] = keys.as_slice() else { return Ok(()) };
    if capability.array::<KEY_BYTES>().is_none() {
        return Ok(());
    }
    let mut record = inbox::required(work)?;
    record.owner_key = owner.clone();
    record.next_owner_key = None;
    record.old_seal_keys.push(core::mem::replace(&mut record.seal_key, seal.clone()));
    record.shelf_key = shelf.clone();
    record.own_capability = capability.clone();
    record.shelf_stale = true;
    work.tx.save(InboxRecord::KEY, &record)
}
