//! Scripts of entries whose content is a blob.

use hushwire_wire::{
    error::Code,
    id::UploadKey,
    transcript::{self, Cut, Operation},
};
use serde_json::{Value, json};

use super::log::{Log, commit};
use crate::{relay::script::Script, suite::Group};

const KEY: [u8; 32] = [7; 32];
const CONTENT: &str = "sealed";

fn script() -> Script {
    Script::new(json!({
        "blob_chunk_bytes": "4",
        "blob_retention_ms": "10000",
        "message_retention_ms": "10000",
        "commit_retention_ms": "20000",
    }))
}

fn state(size: usize, stored: usize) -> Value {
    json!({ "blob_state": { "size": size.to_string(), "stored": stored.to_string() } })
}

/// Uploads the first bytes of a blob of this size.
fn upload(s: &mut Script, size: usize, stored: usize) {
    let key = hex::encode(KEY);
    let fields = json!({ "upload_key": key, "size": size.to_string() });
    s.step("a", "blob_create", fields, state(size, 0));
    for at in (0..stored).step_by(4) {
        let end = stored.min(at + 4);
        let content = hex::encode(&CONTENT[at..end]);
        let fields = json!({ "upload_key": key, "offset": at.to_string(), "content": content });
        s.step("a", "blob_write", fields, state(size, end));
    }
}

/// The fields of an append that says the blob is so long and has the hash of `content`.
fn names(log: &Log, operation: &Operation, size: usize, content: &str) -> Value {
    let mut fields = log.fields("", operation);
    let object = fields.as_object_mut().expect("an object");
    object.remove("inline");
    let blob = json!({
        "blob": hex::encode(transcript::blob_id(&UploadKey::from_bytes(KEY))),
        "content_hash": hex::encode(transcript::content_hash(content.as_bytes())),
        "size": size.to_string(),
    });
    object.insert("blob".into(), blob);
    fields
}

fn append(s: &mut Script, log: &mut Log, operation: &Operation) {
    let fields = names(log, operation, CONTENT.len(), CONTENT);
    log.append_fields(s, CONTENT, operation, fields);
}

fn delete(s: &mut Script, refused: Option<Code>) {
    let fields = json!({ "upload_key": hex::encode(KEY) });
    match refused {
        Some(code) => s.refused("a", "blob_delete", fields, code),
        None => s.step("a", "blob_delete", fields, json!({ "done": {} })),
    }
}

fn stat(s: &mut Script, refused: Option<Code>) {
    let blob = hex::encode(transcript::blob_id(&UploadKey::from_bytes(KEY)));
    let fields = json!({ "blob": blob });
    match refused {
        Some(code) => s.refused("a", "blob_stat", fields, code),
        None => s.step("a", "blob_stat", fields, state(CONTENT.len(), CONTENT.len())),
    }
}

pub(super) fn proven() -> Group {
    let mut group = Group::new("blobs as contents", &["CHN-010"]);
    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    upload(&mut s, 6, 6);
    append(&mut s, &mut log, &Operation::Message);
    group = s.into_test(group, "a blob that is there whole with this size and hash");

    let cases = [
        ("a blob that is not complete", 8, 4, 8, CONTENT),
        ("a blob of another size", 6, 6, 5, CONTENT),
        ("a blob with another hash", 6, 6, 6, "zealed"),
        ("a blob with the hash of its beginning", 6, 6, 6, "seal"),
    ];
    for operation in [Operation::Message, commit(2, Cut::Cut, &[])] {
        for (comment, size, stored, named, content) in cases {
            let mut s = script();
            let log = Log::create(&mut s, 1);
            upload(&mut s, size, stored);
            let fields = names(&log, &operation, named, content);
            s.refused("a", "append", fields, Code::BlobMissing);
            let comment = match operation {
                Operation::Message | Operation::Note => comment.to_owned(),
                Operation::Commit(_) => format!("{comment}, named by a commit"),
            };
            group = s.into_test(group, &comment);
        }
    }
    group
}

pub(super) fn held() -> Group {
    let rules = ["CHN-031", "BLB-009", "BLB-010", "BLB-012"];
    let mut group = Group::new("blobs that entries hold", &rules);
    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    upload(&mut s, 6, 6);
    s.wait_ms(5_000);
    append(&mut s, &mut log, &Operation::Message);
    s.wait_ms(9_999);
    delete(&mut s, Some(Code::BlobInUse));
    stat(&mut s, None);
    s.wait_ms(1);
    stat(&mut s, Some(Code::Denied));
    group = s.into_test(group, "as long as a message, then gone with it");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    upload(&mut s, 6, 6);
    append(&mut s, &mut log, &Operation::Message);
    append(&mut s, &mut log, &commit(2, Cut::Cut, &[]));
    s.wait_ms(19_999);
    delete(&mut s, Some(Code::BlobInUse));
    s.wait_ms(1);
    stat(&mut s, Some(Code::Denied));
    group = s.into_test(group, "as long as the later of two entries");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    upload(&mut s, 6, 6);
    append(&mut s, &mut log, &commit(2, Cut::Cut, &[]));
    s.restart();
    delete(&mut s, Some(Code::BlobInUse));
    group = s.into_test(group, "also after a restart");

    let mut s = script();
    let log = Log::create(&mut s, 1);
    upload(&mut s, 6, 6);
    s.refused("a", "append", names(&log, &Operation::Message, 6, "zealed"), Code::BlobMissing);
    delete(&mut s, None);
    let fields = names(&log, &Operation::Message, 6, CONTENT);
    s.refused("a", "append", fields, Code::BlobMissing);
    s.into_test(group, "not by an entry that was refused")
}
