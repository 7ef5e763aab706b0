//! The row of an invitation that waits.

use hushwire_protocol::identity::Fingerprint;
use hushwire_wire::id::{CapabilityId, ChannelId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    command::ChatNumber,
    record::{Record, SecretBytes, id},
    store::{StoreError, Table},
    work::Work,
};

/// How long one is kept, in milliseconds: 30 days.
pub(super) const HELD_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
pub(crate) const PREFIX: &[u8] = b"held ";

/// An invitation that waits. Key: `held `, place of its item in the inbox; of one that waits for what is
/// not read, `held `, channel that it leads to, signature key of its sender.
#[derive(Serialize, Deserialize)]
pub(crate) struct HeldRecord {
    #[serde(with = "serde_bytes")]
    pub(crate) sender: Vec<u8>,
    pub(crate) content: SecretBytes,
    /// What it came by; none in a row of a build before.
    #[serde(with = "id::option", default)]
    pub(crate) capability: Option<CapabilityId>,
    /// When it is not kept any more; zero in a row of a build before.
    #[serde(default)]
    pub(crate) until_ms: u64,
    /// What is read to its end before it is followed; none: it waits for something else, or a build
    /// before wrote it, and it is judged again (spec: CLI-133).
    #[serde(default)]
    pub(crate) reading: Option<Reading>,
}

/// What an invitation waits for that another group may speak against.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// The group that is read.
    #[serde(with = "id")]
    pub(crate) channel: ChannelId,
    /// By whose word it leads a chat on, if it does.
    pub(crate) word: Option<Word>,
    pub(crate) stage: Stage,
}

/// Somebody's word that a chat goes on in another group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Word {
    pub(crate) chat: ChatNumber,
    #[serde(with = "id")]
    pub(crate) by: Fingerprint,
}

/// How far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It was looked at, and has to wait.
    Unread,
    /// Something speaks for it by now: it is looked at again.
    Released,
    /// The group was read to its end since it came, and says what it says.
    Read,
}

impl Record for HeldRecord {
    const TABLE: Table = Table::Profile;
}

/// Until when one that comes now is kept.
pub(crate) fn until(work: &Work<'_>) -> Timestamp {
    work.now.plus_ms(HELD_LIFE_MS)
}

/// Until when one is kept that may have waited before: no longer for that (spec: LNK-066, CLI-187).
pub(crate) fn until_of(work: &Work<'_>, before_ms: Option<u64>) -> u64 {
    let latest_ms = until(work).0;
    // Zero stood for none in a build before.
    before_ms.filter(|before_ms| *before_ms > 0).unwrap_or(latest_ms).min(latest_ms)
}

/// Whether one more is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Made,
    None,
}

/// Forgets an invitation that waits.
pub(crate) fn forget_held(work: &Work<'_>, key: &[u8]) -> Result<(), StoreError> {
    work.tx.remove(Table::Profile, key);
    Ok(())
}
