//! What each command does with an open profile.

use hushwire::{
    command::{Mentioned, Pinned},
    event::EventNumber,
};

use crate::{args::HushCommand, backend::Backend, fault::Fault, record::Record, session::Session};

mod contact;
mod conversation;
mod device;
mod door;
mod file;
mod follow;
mod group;
mod init;
mod link;
mod message;
mod settings;
mod verify;

pub(crate) use init::{InitPlan, init};
pub(crate) use settings::who;

/// Does what the command line says. Commands that need no profile never come here.
pub(crate) async fn run<B: Backend>(
    session: &Session<'_, B>,
    command: HushCommand,
) -> Result<(), Fault> {
    match command {
        HushCommand::Link(arguments) => link::link(session, arguments).await,
        HushCommand::Add { link } => contact::add(session, link).await,
        HushCommand::Join { link } => door::join(session, link).await,
        HushCommand::Contacts => contact::contacts(session).await,
        HushCommand::Chats => contact::chats(session).await,
        HushCommand::Send { chat, text, mention_all } => {
            let mentioned = if mention_all { Mentioned::All } else { Mentioned::Nobody };
            message::send(session, &chat, text, mentioned).await
        }
        HushCommand::Pin { chat, message } => {
            message::pin(session, &chat, message, Pinned::Yes).await
        }
        HushCommand::Unpin { chat, message } => {
            message::pin(session, &chat, message, Pinned::No).await
        }
        HushCommand::SendFile { chat, path, media_type } => {
            file::send(session, &chat, &path, media_type).await
        }
        HushCommand::Save { chat, message, path } => {
            file::save(session, &chat, message, path).await
        }
        HushCommand::Read { chat, from, count, keep_unread } => {
            let seen = if keep_unread { message::Seen::Keep } else { message::Seen::Mark };
            message::read(session, &chat, from, count, seen).await
        }
        HushCommand::Follow { from } => follow::follow(session, from.map(EventNumber)).await,
        HushCommand::Chat { chat } => conversation::chat(session, &chat).await,
        HushCommand::Group(command) => group::group(session, command).await,
        HushCommand::Device(command) => device::device(session, command).await,
        HushCommand::Verify { contact, confirm, reset } => {
            verify::verify(session, &contact, verify::Outcome::of(confirm, reset)).await
        }
        HushCommand::Phrase => verify::phrase(session).await,
        HushCommand::Status => contact::status(session).await,
        HushCommand::Retry { chat, message } => message::retry(session, &chat, message).await,
        HushCommand::Init(_) | HushCommand::Completion { .. } | HushCommand::Man { .. } => Ok(()),
    }
}

/// Says each of several things, or what to do when there is none.
fn say_all<B: Backend, T>(
    session: &Session<'_, B>,
    things: Vec<T>,
    none: &str,
    record: impl Fn(T) -> Record,
) -> Result<(), Fault> {
    if things.is_empty() {
        session.note(none);
    }
    things.into_iter().try_for_each(|thing| session.say(&record(thing)))
}
