//! Direct chats: one chat for each contact, carried by one group, or by two for a while when both
//! sides began at once.
//!
//! A group is *open* once the other side is in it; before that nothing is sealed for it, because
//! the other side could not read it. Of several open groups the one with the lowest channel id is
//! written to; all are read (spec: CLI-016).

use hushwire_protocol::group::GroupKind;
use hushwire_wire::id::ChannelId;

use crate::{
    chats,
    command::{ChatNumber, ChatState, CommandError, ContactNumber, FailureReason},
    devices, groups,
    record::{GroupRecord, GroupState, PurposeRecord, Wish},
    store::StoreError,
    wish,
    work::Work,
};

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

/// A chat that is over, or that never came about because its link was not valid, goes on by another
/// link, on another channel (spec: LNK-070).
pub(crate) fn begin_anew(
    work: &mut Work<'_>,
    chat: ChatNumber,
    channel: ChannelId,
) -> Result<(), CommandError> {
    let mut record = chats::named(work, chat)?;
    match record.state {
        ChatState::Left | ChatState::Removed | ChatState::Stuck => {}
        ChatState::Open | ChatState::Opening => return Err(CommandError::AlreadyAContact),
    }
    record.channel = Some(channel);
    chats::save(work, chat, &record)?;
    Ok(chats::set_state(work, chat, ChatState::Opening)?)
}

/// The other side is in the group of this channel.
pub(crate) fn opened(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
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
            .filter(|group| group.opened && group.state != GroupState::Out)
            .map(|_| current),
        None => None,
    };
    record.channel = Some(current.map_or(*channel, |current| current.min(*channel)));
    chats::save(work, chat, &record)?;
    chats::set_state(work, chat, ChatState::Open)
}

/// The other side cannot be added to the group this side formed. If it is reachable by another
/// group, what waits goes there; else it fails.
pub(crate) fn give_up(
    work: &mut Work<'_>,
    chat: ChatNumber,
    reason: FailureReason,
) -> Result<(), StoreError> {
    let Some(record) = chats::load(work, chat)? else { return Ok(()) };
    let open = record.state == ChatState::Open;
    for closed in unopened(work, chat)? {
        for row in wish::of_channel(work, &closed)? {
            match (row.wish, record.channel) {
                (Wish::SendContent { content, message, .. }, Some(channel)) if open => {
                    let moved = Wish::SendContent { channel, content, message };
                    work.file_wish(row.number, &moved)?;
                    work.update_wish(row.number, moved)?;
                    work.effects.wished.push(row.number);
                }
                _ => wish::fail(work, row.number, reason)?,
            }
        }
        groups::drop_group(work, &closed)?;
    }
    if !open {
        chats::set_state(work, chat, ChatState::Stuck)?;
    }
    Ok(())
}

/// Channels of a direct chat whose other side never came in.
fn unopened(work: &Work<'_>, chat: ChatNumber) -> Result<Vec<ChannelId>, StoreError> {
    let rows = work.tx.list::<GroupRecord>(&[], usize::MAX)?;
    rows.iter()
        .filter(|row| {
            matches!(row.record.purpose, PurposeRecord::Direct { chat: own, .. } if own == chat)
        })
        .filter(|row| !row.record.opened && row.record.state != GroupState::Out)
        .map(|row| ChannelId::from_slice(&row.key).map_err(|_| StoreError::Damaged))
        .collect()
}
