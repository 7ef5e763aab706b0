//! The second process's side.

use std::path::Path;

use bytes::Bytes;
use tokio::net::UnixStream;

use super::{
    LocalError, SocketPath, check_peer,
    frame::{self, Frame, Kind},
};

/// A connection to the owner of a profile, for requests one after the other.
#[derive(Debug)]
pub struct LocalClient {
    stream: UnixStream,
    last_id: u64,
}

impl LocalClient {
    /// Connects to the owner of a profile.
    ///
    /// # Errors
    /// [`LocalError::NoOwner`] if nobody serves it, [`LocalError::OtherUser`] if somebody else does.
    pub async fn connect(profile: &Path) -> Result<Self, LocalError> {
        Ok(Self { stream: connect(profile).await?, last_id: 0 })
    }

    /// Asks, and waits for the response. If the future is dropped before, the connection is of no
    /// more use: the next request fails.
    ///
    /// # Errors
    /// [`LocalError`]; whether the request was carried out is then not known.
    pub async fn request(&mut self, request: Bytes) -> Result<Bytes, LocalError> {
        self.last_id = self.last_id.saturating_add(1);
        let frame = Frame { kind: Kind::Request, id: self.last_id, body: request };
        frame::write(&mut self.stream, &frame).await?;
        let response = frame::read(&mut self.stream).await?;
        if response.kind != Kind::Response || response.id != self.last_id {
            return Err(LocalError::Garbage);
        }
        Ok(response.body)
    }
}

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalEvent {
    /// An event.
    Event(Bytes),
    /// So many events were dropped because they were not taken in time.
    Missed(u64),
}

/// The owner's events, as they happen.
#[derive(Debug)]
pub struct EventStream {
    stream: UnixStream,
}

impl EventStream {
    /// Subscribes; when this returns, no later event is lost unsaid.
    ///
    /// # Errors
    /// As [`LocalClient::connect`].
    pub async fn subscribe(profile: &Path) -> Result<Self, LocalError> {
        let mut stream = connect(profile).await?;
        let subscribe = Frame { kind: Kind::Subscribe, id: 0, body: Bytes::new() };
        frame::write(&mut stream, &subscribe).await?;
        let confirmed = frame::read(&mut stream).await?;
        if confirmed.kind != Kind::Missed || confirmed.id != 0 {
            return Err(LocalError::Garbage);
        }
        Ok(Self { stream })
    }

    /// Waits for the next event. If the future is dropped before, the stream is of no more use.
    ///
    /// # Errors
    /// [`LocalError::Closed`] when the owner ended.
    pub async fn next(&mut self) -> Result<LocalEvent, LocalError> {
        let frame = frame::read(&mut self.stream).await?;
        match frame.kind {
            Kind::Event => Ok(LocalEvent::Event(frame.body)),
            Kind::Missed => Ok(LocalEvent::Missed(frame.id)),
            Kind::Request | Kind::Response | Kind::Subscribe => Err(LocalError::Garbage),
        }
    }
}

async fn connect(profile: &Path) -> Result<UnixStream, LocalError> {
    let socket = SocketPath::of(profile)?;
    let stream = UnixStream::connect(&socket.path).await?;
    check_peer(&stream)?;
    Ok(stream)
}
