//! Requests to be let into a group, as the members see them.
//!
//! | state of a request | input | next |
//! |---|---|---|
//! | none | an item of the door, by a link that is open to its sender | admitting, after a wait at random |
//! | none | an item of the door, by another link | waiting, told to the person |
//! | waiting | approved here | admitting |
//! | waiting | declined, here or elsewhere; its link is revoked | over |
//! | waiting, admitting | its sender is in the group, by whomever | over |
//! | admitting | its sender cannot be added | over; waiting, where only this device may not |
//! | any | a later item of the same sender | as from none |
//!
//! The group's place at the door moves only over what is over, or was no request (spec: LNK-106).

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    door::Declined,
    group::{Allowed, Group, Right},
    identity::Fingerprint,
    invitation::{ContactCard, InboxContent, JoinDecline},
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId, ItemId, Sequence, Timestamp},
    message::InboxItem,
};
use serde::{Deserialize, Serialize};

use super::{
    approvals::{self, Source},
    links,
};
use crate::{
    backoff,
    command::{
        ChatNumber, CommandError, FailureReason, GroupLinkNumber, LinkAdmission, Reply,
        RequestAnswer, RequestInfo, RequestNumber, RequestState,
    },
    contacts, control,
    event::Event,
    groups, invitations, log, packages, profile,
    record::{Keyed, Record, SecretBytes, Wish, WishNumber, id},
    store::{StoreError, Table},
    succession,
    wish::{self, Step},
    work::Work,
};

/// Span of the wait before somebody is let in whom nobody has to approve, in milliseconds.
const ADMISSION_SPAN_MS: u64 = 5_000;
/// How long a request that is over is remembered, in milliseconds: 91 days, `item_retention_ms` and a
/// day, after which no relay has its item.
const REQUEST_MEMORY_MS: u64 = 91 * 24 * 60 * 60 * 1000;
/// Requests that are remembered only because a member declined them elsewhere.
const DECLINES_TOLD_MAX: usize = 1_024;
/// Requests that came to this device, and are remembered though they are over.
const REQUESTS_OVER_MAX: usize = 1_024;

/// Stands for the number of a request that is remembered only because a member declined it elsewhere.
const NOT_HERE: u64 = 0;

/// Somebody's latest request. Key: `request `, channel, fingerprint.
#[derive(Serialize, Deserialize)]
pub(super) struct RequestRecord {
    number: u64,
    #[serde(with = "id")]
    pub(super) link: CapabilityId,
    #[serde(with = "id")]
    pub(super) item: ItemId,
    /// Where that stands at the door: the same person's items in front of it are over.
    #[serde(default)]
    place: u64,
    /// How to reach them; empty when that is of no use any more.
    card: SecretBytes,
    asked_at_ms: u64,
    pub(super) stage: Stage,
    /// When it came to be over.
    pub(super) over_since_ms: Option<u64>,
}

impl Record for RequestRecord {
    const TABLE: Table = Table::Profile;
}

impl RequestRecord {
    /// Whether an item of the same person at this place is over, since a later one is known
    /// (spec: LNK-105).
    pub(super) const fn outdates(&self, place: Sequence) -> bool {
        place.0 < self.place
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Waiting,
    Admitting,
    In,
    Declined,
    Failed,
}

impl Stage {
    pub(super) const fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Admitting => false,
            Self::In | Self::Declined | Self::Failed => true,
        }
    }
}

pub(super) fn prefix(channel: &ChannelId) -> Vec<u8> {
    [b"request ", &channel.as_bytes()[..]].concat()
}

pub(super) fn key(channel: &ChannelId, person: &Fingerprint) -> Vec<u8> {
    [&prefix(channel)[..], person.as_bytes()].concat()
}

pub(super) fn load(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<Option<RequestRecord>, StoreError> {
    work.tx.load(&key(channel, person))
}

fn save(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    record: &RequestRecord,
) -> Result<(), StoreError> {
    work.effects.doors.insert(*channel);
    work.tx.save(&key(channel, person), record)
}

/// Whose fingerprint stands in a key, behind its prefix.
pub(super) fn person_in(key: &[u8], prefix: &[u8]) -> Result<Fingerprint, StoreError> {
    let person = key.get(prefix.len()..).ok_or(StoreError::Damaged)?;
    Fingerprint::try_from(person).map_err(|_| StoreError::Damaged)
}

fn chat_of(work: &Work<'_>, channel: &ChannelId) -> Result<Option<ChatNumber>, StoreError> {
    Ok(groups::record(work, channel)?.and_then(|group| group.purpose.chat()))
}

/// The relay has the door's inbox anew, or may have lost some of it: its places count anew.
pub(crate) fn forget_places(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for Keyed { key, mut record } in work.tx.list::<RequestRecord>(&prefix(channel), usize::MAX)? {
        record.place = 0;
        work.tx.save(&key, &record)?;
    }
    Ok(())
}

/// The link that a request proves.
pub(super) struct FoundLink {
    pub(super) capability: CapabilityId,
    pub(super) record: links::GroupLinkRecord,
}

/// Keeps a request that is to be answered.
pub(super) fn note(
    work: &mut Work<'_>,
    channel: &ChannelId,
    link: &FoundLink,
    card: &ContactCard,
    item: ItemId,
    at: &InboxItem,
) -> Result<(), StoreError> {
    let person = card.identity();
    let open = match link.record.admission() {
        LinkAdmission::Open => true,
        LinkAdmission::Approval => false,
        // spec: LNK-109
        LinkAdmission::Former => succession::was_in(work, channel, &person)?,
    };
    let named = approvals::needs(work, channel, &person)?
        || succession::leaves_out(work, channel, &person)?;
    let approved = open && !named;
    let number = work.count(|counters| &mut counters.request)?;
    let record = RequestRecord {
        number,
        link: link.capability,
        item,
        place: at.sequence.0,
        card: SecretBytes::new(&card.to_bytes()),
        asked_at_ms: at.stored_at.0,
        stage: if approved { Stage::Admitting } else { Stage::Waiting },
        over_since_ms: None,
    };
    save(work, channel, &person, &record)?;
    if approved {
        let wait = backoff::jitter_ms(ADMISSION_SPAN_MS, work.rng);
        let not_before_ms = work.now.plus_ms(wait).0;
        work.wish(Wish::Admit { channel: *channel, person, not_before_ms })?;
        return Ok(());
    }
    let Some(chat) = chat_of(work, channel)? else { return Ok(()) };
    work.event(Event::JoinRequested { chat, request: RequestNumber(number) })
}

/// Lets in who asked by a link that is open to them, unless somebody else did (spec: LNK-103).
pub(crate) fn admit(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    person: &Fingerprint,
    not_before_ms: u64,
) -> Result<Step, StoreError> {
    if !crate::clock::is_over(work.now, not_before_ms, ADMISSION_SPAN_MS) {
        return Ok(Step::Later(Timestamp(not_before_ms)));
    }
    work.settle(number);
    let waits = load(work, channel, person)?.is_some_and(|it| it.stage == Stage::Admitting);
    if !waits {
        return Ok(Step::Settled);
    }
    let me = work.me()?;
    if log::load_group(work, channel)?.state().allows(&me, Right::Add) == Allowed::Yes {
        packages::wish_person(work, channel, person)?;
    }
    Ok(Step::Settled)
}

/// Says yes or no to a request.
pub(crate) fn answer(
    work: &mut Work<'_>,
    chat: ChatNumber,
    number: RequestNumber,
    answer: RequestAnswer,
) -> Result<Reply, CommandError> {
    let channel = groups::group_chat(work, chat)?;
    let me = profile::fingerprint(work)?;
    if log::load_group(work, &channel)?.state().allows(&me, Right::Add) == Allowed::No {
        return Err(CommandError::NoRight);
    }
    let prefix = prefix(&channel);
    let rows = work.tx.list::<RequestRecord>(&prefix, usize::MAX)?;
    let row = rows.into_iter().find(|row| row.record.number == number.0);
    let row = row.filter(|row| !row.record.stage.is_over()).ok_or(CommandError::NoSuchRequest)?;
    let person = person_in(&row.key, &prefix)?;
    match answer {
        RequestAnswer::Approve => approve(work, &channel, &person, row.record)?,
        RequestAnswer::Decline => decline(work, &channel, &person, row.record)?,
    }
    work.event(Event::JoinRequestsChanged(chat))?;
    Ok(Reply::Done)
}

fn approve(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    mut record: RequestRecord,
) -> Result<(), StoreError> {
    if record.stage == Stage::Admitting {
        return Ok(());
    }
    record.stage = Stage::Admitting;
    save(work, channel, person, &record)?;
    packages::wish_person(work, channel, person)
}

/// Everybody who keeps the door hears of it, and so does who asked (spec: LNK-104).
fn decline(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    record: RequestRecord,
) -> Result<(), StoreError> {
    let payload = Declined { person: *person, item: record.item }.to_bytes();
    control::send(work, channel, vec![ControlEntry { kind: ControlKind::JoinDeclined, payload }])?;
    if let Ok(card) = ContactCard::decode_stored(record.card.expose()) {
        let content = InboxContent::JoinDecline(JoinDecline { channel: *channel });
        invitations::send_to_guest(work, &card, &content)?;
    }
    settle(work, channel, person, record, Stage::Declined)?;
    approvals::need(work, channel, person, Source::Seen)
}

fn settle(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    mut record: RequestRecord,
    stage: Stage,
) -> Result<(), StoreError> {
    make_room(work, channel, REQUESTS_OVER_MAX, |known| known.number != NOT_HERE)?;
    record.stage = stage;
    record.over_since_ms = Some(work.now.0);
    // There is room for another.
    work.effects.doors_clearer.insert(*channel);
    // An invitation may still have to be sealed anew for who came in.
    if stage != Stage::In {
        record.card = SecretBytes::new(&[]);
        give_up(work, channel, person)?;
    }
    save(work, channel, person, &record)
}

/// Nobody adds somebody whose request is over and whom this device does not know otherwise: there is no
/// way to reach them any more.
fn give_up(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<(), StoreError> {
    if contacts::is_contact(work, person)? {
        return Ok(());
    }
    for row in wish::of_channel(work, channel)? {
        if matches!(&row.wish, Wish::AddPerson { person: wished, .. } if wished == person) {
            work.settle(row.number);
        }
    }
    Ok(())
}

/// A member declined a request. Only who could have let them in says no for all (spec: LNK-104).
pub(crate) fn take_declined(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    mls: &Group,
    sender: &Fingerprint,
    payload: &[u8],
) -> Result<(), StoreError> {
    if mls.state().allows(sender, Right::Add) != Allowed::Yes {
        return Ok(());
    }
    let Ok(declined) = Declined::decode(payload) else { return Ok(()) };
    let person = declined.person;
    approvals::need(work, channel, &person, Source::Told)?;
    match load(work, channel, &person)? {
        Some(record) if record.item == declined.item && !record.stage.is_over() => {
            settle(work, channel, &person, record, Stage::Declined)?;
            work.event(Event::JoinRequestsChanged(chat))
        }
        Some(_) => Ok(()),
        None => {
            let record = RequestRecord {
                number: NOT_HERE,
                link: CapabilityId::from_bytes([0; 32]),
                item: declined.item,
                place: 0,
                card: SecretBytes::new(&[]),
                asked_at_ms: 0,
                stage: Stage::Declined,
                over_since_ms: Some(work.now.0),
            };
            make_room(work, channel, DECLINES_TOLD_MAX, |known| known.number == NOT_HERE)?;
            save(work, channel, &person, &record)
        }
    }
}

/// The first of those that are over gives way to one more. Should its request come again, it waits for a
/// member, or is one of a stranger (spec: GRP-147, GRP-152).
fn make_room(
    work: &Work<'_>,
    channel: &ChannelId,
    rows_max: usize,
    counts: impl Fn(&RequestRecord) -> bool,
) -> Result<(), StoreError> {
    let mut rows = work.tx.list::<RequestRecord>(&prefix(channel), usize::MAX)?;
    rows.retain(|row| row.record.stage.is_over() && counts(&row.record));
    if rows.len() < rows_max {
        return Ok(());
    }
    if let Some(oldest) = rows.iter().min_by_key(|row| row.record.over_since_ms) {
        work.tx.remove(Table::Profile, &oldest.key);
    }
    Ok(())
}

/// People came into the group, by whomever.
pub(crate) fn came(
    work: &mut Work<'_>,
    channel: &ChannelId,
    people: &[Fingerprint],
) -> Result<(), StoreError> {
    for person in people {
        approvals::over(work, channel, person);
        let Some(record) = load(work, channel, person)? else { continue };
        if !record.stage.is_over() {
            settle(work, channel, person, record, Stage::In)?;
            if let Some(chat) = chat_of(work, channel)? {
                work.event(Event::JoinRequestsChanged(chat))?;
            }
        }
    }
    Ok(())
}

/// People are out of the group: no open link lets them in again.
pub(crate) fn went(
    work: &mut Work<'_>,
    channel: &ChannelId,
    people: &[Fingerprint],
) -> Result<(), StoreError> {
    for person in people {
        approvals::need(work, channel, person, Source::Seen)?;
        // The card of a request is over; who is added again is reached by that of the contact.
        if let Some(mut record) = load(work, channel, person)?
            && record.stage == Stage::In
        {
            record.card = SecretBytes::new(&[]);
            save(work, channel, person, &record)?;
        }
    }
    Ok(())
}

/// A link is over, and with it what came by it.
pub(crate) fn link_over(
    work: &mut Work<'_>,
    channel: &ChannelId,
    link: &CapabilityId,
) -> Result<(), StoreError> {
    let prefix = prefix(channel);
    for Keyed { key, record } in work.tx.list::<RequestRecord>(&prefix, usize::MAX)? {
        if record.link == *link && record.stage == Stage::Waiting {
            settle(work, channel, &person_in(&key, &prefix)?, record, Stage::Failed)?;
        }
    }
    Ok(())
}

/// Somebody cannot be added. Where this device lacks the right, another may have it.
pub(crate) fn not_added(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    reason: FailureReason,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, channel, person)? else { return Ok(()) };
    match (record.stage, reason) {
        (Stage::Admitting, FailureReason::NoRight | FailureReason::NotAMember) => {
            record.stage = Stage::Waiting;
            save(work, channel, person, &record)
        }
        (Stage::Admitting, _) => settle(work, channel, person, record, Stage::Failed),
        _ => Ok(()),
    }
}

// --- what an app asks -----------------------------------------------------------------------

/// The requests that wait, oldest first.
pub(crate) fn list(
    work: &mut Work<'_>,
    chat: ChatNumber,
) -> Result<Vec<RequestInfo>, CommandError> {
    let channel = groups::group_chat(work, chat)?;
    let prefix = prefix(&channel);
    let mut requests = Vec::new();
    for row in work.tx.list::<RequestRecord>(&prefix, usize::MAX)? {
        let state = match row.record.stage {
            Stage::Waiting => RequestState::Waiting,
            Stage::Admitting => RequestState::Admitting,
            Stage::In | Stage::Declined | Stage::Failed => continue,
        };
        let card = ContactCard::decode_stored(row.record.card.expose());
        let link = links::load(work, &channel, &row.record.link)?;
        requests.push(RequestInfo {
            chat,
            number: RequestNumber(row.record.number),
            name: card.map_err(|_| StoreError::Damaged)?.name.as_str().to_owned(),
            fingerprint: person_in(&row.key, &prefix)?.to_hex(),
            link: link.map(|link| GroupLinkNumber(link.number)),
            asked_at_ms: row.record.asked_at_ms,
            state,
        });
    }
    requests.sort_by_key(|request| request.number);
    Ok(requests)
}

/// How to reach somebody who is being let in, or was just now (spec: LNK-101).
pub(crate) fn guest_card(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<Option<ContactCard>, StoreError> {
    let Some(record) = load(work, channel, person)? else { return Ok(None) };
    match record.stage {
        Stage::Admitting | Stage::In if !record.card.expose().is_empty() => {
            let card = ContactCard::decode_stored(record.card.expose());
            card.map(Some).map_err(|_| StoreError::Damaged)
        }
        _ => Ok(None),
    }
}

pub(crate) fn forget(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in work.tx.list::<RequestRecord>(&prefix(channel), usize::MAX)? {
        work.tx.remove(Table::Profile, &row.key);
    }
    approvals::forget(work, channel)
}

/// Forgets requests that were over long ago, when no relay has their items any more (spec: LNK-098).
pub(crate) fn tend(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in work.tx.list::<RequestRecord>(&prefix(channel), usize::MAX)? {
        let over = row.record.over_since_ms;
        let ends = |since| Timestamp(since).plus_ms(REQUEST_MEMORY_MS);
        if over.is_some_and(|since| ends(since) <= work.now) {
            work.tx.remove(Table::Profile, &row.key);
        }
    }
    Ok(())
}

/// Settles the wishes for a door that this device does not keep any more.
pub(crate) fn drop_wishes(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in wish::of_channel(work, channel)? {
        if matches!(row.wish, Wish::PutDoorLink { .. } | Wish::RevokeDoorLink { .. }) {
            work.settle(row.number);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
