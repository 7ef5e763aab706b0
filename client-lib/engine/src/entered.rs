//! Epochs that this device has been in: it enters none of them a second time.
//!
//! A relay can show an old invitation again, and a key package of last resort opens it again. Who
//! followed it would read and write in an epoch that is over, where members that were removed since
//! still read, and with message keys that were used before. An epoch's key is exported from its MLS
//! state, so it names the epoch whatever an invitation says (spec: LNK-061).

use hushwire_protocol::epoch::EpochKeys;
use serde::{Deserialize, Serialize};

use crate::{
    record::Record,
    store::{StoreError, Table},
    work::Work,
};

const PREFIX: &[u8] = b"entered ";

/// An epoch of any channel. Key: `entered `, its public key. It stays for ever.
#[derive(Serialize, Deserialize)]
struct EnteredRecord {}

impl Record for EnteredRecord {
    const TABLE: Table = Table::Profile;
}

fn row_key(keys: &EpochKeys) -> Vec<u8> {
    [PREFIX, keys.public_key().as_bytes()].concat()
}

/// Notes that this device is in an epoch.
pub(crate) fn note(work: &Work<'_>, keys: &EpochKeys) -> Result<(), StoreError> {
    work.tx.save(&row_key(keys), &EnteredRecord {})
}

/// Whether this device is or was in an epoch.
pub(crate) fn has_been(work: &Work<'_>, keys: &EpochKeys) -> Result<bool, StoreError> {
    Ok(work.tx.load::<EnteredRecord>(&row_key(keys))?.is_some())
}
