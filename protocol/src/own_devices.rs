//! What own devices tell each other in control entries of their group, where no other type says it:
//! the payloads of the kinds 21 and 23 to 25 (spec: IDN-055). That of kind 26 is a [`DeviceId`].
//!
//! A payload that is not of its form says nothing.

use hushwire_wire::id::{CapabilityId, CapabilitySecret};
use zeroize::Zeroizing;

use crate::card::ShelfKey;
use crate::door::OwnerKeySeed;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::{DeviceId, Fingerprint};
use crate::profile::ProfileName;
use crate::seal::InboxKey;

/// Length of a device id, in bytes.
const DEVICE_ID_BYTES: usize = 16;

/// Counts the keys of the own inbox: of two sets, those of the higher one are newer (spec: IDN-073).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxGeneration(pub u64);

/// New keys of the own inbox: kind 21.
#[derive(Debug)]
pub struct InboxKeys {
    /// Which keys of it.
    pub generation: InboxGeneration,
    /// The owner key.
    pub owner: OwnerKeySeed,
    /// What items are sealed to.
    pub inbox_key: InboxKey,
    /// What cards tell for the shelf.
    pub shelf_key: ShelfKey,
    /// The own capability.
    pub capability: CapabilitySecret,
}

impl InboxKeys {
    /// The payload.
    pub fn to_payload(&self) -> Zeroizing<Vec<u8>> {
        Writer::with_capacity(136)
            .integer(self.generation.0)
            .fixed(self.owner.expose())
            .fixed(self.inbox_key.expose())
            .fixed(self.shelf_key.expose())
            .fixed(self.capability.expose())
            .into_secret()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn of_payload(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let keys = Self {
            generation: InboxGeneration(reader.integer()?),
            owner: OwnerKeySeed::from_bytes(reader.array()?),
            inbox_key: InboxKey::from_bytes(reader.array()?),
            shelf_key: ShelfKey::from_bytes(reader.array()?),
            capability: CapabilitySecret::from_bytes(reader.array()?),
        };
        reader.finish()?;
        Ok(keys)
    }
}

/// What a device is called: kind 23.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceNamed {
    /// Which one.
    pub device: DeviceId,
    /// Its name.
    pub name: ProfileName,
}

impl DeviceNamed {
    /// The payload: the name has no length in front.
    pub fn to_payload(&self) -> Vec<u8> {
        [self.device.as_ref(), self.name.as_str().as_bytes()].concat()
    }

    /// Reads a payload.
    pub fn of_payload(payload: &[u8]) -> Option<Self> {
        let (device, name) = payload.split_at_checked(DEVICE_ID_BYTES)?;
        let name = ProfileName::new(core::str::from_utf8(name).ok()?).ok()?;
        Some(Self { device: DeviceId::try_from(device).ok()?, name })
    }
}

/// Whether a contact was compared: kind 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactCompared {
    /// Whom.
    pub person: Fingerprint,
    /// What came of it.
    pub comparison: Comparison,
}

/// What came of comparing safety numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They were not compared, or count as such.
    Open,
    /// They are equal.
    Equal,
}

impl ContactCompared {
    /// The payload.
    pub fn to_payload(self) -> Vec<u8> {
        let comparison = match self.comparison {
            Comparison::Open => 0,
            Comparison::Equal => 1,
        };
        [self.person.as_ref(), &[comparison]].concat()
    }

    /// Reads a payload.
    pub fn of_payload(payload: &[u8]) -> Option<Self> {
        let (comparison, person) = payload.split_last()?;
        let comparison = match comparison {
            0 => Comparison::Open,
            1 => Comparison::Equal,
            _ => return None,
        };
        Some(Self { person: Fingerprint::try_from(person).ok()?, comparison })
    }
}

/// A capability of the own inbox that a device made: kind 25.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilityMade {
    /// Who renews and ends it.
    pub device: DeviceId,
    /// Which one.
    pub capability: CapabilityId,
}

impl CapabilityMade {
    /// The payload.
    pub fn to_payload(self) -> Vec<u8> {
        [self.device.as_ref(), self.capability.as_bytes()].concat()
    }

    /// Reads a payload.
    pub fn of_payload(payload: &[u8]) -> Option<Self> {
        let (device, capability) = payload.split_at_checked(DEVICE_ID_BYTES)?;
        let device = DeviceId::try_from(device).ok()?;
        Some(Self { device, capability: CapabilityId::from_slice(capability).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_back() {
        // spec: IDN-055
        let device = DeviceId::from_bytes([1; 16]);
        let named = DeviceNamed { device, name: ProfileName::new("phone").unwrap() };
        assert_eq!(DeviceNamed::of_payload(&named.to_payload()), Some(named));
        let person = Fingerprint::from_bytes([2; 32]);
        for comparison in [Comparison::Open, Comparison::Equal] {
            let compared = ContactCompared { person, comparison };
            assert_eq!(ContactCompared::of_payload(&compared.to_payload()), Some(compared));
        }
        let made = CapabilityMade { device, capability: CapabilityId::from_bytes([3; 32]) };
        assert_eq!(CapabilityMade::of_payload(&made.to_payload()), Some(made));
        let payload: Vec<u8> = (0..136).collect();
        assert_eq!(*InboxKeys::of_payload(&payload).unwrap().to_payload(), payload);
    }
}
