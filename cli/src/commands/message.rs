//! `hush send`, `hush read`, `hush retry`.

use hushwire::command::{
    ChatNumber, Command, Mentioned, MessageInfo, MessageNumber, MessageState, Pinned, Reply,
};

use super::group::settle_change;
use crate::{
    backend::Backend,
    fault::Fault,
    people::People,
    record::{DoneRecord, MessageRecord, Record},
    session::{Patience, Session, expect_reply},
};

/// Whether shown messages count as seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// They do.
    Mark,
    /// They stay new.
    Keep,
}

pub(super) async fn send<B: Backend>(
    session: &Session<'_, B>,
    chat: &str,
    text: String,
    mentioned: Mentioned,
) -> Result<(), Fault> {
    let chat = session.chat_named(chat).await?.number;
    let text = text_or_input(session, text)?;
    let command = match mentioned {
        Mentioned::Nobody => Command::SendText { chat, text },
        Mentioned::All => Command::MentionAll { chat, text },
    };
    let message = expect_reply!(session, command, Reply::Accepted { message, .. } => message)?;
    await_sent(session, chat, message).await
}

/// What was typed, or for `-` what stands in the standard input.
pub(super) fn text_or_input<B: Backend>(
    session: &Session<'_, B>,
    text: String,
) -> Result<String, Fault> {
    if text != "-" {
        return Ok(text);
    }
    let input = String::from_utf8(session.console.read_input()?);
    let mut text = input.map_err(|_| Fault::NotText)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

pub(super) async fn pin<B: Backend>(
    session: &Session<'_, B>,
    chat: &str,
    message: u64,
    pinned: Pinned,
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(chat).await?.number;
    let since = session.next_event_number().await?;
    let number = MessageNumber(message);
    session.perform(Command::SetPinned { chat, message: number, pinned }).await?;
    settle_change(session, since, chat).await?;
    let (done, words) = match pinned {
        Pinned::Yes => ("message_pinned", format!("message {message} is pinned")),
        Pinned::No => ("message_unpinned", format!("message {message} is not pinned any more")),
    };
    session.done(DoneRecord {
        done,
        chat: Some(chat.0),
        message: Some(message),
        words,
        ..DoneRecord::default()
    })
}

pub(super) async fn retry<B: Backend>(
    session: &Session<'_, B>,
    chat: &str,
    message: u64,
) -> Result<(), Fault> {
    let chat = session.chat_named(chat).await?.number;
    let message = MessageNumber(message);
    session.perform(Command::Retry { chat, message }).await?;
    await_sent(session, chat, message).await
}

/// Waits until a message of one's own is stored, and says how far it has come.
async fn await_sent<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    message: MessageNumber,
) -> Result<(), Fault> {
    let sent = session.follow_message((chat, message), is_sent, |_| {}).await?;
    say_sent(session, sent)
}

/// Whether an own message has come to where no more waiting helps.
pub(super) fn is_sent(message: &MessageInfo) -> bool {
    message.state != MessageState::Pending
}

/// Says how far a message of one's own has come.
pub(super) fn say_sent<B: Backend>(
    session: &Session<'_, B>,
    message: MessageInfo,
) -> Result<(), Fault> {
    let state = message.state.clone();
    // Of oneself: it has no name that could be another's.
    let record = MessageRecord::new(message, &People::default());
    let said = session.say(&Record::Message(Box::new(record)));
    match (state, session.patience) {
        (MessageState::Failed(reason), _) => Err(Fault::Refused(reason)),
        (MessageState::Pending, Patience::Wait(_)) => Err(session.still_waiting(1)),
        _ => said,
    }
}

pub(super) async fn read<B: Backend>(
    session: &Session<'_, B>,
    chat: &str,
    from: Option<u64>,
    count: u32,
    seen: Seen,
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(chat).await?;
    let last_ones = chat.last.0.saturating_sub(u64::from(count)).saturating_add(1);
    let from = MessageNumber(from.unwrap_or(last_ones).max(1));
    let messages = session.messages(chat.number, from, count).await?;
    let upto = messages.last().map(|message| message.number);
    let people = session.people_in(chat.number).await?;
    for message in messages {
        session.say(&Record::Message(Box::new(MessageRecord::new(message, &people))))?;
    }
    match (upto, seen) {
        (Some(upto), Seen::Mark) if chat.unread > 0 => mark_read(session, chat.number, upto).await,
        _ => Ok(()),
    }
}

/// Notes on this device that the messages were shown.
async fn mark_read<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    upto: MessageNumber,
) -> Result<(), Fault> {
    session.perform(Command::MarkRead { chat, upto }).await
}
