//! The client as an app embeds it: open a profile, give commands, read events.
//!
//! One process owns a profile. Another one that opens it forwards its commands to the owner over
//! the profile's local socket, so that both see one engine and one order of events.

mod error;
mod forward;
mod options;

use std::{sync::Arc, time::Duration};

use hushwire_engine::{
    command::{Command, CommandError, RelayState, Reply, StatusInfo},
    engine::{Engine, Settings},
    event::{EventNumber, NumberedEvent},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::Instant,
};

pub use error::{ClientError, OpenError};
pub use options::{Create, OpenOptions, StoreKeySource};

use crate::{
    client::forward::{Remote, Served},
    driver::{self, Ask, Notice, Running},
    local::LocalServer,
    lock::{LockError, ProfileLock},
    store::{SqlcipherStore, StoreKey},
};

/// Events that one question returns at most.
const EVENTS_MAX: u32 = 1_000;
/// Longest wait for a process that has taken the profile and does not serve it yet.
const OWNER_START_MAX: Duration = Duration::from_secs(3);
/// Longest wait before a forwarding process asks for events again.
const REMOTE_WAIT: Duration = Duration::from_millis(100);

/// A profile, open.
pub struct Client {
    place: Place,
}

enum Place {
    Here(Box<Owner>),
    There(Remote),
}

/// What the process that owns a profile holds.
struct Owner {
    running: Running,
    served: JoinHandle<()>,
    _lock: ProfileLock,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Client(..)")
    }
}

impl Client {
    /// Opens a profile: as its owner, or, if another process owns it, through that one.
    ///
    /// # Errors
    /// [`OpenError`]; its text says what is wrong, [`OpenError::advice`] what to do.
    pub async fn open(options: OpenOptions) -> Result<Self, OpenError> {
        let lock = match ProfileLock::take(options.profile()) {
            Ok(lock) => lock,
            Err(LockError::ProfileBusy) => {
                let remote = reach_owner(options.profile()).await?;
                return Ok(Self { place: Place::There(remote) });
            }
            Err(LockError::NotUsable(kind)) => return Err(OpenError::NotUsable(kind)),
        };
        let profile = options.profile().to_owned();
        let transport = options.transport();
        let settings = Settings { isolation: options.isolation() };
        // Stretching a passphrase takes its time; it must not hold the app's runtime.
        let engine = tokio::task::spawn_blocking(move || open_engine(options, settings))
            .await
            .map_err(|_| OpenError::Stopped)??;
        let running = driver::start(engine, transport).map_err(|_| OpenError::NoThread)?;
        let served = serve(&profile, &lock, &running).map_err(|_| OpenError::NoSocket)?;
        Ok(Self { place: Place::Here(Box::new(Owner { running, served, _lock: lock })) })
    }

    /// Does or answers what is asked. When this returns, it is durable.
    ///
    /// # Errors
    /// [`ClientError::Command`] says why the command was refused; nothing was changed then.
    pub async fn command(&self, command: Command) -> Result<Reply, ClientError> {
        match &self.place {
            Place::Here(owner) => ask(&owner.running.commands, command).await,
            Place::There(remote) => remote.command(&command).await,
        }
    }

    /// Events from `from` on, as many as there are.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn events(&self, from: EventNumber) -> Result<Vec<NumberedEvent>, ClientError> {
        let command = Command::Events { from, count_max: EVENTS_MAX };
        match self.command(command).await? {
            Reply::Events(events) => Ok(events),
            _ => Err(ClientError::OtherVersion),
        }
    }

    /// Events from `from` on; waits until there is at least one. Can be dropped while it waits.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn next_events(&self, from: EventNumber) -> Result<Vec<NumberedEvent>, ClientError> {
        let mut changes = self.changes();
        loop {
            let events = self.events(from).await?;
            if !events.is_empty() {
                return Ok(events);
            }
            changes.next().await?;
        }
    }

    /// Waits until nothing waits for the network and every relay is current, or until the time is
    /// over; says how it is then.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn settled(&self, timeout: Duration) -> Result<StatusInfo, ClientError> {
        let until = Instant::now() + timeout;
        let mut changes = self.changes();
        loop {
            let Reply::Status(status) = self.command(Command::Status).await? else {
                return Err(ClientError::OtherVersion);
            };
            let current = status.relays.iter().all(|relay| relay.state == RelayState::Current);
            if status.waiting == 0 && current {
                return Ok(status);
            }
            match tokio::time::timeout_at(until, changes.next()).await {
                Ok(changed) => changed?,
                Err(_) => return Ok(status),
            }
        }
    }

    /// Changes from now on: events, progress of files, the state of relays.
    pub fn changes(&self) -> Changes {
        match &self.place {
            Place::Here(owner) => Changes { notices: Some(owner.running.notices.clone()) },
            Place::There(_) => Changes { notices: None },
        }
    }

    /// Ends: what was accepted is durable, and goes on when the profile is opened again.
    pub async fn close(self) {
        if let Place::Here(owner) = self.place {
            owner.served.abort();
            owner.running.stop().await;
        }
    }
}

/// Says when something changed.
#[derive(Debug)]
pub struct Changes {
    /// `None`: the owner is another process, which is asked now and then.
    notices: Option<watch::Receiver<Notice>>,
}

impl Changes {
    /// Waits for the next change. A change that nobody waited for is not lost.
    ///
    /// # Errors
    /// [`ClientError::Gone`] when the client was closed.
    pub async fn next(&mut self) -> Result<(), ClientError> {
        match &mut self.notices {
            Some(notices) => notices.changed().await.map_err(|_| ClientError::Gone),
            None => {
                tokio::time::sleep(REMOTE_WAIT).await;
                Ok(())
            }
        }
    }
}

/// Connects to the process that owns the profile; one that has only just started serves soon.
async fn reach_owner(profile: &std::path::Path) -> Result<Remote, OpenError> {
    let until = Instant::now() + OWNER_START_MAX;
    loop {
        match Remote::connect(profile).await {
            Ok(remote) => return Ok(remote),
            Err(_) if Instant::now() < until => tokio::time::sleep(REMOTE_WAIT).await,
            Err(_) => return Err(OpenError::ProfileBusy),
        }
    }
}

fn open_engine(
    options: OpenOptions,
    settings: Settings,
) -> Result<Engine<SqlcipherStore>, OpenError> {
    let mut rng = seeded()?;
    let (create, cost) = (options.creation(), options.cost());
    let profile = options.profile().to_owned();
    let key: StoreKey = options.into_key().ok_or(OpenError::NoKey)?;
    let store = match create {
        Create::New => SqlcipherStore::create(&profile, &key, cost, &mut rng)?,
        Create::OpenExisting => SqlcipherStore::open(&profile, &key, cost, &mut rng)?,
    };
    Ok(Engine::open(store, Box::new(rng), settings, driver::now())?)
}

/// A generator seeded from the operating system.
fn seeded() -> Result<ChaCha20Rng, OpenError> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut seed[..])
        .map_err(|_| OpenError::NoRandomness)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// Serves other processes of the same user on the profile's socket.
fn serve(
    profile: &std::path::Path,
    lock: &ProfileLock,
    running: &Running,
) -> Result<JoinHandle<()>, crate::local::LocalError> {
    let server = LocalServer::bind(profile, lock)?;
    let handler = Arc::new(Served::new(running.commands.clone()));
    Ok(tokio::spawn(async move { server.serve(handler).await }))
}

/// Asks the engine in this process.
async fn ask(
    commands: &tokio::sync::mpsc::Sender<Ask>,
    command: Command,
) -> Result<Reply, ClientError> {
    let (reply, answer) = oneshot::channel();
    commands.send(Ask { command, reply }).await.map_err(|_| ClientError::Gone)?;
    let answered: Result<Reply, CommandError> = answer.await.map_err(|_| ClientError::Gone)?;
    Ok(answered?)
}
