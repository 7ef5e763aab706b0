//! What members tell each other of a group's links (spec: GRP-113, GRP-148).

use hushwire_protocol::{
    content::ControlEntry,
    door::{Admission, DoorLink},
    group::{Allowed, Group, Right},
    identity::Fingerprint,
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId},
    transcript,
};

use super::{
    EndedBy, GroupLinkRecord, LINKS_MAX, NEVER_HEARD, USES_MAX, all, capability_in, end, key, load,
    prefix, usable,
};
use crate::{
    command::{ChatNumber, LinkAdmission},
    door::{self, requests},
    event::Event,
    groups, log,
    record::SecretBytes,
    store::{StoreError, Table},
    work::Work,
};

/// Links of one group that are over, and such that were revoked before they were heard of, that are
/// remembered of each sort.
const LINKS_OVER_MAX: usize = 1_024;

/// A member tells of a link. Its maker has to be able to make one.
pub(crate) fn take_made(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    mls: &Group,
    sender: &Fingerprint,
    payload: &[u8],
) -> Result<(), StoreError> {
    let Ok(link) = DoorLink::decode(payload) else { return Ok(()) };
    let capability = transcript::capability_id(&link.secret.capability());
    let here = door::record(work, channel)?.is_some_and(|door| door.inbox == link.inbox);
    let is_member = mls.state().allows(&link.maker, Right::Invite) == Allowed::Yes
        && mls.members().map_err(log::store_error)?.iter().any(|it| it.identity() == link.maker);
    if let Some(mut known) = load(work, channel, &capability)? {
        if *sender == known.maker && !known.is_makers_word() {
            known.teller = Some(*sender);
            work.tx.save(&key(channel, &capability), &known)?;
        }
        return Ok(());
    }
    if !here || !is_member || usable(work, channel)? >= LINKS_MAX {
        return Ok(());
    }
    let record = GroupLinkRecord {
        number: work.count(|counters| &mut counters.group_link)?,
        inbox: link.inbox,
        secret: SecretBytes::new(link.secret.expose()),
        maker: link.maker,
        teller: Some(*sender),
        admission: match link.admission {
            Admission::Open => LinkAdmission::Open,
            Admission::Approval => LinkAdmission::Approval,
            Admission::Former => LinkAdmission::Former,
        },
        uses: link.uses.map(|uses| uses.min(USES_MAX)),
        ends_at_ms: link.ends_at.map(|end| end.0),
        // By whoever made it.
        published: true,
        over_since_ms: None,
    };
    // It went some time after it had ended; nobody brings it back.
    if record.is_long_over(work.now) {
        return Ok(());
    }
    make_room(work, channel, GroupLinkRecord::was_heard)?;
    work.tx.save(&key(channel, &capability), &record)?;
    // What came by a link that was not known is looked at again.
    work.effects.doors_clearer.insert(*channel);
    work.event(Event::GroupLinksChanged(chat))
}

/// The first of these links that was over gives way to another one. It could only come back by a
/// member's word, and a member who keeps the door can make another link as well (spec: GRP-148).
pub(super) fn make_room(
    work: &mut Work<'_>,
    channel: &ChannelId,
    wanted: fn(&GroupLinkRecord) -> bool,
) -> Result<(), StoreError> {
    let mut rows = work.tx.list::<GroupLinkRecord>(&prefix(channel), usize::MAX)?;
    rows.retain(|row| wanted(&row.record) && !row.record.can_be_used(work.now));
    if rows.len() < LINKS_OVER_MAX {
        return Ok(());
    }
    let since = |link: &GroupLinkRecord| link.over_since_ms.or(link.ends_at_ms);
    if let Some(first) = rows.iter().min_by_key(|row| since(&row.record)) {
        requests::link_over(work, channel, &capability_in(channel, &first.key)?)?;
        work.tx.remove(Table::Profile, &first.key);
    }
    Ok(())
}

/// A member revoked a link. One that is not known yet is not taken any more.
pub(crate) fn take_revoked(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    sender: &Fingerprint,
    payload: &[u8],
) -> Result<(), StoreError> {
    let Ok(capability) = CapabilityId::from_slice(payload) else { return Ok(()) };
    if load(work, channel, &capability)?.is_some() {
        let by = if *sender == work.me()? { EndedBy::Person } else { EndedBy::Others };
        return end(work, channel, &capability, Some(chat), by);
    }
    let Some(door) = door::record(work, channel)? else { return Ok(()) };
    make_room(work, channel, |link| !link.was_heard())?;
    let unknown = GroupLinkRecord {
        number: NEVER_HEARD,
        inbox: door.inbox,
        secret: SecretBytes::new(&[0; 32]),
        maker: Fingerprint::from_bytes([0; 32]),
        teller: None,
        admission: LinkAdmission::Approval,
        uses: None,
        ends_at_ms: None,
        published: false,
        over_since_ms: Some(work.now.0),
    };
    work.effects.doors_clearer.insert(*channel);
    work.tx.save(&key(channel, &capability), &unknown)
}

/// Who made a link is out of the group: the link is over. Who only told of it: it is over for who is
/// named as its maker, and unknown to the others, until its maker tells of it (spec: GRP-113).
pub(crate) fn makers_gone(
    work: &mut Work<'_>,
    channel: &ChannelId,
    me: &Fingerprint,
    went: &[Fingerprint],
) -> Result<(), StoreError> {
    for link in all(work, channel)? {
        let hearsay = link.teller.is_some_and(|teller| went.contains(&teller));
        let mine = hearsay && link.maker == *me;
        let capability = link.capability()?;
        if went.contains(&link.maker) || mine {
            let chat = groups::record(work, channel)?.and_then(|group| group.purpose.chat());
            end(work, channel, &capability, chat, EndedBy::Others)?;
        } else if hearsay && !link.is_over() {
            work.tx.remove(Table::Profile, &key(channel, &capability));
        }
    }
    Ok(())
}

/// What somebody who comes in has to know of the links.
pub(crate) fn entries(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Vec<ControlEntry>, StoreError> {
    let links = all(work, channel)?;
    let usable = links.iter().filter(|link| link.can_be_used(work.now));
    usable.map(GroupLinkRecord::told).collect()
}
