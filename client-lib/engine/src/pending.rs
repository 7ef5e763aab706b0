//! What a request was for, so that its answer finds its place.

use hushwire_protocol::attachment::ChunkIndex;
use hushwire_wire::{
    id::{ChannelId, EpochId, InboxId, PublicKey},
    message::ShelfBefore,
};

use crate::{
    engine::WatchKey,
    record::{TransferNumber, WishNumber},
    shelf::PackageNumber,
};

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// The first frame.
    Hello,
    /// Open a channel at an epoch.
    OpenChannel { channel: ChannelId, epoch: EpochId },
    /// A reading of a channel, begun with the key of `base`.
    ReadChannel { channel: ChannelId, base: EpochId },
    /// A large entry, fetched whole before it is handled.
    FetchEntry { channel: ChannelId },
    /// A look into an epoch that was left.
    Watch(WatchKey),
    /// Open the own inbox, by this owner key.
    OpenInbox { owner_key: PublicKey },
    /// Create the own inbox.
    CreateInbox,
    /// The reading of the own inbox.
    ReadInbox,
    /// How far this device has got in the own inbox.
    AdvanceInbox,
    /// Create the place where two devices meet.
    CreateRendezvous,
    /// Open it.
    OpenRendezvous,
    /// Let the other device write to it.
    AdmitToRendezvous,
    /// The reading of it.
    ReadRendezvous,
    /// The last step of clearing it away.
    ClearRendezvous,
    /// Create the door of a group.
    CreateDoor { channel: ChannelId },
    /// Open it.
    OpenDoor { channel: ChannelId },
    /// Its owner key is the present one.
    ReplaceDoorKeys { channel: ChannelId },
    /// A reading of it.
    ReadDoor { channel: ChannelId, inbox: InboxId },
    /// How far the group has got there.
    AdvanceDoor { channel: ChannelId },
    /// What is on this device's shelf.
    ShelfStatus,
    /// A key package was put on the shelf.
    ShelfPut { package: PackageNumber, before: ShelfBefore },
    /// A step of a durable wish.
    Wish { wish: WishNumber },
    /// A group's snapshot, fetched whole before it is used.
    FetchSnapshot { wish: WishNumber },
    /// A chunk of a file.
    Chunk { wish: WishNumber, transfer: TransferNumber, chunk: ChunkIndex },
    /// Nothing depends on the answer.
    Nothing,
}
