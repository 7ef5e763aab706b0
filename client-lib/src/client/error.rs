//! Why a profile cannot be opened, or a command was not done.

use std::io::ErrorKind;

use hushwire_engine::{command::CommandError, store::StoreError};

use crate::store;

/// Why a profile cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// What is in the store cannot be used.
    #[error("the profile cannot be read: {0}")]
    Content(#[from] StoreError),
    /// No key was given.
    #[error("no passphrase and no key was given")]
    NoKey,
    /// The process that owns the profile does not hold the key that opens the profile's header.
    #[error("the program that uses this profile does not have the profile's key")]
    OwnerNotProven,
    /// The process that owns the profile runs as another user.
    #[error("another user's program uses this profile")]
    OwnedByAnother,
    /// Another process owns the profile and does not answer.
    #[error("another program uses this profile and does not answer")]
    ProfileBusy,
    /// The profile's folder cannot be used.
    #[error("the profile's folder cannot be used: {0}")]
    NotUsable(ErrorKind),
    /// The profile's local socket cannot be made.
    #[error("the profile's socket cannot be made")]
    NoSocket,
    /// The machine gives no thread.
    #[error("the system gives no thread")]
    NoThread,
    /// The machine gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// The runtime is shutting down.
    #[error("the program is stopping")]
    Stopped,
}

impl OpenError {
    /// What a person can do about it, in one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Store(error) => error.advice(),
            Self::Content(StoreError::Full) => "Make room on the disk and try again.",
            Self::Content(_) => {
                "Put back no old copy: revoke this device from another one, and link it anew."
            }
            Self::NoKey => "Give the passphrase of the profile.",
            Self::OwnerNotProven | Self::OwnedByAnother => {
                "Do not go on. End the program that uses this profile, and look who started it."
            }
            Self::ProfileBusy => "End the other program, or wait until it has started.",
            Self::NotUsable(_) => "Check the path and its permissions.",
            Self::NoSocket => "Check the permissions of the profile's folder, and its file system.",
            Self::NoThread | Self::NoRandomness => "End other programs and try again.",
            Self::Stopped => "Start it again.",
        }
    }

    /// A stable name, for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Store(store::OpenError::Absent) => "NO_PROFILE",
            Self::Store(store::OpenError::Exists) => "PROFILE_EXISTS",
            Self::Store(store::OpenError::WrongPassphrase) => "WRONG_PASSPHRASE",
            Self::Store(store::OpenError::WrongKey) => "WRONG_KEY",
            Self::Store(store::OpenError::PassphraseNeeded) => "PASSPHRASE_NEEDED",
            Self::Store(store::OpenError::RawKeyNeeded) => "KEY_NEEDED",
            Self::Store(store::OpenError::Damaged | store::OpenError::Incomplete) => {
                "STORE_DAMAGED"
            }
            Self::Store(store::OpenError::Foreign) => "FOREIGN_STORE",
            Self::Store(store::OpenError::Newer { .. }) => "NEWER_STORE",
            Self::Store(store::OpenError::Full) | Self::Content(StoreError::Full) => "DISK_FULL",
            Self::Store(store::OpenError::NotPermitted) => "NOT_PERMITTED",
            Self::Store(_) => "STORE_NOT_OPENED",
            Self::Content(StoreError::Damaged) => "STORE_DAMAGED",
            Self::Content(_) => "DISK_FAILED",
            Self::NoKey => "NO_KEY",
            Self::OwnerNotProven => "OWNER_NOT_PROVEN",
            Self::OwnedByAnother => "OWNED_BY_ANOTHER",
            Self::ProfileBusy => "PROFILE_BUSY",
            Self::NotUsable(_) => "PROFILE_NOT_USABLE",
            Self::NoSocket => "NO_SOCKET",
            Self::NoThread => "NO_THREAD",
            Self::NoRandomness => "NO_RANDOMNESS",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Why a command was not done, or it is not known whether it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The engine refused it; nothing was changed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The client was closed, or the process that owns the profile ended.
    #[error("the client is gone; open the profile again")]
    Gone,
    /// The process that owned the profile ended before it answered. The command may be done: look
    /// before it is given again.
    #[error("the program that used the profile ended; look whether it was done")]
    Unanswered,
    /// The process that owns the profile speaks another version.
    #[error("another version of this program uses the profile; end that one")]
    OtherVersion,
}
