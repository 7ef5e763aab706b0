//! Leaving a group: a signed wish in the log, and a commit of another member that does it.

use hushwire_protocol::group::{CommitIntent, LeaveProposal, OpenedLeave};
use hushwire_wire::{
    id::{ChannelId, EpochId, Timestamp},
    transcript::Operation,
};

use crate::{
    backoff, clock, groups, log, outbox,
    record::{GroupState, Wish, WishNumber},
    store::StoreError,
    wish::{Desk, Step},
    work::Work,
};

/// Span of the wait before a member commits somebody's leaving, in milliseconds, so that not all
/// do it at once.
const COMMIT_SPAN_MS: u64 = 3_000;

/// Asks to leave; repeated in each epoch until a member has done it.
pub(crate) fn ask(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    groups::set_state(work, channel, GroupState::Leaving)?;
    work.wish(Wish::Leave { channel: *channel })?;
    Ok(())
}

/// Seals and appends the wish to leave.
pub(crate) fn send(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
) -> Result<Step, StoreError> {
    let Some(view) = desk.channel else { return Ok(Step::Aim) };
    if let Some(sealed) = outbox::fresh(work, number, channel, view.epoch)? {
        return outbox::append(work, number, desk, sealed);
    }
    let (_, keys) = log::epoch_state(work, channel, &view.epoch)?;
    let device = crate::profile::device(work)?;
    let mut group = log::load_group(work, channel)?;
    let provider = work.provider();
    group.abandon_commit(&provider).map_err(log::store_error)?;
    let message =
        group.seal_leave(&provider, &device.key, &view.epoch, &keys).map_err(log::store_error)?;
    let sealed =
        outbox::seal(work, number, channel, view, &Operation::Message, message.envelope, None)?;
    outbox::append(work, number, desk, sealed)
}

/// A member asked to leave: after a while at random, this device commits it.
pub(crate) fn asked(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    leave: &OpenedLeave,
) -> Result<(), StoreError> {
    let wait = backoff::jitter_ms(COMMIT_SPAN_MS, work.rng);
    work.wish(Wish::CommitLeave {
        channel: *channel,
        epoch: *epoch,
        proposal: leave.proposal.as_bytes().to_vec(),
        not_before_ms: work.now.plus_ms(wait).0,
    })?;
    Ok(())
}

/// Commits a leaving, in the epoch it was signed for; in a later one the member asks again.
pub(crate) fn commit(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: &Wish,
) -> Result<Step, StoreError> {
    let Wish::CommitLeave { epoch, not_before_ms, .. } = wish else { return Ok(Step::Aim) };
    if desk.channel.is_none_or(|view| view.epoch != *epoch) {
        work.settle(number);
        return Ok(Step::Settled);
    }
    if !clock::is_over(work.now, *not_before_ms, COMMIT_SPAN_MS) {
        return Ok(Step::Later(Timestamp(*not_before_ms)));
    }
    outbox::send_commit(work, number, desk, wish)
}

/// The commit of a leaving.
pub(crate) fn intent(proposal: &[u8]) -> CommitIntent {
    CommitIntent {
        leave: vec![LeaveProposal::from_bytes(proposal.to_vec())],
        ..CommitIntent::default()
    }
}
