//! Writing an item into somebody's inbox.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{CapabilityId, InboxId, ItemId},
    message::Repeated,
};

use super::row::{CapabilityRow, InboxRow, ItemRow, item_key, keep};
use crate::{
    news::News,
    outcome::{Effect, Refused},
    row::RowWriter,
    store::{Action, Change, Object, Read, Table},
    write::{Planned, Scene},
};

/// The order of the checks is the table of spec/inboxes.md.
pub(crate) fn plan<V: Read>(
    scene: &Scene<'_, V>,
    inbox: &InboxId,
    capability: &CapabilityId,
    item: &ItemId,
    content: &Bytes,
) -> Result<Planned, Refused> {
    let grant = CapabilityRow::shown(scene.view, scene.now, inbox, capability)?;
    let row = InboxRow::load(scene.view, scene.now, inbox)?.ok_or(Code::Denied)?;
    let object = Object::Inbox(*inbox);
    // spec: INB-007: before the quotas, so that a repeat is counted once.
    if scene.view.row(&object, Table::ItemPlace, item.as_bytes(), scene.now)?.is_some() {
        return Ok(Planned::quiet(Vec::new(), sent(inbox, item, Repeated::Again)));
    }
    // spec: INB-008
    let grant = grant.unspent()?;
    // spec: INB-009
    let first = row.first_item(scene.view, scene.now, inbox)?;
    if row.next.0.saturating_sub(first.0) >= u64::from(scene.limits.inbox_items_max) {
        return Err(Code::InboxFull.into());
    }
    let stored = ItemRow { capability: *capability, stored_at: scene.now, item: content.clone() };
    // spec: INB-023
    let expires = Some(scene.now.plus_ms(scene.limits.item_retention_ms));
    let place = RowWriter::new(8).sequence(row.next).finish();
    let mut changes = vec![
        Change {
            table: Table::Item,
            key: item_key(row.next),
            action: Action::Put { value: stored.encode(), expires },
        },
        Change {
            table: Table::ItemPlace,
            key: item.to_field(),
            action: Action::Put { value: place, expires },
        },
        InboxRow { next: row.next.next(), ..row }.kept(),
    ];
    // A capability without a bound is not rewritten for each item.
    if grant.items_max.is_some() {
        let items_written = grant.items_written.saturating_add(1);
        let grant = CapabilityRow { items_written, ..grant };
        changes.push(keep(Table::Capability, capability.to_field(), grant.encode()));
    }
    let effect = sent(inbox, item, Repeated::First);
    Ok(Planned { changes, effect, news: Some(News::Inbox(*inbox)), hold: None })
}

const fn sent(inbox: &InboxId, item: &ItemId, repeated: Repeated) -> Effect {
    Effect::InboxSent { inbox: *inbox, item: *item, repeated }
}
