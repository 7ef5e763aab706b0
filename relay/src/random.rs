//! Randomness from the operating system, through the provider that TLS uses.

use zeroize::Zeroizing;

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness;

/// 32 fresh random bytes.
///
/// # Errors
/// [`NoRandomness`] if the operating system fails.
pub(crate) fn secret_bytes() -> Result<Zeroizing<[u8; 32]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; 32]);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut bytes[..]).map_err(|_| NoRandomness)?;
    Ok(bytes)
}
