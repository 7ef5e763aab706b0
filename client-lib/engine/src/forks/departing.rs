//! Who came in behind a fork was never in the epoch that parts its branch from the others. Who invited it
//! there says so when it leaves that branch, and invites it again (spec: CLI-184 to CLI-186).
//!
//! | device | input | effect |
//! |---|---|---|
//! | lost, and has invited somebody | its grace is over | it says so in its branch, and leaves a little later |
//! | came in by an invitation | its inviter says so | told; an invitation of that one is followed; it adds nobody again for an hour, then only who asks from where it is or names no epoch, and after a month anybody (CLI-217) |
//! | the same | that invitation | its branch is left, what it said there is said again |
//! | led, stuck | another one's invitation | still led (CLI-218) |
//! | either | it is back | whom it had invited is invited again; own devices, if one of them invites it (CLI-186, `entering`) |

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    group::{Allowed, Group, Member, PastRoster, Right},
    identity::Fingerprint,
};
use hushwire_wire::id::{ChannelId, EpochId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{FORK_WAIT_MS, watching};
use crate::{
    additions, clock, contacts, control,
    event::Warning,
    groups, log, messages,
    record::{
        AskedFrom, Doubt, Entered, GroupRecord, GroupState, LeftRecord, Packages, PurposeRecord,
        Record, Wish, id,
    },
    rejoin,
    store::{StoreError, Table},
    stuck,
    work::Work,
};

/// For how long who invited a device leads it, in milliseconds: 30 days.
const INVITER_LEADS_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// How long a branch is not left for what is said there last, in milliseconds.
const SAY_WAIT_MS: u64 = 10 * 1000;
/// People whom this device invited to a group, and remembers.
const INVITED_MAX: usize = 1024;

/// Whom this device brought into a group lately. Key: `invited `, channel. Present also with no people:
/// then only devices were added.
#[derive(Default, Serialize, Deserialize)]
struct InvitedRecord {
    last_ms: u64,
    /// Those who were not in the group before by any device; who was invited last stands last.
    #[serde(with = "id::list")]
    people: Vec<Fingerprint>,
    /// Whether they are invited again when this device is back.
    again: bool,
}

impl Record for InvitedRecord {
    const TABLE: Table = Table::Profile;
}

fn key(channel: &ChannelId) -> Vec<u8> {
    [b"invited ", &channel.as_bytes()[..]].concat()
}

fn invited(work: &Work<'_>, channel: &ChannelId) -> Result<Option<InvitedRecord>, StoreError> {
    let row = work.tx.load::<InvitedRecord>(&key(channel))?;
    Ok(row.filter(|row| leads(work, row.last_ms)))
}

fn leads(work: &Work<'_>, since_ms: u64) -> bool {
    work.now.ms_since(Timestamp(since_ms)) < INVITER_LEADS_MS
}

/// A commit of this device was applied that adds these devices to a group, of which these were members.
pub(crate) fn note_invited(
    work: &Work<'_>,
    channel: &ChannelId,
    added: &[Member],
    before: &PastRoster,
) -> Result<(), StoreError> {
    if added.is_empty() {
        return Ok(());
    }
    let mut known = invited(work, channel)?.unwrap_or_default();
    for person in added.iter().map(Member::identity).filter(|person| !has(before, person)) {
        known.people.retain(|other| *other != person);
        known.people.push(person);
    }
    let surplus = known.people.len().saturating_sub(INVITED_MAX);
    known.people.drain(..surplus);
    known.last_ms = work.now.0;
    work.tx.save(&key(channel), &known)
}

fn has(roster: &PastRoster, person: &Fingerprint) -> bool {
    roster.members().iter().any(|member| member.identity == *person)
}

/// This device is about to leave its branch, in doubt for so long. If it brought somebody in, it says so
/// first, and leaves a little later (spec: CLI-184); none: it leaves now.
pub(super) fn say(
    work: &mut Work<'_>,
    channel: &ChannelId,
    parted: &EpochId,
    doubt: &Doubt,
) -> Result<Option<Doubt>, StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(None) };
    let may_seal = group.state == GroupState::Member && !group.waits_for_others();
    if doubt.said.is_some() || !may_seal || invited(work, channel)?.is_none() {
        return Ok(None);
    }
    let said = control::send_one(work, channel, vec![left(parted)])?;
    Ok(Some(Doubt { said, until_ms: work.now.plus_ms(SAY_WAIT_MS).0, ..*doubt }))
}

fn left(parted: &EpochId) -> ControlEntry {
    ControlEntry { kind: ControlKind::BranchLeft, payload: parted.as_bytes().to_vec() }
}

/// What was to be said of leaving, and is not said by now, is not said any more.
pub(super) fn unsay(work: &mut Work<'_>, left: &LeftRecord) {
    if let Some(said) = left.doubt.and_then(|doubt| doubt.said) {
        work.settle(said);
    }
}

/// Of whom this device brought into the branch that it leaves, those stay noted who are to be invited
/// again: they were not in the epoch that parts it from the others (spec: CLI-186).
pub(super) fn keep_invited(
    work: &mut Work<'_>,
    channel: &ChannelId,
    common: Option<&PastRoster>,
) -> Result<(), StoreError> {
    let Some(mut row) = invited(work, channel)? else { return Ok(()) };
    let there = stuck::roster(work, channel)?;
    row.people.retain(|person| {
        there.contains(person) && !common.is_some_and(|common| has(common, person))
    });
    row.again = true;
    work.tx.save(&key(channel), &row)
}

/// This device is back, among these members: whom it had brought in and who is not there is added again.
/// Own devices, and those of a contact in a direct chat, are added for themselves (spec: CLI-186).
pub(crate) fn invite_again(
    work: &mut Work<'_>,
    channel: &ChannelId,
    purpose: PurposeRecord,
    members: &[Member],
) -> Result<(), StoreError> {
    let Some(row) = invited(work, channel)?.filter(|row| row.again) else { return Ok(()) };
    forget_invited(work, channel);
    if !matches!(purpose, PurposeRecord::Group { .. }) {
        return Ok(());
    }
    for person in row.people {
        let is_there = members.iter().any(|member| member.identity() == person);
        if !is_there && contacts::is_contact(work, &person)? {
            let packages = Packages::default();
            additions::wish(work, Wish::AddPerson { channel: *channel, person, packages })?;
        }
    }
    Ok(())
}

/// A member says that it leaves the branch in which this device is. If it is who brought it there, its
/// next invitation is followed; for others it means nothing (spec: CLI-185).
pub(crate) fn heard_leaving(
    work: &mut Work<'_>,
    channel: &ChannelId,
    mls: &Group,
    sender: &Fingerprint,
    payload: &[u8],
) -> Result<(), StoreError> {
    let Ok(parted) = EpochId::from_slice(payload) else { return Ok(()) };
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let brought = |entered: Entered| entered.by == *sender && leads(work, entered.at_ms);
    let may_add = *sender == work.me()? || mls.state().allows(sender, Right::Add) == Allowed::Yes;
    let is_known = watching::is_in_or_watches(work, channel, &group, &parted)?;
    if group.inviter_left_ms.is_some()
        || group.state != GroupState::Member
        || group.purpose.is_former()
        || !group.entered.is_some_and(brought)
        || !may_add
        || is_known
        || rejoin::is_too_often(work, &group)
    {
        return Ok(());
    }
    // Whom it brought in itself hears of it as well.
    if invited(work, channel)?.is_some() && !group.waits_for_others() {
        control::send(work, channel, vec![left(&parted)])?;
    }
    groups::save(work, channel, &GroupRecord { inviter_left_ms: Some(work.now.0), ..group })?;
    // The invitation may be there already (spec: LNK-080).
    work.effects.held_clearer = true;
    log::warn(work, channel, |chat| Warning::InviterLeft { chat })
}

/// Whether this device, whose inviter has left its branch, brings back nobody who asks so: not before
/// that one had its time to come back and to invite, and for a month nobody who may have left as well
/// (spec: CLI-185, CLI-217).
pub(super) fn leaves_to_others(
    work: &Work<'_>,
    group: &GroupRecord,
    asker: &Fingerprint,
    from: AskedFrom,
) -> bool {
    let Some(since_ms) = group.inviter_left_ms else { return false };
    let end_ms = since_ms.saturating_add(FORK_WAIT_MS);
    let waits = !clock::is_over(work.now, end_ms, FORK_WAIT_MS);
    let is_for_others = waits || is_led_by(group, asker) || from == AskedFrom::Elsewhere;
    leads(work, since_ms) && is_for_others
}

/// Whether who brought this device into its branch has left that, and is this one (spec: CLI-185).
pub(super) fn is_led_by(group: &GroupRecord, inviter: &Fingerprint) -> bool {
    group.inviter_left_ms.is_some() && group.entered.is_some_and(|entered| entered.by == *inviter)
}

/// What stays noted of an inviter who has left when somebody else adds this device again (spec: CLI-218).
pub(crate) fn still_led(known: &GroupRecord, inviter: &Fingerprint) -> Option<u64> {
    let by_it = known.entered.is_some_and(|entered| entered.by == *inviter);
    known.inviter_left_ms.filter(|_| !by_it)
}

/// Who brought this device into its branch brings it elsewhere: what it said since it came in is said
/// again, and nothing of that branch is watched (spec: CLI-185).
pub(super) fn leave_led(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
) -> Result<(), StoreError> {
    let since_ms = group.entered.map_or(work.now.0, |entered| entered.at_ms);
    if let Some(chat) = group.purpose.chat() {
        messages::say_again(work, channel, chat, since_ms)?;
    }
    for watching::Row { epoch, mut record } in watching::rows(work, channel)? {
        if record.left.take().is_some() {
            log::save_epoch(work, channel, &epoch, &record)?;
        }
    }
    keep_invited(work, channel, None)
}

/// What was noted by a clock that was ahead (spec: CLI-137).
pub(super) fn cut_times(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let key = key(channel);
    if let Some(row) = work.tx.load::<InvitedRecord>(&key)?
        && row.last_ms > work.now.0
    {
        work.tx.save(&key, &InvitedRecord { last_ms: work.now.0, ..row })?;
    }
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    let left_ms = group.inviter_left_ms.as_mut();
    let entered_ms = group.entered.as_mut().map(|entered| &mut entered.at_ms);
    let mut is_cut = false;
    for at_ms in left_ms.into_iter().chain(entered_ms).filter(|at_ms| **at_ms > work.now.0) {
        *at_ms = work.now.0;
        is_cut = true;
    }
    if is_cut { groups::save(work, channel, &group) } else { Ok(()) }
}

/// Forgets whom this device brought into a group.
pub(crate) fn forget_invited(work: &Work<'_>, channel: &ChannelId) {
    work.tx.remove(Table::Profile, &key(channel));
}
