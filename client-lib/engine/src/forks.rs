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
//! | unsettled | another member speaks for the same candidate, is heard behind it, or asks to be added again | sound | told; what waited is sealed |
//! | unsettled | no room for notes | unsettled, speaking | the leaf is renewed, so that others hear it |
//! | unsettled | it came late, or waited long | unsettled, asking | asks to be added again, and reads on |
//! | unsettled, asking | an invitation | – | its branch is left for that of the others |
//! | any | the highest rank that speaks is for another candidate | the same, in doubt | a statement planned |
//! | in doubt | somebody above speaks for its own | no doubt | |
//! | leaving | the same | no doubt | what is not said of leaving by then is not said |
//! | in doubt | those above had time to speak | lost | stuck: asks to be added again (`departing`) |
//! | in doubt | the same, and it brought somebody in | leaving | says so in its branch |
//! | leaving | a little later | lost | as above |
//! | lost | an invitation | sound | the common epoch is watched on, by what was followed |
//! | any | who brought it in says that it leaves | the same, led | told; adds nobody again but as in `departing` |
//! | led | an invitation of that one | – | its branch is left for that of the others |
//! | led, lost | an invitation of another one | sound, led | |
//! | stuck in an epoch with candidates | an invitation | sound | that epoch is watched, as by the first of them, or by the one that brought it back |
//! | sound | it has looked for as long as it watches | – | keys and roster are deleted |

mod asked;
mod departing;
mod roster;
mod speaking;
mod unsettled;
mod watching;

use hushwire_protocol::{
    group::{LeafIndex, Note, PastRoster, Standpoint, VerifiedStatement},
    identity::Fingerprint,
};
use hushwire_wire::{
    id::{ChannelId, EntryId, EpochId, Timestamp},
    limit::Limits,
    message::{Content, Entry, EntryBody},
    transcript::{self, Operation},
};

pub(crate) use self::{
    asked::{Certainty, asked, asked_from, certainty},
    departing::{forget_invited, heard_leaving, invite_again, note_invited, still_led},
    roster::forget as forget_rosters,
    speaking::{Noted, due, noted},
    unsettled::{as_asked, sought},
    watching::{Urgency, Watched, cut_times, examine, expired, forget, in_vain, kept, watched},
};
use crate::{
    advance::{self, HeadRow},
    clock,
    command::StuckCause,
    event::Warning,
    groups, log, messages,
    record::{
        CandidateRecord, Doubt, EpochRecord, GroupRecord, LeftRecord, Unsettled, Verdict,
        by_channel,
    },
    store::StoreError,
    stuck, succession,
    work::Work,
};

/// For how long an epoch is watched after this device left it, in milliseconds: a day.
const FORK_WATCH_MS: u64 = 24 * 60 * 60 * 1000;
/// How much of that the time between two looks counts at most, in milliseconds: 6 hours, whatever the
/// clock says.
const WATCH_GAP_MAX_MS: u64 = 6 * 60 * 60 * 1000;
/// For how long a device is unsettled before it asks to be added again, in milliseconds: an hour.
const FORK_WAIT_MS: u64 = 60 * 60 * 1000;
/// How long those above somebody who spoke have at least to speak too, in milliseconds, and at most:
/// the older the epoch is, the more rarely they look there.
const GRACE_MS: u64 = 60 * 1000;
const GRACE_MAX_MS: u64 = 60 * 60 * 1000;
/// The fewest members of an epoch with somebody beside this device and the author of the other
/// candidate.
const UNSETTLED_MIN: usize = 3;

/// What is left behind by a commit, read before it is merged.
pub(crate) struct Leaving {
    pub(crate) roster: PastRoster,
    pub(crate) own_leaf: LeafIndex,
}

/// This device applied `entry` and leaves `group.epoch`: what it takes to watch that goes into its
/// row (spec: CLI-190). Says whether it is unsettled (spec: CLI-191).
pub(crate) fn leave(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    entry: &EntryId,
    leaving: &Leaving,
    removed: &[LeafIndex],
) -> Result<Option<Unsettled>, StoreError> {
    let (mut record, _) = log::epoch_state(work, channel, &group.epoch)?;
    let roster = roster::save(work, channel, &leaving.roster)?;
    let removed = removed.iter().map(|leaf| leaf.0).collect();
    let left = LeftRecord::silent(*entry, roster, leaving.own_leaf, work.now);
    record.left = Some(LeftRecord { removed, ..left });
    let unsettled = unsettled::begin(work, &group.epoch, &record, entry, &leaving.roster);
    let speaks = unsettled.is_none_or(|unsettled| unsettled::may_settle(work, &unsettled));
    if unsettled::is_doubtful(&record) && speaks {
        speaking::plan(work, &mut record, &leaving.roster);
    }
    log::save_epoch(work, channel, &group.epoch, &record)?;
    Ok(unsettled)
}

/// This device is stuck in an epoch where a candidate stands that others may have applied: when it is back
/// it watches that epoch, as one that went on behind the first of them (spec: CLI-198).
pub(crate) fn stranded(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let read = log::epoch_state(work, channel, epoch)
        .and_then(|(record, _)| Ok((record, advance::leaving(&log::load_group(work, channel)?)?)));
    let (record, leaving) = match read {
        // Of what cannot be read nothing is watched.
        Err(StoreError::Damaged) => return Ok(()),
        read => read?,
    };
    let Some(applied) = possible(&record).first().copied() else { return Ok(()) };
    let roster = roster::save(work, channel, &leaving.roster)?;
    let left = LeftRecord::silent(applied, roster, leaving.own_leaf, work.now);
    let left = Some(LeftRecord::following(applied, left));
    log::save_epoch(work, channel, epoch, &EpochRecord { left, ..record })
}

/// This device was added again by the commit that this epoch is named after. If that is a candidate of an epoch
/// that it was stuck in, the candidate is known that others went on behind (spec: CLI-198).
pub(crate) fn back_by(
    work: &mut Work<'_>,
    channel: &ChannelId,
    stuck: &EpochId,
    joined: &EpochId,
) -> Result<(), StoreError> {
    let mut record = match work.tx.load::<EpochRecord>(&by_channel(channel, stuck)) {
        Ok(Some(record)) => record,
        Ok(None) | Err(StoreError::Damaged) => return Ok(()),
        Err(error) => return Err(error),
    };
    let by = EntryId::from_bytes(*joined.as_bytes());
    let is_candidate = possible(&record).contains(&by);
    let Some(left) = record.left.take_if(|left| is_candidate && left.applied != by) else {
        return Ok(());
    };
    record.left = Some(LeftRecord::following(by, left));
    log::save_epoch(work, channel, stuck, &record)
}

/// The group stands in its new epoch: what was read before may settle it already.
pub(crate) fn left(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    unsettled::tell(work, channel, epoch)?;
    review(work, channel, epoch)
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
    // A relay may take back what it said here: then it is gone back to (spec: CLI-177).
    let row = HeadRow { head: record.head, handled: None };
    advance::note_head(work, channel, &entry.epoch, record.next, &row);
    if let EntryBody::Whole { operation, content } = &entry.body {
        match (operation, content) {
            (Operation::Commit(_), _) => add_late(&mut record, id, entry.stored_at.0),
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

/// No relay stores more candidates of an epoch than so many (spec: CLI-209).
fn add_late(record: &mut EpochRecord, entry: EntryId, stored_ms: u64) {
    let known = record.candidates.iter().any(|known| known.entry == entry);
    if !known && record.candidates.len() < usize::from(Limits::V1.candidates_max) {
        record.candidates.push(CandidateRecord { entry, verdict: Verdict::Late, stored_ms });
    }
}

fn hear(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    record: &mut EpochRecord,
    envelope: &[u8],
) -> Result<(), StoreError> {
    let Some(left) = &record.left else { return Ok(()) };
    let roster = roster::load(work, channel, left)?;
    match Note::open(&record.keys()?, channel, epoch, &roster, envelope) {
        Ok(Note::Applied(said)) => remember(work, channel, record, said),
        Ok(Note::Successor(offer)) => succession::take(work, channel, &offer),
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

/// Looks what the statements of an epoch mean for this device (spec: GRP-123, CLI-192, CLI-193).
fn review(work: &mut Work<'_>, channel: &ChannelId, epoch: &EpochId) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let (mut record, _) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = record.left.clone() else { return Ok(()) };
    let roster = roster::load(work, channel, &left)?;
    let own = roster::own_rank(&roster, &left)?;
    let applied = left.applied;
    let said: Vec<VerifiedStatement> =
        record.statements.iter().map(|known| (*known).into()).collect();
    let mut removed: Vec<LeafIndex> = left.removed.iter().map(|leaf| LeafIndex(*leaf)).collect();
    if group.state.is_in() && said.iter().any(|known| known.candidate != applied) {
        removed.extend(roster::gone_since(work, channel, &roster)?);
    }
    let candidates = possible(&record);
    let (removed, candidates) = (&removed[..], &candidates[..]);
    let standpoint = Standpoint { applied, own, unsaid: left.unsaid(), removed, candidates };
    let followed = standpoint.followed(&said);
    let counted = said.iter().filter(|known| standpoint.counts(known));
    let for_it = |known: &&VerifiedStatement| known.candidate == applied;
    let noted = counted.clone().filter(for_it).any(|known| known.rank == own);
    let backed = counted.clone().filter(for_it).any(|known| known.rank != own);
    let doubted = counted.clone().any(|known| known.candidate != applied);
    let behind = record.candidates.iter().skip_while(|known| known.entry != applied).count();
    let unsettled = group.unsettled.filter(|unsettled| unsettled.epoch == *epoch);
    let may_settle = unsettled.is_none_or(|unsettled| unsettled::may_settle(work, &unsettled));
    if (behind > 1 || doubted || unsettled.is_some()) && may_settle {
        speaking::plan(work, &mut record, &roster);
    }
    if followed != applied {
        return doubts(work, channel, epoch, record, followed);
    }
    departing::unsay(work, &left);
    record.left = record.left.map(|left| LeftRecord { doubt: None, ..left });
    log::save_epoch(work, channel, epoch, &record)?;
    if unsettled.is_some() && (backed || (noted && roster.above(own) == 0)) {
        unsettled::settle(work, channel)?;
    }
    work.effects.channels.insert(*channel);
    Ok(())
}

/// Others follow another candidate, as far as was read. Who is above the one that says so may be about
/// to speak: this device leaves its branch when they had time for that (spec: CLI-193).
fn doubts(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    mut record: EpochRecord,
    followed: EntryId,
) -> Result<(), StoreError> {
    let Some(left) = record.left.as_mut() else { return Ok(()) };
    match left.doubt.filter(|doubt| doubt.followed == followed) {
        Some(doubt) if clock::is_over(work.now, doubt.until_ms, GRACE_MAX_MS) => {
            let left = left.clone();
            match departing::say(work, channel, epoch, &doubt)? {
                Some(doubt) => record.left = Some(LeftRecord { doubt: Some(doubt), ..left }),
                None => return lose(work, channel, epoch, &left, followed),
            }
        }
        Some(_) => {}
        None => {
            let age_ms = work.now.ms_since(Timestamp(left.left_ms));
            let grace_ms = GRACE_MS.saturating_add(age_ms).min(GRACE_MAX_MS);
            departing::unsay(work, left);
            let until_ms = work.now.plus_ms(grace_ms).0;
            left.doubt = Some(Doubt { followed, until_ms, said: None });
        }
    }
    work.effects.channels.insert(*channel);
    log::save_epoch(work, channel, epoch, &record)
}

/// The candidates that somebody may have applied (spec: GRP-126).
fn possible(record: &EpochRecord) -> Vec<EntryId> {
    let candidates = record.candidates.iter();
    let possible = candidates.filter(|known| known.verdict != Verdict::Invalid);
    possible.map(|known| known.entry).collect()
}

/// Another member wrote where this device is: it is not alone behind what it applied (spec: CLI-192).
pub(crate) fn heard(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    unsettled::settle(work, channel)
}

/// Others go on behind another candidate: this device leaves its branch, and asks to be added again
/// there. It watches the common epoch on, as one that applied that candidate (spec: CLI-193, CLI-198).
fn lose(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    left: &LeftRecord,
    followed: EntryId,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    if !group.state.is_in() {
        return Ok(());
    }
    let common = roster::load(work, channel, left)?;
    departing::unsay(work, left);
    departing::keep_invited(work, channel, Some(&common))?;
    abandon(work, channel, &group, left)?;
    let (record, _) = log::epoch_state(work, channel, epoch)?;
    let left = LeftRecord::following(followed, left.clone());
    log::save_epoch(work, channel, epoch, &EpochRecord { left: Some(left), ..record })?;
    groups::save(work, channel, &GroupRecord { epoch: *epoch, unsettled: None, ..group })?;
    stuck::stick(work, channel, StuckCause::OtherBranch)
}

/// The branch behind an epoch is left: what was said there is said again elsewhere (spec: CLI-193), and
/// its epochs are not watched any more.
fn abandon(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    left: &LeftRecord,
) -> Result<(), StoreError> {
    if let Some(chat) = group.purpose.chat() {
        messages::say_again(work, channel, chat, left.left_ms)?;
    }
    let mut next = left.applied;
    loop {
        let epoch = EpochId::from_bytes(*next.as_bytes());
        let row = work.tx.load::<EpochRecord>(&by_channel(channel, &epoch))?;
        let Some(mut record) = row else { return Ok(()) };
        let Some(behind) = record.left.take() else { return Ok(()) };
        log::save_epoch(work, channel, &epoch, &record)?;
        next = behind.applied;
    }
}

/// This device took an invitation while it read on in its branch: that is left, and the common epoch is
/// watched on (spec: CLI-196, CLI-198).
pub(crate) fn exchanged(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    inviter: &Fingerprint,
) -> Result<(), StoreError> {
    // Also when it got stuck there meanwhile.
    if departing::is_led_by(group, inviter) {
        return departing::leave_led(work, channel, group);
    }
    let unsettled = group.unsettled.filter(|_| group.state.is_in());
    let Some(unsettled) = unsettled else { return Ok(()) };
    let row = work.tx.load::<EpochRecord>(&by_channel(channel, &unsettled.epoch))?;
    let Some(mut record) = row else { return Ok(()) };
    let Some(left) = record.left.take() else { return Ok(()) };
    // Who invites it went on behind another one, the first that was there to be applied.
    let other = possible(&record).into_iter().find(|other| *other != left.applied);
    record.left = other.map(|applied| LeftRecord::following(applied, left.clone()));
    log::save_epoch(work, channel, &unsettled.epoch, &record)?;
    abandon(work, channel, group, &left)
}

#[cfg(test)]
mod tests;
