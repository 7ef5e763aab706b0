//! The client as the terminal sees it: three calls, so that tests can stand in for the network.

use core::{future::Future, time::Duration};
use std::path::PathBuf;

use hushwire::{
    command::{Command, Reply, SecretText, StatusInfo},
    event::{EventNumber, NumberedEvent},
};

use crate::fault::{ClientFault, OpenFault};

mod client;

pub use client::ProfileOpener;

/// An open profile.
pub trait Backend: Send + Sync {
    /// Hands over a command; the reply does not wait for the network.
    ///
    /// # Errors
    /// [`ClientFault`]; nothing was changed.
    fn command(&self, command: Command) -> impl Future<Output = Result<Reply, ClientFault>> + Send;

    /// Waits until there is an event at or after `from`, and returns those there are.
    ///
    /// # Errors
    /// [`ClientFault::Gone`] if there will be none.
    fn next_events(
        &self,
        from: EventNumber,
    ) -> impl Future<Output = Result<Vec<NumberedEvent>, ClientFault>> + Send;

    /// Waits until nothing waits for the network or the time is over.
    ///
    /// # Errors
    /// [`ClientFault::Gone`] if the client ended.
    fn settled(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = Result<StatusInfo, ClientFault>> + Send;

    /// Ends in good order: what is durable stays, the relays hear a goodbye.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Whether a profile is to be made or must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It must not be there yet.
    New,
    /// It must be there.
    Existing,
}

/// What keeps others from reading the profile.
#[derive(Debug)]
pub enum Lock {
    /// A passphrase.
    Passphrase(SecretText),
    /// A key file inside the profile: whoever can read the profile can open it.
    KeyFile,
}

/// How to open a profile.
#[derive(Debug)]
pub struct Opening {
    /// Its folder.
    pub profile: PathBuf,
    /// New or existing.
    pub creation: Creation,
    /// Passphrase or key file.
    pub lock: Lock,
}

/// Opens profiles.
pub trait Opener: Sync {
    /// What it opens.
    type Backend: Backend;

    /// Which lock an existing profile has; [`None`] if there is no profile.
    ///
    /// # Errors
    /// [`OpenFault`] if it may not even be looked at.
    fn lock_kind(&self, profile: &std::path::Path) -> Result<Option<LockKind>, OpenFault>;

    /// Opens.
    ///
    /// # Errors
    /// [`OpenFault`], with what to do.
    fn open(
        &self,
        opening: Opening,
    ) -> impl Future<Output = Result<Self::Backend, OpenFault>> + Send;
}

/// What a profile is locked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// A passphrase; it must be asked for.
    Passphrase,
    /// A key file inside the profile.
    KeyFile,
}
