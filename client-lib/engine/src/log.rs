//! Reading a channel's log: each entry in its place, each judged from the stored state of its epoch.
//!
//! A message becomes a row of its chat; the first valid commit moves the group on. What an entry
//! changes, and the cursor behind it, are stored together (spec: CLI-040). An entry that is
//! refused changes nothing but the cursor and the verdict (spec: CLI-044, GRP-036).

mod account;
mod anew;

pub(crate) use account::{Account, Opened, Promise, epoch_end, opened, read_end};
pub(crate) use anew::{begin as read_anew, leave as leave_log, note_sent};

use hushwire_protocol::{
    epoch::EpochKeys,
    group::{
        Group, GroupError, LogPlace, Note, OpenError, Opened as OpenedEntry, Rejection, Report,
        RuleVersion, Scope,
    },
};
use hushwire_wire::{
    id::{ChannelId, EntryId, EpochId, RelayId, SessionId},
    limit::Limits,
    message::{Content, Entry, EntryBody, Request},
    transcript::{self, Operation},
};

use crate::{
    advance::{self, HeadRow},
    backoff,
    command::StuckCause,
    direct,
    event::{Event, Warning},
    forks, groups, leaving, outbox, received,
    record::{
        CandidateRecord, Contest, EpochRecord, GroupRecord, GroupState, PurposeRecord, Verdict,
        Wish, by_channel,
    },
    rejoin,
    store::StoreError,
    stuck, succession, wish,
    work::Work,
};

/// Least and span of the wait before this device contests, in milliseconds.
const CONTEST_WAIT_MS: u64 = 1_500;
const CONTEST_SPAN_MS: u64 = 4_000;
/// After how long a contest that had its time is looked at again, in milliseconds.
const CONTEST_AGAIN_MS: u64 = 60_000;

/// Why an entry was not taken.
pub(crate) enum Fault {
    /// The store failed.
    Store(StoreError),
    /// The entry breaks the rules.
    Rejected(Refused),
    /// The entry goes by rules that this program does not know: there is no verdict.
    NewerRules(RuleVersion),
}

/// Why an entry breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The group code rejects it.
    Group(Rejection),
    /// A message stands behind a commit of its epoch.
    MessageAfterCommit,
}

impl Refused {
    fn code(self) -> String {
        match self {
            Self::Group(rejection) => rejection.name().to_owned(),
            Self::MessageAfterCommit => "MESSAGE_AFTER_COMMIT".to_owned(),
        }
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Rejected(rejection) => Self::Rejected(Refused::Group(rejection)),
            OpenError::NewerRules(rules) => Self::NewerRules(rules),
            OpenError::Failed(error) => Self::Store(store_error(error)),
            _ => Self::Store(StoreError::Failed),
        }
    }
}

/// A failure of the group code that is no peer's fault: the store's, or a fault of this program.
pub(crate) fn store_error(error: GroupError) -> StoreError {
    match error {
        GroupError::Store(hushwire_protocol::storage::MlsStoreError::Malformed) => {
            StoreError::Damaged
        }
        _ => StoreError::Failed,
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was handled; the next one follows.
    Next,
    /// It does not continue what was read.
    OutOfPlace,
}

/// The request that opens a channel at an epoch of ours.
pub(crate) fn open_request(
    work: &Work<'_>,
    relay: &RelayId,
    session: &SessionId,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<Request, StoreError> {
    let (_, keys) = epoch_state(work, channel, epoch)?;
    let transcript = transcript::channel_open(relay, session, channel, epoch);
    let signature = transcript.sign(&keys.signing);
    Ok(Request::ChannelOpen { channel: *channel, epoch: *epoch, signature })
}

/// The stored state of an epoch, and its keys.
pub(crate) fn epoch_state(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(EpochRecord, EpochKeys), StoreError> {
    let record: EpochRecord =
        work.tx.load(&by_channel(channel, epoch))?.ok_or(StoreError::Damaged)?;
    let keys = record.keys()?;
    Ok((record, keys))
}

pub(crate) fn save_epoch(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    record: &EpochRecord,
) -> Result<(), StoreError> {
    work.tx.save(&by_channel(channel, epoch), record)
}

/// The relay does not let us open our own epoch.
pub(crate) fn denied(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let Some(record) = groups::record(work, channel)? else { return Ok(()) };
    if record.epoch != *epoch || record.state == GroupState::Stuck {
        return Ok(());
    }
    // An epoch that the relay no longer knows cannot be read on from (spec: CHN-017).
    warn(work, channel, |chat| Warning::MissedTooMuch { chat })?;
    anew::relay_lost(work, channel, &record.relay)?;
    stuck::stick(work, channel, StuckCause::EpochGone)
}

/// Takes the next entry of the current epoch.
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &Entry,
    promise: &Promise,
) -> Result<Taken, Fault> {
    let Some(group) = groups::record(work, channel)? else { return Ok(Taken::OutOfPlace) };
    let placed = place(work, channel, &group, entry, Handling::Handled)?;
    let Some(placed) = placed else { return Ok(Taken::OutOfPlace) };
    // spec: CLI-177
    if anew::was_handled(work, channel, &entry.epoch, &placed.entry)? {
        return Ok(Taken::Next);
    }
    // Whatever is left of an entry of ours, its place says that it is stored.
    if outbox::take_own_message(work, &placed.entry)? {
        return Ok(Taken::Next);
    }
    let EntryBody::Whole { content: Content::Inline(envelope), operation } = &entry.body else {
        warn(work, channel, |chat| Warning::MissedTooMuch { chat })?;
        if !promise.is_message(entry, &placed.entry) {
            // spec: CLI-075, CLI-198
            note(work, channel, &entry.epoch, placed.entry, Verdict::Unjudged)?;
            stuck::stick(work, channel, StuckCause::CommitGone)?;
        }
        return Ok(Taken::Next);
    };
    match operation {
        Operation::Message => take_message(work, channel, &group, entry, envelope)?,
        Operation::Commit(_) => {
            take_commit(work, channel, &group, &placed, entry, operation, envelope)?;
            succession::left_behind(work, channel)?;
        }
        Operation::Note => take_note(work, channel, entry, envelope)?,
    }
    Ok(Taken::Next)
}

/// The content of a large entry is gone from the relay.
pub(crate) fn gone(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &Entry,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let commit = matches!(&entry.body, EntryBody::Whole { operation: Operation::Commit(_), .. });
    let placed = place(work, channel, &group, entry, Handling::Refused)?;
    let Some(placed) = placed else { return Ok(()) };
    // Of its own it has the content.
    if !commit && outbox::take_own_message(work, &placed.entry)? {
        return Ok(());
    }
    warn(work, channel, |chat| Warning::MissedTooMuch { chat })?;
    if !commit {
        return Ok(());
    }
    note(work, channel, &entry.epoch, placed.entry, Verdict::Unjudged)?;
    stuck::stick(work, channel, StuckCause::CommitGone)
}

/// What is done with an entry in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handling {
    /// What it says is taken in.
    Handled,
    /// It is passed over; should it stand there again, it is looked at again.
    Refused,
}

/// An entry's id, once it was put in its place.
struct Placed {
    entry: EntryId,
}

/// Checks that an entry continues the chain, and moves the cursor over it.
fn place(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    entry: &Entry,
    handling: Handling,
) -> Result<Option<Placed>, StoreError> {
    if entry.epoch != group.epoch {
        return Ok(None);
    }
    let (mut record, _) = epoch_state(work, channel, &entry.epoch)?;
    // spec: CLI-040
    if entry.sequence.0 != record.next {
        return Ok(None);
    }
    let id = entry_id(channel, entry);
    record.head = transcript::next_head(&record.head, entry.sequence, &id);
    record.next = record.next.saturating_add(1);
    record.read_ms = record.read_ms.max(entry.stored_at.0);
    let handled = (handling == Handling::Handled).then_some(id);
    let row = HeadRow { head: record.head, handled };
    advance::note_head(work, channel, &entry.epoch, record.next, &row);
    save_epoch(work, channel, &entry.epoch, &record)?;
    Ok(Some(Placed { entry: id }))
}

pub(crate) fn entry_id(channel: &ChannelId, entry: &Entry) -> EntryId {
    match &entry.body {
        EntryBody::Whole { content, operation } => {
            transcript::entry_id(channel, &entry.epoch, operation, &content.hash())
        }
        EntryBody::Expired(id) => *id,
    }
}

fn take_message(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    entry: &Entry,
    envelope: &[u8],
) -> Result<(), Fault> {
    let (record, keys) = epoch_state(work, channel, &entry.epoch)?;
    if record.candidates.iter().any(|candidate| candidate.verdict != Verdict::Unjudged) {
        // No relay takes messages behind a commit (spec: CLI-072).
        return Err(Fault::Rejected(Refused::MessageAfterCommit));
    }
    let mut mls = load_group(work, channel)?;
    let provider = work.provider();
    let opened = mls.open_entry(&provider, &entry.epoch, &keys, &Operation::Message, envelope)?;
    match opened {
        OpenedEntry::Message(message) => {
            compare_history(work, channel, entry, &message.binding)?;
            if group.unsettled.is_some() {
                forks::heard(work, channel)?;
            }
            received::take(work, channel, group, &mls, entry, &message)?;
            direct::standing::heard(work, channel, group, &message.sender)?;
        }
        OpenedEntry::Leave(leave) => leaving::asked(work, channel, &entry.epoch, &leave)?,
        OpenedEntry::Commit(_) | OpenedEntry::Note(_) => {
            return Err(Fault::Rejected(Refused::Group(Rejection::WrongKind)));
        }
    }
    Ok(())
}

/// A note has its place in the chain; what members say in it is kept for when this device has chosen
/// its candidate (spec: ENV-005, CLI-190).
fn take_note(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &Entry,
    envelope: &[u8],
) -> Result<(), Fault> {
    let (mut record, keys) = epoch_state(work, channel, &entry.epoch)?;
    let mut mls = load_group(work, channel)?;
    let provider = work.provider();
    match mls.open_entry(&provider, &entry.epoch, &keys, &Operation::Note, envelope)? {
        OpenedEntry::Note(Note::Applied(said)) => {
            forks::remember(work, channel, &mut record, said)?;
            Ok(save_epoch(work, channel, &entry.epoch, &record)?)
        }
        OpenedEntry::Note(Note::Successor(offer)) => Ok(succession::take(work, channel, &offer)?),
        OpenedEntry::Note(Note::Unknown) => Ok(()),
        OpenedEntry::Message(_) | OpenedEntry::Leave(_) | OpenedEntry::Commit(_) => {
            Err(Fault::Rejected(Refused::Group(Rejection::WrongKind)))
        }
    }
}

/// A member saw the head of this epoch's log: it must be one that we saw, at a place before its own
/// message (spec: CLI-048). A relay that hides entries from us cannot keep up both.
fn compare_history(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &Entry,
    binding: &LogPlace,
) -> Result<(), StoreError> {
    let seen = advance::head_at(work, channel, &entry.epoch, binding.read_to.0)?;
    if binding.read_to > entry.sequence || seen != Some(binding.head) {
        warn(work, channel, |chat| Warning::HistoryDiffers { chat })?;
    }
    Ok(())
}

fn take_commit(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    placed: &Placed,
    entry: &Entry,
    operation: &Operation,
    envelope: &[u8],
) -> Result<(), Fault> {
    let (record, keys) = epoch_state(work, channel, &entry.epoch)?;
    // spec: GRP-039
    if record.candidates.iter().any(|candidate| candidate.verdict == Verdict::Applied) {
        note(work, channel, &entry.epoch, placed.entry, Verdict::Late)?;
        return Ok(());
    }
    if let Operation::Commit(mark) = operation {
        let known = record.candidates.iter().map(|candidate| &candidate.entry);
        if !mark.contested.iter().eq(known) {
            // Its author saw other candidates before it than the relay showed us: to judge it here
            // could part us from those who saw them (spec: CLI-047).
            warn(work, channel, |chat| Warning::HistoryDiffers { chat })?;
            note(work, channel, &entry.epoch, placed.entry, Verdict::Unjudged)?;
            return Ok(stuck::stick(work, channel, StuckCause::OtherHistory)?);
        }
    }
    // spec: GRP-032
    if let Some(own) = outbox::own_commit(work, channel, &placed.entry)? {
        // The others judge by this too: who applied it here would go on alone (spec: CLI-179).
        let seen = advance::head_at(work, channel, &entry.epoch, own.commit.read_to)?;
        let known = own.commit.read_head.is_none_or(|head| seen == Some(head));
        if own.commit.read_to > entry.sequence.0 || !known {
            return Err(Fault::Rejected(Refused::Group(Rejection::OtherHistory)));
        }
        note(work, channel, &entry.epoch, placed.entry, Verdict::Applied)?;
        return advance::apply_own(work, channel, group, &placed.entry, own).map_err(Fault::from);
    }
    let mut mls = load_group(work, channel)?;
    let provider = work.provider();
    // A commit of ours that is still pending has lost, if this one is valid.
    mls.abandon_commit(&provider).map_err(store_error)?;
    let opened = mls.open_entry(&provider, &entry.epoch, &keys, operation, envelope)?;
    let OpenedEntry::Commit(candidate) = opened else {
        return Err(Fault::Rejected(Refused::Group(Rejection::WrongKind)));
    };
    // spec: GRP-053, CLI-073
    let head = advance::head_at(work, channel, &entry.epoch, candidate.read().read_to.0)?;
    candidate
        .judge_history(entry.sequence, head)
        .map_err(|rejection| Fault::Rejected(Refused::Group(rejection)))?;
    note(work, channel, &entry.epoch, placed.entry, Verdict::Applied)?;
    advance::apply_theirs(work, channel, &placed.entry, mls, candidate)
}

/// The stored group of a channel.
pub(crate) fn load_group(work: &mut Work<'_>, channel: &ChannelId) -> Result<Group, StoreError> {
    let provider = work.provider();
    Group::load(&provider, channel).map_err(store_error)?.ok_or(StoreError::Damaged)
}

fn note(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    entry: EntryId,
    verdict: Verdict,
) -> Result<(), StoreError> {
    let (mut record, _) = epoch_state(work, channel, epoch)?;
    let stored_ms = record.read_ms;
    record.candidates.push(CandidateRecord { entry, verdict, stored_ms });
    save_epoch(work, channel, epoch, &record)
}

/// An entry was refused: its place is taken, the verdict noted, the person told; a refused commit
/// is contested after a while (spec: CLI-044, CHN-020).
pub(crate) fn reject(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &Entry,
    refused: Refused,
) -> Result<Taken, StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(Taken::OutOfPlace) };
    let placed = place(work, channel, &group, entry, Handling::Refused)?;
    let Some(placed) = placed else { return Ok(Taken::OutOfPlace) };
    let code = refused.code();
    let is_commit = matches!(&entry.body, EntryBody::Whole { operation: Operation::Commit(_), .. });
    if !is_commit {
        if refused == Refused::Group(Rejection::OwnLeaf) {
            copied(work, channel, &entry.epoch)?;
        }
        warn(work, channel, |chat| Warning::EntryRejected { chat, code })?;
        return Ok(Taken::Next);
    }
    succession::left_behind(work, channel)?;
    let Refused::Group(rejection) = refused else { return Ok(Taken::Next) };
    if rejection == Rejection::OwnLeaf {
        note(work, channel, &entry.epoch, placed.entry, Verdict::Unjudged)?;
        warn(work, channel, |chat| Warning::OwnCommitUnknown { chat })?;
        rejoin::doubt(work, channel)?;
        return Ok(Taken::Next);
    }
    let verdict = match rejection.scope() {
        Scope::Own => Verdict::Disputed,
        Scope::All => Verdict::Invalid,
    };
    note(work, channel, &entry.epoch, placed.entry, verdict)?;
    if rejection == Rejection::OtherHistory {
        // spec: CLI-073
        warn(work, channel, |chat| Warning::HistoryDiffers { chat })?;
    }
    plan_contest(work, channel, &placed.entry, rejection)?;
    warn(work, channel, |chat| Warning::CommitRejected { chat, code })?;
    if is_full(work, channel, &entry.epoch)? {
        warn(work, channel, |chat| Warning::EpochFull { chat })?;
        succession::no_way_on(work, channel)?;
    }
    Ok(Taken::Next)
}

/// A message in this device's name that its store did not make: somebody forged it, or a copy of the
/// store was at work, and this one may take keys for fresh that are used up. Nothing more is sealed in
/// this epoch but the commit that ends it, for which there are other keys (spec: CLI-164).
fn copied(work: &mut Work<'_>, channel: &ChannelId, epoch: &EpochId) -> Result<(), StoreError> {
    let (record, _) = epoch_state(work, channel, epoch)?;
    if record.copied {
        return Ok(());
    }
    save_epoch(work, channel, epoch, &EpochRecord { copied: true, ..record })?;
    work.effects.channels.insert(*channel);
    work.wish(Wish::LeaveEpoch { channel: *channel, epoch: *epoch })?;
    Ok(())
}

/// Whether an epoch takes no more commits, and this device applied none (spec: CLI-206).
pub(crate) fn is_full(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<bool, StoreError> {
    let (record, _) = epoch_state(work, channel, epoch)?;
    Ok(record.candidates.len() >= usize::from(Limits::V1.candidates_max))
}

fn plan_contest(
    work: &mut Work<'_>,
    channel: &ChannelId,
    candidate: &EntryId,
    rejection: Rejection,
) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    // Those who are still there do it (spec: CLI-203).
    if matches!(group.purpose, PurposeRecord::Former { .. }) {
        return Ok(());
    }
    if group.contest.is_some() {
        // What this device offers, or has offered already, has to list this candidate too.
        work.effects.channels.insert(*channel);
        return Ok(());
    }
    let wait = CONTEST_WAIT_MS + backoff::jitter_ms(CONTEST_SPAN_MS, work.rng);
    let report = Report::new(*candidate, rejection);
    group.contest = Some(Contest {
        at_ms: work.now.plus_ms(wait).0,
        candidate: report.candidate,
        code: report.code,
    });
    // The live channel watches the time, and messages wait for the next epoch.
    work.effects.channels.insert(*channel);
    groups::save(work, channel, &group)
}

/// No contest begins later than one that is planned now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(contest) = &mut group.contest else { return Ok(()) };
    let latest_ms = work.now.plus_ms(CONTEST_AGAIN_MS).0;
    if contest.at_ms > latest_ms {
        contest.at_ms = latest_ms;
        groups::save(work, channel, &group)?;
    }
    Ok(())
}

/// The wait is over and no valid candidate has come: this device offers one.
pub(crate) fn contest(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    // A commit that is wished for anyway contests as well as an empty one.
    let contests = |wish: &Wish| matches!(wish, Wish::Contest { .. } | Wish::ChangeGroup { .. });
    if !wish::waits(work, channel, contests)? {
        work.wish(Wish::Contest { channel: *channel })?;
    }
    // It is looked at again then, should nothing have come of it.
    if let Some(mut group) = groups::record(work, channel)?
        && let Some(contest) = &mut group.contest
    {
        contest.at_ms = work.now.plus_ms(CONTEST_AGAIN_MS).0;
        groups::save(work, channel, &group)?;
    }
    work.effects.channels.insert(*channel);
    Ok(())
}

/// Warns in the chat that a channel carries, if it carries one.
pub(crate) fn warn(
    work: &mut Work<'_>,
    channel: &ChannelId,
    warning: impl FnOnce(crate::command::ChatNumber) -> Warning,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    match group.purpose.chat() {
        Some(chat) => work.event(Event::Warning(warning(chat))),
        None => Ok(()),
    }
}
