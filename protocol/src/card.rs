//! The card: what the holder of a capability finds sealed on the relay, and what else lies sealed
//! beside it, on the shelf.
//!
//! A card says how to write to an inbox. It is signed by the manager of the identity that the link
//! names, for this inbox; so a relay can withhold a card, but neither change nor swap it.

use hushwire_wire::id::{CapabilityId, InboxId, Signature, SlotId};
use hushwire_wire::transcript::BadSignature;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::{DeviceListRank, Fingerprint, ManagerKey, ManagerStatement};
use crate::label::Label;
use crate::link::CardKey;
use crate::profile::ProfileName;
use crate::seal::InboxPublicKey;
use crate::sealed_box::{self, SealError};
use crate::secret::secret_bytes;

const VERSION: u16 = 1;

secret_bytes!(
    /// Opens what lies on an inbox's shelf: key packages, and the device list.
    ShelfKey
);

impl ShelfKey {
    /// The same key again, for a card: cards and contacts carry it. Named, as it copies a secret.
    #[must_use]
    pub const fn share(&self) -> Self {
        Self::from_bytes(*self.expose())
    }

    /// Seals a key package for a slot of an inbox (spec: LNK-026).
    ///
    /// # Errors
    /// [`SealError::TooLong`], [`SealError::Padding`].
    pub fn seal_package(
        &self,
        inbox: &InboxId,
        slot: &SlotId,
        package: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        sealed_box::seal(self.expose(), &package_place(inbox, slot), package, rng)
    }

    /// Opens a key package that a slot's shelf gave out.
    ///
    /// # Errors
    /// [`SealError`], when it was not sealed for this slot, or not under this key.
    pub fn open_package(
        &self,
        inbox: &InboxId,
        slot: &SlotId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        sealed_box::open(self.expose(), &package_place(inbox, slot), sealed)
    }

    /// Seals an inbox's device list (spec: LNK-026).
    ///
    /// # Errors
    /// [`SealError::TooLong`], [`SealError::Padding`].
    pub fn seal_device_list(
        &self,
        inbox: &InboxId,
        list: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        sealed_box::seal(self.expose(), &Label::ShelfDeviceList.bind(inbox.as_ref()), list, rng)
    }

    /// Opens an inbox's device list; [`crate::identity::DeviceList::decode`] verifies it.
    ///
    /// # Errors
    /// [`SealError`], when it was not sealed for this inbox, or not under this key.
    pub fn open_device_list(
        &self,
        inbox: &InboxId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        sealed_box::open(self.expose(), &Label::ShelfDeviceList.bind(inbox.as_ref()), sealed)
    }
}

fn package_place(inbox: &InboxId, slot: &SlotId) -> Vec<u8> {
    Label::ShelfPackage.bind(&[inbox.as_ref(), slot.as_ref()].concat())
}

/// What a card says.
#[derive(Debug, PartialEq, Eq)]
pub struct CardTerms {
    /// The key that items for the inbox are sealed to.
    pub inbox_key: InboxPublicKey,
    /// Opens the shelf.
    pub shelf_key: ShelfKey,
    /// No device list below this is to be taken.
    pub device_list_minimum: DeviceListRank,
    /// What the owner calls themselves.
    pub name: ProfileName,
}

/// A verified card.
#[derive(Debug, PartialEq, Eq)]
pub struct Card {
    statement: ManagerStatement,
    terms: CardTerms,
    signature: Signature,
}

/// Why a card is refused. Peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// It was not sealed for this link, or not well.
    #[error("the card cannot be opened: {0}")]
    Seal(#[from] SealError),
    /// What was sealed is no card.
    #[error("not a card: {0}")]
    Malformed(#[from] DecodeError),
    /// It is the card of another identity than the link names.
    #[error("the card is of another identity than the link")]
    OtherIdentity,
    /// The root did not sign the manager statement inside.
    #[error("the root key did not sign the manager statement")]
    StatementSignature,
    /// The manager did not sign the card, or signed it for another inbox.
    #[error("the manager key did not sign the card for this inbox")]
    BadSignature,
}

impl Card {
    /// Signs a card for an inbox.
    pub fn sign(
        manager: &ManagerKey,
        statement: &ManagerStatement,
        inbox: &InboxId,
        terms: CardTerms,
    ) -> Self {
        let signature = Signature::from_bytes([0; 64]);
        let mut card = Self { statement: statement.clone(), terms, signature };
        card.signature = manager.sign(Label::Card, card.signed(inbox).as_bytes());
        card
    }

    /// Seals the card for one capability of the inbox (spec: LNK-022). At most 2048 bytes, as only the
    /// name varies and has a bound (spec: LNK-025).
    ///
    /// # Errors
    /// [`SealError::TooLong`], [`SealError::Padding`].
    pub fn seal(
        &self,
        key: &CardKey,
        inbox: &InboxId,
        capability: &CapabilityId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        let bytes = self.fields().fixed(self.signature).into_secret();
        sealed_box::seal(key.expose(), &card_place(inbox, capability), &bytes, rng)
    }

    /// Opens a card and verifies that it is `identity`'s, for this inbox (spec: LNK-022, LNK-023).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn open(
        key: &CardKey,
        inbox: &InboxId,
        capability: &CapabilityId,
        identity: &Fingerprint,
        sealed: &[u8],
    ) -> Result<Self, CardError> {
        let bytes = sealed_box::open(key.expose(), &card_place(inbox, capability), sealed)?;
        let card = Self::read(&bytes)?;
        card.verify(inbox, identity)?;
        Ok(card)
    }

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let statement = ManagerStatement::read(&mut reader)?;
        let terms = CardTerms {
            inbox_key: InboxPublicKey::read(&mut reader)?,
            shelf_key: ShelfKey::from_bytes(reader.array()?),
            device_list_minimum: DeviceListRank::read(&mut reader)?,
            name: ProfileName::read(&mut reader)?,
        };
        let signature = Signature::from_bytes(reader.array()?);
        reader.finish()?;
        Ok(Self { statement, terms, signature })
    }

    fn verify(&self, inbox: &InboxId, identity: &Fingerprint) -> Result<(), CardError> {
        if self.statement.identity() != *identity {
            return Err(CardError::OtherIdentity);
        }
        self.statement.verify().map_err(|BadSignature| CardError::StatementSignature)?;
        let key = self.statement.manager_key();
        Label::Card
            .verify(&key, self.signed(inbox).as_bytes(), &self.signature)
            .map_err(|BadSignature| CardError::BadSignature)
    }

    fn fields(&self) -> Writer {
        let writer = Writer::with_capacity(2048)
            .short(VERSION)
            .fixed(self.statement.to_bytes())
            .fixed(&self.terms.inbox_key)
            .fixed(self.terms.shelf_key.expose());
        self.terms.name.write(self.terms.device_list_minimum.write(writer))
    }

    fn signed(&self, inbox: &InboxId) -> Writer {
        let scope = self.statement.scope().into_bytes();
        Writer::with_capacity(2048).fixed(scope).fixed(inbox).fixed(self.fields().as_bytes())
    }

    /// The identity.
    pub fn identity(&self) -> Fingerprint {
        self.statement.identity()
    }

    /// The manager statement that the card stands on.
    pub const fn statement(&self) -> &ManagerStatement {
        &self.statement
    }

    /// What the card says.
    pub const fn terms(&self) -> &CardTerms {
        &self.terms
    }

    /// What the card says, and the statement it stands on.
    pub fn into_parts(self) -> (ManagerStatement, CardTerms) {
        (self.statement, self.terms)
    }
}

pub(crate) fn card_place(inbox: &InboxId, capability: &CapabilityId) -> Vec<u8> {
    Label::CardSeal.bind(&[inbox.as_ref(), capability.as_ref()].concat())
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::identity::{ManagerCounter, RootKey};
    use crate::seal::InboxKey;

    const INBOX: InboxId = InboxId::from_bytes([1; 16]);
    const CAPABILITY: CapabilityId = CapabilityId::from_bytes([2; 32]);
    const KEY: CardKey = CardKey::from_bytes([3; 32]);

    fn card(root: u8, stated: u8, signer: u8) -> Card {
        let key = |seed: u8| ManagerKey::from_bytes(&[seed; 32]);
        let root = RootKey::from_bytes(&[root; 32]);
        let statement = root.state_manager(key(stated).public(), ManagerCounter(0));
        let terms = CardTerms {
            inbox_key: InboxKey::from_bytes([4; 32]).public().unwrap(),
            shelf_key: ShelfKey::from_bytes([5; 32]),
            device_list_minimum: DeviceListRank::default(),
            name: ProfileName::new("Ana").unwrap(),
        };
        Card::sign(&key(signer), &statement, &INBOX, terms)
    }

    fn seal(card: &Card, inbox: &InboxId) -> Vec<u8> {
        card.seal(&KEY, inbox, &CAPABILITY, &mut ChaCha20Rng::from_seed([6; 32])).unwrap()
    }

    #[test]
    fn a_card_comes_back_from_its_own_place_only() {
        // spec: LNK-022, LNK-025
        let card = card(7, 8, 8);
        let identity = card.identity();
        let sealed = seal(&card, &INBOX);
        assert!(sealed.len() < 2048);
        assert_eq!(Card::open(&KEY, &INBOX, &CAPABILITY, &identity, &sealed), Ok(card));
        let unopened = Err(CardError::Seal(SealError::Unopened));
        let other = InboxId::from_bytes([9; 16]);
        assert_eq!(Card::open(&KEY, &other, &CAPABILITY, &identity, &sealed), unopened);
        let other = CapabilityId::from_bytes([9; 32]);
        assert_eq!(Card::open(&KEY, &INBOX, &other, &identity, &sealed), unopened);
        let other = CardKey::from_bytes([9; 32]);
        assert_eq!(Card::open(&other, &INBOX, &CAPABILITY, &identity, &sealed), unopened);
    }

    #[test]
    fn only_the_identitys_manager_signs_cards() {
        // spec: LNK-023
        let open = |card: &Card, inbox: &InboxId, identity: &Fingerprint| {
            Card::open(&KEY, inbox, &CAPABILITY, identity, &seal(card, inbox)).unwrap_err()
        };
        let ours = card(7, 8, 8);
        let stranger = card(9, 8, 8).identity();
        assert_eq!(open(&ours, &INBOX, &stranger), CardError::OtherIdentity);
        assert_eq!(open(&card(7, 8, 9), &INBOX, &ours.identity()), CardError::BadSignature);
        // The same card sealed again for another inbox.
        let other = InboxId::from_bytes([9; 16]);
        assert_eq!(open(&ours, &other, &ours.identity()), CardError::BadSignature);
    }

    #[test]
    fn every_changed_byte_is_refused() {
        // spec: LNK-023, IDN-001
        let card = card(7, 8, 8);
        let bytes = card.fields().fixed(card.signature).into_bytes();
        let check = |bytes: &[u8]| Card::read(bytes)?.verify(&INBOX, &card.identity());
        assert_eq!(check(&bytes), Ok(()));
        for index in 0..bytes.len() {
            assert!(check(&bytes[..index]).is_err(), "{index}");
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(check(&changed).is_err(), "{index}");
        }
        let error = check(&[&bytes[..], &[0]].concat());
        assert_eq!(error, Err(DecodeError::TrailingBytes.into()));
    }

    #[test]
    fn the_shelf_opens_for_its_slot_only() {
        // spec: LNK-026
        let mut rng = ChaCha20Rng::from_seed([6; 32]);
        let (key, slot) = (ShelfKey::from_bytes([5; 32]), SlotId::from_bytes([1; 16]));
        let package = key.seal_package(&INBOX, &slot, b"package", &mut rng).unwrap();
        assert_eq!(&key.open_package(&INBOX, &slot, &package).unwrap()[..], b"package");
        let other = SlotId::from_bytes([2; 16]);
        assert_eq!(key.open_package(&INBOX, &other, &package), Err(SealError::Unopened));
        let list = key.seal_device_list(&INBOX, b"list", &mut rng).unwrap();
        assert_eq!(&key.open_device_list(&INBOX, &list).unwrap()[..], b"list");
        let other = InboxId::from_bytes([2; 16]);
        assert_eq!(key.open_device_list(&other, &list), Err(SealError::Unopened));
        assert_eq!(key.open_device_list(&INBOX, &package), Err(SealError::Unopened));
        assert_eq!(format!("{key:?}"), "ShelfKey(..)");
    }
}
