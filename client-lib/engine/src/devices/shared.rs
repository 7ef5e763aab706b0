//! What all own devices share, and how each hears of it: in the group of own devices (spec: IDN-055).

use std::collections::BTreeMap;

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    identity::{DeviceEntry, DeviceId, DeviceList, Fingerprint},
    invitation::ContactCard,
    own_devices::{Comparison, ContactCompared, DeviceNamed},
    profile::ProfileName,
};
use hushwire_wire::id::ChannelId;

use super::{
    DeviceNameRecord, REVOKED_PREFIX, RevokedRecord, device_list, forget_device, is_revoked,
    name_device, name_key, send_safe_card, sign_again, take_list,
};
use crate::{
    asking, capabilities, chats,
    command::{ContactNumber, Verification},
    contacts, control,
    event::Event,
    inbox,
    profile::SignedList,
    record::{ContactRecord, InboxRecord, Keyed},
    revoking,
    session::CLOCK_OFF_MS,
    store::StoreError,
    work::Work,
};

/// Control entries in one message of this client; contact cards have some kilobytes each.
const ENTRIES_PER_MESSAGE: usize = 16;

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

/// Tells own devices that just came in what all share: contacts, device names, the device list
/// (spec: IDN-055).
pub(crate) fn tell_everything(work: &mut Work<'_>) -> Result<(), StoreError> {
    let payload = inbox::required(work)?.device_list;
    let mut entries = revoked_entries(work)?;
    entries.push(ControlEntry { kind: ControlKind::DevicesListed, payload });
    entries.extend(capabilities::entries(work)?);
    entries.extend(asking::entries(work)?);
    for listed in device_list(work)?.devices() {
        entries.extend(name_entry(work, listed.device)?);
    }
    for row in work.tx.list::<ContactRecord>(&[], usize::MAX)? {
        let person = Fingerprint::try_from(&row.key[..]).map_err(|_| StoreError::Damaged)?;
        let Some(card) = contacts::card(work, &person)? else { continue };
        let payload = card.to_bytes().to_vec();
        entries.push(ControlEntry { kind: ControlKind::ContactAdded, payload });
        if row.record.verification == Verification::Verified {
            entries.push(verified_entry(person, Verification::Verified));
        }
    }
    send_all(work, &entries)?;
    revoking::tell_keys(work)
}

/// This device came into the own group: it says its name there, by which the others know that it has
/// read its invitation (spec: IDN-055).
pub(crate) fn tell_name(work: &mut Work<'_>) -> Result<(), StoreError> {
    let device = work.identity()?.ok_or(StoreError::Damaged)?.device;
    let entry = name_entry(work, device)?;
    send_all(work, entry.as_slice())
}

/// What a device is called, if that is known.
fn name_entry(work: &Work<'_>, device: DeviceId) -> Result<Option<ControlEntry>, StoreError> {
    let named: Option<DeviceNameRecord> = work.tx.load(&name_key(&device))?;
    Ok(named.map(|named| {
        let name = ProfileName::from_stored(&named.name);
        let payload = DeviceNamed { device, name }.to_payload();
        ControlEntry { kind: ControlKind::DeviceNamed, payload }
    }))
}

fn verified_entry(person: Fingerprint, verification: Verification) -> ControlEntry {
    let comparison = match verification {
        Verification::Verified => Comparison::Equal,
        Verification::Unverified => Comparison::Open,
    };
    let payload = ContactCompared { person, comparison }.to_payload();
    ControlEntry { kind: ControlKind::ContactVerified, payload }
}

/// Tells the other own devices whether a contact was compared.
pub(crate) fn tell_verification(
    work: &mut Work<'_>,
    person: &Fingerprint,
    verification: Verification,
) -> Result<(), StoreError> {
    if device_list(work)?.devices().len() < 2 {
        return Ok(());
    }
    send_all(work, &[verified_entry(*person, verification)])
}

/// What follows from an entry of another own device, once all entries of its message were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// Contacts are to hear how to write to this identity now.
    Cards,
}

/// Takes what another own device says of the state that all share. What makes no sense changes
/// nothing.
pub(crate) fn take_state(
    work: &mut Work<'_>,
    kind: ControlKind,
    payload: &[u8],
) -> Result<Told, StoreError> {
    match kind {
        ControlKind::DevicesListed => {
            let told = take_list_of_other(work, payload)?;
            // A device that was not listed here yet may have been all that they waited for.
            revoking::tell_keys(work)?;
            return Ok(told);
        }
        ControlKind::ContactAdded => {
            if let Ok(card) = ContactCard::decode(payload) {
                contacts::ensure(work, &card.identity(), Some(&card))?;
            }
        }
        ControlKind::InboxKeysRotated => revoking::take_keys(work, payload)?,
        ControlKind::DeviceNamed => take_name(work, payload)?,
        ControlKind::ContactVerified => take_verified(work, payload)?,
        ControlKind::CapabilityMade => capabilities::take_told(work, payload)?,
        ControlKind::DeviceRevoked => take_revoked(work, payload)?,
        ControlKind::GroupAsked => asking::take_asked(work, payload)?,
        ControlKind::GroupAskingOver => asking::take_over(work, payload)?,
        _ => {}
    }
    Ok(Told::Nothing)
}

/// Takes what an own device says of the list in a direct group. A contact goes by the highest one that
/// they read there, so this device has to know it, whoever said it (spec: LNK-121).
pub(crate) fn take_list_told(
    work: &mut Work<'_>,
    channel: &ChannelId,
    contact: ContactNumber,
    from: &DeviceId,
    payload: &[u8],
) -> Result<(), StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?;
    if *from == me.device {
        return Ok(());
    }
    let Ok(theirs) = DeviceList::decode(payload, &me.fingerprint()) else { return Ok(()) };
    let (mine, other) = (device_list(work)?, theirs.rank());
    let above = other.manager_counter == mine.rank().manager_counter && other > mine.rank();
    // spec: IDN-082, IDN-084
    if !above || other.version.is_beyond(work.now, CLOCK_OFF_MS) {
        return Ok(());
    }
    let mut record = inbox::required(work)?;
    record.list_version_told = record.list_version_told.max(other.version.0);
    work.tx.save(InboxRecord::KEY, &record)?;
    // Others tell it in the own group as well, with all that are revoked.
    if !is_revoked(work, from)? {
        return Ok(());
    }
    sign_again(work, other.version, mine.devices().to_vec())?;
    let person = contacts::by_contact(work, contact).map_err(|_| StoreError::Damaged)?;
    send_safe_card(work, channel, &person)
}

/// Takes another device's list, or brings it and the own one together: two devices may have changed
/// the list at once, and what each of them did counts (spec: IDN-063).
fn take_list_of_other(work: &mut Work<'_>, payload: &[u8]) -> Result<Told, StoreError> {
    let me = work.me()?;
    let Ok(theirs) = DeviceList::decode(payload, &me) else { return Ok(Told::Nothing) };
    // spec: IDN-082
    if theirs.rank().version.is_beyond(work.now, CLOCK_OFF_MS) {
        return Ok(Told::Nothing);
    }
    let mine = device_list(work)?;
    let (rank, other) = (mine.rank(), theirs.rank());
    if other.manager_counter != rank.manager_counter {
        return if other > rank { adopt(work, &theirs) } else { Ok(Told::Nothing) };
    }
    let device = work.identity()?.ok_or(StoreError::Damaged)?.device;
    if !theirs.devices().iter().any(|entry| entry.device == device) {
        // It was revoked, or is not known there yet: those who know sign. To put oneself back would be
        // answered by the same again, until the removal is read.
        return Ok(Told::Nothing);
    }
    let merged = merge(work, &mine, &theirs)?;
    if merged == theirs.devices() && other > rank {
        return adopt(work, &theirs);
    }
    let same = mine.devices() == theirs.devices();
    if merged == mine.devices() && (rank > other || same) {
        return Ok(Told::Nothing);
    }
    sign_again(work, rank.version.max(other.version), merged)?;
    // spec: LNK-121
    Ok(Told::Cards)
}

fn adopt(work: &mut Work<'_>, list: &DeviceList) -> Result<Told, StoreError> {
    take_list(work, SignedList { version: list.rank().version.0, bytes: list.to_bytes() })?;
    work.event(Event::DevicesChanged)?;
    Ok(Told::Nothing)
}

/// What one of two lists names, but for the revoked, in order.
fn merge(
    work: &Work<'_>,
    mine: &DeviceList,
    theirs: &DeviceList,
) -> Result<Vec<DeviceEntry>, StoreError> {
    let mut merged: BTreeMap<DeviceId, DeviceEntry> = BTreeMap::new();
    for entry in theirs.devices().iter().chain(mine.devices()) {
        if !is_revoked(work, &entry.device)? {
            merged.insert(entry.device, entry.clone());
        }
    }
    Ok(merged.into_values().collect())
}

fn take_revoked(work: &mut Work<'_>, payload: &[u8]) -> Result<(), StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?.device;
    match DeviceId::try_from(payload) {
        // A device learns of its own end from the log.
        Ok(device) if device != me => forget_device(work, &device),
        _ => Ok(()),
    }
}

fn take_name(work: &mut Work<'_>, payload: &[u8]) -> Result<(), StoreError> {
    let Some(named) = DeviceNamed::of_payload(payload) else { return Ok(()) };
    match chats::check_name(named.name.as_str()) {
        Ok(name) => name_device(work, &named.device, &name),
        Err(_) => Ok(()),
    }
}

fn take_verified(work: &mut Work<'_>, payload: &[u8]) -> Result<(), StoreError> {
    let Some(ContactCompared { person, comparison }) = ContactCompared::of_payload(payload) else {
        return Ok(());
    };
    let Some(mut contact) = contacts::load(work, &person)? else { return Ok(()) };
    contact.verification = match comparison {
        Comparison::Open => Verification::Unverified,
        Comparison::Equal => Verification::Verified,
    };
    contacts::save(work, &person, &contact)?;
    work.event(Event::ContactChanged(ContactNumber(contact.number)))
}

pub(super) fn revoked_entries(work: &Work<'_>) -> Result<Vec<ControlEntry>, StoreError> {
    let rows = work.tx.list::<RevokedRecord>(REVOKED_PREFIX, usize::MAX)?;
    let entry = |row: Keyed<RevokedRecord>| {
        let payload = row.key.get(REVOKED_PREFIX.len()..)?.to_vec();
        Some(ControlEntry { kind: ControlKind::DeviceRevoked, payload })
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}

pub(super) fn send_all(work: &mut Work<'_>, entries: &[ControlEntry]) -> Result<(), StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    control::send_all(work, &own_group, entries, ENTRIES_PER_MESSAGE)
}

#[cfg(test)]
mod tests;
