//! Invitations that wait: for their sender to become a contact, for the removal that they follow
//! (spec: LNK-080), or for a group to be read (`unread`). Nothing is joined by them.
//!
//! A person's first card may come a little later than an invitation of theirs: by the direct chat that
//! was begun at the same time, or from another own device (spec: LNK-047).

pub(super) mod row;

use hushwire_protocol::{group::joiner_of, identity::DeviceCredential, invitation::InboxContent};
use hushwire_wire::{id::ChannelId, message::InboxItem};

pub(crate) use self::row::forget_held;
use self::row::{HeldRecord, PREFIX, Room, Stage, until};
use super::Came;
use crate::{
    event::{Event, InvitationRefusal, Warning},
    groups,
    inbox::Fault,
    record::{GroupState, Record, SecretBytes, by_number, credential},
    shelf,
    store::StoreError,
    work::Work,
};

/// The most that are kept.
const HELD_MAX: usize = 16;
/// The most that are kept of those that came by one capability: identities cost nothing.
const HELD_OF_CAPABILITY_MAX: usize = 4;
/// The most of one sender that are kept; their oldest gives way.
const HELD_OF_ONE_MAX: usize = 2;

/// Keeps an invitation, if it is for this device. Nobody drives out those of others: where there is no
/// room left it is the new one that is passed over (spec: LNK-063, LNK-066).
pub(crate) fn hold(
    work: &mut Work<'_>,
    item: &InboxItem,
    sender: &DeviceCredential,
    content: &[u8],
) -> Result<(), StoreError> {
    let Ok(InboxContent::Invitation(invitation)) = InboxContent::decode(content) else {
        return Ok(());
    };
    let Ok(package) = joiner_of(&invitation.secrets) else { return Ok(()) };
    if !shelf::has(work, &package)? || make_room(work, item, sender)? == Room::None {
        return Ok(());
    }
    let record = HeldRecord {
        sender: sender.to_bytes(),
        content: SecretBytes::new(content),
        capability: Some(item.capability),
        until_ms: until(work).0,
        reading: None,
    };
    work.tx.save(&[PREFIX, &by_number(item.sequence.0)].concat(), &record)
}

/// None is kept longer than one that comes now; nor is one of a build before, that noted no end
/// (spec: CLI-137). One that cannot be read is not kept (spec: CLI-147).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let latest_ms = until(work).0;
    for key in work.tx.keys(HeldRecord::TABLE, PREFIX)? {
        match work.tx.load::<HeldRecord>(&key) {
            Ok(Some(record)) if record.until_ms == 0 || record.until_ms > latest_ms => {
                work.tx.save(&key, &HeldRecord { until_ms: latest_ms, ..record })?;
            }
            Ok(_) => {}
            Err(StoreError::Damaged) => forget_held(work, &key)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Forgets what waited too long and, where there is room for one more then, the sender's oldest so that
/// it is not too many of theirs.
fn make_room(
    work: &Work<'_>,
    item: &InboxItem,
    sender: &DeviceCredential,
) -> Result<Room, StoreError> {
    let mut of_sender = Vec::new();
    let mut others = Vec::new();
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if row.record.until_ms <= work.now.0 {
            forget_held(work, &row.key)?;
        } else if row.record.reading.is_some() {
            // They have a room of their own.
        } else if credential(&row.record.sender)?.identity() == sender.identity() {
            of_sender.push(row);
        } else {
            others.push(row);
        }
    }
    let surplus = (of_sender.len() + 1).saturating_sub(HELD_OF_ONE_MAX);
    let kept = of_sender.iter().skip(surplus).chain(&others);
    let of_capability =
        kept.clone().filter(|row| row.record.capability == Some(item.capability)).count();
    if of_capability >= HELD_OF_CAPABILITY_MAX || kept.count() >= HELD_MAX {
        return Ok(Room::None);
    }
    for oldest in of_sender.iter().take(surplus) {
        forget_held(work, &oldest.key)?;
    }
    Ok(Room::Made)
}

/// Keys of the invitations that wait and are to be looked at, oldest first.
pub(crate) fn held(work: &Work<'_>) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut keys = Vec::new();
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if !waits(work, &row.record)? {
            keys.push(row.key);
        }
    }
    Ok(keys)
}

/// Whether it is known already that one has to wait: nothing was read since it was looked at. Where this
/// device is not in that group any more, something else decides.
fn waits(work: &Work<'_>, record: &HeldRecord) -> Result<bool, StoreError> {
    let Some(reading) = record.reading.filter(|reading| reading.stage == Stage::Unread) else {
        return Ok(false);
    };
    let group = groups::record(work, &reading.channel)?;
    let leads_on = reading.word.is_some();
    Ok(group.is_some_and(|group| {
        group.state == GroupState::Member || (leads_on && group.state == GroupState::Stuck)
    }))
}

/// Judges an invitation that waits again, from the beginning.
pub(crate) fn take_held(work: &mut Work<'_>, key: &[u8]) -> Result<(), Fault> {
    let Some(record) = work.tx.load::<HeldRecord>(key)? else { return Ok(()) };
    let sender = credential(&record.sender)?;
    forget_held(work, key)?;
    // spec: LNK-066, CLI-187
    if record.until_ms <= work.now.0 {
        return Ok(());
    }
    let until_ms = Some(record.until_ms);
    let read = record.reading.is_some_and(|reading| reading.stage == Stage::Read);
    let came = Came { by: record.capability.as_ref(), read, until_ms };
    super::take(work, &sender, record.content.expose(), came)
}

/// An invitation that waited cannot be followed: it is passed over, and the person told.
pub(crate) fn reject_held(
    work: &mut Work<'_>,
    key: &[u8],
    code: &'static str,
) -> Result<(), StoreError> {
    forget_held(work, key)?;
    work.event(Event::Warning(Warning::ItemRejected { code: code.to_owned() }))
}

/// An invitation that waited is not followed.
pub(crate) fn refuse_held(
    work: &mut Work<'_>,
    key: &[u8],
    reason: InvitationRefusal,
) -> Result<(), StoreError> {
    forget_held(work, key)?;
    work.event(Event::Warning(Warning::InvitationRefused { reason }))
}

/// Forgets the invitations to a group that wait: its person left it.
pub(crate) fn forget_held_of(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        let content = InboxContent::decode(row.record.content.expose());
        if matches!(content, Ok(InboxContent::Invitation(to)) if to.group.channel == *channel) {
            forget_held(work, &row.key)?;
        }
    }
    super::waiting::forget_of(work, channel)
}

#[cfg(test)]
mod tests {
    use hushwire_protocol::identity::{
        DeviceId, DeviceKey, DeviceSerial, ManagerCounter, ManagerKey, RecoveryPhrase, RootKey,
    };
    use hushwire_wire::id::CapabilityId;

    use super::{
        super::unread::{Unread, still_unread, unread_words},
        row::{HELD_LIFE_MS, Reading, Word, until_of},
        *,
    };
    use crate::{
        clock,
        record::{Wish, WishRecord},
        work::trial::{NOW, with_profile, with_work},
    };

    fn somebody(work: &mut Work<'_>) -> DeviceCredential {
        let root = RootKey::from_phrase(&RecoveryPhrase::generate(work.rng));
        let manager = ManagerKey::generate(work.rng);
        let statement = root.state_manager(manager.public(), ManagerCounter(1));
        let key = DeviceKey::generate(work.rng).public();
        let device = DeviceId::generate(work.rng);
        let certificate = manager.certify(&statement, device, key, DeviceSerial(1));
        DeviceCredential::new(statement, certificate).unwrap()
    }

    /// Holds one of this sender at this place, that came by this capability.
    fn keep(work: &Work<'_>, place: u64, sender: &DeviceCredential, by: u8, until_ms: u64) {
        let record = HeldRecord {
            sender: sender.to_bytes(),
            content: SecretBytes::new(b"invitation"),
            capability: Some(CapabilityId::from_bytes([by; 32])),
            until_ms,
            reading: None,
        };
        work.tx.save(&[PREFIX, &by_number(place)].concat(), &record).unwrap();
    }

    fn ends(work: &Work<'_>) -> Vec<u64> {
        let rows = work.tx.list::<HeldRecord>(PREFIX, usize::MAX).unwrap();
        rows.into_iter().map(|row| row.record.until_ms).collect()
    }

    #[test]
    fn what_came_by_a_clock_that_was_ahead_or_in_a_build_before_is_kept_for_its_time() {
        // spec: CLI-137
        with_work(|work| {
            let eve = somebody(work);
            let (soon, far) = (NOW.plus_ms(1).0, NOW.plus_ms(10 * HELD_LIFE_MS).0);
            for (place, until_ms) in (1..).zip([0, soon, far]) {
                keep(work, place, &eve, 1, until_ms);
            }
            clock::cut_times(work).unwrap();
            let life = NOW.plus_ms(HELD_LIFE_MS).0;
            assert_eq!(ends(work), [life, soon, life]);
            // Of a wish to join that noted none, likewise.
            assert_eq!([None, Some(0)].map(|before| until_of(work, before)), [life; 2]);
        });
    }

    #[test]
    fn what_has_waited_for_its_time_is_not_judged_again() {
        // spec: LNK-066, CLI-187
        with_work(|work| {
            let eve = somebody(work);
            keep(work, 1, &eve, 1, NOW.0);
            keep(work, 2, &eve, 1, NOW.plus_ms(1).0);
            let key = |place| [PREFIX, &by_number(place)].concat();
            assert!(take_held(work, &key(1)).is_ok());
            assert_eq!(ends(work), [NOW.plus_ms(1).0]);
            // The other one is looked at, and is nothing.
            assert!(matches!(take_held(work, &key(2)), Err(Fault::Rejected(_))));
        });
    }

    #[test]
    fn nothing_gives_way_to_one_that_is_passed_over() {
        // spec: LNK-063, LNK-066
        with_work(|work| {
            let [eve, carol, dave] = [(), (), ()].map(|()| somebody(work));
            let later = NOW.plus_ms(HELD_LIFE_MS).0;
            for (place, (sender, by)) in
                (1..).zip([(&eve, 2), (&eve, 2), (&carol, 1), (&carol, 1), (&dave, 1), (&dave, 1)])
            {
                keep(work, place, sender, by, later + place);
            }
            let came_by = |by| InboxItem {
                sequence: hushwire_wire::id::Sequence(7),
                capability: CapabilityId::from_bytes([by; 32]),
                item: bytes::Bytes::new(),
                stored_at: NOW,
            };
            // There is no room for another by this capability.
            assert_eq!(make_room(work, &came_by(1), &eve), Ok(Room::None));
            assert_eq!(ends(work).len(), 6);
            // By the other there is, and in the sender's own place.
            assert_eq!(make_room(work, &came_by(2), &eve), Ok(Room::Made));
            assert_eq!(ends(work), [2, 3, 4, 5, 6].map(|place| later + place));
        });
    }

    /// Holds one of this sender that waits for another group to be read.
    fn keep_unread(work: &Work<'_>, number: u64, sender: &DeviceCredential, until_ms: u64) {
        let channel = ChannelId::from_bytes([1; 32]);
        let record = HeldRecord {
            sender: sender.to_bytes(),
            content: SecretBytes::new(b"invitation"),
            capability: None,
            until_ms,
            reading: Some(Reading { channel, word: None, stage: Stage::Unread }),
        };
        work.tx.save(&[PREFIX, b"unread", &by_number(number)].concat(), &record).unwrap();
    }

    #[test]
    fn of_one_that_waited_for_its_sender_and_then_for_a_reading_the_person_is_told_once() {
        // spec: CLI-187, CLI-188
        with_profile(|work, channel| {
            let bob = somebody(work);
            keep(work, 1, &bob, 1, until(work).0);
            let [key] = held(work).unwrap().try_into().unwrap();
            let word = Word { chat: crate::command::ChatNumber(7), by: bob.identity() };
            let unread = Unread { channel: *channel, word: Some(word) };
            for _ in 0..2 {
                still_unread(work, &key, &unread).unwrap();
                let words = unread_words(work, word.chat).unwrap();
                assert!(words.contains(&word.by), "the person may follow");
                let mut wishes = work.tx.list::<WishRecord>(&[], usize::MAX).unwrap();
                wishes.retain(|row| matches!(row.record.wish, Wish::TellSuccessor { .. }));
                assert_eq!(wishes.len(), 1);
            }
        });
    }

    #[test]
    fn nobody_keeps_out_what_waits_of_others_by_many_of_their_own() {
        // spec: CLI-187
        with_profile(|work, _| {
            let room = |work: &Work<'_>, who| super::super::unread::make_room(work, who).unwrap();
            let later = NOW.plus_ms(HELD_LIFE_MS).0;
            let eves = [(), (), (), ()].map(|()| somebody(work));
            for number in 0..64 {
                let eve = &eves[usize::try_from(number % 4).unwrap()];
                keep_unread(work, number, eve, later + number);
            }
            let bob = somebody(work);
            assert_eq!(room(work, &bob), Room::Made);
            assert_eq!(ends(work).len(), 63);
            // One of too many gives way to the next of the same.
            assert_eq!(room(work, &eves[1]), Room::Made);
            // What is over is in nobody's way.
            keep_unread(work, 100, &bob, NOW.0);
            assert_eq!(room(work, &bob), Room::Made);
            assert!(ends(work).iter().all(|until_ms| *until_ms > NOW.0));
            // Where everybody has one nothing gives way.
            for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX).unwrap() {
                forget_held(work, &row.key).unwrap();
            }
            for number in 0..64 {
                let one = somebody(work);
                keep_unread(work, number, &one, later);
            }
            assert_eq!(room(work, &bob), Room::None);
        });
    }

    #[test]
    fn what_waited_for_its_sender_takes_a_place_of_those_that_wait_for_a_reading() {
        // spec: CLI-187
        with_profile(|work, channel| {
            let later = NOW.plus_ms(HELD_LIFE_MS).0;
            let [eve, bob, carol] = [(), (), ()].map(|()| somebody(work));
            let unread = Unread { channel: *channel, word: None };
            let mut places = 0;
            let mut come = |work: &mut Work<'_>, sender: &DeviceCredential| {
                places += 1;
                keep(work, places, sender, 1, later);
                let key = [PREFIX, &by_number(places)].concat();
                still_unread(work, &key, &unread).unwrap();
                work.tx.load::<HeldRecord>(&key).unwrap().is_some()
            };
            for number in 0..64 {
                let one = if number < 2 { eve.clone() } else { somebody(work) };
                keep_unread(work, number, &one, later + number);
            }
            // Of two of one sender the older one gives way, and then nothing.
            assert!(come(work, &bob));
            assert_eq!(ends(work).len(), 64);
            assert!(!come(work, &carol), "each has one");
            assert_eq!(ends(work).len(), 64);
            // What waits so is looked at again in its own place.
            let key = [PREFIX, &by_number(1)].concat();
            still_unread(work, &key, &unread).unwrap();
            assert!(work.tx.load::<HeldRecord>(&key).unwrap().is_some());
            assert_eq!(ends(work).len(), 64);
        });
    }
}
