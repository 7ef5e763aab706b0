//! The name of an identity: the hash of its root public key.

use core::fmt;

use hushwire_wire::id::PublicKey;

use crate::label::Label;

/// An identity: SHA-256, with a label, of its root public key (spec: IDN-010).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// The identity of this root key.
    pub fn of(root_key: &PublicKey) -> Self {
        Self(Label::Identity.hash(root_key.as_bytes()))
    }

    /// A fingerprint that was stored or received. Proves nothing by itself.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Prints the type's name only: it names a person.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

impl AsRef<[u8]> for Fingerprint {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Text that is no fingerprint: not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 64 hexadecimal digits")]
pub struct NotAFingerprint;

impl Fingerprint {
    /// The fingerprint as 64 hexadecimal digits, for people. Never for logs.
    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Reads what [`Self::to_hex`] wrote.
    ///
    /// # Errors
    /// [`NotAFingerprint`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, NotAFingerprint> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .map_err(|_| NotAFingerprint)?;
        Self::try_from(bytes.as_slice()).map_err(|_| NotAFingerprint)
    }
}

impl TryFrom<&[u8]> for Fingerprint {
    type Error = hushwire_wire::id::WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let wrong = Self::Error { expected: 32, actual: bytes.len() };
        bytes.try_into().map(Self).map_err(|_| wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_labelled_hash_of_the_root_key() {
        // spec: IDN-010
        use sha2::{Digest as _, Sha256};
        let key = PublicKey::from_bytes([1; 32]);
        let expected = Sha256::digest([&b"\x13hushwire/1 identity"[..], &[1; 32]].concat());
        assert_eq!(Fingerprint::of(&key).as_bytes()[..], expected[..]);
        assert_ne!(Fingerprint::of(&key), Fingerprint::of(&PublicKey::from_bytes([2; 32])));
        assert_eq!(format!("{:?}", Fingerprint::of(&key)), "Fingerprint(..)");
    }
}
