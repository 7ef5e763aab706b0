//! Invitations of people who are no contacts yet. Nothing is joined by them; they wait, because a
//! person's first card may come a little later: by the direct chat that was begun at the same time,
//! or from another own device (spec: LNK-047).

use hushwire_protocol::{
    group::packages_in,
    identity::{DeviceCredential, UnverifiedCredential},
    invitation::InboxContent,
};
use hushwire_wire::id::Sequence;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, InvitationRefusal, Warning},
    inbox::Fault,
    record::{Record, SecretBytes, by_number},
    shelf,
    store::{StoreError, Table},
    work::Work,
};

/// The most that are kept; the oldest gives way.
const HELD_MAX: usize = 16;
/// The most of one sender that are kept; their oldest gives way.
const HELD_OF_ONE_MAX: usize = 2;
const PREFIX: &[u8] = b"held ";

/// An invitation that waits. Key: `held `, place of its item in the inbox.
#[derive(Serialize, Deserialize)]
struct HeldRecord {
    #[serde(with = "serde_bytes")]
    sender: Vec<u8>,
    content: SecretBytes,
}

impl Record for HeldRecord {
    const TABLE: Table = Table::Profile;
}

/// Keeps an invitation, if it is for this device. Nobody drives out those of others (spec: LNK-063).
pub(crate) fn hold(
    work: &Work<'_>,
    place: Sequence,
    sender: &DeviceCredential,
    content: &[u8],
) -> Result<(), StoreError> {
    let Ok(InboxContent::Invitation(invitation)) = InboxContent::decode(content) else {
        return Ok(());
    };
    let packages = packages_in(&invitation.welcome).unwrap_or_default();
    if !shelf::has_one(work, &packages)? {
        return Ok(());
    }
    let mut of_one = Vec::new();
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if credential(&row.record)?.identity() == sender.identity() {
            of_one.push(row.key);
        }
    }
    make_room(work, &of_one, HELD_OF_ONE_MAX)?;
    make_room(work, &held(work)?, HELD_MAX)?;
    let record = HeldRecord { sender: sender.to_bytes(), content: SecretBytes::new(content) };
    work.tx.save(&[PREFIX, &by_number(place.0)].concat(), &record)
}

/// Forgets the oldest, so that one more is not too many.
fn make_room(work: &Work<'_>, keys: &[Vec<u8>], most: usize) -> Result<(), StoreError> {
    let surplus = (keys.len() + 1).saturating_sub(most);
    keys.iter().take(surplus).try_for_each(|oldest| forget_held(work, oldest))
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

/// Forgets an invitation that waits.
pub(crate) fn forget_held(work: &Work<'_>, key: &[u8]) -> Result<(), StoreError> {
    work.tx.remove(Table::Profile, key);
    Ok(())
}
