//! `hush follow`.

use hushwire::{
    command::{ChatNumber, Whose},
    event::{Event, EventNumber, NumberedEvent},
};

use crate::{
    backend::Backend,
    fault::Fault,
    feed::Feed,
    output::{Form, Output},
    people::digits_apart,
    record::{EventRecord, MessageRecord, Record},
    session::Session,
    visible,
};

/// Prints events until interrupted: always as JSON, because the number in each line is the cursor.
pub(super) async fn follow<B: Backend>(
    session: &Session<'_, B>,
    from: Option<EventNumber>,
) -> Result<(), Fault> {
    let from = match from {
        Some(from) => from,
        None => session.next_event_number().await?,
    };
    let output = Output::new(session.console, Form::Json);
    let mut feed = Feed::new(session.backend, from);
    let mut interrupted = session.console.interrupted();
    loop {
        tokio::select! {
            biased;
            () = &mut interrupted => return Ok(()),
            event = feed.next() => {
                let record = with_message(session, event?).await?;
                let written = output.record(&Record::Event(Box::new(record)));
                written.map_err(|error| Fault::of_output(&error, None))?;
            }
        }
    }
}

/// The event, with the message it is about as it is now.
pub(super) async fn with_message<B: Backend>(
    session: &Session<'_, B>,
    event: NumberedEvent,
) -> Result<EventRecord, Fault> {
    let about = match event.event {
        Event::MessageAdded { chat, message }
        | Event::EverybodyMentioned { chat, message }
        | Event::MessagePinned { chat, message, .. }
        | Event::MessageUnpinned { chat, message, .. }
        | Event::MessageStateChanged { chat, message }
        | Event::TransferEnded { chat, message } => Some((chat, message)),
        _ => None,
    };
    let mut record = EventRecord::from(event);
    if let Some((chat, number)) = about {
        let messages = session.messages(chat, number, 1).await?;
        let message = messages.into_iter().find(|message| message.number == number);
        if let Some(message) = message {
            let people = session.people_in(chat).await?;
            record.message = Some(MessageRecord::new(message, &people));
        }
    }
    if let (Some(by), Some(chat)) = (&record.by, record.chat) {
        record.by_label = Some(label_of(session, ChatNumber(chat), by).await?);
    }
    Ok(record)
}

/// What somebody in a chat is called on the screen; who is not there any more, by its digits.
async fn label_of<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    fingerprint: &str,
) -> Result<String, Fault> {
    let members = session.members(chat).await?;
    let Some(member) = members.iter().find(|member| member.fingerprint == fingerprint) else {
        return Ok(visible::line(digits_apart(fingerprint, core::iter::empty())));
    };
    if member.whose == Whose::Mine {
        return Ok("you".to_owned());
    }
    Ok(session.people_in(chat).await?.label(&member.name, fingerprint))
}
