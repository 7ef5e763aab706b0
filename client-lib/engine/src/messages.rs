//! Messages: writing them, taking them in, and how far they have come.

use hushwire_protocol::{
    content::{Content, Mentions, MessageId, RoomUri, Salt, SenderUri, TextFormat},
    group::{Allowed, Right},
    identity::Fingerprint,
};
use hushwire_wire::id::ChannelId;

use crate::{
    chats,
    command::{
        ChatKind, ChatNumber, CommandError, FailureReason, Mentioned, MessageBody, MessageInfo,
        MessageNumber, MessageState, Pinned, Reply, Sender, TransferState,
    },
    contacts,
    event::Event,
    files, groups, log, profile,
    record::{
        BodyRecord, ChatRecord, DeliveryRecord, FileRecord, MessageRecord, Outgoing, Shown, Wish,
        by_chat, number_of,
    },
    store::{StoreError, Table},
    work::Work,
};

/// Most messages that one command returns.
const MESSAGES_MAX: u32 = 1_000;

/// Writes a text: a message that is pending, and the wish to send it.
pub(crate) fn send_text(
    work: &mut Work<'_>,
    chat: ChatNumber,
    text: &str,
    mentioned: Mentioned,
) -> Result<Reply, CommandError> {
    let record = chats::writable(work, chat)?;
    let channel = record.channel.ok_or(CommandError::ChatClosed)?;
    if text.is_empty() {
        return Err(CommandError::BadText);
    }
    let mut content = Content::text(salt(work), TextFormat::Markdown, text);
    let mut rights = vec![Right::Write];
    if mentioned == Mentioned::All {
        content = content.mentioning_all();
        rights.push(Right::MentionAll);
    }
    require(work, &record, &rights)?;
    let encoded = content.encode().map_err(|_| CommandError::BadText)?;
    let message =
        add_own(work, chat, &channel, encoded.as_bytes(), BodyRecord::Text(text.to_owned()))?;
    let shown = Shown { chat, message };
    work.wish(Wish::SendContent { channel, content: encoded.into_bytes(), message: Some(shown) })?;
    Ok(Reply::Accepted { chat, message })
}

/// Whether this identity has these rights in a chat, as it is now (spec: CLI-150).
pub(crate) fn require(
    work: &mut Work<'_>,
    chat: &ChatRecord,
    rights: &[Right],
) -> Result<(), CommandError> {
    let (ChatKind::Group, Some(channel)) = (chat.kind, &chat.channel) else { return Ok(()) };
    let me = profile::fingerprint(work)?;
    let group = log::load_group(work, channel)?;
    let missing = |right: &&Right| group.state().allows(&me, **right) == Allowed::No;
    match rights.iter().find(missing) {
        Some(_) => Err(CommandError::NoRight),
        None => Ok(()),
    }
}

/// A fresh salt.
pub(crate) fn salt(work: &mut Work<'_>) -> Salt {
    Salt::random(&mut *work.rng)
}

/// The id of content that `sender` writes to the group of `channel`.
pub(crate) fn message_id(
    sender: &Fingerprint,
    channel: &ChannelId,
    content: &[u8],
) -> Option<MessageId> {
    let decoded = Content::decode(content).ok()?;
    let encoded = decoded.encode().ok()?;
    let sender = SenderUri::from_fingerprint(sender.as_bytes());
    Some(encoded.message_id(&sender, &RoomUri::from_channel(*channel)))
}

/// Adds a message of this identity, written here.
pub(crate) fn add_own(
    work: &mut Work<'_>,
    chat: ChatNumber,
    channel: &ChannelId,
    content: &[u8],
    body: BodyRecord,
) -> Result<MessageNumber, CommandError> {
    let identity = work.identity()?.ok_or(CommandError::NoIdentity)?;
    let id = message_id(&identity.fingerprint(), channel, content).ok_or(CommandError::BadText)?;
    let record = MessageRecord {
        sender: None,
        mimi_id: id.as_bytes().to_vec(),
        sent_at_ms: work.now.0,
        body,
        outgoing: Some(Outgoing::Pending),
        mentions_all: mentions_all(content),
        content: content.to_vec(),
        stored_ms: 0,
    };
    Ok(add(work, chat, &record)?)
}

/// Whether content mentions everybody.
fn mentions_all(content: &[u8]) -> bool {
    Content::decode(content).is_ok_and(|content| content.extensions.mentions() == Mentions::All)
}

/// Adds a message at the end of a chat.
pub(crate) fn add(
    work: &mut Work<'_>,
    chat: ChatNumber,
    record: &MessageRecord,
) -> Result<MessageNumber, StoreError> {
    let Some(mut place) = chats::load(work, chat)? else { return Err(StoreError::Damaged) };
    place.last = place.last.checked_add(1).ok_or(StoreError::Damaged)?;
    place.active_ms = work.now.0;
    if record.sender.is_some() {
        place.unread = place.unread.saturating_add(1);
    }
    let number = MessageNumber(place.last);
    chats::save(work, chat, &place)?;
    let key = by_chat(chat, number.0);
    work.tx.save(&key, record)?;
    // The id of a file's message is known when the file is at the relay.
    if let Ok(id) = MessageId::from_slice(&record.mimi_id) {
        set_place(work, Shown { chat, message: number }, &id);
    }
    work.event(Event::MessageAdded { chat, message: number })?;
    if record.mentions_all && record.sender.is_some() {
        work.event(Event::EverybodyMentioned { chat, message: number })?;
    }
    Ok(number)
}

/// Notes where the message with this id stands.
pub(crate) fn set_place(work: &Work<'_>, shown: Shown, id: &MessageId) {
    let key = by_chat(shown.chat, shown.message.0);
    work.tx.put(Table::MessagePlace, id.as_bytes(), zeroize::Zeroizing::new(key.to_vec()));
}

/// An own message goes to another group than it was written for.
pub(crate) fn rename(
    work: &Work<'_>,
    shown: Shown,
    channel: &ChannelId,
    content: &[u8],
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, shown)? else { return Ok(()) };
    let me = work.me()?;
    let id = message_id(&me, channel, content).ok_or(StoreError::Damaged)?;
    record.mimi_id = id.as_bytes().to_vec();
    work.tx.save(&by_chat(shown.chat, shown.message.0), &record)?;
    set_place(work, shown, &id);
    Ok(())
}

/// Where a message with this id stands.
pub(crate) fn place(work: &Work<'_>, id: &MessageId) -> Result<Option<Shown>, StoreError> {
    let Some(key) = work.tx.row(Table::MessagePlace, id.as_bytes())? else { return Ok(None) };
    let (chat, number) = key.split_first_chunk::<8>().ok_or(StoreError::Damaged)?;
    let message = number_of(number).ok_or(StoreError::Damaged)?;
    Ok(Some(Shown { chat: ChatNumber(u64::from_be_bytes(*chat)), message: MessageNumber(message) }))
}

pub(crate) fn load(work: &Work<'_>, shown: Shown) -> Result<Option<MessageRecord>, StoreError> {
    work.tx.load(&by_chat(shown.chat, shown.message.0))
}

pub(crate) fn save(
    work: &mut Work<'_>,
    shown: Shown,
    record: &MessageRecord,
) -> Result<(), StoreError> {
    work.tx.save(&by_chat(shown.chat, shown.message.0), record)?;
    work.event(Event::MessageStateChanged { chat: shown.chat, message: shown.message })
}

fn set_outgoing(work: &mut Work<'_>, shown: Shown, state: Outgoing) -> Result<(), StoreError> {
    let Some(mut record) = load(work, shown)? else { return Ok(()) };
    if record.outgoing == Some(state) || record.outgoing.is_none() {
        return Ok(());
    }
    record.outgoing = Some(state);
    record.stored_ms = match state {
        Outgoing::Stored => work.now.0,
        Outgoing::Pending | Outgoing::Failed(_) => 0,
    };
    save(work, shown, &record)
}

/// The relay has the message on disk.
pub(crate) fn set_stored(work: &mut Work<'_>, shown: Shown) -> Result<(), StoreError> {
    set_outgoing(work, shown, Outgoing::Stored)
}

/// The message will not go out by itself.
pub(crate) fn set_failed(
    work: &mut Work<'_>,
    shown: Shown,
    reason: FailureReason,
) -> Result<(), StoreError> {
    set_outgoing(work, shown, Outgoing::Failed(reason))
}

/// The relay lost a message that it had: it goes out again, with the same content, so that who has it
/// shows it once (spec: CLI-178, CNT-012).
pub(crate) fn send_again(
    work: &mut Work<'_>,
    channel: &ChannelId,
    shown: Shown,
) -> Result<(), StoreError> {
    let Some(record) = load(work, shown)?.filter(|it| it.outgoing == Some(Outgoing::Stored)) else {
        return Ok(());
    };
    set_outgoing(work, shown, Outgoing::Pending)?;
    let content = record.content;
    work.wish(Wish::SendContent { channel: *channel, content, message: Some(shown) })?;
    Ok(())
}

/// Tries a failed message again.
pub(crate) fn retry(
    work: &mut Work<'_>,
    chat: ChatNumber,
    message: MessageNumber,
) -> Result<Reply, CommandError> {
    let place = chats::writable(work, chat)?;
    let channel = place.channel.ok_or(CommandError::ChatClosed)?;
    let shown = Shown { chat, message };
    let record = load(work, shown)?.ok_or(CommandError::NoSuchMessage)?;
    if !matches!(record.outgoing, Some(Outgoing::Failed(_))) {
        return Err(CommandError::NotApplicable);
    }
    let rights: &[Right] =
        if record.mentions_all { &[Right::Write, Right::MentionAll] } else { &[Right::Write] };
    require(work, &place, rights)?;
    // A file that did not reach the relay: there is no content yet.
    if matches!(&record.body, BodyRecord::File(_)) && record.content.is_empty() {
        return files::retry_upload(work, shown, record);
    }
    rename(work, shown, &channel, &record.content)?;
    set_outgoing(work, shown, Outgoing::Pending)?;
    work.wish(Wish::SendContent { channel, content: record.content, message: Some(shown) })?;
    Ok(Reply::Accepted { chat, message })
}

/// What was said in a branch of the group that others do not follow waits again, to be said where they
/// are; who has it already knows it by its id (spec: CLI-193).
pub(crate) fn say_again(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    since_ms: u64,
) -> Result<(), StoreError> {
    for row in work.tx.list::<MessageRecord>(&chat.0.to_be_bytes(), usize::MAX)? {
        let MessageRecord { sender, outgoing, stored_ms, content, .. } = row.record;
        let stored = sender.is_none() && outgoing == Some(Outgoing::Stored);
        if !stored || stored_ms < since_ms || content.is_empty() {
            continue;
        }
        let message = number_of(&row.key).map(MessageNumber).ok_or(StoreError::Damaged)?;
        let shown = Shown { chat, message };
        set_outgoing(work, shown, Outgoing::Pending)?;
        work.wish(Wish::SendContent { channel: *channel, content, message: Some(shown) })?;
    }
    Ok(())
}

/// A device of `person` has the message, or its person has read it.
pub(crate) fn set_delivered(
    work: &mut Work<'_>,
    shown: Shown,
    person: &Fingerprint,
    read: ReadMark,
) -> Result<(), StoreError> {
    let key = [&by_chat(shown.chat, shown.message.0)[..], &person.as_bytes()[..]].concat();
    let before: Option<DeliveryRecord> = work.tx.load(&key)?;
    let was_read = before.is_some_and(|delivery| delivery.read);
    let after = DeliveryRecord { delivered: true, read: was_read || read == ReadMark::Read };
    if before.is_some_and(|delivery| delivery.delivered && delivery.read == after.read) {
        return Ok(());
    }
    work.tx.save(&key, &after)?;
    work.event(Event::MessageStateChanged { chat: shown.chat, message: shown.message })
}

/// Whether a receipt says that a person has read a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadMark {
    Delivered,
    Read,
}

/// Messages of others in a range of a chat.
pub(crate) fn count_received(
    work: &Work<'_>,
    chat: ChatNumber,
    from: MessageNumber,
    upto: u64,
) -> Result<u64, StoreError> {
    let rows = work.tx.list_from::<MessageRecord>(
        &chat.0.to_be_bytes(),
        Some(&by_chat(chat, from.0)),
        usize::MAX,
    )?;
    let received = rows
        .iter()
        .filter(|row| number_of(&row.key).is_some_and(|number| number <= upto))
        .filter(|row| row.record.sender.is_some());
    Ok(u64::try_from(received.count()).unwrap_or(u64::MAX))
}

/// Messages of a chat, oldest first.
pub(crate) fn list(
    work: &mut Work<'_>,
    chat: ChatNumber,
    from: MessageNumber,
    count_max: u32,
) -> Result<Vec<MessageInfo>, CommandError> {
    let place = chats::named(work, chat)?;
    let rows_max = usize::try_from(count_max.min(MESSAGES_MAX)).unwrap_or(0);
    let rows = work.tx.list_from::<MessageRecord>(
        &chat.0.to_be_bytes(),
        Some(&by_chat(chat, from.0)),
        rows_max,
    )?;
    let others = groups::people_besides_me(work, chat)?;
    rows.into_iter()
        .map(|row| {
            let message = number_of(&row.key).map(MessageNumber).ok_or(StoreError::Damaged)?;
            let pinned = chats::pinned(&place, message);
            Ok(info(work, Shown { chat, message }, row.record, others, pinned)?)
        })
        .collect()
}

fn info(
    work: &Work<'_>,
    shown: Shown,
    record: MessageRecord,
    others: u32,
    pinned: Pinned,
) -> Result<MessageInfo, StoreError> {
    let sender = match &record.sender {
        None => Sender::Me,
        Some(person) => {
            Sender::Other { fingerprint: person.to_hex(), name: contacts::name_of(work, person)? }
        }
    };
    Ok(MessageInfo {
        chat: shown.chat,
        number: shown.message,
        sender,
        state: state(work, shown, &record, others)?,
        body: body(work, record.body)?,
        sent_at_ms: record.sent_at_ms,
        mentioned: if record.mentions_all { Mentioned::All } else { Mentioned::Nobody },
        pinned,
    })
}

fn state(
    work: &Work<'_>,
    shown: Shown,
    record: &MessageRecord,
    others: u32,
) -> Result<MessageState, StoreError> {
    Ok(match (&record.sender, record.outgoing) {
        (Some(_), _) => MessageState::Received,
        (None, Some(Outgoing::Pending)) => MessageState::Pending,
        (None, Some(Outgoing::Failed(reason))) => MessageState::Failed(reason),
        (None, Some(Outgoing::Stored) | None) => {
            let key = by_chat(shown.chat, shown.message.0);
            let people = work.tx.list::<DeliveryRecord>(&key, usize::MAX)?.len();
            match u32::try_from(people).unwrap_or(u32::MAX) {
                0 => MessageState::Stored,
                people => MessageState::Delivered { people, of: others.max(people) },
            }
        }
    })
}

fn body(work: &Work<'_>, record: BodyRecord) -> Result<MessageBody, StoreError> {
    Ok(match record {
        BodyRecord::Text(text) => MessageBody::Text(text),
        BodyRecord::NotSupported { media_type } => MessageBody::NotSupported { media_type },
        BodyRecord::File(file) => MessageBody::File {
            transfer: transfer_state(work, &file)?,
            name: file.name,
            size: file.size,
            media_type: file.media_type,
        },
    })
}

fn transfer_state(work: &Work<'_>, file: &FileRecord) -> Result<TransferState, StoreError> {
    if let Some(reason) = file.failed {
        return Ok(TransferState::Failed(reason));
    }
    if file.complete {
        return Ok(TransferState::Complete);
    }
    files::progress(work, file)
}
