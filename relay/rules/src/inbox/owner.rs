//! Creating, opening and rotating an inbox, and its device list.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{InboxId, PublicKey, Sequence, SlotId, Timestamp},
    message::PackageKindsPresent,
};

use super::row::{InboxRow, ONLY, SlotRow, keep};
use crate::{
    inbox::slot,
    lookup::Proof,
    news::News,
    outcome::{Effect, Refused},
    store::{Read, Table},
    write::{InboxDoor, Planned, Scene},
};

/// The session has verified that the creator holds `owner` (spec: INB-001).
pub(crate) fn plan_create<V: Read>(
    scene: &Scene<'_, V>,
    inbox: &InboxId,
    owner: &PublicKey,
) -> Result<Planned, Refused> {
    match InboxRow::load(scene.view, scene.now, inbox)? {
        Some(row) if row.owner == *owner => Ok(Planned::quiet(Vec::new(), Effect::Done)),
        Some(_) => Err(Code::AlreadyExists.into()),
        None => {
            let row = InboxRow {
                owner: *owner,
                next: Sequence::FIRST,
                floor: Sequence::FIRST,
                capabilities: 0,
            };
            Ok(Planned::quiet(vec![row.kept()], Effect::Done))
        }
    }
}

/// Whether `proof` opens the inbox (spec: INB-002).
pub(crate) fn ask_open(
    view: &impl Read,
    now: Timestamp,
    inbox: &InboxId,
    slot: &SlotId,
    proof: &Proof,
) -> Result<Effect, Refused> {
    let row = InboxRow::load(view, now, inbox)?;
    let owner = proof.check(row.map(|row| row.owner))?;
    Ok(Effect::InboxProven { inbox: *inbox, slot: *slot, owner })
}

/// Opens an inbox for a slot, which is made, or comes back to life (spec: INB-012, INB-014).
pub(crate) fn plan_open<V: Read>(
    scene: &Scene<'_, V>,
    door: &InboxDoor,
) -> Result<Planned, Refused> {
    let row = InboxRow::behind(scene.view, scene.now, door)?;
    let slot = match SlotRow::load(scene.view, scene.now, &door.inbox, &door.slot)? {
        Some(slot) => SlotRow {
            cursor: slot.cursor.max(row.floor),
            seen_at: scene.now.max(slot.seen_at),
            ..slot
        },
        None => {
            let slots = slot::all(scene.view, scene.now, &door.inbox)?;
            if slots.len() >= usize::from(scene.limits.slots_max) {
                return Err(Code::LimitExceeded.into());
            }
            SlotRow {
                cursor: row.floor,
                seen_at: scene.now,
                next_package: 0,
                packages: 0,
                last_resort: PackageKindsPresent::SingleOnly,
            }
        }
    };
    let effect = Effect::InboxOpened {
        inbox: door.inbox,
        slot: door.slot,
        owner: door.owner,
        cursor: slot.cursor,
        next: row.next,
    };
    Ok(Planned::quiet(vec![slot.kept(&door.slot)], effect))
}

/// The session has verified that who asks holds `next_owner` (spec: INB-010).
pub(crate) fn plan_rotate<V: Read>(
    scene: &Scene<'_, V>,
    door: &InboxDoor,
    next_owner: &PublicKey,
) -> Result<Planned, Refused> {
    let row = InboxRow::behind(scene.view, scene.now, door)?;
    let effect = Effect::InboxRotated { inbox: door.inbox, before: door.owner, owner: *next_owner };
    if row.owner == *next_owner {
        return Ok(Planned::quiet(Vec::new(), effect));
    }
    let row = InboxRow { owner: *next_owner, ..row };
    // Readings of the old key find out that they are over (spec: INB-011).
    Ok(Planned {
        changes: vec![row.kept()],
        effect,
        news: Some(News::Inbox(door.inbox)),
        hold: None,
    })
}

/// Replaces the sealed device list (spec: INB-021).
pub(crate) fn plan_device_list<V: Read>(
    scene: &Scene<'_, V>,
    door: &InboxDoor,
    device_list: &Bytes,
) -> Result<Planned, Refused> {
    InboxRow::behind(scene.view, scene.now, door)?;
    let value = crate::row::RowWriter::new(device_list.len()).fixed(device_list).finish();
    let change = keep(Table::DeviceList, Bytes::from_static(ONLY), value);
    Ok(Planned::quiet(vec![change], Effect::Done))
}
