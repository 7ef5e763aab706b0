//! Capabilities: who shows the secret may write, and see the card.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{CapabilityId, InboxId, Timestamp},
};

use super::row::{CapabilityRow, InboxRow, ONLY, keep, remove};
use crate::{
    outcome::{Effect, Refused},
    row::RowReader,
    store::{Object, Read, Table},
    write::{InboxDoor, Planned, Scene},
};

/// A capability as its owner wants it.
pub(crate) struct Put<'a> {
    pub(crate) capability: &'a CapabilityId,
    pub(crate) items_max: Option<u64>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) card: &'a Bytes,
}

impl Put<'_> {
    /// A replaced capability keeps its count of items (spec: INB-005).
    pub(crate) fn plan<V: Read>(
        &self,
        scene: &Scene<'_, V>,
        door: &InboxDoor,
    ) -> Result<Planned, Refused> {
        let inbox = InboxRow::behind(scene.view, scene.now, door)?;
        let before = CapabilityRow::load(scene.view, scene.now, &door.inbox, self.capability)?;
        let row = CapabilityRow {
            items_max: self.items_max,
            items_written: before.as_ref().map_or(0, |before| before.items_written),
            expires_at: self.expires_at,
            card: self.card.clone(),
        };
        let mut changes = vec![keep(Table::Capability, self.capability.to_field(), row.encode())];
        if before.is_none() {
            if inbox.capabilities >= scene.limits.capabilities_max {
                return Err(Code::LimitExceeded.into());
            }
            let capabilities = inbox.capabilities.saturating_add(1);
            changes.push(InboxRow { capabilities, ..inbox }.kept());
        }
        Ok(Planned::quiet(changes, Effect::Done))
    }
}

/// Removes a capability; an unknown one is gone already (spec: INB-005, INB-027).
pub(crate) fn plan_revoke<V: Read>(
    scene: &Scene<'_, V>,
    door: &InboxDoor,
    capability: &CapabilityId,
) -> Result<Planned, Refused> {
    let inbox = InboxRow::behind(scene.view, scene.now, door)?;
    if CapabilityRow::load(scene.view, scene.now, &door.inbox, capability)?.is_none() {
        return Ok(Planned::quiet(Vec::new(), Effect::Done));
    }
    let capabilities = inbox.capabilities.saturating_sub(1);
    let changes = vec![
        remove(Table::Capability, capability.to_field()),
        InboxRow { capabilities, ..inbox }.kept(),
    ];
    Ok(Planned::quiet(changes, Effect::Done))
}

/// The card of a capability, and the device list (spec: INB-020).
pub(crate) fn ask_card(
    view: &impl Read,
    now: Timestamp,
    inbox: &InboxId,
    capability: &CapabilityId,
) -> Result<Effect, Refused> {
    let row = CapabilityRow::shown(view, now, inbox, capability)?.unspent()?;
    let list = view.row(&Object::Inbox(*inbox), Table::DeviceList, ONLY, now)?;
    let device_list = match list {
        Some(value) => RowReader::new(value)?.rest(),
        None => Bytes::new(),
    };
    Ok(Effect::Card { card: row.card, device_list })
}
