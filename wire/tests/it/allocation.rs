//! Decoding takes no memory beyond the frame, but for lists of ids that the frame's length bounds.

use allocation_counter::measure;
use bytes::Bytes;
use hushwire_wire::{
    frame::{
        AnswerFrame, PREFIX_BYTES, RequestFrame, Splitter, decode_answer, decode_request,
        encode_answer, encode_request,
    },
    id::{CapabilitySecret, ChainHead, EntryId, EpochId, InboxId, PublicKey, Sequence},
    limit::Limits,
    message::{Answer, ChannelOpened, Content, Handle, Request, RequestId},
    transcript::{CommitMark, Cut, Operation},
};

/// What `bytes` takes once to share a frame between its slices.
const SHARE_BYTES: u64 = 64;

#[test]
fn a_large_item_is_sliced_from_its_frame() {
    // spec: WIRE-008
    let frame = encode_request(&RequestFrame {
        id: RequestId(1),
        request: Request::InboxSend {
            inbox: InboxId::from_bytes([1; 16]),
            secret: CapabilitySecret::from_bytes([2; 32]),
            item: Bytes::from(vec![3; 256 * 1024]),
        },
    })
    .slice(PREFIX_BYTES..);
    let mut decoded = None;
    let used = measure(|| decoded = Some(decode_request(frame.clone())));
    assert!(decoded.unwrap().is_ok());
    assert!(used.bytes_total <= SHARE_BYTES, "{used:?}");
}

#[test]
fn a_list_takes_what_its_ids_take() {
    // spec: WIRE-008
    let contested = vec![EntryId::from_bytes([1; 32]); 9_000];
    let frame = encode_request(&RequestFrame {
        id: RequestId(1),
        request: Request::Append {
            handle: Handle(1),
            content: Content::Inline(Bytes::from_static(&[1])),
            operation: Operation::Commit(CommitMark {
                next_key: PublicKey::from_bytes([2; 32]),
                cut: Cut::Cut,
                contested: contested.clone(),
            }),
        },
    })
    .slice(PREFIX_BYTES..);
    let length = frame.len() as u64;
    let used = measure(|| {
        let _ = decode_request(frame.clone());
    });
    assert!(used.bytes_total <= length + SHARE_BYTES, "{used:?} for {length}");

    let frame = encode_answer(&AnswerFrame {
        id: RequestId(1),
        answer: Answer::ChannelOpened(ChannelOpened {
            handle: Handle(1),
            epoch: EpochId::from_bytes([1; 32]),
            next: Sequence(9),
            head: ChainHead::from_bytes([2; 32]),
            candidates: contested.clone(),
            siblings: contested,
        }),
    })
    .slice(PREFIX_BYTES..);
    let length = frame.len() as u64;
    let used = measure(|| {
        let _ = decode_answer(frame.clone());
    });
    assert!(used.bytes_total <= length + SHARE_BYTES, "{used:?} for {length}");
}

#[test]
fn a_refused_frame_takes_nothing() {
    // spec: WIRE-006, WIRE-008
    // A nested message that promises 4 GiB, and 300 kB of unknown fields.
    let promise = Bytes::from_static(&[8, 1, 0x9a, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let unknown = Bytes::from([&[8, 1, 0x3a, 0xe0, 0xa7, 0x12][..], &[0; 300_000]].concat());
    for frame in [promise, unknown] {
        let used = measure(|| assert!(decode_request(frame.clone()).is_err()));
        assert!(used.bytes_total <= SHARE_BYTES, "{used:?}");
    }
}

#[test]
fn a_splitter_takes_memory_as_bytes_come() {
    // spec: WIRE-003
    let largest = Limits::V1.frame_bytes_max;
    let cases = [(largest, 16 * 1024), (largest + 1, 0), (u32::MAX, 0)];
    for (announced, taken_max) in cases {
        let mut splitter = Splitter::new(&Limits::V1);
        let mut stream = announced.to_be_bytes().to_vec();
        stream.extend_from_slice(&[0; 4 * 1024]);
        let used = measure(|| splitter.feed(&stream));
        assert!(used.bytes_total <= taken_max, "{used:?} for {announced}");
    }
}
