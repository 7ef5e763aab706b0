//! Words for what the operating system says; its own differ from system to system.

use std::{borrow::Cow, io::ErrorKind};

/// An error of files and streams, for a person.
pub fn of_io(kind: ErrorKind) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => "access is not permitted",
        ErrorKind::AlreadyExists => "something is there already under this name",
        ErrorKind::NotADirectory => "there is a file, not a folder",
        ErrorKind::IsADirectory => "this is a folder, not a file",
        ErrorKind::DirectoryNotEmpty => "the folder is not empty",
        ErrorKind::ReadOnlyFilesystem => "the disk can only be read",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full",
        ErrorKind::FileTooLarge => "the file is too large for the disk",
        ErrorKind::InvalidFilename => "this is no name for a file",
        ErrorKind::InvalidInput => "this is no path",
        ErrorKind::InvalidData => "it does not hold text in UTF-8",
        ErrorKind::UnexpectedEof => "it ends too early",
        ErrorKind::BrokenPipe => "nobody reads any more",
        ErrorKind::Interrupted => "it was interrupted",
        ErrorKind::TimedOut => "it took too long",
        ErrorKind::OutOfMemory => "there is not enough memory",
        ErrorKind::ResourceBusy => "another program uses it",
        ErrorKind::Unsupported => "this system cannot do it",
        other => return Cow::Owned(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_of_the_programmer_s() {
        for kind in [ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::NotADirectory] {
            assert!(!of_io(kind).contains("entity"), "{kind:?}");
        }
        assert!(!of_io(ErrorKind::Other).is_empty());
    }
}
