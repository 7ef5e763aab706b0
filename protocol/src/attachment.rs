//! Files as blobs: sealed chunk by chunk, resumable in both directions, padded, hash-checked.
//!
//! ```text
//! file ─ranges▶ Sealer ─256 KiB chunks▶ relay ─256 KiB chunks▶ Opener ─ranges▶ file
//!                 └─▶ ContentHash ─▶ Attachment ─(in a message)─▶ Opener
//! ```
//!
//! The driver reads and writes files and chunks; this module names the ranges and turns one buffer at
//! a time into the other, so nothing ever holds a whole file. Sealed chunks have the length of the
//! relay's chunks, so one is one transfer and the place of each is known from the file's length.
//!
//! The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015) as the C2SP
//! chunked-encryption document profiles it, over AES-256-GCM-SIV (RFC 8452) instead of a nonce-based
//! AEAD: an interrupted upload seals its chunks again, from a file that may have changed meanwhile,
//! and only a misuse-resistant AEAD makes that harmless. Normative text: `spec/attachments.md`.

mod cipher;
mod file_name;
mod key;
mod layout;
mod opener;
mod reference;
mod sealed_blob;
mod sealer;

pub use cipher::ChunkCipher;
pub use file_name::safe_file_name;
pub use key::FileKey;
pub use layout::{ChunkIndex, FILE_BYTES_MAX, FileLength, FileRange, Layout, SEALED_CHUNK_BYTES};
pub use opener::Opener;
pub use reference::{ALGORITHM_CHUNKED, Attachment};
pub use sealed_blob::{BlobSeal, SealedBlob, open_blob, seal_blob};
pub use sealer::{Checkpoint, Sealer};

/// Why an attachment cannot be sealed, opened or described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachmentError {
    /// Peer: a field of the attachment's part is not as `spec/attachments.md` has it.
    #[error("a field of the attachment is not valid")]
    BadField,
    /// Peer or caller: the file is longer than a blob can hold.
    #[error("the file is too long")]
    TooLong,
    /// Peer: a sealed chunk has not the length of its place.
    #[error("a chunk has a wrong length")]
    WrongLength,
    /// Peer: a chunk does not open: it is damaged, misplaced, or of another file, length or key.
    #[error("a chunk does not open")]
    NotAuthentic,
    /// Peer: what follows the file in its last chunks is not zero.
    #[error("the padding is not zero")]
    BadPadding,
    /// Peer: the chunks that came have another hash than the message says.
    #[error("the hash is wrong")]
    WrongHash,
    /// Local: the file is not the one that the earlier part of the upload was sealed from.
    #[error("the file has changed")]
    SourceChanged,
    /// Caller: the chunk lies beyond the end, or not all chunks were handled.
    #[error("the chunks were not handled in order and to the end")]
    OutOfOrder,
}

impl AttachmentError {
    /// The stable name, as vectors have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadField => "BAD_FIELD",
            Self::TooLong => "TOO_LONG",
            Self::WrongLength => "WRONG_LENGTH",
            Self::NotAuthentic => "NOT_AUTHENTIC",
            Self::BadPadding => "BAD_PADDING",
            Self::WrongHash => "WRONG_HASH",
            Self::SourceChanged => "SOURCE_CHANGED",
            Self::OutOfOrder => "OUT_OF_ORDER",
        }
    }
}
