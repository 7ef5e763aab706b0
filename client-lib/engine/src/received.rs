//! What a message of somebody does here: a row of its chat, a receipt noted, control entries done.

use hushwire_protocol::{
    content::{
        Action, Content, Mentions, MessageId, PartBody, Piece, RoomUri, SenderUri, Status,
        StatusReport,
    },
    group::{Group, OpenedMessage, judge_content},
    identity::Fingerprint,
};
use hushwire_wire::{id::ChannelId, message::Entry};

use crate::{
    chats,
    command::ChatNumber,
    control, direct,
    event::Warning,
    groups,
    linking::granted,
    log,
    messages::{self, ReadMark},
    receipts,
    record::{BodyRecord, FileRecord, GroupRecord, MessageRecord, PurposeRecord, Shown},
    store::StoreError,
    work::Work,
};

/// Takes in an opened message of a group.
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
    mls: &Group,
    entry: &Entry,
    message: &OpenedMessage,
) -> Result<(), StoreError> {
    if direct::standing::is_passed_over(work, channel, group, &message.sender)? {
        return Ok(());
    }
    let sender = message.sender.identity();
    let room = RoomUri::from_channel(*channel);
    let uri = SenderUri::from_fingerprint(sender.as_bytes());
    let decoded = Content::decode(&message.content).and_then(|content| {
        content.check_address(&uri, &room)?;
        // spec: CNT-023
        content.expires.map_or(Ok(()), |expiry| expiry.check(work.now))?;
        Ok(content)
    });
    let Ok(content) = decoded else {
        return log::warn(work, channel, |chat| Warning::EntryRejected {
            chat,
            code: "CONTENT_NOT_VALID".to_owned(),
        });
    };
    // spec: GRP-082, GRP-083, GRP-084
    if let Err(rejection) = judge_content(mls.state(), &sender, &content) {
        let code = rejection.name().to_owned();
        return log::warn(work, channel, |chat| Warning::EntryRejected { chat, code });
    }
    let Ok(encoded) = content.encode() else { return Ok(()) };
    let id = encoded.message_id(&uri, &room);
    let from = Origin { channel, group, mls, sender, id, stored_at_ms: entry.stored_at.0 };
    let device = message.sender.device();
    if group.purpose == PurposeRecord::OwnDevices && granted::waits(work, &device)? {
        granted::arrived(work, &device);
    }
    let mut shown = false;
    for part in content.shown() {
        match part.piece {
            Piece::Status(report) => take_statuses(work, &from, &report)?,
            Piece::Control(entries) => {
                control::take(work, channel, group, mls, &message.sender, &entries)?
            }
            piece => {
                // A message has one row; its first part that can be shown stands for it.
                if !core::mem::replace(&mut shown, true) {
                    add(work, &from, &content, &piece, &message.content)?;
                }
            }
        }
    }
    Ok(())
}

struct Origin<'a> {
    channel: &'a ChannelId,
    group: &'a GroupRecord,
    mls: &'a Group,
    sender: Fingerprint,
    id: MessageId,
    stored_at_ms: u64,
}

fn add(
    work: &mut Work<'_>,
    from: &Origin<'_>,
    content: &Content,
    piece: &Piece<'_>,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let Some(chat) = from.group.purpose.shown_in() else { return Ok(()) };
    // MLS does not stop a member from sending the same content twice (spec: CNT-012).
    if messages::place(work, &from.id)?.is_some() {
        return Ok(());
    }
    let me = work.me()?;
    let own = from.sender == me;
    if let Some(shown) = known_elsewhere(work, from, chat, bytes)? {
        messages::set_place(work, shown, &from.id);
        return owe(work, from, &me);
    }
    if changes_anothers(work, from, chat, content)? {
        return owe(work, from, &me);
    }
    let body = match (content.action(), piece) {
        (Action::Post | Action::Reply(_), Piece::Text { text, .. }) => {
            BodyRecord::Text((*text).to_owned())
        }
        (Action::Post | Action::Reply(_), Piece::Attachment(attachment)) => {
            BodyRecord::File(FileRecord {
                name: hushwire_protocol::attachment::safe_file_name(&attachment.file_name),
                size: attachment.length.bytes(),
                media_type: attachment.media_type.as_str().to_owned(),
                transfer: None,
                complete: false,
                failed: None,
            })
        }
        (_, piece) => BodyRecord::NotSupported { media_type: describe(piece) },
    };
    let record = MessageRecord {
        sender: (!own).then_some(from.sender),
        mimi_id: from.id.as_bytes().to_vec(),
        sent_at_ms: from.stored_at_ms,
        body,
        outgoing: None,
        mentions_all: content.extensions.mentions() == Mentions::All,
        content: bytes.to_vec(),
        stored_ms: 0,
    };
    messages::add(work, chat, &record)?;
    owe(work, from, &me)
}

/// Whether a message would change one of another sender, or of another chat: nobody does, whatever their
/// role, and nothing is shown of it (spec: CNT-046).
fn changes_anothers(
    work: &Work<'_>,
    from: &Origin<'_>,
    chat: ChatNumber,
    content: &Content,
) -> Result<bool, StoreError> {
    let (Action::Edit(target) | Action::Delete(target)) = content.action() else {
        return Ok(false);
    };
    let Some(place) = messages::place(work, &target)? else { return Ok(false) };
    let Some(message) = messages::load(work, place)? else { return Ok(false) };
    let me = work.me()?;
    Ok(place.chat != chat || message.sender.unwrap_or(me) != from.sender)
}

/// Where a message stands that came in another group of this chat before: its sender said it again
/// where the chat went on (spec: CNT-045).
fn known_elsewhere(
    work: &mut Work<'_>,
    from: &Origin<'_>,
    chat: ChatNumber,
    content: &[u8],
) -> Result<Option<Shown>, StoreError> {
    let Some(mut record) = chats::load(work, chat)? else { return Ok(None) };
    if record.add_room(*from.channel) {
        chats::save(work, chat, &record)?;
    }
    for room in record.rooms.iter().filter(|room| *room != from.channel) {
        let id = messages::message_id(&from.sender, room, content);
        let place = id.map(|id| messages::place(work, &id)).transpose()?.flatten();
        if let Some(shown) = place.filter(|shown| shown.chat == chat) {
            return Ok(Some(shown));
        }
    }
    Ok(None)
}

fn owe(work: &mut Work<'_>, from: &Origin<'_>, me: &Fingerprint) -> Result<(), StoreError> {
    if from.sender != *me && groups::others_in(from.mls, me)? <= receipts::RECEIPT_PEOPLE_MAX {
        receipts::owe(work, from.channel, &from.id)?;
    }
    Ok(())
}

fn describe(piece: &Piece<'_>) -> String {
    match piece {
        Piece::Unsupported(part) => match &part.body {
            PartBody::Single(single) => single.media_type.as_str().to_owned(),
            PartBody::External(external) => external.media_type.as_str().to_owned(),
            _ => "multipart".to_owned(),
        },
        Piece::Attachment(attachment) => attachment.media_type.as_str().to_owned(),
        _ => "message".to_owned(),
    }
}

/// Receipts of another person for messages of this identity.
fn take_statuses(
    work: &mut Work<'_>,
    from: &Origin<'_>,
    report: &StatusReport,
) -> Result<(), StoreError> {
    let me = work.me()?;
    if from.sender == me {
        return Ok(());
    }
    for status in report.statuses() {
        let mark = match status.status {
            Status::DELIVERED => ReadMark::Delivered,
            Status::READ => ReadMark::Read,
            _ => continue,
        };
        let Some(shown) = messages::place(work, &status.message)? else { continue };
        // Only in the chat where the message stands, and only for a message of this identity.
        let here = Some(shown.chat) == from.group.purpose.shown_in();
        let own = messages::load(work, shown)?.is_some_and(|record| record.sender.is_none());
        if here && own {
            messages::set_delivered(work, shown, &from.sender, mark)?;
        }
    }
    Ok(())
}
