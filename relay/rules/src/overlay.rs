//! A store as it will be: its rows with planned, not yet stored changes over them.

use std::collections::BTreeMap;

use bytes::Bytes;
use hushwire_wire::id::Timestamp;

use crate::store::{
    Action, Change, Found, Object, Read, ReadLimit, Revision, Room, Row, StoreError, Table,
    exists_at,
};

/// Planned changes, the last one for each row.
#[derive(Debug)]
pub(crate) struct Overlay {
    changes: BTreeMap<Object, BTreeMap<(Table, Bytes), Action>>,
}

impl Overlay {
    /// No changes.
    pub(crate) const fn new() -> Self {
        Self { changes: BTreeMap::new() }
    }

    /// Adds changes; later ones win.
    pub(crate) fn add(&mut self, object: Object, changes: Vec<Change>) {
        let rows = self.changes.entry(object).or_default();
        for Change { table, key, action } in changes {
            rows.insert((table, key), action);
        }
    }

    /// The changes of each object, as they are stored.
    pub(crate) fn into_changes(self) -> BTreeMap<Object, Vec<Change>> {
        self.changes
            .into_iter()
            .map(|(object, rows)| {
                let changes = rows
                    .into_iter()
                    .map(|((table, key), action)| Change { table, key, action })
                    .collect();
                (object, changes)
            })
            .collect()
    }

    /// The store under these changes.
    pub(crate) const fn over<'a, R: Read>(&'a self, store: &'a R) -> View<'a, R> {
        View { overlay: self, store }
    }
}

/// A store under planned changes.
pub(crate) struct View<'a, R: Read> {
    overlay: &'a Overlay,
    store: &'a R,
}

/// The value of a planned row, if it is there and its time has not come.
fn living(action: &Action, now: Timestamp) -> Option<&Bytes> {
    match action {
        Action::Put { value, expires } => exists_at(*expires, now).then_some(value),
        Action::Delete => None,
    }
}

impl<R: Read> Read for View<'_, R> {
    fn revision(&self, object: &Object) -> Result<Revision, StoreError> {
        let stored = self.store.revision(object)?;
        let changed = self.overlay.changes.contains_key(object);
        Ok(if changed { Revision(stored.0.saturating_add(1)) } else { stored })
    }

    fn row(
        &self,
        object: &Object,
        table: Table,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Bytes>, StoreError> {
        let planned = self
            .overlay
            .changes
            .get(object)
            .and_then(|rows| rows.get(&(table, Bytes::copy_from_slice(key))));
        match planned {
            Some(action) => Ok(living(action, now).cloned()),
            None => self.store.row(object, table, key, now),
        }
    }

    fn rows(
        &self,
        object: &Object,
        table: Table,
        prefix: &[u8],
        from: &[u8],
        limit: ReadLimit,
        now: Timestamp,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(planned) = self.overlay.changes.get(object) else {
            return self.store.rows(object, table, prefix, from, limit, now);
        };
        let mut found = Found::new(limit);
        let mut from = Bytes::copy_from_slice(from.max(prefix));
        loop {
            let page = self.store.rows(object, table, prefix, &from, limit, now)?;
            let horizon =
                limit.is_reached_by(&page).then(|| page.last().map(|row| row.key.clone()));
            let horizon = horizon.flatten();
            let mut merged: BTreeMap<Bytes, Option<Bytes>> =
                page.into_iter().map(|row| (row.key, Some(row.value))).collect();
            let above = planned.range((table, from.clone())..).take_while(|((t, key), _)| {
                *t == table
                    && key.starts_with(prefix)
                    && horizon.as_ref().is_none_or(|horizon| key <= horizon)
            });
            merged.extend(
                above.map(|((_, key), action)| (key.clone(), living(action, now).cloned())),
            );
            for (key, value) in merged {
                let Some(value) = value else { continue };
                if found.push(Row { key, value }) == Room::None {
                    return Ok(found.into_rows());
                }
            }
            match horizon {
                // The smallest key above the horizon.
                Some(key) => from = [key.as_ref(), &[0]].concat().into(),
                None => return Ok(found.into_rows()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hushwire_wire::id::InboxId;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        memory::MemoryStore,
        store::{Batch, Store as _},
    };

    const OBJECT: Object = Object::Inbox(InboxId::from_bytes([1; 16]));
    const NOW: Timestamp = Timestamp(100);

    /// Few keys with common prefixes, so that changes meet.
    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let key = prop::collection::vec(0..3_u8, 0..4);
        let action = prop_oneof![
            2 => (0..20_usize, prop::option::of(90..110_u64)).prop_map(|(length, expires)| {
                let value = Bytes::from(vec![7; length]);
                Action::Put { value, expires: expires.map(Timestamp) }
            }),
            1 => Just(Action::Delete),
        ];
        let table = prop_oneof![Just(Table::Item), Just(Table::Slot)];
        let change = (table, key, action).prop_map(|(table, key, action)| Change {
            table,
            key: key.into(),
            action,
        });
        prop::collection::vec(change, 0..12)
    }

    fn apply(store: &mut MemoryStore, changes: Vec<Change>) {
        let expected = store.revision(&OBJECT).unwrap();
        store.commit(&[Batch { object: OBJECT, expected, changes }]).unwrap();
    }

    proptest! {
        #[test]
        fn a_view_is_the_store_as_it_will_be(
            before in changes(),
            first in changes(),
            second in changes(),
            prefix in prop::collection::vec(0..3_u8, 0..2),
            from in prop::collection::vec(0..3_u8, 0..4),
            (rows_max, bytes_max) in (1..6_usize, 1..60_usize),
        ) {
            let mut store = MemoryStore::new();
            apply(&mut store, before);
            let mut overlay = Overlay::new();
            overlay.add(OBJECT, first);
            overlay.add(OBJECT, second);
            let mut later = store.clone();
            let limit = ReadLimit { rows_max, bytes_max };
            let view = overlay.over(&store);
            let (from, prefix) = (&from[..], &prefix[..]);
            let planned = view.rows(&OBJECT, Table::Item, prefix, from, limit, NOW).unwrap();
            let one = view.row(&OBJECT, Table::Item, from, NOW).unwrap();
            let revision = view.revision(&OBJECT).unwrap();
            apply(&mut later, overlay.into_changes().remove(&OBJECT).unwrap());
            let stored = later.rows(&OBJECT, Table::Item, prefix, from, limit, NOW).unwrap();
            prop_assert_eq!(planned, stored);
            prop_assert_eq!(one, later.row(&OBJECT, Table::Item, from, NOW).unwrap());
            prop_assert_eq!(revision, later.revision(&OBJECT).unwrap());
        }
    }
}
