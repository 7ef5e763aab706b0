//! Commands of another process of the same user: asked over the profile's socket, done by the owner
//! (spec: CLI-071).

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;
use hushwire_engine::command::{Command, CommandError, Reply};
use serde::Serialize;
use tokio::sync::{Mutex, broadcast, mpsc, watch};
use zeroize::Zeroizing;

use super::{ClientError, ask};
use crate::{
    driver::{Ask, Notice},
    local::{BODY_BYTES_MAX, EventStream, Handler, LocalClient, LocalError, LocalSecret},
    store::{DatabaseKey, OpenError},
};

/// What the owner answers.
type Answer = Result<Reply, CommandError>;

/// The owner's side.
pub(super) struct Served {
    commands: mpsc::Sender<Ask>,
    /// One event without content for each change: the other side then asks for what it wants.
    changes: broadcast::Sender<Bytes>,
}

impl Served {
    pub(super) fn new(commands: mpsc::Sender<Ask>) -> Self {
        // Who misses a change hears that it missed one, which says the same.
        Self { commands, changes: broadcast::channel(1).0 }
    }

    /// Passes changes on until the engine ends.
    pub(super) async fn pass_on(&self, mut notices: watch::Receiver<Notice>) {
        while notices.changed().await.is_ok() {
            // Nobody may be listening.
            let _ = self.changes.send(Bytes::new());
        }
    }

    /// The answer, empty if it cannot be given; none: the engine has ended, and another process may own
    /// the profile from now on.
    async fn answer(&self, mut command: Command) -> Option<Zeroizing<Vec<u8>>> {
        loop {
            let answer: Answer = match ask(&self.commands, command.clone()).await {
                Ok(reply) => Ok(reply),
                Err(ClientError::Command(error)) => Err(error),
                Err(_) => return None,
            };
            let body = encode(&answer).unwrap_or_default();
            if body.len() <= BODY_BYTES_MAX {
                return Some(body);
            }
            // As many as fit; who asked asks on from there.
            match with_half_as_many(command) {
                Some(smaller) => command = smaller,
                None => return Some(Zeroizing::default()),
            }
        }
    }
}

impl Handler for Served {
    fn respond(&self, request: Zeroizing<Vec<u8>>) -> BoxFuture<'_, Option<Zeroizing<Vec<u8>>>> {
        Box::pin(async move {
            let Ok(command) = rmp_serde::from_slice::<Command>(&request) else {
                return Some(Zeroizing::default());
            };
            self.answer(command).await
        })
    }

    fn subscribe(&self) -> broadcast::Receiver<Bytes> {
        self.changes.subscribe()
    }
}

/// The other process's side.
pub(super) struct Remote {
    profile: PathBuf,
    /// With it this process can own the profile when the owner has ended.
    key: Arc<DatabaseKey>,
    secret: Arc<LocalSecret>,
    connection: Mutex<Option<LocalClient>>,
}

/// Why the owner did not answer.
pub(super) enum Unheard {
    /// The command did not reach an owner: nothing was done.
    NotAsked,
    /// The owner ended before it answered: it may be done.
    Unanswered,
    /// For good.
    Failed(ClientError),
}

impl Remote {
    /// Connects to the process that owns the profile, and proves the key to it.
    pub(super) async fn connect(
        profile: PathBuf,
        key: Arc<DatabaseKey>,
    ) -> Result<Self, ConnectFailure> {
        let secret = Arc::new(key.local_secret()?);
        let connection = LocalClient::connect(&profile, &secret).await?;
        Ok(Self { profile, key, secret, connection: Mutex::new(Some(connection)) })
    }

    pub(super) fn key(&self) -> Arc<DatabaseKey> {
        Arc::clone(&self.key)
    }

    /// Where the owner says that something changed.
    pub(super) fn ear(&self) -> Ear {
        Ear { profile: self.profile.clone(), secret: Arc::clone(&self.secret) }
    }

    pub(super) async fn command(&self, command: &Command) -> Result<Reply, Unheard> {
        let other_version = || Unheard::Failed(ClientError::OtherVersion);
        let request = encode(command).ok_or_else(other_version)?;
        let mut place = self.connection.lock().await;
        // A connection whose answer was not waited for is of no more use: it is taken out first.
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => LocalClient::connect(&self.profile, &self.secret)
                .await
                .map_err(|_| Unheard::NotAsked)?,
        };
        let response = connection.request(request).await.map_err(|error| match error {
            LocalError::NotSent => Unheard::NotAsked,
            LocalError::TooLong => Unheard::Failed(ClientError::Command(CommandError::BadText)),
            _ => Unheard::Unanswered,
        })?;
        *place = Some(connection);
        drop(place);
        if response.is_empty() {
            return Err(other_version());
        }
        let answer: Answer = rmp_serde::from_slice(&response).map_err(|_| other_version())?;
        answer.map_err(|error| Unheard::Failed(ClientError::Command(error)))
    }
}

/// Why a second process and an owner did not come together.
pub(super) enum ConnectFailure {
    Local(LocalError),
    Key(OpenError),
}

impl From<LocalError> for ConnectFailure {
    fn from(error: LocalError) -> Self {
        Self::Local(error)
    }
}

impl From<OpenError> for ConnectFailure {
    fn from(error: OpenError) -> Self {
        Self::Key(error)
    }
}

/// Hears of changes from the process that owns the profile.
pub(super) struct Ear {
    profile: PathBuf,
    secret: Arc<LocalSecret>,
}

impl Ear {
    /// Calls `changed` for each change, and once when it begins to hear; returns when the owner has
    /// ended or cannot be reached.
    pub(super) async fn listen(self, changed: impl Fn()) {
        let Ok(mut events) = EventStream::subscribe(&self.profile, &self.secret).await else {
            return;
        };
        changed();
        while events.next().await.is_ok() {
            changed();
        }
    }
}

/// The same question for half as many rows, if it is one for rows.
fn with_half_as_many(mut command: Command) -> Option<Command> {
    match &mut command {
        Command::Messages { count_max, .. } | Command::Events { count_max, .. }
            if *count_max > 1 =>
        {
            *count_max /= 2;
            Some(command)
        }
        _ => None,
    }
}

/// MessagePack in a buffer that is wiped and never grows, so that no copy of a part stays behind.
fn encode(value: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    rmp_serde::encode::write_named(&mut length, value).ok()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    rmp_serde::encode::write_named(&mut *bytes, value).ok()?;
    debug_assert_eq!(bytes.len(), length.0);
    Some(bytes)
}

/// Counts what is written to it.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hushwire_engine::command::{ChatNumber, MessageNumber, SecretText};

    use super::*;

    #[test]
    fn a_buffer_is_reserved_once() {
        let text = "secret".repeat(1_000);
        let command = Command::AddContact { link: SecretText::new(text) };
        let bytes = encode(&command).unwrap();
        assert_eq!(bytes.capacity(), bytes.len());
        assert_eq!(rmp_serde::from_slice::<Command>(&bytes).unwrap(), command);
    }

    #[test]
    fn rows_are_asked_for_in_smaller_parts_down_to_one() {
        let messages = |count_max| Command::Messages {
            chat: ChatNumber(1),
            from: MessageNumber(1),
            count_max,
        };
        assert_eq!(with_half_as_many(messages(5)), Some(messages(2)));
        assert_eq!(with_half_as_many(messages(1)), None);
        assert_eq!(with_half_as_many(Command::Profile), None);
    }
}
