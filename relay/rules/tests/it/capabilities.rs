//! Writing to an inbox by capability: who may, how much, and once only.

use hushwire_wire::{
    error::Code,
    id::{CapabilityId, InboxId, Sequence, Timestamp},
    limit::Limits,
    message::{Answer, Follow, Handle, Repeated, Request},
    transcript,
};

use crate::{
    inboxes::{inbox, send},
    world::{INBOX, Relay, bytes, secret, short},
};

fn put(handle: Handle, seed: u8, items_max: Option<u64>, expires_at: Option<Timestamp>) -> Request {
    let capability = transcript::capability_id(&secret(seed));
    Request::CapabilityPut { handle, capability, items_max, expires_at, card: bytes("card") }
}

fn send_by(seed: u8, item: &str) -> Request {
    Request::InboxSend { inbox: INBOX, secret: secret(seed), item: bytes(item) }
}

fn card(seed: u8) -> Request {
    Request::CardFetch { inbox: INBOX, secret: secret(seed) }
}

#[test]
fn an_item_is_named_and_receipted() {
    // spec: INB-003, INB-006
    let mut relay = Relay::default();
    let (_, _) = inbox(&mut relay);
    let mut friend = relay.connect();
    let Answer::InboxSent { item, signature, repeated } = relay.ask(&mut friend, send("hello"))
    else {
        panic!("not sent")
    };
    assert_eq!(item, transcript::item_id(&INBOX, b"hello"));
    assert_eq!(repeated, Repeated::First);
    let receipt = transcript::item_receipt(&relay.id(), &INBOX, &item);
    assert_eq!(receipt.verify(&relay.key(), &signature), Ok(()));
}

#[test]
fn without_a_valid_capability_all_is_denied_alike() {
    // spec: INB-004, INB-005
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let mut friend = relay.connect();
    let expires_at = Some(relay.now.plus_ms(100));
    relay.ask(&mut owner, put(handle, 2, None, expires_at));
    let answer = relay.ask(&mut friend, send_by(2, "in time"));
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    relay.wait_ms(99);
    let answer = relay.ask(&mut friend, card(2));
    assert!(matches!(answer, Answer::Card { .. }), "{answer:?}");
    relay.wait_ms(1);
    let capability = transcript::capability_id(&secret(1));
    for _ in 0..2 {
        let request = Request::CapabilityRevoke { handle, capability };
        assert_eq!(relay.ask(&mut owner, request), Answer::Done);
    }
    let nowhere = InboxId::from_bytes([9; 16]);
    let requests = [
        send_by(1, "revoked"),
        send_by(2, "expired"),
        send_by(2, "in time"),
        send_by(3, "unknown"),
        Request::InboxSend { inbox: nowhere, secret: secret(1), item: bytes("no inbox") },
        card(1),
        card(2),
        card(3),
        Request::CardFetch { inbox: nowhere, secret: secret(1) },
        Request::ShelfTake { inbox: INBOX, secret: secret(2), slot: crate::world::slot(1) },
    ];
    for request in requests {
        assert_eq!(relay.refused(&mut friend, request), Code::Denied.into());
    }
    // Put again, both work.
    relay.ask(&mut owner, put(handle, 1, None, None));
    relay.ask(&mut owner, put(handle, 2, None, None));
    for seed in [1, 2] {
        let answer = relay.ask(&mut friend, send_by(seed, &format!("by {seed}")));
        assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    }
}

#[test]
fn a_repeated_item_is_stored_and_counted_once() {
    // spec: INB-007, INB-008
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    relay.ask(&mut owner, put(handle, 2, Some(2), None));
    let mut friend = relay.connect();
    let mut repeats = Vec::new();
    for item in ["a", "a", "b", "b", "a"] {
        match relay.ask(&mut friend, send_by(2, item)) {
            Answer::InboxSent { repeated, .. } => repeats.push(repeated),
            other => panic!("not sent: {other:?}"),
        }
    }
    let (first, again) = (Repeated::First, Repeated::Again);
    assert_eq!(repeats, [first, again, first, again, again]);
    assert_eq!(relay.code(&mut friend, send_by(2, "c")), Code::CapabilitySpent);
    // Also after it was deleted.
    let request = Request::InboxAdvance { handle, cursor: Sequence(2) };
    relay.ask(&mut owner, request);
    let answer = relay.ask(&mut friend, send_by(2, "a"));
    assert!(matches!(answer, Answer::InboxSent { repeated: Repeated::Again, .. }), "{answer:?}");
    let request = Request::InboxRead { handle, from: Sequence(0), follow: Follow::UntilEnd };
    assert_eq!(short(&relay.read(&mut owner, request).1), "!");
}

#[test]
fn an_item_is_remembered_for_its_retention() {
    // spec: INB-007
    let mut relay = Relay::new(Limits { item_retention_ms: 1_000, ..Limits::V1 });
    let (_, _) = inbox(&mut relay);
    let mut friend = relay.connect();
    for (wait_ms, expected) in [(0, Repeated::First), (999, Repeated::Again), (1, Repeated::First)]
    {
        relay.wait_ms(wait_ms);
        let Answer::InboxSent { repeated, .. } = relay.ask(&mut friend, send("a")) else {
            panic!("not sent")
        };
        assert_eq!(repeated, expected);
    }
}

#[test]
fn a_replaced_capability_keeps_its_count() {
    // spec: INB-005, INB-008
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let mut friend = relay.connect();
    relay.ask(&mut owner, put(handle, 2, Some(1), None));
    relay.ask(&mut friend, send_by(2, "a"));
    relay.ask(&mut owner, put(handle, 2, Some(1), None));
    assert_eq!(relay.code(&mut friend, send_by(2, "b")), Code::CapabilitySpent);
    relay.ask(&mut owner, put(handle, 2, Some(2), None));
    relay.ask(&mut friend, send_by(2, "b"));
    assert_eq!(relay.code(&mut friend, send_by(2, "c")), Code::CapabilitySpent);
    let capability = transcript::capability_id(&secret(2));
    relay.ask(&mut owner, Request::CapabilityRevoke { handle, capability });
    relay.ask(&mut owner, put(handle, 2, Some(1), None));
    let answer = relay.ask(&mut friend, send_by(2, "c"));
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    relay.ask(&mut owner, put(handle, 3, Some(0), None));
    assert_eq!(relay.code(&mut friend, send_by(3, "none at all")), Code::CapabilitySpent);
}

#[test]
fn capabilities_are_bounded() {
    // spec: INB-005
    let mut relay = Relay::new(Limits { capabilities_max: 2, ..Limits::V1 });
    let (mut owner, handle) = inbox(&mut relay);
    assert_eq!(relay.ask(&mut owner, put(handle, 2, None, None)), Answer::Done);
    assert_eq!(relay.code(&mut owner, put(handle, 3, None, None)), Code::LimitExceeded);
    assert_eq!(relay.ask(&mut owner, put(handle, 2, Some(1), None)), Answer::Done);
    let capability = transcript::capability_id(&secret(1));
    relay.ask(&mut owner, Request::CapabilityRevoke { handle, capability });
    assert_eq!(relay.ask(&mut owner, put(handle, 3, None, None)), Answer::Done);
}

#[test]
fn a_full_inbox_takes_no_more_until_items_go() {
    // spec: INB-009
    let limits = Limits { inbox_items_max: 2, item_retention_ms: 1_000, ..Limits::V1 };
    let mut relay = Relay::new(limits);
    let (mut owner, handle) = inbox(&mut relay);
    let mut friend = relay.connect();
    relay.ask(&mut friend, send("a"));
    relay.wait_ms(500);
    relay.ask(&mut friend, send("b"));
    assert_eq!(relay.code(&mut friend, send("c")), Code::InboxFull);
    let answer = relay.ask(&mut friend, send("a"));
    assert!(matches!(answer, Answer::InboxSent { repeated: Repeated::Again, .. }), "{answer:?}");
    relay.ask(&mut owner, Request::InboxAdvance { handle, cursor: Sequence(1) });
    let answer = relay.ask(&mut friend, send("c"));
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    assert_eq!(relay.code(&mut friend, send("d")), Code::InboxFull);
    // What expires makes room too.
    relay.wait_ms(500 + 500);
    let answer = relay.ask(&mut friend, send("d"));
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
}

#[test]
fn long_fields_are_too_large() {
    // spec: INB-022
    let limits = Limits {
        inbox_item_bytes_max: 4,
        card_bytes_max: 4,
        device_list_bytes_max: 4,
        key_package_bytes_max: 4,
        ..Limits::V1
    };
    let mut relay = Relay::new(limits);
    let (mut owner, handle) = inbox(&mut relay);
    let shelf = |package: &str| Request::ShelfPut {
        handle,
        package: bytes(package),
        kind: hushwire_wire::message::PackageKind::Single,
        before: hushwire_wire::message::ShelfBefore::Keep,
    };
    let list = |text: &str| Request::DeviceListPut { handle, device_list: bytes(text) };
    let card = |text: &str| Request::CapabilityPut {
        handle,
        capability: CapabilityId::from_bytes([1; 32]),
        items_max: None,
        expires_at: None,
        card: bytes(text),
    };
    for make in [&shelf as &dyn Fn(&str) -> Request, &list, &card, &send] {
        assert_eq!(relay.code(&mut owner, make("fives")), Code::TooLarge);
        let answer = relay.ask(&mut owner, make("four"));
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
    }
}

#[test]
fn a_capability_shows_its_card_and_the_device_list() {
    // spec: INB-020, INB-021
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let mut friend = relay.connect();
    let expected = |device_list| Answer::Card { card: bytes("card"), device_list };
    assert_eq!(relay.ask(&mut friend, card(1)), expected(bytes("")));
    for list in ["phone", "phone, laptop"] {
        relay.ask(&mut owner, Request::DeviceListPut { handle, device_list: bytes(list) });
        assert_eq!(relay.ask(&mut friend, card(1)), expected(bytes(list)));
    }
}
