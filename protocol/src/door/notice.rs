//! What members tell each other of their group's door, and own devices of an asking that is under
//! way: the payloads of control entries (`spec/registries.md`).

use hushwire_wire::id::{CapabilityId, CapabilitySecret, ChannelId, InboxId, ItemId, Timestamp};
use zeroize::Zeroizing;

use super::{Admission, NAME_BYTES_MAX, VERSION, is_name};
use crate::address::{self, RelayAddress};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::Fingerprint;
use crate::link::LinkSecret;
use crate::seal::InboxKey;
use crate::secret::secret_bytes;

/// Earlier keys of a door that are told (`door_keys_earlier_max`).
pub const EARLIER_KEYS_MAX: usize = 4;
/// Length of each pair of them, in bytes.
const EARLIER_BYTES: usize = 64;

secret_bytes!(
    /// The Ed25519 seed of an inbox's owner key.
    OwnerKeySeed
);

/// Counts the keys of a door: of two sets, those of the higher one are newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoorGeneration(pub u64);

/// A group's door, and what opens it and what comes there (spec: GRP-110).
#[derive(Debug, PartialEq, Eq)]
pub struct DoorKeys {
    /// The inbox, at the relay of the group's channel.
    pub inbox: InboxId,
    /// Which keys of it.
    pub generation: DoorGeneration,
    /// The owner key.
    pub owner: OwnerKeySeed,
    /// The key that requests are sealed to.
    pub inbox_key: InboxKey,
    /// Those before, the latest first: what was sealed to them still opens, and the relay may not have
    /// heard of later ones.
    pub earlier: Vec<EarlierKeys>,
}

/// Keys of a door that others have replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct EarlierKeys {
    /// The owner key.
    pub owner: OwnerKeySeed,
    /// The key that requests were sealed to.
    pub inbox_key: InboxKey,
}

impl DoorKeys {
    /// The one encoding.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut earlier = Writer::with_capacity(EARLIER_KEYS_MAX * EARLIER_BYTES);
        for keys in &self.earlier {
            earlier = earlier.fixed(keys.owner.expose()).fixed(keys.inbox_key.expose());
        }
        Writer::with_capacity(512)
            .short(VERSION)
            .fixed(self.inbox)
            .integer(self.generation.0)
            .fixed(self.owner.expose())
            .fixed(self.inbox_key.expose())
            .variable(earlier.as_bytes())
            .into_secret()
    }

    /// Reads keys.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let inbox = InboxId::from_bytes(reader.array()?);
        let generation = DoorGeneration(reader.integer()?);
        let owner = OwnerKeySeed::from_bytes(reader.array()?);
        let inbox_key = InboxKey::from_bytes(reader.array()?);
        let mut keys = Reader::new(reader.variable(EARLIER_KEYS_MAX * EARLIER_BYTES)?);
        let mut earlier = Vec::new();
        while !keys.is_empty() {
            earlier.push(EarlierKeys {
                owner: OwnerKeySeed::from_bytes(keys.array()?),
                inbox_key: InboxKey::from_bytes(keys.array()?),
            });
        }
        reader.finish()?;
        Ok(Self { inbox, generation, owner, inbox_key, earlier })
    }
}

/// A link of a group (spec: GRP-113).
#[derive(Debug, PartialEq, Eq)]
pub struct DoorLink {
    /// The door that it leads to.
    pub inbox: InboxId,
    /// The secret in the link.
    pub secret: LinkSecret,
    /// Who made it, and signs its card.
    pub maker: Fingerprint,
    /// Whether a member has to say so.
    pub admission: Admission,
    /// How many requests it is good for; none: as many as a capability brings that lasts.
    pub uses: Option<u64>,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
}

impl DoorLink {
    /// The one encoding.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Writer::with_capacity(128)
            .short(VERSION)
            .fixed(self.inbox)
            .fixed(self.secret.expose())
            .fixed(self.maker)
            .byte(self.admission.code())
            .integer(self.uses.unwrap_or(0))
            .integer(self.ends_at.map_or(0, |end| end.0))
            .into_secret()
    }

    /// Reads a link.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let link = Self {
            inbox: InboxId::from_bytes(reader.array()?),
            secret: LinkSecret::from_bytes(reader.array()?),
            maker: Fingerprint::from_bytes(reader.array()?),
            admission: Admission::of(reader.byte()?)?,
            uses: Some(reader.integer()?).filter(|uses| *uses > 0),
            ends_at: Some(Timestamp(reader.integer()?)).filter(|end| end.0 > 0),
        };
        reader.finish()?;
        Ok(link)
    }
}

/// A request that is not granted (spec: LNK-104).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declined {
    /// Who asked.
    pub person: Fingerprint,
    /// By which item of the door.
    pub item: ItemId,
}

impl Declined {
    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::with_capacity(64).fixed(self.person).fixed(self.item).into_bytes()
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let person = Fingerprint::from_bytes(reader.array()?);
        let declined = Self { person, item: ItemId::from_bytes(reader.array()?) };
        reader.finish()?;
        Ok(declined)
    }
}

/// That this identity asks to be let into a group, for its other devices (spec: LNK-108).
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// The group's relay.
    pub relay: RelayAddress,
    /// The group.
    pub channel: ChannelId,
    /// By which the answer comes.
    pub capability: CapabilitySecret,
    /// When it is given up.
    pub ends_at: Timestamp,
    /// What the group is called.
    pub name: String,
}

impl Asked {
    /// The one encoding.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        address::write(&self.relay, Writer::with_capacity(640).short(VERSION))
            .fixed(self.channel)
            .fixed(self.capability.expose())
            .integer(self.ends_at.0)
            .variable(self.name.as_bytes())
            .into_secret()
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let asked = Self {
            relay: address::read(&mut reader)?,
            channel: ChannelId::from_bytes(reader.array()?),
            capability: CapabilitySecret::from_bytes(reader.array()?),
            ends_at: Timestamp(reader.integer()?),
            name: reader.text(NAME_BYTES_MAX)?.to_owned(),
        };
        reader.finish()?;
        if is_name(&asked.name) { Ok(asked) } else { Err(DecodeError::UndefinedValue) }
    }
}

/// That an asking is over, for the other own devices (spec: LNK-108).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskingOver {
    /// By which the answer was to come.
    pub capability: CapabilityId,
}

impl AskingOver {
    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.capability.as_bytes().to_vec()
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let over = Self { capability: CapabilityId::from_bytes(reader.array()?) };
        reader.finish()?;
        Ok(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Host;

    fn keys(earlier: u8) -> DoorKeys {
        DoorKeys {
            inbox: InboxId::from_bytes([1; 16]),
            generation: DoorGeneration(7),
            owner: OwnerKeySeed::from_bytes([2; 32]),
            inbox_key: InboxKey::from_bytes([3; 32]),
            earlier: (0..earlier)
                .map(|seed| EarlierKeys {
                    owner: OwnerKeySeed::from_bytes([seed; 32]),
                    inbox_key: InboxKey::from_bytes([seed + 100; 32]),
                })
                .collect(),
        }
    }

    fn link() -> DoorLink {
        DoorLink {
            inbox: InboxId::from_bytes([1; 16]),
            secret: LinkSecret::from_bytes([2; 32]),
            maker: Fingerprint::from_bytes([3; 32]),
            admission: Admission::Open,
            uses: Some(5),
            ends_at: None,
        }
    }

    fn asked() -> Asked {
        let relay = hushwire_wire::id::RelayId::from_bytes([1; 32]);
        Asked {
            relay: RelayAddress::new(Host::parse("a.org").unwrap(), 1, relay).unwrap(),
            channel: ChannelId::from_bytes([2; 32]),
            capability: CapabilitySecret::from_bytes([3; 32]),
            ends_at: Timestamp(4),
            name: "Climbing".to_owned(),
        }
    }

    /// Every shorter and longer text is refused.
    fn strict<T: core::fmt::Debug + PartialEq>(
        value: &T,
        bytes: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) {
        assert_eq!(decode(bytes).as_ref(), Ok(value));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
        assert_eq!(decode(&[bytes, &[0]].concat()), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn notices_come_back_and_nothing_else_does() {
        // spec: GRP-110, GRP-113, LNK-104, LNK-108
        for earlier in [0, 4] {
            strict(&keys(earlier), &keys(earlier).to_bytes(), DoorKeys::decode);
        }
        assert_eq!(DoorKeys::decode(&keys(5).to_bytes()), Err(DecodeError::TooLong));
        strict(&link(), &link().to_bytes(), DoorLink::decode);
        strict(&asked(), &asked().to_bytes(), Asked::decode);
        let declined = Declined {
            person: Fingerprint::from_bytes([1; 32]),
            item: ItemId::from_bytes([2; 32]),
        };
        strict(&declined, &declined.to_bytes(), Declined::decode);
        let over = AskingOver { capability: CapabilityId::from_bytes([1; 32]) };
        strict(&over, &over.to_bytes(), AskingOver::decode);
    }

    #[test]
    fn undefined_values_are_refused() {
        // spec: GRP-113
        let mut bytes = link().to_bytes().to_vec();
        bytes[2 + 16 + 32 + 32] = 4;
        assert_eq!(DoorLink::decode(&bytes), Err(DecodeError::UndefinedValue));
        bytes[1] = 2;
        assert_eq!(DoorLink::decode(&bytes), Err(DecodeError::UnknownVersion));
        let named = Asked { name: "a\u{202e}".to_owned(), ..asked() };
        assert_eq!(Asked::decode(&named.to_bytes()), Err(DecodeError::UndefinedValue));
    }
}
