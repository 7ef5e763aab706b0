//! A relay's frame, as the client reads it.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    error::{Code, Refusal},
    id::{Sequence, Timestamp},
    message::{
        Answer, Appended, ChannelOpened, Entry, EntryBody, EpochEnd, Follow, Handle, HelloReply,
        InboxItem, PackageKind, PackageKindsPresent, Repeated, RequestId,
    },
};

use super::{
    AnswerFrame, entry,
    fault::{Fault, FrameError},
    field::{self, absent, entry_ids, fixed},
    proto::{self, to_client},
    shape,
};

/// Reads a relay's frame, without its length prefix.
///
/// Nothing is allocated but for lists of entry ids; all else is copied into fixed arrays or sliced
/// from `frame` (spec: WIRE-008).
///
/// # Errors
/// [`FrameError`]: everything that is not exactly one well-formed answer of version 1
/// (spec: WIRE-005 and those after it in `spec/wire.md`). An unknown error code is no error of the frame,
/// but [`Answer::RefusedUnknown`] (spec: WIRE-051).
pub fn decode_answer(frame: Bytes) -> Result<AnswerFrame, FrameError> {
    let id = shape::check_answer(&frame)?;
    let refused = |fault| FrameError { request: Some(id), fault };
    let message = proto::ToClient::decode(frame).map_err(|_| refused(Fault::Undecodable))?;
    read(message).map_err(refused)
}

fn read(message: proto::ToClient) -> Result<AnswerFrame, Fault> {
    let id = RequestId(message.request);
    let answer = answer(message.answer.ok_or(Fault::NoOperation)?)?;
    // spec: WIRE-004
    let fits = match &answer {
        Answer::Hello(_) => id == RequestId::HELLO,
        Answer::Refused(_) | Answer::RefusedUnknown { .. } => true,
        _ => id != RequestId::HELLO,
    };
    if fits { Ok(AnswerFrame { id, answer }) } else { Err(Fault::RequestId) }
}

fn answer(answer: to_client::Answer) -> Result<Answer, Fault> {
    match answer {
        to_client::Answer::HelloReply(message) => hello_reply(&message).map(Answer::Hello),
        to_client::Answer::Done(proto::Done {}) => Ok(Answer::Done),
        to_client::Answer::Error(message) => refusal(&message),
        to_client::Answer::ChannelOpened(message) => {
            channel_opened(&message).map(Answer::ChannelOpened)
        }
        to_client::Answer::Appended(message) => appended(&message).map(Answer::Appended),
        to_client::Answer::Entry(message) => entry(message).map(Answer::Entry),
        to_client::Answer::EpochEnd(message) => epoch_end(&message).map(Answer::EpochEnd),
        to_client::Answer::ReadEnd(message) => {
            Ok(Answer::ReadEnd(Follow::from_flag(message.following)))
        }
        to_client::Answer::InboxOpened(message) => Ok(inbox_opened(&message)),
        to_client::Answer::InboxItem(message) => inbox_item(message).map(Answer::InboxItem),
        to_client::Answer::ShelfState(message) => Ok(shelf_state(&message)),
        to_client::Answer::InboxSent(message) => inbox_sent(&message),
        to_client::Answer::Card(message) => {
            Ok(Answer::Card { card: message.card, device_list: message.device_list })
        }
        to_client::Answer::KeyPackage(message) => key_package(message),
        to_client::Answer::BlobState(message) => {
            Ok(Answer::BlobState { size: message.size, stored: message.stored })
        }
        to_client::Answer::BlobChunk(message) => blob_chunk(message),
    }
}

fn hello_reply(message: &proto::HelloReply) -> Result<HelloReply, Fault> {
    Ok(HelloReply {
        version: u16::try_from(message.version).map_err(|_| Fault::IntegerRange)?,
        relay_key: fixed("relay_key", &message.relay_key)?,
        nonce: fixed("nonce", &message.nonce)?,
        capabilities: message.capabilities,
        time: Timestamp(message.time_ms),
        entry_inline_bytes_max: message.entry_inline_bytes_max,
        blob_bytes_max: message.blob_bytes_max,
        blob_chunk_bytes: message.blob_chunk_bytes,
        requests_in_flight_max: message.requests_in_flight_max,
        message_retention_ms: message.message_retention_ms,
    })
}

fn refusal(message: &proto::Error) -> Result<Answer, Fault> {
    if message.code == 0 {
        return Err(Fault::Missing { field: "code" });
    }
    let candidates = entry_ids("candidates", &message.candidates)?;
    let retry_after_ms = message.retry_after_ms;
    Ok(match Code::from_number(message.code) {
        Some(code) => Answer::Refused(Refusal { code, retry_after_ms, candidates }),
        // spec: WIRE-051
        None => Answer::RefusedUnknown { number: message.code, retry_after_ms },
    })
}

fn channel_opened(message: &proto::ChannelOpened) -> Result<ChannelOpened, Fault> {
    Ok(ChannelOpened {
        handle: Handle(message.handle),
        epoch: fixed("epoch", &message.epoch)?,
        next: Sequence(message.next_sequence),
        head: fixed("head", &message.head)?,
        candidates: entry_ids("candidates", &message.candidates)?,
        siblings: entry_ids("siblings", &message.siblings)?,
    })
}

fn appended(message: &proto::Appended) -> Result<Appended, Fault> {
    Ok(Appended {
        entry: fixed("entry", &message.entry)?,
        sequence: Sequence(message.sequence),
        head: fixed("head", &message.head)?,
        signature: fixed("signature", &message.signature)?,
        repeated: Repeated::from_flag(message.repeated),
    })
}

fn entry(message: proto::Entry) -> Result<Entry, Fault> {
    Ok(Entry {
        epoch: fixed("epoch", &message.epoch)?,
        sequence: Sequence(message.sequence),
        stored_at: Timestamp(message.stored_at_ms),
        body: entry_body(message)?,
    })
}

fn entry_body(message: proto::Entry) -> Result<EntryBody, Fault> {
    if message.expired.is_empty() {
        let proto::Entry { inline, blob, commit, note, .. } = message;
        let (content, operation) = entry::Fields { inline, blob, commit, note }.whole()?;
        return Ok(EntryBody::Whole { content, operation });
    }
    absent("inline", &message.inline)?;
    if message.blob.is_some() {
        return Err(Fault::Conflict { field: "blob" });
    }
    if message.commit.is_some() {
        return Err(Fault::Conflict { field: "commit" });
    }
    if message.note {
        return Err(Fault::Conflict { field: "note" });
    }
    fixed("expired", &message.expired).map(EntryBody::Expired)
}

fn epoch_end(message: &proto::EpochEnd) -> Result<EpochEnd, Fault> {
    let signature = match message.signature.is_empty() {
        true => None,
        false => Some(fixed("signature", &message.signature)?),
    };
    Ok(EpochEnd {
        epoch: fixed("epoch", &message.epoch)?,
        next: Sequence(message.next_sequence),
        head: fixed("head", &message.head)?,
        signature,
    })
}

const fn inbox_opened(message: &proto::InboxOpened) -> Answer {
    Answer::InboxOpened {
        handle: Handle(message.handle),
        cursor: Sequence(message.cursor),
        next: Sequence(message.next_sequence),
    }
}

fn inbox_item(message: proto::InboxItem) -> Result<InboxItem, Fault> {
    Ok(InboxItem {
        sequence: Sequence(message.sequence),
        capability: fixed("capability", &message.capability)?,
        stored_at: Timestamp(message.stored_at_ms),
        item: field::content("item", message.item)?,
    })
}

const fn shelf_state(message: &proto::ShelfState) -> Answer {
    Answer::ShelfState {
        packages: message.packages,
        last_resort: PackageKindsPresent::from_flag(message.last_resort),
    }
}

fn inbox_sent(message: &proto::InboxSent) -> Result<Answer, Fault> {
    Ok(Answer::InboxSent {
        item: fixed("item", &message.item)?,
        signature: fixed("signature", &message.signature)?,
        repeated: Repeated::from_flag(message.repeated),
    })
}

fn key_package(message: proto::KeyPackage) -> Result<Answer, Fault> {
    Ok(Answer::KeyPackage {
        package: field::content("package", message.package)?,
        kind: PackageKind::from_flag(message.last_resort),
    })
}

fn blob_chunk(message: proto::BlobChunk) -> Result<Answer, Fault> {
    Ok(Answer::BlobChunk {
        offset: message.offset,
        content: field::content("content", message.content)?,
    })
}
