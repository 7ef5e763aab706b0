//! Runs an engine: gives it the time, the network and files, and does what it asks. Decides nothing.
//!
//! The engine lives on a thread of its own, because its store waits for the disk. Connections live
//! on the app's runtime; each is one task that the driver owns and ends.

mod connection;
mod transfers;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hushwire_engine::{
    command::{Command, CommandError, Reply},
    engine::Engine,
    io::{Input, Output},
    session::SessionNumber,
    store::StoreError,
};
use hushwire_wire::id::Timestamp;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    driver::{connection::ConnectionTask, transfers::Transfers},
    lock::ProfileLock,
    store::SqlcipherStore,
    transport::Transport,
};

/// Inputs that wait for the engine; a full queue holds the network back.
const INPUTS_MAX: usize = 256;
/// Commands that wait for the engine; a full queue holds the app back.
const COMMANDS_MAX: usize = 64;
/// Longest sleep without looking at the clock again, so that a changed clock is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Time without anything to do after which the store is settled.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// Tells the time of day.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What a driver works with.
pub(crate) struct Parts {
    pub(crate) engine: Engine<SqlcipherStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Clock,
    /// Given back when the store is closed, not before: the next owner opens it then.
    pub(crate) lock: ProfileLock,
}

/// A command with the place for its answer.
pub(crate) struct Ask {
    pub(crate) command: Command,
    pub(crate) reply: oneshot::Sender<Result<Reply, CommandError>>,
}

/// What the driver says without being asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Notice {
    /// Counts up when events were added.
    pub(crate) events: u64,
    /// Counts up when something else changed: progress, relays.
    pub(crate) status: u64,
}

/// A running engine, as its owner sees it.
pub(crate) struct Running {
    pub(crate) commands: mpsc::Sender<Ask>,
    pub(crate) notices: watch::Receiver<Notice>,
    thread: std::thread::JoinHandle<()>,
    /// The engine runs until this is dropped.
    alive: oneshot::Sender<()>,
    // Behind all that the thread waits for: fields are dropped in their order.
    ending: Ending,
}

/// Waits, when it is dropped, until the engine's thread is through: a process that ends meanwhile would
/// take the database's libraries from under it.
struct Ending(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

/// How long that is waited for.
const ENDING_WAIT: Duration = Duration::from_secs(2);

impl Drop for Ending {
    fn drop(&mut self) {
        // It sends nothing: it is over when the thread's half is dropped.
        let ended = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = ended.recv_timeout(ENDING_WAIT);
    }
}

impl Running {
    /// Ends the engine, its connections and its thread, and waits for that.
    pub(crate) async fn stop(self) {
        let Self { commands, notices, thread, alive, ending } = self;
        drop((commands, notices, alive));
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        drop(ending);
    }
}

/// Starts an engine on a thread of its own.
///
/// # Errors
/// [`StoreError::Failed`] if the machine gives no thread.
pub(crate) fn start(parts: Parts) -> Result<Running, StoreError> {
    let (commands, asked) = mpsc::channel(COMMANDS_MAX);
    let (notify, notices) = watch::channel(Notice::default());
    let (alive, gone) = oneshot::channel();
    let (through, ended) = std::sync::mpsc::channel();
    let network = Handle::current();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|_| StoreError::Failed)?;
    let thread = std::thread::Builder::new()
        .name("hushwire-engine".to_owned())
        .spawn(move || {
            let (inputs_in, inputs) = mpsc::channel(INPUTS_MAX);
            let Parts { engine, transport, clock, lock } = parts;
            let driver = Driver {
                engine,
                transport,
                clock,
                network: network.clone(),
                connections: HashMap::new(),
                transfers: Transfers::new(network, inputs_in.clone()),
                inputs_in,
                notice: Notice::default(),
                notify,
                busy_since: Some(Instant::now()),
            };
            runtime.block_on(driver.run(asked, inputs, gone));
            drop(lock);
            drop(through);
        })
        .map_err(|_| StoreError::Failed)?;
    Ok(Running { commands, notices, thread, alive, ending: Ending(std::sync::Mutex::new(ended)) })
}

struct Driver {
    engine: Engine<SqlcipherStore>,
    transport: Arc<dyn Transport>,
    clock: Clock,
    network: Handle,
    connections: HashMap<SessionNumber, ConnectionTask>,
    transfers: Transfers,
    inputs_in: mpsc::Sender<Input>,
    notice: Notice,
    notify: watch::Sender<Notice>,
    /// When something was done last; [`None`] when the store was settled since.
    busy_since: Option<Instant>,
}

impl Driver {
    async fn run(
        mut self,
        mut asked: mpsc::Receiver<Ask>,
        mut inputs: mpsc::Receiver<Input>,
        mut gone: oneshot::Receiver<()>,
    ) {
        self.do_outputs();
        loop {
            let (wait, idle) = (self.wait(), self.busy_since.map(|since| since + IDLE_WAIT));
            tokio::select! {
                _ = &mut gone => break,
                ask = asked.recv() => match ask {
                    Some(ask) => self.answer(ask),
                    None => break,
                },
                input = inputs.recv() => {
                    // `inputs_in` lives as long as the driver, so there is always one.
                    if let Some(input) = input { self.feed(input) }
                }
                () = tokio::time::sleep(wait) => self.feed(Input::Timeout),
                () = sleep_until(idle) => {
                    self.settle();
                    continue;
                }
            }
            self.busy_since = Some(Instant::now());
            self.do_outputs();
        }
        self.transfers.stop();
        for (_, connection) in self.connections.drain() {
            connection.stop();
        }
    }

    fn wait(&self) -> Duration {
        let deadline = self.engine.poll_timeout();
        let wait = deadline.map(|at| Duration::from_millis(at.ms_since(self.now())));
        wait.unwrap_or(SLEEP_MAX).min(SLEEP_MAX)
    }

    fn now(&self) -> Timestamp {
        timestamp(&self.clock)
    }

    /// Leaves no overwritten page in the store's log (spec: CLI-086).
    fn settle(&mut self) {
        self.busy_since = None;
        if let Err(error) = self.engine.store().settle() {
            tracing::warn!(%error, "the store's log could not be cut off");
        }
    }

    fn answer(&mut self, ask: Ask) {
        let reply = self.engine.command(self.now(), ask.command);
        // Whoever asked may have gone meanwhile; what it asked for is done all the same.
        let _ = ask.reply.send(reply);
    }

    fn feed(&mut self, input: Input) {
        if let Input::Disconnected(session, _) = &input {
            self.connections.remove(session);
        }
        if let Err(error) = self.engine.handle_input(self.now(), input) {
            tracing::error!(%error, "the store failed; connections are closed and tried again");
        }
    }

    fn do_outputs(&mut self) {
        let before = (self.notice.events, self.notice.status);
        while let Some(output) = self.engine.poll_output() {
            self.do_output(output);
        }
        if before != (self.notice.events, self.notice.status) {
            self.notify.send_replace(self.notice);
        }
    }

    fn do_output(&mut self, output: Output) {
        match output {
            Output::Connect { session, relay } => {
                let task = ConnectionTask::start(
                    &self.network,
                    Arc::clone(&self.transport),
                    session,
                    &relay,
                    self.inputs_in.clone(),
                );
                self.connections.insert(session, task);
            }
            Output::Send { session, lane, frame } => {
                // A connection that is gone says so by itself.
                if let Some(connection) = self.connections.get(&session) {
                    connection.send(lane, frame);
                }
            }
            Output::Close(session) => {
                if let Some(connection) = self.connections.remove(&session) {
                    connection.stop();
                }
            }
            Output::Events => self.notice.events = self.notice.events.wrapping_add(1),
            Output::StatusChanged => self.notice.status = self.notice.status.wrapping_add(1),
            file => self.transfers.take(file),
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The time that a clock tells.
pub(crate) fn timestamp(clock: &Clock) -> Timestamp {
    let since = clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
