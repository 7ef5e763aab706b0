//! Linking a new device to the identity: both sides of the exchange, step by step, each step stored
//! before anything of it leaves (spec: IDN-050).
//!
//! ```text
//! old: Offered ─request▶ OldComparing ─equal▶ grant, list, groups
//! new: Joining ─reveal▶ NewComparing ─equal▶ NewConfirmed ─grant▶ a device of the identity
//! ```

mod grant;
pub(crate) mod granted;

use hushwire_protocol::{
    address::RelayAddress,
    identity::{DeviceId, DeviceKey},
    link::text::LinkError,
    linking::{
        LinkingCode, LinkingError, LinkingJoin, LinkingOffer, NewConfirming, OldConfirming,
        Rendezvous, RequestTerms,
    },
    profile::ProfileName,
};
use hushwire_wire::{
    id::{InboxId, RelayId, Sequence, SessionId, SlotId, Timestamp},
    message::{Handle, InboxItem, Request},
    transcript,
};

use crate::{
    chats,
    command::{CommandError, Comparison, FailureReason, Reply, SecretText},
    event::Event,
    inbox, profile,
    record::{JoiningRecord, LinkingRecord, LinkingStep, SecretBytes, Wish},
    store::{StoreError, Table},
    work::Work,
};

/// How long a linking may take, in milliseconds (spec: IDN-051).
const LINKING_LIFE_MS: u64 = 10 * 60 * 1000;
/// How long after it took a code a device believes that the other's rendezvous is yet to be made, in
/// milliseconds (spec: LNK-064).
const RENDEZVOUS_WAIT_MS: u64 = 30_000;
/// The only slot at a rendezvous: one device reads there.
const MEETING_SLOT: SlotId = SlotId::from_bytes([0; 16]);
/// Items that a linking brings to a rendezvous: a request; or a reveal and a grant.
const ITEMS_TO_OLD: u64 = 1;
const ITEMS_TO_NEW: u64 = 2;

/// The linking that is under way.
fn load(work: &Work<'_>) -> Result<Option<LinkingRecord>, StoreError> {
    Ok(stored(work)?.filter(|record| record.step != LinkingStep::Over))
}

/// The linking that is under way, or the last one, while its rendezvous is not cleared away.
fn stored(work: &Work<'_>) -> Result<Option<LinkingRecord>, StoreError> {
    work.tx.load(LinkingRecord::KEY)
}

fn required(work: &Work<'_>) -> Result<LinkingRecord, StoreError> {
    stored(work)?.ok_or(StoreError::Damaged)
}

fn save(work: &Work<'_>, record: &LinkingRecord) -> Result<(), StoreError> {
    work.tx.save(LinkingRecord::KEY, record)
}

/// Linking is over: its secrets go, but for the code, by which the rendezvous is cleared away
/// (spec: IDN-059).
fn end(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.effects.linking = true;
    let Some(mut record) = stored(work)? else { return Ok(()) };
    record.step = LinkingStep::Over;
    record.state = SecretBytes::default();
    record.expires_at_ms = work.now.plus_ms(LINKING_LIFE_MS).0;
    if let Some(joining) = &mut record.joining {
        joining.device_key = SecretBytes::default();
        joining.request = None;
        joining.grant = None;
    }
    save(work, &record)
}

/// A linking that is under way is over: the person has chosen otherwise (spec: IDN-065).
pub(crate) fn abandon(work: &mut Work<'_>) -> Result<(), StoreError> {
    match stored(work)?.map(|record| record.step) {
        None | Some(LinkingStep::Over) => Ok(()),
        Some(_) => fail(work, FailureReason::Cancelled),
    }
}

/// This device may have been revoked: then nobody can be linked by it any more (spec: IDN-070).
pub(crate) fn end_if_revoked(work: &mut Work<'_>) -> Result<(), StoreError> {
    if work.identity()?.is_some_and(|identity| identity.revoked) && load(work)?.is_some() {
        fail(work, FailureReason::DevicesChanged)?;
    }
    Ok(())
}

/// The rendezvous is cleared away, or will lapse by itself.
pub(crate) fn forget(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.tx.remove(Table::Profile, LinkingRecord::KEY);
    work.effects.linking = true;
    Ok(())
}

/// Linking is over without a new device.
fn fail(work: &mut Work<'_>, reason: FailureReason) -> Result<(), StoreError> {
    end(work)?;
    work.event(Event::DeviceLinkFailed(reason))
}

// --- what a person asks ---------------------------------------------------------------------

/// Makes a code for a new device. A linking that was under way is replaced.
pub(crate) fn offer(work: &mut Work<'_>) -> Result<Reply, CommandError> {
    let identity = profile::require(work)?;
    // spec: IDN-050
    if identity.manager_key.is_none() || identity.revoked {
        return Err(CommandError::NotAManager);
    }
    crate::devices::check_in(work, &identity)?;
    let relay: RelayAddress =
        inbox::required(work)?.relay.parse().map_err(|_| CommandError::StoreDamaged)?;
    let offer = LinkingOffer::new(relay, work.rng);
    let text = offer.code().to_text().map_err(|_| CommandError::BadRelayAddress)?;
    let record = LinkingRecord {
        step: LinkingStep::Offered,
        state: SecretBytes::new(&offer.to_secret_bytes()),
        code: SecretBytes::new(text.as_bytes()),
        expires_at_ms: work.now.plus_ms(LINKING_LIFE_MS).0,
        cursor: 0,
        joining: None,
    };
    save(work, &record)?;
    work.effects.linking = true;
    Ok(Reply::DeviceCode(SecretText::new(text.to_string())))
}

/// Answers a code that another device shows.
pub(crate) fn join(
    work: &mut Work<'_>,
    code: &SecretText,
    device_name: &str,
) -> Result<Reply, CommandError> {
    if work.identity()?.is_some() {
        return Err(CommandError::IdentityExists);
    }
    let device_name = chats::check_name(device_name)?;
    let name = ProfileName::new(&device_name).map_err(|_| CommandError::BadText)?;
    let text = code.expose().trim();
    let code = parse(code)?;
    let device_key = DeviceKey::generate(work.rng);
    let slot = SlotId::from_bytes(work.random());
    let device = DeviceId::generate(work.rng);
    let terms = RequestTerms { device, slot, device_key: device_key.public(), name };
    let (join, request) =
        LinkingJoin::new(code, terms, work.rng).map_err(|_| CommandError::Internal)?;
    let record = LinkingRecord {
        step: LinkingStep::Joining,
        state: SecretBytes::new(&join.to_secret_bytes()),
        code: SecretBytes::new(text.as_bytes()),
        expires_at_ms: work.now.plus_ms(LINKING_LIFE_MS).0,
        cursor: 0,
        joining: Some(JoiningRecord {
            device_name,
            device_key: SecretBytes::new(&device_key.to_secret_bytes()[..]),
            slot,
            request: Some(SecretBytes::new(&request)),
            grant: None,
        }),
    };
    save(work, &record)?;
    work.effects.linking = true;
    Ok(Reply::Done)
}

/// Reads the text of a linking code.
pub(crate) fn parse(text: &SecretText) -> Result<LinkingCode, CommandError> {
    LinkingCode::parse(text.expose().trim()).map_err(|error| match error {
        LinkError::OtherKind => CommandError::ContactLink,
        LinkError::Foreign | LinkError::UnknownKind => CommandError::NotALink,
        LinkError::UnknownVersion => CommandError::LinkTooNew,
        _ => CommandError::LinkTruncated,
    })
}

/// The person compared the digits.
pub(crate) fn confirm(work: &mut Work<'_>, answer: Comparison) -> Result<Reply, CommandError> {
    let Some(record) = load(work)? else { return Err(CommandError::NotLinking) };
    let comparing = matches!(record.step, LinkingStep::OldComparing | LinkingStep::NewComparing);
    if !comparing {
        return Err(CommandError::NotLinking);
    }
    if answer == Comparison::Different {
        // spec: IDN-052
        fail(work, FailureReason::IdentityNotProven)?;
        return Ok(Reply::Done);
    }
    if record.step == LinkingStep::OldComparing {
        grant::give(work, &record)?;
    } else {
        confirm_here(work, record)?;
    }
    Ok(Reply::Done)
}

/// The new device's person says that the digits are equal; a grant may have come before.
fn confirm_here(work: &mut Work<'_>, mut record: LinkingRecord) -> Result<(), StoreError> {
    record.step = LinkingStep::NewConfirmed;
    let held = record.joining.as_mut().and_then(|joining| joining.grant.take());
    save(work, &record)?;
    match held {
        Some(sealed) => grant::take(work, &record, sealed.expose()),
        None => Ok(()),
    }
}

// --- the rendezvous ----------------------------------------------------------------------

/// Where this device waits for the other.
pub(crate) struct Place {
    pub(crate) relay: RelayAddress,
    pub(crate) inbox: InboxId,
    pub(crate) expires_at: Timestamp,
    pub(crate) use_now: PlaceUse,
}

/// What the rendezvous is for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceUse {
    /// The devices meet there.
    Meet,
    /// It is cleared away.
    Clear,
}

/// Where this device waits for the other, while a linking is under way.
pub(crate) fn place(work: &Work<'_>) -> Result<Option<Place>, StoreError> {
    let Some(record) = stored(work)? else { return Ok(None) };
    Ok(Some(Place {
        use_now: match record.step {
            LinkingStep::Over => PlaceUse::Clear,
            _ => PlaceUse::Meet,
        },
        relay: record.code()?.relay().clone(),
        inbox: record.here()?.inbox,
        expires_at: Timestamp(record.expires_at_ms),
    }))
}

/// Creates the place; that it is there already changes nothing.
pub(crate) fn create_request(
    work: &Work<'_>,
    relay: &RelayId,
    session: &SessionId,
) -> Result<Request, StoreError> {
    let Rendezvous { inbox, owner, .. } = required(work)?.here()?;
    let owner_key = owner.public();
    let signed = transcript::inbox_create(relay, session, &inbox, &owner_key);
    let signature = signed.sign(owner.signing_key());
    Ok(Request::InboxCreate { inbox, owner_key, signature })
}

/// Opens the place.
pub(crate) fn open_request(
    work: &Work<'_>,
    relay: &RelayId,
    session: &SessionId,
) -> Result<Request, StoreError> {
    let Rendezvous { inbox, owner, .. } = required(work)?.here()?;
    let signed = transcript::inbox_open(relay, session, &inbox, &MEETING_SLOT);
    let signature = signed.sign(owner.signing_key());
    Ok(Request::InboxOpen { inbox, slot: MEETING_SLOT, signature })
}

/// Lets the other device write, as often as the exchange needs.
pub(crate) fn admit_request(work: &Work<'_>, handle: Handle) -> Result<Request, StoreError> {
    let record = required(work)?;
    let items = if record.joining.is_some() { ITEMS_TO_NEW } else { ITEMS_TO_OLD };
    Ok(Request::CapabilityPut {
        handle,
        capability: transcript::capability_id(&record.here()?.capability),
        items_max: Some(items),
        expires_at: Some(Timestamp(record.expires_at_ms)),
        card: bytes::Bytes::new(),
    })
}

/// Leaves nothing at the place: its items go when the only slot has passed them, then nobody can
/// write there or wait for anything (spec: IDN-059).
pub(crate) fn clear_requests(
    work: &Work<'_>,
    handle: Handle,
    next: Sequence,
) -> Result<[Request; 3], StoreError> {
    let capability = transcript::capability_id(&required(work)?.here()?.capability);
    Ok([
        Request::InboxAdvance { handle, cursor: next },
        Request::CapabilityRevoke { handle, capability },
        Request::SlotDrop { handle, slot: MEETING_SLOT },
    ])
}

/// The other device can write now: a new device asks. Says where to read from.
pub(crate) fn ready(work: &mut Work<'_>) -> Result<Sequence, StoreError> {
    let mut record = required(work)?;
    let request = record.joining.as_mut().and_then(|joining| joining.request.take());
    if let Some(sealed) = request {
        save(work, &record)?;
        send(work, &record, sealed.expose())?;
    }
    Ok(Sequence(record.cursor))
}

/// Wishes to have a message at the other device's rendezvous.
fn send(work: &mut Work<'_>, record: &LinkingRecord, sealed: &[u8]) -> Result<(), StoreError> {
    let there = record.there()?;
    work.wish(Wish::SendItem {
        relay: record.code()?.relay().to_string(),
        inbox: there.inbox,
        secret: SecretBytes::new(there.capability.expose()),
        item: sealed.to_vec(),
        invites: None,
        letter: None,
    })?;
    Ok(())
}

/// Whether the other device may yet make the rendezvous that a relay does not know (spec: LNK-064).
pub(crate) fn may_appear(work: &Work<'_>, inbox: &InboxId) -> Result<bool, StoreError> {
    let Some(record) = load(work)? else { return Ok(false) };
    let begun_ms = record.expires_at_ms.saturating_sub(LINKING_LIFE_MS);
    let young = work.now.0 < begun_ms.saturating_add(RENDEZVOUS_WAIT_MS);
    Ok(young && record.there()?.inbox == *inbox)
}

/// No linking ends later than one that begins now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let Some(mut record) = stored(work)? else { return Ok(()) };
    let latest_ms = work.now.plus_ms(LINKING_LIFE_MS).0;
    if record.expires_at_ms > latest_ms {
        record.expires_at_ms = latest_ms;
        save(work, &record)?;
    }
    Ok(())
}

/// A message will not arrive. Says whether it was one of the linking that is under way.
pub(crate) fn not_sent(work: &mut Work<'_>, inbox: &InboxId) -> Result<bool, StoreError> {
    let Some(record) = load(work)? else { return Ok(false) };
    if record.there()?.inbox != *inbox {
        return Ok(false);
    }
    fail(work, FailureReason::LinkNotValid)?;
    Ok(true)
}

/// The time for it is over (spec: IDN-051).
pub(crate) fn expire(work: &mut Work<'_>) -> Result<(), StoreError> {
    if load(work)?.is_none() {
        return forget(work);
    }
    fail(work, FailureReason::Expired)
}

/// Takes what the other device says, if it is the message of this step; else linking is over.
pub(crate) fn take(work: &mut Work<'_>, item: &InboxItem) -> Result<(), StoreError> {
    let Some(mut record) = load(work)? else { return Ok(()) };
    if item.sequence.0 < record.cursor {
        return Ok(());
    }
    record.cursor = item.sequence.next().0;
    let taken = match record.step {
        LinkingStep::Offered => take_request(work, &mut record, &item.item),
        LinkingStep::Joining => take_reveal(work, &mut record, &item.item),
        LinkingStep::NewComparing => hold_grant(work, &mut record, &item.item),
        LinkingStep::NewConfirmed => return grant::take(work, &record, &item.item),
        // spec: IDN-052
        LinkingStep::OldComparing | LinkingStep::Over => Err(Stop::OutOfOrder),
    };
    match taken {
        Ok(()) => Ok(()),
        Err(Stop::Store(error)) => Err(error),
        // spec: IDN-052
        Err(Stop::Linking | Stop::OutOfOrder) => fail(work, FailureReason::IdentityNotProven),
    }
}

/// Why a message does not lead on.
enum Stop {
    Store(StoreError),
    Linking,
    OutOfOrder,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LinkingError> for Stop {
    fn from(_: LinkingError) -> Self {
        Self::Linking
    }
}

fn take_request(
    work: &mut Work<'_>,
    record: &mut LinkingRecord,
    sealed: &[u8],
) -> Result<(), Stop> {
    let offer =
        LinkingOffer::from_secret_bytes(record.state.expose()).map_err(|_| StoreError::Damaged)?;
    let (confirming, reveal) = offer.handle_request(sealed, work.rng)?;
    record.step = LinkingStep::OldComparing;
    record.state = SecretBytes::new(&confirming.to_secret_bytes());
    save(work, record)?;
    send(work, record, &reveal)?;
    let code = SecretText::new(confirming.comparison().to_string());
    work.event(Event::DeviceCompare { code })?;
    Ok(())
}

fn take_reveal(work: &mut Work<'_>, record: &mut LinkingRecord, sealed: &[u8]) -> Result<(), Stop> {
    let join =
        LinkingJoin::from_secret_bytes(record.state.expose()).map_err(|_| StoreError::Damaged)?;
    let confirming = join.handle_reveal(sealed)?;
    record.step = LinkingStep::NewComparing;
    record.state = SecretBytes::new(&confirming.to_secret_bytes());
    save(work, record)?;
    let code = SecretText::new(confirming.comparison().to_string());
    work.event(Event::DeviceCompare { code })?;
    Ok(())
}

/// The other person was faster: the grant waits until this device's person has compared.
fn hold_grant(work: &mut Work<'_>, record: &mut LinkingRecord, sealed: &[u8]) -> Result<(), Stop> {
    let Some(joining) = record.joining.as_mut().filter(|joining| joining.grant.is_none()) else {
        return Err(Stop::OutOfOrder);
    };
    joining.grant = Some(SecretBytes::new(sealed));
    save(work, record)?;
    Ok(())
}

impl LinkingRecord {
    fn code(&self) -> Result<LinkingCode, StoreError> {
        let text = core::str::from_utf8(self.code.expose()).map_err(|_| StoreError::Damaged)?;
        LinkingCode::parse(text).map_err(|_| StoreError::Damaged)
    }

    /// Where this device reads.
    fn here(&self) -> Result<Rendezvous, StoreError> {
        let code = self.code()?;
        Ok(if self.joining.is_some() { code.toward_new() } else { code.toward_old() })
    }

    /// Where this device writes.
    fn there(&self) -> Result<Rendezvous, StoreError> {
        let code = self.code()?;
        Ok(if self.joining.is_some() { code.toward_old() } else { code.toward_new() })
    }

    fn old_confirming(&self) -> Result<OldConfirming, StoreError> {
        OldConfirming::from_secret_bytes(self.state.expose()).map_err(|_| StoreError::Damaged)
    }

    fn new_confirming(&self) -> Result<NewConfirming, StoreError> {
        NewConfirming::from_secret_bytes(self.state.expose()).map_err(|_| StoreError::Damaged)
    }
}
