//! Creating, filling and deleting a blob.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{BlobId, Timestamp},
};

use super::{
    hash::RunningHash,
    row::{BlobRow, ONLY, chunk_key},
};
use crate::{
    outcome::{Effect, Refused},
    row::{RowReader, RowWriter},
    store::{Action, Change, Object, Read, StoreError, Table},
    write::{Planned, Scene},
};

/// Begins a blob, or says how much of it is there (spec: BLB-002).
pub(crate) fn plan_create<V: Read>(
    scene: &Scene<'_, V>,
    blob: &BlobId,
    size: u64,
) -> Result<Planned, Refused> {
    if size > scene.limits.blob_bytes_max {
        return Err(Code::TooLarge.into());
    }
    match BlobRow::load(scene.view, scene.now, blob)? {
        Some(row) if row.size == size => Ok(Planned::quiet(Vec::new(), state(&row))),
        Some(_) => Err(Code::AlreadyExists.into()),
        None => {
            // Only a blob that an entry can name is hashed.
            let hashed = size <= scene.limits.entry_blob_bytes_max;
            let row = BlobRow {
                size,
                stored: 0,
                chunk_bytes: scene.limits.blob_chunk_bytes.max(1),
                expires_at: scene.now.plus_ms(scene.limits.blob_retention_ms),
                held_until: None,
                hash: hashed.then(RunningHash::default),
            };
            Ok(Planned::quiet(vec![row.kept()], state(&row)))
        }
    }
}

/// Adds a chunk at the end of what is stored (spec: BLB-003).
pub(crate) fn plan_write<V: Read>(
    scene: &Scene<'_, V>,
    blob: &BlobId,
    offset: u64,
    content: &Bytes,
) -> Result<Planned, Refused> {
    let row = BlobRow::load(scene.view, scene.now, blob)?.ok_or(Code::Denied)?;
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let end = offset.saturating_add(length);
    if offset != row.chunk_start(offset) || length == 0 || length != row.chunk_length(offset) {
        return Err(Code::WrongOffset.into());
    }
    // spec: BLB-005: the last chunk again.
    if end == row.stored && chunk(scene.view, scene.now, blob, offset)?.as_ref() == Some(content) {
        return Ok(Planned::quiet(Vec::new(), state(&row)));
    }
    if offset != row.stored {
        return Err(Code::WrongOffset.into());
    }
    let mut row = BlobRow { stored: end, ..row };
    if let Some(hash) = &mut row.hash {
        hash.add(content);
    }
    let value = RowWriter::new(content.len()).fixed(content).finish();
    // It goes with the blob's row.
    let action = Action::Put { value, expires: None };
    let changes = vec![Change { table: Table::Chunk, key: chunk_key(offset), action }, row.kept()];
    Ok(Planned::quiet(changes, state(&row)))
}

/// Deletes a blob with all its chunks, unless an entry needs it (spec: BLB-009, BLB-012).
pub(crate) fn plan_delete<V: Read>(
    scene: &Scene<'_, V>,
    blob: &BlobId,
) -> Result<Planned, Refused> {
    let row = BlobRow::load(scene.view, scene.now, blob)?.ok_or(Code::Denied)?;
    if row.held_until.is_some_and(|held| scene.now < held) {
        return Err(Code::BlobInUse.into());
    }
    let change =
        Change { table: Table::Blob, key: Bytes::from_static(ONLY), action: Action::Delete };
    Ok(Planned::quiet(vec![change], Effect::Done))
}

/// How much of a blob is there (spec: BLB-006).
pub(crate) fn ask_state(
    view: &impl Read,
    now: Timestamp,
    blob: &BlobId,
) -> Result<Effect, Refused> {
    let row = BlobRow::load(view, now, blob)?.ok_or(Code::Denied)?;
    Ok(state(&row))
}

/// The chunk that starts here.
pub(crate) fn chunk(
    view: &impl Read,
    now: Timestamp,
    blob: &BlobId,
    start: u64,
) -> Result<Option<Bytes>, StoreError> {
    let value = view.row(&Object::Blob(*blob), Table::Chunk, &chunk_key(start), now)?;
    value.map(|value| RowReader::new(value).map(RowReader::rest)).transpose()
}

const fn state(row: &BlobRow) -> Effect {
    Effect::BlobState { size: row.size, stored: row.stored }
}
