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
    /// A part of a file was read: exactly what was asked for.
    FileRead {
        /// Which transfer.
        transfer: TransferNumber,
        /// The bytes.
        content: Bytes,
    },
    /// A part of a file was written, and will survive a crash of this process.
    FileWritten {
        /// Which transfer.
        transfer: TransferNumber,
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
    /// No space is left.
    DiskFull,
}

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
    /// Read a part of a file.
    ReadFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// Where it is.
        path: String,
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// Write a part of a file that is not in its place yet.
    WriteFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// Where it will be.
        path: String,
        /// First byte.
        offset: u64,
        /// The bytes.
        content: Bytes,
    },
    /// Put a written file in its place; it replaces nothing.
    FinishFile {
        /// Which transfer.
        transfer: TransferNumber,
        /// Where it will be.
        path: String,
        /// Its length.
        size: u64,
    },
    /// Events were added.
    Events,
    /// Something that is not an event changed: progress, the state of a relay.
    StatusChanged,
}

/// When the engine wants to be called without input.
pub type Deadline = Option<Timestamp>;
