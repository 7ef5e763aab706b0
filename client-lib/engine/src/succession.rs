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
//! | in the new group only | comes into the group before | in both | that is read to its end |
//! | in both | it was read, or the offer is read there | followed | of the two chats the first goes on |
//!
//! *Unread* and *in both* are no stages of the row here: the one is of a kept invitation
//! (`joining/unread.rs`), the other of a row of its own (`coming_in`).
//!
//! Who begins one is in `beginning`, how the others hear of it in `offering`, who comes into it in
//! `coming_in`, and what becomes of the group before in `former`; `telling` speaks to the person of an
//! invitation that waits. What somebody's word weighs, and for how long it counts, is in `word`.

mod beginning;
mod coming_in;
mod former;
mod offering;
mod telling;
mod word;

use std::collections::BTreeSet;

use hushwire_protocol::{identity::Fingerprint, succession::SuccessorOffer};
use hushwire_wire::id::ChannelId;

pub(crate) use self::{
    beginning::{begin, came},
    coming_in::{
        Ground, Standing, gathers_until, is_expected, leads_on, leaves_out, look_ahead, read,
        standing, was_in,
    },
    former::{is_former, left_behind, retire, tend},
    offering::{link_is_there, link_over, offer, offer_target, offered, tell_again},
    telling::{tell, tell_later},
};
use self::{
    coming_in::{is_ahead_of, open_chat_of, unite},
    word::{Stage, SuccessionRecord, counting, load, may_follow, rank_of, save, stays},
};
use crate::{
    asking, chats,
    command::{ChatKind, ChatNumber, CommandError, Reply, SuccessorInfo},
    contacts,
    event::{Event, Warning},
    groups, joining,
    record::{GroupRecord, PurposeRecord, SecretBytes},
    store::StoreError,
    work::Work,
};

/// Somebody tells where a group goes on, in its log. Whoever it is: the word in it is signed
/// (spec: GRP-141).
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    offer: &SuccessorOffer,
) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(chat) = open_chat_of(work, &group) else { return Ok(()) };
    let said = &offer.successor;
    let mls = if said.before == *channel { groups::state_of(work, channel) } else { None };
    let rank = rank_of(mls.as_ref(), said)?;
    let Some(rank) = rank.filter(|rank| rank.identity == offer.maker) else {
        return reject(work, chat);
    };
    let known = counting(work, channel, mls.as_ref())?;
    // It is another group here already (spec: GRP-142), and not one that was waited for (spec: CLI-219).
    let is_new = known.as_ref().is_none_or(|known| known.channel != rank.channel);
    if is_new
        && groups::record(work, &rank.channel)?.is_some()
        && !is_ahead_of(work, channel, &rank.channel)?
    {
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
        Some(known) if known.rank()? == rank => return Ok(()),
        // Whoever gave that may have become an owner since.
        Some(known) if known.is_above(&rank, work.now)? => {
            return go_on(work, channel, &group, &known);
        }
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

/// The chat of a group of several, now or before.
const fn chat_of(group: &GroupRecord) -> Option<ChatNumber> {
    match group.purpose {
        PurposeRecord::Group { chat } | PurposeRecord::Former { chat, .. } => Some(chat),
        PurposeRecord::Direct { .. } | PurposeRecord::OwnDevices => None,
    }
}

/// Asks at the door of the new group, unless this device is in it: then the chat goes on there.
fn ask(work: &mut Work<'_>, before: &ChannelId, chat: ChatNumber) -> Result<(), StoreError> {
    let Some(mut record) = load(work, before)? else { return Ok(()) };
    if record.stage != Stage::Offered {
        return Ok(());
    }
    let Some(offer) = record.offer()? else { return Ok(()) };
    let there = groups::record(work, &record.channel)?.filter(|group| group.state.is_in());
    if let Some(there) = there {
        return unite(work, before, chat, record, &there);
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

/// This device cannot go on in a group: what an admin offered is a way on, as far as that word still
/// counts and may be followed (spec: CLI-200, CLI-211, GRP-142).
pub(crate) fn no_way_on(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let mls = groups::state_of(work, channel);
    match counting(work, channel, mls.as_ref())? {
        Some(known) => go_on(work, channel, &group, &known),
        None => Ok(()),
    }
}

/// Asks where a word leads that is known already and still counts, if it may be followed by now.
fn go_on(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    known: &SuccessionRecord,
) -> Result<(), StoreError> {
    let Some(chat) = open_chat_of(work, group) else { return Ok(()) };
    let Some(SuccessorOffer { successor, .. }) = known.offer()? else { return Ok(()) };
    if known.stage != Stage::Offered
        || !may_follow(work, channel, group, &known.rank()?, &successor.relay)?
    {
        return Ok(());
    }
    // An invitation there may have come before.
    joining::release(work, chat)?;
    ask(work, channel, chat)
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
    let none = if by.is_some() { CommandError::NoSuchSuccessor } else { CommandError::NoSuccessor };
    let by = said.pop_first().ok_or(none)?;
    if !said.is_empty() {
        return Err(CommandError::SeveralSuccessors);
    }
    let offers: Vec<Offered> = offers.into_iter().filter(|offered| offered.by == by).collect();
    // spec: CLI-213
    let invited_to = joining::unread_successor(work, chat, &by)?;
    for (channel, group) in before {
        let offered = offers.iter().find(|offered| offered.before == channel);
        let follows_to = offered.map(|offered| offered.channel).or(invited_to);
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
    coming_in::forget_ahead(work, channel)?;
    offering::end(work, channel)
}

#[cfg(test)]
mod tests;
