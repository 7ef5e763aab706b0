//! One stream of a session: frames in, work under way, frames out. Decides nothing; asks the rules.
//!
//! One task owns a lane, and everything it holds is bounded: the outbox by its saturation, work
//! under way by its weight, readings by the rules' bound. When the client takes nothing, nothing
//! more is read, neither from the client nor from the store (spec: RLY-021, RLY-022).

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use hushwire_relay_rules::{
    Lookup, Outcome, ReadStep, Reading, Reply, Step, Write, store::ReadLimit,
};
use hushwire_wire::{
    error::{Code, Refusal},
    frame::{self, AnswerFrame, FrameError, PREFIX_BYTES, RequestFrame, SessionAfter, Splitter},
    message::{Answer, Request, RequestId},
};
use quinn::{Chunk, ReadError, RecvStream, SendStream, WriteError};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    Ending, FLUSH_WAIT, Greeting, SessionState,
    ongoing::{Readings, Run, Yield},
    outbox::Outbox,
};
use crate::{
    clock,
    crash::{self, Point},
    fanout::Bell,
    record::{Direction, Place},
    relay::Shared,
};

/// Bytes taken from the stream in one go.
const READ_BYTES: usize = 64 * 1024;
/// What one run of a reading takes from the store; at least one row.
const RUN: ReadLimit = ReadLimit { rows_max: 64, bytes_max: 32 * 1024 };
/// Weight of requests under way from which on no further one is read.
const WORK_WEIGHT_MAX: usize = 1024 * 1024;
/// Weight of a lookup: the most that its answer holds is a card and a device list.
const LOOKUP_WEIGHT: usize = 64 * 1024;
/// Weight of a write on top of its content.
const WRITE_WEIGHT: usize = 2 * 1024;

/// What a lane may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The session's first stream: everything.
    Session,
    /// A further stream: blobs only (spec: RLY-023).
    Blobs,
}

/// Work that a lane waits for.
type Work = FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>;

enum Done {
    /// A write or a lookup.
    Request { id: RequestId, weight: usize, outcome: Outcome },
    /// A run of a reading; `None` if it died.
    Run { run: Run, yielded: Option<(Reading, ReadStep)> },
}

/// What a lane waits for.
enum Event {
    Written(Result<(), WriteError>),
    Chunk(Result<Option<Chunk>, ReadError>),
    Done(Done),
    Rung,
    Stop,
    /// No hello came in time.
    Late,
    /// What was owed was not taken in time.
    Untaken,
}

/// Whether more requests are taken from the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    /// The relay stops: finish what is under way, then say so.
    Stopping,
    /// Finish what is under way, flush, then end like this.
    Closed(Ending),
}

/// Whether a run of a reading is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pump {
    Idle,
    Running,
}

/// One stream of a session.
pub(super) struct Lane {
    shared: Arc<Shared>,
    session: Arc<SessionState>,
    purpose: Purpose,
    place: Place,
    splitter: Splitter,
    outbox: Outbox,
    work: Work,
    work_weight: usize,
    bell: Arc<Bell>,
    readings: Readings,
    pump: Pump,
    intake: Intake,
    /// From when on what is still owed is given up; set once nothing more will be owed.
    flush_until: Option<Instant>,
}

impl Lane {
    /// A lane of `session` without a stream yet.
    pub(super) fn new(
        shared: Arc<Shared>,
        session: Arc<SessionState>,
        purpose: Purpose,
        place: Place,
    ) -> Self {
        let bell = Arc::new(Bell::default());
        Self {
            readings: Readings::new(Arc::clone(&shared.fanout), Arc::clone(&bell)),
            splitter: Splitter::new(&shared.limits),
            shared,
            session,
            purpose,
            place,
            outbox: Outbox::default(),
            work: FuturesUnordered::new(),
            work_weight: 0,
            bell,
            pump: Pump::Idle,
            intake: Intake::Open,
            flush_until: None,
        }
    }

    /// Serves the stream until it ends, and says how it did.
    pub(super) async fn run(
        mut self,
        (mut send, mut receive): (SendStream, RecvStream),
        hello_until: Instant,
    ) -> Ending {
        let mut stop = self.shared.stop.clone();
        loop {
            self.say_farewell();
            let flush_until = self.flush_until();
            if let Some(ending) = self.ended() {
                flush(send, flush_until, ending).await;
                return ending;
            }
            let takes = self.intake == Intake::Open && !self.is_saturated();
            let open = self.intake == Intake::Open;
            let greeting =
                self.purpose == Purpose::Session && self.session.greeting() == Greeting::Due;
            let room = !self.outbox.is_saturated();
            let event = tokio::select! {
                written = self.outbox.write_to(&mut send), if !self.outbox.is_empty() => {
                    Event::Written(written)
                }
                chunk = receive.read_chunk(READ_BYTES, true), if takes => Event::Chunk(chunk),
                Some(done) = self.work.next(), if !self.work.is_empty() => Event::Done(done),
                () = self.bell.rung(), if room => Event::Rung,
                _ = stop.wait_for(|stage| stage.is_stopping()), if open => Event::Stop,
                () = sleep_until(hello_until), if greeting => Event::Late,
                () = sleep_until(flush_until), if self.flush_until.is_some() => Event::Untaken,
            };
            if let Err(ending) = self.take(event) {
                // Else QUIC would keep what was written for as long as the client lets it.
                let _gone = send.reset(ending.close_code());
                return ending;
            }
            self.drain_frames();
            self.start_run();
        }
    }

    /// Until when a lane that ends waits for its client: the time starts once all that it owes is
    /// made, so that work under way is not cut short (spec: RLY-043). Later than ever for one that
    /// goes on.
    fn flush_until(&mut self) -> Instant {
        let now = Instant::now();
        match self.intake {
            Intake::Closed(_) if self.work.is_empty() => {
                *self.flush_until.get_or_insert(now + FLUSH_WAIT)
            }
            _ => now + FLUSH_WAIT,
        }
    }

    /// How the lane ends, once nothing is left to send.
    fn ended(&self) -> Option<Ending> {
        self.closing().filter(|_| self.work.is_empty() && self.outbox.is_empty())
    }

    /// How the lane will end, once that is known.
    const fn closing(&self) -> Option<Ending> {
        match self.intake {
            Intake::Closed(ending) => Some(ending),
            Intake::Open | Intake::Stopping => None,
        }
    }

    /// Takes an event. An error ends the lane at once: nothing more can be sent.
    fn take(&mut self, event: Event) -> Result<(), Ending> {
        match event {
            Event::Written(Ok(())) => {}
            Event::Chunk(Ok(Some(chunk))) => self.splitter.feed(&chunk.bytes),
            Event::Chunk(Ok(None)) => self.intake = Intake::Closed(Ending::ByClient),
            Event::Written(Err(_)) | Event::Chunk(Err(_)) => return Err(Ending::ByClient),
            Event::Done(Done::Request { id, weight, outcome }) => {
                self.work_weight = self.work_weight.saturating_sub(weight);
                let step = self.session.core().complete(id, outcome);
                self.act(id, step);
            }
            Event::Done(Done::Run { run, yielded }) => self.has_run(run, yielded),
            Event::Rung => self.readings.answer_bell(),
            Event::Stop => self.intake = Intake::Stopping,
            Event::Late => return Err(Ending::NoHello),
            Event::Untaken => return Err(self.closing().unwrap_or(Ending::ByClient)),
        }
        Ok(())
    }

    fn is_saturated(&self) -> bool {
        self.outbox.is_saturated() || self.work_weight >= WORK_WEIGHT_MAX
    }

    /// Takes whole frames as long as there is room for what they cause.
    fn drain_frames(&mut self) {
        while self.intake == Intake::Open && !self.is_saturated() {
            match self.splitter.next_frame() {
                Ok(Some(frame)) => self.take_frame(frame),
                Ok(None) => return,
                Err(error) => self.refuse_frame(error),
            }
        }
    }

    fn take_frame(&mut self, frame: Bytes) {
        if let Some(recorder) = &self.shared.recorder {
            recorder.record(self.place, Direction::In, &frame);
        }
        match frame::decode_request(frame) {
            Ok(RequestFrame { id, request }) => self.take_request(id, request),
            Err(error) => self.refuse_frame(error),
        }
    }

    fn take_request(&mut self, id: RequestId, request: Request) {
        let hello = matches!(request, Request::Hello(_));
        if let Some(code) = self.misplaced(&request) {
            return self.answer(id, Reply::refused(code.into()));
        }
        let step = self.session.core().handle(clock::now(), id, request);
        if hello && matches!(step, Step::Reply(_)) {
            self.session.greeted();
        }
        self.act(id, step);
    }

    /// spec: RLY-023
    fn misplaced(&self, request: &Request) -> Option<Code> {
        match (self.purpose, request) {
            (Purpose::Blobs, Request::Stop(reading)) if !self.readings.has(*reading) => {
                Some(Code::UnknownHandle)
            }
            (Purpose::Session, _)
            | (
                Purpose::Blobs,
                Request::Stop(_)
                | Request::Ping
                | Request::BlobCreate { .. }
                | Request::BlobWrite { .. }
                | Request::BlobStat(_)
                | Request::BlobRead { .. }
                | Request::BlobDelete(_),
            ) => None,
            (Purpose::Blobs, _) => Some(Code::Unsupported),
        }
    }

    fn refuse_frame(&mut self, error: FrameError) {
        let id = error.request.unwrap_or(RequestId::HELLO);
        self.answer(id, Reply::refused(error.code().into()));
        if error.session() == SessionAfter::Ends {
            self.intake = Intake::Closed(Ending::Refused(error.code()));
        }
    }

    fn act(&mut self, id: RequestId, step: Step) {
        match step {
            Step::Reply(reply) => self.answer(id, reply),
            Step::ReplyThenClose(reply) => {
                let code = reply.code().unwrap_or(Code::Internal);
                self.answer(id, reply);
                self.intake = Intake::Closed(Ending::Refused(code));
            }
            Step::Write(write) => self.write(id, write),
            Step::Lookup(lookup) => self.look_up(id, lookup),
            Step::Read(reading) => self.readings.begin(id, reading),
            Step::Stop { readings, reply } => {
                for reading in readings {
                    if self.readings.stop(reading) {
                        self.answer(reading, Reply::read_over());
                    } else {
                        self.session.stop_elsewhere(reading);
                    }
                }
                self.answer(id, reply);
            }
        }
    }

    fn write(&mut self, id: RequestId, write: Write) {
        let weight = write.weight_bytes().saturating_add(WRITE_WEIGHT);
        let queue = self.shared.queue.clone();
        self.await_work(weight, async move {
            Done::Request { id, weight, outcome: queue.write(write).await }
        });
    }

    fn look_up(&mut self, id: RequestId, lookup: Lookup) {
        let disk = self.shared.disk.clone();
        self.await_work(LOOKUP_WEIGHT, async move {
            let found = disk.read(move |view| lookup.run(view, clock::now())).await;
            let outcome = found.unwrap_or_else(|| Outcome::not_tried(Code::Internal));
            Done::Request { id, weight: LOOKUP_WEIGHT, outcome }
        });
    }

    fn await_work(&mut self, weight: usize, work: impl Future<Output = Done> + Send + 'static) {
        self.work_weight = self.work_weight.saturating_add(weight);
        self.work.push(Box::pin(work));
    }

    /// Runs the next reading, one at a time, when the client has room.
    fn start_run(&mut self) {
        if self.pump == Pump::Running || self.intake != Intake::Open || self.outbox.is_saturated() {
            return;
        }
        let Some((run, mut reading)) = self.readings.take_next() else { return };
        if self.session.take_stopped(run.id) {
            self.readings.stop(run.id);
            return self.answer(run.id, Reply::read_over());
        }
        self.pump = Pump::Running;
        let disk = self.shared.disk.clone();
        self.work.push(Box::pin(async move {
            let yielded = disk.read(move |view| {
                let step = reading.next(view, clock::now(), RUN);
                (reading, step)
            });
            Done::Run { run, yielded: yielded.await }
        }));
    }

    fn has_run(&mut self, run: Run, yielded: Option<(Reading, ReadStep)>) {
        self.pump = Pump::Idle;
        let Some((reading, step)) = yielded else {
            self.session.core().reading_over(run.id);
            self.readings.stop(run.id);
            return self.answer(run.id, Reply::refused(Code::Internal.into()));
        };
        if let Some(failure) = step.failure {
            tracing::error!(%failure, "a reading failed");
        }
        if self.readings.has_run(run, reading, step.progress) == Yield::Drop {
            return;
        }
        for reply in step.replies {
            self.answer(run.id, reply);
        }
        if step.progress == hushwire_relay_rules::Progress::Over {
            self.session.core().reading_over(run.id);
            self.session.take_stopped(run.id);
        }
        self.readings.answer_bell();
    }

    /// The last frame of a session that the relay ends, behind what it owes (spec: RLY-024).
    fn say_farewell(&mut self) {
        if self.intake != Intake::Stopping || !self.work.is_empty() {
            return;
        }
        if self.purpose == Purpose::Session {
            let refusal = Refusal::from(Code::ShuttingDown);
            self.answer(RequestId::HELLO, Reply::refused(refusal));
        }
        self.intake = Intake::Closed(Ending::Stopping);
    }

    fn answer(&mut self, id: RequestId, reply: Reply) {
        let Some(answer) = self.shared.signers.sign(reply) else { return };
        if matches!(answer, Answer::Appended(_) | Answer::InboxSent { .. }) {
            crash::pass(Point::AnswerBeforeSend);
        }
        let bytes = frame::encode_answer(&AnswerFrame { id, answer });
        if let Some(recorder) = &self.shared.recorder {
            let frame = bytes.get(PREFIX_BYTES..).unwrap_or_default();
            recorder.record(self.place, Direction::Out, frame);
        }
        self.outbox.push(bytes);
    }
}

/// Waits until the client has everything, or has gone, within the bound (spec: RLY-043).
async fn flush(mut send: SendStream, until: Instant, ending: Ending) {
    if send.finish().is_ok() && timeout_at(until, send.stopped()).await.is_err() {
        let _gone = send.reset(ending.close_code());
    }
}
