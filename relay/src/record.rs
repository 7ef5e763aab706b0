//! The auditors' record: every frame inside TLS, in both directions, as JSON lines.
//!
//! It holds what sessions say, bearer secrets of capabilities and uploads included, so it exists
//! only when the operator asks for it by a flag whose name says so (spec: RLY-041).

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use crate::clock;

/// Why frames cannot be recorded. Blame: who runs the relay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// There is such a file already: it may be another's, or hold an earlier record.
    #[error("the record of frames needs a new file and there is one with this name; name another")]
    Exists,
    /// It cannot be created.
    #[error("the record of frames cannot be written: {0}; name a file in a folder of your own")]
    File(#[source] io::Error),
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// From a client.
    In,
    /// To a client.
    Out,
}

/// Where a frame was seen: numbers of this run of the relay, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The session.
    pub(crate) session: u64,
    /// The stream within the session: 0, then one for each lane.
    pub(crate) lane: u64,
}

#[derive(Serialize)]
struct Line<'frame> {
    time_ms: u64,
    session: u64,
    lane: u64,
    direction: Direction,
    /// The frame without its length prefix, in hex.
    frame: &'frame str,
}

/// The file that frames are recorded in.
#[derive(Debug)]
pub(crate) struct Recorder(Mutex<BufWriter<File>>);

impl Recorder {
    /// Creates the file for its owner only. One that is there, or a link, is not taken: whoever
    /// made it would keep the right to read it (spec: RLY-041).
    ///
    /// # Errors
    /// [`RecordError`] if there is one, or none can be made.
    pub(crate) fn create(path: &Path) -> Result<Self, RecordError> {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => RecordError::Exists,
            _ => RecordError::File(error),
        })?;
        Ok(Self(Mutex::new(BufWriter::new(file))))
    }

    /// Records one frame, without its length prefix.
    pub(crate) fn record(&self, place: Place, direction: Direction, frame: &[u8]) {
        let line = Line {
            time_ms: clock::now().0,
            session: place.session,
            lane: place.lane,
            direction,
            frame: &hex::encode(frame),
        };
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = serde_json::to_writer(&mut *file, &line)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.flush());
        if written.is_err() {
            tracing::error!("a frame was not recorded: the record has a gap");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    #[test]
    fn a_record_is_a_new_file_of_its_owner_or_none() {
        // spec: RLY-041
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.jsonl");
        let recorder = Recorder::create(&path).unwrap();
        recorder.record(Place { session: 1, lane: 0 }, Direction::In, &[7]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        // Made by another before, for all to read; and a link to nowhere.
        let exposed = folder.path().join("exposed.jsonl");
        fs::write(&exposed, b"").unwrap();
        fs::set_permissions(&exposed, fs::Permissions::from_mode(0o666)).unwrap();
        let link = folder.path().join("link.jsonl");
        symlink(folder.path().join("elsewhere"), &link).unwrap();
        for taken in [&path, &exposed, &link] {
            assert!(matches!(Recorder::create(taken), Err(RecordError::Exists)), "{taken:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(!folder.path().join("elsewhere").exists());
        let nowhere = folder.path().join("no").join("such.jsonl");
        assert!(matches!(Recorder::create(&nowhere), Err(RecordError::File(_))));
    }
}
