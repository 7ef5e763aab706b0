//! `hush group`.

use std::{cell::RefCell, collections::BTreeMap};

use hushwire::{
    command::{
        ChatInfo, ChatKind, ChatNumber, ChatState, Command, CommandError, ContactInfo,
        FailureReason, GroupEdit, MemberInfo, Reply, Whose,
    },
    event::{Event, EventNumber},
};

use super::{door, say_all, settings};
use crate::{
    args::GroupCommand,
    backend::Backend,
    fault::Fault,
    record::{ChatRecord, DoneRecord, GroupCodeRecord, MemberRecord, Record, SuccessorRecord},
    session::{Session, expect_reply},
};

pub(super) async fn group<B: Backend>(
    session: &Session<'_, B>,
    command: GroupCommand,
) -> Result<(), Fault> {
    match command {
        GroupCommand::New { name } => new(session, name).await,
        GroupCommand::Add { group, contacts } => add(session, &group, &contacts).await,
        GroupCommand::Remove { group, members } => remove(session, &group, &members).await,
        GroupCommand::Leave { group } => leave(session, &group).await,
        GroupCommand::Follow { group, by } => follow(session, &group, by.as_deref()).await,
        GroupCommand::Successors { group } => {
            session.catch_up().await?;
            let chat = session.chat_named(&group).await?.number;
            let successors = session.successors(chat).await?;
            let people = session.people_in(chat).await?;
            let record = |it| Record::Successor(SuccessorRecord::new(it, &people));
            say_all(session, successors, "nobody else has formed it anew", record)
        }
        GroupCommand::Rejoin { chat } => rejoin(session, &chat).await,
        GroupCommand::Readmit { chat, member } => readmit(session, &chat, &member).await,
        GroupCommand::Members { group } => {
            session.catch_up().await?;
            let chat = session.chat_named(&group).await?.number;
            let members = session.members(chat).await?;
            let people = session.people_in(chat).await?;
            let record = |member| Record::Member(MemberRecord::new(member, &people));
            say_all(session, members, "nobody is in it", record)
        }
        GroupCommand::Code { chat } => {
            session.catch_up().await?;
            let chat = session.chat_named(&chat).await?;
            let command = Command::GroupCode(chat.number);
            let code = expect_reply!(session, command, Reply::GroupCode(code) => code)?;
            let label = session.people().await?.chat_label(&chat);
            session.say(&Record::GroupCode(GroupCodeRecord::new(&chat, label, code)))
        }
        GroupCommand::List => list(session).await,
        command @ (GroupCommand::Link { .. }
        | GroupCommand::Links { .. }
        | GroupCommand::Succeed { .. }
        | GroupCommand::Unlink { .. }
        | GroupCommand::Requests { .. }
        | GroupCommand::Approve { .. }
        | GroupCommand::Decline { .. }) => door::door(session, command).await,
        command => settings::settings(session, command).await,
    }
}

async fn list<B: Backend>(session: &Session<'_, B>) -> Result<(), Fault> {
    session.catch_up().await?;
    let mut chats = session.chats().await?;
    chats.retain(|chat| chat.kind == ChatKind::Group);
    let people = session.people().await?;
    let record = |chat| Record::Chat(ChatRecord::new(chat, &people));
    say_all(session, chats, "no group yet: `hush group new NAME` makes one", record)
}

async fn new<B: Backend>(session: &Session<'_, B>, name: String) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    let chat = expect_reply!(session, Command::GroupNew { name }, Reply::Chat(chat) => chat)?;
    let settled = settle_change(session, since, chat.number).await;
    let now = session.chats().await?.into_iter().find(|now| now.number == chat.number);
    let people = session.people().await?;
    let said = session.say(&Record::Chat(ChatRecord::new(now.unwrap_or(chat), &people)));
    settled.and(said)
}

async fn add<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    contacts: &[String],
) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?;
    if chat.kind == ChatKind::Direct {
        return Err(CommandError::WrongChatKind.into());
    }
    let chat = chat.number;
    let people = to_add(session, chat, contacts).await?;
    let since = session.next_event_number().await?;
    let contacts = people.iter().map(|contact| contact.number).collect();
    session.perform(Command::GroupAddAll { chat, contacts }).await?;
    let failed = RefCell::new(BTreeMap::new());
    let settled = session
        .settle(since, |event| match event {
            Event::AdditionFailed { chat: there, member, reason } if *there == chat => {
                failed.borrow_mut().insert(member.clone(), *reason);
                None
            }
            Event::GroupChangeFailed { chat: there, reason } if *there == chat => Some(*reason),
            _ => None,
        })
        .await;
    let outcome = settled.and_then(|()| first_failure(&failed.borrow()));
    let added = who_is_added(session, chat, people, &failed.into_inner(), &outcome).await?;
    let known = session.people().await?;
    added.into_iter().try_for_each(|contact| {
        session.done(DoneRecord {
            done: "member_added",
            chat: Some(chat.0),
            contact: Some(contact.number.0),
            words: format!("{} is added", known.label(&contact.name, &contact.fingerprint)),
            ..DoneRecord::default()
        })
    })?;
    outcome
}

/// Why people were not added, by their fingerprints.
type Failures = BTreeMap<String, FailureReason>;

fn first_failure(failed: &Failures) -> Result<(), Fault> {
    failed.values().next().map_or(Ok(()), |reason| Err(Fault::Refused(*reason)))
}

/// Those who are in the group now; each of the others who failed is told of. When some are waited for
/// no longer, who is in is seen among the members.
async fn who_is_added<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    people: Vec<ContactInfo>,
    failed: &Failures,
    outcome: &Result<(), Fault>,
) -> Result<Vec<ContactInfo>, Fault> {
    if outcome.is_ok() {
        return Ok(people);
    }
    let known = session.people().await?;
    for contact in &people {
        if let Some(reason) = failed.get(&contact.fingerprint) {
            let label = known.label(&contact.name, &contact.fingerprint);
            session.note(&format!("{label} is not added: {reason}"));
        }
    }
    let members = session.members(chat).await?;
    let is_in = |it: &ContactInfo| members.iter().any(|one| one.fingerprint == it.fingerprint);
    Ok(people.into_iter().filter(is_in).collect())
}

/// The contacts that these names name and that are not in the group yet, each once. All are looked up
/// before anybody is added.
async fn to_add<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    names: &[String],
) -> Result<Vec<ContactInfo>, Fault> {
    let mut people: Vec<ContactInfo> = Vec::with_capacity(names.len());
    for name in names {
        let contact = session.contact_named(name).await?;
        if people.iter().all(|one| one.number != contact.number) {
            people.push(contact);
        }
    }
    let members = session.members(chat).await?;
    let is_in = |it: &ContactInfo| members.iter().any(|one| one.fingerprint == it.fingerprint);
    let (present, missing): (Vec<_>, Vec<_>) = people.into_iter().partition(is_in);
    let known = session.people_in(chat).await?;
    let label = |contact: &ContactInfo| known.label(&contact.name, &contact.fingerprint);
    let labels: Vec<String> = present.iter().map(label).collect();
    match (labels.as_slice(), missing.as_slice()) {
        ([], _) => Ok(missing),
        (_, []) => Err(Fault::InGroupAlready(labels.join(", "))),
        _ => {
            session.note(&format!("in the group already: {}", labels.join(", ")));
            Ok(missing)
        }
    }
}

async fn remove<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    names: &[String],
) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?.number;
    let mut members: Vec<MemberInfo> = Vec::with_capacity(names.len());
    for name in names {
        let member = session.member_named(chat, name).await?;
        if member.whose == Whose::Mine {
            return Err(Fault::Oneself);
        }
        if members.iter().all(|one| one.fingerprint != member.fingerprint) {
            members.push(member);
        }
    }
    let known = session.people_in(chat).await?;
    let since = session.next_event_number().await?;
    let remove = members.iter().map(|member| member.fingerprint.clone()).collect();
    let change = GroupEdit { remove, ..GroupEdit::default() }.into();
    session.perform(Command::ChangeGroup { chat, change }).await?;
    settle_change(session, since, chat).await?;
    members.into_iter().try_for_each(|member| {
        session.done(DoneRecord {
            done: "member_removed",
            chat: Some(chat.0),
            words: format!("{} is removed", known.label(&member.name, &member.fingerprint)),
            fingerprint: Some(member.fingerprint),
            ..DoneRecord::default()
        })
    })
}

async fn leave<B: Backend>(session: &Session<'_, B>, group: &str) -> Result<(), Fault> {
    // Another member may have removed this one meanwhile.
    session.catch_up().await?;
    let chat = session.chat_named(group).await?;
    let label = session.people().await?.chat_label(&chat);
    let is_out = |chat: &ChatInfo| {
        matches!(chat.state, ChatState::Left | ChatState::Removed | ChatState::Dissolved)
    };
    let words = if is_out(&chat) {
        format!("you are not in {label} any more")
    } else {
        let since = session.next_event_number().await?;
        session.perform(Command::GroupLeave(chat.number)).await?;
        match settle_change(session, since, chat.number).await {
            // Somebody was quicker.
            Err(Fault::Refused(FailureReason::NotAMember | FailureReason::Dissolved)) => {}
            Err(waiting @ Fault::StillWaiting { .. }) => {
                let now = session.chats().await?.into_iter().find(|it| it.number == chat.number);
                if now.is_none_or(|now| now.state != ChatState::Removed) {
                    return Err(waiting);
                }
            }
            settled => settled?,
        }
        format!("you left {label}; the others see it when one of them is online")
    };
    session.done(DoneRecord {
        done: "group_left",
        chat: Some(chat.number.0),
        words,
        ..DoneRecord::default()
    })
}

async fn follow<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    by: Option<&str>,
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(group).await?;
    // They may be no members of the group as it is now.
    let by = match by {
        Some(by) => Some(session.successor_named(chat.number, by).await?.by),
        None => None,
    };
    let command = Command::GroupFollow { chat: chat.number, by };
    let words =
        |label: &str| format!("{label} goes on when a device of the new group has let you in");
    ask(session, &chat, command, "group_followed", words).await
}

async fn rejoin<B: Backend>(session: &Session<'_, B>, chat: &str) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(chat).await?;
    let words = |label: &str| {
        format!("members of {label} are asked; it goes on when one of them is online")
    };
    ask(session, &chat, Command::Rejoin(chat.number), "rejoin_asked", words).await
}

/// Does what a person asks of a chat, and says so when it is under way.
async fn ask<B: Backend>(
    session: &Session<'_, B>,
    chat: &ChatInfo,
    command: Command,
    done: &'static str,
    words: impl Fn(&str) -> String,
) -> Result<(), Fault> {
    let label = session.people().await?.chat_label(chat);
    let since = session.next_event_number().await?;
    session.perform(command).await?;
    settle_change(session, since, chat.number).await?;
    session.done(DoneRecord {
        done,
        chat: Some(chat.number.0),
        words: words(&label),
        ..DoneRecord::default()
    })
}

async fn readmit<B: Backend>(
    session: &Session<'_, B>,
    chat: &str,
    member: &str,
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(chat).await?.number;
    let member = session.member_named(chat, member).await?;
    let fingerprint = member.fingerprint.clone();
    let label = session.people_in(chat).await?.label(&member.name, &fingerprint);
    let since = session.next_event_number().await?;
    session.perform(Command::Readmit { chat, member: fingerprint.clone() }).await?;
    settle_change(session, since, chat).await?;
    session.done(DoneRecord {
        done: "member_readmitted",
        chat: Some(chat.0),
        fingerprint: Some(fingerprint),
        words: format!("{label} is added again"),
        ..DoneRecord::default()
    })
}

/// Waits until a change of a chat is done, or will not be.
pub(super) async fn settle_change<B: Backend>(
    session: &Session<'_, B>,
    since: EventNumber,
    chat: ChatNumber,
) -> Result<(), Fault> {
    session
        .settle(since, |event| match event {
            Event::GroupChangeFailed { chat: changed, reason } if *changed == chat => Some(*reason),
            _ => None,
        })
        .await
}
