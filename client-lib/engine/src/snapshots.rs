//! The snapshot of a group that is too large to go to each joiner by itself: one blob at the
//! channel's relay, which all invitations of the commit name (spec: LNK-046).
//!
//! The wish that holds it is written in the transaction that applied the commit. It uploads the
//! blob, part by part, and turns into one wish for each invitation in the transaction that reads
//! that the blob is whole (spec: CLI-158). So a crash at any step loses no invitation, and repeats none.

use hushwire_protocol::{
    attachment::{BlobSeal, seal_blob},
    group::GroupSnapshot,
    invitation::{SnapshotBlob, SnapshotPlace},
};
use hushwire_wire::{
    id::UploadKey,
    message::{Answer, Request},
    transcript,
};

use crate::{
    invitations::{self, Terms},
    record::{Invitee, SecretBytes, SharedSnapshot, Wish, WishNumber},
    store::StoreError,
    uploads::{self, Upload},
    wish::{Ask, Progress, Step, Target},
    work::Work,
};

/// The longest snapshots that go inline, in bytes, those of all joiners of a commit together: what
/// one inbox item holds (262,144), less 32 KiB for the rest of it (spec: LNK-046).
pub(crate) const SNAPSHOT_INLINE_BYTES_MAX: usize = 224 * 1024;

/// Wishes the snapshot to be at the relay, and the invitees to be told.
pub(crate) fn share(
    work: &mut Work<'_>,
    terms: Terms,
    snapshot: &GroupSnapshot,
    invitees: Vec<Invitee>,
) -> Result<(), StoreError> {
    let sealed = seal_blob(work.rng, &snapshot.to_bytes()).map_err(|_| StoreError::Failed)?;
    let size = u64::try_from(sealed.bytes.len()).unwrap_or(u64::MAX);
    let upload = SecretBytes::new(&work.random::<32>());
    let number = work.wish(Wish::ShareSnapshot(Box::new(SharedSnapshot {
        terms,
        upload,
        seal: SecretBytes::new(&sealed.seal.to_bytes()[..]),
        size,
        invitees,
    })))?;
    uploads::store_parts(work, number, &sealed.bytes);
    Ok(())
}

/// The session for the blobs of the channel.
pub(crate) fn target(shared: &SharedSnapshot) -> Result<Target, StoreError> {
    let relay = shared.terms.relay.parse().map_err(|_| StoreError::Damaged)?;
    Ok(Target::Blobs { channel: shared.terms.channel, relay })
}

fn upload_key(shared: &SharedSnapshot) -> Result<UploadKey, StoreError> {
    UploadKey::from_slice(shared.upload.expose()).map_err(|_| StoreError::Damaged)
}

/// The next part of the upload; behind the last one, the invitations.
pub(crate) fn step(
    work: &mut Work<'_>,
    number: WishNumber,
    shared: SharedSnapshot,
) -> Result<Step, StoreError> {
    let key = upload_key(&shared)?;
    let request = match uploads::next(work, number, shared.size)? {
        Upload::Begin => Request::BlobCreate { key, size: shared.size },
        Upload::From(offset) => {
            let content = uploads::part(work, number, offset)?.to_vec().into();
            Request::BlobWrite { key, offset, content }
        }
        Upload::Whole => {
            invite_all(work, number, shared, &key)?;
            return Ok(Step::Settled);
        }
    };
    Ok(Step::Ask(Ask::Request(request)))
}

/// The relay said how much of the blob it has.
pub(crate) fn answered(
    work: &Work<'_>,
    number: WishNumber,
    answer: &Answer,
) -> Result<Progress, StoreError> {
    match answer {
        Answer::BlobState { stored, .. } => uploads::answered(work, number, *stored),
        _ => Ok(Progress::Refused { retry_after_ms: 0 }),
    }
}

/// The blob is whole: each joiner is told where it is.
fn invite_all(
    work: &mut Work<'_>,
    number: WishNumber,
    shared: SharedSnapshot,
    key: &UploadKey,
) -> Result<(), StoreError> {
    forget(work, number, &shared);
    for invitee in shared.invitees {
        let seal = BlobSeal::from_slice(shared.seal.expose()).map_err(|_| StoreError::Damaged)?;
        let at = SnapshotBlob { blob: transcript::blob_id(key), seal };
        invitations::invite(work, &shared.terms, invitee, SnapshotPlace::Blob(at))?;
    }
    Ok(())
}

/// Forgets what is left of a snapshot.
pub(crate) fn forget(work: &mut Work<'_>, number: WishNumber, shared: &SharedSnapshot) {
    uploads::forget_parts(work, number, shared.size);
    work.settle(number);
}
