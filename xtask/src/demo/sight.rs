//! What the relay saw: frames from its own record, which is made inside TLS.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{fault::Fault, screen};

/// What stands before a frame's bytes in a line of the record (spec: RLY-041).
const FRAME: &str = "\"frame\":\"";
/// A frame from a client.
const FROM_CLIENT: &str = "\"direction\":\"in\"";
/// Bytes of a frame that are shown.
const SAMPLE_BYTES: usize = 14;

/// Frames of a stretch of the story.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    frames: u64,
    bytes: u64,
    /// The largest frame from a client: what was sent, not what was asked.
    largest: Vec<u8>,
}

impl Sight {
    pub(super) fn add(&mut self, frame: Frame) {
        self.frames += 1;
        self.bytes += u64::try_from(frame.bytes.len()).unwrap_or(0);
        if frame.way == Way::FromClient && frame.bytes.len() > self.largest.len() {
            self.largest = frame.bytes;
        }
    }

    /// How much.
    pub(super) fn summary(&self) -> String {
        format!("{} frames, {}", self.frames, screen::size(self.bytes))
    }

    /// The middle of the largest frame from a client.
    pub(super) fn sample(&self) -> String {
        let middle = self.largest.len() / 2;
        let bytes: Vec<u8> = self.largest.iter().skip(middle).take(SAMPLE_BYTES).copied().collect();
        format!("…{}…", hex::encode(bytes))
    }
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    FromClient,
    ToClient,
}

/// A frame of the record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) way: Way,
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    /// Reads a line. The last one before a kill may be torn: what is there of it counts.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (head, rest) = line.split_once(FRAME)?;
        let way = if head.contains(FROM_CLIENT) { Way::FromClient } else { Way::ToClient };
        let mut digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        if digits.len() % 2 == 1 {
            digits.pop();
        }
        Some(Self { way, bytes: hex::decode(digits).ok()? })
    }
}

/// Reads a record while it grows.
pub(super) struct Watcher {
    record: PathBuf,
    offset: u64,
}

impl Watcher {
    pub(super) fn new(record: &Path) -> Self {
        Self { record: record.to_owned(), offset: 0 }
    }

    /// What was recorded since the last call; a line that is not whole yet waits.
    pub(super) fn look(&mut self) -> Result<Sight, Fault> {
        let fault = || Fault::about("the record of frames");
        let mut file = File::open(&self.record).map_err(fault())?;
        file.seek(SeekFrom::Start(self.offset)).map_err(fault())?;
        let mut lines = BufReader::new(file);
        let mut sight = Sight::default();
        let mut line = String::new();
        while lines.read_line(&mut line).map_err(fault())? > 0 && line.ends_with('\n') {
            self.offset += u64::try_from(line.len()).unwrap_or(0);
            if let Some(frame) = Frame::parse(&line) {
                sight.add(frame);
            }
            line.clear();
        }
        Ok(sight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_counts_as_far_as_it_goes() {
        let whole = r#"{"time_ms":1,"session":1,"lane":0,"direction":"in","frame":"00ff10"}"#;
        let frame = Frame::parse(whole).unwrap();
        assert_eq!(frame, Frame { way: Way::FromClient, bytes: vec![0, 0xff, 0x10] });
        let torn = r#"{"time_ms":1,"session":1,"lane":0,"direction":"out","frame":"00f"#;
        let frame = Frame::parse(torn).unwrap();
        assert_eq!(frame, Frame { way: Way::ToClient, bytes: vec![0] });
        assert_eq!(Frame::parse(r#"{"time_ms":1,"sess"#), None);
    }
}
