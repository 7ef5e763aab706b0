//! The store when the disk is full and when the process dies.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hushwire_engine::store::{Store as _, StoreError, Table};

use crate::store::{create, open, put, value};

/// A file system of a few hundred KiB, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` without the right to mount.
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"])
            .arg(at)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_changes_nothing_and_the_store_works_again_with_space() {
    // spec: CLI-059
    let base = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(base.path()) else {
        eprintln!(
            "SKIPPED: no right to mount a small disk; the store on a full disk is not tested"
        );
        return;
    };
    let profile = disk.0.join("profile");
    let mut store = create(&profile);
    store
        .apply(vec![put(Table::Chat, b"kept", b"1"), put(Table::Mls, b"kept", &[1; 9_000])])
        .unwrap();

    let filler = disk.0.join("filler");
    let mut size = 1024 * 1024;
    while size > 512 && fs::write(&filler, vec![0; size]).is_err() {
        size -= 512;
    }
    let mut number = 0_u32;
    let full = loop {
        let batch = vec![
            put(Table::Chat, b"kept", b"half"),
            put(Table::Message, &number.to_be_bytes(), &[2; 3_000]),
            put(Table::Mls, b"kept", &vec![3; 50_000]),
        ];
        number += 1;
        match store.apply(batch) {
            Ok(()) => assert!(number < 1_000, "the disk never got full"),
            Err(error) => break error,
        }
    };
    assert_eq!(full, StoreError::Full);
    let chat = value(&store, Table::Chat, b"kept");
    let last = number - 1;
    assert_eq!(value(&store, Table::Message, &last.to_be_bytes()), None, "nothing half done");
    let expected = if last == 0 { &b"1"[..] } else { b"half" };
    assert_eq!(chat.unwrap(), expected);

    fs::remove_file(&filler).unwrap();
    store.apply(vec![put(Table::Chat, b"kept", b"2"), put(Table::Mls, b"kept", b"short")]).unwrap();
    drop(store);
    let store = open(&profile).unwrap();
    assert_eq!(value(&store, Table::Chat, b"kept").unwrap(), b"2");
    assert_eq!(value(&store, Table::Mls, b"kept").unwrap(), b"short");
}

const PROFILE: &str = "HUSHWIRE_TEST_PROFILE";

/// Runs only as the child of the next test, which lets it die.
#[test]
fn child_that_writes_until_it_dies() {
    let Some(profile) = std::env::var_os(PROFILE).map(PathBuf::from) else { return };
    let mut store = create(&profile);
    for number in 0..5_u8 {
        store
            .apply(vec![put(Table::Chat, &[number], &[1]), put(Table::Chat, b"n", &[number])])
            .unwrap();
    }
}

#[test]
fn a_batch_is_there_or_not_wherever_the_process_dies() {
    // spec: CLI-050, CLI-070
    let cases = [
        ("client.store.before-commit:1", None),
        ("client.store.after-commit:1", Some(0)),
        ("client.store.before-commit:4", Some(2)),
        ("client.store.after-commit:4", Some(3)),
        ("client.store.before-commit:6", Some(4)),
    ];
    for (point, last) in cases {
        let base = tempfile::tempdir().unwrap();
        let profile = base.path().join("profile");
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_failure::child_that_writes_until_it_dies"])
            .env("HUSHWIRE_CRASH_AT", point)
            .env(PROFILE, &profile)
            .output()
            .unwrap()
            .status;
        assert_eq!(status.success(), point.ends_with(":6"), "{point}");
        let store = open(&profile).unwrap();
        assert_eq!(value(&store, Table::Chat, b"n"), last.map(|number| vec![number]), "{point}");
        for number in 0..5_u8 {
            let expected = last.is_some_and(|last| number <= last);
            assert_eq!(value(&store, Table::Chat, &[number]).is_some(), expected, "{point}");
        }
    }
}

#[test]
fn a_point_that_does_not_exist_is_said_before_the_process_dies() {
    // spec: CLI-070, CLI-132
    let base = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "store_failure::child_that_writes_until_it_dies"])
        .env("HUSHWIRE_CRASH_AT", "client.store.befor-commit")
        .env(PROFILE, base.path().join("profile"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("HUSHWIRE_CRASH_AT names no crash point"), "{said}");
}
