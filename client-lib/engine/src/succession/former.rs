//! Groups that another one took the place of: what is said there is still read, and nothing is done
//! there any more (spec: CLI-203).

use hushwire_wire::id::{ChannelId, Timestamp};

use crate::{
    command::{ChatNumber, FailureReason},
    direct, door, groups,
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
        groups::save(work, &before, &GroupRecord { purpose, contest: None, ..group })?;
        work.effects.channels.insert(before);
        move_wishes(work, &before, *channel)?;
    }
    Ok(())
}

/// What a person still waits for goes with the chat; what was about the group before means nothing
/// any more.
fn move_wishes(
    work: &mut Work<'_>,
    before: &ChannelId,
    channel: ChannelId,
) -> Result<(), StoreError> {
    for row in wish::of_channel(work, before)? {
        match row.wish {
            Wish::SendContent { content, message: Some(shown), .. } => {
                direct::move_content(work, row.number, channel, content, Some(shown))?;
            }
            Wish::AddPerson { person, .. } => {
                work.settle(row.number);
                crate::packages::wish_person(work, &channel, &person)?;
            }
            Wish::ChangeGroup { change, .. } => {
                work.settle(row.number);
                work.wish(Wish::ChangeGroup { channel, change })?;
            }
            // The message is not in the new group.
            Wish::Pin { .. } | Wish::Leave { .. } => {
                wish::fail(work, row.number, FailureReason::NotAMember)?;
            }
            Wish::SendReceipts { .. }
            | Wish::Upload { .. }
            | Wish::Download { .. }
            | Wish::OfferSuccessor { .. }
            | Wish::SendContent { .. } => {}
            _ => work.settle(row.number),
        }
    }
    Ok(())
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
            for row in wish::of_channel(work, &channel)? {
                work.settle(row.number);
            }
            groups::drop_group(work, &channel)?;
        }
    }
    Ok(())
}
