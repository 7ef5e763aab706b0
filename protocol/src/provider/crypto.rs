//! The cryptography that openmls calls: two suites, strict signatures, injected randomness.

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::ChaCha20Poly1305;
use ed25519_dalek::{Signer as _, SigningKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use hpke_rs_crypto::types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hushwire_wire::id::{PublicKey, Signature};
use hushwire_wire::transcript::verify_strict;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeAeadType, HpkeCiphertext,
    HpkeConfig, HpkeKdfType, HpkeKemType, HpkeKeyPair, KemOutput, SignatureScheme,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha256};
use tls_codec::SecretVLBytes;
use zeroize::Zeroizing;

use super::Suite;
use crate::hpke::HpkeSuite;

/// The cryptography of the two suites, and of no other.
pub(crate) struct Crypto {
    encapsulation_seed: Zeroizing<[u8; 32]>,
    #[cfg(feature = "insider")]
    pub(crate) seals: crate::insider::Seals,
}

impl Crypto {
    pub(super) const fn new(encapsulation_seed: Zeroizing<[u8; 32]>) -> Self {
        Self {
            encapsulation_seed,
            #[cfg(feature = "insider")]
            seals: crate::insider::Seals::Whole,
        }
    }

    /// For checks that draw no randomness.
    pub(crate) fn verifying() -> Self {
        Self::new(Zeroizing::new([0; 32]))
    }

    /// The randomness of one encapsulation: bound to the seed of the operation and to all that goes
    /// in, so that the order of threads does not matter and no two messages share any.
    fn encapsulation_rng(&self, parts: [&[u8]; 4]) -> ChaCha20Rng {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut seed = Zeroizing::new([0; 32]);
        let info = hash.finalize();
        // 32 bytes are within HKDF's bound, so that this cannot fail.
        let _ = Hkdf::<Sha256>::new(None, &*self.encapsulation_seed).expand(&info, &mut *seed);
        ChaCha20Rng::from_seed(*seed)
    }
}

fn only_sha256(hash: HashType) -> Result<(), CryptoError> {
    if hash == HashType::Sha2_256 { Ok(()) } else { Err(CryptoError::UnsupportedHashAlgorithm) }
}

fn hpke_suite(config: HpkeConfig) -> Result<HpkeSuite, CryptoError> {
    let HpkeConfig(kem, kdf, aead) = config;
    let kem = match kem {
        HpkeKemType::XWingKemDraft6 => KemAlgorithm::XWingDraft06,
        HpkeKemType::DhKem25519 => KemAlgorithm::DhKem25519,
        _ => return Err(CryptoError::UnsupportedCiphersuite),
    };
    let aead = match aead {
        HpkeAeadType::AesGcm128 => AeadAlgorithm::Aes128Gcm,
        HpkeAeadType::ChaCha20Poly1305 => AeadAlgorithm::ChaCha20Poly1305,
        _ => return Err(CryptoError::UnsupportedAeadAlgorithm),
    };
    if kdf != HpkeKdfType::HkdfSha256 {
        return Err(CryptoError::UnsupportedKdf);
    }
    Ok(HpkeSuite { kem, kdf: KdfAlgorithm::HkdfSha256, aead })
}

impl OpenMlsCrypto for Crypto {
    fn supports(&self, ciphersuite: Ciphersuite) -> Result<(), CryptoError> {
        Suite::of(ciphersuite).map(|_| ()).ok_or(CryptoError::UnsupportedCiphersuite)
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        Suite::ALL.map(Suite::ciphersuite).to_vec()
    }

    fn hkdf_extract(
        &self,
        hash_type: HashType,
        salt: &[u8],
        ikm: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        only_sha256(hash_type)?;
        Ok(Hkdf::<Sha256>::extract(Some(salt), ikm).0.as_slice().into())
    }

    fn hmac(
        &self,
        hash_type: HashType,
        key: &[u8],
        message: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        only_sha256(hash_type)?;
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key)
            .map_err(|_| CryptoError::InvalidLength)?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().as_slice().into())
    }

    fn hkdf_expand(
        &self,
        hash_type: HashType,
        prk: &[u8],
        info: &[u8],
        okm_len: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        only_sha256(hash_type)?;
        let wrong_length = |_| CryptoError::HkdfOutputLengthInvalid;
        let hkdf =
            Hkdf::<Sha256>::from_prk(prk).map_err(|_| CryptoError::HkdfOutputLengthInvalid)?;
        let mut output = vec![0; okm_len];
        hkdf.expand(info, &mut output).map_err(wrong_length)?;
        Ok(output.into())
    }

    fn hash(&self, hash_type: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        only_sha256(hash_type)?;
        Ok(Sha256::digest(data).to_vec())
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        check_nonce(nonce)?;
        let payload = Payload { msg: data, aad };
        let sealed = match alg {
            AeadType::Aes128Gcm => Aes128Gcm::new_from_slice(key)
                .map_err(|_| CryptoError::InvalidLength)?
                .encrypt(nonce.into(), payload),
            AeadType::ChaCha20Poly1305 => ChaCha20Poly1305::new_from_slice(key)
                .map_err(|_| CryptoError::InvalidLength)?
                .encrypt(nonce.into(), payload),
            AeadType::Aes256Gcm => return Err(CryptoError::UnsupportedAeadAlgorithm),
        };
        sealed.map_err(|_| CryptoError::CryptoLibraryError)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ct_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        check_nonce(nonce)?;
        let payload = Payload { msg: ct_tag, aad };
        let opened = match alg {
            AeadType::Aes128Gcm => Aes128Gcm::new_from_slice(key)
                .map_err(|_| CryptoError::InvalidLength)?
                .decrypt(nonce.into(), payload),
            AeadType::ChaCha20Poly1305 => ChaCha20Poly1305::new_from_slice(key)
                .map_err(|_| CryptoError::InvalidLength)?
                .decrypt(nonce.into(), payload),
            AeadType::Aes256Gcm => return Err(CryptoError::UnsupportedAeadAlgorithm),
        };
        opened.map_err(|_| CryptoError::AeadDecryptionError)
    }

    /// openmls never asks for one: device keys are made by [`crate::identity`].
    fn signature_key_gen(&self, _: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        Err(CryptoError::UnsupportedSignatureScheme)
    }

    fn verify_signature(
        &self,
        alg: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        only_ed25519(alg)?;
        let key = PublicKey::from_slice(pk).map_err(|_| CryptoError::InvalidLength)?;
        let signature =
            Signature::from_slice(signature).map_err(|_| CryptoError::InvalidSignature)?;
        verify_strict(&key, data, &signature).map_err(|_| CryptoError::InvalidSignature)
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        only_ed25519(alg)?;
        let key = SigningKey::try_from(key).map_err(|_| CryptoError::InvalidLength)?;
        Ok(key.sign(data).to_bytes().to_vec())
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        aad: &[u8],
        ptxt: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let mut rng = self.encapsulation_rng([pk_r, info, aad, ptxt]);
        let (kem_output, ciphertext) = hpke_suite(config)?
            .seal(pk_r, info, aad, ptxt, &mut rng)
            .map_err(|_| CryptoError::HpkeEncryptionError)?;
        #[cfg(feature = "insider")]
        let ciphertext = self.seals.spoil(pk_r, ciphertext);
        Ok(HpkeCiphertext { kem_output: kem_output.into(), ciphertext: ciphertext.into() })
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk_r: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let (kem_output, ciphertext) = (input.kem_output.as_slice(), input.ciphertext.as_slice());
        hpke_suite(config)?
            .open(kem_output, sk_r, info, aad, ciphertext)
            .map(|mut opened| core::mem::take(&mut *opened))
            .map_err(|_| CryptoError::HpkeDecryptionError)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        let mut rng = self.encapsulation_rng([pk_r, info, exporter_context, b"export"]);
        let (kem_output, context) = hpke_suite(config)?
            .sender(pk_r, info, &mut rng)
            .map_err(|_| CryptoError::SenderSetupError)?;
        let secret = context
            .export(exporter_context, exporter_length)
            .map_err(|_| CryptoError::ExporterError)?;
        Ok((kem_output, secret.into()))
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        sk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        hpke_suite(config)?
            .receiver(enc, sk_r, info)
            .map_err(|_| CryptoError::ReceiverSetupError)?
            .export(exporter_context, exporter_length)
            .map(Into::into)
            .map_err(|_| CryptoError::ExporterError)
    }

    fn derive_hpke_keypair(
        &self,
        config: HpkeConfig,
        ikm: &[u8],
    ) -> Result<HpkeKeyPair, CryptoError> {
        let seed = ikm.try_into().map_err(|_| CryptoError::InvalidLength)?;
        let (private, public) =
            hpke_suite(config)?.key_pair(seed).map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok(HpkeKeyPair { private: private.as_slice().into(), public })
    }
}

fn only_ed25519(scheme: SignatureScheme) -> Result<(), CryptoError> {
    match scheme {
        SignatureScheme::ED25519 => Ok(()),
        _ => Err(CryptoError::UnsupportedSignatureScheme),
    }
}

/// The AEADs of both suites take nonces of 12 bytes; the library panics at others.
fn check_nonce(nonce: &[u8]) -> Result<(), CryptoError> {
    if nonce.len() == 12 { Ok(()) } else { Err(CryptoError::InvalidLength) }
}
