//! The owner's side: takes processes of the same user in and answers them.

use std::{fs, io, path::Path, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::{
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, broadcast, mpsc},
    task::JoinSet,
};
use zeroize::Zeroizing;

use super::{
    LocalError, LocalSecret, SOCKET, SocketPath, check_peer,
    frame::{self, BODY_BYTES_MAX, Frame, Kind},
    proof,
};
use crate::{lock::ProfileLock, private_file};

/// Processes that are served at once; further ones wait to be taken in.
const CONNECTIONS_MAX: usize = 32;
/// Requests of one connection that are worked on at once; further ones are not read.
const REQUESTS_MAX: usize = 16;

/// What the owner does with what comes in.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request. Must end; the response must not be longer than
    /// [`super::BODY_BYTES_MAX`], else the connection is closed instead; so it is when there is none,
    /// because the owner ends.
    fn respond(&self, request: Zeroizing<Vec<u8>>) -> BoxFuture<'_, Option<Zeroizing<Vec<u8>>>>;

    /// The events from now on.
    fn subscribe(&self) -> broadcast::Receiver<Bytes>;
}

/// Listens for other processes until it is dropped.
#[derive(Debug)]
pub struct LocalServer {
    listener: UnixListener,
    secret: Arc<LocalSecret>,
}

impl LocalServer {
    /// Listens on the profile's socket, for those who hold the secret. What an earlier owner left there is removed: that there is
    /// none now is what the lock says.
    ///
    /// # Errors
    /// [`LocalError::NotUsable`] if the socket cannot be made.
    pub fn bind(
        profile: &Path,
        _owner: &ProfileLock,
        secret: Arc<LocalSecret>,
    ) -> Result<Self, LocalError> {
        let left = profile.join(SOCKET);
        match fs::remove_file(&left) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(LocalError::NotUsable(error.kind())),
        }
        let socket = SocketPath::of(profile)?;
        let listener = UnixListener::bind(&socket.path)?;
        private_file::tighten(&left, private_file::FILE_MODE)?;
        Ok(Self { listener, secret })
    }

    /// Serves until the future is dropped; all connections end with it.
    pub async fn serve(&self, handler: Arc<dyn Handler>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    match accepted {
                        Ok((stream, _)) => {
                            let (secret, handler) = (Arc::clone(&self.secret), Arc::clone(&handler));
                            connections.spawn(serve_connection(stream, secret, handler));
                        }
                        // Such as no file descriptor left: others may end meanwhile.
                        Err(error) => {
                            tracing::warn!(kind = ?error.kind(), "a local connection was not taken");
                            tokio::time::sleep(core::time::Duration::from_millis(100)).await;
                        }
                    }
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
    }
}

async fn serve_connection(stream: UnixStream, secret: Arc<LocalSecret>, handler: Arc<dyn Handler>) {
    if let Err(error) = serve_peer(stream, &secret, handler).await
        && error != LocalError::Closed
    {
        tracing::debug!(%error, "a local connection ended");
    }
}

async fn serve_peer(
    mut stream: UnixStream,
    secret: &LocalSecret,
    handler: Arc<dyn Handler>,
) -> Result<(), LocalError> {
    check_peer(&stream)?;
    proof::demand(&mut stream, secret).await?;
    let (mut reading, writing) = stream.into_split();
    let first = frame::read(&mut reading, BODY_BYTES_MAX).await?;
    match first.kind {
        Kind::Subscribe => serve_events(reading, writing, handler.subscribe()).await,
        _ => serve_requests(first, reading, writing, handler).await,
    }
}

/// Requests are worked on side by side; responses go out as they are ready.
async fn serve_requests(
    first: Frame,
    mut reading: OwnedReadHalf,
    mut writing: OwnedWriteHalf,
    handler: Arc<dyn Handler>,
) -> Result<(), LocalError> {
    let room = Arc::new(Semaphore::new(REQUESTS_MAX));
    let (responses, mut ready) = mpsc::channel(REQUESTS_MAX);
    let read = async move {
        let mut working = JoinSet::new();
        let mut next = Ok(first);
        loop {
            let request = next?;
            if request.kind != Kind::Request {
                return Err(LocalError::Garbage);
            }
            let permit = Arc::clone(&room).acquire_owned().await;
            let (handler, responses) = (Arc::clone(&handler), responses.clone());
            working.spawn(async move {
                let body = handler.respond(request.body).await;
                let response =
                    body.map(|body| Frame { kind: Kind::Response, id: request.id, body });
                // Nobody may be left to hear it.
                let _heard = responses.send(response).await;
                drop(permit);
            });
            while working.try_join_next().is_some() {}
            next = frame::read(&mut reading, BODY_BYTES_MAX).await;
        }
    };
    let write = async move {
        while let Some(response) = ready.recv().await {
            let Some(response) = response else { return Err(LocalError::Closed) };
            frame::write(&mut writing, &response).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
    }
}

/// Events go out until the other process closes.
async fn serve_events(
    mut reading: OwnedReadHalf,
    mut writing: OwnedWriteHalf,
    mut events: broadcast::Receiver<Bytes>,
) -> Result<(), LocalError> {
    let write = async move {
        let mut number = 0_u64;
        // Says that the subscription stands.
        let stands = Frame { kind: Kind::Missed, id: 0, body: Zeroizing::default() };
        frame::write(&mut writing, &stands).await?;
        loop {
            let frame = match events.recv().await {
                Ok(body) => {
                    number = number.saturating_add(1);
                    let body = Zeroizing::new(body.to_vec());
                    Frame { kind: Kind::Event, id: number, body }
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    Frame { kind: Kind::Missed, id: missed, body: Zeroizing::default() }
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
            frame::write(&mut writing, &frame).await?;
        }
    };
    tokio::select! {
        ended = write => ended,
        // A subscriber says nothing more; what it says ends the subscription.
        said = frame::read(&mut reading, 0) => said.and(Err(LocalError::Garbage)),
    }
}
