//! A file on its way up.
//!
//! | state | input | next |
//! |---|---|---|
//! | opening | opened | asking |
//! | asking | how much the relay has | sealing |
//! | sealing | a part of the file | sealing, perhaps with a chunk sent |
//! | sealing | chunk stored | sealing; done with the last |

use hushwire_protocol::attachment::{
    AttachmentError, Checkpoint, ChunkIndex, FileKey, FileLength, FileRange, Layout,
    SEALED_CHUNK_BYTES, Sealer,
};
use hushwire_wire::{
    id::UploadKey,
    message::{Answer, Request},
};

use super::{Flow, Port, WINDOW_CHUNKS};
use crate::{
    command::FailureReason,
    files,
    io::Output,
    record::UploadRecord,
    store::{Store, StoreError},
};

/// A live upload.
pub(super) struct UploadLive {
    upload_key: UploadKey,
    file_key: FileKey,
    /// The file's length, when it was opened before.
    length: Option<u64>,
    checkpoint: Option<Checkpoint>,
    state: State,
}

enum State {
    Opening,
    Asking(FileLength),
    Sealing(Box<Sealing>),
}

struct Sealing {
    /// None once it was asked for its hash.
    sealer: Option<Sealer>,
    /// The part of the file that is being read.
    reading: Option<FileRange>,
    /// Bytes that the relay has.
    stored: u64,
    /// Bytes that it will have when everything sent has arrived.
    sent: u64,
    size: u64,
}

impl UploadLive {
    pub(super) fn new(record: &UploadRecord) -> Result<Self, StoreError> {
        let file_key = record.file_key.array().ok_or(StoreError::Damaged)?;
        let checkpoint = record.checkpoint.as_ref().map(|bytes| Checkpoint::from_bytes(bytes));
        Ok(Self {
            upload_key: files::upload_key(record)?,
            file_key: FileKey::from_bytes(file_key),
            length: record.length,
            checkpoint: checkpoint.flatten(),
            state: State::Opening,
        })
    }

    pub(super) fn upload_key(&self) -> UploadKey {
        UploadKey::from_bytes(*self.upload_key.expose())
    }

    /// The file is open; the relay is asked how much it has.
    pub(super) fn opened<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        length: u64,
    ) -> Result<Flow, StoreError> {
        if !matches!(self.state, State::Opening) {
            return Ok(Flow::On);
        }
        match self.length {
            // spec: CLI-082
            Some(before) if before != length => {
                return Ok(Flow::Failed(FailureReason::FileChanged));
            }
            Some(_) => {}
            None => {
                let transfer = port.transfer;
                port.engine.transact(|work| files::opened(work, transfer, length))?;
                self.length = Some(length);
            }
        }
        let limits = port.limits();
        let Ok(file) = FileLength::new(length) else {
            return Ok(Flow::Failed(FailureReason::TooLarge));
        };
        let size = Layout::new(file).sealed_length();
        if size > limits.blob_bytes_max {
            return Ok(Flow::Failed(FailureReason::TooLarge));
        }
        // Sealed chunks are the relay's chunks (spec: ATT-003, WIRE-041).
        if limits.blob_chunk_bytes != u64::from(SEALED_CHUNK_BYTES) {
            return Ok(Flow::Failed(FailureReason::Refused));
        }
        self.state = State::Asking(file);
        let key = self.upload_key();
        port.send(ChunkIndex::default(), Request::BlobCreate { key, size });
        Ok(Flow::On)
    }

    /// The relay says how much it has.
    pub(super) fn answered<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        answer: &Answer,
    ) -> Result<Flow, StoreError> {
        let Answer::BlobState { stored, .. } = *answer else {
            return Ok(Flow::Rest { retry_after_ms: 0 });
        };
        match &mut self.state {
            State::Opening => Ok(Flow::On),
            State::Asking(length) => {
                let length = *length;
                self.begin(port, length, stored)
            }
            State::Sealing(sealing) => {
                // It can have no more than it was sent.
                if stored > sealing.sent {
                    return Ok(Flow::Rest { retry_after_ms: 0 });
                }
                sealing.stored = sealing.stored.max(stored);
                port.output(Output::StatusChanged);
                self.go_on(port)
            }
        }
    }

    fn begin<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        length: FileLength,
        stored: u64,
    ) -> Result<Flow, StoreError> {
        let layout = Layout::new(length);
        let known = self.checkpoint.map_or(ChunkIndex::default(), |checkpoint| checkpoint.chunks);
        let Some(_) = layout.chunks_before(stored).ok().filter(|chunks| *chunks <= known) else {
            // The store is ahead of the relay, never behind (spec: ATT-012): this is not our blob.
            let transfer = port.transfer;
            port.engine.transact(|work| files::upload_anew(work, transfer))?;
            return Ok(Flow::Rest { retry_after_ms: 0 });
        };
        let sealer = match self.checkpoint {
            Some(checkpoint) => Sealer::resume(&self.file_key, length, checkpoint),
            None => Sealer::new(&self.file_key, length),
        };
        self.state = State::Sealing(Box::new(Sealing {
            sealer: Some(sealer),
            reading: None,
            stored,
            sent: stored,
            size: layout.sealed_length(),
        }));
        self.go_on(port)
    }

    /// A part of the file was read.
    pub(super) fn read<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        offset: u64,
        content: Vec<u8>,
    ) -> Result<Flow, StoreError> {
        let State::Sealing(sealing) = &mut self.state else { return Ok(Flow::On) };
        // What was read for an earlier life of this transfer does not count.
        if sealing.reading.take_if(|range| range.offset == offset).is_none() {
            return Ok(Flow::On);
        }
        match self.seal(port, content)? {
            Flow::On => self.go_on(port),
            ended => Ok(ended),
        }
    }

    /// Seals the next chunk, notes it, and sends it unless the relay has it.
    fn seal<S: Store>(
        &mut self,
        port: &mut Port<'_, S>,
        mut buffer: Vec<u8>,
    ) -> Result<Flow, StoreError> {
        let State::Sealing(sealing) = &mut self.state else { return Ok(Flow::On) };
        let Some(sealer) = &mut sealing.sealer else { return Ok(Flow::On) };
        let place = match sealer.seal_next(&mut buffer) {
            Ok(place) => place,
            // spec: CLI-082
            Err(AttachmentError::SourceChanged) => {
                return Ok(Flow::Failed(FailureReason::FileChanged));
            }
            Err(_) => return Ok(Flow::Rest { retry_after_ms: 0 }),
        };
        let checkpoint = sealer.checkpoint();
        if self.checkpoint.is_none_or(|before| before.chunks < checkpoint.chunks) {
            // spec: ATT-012, CLI-002: before it is sent.
            let (transfer, stored) = (port.transfer, sealing.stored);
            port.engine.transact(|work| files::sealed(work, transfer, &checkpoint, stored))?;
            self.checkpoint = Some(checkpoint);
        }
        if place.offset >= sealing.stored {
            sealing.sent = place.offset.saturating_add(place.length.into());
            let key = UploadKey::from_bytes(*self.upload_key.expose());
            let request = Request::BlobWrite { key, offset: place.offset, content: buffer.into() };
            port.send(checkpoint.chunks, request);
        }
        Ok(Flow::On)
    }

    /// Reads on while the window is open; ends when the relay has everything.
    fn go_on<S: Store>(&mut self, port: &mut Port<'_, S>) -> Result<Flow, StoreError> {
        loop {
            let State::Sealing(sealing) = &mut self.state else { return Ok(Flow::On) };
            let window = u64::from(WINDOW_CHUNKS.saturating_mul(SEALED_CHUNK_BYTES));
            let full = sealing.sent.saturating_sub(sealing.stored) >= window;
            if sealing.reading.is_some() || full {
                return Ok(Flow::On);
            }
            match sealing.sealer.as_ref().and_then(Sealer::next_range) {
                // A chunk of nothing but padding.
                Some(FileRange { length: 0, .. }) => match self.seal(port, Vec::new())? {
                    Flow::On => {}
                    ended => return Ok(ended),
                },
                Some(range) => {
                    sealing.reading = Some(range);
                    let FileRange { offset, length } = range;
                    port.output(Output::ReadFile { transfer: port.transfer, offset, length });
                    return Ok(Flow::On);
                }
                None if sealing.stored == sealing.size => return self.finish(port),
                None => return Ok(Flow::On),
            }
        }
    }

    fn finish<S: Store>(&mut self, port: &mut Port<'_, S>) -> Result<Flow, StoreError> {
        let State::Sealing(sealing) = &mut self.state else { return Ok(Flow::On) };
        let Some(Ok(hash)) = sealing.sealer.take().map(Sealer::finish) else {
            return Ok(Flow::Rest { retry_after_ms: 0 });
        };
        let transfer = port.transfer;
        port.engine.transact(|work| files::uploaded(work, transfer, hash))?;
        Ok(Flow::Done)
    }
}
