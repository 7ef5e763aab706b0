//! Revoking a device: shutting it out of the list, the groups and the inbox, and new keys for
//! everything that it knew (spec: IDN-057, IDN-058).

use hushwire_protocol::{group::Member, identity::DeviceEntry, seal::InboxKey};
use hushwire_wire::{
    SigningKey,
    id::{ChannelId, Timestamp},
    message::Request,
    transcript,
};

use crate::{
    capabilities::{self, Uses},
    clock,
    command::{CommandError, DeviceNumber},
    contacts, devices, direct, groups, inbox, inbox_keys, links, log, own_group, profile,
    record::{GroupState, InboxRecord, OldSealKey, OldShelfKey, SecretBytes, Wish, WishNumber},
    refreshing,
    store::StoreError,
    wish::{self, AtInbox, Desk, Step},
    work::Work,
};

/// Length of each key that is drawn, in bytes.
const KEY_BYTES: usize = 32;
/// Shelf keys that are kept beside the present one, and for how long, in milliseconds: a day
/// (spec: IDN-086).
const SHELF_KEYS_KEPT_MAX: usize = 4;
pub(crate) const SHELF_KEY_KEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// How long what waits for the own group rests, in milliseconds.
pub(crate) const OWN_GROUP_REST_MS: u64 = 5_000;
/// How much longer than the capabilities of its time a replaced seal key stays, in milliseconds: what
/// came by them at the last moment is read first (spec: IDN-062).
const OLD_KEY_SPARE_MS: u64 = 24 * 60 * 60 * 1000;

/// Shuts a device out of everything, as a person asks.
pub(crate) fn revoke(work: &mut Work<'_>, number: DeviceNumber) -> Result<(), CommandError> {
    let identity = profile::require(work)?;
    if identity.manager_key().is_none() {
        return Err(CommandError::NotAManager);
    }
    devices::check_in(work, &identity)?;
    let revoked = devices::numbered(work, number)?.ok_or(CommandError::NoSuchDevice)?;
    if revoked.device == identity.device {
        return Err(CommandError::ThisDevice);
    }
    shut_out(work, &revoked)?;
    Ok(())
}

/// Shuts a device out of everything, if this device may.
pub(crate) fn shut_out(work: &mut Work<'_>, revoked: &DeviceEntry) -> Result<(), StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let Some(manager) = identity.manager_key() else { return Ok(()) };
    let statement = identity.statement()?;
    devices::forget_device(work, &revoked.device)?;
    renew_keys(work, Replaced::Ends)?;
    let current = devices::device_list(work)?;
    let version = devices::version_behind(work, current.rank().version)?;
    let mut entries = current.devices().to_vec();
    entries.retain(|entry| entry.device != revoked.device);
    let list = profile::sign_list(work, &manager, &statement, version, entries)
        .map_err(|_| StoreError::Failed)?;
    devices::take_list(work, list)?;
    capabilities::revoke_of(work, &revoked.device)?;
    work.wish(Wish::DropSlot { slot: revoked.slot })?;
    for channel in groups::channels(work)? {
        let Some(group) = groups::record(work, &channel)? else { continue };
        // Where this device is stuck, once it is back.
        if matches!(group.state, GroupState::Member | GroupState::Creating | GroupState::Stuck) {
            work.wish(Wish::RemoveDevice { channel, device: revoked.device })?;
        }
        // The revoked one may have had others to bring in.
        let goes_on = !group.purpose.is_former()
            && channel != identity.own_group
            && direct::standing::takes_devices(work, &channel, &group)?;
        if group.state == GroupState::Member && group.opened && goes_on {
            let members = groups::members_of(&log::load_group(work, &channel)?)?;
            devices::add_absent(work, &channel, &members)?;
        }
    }
    links::put_again(work)?;
    devices::send_cards(work)
}

/// Wishes out of a group the leaves of own devices that were revoked, whoever revoked them; says whether
/// there are any: what is new and secret is not told there before (spec: IDN-057).
pub(crate) fn wish_out(
    work: &mut Work<'_>,
    channel: &ChannelId,
    members: &[Member],
) -> Result<bool, StoreError> {
    let me = work.me()?;
    let mut found = false;
    for leaf in members.iter().filter(|leaf| leaf.identity() == me) {
        let device = leaf.device();
        if !devices::is_revoked(work, &device)? {
            continue;
        }
        found = true;
        if !wish::removes(work, channel, &device)? {
            work.wish(Wish::RemoveDevice { channel: *channel, device })?;
        }
    }
    Ok(found)
}

/// What becomes of the own capability that is replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// A device is shut out, or the relay never had it.
    Ends,
    /// Own devices go on with it until they hear of the new one (spec: IDN-075).
    StaysAWhile,
}

/// Draws new keys for the inbox and wishes them to be known to the relay. A device that was linked and
/// is not in the own group yet would not hear of them (spec: IDN-063).
pub(crate) fn renew_keys(work: &mut Work<'_>, replaced: Replaced) -> Result<(), StoreError> {
    let unheard = devices::unfinished(work)?;
    let reads = !unheard.is_empty();
    let mut record = inbox::required(work)?;
    record.unheard = unheard;
    let old = capabilities::id_of(&record.own_capability)?;
    let seal_key = SecretBytes::new(InboxKey::generate(work.rng).expose());
    replace_seal_key(work, &mut record, seal_key)?;
    let shelf_key = SecretBytes::new(&work.random::<KEY_BYTES>());
    replace_shelf_key(work, &mut record, shelf_key);
    record.own_capability = SecretBytes::new(&work.random::<KEY_BYTES>());
    let owner_key = SecretBytes::new(&work.random::<KEY_BYTES>());
    // The relay may have taken the one that waits (spec: IDN-083).
    let follows = record.next_owner_key.is_some();
    if follows {
        record.later_owner_key = Some(owner_key);
    } else {
        record.next_owner_key = Some(owner_key);
        record.rotation_unsure = false;
    }
    record.clear_shelf();
    record.keys_untold = true;
    let secret = record.own_capability.clone();
    let surplus = match replaced {
        Replaced::Ends => Vec::new(),
        Replaced::StaysAWhile => capabilities::keep_a_while(work, &mut record, old),
    };
    work.tx.save(InboxRecord::KEY, &record)?;
    if !follows {
        // What waits was for one that another device's has overtaken.
        wish::rotations(work)?.into_iter().for_each(|number| work.settle(number));
        work.wish(Wish::RotateInbox)?;
    }
    if reads {
        let channel = work.identity()?.ok_or(StoreError::Damaged)?.own_group;
        wish::read_to_end(work, &channel)?;
    }
    capabilities::make(work, secret, None, Uses::Lasting)?;
    capabilities::end(work, surplus)?;
    if replaced == Replaced::Ends {
        capabilities::revoke(work, old)?;
    }
    contacts::renew_given(work)
}

/// The old key stays until what was sealed to it has come (spec: IDN-062). The others know it by the owner key
/// that it was told with, if they were told of it (spec: CLI-159).
pub(crate) fn replace_seal_key(
    work: &Work<'_>,
    record: &mut InboxRecord,
    key: SecretBytes,
) -> Result<(), StoreError> {
    let until_ms = old_key_end(work.now).0;
    let told_with = match record.has_drawn()? {
        true => None,
        false => record
            .told_owner
            .map_or_else(|| record.public_owner_key().map(Some), |it| Ok(Some(it)))?,
    };
    let key = core::mem::replace(&mut record.seal_key, key);
    let ends = core::mem::take(&mut record.seal_key_ends);
    record.old_seal_keys.push(OldSealKey { key, told_with, ends, until_ms });
    Ok(())
}

/// The old key stays for a while: other own devices seal key packages under it until they hear of the new
/// one (spec: IDN-086).
pub(crate) fn replace_shelf_key(work: &Work<'_>, record: &mut InboxRecord, key: SecretBytes) {
    let key = core::mem::replace(&mut record.shelf_key, key);
    let until_ms = work.now.plus_ms(SHELF_KEY_KEEP_MS).0;
    let kept = &mut record.earlier_shelf_keys;
    kept.retain(|earlier| !clock::is_over(work.now, earlier.until_ms, SHELF_KEY_KEEP_MS));
    kept.push(OldShelfKey { key, until_ms });
    kept.drain(..kept.len().saturating_sub(SHELF_KEYS_KEPT_MAX));
}

/// When an inbox key that is replaced now ends.
pub(crate) fn old_key_end(now: Timestamp) -> Timestamp {
    capabilities::retirement(now).plus_ms(OLD_KEY_SPARE_MS)
}

/// Asks the relay to take the next owner key.
pub(crate) fn rotate(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
) -> Result<Step, StoreError> {
    let record = inbox::required(work)?;
    let Some(next) = &record.next_owner_key else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    if inbox::waits_for_own_group(work, &record)? || waits_for_renewal(work)? {
        return Ok(Step::Later(work.now.plus_ms(OWN_GROUP_REST_MS)));
    }
    if !record.unheard.is_empty() {
        if let Some(channel) = own_group::well(work)? {
            wish::read_to_end(work, &channel)?;
            return Ok(Step::Later(work.now.plus_ms(OWN_GROUP_REST_MS)));
        }
        own_group_read(work)?;
    }
    let seed = next.array().ok_or(StoreError::Damaged)?;
    let next = SigningKey::from_bytes(&seed);
    let next_owner_key = transcript::public_key(&next);
    let signed =
        transcript::inbox_rotate(&desk.relay, &desk.session, &record.inbox, &next_owner_key);
    let signature = signed.sign(&next);
    Ok(inbox::request(desk, |handle| Request::InboxRotate { handle, next_owner_key, signature }))
}

/// The own group was read to its end: who was linked before keys were drawn, and was not heard there, is
/// withdrawn. Who was linked since was granted these keys (spec: IDN-063).
pub(crate) fn own_group_read(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    let mut gone = core::mem::take(&mut record.unheard);
    if gone.is_empty() {
        return Ok(());
    }
    work.tx.save(InboxRecord::KEY, &record)?;
    let unfinished = devices::unfinished(work)?;
    gone.retain(|device| unfinished.contains(device));
    if !gone.is_empty() {
        devices::withdraw(work, &gone)?;
        devices::send_cards(work)?;
    }
    Ok(())
}

/// Whether the others would wait for keys that are drawn because a person asked: who is stuck before its
/// renewal is applied asks in the inbox to be added again, and there they would not read it. Where a
/// device is shut out nothing waits (spec: IDN-075).
fn waits_for_renewal(work: &mut Work<'_>) -> Result<bool, StoreError> {
    let Some(own_group) = own_group::well(work)? else { return Ok(false) };
    Ok(refreshing::waits(work, &own_group)? && !devices::has_unlisted(work)?)
}

/// The relay took the next owner key.
pub(crate) fn rotated(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    let Some(next) = record.next_owner_key.take() else { return Ok(()) };
    let earlier = core::mem::replace(&mut record.owner_key, next);
    record.keep_owner_key(earlier);
    record.next_owner_key = record.later_owner_key.take();
    work.tx.save(InboxRecord::KEY, &record)?;
    if record.next_owner_key.is_some() {
        // The wish for the one that was taken is settled with this.
        work.wish(Wish::RotateInbox)?;
    }
    taken(work)
}

/// The keys of this device are those of the inbox. The list is sealed under the shelf key; another
/// device may have put one under its own until now.
fn taken(work: &mut Work<'_>) -> Result<(), StoreError> {
    work.wish(Wish::PutDeviceList)?;
    refreshing::draw_keys(work)?;
    inbox_keys::tell(work)
}

/// The relay refuses the owner key. While a rotation is under way, the next one may be in its place
/// already, its answer lost; or another own device was faster, and its keys come by the own group.
/// Both keys are tried in turn until it is known. Says whether the other one is to be tried now.
pub(crate) fn try_other_key(work: &Work<'_>) -> Result<bool, StoreError> {
    let mut record = inbox::required(work)?;
    let Some(next) = record.next_owner_key.take() else { return Ok(false) };
    record.next_owner_key = Some(core::mem::replace(&mut record.owner_key, next));
    record.rotation_unsure = !record.rotation_unsure;
    work.tx.save(InboxRecord::KEY, &record)?;
    Ok(record.rotation_unsure)
}

/// The inbox opened: if it was with the next owner key, that one is in its place.
pub(crate) fn opened(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    if !core::mem::take(&mut record.rotation_unsure) {
        return Ok(());
    }
    // The next key is in its place, and beside it stands the one before.
    if let Some(earlier) = record.next_owner_key.take() {
        record.keep_owner_key(earlier);
    }
    record.next_owner_key = record.later_owner_key.take();
    work.tx.save(InboxRecord::KEY, &record)?;
    if record.next_owner_key.is_some() {
        AtInbox::waiting(work)?.wish(work, Wish::RotateInbox)?;
    }
    taken(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::trial::with_profile;

    #[test]
    fn an_earlier_shelf_key_opens_packages_for_a_day() {
        // spec: IDN-086
        with_profile(|work, _| {
            let kept = |work: &Work<'_>, later_ms| {
                let record = inbox::required(work).unwrap();
                record.earlier_shelf_keys(work.now.plus_ms(later_ms)).unwrap().len()
            };
            assert_eq!(kept(work, 0), 0);
            for drawn in 1..=SHELF_KEYS_KEPT_MAX + 1 {
                renew_keys(work, Replaced::StaysAWhile).unwrap();
                assert_eq!(kept(work, 0), drawn.min(SHELF_KEYS_KEPT_MAX));
            }
            assert_eq!(kept(work, SHELF_KEY_KEEP_MS - 1), SHELF_KEYS_KEPT_MAX);
            assert_eq!(kept(work, SHELF_KEY_KEEP_MS), 0);
        });
    }
}
