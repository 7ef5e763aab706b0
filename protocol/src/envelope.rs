//! The outer seal of every entry: what the relay stores shows neither sender nor kind nor epoch.
//!
//! XChaCha20-Poly1305 under the epoch's envelope key, with a random nonce of 192 bits; channel,
//! epoch id and operation are associated data; the content is padded. Every member of the epoch
//! can make such an envelope: who wrote it is settled inside, by MLS. Normative text:
//! `spec/envelope.md`.
//!
//! ```text
//! nonce[24] ‖ AEAD( uint16 version; uint8 kind; opaque mls_message<V>;
//!                   opaque proposals<V>; opaque report<V>; zeros ) ‖ tag[16]
//! ```

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hushwire_wire::id::{ChannelId, EpochId};
use hushwire_wire::limit::Limits;
use hushwire_wire::transcript::{Operation, envelope_binding};
use zeroize::Zeroizing;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::epoch::EnvelopeKey;
use crate::padding::{PaddingError, check_sealed_length, check_zeros, pad, padded_length};

const VERSION: u16 = 1;
const NONCE_BYTES: usize = 24;
const OVERHEAD_BYTES: usize = NONCE_BYTES + 16;

/// Why an envelope was not opened, or could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Peer: the length is not a padded length (spec: ENV-012).
    #[error("the envelope's length is not a padded length")]
    BadLength,
    /// Peer: not sealed with this key for this place (spec: ENV-003).
    #[error("the envelope is not sealed for this place with this key")]
    Undecryptable,
    /// Peer: the content has no valid encoding (spec: ENV-004, ENV-014).
    #[error("the envelope's content is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// Peer: what follows the content is not zero (spec: ENV-014).
    #[error("the envelope's padding is not zero")]
    BadPadding,
    /// Peer: the kind is unknown, or does not go with the operation (spec: ENV-005).
    #[error("the envelope's kind does not go with the operation")]
    WrongKind,
    /// Caller: the content is longer than an entry may be.
    #[error("the content is too long for an entry")]
    TooLong,
}

/// What an envelope holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EnvelopeKind {
    /// An application message of MLS.
    Message = 1,
    /// A commit, with the proposals it refers to.
    Commit = 2,
    /// A proposal by which its sender leaves.
    Leave = 3,
    /// A member's word on which candidate it applied.
    Statement = 4,
}

impl EnvelopeKind {
    pub(crate) const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Message),
            2 => Some(Self::Commit),
            3 => Some(Self::Leave),
            4 => Some(Self::Statement),
            _ => None,
        }
    }

    /// A commit travels as a commit, a statement as a note, everything else as a message
    /// (spec: ENV-005).
    const fn goes_with(self, operation: &Operation) -> bool {
        matches!(
            (self, operation),
            (Self::Commit, Operation::Commit(_))
                | (Self::Message | Self::Leave, Operation::Message)
                | (Self::Statement, Operation::Note)
        )
    }
}

/// Where an envelope stands: its channel, epoch and operation.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The channel.
    pub channel: &'a ChannelId,
    /// The epoch.
    pub epoch: &'a EpochId,
    /// Message, or commit with what it carries in the open.
    pub operation: &'a Operation,
}

impl Place<'_> {
    fn binding(&self) -> Vec<u8> {
        envelope_binding(self.channel, self.epoch, self.operation)
    }
}

/// The content of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeContent {
    /// What `message` is.
    pub kind: EnvelopeKind,
    /// An `MLSMessage` (RFC 9420 section 6).
    pub message: Vec<u8>,
    /// The `MLSMessage`s of the proposals that a commit refers to.
    pub proposals: Vec<Vec<u8>>,
    /// The report of a commit that contests.
    pub report: Vec<u8>,
}

impl EnvelopeContent {
    /// A message or a leave: neither proposals nor report.
    pub const fn plain(kind: EnvelopeKind, message: Vec<u8>) -> Self {
        Self { kind, message, proposals: Vec::new(), report: Vec::new() }
    }

    /// How long an envelope with this content is, in bytes; `None` past 2^64 - 1.
    pub(crate) fn sealed_length(&self) -> Option<u64> {
        let length = u64::try_from(self.encode().len().checked_add(OVERHEAD_BYTES)?).ok()?;
        padded_length(length)
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let list: usize = self.proposals.iter().map(|proposal| proposal.len() + 4).sum();
        let mut proposals = Writer::with_capacity(list);
        for proposal in &self.proposals {
            proposals = proposals.variable(proposal);
        }
        Writer::with_capacity(self.message.len() + list + self.report.len() + 64)
            .short(VERSION)
            .byte(self.kind as u8)
            .variable(&self.message)
            .variable(proposals.as_bytes())
            .variable(&self.report)
            .into_secret()
    }

    fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let kind = EnvelopeKind::of(reader.byte()?).ok_or(EnvelopeError::WrongKind)?;
        let message = reader.variable(bytes.len())?.to_vec();
        let mut list = Reader::new(reader.variable(bytes.len())?);
        let mut proposals = Vec::new();
        while !list.is_empty() {
            proposals.push(list.variable(bytes.len())?.to_vec());
        }
        let report = reader.variable(bytes.len())?.to_vec();
        let padding = reader.bytes(reader.remaining())?;
        check_zeros(padding).map_err(|_| EnvelopeError::BadPadding)?;
        Ok(Self { kind, message, proposals, report })
    }
}

/// Seals `content` for its place; `nonce` is fresh and random
/// (spec: ENV-001, ENV-002, ENV-003, ENV-004, ENV-005).
///
/// # Errors
/// [`EnvelopeError::TooLong`] above the longest entry, [`EnvelopeError::WrongKind`].
pub(crate) fn seal(
    key: &EnvelopeKey,
    nonce: [u8; NONCE_BYTES],
    place: Place<'_>,
    content: &EnvelopeContent,
) -> Result<Vec<u8>, EnvelopeError> {
    if !content.kind.goes_with(place.operation) {
        return Err(EnvelopeError::WrongKind);
    }
    let mut plaintext = content.encode();
    let padded = pad(core::mem::take(&mut *plaintext), OVERHEAD_BYTES)
        .map_err(|_: PaddingError| EnvelopeError::TooLong)?;
    let padded = Zeroizing::new(padded);
    let length = u64::try_from(padded.len().saturating_add(OVERHEAD_BYTES)).unwrap_or(u64::MAX);
    if length > Limits::V1.entry_blob_bytes_max {
        return Err(EnvelopeError::TooLong);
    }
    let aad = place.binding();
    let sealed = XChaCha20Poly1305::new(key.expose().into())
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: &padded, aad: &aad })
        .map_err(|_| EnvelopeError::TooLong)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Opens an envelope at its place (spec: ENV-001, ENV-003, ENV-004, ENV-012, ENV-014).
///
/// # Errors
/// [`EnvelopeError`], by the peer's fault.
pub fn open(
    key: &EnvelopeKey,
    place: Place<'_>,
    envelope: &[u8],
) -> Result<EnvelopeContent, EnvelopeError> {
    let content = EnvelopeContent::decode(&unseal(key, place, envelope)?)?;
    if content.kind.goes_with(place.operation) {
        Ok(content)
    } else {
        Err(EnvelopeError::WrongKind)
    }
}

/// What the envelope of a note holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteContent {
    /// A statement, as it came.
    Statement(Vec<u8>),
    /// Something for members with a later version; behind the kind nothing was looked at.
    Unknown,
}

/// Opens the envelope of a note (spec: ENV-001, ENV-003, ENV-004, ENV-005, ENV-012).
///
/// # Errors
/// [`EnvelopeError`], by the peer's fault.
pub fn open_note(
    key: &EnvelopeKey,
    channel: &ChannelId,
    epoch: &EpochId,
    envelope: &[u8],
) -> Result<NoteContent, EnvelopeError> {
    let place = Place { channel, epoch, operation: &Operation::Note };
    let plaintext = unseal(key, place, envelope)?;
    let mut reader = Reader::new(&plaintext);
    reader.version(VERSION)?;
    if EnvelopeKind::of(reader.byte()?).is_none() {
        return Ok(NoteContent::Unknown);
    }
    let content = EnvelopeContent::decode(&plaintext)?;
    if !content.kind.goes_with(&Operation::Note) {
        return Err(EnvelopeError::WrongKind);
    }
    if content.proposals.is_empty() && content.report.is_empty() {
        Ok(NoteContent::Statement(content.message))
    } else {
        Err(EnvelopeError::Malformed(DecodeError::TrailingBytes))
    }
}

/// The content of an envelope, with its padding.
fn unseal(
    key: &EnvelopeKey,
    place: Place<'_>,
    envelope: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    check_sealed_length(envelope).map_err(|_| EnvelopeError::BadLength)?;
    let (nonce, sealed) = envelope.split_at_checked(NONCE_BYTES).ok_or(EnvelopeError::BadLength)?;
    let aad = place.binding();
    let plaintext = XChaCha20Poly1305::new(key.expose().into())
        .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: &aad })
        .map_err(|_| EnvelopeError::Undecryptable)?;
    Ok(Zeroizing::new(plaintext))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);
    const EPOCH: EpochId = EpochId::from_bytes([2; 32]);
    const PLACE: Place<'_> =
        Place { channel: &CHANNEL, epoch: &EPOCH, operation: &Operation::Message };

    fn key(byte: u8) -> EnvelopeKey {
        EnvelopeKey::from_bytes([byte; 32])
    }

    fn content(length: usize) -> EnvelopeContent {
        EnvelopeContent::plain(EnvelopeKind::Message, vec![7; length])
    }

    /// Seals bytes that are no content of ours.
    fn seal_raw(plaintext: &[u8]) -> Vec<u8> {
        seal_raw_at(PLACE, plaintext)
    }

    fn seal_raw_at(place: Place<'_>, plaintext: &[u8]) -> Vec<u8> {
        let nonce = [9; NONCE_BYTES];
        let aad = place.binding();
        let sealed = XChaCha20Poly1305::new(key(3).expose().into())
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plaintext, aad: &aad })
            .unwrap();
        [&nonce[..], &sealed].concat()
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_only() {
        // spec: ENV-001, ENV-002, ENV-003
        let sealed = seal(&key(3), [4; 24], PLACE, &content(10)).unwrap();
        assert_eq!(open(&key(3), PLACE, &sealed).unwrap(), content(10));
        let other_channel = ChannelId::from_bytes([5; 32]);
        let other_epoch = EpochId::from_bytes([5; 32]);
        let wrong = Err(EnvelopeError::Undecryptable);
        assert_eq!(open(&key(4), PLACE, &sealed), wrong);
        assert_eq!(open(&key(3), Place { channel: &other_channel, ..PLACE }, &sealed), wrong);
        assert_eq!(open(&key(3), Place { epoch: &other_epoch, ..PLACE }, &sealed), wrong);
    }

    #[test]
    fn every_changed_byte_is_refused() {
        // spec: ENV-003
        let sealed = seal(&key(3), [4; 24], PLACE, &content(10)).unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(open(&key(3), PLACE, &changed), Err(EnvelopeError::Undecryptable));
        }
    }

    #[test]
    fn lengths_are_padded_lengths() {
        // spec: ENV-012, ENV-013
        for (length, sealed) in [(0, 256), (1, 256), (200, 256), (250, 304), (1_000, 1_088)] {
            let envelope = seal(&key(3), [4; 24], PLACE, &content(length)).unwrap();
            assert_eq!(envelope.len(), sealed, "{length}");
            let shorter = &envelope[..envelope.len() - 1];
            assert_eq!(open(&key(3), PLACE, shorter), Err(EnvelopeError::BadLength));
        }
        assert_eq!(open(&key(3), PLACE, &[]), Err(EnvelopeError::BadLength));
    }

    #[test]
    fn malformed_contents_are_refused() {
        // spec: ENV-004, ENV-005, ENV-014
        let plain = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = content(3).encode().to_vec();
            bytes.resize(256 - OVERHEAD_BYTES, 0);
            edit(&mut bytes);
            open(&key(3), PLACE, &seal_raw(&bytes)).unwrap_err()
        };
        assert_eq!(plain(&|bytes| bytes[1] = 2), DecodeError::UnknownVersion.into());
        assert_eq!(plain(&|bytes| bytes[2] = 9), EnvelopeError::WrongKind);
        assert_eq!(plain(&|bytes| bytes[2] = 2), EnvelopeError::WrongKind);
        assert_eq!(plain(&|bytes| bytes[100] = 1), EnvelopeError::BadPadding);
        assert_eq!(plain(&|bytes| bytes[3] = 0x7F), DecodeError::TooLong.into());
        assert_eq!(plain(&|bytes| bytes[3] = 0xC0), DecodeError::BadLength.into());
    }

    #[test]
    fn a_note_is_passed_over_if_nothing_in_it_is_known_and_else_refused() {
        // spec: ENV-003, ENV-005
        let note = Place { operation: &Operation::Note, ..PLACE };
        let sealed = |kind: u8, version: u8| {
            let mut bytes = content(3).encode().to_vec();
            bytes.resize(256 - OVERHEAD_BYTES, 0);
            (bytes[1], bytes[2]) = (version, kind);
            seal_raw_at(note, &bytes)
        };
        let check = |envelope: &[u8]| open_note(&key(3), &CHANNEL, &EPOCH, envelope);
        assert_eq!(check(&sealed(200, 1)), Ok(NoteContent::Unknown));
        assert_eq!(check(&sealed(255, 1)), Ok(NoteContent::Unknown));
        assert_eq!(check(&sealed(4, 1)), Ok(NoteContent::Statement(vec![7; 3])));
        for kind in 1..=3 {
            assert_eq!(check(&sealed(kind, 1)), Err(EnvelopeError::WrongKind));
            assert_eq!(open(&key(3), note, &sealed(kind, 1)), Err(EnvelopeError::WrongKind));
        }
        assert_eq!(check(&sealed(200, 2)), Err(DecodeError::UnknownVersion.into()));
        let message = seal(&key(3), [4; 24], PLACE, &content(10)).unwrap();
        assert_eq!(check(&message), Err(EnvelopeError::Undecryptable));
        assert_eq!(open(&key(3), PLACE, &sealed(1, 1)), Err(EnvelopeError::Undecryptable));
    }

    #[test]
    fn kinds_go_with_their_operation() {
        // spec: ENV-005
        let commit = EnvelopeContent::plain(EnvelopeKind::Commit, vec![1]);
        assert_eq!(seal(&key(3), [4; 24], PLACE, &commit), Err(EnvelopeError::WrongKind));
    }
}
