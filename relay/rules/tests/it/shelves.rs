//! Shelves of key packages.

use hushwire_wire::{
    error::Code,
    limit::Limits,
    message::{Answer, Handle, PackageKind, PackageKindsPresent, Request, ShelfBefore},
};

use crate::{
    inboxes::inbox,
    world::{INBOX, Relay, bytes, secret, slot},
};

fn put(handle: Handle, package: &str, kind: PackageKind, before: ShelfBefore) -> Request {
    Request::ShelfPut { handle, package: bytes(package), kind, before }
}

fn single(handle: Handle, package: &str) -> Request {
    put(handle, package, PackageKind::Single, ShelfBefore::Keep)
}

fn last_resort(handle: Handle, package: &str) -> Request {
    put(handle, package, PackageKind::LastResort, ShelfBefore::Keep)
}

fn take() -> Request {
    Request::ShelfTake { inbox: INBOX, secret: secret(1), slot: slot(1) }
}

const fn state(packages: u64, last_resort: PackageKindsPresent) -> Answer {
    Answer::ShelfState { packages, last_resort }
}

fn package(package: &str, kind: PackageKind) -> Answer {
    Answer::KeyPackage { package: bytes(package), kind }
}

const BOTH: PackageKindsPresent = PackageKindsPresent::WithLastResort;
const NONE: PackageKindsPresent = PackageKindsPresent::SingleOnly;

#[test]
fn packages_are_handed_out_once_and_in_order_then_the_last_resort() {
    // spec: INB-018, INB-019
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let mut friend = relay.connect();
    // No time is named: nobody knows when there will be one.
    assert_eq!(relay.refused(&mut friend, take()), Code::ShelfEmpty.into());
    assert_eq!(relay.ask(&mut owner, single(handle, "a")), state(1, NONE));
    assert_eq!(relay.ask(&mut owner, last_resort(handle, "z")), state(1, BOTH));
    assert_eq!(relay.ask(&mut owner, single(handle, "b")), state(2, BOTH));
    assert_eq!(relay.ask(&mut friend, take()), package("a", PackageKind::Single));
    assert_eq!(relay.ask(&mut owner, Request::ShelfStatus(handle)), state(1, BOTH));
    assert_eq!(relay.ask(&mut owner, single(handle, "c")), state(2, BOTH));
    for expected in ["b", "c"] {
        assert_eq!(relay.ask(&mut friend, take()), package(expected, PackageKind::Single));
    }
    for _ in 0..2 {
        assert_eq!(relay.ask(&mut friend, take()), package("z", PackageKind::LastResort));
    }
    assert_eq!(relay.ask(&mut owner, last_resort(handle, "y")), state(0, BOTH));
    assert_eq!(relay.ask(&mut friend, take()), package("y", PackageKind::LastResort));
}

#[test]
fn a_put_that_clears_drops_everything_before() {
    // spec: INB-018
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let mut friend = relay.connect();
    for name in ["a", "b", "c"] {
        relay.ask(&mut owner, single(handle, name));
    }
    relay.ask(&mut owner, last_resort(handle, "z"));
    let rows = relay.store.rows_stored();
    let request = put(handle, "d", PackageKind::Single, ShelfBefore::Clear);
    assert_eq!(relay.ask(&mut owner, request), state(1, NONE));
    assert_eq!(relay.store.rows_stored(), rows - 3);
    assert_eq!(relay.ask(&mut friend, take()), package("d", PackageKind::Single));
    assert_eq!(relay.code(&mut friend, take()), Code::ShelfEmpty);
    let request = put(handle, "y", PackageKind::LastResort, ShelfBefore::Clear);
    assert_eq!(relay.ask(&mut owner, request), state(0, BOTH));
}

#[test]
fn a_shelf_is_bounded() {
    // spec: INB-018
    let mut relay = Relay::new(Limits { shelf_packages_max: 2, ..Limits::V1 });
    let (mut owner, handle) = inbox(&mut relay);
    relay.ask(&mut owner, single(handle, "a"));
    relay.ask(&mut owner, single(handle, "b"));
    assert_eq!(relay.code(&mut owner, single(handle, "c")), Code::LimitExceeded);
    assert_eq!(relay.ask(&mut owner, last_resort(handle, "z")), state(2, BOTH));
    let request = put(handle, "c", PackageKind::Single, ShelfBefore::Clear);
    assert_eq!(relay.ask(&mut owner, request), state(1, NONE));
}

#[test]
fn a_shelf_goes_with_its_slot() {
    // spec: INB-017, INB-019
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let before = relay.store.rows_stored();
    relay.ask(&mut owner, single(handle, "a"));
    relay.ask(&mut owner, last_resort(handle, "z"));
    relay.ask(&mut owner, Request::SlotDrop { handle, slot: slot(1) });
    assert_eq!(relay.store.rows_stored(), before - 1);
    let mut friend = relay.connect();
    assert_eq!(relay.code(&mut friend, take()), Code::ShelfEmpty);
    let unknown = Request::ShelfTake { inbox: INBOX, secret: secret(9), slot: slot(1) };
    assert_eq!(relay.code(&mut friend, unknown), Code::Denied);
}
