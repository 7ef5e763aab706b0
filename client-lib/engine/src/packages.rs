//! Key packages: making our own, and gathering those of people and devices that are to be added.
//!
//! Gathering takes one step for the device list and one for each device in it. What was gathered
//! stays with the wish, so a lost race for a commit costs no second package.

use hushwire_protocol::{
    address::RelayAddress,
    card::ShelfKey,
    group::{CommitIntent, KeyPackageUse, OwnKeyPackage, UnverifiedKeyPackage, VerifiedKeyPackage},
    identity::{DeviceList, DeviceListRank, Fingerprint, device_list::DeviceListError},
    invitation::ContactCard,
    provider::Suite,
};
use hushwire_wire::{
    id::{CapabilitySecret, ChannelId, InboxId, SlotId},
    message::{Answer, PackageKind, Request},
};

use crate::{
    command::FailureReason,
    contacts,
    groups::{self, Change},
    inbox, log, outbox, profile,
    record::{IntentNumber, Packages, Wish},
    store::StoreError,
    wish::{self, Ask, Desk, Progress, Step, Target},
    work::Work,
};

/// The suite of every group of version 1 that this client forms.
pub(crate) const SUITE: Suite = Suite::Hybrid;

/// Makes a key package of this device and stores its private part.
pub(crate) fn generate(work: &mut Work<'_>, kind: PackageKind) -> Result<Vec<u8>, StoreError> {
    let device = profile::device(work)?;
    let usage = match kind {
        PackageKind::Single => KeyPackageUse::Once,
        PackageKind::LastResort => KeyPackageUse::LastResort,
    };
    let provider = work.provider();
    OwnKeyPackage::generate(&provider, &device.key, &device.credential, SUITE, usage)
        .map(|package| package.bytes)
        .map_err(log::store_error)
}

/// How to get at the key packages of an identity.
pub(crate) struct Route {
    pub(crate) relay: RelayAddress,
    pub(crate) inbox: InboxId,
    pub(crate) capability: CapabilitySecret,
    pub(crate) shelf_key: ShelfKey,
    pub(crate) identity: Fingerprint,
    /// No older device list is taken.
    pub(crate) minimum: DeviceListRank,
}

impl Route {
    /// The route that a contact's card gives.
    pub(crate) fn of(card: &ContactCard) -> Self {
        Self {
            relay: card.relay.clone(),
            inbox: card.inbox,
            capability: CapabilitySecret::from_bytes(*card.capability.expose()),
            shelf_key: card.shelf_key.share(),
            identity: card.identity(),
            minimum: card.device_list_minimum,
        }
    }

    /// The route to this identity's own shelves.
    pub(crate) fn own(work: &Work<'_>) -> Result<Self, StoreError> {
        let record = inbox::required(work)?;
        let identity = work.identity()?.ok_or(StoreError::Damaged)?;
        Ok(Self {
            relay: record.relay.parse().map_err(|_| StoreError::Damaged)?,
            inbox: record.inbox,
            capability: inbox::capability(&record.own_capability)?,
            shelf_key: record.shelf_key()?,
            identity: identity.fingerprint(),
            minimum: DeviceListRank::default(),
        })
    }
}

/// How far gathering is.
pub(crate) enum Gathered {
    /// There is more to take, or all is there.
    Going,
    /// It cannot go on.
    Failed(FailureReason),
}

/// Asks for the device list (and the card, of a link).
pub(crate) fn fetch_card(inbox: InboxId, secret: CapabilitySecret) -> Step {
    Step::Ask(Ask::Request(Request::CardFetch { inbox, secret }))
}

/// Asks for the next key package that is missing; none: all are there.
pub(crate) fn take_next(
    inbox: InboxId,
    secret: CapabilitySecret,
    packages: &Packages,
) -> Result<Option<Step>, StoreError> {
    let Some(slot) = packages.missing.first() else { return Ok(None) };
    let slot = SlotId::from_slice(&slot[..]).map_err(|_| StoreError::Damaged)?;
    Ok(Some(Step::Ask(Ask::Request(Request::ShelfTake { inbox, secret, slot }))))
}

/// Takes a device list or a key package.
pub(crate) fn take_answer(
    work: &Work<'_>,
    route: &Route,
    packages: &mut Packages,
    answer: Answer,
) -> Result<Gathered, StoreError> {
    let taken = match answer {
        Answer::Card { device_list, .. } => take_list(work, route, packages, &device_list),
        Answer::KeyPackage { package, .. } => take_package(route, packages, &package),
        _ => Err(FailureReason::Refused),
    };
    Ok(match taken {
        Ok(()) => Gathered::Going,
        Err(reason) => Gathered::Failed(reason),
    })
}

fn take_list(
    work: &Work<'_>,
    route: &Route,
    packages: &mut Packages,
    sealed: &[u8],
) -> Result<(), FailureReason> {
    let bytes = route
        .shelf_key
        .open_device_list(&route.inbox, sealed)
        .map_err(|_| FailureReason::IdentityNotProven)?;
    let list = DeviceList::decode(&bytes, &route.identity)
        .map_err(|_| FailureReason::IdentityNotProven)?;
    list.check_fresh(route.minimum, work.now).map_err(|error| match error {
        DeviceListError::Expired | DeviceListError::NotYetValid => FailureReason::NotFresh,
        _ => FailureReason::IdentityNotProven,
    })?;
    if packages.missing.is_empty() && packages.taken.is_empty() {
        packages.missing = list
            .devices()
            .iter()
            .map(|entry| serde_bytes::ByteArray::new(*entry.slot.as_bytes()))
            .collect();
    }
    packages.device_list = serde_bytes::ByteBuf::from(bytes.to_vec());
    packages.listed = true;
    Ok(())
}

/// Opens and verifies a key package: of the identity, of the device whose slot it was on.
fn take_package(
    route: &Route,
    packages: &mut Packages,
    sealed: &[u8],
) -> Result<(), FailureReason> {
    let slot = packages.missing.first().ok_or(FailureReason::Refused)?;
    let slot = SlotId::from_slice(&slot[..]).map_err(|_| FailureReason::Refused)?;
    let bytes = route
        .shelf_key
        .open_package(&route.inbox, &slot, sealed)
        .map_err(|_| FailureReason::IdentityNotProven)?;
    let package = verified(&bytes).ok_or(FailureReason::IdentityNotProven)?;
    let list = DeviceList::decode(&packages.device_list, &route.identity)
        .map_err(|_| FailureReason::IdentityNotProven)?;
    let certificate = package.credential().certificate();
    let listed = list.entry(certificate).is_ok_and(|entry| entry.slot == slot);
    if package.credential().identity() != route.identity || !listed {
        return Err(FailureReason::IdentityNotProven);
    }
    packages.missing.remove(0);
    packages.taken.push(serde_bytes::ByteBuf::from(bytes.to_vec()));
    Ok(())
}

fn verified(bytes: &[u8]) -> Option<VerifiedKeyPackage> {
    UnverifiedKeyPackage::parse(bytes).and_then(|package| package.verify(SUITE)).ok()
}

/// The commit that adds what was gathered.
pub(crate) fn addition(packages: &Packages) -> Change {
    let add: Option<Vec<_>> = packages.taken.iter().map(|bytes| verified(bytes)).collect();
    match add {
        Some(add) if !add.is_empty() => {
            Change::Commit(Box::new(CommitIntent { add, ..CommitIntent::default() }))
        }
        _ => Change::NotAllowed(FailureReason::NoKeyPackage),
    }
}

fn complete(packages: &Packages) -> bool {
    packages.listed && packages.missing.is_empty()
}

/// What adding a person needs next.
pub(crate) fn person_target(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    packages: &Packages,
) -> Result<Target, StoreError> {
    if complete(packages) {
        return groups::channel_target(work, channel);
    }
    Ok(contacts::card(work, person)?.map_or(Target::Nothing, |card| Target::Relay(card.relay)))
}

/// What adding an own device needs next.
pub(crate) fn device_target(
    work: &Work<'_>,
    channel: &ChannelId,
    packages: &Packages,
) -> Result<Target, StoreError> {
    if complete(packages) {
        return groups::channel_target(work, channel);
    }
    Ok(Target::Relay(Route::own(work)?.relay))
}

/// The next step of an addition: gather, then commit.
pub(crate) fn step(
    work: &mut Work<'_>,
    number: IntentNumber,
    desk: &Desk,
    wish: Wish,
) -> Result<Step, StoreError> {
    let (Wish::AddPerson { packages, .. } | Wish::AddDevice { packages, .. }) = &wish else {
        return Ok(Step::Aim);
    };
    if complete(packages) {
        return outbox::send_commit(work, number, desk, &wish);
    }
    let Some(route) = route(work, &wish)? else {
        wish::fail(work, number, FailureReason::NoKeyPackage)?;
        return Ok(Step::Settled);
    };
    if !packages.listed {
        return Ok(fetch_card(route.inbox, route.capability));
    }
    Ok(take_next(route.inbox, route.capability, packages)?.unwrap_or(Step::Aim))
}

fn route(work: &Work<'_>, wish: &Wish) -> Result<Option<Route>, StoreError> {
    match wish {
        Wish::AddPerson { person, .. } => Ok(contacts::card(work, person)?.as_ref().map(Route::of)),
        _ => Route::own(work).map(Some),
    }
}

/// Takes what was asked for an addition.
pub(crate) fn answered(
    work: &mut Work<'_>,
    number: IntentNumber,
    desk: &Desk,
    mut wish: Wish,
    answer: Answer,
) -> Result<Progress, StoreError> {
    if outbox::is_sealed(work, number)? {
        return outbox::appended(work, number, desk, &answer);
    }
    let Some(route) = route(work, &wish)? else { return Ok(Progress::Next) };
    let (Wish::AddPerson { packages, .. } | Wish::AddDevice { packages, .. }) = &mut wish else {
        return Ok(Progress::Next);
    };
    match take_answer(work, &route, packages, answer)? {
        Gathered::Going => {
            work.update_wish(number, wish)?;
            Ok(Progress::Next)
        }
        Gathered::Failed(reason) => {
            wish::fail(work, number, reason)?;
            Ok(Progress::Settled)
        }
    }
}
