//! Files that are sent and received: read and written in chunks, off the async runtime.
//!
//! A source remembers what the file was when it was opened, and notices when it is no longer that.
//! A download is written under a name of its own beside its target, and gets the target's name,
//! which must be free, when it is whole and synced.

mod download;
mod source;

pub use download::{DownloadFile, PartName};
pub use source::SourceFile;

use std::io;

/// Why a file could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file is not there any more, or another one is in its place. Blame: who moved it.
    #[error("the file is gone")]
    Vanished,
    /// The file was changed since it was opened. Blame: who changed it.
    #[error("the file was changed meanwhile")]
    Changed,
    /// It is a directory, a device or a pipe. Blame: caller.
    #[error("this is no regular file")]
    NotAFile,
    /// There is no such file. Blame: caller.
    #[error("there is no such file")]
    NotFound,
    /// The system refuses access. Blame: caller.
    #[error("access to the file is not permitted")]
    NotPermitted,
    /// A range goes beyond the file's end. Blame: caller.
    #[error("the file has no such part")]
    OutOfRange,
    /// The download does not have the length it was to have. Blame: caller.
    #[error("the download is not whole")]
    Incomplete,
    /// A file with this name is there. Blame: caller.
    #[error("a file with this name is there already")]
    Exists,
    /// The folder that the file is to be in is not there. Blame: caller.
    #[error("the folder for the file is missing")]
    FolderMissing,
    /// No space is left. Blame: disk.
    #[error("the disk is full")]
    Full,
    /// Reading or writing failed. Blame: disk.
    #[error("the disk failed")]
    Failed,
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full,
            _ => Self::Failed,
        }
    }
}

/// Runs blocking file work on the runtime's threads for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    // The work does not panic; the runtime may be shutting down.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(FileError::Failed))
}
