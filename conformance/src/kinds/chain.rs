//! What the kinds about identity share: the layouts of `identity.md`, put together here byte by
//! byte and with an HKDF of its own, so that the library is not compared with itself.

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use crate::suite::{Outcome, Phase};

/// `label ‖ fields`.
pub fn bind(label: &str, fields: &[u8]) -> Vec<u8> {
    let label = format!("hushwire/1 {label}");
    let length = u8::try_from(label.len()).expect("labels are short");
    [&[length], label.as_bytes(), fields].concat()
}

/// SHA-256 of `label ‖ fields`.
pub fn hash(label: &str, fields: &[u8]) -> [u8; 32] {
    Sha256::digest(bind(label, fields)).into()
}

/// Signature over `label ‖ fields` by the key of a seed.
pub fn sign(seed: u8, label: &str, fields: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(&[seed; 32]).sign(&bind(label, fields)).to_bytes()
}

/// Public key of a seed.
pub fn public(seed: u8) -> [u8; 32] {
    SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()
}

/// HKDF-SHA256 (RFC 5869) without a salt, `info` = `label ‖ context`.
pub fn derive(secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let key = hmac(&[0; 32], secret);
    let info = bind(label, context);
    let (mut output, mut block) = (Vec::new(), Vec::new());
    for counter in 1u8.. {
        if output.len() >= length {
            break;
        }
        block = hmac(&key, &[&block[..], &info, &[counter]].concat()).to_vec();
        output.extend_from_slice(&block);
    }
    output.truncate(length);
    output
}

/// HMAC-SHA256 (RFC 2104) with a key of 32 bytes.
pub fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::digest([&pad(0x36)[..], message].concat());
    Sha256::digest([&pad(0x5c)[..], &inner[..]].concat()).into()
}

/// An identity: root, stated manager, counter; and who signs in the manager's place.
#[derive(Clone, Copy)]
pub struct Chain {
    /// Seed of the root key.
    pub root: u8,
    /// Seed of the root key that signs the statement.
    pub root_signer: u8,
    /// Seed of the manager key that is stated.
    pub manager: u8,
    /// Seed of the key that signs for the manager.
    pub signer: u8,
    /// Counter of the statement.
    pub counter: u64,
}

impl Chain {
    /// The identity of most tests.
    pub const OURS: Self = Self { root: 1, root_signer: 1, manager: 2, signer: 2, counter: 3 };

    /// Its fingerprint.
    pub fn fingerprint(self) -> [u8; 32] {
        hash("identity", &public(self.root))
    }

    /// `ManagerStatement`.
    pub fn statement(self) -> Vec<u8> {
        let counter = self.counter.to_be_bytes();
        let fields = [&[0, 1][..], &public(self.root), &public(self.manager), &counter].concat();
        let signature = sign(self.root_signer, "manager statement", &fields);
        [&fields[..], &signature].concat()
    }

    fn scope(self) -> Vec<u8> {
        let counter = self.counter.to_be_bytes();
        [&self.fingerprint()[..], &public(self.manager), &counter].concat()
    }

    /// Fields with the manager's signature after them.
    pub fn signed(self, label: &str, place: &[u8], fields: &[u8]) -> Vec<u8> {
        let signature = sign(self.signer, label, &[&self.scope()[..], place, fields].concat());
        [fields, &signature].concat()
    }

    /// `DeviceCertificate` of the device whose id and key are of one seed.
    pub fn certificate(self, device: u8) -> Vec<u8> {
        self.certificate_of(device, 7)
    }

    /// The same with another serial.
    pub fn certificate_of(self, device: u8, serial: u64) -> Vec<u8> {
        let counter = self.counter.to_be_bytes();
        let serial = serial.to_be_bytes();
        let fields = [&[0, 1][..], &[device; 16], &public(device), &serial, &counter].concat();
        self.signed("device certificate", &[], &fields)
    }

    /// `DeviceCredential`.
    pub fn credential(self, device: u8) -> Vec<u8> {
        self.credential_by(&self.certificate(device))
    }

    /// The same with this certificate.
    pub fn credential_by(self, certificate: &[u8]) -> Vec<u8> {
        [&[0, 1][..], &self.statement(), certificate].concat()
    }
}

/// A refusal by its name; the name tells the phase.
pub fn refused(name: &str) -> Outcome {
    let phase = match name {
        "STATEMENT_SIGNATURE"
        | "CERTIFICATE_SIGNATURE"
        | "LIST_SIGNATURE"
        | "CARD_SIGNATURE"
        | "SENDER_SIGNATURE"
        | "BAD_SIGNATURE"
        | "UNOPENED"
        | "COMMITMENT"
        | "OTHER_IDENTITY"
        | "OTHER_STATEMENT"
        | "OTHER_DEVICE"
        | "OTHER_MANAGER"
        | "OTHER_RANK"
        | "OTHER_KEY"
        | "CARD_OF_ANOTHER"
        | "OWN_DIFFERS"
        | "THEIR_DIFFERS" => Phase::Authenticate,
        "SUPERSEDED" | "LIST_EXPIRED" | "NOT_YET_VALID" | "NOT_LISTED" => Phase::State,
        _ => Phase::Decode,
    };
    Outcome::refused(phase, name)
}

/// The bytes with one bit changed.
pub fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    changed
}
