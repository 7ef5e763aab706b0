//! Key packages: making our own, and gathering those of people and devices that are to be added.
//!
//! Gathering takes one step for the device list and one for each device in it. What was gathered
//! stays with the wish, so a lost race for a commit costs no second package.

use hushwire_protocol::{
    address::RelayAddress,
    card::ShelfKey,
    group::{KeyPackageUse, OwnKeyPackage, UnverifiedKeyPackage, VerifiedKeyPackage},
    identity::{DeviceList, DeviceListRank, Fingerprint, device_list::DeviceListError},
    invitation::ContactCard,
    provider::Suite,
};
use hushwire_wire::{
    id::{CapabilitySecret, ChannelId, InboxId},
    message::{Answer, PackageKind, Request},
};

use crate::{
    additions, backoff,
    command::FailureReason,
    contacts, direct, inbox, invitations, log, profile,
    record::{Packages, Wish, WishNumber},
    session::CLOCK_OFF_MS,
    store::StoreError,
    wish::{self, Ask, Desk, Progress, Step, Target},
    work::Work,
};

/// The suite of every group of version 1 that this client forms.
pub(crate) const SUITE: Suite = Suite::Hybrid;

/// How often a person's inbox may refuse before a wish fails; with the wait between attempts, that is
/// a quarter of an hour (spec: IDN-060).
pub(crate) const REFUSALS_MAX: u8 = 20;
/// Makes a key package of this device and stores its private part.
pub(crate) fn generate(
    work: &mut Work<'_>,
    kind: PackageKind,
) -> Result<OwnKeyPackage, StoreError> {
    let device = profile::device(work)?;
    let usage = match kind {
        PackageKind::Single => KeyPackageUse::Once,
        PackageKind::LastResort => KeyPackageUse::LastResort,
    };
    let provider = work.provider();
    OwnKeyPackage::generate(&provider, &device.key, &device.credential, SUITE, usage)
        .map_err(log::store_error)
}

/// Makes a key package by which this device asks to be added again to the group of a channel.
pub(crate) fn generate_rejoin(
    work: &mut Work<'_>,
    channel: &ChannelId,
) -> Result<OwnKeyPackage, StoreError> {
    let device = profile::device(work)?;
    let usage = KeyPackageUse::Rejoin(*channel);
    let provider = work.provider();
    OwnKeyPackage::generate(&provider, &device.key, &device.credential, SUITE, usage)
        .map_err(log::store_error)
}

/// How to get at the key packages of an identity.
pub(crate) struct Route {
    pub(crate) relay: RelayAddress,
    pub(crate) inbox: InboxId,
    pub(crate) capability: CapabilitySecret,
    pub(crate) shelf_key: ShelfKey,
    /// Those before it, of the own inbox (spec: IDN-086).
    pub(crate) earlier_shelf_keys: Vec<ShelfKey>,
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
            earlier_shelf_keys: Vec::new(),
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
            earlier_shelf_keys: record.earlier_shelf_keys(work.now)?,
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
) -> Option<Step> {
    let slot = *packages.missing.first()?;
    Some(Step::Ask(Ask::Request(Request::ShelfTake { inbox, secret, slot })))
}

/// Blames this device's clock for a list that is not fresh, if the relay's is far from it. The
/// relay's clock decides nothing else (spec: CLI-108).
pub(crate) const fn whose_clock(desk: &Desk, reason: FailureReason) -> FailureReason {
    match reason {
        FailureReason::NotFresh if desk.clock_off_ms > CLOCK_OFF_MS => FailureReason::ClockWrong,
        reason => reason,
    }
}

/// Takes a device list or a key package.
pub(crate) fn take_answer(
    work: &Work<'_>,
    route: &Route,
    packages: &mut Packages,
    answer: Answer,
) -> Result<Gathered, StoreError> {
    let taken = match answer {
        Answer::Card { device_list, .. } => {
            let minimum = route.minimum.max(contacts::seen_list(work, &route.identity)?);
            match take_list(work, route, minimum, packages, &device_list) {
                Ok(rank) => {
                    contacts::note_list(work, &route.identity, rank)?;
                    Ok(())
                }
                Err(reason) => Err(reason),
            }
        }
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
    minimum: DeviceListRank,
    packages: &mut Packages,
    sealed: &[u8],
) -> Result<DeviceListRank, FailureReason> {
    let bytes = route
        .shelf_key
        .open_device_list(&route.inbox, sealed)
        .map_err(|_| FailureReason::IdentityNotProven)?;
    let list = DeviceList::decode(&bytes, &route.identity)
        .map_err(|_| FailureReason::IdentityNotProven)?;
    list.check_fresh(minimum, work.now).map_err(|error| match error {
        DeviceListError::Expired | DeviceListError::NotYetValid => FailureReason::NotFresh,
        _ => FailureReason::IdentityNotProven,
    })?;
    if packages.missing.is_empty() && packages.taken.is_empty() {
        packages.missing = list.devices().iter().map(|entry| entry.slot).collect();
    }
    packages.device_list = serde_bytes::ByteBuf::from(bytes.to_vec());
    packages.listed = true;
    Ok(list.rank())
}

/// Opens and verifies a key package: of the identity, of the device whose slot it was on.
fn take_package(
    route: &Route,
    packages: &mut Packages,
    sealed: &[u8],
) -> Result<(), FailureReason> {
    let slot = *packages.missing.first().ok_or(FailureReason::Refused)?;
    let mut keys = [&route.shelf_key].into_iter().chain(route.earlier_shelf_keys.iter().rev());
    let bytes = keys
        .find_map(|key| key.open_package(&route.inbox, &slot, sealed).ok())
        .ok_or(FailureReason::IdentityNotProven)?;
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

/// A key package that was taken, or is to be.
pub(crate) fn verified(bytes: &[u8]) -> Option<VerifiedKeyPackage> {
    UnverifiedKeyPackage::parse(bytes).and_then(|package| package.verify(SUITE)).ok()
}

/// Wishes to have a person in a group.
pub(crate) fn wish_person(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<(), StoreError> {
    let packages = Packages::default();
    additions::wish(work, Wish::AddPerson { channel: *channel, person: *person, packages })
}

/// What adding a person needs next.
pub(crate) fn person_target(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    packages: &Packages,
) -> Result<Target, StoreError> {
    if packages.are_complete() {
        return Ok(Target::Nothing);
    }
    if direct::is_opening(work, channel, person)? {
        return Ok(Target::Nothing);
    }
    let card = invitations::card_of(work, Some(channel), person)?;
    Ok(card.map_or(Target::Nothing, |card| Target::Relay(card.relay)))
}

/// What adding an own device needs next.
pub(crate) fn device_target(work: &Work<'_>, packages: &Packages) -> Result<Target, StoreError> {
    if packages.are_complete() {
        return Ok(Target::Nothing);
    }
    Ok(Target::Relay(Route::own(work)?.relay))
}

/// What a person's inbox gives is refused, or the inbox refuses: this device may know only keys and
/// devices that are over, of which a card will tell. What was gathered is dropped, and gathered anew,
/// for a bounded number of times (spec: IDN-060).
pub(crate) fn refused(
    work: &mut Work<'_>,
    number: WishNumber,
    mut wish: Wish,
    reason: FailureReason,
) -> Result<Progress, StoreError> {
    let (Wish::AddPerson { packages, .. } | Wish::AddDevice { packages, .. }) = &mut wish else {
        return Ok(Progress::Next);
    };
    if packages.refusals >= REFUSALS_MAX {
        wish::fail(work, number, reason)?;
        return Ok(Progress::Settled);
    }
    packages.refusals = packages.refusals.saturating_add(1);
    let refused = Progress::Refused { retry_after_ms: refused_rest_ms(packages) };
    if let Wish::AddPerson { .. } = &wish {
        gather_anew(work, number, wish)?;
        return Ok(refused);
    }
    work.update_wish(number, wish)?;
    Ok(refused)
}

/// How long a person's inbox is left alone after a refusal, in milliseconds. It grows whatever the relay
/// grants between two of them (spec: IDN-060).
pub(crate) fn refused_rest_ms(packages: &Packages) -> u64 {
    backoff::span_ms(packages.refusals.into())
}

/// The shelf of a person's device is empty: that device has not come yet, or never will. It is passed
/// over if another one is there, and its own siblings bring it in later; else the list is asked for
/// anew, which may be another one by then (spec: CLI-183).
pub(crate) fn shelf_empty(
    work: &mut Work<'_>,
    number: WishNumber,
    mut wish: Wish,
    retry_after_ms: u64,
) -> Result<Progress, StoreError> {
    let (Wish::AddPerson { packages, .. } | Wish::ReachContact { packages, .. }) = &mut wish else {
        return Ok(Progress::Refused { retry_after_ms });
    };
    if !packages.missing.is_empty() {
        packages.missing.remove(0);
    }
    if !(packages.missing.is_empty() && packages.taken.is_empty()) {
        return gathered(work, number, wish);
    }
    *packages = Packages { refusals: packages.refusals, ..Packages::default() };
    if let Wish::ReachContact { card, .. } = &mut wish {
        *card = None;
    }
    work.update_wish(number, wish)?;
    Ok(Progress::Refused { retry_after_ms })
}

/// Something of an addition is there: perhaps it is the last.
fn gathered(work: &mut Work<'_>, number: WishNumber, wish: Wish) -> Result<Progress, StoreError> {
    let complete = wish.addition().is_some_and(Packages::are_complete);
    let channel = wish.channel().copied().filter(|_| complete);
    work.update_wish(number, wish)?;
    if let Some(channel) = channel {
        additions::ready(work, &channel)?;
    }
    Ok(Progress::Next)
}

/// Drops what was gathered of a person, to gather it again.
pub(crate) fn gather_anew(
    work: &mut Work<'_>,
    number: WishNumber,
    mut wish: Wish,
) -> Result<(), StoreError> {
    if let Wish::AddPerson { packages, .. } = &mut wish {
        *packages = Packages { refusals: packages.refusals, ..Packages::default() };
    }
    work.update_wish(number, wish)?;
    work.effects.wished.push(number);
    Ok(())
}

/// Whether what was gathered stands in a list below what the person's card says by now
/// (spec: IDN-033).
pub(crate) fn is_superseded(work: &Work<'_>, wish: &Wish) -> Result<bool, StoreError> {
    let Wish::AddPerson { channel, person, packages } = wish else { return Ok(false) };
    let card = invitations::card_of(work, Some(channel), person)?;
    let Some(card) = card.filter(|_| packages.listed) else { return Ok(false) };
    let list = DeviceList::decode(&packages.device_list, person);
    Ok(list.is_ok_and(|list| list.rank() < card.device_list_minimum))
}

/// The next step of an addition: to gather what is missing.
pub(crate) fn step(
    work: &mut Work<'_>,
    number: WishNumber,
    wish: Wish,
) -> Result<Step, StoreError> {
    if is_superseded(work, &wish)? {
        gather_anew(work, number, wish)?;
        return Ok(Step::Aim);
    }
    let Some(packages) = wish.addition().filter(|packages| !packages.are_complete()) else {
        return Ok(Step::Aim);
    };
    let Some(route) = route(work, &wish)? else {
        wish::fail(work, number, FailureReason::NoKeyPackage)?;
        return Ok(Step::Settled);
    };
    if !packages.listed {
        return Ok(fetch_card(route.inbox, route.capability));
    }
    Ok(take_next(route.inbox, route.capability, packages).unwrap_or(Step::Aim))
}

fn route(work: &Work<'_>, wish: &Wish) -> Result<Option<Route>, StoreError> {
    match wish {
        Wish::AddPerson { channel, person, .. } => {
            let card = invitations::card_of(work, Some(channel), person)?;
            Ok(card.as_ref().map(Route::of))
        }
        _ => Route::own(work).map(Some),
    }
}

/// Takes what was asked for an addition.
pub(crate) fn answered(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    mut wish: Wish,
    answer: Answer,
) -> Result<Progress, StoreError> {
    let Some(route) = route(work, &wish)? else { return Ok(Progress::Next) };
    let (Wish::AddPerson { packages, .. } | Wish::AddDevice { packages, .. }) = &mut wish else {
        return Ok(Progress::Next);
    };
    match take_answer(work, &route, packages, answer)? {
        Gathered::Going => gathered(work, number, wish),
        Gathered::Failed(FailureReason::IdentityNotProven) => {
            refused(work, number, wish, FailureReason::IdentityNotProven)
        }
        Gathered::Failed(reason) => {
            wish::fail(work, number, whose_clock(desk, reason))?;
            Ok(Progress::Settled)
        }
    }
}

#[cfg(test)]
mod tests {
    use hushwire_protocol::identity::{
        DeviceListVersion, ManagerStatement, device_list::DeviceListTerms,
    };
    use hushwire_protocol::identity::{ManagerCounter, ManagerKey, RootKey};
    use hushwire_wire::id::Timestamp;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::work::trial::with_work;

    fn list(
        manager: &ManagerKey,
        statement: &ManagerStatement,
        version: u64,
        shelf_key: &ShelfKey,
        rng: &mut ChaCha20Rng,
    ) -> Answer {
        let terms = DeviceListTerms {
            version: DeviceListVersion(version),
            issued_at: Timestamp(0),
            expires_at: Timestamp(1_000),
            devices: Vec::new(),
        };
        let list = manager.list_devices(statement, terms).unwrap().to_bytes();
        let inbox = InboxId::from_bytes([5; 16]);
        let sealed = shelf_key.seal_device_list(&inbox, &list, rng).unwrap();
        Answer::Card { card: bytes::Bytes::new(), device_list: sealed.into() }
    }

    #[test]
    fn a_device_list_below_one_that_was_seen_is_refused() {
        // spec: IDN-033
        with_work(|work| {
            work.now = Timestamp(1);
            let mut sealing = ChaCha20Rng::seed_from_u64(1);
            let manager = ManagerKey::from_bytes(&[7; 32]);
            let statement =
                RootKey::from_bytes(&[7; 32]).state_manager(manager.public(), ManagerCounter(1));
            let person = statement.identity();
            contacts::ensure(work, &person, None).unwrap();
            let shelf_key = ShelfKey::from_bytes([9; 32]);
            let host = hushwire_protocol::address::Host::parse("a.org").unwrap();
            let relay = hushwire_wire::id::RelayId::from_bytes([1; 32]);
            let route = Route {
                relay: RelayAddress::new(host, 1, relay).unwrap(),
                inbox: InboxId::from_bytes([5; 16]),
                capability: CapabilitySecret::from_bytes([6; 32]),
                shelf_key: shelf_key.share(),
                earlier_shelf_keys: Vec::new(),
                identity: person,
                minimum: DeviceListRank::default(),
            };
            for (version, taken) in [(2, true), (1, false), (2, true), (3, true), (2, false)] {
                let answer = list(&manager, &statement, version, &shelf_key, &mut sealing);
                let mut packages = Packages::default();
                let gathered = take_answer(work, &route, &mut packages, answer).unwrap();
                assert_eq!(matches!(gathered, Gathered::Going), taken, "{version}");
                assert_eq!(packages.listed, taken);
            }
        });
    }
}
