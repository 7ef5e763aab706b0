//! Adding a device again that asked for it: what a member does that gets the request.
//!
//! | state | input | what must hold | next | effect |
//! |---|---|---|---|---|
//! | – | request, by the old leaf's key too | below | waiting | the wish, with a wait drawn at random |
//! | – | request, by the device only | below | asked | the person is told |
//! | – | request that names no epoch, of a device without a leaf | a chat that others of its person are in | – | they add it |
//! | – | the same, of an own device in the group of own ones | this device is not about to add it | waiting | the wish, with a wait drawn at random |
//! | asked | the person says yes | the request is not too old | waiting | the wish |
//! | waiting | the wait is over | in doubt, or led and it is left to others (CLI-199, CLI-217) | – | the wish is settled |
//! | waiting | the wait is over | not looked yet since it was asked (CLI-199) | waiting | it looks, for a minute at most |
//! | waiting | the wait is over | the device's list names it, its leaf is as it was | committed | one commit: out and in again |
//! | waiting, committed | its leaf is another one | | – | the wish is settled: somebody was quicker |
//! | committed | the commit was applied | | – | the invitation |
//!
//! What must hold of a request is in [`request`].

mod request;

use hushwire_protocol::{
    group::{CommitIntent, Group, LeafMark, LeafSelector},
    identity::{DeviceId, DeviceList, Fingerprint},
};
use hushwire_wire::{
    id::{ChannelId, Timestamp},
    message::Answer,
};
use serde::{Deserialize, Serialize};

use crate::{
    advance::Moved,
    chats, clock,
    command::{ChatNumber, CommandError, FailureReason},
    contacts, devices,
    event::Event,
    forks::{self, Certainty},
    groups::{self, Change},
    inbox, log, outbox,
    packages::{self, Gathered, REFUSALS_MAX, Route},
    record::{AskedFrom, Packages, Record, Wish, WishNumber},
    store::{StoreError, Table},
    wish::{self, Desk, Progress, Step, Target},
    work::Work,
};
pub(crate) use request::{is_own, take};

/// Span of the wait before a member answers, in milliseconds, so that not all do it at once.
const ANSWER_SPAN_MS: u64 = 10_000;
/// How long an answer waits at most until this device has looked into the epochs that it left, and how
/// often it asks itself, in milliseconds.
const LOOK_MS: u64 = 60 * 1000;
const LOOK_REST_MS: u64 = 1_000;
/// How long nobody is added again after it was, in milliseconds (spec: LNK-091).
const REST_MS: u64 = 10 * 60 * 1000;
/// How old a request may be, in milliseconds: 30 days (spec: LNK-091).
const REQUEST_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// How far ahead of this device's clock a request may be, in milliseconds (spec: LNK-091).
const REQUEST_AHEAD_MS: u64 = 10 * 60 * 1000;
/// Requests of a chat that wait for a person (spec: LNK-092).
const ASKED_MAX: usize = 16;

const PREFIX: &[u8] = b"readmission ";

/// What is known of a device that asked, or was added again. Key: `readmission `, channel, identity,
/// device.
#[derive(Default, Serialize, Deserialize)]
struct ReadmissionRecord {
    /// When the last request that was taken was signed, by its device's clock.
    asked_at_ms: u64,
    /// When this device last read that it was added again.
    done_ms: u64,
    /// A request that waits for a person: its key package,
    waiting: Option<serde_bytes::ByteBuf>,
    /// and where that came from.
    #[serde(default)]
    from: AskedFrom,
    /// When all this means nothing any more.
    until_ms: u64,
}

impl Record for ReadmissionRecord {
    const TABLE: Table = Table::Profile;
}

/// A device in a group.
#[derive(Clone, Copy)]
struct Place {
    channel: ChannelId,
    person: Fingerprint,
    device: DeviceId,
}

impl Place {
    fn key(&self) -> Vec<u8> {
        [PREFIX, self.channel.as_bytes(), self.person.as_ref(), self.device.as_ref()].concat()
    }

    fn record(&self, work: &Work<'_>) -> Result<ReadmissionRecord, StoreError> {
        Ok(work.tx.load(&self.key())?.unwrap_or_default())
    }

    fn save(&self, work: &Work<'_>, record: ReadmissionRecord) -> Result<(), StoreError> {
        let until_ms = work.now.plus_ms(REQUEST_LIFE_MS + REQUEST_AHEAD_MS).0;
        work.tx.save(&self.key(), &ReadmissionRecord { until_ms, ..record })
    }

    /// The mark of the device's leaf, if it has one.
    fn leaf(&self, group: &Group) -> Result<Option<LeafMark>, StoreError> {
        group.leaf_mark(&self.person, &self.device).map_err(log::store_error)
    }
}

/// Wishes to have a device in the group anew, by this key package.
fn wish_for(
    work: &mut Work<'_>,
    place: Place,
    leaf: Option<LeafMark>,
    package: Vec<u8>,
    from: AskedFrom,
    wait_ms: u64,
) -> Result<(), StoreError> {
    for row in wish::of_channel(work, &place.channel)? {
        let same = matches!(&row.wish, Wish::Readmit { person, device, .. }
            if *person == place.person && *device == place.device);
        if same && outbox::is_sealed(work, row.number)? {
            return Ok(());
        }
        if same {
            work.settle(row.number);
        }
    }
    let own = place.person == work.me()?;
    let device_list = if own { inbox::required(work)?.device_list } else { Vec::new() };
    let packages = Packages {
        taken: vec![serde_bytes::ByteBuf::from(package)],
        listed: own,
        device_list: serde_bytes::ByteBuf::from(device_list),
        ..Packages::default()
    };
    work.wish(Wish::Readmit {
        channel: place.channel,
        person: place.person,
        device: place.device,
        leaf: leaf.map(|mark| serde_bytes::ByteArray::new(*mark.as_bytes())),
        packages,
        not_before_ms: work.now.plus_ms(wait_ms).0,
        from,
    })?;
    Ok(())
}

/// A person says that the requests of a member that wait are to be answered.
pub(crate) fn confirm(
    work: &mut Work<'_>,
    chat: ChatNumber,
    member: &str,
) -> Result<(), CommandError> {
    let channel = chats::writable(work, chat)?.channel.ok_or(CommandError::ChatClosed)?;
    let person = Fingerprint::from_hex(member).map_err(|_| CommandError::NoSuchMember)?;
    let group = log::load_group(work, &channel)?;
    let prefix = [PREFIX, channel.as_bytes(), person.as_ref()].concat();
    let mut confirmed = false;
    for mut row in work.tx.list::<ReadmissionRecord>(&prefix, usize::MAX)? {
        let Some(package) = row.record.waiting.take() else { continue };
        let device = row.key.get(prefix.len()..).unwrap_or_default();
        let device = DeviceId::try_from(device).map_err(|_| StoreError::Damaged)?;
        let place = Place { channel, person, device };
        work.tx.save(&row.key, &row.record)?;
        wish_for(work, place, place.leaf(&group)?, package.into_vec(), row.record.from, 0)?;
        confirmed = true;
    }
    if confirmed { Ok(()) } else { Err(CommandError::NothingAsked) }
}

/// How many requests of somebody in a group wait for a person.
pub(crate) fn waiting(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<u32, StoreError> {
    let prefix = [PREFIX, channel.as_bytes(), person.as_ref()].concat();
    let rows = work.tx.list::<ReadmissionRecord>(&prefix, usize::MAX)?;
    let waiting = rows.iter().filter(|row| row.record.waiting.is_some()).count();
    Ok(u32::try_from(waiting).unwrap_or(u32::MAX))
}

/// What a readmission needs next.
pub(crate) fn target(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    packages: &Packages,
) -> Result<Target, StoreError> {
    if packages.listed {
        return groups::channel_target(work, channel);
    }
    Ok(contacts::card(work, person)?.map_or(Target::Nothing, |card| Target::Relay(card.relay)))
}

/// The next step, after the wait (spec: LNK-093): the device list, then the commit.
pub(crate) fn step(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: &Wish,
) -> Result<Step, StoreError> {
    let Wish::Readmit { channel, person, packages, not_before_ms, from, .. } = wish else {
        return Ok(Step::Aim);
    };
    if !clock::is_over(work.now, *not_before_ms, ANSWER_SPAN_MS) {
        return Ok(Step::Later(Timestamp(*not_before_ms)));
    }
    // spec: CLI-199
    let latest_ms = not_before_ms.saturating_add(LOOK_MS);
    match forks::certainty(work, channel, person, *from)? {
        Certainty::Sure => {}
        Certainty::ToLook if clock::is_over(work.now, latest_ms, LOOK_MS) => {}
        Certainty::ToLook => return Ok(Step::Later(work.now.plus_ms(LOOK_REST_MS))),
        Certainty::InDoubt => {
            work.settle(number);
            return Ok(Step::Settled);
        }
    }
    if packages.listed {
        return outbox::send_commit(work, number, desk, wish);
    }
    match contacts::card(work, person)?.as_ref().map(Route::of) {
        Some(route) => Ok(packages::fetch_card(route.inbox, route.capability)),
        None => Ok(Step::Aim),
    }
}

/// Takes the device list, or the relay's word of the commit.
pub(crate) fn answered(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    mut wish: Wish,
    answer: Answer,
) -> Result<Progress, StoreError> {
    if outbox::is_sealed(work, number)? {
        return outbox::appended(work, number, desk, &answer);
    }
    let Wish::Readmit { person, packages, .. } = &mut wish else { return Ok(Progress::Next) };
    let Some(route) = contacts::card(work, person)?.as_ref().map(Route::of) else {
        return Ok(Progress::Next);
    };
    match packages::take_answer(work, &route, packages, answer)? {
        Gathered::Going => {
            work.update_wish(number, wish)?;
            Ok(Progress::Next)
        }
        Gathered::Failed(_) => refused(work, number, wish),
    }
}

/// The inbox of the device's identity gives no list, or none that is good: asked again for a bounded
/// number of times. Another member may do better.
pub(crate) fn refused(
    work: &mut Work<'_>,
    number: WishNumber,
    mut wish: Wish,
) -> Result<Progress, StoreError> {
    let Wish::Readmit { packages, .. } = &mut wish else { return Ok(Progress::Next) };
    if packages.refusals >= REFUSALS_MAX {
        work.settle(number);
        return Ok(Progress::Settled);
    }
    packages.refusals = packages.refusals.saturating_add(1);
    work.update_wish(number, wish)?;
    Ok(Progress::Refused { retry_after_ms: 0 })
}

/// The commit: the old leaf out and the new one in, at once. A device that its identity's list does not
/// name is not added (spec: LNK-090).
pub(crate) fn change(work: &Work<'_>, group: &Group, wish: &Wish) -> Result<Change, StoreError> {
    let Wish::Readmit { channel, person, device, packages, .. } = wish else {
        return Ok(Change::AlreadyTrue);
    };
    let place = Place { channel: *channel, person: *person, device: *device };
    let add: Option<Vec<_>> =
        packages.taken.iter().map(|bytes| packages::verified(bytes)).collect();
    let Some(add) = add.filter(|add| !add.is_empty()) else {
        return Ok(Change::NotAllowed(FailureReason::NoKeyPackage));
    };
    let listed = DeviceList::decode(&packages.device_list, person).is_ok_and(|list| {
        add.iter().all(|package| list.entry(package.credential().certificate()).is_ok())
    });
    if !listed || devices::is_revoked(work, device)? {
        return Ok(Change::AlreadyTrue);
    }
    let remove = match place.leaf(group)? {
        Some(_) => vec![LeafSelector::Device(*person, *device)],
        None => Vec::new(),
    };
    Ok(Change::Commit(Box::new(CommitIntent { add, remove, ..CommitIntent::default() })))
}

/// Whether there is nothing to do any more: the device's leaf is another one than it was when it asked
/// (spec: LNK-093).
pub(crate) fn is_done(group: &Group, wish: &Wish) -> Result<bool, StoreError> {
    let Wish::Readmit { channel, person, device, leaf, .. } = wish else { return Ok(false) };
    let place = Place { channel: *channel, person: *person, device: *device };
    let now = place.leaf(group)?;
    let asked_for = leaf.map(|mark| LeafMark::from_bytes(mark.into_array()));
    Ok(now != asked_for)
}

/// A commit was applied: whom it added again is not added again for a while, and the person is told.
pub(crate) fn note(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: Option<ChatNumber>,
    moved: &Moved,
) -> Result<(), StoreError> {
    for back in &moved.readmitted {
        let place = Place { channel: *channel, person: back.identity(), device: back.device() };
        let record = place.record(work)?;
        let done = ReadmissionRecord { done_ms: work.now.0, waiting: None, ..record };
        place.save(work, done)?;
        if let Some(chat) = chat {
            let member = back.identity().to_hex();
            work.event(Event::MemberReadmitted { chat, member })?;
        }
    }
    Ok(())
}

/// Forgets what means nothing any more.
pub(crate) fn tend(work: &Work<'_>) -> Result<(), StoreError> {
    for row in work.tx.list::<ReadmissionRecord>(PREFIX, usize::MAX)? {
        if row.record.until_ms <= work.now.0 {
            work.tx.remove(Table::Profile, &row.key);
        }
    }
    Ok(())
}

/// Nothing is kept longer than what is noted now, and nothing was done later than now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let latest_ms = work.now.plus_ms(REQUEST_LIFE_MS + REQUEST_AHEAD_MS).0;
    for row in work.tx.list::<ReadmissionRecord>(PREFIX, usize::MAX)? {
        let ReadmissionRecord { done_ms, until_ms, .. } = row.record;
        if done_ms > work.now.0 || until_ms > latest_ms {
            let done_ms = done_ms.min(work.now.0);
            let until_ms = until_ms.min(latest_ms);
            work.tx.save(&row.key, &ReadmissionRecord { done_ms, until_ms, ..row.record })?;
        }
    }
    Ok(())
}
