//! A group's door: the inbox that a group owns, and what leads there.
//!
//! ```text
//! group link ─▶ door card (what group, how to write to its door) ─▶ join request ─▶ door
//!                    signed by who made the link                       read by the members
//! ```
//!
//! A card says how to write to the door. It is signed by the manager of the identity that made the
//! link, for this inbox; so neither the relay nor a former member, who knows the door's old keys, can
//! put another key in its place. Normative text: `spec/links.md`.

mod notice;

use hushwire_wire::id::{CapabilityId, ChannelId, InboxId, Signature, Timestamp};
use hushwire_wire::transcript::BadSignature;
use rand_core::CryptoRng;

use crate::card::{CardError, card_place};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::group::{NAME_BYTES_MAX, is_name};
use crate::identity::{Fingerprint, ManagerKey, ManagerStatement};
use crate::label::Label;
use crate::link::CardKey;
use crate::seal::InboxPublicKey;
use crate::sealed_box::{self, SealError};
pub use notice::{
    Asked, AskingOver, Declined, DoorGeneration, DoorKeys, DoorLink, EARLIER_KEYS_MAX, EarlierKeys,
    OwnerKeySeed,
};

const VERSION: u16 = 1;

/// Whether who asks by a link is let in without a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admission {
    /// Whoever asks is let in.
    Open,
    /// A member has to say so.
    Approval,
    /// Who was in the group that this one takes the place of is let in; of others a member has to say
    /// so (spec: LNK-109).
    Former,
}

impl Admission {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Approval => 2,
            Self::Former => 3,
        }
    }

    pub(crate) const fn of(code: u8) -> Result<Self, DecodeError> {
        match code {
            1 => Ok(Self::Open),
            2 => Ok(Self::Approval),
            3 => Ok(Self::Former),
            _ => Err(DecodeError::UndefinedValue),
        }
    }
}

/// What a door card says.
#[derive(Debug, PartialEq, Eq)]
pub struct DoorTerms {
    /// The key that requests are sealed to.
    pub inbox_key: InboxPublicKey,
    /// The group's channel, at the door's relay: an invitation to another one is not an answer.
    pub channel: ChannelId,
    /// Whether a member has to say so.
    pub admission: Admission,
    /// When the link ends, if it does by itself.
    pub ends_at: Option<Timestamp>,
    /// What the group was called when the card was made.
    pub name: String,
}

impl DoorTerms {
    fn write(&self, writer: Writer) -> Writer {
        writer
            .fixed(&self.inbox_key)
            .fixed(self.channel)
            .byte(self.admission.code())
            .integer(self.ends_at.map_or(0, |end| end.0))
            .variable(self.name.as_bytes())
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let terms = Self {
            inbox_key: InboxPublicKey::read(reader)?,
            channel: ChannelId::from_bytes(reader.array()?),
            admission: Admission::of(reader.byte()?)?,
            ends_at: Some(Timestamp(reader.integer()?)).filter(|end| end.0 > 0),
            name: reader.text(NAME_BYTES_MAX)?.to_owned(),
        };
        if is_name(&terms.name) { Ok(terms) } else { Err(DecodeError::UndefinedValue) }
    }
}

/// A verified door card.
#[derive(Debug, PartialEq, Eq)]
pub struct DoorCard {
    statement: ManagerStatement,
    terms: DoorTerms,
    signature: Signature,
}

impl DoorCard {
    /// Signs a card for a door.
    pub fn sign(
        manager: &ManagerKey,
        statement: &ManagerStatement,
        door: &InboxId,
        terms: DoorTerms,
    ) -> Self {
        let signature = Signature::from_bytes([0; 64]);
        let mut card = Self { statement: statement.clone(), terms, signature };
        card.signature = manager.sign(Label::DoorCard, card.signed(door).as_bytes());
        card
    }

    /// Seals the card for one capability of the door (spec: LNK-022, LNK-096). At most 2048 bytes, as
    /// only the name varies and has a bound (spec: LNK-025).
    ///
    /// # Errors
    /// [`SealError::TooLong`], [`SealError::Padding`].
    pub fn seal(
        &self,
        key: &CardKey,
        door: &InboxId,
        capability: &CapabilityId,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        let bytes = self.fields().fixed(self.signature).into_secret();
        sealed_box::seal(key.expose(), &card_place(door, capability), &bytes, rng)
    }

    /// Opens a card and verifies that `maker`, whom the link names, made it for this door
    /// (spec: LNK-096).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn open(
        key: &CardKey,
        door: &InboxId,
        capability: &CapabilityId,
        maker: &Fingerprint,
        sealed: &[u8],
    ) -> Result<Self, CardError> {
        let bytes = sealed_box::open(key.expose(), &card_place(door, capability), sealed)?;
        let card = Self::read(&bytes)?;
        card.verify(door, maker)?;
        Ok(card)
    }

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let statement = ManagerStatement::read(&mut reader)?;
        let terms = DoorTerms::read(&mut reader)?;
        let signature = Signature::from_bytes(reader.array()?);
        reader.finish()?;
        Ok(Self { statement, terms, signature })
    }

    fn verify(&self, door: &InboxId, maker: &Fingerprint) -> Result<(), CardError> {
        if self.statement.identity() != *maker {
            return Err(CardError::OtherIdentity);
        }
        self.statement.verify().map_err(|BadSignature| CardError::StatementSignature)?;
        Label::DoorCard
            .verify(&self.statement.manager_key(), self.signed(door).as_bytes(), &self.signature)
            .map_err(|BadSignature| CardError::BadSignature)
    }

    fn fields(&self) -> Writer {
        let writer = Writer::with_capacity(2048).short(VERSION).fixed(self.statement.to_bytes());
        self.terms.write(writer)
    }

    fn signed(&self, door: &InboxId) -> Writer {
        let scope = self.statement.scope().into_bytes();
        Writer::with_capacity(2048).fixed(scope).fixed(door).fixed(self.fields().as_bytes())
    }

    /// What the card says.
    pub fn into_terms(self) -> DoorTerms {
        self.terms
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::identity::{ManagerCounter, RootKey};
    use crate::seal::InboxKey;

    const DOOR: InboxId = InboxId::from_bytes([1; 16]);
    const CAPABILITY: CapabilityId = CapabilityId::from_bytes([2; 32]);
    const KEY: CardKey = CardKey::from_bytes([3; 32]);

    fn card(root: u8, stated: u8, signer: u8, name: &str) -> DoorCard {
        let key = |seed: u8| ManagerKey::from_bytes(&[seed; 32]);
        let root = RootKey::from_bytes(&[root; 32]);
        let statement = root.state_manager(key(stated).public(), ManagerCounter(0));
        let terms = DoorTerms {
            inbox_key: InboxKey::from_bytes([4; 32]).public().unwrap(),
            channel: ChannelId::from_bytes([5; 32]),
            admission: Admission::Approval,
            ends_at: Some(Timestamp(9)),
            name: name.to_owned(),
        };
        DoorCard::sign(&key(signer), &statement, &DOOR, terms)
    }

    fn seal(card: &DoorCard, door: &InboxId) -> Vec<u8> {
        card.seal(&KEY, door, &CAPABILITY, &mut ChaCha20Rng::from_seed([6; 32])).unwrap()
    }

    fn maker(card: &DoorCard) -> Fingerprint {
        card.statement.identity()
    }

    #[test]
    fn a_card_comes_back_from_its_own_place_only() {
        // spec: LNK-022, LNK-025, LNK-096
        let card = card(7, 8, 8, &"n".repeat(NAME_BYTES_MAX));
        let maker = maker(&card);
        let sealed = seal(&card, &DOOR);
        assert!(sealed.len() <= 2048, "{}", sealed.len());
        assert_eq!(DoorCard::open(&KEY, &DOOR, &CAPABILITY, &maker, &sealed), Ok(card));
        let unopened = Err(CardError::Seal(SealError::Unopened));
        let other = InboxId::from_bytes([9; 16]);
        assert_eq!(DoorCard::open(&KEY, &other, &CAPABILITY, &maker, &sealed), unopened);
        let other = CapabilityId::from_bytes([9; 32]);
        assert_eq!(DoorCard::open(&KEY, &DOOR, &other, &maker, &sealed), unopened);
        let other = CardKey::from_bytes([9; 32]);
        assert_eq!(DoorCard::open(&other, &DOOR, &CAPABILITY, &maker, &sealed), unopened);
    }

    #[test]
    fn only_the_makers_manager_signs_cards() {
        // spec: LNK-096
        let open = |card: &DoorCard, door: &InboxId, maker: &Fingerprint| {
            DoorCard::open(&KEY, door, &CAPABILITY, maker, &seal(card, door)).unwrap_err()
        };
        let ours = card(7, 8, 8, "Climbing");
        let stranger = maker(&card(9, 8, 8, "Climbing"));
        assert_eq!(open(&ours, &DOOR, &stranger), CardError::OtherIdentity);
        let forged = card(7, 8, 9, "Climbing");
        assert_eq!(open(&forged, &DOOR, &maker(&ours)), CardError::BadSignature);
        // The same card sealed again for another door.
        let other = InboxId::from_bytes([9; 16]);
        assert_eq!(open(&ours, &other, &maker(&ours)), CardError::BadSignature);
    }

    #[test]
    fn every_changed_byte_is_refused() {
        // spec: LNK-096, IDN-001
        let card = card(7, 8, 8, "Climbing");
        let bytes = card.fields().fixed(card.signature).into_bytes();
        let check = |bytes: &[u8]| DoorCard::read(bytes)?.verify(&DOOR, &maker(&card));
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
    fn a_name_that_no_group_may_have_is_refused() {
        // spec: LNK-096
        let card = card(7, 8, 8, "Climb\u{202e}ing");
        let bytes = card.fields().fixed(card.signature).into_bytes();
        assert_eq!(DoorCard::read(&bytes), Err(DecodeError::UndefinedValue));
    }
}
