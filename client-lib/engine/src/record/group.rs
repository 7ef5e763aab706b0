//! Groups and their epochs.

use hushwire_protocol::{epoch::EpochKeys, group::RuleVersion, identity::Fingerprint};
use hushwire_wire::id::{ChainHead, ChannelId, EntryId, EpochId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Caution, LeftRecord, Record, Search, SecretBytes, StatementRecord, Unsettled, id};
use crate::{
    command::{ChatNumber, ContactNumber, StuckCause},
    store::{StoreError, Table},
};

/// A group this device is or was in. Key: channel id.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) relay: String,
    pub(crate) purpose: PurposeRecord,
    pub(crate) state: GroupState,
    /// The epoch whose log this device reads and writes.
    #[serde(with = "id")]
    pub(crate) epoch: EpochId,
    pub(crate) contest: Option<Contest>,
    /// Whether there is somebody to read: for a direct chat, once the other side is in.
    pub(crate) opened: bool,
    /// When this device opened its current epoch.
    pub(crate) epoch_since_ms: u64,
    /// Whose devices were in it when this device went out; only they may invite it again.
    #[serde(with = "id::list", default)]
    pub(crate) last_roster: Vec<Fingerprint>,
    /// Who invited this device, if that was another identity.
    #[serde(with = "id::option", default)]
    pub(crate) invited_by: Option<Fingerprint>,
    /// How this device last came in, when it was not in; none: it made the group, or a build before wrote the row.
    #[serde(default)]
    pub(crate) entered: Option<Entered>,
    /// When `entered.by` said that it leaves the branch in which this device is: it is led (spec: CLI-185).
    #[serde(default)]
    pub(crate) inviter_left_ms: Option<u64>,
    /// Why this device cannot go on, if it cannot.
    #[serde(default)]
    pub(crate) stuck: Option<StuckRecord>,
    /// When it came back lately, by being added again.
    #[serde(default)]
    pub(crate) rejoined_ms: Vec<u64>,
    /// Whose word of where it goes on the person follows (spec: CLI-200); none in a row of a build
    /// before: they are asked again (spec: CLI-133).
    #[serde(default, with = "id::option")]
    pub(crate) follows: Option<Fingerprint>,
    /// The successor that the person followed, which a word from the future needs (spec: CLI-210).
    #[serde(default, with = "id::option")]
    pub(crate) follows_to: Option<ChannelId>,
    /// The rules that a program has to know to go on here.
    #[serde(default)]
    pub(crate) rules: u16,
    /// When this device's leaf gets new keys; none in a row of a build before.
    #[serde(default)]
    pub(crate) refresh: Option<Refresh>,
    /// Whether this device waits for another member's word before it goes on.
    #[serde(default)]
    pub(crate) unsettled: Option<Unsettled>,
}

impl GroupRecord {
    /// Whether nothing is sealed here, for the members may have parted (spec: CLI-191).
    pub(crate) fn waits_for_others(&self) -> bool {
        self.unsettled.is_some_and(|unsettled| unsettled.caution == Caution::Waits)
    }

    /// Whether this device asks to be added again, and reads on beside (spec: CLI-196).
    pub(crate) fn asks_beside(&self) -> bool {
        self.unsettled.is_some_and(|unsettled| unsettled.search == Search::Asks)
    }

    /// Whether the group goes by rules that a program which knows these does not know.
    pub(crate) const fn is_held(&self, supported: RuleVersion) -> bool {
        self.rules > supported.0
    }
}

/// By whose invitation a device came into a group.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Entered {
    #[serde(with = "id")]
    pub(crate) by: Fingerprint,
    pub(crate) at_ms: u64,
}

/// When the keys of this device's leaf are replaced.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Refresh {
    pub(crate) at_ms: u64,
    /// The longest that the wait could have been when it was drawn.
    pub(crate) span_ms: u64,
    /// Since when they are the same.
    pub(crate) since_ms: u64,
    pub(crate) stage: Refreshing,
}

/// How the time of a refresh came about.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refreshing {
    /// It was drawn when the leaf was new.
    Scheduled,
    /// That time was missed, and another one drawn.
    Late,
}

/// Why, and since when, a device cannot go on in a group.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StuckRecord {
    pub(crate) cause: StuckCause,
    pub(crate) since_ms: u64,
}

impl Record for GroupRecord {
    const TABLE: Table = Table::Group;
}

impl GroupRecord {
    /// The row of a group that this device is in from now on, as if nothing had happened there.
    pub(crate) fn begun(
        now: Timestamp,
        relay: &str,
        purpose: PurposeRecord,
        epoch: EpochId,
        rules: RuleVersion,
    ) -> Self {
        Self {
            relay: relay.to_owned(),
            purpose,
            state: GroupState::Member,
            epoch,
            contest: None,
            opened: true,
            epoch_since_ms: now.0,
            last_roster: Vec::new(),
            invited_by: None,
            entered: None,
            inviter_left_ms: None,
            stuck: None,
            rejoined_ms: Vec::new(),
            follows: None,
            follows_to: None,
            rules: rules.0,
            refresh: None,
            unsettled: None,
        }
    }
}

/// What a group is for, on this device.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PurposeRecord {
    /// A direct chat with a contact.
    Direct { chat: ChatNumber, contact: ContactNumber },
    /// A group chat.
    Group { chat: ChatNumber },
    /// A group chat that goes on in another group since then; milliseconds since the Unix epoch.
    Former { chat: ChatNumber, since_ms: u64 },
    /// The devices of this identity.
    OwnDevices,
}

impl PurposeRecord {
    /// The chat that this group carries.
    pub(crate) const fn chat(self) -> Option<ChatNumber> {
        match self {
            Self::Direct { chat, .. } | Self::Group { chat } => Some(chat),
            Self::Former { .. } | Self::OwnDevices => None,
        }
    }

    /// Whether the chat of this group goes on in another one.
    pub(crate) const fn is_former(self) -> bool {
        matches!(self, Self::Former { .. })
    }

    /// The chat in which what is said here is shown.
    pub(crate) const fn shown_in(self) -> Option<ChatNumber> {
        match self {
            Self::Former { chat, .. } => Some(chat),
            other => other.chat(),
        }
    }
}

/// How this device stands in a group.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GroupState {
    /// The channel is not yet on the relay.
    Creating,
    /// A member.
    Member,
    /// Asked to leave; a member will remove us.
    Leaving,
    /// Left or removed.
    Out,
    /// Cannot go on without help.
    Stuck,
}

impl GroupState {
    /// Whether this device is in the group, or is about to be out by its own wish.
    pub(crate) const fn is_in(self) -> bool {
        match self {
            Self::Creating | Self::Member | Self::Leaving => true,
            Self::Out | Self::Stuck => false,
        }
    }
}

/// Why, and when, this device will contest the candidates of its epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Contest {
    pub(crate) at_ms: u64,
    /// The candidate that was found invalid.
    #[serde(with = "id")]
    pub(crate) candidate: EntryId,
    /// Why, by the code of a report.
    pub(crate) code: u16,
}

/// An epoch of a channel: its keys and how far its log was read. Key: channel id, epoch id.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct EpochRecord {
    pub(crate) keys: SecretBytes,
    pub(crate) next: u64,
    #[serde(with = "id")]
    pub(crate) head: ChainHead,
    /// Commits of this epoch, in relay order, with what this device thinks of them.
    pub(crate) candidates: Vec<CandidateRecord>,
    /// How many entries the relay has signed for, at least: by a receipt for an entry of this device, or
    /// at the end of a reading.
    pub(crate) acknowledged: u64,
    /// The furthest place that the relay has signed for, until the log is read anew (spec: CLI-215).
    #[serde(default)]
    pub(crate) receipt: Option<ReceiptRecord>,
    /// The place in front of which the log is as the relay signed it (spec: CLI-176). It can be ahead
    /// of `next`.
    #[serde(default)]
    pub(crate) sure: u64,
    /// Whether the log is read again from its beginning, and its end has not come yet (spec: CLI-177).
    #[serde(default)]
    pub(crate) anew: bool,
    /// When the relay stored the last entry that was read, by its clock; 0: none was.
    #[serde(default)]
    pub(crate) read_ms: u64,
    /// Whether a message stands there in this device's name that its store did not make: keys of this
    /// epoch may be used up that it takes for fresh.
    #[serde(default)]
    pub(crate) copied: bool,
    /// What members noted here, one word of each leaf.
    #[serde(default)]
    pub(crate) statements: Vec<StatementRecord>,
    /// How this device left it, while it is watched.
    #[serde(default)]
    pub(crate) left: Option<LeftRecord>,
}

impl Record for EpochRecord {
    const TABLE: Table = Table::Epoch;
}

impl EpochRecord {
    /// Notes what the relay signed: a receipt for an entry of this device, or the end of the epoch.
    pub(crate) fn note_receipt(&mut self, receipt: ReceiptRecord) {
        self.acknowledged = self.acknowledged.max(receipt.next);
        if self.receipt.is_none_or(|known| known.next < receipt.next) {
            self.receipt = Some(receipt);
        }
    }

    /// The epoch's keys.
    pub(crate) fn keys(&self) -> Result<EpochKeys, StoreError> {
        let bytes = self.keys.array().map(zeroize::Zeroizing::new);
        Ok(EpochKeys::from_secret_bytes(&*bytes.ok_or(StoreError::Damaged)?))
    }

    /// Ids of the commits of this epoch, in relay order.
    pub(crate) fn candidate_ids(&self) -> Vec<EntryId> {
        self.candidates.iter().map(|known| known.entry).collect()
    }
}

/// What a relay signed of a log: how far it goes at least, as the place behind that, and the head there.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ReceiptRecord {
    pub(crate) next: u64,
    #[serde(with = "id")]
    pub(crate) head: ChainHead,
}

/// A commit of an epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CandidateRecord {
    #[serde(with = "id")]
    pub(crate) entry: EntryId,
    pub(crate) verdict: Verdict,
    /// When the relay stored it, by the relay's clock.
    #[serde(default)]
    pub(crate) stored_ms: u64,
}

/// What this device thinks of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// Applied.
    Applied,
    /// Breaks the rules.
    Invalid,
    /// Breaks the rules for this device; others may find it valid (spec: GRP-122).
    Disputed,
    /// In this device's name, but not made here: cannot be judged.
    Unjudged,
    /// Came after a valid one.
    Late,
}

impl Verdict {
    /// Whether this device refused it, and may offer another one in its place.
    pub(crate) const fn is_refusal(self) -> bool {
        matches!(self, Self::Invalid | Self::Disputed)
    }
}

/// Sealed bytes on their way to a channel. Key: wish number.
#[derive(Serialize, Deserialize)]
pub(crate) struct SealedRecord {
    #[serde(with = "id")]
    pub(crate) channel: ChannelId,
    #[serde(with = "id")]
    pub(crate) epoch: EpochId,
    #[serde(with = "id")]
    pub(crate) entry: EntryId,
    #[serde(with = "serde_bytes")]
    pub(crate) envelope: Vec<u8>,
    /// For a commit: the pending commit's fields, as the group code writes them.
    pub(crate) commit: Option<SecretBytes>,
    /// Key of the upload, if the envelope is too large for a frame.
    pub(crate) upload: SecretBytes,
    /// Builds of store version 1 called it an intent (spec: CLI-133).
    #[serde(alias = "intent")]
    pub(crate) wish: u64,
}

impl Record for SealedRecord {
    const TABLE: Table = Table::Sealed;
}
