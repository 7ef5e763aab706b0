//! Commands of another process of the same user: asked over the profile's socket, done by the owner.
//!
//! The kernel says who the other process is; whoever runs as the same user could read the owner's
//! memory as well, so it is not asked for the passphrase (spec: CLI-071).

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::future::BoxFuture;
use hushwire_engine::command::{Command, CommandError, Reply};
use tokio::sync::{Mutex, broadcast, mpsc};
use zeroize::Zeroizing;

use super::{ClientError, ask};
use crate::{
    driver::Ask,
    local::{Handler, LocalClient, LocalError},
};

/// What the owner answers.
type Answer = Result<Reply, CommandError>;

/// The owner's side.
pub(super) struct Served {
    commands: mpsc::Sender<Ask>,
    // Nothing is pushed: the other side asks for events by number.
    events: broadcast::Sender<Bytes>,
}

impl Served {
    pub(super) fn new(commands: mpsc::Sender<Ask>) -> Self {
        Self { commands, events: broadcast::channel(1).0 }
    }
}

impl Handler for Served {
    fn respond(&self, request: Bytes) -> BoxFuture<'_, Bytes> {
        Box::pin(async move {
            let Ok(command) = rmp_serde::from_slice::<Command>(&request) else {
                return Bytes::new();
            };
            let answer: Answer = match ask(&self.commands, command).await {
                Ok(reply) => Ok(reply),
                Err(ClientError::Command(error)) => Err(error),
                Err(_) => return Bytes::new(),
            };
            rmp_serde::to_vec_named(&answer).map(Bytes::from).unwrap_or_default()
        })
    }

    fn subscribe(&self) -> broadcast::Receiver<Bytes> {
        self.events.subscribe()
    }
}

/// The other process's side.
pub(super) struct Remote {
    profile: PathBuf,
    connection: Mutex<Option<LocalClient>>,
}

impl Remote {
    pub(super) async fn connect(profile: &Path) -> Result<Self, LocalError> {
        let connection = LocalClient::connect(profile).await?;
        Ok(Self { profile: profile.to_owned(), connection: Mutex::new(Some(connection)) })
    }

    pub(super) async fn command(&self, command: &Command) -> Result<Reply, ClientError> {
        let bytes = rmp_serde::to_vec_named(command).map_err(|_| ClientError::OtherVersion)?;
        let mut place = self.connection.lock().await;
        // A connection whose answer was not waited for is of no more use: it is taken out first.
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => LocalClient::connect(&self.profile).await.map_err(|_| ClientError::Gone)?,
        };
        let response =
            connection.request(Bytes::from(bytes)).await.map_err(|_| ClientError::Gone)?;
        *place = Some(connection);
        drop(place);
        let response = Zeroizing::new(response.to_vec());
        if response.is_empty() {
            return Err(ClientError::OtherVersion);
        }
        let answer: Answer =
            rmp_serde::from_slice(&response).map_err(|_| ClientError::OtherVersion)?;
        Ok(answer?)
    }
}
