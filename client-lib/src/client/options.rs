//! How a profile is to be opened.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use hushwire_engine::{command::SecretText, engine::Isolation};
use zeroize::Zeroizing;

use super::OpenError;
use crate::{
    driver::Clock,
    key_file,
    store::{KeyCost, Passphrase, RawKey, StoreKey},
    transport::{Transport, quic::QuicTransport},
};

/// Whether the profile is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// Make it; there must be none.
    New,
    /// Open the one that is there.
    OpenExisting,
    /// Open the one that is there; make it if there is none.
    IfAbsent,
}

/// What locks the profile's store.
#[derive(Clone, Debug)]
pub enum StoreKeySource {
    /// Something a person remembers.
    Passphrase(SecretText),
    /// 32 random bytes that the app keeps.
    Raw(Zeroizing<[u8; 32]>),
    /// 32 random bytes in this file, which is made with the profile and must not be lost. Only its
    /// owner may read it: what else is there is closed, or refused by name (spec: CLI-131). Who can
    /// read the profile and this file can open the profile.
    File(PathBuf),
}

/// How a profile is to be opened.
pub struct OpenOptions {
    profile: PathBuf,
    key: Option<StoreKeySource>,
    create: Create,
    isolation: Isolation,
    cost: KeyCost,
    transport: Arc<dyn Transport>,
    clock: Clock,
}

impl core::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OpenOptions(..)")
    }
}

impl OpenOptions {
    /// A profile that is there, in this folder, over QUIC.
    pub fn new(profile: impl Into<PathBuf>) -> Self {
        Self {
            profile: profile.into(),
            key: None,
            create: Create::OpenExisting,
            isolation: Isolation::ByKind,
            cost: KeyCost::RECOMMENDED,
            transport: Arc::new(QuicTransport::default()),
            clock: Arc::new(SystemTime::now),
        }
    }

    /// What locks the store.
    #[must_use]
    pub fn key(mut self, key: StoreKeySource) -> Self {
        self.key = Some(key);
        self
    }

    /// The passphrase that locks the store.
    #[must_use]
    pub fn passphrase(self, passphrase: &str) -> Self {
        self.key(StoreKeySource::Passphrase(SecretText::new(passphrase.to_owned())))
    }

    /// Whether the profile is to be made.
    #[must_use]
    pub const fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// Whether each channel has a session of its own (spec: CLI-031).
    #[must_use]
    pub const fn isolate(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// What deriving a key from the passphrase costs.
    #[must_use]
    pub const fn key_cost(mut self, cost: KeyCost) -> Self {
        self.cost = cost;
        self
    }

    /// Another way to relays than QUIC.
    #[must_use]
    pub fn reach_relays_by(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = transport;
        self
    }

    /// Another clock than this machine's. Nothing that is valid depends on it; a wrong one shows
    /// wrong times, and lets what was meant to end end early or late.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    pub(super) fn time(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    pub(super) fn profile(&self) -> &Path {
        &self.profile
    }

    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport)
    }

    pub(super) const fn isolation(&self) -> Isolation {
        self.isolation
    }

    pub(super) const fn creation(&self) -> Create {
        self.create
    }

    pub(super) const fn cost(&self) -> KeyCost {
        self.cost
    }

    pub(super) fn into_key(self) -> Result<StoreKeySource, OpenError> {
        self.key.ok_or(OpenError::NoKey)
    }
}

/// Whether a key file may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyFor {
    /// For a profile that is about to be made.
    New,
    /// For one that is there.
    Existing,
}

impl StoreKeySource {
    /// The key itself. Blocks while a file is read.
    pub(super) fn into_store_key(self, purpose: KeyFor) -> Result<StoreKey, OpenError> {
        Ok(match (self, purpose) {
            (Self::Passphrase(text), _) => {
                StoreKey::Passphrase(Passphrase::new(Zeroizing::new(text.expose().to_owned())))
            }
            (Self::Raw(bytes), _) => StoreKey::Raw(RawKey::new(bytes)),
            (Self::File(path), KeyFor::New) => StoreKey::Raw(RawKey::new(key_file::create(&path)?)),
            (Self::File(path), KeyFor::Existing) => {
                StoreKey::Raw(RawKey::new(key_file::read(&path)?))
            }
        })
    }
}
