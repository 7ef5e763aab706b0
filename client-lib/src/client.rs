//! The client as an app embeds it: open a profile, give commands, read events.
//!
//! One process owns a profile. Another one that opens it forwards its commands to the owner over
//! the profile's local socket, so that both see one engine and one order of events; when the owner
//! ends, it takes the owner's place or finds the next one.

mod error;
mod forward;
mod options;
mod seat;

use std::{path::Path, sync::Arc, time::Duration};

use hushwire_engine::{
    command::{Command, CommandError, RelayState, Reply, StatusInfo},
    event::{EventNumber, NumberedEvent},
};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

pub use error::{ClientError, OpenError};
pub use options::{Create, OpenOptions, StoreKeySource};

pub use crate::{
    key_file::KeyFileError,
    store::{KeyCost, KeyKind, OpenError as StoreOpenError},
};

use crate::{
    client::seat::{Seat, Task},
    driver::Ask,
    store::SqlcipherStore,
};

/// Events that one question returns at most.
const EVENTS_MAX: u32 = 1_000;

/// Which kind of key opens a profile, so that an app knows whether to ask for a passphrase.
///
/// # Errors
/// [`StoreOpenError::Absent`] if there is no profile; others as its files say.
pub fn key_kind(profile: &Path) -> Result<KeyKind, StoreOpenError> {
    SqlcipherStore::key_kind(profile)
}

/// A profile, open.
pub struct Client {
    seat: Arc<Seat>,
    watching: Task,
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Client(..)")
    }
}

impl Client {
    /// Opens a profile: as its owner, or, if another process owns it, through that one. The key must
    /// be right either way, and a profile that is there is never made anew.
    ///
    /// # Errors
    /// [`OpenError`]; its text says what is wrong, [`OpenError::advice`] what to do.
    pub async fn open(options: OpenOptions) -> Result<Self, OpenError> {
        let seat = Arc::new(Seat::open(options).await?);
        let watching = Task::start(Arc::clone(&seat).watch());
        Ok(Self { seat, watching })
    }

    /// Does or answers what is asked. When this returns, it is durable.
    ///
    /// # Errors
    /// [`ClientError::Command`] says why the command was refused; nothing was changed then.
    pub async fn command(&self, command: Command) -> Result<Reply, ClientError> {
        self.seat.command(command).await
    }

    /// Events from `from` on, as many as there are.
    ///
    /// # Errors
    /// [`ClientError`]; of them [`CommandError::EventsGone`](crate::command::CommandError::EventsGone)
    /// when `from` is not kept any more: read the chats anew, and go on from the number that it names.
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
    /// [`ClientError`], as [`Client::events`].
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
        Changes { changed: self.seat.changes() }
    }

    /// Ends: what was accepted is durable, and goes on when the profile is opened again.
    pub async fn close(self) {
        drop(self.watching);
        self.seat.close().await;
    }
}

/// Says when something changed.
#[derive(Debug)]
pub struct Changes {
    changed: watch::Receiver<u64>,
}

impl Changes {
    /// Waits for the next change; it may be none that concerns the caller. A change that nobody
    /// waited for is not lost. Can be dropped while it waits.
    ///
    /// # Errors
    /// [`ClientError::Gone`] when the client was closed.
    pub async fn next(&mut self) -> Result<(), ClientError> {
        self.changed.changed().await.map_err(|_| ClientError::Gone)
    }
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
