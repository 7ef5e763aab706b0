//! The key of one file.

use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 random bytes that seal one file and nothing else (spec: ATT-001).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct FileKey([u8; 32]);

impl FileKey {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// Draws a key.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut key = Self([0; Self::LENGTH]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// Takes exactly 32 bytes: a key from a message, or from the store of an upload that goes on.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes; for the message that shares the file, and for the store.
    pub const fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(..)")
    }
}

impl PartialEq for FileKey {
    fn eq(&self, other: &Self) -> bool {
        self.0[..].ct_eq(&other.0[..]).into()
    }
}

impl Eq for FileKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_the_name_only() {
        assert_eq!(format!("{:?}", FileKey::from_bytes([7; 32])), "FileKey(..)");
    }
}
