//! Invitations of people who are no contacts yet. Nothing is joined by them; they wait, because a
//! person's first card may come a little later: by the direct chat that was begun at the same time,
//! or from another own device (spec: LNK-047).

use hushwire_protocol::{
    identity::{DeviceCredential, UnverifiedCredential},
    invitation::InboxContent,
};
use hushwire_wire::id::Sequence;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, InvitationRefusal, Warning},
    inbox::Fault,
    record::{Record, SecretBytes, by_number},
    store::{StoreError, Table},
    work::Work,
};

/// The most that are kept; the oldest gives way.
const HELD_MAX: usize = 16;
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

/// Keeps an invitation.
pub(crate) fn hold(
    work: &Work<'_>,
    place: Sequence,
    sender: &DeviceCredential,
    content: &[u8],
) -> Result<(), StoreError> {
    if !matches!(InboxContent::decode(content), Ok(InboxContent::Invitation(_))) {
        return Ok(());
    }
    let keys = held(work)?;
    let surplus = (keys.len() + 1).saturating_sub(HELD_MAX);
    for oldest in keys.iter().take(surplus) {
        forget_held(work, oldest)?;
    }
    let record = HeldRecord { sender: sender.to_bytes(), content: SecretBytes::new(content) };
    work.tx.save(&[PREFIX, &by_number(place.0)].concat(), &record)
}

/// Keys of the invitations that wait, oldest first.
pub(crate) fn held(work: &Work<'_>) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = work.tx.list::<HeldRecord>(PREFIX, usize::MAX)?;
    Ok(rows.into_iter().map(|row| row.key).collect())
}

/// Follows an invitation that waits, if its sender is a contact by now.
pub(crate) fn take_held(work: &mut Work<'_>, key: &[u8]) -> Result<(), Fault> {
    let Some(record) = work.tx.load::<HeldRecord>(key)? else { return Ok(()) };
    let sender = UnverifiedCredential::parse(&record.sender)
        .and_then(UnverifiedCredential::verify)
        .map_err(|_| StoreError::Damaged)?;
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
