//! What a contact needs to write to an inbox later.

use hushwire_wire::id::{CapabilitySecret, InboxId};

use crate::address::{self, RelayAddress};
use crate::card::ShelfKey;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::{DeviceListRank, Fingerprint, ManagerStatement};
use crate::profile::ProfileName;
use crate::seal::InboxPublicKey;

/// How the name of a card is read: strictly where the card comes from outside.
type NameReading = fn(&mut Reader<'_>) -> Result<ProfileName, DecodeError>;

/// A contact's card: who they are, and how to write to them. It comes inside a signed inbox item or
/// a group; by itself only the statement in it is signed (spec: LNK-043).
#[derive(Debug, PartialEq, Eq)]
pub struct ContactCard {
    /// The inbox's relay.
    pub relay: RelayAddress,
    /// The inbox.
    pub inbox: InboxId,
    /// The capability made for this contact, revocable alone.
    pub capability: CapabilitySecret,
    /// The root's statement of the manager key; names the identity. Verified when it was read.
    pub statement: ManagerStatement,
    /// The key that items for the inbox are sealed to.
    pub inbox_key: InboxPublicKey,
    /// Opens the inbox's shelf.
    pub shelf_key: ShelfKey,
    /// No device list below this is to be taken.
    pub device_list_minimum: DeviceListRank,
    /// What they call themselves.
    pub name: ProfileName,
}

impl ContactCard {
    /// The identity.
    pub fn identity(&self) -> Fingerprint {
        self.statement.identity()
    }

    /// Whether it is the card of `sender`, the identity that signed the item or message around it.
    /// A card of somebody else is to be refused, whoever brings it (spec: LNK-049).
    pub fn is_of(&self, sender: &Fingerprint) -> bool {
        self.identity() == *sender
    }

    /// The one encoding, for content that carries a card of its own; an inbox item writes it inline.
    pub fn to_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        self.write(Writer::with_capacity(2048)).into_secret()
    }

    /// Reads what [`Self::to_bytes`] wrote, and verifies the statement.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::whole(bytes, ProfileName::read)
    }

    /// Reads a card that was taken before and stored since: a character of the name that no name
    /// may have by today's list is left out, and does not make the store unreadable (spec: CLI-134).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_stored(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::whole(bytes, ProfileName::read_stored)
    }

    fn whole(bytes: &[u8], name: NameReading) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let card = Self::read_with(&mut reader, name)?;
        reader.finish()?;
        Ok(card)
    }

    pub(crate) fn write(&self, writer: Writer) -> Writer {
        let writer = address::write(&self.relay, writer)
            .fixed(self.inbox)
            .fixed(self.capability.expose())
            .fixed(self.statement.to_bytes())
            .fixed(&self.inbox_key)
            .fixed(self.shelf_key.expose());
        self.name.write(self.device_list_minimum.write(writer))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read_with(reader, ProfileName::read)
    }

    fn read_with(reader: &mut Reader<'_>, name: NameReading) -> Result<Self, DecodeError> {
        let card = Self {
            relay: address::read(reader)?,
            inbox: InboxId::from_bytes(reader.array()?),
            capability: CapabilitySecret::from_bytes(reader.array()?),
            statement: ManagerStatement::read(reader)?,
            inbox_key: InboxPublicKey::read(reader)?,
            shelf_key: ShelfKey::from_bytes(reader.array()?),
            device_list_minimum: DeviceListRank::read(reader)?,
            name: name(reader)?,
        };
        card.statement.verify().map_err(|_| DecodeError::BadSignature)?;
        Ok(card)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::address::Host;
    use crate::seal::InboxKey;
    use crate::seal::tests::device;

    /// The card of an identity made of one byte.
    pub(crate) fn contact_card(root: u8) -> ContactCard {
        let relay = hushwire_wire::id::RelayId::from_bytes([1; 32]);
        ContactCard {
            relay: RelayAddress::new(Host::parse("a.org").unwrap(), 1, relay).unwrap(),
            inbox: InboxId::from_bytes([2; 16]),
            capability: CapabilitySecret::from_bytes([3; 32]),
            statement: device(root, 9).0.statement().clone(),
            inbox_key: InboxKey::from_bytes([4; 32]).public().unwrap(),
            shelf_key: ShelfKey::from_bytes([5; 32]),
            device_list_minimum: DeviceListRank::default(),
            name: ProfileName::new("Ana").unwrap(),
        }
    }

    #[test]
    fn a_stored_card_is_read_whatever_characters_its_name_has() {
        // spec: CLI-134
        let mut bytes = contact_card(1).to_bytes().to_vec();
        let at = bytes.len() - 3;
        bytes.splice(at.., "A\u{ad}".bytes());
        assert_eq!(ContactCard::decode(&bytes), Err(DecodeError::UndefinedValue));
        let card = ContactCard::decode_stored(&bytes).unwrap();
        assert_eq!(card.name.as_str(), "A");
        assert_eq!(ContactCard::decode(&card.to_bytes()), Ok(card));
        bytes.push(0);
        assert_eq!(ContactCard::decode_stored(&bytes), Err(DecodeError::TrailingBytes));
    }
}
