//! Which function does which command.

use crate::{
    asking, changing, chats,
    command::{Command, CommandError, GroupEdit, Mentioned, Reply},
    contacts, devices, door,
    event::EventNumber,
    files, groups, leaving, linking, links, messages, pins, profile, readmission,
    record::by_number,
    refreshing, rejoin, revoking, succession,
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
        Command::DeviceLinkConfirm(comparison) if work.identity()?.is_none() => {
            linking::confirm(work, comparison)
        }
        // Everything else needs an identity.
        command => {
            // spec: IDN-070
            if profile::require(work)?.revoked && !leaves_alone(&command) {
                return Err(CommandError::DeviceRevoked);
            }
            with_identity(work, command)
        }
    }
}

/// Whether a command leaves the identity and its chats as they are.
const fn leaves_alone(command: &Command) -> bool {
    command.only_reads() || matches!(command, Command::MarkRead { .. } | Command::Download { .. })
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
        Command::SendText { chat, text } => {
            messages::send_text(work, chat, &text, Mentioned::Nobody)
        }
        Command::MentionAll { chat, text } => {
            messages::send_text(work, chat, &text, Mentioned::All)
        }
        Command::SendFile { chat, path, media_type } => files::send(work, chat, &path, &media_type),
        Command::Messages { chat, from, count_max } => {
            Ok(Reply::Messages(messages::list(work, chat, from, count_max)?))
        }
        Command::MarkRead { chat, upto } => done(chats::mark_read(work, chat, upto)),
        Command::SetPinned { chat, message, pinned } => {
            done(pins::set(work, chat, message, pinned))
        }
        Command::Retry { chat, message } => messages::retry(work, chat, message),
        Command::Download { chat, message, path } => files::fetch(work, chat, message, &path),
        command => with_group(work, command),
    }
}

fn with_group(work: &mut Work<'_>, command: Command) -> Result<Reply, CommandError> {
    match command {
        Command::GroupNew { name } => groups::new(work, &name),
        Command::GroupAdd { chat, contact } => done(groups::add(work, chat, &[contact])),
        Command::GroupAddAll { chat, contacts } => done(groups::add(work, chat, &contacts)),
        Command::GroupRemove { chat, member } => {
            let edit = GroupEdit { remove: vec![member], ..GroupEdit::default() };
            done(changing::change(work, chat, edit.into()))
        }
        Command::ChangeGroup { chat, change } => done(changing::change(work, chat, change)),
        Command::GroupLeave(chat) => done(leaving::leave(work, chat)),
        Command::GroupSucceed { chat, without } => succession::begin(work, chat, &without),
        Command::GroupFollow { chat, by } => succession::follow(work, chat, by.as_deref()),
        Command::GroupJoin { link } => asking::ask(work, &link),
        Command::GroupLinkMake { chat, terms } => door::links::make(work, chat, terms),
        Command::GroupLinks(chat) => Ok(Reply::GroupLinks(door::links::list(work, chat)?)),
        Command::GroupLinkRevoke { chat, link } => door::links::revoke(work, chat, link),
        Command::GroupRequests(chat) => Ok(Reply::GroupRequests(door::requests::list(work, chat)?)),
        Command::GroupAnswer { chat, request, answer } => {
            door::requests::answer(work, chat, request, answer)
        }
        Command::Rejoin(chat) => done(rejoin::ask(work, chat)),
        Command::Readmit { chat, member } => done(readmission::confirm(work, chat, &member)),
        Command::GroupMembers(chat) => Ok(Reply::Members(groups::members(work, chat)?)),
        Command::GroupSuccessors(chat) => Ok(Reply::Successors(succession::list(work, chat)?)),
        Command::GroupInfo(chat) => Ok(Reply::Group(changing::info(work, chat)?)),
        Command::GroupCode(chat) => Ok(Reply::GroupCode(groups::code(work, chat)?)),
        Command::DeviceLink => linking::offer(work),
        Command::DeviceLinkConfirm(comparison) => linking::confirm(work, comparison),
        Command::DeviceRevoke(device) => done(revoking::revoke(work, device)),
        Command::RefreshKeys => done(refreshing::ask(work)),
        Command::Devices => Ok(Reply::Devices(devices::list(work)?)),
        // The engine answers the rest itself.
        _ => Err(CommandError::Internal),
    }
}

fn done(result: Result<(), CommandError>) -> Result<Reply, CommandError> {
    result.map(|()| Reply::Done)
}

fn events(work: &Work<'_>, from: EventNumber, count_max: u32) -> Result<Reply, CommandError> {
    // spec: CLI-107
    let oldest = work.oldest_event()?;
    if from.0.max(1) < oldest.0 {
        return Err(CommandError::EventsGone { oldest });
    }
    let rows_max = usize::try_from(count_max.min(EVENTS_MAX)).unwrap_or(0);
    let rows = work.tx.list_from::<EventRecord>(&[], Some(&by_number(from.0)), rows_max)?;
    Ok(Reply::Events(rows.into_iter().map(|row| row.record.0).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::ChatNumber,
        event::Event,
        work::{EVENTS_KEPT_MAX, trial::with_work},
    };

    #[test]
    fn the_newest_events_are_kept_and_who_asks_for_others_is_told_which() {
        // spec: CLI-020, CLI-107
        with_work(|work| {
            let first = |work: &mut Work<'_>, from| {
                let command = Command::Events { from: EventNumber(from), count_max: 1 };
                dispatch(work, command).map(|reply| match reply {
                    Reply::Events(events) => events.first().map(|event| event.number.0),
                    _ => None,
                })
            };
            assert_eq!(first(work, 0), Ok(None));
            for _ in 0..EVENTS_KEPT_MAX {
                work.event(Event::ChatChanged(ChatNumber(1))).unwrap();
            }
            assert_eq!(first(work, 0), Ok(Some(1)));
            assert_eq!(first(work, 1), Ok(Some(1)));
            for _ in 0..3 {
                work.event(Event::ChatChanged(ChatNumber(1))).unwrap();
            }
            let gone = CommandError::EventsGone { oldest: EventNumber(4) };
            for from in 0..4 {
                assert_eq!(first(work, from), Err(gone));
            }
            assert_eq!(first(work, 4), Ok(Some(4)));
            assert_eq!(first(work, EVENTS_KEPT_MAX + 4), Ok(None));
            let kept = work.tx.list::<EventRecord>(&[], usize::MAX).unwrap();
            assert_eq!(kept.len() as u64, EVENTS_KEPT_MAX);
        });
    }
}
