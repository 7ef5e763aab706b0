//! What a relay says.

use bytes::Bytes;

use crate::{
    error::Refusal,
    id::{
        CapabilityId, ChainHead, EntryId, EpochId, ItemId, Nonce, PublicKey, Sequence, Signature,
        Timestamp,
    },
    transcript::Operation,
};

use super::{Content, Follow, Handle, PackageKind};

/// What a relay says: the answer to a request, or a part of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// To [`super::Request::Hello`].
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
    /// To [`super::Request::ChannelCreate`] and [`super::Request::ChannelOpen`].
    ChannelOpened(ChannelOpened),
    /// To [`super::Request::Append`]: the entry is on disk.
    Appended(Appended),
    /// An entry of a reading.
    Entry(Entry),
    /// A reading has everything of this epoch so far.
    EpochEnd(EpochEnd),
    /// A reading has caught up, or is over.
    ReadEnd(Follow),
    /// To [`super::Request::InboxOpen`].
    InboxOpened {
        /// Stands for it in this session.
        handle: Handle,
        /// The first item that this slot has not passed.
        cursor: Sequence,
        /// Where the next item goes.
        next: Sequence,
    },
    /// An item of a reading.
    InboxItem(InboxItem),
    /// To [`super::Request::ShelfStatus`] and [`super::Request::ShelfPut`].
    ShelfState {
        /// How many single-use packages there are.
        packages: u64,
        /// Whether there is a last-resort package.
        last_resort: PackageKindsPresent,
    },
    /// To [`super::Request::InboxSend`]: the item is on disk.
    InboxSent {
        /// The id of the item.
        item: ItemId,
        /// The relay's, over [`crate::transcript::item_receipt`].
        signature: Signature,
        /// Whether it was stored before.
        repeated: Repeated,
    },
    /// To [`super::Request::CardFetch`].
    Card {
        /// The sealed card; may be empty.
        card: Bytes,
        /// The sealed device list; empty if there is none.
        device_list: Bytes,
    },
    /// To [`super::Request::ShelfTake`].
    KeyPackage {
        /// The sealed key package.
        package: Bytes,
        /// What the package is for.
        kind: PackageKind,
    },
    /// To the blob requests.
    BlobState {
        /// Its whole length, in bytes.
        size: u64,
        /// How much is on disk, from the start without a gap, in bytes.
        stored: u64,
    },
    /// A chunk of a [`super::Request::BlobRead`].
    BlobChunk {
        /// Where it starts in the blob, in bytes.
        offset: u64,
        /// The bytes.
        content: Bytes,
    },
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
    Whole {
        /// The sealed bytes.
        content: Content,
        /// A message, or a commit with its mark.
        operation: Operation,
    },
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
