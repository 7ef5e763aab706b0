//! A device: its id, its key, and the manager's certificate for it.

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use hushwire_wire::id::{PublicKey, Signature};
use hushwire_wire::transcript::BadSignature;
use rand_core::CryptoRng;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::VERSION;
use crate::identity::manager::{ManagerCounter, ManagerStatement};
use crate::label::Label;
use crate::random::random_array;
use crate::secret::signing_key;

/// A device of an identity, drawn at random when it is linked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// Draws a new id.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(random_array(rng))
    }

    /// An id that was stored or received.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Prints the type's name only: it names somebody's device.
impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceId(..)")
    }
}

impl TryFrom<&[u8]> for DeviceId {
    type Error = hushwire_wire::id::WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let wrong = Self::Error { expected: 16, actual: bytes.len() };
        bytes.try_into().map(Self).map_err(|_| wrong)
    }
}

impl AsRef<[u8]> for DeviceId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Says how old a certificate is: the version of the first list that names it (spec: IDN-085).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceSerial(pub u64);

/// Names a certificate in a device list: its hash, with a label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateHash([u8; 32]);

impl CertificateHash {
    /// A hash that was stored or received.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for CertificateHash {
    type Error = hushwire_wire::id::WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let wrong = Self::Error { expected: 32, actual: bytes.len() };
        bytes.try_into().map(Self).map_err(|_| wrong)
    }
}

/// Prints the type's name only.
impl fmt::Debug for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateHash(..)")
    }
}

impl AsRef<[u8]> for CertificateHash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

signing_key!(
    /// A device's key: it signs the device's MLS leaf and what the device sends to inboxes.
    DeviceKey
);

impl DeviceKey {
    /// Signs fields under a label of this crate (spec: IDN-002).
    pub fn sign(&self, label: Label, fields: &[u8]) -> Signature {
        label.sign(&self.0, fields)
    }

    /// Signs what MLS hands over, as it is: it carries a label of its own (RFC 9420 section 5.1.2),
    /// which no label of ours begins like.
    pub(crate) fn sign_mls(&self, content: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(content).to_bytes())
    }
}

/// The manager's word that a key is a device of the identity. Verified within a credential only
/// (spec: IDN-022).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCertificate {
    device: DeviceId,
    device_key: PublicKey,
    serial: DeviceSerial,
    manager_counter: ManagerCounter,
    signature: Signature,
}

impl DeviceCertificate {
    /// Length of the encoding, in bytes.
    pub const LENGTH: usize = 2 + 16 + 32 + 8 + 8 + 64;

    pub(super) fn sign(
        manager: &SigningKey,
        statement: &ManagerStatement,
        device: DeviceId,
        device_key: PublicKey,
        serial: DeviceSerial,
    ) -> Self {
        let manager_counter = statement.counter();
        let signature = Signature::from_bytes([0; 64]);
        let mut certificate = Self { device, device_key, serial, manager_counter, signature };
        let signed = statement.scope().fixed(certificate.fields().as_bytes());
        certificate.signature = Label::DeviceCertificate.sign(manager, signed.as_bytes());
        certificate
    }

    /// Reads the fields of a certificate; verified within a credential.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        Ok(Self {
            device: DeviceId(reader.array()?),
            device_key: PublicKey::from_bytes(reader.array()?),
            serial: DeviceSerial(reader.integer()?),
            manager_counter: ManagerCounter(reader.integer()?),
            signature: Signature::from_bytes(reader.array()?),
        })
    }

    /// Verifies the manager's signature, which binds identity, manager key and counter.
    pub(crate) fn verify(&self, statement: &ManagerStatement) -> Result<(), BadSignature> {
        let signed = statement.scope().fixed(self.fields().as_bytes());
        let key = statement.manager_key();
        Label::DeviceCertificate.verify(&key, signed.as_bytes(), &self.signature)
    }

    fn fields(&self) -> Writer {
        Writer::with_capacity(Self::LENGTH)
            .short(VERSION)
            .fixed(self.device)
            .fixed(self.device_key)
            .integer(self.serial.0)
            .integer(self.manager_counter.0)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.fields().fixed(self.signature).into_bytes()
    }

    /// Its name in a device list (spec: IDN-030).
    pub fn hash(&self) -> CertificateHash {
        CertificateHash(Label::CertificateHash.hash(&self.to_bytes()))
    }

    /// The device.
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The device's public key.
    pub const fn device_key(&self) -> PublicKey {
        self.device_key
    }

    /// Its place among the identity's certificates.
    pub const fn serial(&self) -> DeviceSerial {
        self.serial
    }

    /// The counter of the statement under which it was signed.
    pub const fn manager_counter(&self) -> ManagerCounter {
        self.manager_counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_the_names_only() {
        // spec: IDN-005
        let id = DeviceId::from_bytes([7; 16]);
        assert_eq!(format!("{id:?}"), "DeviceId(..)");
        assert_eq!(format!("{:?}", DeviceKey::from_bytes(&[7; 32])), "DeviceKey(..)");
    }

    #[test]
    fn keys_come_back_from_their_secret_bytes() {
        let key = DeviceKey::from_bytes(&[7; 32]);
        assert_eq!(DeviceKey::from_bytes(&key.to_secret_bytes()).public(), key.public());
    }
}
