//! An inbox at a relay that was put back to an old copy: ways to open it, and what belongs there again.
//!
//! | way | the inbox opens by | behind it |
//! |---|---|---|
//! | present | the owner key that it should have, or the next one while a rotation is under way | the latest untaken key; else the latest earlier one; anew if there is none |
//! | untaken | one that another device told and that was not taken: it rotated at the same time | the untaken key before; the latest earlier one at the first |
//! | earlier | a key that it had once: the copy is from before a rotation | the key before; anew at the first |
//! | anew | nothing: the copy is from before the inbox, which is created again | present |
//!
//! A denial leads to the next way (spec: CLI-181). Whoever knows an earlier key can open such an inbox
//! as well, a revoked device too: the present key is put in place at once.

use hushwire_protocol::seal::InboxKey;
use hushwire_wire::{SigningKey, id::PublicKey, transcript};

use crate::{
    capabilities, devices, groups, links, own_group,
    record::{GroupState, InboxRecord, SecretBytes, Way, Wish},
    revoking::{self, Replaced},
    shelf,
    store::StoreError,
    wish::AtInbox,
    work::Work,
};

use super::required;

/// Earlier owner keys that are kept (spec: CLI-181).
const OWNER_KEYS_KEPT_MAX: usize = 8;

impl InboxRecord {
    /// Keeps an owner key that another has replaced.
    pub(crate) fn keep_owner_key(&mut self, key: SecretBytes) {
        self.earlier_owner_keys.retain(|kept| kept.expose() != key.expose());
        self.earlier_owner_keys.push(key);
        let spare = self.earlier_owner_keys.len().saturating_sub(OWNER_KEYS_KEPT_MAX);
        self.earlier_owner_keys.drain(..spare);
    }

    /// Keeps the owner key of a set that was told and not taken (spec: IDN-073, IDN-074).
    pub(crate) fn keep_untaken(&mut self, key: SecretBytes) {
        if self.knows_owner_key(&key) {
            return;
        }
        self.untaken_owner_keys.retain(|kept| kept.expose() != key.expose());
        self.untaken_owner_keys.push(key);
        let spare = self.untaken_owner_keys.len().saturating_sub(OWNER_KEYS_KEPT_MAX);
        self.untaken_owner_keys.drain(..spare);
    }

    /// The inbox has this owner key; the one before is kept.
    pub(crate) fn take_owner_key(&mut self, key: SecretBytes) {
        let earlier = core::mem::replace(&mut self.owner_key, key);
        if earlier.expose() != self.owner_key.expose() {
            self.keep_owner_key(earlier);
        }
        self.earlier_owner_keys.retain(|kept| kept.expose() != self.owner_key.expose());
        self.untaken_owner_keys.retain(|kept| kept.expose() != self.owner_key.expose());
        self.way = Way::Present;
        self.rotation_unsure = false;
    }

    /// The key by which the inbox is opened or created now.
    pub(super) fn key_to_try(&self) -> &SecretBytes {
        let other = match self.way {
            Way::Untaken(place) => self.untaken_owner_keys.get(usize::from(place)),
            Way::Earlier(place) => self.earlier_owner_keys.get(usize::from(place)),
            Way::Present | Way::Anew => None,
        };
        other.unwrap_or(&self.owner_key)
    }

    /// Whether this owner key is one that the inbox has, had or is about to have.
    fn knows_owner_key(&self, owner: &SecretBytes) -> bool {
        let coming = [&self.next_owner_key, &self.later_owner_key].into_iter().flatten();
        let mut keys = self.earlier_owner_keys.iter().chain([&self.owner_key]).chain(coming);
        keys.any(|key| key.expose() == owner.expose())
    }

    /// The present owner key, as the relay knows it.
    pub(crate) fn public_owner_key(&self) -> Result<PublicKey, StoreError> {
        let seed = self.owner_key.array().ok_or(StoreError::Damaged)?;
        Ok(transcript::public_key(&SigningKey::from_bytes(&seed)))
    }

    /// Which of the inbox keys before the present one the other own devices know, if they may not know the
    /// present one: what they heard of with the owner key that the relay has, and else last; never one
    /// from before what they heard of since a device was shut out that knew it (spec: CLI-159). None: it
    /// is the present one.
    pub(crate) fn told_before(&self) -> Result<Option<usize>, StoreError> {
        if !self.keys_untold {
            return Ok(None);
        }
        let owner = self.public_owner_key()?;
        let keys = &self.old_seal_keys;
        let with_it = keys.iter().rposition(|old| old.told_with.as_ref() == Some(&owner));
        let last = match self.has_drawn()? {
            true => {
                let told = keys.iter().rposition(|old| old.told_with.is_some());
                told.or_else(|| keys.len().checked_sub(1))
            }
            false => None,
        };
        let is_safe = |place: &usize| {
            let since = keys.get(*place..last.unwrap_or(keys.len())).unwrap_or_default();
            !since.iter().any(|old| old.ends)
        };
        Ok(with_it.filter(is_safe).or(last))
    }

    fn next_way(&self) -> Way {
        let before = |place: usize| place.checked_sub(1).and_then(|place| u8::try_from(place).ok());
        let untaken = match self.way {
            Way::Present => before(self.untaken_owner_keys.len()),
            Way::Untaken(place) => before(usize::from(place)),
            Way::Earlier(_) => None,
            Way::Anew => return Way::Present,
        };
        let earlier = match self.way {
            Way::Earlier(place) => before(usize::from(place)),
            _ => before(self.earlier_owner_keys.len()),
        };
        untaken.map(Way::Untaken).or(earlier.map(Way::Earlier)).unwrap_or(Way::Anew)
    }
}

/// The relay denied the inbox by one way: the next one is tried.
pub(super) fn try_next_way(work: &mut Work<'_>) -> Result<(), StoreError> {
    let record = required(work)?;
    if record.way == Way::Present && revoking::try_other_key(work)? {
        return Ok(());
    }
    // A rotation under way has both its keys tried by now.
    let mut record = required(work)?;
    record.way = record.next_way();
    work.tx.save(InboxRecord::KEY, &record)
}

/// The inbox opened by the owner key that was tried. By another than the present one it gets that again, or
/// new ones, where a revoked device may know that (spec: CLI-181).
pub(super) fn opened(work: &mut Work<'_>, owner_key: &PublicKey) -> Result<(), StoreError> {
    let mut record = required(work)?;
    record.way = Way::Present;
    if is_of(&record.owner_key, owner_key) {
        work.tx.save(InboxRecord::KEY, &record)?;
        return revoking::opened(work);
    }
    let take = |keys: &mut Vec<SecretBytes>| {
        keys.iter().position(|key| is_of(key, owner_key)).map(|place| keys.remove(place))
    };
    // What another device told is no sign that the relay was put back.
    let earlier = take(&mut record.earlier_owner_keys);
    let is_old = earlier.is_some();
    let Some(found) = earlier.or_else(|| take(&mut record.untaken_owner_keys)) else {
        work.tx.save(InboxRecord::KEY, &record)?;
        return Ok(());
    };
    // A device that was revoked since may know those that are there, or on their way there. While the present
    // owner key stands in the row it is known with which one the others were told of the inbox key.
    let renews = record.seal_key_ends;
    if renews {
        record.let_go_of_next();
        work.tx.save(InboxRecord::KEY, &record)?;
        revoking::renew_keys(work, Replaced::Ends)?;
        record = required(work)?;
    }
    let present = core::mem::replace(&mut record.owner_key, found);
    record.rotation_unsure = false;
    // What was told of the present key may be lost as well.
    record.keys_untold = true;
    if record.next_owner_key.is_some() {
        record.keep_owner_key(present);
    } else {
        record.next_owner_key = Some(present);
        AtInbox::waiting(work)?.wish(work, Wish::RotateInbox)?;
    }
    work.tx.save(InboxRecord::KEY, &record)?;
    if is_old {
        super::rolled_back(work)?
    } else {
        put_again(work)?
    }
    if renews { devices::send_cards(work) } else { Ok(()) }
}

/// Whether the present owner key is put in place later: the own devices know the one before, and by it
/// they read in the inbox that this device asks to be added to their group again, or is in another one.
pub(crate) fn waits_for_own_group(
    work: &Work<'_>,
    record: &InboxRecord,
) -> Result<bool, StoreError> {
    let own_group = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
    let group = groups::record(work, &own_group)?;
    let stuck = group.is_some_and(|group| group.state == GroupState::Stuck);
    Ok((stuck || own_group::gathers(work)?)
        && record.keys_untold
        && record.next_owner_key.is_some())
}

/// The key that items to own devices are sealed to. Until the relay has taken the next owner key they read
/// the inbox by the one before, and know the inbox key before; behind that, who opens it was told of both
/// (spec: CLI-159).
pub(crate) fn told_key(work: &Work<'_>) -> Result<InboxKey, StoreError> {
    let record = required(work)?;
    let before = record.told_before()?.and_then(|place| record.old_seal_keys.get(place));
    match before.filter(|_| record.next_owner_key.is_some()) {
        Some(before) => before.key.array().map(InboxKey::from_bytes).ok_or(StoreError::Damaged),
        None => record.inbox_key(),
    }
}

/// Whether a seed is that of a public key.
fn is_of(seed: &SecretBytes, key: &PublicKey) -> bool {
    let signing = seed.array().map(|seed| SigningKey::from_bytes(&seed));
    signing.is_some_and(|signing| transcript::public_key(&signing) == *key)
}

/// The relay of the own inbox was put back to an old copy: what this device has put there since may be
/// gone, and what it has taken away may be there again (spec: CLI-182). Key packages on the shelf may
/// be used ones.
pub(crate) fn put_again(work: &mut Work<'_>) -> Result<(), StoreError> {
    shelf::doubt(work)?;
    work.effects.shelf = true;
    AtInbox::waiting(work)?.wish(work, Wish::PutDeviceList)?;
    capabilities::put_again(work)?;
    links::put_again(work)?;
    links::revoke_again(work)
}

#[cfg(test)]
mod tests {
    use hushwire_protocol::identity::DeviceId;

    use super::*;
    use crate::{devices, record::WishRecord, wish, work::trial::with_profile};

    #[test]
    fn items_to_own_devices_are_sealed_to_a_key_that_they_know() {
        // spec: CLI-159
        with_profile(|work, _| {
            let told = |work: &Work<'_>| *told_key(work).unwrap().expose();
            let present = |work: &Work<'_>| *required(work).unwrap().inbox_key().unwrap().expose();
            let known = present(work);
            assert_eq!(told(work), known);
            let owner = |work: &Work<'_>| required(work).unwrap().public_owner_key().unwrap();
            let renew = |work: &mut Work<'_>| {
                revoking::renew_keys(work, Replaced::Ends).unwrap();
            };
            let first = owner(work);
            // Twice, before the others hear of the first.
            for _ in 0..2 {
                renew(work);
                assert_ne!(present(work), known);
                assert_eq!(told(work), known);
            }
            revoking::rotated(work).unwrap();
            assert_eq!(told(work), known);
            revoking::rotated(work).unwrap();
            assert_eq!(told(work), present(work));
            // Where the relay forgets that, others did not hear of it either.
            renew(work);
            assert_ne!(told(work), known);
            opened(work, &first).unwrap();
            assert_eq!(told(work), known);
        });
    }

    #[test]
    fn nothing_is_sealed_to_a_key_that_a_revoked_device_knows_once_others_know_the_next() {
        // spec: CLI-159
        with_profile(|work, _| {
            let told = |work: &Work<'_>| *told_key(work).unwrap().expose();
            let present = |work: &Work<'_>| *required(work).unwrap().inbox_key().unwrap().expose();
            let first = required(work).unwrap().public_owner_key().unwrap();
            let known = present(work);
            devices::forget_device(work, &DeviceId::from_bytes([9; 16])).unwrap();
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            assert_eq!(told(work), known, "nobody has heard of another");
            revoking::rotated(work).unwrap();
            let second = present(work);
            // The relay is put back: what the others were told of is put in place again, or replaced.
            opened(work, &first).unwrap();
            assert_eq!(told(work), second);
            revoking::renew_keys(work, Replaced::StaysAWhile).unwrap();
            assert_eq!(told(work), second);
            // Without a revocation between them it is the one that goes with the owner key.
            revoking::rotated(work).unwrap();
            revoking::rotated(work).unwrap();
            let third = required(work).unwrap().public_owner_key().unwrap();
            let key = present(work);
            revoking::renew_keys(work, Replaced::StaysAWhile).unwrap();
            revoking::rotated(work).unwrap();
            opened(work, &third).unwrap();
            assert_eq!(told(work), key);
        });
    }

    #[test]
    fn keys_that_a_revoked_device_may_know_are_not_put_in_place_again() {
        // spec: CLI-181, CLI-159
        with_profile(|work, _| {
            let owner = |work: &Work<'_>| required(work).unwrap().public_owner_key().unwrap();
            let first = owner(work);
            devices::forget_device(work, &DeviceId::from_bytes([8; 16])).unwrap();
            revoking::renew_keys(work, Replaced::Ends).unwrap();
            revoking::rotated(work).unwrap();
            let second = required(work).unwrap();
            crate::inbox_keys::tell(work).unwrap();
            devices::forget_device(work, &DeviceId::from_bytes([9; 16])).unwrap();
            opened(work, &first).unwrap();
            // The others know it, and who was revoked before it was drawn does not.
            assert_eq!(told_key(work).unwrap().expose()[..], *second.seal_key.expose());
            assert_eq!(owner(work), first);
            let record = required(work).unwrap();
            assert_ne!(record.coming_owner_key().expose(), second.owner_key.expose());
            assert_ne!(record.inbox_key().unwrap().expose(), second.inbox_key().unwrap().expose());
            assert_ne!(record.own_capability.expose(), second.own_capability.expose());
        });
    }

    #[test]
    fn what_belongs_at_the_inbox_is_put_there_again_whatever_of_it_waits() {
        // spec: CLI-182
        with_profile(|work, _| {
            let settle = |work: &mut Work<'_>| {
                wish::open(work).unwrap().into_iter().for_each(|number| work.settle(number));
            };
            let wishes = |work: &Work<'_>| {
                let rows = work.tx.list::<WishRecord>(&[], usize::MAX).unwrap();
                let wished = |wanted: fn(&Wish) -> bool| {
                    rows.iter().filter(|row| wanted(&row.record.wish)).count()
                };
                [
                    wished(|wish| matches!(wish, Wish::PutDeviceList)),
                    wished(|wish| matches!(wish, Wish::PutCapability { .. })),
                ]
            };
            settle(work);
            // The list waits for another reason.
            work.wish(Wish::PutDeviceList).unwrap();
            put_again(work).unwrap();
            assert_eq!(wishes(work), [1, 1]);
            put_again(work).unwrap();
            assert_eq!(wishes(work), [1, 1]);
        });
    }
}
