//! Sealed bytes on their way into a log: sealing, appending, and finding out that they arrived.
//!
//! A row of table `sealed` holds the exact bytes of one append until the relay's receipt or the log
//! settles it. The same transaction that moved the group's ratchet wrote the row, so a crash between
//! sealing and sending repeats the same bytes, never other ones under the same key (spec: CLI-010).

mod commit;

use hushwire_protocol::{
    content::{Content as MimiContent, ControlKind, Piece},
    group::{LogPlace, judge_content},
};
use hushwire_wire::{
    id::{ChannelId, EntryId, EpochId, Sequence, UploadKey},
    message::{Answer, Appended, BlobReference, Content, Request},
    transcript::{self, Operation},
};
use zeroize::Zeroizing;

pub(crate) use self::commit::{CommitRecord, OwnCommit, make_way, own_commit, send_commit};
use crate::{
    command::FailureReason,
    groups,
    log::{self, epoch_state},
    messages, own_group, pins,
    record::{ReceiptRecord, SealedRecord, SecretBytes, Shown, Wish, WishNumber, by_number},
    revoking,
    store::{StoreError, Table},
    succession,
    uploads::{self, Upload},
    wish::{self, Ask, ChannelView, Desk, Progress, Step, Target},
    work::Work,
};

/// How long what own devices are to hear waits before it is looked again whether one is there, in
/// milliseconds.
const EMPTY_REST_MS: u64 = 1_000;

/// What content for a group needs next (spec: CLI-012, CLI-016): the channel, with somebody there who can read it.
pub(crate) fn content_target(work: &Work<'_>, channel: &ChannelId) -> Result<Target, StoreError> {
    let target = groups::channel_target(work, channel)?;
    let Some(group) = groups::record(work, channel)?.filter(|group| group.opened) else {
        return Ok(Target::Nothing);
    };
    // Of a group that this device is not in any more there is no epoch left to look at.
    if target == Target::Nothing {
        return Ok(target);
    }
    let (epoch, _) = epoch_state(work, channel, &group.epoch)?;
    // An epoch with a commit takes no messages any more; they wait for the next one.
    let takes = epoch.candidates.is_empty() && !epoch.copied;
    if takes { Ok(target) } else { Ok(Target::Nothing) }
}

pub(crate) fn sealed(
    work: &Work<'_>,
    number: WishNumber,
) -> Result<Option<SealedRecord>, StoreError> {
    work.tx.load(&by_number(number.0))
}

/// Whether the bytes of a wish are fixed.
pub(crate) fn is_sealed(work: &Work<'_>, number: WishNumber) -> Result<bool, StoreError> {
    Ok(sealed(work, number)?.is_some())
}

/// Seals content for the current epoch, or takes what was sealed for it, and appends it.
pub(crate) fn send_content(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
    content: &[u8],
    for_people: Option<Shown>,
) -> Result<Step, StoreError> {
    let Some(view) = desk.channel else { return Ok(Step::Aim) };
    if let Some(sealed) = fresh(work, number, channel, view.epoch)? {
        return append(work, number, desk, sealed);
    }
    if for_people.is_some() && succession::is_former(work, channel)? {
        succession::left_behind(work, channel)?;
        return Ok(Step::Aim);
    }
    let (epoch, keys) = epoch_state(work, channel, &view.epoch)?;
    let device = crate::profile::device(work)?;
    let mut group = log::load_group(work, channel)?;
    let said = MimiContent::decode(content).map_err(|_| StoreError::Damaged)?;
    // spec: CLI-205
    if for_people.is_some()
        && let Some(until) = succession::gathers_until(work, &group)?
    {
        return Ok(Step::Later(until));
    }
    // spec: IDN-057
    if for_people.is_none() && tells_card(&said) {
        let members = group.members().map_err(log::store_error)?;
        if revoking::wish_out(work, channel, &members)? {
            return Ok(Step::Later(work.now.plus_ms(revoking::OWN_GROUP_REST_MS)));
        }
    }
    if own_group::is_empty_yet(work, channel, &group)? {
        return Ok(Step::Later(work.now.plus_ms(EMPTY_REST_MS)));
    }
    // spec: CLI-151
    let me = work.me()?;
    if judge_content(group.state(), &me, &said).is_err() {
        wish::fail(work, number, FailureReason::NoRight)?;
        return Ok(Step::Settled);
    }
    let binding = LogPlace { read_to: Sequence(epoch.next), head: epoch.head };
    let provider = work.provider();
    let message = group
        .seal_message(&provider, &device.key, &view.epoch, &keys, content, binding)
        .map_err(log::store_error)?;
    let sealed = seal(work, number, channel, view, &Operation::Message, message.envelope, None)?;
    append(work, number, desk, sealed)
}

/// The sealed row of a wish, if it is for this epoch. One for another epoch is dropped: that epoch
/// is over, and the log has shown that the entry is not in it.
pub(crate) fn fresh(
    work: &Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    epoch: EpochId,
) -> Result<Option<SealedRecord>, StoreError> {
    let row = sealed(work, number)?;
    match row {
        Some(row) if row.channel == *channel && row.epoch == epoch => Ok(Some(row)),
        Some(row) => {
            forget(work, &row);
            Ok(None)
        }
        None => Ok(None),
    }
}

pub(crate) fn seal(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    view: ChannelView,
    operation: &Operation,
    envelope: Vec<u8>,
    commit: Option<SecretBytes>,
) -> Result<SealedRecord, StoreError> {
    let content = transcript::content_hash(&envelope);
    let record = SealedRecord {
        channel: *channel,
        epoch: view.epoch,
        entry: transcript::entry_id(channel, &view.epoch, operation, &content),
        envelope,
        commit,
        upload: SecretBytes::new(&work.random::<32>()),
        wish: number.0,
    };
    work.tx.save(&by_number(number.0), &record)?;
    let pointer = Zeroizing::new(by_number(number.0).to_vec());
    work.tx.put(Table::OwnEntry, record.entry.as_bytes(), pointer);
    Ok(record)
}

/// What was sealed for a wish is not in the log it was for, and will not be.
pub(crate) fn unseal(work: &Work<'_>, number: WishNumber) -> Result<(), StoreError> {
    if let Some(row) = sealed(work, number)? {
        forget(work, &row);
    }
    Ok(())
}

fn forget(work: &Work<'_>, row: &SealedRecord) {
    work.tx.remove(Table::Sealed, &by_number(row.wish));
    uploads::forget_progress(work, WishNumber(row.wish));
    work.tx.remove(Table::OwnEntry, row.entry.as_bytes());
}

/// Says in another group of the chat what waits in one: what was sealed may be in that log, and is
/// known again by who read it there (spec: CNT-045).
pub(crate) fn move_texts(
    work: &mut Work<'_>,
    channel: &ChannelId,
    next: &ChannelId,
) -> Result<(), StoreError> {
    for row in wish::of_channel(work, channel)? {
        if matches!(row.wish, Wish::SendContent { message: Some(_), .. }) {
            unseal(work, row.number)?;
        }
    }
    move_unsealed(work, channel, next)
}

/// Says in another group of the chat what waits in one that goes on beside it, but for what was sealed:
/// the relay may have that, and it comes back in the log there.
pub(crate) fn move_unsealed(
    work: &mut Work<'_>,
    channel: &ChannelId,
    next: &ChannelId,
) -> Result<(), StoreError> {
    for row in wish::of_channel(work, channel)? {
        if let Wish::SendContent { content, message: Some(shown), .. } = row.wish
            && !is_sealed(work, row.number)?
        {
            move_content(work, row.number, *next, content, Some(shown))?;
        }
    }
    Ok(())
}

/// Has a message go out in another group than the one that it was written for.
pub(crate) fn move_content(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: ChannelId,
    content: Vec<u8>,
    message: Option<Shown>,
) -> Result<(), StoreError> {
    if let Some(shown) = message {
        // The id of a message names its group (spec: CNT-012).
        messages::rename(work, shown, &channel, &content)?;
    }
    let moved = Wish::SendContent { channel, content, message };
    work.file_wish(number, &moved)?;
    work.update_wish(number, moved)?;
    work.effects.wished.push(number);
    Ok(())
}

/// Whether content says how to write to this identity.
fn tells_card(content: &MimiContent) -> bool {
    content.shown().iter().any(|part| {
        matches!(&part.piece, Piece::Control(entries)
            if entries.entries().iter().any(|entry| entry.kind == ControlKind::ContactCard))
    })
}

/// Asks for the append, after its upload if it is large.
pub(crate) fn append(
    work: &Work<'_>,
    number: WishNumber,
    desk: &Desk,
    sealed: SealedRecord,
) -> Result<Step, StoreError> {
    let Some(view) = desk.channel else { return Ok(Step::Aim) };
    let channel = sealed.channel;
    let operation = match &sealed.commit {
        Some(commit) => crate::record::decode::<CommitRecord>(commit.expose())?.operation(),
        None => Operation::Message,
    };
    let size = length(&sealed.envelope);
    let request = if size <= desk.limits.entry_inline_bytes_max {
        let content = Content::Inline(sealed.envelope.into());
        Request::Append { handle: view.handle, content, operation }
    } else {
        let key = upload_key(&sealed)?;
        match uploads::next(work, number, size)? {
            Upload::Begin => Request::BlobCreate { key, size },
            Upload::From(offset) => part(&sealed, key, offset, desk.limits.blob_chunk_bytes)?,
            Upload::Whole => {
                let content = Content::Blob(reference(&sealed)?);
                Request::Append { handle: view.handle, content, operation }
            }
        }
    };
    Ok(Step::Ask(Ask::Append { channel, request }))
}

fn upload_key(sealed: &SealedRecord) -> Result<UploadKey, StoreError> {
    UploadKey::from_slice(sealed.upload.expose()).map_err(|_| StoreError::Damaged)
}

fn reference(sealed: &SealedRecord) -> Result<BlobReference, StoreError> {
    Ok(BlobReference {
        blob: transcript::blob_id(&upload_key(sealed)?),
        content_hash: transcript::content_hash(&sealed.envelope),
        size: length(&sealed.envelope),
    })
}

/// The part of an upload that begins at this byte.
fn part(
    sealed: &SealedRecord,
    key: UploadKey,
    offset: u64,
    chunk_bytes: u64,
) -> Result<Request, StoreError> {
    let end = offset.saturating_add(chunk_bytes).min(length(&sealed.envelope));
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    let content = sealed.envelope.get(start..end).ok_or(StoreError::Damaged)?;
    let content = bytes::Bytes::copy_from_slice(content);
    Ok(Request::BlobWrite { key, offset, content })
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The relay answered an append, or a part of its upload.
pub(crate) fn appended(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    answer: &Answer,
) -> Result<Progress, StoreError> {
    let Some(row) = sealed(work, number)? else { return Ok(Progress::Next) };
    match answer {
        Answer::BlobState { stored, .. } => uploads::answered(work, number, *stored),
        Answer::Appended(receipt) => receipt_came(work, number, desk, &row, receipt),
        _ => Ok(Progress::Refused { retry_after_ms: 0 }),
    }
}

fn receipt_came(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    row: &SealedRecord,
    receipt: &Appended,
) -> Result<Progress, StoreError> {
    let transcript = transcript::entry_receipt(
        &desk.relay,
        &row.channel,
        &row.epoch,
        receipt.sequence,
        &receipt.head,
    );
    let genuine = receipt.entry == row.entry
        && transcript.verify(&desk.relay_key, &receipt.signature).is_ok();
    // spec: CLI-043
    if !genuine {
        return Ok(Progress::Refused { retry_after_ms: 0 });
    }
    let (mut epoch, _) = epoch_state(work, &row.channel, &row.epoch)?;
    let next = receipt.sequence.next().0;
    epoch.note_receipt(ReceiptRecord { next, head: receipt.head });
    log::save_epoch(work, &row.channel, &row.epoch, &epoch)?;
    // What it does, it does at its place among those of others.
    let counts_in_log = matches!(wish::load(work, number)?, Some(Wish::Pin { .. }));
    if row.commit.is_some() || counts_in_log {
        return Ok(Progress::AwaitLog);
    }
    stored(work, number, row)
}

/// The content of a wish is in the log. The entry's id stays known until it was read back.
fn stored(
    work: &mut Work<'_>,
    number: WishNumber,
    row: &SealedRecord,
) -> Result<Progress, StoreError> {
    let wish = wish::load(work, number)?;
    if let Some(wish) = &wish {
        log::note_sent(work, &row.epoch, &row.entry, wish)?;
    }
    match wish {
        // Handed over; it is settled when a member has done it (spec: CLI-139).
        Some(Wish::Leave { .. }) => return Ok(Progress::AwaitOthers),
        Some(Wish::SendContent { message: Some(shown), .. }) => {
            messages::set_stored(work, shown)?;
        }
        Some(Wish::Pin { shown, pinned, .. }) => pins::stored(work, shown, pinned)?,
        _ => {}
    }
    work.settle(number);
    Ok(Progress::Settled)
}

/// What was sealed for an epoch that has a commit now: as long as it was not read, the log shows whether it
/// is there; once it was, the others do what it asks for.
pub(crate) fn behind_commit(work: &Work<'_>, row: &SealedRecord) -> Result<Step, StoreError> {
    Ok(if is_unread(work, &row.entry)? { Step::AwaitLog } else { Step::AwaitOthers })
}

/// Whether an entry of this device was not read back so far.
pub(crate) fn is_unread(work: &Work<'_>, entry: &EntryId) -> Result<bool, StoreError> {
    Ok(work.tx.row(Table::OwnEntry, entry.as_bytes())?.is_some())
}

/// Whether an entry is a message of this device; then it is stored, and its content is known.
pub(crate) fn take_own_message(work: &mut Work<'_>, entry: &EntryId) -> Result<bool, StoreError> {
    let Some(pointer) = work.tx.row(Table::OwnEntry, entry.as_bytes())? else { return Ok(false) };
    let number = crate::record::number_of(&pointer).ok_or(StoreError::Damaged)?;
    let number = WishNumber(number);
    let row = sealed(work, number)?.filter(|row| row.entry == *entry);
    if row.as_ref().is_some_and(|row| row.commit.is_some()) {
        return Ok(false);
    }
    work.tx.remove(Table::OwnEntry, entry.as_bytes());
    if let Some(row) = &row {
        stored(work, number, row)?;
    }
    Ok(true)
}

/// An epoch is over: whatever was sealed for it and is not in its log is sealed anew (spec: CLI-013).
pub(crate) fn epoch_over(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in wish::of_channel(work, channel)? {
        if let Some(sealed) = sealed(work, row.number)? {
            forget(work, &sealed);
        }
    }
    Ok(())
}
