//! Direct chats: one chat for each contact, carried by one group, or by two for a while when both
//! sides began at once.
//!
//! A group is *open* once the other side is in it; before that nothing is sealed for it, because
//! the other side could not read it. Of several open groups the one with the lowest channel id is
//! written to, but for those in which this device is stuck; all are read (spec: CLI-016, LNK-094).

use hushwire_protocol::{group::GroupKind, identity::Fingerprint};
use hushwire_wire::id::ChannelId;

use crate::{
    chats,
    command::{ChatNumber, ChatState, CommandError, ContactNumber, FailureReason},
    contacts, devices,
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
    let first = before.iter().map(|(channel, _)| *channel).min();
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

/// A random channel id, below that one.
fn channel_before(work: &mut Work<'_>, first: Option<ChannelId>) -> ChannelId {
    let mut bytes: [u8; ChannelId::LENGTH] = work.random();
    let Some(first) = first else { return ChannelId::from_bytes(bytes) };
    for (byte, bound) in bytes.iter_mut().zip(first.as_bytes()) {
        // As long as it is not below yet, no byte is above.
        match bound {
            0 => *byte = 0,
            bound => {
                *byte %= bound;
                break;
            }
        }
    }
    ChannelId::from_bytes(bytes)
}

/// Ends a group that the chat does without: texts that wait go to the other channel, and what was
/// about the group itself means nothing any more.
fn let_go(work: &mut Work<'_>, channel: &ChannelId, next: &ChannelId) -> Result<(), StoreError> {
    outbox::move_texts(work, channel, next)?;
    for row in wish::of_channel(work, channel)? {
        work.settle(row.number);
    }
    groups::drop_group(work, channel)
}

/// This device is stuck in one group of a direct chat: the chat goes on in another one, if it can
/// (spec: LNK-094).
pub(crate) fn stuck(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
) -> Result<(), StoreError> {
    let is_open = |group: &GroupRecord| group.opened && group.state == GroupState::Member;
    let others = groups_of(work, chat)?.into_iter().filter(|(_, group)| is_open(group));
    let Some(next) = others.map(|(other, _)| other).min() else {
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
/// groups before given up, by the order in which they are written to (spec: LNK-065). Says whether
/// there is room.
pub(crate) fn make_room(
    work: &mut Work<'_>,
    mut open: Vec<ChannelId>,
    channel: &ChannelId,
) -> Result<Room, StoreError> {
    open.retain(|open| open != channel);
    open.sort_unstable();
    while open.len() >= DIRECT_GROUPS_MAX {
        let (Some(last), Some(first)) = (open.pop(), open.first().copied()) else { break };
        if last < *channel {
            return Ok(Room::None);
        }
        let_go(work, &last, &first.min(*channel))?;
        // Or a contact who begins for ever would fill the store.
        work.tx.remove(Table::Group, last.as_bytes());
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
    if !group.opened {
        // Own devices come in after the other side, so that they see whose chat it is.
        devices::add_own_devices(work, channel)?;
    }
    group.opened = true;
    groups::save(work, channel, &group)?;
    work.effects.channels.insert(*channel);
    let Some(mut record) = chats::load(work, chat)? else { return Ok(()) };
    let current = match record.channel {
        Some(current) => groups::record(work, &current)?
            .filter(|group| group.opened && group.state.is_in())
            .map(|_| current),
        None => None,
    };
    let carries = current.map_or(*channel, |current| current.min(*channel));
    record.carry(carries);
    chats::save(work, chat, &record)?;
    for (other, group) in groups_of(work, chat)? {
        if group.state == GroupState::Stuck {
            outbox::move_texts(work, &other, &carries)?;
        }
    }
    chats::set_state(work, chat, ChatState::Open)?;
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
    let rows = work.tx.list::<GroupRecord>(&[], usize::MAX)?;
    rows.into_iter()
        .filter(|row| {
            matches!(row.record.purpose, PurposeRecord::Direct { chat: own, .. } if own == chat)
        })
        .map(|row| {
            let channel = ChannelId::from_slice(&row.key).map_err(|_| StoreError::Damaged)?;
            Ok((channel, row.record))
        })
        .collect()
}
