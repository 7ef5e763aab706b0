//! Being invited: which inbox items this identity follows, and the groups that come of them.
//!
//! Whoever was given a capability can write an item, and an invitation can name any channel. So an
//! invitation has to come from a contact, and one to a chat that this device knows already from a
//! member of it, unchanged: nobody else can open again what a person has left (spec: LNK-045,
//! LNK-047). A device counts for as long as its person has it (spec: LNK-058).

mod device;
mod held;
mod purpose;
mod relays;
mod unread;
mod waiting;

use hushwire_protocol::{
    group::{
        Group, GroupError, GroupKind, GroupSnapshot, Joined, Member, OpenError, Welcomed, joiner_of,
    },
    identity::{DeviceCredential, Fingerprint},
    invitation::{ContactCard, InboxContent, Invitation, Purpose, SnapshotPlace, SuiteCode},
    provider::Suite,
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId},
    message::InboxItem,
};

use crate::{
    advance, asking, chats,
    command::{ChatNumber, ChatState, Whose},
    contacts, control, devices,
    direct::{self, Room, standing::Standing},
    entered,
    event::{Event, InvitationRefusal},
    forks, groups,
    inbox::Fault,
    log, outbox, own_group, profile, readmission,
    record::{GroupRecord, GroupState, PurposeRecord},
    refreshing, rejoin, revoking, shelf,
    store::StoreError,
    stuck, succession,
    work::Work,
};
pub(crate) use held::{
    cut_times, forget_held, forget_held_of, held, hold, refuse_held, row::Word, take_held,
};
pub(crate) use relays::has_room as has_relay_room;
pub(crate) use unread::{
    Unread, hold_unread, release, still_unread, unread_words, wait_unread, was_read,
};
pub(crate) use waiting::{
    Arrived, Missed, arrived, fetch, give_up, missed, target, waiting_key, wake,
};

/// Does what an inbox item says.
pub(crate) fn take(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    content: &[u8],
    came: Came<'_>,
) -> Result<(), Fault> {
    let said = InboxContent::decode(content).map_err(|_| Fault::Rejected("ITEM_NOT_UNDERSTOOD"))?;
    match said {
        InboxContent::Invitation(invitation) => {
            work.effects.shelf = true;
            follow(work, sender, &invitation, Given::Item { content, came })
        }
        InboxContent::ContactCardUpdate(card) => {
            check_contact(work, &sender.identity())?;
            device::check(work, sender)?;
            take_card(work, sender, &card)
        }
        InboxContent::RejoinRequest(request) => {
            if readmission::is_own(work, sender)? {
                return Ok(());
            }
            check_card(sender, request.sender())?;
            device::check(work, sender)?;
            // spec: IDN-080
            if is_from_me(work, sender)? {
                return readmission::take(work, sender, &request);
            }
            check_contact(work, &sender.identity())?;
            take_card(work, sender, request.sender())?;
            readmission::take(work, sender, &request)
        }
        // That is for doors.
        InboxContent::JoinRequest(_) => Err(Fault::Rejected("ITEM_NOT_UNDERSTOOD")),
        InboxContent::JoinDecline(decline) => {
            Ok(asking::declined(work, &decline.channel, came.by)?)
        }
    }
}

/// Nobody speaks for another: a card is of who sends it (spec: LNK-049).
fn take_card(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    card: &ContactCard,
) -> Result<(), Fault> {
    check_card(sender, card)?;
    contacts::ensure(work, &sender.identity(), Some(card))?;
    Ok(())
}

fn check_card(sender: &DeviceCredential, card: &ContactCard) -> Result<(), Fault> {
    if card.is_of(&sender.identity()) {
        Ok(())
    } else {
        Err(Fault::Refused(InvitationRefusal::CardOfAnother))
    }
}

fn check_contact(work: &Work<'_>, person: &Fingerprint) -> Result<(), Fault> {
    // spec: LNK-047
    if contacts::is_contact(work, person)? {
        Ok(())
    } else {
        Err(Fault::Refused(InvitationRefusal::NotAContact))
    }
}

/// How an item came.
#[derive(Clone, Copy)]
pub(crate) struct Came<'a> {
    /// The capability that it came by, as far as it is known.
    pub(crate) by: Option<&'a CapabilityId>,
    /// Whether the group that an invitation leads on from was read to its end since.
    pub(crate) read: bool,
    /// Until when it is kept, if it waited before.
    pub(crate) until_ms: Option<u64>,
}

impl<'a> Came<'a> {
    /// In an item that is read for the first time.
    pub(crate) const fn in_item(item: &'a InboxItem) -> Self {
        Self { by: Some(&item.capability), read: false, until_ms: None }
    }
}

/// What there is of an invitation.
#[derive(Clone, Copy)]
enum Given<'a> {
    /// The item's content.
    Item { content: &'a [u8], came: Came<'a> },
    /// That, and the snapshot that it names.
    Snapshot { snapshot: &'a GroupSnapshot, read: bool },
}

impl<'a> Given<'a> {
    const fn came(&self) -> Came<'a> {
        match *self {
            Self::Item { came, .. } => came,
            Self::Snapshot { read, .. } => Came { by: None, read, until_ms: None },
        }
    }
}

/// Whether this device may follow an invitation, as far as its group does not have to be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    /// By another identity.
    Theirs,
    /// By another identity, to a group that this person asked to be let into.
    Asked(ChatNumber),
    /// By a device of its own.
    Own,
    /// It is in already.
    There,
}

fn is_from_me(work: &Work<'_>, sender: &DeviceCredential) -> Result<bool, StoreError> {
    Ok(sender.identity() == work.me()?)
}

fn follow(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
    given: Given<'_>,
) -> Result<(), Fault> {
    let channel = invitation.group.channel;
    let known = groups::record(work, &channel)?.map(forks::as_asked);
    let came = given.came();
    let (whose, asked) = match admit(work, sender, invitation, known.as_ref(), came.by)? {
        Admission::There => return Ok(()),
        Admission::Own => (Whose::Mine, asking::answered_by(work, invitation, None)?),
        Admission::Theirs => (Whose::Others, None),
        Admission::Asked(chat) => (Whose::Others, Some(chat)),
    };
    if whose == Whose::Mine {
        own_group::check_read(work, invitation, came.read)?;
    }
    // spec: LNK-046, LNK-082: nothing is fetched before this.
    let snapshot = match (&invitation.snapshot, given) {
        (SnapshotPlace::Inline(snapshot), _) | (_, Given::Snapshot { snapshot, .. }) => snapshot,
        (SnapshotPlace::Blob(at), Given::Item { content, came }) => {
            return waiting::begin(work, sender, invitation, at, content, came);
        }
    };
    let Some(joined) = join(work, invitation, snapshot, known.as_ref())? else { return Ok(()) };
    // spec: LNK-042
    if joined.inviter.credential != *sender || !fits(invitation, &joined) {
        return Err(Fault::Rejected("INVITATION_NOT_VALID"));
    }
    // spec: LNK-061
    if entered::has_been(work, &joined.keys)? {
        return Err(Fault::Rejected("INVITATION_NOT_VALID"));
    }
    if invitation.purpose == Purpose::Direct {
        check_direct(work, &channel, sender, whose)?;
    }
    if own_group::standing(work, &joined.group, invitation)? == own_group::Standing::Outranked {
        shelf::used(work, &joined.package)?;
        return Ok(stuck::erase_keys(work, &channel)?);
    }
    enter(
        work,
        sender,
        invitation,
        &joined,
        Before { record: known, whose, asked, read: came.read },
    )
}

/// Joins the group, unless the invitation is for another device of this identity.
fn join(
    work: &mut Work<'_>,
    invitation: &Invitation,
    snapshot: &GroupSnapshot,
    known: Option<&GroupRecord>,
) -> Result<Option<Joined>, Fault> {
    let not_valid = Fault::Rejected("INVITATION_NOT_VALID");
    let Some(suite) = Suite::from_code(invitation.suite.0) else { return Err(not_valid) };
    let channel = &invitation.group.channel;
    let returning = known.is_some_and(|known| known.state == GroupState::Stuck);
    if returning {
        let Ok(package) = joiner_of(&invitation.secrets) else { return Err(not_valid) };
        if !shelf::has(work, &package)? {
            return Ok(None);
        }
        // It may not be readable; should nothing come of the invitation, it stays (spec: CLI-001).
        stuck::erase_keys(work, channel)?;
    }
    let device = profile::device(work)?;
    let provider = work.provider();
    let welcomed = Welcomed { suite, secrets: &invitation.secrets, snapshot };
    match Group::join(&provider, &device.key, channel, welcomed) {
        Ok(joined) => Ok(Some(joined)),
        Err(OpenError::Failed(GroupError::UnknownKeyPackage)) if !returning => Ok(None),
        Err(OpenError::Failed(GroupError::UnknownKeyPackage)) => Err(not_valid),
        Err(OpenError::Failed(error)) => Err(Fault::Store(log::store_error(error))),
        // spec: CLI-174
        Err(OpenError::NewerRules(_)) => Err(Fault::NewerRules),
        Err(_) => Err(not_valid),
    }
}

fn admit(
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
        None => succession::leads_on(work, invitation)?,
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
fn check_direct(
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

/// Whether the group is what the invitation says it is (spec: GRP-071).
fn fits(invitation: &Invitation, joined: &Joined) -> bool {
    let suite = joined.group.suite().is_ok_and(|suite| SuiteCode(suite.code()) == invitation.suite);
    suite
        && matches!(
            (invitation.purpose, joined.group.state().kind),
            (Purpose::Direct, GroupKind::Direct)
                | (Purpose::Group, GroupKind::Group)
                | (Purpose::OwnDevices, GroupKind::OwnDevices)
        )
}

/// What this device knew of a group, and of the invitation to it, before it came in.
struct Before {
    record: Option<GroupRecord>,
    /// Who invites.
    whose: Whose,
    /// The chat of an asking that the invitation answers.
    asked: Option<ChatNumber>,
    /// Whether what it leads on from was read to its end since the invitation came.
    read: bool,
}

/// This device is in: its chat, its row, and whom it has to tell.
fn enter(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
    joined: &Joined,
    before: Before,
) -> Result<(), Fault> {
    let from_me = before.whose == Whose::Mine;
    // Who lets somebody in by a link does not become a contact by that (spec: LNK-101).
    if !from_me && before.asked.is_none() {
        take_card(work, sender, &invitation.sender)?;
    }
    shelf::used(work, &joined.package)?;
    let purpose = purpose::of(work, invitation, joined, &before)?;
    let Before { record: known, asked, whose, .. } = before;
    let channel = invitation.group.channel;
    let epoch = invitation.group.epoch;
    let back = known.filter(|known| known.state == GroupState::Stuck);
    let rejoined_ms = match &back {
        Some(known) => come_back(work, &channel, known)?,
        None => Vec::new(),
    };
    advance::begin_epoch(work, &channel, &epoch, &joined.keys)?;
    let members = joined.group.members().map_err(log::store_error)?;
    if back.is_some() {
        tell_change(work, &channel, purpose, &members)?;
    }
    stuck::note_roster(work, &channel, &members)?;
    // Whose doing it is that this device is there stays.
    let invited_by = match &back {
        Some(known) => known.invited_by,
        None => (!from_me && asked.is_none()).then(|| sender.identity()),
    };
    let row = GroupRecord::begun(
        work.now,
        &invitation.group.relay.to_string(),
        purpose,
        invitation.group.epoch,
        joined.group.state().rules,
    );
    let record = GroupRecord { invited_by, rejoined_ms, ..row };
    groups::save(work, &channel, &record)?;
    refreshing::renewed(work, &channel)?;
    work.effects.channels.insert(channel);
    if revoking::wish_out(work, &channel, &members)? {
        direct::standing::unheard_from(work, &channel, &record)?;
    }
    if !from_me {
        devices::add_missing_devices(work, &channel, &members, &sender.identity())?;
    }
    if purpose == PurposeRecord::OwnDevices {
        own_group::entered(work, &channel, &joined.group, &members)?;
    }
    if let PurposeRecord::Direct { chat, contact } = purpose {
        let person = contacts::by_contact(work, contact).map_err(|_| StoreError::Damaged)?;
        direct::standing::entered(work, &channel, chat, &person, whose)?;
        purpose::entered_direct(work, &channel, chat, contact)?;
        if !from_me && direct::standing::of(work, &channel)? != Standing::Doubtful {
            control::send_card(work, &channel, &sender.identity())?;
        }
    }
    Ok(())
}

/// Who came and who went while this device was not in, is told like a commit that does it: also who was
/// removed, and is in again since the relay lost that (spec: CLI-180).
fn tell_change(
    work: &mut Work<'_>,
    channel: &ChannelId,
    purpose: PurposeRecord,
    members: &[Member],
) -> Result<(), StoreError> {
    let PurposeRecord::Group { chat } = purpose else { return Ok(()) };
    let before = stuck::roster(work, channel)?;
    let now = groups::identities(members);
    let only_in = |these: &[Fingerprint], others: &[Fingerprint]| -> Vec<String> {
        these.iter().filter(|it| !others.contains(it)).map(Fingerprint::to_hex).collect()
    };
    let (added, removed) = (only_in(&now, &before), only_in(&before, &now));
    if !added.is_empty() {
        work.event(Event::MembersAdded { chat, members: added })?;
    }
    if !removed.is_empty() {
        work.event(Event::MembersRemoved { chat, members: removed })?;
    }
    Ok(())
}

/// What is left of the group as it was: what was sealed for an earlier epoch is sealed anew, in its
/// order; who got it before knows it by its id (spec: CLI-163, CNT-012).
fn come_back(
    work: &mut Work<'_>,
    channel: &ChannelId,
    known: &GroupRecord,
) -> Result<Vec<u64>, StoreError> {
    let epoch = log::epoch_state(work, channel, &known.epoch);
    let read_ms = epoch.map_or(0, |(epoch, _)| epoch.read_ms).max(known.epoch_since_ms);
    if let Some(group) = groups::record(work, channel)?.filter(|group| group.state.is_in()) {
        forks::exchanged(work, channel, &group)?;
    }
    outbox::epoch_over(work, channel)?;
    // What was left before it got stuck may part its members still (spec: CLI-198).
    let kept = match forks::kept(work, channel, &[]) {
        Err(StoreError::Damaged) => Vec::new(),
        kept => kept?,
    };
    advance::forget_epochs(work, channel, &kept)?;
    rejoin::came_back(work, channel, known, read_ms)
}
