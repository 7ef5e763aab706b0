//! A file on its way down.
//!
//! | state | input | next |
//! |---|---|---|
//! | asking | the blob has the right length | replaying |
//! | replaying | a part of the unfinished file | replaying; fetching after the last |
//! | fetching | a chunk, or a part of one | fetching; written when its turn comes |
//! | fetching | written | fetching; finishing after the last, if the hash is right |
//! | finishing | finished | done |

use std::collections::BTreeMap;

use hushwire_protocol::attachment::{Attachment, ChunkIndex, FileRange, Layout, Opener};
use hushwire_wire::{
    id::BlobId,
    message::{Answer, Request},
};

use super::{Flow, Port, WINDOW_CHUNKS};
use crate::{
    command::FailureReason,
    files,
    io::{FileFailure, Output, PartPlace},
    record::DownloadRecord,
    store::{Store, StoreError},
};

/// A live download.
pub(super) struct DownloadLive {
    blob: BlobId,
    part: PartPlace,
    layout: Layout,
    /// None once it was asked whether everything is right.
    opener: Option<Opener>,
    state: State,
    /// Chunks that an earlier life has written.
    kept: ChunkIndex,
    /// Chunks that were opened, or taken from the unfinished file.
    opened: ChunkIndex,
    /// Chunks that were asked for.
    asked: ChunkIndex,
    /// What came of chunks that wait for their turn: at most [`WINDOW_CHUNKS`].
    arrived: BTreeMap<ChunkIndex, Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Asking,
    Replaying,
    Fetching,
    Writing(FileRange),
    Finishing,
}

impl DownloadLive {
    pub(super) fn new(attachment: &Attachment, record: &DownloadRecord, path: &str) -> Self {
        let opener = Opener::new(attachment);
        let layout = *opener.layout();
        let kept = ChunkIndex(record.chunks).min(layout.chunks());
        Self {
            blob: attachment.blob,
            part: record.part(path),
            layout,
            opener: Some(opener),
            state: if record.checked { State::Finishing } else { State::Asking },
            kept,
            opened: ChunkIndex::default(),
            asked: kept,
            arrived: BTreeMap::new(),
        }
    }

    pub(super) fn begin<S: Store>(&self, port: &mut Port<'_, S>) -> Flow {
        match self.state {
            State::Finishing => port.output(self.finish_file(port)),
            _ => port.send(ChunkIndex::default(), Request::BlobStat(self.blob)),
        }
        Flow::On
    }

    fn finish_file<S>(&self, port: &Port<'_, S>) -> Output {
        let size = self.layout.file_length().bytes();
        Output::FinishFile { transfer: port.transfer, part: self.part.clone(), size }
    }

    pub(super) fn answered<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        chunk: ChunkIndex,
        answer: Answer,
    ) -> Result<Flow, StoreError> {
        match (self.state, answer) {
            (State::Asking, Answer::BlobState { size, stored }) => {
                // spec: ATT-006
                if size != self.layout.sealed_length() {
                    return Ok(Flow::Failed(FailureReason::Damaged));
                }
                if stored != size {
                    return Ok(Flow::Failed(FailureReason::Expired));
                }
                self.state = State::Replaying;
                self.replay(port)
            }
            (State::Fetching | State::Writing(_), Answer::BlobChunk { offset, content }) => {
                self.arrive(port, chunk, offset, &content)
            }
            // The relay stopped before the chunk was whole.
            (State::Fetching | State::Writing(_), Answer::ReadEnd(_)) if !self.is_whole(chunk) => {
                Ok(Flow::Rest { retry_after_ms: 0 })
            }
            (_, Answer::ReadEnd(_)) => Ok(Flow::On),
            _ => Ok(Flow::Rest { retry_after_ms: 0 }),
        }
    }

    /// Takes what an earlier life has written, up to where it ends.
    fn replay<S: Store>(&mut self, port: &mut Port<'_, S>) -> Result<Flow, StoreError> {
        while self.opened < self.kept {
            let range = self.opener.as_ref().and_then(Opener::next_file_range);
            let Some(FileRange { offset, length }) = range else { break };
            if length > 0 {
                let part = self.part.clone();
                let transfer = port.transfer;
                port.output(Output::ReadPart { transfer, part, offset, length });
                return Ok(Flow::On);
            }
            if !self.replay_next(Vec::new()) {
                return restart(port);
            }
        }
        self.state = State::Fetching;
        self.go_on(port)
    }

    /// Says whether the part has its length.
    fn replay_next(&mut self, mut content: Vec<u8>) -> bool {
        let taken = self.opener.as_mut().map(|opener| opener.replay_next(&mut content));
        self.opened = self.opened.next();
        matches!(taken, Some(Ok(())))
    }

    /// A part of the unfinished file was read.
    pub(super) fn read<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        offset: u64,
        content: Vec<u8>,
    ) -> Result<Flow, StoreError> {
        let expected = self.opener.as_ref().and_then(Opener::next_file_range);
        if self.state != State::Replaying || expected.is_none_or(|range| range.offset != offset) {
            return Ok(Flow::On);
        }
        if !self.replay_next(content) {
            return restart(port);
        }
        self.replay(port)
    }

    fn is_whole(&self, chunk: ChunkIndex) -> bool {
        let length = self.layout.sealed_range(chunk).map_or(0, |range| range.length as usize);
        chunk < self.opened || self.arrived.get(&chunk).is_some_and(|have| have.len() == length)
    }

    /// A chunk came, or a part of one.
    fn arrive<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        chunk: ChunkIndex,
        offset: u64,
        content: &[u8],
    ) -> Result<Flow, StoreError> {
        let damaged = Ok(Flow::Failed(FailureReason::Damaged));
        let Ok(range) = self.layout.sealed_range(chunk) else { return damaged };
        if chunk < self.opened || chunk >= self.asked {
            return damaged;
        }
        let have = self.arrived.entry(chunk).or_default();
        let end = range.offset.saturating_add(u64::try_from(have.len()).unwrap_or(u64::MAX));
        if offset != end || have.len().saturating_add(content.len()) > range.length as usize {
            return damaged;
        }
        have.extend_from_slice(content);
        self.go_on(port)
    }

    /// Asks for chunks while the window is open, and opens the next one if it is there.
    fn go_on<S: Store>(&mut self, port: &mut Port<'_, S>) -> Result<Flow, StoreError> {
        loop {
            if self.state != State::Fetching {
                return Ok(Flow::On);
            }
            self.ask(port);
            if self.opened == self.layout.chunks() {
                return self.check(port);
            }
            if !self.is_whole(self.opened) {
                return Ok(Flow::On);
            }
            let mut buffer = self.arrived.remove(&self.opened).unwrap_or_default();
            let opened = self.opener.as_mut().map(|opener| opener.open_next(&mut buffer));
            // spec: CLI-085
            let Some(Ok(place)) = opened else { return Ok(Flow::Failed(FailureReason::Damaged)) };
            self.opened = self.opened.next();
            // A chunk of nothing but padding has nothing to write.
            if place.length > 0 {
                self.state = State::Writing(place);
                port.output(Output::WriteFile {
                    transfer: port.transfer,
                    part: self.part.clone(),
                    offset: place.offset,
                    content: buffer.into(),
                });
            }
        }
    }

    fn ask<S: Store>(&mut self, port: &mut Port<'_, S>) {
        let end = ChunkIndex(self.opened.0.saturating_add(WINDOW_CHUNKS)).min(self.layout.chunks());
        while self.asked < end {
            let Ok(range) = self.layout.sealed_range(self.asked) else { return };
            let FileRange { offset, length } = range;
            let request = Request::BlobRead { blob: self.blob, offset, length: length.into() };
            port.send(self.asked, request);
            self.asked = self.asked.next();
        }
    }

    /// What was opened is in the unfinished file.
    pub(super) fn written<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        offset: u64,
    ) -> Result<Flow, StoreError> {
        let State::Writing(place) = self.state else { return Ok(Flow::On) };
        if place.offset != offset {
            return Ok(Flow::On);
        }
        let bytes = place.offset.saturating_add(place.length.into());
        let (transfer, chunks) = (port.transfer, self.opened.0);
        port.engine.transact(|work| files::written(work, transfer, chunks, bytes))?;
        port.output(Output::StatusChanged);
        self.state = State::Fetching;
        self.go_on(port)
    }

    /// Everything was opened: only with the right hash does it get its name (spec: CLI-085).
    fn check<S: Store>(&mut self, port: &mut Port<'_, S>) -> Result<Flow, StoreError> {
        if !matches!(self.opener.take().map(Opener::finish), Some(Ok(()))) {
            // What an earlier life has left on the disk may be to blame, once.
            let replayed = self.kept > ChunkIndex::default();
            return if replayed { restart(port) } else { Ok(Flow::Failed(FailureReason::Damaged)) };
        }
        let transfer = port.transfer;
        port.engine.transact(|work| files::checked(work, transfer))?;
        self.state = State::Finishing;
        port.output(self.finish_file(port));
        Ok(Flow::On)
    }

    pub(super) fn finished<S: Store>(&self, port: &mut Port<'_, S>) -> Result<Flow, StoreError> {
        if self.state != State::Finishing {
            return Ok(Flow::On);
        }
        let transfer = port.transfer;
        port.engine.transact(|work| files::finished(work, transfer))?;
        Ok(Flow::Done)
    }

    pub(super) fn file_failed<S: Store>(
        &self,
        port: &mut Port<'_, S>,
        failure: FileFailure,
    ) -> Result<Flow, StoreError> {
        match (self.state, failure) {
            // The unfinished file is gone or shorter than it was.
            (State::Replaying | State::Finishing, FileFailure::Changed) => restart(port),
            // spec: CLI-130
            _ => Ok(Flow::Failed(super::reason_of(failure))),
        }
    }
}

/// Begins again with an empty file.
fn restart<S: Store>(port: &mut Port<'_, S>) -> Result<Flow, StoreError> {
    let transfer = port.transfer;
    port.engine.transact(|work| files::download_anew(work, transfer))?;
    Ok(Flow::Rest { retry_after_ms: 0 })
}
