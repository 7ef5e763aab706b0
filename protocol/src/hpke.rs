//! HPKE (RFC 9180), base mode, with the caller's randomness.
//!
//! The library draws the randomness of an encapsulation from the operating system. Here the
//! encapsulation is made with the caller's generator, and the library goes on from its shared
//! secret: key schedule, AEAD and the whole receiving side are the library's.
//! (It also seeds a generator of its own when a context is made; nothing of that is ever used.)

use hpke_rs::{Context, Hpke, HpkeError, HpkePrivateKey, Mode};
use hpke_rs_crypto::HpkeCrypto as _;
use hpke_rs_crypto::types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs_rust_crypto::HpkeRustCrypto;
use rand_core::CryptoRng;
use x_wing::{Encapsulate as _, TryKeyInit as _};
use zeroize::Zeroizing;

use crate::random::random_secret;

/// An HPKE suite.
#[derive(Clone, Copy, Debug)]
pub struct HpkeSuite {
    /// Key encapsulation: `DhKem25519` or `XWingDraft06`; others are refused.
    pub kem: KemAlgorithm,
    /// Key derivation.
    pub kdf: KdfAlgorithm,
    /// Sealing.
    pub aead: AeadAlgorithm,
}

impl HpkeSuite {
    /// The suite of inbox items: X-Wing, HKDF-SHA256, ChaCha20-Poly1305 (spec: LNK-030).
    pub const INBOX: Self = Self {
        kem: KemAlgorithm::XWingDraft06,
        kdf: KdfAlgorithm::HkdfSha256,
        aead: AeadAlgorithm::ChaCha20Poly1305,
    };

    fn context(self) -> Hpke<HpkeRustCrypto> {
        Hpke::new(Mode::Base, self.kem, self.kdf, self.aead)
    }

    /// Sets up a sender: the encapsulated key, and the context that seals and exports.
    ///
    /// # Errors
    /// [`HpkeError`] when the recipient's key is not valid, or the KEM is none of ours.
    pub fn sender(
        self,
        recipient: &[u8],
        info: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Context<HpkeRustCrypto>), HpkeError> {
        let (shared_secret, encapsulated) = match self.kem {
            KemAlgorithm::XWingDraft06 => encapsulate_x_wing(recipient, rng)?,
            KemAlgorithm::DhKem25519 => encapsulate_x25519(&self.context(), recipient, rng)?,
            _ => return Err(HpkeError::InvalidConfig),
        };
        let context = self.context().key_schedule(&shared_secret, info, &[], &[])?;
        Ok((encapsulated, context))
    }

    /// Seals one message: the encapsulated key and the ciphertext.
    ///
    /// # Errors
    /// As [`HpkeSuite::sender`].
    pub fn seal(
        self,
        recipient: &[u8],
        info: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Vec<u8>), HpkeError> {
        let (encapsulated, mut context) = self.sender(recipient, info, rng)?;
        Ok((encapsulated, context.seal(associated_data, plaintext)?))
    }

    /// Sets up a receiver.
    ///
    /// # Errors
    /// [`HpkeError`] when the encapsulated key or the private key is not valid.
    pub fn receiver(
        self,
        encapsulated: &[u8],
        private_key: &[u8],
        info: &[u8],
    ) -> Result<Context<HpkeRustCrypto>, HpkeError> {
        let private_key = HpkePrivateKey::from(private_key);
        self.context().setup_receiver(encapsulated, &private_key, info, None, None, None)
    }

    /// Opens one message.
    ///
    /// # Errors
    /// [`HpkeError`] when a key is not valid or the ciphertext is not for it.
    pub fn open(
        self,
        encapsulated: &[u8],
        private_key: &[u8],
        info: &[u8],
        associated_data: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HpkeError> {
        let mut context = self.receiver(encapsulated, private_key, info)?;
        context.open(associated_data, ciphertext).map(Zeroizing::new)
    }

    /// Derives a key pair (RFC 9180 section 7.1.3): the private key, then the public one.
    ///
    /// # Errors
    /// [`HpkeError`] when the KEM is none of the library's.
    pub fn key_pair(self, seed: &[u8; 32]) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), HpkeError> {
        let (private_key, public_key) = self.context().derive_key_pair(seed)?.into_keys();
        Ok((Zeroizing::new(private_key.as_slice().to_vec()), public_key.as_slice().to_vec()))
    }
}

type SharedSecret = Zeroizing<Vec<u8>>;

fn encapsulate_x_wing(
    recipient: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<(SharedSecret, Vec<u8>), HpkeError> {
    let key =
        x_wing::EncapsulationKey::new_from_slice(recipient).map_err(|_| HpkeError::InvalidInput)?;
    let (encapsulated, shared_secret) = key.encapsulate_with_rng(rng);
    Ok((Zeroizing::new(shared_secret.as_slice().to_vec()), encapsulated.as_slice().to_vec()))
}

/// `Encap` of RFC 9180 section 4.1, with an ephemeral key derived from the caller's randomness.
fn encapsulate_x25519(
    hpke: &Hpke<HpkeRustCrypto>,
    recipient: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<(SharedSecret, Vec<u8>), HpkeError> {
    let seed = random_secret::<32>(rng);
    let (private_key, public_key) = hpke.derive_key_pair(&*seed)?.into_keys();
    let encapsulated = public_key.as_slice().to_vec();
    let exchanged = Zeroizing::new(HpkeRustCrypto::dh(
        KemAlgorithm::DhKem25519,
        recipient,
        private_key.as_slice(),
    )?);
    let kem_context = [&encapsulated[..], recipient].concat();
    let shared_secret = extract_and_expand(&exchanged, &kem_context)?;
    Ok((shared_secret, encapsulated))
}

/// `ExtractAndExpand` of RFC 9180 section 4.1 for DHKEM(X25519, HKDF-SHA256), KEM id 0x0020.
fn extract_and_expand(exchanged: &[u8], kem_context: &[u8]) -> Result<SharedSecret, HpkeError> {
    const PREFIX: &[u8] = b"HPKE-v1KEM\x00\x20";
    let kdf = KdfAlgorithm::HkdfSha256;
    let labeled = Zeroizing::new([PREFIX, b"eae_prk", exchanged].concat());
    let key = Zeroizing::new(HpkeRustCrypto::kdf_extract(kdf, &[], &labeled)?);
    let info = [&[0, 32], PREFIX, b"shared_secret", kem_context].concat();
    Ok(Zeroizing::new(HpkeRustCrypto::kdf_expand(kdf, &key, &info, 32)?))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    const CLASSICAL: HpkeSuite = HpkeSuite { kem: KemAlgorithm::DhKem25519, ..HpkeSuite::INBOX };

    #[test]
    fn the_library_opens_what_is_sealed_here() {
        // spec: LNK-030
        for suite in [HpkeSuite::INBOX, CLASSICAL] {
            let (private_key, public_key) = suite.key_pair(&[1; 32]).unwrap();
            let mut rng = ChaCha20Rng::from_seed([2; 32]);
            let (key, sealed) = suite.seal(&public_key, b"info", b"ad", b"text", &mut rng).unwrap();
            let opened = suite.open(&key, &private_key, b"info", b"ad", &sealed).unwrap();
            assert_eq!(&opened[..], b"text");
            assert!(suite.open(&key, &private_key, b"other", b"ad", &sealed).is_err());
            assert!(suite.open(&key, &private_key, b"info", b"other", &sealed).is_err());
        }
    }

    #[test]
    fn the_same_randomness_gives_the_same_bytes() {
        for suite in [HpkeSuite::INBOX, CLASSICAL] {
            let (_, public_key) = suite.key_pair(&[1; 32]).unwrap();
            let seal = |seed| {
                let mut rng = ChaCha20Rng::from_seed([seed; 32]);
                suite.seal(&public_key, b"", b"", b"text", &mut rng).unwrap()
            };
            assert_eq!(seal(2), seal(2));
            assert_ne!(seal(2), seal(3));
        }
    }

    #[test]
    fn wrong_keys_are_refused() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        for suite in [HpkeSuite::INBOX, CLASSICAL] {
            assert!(suite.seal(&[0; 31], b"", b"", b"", &mut rng).is_err());
            assert!(suite.open(&[0; 31], &[1; 32], b"", b"", b"").is_err());
        }
        // A public key of small order gives an all-zero secret.
        assert!(CLASSICAL.seal(&[0; 32], b"", b"", b"", &mut rng).is_err());
    }
}
