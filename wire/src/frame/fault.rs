//! What can be wrong with a frame, and the error code that says so.

use crate::{error::Code, message::RequestId};

/// Why a frame was refused. Carries names of fields and lengths, never their content
/// (spec: WIRE-011).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The length prefix is above the bound.
    #[error("the frame is longer than {max} bytes")]
    Oversized {
        /// The bound, in bytes.
        max: u32,
    },
    /// The length prefix is 0.
    #[error("the frame is empty")]
    Empty,
    /// The stream ended inside a frame, or a field reaches past the end of what holds it.
    #[error("the bytes end inside a field")]
    Truncated,
    /// A varint has more bytes than it needs, or more than 64 bits.
    #[error("a varint is not the shortest")]
    Varint,
    /// A field number is 0 or above 2^29 - 1.
    #[error("a field number is out of range")]
    FieldNumber,
    /// A group, a wire type that does not exist, or another one than the field has.
    #[error("a field has a wrong wire type")]
    WireType,
    /// A field number is not above the one before it: a repeated field, or another order.
    #[error("the fields are not in ascending order")]
    FieldOrder,
    /// An integer is larger than its field holds.
    #[error("an integer is out of range")]
    IntegerRange,
    /// No operation or answer is there.
    #[error("the frame says nothing")]
    NoOperation,
    /// More than one operation or answer is there.
    #[error("the frame says more than one thing")]
    SeveralOperations,
    /// The operation or answer is not part of this version.
    #[error("the operation is unknown")]
    UnknownOperation,
    /// A field that version 1 reserves is set.
    #[error("the reserved field {field} is set")]
    Reserved {
        /// The field.
        field: &'static str,
    },
    /// The request id is 0 outside the hello, or not 0 in the hello.
    #[error("the request id does not fit the operation")]
    RequestId,
    /// A field is not there, or is empty, that has to be there.
    #[error("the field {field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field has not the length that its type fixes.
    #[error("the field {field} has {actual} bytes, not {expected}")]
    WrongLength {
        /// The field.
        field: &'static str,
        /// The length that the type fixes, in bytes.
        expected: usize,
        /// The length that came, in bytes.
        actual: usize,
    },
    /// The length of a list of ids is no multiple of the length of one.
    #[error("the list {field} does not hold whole ids")]
    WrongCount {
        /// The field.
        field: &'static str,
    },
    /// Two fields are there of which only one may be.
    #[error("the field {field} may not stand beside its alternative")]
    Conflict {
        /// The second of them.
        field: &'static str,
    },
    /// The protobuf decoder refused what the shape let through. Not known to happen.
    #[error("the message cannot be decoded")]
    Undecodable,
}

impl Fault {
    /// The error code that a relay answers with (spec: WIRE-007).
    pub const fn code(self) -> Code {
        match self {
            Self::Oversized { .. } => Code::FrameTooLarge,
            Self::UnknownOperation | Self::Reserved { .. } => Code::Unsupported,
            Self::Empty
            | Self::Truncated
            | Self::Varint
            | Self::FieldNumber
            | Self::WireType
            | Self::FieldOrder
            | Self::IntegerRange
            | Self::NoOperation
            | Self::SeveralOperations
            | Self::RequestId
            | Self::Missing { .. }
            | Self::WrongLength { .. }
            | Self::WrongCount { .. }
            | Self::Conflict { .. }
            | Self::Undecodable => Code::MalformedFrame,
        }
    }
}

/// A refused frame, with the request id as far as it could be read, so that the refusal can be
/// answered where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{fault}")]
pub struct FrameError {
    /// The id of the request, if the frame was sound as far as that field.
    pub request: Option<RequestId>,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

impl FrameError {
    /// The error code that a relay answers with.
    pub const fn code(self) -> Code {
        self.fault.code()
    }

    /// Whether the session can go on after the refusal (spec: WIRE-007).
    pub const fn session(self) -> SessionAfter {
        match self.code() {
            Code::Unsupported => SessionAfter::GoesOn,
            _ => SessionAfter::Ends,
        }
    }
}

/// What becomes of a session when a frame has been refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAfter {
    /// The frame was sound but not supported; the next one is read.
    GoesOn,
    /// The stream cannot be trusted any more; it is closed after the refusal was sent.
    Ends,
}
