//! Everything that is hashed or signed between client and relay, with its one byte layout.
//!
//! Each transcript is `label ‖ fields`: the label is a constant of [`Label`], prefixed by its length
//! in one byte; every field has a fixed length, or a length prefix of four bytes, big-endian
//! (spec: WIRE-020). No two transcripts share a label, so bytes made for one never pass for another.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::id::{
    BlobId, CapabilityId, CapabilitySecret, ChainHead, ChannelId, ContentHash, EntryId, EpochId,
    InboxId, ItemId, Nonce, PublicKey, RelayId, Sequence, SessionId, Signature, SlotId, UploadKey,
};

/// The domain-separation labels of this crate; the registry is `spec/registries.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Hash that names a relay.
    RelayId,
    /// Hash that names a session.
    SessionId,
    /// Hash that names the first epoch of a channel.
    RootEpoch,
    /// Hash that names an entry.
    EntryId,
    /// Associated data that binds an envelope to its place.
    EnvelopeBinding,
    /// Hash that starts the chain of an epoch.
    ChainStart,
    /// Hash that adds an entry to the chain of an epoch.
    ChainNext,
    /// Hash that names a capability.
    CapabilityId,
    /// Hash that names a blob.
    BlobId,
    /// Hash that names an inbox item.
    ItemId,
    /// Signature of the first epoch key: create a channel.
    ChannelCreate,
    /// Signature of an epoch key: open a channel at that epoch.
    ChannelOpen,
    /// Signature of an owner key: create an inbox.
    InboxCreate,
    /// Signature of an owner key: open an inbox.
    InboxOpen,
    /// Signature of the next owner key: take over an inbox.
    InboxRotate,
    /// Signature of the relay: an entry is stored at this place.
    EntryReceipt,
    /// Signature of the relay: an item is stored.
    ItemReceipt,
}

impl Label {
    /// Every label, for the registry and its vectors.
    pub const ALL: [Self; 17] = [
        Self::RelayId,
        Self::SessionId,
        Self::RootEpoch,
        Self::EntryId,
        Self::EnvelopeBinding,
        Self::ChainStart,
        Self::ChainNext,
        Self::CapabilityId,
        Self::BlobId,
        Self::ItemId,
        Self::ChannelCreate,
        Self::ChannelOpen,
        Self::InboxCreate,
        Self::InboxOpen,
        Self::InboxRotate,
        Self::EntryReceipt,
        Self::ItemReceipt,
    ];

    /// The label's bytes, ASCII.
    pub const fn text(self) -> &'static str {
        match self {
            Self::RelayId => "hushwire/1 relay id",
            Self::SessionId => "hushwire/1 session id",
            Self::RootEpoch => "hushwire/1 root epoch",
            Self::EntryId => "hushwire/1 entry id",
            Self::EnvelopeBinding => "hushwire/1 envelope binding",
            Self::ChainStart => "hushwire/1 chain start",
            Self::ChainNext => "hushwire/1 chain next",
            Self::CapabilityId => "hushwire/1 capability id",
            Self::BlobId => "hushwire/1 blob id",
            Self::ItemId => "hushwire/1 item id",
            Self::ChannelCreate => "hushwire/1 channel create",
            Self::ChannelOpen => "hushwire/1 channel open",
            Self::InboxCreate => "hushwire/1 inbox create",
            Self::InboxOpen => "hushwire/1 inbox open",
            Self::InboxRotate => "hushwire/1 inbox rotate",
            Self::EntryReceipt => "hushwire/1 entry receipt",
            Self::ItemReceipt => "hushwire/1 item receipt",
        }
    }
}

/// The bytes of one transcript, built field by field in the order the spec gives.
#[derive(Clone)]
pub struct Transcript(Vec<u8>);

impl Transcript {
    /// Starts a transcript with its label.
    pub fn new(label: Label) -> Self {
        let text = label.text().as_bytes();
        let mut bytes = Vec::with_capacity(192);
        // Labels are constants shorter than 256 bytes (checked by a test).
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(text);
        Self(bytes)
    }

    /// Adds a field whose length its type fixes.
    #[must_use]
    pub fn fixed(mut self, field: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(field.as_ref());
        self
    }

    /// Adds one byte.
    #[must_use]
    pub fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Adds an integer, big-endian.
    #[must_use]
    pub fn integer(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Adds a field of any length, after its length in four bytes, big-endian.
    #[must_use]
    pub fn variable(mut self, field: &[u8]) -> Self {
        // Fields come out of frames, which are far below 4 GiB.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// The bytes so far; what is signed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// SHA-256 of the bytes.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// Signs the bytes (Ed25519, RFC 8032).
    pub fn sign(&self, key: &SigningKey) -> Signature {
        Signature::from_bytes(key.sign(&self.0).to_bytes())
    }

    /// Verifies a signature over the bytes: canonical encodings only, no small-order keys
    /// (spec: WIRE-021).
    ///
    /// # Errors
    /// [`BadSignature`] for every way a key or signature can be wrong.
    pub fn verify(&self, key: &PublicKey, signature: &Signature) -> Result<(), BadSignature> {
        verify_strict(key, &self.0, signature)
    }
}

/// A signature, or the key it is checked with, is not valid. Does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid")]
pub struct BadSignature;

/// Strict Ed25519 verification of any message (spec: WIRE-021).
///
/// # Errors
/// [`BadSignature`] for every way a key or signature can be wrong.
pub fn verify_strict(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), BadSignature> {
    if !is_canonical(key) {
        return Err(BadSignature);
    }
    let key = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| BadSignature)?;
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    key.verify_strict(message, &signature).map_err(|_| BadSignature)
}

/// Whether the y coordinate is below 2^255 - 19. The library takes keys at or above it; it refuses
/// such an `R` by itself, since it compares encodings (spec: WIRE-021).
fn is_canonical(key: &PublicKey) -> bool {
    let [lowest, middle @ .., highest] = key.as_bytes();
    !(*lowest >= 0xed && middle.iter().all(|byte| *byte == 0xff) && highest & 0x7f == 0x7f)
}

/// The public half of a signing key.
pub fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey::from_bytes(key.verifying_key().to_bytes())
}

/// Names a relay by its public key (spec: WIRE-030).
pub fn relay_id(key: &PublicKey) -> RelayId {
    RelayId::from_bytes(Transcript::new(Label::RelayId).fixed(key).hash())
}

/// Names a session: version, both nonces, and the relay's key (spec: WIRE-031).
pub fn session_id(version: u16, client: &Nonce, server: &Nonce, relay: &PublicKey) -> SessionId {
    let transcript = Transcript::new(Label::SessionId)
        .fixed(version.to_be_bytes())
        .fixed(client)
        .fixed(server)
        .fixed(relay);
    SessionId::from_bytes(transcript.hash())
}

/// Names the first epoch of a channel (spec: CHN-001).
pub fn root_epoch_id(channel: &ChannelId, key: &PublicKey, nonce: &Nonce) -> EpochId {
    let transcript = Transcript::new(Label::RootEpoch).fixed(channel).fixed(key).fixed(nonce);
    EpochId::from_bytes(transcript.hash())
}

/// What a commit carries in the open, beside its sealed content (spec: CHN-004).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitMark {
    /// Public half of the epoch key of the epoch that the commit opens.
    pub next_key: PublicKey,
    /// Whether readers of the parent epoch may read the child without its own key.
    pub cut: Cut,
    /// Every earlier candidate of the same epoch, in relay order; empty for a first candidate.
    pub contested: Vec<EntryId>,
}

/// Whether the child epoch is readable with the parent's key (spec: CHN-005).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The parent's key reads the child too.
    Through,
    /// Only the child's own key reads the child. Obligatory when a commit removes somebody.
    Cut,
}

impl Cut {
    /// 0 or 1, as it stands in transcripts.
    pub const fn code(self) -> u8 {
        match self {
            Self::Through => 0,
            Self::Cut => 1,
        }
    }
}

/// What kind of entry it is, with what a commit carries in the open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A sealed message: anything that is not a commit.
    Message,
    /// A sealed commit, a candidate for the next epoch.
    Commit(CommitMark),
    /// A sealed note: what members say about the candidates of the epoch (spec: CHN-032).
    Note,
}

impl Operation {
    fn write(&self, transcript: Transcript) -> Transcript {
        match self {
            Self::Message => transcript.byte(1),
            Self::Commit(mark) => {
                let contested: Vec<u8> =
                    mark.contested.iter().flat_map(|id| *id.as_bytes()).collect();
                transcript.byte(2).fixed(mark.next_key).byte(mark.cut.code()).variable(&contested)
            }
            Self::Note => transcript.byte(3),
        }
    }
}

/// Names an entry by its place and content. `content` is the SHA-256 of the sealed bytes, whether
/// they stand in the entry or in a blob (spec: CHN-003).
pub fn entry_id(
    channel: &ChannelId,
    epoch: &EpochId,
    operation: &Operation,
    content: &ContentHash,
) -> EntryId {
    let transcript = Transcript::new(Label::EntryId).fixed(channel).fixed(epoch);
    EntryId::from_bytes(operation.write(transcript).fixed(content).hash())
}

/// The bytes that bind an envelope to its place: associated data of the outer AEAD (spec: ENV-003).
/// The same fields as [`entry_id`] without the content.
pub fn envelope_binding(channel: &ChannelId, epoch: &EpochId, operation: &Operation) -> Vec<u8> {
    let transcript = Transcript::new(Label::EnvelopeBinding).fixed(channel).fixed(epoch);
    operation.write(transcript).0
}

/// SHA-256 of some bytes.
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    ContentHash::from_bytes(Sha256::digest(bytes).into())
}

/// The head of an epoch that holds no entry yet (spec: CHN-006).
pub fn first_head(channel: &ChannelId, epoch: &EpochId) -> ChainHead {
    let transcript = Transcript::new(Label::ChainStart).fixed(channel).fixed(epoch);
    ChainHead::from_bytes(transcript.hash())
}

/// The head after one more entry (spec: CHN-006).
pub fn next_head(head: &ChainHead, sequence: Sequence, entry: &EntryId) -> ChainHead {
    let transcript = Transcript::new(Label::ChainNext).fixed(head).integer(sequence.0).fixed(entry);
    ChainHead::from_bytes(transcript.hash())
}

/// Names a capability by its secret (spec: INB-003).
pub fn capability_id(secret: &CapabilitySecret) -> CapabilityId {
    CapabilityId::from_bytes(Transcript::new(Label::CapabilityId).fixed(secret.expose()).hash())
}

/// Names a blob by the key that may upload it (spec: BLB-001).
pub fn blob_id(key: &UploadKey) -> BlobId {
    BlobId::from_bytes(Transcript::new(Label::BlobId).fixed(key.expose()).hash())
}

/// Names an inbox item by its place and content (spec: INB-006).
pub fn item_id(inbox: &InboxId, item: &[u8]) -> ItemId {
    let transcript = Transcript::new(Label::ItemId).fixed(inbox).fixed(content_hash(item));
    ItemId::from_bytes(transcript.hash())
}

/// What the first epoch key signs to create a channel (spec: CHN-001).
pub fn channel_create(
    relay: &RelayId,
    session: &SessionId,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Transcript {
    Transcript::new(Label::ChannelCreate).fixed(relay).fixed(session).fixed(channel).fixed(epoch)
}

/// What an epoch key signs to open its channel at its epoch (spec: CHN-002).
pub fn channel_open(
    relay: &RelayId,
    session: &SessionId,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Transcript {
    Transcript::new(Label::ChannelOpen).fixed(relay).fixed(session).fixed(channel).fixed(epoch)
}

/// What an owner key signs to create its inbox (spec: INB-001).
pub fn inbox_create(
    relay: &RelayId,
    session: &SessionId,
    inbox: &InboxId,
    owner: &PublicKey,
) -> Transcript {
    Transcript::new(Label::InboxCreate).fixed(relay).fixed(session).fixed(inbox).fixed(owner)
}

/// What an owner key signs to open its inbox as one of the owner's devices (spec: INB-002).
pub fn inbox_open(
    relay: &RelayId,
    session: &SessionId,
    inbox: &InboxId,
    slot: &SlotId,
) -> Transcript {
    Transcript::new(Label::InboxOpen).fixed(relay).fixed(session).fixed(inbox).fixed(slot)
}

/// What the next owner key signs to take over an inbox that is open (spec: INB-010).
pub fn inbox_rotate(
    relay: &RelayId,
    session: &SessionId,
    inbox: &InboxId,
    next_owner: &PublicKey,
) -> Transcript {
    Transcript::new(Label::InboxRotate).fixed(relay).fixed(session).fixed(inbox).fixed(next_owner)
}

/// What a relay signs when an entry is on its disk: the chain ends in `head` after `entry`, which
/// stands at `sequence` (spec: CHN-012).
pub fn entry_receipt(
    relay: &RelayId,
    channel: &ChannelId,
    epoch: &EpochId,
    sequence: Sequence,
    head: &ChainHead,
) -> Transcript {
    Transcript::new(Label::EntryReceipt)
        .fixed(relay)
        .fixed(channel)
        .fixed(epoch)
        .integer(sequence.0)
        .fixed(head)
}

/// What a relay signs when an inbox item is on its disk (spec: INB-006).
pub fn item_receipt(relay: &RelayId, inbox: &InboxId, item: &ItemId) -> Transcript {
    Transcript::new(Label::ItemReceipt).fixed(relay).fixed(inbox).fixed(item)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_are_short_and_distinct() {
        // spec: WIRE-020
        let texts: HashSet<_> = Label::ALL.iter().map(|label| label.text()).collect();
        assert_eq!(texts.len(), Label::ALL.len());
        assert!(Label::ALL.iter().all(|label| label.text().len() < 256));
    }

    #[test]
    fn a_key_has_one_encoding() {
        // spec: WIRE-021
        // y = 3 is on the curve and has no small order; 3 + 2^255 - 19 names the same point.
        let mut canonical = [0; 32];
        canonical[0] = 3;
        let mut other = [0xff; 32];
        (other[0], other[31]) = (0xf0, 0x7f);
        for (bytes, expected) in [(canonical, true), (other, false)] {
            assert!(VerifyingKey::from_bytes(&bytes).is_ok_and(|key| !key.is_weak()));
            assert_eq!(is_canonical(&PublicKey::from_bytes(bytes)), expected);
        }
    }

    #[test]
    fn a_changed_field_changes_the_entry_id() {
        // spec: CHN-003
        let (channel, epoch) = (ChannelId::from_bytes([1; 32]), EpochId::from_bytes([2; 32]));
        let content = content_hash(b"sealed");
        let mark = CommitMark {
            next_key: PublicKey::from_bytes([3; 32]),
            cut: Cut::Through,
            contested: vec![],
        };
        let operations = [
            Operation::Message,
            Operation::Note,
            Operation::Commit(mark.clone()),
            Operation::Commit(CommitMark { cut: Cut::Cut, ..mark.clone() }),
            Operation::Commit(CommitMark { contested: vec![EntryId::from_bytes([4; 32])], ..mark }),
        ];
        let ids: HashSet<_> =
            operations.iter().map(|op| entry_id(&channel, &epoch, op, &content)).collect();
        assert_eq!(ids.len(), operations.len());
        let bindings: HashSet<_> =
            operations.iter().map(|op| envelope_binding(&channel, &epoch, op)).collect();
        assert_eq!(bindings.len(), operations.len());
    }
}
