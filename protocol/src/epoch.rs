//! The keys that every member of an epoch holds, and nobody else: what proves membership to the
//! relay, and what the epoch's envelopes are sealed with.
//!
//! Both come from the safe exporter of MLS (draft-ietf-mls-extensions), which gives each secret
//! once and forgets it: whoever exports, stores [`EpochKeys::to_secret_bytes`] in the same
//! transaction, and deletes it when the epoch is read to its end.

use ed25519_dalek::SigningKey;
use hushwire_wire::id::PublicKey;
use hushwire_wire::transcript::public_key;
use zeroize::Zeroizing;

use crate::derive::derive;
use crate::label::Label;
use crate::secret::secret_bytes;

/// Component of the safe exporter: seed of the epoch key.
pub(crate) const EPOCH_KEY_COMPONENT: u16 = 0x8001;
/// Component of the safe exporter: envelope key.
pub(crate) const ENVELOPE_KEY_COMPONENT: u16 = 0x8002;

secret_bytes!(
    /// What the envelopes of an epoch are sealed with.
    EnvelopeKey
);

/// The keys of one epoch of a channel.
pub struct EpochKeys {
    /// Proves to the relay that its holder is a member in this epoch.
    pub signing: SigningKey,
    /// Seals and opens the epoch's envelopes.
    pub envelope: EnvelopeKey,
}

impl EpochKeys {
    /// Length of the stored form, in bytes.
    pub const SECRET_LENGTH: usize = 64;

    /// Derives both keys from what the exporter gave for the two components
    /// (spec: GRP-050).
    pub fn derive(epoch_secret: &[u8], envelope_secret: &[u8]) -> Self {
        let seed = derive::<32>(epoch_secret, Label::EpochKey, &[]);
        let envelope = derive::<32>(envelope_secret, Label::EnvelopeKey, &[]);
        Self {
            signing: SigningKey::from_bytes(&seed),
            envelope: EnvelopeKey::from_bytes(*envelope),
        }
    }

    /// The public half that the relay stores.
    pub fn public_key(&self) -> PublicKey {
        public_key(&self.signing)
    }

    /// The stored form: the seed of the signing key, then the envelope key.
    pub fn to_secret_bytes(&self) -> Zeroizing<[u8; Self::SECRET_LENGTH]> {
        let mut bytes = Zeroizing::new([0; Self::SECRET_LENGTH]);
        let (seed, envelope) = bytes.split_at_mut(32);
        seed.copy_from_slice(self.signing.as_bytes());
        envelope.copy_from_slice(self.envelope.expose());
        bytes
    }

    /// Takes up what was stored.
    pub fn from_secret_bytes(bytes: &[u8; Self::SECRET_LENGTH]) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        let mut envelope = Zeroizing::new([0; 32]);
        let (first, second) = bytes.split_at(32);
        seed.copy_from_slice(first);
        envelope.copy_from_slice(second);
        Self {
            signing: SigningKey::from_bytes(&seed),
            envelope: EnvelopeKey::from_bytes(*envelope),
        }
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EpochKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_keys_come_back() {
        let keys = EpochKeys::derive(&[1; 32], &[2; 32]);
        let again = EpochKeys::from_secret_bytes(&keys.to_secret_bytes());
        assert_eq!(again.public_key(), keys.public_key());
        assert_eq!(again.envelope, keys.envelope);
        assert_eq!(format!("{keys:?}"), "EpochKeys(..)");
    }

    #[test]
    fn the_two_secrets_are_kept_apart() {
        // spec: GRP-050
        let keys = EpochKeys::derive(&[1; 32], &[1; 32]);
        assert_ne!(keys.signing.as_bytes(), keys.envelope.expose());
        assert_ne!(keys.public_key(), EpochKeys::derive(&[2; 32], &[1; 32]).public_key());
    }
}
