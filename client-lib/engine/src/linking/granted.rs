//! Devices that this one granted and that have not spoken in the own group yet: one that never comes is
//! revoked (spec: IDN-072), and one that keys change for is withdrawn (spec: IDN-063).

use hushwire_protocol::{group::Member, identity::DeviceId};
use serde::{Deserialize, Serialize};

use crate::{
    command::FailureReason,
    devices,
    event::Event,
    groups,
    record::Record,
    revoking,
    store::{StoreError, Table},
    work::Work,
};

/// How long a device that was linked has until key packages of it are there, in milliseconds.
const GRANT_WAIT_MS: u64 = 60 * 60 * 1000;

/// A device that this one linked and that was not heard in the own group yet. Key: `granted `, device id.
#[derive(Serialize, Deserialize)]
struct GrantedRecord {
    at_ms: u64,
}

impl Record for GrantedRecord {
    const TABLE: Table = Table::Profile;
}

fn granted_key(device: &DeviceId) -> Vec<u8> {
    [&b"granted "[..], device.as_ref()].concat()
}

/// A device was granted now.
pub(crate) fn note(work: &Work<'_>, device: &DeviceId) -> Result<(), StoreError> {
    work.tx.save(&granted_key(device), &GrantedRecord { at_ms: work.now.0 })
}

/// Whether a device was granted here and not heard yet: the invitation may still lie in the inbox.
pub(crate) fn waits(work: &Work<'_>, device: &DeviceId) -> Result<bool, StoreError> {
    Ok(work.tx.load::<GrantedRecord>(&granted_key(device))?.is_some())
}

/// A device spoke in the own group, or is not waited for any more.
pub(crate) fn arrived(work: &Work<'_>, device: &DeviceId) {
    work.tx.remove(Table::Profile, &granted_key(device));
}

/// A device that this one linked has no key package at the inbox. Within the hour it may be on its way;
/// later it never got the grant, or did not take it, and nobody may wait for it: it is revoked, since
/// the grant may lie with somebody (spec: IDN-072).
pub(crate) fn has_no_package(work: &mut Work<'_>, device: &DeviceId) -> Result<(), StoreError> {
    let granted = work.tx.load::<GrantedRecord>(&granted_key(device))?;
    let Some(granted) = granted else { return Ok(()) };
    // A beginning that lies ahead counts as now (spec: CLI-137).
    if granted.at_ms > work.now.0 {
        return note(work, device);
    }
    if work.now.0 - granted.at_ms < GRANT_WAIT_MS || is_in_own_group(work, device)? {
        return Ok(());
    }
    arrived(work, device);
    let list = devices::device_list(work)?;
    let Some(entry) = list.devices().iter().find(|entry| entry.device == *device) else {
        return Ok(());
    };
    revoking::shut_out(work, entry)?;
    work.event(Event::DeviceLinkFailed(FailureReason::Expired))?;
    work.event(Event::DevicesChanged)
}

/// Whether a device came into the own group: its key packages are used up, or not there yet.
fn is_in_own_group(work: &mut Work<'_>, device: &DeviceId) -> Result<bool, StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let Some(group) = groups::state_of(work, &identity.own_group) else { return Ok(false) };
    let is_it = |member: &Member| member.credential.device() == *device;
    Ok(groups::members_of(&group)?.iter().any(is_it))
}
