//! Blobs: uploading, resuming, reading ranges, deleting.

use bytes::Bytes;
use hushwire_relay_rules::store::ReadLimit;
use hushwire_wire::{
    error::Code,
    id::BlobId,
    limit::Limits,
    message::{Answer, Follow, Request},
    transcript,
};

use crate::world::{Client, Relay, bytes, upload};

fn small() -> Relay {
    Relay::new(Limits { blob_chunk_bytes: 4, blob_bytes_max: 100, ..Limits::V1 })
}

fn blob() -> BlobId {
    transcript::blob_id(&upload(1))
}

fn begin(size: u64) -> Request {
    Request::BlobCreate { key: upload(1), size }
}

fn chunk(offset: u64, content: &str) -> Request {
    Request::BlobWrite { key: upload(1), offset, content: bytes(content) }
}

const fn state(size: u64, stored: u64) -> Answer {
    Answer::BlobState { size, stored }
}

/// The bytes of a reading, and how long its pieces were; `Err` with the code of a refusal.
fn fetch(
    relay: &mut Relay,
    client: &mut Client,
    offset: u64,
    length: u64,
) -> Result<(Vec<u8>, Vec<usize>), Code> {
    let (id, said) = relay.read(client, Request::BlobRead { blob: blob(), offset, length });
    assert!(!client.is_reading(id));
    let (last, chunks) = said.split_last().expect("a reading ends");
    match last {
        Answer::ReadEnd(Follow::UntilEnd) => {}
        Answer::Refused(refusal) => return Err(refusal.code),
        other => panic!("no end: {other:?}"),
    }
    let (mut content, mut lengths) = (Vec::new(), Vec::new());
    for answer in chunks {
        let Answer::BlobChunk { offset: at, content: piece } = answer else {
            panic!("no chunk: {answer:?}")
        };
        assert_eq!(*at, offset + content.len() as u64);
        content.extend_from_slice(piece);
        lengths.push(piece.len());
    }
    Ok((content, lengths))
}

#[test]
fn a_blob_is_found_by_the_hash_of_its_upload_key() {
    // spec: BLB-001, BLB-011
    let mut relay = small();
    let mut client = relay.connect();
    let unknown = [chunk(0, "abcd"), Request::BlobStat(blob()), Request::BlobDelete(upload(1))];
    for request in unknown {
        assert_eq!(relay.code(&mut client, request), Code::Denied);
    }
    assert_eq!(fetch(&mut relay, &mut client, 0, 0), Err(Code::Denied));
    assert_eq!(relay.ask(&mut client, begin(6)), state(6, 0));
    assert_eq!(relay.ask(&mut client, Request::BlobStat(blob())), state(6, 0));
    let other = Request::BlobWrite { key: upload(2), offset: 0, content: bytes("abcd") };
    assert_eq!(relay.code(&mut client, other), Code::Denied);
    assert_eq!(relay.code(&mut client, Request::BlobDelete(upload(2))), Code::Denied);
}

#[test]
fn the_first_creation_fixes_the_size() {
    // spec: BLB-002
    let mut relay = small();
    let mut client = relay.connect();
    assert_eq!(relay.code(&mut client, begin(101)), Code::TooLarge);
    let largest = Request::BlobCreate { key: upload(2), size: 100 };
    assert_eq!(relay.ask(&mut client, largest), state(100, 0));
    assert_eq!(relay.ask(&mut client, begin(6)), state(6, 0));
    relay.ask(&mut client, chunk(0, "abcd"));
    assert_eq!(relay.ask(&mut client, begin(6)), state(6, 4));
    assert_eq!(relay.code(&mut client, begin(7)), Code::AlreadyExists);
}

#[test]
fn chunks_come_in_order_and_have_their_length() {
    // spec: BLB-003, BLB-005, BLB-006
    let mut relay = small();
    let mut client = relay.connect();
    relay.ask(&mut client, begin(10));
    let cases = [
        (chunk(0, "abc"), Err(Code::WrongOffset)),
        (chunk(0, "abcde"), Err(Code::WrongOffset)),
        (chunk(0, ""), Err(Code::WrongOffset)),
        (chunk(4, "efgh"), Err(Code::WrongOffset)),
        (chunk(0, "abcd"), Ok(4)),
        (chunk(0, "abcd"), Ok(4)),
        (chunk(0, "xbcd"), Err(Code::WrongOffset)),
        (chunk(2, "cdef"), Err(Code::WrongOffset)),
        (chunk(4, "efgh"), Ok(8)),
        (chunk(0, "abcd"), Err(Code::WrongOffset)),
        (chunk(8, "ijkl"), Err(Code::WrongOffset)),
        (chunk(8, "i"), Err(Code::WrongOffset)),
        (chunk(8, "ij"), Ok(10)),
        (chunk(8, "ij"), Ok(10)),
        (chunk(8, "xj"), Err(Code::WrongOffset)),
        (chunk(10, ""), Err(Code::WrongOffset)),
        (chunk(12, "mnop"), Err(Code::WrongOffset)),
        (chunk(u64::MAX, "a"), Err(Code::WrongOffset)),
    ];
    for (number, (request, expected)) in cases.into_iter().enumerate() {
        let answer = match relay.ask(&mut client, request) {
            Answer::BlobState { size: 10, stored } => Ok(stored),
            Answer::Refused(refusal) => Err(refusal.code),
            other => panic!("unexpected: {other:?}"),
        };
        assert_eq!(answer, expected, "case {number}");
    }
    assert_eq!(relay.ask(&mut client, Request::BlobStat(blob())), state(10, 10));
}

#[test]
fn ranges_of_a_complete_blob_are_read() {
    // spec: BLB-007, BLB-008
    let mut relay = small();
    let mut client = relay.connect();
    relay.ask(&mut client, begin(10));
    for (offset, content) in [(0, "abcd"), (4, "efgh")] {
        relay.ask(&mut client, chunk(offset, content));
    }
    assert_eq!(fetch(&mut relay, &mut client, 0, 4), Err(Code::BlobIncomplete));
    relay.ask(&mut client, chunk(8, "ij"));
    let whole = b"abcdefghij";
    for offset in 0..=10_u64 {
        for length in 0..=10 - offset {
            let (content, lengths) = fetch(&mut relay, &mut client, offset, length).unwrap();
            assert_eq!(content, whole[offset as usize..(offset + length) as usize]);
            assert!(lengths.iter().all(|length| (1..=4).contains(length)));
        }
    }
    let (_, lengths) = fetch(&mut relay, &mut client, 3, 6).unwrap();
    assert_eq!(lengths, [1, 4, 1], "pieces end where chunks do");
    for (offset, length) in [(0, 11), (10, 1), (11, 0), (u64::MAX, 2), (2, u64::MAX)] {
        assert_eq!(fetch(&mut relay, &mut client, offset, length), Err(Code::BeyondEnd));
    }
}

#[test]
fn an_upload_goes_on_in_another_session() {
    // spec: BLB-002, BLB-004
    let mut relay = small();
    let mut client = relay.connect();
    relay.ask(&mut client, begin(6));
    relay.ask(&mut client, chunk(0, "abcd"));
    // Chunks keep their length when the relay's changes.
    relay.restart(Limits { blob_chunk_bytes: 3, ..Limits::V1 });
    let mut client = relay.connect();
    assert_eq!(relay.ask(&mut client, begin(6)), state(6, 4));
    assert_eq!(relay.ask(&mut client, chunk(4, "ef")), state(6, 6));
    assert_eq!(fetch(&mut relay, &mut client, 0, 6).unwrap().0, b"abcdef");
}

#[test]
fn an_empty_blob_is_complete_at_once() {
    // spec: BLB-002
    let mut relay = small();
    let mut client = relay.connect();
    assert_eq!(relay.ask(&mut client, begin(0)), state(0, 0));
    assert_eq!(relay.code(&mut client, chunk(0, "")), Code::WrongOffset);
    assert_eq!(fetch(&mut relay, &mut client, 0, 0), Ok((vec![], vec![])));
}

#[test]
fn a_deleted_blob_is_unknown() {
    // spec: BLB-009
    let mut relay = small();
    let mut client = relay.connect();
    for stored in [0, 1, 3] {
        relay.ask(&mut client, begin(10));
        for (offset, content) in [(0, "abcd"), (4, "efgh"), (8, "ij")].into_iter().take(stored) {
            relay.ask(&mut client, chunk(offset, content));
        }
        assert_eq!(relay.ask(&mut client, Request::BlobDelete(upload(1))), Answer::Done);
        assert_eq!(relay.code(&mut client, Request::BlobStat(blob())), Code::Denied);
        assert_eq!(relay.code(&mut client, Request::BlobDelete(upload(1))), Code::Denied);
        assert_eq!(relay.store.rows_stored(), 0);
    }
}

#[test]
fn a_reading_ends_when_its_blob_goes() {
    // spec: BLB-009, BLB-011
    let mut relay = small();
    let mut client = relay.connect();
    relay.ask(&mut client, begin(8));
    relay.ask(&mut client, chunk(0, "abcd"));
    relay.ask(&mut client, chunk(4, "efgh"));
    let id = client.new_id();
    let request = Request::BlobRead { blob: blob(), offset: 0, length: 8 };
    let step = client.session.handle(relay.now, id, request);
    let hushwire_relay_rules::Step::Read(mut reading) = step else { panic!("no reading") };
    let budget = ReadLimit { rows_max: 1, bytes_max: 4 };
    assert_eq!(reading.next(&relay.store, relay.now, budget).replies.len(), 1);
    relay.ask(&mut client, Request::BlobDelete(upload(1)));
    let step = reading.next(&relay.store, relay.now, budget);
    assert_eq!(step.progress, hushwire_relay_rules::Progress::Over);
    assert_eq!(step.replies[0].code(), Some(Code::Denied));
}

#[test]
fn sixteen_mebibytes_go_up_and_down() {
    // spec: BLB-003, BLB-007
    const SIZE: usize = 16 << 20;
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let content: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    relay.ask(&mut client, begin(SIZE as u64));
    let mut stored = 0;
    for piece in content.chunks(relay.limits.blob_chunk_bytes as usize) {
        let content = Bytes::copy_from_slice(piece);
        let request = Request::BlobWrite { key: upload(1), offset: stored, content };
        stored += piece.len() as u64;
        assert_eq!(relay.ask(&mut client, request), state(SIZE as u64, stored));
    }
    relay.budget = ReadLimit { rows_max: 8, bytes_max: 1 << 20 };
    let (fetched, lengths) = fetch(&mut relay, &mut client, 0, SIZE as u64).unwrap();
    assert_eq!(lengths.len(), 64);
    assert!(fetched == content);
    let from = 5 * 262_144 - 7;
    let (fetched, lengths) = fetch(&mut relay, &mut client, from, 20).unwrap();
    assert_eq!(lengths, [7, 13]);
    assert_eq!(fetched, content[from as usize..][..20]);
}
