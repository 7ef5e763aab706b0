//! A relay's frame, as the relay writes it.

use bytes::Bytes;

use crate::{
    error::Refusal,
    message::{Answer, Appended, ChannelOpened, Entry, EntryBody, EpochEnd, HelloReply, InboxItem},
};

use super::{
    AnswerFrame, entry,
    field::from_entry_ids,
    proto::{self, to_client},
    with_prefix,
};

/// Writes a relay's frame, with its length prefix.
pub fn encode_answer(frame: &AnswerFrame) -> Bytes {
    with_prefix(&proto::ToClient { request: frame.id.0, answer: Some(answer(&frame.answer)) })
}

fn answer(answer: &Answer) -> to_client::Answer {
    match answer {
        Answer::Hello(reply) => to_client::Answer::HelloReply(hello_reply(reply)),
        Answer::Done => to_client::Answer::Done(proto::Done {}),
        Answer::Refused(refusal) => to_client::Answer::Error(error(refusal)),
        Answer::RefusedUnknown { number, retry_after_ms } => {
            to_client::Answer::Error(proto::Error {
                code: *number,
                retry_after_ms: *retry_after_ms,
                candidates: Bytes::new(),
            })
        }
        Answer::ChannelOpened(opened) => to_client::Answer::ChannelOpened(channel_opened(opened)),
        Answer::Appended(receipt) => to_client::Answer::Appended(appended(receipt)),
        Answer::Entry(read) => to_client::Answer::Entry(entry(read)),
        Answer::EpochEnd(end) => to_client::Answer::EpochEnd(epoch_end(end)),
        Answer::ReadEnd(follow) => {
            to_client::Answer::ReadEnd(proto::ReadEnd { following: follow.to_flag() })
        }
        Answer::InboxOpened { handle, cursor, next } => {
            to_client::Answer::InboxOpened(proto::InboxOpened {
                handle: handle.0,
                cursor: cursor.0,
                next_sequence: next.0,
            })
        }
        Answer::InboxItem(item) => to_client::Answer::InboxItem(inbox_item(item)),
        Answer::ShelfState { packages, last_resort } => {
            to_client::Answer::ShelfState(proto::ShelfState {
                packages: *packages,
                last_resort: last_resort.to_flag(),
            })
        }
        Answer::InboxSent { item, signature, repeated } => {
            to_client::Answer::InboxSent(proto::InboxSent {
                item: item.to_field(),
                signature: signature.to_field(),
                repeated: repeated.to_flag(),
            })
        }
        Answer::Card { card, device_list } => to_client::Answer::Card(proto::Card {
            card: card.clone(),
            device_list: device_list.clone(),
        }),
        Answer::KeyPackage { package, kind } => to_client::Answer::KeyPackage(proto::KeyPackage {
            package: package.clone(),
            last_resort: kind.to_flag(),
        }),
        Answer::BlobState { size, stored } => {
            to_client::Answer::BlobState(proto::BlobState { size: *size, stored: *stored })
        }
        Answer::BlobChunk { offset, content } => to_client::Answer::BlobChunk(proto::BlobChunk {
            offset: *offset,
            content: content.clone(),
        }),
    }
}

fn hello_reply(reply: &HelloReply) -> proto::HelloReply {
    proto::HelloReply {
        version: u32::from(reply.version),
        relay_key: reply.relay_key.to_field(),
        nonce: reply.nonce.to_field(),
        capabilities: reply.capabilities,
        time_ms: reply.time.0,
        entry_inline_bytes_max: reply.entry_inline_bytes_max,
        blob_bytes_max: reply.blob_bytes_max,
        blob_chunk_bytes: reply.blob_chunk_bytes,
        requests_in_flight_max: reply.requests_in_flight_max,
        message_retention_ms: reply.message_retention_ms,
    }
}

fn error(refusal: &Refusal) -> proto::Error {
    proto::Error {
        code: refusal.code.number(),
        retry_after_ms: refusal.retry_after_ms,
        candidates: from_entry_ids(&refusal.candidates),
    }
}

fn channel_opened(opened: &ChannelOpened) -> proto::ChannelOpened {
    proto::ChannelOpened {
        handle: opened.handle.0,
        epoch: opened.epoch.to_field(),
        next_sequence: opened.next.0,
        head: opened.head.to_field(),
        candidates: from_entry_ids(&opened.candidates),
        siblings: from_entry_ids(&opened.siblings),
    }
}

fn appended(receipt: &Appended) -> proto::Appended {
    proto::Appended {
        entry: receipt.entry.to_field(),
        sequence: receipt.sequence.0,
        head: receipt.head.to_field(),
        signature: receipt.signature.to_field(),
        repeated: receipt.repeated.to_flag(),
    }
}

fn entry(entry: &Entry) -> proto::Entry {
    let mut message = proto::Entry {
        epoch: entry.epoch.to_field(),
        sequence: entry.sequence.0,
        stored_at_ms: entry.stored_at.0,
        ..proto::Entry::default()
    };
    match &entry.body {
        EntryBody::Whole { content, operation } => {
            message.inline = entry::inline_field(content);
            message.blob = entry::blob_field(content);
            message.commit = entry::commit_field(operation);
            message.note = entry::note_field(operation);
        }
        EntryBody::Expired(id) => message.expired = id.to_field(),
    }
    message
}

fn epoch_end(end: &EpochEnd) -> proto::EpochEnd {
    proto::EpochEnd {
        epoch: end.epoch.to_field(),
        next_sequence: end.next.0,
        head: end.head.to_field(),
        signature: end.signature.map_or_else(Bytes::new, |signature| signature.to_field()),
    }
}

fn inbox_item(item: &InboxItem) -> proto::InboxItem {
    proto::InboxItem {
        sequence: item.sequence.0,
        item: item.item.clone(),
        capability: item.capability.to_field(),
        stored_at_ms: item.stored_at.0,
    }
}
