//! Succession: a group that cannot go on is formed anew on another channel, and those who were in it
//! know the new one by the word of an owner or admin of the old one.
//!
//! ```text
//! old group ──offer (note, message)──▶ member ──asks at the new group's door──▶ new group
//!                 └── successor, signed by a leaf of the old group ──┘ the same in its agreed state
//! ```
//!
//! Whose word counts, and against which other, is for the client that knows the old group. Normative
//! text: `spec/succession.md`.

use hushwire_wire::id::{ChannelId, InboxId, PublicKey, Signature, Timestamp};
use hushwire_wire::transcript::BadSignature;
use zeroize::Zeroizing;

use crate::address::{self, RelayAddress};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::{DeviceKey, Fingerprint};
use crate::label::Label;
use crate::link::{ContactLink, LinkSecret, LinkTarget};

const VERSION: u16 = 1;
/// Most identities that a successor leaves out (spec: GRP-145).
pub const LEFT_OUT_MAX: usize = 256;
const LEFT_OUT_BYTES_MAX: usize = LEFT_OUT_MAX * Fingerprint::LENGTH;
/// Longest encoding of a successor, in bytes: its fields, a relay's name of 255 bytes, and whom it
/// leaves out.
pub(crate) const SUCCESSOR_BYTES_MAX: usize =
    2 + 32 + 32 + 2 + 255 + 2 + 32 + 8 + 4 + LEFT_OUT_BYTES_MAX + 32 + 64;

/// "This group goes on there": the word of a device that was in it (spec: GRP-140).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The group that goes on.
    pub before: ChannelId,
    /// Where it does.
    pub channel: ChannelId,
    /// The relay of that channel.
    pub relay: RelayAddress,
    /// When this was said, by the clock of who said it: later words of one identity take the place of
    /// earlier ones.
    pub made_at: Timestamp,
    /// Who is not to come along without a member's word, in ascending order, none twice
    /// (spec: GRP-145).
    pub left_out: Vec<Fingerprint>,
    /// The signature key of a leaf of the group before.
    pub key: PublicKey,
    signature: Signature,
}

/// Where a group goes on.
#[derive(Clone, Debug)]
pub struct NewPlace {
    /// The channel.
    pub channel: ChannelId,
    /// Its relay.
    pub relay: RelayAddress,
}

impl Successor {
    /// Says where the group on channel `before` goes on, and who is left out.
    pub fn sign(
        before: ChannelId,
        place: NewPlace,
        made_at: Timestamp,
        mut left_out: Vec<Fingerprint>,
        device: &DeviceKey,
    ) -> Self {
        let NewPlace { channel, relay } = place;
        left_out.sort_unstable();
        left_out.dedup();
        let signature = Signature::from_bytes([0; 64]);
        let key = device.public();
        let mut said = Self { before, channel, relay, made_at, left_out, key, signature };
        said.signature = device.sign(Label::Successor, said.fields().as_bytes());
        said
    }

    fn fields(&self) -> Writer {
        let left_out = self.left_out.iter().fold(Writer::default(), Writer::fixed);
        let writer = Writer::default().short(VERSION).fixed(self.before).fixed(self.channel);
        address::write(&self.relay, writer)
            .integer(self.made_at.0)
            .variable(left_out.as_bytes())
            .fixed(self.key)
    }

    /// Whether somebody comes along by a member's word only (spec: GRP-145).
    pub fn leaves_out(&self, person: &Fingerprint) -> bool {
        self.left_out.binary_search(person).is_ok()
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.fields().fixed(self.signature).into_bytes()
    }

    /// Reads the one encoding, and verifies that the key in it signed it (spec: GRP-140).
    ///
    /// # Errors
    /// [`SuccessorError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SuccessorError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let said = Self {
            before: ChannelId::from_bytes(reader.array()?),
            channel: ChannelId::from_bytes(reader.array()?),
            relay: address::read(&mut reader)?,
            made_at: Timestamp(reader.integer()?),
            left_out: read_left_out(reader.variable(LEFT_OUT_BYTES_MAX)?)?,
            key: PublicKey::from_bytes(reader.array()?),
            signature: Signature::from_bytes(reader.array()?),
        };
        reader.finish()?;
        Label::Successor.verify(&said.key, said.fields().as_bytes(), &said.signature)?;
        Ok(said)
    }
}

fn read_left_out(bytes: &[u8]) -> Result<Vec<Fingerprint>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut people: Vec<Fingerprint> = Vec::new();
    while !reader.is_empty() {
        let person = Fingerprint::from_bytes(reader.array()?);
        if people.last().is_some_and(|last| *last >= person) {
            return Err(DecodeError::NotInOrder);
        }
        people.push(person);
    }
    Ok(people)
}

/// Why a successor is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuccessorError {
    /// Peer: the encoding.
    #[error("the successor is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// Peer: the signature is not by the key in it.
    #[error("the successor is not signed by its key")]
    BadSignature,
}

impl From<BadSignature> for SuccessorError {
    fn from(BadSignature: BadSignature) -> Self {
        Self::BadSignature
    }
}

/// A successor, and the link by which members of the group before come in (spec: GRP-141).
#[derive(Debug, PartialEq, Eq)]
pub struct SuccessorOffer {
    /// Where the group goes on.
    pub successor: Successor,
    /// The door of the new group, at its relay.
    pub inbox: InboxId,
    /// The secret of a link to it.
    pub secret: LinkSecret,
    /// Who made that link.
    pub maker: Fingerprint,
    signature: Signature,
}

impl SuccessorOffer {
    /// Says by which link members of the group before come in; the device is the one that signed the
    /// successor. A link that somebody else puts in its place would lead them elsewhere.
    pub fn sign(successor: Successor, link: &ContactLink, device: &DeviceKey) -> Self {
        let mut offer = Self {
            successor,
            inbox: link.inbox,
            secret: LinkSecret::from_bytes(*link.secret.expose()),
            maker: link.identity,
            signature: Signature::from_bytes([0; 64]),
        };
        offer.signature = device.sign(Label::SuccessorOffer, &offer.fields().into_secret());
        offer
    }

    fn fields(&self) -> Writer {
        let successor = self.successor.to_bytes();
        Writer::with_capacity(successor.len() + 256)
            .short(VERSION)
            .variable(&successor)
            .fixed(self.inbox)
            .fixed(self.secret.expose())
            .fixed(self.maker)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.fields().fixed(self.signature).into_secret()
    }

    /// Reads the one encoding, and verifies the successor in it, and that the same key signed the offer
    /// (spec: GRP-141).
    ///
    /// # Errors
    /// [`SuccessorError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SuccessorError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let successor = reader.variable(SUCCESSOR_BYTES_MAX)?;
        let inbox = InboxId::from_bytes(reader.array()?);
        let secret = LinkSecret::from_bytes(reader.array()?);
        let maker = Fingerprint::from_bytes(reader.array()?);
        let signature = Signature::from_bytes(reader.array()?);
        reader.finish()?;
        let successor = Successor::from_bytes(successor)?;
        let offer = Self { successor, inbox, secret, maker, signature };
        let key = &offer.successor.key;
        Label::SuccessorOffer.verify(key, &offer.fields().into_secret(), &offer.signature)?;
        Ok(offer)
    }

    /// The link by which members of the group before come in.
    pub fn link(&self) -> ContactLink {
        ContactLink {
            target: LinkTarget::Group,
            relay: self.successor.relay.clone(),
            inbox: self.inbox,
            secret: LinkSecret::from_bytes(*self.secret.expose()),
            identity: self.maker,
        }
    }
}

/// What a successor weighs against another one of the same group: the higher role, then the lower
/// fingerprint, and of one identity the later word, then the lower channel (spec: GRP-143).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessorRank {
    /// The role of its identity in the group before.
    pub role: crate::group::Role,
    /// Whose device said it.
    pub identity: Fingerprint,
    /// When.
    pub made_at: Timestamp,
    /// Where the group goes on.
    pub channel: ChannelId,
}

impl Ord for SuccessorRank {
    /// The greater one weighs more.
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.role
            .cmp(&other.role)
            .then(other.identity.cmp(&self.identity))
            .then(self.made_at.cmp(&other.made_at))
            .then(other.channel.as_bytes().cmp(self.channel.as_bytes()))
    }
}

impl PartialOrd for SuccessorRank {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use hushwire_wire::address::Host;
    use hushwire_wire::id::{EpochId, RelayId};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::epoch::EpochKeys;
    use crate::group::{GroupKind, GroupState, Note, PastRoster, Role, seal_offer};
    use crate::provider::Provider;
    use crate::storage::MemoryMlsStore;

    fn successor() -> Successor {
        let relay = RelayId::from_bytes([7; 32]);
        let relay = RelayAddress::new(Host::parse("relay.example.org").unwrap(), 4433, relay);
        let channel = ChannelId::from_bytes([2; 32]);
        let place = NewPlace { channel, relay: relay.unwrap() };
        let device = DeviceKey::from_bytes(&[3; 32]);
        let left_out = [9, 8, 9].map(|byte| Fingerprint::from_bytes([byte; 32])).to_vec();
        Successor::sign(ChannelId::from_bytes([1; 32]), place, Timestamp(1_000), left_out, &device)
    }

    #[test]
    fn who_is_left_out_is_named_in_order_and_nobody_twice() {
        // spec: GRP-145
        let people = |bytes: &[u8]| -> Vec<Fingerprint> {
            bytes.iter().map(|byte| Fingerprint::from_bytes([*byte; 32])).collect()
        };
        assert_eq!(successor().left_out, people(&[8, 9]));
        for (person, is_out) in [(7, false), (8, true), (9, true), (10, false)] {
            assert_eq!(successor().leaves_out(&people(&[person])[0]), is_out, "{person}");
        }
        let device = DeviceKey::from_bytes(&[3; 32]);
        for (named, refused) in [
            (people(&[9, 8]), DecodeError::NotInOrder),
            (people(&[8, 8]), DecodeError::NotInOrder),
            (vec![people(&[1])[0]; LEFT_OUT_MAX + 1], DecodeError::TooLong),
        ] {
            let mut said = successor();
            said.left_out = named;
            said.signature = device.sign(Label::Successor, said.fields().as_bytes());
            let read = Successor::from_bytes(&said.to_bytes());
            assert_eq!(read, Err(SuccessorError::Malformed(refused)));
        }
        let many = (0..LEFT_OUT_MAX).map(|place| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&u64::try_from(place).unwrap().to_be_bytes());
            Fingerprint::from_bytes(bytes)
        });
        let mut most = successor();
        most.left_out = many.collect();
        most.signature = device.sign(Label::Successor, most.fields().as_bytes());
        assert!(most.to_bytes().len() <= SUCCESSOR_BYTES_MAX);
        assert_eq!(Successor::from_bytes(&most.to_bytes()), Ok(most));
    }

    #[test]
    fn a_successor_comes_back_and_nothing_of_it_can_be_changed() {
        // spec: GRP-140
        let good = successor().to_bytes();
        assert_eq!(Successor::from_bytes(&good).unwrap(), successor());
        for index in 0..good.len() {
            let mut changed = good.clone();
            changed[index] ^= 1;
            assert!(Successor::from_bytes(&changed).is_err(), "{index}");
            assert!(Successor::from_bytes(&good[..index]).is_err());
        }
        let longer = [&good[..], &[0]].concat();
        let trailing = SuccessorError::Malformed(DecodeError::TrailingBytes);
        assert_eq!(Successor::from_bytes(&longer).unwrap_err(), trailing);
        let mut other = good.clone();
        let last = other.len() - 1;
        other[last] ^= 1;
        assert_eq!(Successor::from_bytes(&other).unwrap_err(), SuccessorError::BadSignature);
    }

    fn offer() -> SuccessorOffer {
        let successor = successor();
        let link = ContactLink {
            target: LinkTarget::Group,
            relay: successor.relay.clone(),
            inbox: InboxId::from_bytes([4; 16]),
            secret: LinkSecret::from_bytes([5; 32]),
            identity: Fingerprint::from_bytes([6; 32]),
        };
        SuccessorOffer::sign(successor, &link, &DeviceKey::from_bytes(&[3; 32]))
    }

    #[test]
    fn a_group_that_was_formed_anew_names_the_one_before() {
        // spec: GRP-010, GRP-140, GRP-145
        let owner = Fingerprint::from_bytes([6; 32]);
        let device = DeviceKey::from_bytes(&[3; 32]);
        let Successor { before, channel, relay, made_at, .. } = successor();
        let place = NewPlace { channel, relay };
        let of_all = Successor::sign(before, place, made_at, Vec::new(), &device);
        for (kind, before, valid) in [
            (GroupKind::Group, successor(), true),
            (GroupKind::Group, of_all.clone(), true),
            (GroupKind::OwnDevices, successor(), false),
            (GroupKind::OwnDevices, of_all.clone(), true),
            (GroupKind::Direct, successor(), false),
            (GroupKind::Direct, of_all, false),
        ] {
            let before = Some(Box::new(before));
            let state = GroupState { before, ..GroupState::new(kind, owner) };
            let read = GroupState::from_bytes(&state.to_bytes());
            let expected = if valid { Ok(state) } else { Err(DecodeError::UndefinedValue) };
            assert_eq!(read, expected, "{kind:?}");
        }
    }

    #[test]
    fn an_offer_is_noted_for_those_who_are_left() {
        // spec: GRP-141
        let (channel, epoch) = (ChannelId::from_bytes([1; 32]), EpochId::from_bytes([2; 32]));
        let keys = EpochKeys::derive(&[3; 32], &[4; 32]);
        let (store, mut rng) = (MemoryMlsStore::default(), ChaCha20Rng::from_seed([5; 32]));
        let provider = Provider::new(&store, &mut rng);
        let note = seal_offer(&provider, &channel, &epoch, &keys, &offer()).unwrap();
        let opened = Note::open(&keys, &channel, &epoch, &PastRoster::new(vec![]), &note);
        assert_eq!(opened, Ok(Note::Successor(Box::new(offer()))));
    }

    #[test]
    fn an_offer_comes_back_with_its_link() {
        // spec: GRP-141
        let offer = offer();
        let bytes = offer.to_bytes();
        assert_eq!(SuccessorOffer::from_bytes(&bytes).unwrap(), offer);
        for length in 0..bytes.len() {
            assert!(SuccessorOffer::from_bytes(&bytes[..length]).is_err());
            let mut changed = bytes.to_vec();
            changed[length] ^= 1;
            assert!(SuccessorOffer::from_bytes(&changed).is_err(), "{length}");
        }
        let other = DeviceKey::from_bytes(&[4; 32]);
        let by_another = SuccessorOffer::sign(successor(), &offer.link(), &other).to_bytes();
        let refused = SuccessorOffer::from_bytes(&by_another).unwrap_err();
        assert_eq!(refused, SuccessorError::BadSignature);
        let link = offer.link();
        assert_eq!((link.target, link.identity), (LinkTarget::Group, offer.maker));
        assert_eq!(link.relay, offer.successor.relay);
    }

    #[test]
    fn the_higher_role_counts_then_the_identity_then_the_later_word() {
        // spec: GRP-143
        let rank = |role, who: u8, at, channel: u8| SuccessorRank {
            role,
            identity: Fingerprint::from_bytes([who; 32]),
            made_at: Timestamp(at),
            channel: ChannelId::from_bytes([channel; 32]),
        };
        let ascending = [
            rank(Role::Admin, 1, 9, 1),
            rank(Role::Owner, 5, 9, 1),
            rank(Role::Owner, 2, 1, 1),
            rank(Role::Owner, 2, 2, 8),
            rank(Role::Owner, 2, 2, 7),
        ];
        assert!(ascending.is_sorted());
        assert!(ascending.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
