//! Coming into a group that was formed anew: which chat goes on there, and who is waited for.

use hushwire_protocol::{
    address::RelayAddress, group::Group, identity::Fingerprint, invitation::Invitation,
    succession::SuccessorOffer,
};
use hushwire_wire::id::{ChannelId, Timestamp};

use super::{
    chat_of, go_on,
    word::{
        PREFIX, Stage, SuccessionRecord, as_of_now, counting, counts, load, may_follow, rank_of,
        save, stays,
    },
};
use crate::{
    chats, clock,
    command::{ChatNumber, ChatState},
    event::Event,
    groups,
    joining::{Unread, Word},
    log, own_group,
    record::{GroupRecord, GroupState},
    store::StoreError,
    work::Work,
};

/// How long it is waited for those who were in the group before, in milliseconds.
const GATHER_MS: u64 = 60_000;
/// How often it is looked whether they are there.
const GATHER_LOOK_MS: u64 = 2_000;

/// The chat of a group that goes on where an invitation leads, if this device knows that already and
/// follows: then it asks nothing of who invites (spec: CLI-201).
pub(crate) fn leads_on(
    work: &mut Work<'_>,
    invitation: &Invitation,
) -> Result<Option<ChatNumber>, StoreError> {
    for row in work.tx.list::<SuccessionRecord>(PREFIX, usize::MAX)? {
        let record = row.record;
        if record.channel != invitation.group.channel || record.stage == Stage::Followed {
            continue;
        }
        let Some(offer) = record.offer()? else { continue };
        let Some(group) = groups::record(work, &offer.successor.before)? else { continue };
        let SuccessorOffer { successor, .. } = &offer;
        let mls = groups::state_of(work, &successor.before);
        let Some(record) = as_of_now(record, mls.as_ref())? else { continue };
        let rank = record.rank()?;
        if successor.relay == invitation.group.relay
            && may_follow(work, &successor.before, &group, &rank, &successor.relay)?
        {
            return Ok(chat_of(&group));
        }
    }
    Ok(None)
}

/// What an invitation has for it, besides who wrote it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Nothing.
    Invitation,
    /// An own device wrote it.
    OwnDevice,
    /// The group before speaks for it, as far as it was read to its end since; or the person does.
    Read,
}

/// What a group that this device comes into takes the place of.
pub(crate) enum Standing {
    /// Of no group that this device knows, by a word that counts: it is a group like any other.
    Plain,
    /// Of one that goes on elsewhere, by a word of more weight.
    Outranked,
    /// Of the one in this chat.
    Follows { chat: ChatNumber },
    /// Of one by an admin's word, which the person has not followed (spec: CLI-200).
    NotFollowed,
    /// Of one in which something may stand that speaks against it (spec: CLI-187).
    Unread(Unread),
    /// Of one that the person has left.
    Left,
}

/// Where a group that this device comes into belongs (spec: GRP-142, GRP-143, CLI-201).
pub(crate) fn standing(
    work: &mut Work<'_>,
    joined: &Group,
    channel: &ChannelId,
    relay: &RelayAddress,
    ground: Ground,
) -> Result<Standing, StoreError> {
    let Some(successor) = joined.state().before.clone() else { return Ok(Standing::Plain) };
    if successor.channel != *channel || successor.relay != *relay {
        return Ok(Standing::Plain);
    }
    let before = successor.before;
    let Some(group) = groups::record(work, &before)? else { return Ok(Standing::Plain) };
    let Some(chat) = chat_of(&group) else { return Ok(Standing::Plain) };
    if is_out(&group) {
        let left = chats::named(work, chat).is_ok_and(|chat| chat.state == ChatState::Left);
        return Ok(if left { Standing::Left } else { Standing::Plain });
    }
    let mls = groups::state_of(work, &before);
    let Some(rank) = rank_of(mls.as_ref(), &successor)? else { return Ok(Standing::Plain) };
    let known = counting(work, &before, mls.as_ref())?;
    if let Some(known) = &known
        && (known.is_above(&rank, work.now)? || stays(work, known, &rank))
    {
        // Whoever gave the word above may have become an owner since.
        go_on(work, &before, &group, known)?;
        return Ok(Standing::Outranked);
    }
    if !may_follow(work, &before, &group, &rank, relay)? {
        return Ok(Standing::NotFollowed);
    }
    if ground != Ground::Read && group.follows != Some(rank.identity) {
        // What an own device does is this person's word, if it is one still.
        let own = if ground == Ground::OwnDevice { own_group::well(work)? } else { None };
        let word = Some(Word { chat, by: rank.identity });
        return Ok(Standing::Unread(Unread { channel: own.unwrap_or(before), word }));
    }
    let mut record = SuccessionRecord::new(work, rank, &successor, None, Stage::Followed);
    if let Some(known) = known.filter(|known| known.channel == *channel) {
        record.offer = known.offer;
        record.roster = known.roster;
    }
    save(work, &before, &record)?;
    work.event(Event::GroupSucceeded { chat, by: rank.identity.to_hex() })?;
    Ok(Standing::Follows { chat })
}

/// Until when what people say in a group that was formed anew waits for those who were in the one
/// before: who comes in later cannot read what was said earlier (spec: CLI-205).
pub(crate) fn gathers_until(
    work: &mut Work<'_>,
    group: &Group,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(successor) = &group.state().before else { return Ok(None) };
    let Some(known) = load(work, &successor.before)? else { return Ok(None) };
    let until = Timestamp(known.since_ms).plus_ms(GATHER_MS);
    if known.channel != successor.channel || clock::is_over(work.now, until.0, GATHER_MS) {
        return Ok(None);
    }
    let Some(before) = groups::record(work, &successor.before)? else { return Ok(None) };
    let here = groups::identities(&groups::members_of(group)?);
    let expected = groups::last_roster(work, &successor.before, &before)?;
    // Who is left out does not come by itself (spec: GRP-145).
    let comes = |person: &&Fingerprint| !successor.leaves_out(person);
    let all_here = expected.iter().filter(comes).all(|person| here.contains(person));
    Ok((!all_here).then(|| until.min(work.now.plus_ms(GATHER_LOOK_MS))))
}

/// Whether somebody comes into a group by a member's word only, since who formed it anew leaves them
/// out (spec: GRP-145).
pub(crate) fn leaves_out(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<bool, StoreError> {
    let group = log::load_group(work, channel)?;
    Ok(group.state().before.as_ref().is_some_and(|successor| successor.leaves_out(person)))
}

/// Whether somebody was in the group that this one takes the place of, where it was said that it goes
/// on here (spec: LNK-109).
pub(crate) fn was_in(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<bool, StoreError> {
    let Some(successor) = log::load_group(work, channel)?.state().before.clone() else {
        return Ok(false);
    };
    let known = load(work, &successor.before)?.filter(|known| known.channel == *channel);
    let roster = known.and_then(|known| known.roster);
    Ok(roster.is_some_and(|roster| roster.contains(person)))
}

/// Whether a group is known as one where another one goes on, which this device is in, by a word that
/// still counts: then it has to be that.
pub(crate) fn is_expected(work: &mut Work<'_>, channel: &ChannelId) -> Result<bool, StoreError> {
    for row in work.tx.list::<SuccessionRecord>(PREFIX, usize::MAX)? {
        let before = row.key.strip_prefix(PREFIX).ok_or(StoreError::Damaged)?;
        let before = ChannelId::from_slice(before).map_err(|_| StoreError::Damaged)?;
        let group = groups::record(work, &before)?;
        if row.record.channel == *channel
            && group.is_some_and(|group| !is_out(&group))
            && counts(&row.record, groups::state_of(work, &before).as_ref())?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether this device, or its person, is done with a group.
const fn is_out(group: &GroupRecord) -> bool {
    matches!(group.state, GroupState::Out | GroupState::Leaving)
}
