//! New keys for this device: for its leaf in a group when it has been the same for long, and for
//! everything at once when its person asks.
//!
//! Whoever has read a device's store reads on in a group until that device's leaf has new keys; then
//! it is as shut out as a stranger (RFC 9420 section 16.6). No verdict of others depends on it: a
//! commit that only renews is as valid as any, whenever it comes.

use serde::{Deserialize, Serialize};

use hushwire_wire::id::ChannelId;

use crate::{
    backoff,
    command::CommandError,
    control, devices,
    event::Event,
    groups, inbox, inbox_keys, links, log, profile,
    record::{
        Cause, GroupState, InboxRecord, PurposeRecord, Record, Refresh, Refreshing, Wish,
        WishNumber,
    },
    revoking::{self, Replaced},
    store::{StoreError, Table},
    wish,
    work::Work,
};

/// The age at which a leaf's keys are replaced on average, in milliseconds.
const LEAF_LIFE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// What scheduled commits of a group are apart on average, at least, in milliseconds.
const LEAF_GAP_MS: u64 = 60 * 60 * 1000;

/// A refresh that a person asked for and that is under way. Key `refresh`.
#[derive(Serialize, Deserialize)]
struct RefreshRecord {
    /// The inbox's keys are drawn once the rotation that was under way before is over.
    keys_due: bool,
}

impl Record for RefreshRecord {
    const TABLE: Table = Table::Profile;
}

const KEY: &[u8] = b"refresh";

/// How old a leaf gets on average in a group of so many (spec: CLI-170).
fn life_ms(leaves: u64) -> u64 {
    LEAF_LIFE_MS.max(leaves.saturating_mul(LEAF_GAP_MS))
}

/// The next renewal of a leaf that is new now: at any time from half its life to one and a half
/// (spec: CLI-170).
fn next(work: &mut Work<'_>, leaves: u64) -> Refresh {
    let life_ms = life_ms(leaves);
    let wait_ms = life_ms / 2 + backoff::jitter_ms(life_ms, work.rng);
    Refresh {
        at_ms: work.now.plus_ms(wait_ms).0,
        span_ms: life_ms.saturating_add(life_ms / 2),
        since_ms: work.now.0,
        stage: Refreshing::Scheduled,
    }
}

fn leaves(work: &mut Work<'_>, channel: &ChannelId) -> Result<u64, StoreError> {
    let members = log::load_group(work, channel)?.members().map_err(log::store_error)?;
    Ok(u64::try_from(members.len()).unwrap_or(u64::MAX))
}

/// This device's leaf has new keys: by a commit of its own, or because it has just come in.
pub(crate) fn renewed(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let leaves = leaves(work, channel)?;
    let refresh = next(work, leaves);
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    group.refresh = Some(refresh);
    groups::save(work, channel, &group)?;
    work.effects.channels.insert(*channel);
    for row in wish::of_channel(work, channel)? {
        if matches!(row.wish, Wish::RefreshLeaf { cause: Cause::Age, .. }) {
            work.settle(row.number);
        }
    }
    Ok(())
}

/// A commit of this device came true by this wish. Who was told nothing while a thief could have
/// read it is told now (spec: IDN-076).
pub(crate) fn committed(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    renewed(work, channel)?;
    if work.tx.load::<RefreshRecord>(KEY)?.is_none() || waits(work, channel)? {
        return Ok(());
    }
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    if let PurposeRecord::Direct { contact, .. } = group.purpose
        && group.opened
        && group.state == GroupState::Member
    {
        let person = crate::contacts::by_contact(work, contact).map_err(|_| StoreError::Damaged)?;
        control::send_card(work, channel, &person)?;
    }
    inbox_keys::tell(work)?;
    check_done(work)
}

/// The time for a leaf of this device has come. When nobody looked in time, because the device was
/// off or its clock jumped, it waits once more, for a time that grows with the group: those who come
/// back together do not commit together (spec: CLI-171).
pub(crate) fn due(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    if let (PurposeRecord::Former { .. }, Some(refresh)) = (group.purpose, group.refresh) {
        // spec: CLI-203
        group.refresh = Some(Refresh { at_ms: u64::MAX, ..refresh });
        return groups::save(work, channel, &group);
    }
    let leaves = leaves(work, channel)?;
    let now_ms = work.now.0;
    let refresh = match group.refresh {
        Some(refresh) if refresh.at_ms > now_ms => return Ok(()),
        Some(refresh) => refresh,
        None => next(work, leaves),
    };
    let youngest_ms = refresh.since_ms.saturating_add(life_ms(leaves) / 2);
    let late_ms = now_ms.saturating_sub(refresh.at_ms);
    group.refresh = Some(if youngest_ms > now_ms {
        // The group has grown since.
        let span_ms = youngest_ms.saturating_sub(now_ms).saturating_add(life_ms(leaves));
        let wait_ms = span_ms - backoff::jitter_ms(life_ms(leaves), work.rng);
        Refresh { at_ms: work.now.plus_ms(wait_ms).0, span_ms, ..refresh }
    } else if late_ms >= LEAF_GAP_MS && refresh.stage == Refreshing::Scheduled {
        let span_ms = leaves.max(1).saturating_mul(LEAF_GAP_MS);
        let wait_ms = backoff::jitter_ms(span_ms, work.rng);
        let at_ms = work.now.plus_ms(wait_ms).0;
        Refresh { at_ms, span_ms, stage: Refreshing::Late, ..refresh }
    } else {
        if !wish::waits(work, channel, |wish| matches!(wish, Wish::RefreshLeaf { .. }))? {
            work.wish(Wish::RefreshLeaf { channel: *channel, cause: Cause::Age })?;
        }
        Refresh { since_ms: refresh.since_ms, ..next(work, leaves) }
    });
    work.effects.channels.insert(*channel);
    groups::save(work, channel, &group)
}

/// No leaf is renewed later than if its time was drawn now (spec: CLI-137, CLI-171). One of a build
/// before has no time yet.
pub(crate) fn cut_times(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(refresh) = group.refresh else {
        if group.state.is_in() {
            group.refresh = Some(next(work, 0));
            groups::save(work, channel, &group)?;
        }
        return Ok(());
    };
    let latest_ms = work.now.plus_ms(refresh.span_ms).0;
    if refresh.at_ms <= latest_ms && refresh.since_ms <= work.now.0 {
        return Ok(());
    }
    // That a time was missed was a mistake of the clock too.
    let since_ms = refresh.since_ms.min(work.now.0);
    let drawn = next(work, 0);
    let at_ms = drawn.at_ms.saturating_sub(work.now.0).saturating_add(since_ms);
    group.refresh = Some(Refresh { at_ms, since_ms, ..drawn });
    groups::save(work, channel, &group)
}

/// New keys for everything that this device can renew without anybody else (spec: CLI-172).
pub(crate) fn ask(work: &mut Work<'_>) -> Result<(), CommandError> {
    let identity = profile::require(work)?;
    devices::check_in(work, &identity)?;
    for channel in groups::channels(work)? {
        let is_in = groups::record(work, &channel)?.is_some_and(|group| group.state.is_in());
        if is_in && !has_fresh_wish(work, &channel)? {
            work.wish(Wish::RefreshLeaf { channel, cause: Cause::Person })?;
        }
    }
    let mut inbox = inbox::required(work)?;
    inbox.clear_shelf();
    let keys_due = identity.manager_key().is_some();
    work.tx.save(InboxRecord::KEY, &inbox)?;
    work.effects.shelf = true;
    work.tx.save(KEY, &RefreshRecord { keys_due })?;
    draw_keys(work)?;
    Ok(())
}

/// Whether a renewal is wished that was not made yet. What was made before could have been read.
fn has_fresh_wish(work: &Work<'_>, channel: &ChannelId) -> Result<bool, StoreError> {
    for row in wish::of_channel(work, channel)? {
        let asked = matches!(row.wish, Wish::RefreshLeaf { cause: Cause::Person, .. });
        if asked && !crate::outbox::is_sealed(work, row.number)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Draws the inbox's keys, unless a rotation is under way: its outcome is known first
/// (spec: IDN-075).
pub(crate) fn draw_keys(work: &mut Work<'_>) -> Result<(), StoreError> {
    let due = work.tx.load::<RefreshRecord>(KEY)?.is_some_and(|refresh| refresh.keys_due);
    if !due || inbox::required(work)?.next_owner_key.is_some() {
        return Ok(());
    }
    work.tx.save(KEY, &RefreshRecord { keys_due: false })?;
    revoking::renew_keys(work, Replaced::StaysAWhile)?;
    work.effects.shelf = true;
    links::put_again(work)?;
    devices::send_cards(work)
}

/// Whether this device's leaf in a group is still to be renewed because its person asked: what is
/// secret and new is not told there before (spec: IDN-076).
pub(crate) fn waits(work: &Work<'_>, channel: &ChannelId) -> Result<bool, StoreError> {
    wish::waits(work, channel, |wish| {
        matches!(wish, Wish::RefreshLeaf { cause: Cause::Person, .. })
    })
}

/// A renewal will not be: this device is out of the group.
pub(crate) fn given_up(work: &mut Work<'_>, number: WishNumber) -> Result<(), StoreError> {
    work.settle(number);
    check_done(work)
}

/// What is left of a refresh that a person asked for: groups, the inbox's keys, the shelf
/// (spec: CLI-172).
pub(crate) fn left(work: &Work<'_>) -> Result<u64, StoreError> {
    let Some(refresh) = work.tx.load::<RefreshRecord>(KEY)? else { return Ok(0) };
    let mut left = 0u64;
    for channel in groups::channels(work)? {
        // Of a group that is being left nobody may be there who has to take note.
        let group = groups::record(work, &channel)?;
        let stays = group.is_some_and(|group| group.state != GroupState::Leaving);
        left = left.saturating_add(u64::from(stays && waits(work, &channel)?));
    }
    let inbox = inbox::required(work)?;
    let keys = refresh.keys_due || inbox.next_owner_key.is_some() || inbox.keys_untold;
    Ok(left.saturating_add(u64::from(keys)).saturating_add(u64::from(inbox.shelf_stale)))
}

/// Says so when a refresh is done.
pub(crate) fn check_done(work: &mut Work<'_>) -> Result<(), StoreError> {
    if work.tx.load::<RefreshRecord>(KEY)?.is_none() || left(work)? > 0 {
        return Ok(());
    }
    work.tx.remove(Table::Profile, KEY);
    work.event(Event::KeysRefreshed)
}

#[cfg(test)]
mod tests {
    use hushwire_wire::id::Timestamp;

    use super::*;
    use crate::{
        clock,
        work::trial::{NOW, with_profile},
    };

    const HOUR_MS: u64 = 60 * 60 * 1000;

    fn refresh(work: &Work<'_>, channel: &ChannelId) -> Refresh {
        groups::record(work, channel).unwrap().unwrap().refresh.unwrap()
    }

    fn wished(work: &Work<'_>, channel: &ChannelId) -> usize {
        let rows = wish::of_channel(work, channel).unwrap();
        rows.iter().filter(|row| matches!(row.wish, Wish::RefreshLeaf { .. })).count()
    }

    #[test]
    fn a_group_of_any_size_sees_about_one_scheduled_commit_an_hour() {
        // spec: CLI-170
        assert_eq!([1, 2, 168].map(life_ms), [LEAF_LIFE_MS; 3]);
        for leaves in [169, 1_000, 5_000] {
            assert_eq!(life_ms(leaves), leaves * HOUR_MS);
        }
        with_profile(|work, _| {
            // All came in at once; in no day are there many more than 24.
            let mut days = std::collections::BTreeMap::<u64, u32>::new();
            for _ in 0..1_000 {
                let refresh = next(work, 1_000);
                let wait_ms = refresh.at_ms - NOW.0;
                assert!((500 * HOUR_MS..1_500 * HOUR_MS).contains(&wait_ms));
                assert!(wait_ms < refresh.span_ms);
                *days.entry(wait_ms / (24 * HOUR_MS)).or_default() += 1;
            }
            assert!(days.values().all(|count| *count < 50), "{days:?}");
        });
    }

    #[test]
    fn a_leaf_is_renewed_at_its_time_once() {
        // spec: CLI-170
        with_profile(|work, channel| {
            let drawn = refresh(work, channel);
            work.now = Timestamp(drawn.at_ms - 1);
            due(work, channel).unwrap();
            assert_eq!(wished(work, channel), 0);
            work.now = Timestamp(drawn.at_ms);
            for _ in 0..3 {
                due(work, channel).unwrap();
                assert_eq!(wished(work, channel), 1);
                work.now = Timestamp(refresh(work, channel).at_ms);
            }
            // Any commit of this device does it.
            renewed(work, channel).unwrap();
            assert_eq!(wished(work, channel), 0);
            assert_eq!(refresh(work, channel).since_ms, work.now.0);
        });
    }

    #[test]
    fn who_missed_the_time_waits_once_more_and_not_again() {
        // spec: CLI-171
        with_profile(|work, channel| {
            work.now = Timestamp(refresh(work, channel).at_ms + 30 * 24 * HOUR_MS);
            due(work, channel).unwrap();
            assert_eq!(wished(work, channel), 0);
            let late = refresh(work, channel);
            assert!((work.now.0..work.now.0 + HOUR_MS).contains(&late.at_ms));
            // Off again, and for long.
            work.now = work.now.plus_ms(30 * 24 * HOUR_MS);
            due(work, channel).unwrap();
            assert_eq!(wished(work, channel), 1);
        });
    }

    #[test]
    fn a_clock_that_was_ahead_delays_no_renewal_for_years() {
        // spec: CLI-137, CLI-171
        with_profile(|work, channel| {
            work.now = NOW.plus_ms(10 * 365 * 24 * HOUR_MS);
            renewed(work, channel).unwrap();
            work.now = NOW;
            clock::cut_times(work).unwrap();
            let cut = refresh(work, channel);
            assert_eq!(cut.since_ms, NOW.0);
            assert!(cut.at_ms <= NOW.plus_ms(cut.span_ms).0);
            assert!(cut.span_ms <= 2 * LEAF_LIFE_MS);
        });
    }

    #[test]
    fn a_group_that_has_grown_waits_longer() {
        // spec: CLI-170
        with_profile(|work, channel| {
            let mut group = groups::record(work, channel).unwrap().unwrap();
            // Drawn as if by a clock that said that little time was to pass.
            group.refresh = Some(Refresh {
                at_ms: NOW.0,
                span_ms: 1,
                since_ms: NOW.0,
                stage: Refreshing::Scheduled,
            });
            groups::save(work, channel, &group).unwrap();
            due(work, channel).unwrap();
            assert_eq!(wished(work, channel), 0);
            let wait_ms = refresh(work, channel).at_ms - NOW.0;
            assert!((LEAF_LIFE_MS / 2..=LEAF_LIFE_MS * 3 / 2).contains(&wait_ms), "{wait_ms}");
        });
    }
}
