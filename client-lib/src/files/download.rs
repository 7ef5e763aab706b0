//! A file that is received.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::{FileError, blocking};
use crate::private_file;

/// The name of an unfinished file: hidden, random, and kept by whoever wants to go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartName(String);

impl PartName {
    /// The name with this tag, which was drawn at random.
    pub fn new(tag: [u8; 12]) -> Self {
        Self(format!(".hushwire-{}.part", hex::encode(tag)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An unfinished file in the directory of its target.
#[derive(Clone, Debug)]
pub struct DownloadFile {
    file: Arc<File>,
}

impl DownloadFile {
    /// Opens the unfinished file of this name beside `target`, or begins it. Readable for its owner
    /// only.
    ///
    /// # Errors
    /// [`FileError::FolderMissing`], or another [`FileError`] if it can neither be opened nor created.
    pub async fn open(target: &Path, part: &PartName) -> Result<Self, FileError> {
        let part = beside(target, part);
        blocking(move || match private_file::open_or_create_unfollowed(&part) {
            Ok(file) => Ok(Self { file: Arc::new(file) }),
            Err(error) if is_without_folder(&error) => Err(FileError::FolderMissing),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Reads a part that was written before, exactly.
    ///
    /// # Errors
    /// [`FileError::Incomplete`] if the file is not as long any more.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes, FileError> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            let mut content = vec![0; length];
            match file.read_exact_at(&mut content, offset) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Err(FileError::Incomplete)
                }
                read => Ok(read.map(|()| content.into())?),
            }
        })
        .await
    }

    /// Writes a part. When this returns it survives the end of the process, but not a power cut.
    ///
    /// # Errors
    /// [`FileError::Full`] if the disk is full; what was written before stays.
    pub async fn write(&self, offset: u64, content: Bytes) -> Result<(), FileError> {
        let file = Arc::clone(&self.file);
        blocking(move || Ok(file.write_all_at(&content, offset)?)).await
    }

    /// Removes the unfinished file of this name, if there is one.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be removed.
    pub async fn discard(target: &Path, part: &PartName) -> Result<(), FileError> {
        let part = beside(target, part);
        blocking(move || match fs::remove_file(part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => Ok(removed?),
        })
        .await
    }

    /// Syncs the unfinished file and gives it its name. Nothing is replaced (spec: CLI-068). When a
    /// crash kept the caller from hearing of it, it can be asked for again.
    ///
    /// # Errors
    /// [`FileError::Incomplete`] if it is gone or does not have `length` bytes,
    /// [`FileError::Exists`] if another file has the name.
    pub async fn finish(target: &Path, part: &PartName, length: u64) -> Result<(), FileError> {
        let (part, target) = (beside(target, part), target.to_owned());
        blocking(move || {
            let unfinished = match private_file::open_unfollowed(&part) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return finish_missing(&target, length);
                }
                opened => opened?,
            };
            if unfinished.metadata()?.len() != length {
                return Err(FileError::Incomplete);
            }
            unfinished.sync_all()?;
            match give_name(&part, &target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !is_same(&part, &target)? {
                        return Err(FileError::Exists);
                    }
                    fs::remove_file(&part)?;
                }
                named => named?,
            }
            target.parent().map_or(Ok(()), |parent| Ok(private_file::sync_directory(parent)?))
        })
        .await
    }
}

/// Of what is created where there is no folder, or a file in its place.
fn is_without_folder(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn beside(target: &Path, part: &PartName) -> PathBuf {
    target.with_file_name(part.as_str())
}

/// Without an unfinished file, either it has its name already, or it had nothing to hold.
fn finish_missing(target: &Path, length: u64) -> Result<(), FileError> {
    // A link that somebody made there is no file of ours.
    match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_file() && metadata.len() == length => Ok(()),
        Ok(_) => Err(FileError::Exists),
        Err(_) if length == 0 => match private_file::create(target) {
            Err(error) if is_without_folder(&error) => Err(FileError::FolderMissing),
            created => created.map(drop).map_err(FileError::from),
        },
        Err(_) => Err(FileError::Incomplete),
    }
}

/// Whether two names are of one file: the end of an attempt that a crash interrupted.
fn is_same(part: &Path, target: &Path) -> io::Result<bool> {
    let (part, target) = (fs::symlink_metadata(part)?, fs::symlink_metadata(target)?);
    Ok((part.dev(), part.ino()) == (target.dev(), target.ino()))
}

/// Names a file without ever replacing another one. A hard link fails if the name is taken, in one
/// step; where there are no hard links the name is reserved first, and only a crash right then
/// leaves an empty file there.
fn give_name(part: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(part, target) {
        Ok(()) => fs::remove_file(part),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) => {
            drop(private_file::create(target)?);
            fs::rename(part, target)
        }
    }
}
