//! Coming into a group that was formed anew: which chat goes on there, and who is waited for.

use hushwire_protocol::{
    address::RelayAddress, group::Group, identity::Fingerprint, invitation::Invitation,
    succession::SuccessorOffer,
};
use hushwire_wire::id::{ChannelId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    chat_of, go_on, no_way_on, retire,
    word::{
        PREFIX, Stage, SuccessionRecord, as_of_now, counting, counts, is_ahead, load, may_follow,
        rank_of, save, stays, wants_no_word,
    },
};
use crate::{
    asking, chats, clock,
    command::{ChatNumber, ChatState},
    event::Event,
    groups,
    joining::{self, Unread, Word},
    log, own_group,
    record::{GroupRecord, GroupState, PurposeRecord, Record},
    store::{StoreError, Table},
    wish,
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
) -> Result<Option<LeadsOn>, StoreError> {
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
            && let Some(chat) = open_chat_of(work, &group)
        {
            return Ok(Some(LeadsOn { chat, before: successor.before }));
        }
    }
    Ok(None)
}

/// Whose chat goes on where an invitation leads.
pub(crate) struct LeadsOn {
    pub(crate) chat: ChatNumber,
    /// The group in which that was read.
    pub(crate) before: ChannelId,
}

/// The chat of a group, now or before, unless the person has left it: no word of a group that it was in
/// before brings them back (spec: CLI-201).
pub(super) fn open_chat_of(work: &Work<'_>, group: &GroupRecord) -> Option<ChatNumber> {
    chat_of(group).filter(|chat| !is_left(work, *chat))
}

fn is_left(work: &Work<'_>, chat: ChatNumber) -> bool {
    chats::named(work, chat).is_ok_and(|chat| chat.state == ChatState::Left)
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
    /// Of one in which something may stand that speaks against it (spec: CLI-187), or in which this device
    /// is stuck, by a word that wants the person's (spec: CLI-213).
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
    let Some(group) = groups::record(work, &before)? else {
        // The invitation there may come yet.
        work.tx.save(&ahead_key(&before, channel), &AheadRecord {})?;
        return Ok(Standing::Plain);
    };
    let Some(chat) = chat_of(&group) else { return Ok(Standing::Plain) };
    if is_left(work, chat) {
        return Ok(Standing::Left);
    }
    if is_out(&group) {
        return Ok(Standing::Plain);
    }
    let mls = groups::state_of(work, &before);
    let Some(rank) = rank_of(mls.as_ref(), &successor)? else {
        // Who formed it may be there since, and what this device has not read shows it (spec: CLI-187). The
        // person may follow whom the new group names, and has a chat of its own then.
        let members = groups::members_of(joined)?;
        let maker = members.iter().find(|leaf| leaf.credential.signature_key() == successor.key);
        let by = maker.map(|leaf| leaf.identity());
        let told = by.is_some() && group.follows == by;
        if ground != Ground::Read && !told && group.state == GroupState::Member {
            let word = by.map(|by| Word { chat, by });
            return Ok(Standing::Unread(Unread { channel: before, word }));
        }
        work.tx.save(&ahead_key(&before, channel), &AheadRecord {})?;
        return Ok(Standing::Plain);
    };
    let known = counting(work, &before, mls.as_ref())?;
    if let Some(known) = &known
        && (known.is_above(&rank, work.now)? || stays(work, known, &rank))
    {
        // Whoever gave the word above may have become an owner since.
        go_on(work, &before, &group, known)?;
        return Ok(Standing::Outranked);
    }
    let may_follow = may_follow(work, &before, &group, &rank, relay)?;
    // Who is stuck there reads no offer: the invitation is all that the person can follow.
    if !may_follow && group.state != GroupState::Stuck {
        return Ok(Standing::NotFollowed);
    }
    let told = group.follows == Some(rank.identity);
    if !may_follow || ground != Ground::Read && !told {
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

/// A group into which this device came before it knew the one that it takes the place of. Key: `ahead `,
/// channel of that one, its own channel.
#[derive(Serialize, Deserialize)]
struct AheadRecord {}

impl Record for AheadRecord {
    const TABLE: Table = Table::Profile;
}

const AHEAD_PREFIX: &[u8] = b"ahead ";

fn ahead_key(before: &ChannelId, channel: &ChannelId) -> Vec<u8> {
    [AHEAD_PREFIX, before.as_bytes(), channel.as_bytes()].concat()
}

/// Groups into which this device came before it knew this one, of which they say that they take its place.
fn ahead_of(work: &Work<'_>, before: &ChannelId) -> Result<Vec<ChannelId>, StoreError> {
    let prefix = [AHEAD_PREFIX, before.as_bytes()].concat();
    let keys = work.tx.keys(AheadRecord::TABLE, &prefix)?;
    let channel = |key: &Vec<u8>| ChannelId::from_slice(key.get(prefix.len()..)?).ok();
    Ok(keys.iter().filter_map(channel).collect())
}

/// Whether this device came into a group before it knew the one that it takes the place of.
pub(super) fn is_ahead_of(
    work: &Work<'_>,
    before: &ChannelId,
    channel: &ChannelId,
) -> Result<bool, StoreError> {
    Ok(ahead_of(work, before)?.contains(channel))
}

/// This device came into a group only now. If it is in one already that says it takes its place, what
/// stands here is read to its end first: something may speak against that (spec: CLI-219).
pub(crate) fn look_ahead(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    match ahead_of(work, channel)?.is_empty() {
        true => Ok(()),
        false => wish::read_to_end(work, channel),
    }
}

/// A group was read to its end: its chat goes on where this device is already, by a word that it follows
/// without its person's (spec: CLI-219).
pub(crate) fn read(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for next in ahead_of(work, channel)? {
        let Some(group) = groups::record(work, channel)?.filter(|group| !is_out(group)) else {
            return Ok(());
        };
        let PurposeRecord::Group { chat } = group.purpose else { return Ok(()) };
        let Some(there) = groups::record(work, &next)?.filter(|there| !is_out(there)) else {
            continue;
        };
        let state = groups::state_of(work, &next).and_then(|mls| mls.state().before.clone());
        let successor = state.filter(|said| said.before == *channel && said.channel == next);
        let Some(successor) = successor else { continue };
        let mls = groups::state_of(work, channel);
        let Some(rank) = rank_of(mls.as_ref(), &successor)? else { continue };
        if !is_ahead(rank.made_at, work.now) && wants_no_word(work, &rank)? {
            let record = SuccessionRecord::new(work, rank, &successor, None, Stage::Followed);
            unite(work, channel, chat, record, &there)?;
        }
    }
    Ok(())
}

/// A chat goes on in a group in which this device is already, in another chat: the one that was there
/// first goes on, and the other one ends with what was said there (spec: CLI-219).
pub(super) fn unite(
    work: &mut Work<'_>,
    before: &ChannelId,
    chat: ChatNumber,
    record: SuccessionRecord,
    there: &GroupRecord,
) -> Result<(), StoreError> {
    let Some(other) = chat_of(there).filter(|other| *other != chat) else { return Ok(()) };
    let Some(next) = chats::load(work, other)? else { return Ok(()) };
    if !is_ahead_of(work, before, &record.channel)? {
        return Ok(());
    }
    work.tx.remove(Table::Profile, &ahead_key(before, &record.channel));
    let carries = next.channel.unwrap_or(record.channel);
    let (stays, ends) = if chat < other { (chat, other) } else { (other, chat) };
    end_chat(work, ends, stays)?;
    chats::set_channel(work, stays, &carries)?;
    if let Some(mls) = groups::state_of(work, &carries) {
        groups::take_name(work, stays, &mls)?;
    }
    chats::set_state(work, stays, next.state)?;
    let by = record.identity.to_hex();
    let followed = SuccessionRecord { stage: Stage::Followed, was_there: true, ..record };
    save(work, before, &followed)?;
    work.event(Event::GroupSucceeded { chat: stays, by })?;
    retire(work, &carries, stays)?;
    no_way_on(work, &carries)
}

/// Ends a chat whose groups are those of another one from now on.
fn end_chat(work: &mut Work<'_>, ends: ChatNumber, stays: ChatNumber) -> Result<(), StoreError> {
    if asking::follows(work, ends)?.is_some() {
        asking::withdraw(work, ends)?;
    }
    joining::move_words(work, ends, stays)?;
    for channel in groups::channels(work)? {
        let Some(group) = groups::record(work, &channel)? else { continue };
        let purpose = match group.purpose {
            PurposeRecord::Group { chat } if chat == ends => PurposeRecord::Group { chat: stays },
            PurposeRecord::Former { chat, since_ms } if chat == ends => {
                PurposeRecord::Former { chat: stays, since_ms }
            }
            _ => continue,
        };
        groups::save(work, &channel, &GroupRecord { purpose, ..group })?;
    }
    let Some(mut ended) = chats::load(work, ends)? else { return Ok(()) };
    ended.channel = None;
    chats::save(work, ends, &ended)?;
    chats::set_state(work, ends, ChatState::Elsewhere)
}

/// A group is over for this device: it takes no other one's place any more.
pub(super) fn forget_ahead(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for key in work.tx.keys(AheadRecord::TABLE, AHEAD_PREFIX)? {
        if key.ends_with(channel.as_bytes()) {
            work.tx.remove(Table::Profile, &key);
        }
    }
    Ok(())
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
