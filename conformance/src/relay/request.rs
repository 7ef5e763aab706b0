//! A step of a script, as the request that it makes.

use std::collections::BTreeMap;

use hushwire_wire::{
    id::{CapabilitySecret, EntryId, Sequence, Timestamp, UploadKey},
    message::{
        BlobReference, Content, Follow, Handle, Hello, PackageKind, Request, RequestId, ShelfBefore,
    },
    transcript::{CommitMark, Cut, Operation},
    version::VersionRange,
};

use crate::input::Input;

/// The request of a step; a handle that was never opened is number 0, which no relay gives out.
pub(super) fn request(step: Input<'_>, handles: &BTreeMap<String, Handle>) -> Request {
    let handle = || handles.get(step.text("handle")).copied().unwrap_or(Handle(0));
    match step.text("op") {
        "hello" => Request::Hello(hello(step)),
        "ping" => Request::Ping,
        "stop" => Request::Stop(RequestId(step.integer("reading"))),
        "channel_close" => Request::ChannelClose(handle()),
        "channel_create" => Request::ChannelCreate {
            channel: step.id("channel"),
            epoch_key: step.id("epoch_key"),
            nonce: step.id("nonce"),
            signature: step.id("signature"),
        },
        "channel_open" => Request::ChannelOpen {
            channel: step.id("channel"),
            epoch: step.id("epoch"),
            signature: step.id("signature"),
        },
        "append" => {
            Request::Append { handle: handle(), content: content(step), operation: operation(step) }
        }
        "channel_read" => Request::ChannelRead {
            handle: handle(),
            epoch: step.id("epoch"),
            from: Sequence(step.integer("from_sequence")),
            follow: follow(step),
        },
        "blob_create" => Request::BlobCreate { key: upload(step), size: step.integer("size") },
        "blob_write" => Request::BlobWrite {
            key: upload(step),
            offset: step.integer("offset"),
            content: step.bytes("content").into(),
        },
        "blob_stat" => Request::BlobStat(step.id("blob")),
        "blob_read" => Request::BlobRead {
            blob: step.id("blob"),
            offset: step.integer("offset"),
            length: step.integer("length"),
        },
        "blob_delete" => Request::BlobDelete(upload(step)),
        _ => of_inbox(step, handle),
    }
}

fn of_inbox(step: Input<'_>, handle: impl Fn() -> Handle) -> Request {
    match step.text("op") {
        "inbox_create" => Request::InboxCreate {
            inbox: step.id("inbox"),
            owner_key: step.id("owner_key"),
            signature: step.id("signature"),
        },
        "inbox_open" => Request::InboxOpen {
            inbox: step.id("inbox"),
            slot: step.id("slot"),
            signature: step.id("signature"),
        },
        "inbox_rotate" => Request::InboxRotate {
            handle: handle(),
            next_owner_key: step.id("next_owner_key"),
            signature: step.id("signature"),
        },
        "inbox_read" => Request::InboxRead {
            handle: handle(),
            from: Sequence(step.integer("from_sequence")),
            follow: follow(step),
        },
        "inbox_advance" => {
            Request::InboxAdvance { handle: handle(), cursor: Sequence(step.integer("cursor")) }
        }
        "capability_put" => Request::CapabilityPut {
            handle: handle(),
            capability: step.id("capability"),
            items_max: Some(step.integer("items_max")).filter(|items_max| *items_max > 0),
            expires_at: Some(step.integer("expires_at_ms")).filter(|time| *time > 0).map(Timestamp),
            card: step.bytes("card").into(),
        },
        "capability_revoke" => {
            Request::CapabilityRevoke { handle: handle(), capability: step.id("capability") }
        }
        "slot_drop" => Request::SlotDrop { handle: handle(), slot: step.id("slot") },
        "shelf_put" => Request::ShelfPut {
            handle: handle(),
            package: step.bytes("package").into(),
            kind: if flag(step, "last_resort") {
                PackageKind::LastResort
            } else {
                PackageKind::Single
            },
            before: if flag(step, "clear") { ShelfBefore::Clear } else { ShelfBefore::Keep },
        },
        "shelf_status" => Request::ShelfStatus(handle()),
        "shelf_take" => Request::ShelfTake {
            inbox: step.id("inbox"),
            secret: secret(step),
            slot: step.id("slot"),
        },
        "device_list_put" => Request::DeviceListPut {
            handle: handle(),
            device_list: step.bytes("device_list").into(),
        },
        "inbox_send" => Request::InboxSend {
            inbox: step.id("inbox"),
            secret: secret(step),
            item: step.bytes("item").into(),
        },
        "card_fetch" => Request::CardFetch { inbox: step.id("inbox"), secret: secret(step) },
        other => panic!("no operation {other}"),
    }
}

fn hello(step: Input<'_>) -> Hello {
    let version = |name| u32::try_from(step.integer(name)).expect("a u32");
    Hello {
        versions: VersionRange { min: version("version_min"), max: version("version_max") },
        nonce: step.id("nonce"),
        capabilities: 0,
    }
}

fn follow(step: Input<'_>) -> Follow {
    if step.has("follow") { Follow::Onward } else { Follow::UntilEnd }
}

fn content(step: Input<'_>) -> Content {
    if step.has("inline") {
        return Content::Inline(step.bytes("inline").into());
    }
    let blob = Input(step.field("blob"));
    Content::Blob(BlobReference {
        blob: blob.id("blob"),
        content_hash: blob.id("content_hash"),
        size: blob.integer("size"),
    })
}

fn operation(step: Input<'_>) -> Operation {
    if step.has("note") {
        return Operation::Note;
    }
    if !step.has("commit") {
        return Operation::Message;
    }
    let commit = Input(step.field("commit"));
    let contested = commit.list("contested");
    Operation::Commit(CommitMark {
        next_key: commit.id("next_key"),
        cut: if flag(commit, "cut") { Cut::Cut } else { Cut::Through },
        contested: contested
            .iter()
            .map(|entry| EntryId::from_slice(entry).expect("an entry id"))
            .collect(),
    })
}

fn upload(step: Input<'_>) -> UploadKey {
    UploadKey::from_slice(&step.bytes("upload_key")).expect("an upload key")
}

fn secret(step: Input<'_>) -> CapabilitySecret {
    CapabilitySecret::from_slice(&step.bytes("secret")).expect("a secret")
}

fn flag(step: Input<'_>, name: &str) -> bool {
    step.field(name).as_bool().expect("true or false")
}
