//! Transfers as they go on now: chunks between a file and a relay, a few at a time.
//!
//! A live transfer owns nothing durable. It ends with its session, with the engine, or when anything
//! is not as it should be, and begins again from its row: the file is read again from its start,
//! and what the relay or the disk has already is not moved a second time (spec: CLI-081).

mod download;
mod upload;

use bytes::Bytes;
use hushwire_protocol::attachment::ChunkIndex;
use hushwire_wire::{
    error::{Code, Refusal, Retry},
    message::{Answer, Request},
};

use self::{download::DownloadLive, upload::UploadLive};
use super::Engine;
use crate::{
    command::FailureReason,
    files,
    io::{FileFailure, Output},
    pending::Pending,
    record::{Direction, TransferNumber, WishNumber},
    session::{ServerLimits, SessionNumber},
    store::{Store, StoreError},
    wish::{Desk, Progress},
};

/// Chunks of one transfer that are between the relay and the disk at a time (spec: CLI-084).
const WINDOW_CHUNKS: u32 = 4;
/// Transfers that go on at a time (spec: CLI-084).
const TRANSFERS_MAX: usize = 4;

/// A transfer that goes on.
pub(super) struct TransferLive {
    pub(super) wish: WishNumber,
    session: SessionNumber,
    moving: Moving,
}

enum Moving {
    Up(Box<UploadLive>),
    Down(Box<DownloadLive>),
}

/// What becomes of a live transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// It waits for what it asked.
    On,
    /// It is done.
    Done,
    /// It begins again, after a wait.
    Rest { retry_after_ms: u64 },
    /// It will not come about.
    Failed(FailureReason),
}

/// What a live transfer may use of its engine.
struct Port<'e, S> {
    engine: &'e mut Engine<S>,
    transfer: TransferNumber,
    wish: WishNumber,
    session: SessionNumber,
}

impl<S: Store> Port<'_, S> {
    /// Asks the relay for something about a chunk.
    fn send(&mut self, chunk: ChunkIndex, request: Request) {
        let pending = Pending::Chunk { wish: self.wish, transfer: self.transfer, chunk };
        self.engine.send(self.session, request, pending);
    }

    fn output(&mut self, output: Output) {
        self.engine.outputs.push_back(output);
    }

    fn limits(&self) -> ServerLimits {
        let session = self.engine.sessions.get(&self.session);
        session.map(|session| session.limits).unwrap_or_default()
    }
}

impl<S: Store> Engine<S> {
    /// Begins a transfer, or goes on with it from its row.
    pub(super) fn begin_transfer(
        &mut self,
        wish: WishNumber,
        transfer: TransferNumber,
        desk: &Desk,
    ) -> Result<(), StoreError> {
        if self.transfers.len() >= TRANSFERS_MAX {
            self.again(wish, self.now.plus_ms(crate::backoff::TURN_REST_MS));
            return Ok(());
        }
        let Some(row) = self.transact(|work| files::load(work, transfer))? else {
            return self.transact(|work| {
                work.settle(wish);
                Ok(())
            });
        };
        let moving = match &row.direction {
            Direction::Up(up) => Moving::Up(Box::new(UploadLive::new(up)?)),
            Direction::Down(down) => {
                let shown = crate::record::Shown { chat: row.chat, message: row.message };
                let message = self.transact(|work| crate::messages::load(work, shown))?;
                let Some(attachment) = message.as_ref().and_then(files::attachment_of) else {
                    return self
                        .transact(|work| files::failed(work, transfer, FailureReason::Damaged));
                };
                Moving::Down(Box::new(DownloadLive::new(&attachment, down, &row.path)))
            }
        };
        if let Some(live) = self.wishes.get_mut(&wish) {
            live.asked = true;
        }
        self.transfers.insert(transfer, TransferLive { wish, session: desk.number, moving });
        self.with_transfer(transfer, |moving, port| match moving {
            Moving::Up(_) => {
                port.output(Output::OpenFile { transfer, path: row.path.clone() });
                Ok(Flow::On)
            }
            Moving::Down(down) => Ok(down.begin(port)),
        })
    }

    /// Lets a live transfer take something, and does what becomes of it.
    fn with_transfer(
        &mut self,
        transfer: TransferNumber,
        act: impl FnOnce(&mut Moving, &mut Port<'_, S>) -> Result<Flow, StoreError>,
    ) -> Result<(), StoreError> {
        let Some(mut live) = self.transfers.remove(&transfer) else { return Ok(()) };
        let TransferLive { wish, session, .. } = live;
        let flow = act(&mut live.moving, &mut Port { engine: self, transfer, wish, session });
        if matches!(flow, Ok(Flow::On) | Err(_)) {
            // If the store failed, its session ends, and this with it.
            self.transfers.insert(transfer, live);
            return flow.map(|_| ());
        }
        self.forget_answers(wish);
        match flow? {
            Flow::On | Flow::Done => {}
            Flow::Rest { retry_after_ms } => {
                self.progressed(wish, Progress::Refused { retry_after_ms });
            }
            Flow::Failed(reason) => {
                if let Moving::Up(up) = &live.moving {
                    // What the relay has of it is of no use to anybody.
                    self.send(session, Request::BlobDelete(up.upload_key()), Pending::Nothing);
                }
                self.transact(|work| files::failed(work, transfer, reason))?;
            }
        }
        self.outputs.push_back(Output::CloseFile { transfer });
        self.outputs.push_back(Output::StatusChanged);
        Ok(())
    }

    fn forget_answers(&mut self, wish: WishNumber) {
        for session in self.sessions.values_mut() {
            session.forget_wish(wish);
        }
    }

    /// Ends live transfers whose wish is no more.
    pub(super) fn drop_transfers(&mut self, which: impl Fn(&TransferLive) -> bool) {
        let ended: Vec<(TransferNumber, WishNumber)> = self
            .transfers
            .iter()
            .filter(|(_, live)| which(live))
            .map(|(transfer, live)| (*transfer, live.wish))
            .collect();
        for (transfer, wish) in ended {
            self.transfers.remove(&transfer);
            self.forget_answers(wish);
            self.outputs.push_back(Output::CloseFile { transfer });
        }
    }

    /// A session is gone: its transfers begin again on the next one.
    pub(super) fn transfers_lost(&mut self, session: SessionNumber) {
        let lost: Vec<WishNumber> = self
            .transfers
            .values()
            .filter(|live| live.session == session)
            .map(|live| live.wish)
            .collect();
        self.drop_transfers(|live| live.session == session);
        for wish in lost {
            self.unasked(wish);
        }
    }

    pub(super) fn chunk_answered(
        &mut self,
        transfer: TransferNumber,
        chunk: ChunkIndex,
        answer: Answer,
    ) -> Result<(), StoreError> {
        self.with_transfer(transfer, |moving, port| match (moving, answer) {
            (Moving::Up(_), Answer::Refused(refusal)) => Ok(upload_refused(&refusal)),
            (Moving::Down(_), Answer::Refused(refusal)) => Ok(download_refused(&refusal)),
            (Moving::Up(up), answer) => up.answered(port, &answer),
            (Moving::Down(down), answer) => down.answered(port, chunk, answer),
        })
    }

    pub(super) fn file_opened(
        &mut self,
        transfer: TransferNumber,
        length: u64,
    ) -> Result<(), StoreError> {
        self.with_transfer(transfer, |moving, port| match moving {
            Moving::Up(up) => up.opened(port, length),
            Moving::Down(_) => Ok(Flow::On),
        })
    }

    pub(super) fn file_read(
        &mut self,
        transfer: TransferNumber,
        offset: u64,
        content: Bytes,
    ) -> Result<(), StoreError> {
        self.with_transfer(transfer, |moving, port| match moving {
            Moving::Up(up) => up.read(port, offset, content.into()),
            Moving::Down(down) => down.read(port, offset, content.into()),
        })
    }

    pub(super) fn file_written(
        &mut self,
        transfer: TransferNumber,
        offset: u64,
    ) -> Result<(), StoreError> {
        self.with_transfer(transfer, |moving, port| match moving {
            Moving::Up(_) => Ok(Flow::On),
            Moving::Down(down) => down.written(port, offset),
        })
    }

    pub(super) fn file_finished(&mut self, transfer: TransferNumber) -> Result<(), StoreError> {
        self.with_transfer(transfer, |moving, port| match moving {
            Moving::Up(_) => Ok(Flow::On),
            Moving::Down(down) => down.finished(port),
        })
    }

    pub(super) fn file_failed(
        &mut self,
        transfer: TransferNumber,
        failure: FileFailure,
    ) -> Result<(), StoreError> {
        self.with_transfer(transfer, |moving, port| match (moving, failure) {
            (Moving::Down(down), _) => down.file_failed(port, failure),
            // spec: CLI-082
            (Moving::Up(_), _) => Ok(Flow::Failed(reason_of(failure))),
        })
    }
}

const fn reason_of(failure: FileFailure) -> FailureReason {
    match failure {
        FileFailure::Changed => FailureReason::FileChanged,
        FileFailure::NotAccessible => FailureReason::FileNotAccessible,
        FileFailure::Exists => FailureReason::FileExists,
        FileFailure::FolderMissing => FailureReason::FolderMissing,
        FileFailure::DiskFull => FailureReason::DiskFull,
    }
}

fn upload_refused(refusal: &Refusal) -> Flow {
    match refusal.code {
        Code::TooLarge => Flow::Failed(FailureReason::TooLarge),
        // The blob went meanwhile, or more of it is there than was thought: asked anew.
        Code::Denied | Code::WrongOffset => Flow::Rest { retry_after_ms: refusal.retry_after_ms },
        code => refused(code, refusal.retry_after_ms),
    }
}

fn download_refused(refusal: &Refusal) -> Flow {
    match refusal.code {
        Code::Denied | Code::BlobIncomplete => Flow::Failed(FailureReason::Expired),
        Code::BeyondEnd => Flow::Failed(FailureReason::Damaged),
        code => refused(code, refusal.retry_after_ms),
    }
}

fn refused(code: Code, retry_after_ms: u64) -> Flow {
    if code.retry() == Retry::Never {
        Flow::Failed(FailureReason::Refused)
    } else {
        Flow::Rest { retry_after_ms }
    }
}
