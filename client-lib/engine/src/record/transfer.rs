//! Files that go up or come down: what of a transfer outlives the process.

use hushwire_wire::id::ChannelId;
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
    /// The wish that it serves; builds of store version 1 called it an intent (spec: CLI-133).
    #[serde(alias = "intent")]
    pub(crate) wish: u64,
    pub(crate) chat: ChatNumber,
    pub(crate) message: MessageNumber,
    /// Whose relay keeps the blob.
    #[serde(with = "id")]
    pub(crate) channel: ChannelId,
    pub(crate) relay: String,
    /// The file's path, or the path it will have.
    pub(crate) path: String,
    pub(crate) direction: Direction,
}

impl Record for TransferRecord {
    const TABLE: Table = Table::Transfer;
}

/// Which way, and how far.
#[derive(Serialize, Deserialize)]
pub(crate) enum Direction {
    Up(UploadRecord),
    Down(DownloadRecord),
}

/// How far an upload is.
#[derive(Serialize, Deserialize)]
pub(crate) struct UploadRecord {
    /// Names the blob, and may write it.
    pub(crate) upload_key: SecretBytes,
    pub(crate) file_key: SecretBytes,
    /// The file's length in bytes when it was opened first.
    pub(crate) length: Option<u64>,
    /// Stored before the chunk that it counts is sent.
    pub(crate) checkpoint: Option<serde_bytes::ByteArray<36>>,
    /// Bytes of the blob that the relay is known to have, for people to see.
    pub(crate) stored: u64,
}

/// How far a download is.
#[derive(Serialize, Deserialize)]
pub(crate) struct DownloadRecord {
    /// Names the unfinished file.
    pub(crate) tag: serde_bytes::ByteArray<12>,
    /// Chunks whose content was written.
    pub(crate) chunks: u32,
    /// Bytes that they hold.
    pub(crate) bytes: u64,
    /// The whole is there, and its hash was right: only its name is missing.
    pub(crate) checked: bool,
}
