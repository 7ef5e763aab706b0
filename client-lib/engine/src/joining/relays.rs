//! Relays that invitations bring: each is one more that this device connects to for as long as it is
//! in a group there, and whoever invites names it.

use std::collections::BTreeSet;

use hushwire_protocol::{
    identity::Fingerprint,
    invitation::{Invitation, Purpose},
};

use super::waiting;
use crate::{
    command::Verification,
    contacts,
    event::InvitationRefusal,
    inbox::{self, Fault},
    record::{GroupRecord, GroupState},
    store::StoreError,
    work::Work,
};

/// Relays beside the own one with groups that this device is in (spec: LNK-067).
const RELAYS_MAX: usize = 16;
/// Relays among them that one other identity brought (spec: LNK-067).
const RELAYS_OF_ONE_MAX: usize = 2;

/// Refuses another identity's invitation that would bring one relay too many, and a direct group that
/// is neither at the own relay nor at that of the sender's card (spec: LNK-067, LNK-068).
pub(super) fn check(
    work: &Work<'_>,
    sender: &Fingerprint,
    invitation: &Invitation,
) -> Result<(), Fault> {
    let own = inbox::required(work)?.relay;
    let me = work.me()?;
    let named = invitation.group.relay.to_string();
    if named == own {
        return Ok(());
    }
    if invitation.purpose == Purpose::Direct && invitation.group.relay != invitation.sender.relay {
        return Err(Fault::Refused(InvitationRefusal::OtherRelay));
    }
    let groups = work.tx.list::<GroupRecord>(&[], usize::MAX)?;
    let groups = groups.iter().map(|row| &row.record);
    let others = groups.filter(|group| is_connected(group) && group.relay != own);
    let mut relays = BTreeSet::new();
    let mut of_sender = BTreeSet::new();
    for group in others {
        relays.insert(group.relay.as_str());
        if group.invited_by.as_ref() == Some(sender) {
            of_sender.insert(group.relay.as_str());
        }
    }
    // What waits for its snapshot is about to be in; an own device brings what is its own.
    let waiting = waiting::brought(work)?;
    for brought in waiting.iter().filter(|brought| brought.relay != own && brought.by != me) {
        relays.insert(brought.relay.as_str());
        if brought.by == *sender {
            of_sender.insert(brought.relay.as_str());
        }
    }
    // Whom this person sought or verified is not kept out by strangers.
    let friend = contacts::load(work, sender)?
        .is_some_and(|contact| contact.sought || contact.verification == Verification::Verified);
    let has_room = (friend || relays.len() < RELAYS_MAX) && of_sender.len() < RELAYS_OF_ONE_MAX;
    if has_room || relays.contains(named.as_str()) {
        Ok(())
    } else {
        Err(Fault::Refused(InvitationRefusal::TooManyRelays))
    }
}

/// Whether this device may connect to a relay that an owner or admin names, who formed a group anew
/// (spec: LNK-067, CLI-200).
pub(crate) fn has_room(work: &Work<'_>, relay: &str) -> Result<bool, StoreError> {
    let Some(own) = work.inbox()?.map(|inbox| inbox.relay) else { return Ok(false) };
    let groups = work.tx.list::<GroupRecord>(&[], usize::MAX)?;
    let connected = groups.iter().map(|row| &row.record).filter(|group| is_connected(group));
    let mut relays: BTreeSet<&str> = connected.map(|group| group.relay.as_str()).collect();
    relays.insert(own.as_str());
    // The own one is not counted.
    Ok(relays.contains(relay) || relays.len() <= RELAYS_MAX)
}

/// Whether this device keeps a session for a group, and means to.
const fn is_connected(group: &GroupRecord) -> bool {
    match group.state {
        GroupState::Creating | GroupState::Member => true,
        GroupState::Leaving | GroupState::Out | GroupState::Stuck => false,
    }
}
