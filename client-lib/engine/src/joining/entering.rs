//! Coming in: what an invitation that holds makes of this device's records, and whom it tells.

use hushwire_protocol::{
    group::{Joined, Member},
    identity::{DeviceCredential, Fingerprint},
    invitation::Invitation,
};
use hushwire_wire::id::{ChannelId, EpochId};

use super::{purpose, take_card};
use crate::{
    advance,
    command::{ChatNumber, Whose},
    contacts, control, devices,
    direct::{self, standing::Standing},
    event::Event,
    forks, groups,
    inbox::Fault,
    log, outbox, own_group,
    record::{Entered, GroupRecord, GroupState, PurposeRecord},
    refreshing, rejoin, revoking, shelf,
    store::StoreError,
    stuck,
    work::Work,
};

/// What this device knew of a group, and of the invitation to it, before it came in.
pub(super) struct Before {
    pub(super) record: Option<GroupRecord>,
    /// Who invites.
    pub(super) whose: Whose,
    /// The chat of an asking that the invitation answers.
    pub(super) asked: Option<ChatNumber>,
    /// Whether what it leads on from was read to its end since the invitation came.
    pub(super) read: bool,
}

/// This device is in: its chat, its row, and whom it has to tell.
pub(super) fn enter(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
    joined: &Joined,
    before: Before,
) -> Result<(), Fault> {
    let from_me = before.whose == Whose::Mine;
    // Who lets somebody in by a link does not become a contact by that (spec: LNK-101).
    if !from_me && before.asked.is_none() {
        take_card(work, sender, &invitation.sender)?;
    }
    shelf::used(work, &joined.package)?;
    let purpose = purpose::of(work, invitation, joined, &before)?;
    let Before { record: known, asked, .. } = before;
    let channel = invitation.group.channel;
    let epoch = invitation.group.epoch;
    let back = known.filter(|known| known.state == GroupState::Stuck);
    let rejoined_ms = match &back {
        Some(known) => come_back(work, &channel, known, &sender.identity(), &epoch)?,
        None => Vec::new(),
    };
    advance::begin_epoch(work, &channel, &epoch, &joined.keys)?;
    let members = joined.group.members().map_err(log::store_error)?;
    if back.is_some() {
        tell_change(work, &channel, purpose, &members)?;
        forks::invite_again(work, &channel, purpose, &members)?;
    }
    stuck::note_roster(work, &channel, &members)?;
    let inviter = sender.identity();
    let begun = GroupRecord::begun(
        work.now,
        &invitation.group.relay.to_string(),
        purpose,
        invitation.group.epoch,
        joined.group.state().rules,
    );
    let invited_by = (!from_me && asked.is_none()).then_some(inviter);
    let record = GroupRecord { rejoined_ms, ..row_of(begun, back.as_ref(), inviter, invited_by) };
    groups::save(work, &channel, &record)?;
    refreshing::renewed(work, &channel)?;
    work.effects.channels.insert(channel);
    if revoking::wish_out(work, &channel, &members)? {
        direct::standing::unheard_from(work, &channel, &record)?;
    }
    if back.is_none() {
        // An invitation that came late is no reason to ask any more.
        rejoin::end(work, &channel)?;
    }
    if let PurposeRecord::Direct { chat, contact } = purpose {
        let person = contacts::by_contact(work, contact).map_err(|_| StoreError::Damaged)?;
        direct::standing::entered(work, &channel, &person, sender)?;
        purpose::entered_direct(work, &channel, chat, contact)?;
        // spec: LNK-110, LNK-112
        if !from_me && direct::standing::of(work, &channel)? != Standing::Doubtful {
            control::send_card(work, &channel, &inviter)?;
        }
    }
    bring_devices(work, &channel, &record, &members, back.as_ref(), &inviter)?;
    if purpose == PurposeRecord::OwnDevices {
        own_group::entered(work, &channel, &joined.group, &members)?;
    }
    Ok(())
}

/// A group's row, for a device that this identity brought in. Where it is back, it stays whose doing it is
/// that it is there, and who leads it (spec: CLI-218).
fn row_of(
    begun: GroupRecord,
    back: Option<&GroupRecord>,
    by: Fingerprint,
    invited_by: Option<Fingerprint>,
) -> GroupRecord {
    let Some(known) = back else {
        let entered = Some(Entered { by, at_ms: begun.epoch_since_ms });
        return GroupRecord { invited_by, entered, ..begun };
    };
    let GroupRecord { invited_by, entered, .. } = *known;
    let inviter_left_ms = forks::still_led(known, &by);
    GroupRecord { invited_by, entered, inviter_left_ms, ..begun }
}

/// Own devices come along: another person told this one alone of the group; and by an own device it is
/// back without those that it brought into a branch that it left (spec: CLI-186).
fn bring_devices(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    members: &[Member],
    back: Option<&GroupRecord>,
    inviter: &Fingerprint,
) -> Result<(), StoreError> {
    if *inviter != work.me()? {
        // spec: LNK-112, LNK-120
        if group.purpose.is_former() || !direct::standing::takes_devices(work, channel, group)? {
            return Ok(());
        }
        devices::tell_group(work, channel)?;
        return devices::add_missing_devices(work, channel, members, inviter);
    }
    if back.is_some() && groups::is_of_all_devices(group) {
        devices::add_absent(work, channel, members)?;
    }
    Ok(())
}

/// Who came and who went while this device was not in, is told like a commit that does it: also who was
/// removed, and is in again since the relay lost that (spec: CLI-180).
fn tell_change(
    work: &mut Work<'_>,
    channel: &ChannelId,
    purpose: PurposeRecord,
    members: &[Member],
) -> Result<(), StoreError> {
    let PurposeRecord::Group { chat } = purpose else { return Ok(()) };
    let before = stuck::roster(work, channel)?;
    let now = groups::identities(members);
    let only_in = |these: &[Fingerprint], others: &[Fingerprint]| -> Vec<String> {
        these.iter().filter(|it| !others.contains(it)).map(Fingerprint::to_hex).collect()
    };
    let (added, removed) = (only_in(&now, &before), only_in(&before, &now));
    if !added.is_empty() {
        work.event(Event::MembersAdded { chat, members: added })?;
    }
    if !removed.is_empty() {
        work.event(Event::MembersRemoved { chat, members: removed })?;
    }
    Ok(())
}

/// What is left of the group as it was: what was sealed for an earlier epoch is sealed anew, in its
/// order; who got it before knows it by its id (spec: CLI-163, CNT-012).
fn come_back(
    work: &mut Work<'_>,
    channel: &ChannelId,
    known: &GroupRecord,
    inviter: &Fingerprint,
    joined: &EpochId,
) -> Result<Vec<u64>, StoreError> {
    let epoch = log::epoch_state(work, channel, &known.epoch);
    let read_ms = epoch.map_or(0, |(epoch, _)| epoch.read_ms).max(known.epoch_since_ms);
    if let Some(group) = groups::record(work, channel)? {
        forks::exchanged(work, channel, &group, inviter)?;
    }
    forks::back_by(work, channel, &known.epoch, joined)?;
    outbox::epoch_over(work, channel)?;
    // What was left before it got stuck may part its members still (spec: CLI-198).
    let kept = match forks::kept(work, channel, &[]) {
        Err(StoreError::Damaged) => Vec::new(),
        kept => kept?,
    };
    advance::forget_epochs(work, channel, &kept)?;
    rejoin::came_back(work, channel, known, read_ms)
}
