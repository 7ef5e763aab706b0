//! Why a store could not be created, opened or given another key, and what a person can do.

/// Why a store could not be created, opened or given another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The profile has no store yet. Blame: caller.
    #[error("there is no store in this profile")]
    Absent,
    /// The profile has a store already. Blame: caller.
    #[error("there is a store in this profile already")]
    Exists,
    /// The passphrase is not the one the store was locked with. Blame: caller.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The raw key is not the one the store was locked with. Blame: caller.
    #[error("the key is wrong")]
    WrongKey,
    /// The store is locked with a passphrase, and a raw key was given. Blame: caller.
    #[error("the store is locked with a passphrase, not with a key")]
    PassphraseNeeded,
    /// The store is locked with a raw key, and a passphrase was given. Blame: caller.
    #[error("the store is locked with a key, not with a passphrase")]
    RawKeyNeeded,
    /// The cost of the key derivation is out of bounds. Blame: caller.
    #[error("the cost of the key derivation is out of bounds")]
    CostOutOfBounds,
    /// Header or database is damaged. Blame: disk.
    #[error("the store is damaged")]
    Damaged,
    /// One of the store's two files is missing. Blame: disk.
    #[error("a file of the store is missing")]
    Incomplete,
    /// The files are no store of ours. Blame: caller.
    #[error("these files are no Hushwire store")]
    Foreign,
    /// A later version of this program wrote the store. Blame: caller.
    #[error("the store has version {found}, this program reads up to {supported}")]
    Newer {
        /// The store's version.
        found: u32,
        /// The latest version this program reads.
        supported: u32,
    },
    /// Another program has the database open. Blame: caller.
    #[error("the database is open elsewhere")]
    Busy,
    /// No space is left; what was there before is unchanged. Blame: disk.
    #[error("the disk is full")]
    Full,
    /// The operating system refuses access to the files. Blame: caller.
    #[error("access to the store's files is not permitted")]
    NotPermitted,
    /// There is not enough memory for the key derivation. Blame: the machine.
    #[error("not enough memory to derive the key")]
    OutOfMemory,
    /// Reading or writing failed. Blame: disk.
    #[error("the disk failed")]
    Failed,
}

impl OpenError {
    /// What a person can do about it, in one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Absent => "Create a profile first, or check the profile's path.",
            Self::Exists => "Open the profile that is there, or choose another path.",
            Self::WrongPassphrase => {
                "Type it again; look at the keyboard's layout and at Caps Lock. A lost passphrase cannot be reset."
            }
            Self::WrongKey => "Give the key that this profile was created with.",
            Self::PassphraseNeeded => "Open the profile with its passphrase.",
            Self::RawKeyNeeded => "Open the profile with the app that created it.",
            Self::CostOutOfBounds => {
                "Choose 8 KiB to 1 GiB of memory, 1 to 64 passes and 1 to 16 lanes."
            }
            Self::Damaged => {
                "Put back no old copy: revoke this device from another one, and link it anew."
            }
            Self::Incomplete => {
                "If you moved a file of it, move it back; else revoke this device and link it anew."
            }
            Self::Foreign => "Check the profile's path; nothing there was changed.",
            Self::Newer { .. } => "Update this program; the store was not changed.",
            Self::Busy => "End the other program that uses this profile.",
            Self::Full => "Make space on the disk and try again; nothing is lost.",
            Self::NotPermitted => "Run as the user who owns the profile, and check its modes.",
            Self::OutOfMemory => "End other programs and try again.",
            Self::Failed => "Check the disk, then try again.",
        }
    }
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            std::io::ErrorKind::PermissionDenied => Self::NotPermitted,
            _ => Self::Failed,
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            // SQLCipher says no more than SQLITE_ERROR of a page whose authentication fails. Our
            // statements are fixed, so nothing else gives that code but a schema that is not ours.
            Some(ErrorCode::Unknown) if is_plain_error(&error) => Self::Damaged,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => Self::NotPermitted,
            Some(ErrorCode::OutOfMemory) => Self::OutOfMemory,
            _ => Self::Failed,
        }
    }
}

fn is_plain_error(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_ERROR)
}

impl From<hushwire_engine::store::StoreError> for OpenError {
    fn from(error: hushwire_engine::store::StoreError) -> Self {
        use hushwire_engine::store::StoreError;
        match error {
            StoreError::Full => Self::Full,
            StoreError::Damaged => Self::Damaged,
            _ => Self::Failed,
        }
    }
}

/// What a failure of SQLite means for the engine.
pub(super) fn store_error(error: rusqlite::Error) -> hushwire_engine::store::StoreError {
    use hushwire_engine::store::StoreError;
    match OpenError::from(error) {
        OpenError::Full => StoreError::Full,
        OpenError::Damaged => StoreError::Damaged,
        _ => StoreError::Failed,
    }
}
