//! What becomes of a wish that is refused, or that cannot come true.

use hushwire_wire::error::{Code, Refusal, Retry};

use super::{Desk, Progress, load};
use crate::{
    additions, asking, backoff,
    command::FailureReason,
    contacts, door, files, groups, inbox, invitations, linking, outbox, packages, readmission,
    record::{TransferNumber, Wish, WishNumber},
    refreshing, snapshots,
    store::StoreError,
    succession, uploads,
    work::Work,
};

/// What a refusal does to a wish.
pub(super) fn refused(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: Wish,
    refusal: &Refusal,
) -> Result<Progress, StoreError> {
    let later = Progress::Refused { retry_after_ms: refusal.retry_after_ms };
    match (&wish, refusal.code) {
        (Wish::SendContent { message: Some(_), .. }, _) if refusal.code.retry() == Retry::Never => {
            ended(work, number, FailureReason::Refused)
        }
        // The log goes on elsewhere: reading it decides what becomes of the sealed bytes. Nothing
        // else is decided by a log (spec: CLI-109).
        (_, Code::Stale) if outbox::is_sealed(work, number)? => Ok(Progress::AwaitLog),
        // Whoever comes later than it was told may miss its turn (spec: CHN-039).
        (_, Code::TooEarly) if refusal.retry_after_ms > 0 => {
            Ok(Progress::TooEarly { retry_after_ms: refusal.retry_after_ms })
        }
        // The relay has less of an upload than it said (spec: CLI-110).
        (_, Code::BlobMissing | Code::WrongOffset | Code::Denied)
            if uploads::is_begun(work, number)? =>
        {
            uploads::forget_progress(work, number);
            let retry_after_ms = refusal.retry_after_ms.max(backoff::REFUSED_REST_MS);
            Ok(Progress::Refused { retry_after_ms })
        }
        (
            Wish::ReachContact { .. } | Wish::AskToJoin { .. },
            Code::Denied | Code::CapabilitySpent,
        ) => ended(work, number, FailureReason::LinkNotValid),
        // The person is known by a used link only; its own card comes when it comes online.
        (Wish::AddPerson { .. }, Code::CapabilitySpent) => Ok(later),
        (Wish::AddPerson { .. } | Wish::ReachContact { .. }, Code::ShelfEmpty) => {
            packages::shelf_empty(work, number, wish, refusal.retry_after_ms)
        }
        (Wish::AddDevice { device, .. }, Code::ShelfEmpty) => {
            linking::granted::has_no_package(work, device)?;
            // With the device goes the wish.
            Ok(if load(work, number)?.is_some() { later } else { Progress::Settled })
        }
        // Others note, or have gone on meanwhile: the message is still on its way.
        (Wish::OfferSuccessor { .. }, Code::NotesExhausted | Code::NoCandidates) => {
            succession::offered(work, number, desk, wish)
        }
        (Wish::AddPerson { .. } | Wish::AddDevice { .. }, Code::Denied) => {
            packages::refused(work, number, wish, FailureReason::NotReachable)
        }
        (Wish::Readmit { .. }, Code::Denied) if !outbox::is_sealed(work, number)? => {
            readmission::refused(work, number, wish)
        }
        (Wish::SendItem { letter: None, inbox, .. }, Code::Denied)
            if linking::may_appear(work, inbox)? =>
        {
            Ok(later)
        }
        (Wish::SendItem { .. }, Code::Denied | Code::CapabilitySpent) => {
            invitations::refused(work, number, wish, refusal.retry_after_ms)
        }
        (Wish::SendItem { inbox, invites, .. }, Code::TooLarge) => {
            inbox::not_sent(work, number, inbox, invites.as_ref())?;
            Ok(Progress::Settled)
        }
        _ if refusal.code.retry() == Retry::Never && can_fail(&wish) => {
            ended(work, number, FailureReason::Refused)
        }
        _ => Ok(later),
    }
}

fn ended(
    work: &mut Work<'_>,
    number: WishNumber,
    reason: FailureReason,
) -> Result<Progress, StoreError> {
    fail(work, number, reason)?;
    Ok(Progress::Settled)
}

/// Whether a person can be told of a wish that a relay will never grant. Others wait: what they are
/// for is done already, or nobody asked for it, and a relay that lied once must not end them
/// (spec: CLI-093).
const fn can_fail(wish: &Wish) -> bool {
    match wish {
        Wish::SendContent { message, .. } => message.is_some(),
        Wish::AddPerson { .. }
        | Wish::ChangeGroup { .. }
        | Wish::Pin { .. }
        | Wish::CommitAdditions { .. }
        | Wish::AddDevice { .. }
        | Wish::RemoveDevice { .. }
        | Wish::Leave { .. }
        | Wish::ReachContact { .. }
        | Wish::AskToJoin { .. }
        | Wish::Upload { .. }
        | Wish::Download { .. } => true,
        Wish::CreateChannel { .. }
        | Wish::SendReceipts { .. }
        | Wish::CommitLeave { .. }
        | Wish::Contest { .. }
        | Wish::Admit { .. }
        | Wish::RotateDoor { .. }
        | Wish::PutDoorLink { .. }
        | Wish::RevokeDoorLink { .. }
        | Wish::LeaveEpoch { .. }
        | Wish::ReadGroup { .. }
        | Wish::TellSuccessor { .. }
        | Wish::Rejoin { .. }
        | Wish::Readmit { .. }
        | Wish::RefreshLeaf { .. }
        | Wish::OfferSuccessor { .. }
        | Wish::SendItem { .. }
        | Wish::ShareSnapshot(_)
        | Wish::JoinGroup { .. }
        | Wish::PutCapability { .. }
        | Wish::RevokeCapability { .. }
        | Wish::PutDeviceList
        | Wish::RotateInbox
        | Wish::DropSlot { .. } => false,
    }
}

/// Whether a wish ends when the relay it needs shows another key: a person waits for its outcome, and
/// can ask again. What follows from something done already waits until the key is back
/// (spec: CLI-093).
pub(crate) fn ends_with_relay(work: &Work<'_>, number: WishNumber) -> Result<bool, StoreError> {
    let wish = load(work, number)?;
    Ok(matches!(
        wish,
        Some(
            Wish::ReachContact { .. }
                | Wish::AskToJoin { .. }
                | Wish::Upload { .. }
                | Wish::Download { .. }
        )
    ))
}

/// A wish will not come true: says so where a person sees it, and forgets it.
pub(crate) fn fail(
    work: &mut Work<'_>,
    number: WishNumber,
    reason: FailureReason,
) -> Result<(), StoreError> {
    let Some(wish) = load(work, number)? else { return Ok(()) };
    if let Wish::AddPerson { channel, person, .. } = &wish {
        door::requests::not_added(work, channel, person, reason)?;
    }
    match wish {
        Wish::SendContent { message: Some(shown), .. } => {
            crate::messages::set_failed(work, shown, reason)?;
        }
        Wish::AddPerson { channel, person, .. } => {
            groups::addition_failed(work, &channel, &person, reason)?;
            additions::wake(work, &channel)?;
        }
        Wish::AddDevice { channel, .. } => {
            groups::change_failed(work, &channel, reason)?;
            additions::wake(work, &channel)?;
        }
        Wish::CommitAdditions { channel, .. } => additions::fail_ready(work, &channel, reason)?,
        Wish::ShareSnapshot(shared) => snapshots::forget(work, number, &shared),
        Wish::ChangeGroup { channel, .. }
        | Wish::Pin { channel, .. }
        | Wish::RemoveDevice { channel, .. }
        | Wish::Leave { channel } => groups::change_failed(work, &channel, reason)?,
        Wish::ReachContact { chat, channel, .. } => {
            contacts::not_reached(work, chat, channel, reason)?;
        }
        Wish::AskToJoin { chat, .. } => asking::fail(work, chat, reason)?,
        Wish::Upload { transfer } | Wish::Download { transfer } => {
            return files::failed(work, TransferNumber(transfer), reason);
        }
        Wish::SendItem { inbox, invites, .. } => {
            return inbox::not_sent(work, number, &inbox, invites.as_ref());
        }
        Wish::RefreshLeaf { .. } => return refreshing::given_up(work, number),
        // They mean nothing without their group, whose end its chat tells.
        Wish::SendContent { message: None, .. }
        | Wish::SendReceipts { .. }
        | Wish::CreateChannel { .. }
        | Wish::CommitLeave { .. }
        | Wish::Admit { .. }
        | Wish::RotateDoor { .. }
        | Wish::PutDoorLink { .. }
        | Wish::RevokeDoorLink { .. }
        | Wish::LeaveEpoch { .. }
        | Wish::ReadGroup { .. }
        | Wish::TellSuccessor { .. }
        | Wish::Rejoin { .. }
        // Another member may do it.
        | Wish::Readmit { .. }
        | Wish::Contest { .. }
        | Wish::OfferSuccessor { .. }
        | Wish::JoinGroup { .. } => {}
        // Whatever a relay says of the own inbox, they stay (spec: CLI-093).
        Wish::PutCapability { .. }
        | Wish::RevokeCapability { .. }
        | Wish::PutDeviceList
        | Wish::RotateInbox
        | Wish::DropSlot { .. } => return Ok(()),
    }
    work.settle(number);
    Ok(())
}
