//! A Welcome for each joiner. openmls makes one for all of a commit, which would tell every joiner
//! the KeyPackageRefs of the others; its secrets are independent of each other, so it is taken
//! apart (spec: GRP-070).
//!
//! ```text
//! struct { ProtocolVersion; WireFormat = mls_welcome; CipherSuite;
//!          EncryptedGroupSecrets secrets<V>; opaque encrypted_group_info<V>; } (RFC 9420 12.4.3.1)
//! struct { opaque new_member<V>; opaque kem_output<V>; opaque ciphertext<V>; } EncryptedGroupSecrets
//! ```

use super::key_package::KeyPackageReference;
use crate::encoding::{DecodeError, Reader, Writer};

/// What one joiner is sent, beside the ratchet tree and the epoch id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinerWelcome {
    /// The KeyPackage that was used, hence whom it is for.
    pub joiner: KeyPackageReference,
    /// An `MLSMessage` with a Welcome that holds this joiner's secrets only.
    pub welcome: Vec<u8>,
}

pub(crate) fn split(message: &[u8]) -> Result<Vec<JoinerWelcome>, DecodeError> {
    let mut reader = Reader::new(message);
    let header = reader.bytes(6)?;
    let secrets = reader.variable(message.len())?;
    let group_info = reader.variable(message.len())?;
    reader.finish()?;
    let mut secrets = Reader::new(secrets);
    let mut welcomes = Vec::new();
    while !secrets.is_empty() {
        let joiner = secrets.variable(32)?;
        let kem_output = secrets.variable(message.len())?;
        let ciphertext = secrets.variable(message.len())?;
        let own = Writer::default().variable(joiner).variable(kem_output).variable(ciphertext);
        let welcome = Writer::default()
            .fixed(header)
            .variable(own.as_bytes())
            .variable(group_info)
            .into_bytes();
        let joiner = joiner.try_into().map_err(|_| DecodeError::BadLength)?;
        welcomes.push(JoinerWelcome { joiner: KeyPackageReference::from_bytes(joiner), welcome });
    }
    Ok(welcomes)
}
