//! The links of a group: told to all its members, so that each who may make links can list and revoke
//! all of them (spec: GRP-113). What members say of them is in `told`.

mod told;

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    door::{Admission, DoorCard, DoorLink, DoorTerms},
    group::{Allowed, Right},
    identity::Fingerprint,
    link::{ContactLink, LinkSecret, LinkTarget},
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId, InboxId, Timestamp},
    message::Request,
    transcript,
};
use serde::{Deserialize, Serialize};

pub(crate) use self::told::{entries, makers_gone, take_made, take_revoked};
use super::{DoorRecord, opening, requests};
use crate::{
    command::{
        ChatNumber, CommandError, GroupLinkInfo, GroupLinkNumber, GroupLinkTerms, LinkAdmission,
        LinkState, Reply, SecretText,
    },
    control,
    event::Event,
    groups, log, profile,
    record::{Keyed, Record, SecretBytes, Wish, WishNumber, id},
    revoking,
    store::{StoreError, Table},
    succession,
    wish::{self, Desk, Progress, Step},
    work::Work,
};

/// Links of one group that can be used at a time.
const LINKS_MAX: usize = 32;
/// Requests that a link is good for (`capability_items`).
const USES_MAX: u64 = 1_000;

/// Stands for the number of a link that was revoked before it was heard of: nobody is shown it.
const NEVER_HEARD: u64 = 0;

/// A link of a group. Key: `group link `, channel, capability id.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupLinkRecord {
    pub(crate) number: u64,
    #[serde(with = "id")]
    inbox: InboxId,
    secret: SecretBytes,
    #[serde(with = "id")]
    maker: Fingerprint,
    /// Who told of it; none: a build before did not note that.
    #[serde(with = "id::option", default)]
    teller: Option<Fingerprint>,
    admission: LinkAdmission,
    uses: Option<u64>,
    ends_at_ms: Option<u64>,
    published: bool,
    /// Since when it is over, if it was revoked: it is remembered for a while, so that nobody who has
    /// not heard of that brings it back.
    over_since_ms: Option<u64>,
}

impl Record for GroupLinkRecord {
    const TABLE: Table = Table::Profile;
}

fn prefix(channel: &ChannelId) -> Vec<u8> {
    [b"group link ", &channel.as_bytes()[..]].concat()
}

fn key(channel: &ChannelId, capability: &CapabilityId) -> Vec<u8> {
    [&prefix(channel)[..], capability.as_bytes()].concat()
}

fn capability_in(channel: &ChannelId, key: &[u8]) -> Result<CapabilityId, StoreError> {
    let capability = key.get(prefix(channel).len()..).unwrap_or_default();
    CapabilityId::from_slice(capability).map_err(|_| StoreError::Damaged)
}

impl GroupLinkRecord {
    pub(crate) fn secret(&self) -> Result<LinkSecret, StoreError> {
        self.secret.array().map(LinkSecret::from_bytes).ok_or(StoreError::Damaged)
    }

    fn capability(&self) -> Result<CapabilityId, StoreError> {
        Ok(transcript::capability_id(&self.secret()?.capability()))
    }

    /// Whether it was heard of, before it was revoked.
    pub(crate) const fn was_heard(&self) -> bool {
        self.number != NEVER_HEARD
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.over_since_ms.is_some()
    }

    /// Whether its maker told of it. What another says of a link lasts no longer than they are there.
    fn is_makers_word(&self) -> bool {
        self.teller.is_none_or(|teller| teller == self.maker)
    }

    pub(crate) const fn admission(&self) -> LinkAdmission {
        self.admission
    }

    /// Whether what the relay stored at this time came too late.
    pub(crate) fn had_ended(&self, at: Timestamp) -> bool {
        self.ends_at_ms.is_some_and(|end| end <= at.0)
    }

    /// Whether somebody may still ask by it.
    pub(crate) fn can_be_used(&self, now: Timestamp) -> bool {
        !self.is_over() && !self.had_ended(now)
    }

    /// Whether it was revoked, or had ended, so long ago that nothing comes by it any more.
    fn is_long_over(&self, now: Timestamp) -> bool {
        let since = self.over_since_ms.or(self.ends_at_ms);
        since.is_some_and(|since| revoking::old_key_end(Timestamp(since)) <= now)
    }

    /// The link itself.
    fn link(&self, work: &Work<'_>, channel: &ChannelId) -> Result<ContactLink, CommandError> {
        let placed = groups::with_relay(work, channel)?.ok_or(CommandError::ChatClosed)?;
        Ok(ContactLink {
            target: LinkTarget::Group,
            relay: placed.relay,
            inbox: self.inbox,
            secret: self.secret()?,
            identity: self.maker,
        })
    }

    fn told(&self) -> Result<ControlEntry, StoreError> {
        let link = DoorLink {
            inbox: self.inbox,
            secret: self.secret()?,
            maker: self.maker,
            admission: told_admission(self.admission),
            uses: self.uses,
            ends_at: self.ends_at_ms.map(Timestamp),
        };
        Ok(ControlEntry { kind: ControlKind::DoorLinkMade, payload: link.to_bytes().to_vec() })
    }
}

const fn told_admission(admission: LinkAdmission) -> Admission {
    match admission {
        LinkAdmission::Open => Admission::Open,
        LinkAdmission::Approval => Admission::Approval,
        LinkAdmission::Former => Admission::Former,
    }
}

/// Whether the relay knows a link, and it is not over.
pub(crate) fn is_open(
    work: &Work<'_>,
    channel: &ChannelId,
    capability: &CapabilityId,
) -> Result<bool, StoreError> {
    Ok(load(work, channel, capability)?.is_some_and(|link| link.published && !link.is_over()))
}

/// The links of a group that are known, those that are over among them.
pub(crate) fn all(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Vec<GroupLinkRecord>, StoreError> {
    let rows = work.tx.list::<GroupLinkRecord>(&prefix(channel), usize::MAX)?;
    Ok(rows.into_iter().map(|row| row.record).collect())
}

/// How many links of a group can be used.
fn usable(work: &Work<'_>, channel: &ChannelId) -> Result<usize, StoreError> {
    Ok(all(work, channel)?.iter().filter(|link| link.can_be_used(work.now)).count())
}

pub(crate) fn load(
    work: &Work<'_>,
    channel: &ChannelId,
    capability: &CapabilityId,
) -> Result<Option<GroupLinkRecord>, StoreError> {
    work.tx.load(&key(channel, capability))
}

fn check_right(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), CommandError> {
    let me = profile::fingerprint(work)?;
    let group = log::load_group(work, channel)?;
    match group.state().allows(&me, Right::Invite) {
        Allowed::Yes => Ok(()),
        Allowed::No => Err(CommandError::NoRight),
    }
}

/// Makes a link, and the door if there is none.
pub(crate) fn make(
    work: &mut Work<'_>,
    chat: ChatNumber,
    terms: GroupLinkTerms,
) -> Result<Reply, CommandError> {
    let channel = groups::group_chat(work, chat)?;
    let succeeds = log::load_group(work, &channel)?.state().before.is_some();
    if terms.admission == LinkAdmission::Former && !succeeds {
        return Err(CommandError::NoSuccessor);
    }
    make_in(work, chat, &channel, terms).map(|made| Reply::GroupLink(made.info))
}

/// A link that was made, as it is told to an app and to those who do not hear of it in the group.
pub(crate) struct Made {
    pub(crate) link: ContactLink,
    pub(crate) info: GroupLinkInfo,
}

/// The same, in a group that no command names.
pub(crate) fn make_in(
    work: &mut Work<'_>,
    chat: ChatNumber,
    channel: &ChannelId,
    terms: GroupLinkTerms,
) -> Result<Made, CommandError> {
    check_right(work, channel)?;
    let identity = profile::require(work)?;
    if identity.manager_key().is_none() {
        return Err(CommandError::NotAManager);
    }
    if terms.uses.is_some_and(|uses| !(1..=USES_MAX).contains(&uses)) {
        return Err(CommandError::BadUses);
    }
    if usable(work, channel)? >= LINKS_MAX {
        return Err(CommandError::TooManyLinks);
    }
    let door = super::ensure(work, channel)?;
    told::make_room(work, channel, GroupLinkRecord::was_heard)?;
    let secret = LinkSecret::generate(work.rng);
    let record = GroupLinkRecord {
        number: work.count(|counters| &mut counters.group_link)?,
        inbox: door.inbox,
        secret: SecretBytes::new(secret.expose()),
        maker: identity.fingerprint(),
        teller: Some(identity.fingerprint()),
        admission: terms.admission,
        uses: terms.uses,
        ends_at_ms: terms.expires_in_ms.map(|span| work.now.plus_ms(span).0),
        published: false,
        over_since_ms: None,
    };
    let info = info(work, channel, chat, &record)?;
    let capability = record.capability()?;
    work.tx.save(&key(channel, &capability), &record)?;
    control::send(work, channel, vec![record.told()?])?;
    ask_anew(work, channel, Wish::PutDoorLink { channel: *channel, capability })?;
    work.event(Event::GroupLinksChanged(chat))?;
    Ok(Made { link: record.link(work, channel)?, info })
}

/// The links of a group that can be used, or could.
pub(crate) fn list(
    work: &mut Work<'_>,
    chat: ChatNumber,
) -> Result<Vec<GroupLinkInfo>, CommandError> {
    let channel = groups::group_chat(work, chat)?;
    let mut links = Vec::new();
    for record in all(work, &channel)? {
        if record.was_heard() {
            links.push(info(work, &channel, chat, &record)?);
        }
    }
    links.sort_by_key(|link| link.number);
    Ok(links)
}

fn info(
    work: &Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    record: &GroupLinkRecord,
) -> Result<GroupLinkInfo, CommandError> {
    let text = record.link(work, channel)?.to_text().map_err(|_| CommandError::BadRelayAddress)?;
    let state = match record {
        GroupLinkRecord { over_since_ms: Some(_), .. } => LinkState::Revoked,
        record if record.had_ended(work.now) => LinkState::Expired,
        GroupLinkRecord { published: true, .. } => LinkState::Active,
        _ => LinkState::Pending,
    };
    Ok(GroupLinkInfo {
        chat,
        number: GroupLinkNumber(record.number),
        text: SecretText::new(text.to_string()),
        admission: record.admission,
        uses: record.uses,
        state,
        expires_at_ms: record.ends_at_ms,
        maker: record.maker.to_hex(),
    })
}

/// Makes a link useless.
pub(crate) fn revoke(
    work: &mut Work<'_>,
    chat: ChatNumber,
    number: GroupLinkNumber,
) -> Result<Reply, CommandError> {
    let channel = groups::group_chat(work, chat)?;
    check_right(work, &channel)?;
    let known = |link: &GroupLinkRecord| link.was_heard() && link.number == number.0;
    let link = all(work, &channel)?.into_iter().find(known);
    let link = link.ok_or(CommandError::NoSuchLink)?;
    if !link.is_over() {
        let capability = link.capability()?;
        end(work, &channel, &capability, Some(chat), EndedBy::Person)?;
        let payload = capability.as_bytes().to_vec();
        let entry = ControlEntry { kind: ControlKind::DoorLinkRevoked, payload };
        control::send(work, &channel, vec![entry])?;
    }
    Ok(Reply::Done)
}

/// By whose doing a link is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// Its person has revoked it, on whichever device.
    Person,
    /// Somebody else has, or the door that it led to is another one.
    Others,
}

/// A link is over: nobody is let in by it any more, and the relay is to know.
fn end(
    work: &mut Work<'_>,
    channel: &ChannelId,
    capability: &CapabilityId,
    chat: Option<ChatNumber>,
    by: EndedBy,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, channel, capability)? else { return Ok(()) };
    if record.is_over() {
        return Ok(());
    }
    record.over_since_ms = Some(work.now.0);
    work.tx.save(&key(channel, capability), &record)?;
    work.effects.doors_clearer.insert(*channel);
    requests::link_over(work, channel, capability)?;
    succession::link_over(work, channel, capability, by)?;
    if super::kept(work, channel)?.is_some() {
        let revoke = Wish::RevokeDoorLink { channel: *channel, capability: *capability };
        ask_anew(work, channel, revoke)?;
    }
    chat.map_or(Ok(()), |chat| work.event(Event::GroupLinksChanged(chat)))
}

/// The door has other keys, or is another one: cards are made anew by their makers, and links to
/// another door are over.
pub(crate) fn door_changed(
    work: &mut Work<'_>,
    channel: &ChannelId,
    door: &DoorRecord,
) -> Result<(), StoreError> {
    for link in all(work, channel)? {
        if link.inbox != door.inbox && !link.is_over() {
            let chat = groups::record(work, channel)?.and_then(|group| group.purpose.chat());
            end(work, channel, &link.capability()?, chat, EndedBy::Others)?;
        }
    }
    put_again(work, channel)
}

/// Wishes for what is asked of the relay for a link. The same wish of before gives way, whether it waits
/// or is asked with what held then (spec: GRP-116).
fn ask_anew(work: &mut Work<'_>, channel: &ChannelId, wish: Wish) -> Result<(), StoreError> {
    for row in wish::of_channel(work, channel)? {
        let same = match (&row.wish, &wish) {
            (
                Wish::PutDoorLink { capability: before, .. },
                Wish::PutDoorLink { capability, .. },
            )
            | (
                Wish::RevokeDoorLink { capability: before, .. },
                Wish::RevokeDoorLink { capability, .. },
            ) => before == capability,
            _ => false,
        };
        if same {
            work.settle(row.number);
        }
    }
    work.wish(wish).map(|_| ())
}

/// Puts the cards of this identity's links again: they say something else by now, or the relay may not
/// have them.
pub(crate) fn put_again(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let me = work.me()?;
    if super::kept(work, channel)?.is_none() {
        return Ok(());
    }
    for link in all(work, channel)? {
        if link.can_be_used(work.now) && link.maker == me && link.is_makers_word() {
            let capability = link.capability()?;
            ask_anew(work, channel, Wish::PutDoorLink { channel: *channel, capability })?;
        }
    }
    Ok(())
}

/// Has the relay end again what is over.
pub(super) fn revoke_again(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    if super::kept(work, channel)?.is_none() {
        return Ok(());
    }
    for row in work.tx.list::<GroupLinkRecord>(&prefix(channel), usize::MAX)? {
        let capability = capability_in(channel, &row.key)?;
        if row.record.is_over() {
            ask_anew(work, channel, Wish::RevokeDoorLink { channel: *channel, capability })?;
        }
    }
    Ok(())
}

pub(crate) fn forget(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for Keyed { key, .. } in work.tx.list::<GroupLinkRecord>(&prefix(channel), usize::MAX)? {
        work.tx.remove(Table::Profile, &key);
    }
    Ok(())
}

/// Forgets links that were revoked, or had ended, long ago, with what still waits that came by them.
pub(crate) fn tend(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in work.tx.list::<GroupLinkRecord>(&prefix(channel), usize::MAX)? {
        if row.record.is_long_over(work.now) {
            requests::link_over(work, channel, &capability_in(channel, &row.key)?)?;
            work.tx.remove(Table::Profile, &row.key);
        }
    }
    Ok(())
}

// --- at the relay ---------------------------------------------------------------------------

/// Makes a link known to the relay, with its card (spec: LNK-095, LNK-096).
pub(crate) fn put(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
    capability: &CapabilityId,
) -> Result<Step, StoreError> {
    let link = load(work, channel, capability)?.filter(|link| link.can_be_used(work.now));
    let door = super::record(work, channel)?;
    let identity = work.identity()?.ok_or(StoreError::Damaged)?;
    let (Some(link), Some(door), Some(manager)) = (link, door, identity.manager_key()) else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let inbox_key = door.seal_key.array().map(hushwire_protocol::seal::InboxKey::from_bytes);
    let terms = DoorTerms {
        inbox_key: inbox_key
            .ok_or(StoreError::Damaged)?
            .public()
            .map_err(|_| StoreError::Damaged)?,
        channel: *channel,
        admission: told_admission(link.admission),
        ends_at: link.ends_at_ms.map(Timestamp),
        name: log::load_group(work, channel)?.state().name.clone(),
    };
    let card = DoorCard::sign(&manager, &identity.statement()?, &door.inbox, terms)
        .seal(&link.secret()?.card_key(), &door.inbox, capability, work.rng)
        .map_err(|_| StoreError::Failed)?;
    Ok(opening::request(desk, |handle| Request::CapabilityPut {
        handle,
        capability: *capability,
        items_max: Some(link.uses.unwrap_or(USES_MAX)),
        expires_at: link.ends_at_ms.map(Timestamp),
        card: card.into(),
    }))
}

/// The relay knows the link.
pub(crate) fn put_done(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    capability: &CapabilityId,
) -> Result<Progress, StoreError> {
    work.settle(number);
    let Some(mut record) = load(work, channel, capability)? else { return Ok(Progress::Settled) };
    if !core::mem::replace(&mut record.published, true) {
        work.tx.save(&key(channel, capability), &record)?;
        if let Some(chat) = groups::record(work, channel)?.and_then(|it| it.purpose.chat()) {
            work.event(Event::GroupLinksChanged(chat))?;
        }
        if record.admission == LinkAdmission::Former {
            succession::link_is_there(work, channel)?;
        }
    }
    Ok(Progress::Settled)
}
