//! Bytes into [`Request`] and [`Answer`], and back.
//!
//! A frame passes three gates, each of which refuses by name:
//!
//! ```text
//! stream ─▶ Splitter ─▶ shape ─▶ decode_request / decode_answer ─▶ Request / Answer
//!           length       one valid    lengths, counts, choices,
//!           bound        encoding     reserved fields
//! ```
//!
//! The shape is checked before the protobuf decoder runs, over tables that the build writes from
//! `proto/wire.proto`. Decoding copies ids and slices everything else out of the frame
//! (spec: WIRE-008).

mod answer_in;
mod answer_out;
mod entry;
mod fault;
mod field;
mod request_in;
mod request_out;
mod shape;
mod splitter;

pub use answer_in::decode_answer;
pub use answer_out::encode_answer;
pub use fault::{Fault, FrameError, SessionAfter};
pub use request_in::decode_request;
pub use request_out::encode_request;
pub use splitter::{PREFIX_BYTES, Splitter};

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::message::{Answer, Request, RequestId};

/// What prost makes of `proto/wire.proto`. Private: nothing of it leaves this module.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated")]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/hushwire.v1.rs"));
}

/// A request with the id its answers will carry.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestFrame {
    /// 0 for the hello, and only for it (spec: WIRE-004).
    pub id: RequestId,
    /// What is asked.
    pub request: Request,
}

/// An answer with the id of the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerFrame {
    /// The request; 0 for the hello, for a refused frame whose id could not be read, and for an
    /// error that ends the session.
    pub id: RequestId,
    /// What is said.
    pub answer: Answer,
}

/// Writes the length prefix and the message (spec: WIRE-003).
fn with_prefix(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES.saturating_add(length));
    // A message of 4 GiB does not fit in memory beside its parts; its peer would refuse the prefix.
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.put(message.encode_to_vec().as_slice());
    frame.freeze()
}
