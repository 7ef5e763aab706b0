//! Writing an item into somebody's inbox.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{CapabilityId, InboxId, ItemId, Sequence},
    message::Repeated,
};

use super::row::{CapabilityRow, InboxRow, ItemRow, item_key, keep};
use crate::{
    news::News,
    outcome::{Effect, Refused},
    row::{RowReader, RowWriter, numbered_key},
    store::{Action, Change, Object, Read, StoreError, Table},
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
    let waiting = row.next.0.saturating_sub(first.0);
    if waiting >= u64::from(scene.limits.inbox_items_max)
        || has_its_share(scene, inbox, capability, &grant, first)?
    {
        return Err(Code::InboxFull.into());
    }
    let stored = ItemRow { capability: *capability, stored_at: scene.now, item: content.clone() };
    // spec: INB-023
    let expires = Some(scene.now.plus_ms(scene.limits.item_retention_ms));
    // spec: INB-026
    let place = RowWriter::new(8).sequence(row.next).finish();
    let items_written = grant.items_written.saturating_add(1);
    let counted = CapabilityRow { items_written, ..grant.clone() };
    let changes = vec![
        Change {
            table: Table::Item,
            key: item_key(row.next),
            action: Action::Put { value: stored.encode(), expires },
        },
        Change {
            table: Table::ItemPlace,
            key: item.to_field(),
            action: Action::Put { value: place.clone(), expires },
        },
        Change {
            table: Table::CapabilityItem,
            key: numbered_key(capability.as_bytes(), grant.items_written),
            action: Action::Put { value: place, expires },
        },
        InboxRow { next: row.next.next(), ..row }.kept(),
        keep(Table::Capability, capability.to_field(), counted.encode()),
    ];
    let effect = sent(inbox, item, Repeated::First);
    Ok(Planned { changes, effect, news: Some(News::Inbox(*inbox)), hold: None })
}

/// Whether as many items of the capability wait as it may have there: the one that many before the
/// next is not gone yet, and items go in their order (spec: INB-025).
fn has_its_share<V: Read>(
    scene: &Scene<'_, V>,
    inbox: &InboxId,
    capability: &CapabilityId,
    grant: &CapabilityRow,
    first: Sequence,
) -> Result<bool, StoreError> {
    let share = u64::from(scene.limits.capability_items_max);
    let Some(number) = grant.items_written.checked_sub(share) else { return Ok(false) };
    let key = numbered_key(capability.as_bytes(), number);
    let value = scene.view.row(&Object::Inbox(*inbox), Table::CapabilityItem, &key, scene.now)?;
    let place = value.map(|value| RowReader::new(value)?.sequence()).transpose()?;
    Ok(place.is_some_and(|place| place >= first))
}

const fn sent(inbox: &InboxId, item: &ItemId, repeated: Repeated) -> Effect {
    Effect::InboxSent { inbox: *inbox, item: *item, repeated }
}
