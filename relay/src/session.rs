//! One connection: its handshake, its first stream as the session, further streams as lanes.
//!
//! ```text
//! connection ─▶ first stream ─▶ Lane (Session) ─┐
//!           └▶ further ones ─▶ Lane (Blobs) ────┴▶ SessionState: the rules' session, shared
//! ```

mod lane;
mod ongoing;
mod outbox;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hushwire_relay_rules::Session;
use hushwire_wire::{error::Code, id::Nonce, message::RequestId};
use quinn::{Connection, Incoming, ServerConfig, VarInt};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use self::lane::{Lane, Purpose};
use crate::{listen::Handshake, random, record::Place, relay::Shared, source::draw_source};

/// Time for a client to take the last frames of a session or lane that ends (spec: RLY-043).
const FLUSH_WAIT: Duration = Duration::from_secs(2);

static SESSIONS: AtomicU64 = AtomicU64::new(1);

/// How a session or one of its lanes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The client closed it, or is gone.
    ByClient,
    /// The client said something after which the stream cannot be trusted.
    Refused(Code),
    /// No hello came in time.
    NoHello,
    /// The relay stops.
    Stopping,
}

impl Ending {
    /// The QUIC application error code: that of the refusal, 0 for a session that ended well.
    fn close_code(self) -> VarInt {
        match self {
            Self::ByClient => VarInt::from_u32(0),
            Self::Refused(code) => VarInt::from_u32(code.number()),
            Self::NoHello => VarInt::from_u32(Code::HelloMisplaced.number()),
            Self::Stopping => VarInt::from_u32(Code::ShuttingDown.number()),
        }
    }
}

/// Whether the hello is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Due,
    Done,
}

/// What the lanes of one session share.
struct SessionState {
    core: Mutex<Session>,
    greeted: AtomicBool,
    greeting_done: Notify,
    /// Readings of lanes that the session's first stream has stopped.
    stopped: Mutex<BTreeSet<RequestId>>,
}

impl SessionState {
    fn new(core: Session) -> Self {
        Self {
            core: Mutex::new(core),
            greeted: AtomicBool::new(false),
            greeting_done: Notify::new(),
            stopped: Mutex::default(),
        }
    }

    /// The rules' session; held for one call, never across an await.
    fn core(&self) -> MutexGuard<'_, Session> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn greeting(&self) -> Greeting {
        if self.greeted.load(Ordering::Relaxed) { Greeting::Done } else { Greeting::Due }
    }

    fn greeted(&self) {
        self.greeted.store(true, Ordering::Relaxed);
        self.greeting_done.notify_one();
    }

    fn stop_elsewhere(&self, reading: RequestId) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).insert(reading);
    }

    fn take_stopped(&self, reading: RequestId) -> bool {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).remove(&reading)
    }
}

/// Serves one incoming connection, within the bounds of this server, to its end.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    (incoming, server): (Incoming, Arc<ServerConfig>),
    handshake: Handshake,
) {
    let source = draw_source(incoming.remote_address());
    let hello_until = Instant::now() + Duration::from_millis(shared.limits.hello_wait_ms);
    // A handshake that fails or dawdles is the client's affair (spec: RLY-005).
    let Ok(connecting) = incoming.accept_with(server) else { return };
    let Ok(Ok(connection)) = timeout_at(hello_until, connecting).await else { return };
    drop(handshake);
    let Ok(nonce) = random::secret_bytes() else {
        tracing::error!("the operating system gives no randomness; a connection was refused");
        return connection.close(VarInt::from_u32(Code::Internal.number()), b"");
    };
    let nonce = Nonce::from_bytes(*nonce);
    let core = Session::new(shared.relay_key, Arc::clone(&shared.limits), nonce, source);
    let state = Arc::new(SessionState::new(core));
    let ending = run(&shared, &connection, state, hello_until).await;
    tracing::debug!(?ending, "a session ended");
    connection.close(ending.close_code(), b"");
}

async fn run(
    shared: &Arc<Shared>,
    connection: &Connection,
    state: Arc<SessionState>,
    hello_until: Instant,
) -> Ending {
    let session = SESSIONS.fetch_add(1, Ordering::Relaxed);
    let streams = match timeout_at(hello_until, connection.accept_bi()).await {
        Ok(Ok(streams)) => streams,
        Ok(Err(_)) => return Ending::ByClient,
        Err(_) => return Ending::NoHello,
    };
    let lane = |purpose, lane| {
        Lane::new(Arc::clone(shared), Arc::clone(&state), purpose, Place { session, lane })
    };
    let mut lanes = JoinSet::new();
    let mut next_lane = 1;
    let mut first = std::pin::pin!(lane(Purpose::Session, 0).run(streams, hello_until));
    let ending = loop {
        tokio::select! {
            ending = &mut first => break ending,
            () = state.greeting_done.notified() => {}
            streams = connection.accept_bi(), if state.greeting() == Greeting::Done => {
                let Ok(streams) = streams else { break Ending::ByClient };
                lanes.spawn(lane(Purpose::Blobs, next_lane).run(streams, hello_until));
                next_lane += 1;
            }
            Some(ended) = lanes.join_next(), if !lanes.is_empty() => {
                match ended {
                    Ok(Ending::ByClient | Ending::Stopping) => {}
                    Ok(ending) => break ending,
                    Err(_) => break Ending::Refused(Code::Internal),
                }
            }
        }
    };
    if ending == Ending::Stopping {
        while lanes.join_next().await.is_some() {}
    }
    lanes.shutdown().await;
    ending
}
