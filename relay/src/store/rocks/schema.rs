//! Which layout a store has, and how an older one becomes this build's.

use rocksdb::{IteratorMode, WriteBatch, WriteOptions};

use super::{Database, OpenError, layout};

/// Takes a store from one schema to the next; runs before anything is served.
pub(super) struct Migration {
    from: u32,
    run: fn(&Database, &mut WriteBatch) -> Result<(), rocksdb::Error>,
}

/// Schema 1 is the first, so nothing leads to it.
pub(super) const MIGRATIONS: [Migration; 0] = [];

/// Brings the store to `target`, one schema after the other, each in one synced batch with its
/// version row: a crash between two leaves a store that the next start takes up (spec: RLY-013).
pub(super) fn migrate(
    database: &Database,
    target: u32,
    steps: &[Migration],
) -> Result<(), OpenError> {
    let disk = |error: rocksdb::Error| OpenError::Disk(error.into_string());
    let mut schema = match database.get(layout::SCHEMA_KEY).map_err(disk)? {
        Some(bytes) => u32::from_be_bytes(bytes.try_into().map_err(|_| OpenError::Damaged)?),
        None if database.iterator(IteratorMode::Start).next().is_none() => {
            let mut batch = WriteBatch::default();
            batch.put(layout::SCHEMA_KEY, target.to_be_bytes());
            write_synced(database, batch).map_err(disk)?;
            return Ok(());
        }
        None => return Err(OpenError::Damaged),
    };
    if schema > target {
        return Err(OpenError::Newer { found: schema, supported: target });
    }
    while schema < target {
        let step = steps.iter().find(|step| step.from == schema).ok_or(OpenError::Damaged)?;
        let mut batch = WriteBatch::default();
        (step.run)(database, &mut batch).map_err(disk)?;
        schema += 1;
        batch.put(layout::SCHEMA_KEY, schema.to_be_bytes());
        write_synced(database, batch).map_err(disk)?;
    }
    Ok(())
}

fn write_synced(database: &Database, batch: WriteBatch) -> Result<(), rocksdb::Error> {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    database.write_opt(batch, &options)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Bounds, RocksStore, options},
        *,
    };

    fn step(_: &Database, batch: &mut WriteBatch) -> Result<(), rocksdb::Error> {
        batch.put(b"migrated", b"yes");
        Ok(())
    }

    #[test]
    fn a_store_is_migrated_forward_and_a_newer_one_refused() {
        // spec: RLY-013
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let bounds = Bounds { disk_reserve_bytes: 0, ..Bounds::default() };
        drop(RocksStore::open(&path, &bounds).unwrap());
        let database = options::open(&path, &bounds).unwrap();
        assert!(matches!(migrate(&database, 2, &[]), Err(OpenError::Damaged)));
        migrate(&database, 2, &[Migration { from: 1, run: step }]).unwrap();
        assert_eq!(database.get(b"migrated").unwrap().as_deref(), Some(&b"yes"[..]));
        drop(database);
        let error = RocksStore::open(&path, &bounds).err();
        assert!(matches!(error, Some(OpenError::Newer { found: 2, supported: 1 })), "{error:?}");
    }
}
