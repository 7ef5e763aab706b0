//! The chain from root to device that stands in an MLS leaf as its basic credential.

use hushwire_wire::id::PublicKey;
use hushwire_wire::transcript::BadSignature;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::VERSION;
use crate::identity::device::{DeviceCertificate, DeviceId};
use crate::identity::fingerprint::Fingerprint;
use crate::identity::manager::{ManagerCounter, ManagerStatement};

/// Why a credential is refused. Peer's fault; never depends on a clock (spec: IDN-024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The bytes are no credential.
    #[error("not a credential: {0}")]
    Malformed(#[from] DecodeError),
    /// The root did not sign the manager statement.
    #[error("the root key did not sign the manager statement")]
    StatementSignature,
    /// The manager did not sign the certificate, or not for this identity.
    #[error("the manager key did not sign the device certificate")]
    CertificateSignature,
    /// The certificate was signed under another statement.
    #[error("the certificate belongs to another manager statement")]
    OtherStatement,
}

/// A credential whose bytes are well formed, and nothing more.
#[derive(Clone, Debug)]
pub struct UnverifiedCredential(DeviceCredential);

impl UnverifiedCredential {
    /// Reads a credential: one encoding, nothing after it.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] (spec: IDN-001, IDN-023).
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let statement = ManagerStatement::read(&mut reader)?;
        let certificate = DeviceCertificate::read(&mut reader)?;
        reader.finish()?;
        Ok(Self(DeviceCredential { statement, certificate }))
    }

    /// Takes a credential that was verified before it was stored.
    pub(crate) fn assume_verified(self) -> DeviceCredential {
        self.0
    }

    /// Verifies the chain root, statement, certificate. Asks no clock and no list: the verdict is
    /// the same for every member, always (spec: IDN-024).
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn verify(self) -> Result<DeviceCredential, CredentialError> {
        let DeviceCredential { statement, certificate } = &self.0;
        statement.verify().map_err(|BadSignature| CredentialError::StatementSignature)?;
        if certificate.manager_counter() != statement.counter() {
            return Err(CredentialError::OtherStatement);
        }
        certificate
            .verify(statement)
            .map_err(|BadSignature| CredentialError::CertificateSignature)?;
        Ok(self.0)
    }
}

/// A verified credential: this key is a device of this identity, says a manager the root named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCredential {
    statement: ManagerStatement,
    certificate: DeviceCertificate,
}

impl DeviceCredential {
    /// Length of the encoding, in bytes.
    pub const LENGTH: usize = 2 + ManagerStatement::LENGTH + DeviceCertificate::LENGTH;

    /// Puts together what was signed; for the device that carries it.
    ///
    /// # Errors
    /// [`CredentialError`] when the two do not belong together.
    pub fn new(
        statement: ManagerStatement,
        certificate: DeviceCertificate,
    ) -> Result<Self, CredentialError> {
        UnverifiedCredential(Self { statement, certificate }).verify()
    }

    /// The one encoding: version, statement, certificate.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::with_capacity(Self::LENGTH)
            .short(VERSION)
            .fixed(self.statement.to_bytes())
            .fixed(self.certificate.to_bytes())
            .into_bytes()
    }

    /// The identity.
    pub fn identity(&self) -> Fingerprint {
        self.statement.identity()
    }

    /// The device.
    pub const fn device(&self) -> DeviceId {
        self.certificate.device()
    }

    /// The device's key: it has to be the leaf's signature key (spec: IDN-025).
    pub const fn signature_key(&self) -> PublicKey {
        self.certificate.device_key()
    }

    /// Which of the identity's manager statements it stands on.
    pub const fn manager_counter(&self) -> ManagerCounter {
        self.statement.counter()
    }

    /// The root public key.
    pub const fn root_key(&self) -> PublicKey {
        self.statement.root_key()
    }

    /// The manager statement.
    pub const fn statement(&self) -> &ManagerStatement {
        &self.statement
    }

    /// The certificate.
    pub const fn certificate(&self) -> &DeviceCertificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::device::{DeviceKey, DeviceSerial};
    use crate::identity::manager::ManagerKey;
    use crate::identity::root::RootKey;

    fn statement(root: u8, manager: u8, counter: u64) -> ManagerStatement {
        let manager = ManagerKey::from_bytes(&[manager; 32]);
        RootKey::from_bytes(&[root; 32]).state_manager(manager.public(), ManagerCounter(counter))
    }

    fn certificate(statement: &ManagerStatement, manager: u8) -> DeviceCertificate {
        ManagerKey::from_bytes(&[manager; 32]).certify(
            statement,
            DeviceId::from_bytes([4; 16]),
            DeviceKey::from_bytes(&[5; 32]).public(),
            DeviceSerial(6),
        )
    }

    fn check(bytes: &[u8]) -> Result<DeviceCredential, CredentialError> {
        UnverifiedCredential::parse(bytes)?.verify()
    }

    #[test]
    fn a_whole_chain_is_taken() {
        // spec: IDN-023
        let statement = statement(1, 2, 3);
        let certificate = certificate(&statement, 2);
        let credential = DeviceCredential::new(statement, certificate).unwrap();
        let bytes = credential.to_bytes();
        assert_eq!(bytes.len(), 270);
        assert_eq!(check(&bytes).unwrap(), credential);
        assert_eq!(credential.identity(), RootKey::from_bytes(&[1; 32]).fingerprint());
        assert_eq!(credential.signature_key(), DeviceKey::from_bytes(&[5; 32]).public());
    }

    #[test]
    fn parts_of_different_chains_are_refused() {
        // spec: IDN-022, IDN-024
        let ours = statement(1, 2, 3);
        let cases = [
            // another identity claims the same manager and device
            (statement(9, 2, 3), certificate(&ours, 2), CredentialError::CertificateSignature),
            // another manager signed
            (ours.clone(), certificate(&ours, 8), CredentialError::CertificateSignature),
            // an older statement's certificate under a newer statement, and the reverse
            (statement(1, 2, 4), certificate(&ours, 2), CredentialError::OtherStatement),
            (ours.clone(), certificate(&statement(1, 2, 4), 2), CredentialError::OtherStatement),
        ];
        for (statement, certificate, error) in cases {
            assert_eq!(DeviceCredential::new(statement, certificate), Err(error));
        }
    }

    #[test]
    fn every_changed_byte_is_refused() {
        // spec: IDN-001, IDN-023, IDN-024
        let ours = statement(1, 2, 3);
        let certificate = certificate(&ours, 2);
        let bytes = DeviceCredential::new(ours, certificate).unwrap().to_bytes();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(check(&changed).is_err(), "{index}");
            let error = check(&bytes[..index]).unwrap_err();
            assert_eq!(error, DecodeError::Truncated.into(), "{index}");
        }
        let error = check(&[&bytes[..], &[0]].concat()).unwrap_err();
        assert_eq!(error, DecodeError::TrailingBytes.into());
    }
}
