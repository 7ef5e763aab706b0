//! A door at its relay: made, opened by the keys that the relay may have, and given the present one
//! (spec: GRP-111, GRP-114).

use hushwire_wire::{
    SigningKey,
    id::{ChannelId, RelayId, SessionId, SlotId},
    message::{Handle, Request},
    transcript,
};

use super::{Way, key, links, record, requests};
use crate::{
    event::{Event, Warning},
    groups,
    record::SecretBytes,
    store::StoreError,
    wish::{self, Desk, Step},
    work::Work,
};

/// The slot that all readers of a door share: who reads it has no place of its own there
/// (spec: LNK-106).
const SHARED_SLOT: SlotId = SlotId::from_bytes([0; 16]);

/// What to ask the relay for next, to open a door.
pub(crate) enum Opening {
    Create(Request),
    Open(Request),
    /// No key is left to try.
    None,
}

/// The request that creates or opens a door by the key of this attempt.
pub(crate) fn opening(
    work: &Work<'_>,
    channel: &ChannelId,
    relay: &RelayId,
    session: &SessionId,
    attempt: usize,
) -> Result<Opening, StoreError> {
    let Some(door) = record(work, channel)? else { return Ok(Opening::None) };
    let inbox = door.inbox;
    Ok(match door.way(attempt) {
        None => Opening::None,
        Some(Way::Make(owner)) => {
            let owner = signing_key(owner)?;
            let owner_key = transcript::public_key(&owner);
            let signed = transcript::inbox_create(relay, session, &inbox, &owner_key);
            let signature = signed.sign(&owner);
            Opening::Create(Request::InboxCreate { inbox, owner_key, signature })
        }
        Some(Way::Open(owner)) => {
            let signed = transcript::inbox_open(relay, session, &inbox, &SHARED_SLOT);
            let signature = signed.sign(&signing_key(owner)?);
            Opening::Open(Request::InboxOpen { inbox, slot: SHARED_SLOT, signature })
        }
    })
}

fn signing_key(key: &SecretBytes) -> Result<SigningKey, StoreError> {
    key.array().map(|seed| SigningKey::from_bytes(&seed)).ok_or(StoreError::Damaged)
}

/// Whether the relay had the inbox of a door before it made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    First,
    Again,
}

/// The relay has the inbox. Where it had one before, it was put back to an old copy, and has none of the
/// links; until it opens, it may only say so (spec: GRP-116).
pub(crate) fn created(work: &mut Work<'_>, channel: &ChannelId) -> Result<Made, StoreError> {
    let Some(mut door) = record(work, channel)? else { return Ok(Made::First) };
    if core::mem::replace(&mut door.created, true) {
        links::put_again(work, channel)?;
        requests::forget_places(work, channel)?;
        denied(work, channel)?;
        return Ok(Made::Again);
    }
    work.tx.save(&key(channel), &door)?;
    Ok(Made::First)
}

/// The relay had the inbox already; says whether this device knew that: then by none of its keys.
pub(crate) fn exists(work: &Work<'_>, channel: &ChannelId) -> Result<bool, StoreError> {
    let Some(mut door) = record(work, channel)? else { return Ok(false) };
    let known = core::mem::replace(&mut door.created, true);
    work.tx.save(&key(channel), &door)?;
    Ok(known)
}

/// The relay of a door was put back to an old copy: the links of this identity are put there again, and
/// those that are over revoked again (spec: GRP-116).
pub(crate) fn doubt(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    links::put_again(work, channel)?;
    requests::forget_places(work, channel)?;
    links::revoke_again(work, channel)
}

/// The relay lets nobody open the door by any key that is known here. The person is told when that has
/// lasted: the others may just have told newer keys.
pub(crate) fn denied(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut door) = record(work, channel)? else { return Ok(()) };
    let now = work.now;
    // One that lies ahead is by a clock that was wrong (spec: CLI-137).
    if door.denied_since_ms.is_none_or(|since| since > now.0) {
        door.denied_since_ms = Some(now.0);
        return work.tx.save(&key(channel), &door);
    }
    let chat = groups::record(work, channel)?.and_then(|group| group.purpose.chat());
    match chat.filter(|_| door.is_lost(now)) {
        Some(chat) => work.event(Event::Warning(Warning::DoorDenied { chat })),
        None => Ok(()),
    }
}

/// The door opened.
pub(crate) fn opened(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut door) = record(work, channel)? else { return Ok(()) };
    if door.denied_since_ms.take().is_some() {
        work.tx.save(&key(channel), &door)?;
    }
    Ok(())
}

/// The door opened by an earlier key: the request that puts the present one in its place, once the
/// others know it (spec: GRP-111).
pub(crate) fn replacing(
    work: &Work<'_>,
    channel: &ChannelId,
    relay: &RelayId,
    session: &SessionId,
    handle: Handle,
) -> Result<Option<Request>, StoreError> {
    let Some(door) = record(work, channel)? else { return Ok(None) };
    if let Some(telling) = door.telling
        && wish::load(work, telling)?.is_some()
    {
        return Ok(None);
    }
    let next = signing_key(&door.owner_key)?;
    let next_owner_key = transcript::public_key(&next);
    let signed = transcript::inbox_rotate(relay, session, &door.inbox, &next_owner_key);
    let signature = signed.sign(&next);
    Ok(Some(Request::InboxRotate { handle, next_owner_key, signature }))
}

/// A request for a door that is open.
pub(crate) fn request(desk: &Desk, request: impl FnOnce(Handle) -> Request) -> Step {
    crate::inbox::request(desk, request)
}
