//! Control entries: what clients tell each other inside a group, not for people's eyes.

use hushwire_protocol::{
    content::{Content, ControlEntry, ControlKind, ControlMessage},
    group::{Group, Member},
    identity::Fingerprint,
    invitation::ContactCard,
    succession::SuccessorOffer,
};
use hushwire_wire::id::ChannelId;

use crate::{
    contacts,
    devices::{self, Told},
    direct, door, forks, groups, inbox, invitations, messages, pins,
    record::{GroupRecord, GroupState, PurposeRecord, Wish, WishNumber},
    store::StoreError,
    succession,
    work::Work,
};

/// Does what control entries of a member say. Kinds that this version does not know are passed
/// over (spec: CNT-041).
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    mls: &Group,
    from: &Member,
    message: &ControlMessage,
) -> Result<(), StoreError> {
    let me = work.me()?;
    let sender = &from.identity();
    // spec: LNK-121
    let is_theirs = *sender != me && direct::devices::speaks(work, mls, from)?;
    for entry in message.entries() {
        match (entry.kind, group.purpose) {
            (ControlKind::ContactCard, PurposeRecord::Direct { .. }) if is_theirs => {
                take_card(work, sender, &entry.payload)?;
            }
            (ControlKind::Devices, PurposeRecord::Direct { .. }) if is_theirs => {
                direct::take_list(work, channel, sender, &entry.payload)?;
            }
            (ControlKind::BranchLeft, _) => {
                forks::heard_leaving(work, channel, mls, sender, &entry.payload)?;
            }
            // Own devices speak in their own group only (spec: CNT-042).
            (kind, PurposeRecord::OwnDevices) if *sender == me => {
                devices::take_state(work, &from.device(), kind, &entry.payload)?;
            }
            (
                ControlKind::Door
                | ControlKind::DoorLinkMade
                | ControlKind::DoorLinkRevoked
                | ControlKind::JoinDeclined
                | ControlKind::ApprovalNeeded,
                PurposeRecord::Group { chat },
            ) => door::take(work, channel, chat, mls, sender, entry)?,
            (
                ControlKind::Successor,
                PurposeRecord::Group { .. } | PurposeRecord::Former { .. },
            ) => {
                if let Ok(offer) = SuccessorOffer::from_bytes(&entry.payload) {
                    succession::take(work, channel, &offer)?;
                }
            }
            (ControlKind::Pin, purpose) => {
                if let Some(chat) = purpose.chat() {
                    pins::take(work, chat, sender, &entry.payload)?;
                }
            }
            _ => {}
        }
    }
    if *sender == me { take_own_lists(work, channel, group, from, message) } else { Ok(()) }
}

/// Takes the device lists that an own device says, all of one message together, and behind all else that
/// it says: what is revoked there is in none of them (spec: CLI-148).
fn take_own_lists(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    from: &Member,
    message: &ControlMessage,
) -> Result<(), StoreError> {
    let kind = match group.purpose {
        PurposeRecord::OwnDevices => ControlKind::DevicesListed,
        _ => ControlKind::Devices,
    };
    let listed = message.entries().iter().filter(|entry| entry.kind == kind);
    let mut lists = listed.map(|entry| &entry.payload[..]).peekable();
    if lists.peek().is_none() {
        return Ok(());
    }
    match group.purpose {
        PurposeRecord::OwnDevices => match devices::take_lists_of_own_group(work, lists)? {
            Told::Cards => devices::send_cards(work),
            Told::Nothing => Ok(()),
        },
        PurposeRecord::Direct { contact, .. } => {
            devices::take_lists_of_direct(work, channel, contact, &from.device(), lists)
        }
        PurposeRecord::Group { .. } | PurposeRecord::Former { .. } => Ok(()),
    }
}

fn take_card(work: &mut Work<'_>, sender: &Fingerprint, payload: &[u8]) -> Result<(), StoreError> {
    // A card of somebody else, or none at all, changes nothing (spec: LNK-049).
    match ContactCard::decode(payload) {
        Ok(card) if card.is_of(sender) => {
            contacts::ensure(work, sender, Some(&card)).map(|_| ())?;
            devices::tell_contact(work, sender)
        }
        _ => Ok(()),
    }
}

/// Sends this identity's card to the other side of a direct chat, with what its devices are
/// (spec: LNK-110).
pub(crate) fn send_card(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<(), StoreError> {
    let card = invitations::own_card(work, person)?;
    let card = ControlEntry { kind: ControlKind::ContactCard, payload: card.to_bytes().to_vec() };
    let payload = inbox::required(work)?.device_list;
    send(work, channel, vec![card, ControlEntry { kind: ControlKind::Devices, payload }])
}

/// Sends control entries to a group.
pub(crate) fn send(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entries: Vec<ControlEntry>,
) -> Result<(), StoreError> {
    send_one(work, channel, entries).map(|_| ())
}

/// The same, with the wish that sends them; none: nobody hears this device there any more.
pub(crate) fn send_one(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entries: Vec<ControlEntry>,
) -> Result<Option<WishNumber>, StoreError> {
    if groups::record(work, channel)?.is_some_and(|group| group.state == GroupState::Out) {
        return Ok(None);
    }
    let message = ControlMessage::new(entries).map_err(|_| StoreError::Failed)?;
    let salt = messages::salt(work);
    let content = Content::control(salt, &message).encode().map_err(|_| StoreError::Failed)?;
    let content = content.into_bytes();
    work.wish(Wish::SendContent { channel: *channel, content, message: None }).map(Some)
}

/// Sends control entries to a group, so many of them in one message.
pub(crate) fn send_all(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entries: &[ControlEntry],
    per_message: usize,
) -> Result<(), StoreError> {
    for part in entries.chunks(per_message) {
        send(work, channel, part.to_vec())?;
    }
    Ok(())
}
