//! How frames reach a relay: one trait, over QUIC or in memory.
//!
//! A connection carries lanes: each is an ordered stream of requests out and answers in, through
//! bounded channels. The first lane is the session's own, further ones are for blobs. A full
//! channel is back-pressure: the sender waits, and what a receiver does not take is not read from
//! the network (spec: CLI-065). Nothing here retries or decides; every end has a named reason.

mod pin;
pub mod quic;

use futures::future::BoxFuture;
use hushwire_wire::{
    error::{Code, Retry},
    frame::{AnswerFrame, FrameError, RequestFrame},
    id::RelayId,
};
use tokio::sync::mpsc;

/// Where a relay is and which key it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayTarget {
    /// A name or an IP address.
    pub host: String,
    /// The UDP port.
    pub port: u16,
    /// The hash of its key ([`hushwire_wire::transcript::relay_id`]).
    pub relay: RelayId,
}

/// Makes connections.
pub trait Transport: Send + Sync + 'static {
    /// Connects, with a key that was checked against the target's. Each connection has a socket of
    /// its own, so that two sessions do not share an address.
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::RelayKeyMismatch`] needs a person.
    fn connect(
        &self,
        target: RelayTarget,
    ) -> BoxFuture<'_, Result<Box<dyn Connection>, ConnectError>>;
}

/// A connection to a relay. Dropping it cuts it off.
pub trait Connection: Send + Sync {
    /// Opens a lane; the first is the session's own. Waits while the relay allows no more.
    ///
    /// # Errors
    /// [`LinkError`] if the connection is gone.
    fn open_lane(&self) -> BoxFuture<'_, Result<Lane, LinkError>>;

    /// Says goodbye and waits, for a bounded time, until the relay has heard it. What was sent but
    /// not answered may be lost.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// An ordered stream of requests out and answers in.
#[derive(Debug)]
pub struct Lane {
    /// Requests, sent in order. Dropping it ends the lane when all are sent.
    pub requests: mpsc::Sender<RequestFrame>,
    /// Answers in order, and the reason of the end as the last.
    pub answers: mpsc::Receiver<Result<AnswerFrame, LinkError>>,
}

/// Why a connection could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The relay has another key than the one that was pinned. Blame: the relay, or whoever stands
    /// in its place.
    #[error("the relay's key is not the expected one")]
    RelayKeyMismatch,
    /// The host name has no address. Blame: network, or the name.
    #[error("the relay's name cannot be resolved")]
    Unresolvable,
    /// No answer in time. Blame: network or relay.
    #[error("the relay did not answer in time")]
    TimedOut,
    /// There is no way to the address. Blame: network.
    #[error("the relay cannot be reached")]
    Unreachable,
    /// Something answered that does not speak this protocol, or no common key exchange. Blame: relay.
    #[error("what answered is no Hushwire relay")]
    NotARelay,
    /// The relay takes no connection now. Blame: relay.
    #[error("the relay takes no connection now")]
    Refused,
    /// No socket can be had on this machine. Blame: the machine.
    #[error("this machine gives no network socket")]
    NoSocket,
    /// The TLS library refused our settings. Blame: bug.
    #[error("the connection's settings were refused")]
    Settings,
}

impl ConnectError {
    /// Whether trying again may help. A key that does not match is never tried again by itself: a
    /// person compares it first (spec: CLI-064).
    pub const fn retry(self) -> Retry {
        match self {
            Self::RelayKeyMismatch | Self::Settings => Retry::Never,
            Self::Unresolvable
            | Self::TimedOut
            | Self::Unreachable
            | Self::NotARelay
            | Self::Refused
            | Self::NoSocket => Retry::Later,
        }
    }

    /// What a person can do about it, in one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::RelayKeyMismatch => {
                "Do not go on. Ask the relay's operator for its key; somebody may stand in between, or the relay was set up anew."
            }
            Self::Unresolvable => "Check the relay's name and this machine's network.",
            Self::TimedOut | Self::Unreachable => {
                "Check this machine's network and whether it lets UDP through; the relay may be down."
            }
            Self::NotARelay => {
                "Check host and port; the relay may be older or newer than this program."
            }
            Self::Refused => "Wait; the relay is full or stopping.",
            Self::NoSocket => "End other programs, or raise the limit of open files.",
            Self::Settings => "Report this as a bug.",
        }
    }
}

/// Why a connection or lane ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// This side closed it.
    #[error("the connection was closed here")]
    ClosedHere,
    /// The relay ended it in good order: the lane's last answer came before. Blame: nobody.
    #[error("the relay ended the stream")]
    Ended,
    /// The relay closed it for this reason. Blame: as the code says.
    #[error("the relay closed the connection: {}", .0.name())]
    ClosedByRelay(Code),
    /// The relay closed it with a code that this version does not know. Blame: relay.
    #[error("the relay closed the connection for an unknown reason")]
    ClosedUnexplained,
    /// Nothing was heard for too long. Blame: network.
    #[error("the connection timed out")]
    TimedOut,
    /// The connection broke. Blame: network or relay.
    #[error("the connection was lost")]
    Lost,
    /// The relay sent what is no frame. Blame: relay.
    #[error("the relay sent what is no frame: {0}")]
    Garbage(FrameError),
}
