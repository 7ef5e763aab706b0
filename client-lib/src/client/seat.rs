//! Where a client's engine is: in this process, or in the one that owns the profile. When that one
//! ends, this one owns the profile or finds the next owner (spec: CLI-087).

use std::{path::PathBuf, sync::Arc, time::Duration};

use hushwire_engine::{
    command::{Command, Reply},
    engine::{Engine, Settings},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tokio::{
    sync::{RwLock, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{
    ClientError, Create, OpenError, OpenOptions, ask,
    forward::{ConnectFailure, Remote, Served, Unheard},
    options::{KeyFor, StoreKeySource},
};
use crate::{
    driver::{self, Clock, Parts, Running},
    local::{LocalError, LocalServer},
    lock::{LockError, ProfileLock},
    random,
    store::{self, DatabaseKey, SqlcipherStore},
    transport::Transport,
};

/// Longest wait for a process that has taken the profile and does not serve it yet, or that is about
/// to give it back.
const OWNER_WAIT: Duration = Duration::from_secs(10);
/// Pause before such a process is tried again.
const OWNER_PAUSE: Duration = Duration::from_millis(50);
/// Owners that a command is brought to.
const OWNERS_MAX: u32 = 4;

/// Where the engine is.
enum Place {
    Here(Box<Owner>),
    There(Box<Remote>),
    Closed,
}

/// What the process that owns a profile holds. Its lock is with the engine.
struct Owner {
    running: Running,
    _served: Task,
}

/// A task that ends with its handle.
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A client's place, which may change.
pub(super) struct Seat {
    surroundings: Surroundings,
    place: RwLock<Place>,
    changed: watch::Sender<u64>,
}

/// What an engine needs, wherever its key comes from.
struct Surroundings {
    profile: PathBuf,
    transport: Arc<dyn Transport>,
    settings: Settings,
    clock: Clock,
}

impl Seat {
    /// Opens a profile.
    pub(super) async fn open(options: OpenOptions) -> Result<Self, OpenError> {
        let surroundings = Surroundings {
            profile: options.profile().to_owned(),
            transport: options.transport(),
            settings: Settings { isolation: options.isolation() },
            clock: options.time(),
        };
        let place = match take_lock(&surroundings)? {
            Some(lock) => surroundings.own(lock, options).await?,
            None => surroundings.join(options).await?,
        };
        Ok(Self { surroundings, place: RwLock::new(place), changed: watch::channel(0).0 })
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn say_changed(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) async fn command(&self, command: Command) -> Result<Reply, ClientError> {
        for _ in 0..OWNERS_MAX {
            let unheard = match &*self.place.read().await {
                Place::Here(owner) => return ask(&owner.running.commands, command).await,
                Place::Closed => return Err(ClientError::Gone),
                Place::There(remote) => match remote.command(&command).await {
                    Ok(reply) => return Ok(reply),
                    Err(unheard) => unheard,
                },
            };
            match unheard {
                Unheard::Failed(error) => return Err(error),
                Unheard::NotAsked => {}
                Unheard::Unanswered if command.only_reads() => {}
                Unheard::Unanswered => return Err(ClientError::Unanswered),
            }
            self.move_on().await?;
        }
        Err(ClientError::Gone)
    }

    /// Says of each change, wherever the engine is, until the client is closed.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            let place = self.place.read().await;
            match &*place {
                Place::Here(owner) => {
                    let mut notices = owner.running.notices.clone();
                    drop(place);
                    while notices.changed().await.is_ok() {
                        self.say_changed();
                    }
                    return;
                }
                Place::There(remote) => {
                    let ear = remote.ear();
                    drop(place);
                    ear.listen(|| self.say_changed()).await;
                }
                Place::Closed => return,
            }
            if self.move_on().await.is_err() {
                *self.place.write().await = Place::Closed;
                self.say_changed();
                return;
            }
        }
    }

    /// The owner has ended: owns the profile, or finds the one that does now.
    async fn move_on(&self) -> Result<(), ClientError> {
        let mut place = self.place.write().await;
        let key = match &*place {
            Place::Here(_) => return Ok(()),
            Place::Closed => return Err(ClientError::Gone),
            Place::There(remote) => remote.key(),
        };
        *place = self.surroundings.find(key).await.map_err(|_| ClientError::Gone)?;
        drop(place);
        self.say_changed();
        Ok(())
    }

    pub(super) async fn close(&self) {
        let place = std::mem::replace(&mut *self.place.write().await, Place::Closed);
        if let Place::Here(owner) = place {
            let Owner { running, _served: served } = *owner;
            drop(served);
            running.stop().await;
        }
    }
}

impl Surroundings {
    /// Opens or makes the store of a profile that nobody else has.
    async fn own(&self, lock: ProfileLock, options: OpenOptions) -> Result<Place, OpenError> {
        let (create, cost, profile) = (options.creation(), options.cost(), self.profile.clone());
        let source = options.into_key()?;
        // Stretching a passphrase takes its time; it must not hold the app's runtime.
        let store = blocking(move || {
            let mut rng = seeded()?;
            let exists = SqlcipherStore::exists(&profile);
            Ok(match (create, exists) {
                (Create::New, true) => return Err(store::OpenError::Exists.into()),
                (Create::OpenExisting, false) => return Err(store::OpenError::Absent.into()),
                (Create::New | Create::IfAbsent, false) => {
                    let key = source.into_store_key(KeyFor::New)?;
                    SqlcipherStore::create(&profile, &key, cost, &mut rng)?
                }
                (Create::OpenExisting | Create::IfAbsent, true) => {
                    let key = source.into_store_key(KeyFor::Existing)?;
                    SqlcipherStore::open(&profile, &key, cost, &mut rng)?
                }
            })
        })
        .await?;
        self.run(lock, store).await
    }

    /// Goes through the process that owns the profile, after the own key opened the header: what a
    /// wrong key or a wish for a new profile gets does not depend on who runs (spec: CLI-071).
    async fn join(&self, options: OpenOptions) -> Result<Place, OpenError> {
        let create = options.creation();
        let source = options.into_key()?;
        let until = Instant::now() + OWNER_WAIT;
        // The owner may be about to make the store.
        while !SqlcipherStore::exists(&self.profile) {
            if Instant::now() > until || create == Create::New {
                return Err(OpenError::ProfileBusy);
            }
            tokio::time::sleep(OWNER_PAUSE).await;
        }
        if create == Create::New {
            return Err(OpenError::Store(store::OpenError::Exists));
        }
        let database_key = self.unlock(source).await?;
        self.find(Arc::new(database_key)).await
    }

    async fn unlock(&self, source: StoreKeySource) -> Result<DatabaseKey, OpenError> {
        let profile = self.profile.clone();
        blocking(move || {
            let key = source.into_store_key(KeyFor::Existing)?;
            Ok(SqlcipherStore::unlock(&profile, &key)?)
        })
        .await
    }

    /// Owns the profile or reaches who does.
    async fn find(&self, key: Arc<DatabaseKey>) -> Result<Place, OpenError> {
        let until = Instant::now() + OWNER_WAIT;
        loop {
            if let Some(lock) = take_lock(self)? {
                let profile = self.profile.clone();
                let open = move || Ok(SqlcipherStore::open_unlocked(&profile, &key)?);
                let store = blocking(open).await?;
                return self.run(lock, store).await;
            }
            match Remote::connect(self.profile.clone(), Arc::clone(&key)).await {
                Ok(remote) => return Ok(Place::There(Box::new(remote))),
                Err(ConnectFailure::Key(error)) => return Err(error.into()),
                Err(ConnectFailure::Local(LocalError::NotProven)) => {
                    return Err(OpenError::OwnerNotProven);
                }
                Err(ConnectFailure::Local(LocalError::OtherUser)) => {
                    return Err(OpenError::OwnedByAnother);
                }
                Err(_) if Instant::now() < until => tokio::time::sleep(OWNER_PAUSE).await,
                Err(_) => return Err(OpenError::ProfileBusy),
            }
        }
    }

    /// Runs an engine on a store, and serves other processes of the same user.
    async fn run(&self, lock: ProfileLock, store: SqlcipherStore) -> Result<Place, OpenError> {
        let secret = store.local_secret();
        let (settings, now) = (self.settings, driver::timestamp(&self.clock));
        let engine =
            blocking(move || Ok(Engine::open(store, Box::new(seeded()?), settings, now)?)).await?;
        let server =
            LocalServer::bind(&self.profile, &lock, secret).map_err(|_| OpenError::NoSocket)?;
        let (transport, clock) = (Arc::clone(&self.transport), Arc::clone(&self.clock));
        let running = driver::start(Parts { engine, transport, clock, lock })
            .map_err(|_| OpenError::NoThread)?;
        let handler = Arc::new(Served::new(running.commands.clone()));
        let notices = running.notices.clone();
        let served = Task::start(async move {
            let passed_on = handler.pass_on(notices);
            tokio::join!(server.serve(Arc::clone(&handler) as _), passed_on);
        });
        Ok(Place::Here(Box::new(Owner { running, _served: served })))
    }
}

/// The profile's lock; [`None`] if another process has it.
fn take_lock(surroundings: &Surroundings) -> Result<Option<ProfileLock>, OpenError> {
    match ProfileLock::take(&surroundings.profile) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::ProfileBusy) => Ok(None),
        Err(LockError::NotUsable(kind)) => Err(OpenError::NotUsable(kind)),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| OpenError::Stopped)?
}

/// A generator seeded from the operating system.
fn seeded() -> Result<ChaCha20Rng, OpenError> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    random::fill(&mut seed[..]).map_err(|random::NoRandomness| OpenError::NoRandomness)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}
