//! The cryptography of mls-rs, and an ear at it: mls-rs has no safe exporter and keeps the secret
//! of an epoch to itself. It derives its exporter secret from it, by a call of the caller's own
//! cryptography; there it is heard.

use std::sync::{Arc, Mutex};

use mls_rs::{CipherSuite, CipherSuiteProvider, CryptoProvider, crypto};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;

type Inner = <RustCryptoProvider as CryptoProvider>::CipherSuiteProvider;
type Fault = <Inner as CipherSuiteProvider>::Error;

/// 0x0003, `MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519`.
pub(super) const SUITE: CipherSuite = CipherSuite::CURVE25519_CHACHA;
/// 0x004F: our leaves name it, mls-rs cannot run it.
const HYBRID: u16 = 0x004F;

/// The `epoch_secret` (RFC 9420 section 8) of the epoch that mls-rs derived last.
pub(super) type Heard = Arc<Mutex<Vec<u8>>>;

/// Cryptography that is listened to.
#[derive(Clone)]
pub(super) struct Crypto {
    pub(super) heard: Heard,
}

impl CryptoProvider for Crypto {
    type CipherSuiteProvider = Suite;

    /// What a leaf's capabilities name (spec: GRP-024), in this order.
    fn supported_cipher_suites(&self) -> Vec<CipherSuite> {
        vec![CipherSuite::from(HYBRID), SUITE]
    }

    fn cipher_suite_provider(&self, suite: CipherSuite) -> Option<Suite> {
        let inner = RustCryptoProvider::default().cipher_suite_provider(suite)?;
        Some(Suite { inner, heard: Arc::clone(&self.heard) })
    }
}

/// `KDFLabel` (RFC 9420 section 8): length, label and context of a derivation.
pub(super) fn kdf_label(length: u16, label: &str, context: &[u8]) -> Vec<u8> {
    let label = format!("MLS 1.0 {label}");
    let vector = |bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).ok().filter(|length| *length < 64);
        [&[length.expect("a length of one byte")][..], bytes].concat()
    };
    [&length.to_be_bytes()[..], &vector(label.as_bytes()), &vector(context)].concat()
}

/// [`SUITE`] of RustCrypto.
#[derive(Clone)]
pub(super) struct Suite {
    inner: Inner,
    heard: Heard,
}

impl CipherSuiteProvider for Suite {
    type Error = Fault;
    type HpkeContextS = <Inner as CipherSuiteProvider>::HpkeContextS;
    type HpkeContextR = <Inner as CipherSuiteProvider>::HpkeContextR;

    fn kdf_expand(
        &self,
        prk: &[u8],
        info: &[u8],
        len: usize,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
        if info == kdf_label(32, "exporter", &[]) {
            *self.heard.lock().unwrap() = prk.to_vec();
        }
        self.inner.kdf_expand(prk, info, len)
    }

    fn cipher_suite(&self) -> CipherSuite {
        self.inner.cipher_suite()
    }

    fn hash(&self, data: &[u8]) -> Result<Vec<u8>, Fault> {
        self.inner.hash(data)
    }

    fn mac(&self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, Fault> {
        self.inner.mac(key, data)
    }

    fn aead_seal(
        &self,
        key: &[u8],
        data: &[u8],
        aad: Option<&[u8]>,
        nonce: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        self.inner.aead_seal(key, data, aad, nonce)
    }

    fn aead_open(
        &self,
        key: &[u8],
        ciphertext: &[u8],
        aad: Option<&[u8]>,
        nonce: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
        self.inner.aead_open(key, ciphertext, aad, nonce)
    }

    fn aead_key_size(&self) -> usize {
        self.inner.aead_key_size()
    }

    fn aead_nonce_size(&self) -> usize {
        self.inner.aead_nonce_size()
    }

    fn kdf_extract(&self, salt: &[u8], ikm: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
        self.inner.kdf_extract(salt, ikm)
    }

    fn kdf_extract_size(&self) -> usize {
        self.inner.kdf_extract_size()
    }

    fn hpke_seal(
        &self,
        remote_key: &crypto::HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        pt: &[u8],
    ) -> Result<crypto::HpkeCiphertext, Fault> {
        self.inner.hpke_seal(remote_key, info, aad, pt)
    }

    fn hpke_seal_psk(
        &self,
        remote_key: &crypto::HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        pt: &[u8],
        psk: crypto::HpkePsk<'_>,
    ) -> Result<crypto::HpkeCiphertext, Fault> {
        self.inner.hpke_seal_psk(remote_key, info, aad, pt, psk)
    }

    fn hpke_open(
        &self,
        ciphertext: &crypto::HpkeCiphertext,
        local_secret: &crypto::HpkeSecretKey,
        local_public: &crypto::HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
        self.inner.hpke_open(ciphertext, local_secret, local_public, info, aad)
    }

    fn hpke_open_psk(
        &self,
        ciphertext: &crypto::HpkeCiphertext,
        local_secret: &crypto::HpkeSecretKey,
        local_public: &crypto::HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        psk: crypto::HpkePsk<'_>,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Fault> {
        self.inner.hpke_open_psk(ciphertext, local_secret, local_public, info, aad, psk)
    }

    fn hpke_setup_s(
        &self,
        remote_key: &crypto::HpkePublicKey,
        info: &[u8],
    ) -> Result<(Vec<u8>, Self::HpkeContextS), Fault> {
        self.inner.hpke_setup_s(remote_key, info)
    }

    fn hpke_setup_r(
        &self,
        kem_output: &[u8],
        local_secret: &crypto::HpkeSecretKey,
        local_public: &crypto::HpkePublicKey,
        info: &[u8],
    ) -> Result<Self::HpkeContextR, Fault> {
        self.inner.hpke_setup_r(kem_output, local_secret, local_public, info)
    }

    fn kem_derive(
        &self,
        ikm: &[u8],
    ) -> Result<(crypto::HpkeSecretKey, crypto::HpkePublicKey), Fault> {
        self.inner.kem_derive(ikm)
    }

    fn kem_generate(&self) -> Result<(crypto::HpkeSecretKey, crypto::HpkePublicKey), Fault> {
        self.inner.kem_generate()
    }

    fn kem_public_key_validate(&self, key: &crypto::HpkePublicKey) -> Result<(), Fault> {
        self.inner.kem_public_key_validate(key)
    }

    fn random_bytes(&self, out: &mut [u8]) -> Result<(), Fault> {
        self.inner.random_bytes(out)
    }

    fn signature_key_generate(
        &self,
    ) -> Result<(crypto::SignatureSecretKey, crypto::SignaturePublicKey), Fault> {
        self.inner.signature_key_generate()
    }

    fn signature_key_derive_public(
        &self,
        secret_key: &crypto::SignatureSecretKey,
    ) -> Result<crypto::SignaturePublicKey, Fault> {
        self.inner.signature_key_derive_public(secret_key)
    }

    fn sign(&self, secret_key: &crypto::SignatureSecretKey, data: &[u8]) -> Result<Vec<u8>, Fault> {
        self.inner.sign(secret_key, data)
    }

    fn verify(
        &self,
        public_key: &crypto::SignaturePublicKey,
        signature: &[u8],
        data: &[u8],
    ) -> Result<(), Fault> {
        self.inner.verify(public_key, signature, data)
    }
}
