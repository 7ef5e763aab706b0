//! The encrypted store from outside: what comes back, what lies on the disk, what it costs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use hushwire::store::{KeyCost, OpenError, Passphrase, RawKey, SqlcipherStore, StoreKey};
use hushwire_engine::store::{Change, Order, Range, Store as _, Table};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) const COST: KeyCost = KeyCost::DANGEROUS_MINIMUM;

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(crate) fn passphrase(text: &str) -> StoreKey {
    StoreKey::Passphrase(Passphrase::new(Zeroizing::new(text.into())))
}

pub(crate) fn raw_key(byte: u8) -> StoreKey {
    StoreKey::Raw(RawKey::new(Zeroizing::new([byte; 32])))
}

pub(crate) fn create(profile: &Path) -> SqlcipherStore {
    SqlcipherStore::create(profile, &passphrase("right"), COST, &mut rng(1)).unwrap()
}

pub(crate) fn open(profile: &Path) -> Result<SqlcipherStore, OpenError> {
    SqlcipherStore::open(profile, &passphrase("right"), COST, &mut rng(2))
}

pub(crate) fn put(table: Table, key: &[u8], value: &[u8]) -> Change {
    Change { table, key: key.into(), value: Some(Zeroizing::new(value.into())) }
}

fn remove(table: Table, key: &[u8]) -> Change {
    Change { table, key: key.into(), value: None }
}

pub(crate) fn value(store: &SqlcipherStore, table: Table, key: &[u8]) -> Option<Vec<u8>> {
    store.row(table, key).unwrap().map(|value| value.to_vec())
}

fn profile() -> (TempDir, PathBuf) {
    let base = tempfile::tempdir().unwrap();
    let profile = base.path().join("profile");
    (base, profile)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn what_was_applied_is_there_after_reopening() {
    // spec: CLI-050, CLI-061
    let (_base, profile) = profile();
    let mut store = create(&profile);
    for table in Table::ALL {
        store
            .apply(vec![put(table, b"b", b"2"), put(table, b"a", b"1"), put(table, b"", b"")])
            .unwrap();
    }
    let large = vec![7; 20_000];
    store.apply(vec![put(Table::Mls, b"c", b"3"), put(Table::Mls, b"b", &large)]).unwrap();
    store.apply(vec![put(Table::Chat, b"a", b"9"), remove(Table::Chat, b"b")]).unwrap();
    drop(store);

    let store = open(&profile).unwrap();
    assert_eq!(value(&store, Table::Chat, b"a").unwrap(), b"9");
    assert_eq!(value(&store, Table::Chat, b"b"), None);
    assert_eq!(value(&store, Table::OwnEntry, b"").unwrap(), b"");
    let range = Range { prefix: b"", from: Some(b"b"), order: Order::Ascending, rows_max: 10 };
    let rows = store.rows(Table::Mls, range).unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (&row.key[..], &row.value[..])).collect();
    assert_eq!(rows, [(&b"b"[..], &large[..]), (&b"c"[..], &b"3"[..])]);
}

#[test]
fn nothing_readable_lies_on_the_disk() {
    // spec: CLI-060
    let (_base, profile) = profile();
    let marker = b"MARKER-that-must-not-be-found";
    let mut store = create(&profile);
    let long = marker.repeat(2_000);
    for table in Table::ALL {
        store.apply(vec![put(table, marker, marker), put(table, b"long", &long)]).unwrap();
        store.apply(vec![remove(table, b"long")]).unwrap();
    }
    let mut logs = 0;
    for settled in [false, true] {
        if settled {
            store.settle().unwrap();
        }
        for path in files(&profile) {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
            if path.is_dir() {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            logs += usize::from(path.ends_with("database-wal") && !bytes.is_empty());
            for needle in [&marker[..], b"message_place", b"right", b"SQLite format"] {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "{} in {path:?}", String::from_utf8_lossy(needle));
            }
        }
    }
    assert_eq!(logs, 1, "the log was looked at while it was full, and is empty when settled");
}

#[test]
fn every_wrong_way_to_open_has_its_error() {
    // spec: CLI-052, CLI-057
    let (_base, profile) = profile();
    let as_is = |_: &Path| {};
    assert_eq!(open(&profile).unwrap_err(), OpenError::Absent);
    drop(create(&profile));
    let again = SqlcipherStore::create(&profile, &raw_key(1), COST, &mut rng(1));
    assert_eq!(again.unwrap_err(), OpenError::Exists);

    type Harm = fn(&Path);
    let cases: [(Harm, StoreKey, OpenError); 9] = [
        (as_is, passphrase("wrong"), OpenError::WrongPassphrase),
        (as_is, raw_key(1), OpenError::PassphraseNeeded),
        (
            |store| fs::remove_file(store.join("header")).unwrap(),
            passphrase("right"),
            OpenError::Incomplete,
        ),
        (
            |store| fs::remove_file(store.join("database")).unwrap(),
            passphrase("right"),
            OpenError::Incomplete,
        ),
        (
            |store| fs::write(store.join("header"), b"something else").unwrap(),
            passphrase("right"),
            OpenError::Foreign,
        ),
        (|store| flip(&store.join("header"), 60), passphrase("right"), OpenError::Damaged),
        (|store| flip(&store.join("database"), 100), passphrase("right"), OpenError::Damaged),
        (
            |store| fs::write(store.join("database"), b"").unwrap(),
            passphrase("right"),
            OpenError::Damaged,
        ),
        (
            |store| fs::write(store.join("database"), b"SQLite format 3\0...").unwrap(),
            passphrase("right"),
            OpenError::Foreign,
        ),
    ];
    let store = profile.join("store");
    let saved = ["header", "database"].map(|name| (name, fs::read(store.join(name)).unwrap()));
    for (harm, key, expected) in cases {
        harm(&store);
        let opened = SqlcipherStore::open(&profile, &key, COST, &mut rng(1));
        assert_eq!(opened.unwrap_err(), expected);
        assert!(!expected.advice().is_empty());
        for (name, bytes) in &saved {
            fs::write(store.join(name), bytes).unwrap();
        }
    }
    let first = open(&profile).unwrap();
    assert_eq!(open(&profile).unwrap_err(), OpenError::Busy);
    drop(first);
    open(&profile).unwrap();
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_page_is_noticed_when_it_is_read() {
    // spec: CLI-055
    let (_base, profile) = profile();
    let mut store = create(&profile);
    for number in 0..200_u32 {
        store.apply(vec![put(Table::Message, &number.to_be_bytes(), &[1; 1_000])]).unwrap();
    }
    drop(store);
    let database = profile.join("store/database");
    let middle = fs::metadata(&database).unwrap().len() / 2;
    flip(&database, usize::try_from(middle).unwrap());
    let store = open(&profile).unwrap();
    let all = Range { prefix: b"", from: None, order: Order::Ascending, rows_max: 1_000 };
    let error = store.rows(Table::Message, all).err();
    assert_eq!(error, Some(hushwire_engine::store::StoreError::Damaged));
}

#[test]
fn the_key_can_be_changed_and_its_cost_raised() {
    // spec: CLI-053
    let (_base, profile) = profile();
    let mut store = create(&profile);
    store.apply(vec![put(Table::Chat, b"a", b"1")]).unwrap();
    let refused = store.change_key(&passphrase("wrong"), &raw_key(5), COST, &mut rng(3));
    assert_eq!(refused.unwrap_err(), OpenError::WrongPassphrase);
    store.change_key(&passphrase("right"), &raw_key(5), COST, &mut rng(3)).unwrap();
    drop(store);
    assert_eq!(open(&profile).unwrap_err(), OpenError::RawKeyNeeded);
    let store = SqlcipherStore::open(&profile, &raw_key(5), COST, &mut rng(4)).unwrap();
    assert_eq!(value(&store, Table::Chat, b"a").unwrap(), b"1");
    store.change_key(&raw_key(5), &passphrase("right"), COST, &mut rng(5)).unwrap();
    drop(store);

    let header = || fs::read(profile.join("store/header")).unwrap();
    let before = header();
    drop(open(&profile).unwrap());
    assert_eq!(header(), before, "the cost is right: nothing to do");
    let higher = KeyCost { memory_kib: 64, passes: 2, lanes: 1 };
    SqlcipherStore::open(&profile, &passphrase("right"), higher, &mut rng(6)).unwrap();
    assert_eq!(header()[19..31], [0, 0, 0, 64, 0, 0, 0, 2, 0, 0, 0, 1]);
    drop(open(&profile).unwrap());
    assert_eq!(header()[22], 64, "the cost is never lowered");
}

#[test]
fn a_half_made_store_is_made_anew() {
    // spec: CLI-058
    let (_base, profile) = profile();
    fs::create_dir_all(profile.join("store.new")).unwrap();
    fs::write(profile.join("store.new/header"), b"left by a crash").unwrap();
    assert_eq!(open(&profile).unwrap_err(), OpenError::Absent);
    drop(create(&profile));
    assert!(!profile.join("store.new").exists());
    open(&profile).unwrap();
}

/// Bytes that one batch adds to the log, which is what it writes and syncs.
fn log_bytes_of(store: &mut SqlcipherStore, profile: &Path, change: Change) -> u64 {
    store.settle().unwrap();
    store.apply(vec![change]).unwrap();
    fs::metadata(profile.join("store/database-wal")).unwrap().len()
}

#[test]
fn a_small_change_to_a_large_value_writes_little() {
    // spec: CLI-054
    let (_base, profile) = profile();
    let mut store = create(&profile);
    let mut tree = vec![0; 420_000];
    rng(7).fill_bytes(&mut tree);
    let whole = log_bytes_of(&mut store, &profile, put(Table::Mls, b"tree", &tree));

    // A message: one field in the middle.
    tree[200_000..200_064].fill(1);
    let one_place = log_bytes_of(&mut store, &profile, put(Table::Mls, b"tree", &tree));
    // An insertion, which shifts everything after it.
    tree.splice(100_000..100_000, [9; 333]);
    let insertion = log_bytes_of(&mut store, &profile, put(Table::Mls, b"tree", &tree));
    // A commit in a group of 1,000: a path of eleven nodes, halving its distance.
    for level in 0..11_u32 {
        let at = 420_000 - (420_000 >> level) + 50;
        let end = (at + 200).min(tree.len());
        tree[at..end].fill(2);
    }
    let path = log_bytes_of(&mut store, &profile, put(Table::Mls, b"tree", &tree));

    println!("whole {whole}, one place {one_place}, insertion {insertion}, path {path} bytes");
    assert!(whole > 420_000);
    assert!(one_place * 10 < whole && insertion * 10 < whole && path * 4 < whole);
    assert_eq!(value(&store, Table::Mls, b"tree").unwrap(), tree);
}

#[test]
#[ignore = "a measurement, run by name"]
fn how_long_a_batch_takes() {
    let base = tempfile::tempdir().unwrap();
    let mut store = create(base.path());
    let mut tree = vec![0; 420_000];
    rng(7).fill_bytes(&mut tree);
    store.apply(vec![put(Table::Mls, b"tree", &tree)]).unwrap();
    let timed = |what: &str,
                 rounds: u32,
                 store: &mut SqlcipherStore,
                 batch: &mut dyn FnMut(u32) -> Vec<Change>| {
        let started = std::time::Instant::now();
        for round in 0..rounds {
            store.apply(batch(round)).unwrap();
        }
        println!("{what}: {} us", started.elapsed().as_micros() / u128::from(rounds));
    };
    timed("message of 1 KiB with state of 3 KiB", 500, &mut store, &mut |round| {
        let secrets = vec![u8::try_from(round % 251).unwrap(); 3_000];
        vec![
            put(Table::Message, &round.to_be_bytes(), &[1; 1_024]),
            put(Table::Mls, b"secrets", &secrets),
        ]
    });
    timed("one place of 0.4 MB", 100, &mut store, &mut |round| {
        let at = usize::try_from(round).unwrap() * 4_000;
        tree[at..at + 64].fill(9);
        vec![put(Table::Mls, b"tree", &tree)]
    });
    let started = std::time::Instant::now();
    for _ in 0..100 {
        assert!(store.row(Table::Mls, b"tree").unwrap().is_some());
    }
    println!("reading 0.4 MB: {} us", started.elapsed().as_micros() / 100);
}
