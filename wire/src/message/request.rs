//! What a client asks.

use bytes::Bytes;

use crate::{
    id::{
        BlobId, CapabilityId, CapabilitySecret, ChannelId, EpochId, InboxId, Nonce, PublicKey,
        Sequence, Signature, SlotId, Timestamp, UploadKey,
    },
    transcript::Operation,
    version::VersionRange,
};

use super::{Content, Follow, Handle, PackageKind, RequestId, ShelfBefore};

/// What a client asks: one frame.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// First frame of a session.
    Hello(Hello),
    /// Asks for a [`super::Answer::Done`]; keeps the session alive.
    Ping,
    /// Ends the reading that this request began.
    Stop(RequestId),
    /// Creates a channel with its first epoch, and opens it there.
    ChannelCreate {
        /// The channel.
        channel: ChannelId,
        /// Public half of the first epoch key.
        epoch_key: PublicKey,
        /// Fresh and random; makes the first epoch id.
        nonce: Nonce,
        /// By the first epoch key, over [`crate::transcript::channel_create`].
        signature: Signature,
    },
    /// Opens a channel at an epoch.
    ChannelOpen {
        /// The channel.
        channel: ChannelId,
        /// The epoch.
        epoch: EpochId,
        /// By the epoch's key, over [`crate::transcript::channel_open`].
        signature: Signature,
    },
    /// Gives up a handle and its readings.
    ChannelClose(Handle),
    /// Adds an entry to the handle's epoch.
    Append {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The sealed bytes.
        content: Content,
        /// A message, or a commit with its mark.
        operation: Operation,
    },
    /// Reads an epoch and what was opened from it without cut.
    ChannelRead {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The handle's epoch, or one that its key reads too.
        epoch: EpochId,
        /// The first place to read.
        from: Sequence,
        /// Whether the reading goes on with what comes later.
        follow: Follow,
    },
    /// Creates an inbox.
    InboxCreate {
        /// The inbox.
        inbox: InboxId,
        /// Public half of its owner key.
        owner_key: PublicKey,
        /// By the owner key, over [`crate::transcript::inbox_create`].
        signature: Signature,
    },
    /// Opens an inbox as one of its owner's devices.
    InboxOpen {
        /// The inbox.
        inbox: InboxId,
        /// The device's slot.
        slot: SlotId,
        /// By the owner key, over [`crate::transcript::inbox_open`].
        signature: Signature,
    },
    /// Replaces the owner key.
    InboxRotate {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// Public half of the next owner key.
        next_owner_key: PublicKey,
        /// By the next owner key, over [`crate::transcript::inbox_rotate`].
        signature: Signature,
    },
    /// Reads items.
    InboxRead {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The first place to read.
        from: Sequence,
        /// Whether the reading goes on with what comes later.
        follow: Follow,
    },
    /// Says that this slot is done with everything before `cursor`.
    InboxAdvance {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The first place that is not settled.
        cursor: Sequence,
    },
    /// Creates or replaces a write capability.
    CapabilityPut {
        /// The opened inbox.
        handle: Handle,
        /// The capability, named by the hash of its secret.
        capability: CapabilityId,
        /// How many items may be written with it; `None`: no such bound.
        items_max: Option<u64>,
        /// When it ends, by the relay's clock; `None`: never.
        expires_at: Option<Timestamp>,
        /// The sealed card, given to who shows the secret; may be empty.
        card: Bytes,
    },
    /// Removes a write capability.
    CapabilityRevoke {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The capability, named by the hash of its secret.
        capability: CapabilityId,
    },
    /// Removes a device's slot: its cursor and its shelf.
    SlotDrop {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The slot; another than the handle's own is allowed.
        slot: SlotId,
    },
    /// Puts a sealed key package on the shelf of the handle's slot.
    ShelfPut {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The sealed key package.
        package: Bytes,
        /// What the package is for.
        kind: PackageKind,
        /// What happens to the packages on the shelf.
        before: ShelfBefore,
    },
    /// Asks what is on the shelf of the handle's slot.
    ShelfStatus(Handle),
    /// Replaces the sealed device list.
    DeviceListPut {
        /// The opened channel epoch or inbox.
        handle: Handle,
        /// The sealed device list.
        device_list: Bytes,
    },
    /// Writes an item to somebody's inbox.
    InboxSend {
        /// The inbox.
        inbox: InboxId,
        /// The secret of a capability.
        secret: CapabilitySecret,
        /// The sealed item.
        item: Bytes,
    },
    /// Fetches the card of a capability, and the device list.
    CardFetch {
        /// The inbox.
        inbox: InboxId,
        /// The secret of a capability.
        secret: CapabilitySecret,
    },
    /// Takes one key package of a device.
    ShelfTake {
        /// The inbox.
        inbox: InboxId,
        /// The secret of a capability.
        secret: CapabilitySecret,
        /// The device's slot.
        slot: SlotId,
    },
    /// Begins a blob, or finds out how much of it is stored.
    BlobCreate {
        /// The key that names the blob and may write it.
        key: UploadKey,
        /// Its whole length, in bytes.
        size: u64,
    },
    /// Adds a chunk where the stored part ends.
    BlobWrite {
        /// The key that names the blob and may write it.
        key: UploadKey,
        /// Where it starts in the blob, in bytes.
        offset: u64,
        /// The bytes.
        content: Bytes,
    },
    /// Asks how much of a blob is stored.
    BlobStat(BlobId),
    /// Reads a range of a complete blob.
    BlobRead {
        /// The blob.
        blob: BlobId,
        /// Where it starts in the blob, in bytes.
        offset: u64,
        /// How much, in bytes.
        length: u64,
    },
    /// Deletes a blob.
    BlobDelete(UploadKey),
}

/// First frame of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What the client speaks.
    pub versions: VersionRange,
    /// Fresh and random.
    pub nonce: Nonce,
    /// Reserved bits; 0 in version 1.
    pub capabilities: u64,
}
