//! The inbox's keys, as own devices tell them to each other: which of several are the newer
//! (spec: IDN-073).
//!
//! | told | drawn here and untold | effect |
//! |---|---|---|
//! | newer | no | taken |
//! | newer | yes | taken, and drawn anew on top of them |
//! | those that this device has | no | they count as told |
//! | those that it drew on top of | yes | what was drawn goes on |
//! | others, also by a device that was revoked | any | passed over; their owner key is one to try when the inbox is denied |
//! | of a generation beyond the step | any | passed over |

use core::cmp::Reverse;

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    door::OwnerKeySeed,
    identity::DeviceId,
    own_devices::{InboxGeneration, InboxKeys},
};
use hushwire_wire::{SigningKey, id::PublicKey, transcript};

use crate::{
    capabilities, contacts, control, devices, inbox, links,
    record::{InboxRecord, SecretBytes},
    refreshing,
    revoking::{self, Replaced},
    store::StoreError,
    work::Work,
};

/// How far above the highest generation that is known one that is told may be.
const GENERATION_STEP_MAX: u64 = 1_024;

/// Of two sets of keys that were told, the newer one is the greater (spec: IDN-073).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    generation: u64,
    owner: Reverse<PublicKey>,
}

impl InboxRecord {
    /// That of the keys that were told last.
    fn told_rank(&self) -> Option<Rank> {
        let rank = |owner| Rank { generation: self.generation, owner: Reverse(owner) };
        self.told_owner.map(rank)
    }

    /// The highest generation that any own device has told, as far as this one knows.
    fn highest_generation(&self) -> u64 {
        self.generation.max(self.generation_seen)
    }

    /// Whether keys were drawn here since any were told.
    pub(crate) fn has_drawn(&self) -> Result<bool, StoreError> {
        match self.told_owner {
            Some(told) => Ok(public(self.coming_owner_key())? != told),
            None => Ok(self.keys_untold),
        }
    }

    /// The generation with which this device's keys are told, or granted.
    pub(crate) fn telling(&self) -> Result<InboxGeneration, StoreError> {
        Ok(InboxGeneration(match self.has_drawn()? {
            true => self.highest_generation().saturating_add(1),
            false => self.generation,
        }))
    }
}

/// Tells the remaining own devices the new keys: once the relay has taken them, so that they hear of
/// those that count, and once the revoked device is out of their group (spec: IDN-058).
pub(crate) fn tell(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    if !record.keys_untold || record.next_owner_key.is_some() || devices::has_unlisted(work)? {
        return Ok(());
    }
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    // spec: IDN-076
    if refreshing::waits(work, &own_group)? {
        return Ok(());
    }
    let keys = of(&record)?;
    record.keys_untold = false;
    record.generation = keys.generation.0;
    record.told_owner = Some(record.public_owner_key()?);
    work.tx.save(InboxRecord::KEY, &record)?;
    let payload = keys.to_payload().to_vec();
    let rotated = ControlEntry { kind: ControlKind::InboxKeysRotated, payload };
    let listed = ControlEntry { kind: ControlKind::DevicesListed, payload: record.device_list };
    control::send(work, &own_group, vec![rotated, listed])?;
    refreshing::check_done(work)
}

/// Tells who came into the own group the inbox's keys: new ones, or what was told last again, so that what it
/// draws later is behind that (spec: IDN-055).
pub(crate) fn tell_again(work: &mut Work<'_>) -> Result<(), StoreError> {
    let record = inbox::required(work)?;
    if record.keys_untold {
        return tell(work);
    }
    if record.next_owner_key.is_some() || devices::has_unlisted(work)? {
        return Ok(());
    }
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    let payload = of(&record)?.to_payload().to_vec();
    let entry = ControlEntry { kind: ControlKind::InboxKeysRotated, payload };
    control::send(work, &own_group, vec![entry])
}

/// The generation of the keys that are granted now: what is drawn from then on is newer (spec: IDN-073).
pub(crate) fn grant(work: &Work<'_>) -> Result<InboxGeneration, StoreError> {
    let mut record = inbox::required(work)?;
    let granted = record.telling()?;
    record.generation_seen = record.generation_seen.max(granted.0);
    work.tx.save(InboxRecord::KEY, &record)?;
    Ok(granted)
}

fn of(record: &InboxRecord) -> Result<InboxKeys, StoreError> {
    Ok(InboxKeys {
        generation: record.telling()?,
        owner: record.owner_key.array().map(OwnerKeySeed::from_bytes).ok_or(StoreError::Damaged)?,
        inbox_key: record.inbox_key()?,
        shelf_key: record.shelf_key()?,
        capability: inbox::capability(&record.own_capability)?,
    })
}

fn public(owner: &SecretBytes) -> Result<PublicKey, StoreError> {
    let seed = owner.array().ok_or(StoreError::Damaged)?;
    Ok(transcript::public_key(&SigningKey::from_bytes(&seed)))
}

/// Takes keys that another own device tells, if they are the newer ones. If this device was about to tell
/// what it drew, it was too late: that counts nothing, and it draws anew (spec: IDN-063).
pub(crate) fn take(work: &mut Work<'_>, from: &DeviceId, payload: &[u8]) -> Result<(), StoreError> {
    let Ok(told) = InboxKeys::of_payload(payload) else { return Ok(()) };
    let mut record = inbox::required(work)?;
    let generation = told.generation.0;
    let is_far = generation > record.highest_generation().saturating_add(GENERATION_STEP_MAX);
    if is_far {
        return Ok(());
    }
    let owner = SecretBytes::new(told.owner.expose());
    if devices::is_revoked(work, from)? {
        record.generation_seen = record.generation_seen.max(generation);
        record.keep_untaken(owner);
        return work.tx.save(InboxRecord::KEY, &record);
    }
    let has_drawn = record.has_drawn()?;
    let rank = Rank { generation, owner: Reverse(public(&owner)?) };
    let newer = record.told_rank().is_none_or(|known| rank > known);
    if !has_drawn && record.has(&told) {
        record.let_go_of_next();
        record.take_owner_key(owner);
        record.keys_untold = false;
        record.generation = record.generation.max(generation);
        work.tx.save(InboxRecord::KEY, &record)?;
        work.effects.inbox = true;
        return Ok(());
    }
    if !newer {
        record.keep_untaken(owner);
        return work.tx.save(InboxRecord::KEY, &record);
    }
    install(work, record, &told, has_drawn)
}

/// The keys that were told are those of the inbox from now on; `lost`: what this device has drawn counts
/// nothing.
fn install(
    work: &mut Work<'_>,
    mut record: InboxRecord,
    told: &InboxKeys,
    lost: bool,
) -> Result<(), StoreError> {
    let seal_key = SecretBytes::new(told.inbox_key.expose());
    revoking::replace_seal_key(work, &mut record, seal_key)?;
    record.let_go_of_next();
    let capability = SecretBytes::new(told.capability.expose());
    let replaced = core::mem::replace(&mut record.own_capability, capability);
    let owner = SecretBytes::new(told.owner.expose());
    record.generation = told.generation.0;
    record.told_owner = Some(public(&owner)?);
    record.keys_untold = false;
    record.take_owner_key(owner);
    let shelf_key = SecretBytes::new(told.shelf_key.expose());
    revoking::replace_shelf_key(work, &mut record, shelf_key);
    record.clear_shelf();
    let drawn = capabilities::id_of(&replaced)?;
    let surplus = match lost || record.own_capability.expose() == replaced.expose() {
        true => Vec::new(),
        // The others end it too; it is known here for when a device is shut out that has it.
        false => capabilities::keep_a_while(work, &mut record, drawn),
    };
    work.tx.save(InboxRecord::KEY, &record)?;
    work.effects.inbox = true;
    capabilities::end(work, surplus)?;
    if lost {
        capabilities::revoke(work, drawn)?;
        revoking::renew_keys(work, Replaced::Ends)?;
    } else {
        contacts::renew_given(work)?;
    }
    let unfinished = devices::unfinished(work)?;
    devices::withdraw(work, &unfinished)?;
    links::put_again(work)?;
    devices::send_cards(work)
}

impl InboxRecord {
    /// Whether these are the keys that it has, or is about to have.
    fn has(&self, told: &InboxKeys) -> bool {
        let ours = [self.coming_owner_key(), &self.seal_key, &self.shelf_key, &self.own_capability];
        let theirs: [&[u8]; 4] = [
            told.owner.expose(),
            told.inbox_key.expose(),
            told.shelf_key.expose(),
            told.capability.expose(),
        ];
        ours.iter().zip(theirs).all(|(ours, theirs)| ours.expose() == theirs)
    }

    /// Nothing is put in place any more; what the relay may have taken opens the inbox all the same.
    pub(crate) fn let_go_of_next(&mut self) {
        self.later_owner_key = None;
        if let Some(next) = self.next_owner_key.take() {
            self.keep_owner_key(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use hushwire_protocol::{
        card::ShelfKey,
        content::{Content, Piece},
        seal::InboxKey,
    };
    use hushwire_wire::id::{CapabilitySecret, Sequence};

    use super::*;
    use crate::{
        record::{Cause, Wish, WishRecord},
        work::trial::with_profile,
    };

    const OTHER: DeviceId = DeviceId::from_bytes([9; 16]);

    /// What another device draws.
    fn keys(generation: u64, byte: u8) -> InboxKeys {
        InboxKeys {
            generation: InboxGeneration(generation),
            owner: OwnerKeySeed::from_bytes([byte; 32]),
            inbox_key: InboxKey::from_bytes([byte; 32]),
            shelf_key: ShelfKey::from_bytes([byte; 32]),
            capability: CapabilitySecret::from_bytes([byte; 32]),
        }
    }

    fn hear(work: &mut Work<'_>, keys: &InboxKeys) {
        take(work, &OTHER, &keys.to_payload()).unwrap();
    }

    fn record(work: &Work<'_>) -> InboxRecord {
        inbox::required(work).unwrap()
    }

    fn seal_key(work: &Work<'_>) -> Vec<u8> {
        record(work).seal_key.expose().to_vec()
    }

    /// The owner keys that this device opens the inbox by, the first first.
    fn tried(work: &Work<'_>) -> Vec<Vec<u8>> {
        let record = record(work);
        let earlier = record.earlier_owner_keys.iter().rev();
        let untaken = record.untaken_owner_keys.iter().rev();
        let tried = core::iter::once(&record.owner_key).chain(untaken).chain(earlier);
        tried.map(|key| key.expose().to_vec()).collect()
    }

    #[test]
    fn what_is_told_late_brings_nothing_back() {
        // spec: IDN-073
        with_profile(|work, _| {
            hear(work, &keys(1, 1));
            hear(work, &keys(2, 2));
            assert_eq!(seal_key(work), [2; 32]);
            for late in [keys(1, 1), keys(0, 3)] {
                hear(work, &late);
                assert_eq!(seal_key(work), [2; 32]);
                assert_eq!(record(work).generation, 2);
            }
            // The relay may have what was told late.
            assert_eq!(tried(work)[..2], [vec![2; 32], vec![3; 32]]);
            hear(work, &keys(3, 4));
            assert_eq!(seal_key(work), [4; 32]);
        });
    }

    #[test]
    fn all_come_to_one_of_those_that_are_told_at_once() {
        // spec: IDN-073
        let come = |order: [u8; 3]| {
            let mut kept = Vec::new();
            with_profile(|work, _| {
                order.into_iter().for_each(|byte| hear(work, &keys(1, byte)));
                kept = seal_key(work);
                assert!(record(work).next_owner_key.is_none());
                for byte in order {
                    assert!(tried(work).contains(&vec![byte; 32]));
                }
            });
            kept
        };
        let first = come([1, 2, 3]);
        for order in [[1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            assert_eq!(come(order), first);
        }
    }

    #[test]
    fn nobody_uses_up_the_generations() {
        // spec: IDN-073
        with_profile(|work, _| {
            hear(work, &keys(GENERATION_STEP_MAX + 1, 1));
            assert_ne!(seal_key(work), [1; 32]);
            hear(work, &keys(GENERATION_STEP_MAX, 2));
            assert_eq!(seal_key(work), [2; 32]);
            hear(work, &keys(2 * GENERATION_STEP_MAX, 3));
            assert_eq!(seal_key(work), [3; 32]);
        });
    }

    #[test]
    fn what_is_told_late_does_not_displace_the_keys_that_the_inbox_had() {
        // spec: IDN-073, CLI-181
        with_profile(|work, _| {
            let first = record(work).owner_key.expose().to_vec();
            hear(work, &keys(1, 1));
            for byte in 10..40 {
                hear(work, &keys(0, byte));
            }
            assert!(tried(work).contains(&first));
            assert_eq!(tried(work)[..2], [vec![1; 32], vec![39; 32]]);
        });
    }

    #[test]
    fn what_is_drawn_behind_a_grant_is_newer_than_what_was_granted() {
        // spec: IDN-073
        with_profile(|work, _| {
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            let granted = grant(work).unwrap();
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            assert!(record(work).telling().unwrap() > granted);
        });
    }

    #[test]
    fn who_is_told_the_keys_on_which_it_drew_its_own_goes_on() {
        // spec: IDN-063, IDN-073, IDN-083
        with_profile(|work, channel| {
            hear(work, &keys(1, 1));
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            let drawn = (seal_key(work), record(work).next_owner_key.unwrap());
            hear(work, &keys(1, 1));
            assert_eq!(seal_key(work), drawn.0);
            assert_eq!(record(work).next_owner_key.unwrap().expose(), drawn.1.expose());
            // Behind newer ones it draws anew, and what the relay may have taken opens the inbox.
            hear(work, &keys(2, 2));
            assert_ne!(seal_key(work), drawn.0);
            assert_ne!(seal_key(work), [2; 32]);
            assert!(tried(work).contains(&drawn.1.expose().to_vec()));
            assert_eq!(record(work).telling().unwrap(), InboxGeneration(3));
            // Also where the relay has taken them by then, as who is shut out reads what is told.
            work.wish(Wish::RefreshLeaf { channel: *channel, cause: Cause::Person }).unwrap();
            revoking::rotated(work).unwrap();
            assert!(record(work).keys_untold && record(work).next_owner_key.is_none());
            hear(work, &keys(3, 3));
            assert!(record(work).keys_untold && record(work).next_owner_key.is_some());
            assert_eq!(record(work).telling().unwrap(), InboxGeneration(4));
        });
    }

    #[test]
    fn what_is_told_again_is_told_as_before() {
        // spec: IDN-073, CLI-181
        with_profile(|work, _| {
            let first = record(work).public_owner_key().unwrap();
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            assert_eq!(record(work).telling().unwrap(), InboxGeneration(1));
            revoking::rotated(work).unwrap();
            tell(work).unwrap();
            assert!(!record(work).keys_untold);
            let told = of(&record(work)).unwrap();
            inbox::opened(work, &first, Sequence(1), Sequence(1)).unwrap();
            assert!(record(work).keys_untold);
            assert_eq!(record(work).telling().unwrap(), InboxGeneration(1));
            // Another device was quicker.
            hear(work, &told);
            let record = record(work);
            assert!(!record.keys_untold && record.next_owner_key.is_none());
            assert_eq!(record.owner_key.expose(), told.owner.expose());
        });
    }

    /// The keys that wait to be told, in the order of telling.
    fn waiting(work: &Work<'_>) -> Vec<InboxKeys> {
        let mut keys = Vec::new();
        for row in work.tx.list::<WishRecord>(&[], usize::MAX).unwrap() {
            let Wish::SendContent { content, .. } = row.record.wish else { continue };
            for shown in Content::decode(&content).unwrap().shown() {
                let Piece::Control(message) = shown.piece else { continue };
                let told = message.entries().iter();
                let told = told.filter(|entry| entry.kind == ControlKind::InboxKeysRotated);
                keys.extend(told.map(|entry| InboxKeys::of_payload(&entry.payload).unwrap()));
            }
        }
        keys
    }

    #[test]
    fn who_comes_in_is_told_the_keys_once_they_are_those_of_the_inbox() {
        // spec: IDN-055, IDN-073
        with_profile(|work, _| {
            hear(work, &keys(4, 1));
            tell_again(work).unwrap();
            let [told] = &waiting(work)[..] else { panic!() };
            assert_eq!(told.to_payload()[..], keys(4, 1).to_payload()[..]);
            // Those that the relay has not taken are told when it has.
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            tell_again(work).unwrap();
            assert_eq!(waiting(work).len(), 1);
            revoking::rotated(work).unwrap();
            let told = waiting(work);
            assert_eq!(told.len(), 2);
            assert_eq!(told[1].generation, InboxGeneration(5));
        });
    }

    #[test]
    fn of_what_a_revoked_device_tells_only_the_owner_key_is_tried() {
        // spec: IDN-074
        with_profile(|work, _| {
            devices::forget_device(work, &OTHER).unwrap();
            let before = (seal_key(work), tried(work));
            for (generation, byte) in [(1, 1), (4, 2), (GENERATION_STEP_MAX * 9, 3)] {
                hear(work, &keys(generation, byte));
            }
            assert_eq!(seal_key(work), before.0);
            assert_eq!(tried(work), [&before.1[..], &[vec![2; 32], vec![1; 32]]].concat());
            // What is drawn against it is above what it told others.
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            assert_eq!(record(work).telling().unwrap(), InboxGeneration(5));
        });
    }
}
