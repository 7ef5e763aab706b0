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
    /// Appends to the file, creating it for its owner only.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
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
