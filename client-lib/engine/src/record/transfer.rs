//! Files that go up or come down.

use hushwire_wire::id::BlobId;
use serde::{Deserialize, Serialize};

use super::{Record, SecretBytes, id};
use crate::{
    command::{ChatNumber, MessageNumber},
    store::Table,
};

/// The number of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferNumber(pub u64);

/// A transfer. Key: number.
#[derive(Serialize, Deserialize)]
pub(crate) struct TransferRecord {
    pub(crate) direction: Direction,
    pub(crate) chat: ChatNumber,
    pub(crate) message: MessageNumber,
    pub(crate) relay: String,
    pub(crate) path: String,
    #[serde(with = "id")]
    pub(crate) blob: BlobId,
    /// For an upload: the secret that may upload it.
    pub(crate) upload_key: Option<SecretBytes>,
    /// The attachment's key and description, as the protocol crate writes them.
    pub(crate) attachment: SecretBytes,
    /// Bytes of the blob.
    pub(crate) size: u64,
    /// Bytes of the blob that are there.
    pub(crate) done: u64,
}

impl Record for TransferRecord {
    const TABLE: Table = Table::Transfer;
}

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Direction {
    Up,
    Down,
}
