//! What a seized store would show: every row, for auditors.

use std::path::Path;

use hushwire_relay_rules::store::StoreError;
use rocksdb::IteratorMode;

use super::{
    OpenError,
    layout::{self, Family, Stored},
    options::{self, Bounds},
};

/// Walks every row of a store that no relay runs on, and changes nothing (spec: RLY-040). The caller
/// holds the data directory's lock.
///
/// # Errors
/// [`OpenError`] if it is missing, in use, newer, or damaged.
pub fn inspect(
    path: &Path,
    mut visit: impl FnMut(Inspected) -> std::io::Result<()>,
) -> Result<(), OpenError> {
    if !super::is_at(path) {
        return Err(OpenError::Missing);
    }
    let database = options::open_read_only(path, &Bounds::default())?;
    let version = database
        .get(layout::SCHEMA_KEY)
        .map_err(|error| OpenError::Disk(error.into_string()))?
        .ok_or(OpenError::Damaged)?;
    let found = u32::from_be_bytes(version.try_into().map_err(|_| OpenError::Damaged)?);
    if found > layout::SCHEMA {
        return Err(OpenError::Newer { found, supported: layout::SCHEMA });
    }
    for family in Family::ALL {
        let handle = database.cf_handle(family.name()).ok_or(OpenError::Damaged)?;
        for row in database.iterator_cf(&handle, IteratorMode::Start) {
            let (key, value) = row.map_err(|error| OpenError::Disk(error.into_string()))?;
            let inspected = Inspected::new(family, &key, &value).map_err(|_| OpenError::Damaged)?;
            visit(inspected).map_err(|error| OpenError::Disk(error.to_string()))?;
        }
    }
    Ok(())
}

/// One row as `hush-relay inspect` prints it; bytes are in hex.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Inspected {
    /// The column family.
    pub family: &'static str,
    /// The kind of object.
    pub object: &'static str,
    /// Its id.
    pub id: String,
    /// The table's number in the layout; absent for a revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<u8>,
    /// The key within object and table.
    pub key: String,
    /// From when on the row does not exist, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// The value.
    pub value: String,
}

impl Inspected {
    fn new(family: Family, key: &[u8], value: &[u8]) -> Result<Self, StoreError> {
        let (key, expires, value) = if family == Family::Expiry {
            let expiry = layout::Expiry::parse(key)?;
            (expiry.key, Some(expiry.time), value)
        } else {
            let stored = Stored::parse(value)?;
            (key, stored.expires, stored.value)
        };
        let described = layout::describe(key)?;
        Ok(Self {
            family: family.name(),
            object: described.object,
            id: hex::encode(described.id),
            table: described.table,
            key: hex::encode(described.key),
            expires_ms: expires.map(|time| time.0),
            value: hex::encode(value),
        })
    }
}
