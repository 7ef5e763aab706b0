//! What one capability can take of an inbox and its shelves, whatever its owner has allowed it.

use hushwire_wire::{
    error::{Code, Refusal},
    id::Sequence,
    limit::Limits,
    message::{Answer, Follow, Handle, PackageKind, Repeated, Request, ShelfBefore},
    transcript,
};

use crate::{
    inboxes::inbox,
    world::{Client, INBOX, Relay, bytes, secret, slot},
};

const LIMITS: Limits = Limits {
    capability_items_max: 3,
    item_retention_ms: 10_000,
    shelf_takes_max: 2,
    shelf_takes_window_ms: 1_000,
    ..Limits::V1
};

fn put(handle: Handle, seed: u8) -> Request {
    let capability = transcript::capability_id(&secret(seed));
    let card = bytes("card");
    Request::CapabilityPut { handle, capability, items_max: None, expires_at: None, card }
}

/// Whether an item by this capability was taken.
fn sends(relay: &mut Relay, client: &mut Client, seed: u8, item: &str) -> bool {
    let request = Request::InboxSend { inbox: INBOX, secret: secret(seed), item: bytes(item) };
    match relay.ask(client, request) {
        Answer::InboxSent { repeated: Repeated::First, .. } => true,
        Answer::Refused(refusal) if refusal.code == Code::InboxFull => false,
        other => panic!("unexpected: {other:?}"),
    }
}

#[test]
fn a_capability_without_a_bound_fills_its_share_and_leaves_the_rest() {
    // spec: INB-025, INB-026
    let mut relay = Relay::new(LIMITS);
    let (mut owner, handle) = inbox(&mut relay);
    for seed in [2, 3] {
        relay.ask(&mut owner, put(handle, seed));
    }
    let mut friend = relay.connect();
    let mut taken = |relay: &mut Relay, seed, item: &str| sends(relay, &mut friend, seed, item);
    assert!(taken(&mut relay, 2, "a") && taken(&mut relay, 3, "b"));
    assert!(taken(&mut relay, 2, "c") && taken(&mut relay, 2, "d"));
    assert!(!taken(&mut relay, 2, "e"));
    assert!(taken(&mut relay, 3, "f"), "others still write");
    // What was read makes room, item by item; another's does not.
    for (cursor, room) in [(1, true), (2, false), (3, true), (4, true)] {
        relay.ask(&mut owner, Request::InboxAdvance { handle, cursor: Sequence(cursor) });
        assert_eq!(taken(&mut relay, 2, &format!("after {cursor}")), room, "{cursor}");
        assert!(!taken(&mut relay, 2, "too many"));
    }
    let request = Request::InboxRead { handle, from: Sequence(0), follow: Follow::UntilEnd };
    let places: Vec<u64> = relay
        .read(&mut owner, request)
        .1
        .iter()
        .filter_map(|answer| match answer {
            Answer::InboxItem(item) => Some(item.sequence.0),
            _ => None,
        })
        .collect();
    assert_eq!(places, [4, 5, 6, 7]);
}

#[test]
fn the_share_is_free_again_when_items_expire_and_survives_a_replacement_and_a_restart() {
    // spec: INB-025
    let mut relay = Relay::new(LIMITS);
    let (mut owner, handle) = inbox(&mut relay);
    relay.ask(&mut owner, put(handle, 2));
    let mut friend = relay.connect();
    for item in ["a", "b", "c"] {
        assert!(sends(&mut relay, &mut friend, 2, item));
        relay.wait_ms(1_000);
    }
    relay.ask(&mut owner, put(handle, 2));
    assert!(!sends(&mut relay, &mut friend, 2, "d"));
    relay.restart(LIMITS);
    let mut friend = relay.connect();
    relay.wait_ms(6_999);
    assert!(!sends(&mut relay, &mut friend, 2, "d"));
    relay.wait_ms(1);
    assert!(sends(&mut relay, &mut friend, 2, "d"));
    assert!(!sends(&mut relay, &mut friend, 2, "e"));
}

fn shelf_put(handle: Handle, package: &str, kind: PackageKind) -> Request {
    Request::ShelfPut { handle, package: bytes(package), kind, before: ShelfBefore::Keep }
}

fn take(seed: u8) -> Request {
    Request::ShelfTake { inbox: INBOX, secret: secret(seed), slot: slot(1) }
}

#[test]
fn a_capability_takes_no_more_than_its_share_of_a_shelf_in_a_window() {
    // spec: INB-024
    let mut relay = Relay::new(LIMITS);
    let (mut owner, handle) = inbox(&mut relay);
    relay.ask(&mut owner, put(handle, 2));
    for name in ["a", "b", "c", "d", "e"] {
        relay.ask(&mut owner, shelf_put(handle, name, PackageKind::Single));
    }
    let mut friend = relay.connect();
    let given = |name, kind| Answer::KeyPackage { package: bytes(name), kind };
    assert_eq!(relay.ask(&mut friend, take(2)), given("a", PackageKind::Single));
    relay.wait_ms(400);
    assert_eq!(relay.ask(&mut friend, take(2)), given("b", PackageKind::Single));
    let refused = Refusal::later(Code::ShelfEmpty, 600);
    assert_eq!(relay.refused(&mut friend, take(2)), refused);
    // Others are served, and the last resort is for all.
    assert_eq!(relay.ask(&mut friend, take(1)), given("c", PackageKind::Single));
    relay.ask(&mut owner, shelf_put(handle, "z", PackageKind::LastResort));
    for _ in 0..3 {
        assert_eq!(relay.ask(&mut friend, take(2)), given("z", PackageKind::LastResort));
    }
    relay.wait_ms(599);
    assert_eq!(relay.ask(&mut friend, take(2)), given("z", PackageKind::LastResort));
    relay.wait_ms(1);
    assert_eq!(relay.ask(&mut friend, take(2)), given("d", PackageKind::Single));
}
