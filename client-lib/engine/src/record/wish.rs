//! Durable wishes: what this device will go on trying to do until it is done or cannot be.

use hushwire_protocol::{
    content::MessageId,
    identity::{DeviceId, Fingerprint},
};
use hushwire_wire::id::{CapabilityId, ChannelId, EpochId, InboxId, SlotId};
use serde::{Deserialize, Serialize};

use super::{AskedFrom, ChangeRecord, Record, SecretBytes, id};
use crate::{
    command::{ChatNumber, MessageNumber, Pinned},
    invitations::Terms,
    store::Table,
};

/// The place of a wish in the order of wishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct WishNumber(pub(crate) u64);

/// A wish with its state. Key: number.
#[derive(Serialize, Deserialize)]
pub(crate) struct WishRecord {
    pub(crate) wish: Wish,
}

impl Record for WishRecord {
    const TABLE: Table = Table::Wish;
}

/// What is wished. Each is settled by the relay's answer or by what is read from the log.
#[derive(Serialize, Deserialize)]
pub(crate) enum Wish {
    /// The channel exists at its relay.
    CreateChannel {
        #[serde(with = "id")]
        channel: ChannelId,
        /// The nonce of the first epoch.
        nonce: SecretBytes,
    },
    /// This content is in the group's log.
    SendContent {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "serde_bytes")]
        content: Vec<u8>,
        /// The message a person sees, if it is one.
        message: Option<Shown>,
    },
    /// The others know that these messages are here.
    SendReceipts {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id::each")]
        messages: Vec<MessageId>,
        not_before_ms: u64,
    },
    /// A contact with all devices is in the group. It gathers what that takes; `CommitAdditions` adds.
    AddPerson {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        person: Fingerprint,
        packages: Packages,
    },
    /// The agreed state and the members of the group are so.
    ChangeGroup {
        #[serde(with = "id")]
        channel: ChannelId,
        change: ChangeRecord,
    },
    /// A message is pinned, or is not.
    Pin {
        #[serde(with = "id")]
        channel: ChannelId,
        /// The control entry that says so.
        #[serde(with = "serde_bytes")]
        content: Vec<u8>,
        shown: Shown,
        pinned: Pinned,
    },
    /// A device of this identity is in the group. It gathers as `AddPerson` does.
    AddDevice {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        device: DeviceId,
        packages: Packages,
    },
    /// All whose key packages were gathered are in the group.
    CommitAdditions {
        #[serde(with = "id")]
        channel: ChannelId,
        /// At most so many of their wishes at once: fewer while one is looked for that the group's
        /// rules refuse.
        most: u32,
    },
    /// The snapshot of a group is at its relay, and those whom a commit added are told of it.
    ShareSnapshot(Box<SharedSnapshot>),
    /// This device is in a group that it was invited to, and of which the snapshot is in a blob.
    JoinGroup {
        #[serde(with = "id")]
        channel: ChannelId,
        relay: String,
        /// The credential of the device that invited.
        #[serde(with = "serde_bytes")]
        sender: Vec<u8>,
        /// What it wrote.
        content: SecretBytes,
        /// How often the relay did not give the snapshot.
        tries: u8,
        /// Whether what it leads on from was read to its end since it came (spec: CLI-187).
        #[serde(default)]
        read: bool,
        /// Until when it is kept, should it have to wait for something else; none, or zero, in a row of
        /// a build before.
        #[serde(default)]
        until_ms: Option<u64>,
    },
    /// A device of this identity is not in the group.
    RemoveDevice {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        device: DeviceId,
    },
    /// This device is not in the group any more.
    Leave {
        #[serde(with = "id")]
        channel: ChannelId,
    },
    /// A member that asked to leave is not in the group any more.
    CommitLeave {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        epoch: EpochId,
        #[serde(with = "serde_bytes")]
        proposal: Vec<u8>,
        not_before_ms: u64,
    },
    /// Invalid candidates are answered by one of ours.
    Contest {
        #[serde(with = "id")]
        channel: ChannelId,
    },
    /// This identity has asked to be let into the group behind a link.
    AskToJoin {
        chat: ChatNumber,
        /// Its door.
        #[serde(with = "id")]
        inbox: InboxId,
        /// The sealed request: however often it is sent, it is one item; empty until the card of the
        /// link has come.
        #[serde(with = "serde_bytes")]
        request: Vec<u8>,
    },
    /// Somebody who asked by an open link is in the group, or about to be.
    Admit {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        person: Fingerprint,
        not_before_ms: u64,
    },
    /// The keys of the group's door are such that nobody knows them who is out.
    RotateDoor {
        #[serde(with = "id")]
        channel: ChannelId,
        not_before_ms: u64,
    },
    /// The relay knows a link of the group, with its card.
    PutDoorLink {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        capability: CapabilityId,
    },
    /// The relay takes nothing more by a link of the group.
    RevokeDoorLink {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        capability: CapabilityId,
    },
    /// The group is not in this epoch any more: messages stand there in this device's name that its
    /// store did not make.
    LeaveEpoch {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        epoch: EpochId,
    },
    /// A group is read to its end: what leads on from there waits for that (spec: IDN-078, CLI-187).
    #[serde(alias = "ReadOwnGroup")]
    ReadGroup {
        #[serde(with = "id")]
        channel: ChannelId,
    },
    /// The person is told of a successor, unless the group before was read by then (spec: CLI-188).
    TellSuccessor {
        chat: ChatNumber,
        #[serde(with = "id")]
        by: Fingerprint,
        not_before_ms: u64,
    },
    /// This device goes on in a group where it cannot by itself.
    Rejoin {
        #[serde(with = "id")]
        channel: ChannelId,
        /// Rounds of requests so far.
        rounds: u32,
        next_ms: u64,
        /// Who was asked lately.
        #[serde(with = "id::list")]
        asked: Vec<Fingerprint>,
        /// Wishes with the requests of the last round.
        items: Vec<WishNumber>,
    },
    /// A device that asked for it is in the group anew.
    Readmit {
        #[serde(with = "id")]
        channel: ChannelId,
        #[serde(with = "id")]
        person: Fingerprint,
        #[serde(with = "id")]
        device: DeviceId,
        /// The mark of its leaf when it asked, if it had one.
        leaf: Option<serde_bytes::ByteArray<32>>,
        /// Its key package, and the device list that names it once that was fetched.
        packages: Packages,
        not_before_ms: u64,
        /// Where it was when it asked.
        #[serde(default)]
        from: AskedFrom,
    },
    /// Who reads a group knows where it goes on.
    OfferSuccessor {
        #[serde(with = "id")]
        before: ChannelId,
        /// The new group's.
        #[serde(with = "id")]
        channel: ChannelId,
        /// The wish with the message that says so.
        said: Option<WishNumber>,
        /// The epoch where it was noted.
        noted: Option<serde_bytes::ByteArray<32>>,
    },
    /// This device's leaf has new keys.
    RefreshLeaf {
        #[serde(with = "id")]
        channel: ChannelId,
        cause: Cause,
    },
    /// The person behind a link is a contact, with a direct chat.
    ReachContact {
        link: SecretBytes,
        chat: ChatNumber,
        /// The group that they are to come into.
        #[serde(with = "id::option", default)]
        channel: Option<ChannelId>,
        packages: Packages,
        /// The opened card, once it was fetched.
        card: Option<SecretBytes>,
    },
    /// An item is in somebody's inbox.
    SendItem {
        relay: String,
        #[serde(with = "id")]
        inbox: InboxId,
        secret: SecretBytes,
        #[serde(with = "serde_bytes")]
        item: Vec<u8>,
        /// The group that it invites to.
        #[serde(with = "id::option")]
        invites: Option<ChannelId>,
        /// For whom it is, to seal it again when their inbox has other keys.
        #[serde(default)]
        letter: Option<UnsealedItem>,
    },
    /// The capability, with its card, is at this identity's inbox.
    PutCapability {
        secret: SecretBytes,
        /// For a link: its number, for its state and its card key.
        link: Option<u64>,
    },
    /// The capability is not at this identity's inbox.
    RevokeCapability {
        #[serde(with = "id")]
        capability: CapabilityId,
    },
    /// The device list at the inbox is the current one.
    PutDeviceList,
    /// The file of a message is at the relay; then its message is sent.
    Upload { transfer: u64 },
    /// The file of a message is here.
    Download { transfer: u64 },
    /// The inbox has the owner key that its record names as the next one.
    RotateInbox,
    /// A device has no place in the inbox.
    DropSlot {
        #[serde(with = "id")]
        slot: SlotId,
    },
}

/// A snapshot on its way to its relay, and who waits for it. The bytes are parts of an upload.
#[derive(Serialize, Deserialize)]
pub(crate) struct SharedSnapshot {
    pub(crate) terms: Terms,
    pub(crate) upload: SecretBytes,
    /// What opens the blob.
    pub(crate) seal: SecretBytes,
    /// Length of the blob.
    pub(crate) size: u64,
    pub(crate) invitees: Vec<Invitee>,
}

/// A device that a commit added, and what only it may have.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Invitee {
    /// Whose it is.
    #[serde(with = "id")]
    pub(crate) person: Fingerprint,
    /// Its part of the Welcome.
    #[serde(with = "serde_bytes")]
    pub(crate) secrets: Vec<u8>,
}

/// Why a leaf gets new keys.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// They are old: any commit of this device will do.
    Age,
    /// A person asked, for somebody may have read them: it takes a commit that was made afterwards.
    Person,
}

/// An item before it was sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct UnsealedItem {
    #[serde(with = "id")]
    pub(crate) person: Fingerprint,
    pub(crate) content: SecretBytes,
    /// How often the inbox refused it.
    pub(crate) refusals: u8,
}

/// The message that a wish will get out.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) chat: ChatNumber,
    pub(crate) message: MessageNumber,
}

/// Key packages that were gathered for an addition.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Packages {
    /// Slots of which a package is still needed.
    #[serde(with = "id::each")]
    pub(crate) missing: Vec<SlotId>,
    /// Whether `missing` was filled from the device list.
    pub(crate) listed: bool,
    /// Opened key packages.
    pub(crate) taken: Vec<serde_bytes::ByteBuf>,
    /// The verified device list that they have to stand in.
    pub(crate) device_list: serde_bytes::ByteBuf,
    /// How often the person's inbox refused to give them, or gave what proves nothing.
    #[serde(default)]
    pub(crate) refusals: u8,
}

impl Packages {
    /// Whether nothing is missing of what it takes to add them.
    pub(crate) const fn are_complete(&self) -> bool {
        self.listed && self.missing.is_empty()
    }
}
