//! The members of the epochs that this device left, each set of them stored once.

use std::collections::BTreeSet;

use hushwire_protocol::group::{LeafIndex, PastRoster, Rank};
use hushwire_wire::{id::ChannelId, transcript};

use super::watching;
use crate::{
    log,
    record::{LeftRecord, PastRosterRecord},
    store::{Order, Range, StoreError, Table},
    work::Work,
};

const PREFIX: &[u8] = b"fork roster ";

fn key(channel: &ChannelId, hash: &[u8]) -> Vec<u8> {
    [PREFIX, channel.as_bytes(), hash].concat()
}

/// Who was in an epoch that this device left.
pub(super) fn load(
    work: &Work<'_>,
    channel: &ChannelId,
    left: &LeftRecord,
) -> Result<PastRoster, StoreError> {
    let row = work.tx.load::<PastRosterRecord>(&key(channel, &left.roster))?;
    PastRoster::from_bytes(&row.ok_or(StoreError::Damaged)?.members)
        .map_err(|_| StoreError::Damaged)
}

/// What this device's word weighed in an epoch that it left.
pub(super) fn own_rank(roster: &PastRoster, left: &LeftRecord) -> Result<Rank, StoreError> {
    let own = roster.at(LeafIndex(left.own_leaf)).ok_or(StoreError::Damaged)?;
    Ok(own.rank)
}

/// The leaves of an epoch that this device left whose devices are not in the group any more, as it knows
/// it (spec: GRP-124).
pub(super) fn gone_since(
    work: &mut Work<'_>,
    channel: &ChannelId,
    roster: &PastRoster,
) -> Result<Vec<LeafIndex>, StoreError> {
    let group = log::load_group(work, channel)?;
    let now = PastRoster::of(&group).map_err(log::store_error)?;
    let keys: BTreeSet<&[u8]> =
        now.members().iter().map(|member| member.signature_key.as_ref()).collect();
    let gone = roster.members().iter().filter(|it| !keys.contains(it.signature_key.as_ref()));
    Ok(gone.map(|member| member.rank.leaf).collect())
}

/// Keeps the members of an epoch; says by what its row names them.
pub(super) fn save(
    work: &Work<'_>,
    channel: &ChannelId,
    roster: &PastRoster,
) -> Result<Vec<u8>, StoreError> {
    let members = roster.to_bytes();
    let hash = transcript::content_hash(&members).as_bytes().to_vec();
    let key = key(channel, &hash);
    if work.tx.row(Table::Profile, &key)?.is_none() {
        work.tx.save(&key, &PastRosterRecord { members })?;
    }
    Ok(hash)
}

/// Deletes those that no epoch of the channel refers to any more.
pub(crate) fn forget(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    // Where a row cannot be read, none is taken for unused.
    let Ok(rows) = watching::rows(work, channel) else { return Ok(()) };
    let used: Vec<Vec<u8>> =
        rows.into_iter().filter_map(|row| row.record.left.map(|left| left.roster)).collect();
    let prefix = key(channel, &[]);
    let range =
        Range { prefix: &prefix, from: None, order: Order::Ascending, rows_max: usize::MAX };
    for row in work.tx.rows(Table::Profile, range)? {
        let hash = row.key.get(prefix.len()..).unwrap_or_default();
        if !used.iter().any(|used| used == hash) {
            work.tx.remove(Table::Profile, &row.key);
        }
    }
    Ok(())
}
