//! Shelves: sealed key packages of each device, handed out one by one.

use bytes::Bytes;
use hushwire_wire::{
    error::{Code, Refusal},
    id::{CapabilityId, InboxId, SlotId, Timestamp},
    message::{PackageKind, PackageKindsPresent, ShelfBefore},
};

use super::{
    row::{CapabilityRow, InboxRow, LAST_RESORT, SlotRow, keep, package_key, remove},
    slot::clear_shelf,
};
use crate::{
    outcome::{Effect, Refused},
    row::{RowReader, RowWriter},
    store::{Action, Change, Object, Read, StoreError, Table},
    write::{InboxDoor, Planned, Scene},
};

/// Puts a package on the shelf of the handle's slot (spec: INB-018).
pub(crate) fn plan_put<V: Read>(
    scene: &Scene<'_, V>,
    door: &InboxDoor,
    package: &Bytes,
    kind: PackageKind,
    before: ShelfBefore,
) -> Result<Planned, Refused> {
    InboxRow::behind(scene.view, scene.now, door)?;
    let mut slot = SlotRow::behind(scene.view, scene.now, door)?;
    let mut changes = Vec::new();
    if before == ShelfBefore::Clear {
        changes.extend(clear_shelf(&door.slot, &slot));
        slot.packages = 0;
        slot.last_resort = PackageKindsPresent::SingleOnly;
    }
    let number = match kind {
        PackageKind::LastResort => {
            slot.last_resort = PackageKindsPresent::WithLastResort;
            LAST_RESORT
        }
        PackageKind::Single => {
            if slot.packages >= scene.limits.shelf_packages_max {
                return Err(Code::LimitExceeded.into());
            }
            let number = slot.next_package;
            slot.packages = slot.packages.saturating_add(1);
            slot.next_package = number.saturating_add(1);
            number
        }
    };
    let value = RowWriter::new(package.len()).fixed(package).finish();
    changes.push(keep(Table::Shelf, package_key(&door.slot, number), value));
    changes.push(slot.kept(&door.slot));
    Ok(Planned::quiet(changes, state(&slot)))
}

/// What is on the shelf of the handle's slot.
pub(crate) fn ask_status(
    view: &impl Read,
    now: Timestamp,
    door: &InboxDoor,
) -> Result<Effect, Refused> {
    InboxRow::behind(view, now, door)?;
    Ok(state(&SlotRow::behind(view, now, door)?))
}

fn state(slot: &SlotRow) -> Effect {
    Effect::ShelfState { packages: slot.packages.into(), last_resort: slot.last_resort }
}

/// Takes one package of a device: the oldest single-use one, which is gone then, else the last
/// resort, which stays (spec: INB-019). Who has taken many gets the last resort, so that one holder
/// of a link leaves something to the others (spec: INB-024).
pub(crate) fn plan_take<V: Read>(
    scene: &Scene<'_, V>,
    inbox: &InboxId,
    capability: &CapabilityId,
    slot: &SlotId,
) -> Result<Planned, Refused> {
    CapabilityRow::shown(scene.view, scene.now, inbox, capability)?.unspent()?;
    let Some(row) = SlotRow::load(scene.view, scene.now, inbox, slot)? else {
        return Err(Code::ShelfEmpty.into());
    };
    let takes = Takes::load(scene, inbox, capability, slot)?;
    let spent = takes.count >= scene.limits.shelf_takes_max;
    if row.packages > 0 && !spent {
        let key = package_key(slot, row.first_package());
        let package = package(scene, inbox, &key)?;
        let row = SlotRow { packages: row.packages.saturating_sub(1), ..row };
        let changes =
            vec![remove(Table::Shelf, key), row.kept(slot), takes.one_more(capability, slot)];
        let effect = Effect::KeyPackage { package, kind: PackageKind::Single };
        return Ok(Planned::quiet(changes, effect));
    }
    match row.last_resort {
        PackageKindsPresent::WithLastResort => {
            let package = package(scene, inbox, &package_key(slot, LAST_RESORT))?;
            let effect = Effect::KeyPackage { package, kind: PackageKind::LastResort };
            Ok(Planned::quiet(Vec::new(), effect))
        }
        PackageKindsPresent::SingleOnly if row.packages > 0 => {
            let wait_ms = takes.until.ms_since(scene.now);
            Err(Refusal::later(Code::ShelfEmpty, wait_ms).into())
        }
        PackageKindsPresent::SingleOnly => Err(Code::ShelfEmpty.into()),
    }
}

/// How many single-use packages a capability has taken from a shelf, and until when they count.
/// The row goes by its time, and the count with it (spec: INB-024).
struct Takes {
    count: u16,
    until: Timestamp,
}

impl Takes {
    fn load<V: Read>(
        scene: &Scene<'_, V>,
        inbox: &InboxId,
        capability: &CapabilityId,
        slot: &SlotId,
    ) -> Result<Self, StoreError> {
        let key = takes_key(capability, slot);
        let value = scene.view.row(&Object::Inbox(*inbox), Table::ShelfTakes, &key, scene.now)?;
        let Some(value) = value else {
            let until = scene.now.plus_ms(scene.limits.shelf_takes_window_ms);
            return Ok(Self { count: 0, until });
        };
        let mut row = RowReader::new(value)?;
        let takes = Self { count: row.u16()?, until: row.time()? };
        row.finish()?;
        Ok(takes)
    }

    /// The change that counts one more.
    fn one_more(&self, capability: &CapabilityId, slot: &SlotId) -> Change {
        let value = RowWriter::new(10).u16(self.count.saturating_add(1)).time(self.until).finish();
        let action = Action::Put { value, expires: Some(self.until) };
        Change { table: Table::ShelfTakes, key: takes_key(capability, slot), action }
    }
}

fn takes_key(capability: &CapabilityId, slot: &SlotId) -> Bytes {
    [&capability.as_bytes()[..], &slot.as_bytes()[..]].concat().into()
}

fn package<V: Read>(
    scene: &Scene<'_, V>,
    inbox: &InboxId,
    key: &Bytes,
) -> Result<Bytes, StoreError> {
    let value = scene.view.row(&Object::Inbox(*inbox), Table::Shelf, key, scene.now)?;
    // The slot's row says that it is there.
    Ok(RowReader::new(value.ok_or(StoreError::Damaged)?)?.rest())
}
