//! Why a profile cannot be opened, or a command was not done.

use std::io::ErrorKind;

use hushwire_engine::{command::CommandError, store::StoreError};

use crate::{key_file::KeyFileError, store, words};

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
    /// The file that holds the key cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
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
    #[error("the profile's folder cannot be used: {}", words::of_io(*.0))]
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
            Self::KeyFile(error) => error.advice(),
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

    /// A stable name in small letters, for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Store(store::OpenError::Absent) => "no_profile",
            Self::Store(store::OpenError::Exists) => "profile_exists",
            Self::Store(store::OpenError::WrongPassphrase) => "wrong_passphrase",
            Self::Store(store::OpenError::WrongKey) => "wrong_key",
            Self::Store(store::OpenError::PassphraseNeeded) => "passphrase_needed",
            Self::Store(store::OpenError::RawKeyNeeded) => "key_needed",
            Self::Store(store::OpenError::Damaged | store::OpenError::Incomplete) => {
                "store_damaged"
            }
            Self::Store(store::OpenError::Foreign) => "foreign_store",
            Self::Store(store::OpenError::Newer { .. }) => "newer_store",
            Self::Store(store::OpenError::Full) | Self::Content(StoreError::Full) => "disk_full",
            Self::Store(store::OpenError::NotPermitted) => "not_permitted",
            Self::Store(_) => "store_not_opened",
            Self::Content(StoreError::Damaged) => "store_damaged",
            Self::Content(_) => "disk_failed",
            Self::NoKey => "no_key",
            Self::KeyFile(error) => error.code(),
            Self::OwnerNotProven => "owner_not_proven",
            Self::OwnedByAnother => "owned_by_another",
            Self::ProfileBusy => "profile_busy",
            Self::NotUsable(_) => "profile_not_usable",
            Self::NoSocket => "no_socket",
            Self::NoThread => "no_thread",
            Self::NoRandomness => "no_randomness",
            Self::Stopped => "stopped",
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

impl ClientError {
    /// What a person can do about it, in one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Command(error) => error.advice(),
            Self::Gone => "Open the profile again.",
            Self::Unanswered => "It may be done already: look before you do it again.",
            Self::OtherVersion => "End the other program, or use the same version of both.",
        }
    }

    /// A stable name in small letters, for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Command(error) => error.code(),
            Self::Gone => "owner_gone",
            Self::Unanswered => "unanswered",
            Self::OtherVersion => "owner_of_other_version",
        }
    }
}
