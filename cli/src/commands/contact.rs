//! `hush add`, `hush contacts`, `hush chats`, `hush status`.

use hushwire::{
    command::{Command, Reply, SecretText},
    event::Event,
};

use super::say_all;
use crate::{
    backend::Backend,
    fault::Fault,
    record::{ChatRecord, ContactRecord, Record, StatusRecord},
    session::{Session, expect_reply},
};

/// For somebody who knows nobody yet.
const NOBODY: &str = "nobody yet: `hush link` makes a link for somebody, `hush add` takes theirs";

pub(super) async fn add<B: Backend>(session: &Session<'_, B>, link: String) -> Result<(), Fault> {
    let link = match link.as_str() {
        "-" => session.console.ask("Contact link: ")?,
        _ => SecretText::new(link),
    };
    let link = SecretText::new(link.expose().trim().to_owned());
    let since = session.next_event_number().await?;
    let command = Command::AddContact { link };
    let chat = expect_reply!(session, command, Reply::Chat(chat) => chat)?;
    let number = chat.number;
    let settled = session
        .settle(since, |event| match event {
            Event::ContactFailed { chat, reason } if *chat == number => Some(*reason),
            _ => None,
        })
        .await;
    let now = session.chats().await?.into_iter().find(|chat| chat.number == number);
    let people = session.people().await?;
    let said = session.say(&Record::Chat(ChatRecord::new(now.unwrap_or(chat), &people)));
    settled.and(said)
}

pub(super) async fn contacts<B: Backend>(session: &Session<'_, B>) -> Result<(), Fault> {
    session.catch_up().await?;
    let people = session.people().await?;
    let record = |contact| Record::Contact(ContactRecord::new(contact, &people));
    say_all(session, session.contacts().await?, NOBODY, record)
}

pub(super) async fn chats<B: Backend>(session: &Session<'_, B>) -> Result<(), Fault> {
    session.catch_up().await?;
    let people = session.people().await?;
    let record = |chat| Record::Chat(ChatRecord::new(chat, &people));
    say_all(session, session.chats().await?, NOBODY, record)
}

pub(super) async fn status<B: Backend>(session: &Session<'_, B>) -> Result<(), Fault> {
    session.catch_up().await?;
    let profile = session.profile().await?;
    session.say(&Record::Status(StatusRecord::new(profile, session.status().await?)))
}
