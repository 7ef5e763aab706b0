//! A file that is sent.

use std::{
    fs::{File, Metadata, OpenOptions},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::{FileError, blocking};

/// `O_NONBLOCK` on Linux: opening a pipe without a writer must not wait.
const NON_BLOCKING: i32 = 0o4000;

/// What tells whether a file is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }
}

/// A regular file, open for reading.
#[derive(Clone, Debug)]
pub struct SourceFile {
    file: Arc<File>,
    path: Arc<PathBuf>,
    identity: Identity,
}

impl SourceFile {
    /// Opens a file and remembers what it is.
    ///
    /// # Errors
    /// [`FileError::NotFound`], [`FileError::NotPermitted`], or [`FileError::NotAFile`] for
    /// anything but a regular file.
    pub async fn open(path: &Path) -> Result<Self, FileError> {
        let path = path.to_owned();
        blocking(move || {
            let file = OpenOptions::new().read(true).custom_flags(NON_BLOCKING).open(&path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(FileError::NotAFile);
            }
            let identity = Identity::of(&metadata);
            Ok(Self { file: Arc::new(file), path: Arc::new(path), identity })
        })
        .await
    }

    /// The file's length when it was opened, in bytes.
    pub const fn length(&self) -> u64 {
        self.identity.length
    }

    /// Reads a part, exactly, and checks that the file is still the one that was opened. A change
    /// that keeps length and time of modification is not seen: the content's hash is what counts.
    ///
    /// # Errors
    /// [`FileError::Vanished`], [`FileError::Changed`] (spec: CLI-069), [`FileError::OutOfRange`].
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes, FileError> {
        let end = u64::try_from(length).ok().and_then(|length| offset.checked_add(length));
        if end.is_none_or(|end| end > self.identity.length) {
            return Err(FileError::OutOfRange);
        }
        let source = self.clone();
        blocking(move || {
            let mut content = vec![0; length];
            let read = source.file.read_exact_at(&mut content, offset);
            // A file that was cut off is named as changed, not as failed.
            source.check()?;
            read?;
            Ok(content.into())
        })
        .await
    }

    fn check(&self) -> Result<(), FileError> {
        let named = match std::fs::metadata(&*self.path) {
            Ok(metadata) => Identity::of(&metadata),
            Err(_) => return Err(FileError::Vanished),
        };
        let place = |identity: Identity| (identity.device, identity.inode);
        if place(named) != place(self.identity) {
            Err(FileError::Vanished)
        } else if named != self.identity {
            Err(FileError::Changed)
        } else {
            Ok(())
        }
    }
}
