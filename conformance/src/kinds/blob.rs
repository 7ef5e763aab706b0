//! Blobs at a relay: scripts of uploading, reading and deleting.

use hushwire_wire::{error::Code, id::UploadKey, transcript};
use serde_json::{Value, json};

use crate::{
    relay::{self, script::Script},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "relay-blob";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    relay::run(input)
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(uploads()).group(refused_chunks()).group(ranges()).group(ends())
}

const KEY: [u8; 32] = [7; 32];

fn script() -> Script {
    let limits =
        json!({ "blob_chunk_bytes": "4", "blob_bytes_max": "100", "blob_retention_ms": "5000" });
    Script::new(limits)
}

fn create_fields(size: u64) -> Value {
    json!({ "upload_key": hex::encode(KEY), "size": size.to_string() })
}

fn chunk_fields(offset: u64, content: &str) -> Value {
    json!({
        "upload_key": hex::encode(KEY),
        "offset": offset.to_string(),
        "content": hex::encode(content),
    })
}

fn blob_fields() -> Value {
    json!({ "blob": hex::encode(transcript::blob_id(&UploadKey::from_bytes(KEY))) })
}

fn range_fields(offset: u64, length: u64) -> Value {
    let mut fields = blob_fields();
    fields["offset"] = offset.to_string().into();
    fields["length"] = length.to_string().into();
    fields
}

fn state(size: u64, stored: u64) -> Value {
    json!({ "blob_state": { "size": size.to_string(), "stored": stored.to_string() } })
}

/// Ten bytes, of which so many chunks are there.
fn uploaded(chunks: usize) -> Script {
    let mut script = script();
    script.step("a", "blob_create", create_fields(10), state(10, 0));
    for (offset, content) in [(0, "abcd"), (4, "efgh"), (8, "ij")].into_iter().take(chunks) {
        let stored = offset + content.len() as u64;
        script.step("a", "blob_write", chunk_fields(offset, content), state(10, stored));
    }
    script
}

fn uploads() -> Group {
    let rules = ["BLB-001", "BLB-002", "BLB-004", "BLB-005", "BLB-006"];
    let mut group = Group::new("uploads", &rules);
    let mut s = uploaded(3);
    s.step("a", "blob_write", chunk_fields(8, "ij"), state(10, 10));
    s.step("a", "blob_stat", blob_fields(), state(10, 10));
    group = s.into_test(group, "to the end, the last chunk twice");

    let mut s = uploaded(1);
    s.restart();
    s.step("a", "blob_create", create_fields(10), state(10, 4));
    s.step("a", "blob_write", chunk_fields(4, "efgh"), state(10, 8));
    group = s.into_test(group, "goes on after a restart");

    let mut s = uploaded(1);
    s.refused("a", "blob_create", create_fields(11), Code::AlreadyExists);
    group = s.into_test(group, "again with another size");

    let mut s = script();
    s.refused("a", "blob_create", create_fields(101), Code::TooLarge);
    s.into_test(group, "longer than the bound")
}

fn refused_chunks() -> Group {
    let mut group = Group::new("chunks that are refused", &["BLB-003", "BLB-005", "BLB-011"]);
    let cases = [
        ("after a gap", 1, 8, "ij"),
        ("overlaps what is stored", 1, 2, "cdef"),
        ("too short", 1, 4, "efg"),
        ("too long", 1, 4, "efghi"),
        ("longer than what is left", 2, 8, "ijkl"),
        ("before the last one", 2, 0, "abcd"),
        ("the last one with other bytes", 2, 4, "efgx"),
        ("after the end", 3, 12, "m"),
    ];
    for (comment, chunks, offset, content) in cases {
        let mut s = uploaded(chunks);
        s.refused("a", "blob_write", chunk_fields(offset, content), Code::WrongOffset);
        group = s.into_test(group, comment);
    }
    let mut s = script();
    s.refused("a", "blob_write", chunk_fields(0, "abcd"), Code::Denied);
    s.into_test(group, "of a blob that is not there")
}

fn ranges() -> Group {
    let mut group = Group::new("ranges", &["BLB-007", "BLB-008"]);
    let whole = "abcdefghij";
    for (comment, offset, pieces) in [
        ("the whole blob", 0, &[4, 4, 2][..]),
        ("from within a chunk to within another", 3, &[1, 4, 1]),
        ("within one chunk", 5, &[2]),
        ("nothing, at the end", 10, &[]),
    ] {
        let mut s = uploaded(3);
        let mut at = offset;
        let mut parts = Vec::new();
        for length in pieces {
            let content = hex::encode(&whole[at..at + length]);
            parts.push(json!({ "blob_chunk": { "offset": at.to_string(), "content": content } }));
            at += length;
        }
        parts.push(json!({ "read_end": { "following": false } }));
        let fields = range_fields(offset as u64, (at - offset) as u64);
        s.step("a", "blob_read", fields, json!({ "parts": parts }));
        group = s.into_test(group, comment);
    }
    for (comment, offset, length) in [
        ("ends after the blob", 4, 7),
        ("begins after the blob", 11, 0),
        ("ends beyond all numbers", 2, u64::MAX),
    ] {
        let mut s = uploaded(3);
        s.refused("a", "blob_read", range_fields(offset, length), Code::BeyondEnd);
        group = s.into_test(group, comment);
    }
    let mut s = uploaded(2);
    s.refused("a", "blob_read", range_fields(0, 4), Code::BlobIncomplete);
    s.into_test(group, "of a blob that is not complete")
}

fn ends() -> Group {
    let mut group = Group::new("ends", &["BLB-009", "BLB-010", "BLB-011"]);
    let key = || json!({ "upload_key": hex::encode(KEY) });
    for chunks in [1, 3] {
        let mut s = uploaded(chunks);
        s.step("a", "blob_delete", key(), json!({ "done": {} }));
        s.refused("a", "blob_stat", blob_fields(), Code::Denied);
        group = s.into_test(group, &format!("deleted with {chunks} chunks"));
    }
    let mut s = uploaded(3);
    s.wait_ms(4_999);
    s.step("a", "blob_stat", blob_fields(), state(10, 10));
    s.wait_ms(1);
    s.refused("a", "blob_stat", blob_fields(), Code::Denied);
    group = s.into_test(group, "its time has come");
    let mut s = uploaded(3);
    s.refused("a", "blob_delete", json!({ "upload_key": hex::encode([8; 32]) }), Code::Denied);
    s.into_test(group, "deleted with another key")
}
