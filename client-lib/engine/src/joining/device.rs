//! Whether a device still speaks for its person.
//!
//! A certificate has no end: a device that its person has revoked can show it for ever, and still
//! has the keys and capabilities of its time. What ends is its place among the person's devices,
//! and this is what is asked (spec: LNK-058).

use hushwire_protocol::identity::{DeviceCredential, Fingerprint};
use hushwire_wire::id::ChannelId;

use crate::{
    contacts, devices,
    event::InvitationRefusal,
    inbox::Fault,
    log, profile,
    record::{GroupRecord, PurposeRecord},
    store::StoreError,
    work::Work,
};

/// Refuses a device that is none of its person's, as far as this device knows them.
pub(super) fn check(work: &mut Work<'_>, sender: &DeviceCredential) -> Result<(), Fault> {
    let person = sender.identity();
    let me = profile::fingerprint(work).map_err(|_| StoreError::Damaged)?;
    let known = if person == me {
        // Of a removal it reads before it gets the list that follows.
        devices::device_list(work)?.entry(sender.certificate()).is_ok()
            && !devices::is_revoked(work, &sender.device())?
    } else {
        is_known(work, &person, sender)?
    };
    if known { Ok(()) } else { Err(Fault::Refused(InvitationRefusal::DeviceNotKnown)) }
}

/// A contact's devices are those in the direct chat. Before it has begun, any device begins it; and
/// one of a newer manager key counts more than all that are there (spec: IDN-021).
fn is_known(
    work: &mut Work<'_>,
    person: &Fingerprint,
    sender: &DeviceCredential,
) -> Result<bool, StoreError> {
    let mut newest = None;
    for channel in &open_channels(work, person)? {
        for credential in credentials(work, channel, person)? {
            if credential == *sender {
                return Ok(true);
            }
            newest = newest.max(Some(credential.manager_counter()));
        }
    }
    // Where no device of theirs is, the chat is over, and any begins it anew.
    Ok(newest.is_none_or(|newest| sender.manager_counter() > newest))
}

/// The devices of somebody in a group.
fn credentials(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<Vec<DeviceCredential>, StoreError> {
    let members = log::load_group(work, channel)?.members().map_err(log::store_error)?;
    let theirs = members.into_iter().filter(|member| member.identity() == *person);
    Ok(theirs.map(|member| member.credential).collect())
}

/// The channels of the direct chat with somebody that can carry it.
pub(super) fn open_channels(
    work: &Work<'_>,
    person: &Fingerprint,
) -> Result<Vec<ChannelId>, StoreError> {
    let Some(number) = contacts::load(work, person)?.map(|contact| contact.number) else {
        return Ok(Vec::new());
    };
    let carries = |group: &GroupRecord| {
        group.opened
            && group.state.is_in()
            && matches!(group.purpose, PurposeRecord::Direct { contact, .. } if contact.0 == number)
    };
    let rows = work.tx.list::<GroupRecord>(&[], usize::MAX)?;
    rows.iter()
        .filter(|row| carries(&row.record))
        .map(|row| ChannelId::from_slice(&row.key).map_err(|_| StoreError::Damaged))
        .collect()
}
