//! What a group of a direct chat is worth: who was heard in which of the chat's groups.
//!
//! A thief who has a device of somebody can make groups of a direct chat in that person's name, with the
//! lowest channel ids, and put the person's other devices there without a word to them. When the person
//! revokes the device they tell their device list where that device is not any more. By it this side
//! knows the thief, and the groups in which nobody but the thief was ever heard. The person whose device
//! it was may have been put into groups to which the contact was never invited (spec: LNK-120).

use hushwire_protocol::{
    group::Member,
    identity::{DeviceCredential, DeviceId, Fingerprint},
};
use hushwire_wire::id::ChannelId;
use serde::{Deserialize, Serialize};

use super::{
    carry_on,
    devices::{credentials, is_gone},
    let_go,
};
use crate::{
    command::ChatNumber,
    contacts, devices, groups,
    record::{GroupRecord, PurposeRecord, Record, id},
    store::{StoreError, Table},
    work::Work,
};

/// Devices that are noted as heard in a group: one of two is always another than the one that invites.
const HEARD_MAX: usize = 2;

/// Who was heard in a group of a direct chat. Key: `heard `, channel.
#[derive(Default, Serialize, Deserialize)]
struct HeardRecord {
    /// Devices of the contact, the first few.
    #[serde(with = "id::each")]
    devices: Vec<DeviceId>,
    standing: Standing,
}

impl Record for HeardRecord {
    const TABLE: Table = Table::Profile;
}

/// What a group of a direct chat is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// As far as is known, the contact is there.
    #[default]
    Plain,
    /// Of the contact's devices none was heard there, and it was in another group, or an own device that was
    /// revoked is or was there.
    Unheard,
    /// One of their devices that are gone is there, and since that is known no other was heard.
    Doubtful,
}

fn heard_key(channel: &ChannelId) -> Vec<u8> {
    [b"heard ", &channel.as_bytes()[..]].concat()
}

fn heard_in(work: &Work<'_>, channel: &ChannelId) -> Result<HeardRecord, StoreError> {
    Ok(work.tx.load(&heard_key(channel))?.unwrap_or_default())
}

/// How a group of a direct chat stands.
pub(crate) fn of(work: &Work<'_>, channel: &ChannelId) -> Result<Standing, StoreError> {
    Ok(heard_in(work, channel)?.standing)
}

/// Takes a group for doubtful.
pub(super) fn doubt(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let mut record = heard_in(work, channel)?;
    record.standing = Standing::Doubtful;
    work.tx.save(&heard_key(channel), &record)
}

/// Whether another device than the one that invites was heard in a group: then the chat is not that
/// device's alone (spec: LNK-114).
pub(crate) fn is_shared(
    work: &Work<'_>,
    channel: &ChannelId,
    inviter: &DeviceId,
) -> Result<bool, StoreError> {
    let record = heard_in(work, channel)?;
    Ok(record.devices.iter().any(|device| device != inviter))
}

/// Whether a device of the contact that is not gone was heard in a group.
pub(crate) fn is_heard(work: &Work<'_>, channel: &ChannelId) -> Result<bool, StoreError> {
    Ok(!heard_in(work, channel)?.devices.is_empty())
}

/// Nothing more is heard in a group, and it is not told apart from others any more.
pub(crate) fn forget(work: &Work<'_>, channel: &ChannelId) {
    work.tx.remove(Table::Profile, &heard_key(channel));
}

/// Whether what somebody says in a group is passed over: they speak for its person no more, and nobody
/// else was heard there since (spec: LNK-112).
pub(crate) fn is_passed_over(
    work: &Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    sender: &Member,
) -> Result<bool, StoreError> {
    let is_direct = matches!(group.purpose, PurposeRecord::Direct { .. });
    Ok(is_direct && of(work, channel)? == Standing::Doubtful && is_gone(work, &sender.credential)?)
}

/// An entry of a member of a group was opened.
pub(crate) fn heard(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    sender: &Member,
) -> Result<(), StoreError> {
    let PurposeRecord::Direct { chat, .. } = group.purpose else { return Ok(()) };
    let me = work.me()?;
    if sender.identity() == me || is_gone(work, &sender.credential)? {
        return Ok(());
    }
    let device = sender.device();
    let mut record = heard_in(work, channel)?;
    let new = record.devices.len() < HEARD_MAX && !record.devices.contains(&device);
    let before = core::mem::take(&mut record.standing);
    if new {
        record.devices.push(device);
    }
    if new || before != Standing::Plain {
        work.tx.save(&heard_key(channel), &record)?;
    }
    if before != Standing::Plain {
        devices::catch_up(work, channel, &sender.identity())?;
    }
    if new || before != Standing::Plain { weigh(work, chat) } else { Ok(()) }
}

/// Of the groups of a chat those in which the contact was not heard come behind, while it was heard in
/// another one: perhaps it was never invited there, or its invitation is lost (spec: LNK-120).
pub(crate) fn weigh(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), StoreError> {
    let mut silent = Vec::new();
    let mut heard = false;
    for (channel, group) in super::groups_of(work, chat)? {
        let record = heard_in(work, &channel)?;
        if super::is_open(&group) && record.standing == Standing::Plain {
            heard |= !record.devices.is_empty();
            silent.extend(record.devices.is_empty().then_some((channel, record)));
        }
    }
    for (channel, record) in silent.into_iter().filter(|_| heard) {
        let record = HeardRecord { standing: Standing::Unheard, ..record };
        work.tx.save(&heard_key(&channel), &record)?;
    }
    carry_on(work, chat)
}

/// Whether own devices that are not in a direct group come into it (spec: LNK-112, LNK-120).
pub(crate) fn takes_devices(
    work: &Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
) -> Result<bool, StoreError> {
    let PurposeRecord::Direct { chat, .. } = group.purpose else { return Ok(true) };
    match of(work, channel)? {
        Standing::Plain => Ok(true),
        Standing::Doubtful => Ok(false),
        Standing::Unheard => Ok(!has_other(work, channel, chat)?),
    }
}

/// An own device was revoked: of the direct groups in which it is, those count less in which the contact
/// was not heard (spec: LNK-120).
pub(crate) fn own_revoked(work: &mut Work<'_>, device: &DeviceId) -> Result<(), StoreError> {
    let me = work.me()?;
    let is_direct = |group: &GroupRecord| {
        group.state.is_in() && matches!(group.purpose, PurposeRecord::Direct { .. })
    };
    for (channel, group) in groups::all_where(work, is_direct)? {
        let own = credentials(work, &channel, &me)?;
        if own.iter().any(|own| own.device() == *device) {
            unheard_from(work, &channel, &group)?;
        }
    }
    Ok(())
}

/// Takes a direct group for unheard, if no device of the contact was heard there.
pub(crate) fn unheard_from(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
) -> Result<(), StoreError> {
    let PurposeRecord::Direct { chat, .. } = group.purpose else { return Ok(()) };
    let mut record = heard_in(work, channel)?;
    if !record.devices.is_empty() || record.standing != Standing::Plain {
        return Ok(());
    }
    record.standing = Standing::Unheard;
    work.tx.save(&heard_key(channel), &record)?;
    carry_on(work, chat)
}

/// Groups in which all devices of a contact are gone are given up; where one of them is gone, others
/// have to be heard (spec: LNK-112).
pub(super) fn sort_out(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    groups: Vec<ChannelId>,
) -> Result<(), StoreError> {
    let mut lost = Vec::new();
    let mut kept = Vec::new();
    for group in groups {
        let theirs = credentials(work, &group, person)?;
        let mut there = 0;
        for credential in &theirs {
            there += usize::from(!is_gone(work, credential)?);
        }
        if there < theirs.len() {
            doubt(work, &group)?;
        }
        if there == 0 && !theirs.is_empty() && group != *channel {
            lost.push(group);
        } else {
            kept.push(group);
        }
    }
    let Some(chat) = contacts::load(work, person)?.and_then(|contact| contact.chat) else {
        return Ok(());
    };
    let Some(next) = super::first(work, kept)? else { return Ok(()) };
    for group in &lost {
        let_go(work, group, &next)?;
        // Its id is no reason for a lower one any more (spec: LNK-070).
        work.tx.remove(Table::Group, group.as_bytes());
        forget(work, group);
    }
    carry_on(work, chat)
}

/// This device came into a direct group. A device of the contact that is gone may be there (spec: LNK-112);
/// the one that invites is heard by that.
pub(crate) fn entered(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    inviter: &DeviceCredential,
) -> Result<(), StoreError> {
    let mut record = heard_in(work, channel)?;
    let device = inviter.device();
    if inviter.identity() == *person && !is_gone(work, inviter)? {
        record.standing = Standing::Plain;
        if record.devices.len() < HEARD_MAX && !record.devices.contains(&device) {
            record.devices.push(device);
        }
    }
    for credential in credentials(work, channel, person)? {
        if is_gone(work, &credential)? {
            record.standing = Standing::Doubtful;
        }
    }
    work.tx.save(&heard_key(channel), &record)
}

/// Whether the chat has another plain group that can carry it.
fn has_other(work: &Work<'_>, channel: &ChannelId, chat: ChatNumber) -> Result<bool, StoreError> {
    for (other, group) in super::groups_of(work, chat)? {
        let plain = of(work, &other)? == Standing::Plain;
        if other != *channel && super::is_open(&group) && plain {
            return Ok(true);
        }
    }
    Ok(false)
}
