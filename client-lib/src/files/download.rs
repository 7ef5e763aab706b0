//! A file that is received.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use rand_core::CryptoRng;

use super::{FileError, SafeName, blocking};
use crate::private_file;

/// Names that are tried for a finished file: its own, then numbered ones.
const NAMES_MAX: u32 = 1_000;

/// The name of an unfinished file: hidden, random, and kept by whoever wants to go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartName(String);

impl PartName {
    /// A fresh one.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 12];
        rng.fill_bytes(&mut bytes);
        Self(format!(".hushwire-{}.part", hex::encode(bytes)))
    }

    /// Takes one that [`PartName::as_str`] gave.
    ///
    /// # Errors
    /// [`FileError::NotFound`] for anything that is no name of an unfinished file.
    pub fn parse(name: &str) -> Result<Self, FileError> {
        let digits = name.strip_prefix(".hushwire-").and_then(|rest| rest.strip_suffix(".part"));
        let valid = digits.is_some_and(|digits| {
            digits.len() == 24 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        if valid { Ok(Self(name.to_owned())) } else { Err(FileError::NotFound) }
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
    directory: Arc<PathBuf>,
    part: Arc<PathBuf>,
}

impl DownloadFile {
    /// Opens the unfinished file of this name, or begins it. Readable for its owner only.
    ///
    /// # Errors
    /// [`FileError`] if it can neither be opened nor created.
    pub async fn open(directory: &Path, part: &PartName) -> Result<Self, FileError> {
        let directory = directory.to_owned();
        let part = directory.join(part.as_str());
        blocking(move || {
            let file = private_file::open_or_create(&part)?;
            Ok(Self { file: Arc::new(file), directory: Arc::new(directory), part: Arc::new(part) })
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

    /// Gives the file its name and says where it is: the wished name, or a numbered one if that is
    /// taken. Nothing is replaced (spec: CLI-068).
    ///
    /// # Errors
    /// [`FileError::Incomplete`] if it does not have `length` bytes; the unfinished file stays.
    pub async fn finish(self, name: &SafeName, length: u64) -> Result<PathBuf, FileError> {
        let name = name.clone();
        blocking(move || {
            if self.file.metadata()?.len() != length {
                return Err(FileError::Incomplete);
            }
            self.file.sync_all()?;
            let mut wished = name.as_str().to_owned();
            for number in 2..NAMES_MAX {
                let target = self.directory.join(&wished);
                match give_name(&self.part, &target) {
                    Ok(()) => {
                        private_file::sync_directory(&self.directory)?;
                        return Ok(target);
                    }
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        wished = name.numbered(number);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Err(FileError::Exists)
        })
        .await
    }

    /// Removes the unfinished file.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be removed.
    pub async fn discard(self) -> Result<(), FileError> {
        blocking(move || Ok(fs::remove_file(&*self.part)?)).await
    }
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
