//! The group of an identity's own devices, where it leads nowhere any more: one of them forms it anew,
//! on another channel, and the others come along by themselves.
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | member | stuck, the only device | member, elsewhere | formed anew at once |
//! | member | stuck | asking | asks to be added again (`rejoin`) |
//! | asking | all others ask too, or nobody answers | member, elsewhere | formed anew, when it is this device's turn |
//! | asking | formed or followed too often lately | resting | told; asks and forms later |
//! | asking, resting, not in yet | invitation to one of higher rank | member, elsewhere | followed |
//! | member | invitation to one of higher rank | member | kept; this group is read to its end first |
//! | member, read to its end | the same invitation | member, elsewhere | followed |
//! | any | invitation to one of lower rank | – | passed over |
//!
//! What each device knows of what all share is said again in the new group: nothing that only one of
//! them had read in the old one is lost.

use core::cmp::Reverse;

use hushwire_protocol::{
    address::RelayAddress,
    group::{Group, GroupKind, GroupState as Agreed, Member},
    identity::{DeviceId, Fingerprint},
    invitation::{Invitation, Purpose},
    succession::{NewPlace, Successor},
};
use hushwire_wire::id::{ChannelId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    command::StuckCause,
    devices,
    event::{Event, InvitationRefusal},
    groups,
    inbox::{self, Fault},
    joining::Unread,
    outbox, profile,
    record::{GroupRecord, GroupState, IdentityRecord, PurposeRecord, Record, Wish},
    refreshing, rejoin,
    store::{StoreError, Table},
    stuck, wish,
    work::Work,
};

/// Rounds of requests that nobody answers before the group is formed anew (spec: IDN-077).
const ROUNDS: u32 = 4;
/// How long a device leaves it to each one in front of it, in milliseconds (spec: IDN-077).
const TURN_MS: u64 = 60_000;
/// How long the inbox keeps the keys by which the others open it, in milliseconds (spec: IDN-079).
const GATHER_MS: u64 = 60_000;

/// How far behind the one before an own group says at most that it was made, in milliseconds: so no
/// device uses up the times that there are, whatever its clock says (spec: IDN-081).
const MADE_AT_STEP_MS: u64 = 8_796_093_022_208;

/// When the own group was formed anew, by the clock of the device that did; none: it was not. Key: fixed.
#[derive(Serialize, Deserialize)]
struct FormationRecord {
    made_at_ms: u64,
    /// When this device formed it, or came into it.
    #[serde(default)]
    since_ms: u64,
}

impl Record for FormationRecord {
    const TABLE: Table = Table::Profile;
}

impl FormationRecord {
    const KEY: &[u8] = b"own group formed";
}

/// An own device that asks to be added again, since this one is stuck too. Key: `own asking `, device.
#[derive(Serialize, Deserialize)]
struct AskingRecord {
    at_ms: u64,
}

impl Record for AskingRecord {
    const TABLE: Table = Table::Profile;
}

const ASKING_PREFIX: &[u8] = b"own asking ";

fn asking_key(device: &DeviceId) -> Vec<u8> {
    [ASKING_PREFIX, device.as_ref()].concat()
}

/// How an own group came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Formation {
    channel: ChannelId,
    /// When it was formed anew, if it was.
    made_at: Option<Timestamp>,
}

impl Formation {
    fn of(group: &Group, channel: &ChannelId) -> Self {
        let successor = group.state().before.as_ref();
        Self { channel: *channel, made_at: successor.map(|successor| successor.made_at) }
    }

    /// Whether it is the one to be in: one that was formed anew is above the first, a later one above
    /// an earlier, and then the one with the lower channel. That is an order, whoever compares which
    /// two, so that all devices come to one group (spec: IDN-078).
    fn is_above(&self, other: &Self) -> bool {
        let place = |it: &Self| (it.made_at, Reverse(it.channel));
        place(self) > place(other)
    }

    /// The last time at which one that takes its place may say that it was made (spec: IDN-081).
    fn last_next_made_at(&self) -> Timestamp {
        self.made_at.unwrap_or(Timestamp(0)).plus_ms(MADE_AT_STEP_MS)
    }

    /// When a group that takes its place says that it was made (spec: IDN-077, IDN-081).
    fn next_made_at(&self, now: Timestamp) -> Timestamp {
        let first = self.made_at.map_or(Timestamp(0), |made_at| made_at.plus_ms(1));
        now.max(first).min(self.last_next_made_at())
    }
}

/// What this device's own group weighs.
fn formation(work: &Work<'_>) -> Result<Formation, StoreError> {
    let channel = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    let known: Option<FormationRecord> = work.tx.load(FormationRecord::KEY)?;
    Ok(Formation { channel, made_at: known.map(|known| Timestamp(known.made_at_ms)) })
}

// --- asking and forming ---------------------------------------------------------------------

/// This device is stuck in the own group: who asks from now on cannot go on there either.
pub(crate) fn forget_asking(work: &Work<'_>) -> Result<(), StoreError> {
    for key in work.tx.keys(Table::Profile, ASKING_PREFIX)? {
        work.tx.remove(Table::Profile, &key);
    }
    Ok(())
}

/// Another own device asks to be added again to the own group, in which this one is stuck as well.
pub(crate) fn heard_asking(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    device: &DeviceId,
) -> Result<(), StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?;
    let key = asking_key(device);
    if me.own_group != *channel
        || me.fingerprint() != *person
        || work.tx.load::<AskingRecord>(&key)?.is_some()
    {
        return Ok(());
    }
    work.tx.save(&key, &AskingRecord { at_ms: work.now.0 })?;
    // It may have been the last that was waited for.
    rejoin::look(work, channel)
}

/// Whose turn it is to form the own group anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This device's, now.
    Now,
    /// This device's, then.
    At(Timestamp),
    /// Nobody's, as far as is known.
    Nobody,
}

/// Whose turn it is, if this device is stuck in its own group: that of the first in the list when all
/// ask, and of each behind it a while later (spec: IDN-077). A store that is an old copy forms nothing:
/// another one is this device too (spec: CLI-167).
pub(crate) fn turn(work: &Work<'_>, group: &GroupRecord, rounds: u32) -> Result<Turn, StoreError> {
    let Some(stuck) = &group.stuck else { return Ok(Turn::Nobody) };
    if group.purpose != PurposeRecord::OwnDevices
        || stuck.cause == StuckCause::OwnCommit
        || rejoin::is_too_often(work, group)
    {
        return Ok(Turn::Nobody);
    }
    let me = work.identity()?.ok_or(StoreError::Damaged)?.device;
    let (mut in_front, mut asking_in_front, mut all_ask) = (0_u32, 0_u32, true);
    let mut since = Timestamp(stuck.since_ms).min(work.now);
    for entry in devices::device_list(work)?.devices() {
        if entry.device == me || devices::is_revoked(work, &entry.device)? {
            continue;
        }
        let is_in_front = u32::from(entry.device < me);
        in_front = in_front.saturating_add(is_in_front);
        match work.tx.load::<AskingRecord>(&asking_key(&entry.device))? {
            Some(asking) => {
                asking_in_front = asking_in_front.saturating_add(is_in_front);
                since = since.max(Timestamp(asking.at_ms).min(work.now));
            }
            None => all_ask = false,
        }
    }
    // A device that is away may know no other keys of the inbox than those that stay there so long.
    let keys_wait = inbox::waits_for_own_group(work, &inbox::required(work)?)?;
    let at = since.plus_ms(TURN_MS.saturating_mul(in_front.into()));
    Ok(match all_ask {
        true if at <= work.now => Turn::Now,
        true => Turn::At(at),
        false if !keys_wait && rounds >= ROUNDS.saturating_add(asking_in_front) => Turn::Now,
        false => Turn::Nobody,
    })
}

/// Forms the own group anew, on another channel of the own relay, for all devices of the list
/// (spec: IDN-077).
pub(crate) fn form_anew(work: &mut Work<'_>) -> Result<(), StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let relay: RelayAddress =
        inbox::required(work)?.relay.parse().map_err(|_| StoreError::Damaged)?;
    let device = profile::device(work)?;
    let channel = ChannelId::from_bytes(work.random());
    let made_at = formation(work)?.next_made_at(work.now);
    let place = NewPlace { channel, relay };
    let before = Successor::sign(identity.own_group, place, made_at, Vec::new(), &device.key);
    let agreed = Agreed {
        before: Some(Box::new(before)),
        ..Agreed::new(GroupKind::OwnDevices, identity.fingerprint())
    };
    groups::form_as(work, channel, agreed, PurposeRecord::OwnDevices)
        .map_err(|_| StoreError::Failed)?;
    take_place(work, &Formation { channel, made_at: Some(made_at) })?;
    devices::add_own_devices(work, &channel)
}

/// A group is the own one from now on; the one before is forgotten, and what waited there goes along
/// (spec: IDN-079).
fn take_place(work: &mut Work<'_>, formed: &Formation) -> Result<(), StoreError> {
    let channel = &formed.channel;
    let mut identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let before = core::mem::replace(&mut identity.own_group, *channel);
    work.tx.save(IdentityRecord::KEY, &identity)?;
    note_formation(work, formed)?;
    let rejoined_ms = match groups::record(work, &before)? {
        Some(group) => rejoin::counted(work, &group),
        None => vec![work.now.0],
    };
    move_wishes(work, &before, *channel)?;
    stuck::forget(work, &before)?;
    if let Some(group) = groups::record(work, channel)? {
        groups::save(work, channel, &GroupRecord { rejoined_ms, ..group })?;
    }
    forget_asking(work)?;
    // spec: CLI-208
    work.event(Event::OwnGroupFormedAnew)
}

fn note_formation(work: &Work<'_>, formed: &Formation) -> Result<(), StoreError> {
    match formed.made_at {
        Some(made_at) => {
            let record = FormationRecord { made_at_ms: made_at.0, since_ms: work.now.0 };
            work.tx.save(FormationRecord::KEY, &record)
        }
        None => {
            work.tx.remove(Table::Profile, FormationRecord::KEY);
            Ok(())
        }
    }
}

/// What own devices were to hear they hear in the new group, and who was to go goes there. Who was to
/// come is added there anyhow; all else was about the group before.
fn move_wishes(
    work: &mut Work<'_>,
    before: &ChannelId,
    channel: ChannelId,
) -> Result<(), StoreError> {
    rejoin::end(work, before)?;
    outbox::epoch_over(work, before)?;
    for row in wish::of_channel(work, before)? {
        match row.wish {
            Wish::SendContent { content, message, .. } => {
                outbox::move_content(work, row.number, channel, content, message)?;
            }
            Wish::RemoveDevice { device, .. } => {
                work.settle(row.number);
                work.wish(Wish::RemoveDevice { channel, device })?;
            }
            Wish::RefreshLeaf { .. } => refreshing::given_up(work, row.number)?,
            _ => work.settle(row.number),
        }
    }
    Ok(())
}

/// Whether the others are about to come into the own group, which was formed anew just now.
pub(crate) fn gathers(work: &Work<'_>) -> Result<bool, StoreError> {
    let Some(known) = work.tx.load::<FormationRecord>(FormationRecord::KEY)? else {
        return Ok(false);
    };
    Ok(!clock::is_over(work.now, Timestamp(known.since_ms).plus_ms(GATHER_MS).0, GATHER_MS))
}

/// Whether nobody would hear what is said in the own group: it was formed anew just now, and the others
/// are about to be added.
pub(crate) fn is_empty_yet(
    work: &Work<'_>,
    channel: &ChannelId,
    group: &Group,
) -> Result<bool, StoreError> {
    let formed = group.state().kind == GroupKind::OwnDevices && group.state().before.is_some();
    if !formed || groups::members_of(group)?.len() > 1 {
        return Ok(false);
    }
    let adds = |wish: &Wish| matches!(wish, Wish::AddDevice { .. } | Wish::CommitAdditions { .. });
    wish::waits(work, channel, adds)
}

// --- following ------------------------------------------------------------------------------

/// Whether an invitation leads to another own group than this device's.
fn leads_elsewhere(work: &Work<'_>, invitation: &Invitation) -> Result<bool, StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    Ok(invitation.purpose == Purpose::OwnDevices && invitation.group.channel != own_group)
}

/// The group that this device has, if it can go on there.
pub(crate) fn well(work: &Work<'_>) -> Result<Option<ChannelId>, StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    let group = groups::record(work, &own_group)?;
    Ok(group.filter(|group| group.state == GroupState::Member).map(|_| own_group))
}

/// Puts by an invitation to another own group until this one was read to its end: who was revoked there
/// takes nobody along (spec: IDN-078).
pub(crate) fn check_read(
    work: &Work<'_>,
    invitation: &Invitation,
    read: bool,
) -> Result<(), Fault> {
    match well(work)? {
        Some(channel) if !read && leads_elsewhere(work, invitation)? => {
            Err(Fault::Unread(Unread { channel, word: None }))
        }
        _ => Ok(()),
    }
}

/// Whether this device goes along to an own group that it was invited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is its own group, or takes the place of it.
    Ours,
    /// Another one takes the place of it.
    Outranked,
}

/// Where an own group that this device has come into stands (spec: IDN-078).
pub(crate) fn standing(
    work: &Work<'_>,
    group: &Group,
    invitation: &Invitation,
) -> Result<Standing, Fault> {
    if !leads_elsewhere(work, invitation)? {
        return Ok(Standing::Ours);
    }
    let (own, place) = (formation(work)?, &invitation.group);
    let theirs = Formation::of(group, &place.channel);
    let is_there =
        |before: &Successor| before.channel == place.channel && before.relay == place.relay;
    let formed = group.state().before.as_deref();
    if formed.is_some_and(|before| !is_there(before))
        || theirs.made_at.max(own.made_at).is_none()
        || theirs.made_at > Some(own.last_next_made_at())
    {
        return Err(Fault::Refused(InvitationRefusal::OtherPurpose));
    }
    Ok(if theirs.is_above(&own) { Standing::Ours } else { Standing::Outranked })
}

/// This device came into the own group. If that takes the place of the one it had, what it knows of what
/// all share is said again there (spec: IDN-079).
pub(crate) fn entered(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &Group,
    members: &[Member],
) -> Result<(), StoreError> {
    let formed = Formation::of(group, channel);
    if work.identity()?.ok_or(StoreError::Damaged)?.own_group == *channel {
        note_formation(work, &formed)?;
        rejoin::end(work, channel)?;
        return devices::tell_name(work);
    }
    take_place(work, &formed)?;
    devices::add_absent(work, channel, members)?;
    devices::tell_everything(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_formation_is_above_an_earlier_and_then_the_lower_channel() {
        // spec: IDN-078
        let formation = |made_at: Option<u64>, channel: u8| Formation {
            channel: ChannelId::from_bytes([channel; 32]),
            made_at: made_at.map(Timestamp),
        };
        let ascending = [
            formation(None, 9),
            formation(None, 1),
            formation(Some(0), 7),
            formation(Some(5), 8),
            formation(Some(5), 2),
            formation(Some(6), 9),
        ];
        for (place, lower) in ascending.iter().enumerate() {
            assert!(!lower.is_above(lower));
            for upper in &ascending[place + 1..] {
                assert!(upper.is_above(lower) && !lower.is_above(upper), "{lower:?} {upper:?}");
            }
        }
    }

    #[test]
    fn there_is_always_room_for_one_that_takes_a_groups_place() {
        // spec: IDN-077, IDN-081
        let now = Timestamp(1_800_000_000_000);
        let at = |made_at| Formation { channel: ChannelId::from_bytes([0; 32]), made_at };
        assert_eq!(at(None).next_made_at(now), now);
        assert_eq!(at(Some(Timestamp(5))).next_made_at(now), now);
        // Behind one of a clock that was ahead it says a little more, not the time.
        let ahead = at(Some(now.plus_ms(MADE_AT_STEP_MS / 2)));
        let next = Formation { channel: ChannelId::from_bytes([9; 32]), ..ahead };
        let next = Formation { made_at: Some(ahead.next_made_at(now)), ..next };
        assert!(next.is_above(&ahead));
        assert_eq!(next.made_at, ahead.made_at.map(|made_at| made_at.plus_ms(1)));
        // Nor does a clock that says the last time that there is use up more than a step.
        let last = Timestamp(u64::MAX);
        assert_eq!(at(None).next_made_at(last), Timestamp(MADE_AT_STEP_MS));
        assert_eq!(at(Some(Timestamp(7))).next_made_at(last), Timestamp(7 + MADE_AT_STEP_MS));
    }
}
