//! A store in memory: for tests, simulation and fuzzing. Nothing of it outlives its process.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hushwire_wire::id::Timestamp;

use crate::store::{
    Action, Batch, Object, Read, ReadLimit, Revision, Row, Store, StoreError, Table,
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
        self.expires.is_none_or(|time| now < time)
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

    fn apply(&mut self, batch: &Batch) {
        for change in &batch.changes {
            let place = (batch.object, change.table, change.key.clone());
            match &change.action {
                Action::Put { value, expires } => {
                    self.put(place, Kept { value: value.clone(), expires: *expires });
                }
                Action::Delete => self.remove(&place),
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
        let mut found = Vec::new();
        let mut bytes: usize = 0;
        for ((in_object, in_table, key), kept) in self.rows.range(from..) {
            if in_object != object || *in_table != table || !key.starts_with(prefix) {
                break;
            }
            if !kept.exists(now) {
                continue;
            }
            bytes = bytes.saturating_add(kept.value.len());
            found.push(Row { key: key.clone(), value: kept.value.clone() });
            if found.len() >= limit.rows_max || bytes >= limit.bytes_max {
                break;
            }
        }
        Ok(found)
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
            self.remove(place);
        }
        Ok(due.len())
    }
}
