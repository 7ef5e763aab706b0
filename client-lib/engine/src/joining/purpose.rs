//! Which chat a group that this device came into carries.

use hushwire_protocol::{
    group::{Group, Joined},
    invitation::{Invitation, Purpose},
};
use hushwire_wire::id::ChannelId;

use super::entering::Before;
use crate::{
    asking, chats,
    command::{ChatKind, ChatNumber, ChatState, ContactNumber, Whose},
    contacts, direct,
    event::{Event, InvitationRefusal},
    groups,
    inbox::Fault,
    log,
    record::PurposeRecord,
    store::StoreError,
    succession::{self, Ground, Standing},
    work::Work,
};

/// What a group is for, and which chat it carries.
pub(super) fn of(
    work: &mut Work<'_>,
    invitation: &Invitation,
    joined: &Joined,
    before: &Before,
) -> Result<PurposeRecord, Fault> {
    let known = before.record.as_ref().map(|known| known.purpose);
    match invitation.purpose {
        Purpose::Direct => direct(work, &joined.group, known),
        Purpose::Group => {
            let ground = match before.whose {
                _ if before.read || speaks_before(work, invitation, joined, before.asked)? => {
                    Ground::Read
                }
                Whose::Mine => Ground::OwnDevice,
                Whose::Others => Ground::Invitation,
            };
            group(work, invitation, joined, known, before.asked, ground)
        }
        Purpose::OwnDevices => Ok(PurposeRecord::OwnDevices),
    }
}

/// Whether the group before speaks for what an invitation leads to: its offer was read there, and not in
/// another one. That a person asks by a link for a group says nothing of the one that it takes the place of
/// (spec: CLI-187).
fn speaks_before(
    work: &mut Work<'_>,
    invitation: &Invitation,
    joined: &Joined,
    asked: Option<ChatNumber>,
) -> Result<bool, StoreError> {
    let Some(chat) = asked else { return Ok(false) };
    let Some(before) = joined.group.state().before.as_ref().map(|said| said.before) else {
        return Ok(false);
    };
    if asking::follows(work, chat)? == Some(before) {
        return Ok(true);
    }
    let leads_on = succession::leads_on(work, invitation)?;
    Ok(leads_on.is_some_and(|leads_on| leads_on.before == before))
}

/// The direct chat with the one other person of the group. Its inviter is that person, or an own
/// device: no third can be in it (spec: GRP-013).
fn direct(
    work: &mut Work<'_>,
    group: &Group,
    known: Option<PurposeRecord>,
) -> Result<PurposeRecord, Fault> {
    let me = work.me()?;
    let members = group.members().map_err(|error| Fault::Store(log::store_error(error)))?;
    let other = members.iter().map(|member| member.identity()).find(|identity| *identity != me);
    // An own device may invite before the other side is in; then nobody is named yet.
    let other = other.ok_or(Fault::Rejected("DIRECT_WITHOUT_OTHER"))?;
    let contact = contacts::ensure(work, &other, None)?;
    if let Some(PurposeRecord::Direct { contact: before, .. }) = known
        && before != contact
    {
        // Only an own device could name another: the peer is in the group it invites to.
        return Err(Fault::Rejected("INVITATION_NOT_VALID"));
    }
    let chat = contacts::load(work, &other)?.and_then(|contact| contact.chat);
    let chat = match chat {
        Some(chat) => chat,
        None => {
            let name = contacts::name_of(work, &other)?;
            let kind = ChatKind::Direct;
            let chat = chats::add(work, name, kind, ChatState::Opening, None, Some(contact))?;
            contacts::set_chat(work, &other, chat)?;
            chat
        }
    };
    Ok(PurposeRecord::Direct { chat, contact })
}

pub(super) fn entered_direct(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    contact: ContactNumber,
) -> Result<(), StoreError> {
    direct::opened(work, channel, chat)?;
    work.event(Event::ContactChanged(contact))
}

/// The chat of several in which the group is: a new one, that of an asking, or the one that it takes the
/// place of.
fn group(
    work: &mut Work<'_>,
    invitation: &Invitation,
    joined: &Joined,
    known: Option<PurposeRecord>,
    asked: Option<ChatNumber>,
    ground: Ground,
) -> Result<PurposeRecord, Fault> {
    let name = joined.group.state().name.clone();
    let channel = &invitation.group.channel;
    let relay = &invitation.group.relay;
    let standing = succession::standing(work, &joined.group, channel, relay, ground)?;
    if let Some(asked) = asked {
        let goes_on = matches!(standing, Standing::Follows { chat } if chat == asked);
        if asking::follows(work, asked)?.is_some() && !goes_on {
            return Err(match succession::is_expected(work, channel)? {
                true => Fault::Rejected("INVITATION_NOT_VALID"),
                // The word by which it asked there is over.
                false => Fault::Refused(InvitationRefusal::NotFollowed),
            });
        }
        asking::entered(work, asked)?;
    }
    let carried = match standing {
        Standing::Follows { chat } => {
            // The person asked to be let in where their chat goes on; or one chat goes on there, by what was
            // read in its group, and another one, as the group itself says.
            if let Some(asked) = asked.filter(|asked| *asked != chat) {
                if chats::load(work, asked)?.is_none_or(|it| it.state != ChatState::Asked) {
                    return Err(Fault::Rejected("INVITATION_NOT_VALID"));
                }
                chats::set_state(work, asked, ChatState::Elsewhere)?;
            }
            asking::entered(work, chat)?;
            succession::retire(work, channel, chat)?;
            Some(chat)
        }
        Standing::Unread(unread) => return Err(Fault::Unread(unread)),
        Standing::Outranked => return Err(Fault::Refused(InvitationRefusal::Outranked)),
        Standing::NotFollowed => return Err(Fault::Refused(InvitationRefusal::NotFollowed)),
        Standing::Left if asked.is_none() => {
            return Err(Fault::Refused(InvitationRefusal::NotFollowed));
        }
        Standing::Plain if succession::is_expected(work, channel)? => {
            return Err(Fault::Rejected("INVITATION_NOT_VALID"));
        }
        Standing::Plain | Standing::Left => known.and_then(PurposeRecord::chat).or(asked),
    };
    succession::look_ahead(work, channel)?;
    let chat = match carried {
        Some(chat) => {
            chats::set_channel(work, chat, &invitation.group.channel)?;
            groups::take_name(work, chat, &joined.group)?;
            chats::set_state(work, chat, ChatState::Open)?;
            chat
        }
        None => {
            let channel = Some(invitation.group.channel);
            chats::add(work, name, ChatKind::Group, ChatState::Open, channel, None)?
        }
    };
    Ok(PurposeRecord::Group { chat })
}
