//! The manager key, and the root's statement that names it.

use ed25519_dalek::SigningKey;
use hushwire_wire::id::{PublicKey, Signature};
use hushwire_wire::transcript::BadSignature;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::VERSION;
use crate::identity::device::{DeviceCertificate, DeviceId, DeviceSerial};
use crate::identity::device_list::{DeviceList, DeviceListTerms};
use crate::identity::fingerprint::Fingerprint;
use crate::label::Label;
use crate::secret::signing_key;

/// Counts an identity's manager statements; a higher one shuts every lower one out (spec: IDN-021).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManagerCounter(pub u64);

signing_key!(
    /// The key that certifies and lists an identity's devices. Devices that may link and revoke
    /// others hold it.
    ManagerKey
);

impl ManagerKey {
    /// Certifies that `device_key` is the device `device` of the identity in `statement`.
    pub fn certify(
        &self,
        statement: &ManagerStatement,
        device: DeviceId,
        device_key: PublicKey,
        serial: DeviceSerial,
    ) -> DeviceCertificate {
        DeviceCertificate::sign(&self.0, statement, device, device_key, serial)
    }

    /// Signs a list of the identity's devices.
    ///
    /// # Errors
    /// [`DecodeError`] when no reader would take the list: too many devices, or one twice.
    pub fn list_devices(
        &self,
        statement: &ManagerStatement,
        terms: DeviceListTerms,
    ) -> Result<DeviceList, DecodeError> {
        DeviceList::sign(&self.0, statement, terms)
    }

    /// Signs fields under a label of this crate.
    pub(crate) fn sign(&self, label: Label, fields: &[u8]) -> Signature {
        label.sign(&self.0, fields)
    }
}

/// The root's word that a key manages the identity's devices. The signature has been verified
/// (spec: IDN-020).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerStatement {
    root_key: PublicKey,
    manager_key: PublicKey,
    counter: ManagerCounter,
    signature: Signature,
}

impl ManagerStatement {
    /// Length of the encoding, in bytes.
    pub const LENGTH: usize = 2 + 32 + 32 + 8 + 64;

    pub(super) fn sign(root: &SigningKey, manager_key: PublicKey, counter: ManagerCounter) -> Self {
        let root_key = hushwire_wire::transcript::public_key(root);
        let signature = Signature::from_bytes([0; 64]);
        let mut statement = Self { root_key, manager_key, counter, signature };
        statement.signature = Label::ManagerStatement.sign(root, statement.fields().as_bytes());
        statement
    }

    /// Reads and verifies a statement. Which identity it speaks for is [`Self::identity`]; whoever
    /// expects one compares.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        let mut reader = Reader::new(bytes);
        let statement = Self::read(&mut reader)?;
        reader.finish()?;
        statement.verify()?;
        Ok(statement)
    }

    /// Reads the fields of a statement, unverified: `verify` has to follow.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        Ok(Self {
            root_key: PublicKey::from_bytes(reader.array()?),
            manager_key: PublicKey::from_bytes(reader.array()?),
            counter: ManagerCounter(reader.integer()?),
            signature: Signature::from_bytes(reader.array()?),
        })
    }

    pub(crate) fn verify(&self) -> Result<(), BadSignature> {
        let fields = self.fields();
        Label::ManagerStatement.verify(&self.root_key, fields.as_bytes(), &self.signature)
    }

    fn fields(&self) -> Writer {
        Writer::with_capacity(Self::LENGTH)
            .short(VERSION)
            .fixed(self.root_key)
            .fixed(self.manager_key)
            .integer(self.counter.0)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.fields().fixed(self.signature).into_bytes()
    }

    /// The identity that the statement speaks for.
    pub fn identity(&self) -> Fingerprint {
        Fingerprint::of(&self.root_key)
    }

    /// The root public key.
    pub const fn root_key(&self) -> PublicKey {
        self.root_key
    }

    /// The manager's public key.
    pub const fn manager_key(&self) -> PublicKey {
        self.manager_key
    }

    /// Its place among the identity's statements.
    pub const fn counter(&self) -> ManagerCounter {
        self.counter
    }

    /// What manager signatures bind beside their fields: the identity and the statement's counter,
    /// so that nobody can claim another identity's devices as their own (spec: IDN-022).
    pub(crate) fn scope(&self) -> Writer {
        Writer::with_capacity(512)
            .fixed(self.identity())
            .fixed(self.manager_key)
            .integer(self.counter.0)
    }
}

/// Why bytes are no manager statement. Peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The bytes are no statement.
    #[error("not a manager statement: {0}")]
    Malformed(#[from] DecodeError),
    /// The root did not sign it.
    #[error("the root key did not sign the manager statement")]
    BadSignature(#[from] BadSignature),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::root::RootKey;

    #[test]
    fn only_the_root_states() {
        // spec: IDN-020, IDN-021
        let (root, other) = (RootKey::from_bytes(&[1; 32]), RootKey::from_bytes(&[2; 32]));
        let manager = ManagerKey::from_bytes(&[3; 32]);
        let statement = root.state_manager(manager.public(), ManagerCounter(4));
        let bytes = statement.to_bytes();
        assert_eq!(bytes.len(), ManagerStatement::LENGTH);
        assert_eq!(ManagerStatement::decode(&bytes), Ok(statement.clone()));
        assert_eq!(statement.identity(), root.fingerprint());
        let mut swapped = bytes.clone();
        swapped[2..34].copy_from_slice(other.public().as_bytes());
        let error = Err(StatementError::BadSignature(BadSignature));
        assert_eq!(ManagerStatement::decode(&swapped), error);
        let mut raised = bytes;
        raised[73] = 5;
        assert_eq!(ManagerStatement::decode(&raised), error);
    }

    #[test]
    fn other_bytes_are_refused() {
        // spec: IDN-001
        let root = RootKey::from_bytes(&[1; 32]);
        let bytes = root.state_manager(root.public(), ManagerCounter(0)).to_bytes();
        for length in 0..bytes.len() {
            let error = ManagerStatement::decode(&bytes[..length]).unwrap_err();
            assert_eq!(error, DecodeError::Truncated.into(), "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        let error = ManagerStatement::decode(&longer).unwrap_err();
        assert_eq!(error, DecodeError::TrailingBytes.into());
        let mut version = bytes;
        version[1] = 2;
        let error = ManagerStatement::decode(&version).unwrap_err();
        assert_eq!(error, DecodeError::UnknownVersion.into());
    }
}
