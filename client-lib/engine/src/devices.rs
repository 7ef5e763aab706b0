//! The devices of this identity: their list, and keeping each of them in every group. What they tell
//! each other is in `shared`.

mod shared;

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    group::Member,
    identity::{DeviceEntry, DeviceId, DeviceList, DeviceListVersion, Fingerprint},
};
use hushwire_wire::{id::ChannelId, message::Request};
use serde::{Deserialize, Serialize};

pub(crate) use self::shared::{
    Told, take_lists_of_direct, take_lists_of_own_group, take_state, tell_contact, tell_everything,
    tell_group, tell_name, tell_verification,
};
use self::shared::{revoked_entries, send_all};
use crate::{
    additions,
    advance::{self, Moved},
    capabilities,
    command::{CommandError, DeviceInfo, DeviceNumber, FailureReason, ThisDevice},
    contacts, control,
    direct::{self, standing::Standing},
    event::Event,
    groups, inbox, inbox_keys,
    linking::granted,
    links, log,
    profile::{self, SignedList},
    record::{GroupState, IdentityRecord, InboxRecord, Packages, PurposeRecord, Record, Wish},
    refreshing, revoking,
    session::OwnClock,
    store::{StoreError, Table},
    wish::{self, Desk, Step},
    work::Work,
};

/// The age at which a device list is signed anew, in milliseconds.
const LIST_RENEW_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// What one step of a device's turn adds to it, in milliseconds; a turn has up to 255 of them.
const TURN_MS: u64 = 60 * 60 * 1000;

/// What a device is called. Key: `device `, device id.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceNameRecord {
    pub(crate) name: String,
}

impl Record for DeviceNameRecord {
    const TABLE: Table = Table::Profile;
}

/// What a device is called by here. Key: `number `, device id.
#[derive(Serialize, Deserialize)]
struct DeviceNumberRecord {
    number: DeviceNumber,
}

impl Record for DeviceNumberRecord {
    const TABLE: Table = Table::Profile;
}

/// A device that was revoked. Key: `revoked `, device id.
#[derive(Serialize, Deserialize)]
struct RevokedRecord {}

impl Record for RevokedRecord {
    const TABLE: Table = Table::Profile;
}

const REVOKED_PREFIX: &[u8] = b"revoked ";

fn revoked_key(device: &DeviceId) -> Vec<u8> {
    [REVOKED_PREFIX, device.as_ref()].concat()
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
    let me = work.me()?;
    DeviceList::decode(&record.device_list, &me).map_err(|_| StoreError::Damaged)
}

/// The number of a device of this identity, given when it is first asked for: no other device gets
/// it, also when this one is gone (spec: IDN-066).
pub(crate) fn number_of(work: &Work<'_>, device: &DeviceId) -> Result<DeviceNumber, StoreError> {
    let key = [&b"number "[..], device.as_ref()].concat();
    if let Some(known) = work.tx.load::<DeviceNumberRecord>(&key)? {
        return Ok(known.number);
    }
    let number = DeviceNumber(work.count(|counters| &mut counters.device)?);
    work.tx.save(&key, &DeviceNumberRecord { number })?;
    Ok(number)
}

/// The device with this number, if the list names it.
pub(crate) fn numbered(
    work: &Work<'_>,
    number: DeviceNumber,
) -> Result<Option<DeviceEntry>, StoreError> {
    for entry in device_list(work)?.devices() {
        if number_of(work, &entry.device)? == number {
            return Ok(Some(entry.clone()));
        }
    }
    Ok(None)
}

/// The devices, by number.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<DeviceInfo>, StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?;
    let list = device_list(work)?;
    let mut devices = Vec::new();
    for entry in list.devices() {
        let named: Option<DeviceNameRecord> = work.tx.load(&name_key(&entry.device))?;
        let current = if entry.device == me.device { ThisDevice::Yes } else { ThisDevice::No };
        devices.push(DeviceInfo {
            number: number_of(work, &entry.device)?,
            name: named.map(|record| record.name).unwrap_or_default(),
            current,
        });
    }
    devices.sort_by_key(|device| device.number);
    Ok(devices)
}

/// Puts the current device list to the inbox, sealed.
pub(crate) fn put_list(work: &mut Work<'_>, desk: &Desk) -> Result<Step, StoreError> {
    let record = inbox::required(work)?;
    if inbox::waits_for_own_group(work, &record)? {
        // Nobody knows the shelf key yet under which it would lie.
        return Ok(Step::Later(work.now.plus_ms(revoking::OWN_GROUP_REST_MS)));
    }
    let sealed = record
        .shelf_key()?
        .seal_device_list(&record.inbox, &record.device_list, work.rng)
        .map_err(|_| StoreError::Failed)?;
    Ok(inbox::request(desk, |handle| Request::DeviceListPut { handle, device_list: sealed.into() }))
}

/// Keeps a newer device list and wishes it at the inbox. Each device does, so that an older list
/// which one of them puts late does not stay there.
pub(crate) fn take_list(work: &mut Work<'_>, list: SignedList) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    record.cards_again_ms = (list.version > work.now.0).then_some(list.version);
    record.device_list_version = list.version;
    record.device_list = list.bytes;
    work.tx.save(InboxRecord::KEY, &record)?;
    work.effects.held_clearer = true;
    work.wish(Wish::PutDeviceList)?;
    // Numbered in the order in which they come.
    for entry in device_list(work)?.devices() {
        number_of(work, &entry.device)?;
    }
    Ok(())
}

/// Gives up adding a device.
fn drop_additions(work: &mut Work<'_>, device: &DeviceId) -> Result<(), StoreError> {
    for row in wish::additions_of(work, device)? {
        // A commit that is under way cannot be taken back; the removal follows it.
        work.settle(row);
    }
    Ok(())
}

/// A device is revoked: no list names it any more, and nobody adds it.
pub(crate) fn forget_device(work: &mut Work<'_>, device: &DeviceId) -> Result<(), StoreError> {
    granted::arrived(work, device);
    drop_additions(work, device)?;
    if is_revoked(work, device)? {
        return Ok(());
    }
    work.tx.save(&revoked_key(device), &RevokedRecord {})?;
    let mut record = inbox::required(work)?;
    record.seal_key_ends = true;
    work.tx.save(InboxRecord::KEY, &record)?;
    // It had all that were own ones (spec: IDN-057).
    capabilities::end_earlier(work, |_| true)?;
    direct::standing::own_revoked(work, device)
}

/// What this identity's contacts have not taken, as its version was too far ahead, they are told again
/// (spec: IDN-084).
pub(crate) fn tell_again(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    match record.cards_again_ms {
        Some(time) if time <= work.now.0 => {
            record.cards_again_ms = None;
            work.tx.save(InboxRecord::KEY, &record)?;
            send_cards(work)
        }
        _ => Ok(()),
    }
}

/// Whether a device was revoked.
pub(crate) fn is_revoked(work: &Work<'_>, device: &DeviceId) -> Result<bool, StoreError> {
    Ok(work.tx.load::<RevokedRecord>(&revoked_key(device))?.is_some())
}

/// Whether the own group has a device that the list does not name: its removal is under way.
pub(crate) fn has_unlisted(work: &mut Work<'_>) -> Result<bool, StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    let list = device_list(work)?;
    let members = log::load_group(work, &own_group)?.members().map_err(log::store_error)?;
    let listed = |device| list.devices().iter().any(|entry| entry.device == device);
    Ok(!members.iter().all(|member| listed(member.device())))
}

/// Devices that were linked and have not spoken in the own group, as far as that was read.
pub(crate) fn unfinished(work: &Work<'_>) -> Result<Vec<DeviceId>, StoreError> {
    let mut found = Vec::new();
    for entry in device_list(work)?.devices() {
        if is_unfinished(work, entry)? {
            found.push(entry.device);
        }
    }
    Ok(found)
}

fn is_unfinished(work: &Work<'_>, entry: &DeviceEntry) -> Result<bool, StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    Ok(wish::adds(work, &own_group, &entry.device)? || granted::waits(work, &entry.device)?)
}

/// The inbox gets other keys while devices that were linked have not spoken in the own group: what they were
/// granted opens nothing any more, and their invitations may still lie in the inbox. The linking has failed
/// (spec: IDN-063).
pub(crate) fn withdraw(work: &mut Work<'_>, unheard: &[DeviceId]) -> Result<(), StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    let list = device_list(work)?;
    let mut kept = Vec::new();
    for entry in list.devices() {
        if unheard.contains(&entry.device) {
            forget_device(work, &entry.device)?;
            // For a commit that is under way.
            work.wish(Wish::RemoveDevice { channel: own_group, device: entry.device })?;
            work.event(Event::DeviceLinkFailed(FailureReason::DevicesChanged))?;
        } else {
            kept.push(entry.clone());
        }
    }
    if kept.len() < list.devices().len() {
        sign_again(work, list.rank().version, kept)?;
    }
    Ok(())
}

/// The version of a list that comes behind that one, and behind all that contacts were told of, or that
/// were passed over (spec: LNK-121, CLI-149).
pub(crate) fn version_behind(
    work: &Work<'_>,
    version: DeviceListVersion,
) -> Result<DeviceListVersion, StoreError> {
    let told = inbox::required(work)?.list_version_told;
    Ok(DeviceListVersion(version.0.max(told).saturating_add(1)))
}

/// Signs a list behind `version` and tells the other devices, with all that are revoked.
fn sign_again(
    work: &mut Work<'_>,
    version: DeviceListVersion,
    entries: Vec<DeviceEntry>,
) -> Result<(), StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let Some(manager) = identity.manager_key() else { return Ok(()) };
    let statement = identity.statement()?;
    let version = version_behind(work, version)?;
    let list = profile::sign_list(work, &manager, &statement, version, entries)
        .map_err(|_| StoreError::Failed)?;
    let listed = ControlEntry { kind: ControlKind::DevicesListed, payload: list.bytes.clone() };
    take_list(work, list)?;
    let mut entries = revoked_entries(work)?;
    entries.push(listed);
    send_all(work, &entries)?;
    work.event(Event::DevicesChanged)
}

/// Signs the device list anew, with the same devices, long before it cannot be used any more: a
/// person whom nobody could add would not know why. Each device begins at another time, so that
/// as a rule one of them does it (spec: IDN-064). A list from the future was signed by a wrong clock,
/// and others do not take it. A clock that the relay's contradicts could make it worse: what it signs
/// may be over already, or not begun. It waits while it can: a relay's clock stops nobody's list
/// (spec: IDN-067).
pub(crate) fn renew_list(work: &mut Work<'_>, clock: OwnClock) -> Result<(), StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let list = device_list(work)?;
    let turn = identity.device.as_ref().first().copied().map_or(0, u64::from);
    let turn = turn.saturating_mul(TURN_MS);
    let is_due = match clock {
        OwnClock::Agrees => {
            let due = list.issued_at().plus_ms(LIST_RENEW_MS).plus_ms(turn);
            work.now >= due || work.now < list.issued_at()
        }
        OwnClock::Differs => {
            let last_third_ms = list.expires_at().ms_since(list.issued_at()) / 3;
            let left_ms = list.expires_at().ms_since(work.now);
            left_ms <= last_third_ms.saturating_sub(turn)
        }
    };
    if !is_due || identity.revoked {
        return Ok(());
    }
    sign_again(work, list.rank().version, list.devices().to_vec())
}

/// Wishes to have every other device of this identity in a group.
pub(crate) fn add_own_devices(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?.device;
    for entry in to_have(work)?.iter().filter(|entry| entry.device != me) {
        add_device(work, channel, entry)?;
    }
    Ok(())
}

/// The devices that belong in groups. That one was revoked is known before the list without it is told:
/// with its slot its key packages are gone, and a wish for them would wait for ever (spec: CLI-157).
fn to_have(work: &Work<'_>) -> Result<Vec<DeviceEntry>, StoreError> {
    let mut entries = Vec::new();
    for entry in device_list(work)?.devices() {
        if !is_revoked(work, &entry.device)? {
            entries.push(entry.clone());
        }
    }
    Ok(entries)
}

/// Wishes to have in a group that this device was just invited to the own devices that its inviter did
/// not know of yet, and to tell them of the inviter, who has not written to them (spec: IDN-054).
pub(crate) fn add_missing_devices(
    work: &mut Work<'_>,
    channel: &ChannelId,
    members: &[Member],
    inviter: &Fingerprint,
) -> Result<(), StoreError> {
    match add_absent(work, channel, members)? {
        0 => Ok(()),
        _ => tell_contact(work, inviter),
    }
}

/// Wishes to have in a group the own devices that are not there; says how many these are.
pub(crate) fn add_absent(
    work: &mut Work<'_>,
    channel: &ChannelId,
    members: &[Member],
) -> Result<usize, StoreError> {
    let is_absent = |entry: &DeviceEntry| !members.iter().any(|leaf| leaf.device() == entry.device);
    let mut absent = to_have(work)?;
    absent.retain(is_absent);
    for entry in &absent {
        add_device(work, channel, entry)?;
    }
    Ok(absent.len())
}

/// Wishes to have an own device in a group. The list that it has to stand in is this device's own:
/// the one at the relay may still be older.
fn add_device(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &DeviceEntry,
) -> Result<(), StoreError> {
    let packages = Packages {
        missing: vec![entry.slot],
        listed: true,
        device_list: serde_bytes::ByteBuf::from(inbox::required(work)?.device_list),
        ..Packages::default()
    };
    additions::wish(work, Wish::AddDevice { channel: *channel, device: entry.device, packages })
}

/// Wishes to have a device that was linked just now in every group, the own one first; contacts
/// learn that older device lists do not count any more (spec: IDN-054).
pub(crate) fn admit(work: &mut Work<'_>, entry: &DeviceEntry) -> Result<(), StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    granted::note(work, &entry.device)?;
    add_device(work, &own_group, entry)?;
    for channel in groups::channels(work)? {
        let Some(group) = groups::record(work, &channel)? else { continue };
        // Where a chat goes on elsewhere, it would be another chat (spec: IDN-054).
        let here = matches!(group.state, GroupState::Member | GroupState::Creating)
            && !group.purpose.is_former();
        // Direct groups that wait for the other side, or for a word of its, get own devices once that has
        // come (spec: LNK-112).
        let takes = direct::standing::takes_devices(work, &channel, &group)?;
        if here && group.opened && takes && channel != own_group {
            add_device(work, &channel, entry)?;
        }
    }
    links::put_again(work)?;
    send_cards(work)
}

/// Tells every contact how to write to this identity now.
pub(crate) fn send_cards(work: &mut Work<'_>) -> Result<(), StoreError> {
    for channel in groups::channels(work)? {
        let Some(group) = groups::record(work, &channel)? else { continue };
        let PurposeRecord::Direct { contact, .. } = group.purpose else { continue };
        let doubtful = direct::standing::of(work, &channel)? == Standing::Doubtful;
        if group.opened && group.state == GroupState::Member && !doubtful {
            let person = contacts::by_contact(work, contact).map_err(|_| StoreError::Damaged)?;
            send_safe_card(work, &channel, &person)?;
        }
    }
    Ok(())
}

/// Who waits for new keys in a group is told by them (spec: IDN-076).
fn send_safe_card(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<(), StoreError> {
    if refreshing::waits(work, channel)? {
        return Ok(());
    }
    control::send_card(work, channel, person)
}

/// The other side was heard in a direct group in which it was not for sure: what was held back there is
/// done, own devices that came meanwhile are added, and the card is sent (spec: LNK-112, LNK-120).
pub(crate) fn catch_up(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<(), StoreError> {
    let members = groups::members_of(&log::load_group(work, channel)?)?;
    add_absent(work, channel, &members)?;
    send_safe_card(work, channel, person)
}

/// The group of own devices moved on.
pub(crate) fn own_group_moved(work: &mut Work<'_>, moved: &Moved) -> Result<(), StoreError> {
    if moved.added.is_empty() && moved.removed.is_empty() {
        return Ok(());
    }
    // Who was added again is no less a device than before.
    let is_back = |device| moved.readmitted.iter().any(|back| back.device() == device);
    let gone: Vec<DeviceId> = moved.removed.iter().map(Member::device).collect();
    for device in gone.iter().copied().filter(|device| !is_back(*device)) {
        forget_device(work, &device)?;
    }
    if !gone.is_empty() {
        inbox_keys::tell(work)?;
    }
    work.event(Event::DevicesChanged)
}

/// Refuses what a device may do among its identity's devices only once it is in their group: alone,
/// nobody would hear of it, and nobody might be left to let it in (spec: IDN-071).
pub(crate) fn check_in(work: &Work<'_>, identity: &IdentityRecord) -> Result<(), CommandError> {
    match groups::record(work, &identity.own_group)? {
        Some(_) => Ok(()),
        None => Err(CommandError::NotInYet),
    }
}

/// This device is out of its own identity: it stops, and says so. It is out of every group, also
/// where nobody has removed it yet, and nothing that it wished happens (spec: IDN-070).
pub(crate) fn this_device_revoked(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut identity = work.identity()?.ok_or(StoreError::Damaged)?;
    identity.revoked = true;
    work.tx.save(IdentityRecord::KEY, &identity)?;
    work.effects.inbox = true;
    work.event(Event::ThisDeviceRevoked)?;
    for (channel, group) in groups::all_where(work, |group| group.state.is_in())? {
        let mls = log::load_group(work, &channel)?;
        advance::shut_out(work, &channel, &group, mls)?;
    }
    for number in wish::open(work)? {
        wish::fail(work, number, FailureReason::NotAMember)?;
        work.settle(number);
    }
    Ok(())
}
