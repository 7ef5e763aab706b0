//! A relay in this process, behind the same trait as the real one: the rules' sessions over a memory
//! store, without sockets. Frames go through their encoding, so that what the wire would refuse is
//! refused here too.
//!
//! A story can lose, delay and cut: see [`Fate`]. The relay's clock goes with the runtime's (which a
//! test can pause) and can be moved forward by hand.

mod lane;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures::future::BoxFuture;
use hushwire::transport::{ConnectError, Connection, Lane, LinkError, RelayTarget, Transport};
use hushwire_relay_rules::{
    Group, MemoryStore, Progress, Reading, Reply, Session, Signer, Source, Step, WaitingRoom, Wake,
    store::ReadLimit,
};
use hushwire_wire::{
    SigningKey,
    error::Code,
    frame::{AnswerFrame, RequestFrame},
    id::{Nonce, Timestamp},
    limit::Limits,
    message::{Request, RequestId},
    transcript,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

/// What a reading takes from the store in one go.
const RUN: ReadLimit = ReadLimit { rows_max: 64, bytes_max: 64 * 1024 };

/// What becomes of a frame on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives.
    Deliver,
    /// It arrives later, and so does everything behind it.
    Delay(Duration),
    /// It never arrives, and the connection goes on.
    Lose,
    /// The connection breaks before it arrives.
    CutBefore,
    /// It arrives, and then the connection breaks. A request is carried out; its answer is lost.
    CutAfter,
}

/// A frame on its way.
pub(crate) enum Passing<'a> {
    /// To the relay.
    Request(&'a RequestFrame),
    /// From the relay.
    Answer(&'a AnswerFrame),
}

type Hook = Arc<dyn Fn(&Passing<'_>) -> Fate + Send + Sync>;

/// A relay in memory. Clones are the same relay.
#[derive(Clone)]
pub(crate) struct MemoryRelay {
    core: Arc<Mutex<Core>>,
    target: RelayTarget,
}

struct Core {
    store: MemoryStore,
    signer: Signer,
    limits: Arc<Limits>,
    waiting: WaitingRoom,
    started: Instant,
    ahead: Duration,
    sessions: BTreeMap<u64, Open>,
    sessions_so_far: u64,
    hook: Hook,
    refusing: Option<ConnectError>,
}

/// A connection at the relay.
struct Open {
    session: Session,
    readings: BTreeMap<RequestId, Ongoing>,
    lanes: Vec<mpsc::UnboundedSender<AnswerFrame>>,
    cut: watch::Sender<Option<LinkError>>,
}

struct Ongoing {
    reading: Reading,
    lane: usize,
    wake: Wake,
}

impl MemoryRelay {
    /// A relay with these bounds, whose key is made from `seed`.
    pub(crate) fn new(seed: u8, limits: Limits) -> Self {
        let signer = Signer::new(SigningKey::from_bytes(&[seed; 32]));
        let relay = transcript::relay_id(&signer.public_key());
        let core = Core {
            store: MemoryStore::new(),
            signer,
            limits: Arc::new(limits),
            waiting: WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(seed.into()))),
            started: Instant::now(),
            ahead: Duration::ZERO,
            sessions: BTreeMap::new(),
            sessions_so_far: 0,
            hook: Arc::new(|_| Fate::Deliver),
            refusing: None,
        };
        let target = RelayTarget { host: format!("memory-{seed}"), port: 1, relay };
        Self { core: Arc::new(Mutex::new(core)), target }
    }

    /// Its address and id.
    pub(crate) fn target(&self) -> RelayTarget {
        self.target.clone()
    }

    /// Decides the fate of each frame from now on.
    pub(crate) fn set_hook(&self, hook: impl Fn(&Passing<'_>) -> Fate + Send + Sync + 'static) {
        self.core().hook = Arc::new(hook);
    }

    /// Refuses new connections like this, until told otherwise by `None`.
    pub(crate) fn refuse_connections(&self, error: Option<ConnectError>) {
        self.core().refusing = error;
    }

    /// Breaks every connection.
    pub(crate) fn cut_all(&self) {
        for (_, open) in std::mem::take(&mut self.core().sessions) {
            open.cut.send_replace(Some(LinkError::Lost));
        }
    }

    /// Moves the relay's clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.core().ahead += by;
    }

    /// Looks at, or harms, what the relay stores.
    pub(crate) fn with_store<T>(&self, work: impl FnOnce(&mut MemoryStore) -> T) -> T {
        work(&mut self.core().store)
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap()
    }
}

impl Transport for MemoryRelay {
    fn connect(
        &self,
        target: RelayTarget,
    ) -> BoxFuture<'_, Result<Box<dyn Connection>, ConnectError>> {
        Box::pin(async move {
            let mut core = self.core();
            if let Some(error) = core.refusing {
                return Err(error);
            }
            if (&target.host, target.port) != (&self.target.host, self.target.port) {
                return Err(ConnectError::Unresolvable);
            }
            if target.relay != self.target.relay {
                return Err(ConnectError::RelayKeyMismatch);
            }
            let number = core.open();
            let tasks = Mutex::new(JoinSet::new());
            Ok(Box::new(MemoryConnection { relay: self.clone(), number, tasks }) as Box<_>)
        })
    }
}

struct MemoryConnection {
    relay: MemoryRelay,
    number: u64,
    tasks: Mutex<JoinSet<()>>,
}

impl Connection for MemoryConnection {
    fn open_lane(&self) -> BoxFuture<'_, Result<Lane, LinkError>> {
        Box::pin(async move {
            let mut core = self.relay.core();
            let open = core.sessions.get_mut(&self.number).ok_or(LinkError::Lost)?;
            let (outgoing, outgoing_end) = mpsc::unbounded_channel();
            open.lanes.push(outgoing);
            let place = lane::Place { session: self.number, lane: open.lanes.len() - 1 };
            let cut = open.cut.subscribe();
            let mut tasks = self.tasks.lock().unwrap();
            Ok(lane::spawn(&mut tasks, self.relay.clone(), place, outgoing_end, cut))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.relay.core().end(self.number, LinkError::ClosedHere) })
    }
}

impl Drop for MemoryConnection {
    fn drop(&mut self) {
        self.relay.core().end(self.number, LinkError::ClosedHere);
    }
}

impl Core {
    fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed() + self.ahead;
        Timestamp(1_800_000_000_000).plus_ms(u64::try_from(elapsed.as_millis()).unwrap())
    }

    fn open(&mut self) -> u64 {
        self.sessions_so_far += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.sessions_so_far.to_be_bytes());
        let (key, limits) = (self.signer.public_key(), Arc::clone(&self.limits));
        let source = Source::from_bytes(self.sessions_so_far.to_be_bytes());
        let session = Session::new(key, limits, Nonce::from_bytes(nonce), source);
        let (cut, _) = watch::channel(None);
        let open = Open { session, readings: BTreeMap::new(), lanes: Vec::new(), cut };
        self.sessions.insert(self.sessions_so_far, open);
        self.sessions_so_far
    }

    fn end(&mut self, session: u64, reason: LinkError) {
        if let Some(open) = self.sessions.remove(&session) {
            open.cut.send_replace(Some(reason));
        }
    }

    /// Carries a request out, with everything that follows from it.
    fn take(&mut self, place: lane::Place, frame: RequestFrame) {
        let now = self.now();
        let Some(open) = self.sessions.get_mut(&place.session) else { return };
        let id = frame.id;
        if place.lane > 0 && !is_for_blobs(&frame.request) {
            return self.answer(place, id, Reply::refused(Code::Unsupported.into()));
        }
        let step = open.session.handle(now, id, frame.request);
        self.act(place, id, step);
        self.run_readings();
    }

    fn act(&mut self, place: lane::Place, id: RequestId, step: Step) {
        let now = self.now();
        let outcome = match step {
            Step::Reply(reply) => return self.answer(place, id, reply),
            Step::ReplyThenClose(reply) => {
                let reason =
                    reply.code().map_or(LinkError::ClosedUnexplained, LinkError::ClosedByRelay);
                self.answer(place, id, reply);
                return self.end(place.session, reason);
            }
            Step::Read(reading) => {
                let ongoing = Ongoing { reading, lane: place.lane, wake: Wake::Due };
                if let Some(open) = self.sessions.get_mut(&place.session) {
                    open.readings.insert(id, ongoing);
                }
                return;
            }
            Step::Stop { readings, reply } => {
                for stopped in readings {
                    let Some(open) = self.sessions.get_mut(&place.session) else { return };
                    if let Some(ongoing) = open.readings.remove(&stopped) {
                        let place = lane::Place { lane: ongoing.lane, ..place };
                        self.answer(place, stopped, Reply::read_over());
                    }
                }
                return self.answer(place, id, reply);
            }
            Step::Lookup(lookup) => lookup.run(&self.store, now),
            Step::Write(write) => {
                let mut group = Group::new();
                group.plan(&self.store, &self.limits, &mut self.waiting, now, (), &write);
                let mut stored = group.commit(&mut self.store);
                let readings =
                    self.sessions.values_mut().flat_map(|open| open.readings.values_mut());
                for ongoing in readings {
                    let due =
                        stored.news.iter().any(|news| ongoing.reading.wake(news) == Wake::Due);
                    if due {
                        ongoing.wake = Wake::Due;
                    }
                }
                stored.outcomes.remove(0).1
            }
        };
        if let Some(open) = self.sessions.get_mut(&place.session) {
            let step = open.session.complete(id, outcome);
            self.act(place, id, step);
        }
    }

    /// Lets every reading that is due say what there is.
    fn run_readings(&mut self) {
        let now = self.now();
        let mut said = Vec::new();
        for (number, open) in &mut self.sessions {
            let Open { session, readings, .. } = open;
            readings.retain(|id, ongoing| {
                while ongoing.wake == Wake::Due {
                    let step = ongoing.reading.next(&self.store, now, RUN);
                    let place = lane::Place { session: *number, lane: ongoing.lane };
                    said.extend(step.replies.into_iter().map(|reply| (place, *id, reply)));
                    match step.progress {
                        Progress::More => {}
                        Progress::CaughtUp => ongoing.wake = Wake::Unconcerned,
                        Progress::Over => {
                            session.reading_over(*id);
                            return false;
                        }
                    }
                }
                true
            });
        }
        for (place, id, reply) in said {
            self.answer(place, id, reply);
        }
    }

    fn answer(&mut self, place: lane::Place, id: RequestId, reply: Reply) {
        let answer = self.signer.sign(reply);
        let lane = self.sessions.get(&place.session).and_then(|open| open.lanes.get(place.lane));
        if let Some(lane) = lane {
            // The lane may have ended already.
            let _sent = lane.send(AnswerFrame { id, answer });
        }
    }
}

/// What a lane other than the first may carry.
fn is_for_blobs(request: &Request) -> bool {
    matches!(
        request,
        Request::Ping
            | Request::Stop(_)
            | Request::BlobCreate { .. }
            | Request::BlobWrite { .. }
            | Request::BlobStat(_)
            | Request::BlobRead { .. }
            | Request::BlobDelete(_)
    )
}
