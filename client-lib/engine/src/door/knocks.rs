//! What comes to a group's door: whose request it is, by which link, and whether anything is still to be
//! done about it.

use hushwire_protocol::{
    identity::Fingerprint,
    invitation::{InboxContent, JoinRequest},
    seal::{InboxKey, open_item},
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId, ItemId, Timestamp},
    message::InboxItem,
    transcript,
};

use super::{
    DoorRecord, links,
    requests::{self, FoundLink, RequestRecord, Stage, load},
};
use crate::{
    event::{Event, Warning},
    log,
    store::StoreError,
    work::Work,
};

/// Requests of a group that wait at a time.
const REQUESTS_MAX: usize = 256;
/// Those among them that came by one link.
const REQUESTS_OF_LINK_MAX: usize = 64;
/// How long who was declined is not heard again, in milliseconds: a day.
const REQUEST_REST_MS: u64 = 24 * 60 * 60 * 1000;

/// An item of the door, as far as it matters for the place there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DoorItem {
    /// Nothing comes of it.
    Over,
    /// Somebody's request.
    Request { person: Fingerprint, item: ItemId },
    /// This device cannot say: another one may know the link that it came by, or have room for it.
    Unclear,
}

/// Whether the place at the door may move over an item (spec: LNK-106).
pub(crate) fn is_over(
    work: &Work<'_>,
    channel: &ChannelId,
    item: &DoorItem,
) -> Result<bool, StoreError> {
    Ok(match item {
        DoorItem::Over => true,
        DoorItem::Unclear => false,
        DoorItem::Request { person, item } => load(work, channel, person)?
            .is_none_or(|record| record.item != *item || record.stage.is_over()),
    })
}

/// Takes an item of the door.
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    item: &InboxItem,
) -> Result<DoorItem, StoreError> {
    let Some(door) = super::record(work, channel)? else { return Ok(DoorItem::Unclear) };
    let item_id = transcript::item_id(&door.inbox, &item.item);
    let Some(request) = open(&door, item)? else {
        // spec: LNK-122
        if let Some(person) = request_of(work, channel, &item_id)? {
            return Ok(DoorItem::Request { person, item: item_id });
        }
        // By a link that is over it is nobody's fault.
        let code = "REQUEST_NOT_VALID".to_owned();
        work.event(Event::Warning(Warning::ItemRejected { code }))?;
        return Ok(DoorItem::Over);
    };
    let person = request.card.identity();
    let request_item = DoorItem::Request { person, item: item_id };
    let known = load(work, channel, &person)?;
    // Also when its link is forgotten by now.
    if known.as_ref().is_some_and(|known| known.item == item_id) {
        return Ok(request_item);
    }
    // Of one person the latest alone counts.
    if known.as_ref().is_some_and(|known| known.outdates(item.sequence)) {
        return Ok(DoorItem::Over);
    }
    let Some(link) = link_of(work, channel, &door, &request, &person)? else {
        // By a link that is known, the proof of another is wrong; else others may know it.
        let is_known = links::load(work, channel, &item.capability)?.is_some();
        return Ok(if is_known { DoorItem::Over } else { DoorItem::Unclear });
    };
    if link.record.is_over() || link.record.had_ended(item.stored_at) {
        return Ok(DoorItem::Over);
    }
    if is_in(work, channel, &person)? || known.as_ref().is_some_and(|it| rests(work.now, it)) {
        return Ok(DoorItem::Over);
    }
    if !has_room(work, channel, &link.capability, &person)? {
        return Ok(DoorItem::Unclear);
    }
    // The link by which they asked before has room for another.
    if known.is_some_and(|known| !known.stage.is_over() && known.link != link.capability) {
        work.effects.doors_clearer.insert(*channel);
    }
    requests::note(work, channel, &link, &request.card, item_id, item)?;
    Ok(request_item)
}

/// What an item of the door says, if that is a request of who sent it (spec: LNK-098).
fn open(door: &DoorRecord, item: &InboxItem) -> Result<Option<Box<JoinRequest>>, StoreError> {
    for key in door.seal_keys() {
        let key = key.array().map(InboxKey::from_bytes).ok_or(StoreError::Damaged)?;
        let Ok(opened) = open_item(&door.inbox, &key, &item.item) else { continue };
        let request = match InboxContent::decode(&opened.content) {
            Ok(InboxContent::JoinRequest(request)) => request,
            _ => return Ok(None),
        };
        return Ok(request.card.is_of(&opened.sender.identity()).then_some(request));
    }
    Ok(None)
}

/// Whose request an item is, if this device took it for one before.
fn request_of(
    work: &Work<'_>,
    channel: &ChannelId,
    item: &ItemId,
) -> Result<Option<Fingerprint>, StoreError> {
    let prefix = requests::prefix(channel);
    let rows = work.tx.list::<RequestRecord>(&prefix, usize::MAX)?;
    let found = rows.iter().find(|row| row.record.item == *item);
    found.map(|row| requests::person_in(&row.key, &prefix)).transpose()
}

/// The link whose secret the request proves, whatever the relay says of that (spec: LNK-099).
fn link_of(
    work: &Work<'_>,
    channel: &ChannelId,
    door: &DoorRecord,
    request: &JoinRequest,
    person: &Fingerprint,
) -> Result<Option<FoundLink>, StoreError> {
    for record in links::all(work, channel)? {
        let secret = record.secret()?;
        if record.number > 0 && secret.join_proof(&door.inbox, person) == request.proof {
            let capability = transcript::capability_id(&secret.capability());
            return Ok(Some(FoundLink { capability, record }));
        }
    }
    Ok(None)
}

fn is_in(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<bool, StoreError> {
    let members = log::load_group(work, channel)?.members().map_err(log::store_error)?;
    Ok(members.iter().any(|leaf| leaf.identity() == *person))
}

/// Whether somebody who was declined is not heard yet.
fn rests(now: Timestamp, record: &RequestRecord) -> bool {
    record.stage == Stage::Declined
        && record
            .over_since_ms
            .is_some_and(|since| now.ms_since(Timestamp(since)) < REQUEST_REST_MS)
}

/// Whether a request of somebody by a link is kept, in the place of the one before if they had one
/// (spec: LNK-105).
fn has_room(
    work: &Work<'_>,
    channel: &ChannelId,
    link: &CapabilityId,
    person: &Fingerprint,
) -> Result<bool, StoreError> {
    let own = requests::key(channel, person);
    let rows = work.tx.list::<RequestRecord>(&requests::prefix(channel), usize::MAX)?;
    let waiting = || rows.iter().filter(|row| row.key != own && !row.record.stage.is_over());
    let of_link = waiting().filter(|row| row.record.link == *link).count();
    Ok(of_link < REQUESTS_OF_LINK_MAX && waiting().count() < REQUESTS_MAX)
}
