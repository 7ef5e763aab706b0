//! What all own devices share, and how each hears of it: in the group of own devices (spec: IDN-055).

use std::collections::BTreeMap;

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    identity::{
        DeviceEntry, DeviceId, DeviceList, DeviceListRank, DeviceListVersion, Fingerprint,
        device_list::DEVICES_MAX,
    },
    invitation::ContactCard,
    own_devices::{Comparison, ContactCompared, DeviceNamed},
    profile::ProfileName,
};
use hushwire_wire::id::ChannelId;

use super::{
    DeviceNameRecord, REVOKED_PREFIX, RevokedRecord, device_list, forget_device, is_revoked,
    name_device, name_key, send_safe_card, sign_again, take_list, version_behind,
};
use crate::{
    asking, capabilities, chats,
    command::{ContactNumber, Verification},
    contacts, control,
    event::{Event, Warning},
    groups, inbox, inbox_keys,
    profile::SignedList,
    record::{ContactRecord, InboxRecord, Keyed},
    rejoin,
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

/// Tells the other own devices that this one is in a group: one of them whose invitation was lost asks for
/// it (spec: LNK-124).
pub(crate) fn tell_group(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    if device_list(work)?.devices().len() < 2 {
        return Ok(());
    }
    send_all(work, &[group_entry(channel)])
}

fn group_entry(channel: &ChannelId) -> ControlEntry {
    ControlEntry { kind: ControlKind::GroupJoined, payload: channel.as_bytes().to_vec() }
}

/// Tells own devices that just came in what all share: contacts, device names, the device list, groups
/// (spec: IDN-055, LNK-124).
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
    let shared = groups::all_where(work, groups::is_of_all_devices)?;
    entries.extend(shared.iter().map(|(channel, _)| group_entry(channel)));
    send_all(work, &entries)?;
    inbox_keys::tell_again(work)
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// Contacts are to hear how to write to this identity now.
    Cards,
}

/// Takes the lists that one message of another own device tells; signs one at most for all of them
/// (spec: CLI-148).
pub(crate) fn take_lists_of_own_group<'a>(
    work: &mut Work<'_>,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<Told, StoreError> {
    let told = bring_together(work, payloads)?;
    // A device that was not listed here yet may have been all that they waited for.
    inbox_keys::tell(work)?;
    Ok(told)
}

/// Takes what else another own device says of the state that all share. What makes no sense changes
/// nothing.
pub(crate) fn take_state(
    work: &mut Work<'_>,
    from: &DeviceId,
    kind: ControlKind,
    payload: &[u8],
) -> Result<(), StoreError> {
    match kind {
        ControlKind::ContactAdded => {
            if let Ok(card) = ContactCard::decode(payload) {
                contacts::ensure(work, &card.identity(), Some(&card))?;
            }
        }
        ControlKind::InboxKeysRotated => inbox_keys::take(work, from, payload)?,
        ControlKind::DeviceNamed => take_name(work, payload)?,
        ControlKind::ContactVerified => take_verified(work, payload)?,
        ControlKind::CapabilityMade => capabilities::take_told(work, payload)?,
        ControlKind::DeviceRevoked => take_revoked(work, payload)?,
        ControlKind::GroupJoined => {
            if let Ok(channel) = ChannelId::from_slice(payload) {
                rejoin::wait_to_be_invited(work, &channel)?;
            }
        }
        ControlKind::GroupAsked => asking::take_asked(work, payload)?,
        ControlKind::GroupAskingOver => asking::take_over(work, payload)?,
        _ => {}
    }
    Ok(())
}

/// Takes what an own device says of the list in a direct group, in one message. A contact goes by the
/// highest one that they read there, so this device has to know it, whoever said it (spec: LNK-121); it
/// signs one behind all of them (spec: CLI-148).
pub(crate) fn take_lists_of_direct<'a>(
    work: &mut Work<'_>,
    channel: &ChannelId,
    contact: ContactNumber,
    from: &DeviceId,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<(), StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?;
    if *from == me.device {
        return Ok(());
    }
    let mine = device_list(work)?;
    let fingerprint = me.fingerprint();
    let lists = payloads.filter_map(|payload| DeviceList::decode(payload, &fingerprint).ok());
    // spec: IDN-082, IDN-084
    let counts = |other: &DeviceListRank| {
        let above = other.manager_counter == mine.rank().manager_counter && *other > mine.rank();
        above && !other.version.is_beyond(work.now, CLOCK_OFF_MS)
    };
    let Some(highest) = lists.map(|list| list.rank()).filter(counts).max() else { return Ok(()) };
    note_version_told(work, highest.version)?;
    // Others tell it in the own group as well, with all that are revoked.
    if !is_revoked(work, from)? {
        return Ok(());
    }
    sign_again(work, highest.version, mine.devices().to_vec())?;
    let person = contacts::by_contact(work, contact).map_err(|_| StoreError::Damaged)?;
    send_safe_card(work, channel, &person)
}

/// What this device signs is behind a list of that version from now on.
fn note_version_told(work: &Work<'_>, version: DeviceListVersion) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    record.list_version_told = record.list_version_told.max(version.0);
    work.tx.save(InboxRecord::KEY, &record)
}

/// Takes another device's list, or brings it and the own one together: two devices may have changed
/// the list at once, and what each of them did counts (spec: IDN-063). Of several it is done one after the
/// other, and what comes of all is signed once.
fn bring_together<'a>(
    work: &mut Work<'_>,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<Told, StoreError> {
    let me = work.me()?;
    let mut list = Merging::of(device_list(work)?);
    for payload in payloads {
        if let Ok(theirs) = DeviceList::decode(payload, &me) {
            list.take(work, theirs)?;
        }
    }
    // spec: CLI-149
    if let Some(version) = list.passed_over {
        note_version_told(work, version)?;
        work.event(Event::Warning(Warning::TooManyDevices))?;
    }
    match list.outcome {
        Outcome::Same => Ok(Told::Nothing),
        Outcome::Theirs(theirs) => adopt(work, &theirs),
        Outcome::Both { behind } => {
            sign_again(work, behind, list.devices)?;
            // spec: LNK-121
            Ok(Told::Cards)
        }
    }
}

/// The own list, as it is after those of others.
struct Merging {
    rank: DeviceListRank,
    devices: Vec<DeviceEntry>,
    outcome: Outcome,
    /// The highest of the lists for which there is no room beside this one.
    passed_over: Option<DeviceListVersion>,
}

/// What is to be done for that.
enum Outcome {
    Same,
    /// Another device has signed it.
    Theirs(Box<DeviceList>),
    /// This device signs it, behind that version.
    Both {
        behind: DeviceListVersion,
    },
}

impl Merging {
    fn of(list: DeviceList) -> Self {
        let (rank, devices) = (list.rank(), list.devices().to_vec());
        Self { rank, devices, outcome: Outcome::Same, passed_over: None }
    }

    fn take(&mut self, work: &Work<'_>, theirs: DeviceList) -> Result<(), StoreError> {
        let other = theirs.rank();
        // spec: IDN-082
        if other.version.is_beyond(work.now, CLOCK_OFF_MS) {
            return Ok(());
        }
        if other.manager_counter != self.rank.manager_counter {
            if other > self.rank {
                self.adopt(theirs);
            }
            return Ok(());
        }
        let device = work.identity()?.ok_or(StoreError::Damaged)?.device;
        if !theirs.devices().iter().any(|entry| entry.device == device) {
            // It was revoked, or is not known there yet: those who know sign. To put oneself back would be
            // answered by the same again, until the removal is read.
            return Ok(());
        }
        let merged = merge(work, &self.devices, theirs.devices())?;
        // spec: CLI-149
        if merged.len() > DEVICES_MAX {
            self.passed_over = self.passed_over.max(Some(other.version));
            return Ok(());
        }
        if merged == theirs.devices() && other > self.rank {
            self.adopt(theirs);
            return Ok(());
        }
        let same = self.devices == theirs.devices();
        if merged == self.devices && (self.rank > other || same) {
            return Ok(());
        }
        let behind = self.rank.version.max(other.version);
        self.rank.version = version_behind(work, behind)?;
        self.devices = merged;
        self.outcome = Outcome::Both { behind };
        Ok(())
    }

    fn adopt(&mut self, theirs: DeviceList) {
        self.rank = theirs.rank();
        self.devices = theirs.devices().to_vec();
        self.outcome = Outcome::Theirs(Box::new(theirs));
    }
}

fn adopt(work: &mut Work<'_>, list: &DeviceList) -> Result<Told, StoreError> {
    take_list(work, SignedList { version: list.rank().version.0, bytes: list.to_bytes() })?;
    work.event(Event::DevicesChanged)?;
    Ok(Told::Nothing)
}

/// What one of two lists names, but for the revoked, in order.
fn merge(
    work: &Work<'_>,
    mine: &[DeviceEntry],
    theirs: &[DeviceEntry],
) -> Result<Vec<DeviceEntry>, StoreError> {
    let mut merged: BTreeMap<DeviceId, DeviceEntry> = BTreeMap::new();
    for entry in theirs.iter().chain(mine) {
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
