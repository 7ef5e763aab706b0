//! Invitations whose snapshot is in a blob: each waits until that has come, and is judged again
//! from the beginning then.
//!
//! | state | input | next |
//! |---|---|---|
//! | – | an invitation that could be followed, for this device | wanted |
//! | wanted | the blob came whole and is genuine | joined, or refused by the rules of any invitation |
//! | wanted | the relay does not have it, or gives another | wanted; given up at the last try |
//! | wanted | the blob came, and another group is to be read first | unread (`unread`) |
//! | wanted | the session or the process ends | wanted |
//! | wanted | this device is in the group by another invitation to the same epoch | over |
//! | wanted | the person left the group | over |

use hushwire_protocol::{
    attachment::{BlobSeal, Layout, open_blob},
    group::{GroupSnapshot, SNAPSHOT_BYTES_MAX, joiner_of},
    identity::{DeviceCredential, Fingerprint},
    invitation::{InboxContent, Invitation, SnapshotBlob, SnapshotPlace},
};
use hushwire_wire::id::ChannelId;

use super::{Came, Given, follow, held};
use crate::{
    event::{Event, InvitationRefusal, Warning},
    forks, groups,
    inbox::Fault,
    record::{SecretBytes, Wish, WishNumber, credential, number_of},
    shelf,
    store::{Order, Range, StoreError, Table},
    wish::{self, Ask, Step, Target, Wanted},
    work::Work,
};

/// How often a relay may fail to give a snapshot (spec: LNK-084).
const TRIES_MAX: u8 = 8;
/// The most that wait of one other identity (spec: LNK-085).
const WAITING_OF_ONE_MAX: usize = 16;

const PREFIX: &[u8] = b"joining ";

fn channel_prefix(channel: &ChannelId) -> Vec<u8> {
    [PREFIX, channel.as_bytes()].concat()
}

/// Which wishes to join are about a channel. Key: this, wish number.
pub(crate) fn waiting_key(channel: &ChannelId, number: WishNumber) -> Vec<u8> {
    [&channel_prefix(channel)[..], &crate::record::by_number(number.0)].concat()
}

fn numbers(work: &Work<'_>, prefix: &[u8]) -> Result<Vec<WishNumber>, StoreError> {
    let range = Range { prefix, from: None, order: Order::Ascending, rows_max: usize::MAX };
    let rows = work.tx.rows(Table::Profile, range)?;
    rows.iter().map(|row| number_of(&row.key).map(WishNumber).ok_or(StoreError::Damaged)).collect()
}

/// Keeps an invitation until its snapshot has come, if it is for this device.
pub(super) fn begin(
    work: &mut Work<'_>,
    sender: &DeviceCredential,
    invitation: &Invitation,
    at: &SnapshotBlob,
    content: &[u8],
    came: Came<'_>,
) -> Result<(), Fault> {
    let package = joiner_of(&invitation.secrets);
    let package = package.map_err(|_| Fault::Rejected("INVITATION_NOT_VALID"))?;
    if !shelf::has(work, &package)? {
        return Ok(());
    }
    // spec: LNK-083
    if at.seal.length.bytes() > SNAPSHOT_BYTES_MAX as u64 {
        return Err(Fault::Refused(InvitationRefusal::SnapshotTooLarge));
    }
    make_room(work, sender)?;
    work.wish(Wish::JoinGroup {
        channel: invitation.group.channel,
        relay: invitation.group.relay.to_string(),
        sender: sender.to_bytes(),
        content: SecretBytes::new(content),
        tries: 0,
        read: came.read,
        until_ms: Some(held::row::until_of(work, came.until_ms)),
    })?;
    Ok(())
}

/// The oldest of an identity that has too many gives way to one more of it (spec: LNK-085).
fn make_room(work: &mut Work<'_>, sender: &DeviceCredential) -> Result<(), StoreError> {
    let me = work.me()?;
    if sender.identity() == me {
        return Ok(());
    }
    let mut of_sender = Vec::new();
    for number in numbers(work, PREFIX)? {
        if let Some(Wish::JoinGroup { sender: by, .. }) = wish::load(work, number)?
            && credential(&by)?.identity() == sender.identity()
        {
            of_sender.push(number);
        }
    }
    of_sender.sort_unstable();
    let surplus = (of_sender.len() + 1).saturating_sub(WAITING_OF_ONE_MAX);
    for oldest in of_sender.into_iter().take(surplus) {
        work.settle(oldest);
    }
    Ok(())
}

fn invitation_in(content: &SecretBytes) -> Result<Box<Invitation>, StoreError> {
    match InboxContent::decode(content.expose()) {
        Ok(InboxContent::Invitation(invitation)) => Ok(invitation),
        _ => Err(StoreError::Damaged),
    }
}

/// A relay that an invitation which waits has brought.
pub(super) struct Brought {
    pub(super) relay: String,
    pub(super) by: Fingerprint,
}

/// The relays of the invitations that wait (spec: LNK-067).
pub(super) fn brought(work: &Work<'_>) -> Result<Vec<Brought>, StoreError> {
    let mut relays = Vec::new();
    for number in numbers(work, PREFIX)? {
        if let Some(Wish::JoinGroup { relay, sender, .. }) = wish::load(work, number)? {
            relays.push(Brought { relay, by: credential(&sender)?.identity() });
        }
    }
    Ok(relays)
}

/// The session for the blobs of the channel; nothing while this device is in the group, as far as it
/// has read (spec: LNK-080).
pub(crate) fn target(
    work: &Work<'_>,
    channel: &ChannelId,
    relay: &str,
    sender: &[u8],
) -> Result<Target, StoreError> {
    let sender = credential(sender)?.identity();
    let known = groups::record(work, channel)?.map(|known| forks::as_asked(known, &sender));
    if known.is_some_and(|group| group.state.is_in()) {
        return Ok(Target::Nothing);
    }
    let relay = relay.parse().map_err(|_| StoreError::Damaged)?;
    Ok(Target::Blobs { channel: *channel, relay })
}

/// Asks for the snapshot.
pub(crate) fn fetch(
    work: &mut Work<'_>,
    number: WishNumber,
    content: &SecretBytes,
) -> Result<Step, StoreError> {
    let invitation = invitation_in(content)?;
    let SnapshotPlace::Blob(at) = &invitation.snapshot else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let size = Layout::new(at.seal.length).sealed_length();
    Ok(Step::Ask(Ask::Snapshot(Wanted { blob: at.blob, size })))
}

/// What came of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// The invitation was followed, or means nothing any more.
    Settled,
    /// The bytes are not those that the invitation names.
    NotGenuine,
}

/// The bytes of a snapshot came: the invitation is judged again, and followed.
pub(crate) fn arrived(
    work: &mut Work<'_>,
    number: WishNumber,
    bytes: &[u8],
) -> Result<Arrived, Fault> {
    let Some(Wish::JoinGroup { sender, content, read, .. }) = wish::load(work, number)? else {
        return Ok(Arrived::Settled);
    };
    let sender = credential(&sender)?;
    let invitation = invitation_in(&content)?;
    let SnapshotPlace::Blob(at) = &invitation.snapshot else { return Ok(Arrived::Settled) };
    let Some(snapshot) = open(&at.seal, bytes)? else { return Ok(Arrived::NotGenuine) };
    follow(work, &sender, &invitation, Given::Snapshot { snapshot: &snapshot, read })?;
    work.settle(number);
    // Others to the same epoch say nothing more.
    for other in numbers(work, &channel_prefix(&invitation.group.channel))? {
        if let Some(Wish::JoinGroup { content, .. }) = wish::load(work, other)?
            && invitation_in(&content)?.group.epoch == invitation.group.epoch
        {
            work.settle(other);
        }
    }
    Ok(Arrived::Settled)
}

/// What is in the blob, if that is the one which the invitation names; its inviter is to blame for
/// what is no snapshot.
fn open(seal: &BlobSeal, bytes: &[u8]) -> Result<Option<GroupSnapshot>, Fault> {
    let Ok(content) = open_blob(seal, bytes) else { return Ok(None) };
    let snapshot = GroupSnapshot::decode(&content);
    snapshot.map(Some).map_err(|_| Fault::Rejected("INVITATION_NOT_VALID"))
}

/// Whether a snapshot is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    Again,
    GivenUp,
}

/// The relay did not give the snapshot. It is asked again, for a bounded number of times; then the
/// person is told (spec: LNK-084).
pub(crate) fn missed(
    work: &mut Work<'_>,
    number: WishNumber,
    reason: InvitationRefusal,
) -> Result<Missed, StoreError> {
    let Some(Wish::JoinGroup { channel, relay, sender, content, tries, read, until_ms }) =
        wish::load(work, number)?
    else {
        return Ok(Missed::GivenUp);
    };
    let tries = tries.saturating_add(1);
    if tries < TRIES_MAX {
        let again = Wish::JoinGroup { channel, relay, sender, content, tries, read, until_ms };
        work.update_wish(number, again)?;
        return Ok(Missed::Again);
    }
    give_up(work, number, Warning::InvitationRefused { reason })?;
    Ok(Missed::GivenUp)
}

/// An invitation that waited is not followed.
pub(crate) fn give_up(
    work: &mut Work<'_>,
    number: WishNumber,
    warning: Warning,
) -> Result<(), StoreError> {
    work.settle(number);
    work.event(Event::Warning(warning))
}

/// This device is out of a group: what waited to lead it back is looked at again.
pub(crate) fn wake(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let waiting = numbers(work, &channel_prefix(channel))?;
    work.effects.wished.extend(waiting);
    Ok(())
}

/// Forgets the invitations to a group: its person left it.
pub(super) fn forget_of(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for number in numbers(work, &channel_prefix(channel))? {
        work.settle(number);
    }
    Ok(())
}
