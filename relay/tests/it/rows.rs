//! One behavioural suite for every store: RocksDB must be what the memory store is.

use bytes::Bytes;
use hushwire_relay::store::rocks::{Bounds, OpenError, RocksStore};
use hushwire_relay_rules::{
    MemoryStore,
    store::{
        Action, Batch, Change, Object, Read, ReadLimit, Revision, Row, Store, StoreError, Table,
    },
};
use hushwire_wire::id::{BlobId, ChannelId, InboxId, Timestamp};

const WIDE: ReadLimit = ReadLimit { rows_max: 1000, bytes_max: 1 << 20 };

fn channel(byte: u8) -> Object {
    Object::Channel(ChannelId::from_bytes([byte; 32]))
}

fn put(table: Table, key: &[u8], value: &[u8], expires: Option<u64>) -> Change {
    let action =
        Action::Put { value: Bytes::copy_from_slice(value), expires: expires.map(Timestamp) };
    Change { table, key: Bytes::copy_from_slice(key), action }
}

fn delete(table: Table, key: &[u8]) -> Change {
    Change { table, key: Bytes::copy_from_slice(key), action: Action::Delete }
}

fn batch(object: Object, expected: u64, changes: Vec<Change>) -> Batch {
    Batch { object, expected: Revision(expected), changes }
}

fn row(key: &[u8], value: &[u8]) -> Row {
    Row { key: Bytes::copy_from_slice(key), value: Bytes::copy_from_slice(value) }
}

fn suite<S: Store>(mut fresh: impl FnMut() -> S) {
    a_batch_is_whole_or_not_there(&mut fresh());
    rows_come_in_order_within_their_object_table_and_prefix(&mut fresh());
    limits_stop_after_the_row_that_reaches_them(&mut fresh());
    time_decides_what_exists_and_expiry_removes_it(&mut fresh());
    a_row_that_was_prolonged_or_deleted_is_not_removed_by_its_old_time(&mut fresh());
    a_row_takes_with_it_what_lives_with_it(&mut fresh());
}

fn a_batch_is_whole_or_not_there<S: Store>(store: &mut S) {
    // spec: RLY-011
    let (one, two, now) = (channel(1), channel(2), Timestamp(0));
    assert_eq!(store.revision(&one), Ok(Revision(0)));
    store.commit(&[batch(one, 0, vec![put(Table::Epoch, b"k", b"v", None)])]).unwrap();
    assert_eq!(store.revision(&one), Ok(Revision(1)));
    let stale = [
        batch(two, 0, vec![put(Table::Epoch, b"k", b"v", None)]),
        batch(one, 0, vec![delete(Table::Epoch, b"k")]),
    ];
    assert_eq!(store.commit(&stale), Err(StoreError::Conflict));
    assert_eq!(store.revision(&two), Ok(Revision(0)));
    assert_eq!(store.row(&two, Table::Epoch, b"k", now), Ok(None));
    assert_eq!(store.row(&one, Table::Epoch, b"k", now), Ok(Some(Bytes::from_static(b"v"))));
    assert_eq!(store.row(&one, Table::SeenKey, b"k", now), Ok(None));
    store.commit(&[batch(one, 1, vec![delete(Table::Epoch, b"k")])]).unwrap();
    assert_eq!(store.row(&one, Table::Epoch, b"k", now), Ok(None));
    assert_eq!(store.revision(&one), Ok(Revision(2)));
}

fn rows_come_in_order_within_their_object_table_and_prefix<S: Store>(store: &mut S) {
    let inbox = Object::Inbox(InboxId::from_bytes([1; 16]));
    let now = Timestamp(0);
    for object in [channel(1), inbox, channel(2)] {
        let changes = vec![
            put(Table::Item, &[1, 2], b"c", None),
            put(Table::Item, &[1], b"a", None),
            put(Table::Item, &[1, 1], b"b", None),
            put(Table::Item, &[1, 255], b"d", None),
            put(Table::Item, &[2], b"e", None),
            put(Table::ItemPlace, &[1, 3], b"x", None),
        ];
        store.commit(&[batch(object, 0, changes)]).unwrap();
    }
    let rows = |prefix: &[u8], from: &[u8]| {
        store.rows(&inbox, Table::Item, prefix, from, WIDE, now).unwrap()
    };
    assert_eq!(
        rows(&[1], &[]),
        [row(&[1], b"a"), row(&[1, 1], b"b"), row(&[1, 2], b"c"), row(&[1, 255], b"d")]
    );
    assert_eq!(rows(&[1], &[1, 2]), [row(&[1, 2], b"c"), row(&[1, 255], b"d")]);
    assert_eq!(rows(&[1], &[1, 255, 0]), []);
    assert_eq!(rows(&[], &[2]), [row(&[2], b"e")]);
    assert_eq!(rows(&[3], &[]), []);
}

fn limits_stop_after_the_row_that_reaches_them<S: Store>(store: &mut S) {
    let (object, now) = (channel(1), Timestamp(0));
    let changes = (0..10).map(|n| put(Table::EntryContent, &[n], &[n; 600], None)).collect();
    store.commit(&[batch(object, 0, changes)]).unwrap();
    let count = |rows_max, bytes_max| {
        let limit = ReadLimit { rows_max, bytes_max };
        store.rows(&object, Table::EntryContent, &[], &[], limit, now).unwrap().len()
    };
    assert_eq!(count(3, 1 << 20), 3);
    assert_eq!(count(100, 1), 1);
    assert_eq!(count(100, 600), 1);
    assert_eq!(count(100, 601), 2);
    assert_eq!(count(100, 1 << 20), 10);
}

fn time_decides_what_exists_and_expiry_removes_it<S: Store>(store: &mut S) {
    // spec: RLY-014
    let blob = Object::Blob(BlobId::from_bytes([1; 32]));
    let changes = vec![
        put(Table::Chunk, &[3], &[3; 700], Some(30)),
        put(Table::Chunk, &[1], &[1; 700], Some(10)),
        put(Table::Chunk, &[2], &[2; 700], Some(20)),
        put(Table::Blob, &[], b"kept", None),
    ];
    store.commit(&[batch(blob, 0, changes)]).unwrap();
    let alive = |store: &S, now| {
        store.rows(&blob, Table::Chunk, &[], &[], WIDE, Timestamp(now)).unwrap().len()
    };
    assert_eq!([9, 10, 20, 29, 30].map(|now| alive(store, now)), [3, 2, 1, 1, 0]);
    assert_eq!(store.row(&blob, Table::Chunk, &[1], Timestamp(10)), Ok(None));
    assert_eq!(store.expire(Timestamp(9), 10), Ok(0));
    assert_eq!(store.expire(Timestamp(20), 1), Ok(1));
    // The earliest went first; asked with an old clock, the next one is still there.
    assert_eq!(alive(store, 0), 2);
    assert_eq!(store.expire(Timestamp(20), 10), Ok(1));
    assert_eq!(store.expire(Timestamp(20), 10), Ok(0));
    assert_eq!(store.expire(Timestamp(1000), 10), Ok(1));
    assert_eq!(alive(store, 0), 0);
    let kept = store.row(&blob, Table::Blob, &[], Timestamp(1000));
    assert_eq!(kept, Ok(Some(Bytes::from_static(b"kept"))));
    assert_eq!(store.revision(&blob), Ok(Revision(1)));
}

fn a_row_that_was_prolonged_or_deleted_is_not_removed_by_its_old_time<S: Store>(store: &mut S) {
    // spec: RLY-014
    let object = channel(1);
    let steps = [
        vec![
            put(Table::Epoch, b"prolonged", b"v", Some(10)),
            put(Table::Epoch, b"kept", b"v", Some(10)),
            put(Table::Epoch, b"deleted", b"v", Some(10)),
            put(Table::EntryContent, b"content", b"v", Some(10)),
        ],
        vec![
            put(Table::Epoch, b"prolonged", b"w", Some(40)),
            put(Table::Epoch, b"kept", b"w", None),
            delete(Table::Epoch, b"deleted"),
            delete(Table::EntryContent, b"content"),
        ],
    ];
    for (revision, changes) in (0..).zip(steps) {
        store.commit(&[batch(object, revision, changes)]).unwrap();
    }
    assert_eq!(store.expire(Timestamp(20), 10), Ok(0));
    let read =
        |store: &S, key: &[u8]| store.row(&object, Table::Epoch, key, Timestamp(20)).unwrap();
    assert_eq!(read(store, b"prolonged").as_deref(), Some(&b"w"[..]));
    assert_eq!(read(store, b"kept").as_deref(), Some(&b"w"[..]));
    assert_eq!(read(store, b"deleted"), None);
    // A row that comes to expire before what was removed last is found as well.
    let late = vec![put(Table::Epoch, b"late", b"v", Some(5))];
    store.commit(&[batch(object, 2, late)]).unwrap();
    assert_eq!(store.expire(Timestamp(20), 10), Ok(1));
    assert_eq!(store.expire(Timestamp(40), 10), Ok(1));
    assert_eq!(read(store, b"kept").as_deref(), Some(&b"w"[..]));
}

fn a_row_takes_with_it_what_lives_with_it<S: Store>(store: &mut S) {
    // spec: RLY-014, BLB-010
    let blob = |byte| Object::Blob(BlobId::from_bytes([byte; 32]));
    let chunks = |store: &S, byte| {
        store.rows(&blob(byte), Table::Chunk, &[], &[], WIDE, Timestamp(0)).unwrap().len()
    };
    let whole = |expires| {
        vec![
            put(Table::Blob, &[], b"row", Some(expires)),
            put(Table::Chunk, &[0], &[1; 700], None),
            put(Table::Chunk, &[255; 8], &[2; 700], None),
        ]
    };
    for byte in [1, 2, 3] {
        store.commit(&[batch(blob(byte), 0, whole(10))]).unwrap();
    }
    // One change prolongs all of it.
    store.commit(&[batch(blob(2), 1, vec![put(Table::Blob, &[], b"row", Some(20))])]).unwrap();
    assert_eq!(store.expire(Timestamp(9), 10), Ok(0));
    assert_eq!(store.expire(Timestamp(10), 1), Ok(1));
    assert_eq!([1, 2, 3].map(|byte| chunks(store, byte)), [0, 2, 2]);
    assert_eq!(store.expire(Timestamp(10), 10), Ok(1));
    assert_eq!([1, 2, 3].map(|byte| chunks(store, byte)), [0, 2, 0]);
    store.commit(&[batch(blob(2), 2, vec![delete(Table::Blob, &[])])]).unwrap();
    assert_eq!(chunks(store, 2), 0);
    // What is put beside the deletion stays; other objects and tables are not touched.
    store.commit(&[batch(blob(4), 0, whole(10)), batch(blob(5), 0, whole(10))]).unwrap();
    let anew = vec![delete(Table::Blob, &[]), put(Table::Chunk, &[7], &[3; 700], None)];
    store.commit(&[batch(blob(4), 1, anew)]).unwrap();
    assert_eq!((chunks(store, 4), chunks(store, 5)), (1, 2));
    let epoch = vec![put(Table::Epoch, &[], b"v", None), delete(Table::SeenKey, &[])];
    store.commit(&[batch(channel(1), 0, epoch)]).unwrap();
    assert_eq!(chunks(store, 5), 2);
}

fn bounds() -> Bounds {
    Bounds { disk_reserve_bytes: 0, ..Bounds::default() }
}

#[test]
fn the_memory_store_behaves() {
    suite(MemoryStore::new);
}

#[test]
fn the_rocks_store_behaves() {
    let parent = tempfile::tempdir().unwrap();
    let mut number = 0;
    suite(|| {
        number += 1;
        RocksStore::open(&parent.path().join(number.to_string()), &bounds()).unwrap()
    });
}

#[test]
fn the_rocks_store_keeps_what_it_has_through_a_reopening() {
    // spec: RLY-011
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("store");
    let mut store = RocksStore::open(&path, &bounds()).unwrap();
    let changes = vec![put(Table::Item, b"k", &[7; 4000], Some(50))];
    store.commit(&[batch(channel(1), 0, changes)]).unwrap();
    drop(store);
    let mut store = RocksStore::open(&path, &bounds()).unwrap();
    assert_eq!(store.revision(&channel(1)), Ok(Revision(1)));
    let found = store.row(&channel(1), Table::Item, b"k", Timestamp(0)).unwrap();
    assert_eq!(found.as_deref(), Some(&[7; 4000][..]));
    assert_eq!(store.expire(Timestamp(50), 10), Ok(1));
}

#[test]
fn a_dead_object_leaves_nothing_behind() {
    // spec: RLY-014
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("store");
    let mut store = RocksStore::open(&path, &bounds()).unwrap();
    let changes = vec![put(Table::Epoch, b"k", b"v", Some(DAY_MS / 2))];
    store.commit(&[batch(channel(1), 0, changes)]).unwrap();
    assert_eq!(store.expire(Timestamp(DAY_MS / 2), 10), Ok(1));
    assert_eq!(store.revision(&channel(1)), Ok(Revision(1)));
    store.expire(Timestamp(DAY_MS), 10).unwrap();
    assert_eq!(store.revision(&channel(1)), Ok(Revision(0)));
    // The chunks of a blob have no time of their own, and yet do not keep its revision.
    let blob = Object::Blob(BlobId::from_bytes([1; 32]));
    let changes = vec![
        put(Table::Blob, &[], b"v", Some(2 * DAY_MS)),
        put(Table::Chunk, &[0], &[7; 700], None),
    ];
    store.commit(&[batch(blob, 0, changes)]).unwrap();
    store.expire(Timestamp(2 * DAY_MS), 10).unwrap();
    store.expire(Timestamp(2 * DAY_MS), 10).unwrap();
    assert_eq!(store.revision(&blob), Ok(Revision(0)));
    drop(store);
    let mut rows = 0;
    hushwire_relay::store::rocks::inspect(&path, |_| {
        rows += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn a_store_in_use_and_a_missing_one_are_named() {
    // spec: RLY-002
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("store");
    assert!(matches!(
        hushwire_relay::store::rocks::inspect(&path, |_| Ok(())),
        Err(OpenError::Missing)
    ));
    let store = RocksStore::open(&path, &bounds()).unwrap();
    assert!(matches!(RocksStore::open(&path, &bounds()), Err(OpenError::InUse)));
    drop(store);
    RocksStore::open(&path, &bounds()).unwrap();
}

#[test]
fn a_disk_below_its_reserve_takes_nothing_and_loses_nothing() {
    // spec: RLY-012
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("store");
    let mut store = RocksStore::open(&path, &bounds()).unwrap();
    store.commit(&[batch(channel(1), 0, vec![put(Table::Epoch, b"k", b"v", None)])]).unwrap();
    drop(store);
    let full = Bounds { disk_reserve_bytes: u64::MAX, ..bounds() };
    let mut store = RocksStore::open(&path, &full).unwrap();
    let change = || batch(channel(1), 1, vec![delete(Table::Epoch, b"k")]);
    assert_eq!(store.commit(&[change()]), Err(StoreError::Full));
    let found = store.row(&channel(1), Table::Epoch, b"k", Timestamp(0)).unwrap();
    assert_eq!(found.as_deref(), Some(&b"v"[..]));
    drop(store);
    RocksStore::open(&path, &bounds()).unwrap().commit(&[change()]).unwrap();
}
