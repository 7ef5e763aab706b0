//! Groups as this device keeps them: their records, creating their channels, and what a person may
//! ask of them.

mod roster;

use hushwire_protocol::{
    address::RelayAddress,
    group::{
        Allowed, CommitIntent, Group, GroupKind, GroupState as Agreed, LeafSelector, PEOPLE_MAX,
        Report, Right,
    },
    group_code::group_code,
    identity::Fingerprint,
};
use hushwire_wire::{
    id::{ChannelId, Nonce},
    message::Request,
    transcript,
};

use crate::{
    additions, advance, changing, chats,
    command::{
        ChatKind, ChatNumber, ChatState, CommandError, ContactNumber, FailureReason, GroupCodeInfo,
        Reply,
    },
    contacts, devices, direct, door,
    event::Event,
    log, packages, profile, readmission,
    record::{
        GroupRecord, GroupState, Keyed, Packages, PurposeRecord, SecretBytes, Wish, WishNumber,
    },
    refreshing, rejoin,
    store::StoreError,
    stuck,
    wish::{Desk, Progress, Step, Target},
    work::Work,
};

pub(crate) use self::roster::{
    Present, came, identities, last_roster, members, members_of, others_in, people_besides_me, went,
};

/// The record of a group.
pub(crate) fn record(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Option<GroupRecord>, StoreError> {
    work.tx.load(channel.as_bytes())
}

pub(crate) fn save(
    work: &Work<'_>,
    channel: &ChannelId,
    record: &GroupRecord,
) -> Result<(), StoreError> {
    work.tx.save(channel.as_bytes(), record)
}

/// Every channel this device has a group for.
pub(crate) fn channels(work: &Work<'_>) -> Result<Vec<ChannelId>, StoreError> {
    Ok(all_where(work, |_| true)?.into_iter().map(|(channel, _)| channel).collect())
}

/// The groups of a kind, by channel.
pub(crate) fn all_where(
    work: &Work<'_>,
    is_meant: impl Fn(&GroupRecord) -> bool,
) -> Result<Vec<(ChannelId, GroupRecord)>, StoreError> {
    let rows = work.tx.list::<GroupRecord>(&[], usize::MAX)?;
    let meant = rows.into_iter().filter(|row| is_meant(&row.record));
    let placed = |row: Keyed<GroupRecord>| {
        let channel = ChannelId::from_slice(&row.key).map_err(|_| StoreError::Damaged)?;
        Ok((channel, row.record))
    };
    meant.map(placed).collect()
}

/// Whether a group is one of all of this identity's devices, beside their own.
pub(crate) fn is_of_all_devices(group: &GroupRecord) -> bool {
    let is_chat =
        matches!(group.purpose, PurposeRecord::Direct { .. } | PurposeRecord::Group { .. });
    is_chat && group.state == GroupState::Member
}

/// What MLS has of a group; none where it is lost.
pub(crate) fn state_of(work: &mut Work<'_>, channel: &ChannelId) -> Option<Group> {
    let provider = work.provider();
    Group::load(&provider, channel).ok().flatten()
}

/// A group's record, and its relay's address.
pub(crate) fn with_relay(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Option<Placed>, StoreError> {
    let Some(record) = record(work, channel)? else { return Ok(None) };
    let relay = record.relay.parse().map_err(|_| StoreError::Damaged)?;
    Ok(Some(Placed { record, relay }))
}

/// A group with the relay of its channel.
pub(crate) struct Placed {
    pub(crate) record: GroupRecord,
    pub(crate) relay: RelayAddress,
}

/// Changes how this device stands in a group, and says so.
pub(crate) fn set_state(
    work: &mut Work<'_>,
    channel: &ChannelId,
    state: GroupState,
) -> Result<(), StoreError> {
    let Some(mut group) = record(work, channel)? else { return Ok(()) };
    if state == GroupState::Out {
        door::forget(work, channel)?;
    }
    group.state = state;
    save(work, channel, &group)?;
    work.effects.channels.insert(*channel);
    if state != GroupState::Stuck {
        return Ok(());
    }
    match group.purpose {
        PurposeRecord::Direct { chat, .. } => direct::stuck(work, channel, chat),
        PurposeRecord::Group { chat } => chats::set_state(work, chat, ChatState::Stuck),
        PurposeRecord::Former { .. } | PurposeRecord::OwnDevices => Ok(()),
    }
}

/// What a commit or message for a channel needs: the channel itself, unless it is over.
pub(crate) fn channel_target(work: &Work<'_>, channel: &ChannelId) -> Result<Target, StoreError> {
    // spec: CLI-173
    let group = record(work, channel)?
        .filter(|group| !group.is_held(work.rules) && !group.waits_for_others());
    let member =
        group.is_some_and(|group| matches!(group.state, GroupState::Member | GroupState::Leaving));
    Ok(if member { Target::Channel { channel: *channel } } else { Target::Nothing })
}

pub(crate) fn new_channel_target(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Target, StoreError> {
    Ok(match with_relay(work, channel)? {
        Some(placed) => Target::NewChannel { channel: *channel, relay: placed.relay },
        None => Target::Nothing,
    })
}

/// Creates a group with this device alone in it, its channel-to-be, and the wish to create that.
pub(crate) fn form(
    work: &mut Work<'_>,
    channel: ChannelId,
    kind: GroupKind,
    name: &str,
    purpose: PurposeRecord,
) -> Result<(), CommandError> {
    let me = profile::fingerprint(work)?;
    let agreed = Agreed { name: name.to_owned(), ..Agreed::new(kind, me) };
    form_as(work, channel, agreed, purpose)
}

/// The same, with what its members agree on from the beginning.
pub(crate) fn form_as(
    work: &mut Work<'_>,
    channel: ChannelId,
    agreed: Agreed,
    purpose: PurposeRecord,
) -> Result<(), CommandError> {
    let inbox = work.inbox()?.ok_or(CommandError::NoIdentity)?;
    let device = profile::device(work)?;
    let provider = work.provider();
    let created = Group::create(
        &provider,
        &device.key,
        &device.credential,
        &channel,
        packages::SUITE,
        agreed,
    )
    .map_err(log::store_error)?;
    let nonce: [u8; 32] = work.random();
    let key = created.keys.public_key();
    let epoch = transcript::root_epoch_id(&channel, &key, &Nonce::from_bytes(nonce));
    advance::begin_epoch(work, &channel, &epoch, &created.keys)?;
    let group = GroupRecord {
        state: GroupState::Creating,
        opened: !matches!(purpose, PurposeRecord::Direct { .. }),
        ..GroupRecord::begun(work.now, &inbox.relay, purpose, epoch, created.group.state().rules)
    };
    save(work, &channel, &group)?;
    refreshing::renewed(work, &channel)?;
    work.effects.channels.insert(channel);
    work.wish(Wish::CreateChannel { channel, nonce: SecretBytes::new(&nonce) })?;
    Ok(())
}

/// Asks the relay for the channel of a new group.
pub(crate) fn create_channel(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
    nonce: &SecretBytes,
) -> Result<Step, StoreError> {
    let Some(group) = record(work, channel)? else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let (_, keys) = log::epoch_state(work, channel, &group.epoch)?;
    let transcript = transcript::channel_create(&desk.relay, &desk.session, channel, &group.epoch);
    Ok(Step::Ask(crate::wish::Ask::Request(Request::ChannelCreate {
        channel: *channel,
        epoch_key: keys.public_key(),
        nonce: Nonce::from_bytes(nonce.array().ok_or(StoreError::Damaged)?),
        signature: transcript.sign(&keys.signing),
    })))
}

/// The channel is there.
pub(crate) fn channel_created(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
) -> Result<Progress, StoreError> {
    set_state(work, channel, GroupState::Member)?;
    work.settle(number);
    Ok(Progress::Settled)
}

/// A change of a group will not happen.
pub(crate) fn change_failed(
    work: &mut Work<'_>,
    channel: &ChannelId,
    reason: FailureReason,
) -> Result<(), StoreError> {
    let Some(group) = record(work, channel)? else { return Ok(()) };
    match group.purpose {
        // It is begun anew by another link (spec: LNK-070).
        PurposeRecord::Direct { chat, .. } if !group.opened => {
            direct::give_up(work, chat, channel, reason)
        }
        PurposeRecord::Direct { chat, .. } | PurposeRecord::Group { chat } => {
            work.event(Event::GroupChangeFailed { chat, reason })
        }
        PurposeRecord::Former { .. } | PurposeRecord::OwnDevices => Ok(()),
    }
}

/// Somebody will not come into a group.
pub(crate) fn addition_failed(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    reason: FailureReason,
) -> Result<(), StoreError> {
    match record(work, channel)?.map(|group| group.purpose) {
        Some(PurposeRecord::Group { chat }) => {
            work.event(Event::AdditionFailed { chat, member: person.to_hex(), reason })
        }
        _ => change_failed(work, channel, reason),
    }
}

/// What a wish asks of a group.
pub(crate) enum Change {
    /// This commit.
    Commit(Box<CommitIntent>),
    /// Nothing: it is so.
    AlreadyTrue,
    /// It may not be.
    NotAllowed(FailureReason),
}

/// The commit that a wish needs, in the group as it is.
pub(crate) fn commit_intent(
    work: &Work<'_>,
    group: &Group,
    wish: &Wish,
) -> Result<Change, StoreError> {
    if is_true(work, group, &Present::of(group)?, wish)? {
        return Ok(Change::AlreadyTrue);
    }
    Ok(match wish {
        Wish::CommitAdditions { channel, most } => additions::change(work, channel, *most)?,
        Wish::ChangeGroup { change, .. } => changing::intent(group, change)?,
        Wish::RemoveDevice { device, .. } => {
            let me = work.me()?;
            let remove = vec![LeafSelector::Device(me, *device)];
            Change::Commit(Box::new(CommitIntent { remove, ..CommitIntent::default() }))
        }
        Wish::Leave { .. } => Change::Commit(Box::new(crate::leaving::devices_first(work, group)?)),
        Wish::CommitLeave { proposal, .. } => {
            Change::Commit(Box::new(crate::leaving::intent(proposal)))
        }
        Wish::Readmit { .. } => readmission::change(work, group, wish)?,
        _ => Change::Commit(Box::default()),
    })
}

/// Whether what a wish asks for is so already.
pub(crate) fn is_true(
    work: &Work<'_>,
    group: &Group,
    present: &Present,
    wish: &Wish,
) -> Result<bool, StoreError> {
    Ok(match wish {
        Wish::AddPerson { person, .. } | Wish::Admit { person, .. } => {
            present.people.contains(person)
        }
        Wish::ChangeGroup { change, .. } => {
            matches!(changing::intent(group, change)?, Change::AlreadyTrue)
        }
        Wish::AddDevice { device, .. } => {
            // Nobody adds a device that was revoked meanwhile.
            present.devices.contains(device) || devices::is_revoked(work, device)?
        }
        Wish::RemoveDevice { device, .. } => !present.devices.contains(device),
        Wish::Contest { channel } => {
            record(work, channel)?.is_none_or(|group| group.contest.is_none())
        }
        Wish::LeaveEpoch { channel, epoch } => {
            record(work, channel)?.is_none_or(|group| group.epoch != *epoch)
        }
        Wish::Rejoin { channel, .. } => rejoin::is_over(work, channel)?,
        Wish::Readmit { .. } => readmission::is_done(group, wish)?,
        _ => false,
    })
}

/// The report that goes with a contest of the current epoch's candidates.
pub(crate) fn report(work: &Work<'_>, channel: &ChannelId) -> Result<Option<Report>, StoreError> {
    let contest = record(work, channel)?.and_then(|group| group.contest);
    Ok(contest.map(|contest| Report { candidate: contest.candidate, code: contest.code }))
}

/// The group's name is what its members agreed on.
pub(crate) fn take_name(
    work: &mut Work<'_>,
    chat: ChatNumber,
    group: &Group,
) -> Result<(), StoreError> {
    let Some(mut record) = chats::load(work, chat)? else { return Ok(()) };
    record.name = group.state().name.clone();
    chats::save(work, chat, &record)?;
    work.event(Event::ChatChanged(chat))
}

/// Creates a group chat.
pub(crate) fn new(work: &mut Work<'_>, name: &str) -> Result<Reply, CommandError> {
    let name = chats::check_name(name)?;
    let channel = ChannelId::from_bytes(work.random());
    let chat =
        chats::add(work, name.clone(), ChatKind::Group, ChatState::Open, Some(channel), None)?;
    form(work, channel, GroupKind::Group, &name, PurposeRecord::Group { chat })?;
    devices::add_own_devices(work, &channel)?;
    let record = chats::named(work, chat)?;
    Ok(Reply::Chat(chats::info(work, chat, &record)?))
}

/// A group chat that a command names, with its group.
pub(crate) fn group_chat(work: &Work<'_>, chat: ChatNumber) -> Result<ChannelId, CommandError> {
    let record = chats::writable(work, chat)?;
    if record.kind != ChatKind::Group {
        return Err(CommandError::WrongChatKind);
    }
    record.channel.ok_or(CommandError::ChatClosed)
}

/// Wishes to add contacts, those of them who are not in yet.
pub(crate) fn add(
    work: &mut Work<'_>,
    chat: ChatNumber,
    contacts: &[ContactNumber],
) -> Result<(), CommandError> {
    let channel = group_chat(work, chat)?;
    let mut people = contacts::by_contacts(work, contacts)?;
    let group = log::load_group(work, &channel)?;
    let me = profile::fingerprint(work)?;
    let present = Present::of(&group)?;
    people.retain(|person| !present.people.contains(person));
    if people.is_empty() {
        return Err(CommandError::AlreadyAMember);
    }
    if group.state().allows(&me, Right::Add) == Allowed::No {
        return Err(CommandError::NoRight);
    }
    // spec: GRP-073
    if present.people.len().saturating_add(people.len()) > PEOPLE_MAX {
        return Err(CommandError::GroupFull);
    }
    for person in people {
        additions::wish(work, Wish::AddPerson { channel, person, packages: Packages::default() })?;
    }
    Ok(())
}

/// Forgets a group's keys and tree; its record stays, and says that it is over and who was in it.
pub(crate) fn drop_group(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let last_roster = stuck::roster(work, channel)?;
    if let Some(record) = record(work, channel)? {
        save(work, channel, &GroupRecord { last_roster, ..record })?;
    }
    stuck::erase(work, channel)?;
    set_state(work, channel, GroupState::Out)
}

/// What members compare to know that they see one group with one history (spec: GRP-054).
pub(crate) fn code(work: &mut Work<'_>, chat: ChatNumber) -> Result<GroupCodeInfo, CommandError> {
    let channel = chats::named(work, chat)?.channel;
    let (Some(channel), Some(group)) = (channel, of_chat(work, chat)?) else {
        return Err(CommandError::ChatClosed);
    };
    let epoch = record(work, &channel)?.ok_or(CommandError::StoreDamaged)?.epoch;
    let code = group_code(&channel, &epoch, &group.epoch_authenticator());
    let epoch = epoch.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(GroupCodeInfo { epoch, code })
}

/// The group of a chat that this device is in.
fn of_chat(work: &mut Work<'_>, chat: ChatNumber) -> Result<Option<Group>, CommandError> {
    let Some(channel) = chats::named(work, chat)?.channel else { return Ok(None) };
    // Of one where this device cannot go on, what it knows may be long over, or not readable.
    if record(work, &channel)?.is_none_or(|group| !group.state.is_in()) {
        return Ok(None);
    }
    Ok(Some(log::load_group(work, &channel)?))
}
