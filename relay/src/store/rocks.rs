//! The store over RocksDB: one owner, one synced write batch for each group of writes.
//!
//! Owns the directory `store/`. Never knows what a row means: `layout.rs` has every byte.
//! Invariants: a commit is whole and synced, or nothing of it is there; a row with an expiry has
//! exactly one row in the index of expiry, but for content that was deleted before its time.

mod expiry;
mod inspect;
mod layout;
mod options;
mod schema;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use hushwire_relay_rules::store::{
    Action, Batch, Found, Object, Read, ReadLimit, Revision, Room, Row, Store, StoreError, Table,
};
use hushwire_wire::id::Timestamp;
use rocksdb::{
    BoundColumnFamily, DBPinnableSlice, DBWithThreadMode, MultiThreaded, ReadOptions,
    SnapshotWithThreadMode, WriteBatch, WriteOptions,
};

use self::layout::{Family, Stored};
pub use self::{
    inspect::{Inspected, inspect},
    options::Bounds,
};
use crate::crash::{self, Point};

type Database = DBWithThreadMode<MultiThreaded>;

/// Why a store cannot be opened. Blame: who runs the relay, or the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("another relay runs on this store; stop it first")]
    InUse,
    /// There is no store.
    #[error("there is no store in this data directory")]
    Missing,
    /// A newer build wrote it.
    #[error("the store has schema {found}, this build knows {supported}; run a newer hush-relay")]
    Newer {
        /// What the store has.
        found: u32,
        /// The highest this build knows.
        supported: u32,
    },
    /// Its bytes cannot be understood.
    #[error("the store is damaged; restore it from a backup")]
    Damaged,
    /// The disk failed or is full.
    #[error("the store cannot be opened: {0}; is the disk full, or is it another user's?")]
    Disk(String),
}

/// Whether there is a store.
pub fn is_at(path: &Path) -> bool {
    path.join("CURRENT").exists()
}

struct Inner {
    database: Database,
    path: PathBuf,
    disk_reserve_bytes: u64,
}

/// The one writer of a store.
pub struct RocksStore {
    inner: Arc<Inner>,
    /// After a failed write nobody knows what is on disk until the next start.
    failed: bool,
    /// Rows of the index of expiry before this key are gone; spares reading over their tombstones.
    expired_until: Vec<u8>,
}

/// Reads a store; as many as wanted, beside the writer.
#[derive(Clone)]
pub struct RocksReader(Arc<Inner>);

/// Reads a store as it was at one moment.
pub struct RocksSnapshot<'store> {
    inner: &'store Inner,
    snapshot: SnapshotWithThreadMode<'store, Database>,
}

impl RocksStore {
    /// Opens the store in `path`, creating it if it is missing, migrating it if it is older.
    ///
    /// # Errors
    /// [`OpenError`] if it is in use, newer, damaged, or the disk fails.
    pub fn open(path: &Path, bounds: &Bounds) -> Result<Self, OpenError> {
        let database = options::open(path, bounds)?;
        schema::migrate(&database, layout::SCHEMA, &schema::MIGRATIONS)?;
        let inner = Inner {
            database,
            path: path.to_owned(),
            disk_reserve_bytes: bounds.disk_reserve_bytes,
        };
        Ok(Self { inner: Arc::new(inner), failed: false, expired_until: Vec::new() })
    }

    /// A reader beside this writer.
    pub fn reader(&self) -> RocksReader {
        RocksReader(Arc::clone(&self.inner))
    }

    fn write(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        // Stored means synced (spec: RLY-011).
        options.set_sync(true);
        crash::pass(Point::CommitBeforeSync);
        self.inner.database.write_opt(batch, &options).map_err(|error| {
            self.failed = true;
            store_error(&error)
        })?;
        crash::pass(Point::CommitAfterSync);
        Ok(())
    }
}

impl RocksReader {
    /// The store as it is now, for reads that belong together.
    pub fn snapshot(&self) -> RocksSnapshot<'_> {
        RocksSnapshot { inner: &self.0, snapshot: self.0.database.snapshot() }
    }
}

/// What a group of batches leaves of one row.
struct RowAfter {
    family: Family,
    stored: Option<(Vec<u8>, Option<Timestamp>)>,
}

/// What a group of batches leaves of one object.
#[derive(Clone, Copy)]
struct ObjectAfter {
    revision: Revision,
    expires: Option<Timestamp>,
    expires_before: Option<Timestamp>,
}

/// The last state of each row and object that a group of batches changes: a record that is written
/// for each of a hundred appends goes to disk once.
#[derive(Default)]
struct Group {
    rows: BTreeMap<Vec<u8>, RowAfter>,
    objects: BTreeMap<Vec<u8>, ObjectAfter>,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Group {
    fn collect(inner: &Inner, batches: &[Batch]) -> Result<Self, StoreError> {
        let mut group = Self::default();
        for batch in batches {
            let object = group.object(inner, &batch.object)?;
            if object.revision != batch.expected {
                return Err(StoreError::Conflict);
            }
            object.revision = Revision(object.revision.0.saturating_add(1));
            for change in &batch.changes {
                // What lives with another row goes with it: that row's time counts.
                if let Action::Put { expires, .. } = &change.action
                    && (expires.is_some() || change.table.lives_with().is_none())
                {
                    object.outlive(*expires);
                }
            }
            for change in &batch.changes {
                let key = layout::row_key(&batch.object, change.table, &change.key);
                let stored = match &change.action {
                    Action::Put { value, expires } => {
                        Some((layout::stored(*expires, value), *expires))
                    }
                    Action::Delete => None,
                };
                group.rows.insert(key, RowAfter { family: Family::of(change.table), stored });
            }
        }
        Ok(group)
    }

    fn object(&mut self, inner: &Inner, object: &Object) -> Result<&mut ObjectAfter, StoreError> {
        match self.objects.entry(layout::object_key(object)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let found = inner.raw(Family::Revisions, entry.key(), &ReadOptions::default())?;
                let before = match &found {
                    Some(bytes) => {
                        let stored = Stored::parse(bytes)?;
                        ObjectAfter {
                            revision: layout::revision(stored.value)?,
                            expires: stored.expires,
                            expires_before: stored.expires,
                        }
                    }
                    None => ObjectAfter {
                        revision: Revision::default(),
                        expires: Some(Timestamp(0)),
                        expires_before: None,
                    },
                };
                Ok(entry.insert(before))
            }
        }
    }

    /// Whether a row comes to lie in the index of expiry before this key.
    fn expires_before(&self, index_key: &[u8]) -> bool {
        let times = self.rows.values().filter_map(|row| row.stored.as_ref()?.1);
        times.min().is_some_and(|time| time.0.to_be_bytes().as_slice() <= index_key)
    }

    fn write(&self, inner: &Inner) -> Result<WriteBatch, StoreError> {
        let mut batch = WriteBatch::default();
        let expiry = inner.family(Family::Expiry)?;
        for (key, row) in &self.rows {
            let family = inner.family(row.family)?;
            let expires = row.stored.as_ref().and_then(|(_, expires)| *expires);
            if !row.family.is_written_once() {
                let before = inner.expires(row.family, key)?;
                if let Some(before) = before.filter(|_| before != expires) {
                    batch.delete_cf(&expiry, layout::expiry_key(before, row.family, key));
                }
            }
            if let Some(expires) = expires {
                batch.put_cf(&expiry, layout::expiry_key(expires, row.family, key), b"");
            }
            match &row.stored {
                Some((value, _)) => batch.put_cf(&family, key, value),
                None => {
                    batch.delete_cf(&family, key);
                    // Keys are sorted: rows that are put anew beside come behind this.
                    inner.remove_carried(&mut batch, row.family, key)?;
                }
            }
        }
        let revisions = inner.family(Family::Revisions)?;
        for (key, object) in &self.objects {
            if object.expires != object.expires_before {
                if let Some(before) = object.expires_before {
                    batch.delete_cf(&expiry, layout::expiry_key(before, Family::Revisions, key));
                }
                if let Some(expires) = object.expires {
                    let key = layout::expiry_key(expires, Family::Revisions, key);
                    batch.put_cf(&expiry, key, b"");
                }
            }
            let value = layout::stored(object.expires, &object.revision.0.to_be_bytes());
            batch.put_cf(&revisions, key, value);
        }
        Ok(batch)
    }
}

impl ObjectAfter {
    /// An object's revision stays as long as any of its rows: until the latest expiry, rounded up
    /// to a day, so that it is not written anew for each row.
    fn outlive(&mut self, expires: Option<Timestamp>) {
        self.expires = match (self.expires, expires) {
            (Some(own), Some(row)) => {
                let end_of_day = Timestamp(row.0.div_ceil(DAY_MS).saturating_mul(DAY_MS));
                Some(own.max(end_of_day))
            }
            _ => None,
        };
    }
}

impl Inner {
    fn family(&self, family: Family) -> Result<Arc<BoundColumnFamily<'_>>, StoreError> {
        self.database.cf_handle(family.name()).ok_or(StoreError::Damaged)
    }

    fn raw(
        &self,
        family: Family,
        key: &[u8],
        options: &ReadOptions,
    ) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        let family = self.family(family)?;
        self.database.get_pinned_cf_opt(&family, key, options).map_err(|error| store_error(&error))
    }

    /// Removes what lives with a row that goes.
    fn remove_carried(
        &self,
        batch: &mut WriteBatch,
        family: Family,
        key: &[u8],
    ) -> Result<(), StoreError> {
        if let Some(carried) = layout::carried(family, key) {
            let family = self.family(carried.family)?;
            batch.delete_range_cf(&family, carried.from, carried.to);
        }
        Ok(())
    }

    fn expires(&self, family: Family, key: &[u8]) -> Result<Option<Timestamp>, StoreError> {
        match self.raw(family, key, &ReadOptions::default())? {
            Some(bytes) => Ok(Stored::parse(&bytes)?.expires),
            None => Ok(None),
        }
    }

    fn revision(&self, object: &Object, options: &ReadOptions) -> Result<Revision, StoreError> {
        match self.raw(Family::Revisions, &layout::object_key(object), options)? {
            Some(bytes) => layout::revision(Stored::parse(&bytes)?.value),
            None => Ok(Revision::default()),
        }
    }

    fn row(
        &self,
        object: &Object,
        table: Table,
        key: &[u8],
        now: Timestamp,
        options: &ReadOptions,
    ) -> Result<Option<Bytes>, StoreError> {
        let key = layout::row_key(object, table, key);
        let Some(bytes) = self.raw(Family::of(table), &key, options)? else { return Ok(None) };
        let stored = Stored::parse(&bytes)?;
        Ok(stored.exists(now).then(|| stored.to_bytes()))
    }

    fn rows(
        &self,
        range: &Range<'_>,
        limit: ReadLimit,
        now: Timestamp,
        mut options: ReadOptions,
    ) -> Result<Vec<Row>, StoreError> {
        let family = self.family(Family::of(range.table))?;
        let table = layout::row_key(range.object, range.table, b"");
        let prefix = layout::row_key(range.object, range.table, range.prefix);
        let from = layout::row_key(range.object, range.table, range.from);
        if let Some(end) = layout::successor(&prefix) {
            options.set_iterate_upper_bound(end);
        }
        let mut found = Found::new(limit);
        let mut cursor = self.database.raw_iterator_cf_opt(&family, options);
        cursor.seek(from.max(prefix));
        while let Some((key, bytes)) = cursor.item() {
            let stored = Stored::parse(bytes)?;
            if stored.exists(now) {
                let key = key.get(table.len()..).ok_or(StoreError::Damaged)?;
                let row = Row { key: Bytes::copy_from_slice(key), value: stored.to_bytes() };
                if found.push(row) == Room::None {
                    return Ok(found.into_rows());
                }
            }
            cursor.next();
        }
        cursor.status().map_err(|error| store_error(&error))?;
        Ok(found.into_rows())
    }
}

struct Range<'range> {
    object: &'range Object,
    table: Table,
    prefix: &'range [u8],
    from: &'range [u8],
}

macro_rules! read_through {
    ($type:ty, $this:ident => $inner:expr, $options:expr) => {
        impl Read for $type {
            fn revision(&self, object: &Object) -> Result<Revision, StoreError> {
                let $this = self;
                $inner.revision(object, &$options)
            }

            fn row(
                &self,
                object: &Object,
                table: Table,
                key: &[u8],
                now: Timestamp,
            ) -> Result<Option<Bytes>, StoreError> {
                let $this = self;
                $inner.row(object, table, key, now, &$options)
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
                let $this = self;
                $inner.rows(&Range { object, table, prefix, from }, limit, now, $options)
            }
        }
    };
}

read_through!(RocksStore, this => this.inner, ReadOptions::default());
read_through!(RocksReader, this => this.0, ReadOptions::default());
read_through!(RocksSnapshot<'_>, this => this.inner, {
    let mut options = ReadOptions::default();
    options.set_snapshot(&this.snapshot);
    options
});

impl Store for RocksStore {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed);
        }
        // Refused before anything is written: a full disk in the middle of a write would leave
        // open what is stored (spec: RLY-012).
        let free = fs4::available_space(&self.inner.path).map_err(|_| StoreError::Failed)?;
        if free < self.inner.disk_reserve_bytes {
            return Err(StoreError::Full);
        }
        let group = Group::collect(&self.inner, batches)?;
        if group.expires_before(&self.expired_until) {
            self.expired_until.clear();
        }
        let batch = group.write(&self.inner)?;
        self.write(batch)
    }

    fn expire(&mut self, now: Timestamp, rows_max: usize) -> Result<usize, StoreError> {
        crash::pass(Point::ExpireBefore);
        expiry::expire(self, now, rows_max)
    }
}

fn store_error(error: &rocksdb::Error) -> StoreError {
    match error.kind() {
        rocksdb::ErrorKind::Corruption => StoreError::Damaged,
        _ if error.as_ref().contains("No space left") => StoreError::Full,
        _ => StoreError::Failed,
    }
}
