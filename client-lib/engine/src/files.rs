//! Files of messages: what of sending and fetching them is in the store.
//!
//! The bytes go through the live half, `engine/files.rs`; here are the rows that outlive it. A
//! transfer can be dropped at any moment and goes on from its row.

use hushwire_protocol::{
    attachment::{Attachment, Checkpoint, FileKey, FileLength, safe_file_name},
    content::{Content, MediaType, Piece},
    group::Right,
};
use hushwire_wire::{
    id::{ChannelId, ContentHash, UploadKey},
    transcript,
};

use crate::{
    chats,
    command::{
        ChatNumber, ChatState, CommandError, FailureReason, MessageNumber, Reply, TransferState,
    },
    event::Event,
    groups,
    io::{Output, PartPlace, PartTag},
    messages,
    record::{
        BodyRecord, Direction, DownloadRecord, FileRecord, MessageRecord, Outgoing, SecretBytes,
        Shown, TransferNumber, TransferRecord, UploadRecord, Wish, WishNumber, by_number,
    },
    store::{StoreError, Table},
    wish::Target,
    work::Work,
};

/// Accepts a file: its message is there at once, pending, and goes out when the file is at the relay
/// (spec: CLI-080).
pub(crate) fn send(
    work: &mut Work<'_>,
    chat: ChatNumber,
    path: &str,
    media_type: &str,
) -> Result<Reply, CommandError> {
    let place = chats::writable(work, chat)?;
    let channel = place.channel.ok_or(CommandError::ChatClosed)?;
    messages::require(work, &place, &[Right::Write])?;
    check_path(path)?;
    MediaType::parse(media_type).map_err(|_| CommandError::BadText)?;
    let file = FileRecord {
        name: safe_file_name(path),
        size: 0,
        media_type: media_type.to_owned(),
        transfer: None,
        complete: false,
        failed: None,
    };
    let record = MessageRecord {
        sender: None,
        mimi_id: Vec::new(),
        sent_at_ms: work.now.0,
        body: BodyRecord::File(file),
        outgoing: Some(Outgoing::Pending),
        mentions_all: false,
        content: Vec::new(),
        stored_ms: 0,
    };
    let message = messages::add(work, chat, &record)?;
    let up = Direction::Up(fresh_upload(work));
    begin(work, Shown { chat, message }, &channel, path, up)?;
    Ok(Reply::Accepted { chat, message })
}

/// Uploads the file of a failed message again, under fresh keys (spec: CLI-083).
pub(crate) fn retry_upload(
    work: &mut Work<'_>,
    shown: Shown,
    mut record: MessageRecord,
) -> Result<Reply, CommandError> {
    let channel = chats::writable(work, shown.chat)?.channel.ok_or(CommandError::ChatClosed)?;
    let BodyRecord::File(file) = &mut record.body else { return Err(CommandError::NotApplicable) };
    let before = file.transfer.take().map(TransferNumber).ok_or(CommandError::NotApplicable)?;
    let path = load(work, before)?.ok_or(CommandError::NotApplicable)?.path;
    work.tx.remove(Table::Transfer, &by_number(before.0));
    file.failed = None;
    record.outgoing = Some(Outgoing::Pending);
    messages::save(work, shown, &record)?;
    let up = Direction::Up(fresh_upload(work));
    begin(work, shown, &channel, &path, up)?;
    Ok(Reply::Accepted { chat: shown.chat, message: shown.message })
}

/// Begins to fetch the file of a message to a path that is free.
pub(crate) fn fetch(
    work: &mut Work<'_>,
    chat: ChatNumber,
    message: MessageNumber,
    path: &str,
) -> Result<Reply, CommandError> {
    let channel = chats::named(work, chat)?.channel.ok_or(CommandError::NotApplicable)?;
    let shown = Shown { chat, message };
    let record = messages::load(work, shown)?.ok_or(CommandError::NoSuchMessage)?;
    let BodyRecord::File(file) = &record.body else { return Err(CommandError::NotApplicable) };
    if file.transfer.is_some() || attachment_of(&record).is_none() {
        return Err(CommandError::NotApplicable);
    }
    check_path(path)?;
    let tag = serde_bytes::ByteArray::new(work.random());
    let down = DownloadRecord { tag, chunks: 0, bytes: 0, checked: false };
    begin(work, shown, &channel, path, Direction::Down(down))?;
    Ok(Reply::Done)
}

/// How far the transfer of a file is.
pub(crate) fn progress(work: &Work<'_>, file: &FileRecord) -> Result<TransferState, StoreError> {
    let record = file.transfer.map(|number| load(work, TransferNumber(number))).transpose()?;
    let Some(record) = record.flatten() else { return Ok(TransferState::Remote) };
    let done = match &record.direction {
        Direction::Up(up) => up.stored,
        Direction::Down(down) => down.bytes,
    };
    Ok(TransferState::Moving { done: done.min(file.size), of: file.size })
}

pub(crate) fn load(
    work: &Work<'_>,
    transfer: TransferNumber,
) -> Result<Option<TransferRecord>, StoreError> {
    work.tx.load(&by_number(transfer.0))
}

/// What a transfer needs: the session for its channel's blobs.
pub(crate) fn target(work: &Work<'_>, transfer: TransferNumber) -> Result<Target, StoreError> {
    let Some(record) = load(work, transfer)? else { return Ok(Target::Nothing) };
    let relay = record.relay.parse().map_err(|_| StoreError::Damaged)?;
    Ok(Target::Blobs { channel: record.channel, relay })
}

/// The file that a message describes.
pub(crate) fn attachment_of(record: &MessageRecord) -> Option<Attachment> {
    let content = Content::decode(&record.content).ok()?;
    content.shown().into_iter().find_map(|part| match part.piece {
        Piece::Attachment(attachment) => Some(*attachment),
        _ => None,
    })
}

fn check_path(path: &str) -> Result<(), CommandError> {
    let absolute = std::path::Path::new(path).is_absolute();
    if absolute { Ok(()) } else { Err(CommandError::BadPath) }
}

/// Adds a transfer with the wish that it serves.
fn begin(
    work: &mut Work<'_>,
    shown: Shown,
    channel: &ChannelId,
    path: &str,
    direction: Direction,
) -> Result<(), CommandError> {
    let relay = groups::record(work, channel)?.ok_or(CommandError::ChatClosed)?.relay;
    let number = work.count(|counters| &mut counters.transfer)?;
    let wish = work.wish(match direction {
        Direction::Up(_) => Wish::Upload { transfer: number },
        Direction::Down(_) => Wish::Download { transfer: number },
    })?;
    let Shown { chat, message } = shown;
    let record = TransferRecord {
        wish: wish.0,
        chat,
        message,
        channel: *channel,
        relay,
        path: path.to_owned(),
        direction,
    };
    save(work, TransferNumber(number), &record)?;
    change_file(work, shown, |file| {
        file.transfer = Some(number);
        file.failed = None;
        file.complete = false;
    })?;
    Ok(())
}

pub(crate) fn save(
    work: &Work<'_>,
    transfer: TransferNumber,
    record: &TransferRecord,
) -> Result<(), StoreError> {
    work.tx.save(&by_number(transfer.0), record)
}

/// Changes what a message's row says of its file.
fn change_file(
    work: &mut Work<'_>,
    shown: Shown,
    change: impl FnOnce(&mut FileRecord),
) -> Result<(), StoreError> {
    let Some(mut record) = messages::load(work, shown)? else { return Ok(()) };
    let BodyRecord::File(file) = &mut record.body else { return Ok(()) };
    change(file);
    messages::save(work, shown, &record)
}

fn fresh_upload(work: &mut Work<'_>) -> UploadRecord {
    let file_key = FileKey::random(&mut *work.rng);
    UploadRecord {
        upload_key: SecretBytes::new(&work.random::<32>()),
        file_key: SecretBytes::new(file_key.expose()),
        length: None,
        checkpoint: None,
        stored: 0,
    }
}

impl TransferRecord {
    const fn shown(&self) -> Shown {
        Shown { chat: self.chat, message: self.message }
    }

    const fn wish(&self) -> WishNumber {
        WishNumber(self.wish)
    }
}

impl DownloadRecord {
    /// Where the unfinished file of a download to `path` is.
    pub(crate) fn part(&self, path: &str) -> PartPlace {
        PartPlace { target: path.to_owned(), tag: PartTag(self.tag.into_array()) }
    }
}

/// The file has this length: noted when it is opened first. Later it must be the same
/// (spec: CLI-082).
pub(crate) fn opened(
    work: &mut Work<'_>,
    transfer: TransferNumber,
    length: u64,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, transfer)? else { return Ok(()) };
    let Direction::Up(up) = &mut record.direction else { return Ok(()) };
    up.length = Some(length);
    save(work, transfer, &record)?;
    change_file(work, record.shown(), |file| file.size = length)
}

/// Notes how far an upload is sealed, and how much of it the relay has.
pub(crate) fn sealed(
    work: &mut Work<'_>,
    transfer: TransferNumber,
    checkpoint: &Checkpoint,
    stored: u64,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, transfer)? else { return Ok(()) };
    let Direction::Up(up) = &mut record.direction else { return Ok(()) };
    up.checkpoint = Some(serde_bytes::ByteArray::new(checkpoint.to_bytes()));
    up.stored = stored;
    save(work, transfer, &record)
}

/// The relay claims more of the blob than was ever sealed: the blob is given up for another one.
pub(crate) fn upload_anew(work: &mut Work<'_>, transfer: TransferNumber) -> Result<(), StoreError> {
    let Some(mut record) = load(work, transfer)? else { return Ok(()) };
    let Direction::Up(up) = &mut record.direction else { return Ok(()) };
    let length = up.length;
    *up = UploadRecord { length, ..fresh_upload(work) };
    save(work, transfer, &record)
}

/// The blob is whole: the message gets its content, and goes out (spec: CLI-080).
pub(crate) fn uploaded(
    work: &mut Work<'_>,
    transfer: TransferNumber,
    hash: ContentHash,
) -> Result<(), StoreError> {
    let Some(record) = load(work, transfer)? else { return Ok(()) };
    let shown = record.shown();
    let closed = chats::load(work, shown.chat)?
        .is_none_or(|chat| !matches!(chat.state, ChatState::Open | ChatState::Opening));
    if closed {
        return failed(work, transfer, FailureReason::NotAMember);
    }
    let Some(mut message) = messages::load(work, shown)? else {
        return forget(work, transfer, record.wish());
    };
    let (Direction::Up(up), BodyRecord::File(file)) = (&record.direction, &mut message.body) else {
        return Err(StoreError::Damaged);
    };
    let Some(channel) = destination(work, shown.chat, &record.channel)? else {
        return failed(work, transfer, FailureReason::NotReachable);
    };
    let attachment = describe(up, file, hash)?;
    let content = Content::attachment(messages::salt(work), &attachment);
    let content = content.encode().map_err(|_| StoreError::Damaged)?.into_bytes();
    let me = work.me()?;
    let id = messages::message_id(&me, &channel, &content).ok_or(StoreError::Damaged)?;
    file.complete = true;
    file.transfer = None;
    message.mimi_id = id.as_bytes().to_vec();
    message.content.clone_from(&content);
    messages::save(work, shown, &message)?;
    messages::set_place(work, shown, &id);
    work.wish(Wish::SendContent { channel, content, message: Some(shown) })?;
    work.event(Event::TransferEnded { chat: shown.chat, message: shown.message })?;
    forget(work, transfer, record.wish())
}

/// The group that an uploaded file goes to: that of its chat, also if the chat was begun anew
/// meanwhile, as long as the file is at the same relay.
fn destination(
    work: &Work<'_>,
    chat: ChatNumber,
    channel: &ChannelId,
) -> Result<Option<ChannelId>, StoreError> {
    let Some(before) = groups::record(work, channel)? else { return Ok(None) };
    if before.state.is_in() {
        return Ok(Some(*channel));
    }
    let Some(now) = chats::load(work, chat)?.and_then(|chat| chat.channel) else { return Ok(None) };
    let there = groups::record(work, &now)?;
    Ok(there.filter(|group| group.relay == before.relay).map(|_| now))
}

fn describe(
    up: &UploadRecord,
    file: &FileRecord,
    hash: ContentHash,
) -> Result<Attachment, StoreError> {
    let damaged = StoreError::Damaged;
    Ok(Attachment {
        blob: transcript::blob_id(&upload_key(up)?),
        key: FileKey::from_bytes(up.file_key.array().ok_or(damaged)?),
        length: FileLength::new(file.size).map_err(|_| damaged)?,
        hash,
        media_type: MediaType::parse(&file.media_type).map_err(|_| damaged)?,
        file_name: file.name.clone(),
        description: String::new(),
    })
}

pub(crate) fn upload_key(up: &UploadRecord) -> Result<UploadKey, StoreError> {
    UploadKey::from_slice(up.upload_key.expose()).map_err(|_| StoreError::Damaged)
}

/// The content of so many chunks of a download is in the unfinished file.
pub(crate) fn written(
    work: &mut Work<'_>,
    transfer: TransferNumber,
    chunks: u32,
    bytes: u64,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, transfer)? else { return Ok(()) };
    let Direction::Down(down) = &mut record.direction else { return Ok(()) };
    (down.chunks, down.bytes) = (chunks, bytes);
    save(work, transfer, &record)
}

/// What is left of an unfinished file is not what was written: it is dropped for another one.
pub(crate) fn download_anew(
    work: &mut Work<'_>,
    transfer: TransferNumber,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, transfer)? else { return Ok(()) };
    let Direction::Down(down) = &mut record.direction else { return Ok(()) };
    work.effects.outputs.push(Output::DiscardFile { transfer, part: down.part(&record.path) });
    let tag = serde_bytes::ByteArray::new(work.random());
    *down = DownloadRecord { tag, chunks: 0, bytes: 0, checked: false };
    save(work, transfer, &record)
}

/// The whole file is there, and its hash is right (spec: CLI-085).
pub(crate) fn checked(work: &mut Work<'_>, transfer: TransferNumber) -> Result<(), StoreError> {
    let Some(mut record) = load(work, transfer)? else { return Ok(()) };
    let Direction::Down(down) = &mut record.direction else { return Ok(()) };
    down.checked = true;
    save(work, transfer, &record)
}

/// The file has its name.
pub(crate) fn finished(work: &mut Work<'_>, transfer: TransferNumber) -> Result<(), StoreError> {
    let Some(record) = load(work, transfer)? else { return Ok(()) };
    let shown = record.shown();
    change_file(work, shown, |file| {
        file.complete = true;
        file.transfer = None;
    })?;
    work.event(Event::TransferEnded { chat: shown.chat, message: shown.message })?;
    forget(work, transfer, record.wish())
}

/// The file will not go up or come down by itself. A failed upload keeps its row, for its path.
pub(crate) fn failed(
    work: &mut Work<'_>,
    transfer: TransferNumber,
    reason: FailureReason,
) -> Result<(), StoreError> {
    let Some(record) = load(work, transfer)? else { return Ok(()) };
    let shown = record.shown();
    change_file(work, shown, |file| file.failed = Some(reason))?;
    work.event(Event::TransferEnded { chat: shown.chat, message: shown.message })?;
    match &record.direction {
        Direction::Up(_) => {
            messages::set_failed(work, shown, reason)?;
            work.settle(record.wish());
            Ok(())
        }
        Direction::Down(down) => {
            let part = down.part(&record.path);
            work.effects.outputs.push(Output::DiscardFile { transfer, part });
            change_file(work, shown, |file| file.transfer = None)?;
            forget(work, transfer, record.wish())
        }
    }
}

fn forget(
    work: &mut Work<'_>,
    transfer: TransferNumber,
    wish: WishNumber,
) -> Result<(), StoreError> {
    work.tx.remove(Table::Transfer, &by_number(transfer.0));
    work.settle(wish);
    Ok(())
}
