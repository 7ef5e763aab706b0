//! A client's frame, as the client writes it.

use bytes::Bytes;

use crate::{
    id::{
        CapabilityId, CapabilitySecret, ChannelId, EpochId, InboxId, Nonce, PublicKey, Sequence,
        Signature, SlotId, Timestamp, UploadKey,
    },
    message::{Content, Follow, Handle, Hello, PackageKind, Request, ShelfBefore},
    transcript,
};

use super::{
    RequestFrame, entry,
    proto::{self, to_relay::Operation},
    with_prefix,
};

/// Writes a client's frame, with its length prefix.
///
/// The bytes are as secret as the request: some requests carry a bearer secret. A frame above the
/// relay's bound is written all the same, and refused there.
pub fn encode_request(frame: &RequestFrame) -> Bytes {
    with_prefix(&proto::ToRelay {
        request: frame.id.0,
        admission_token: Bytes::new(),
        flags: 0,
        operation: Some(operation(&frame.request)),
    })
}

fn operation(request: &Request) -> Operation {
    match request {
        Request::Hello(message) => hello(message),
        Request::Ping => Operation::Ping(proto::Ping {}),
        Request::Stop(reading) => Operation::Stop(proto::Stop { reading: reading.0 }),
        Request::ChannelCreate { channel, epoch_key, nonce, signature } => {
            channel_create(channel, epoch_key, nonce, signature)
        }
        Request::ChannelOpen { channel, epoch, signature } => {
            channel_open(channel, epoch, signature)
        }
        Request::ChannelClose(handle) => {
            Operation::ChannelClose(proto::ChannelClose { handle: handle.0 })
        }
        Request::Append { handle, content, operation } => append(*handle, content, operation),
        Request::ChannelRead { handle, epoch, from, follow } => {
            channel_read(*handle, epoch, *from, *follow)
        }
        Request::InboxCreate { inbox, owner_key, signature } => {
            inbox_create(inbox, owner_key, signature)
        }
        Request::InboxOpen { inbox, slot, signature } => inbox_open(inbox, slot, signature),
        Request::InboxRotate { handle, next_owner_key, signature } => {
            inbox_rotate(*handle, next_owner_key, signature)
        }
        Request::InboxRead { handle, from, follow } => inbox_read(*handle, *from, *follow),
        Request::InboxAdvance { handle, cursor } => inbox_advance(*handle, *cursor),
        Request::CapabilityPut { handle, capability, items_max, expires_at, card } => {
            capability_put(*handle, capability, *items_max, *expires_at, card)
        }
        Request::CapabilityRevoke { handle, capability } => capability_revoke(*handle, capability),
        Request::SlotDrop { handle, slot } => slot_drop(*handle, slot),
        Request::ShelfPut { handle, package, kind, before } => {
            shelf_put(*handle, package, *kind, *before)
        }
        Request::ShelfStatus(handle) => {
            Operation::ShelfStatus(proto::ShelfStatus { handle: handle.0 })
        }
        Request::DeviceListPut { handle, device_list } => device_list_put(*handle, device_list),
        Request::InboxSend { inbox, secret, item } => inbox_send(inbox, secret, item),
        Request::CardFetch { inbox, secret } => card_fetch(inbox, secret),
        Request::ShelfTake { inbox, secret, slot } => shelf_take(inbox, secret, slot),
        Request::BlobCreate { key, size } => blob_create(key, *size),
        Request::BlobWrite { key, offset, content } => blob_write(key, *offset, content),
        Request::BlobStat(blob) => Operation::BlobStat(proto::BlobStat { blob: blob.to_field() }),
        Request::BlobRead { blob, offset, length } => Operation::BlobRead(proto::BlobRead {
            blob: blob.to_field(),
            offset: *offset,
            length: *length,
        }),
        Request::BlobDelete(key) => blob_delete(key),
    }
}

fn hello(hello: &Hello) -> Operation {
    Operation::Hello(proto::Hello {
        version_min: hello.versions.min,
        version_max: hello.versions.max,
        nonce: hello.nonce.to_field(),
        capabilities: hello.capabilities,
    })
}

fn channel_create(
    channel: &ChannelId,
    epoch_key: &PublicKey,
    nonce: &Nonce,
    signature: &Signature,
) -> Operation {
    Operation::ChannelCreate(proto::ChannelCreate {
        channel: channel.to_field(),
        epoch_key: epoch_key.to_field(),
        nonce: nonce.to_field(),
        signature: signature.to_field(),
    })
}

fn channel_open(channel: &ChannelId, epoch: &EpochId, signature: &Signature) -> Operation {
    Operation::ChannelOpen(proto::ChannelOpen {
        channel: channel.to_field(),
        epoch: epoch.to_field(),
        signature: signature.to_field(),
    })
}

fn append(handle: Handle, content: &Content, operation: &transcript::Operation) -> Operation {
    Operation::Append(proto::Append {
        handle: handle.0,
        inline: entry::inline_field(content),
        blob: entry::blob_field(content),
        commit: entry::commit_field(operation),
        note: entry::note_field(operation),
    })
}

fn channel_read(handle: Handle, epoch: &EpochId, from: Sequence, follow: Follow) -> Operation {
    Operation::ChannelRead(proto::ChannelRead {
        handle: handle.0,
        epoch: epoch.to_field(),
        from_sequence: from.0,
        follow: follow.to_flag(),
    })
}

fn inbox_create(inbox: &InboxId, owner_key: &PublicKey, signature: &Signature) -> Operation {
    Operation::InboxCreate(proto::InboxCreate {
        inbox: inbox.to_field(),
        owner_key: owner_key.to_field(),
        signature: signature.to_field(),
    })
}

fn inbox_open(inbox: &InboxId, slot: &SlotId, signature: &Signature) -> Operation {
    Operation::InboxOpen(proto::InboxOpen {
        inbox: inbox.to_field(),
        slot: slot.to_field(),
        signature: signature.to_field(),
    })
}

fn inbox_rotate(handle: Handle, next_owner_key: &PublicKey, signature: &Signature) -> Operation {
    Operation::InboxRotate(proto::InboxRotate {
        handle: handle.0,
        next_owner_key: next_owner_key.to_field(),
        signature: signature.to_field(),
    })
}

const fn inbox_read(handle: Handle, from: Sequence, follow: Follow) -> Operation {
    Operation::InboxRead(proto::InboxRead {
        handle: handle.0,
        from_sequence: from.0,
        follow: follow.to_flag(),
    })
}

const fn inbox_advance(handle: Handle, cursor: Sequence) -> Operation {
    Operation::InboxAdvance(proto::InboxAdvance { handle: handle.0, cursor: cursor.0 })
}

fn capability_put(
    handle: Handle,
    capability: &CapabilityId,
    items_max: Option<u64>,
    expires_at: Option<Timestamp>,
    card: &Bytes,
) -> Operation {
    Operation::CapabilityPut(proto::CapabilityPut {
        handle: handle.0,
        capability: capability.to_field(),
        items_max: items_max.unwrap_or(0),
        expires_at_ms: expires_at.map_or(0, |time| time.0),
        card: card.clone(),
    })
}

fn capability_revoke(handle: Handle, capability: &CapabilityId) -> Operation {
    Operation::CapabilityRevoke(proto::CapabilityRevoke {
        handle: handle.0,
        capability: capability.to_field(),
    })
}

fn slot_drop(handle: Handle, slot: &SlotId) -> Operation {
    Operation::SlotDrop(proto::SlotDrop { handle: handle.0, slot: slot.to_field() })
}

fn shelf_put(handle: Handle, package: &Bytes, kind: PackageKind, before: ShelfBefore) -> Operation {
    Operation::ShelfPut(proto::ShelfPut {
        handle: handle.0,
        package: package.clone(),
        last_resort: kind.to_flag(),
        clear: before == ShelfBefore::Clear,
    })
}

fn device_list_put(handle: Handle, device_list: &Bytes) -> Operation {
    Operation::DeviceListPut(proto::DeviceListPut {
        handle: handle.0,
        device_list: device_list.clone(),
    })
}

fn inbox_send(inbox: &InboxId, secret: &CapabilitySecret, item: &Bytes) -> Operation {
    Operation::InboxSend(proto::InboxSend {
        inbox: inbox.to_field(),
        secret: secret_field(secret.expose()),
        item: item.clone(),
    })
}

fn card_fetch(inbox: &InboxId, secret: &CapabilitySecret) -> Operation {
    Operation::CardFetch(proto::CardFetch {
        inbox: inbox.to_field(),
        secret: secret_field(secret.expose()),
    })
}

fn shelf_take(inbox: &InboxId, secret: &CapabilitySecret, slot: &SlotId) -> Operation {
    Operation::ShelfTake(proto::ShelfTake {
        inbox: inbox.to_field(),
        secret: secret_field(secret.expose()),
        slot: slot.to_field(),
    })
}

fn blob_create(key: &UploadKey, size: u64) -> Operation {
    Operation::BlobCreate(proto::BlobCreate { upload_key: secret_field(key.expose()), size })
}

fn blob_write(key: &UploadKey, offset: u64, content: &Bytes) -> Operation {
    Operation::BlobWrite(proto::BlobWrite {
        upload_key: secret_field(key.expose()),
        offset,
        content: content.clone(),
    })
}

fn blob_delete(key: &UploadKey) -> Operation {
    Operation::BlobDelete(proto::BlobDelete { upload_key: secret_field(key.expose()) })
}

/// A bearer secret on its way into a frame, which carries it in the clear inside TLS.
fn secret_field(secret: &[u8; 32]) -> Bytes {
    Bytes::copy_from_slice(secret)
}
