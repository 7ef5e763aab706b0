//! Succession: a group that cannot go on is formed anew by an owner or admin of it, and goes on in the
//! same chat.
//!
//! | state, at a member | input | next | effect |
//! |---|---|---|---|
//! | none | an offer of an owner | asking | asks at the new group's door |
//! | none | an offer of an admin | offered | the person is told |
//! | offered | the person follows, or the group is stuck here | asking | |
//! | none, offered, asking | an invitation to the new group | unread | the group before is read |
//! | unread | nothing there speaks against it, or the person follows | followed | the chat goes on there |
//! | unread | a minute passes | unread | the person is told |
//! | asking | not let in | offered | the person is told |
//! | any | a word of more weight | as from none | |
//!
//! Who begins one is in `beginning`, how the others hear of it in `offering`, and what becomes of the
//! group before in `former`; `telling` speaks to the person of an invitation that waits.

mod beginning;
mod former;
mod offering;
mod telling;

use std::collections::BTreeSet;

use hushwire_protocol::{
    address::RelayAddress,
    group::{Group, Role},
    identity::Fingerprint,
    invitation::Invitation,
    succession::{Successor, SuccessorOffer, SuccessorRank},
};
use hushwire_wire::id::{ChannelId, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    beginning::{begin, came},
    former::{is_former, left_behind, retire, tend},
    offering::{link_is_there, offer, offer_target, offered, tell_again},
    telling::{tell, tell_later},
};
use crate::{
    asking, chats, clock,
    command::{ChatKind, ChatNumber, ChatState, CommandError, Reply, SuccessorInfo},
    contacts,
    event::{Event, Warning},
    groups,
    joining::{self, Unread, Word},
    log, own_group,
    record::{GroupRecord, GroupState, PurposeRecord, Record, SecretBytes, id},
    session::CLOCK_OFF_MS,
    store::{StoreError, Table},
    work::Work,
};

/// How long a successor has to have been followed until another one of the same role does not take its
/// place any more, in milliseconds: a day.
const SETTLE_MS: u64 = 24 * 60 * 60 * 1000;
/// How long it is waited for those who were in the group before, in milliseconds.
const GATHER_MS: u64 = 60_000;
/// How often it is looked whether they are there.
const GATHER_LOOK_MS: u64 = 2_000;

/// Where a group goes on, by the word of the most weight. Key: `successor `, channel of the group.
#[derive(Serialize, Deserialize)]
struct SuccessionRecord {
    /// The offer, with the link; none where an invitation came first.
    offer: Option<SecretBytes>,
    role: u8,
    #[serde(with = "id")]
    identity: Fingerprint,
    made_at_ms: u64,
    #[serde(with = "id")]
    channel: ChannelId,
    stage: Stage,
    /// When this was noted.
    since_ms: u64,
    /// Whom it leaves out (spec: GRP-145).
    #[serde(with = "id::each", default)]
    left_out: Vec<Fingerprint>,
    /// Who was in the group where it was said, if it was read there; whoever comes into that group later
    /// was not (spec: LNK-109).
    #[serde(with = "id::each::option", default)]
    roster: Option<Vec<Fingerprint>>,
}

impl Record for SuccessionRecord {
    const TABLE: Table = Table::Profile;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Offered,
    Asking,
    Followed,
}

impl SuccessionRecord {
    fn new(
        work: &Work<'_>,
        rank: SuccessorRank,
        said: &Successor,
        offer: Option<SecretBytes>,
        stage: Stage,
    ) -> Self {
        Self {
            offer,
            role: rank.role as u8,
            identity: rank.identity,
            made_at_ms: rank.made_at.0,
            channel: rank.channel,
            stage,
            since_ms: work.now.0,
            left_out: said.left_out.clone(),
            roster: None,
        }
    }

    fn with_roster(mut self, people: &[Fingerprint]) -> Self {
        self.roster = Some(people.to_vec());
        self
    }

    /// Whether this word leaves out whose rank that is. Nobody leaves out who is above them
    /// (spec: GRP-144).
    fn leaves_out(&self, rank: &SuccessorRank) -> bool {
        self.left_out.contains(&rank.identity) && rank.role as u8 <= self.role
    }

    fn rank(&self) -> Result<SuccessorRank, StoreError> {
        Ok(SuccessorRank {
            role: Role::of(self.role).map_err(|_| StoreError::Damaged)?,
            identity: self.identity,
            made_at: Timestamp(self.made_at_ms),
            channel: self.channel,
        })
    }

    /// Whether this word counts more than another one. One from the future, which this device does not
    /// follow, keeps none of the same identity from being followed (spec: CLI-210).
    fn is_above(&self, rank: &SuccessorRank, now: Timestamp) -> Result<bool, StoreError> {
        let own = self.rank()?;
        let ahead = is_ahead(own.made_at, now);
        if self.stage != Stage::Followed
            && own.identity == rank.identity
            && ahead != is_ahead(rank.made_at, now)
        {
            return Ok(!ahead);
        }
        Ok(own > *rank)
    }

    fn offer(&self) -> Result<Option<SuccessorOffer>, StoreError> {
        let Some(bytes) = &self.offer else { return Ok(None) };
        SuccessorOffer::from_bytes(bytes.expose()).map(Some).map_err(|_| StoreError::Damaged)
    }
}

/// Whether a word was said at a time that has not come (spec: CLI-210).
fn is_ahead(made_at: Timestamp, now: Timestamp) -> bool {
    made_at > now.plus_ms(CLOCK_OFF_MS)
}

const PREFIX: &[u8] = b"successor ";

fn key(before: &ChannelId) -> Vec<u8> {
    [PREFIX, before.as_bytes()].concat()
}

fn load(work: &Work<'_>, before: &ChannelId) -> Result<Option<SuccessionRecord>, StoreError> {
    work.tx.load(&key(before))
}

fn save(work: &Work<'_>, before: &ChannelId, record: &SuccessionRecord) -> Result<(), StoreError> {
    work.tx.save(&key(before), record)
}

/// What a successor of this group weighs; nothing, if nobody said it who could (spec: GRP-142).
fn rank_of(
    before: Option<&Group>,
    successor: &Successor,
) -> Result<Option<SuccessorRank>, StoreError> {
    // Where the state of the group is lost, nobody's word can be judged.
    let Some(group) = before else { return Ok(None) };
    let members = group.members().map_err(log::store_error)?;
    let by = members.iter().find(|leaf| leaf.credential.signature_key() == successor.key);
    Ok(by.filter(|leaf| leaf.role >= Role::Admin).map(|leaf| SuccessorRank {
        role: leaf.role,
        identity: leaf.identity(),
        made_at: successor.made_at,
        channel: successor.channel,
    }))
}

/// Whether a word is followed without a person's: an owner can do anything to a group anyhow; an admin
/// is followed where this device has no other way on (spec: CLI-200, CLI-210).
fn may_follow(
    work: &Work<'_>,
    before: &ChannelId,
    group: &GroupRecord,
    rank: &SuccessorRank,
    relay: &RelayAddress,
) -> Result<bool, StoreError> {
    let told = group.follows == Some(rank.identity);
    // What an own device does is this person's word.
    let own = work.identity()?.is_some_and(|me| me.fingerprint() == rank.identity);
    // A clock is wrong: by such a word nobody can put the last one.
    if is_ahead(rank.made_at, work.now) {
        return Ok(told && group.follows_to == Some(rank.channel));
    }
    let follows = own
        || rank.role == Role::Owner
        || group.state == GroupState::Stuck
        || log::is_full(work, before, &group.epoch)?;
    let here = follows && joining::has_relay_room(work, &relay.to_string())?;
    Ok(here || told)
}

/// What is known of where a group goes on, as far as it still counts: a word that nobody has followed
/// yet is over when its key is out of the group, or who gave it has lost the role (spec: GRP-142).
fn counting(
    work: &Work<'_>,
    before: &ChannelId,
    group: Option<&Group>,
) -> Result<Option<SuccessionRecord>, StoreError> {
    let Some(known) = load(work, before)? else { return Ok(None) };
    Ok(counts(&known, group)?.then_some(known))
}

/// Whether a word still counts in the group where it was said: the key that signed it is there, and the
/// identity has not lost the role.
fn counts(known: &SuccessionRecord, group: Option<&Group>) -> Result<bool, StoreError> {
    // Where the state of the group is lost, nothing can be said against it.
    let Some(group) = group.filter(|_| known.stage != Stage::Followed) else { return Ok(true) };
    let key = known.offer()?.map(|offer| offer.successor.key);
    let here = groups::members_of(group)?.iter().any(|leaf| {
        let signed = key.is_none_or(|key| leaf.credential.signature_key() == key);
        leaf.identity() == known.identity && signed
    });
    Ok(here && group.state().role(&known.identity) as u8 >= known.role)
}

/// Somebody tells where a group goes on, in its log. Whoever it is: the word in it is signed
/// (spec: GRP-141).
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    offer: &SuccessorOffer,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(chat) = chat_of(&group) else { return Ok(()) };
    let said = &offer.successor;
    let mls = if said.before == *channel { groups::state_of(work, channel) } else { None };
    let rank = rank_of(mls.as_ref(), said)?;
    let Some(rank) = rank.filter(|rank| rank.identity == offer.maker) else {
        return reject(work, chat);
    };
    let known = counting(work, channel, mls.as_ref())?;
    // It is another group here already (spec: GRP-142).
    let is_new = known.as_ref().is_none_or(|known| known.channel != rank.channel);
    if is_new && groups::record(work, &rank.channel)?.is_some() {
        return reject(work, chat);
    }
    let roster = groups::last_roster(work, channel, &group)?;
    let bytes = SecretBytes::new(&offer.to_bytes());
    match known {
        // An invitation was there first.
        Some(mut known) if known.rank()? == rank && known.roster.is_none() => {
            known.offer = Some(bytes);
            return save(work, channel, &known.with_roster(&roster));
        }
        Some(known) if known.rank()? == rank || known.is_above(&rank, work.now)? => return Ok(()),
        Some(known) if stays(work, &known, &rank) => {
            return work.event(Event::SuccessorOffered { chat, by: rank.identity.to_hex() });
        }
        _ => {}
    }
    let record = SuccessionRecord::new(work, rank, said, Some(bytes), Stage::Offered);
    save(work, channel, &record.with_roster(&roster))?;
    // An invitation there may have come before.
    joining::release(work, chat)?;
    if may_follow(work, channel, &group, &rank, &said.relay)? {
        return ask(work, channel, chat);
    }
    work.event(Event::SuccessorOffered { chat, by: rank.identity.to_hex() })
}

fn reject(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), StoreError> {
    let code = "SUCCESSOR_NOT_ALLOWED".to_owned();
    work.event(Event::Warning(Warning::EntryRejected { chat, code }))
}

/// Whether a device that has followed a successor stays there, though another one ranks higher: who is
/// left out does not undo that, and after a while nobody of the same role does (spec: GRP-144).
fn stays(work: &Work<'_>, known: &SuccessionRecord, rank: &SuccessorRank) -> bool {
    if known.stage != Stage::Followed || known.identity == rank.identity {
        return false;
    }
    let until = Timestamp(known.since_ms).plus_ms(SETTLE_MS);
    let settled = known.role == rank.role as u8 && clock::is_over(work.now, until.0, SETTLE_MS);
    settled || known.leaves_out(rank)
}

/// The chat of a group of several, now or before.
const fn chat_of(group: &GroupRecord) -> Option<ChatNumber> {
    match group.purpose {
        PurposeRecord::Group { chat } | PurposeRecord::Former { chat, .. } => Some(chat),
        PurposeRecord::Direct { .. } | PurposeRecord::OwnDevices => None,
    }
}

/// Asks at the door of the new group, unless this device is in it.
fn ask(work: &mut Work<'_>, before: &ChannelId, chat: ChatNumber) -> Result<(), StoreError> {
    let Some(mut record) = load(work, before)? else { return Ok(()) };
    if record.stage != Stage::Offered {
        return Ok(());
    }
    let Some(offer) = record.offer()? else { return Ok(()) };
    let there = groups::record(work, &record.channel)?.is_some_and(|group| group.state.is_in());
    if there {
        return Ok(());
    }
    record.stage = Stage::Asking;
    save(work, before, &record)?;
    asking::follow(work, chat, *before, &offer.link())
}

/// Whether a door is that of the group which this device follows (spec: CLI-201).
pub(crate) fn leads_to(
    work: &Work<'_>,
    before: &ChannelId,
    channel: &ChannelId,
) -> Result<bool, StoreError> {
    Ok(load(work, before)?.is_some_and(|record| record.channel == *channel))
}

/// This device cannot go on in a group: what an admin offered is a way on (spec: CLI-200).
pub(crate) fn no_way_on(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    // spec: CLI-210, CLI-211
    let barred = load(work, channel)?.is_some_and(|it| {
        is_ahead(Timestamp(it.made_at_ms), work.now) && group.follows_to != Some(it.channel)
    });
    match chat_of(&group) {
        Some(chat) if !barred => ask(work, channel, chat),
        _ => Ok(()),
    }
}

/// The person follows somebody's word: the one that there is, if they name nobody (spec: CLI-200).
pub(crate) fn follow(
    work: &mut Work<'_>,
    chat: ChatNumber,
    by: Option<&str>,
) -> Result<Reply, CommandError> {
    let before = groups_of(work, chat)?;
    let Words { offers, mut said } = words(work, chat, &before)?;
    if let Some(by) = by {
        said.retain(|word| word.to_hex() == by);
    }
    let by = said.pop_first().ok_or(CommandError::NoSuccessor)?;
    if !said.is_empty() {
        return Err(CommandError::SeveralSuccessors);
    }
    let offers: Vec<Offered> = offers.into_iter().filter(|offered| offered.by == by).collect();
    for (channel, group) in before {
        let offered = offers.iter().find(|offered| offered.before == channel);
        let follows_to = offered.map(|offered| offered.channel);
        groups::save(work, &channel, &GroupRecord { follows: Some(by), follows_to, ..group })?;
    }
    joining::release(work, chat)?;
    for offered in offers {
        ask(work, &offered.before, chat)?;
    }
    Ok(Reply::Done)
}

/// Somebody's word that was read in a group.
struct Offered {
    before: ChannelId,
    channel: ChannelId,
    by: Fingerprint,
}

/// Whose words of where a chat goes on can be followed.
struct Words {
    /// Those that were read in a group.
    offers: Vec<Offered>,
    /// All, those of invitations that wait too.
    said: BTreeSet<Fingerprint>,
}

fn words(
    work: &mut Work<'_>,
    chat: ChatNumber,
    before: &[(ChannelId, GroupRecord)],
) -> Result<Words, StoreError> {
    let mut said = joining::unread_words(work, chat)?;
    let mut offers = Vec::new();
    for (before, _) in before {
        let mls = groups::state_of(work, before);
        let known = counting(work, before, mls.as_ref())?;
        if let Some(offered) = known.filter(|record| record.stage != Stage::Followed) {
            let (channel, by) = (offered.channel, offered.identity);
            said.insert(by);
            offers.push(Offered { before: *before, channel, by });
        }
    }
    Ok(Words { offers, said })
}

/// Who has formed a group anew, and is not followed so far.
pub(crate) fn list(
    work: &mut Work<'_>,
    chat: ChatNumber,
) -> Result<Vec<SuccessorInfo>, CommandError> {
    let before = groups_of(work, chat)?;
    let said = words(work, chat, &before)?.said;
    let info = |by: Fingerprint| {
        Ok(SuccessorInfo { by: by.to_hex(), name: contacts::name_of(work, &by)? })
    };
    said.into_iter().map(info).collect()
}

/// The groups that carry a chat, or did until it went on elsewhere.
fn groups_of(
    work: &Work<'_>,
    chat: ChatNumber,
) -> Result<Vec<(ChannelId, GroupRecord)>, CommandError> {
    let named = chats::named(work, chat)?;
    let found = groups::all_where(work, |group| chat_of(group) == Some(chat))?;
    match (found.is_empty(), named.kind) {
        (true, ChatKind::Direct) => Err(CommandError::WrongChatKind),
        _ => Ok(found),
    }
}

/// The new group does not let this device in, or not yet: the person is told, and may ask again.
pub(crate) fn not_let_in(work: &Work<'_>, before: &ChannelId) -> Result<(), StoreError> {
    let Some(mut record) = load(work, before)? else { return Ok(()) };
    if record.stage == Stage::Asking {
        record.stage = Stage::Offered;
        save(work, before, &record)?;
    }
    Ok(())
}

/// A group is over for this device: nobody gets anything back there, and it is offered to nobody.
pub(crate) fn forget_group(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    beginning::forget_roles(work, channel);
    asking::end_following(work, channel)?;
    offering::end(work, channel)
}

// --- coming in ------------------------------------------------------------------------------

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
        let rank = record.rank()?;
        if successor.relay == invitation.group.relay
            && counts(&record, groups::state_of(work, &successor.before).as_ref())?
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

#[cfg(test)]
mod tests;
