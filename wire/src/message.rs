//! What the frames say, as types: every id has its length, every choice is an enum.
//!
//! [`crate::frame`] turns bytes into these and back. A value of these types is well-formed by
//! itself; whether it is allowed is for the relay's rules.

mod answer;
mod request;

pub use answer::{
    Answer, Appended, ChannelOpened, Entry, EntryBody, EpochEnd, HelloReply, InboxItem,
    PackageKindsPresent, Repeated,
};
pub use request::{Hello, Request};

use bytes::Bytes;

use crate::{
    id::{BlobId, ContentHash},
    transcript::{CommitMark, Operation},
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

impl From<CommitMark> for Operation {
    fn from(mark: CommitMark) -> Self {
        Self::Commit(mark)
    }
}
