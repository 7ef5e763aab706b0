//! A member's signed word on which candidate it applied: what parted halves of a group read of each
//! other in the epoch that they have in common (spec: GRP-120).

use hushwire_wire::id::{ChannelId, EntryId, EpochId, Signature};
use hushwire_wire::limit::Limits;
use hushwire_wire::transcript::Operation;

use super::error::{GroupError, Rejection};
use super::members::LeafIndex;
use super::past::{PastRoster, Rank};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::envelope::{EnvelopeContent, EnvelopeKind, NoteContent, Place, open_note, seal};
use crate::epoch::EpochKeys;
use crate::identity::{DeviceKey, Fingerprint};
use crate::label::Label;
use crate::provider::Provider;
use crate::succession::{SuccessorError, SuccessorOffer};

const VERSION: u16 = 1;
/// Kinds of version 1.
const APPLIED: u8 = 1;
const SUCCESSOR: u8 = 2;

/// "I applied this one", by a leaf of the epoch where the candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The candidate.
    pub candidate: EntryId,
    /// Who says it.
    pub leaf: LeafIndex,
}

impl Statement {
    fn signed(&self, channel: &ChannelId, epoch: &EpochId) -> Writer {
        Writer::default()
            .short(VERSION)
            .byte(APPLIED)
            .fixed(channel)
            .fixed(epoch)
            .fixed(self.candidate)
            .fixed(self.leaf.0.to_be_bytes())
    }

    /// Signs it at its place.
    pub fn sign(&self, channel: &ChannelId, epoch: &EpochId, device: &DeviceKey) -> Vec<u8> {
        let signed = self.signed(channel, epoch);
        Writer::default()
            .short(VERSION)
            .byte(APPLIED)
            .fixed(self.candidate)
            .fixed(self.leaf.0.to_be_bytes())
            .fixed(device.sign(Label::AppliedStatement, signed.as_bytes()))
            .into_bytes()
    }

    /// Signs it, and seals it as a note of its epoch.
    ///
    /// # Errors
    /// [`GroupError::TooLong`]: never.
    pub fn seal(
        &self,
        provider: &Provider<'_>,
        channel: &ChannelId,
        epoch: &EpochId,
        keys: &EpochKeys,
        device: &DeviceKey,
    ) -> Result<Vec<u8>, GroupError> {
        let said = self.sign(channel, epoch, device);
        let content = EnvelopeContent::plain(EnvelopeKind::Statement, said);
        let place = Place { channel, epoch, operation: &Operation::Note };
        Ok(seal(&keys.envelope, provider.draw(), place, &content)?)
    }
}

/// A statement whose signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedStatement {
    /// The candidate.
    pub candidate: EntryId,
    /// Who applied it.
    pub rank: Rank,
}

/// A statement as it came, in the place it came from.
#[derive(Debug)]
pub struct UnverifiedStatement {
    statement: Statement,
    signature: Signature,
}

impl UnverifiedStatement {
    /// Reads the one encoding.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        if reader.byte()? != APPLIED {
            return Err(DecodeError::UndefinedValue);
        }
        let candidate = EntryId::from_bytes(reader.array()?);
        let leaf = LeafIndex(u32::from_be_bytes(reader.array()?));
        let signature = Signature::from_bytes(reader.array()?);
        reader.finish()?;
        Ok(Self { statement: Statement { candidate, leaf }, signature })
    }

    /// Verifies that the leaf that it names signed it at this place (spec: GRP-120).
    ///
    /// # Errors
    /// [`Rejection::BadStatement`].
    pub fn verify(
        self,
        channel: &ChannelId,
        epoch: &EpochId,
        members: &PastRoster,
    ) -> Result<VerifiedStatement, Rejection> {
        let member = members.at(self.statement.leaf).ok_or(Rejection::BadStatement)?;
        let signed = self.statement.signed(channel, epoch);
        Label::AppliedStatement
            .verify(&member.signature_key, signed.as_bytes(), &self.signature)
            .map_err(|_| Rejection::BadStatement)?;
        Ok(VerifiedStatement { candidate: self.statement.candidate, rank: member.rank })
    }
}

/// What a note of an epoch turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Note {
    /// A member says what it applied.
    Applied(VerifiedStatement),
    /// A member says where the group goes on; whose word that is was not looked at (spec: GRP-141).
    Successor(Box<SuccessorOffer>),
    /// Of a kind that this version does not know: passed over (spec: ENV-005).
    Unknown,
}

impl Note {
    /// Opens a note at its place (spec: ENV-001, ENV-005, GRP-120).
    ///
    /// # Errors
    /// [`Rejection`], by the sender's fault.
    pub fn open(
        keys: &EpochKeys,
        channel: &ChannelId,
        epoch: &EpochId,
        members: &PastRoster,
        envelope: &[u8],
    ) -> Result<Self, Rejection> {
        match open_note(&keys.envelope, channel, epoch, envelope)? {
            NoteContent::Unknown => Ok(Self::Unknown),
            NoteContent::Statement(said) if said.get(2) == Some(&SUCCESSOR) => {
                read_offer(&said).map(Box::new).map(Self::Successor)
            }
            NoteContent::Statement(said) => {
                let said = UnverifiedStatement::parse(&said);
                let said = said.map_err(|_| Rejection::MalformedStatement)?;
                said.verify(channel, epoch, members).map(Self::Applied)
            }
        }
    }
}

/// Whether a note of this kind says something to this version.
#[cfg(test)]
pub(crate) fn is_note_kind(code: u8) -> bool {
    let found = UnverifiedStatement::parse(&[0, 1, code]);
    code == SUCCESSOR || !matches!(found, Err(DecodeError::UndefinedValue))
}

fn read_offer(said: &[u8]) -> Result<SuccessorOffer, Rejection> {
    let mut reader = Reader::new(said);
    reader.version(VERSION).map_err(|_| Rejection::MalformedStatement)?;
    let offer = said.get(3..).ok_or(Rejection::MalformedStatement)?;
    SuccessorOffer::from_bytes(offer).map_err(|error| match error {
        SuccessorError::Malformed(_) => Rejection::MalformedStatement,
        SuccessorError::BadSignature => Rejection::BadStatement,
    })
}

/// Seals an offer as a note of an epoch (spec: GRP-141).
///
/// # Errors
/// [`GroupError::TooLong`] for one that fits into no note.
pub fn seal_offer(
    provider: &Provider<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    keys: &EpochKeys,
    offer: &SuccessorOffer,
) -> Result<Vec<u8>, GroupError> {
    if !fits_note(offer) {
        return Err(GroupError::TooLong);
    }
    let place = Place { channel, epoch, operation: &Operation::Note };
    Ok(seal(&keys.envelope, provider.draw(), place, &offer_content(offer))?)
}

/// Whether a relay takes an offer as a note: one that leaves out many is longer (spec: GRP-151).
pub fn fits_note(offer: &SuccessorOffer) -> bool {
    is_note(&offer_content(offer))
}

/// How many an offer that leaves out too many for a note can leave out: that goes by how long the name
/// of its relay is (spec: GRP-151).
pub fn note_left_out_max(offer: &SuccessorOffer) -> usize {
    let mut content = offer_content(offer);
    let mut most = offer.successor.left_out.len();
    while most > 0 && !is_note(&content) {
        most = most.saturating_sub(1);
        let fewer = content.message.len().saturating_sub(Fingerprint::LENGTH);
        content.message.truncate(fewer);
    }
    most
}

fn is_note(content: &EnvelopeContent) -> bool {
    let length_max = u64::from(Limits::V1.note_bytes_max);
    content.sealed_length().is_some_and(|length| length <= length_max)
}

fn offer_content(offer: &SuccessorOffer) -> EnvelopeContent {
    let offer = offer.to_bytes();
    let said = Writer::with_capacity(offer.len().saturating_add(3))
        .short(VERSION)
        .byte(SUCCESSOR)
        .fixed(offer.as_slice())
        .into_bytes();
    EnvelopeContent::plain(EnvelopeKind::Statement, said)
}

/// From where a member of a common epoch looks which candidate is followed.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    /// What it applied itself.
    pub applied: EntryId,
    /// What its own word weighs there.
    pub own: Rank,
    /// What its own word is, as long as it noted none.
    pub unsaid: Unsaid,
    /// The leaves that this candidate removed.
    pub removed: &'a [LeafIndex],
    /// The candidates of the epoch, without those that are invalid for all.
    pub candidates: &'a [EntryId],
}

/// What the word of a member is that noted none (spec: GRP-123).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// That it applied what it applied: nobody below makes it leave that.
    Applied,
    /// Nothing: it was added again, and does not know what the others applied.
    Nothing,
}

impl Standpoint<'_> {
    /// The candidate that is followed: that of the highest rank which speaks. Of each leaf the first
    /// statement counts, in relay order (spec: GRP-123 to GRP-126).
    pub fn followed(&self, statements: &[VerifiedStatement]) -> EntryId {
        let own = VerifiedStatement { candidate: self.applied, rank: self.own };
        let first = statements.iter().enumerate().filter(|(place, statement)| {
            let mut earlier = statements.iter().take(*place);
            !earlier.any(|other| other.rank.leaf == statement.rank.leaf)
        });
        let counted = first.map(|(_, said)| said).filter(|statement| self.counts(statement));
        let noted = counted.clone().any(|statement| statement.rank == self.own);
        let own = (!noted && self.unsaid == Unsaid::Applied).then_some(&own);
        let highest = counted.chain(own).max_by_key(|statement| statement.rank);
        highest.map_or(self.applied, |statement| statement.candidate)
    }

    /// Whether a statement counts: nobody can have applied what is no candidate, and who was removed
    /// does not speak against that.
    pub fn counts(&self, statement: &VerifiedStatement) -> bool {
        let is_candidate = self.candidates.contains(&statement.candidate);
        let was_removed = self.removed.contains(&statement.rank.leaf);
        is_candidate && (statement.candidate == self.applied || !was_removed)
    }
}

#[cfg(test)]
mod tests {
    use hushwire_wire::address::Host;
    use hushwire_wire::id::{InboxId, RelayId, Timestamp};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::address::RelayAddress;
    use crate::group::{PastMember, Role};
    use crate::identity::{DeviceKey, Fingerprint};
    use crate::link::{ContactLink, LinkSecret, LinkTarget};
    use crate::storage::MemoryMlsStore;
    use crate::succession::{NewPlace, Successor};

    const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);
    const EPOCH: EpochId = EpochId::from_bytes([2; 32]);
    const ONE: EntryId = EntryId::from_bytes([3; 32]);
    const OTHER: EntryId = EntryId::from_bytes([4; 32]);

    fn device(seed: u8) -> DeviceKey {
        DeviceKey::from_bytes(&[seed; 32])
    }

    fn roster() -> PastRoster {
        let member = |leaf: u32, role| PastMember {
            rank: Rank { role, leaf: LeafIndex(leaf) },
            identity: Fingerprint::from_bytes([9; 32]),
            signature_key: device(u8::try_from(leaf).unwrap()).public(),
        };
        PastRoster::new(vec![member(0, Role::Owner), member(1, Role::Member)])
    }

    #[test]
    fn a_statement_is_its_leafs_at_its_place_only() {
        // spec: GRP-120
        let statement = Statement { candidate: ONE, leaf: LeafIndex(1) };
        let verify = |bytes: &[u8], channel: &ChannelId, epoch: &EpochId| {
            UnverifiedStatement::parse(bytes).unwrap().verify(channel, epoch, &roster())
        };
        let good = statement.sign(&CHANNEL, &EPOCH, &device(1));
        let verified = verify(&good, &CHANNEL, &EPOCH).unwrap();
        assert_eq!((verified.candidate, verified.rank.leaf), (ONE, LeafIndex(1)));
        let bad = Err(Rejection::BadStatement);
        let elsewhere = ChannelId::from_bytes([7; 32]);
        assert_eq!(verify(&good, &elsewhere, &EPOCH), bad);
        assert_eq!(verify(&good, &CHANNEL, &EpochId::from_bytes([7; 32])), bad);
        assert_eq!(verify(&statement.sign(&CHANNEL, &EPOCH, &device(0)), &CHANNEL, &EPOCH), bad);
        let nobody = Statement { leaf: LeafIndex(5), ..statement };
        assert_eq!(verify(&nobody.sign(&CHANNEL, &EPOCH, &device(5)), &CHANNEL, &EPOCH), bad);
        for index in 3..good.len() {
            let mut changed = good.clone();
            changed[index] ^= 1;
            assert_eq!(verify(&changed, &CHANNEL, &EPOCH), bad, "{index}");
        }
        for (index, error) in [(1, DecodeError::UnknownVersion), (2, DecodeError::UndefinedValue)] {
            let mut changed = good.clone();
            changed[index] ^= 2;
            assert_eq!(UnverifiedStatement::parse(&changed).unwrap_err(), error);
        }
        for length in 0..good.len() {
            let error = UnverifiedStatement::parse(&good[..length]).unwrap_err();
            assert_eq!(error, DecodeError::Truncated);
        }
    }

    /// Opens as a note of the epoch what stands in the envelope of one.
    fn open(said: Vec<u8>) -> Result<Note, Rejection> {
        let content = EnvelopeContent::plain(EnvelopeKind::Statement, said);
        let place = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &Operation::Note };
        let sealed = seal(&keys().envelope, [7; 24], place, &content).unwrap();
        Note::open(&keys(), &CHANNEL, &EPOCH, &roster(), &sealed)
    }

    fn keys() -> EpochKeys {
        EpochKeys::derive(&[5; 32], &[6; 32])
    }

    fn offer() -> SuccessorOffer {
        offer_of("relay.example.org", 0)
    }

    /// An offer of a group at that host, which leaves out so many.
    fn offer_of(host: &str, left_out: u8) -> SuccessorOffer {
        let relay = RelayId::from_bytes([7; 32]);
        let relay = RelayAddress::new(Host::parse(host).unwrap(), 4433, relay);
        let channel = ChannelId::from_bytes([8; 32]);
        let relay = relay.unwrap();
        let link = ContactLink {
            target: LinkTarget::Group,
            relay: relay.clone(),
            inbox: InboxId::from_bytes([4; 16]),
            secret: LinkSecret::from_bytes([5; 32]),
            identity: Fingerprint::from_bytes([6; 32]),
        };
        let place = NewPlace { channel, relay };
        let left_out = (0..left_out).map(|person| Fingerprint::from_bytes([person; 32])).collect();
        let successor = Successor::sign(CHANNEL, place, Timestamp(1_000), left_out, &device(0));
        SuccessorOffer::sign(successor, &link, &device(0))
    }

    #[test]
    fn an_offer_that_leaves_out_few_fits_a_note_and_one_that_leaves_out_many_is_no_note() {
        // spec: GRP-151
        let (store, mut rng) = (MemoryMlsStore::default(), ChaCha20Rng::from_seed([1; 32]));
        let provider = Provider::new(&store, &mut rng);
        let label = "a".repeat(62);
        let longest = [&label[..]; 4].join(".");
        let longest = format!("{longest}.b");
        assert_eq!(longest.len(), 253);
        for (host, most) in [("relay.example.org", 18), (&longest, 11)] {
            let seal = |left_out| {
                let offer = offer_of(host, left_out);
                let sealed = seal_offer(&provider, &CHANNEL, &EPOCH, &keys(), &offer);
                assert_eq!(fits_note(&offer), sealed.is_ok());
                sealed.map(|sealed| {
                    let note = Note::open(&keys(), &CHANNEL, &EPOCH, &roster(), &sealed);
                    assert_eq!(note, Ok(Note::Successor(Box::new(offer))));
                    sealed.len()
                })
            };
            assert!(seal(most).is_ok_and(|length| length <= 1_024), "{host}");
            assert_eq!(seal(most + 1), Err(GroupError::TooLong), "{host}");
            for too_many in [most + 1, 200] {
                let fewer = note_left_out_max(&offer_of(host, too_many));
                assert_eq!(fewer, usize::from(most), "{host}");
            }
        }
    }

    #[test]
    fn an_offer_that_is_noted_comes_back_whole_and_signed_or_not_at_all() {
        // spec: GRP-141
        let (store, mut rng) = (MemoryMlsStore::default(), ChaCha20Rng::from_seed([1; 32]));
        let provider = Provider::new(&store, &mut rng);
        let sealed = seal_offer(&provider, &CHANNEL, &EPOCH, &keys(), &offer()).unwrap();
        let open_there = |channel, epoch| Note::open(&keys(), channel, epoch, &roster(), &sealed);
        assert_eq!(open_there(&CHANNEL, &EPOCH), Ok(Note::Successor(Box::new(offer()))));
        let elsewhere = ChannelId::from_bytes([7; 32]);
        assert_eq!(open_there(&elsewhere, &EPOCH), Err(Rejection::Undecryptable));

        let offered = offer().to_bytes();
        let said = |head: [u8; 3], offered: &[u8]| open([&head[..], offered].concat());
        assert_eq!(said([0, 1, 2], &offered), Ok(Note::Successor(Box::new(offer()))));
        // The length of a vector stands in front of the successor, which its signature ends.
        let successor = offer().successor.to_bytes().len();
        let mut forged = offered.to_vec();
        forged[4 + successor - 1] ^= 1;
        assert_eq!(said([0, 1, 2], &forged), Err(Rejection::BadStatement));
        let malformed = Err(Rejection::MalformedStatement);
        for length in 0..offered.len() {
            assert_eq!(said([0, 1, 2], &offered[..length]), malformed, "{length}");
        }
        assert_eq!(said([0, 1, 2], &[&offered[..], &[0]].concat()), malformed);
        assert_eq!(said([0, 2, 2], &offered), malformed);
        assert_eq!(said([0, 1, 3], &offered), malformed);
    }

    #[test]
    fn the_highest_rank_is_followed_and_the_removed_do_not_speak_against_their_removal() {
        // spec: GRP-123, GRP-124, GRP-126
        let rank = |leaf: u32, role| Rank { role, leaf: LeafIndex(leaf) };
        let said = |candidate, leaf, role| VerifiedStatement { candidate, rank: rank(leaf, role) };
        let all =
            [said(ONE, 3, Role::Admin), said(OTHER, 1, Role::Owner), said(ONE, 0, Role::Owner)];
        let removed = [LeafIndex(1)];
        let reader = |applied, own| Standpoint {
            applied,
            own,
            unsaid: Unsaid::Applied,
            removed: &[],
            candidates: &[ONE, OTHER],
        };
        let below = rank(7, Role::Member);
        assert_eq!(reader(ONE, below).followed(&[]), ONE);
        assert_eq!(reader(OTHER, below).followed(&all), ONE);
        assert_eq!(reader(ONE, below).followed(&all[..2]), OTHER);
        // Its own word is above theirs, said or not.
        assert_eq!(reader(OTHER, rank(0, Role::Owner)).followed(&all[..2]), OTHER);
        assert_eq!(reader(ONE, rank(0, Role::Owner)).followed(&all[..2]), ONE);
        // But for who was added again, and did not say it.
        let back = Standpoint { unsaid: Unsaid::Nothing, ..reader(ONE, rank(0, Role::Owner)) };
        assert_eq!(back.followed(&[]), ONE);
        assert_eq!(back.followed(&all[1..2]), OTHER);
        assert_eq!(back.followed(&all), ONE);
        // Removed by ONE, it counts for OTHER only where OTHER was applied.
        let by = Standpoint { removed: &removed, ..reader(ONE, below) };
        assert_eq!(by.followed(&all[..2]), ONE);
        let there = Standpoint { removed: &removed, ..reader(OTHER, below) };
        assert_eq!(there.followed(&all[..2]), OTHER);
        // What is no candidate is followed by nobody.
        let alone = Standpoint { candidates: &[ONE], ..reader(ONE, below) };
        assert_eq!(alone.followed(&all[..2]), ONE);
    }
}
