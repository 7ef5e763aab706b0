//! `hush follow`.

use hushwire::event::{Event, EventNumber, NumberedEvent};

use crate::{
    backend::Backend,
    fault::Fault,
    feed::Feed,
    output::{Form, Output},
    record::{EventRecord, MessageRecord, Record},
    session::Session,
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
    Ok(record)
}
