//! Holding a blob for an entry that names it: what is proven of it, and how long it is kept.

use hushwire_wire::{
    error::Code,
    id::{BlobId, Timestamp},
    message::BlobReference,
};

use super::row::BlobRow;
use crate::{
    outcome::Refused,
    store::{Change, Read},
    write::Scene,
};

/// A blob that an entry names, and the change to it that is stored with the entry.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) blob: BlobId,
    pub(crate) change: Change,
}

/// Proves that the blob is there whole, with the size and the hash that the entry gives
/// (spec: CHN-010), and holds it until the content of that entry goes (spec: CHN-031). `None` if it
/// is held as long already.
///
/// One time is enough for any number of entries: nothing but its time takes an entry's content
/// away, so the blob is held until the latest.
pub(crate) fn plan<V: Read>(
    scene: &Scene<'_, V>,
    reference: &BlobReference,
    until: Timestamp,
) -> Result<Option<Hold>, Refused> {
    let row = BlobRow::load(scene.view, scene.now, &reference.blob)?;
    let row = row.filter(|row| row.holds(reference)).ok_or(Code::BlobMissing)?;
    if row.held_until.is_some_and(|held| held >= until) {
        return Ok(None);
    }
    let row = BlobRow { held_until: Some(until), expires_at: row.expires_at.max(until), ..row };
    Ok(Some(Hold { blob: reference.blob, change: row.kept() }))
}
