//! Invitations: telling a new member's devices where the group is. `joining` has the other side.

use hushwire_protocol::{
    address::RelayAddress,
    card::ShelfKey,
    group::Group,
    identity::{DeviceListRank, DeviceListVersion, Fingerprint},
    invitation::{
        ContactCard, GroupAddress, InboxContent, Invitation, Purpose, SnapshotPlace, SuiteCode,
    },
    profile::ProfileName,
    seal::{InboxKey, InboxPublicKey, ItemSender, seal_item},
};
use hushwire_wire::id::{CapabilitySecret, ChannelId, EpochId, InboxId};
use serde::{Deserialize, Serialize};

use crate::{
    capabilities::{self, Uses},
    chats,
    command::{ChatState, FailureReason},
    contacts, direct, door, groups, inbox, linking, log,
    outbox::CommitRecord,
    packages::{REFUSALS_MAX, Route},
    profile,
    record::{Invitee, PurposeRecord, SecretBytes, UnsealedItem, Wish, WishNumber, id},
    snapshots::{self, SNAPSHOT_INLINE_BYTES_MAX},
    store::StoreError,
    wish::{self, Progress},
    work::Work,
};

/// What all invitations of a commit say alike.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) relay: String,
    #[serde(with = "id")]
    pub(crate) channel: ChannelId,
    /// The epoch that the commit opened.
    #[serde(with = "id")]
    pub(crate) epoch: EpochId,
    suite: u16,
    purpose: PurposeRecord,
}

/// Sends each joiner its invitation. The commit that adds it was applied (spec: GRP-070, GRP-072).
pub(crate) fn send(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    group: &Group,
    commit: CommitRecord,
) -> Result<(), StoreError> {
    let invitees = commit.invitees;
    if invitees.is_empty() {
        return Ok(());
    }
    let Some(record) = groups::record(work, channel)? else { return Ok(()) };
    let terms = Terms {
        relay: record.relay,
        channel: *channel,
        epoch: *epoch,
        suite: group.suite().map_err(log::store_error)?.code(),
        purpose: record.purpose,
    };
    let snapshot = group.snapshot(commit.group_info).map_err(log::store_error)?;
    // spec: LNK-046
    if snapshot.bytes_length().saturating_mul(invitees.len()) > SNAPSHOT_INLINE_BYTES_MAX {
        return snapshots::share(work, terms, &snapshot, invitees);
    }
    for invitee in invitees {
        invite(work, &terms, invitee, SnapshotPlace::Inline(snapshot.clone()))?;
    }
    Ok(())
}

/// Wishes one joiner's invitation to be in its inbox.
pub(crate) fn invite(
    work: &mut Work<'_>,
    terms: &Terms,
    invitee: Invitee,
    snapshot: SnapshotPlace,
) -> Result<(), StoreError> {
    let Some(recipient) = recipient(work, Some(&terms.channel), &invitee.person)? else {
        return Ok(());
    };
    let invitation = Invitation {
        group: GroupAddress {
            relay: terms.relay.parse().map_err(|_| StoreError::Damaged)?,
            channel: terms.channel,
            epoch: terms.epoch,
        },
        suite: SuiteCode(terms.suite),
        purpose: match terms.purpose {
            PurposeRecord::Direct { .. } => Purpose::Direct,
            PurposeRecord::Group { .. } | PurposeRecord::Former { .. } => Purpose::Group,
            PurposeRecord::OwnDevices => Purpose::OwnDevices,
        },
        secrets: invitee.secrets,
        snapshot,
        sender: sender_card(work, &terms.channel, &invitee.person)?,
    };
    let content = InboxContent::Invitation(Box::new(invitation));
    send_content(work, &recipient, &content, &invitee.person, Some(terms.channel))?;
    Ok(())
}

/// Writes an item to somebody's inbox, if it is known how.
pub(crate) fn write(
    work: &mut Work<'_>,
    person: &Fingerprint,
    content: &InboxContent,
) -> Result<Option<WishNumber>, StoreError> {
    match recipient(work, None, person)? {
        Some(recipient) => send_content(work, &recipient, content, person, None).map(Some),
        None => Ok(None),
    }
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
        _ if !group.state.is_in() => Ok(()),
        PurposeRecord::Direct { chat, .. } if !group.opened => {
            contacts::not_reached(work, chat, Some(*channel), FailureReason::LinkNotValid)
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

/// How to reach somebody: whom this device lets into a group by the card of their request, others by
/// that of the contact (spec: LNK-101).
pub(crate) fn card_of(
    work: &Work<'_>,
    channel: Option<&ChannelId>,
    person: &Fingerprint,
) -> Result<Option<ContactCard>, StoreError> {
    let guest = match channel {
        Some(channel) => door::requests::guest_card(work, channel, person)?,
        None => None,
    };
    guest.map_or_else(|| contacts::card(work, person), |card| Ok(Some(card)))
}

impl From<ContactCard> for Recipient {
    fn from(card: ContactCard) -> Self {
        Self {
            relay: card.relay.to_string(),
            inbox: card.inbox,
            capability: card.capability,
            key: card.inbox_key,
        }
    }
}

fn recipient(
    work: &Work<'_>,
    invites: Option<&ChannelId>,
    person: &Fingerprint,
) -> Result<Option<Recipient>, StoreError> {
    let me = work.me()?;
    if *person == me {
        let route = Route::own(work)?;
        let key = inbox::told_key(work)?.public().map_err(|_| StoreError::Damaged)?;
        let relay = route.relay.to_string();
        return Ok(Some(Recipient {
            relay,
            inbox: route.inbox,
            capability: route.capability,
            key,
        }));
    }
    Ok(card_of(work, invites, person)?.map(Recipient::from))
}

/// Writes to somebody who is no contact, by the card of their request.
pub(crate) fn send_to_guest(
    work: &mut Work<'_>,
    card: &ContactCard,
    content: &InboxContent,
) -> Result<(), StoreError> {
    let person = card.identity();
    let copy = ContactCard::decode_stored(&card.to_bytes()).map_err(|_| StoreError::Damaged)?;
    send_content(work, &Recipient::from(copy), content, &person, None).map(|_| ())
}

fn send_content(
    work: &mut Work<'_>,
    recipient: &Recipient,
    content: &InboxContent,
    person: &Fingerprint,
    invites: Option<ChannelId>,
) -> Result<WishNumber, StoreError> {
    let content = SecretBytes::new(&content.to_bytes());
    let letter = UnsealedItem { person: *person, content, refusals: 0 };
    let wish = sealed(work, recipient, letter, invites)?;
    work.wish(wish)
}

fn sealed(
    work: &mut Work<'_>,
    recipient: &Recipient,
    letter: UnsealedItem,
    invites: Option<ChannelId>,
) -> Result<Wish, StoreError> {
    let device = profile::device(work)?;
    let sender = ItemSender { credential: &device.credential, key: &device.key };
    let content = letter.content.expose();
    let item = seal_item(&recipient.inbox, &recipient.key, sender, content, work.rng)
        .map_err(|_| StoreError::Failed)?;
    Ok(Wish::SendItem {
        relay: recipient.relay.clone(),
        inbox: recipient.inbox,
        secret: SecretBytes::new(recipient.capability.expose()),
        item,
        invites,
        letter: Some(letter),
    })
}

/// An inbox refused an item. Its person may have other keys by now, of which a card tells: then it is
/// sealed anew. Else it is tried again, for a bounded number of times (spec: IDN-060).
pub(crate) fn refused(
    work: &mut Work<'_>,
    number: WishNumber,
    wish: Wish,
    retry_after_ms: u64,
) -> Result<Progress, StoreError> {
    let Wish::SendItem { relay, inbox, secret, item, invites, letter } = wish else {
        return Ok(Progress::Next);
    };
    if letter.is_none() {
        // A message of a linking. If that is over, the other side had it, and cleared its rendezvous.
        linking::not_sent(work, &inbox)?;
        work.settle(number);
        return Ok(Progress::Settled);
    }
    // Who asked does not want to hear of it any more.
    let declines = |letter: &UnsealedItem| {
        matches!(InboxContent::decode(letter.content.expose()), Ok(InboxContent::JoinDecline(_)))
    };
    if letter.as_ref().is_some_and(declines) {
        work.settle(number);
        return Ok(Progress::Settled);
    }
    let other_side = other_side(work, invites.as_ref(), letter.as_ref())?;
    if other_side == OtherSide::Here {
        sent(work, invites.as_ref())?;
    }
    let is_over = |letter: &UnsealedItem| match other_side {
        OtherSide::Missing => true,
        OtherSide::MayBeHere => false,
        OtherSide::Here | OtherSide::NoMatter => letter.refusals >= REFUSALS_MAX,
    };
    let Some(mut letter) = letter.filter(|letter| !is_over(letter)) else {
        inbox::not_sent(work, number, &inbox, invites.as_ref())?;
        return Ok(Progress::Settled);
    };
    letter.refusals = letter.refusals.saturating_add(1);
    if let Some(now) = recipient(work, invites.as_ref(), &letter.person)?
        && now.capability.expose()[..] != *secret.expose()
    {
        let wish = sealed(work, &now, letter, invites)?;
        work.update_wish(number, wish)?;
        return Ok(Progress::Next);
    }
    let letter = Some(letter);
    work.update_wish(number, Wish::SendItem { relay, inbox, secret, item, invites, letter })?;
    Ok(Progress::Refused { retry_after_ms })
}

/// What is known of whom a refused item invites to a direct chat by a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OtherSide {
    /// They were heard in the group: an item was taken, and the receipt for it lost. What their other
    /// devices lack goes by the card that they told there.
    Here,
    /// They may have been: the group is not read to its end yet.
    MayBeHere,
    /// Nobody was heard.
    Missing,
    /// The item invites to nothing that waits for somebody.
    NoMatter,
}

/// Who stands behind a refused item. A link's word on an invitation is final, but for whom it brought before
/// it was used up or gone: they speak in the group (spec: IDN-060). Where the other side began the chat
/// meanwhile, the item goes by its card, as any other.
fn other_side(
    work: &mut Work<'_>,
    invites: Option<&ChannelId>,
    letter: Option<&UnsealedItem>,
) -> Result<OtherSide, StoreError> {
    let Some(channel) = invites else { return Ok(OtherSide::NoMatter) };
    let group = groups::record(work, channel)?;
    let Some(group) = group.filter(|group| !group.opened) else { return Ok(OtherSide::NoMatter) };
    let PurposeRecord::Direct { chat, .. } = group.purpose else { return Ok(OtherSide::NoMatter) };
    if chats::load(work, chat)?.is_none_or(|chat| chat.state == ChatState::Open) {
        return Ok(OtherSide::NoMatter);
    }
    if direct::standing::is_heard(work, channel)? {
        return Ok(OtherSide::Here);
    }
    if !group.state.is_in() {
        return Ok(OtherSide::Missing);
    }
    if letter.is_some_and(|letter| letter.refusals == 0) {
        wish::read_to_end(work, channel)?;
    }
    match wish::waits(work, channel, |wish| matches!(wish, Wish::ReadGroup { .. }))? {
        true => Ok(OtherSide::MayBeHere),
        false => Ok(OtherSide::Missing),
    }
}

/// What an invitation says of its sender. Somebody who is let in by a link gets a card that leads
/// nowhere: they do not become a contact by that (spec: LNK-101).
fn sender_card(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<ContactCard, StoreError> {
    let guest = door::requests::guest_card(work, channel, person)?.is_some();
    if !guest || contacts::is_contact(work, person)? {
        return own_card(work, person);
    }
    let relay = groups::with_relay(work, channel)?.ok_or(StoreError::Damaged)?.relay;
    card_to_nowhere(work, relay)
}

/// A card that says who this is, and nothing of how to reach them.
fn card_to_nowhere(work: &mut Work<'_>, relay: RelayAddress) -> Result<ContactCard, StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let statement = identity.statement()?;
    Ok(ContactCard {
        relay,
        inbox: InboxId::from_bytes(work.random()),
        capability: CapabilitySecret::from_bytes(work.random()),
        device_list_minimum: DeviceListRank {
            manager_counter: statement.counter(),
            version: DeviceListVersion(0),
        },
        statement,
        inbox_key: InboxKey::generate(work.rng).public().map_err(|_| StoreError::Failed)?,
        shelf_key: ShelfKey::generate(work.rng),
        name: ProfileName::from_stored(&identity.name),
    })
}

/// How `person` writes to this identity: by a capability of their own. Own devices know it, and what
/// goes to them may be sealed to a key that a revoked one has too (spec: IDN-080).
pub(crate) fn own_card(
    work: &mut Work<'_>,
    person: &Fingerprint,
) -> Result<ContactCard, StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    if *person == identity.fingerprint() {
        let relay = inbox::required(work)?.relay.parse().map_err(|_| StoreError::Damaged)?;
        return card_to_nowhere(work, relay);
    }
    let capability = given_capability(work, person)?;
    card_with(work, inbox::capability(&capability)?)
}

/// How whoever has this capability writes to this identity.
pub(crate) fn card_with(
    work: &Work<'_>,
    capability: CapabilitySecret,
) -> Result<ContactCard, StoreError> {
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let record = inbox::required(work)?;
    let statement = identity.statement()?;
    Ok(ContactCard {
        relay: record.relay.parse().map_err(|_| StoreError::Damaged)?,
        inbox: record.inbox,
        capability,
        device_list_minimum: DeviceListRank {
            manager_counter: statement.counter(),
            version: DeviceListVersion(record.device_list_version),
        },
        statement,
        inbox_key: record.inbox_key()?.public().map_err(|_| StoreError::Damaged)?,
        shelf_key: record.shelf_key()?,
        name: ProfileName::from_stored(&identity.name),
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
    capabilities::make(work, secret.clone(), None, Uses::Lasting)?;
    Ok(secret)
}
