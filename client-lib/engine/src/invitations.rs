//! Invitations: telling a new member's devices where the group is, and joining by being told.

use hushwire_protocol::{
    group::{Group, GroupError, GroupKind, Joined, OpenError},
    identity::{DeviceCredential, DeviceListRank, DeviceListVersion, Fingerprint},
    invitation::{
        ContactCard, GroupAddress, InboxContent, Invitation, Purpose, RatchetTree, SuiteCode,
    },
    profile::ProfileName,
    seal::{InboxPublicKey, ItemSender, seal_item},
};
use hushwire_wire::id::{CapabilitySecret, ChannelId, EpochId, InboxId};

use crate::{
    advance, chats,
    command::{ChatKind, ChatNumber, ChatState, ContactNumber, FailureReason},
    contacts, control, direct,
    event::Event,
    groups,
    inbox::{self, Fault},
    log,
    outbox::WelcomeRecord,
    packages::{Route, SUITE},
    profile,
    record::{GroupRecord, GroupState, PurposeRecord, SecretBytes, Wish},
    store::StoreError,
    work::Work,
};

/// Sends each joiner its invitation. The commit that adds it was applied.
pub(crate) fn send(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    group: &Group,
    welcomes: &[WelcomeRecord],
) -> Result<(), StoreError> {
    if welcomes.is_empty() {
        return Ok(());
    }
    let Some(record) = groups::record(work, channel)? else { return Ok(()) };
    let tree = group.tree_bytes().map_err(log::store_error)?;
    for welcome in welcomes {
        let Some(recipient) = recipient(work, &welcome.person)? else { continue };
        let invitation = Invitation {
            group: GroupAddress {
                relay: record.relay.parse().map_err(|_| StoreError::Damaged)?,
                channel: *channel,
                epoch: *epoch,
            },
            suite: SuiteCode(SUITE.code()),
            purpose: match record.purpose {
                PurposeRecord::Direct { .. } => Purpose::Direct,
                PurposeRecord::Group { .. } => Purpose::Group,
                PurposeRecord::OwnDevices => Purpose::OwnDevices,
            },
            welcome: welcome.welcome.clone(),
            tree: RatchetTree::Inline(tree.clone()),
            sender: own_card(work, &welcome.person)?,
        };
        let content = InboxContent::Invitation(Box::new(invitation));
        send_content(work, &recipient, &content, Some(*channel))?;
    }
    Ok(())
}

/// An invitation is in the inbox it was for: the other side of a direct chat can read from here on.
pub(crate) fn sent(work: &mut Work<'_>, invites: Option<&ChannelId>) -> Result<(), StoreError> {
    let Some(channel) = invites else { return Ok(()) };
    match groups::record(work, channel)?.map(|group| group.purpose) {
        Some(PurposeRecord::Direct { chat, .. }) => direct::opened(work, channel, chat),
        _ => Ok(()),
    }
}

/// An invitation will not arrive.
pub(crate) fn not_sent(work: &mut Work<'_>, invites: Option<&ChannelId>) -> Result<(), StoreError> {
    let Some(channel) = invites else { return Ok(()) };
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    match group.purpose {
        PurposeRecord::Direct { chat, .. } if !group.opened => {
            contacts::not_reached(work, chat, FailureReason::LinkNotValid)
        }
        _ => groups::change_failed(work, channel, FailureReason::NotReachable),
    }
}

/// An inbox to write to.
struct Recipient {
    relay: String,
    inbox: InboxId,
    capability: CapabilitySecret,
    key: InboxPublicKey,
}

fn recipient(work: &Work<'_>, person: &Fingerprint) -> Result<Option<Recipient>, StoreError> {
    let me = work.identity()?.ok_or(StoreError::Damaged)?.fingerprint();
    if *person == me {
        let route = Route::own(work)?;
        let key = inbox::required(work)?.inbox_key()?.public().map_err(|_| StoreError::Damaged)?;
        let relay = route.relay.to_string();
        return Ok(Some(Recipient {
            relay,
            inbox: route.inbox,
            capability: route.capability,
            key,
        }));
    }
    let Some(card) = contacts::card(work, person)? else { return Ok(None) };
    Ok(Some(Recipient {
        relay: card.relay.to_string(),
        inbox: card.inbox,
        capability: card.capability,
        key: card.inbox_key,
    }))
}

fn send_content(
    work: &mut Work<'_>,
    recipient: &Recipient,
    content: &InboxContent,
    invites: Option<ChannelId>,
) -> Result<(), StoreError> {
    let device = profile::device(work)?;
    let sender = ItemSender { credential: &device.credential, key: &device.key };
    let bytes = content.to_bytes();
    let item = seal_item(&recipient.inbox, &recipient.key, sender, &bytes, work.rng)
        .map_err(|_| StoreError::Failed)?;
    work.wish(Wish::SendItem {
        relay: recipient.relay.clone(),
        inbox: recipient.inbox,
        secret: SecretBytes::new(recipient.capability.expose()),
        item,
        invites,
    })?;
    Ok(())
}

/// How `person` writes to this identity: by a capability of their own.
pub(crate) fn own_card(
    work: &mut Work<'_>,
    person: &Fingerprint,
) -> Result<ContactCard, StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let record = inbox::required(work)?;
    let capability = if *person == identity.fingerprint() {
        record.own_capability.clone()
    } else {
        given_capability(work, person)?
    };
    let statement = identity.statement()?;
    Ok(ContactCard {
        relay: record.relay.parse().map_err(|_| StoreError::Damaged)?,
        inbox: record.inbox,
        capability: inbox::capability(&capability)?,
        device_list_minimum: DeviceListRank {
            manager_counter: statement.counter(),
            version: DeviceListVersion(record.device_list_version),
        },
        statement,
        inbox_key: record.inbox_key()?.public().map_err(|_| StoreError::Damaged)?,
        shelf_key: record.shelf_key()?,
        name: ProfileName::new(&identity.name).map_err(|_| StoreError::Damaged)?,
    })
}

/// The capability given to a contact; made, and wished to be known to the relay, the first time.
fn given_capability(work: &mut Work<'_>, person: &Fingerprint) -> Result<SecretBytes, StoreError> {
    contacts::ensure(work, person, None)?;
    let Some(mut contact) = contacts::load(work, person)? else { return Err(StoreError::Damaged) };
    if let Some(given) = contact.given {
        return Ok(given);
    }
    let secret = SecretBytes::new(&work.random::<32>());
    contact.given = Some(secret.clone());
    contacts::save(work, person, &contact)?;
    work.wish(Wish::PutCapability { secret: secret.clone(), link: None })?;
    Ok(secret)
}

/// Does what an inbox item says.
pub(crate) fn take(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    content: &[u8],
) -> Result<(), Fault> {
    let content =
        InboxContent::decode(content).map_err(|_| Fault::Rejected("ITEM_NOT_UNDERSTOOD"))?;
    match content {
        InboxContent::Invitation(invitation) => join(work, sender, &invitation),
        InboxContent::ContactCardUpdate(card) => take_card(work, sender, &card),
        // Re-adding is for a person to confirm; nobody can be asked by a machine alone.
        InboxContent::RejoinRequest(_) => Err(Fault::Rejected("REJOIN_NOT_SUPPORTED")),
    }
}

fn take_card(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    card: &ContactCard,
) -> Result<(), Fault> {
    if card.identity() != sender.identity() {
        return Err(Fault::Rejected("CARD_OF_ANOTHER"));
    }
    contacts::ensure(work, &sender.identity(), Some(card))?;
    Ok(())
}

fn join(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
) -> Result<(), Fault> {
    let RatchetTree::Inline(tree) = &invitation.tree else {
        return Err(Fault::Rejected("TREE_NOT_INLINE"));
    };
    let channel = invitation.group.channel;
    let known = groups::record(work, &channel)?;
    if known.is_some_and(|group| matches!(group.state, GroupState::Member | GroupState::Creating)) {
        // Already in: an invitation for another device of this identity, or a repeated one.
        return Ok(());
    }
    let device = profile::device(work)?;
    let provider = work.provider();
    let joined = match Group::join(&provider, &device.key, &channel, &invitation.welcome, tree) {
        Ok(joined) => joined,
        // For another device of this identity.
        Err(OpenError::Failed(GroupError::UnknownKeyPackage)) => return Ok(()),
        Err(OpenError::Rejected(_)) => return Err(Fault::Rejected("INVITATION_NOT_VALID")),
        Err(OpenError::Failed(error)) => return Err(Fault::Store(log::store_error(error))),
        Err(_) => return Err(Fault::Rejected("INVITATION_NOT_VALID")),
    };
    if joined.inviter.credential != *sender || !fits(invitation, &joined) {
        return Err(Fault::Rejected("INVITATION_NOT_VALID"));
    }
    enter(work, sender, invitation, &joined)
}

/// Whether the group is what the invitation says it is for.
fn fits(invitation: &Invitation, joined: &Joined) -> bool {
    matches!(
        (invitation.purpose, joined.group.state().kind),
        (Purpose::Direct, GroupKind::Direct)
            | (Purpose::Group, GroupKind::Group)
            | (Purpose::OwnDevices, GroupKind::OwnDevices)
    )
}

fn enter(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
    joined: &Joined,
) -> Result<(), Fault> {
    let me = profile::fingerprint(work).map_err(|_| StoreError::Damaged)?;
    let from_me = sender.identity() == me;
    if !from_me {
        take_card(work, sender, &invitation.sender)?;
    }
    let purpose = match invitation.purpose {
        Purpose::Direct => direct_purpose(work, &joined.group, &me)?,
        Purpose::Group => group_purpose(work, invitation, joined)?,
        Purpose::OwnDevices if from_me => PurposeRecord::OwnDevices,
        Purpose::OwnDevices => return Err(Fault::Rejected("INVITATION_NOT_VALID")),
    };
    let channel = invitation.group.channel;
    let epoch = invitation.group.epoch;
    advance::begin_epoch(work, &channel, &epoch, &joined.keys)?;
    let record = GroupRecord {
        relay: invitation.group.relay.to_string(),
        purpose,
        state: GroupState::Member,
        epoch,
        contest: None,
        opened: true,
        epoch_since_ms: work.now.0,
    };
    groups::save(work, &channel, &record)?;
    work.effects.channels.insert(channel);
    if let PurposeRecord::Direct { chat, contact } = purpose {
        entered_direct(work, &channel, chat, contact)?;
        if !from_me {
            control::send_card(work, &channel, &sender.identity())?;
        }
    }
    Ok(())
}

fn direct_purpose(
    work: &mut Work<'_>,
    group: &Group,
    me: &Fingerprint,
) -> Result<PurposeRecord, Fault> {
    let members = group.members().map_err(|error| Fault::Store(log::store_error(error)))?;
    let other = members.iter().map(|member| member.identity()).find(|identity| identity != me);
    // An own device may invite before the other side is in; then nobody is named yet.
    let other = other.ok_or(Fault::Rejected("DIRECT_WITHOUT_OTHER"))?;
    let contact = contacts::ensure(work, &other, None)?;
    let known = contacts::load(work, &other)?.and_then(|contact| contact.chat);
    let chat = match known {
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

fn entered_direct(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    contact: ContactNumber,
) -> Result<(), StoreError> {
    direct::opened(work, channel, chat)?;
    work.event(Event::ContactChanged(contact))
}

fn group_purpose(
    work: &mut Work<'_>,
    invitation: &Invitation,
    joined: &Joined,
) -> Result<PurposeRecord, Fault> {
    let name = joined.group.state().name.clone();
    let known = groups::chat_of(work, &invitation.group.channel)?;
    let chat = match known {
        Some(chat) => {
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
