//! Creating a channel with its first epoch.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{ChannelId, EpochId, PublicKey, Timestamp},
    limit::Limits,
};

use super::{
    open,
    row::{EpochRow, Origin},
};
use crate::{
    outcome::Refused,
    store::{Action, Change, Object, Read, ReadLimit, Revision, Table},
    write::{Planned, Scene},
};

/// The session has verified that the creator holds `key`.
pub(crate) fn plan<V: Read>(
    scene: &Scene<'_, V>,
    channel: &ChannelId,
    epoch: &EpochId,
    key: &PublicKey,
) -> Result<Planned, Refused> {
    // spec: CHN-008: the same first epoch again is the same channel; another one is refused.
    if let Some(row) = EpochRow::load(scene.view, scene.now, channel, epoch)? {
        let effect = open::opened(scene.view, scene.now, channel, epoch, &row)?;
        return Ok(Planned::quiet(Vec::new(), effect));
    }
    if exists(scene, channel)? {
        return Err(Code::AlreadyExists.into());
    }
    let row = EpochRow::opened(channel, epoch, *key, Origin::Root, scene.now);
    let effect = open::opened(scene.view, scene.now, channel, epoch, &row)?;
    Ok(Planned::quiet(keep(scene.limits, epoch, &row).into(), effect))
}

/// A channel exists while any of its epochs does (spec: CHN-008), whether or not a sweep has been
/// there. An entry's id may outlive its epoch by less than a renewal: until it is gone too, so that
/// a new channel never meets rows of an old one.
fn exists<V: Read>(scene: &Scene<'_, V>, channel: &ChannelId) -> Result<bool, Refused> {
    let object = Object::Channel(*channel);
    if scene.view.revision(&object)? == Revision(0) {
        return Ok(false);
    }
    let first = ReadLimit { rows_max: 1, bytes_max: 1 };
    for table in [Table::Epoch, Table::EntryPlace] {
        if !scene.view.rows(&object, table, &[], &[], first, scene.now)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Stores an epoch, and that its key was seen (spec: CHN-017).
pub(crate) fn keep(limits: &Limits, epoch: &EpochId, row: &EpochRow) -> [Change; 2] {
    let expires = Some(kept_until(limits, row.renewed_at));
    [
        Change {
            table: Table::Epoch,
            key: epoch.to_field(),
            action: Action::Put { value: row.encode(), expires },
        },
        Change {
            table: Table::SeenKey,
            key: row.key.to_field(),
            action: Action::Put { value: Bytes::from_static(&[1]), expires },
        },
    ]
}

/// One part in so many of the retention may pass before an epoch in use is renewed, so that most
/// appends leave the expiry of its row as it is.
const RENEWALS: u64 = 64;

/// Until when an epoch renewed at this time is kept: its retention, and one renewal's distance.
pub(crate) const fn kept_until(limits: &Limits, renewed_at: Timestamp) -> Timestamp {
    renewed_at.plus_ms(limits.epoch_retention_ms).plus_ms(renewal_ms(limits))
}

/// How long a renewal lasts.
pub(crate) const fn renewal_ms(limits: &Limits) -> u64 {
    limits.epoch_retention_ms / RENEWALS
}
