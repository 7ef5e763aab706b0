//! `hush chat`: lines out, lines in, at the same time.

use std::{collections::BTreeSet, io};

use hushwire::{
    command::{ChatInfo, ChatNumber, Command, MessageNumber, Reply},
    event::{Event, NumberedEvent, Warning},
};

use super::{file, follow::with_message};
use crate::{
    backend::Backend,
    console::Conversation,
    fault::Fault,
    feed::Feed,
    human,
    output::Form,
    people::People,
    record::{EventRecord, MessageRecord, Record},
    session::{Session, expect_reply},
    settle::distrusted,
    visible,
};

/// Messages shown from before.
const HISTORY_COUNT: u32 = 20;

const HELP: [&str; 4] = [
    "/file PATH  send a file",
    "/help       this list",
    "/quit       leave; Ctrl-D too",
    "//text      send /text",
];

/// What a typed line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Typed<'a> {
    Nothing,
    Quit,
    Help,
    File(&'a str),
    NoFile,
    Unknown(&'a str),
    Text(&'a str),
}

impl<'a> Typed<'a> {
    fn parse(line: &'a str) -> Self {
        let trimmed = line.trim();
        let Some(command) = trimmed.strip_prefix('/') else {
            return if trimmed.is_empty() { Self::Nothing } else { Self::Text(line) };
        };
        match command.split_once(char::is_whitespace).unwrap_or((command, "")) {
            _ if command.starts_with('/') => Self::Text(command),
            ("quit", _) => Self::Quit,
            ("help", _) => Self::Help,
            ("file", path) => match path.trim() {
                "" => Self::NoFile,
                path => Self::File(path),
            },
            (name, _) => Self::Unknown(name),
        }
    }
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

pub(super) async fn chat<B: Backend>(session: &Session<'_, B>, query: &str) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(query).await?;
    let next_event = session.next_event_number().await?;
    show_history(session, &chat).await?;
    if distrusted(&session.status().await?).is_some_and(|relay| relay == chat.relay) {
        return Err(Fault::RelayKeyMismatch { relay: chat.relay });
    }
    let prompt = format!("{}> ", session.people().await?.chat_label(&chat));
    let conversation = session.console.converse(prompt)?;
    let (chat, relay) = (chat.number, chat.relay);
    let mut talk = Talk { session, chat, relay, conversation, sent: BTreeSet::new() };
    let talked = talk.run(Feed::new(session.backend, next_event)).await;
    let sent = talk.sent.len();
    drop(talk);
    match talked {
        // What was said before is not held up by what cannot be.
        Ok(()) | Err(Fault::NotText) if sent > 0 => {
            let status = session.settled().await?;
            talked?;
            match status {
                Some(status) if status.waiting > 0 => Err(session.still_waiting(status.waiting)),
                _ => Ok(()),
            }
        }
        talked => talked,
    }
}

async fn show_history<B: Backend>(session: &Session<'_, B>, chat: &ChatInfo) -> Result<(), Fault> {
    let first = chat.last.0.saturating_sub(u64::from(HISTORY_COUNT)).saturating_add(1);
    let messages = session.messages(chat.number, MessageNumber(first), HISTORY_COUNT).await?;
    let people = session.people_in(chat.number).await?;
    for message in messages {
        session.say(&Record::Message(Box::new(MessageRecord::new(message, &people))))?;
    }
    if chat.unread > 0 {
        let command = Command::MarkRead { chat: chat.number, upto: chat.last };
        session.perform(command).await?;
    }
    Ok(())
}

struct Talk<'a, B> {
    session: &'a Session<'a, B>,
    chat: ChatNumber,
    /// The address of the relay that carries it.
    relay: String,
    conversation: Conversation,
    /// Messages written here.
    sent: BTreeSet<MessageNumber>,
}

impl<B: Backend> Talk<'_, B> {
    async fn run(&mut self, mut feed: Feed<'_, B>) -> Result<(), Fault> {
        loop {
            tokio::select! {
                line = self.conversation.lines.recv() => {
                    let Some(line) = line else { return Ok(()) };
                    let line = line.map_err(|error| match error.kind() {
                        io::ErrorKind::InvalidData => Fault::NotText,
                        _ => error.into(),
                    })?;
                    if self.handle_line(&line.text).await? == Next::Leave {
                        return Ok(());
                    }
                    // If nobody reads any more, the next turn ends.
                    let _ = line.next.send(());
                }
                event = feed.next() => {
                    let handled = match event {
                        Ok(event) => self.handle_event(event).await,
                        Err(fault) => Err(fault),
                    };
                    if let Err(fault) = handled {
                        return self.part(fault).await;
                    }
                }
            }
        }
    }

    /// Ends because of a fault. The line being typed is waited for, so that the terminal is left as
    /// it was.
    async fn part(&mut self, fault: Fault) -> Result<(), Fault> {
        // If it cannot be printed, the fault is still told at the end.
        let _ = self.print_line(format!("{fault}. Press Enter to leave."));
        self.conversation.lines.recv().await;
        Err(fault)
    }

    async fn handle_line(&mut self, line: &str) -> Result<Next, Fault> {
        let done = match Typed::parse(line) {
            Typed::Nothing => Ok(()),
            Typed::Quit => return Ok(Next::Leave),
            Typed::Help => HELP.iter().try_for_each(|line| self.print_line((*line).to_owned())),
            Typed::NoFile => self.print_line("say which file: /file PATH".to_owned()),
            Typed::Unknown(name) => {
                self.print_line(format!("there is no /{}; try /help", visible::line(name)))
            }
            Typed::Text(text) => {
                let text = text.to_owned();
                self.send(Command::SendText { chat: self.chat, text }).await
            }
            Typed::File(path) => match file::command(self.chat, path.as_ref(), None) {
                Ok((command, _)) => self.send(command).await,
                Err(fault) => Err(fault),
            },
        };
        match done {
            // What was typed cannot be done; the conversation goes on.
            Err(
                fault @ (Fault::Client(crate::fault::ClientFault::Command(_)) | Fault::File { .. }),
            ) => {
                self.print_line(format!("{fault}. {}", fault.advice()))?;
            }
            Err(fault) => return Err(fault),
            Ok(()) => {}
        }
        Ok(Next::Stay)
    }

    async fn send(&mut self, command: Command) -> Result<(), Fault> {
        let session = self.session;
        let message = expect_reply!(session, command, Reply::Accepted { message, .. } => message)?;
        self.sent.insert(message);
        let message = session.message(self.chat, message).await?;
        // Of oneself: it has no name that could be another's.
        self.print(&Record::Message(Box::new(MessageRecord::new(message, &People::default()))))
    }

    async fn handle_event(&mut self, event: NumberedEvent) -> Result<(), Fault> {
        let chat = self.chat;
        let came = match &event.event {
            Event::Warning(Warning::RelayKeyMismatch { relay }) if *relay == self.relay => {
                return Err(Fault::RelayKeyMismatch { relay: relay.clone() });
            }
            // It was shown when it was written.
            Event::MessageAdded { chat: there, message }
                if *there == chat && self.sent.contains(message) =>
            {
                return Ok(());
            }
            Event::MessageAdded { chat: there, message } if *there == chat => Some(*message),
            Event::MessageStateChanged { chat: there, .. }
            | Event::TransferEnded { chat: there, .. }
            | Event::RemovedFromChat(there)
            | Event::ContactFailed { chat: there, .. }
            | Event::GroupChangeFailed { chat: there, .. }
            | Event::GroupChanged { chat: there, .. }
            | Event::JoinRequested { chat: there, .. }
            | Event::JoinFailed { chat: there, .. }
            | Event::GroupDissolved { chat: there, .. }
            | Event::GroupSucceeded { chat: there, .. }
            | Event::SuccessorOffered { chat: there, .. }
            | Event::MessagePinned { chat: there, .. }
            | Event::MessageUnpinned { chat: there, .. }
            | Event::AdditionFailed { chat: there, .. }
            | Event::MembersAdded { chat: there, .. }
            | Event::MembersRemoved { chat: there, .. }
                if *there == chat =>
            {
                None
            }
            Event::Warning(_) | Event::ThisDeviceRevoked => None,
            _ => return Ok(()),
        };
        let record = with_message(self.session, event).await?;
        if record.warning.is_some() && record.chat.is_some_and(|there| there != chat.0) {
            return Ok(());
        }
        self.show(record)?;
        match came {
            Some(upto) => self.session.perform(Command::MarkRead { chat, upto }).await,
            None => Ok(()),
        }
    }

    /// A new message as itself, a change of one's own as its state, anything else as an event.
    fn show(&mut self, mut record: EventRecord) -> Result<(), Fault> {
        match (record.event.as_str(), self.session.output.form(), record.message.take()) {
            ("message_added", _, Some(message)) => self.print(&Record::Message(Box::new(message))),
            ("message_state_changed", Form::Human(paint), Some(message)) => {
                match human::state(&message, paint) {
                    Some(state) => self.print_line(format!("{:>4} {state}", message.message)),
                    None => Ok(()),
                }
            }
            ("message_state_changed" | "transfer_ended", _, Some(message)) => {
                self.print(&Record::Message(Box::new(message)))
            }
            (_, _, message) => {
                record.message = message;
                self.print(&Record::Event(Box::new(record)))
            }
        }
    }

    fn print(&mut self, record: &Record) -> Result<(), Fault> {
        let lines = self.session.output.lines(record);
        let lines = lines.map_err(|error| Fault::of_output(&error, None))?;
        lines.into_iter().try_for_each(|line| self.write(line))
    }

    /// Words of ours; a note for a script.
    fn print_line(&mut self, line: String) -> Result<(), Fault> {
        match self.session.output.form() {
            Form::Human(_) => self.write(line),
            Form::Json => {
                self.session.note(&line);
                Ok(())
            }
        }
    }

    fn write(&mut self, line: String) -> Result<(), Fault> {
        (self.conversation.print)(line).map_err(|error| Fault::of_output(&error, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_lines_are_told_apart() {
        let cases = [
            ("", Typed::Nothing),
            ("   ", Typed::Nothing),
            ("hello /quit", Typed::Text("hello /quit")),
            ("  indented", Typed::Text("  indented")),
            ("/quit", Typed::Quit),
            (" /help ", Typed::Help),
            ("/file  a b.png ", Typed::File("a b.png")),
            ("/file", Typed::NoFile),
            ("/file  ", Typed::NoFile),
            ("/fiel x", Typed::Unknown("fiel")),
            ("//etc/passwd is a file", Typed::Text("/etc/passwd is a file")),
        ];
        for (line, typed) in cases {
            assert_eq!(Typed::parse(line), typed, "{line}");
        }
    }
}
