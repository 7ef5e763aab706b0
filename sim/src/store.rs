//! A client's store, which can fail, and in whose midst the client can die.

use std::sync::{Arc, Mutex, PoisonError};

use hushwire_engine::{
    memory::MemoryStore,
    store::{Change, Range, Row, Store, StoreError, Table},
};
use zeroize::Zeroizing;

/// What goes wrong at a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk is full, for so many batches.
    Full(u32),
    /// Writing fails, for so many batches.
    Failed(u32),
    /// The client dies before the batch is stored.
    CrashBefore,
    /// The client dies when the batch is stored, before it knows.
    CrashAfter,
}

/// A fault and the batches before it.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    due: Option<(u32, Fault)>,
    crashed: bool,
    /// Batches at which a fault came.
    struck: u64,
}

/// What the world has in its hands of a store that an engine owns.
#[derive(Clone, Default)]
pub(crate) struct Trigger(Arc<Mutex<Trouble>>);

impl Trigger {
    fn with<T>(&self, act: impl FnOnce(&mut Trouble) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets a fault, after so many batches.
    pub(crate) fn set(&self, after: u32, fault: Fault) {
        self.with(|trouble| trouble.due = Some((after, fault)));
    }

    /// From now on nothing fails.
    pub(crate) fn heal(&self) {
        self.with(|trouble| trouble.due = None);
    }

    /// At how many batches a fault came so far.
    pub(crate) fn struck(&self) -> u64 {
        self.with(|trouble| trouble.struck)
    }

    /// Whether the client died in a batch since this was asked last.
    pub(crate) fn take_crash(&self) -> bool {
        self.with(|trouble| core::mem::take(&mut trouble.crashed))
    }

    /// What happens at this batch.
    fn next(&self) -> Option<Fault> {
        self.with(|trouble| {
            let (after, fault) = trouble.due?;
            if after > 0 {
                trouble.due = Some((after - 1, fault));
                return None;
            }
            trouble.due = match fault {
                Fault::Full(left) if left > 1 => Some((0, Fault::Full(left - 1))),
                Fault::Failed(left) if left > 1 => Some((0, Fault::Failed(left - 1))),
                _ => None,
            };
            trouble.struck += 1;
            trouble.crashed = matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
            Some(fault)
        })
    }
}

/// A store in memory that does as its trigger says.
#[derive(Clone, Default)]
pub(crate) struct SimStore {
    kept: MemoryStore,
    trigger: Trigger,
}

impl SimStore {
    pub(crate) fn new(kept: MemoryStore, trigger: Trigger) -> Self {
        Self { kept, trigger }
    }

    pub(crate) fn into_kept(self) -> MemoryStore {
        self.kept
    }
}

impl Store for SimStore {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.kept.row(table, key)
    }

    fn rows(&self, table: Table, range: Range<'_>) -> Result<Vec<Row>, StoreError> {
        self.kept.rows(table, range)
    }

    fn apply(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        match self.trigger.next() {
            None => self.kept.apply(changes),
            Some(Fault::Full(_)) => Err(StoreError::Full),
            Some(Fault::Failed(_) | Fault::CrashBefore) => Err(StoreError::Failed),
            Some(Fault::CrashAfter) => {
                self.kept.apply(changes)?;
                Err(StoreError::Failed)
            }
        }
    }
}
