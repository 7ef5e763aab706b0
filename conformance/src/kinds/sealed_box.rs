//! What the kinds about sealed things share: `Box` of `links.md` and length prefixes, put together
//! here byte by byte, so that the library is not compared with itself.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hushwire_protocol::padding::padded_length;

use crate::kinds::chain::bind;

/// The length in front of `opaque x<V>`, for fields below 16,384 bytes.
pub fn varint(length: usize) -> Vec<u8> {
    match u16::try_from(length).expect("short fields") {
        short @ 0..=63 => vec![short.to_be_bytes()[1]],
        long => {
            assert!(long < 0x4000, "two bytes hold no more");
            (long | 0x4000).to_be_bytes().to_vec()
        }
    }
}

/// `opaque x<V>`.
pub fn variable(field: &[u8]) -> Vec<u8> {
    [&varint(field.len())[..], field].concat()
}

/// Content as it stands inside a box: its length, itself, and zeros to a padded length.
pub fn padded(content: &[u8]) -> Vec<u8> {
    let mut plaintext = variable(content);
    let length = padded_length(plaintext.len() as u64 + 40).expect("short content") - 40;
    plaintext.resize(usize::try_from(length).expect("short content"), 0);
    plaintext
}

/// `Box` with this plaintext and nonce; `label` and `place` are its associated data.
pub fn sealed(
    key: &[u8; 32],
    label: &str,
    place: &[u8],
    plaintext: &[u8],
    nonce: &[u8; 24],
) -> Vec<u8> {
    let payload = Payload { msg: plaintext, aad: &bind(label, place) };
    let ciphertext = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(nonce), payload)
        .expect("short plaintext");
    [&nonce[..], &ciphertext].concat()
}
