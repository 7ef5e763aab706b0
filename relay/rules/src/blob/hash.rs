//! The hash of what is stored of a blob, carried on from chunk to chunk, so that an entry that names
//! the blob is checked without reading it (spec: CHN-010).

use hushwire_wire::id::ContentHash;
use sha2::{
    Digest as _, Sha256,
    digest::common::hazmat::{SerializableState as _, SerializedState},
};

use crate::store::StoreError;

/// SHA-256 of a beginning, ready for what follows.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunningHash(Sha256);

impl RunningHash {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash, if nothing follows.
    pub(crate) fn finish(&self) -> ContentHash {
        ContentHash::from_bytes(self.0.clone().finalize().into())
    }

    pub(crate) fn encode(&self) -> SerializedState<Sha256> {
        self.0.serialize()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let state = bytes.try_into().map_err(|_| StoreError::Damaged)?;
        Sha256::deserialize(&state).map(Self).map_err(|_| StoreError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use hushwire_wire::transcript;

    use super::*;

    #[test]
    fn a_hash_goes_on_from_its_bytes_wherever_it_was_cut() {
        // spec: CHN-010
        let content: Vec<u8> = (0..300_u16).map(|at| (at % 251) as u8).collect();
        for at in [0, 1, 63, 64, 65, 127, 128, 200, 300] {
            let mut hash = RunningHash::default();
            hash.add(&content[..at]);
            let mut hash = RunningHash::decode(&hash.encode()).unwrap();
            assert_eq!(hash.finish(), transcript::content_hash(&content[..at]));
            hash.add(&content[at..]);
            assert_eq!(hash.finish(), transcript::content_hash(&content));
        }
        let bytes = RunningHash::default().encode();
        assert!(RunningHash::decode(&bytes[1..]).is_err());
        assert!(RunningHash::decode(&[0xff; 200]).is_err());
    }
}
