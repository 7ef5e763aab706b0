//! Files and directories that only their owner can read, and files replaced whole or not at all.
//!
//! Everything below a profile goes through here, so the modes stand in one place (spec: CLI-060).

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::Path,
};

/// Mode of every directory of a profile: the owner only.
pub(crate) const DIRECTORY_MODE: u32 = 0o700;
/// Mode of every file of a profile: the owner only.
pub(crate) const FILE_MODE: u32 = 0o600;

/// Makes sure that a directory is there and that only its owner can enter it.
///
/// # Errors
/// [`io::Error`] if it cannot be created or its mode cannot be set.
pub(crate) fn ensure_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Err(error) => return Err(error),
    }
    tighten(path, DIRECTORY_MODE)
}

/// Creates a file that must not exist yet.
///
/// # Errors
/// [`io::Error`]; of kind `AlreadyExists` if something has that name.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).read(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Opens a file for reading and writing, creating it empty if it is not there.
///
/// # Errors
/// [`io::Error`] if it can neither be opened nor created.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .read(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)?;
    tighten(path, FILE_MODE)?;
    Ok(file)
}

/// Opens a file of ours in a folder that others may write to, or creates it. What others put under
/// its name is not followed: a link, or anything but a regular file.
///
/// # Errors
/// [`io::Error`]; of kind `PermissionDenied` if something else has the name.
pub(crate) fn open_or_create_unfollowed(path: &Path) -> io::Result<File> {
    match create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_unfollowed(path),
        created => created,
    }
}

/// Opens a file of ours that is there. See [`open_or_create_unfollowed`].
///
/// # Errors
/// [`io::Error`]; of kind `PermissionDenied` if something else has the name.
pub(crate) fn open_unfollowed(path: &Path) -> io::Result<File> {
    opened_unfollowed(path, OpenOptions::new().write(true).read(true))
}

fn opened_unfollowed(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let is_file = |path: &Path| fs::symlink_metadata(path).map(|named| named.is_file());
    // Looked at before, because opening alone may do something to a device, and after, because the
    // name may have changed hands in between.
    if !is_file(path)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let file = options.open(path)?;
    let (opened, named) = (file.metadata()?, fs::symlink_metadata(path)?);
    let same = (opened.dev(), opened.ino()) == (named.dev(), named.ino());
    if !named.is_file() || !same {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // Fails for a file of another user.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Opens a file of ours for reading. See [`open_or_create_unfollowed`].
///
/// # Errors
/// [`io::Error`]; of kind `PermissionDenied` if something else has the name.
pub(crate) fn read_unfollowed(path: &Path) -> io::Result<File> {
    opened_unfollowed(path, OpenOptions::new().read(true))
}

/// Takes from group and others what they may do with a file or directory.
///
/// # Errors
/// [`io::Error`] if the mode cannot be read or set.
pub(crate) fn tighten(path: &Path, mode: u32) -> io::Result<()> {
    let permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Replaces a file's content so that after a crash the old or the new one is there, whole.
///
/// # Errors
/// [`io::Error`]; the old content is still there.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let written = write_new(&beside, content).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Best effort: what is left behind is removed by the next replacement.
        let _ = fs::remove_file(&beside);
    }
    written?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Writes a file that must not exist yet, and waits until it is on disk.
///
/// # Errors
/// [`io::Error`] if it cannot be created, written or synced.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Waits until the names in a directory are on disk.
///
/// # Errors
/// [`io::Error`] if the directory cannot be opened or synced.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn modes_are_the_owners_only_even_for_what_was_there() {
        // spec: CLI-060
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("a/b");
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        ensure_directory(&directory).unwrap();
        assert_eq!(mode(&directory), 0o700);
        let file = directory.join("file");
        fs::write(&file, b"x").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        open_or_create(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn a_replacement_is_whole_and_leaves_nothing_behind() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(base.path().join("file.new"), b"left by a crash").unwrap();
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
    }
}
