//! Whether a device still speaks for its person.
//!
//! A certificate has no end: a device that its person has revoked can show it for ever, and still
//! has the keys and capabilities of its time. What ends is its place among the person's devices,
//! and this is what is asked (spec: LNK-058).

use hushwire_protocol::identity::{DeviceCredential, Fingerprint};

use crate::{
    devices, direct, event::InvitationRefusal, inbox::Fault, store::StoreError, work::Work,
};

/// Refuses a device that is none of its person's, as far as this device knows them.
pub(super) fn check(work: &mut Work<'_>, sender: &DeviceCredential) -> Result<(), Fault> {
    let person = sender.identity();
    let me = work.me()?;
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
/// one of a newer manager key counts more than all that are there (spec: IDN-021). One that is gone
/// counts no more, wherever it is (spec: LNK-111).
fn is_known(
    work: &mut Work<'_>,
    person: &Fingerprint,
    sender: &DeviceCredential,
) -> Result<bool, StoreError> {
    if direct::devices::is_gone(work, sender)? {
        return Ok(false);
    }
    let mut newest = None;
    for channel in &direct::devices::open_channels(work, person)? {
        for credential in direct::devices::credentials(work, channel, person)? {
            if credential == *sender {
                return Ok(true);
            }
            if direct::devices::is_gone(work, &credential)? {
                continue;
            }
            newest = newest.max(Some(credential.manager_counter()));
        }
    }
    // Where no device of theirs is, the chat is over, and any begins it anew.
    Ok(newest.is_none_or(|newest| sender.manager_counter() > newest))
}
