//! Groups that this device cannot go on in by itself: why, who was in them, and what is left of them.
//!
//! Such a group is left alone: nothing is read, sealed or sent there, and the others go on. The chat
//! and its history stay. `rejoin` asks for the way back, `joining` takes it.

use hushwire_protocol::{
    group::{Group, Member},
    identity::Fingerprint,
    storage::group_prefix,
};
use hushwire_wire::id::ChannelId;
use serde::{Deserialize, Serialize};

use crate::{
    advance, chats,
    command::{ChatState, FailureReason, StuckCause},
    event::Event,
    forks, groups, log,
    own_group::{self, Turn},
    record::{GroupRecord, GroupState, PurposeRecord, Record, StuckRecord, id},
    rejoin,
    store::{StoreError, Table},
    succession, wish,
    work::Work,
};

const ROSTER_PREFIX: &[u8] = b"roster ";

/// Whose devices are in a group, as this device last read. It stands apart from the group's state, so
/// that it is there when that cannot be read any more. Key: `roster `, channel.
#[derive(Serialize, Deserialize)]
struct RosterRecord {
    #[serde(with = "id::list")]
    people: Vec<Fingerprint>,
}

impl Record for RosterRecord {
    const TABLE: Table = Table::Profile;
}

/// Whether the state of a group can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// As far as was looked.
    Sound,
    /// It cannot, and the group is stuck from now on.
    Damaged,
}

/// This device cannot go on in a group by itself: it stops there, says so, and asks to be added again
/// (spec: CLI-160). Who was about to leave is out.
pub(crate) fn stick(
    work: &mut Work<'_>,
    channel: &ChannelId,
    cause: StuckCause,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    match group.state {
        GroupState::Stuck | GroupState::Out => return Ok(()),
        GroupState::Leaving => return leave(work, channel, group),
        GroupState::Creating | GroupState::Member => {}
    }
    if matches!(group.purpose, PurposeRecord::Former { .. }) {
        return leave(work, channel, group);
    }
    let chat = group.purpose.chat();
    let stuck = Some(StuckRecord { cause, since_ms: work.now.0 });
    let group = GroupRecord { contest: None, unsettled: None, stuck, ..group };
    if group.purpose == PurposeRecord::OwnDevices {
        own_group::forget_asking(work)?;
        // The only device of an identity asks nobody (spec: CLI-167).
        if own_group::turn(work, &group, 0)? == Turn::Now {
            return own_group::form_anew(work);
        }
    }
    if matches!(cause, StuckCause::OwnCommit | StuckCause::OtherHistory | StuckCause::CommitGone) {
        forks::stranded(work, channel, &group.epoch)?;
    }
    groups::save(work, channel, &group)?;
    groups::set_state(work, channel, GroupState::Stuck)?;
    // An invitation may be there already (spec: LNK-080).
    work.effects.held_clearer = true;
    work.event(Event::GroupStuck { chat, cause })?;
    rejoin::begin(work, channel)?;
    succession::no_way_on(work, channel)
}

/// A device that cannot go on in a group that its person wanted to leave is out of it.
fn leave(work: &mut Work<'_>, channel: &ChannelId, group: GroupRecord) -> Result<(), StoreError> {
    succession::left_behind(work, channel)?;
    let last_roster = roster(work, channel)?;
    let chat = group.purpose.chat();
    groups::save(work, channel, &GroupRecord { contest: None, last_roster, ..group })?;
    for row in wish::of_channel(work, channel)? {
        wish::fail(work, row.number, FailureReason::NotAMember)?;
        work.settle(row.number);
    }
    erase(work, channel)?;
    groups::set_state(work, channel, GroupState::Out)?;
    match chat {
        Some(chat) => chats::set_state(work, chat, ChatState::Left),
        None => Ok(()),
    }
}

/// Looks whether the stored state of a group can be read; a group where it cannot is stuck, and no
/// other one is concerned (spec: CLI-161).
pub(crate) fn examine(work: &mut Work<'_>, channel: &ChannelId) -> Result<Health, StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(Health::Sound) };
    if !group.state.is_in() {
        return Ok(Health::Sound);
    }
    let looked = log::load_group(work, channel)
        .and_then(|mls| mls.members().map_err(log::store_error))
        .and_then(|_| log::epoch_state(work, channel, &group.epoch));
    match looked {
        Ok(_) => forks::examine(work, channel, &group.epoch),
        Err(StoreError::Damaged) => {
            stick(work, channel, StuckCause::StateDamaged)?;
            Ok(Health::Damaged)
        }
        Err(error) => Err(error),
    }
}

/// Forgets a group, as if it had never been there.
pub(crate) fn forget(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    erase(work, channel)?;
    work.tx.remove(Table::Profile, &roster_key(channel));
    work.tx.remove(Table::Group, channel.as_bytes());
    work.effects.channels.insert(*channel);
    Ok(())
}

/// Deletes all that is stored of a group's keys and tree, whether it can be read or not.
pub(crate) fn erase(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    erase_keys(work, channel)?;
    forks::forget_invited(work, channel);
    advance::forget_epochs(work, channel, &[])
}

/// Deletes the state that MLS has of a group, whether it can be read or not.
pub(crate) fn erase_keys(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let provider = work.provider();
    if let Ok(Some(mut group)) = Group::load(&provider, channel) {
        // What openmls does not find is deleted below.
        let _ = group.delete(&provider);
    }
    for key in work.tx.keys(Table::Mls, &group_prefix(channel))? {
        work.tx.remove(Table::Mls, &key);
    }
    Ok(())
}

/// Notes who is in a group.
pub(crate) fn note_roster(
    work: &Work<'_>,
    channel: &ChannelId,
    members: &[Member],
) -> Result<(), StoreError> {
    let people = groups::identities(members);
    work.tx.save(&roster_key(channel), &RosterRecord { people })
}

/// Who was in a group when this device last knew it.
pub(crate) fn roster(
    work: &mut Work<'_>,
    channel: &ChannelId,
) -> Result<Vec<Fingerprint>, StoreError> {
    match work.tx.load::<RosterRecord>(&roster_key(channel)) {
        Ok(Some(record)) => return Ok(record.people),
        // A group of a build before, or one that nobody has come into yet; or it cannot be read.
        Ok(None) | Err(StoreError::Damaged) => {}
        Err(error) => return Err(error),
    }
    let members = groups::state_of(work, channel).map(|group| group.members());
    Ok(members.and_then(Result::ok).map(|members| groups::identities(&members)).unwrap_or_default())
}

fn roster_key(channel: &ChannelId) -> Vec<u8> {
    [ROSTER_PREFIX, channel.as_bytes()].concat()
}
