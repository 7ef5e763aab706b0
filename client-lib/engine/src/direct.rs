//! Direct chats: one chat for each contact, carried by one group, or by two for a while when both
//! sides began at once.
//!
//! A group is *open* once the other side is in it; before that nothing is sealed for it, because
//! the other side could not read it. Of several open groups the one with the lowest channel id is
//! written to, but for those in which this device is stuck, for doubtful ones, and for those in which
//! the contact was not heard, though it was elsewhere; all are read (spec: CLI-016, LNK-094, LNK-112, LNK-120).

pub(crate) mod devices;
pub(crate) mod standing;

use hushwire_protocol::{
    group::GroupKind,
    identity::{DeviceId, Fingerprint},
};
use hushwire_wire::id::ChannelId;

use self::standing::Standing;
use crate::{
    chats,
    command::{ChatNumber, ChatState, CommandError, ContactNumber, FailureReason},
    contacts,
    event::Event,
    groups, outbox,
    record::{GroupRecord, GroupState, PurposeRecord, Wish},
    store::{StoreError, Table},
    wish,
    work::Work,
};

/// Groups of a direct chat that this device is in at a time: two carry one that both sides began at
/// once, and one that was begun anew has one more.
const DIRECT_GROUPS_MAX: usize = 4;
/// Bytes at the beginning of a channel id that are not all zero: below it, others can be drawn.
const LOWER_BYTES: usize = 8;
/// Of how many parts of the ids below one that is lower takes the first (spec: LNK-115).
const LOWER_STEPS: u64 = 16;

/// Whether one more group of a direct chat is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    There,
    None,
}

/// Forms the group of a direct chat, with this identity's devices only.
pub(crate) fn form(
    work: &mut Work<'_>,
    channel: ChannelId,
    chat: ChatNumber,
    contact: ContactNumber,
) -> Result<(), CommandError> {
    let purpose = PurposeRecord::Direct { chat, contact };
    groups::form(work, channel, GroupKind::Direct, "", purpose)
}

/// A chat that is over, or that nobody has come into yet, goes on by another link, on another channel
/// (spec: LNK-070). Its channel comes before all that the chat had, so that it is the one that both
/// sides write to (spec: CLI-016). What waited for one of those goes there too.
pub(crate) fn begin_anew(work: &mut Work<'_>, chat: ChatNumber) -> Result<ChannelId, CommandError> {
    let mut record = chats::named(work, chat)?;
    if record.state == ChatState::Open {
        return Err(CommandError::AlreadyAContact);
    }
    let before = groups_of(work, chat)?;
    let mut first = None;
    for (channel, _) in &before {
        if standing::of(work, channel)? != Standing::Doubtful {
            first = Some(first.map_or(*channel, |first: ChannelId| first.min(*channel)));
        }
    }
    let channel = channel_before(work, first);
    for (old, group) in before {
        if group.state != GroupState::Out {
            let_go(work, &old, &channel)?;
        }
    }
    for number in wish::reaching(work, chat)? {
        work.settle(number);
    }
    record.carry(channel);
    chats::save(work, chat, &record)?;
    chats::set_state(work, chat, ChatState::Opening)?;
    Ok(channel)
}

/// A random channel id, below that one and not the last; not far below, as there are only so many
/// (spec: LNK-113, LNK-115).
fn channel_before(work: &mut Work<'_>, first: Option<ChannelId>) -> ChannelId {
    let mut bytes: [u8; ChannelId::LENGTH] = work.random();
    let Some((head, _)) = bytes.split_first_chunk_mut::<LOWER_BYTES>() else {
        return ChannelId::from_bytes(bytes);
    };
    let bound = first.as_ref().and_then(|first| first.as_bytes().first_chunk::<LOWER_BYTES>());
    let Some(bound) = bound else {
        *head = u64::from_be_bytes(*head).max(1).to_be_bytes();
        return ChannelId::from_bytes(bytes);
    };
    // No invitation leads below this, so that one can be drawn.
    let bound = u64::from_be_bytes(*bound).max(2);
    let step = (bound / LOWER_STEPS).max(1);
    *head = (bound - 1 - u64::from_be_bytes(*head) % step).to_be_bytes();
    ChannelId::from_bytes(bytes)
}

/// Whether no lower channel id could be drawn: the chat could not be begun anew (spec: LNK-113).
pub(crate) fn is_last(channel: &ChannelId) -> bool {
    channel.as_bytes().first_chunk::<LOWER_BYTES>() == Some(&[0; LOWER_BYTES])
}

/// Which of some groups of a chat goes before the others (spec: CLI-016, LNK-112).
fn first(
    work: &Work<'_>,
    groups: impl IntoIterator<Item = ChannelId>,
) -> Result<Option<ChannelId>, StoreError> {
    let mut best: Option<(Standing, ChannelId)> = None;
    for channel in groups {
        let this = (standing::of(work, &channel)?, channel);
        best = Some(best.map_or(this, |best| best.min(this)));
    }
    Ok(best.map(|(_, channel)| channel))
}

/// Whether a direct chat can go on in a group.
fn is_open(group: &GroupRecord) -> bool {
    group.opened && group.state == GroupState::Member
}

/// How the groups of a chat stand has changed: it goes on in the first of them, with what waits.
fn carry_on(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), StoreError> {
    let open = groups_of(work, chat)?.into_iter().filter(|(_, group)| is_open(group));
    let open: Vec<ChannelId> = open.map(|(channel, _)| channel).collect();
    let (Some(next), Some(mut record)) = (first(work, open)?, chats::load(work, chat)?) else {
        return Ok(());
    };
    if record.channel == Some(next) {
        return Ok(());
    }
    match record.channel {
        // It is as good as the other one: what is on its way there arrives.
        Some(before) if is_as_good(work, &before, &next)? => {
            outbox::move_unsealed(work, &before, &next)?;
        }
        Some(before) => outbox::move_texts(work, &before, &next)?,
        None => {}
    }
    record.carry(next);
    chats::save(work, chat, &record)?;
    work.effects.channels.insert(next);
    work.event(Event::ChatChanged(chat))
}

/// Whether a chat goes on elsewhere by the ids of its groups alone.
fn is_as_good(work: &Work<'_>, before: &ChannelId, next: &ChannelId) -> Result<bool, StoreError> {
    let open = groups::record(work, before)?.is_some_and(|group| is_open(&group));
    Ok(open && standing::of(work, before)? == standing::of(work, next)?)
}

/// Ends a group that the chat does without: texts that wait go to the other channel, and what was
/// about the group itself means nothing any more.
fn let_go(work: &mut Work<'_>, channel: &ChannelId, next: &ChannelId) -> Result<(), StoreError> {
    outbox::move_texts(work, channel, next)?;
    for row in wish::of_channel(work, channel)? {
        work.settle(row.number);
    }
    // A doubtful one stays that: its id is no reason for a lower one (spec: LNK-070).
    if standing::of(work, channel)? != Standing::Doubtful {
        standing::forget(work, channel);
    }
    groups::drop_group(work, channel)
}

/// Takes what a contact says of their devices, if it is the newest word on that (spec: LNK-111). Said in
/// the group of `channel`, which is not given up while it is read.
pub(crate) fn take_list(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    payload: &[u8],
) -> Result<(), StoreError> {
    match devices::note_list(work, person, payload)? {
        Some(groups) => standing::sort_out(work, channel, person, groups),
        None => Ok(()),
    }
}

/// This device is stuck in one group of a direct chat: the chat goes on in another one, if it can
/// (spec: LNK-094).
pub(crate) fn stuck(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
) -> Result<(), StoreError> {
    let others = groups_of(work, chat)?.into_iter().filter(|(_, group)| is_open(group));
    let Some(next) = first(work, others.map(|(other, _)| other))? else {
        return chats::set_state(work, chat, ChatState::Stuck);
    };
    outbox::move_texts(work, channel, &next)?;
    let Some(mut record) = chats::load(work, chat)? else { return Ok(()) };
    if record.channel == Some(*channel) {
        record.carry(next);
        chats::save(work, chat, &record)?;
    }
    Ok(())
}

/// Room for one more group of a chat: a contact that begins anew again and again has the last of the
/// groups before given up, by the order in which they are written to (spec: LNK-065). The first in which
/// another device than the inviting one was heard stays: one device does not take the chat from the
/// others (spec: LNK-114). Says whether there is room.
pub(crate) fn make_room(
    work: &mut Work<'_>,
    mut open: Vec<ChannelId>,
    channel: &ChannelId,
    inviter: &DeviceId,
) -> Result<Room, StoreError> {
    open.retain(|open| open != channel);
    let mut shared = Vec::new();
    for open in &open {
        if standing::is_shared(work, open, inviter)? {
            shared.push(*open);
        }
    }
    let stays = first(work, shared)?;
    while open.len() >= DIRECT_GROUPS_MAX {
        let mut last: Option<(Standing, ChannelId)> = None;
        for open in open.iter().filter(|open| Some(**open) != stays) {
            last = last.max(Some((standing::of(work, open)?, *open)));
        }
        let Some((standing, last)) = last else { break };
        if standing == Standing::Plain && last < *channel {
            return Ok(Room::None);
        }
        open.retain(|open| *open != last);
        let next = first(work, open.iter().copied().chain([*channel]))?.unwrap_or(*channel);
        let_go(work, &last, &next)?;
        // Or a contact who begins for ever would fill the store.
        work.tx.remove(Table::Group, last.as_bytes());
        standing::forget(work, &last);
    }
    Ok(Room::There)
}

/// The other side is in the group of this channel.
pub(crate) fn opened(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    if !group.state.is_in() {
        // An item that the relay took when the group had been given up.
        return Ok(());
    }
    let was_opened = core::mem::replace(&mut group.opened, true);
    groups::save(work, channel, &group)?;
    work.effects.channels.insert(*channel);
    let Some(mut record) = chats::load(work, chat)? else { return Ok(()) };
    let current = match record.channel {
        Some(current) => groups::record(work, &current)?
            .filter(|group| group.opened && group.state.is_in())
            .map(|_| current),
        None => None,
    };
    let carries = first(work, current.into_iter().chain([*channel]))?.unwrap_or(*channel);
    record.carry(carries);
    chats::save(work, chat, &record)?;
    for (other, group) in groups_of(work, chat)? {
        if group.state == GroupState::Stuck {
            outbox::move_texts(work, &other, &carries)?;
        }
    }
    chats::set_state(work, chat, ChatState::Open)?;
    standing::weigh(work, chat)?;
    if !was_opened && standing::takes_devices(work, channel, &group)? {
        // Own devices come in after the other side, so that they see whose chat it is.
        crate::devices::add_own_devices(work, channel)?;
    }
    wake_additions(work, &group)
}

/// Whether this group of several has to wait for the direct chat with somebody to open: until then
/// they are known by a link, and what is sent by it may be all that it takes (spec: LNK-081).
pub(crate) fn is_opening(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<bool, StoreError> {
    let purpose = groups::record(work, channel)?.map(|group| group.purpose);
    if !matches!(purpose, Some(PurposeRecord::Group { .. })) {
        return Ok(false);
    }
    let Some(chat) = contacts::load(work, person)?.and_then(|contact| contact.chat) else {
        return Ok(false);
    };
    Ok(chats::load(work, chat)?.is_some_and(|chat| chat.state == ChatState::Opening))
}

/// A direct chat has opened, or will not: groups that its person is to come into wait no more.
fn wake_additions(work: &mut Work<'_>, group: &GroupRecord) -> Result<(), StoreError> {
    if let PurposeRecord::Direct { contact, .. } = group.purpose
        && let Some(person) = contacts::of_number(work, contact)?
    {
        work.effects.wished.extend(wish::of_person(work, &person)?);
    }
    Ok(())
}

/// The other side cannot be added to the group this side formed. If it is reachable by another
/// group, what waits goes there; else it fails. A group that was given up before, for one that was
/// begun anew, ends nothing.
pub(crate) fn give_up(
    work: &mut Work<'_>,
    chat: ChatNumber,
    channel: &ChannelId,
    reason: FailureReason,
) -> Result<(), StoreError> {
    let Some(record) = chats::load(work, chat)? else { return Ok(()) };
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    if group.opened || !group.state.is_in() {
        return Ok(());
    }
    let open = record.state == ChatState::Open;
    for row in wish::of_channel(work, channel)? {
        match (row.wish, record.channel) {
            (Wish::SendContent { content, message, .. }, Some(channel)) if open => {
                outbox::move_content(work, row.number, channel, content, message)?;
            }
            (Wish::SendContent { .. }, _) => wish::fail(work, row.number, reason)?,
            // What was about the group means nothing without it.
            _ => work.settle(row.number),
        }
    }
    groups::drop_group(work, channel)?;
    if !open {
        work.event(Event::ContactFailed { chat, reason })?;
        chats::set_state(work, chat, ChatState::Stuck)?;
    }
    wake_additions(work, &group)
}

/// The groups that carry a direct chat, or did.
fn groups_of(
    work: &Work<'_>,
    chat: ChatNumber,
) -> Result<Vec<(ChannelId, GroupRecord)>, StoreError> {
    groups::all_where(
        work,
        |group| matches!(group.purpose, PurposeRecord::Direct { chat: own, .. } if own == chat),
    )
}

#[cfg(test)]
mod tests;
