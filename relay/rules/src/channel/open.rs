//! Opening a channel at an epoch.

use hushwire_wire::{
    error::Code,
    id::{ChannelId, EntryId, EpochId, Timestamp},
};

use super::row::{EpochRow, Origin};
use crate::{
    lookup::Proof,
    outcome::{Effect, Refused},
    store::{Read, StoreError},
};

/// Whether `proof` opens the channel at this epoch.
pub(crate) fn ask(
    view: &impl Read,
    now: Timestamp,
    channel: &ChannelId,
    epoch: &EpochId,
    proof: &Proof,
) -> Result<Effect, Refused> {
    let row = EpochRow::load(view, now, channel, epoch)?;
    // spec: CHN-002, CHN-007
    proof.check(row.as_ref().map(|row| row.key))?;
    match row {
        Some(row) => Ok(opened(view, now, channel, epoch, &row)?),
        None => Err(Code::Denied.into()),
    }
}

/// What who opens an epoch is told about it.
pub(crate) fn opened(
    view: &impl Read,
    now: Timestamp,
    channel: &ChannelId,
    epoch: &EpochId,
    row: &EpochRow,
) -> Result<Effect, StoreError> {
    Ok(Effect::ChannelOpened {
        channel: *channel,
        epoch: *epoch,
        next: row.next,
        head: row.head,
        candidates: row.candidate_ids(),
        siblings: siblings(view, now, channel, epoch, row)?,
    })
}

/// The other children of the parent, in relay order (spec: CHN-013).
fn siblings(
    view: &impl Read,
    now: Timestamp,
    channel: &ChannelId,
    epoch: &EpochId,
    row: &EpochRow,
) -> Result<Vec<EntryId>, StoreError> {
    let Origin::Child { parent, .. } = row.origin else { return Ok(Vec::new()) };
    let parent = EpochRow::load(view, now, channel, &parent)?;
    let candidates = parent.map(|parent| parent.candidate_ids()).unwrap_or_default();
    Ok(candidates.into_iter().filter(|entry| entry.as_bytes() != epoch.as_bytes()).collect())
}
