//! The rows of an inbox.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{CapabilityId, InboxId, PublicKey, Sequence, SlotId, Timestamp},
    message::PackageKindsPresent,
};

use crate::{
    outcome::Refused,
    row::{RowReader, RowWriter, number_of_key, numbered_key},
    store::{Action, Change, Object, Read, ReadLimit, StoreError, Table},
    write::InboxDoor,
};

/// Key of a table that has one row in each object.
pub(crate) const ONLY: &[u8] = &[];

/// A change that sets a row which does not expire.
pub(crate) fn keep(table: Table, key: Bytes, value: Bytes) -> Change {
    Change { table, key, action: Action::Put { value, expires: None } }
}

/// A change that removes a row.
pub(crate) const fn remove(table: Table, key: Bytes) -> Change {
    Change { table, key, action: Action::Delete }
}

/// An inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InboxRow {
    pub(crate) owner: PublicKey,
    pub(crate) next: Sequence,
    /// Everything before it was deleted.
    pub(crate) floor: Sequence,
    pub(crate) capabilities: u32,
}

impl InboxRow {
    pub(crate) fn encode(&self) -> Bytes {
        RowWriter::new(52)
            .fixed(self.owner)
            .sequence(self.next)
            .sequence(self.floor)
            .u32(self.capabilities)
            .finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let inbox = Self {
            owner: row.fixed(PublicKey::from_bytes)?,
            next: row.sequence()?,
            floor: row.sequence()?,
            capabilities: row.u32()?,
        };
        row.finish()?;
        Ok(inbox)
    }

    /// The inbox, if there is one.
    pub(crate) fn load(
        view: &impl Read,
        now: Timestamp,
        inbox: &InboxId,
    ) -> Result<Option<Self>, StoreError> {
        let value = view.row(&Object::Inbox(*inbox), Table::Inbox, ONLY, now)?;
        value.map(Self::decode).transpose()
    }

    /// The inbox behind a handle, if its owner key is still the one the handle was opened by
    /// (spec: INB-011).
    pub(crate) fn behind(
        view: &impl Read,
        now: Timestamp,
        door: &InboxDoor,
    ) -> Result<Self, Refused> {
        let row = Self::load(view, now, &door.inbox)?;
        row.filter(|row| row.owner == door.owner).ok_or_else(|| Code::Denied.into())
    }

    /// The change that stores it.
    pub(crate) fn kept(&self) -> Change {
        keep(Table::Inbox, Bytes::from_static(ONLY), self.encode())
    }

    /// The first item that is still there; the end if there is none.
    pub(crate) fn first_item(
        &self,
        view: &impl Read,
        now: Timestamp,
        inbox: &InboxId,
    ) -> Result<Sequence, StoreError> {
        let limit = ReadLimit { rows_max: 1, bytes_max: 1 };
        let from = item_key(self.floor);
        let rows = view.rows(&Object::Inbox(*inbox), Table::Item, &[], &from, limit, now)?;
        rows.first().map_or(Ok(self.next), |row| number_of_key(&row.key).map(Sequence))
    }
}

/// The key of an item.
pub(crate) fn item_key(sequence: Sequence) -> Bytes {
    numbered_key(&[], sequence.0)
}

/// A write capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CapabilityRow {
    pub(crate) items_max: Option<u64>,
    pub(crate) items_written: u64,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) card: Bytes,
}

impl CapabilityRow {
    pub(crate) fn encode(&self) -> Bytes {
        let row = RowWriter::new(self.card.len().saturating_add(32));
        let row = optional(row, self.items_max).u64(self.items_written);
        optional(row, self.expires_at.map(|time| time.0)).fixed(&self.card).finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        Ok(Self {
            items_max: read_optional(&mut row)?,
            items_written: row.u64()?,
            expires_at: read_optional(&mut row)?.map(Timestamp),
            card: row.rest(),
        })
    }

    /// The capability, whether it has expired or not.
    pub(crate) fn load(
        view: &impl Read,
        now: Timestamp,
        inbox: &InboxId,
        capability: &CapabilityId,
    ) -> Result<Option<Self>, StoreError> {
        let object = Object::Inbox(*inbox);
        let value = view.row(&object, Table::Capability, capability.as_bytes(), now)?;
        value.map(Self::decode).transpose()
    }

    /// The capability that a secret shows, if it is there and has not expired. An unknown inbox, an
    /// unknown capability and an expired one are the same (spec: INB-004).
    pub(crate) fn shown(
        view: &impl Read,
        now: Timestamp,
        inbox: &InboxId,
        capability: &CapabilityId,
    ) -> Result<Self, Refused> {
        let row = Self::load(view, now, inbox, capability)?;
        let valid = row.filter(|row| row.expires_at.is_none_or(|time| now < time));
        valid.ok_or_else(|| Code::Denied.into())
    }

    /// The same capability, if it can still write: one that cannot shows no card and takes no key
    /// package either, so that a used link is worth nothing (spec: INB-008).
    pub(crate) fn unspent(self) -> Result<Self, Refused> {
        let spent = self.items_max.is_some_and(|items_max| self.items_written >= items_max);
        if spent { Err(Code::CapabilitySpent.into()) } else { Ok(self) }
    }
}

fn optional(row: RowWriter, value: Option<u64>) -> RowWriter {
    row.u8(value.is_some().into()).u64(value.unwrap_or(0))
}

fn read_optional(row: &mut RowReader) -> Result<Option<u64>, StoreError> {
    let (present, value) = (row.u8()?, row.u64()?);
    match present {
        0 => Ok(None),
        1 => Ok(Some(value)),
        _ => Err(StoreError::Damaged),
    }
}

/// A device's slot, with the state of its shelf. The single-use packages have the numbers from
/// `next_package - packages` on, without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotRow {
    pub(crate) cursor: Sequence,
    pub(crate) seen_at: Timestamp,
    pub(crate) next_package: u64,
    pub(crate) packages: u16,
    pub(crate) last_resort: PackageKindsPresent,
}

impl SlotRow {
    pub(crate) fn encode(&self) -> Bytes {
        let last_resort = match self.last_resort {
            PackageKindsPresent::SingleOnly => 0,
            PackageKindsPresent::WithLastResort => 1,
        };
        RowWriter::new(27)
            .sequence(self.cursor)
            .time(self.seen_at)
            .u64(self.next_package)
            .u16(self.packages)
            .u8(last_resort)
            .finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        let (cursor, seen_at) = (row.sequence()?, row.time()?);
        let (next_package, packages) = (row.u64()?, row.u16()?);
        let last_resort = match row.u8()? {
            0 => PackageKindsPresent::SingleOnly,
            1 => PackageKindsPresent::WithLastResort,
            _ => return Err(StoreError::Damaged),
        };
        row.finish()?;
        Ok(Self { cursor, seen_at, next_package, packages, last_resort })
    }

    /// The slot, if there is one.
    pub(crate) fn load(
        view: &impl Read,
        now: Timestamp,
        inbox: &InboxId,
        slot: &SlotId,
    ) -> Result<Option<Self>, StoreError> {
        let value = view.row(&Object::Inbox(*inbox), Table::Slot, slot.as_bytes(), now)?;
        value.map(Self::decode).transpose()
    }

    /// The handle's own slot, if it was not dropped meanwhile.
    pub(crate) fn behind(
        view: &impl Read,
        now: Timestamp,
        door: &InboxDoor,
    ) -> Result<Self, Refused> {
        Self::load(view, now, &door.inbox, &door.slot)?.ok_or_else(|| Code::UnknownHandle.into())
    }

    /// The change that stores it.
    pub(crate) fn kept(&self, slot: &SlotId) -> Change {
        keep(Table::Slot, slot.to_field(), self.encode())
    }

    /// The number of the package that goes next.
    pub(crate) fn first_package(&self) -> u64 {
        self.next_package.saturating_sub(self.packages.into())
    }
}

/// Number of the last-resort package on its shelf; sorts after all single-use ones.
pub(crate) const LAST_RESORT: u64 = u64::MAX;

/// The key of a package on a shelf.
pub(crate) fn package_key(slot: &SlotId, number: u64) -> Bytes {
    numbered_key(slot.as_bytes(), number)
}

/// An item that waits in an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemRow {
    pub(crate) capability: CapabilityId,
    pub(crate) stored_at: Timestamp,
    pub(crate) item: Bytes,
}

impl ItemRow {
    pub(crate) fn encode(&self) -> Bytes {
        RowWriter::new(self.item.len().saturating_add(40))
            .fixed(self.capability)
            .time(self.stored_at)
            .fixed(&self.item)
            .finish()
    }

    pub(crate) fn decode(value: Bytes) -> Result<Self, StoreError> {
        let mut row = RowReader::new(value)?;
        Ok(Self {
            capability: row.fixed(CapabilityId::from_bytes)?,
            stored_at: row.time()?,
            item: row.rest(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip() {
        let inbox = InboxRow {
            owner: PublicKey::from_bytes([1; 32]),
            next: Sequence(2),
            floor: Sequence(1),
            capabilities: 3,
        };
        assert_eq!(InboxRow::decode(inbox.encode()), Ok(inbox));
        for (items_max, expires_at) in [(None, None), (Some(0), Some(Timestamp(9)))] {
            let card = Bytes::from_static(b"card");
            let row = CapabilityRow { items_max, items_written: 4, expires_at, card };
            assert_eq!(CapabilityRow::decode(row.encode()), Ok(row));
        }
        let both = [PackageKindsPresent::SingleOnly, PackageKindsPresent::WithLastResort];
        for last_resort in both {
            let slot = SlotRow {
                cursor: Sequence(1),
                seen_at: Timestamp(2),
                next_package: 3,
                packages: 2,
                last_resort,
            };
            assert_eq!(SlotRow::decode(slot.encode()), Ok(slot));
            assert_eq!(slot.first_package(), 1);
        }
        let item = ItemRow {
            capability: CapabilityId::from_bytes([1; 32]),
            stored_at: Timestamp(2),
            item: Bytes::from_static(b"item"),
        };
        assert_eq!(ItemRow::decode(item.encode()), Ok(item));
    }

    #[test]
    fn unknown_choices_are_damage() {
        let mut slot = SlotRow {
            cursor: Sequence(1),
            seen_at: Timestamp(2),
            next_package: 3,
            packages: 2,
            last_resort: PackageKindsPresent::SingleOnly,
        }
        .encode()
        .to_vec();
        *slot.last_mut().unwrap() = 2;
        assert_eq!(SlotRow::decode(slot.into()), Err(StoreError::Damaged));
        let capability = Bytes::from_static(&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(CapabilityRow::decode(capability), Err(StoreError::Damaged));
    }
}
