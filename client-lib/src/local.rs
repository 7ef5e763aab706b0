//! How a second process uses a profile: it hands its commands to the owner.
//!
//! The owner listens on `<profile>/socket`. Both sides check that the other runs as the same user
//! (SO_PEERCRED), besides the directory's mode (spec: CLI-066), and that it holds the profile's key
//! (spec: CLI-071). What the bytes mean is for the layers above: a request has one response, events
//! come as they happen.
//!
//! ```text
//! frame: length of the rest (4 bytes, big-endian) ‖ kind (1) ‖ id (8, big-endian) ‖ body
//!   1 request   second process → owner   id counts up from 1
//!   2 response  owner → second process   id of the request
//!   3 subscribe second process → owner   id 0, no body; the connection then carries events only
//!   4 event     owner → second process   id counts up from 1 in each subscription
//!   5 missed    owner → second process   id: how many events the subscriber was too slow for
//!   6 challenge, 7 proof, 8 accepted, 9 refused: see [`proof`], id 0, before everything else
//! ```

mod client;
mod frame;
mod proof;
mod server;

pub use client::{EventStream, LocalClient, LocalEvent};
pub use frame::BODY_BYTES_MAX;
pub use proof::LocalSecret;
pub use server::{Handler, LocalServer};

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use tokio::net::UnixStream;

const SOCKET: &str = "socket";
/// Longest path that a socket address takes on every Unix, in bytes.
const ADDRESS_BYTES_MAX: usize = 100;

/// Why the owner of a profile cannot be reached, or a process cannot listen as the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// Nobody listens: the owner is gone, or does not serve others. Blame: caller.
    #[error("no process serves this profile")]
    NoOwner,
    /// The process at the other end runs as another user. Blame: whoever that is.
    #[error("the process at the other end runs as another user")]
    OtherUser,
    /// The process at the other end does not hold the profile's key, or says that we do not.
    /// Blame: whoever that is.
    #[error("the profile's key was not proven")]
    NotProven,
    /// The connection ended before the request was sent: it was not carried out. Blame: the other
    /// process.
    #[error("the other process closed the connection before the request")]
    NotSent,
    /// A request is longer than a frame may be. Blame: caller.
    #[error("the request is too long")]
    TooLong,
    /// The other end sent what is no frame. Blame: the other process.
    #[error("the other process sent what is no frame")]
    Garbage,
    /// The connection ended before the response. Blame: the other process.
    #[error("the other process closed the connection")]
    Closed,
    /// The socket cannot be made or used. Blame: the machine.
    #[error("the profile's socket is not usable: {0}")]
    NotUsable(io::ErrorKind),
}

impl From<io::Error> for LocalError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::NoOwner,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => Self::Closed,
            kind => Self::NotUsable(kind),
        }
    }
}

/// The path to bind or connect to. A socket address holds about a hundred bytes, so a longer path
/// goes through the directory's file descriptor, which the caller keeps open meanwhile.
struct SocketPath {
    path: PathBuf,
    _directory: Option<File>,
}

impl SocketPath {
    fn of(profile: &Path) -> io::Result<Self> {
        let path = profile.join(SOCKET);
        if path.as_os_str().as_bytes().len() <= ADDRESS_BYTES_MAX {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(profile)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()));
        Ok(Self { path, _directory: Some(directory) })
    }
}

/// Refuses a peer of another user (spec: CLI-066).
fn check_peer(stream: &UnixStream) -> Result<(), LocalError> {
    // The system says who we are by the same means as it says who the peer is.
    let (own, _) = UnixStream::pair()?;
    if stream.peer_cred()?.uid() == own.peer_cred()?.uid() {
        Ok(())
    } else {
        Err(LocalError::OtherUser)
    }
}
