//! What happened: a gap-free, durable list that an app reads by number.
//!
//! Events are stored in the same transaction as the change they report, so an app that keeps the
//! number of the last event it handled misses none and sees none twice (spec: CLI-020). They name
//! what changed; the app asks for the content. Progress of transfers is not an event: it is read
//! with the message.

use serde::{Deserialize, Serialize};

use crate::command::{
    ChatNumber, ContactNumber, FailureReason, LinkNumber, MessageNumber, RequestNumber, SecretText,
    StuckCause,
};

/// The place of an event; the first is 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EventNumber(pub u64);

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedEvent {
    /// Its place.
    pub number: EventNumber,
    /// When this device noted it, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A message came, or was written on another device of this identity.
    MessageAdded {
        /// Where.
        chat: ChatNumber,
        /// Which.
        message: MessageNumber,
    },
    /// A message got further, or failed.
    MessageStateChanged {
        /// Where.
        chat: ChatNumber,
        /// Which.
        message: MessageNumber,
    },
    /// A chat appeared.
    ChatAdded(ChatNumber),
    /// A chat's name, members or state changed.
    ChatChanged(ChatNumber),
    /// The relay went on contradicting what it had signed of a chat: what it has now is read anew, and
    /// counts. What this device wrote there and the relay lost goes out again.
    HistoryReadAnew(ChatNumber),
    /// A message that was added just now mentions everybody.
    EverybodyMentioned {
        /// Where.
        chat: ChatNumber,
        /// Which.
        message: MessageNumber,
    },
    /// A message was pinned, for all in the chat.
    MessagePinned {
        /// Where.
        chat: ChatNumber,
        /// Which.
        message: MessageNumber,
        /// Who did it, fingerprint in hex.
        by: String,
    },
    /// A message is not pinned any more.
    MessageUnpinned {
        /// Where.
        chat: ChatNumber,
        /// Which.
        message: MessageNumber,
        /// Who did it, fingerprint in hex.
        by: String,
    },
    /// What a group had agreed on is another by now.
    GroupChanged {
        /// Where.
        chat: ChatNumber,
        /// Who did it, fingerprint in hex.
        by: String,
        /// What of it.
        changed: Vec<GroupPart>,
        /// Whose roles changed, fingerprints in hex.
        members: Vec<String>,
    },
    /// An owner ended a group, for all and for ever.
    GroupDissolved {
        /// Where.
        chat: ChatNumber,
        /// Who did it, fingerprint in hex.
        by: String,
    },
    /// People were added to a group.
    MembersAdded {
        /// Where.
        chat: ChatNumber,
        /// Who, fingerprints in hex.
        members: Vec<String>,
    },
    /// People left or were removed.
    MembersRemoved {
        /// Where.
        chat: ChatNumber,
        /// Who, fingerprints in hex.
        members: Vec<String>,
    },
    /// This identity was removed from a group.
    RemovedFromChat(ChatNumber),
    /// This device cannot go on in a group by itself; it asks to be added again.
    GroupStuck {
        /// Where; none: in the group of this identity's own devices.
        chat: Option<ChatNumber>,
        /// Why.
        cause: StuckCause,
    },
    /// This device went on behind a commit that it could not follow and others perhaps did: it seals
    /// nothing there until another member is known to be with it (spec: CLI-191).
    GroupUnsettled {
        /// Where; none: in the group of this identity's own devices.
        chat: Option<ChatNumber>,
    },
    /// Another member is with this device: what waited goes out.
    GroupSettled {
        /// Where; none: in the group of this identity's own devices.
        chat: Option<ChatNumber>,
    },
    /// This device was added again to a group in which it could not go on. What was said there between
    /// these times cannot be read here (spec: CLI-163).
    GroupRejoined {
        /// Where; none: in the group of this identity's own devices.
        chat: Option<ChatNumber>,
        /// When the last was said that was read here, as far as it is known; milliseconds since the
        /// Unix epoch.
        from_ms: u64,
        /// When it came back.
        to_ms: u64,
    },
    /// Nobody has added this device again so far, or it was needed too often; a person can ask once
    /// more.
    RejoinGivenUp {
        /// Where; none: in the group of this identity's own devices.
        chat: Option<ChatNumber>,
    },
    /// A device of a member asks to be added again, and a person has to say so: they should ask the
    /// member.
    ReadmissionAsked {
        /// Where.
        chat: ChatNumber,
        /// Who, fingerprint in hex.
        member: String,
    },
    /// A device of a member was added again.
    MemberReadmitted {
        /// Where.
        chat: ChatNumber,
        /// Who, fingerprint in hex.
        member: String,
    },
    /// A contact appeared.
    ContactAdded(ContactNumber),
    /// A contact's name or devices changed.
    ContactChanged(ContactNumber),
    /// Adding a contact failed.
    ContactFailed {
        /// The chat that was to be.
        chat: ChatNumber,
        /// Why.
        reason: FailureReason,
    },
    /// Somebody who was to be added to a group will not be.
    AdditionFailed {
        /// Where.
        chat: ChatNumber,
        /// Who, a fingerprint in hex.
        member: String,
        /// Why.
        reason: FailureReason,
    },
    /// Another wish about a group (add a device, remove, change, pin, leave) will not happen.
    GroupChangeFailed {
        /// Where.
        chat: ChatNumber,
        /// Why.
        reason: FailureReason,
    },
    /// A link's state changed.
    LinkChanged(LinkNumber),
    /// Links of a group came, changed or were revoked.
    GroupLinksChanged(ChatNumber),
    /// Somebody asks to be let into a group, and a member has to answer.
    JoinRequested {
        /// Which group.
        chat: ChatNumber,
        /// Which request.
        request: RequestNumber,
    },
    /// Requests to be let into a group were answered, here or elsewhere.
    JoinRequestsChanged(ChatNumber),
    /// A group goes on in another one, by the word of an owner or admin, in the same chat.
    GroupSucceeded {
        /// Which chat.
        chat: ChatNumber,
        /// Who formed it, fingerprint in hex.
        by: String,
    },
    /// An admin has formed a group anew: the person is to say whether this device goes along
    /// (spec: CLI-200).
    SuccessorOffered {
        /// Which chat.
        chat: ChatNumber,
        /// Who formed it, fingerprint in hex.
        by: String,
    },
    /// A group that this identity asked to be let into does not.
    JoinFailed {
        /// Which.
        chat: ChatNumber,
        /// Why.
        reason: FailureReason,
    },
    /// A file is complete, or will not be.
    TransferEnded {
        /// Where.
        chat: ChatNumber,
        /// Which message.
        message: MessageNumber,
    },
    /// While linking: the code to compare with the one on the other device.
    DeviceCompare {
        /// Six digits.
        code: SecretText,
    },
    /// Linking is over.
    DeviceLinked,
    /// Linking failed.
    DeviceLinkFailed(FailureReason),
    /// A device of this identity was added or revoked.
    DevicesChanged,
    /// The group of this identity's devices led nowhere any more, and one of them has formed it anew; all
    /// come along by themselves (spec: IDN-077).
    OwnGroupFormedAnew,
    /// This device was revoked: it is out of everything.
    ThisDeviceRevoked,
    /// Everything that a refresh was asked for has new keys.
    KeysRefreshed,
    /// Something is wrong that a person should know.
    Warning(Warning),
}

/// Something that the members of a group agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GroupPart {
    /// Its name.
    Name,
    /// What it is about.
    Description,
    /// Its picture.
    Picture,
    /// Who may do what.
    Rights,
    /// Who is owner or admin.
    Roles,
}

/// Something is wrong that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Warning {
    /// The relay at this address showed another key than the pinned one.
    RelayKeyMismatch {
        /// Its address.
        relay: String,
    },
    /// The relay shows less than it had acknowledged.
    RelayRolledBack {
        /// In which chat it was noticed.
        chat: ChatNumber,
    },
    /// A member saw another history than this device, or the relay contradicts what it signed.
    HistoryDiffers {
        /// Where.
        chat: ChatNumber,
    },
    /// An entry could not be read: garbage, or from somebody who is no member.
    EntryRejected {
        /// Where.
        chat: ChatNumber,
        /// A stable code.
        code: String,
    },
    /// A commit broke the rules and was not applied.
    CommitRejected {
        /// Where.
        chat: ChatNumber,
        /// A stable code.
        code: String,
    },
    /// A member noted two different commits as the one it went on by.
    MemberContradicts {
        /// Where.
        chat: ChatNumber,
    },
    /// Who invited this device left the branch of a parted group in which it is, and will invite it again;
    /// others may not read what is written here.
    InviterLeft {
        /// Where.
        chat: ChatNumber,
    },
    /// A commit in this device's name that it did not make: its keys are in other hands, or its
    /// store is an old copy.
    OwnCommitUnknown {
        /// Where.
        chat: ChatNumber,
    },
    /// The relay no longer keeps what this device missed; it must be added to the chat again.
    MissedTooMuch {
        /// Where.
        chat: ChatNumber,
    },
    /// This device's store is an old copy: its inbox's relay was told of more than it knows. What is
    /// missing cannot be got back here (spec: CLI-165).
    StoreIsOld,
    /// Own devices name more devices together than an identity may have, so there is no list of all of
    /// them: each keeps its own until one is revoked (spec: CLI-149).
    TooManyDevices,
    /// A chat, or an invitation, goes by rules that this program does not know: nothing is lost, and it
    /// goes on once the program is newer (spec: CLI-173, CLI-174).
    NewerRules {
        /// Which; none for an invitation, and for the group of this identity's devices.
        chat: Option<ChatNumber>,
    },
    /// The relay shows less of this identity's inbox than this device had read there: it was put back
    /// to an old copy. What comes from here on is read all the same (spec: CLI-095).
    InboxRolledBack {
        /// Its address.
        relay: String,
    },
    /// The relay said what none says that keeps the rules; the session with it was ended.
    RelayFault {
        /// Its address.
        relay: String,
        /// What it said.
        fault: RelayFault,
    },
    /// The clock of this device and that of its inbox's relay are more than a day apart: one of them
    /// is wrong (spec: CLI-141).
    ClockDiffers {
        /// The relay's address.
        relay: String,
    },
    /// The epoch of a chat has as many commits as it takes, and this device could apply none: the group
    /// cannot go on there, and an owner or admin can form it anew (spec: CLI-206).
    EpochFull {
        /// Which.
        chat: ChatNumber,
    },
    /// The relay does not let this device open its identity's inbox.
    InboxDenied {
        /// Its address.
        relay: String,
    },
    /// The relay lets nobody open the door of a group by the keys that its members know: somebody who
    /// knew them has changed them there. The links of the group lead nowhere any more.
    DoorDenied {
        /// Which group.
        chat: ChatNumber,
    },
    /// An inbox item, or an invitation that was kept, could not be used: it does not open, proves nothing,
    /// or something stored that it needs is damaged. Or (`ITEM_NOT_SENT`) an inbox has refused one of this
    /// identity's for good.
    ItemRejected {
        /// A stable code.
        code: String,
    },
    /// Somebody's invitation, or card, was not followed.
    InvitationRefused {
        /// Why.
        reason: InvitationRefusal,
    },
}

/// What a relay said that none says that keeps the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RelayFault {
    /// An inbox item at a place where none can be (spec: CLI-094).
    ItemOutOfPlace,
    /// An answer of another kind than what was asked (spec: CLI-096).
    AnswerNotExpected,
    /// A receipt for an item that it did not sign, or of another item (spec: CLI-096).
    ReceiptNotValid,
}

/// Why an invitation to a group, or a contact's card, was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum InvitationRefusal {
    /// The sender is no contact.
    NotAContact,
    /// The sending device is none of its person's, as far as this device knows them.
    DeviceNotKnown,
    /// The sender was no member of the chat as this device last knew it.
    NotAMember,
    /// The chat is at another relay than the one named, or a direct one at neither side's.
    OtherRelay,
    /// The chat is of another kind than the one named.
    OtherPurpose,
    /// An owner has dissolved the chat: nothing opens it again.
    Dissolved,
    /// The card is of another person than its sender.
    CardOfAnother,
    /// The group's snapshot is longer than this device takes.
    SnapshotTooLarge,
    /// The relay does not have the group's snapshot, or does not give it.
    SnapshotGone,
    /// The relay gives another snapshot than the invitation names.
    SnapshotNotGenuine,
    /// The direct chat with the sender has as many groups as it may have.
    TooManyGroups,
    /// It would bring one more relay than this device connects to.
    TooManyRelays,
    /// An admin has formed the group anew, and the person has not followed; or the word is over by which
    /// this device asked there.
    NotFollowed,
    /// The group goes on elsewhere, by the word of somebody above.
    Outranked,
}

impl InvitationRefusal {
    /// Whether the reason may pass when more is known of the sender (spec: LNK-047, LNK-058).
    pub(crate) const fn may_pass(self) -> bool {
        matches!(self, Self::NotAContact | Self::DeviceNotKnown | Self::NotFollowed)
    }

    /// The name that the specification gives it (spec: LNK-048).
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAContact => "NOT_A_CONTACT",
            Self::DeviceNotKnown => "DEVICE_NOT_KNOWN",
            Self::NotAMember => "NOT_A_MEMBER",
            Self::OtherRelay => "OTHER_RELAY",
            Self::OtherPurpose => "OTHER_PURPOSE",
            Self::Dissolved => "DISSOLVED",
            Self::CardOfAnother => "CARD_OF_ANOTHER",
            Self::SnapshotTooLarge => "SNAPSHOT_TOO_LARGE",
            Self::NotFollowed => "NOT_FOLLOWED",
            Self::Outranked => "OUTRANKED",
            Self::SnapshotGone => "SNAPSHOT_GONE",
            Self::SnapshotNotGenuine => "SNAPSHOT_NOT_GENUINE",
            Self::TooManyGroups => "TOO_MANY_GROUPS",
            Self::TooManyRelays => "TOO_MANY_RELAYS",
        }
    }
}
