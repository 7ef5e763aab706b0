//! The parts that requests and answers share: where an entry's content is, and a commit's mark.

use bytes::Bytes;

use crate::{
    message::{BlobReference, Content},
    transcript::{CommitMark, Cut, Operation},
};

use super::{
    fault::Fault,
    field::{entry_ids, fixed, from_entry_ids},
    proto,
};

/// Exactly one of the two places where sealed bytes can be (spec: WIRE-017).
fn content(inline: Bytes, blob: Option<&proto::BlobReference>) -> Result<Content, Fault> {
    match (inline.is_empty(), blob) {
        (false, None) => Ok(Content::Inline(inline)),
        (true, Some(reference)) => blob_reference(reference).map(Content::Blob),
        (false, Some(_)) => Err(Fault::Conflict { field: "blob" }),
        (true, None) => Err(Fault::Missing { field: "inline" }),
    }
}

fn blob_reference(message: &proto::BlobReference) -> Result<BlobReference, Fault> {
    Ok(BlobReference {
        blob: fixed("blob", &message.blob)?,
        content_hash: fixed("content_hash", &message.content_hash)?,
        size: message.size,
    })
}

/// The fields that an entry has when it is appended and when it is read.
pub(super) struct Fields {
    pub(super) inline: Bytes,
    pub(super) blob: Option<proto::BlobReference>,
    pub(super) commit: Option<proto::CommitMark>,
    pub(super) note: bool,
}

impl Fields {
    /// The sealed bytes and what they are. A note stands inline, and is no commit (spec: WIRE-017).
    pub(super) fn whole(self) -> Result<(Content, Operation), Fault> {
        let Self { inline, blob, commit, note } = self;
        if note && (blob.is_some() || commit.is_some()) {
            return Err(Fault::Conflict { field: "note" });
        }
        let operation = if note { Operation::Note } else { operation(commit.as_ref())? };
        Ok((content(inline, blob.as_ref())?, operation))
    }
}

/// A commit if the mark is there, else a message.
fn operation(mark: Option<&proto::CommitMark>) -> Result<Operation, Fault> {
    let Some(mark) = mark else {
        return Ok(Operation::Message);
    };
    Ok(Operation::Commit(CommitMark {
        next_key: fixed("next_key", &mark.next_key)?,
        cut: if mark.cut { Cut::Cut } else { Cut::Through },
        contested: entry_ids("contested", &mark.contested)?,
    }))
}

/// The `inline` field of some content.
pub(super) fn inline_field(content: &Content) -> Bytes {
    match content {
        Content::Inline(bytes) => bytes.clone(),
        Content::Blob(_) => Bytes::new(),
    }
}

/// The `blob` field of some content.
pub(super) fn blob_field(content: &Content) -> Option<proto::BlobReference> {
    match content {
        Content::Inline(_) => None,
        Content::Blob(reference) => Some(proto::BlobReference {
            blob: reference.blob.to_field(),
            content_hash: reference.content_hash.to_field(),
            size: reference.size,
        }),
    }
}

/// The `commit` field of some operation.
pub(super) fn commit_field(operation: &Operation) -> Option<proto::CommitMark> {
    match operation {
        Operation::Message | Operation::Note => None,
        Operation::Commit(mark) => Some(proto::CommitMark {
            next_key: mark.next_key.to_field(),
            cut: mark.cut == Cut::Cut,
            contested: from_entry_ids(&mark.contested),
        }),
    }
}

/// The `note` field of some operation.
pub(super) const fn note_field(operation: &Operation) -> bool {
    matches!(operation, Operation::Note)
}
