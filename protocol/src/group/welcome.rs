//! A Welcome for each joiner. openmls makes one for all of a commit, which would tell every joiner
//! the KeyPackageRefs of the others; its secrets are independent of each other, so it is taken
//! apart: what is one joiner's goes to that joiner, and what is the same for all is stored once
//! (spec: GRP-070).
//!
//! ```text
//! struct { ProtocolVersion; WireFormat = mls_welcome; CipherSuite;
//!          EncryptedGroupSecrets secrets<V>; opaque encrypted_group_info<V>; } (RFC 9420 12.4.3.1)
//! struct { opaque new_member<V>; opaque kem_output<V>; opaque ciphertext<V>; } EncryptedGroupSecrets
//! ```

use super::key_package::KeyPackageReference;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::provider::Suite;

/// MLS 1.0 (RFC 9420 section 6).
const PROTOCOL_VERSION: u16 = 1;
/// An MLSMessage that holds a Welcome (RFC 9420 section 17.2).
const MLS_WELCOME: u16 = 3;

/// The longest group snapshot that anybody makes or takes, in bytes: with the hybrid suite, twice
/// what a group of [`super::DEVICES_MAX`] devices needs.
pub const SNAPSHOT_BYTES_MAX: usize = 33_554_432;

/// What one joiner is sent for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinerWelcome {
    /// The KeyPackage that was used, hence whom it is for.
    pub joiner: KeyPackageReference,
    /// Its `EncryptedGroupSecrets`.
    pub secrets: Vec<u8>,
}

/// What every joiner of a commit needs beside its own secrets: the same bytes for all (spec: GRP-072).
#[derive(Clone, PartialEq, Eq)]
pub struct GroupSnapshot {
    /// The Welcome's encrypted GroupInfo (RFC 9420 section 12.4.3.1).
    pub group_info: Vec<u8>,
    /// The ratchet tree behind the commit (RFC 9420 section 12.4.3.3).
    pub tree: Vec<u8>,
}

/// Prints the type's name only: a tree names every member.
impl core::fmt::Debug for GroupSnapshot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("GroupSnapshot(..)")
    }
}

impl GroupSnapshot {
    /// The one encoding: encrypted GroupInfo, ratchet tree.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.write(Writer::with_capacity(self.bytes_length())).into_bytes()
    }

    /// How long the encoding is, in bytes.
    pub const fn bytes_length(&self) -> usize {
        // The prefixes of the two fields have at most four bytes each, below their bound.
        self.group_info.len().saturating_add(self.tree.len()).saturating_add(8)
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let snapshot = Self::read(&mut reader, SNAPSHOT_BYTES_MAX)?;
        reader.finish()?;
        Ok(snapshot)
    }

    pub(crate) fn write(&self, writer: Writer) -> Writer {
        writer.variable(&self.group_info).variable(&self.tree)
    }

    pub(crate) fn read(
        reader: &mut Reader<'_>,
        field_bytes_max: usize,
    ) -> Result<Self, DecodeError> {
        Ok(Self {
            group_info: reader.variable(field_bytes_max)?.to_vec(),
            tree: reader.variable(field_bytes_max)?.to_vec(),
        })
    }
}

/// A Welcome, taken apart.
pub(crate) struct Parts {
    pub(crate) joiners: Vec<JoinerWelcome>,
    pub(crate) group_info: Vec<u8>,
}

/// Takes the Welcome of a commit apart.
pub(crate) fn split(message: &[u8]) -> Result<Parts, DecodeError> {
    let mut reader = Reader::new(message);
    reader.bytes(6)?;
    let secrets = reader.variable(message.len())?;
    let group_info = reader.variable(message.len())?.to_vec();
    reader.finish()?;
    let mut secrets = Reader::new(secrets);
    let mut joiners = Vec::new();
    while !secrets.is_empty() {
        joiners.push(one(&mut secrets)?);
    }
    Ok(Parts { joiners, group_info })
}

/// Whose secrets these are, as they say themselves; nothing of it is verified.
///
/// # Errors
/// [`DecodeError`] if the bytes are not the secrets of one joiner.
pub fn joiner_of(secrets: &[u8]) -> Result<KeyPackageReference, DecodeError> {
    let mut reader = Reader::new(secrets);
    let joiner = one(&mut reader)?.joiner;
    reader.finish()?;
    Ok(joiner)
}

fn one(secrets: &mut Reader<'_>) -> Result<JoinerWelcome, DecodeError> {
    let length_max = secrets.remaining();
    let joiner = secrets.variable(32)?;
    let kem_output = secrets.variable(length_max)?;
    let ciphertext = secrets.variable(length_max)?;
    let own = Writer::with_capacity(joiner.len() + kem_output.len() + ciphertext.len() + 12);
    let own = own.variable(joiner).variable(kem_output).variable(ciphertext);
    let joiner = joiner.try_into().map_err(|_| DecodeError::BadLength)?;
    Ok(JoinerWelcome { joiner: KeyPackageReference::from_bytes(joiner), secrets: own.into_bytes() })
}

/// The `MLSMessage` with a Welcome of one joiner, put together again.
pub(crate) fn assemble(suite: Suite, secrets: &[u8], group_info: &[u8]) -> Vec<u8> {
    Writer::with_capacity(6 + secrets.len() + group_info.len() + 8)
        .short(PROTOCOL_VERSION)
        .short(MLS_WELCOME)
        .short(suite.code())
        .variable(secrets)
        .variable(group_info)
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_come_back() {
        // spec: GRP-072
        for tree in [0, 1, 63, 64, 70_000] {
            let snapshot = GroupSnapshot { group_info: vec![1; 300], tree: vec![2; tree] };
            let bytes = snapshot.to_bytes();
            assert!(bytes.len() <= snapshot.bytes_length());
            assert_eq!(GroupSnapshot::decode(&bytes), Ok(snapshot));
            for length in 0..bytes.len().min(400) {
                assert!(GroupSnapshot::decode(&bytes[..length]).is_err(), "{length}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(GroupSnapshot::decode(&longer), Err(DecodeError::TrailingBytes));
        }
    }

    #[test]
    fn secrets_are_those_of_one_joiner() {
        // spec: GRP-070
        let one = Writer::default().variable(&[7; 32]).variable(b"kem").variable(b"text");
        let one = one.into_bytes();
        assert_eq!(joiner_of(&one), Ok(KeyPackageReference::from_bytes([7; 32])));
        let two = [&one[..], &one[..]].concat();
        assert_eq!(joiner_of(&two), Err(DecodeError::TrailingBytes));
        assert!(joiner_of(&one[..one.len() - 1]).is_err());
        assert!(joiner_of(&[]).is_err());
    }
}
