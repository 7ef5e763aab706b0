//! Answers, as the outputs of a script show them.

use hushwire_wire::{
    id::EntryId,
    message::{
        Answer, Content, Entry, EntryBody, EpochEnd, Follow, Handle, PackageKind,
        PackageKindsPresent, Repeated,
    },
    transcript::{Cut, Operation},
};
use serde_json::{Value, json};

use crate::kinds::wire_frame::hello_reply;

/// The handle that an answer gives out.
pub(super) fn handle(answers: &[Answer]) -> Option<Handle> {
    match answers {
        [Answer::ChannelOpened(opened)] => Some(opened.handle),
        [Answer::InboxOpened { handle, .. }] => Some(*handle),
        _ => None,
    }
}

/// One answer by its fields; what a reading said by its parts.
pub(super) fn value(answers: &[Answer]) -> Value {
    match answers {
        [Answer::Refused(refusal)] => refusal_value(refusal),
        [one] if !matches!(one, Answer::ReadEnd(_)) => answer(one),
        parts => json!({ "parts": parts.iter().map(part).collect::<Vec<_>>() }),
    }
}

fn refusal_value(refusal: &hushwire_wire::error::Refusal) -> Value {
    let mut value = json!({ "error": refusal.code.name() });
    if refusal.retry_after_ms > 0 {
        value["retry_after_ms"] = refusal.retry_after_ms.to_string().into();
    }
    if refusal.code == hushwire_wire::error::Code::Stale {
        value["candidates"] = ids(&refusal.candidates);
    }
    value
}

fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Hello(reply) => json!({ "hello_reply": hello_reply(reply) }),
        Answer::Done => json!({ "done": {} }),
        Answer::ChannelOpened(opened) => json!({ "channel_opened": {
            "epoch": hex::encode(opened.epoch),
            "next_sequence": opened.next.0.to_string(),
            "head": hex::encode(opened.head),
            "candidates": ids(&opened.candidates),
            "siblings": ids(&opened.siblings),
        } }),
        Answer::Appended(appended) => json!({ "appended": {
            "entry": hex::encode(appended.entry),
            "sequence": appended.sequence.0.to_string(),
            "head": hex::encode(appended.head),
            "signature": hex::encode(appended.signature),
            "repeated": appended.repeated == Repeated::Again,
        } }),
        Answer::InboxOpened { cursor, next, .. } => json!({ "inbox_opened": {
            "cursor": cursor.0.to_string(),
            "next_sequence": next.0.to_string(),
        } }),
        Answer::ShelfState { packages, last_resort } => json!({ "shelf_state": {
            "packages": packages.to_string(),
            "last_resort": *last_resort == PackageKindsPresent::WithLastResort,
        } }),
        Answer::InboxSent { item, signature, repeated } => json!({ "inbox_sent": {
            "item": hex::encode(item),
            "signature": hex::encode(signature),
            "repeated": *repeated == Repeated::Again,
        } }),
        Answer::Card { card, device_list } => json!({ "card": {
            "card": hex::encode(card),
            "device_list": hex::encode(device_list),
        } }),
        Answer::KeyPackage { package, kind } => json!({ "key_package": {
            "package": hex::encode(package),
            "last_resort": *kind == PackageKind::LastResort,
        } }),
        Answer::BlobState { size, stored } => json!({ "blob_state": {
            "size": size.to_string(),
            "stored": stored.to_string(),
        } }),
        other => panic!("not the answer of a script: {other:?}"),
    }
}

fn part(part: &Answer) -> Value {
    match part {
        Answer::Entry(entry) => json!({ "entry": entry_value(entry) }),
        Answer::EpochEnd(EpochEnd { epoch, next, head, signature }) => json!({ "epoch_end": {
            "epoch": hex::encode(epoch),
            "next_sequence": next.0.to_string(),
            "head": hex::encode(head),
            "signature": signature.map(hex::encode).unwrap_or_default(),
        } }),
        Answer::InboxItem(item) => json!({ "inbox_item": {
            "sequence": item.sequence.0.to_string(),
            "item": hex::encode(&item.item),
            "capability": hex::encode(item.capability),
            "stored_at_ms": item.stored_at.0.to_string(),
        } }),
        Answer::BlobChunk { offset, content } => json!({ "blob_chunk": {
            "offset": offset.to_string(),
            "content": hex::encode(content),
        } }),
        Answer::ReadEnd(follow) => json!({ "read_end": {
            "following": *follow == Follow::Onward,
        } }),
        Answer::Refused(refusal) => refusal_value(refusal),
        other => panic!("not a part of a reading: {other:?}"),
    }
}

fn entry_value(entry: &Entry) -> Value {
    let mut value = json!({
        "epoch": hex::encode(entry.epoch),
        "sequence": entry.sequence.0.to_string(),
        "stored_at_ms": entry.stored_at.0.to_string(),
    });
    match &entry.body {
        EntryBody::Expired(id) => value["expired"] = hex::encode(id).into(),
        EntryBody::Whole { content, operation } => {
            match content {
                Content::Inline(bytes) => value["inline"] = hex::encode(bytes).into(),
                Content::Blob(blob) => {
                    value["blob"] = json!({
                        "blob": hex::encode(blob.blob),
                        "content_hash": hex::encode(blob.content_hash),
                        "size": blob.size.to_string(),
                    });
                }
            }
            if let Operation::Commit(mark) = operation {
                value["commit"] = json!({
                    "next_key": hex::encode(mark.next_key),
                    "cut": mark.cut == Cut::Cut,
                    "contested": ids(&mark.contested),
                });
            }
            if *operation == Operation::Note {
                value["note"] = true.into();
            }
        }
    }
    value
}

fn ids(ids: &[EntryId]) -> Value {
    ids.iter().map(hex::encode).collect::<Vec<_>>().into()
}
