//! Pinned messages: control entries that count at their place in the log, so that all who were there
//! see the same ones pinned (spec: CNT-043).

use hushwire_protocol::{
    content::{Content, ControlMessage, MessageId, Pin, Pinning},
    group::Right,
    identity::Fingerprint,
};

use crate::{
    chats,
    command::{ChatNumber, ChatState, CommandError, MessageNumber, Pinned},
    event::Event,
    messages,
    record::{MessageRecord, Outgoing, Shown, Wish},
    store::StoreError,
    work::Work,
};

/// Most messages of a chat that are pinned at a time; the one that was pinned first gives way.
const PINS_MAX: usize = 64;

/// Wishes to pin a message, or to take the pin away.
pub(crate) fn set(
    work: &mut Work<'_>,
    chat: ChatNumber,
    message: MessageNumber,
    pinned: Pinned,
) -> Result<(), CommandError> {
    let record = chats::writable(work, chat)?;
    let shown = Shown { chat, message };
    let stored = messages::load(work, shown)?.ok_or(CommandError::NoSuchMessage)?;
    let channel = record.channel.filter(|_| record.state == ChatState::Open);
    // What has not gone out has no place that others could see.
    let (Some(channel), Some(id)) = (channel, id_of(&stored)) else {
        return Err(CommandError::NotApplicable);
    };
    messages::require(work, &record, &[Right::Pin])?;
    let is_so = chats::pinned(&record, message) == pinned;
    if is_so {
        return Ok(());
    }
    let pinning = match pinned {
        Pinned::Yes => Pinning::Pinned,
        Pinned::No => Pinning::Unpinned,
    };
    let entry = Pin { message: id, pinning }.to_entry();
    let control = ControlMessage::new(vec![entry]).map_err(|_| CommandError::Internal)?;
    let salt = messages::salt(work);
    let content = Content::control(salt, &control).encode().map_err(|_| CommandError::Internal)?;
    work.wish(Wish::Pin { channel, content: content.into_bytes(), shown, pinned })?;
    Ok(())
}

fn id_of(record: &MessageRecord) -> Option<MessageId> {
    match record.outgoing {
        None | Some(Outgoing::Stored) => MessageId::from_slice(&record.mimi_id).ok(),
        Some(Outgoing::Pending | Outgoing::Failed(_)) => None,
    }
}

/// Does what the control entry of a member says, in the chat where it stands, whichever of its groups
/// that and the message came in (spec: CNT-050). A message that is not known here is older than the
/// membership.
pub(crate) fn take(
    work: &mut Work<'_>,
    chat: ChatNumber,
    sender: &Fingerprint,
    payload: &[u8],
) -> Result<(), StoreError> {
    let Some(pin) = Pin::of_payload(payload) else { return Ok(()) };
    let Some(shown) = messages::place(work, &pin.message)?.filter(|shown| shown.chat == chat)
    else {
        return Ok(());
    };
    let pinned = match pin.pinning {
        Pinning::Pinned => Pinned::Yes,
        Pinning::Unpinned => Pinned::No,
    };
    note(work, shown, sender, pinned)
}

/// A pin of this device stands in the log.
pub(crate) fn stored(work: &mut Work<'_>, shown: Shown, pinned: Pinned) -> Result<(), StoreError> {
    let me = work.me()?;
    note(work, shown, &me, pinned)
}

fn note(
    work: &mut Work<'_>,
    shown: Shown,
    by: &Fingerprint,
    pinned: Pinned,
) -> Result<(), StoreError> {
    let Some(mut record) = chats::load(work, shown.chat)? else { return Ok(()) };
    if chats::pinned(&record, shown.message) == pinned {
        return Ok(());
    }
    record.pinned.retain(|message| *message != shown.message);
    if pinned == Pinned::Yes {
        record.pinned.push(shown.message);
    }
    let over = record.pinned.len().saturating_sub(PINS_MAX);
    record.pinned.drain(..over);
    chats::save(work, shown.chat, &record)?;
    let Shown { chat, message } = shown;
    let by = by.to_hex();
    work.event(match pinned {
        Pinned::Yes => Event::MessagePinned { chat, message, by },
        Pinned::No => Event::MessageUnpinned { chat, message, by },
    })
}
