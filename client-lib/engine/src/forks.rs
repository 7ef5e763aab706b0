//! Forks: members who applied different commits of one epoch, and how they hear of it.
//!
//! What parts them stands in the epoch that they have in common, and a device goes on reading there
//! for a while (spec: CLI-190). Statements of its members settle which candidate all follow.
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | – | applied a candidate | sound | the epoch is watched |
//! | – | the same, behind one that only this device may have found invalid | unsettled | told; nothing is sealed, a statement planned |
//! | sound | a later candidate, or a statement for another one | sound | a statement planned |
//! | unsettled | another member speaks for the same candidate, or is heard behind it | sound | told; what waited is sealed |
//! | unsettled | no room for notes | unsettled, speaking | the leaf is renewed, so that others hear it |
//! | unsettled | too long | lost | as below |
//! | any | the highest rank speaks for another candidate | lost | stuck: asks to be added again |
//! | sound | the time of watching is over | – | keys and roster are deleted |

use hushwire_protocol::{
    epoch::EpochKeys,
    group::{LeafIndex, Note, PastRoster, Rank, Role, Statement, VerifiedStatement, leading},
};
use hushwire_wire::{
    id::{ChannelId, EntryId, EpochId, Timestamp},
    message::{Content, Entry, EntryBody},
    transcript::{self, Operation},
};

use crate::{
    advance, backoff, clock,
    command::StuckCause,
    event::{Event, Warning},
    groups, log, messages,
    record::{
        CandidateRecord, Cause, Caution, EpochRecord, GroupRecord, LeftRecord, PastRosterRecord,
        PurposeRecord, Saying, StatementRecord, Unsettled, Verdict, Wish, by_channel,
    },
    store::{Order, Range, StoreError, Table},
    stuck, wish,
    work::Work,
};

/// For how long an epoch is watched after this device left it, in milliseconds: a day.
pub(crate) const FORK_WATCH_MS: u64 = 24 * 60 * 60 * 1000;
/// For how long a device is unsettled before it asks to be added again, in milliseconds: an hour.
pub(crate) const FORK_WAIT_MS: u64 = 60 * 60 * 1000;
/// Epochs of a channel that are watched; the oldest goes.
const WATCHED_MAX: usize = 16;
/// Higher members who have spoken for the same candidate: then one more says nothing new. Two, for the
/// first of them waits for another's word too.
const ENOUGH: usize = 2;
/// The fewest members of an epoch with somebody beside this device and the author of the other
/// candidate.
const UNSETTLED_MIN: usize = 3;

const ROSTER_PREFIX: &[u8] = b"fork roster ";

/// What is left behind by a commit, read before it is merged.
pub(crate) struct Leaving {
    pub(crate) roster: PastRoster,
    pub(crate) own_leaf: LeafIndex,
}

/// An epoch that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) epoch: EpochId,
    pub(crate) urgency: Urgency,
    /// When this device's statement is due.
    pub(crate) say_at: Option<Timestamp>,
    /// When something has to be decided.
    pub(crate) ends_at: Timestamp,
}

/// How soon there may be something new in a watched epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Nothing is expected.
    Calm,
    /// Its members have parted, perhaps.
    Pressing,
}

/// This device applied `entry` and leaves `group.epoch`: what it takes to watch that goes into its
/// row, and what is not watched any more is deleted (spec: CLI-190). Says whether it is unsettled
/// (spec: CLI-191).
pub(crate) fn leave(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    entry: &EntryId,
    leaving: &Leaving,
    removed: &[LeafIndex],
) -> Result<Option<Unsettled>, StoreError> {
    let (mut record, _) = log::epoch_state(work, channel, &group.epoch)?;
    let left = LeftRecord {
        applied: *entry,
        roster: save_roster(work, channel, &leaving.roster)?,
        removed: removed.iter().map(|leaf| leaf.0).collect(),
        own_leaf: leaving.own_leaf.0,
        left_ms: work.now.0,
        saying: Saying::Silent,
    };
    let disputed =
        |known: &CandidateRecord| matches!(known.verdict, Verdict::Disputed | Verdict::Unjudged);
    let doubtful = record.candidates.iter().any(disputed);
    record.left = Some(left);
    let alone = leaving.roster.members().len() < UNSETTLED_MIN;
    let unsettled = (doubtful && !alone).then_some(Unsettled {
        epoch: group.epoch,
        since_ms: work.now.0,
        caution: Caution::Waits,
    });
    if doubtful {
        plan(work, &mut record, &leaving.roster);
    }
    log::save_epoch(work, channel, &group.epoch, &record)?;
    Ok(unsettled)
}

/// The group stands in its new epoch: what was read before may settle it already.
pub(crate) fn left(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    if let Some(group) = groups::record(work, channel)?
        && group.unsettled.is_some_and(|unsettled| unsettled.epoch == *epoch)
    {
        work.event(Event::GroupUnsettled { chat: group.purpose.chat() })?;
    }
    review(work, channel, epoch)
}

/// Epochs that stay: the current one, its parent, and those that are watched, but for the oldest where
/// they are too many.
pub(crate) fn kept(
    work: &Work<'_>,
    channel: &ChannelId,
    current: [EpochId; 2],
) -> Result<Vec<EpochId>, StoreError> {
    let mut watched = Vec::new();
    for row in rows(work, channel)? {
        let Some(left) = row.record.left else { continue };
        // By the relay's clock alone: who reads a long log does not watch all of it.
        watched.push((left.left_ms, row.record.read_ms, row.epoch));
    }
    let newest = watched.iter().map(|(_, read_ms, _)| *read_ms).max().unwrap_or(0);
    watched.retain(|(_, read_ms, _)| read_ms.saturating_add(FORK_WATCH_MS) >= newest);
    watched.sort_unstable();
    let surplus = watched.len().saturating_sub(WATCHED_MAX);
    let kept = watched.into_iter().skip(surplus).map(|(_, _, epoch)| epoch);
    Ok(current.into_iter().chain(kept).collect())
}

/// A row of a channel's epochs.
struct Row {
    epoch: EpochId,
    record: EpochRecord,
}

fn rows(work: &Work<'_>, channel: &ChannelId) -> Result<Vec<Row>, StoreError> {
    let rows = work.tx.list::<EpochRecord>(channel.as_bytes(), usize::MAX)?;
    rows.into_iter()
        .map(|row| {
            let epoch = row.key.get(ChannelId::LENGTH..).unwrap_or_default();
            let epoch = EpochId::from_slice(epoch).map_err(|_| StoreError::Damaged)?;
            Ok(Row { epoch, record: row.record })
        })
        .collect()
}

/// The epochs of a channel that are watched.
pub(crate) fn watched(work: &Work<'_>, channel: &ChannelId) -> Result<Vec<Watched>, StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(Vec::new()) };
    if !group.state.is_in() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for row in rows(work, channel)? {
        let Some(left) = row.record.left else { continue };
        let unsettled = group.unsettled.filter(|unsettled| unsettled.epoch == row.epoch);
        let say_at = match left.saying {
            Saying::Planned { at_ms } => Some(Timestamp(at_ms)),
            Saying::Sealed { .. } => Some(Timestamp(0)),
            Saying::Silent | Saying::Done | Saying::NoRoom => None,
        };
        let ends_ms = match unsettled {
            Some(unsettled) => unsettled.since_ms.saturating_add(FORK_WAIT_MS),
            None => left.left_ms.saturating_add(FORK_WATCH_MS),
        };
        let pressing = unsettled.is_some() || left.saying != Saying::Silent;
        let urgency = if pressing { Urgency::Pressing } else { Urgency::Calm };
        let ends_at = Timestamp(ends_ms);
        found.push(Watched { epoch: row.epoch, urgency, say_at, ends_at });
    }
    Ok(found)
}

/// An entry of an epoch that this device left (spec: CLI-190).
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &Entry,
) -> Result<log::Taken, StoreError> {
    let row = work.tx.load::<EpochRecord>(&by_channel(channel, &entry.epoch))?;
    let Some(mut record) = row.filter(|row| row.left.is_some()) else {
        return Ok(log::Taken::Next);
    };
    if entry.sequence.0 < record.next {
        return Ok(log::Taken::Next);
    }
    if entry.sequence.0 > record.next {
        return Ok(log::Taken::OutOfPlace);
    }
    let id = log::entry_id(channel, entry);
    record.head = transcript::next_head(&record.head, entry.sequence, &id);
    record.next = record.next.saturating_add(1);
    if let EntryBody::Whole { operation, content } = &entry.body {
        match (operation, content) {
            (Operation::Commit(_), _) => {
                record.candidates.push(CandidateRecord { entry: id, verdict: Verdict::Late });
            }
            (Operation::Note, Content::Inline(envelope)) => {
                hear(work, channel, &entry.epoch, &mut record, envelope)?;
            }
            _ => {}
        }
    }
    log::save_epoch(work, channel, &entry.epoch, &record)?;
    review(work, channel, &entry.epoch)?;
    Ok(log::Taken::Next)
}

fn hear(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    record: &mut EpochRecord,
    envelope: &[u8],
) -> Result<(), StoreError> {
    let Some(left) = &record.left else { return Ok(()) };
    let roster = roster(work, channel, left)?;
    match Note::open(&record.keys()?, channel, epoch, &roster, envelope) {
        Ok(Note::Applied(said)) => remember(work, channel, record, said),
        Ok(Note::Unknown) => Ok(()),
        Err(rejection) => {
            let code = rejection.name().to_owned();
            log::warn(work, channel, |chat| Warning::EntryRejected { chat, code })
        }
    }
}

/// Keeps the first word of each leaf; another one is evidence against it (spec: GRP-125).
pub(crate) fn remember(
    work: &mut Work<'_>,
    channel: &ChannelId,
    record: &mut EpochRecord,
    said: VerifiedStatement,
) -> Result<(), StoreError> {
    let leaf = said.rank.leaf.0;
    match record.statements.iter().find(|known| known.leaf == leaf) {
        Some(known) if known.candidate != said.candidate => {
            log::warn(work, channel, |chat| Warning::MemberContradicts { chat })
        }
        Some(_) => Ok(()),
        None => {
            record.statements.push(said.into());
            Ok(())
        }
    }
}

/// Looks what the statements of an epoch mean for this device (spec: GRP-123, CLI-193).
fn review(work: &mut Work<'_>, channel: &ChannelId, epoch: &EpochId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    let (mut record, _) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = record.left.clone() else { return Ok(()) };
    let roster = roster(work, channel, &left)?;
    let own = roster.at(LeafIndex(left.own_leaf)).ok_or(StoreError::Damaged)?.rank;
    let mut said: Vec<VerifiedStatement> =
        record.statements.iter().map(|known| (*known).into()).collect();
    let noted = said.iter().any(|known| known.rank == own);
    let backed = said.iter().any(|known| known.candidate == left.applied && known.rank != own);
    if !noted {
        // What it would say itself counts: nobody below it makes it leave.
        said.push(VerifiedStatement { candidate: left.applied, rank: own });
    }
    let removed: Vec<LeafIndex> = left.removed.iter().map(|leaf| LeafIndex(*leaf)).collect();
    let lead = leading(&said, &left.applied, &removed);
    if lead.is_some_and(|lead| lead.candidate != left.applied) {
        return lose(work, channel, epoch, &left);
    }
    let behind = record.candidates.iter().skip_while(|known| known.entry != left.applied).count();
    let rival = behind > 1 || said.iter().any(|known| known.candidate != left.applied);
    if rival {
        plan(work, &mut record, &roster);
        log::save_epoch(work, channel, epoch, &record)?;
    }
    let settled = backed || (noted && roster.above(own) == 0);
    if settled && group.unsettled.is_some_and(|unsettled| unsettled.epoch == *epoch) {
        group.unsettled = None;
        groups::save(work, channel, &group)?;
        work.event(Event::GroupSettled { chat: group.purpose.chat() })?;
    }
    work.effects.channels.insert(*channel);
    Ok(())
}

/// Another member wrote where this device is: it is not alone behind what it applied (spec: CLI-192).
pub(crate) fn heard(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    if group.unsettled.take().is_none() {
        return Ok(());
    }
    groups::save(work, channel, &group)?;
    work.effects.channels.insert(*channel);
    work.event(Event::GroupSettled { chat: group.purpose.chat() })
}

/// Plans this device's statement: the highest first, so that few have to speak (spec: CLI-194).
fn plan(work: &mut Work<'_>, record: &mut EpochRecord, roster: &PastRoster) {
    let Some(left) = &mut record.left else { return };
    let Some(own) = roster.at(LeafIndex(left.own_leaf)).map(|member| member.rank) else { return };
    if left.saying == Saying::Silent {
        let (least, span) = turn(own.role);
        let wait = least + backoff::jitter_ms(span, work.rng);
        left.saying = Saying::Planned { at_ms: work.now.plus_ms(wait).0 };
    }
}

/// Least wait and span before a statement, by role, in milliseconds.
const fn turn(role: Role) -> (u64, u64) {
    match role {
        Role::Owner => (500, 2_500),
        Role::Admin => (3_000, 4_000),
        Role::Member => (7_000, 10_000),
    }
}

/// The note with this device's statement, if it is time for it and others have not said enough. The
/// same bytes until the relay has them (spec: CLI-194).
pub(crate) fn due(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let (mut record, keys) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = record.left.clone() else { return Ok(None) };
    let at_ms = match left.saying {
        Saying::Sealed { envelope } => return Ok(Some(envelope.into_vec())),
        Saying::Planned { at_ms } => at_ms,
        Saying::Silent | Saying::Done | Saying::NoRoom => return Ok(None),
    };
    let (least, span) = turn(Role::Member);
    if !clock::is_over(work.now, at_ms, least + span) {
        return Ok(None);
    }
    let roster = roster(work, channel, &left)?;
    let own = roster.at(LeafIndex(left.own_leaf)).ok_or(StoreError::Damaged)?.rank;
    let saying = if is_enough(&record.statements, &left.applied, own) {
        Saying::Done
    } else {
        let envelope = seal(work, channel, epoch, &keys, &left)?;
        Saying::Sealed { envelope: serde_bytes::ByteBuf::from(envelope) }
    };
    let envelope = match &saying {
        Saying::Sealed { envelope } => Some(envelope.clone().into_vec()),
        _ => None,
    };
    record.left = Some(LeftRecord { saying, ..left });
    log::save_epoch(work, channel, epoch, &record)?;
    work.effects.channels.insert(*channel);
    Ok(envelope)
}

fn is_enough(statements: &[StatementRecord], applied: &EntryId, own: Rank) -> bool {
    let higher = statements
        .iter()
        .filter(|known| known.candidate == *applied && VerifiedStatement::from(**known).rank > own);
    higher.count() >= ENOUGH
}

fn seal(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    keys: &EpochKeys,
    left: &LeftRecord,
) -> Result<Vec<u8>, StoreError> {
    let device = crate::profile::device(work)?;
    let statement = Statement { candidate: left.applied, leaf: LeafIndex(left.own_leaf) };
    let provider = work.provider();
    statement.seal(&provider, channel, epoch, keys, &device.key).map_err(log::store_error)
}

/// What became of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// The relay has it.
    Stored,
    /// The epoch has as many as it may have.
    NoRoom,
}

/// The relay has this device's note, or none any more.
pub(crate) fn noted(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    noted: Noted,
) -> Result<(), StoreError> {
    let (mut record, _) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = record.left.clone() else { return Ok(()) };
    let saying = match noted {
        Noted::Stored => Saying::Done,
        Noted::NoRoom => Saying::NoRoom,
    };
    record.left = Some(LeftRecord { saying, ..left });
    log::save_epoch(work, channel, epoch, &record)?;
    work.effects.channels.insert(*channel);
    if noted == Noted::NoRoom { speak(work, channel) } else { Ok(()) }
}

/// Nobody can note anything any more: who is unsettled makes itself heard by a commit, so that those
/// who are behind the same candidate know of each other (spec: CLI-195).
fn speak(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(unsettled) = &mut group.unsettled else { return Ok(()) };
    unsettled.caution = Caution::Speaks;
    groups::save(work, channel, &group)?;
    let renews = |row: &wish::Numbered| matches!(row.wish, Wish::RefreshLeaf { .. });
    if !wish::of_channel(work, channel)?.iter().any(renews) {
        work.wish(Wish::RefreshLeaf { channel: *channel, cause: Cause::Age })?;
    }
    Ok(())
}

/// The time of watching, or of waiting, is over (spec: CLI-190, CLI-196).
pub(crate) fn expired(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let (mut record, _) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = record.left.clone() else { return Ok(()) };
    match group.unsettled.filter(|unsettled| unsettled.epoch == *epoch) {
        Some(unsettled)
            if clock::is_over(
                work.now,
                unsettled.since_ms.saturating_add(FORK_WAIT_MS),
                FORK_WAIT_MS,
            ) =>
        {
            lose(work, channel, epoch, &left)
        }
        None if clock::is_over(
            work.now,
            left.left_ms.saturating_add(FORK_WATCH_MS),
            FORK_WATCH_MS,
        ) =>
        {
            record.left = None;
            log::save_epoch(work, channel, epoch, &record)?;
            let kept = kept(work, channel, [group.epoch, group.epoch])?;
            advance::forget_epochs(work, channel, &kept)?;
            work.effects.channels.insert(*channel);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Others go on behind another candidate: this device leaves its branch, and asks to be added again
/// there. What it said in its branch is said again then (spec: CLI-193).
fn lose(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    left: &LeftRecord,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    if !group.state.is_in() {
        return Ok(());
    }
    if let PurposeRecord::Direct { chat, .. } | PurposeRecord::Group { chat } = group.purpose {
        messages::say_again(work, channel, chat, left.left_ms)?;
    }
    groups::save(work, channel, &GroupRecord { epoch: *epoch, unsettled: None, ..group })?;
    stuck::stick(work, channel, StuckCause::OtherBranch)
}

fn roster(
    work: &Work<'_>,
    channel: &ChannelId,
    left: &LeftRecord,
) -> Result<PastRoster, StoreError> {
    let row = work.tx.load::<PastRosterRecord>(&roster_key(channel, &left.roster))?;
    PastRoster::from_bytes(&row.ok_or(StoreError::Damaged)?.members)
        .map_err(|_| StoreError::Damaged)
}

/// Members that are the same for many epochs are kept once.
fn save_roster(
    work: &Work<'_>,
    channel: &ChannelId,
    roster: &PastRoster,
) -> Result<Vec<u8>, StoreError> {
    let members = roster.to_bytes();
    let hash = transcript::content_hash(&members).as_bytes().to_vec();
    let key = roster_key(channel, &hash);
    if work.tx.row(Table::Profile, &key)?.is_none() {
        work.tx.save(&key, &PastRosterRecord { members })?;
    }
    Ok(hash)
}

fn roster_key(channel: &ChannelId, hash: &[u8]) -> Vec<u8> {
    [ROSTER_PREFIX, channel.as_bytes(), hash].concat()
}

/// Deletes the rosters that no epoch of the channel refers to any more.
pub(crate) fn forget_rosters(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let used: Vec<Vec<u8>> = rows(work, channel)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|row| row.record.left.map(|left| left.roster))
        .collect();
    let prefix = roster_key(channel, &[]);
    let range =
        Range { prefix: &prefix, from: None, order: Order::Ascending, rows_max: usize::MAX };
    for row in work.tx.rows(Table::Profile, range)? {
        let hash = row.key.get(prefix.len()..).unwrap_or_default();
        if !used.iter().any(|used| used == hash) {
            work.tx.remove(Table::Profile, &row.key);
        }
    }
    Ok(())
}

/// No wait is longer than one that begins now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    if let Some(mut group) = groups::record(work, channel)?
        && let Some(unsettled) = &mut group.unsettled
        && unsettled.since_ms > work.now.0
    {
        unsettled.since_ms = work.now.0;
        groups::save(work, channel, &group)?;
    }
    for Row { epoch, mut record } in rows(work, channel).unwrap_or_default() {
        if let Some(left) = &mut record.left
            && left.left_ms > work.now.0
        {
            left.left_ms = work.now.0;
            log::save_epoch(work, channel, &epoch, &record)?;
        }
    }
    Ok(())
}
