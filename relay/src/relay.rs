//! A running relay: the parts put together, and taken apart in order.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use hushwire_relay_rules::WaitingRoom;
use hushwire_wire::{
    id::{PublicKey, RelayId},
    limit::Limits,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    config::{Config, ConfigError},
    crash::{self, Point, UnknownPoint},
    directory::{DataDirectory, DirectoryError},
    disk::Disk,
    fanout::Fanout,
    key::{Identity, KeyError, Origin},
    listen::{self, ListenError},
    random::{self, NoRandomness},
    record::{RecordError, Recorder},
    signers::Signers,
    store::rocks::{Bounds, OpenError, RocksStore},
    writer::{self, WriteQueue, Writer},
};

/// Why a relay does not start. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The endpoint.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The record of frames.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// No randomness for draws.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// No thread for the writer.
    #[error("the system gives no thread: {0}")]
    Thread(#[source] io::Error),
    /// A crash point that does not exist.
    #[error(transparent)]
    CrashPoint(#[from] UnknownPoint),
}

/// Whether the relay serves or stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It serves.
    Serving,
    /// It takes nothing new and finishes what is under way.
    Stopping,
}

impl Stage {
    pub(crate) const fn is_stopping(self) -> bool {
        matches!(self, Self::Stopping)
    }
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) limits: Arc<Limits>,
    pub(crate) relay_key: PublicKey,
    pub(crate) signers: Signers,
    pub(crate) disk: Disk,
    pub(crate) queue: WriteQueue,
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) stop: watch::Receiver<Stage>,
}

/// A relay that can be started.
#[derive(Clone, Debug)]
pub struct Relay {
    config: Config,
    record: Option<PathBuf>,
}

/// A relay that runs until it is stopped. Dropping it without [`RunningRelay::stop`] cuts it off as
/// a crash would: what was acknowledged is on disk.
pub struct RunningRelay {
    address: SocketAddr,
    id: RelayId,
    origin: Origin,
    stop: watch::Sender<Stage>,
    accept: JoinHandle<()>,
    writer: Option<Writer>,
    directory: Option<DataDirectory>,
}

impl Relay {
    /// A relay with this configuration.
    pub const fn new(config: Config) -> Self {
        Self { config, record: None }
    }

    /// Records every frame inside TLS, both ways, in a new file, for auditors who check blindness. The
    /// file holds bearer secrets and tells who used what and when (spec: RLY-041).
    #[must_use]
    pub fn dangerous_record_frames(mut self, file: PathBuf) -> Self {
        self.record = Some(file);
        self
    }

    /// Starts a relay with this configuration; within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] for the first part that does not come up.
    pub fn start(config: Config) -> Result<RunningRelay, StartError> {
        Self::new(config).run()
    }

    /// Starts the relay; within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] for the first part that does not come up.
    pub fn run(self) -> Result<RunningRelay, StartError> {
        crash::arm_from_environment()?;
        self.config.check()?;
        let directory = DataDirectory::open(&self.config.data)?;
        let Identity { key, origin } = Identity::load_or_make(&directory)?;
        let store = RocksStore::open(&directory.store(), &Bounds::from(&self.config.store))?;
        crash::pass(Point::StartOpened);
        let listener = listen::bind(&self.config, &key)?;
        let address = listen::address(&listener)?;
        // Last of what may fail by what the operator has to mend: a start in vain leaves no file.
        let recorder = self.record.as_deref().map(Recorder::create).transpose()?;
        let limits = Arc::new(self.config.limits());
        let fanout = Arc::new(Fanout::new());
        let disk = Disk::new(store.reader(), self.config.connections.disk_reads_max);
        let bounds = writer::Bounds::from(&self.config);
        let rng = ChaCha20Rng::from_seed(*random::secret_bytes()?);
        let rules =
            writer::Rules { limits: Arc::clone(&limits), waiting: WaitingRoom::new(Box::new(rng)) };
        let writer =
            Writer::start(store, rules, Arc::clone(&fanout), bounds).map_err(StartError::Thread)?;
        let (stop, stopping) = watch::channel(Stage::Serving);
        let shared = Arc::new(Shared {
            limits,
            relay_key: *key.public(),
            signers: Signers::new(&key),
            disk,
            queue: writer.queue(),
            fanout,
            recorder,
            stop: stopping,
        });
        let accept = tokio::spawn(listen::accept(listener, shared, self.config.connections));
        Ok(RunningRelay {
            address,
            id: *key.id(),
            origin,
            stop,
            accept,
            writer: Some(writer),
            directory: Some(directory),
        })
    }
}

impl RunningRelay {
    /// Where it listens; port 0 of the configuration is resolved.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name that clients pin.
    pub const fn relay_id(&self) -> &RelayId {
        &self.id
    }

    /// Whether it goes on under the key of an earlier start.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Stops: nothing new is taken, sessions are told, what waits is stored (spec: RLY-024).
    pub async fn stop(mut self) {
        crash::pass(Point::StopBegun);
        // An error says that every session is gone already.
        let _none = self.stop.send(Stage::Stopping);
        if (&mut self.accept).await.is_err() {
            tracing::error!("the listener died before the stop");
        }
        let (writer, directory) = (self.writer.take(), self.directory.take());
        let stopped = tokio::task::spawn_blocking(move || {
            if let Some(writer) = writer {
                writer.stop();
            }
            // Unlocked last: who comes next finds the store closed.
            drop(directory);
        });
        if stopped.await.is_err() {
            tracing::error!("the writer could not be stopped");
        }
    }
}

impl Drop for RunningRelay {
    fn drop(&mut self) {
        self.accept.abort();
    }
}
