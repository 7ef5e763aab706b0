//! A store in memory, for tests and simulation.

use std::{cell::Cell, collections::BTreeMap};

use zeroize::Zeroizing;

use crate::store::{Change, Order, Range, Row, Store, StoreError, Table};

/// Sorted tables in memory, with the meaning of the encrypted store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    rows: BTreeMap<(Table, Vec<u8>), Zeroizing<Vec<u8>>>,
    rows_read: Cell<u64>,
}

impl MemoryStore {
    /// Bytes of keys and values held.
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|((_, key), value)| key.len() + value.len()).sum()
    }

    /// Rows that were read so far, and ordered reads that found none: what an operation costs,
    /// whatever the machine.
    pub fn rows_read(&self) -> u64 {
        self.rows_read.get()
    }

    fn count(&self, rows: usize) {
        let rows = u64::try_from(rows.max(1)).unwrap_or(u64::MAX);
        self.rows_read.set(self.rows_read.get().saturating_add(rows));
    }
}

impl Store for MemoryStore {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.count(1);
        Ok(self.rows.get(&(table, key.to_vec())).cloned())
    }

    fn rows(&self, table: Table, range: Range<'_>) -> Result<Vec<Row>, StoreError> {
        let matching = self
            .rows
            .range((table, range.prefix.to_vec())..)
            .take_while(|((t, key), _)| *t == table && key.starts_with(range.prefix))
            .map(|((_, key), value)| Row { key: key.clone(), value: value.clone() });
        let rows: Vec<Row> = match range.order {
            Order::Ascending => matching
                .skip_while(|row| range.from.is_some_and(|from| row.key.as_slice() < from))
                .take(range.rows_max)
                .collect(),
            Order::Descending => {
                let mut all: Vec<_> = matching
                    .take_while(|row| range.from.is_none_or(|from| row.key.as_slice() <= from))
                    .collect();
                all.reverse();
                all.truncate(range.rows_max);
                all
            }
        };
        self.count(rows.len());
        Ok(rows)
    }

    fn apply(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        for change in changes {
            match change.value {
                Some(value) => self.rows.insert((change.table, change.key), value),
                None => self.rows.remove(&(change.table, change.key)),
            };
        }
        Ok(())
    }
}
