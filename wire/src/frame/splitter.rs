//! A stream of bytes into frames, within a bound.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::limit::Limits;

use super::fault::{Fault, FrameError};

/// Length of the length prefix (spec: WIRE-003).
pub const PREFIX_BYTES: usize = 4;

/// Cuts a stream into frames, sans-IO: feed what came, then drain [`Splitter::next_frame`].
///
/// It holds one unfinished frame, never longer than the bound, and the whole frames of what was fed
/// since the last drain. Memory is taken as bytes come, not as a prefix announces them.
#[derive(Debug)]
pub struct Splitter {
    frame_bytes_max: u32,
    stage: Stage,
    whole: VecDeque<Bytes>,
}

#[derive(Debug)]
enum Stage {
    /// In the prefix: its value so far and how many of its bytes have come.
    Prefix { value: u32, bytes: usize },
    /// In the frame: what has come, and how much is due.
    Frame { content: BytesMut, due: usize },
    /// A prefix was refused; the rest of the stream means nothing.
    Refused(Fault),
}

impl Stage {
    const START: Self = Self::Prefix { value: 0, bytes: 0 };
}

impl Splitter {
    /// A splitter at the start of a stream.
    pub const fn new(limits: &Limits) -> Self {
        Self {
            frame_bytes_max: limits.frame_bytes_max,
            stage: Stage::START,
            whole: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, input: &[u8]) {
        let mut rest = input;
        while !rest.is_empty() {
            let stage = std::mem::replace(&mut self.stage, Stage::START);
            self.stage = match stage {
                Stage::Prefix { value, bytes } => self.feed_prefix(value, bytes, &mut rest),
                Stage::Frame { content, due } => self.feed_frame(content, due, &mut rest),
                Stage::Refused(fault) => {
                    rest = &[];
                    Stage::Refused(fault)
                }
            };
        }
    }

    /// The next whole frame, without its prefix; `None` until more is fed.
    ///
    /// # Errors
    /// [`Fault::Oversized`] or [`Fault::Empty`] once the frames before a refused prefix are drained;
    /// the same from then on (spec: WIRE-003).
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(frame) = self.whole.pop_front() {
            return Ok(Some(frame));
        }
        match self.stage {
            Stage::Refused(fault) => Err(FrameError { request: None, fault }),
            Stage::Prefix { .. } | Stage::Frame { .. } => Ok(None),
        }
    }

    /// Says that the stream has ended. Drain the frames first.
    ///
    /// # Errors
    /// [`Fault::Truncated`] if it ended inside a frame.
    pub fn finish(self) -> Result<(), FrameError> {
        let fault = match self.stage {
            Stage::Prefix { bytes: 0, .. } => return Ok(()),
            Stage::Prefix { .. } | Stage::Frame { .. } => Fault::Truncated,
            Stage::Refused(fault) => fault,
        };
        Err(FrameError { request: None, fault })
    }

    fn feed_prefix(&self, value: u32, bytes: usize, rest: &mut &[u8]) -> Stage {
        let Some((&byte, behind)) = rest.split_first() else {
            return Stage::Prefix { value, bytes };
        };
        *rest = behind;
        let value = value << 8 | u32::from(byte);
        if bytes.saturating_add(1) < PREFIX_BYTES {
            return Stage::Prefix { value, bytes: bytes.saturating_add(1) };
        }
        match usize::try_from(value) {
            Ok(0) => Stage::Refused(Fault::Empty),
            Ok(due) if value <= self.frame_bytes_max => {
                Stage::Frame { content: BytesMut::new(), due }
            }
            _ => Stage::Refused(Fault::Oversized { max: self.frame_bytes_max }),
        }
    }

    fn feed_frame(&mut self, mut content: BytesMut, due: usize, rest: &mut &[u8]) -> Stage {
        let (taken, behind) = rest.split_at(due.min(rest.len()));
        *rest = behind;
        content.extend_from_slice(taken);
        let due = due.saturating_sub(taken.len());
        if due > 0 {
            return Stage::Frame { content, due };
        }
        self.whole.push_back(content.freeze());
        Stage::START
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(splitter: &mut Splitter) -> Vec<Bytes> {
        std::iter::from_fn(|| splitter.next_frame().unwrap()).collect()
    }

    #[test]
    fn frames_come_out_however_the_stream_is_cut() {
        // spec: WIRE-003
        let stream = [0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9];
        for cut in 0..=stream.len() {
            let mut splitter = Splitter::new(&Limits::V1);
            splitter.feed(&stream[..cut]);
            let mut all = frames(&mut splitter);
            splitter.feed(&stream[cut..]);
            all.extend(frames(&mut splitter));
            assert_eq!(all, [&[7, 8][..], &[9]], "cut at {cut}");
            assert_eq!(splitter.finish(), Ok(()));
        }
    }

    #[test]
    fn a_refused_prefix_ends_the_stream_behind_the_frames_before_it() {
        // spec: WIRE-003
        let limits = Limits { frame_bytes_max: 3, ..Limits::V1 };
        for (prefix, fault) in [(4, Fault::Oversized { max: 3 }), (0, Fault::Empty)] {
            let mut splitter = Splitter::new(&limits);
            splitter.feed(&[0, 0, 0, 3, 1, 2, 3, 0, 0, 0, prefix, 1, 2, 3, 4]);
            assert_eq!(splitter.next_frame().unwrap().unwrap(), &[1, 2, 3][..]);
            for _ in 0..2 {
                assert_eq!(splitter.next_frame().unwrap_err().fault, fault);
                splitter.feed(&[0, 0, 0, 1, 1]);
            }
        }
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_refused() {
        // spec: WIRE-003
        for part in [&[0][..], &[0, 0, 0, 2], &[0, 0, 0, 2, 7]] {
            let mut splitter = Splitter::new(&Limits::V1);
            splitter.feed(part);
            assert_eq!(splitter.finish().unwrap_err().fault, Fault::Truncated);
        }
    }
}
