//! A request to be added again: what must hold of it (spec: LNK-044, LNK-089 to LNK-092).
//!
//! Nothing of it is believed but what its device signed, and nothing is done for a device that is not
//! in the group now. Who has nothing to do about it is silent: another member may.

use hushwire_protocol::{
    group::{Group, Member, UnverifiedKeyPackage},
    identity::{DeviceCredential, Fingerprint},
    invitation::{RejoinEvidence, RejoinRequest},
};

use super::{
    ANSWER_SPAN_MS, ASKED_MAX, PREFIX, Place, REQUEST_AHEAD_MS, REQUEST_LIFE_MS, REST_MS,
    ReadmissionRecord, wish_for,
};
use crate::{
    backoff, contacts, devices,
    event::Event,
    forks, groups,
    inbox::Fault,
    log, own_group,
    packages::SUITE,
    record::{GroupState, PurposeRecord},
    rejoin::NO_EPOCH,
    store::StoreError,
    wish,
    work::Work,
};

/// What is to be done about a request.
enum Answer {
    /// The old leaf's key signed too: the device is added again.
    Automatic,
    /// A person has to confirm.
    ByPerson,
    /// Others are about to add it (spec: IDN-054); or, in the group of own devices, this one lets it in.
    Nothing,
    /// Neither the device nor another one of its identity is in the group.
    Never,
}

/// Who asks, by the epoch that it names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// A device that was in the group, up to an epoch.
    Back,
    /// One that knows of no epoch: it had no invitation (spec: LNK-123, LNK-125).
    NeverIn,
}

impl Asker {
    fn of(request: &RejoinRequest) -> Self {
        match request.terms().epoch == NO_EPOCH {
            true => Self::NeverIn,
            false => Self::Back,
        }
    }
}

/// Takes a request of a device that its person has, whose card is its own.
pub(crate) fn take(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    request: &RejoinRequest,
) -> Result<(), Fault> {
    // spec: LNK-044
    let evidence = request.verify(sender).map_err(|_| Fault::Rejected("REJOIN_NOT_VALID"))?;
    check_package(sender, request)?;
    let terms = request.terms();
    let place =
        Place { channel: terms.channel, person: sender.identity(), device: sender.device() };
    let known = place.record(work)?;
    if !is_timely(work, request, &known)? {
        return Ok(());
    }
    let Some(record) = groups::record(work, &place.channel)? else { return Ok(()) };
    // What the device was never in is none of its groups when its chat goes on elsewhere (spec: IDN-054,
    // CLI-203).
    let asker = Asker::of(request);
    if asker == Asker::NeverIn && record.purpose.is_former() {
        return Ok(());
    }
    // Who is not in the group, or cannot go on in it, leaves it to others.
    if record.state == GroupState::Stuck {
        return Ok(own_group::heard_asking(work, &place.channel, &place.person, &place.device)?);
    }
    if record.state != GroupState::Member {
        return Ok(());
    }
    let group = log::load_group(work, &place.channel)?;
    let members = group.members().map_err(log::store_error)?;
    let known = ReadmissionRecord { asked_at_ms: terms.asked_at.0, ..known };
    let answer = match answer(&place, &members, evidence, asker) {
        Answer::Nothing if lets_in(work, &place, record.purpose)? => Answer::Automatic,
        answer => answer,
    };
    match answer {
        Answer::Automatic => {
            place.save(work, known)?;
            add_again(work, place, &group, request, record.purpose)
        }
        Answer::ByPerson => ask_person(work, place, known, request, record.purpose),
        Answer::Nothing => Ok(()),
        Answer::Never => Err(Fault::Rejected("REJOIN_NOT_A_MEMBER")),
    }
}

/// Whether a device that was never in is let in here: in the group of own devices there is no other way
/// in, and what added it may be lost with an epoch (spec: LNK-090).
fn lets_in(work: &Work<'_>, place: &Place, purpose: PurposeRecord) -> Result<bool, StoreError> {
    let is_own = purpose == PurposeRecord::OwnDevices;
    Ok(is_own && !wish::adds(work, &place.channel, &place.device)?)
}

fn add_again(
    work: &mut Work<'_>,
    place: Place,
    group: &Group,
    request: &RejoinRequest,
    purpose: PurposeRecord,
) -> Result<(), Fault> {
    match Asker::of(request) {
        // It says nothing of where others are (spec: CLI-192).
        Asker::NeverIn if place.person == work.me()? => tell_whose(work, purpose)?,
        Asker::NeverIn => {}
        Asker::Back => forks::sought(work, &place.channel)?,
    }
    answer_soon(work, place, group, request)
}

fn answer_soon(
    work: &mut Work<'_>,
    place: Place,
    group: &Group,
    request: &RejoinRequest,
) -> Result<(), Fault> {
    let from = forks::asked_from(work, &place.channel, &request.terms().epoch)?;
    let wait_ms = backoff::jitter_ms(ANSWER_SPAN_MS, work.rng);
    let leaf = place.leaf(group)?;
    forks::asked(work, &place.channel)?;
    Ok(wish_for(work, place, leaf, request.key_package().to_vec(), from, wait_ms)?)
}

/// The key package is of the device that asks, and says for which group (spec: LNK-089).
fn check_package(sender: &DeviceCredential, request: &RejoinRequest) -> Result<(), Fault> {
    let package = UnverifiedKeyPackage::parse(request.key_package())
        .and_then(|package| package.verify(SUITE))
        .map_err(|_| Fault::Rejected("REJOIN_NOT_VALID"))?;
    let fits = package.credential() == sender && package.rejoins() == Some(request.terms().channel);
    if fits { Ok(()) } else { Err(Fault::Rejected("REJOIN_NOT_VALID")) }
}

/// Whether a request is one to look at now: not one of long ago or of the future, later than the last
/// that was taken, and later than what was done for the device already (spec: LNK-091).
fn is_timely(
    work: &Work<'_>,
    request: &RejoinRequest,
    known: &ReadmissionRecord,
) -> Result<bool, Fault> {
    let asked_at = request.terms().asked_at;
    if asked_at > work.now.plus_ms(REQUEST_AHEAD_MS) {
        return Err(Fault::Rejected("REJOIN_NOT_VALID"));
    }
    let fresh = work.now.ms_since(asked_at) <= REQUEST_LIFE_MS;
    let first = asked_at.0 > known.asked_at_ms;
    let rested = known.done_ms == 0
        || (asked_at.0 > known.done_ms && work.now.0 >= known.done_ms.saturating_add(REST_MS));
    Ok(fresh && first && rested)
}

/// An own device that comes into a direct chat by this one has no card of the contact (spec: LNK-125).
fn tell_whose(work: &mut Work<'_>, purpose: PurposeRecord) -> Result<(), StoreError> {
    let PurposeRecord::Direct { contact, .. } = purpose else { return Ok(()) };
    match contacts::of_number(work, contact)? {
        Some(person) => devices::tell_contact(work, &person),
        None => Ok(()),
    }
}

/// spec: LNK-090
fn answer(place: &Place, members: &[Member], evidence: RejoinEvidence, asker: Asker) -> Answer {
    let of_person = |member: &&Member| member.identity() == place.person;
    let leaf = members.iter().filter(of_person).find(|member| member.device() == place.device);
    match (leaf, evidence) {
        (Some(leaf), RejoinEvidence::OldLeafKey(key)) if leaf.credential.signature_key() == key => {
            Answer::Automatic
        }
        (Some(_), _) => Answer::ByPerson,
        (None, _) if !members.iter().any(|member| of_person(&member)) => Answer::Never,
        (None, _) => match asker {
            Asker::Back => Answer::ByPerson,
            Asker::NeverIn => Answer::Nothing,
        },
    }
}

fn ask_person(
    work: &mut Work<'_>,
    place: Place,
    known: ReadmissionRecord,
    request: &RejoinRequest,
    purpose: PurposeRecord,
) -> Result<(), Fault> {
    // A device that is not in the group of its own was not let in yet, or was revoked.
    let Some(chat) = purpose.chat() else { return Ok(()) };
    let prefix = [PREFIX, place.channel.as_bytes()].concat();
    let rows = work.tx.list::<ReadmissionRecord>(&prefix, usize::MAX)?;
    let own_key = place.key();
    let others = rows.iter().filter(|row| row.record.waiting.is_some() && row.key != own_key);
    // spec: LNK-092
    if others.count() >= ASKED_MAX {
        return Ok(());
    }
    let from = forks::asked_from(work, &place.channel, &request.terms().epoch)?;
    let waiting = Some(serde_bytes::ByteBuf::from(request.key_package().to_vec()));
    place.save(work, ReadmissionRecord { waiting, from, ..known })?;
    Ok(work.event(Event::ReadmissionAsked { chat, member: place.person.to_hex() })?)
}

/// Whether this request was made by this very device: its own inbox brings it back.
pub(crate) fn is_own(work: &Work<'_>, sender: &DeviceCredential) -> Result<bool, StoreError> {
    let me: Fingerprint = work.me()?;
    let device = work.identity()?.ok_or(StoreError::Damaged)?.device;
    Ok(sender.identity() == me && sender.device() == device)
}
