//! The second process's side.

use std::path::Path;

use bytes::Bytes;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::{
    LocalError, LocalSecret, SocketPath, check_peer,
    frame::{self, BODY_BYTES_MAX, Frame, Kind},
    proof,
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
    /// [`LocalError::NoOwner`] if nobody serves it, [`LocalError::OtherUser`] if somebody else does,
    /// [`LocalError::NotProven`] if the two do not hold one key.
    pub async fn connect(profile: &Path, secret: &LocalSecret) -> Result<Self, LocalError> {
        Ok(Self { stream: connect(profile, secret).await?, last_id: 0 })
    }

    /// Asks, and waits for the response. If the future is dropped before, the connection is of no
    /// more use: the next request fails.
    ///
    /// # Errors
    /// [`LocalError::NotSent`] and [`LocalError::TooLong`]: it was not carried out. After others it
    /// is not known whether it was.
    pub async fn request(
        &mut self,
        request: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, LocalError> {
        self.last_id = self.last_id.saturating_add(1);
        let frame = Frame { kind: Kind::Request, id: self.last_id, body: request };
        // The owner acts on whole frames only.
        frame::write(&mut self.stream, &frame).await.map_err(|error| match error {
            LocalError::TooLong => LocalError::TooLong,
            _ => LocalError::NotSent,
        })?;
        let response = frame::read(&mut self.stream, BODY_BYTES_MAX).await?;
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
    pub async fn subscribe(profile: &Path, secret: &LocalSecret) -> Result<Self, LocalError> {
        let mut stream = connect(profile, secret).await?;
        let subscribe = Frame { kind: Kind::Subscribe, id: 0, body: Zeroizing::default() };
        frame::write(&mut stream, &subscribe).await?;
        let confirmed = frame::read(&mut stream, BODY_BYTES_MAX).await?;
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
        let frame = frame::read(&mut self.stream, BODY_BYTES_MAX).await?;
        match frame.kind {
            Kind::Event => Ok(LocalEvent::Event(Bytes::copy_from_slice(&frame.body))),
            Kind::Missed => Ok(LocalEvent::Missed(frame.id)),
            _ => Err(LocalError::Garbage),
        }
    }
}

async fn connect(profile: &Path, secret: &LocalSecret) -> Result<UnixStream, LocalError> {
    let socket = SocketPath::of(profile)?;
    let mut stream = UnixStream::connect(&socket.path).await?;
    check_peer(&stream)?;
    proof::give(&mut stream, secret).await?;
    Ok(stream)
}
