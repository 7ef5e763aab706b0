//! Somebody's word of where a group goes on: its row, what it weighs, and for how long it counts.

use hushwire_protocol::{
    address::RelayAddress,
    group::{Group, Role},
    identity::Fingerprint,
    succession::{Successor, SuccessorOffer, SuccessorRank},
};
use hushwire_wire::id::{ChannelId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    clock, groups, joining, log,
    record::{GroupRecord, GroupState, Record, SecretBytes, id},
    session::CLOCK_OFF_MS,
    store::{StoreError, Table},
    work::Work,
};

/// How long a successor has to have been followed until another one of the same role does not take its
/// place any more, in milliseconds: a day.
const SETTLE_MS: u64 = 24 * 60 * 60 * 1000;

/// Where a group goes on, by the word of the most weight. Key: `successor `, channel of the group.
#[derive(Serialize, Deserialize)]
pub(super) struct SuccessionRecord {
    /// The offer, with the link; none where an invitation came first.
    pub(super) offer: Option<SecretBytes>,
    pub(super) role: u8,
    #[serde(with = "id")]
    pub(super) identity: Fingerprint,
    pub(super) made_at_ms: u64,
    #[serde(with = "id")]
    pub(super) channel: ChannelId,
    pub(super) stage: Stage,
    /// When this was noted.
    pub(super) since_ms: u64,
    /// Whom it leaves out (spec: GRP-145).
    #[serde(with = "id::each", default)]
    pub(super) left_out: Vec<Fingerprint>,
    /// Who was in the group where it was said, if it was read there; whoever comes into that group later
    /// was not (spec: LNK-109).
    #[serde(with = "id::each::option", default)]
    pub(super) roster: Option<Vec<Fingerprint>>,
    /// This device was there before it knew the group that it takes the place of: whoever has a say in that
    /// one, and perhaps not in the new one, moves its chat no further (spec: CLI-219).
    #[serde(default)]
    pub(super) was_there: bool,
}

impl Record for SuccessionRecord {
    const TABLE: Table = Table::Profile;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Offered,
    Asking,
    Followed,
}

impl SuccessionRecord {
    pub(super) fn new(
        work: &Work<'_>,
        rank: SuccessorRank,
        said: &Successor,
        offer: Option<SecretBytes>,
        stage: Stage,
    ) -> Self {
        Self {
            offer,
            role: rank.role as u8,
            identity: rank.identity,
            made_at_ms: rank.made_at.0,
            channel: rank.channel,
            stage,
            since_ms: work.now.0,
            left_out: said.left_out.clone(),
            roster: None,
            was_there: false,
        }
    }

    pub(super) fn with_roster(mut self, people: &[Fingerprint]) -> Self {
        self.roster = Some(people.to_vec());
        self
    }

    /// Whether this word leaves out whose rank that is. Nobody leaves out who is above them
    /// (spec: GRP-144).
    pub(super) fn leaves_out(&self, rank: &SuccessorRank) -> bool {
        self.left_out.contains(&rank.identity) && rank.role as u8 <= self.role
    }

    pub(super) fn rank(&self) -> Result<SuccessorRank, StoreError> {
        Ok(SuccessorRank {
            role: Role::of(self.role).map_err(|_| StoreError::Damaged)?,
            identity: self.identity,
            made_at: Timestamp(self.made_at_ms),
            channel: self.channel,
        })
    }

    /// Whether this word counts more than another one. One from the future, which this device does not
    /// follow, keeps none of the same identity from being followed (spec: CLI-210).
    pub(super) fn is_above(
        &self,
        rank: &SuccessorRank,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let own = self.rank()?;
        let ahead = is_ahead(own.made_at, now);
        if self.stage != Stage::Followed
            && own.identity == rank.identity
            && ahead != is_ahead(rank.made_at, now)
        {
            return Ok(!ahead);
        }
        Ok(own > *rank)
    }

    pub(super) fn offer(&self) -> Result<Option<SuccessorOffer>, StoreError> {
        let Some(bytes) = &self.offer else { return Ok(None) };
        SuccessorOffer::from_bytes(bytes.expose()).map(Some).map_err(|_| StoreError::Damaged)
    }
}

/// Whether a word was said at a time that has not come (spec: CLI-210).
pub(super) fn is_ahead(made_at: Timestamp, now: Timestamp) -> bool {
    made_at > now.plus_ms(CLOCK_OFF_MS)
}

pub(super) const PREFIX: &[u8] = b"successor ";

fn key(before: &ChannelId) -> Vec<u8> {
    [PREFIX, before.as_bytes()].concat()
}

pub(super) fn load(
    work: &Work<'_>,
    before: &ChannelId,
) -> Result<Option<SuccessionRecord>, StoreError> {
    work.tx.load(&key(before))
}

pub(super) fn save(
    work: &Work<'_>,
    before: &ChannelId,
    record: &SuccessionRecord,
) -> Result<(), StoreError> {
    work.tx.save(&key(before), record)
}

/// What a successor of this group weighs; nothing, if nobody said it who could (spec: GRP-142).
pub(super) fn rank_of(
    before: Option<&Group>,
    successor: &Successor,
) -> Result<Option<SuccessorRank>, StoreError> {
    // Where the state of the group is lost, nobody's word can be judged.
    let Some(group) = before else { return Ok(None) };
    let members = group.members().map_err(log::store_error)?;
    let by = members.iter().find(|leaf| leaf.credential.signature_key() == successor.key);
    Ok(by.filter(|leaf| leaf.role >= Role::Admin).map(|leaf| SuccessorRank {
        role: leaf.role,
        identity: leaf.identity(),
        made_at: successor.made_at,
        channel: successor.channel,
    }))
}

/// Whether a word is followed wherever it is read: what an own device does is this person's word.
pub(super) fn wants_no_word(work: &Work<'_>, rank: &SuccessorRank) -> Result<bool, StoreError> {
    let own = work.identity()?.is_some_and(|me| me.fingerprint() == rank.identity);
    Ok(own || rank.role == Role::Owner)
}

/// Whether a word is followed without a person's: an owner can do anything to a group anyhow; an admin
/// is followed where this device has no other way on (spec: CLI-200, CLI-210).
pub(super) fn may_follow(
    work: &Work<'_>,
    before: &ChannelId,
    group: &GroupRecord,
    rank: &SuccessorRank,
    relay: &RelayAddress,
) -> Result<bool, StoreError> {
    let told = group.follows == Some(rank.identity);
    // A clock is wrong: by such a word nobody can put the last one.
    if is_ahead(rank.made_at, work.now) {
        return Ok(told && group.follows_to == Some(rank.channel));
    }
    let follows = wants_no_word(work, rank)?
        || group.state == GroupState::Stuck
        || log::is_full(work, before, &group.epoch)?;
    let here = follows && joining::has_relay_room(work, &relay.to_string())?;
    Ok(here || told)
}

/// What is known of where a group goes on, as far as it still counts: a word that nobody has followed
/// yet is over when its key is out of the group, or who gave it has lost the role; where they have a
/// higher one it counts by that (spec: GRP-142).
pub(super) fn counting(
    work: &Work<'_>,
    before: &ChannelId,
    group: Option<&Group>,
) -> Result<Option<SuccessionRecord>, StoreError> {
    let Some(known) = load(work, before)? else { return Ok(None) };
    as_of_now(known, group)
}

/// A word as it counts now, if it still does.
pub(super) fn as_of_now(
    mut known: SuccessionRecord,
    group: Option<&Group>,
) -> Result<Option<SuccessionRecord>, StoreError> {
    if !counts(&known, group)? {
        return Ok(None);
    }
    if let Some(group) = group.filter(|_| known.stage != Stage::Followed) {
        known.role = group.state().role(&known.identity) as u8;
    }
    Ok(Some(known))
}

/// Whether a word still counts in the group where it was said: the key that signed it is there, and the
/// identity has no lower role than when it was read.
pub(super) fn counts(known: &SuccessionRecord, group: Option<&Group>) -> Result<bool, StoreError> {
    // Where the state of the group is lost, nothing can be said against it.
    let Some(group) = group.filter(|_| known.stage != Stage::Followed) else { return Ok(true) };
    let key = known.offer()?.map(|offer| offer.successor.key);
    let here = groups::members_of(group)?.iter().any(|leaf| {
        let signed = key.is_none_or(|key| leaf.credential.signature_key() == key);
        leaf.identity() == known.identity && signed
    });
    Ok(here && group.state().role(&known.identity) as u8 >= known.role)
}

/// Whether a device that has followed a successor stays there, though another one ranks higher: who is
/// left out does not undo that, and after a while nobody of the same role does (spec: GRP-144).
pub(super) fn stays(work: &Work<'_>, known: &SuccessionRecord, rank: &SuccessorRank) -> bool {
    if known.was_there {
        return true;
    }
    if known.stage != Stage::Followed || known.identity == rank.identity {
        return false;
    }
    let until = Timestamp(known.since_ms).plus_ms(SETTLE_MS);
    let settled = known.role == rank.role as u8 && clock::is_over(work.now, until.0, SETTLE_MS);
    settled || known.leaves_out(rank)
}

#[cfg(test)]
mod tests;
