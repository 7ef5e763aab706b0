//! The data directory: the key, the store, and the lock that keeps a second relay out.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Why a data directory cannot be used. Blame: who runs the relay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Another process uses it.
    #[error(
        "another relay runs on this data directory; stop it, or choose another one with --data"
    )]
    InUse,
    /// It cannot be created or opened.
    #[error(
        "the data directory cannot be created or opened: {0}; it must be a folder of the user that runs the relay, see --data"
    )]
    File(#[from] io::Error),
}

/// A data directory that this process alone uses, as long as the value lives (spec: RLY-002).
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Creates the directory, readable by its owner only, if it is missing, and locks it.
    ///
    /// # Errors
    /// [`DirectoryError::InUse`] if another process has it.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("relay.lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DirectoryError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the key lies.
    pub fn key(&self) -> PathBuf {
        self.path.join("relay.key")
    }

    /// Where the store lies.
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_until_the_first_is_gone() {
        // spec: RLY-002
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = DataDirectory::open(&path).unwrap();
        assert!(matches!(DataDirectory::open(&path), Err(DirectoryError::InUse)));
        drop(first);
        DataDirectory::open(&path).unwrap();
    }
}
