//! What the library read, in the names of `wire.proto`.

use hushwire_wire::{
    frame::{AnswerFrame, RequestFrame},
    id::{EntryId, Timestamp},
    message::{
        Answer, Content, EntryBody, Follow, HelloReply, PackageKind, PackageKindsPresent, Repeated,
        Request, RequestId, ShelfBefore,
    },
    transcript::{Cut, Operation},
};
use serde_json::{Map, Value, json};

fn frame(id: RequestId, operation: &str, fields: Value) -> Value {
    json!({ "request": id.0.to_string(), "operation": operation, "fields": fields })
}

fn bytes(bytes: impl AsRef<[u8]>) -> Value {
    json!(hex::encode(bytes))
}

fn integer(value: impl Into<u64>) -> Value {
    json!(value.into().to_string())
}

fn ids(ids: &[EntryId]) -> Value {
    json!(ids.iter().map(|id| hex::encode(id.as_bytes())).collect::<Vec<_>>())
}

fn follows(follow: Follow) -> Value {
    json!(follow == Follow::Onward)
}

fn last_resort(kind: PackageKind) -> Value {
    json!(kind == PackageKind::LastResort)
}

fn again(repeated: Repeated) -> Value {
    json!(repeated == Repeated::Again)
}

/// `inline` or `blob`, and `commit` or `note` if there is one, beside other fields.
fn with_content(mut fields: Map<String, Value>, content: &Content, operation: &Operation) -> Value {
    match content {
        Content::Inline(inline) => fields.insert("inline".into(), bytes(inline)),
        Content::Blob(reference) => fields.insert(
            "blob".into(),
            json!({
                "blob": bytes(reference.blob),
                "content_hash": bytes(reference.content_hash),
                "size": integer(reference.size),
            }),
        ),
    };
    if let Operation::Commit(mark) = operation {
        let commit = json!({
            "next_key": bytes(mark.next_key),
            "cut": mark.cut == Cut::Cut,
            "contested": ids(&mark.contested),
        });
        fields.insert("commit".into(), commit);
    }
    if *operation == Operation::Note {
        fields.insert("note".into(), json!(true));
    }
    Value::Object(fields)
}

/// A client's frame.
pub(super) fn request(read: &RequestFrame) -> Value {
    let (operation, fields) = match &read.request {
        Request::Hello(hello) => (
            "hello",
            json!({
                "version_min": integer(hello.versions.min),
                "version_max": integer(hello.versions.max),
                "nonce": bytes(hello.nonce),
                "capabilities": integer(hello.capabilities),
            }),
        ),
        Request::Ping => ("ping", json!({})),
        Request::Stop(reading) => ("stop", json!({ "reading": integer(reading.0) })),
        other => channel_request(other)
            .or_else(|| owner_request(other))
            .or_else(|| slot_request(other))
            .or_else(|| sender_or_blob_request(other))
            .expect("every request is described"),
    };
    frame(read.id, operation, fields)
}

/// The name of a message with its fields.
type Described = (&'static str, Value);

fn channel_request(request: &Request) -> Option<Described> {
    Some(match request {
        Request::ChannelCreate { channel, epoch_key, nonce, signature } => (
            "channel_create",
            json!({
                "channel": bytes(channel),
                "epoch_key": bytes(epoch_key),
                "nonce": bytes(nonce),
                "signature": bytes(signature),
            }),
        ),
        Request::ChannelOpen { channel, epoch, signature } => (
            "channel_open",
            json!({
                "channel": bytes(channel),
                "epoch": bytes(epoch),
                "signature": bytes(signature),
            }),
        ),
        Request::ChannelClose(handle) => ("channel_close", json!({ "handle": integer(handle.0) })),
        Request::Append { handle, content, operation } => {
            let fields = Map::from_iter([("handle".to_owned(), integer(handle.0))]);
            ("append", with_content(fields, content, operation))
        }
        Request::ChannelRead { handle, epoch, from, follow } => (
            "channel_read",
            json!({
                "handle": integer(handle.0),
                "epoch": bytes(epoch),
                "from_sequence": integer(from.0),
                "follow": follows(*follow),
            }),
        ),
        _ => return None,
    })
}

fn owner_request(request: &Request) -> Option<Described> {
    Some(match request {
        Request::InboxCreate { inbox, owner_key, signature } => (
            "inbox_create",
            json!({
                "inbox": bytes(inbox),
                "owner_key": bytes(owner_key),
                "signature": bytes(signature),
            }),
        ),
        Request::InboxOpen { inbox, slot, signature } => (
            "inbox_open",
            json!({
                "inbox": bytes(inbox),
                "slot": bytes(slot),
                "signature": bytes(signature),
            }),
        ),
        Request::InboxRotate { handle, next_owner_key, signature } => (
            "inbox_rotate",
            json!({
                "handle": integer(handle.0),
                "next_owner_key": bytes(next_owner_key),
                "signature": bytes(signature),
            }),
        ),
        Request::InboxRead { handle, from, follow } => (
            "inbox_read",
            json!({
                "handle": integer(handle.0),
                "from_sequence": integer(from.0),
                "follow": follows(*follow),
            }),
        ),
        Request::InboxAdvance { handle, cursor } => (
            "inbox_advance",
            json!({
                "handle": integer(handle.0),
                "cursor": integer(cursor.0),
            }),
        ),
        Request::CapabilityPut { handle, capability, items_max, expires_at, card } => (
            "capability_put",
            json!({
                "handle": integer(handle.0),
                "capability": bytes(capability),
                "items_max": integer(items_max.unwrap_or(0)),
                "expires_at_ms": integer(expires_at.unwrap_or(Timestamp(0)).0),
                "card": bytes(card),
            }),
        ),
        Request::CapabilityRevoke { handle, capability } => (
            "capability_revoke",
            json!({
                "handle": integer(handle.0),
                "capability": bytes(capability),
            }),
        ),
        _ => return None,
    })
}

fn slot_request(request: &Request) -> Option<Described> {
    Some(match request {
        Request::SlotDrop { handle, slot } => {
            ("slot_drop", json!({ "handle": integer(handle.0), "slot": bytes(slot) }))
        }
        Request::ShelfPut { handle, package, kind, before } => (
            "shelf_put",
            json!({
                "handle": integer(handle.0),
                "package": bytes(package),
                "last_resort": last_resort(*kind),
                "clear": *before == ShelfBefore::Clear,
            }),
        ),
        Request::ShelfStatus(handle) => ("shelf_status", json!({ "handle": integer(handle.0) })),
        Request::DeviceListPut { handle, device_list } => (
            "device_list_put",
            json!({
                "handle": integer(handle.0),
                "device_list": bytes(device_list),
            }),
        ),
        _ => return None,
    })
}

fn sender_or_blob_request(request: &Request) -> Option<Described> {
    Some(match request {
        Request::InboxSend { inbox, secret, item } => (
            "inbox_send",
            json!({
                "inbox": bytes(inbox),
                "secret": bytes(secret.expose()),
                "item": bytes(item),
            }),
        ),
        Request::CardFetch { inbox, secret } => {
            ("card_fetch", json!({ "inbox": bytes(inbox), "secret": bytes(secret.expose()) }))
        }
        Request::ShelfTake { inbox, secret, slot } => (
            "shelf_take",
            json!({
                "inbox": bytes(inbox),
                "secret": bytes(secret.expose()),
                "slot": bytes(slot),
            }),
        ),
        Request::BlobCreate { key, size } => {
            ("blob_create", json!({ "upload_key": bytes(key.expose()), "size": integer(*size) }))
        }
        Request::BlobWrite { key, offset, content } => (
            "blob_write",
            json!({
                "upload_key": bytes(key.expose()),
                "offset": integer(*offset),
                "content": bytes(content),
            }),
        ),
        Request::BlobStat(blob) => ("blob_stat", json!({ "blob": bytes(blob) })),
        Request::BlobRead { blob, offset, length } => (
            "blob_read",
            json!({
                "blob": bytes(blob),
                "offset": integer(*offset),
                "length": integer(*length),
            }),
        ),
        Request::BlobDelete(key) => ("blob_delete", json!({ "upload_key": bytes(key.expose()) })),
        _ => return None,
    })
}

/// A relay's frame.
pub(super) fn answer(read: &AnswerFrame) -> Value {
    let (operation, fields) = match &read.answer {
        Answer::Hello(reply) => ("hello_reply", hello_reply(reply)),
        Answer::Done => ("done", json!({})),
        Answer::Refused(refusal) => (
            "error",
            json!({
                "code": integer(refusal.code.number()),
                "known": true,
                "retry_after_ms": integer(refusal.retry_after_ms),
                "candidates": ids(&refusal.candidates),
            }),
        ),
        Answer::RefusedUnknown { number, retry_after_ms } => (
            "error",
            json!({
                "code": integer(*number),
                "known": false,
                "retry_after_ms": integer(*retry_after_ms),
            }),
        ),
        other => channel_answer(other)
            .or_else(|| inbox_or_blob_answer(other))
            .expect("every answer is described"),
    };
    frame(read.id, operation, fields)
}

pub(crate) fn hello_reply(reply: &HelloReply) -> Value {
    json!({
        "version": integer(reply.version),
        "relay_key": bytes(reply.relay_key),
        "nonce": bytes(reply.nonce),
        "capabilities": integer(reply.capabilities),
        "time_ms": integer(reply.time.0),
        "entry_inline_bytes_max": integer(reply.entry_inline_bytes_max),
        "blob_bytes_max": integer(reply.blob_bytes_max),
        "blob_chunk_bytes": integer(reply.blob_chunk_bytes),
        "requests_in_flight_max": integer(reply.requests_in_flight_max),
        "message_retention_ms": integer(reply.message_retention_ms),
    })
}

fn channel_answer(answer: &Answer) -> Option<Described> {
    Some(match answer {
        Answer::ChannelOpened(opened) => (
            "channel_opened",
            json!({
                "handle": integer(opened.handle.0),
                "epoch": bytes(opened.epoch),
                "next_sequence": integer(opened.next.0),
                "head": bytes(opened.head),
                "candidates": ids(&opened.candidates),
                "siblings": ids(&opened.siblings),
            }),
        ),
        Answer::Appended(receipt) => (
            "appended",
            json!({
                "entry": bytes(receipt.entry),
                "sequence": integer(receipt.sequence.0),
                "head": bytes(receipt.head),
                "signature": bytes(receipt.signature),
                "repeated": again(receipt.repeated),
            }),
        ),
        Answer::Entry(entry) => {
            let mut fields = Map::from_iter([
                ("epoch".to_owned(), bytes(entry.epoch)),
                ("sequence".to_owned(), integer(entry.sequence.0)),
                ("stored_at_ms".to_owned(), integer(entry.stored_at.0)),
            ]);
            (
                "entry",
                match &entry.body {
                    EntryBody::Whole { content, operation } => {
                        with_content(fields, content, operation)
                    }
                    EntryBody::Expired(id) => {
                        fields.insert("expired".into(), bytes(id));
                        Value::Object(fields)
                    }
                },
            )
        }
        Answer::EpochEnd(end) => {
            let mut fields = json!({
                "epoch": bytes(end.epoch),
                "next_sequence": integer(end.next.0),
                "head": bytes(end.head),
            });
            if let Some(signature) = end.signature {
                fields["signature"] = bytes(signature);
            }
            ("epoch_end", fields)
        }
        Answer::ReadEnd(follow) => ("read_end", json!({ "following": follows(*follow) })),
        _ => return None,
    })
}

fn inbox_or_blob_answer(answer: &Answer) -> Option<Described> {
    Some(match answer {
        Answer::InboxOpened { handle, cursor, next } => (
            "inbox_opened",
            json!({
                "handle": integer(handle.0),
                "cursor": integer(cursor.0),
                "next_sequence": integer(next.0),
            }),
        ),
        Answer::InboxItem(item) => (
            "inbox_item",
            json!({
                "sequence": integer(item.sequence.0),
                "item": bytes(&item.item),
                "capability": bytes(item.capability),
                "stored_at_ms": integer(item.stored_at.0),
            }),
        ),
        Answer::ShelfState { packages, last_resort } => (
            "shelf_state",
            json!({
                "packages": integer(*packages),
                "last_resort": *last_resort == PackageKindsPresent::WithLastResort,
            }),
        ),
        Answer::InboxSent { item, signature, repeated } => (
            "inbox_sent",
            json!({
                "item": bytes(item),
                "signature": bytes(signature),
                "repeated": again(*repeated),
            }),
        ),
        Answer::Card { card, device_list } => {
            ("card", json!({ "card": bytes(card), "device_list": bytes(device_list) }))
        }
        Answer::KeyPackage { package, kind } => {
            ("key_package", json!({ "package": bytes(package), "last_resort": last_resort(*kind) }))
        }
        Answer::BlobState { size, stored } => {
            ("blob_state", json!({ "size": integer(*size), "stored": integer(*stored) }))
        }
        Answer::BlobChunk { offset, content } => {
            ("blob_chunk", json!({ "offset": integer(*offset), "content": bytes(content) }))
        }
        _ => return None,
    })
}
