//! Files that are sent and received.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::SystemTime};

use bytes::Bytes;
use hushwire::files::{DownloadFile, FileError, PartName, SourceFile};

#[tokio::test]
async fn a_file_is_read_in_parts() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("file");
    fs::write(&path, b"0123456789").unwrap();
    let source = SourceFile::open(&path).await.unwrap();
    assert_eq!(source.length(), 10);
    assert_eq!(source.read(0, 4).await.unwrap(), "0123");
    assert_eq!(source.read(4, 6).await.unwrap(), "456789");
    assert_eq!(source.read(10, 0).await.unwrap(), "");
    for (offset, length) in [(10, 1), (0, 11), (u64::MAX, 1)] {
        assert_eq!(source.read(offset, length).await, Err(FileError::OutOfRange));
    }
}

#[tokio::test]
async fn a_file_that_is_no_longer_the_same_is_named() {
    // spec: CLI-069
    type Harm = fn(&Path);
    let cases: [(Harm, FileError); 5] = [
        (|path| fs::remove_file(path).unwrap(), FileError::Vanished),
        (|path| fs::rename(path, path.with_extension("moved")).unwrap(), FileError::Vanished),
        (
            |path| {
                fs::write(path.with_extension("new"), b"0123456789").unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            },
            FileError::Vanished,
        ),
        (|path| fs::write(path, b"01234").unwrap(), FileError::Changed),
        (
            |path| {
                let file = fs::File::options().write(true).open(path).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            },
            FileError::Changed,
        ),
    ];
    for (harm, expected) in cases {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let source = SourceFile::open(&path).await.unwrap();
        source.read(0, 5).await.unwrap();
        harm(&path);
        assert_eq!(source.read(5, 5).await, Err(expected));
    }
}

#[tokio::test]
async fn only_regular_files_are_opened() {
    let base = tempfile::tempdir().unwrap();
    let open = |path: &Path| {
        let path = path.to_owned();
        async move { SourceFile::open(&path).await.err() }
    };
    assert_eq!(open(base.path()).await, Some(FileError::NotAFile));
    assert_eq!(open(Path::new("/dev/null")).await, Some(FileError::NotAFile));
    assert_eq!(open(&base.path().join("none")).await, Some(FileError::NotFound));
    let pipe = base.path().join("pipe");
    if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|made| made.success()) {
        assert_eq!(open(&pipe).await, Some(FileError::NotAFile), "and without waiting");
    }
}

fn names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn a_download_appears_whole_and_replaces_nothing() {
    // spec: CLI-068
    let base = tempfile::tempdir().unwrap();
    let (part, target) = (PartName::new([1; 12]), base.path().join("photo.jpg"));
    let download = DownloadFile::open(&target, &part).await.unwrap();
    download.write(3, Bytes::from_static(b"def")).await.unwrap();
    drop(download);
    // After a restart it goes on where it was.
    let download = DownloadFile::open(&target, &part).await.unwrap();
    assert_eq!(download.read(3, 3).await.unwrap(), "def");
    assert_eq!(download.read(3, 4).await, Err(FileError::Incomplete));
    assert_eq!(DownloadFile::finish(&target, &part, 7).await, Err(FileError::Incomplete));
    download.write(0, Bytes::from_static(b"abc")).await.unwrap();

    fs::write(&target, b"mine").unwrap();
    assert_eq!(DownloadFile::finish(&target, &part, 6).await, Err(FileError::Exists));
    assert_eq!(fs::read(&target).unwrap(), b"mine");
    fs::remove_file(&target).unwrap();
    DownloadFile::finish(&target, &part, 6).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"abcdef");
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(base.path()), 1, "no unfinished file is left");
}

#[tokio::test]
async fn a_download_can_be_finished_again_after_a_crash() {
    // spec: CLI-081
    let base = tempfile::tempdir().unwrap();
    let (part, target) = (PartName::new([2; 12]), base.path().join("file"));
    let download = DownloadFile::open(&target, &part).await.unwrap();
    download.write(0, Bytes::from_static(b"abc")).await.unwrap();
    // The crash came between the new name and the end of the old one.
    fs::hard_link(base.path().join(part.as_str()), &target).unwrap();
    DownloadFile::finish(&target, &part, 3).await.unwrap();
    assert_eq!(names(base.path()), 1);
    // And after both.
    DownloadFile::finish(&target, &part, 3).await.unwrap();
    assert_eq!(DownloadFile::finish(&target, &part, 4).await, Err(FileError::Exists));
    let gone = base.path().join("gone");
    assert_eq!(DownloadFile::finish(&gone, &part, 4).await, Err(FileError::Incomplete));
    DownloadFile::finish(&gone, &part, 0).await.unwrap();
    assert_eq!(fs::read(&gone).unwrap(), b"");
}

#[tokio::test]
async fn a_discarded_download_leaves_nothing() {
    let base = tempfile::tempdir().unwrap();
    let (part, target) = (PartName::new([3; 12]), base.path().join("file"));
    DownloadFile::open(&target, &part).await.unwrap();
    for _ in 0..2 {
        DownloadFile::discard(&target, &part).await.unwrap();
        assert_eq!(names(base.path()), 0);
    }
}

#[tokio::test]
async fn a_link_that_another_put_in_place_of_a_download_is_not_followed() {
    // spec: CLI-068
    let base = tempfile::tempdir().unwrap();
    let (part, target) = (PartName::new([4; 12]), base.path().join("file"));
    let (other, beside) = (base.path().join("other"), base.path().join(part.as_str()));
    fs::write(&other, b"abc").unwrap();
    std::os::unix::fs::symlink(&other, &beside).unwrap();
    let refused = DownloadFile::open(&target, &part).await.err();
    assert_eq!(refused, Some(FileError::NotPermitted));
    let refused = DownloadFile::finish(&target, &part, 3).await;
    assert_eq!(refused, Err(FileError::NotPermitted));
    assert!(!target.exists());
    // Nor is a link under the target's name taken for the finished file.
    fs::remove_file(&beside).unwrap();
    std::os::unix::fs::symlink(&other, &target).unwrap();
    assert_eq!(DownloadFile::finish(&target, &part, 3).await, Err(FileError::Exists));
    assert_eq!(fs::read(&other).unwrap(), b"abc");
}
