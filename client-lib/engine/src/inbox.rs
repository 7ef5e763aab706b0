//! The own inbox: opening it, taking its items, and its capabilities; and writing to the inboxes of
//! others. `shelf` has its key packages.

mod restoring;

pub(crate) use restoring::{told_key, waits_for_own_group};

use hushwire_protocol::{
    card::{Card, CardTerms, ShelfKey},
    identity::{DeviceListRank, DeviceListVersion},
    profile::ProfileName,
    seal::{InboxItem as OpenedItem, InboxKey, ItemError, open_item},
};
use hushwire_wire::{
    SigningKey,
    id::{
        CapabilitySecret, ChannelId, InboxId, ItemId, PublicKey, RelayId, Sequence, SessionId,
        Timestamp,
    },
    message::{Handle, InboxItem, Request},
    transcript,
};

use crate::{
    asking, capabilities, clock,
    command::LinkUse,
    devices, door,
    event::{Event, InvitationRefusal, Warning},
    handled, invitations,
    joining::{self, Unread},
    linking, links,
    pending::Pending,
    readmission,
    record::{
        IdentityRecord, InboxRecord, LinkRecord, OldShelfKey, SecretBytes, Way, WishNumber,
        by_number,
    },
    revoking,
    session::OwnClock,
    shelf,
    store::StoreError,
    succession, warnings,
    wish::{Ask, Desk, Step},
    work::Work,
};

/// How long the inbox is denied until a person is told, in milliseconds.
const DENIED_MS: u64 = 10 * 60 * 1000;
/// For how long after it was open a slot has not lapsed, in milliseconds: half the time that it takes.
const OLD_COPY_SPAN_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Why an item was not taken.
pub(crate) enum Fault {
    /// The store failed.
    Store(StoreError),
    /// The item proves nothing, or makes no sense; with a stable code.
    Rejected(&'static str),
    /// It is an invitation, or a card, that is not followed.
    Refused(InvitationRefusal),
    /// It is an invitation to a later epoch of a group that this device is in, as far as it has read.
    Early,
    /// It is an invitation that a group which this device has not read to its end may speak against.
    Unread(Unread),
    /// It is an invitation to a group whose rules this program does not know.
    NewerRules,
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The inbox's relay, if this device has an inbox to read.
pub(crate) fn relay(
    work: &Work<'_>,
) -> Result<Option<hushwire_protocol::address::RelayAddress>, StoreError> {
    if work.identity()?.is_none_or(|identity| identity.revoked) {
        return Ok(None);
    }
    let Some(inbox) = work.inbox()? else { return Ok(None) };
    inbox.relay.parse().map(Some).map_err(|_| StoreError::Damaged)
}

pub(crate) fn required(work: &Work<'_>) -> Result<InboxRecord, StoreError> {
    work.inbox()?.ok_or(StoreError::Damaged)
}

fn identity(work: &Work<'_>) -> Result<IdentityRecord, StoreError> {
    work.identity()?.ok_or(StoreError::Damaged)
}

/// The request that opens the inbox, or creates it the first time.
pub(crate) fn open_request(
    work: &Work<'_>,
    relay: &RelayId,
    session: &SessionId,
) -> Result<Opening, StoreError> {
    let record = required(work)?;
    let owner = record.owner_key()?;
    let owner_key = transcript::public_key(&owner);
    let inbox = record.inbox;
    if !record.created || record.way == Way::Anew {
        let signed = transcript::inbox_create(relay, session, &inbox, &owner_key);
        let signature = signed.sign(&owner);
        let request = Request::InboxCreate { inbox, owner_key, signature };
        return Ok(Opening { request, pending: Pending::CreateInbox });
    }
    let slot = identity(work)?.slot;
    let signature = transcript::inbox_open(relay, session, &inbox, &slot).sign(&owner);
    let request = Request::InboxOpen { inbox, slot, signature };
    Ok(Opening { request, pending: Pending::OpenInbox { owner_key } })
}

/// A request about the own inbox, and what it is for.
pub(crate) struct Opening {
    pub(crate) request: Request,
    pub(crate) pending: Pending,
}

/// The inbox is there.
pub(crate) fn created(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = required(work)?;
    record.way = Way::Present;
    let was_there = core::mem::replace(&mut record.created, true);
    work.tx.save(InboxRecord::KEY, &record)?;
    // It may have been there all the time: who has its present key creates nothing.
    if was_there { restoring::put_again(work) } else { Ok(()) }
}

/// The relay has the inbox, with another owner key.
pub(crate) fn not_created(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = required(work)?;
    record.way = Way::Present;
    work.tx.save(InboxRecord::KEY, &record)
}

/// Whether the inbox would be opened by another key by now: keys came from another own device while the
/// answer was on its way. What it says of the key before says nothing of the relay (spec: CLI-181).
pub(crate) fn is_overtaken(work: &Work<'_>, owner_key: &PublicKey) -> Result<bool, StoreError> {
    Ok(transcript::public_key(&required(work)?.owner_key()?) != *owner_key)
}

/// The relay does not let this device open the inbox by this key: another way is tried, and the person
/// told once it has lasted. A device that was away while another one was revoked learns the new owner
/// key from the group of its devices (spec: CLI-144).
pub(crate) fn denied(work: &mut Work<'_>, owner_key: &PublicKey) -> Result<(), StoreError> {
    if is_overtaken(work, owner_key)? {
        return Ok(());
    }
    restoring::try_next_way(work)?;
    let mut record = required(work)?;
    let now = work.now.0;
    match record.denied_since_ms {
        Some(since) if since <= now && now - since >= DENIED_MS => {
            let relay = record.relay;
            work.event(Event::Warning(Warning::InboxDenied { relay }))
        }
        // One that lies ahead is by a clock that was wrong (spec: CLI-137).
        Some(since) if since <= now => Ok(()),
        _ => {
            record.denied_since_ms = Some(now);
            work.tx.save(InboxRecord::KEY, &record)
        }
    }
}

/// Places of the inbox, as the relay and this device have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// The first item to ask for.
    pub(crate) from: Sequence,
    /// The first that this device had not handled before.
    pub(crate) fresh: Sequence,
    /// Behind the last one.
    pub(crate) end: Sequence,
}

/// The relay let this device open the inbox, and says where its slot stands and where the inbox
/// ends. It is read from the earlier place of the two: what was handled is known again, and a relay
/// that was put back to an old copy gives the places of what it lost a second time (spec: CLI-095).
pub(crate) fn opened(
    work: &mut Work<'_>,
    owner_key: &PublicKey,
    slot: Sequence,
    end: Sequence,
) -> Result<Places, StoreError> {
    restoring::opened(work, owner_key)?;
    let mut record = required(work)?;
    // What came before a device had its slot is not for it.
    let is_first = record.opened_ms == 0 && record.cursor == 0;
    let fresh = if is_first { slot.min(end) } else { Sequence(record.cursor) };
    let from = fresh.min(slot).min(end);
    // Else the slot may be new, or have lapsed: then its relay has moved it.
    let lately = work.now.0 < record.opened_ms.saturating_add(OLD_COPY_SPAN_MS);
    record.denied_since_ms = None;
    record.opened_ms = work.now.0;
    record.cursor = from.0;
    work.tx.save(InboxRecord::KEY, &record)?;
    if end < fresh {
        rolled_back(work)?;
    } else if slot > fresh && lately {
        store_is_old(work)?;
    }
    Ok(Places { from, fresh: fresh.min(end), end })
}

/// The relay was put back to an old copy: it has lost items that this device has read, or is from
/// before what this device did there.
pub(crate) fn rolled_back(work: &mut Work<'_>) -> Result<(), StoreError> {
    restoring::put_again(work)?;
    let relay = required(work)?.relay;
    work.event(Event::Warning(Warning::InboxRolledBack { relay }))
}

/// A relay lost an epoch, or contradicts what it signed: if it has the own inbox, what belongs there is
/// put there again.
pub(crate) fn doubt(work: &mut Work<'_>, relay: &str) -> Result<(), StoreError> {
    match work.inbox()? {
        Some(inbox) if inbox.relay == relay => restoring::put_again(work),
        _ => Ok(()),
    }
}

/// The relay was told of items that this store knows nothing of: it is an old copy. What is on the
/// shelf was made by a later one, and its private parts are not here (spec: CLI-165).
fn store_is_old(work: &mut Work<'_>) -> Result<(), StoreError> {
    shelf::doubt(work)?;
    work.effects.shelf = true;
    work.event(Event::Warning(Warning::StoreIsOld))
}

/// Whether an item, at a place that was handled before, is not the one that was there.
pub(crate) fn is_other(work: &Work<'_>, item: &InboxItem) -> Result<bool, StoreError> {
    Ok(matches!(open(work, item), Ok(Some(_))) && !handled::contains(work, &id(work, item)?)?)
}

/// Moves on over an item.
fn move_cursor(work: &Work<'_>, item: &InboxItem) -> Result<(), StoreError> {
    let mut record = required(work)?;
    record.cursor = record.cursor.max(item.sequence.next().0);
    work.tx.save(InboxRecord::KEY, &record)
}

/// The inbox was read to its end, and once a day from then on: what came too late by now is not
/// waited for any more (spec: IDN-062), and what will run out is made anew.
pub(crate) fn tend(work: &mut Work<'_>, clock: OwnClock) -> Result<(), StoreError> {
    capabilities::tend(work)?;
    handled::tend(work)?;
    shelf::tend(work)?;
    warnings::tend(work)?;
    asking::tend(work)?;
    door::tend(work)?;
    succession::tend(work)?;
    readmission::tend(work)?;
    devices::renew_list(work, clock)?;
    devices::tell_again(work)?;
    let mut record = required(work)?;
    let held = record.old_seal_keys.len();
    // What the others know last stays until they know the next.
    let told = record.told_before()?;
    let mut place = 0..;
    record.old_seal_keys.retain(|old| place.next() == told || old.until_ms > work.now.0);
    if record.old_seal_keys.len() < held {
        work.tx.save(InboxRecord::KEY, &record)?;
    }
    Ok(())
}

/// No earlier inbox key ends later than one that is replaced now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let Some(mut record) = work.inbox()? else { return Ok(()) };
    let latest_ms = revoking::old_key_end(work.now).0;
    if record.old_seal_keys.iter().all(|old| old.until_ms <= latest_ms) {
        return Ok(());
    }
    for old in &mut record.old_seal_keys {
        old.until_ms = old.until_ms.min(latest_ms);
    }
    work.tx.save(InboxRecord::KEY, &record)
}

/// Takes an item: opens it, and does what it says. The cursor moves in the same transaction
/// (spec: CLI-045).
pub(crate) fn take(work: &mut Work<'_>, item: &InboxItem) -> Result<(), Fault> {
    move_cursor(work, item)?;
    if handled::contains(work, &id(work, item)?)? {
        return Ok(());
    }
    // It counts for its capability, whatever it says.
    capabilities::used(work, &item.capability)?;
    let Some(opened) = open(work, item)? else { return Ok(()) };
    handled::note(work, &id(work, item)?)?;
    links::used(work, &item.capability)?;
    let came = joining::Came::in_item(item);
    joining::take(work, &opened.sender, &opened.content, came)
}

fn id(work: &Work<'_>, item: &InboxItem) -> Result<ItemId, StoreError> {
    Ok(transcript::item_id(&required(work)?.inbox, &item.item))
}

/// What an item says; none of one that was sealed to a key from before this device was linked
/// (spec: IDN-062).
fn open(work: &Work<'_>, item: &InboxItem) -> Result<Option<OpenedItem>, Fault> {
    let record = required(work)?;
    let old = record.old_seal_keys.iter().map(|old| &old.key);
    let keys = core::iter::once(&record.seal_key).chain(old);
    let mut is_of_other_key = true;
    for key in keys {
        let key = key.array().map(InboxKey::from_bytes).ok_or(StoreError::Damaged)?;
        match open_item(&record.inbox, &key, &item.item) {
            Ok(opened) => return Ok(Some(opened)),
            Err(ItemError::OtherKey) => {}
            Err(_) => is_of_other_key = false,
        }
    }
    let may_be_earlier = record
        .linked_ms
        .map(Timestamp)
        .is_some_and(|linked| linked <= work.now && work.now < revoking::old_key_end(linked));
    if is_of_other_key && may_be_earlier {
        return Ok(None);
    }
    Err(Fault::Rejected("ITEM_NOT_OPENED"))
}

/// Moves on over an item that is not done; gives what it says. It counts for its capability, and is known
/// if it comes again.
fn pass_over(work: &mut Work<'_>, item: &InboxItem) -> Result<Option<OpenedItem>, StoreError> {
    move_cursor(work, item)?;
    capabilities::used(work, &item.capability)?;
    let Ok(Some(opened)) = open(work, item) else { return Ok(None) };
    handled::note(work, &id(work, item)?)?;
    Ok(Some(opened))
}

/// An item was refused: it is passed over, and the person told.
pub(crate) fn reject(
    work: &mut Work<'_>,
    item: &InboxItem,
    code: &'static str,
) -> Result<(), StoreError> {
    if pass_over(work, item)?.is_some() {
        work.effects.shelf = true;
    }
    work.event(Event::Warning(Warning::ItemRejected { code: code.to_owned() }))
}

/// An invitation or a card was not followed: it is passed over, and the person told. One of somebody
/// who is no contact is kept for when they are, and one of a device that is not known likewise.
pub(crate) fn refuse(
    work: &mut Work<'_>,
    item: &InboxItem,
    reason: InvitationRefusal,
) -> Result<(), StoreError> {
    let opened = pass_over(work, item)?;
    work.effects.shelf = true;
    if let Some(opened) = opened.filter(|_| reason.may_pass()) {
        joining::hold(work, item, &opened.sender, &opened.content)?;
    }
    work.event(Event::Warning(Warning::InvitationRefused { reason }))
}

/// An invitation comes before the removal that it follows: it is kept until this device has read of
/// that (spec: LNK-080).
pub(crate) fn put_by(work: &mut Work<'_>, item: &InboxItem) -> Result<(), StoreError> {
    match pass_over(work, item)? {
        Some(opened) => joining::hold(work, item, &opened.sender, &opened.content),
        None => Ok(()),
    }
}

/// An invitation is kept until a group was read to its end (spec: CLI-187, IDN-078).
pub(crate) fn put_by_unread(
    work: &mut Work<'_>,
    item: &InboxItem,
    unread: &Unread,
) -> Result<(), StoreError> {
    match pass_over(work, item)? {
        Some(OpenedItem { sender, content, .. }) => {
            joining::hold_unread(work, unread, &sender, &content, joining::Came::in_item(item))
        }
        None => Ok(()),
    }
}

/// An invitation leads to a group whose rules this program does not know: it is kept until a newer one
/// opens the store, and the person told (spec: CLI-174).
pub(crate) fn put_by_for_later(work: &mut Work<'_>, item: &InboxItem) -> Result<(), StoreError> {
    put_by(work, item)?;
    work.event(Event::Warning(Warning::NewerRules { chat: None }))
}

/// A request for the own inbox.
pub(crate) fn request(desk: &Desk, request: impl FnOnce(Handle) -> Request) -> Step {
    desk.inbox.map_or(Step::Aim, |handle| Step::Ask(Ask::Request(request(handle))))
}

/// Writes an item to somebody's inbox.
pub(crate) fn send_item(
    inbox: &InboxId,
    secret: &SecretBytes,
    item: Vec<u8>,
) -> Result<Step, StoreError> {
    let secret = capability(secret)?;
    Ok(Step::Ask(Ask::Request(Request::InboxSend { inbox: *inbox, secret, item: item.into() })))
}

pub(crate) fn capability(secret: &SecretBytes) -> Result<CapabilitySecret, StoreError> {
    CapabilitySecret::from_slice(secret.expose()).map_err(|_| StoreError::Damaged)
}

/// An item will not arrive: the inbox has refused it for good (spec: IDN-060).
pub(crate) fn not_sent(
    work: &mut Work<'_>,
    number: WishNumber,
    inbox: &InboxId,
    invites: Option<&ChannelId>,
) -> Result<(), StoreError> {
    work.settle(number);
    if linking::not_sent(work, inbox)? {
        return Ok(());
    }
    // Of a device that is revoked nothing is sent any more, and its person knows that (spec: IDN-070).
    if work.identity()?.is_some_and(|identity| !identity.revoked) {
        let code = "ITEM_NOT_SENT".to_owned();
        work.event(Event::Warning(Warning::ItemRejected { code }))?;
    }
    invitations::not_sent(work, invites)
}

/// Makes a capability known to the relay; one of a link carries a card sealed for that link.
pub(crate) fn put_capability(
    work: &mut Work<'_>,
    desk: &Desk,
    secret: &SecretBytes,
    link: Option<u64>,
) -> Result<Step, StoreError> {
    let Some(handle) = desk.inbox else { return Ok(Step::Aim) };
    let capability = capabilities::id_of(secret)?;
    let bounds = capabilities::bounds(work, &capability)?;
    let link: Option<LinkRecord> = match link {
        Some(number) => work.tx.load(&by_number(number))?,
        None => None,
    };
    // One use is one invitation for each device (spec: IDN-056).
    let devices = u64::try_from(devices::device_list(work)?.devices().len()).unwrap_or(u64::MAX);
    let (items_max, expires_at, card) = match &link {
        Some(record) => (
            if record.usage == LinkUse::Single { devices } else { bounds.items_max },
            record.expires_at_ms.map(Timestamp),
            link_card(work, record)?,
        ),
        None => (bounds.items_max, bounds.expires_at, Vec::new()),
    };
    Ok(Step::Ask(Ask::Request(Request::CapabilityPut {
        handle,
        capability,
        items_max: Some(items_max),
        expires_at,
        card: card.into(),
    })))
}

/// The card that a link's capability carries.
fn link_card(work: &mut Work<'_>, link: &LinkRecord) -> Result<Vec<u8>, StoreError> {
    let record = required(work)?;
    let identity = identity(work)?;
    let Some(manager) = identity.manager_key() else { return Ok(Vec::new()) };
    let statement = identity.statement()?;
    let terms = CardTerms {
        inbox_key: record.inbox_key()?.public().map_err(|_| StoreError::Damaged)?,
        shelf_key: record.shelf_key()?,
        device_list_minimum: DeviceListRank {
            manager_counter: statement.counter(),
            version: DeviceListVersion(record.device_list_version),
        },
        name: ProfileName::from_stored(&identity.name),
    };
    let secret = links::secret(link)?;
    Card::sign(&manager, &statement, &record.inbox, terms)
        .seal(&secret.card_key(), &record.inbox, &link.capability, work.rng)
        .map_err(|_| StoreError::Failed)
}

impl InboxRecord {
    /// The owner key, once the rotations that are under way are done.
    pub(crate) fn coming_owner_key(&self) -> &SecretBytes {
        match (&self.later_owner_key, &self.next_owner_key) {
            (Some(later), _) => later,
            (None, Some(next)) if !self.rotation_unsure => next,
            _ => &self.owner_key,
        }
    }

    pub(crate) fn owner_key(&self) -> Result<SigningKey, StoreError> {
        self.key_to_try()
            .array()
            .map(|seed| SigningKey::from_bytes(&seed))
            .ok_or(StoreError::Damaged)
    }

    pub(crate) fn shelf_key(&self) -> Result<ShelfKey, StoreError> {
        self.shelf_key.array().map(ShelfKey::from_bytes).ok_or(StoreError::Damaged)
    }

    /// Those before it that still open key packages (spec: IDN-086).
    pub(crate) fn earlier_shelf_keys(&self, now: Timestamp) -> Result<Vec<ShelfKey>, StoreError> {
        let kept = self
            .earlier_shelf_keys
            .iter()
            .filter(|earlier| !clock::is_over(now, earlier.until_ms, revoking::SHELF_KEY_KEEP_MS));
        let key = |earlier: &OldShelfKey| earlier.key.array().map(ShelfKey::from_bytes);
        kept.map(|earlier| key(earlier).ok_or(StoreError::Damaged)).collect()
    }

    pub(crate) fn inbox_key(&self) -> Result<InboxKey, StoreError> {
        self.seal_key.array().map(InboxKey::from_bytes).ok_or(StoreError::Damaged)
    }
}
