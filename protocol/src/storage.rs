//! Where MLS keeps its state: a byte store of the caller's, and openmls' storage trait on top.
//!
//! One operation of [`crate::group`] is one transaction of the caller: its reads see its own
//! writes, and all of them are kept or none. openmls changes memory before it writes, so after any
//! error the caller discards the transaction and loads the group again.
//!
//! Values are MessagePack, a self-describing format (openmls needs one); keys are laid out below
//! and stay as they are between versions.
//!
//! ```text
//! 0x01 'g' <length> <channel id> <entity> [rest]   state of a group: one prefix for each group
//! 0x01 'k' <entity> <name>                          keys that belong to no group yet
//! ```

use std::collections::BTreeMap;
use std::sync::Mutex;

use hushwire_wire::id::ChannelId;
use zeroize::Zeroizing;

mod codec;
mod openmls_storage;

pub(crate) use openmls_storage::Storage;

/// Why the state of MLS could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MlsStoreError {
    /// Local: the caller's store failed.
    #[error("the store failed")]
    Failed,
    /// Local: what is stored is no value of this version.
    #[error("a stored value cannot be read")]
    Malformed,
    /// Bug: a value has no encoding.
    #[error("a value cannot be encoded")]
    NotEncodable,
}

/// A byte store with interior mutability: the engine's transaction. All reads see earlier writes.
///
/// Whether the writes are kept is the owner's decision, after the operation: commit or discard.
pub trait MlsStore {
    /// The value at `key`.
    ///
    /// # Errors
    /// [`MlsStoreError::Failed`].
    fn read(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, MlsStoreError>;

    /// Stores `value` at `key`, in place of an earlier value.
    ///
    /// # Errors
    /// [`MlsStoreError::Failed`].
    fn write(&self, key: &[u8], value: Zeroizing<Vec<u8>>) -> Result<(), MlsStoreError>;

    /// Deletes the value at `key`, if there is one.
    ///
    /// # Errors
    /// [`MlsStoreError::Failed`].
    fn delete(&self, key: &[u8]) -> Result<(), MlsStoreError>;
}

/// Every key under which state of this group stands begins with these bytes, and no other does.
pub fn group_prefix(channel: &ChannelId) -> Vec<u8> {
    codec::group_prefix(channel.as_bytes())
}

/// A store in memory with snapshots, for tests and simulations.
#[derive(Default)]
pub struct MemoryMlsStore(Mutex<BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>>);

/// What a [`MemoryMlsStore`] held at some moment.
pub struct MlsSnapshot(BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>);

impl MemoryMlsStore {
    /// Everything as it is now.
    pub fn snapshot(&self) -> MlsSnapshot {
        MlsSnapshot(self.rows().clone())
    }

    /// Discards all that was written since.
    pub fn roll_back(&self, snapshot: MlsSnapshot) {
        *self.rows() = snapshot.0;
    }

    /// How many values are stored under keys that begin so.
    pub fn count(&self, prefix: &[u8]) -> usize {
        self.rows().keys().filter(|key| key.starts_with(prefix)).count()
    }

    /// How many bytes the keys that begin so and their values have.
    pub fn bytes(&self, prefix: &[u8]) -> usize {
        let rows = self.rows();
        let found = rows.iter().filter(|(key, _)| key.starts_with(prefix));
        found.map(|(key, value)| key.len().saturating_add(value.len())).sum()
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>> {
        // A poisoned lock means that another test thread panicked; the map itself is whole.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl MlsStore for MemoryMlsStore {
    fn read(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, MlsStoreError> {
        Ok(self.rows().get(key).cloned())
    }

    fn write(&self, key: &[u8], value: Zeroizing<Vec<u8>>) -> Result<(), MlsStoreError> {
        self.rows().insert(key.to_vec(), value);
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), MlsStoreError> {
        self.rows().remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_discards_what_was_written() {
        let store = MemoryMlsStore::default();
        store.write(b"a", Zeroizing::new(vec![1])).unwrap();
        let snapshot = store.snapshot();
        store.write(b"a", Zeroizing::new(vec![2])).unwrap();
        store.write(b"b", Zeroizing::new(vec![3])).unwrap();
        store.delete(b"a").unwrap();
        store.roll_back(snapshot);
        assert_eq!(store.read(b"a").unwrap().unwrap()[..], [1]);
        assert_eq!(store.count(b""), 1);
        assert_eq!((store.bytes(b""), store.bytes(b"b")), (2, 0));
    }

    #[test]
    fn groups_do_not_share_a_prefix() {
        let (one, other) = (ChannelId::from_bytes([1; 32]), ChannelId::from_bytes([2; 32]));
        assert_ne!(group_prefix(&one), group_prefix(&other));
        assert_eq!(group_prefix(&one).len(), 35);
    }
}
