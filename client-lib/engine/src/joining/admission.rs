//! Who may invite this device to what, as far as can be said before the group itself is looked at.

use hushwire_protocol::{
    identity::DeviceCredential,
    invitation::{Invitation, Purpose},
};
use hushwire_wire::id::{CapabilityId, ChannelId};

use super::{check_card, check_contact, device, is_from_me, relays};
use crate::{
    asking, chats,
    command::{ChatNumber, ChatState, Whose},
    direct::{self, Room},
    event::InvitationRefusal,
    groups,
    inbox::Fault,
    record::{GroupRecord, PurposeRecord},
    store::StoreError,
    succession,
    work::Work,
};

/// Whether this device may follow an invitation, as far as its group does not have to be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// By another identity.
    Theirs,
    /// By another identity, to a group that this person asked to be let into.
    Asked(ChatNumber),
    /// By a device of its own.
    Own,
    /// It is in already.
    There,
}

pub(super) fn admit(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
    known: Option<&GroupRecord>,
    came_by: Option<&CapabilityId>,
) -> Result<Admission, Fault> {
    let channel = invitation.group.channel;
    if let Some(known) = known.filter(|known| known.state.is_in()) {
        // A repeated one, or one that follows a removal of which this device has not read yet.
        let repeated = known.epoch == invitation.group.epoch;
        return if repeated { Ok(Admission::There) } else { Err(Fault::Early) };
    }
    check_card(sender, &invitation.sender)?;
    device::check(work, sender)?;
    // spec: LNK-100
    let asked = match asking::answered_by(work, invitation, came_by)? {
        Some(chat) => Some(chat),
        // spec: CLI-201
        None => succession::leads_on(work, invitation)?.map(|leads_on| leads_on.chat),
    };
    if let Some(known) = known {
        check_known(work, &channel, known, sender, invitation, asked)?;
    }
    let whose = if is_from_me(work, sender)? { Whose::Mine } else { Whose::Others };
    // What this person asked for needs no contact.
    if asked.is_none() {
        check_purpose(work, sender, invitation, whose)?;
    }
    if whose == Whose::Mine {
        return Ok(Admission::Own);
    }
    // What this person asked for is their own choice.
    if let Some(chat) = asked {
        return Ok(Admission::Asked(chat));
    }
    relays::check(work, &sender.identity(), invitation)?;
    Ok(Admission::Theirs)
}

/// Who may invite to what.
fn check_purpose(
    work: &Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
    whose: Whose,
) -> Result<(), Fault> {
    match (invitation.purpose, whose) {
        // spec: LNK-059
        (Purpose::OwnDevices, Whose::Others) => {
            Err(Fault::Refused(InvitationRefusal::OtherPurpose))
        }
        // Who has a link begins a direct chat, and is a contact from then on.
        (Purpose::Direct, _) | (Purpose::Group | Purpose::OwnDevices, Whose::Mine) => Ok(()),
        (Purpose::Group, Whose::Others) => check_contact(work, &sender.identity()),
    }
}

/// Who goes on beginning a direct chat has the others of its groups given up (spec: LNK-065). Nothing
/// is given up for an invitation that leads nowhere, so this comes last.
pub(super) fn check_direct(
    work: &mut Work<'_>,
    channel: &ChannelId,
    sender: &DeviceCredential,
    whose: Whose,
) -> Result<(), Fault> {
    if direct::is_last(channel) {
        return Err(Fault::Rejected("INVITATION_NOT_VALID"));
    }
    if whose == Whose::Mine {
        return Ok(());
    }
    let open = direct::devices::open_channels(work, &sender.identity())?;
    match direct::make_room(work, open, channel, &sender.device())? {
        Room::There => Ok(()),
        Room::None => Err(Fault::Refused(InvitationRefusal::TooManyGroups)),
    }
}

/// A channel that this device knows is opened again by its members only, and as what it was
/// (spec: LNK-045).
fn check_known(
    work: &mut Work<'_>,
    channel: &ChannelId,
    known: &GroupRecord,
    sender: &DeviceCredential,
    invitation: &Invitation,
    asked: Option<ChatNumber>,
) -> Result<(), Fault> {
    let of_another =
        asked.is_none() && !groups::last_roster(work, channel, known)?.contains(&sender.identity());
    let refusal = if of_another {
        InvitationRefusal::NotAMember
    } else if invitation.group.relay.to_string() != known.relay {
        InvitationRefusal::OtherRelay
    } else if !is_for(known.purpose, invitation.purpose) {
        InvitationRefusal::OtherPurpose
    } else if is_dissolved(work, known)? {
        // spec: CLI-153
        InvitationRefusal::Dissolved
    } else {
        return Ok(());
    };
    Err(Fault::Refused(refusal))
}

/// Nobody can take a group up again that an owner has ended.
fn is_dissolved(work: &Work<'_>, known: &GroupRecord) -> Result<bool, StoreError> {
    let chat = known.purpose.chat().map(|chat| chats::load(work, chat)).transpose()?.flatten();
    Ok(chat.is_some_and(|chat| chat.state == ChatState::Dissolved))
}

fn is_for(known: PurposeRecord, named: Purpose) -> bool {
    matches!(
        (known, named),
        (PurposeRecord::Direct { .. }, Purpose::Direct)
            | (PurposeRecord::Group { .. }, Purpose::Group)
            | (PurposeRecord::OwnDevices, Purpose::OwnDevices)
    )
}
