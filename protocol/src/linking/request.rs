//! What the new device asks with, and the digits that cover it.

use core::fmt;

use hushwire_wire::id::{PublicKey, SlotId};

use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::DeviceId;
use crate::label::Label;
use crate::linking::VERSION;
use crate::linking::code::{Commitment, LinkingCode};
use crate::profile::ProfileName;
use crate::seal::InboxPublicKey;

/// What a new device says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTerms {
    /// Its id.
    pub device: DeviceId,
    /// The slot that it will have in the identity's inbox.
    pub slot: SlotId,
    /// Its public key.
    pub device_key: PublicKey,
    /// What the person calls the device.
    pub name: ProfileName,
}

/// What a new device asks with (spec: LNK-054). It cannot carry an MLS key package yet: that needs a
/// credential, which comes with the grant.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkRequest {
    pub(super) nonce: [u8; 32],
    pub(super) grant_key: InboxPublicKey,
    pub(super) terms: RequestTerms,
}

impl LinkRequest {
    /// What the device says about itself.
    pub const fn terms(&self) -> &RequestTerms {
        &self.terms
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let writer = Writer::with_capacity(2048)
            .short(VERSION)
            .fixed(self.nonce)
            .fixed(&self.grant_key)
            .fixed(self.terms.device)
            .fixed(self.terms.slot)
            .fixed(self.terms.device_key);
        self.terms.name.write(writer).into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let request = Self {
            nonce: reader.array()?,
            grant_key: InboxPublicKey::read(&mut reader)?,
            terms: RequestTerms {
                device: DeviceId::from_bytes(reader.array()?),
                slot: SlotId::from_bytes(reader.array()?),
                device_key: PublicKey::from_bytes(reader.array()?),
                name: ProfileName::read(&mut reader)?,
            },
        };
        reader.finish()?;
        Ok(request)
    }
}

/// Prints the type's name only.
impl fmt::Debug for LinkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkRequest(..)")
    }
}

/// What both devices have seen of the exchange: a hash over code, request and nonce.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Exchange([u8; 32]);

impl Exchange {
    /// Hashes it all (spec: LNK-055). `nonce` is the old device's, opened.
    pub(super) fn new(code: &LinkingCode, request: &LinkRequest, nonce: &[u8; 32]) -> Self {
        let fields = Writer::with_capacity(4096)
            .fixed(code.relay.relay())
            .fixed(code.secret.expose())
            .fixed(Commitment::to(nonce).0)
            .fixed(nonce)
            .variable(&request.to_bytes());
        Self(Label::LinkingComparison.hash(fields.as_bytes()))
    }

    /// A hash that was stored.
    pub(super) const fn stored(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digits of it.
    pub(super) fn comparison(self) -> ComparisonCode {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        ComparisonCode(u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 1_000_000)
    }
}

/// Six digits that the person compares on the two screens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ComparisonCode(u64);

/// Six digits, with a space in the middle.
impl fmt::Display for ComparisonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Prints the type's name only.
impl fmt::Debug for ComparisonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ComparisonCode(..)")
    }
}
