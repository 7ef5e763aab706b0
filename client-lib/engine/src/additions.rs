//! Who is to come into a group. Each person and each own device is gathered by a wish of its own,
//! which fails by itself; one commit adds all that are ready (spec: CLI-155).
//!
//! | state of the commit's wish | input | next |
//! |---|---|---|
//! | none | the key packages of somebody are there | waiting |
//! | waiting | nobody's are on their way, or `gather_wait_ms` has passed for all of those | committing |
//! | committing | the commit is in the log | none; waiting, if somebody is ready that it left out |
//! | committing | the rules of the group refuse it | committing with the first half of it; with one alone, that one fails |

use std::collections::BTreeSet;

use hushwire_protocol::{
    group::{
        Allowed, CommitIntent, DEVICES_MAX, Group, GroupKind, PEOPLE_MAX, Right, VerifiedKeyPackage,
    },
    identity::Fingerprint,
};
use hushwire_wire::id::{ChannelId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    command::FailureReason,
    groups::{Change, Present},
    log, outbox, packages,
    record::{Packages, Record, Wish, WishNumber},
    store::{Order, Range, StoreError, Table},
    wish::{self, Desk, Numbered, Step},
    work::Work,
};

/// How long a commit waits for key packages that are on their way, in milliseconds.
pub(crate) const GATHER_WAIT_MS: u64 = 10_000;
/// The most key packages that one commit adds, in bytes: with a path for as many members it fits an
/// entry.
const ADDITION_BYTES_MAX: usize = 16 * 1024 * 1024;

const COMMITTER: &[u8] = b"additions ";

/// The wish that commits what is ready for a group. Key: `additions `, channel id.
#[derive(Serialize, Deserialize)]
struct CommitterRecord {
    wish: WishNumber,
}

impl Record for CommitterRecord {
    const TABLE: Table = Table::Profile;
}

fn committer_key(channel: &ChannelId) -> Vec<u8> {
    [COMMITTER, channel.as_bytes()].concat()
}

/// Wishes to have somebody in a group.
pub(crate) fn wish(work: &mut Work<'_>, wish: Wish) -> Result<(), StoreError> {
    let ready = wish.addition().filter(|packages| packages.are_complete()).and(wish.channel());
    let ready = ready.copied();
    work.wish(wish)?;
    ready.map_or(Ok(()), |channel| self::ready(work, &channel))
}

/// The key packages of somebody are there: they are added together with all whose are.
pub(crate) fn ready(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    if wake(work, channel)? == Waked::Committer {
        return Ok(());
    }
    let wish = work.wish(Wish::CommitAdditions { channel: *channel, most: u32::MAX })?;
    work.tx.save(&committer_key(channel), &CommitterRecord { wish })
}

/// Whether there was somebody to wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waked {
    Committer,
    Nobody,
}

/// Somebody is ready, or is not waited for any more: whoever commits looks again.
pub(crate) fn wake(work: &mut Work<'_>, channel: &ChannelId) -> Result<Waked, StoreError> {
    let Some(record) = work.tx.load::<CommitterRecord>(&committer_key(channel))? else {
        return Ok(Waked::Nobody);
    };
    if wish::load(work, record.wish)?.is_none() {
        return Ok(Waked::Nobody);
    }
    work.effects.wished.push(record.wish);
    Ok(Waked::Committer)
}

/// When the last of those is not waited for any more whose key packages are on their way.
fn gathering_until(work: &Work<'_>, channel: &ChannelId) -> Result<Option<Timestamp>, StoreError> {
    let prefix = gathering_prefix(channel);
    let range =
        Range { prefix: &prefix, from: None, order: Order::Ascending, rows_max: usize::MAX };
    for row in work.tx.rows(Table::Profile, range)? {
        let until = crate::record::number_of(&row.value).ok_or(StoreError::Damaged)?;
        if !clock::is_over(work.now, until, GATHER_WAIT_MS) {
            return Ok(Some(Timestamp(until)));
        }
    }
    Ok(None)
}

/// Which wishes about a channel still gather. Key: this, wish number; value: until when they are
/// waited for.
pub(crate) fn gathering_prefix(channel: &ChannelId) -> Vec<u8> {
    [b"gathering ", &channel.as_bytes()[..]].concat()
}

/// Commits all who are ready, once nobody is waited for.
pub(crate) fn commit(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: &Wish,
) -> Result<Step, StoreError> {
    let Some(channel) = wish.channel() else { return Ok(Step::Aim) };
    if !outbox::is_sealed(work, number)? {
        if let Some(until) = gathering_until(work, channel)? {
            return Ok(Step::Later(until));
        }
        sift(work, channel)?;
    }
    outbox::send_commit(work, number, desk, wish)
}

/// Parts those who can be added from the others, each of whom has a reason.
fn sift(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let group = log::load_group(work, channel)?;
    let me = work.me()?;
    let present = Present::of(&group)?;
    let may_add = group.state().allows(&me, Right::Add);
    let mut room = Room::of(&group, &present);
    for Numbered { number, wish } in wish::of_channel(work, channel)? {
        let Some(packages) = wish.addition().filter(|packages| packages.are_complete()) else {
            continue;
        };
        let devices = packages.taken.len();
        if crate::groups::is_true(work, &group, &present, &wish)? {
            work.settle(number);
        } else if packages::is_superseded(work, &wish)? {
            packages::gather_anew(work, number, wish)?;
        } else if may_add == Allowed::No && matches!(&wish, Wish::AddPerson { .. }) {
            wish::fail(work, number, FailureReason::NoRight)?;
        } else if room.take(&present, &wish, devices) == Taken::None {
            wish::fail(work, number, FailureReason::GroupFull)?;
        }
    }
    Ok(())
}

/// How many more a group takes (spec: GRP-073).
struct Room {
    people: usize,
    devices: usize,
    /// People who are not in it and have their place.
    placed: BTreeSet<Fingerprint>,
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Place,
    None,
}

impl Room {
    fn of(group: &Group, present: &Present) -> Self {
        let people_max = match group.state().kind {
            GroupKind::Group => PEOPLE_MAX,
            GroupKind::Direct | GroupKind::OwnDevices => usize::MAX,
        };
        Self {
            people: people_max.saturating_sub(present.people.len()),
            devices: DEVICES_MAX.saturating_sub(present.leaves),
            placed: BTreeSet::new(),
        }
    }

    /// Takes the place that somebody needs.
    fn take(&mut self, present: &Present, wish: &Wish, devices: usize) -> Taken {
        let person = match wish {
            Wish::AddPerson { person, .. } if !present.people.contains(person) => Some(person),
            _ => None,
        };
        if person.is_some_and(|person| self.placed.contains(person)) {
            return Taken::Place;
        }
        if devices > self.devices || (person.is_some() && self.people == 0) {
            return Taken::None;
        }
        self.devices = self.devices.saturating_sub(devices);
        if let Some(person) = person {
            self.people = self.people.saturating_sub(1);
            self.placed.insert(*person);
        }
        Taken::Place
    }
}

/// The commit that adds those who are ready, the first of them if they are too many for one.
pub(crate) fn change(
    work: &Work<'_>,
    channel: &ChannelId,
    most: u32,
) -> Result<Change, StoreError> {
    let add: Vec<VerifiedKeyPackage> =
        select(work, channel, most)?.into_iter().flat_map(|chosen| chosen.packages).collect();
    if add.is_empty() {
        return Ok(Change::AlreadyTrue);
    }
    Ok(Change::Commit(Box::new(CommitIntent { add, ..CommitIntent::default() })))
}

/// Somebody whom the next commit adds.
struct Chosen {
    number: WishNumber,
    packages: Vec<VerifiedKeyPackage>,
}

fn select(work: &Work<'_>, channel: &ChannelId, most: u32) -> Result<Vec<Chosen>, StoreError> {
    let mut chosen: Vec<Chosen> = Vec::new();
    let mut people = BTreeSet::new();
    let mut room = ADDITION_BYTES_MAX;
    for Numbered { number, wish } in wish::of_channel(work, channel)? {
        let Some(packages) = wish.addition().filter(|packages| packages.are_complete()) else {
            continue;
        };
        // Who is wished for twice is added once; the other wish is true then.
        if let Wish::AddPerson { person, .. } = &wish
            && !people.insert(*person)
        {
            continue;
        }
        let bytes: usize = packages.taken.iter().map(|package| package.len()).sum();
        let full = bytes > room && !chosen.is_empty();
        if full || chosen.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            break;
        }
        room = room.saturating_sub(bytes);
        let packages = packages.taken.iter().filter_map(|bytes| packages::verified(bytes));
        chosen.push(Chosen { number, packages: packages.collect() });
    }
    Ok(chosen)
}

/// The rules of the group refuse a commit that adds all who were chosen: one of them is not as it
/// should be. It is looked for by halves, and fails alone (spec: CLI-156).
pub(crate) fn refused(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    most: u32,
) -> Result<Step, StoreError> {
    let chosen = select(work, channel, most)?;
    let count = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
    let most = match (count, chosen.first()) {
        (0 | 1, Some(only)) => {
            wish::fail(work, only.number, FailureReason::NoRight)?;
            u32::MAX
        }
        _ => count / 2,
    };
    work.update_wish(number, Wish::CommitAdditions { channel: *channel, most: most.max(1) })?;
    Ok(Step::Aim)
}

/// What was to add everybody who is ready will not: each of them is told of.
pub(crate) fn fail_ready(
    work: &mut Work<'_>,
    channel: &ChannelId,
    reason: FailureReason,
) -> Result<(), StoreError> {
    for Numbered { number, wish } in wish::of_channel(work, channel)? {
        if wish.addition().is_some_and(Packages::are_complete) {
            wish::fail(work, number, reason)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::trial::{NOW, with_work};

    const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);

    fn person(byte: u8, packages: Packages) -> Wish {
        let person = Fingerprint::from_bytes([byte; 32]);
        Wish::AddPerson { channel: CHANNEL, person, packages }
    }

    fn gathered() -> Packages {
        let taken = vec![serde_bytes::ByteBuf::from([7; 100])];
        Packages { listed: true, taken, ..Packages::default() }
    }

    /// The wishes to add people, and how many a commit adds at most.
    fn state(work: &Work<'_>) -> (Vec<u8>, Option<u32>) {
        let (mut people, mut at_most) = (Vec::new(), None);
        for Numbered { wish, .. } in wish::of_channel(work, &CHANNEL).unwrap() {
            match wish {
                Wish::AddPerson { person, .. } => people.push(person.as_bytes()[0]),
                Wish::CommitAdditions { most, .. } => at_most = Some(most),
                _ => panic!("nothing else was wished"),
            }
        }
        (people, at_most)
    }

    #[test]
    fn one_whom_the_rules_refuse_is_found_by_halves_and_fails_alone() {
        // spec: CLI-156
        with_work(|work| {
            for byte in 1..=8 {
                wish(work, person(byte, gathered())).unwrap();
            }
            assert_eq!(state(work), ((1..=8).collect(), Some(u32::MAX)));
            let row = work.tx.load::<CommitterRecord>(&committer_key(&CHANNEL)).unwrap().unwrap();
            for most in [4, 2, 1] {
                let (_, before) = state(work);
                refused(work, row.wish, &CHANNEL, before.unwrap()).unwrap();
                assert_eq!(state(work), ((1..=8).collect(), Some(most)));
            }
            refused(work, row.wish, &CHANNEL, 1).unwrap();
            assert_eq!(state(work), ((2..=8).collect(), Some(u32::MAX)));
        });
    }

    #[test]
    fn who_is_ready_waits_for_the_others_for_a_while() {
        // spec: CLI-155
        with_work(|work| {
            wish(work, person(1, gathered())).unwrap();
            assert_eq!(gathering_until(work, &CHANNEL), Ok(None));
            wish(work, person(2, Packages::default())).unwrap();
            let until = NOW.plus_ms(GATHER_WAIT_MS);
            assert_eq!(gathering_until(work, &CHANNEL), Ok(Some(until)));
            work.now = until;
            assert_eq!(gathering_until(work, &CHANNEL), Ok(None));
            work.now = NOW.plus_ms(1);
            let second = wish::of_channel(work, &CHANNEL).unwrap().pop().unwrap();
            work.update_wish(second.number, person(2, gathered())).unwrap();
            assert_eq!(gathering_until(work, &CHANNEL), Ok(None));
        });
    }

    #[test]
    fn a_commit_adds_each_person_once_and_no_more_than_fits_an_entry() {
        // spec: CLI-155
        with_work(|work| {
            let large = || {
                let taken = vec![serde_bytes::ByteBuf::from(vec![7; ADDITION_BYTES_MAX / 3])];
                Packages { taken, ..gathered() }
            };
            for byte in [1, 1, 2, 3, 4] {
                wish(work, person(byte, large())).unwrap();
            }
            wish(work, person(5, Packages::default())).unwrap();
            let chosen = |most| select(work, &CHANNEL, most).unwrap().len();
            assert_eq!((chosen(u32::MAX), chosen(2), chosen(1)), (3, 2, 1));
        });
    }

    #[test]
    fn who_finds_no_place_in_a_group_is_told_apart_from_who_has_one() {
        // spec: GRP-073
        let present = Present {
            people: BTreeSet::from([Fingerprint::from_bytes([9; 32])]),
            devices: BTreeSet::new(),
            leaves: 1,
        };
        let mut room = Room { people: 1, devices: 3, placed: BTreeSet::new() };
        let mut take = |byte, devices| room.take(&present, &person(byte, gathered()), devices);
        assert_eq!(take(1, 4), Taken::None, "too many devices");
        assert_eq!(take(1, 2), Taken::Place);
        assert_eq!(take(1, 2), Taken::Place, "it has its place");
        assert_eq!(take(2, 1), Taken::None, "one person too many");
        assert_eq!(take(9, 1), Taken::Place, "a device of somebody who is there");
        assert_eq!(take(9, 1), Taken::None, "no device more");
    }
}
