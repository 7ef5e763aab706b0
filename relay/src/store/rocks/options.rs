//! How RocksDB is set up: bounded memory, no compression, no log that could name a key.

use std::{collections::BTreeSet, path::Path};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel,
    Options,
};

use super::{Database, OpenError, layout::Family};

/// Bounds of a store; the configuration's section `store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Memory for what was read, in bytes.
    pub cache_bytes: usize,
    /// Memory for what was written and is not in its final file yet, in bytes.
    pub write_buffer_bytes: usize,
    /// Files open at once.
    pub files_max: u16,
    /// A commit is refused when the disk has less free space, in bytes.
    pub disk_reserve_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self::from(&crate::config::Store::default())
    }
}

impl From<&crate::config::Store> for Bounds {
    fn from(config: &crate::config::Store) -> Self {
        Self {
            cache_bytes: config.cache_bytes,
            write_buffer_bytes: config.write_buffer_bytes,
            files_max: config.files_max,
            disk_reserve_bytes: config.disk_reserve_bytes,
        }
    }
}

/// Values from this size on lie in blob files beside the sorted tables.
const BLOB_VALUE_BYTES_MIN: u64 = 512;
const BLOB_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Opens or creates the database.
pub(super) fn open(path: &Path, bounds: &Bounds) -> Result<Database, OpenError> {
    let options = database(bounds);
    Database::open_cf_descriptors(&options, path, families(path, &options, bounds)?)
        .map_err(open_error)
}

/// Opens the database without changing a byte of it. Takes no lock: the caller has one.
pub(super) fn open_read_only(path: &Path, bounds: &Bounds) -> Result<Database, OpenError> {
    let options = database(bounds);
    let families = families(path, &options, bounds)?;
    Database::open_cf_descriptors_read_only(&options, path, families, false).map_err(open_error)
}

/// Every family that the database has or should have. One that this build does not know is opened
/// too, so that the schema version can say that it is newer.
fn families(
    path: &Path,
    options: &Options,
    bounds: &Bounds,
) -> Result<Vec<ColumnFamilyDescriptor>, OpenError> {
    let mut names: BTreeSet<String> =
        Family::ALL.iter().map(|family| family.name().to_owned()).collect();
    names.insert("default".to_owned());
    if super::is_at(path) {
        names.extend(Database::list_cf(options, path).map_err(open_error)?);
    }
    let cache = Cache::new_lru_cache(bounds.cache_bytes);
    let descriptor = |name: String| {
        let options = family(&name, bounds, &cache);
        ColumnFamilyDescriptor::new(name, options)
    };
    Ok(names.into_iter().map(descriptor).collect())
}

fn database(bounds: &Bounds) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(bounds.write_buffer_bytes);
    options.set_max_total_wal_size(2 * u64_from(bounds.write_buffer_bytes));
    options.set_max_open_files(i32::from(bounds.files_max.min(i16::MAX.unsigned_abs())));
    options.set_max_background_jobs(2);
    // A torn last record is a write that was never acknowledged; anything else is damage.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_manifest_preallocation_size(64 * 1024);
    options.set_log_level(LogLevel::Fatal);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1024 * 1024);
    options.set_stats_dump_period_sec(0);
    options
}

fn family(name: &str, bounds: &Bounds, cache: &Cache) -> Options {
    let mut tables = BlockBasedOptions::default();
    tables.set_block_cache(cache);
    tables.set_cache_index_and_filter_blocks(true);
    tables.set_pin_l0_filter_and_index_blocks_in_cache(true);
    tables.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.set_block_based_table_factory(&tables);
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size((bounds.write_buffer_bytes / 4).max(1024 * 1024));
    options.set_max_write_buffer_number(2);
    if name == Family::Content.name() || name == Family::Chunks.name() {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(BLOB_VALUE_BYTES_MIN);
        options.set_blob_file_size(BLOB_FILE_BYTES);
        options.set_blob_compression_type(DBCompressionType::None);
        options.set_enable_blob_gc(true);
    }
    options
}

fn open_error(error: rocksdb::Error) -> OpenError {
    let text: &str = error.as_ref();
    if text.contains("lock") && (text.contains("LOCK") || text.contains("lock hold")) {
        OpenError::InUse
    } else if error.kind() == rocksdb::ErrorKind::Corruption {
        OpenError::Damaged
    } else {
        OpenError::Disk(error.into_string())
    }
}

fn u64_from(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
