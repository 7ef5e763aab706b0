//! What goes between the engine and its driver: the only way in and out.
//!
//! The driver connects, sends, reads and writes files, and watches the clock; it decides nothing.
//!
//! ```text
//! driver ─Input▶ Engine ─Output▶ driver
//! ```

use bytes::Bytes;
use hushwire_protocol::address::RelayAddress;
use hushwire_wire::{
    frame::{AnswerFrame, RequestFrame},
    id::Timestamp,
};

use crate::{record::TransferNumber, session::SessionNumber};

/// What the driver tells the engine.
#[derive(Debug)]
pub enum Input {
    /// A connection is there, with the pinned key.
    Connected(SessionNumber),
    /// A frame came.
    Frame(SessionNumber, AnswerFrame),
    /// A connection is gone, or could not be made.
    Disconnected(SessionNumber, Disconnect),
    /// A file that is to be sent was opened.
    FileOpened {
        /// Which transfer.
        transfer: TransferNumber,
        /// Its length in bytes.
        length: u64,
    },
    /// A part of a file was read: exactly what was asked for.
    FileRead {
        /// Which transfer.
        transfer: TransferNumber,
        /// First byte.
        offset: u64,
        /// The bytes.
        content: Bytes,
    },
    /// A part of a file was written, and will survive a crash of this process.
    FileWritten {
        /// Which transfer.
        transfer: TransferNumber,
        /// First byte.
        offset: u64,
    },
    /// The file was put in its place.
    FileFinished {
        /// Which transfer.
        transfer: TransferNumber,
    },
    /// A file could not be read or written.
    FileFailed {
        /// Which transfer.
        transfer: TransferNumber,
        /// Why.
        reason: FileFailure,
    },
    /// The time that [`crate::engine::Engine::poll_timeout`] named has come.
    Timeout,
}

/// Why a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// The network, the relay, or its absence.
    Network,
    /// The relay showed another key than the pinned one.
    KeyMismatch,
    /// The relay sent what is no frame.
    Garbage,
}

/// Why a file could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFailure {
    /// It is gone, or shorter or other than before.
    Changed,
    /// It cannot be opened, read or written.
    NotAccessible,
    /// Something else has the name that it is to have.
    Exists,
    /// The folder that it is to be in is not there.
    FolderMissing,
    /// No space is left.
    DiskFull,
}

/// An unfinished file: it stands beside its target under a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPlace {
    /// The path that it will have.
    pub target: String,
    /// What its name is made of until then.
    pub tag: PartTag,
}

/// The random part of an unfinished file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartTag(pub [u8; 12]);

/// Which of a connection's streams a frame takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The session's own.
    Session,
    /// One for blobs, so that a file does not hold up messages.
    Blobs,
}

/// What the engine asks of its driver.
#[derive(Debug)]
pub enum Output {
    /// Connect, and pin the key that the address names.
    Connect {
        /// The session.
        session: SessionNumber,
        /// Where.
        relay: RelayAddress,
    },
    /// Send a frame. Frames of a lane keep their order.
    Send {
        /// The session.
        session: SessionNumber,
        /// Which stream.
        lane: Lane,
        /// The frame.
        frame: RequestFrame,
    },
    /// Close the connection.
    Close(SessionNumber),
    /// Open a file that is to be sent, and say how long it is. It stays open until
    /// [`Output::CloseFile`], so that a change is noticed.
    OpenFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// Where it is.
        path: String,
    },
    /// Read a part of the file that was opened.
    ReadFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u32,
    },
    /// Read a part of an unfinished file; answered by [`Input::FileRead`].
    ReadPart {
        /// Which transfer.
        transfer: TransferNumber,
        /// The unfinished file.
        part: PartPlace,
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u32,
    },
    /// Write a part of an unfinished file.
    WriteFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// The unfinished file.
        part: PartPlace,
        /// First byte.
        offset: u64,
        /// The bytes.
        content: Bytes,
    },
    /// Sync an unfinished file and put it in its place, where it replaces nothing. Asked again after
    /// a crash: when it is in its place already, that is what was asked for.
    FinishFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// The unfinished file.
        part: PartPlace,
        /// Its length in bytes.
        size: u64,
    },
    /// Remove an unfinished file, if there is one. Nothing is answered.
    DiscardFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// The unfinished file.
        part: PartPlace,
    },
    /// What is open for a transfer is not needed now. Nothing is answered.
    CloseFile {
        /// Which transfer.
        transfer: TransferNumber,
    },
    /// Events were added.
    Events,
    /// Something that is not an event changed: progress, the state of a relay.
    StatusChanged,
}

/// When the engine wants to be called without input.
pub type Deadline = Option<Timestamp>;
