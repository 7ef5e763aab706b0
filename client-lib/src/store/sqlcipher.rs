//! The engine's store on one SQLCipher database.
//!
//! Owns `<profile>/store/` with two files, `header` (how the database key is sealed) and
//! `database`, and the write-ahead log that SQLite keeps beside it. It knows nothing of what the rows
//! mean. One batch is one transaction; `synchronous=FULL` makes SQLite sync the log before a commit
//! returns (spec: CLI-050). The log is checkpointed and cut off when it grows past
//! [`LOG_BYTES_MAX`], and when the owner calls [`SqlcipherStore::settle`], so that overwritten
//! pages do not linger in it.
//!
//! After a failed write that was not for lack of space the store serves nothing more: a disk that
//! failed to sync once cannot be asked what it holds (spec: CLI-059).

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use hushwire_engine::store::{Change, Range, Row, Store, StoreError, Table};
use rand_core::CryptoRng;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, config::DbConfig, params,
};
use zeroize::Zeroizing;

use super::{
    chunks,
    error::{OpenError, store_error},
    key::{DatabaseKey, HEADER_LENGTH, Header, KeyCost, KeyKind, StoreKey},
    range, schema,
};
use crate::{crash, local::LocalSecret, private_file};

const DIRECTORY: &str = "store";
/// Where a store is made, before it gets its name in one step.
const DIRECTORY_NEW: &str = "store.new";
const HEADER: &str = "header";
const DATABASE: &str = "database";
/// The log is cut off when it is longer than this after a commit, in bytes.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Statements kept prepared: reads in four shapes, a write and a delete for each table, and more.
const STATEMENTS_MAX: usize = 160;

/// The encrypted database of a profile, open.
pub struct SqlcipherStore {
    connection: Connection,
    directory: PathBuf,
    health: Health,
    local_secret: Arc<LocalSecret>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Sound,
    /// A write failed and what the disk holds is not known.
    Unknown,
}

impl core::fmt::Debug for SqlcipherStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SqlcipherStore(..)")
    }
}

impl SqlcipherStore {
    /// Creates the store of a profile that has none, and opens it. After a crash on the way there
    /// is none (spec: CLI-058). Blocks for as long as `cost` says.
    ///
    /// # Errors
    /// [`OpenError::Exists`] if the profile has a store; others as the files say.
    pub fn create(
        profile: &Path,
        key: &StoreKey,
        cost: KeyCost,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, OpenError> {
        private_file::ensure_directory(profile)?;
        let directory = profile.join(DIRECTORY);
        if fs::exists(&directory)? {
            return Err(OpenError::Exists);
        }
        let new = profile.join(DIRECTORY_NEW);
        match fs::remove_dir_all(&new) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        private_file::ensure_directory(&new)?;
        let database_key = DatabaseKey::random(rng);
        let header = Header::seal(&database_key, key, cost, rng)?;
        private_file::write_new(&new.join(HEADER), &header.to_bytes())?;
        private_file::create(&new.join(DATABASE))?;
        let mut connection = connect(&new, &database_key)?;
        schema::create(&mut connection)?;
        connection.close().map_err(|(_, error)| error)?;
        private_file::sync_directory(&new)?;
        fs::rename(&new, &directory)?;
        private_file::sync_directory(profile)?;
        Self::connected(directory, &database_key)
    }

    /// Opens the store of a profile, and brings it to this version's schema. If the passphrase was
    /// stretched at a lower cost than `cost`, it is stretched anew (spec: CLI-053). Blocks for as
    /// long as the cost says.
    ///
    /// # Errors
    /// [`OpenError::Absent`] if the profile has no store; others as the key and the files say. The
    /// files are not changed then.
    pub fn open(
        profile: &Path,
        key: &StoreKey,
        cost: KeyCost,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, OpenError> {
        let header = read_header(&profile.join(DIRECTORY))?;
        let database_key = header.open(key)?;
        let store = Self::open_unlocked(profile, &database_key)?;
        if header.is_cheaper_than(cost) {
            store.write_header(&Header::seal(&database_key, key, cost, rng)?)?;
        }
        Ok(store)
    }

    /// The database key of a profile, without opening the database: also while another process has
    /// it open. Blocks for as long as the cost says.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn unlock(profile: &Path, key: &StoreKey) -> Result<DatabaseKey, OpenError> {
        read_header(&profile.join(DIRECTORY))?.open(key)
    }

    /// As [`Self::open`], when the header was opened before.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn open_unlocked(
        profile: &Path,
        database_key: &DatabaseKey,
    ) -> Result<Self, OpenError> {
        let directory = profile.join(DIRECTORY);
        check_database(&directory.join(DATABASE))?;
        for (path, mode) in [
            (profile.to_owned(), private_file::DIRECTORY_MODE),
            (directory.clone(), private_file::DIRECTORY_MODE),
            (directory.join(HEADER), private_file::FILE_MODE),
            (directory.join(DATABASE), private_file::FILE_MODE),
        ] {
            private_file::tighten(&path, mode)?;
        }
        Self::connected(directory, database_key)
    }

    /// Which kind of key opens the store of a profile.
    ///
    /// # Errors
    /// [`OpenError::Absent`] if the profile has no store; others as the header says.
    pub fn key_kind(profile: &Path) -> Result<KeyKind, OpenError> {
        Ok(read_header(&profile.join(DIRECTORY))?.key_kind())
    }

    /// What other processes on this profile prove (spec: CLI-071).
    pub(crate) fn local_secret(&self) -> Arc<LocalSecret> {
        Arc::clone(&self.local_secret)
    }

    /// Whether a profile has a store.
    pub fn exists(profile: &Path) -> bool {
        profile.join(DIRECTORY).exists()
    }

    /// Locks the store with another key. The old one no longer opens it, but it still opens a copy
    /// of the old header: against a thief who has one and learns the old passphrase, only a new
    /// store helps.
    ///
    /// # Errors
    /// [`OpenError`]; the store then opens with `old` as before.
    pub fn change_key(
        &self,
        old: &StoreKey,
        new: &StoreKey,
        cost: KeyCost,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), OpenError> {
        let database_key = read_header(&self.directory)?.open(old)?;
        self.write_header(&Header::seal(&database_key, new, cost, rng)?)
    }

    /// Moves everything from the log into the database and cuts the log off, so that no overwritten
    /// page is left there. For quiet moments; writing does it by itself when the log is long.
    ///
    /// # Errors
    /// [`StoreError`]; what was applied is durable all the same.
    pub fn settle(&self) -> Result<(), StoreError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(store_error)
    }

    fn connected(directory: PathBuf, database_key: &DatabaseKey) -> Result<Self, OpenError> {
        let mut connection = connect(&directory, database_key)?;
        schema::migrate(&mut connection)?;
        let local_secret = Arc::new(database_key.local_secret()?);
        Ok(Self { connection, directory, health: Health::Sound, local_secret })
    }

    fn write_header(&self, header: &Header) -> Result<(), OpenError> {
        Ok(private_file::replace(&self.directory.join(HEADER), &header.to_bytes())?)
    }

    fn sound(&self) -> Result<&Connection, StoreError> {
        match self.health {
            Health::Sound => Ok(&self.connection),
            Health::Unknown => Err(StoreError::Failed),
        }
    }

    /// What is in the log is left there for the next opening to judge by its checksums.
    fn distrust(&mut self) {
        self.health = Health::Unknown;
        let kept = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let Err(error) = kept {
            tracing::warn!(error = %store_error(error), "the store's log will be moved on closing");
        }
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(store_error)?;
        for change in changes {
            write_change(&transaction, change)?;
        }
        crash::reach(crash::Point::StoreBeforeCommit);
        transaction.commit().map_err(store_error)?;
        crash::reach(crash::Point::StoreAfterCommit);
        Ok(())
    }

    /// What is committed is durable already: a checkpoint that fails is tried again after the next
    /// commit.
    fn settle_long_log(&self) {
        let log = self.directory.join(format!("{DATABASE}-wal"));
        let long = fs::metadata(log).is_ok_and(|log| log.len() > LOG_BYTES_MAX);
        if long && let Err(error) = self.settle() {
            tracing::warn!(%error, "the store's log could not be cut off");
        }
    }
}

impl Store for SqlcipherStore {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let connection = self.sound()?;
        if table == Table::Mls {
            return chunks::read(connection, key);
        }
        connection
            .prepare_cached(&format!("SELECT v FROM {} WHERE k = ?1", table.name()))
            .and_then(|mut select| select.query_row([key], |row| value(row, 0)).optional())
            .map_err(store_error)
    }

    fn rows(&self, table: Table, range: Range<'_>) -> Result<Vec<Row>, StoreError> {
        let connection = self.sound()?;
        let mut rows = range::read(connection, table, range).map_err(store_error)?;
        if table == Table::Mls {
            for row in &mut rows {
                row.value = chunks::assemble(connection, &row.value)?;
            }
        }
        Ok(rows)
    }

    fn keys(&self, table: Table, range: Range<'_>) -> Result<Vec<Vec<u8>>, StoreError> {
        // As they are stored: what a value is made of is not looked at.
        let rows = range::read(self.sound()?, table, range).map_err(store_error)?;
        Ok(rows.into_iter().map(|row| row.key).collect())
    }

    /// spec: CLI-050
    fn apply(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.sound()?;
        match self.commit(&changes) {
            Ok(()) => {
                self.settle_long_log();
                Ok(())
            }
            Err(error) => {
                // spec: CLI-059
                if error != StoreError::Full {
                    self.distrust();
                }
                Err(error)
            }
        }
    }
}

/// Leaves no log behind.
impl Drop for SqlcipherStore {
    fn drop(&mut self) {
        // SQLite removes the log itself when the connection closes; this is for the case where it
        // cannot remove it but can cut it off. Nothing can be done about a failure here.
        if self.health == Health::Sound {
            let _ = self.settle();
        }
    }
}

/// One value of a row, in memory that is wiped.
pub(super) fn value(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(row.get_ref(column)?.as_blob()?.to_vec()))
}

fn write_change(connection: &Connection, change: &Change) -> Result<(), StoreError> {
    let (table, key) = (change.table.name(), &change.key[..]);
    match (&change.value, change.table) {
        (Some(value), Table::Mls) => chunks::write(connection, key, value),
        (None, Table::Mls) => chunks::remove(connection, key),
        (Some(value), _) => connection
            .prepare_cached(&format!("INSERT OR REPLACE INTO {table} (k, v) VALUES (?1, ?2)"))
            .and_then(|mut insert| insert.execute(params![key, &value[..]]))
            .map(drop)
            .map_err(store_error),
        (None, _) => connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE k = ?1"))
            .and_then(|mut delete| delete.execute([key]))
            .map(drop)
            .map_err(store_error),
    }
}

fn read_header(directory: &Path) -> Result<Header, OpenError> {
    let read = || {
        // One byte more than a header has, so that a longer file is seen to be none.
        let mut bytes = Vec::with_capacity(HEADER_LENGTH.saturating_add(1));
        let most = u64::try_from(bytes.capacity()).unwrap_or(u64::MAX);
        fs::File::open(directory.join(HEADER))?.take(most).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    match read() {
        Ok(bytes) => Header::parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let database = fs::exists(directory.join(DATABASE))?;
            Err(if database { OpenError::Incomplete } else { OpenError::Absent })
        }
        Err(error) => Err(error.into()),
    }
}

/// What can be said of the database file without its key: SQLite would take an empty one for new.
fn check_database(path: &Path) -> Result<(), OpenError> {
    let mut start = [0; 16];
    let opened = fs::File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Incomplete,
        _ => error.into(),
    });
    match opened?.read_exact(&mut start) {
        Ok(()) if start == *b"SQLite format 3\0" => Err(OpenError::Foreign),
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(OpenError::Damaged),
        Err(error) => Err(error.into()),
    }
}

/// Opens the database file, which exists, with our settings.
///
/// `locking_mode=EXCLUSIVE` keeps other programs out and the index of the log in memory, so that
/// there is no shared-memory file. `cipher_compatibility` pins the file format: AES-256-CBC,
/// HMAC-SHA512 on every page, 4 KiB pages.
fn connect(directory: &Path, key: &DatabaseKey) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.join(DATABASE), flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Whoever has it open keeps it open: waiting would not help.
    connection.busy_timeout(core::time::Duration::ZERO)?;
    let digits = Zeroizing::new(hex::encode(key.expose()));
    let statement = Zeroizing::new(format!("PRAGMA key = \"x'{}'\";", *digits));
    connection.execute_batch(&statement)?;
    connection.execute_batch(
        "PRAGMA cipher_log_level = NONE;
         PRAGMA cipher_compatibility = 4;
         PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = OFF;
         PRAGMA trusted_schema = OFF;",
    )?;
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "wal" { Ok(connection) } else { Err(OpenError::Failed) }
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    use super::*;
    use crate::store::RawKey;

    fn put(table: Table, key: &[u8]) -> Change {
        Change { table, key: key.to_vec(), value: Some(Zeroizing::new(vec![1])) }
    }

    #[test]
    fn after_a_failed_write_nothing_is_served_until_it_is_opened_anew() {
        // spec: CLI-059
        let base = tempfile::tempdir().unwrap();
        let key = StoreKey::Raw(RawKey::new(Zeroizing::new([1; 32])));
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let cost = KeyCost::DANGEROUS_MINIMUM;
        let mut store = SqlcipherStore::create(base.path(), &key, cost, &mut rng).unwrap();
        store.apply(vec![put(Table::Mls, b"a"), put(Table::Chat, b"a")]).unwrap();
        // The second of the two writes fails, on this connection.
        let fail = "CREATE TEMP TRIGGER failing BEFORE INSERT ON main.mls \
                    BEGIN SELECT RAISE(ABORT, 'failed'); END";
        store.connection.execute(fail, []).unwrap();
        let failed = store.apply(vec![put(Table::Chat, b"b"), put(Table::Mls, b"a")]);
        assert!(failed.is_err_and(|error| error != StoreError::Full));
        assert_eq!(store.row(Table::Chat, b"a"), Err(StoreError::Failed));
        assert_eq!(store.apply(vec![put(Table::Chat, b"c")]), Err(StoreError::Failed));
        drop(store);
        let store = SqlcipherStore::open(base.path(), &key, cost, &mut rng).unwrap();
        assert!(store.row(Table::Chat, b"a").unwrap().is_some());
        assert!(store.row(Table::Chat, b"b").unwrap().is_none());
    }
}
