//! The one call that forms a group anew (spec: CLI-202, CLI-204).

use hushwire_protocol::{
    group::{Group, Life, Member, Role, RoleEntry, note_left_out_max},
    identity::Fingerprint,
    succession::{LEFT_OUT_MAX, NewPlace, Successor, SuccessorOffer, SuccessorRank},
};
use hushwire_wire::id::{ChannelId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    former, offering,
    word::{Stage, SuccessionRecord, is_ahead, load, save},
};
use crate::{
    changing, chats,
    command::{ChatKind, ChatNumber, ChatState, CommandError, MemberRole, Reply},
    contacts, devices,
    event::Event,
    groups, log, packages, profile,
    record::{
        ChangeRecord, EditRecord, GroupState, PurposeRecord, Record, RoleRecord, SecretBytes, Wish,
    },
    store::{StoreError, Table},
    work::Work,
};

/// Roles that people get back when they come into a group that this device formed anew. Key:
/// `roles of `, channel.
#[derive(Serialize, Deserialize)]
struct RolesRecord {
    roles: Vec<RoleRecord>,
    /// What this identity was itself.
    own: MemberRole,
}

impl Record for RolesRecord {
    const TABLE: Table = Table::Profile;
}

fn roles_key(channel: &ChannelId) -> Vec<u8> {
    [b"roles of ", &channel.as_bytes()[..]].concat()
}

/// A group, and who is to be left out of the one that takes its place.
struct Outline {
    before: ChannelId,
    group: Group,
    me: Fingerprint,
    role: Role,
    /// Who is in it.
    people: Vec<Fingerprint>,
    left_out: Vec<Fingerprint>,
}

/// Forms a group anew, for all who were in it but those who are left out. Answers with the link by
/// which they come in, for whom it reaches by no other way.
pub(crate) fn begin(
    work: &mut Work<'_>,
    chat: ChatNumber,
    left_out: &[String],
) -> Result<Reply, CommandError> {
    let outline = outline(work, chat, left_out)?;
    let channel = ChannelId::from_bytes(work.random());
    let successor = sign(work, &outline, channel)?;
    let mut agreed = outline.group.state().clone();
    agreed.life = Life::Open;
    agreed.before = Some(Box::new(successor.clone()));
    agreed.roles = vec![RoleEntry { identity: outline.me, role: Role::Owner }];
    groups::form_as(work, channel, agreed, PurposeRecord::Group { chat })?;
    keep_roles(work, &channel, &outline)?;
    former::retire(work, &channel, chat)?;
    chats::set_channel(work, chat, &channel)?;
    chats::set_state(work, chat, ChatState::Open)?;
    devices::add_own_devices(work, &channel)?;
    let made = offering::make_link(work, chat, &channel)?;
    let device = profile::device(work)?;
    let offer = SuccessorOffer::sign(successor, &made.link, &device.key);
    if !offering::can_be_said(work, &outline.before, &offer)? {
        return Err(too_many(note_left_out_max(&offer)));
    }
    note_offer(work, &outline, &offer)?;
    for person in &outline.people {
        let comes = *person != outline.me && !outline.left_out.contains(person);
        if comes && contacts::is_contact(work, person)? {
            packages::wish_person(work, &channel, person)?;
        }
    }
    offering::begin(work, &outline.before, channel)?;
    work.event(Event::GroupSucceeded { chat, by: outline.me.to_hex() })?;
    Ok(Reply::GroupLink(made.info))
}

fn outline(
    work: &mut Work<'_>,
    chat: ChatNumber,
    left_out: &[String],
) -> Result<Outline, CommandError> {
    let record = chats::named(work, chat)?;
    if record.kind != ChatKind::Group {
        return Err(CommandError::WrongChatKind);
    }
    let before = record.channel.ok_or(CommandError::ChatClosed)?;
    let known = groups::record(work, &before)?.ok_or(CommandError::ChatClosed)?;
    if !matches!(known.state, GroupState::Member | GroupState::Stuck) {
        return Err(CommandError::ChatClosed);
    }
    if known.is_held(work.rules) {
        return Err(CommandError::NewerRules);
    }
    let group = log::load_group(work, &before)?;
    if group.state().life == Life::Dissolved {
        return Err(CommandError::ChatClosed);
    }
    let me = profile::fingerprint(work)?;
    let role = group.state().role(&me);
    if role < Role::Admin {
        return Err(CommandError::NoRight);
    }
    if profile::require(work)?.manager_key().is_none() {
        return Err(CommandError::NotAManager);
    }
    let members = groups::members_of(&group)?;
    let left_out = parse(&group, &members, &me, left_out)?;
    let people = groups::identities(&members);
    Ok(Outline { before, group, me, role, people, left_out })
}

/// Nobody leaves out who is above them, nor themselves (spec: CLI-202).
fn parse(
    group: &Group,
    members: &[Member],
    me: &Fingerprint,
    left_out: &[String],
) -> Result<Vec<Fingerprint>, CommandError> {
    let state = group.state();
    if left_out.len() > LEFT_OUT_MAX {
        return Err(too_many(LEFT_OUT_MAX));
    }
    let mut parsed = Vec::new();
    for text in left_out {
        let person = changing::member(members, text)?;
        if person == *me || state.role(&person) > state.role(me) {
            return Err(CommandError::NoRight);
        }
        parsed.push(person);
    }
    Ok(parsed)
}

fn too_many(most: usize) -> CommandError {
    CommandError::TooManyLeftOut { most: u16::try_from(most).unwrap_or(u16::MAX) }
}

fn sign(
    work: &mut Work<'_>,
    outline: &Outline,
    channel: ChannelId,
) -> Result<Successor, CommandError> {
    let inbox = work.inbox()?.ok_or(CommandError::NoIdentity)?;
    let relay = inbox.relay.parse().map_err(|_| CommandError::StoreDamaged)?;
    // A clock that was put back does not make an earlier word of this identity the later one.
    let known = match load(work, &outline.before)? {
        Some(known)
            if known.identity == outline.me && !is_ahead(known.rank()?.made_at, work.now) =>
        {
            known.made_at_ms.saturating_add(1)
        }
        _ => 0,
    };
    let made_at = Timestamp(work.now.0.max(known));
    let device = profile::device(work)?;
    let place = NewPlace { channel, relay };
    let left_out = outline.left_out.clone();
    Ok(Successor::sign(outline.before, place, made_at, left_out, &device.key))
}

fn note_offer(
    work: &Work<'_>,
    outline: &Outline,
    offer: &SuccessorOffer,
) -> Result<(), StoreError> {
    let rank = SuccessorRank {
        role: outline.role,
        identity: outline.me,
        made_at: offer.successor.made_at,
        channel: offer.successor.channel,
    };
    let bytes = SecretBytes::new(&offer.to_bytes());
    let said = &offer.successor;
    let record = SuccessionRecord::new(work, rank, said, Some(bytes), Stage::Followed);
    save(work, &outline.before, &record.with_roster(&outline.people))
}

// --- roles ----------------------------------------------------------------------------------

fn keep_roles(work: &Work<'_>, channel: &ChannelId, outline: &Outline) -> Result<(), StoreError> {
    let mut roles = Vec::new();
    for entry in &outline.group.state().roles {
        if entry.identity != outline.me && !outline.left_out.contains(&entry.identity) {
            let role = changing::member_role(entry.role);
            roles.push(RoleRecord { person: entry.identity, role });
        }
    }
    let own = changing::member_role(outline.role);
    work.tx.save(&roles_key(channel), &RolesRecord { roles, own })
}

/// People came into a group: who had a role in the one before gets it back, once; and who formed the
/// group as an admin is an owner no longer than it takes (spec: CLI-204).
pub(crate) fn came(
    work: &mut Work<'_>,
    channel: &ChannelId,
    people: &[Fingerprint],
) -> Result<(), StoreError> {
    let Some(mut kept) = work.tx.load::<RolesRecord>(&roles_key(channel))? else { return Ok(()) };
    let (mut roles, rest): (Vec<RoleRecord>, Vec<RoleRecord>) =
        kept.roles.into_iter().partition(|entry| people.contains(&entry.person));
    if roles.is_empty() {
        return Ok(());
    }
    kept.roles = rest;
    let owner = MemberRole::Owner;
    if kept.own != owner && roles.iter().any(|entry| entry.role == owner) {
        let person = work.me()?;
        roles.push(RoleRecord { person, role: kept.own });
        kept.own = owner;
    }
    work.tx.save(&roles_key(channel), &kept)?;
    let change = ChangeRecord::Edit(EditRecord { roles, ..EditRecord::default() });
    work.wish(Wish::ChangeGroup { channel: *channel, change })?;
    Ok(())
}

/// Nobody gets anything back in a group that is over for this device.
pub(super) fn forget_roles(work: &Work<'_>, channel: &ChannelId) {
    work.tx.remove(Table::Profile, &roles_key(channel));
}
