//! One process owns a profile: the lock that says so (spec: CLI-062).
//!
//! An advisory lock on `<profile>/lock`, which the system gives back when the process ends however
//! it ends. The file stays; only the lock on it counts.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use crate::private_file;

const LOCK: &str = "lock";

/// Holds the profile until it is dropped.
#[derive(Debug)]
pub struct ProfileLock {
    _file: File,
}

/// Why a profile cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process owns the profile. Blame: caller; it can be reached through
    /// [`crate::local::LocalClient`].
    #[error("another process uses this profile")]
    ProfileBusy,
    /// The profile's directory or lock file cannot be created, opened or locked. Blame: disk.
    #[error("the profile's lock file is not usable: {0}")]
    NotUsable(io::ErrorKind),
}

impl ProfileLock {
    /// Takes the profile, creating its directory if need be. Does not wait.
    ///
    /// # Errors
    /// [`LockError::ProfileBusy`] if another process owns it.
    pub fn take(profile: &Path) -> Result<Self, LockError> {
        let not_usable = |error: io::Error| LockError::NotUsable(error.kind());
        private_file::ensure_directory(profile).map_err(not_usable)?;
        let file = private_file::open_or_create(&profile.join(LOCK)).map_err(not_usable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::ProfileBusy),
            Err(TryLockError::Error(error)) => Err(not_usable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_one_owner_at_a_time() {
        // spec: CLI-062
        let base = tempfile::tempdir().unwrap();
        let profile = base.path().join("profile");
        let first = ProfileLock::take(&profile).unwrap();
        assert_eq!(ProfileLock::take(&profile).unwrap_err(), LockError::ProfileBusy);
        ProfileLock::take(&base.path().join("other")).unwrap();
        drop(first);
        ProfileLock::take(&profile).unwrap();
    }

    #[test]
    fn a_place_that_cannot_be_a_profile_is_named() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let error = ProfileLock::take(&file.join("profile")).unwrap_err();
        assert_eq!(error, LockError::NotUsable(io::ErrorKind::NotADirectory));
    }
}
