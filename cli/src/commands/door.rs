//! `hush join`, and what `hush group` says of links and of who asks to be let in.

use core::time::Duration;

use hushwire::{
    command::{
        ChatInfo, ChatNumber, ChatState, Command, CommandError, GroupLinkNumber, GroupLinkTerms,
        LinkAdmission, Reply, RequestAnswer, RequestNumber, SecretText,
    },
    event::{Event, EventNumber},
};

use super::{group::settle_change, say_all};
use crate::{
    args::GroupCommand,
    backend::Backend,
    fault::Fault,
    record::{ChatRecord, DoneRecord, GroupLinkRecord, Record, RequestRecord, Showing},
    session::{Session, expect_reply},
};

/// What concerns links of a group and requests to be let in.
pub(super) async fn door<B: Backend>(
    session: &Session<'_, B>,
    command: GroupCommand,
) -> Result<(), Fault> {
    match command {
        GroupCommand::Link { group, uses, expires, approval } => {
            let admission = if approval { LinkAdmission::Approval } else { LinkAdmission::Open };
            let milliseconds =
                |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            let expires_in_ms = expires.map(milliseconds);
            make(session, &group, GroupLinkTerms { admission, uses, expires_in_ms }).await
        }
        GroupCommand::Succeed { group, without, yes: _ } => {
            succeed(session, &group, &without).await
        }
        GroupCommand::Links { group } => links(session, &group).await,
        GroupCommand::Unlink { group, link } => unlink(session, &group, link).await,
        GroupCommand::Requests { group } => requests(session, &group).await,
        GroupCommand::Approve { group, request } => {
            answer(session, &group, request, RequestAnswer::Approve).await
        }
        GroupCommand::Decline { group, request } => {
            answer(session, &group, request, RequestAnswer::Decline).await
        }
        // The others are not of the door.
        _ => Ok(()),
    }
}

/// Asks to be let into a group.
pub(super) async fn join<B: Backend>(session: &Session<'_, B>, link: String) -> Result<(), Fault> {
    let link = match link.as_str() {
        "-" => session.console.ask("Group link: ")?,
        _ => SecretText::new(link),
    };
    let link = SecretText::new(link.expose().trim().to_owned());
    let since = session.next_event_number().await?;
    let chat = expect_reply!(session, Command::GroupJoin { link }, Reply::Chat(chat) => chat)?;
    let number = chat.number;
    let settled = session
        .settle(since, |event| match event {
            Event::JoinFailed { chat, reason } if *chat == number => Some(*reason),
            _ => None,
        })
        .await;
    let now = session.chats().await?.into_iter().find(|chat| chat.number == number);
    let now = now.unwrap_or(chat);
    let people = session.people().await?;
    if now.state == ChatState::Asked && settled.is_ok() {
        session.note("you have asked; you are in when a device of the group has let you in");
    }
    let said = session.say(&Record::Chat(ChatRecord::new(now, &people)));
    settled.and(said)
}

async fn make<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    terms: GroupLinkTerms,
) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?.number;
    show_made(session, chat, Command::GroupLinkMake { chat, terms }).await
}

/// Forms a group anew; its link is for those who hear of it by no other way.
async fn succeed<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    without: &[String],
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(group).await?.number;
    let mut left_out = Vec::new();
    for member in without {
        left_out.push(session.member_named(chat, member).await?.fingerprint);
    }
    let command = Command::GroupSucceed { chat, without: left_out };
    show_made(session, chat, command).await?;
    session.note(
        "the group is formed anew; who was in it comes along when one of your devices is online",
    );
    Ok(())
}

async fn show_made<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    command: Command,
) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    let link = expect_reply!(session, command, Reply::GroupLink(link) => link)?;
    let settled = settle_change(session, since, chat).await;
    let number = link.number;
    let all = expect_reply!(session, Command::GroupLinks(chat), Reply::GroupLinks(all) => all)?;
    let now = all.into_iter().find(|link| link.number == number).unwrap_or(link);
    let said = session.say(&Record::GroupLink(GroupLinkRecord::new(now, Showing::WithQr)));
    settled.and(said)
}

async fn links<B: Backend>(session: &Session<'_, B>, group: &str) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(group).await?.number;
    let all = expect_reply!(session, Command::GroupLinks(chat), Reply::GroupLinks(all) => all)?;
    let record = |link| Record::GroupLink(GroupLinkRecord::new(link, Showing::InList));
    say_all(session, all, "no link yet: `hush group link GROUP` makes one", record)
}

async fn unlink<B: Backend>(session: &Session<'_, B>, group: &str, link: u64) -> Result<(), Fault> {
    // Another member may have made it just now.
    session.catch_up().await?;
    let chat = session.chat_named(group).await?.number;
    let since = session.next_event_number().await?;
    let command = Command::GroupLinkRevoke { chat, link: GroupLinkNumber(link) };
    session.perform(command).await?;
    settle_change(session, since, chat).await?;
    session.done(DoneRecord {
        done: "group_link_revoked",
        chat: Some(chat.0),
        link: Some(link),
        words: format!("link {link} of the group is revoked"),
        ..DoneRecord::default()
    })
}

async fn requests<B: Backend>(session: &Session<'_, B>, group: &str) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(group).await?.number;
    let command = Command::GroupRequests(chat);
    let all = expect_reply!(session, command, Reply::GroupRequests(all) => all)?;
    let people = session.people_in(chat).await?;
    let record = |request| Record::JoinRequest(RequestRecord::new(request, &people));
    say_all(session, all, "nobody asks to be let in", record)
}

async fn answer<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    request: u64,
    answer: RequestAnswer,
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat: ChatInfo = session.chat_named(group).await?;
    let asker = asker(session, chat.number, request).await?;
    let chat = chat.number;
    let since: EventNumber = session.next_event_number().await?;
    let command = Command::GroupAnswer { chat, request: RequestNumber(request), answer };
    session.perform(command).await?;
    session
        .settle(since, |event| match event {
            Event::AdditionFailed { chat: there, member, reason }
                if *there == chat && *member == asker.fingerprint =>
            {
                Some(*reason)
            }
            _ => None,
        })
        .await?;
    let label = asker.label;
    let (done, words) = match answer {
        RequestAnswer::Approve => ("request_approved", format!("{label} is let in")),
        RequestAnswer::Decline => ("request_declined", format!("{label} is not let in")),
    };
    session.done(DoneRecord { done, chat: Some(chat.0), words, ..DoneRecord::default() })
}

/// The person behind a request.
struct Asker {
    label: String,
    fingerprint: String,
}

async fn asker<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    request: u64,
) -> Result<Asker, Fault> {
    let command = Command::GroupRequests(chat);
    let all = expect_reply!(session, command, Reply::GroupRequests(all) => all)?;
    let found = all.into_iter().find(|one| one.number.0 == request);
    let found = found.ok_or(CommandError::NoSuchRequest)?;
    let people = session.people_in(chat).await?;
    let label = people.label(&found.name, &found.fingerprint);
    Ok(Asker { label, fingerprint: found.fingerprint })
}
