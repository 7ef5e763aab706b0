//! Randomness, always from the caller: a core draws nothing of its own, so that simulations and
//! vectors replay byte for byte.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// So many random bytes, for ids and nonces.
pub fn random_array<const LENGTH: usize>(rng: &mut dyn CryptoRng) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// So many random bytes, for secrets: zeroized when dropped.
pub fn random_secret<const LENGTH: usize>(rng: &mut dyn CryptoRng) -> Zeroizing<[u8; LENGTH]> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    rng.fill_bytes(&mut *bytes);
    bytes
}
