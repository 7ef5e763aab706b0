//! Groups that another one took the place of: what is said there is still read, and nothing is done
//! there any more (spec: CLI-203).

use hushwire_protocol::identity::Fingerprint;
use hushwire_wire::id::{ChannelId, Timestamp};

use crate::{
    chats,
    command::{ChatNumber, FailureReason},
    door,
    event::Event,
    groups, invitations, log, outbox, packages,
    record::{GroupRecord, PurposeRecord, Wish},
    rejoin,
    store::StoreError,
    wish,
    work::Work,
};

/// How long a former group is read, in milliseconds: 30 days. Who comes online by then still hears
/// what was said there, and where the group goes on.
const FORMER_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A chat goes on in this group: those that carried it are former ones.
pub(crate) fn retire(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
) -> Result<(), StoreError> {
    for before in groups::channels(work)? {
        let Some(group) = groups::record(work, &before)? else { continue };
        if before == *channel || group.purpose != (PurposeRecord::Group { chat }) {
            continue;
        }
        rejoin::end(work, &before)?;
        door::forget(work, &before)?;
        let purpose = PurposeRecord::Former { chat, since_ms: work.now.0 };
        let log = log_of(work, &before, &group)?;
        groups::save(work, &before, &GroupRecord { purpose, contest: None, ..group })?;
        work.effects.channels.insert(before);
        move_wishes(work, &before, *channel, log)?;
    }
    Ok(())
}

/// Whether what was sealed for the log of a group may still turn out to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    GoesOn,
    /// This device cannot read it.
    Lost,
    /// It takes no messages, and those that it took were read; commits it may take.
    Closed,
}

fn log_of(work: &Work<'_>, channel: &ChannelId, group: &GroupRecord) -> Result<Log, StoreError> {
    if !group.state.is_in() {
        return Ok(Log::Lost);
    }
    let (epoch, _) = log::epoch_state(work, channel, &group.epoch)?;
    Ok(if epoch.candidates.is_empty() { Log::GoesOn } else { Log::Closed })
}

/// Whether the chat of this group goes on in another one.
pub(crate) fn is_former(work: &Work<'_>, channel: &ChannelId) -> Result<bool, StoreError> {
    let group = groups::record(work, channel)?;
    Ok(group.is_some_and(|group| matches!(group.purpose, PurposeRecord::Former { .. })))
}

/// The log of a former group has a commit, is lost, or is read no longer: what was sealed for it and did
/// not come goes where the chat goes on. Who has it knows it again (spec: CNT-045).
pub(crate) fn left_behind(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let PurposeRecord::Former { chat, .. } = group.purpose else { return Ok(()) };
    let Some(next) = chats::load(work, chat)?.and_then(|chat| chat.channel) else { return Ok(()) };
    outbox::move_texts(work, channel, &next)
}

/// What a person still waits for goes with the chat; what was about the group before means nothing
/// any more. What was sealed may be in the log already: that is known when more of it is read. A commit
/// that is there has to be known as one's own.
fn move_wishes(
    work: &mut Work<'_>,
    before: &ChannelId,
    channel: ChannelId,
    log: Log,
) -> Result<(), StoreError> {
    for row in wish::of_channel(work, before)? {
        let under_way = log != Log::Lost && outbox::is_sealed(work, row.number)?;
        match row.wish {
            Wish::SendContent { message: Some(_), .. } if under_way && log == Log::GoesOn => {}
            Wish::SendContent { content, message: Some(shown), .. } => {
                outbox::unseal(work, row.number)?;
                outbox::move_content(work, row.number, channel, content, Some(shown))?;
            }
            Wish::ChangeGroup { change, .. } if under_way => {
                work.wish(Wish::ChangeGroup { channel, change })?;
            }
            Wish::AddPerson { person, .. } => {
                work.settle(row.number);
                move_addition(work, before, &channel, &person)?;
            }
            Wish::ChangeGroup { change, .. } => {
                work.settle(row.number);
                work.wish(Wish::ChangeGroup { channel, change })?;
            }
            // The message is not in the new group.
            Wish::Pin { .. } | Wish::Leave { .. } => {
                wish::fail(work, row.number, FailureReason::NotAMember)?;
            }
            // spec: CLI-214
            Wish::ReadGroup { .. } | Wish::SendReceipts { .. } | Wish::SendContent { .. }
                if log == Log::Lost =>
            {
                work.settle(row.number);
            }
            Wish::SendReceipts { .. }
            | Wish::ReadGroup { .. }
            | Wish::Upload { .. }
            | Wish::Download { .. }
            | Wish::OfferSuccessor { .. }
            | Wish::SendContent { .. } => {}
            Wish::RefreshLeaf { .. } | Wish::CommitAdditions { .. } if under_way => {}
            Wish::RemoveDevice { .. } => {}
            _ => work.settle(row.number),
        }
    }
    Ok(())
}

/// Somebody was to come in. Who asked at the door of the group before, and is no contact, is known there
/// only, and takes no invitation to another group (spec: CLI-203, LNK-100).
fn move_addition(
    work: &mut Work<'_>,
    before: &ChannelId,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<(), StoreError> {
    if invitations::card_of(work, Some(channel), person)?.is_some() {
        return packages::wish_person(work, channel, person);
    }
    let reason = FailureReason::LinkNotValid;
    match groups::record(work, before)?.and_then(|group| super::chat_of(&group)) {
        Some(chat) => work.event(Event::AdditionFailed { chat, member: person.to_hex(), reason }),
        None => Ok(()),
    }
}

/// Former groups are given up when nobody is waited for there any more.
pub(crate) fn tend(work: &mut Work<'_>) -> Result<(), StoreError> {
    for channel in groups::channels(work)? {
        let Some(group) = groups::record(work, &channel)? else { continue };
        let PurposeRecord::Former { chat, since_ms } = group.purpose else { continue };
        // No end is further away than it can be (spec: CLI-137).
        if since_ms > work.now.0 {
            let purpose = PurposeRecord::Former { chat, since_ms: work.now.0 };
            groups::save(work, &channel, &GroupRecord { purpose, ..group })?;
        } else if Timestamp(since_ms).plus_ms(FORMER_LIFE_MS) <= work.now
            && group.state != crate::record::GroupState::Out
        {
            left_behind(work, &channel)?;
            for row in wish::of_channel(work, &channel)? {
                match row.wish {
                    Wish::SendContent { message: Some(_), .. } => {
                        wish::fail(work, row.number, FailureReason::NotAMember)?;
                    }
                    _ => work.settle(row.number),
                }
            }
            groups::drop_group(work, &channel)?;
        }
    }
    Ok(())
}
