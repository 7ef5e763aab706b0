//! Slots: the cursors of an inbox's devices, and what goes when all of them have passed.

use hushwire_wire::{
    error::Code,
    id::{InboxId, Sequence, SlotId, Timestamp},
    limit::Limits,
    message::PackageKindsPresent,
};

use super::row::{InboxRow, LAST_RESORT, SlotRow, item_key, package_key, remove};
use crate::{
    outcome::{Effect, Refused},
    store::{Change, Object, Read, ReadLimit, StoreError, Table},
    write::{InboxDoor, Planned, Scene},
};

/// A slot with its name.
pub(crate) struct NamedSlot {
    pub(crate) id: SlotId,
    pub(crate) row: SlotRow,
}

/// All slots of an inbox. There are as many as `slots_max` allowed when they were made; a smaller
/// bound of today must not hide one that still holds items.
pub(crate) fn all(
    view: &impl Read,
    now: Timestamp,
    inbox: &InboxId,
) -> Result<Vec<NamedSlot>, StoreError> {
    let limit = ReadLimit { rows_max: usize::MAX, bytes_max: usize::MAX };
    let rows = view.rows(&Object::Inbox(*inbox), Table::Slot, &[], &[], limit, now)?;
    rows.into_iter()
        .map(|row| {
            let id = SlotId::from_slice(&row.key).map_err(|_| StoreError::Damaged)?;
            Ok(NamedSlot { id, row: SlotRow::decode(row.value)? })
        })
        .collect()
}

/// A slot is done with everything before `cursor` (spec: INB-015).
pub(crate) fn plan_advance<V: Read>(
    scene: &Scene<'_, V>,
    door: &InboxDoor,
    cursor: Sequence,
) -> Result<Planned, Refused> {
    let row = InboxRow::behind(scene.view, scene.now, door)?;
    let slot = SlotRow::behind(scene.view, scene.now, door)?;
    if cursor > row.next {
        return Err(Code::BeyondEnd.into());
    }
    let slot = SlotRow {
        // It never goes back: what was before it may be gone.
        cursor: slot.cursor.max(cursor),
        seen_at: scene.now.max(slot.seen_at),
        ..slot
    };
    let mut slots = all(scene.view, scene.now, &door.inbox)?;
    slots.retain(|named| named.id != door.slot);
    slots.push(NamedSlot { id: door.slot, row: slot });
    let mut changes = vec![slot.kept(&door.slot)];
    changes.extend(reclaim(scene, &door.inbox, row, &slots)?);
    Ok(Planned::quiet(changes, Effect::Done))
}

/// Removes a slot with its shelf; what only it had not passed goes too (spec: INB-017); one that is not there is gone already (spec: INB-027).
pub(crate) fn plan_drop<V: Read>(
    scene: &Scene<'_, V>,
    door: &InboxDoor,
    slot: &SlotId,
) -> Result<Planned, Refused> {
    let row = InboxRow::behind(scene.view, scene.now, door)?;
    let Some(dropped) = SlotRow::load(scene.view, scene.now, &door.inbox, slot)? else {
        return Ok(Planned::quiet(Vec::new(), Effect::Done));
    };
    let mut slots = all(scene.view, scene.now, &door.inbox)?;
    slots.retain(|named| named.id != *slot);
    let mut changes = vec![remove(Table::Slot, slot.to_field())];
    changes.extend(clear_shelf(slot, &dropped));
    changes.extend(reclaim(scene, &door.inbox, row, &slots)?);
    Ok(Planned::quiet(changes, Effect::Done))
}

/// Everything on a slot's shelf goes.
pub(crate) fn clear_shelf(slot: &SlotId, row: &SlotRow) -> Vec<Change> {
    let mut changes: Vec<Change> = (row.first_package()..row.next_package)
        .map(|number| remove(Table::Shelf, package_key(slot, number)))
        .collect();
    if row.last_resort == PackageKindsPresent::WithLastResort {
        changes.push(remove(Table::Shelf, package_key(slot, LAST_RESORT)));
    }
    changes
}

/// Deletes the items that every live slot has passed (spec: INB-016). Without a live slot nothing
/// goes but by its time.
fn reclaim<V: Read>(
    scene: &Scene<'_, V>,
    inbox: &InboxId,
    row: InboxRow,
    slots: &[NamedSlot],
) -> Result<Vec<Change>, StoreError> {
    let live = slots.iter().filter(|named| is_live(scene.limits, scene.now, &named.row));
    let Some(passed) = live.map(|named| named.row.cursor).min() else { return Ok(Vec::new()) };
    let passed = passed.min(row.next);
    if passed <= row.floor {
        return Ok(Vec::new());
    }
    // Items that expired are skipped, so the deletions are bounded by `inbox_items_max`.
    let first = row.first_item(scene.view, scene.now, inbox)?;
    let mut changes: Vec<Change> =
        (first.0..passed.0).map(|number| remove(Table::Item, item_key(Sequence(number)))).collect();
    changes.push(InboxRow { floor: passed, ..row }.kept());
    Ok(changes)
}

/// Whether a slot still holds items (spec: INB-014).
fn is_live(limits: &Limits, now: Timestamp, slot: &SlotRow) -> bool {
    now.ms_since(slot.seen_at) < limits.slot_lapse_ms
}

#[cfg(test)]
mod tests {
    use hushwire_wire::id::PublicKey;

    use super::*;
    use crate::{
        memory::MemoryStore,
        store::{Batch, Revision, Store as _},
    };

    #[test]
    fn passing_items_that_expired_costs_no_deletions() {
        // spec: INB-016
        let (inbox, slot) = (InboxId::from_bytes([1; 16]), SlotId::from_bytes([2; 16]));
        let owner = PublicKey::from_bytes([3; 32]);
        let end = Sequence(100_000);
        let row = InboxRow { owner, next: end, floor: Sequence(0), capabilities: 0 };
        let device = SlotRow {
            cursor: Sequence(0),
            seen_at: Timestamp(0),
            next_package: 0,
            packages: 0,
            last_resort: PackageKindsPresent::SingleOnly,
        };
        let mut store = MemoryStore::new();
        let changes = vec![row.kept(), device.kept(&slot)];
        let batch = Batch { object: Object::Inbox(inbox), expected: Revision(0), changes };
        store.commit(&[batch]).unwrap();

        let scene = Scene { view: &store, limits: &Limits::V1, now: Timestamp(1) };
        let door = InboxDoor { inbox, slot, owner };
        let planned = plan_advance(&scene, &door, end).unwrap();
        assert_eq!(planned.changes.len(), 2, "the slot and the inbox");
    }
}
