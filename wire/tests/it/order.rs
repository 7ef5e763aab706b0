//! A frame with several faults is answered for the first of them.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    frame::{FrameError, decode_request},
    message::RequestId,
};

fn refused(frame: &'static [u8]) -> FrameError {
    decode_request(Bytes::from_static(frame)).unwrap_err()
}

#[test]
fn checks_come_in_order() {
    // spec: WIRE-019
    // Each frame has the fault of its row and of every row below: fields 8 hello, 9 ping, 10 stop,
    // 11 unknown, 18 channel close; 2 admission token, 3 flags.
    let cases: &[(&str, &'static [u8], Code)] = &[
        // request 0, token, a ping twice
        ("fields", &[0x08, 0, 0x12, 1, 7, 0x4a, 0, 0x4a, 0], Code::MalformedFrame),
        // request 0, token, ping and an unknown operation
        ("one operation", &[0x08, 0, 0x12, 1, 7, 0x4a, 0, 0x5a, 0], Code::MalformedFrame),
        // request 0, token, an unknown operation
        ("known operation", &[0x08, 0, 0x12, 1, 7, 0x5a, 0], Code::Unsupported),
        // request 0, token, channel create without its fields
        ("reserved fields", &[0x08, 0, 0x12, 1, 7, 0x82, 1, 0], Code::Unsupported),
        ("reserved flags", &[0x08, 0, 0x18, 1, 0x82, 1, 0], Code::Unsupported),
        // request 0, channel create without its fields
        ("request id", &[0x08, 0, 0x82, 1, 0], Code::MalformedFrame),
        ("what fields hold", &[0x08, 5, 0x82, 1, 0], Code::MalformedFrame),
    ];
    for (name, frame, code) in cases {
        assert_eq!(refused(frame).code(), *code, "{name}");
    }
}

#[test]
fn a_fault_inside_a_known_message_comes_before_reserved_fields() {
    // spec: WIRE-019
    // request 5, token, a stop whose field ends too early
    let error = refused(&[0x08, 5, 0x12, 1, 7, 0x52, 1, 0x08]);
    assert_eq!((error.code(), error.request), (Code::MalformedFrame, Some(RequestId(5))));
    // the same inside an operation that this version does not know: nobody looks there
    let error = refused(&[0x08, 5, 0x12, 1, 7, 0x5a, 1, 0x08]);
    assert_eq!((error.code(), error.request), (Code::Unsupported, Some(RequestId(5))));
}

#[test]
fn a_frame_without_an_id_is_answered_under_0() {
    // spec: WIRE-007, WIRE-019
    let error = refused(&[0x4a, 0]);
    assert_eq!((error.code(), error.request), (Code::MalformedFrame, Some(RequestId(0))));
}
