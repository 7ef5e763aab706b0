//! This device's own word in an epoch that it left: when it is said, and until the relay has it
//! (spec: CLI-194).

use hushwire_protocol::{
    epoch::EpochKeys,
    group::{LeafIndex, PastRoster, Rank, Role, Statement, VerifiedStatement},
};
use hushwire_wire::id::{ChannelId, EntryId, EpochId};

use super::{asked, roster, watching};
use crate::{
    backoff, clock, groups, log,
    record::{Cause, Caution, EpochRecord, LeftRecord, Saying, StatementRecord, Wish},
    store::StoreError,
    wish,
    work::Work,
};

/// Higher members who have spoken for the same candidate: then one more says nothing new. Two, for the
/// first of them waits for another's word too.
const ENOUGH: usize = 2;

/// Least wait before an owner's statement, and span that is drawn from and added, in milliseconds.
const OWNER_WAIT_MS: u64 = 500;
const OWNER_SPAN_MS: u64 = 2_500;
/// The same of an admin.
const ADMIN_WAIT_MS: u64 = 3_000;
const ADMIN_SPAN_MS: u64 = 4_000;
/// The same of a member.
const MEMBER_WAIT_MS: u64 = 7_000;
const MEMBER_SPAN_MS: u64 = 10_000;

/// Plans this device's statement: the highest first, so that few have to speak.
pub(super) fn plan(work: &mut Work<'_>, record: &mut EpochRecord, roster: &PastRoster) {
    let Some(left) = &mut record.left else { return };
    let Some(own) = roster.at(LeafIndex(left.own_leaf)).map(|member| member.rank) else { return };
    if left.saying == Saying::Silent {
        let (least, span) = turn(own.role);
        let wait = least + backoff::jitter_ms(span, work.rng);
        left.saying = Saying::Planned { at_ms: work.now.plus_ms(wait).0 };
    }
}

/// Least wait and span before a statement, by role.
const fn turn(role: Role) -> (u64, u64) {
    match role {
        Role::Owner => (OWNER_WAIT_MS, OWNER_SPAN_MS),
        Role::Admin => (ADMIN_WAIT_MS, ADMIN_SPAN_MS),
        Role::Member => (MEMBER_WAIT_MS, MEMBER_SPAN_MS),
    }
}

/// This device has read all that there is. The note with its statement, if it is time for it and others
/// have not said enough. The same bytes until the relay has them.
pub(crate) fn due(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<Option<Vec<u8>>, StoreError> {
    asked::looked(work, channel, epoch)?;
    work.effects.channels.insert(*channel);
    let (mut record, keys) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = record.left.clone() else { return Ok(None) };
    let at_ms = match left.saying {
        Saying::Sealed { envelope } => return Ok(Some(envelope.into_vec())),
        Saying::Planned { at_ms } => at_ms,
        Saying::Silent | Saying::Done | Saying::NoRoom => {
            watching::rest(work, channel, epoch)?;
            return Ok(None);
        }
    };
    let (least, span) = turn(Role::Member);
    if !clock::is_over(work.now, at_ms, least + span) {
        return Ok(None);
    }
    let roster = roster::load(work, channel, &left)?;
    let own = roster::own_rank(&roster, &left)?;
    let envelope = match is_enough(&record.statements, &left.applied, own) {
        true => None,
        false => Some(seal(work, channel, epoch, &keys, &left)?),
    };
    let saying = match &envelope {
        None => Saying::Done,
        Some(envelope) => Saying::Sealed { envelope: serde_bytes::ByteBuf::from(envelope.clone()) },
    };
    record.left = Some(LeftRecord { saying, ..left });
    log::save_epoch(work, channel, epoch, &record)?;
    work.effects.channels.insert(*channel);
    Ok(envelope)
}

fn is_enough(statements: &[StatementRecord], applied: &EntryId, own: Rank) -> bool {
    let higher = statements
        .iter()
        .filter(|known| known.candidate == *applied && VerifiedStatement::from(**known).rank > own);
    higher.count() >= ENOUGH
}

fn seal(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    keys: &EpochKeys,
    left: &LeftRecord,
) -> Result<Vec<u8>, StoreError> {
    let device = crate::profile::device(work)?;
    let statement = Statement { candidate: left.applied, leaf: LeafIndex(left.own_leaf) };
    let provider = work.provider();
    statement.seal(&provider, channel, epoch, keys, &device.key).map_err(log::store_error)
}

/// What became of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// The relay has it.
    Stored,
    /// The epoch has as many as it may have.
    NoRoom,
}

/// The relay has this device's note, or none any more.
pub(crate) fn noted(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    noted: Noted,
) -> Result<(), StoreError> {
    let (mut record, _) = log::epoch_state(work, channel, epoch)?;
    let Some(left) = record.left.clone() else { return Ok(()) };
    let saying = match noted {
        Noted::Stored => Saying::Done,
        Noted::NoRoom => Saying::NoRoom,
    };
    record.left = Some(LeftRecord { saying, ..left });
    log::save_epoch(work, channel, epoch, &record)?;
    work.effects.channels.insert(*channel);
    match noted {
        Noted::Stored => Ok(()),
        Noted::NoRoom => speak(work, channel),
    }
}

/// Nobody can note anything any more: who is unsettled makes itself heard by a commit, so that those
/// who are behind the same candidate know of each other (spec: CLI-195).
fn speak(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    let Some(unsettled) = &mut group.unsettled else { return Ok(()) };
    unsettled.caution = Caution::Speaks;
    groups::save(work, channel, &group)?;
    if !wish::waits(work, channel, |wish| matches!(wish, Wish::RefreshLeaf { .. }))? {
        work.wish(Wish::RefreshLeaf { channel: *channel, cause: Cause::Age })?;
    }
    Ok(())
}
