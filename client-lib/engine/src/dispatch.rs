//! Which function does which command.

use crate::{
    chats,
    command::{Command, CommandError, Reply},
    contacts, devices,
    event::EventNumber,
    files, groups, linking, links, messages, profile,
    record::by_number,
    revoking,
    work::{EventRecord, Work},
};

/// Most events that one command returns.
const EVENTS_MAX: u32 = 1_000;

/// Does or answers a command in the transaction of `work`.
pub(crate) fn dispatch(work: &mut Work<'_>, command: Command) -> Result<Reply, CommandError> {
    match command {
        Command::CreateIdentity { name, relay } => profile::create(work, &name, &relay),
        Command::Events { from, count_max } => events(work, from, count_max),
        Command::JoinIdentity { code, device_name } => linking::join(work, &code, &device_name),
        // A new device answers it too, before it has its identity.
        Command::DeviceLinkConfirm(comparison) => linking::confirm(work, comparison),
        // Everything else needs an identity.
        command => {
            profile::require(work)?;
            with_identity(work, command)
        }
    }
}

fn with_identity(work: &mut Work<'_>, command: Command) -> Result<Reply, CommandError> {
    match command {
        Command::Profile => Ok(Reply::Profile(profile::info(work)?)),
        Command::CheckPhrase(phrase) => profile::check_phrase(work, &phrase),
        Command::MakeLink { usage, expires_in_ms } => links::make(work, usage, expires_in_ms),
        Command::Links => Ok(Reply::Links(links::list(work)?)),
        Command::RevokeLink(link) => links::revoke(work, link),
        Command::AddContact { link } => contacts::add(work, &link),
        Command::Contacts => Ok(Reply::Contacts(contacts::list(work)?)),
        Command::SafetyNumber(contact) => contacts::safety_number(work, contact),
        Command::SetVerification { contact, verification } => {
            contacts::set_verification(work, contact, verification)
        }
        Command::Chats => Ok(Reply::Chats(chats::list(work)?)),
        Command::SendText { chat, text } => messages::send_text(work, chat, &text),
        Command::SendFile { chat, path, media_type } => files::send(work, chat, &path, &media_type),
        Command::Messages { chat, from, count_max } => {
            Ok(Reply::Messages(messages::list(work, chat, from, count_max)?))
        }
        Command::MarkRead { chat, upto } => done(chats::mark_read(work, chat, upto)),
        Command::Retry { chat, message } => messages::retry(work, chat, message),
        Command::Download { chat, message, path } => files::fetch(work, chat, message, &path),
        command => with_group(work, command),
    }
}

fn with_group(work: &mut Work<'_>, command: Command) -> Result<Reply, CommandError> {
    match command {
        Command::GroupNew { name } => groups::new(work, &name),
        Command::GroupAdd { chat, contact } => done(groups::add(work, chat, contact)),
        Command::GroupRemove { chat, member } => done(groups::remove(work, chat, &member)),
        Command::GroupLeave(chat) => done(groups::leave(work, chat)),
        Command::GroupMembers(chat) => Ok(Reply::Members(groups::members(work, chat)?)),
        Command::DeviceLink => linking::offer(work),
        Command::DeviceRevoke(device) => done(revoking::revoke(work, device)),
        Command::Devices => Ok(Reply::Devices(devices::list(work)?)),
        // The engine answers the rest itself.
        _ => Err(CommandError::Internal),
    }
}

fn done(result: Result<(), CommandError>) -> Result<Reply, CommandError> {
    result.map(|()| Reply::Done)
}

fn events(work: &Work<'_>, from: EventNumber, count_max: u32) -> Result<Reply, CommandError> {
    let rows_max = usize::try_from(count_max.min(EVENTS_MAX)).unwrap_or(0);
    let rows = work.tx.list_from::<EventRecord>(&[], Some(&by_number(from.0)), rows_max)?;
    Ok(Reply::Events(rows.into_iter().map(|row| row.record.0).collect()))
}
