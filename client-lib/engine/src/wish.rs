//! What a wish needs next, and what an answer does to it.
//!
//! Every step is idempotent at the relay, so a wish that is asked again after a crash has the same
//! effect as one that was asked once (spec: CLI-010).

mod refusal;

use std::collections::BTreeSet;

use hushwire_protocol::{address::RelayAddress, identity::DeviceId};
use hushwire_wire::{
    id::{BlobId, CapabilityId, ChannelId, EpochId, PublicKey, RelayId, SessionId, Timestamp},
    message::{Answer, Handle, Request},
};

use crate::{
    additions, answer, asking, capabilities,
    command::ChatNumber,
    contacts, devices, door,
    event::RelayFault,
    files, groups, inbox, invitations, joining, leaving, links, outbox, packages, readmission,
    receipts,
    record::{Packages, TransferNumber, Wish, WishNumber, WishRecord, by_number, number_of},
    rejoin, revoking,
    session::{ServerLimits, SessionNumber},
    snapshots,
    store::{Order, Range, StoreError, Table},
    succession,
    work::Work,
};
pub(crate) use refusal::{ends_with_relay, fail};

/// What a wish needs before it can be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The channel, caught up, with nothing else under way.
    Channel { channel: ChannelId },
    /// A session for a channel that is not there yet.
    NewChannel { channel: ChannelId, relay: RelayAddress },
    /// The own inbox, open.
    Inbox,
    /// The door of a group, open.
    Door { channel: ChannelId },
    /// The session for the blobs of a channel.
    Blobs { channel: ChannelId, relay: RelayAddress },
    /// A session with a relay.
    Relay(RelayAddress),
    /// The session for the rendezvous of a linking.
    Rendezvous(RelayAddress),
    /// Something that is not there yet; the wish is aimed anew when that comes.
    Nothing,
}

/// An open channel that can be written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelView {
    pub(crate) handle: Handle,
    pub(crate) epoch: EpochId,
}

/// The session where a wish is tried.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) number: SessionNumber,
    pub(crate) session: SessionId,
    pub(crate) relay: RelayId,
    pub(crate) relay_key: PublicKey,
    pub(crate) limits: ServerLimits,
    /// How far the relay's clock is from ours: to be told, not trusted.
    pub(crate) clock_off_ms: u64,
    pub(crate) channel: Option<ChannelView>,
    pub(crate) inbox: Option<Handle>,
}

/// What to do next for a wish.
pub(crate) enum Step {
    /// Ask for something.
    Ask(Ask),
    /// Nothing before this time.
    Later(Timestamp),
    /// Others have to do something; it is looked at again at this time.
    Others { until: Timestamp },
    /// Nothing before the log goes on. Others may append meanwhile.
    AwaitLog,
    /// The same, and the relay has what this device can do about it.
    AwaitOthers,
    /// It needs something else than was thought.
    Aim,
    /// It is settled.
    Settled,
}

/// What is asked for a wish.
pub(crate) enum Ask {
    /// A request.
    Request(Request),
    /// An append: the only one under way in its channel.
    Append { channel: ChannelId, request: Request },
    /// The live half of a transfer, which goes on by itself.
    Transfer(TransferNumber),
    /// A group's snapshot, which comes in parts.
    Snapshot(Wanted),
}

/// A blob that is wanted whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) blob: BlobId,
    pub(crate) size: u64,
}

/// How far an answer brought a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Settled.
    Settled,
    /// On to its next step.
    Next,
    /// On to the next part of its upload: until the relay has taken the append, nothing is achieved.
    Uploading,
    /// Refused for now.
    Refused { retry_after_ms: u64 },
    /// Too early by so much: its turn may come then.
    TooEarly { retry_after_ms: u64 },
    /// The log decides.
    AwaitLog,
    /// The relay has it, and another person's device does the rest; the log will say.
    AwaitOthers,
    /// What came is no answer to what was asked: nothing was changed, and it is asked again.
    Fault(RelayFault),
}

/// Every wish, in order. What says which of them are about a channel is made where it is missing: a
/// build before did not write it.
pub(crate) fn open(work: &Work<'_>) -> Result<Vec<WishNumber>, StoreError> {
    let mut numbers = Vec::new();
    for row in work.tx.list::<WishRecord>(&[], usize::MAX)? {
        let number = number_of(&row.key).map(WishNumber).ok_or(StoreError::Damaged)?;
        work.file_wish(number, &row.record.wish)?;
        numbers.push(number);
    }
    Ok(numbers)
}

pub(crate) fn load(work: &Work<'_>, number: WishNumber) -> Result<Option<Wish>, StoreError> {
    Ok(work.tx.load::<WishRecord>(&by_number(number.0))?.map(|record| record.wish))
}

/// What a wish needs next.
pub(crate) fn target(work: &Work<'_>, number: WishNumber) -> Result<Target, StoreError> {
    let Some(wish) = load(work, number)? else { return Ok(Target::Nothing) };
    match &wish {
        Wish::CreateChannel { channel, .. } => groups::new_channel_target(work, channel),
        Wish::SendContent { channel, .. }
        | Wish::Pin { channel, .. }
        | Wish::SendReceipts { channel, .. } => outbox::content_target(work, channel),
        Wish::AddPerson { channel, person, packages } => {
            packages::person_target(work, channel, person, packages)
        }
        Wish::AddDevice { packages, .. } => packages::device_target(work, packages),
        Wish::ShareSnapshot(shared) => snapshots::target(shared),
        Wish::JoinGroup { channel, relay, sender, .. } => {
            joining::target(work, channel, relay, sender)
        }
        Wish::CommitAdditions { channel, .. }
        | Wish::ChangeGroup { channel, .. }
        | Wish::RemoveDevice { channel, .. }
        | Wish::Leave { channel }
        | Wish::CommitLeave { channel, .. }
        | Wish::LeaveEpoch { channel, .. }
        | Wish::ReadGroup { channel }
        | Wish::RefreshLeaf { channel, .. }
        | Wish::Contest { channel } => groups::channel_target(work, channel),
        Wish::OfferSuccessor { before, channel, .. } => {
            succession::offer_target(work, before, channel)
        }
        Wish::Admit { channel, .. } | Wish::RotateDoor { channel, .. } => {
            groups::channel_target(work, channel)
        }
        Wish::PutDoorLink { channel, .. } | Wish::RevokeDoorLink { channel, .. } => {
            Ok(Target::Door { channel: *channel })
        }
        Wish::AskToJoin { chat, .. } => asking::target(work, *chat),
        Wish::Readmit { channel, person, packages, .. } => {
            readmission::target(work, channel, person, packages)
        }
        // What comes of it comes there.
        Wish::Rejoin { .. } | Wish::TellSuccessor { .. } => Ok(Target::Inbox),
        Wish::ReachContact { link, .. } => contacts::link_target(link),
        // An item that was sealed to no inbox key is a message of a linking (spec: LNK-062).
        Wish::SendItem { relay, letter: None, .. } => {
            Ok(relay.parse().map_or(Target::Nothing, Target::Rendezvous))
        }
        Wish::SendItem { relay, .. } => Ok(relay_target(relay)),
        Wish::PutCapability { .. }
        | Wish::RevokeCapability { .. }
        | Wish::PutDeviceList
        | Wish::RotateInbox
        | Wish::DropSlot { .. } => Ok(Target::Inbox),
        Wish::Upload { transfer } | Wish::Download { transfer } => {
            files::target(work, TransferNumber(*transfer))
        }
    }
}

/// A session with the relay of this stored address.
pub(crate) fn relay_target(relay: &str) -> Target {
    relay.parse().map_or(Target::Nothing, Target::Relay)
}

/// Tries a wish at the place it needs.
pub(crate) fn step(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
) -> Result<Step, StoreError> {
    let Some(wish) = load(work, number)? else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    match wish {
        Wish::CreateChannel { channel, nonce } => {
            groups::create_channel(work, number, desk, &channel, &nonce)
        }
        Wish::SendContent { channel, content, message } => {
            outbox::send_content(work, number, desk, &channel, &content, message)
        }
        Wish::Pin { channel, content, shown, .. } => {
            outbox::send_content(work, number, desk, &channel, &content, Some(shown))
        }
        Wish::SendReceipts { channel, messages, not_before_ms } => {
            receipts::send(work, number, desk, &channel, &messages, not_before_ms)
        }
        Wish::AddPerson { .. } | Wish::AddDevice { .. } => packages::step(work, number, wish),
        Wish::CommitAdditions { .. } => additions::commit(work, number, desk, &wish),
        Wish::ShareSnapshot(shared) => snapshots::step(work, number, *shared),
        Wish::JoinGroup { content, .. } => joining::fetch(work, number, &content),
        Wish::ChangeGroup { .. }
        | Wish::RemoveDevice { .. }
        | Wish::LeaveEpoch { .. }
        | Wish::RefreshLeaf { .. }
        | Wish::Contest { .. } => outbox::send_commit(work, number, desk, &wish),
        Wish::OfferSuccessor { .. } => succession::offer(work, number, desk, wish),
        Wish::ReadGroup { channel } => joining::was_read(work, number, &channel),
        Wish::TellSuccessor { chat, by, not_before_ms } => {
            succession::tell(work, number, chat, &by, not_before_ms)
        }
        Wish::Rejoin { .. } => rejoin::step(work, number, wish),
        Wish::Readmit { .. } => readmission::step(work, number, desk, &wish),
        Wish::Leave { channel } => leaving::send(work, number, desk, &channel),
        Wish::CommitLeave { .. } => leaving::commit(work, number, desk, &wish),
        Wish::Admit { channel, person, not_before_ms } => {
            door::requests::admit(work, number, &channel, &person, not_before_ms)
        }
        Wish::RotateDoor { channel, not_before_ms } => {
            door::rotate(work, number, &channel, not_before_ms)
        }
        Wish::PutDoorLink { channel, capability } => {
            door::links::put(work, number, desk, &channel, &capability)
        }
        Wish::RevokeDoorLink { capability, .. } => {
            Ok(inbox::request(desk, |handle| Request::CapabilityRevoke { handle, capability }))
        }
        Wish::AskToJoin { chat, request, .. } => asking::step(work, number, chat, request),
        Wish::ReachContact { .. } => contacts::reach(work, number, desk, wish),
        Wish::SendItem { inbox, secret, item, .. } => inbox::send_item(&inbox, &secret, item),
        Wish::PutCapability { secret, link } => inbox::put_capability(work, desk, &secret, link),
        Wish::RevokeCapability { capability } => {
            Ok(inbox::request(desk, |handle| Request::CapabilityRevoke { handle, capability }))
        }
        Wish::PutDeviceList => devices::put_list(work, desk),
        Wish::RotateInbox => revoking::rotate(work, number, desk),
        Wish::DropSlot { slot } => {
            Ok(inbox::request(desk, |handle| Request::SlotDrop { handle, slot }))
        }
        Wish::Upload { transfer } | Wish::Download { transfer } => {
            Ok(Step::Ask(Ask::Transfer(TransferNumber(transfer))))
        }
    }
}

/// Takes the answer to what a step asked.
pub(crate) fn answered(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    answer: Answer,
) -> Result<Progress, StoreError> {
    let Some(wish) = load(work, number)? else { return Ok(Progress::Settled) };
    if let Answer::Refused(refusal) = &answer {
        return refusal::refused(work, number, desk, wish, refusal);
    }
    // A code of a later version: what it means is not known, so it is asked again.
    if let Answer::RefusedUnknown { retry_after_ms, .. } = answer {
        return Ok(Progress::Refused { retry_after_ms });
    }
    // spec: CLI-096
    if let Some(fault) = answer::fault(desk, &wish, &answer) {
        return Ok(Progress::Fault(fault));
    }
    match wish {
        Wish::CreateChannel { channel, .. } => groups::channel_created(work, number, &channel),
        Wish::SendContent { .. }
        | Wish::SendReceipts { .. }
        | Wish::ChangeGroup { .. }
        | Wish::Pin { .. }
        | Wish::CommitAdditions { .. }
        | Wish::RemoveDevice { .. }
        | Wish::Leave { .. }
        | Wish::CommitLeave { .. }
        | Wish::LeaveEpoch { .. }
        | Wish::RefreshLeaf { .. }
        | Wish::Contest { .. } => outbox::appended(work, number, desk, &answer),
        Wish::ShareSnapshot(_) => snapshots::answered(work, number, &answer),
        Wish::OfferSuccessor { .. } => succession::offered(work, number, desk, wish),
        Wish::Readmit { .. } => readmission::answered(work, number, desk, wish, answer),
        Wish::AddPerson { .. } | Wish::AddDevice { .. } => {
            packages::answered(work, number, desk, wish, answer)
        }
        Wish::ReachContact { .. } => contacts::reached(work, number, desk, wish, answer),
        Wish::AskToJoin { chat, .. } => asking::answered(work, number, chat, &answer),
        Wish::PutDoorLink { channel, capability } => {
            door::links::put_done(work, number, &channel, &capability)
        }
        Wish::PutCapability { link, .. } => {
            if let Some(link) = link {
                links::published(work, link)?;
            }
            work.settle(number);
            Ok(Progress::Settled)
        }
        Wish::SendItem { invites, .. } => {
            work.settle(number);
            invitations::sent(work, invites.as_ref())?;
            Ok(Progress::Settled)
        }
        Wish::RotateInbox => {
            revoking::rotated(work)?;
            work.settle(number);
            Ok(Progress::Settled)
        }
        Wish::RevokeCapability { .. }
        | Wish::PutDeviceList
        | Wish::DropSlot { .. }
        | Wish::RevokeDoorLink { .. } => {
            work.settle(number);
            Ok(Progress::Settled)
        }
        // They ask for nothing themselves.
        Wish::Admit { .. } | Wish::RotateDoor { .. } => Ok(Progress::Next),
        // Their answers go to the live half.
        Wish::Upload { .. }
        | Wish::Download { .. }
        | Wish::JoinGroup { .. }
        | Wish::ReadGroup { .. }
        | Wish::TellSuccessor { .. }
        | Wish::Rejoin { .. } => Ok(Progress::Next),
    }
}

/// Wishes about a channel, in order (spec: CLI-106).
pub(crate) fn of_channel(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Vec<Numbered>, StoreError> {
    let range = Range {
        prefix: channel.as_bytes(),
        from: None,
        order: Order::Ascending,
        rows_max: usize::MAX,
    };
    let mut found = Vec::new();
    for row in work.tx.rows(Table::ChannelWish, range)? {
        let number = number_of(&row.key).map(WishNumber).ok_or(StoreError::Damaged)?;
        match load(work, number)? {
            Some(wish) if wish.channel() == Some(channel) => found.push(Numbered { number, wish }),
            _ => work.tx.remove(Table::ChannelWish, &row.key),
        }
    }
    Ok(found)
}

/// Wishes of a kind, whatever channel they are about.
fn all_of(work: &Work<'_>, wanted: impl Fn(&Wish) -> bool) -> Result<Vec<WishNumber>, StoreError> {
    let rows = work.tx.list::<WishRecord>(&[], usize::MAX)?;
    let found = rows.iter().filter(|row| wanted(&row.record.wish));
    found.map(|row| number_of(&row.key).map(WishNumber).ok_or(StoreError::Damaged)).collect()
}

/// Wishes to reach the person of a chat by a link.
pub(crate) fn reaching(work: &Work<'_>, chat: ChatNumber) -> Result<Vec<WishNumber>, StoreError> {
    all_of(work, |wish| matches!(wish, Wish::ReachContact { chat: of, .. } if *of == chat))
}

/// Wishes to have a group read to its end, if that is not wished already.
pub(crate) fn read_to_end(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    if !waits(work, channel, |wish| matches!(wish, Wish::ReadGroup { .. }))? {
        work.wish(Wish::ReadGroup { channel: *channel })?;
    }
    Ok(())
}

/// Wishes to offer a group to who was in the one before.
pub(crate) fn offers_of(
    work: &Work<'_>,
    wanted: &ChannelId,
) -> Result<Vec<WishNumber>, StoreError> {
    all_of(work, |wish| matches!(wish, Wish::OfferSuccessor { channel, .. } if channel == wanted))
}

/// Wishes to ask to be let into the group of a chat.
pub(crate) fn askings(work: &Work<'_>, chat: ChatNumber) -> Result<Vec<WishNumber>, StoreError> {
    all_of(work, |wish| matches!(wish, Wish::AskToJoin { chat: of, .. } if *of == chat))
}

/// Wishes to add a person, or to write to them.
pub(crate) fn of_person(
    work: &Work<'_>,
    wanted: &hushwire_protocol::identity::Fingerprint,
) -> Result<Vec<WishNumber>, StoreError> {
    all_of(work, |wish| match wish {
        Wish::AddPerson { person, .. } => person == wanted,
        Wish::SendItem { letter: Some(letter), .. } => letter.person == *wanted,
        _ => false,
    })
}

/// Wishes to have the inbox take another owner key.
pub(crate) fn rotations(work: &Work<'_>) -> Result<Vec<WishNumber>, StoreError> {
    all_of(work, |wish| matches!(wish, Wish::RotateInbox))
}

/// Wishes to make a capability known.
pub(crate) fn puts_of(
    work: &Work<'_>,
    wanted: &CapabilityId,
) -> Result<Vec<WishNumber>, StoreError> {
    all_of(work, |wish| match wish {
        Wish::PutCapability { secret, .. } => {
            capabilities::id_of(secret).is_ok_and(|capability| capability == *wanted)
        }
        _ => false,
    })
}

/// Wishes to add a device of this identity to a group.
pub(crate) fn additions_of(
    work: &Work<'_>,
    wanted: &DeviceId,
) -> Result<Vec<WishNumber>, StoreError> {
    all_of(work, |wish| matches!(wish, Wish::AddDevice { device, .. } if device == wanted))
}

/// Whether such a wish for a channel waits.
pub(crate) fn waits(
    work: &Work<'_>,
    channel: &ChannelId,
    wanted: impl Fn(&Wish) -> bool,
) -> Result<bool, StoreError> {
    Ok(of_channel(work, channel)?.iter().any(|row| wanted(&row.wish)))
}

/// Whether it is wished to have a device of this identity in this group.
pub(crate) fn adds(
    work: &Work<'_>,
    channel: &ChannelId,
    wanted: &DeviceId,
) -> Result<bool, StoreError> {
    waits(work, channel, |wish| matches!(wish, Wish::AddDevice { device, .. } if device == wanted))
}

/// Whether the removal of a device from a group is under way.
pub(crate) fn removes(
    work: &Work<'_>,
    channel: &ChannelId,
    wanted: &DeviceId,
) -> Result<bool, StoreError> {
    waits(
        work,
        channel,
        |wish| matches!(wish, Wish::RemoveDevice { device, .. } if device == wanted),
    )
}

/// What waits to be at the own inbox, or not to be there.
#[derive(Default)]
pub(crate) struct AtInbox {
    rotation: bool,
    list: bool,
    capabilities: BTreeSet<CapabilityId>,
    revoked: BTreeSet<CapabilityId>,
}

impl AtInbox {
    pub(crate) fn waiting(work: &Work<'_>) -> Result<Self, StoreError> {
        let mut waiting = Self::default();
        for row in work.tx.list::<WishRecord>(&[], usize::MAX)? {
            waiting.is_new(&row.record.wish)?;
        }
        Ok(waiting)
    }

    /// Wishes it, unless just that waits already (spec: CLI-182).
    pub(crate) fn wish(&mut self, work: &mut Work<'_>, wish: Wish) -> Result<(), StoreError> {
        if self.is_new(&wish)? { work.wish(wish).map(|_| ()) } else { Ok(()) }
    }

    fn is_new(&mut self, wish: &Wish) -> Result<bool, StoreError> {
        Ok(match wish {
            Wish::RotateInbox => !core::mem::replace(&mut self.rotation, true),
            Wish::PutDeviceList => !core::mem::replace(&mut self.list, true),
            Wish::PutCapability { secret, .. } => {
                self.capabilities.insert(capabilities::id_of(secret)?)
            }
            Wish::RevokeCapability { capability } => self.revoked.insert(*capability),
            _ => true,
        })
    }
}

/// A wish with its number.
pub(crate) struct Numbered {
    pub(crate) number: WishNumber,
    pub(crate) wish: Wish,
}

impl Wish {
    /// The channel it is about.
    pub(crate) const fn channel(&self) -> Option<&ChannelId> {
        match self {
            Self::CreateChannel { channel, .. }
            | Self::SendContent { channel, .. }
            | Self::SendReceipts { channel, .. }
            | Self::AddPerson { channel, .. }
            | Self::ChangeGroup { channel, .. }
            | Self::Pin { channel, .. }
            | Self::AddDevice { channel, .. }
            | Self::CommitAdditions { channel, .. }
            | Self::RemoveDevice { channel, .. }
            | Self::Leave { channel }
            | Self::CommitLeave { channel, .. }
            | Self::Admit { channel, .. }
            | Self::RotateDoor { channel, .. }
            | Self::PutDoorLink { channel, .. }
            | Self::RevokeDoorLink { channel, .. }
            | Self::LeaveEpoch { channel, .. }
            | Self::ReadGroup { channel }
            | Self::Rejoin { channel, .. }
            | Self::Readmit { channel, .. }
            | Self::RefreshLeaf { channel, .. }
            | Self::OfferSuccessor { before: channel, .. }
            | Self::Contest { channel } => Some(channel),
            _ => None,
        }
    }

    /// What an addition has gathered, if it is one.
    pub(crate) const fn addition(&self) -> Option<&Packages> {
        match self {
            Self::AddPerson { packages, .. } | Self::AddDevice { packages, .. } => Some(packages),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::trial::with_work;

    #[test]
    fn wishes_of_a_channel_are_found_also_in_a_store_of_a_build_before() {
        // spec: CLI-106
        with_work(|work| {
            let [here, there] = [1, 2].map(|byte| ChannelId::from_bytes([byte; 32]));
            let found = |work: &Work<'_>| -> Vec<u64> {
                of_channel(work, &here).unwrap().iter().map(|row| row.number.0).collect()
            };
            for channel in [here, there, here, here] {
                work.wish(Wish::Leave { channel }).unwrap();
            }
            work.wish(Wish::PutDeviceList).unwrap();
            assert_eq!(found(work), [1, 3, 4]);
            for channel in [here, there] {
                for number in 1..=5 {
                    let key = crate::record::by_channel_wish(&channel, WishNumber(number));
                    work.tx.remove(Table::ChannelWish, &key);
                }
            }
            assert_eq!(found(work), [0; 0]);
            assert_eq!(open(work).unwrap().len(), 5);
            assert_eq!(found(work), [1, 3, 4]);
            work.settle(WishNumber(3));
            assert_eq!(found(work), [1, 4]);
            // One that is about another channel by now.
            work.update_wish(WishNumber(1), Wish::Leave { channel: there }).unwrap();
            assert_eq!(found(work), [4]);
        });
    }
}
