//! A padded XChaCha20-Poly1305 box: what lies sealed on the relay under a key that links hand out.
//!
//! ```text
//! opaque nonce[24]
//! opaque ciphertext[..]: of { opaque content<V>; opaque zeros[..] }
//! ```
//!
//! Nonces are random; at 192 bits they do not repeat. The whole length is a padded one
//! (`spec/padding.md`).

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::padding::{PaddingError, check_sealed_length, check_zeros, pad};
use crate::random::random_array;

const NONCE_BYTES: usize = 24;
const OVERHEAD_BYTES: usize = NONCE_BYTES + 16;

/// Why a sealed box is refused, or cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Peer: the length, or the padding inside, is wrong.
    #[error("wrong padding: {0}")]
    Padding(#[from] PaddingError),
    /// Peer: it was not sealed under this key for this place.
    #[error("not sealed under this key for this place")]
    Unopened,
    /// Peer: what was sealed is not what it has to be.
    #[error("the sealed content is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// Peer: the public key to seal for is not valid.
    #[error("the public key to seal for is not valid")]
    PublicKey,
    /// Caller: the content is longer than may be sealed.
    #[error("the content is too long to be sealed")]
    TooLong,
}

/// Seals `content` under `key` for the place that `associated_data` names (spec: LNK-020).
pub(crate) fn seal(
    key: &[u8; 32],
    associated_data: &[u8],
    content: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SealError> {
    // Room for the padding too, so that growing leaves no copy of the content behind.
    let framed = Writer::with_capacity(padding_room(content.len())).variable(content);
    let plaintext = Zeroizing::new(pad(framed.into_bytes(), OVERHEAD_BYTES)?);
    let nonce: [u8; NONCE_BYTES] = random_array(rng);
    let payload = Payload { msg: &plaintext, aad: associated_data };
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(&nonce), payload)
        .map_err(|_| SealError::TooLong)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Enough bytes for content of this length, its framing and padding (spec: ENV-010).
pub(crate) const fn padding_room(length: usize) -> usize {
    length.saturating_add(length / 8).saturating_add(1024)
}

/// Opens what [`seal`] sealed; the length is checked first (spec: LNK-020, LNK-021).
pub(crate) fn open(
    key: &[u8; 32],
    associated_data: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    check_sealed_length(sealed)?;
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealError::Unopened)?;
    let payload = Payload { msg: ciphertext, aad: associated_data };
    let plaintext = XChaCha20Poly1305::new(key.into())
        .decrypt(XNonce::from_slice(nonce), payload)
        .map_err(|_| SealError::Unopened)?;
    let plaintext = Zeroizing::new(plaintext);
    let mut reader = Reader::new(&plaintext);
    let content = Zeroizing::new(reader.variable(plaintext.len())?.to_vec());
    check_zeros(reader.bytes(reader.remaining())?)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn only_the_same_key_and_place_open() {
        // spec: LNK-020, LNK-021
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sealed = seal(&[2; 32], b"place", b"content", &mut rng).unwrap();
        assert_eq!(sealed.len(), 256);
        assert_eq!(&open(&[2; 32], b"place", &sealed).unwrap()[..], b"content");
        assert_eq!(open(&[3; 32], b"place", &sealed), Err(SealError::Unopened));
        assert_eq!(open(&[2; 32], b"other", &sealed), Err(SealError::Unopened));
        let mut changed = sealed.clone();
        changed[255] ^= 1;
        assert_eq!(open(&[2; 32], b"place", &changed), Err(SealError::Unopened));
        let error = Err(SealError::Padding(PaddingError::LengthOutsideSet));
        assert_eq!(open(&[2; 32], b"place", &sealed[..255]), error);
    }
}
