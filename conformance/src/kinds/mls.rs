//! What the kinds about MLS share: layouts of RFC 9420 and its key schedule, put together here byte
//! by byte, so that the library is not compared with itself.

pub mod package;
pub mod schedule;

use hpke_rs_crypto::types::{AeadAlgorithm, KemAlgorithm};
use hushwire_protocol::hpke::HpkeSuite;

use crate::kinds::sealed_box::variable;

/// `MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519`.
pub const HYBRID: u16 = 0x004F;
/// `MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519`.
pub const CLASSICAL: u16 = 0x0003;

/// HPKE of a cipher suite of MLS.
pub fn hpke(suite: u16) -> HpkeSuite {
    let (kem, aead) = match suite {
        HYBRID => (KemAlgorithm::XWingDraft06, AeadAlgorithm::Aes128Gcm),
        CLASSICAL => (KemAlgorithm::DhKem25519, AeadAlgorithm::ChaCha20Poly1305),
        other => panic!("{other} is no suite of ours"),
    };
    HpkeSuite { kem, aead, ..HpkeSuite::INBOX }
}

/// The key pair that MLS derives from a seed: private, public.
pub fn key_pair(suite: u16, seed: u8) -> (Vec<u8>, Vec<u8>) {
    let (private, public) = hpke(suite).key_pair(&[seed; 32]).expect("a seed of 32 bytes");
    (private.to_vec(), public)
}

/// What stands in front of what MLS signs, hashes or encrypts (RFC 9420, sections 5.1.2, 5.1.3, 5.2).
pub fn labelled(label: &str, content: &[u8]) -> Vec<u8> {
    let label =
        if label.starts_with("MLS 1.0 ") { label.to_owned() } else { format!("MLS 1.0 {label}") };
    [variable(label.as_bytes()), variable(content)].concat()
}
