//! The one writer: takes what waits, plans each write upon those before it, stores the group with
//! one sync, and only then lets outcomes and news out (spec: RLY-011, RLY-020).
//!
//! Owns the store and a thread. Its queue is bounded in writes and in bytes; a full queue is
//! answered `BUSY`. When the disk has failed, or the thread has died, nothing is written any more
//! and every write is refused: what is on disk is known again after the next start.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hushwire_relay_rules::{
    Group, News, Outcome, WaitingRoom, Write,
    store::{Object, Store},
};
use hushwire_wire::{error::Code, limit::Limits};
use tokio::sync::oneshot;

use crate::{
    clock, config,
    crash::{self, Point},
    fanout::Fanout,
};

/// A write on its way, with the place its outcome goes to.
struct Job {
    write: Write,
    weight_bytes: usize,
    outcome: oneshot::Sender<Outcome>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "all messages but one are writes; a box would cost each of them an allocation"
)]
enum Message {
    Write(Job),
    Stop,
}

/// Gives writes to the writer; as many as wanted.
#[derive(Clone)]
pub(crate) struct WriteQueue {
    sender: SyncSender<Message>,
    queued_bytes: Arc<AtomicUsize>,
    queued_bytes_max: usize,
}

/// The writer's thread.
pub(crate) struct Writer {
    queue: WriteQueue,
    thread: JoinHandle<()>,
}

impl WriteQueue {
    /// What the write comes to, once it is on disk or refused.
    pub(crate) async fn write(&self, write: Write) -> Outcome {
        let weight_bytes = write.weight_bytes();
        let queued = self.queued_bytes.fetch_add(weight_bytes, Ordering::Relaxed);
        let (outcome, receiver) = oneshot::channel();
        let job = Message::Write(Job { write, weight_bytes, outcome });
        let refused = if queued > self.queued_bytes_max {
            Some(Code::Busy)
        } else {
            match self.sender.try_send(job) {
                Ok(()) => None,
                Err(TrySendError::Full(_)) => Some(Code::Busy),
                Err(TrySendError::Disconnected(_)) => Some(Code::Internal),
            }
        };
        if let Some(code) = refused {
            self.queued_bytes.fetch_sub(weight_bytes, Ordering::Relaxed);
            return Outcome::not_tried(code);
        }
        // Dropped without an outcome: the writer has stopped or died before it stored the write.
        receiver.await.unwrap_or_else(|_| Outcome::not_tried(Code::Internal))
    }
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's error if it gives no thread.
    pub(crate) fn start<S: Store + Send + 'static>(
        store: S,
        rules: Rules,
        fanout: Arc<Fanout>,
        bounds: Bounds,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(bounds.queue_max);
        let queue = WriteQueue {
            sender,
            queued_bytes: Arc::default(),
            queued_bytes_max: bounds.queue_bytes_max,
        };
        let queued_bytes = Arc::clone(&queue.queued_bytes);
        let due = Instant::now();
        let owner = Owner { store, rules, fanout, bounds, receiver, queued_bytes, due };
        let thread =
            std::thread::Builder::new().name("hush-writer".to_owned()).spawn(|| owner.run())?;
        Ok(Self { queue, thread })
    }

    /// Where writes go.
    pub(crate) fn queue(&self) -> WriteQueue {
        self.queue.clone()
    }

    /// Stores what waits, then ends the thread and closes the store. Blocks.
    pub(crate) fn stop(self) {
        // An error says that the thread is gone already.
        let stopped = self.queue.sender.send(Message::Stop).is_ok();
        if self.thread.join().is_err() || !stopped {
            tracing::error!("the writer died before the stop; the next start recovers the store");
        }
    }
}

/// What writes are planned with, beside the store.
pub(crate) struct Rules {
    pub(crate) limits: Arc<Limits>,
    pub(crate) waiting: WaitingRoom,
}

/// Bounds of the writer.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Writes that wait.
    pub(crate) queue_max: usize,
    /// Bytes that wait.
    pub(crate) queue_bytes_max: usize,
    /// Writes that share a sync.
    pub(crate) group_max: usize,
    /// Bytes that share a sync; the write that reaches it is still in.
    pub(crate) group_bytes_max: usize,
    /// Time between two removals of expired rows.
    pub(crate) expire_every: Duration,
    /// Rows removed before waiting writes get their turn.
    pub(crate) expire_rows_max: usize,
}

impl From<&config::Config> for Bounds {
    fn from(config: &config::Config) -> Self {
        let bytes = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            queue_max: config.writer.queue_max.into(),
            queue_bytes_max: bytes(config.writer.queue_bytes_max),
            group_max: config.writer.group_max.into(),
            group_bytes_max: bytes(config.writer.group_bytes_max),
            expire_every: Duration::from_millis(config.store.expire_every_ms.into()),
            expire_rows_max: bytes(config.store.expire_rows_max),
        }
    }
}

/// What the thread owns.
struct Owner<S> {
    store: S,
    rules: Rules,
    fanout: Arc<Fanout>,
    bounds: Bounds,
    receiver: Receiver<Message>,
    queued_bytes: Arc<AtomicUsize>,
    due: Instant,
}

/// What a turn of the writer found.
enum Turn {
    GoesOn,
    Stops,
}

impl<S: Store> Owner<S> {
    fn run(mut self) {
        loop {
            let wait = self.due.saturating_duration_since(Instant::now());
            let turn = match self.receiver.recv_timeout(wait) {
                Ok(Message::Write(job)) => self.store_group(job),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => Turn::Stops,
                Err(RecvTimeoutError::Timeout) => Turn::GoesOn,
            };
            if matches!(turn, Turn::Stops) {
                return;
            }
            if self.due <= Instant::now() {
                self.expire();
            }
        }
    }

    /// One group: the job and what waits behind it, within the bounds.
    fn store_group(&mut self, first: Job) -> Turn {
        let now = clock::now();
        let mut group = Group::new();
        let mut bytes = 0_usize;
        let mut chunks = Chunks::None;
        let mut turn = Turn::GoesOn;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            self.queued_bytes.fetch_sub(job.weight_bytes, Ordering::Relaxed);
            bytes = bytes.saturating_add(job.weight_bytes);
            if matches!(job.write.object(), Object::Blob(_)) {
                chunks = Chunks::Some;
            }
            let Rules { limits, waiting } = &mut self.rules;
            group.plan(&self.store, limits, waiting, now, job.outcome, &job.write);
            if group.len() < self.bounds.group_max && bytes < self.bounds.group_bytes_max {
                next = match self.receiver.try_recv() {
                    Ok(Message::Write(job)) => Some(job),
                    Ok(Message::Stop) => {
                        turn = Turn::Stops;
                        None
                    }
                    Err(_) => None,
                };
            }
        }
        crash::pass(Point::WritePlanned);
        self.finish_group(group, chunks);
        turn
    }

    fn finish_group(&mut self, group: Group<oneshot::Sender<Outcome>>, chunks: Chunks) {
        let stored = group.commit(&mut self.store);
        if let Some(failure) = stored.failure {
            tracing::error!(%failure, "writes were refused");
        } else if matches!(chunks, Chunks::Some) {
            crash::pass(Point::BlobChunkStored);
        }
        for (outcome_to, outcome) in stored.outcomes {
            // The session may be gone; what it wrote is stored all the same.
            let _gone = outcome_to.send(outcome);
        }
        crash::pass(Point::FanoutBeforeWake);
        self.fanout.publish(&distinct(stored.news));
    }

    /// Removes some expired rows; when there are more, goes on after the writes that wait.
    fn expire(&mut self) {
        let removed = self.store.expire(clock::now(), self.bounds.expire_rows_max);
        let pause = match removed {
            Ok(removed) if removed >= self.bounds.expire_rows_max => Duration::ZERO,
            Ok(_) => self.bounds.expire_every,
            Err(failure) => {
                tracing::error!(%failure, "expired rows were not removed");
                self.bounds.expire_every
            }
        };
        self.due = Instant::now() + pause;
    }
}

/// Whether a group holds changes of blobs.
enum Chunks {
    None,
    Some,
}

fn distinct(mut news: Vec<News>) -> Vec<News> {
    news.sort_unstable();
    news.dedup();
    news
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use bytes::Bytes;
    use hushwire_relay_rules::{
        MemoryStore, Session, Source, Step,
        store::{Batch, Read, ReadLimit, Revision, Row, StoreError, Table},
    };
    use hushwire_wire::{
        id::{Nonce, PublicKey, Timestamp, UploadKey},
        message::{Hello, Request, RequestId},
        version::VersionRange,
    };
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    /// What a commit does.
    enum Disk {
        Waits(Receiver<()>),
        Fails(StoreError),
        Panics,
    }

    struct TestStore(MemoryStore, Disk);

    impl Read for TestStore {
        fn revision(&self, object: &Object) -> Result<Revision, StoreError> {
            self.0.revision(object)
        }

        fn row(
            &self,
            object: &Object,
            table: Table,
            key: &[u8],
            now: Timestamp,
        ) -> Result<Option<Bytes>, StoreError> {
            self.0.row(object, table, key, now)
        }

        fn rows(
            &self,
            object: &Object,
            table: Table,
            prefix: &[u8],
            from: &[u8],
            limit: ReadLimit,
            now: Timestamp,
        ) -> Result<Vec<Row>, StoreError> {
            self.0.rows(object, table, prefix, from, limit, now)
        }
    }

    impl Store for TestStore {
        fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
            match &self.1 {
                Disk::Waits(go) => go.recv().unwrap(),
                Disk::Fails(error) => return Err(*error),
                Disk::Panics => panic!("as a bug would"),
            }
            self.0.commit(batches)
        }

        fn expire(&mut self, now: Timestamp, rows_max: usize) -> Result<usize, StoreError> {
            self.0.expire(now, rows_max)
        }
    }

    fn start(disk: Disk) -> Writer {
        let bounds = Bounds {
            queue_max: 1,
            queue_bytes_max: 1 << 20,
            group_max: 1,
            group_bytes_max: 1 << 20,
            expire_every: Duration::from_secs(60),
            expire_rows_max: 1,
        };
        let store = TestStore(MemoryStore::new(), disk);
        let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
        let rules = Rules { limits: Arc::new(Limits::V1), waiting: WaitingRoom::new(rng) };
        Writer::start(store, rules, Arc::new(Fanout::new()), bounds).unwrap()
    }

    /// A session with so many writes of its own under way.
    fn writes(count: u8) -> (Session, Vec<(RequestId, Write)>) {
        let now = Timestamp(0);
        let relay = PublicKey::from_bytes([1; 32]);
        let (nonce, source) = (Nonce::from_bytes([2; 32]), Source::from_bytes([1; 8]));
        let mut session = Session::new(relay, Arc::default(), nonce, source);
        let nonce = Nonce::from_bytes([3; 32]);
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 };
        session.handle(now, RequestId(0), Request::Hello(hello));
        let writes = (1..=count).map(|number| {
            let id = RequestId(number.into());
            let request = Request::BlobCreate { key: UploadKey::from_bytes([number; 32]), size: 1 };
            let Step::Write(write) = session.handle(now, id, request) else { panic!("no write") };
            (id, write)
        });
        let writes = writes.collect();
        (session, writes)
    }

    fn code(session: &mut Session, id: RequestId, outcome: Outcome) -> Option<Code> {
        match session.complete(id, outcome) {
            Step::Reply(reply) => reply.code(),
            other => panic!("no reply: {other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_queue_is_busy_and_nothing_is_acknowledged_before_the_commit() {
        // spec: RLY-011, RLY-020
        let (go, waits) = mpsc::channel();
        let writer = start(Disk::Waits(waits));
        let (mut session, writes) = writes(3);
        let mut under_way = Vec::new();
        for (id, write) in writes {
            let queue = writer.queue();
            let (sent, was_sent) = oneshot::channel();
            let outcome = tokio::spawn(async move {
                let mut writing = std::pin::pin!(queue.write(write));
                // One poll sends it or refuses it.
                let first = poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await;
                sent.send(()).unwrap();
                match first {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => writing.await,
                }
            });
            was_sent.await.unwrap();
            if id == RequestId(1) {
                // The thread has it, so the queue is empty again.
                while writer.queue.queued_bytes.load(Ordering::Relaxed) > 0 {
                    tokio::task::yield_now().await;
                }
            }
            under_way.push((id, outcome));
        }
        let (id, third) = under_way.pop().unwrap();
        assert_eq!(code(&mut session, id, third.await.unwrap()), Some(Code::Busy));
        assert!(under_way.iter().all(|(_, outcome)| !outcome.is_finished()));
        for (id, outcome) in under_way {
            go.send(()).unwrap();
            assert_eq!(code(&mut session, id, outcome.await.unwrap()), None);
        }
        tokio::task::spawn_blocking(|| writer.stop()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failed_disk_and_a_dead_writer_refuse_by_name() {
        // spec: RLY-011
        let cases = [
            (Disk::Fails(StoreError::Full), Code::StorageFull),
            (Disk::Fails(StoreError::Failed), Code::Internal),
            (Disk::Panics, Code::Internal),
        ];
        for (disk, expected) in cases {
            let writer = start(disk);
            let (mut session, writes) = writes(3);
            for (id, write) in writes {
                let outcome = writer.queue().write(write).await;
                assert_eq!(code(&mut session, id, outcome), Some(expected));
            }
            tokio::task::spawn_blocking(|| writer.stop()).await.unwrap();
        }
    }
}
