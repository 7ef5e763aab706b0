//! Which of the epochs that this device left are watched, and until when (spec: CLI-190).

use hushwire_wire::id::{ChannelId, EpochId, Timestamp};

use super::{
    FORK_WAIT_MS, FORK_WATCH_MS, GRACE_MAX_MS, WATCH_GAP_MAX_MS, departing, review, roster,
    unsettled,
};
use crate::{
    advance, clock, groups, log,
    record::{
        Arrival, Doubt, EpochRecord, GroupRecord, LeftRecord, Saying, Search, Unsettled, Watch,
        by_channel,
    },
    store::{StoreError, Table},
    stuck::Health,
    work::Work,
};

/// Epochs of a channel that are watched; the oldest goes.
const WATCHED_MAX: usize = 64;
/// How many of them are those that were left last, whatever was heard in others.
const NEWEST: usize = WATCHED_MAX / 2;

/// An epoch that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) epoch: EpochId,
    pub(crate) urgency: Urgency,
    /// When this device's statement is due, or a look.
    pub(crate) say_at: Option<Timestamp>,
    /// When something has to be decided.
    pub(crate) ends_at: Option<Timestamp>,
}

/// How soon there may be something new in a watched epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Nothing is expected.
    Calm,
    /// Its members have parted, perhaps.
    Pressing,
}

/// A row of a channel's epochs.
pub(super) struct Row {
    pub(super) epoch: EpochId,
    pub(super) record: EpochRecord,
}

pub(super) fn rows(work: &Work<'_>, channel: &ChannelId) -> Result<Vec<Row>, StoreError> {
    let rows = work.tx.list::<EpochRecord>(channel.as_bytes(), usize::MAX)?;
    rows.into_iter()
        .map(|row| {
            let epoch = row.key.get(ChannelId::LENGTH..).unwrap_or_default();
            let epoch = EpochId::from_slice(epoch).map_err(|_| StoreError::Damaged)?;
            Ok(Row { epoch, record: row.record })
        })
        .collect()
}

/// Whether a device is in this epoch, or still watches it.
pub(super) fn is_in_or_watches(
    work: &Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    epoch: &EpochId,
) -> Result<bool, StoreError> {
    let row = work.tx.load::<EpochRecord>(&by_channel(channel, epoch))?;
    Ok(group.epoch == *epoch || row.is_some_and(|row| row.left.is_some()))
}

/// What speaks for watching an epoch on: the later, the more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Nothing was heard.
    Calm,
    /// This device has said something there, or is about to.
    Spoken,
    /// Its place is not certain: it waits for others there, or is in doubt.
    Uncertain,
}

/// What a row is to the watch.
struct Kept {
    weight: Weight,
    is_over: bool,
    left_ms: u64,
    read_ms: u64,
    epoch: EpochId,
}

/// Epochs that stay: the current ones, and those that are watched, but for the oldest where they are
/// too many. Half of them are the ones that were left last, so that nobody has this device forget one
/// by speaking in others; for the rest one where members have parted, perhaps, gives way to none where
/// they have not (spec: CLI-190).
pub(crate) fn kept(
    work: &Work<'_>,
    channel: &ChannelId,
    current: &[EpochId],
) -> Result<Vec<EpochId>, StoreError> {
    let group = groups::record(work, channel)?;
    let mut watched = Vec::new();
    for Row { epoch, record } in rows(work, channel)? {
        let Some(left) = record.left else { continue };
        let unsettled = group.as_ref().and_then(|group| unsettled_in(group, &epoch));
        let weight = weight(&left, unsettled.as_ref());
        let (is_over, left_ms) = (is_over(&left), left.left_ms);
        watched.push(Kept { weight, is_over, left_ms, read_ms: record.read_ms, epoch });
    }
    // By the relay's clock as well: who reads a long log does not watch all of it.
    let newest = watched.iter().map(|kept| kept.read_ms).max().unwrap_or(0);
    watched.retain(|kept| {
        let recent = kept.read_ms.saturating_add(FORK_WATCH_MS) >= newest;
        kept.weight > Weight::Calm || (recent && !kept.is_over)
    });
    watched.sort_unstable_by_key(|kept| (kept.left_ms, kept.read_ms));
    let left_last = watched.split_off(watched.len().saturating_sub(NEWEST));
    watched.sort_by_key(|kept| kept.weight);
    let surplus = watched.len().saturating_sub(WATCHED_MAX - NEWEST);
    let kept = watched.into_iter().skip(surplus).chain(left_last).map(|kept| kept.epoch);
    Ok(current.iter().copied().chain(kept).collect())
}

fn weight(left: &LeftRecord, unsettled: Option<&Unsettled>) -> Weight {
    if unsettled.is_some() || left.doubt.is_some() {
        Weight::Uncertain
    } else if left.saying == Saying::Silent {
        Weight::Calm
    } else {
        Weight::Spoken
    }
}

/// Counts the time since the last look: a clock that was set forward does not end the watch.
pub(super) fn count(left: &mut LeftRecord, now: Timestamp) {
    let Watch { counted_ms, until_ms } = left.watch();
    let gap_ms = now.ms_since(Timestamp(until_ms)).min(WATCH_GAP_MAX_MS);
    left.watch = Some(Watch { counted_ms: counted_ms.saturating_add(gap_ms), until_ms: now.0 });
}

fn is_over(left: &LeftRecord) -> bool {
    left.watch().counted_ms >= FORK_WATCH_MS
}

/// A look is over, and nothing is to be said: watching ends with the one that makes its time full,
/// unless this device still waits there (spec: CLI-190).
pub(super) fn rest(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let (record, _) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = &record.left else { return Ok(()) };
    let unsettled = unsettled_in(&group, epoch);
    let speaks = matches!(left.saying, Saying::Planned { .. } | Saying::Sealed { .. });
    if !is_over(left) || speaks || weight(left, unsettled.as_ref()) == Weight::Uncertain {
        return Ok(());
    }
    log::save_epoch(work, channel, epoch, &EpochRecord { left: None, ..record })?;
    let kept = kept(work, channel, &[group.epoch])?;
    advance::forget_epochs(work, channel, &kept)?;
    work.effects.channels.insert(*channel);
    Ok(())
}

/// What is stored of an epoch cannot be used: it is watched no more, and all else goes on.
pub(crate) fn forget(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    if groups::record(work, channel)?.is_some_and(|group| group.epoch == *epoch) {
        return Err(StoreError::Damaged);
    }
    work.tx.remove(Table::Epoch, &by_channel(channel, epoch));
    unsettled::without(work, channel)?;
    work.effects.channels.insert(*channel);
    Ok(())
}

/// This device looked, and the relay showed nothing.
pub(crate) fn in_vain(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let row = work.tx.load::<EpochRecord>(&by_channel(channel, epoch))?;
    let Some(mut record) = row else { return Ok(()) };
    let Some(left) = &mut record.left else { return Ok(()) };
    count(left, work.now);
    log::save_epoch(work, channel, epoch, &record)?;
    work.effects.channels.insert(*channel);
    rest(work, channel, epoch)
}

/// The epochs of a channel that are watched.
pub(crate) fn watched(work: &Work<'_>, channel: &ChannelId) -> Result<Vec<Watched>, StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(Vec::new()) };
    if !group.state.is_in() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for Row { epoch, record } in rows(work, channel)? {
        let Some(left) = record.left else { continue };
        let unsettled = unsettled_in(&group, &epoch);
        let say_at = match left.saying {
            Saying::Planned { at_ms } => Some(Timestamp(at_ms)),
            Saying::Sealed { .. } => Some(Timestamp(0)),
            Saying::Silent | Saying::Done | Saying::NoRoom => None,
        };
        let sought = left.asked_ms > left.looked_ms;
        let say_at = if sought { Some(Timestamp(0)) } else { say_at };
        let pressing = sought || unsettled.is_some() || left.saying != Saying::Silent;
        let urgency = if pressing { Urgency::Pressing } else { Urgency::Calm };
        let ends_at = ends_at(&left, unsettled.as_ref());
        found.push(Watched { epoch, urgency, say_at, ends_at });
    }
    Ok(found)
}

fn unsettled_in(group: &GroupRecord, epoch: &EpochId) -> Option<Unsettled> {
    group.unsettled.filter(|unsettled| unsettled.epoch == *epoch)
}

/// When waiting ends, or a doubt; never, while this device asks to be added again and others may still
/// speak.
fn ends_at(left: &LeftRecord, unsettled: Option<&Unsettled>) -> Option<Timestamp> {
    let doubt = left.doubt.map(|doubt| Timestamp(doubt.until_ms));
    doubt.into_iter().chain(waits_until(unsettled)).min()
}

fn waits_until(unsettled: Option<&Unsettled>) -> Option<Timestamp> {
    match unsettled? {
        Unsettled { search: Search::Asks, arrival: Arrival::InTime, .. } => None,
        unsettled => Some(Timestamp(unsettled.since_ms.saturating_add(FORK_WAIT_MS))),
    }
}

/// What cannot be read of the epochs of a group, but for the current one, is not watched any more
/// (spec: CLI-161).
pub(crate) fn examine(
    work: &mut Work<'_>,
    channel: &ChannelId,
    current: &EpochId,
) -> Result<Health, StoreError> {
    let mut health = Health::Sound;
    for key in work.tx.keys(Table::Epoch, channel.as_bytes())? {
        if key == by_channel(channel, current) {
            continue;
        }
        let read = work.tx.load::<EpochRecord>(&key).and_then(|record| {
            let left = record.and_then(|record| record.left);
            left.map(|left| roster::load(work, channel, &left)).transpose()
        });
        match read {
            Ok(_) => {}
            Err(StoreError::Damaged) => {
                work.tx.remove(Table::Epoch, &key);
                health = Health::Damaged;
            }
            Err(error) => return Err(error),
        }
    }
    if health == Health::Damaged {
        unsettled::without(work, channel)?;
        work.effects.channels.insert(*channel);
    }
    Ok(health)
}

/// The time of waiting, or of a doubt, is over (spec: CLI-193, CLI-196, CLI-197).
pub(crate) fn expired(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let (record, _) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = &record.left else { return Ok(()) };
    if left.doubt.is_some_and(|doubt| doubt.until_ms <= work.now.0) {
        return review(work, channel, epoch);
    }
    let Some(unsettled) = unsettled_in(&group, epoch) else { return Ok(()) };
    let end_ms = unsettled.since_ms.saturating_add(FORK_WAIT_MS);
    match clock::is_over(work.now, end_ms, FORK_WAIT_MS) {
        true => unsettled::waited(work, channel, epoch),
        false => Ok(()),
    }
}

/// No wait is longer than one that begins now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    departing::cut_times(work, channel)?;
    if let Some(mut group) = groups::record(work, channel)?
        && let Some(unsettled) = &mut group.unsettled
        && unsettled.since_ms > work.now.0
    {
        unsettled.since_ms = work.now.0;
        groups::save(work, channel, &group)?;
    }
    for Row { epoch, mut record } in rows(work, channel).unwrap_or_default() {
        let Some(left) = &mut record.left else { continue };
        let latest_ms = work.now.plus_ms(GRACE_MAX_MS).0;
        for since_ms in [&mut left.left_ms, &mut left.looked_ms, &mut left.asked_ms] {
            *since_ms = work.now.0.min(*since_ms);
        }
        let Watch { counted_ms, until_ms } = left.watch();
        left.watch = Some(Watch { counted_ms, until_ms: until_ms.min(work.now.0) });
        left.doubt =
            left.doubt.map(|doubt| Doubt { until_ms: doubt.until_ms.min(latest_ms), ..doubt });
        log::save_epoch(work, channel, &epoch, &record)?;
    }
    Ok(())
}
