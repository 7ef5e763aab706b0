//! Being invited: which inbox items this identity follows, and the groups that come of them.
//!
//! Whoever was given a capability can write an item, and an invitation can name any channel. So an
//! invitation has to come from a contact, and one to a chat that this device knows already from a
//! member of it, unchanged: nobody else can open again what a person has left (spec: LNK-045,
//! LNK-047). A device counts for as long as its person has it (spec: LNK-058).

mod admission;
mod device;
mod entering;
mod held;
mod purpose;
mod relays;
mod unread;
mod waiting;

use hushwire_protocol::{
    group::{Group, GroupError, GroupKind, GroupSnapshot, Joined, OpenError, Welcomed, joiner_of},
    identity::{DeviceCredential, Fingerprint},
    invitation::{ContactCard, InboxContent, Invitation, Purpose, SnapshotPlace, SuiteCode},
    provider::Suite,
};
use hushwire_wire::{id::CapabilityId, message::InboxItem};

use self::{admission::Admission, entering::Before};
use crate::{
    asking,
    command::Whose,
    contacts, entered,
    event::InvitationRefusal,
    forks, groups,
    inbox::Fault,
    log, own_group, profile, readmission,
    record::{GroupRecord, GroupState},
    shelf,
    store::StoreError,
    stuck,
    work::Work,
};
pub(crate) use held::{
    cut_times, forget_held, forget_held_of, held, hold, refuse_held, reject_held, row::Word,
    take_held,
};
pub(crate) use relays::has_room as has_relay_room;
pub(crate) use unread::{
    Unread, hold_unread, move_words, release, still_unread, unread_successor, unread_words,
    wait_unread, was_read,
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
    let known =
        groups::record(work, &channel)?.map(|known| forks::as_asked(known, &sender.identity()));
    let came = given.came();
    let (whose, asked) = match admission::admit(work, sender, invitation, known.as_ref(), came.by)?
    {
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
        admission::check_direct(work, &channel, sender, whose)?;
    }
    if own_group::standing(work, &joined.group, invitation)? == own_group::Standing::Outranked {
        shelf::used(work, &joined.package)?;
        return Ok(stuck::erase_keys(work, &channel)?);
    }
    entering::enter(
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
