//! Who is in a group: its members, the people whose devices they are, and who came and went.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_protocol::{
    group::{Group, Member},
    identity::{DeviceId, Fingerprint},
};
use hushwire_wire::id::ChannelId;

use super::of_chat;
use crate::{
    changing,
    command::{ChatNumber, CommandError, MemberInfo, Whose},
    contacts, log, profile, readmission,
    record::{GroupRecord, GroupState},
    store::StoreError,
    stuck,
    work::Work,
};

pub(crate) fn members_of(group: &Group) -> Result<Vec<Member>, StoreError> {
    group.members().map_err(log::store_error)
}

/// Whose devices these are, each identity once.
pub(crate) fn identities(leaves: &[Member]) -> Vec<Fingerprint> {
    let people: BTreeSet<Fingerprint> = leaves.iter().map(Member::identity).collect();
    people.into_iter().collect()
}

/// The identities of a group as this device last knew it.
pub(crate) fn last_roster(
    work: &mut Work<'_>,
    channel: &ChannelId,
    record: &GroupRecord,
) -> Result<Vec<Fingerprint>, StoreError> {
    match record.state {
        GroupState::Out => Ok(record.last_roster.clone()),
        GroupState::Stuck => stuck::roster(work, channel),
        _ => Ok(identities(&members_of(&log::load_group(work, channel)?)?)),
    }
}

/// Who is in a chat.
pub(crate) fn members(
    work: &mut Work<'_>,
    chat: ChatNumber,
) -> Result<Vec<MemberInfo>, CommandError> {
    let Some(group) = of_chat(work, chat)? else { return Ok(Vec::new()) };
    let me = profile::fingerprint(work)?;
    let mut members: Vec<MemberInfo> = Vec::new();
    let mut places = BTreeMap::new();
    for leaf in members_of(&group)? {
        let fingerprint = leaf.identity().to_hex();
        let place = *places.entry(leaf.identity()).or_insert(members.len());
        if let Some(known) = members.get_mut(place) {
            known.devices = known.devices.saturating_add(1);
            continue;
        }
        let whose = if leaf.identity() == me { Whose::Mine } else { Whose::Others };
        members.push(MemberInfo {
            name: contacts::name_of(work, &leaf.identity())?,
            fingerprint,
            role: changing::member_role(leaf.role),
            devices: 1,
            whose,
            asking: readmission::waiting(work, group.channel(), &leaf.identity())?,
        });
    }
    Ok(members)
}

/// Who is in a group, to be asked often.
pub(crate) struct Present {
    pub(crate) people: BTreeSet<Fingerprint>,
    pub(crate) devices: BTreeSet<DeviceId>,
    /// Devices of all of them.
    pub(crate) leaves: usize,
}

impl Present {
    pub(crate) fn of(group: &Group) -> Result<Self, StoreError> {
        let members = members_of(group)?;
        Ok(Self {
            people: members.iter().map(Member::identity).collect(),
            devices: members.iter().map(Member::device).collect(),
            leaves: members.len(),
        })
    }
}

/// Who came in with these leaves and was not there before by others: each once.
pub(crate) fn came(now: &[Member], added: &[Member], removed: &[Member]) -> Vec<Fingerprint> {
    let (now, came) = (counted(now), counted(added));
    let removed = counted(removed);
    let new = |(who, leaves): &(&Fingerprint, &usize)| {
        now.get(*who) == Some(*leaves) && !removed.contains_key(*who)
    };
    came.iter().filter(new).map(|(who, _)| *who).collect()
}

/// How many of these leaves each identity has.
fn counted(leaves: &[Member]) -> BTreeMap<Fingerprint, usize> {
    let mut counts = BTreeMap::new();
    for leaf in leaves {
        let count: &mut usize = counts.entry(leaf.identity()).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// Who went with these leaves and is not there by others: each once.
pub(crate) fn went(now: &[Member], removed: &[Member]) -> Vec<Fingerprint> {
    let now = counted(now);
    let stays = |who: &Fingerprint| now.contains_key(who);
    identities(removed).into_iter().filter(|who| !stays(who)).collect()
}

/// How many other people are in a chat.
pub(crate) fn people_besides_me(
    work: &mut Work<'_>,
    chat: ChatNumber,
) -> Result<u32, CommandError> {
    let me = profile::fingerprint(work)?;
    Ok(of_chat(work, chat)?.map_or(Ok(0), |group| others_in(&group, &me))?)
}

/// How many people beside this one are in a group.
pub(crate) fn others_in(group: &Group, me: &Fingerprint) -> Result<u32, StoreError> {
    let people = identities(&members_of(group)?);
    let others = people.iter().filter(|person| *person != me).count();
    Ok(u32::try_from(others).unwrap_or(u32::MAX))
}
