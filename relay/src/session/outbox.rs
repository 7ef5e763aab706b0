//! Frames that wait for their client to take them.

use std::collections::VecDeque;

use bytes::Bytes;
use quinn::{SendStream, WriteError};

/// From so many bytes on nothing more is read for this client: neither its requests nor from the
/// store. What stands here is at most this, one read of the store, and the answers under way.
pub(super) const SATURATED_BYTES: usize = 64 * 1024;

/// Encoded frames, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Outbox {
    /// Adds an encoded frame.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes = self.bytes.saturating_add(frame.len());
        self.frames.push_back(frame);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the client should take some before more is made.
    pub(super) const fn is_saturated(&self) -> bool {
        self.bytes >= SATURATED_BYTES
    }

    /// Writes as much as flow control lets through, waiting until it is something. May be dropped
    /// and called again without loss.
    pub(super) async fn write_to(&mut self, stream: &mut SendStream) -> Result<(), WriteError> {
        let written = stream.write_chunks(self.frames.make_contiguous()).await?;
        self.bytes = self.bytes.saturating_sub(written.bytes);
        self.frames.drain(..written.chunks);
        if self.frames.is_empty() {
            // A burst is over; do not keep its room.
            self.frames.shrink_to(16);
        }
        Ok(())
    }
}
