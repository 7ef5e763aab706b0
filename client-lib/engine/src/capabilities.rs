//! The capabilities of the own inbox that this device made: each is bounded, renewed while it is in
//! use, and ends a month after it is replaced, or with its device.
//!
//! A relay counts the items that came by a capability and stops at its bound. This device counts
//! what it reads, and moves the bound on before it is reached; so whoever has a capability can fill
//! an inbox that nobody reads with so many items, and no more (spec: IDN-061).

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    identity::DeviceId,
    own_devices::CapabilityMade,
};
use hushwire_wire::{
    id::{CapabilityId, Timestamp},
    transcript,
};
use serde::{Deserialize, Serialize};

use crate::{
    control, devices, inbox,
    record::{InboxRecord, Keyed, OldCapability, Record, SecretBytes, Wish, id},
    store::{StoreError, Table},
    wish::{self, AtInbox},
    work::Work,
};

/// Items that a capability may bring before it is renewed (spec: IDN-061).
const CAPABILITY_ITEMS: u64 = 1_000;
/// Items that the capability of a request may bring: an invitation for each device, and as many
/// declines; all members of the group could use it (spec: LNK-097).
const REQUEST_ITEMS: u64 = 128;
/// It is renewed when fewer are left.
const RENEW_ITEMS_LEFT: u64 = 500;
/// How long a rotated capability still works, in milliseconds: 30 days (spec: IDN-062).
const RETIRE_AFTER_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Replaced own capabilities that still work; those of longest ago end (spec: IDN-075).
const EARLIER_MAX: usize = 16;

const OWN_PREFIX: &[u8] = b"capability ";
const TOLD_PREFIX: &[u8] = b"told capability ";

/// A capability that this device made. Key: `capability `, its id.
#[derive(Serialize, Deserialize)]
struct CapabilityRecord {
    secret: SecretBytes,
    /// The link that it is in.
    link: Option<u64>,
    /// Items that came by it.
    seen: u64,
    /// Its bound; none: a single use, which is never renewed.
    items_max: Option<u64>,
    /// It ends then: another has taken its place.
    retires_at_ms: Option<u64>,
    /// It is for the answer to one request to be let into a group, and ends by itself then.
    #[serde(default)]
    request_until_ms: Option<u64>,
}

impl Record for CapabilityRecord {
    const TABLE: Table = Table::Profile;
}

/// A capability that another own device made. Key: `told capability `, its id.
#[derive(Serialize, Deserialize)]
struct ToldRecord {
    #[serde(with = "id")]
    device: DeviceId,
}

impl Record for ToldRecord {
    const TABLE: Table = Table::Profile;
}

fn own_key(capability: &CapabilityId) -> Vec<u8> {
    [OWN_PREFIX, capability.as_bytes()].concat()
}

fn id_in(key: &[u8], prefix: &[u8]) -> Result<CapabilityId, StoreError> {
    let id = key.strip_prefix(prefix).ok_or(StoreError::Damaged)?;
    CapabilityId::from_slice(id).map_err(|_| StoreError::Damaged)
}

/// How often a capability is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uses {
    /// For one person's first contact.
    Single,
    /// Until it is revoked.
    Lasting,
    /// For the answer to one request to be let into a group, until then.
    Request { until_ms: u64 },
}

/// Notes a new capability, wishes it at the relay, and lets the other own devices know of it, so
/// that they can end it with this device.
pub(crate) fn make(
    work: &mut Work<'_>,
    secret: SecretBytes,
    link: Option<u64>,
    uses: Uses,
) -> Result<(), StoreError> {
    let capability = id_of(&secret)?;
    let record = CapabilityRecord {
        secret: secret.clone(),
        link,
        seen: 0,
        items_max: (uses == Uses::Lasting).then_some(CAPABILITY_ITEMS),
        retires_at_ms: None,
        request_until_ms: match uses {
            Uses::Request { until_ms } => Some(until_ms),
            Uses::Single | Uses::Lasting => None,
        },
    };
    work.tx.save(&own_key(&capability), &record)?;
    work.wish(Wish::PutCapability { secret, link })?;
    tell(work, &capability)
}

/// The name of a capability.
pub(crate) fn id_of(secret: &SecretBytes) -> Result<CapabilityId, StoreError> {
    Ok(transcript::capability_id(&inbox::capability(secret)?))
}

/// What a capability that is in no link is good for.
pub(crate) struct Bounds {
    pub(crate) items_max: u64,
    pub(crate) expires_at: Option<Timestamp>,
}

/// The bounds of a capability that is in no link.
pub(crate) fn bounds(work: &Work<'_>, capability: &CapabilityId) -> Result<Bounds, StoreError> {
    let record: Option<CapabilityRecord> = work.tx.load(&own_key(capability))?;
    let Some(record) = record else {
        return Ok(Bounds { items_max: CAPABILITY_ITEMS, expires_at: None });
    };
    Ok(match record.request_until_ms {
        Some(until) => Bounds { items_max: REQUEST_ITEMS, expires_at: Some(Timestamp(until)) },
        None => {
            Bounds { items_max: record.items_max.unwrap_or(CAPABILITY_ITEMS), expires_at: None }
        }
    })
}

/// An item came by a capability: it is renewed before its bound is reached.
pub(crate) fn used(work: &mut Work<'_>, capability: &CapabilityId) -> Result<(), StoreError> {
    let key = own_key(capability);
    let Some(mut record) = work.tx.load::<CapabilityRecord>(&key)? else { return Ok(()) };
    record.seen = record.seen.saturating_add(1);
    let low =
        record.items_max.is_some_and(|most| most.saturating_sub(record.seen) < RENEW_ITEMS_LEFT);
    // spec: IDN-061
    if low && record.retires_at_ms.is_none() {
        record.items_max = Some(record.seen.saturating_add(CAPABILITY_ITEMS));
        work.wish(Wish::PutCapability { secret: record.secret.clone(), link: record.link })?;
    }
    work.tx.save(&key, &record)
}

/// The relay may have lost the capabilities that this device made: those that are in no link are put
/// there again (spec: CLI-182).
pub(crate) fn put_again(work: &mut Work<'_>) -> Result<(), StoreError> {
    let mut waiting = AtInbox::waiting(work)?;
    for row in work.tx.list::<CapabilityRecord>(OWN_PREFIX, usize::MAX)? {
        if row.record.link.is_none() {
            let put = Wish::PutCapability { secret: row.record.secret, link: None };
            waiting.wish(work, put)?;
        }
    }
    Ok(())
}

/// Another capability takes this one's place; it still works for a while (spec: IDN-062).
pub(crate) fn retire(work: &Work<'_>, capability: &CapabilityId) -> Result<(), StoreError> {
    let key = own_key(capability);
    let Some(mut record) = work.tx.load::<CapabilityRecord>(&key)? else { return Ok(()) };
    record.retires_at_ms = Some(retirement(work.now).0);
    work.tx.save(&key, &record)
}

/// Another own capability takes this one's place; own devices that have not heard of it yet still write by
/// this one (spec: IDN-075). Gives those for which there is no room any more.
pub(crate) fn keep_a_while(
    work: &Work<'_>,
    record: &mut InboxRecord,
    capability: CapabilityId,
) -> Vec<OldCapability> {
    // It is renewed no more.
    work.tx.remove(Table::Profile, &own_key(&capability));
    let kept = &mut record.earlier_capabilities;
    kept.retain(|earlier| earlier.capability != capability);
    kept.push(OldCapability { capability, until_ms: retirement(work.now).0 });
    kept.drain(..kept.len().saturating_sub(EARLIER_MAX)).collect()
}

/// Ends these earlier own capabilities.
pub(crate) fn end(work: &mut Work<'_>, ended: Vec<OldCapability>) -> Result<(), StoreError> {
    for earlier in ended {
        revoke(work, earlier.capability)?;
    }
    Ok(())
}

/// Ends the earlier own capabilities of which this holds (spec: IDN-057, IDN-062).
pub(crate) fn end_earlier(
    work: &mut Work<'_>,
    ends: impl Fn(&OldCapability) -> bool,
) -> Result<(), StoreError> {
    let mut record = inbox::required(work)?;
    let ended: Vec<OldCapability> =
        record.earlier_capabilities.extract_if(.., |earlier| ends(earlier)).collect();
    if ended.is_empty() {
        return Ok(());
    }
    work.tx.save(InboxRecord::KEY, &record)?;
    end(work, ended)
}

/// When what is replaced now ends.
pub(crate) fn retirement(now: Timestamp) -> Timestamp {
    now.plus_ms(RETIRE_AFTER_MS)
}

/// None ends later than one that is replaced now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let latest_ms = retirement(work.now).0;
    for Keyed { key, mut record } in work.tx.list::<CapabilityRecord>(OWN_PREFIX, usize::MAX)? {
        if record.retires_at_ms.is_some_and(|at| at > latest_ms) {
            record.retires_at_ms = Some(latest_ms);
            work.tx.save(&key, &record)?;
        }
    }
    let Some(mut record) = work.tx.load::<InboxRecord>(InboxRecord::KEY)? else { return Ok(()) };
    let late = |earlier: &OldCapability| earlier.until_ms > latest_ms;
    if record.earlier_capabilities.iter().any(late) {
        for earlier in record.earlier_capabilities.iter_mut().filter(|earlier| late(earlier)) {
            earlier.until_ms = latest_ms;
        }
        work.tx.save(InboxRecord::KEY, &record)?;
    }
    Ok(())
}

/// Ends a capability now.
pub(crate) fn revoke(work: &mut Work<'_>, capability: CapabilityId) -> Result<(), StoreError> {
    work.tx.remove(Table::Profile, &own_key(&capability));
    // What still waits to make it known would bring it back.
    for put in wish::puts_of(work, &capability)? {
        work.settle(put);
    }
    work.wish(Wish::RevokeCapability { capability })?;
    Ok(())
}

/// Ends the capabilities whose time is over.
pub(crate) fn tend(work: &mut Work<'_>) -> Result<(), StoreError> {
    for Keyed { key, record } in work.tx.list::<CapabilityRecord>(OWN_PREFIX, usize::MAX)? {
        if record.retires_at_ms.is_some_and(|at| at <= work.now.0) {
            let capability = id_in(&key, OWN_PREFIX)?;
            revoke(work, capability)?;
        }
    }
    let now_ms = work.now.0;
    end_earlier(work, |earlier| earlier.until_ms <= now_ms)
}

/// Tells own devices, if there are any, of a capability.
fn tell(work: &mut Work<'_>, capability: &CapabilityId) -> Result<(), StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    if devices::device_list(work)?.devices().len() < 2 {
        return Ok(());
    }
    let entry = entry(&identity.device, capability);
    control::send(work, &identity.own_group, vec![entry])
}

/// Layout: device, capability id (spec: IDN-055).
fn entry(device: &DeviceId, capability: &CapabilityId) -> ControlEntry {
    let payload = CapabilityMade { device: *device, capability: *capability }.to_payload();
    ControlEntry { kind: ControlKind::CapabilityMade, payload }
}

/// What a device that just came in has to know: every capability, and whose it is.
pub(crate) fn entries(work: &Work<'_>) -> Result<Vec<ControlEntry>, StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?.device;
    let mut entries = Vec::new();
    for row in work.tx.list::<CapabilityRecord>(OWN_PREFIX, usize::MAX)? {
        entries.push(entry(&me, &id_in(&row.key, OWN_PREFIX)?));
    }
    for row in work.tx.list::<ToldRecord>(TOLD_PREFIX, usize::MAX)? {
        entries.push(entry(&row.record.device, &id_in(&row.key, TOLD_PREFIX)?));
    }
    Ok(entries)
}

/// Another own device says that a capability is there.
pub(crate) fn take_told(work: &Work<'_>, payload: &[u8]) -> Result<(), StoreError> {
    let Some(CapabilityMade { device, capability }) = CapabilityMade::of_payload(payload) else {
        return Ok(());
    };
    let me = work.identity()?.ok_or(StoreError::Damaged)?.device;
    if device == me {
        return Ok(());
    }
    let key = [TOLD_PREFIX, capability.as_bytes()].concat();
    work.tx.save(&key, &ToldRecord { device })
}

/// Ends the capabilities of a device that is revoked (spec: IDN-057).
pub(crate) fn revoke_of(work: &mut Work<'_>, device: &DeviceId) -> Result<(), StoreError> {
    for Keyed { key, record } in work.tx.list::<ToldRecord>(TOLD_PREFIX, usize::MAX)? {
        if record.device == *device {
            work.tx.remove(Table::Profile, &key);
            let capability = id_in(&key, TOLD_PREFIX)?;
            work.wish(Wish::RevokeCapability { capability })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        revoking::{self, Replaced},
        work::trial::with_profile,
    };

    #[test]
    fn an_earlier_own_capability_ends_by_the_clock_as_it_is() {
        // spec: CLI-137, IDN-075
        with_profile(|work, _| {
            let ends = |work: &Work<'_>| -> Vec<u64> {
                let record = inbox::required(work).unwrap();
                record.earlier_capabilities.iter().map(|earlier| earlier.until_ms).collect()
            };
            revoking::renew_keys(work, Replaced::StaysAWhile).unwrap();
            assert_eq!(ends(work), [retirement(work.now).0]);
            cut_times(work).unwrap();
            assert_eq!(ends(work), [retirement(work.now).0]);
            // It was drawn by a clock that was a year ahead.
            work.now = Timestamp(work.now.0 - 365 * 24 * 60 * 60 * 1000);
            cut_times(work).unwrap();
            assert_eq!(ends(work), [retirement(work.now).0]);
        });
    }
}
