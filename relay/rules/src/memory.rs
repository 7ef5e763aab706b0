//! A store in memory: for tests, simulation and fuzzing. Nothing of it outlives its process.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hushwire_wire::id::Timestamp;

use crate::store::{
    Action, Batch, Found, Object, Read, ReadLimit, Revision, Room, Row, Store, StoreError, Table,
    exists_at,
};

type Place = (Object, Table, Bytes);

/// A row and until when it exists.
#[derive(Clone, Debug)]
struct Kept {
    value: Bytes,
    expires: Option<Timestamp>,
}

impl Kept {
    fn exists(&self, now: Timestamp) -> bool {
        exists_at(self.expires, now)
    }
}

/// Rows in a sorted map, with an index of those that expire.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: BTreeMap<Place, Kept>,
    expiring: BTreeSet<(Timestamp, Place)>,
    revisions: BTreeMap<Object, Revision>,
    failure: Option<StoreError>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows that are there, whether their time has come or not.
    pub fn rows_stored(&self) -> usize {
        self.rows.len()
    }

    /// Every key and value, to look for what must not be there.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().flat_map(|((_, _, key), kept)| [&key[..], &kept.value[..]])
    }

    /// From now on each commit fails like this and stores nothing; `None` heals it.
    pub const fn fail_commits(&mut self, failure: Option<StoreError>) {
        self.failure = failure;
    }

    fn put(&mut self, place: Place, kept: Kept) {
        self.remove(&place);
        if let Some(time) = kept.expires {
            self.expiring.insert((time, place.clone()));
        }
        self.rows.insert(place, kept);
    }

    fn remove(&mut self, place: &Place) {
        if let Some(Kept { expires: Some(time), .. }) = self.rows.remove(place) {
            self.expiring.remove(&(time, place.clone()));
        }
    }

    /// Removes a row and those that live with it.
    fn remove_carried(&mut self, place: &Place) {
        self.remove(place);
        let (object, table, _) = place;
        let Some(carried) = table.carries() else { return };
        let from = (*object, carried, Bytes::new());
        let gone: Vec<Place> = self
            .rows
            .range(from..)
            .map(|(place, _)| place)
            .take_while(|(in_object, table, _)| in_object == object && *table == carried)
            .cloned()
            .collect();
        for place in &gone {
            self.remove(place);
        }
    }

    fn apply(&mut self, batch: &Batch) {
        for change in &batch.changes {
            let place = (batch.object, change.table, change.key.clone());
            match &change.action {
                Action::Put { value, expires } => {
                    self.put(place, Kept { value: value.clone(), expires: *expires });
                }
                Action::Delete => self.remove_carried(&place),
            }
        }
        let revision = Revision(batch.expected.0.saturating_add(1));
        self.revisions.insert(batch.object, revision);
    }
}

impl Read for MemoryStore {
    fn revision(&self, object: &Object) -> Result<Revision, StoreError> {
        Ok(self.revisions.get(object).copied().unwrap_or_default())
    }

    fn row(
        &self,
        object: &Object,
        table: Table,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Bytes>, StoreError> {
        let kept = self.rows.get(&(*object, table, Bytes::copy_from_slice(key)));
        Ok(kept.filter(|kept| kept.exists(now)).map(|kept| kept.value.clone()))
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
        let from = (*object, table, Bytes::copy_from_slice(from.max(prefix)));
        let mut found = Found::new(limit);
        for ((in_object, in_table, key), kept) in self.rows.range(from..) {
            if in_object != object || *in_table != table || !key.starts_with(prefix) {
                break;
            }
            if !kept.exists(now) {
                continue;
            }
            if found.push(Row { key: key.clone(), value: kept.value.clone() }) == Room::None {
                break;
            }
        }
        Ok(found.into_rows())
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut revisions: BTreeMap<Object, Revision> = BTreeMap::new();
        for batch in batches {
            let revision = match revisions.get(&batch.object) {
                Some(revision) => *revision,
                None => self.revision(&batch.object)?,
            };
            if revision != batch.expected {
                return Err(StoreError::Conflict);
            }
            revisions.insert(batch.object, Revision(revision.0.saturating_add(1)));
        }
        for batch in batches {
            self.apply(batch);
        }
        Ok(())
    }

    fn expire(&mut self, now: Timestamp, rows_max: usize) -> Result<usize, StoreError> {
        let due: Vec<Place> = self
            .expiring
            .iter()
            .take_while(|(time, _)| *time <= now)
            .take(rows_max)
            .map(|(_, place)| place.clone())
            .collect();
        for place in &due {
            self.remove_carried(place);
        }
        Ok(due.len())
    }
}

#[cfg(test)]
mod tests {
    use hushwire_wire::id::{BlobId, InboxId};

    use super::*;
    use crate::store::Change;

    const BLOB: Object = Object::Blob(BlobId::from_bytes([1; 32]));
    const INBOX: Object = Object::Inbox(InboxId::from_bytes([2; 16]));

    fn batch(object: Object, expected: u64, rows: &[(u8, Option<u64>)]) -> Batch {
        let changes = rows
            .iter()
            .map(|(key, expires)| Change {
                table: Table::Item,
                key: Bytes::copy_from_slice(&[*key]),
                action: Action::Put {
                    value: Bytes::from_static(b"value"),
                    expires: expires.map(Timestamp),
                },
            })
            .collect();
        Batch { object, expected: Revision(expected), changes }
    }

    fn keys(store: &MemoryStore, object: &Object, now: u64) -> Vec<u8> {
        let limit = ReadLimit { rows_max: 100, bytes_max: 1_000 };
        let rows = store.rows(object, Table::Item, &[], &[], limit, Timestamp(now)).unwrap();
        rows.iter().map(|row| row.key[0]).collect()
    }

    #[test]
    fn a_conflict_stores_nothing_of_any_batch() {
        let mut store = MemoryStore::new();
        store.commit(&[batch(BLOB, 0, &[(1, None)])]).unwrap();
        let late = [batch(INBOX, 0, &[(1, None)]), batch(BLOB, 0, &[(2, None)])];
        assert_eq!(store.commit(&late), Err(StoreError::Conflict));
        assert_eq!((keys(&store, &BLOB, 0), keys(&store, &INBOX, 0)), (vec![1], vec![]));
        store.commit(&[batch(BLOB, 1, &[(2, None)]), batch(BLOB, 2, &[(3, None)])]).unwrap();
        assert_eq!(store.revision(&BLOB), Ok(Revision(3)));
    }

    #[test]
    fn what_goes_with_a_row_goes_in_its_object_only() {
        let put = |table, key: &'static [u8], value: &'static [u8]| {
            let action = Action::Put { value: Bytes::from_static(value), expires: None };
            Change { table, key: Bytes::from_static(key), action }
        };
        let other = Object::Blob(BlobId::from_bytes([2; 32]));
        let changes = vec![put(Table::Blob, b"", b"row"), put(Table::Chunk, b"0", b"chunk")];
        let alone = vec![put(Table::Chunk, b"1", b"stays")];
        let mut store = MemoryStore::new();
        store
            .commit(&[
                Batch { object: BLOB, expected: Revision(0), changes },
                Batch { object: other, expected: Revision(0), changes: alone },
            ])
            .unwrap();
        let all: [&[u8]; 6] = [b"", b"row", b"0", b"chunk", b"1", b"stays"];
        assert_eq!(store.contents().collect::<Vec<_>>(), all);
        let gone = Change { table: Table::Blob, key: Bytes::new(), action: Action::Delete };
        let batch = Batch { object: BLOB, expected: Revision(1), changes: vec![gone] };
        store.commit(&[batch]).unwrap();
        assert_eq!(store.contents().collect::<Vec<_>>(), all[4..]);
        assert_eq!(store.rows_stored(), 1);
    }

    #[test]
    fn rows_expire_at_their_time_and_are_swept_earliest_first() {
        let mut store = MemoryStore::new();
        let rows = [(1, Some(30)), (2, Some(10)), (3, None), (4, Some(20))];
        store.commit(&[batch(BLOB, 0, &rows)]).unwrap();
        assert_eq!(keys(&store, &BLOB, 9), [1, 2, 3, 4]);
        assert_eq!(keys(&store, &BLOB, 20), [1, 3]);
        assert_eq!(store.expire(Timestamp(20), 1), Ok(1));
        // As of a time before, the later one is still there and the earlier one is not.
        assert_eq!(keys(&store, &BLOB, 9), [1, 3, 4]);
        assert_eq!(store.expire(Timestamp(20), 9), Ok(1));
        // A row that is put again has its new time only.
        store.commit(&[batch(BLOB, 1, &[(1, Some(50))])]).unwrap();
        assert_eq!(store.expire(Timestamp(40), 9), Ok(0));
        assert_eq!(keys(&store, &BLOB, 40), [1, 3]);
    }
}
