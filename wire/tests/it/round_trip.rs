//! Whatever is written is read back the same, and nothing that is read makes the reader panic.

use bytes::Bytes;
use hushwire_wire::{
    frame::{PREFIX_BYTES, Splitter, decode_answer, decode_request, encode_answer, encode_request},
    limit::Limits,
};
use proptest::prelude::*;

use crate::arbitrary::{answer_frame, request_frame};

proptest! {
    #[test]
    fn requests_round_trip(frame in request_frame()) {
        // spec: WIRE-003, WIRE-004, WIRE-005
        let bytes = encode_request(&frame);
        let decoded = decode_request(bytes.slice(PREFIX_BYTES..)).unwrap();
        prop_assert_eq!(&decoded, &frame);
        prop_assert_eq!(encode_request(&decoded), bytes);
    }

    #[test]
    fn answers_round_trip(frame in answer_frame()) {
        // spec: WIRE-003, WIRE-004, WIRE-005, WIRE-051
        let bytes = encode_answer(&frame);
        let decoded = decode_answer(bytes.slice(PREFIX_BYTES..)).unwrap();
        prop_assert_eq!(&decoded, &frame);
        prop_assert_eq!(encode_answer(&decoded), bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        // spec: WIRE-006
        let _ = decode_request(Bytes::from(bytes.clone()));
        let _ = decode_answer(Bytes::from(bytes));
    }

    #[test]
    fn a_flipped_byte_never_panics(
        frame in request_frame(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        // spec: WIRE-006
        let mut bytes = encode_request(&frame)[PREFIX_BYTES..].to_vec();
        let at = at.index(bytes.len());
        bytes[at] = to;
        // What is still accepted is one request with one encoding, but for unknown fields.
        let _ = decode_request(Bytes::from(bytes.clone()));
        let _ = decode_answer(Bytes::from(bytes));
    }

    #[test]
    fn a_stream_of_frames_comes_out_whole(
        frames in prop::collection::vec(request_frame(), 0..6), chunk in 1_usize..200,
    ) {
        // spec: WIRE-003
        let encoded: Vec<_> = frames.iter().map(encode_request).collect();
        let mut splitter = Splitter::new(&Limits::V1);
        let mut decoded = Vec::new();
        for part in encoded.concat().chunks(chunk) {
            splitter.feed(part);
            while let Some(frame) = splitter.next_frame().unwrap() {
                decoded.push(decode_request(frame).unwrap());
            }
        }
        prop_assert_eq!(decoded, frames);
        prop_assert_eq!(splitter.finish(), Ok(()));
    }
}
