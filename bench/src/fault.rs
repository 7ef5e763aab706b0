//! Why a measurement ended.

use hushwire_protocol::group::{GroupError, OpenError, Rejection};
use hushwire_relay::dial::DialError;

/// What went wrong. Blame: the machine, or the relay that is measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the disk or a process: {0}")]
    System(#[from] std::io::Error),
    #[error("the relay is not reached: {0}")]
    Dial(#[from] DialError),
    #[error("the relay did not start")]
    Start,
    #[error("the relay answered with something else than was asked for")]
    Answer,
    #[error("a group: {0}")]
    Group(#[from] GroupError),
    #[error("a group: {0}")]
    Entry(#[from] OpenError),
    #[error("a key package: {0}")]
    Package(#[from] Rejection),
    #[error("a device of the measurement")]
    Device,
    #[error("a client task died")]
    Task(#[from] tokio::task::JoinError),
}
