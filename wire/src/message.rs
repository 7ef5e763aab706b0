//! What the frames say, as types: every id has its length, every choice is an enum.
//!
//! [`crate::frame`] turns bytes into these and back. A value of these types is well-formed by
//! itself; whether it is allowed is for the relay's rules.

use bytes::Bytes;

use crate::{
    error::Refusal,
    id::{
        BlobId, CapabilityId, CapabilitySecret, ChainHead, ChannelId, ContentHash, EntryId,
        EpochId, InboxId, ItemId, Nonce, PublicKey, Sequence, Signature, SlotId, Timestamp,
        UploadKey,
    },
    transcript::{CommitMark, Operation},
    version::VersionRange,
};

/// Names a request in its answers; a client counts up from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl RequestId {
    /// The id of the hello, and of nothing else (spec: WIRE-004).
    pub const HELLO: Self = Self(0);
}

/// Stands for an opened channel epoch or inbox within one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u64);

/// Whether a reading goes on with what comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// It ends when it has caught up.
    UntilEnd,
    /// It goes on until it is stopped.
    Onward,
}

impl Follow {
    pub(crate) const fn from_flag(flag: bool) -> Self {
        if flag { Self::Onward } else { Self::UntilEnd }
    }

    pub(crate) const fn to_flag(self) -> bool {
        matches!(self, Self::Onward)
    }
}

/// What a client asks: one frame.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// First frame of a session.
    Hello(Hello),
    /// Asks for a [`Answer::Done`]; keeps the session alive.
    Ping,
    /// Ends the reading that this request began.
    Stop(RequestId),
    /// Creates a channel with its first epoch, and opens it there.
    ChannelCreate { channel: ChannelId, epoch_key: PublicKey, nonce: Nonce, signature: Signature },
    /// Opens a channel at an epoch.
    ChannelOpen { channel: ChannelId, epoch: EpochId, signature: Signature },
    /// Gives up a handle and its readings.
    ChannelClose(Handle),
    /// Adds an entry to the handle's epoch.
    Append { handle: Handle, content: Content, operation: Operation },
    /// Reads an epoch and what was opened from it without cut.
    ChannelRead { handle: Handle, epoch: EpochId, from: Sequence, follow: Follow },
    /// Creates an inbox.
    InboxCreate { inbox: InboxId, owner_key: PublicKey, signature: Signature },
    /// Opens an inbox as one of its owner's devices.
    InboxOpen { inbox: InboxId, slot: SlotId, signature: Signature },
    /// Replaces the owner key.
    InboxRotate { handle: Handle, next_owner_key: PublicKey, signature: Signature },
    /// Reads items.
    InboxRead { handle: Handle, from: Sequence, follow: Follow },
    /// Says that this slot is done with everything before `cursor`.
    InboxAdvance { handle: Handle, cursor: Sequence },
    /// Creates or replaces a write capability.
    CapabilityPut {
        handle: Handle,
        capability: CapabilityId,
        /// `None`: no such bound.
        items_max: Option<u64>,
        /// `None`: never.
        expires_at: Option<Timestamp>,
        card: Bytes,
    },
    /// Removes a write capability.
    CapabilityRevoke { handle: Handle, capability: CapabilityId },
    /// Removes a device's slot: its cursor and its shelf.
    SlotDrop { handle: Handle, slot: SlotId },
    /// Puts a sealed key package on the shelf of the handle's slot.
    ShelfPut { handle: Handle, package: Bytes, kind: PackageKind, before: ShelfBefore },
    /// Asks what is on the shelf of the handle's slot.
    ShelfStatus(Handle),
    /// Replaces the sealed device list.
    DeviceListPut { handle: Handle, device_list: Bytes },
    /// Writes an item to somebody's inbox.
    InboxSend { inbox: InboxId, secret: CapabilitySecret, item: Bytes },
    /// Fetches the card of a capability, and the device list.
    CardFetch { inbox: InboxId, secret: CapabilitySecret },
    /// Takes one key package of a device.
    ShelfTake { inbox: InboxId, secret: CapabilitySecret, slot: SlotId },
    /// Begins a blob, or finds out how much of it is stored.
    BlobCreate { key: UploadKey, size: u64 },
    /// Adds a chunk where the stored part ends.
    BlobWrite { key: UploadKey, offset: u64, content: Bytes },
    /// Asks how much of a blob is stored.
    BlobStat(BlobId),
    /// Reads a range of a complete blob.
    BlobRead { blob: BlobId, offset: u64, length: u64 },
    /// Deletes a blob.
    BlobDelete(UploadKey),
}

/// First frame of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What the client speaks.
    pub versions: VersionRange,
    /// Fresh and random.
    pub nonce: Nonce,
    /// Reserved bits; 0 in version 1.
    pub capabilities: u64,
}

/// Where the sealed bytes of an entry are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// In the entry.
    Inline(Bytes),
    /// In a blob, uploaded before.
    Blob(BlobReference),
}

/// Names a blob and what must be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobReference {
    /// The blob.
    pub blob: BlobId,
    /// SHA-256 of its bytes.
    pub content_hash: ContentHash,
    /// Its length in bytes.
    pub size: u64,
}

impl Content {
    /// SHA-256 of the sealed bytes.
    pub fn hash(&self) -> ContentHash {
        match self {
            Self::Inline(bytes) => crate::transcript::content_hash(bytes),
            Self::Blob(reference) => reference.content_hash,
        }
    }
}

/// What a key package on a shelf is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageKind {
    /// Handed out once.
    Single,
    /// Handed out, again and again, when no single one is left.
    LastResort,
}

impl PackageKind {
    pub(crate) const fn from_flag(flag: bool) -> Self {
        if flag { Self::LastResort } else { Self::Single }
    }

    pub(crate) const fn to_flag(self) -> bool {
        matches!(self, Self::LastResort)
    }
}

/// What happens to the packages that were on the shelf before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShelfBefore {
    /// They stay.
    Keep,
    /// They are dropped, in one step with the put.
    Clear,
}

/// What a relay says: the answer to a request, or a part of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Request::Hello`].
    Hello(HelloReply),
    /// Done, nothing to say.
    Done,
    /// Refused; nothing was changed.
    Refused(Refusal),
    /// Refused with a code that this version does not know (spec: WIRE-051).
    RefusedUnknown {
        /// The number on the wire.
        number: u32,
        /// When trying again may help, in milliseconds; 0 says nothing.
        retry_after_ms: u64,
    },
    /// To [`Request::ChannelCreate`] and [`Request::ChannelOpen`].
    ChannelOpened(ChannelOpened),
    /// To [`Request::Append`]: the entry is on disk.
    Appended(Appended),
    /// An entry of a reading.
    Entry(Entry),
    /// A reading has everything of this epoch so far.
    EpochEnd(EpochEnd),
    /// A reading has caught up, or is over.
    ReadEnd(Follow),
    /// To [`Request::InboxOpen`].
    InboxOpened { handle: Handle, cursor: Sequence, next: Sequence },
    /// An item of a reading.
    InboxItem(InboxItem),
    /// To [`Request::ShelfStatus`] and [`Request::ShelfPut`].
    ShelfState { packages: u64, last_resort: PackageKindsPresent },
    /// To [`Request::InboxSend`]: the item is on disk.
    InboxSent { item: ItemId, signature: Signature, repeated: Repeated },
    /// To [`Request::CardFetch`].
    Card { card: Bytes, device_list: Bytes },
    /// To [`Request::ShelfTake`].
    KeyPackage { package: Bytes, kind: PackageKind },
    /// To the blob requests.
    BlobState { size: u64, stored: u64 },
    /// A chunk of a [`Request::BlobRead`].
    BlobChunk { offset: u64, content: Bytes },
}

/// Whether a shelf has a last-resort package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageKindsPresent {
    /// Single-use packages at most.
    SingleOnly,
    /// A last-resort package too.
    WithLastResort,
}

impl PackageKindsPresent {
    pub(crate) const fn from_flag(flag: bool) -> Self {
        if flag { Self::WithLastResort } else { Self::SingleOnly }
    }

    pub(crate) const fn to_flag(self) -> bool {
        matches!(self, Self::WithLastResort)
    }
}

/// Whether the relay had stored the same thing before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// Stored by this request.
    First,
    /// Stored before; this is the first result again.
    Again,
}

impl Repeated {
    pub(crate) const fn from_flag(flag: bool) -> Self {
        if flag { Self::Again } else { Self::First }
    }

    pub(crate) const fn to_flag(self) -> bool {
        matches!(self, Self::Again)
    }
}

/// The relay's side of the hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloReply {
    /// The agreed version.
    pub version: u16,
    /// The relay's key; its hash is what clients pin.
    pub relay_key: PublicKey,
    /// Fresh and random.
    pub nonce: Nonce,
    /// Reserved bits.
    pub capabilities: u64,
    /// The relay's clock. Shown, never trusted.
    pub time: Timestamp,
    /// Longest envelope that stands in an entry itself.
    pub entry_inline_bytes_max: u64,
    /// Longest blob.
    pub blob_bytes_max: u64,
    /// Length of a blob's chunks.
    pub blob_chunk_bytes: u64,
    /// Requests that may wait for an answer.
    pub requests_in_flight_max: u64,
    /// How long messages are kept, in milliseconds.
    pub message_retention_ms: u64,
}

/// A channel is open at an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelOpened {
    /// Stands for it in this session.
    pub handle: Handle,
    /// The epoch.
    pub epoch: EpochId,
    /// Where the next entry goes.
    pub next: Sequence,
    /// The head of its chain.
    pub head: ChainHead,
    /// Its commits, in relay order.
    pub candidates: Vec<EntryId>,
    /// The other children of its parent, in relay order.
    pub siblings: Vec<EntryId>,
}

/// An entry is on disk: the fields of the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The entry.
    pub entry: EntryId,
    /// Its place.
    pub sequence: Sequence,
    /// The chain's head after it.
    pub head: ChainHead,
    /// The relay's signature over [`crate::transcript::entry_receipt`].
    pub signature: Signature,
    /// Whether it was there before.
    pub repeated: Repeated,
}

/// An entry as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The epoch it stands in.
    pub epoch: EpochId,
    /// Its place there.
    pub sequence: Sequence,
    /// What is left of it.
    pub body: EntryBody,
    /// When the relay stored it. Shown, never trusted.
    pub stored_at: Timestamp,
}

/// What is left of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryBody {
    /// All.
    Whole { content: Content, operation: Operation },
    /// Its id: the content has expired.
    Expired(EntryId),
}

/// The end of an epoch, as far as a reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: EpochId,
    /// Where the next entry will go.
    pub next: Sequence,
    /// The chain's head.
    pub head: ChainHead,
    /// The relay's receipt for the last entry; `None` in an empty epoch.
    pub signature: Option<Signature>,
}

/// An inbox item as its owner reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// Its place.
    pub sequence: Sequence,
    /// The sealed bytes.
    pub item: Bytes,
    /// What it was written with.
    pub capability: CapabilityId,
    /// When the relay stored it. Shown, never trusted.
    pub stored_at: Timestamp,
}

impl From<CommitMark> for Operation {
    fn from(mark: CommitMark) -> Self {
        Self::Commit(mark)
    }
}
