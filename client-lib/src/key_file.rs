//! The key of a profile without a passphrase: 32 random bytes in a file that only its owner reads.
//!
//! It keeps copies of the store unreadable that were made without it, and nothing more: who can read
//! both files can open the profile. The file goes through [`private_file`] as all of a profile does:
//! a link is not followed, and others lose what they may do with it (spec: CLI-131).

use std::{
    fs,
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{private_file, random, words};

/// Bytes of a key.
const LENGTH: usize = 32;

/// Why a key file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It is not there. Blame: caller.
    #[error("the profile's key file is missing")]
    Missing,
    /// It is a link, a folder or a device, or of another user. Blame: who put it there.
    #[error("the profile's key file is no file of its own, or another user's")]
    NotPrivate,
    /// It does not hold 32 bytes. Blame: disk.
    #[error("the profile's key file does not hold a key")]
    NotAKey,
    /// It cannot be read or made. Blame: disk.
    #[error("the profile's key file cannot be used: {}", words::of_io(*.0))]
    NotUsable(ErrorKind),
    /// The system gives no randomness. Blame: the machine.
    #[error("the system gives no randomness")]
    NoRandomness,
}

impl KeyFileError {
    /// A stable name in small letters, for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "key_file_missing",
            Self::NotPrivate => "key_file_not_private",
            Self::NotAKey => "key_file_not_a_key",
            Self::NotUsable(_) => "key_file_not_usable",
            Self::NoRandomness => "no_randomness",
        }
    }

    /// What a person can do about it, in one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Missing => "If you moved it, move it back; without it the profile does not open.",
            Self::NotPrivate => "Put the key itself there, as a file of yours, or check the path.",
            Self::NotAKey => "If you have a whole copy of the key file, put that there.",
            Self::NotUsable(_) => "Check the profile's folder and its permissions.",
            Self::NoRandomness => "End other programs and try again.",
        }
    }
}

impl From<io::Error> for KeyFileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::PermissionDenied => Self::NotPrivate,
            ErrorKind::UnexpectedEof => Self::NotAKey,
            kind => Self::NotUsable(kind),
        }
    }
}

/// Reads a key. If others may read the file, that ends here.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<[u8; LENGTH]>, KeyFileError> {
    let mut file = private_file::read_unfollowed(path)?;
    let mut key = Zeroizing::new([0; LENGTH]);
    file.read_exact(&mut key[..])?;
    match file.read(&mut [0])? {
        0 => Ok(key),
        _ => Err(KeyFileError::NotAKey),
    }
}

/// Makes a key, and its folder. One that is there already is kept: it may be that of a start that
/// was interrupted, or of one that runs beside this one.
pub(crate) fn create(path: &Path) -> Result<Zeroizing<[u8; LENGTH]>, KeyFileError> {
    match read(path) {
        Err(KeyFileError::Missing) => {}
        found => return found,
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    if !folder.exists() {
        private_file::ensure_directory(&folder)?;
    }
    let mut key = Zeroizing::new([0; LENGTH]);
    random::fill(&mut key[..]).map_err(|random::NoRandomness| KeyFileError::NoRandomness)?;
    // Written beside under a name of this process, and then named without replacing anything: a
    // half-written key is never taken for one, and of two at once both have the first.
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    remove(&beside)?;
    private_file::write_new(&beside, &key[..])?;
    let named = fs::hard_link(&beside, path);
    remove(&beside)?;
    match named {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return read(path),
        named => named?,
    }
    private_file::sync_directory(&folder)?;
    Ok(key)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        // spec: CLI-131
        let base = tempfile::tempdir().unwrap();
        let profile = base.path().join("a/profile");
        let path = profile.join("key");
        let key = create(&path).unwrap();
        assert_ne!(*key, [0; 32]);
        assert_eq!(*create(&path).unwrap(), *key);
        assert_eq!(*read(&path).unwrap(), *key);
        assert_eq!((mode(&path), mode(&profile)), (0o600, 0o700));
        assert_ne!(*create(&base.path().join("other/key")).unwrap(), *key);
        assert_eq!(fs::read_dir(&profile).unwrap().count(), 1, "nothing is left beside the key");
    }

    #[test]
    fn a_key_that_others_may_read_is_closed_to_them() {
        // spec: CLI-060, CLI-131
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("key");
        let key = create(&path).unwrap();
        for others in [0o644, 0o660, 0o400] {
            fs::set_permissions(&path, Permissions::from_mode(others)).unwrap();
            assert_eq!(*read(&path).unwrap(), *key);
            assert_eq!(mode(&path), 0o600);
        }
    }

    #[test]
    fn what_is_no_key_of_ones_own_is_refused_by_name_and_left_alone() {
        // spec: CLI-131
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("key");
        assert_eq!(read(&path).unwrap_err(), KeyFileError::Missing);
        let elsewhere = base.path().join("elsewhere");
        fs::write(&elsewhere, [7; 32]).unwrap();
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o644)).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert_eq!(read(&path).unwrap_err(), KeyFileError::NotPrivate);
        assert_eq!(create(&path).unwrap_err(), KeyFileError::NotPrivate);
        assert_eq!(mode(&elsewhere), 0o644);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(read(&path).unwrap_err(), KeyFileError::NotPrivate);
        fs::remove_dir(&path).unwrap();
        for length in [0, 31, 33] {
            fs::write(&path, vec![1; length]).unwrap();
            assert_eq!(create(&path).unwrap_err(), KeyFileError::NotAKey, "{length}");
        }
    }
}
