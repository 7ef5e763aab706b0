//! Whether this device is where the others are, as far as it can know: who has not heard of a fork yet
//! must not answer from a branch that is left (spec: CLI-199).

use hushwire_protocol::identity::Fingerprint;
use hushwire_wire::id::{ChannelId, EpochId};

use super::{departing, watching};
use crate::{
    groups, log,
    record::{AskedFrom, EpochRecord, LeftRecord, by_channel},
    rejoin::NO_EPOCH,
    store::StoreError,
    work::Work,
};

/// Somebody asks to be added again: what this device watches it looks into before it answers.
pub(crate) fn asked(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for watching::Row { epoch, mut record } in watching::rows(work, channel)? {
        let Some(left) = record.left else { continue };
        record.left = Some(LeftRecord { asked_ms: work.now.0, ..left });
        log::save_epoch(work, channel, &epoch, &record)?;
    }
    work.effects.channels.insert(*channel);
    Ok(())
}

/// This device has read what there is of an epoch that it watches.
pub(super) fn looked(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    let row = work.tx.load::<EpochRecord>(&by_channel(channel, epoch))?;
    let Some(mut record) = row else { return Ok(()) };
    let Some(left) = &mut record.left else { return Ok(()) };
    left.looked_ms = work.now.0;
    watching::count(left, work.now);
    log::save_epoch(work, channel, epoch, &record)
}

/// Whether this device may lead others to where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// As far as was noted, the others follow what it follows.
    Sure,
    /// It has not looked since it was asked.
    ToLook,
    /// It may leave its own branch; or its inviter has left it, for this asker.
    InDoubt,
}

/// Whether a device that names this epoch asks from where this one is. Who names none has left no branch
/// (spec: LNK-125).
pub(crate) fn asked_from(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<AskedFrom, StoreError> {
    if *epoch == NO_EPOCH {
        return Ok(AskedFrom::Here);
    }
    let Some(group) = groups::record(work, channel)? else { return Ok(AskedFrom::Elsewhere) };
    let known = watching::is_in_or_watches(work, channel, &group, epoch)?;
    Ok(if known { AskedFrom::Here } else { AskedFrom::Elsewhere })
}

/// What this device knows of itself, when this identity asks from there.
pub(crate) fn certainty(
    work: &Work<'_>,
    channel: &ChannelId,
    asker: &Fingerprint,
    from: AskedFrom,
) -> Result<Certainty, StoreError> {
    let rows = watching::rows(work, channel)?;
    let left: Vec<&LeftRecord> = rows.iter().filter_map(|row| row.record.left.as_ref()).collect();
    let group = groups::record(work, channel)?;
    let to_others = |group| departing::leaves_to_others(work, &group, asker, from);
    if group.is_some_and(to_others) || left.iter().any(|left| left.doubt.is_some()) {
        return Ok(Certainty::InDoubt);
    }
    let looked = left.iter().all(|left| left.looked_ms >= left.asked_ms);
    Ok(if looked { Certainty::Sure } else { Certainty::ToLook })
}
