//! Asking to be let into a group by a link of it.
//!
//! | state | input | next |
//! |---|---|---|
//! | none | the person gives a link | asking: the card is fetched, the request sent |
//! | none | another own device asked | asked |
//! | asking | the request is at the door | asked |
//! | asking, asked | an invitation to that group by the request's capability | none: in the group; elsewhere, where another chat goes on there |
//! | asking, asked | declined, by the same capability | none: not admitted |
//! | asking, asked | the person does not want to any more | none: left |
//! | asking, asked | its time is over | none: not admitted |
//! | asking | the link is of no use, or proves nothing | none: not admitted |

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    door::{Asked, AskingOver, DoorCard, DoorTerms},
    invitation::{InboxContent, Invitation, JoinRequest, Purpose},
    link::{ContactLink, LinkTarget, text::LinkError},
    seal::{ItemSender, seal_item},
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId, InboxId, Timestamp},
    message::{Answer, Request},
    transcript,
};
use serde::{Deserialize, Serialize};

use crate::{
    capabilities::{self, Uses},
    chats, clock,
    command::{ChatKind, ChatNumber, ChatState, CommandError, FailureReason, Reply, SecretText},
    control, devices, door,
    event::Event,
    groups, invitations, packages, profile,
    record::{Keyed, Record, SecretBytes, Wish, WishNumber, by_number, id, number_of},
    store::{StoreError, Table},
    succession,
    wish::{self, Ask, Progress, Step, Target},
    work::Work,
};

/// How long a request waits for its answer, in milliseconds: 30 days.
const REQUEST_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Groups that this identity asks to be let into at a time (spec: LNK-107).
const ASKINGS_MAX: usize = 32;
/// What a chat is called until the card of its link has come.
const NAMELESS: &str = "group";
const PREFIX: &[u8] = b"asked ";
/// Askings that are over and still known (spec: LNK-108).
const OVER_MAX: usize = 1_024;
const OVER_PREFIX: &[u8] = b"asking over ";

/// An asking that is under way. Key: `asked `, chat.
#[derive(Serialize, Deserialize)]
struct AskedRecord {
    /// The link's text; none where another own device asked.
    link: Option<SecretBytes>,
    /// Where the group is.
    relay: String,
    /// Which it is, once the card has come.
    #[serde(with = "id::option")]
    channel: Option<ChannelId>,
    /// By which the answer comes.
    capability: SecretBytes,
    until_ms: u64,
    /// The group that it takes the place of: the chat stays what it is meanwhile.
    #[serde(with = "id::option", default)]
    before: Option<ChannelId>,
}

impl Record for AskedRecord {
    const TABLE: Table = Table::Profile;
}

/// An asking that is over: what own devices tell of it again is passed over. Key: `asking over `, its
/// capability.
#[derive(Serialize, Deserialize)]
struct OverRecord {
    /// When it would have ended by itself.
    until_ms: u64,
}

impl Record for OverRecord {
    const TABLE: Table = Table::Profile;
}

fn key(chat: ChatNumber) -> Vec<u8> {
    [PREFIX, &by_number(chat.0)].concat()
}

fn over_key(capability: &CapabilityId) -> Vec<u8> {
    [OVER_PREFIX, capability.as_bytes()].concat()
}

fn all(work: &Work<'_>) -> Result<Vec<Asking>, StoreError> {
    let rows = work.tx.list::<AskedRecord>(PREFIX, usize::MAX)?;
    rows.into_iter()
        .map(|Keyed { key, record }| {
            let chat = key.get(PREFIX.len()..).and_then(number_of).map(ChatNumber);
            Ok(Asking { chat: chat.ok_or(StoreError::Damaged)?, record })
        })
        .collect()
}

struct Asking {
    chat: ChatNumber,
    record: AskedRecord,
}

impl AskedRecord {
    fn capability(&self) -> Result<CapabilityId, StoreError> {
        capabilities::id_of(&self.capability)
    }
}

/// Reads the text of a group link.
pub(crate) fn parse(text: &SecretText) -> Result<ContactLink, CommandError> {
    let link = ContactLink::parse(text.expose()).map_err(|error| match error {
        LinkError::OtherKind => CommandError::LinkingCode,
        LinkError::Foreign | LinkError::UnknownKind => CommandError::NotALink,
        LinkError::UnknownVersion => CommandError::LinkTooNew,
        _ => CommandError::LinkTruncated,
    })?;
    if link.target == LinkTarget::Group { Ok(link) } else { Err(CommandError::NotAGroupLink) }
}

/// Begins to ask. Who asked by this link already is told of that chat.
pub(crate) fn ask(work: &mut Work<'_>, text: &SecretText) -> Result<Reply, CommandError> {
    let link = parse(text)?;
    let text = SecretBytes::new(text.expose().trim().as_bytes());
    let known = all(work)?;
    if let Some(asking) = known.iter().find(|it| it.record.link.as_ref() == Some(&text)) {
        let record = chats::named(work, asking.chat)?;
        return Ok(Reply::Chat(chats::info(work, asking.chat, &record)?));
    }
    if known.len() >= ASKINGS_MAX {
        return Err(CommandError::TooManyAskings);
    }
    let channel = door::channel_of(work, &link.inbox)?;
    let chat = chat_for(work, channel)?;
    let until_ms = work.now.plus_ms(REQUEST_LIFE_MS).0;
    let record = AskedRecord {
        link: Some(text),
        relay: link.relay.to_string(),
        channel: None,
        capability: SecretBytes::new(&work.random::<32>()),
        until_ms,
        before: None,
    };
    begin(work, chat, link.inbox, record)?;
    let record = chats::named(work, chat)?;
    Ok(Reply::Chat(chats::info(work, chat, &record)?))
}

fn begin(
    work: &mut Work<'_>,
    chat: ChatNumber,
    inbox: InboxId,
    record: AskedRecord,
) -> Result<(), StoreError> {
    work.tx.save(&key(chat), &record)?;
    let uses = Uses::Request { until_ms: record.until_ms };
    capabilities::make(work, record.capability, None, uses)?;
    work.wish(Wish::AskToJoin { chat, inbox, request: Vec::new() }).map(|_| ())
}

/// Asks to be let into the group that takes the place of the one of this chat, without a word to
/// anybody: the chat goes on as it is until then (spec: CLI-201).
pub(crate) fn follow(
    work: &mut Work<'_>,
    chat: ChatNumber,
    before: ChannelId,
    link: &ContactLink,
) -> Result<(), StoreError> {
    if let Some(known) = work.tx.load::<AskedRecord>(&key(chat))? {
        capabilities::revoke(work, known.capability()?)?;
    }
    forget(work, chat)?;
    let text = link.to_text().map_err(|_| StoreError::Damaged)?;
    let record = AskedRecord {
        link: Some(SecretBytes::new(text.as_bytes())),
        relay: link.relay.to_string(),
        channel: None,
        capability: SecretBytes::new(&work.random::<32>()),
        until_ms: work.now.plus_ms(REQUEST_LIFE_MS).0,
        before: Some(before),
    };
    begin(work, chat, link.inbox, record)
}

/// The chat that it is about: the one that is known of the group, or a new one.
fn chat_for(work: &mut Work<'_>, channel: Option<ChannelId>) -> Result<ChatNumber, CommandError> {
    let known = match &channel {
        Some(channel) => groups::record(work, channel)?,
        None => None,
    };
    let Some(chat) = known.as_ref().and_then(|group| group.purpose.chat()) else {
        let (kind, state) = (ChatKind::Group, ChatState::Asked);
        return Ok(chats::add(work, NAMELESS.to_owned(), kind, state, None, None)?);
    };
    if known.is_some_and(|group| group.state.is_in()) {
        return Err(CommandError::AlreadyInGroup);
    }
    chats::set_state(work, chat, ChatState::Asked)?;
    Ok(chat)
}

/// Where the link of an asking leads.
pub(crate) fn target(work: &Work<'_>, chat: ChatNumber) -> Result<Target, StoreError> {
    let Some(record) = work.tx.load::<AskedRecord>(&key(chat))? else { return Ok(Target::Nothing) };
    Ok(wish::relay_target(&record.relay))
}

fn stored_link(record: &AskedRecord) -> Result<ContactLink, StoreError> {
    let text = record.link.as_ref().ok_or(StoreError::Damaged)?;
    let text = core::str::from_utf8(text.expose()).map_err(|_| StoreError::Damaged)?;
    ContactLink::parse(text).map_err(|_| StoreError::Damaged)
}

/// The next step of asking: the card, then the request.
pub(crate) fn step(
    work: &mut Work<'_>,
    number: WishNumber,
    chat: ChatNumber,
    request: Vec<u8>,
) -> Result<Step, StoreError> {
    let Some(record) = work.tx.load::<AskedRecord>(&key(chat))? else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let link = stored_link(&record)?;
    let secret = link.secret.capability();
    if request.is_empty() {
        return Ok(packages::fetch_card(link.inbox, secret));
    }
    let (inbox, item) = (link.inbox, request.into());
    Ok(Step::Ask(Ask::Request(Request::InboxSend { inbox, secret, item })))
}

/// Takes the card, or the receipt for the request.
pub(crate) fn answered(
    work: &mut Work<'_>,
    number: WishNumber,
    chat: ChatNumber,
    answer: &Answer,
) -> Result<Progress, StoreError> {
    let Some(record) = work.tx.load::<AskedRecord>(&key(chat))? else {
        work.settle(number);
        return Ok(Progress::Settled);
    };
    match answer {
        Answer::Card { card, .. } => {
            let link = stored_link(&record)?;
            let capability = transcript::capability_id(&link.secret.capability());
            let key = link.secret.card_key();
            let card = DoorCard::open(&key, &link.inbox, &capability, &link.identity, card);
            match card {
                Ok(card) => request(work, number, chat, record, &link, &card.into_terms()),
                Err(_) => failed(work, number, chat, FailureReason::IdentityNotProven),
            }
        }
        Answer::InboxSent { .. } => {
            work.settle(number);
            work.event(Event::ChatChanged(chat))?;
            Ok(Progress::Settled)
        }
        _ => Ok(Progress::Next),
    }
}

fn failed(
    work: &mut Work<'_>,
    number: WishNumber,
    chat: ChatNumber,
    reason: FailureReason,
) -> Result<Progress, StoreError> {
    work.settle(number);
    fail(work, chat, reason)?;
    Ok(Progress::Settled)
}

/// The card is there: the person sees the name, the other own devices hear of it, and the request is
/// sealed (spec: LNK-097).
fn request(
    work: &mut Work<'_>,
    number: WishNumber,
    chat: ChatNumber,
    mut record: AskedRecord,
    link: &ContactLink,
    terms: &DoorTerms,
) -> Result<Progress, StoreError> {
    // spec: CLI-201
    if let Some(before) = &record.before
        && !succession::leads_to(work, before, &terms.channel)?
    {
        return failed(work, number, chat, FailureReason::IdentityNotProven);
    }
    let known = groups::record(work, &terms.channel)?;
    if known.is_some_and(|group| group.state.is_in()) {
        return failed(work, number, chat, FailureReason::AlreadyInGroup);
    }
    let me = work.me()?;
    let capability = crate::inbox::capability(&record.capability)?;
    let content = InboxContent::JoinRequest(Box::new(JoinRequest {
        proof: link.secret.join_proof(&link.inbox, &me),
        card: invitations::card_with(work, capability)?,
    }));
    let device = profile::device(work)?;
    let sender = ItemSender { credential: &device.credential, key: &device.key };
    let item = seal_item(&link.inbox, &terms.inbox_key, sender, &content.to_bytes(), work.rng)
        .map_err(|_| StoreError::Failed)?;
    record.channel = Some(terms.channel);
    work.tx.save(&key(chat), &record)?;
    work.update_wish(number, Wish::AskToJoin { chat, inbox: link.inbox, request: item })?;
    if record.before.is_none() {
        name(work, chat, &terms.name)?;
        tell(work, &told(&record, &terms.name)?)?;
    }
    Ok(Progress::Next)
}

fn name(work: &mut Work<'_>, chat: ChatNumber, name: &str) -> Result<(), StoreError> {
    let Some(mut record) = chats::load(work, chat)? else { return Ok(()) };
    if !name.is_empty() && record.name != name {
        name.clone_into(&mut record.name);
        chats::save(work, chat, &record)?;
        work.event(Event::ChatChanged(chat))?;
    }
    Ok(())
}

/// An asking ends without its group.
pub(crate) fn fail(
    work: &mut Work<'_>,
    chat: ChatNumber,
    reason: FailureReason,
) -> Result<(), StoreError> {
    over(work, chat, ChatState::NotAdmitted)?;
    work.event(Event::JoinFailed { chat, reason })
}

/// The person does not want to any more.
pub(crate) fn withdraw(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), StoreError> {
    over(work, chat, ChatState::Left)
}

/// This device is out of a group: where it goes on, nobody is asked any more (spec: LNK-107).
pub(crate) fn end_following(work: &mut Work<'_>, before: &ChannelId) -> Result<(), StoreError> {
    for Asking { chat, record } in all(work)? {
        if record.before == Some(*before) {
            withdraw(work, chat)?;
        }
    }
    Ok(())
}

fn over(work: &mut Work<'_>, chat: ChatNumber, state: ChatState) -> Result<(), StoreError> {
    let Some(record) = work.tx.load::<AskedRecord>(&key(chat))? else { return Ok(()) };
    forget(work, chat)?;
    let capability = record.capability()?;
    capabilities::revoke(work, capability)?;
    if let Some(before) = record.before {
        return succession::not_let_in(work, &before);
    }
    if record.channel.is_some() {
        let payload = AskingOver { capability }.to_bytes();
        tell(work, &ControlEntry { kind: ControlKind::GroupAskingOver, payload })?;
    }
    chats::set_state(work, chat, state)
}

/// An asking is over: nothing of it is under way any more, and nothing makes it begin again.
fn forget(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), StoreError> {
    if let Some(record) = work.tx.load::<AskedRecord>(&key(chat))? {
        note_over(work, &record.capability()?, record.until_ms)?;
    }
    work.tx.remove(Table::Profile, &key(chat));
    for number in wish::askings(work, chat)? {
        work.settle(number);
    }
    Ok(())
}

/// Notes that an asking is over, until it would have ended by itself. Of too many those that would have
/// ended first are let go.
fn note_over(work: &Work<'_>, capability: &CapabilityId, until_ms: u64) -> Result<(), StoreError> {
    work.tx.save(&over_key(capability), &OverRecord { until_ms })?;
    let mut known = work.tx.list::<OverRecord>(OVER_PREFIX, usize::MAX)?;
    let spare = known.len().saturating_sub(OVER_MAX);
    if spare > 0 {
        known.sort_by_key(|row| row.record.until_ms);
        known.iter().take(spare).for_each(|row| work.tx.remove(Table::Profile, &row.key));
    }
    Ok(())
}

// --- the answer -----------------------------------------------------------------------------

/// The chat of an asking that an invitation answers: it leads to that group, at the relay of its link,
/// and came by the capability of the request, which only the group's members know (spec: LNK-100).
/// What the invitation came by is not asked again of one that was judged before.
pub(crate) fn answered_by(
    work: &Work<'_>,
    invitation: &Invitation,
    came_by: Option<&CapabilityId>,
) -> Result<Option<ChatNumber>, StoreError> {
    if invitation.purpose != Purpose::Group {
        return Ok(None);
    }
    for Asking { chat, record } in all(work)? {
        let here = record.channel == Some(invitation.group.channel)
            && record.relay == invitation.group.relay.to_string();
        let capability = record.capability()?;
        if here && came_by.is_none_or(|by| *by == capability) {
            return Ok(Some(chat));
        }
    }
    Ok(None)
}

/// The group before, if it is asked for the one in which a chat goes on (spec: CLI-201).
pub(crate) fn follows(work: &Work<'_>, chat: ChatNumber) -> Result<Option<ChannelId>, StoreError> {
    Ok(work.tx.load::<AskedRecord>(&key(chat))?.and_then(|record| record.before))
}

/// This device is in the group that it asked for. What others of its devices were sent is still on its
/// way by the same capability, which ends later.
pub(crate) fn entered(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), StoreError> {
    let Some(record) = work.tx.load::<AskedRecord>(&key(chat))? else { return Ok(()) };
    forget(work, chat)?;
    capabilities::retire(work, &record.capability()?)
}

/// A member of the group said no. Only who knows the request's capability can (spec: LNK-104).
pub(crate) fn declined(
    work: &mut Work<'_>,
    channel: &ChannelId,
    came_by: Option<&CapabilityId>,
) -> Result<(), StoreError> {
    for Asking { chat, record } in all(work)? {
        let capability = record.capability()?;
        if record.channel == Some(*channel) && came_by == Some(&capability) {
            return fail(work, chat, FailureReason::Declined);
        }
    }
    Ok(())
}

/// Gives up what was not answered in time, and no end is further away than it can be
/// (spec: CLI-137, LNK-107).
pub(crate) fn tend(work: &mut Work<'_>) -> Result<(), StoreError> {
    for Asking { chat, mut record } in all(work)? {
        let latest_ms = work.now.plus_ms(REQUEST_LIFE_MS).0;
        if record.until_ms <= work.now.0 {
            fail(work, chat, FailureReason::NoAnswer)?;
        } else if record.until_ms > latest_ms {
            record.until_ms = latest_ms;
            work.tx.save(&key(chat), &record)?;
        }
    }
    for Keyed { key, record } in work.tx.list::<OverRecord>(OVER_PREFIX, usize::MAX)? {
        if clock::is_over(work.now, record.until_ms, REQUEST_LIFE_MS) {
            work.tx.remove(Table::Profile, &key);
        }
    }
    Ok(())
}

// --- own devices ----------------------------------------------------------------------------

fn told(record: &AskedRecord, name: &str) -> Result<ControlEntry, StoreError> {
    let asked = Asked {
        relay: record.relay.parse().map_err(|_| StoreError::Damaged)?,
        channel: record.channel.ok_or(StoreError::Damaged)?,
        capability: crate::inbox::capability(&record.capability)?,
        ends_at: Timestamp(record.until_ms),
        name: name.to_owned(),
    };
    Ok(ControlEntry { kind: ControlKind::GroupAsked, payload: asked.to_bytes().to_vec() })
}

/// Tells the other own devices, if there are any: they have to know it when they are invited.
fn tell(work: &mut Work<'_>, entry: &ControlEntry) -> Result<(), StoreError> {
    if devices::device_list(work)?.devices().len() < 2 {
        return Ok(());
    }
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    control::send(work, &own_group, vec![entry.clone()])
}

/// What a device that just came in has to know.
pub(crate) fn entries(work: &Work<'_>) -> Result<Vec<ControlEntry>, StoreError> {
    let mut entries = Vec::new();
    for Asking { chat, record } in all(work)? {
        let Some(known) = chats::load(work, chat)?
            .filter(|_| record.channel.is_some() && record.before.is_none())
        else {
            continue;
        };
        entries.push(told(&record, &known.name)?);
    }
    Ok(entries)
}

/// Another own device asks to be let into a group.
pub(crate) fn take_asked(work: &mut Work<'_>, payload: &[u8]) -> Result<(), StoreError> {
    let Ok(asked) = Asked::decode(payload) else { return Ok(()) };
    let record = AskedRecord {
        link: None,
        relay: asked.relay.to_string(),
        channel: Some(asked.channel),
        capability: SecretBytes::new(asked.capability.expose()),
        until_ms: asked.ends_at.0.min(work.now.plus_ms(REQUEST_LIFE_MS).0),
        before: None,
    };
    let capability = record.capability()?;
    // A relay that was put back has it told again (spec: CLI-178).
    let is_over = work.tx.load::<OverRecord>(&over_key(&capability))?.is_some();
    let known = all(work)?;
    if is_over || record.until_ms <= work.now.0 || known.len() >= ASKINGS_MAX {
        return Ok(());
    }
    for asking in &known {
        if asking.record.capability()? == capability {
            return Ok(());
        }
    }
    let chat = match chat_for(work, Some(asked.channel)) {
        Ok(chat) => chat,
        // It came in before it heard of the asking.
        Err(_) => return Ok(()),
    };
    name(work, chat, &asked.name)?;
    work.tx.save(&key(chat), &record)?;
    // The answer may have come before.
    work.effects.held_clearer = true;
    Ok(())
}

/// Another own device is done with asking, without a group.
pub(crate) fn take_over(work: &mut Work<'_>, payload: &[u8]) -> Result<(), StoreError> {
    let Ok(over) = AskingOver::decode(payload) else { return Ok(()) };
    // What is told again may come in another order.
    note_over(work, &over.capability, work.now.plus_ms(REQUEST_LIFE_MS).0)?;
    for Asking { chat, record } in all(work)? {
        if record.capability()? == over.capability {
            forget(work, chat)?;
            chats::set_state(work, chat, ChatState::NotAdmitted)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
