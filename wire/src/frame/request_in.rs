//! A client's frame, as the relay reads it.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    id::{Sequence, Timestamp},
    message::{Follow, Handle, Hello, PackageKind, Request, RequestId, ShelfBefore},
    version::VersionRange,
};

use super::{
    RequestFrame, entry,
    fault::{Fault, FrameError},
    field::{self, fixed},
    proto::{self, to_relay::Operation},
    shape,
};

/// Reads a client's frame, without its length prefix.
///
/// Nothing is allocated but for the list of contested candidates; all else is copied into fixed
/// arrays or sliced from `frame` (spec: WIRE-008).
///
/// # Errors
/// [`FrameError`]: everything that is not exactly one well-formed request of version 1
/// (spec: WIRE-005 and those after it in `spec/wire.md`), by the first fault in the order of
/// WIRE-019 (spec: WIRE-019).
pub fn decode_request(frame: Bytes) -> Result<RequestFrame, FrameError> {
    let id = shape::check_request(&frame)?;
    let refused = |fault| FrameError { request: Some(id), fault };
    let message = proto::ToRelay::decode(frame).map_err(|_| refused(Fault::Undecodable))?;
    read(message).map_err(refused)
}

fn read(message: proto::ToRelay) -> Result<RequestFrame, Fault> {
    // spec: WIRE-009
    if !message.admission_token.is_empty() {
        return Err(Fault::Reserved { field: "admission_token" });
    }
    if message.flags != 0 {
        return Err(Fault::Reserved { field: "flags" });
    }
    let id = RequestId(message.request);
    let operation = message.operation.ok_or(Fault::NoOperation)?;
    // spec: WIRE-004
    if matches!(operation, Operation::Hello(_)) != (id == RequestId::HELLO) {
        return Err(Fault::RequestId);
    }
    Ok(RequestFrame { id, request: request(operation)? })
}

fn request(operation: Operation) -> Result<Request, Fault> {
    match operation {
        Operation::Hello(message) => hello(&message),
        Operation::Ping(proto::Ping {}) => Ok(Request::Ping),
        Operation::Stop(message) => Ok(Request::Stop(RequestId(message.reading))),
        Operation::ChannelCreate(message) => channel_create(&message),
        Operation::ChannelOpen(message) => channel_open(&message),
        Operation::ChannelClose(message) => Ok(Request::ChannelClose(Handle(message.handle))),
        Operation::Append(message) => append(message),
        Operation::ChannelRead(message) => channel_read(&message),
        Operation::InboxCreate(message) => inbox_create(&message),
        Operation::InboxOpen(message) => inbox_open(&message),
        Operation::InboxRotate(message) => inbox_rotate(&message),
        Operation::InboxRead(message) => Ok(inbox_read(&message)),
        Operation::InboxAdvance(message) => Ok(inbox_advance(&message)),
        Operation::CapabilityPut(message) => capability_put(message),
        Operation::CapabilityRevoke(message) => capability_revoke(&message),
        Operation::SlotDrop(message) => slot_drop(&message),
        Operation::ShelfPut(message) => shelf_put(message),
        Operation::ShelfStatus(message) => Ok(Request::ShelfStatus(Handle(message.handle))),
        Operation::DeviceListPut(message) => device_list_put(message),
        Operation::InboxSend(message) => inbox_send(message),
        Operation::CardFetch(message) => card_fetch(&message),
        Operation::ShelfTake(message) => shelf_take(&message),
        Operation::BlobCreate(message) => blob_create(&message),
        Operation::BlobWrite(message) => blob_write(message),
        Operation::BlobStat(message) => Ok(Request::BlobStat(fixed("blob", &message.blob)?)),
        Operation::BlobRead(message) => blob_read(&message),
        Operation::BlobDelete(message) => {
            Ok(Request::BlobDelete(fixed("upload_key", &message.upload_key)?))
        }
    }
}

fn hello(message: &proto::Hello) -> Result<Request, Fault> {
    Ok(Request::Hello(Hello {
        versions: VersionRange { min: message.version_min, max: message.version_max },
        nonce: fixed("nonce", &message.nonce)?,
        capabilities: message.capabilities,
    }))
}

fn channel_create(message: &proto::ChannelCreate) -> Result<Request, Fault> {
    Ok(Request::ChannelCreate {
        channel: fixed("channel", &message.channel)?,
        epoch_key: fixed("epoch_key", &message.epoch_key)?,
        nonce: fixed("nonce", &message.nonce)?,
        signature: fixed("signature", &message.signature)?,
    })
}

fn channel_open(message: &proto::ChannelOpen) -> Result<Request, Fault> {
    Ok(Request::ChannelOpen {
        channel: fixed("channel", &message.channel)?,
        epoch: fixed("epoch", &message.epoch)?,
        signature: fixed("signature", &message.signature)?,
    })
}

fn append(message: proto::Append) -> Result<Request, Fault> {
    let proto::Append { handle, inline, blob, commit, note } = message;
    let (content, operation) = entry::Fields { inline, blob, commit, note }.whole()?;
    Ok(Request::Append { handle: Handle(handle), content, operation })
}

fn channel_read(message: &proto::ChannelRead) -> Result<Request, Fault> {
    Ok(Request::ChannelRead {
        handle: Handle(message.handle),
        epoch: fixed("epoch", &message.epoch)?,
        from: Sequence(message.from_sequence),
        follow: Follow::from_flag(message.follow),
    })
}

fn inbox_create(message: &proto::InboxCreate) -> Result<Request, Fault> {
    Ok(Request::InboxCreate {
        inbox: fixed("inbox", &message.inbox)?,
        owner_key: fixed("owner_key", &message.owner_key)?,
        signature: fixed("signature", &message.signature)?,
    })
}

fn inbox_open(message: &proto::InboxOpen) -> Result<Request, Fault> {
    Ok(Request::InboxOpen {
        inbox: fixed("inbox", &message.inbox)?,
        slot: fixed("slot", &message.slot)?,
        signature: fixed("signature", &message.signature)?,
    })
}

fn inbox_rotate(message: &proto::InboxRotate) -> Result<Request, Fault> {
    Ok(Request::InboxRotate {
        handle: Handle(message.handle),
        next_owner_key: fixed("next_owner_key", &message.next_owner_key)?,
        signature: fixed("signature", &message.signature)?,
    })
}

const fn inbox_read(message: &proto::InboxRead) -> Request {
    Request::InboxRead {
        handle: Handle(message.handle),
        from: Sequence(message.from_sequence),
        follow: Follow::from_flag(message.follow),
    }
}

const fn inbox_advance(message: &proto::InboxAdvance) -> Request {
    Request::InboxAdvance { handle: Handle(message.handle), cursor: Sequence(message.cursor) }
}

fn capability_put(message: proto::CapabilityPut) -> Result<Request, Fault> {
    Ok(Request::CapabilityPut {
        handle: Handle(message.handle),
        capability: fixed("capability", &message.capability)?,
        items_max: Some(message.items_max).filter(|items| *items != 0),
        expires_at: Some(message.expires_at_ms).filter(|time| *time != 0).map(Timestamp),
        card: message.card,
    })
}

fn capability_revoke(message: &proto::CapabilityRevoke) -> Result<Request, Fault> {
    Ok(Request::CapabilityRevoke {
        handle: Handle(message.handle),
        capability: fixed("capability", &message.capability)?,
    })
}

fn slot_drop(message: &proto::SlotDrop) -> Result<Request, Fault> {
    Ok(Request::SlotDrop { handle: Handle(message.handle), slot: fixed("slot", &message.slot)? })
}

fn shelf_put(message: proto::ShelfPut) -> Result<Request, Fault> {
    Ok(Request::ShelfPut {
        handle: Handle(message.handle),
        package: field::content("package", message.package)?,
        kind: PackageKind::from_flag(message.last_resort),
        before: if message.clear { ShelfBefore::Clear } else { ShelfBefore::Keep },
    })
}

fn device_list_put(message: proto::DeviceListPut) -> Result<Request, Fault> {
    Ok(Request::DeviceListPut {
        handle: Handle(message.handle),
        device_list: field::content("device_list", message.device_list)?,
    })
}

fn inbox_send(message: proto::InboxSend) -> Result<Request, Fault> {
    Ok(Request::InboxSend {
        inbox: fixed("inbox", &message.inbox)?,
        secret: fixed("secret", &message.secret)?,
        item: field::content("item", message.item)?,
    })
}

fn card_fetch(message: &proto::CardFetch) -> Result<Request, Fault> {
    Ok(Request::CardFetch {
        inbox: fixed("inbox", &message.inbox)?,
        secret: fixed("secret", &message.secret)?,
    })
}

fn shelf_take(message: &proto::ShelfTake) -> Result<Request, Fault> {
    Ok(Request::ShelfTake {
        inbox: fixed("inbox", &message.inbox)?,
        secret: fixed("secret", &message.secret)?,
        slot: fixed("slot", &message.slot)?,
    })
}

fn blob_create(message: &proto::BlobCreate) -> Result<Request, Fault> {
    Ok(Request::BlobCreate { key: fixed("upload_key", &message.upload_key)?, size: message.size })
}

fn blob_write(message: proto::BlobWrite) -> Result<Request, Fault> {
    Ok(Request::BlobWrite {
        key: fixed("upload_key", &message.upload_key)?,
        offset: message.offset,
        content: field::content("content", message.content)?,
    })
}

fn blob_read(message: &proto::BlobRead) -> Result<Request, Fault> {
    Ok(Request::BlobRead {
        blob: fixed("blob", &message.blob)?,
        offset: message.offset,
        length: message.length,
    })
}
