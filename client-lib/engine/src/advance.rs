//! A group moves on: the commit is applied, the next epoch's log begins, and everybody whom it
//! concerns is told.

use std::collections::BTreeSet;

use hushwire_protocol::{
    epoch::EpochKeys,
    group::{
        Applied, Group, GroupState as Agreed, LeafIndex, Life, Member, Outcome, PastRoster,
        StagedCandidate,
    },
    identity::Fingerprint,
};
use hushwire_wire::{
    id::{ChainHead, ChannelId, EntryId, EpochId},
    transcript,
};
use zeroize::Zeroizing;

use crate::{
    additions, changing, chats,
    command::{ChatState, FailureReason, StuckCause},
    direct,
    door::{self, Committer},
    entered,
    event::Event,
    forks::{self, Leaving},
    groups::{self, Present},
    invitations, joining,
    log::{self, Fault},
    outbox::{self, OwnCommit},
    readmission,
    record::{
        ChangeRecord, EpochRecord, GroupRecord, GroupState, Packages, PurposeRecord, SecretBytes,
        Wish, by_channel,
    },
    refreshing,
    store::{Order, Range, StoreError, Table},
    stuck, succession, wish,
    work::Work,
};

/// The first epoch of a group that this device created or joined, or one that a commit opened.
pub(crate) fn begin_epoch(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    keys: &EpochKeys,
) -> Result<(), StoreError> {
    let record = EpochRecord {
        keys: SecretBytes::new(&keys.to_secret_bytes()[..]),
        next: 0,
        head: transcript::first_head(channel, epoch),
        candidates: Vec::new(),
        acknowledged: 0,
        receipt: None,
        sure: 0,
        anew: false,
        read_ms: 0,
        copied: false,
        statements: Vec::new(),
        left: None,
    };
    entered::note(work, keys)?;
    log::save_epoch(work, channel, epoch, &record)
}

/// What a commit changed, as far as people see it.
pub(crate) struct Moved {
    /// Whose commit it was.
    by: Fingerprint,
    committer: Committer,
    pub(crate) added: Vec<Member>,
    pub(crate) removed: Vec<Member>,
    /// The agreed state before, if it is another one now.
    state_before: Option<Agreed>,
    /// Devices that went and came at once.
    pub(crate) readmitted: Vec<Member>,
}

impl Moved {
    /// Whether a device of whose commit it was came in, and was not there before.
    fn brings_own_devices(&self) -> bool {
        let is_new = |own: &Member| {
            let same = |back: &Member| back.identity() == self.by && back.device() == own.device();
            own.identity() == self.by && !self.readmitted.iter().any(same)
        };
        self.added.iter().any(is_new)
    }
}

impl From<&Applied> for Moved {
    fn from(applied: &Applied) -> Self {
        let is_back = |added: &&Member| {
            let same =
                |it: &Member| it.identity() == added.identity() && it.device() == added.device();
            applied.removed.iter().any(same)
        };
        Self {
            by: applied.committer.identity(),
            committer: Committer::Another,
            added: applied.added.clone(),
            removed: applied.removed.clone(),
            state_before: applied.state_before.clone(),
            readmitted: applied.added.iter().filter(is_back).cloned().collect(),
        }
    }
}

fn missing_in(all: &[Member], others: &[Member]) -> Vec<Member> {
    let there: BTreeSet<Vec<u8>> = others.iter().map(|other| other.credential.to_bytes()).collect();
    let missing = |member: &&Member| !there.contains(&member.credential.to_bytes());
    all.iter().filter(missing).cloned().collect()
}

/// Applies a commit of this device that came back in the log.
pub(crate) fn apply_own(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    entry: &EntryId,
    own: OwnCommit,
) -> Result<(), StoreError> {
    let mut mls = log::load_group(work, channel)?;
    let before = mls.members().map_err(log::store_error)?;
    let leaving = leaving(&mls)?;
    let state = mls.state().clone();
    let provider = work.provider();
    mls.confirm_commit(&provider).map_err(log::store_error)?;
    let after = mls.members().map_err(log::store_error)?;
    let readmitted = match wish::load(work, own.number)? {
        Some(Wish::Readmit { person, device, .. }) => {
            let is_back =
                |member: &&Member| member.identity() == person && member.device() == device;
            after.iter().filter(is_back).cloned().collect()
        }
        _ => Vec::new(),
    };
    let moved = Moved {
        by: work.me()?,
        committer: Committer::ThisDevice,
        added: missing_in(&after, &before),
        removed: missing_in(&before, &after),
        state_before: (state != *mls.state()).then_some(state),
        readmitted,
    };
    let keys = own.commit.next_keys()?;
    // Its other devices are out: now it goes itself.
    if !matches!(wish::load(work, own.number)?, Some(Wish::Leave { .. })) {
        work.settle(own.number);
    }
    if mls.state().life == Life::Dissolved {
        return dissolved(work, channel, group, mls, &moved.by);
    }
    move_on(work, channel, group, entry, &mls, &keys, &moved, &leaving)?;
    refreshing::committed(work, channel)?;
    let epoch = EpochId::from_bytes(*entry.as_bytes());
    let came = !moved.added.is_empty() || !moved.readmitted.is_empty();
    if group.purpose == PurposeRecord::OwnDevices && came {
        crate::devices::tell_everything(work)?;
    }
    if groups::is_of_all_devices(group) && moved.brings_own_devices() {
        crate::devices::tell_group(work, channel)?;
    }
    invitations::send(work, channel, &epoch, &mls, own.commit)
}

/// Applies a valid commit of somebody else.
pub(crate) fn apply_theirs(
    work: &mut Work<'_>,
    channel: &ChannelId,
    entry: &EntryId,
    mut mls: Group,
    candidate: StagedCandidate,
) -> Result<(), Fault> {
    forks::heard(work, channel)?;
    let group = &groups::record(work, channel)?.ok_or(StoreError::Damaged)?;
    let leaving = leaving(&mls)?;
    let provider = work.provider();
    let applied = candidate.apply(&mut mls, &provider).map_err(log::store_error)?;
    match &applied.outcome {
        Outcome::Stays(_) if mls.state().life == Life::Dissolved => {
            dissolved(work, channel, group, mls, &applied.committer.identity())?;
        }
        Outcome::Stays(keys) => {
            let moved = Moved::from(&applied);
            move_on(work, channel, group, entry, &mls, keys, &moved, &leaving)?;
            direct::standing::heard(work, channel, group, &applied.committer)?;
        }
        Outcome::Removed => {
            removed(work, channel, group, mls, &applied.committer.identity())?;
        }
        // The chat stays; the invitation is under way (spec: CLI-160).
        Outcome::Readmitted => stuck::stick(work, channel, StuckCause::AddedAgain)?,
    }
    Ok(())
}

/// Who is in the epoch that is left.
pub(crate) fn leaving(mls: &Group) -> Result<Leaving, StoreError> {
    let roster = PastRoster::of(mls).map_err(log::store_error)?;
    Ok(Leaving { roster, own_leaf: mls.own_leaf() })
}

#[expect(clippy::too_many_arguments, reason = "what was, what is, and what changed")]
fn move_on(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    entry: &EntryId,
    mls: &Group,
    keys: &EpochKeys,
    applied: &Moved,
    leaving: &Leaving,
) -> Result<(), StoreError> {
    outbox::epoch_over(work, channel)?;
    log::leave_log(work, channel, &group.epoch)?;
    let epoch = EpochId::from_bytes(*entry.as_bytes());
    begin_epoch(work, channel, &epoch, keys)?;
    if applied.committer == Committer::ThisDevice {
        forks::note_invited(work, channel, &applied.added, &leaving.roster)?;
    }
    let removed: Vec<LeafIndex> = applied.removed.iter().map(|member| member.leaf).collect();
    let unsettled = forks::leave(work, channel, group, entry, leaving, &removed)?;
    forget_epochs(work, channel, &forks::kept(work, channel, &[group.epoch, epoch])?)?;
    let moved = GroupRecord {
        epoch,
        contest: None,
        epoch_since_ms: work.now.0,
        rules: mls.state().rules.0,
        unsettled: unsettled.or(group.unsettled),
        ..group.clone()
    };
    groups::save(work, channel, &moved)?;
    work.effects.channels.insert(*channel);
    if !applied.added.is_empty() || !applied.removed.is_empty() {
        stuck::note_roster(work, channel, &mls.members().map_err(log::store_error)?)?;
    }
    note_own_gone(work, channel, group, applied)?;
    readmission::note(work, channel, group.purpose.chat(), applied)?;
    settle_true(work, channel, mls)?;
    tell(work, channel, &moved, mls, applied)?;
    forks::left(work, channel, &group.epoch)
}

/// An own device was removed from a group and did not come back at once: of what it did in a direct one
/// this device knows nothing (spec: LNK-120).
fn note_own_gone(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    applied: &Moved,
) -> Result<(), StoreError> {
    let me = work.me()?;
    let is_back = |gone: &Member| applied.readmitted.iter().any(|it| it.device() == gone.device());
    if applied.removed.iter().any(|gone| gone.identity() == me && !is_back(gone)) {
        direct::standing::unheard_from(work, channel, group)?;
    }
    Ok(())
}

/// Deletes the keys and heads of every epoch but those of `kept` ([`forks::kept`]).
pub(crate) fn forget_epochs(
    work: &Work<'_>,
    channel: &ChannelId,
    kept: &[EpochId],
) -> Result<(), StoreError> {
    for table in [Table::Epoch, Table::Head] {
        let range = Range {
            prefix: channel.as_bytes(),
            from: None,
            order: Order::Ascending,
            rows_max: usize::MAX,
        };
        for row in work.tx.rows(table, range)? {
            let epoch = row.key.get(ChannelId::LENGTH..ChannelId::LENGTH + EpochId::LENGTH);
            if !kept.iter().any(|kept| epoch == Some(&kept.as_bytes()[..])) {
                work.tx.remove(table, &row.key);
            }
        }
    }
    forks::forget_rosters(work, channel)
}

/// Wishes that are true by now are settled (spec: CLI-014).
fn settle_true(work: &mut Work<'_>, channel: &ChannelId, mls: &Group) -> Result<(), StoreError> {
    let present = Present::of(mls)?;
    let mut left_out = false;
    for row in wish::of_channel(work, channel)? {
        if groups::is_true(work, mls, &present, &row.wish)? {
            work.settle(row.number);
        } else {
            left_out |= row.wish.addition().is_some_and(Packages::are_complete);
        }
    }
    if left_out { additions::ready(work, channel) } else { Ok(()) }
}

fn tell(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    mls: &Group,
    applied: &Moved,
) -> Result<(), StoreError> {
    let chat = match group.purpose {
        PurposeRecord::OwnDevices => return crate::devices::own_group_moved(work, applied),
        // It opens when the other side's invitation is in its inbox.
        PurposeRecord::Direct { .. } => {
            work.effects.held_clearer = true;
            return Ok(());
        }
        PurposeRecord::Former { .. } => {
            let readded = applied.committer == Committer::ThisDevice;
            return match readded && !applied.added.is_empty() {
                true => succession::tell_again(work, channel),
                false => Ok(()),
            };
        }
        PurposeRecord::Group { chat } => chat,
    };
    if let Some(before) = &applied.state_before {
        if before.name != mls.state().name {
            door::links::put_again(work, channel)?;
        }
        groups::take_name(work, chat, mls)?;
        changing::tell(work, chat, &applied.by, before, mls.state())?;
    }
    if applied.added.is_empty() && applied.removed.is_empty() {
        return Ok(());
    }
    let now = mls.members().map_err(log::store_error)?;
    let added = groups::came(&now, &applied.added, &applied.removed);
    let removed = groups::went(&now, &applied.removed);
    let hex = |people: &[Fingerprint]| people.iter().map(Fingerprint::to_hex).collect();
    if !added.is_empty() {
        work.event(Event::MembersAdded { chat, members: hex(&added) })?;
    }
    if !removed.is_empty() {
        work.event(Event::MembersRemoved { chat, members: hex(&removed) })?;
    }
    let change = door::Change {
        added: &applied.added,
        removed: &applied.removed,
        came: &added,
        went: &removed,
    };
    succession::came(work, channel, &added)?;
    door::members_changed(work, channel, mls, applied.committer, &change)
}

/// This device is out: it reads and writes nothing more there.
fn removed(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    mls: Group,
    by: &Fingerprint,
) -> Result<(), StoreError> {
    let me = work.me()?;
    match group.purpose {
        PurposeRecord::OwnDevices => {
            shut_out(work, channel, group, mls)?;
            crate::devices::this_device_revoked(work)
        }
        // The person left by another device, which goes itself after this one (spec: GRP-049).
        PurposeRecord::Group { chat } if *by == me => {
            close(work, channel, group, mls, FailureReason::NotAMember)?;
            work.effects.held_clearer = true;
            chats::set_state(work, chat, ChatState::Left)
        }
        PurposeRecord::Direct { .. }
        | PurposeRecord::Group { .. }
        | PurposeRecord::Former { .. } => shut_out(work, channel, group, mls),
    }
}

/// Ends a group for this device alone.
pub(crate) fn shut_out(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    mls: Group,
) -> Result<(), StoreError> {
    close(work, channel, group, mls, FailureReason::NotAMember)?;
    let Some(chat) = group.purpose.chat() else { return Ok(()) };
    // Who was added again meanwhile has an invitation that waits (spec: LNK-080).
    work.effects.held_clearer = true;
    joining::wake(work, channel)?;
    if group.state == GroupState::Leaving {
        joining::forget_held_of(work, channel)?;
        return chats::set_state(work, chat, ChatState::Left);
    }
    chats::set_state(work, chat, ChatState::Removed)?;
    work.event(Event::RemovedFromChat(chat))
}

/// An owner has ended the group: its history stays, and nothing opens it again (spec: CLI-153).
fn dissolved(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    mls: Group,
    by: &Fingerprint,
) -> Result<(), StoreError> {
    close(work, channel, group, mls, FailureReason::Dissolved)?;
    joining::forget_held_of(work, channel)?;
    let Some(chat) = group.purpose.chat() else { return Ok(()) };
    if group.state == GroupState::Leaving {
        return chats::set_state(work, chat, ChatState::Left);
    }
    chats::set_state(work, chat, ChatState::Dissolved)?;
    work.event(Event::GroupDissolved { chat, by: by.to_hex() })
}

/// What waits for a group fails, and its keys go.
fn close(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    mut mls: Group,
    reason: FailureReason,
) -> Result<(), StoreError> {
    let mut out = group.clone();
    out.state = GroupState::Out;
    out.contest = None;
    out.last_roster = groups::identities(&mls.members().map_err(log::store_error)?);
    groups::save(work, channel, &out)?;
    forks::forget_invited(work, channel);
    door::forget(work, channel)?;
    work.effects.channels.insert(*channel);
    for row in wish::of_channel(work, channel)? {
        if !is_granted(&row.wish, reason) {
            wish::fail(work, row.number, reason)?;
        }
        work.settle(row.number);
    }
    let provider = work.provider();
    mls.delete(&provider).map_err(log::store_error)?;
    forget_epochs(work, channel, &[])
}

/// Who wished to leave, or to dissolve a group that is dissolved, has what was wished for.
const fn is_granted(wish: &Wish, reason: FailureReason) -> bool {
    match wish {
        Wish::Leave { .. } => true,
        Wish::ChangeGroup { change: ChangeRecord::Dissolve, .. } => {
            matches!(reason, FailureReason::Dissolved)
        }
        _ => false,
    }
}

/// The head behind an entry.
pub(crate) struct HeadRow {
    pub(crate) head: ChainHead,
    /// The entry, unless it was refused.
    pub(crate) handled: Option<EntryId>,
}

/// Notes the head behind an entry, to compare it with what others saw.
pub(crate) fn note_head(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    next: u64,
    row: &HeadRow,
) {
    let mut value = Zeroizing::new(row.head.as_bytes().to_vec());
    value.extend(row.handled.iter().flat_map(|entry| entry.as_bytes()));
    work.tx.put(Table::Head, &head_key(channel, epoch, next), value);
}

/// What was noted of the entry in front of this place.
pub(crate) fn head_row(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    next: u64,
) -> Result<Option<HeadRow>, StoreError> {
    let Some(row) = work.tx.row(Table::Head, &head_key(channel, epoch, next))? else {
        return Ok(None);
    };
    let (head, entry) = row.split_at_checked(ChainHead::LENGTH).ok_or(StoreError::Damaged)?;
    let head = ChainHead::from_slice(head).map_err(|_| StoreError::Damaged)?;
    let handled = match entry {
        [] => None,
        entry => Some(EntryId::from_slice(entry).map_err(|_| StoreError::Damaged)?),
    };
    Ok(Some(HeadRow { head, handled }))
}

/// Forgets what was noted of the entry in front of this place.
pub(crate) fn forget_head(work: &Work<'_>, channel: &ChannelId, epoch: &EpochId, next: u64) {
    work.tx.remove(Table::Head, &head_key(channel, epoch, next));
}

/// The head in front of the entry with this number, if this device has seen it.
pub(crate) fn head_at(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    next: u64,
) -> Result<Option<ChainHead>, StoreError> {
    if next == 0 {
        return Ok(Some(transcript::first_head(channel, epoch)));
    }
    Ok(head_row(work, channel, epoch, next)?.map(|row| row.head))
}

fn head_key(channel: &ChannelId, epoch: &EpochId, next: u64) -> Vec<u8> {
    [&by_channel(channel, epoch)[..], &next.to_be_bytes()].concat()
}
