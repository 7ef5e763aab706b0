//! MessagePack, written into memory that is zeroized, and the layout of keys.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize as _, Zeroizing};

use super::MlsStoreError;

const LAYOUT: u8 = 1;

/// What stands under a key. The numbers are part of the stored layout and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Entity {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    ProposalRefs = 3,
    Proposal = 4,
    Tree = 5,
    InterimTranscriptHash = 6,
    GroupContext = 7,
    ConfirmationTag = 8,
    GroupState = 9,
    MessageSecrets = 10,
    ResumptionSecrets = 11,
    OwnLeafIndex = 12,
    EpochSecrets = 13,
    ExportTree = 14,
    EpochKeyPairs = 15,
    SignatureKeyPair = 32,
    EncryptionKeyPair = 33,
    KeyPackage = 34,
    Psk = 35,
}

/// A growing buffer that leaves no copies behind when it grows.
#[derive(Default)]
struct SecretBuffer(Zeroizing<Vec<u8>>);

impl io::Write for SecretBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let capacity = needed.max(self.0.capacity().saturating_mul(2)).max(256);
            let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
) -> Result<Zeroizing<Vec<u8>>, MlsStoreError> {
    let mut buffer = SecretBuffer::default();
    rmp_serde::encode::write(&mut buffer, value).map_err(|_| MlsStoreError::NotEncodable)?;
    Ok(buffer.0)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MlsStoreError> {
    rmp_serde::from_slice(bytes).map_err(|_| MlsStoreError::Malformed)
}

pub(super) fn group_prefix(group: &[u8]) -> Vec<u8> {
    let mut key = vec![LAYOUT, b'g'];
    // Group ids are channel ids: 32 bytes. A longer one keeps its own length apart by its bytes.
    key.push(u8::try_from(group.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(group);
    key
}

pub(super) fn global_key<K: Serialize>(entity: Entity, name: &K) -> Result<Vec<u8>, MlsStoreError> {
    let mut key = vec![LAYOUT, b'k', entity as u8];
    key.extend_from_slice(&encode(name)?);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back() {
        let value = (vec![7u8; 1_000], Some("text".to_owned()));
        let bytes = encode(&value).unwrap();
        assert_eq!(decode::<(Vec<u8>, Option<String>)>(&bytes).unwrap(), value);
        assert_eq!(decode::<String>(&bytes), Err(MlsStoreError::Malformed));
    }
}
