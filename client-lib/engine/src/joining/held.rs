//! Invitations of people who are no contacts yet. Nothing is joined by them; they wait, because a
//! person's first card may come a little later: by the direct chat that was begun at the same time,
//! or from another own device (spec: LNK-047).

use hushwire_protocol::{
    group::packages_in,
    identity::{DeviceCredential, UnverifiedCredential},
    invitation::InboxContent,
};
use hushwire_wire::{
    id::{CapabilityId, ChannelId},
    message::InboxItem,
};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, InvitationRefusal, Warning},
    inbox::Fault,
    record::{Record, SecretBytes, by_number, id},
    shelf,
    store::{StoreError, Table},
    work::Work,
};

/// The most that are kept.
const HELD_MAX: usize = 16;
/// The most that are kept of those that came by one capability: identities cost nothing.
const HELD_OF_CAPABILITY_MAX: usize = 4;
/// The most of one sender that are kept; their oldest gives way.
const HELD_OF_ONE_MAX: usize = 2;
/// How long one is kept, in milliseconds: 30 days.
const HELD_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
const PREFIX: &[u8] = b"held ";

/// An invitation that waits. Key: `held `, place of its item in the inbox.
#[derive(Serialize, Deserialize)]
struct HeldRecord {
    #[serde(with = "serde_bytes")]
    sender: Vec<u8>,
    content: SecretBytes,
    /// What it came by; none in a row of a build before.
    #[serde(with = "id::option", default)]
    capability: Option<CapabilityId>,
    #[serde(default)]
    until_ms: u64,
}

impl Record for HeldRecord {
    const TABLE: Table = Table::Profile;
}

/// Keeps an invitation, if it is for this device. Nobody drives out those of others: where there is no
/// room left it is the new one that is passed over (spec: LNK-063, LNK-066).
pub(crate) fn hold(
    work: &Work<'_>,
    item: &InboxItem,
    sender: &DeviceCredential,
    content: &[u8],
) -> Result<(), StoreError> {
    let Ok(InboxContent::Invitation(invitation)) = InboxContent::decode(content) else {
        return Ok(());
    };
    let packages = packages_in(&invitation.welcome).unwrap_or_default();
    if !shelf::has_one(work, &packages)? || !make_room(work, item, sender)? {
        return Ok(());
    }
    let record = HeldRecord {
        sender: sender.to_bytes(),
        content: SecretBytes::new(content),
        capability: Some(item.capability),
        until_ms: work.now.plus_ms(HELD_LIFE_MS).0,
    };
    work.tx.save(&[PREFIX, &by_number(item.sequence.0)].concat(), &record)
}

/// Forgets what waited too long, and the sender's oldest so that one more is not too many. Says
/// whether there is room for one more.
fn make_room(
    work: &Work<'_>,
    item: &InboxItem,
    sender: &DeviceCredential,
) -> Result<bool, StoreError> {
    let mut of_sender = Vec::new();
    let mut others = Vec::new();
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if row.record.until_ms <= work.now.0 {
            forget_held(work, &row.key)?;
        } else if credential(&row.record)?.identity() == sender.identity() {
            of_sender.push(row);
        } else {
            others.push(row);
        }
    }
    let surplus = (of_sender.len() + 1).saturating_sub(HELD_OF_ONE_MAX);
    for oldest in of_sender.drain(..surplus) {
        forget_held(work, &oldest.key)?;
    }
    let kept = of_sender.iter().chain(&others);
    let of_capability = kept.filter(|row| row.record.capability == Some(item.capability)).count();
    Ok(of_capability < HELD_OF_CAPABILITY_MAX && of_sender.len() + others.len() < HELD_MAX)
}

fn credential(record: &HeldRecord) -> Result<DeviceCredential, StoreError> {
    UnverifiedCredential::parse(&record.sender)
        .and_then(UnverifiedCredential::verify)
        .map_err(|_| StoreError::Damaged)
}

/// Keys of the invitations that wait, oldest first.
pub(crate) fn held(work: &Work<'_>) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = work.tx.list::<HeldRecord>(PREFIX, usize::MAX)?;
    Ok(rows.into_iter().map(|row| row.key).collect())
}

/// Follows an invitation that waits, if its sender is a contact by now.
pub(crate) fn take_held(work: &mut Work<'_>, key: &[u8]) -> Result<(), Fault> {
    let Some(record) = work.tx.load::<HeldRecord>(key)? else { return Ok(()) };
    let sender = credential(&record)?;
    forget_held(work, key)?;
    super::take(work, &sender, record.content.expose())
}

/// An invitation that waited is not followed.
pub(crate) fn refuse_held(
    work: &mut Work<'_>,
    key: &[u8],
    reason: InvitationRefusal,
) -> Result<(), StoreError> {
    forget_held(work, key)?;
    work.event(Event::Warning(Warning::InvitationRefused { reason }))
}

/// Forgets the invitations to a group that wait: its person left it.
pub(crate) fn forget_held_of(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        let content = InboxContent::decode(row.record.content.expose());
        if matches!(content, Ok(InboxContent::Invitation(to)) if to.group.channel == *channel) {
            forget_held(work, &row.key)?;
        }
    }
    Ok(())
}

/// Forgets an invitation that waits.
pub(crate) fn forget_held(work: &Work<'_>, key: &[u8]) -> Result<(), StoreError> {
    work.tx.remove(Table::Profile, key);
    Ok(())
}
