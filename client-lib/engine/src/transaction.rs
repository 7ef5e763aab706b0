//! The changes of one operation, on top of the store, until they are applied or dropped.
//!
//! Reads see the changes so far; the store sees them in one batch at the end, or never. This is
//! how a rejected commit leaves no trace in the group's state (spec: CLI-001, GRP-036).

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use hushwire_protocol::storage::{MlsStore, MlsStoreError};
use zeroize::Zeroizing;

use crate::store::{Change, Order, Range, Row, Store, StoreError, Table};

type Value = Zeroizing<Vec<u8>>;
type Changes = BTreeMap<(Table, Vec<u8>), Option<Value>>;

/// The changes of one operation.
pub struct Transaction<'s> {
    store: &'s dyn Store,
    changes: RefCell<Changes>,
}

impl<'s> Transaction<'s> {
    /// Begins with no changes.
    pub fn new(store: &'s dyn Store) -> Self {
        Self { store, changes: RefCell::default() }
    }

    /// One row, as it will be.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn row(&self, table: Table, key: &[u8]) -> Result<Option<Value>, StoreError> {
        if let Some(change) = self.changes.borrow().get(&(table, key.to_vec())) {
            return Ok(change.clone());
        }
        self.store.row(table, key)
    }

    /// Sets a row.
    pub fn put(&self, table: Table, key: &[u8], value: Value) {
        self.changes.borrow_mut().insert((table, key.to_vec()), Some(value));
    }

    /// Removes a row.
    pub fn remove(&self, table: Table, key: &[u8]) {
        self.changes.borrow_mut().insert((table, key.to_vec()), None);
    }

    /// Rows in key order, as they will be.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn rows(&self, table: Table, range: Range<'_>) -> Result<Vec<Row>, StoreError> {
        let changes = self.changes.borrow();
        let touched: Vec<_> = changes
            .range((table, range.prefix.to_vec())..)
            .take_while(|((t, key), _)| *t == table && key.starts_with(range.prefix))
            .filter(|((_, key), _)| within(range, key))
            .collect();
        // Each changed row can hide at most one stored row.
        let wider = Range { rows_max: range.rows_max.saturating_add(touched.len()), ..range };
        let mut merged: BTreeMap<Vec<u8>, Value> =
            self.store.rows(table, wider)?.into_iter().map(|row| (row.key, row.value)).collect();
        for ((_, key), value) in touched {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        let rows = merged.into_iter().map(|(key, value)| Row { key, value });
        Ok(match range.order {
            Order::Ascending => rows.take(range.rows_max).collect(),
            Order::Descending => rows.rev().take(range.rows_max).collect(),
        })
    }

    /// Keys with this prefix, as they will be, also where a value cannot be read.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn keys(&self, table: Table, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = Range { prefix, from: None, order: Order::Ascending, rows_max: usize::MAX };
        let mut keys: BTreeSet<Vec<u8>> = self.store.keys(table, range)?.into_iter().collect();
        let changes = self.changes.borrow();
        let touched = changes
            .range((table, prefix.to_vec())..)
            .take_while(|((t, key), _)| *t == table && key.starts_with(prefix));
        for ((_, key), value) in touched {
            match value {
                Some(_) => keys.insert(key.clone()),
                None => keys.remove(key),
            };
        }
        Ok(keys.into_iter().collect())
    }

    /// The changes, to be applied.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
            .into_inner()
            .into_iter()
            .map(|((table, key), value)| Change { table, key, value })
            .collect()
    }
}

fn within(range: Range<'_>, key: &[u8]) -> bool {
    match (range.from, range.order) {
        (None, _) => true,
        (Some(from), Order::Ascending) => key >= from,
        (Some(from), Order::Descending) => key <= from,
    }
}

impl MlsStore for Transaction<'_> {
    fn read(&self, key: &[u8]) -> Result<Option<Value>, MlsStoreError> {
        self.row(Table::Mls, key).map_err(|error| match error {
            StoreError::Damaged => MlsStoreError::Malformed,
            StoreError::Full | StoreError::Failed => MlsStoreError::Failed,
        })
    }

    fn write(&self, key: &[u8], value: Value) -> Result<(), MlsStoreError> {
        self.put(Table::Mls, key, value);
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), MlsStoreError> {
        self.remove(Table::Mls, key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn value(text: &str) -> Value {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    #[test]
    fn a_dropped_transaction_changes_nothing() {
        // spec: CLI-001
        let store = MemoryStore::default();
        let transaction = Transaction::new(&store);
        transaction.put(Table::Chat, b"k", value("v"));
        assert_eq!(transaction.row(Table::Chat, b"k").unwrap(), Some(value("v")));
        drop(transaction);
        assert_eq!(store.row(Table::Chat, b"k").unwrap(), None);
    }

    #[test]
    fn rows_merge_stored_and_changed() {
        let mut store = MemoryStore::default();
        let stored = Transaction::new(&store);
        for key in ["a1", "a2", "a3", "b1"] {
            stored.put(Table::Chat, key.as_bytes(), value(key));
        }
        let changes = stored.into_changes();
        store.apply(changes).unwrap();

        let transaction = Transaction::new(&store);
        transaction.remove(Table::Chat, b"a1");
        transaction.put(Table::Chat, b"a25", value("new"));
        let keys = |order, from: Option<&[u8]>, rows_max| -> Vec<String> {
            let range = Range { prefix: b"a", from, order, rows_max };
            let rows = transaction.rows(Table::Chat, range).unwrap();
            rows.into_iter().map(|row| String::from_utf8(row.key).unwrap()).collect()
        };
        assert_eq!(keys(Order::Ascending, None, 9), ["a2", "a25", "a3"]);
        assert_eq!(keys(Order::Ascending, Some(b"a25"), 1), ["a25"]);
        assert_eq!(keys(Order::Descending, None, 2), ["a3", "a25"]);
        assert_eq!(keys(Order::Descending, Some(b"a2"), 9), ["a2"]);
    }
}
