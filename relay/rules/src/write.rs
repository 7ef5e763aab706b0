//! A change to one object, as a session asks for it, and the plan for it: what changes in the store
//! and what it comes to. Planning is pure.

use bytes::Bytes;
use hushwire_wire::{
    id::{
        BlobId, CapabilityId, ChannelId, EntryId, EpochId, InboxId, ItemId, PublicKey, Sequence,
        SlotId, Timestamp,
    },
    limit::Limits,
    message::{Content, PackageKind, ShelfBefore},
    transcript::Operation,
};

use crate::{
    blob::{self, hold::Hold},
    channel, inbox,
    news::News,
    outcome::{Effect, Refused},
    store::{Change, Object, Read},
    waiting::{Asker, WaitingRoom},
};

/// A change that a session asks for. Made by [`crate::Session::handle`] only, which has checked
/// what can be checked without the store: signatures by keys of the request, lengths, handles.
#[derive(Debug)]
pub struct Write(pub(crate) Operand);

impl Write {
    /// The object that it changes.
    pub const fn object(&self) -> Object {
        self.0.object()
    }

    /// About how many bytes it holds in memory, for bounding a queue.
    pub fn weight_bytes(&self) -> usize {
        let content = match &self.0 {
            Operand::Append { content: Content::Inline(bytes), .. }
            | Operand::CapabilityPut { card: bytes, .. }
            | Operand::ShelfPut { package: bytes, .. }
            | Operand::DeviceListPut { device_list: bytes, .. }
            | Operand::InboxSend { content: bytes, .. }
            | Operand::BlobWrite { content: bytes, .. } => bytes.len(),
            _ => 0,
        };
        content.saturating_add(size_of::<Operand>())
    }
}

/// An inbox as a handle has it: open for a slot, with the owner key it was opened by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InboxDoor {
    pub(crate) inbox: InboxId,
    pub(crate) slot: SlotId,
    pub(crate) owner: PublicKey,
}

/// What a write does.
#[derive(Debug)]
pub(crate) enum Operand {
    ChannelCreate {
        channel: ChannelId,
        epoch: EpochId,
        key: PublicKey,
    },
    Append {
        channel: ChannelId,
        epoch: EpochId,
        entry: EntryId,
        content: Content,
        operation: Operation,
        asker: Asker,
    },
    InboxCreate {
        inbox: InboxId,
        owner: PublicKey,
    },
    InboxOpen(InboxDoor),
    InboxRotate {
        door: InboxDoor,
        next_owner: PublicKey,
    },
    InboxAdvance {
        door: InboxDoor,
        cursor: Sequence,
    },
    CapabilityPut {
        door: InboxDoor,
        capability: CapabilityId,
        items_max: Option<u64>,
        expires_at: Option<Timestamp>,
        card: Bytes,
    },
    CapabilityRevoke {
        door: InboxDoor,
        capability: CapabilityId,
    },
    SlotDrop {
        door: InboxDoor,
        slot: SlotId,
    },
    ShelfPut {
        door: InboxDoor,
        package: Bytes,
        kind: PackageKind,
        before: ShelfBefore,
    },
    DeviceListPut {
        door: InboxDoor,
        device_list: Bytes,
    },
    InboxSend {
        inbox: InboxId,
        capability: CapabilityId,
        item: ItemId,
        content: Bytes,
    },
    ShelfTake {
        inbox: InboxId,
        capability: CapabilityId,
        slot: SlotId,
    },
    BlobCreate {
        blob: BlobId,
        size: u64,
    },
    BlobWrite {
        blob: BlobId,
        offset: u64,
        content: Bytes,
    },
    BlobDelete(BlobId),
}

impl Operand {
    const fn object(&self) -> Object {
        match self {
            Self::ChannelCreate { channel, .. } | Self::Append { channel, .. } => {
                Object::Channel(*channel)
            }
            Self::InboxCreate { inbox, .. }
            | Self::InboxSend { inbox, .. }
            | Self::ShelfTake { inbox, .. } => Object::Inbox(*inbox),
            Self::InboxOpen(door)
            | Self::InboxRotate { door, .. }
            | Self::InboxAdvance { door, .. }
            | Self::CapabilityPut { door, .. }
            | Self::CapabilityRevoke { door, .. }
            | Self::SlotDrop { door, .. }
            | Self::ShelfPut { door, .. }
            | Self::DeviceListPut { door, .. } => Object::Inbox(door.inbox),
            Self::BlobCreate { blob, .. }
            | Self::BlobWrite { blob, .. }
            | Self::BlobDelete(blob) => Object::Blob(*blob),
        }
    }
}

/// What a write will do to the store once it is committed.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Changes to the write's object; none if it was done before.
    pub(crate) changes: Vec<Change>,
    /// What it comes to, once everything it rests on is on disk.
    pub(crate) effect: Effect,
    /// Whom it wakes.
    pub(crate) news: Option<News>,
    /// The blob that has to stay with it.
    pub(crate) hold: Option<Hold>,
}

impl Planned {
    /// Changes that wake nobody.
    pub(crate) const fn quiet(changes: Vec<Change>, effect: Effect) -> Self {
        Self { changes, effect, news: None, hold: None }
    }
}

/// What planning may look at.
pub(crate) struct Scene<'a, V: Read> {
    /// The store with everything planned before.
    pub(crate) view: &'a V,
    /// The bounds.
    pub(crate) limits: &'a Limits,
    /// The relay's clock.
    pub(crate) now: Timestamp,
}

/// Plans one write.
pub(crate) fn plan<V: Read>(
    scene: &Scene<'_, V>,
    waiting: &mut WaitingRoom,
    write: &Write,
) -> Result<Planned, Refused> {
    match &write.0 {
        Operand::ChannelCreate { channel, epoch, key } => {
            channel::create::plan(scene, channel, epoch, key)
        }
        Operand::Append { channel, epoch, entry, content, operation, asker } => {
            let append =
                channel::append::Append { channel, epoch, entry, content, operation, asker };
            append.plan(scene, waiting)
        }
        Operand::InboxCreate { inbox, owner } => inbox::owner::plan_create(scene, inbox, owner),
        Operand::InboxOpen(door) => inbox::owner::plan_open(scene, door),
        Operand::InboxRotate { door, next_owner } => {
            inbox::owner::plan_rotate(scene, door, next_owner)
        }
        Operand::InboxAdvance { door, cursor } => inbox::slot::plan_advance(scene, door, *cursor),
        Operand::SlotDrop { door, slot } => inbox::slot::plan_drop(scene, door, slot),
        Operand::CapabilityPut { door, capability, items_max, expires_at, card } => {
            let put = inbox::capability::Put {
                capability,
                items_max: *items_max,
                expires_at: *expires_at,
                card,
            };
            put.plan(scene, door)
        }
        Operand::CapabilityRevoke { door, capability } => {
            inbox::capability::plan_revoke(scene, door, capability)
        }
        Operand::ShelfPut { door, package, kind, before } => {
            inbox::shelf::plan_put(scene, door, package, *kind, *before)
        }
        Operand::ShelfTake { inbox, capability, slot } => {
            inbox::shelf::plan_take(scene, inbox, capability, slot)
        }
        Operand::DeviceListPut { door, device_list } => {
            inbox::owner::plan_device_list(scene, door, device_list)
        }
        Operand::InboxSend { inbox, capability, item, content } => {
            inbox::send::plan(scene, inbox, capability, item, content)
        }
        Operand::BlobCreate { blob, size } => blob::upload::plan_create(scene, blob, *size),
        Operand::BlobWrite { blob, offset, content } => {
            blob::upload::plan_write(scene, blob, *offset, content)
        }
        Operand::BlobDelete(blob) => blob::upload::plan_delete(scene, blob),
    }
}
