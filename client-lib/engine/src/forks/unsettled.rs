//! Waiting for another member's word: from when this device is not sure that others went on behind the
//! same candidate, until it is, or comes back elsewhere (spec: CLI-191).

use hushwire_protocol::{group::PastRoster, identity::Fingerprint};
use hushwire_wire::id::{ChannelId, EntryId, EpochId};

use super::{FORK_WAIT_MS, FORK_WATCH_MS, UNSETTLED_MIN, departing, review};
use crate::{
    clock,
    event::Event,
    groups,
    record::{
        Arrival, CandidateRecord, Caution, EpochRecord, GroupRecord, GroupState, Search, Unsettled,
        Verdict, by_channel,
    },
    rejoin,
    store::{StoreError, Table},
    work::Work,
};

/// How long after the first candidate of an epoch those who applied it are sure to watch for others
/// still, in milliseconds: half as long as they do.
const IN_TIME_MS: u64 = FORK_WATCH_MS / 2;

/// Whether a device that applied `entry` has to wait for another's word.
pub(super) fn begin(
    work: &Work<'_>,
    epoch: &EpochId,
    record: &EpochRecord,
    entry: &EntryId,
    roster: &PastRoster,
) -> Option<Unsettled> {
    let alone = roster.members().len() < UNSETTLED_MIN;
    if !is_doubtful(record) || alone {
        return None;
    }
    let arrival = arrival(record, entry);
    let search = Search::Hears;
    let caution = Caution::Waits;
    Some(Unsettled { epoch: *epoch, since_ms: work.now.0, caution, search, arrival })
}

/// Whether others may have applied a candidate that this device refused.
pub(super) fn is_doubtful(record: &EpochRecord) -> bool {
    let doubtful =
        |known: &CandidateRecord| matches!(known.verdict, Verdict::Disputed | Verdict::Unjudged);
    record.candidates.iter().any(doubtful)
}

/// By the relay's times (spec: CLI-197).
fn arrival(record: &EpochRecord, entry: &EntryId) -> Arrival {
    let first_ms = record.candidates.first().map_or(0, |first| first.stored_ms);
    let applied = record.candidates.iter().find(|known| known.entry == *entry);
    let applied_ms = applied.map_or(0, |applied| applied.stored_ms);
    match applied_ms.saturating_sub(first_ms) {
        0..IN_TIME_MS => Arrival::InTime,
        _ => Arrival::Late,
    }
}

/// The group stands behind the candidate: its person is told (spec: CLI-191).
pub(super) fn tell(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(unsettled) = group.unsettled.filter(|unsettled| unsettled.epoch == *epoch) else {
        return Ok(());
    };
    work.event(Event::GroupUnsettled { chat: group.purpose.chat() })?;
    match unsettled.arrival {
        Arrival::InTime => Ok(()),
        Arrival::Late => ask(work, channel, group, unsettled),
    }
}

/// It waited for as long as others need at most. It asks to be added again and reads on; who came late
/// is as sure now as others are at once (spec: CLI-196, CLI-197).
pub(super) fn waited(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(unsettled) = group.unsettled else { return Ok(()) };
    ask(work, channel, group, Unsettled { arrival: Arrival::InTime, ..unsettled })?;
    review(work, channel, epoch)
}

fn ask(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: GroupRecord,
    unsettled: Unsettled,
) -> Result<(), StoreError> {
    let unsettled = Some(Unsettled { search: Search::Asks, ..unsettled });
    groups::save(work, channel, &GroupRecord { unsettled, ..group })?;
    work.effects.channels.insert(*channel);
    // An invitation may be there already (spec: LNK-080).
    work.effects.held_clearer = true;
    rejoin::begin(work, channel)
}

/// Whether this device may go by the word of one other already (spec: CLI-197).
pub(super) fn may_settle(work: &Work<'_>, unsettled: &Unsettled) -> bool {
    let end_ms = unsettled.since_ms.saturating_add(FORK_WAIT_MS);
    match unsettled.arrival {
        Arrival::InTime => true,
        Arrival::Late => clock::is_over(work.now, end_ms, FORK_WAIT_MS),
    }
}

/// Another member went on with it, as far as there is anything to go by (spec: CLI-192).
pub(super) fn settle(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(unsettled) = group.unsettled.filter(|unsettled| may_settle(work, unsettled)) else {
        return Ok(());
    };
    group.unsettled = None;
    groups::save(work, channel, &group)?;
    work.effects.channels.insert(*channel);
    if unsettled.search == Search::Asks && rejoin::is_over(work, channel)? {
        rejoin::end(work, channel)?;
    }
    work.event(Event::GroupSettled { chat: group.purpose.chat() })
}

/// Nothing can be heard where the epoch that it waits in cannot be read: it goes on as it is.
pub(super) fn without(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(unsettled) = group.unsettled else { return Ok(()) };
    match work.tx.row(Table::Epoch, &by_channel(channel, &unsettled.epoch))? {
        Some(_) => Ok(()),
        None => groups::save(work, channel, &GroupRecord { unsettled: None, ..group }),
    }
}

/// A member has no branch to go on in, and asks this device to add it again: whoever else is left goes
/// on with this one (spec: CLI-192).
pub(crate) fn sought(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let waits = groups::record(work, channel)?.is_some_and(|group| group.waits_for_others());
    if waits { settle(work, channel) } else { Ok(()) }
}

/// A group as it counts for an invitation of somebody: one where this device asks to be added again, and
/// reads on beside, is left for one that answers (spec: CLI-196), and one that its inviter has left for
/// one of that (spec: CLI-185).
pub(crate) fn as_asked(group: GroupRecord, inviter: &Fingerprint) -> GroupRecord {
    if group.state == GroupState::Member && departing::is_led_by(&group, inviter) {
        return GroupRecord { state: GroupState::Stuck, ..group };
    }
    match group.unsettled.filter(|unsettled| unsettled.search == Search::Asks) {
        Some(unsettled) if group.state == GroupState::Member => {
            GroupRecord { state: GroupState::Stuck, epoch: unsettled.epoch, ..group }
        }
        _ => group,
    }
}
