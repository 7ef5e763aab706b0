//! What openmls needs to run: a store, cryptography, randomness. All three come from the caller.
//!
//! One [`Provider`] serves one operation. It draws a seed from the caller's generator when it is
//! made; everything random in the operation derives from that seed. openmls seals to the members
//! of a path on several threads at once, in no fixed order; each encapsulation therefore takes its
//! randomness from the seed *and* what is sealed, and a run replays byte for byte from its seed.

use std::sync::atomic::{AtomicU64, Ordering};

use openmls_traits::OpenMlsProvider;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::{Ciphersuite, SignatureScheme};
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng as _};
use zeroize::Zeroizing;

use crate::group::RuleVersion;
use crate::identity::DeviceKey;
use crate::random::random_secret;
use crate::storage::{MlsStore, Storage};

mod crypto;

pub(crate) use crypto::Crypto;

/// The cipher suites of version 1 (spec: GRP-001). Their code points are MLS'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// 0x004F, `MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519`: hybrid, the default.
    Hybrid,
    /// 0x0003, `MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519`: for small devices.
    Classical,
}

impl Suite {
    /// Every suite that is accepted.
    pub const ALL: [Self; 2] = [Self::Hybrid, Self::Classical];

    /// Its MLS code point (RFC 9420 section 17.1).
    pub const fn code(self) -> u16 {
        match self {
            Self::Hybrid => 0x004F,
            Self::Classical => 0x0003,
        }
    }

    /// The suite with this code point, if it is accepted.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.code() == code)
    }

    pub(crate) const fn ciphersuite(self) -> Ciphersuite {
        match self {
            Self::Hybrid => Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
            Self::Classical => Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519,
        }
    }

    pub(crate) fn of(ciphersuite: Ciphersuite) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.ciphersuite() == ciphersuite)
    }
}

/// Store and randomness of one operation, and the rules by which it judges.
pub struct Provider<'store>(pub(crate) Mls<'store>, RuleVersion);

impl<'store> Provider<'store> {
    /// For one operation on `store`. Draws 32 bytes from `rng`.
    pub fn new(store: &'store dyn MlsStore, rng: &mut dyn CryptoRng) -> Self {
        let mut seeds = ChaCha20Rng::from_seed(*random_secret(rng));
        let mls = Mls {
            storage: Storage::new(store),
            crypto: Crypto::new(random_secret(&mut seeds)),
            draws: Draws { seed: random_secret(&mut seeds), count: AtomicU64::new(0) },
        };
        Self(mls, RuleVersion::SUPPORTED)
    }

    /// The same as a program that knows the rules up to these (spec: GRP-100). A program that others
    /// use says nothing here: it knows [`RuleVersion::SUPPORTED`].
    #[must_use]
    pub fn supporting(self, rules: RuleVersion) -> Self {
        Self(self.0, rules)
    }

    /// The newest rules by which this operation judges.
    pub(crate) const fn supported(&self) -> RuleVersion {
        self.1
    }

    /// A nonce of our own, outside openmls.
    pub(crate) fn draw<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        self.0.draws.array()
    }
}

#[cfg(feature = "insider")]
impl Mls<'_> {
    pub(crate) fn set_seals(&mut self, seals: crate::insider::Seals) {
        self.crypto.seals = seals;
    }
}

/// [`Provider`] as openmls sees it.
pub(crate) struct Mls<'store> {
    storage: Storage<'store>,
    crypto: Crypto,
    draws: Draws,
}

impl<'store> OpenMlsProvider for Mls<'store> {
    type CryptoProvider = Crypto;
    type RandProvider = Draws;
    type StorageProvider = Storage<'store>;

    fn storage(&self) -> &Self::StorageProvider {
        &self.storage
    }

    fn crypto(&self) -> &Self::CryptoProvider {
        &self.crypto
    }

    fn rand(&self) -> &Self::RandProvider {
        &self.draws
    }
}

/// Randomness for openmls: a stream of its own for each draw.
pub(crate) struct Draws {
    seed: Zeroizing<[u8; 32]>,
    count: AtomicU64,
}

impl Draws {
    fn fill(&self, bytes: &mut [u8]) {
        let mut stream = ChaCha20Rng::from_seed(*self.seed);
        stream.set_stream(self.count.fetch_add(1, Ordering::Relaxed));
        rand_core::Rng::fill_bytes(&mut stream, bytes);
    }

    fn array<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        self.fill(&mut bytes);
        bytes
    }
}

impl OpenMlsRand for Draws {
    type Error = core::convert::Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Self::Error> {
        Ok(self.array())
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Self::Error> {
        let mut bytes = vec![0; len];
        self.fill(&mut bytes);
        Ok(bytes)
    }
}

/// A device's key as the signer of its leaf.
pub(crate) struct LeafSigner<'key>(pub(crate) &'key DeviceKey);

impl Signer for LeafSigner<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign_mls(payload).as_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
