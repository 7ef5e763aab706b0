//! Group commit: many writes are planned, each upon those before it, then stored with one sync.
//! What they came to is known to nobody before that (spec: CHN-012, INB-006, BLB-004).

use std::collections::{BTreeMap, btree_map::Entry};

use hushwire_wire::{id::Timestamp, limit::Limits};

use crate::{
    news::News,
    outcome::{Effect, Outcome, Refused},
    overlay::Overlay,
    store::{Batch, Object, Read, Revision, Store, StoreError},
    waiting::WaitingRoom,
    write::{self, Scene, Write},
};

/// Writes that are planned and not yet stored. `T` names a write for the driver, such as its
/// session and request.
#[derive(Debug)]
pub struct Group<T> {
    overlay: Overlay,
    expected: BTreeMap<Object, Revision>,
    planned: Vec<(T, Result<Effect, Refused>)>,
    news: Vec<News>,
}

/// What became of a group.
#[derive(Debug)]
pub struct Stored<T> {
    /// What each write came to, in the order they were planned.
    pub outcomes: Vec<(T, Outcome)>,
    /// Whom the stored changes wake.
    pub news: Vec<News>,
    /// Why nothing of the group counts as stored, if that is so.
    pub failure: Option<StoreError>,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Group<T> {
    /// A group without writes.
    pub const fn new() -> Self {
        Self {
            overlay: Overlay::new(),
            expected: BTreeMap::new(),
            planned: Vec::new(),
            news: Vec::new(),
        }
    }

    /// Writes planned so far.
    pub fn len(&self) -> usize {
        self.planned.len()
    }

    /// Whether no write was planned yet.
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// Plans a write against `store` and everything planned before. `store` is the same for all
    /// writes of a group and does not change meanwhile; `waiting` is the relay's, from group to group.
    pub fn plan(
        &mut self,
        store: &impl Read,
        limits: &Limits,
        waiting: &mut WaitingRoom,
        now: Timestamp,
        name: T,
        write: &Write,
    ) {
        let planned = self.plan_effect(store, limits, waiting, now, write);
        self.planned.push((name, planned));
    }

    fn plan_effect(
        &mut self,
        store: &impl Read,
        limits: &Limits,
        waiting: &mut WaitingRoom,
        now: Timestamp,
        write: &Write,
    ) -> Result<Effect, Refused> {
        let view = self.overlay.over(store);
        let planned = write::plan(&Scene { view: &view, limits, now }, waiting, write)?;
        let held = planned.hold.map(|hold| (Object::Blob(hold.blob), vec![hold.change]));
        let changed: Vec<_> = [Some((write.object(), planned.changes)), held]
            .into_iter()
            .flatten()
            .filter(|(_, changes)| !changes.is_empty())
            .collect();
        // All that can fail comes before the first change.
        for (object, _) in &changed {
            if let Entry::Vacant(entry) = self.expected.entry(*object) {
                entry.insert(store.revision(object)?);
            }
        }
        for (object, changes) in changed {
            self.overlay.add(object, changes);
        }
        self.news.extend(planned.news);
        Ok(planned.effect)
    }

    /// Stores all planned changes, one batch for each object, and says what each write came to.
    /// If the store fails, no write counts as done, and every one of them is safe to repeat.
    pub fn commit(self, store: &mut impl Store) -> Stored<T> {
        let Self { overlay, expected, planned, news } = self;
        let mut changes = overlay.into_changes();
        // Blobs are the last kind and go first: a store that keeps batches apart may end between a
        // hold and its entry, and a hold alone only keeps a blob for longer (spec: CHN-031).
        let batches: Vec<Batch> = expected
            .into_iter()
            .rev()
            .map(|(object, expected)| {
                let changes = changes.remove(&object).unwrap_or_default();
                Batch { object, expected, changes }
            })
            .collect();
        let result = if batches.is_empty() { Ok(()) } else { store.commit(&batches) };
        match result {
            Ok(()) => Stored {
                outcomes: planned
                    .into_iter()
                    .map(|(name, effect)| (name, Outcome(effect)))
                    .collect(),
                news,
                failure: None,
            },
            Err(error) => Stored {
                outcomes: planned
                    .into_iter()
                    .map(|(name, _)| (name, Outcome(Err(error.into()))))
                    .collect(),
                news: Vec::new(),
                failure: Some(error),
            },
        }
    }
}
