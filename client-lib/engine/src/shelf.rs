//! This device's shelf: keeping it full, and which of its key packages can still be used.
//!
//! Whoever has a capability takes key packages and need not use them, and a relay can say what it
//! likes of a shelf. So their number is bounded, and their private parts are deleted when nothing
//! that is for them can come any more.

use hushwire_protocol::group::{KeyPackageReference, OwnKeyPackage};
use hushwire_wire::{
    error::Code,
    message::{Answer, Handle, PackageKind, PackageKindsPresent, Request, ShelfBefore},
};
use serde::{Deserialize, Serialize};

use crate::{
    inbox, log, packages,
    record::{InboxRecord, Keyed, Record, by_number, number_of},
    refreshing,
    store::{StoreError, Table},
    work::Work,
};

/// Key packages that a full shelf holds.
const SHELF_PACKAGES: u64 = 20;
/// With fewer, it is filled up.
const SHELF_PACKAGES_LEAST: u64 = 10;
/// Key packages of one kind whose private parts are kept (spec: CLI-089).
const PACKAGES_MAX: usize = 200;
/// The age at which the package of last resort is replaced, in milliseconds (spec: CLI-090).
const LAST_RESORT_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// The age at which one that was used is, in milliseconds (spec: CLI-090).
const LAST_RESORT_REST_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a package that is off the shelf can be used, in milliseconds: as long as relays keep
/// the item that uses it, and a day more (spec: CLI-091).
const KEEP_MS: u64 = 91 * 24 * 60 * 60 * 1000;

const PREFIX: &[u8] = b"package ";

/// A key package of this device, by the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackageNumber(u64);

/// A key package whose private part is in the store. Key: `package `, number.
#[derive(Serialize, Deserialize)]
struct PackageRecord {
    reference: serde_bytes::ByteArray<32>,
    kind: Kind,
    made_at_ms: u64,
    /// The relay said that it has it.
    stored: bool,
    /// A group was joined by it.
    used: bool,
    /// When this device learned that it is not on the shelf any more.
    off_since_ms: Option<u64>,
    /// Which clearing of the shelf it was made after.
    #[serde(default)]
    clearing: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Single,
    LastResort,
}

impl Record for PackageRecord {
    const TABLE: Table = Table::Profile;
}

/// What is on this device's shelf, as the relay says.
pub(crate) struct Shelf {
    pub(crate) packages: u64,
    pub(crate) last_resort: PackageKindsPresent,
}

/// A key package on its way to the shelf.
pub(crate) struct Put {
    pub(crate) request: Request,
    pub(crate) package: PackageNumber,
    pub(crate) before: ShelfBefore,
}

fn row_key(number: PackageNumber) -> Vec<u8> {
    [PREFIX, &by_number(number.0)].concat()
}

fn rows(work: &Work<'_>, kind: Kind) -> Result<Vec<Keyed<PackageRecord>>, StoreError> {
    let mut rows = work.tx.list::<PackageRecord>(PREFIX, usize::MAX)?;
    rows.retain(|row| row.record.kind == kind);
    Ok(rows)
}

/// What has to be put on the shelf so that it is full (spec: CLI-089).
pub(crate) fn fill(
    work: &mut Work<'_>,
    handle: Handle,
    shelf: &Shelf,
) -> Result<Vec<Put>, StoreError> {
    // What lies there was sealed under an earlier shelf key (spec: IDN-058).
    let stale = inbox::required(work)?.shelf_stale;
    if !stale {
        note_taken(work, shelf.packages)?;
    }
    let mut puts = Vec::new();
    let last_resorts = rows(work, Kind::LastResort)?;
    if stale {
        forget_unanswered(work, &last_resorts)?;
        puts.push(put(work, handle, PackageKind::LastResort, ShelfBefore::Clear)?);
    } else if last_resorts.len() < PACKAGES_MAX
        && (shelf.last_resort == PackageKindsPresent::SingleOnly
            || last_resorts.last().is_none_or(|newest| is_over(work, &newest.record)))
    {
        puts.push(put(work, handle, PackageKind::LastResort, ShelfBefore::Keep)?);
    }
    let there = if stale { 0 } else { shelf.packages };
    let missing = if there < SHELF_PACKAGES_LEAST { SHELF_PACKAGES - there } else { 0 };
    let room = PACKAGES_MAX.saturating_sub(rows(work, Kind::Single)?.len());
    for _ in 0..missing.min(u64::try_from(room).unwrap_or(u64::MAX)) {
        puts.push(put(work, handle, PackageKind::Single, ShelfBefore::Keep)?);
    }
    Ok(puts)
}

/// Makes room for one more last resort: a relay that answers no put would have one made each time
/// that it is asked what it has (spec: CLI-112).
fn forget_unanswered(
    work: &mut Work<'_>,
    last_resorts: &[Keyed<PackageRecord>],
) -> Result<(), StoreError> {
    let surplus = (last_resorts.len() + 1).saturating_sub(PACKAGES_MAX);
    let unanswered = last_resorts.iter().filter(|row| !row.record.stored);
    unanswered.take(surplus).try_for_each(|row| forget(work, row))
}

/// The relay may have packages on the shelf that were used already: they are replaced, as long as
/// there is room for others (spec: CLI-095).
pub(crate) fn doubt(work: &Work<'_>) -> Result<(), StoreError> {
    if rows(work, Kind::LastResort)?.len() < PACKAGES_MAX {
        let mut inbox = inbox::required(work)?;
        inbox.clear_shelf();
        work.tx.save(InboxRecord::KEY, &inbox)?;
    }
    Ok(())
}

/// Whether a package of last resort is to be replaced (spec: CLI-090).
fn is_over(work: &Work<'_>, newest: &PackageRecord) -> bool {
    let age = work.now.0.saturating_sub(newest.made_at_ms);
    age >= LAST_RESORT_LIFE_MS || (newest.used && age >= LAST_RESORT_REST_MS)
}

/// The relay gives out the oldest first, so those that are left are the newest. One whose put was
/// never answered may be among them or not.
fn note_taken(work: &Work<'_>, left: u64) -> Result<(), StoreError> {
    let mut rows = rows(work, Kind::Single)?;
    rows.retain(|row| row.record.off_since_ms.is_none());
    let unsure = rows.iter().filter(|row| !row.record.stored).count();
    let left = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(unsure);
    let taken = rows.len().saturating_sub(left);
    for row in rows.into_iter().take(taken) {
        note_off(work, row)?;
    }
    Ok(())
}

fn note_off(work: &Work<'_>, mut row: Keyed<PackageRecord>) -> Result<(), StoreError> {
    if row.record.off_since_ms.is_none() {
        row.record.off_since_ms = Some(work.now.0);
        work.tx.save(&row.key, &row.record)?;
    }
    Ok(())
}

/// A fresh key package for the shelf. Its private part is stored before the request can leave
/// (spec: CLI-046).
fn put(
    work: &mut Work<'_>,
    handle: Handle,
    kind: PackageKind,
    before: ShelfBefore,
) -> Result<Put, StoreError> {
    let OwnKeyPackage { reference, bytes, .. } = packages::generate(work, kind)?;
    let number = PackageNumber(work.count(|counters| &mut counters.package)?);
    let inbox = inbox::required(work)?;
    let record = PackageRecord {
        reference: serde_bytes::ByteArray::new(*reference.as_bytes()),
        kind: match kind {
            PackageKind::Single => Kind::Single,
            PackageKind::LastResort => Kind::LastResort,
        },
        made_at_ms: work.now.0,
        stored: false,
        used: false,
        off_since_ms: None,
        clearing: inbox.shelf_clearing,
    };
    work.tx.save(&row_key(number), &record)?;
    let slot = work.identity()?.ok_or(StoreError::Damaged)?.slot;
    let sealed = inbox
        .shelf_key()?
        .seal_package(&inbox.inbox, &slot, &bytes, work.rng)
        .map_err(|_| StoreError::Failed)?;
    let request = Request::ShelfPut { handle, package: sealed.into(), kind, before };
    Ok(Put { request, package: number, before })
}

/// The relay answered a put. What it refused is deleted; what stands in the place of others ends
/// these (spec: CLI-091).
pub(crate) fn answered(
    work: &mut Work<'_>,
    number: PackageNumber,
    before: ShelfBefore,
    answer: &Answer,
) -> Result<(), StoreError> {
    let key = row_key(number);
    let Some(mut record) = work.tx.load::<PackageRecord>(&key)? else { return Ok(()) };
    match answer {
        Answer::ShelfState { .. } => {}
        // It may have taken it.
        Answer::Refused(refusal) if refusal.code == Code::Internal => return Ok(()),
        Answer::Refused(_) => return forget(work, &Keyed { key, record }),
        _ => return Ok(()),
    }
    record.stored = true;
    work.tx.save(&key, &record)?;
    let earlier = work.tx.list::<PackageRecord>(PREFIX, usize::MAX)?.into_iter();
    for row in earlier.filter(|row| number_of(&row.key).is_some_and(|row| row < number.0)) {
        let replaced = record.kind == Kind::LastResort && row.record.kind == Kind::LastResort;
        if replaced || before == ShelfBefore::Clear {
            note_off(work, row)?;
        }
    }
    let mut inbox = inbox::required(work)?;
    if before == ShelfBefore::Clear && record.clearing == inbox.shelf_clearing {
        inbox.shelf_stale = false;
        work.tx.save(InboxRecord::KEY, &inbox)?;
        refreshing::check_done(work)?;
    }
    Ok(())
}

/// Keeps the private part of a key package that goes to no shelf, for as long as something can come by
/// it (spec: CLI-091).
pub(crate) fn keep_off(work: &Work<'_>, reference: &KeyPackageReference) -> Result<(), StoreError> {
    let number = PackageNumber(work.count(|counters| &mut counters.package)?);
    let record = PackageRecord {
        reference: serde_bytes::ByteArray::new(*reference.as_bytes()),
        kind: Kind::Single,
        made_at_ms: work.now.0,
        stored: true,
        used: false,
        off_since_ms: Some(work.now.0),
        clearing: 0,
    };
    work.tx.save(&row_key(number), &record)
}

/// Whether a key package is this device's.
pub(crate) fn has(work: &Work<'_>, package: &KeyPackageReference) -> Result<bool, StoreError> {
    let rows = work.tx.list::<PackageRecord>(PREFIX, usize::MAX)?;
    Ok(rows.iter().any(|row| *package.as_bytes() == *row.record.reference))
}

/// A group was joined by a key package: MLS deleted the private part of one for a single use.
pub(crate) fn used(work: &Work<'_>, package: &KeyPackageReference) -> Result<(), StoreError> {
    for mut row in work.tx.list::<PackageRecord>(PREFIX, usize::MAX)? {
        if *package.as_bytes() != *row.record.reference {
            continue;
        }
        match row.record.kind {
            Kind::Single => work.tx.remove(Table::Profile, &row.key),
            Kind::LastResort => {
                row.record.used = true;
                work.tx.save(&row.key, &row.record)?;
            }
        }
    }
    Ok(())
}

/// Deletes the private parts of key packages that nothing can come for any more. The inbox was read
/// to its end (spec: CLI-091).
pub(crate) fn tend(work: &mut Work<'_>) -> Result<(), StoreError> {
    for row in work.tx.list::<PackageRecord>(PREFIX, usize::MAX)? {
        let off = row.record.off_since_ms;
        if off.is_some_and(|off| off.saturating_add(KEEP_MS) <= work.now.0) {
            forget(work, &row)?;
        }
    }
    Ok(())
}

/// No package was made, or taken off the shelf, later than now (spec: CLI-137).
pub(crate) fn cut_times(work: &Work<'_>) -> Result<(), StoreError> {
    let now_ms = work.now.0;
    for mut row in work.tx.list::<PackageRecord>(PREFIX, usize::MAX)? {
        let off_since_ms = row.record.off_since_ms.map(|off| off.min(now_ms));
        if row.record.made_at_ms > now_ms || row.record.off_since_ms != off_since_ms {
            row.record.made_at_ms = row.record.made_at_ms.min(now_ms);
            row.record.off_since_ms = off_since_ms;
            work.tx.save(&row.key, &row.record)?;
        }
    }
    Ok(())
}

fn forget(work: &mut Work<'_>, row: &Keyed<PackageRecord>) -> Result<(), StoreError> {
    let reference = KeyPackageReference::from_bytes(*row.record.reference);
    OwnKeyPackage::forget(&work.provider(), &reference).map_err(log::store_error)?;
    work.tx.remove(Table::Profile, &row.key);
    Ok(())
}
