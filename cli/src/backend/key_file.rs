//! The key of a profile without passphrase: 32 random bytes in a file that only its owner reads.
//!
//! It keeps the store's files unreadable when they are copied without it, and nothing more: whoever
//! can read the whole profile can open it. `hush init --no-passphrase` says so.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

const FILE_NAME: &str = "key";
/// Where the system gives random bytes on every Unix.
const RANDOM_SOURCE: &str = "/dev/urandom";

/// The bytes of a key.
pub(super) type KeyBytes = Zeroizing<[u8; 32]>;

/// Where the key of a profile is.
pub(super) fn path(profile: &Path) -> PathBuf {
    profile.join(FILE_NAME)
}

/// Makes a key for a new profile, and its folder. A key that is there already is kept: it may be
/// that of an `init` that was interrupted, or of one that runs beside this one.
///
/// # Errors
/// [`io::Error`] of the file system.
pub(super) fn create(profile: &Path) -> io::Result<KeyBytes> {
    let path = path(profile);
    if path.exists() {
        return read(profile);
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(profile)?;
    let mut key = Zeroizing::new([0; 32]);
    File::open(RANDOM_SOURCE)?.read_exact(&mut key[..])?;
    // Written beside under a name of this process, and then named without replacing anything: a
    // half-written key is never taken for one, and of two at once both have the first.
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    remove(&beside)?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(&key[..])?;
    file.sync_all()?;
    let named = fs::hard_link(&beside, &path);
    remove(&beside)?;
    match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read(profile),
        named => named?,
    }
    File::open(profile)?.sync_all()?;
    Ok(key)
}

/// Reads the key of a profile. If others may read the file, that ends here, as it does for the
/// store's files (spec: CLI-060).
///
/// # Errors
/// [`io::Error`]; of kind `InvalidData` if the file does not have 32 bytes.
pub(super) fn read(profile: &Path) -> io::Result<KeyBytes> {
    let mut key = Zeroizing::new([0; 32]);
    let mut file = File::open(path(profile))?;
    if file.metadata()?.permissions().mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    file.read_exact(&mut key[..])?;
    match file.read(&mut [0])? {
        0 => Ok(key),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let base = tempfile::tempdir().unwrap();
        let profile = base.path().join("a/profile");
        let key = create(&profile).unwrap();
        assert_ne!(*key, [0; 32]);
        assert_eq!(*create(&profile).unwrap(), *key);
        assert_eq!(*read(&profile).unwrap(), *key);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path(&profile)), 0o600);
        assert_eq!(mode(&profile), 0o700);
        assert_ne!(*create(&base.path().join("other")).unwrap(), *key);
        let files = fs::read_dir(&profile).unwrap().count();
        assert_eq!(files, 1, "nothing is left beside the key");
    }

    #[test]
    fn a_key_that_others_may_read_is_closed_to_them() {
        // spec: CLI-060
        let base = tempfile::tempdir().unwrap();
        let key = create(base.path()).unwrap();
        let path = path(base.path());
        for mode in [0o644, 0o660, 0o400] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(*read(base.path()).unwrap(), *key);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let base = tempfile::tempdir().unwrap();
        for length in [0, 31, 33] {
            fs::write(path(base.path()), vec![1; length]).unwrap();
            assert!(read(base.path()).is_err(), "{length}");
        }
    }
}
