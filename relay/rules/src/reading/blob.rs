//! Reading a range of a complete blob, chunk by chunk (spec: BLB-007, BLB-008).

use hushwire_wire::{
    error::Code,
    id::{BlobId, Timestamp},
    message::Answer,
};

use super::Progress;
use crate::{
    blob::{row::BlobRow, upload::chunk},
    outcome::Refused,
    receipt::Reply,
    store::{Object, Read, ReadLimit, StoreError},
};

/// A reading of a blob.
#[derive(Debug)]
pub(super) struct BlobReading {
    blob: BlobId,
    offset: u64,
    end: Option<u64>,
}

impl BlobReading {
    /// `end` stays unknown if the range is longer than any blob.
    pub(super) const fn new(blob: BlobId, offset: u64, length: u64) -> Self {
        Self { blob, offset, end: offset.checked_add(length) }
    }

    pub(super) const fn object(&self) -> Object {
        Object::Blob(self.blob)
    }

    pub(super) fn next(
        &mut self,
        view: &impl Read,
        now: Timestamp,
        budget: ReadLimit,
        replies: &mut Vec<Reply>,
    ) -> Result<Progress, Refused> {
        let row = BlobRow::load(view, now, &self.blob)?.ok_or(Code::Denied)?;
        if row.stored < row.size {
            return Err(Code::BlobIncomplete.into());
        }
        let end = self.end.filter(|end| *end <= row.size).ok_or(Code::BeyondEnd)?;
        let mut bytes_left = budget.bytes_max;
        for _ in 0..budget.rows_max {
            if self.offset >= end {
                replies.push(Reply::read_over());
                return Ok(Progress::Over);
            }
            if bytes_left == 0 {
                break;
            }
            let content = self.part(view, now, &row, end)?;
            let length = content.len();
            bytes_left = bytes_left.saturating_sub(length);
            replies.push(Reply::ready(Answer::BlobChunk { offset: self.offset, content }));
            self.offset = self.offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        Ok(Progress::More)
    }

    /// The part of the range that lies in one stored chunk.
    fn part(
        &self,
        view: &impl Read,
        now: Timestamp,
        row: &BlobRow,
        end: u64,
    ) -> Result<bytes::Bytes, StoreError> {
        let start = row.chunk_start(self.offset);
        let mut content = chunk(view, now, &self.blob, start)?.ok_or(StoreError::Damaged)?;
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        // Also makes sure that the part is not empty, so that the reading goes forward.
        if length != row.chunk_length(start) {
            return Err(StoreError::Damaged);
        }
        let within = |at: u64| usize::try_from(at.saturating_sub(start).min(length));
        let to = within(end).map_err(|_| StoreError::Damaged)?;
        let from = within(self.offset).map_err(|_| StoreError::Damaged)?;
        content.truncate(to);
        Ok(content.split_off(from.min(content.len())))
    }
}
