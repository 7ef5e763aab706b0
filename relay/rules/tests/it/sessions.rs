//! Hello, request ids, handles and the bounds on them.

use hushwire_relay_rules::{Step, outcome::Outcome};
use hushwire_wire::{
    error::Code,
    id::{BlobId, Nonce},
    limit::Limits,
    message::{Answer, Follow, Handle, Hello, Request, RequestId},
    version::VersionRange,
};

use crate::world::{Relay, create, created, message, read, root, upload};

fn hello(min: u32, max: u32) -> Request {
    let nonce = Nonce::from_bytes([7; 32]);
    Request::Hello(Hello { versions: VersionRange { min, max }, nonce, capabilities: 5 })
}

fn closing_code(step: &Step) -> Option<Code> {
    match step {
        Step::ReplyThenClose(reply) => reply.code(),
        _ => None,
    }
}

#[test]
fn the_hello_comes_first_and_once() {
    // spec: WIRE-002, WIRE-004, WIRE-060
    let mut relay = Relay::default();
    let cases = [
        (RequestId(0), hello(1, 1), None),
        (RequestId(0), hello(1, 9), None),
        (RequestId(0), hello(2, 9), Some(Code::UnsupportedVersion)),
        (RequestId(1), hello(1, 1), Some(Code::HelloMisplaced)),
        (RequestId(1), Request::Ping, Some(Code::HelloMisplaced)),
    ];
    for (id, request, expected) in cases {
        let mut session = relay.accept();
        let step = session.handle(relay.now, id, request);
        assert_eq!(closing_code(&step), expected);
        // After a good hello a second one ends the session; after a bad one everything does.
        let again = session.handle(relay.now, RequestId(0), hello(1, 1));
        assert_eq!(closing_code(&again), Some(Code::HelloMisplaced));
        let later = session.handle(relay.now, RequestId(2), Request::Ping);
        assert_eq!(closing_code(&later), Some(Code::HelloMisplaced));
    }
}

#[test]
fn the_hello_tells_key_nonce_clock_and_bounds() {
    // spec: WIRE-002
    let mut relay = Relay::default();
    let mut session = relay.accept();
    let step = session.handle(relay.now, RequestId::HELLO, hello(1, 1));
    let Answer::Hello(reply) = relay.sign(step) else { panic!("no hello") };
    assert_eq!((reply.version, reply.relay_key, reply.time), (1, relay.key(), relay.now));
    assert_eq!(reply.entry_inline_bytes_max, 64 * 1024);
    // spec: WIRE-041
    assert_eq!((reply.blob_chunk_bytes, reply.requests_in_flight_max), (256 * 1024, 256));
}

#[test]
fn a_ping_is_answered() {
    let mut relay = Relay::default();
    let mut client = relay.connect();
    assert_eq!(relay.ask(&mut client, Request::Ping), Answer::Done);
}

#[test]
fn an_id_in_use_ends_the_session() {
    // spec: WIRE-061
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    let write = client.session.handle(relay.now, RequestId(50), message(handle, "one"));
    assert!(matches!(write, Step::Write(_)), "{write:?}");
    let again = client.session.handle(relay.now, RequestId(50), Request::Ping);
    assert_eq!(closing_code(&again), Some(Code::RequestIdInUse));

    // The hello's own id is not for anything else.
    let mut client = relay.connect();
    let again = client.session.handle(relay.now, RequestId::HELLO, Request::Ping);
    assert_eq!(closing_code(&again), Some(Code::RequestIdInUse));

    // The id of a reading is in use as long as it goes on.
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    let (id, _) = relay.read(&mut client, read(handle, root(1), 0, Follow::Onward));
    let again = client.session.handle(relay.now, id, Request::Ping);
    assert_eq!(closing_code(&again), Some(Code::RequestIdInUse));
}

#[test]
fn an_id_is_free_after_its_answer() {
    let mut relay = Relay::default();
    let mut client = relay.connect();
    for _ in 0..2 {
        let step = client.session.handle(relay.now, RequestId(9), Request::Ping);
        assert_eq!(relay.sign(step), Answer::Done);
    }
    let stat = || Request::BlobStat(BlobId::from_bytes([1; 32]));
    for _ in 0..2 {
        let step = client.session.handle(relay.now, RequestId(9), stat());
        let Step::Lookup(lookup) = step else { panic!("no lookup") };
        let outcome = lookup.run(&relay.store, relay.now);
        let step = client.session.complete(RequestId(9), outcome);
        assert!(
            matches!(relay.sign(step), Answer::Refused(refusal) if refusal.code == Code::Denied)
        );
    }
    assert_eq!(client.session.in_flight(), 0);
}

#[test]
fn requests_in_flight_are_bounded() {
    // spec: WIRE-062
    let mut relay = Relay::new(Limits { requests_in_flight_max: 2, ..Limits::V1 });
    let mut client = relay.connect();
    let stat = || Request::BlobStat(BlobId::from_bytes([1; 32]));
    for id in 1..=2 {
        let step = client.session.handle(relay.now, RequestId(id), stat());
        assert!(matches!(step, Step::Lookup(_)), "{step:?}");
    }
    assert_eq!(client.session.in_flight(), 2);
    let third = client.session.handle(relay.now, RequestId(3), stat());
    assert!(matches!(&third, Step::Reply(reply) if reply.code() == Some(Code::LimitExceeded)));
    let step = client.session.complete(RequestId(1), Outcome::not_tried(Code::Busy));
    assert!(matches!(&step, Step::Reply(reply) if reply.code() == Some(Code::Busy)));
    let step = client.session.handle(relay.now, RequestId(3), stat());
    assert!(matches!(step, Step::Lookup(_)), "{step:?}");
}

#[test]
fn handles_are_bounded_and_counted_while_they_open() {
    // spec: WIRE-062
    let mut relay = Relay::new(Limits { handles_max: 2, ..Limits::V1 });
    let mut client = relay.connect();
    let first = created(&mut relay, &mut client).handle;
    let request = create(&relay, &client, 1);
    let opening = client.session.handle(relay.now, RequestId(90), request);
    assert!(matches!(opening, Step::Write(_)), "{opening:?}");
    let request = create(&relay, &client, 1);
    assert_eq!(relay.code(&mut client, request), Code::LimitExceeded);
    // What fails to open gives its room back; so does what is closed.
    client.session.complete(RequestId(90), Outcome::not_tried(Code::Busy));
    let second = created(&mut relay, &mut client).handle;
    assert_ne!(first, second);
    assert_eq!(relay.ask(&mut client, Request::ChannelClose(first)), Answer::Done);
    let third = created(&mut relay, &mut client).handle;
    assert!(third > second, "numbers are not used again");
}

#[test]
fn readings_are_bounded() {
    // spec: WIRE-062
    let mut relay = Relay::new(Limits { readings_max: 1, ..Limits::V1 });
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    let follow = || read(handle, root(1), 0, Follow::Onward);
    let (id, _) = relay.read(&mut client, follow());
    assert_eq!(relay.code(&mut client, follow()), Code::LimitExceeded);
    assert_eq!(relay.ask(&mut client, Request::Stop(id)), Answer::Done);
    assert!(!client.is_reading(id));
    assert_eq!(relay.code(&mut client, Request::Stop(id)), Code::UnknownHandle);
    let (id, said) = relay.read(&mut client, follow());
    assert_eq!(said.len(), 2);
    // What comes to its end gives its room back too.
    assert_eq!(relay.ask(&mut client, Request::Stop(id)), Answer::Done);
    for _ in 0..2 {
        let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
        assert_eq!(said.len(), 2);
    }
}

#[test]
fn closing_a_handle_ends_its_readings_and_no_others() {
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let one = created(&mut relay, &mut client).handle;
    let two = created(&mut relay, &mut client).handle;
    let (of_one, _) = relay.read(&mut client, read(one, root(1), 0, Follow::Onward));
    let (of_two, _) = relay.read(&mut client, read(two, root(1), 0, Follow::Onward));
    let step = client.session.handle(relay.now, RequestId(70), Request::ChannelClose(one));
    let Step::Stop { readings, .. } = step else { panic!("nothing to stop") };
    assert_eq!(readings, [of_one]);
    assert_eq!(relay.ask(&mut client, Request::Stop(of_two)), Answer::Done);
}

#[test]
fn unknown_handles_are_refused_by_every_operation() {
    // spec: WIRE-063
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let handle = Handle(77);
    let requests = [
        Request::ChannelClose(handle),
        message(handle, "one"),
        read(handle, root(1), 0, Follow::UntilEnd),
        Request::ShelfStatus(handle),
        Request::InboxAdvance { handle, cursor: hushwire_wire::id::Sequence(0) },
    ];
    for request in requests {
        assert_eq!(relay.code(&mut client, request), Code::UnknownHandle);
    }
    // A channel's handle is none of an inbox.
    let handle = created(&mut relay, &mut client).handle;
    assert_eq!(relay.code(&mut client, Request::ShelfStatus(handle)), Code::UnknownHandle);
}

#[test]
fn an_outcome_that_nobody_waits_for_is_an_internal_error() {
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let step = client.session.complete(RequestId(5), Outcome::not_tried(Code::Busy));
    assert!(matches!(&step, Step::Reply(reply) if reply.code() == Some(Code::Internal)));
    let unknown = Request::BlobDelete(upload(1));
    assert_eq!(relay.code(&mut client, unknown), Code::Denied);
}
