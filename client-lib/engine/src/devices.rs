//! The devices of this identity: their list, and keeping each of them in every group.

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    identity::{DeviceId, DeviceList, Fingerprint},
    invitation::ContactCard,
};
use hushwire_wire::{id::ChannelId, message::Request};
use serde::{Deserialize, Serialize};

use crate::{
    advance::Moved,
    command::{DeviceInfo, DeviceNumber, ThisDevice},
    contacts, control,
    event::Event,
    inbox,
    record::{IdentityRecord, Packages, Record, Wish},
    store::{StoreError, Table},
    wish::{Desk, Step},
    work::Work,
};

/// What a device is called. Key: `device `, device id.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceNameRecord {
    pub(crate) name: String,
}

impl Record for DeviceNameRecord {
    const TABLE: Table = Table::Profile;
}

fn name_key(device: &DeviceId) -> Vec<u8> {
    [&b"device "[..], device.as_ref()].concat()
}

/// Notes what a device is called.
pub(crate) fn name_device(
    work: &Work<'_>,
    device: &DeviceId,
    name: &str,
) -> Result<(), StoreError> {
    work.tx.save(&name_key(device), &DeviceNameRecord { name: name.to_owned() })
}

/// The device list as it was last signed or seen.
pub(crate) fn device_list(work: &Work<'_>) -> Result<DeviceList, StoreError> {
    let record = inbox::required(work)?;
    let me = work.identity()?.ok_or(StoreError::Damaged)?.fingerprint();
    DeviceList::decode(&record.device_list, &me).map_err(|_| StoreError::Damaged)
}

/// A device's place in the list; the first is 1.
pub(crate) fn number_of(work: &Work<'_>, device: &DeviceId) -> Result<Option<u64>, StoreError> {
    let list = device_list(work)?;
    let place = list.devices().iter().position(|entry| entry.device == *device);
    Ok(place.and_then(|place| u64::try_from(place).ok()).map(|place| place.saturating_add(1)))
}

/// The devices, in the order of the list.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<DeviceInfo>, StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?;
    let list = device_list(work)?;
    (1..)
        .zip(list.devices())
        .map(|(number, entry)| {
            let named: Option<DeviceNameRecord> = work.tx.load(&name_key(&entry.device))?;
            let current = if entry.device == me.device { ThisDevice::Yes } else { ThisDevice::No };
            Ok(DeviceInfo {
                number: DeviceNumber(number),
                name: named.map(|record| record.name).unwrap_or_default(),
                current,
            })
        })
        .collect()
}

/// Puts the current device list to the inbox, sealed.
pub(crate) fn put_list(work: &mut Work<'_>, desk: &Desk) -> Result<Step, StoreError> {
    let record = inbox::required(work)?;
    let sealed = record
        .shelf_key()?
        .seal_device_list(&record.inbox, &record.device_list, work.rng)
        .map_err(|_| StoreError::Failed)?;
    Ok(inbox::request(desk, |handle| Request::DeviceListPut { handle, device_list: sealed.into() }))
}

/// Wishes to have every other device of this identity in a group.
pub(crate) fn add_own_devices(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?.device;
    let list = device_list(work)?;
    for entry in list.devices().iter().filter(|entry| entry.device != me) {
        let packages = Packages {
            missing: vec![serde_bytes::ByteArray::new(*entry.slot.as_bytes())],
            ..Packages::default()
        };
        work.wish(Wish::AddDevice { channel: *channel, device: entry.device, packages })?;
    }
    Ok(())
}

/// The group of own devices moved on.
pub(crate) fn own_group_moved(work: &mut Work<'_>, moved: &Moved) -> Result<(), StoreError> {
    if moved.added.is_empty() && moved.removed.is_empty() {
        return Ok(());
    }
    work.event(Event::DevicesChanged)
}

/// This device is out of its own identity: it stops, and says so.
pub(crate) fn this_device_revoked(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut identity = work.identity()?.ok_or(StoreError::Damaged)?;
    identity.revoked = true;
    work.tx.save(IdentityRecord::KEY, &identity)?;
    work.effects.inbox = true;
    work.event(Event::ThisDeviceRevoked)
}

/// Tells the other own devices of a contact and how to write to it.
pub(crate) fn tell_contact(work: &mut Work<'_>, person: &Fingerprint) -> Result<(), StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    if device_list(work)?.devices().len() < 2 {
        return Ok(());
    }
    let Some(card) = contacts::card(work, person)? else { return Ok(()) };
    let payload = card.to_bytes().to_vec();
    let entry = ControlEntry { kind: ControlKind::ContactAdded, payload };
    control::send(work, &identity.own_group, vec![entry])
}

/// Takes what another own device says of the state that all share.
pub(crate) fn take_state(
    work: &mut Work<'_>,
    kind: ControlKind,
    payload: &[u8],
) -> Result<(), StoreError> {
    if kind == ControlKind::ContactAdded {
        if let Ok(card) = ContactCard::decode(payload) {
            contacts::ensure(work, &card.identity(), Some(&card))?;
        }
    }
    Ok(())
}
