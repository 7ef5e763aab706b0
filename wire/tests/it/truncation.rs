//! No frame is a frame without its last bytes.

use hushwire_wire::frame::{
    PREFIX_BYTES, decode_answer, decode_request, encode_answer, encode_request,
};
use proptest::prelude::*;

use crate::arbitrary::{answer_frame, request_frame};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_request_cut_anywhere_is_refused(frame in request_frame()) {
        // spec: WIRE-005
        let bytes = encode_request(&frame).slice(PREFIX_BYTES..);
        for length in 0..bytes.len() {
            prop_assert!(decode_request(bytes.slice(..length)).is_err(), "cut at {}", length);
        }
    }

    #[test]
    fn an_answer_cut_anywhere_is_refused(frame in answer_frame()) {
        // spec: WIRE-005
        let bytes = encode_answer(&frame).slice(PREFIX_BYTES..);
        for length in 0..bytes.len() {
            prop_assert!(decode_answer(bytes.slice(..length)).is_err(), "cut at {}", length);
        }
    }
}
