//! Randomness of the operating system.

/// The operating system gives no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub(crate) struct NoRandomness;

/// Fills bytes with randomness for keys and nonces.
///
/// # Errors
/// [`NoRandomness`]; the bytes are of no use then.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(bytes).map_err(|_| NoRandomness)
}
