//! Leaving a group: a signed wish in the log, and a commit of another member that does it.

use hushwire_protocol::{
    group::{CommitIntent, Group, LeafSelector, LeaveProposal, OpenedLeave, Role},
    identity::Fingerprint,
};
use hushwire_wire::{
    id::{ChannelId, EpochId, Timestamp},
    transcript::Operation,
};

use crate::{
    asking, backoff, chats, clock,
    command::{ChatNumber, ChatState, CommandError, FailureReason},
    devices, groups, log, outbox, profile,
    record::{GroupState, PurposeRecord, SealedRecord, Wish, WishNumber},
    refreshing,
    store::StoreError,
    wish::{self, Desk, Step},
    work::Work,
};

/// Span of the wait before a member commits somebody's leaving, in milliseconds, so that not all
/// do it at once.
const COMMIT_SPAN_MS: u64 = 3_000;

/// Wishes to leave.
pub(crate) fn leave(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), CommandError> {
    if chats::named(work, chat)?.state == ChatState::Asked {
        return Ok(asking::withdraw(work, chat)?);
    }
    let channel = groups::group_chat(work, chat)?;
    let group = log::load_group(work, &channel)?;
    let me = profile::fingerprint(work)?;
    // Where it asks to go along with others its person does not want to be any more.
    asking::withdraw(work, chat)?;
    match way_out(&group, &me)? {
        WayOut::Alone => close_alone(work, &channel, chat)?,
        WayOut::LastOwner => return Err(CommandError::LastOwner),
        WayOut::ByOthers | WayOut::WithDevices => {
            ask(work, &channel)?;
            chats::set_state(work, chat, ChatState::Left)?;
        }
    }
    Ok(())
}

/// How this identity can leave a group.
enum WayOut {
    /// Another member commits it.
    ByOthers,
    /// Nobody else is there, and no other device of this identity.
    Alone,
    /// Nobody else is there: the other devices of this identity go first.
    WithDevices,
    /// Nobody would own the group (spec: GRP-044).
    LastOwner,
}

fn way_out(group: &Group, me: &Fingerprint) -> Result<WayOut, StoreError> {
    let members = groups::members_of(group)?;
    let owners = members.iter().filter(|leaf| leaf.role == Role::Owner);
    let (mine, others): (Vec<_>, Vec<_>) = owners.partition(|leaf| leaf.identity() == *me);
    Ok(if members.len() == 1 {
        WayOut::Alone
    } else if members.iter().all(|leaf| leaf.identity() == *me) {
        WayOut::WithDevices
    } else if !mine.is_empty() && others.is_empty() {
        WayOut::LastOwner
    } else {
        WayOut::ByOthers
    })
}

/// Leaves a group in which nobody else is: there is nobody to tell.
fn close_alone(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
) -> Result<(), StoreError> {
    for row in wish::of_channel(work, channel)? {
        // What was not sent is shown as failed.
        wish::fail(work, row.number, FailureReason::NotAMember)?;
        work.settle(row.number);
    }
    groups::drop_group(work, channel)?;
    chats::set_state(work, chat, ChatState::Left)
}

/// Another owner was quicker: who was to leave is the last one now, and stays (spec: GRP-044).
fn stays(work: &mut Work<'_>, number: WishNumber, channel: &ChannelId) -> Result<(), StoreError> {
    groups::set_state(work, channel, GroupState::Member)?;
    if let Some(chat) = groups::record(work, channel)?.and_then(|group| group.purpose.chat()) {
        chats::set_state(work, chat, ChatState::Open)?;
    }
    // Those that went already.
    devices::add_own_devices(work, channel)?;
    wish::fail(work, number, FailureReason::LastOwner)
}

/// The other devices of this identity in a group: a person leaves with all of them (spec: GRP-049).
fn other_devices(work: &Work<'_>, group: &Group) -> Result<Vec<LeafSelector>, StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?;
    let own = me.fingerprint();
    let members = groups::members_of(group)?;
    let others = members.iter().filter(|it| it.identity() == own && it.device() != me.device);
    Ok(others.map(|leaf| LeafSelector::Device(own, leaf.device())).collect())
}

/// The commit by which the other devices of who leaves go first.
pub(crate) fn devices_first(work: &Work<'_>, group: &Group) -> Result<CommitIntent, StoreError> {
    Ok(CommitIntent { remove: other_devices(work, group)?, ..CommitIntent::default() })
}

/// What comes before a member can commit the leaving; none if nothing does.
fn before_leaving(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
    group: &Group,
) -> Result<Option<Step>, StoreError> {
    let me = work.me()?;
    let purpose = groups::record(work, channel)?.map(|group| group.purpose);
    let Some(PurposeRecord::Group { chat }) = purpose else { return Ok(None) };
    match way_out(group, &me)? {
        WayOut::LastOwner => stays(work, number, channel)?,
        WayOut::Alone => close_alone(work, channel, chat)?,
        WayOut::ByOthers | WayOut::WithDevices => {
            if other_devices(work, group)?.is_empty() {
                return Ok(None);
            }
            let wish = Wish::Leave { channel: *channel };
            return outbox::send_commit(work, number, desk, &wish).map(Some);
        }
    }
    Ok(Some(Step::Settled))
}

/// Asks to leave; repeated in each epoch until a member has done it.
fn ask(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in wish::of_channel(work, channel)? {
        // Bytes that are under way cannot be taken back; the device goes again.
        let adds = matches!(row.wish, Wish::AddDevice { .. });
        if adds && !outbox::is_sealed(work, row.number)? {
            work.settle(row.number);
        }
    }
    groups::set_state(work, channel, GroupState::Leaving)?;
    work.wish(Wish::Leave { channel: *channel })?;
    refreshing::check_done(work)
}

/// Seals and appends the wish to leave; not in an epoch with a commit, which takes no messages: what this
/// device appends there, a contest above all, goes before it (spec: CLI-212).
pub(crate) fn send(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
) -> Result<Step, StoreError> {
    let Some(view) = desk.channel else { return Ok(Step::Aim) };
    let (epoch, keys) = log::epoch_state(work, channel, &view.epoch)?;
    let asks = |sealed: &SealedRecord| sealed.commit.is_none();
    let sent = outbox::fresh(work, number, channel, view.epoch)?.filter(asks);
    let has_commit = !epoch.candidates.is_empty();
    match sent {
        Some(sealed) if has_commit => return outbox::behind_commit(work, &sealed),
        Some(sealed) => return outbox::append(work, number, desk, sealed),
        None => {}
    }
    // A commit of this device that may be under way is not taken from it.
    if !outbox::make_way(work, number, channel, &epoch.candidate_ids())? {
        return Ok(Step::Later(work.now.plus_ms(backoff::PENDING_REST_MS)));
    }
    let device = profile::device(work)?;
    let mut group = log::load_group(work, channel)?;
    if let Some(step) = before_leaving(work, number, desk, channel, &group)? {
        return Ok(step);
    }
    if has_commit {
        return Ok(Step::AwaitLog);
    }
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
