//! Inboxes: creating, opening, rotating, reading, cursors and slots.

use hushwire_relay_rules::{Progress, Step, store::ReadLimit};
use hushwire_wire::{
    error::Code,
    id::{Sequence, Signature},
    limit::Limits,
    message::{Answer, Follow, Handle, Request},
    transcript,
};

use crate::world::{Client, INBOX, PLENTY, Relay, bytes, key, public, secret, short, slot};

fn create_inbox(relay: &Relay, client: &Client, seed: u8) -> Request {
    let proof = transcript::inbox_create(&relay.id(), &client.name, &INBOX, &public(seed));
    Request::InboxCreate {
        inbox: INBOX,
        owner_key: public(seed),
        signature: proof.sign(&key(seed)),
    }
}

pub(crate) fn open_inbox(relay: &Relay, client: &Client, device: u8, seed: u8) -> Request {
    let proof = transcript::inbox_open(&relay.id(), &client.name, &INBOX, &slot(device));
    Request::InboxOpen { inbox: INBOX, slot: slot(device), signature: proof.sign(&key(seed)) }
}

fn rotate(relay: &Relay, client: &Client, handle: Handle, seed: u8, signer: u8) -> Request {
    let next = public(seed);
    let proof = transcript::inbox_rotate(&relay.id(), &client.name, &INBOX, &next);
    Request::InboxRotate { handle, next_owner_key: next, signature: proof.sign(&key(signer)) }
}

/// (handle, cursor, next) of an answer to an open.
pub(crate) fn opened(answer: Answer) -> (Handle, u64, u64) {
    match answer {
        Answer::InboxOpened { handle, cursor, next } => (handle, cursor.0, next.0),
        other => panic!("not opened: {other:?}"),
    }
}

/// An inbox of the owner key 5, open for slot 1, with an unbounded capability of secret 1.
pub(crate) fn inbox(relay: &mut Relay) -> (Client, Handle) {
    let mut owner = relay.connect();
    let request = create_inbox(relay, &owner, 5);
    assert_eq!(relay.ask(&mut owner, request), Answer::Done);
    let request = open_inbox(relay, &owner, 1, 5);
    let (handle, ..) = opened(relay.ask(&mut owner, request));
    let request = Request::CapabilityPut {
        handle,
        capability: transcript::capability_id(&secret(1)),
        items_max: None,
        expires_at: None,
        card: bytes("card"),
    };
    assert_eq!(relay.ask(&mut owner, request), Answer::Done);
    (owner, handle)
}

pub(crate) fn send(item: &str) -> Request {
    Request::InboxSend { inbox: INBOX, secret: secret(1), item: bytes(item) }
}

fn device(relay: &mut Relay, number: u8) -> (Client, (Handle, u64, u64)) {
    let mut client = relay.connect();
    let request = open_inbox(relay, &client, number, 5);
    let opened = opened(relay.ask(&mut client, request));
    (client, opened)
}

const fn advance(handle: Handle, cursor: u64) -> Request {
    Request::InboxAdvance { handle, cursor: Sequence(cursor) }
}

fn items(relay: &mut Relay, client: &mut Client, handle: Handle, from: u64) -> String {
    let request = Request::InboxRead { handle, from: Sequence(from), follow: Follow::UntilEnd };
    short(&relay.read(client, request).1)
}

#[test]
fn an_inbox_is_created_by_who_holds_its_key() {
    // spec: INB-001
    let mut relay = Relay::default();
    let (mut client, other) = (relay.connect(), relay.connect());
    let proof = transcript::inbox_create(&relay.id(), &client.name, &INBOX, &public(5));
    let foreign = transcript::inbox_create(&relay.id(), &other.name, &INBOX, &public(5));
    for signature in [proof.sign(&key(6)), foreign.sign(&key(5)), Signature::from_bytes([0; 64])] {
        let request = Request::InboxCreate { inbox: INBOX, owner_key: public(5), signature };
        assert_eq!(relay.code(&mut client, request), Code::Denied);
    }
    for _ in 0..2 {
        let request = create_inbox(&relay, &client, 5);
        assert_eq!(relay.ask(&mut client, request), Answer::Done);
    }
    let request = create_inbox(&relay, &client, 6);
    assert_eq!(relay.code(&mut client, request), Code::AlreadyExists);
}

#[test]
fn an_inbox_is_opened_by_its_owner_for_a_slot() {
    // spec: INB-002
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let request = open_inbox(&relay, &client, 1, 5);
    assert_eq!(relay.code(&mut client, request), Code::Denied);
    let request = create_inbox(&relay, &client, 5);
    relay.ask(&mut client, request);
    let request = open_inbox(&relay, &client, 1, 6);
    assert_eq!(relay.code(&mut client, request), Code::Denied);
    // The signature names the slot.
    let proof = transcript::inbox_open(&relay.id(), &client.name, &INBOX, &slot(2));
    let signature = proof.sign(&key(5));
    let request = Request::InboxOpen { inbox: INBOX, slot: slot(1), signature };
    assert_eq!(relay.code(&mut client, request), Code::Denied);
    let request = open_inbox(&relay, &client, 1, 5);
    assert_eq!(opened(relay.ask(&mut client, request)), (Handle(1), 0, 0));
}

#[test]
fn a_change_of_owner_shuts_out_what_the_old_key_opened() {
    // spec: INB-010, INB-011
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let (mut stolen, (of_stolen, ..)) = device(&mut relay, 2);
    let follow = |handle| Request::InboxRead { handle, from: Sequence(0), follow: Follow::Onward };
    let (of_owner, _) = relay.read(&mut owner, follow(handle));
    let (reading, said) = relay.read(&mut stolen, follow(of_stolen));
    assert_eq!(short(&said), ".");

    // The next key signs, not the present one.
    let request = rotate(&relay, &owner, handle, 6, 5);
    assert_eq!(relay.code(&mut owner, request), Code::Denied);
    let request = rotate(&relay, &owner, handle, 6, 6);
    assert_eq!(relay.ask(&mut owner, request), Answer::Done);
    assert_eq!(short(&relay.poll(&mut stolen, reading)), "DENIED");
    assert_eq!(short(&relay.poll(&mut owner, of_owner)), "DENIED");
    let requests = [
        advance(of_stolen, 0),
        Request::ShelfStatus(of_stolen),
        Request::SlotDrop { handle: of_stolen, slot: slot(1) },
        Request::DeviceListPut { handle: of_stolen, device_list: bytes("mine") },
        rotate(&relay, &stolen, of_stolen, 7, 7),
        open_inbox(&relay, &stolen, 2, 5),
    ];
    for request in requests {
        assert_eq!(relay.code(&mut stolen, request), Code::Denied);
    }
    assert_eq!(items(&mut relay, &mut stolen, of_stolen, 0), "DENIED");

    // The session that rotated goes on, and rotating again to the same key changes nothing.
    assert_eq!(relay.ask(&mut owner, advance(handle, 0)), Answer::Done);
    let request = rotate(&relay, &owner, handle, 6, 6);
    assert_eq!(relay.ask(&mut owner, request), Answer::Done);
    assert_eq!(items(&mut relay, &mut owner, handle, 0), "!");
    let request = open_inbox(&relay, &owner, 1, 6);
    opened(relay.ask(&mut owner, request));
}

#[test]
fn a_handle_of_a_key_that_was_replaced_stays_shut_when_its_session_replaces_the_next() {
    // spec: INB-011
    let mut relay = Relay::default();
    let (mut one, of_first) = inbox(&mut relay);
    let (mut other, (of_other, ..)) = device(&mut relay, 2);
    let request = rotate(&relay, &other, of_other, 6, 6);
    assert_eq!(relay.ask(&mut other, request), Answer::Done);
    let request = open_inbox(&relay, &one, 1, 6);
    let (of_second, ..) = opened(relay.ask(&mut one, request));
    let request = rotate(&relay, &one, of_second, 7, 7);
    assert_eq!(relay.ask(&mut one, request), Answer::Done);
    assert_eq!(relay.ask(&mut one, advance(of_second, 0)), Answer::Done);
    assert_eq!(relay.code(&mut one, advance(of_first, 0)), Code::Denied);
}

#[test]
fn items_are_read_in_order_and_followed() {
    // spec: INB-013
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    let mut friend = relay.connect();
    relay.ask(&mut friend, send("a"));
    relay.ask(&mut friend, send("b"));
    assert_eq!(items(&mut relay, &mut owner, handle, 0), "a b !");
    assert_eq!(items(&mut relay, &mut owner, handle, 1), "b !");
    assert_eq!(items(&mut relay, &mut owner, handle, 2), "!");
    assert_eq!(items(&mut relay, &mut owner, handle, 3), "BEYOND_END");
    for rows_max in [1, 2, 3] {
        relay.budget.rows_max = rows_max;
        assert_eq!(items(&mut relay, &mut owner, handle, 0), "a b !");
    }
    // A step that has just enough room says all, and that it is over.
    let request = Request::InboxRead { handle, from: Sequence(0), follow: Follow::UntilEnd };
    let id = owner.new_id();
    let Step::Read(mut reading) = owner.session.handle(relay.now, id, request) else {
        panic!("no reading")
    };
    let budget = ReadLimit { rows_max: 2, ..PLENTY };
    let step = reading.next(&relay.store, relay.now, budget);
    assert_eq!((step.replies.len(), step.progress), (3, Progress::Over));
    let request = Request::InboxRead { handle, from: Sequence(1), follow: Follow::Onward };
    let (id, said) = relay.read(&mut owner, request);
    assert_eq!(short(&said), "b .");
    relay.ask(&mut friend, send("c"));
    assert_eq!(short(&relay.poll(&mut owner, id)), "c .");
    assert_eq!(short(&relay.poll(&mut owner, id)), "");
    let Answer::InboxItem(item) = &relay
        .read(
            &mut owner,
            Request::InboxRead { handle, from: Sequence(2), follow: Follow::UntilEnd },
        )
        .1[0]
    else {
        panic!("no item")
    };
    assert_eq!((item.sequence, item.stored_at), (Sequence(2), relay.now));
    assert_eq!(item.capability, transcript::capability_id(&secret(1)));
}

#[test]
fn items_go_when_all_live_slots_have_passed() {
    // spec: INB-012, INB-015, INB-016
    let mut relay = Relay::default();
    let (mut first, handle) = inbox(&mut relay);
    let (mut second, (of_second, ..)) = device(&mut relay, 2);
    for item in ["a", "b", "c"] {
        relay.ask(&mut first, send(item));
    }
    assert_eq!(relay.code(&mut first, advance(handle, 4)), Code::BeyondEnd);
    assert_eq!(relay.ask(&mut first, advance(handle, 2)), Answer::Done);
    assert_eq!(items(&mut relay, &mut first, handle, 0), "a b c !");
    assert_eq!(relay.ask(&mut second, advance(of_second, 1)), Answer::Done);
    assert_eq!(items(&mut relay, &mut first, handle, 0), "b c !");
    // A cursor does not go back.
    relay.ask(&mut first, advance(handle, 0));
    relay.ask(&mut second, advance(of_second, 3));
    assert_eq!(items(&mut relay, &mut first, handle, 0), "c !");
    // A new slot begins with what is left.
    let (_, (_, cursor, next)) = device(&mut relay, 3);
    assert_eq!((cursor, next), (2, 3));
    relay.ask(&mut first, advance(handle, 3));
    assert_eq!(items(&mut relay, &mut second, of_second, 0), "c !");
}

#[test]
fn a_slot_without_its_device_lapses_and_comes_back() {
    // spec: INB-014, INB-016
    let mut relay = Relay::new(Limits { slot_lapse_ms: 1_000, ..Limits::V1 });
    let (mut first, handle) = inbox(&mut relay);
    let (_, _) = device(&mut relay, 2);
    for item in ["a", "b"] {
        relay.ask(&mut first, send(item));
    }
    relay.wait_ms(999);
    relay.ask(&mut first, advance(handle, 1));
    assert_eq!(items(&mut relay, &mut first, handle, 0), "a b !");
    relay.wait_ms(1);
    relay.ask(&mut first, advance(handle, 1));
    assert_eq!(items(&mut relay, &mut first, handle, 0), "b !");
    // Back, it holds what is left again.
    let (mut second, (of_second, cursor, next)) = device(&mut relay, 2);
    assert_eq!((cursor, next), (1, 2));
    relay.ask(&mut first, advance(handle, 2));
    assert_eq!(items(&mut relay, &mut second, of_second, cursor), "b !");
    relay.ask(&mut second, advance(of_second, 2));
    assert_eq!(items(&mut relay, &mut second, of_second, 0), "!");
}

#[test]
fn a_dropped_slot_holds_nothing_and_needs_opening() {
    // spec: INB-012, INB-017
    let mut relay = Relay::new(Limits { slots_max: 2, ..Limits::V1 });
    let (mut first, handle) = inbox(&mut relay);
    let (mut second, (of_second, ..)) = device(&mut relay, 2);
    let mut third = relay.connect();
    let request = open_inbox(&relay, &third, 3, 5);
    assert_eq!(relay.code(&mut third, request), Code::LimitExceeded);
    relay.ask(&mut first, send("a"));
    relay.ask(&mut first, advance(handle, 1));
    let drop_second = || Request::SlotDrop { handle, slot: slot(2) };
    assert_eq!(relay.ask(&mut first, drop_second()), Answer::Done);
    assert_eq!(relay.ask(&mut first, drop_second()), Answer::Done);
    assert_eq!(items(&mut relay, &mut first, handle, 0), "!");
    assert_eq!(relay.code(&mut second, advance(of_second, 1)), Code::UnknownHandle);
    assert_eq!(relay.code(&mut second, Request::ShelfStatus(of_second)), Code::UnknownHandle);
    let (_, (_, cursor, next)) = device(&mut relay, 3);
    assert_eq!((cursor, next), (1, 1));
}

#[test]
fn a_smaller_bound_on_slots_hides_none() {
    // spec: INB-016
    let mut relay = Relay::default();
    let (mut first, _) = inbox(&mut relay);
    let (_, _) = device(&mut relay, 2);
    let (_, _) = device(&mut relay, 3);
    relay.ask(&mut first, send("a"));
    relay.restart(Limits { slots_max: 1, ..Limits::V1 });
    let (mut first, (handle, ..)) = device(&mut relay, 1);
    relay.ask(&mut first, advance(handle, 1));
    let (mut second, (of_second, ..)) = device(&mut relay, 2);
    relay.ask(&mut second, advance(of_second, 1));
    assert_eq!(items(&mut relay, &mut first, handle, 0), "a !");
}

#[test]
fn without_a_live_slot_items_wait_for_their_time() {
    // spec: INB-016, INB-023
    let mut relay = Relay::new(Limits { item_retention_ms: 1_000, ..Limits::V1 });
    let (mut owner, handle) = inbox(&mut relay);
    relay.ask(&mut owner, send("a"));
    let request = Request::SlotDrop { handle, slot: slot(1) };
    relay.ask(&mut owner, request);
    relay.wait_ms(600);
    relay.ask(&mut owner, send("b"));
    relay.wait_ms(399);
    assert_eq!(items(&mut relay, &mut owner, handle, 0), "a b !");
    relay.wait_ms(1);
    assert_eq!(items(&mut relay, &mut owner, handle, 0), "b !");
    relay.wait_ms(600);
    assert_eq!(items(&mut relay, &mut owner, handle, 0), "!");
    // Three rows for each item.
    assert_eq!(relay.expire_all(), 6);
    // Passing what has expired already removes nothing twice.
    let request = open_inbox(&relay, &owner, 1, 5);
    let (handle, cursor, next) = opened(relay.ask(&mut owner, request));
    assert_eq!((cursor, next), (0, 2));
    assert_eq!(relay.ask(&mut owner, advance(handle, 2)), Answer::Done);
}
