//! What is kept of an epoch that this device left, while its members may still part there.

use hushwire_protocol::group::{LeafIndex, Rank, Role, Unsaid, VerifiedStatement};
use hushwire_wire::id::{EntryId, EpochId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Record, WishNumber, id};
use crate::store::Table;

/// What a member noted in an epoch: the candidate that it applied.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct StatementRecord {
    #[serde(with = "id")]
    pub(crate) candidate: EntryId,
    pub(crate) leaf: u32,
    /// Its role then, by the number of the protocol.
    pub(crate) role: u8,
}

impl From<VerifiedStatement> for StatementRecord {
    fn from(said: VerifiedStatement) -> Self {
        let Rank { role, leaf } = said.rank;
        Self { candidate: said.candidate, leaf: leaf.0, role: role as u8 }
    }
}

impl From<StatementRecord> for VerifiedStatement {
    fn from(record: StatementRecord) -> Self {
        let role = match record.role {
            0 => Role::Member,
            1 => Role::Admin,
            _ => Role::Owner,
        };
        let rank = Rank { role, leaf: LeafIndex(record.leaf) };
        Self { candidate: record.candidate, rank }
    }
}

/// How this device left an epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LeftRecord {
    /// By which candidate.
    #[serde(with = "id")]
    pub(crate) applied: EntryId,
    /// Whose epoch it was: SHA-256 of the roster's row.
    #[serde(with = "serde_bytes")]
    pub(crate) roster: Vec<u8>,
    /// The leaves that the candidate removed.
    pub(crate) removed: Vec<u32>,
    /// This device's leaf there.
    pub(crate) own_leaf: u32,
    /// When it left, by its own clock.
    pub(crate) left_ms: u64,
    /// None: not yet, or by a build that did not count.
    #[serde(default)]
    pub(crate) watch: Option<Watch>,
    pub(crate) saying: Saying,
    /// This device was added again, and did not apply that itself.
    #[serde(default)]
    pub(crate) came_back: bool,
    /// Whether others follow another candidate, as far as was read.
    pub(crate) doubt: Option<Doubt>,
    /// When this device last looked there, and when somebody last asked to be added again.
    pub(crate) looked_ms: u64,
    pub(crate) asked_ms: u64,
}

impl LeftRecord {
    /// An epoch that is left now, by a candidate that removed nobody; nothing is said there yet.
    pub(crate) const fn silent(
        applied: EntryId,
        roster: Vec<u8>,
        own_leaf: LeafIndex,
        now: Timestamp,
    ) -> Self {
        Self {
            applied,
            roster,
            removed: Vec::new(),
            own_leaf: own_leaf.0,
            left_ms: now.0,
            watch: None,
            saying: Saying::Silent,
            came_back: false,
            doubt: None,
            looked_ms: 0,
            asked_ms: 0,
        }
    }

    /// The same, once this device goes on where others applied this candidate: its own word is no other
    /// than before, and it removed nobody by it (spec: CLI-198).
    pub(crate) fn following(applied: EntryId, left: Self) -> Self {
        let (removed, saying) = (Vec::new(), Saying::Done);
        Self { applied, removed, saying, came_back: true, doubt: None, ..left }
    }

    /// What this device's word is there, as long as it noted none (spec: GRP-123).
    pub(crate) const fn unsaid(&self) -> Unsaid {
        if self.came_back { Unsaid::Nothing } else { Unsaid::Applied }
    }

    /// For how long it was watched.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.unwrap_or(Watch { counted_ms: 0, until_ms: self.left_ms })
    }
}

/// For how long an epoch was watched, up to the last look (spec: CLI-190).
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// In all, without what lies between two looks beyond a bound.
    pub(crate) counted_ms: u64,
    /// When that was counted.
    pub(crate) until_ms: u64,
}

/// Another candidate is followed, unless somebody above says otherwise until then.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Doubt {
    #[serde(with = "id")]
    pub(crate) followed: EntryId,
    /// Until when it waits for them; once it has said that it leaves, for that to be read.
    pub(crate) until_ms: u64,
    /// What tells those whom this device invited that it leaves; none: it has not come to that.
    #[serde(default)]
    pub(crate) said: Option<WishNumber>,
}

/// Whether this device says which candidate it applied.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Saying {
    /// Nobody doubts it.
    Silent,
    /// At this time, unless others have said so.
    Planned { at_ms: u64 },
    /// These bytes are on their way.
    Sealed { envelope: serde_bytes::ByteBuf },
    /// It is noted, or others did it.
    Done,
    /// The epoch has no room for notes any more.
    NoRoom,
}

/// The members of an epoch that this device left. Key: `fork roster `, channel, SHA-256 of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct PastRosterRecord {
    #[serde(with = "serde_bytes")]
    pub(crate) members: Vec<u8>,
}

impl Record for PastRosterRecord {
    const TABLE: Table = Table::Profile;
}

/// This device went on behind a commit that others may have applied, and no other member was seen to
/// have gone on with it.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Unsettled {
    /// The epoch where they may have parted.
    #[serde(with = "id")]
    pub(crate) epoch: EpochId,
    pub(crate) since_ms: u64,
    pub(crate) caution: Caution,
    pub(crate) search: Search,
    pub(crate) arrival: Arrival,
}

/// What an unsettled device does.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Caution {
    /// It seals nothing.
    Waits,
    /// It makes itself heard, for nobody can note anything any more.
    Speaks,
}

/// How an unsettled device looks for the others.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Search {
    /// It waits for their word.
    Hears,
    /// It asks them to add it again too.
    Asks,
}

/// Whether an unsettled device came while those who were there before still watch the epoch.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Arrival {
    /// They do.
    InTime,
    /// They may have stopped: whose word is missing may not be away.
    Late,
}

/// From where a device asks to be added again, as the one sees it that answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AskedFrom {
    /// From an epoch in which that one is, or which it watches.
    Here,
    /// From another one; or a build before wrote the row.
    #[default]
    Elsewhere,
}
