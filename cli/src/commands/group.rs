//! `hush group`.

use hushwire::{
    command::{ChatKind, ChatNumber, Command, MemberInfo, Reply},
    event::{Event, EventNumber},
};

use super::say_all;
use crate::{
    args::GroupCommand,
    backend::Backend,
    fault::Fault,
    names::{Candidate, NameError, Noun, resolve},
    record::{ChatRecord, DoneRecord, MemberRecord, Record},
    session::{Session, expect_reply},
};

pub(super) async fn group<B: Backend>(
    session: &Session<'_, B>,
    command: GroupCommand,
) -> Result<(), Fault> {
    match command {
        GroupCommand::New { name } => new(session, name).await,
        GroupCommand::Add { group, contacts } => add(session, &group, &contacts).await,
        GroupCommand::Remove { group, member } => remove(session, &group, &member).await,
        GroupCommand::Leave { group } => leave(session, &group).await,
        GroupCommand::Members { group } => {
            session.catch_up().await?;
            let chat = session.chat_named(&group).await?.number;
            let members = session.members(chat).await?;
            let people = session.people_in(chat).await?;
            let record = |member| Record::Member(MemberRecord::new(member, &people));
            say_all(session, members, "nobody is in it", record)
        }
        GroupCommand::List => {
            session.catch_up().await?;
            let mut chats = session.chats().await?;
            chats.retain(|chat| chat.kind == ChatKind::Group);
            let people = session.people().await?;
            let record = |chat| Record::Chat(ChatRecord::new(chat, &people));
            say_all(session, chats, "no group yet: `hush group new NAME` makes one", record)
        }
    }
}

async fn new<B: Backend>(session: &Session<'_, B>, name: String) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    let chat = expect_reply!(session, Command::GroupNew { name }, Reply::Chat(chat) => chat)?;
    let settled = settle_change(session, since, chat.number).await;
    let now = session.chats().await?.into_iter().find(|now| now.number == chat.number);
    let people = session.people().await?;
    session.say(&Record::Chat(ChatRecord::new(now.unwrap_or(chat), &people)))?;
    settled
}

async fn add<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    contacts: &[String],
) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?.number;
    let mut people = Vec::with_capacity(contacts.len());
    // All names are looked up before anybody is added.
    for contact in contacts {
        people.push(session.contact_named(contact).await?);
    }
    let since = session.next_event_number().await?;
    for contact in &people {
        session.perform(Command::GroupAdd { chat, contact: contact.number }).await?;
    }
    settle_change(session, since, chat).await?;
    let known = session.people().await?;
    people.into_iter().try_for_each(|contact| {
        session.done(DoneRecord {
            done: "member_added",
            chat: Some(chat.0),
            contact: Some(contact.number.0),
            words: format!("{} is added", known.label(&contact.name, &contact.fingerprint)),
            ..DoneRecord::default()
        })
    })
}

async fn remove<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    member: &str,
) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?.number;
    let member = member_named(&session.members(chat).await?, member)?;
    let since = session.next_event_number().await?;
    let fingerprint = member.fingerprint.clone();
    let label = session.people_in(chat).await?.label(&member.name, &fingerprint);
    session.perform(Command::GroupRemove { chat, member: fingerprint.clone() }).await?;
    settle_change(session, since, chat).await?;
    session.done(DoneRecord {
        done: "member_removed",
        chat: Some(chat.0),
        fingerprint: Some(fingerprint),
        words: format!("{label} is removed"),
        ..DoneRecord::default()
    })
}

/// The member with this whole fingerprint, or with a name that begins so. Members have no numbers;
/// their place in the list serves for the choice only.
fn member_named(members: &[MemberInfo], query: &str) -> Result<MemberInfo, Fault> {
    let exact = members.iter().find(|member| member.fingerprint.eq_ignore_ascii_case(query));
    if let Some(member) = exact {
        return Ok(member.clone());
    }
    let no_match = || NameError::NoMatch { noun: Noun::Member, query: query.to_owned() };
    if query.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(no_match().into());
    }
    let candidates: Vec<Candidate> = (1..)
        .zip(members)
        .map(|(number, member)| Candidate { number, name: member.name.clone() })
        .collect();
    let number = resolve(query, Noun::Member, &candidates)?;
    let found = (1..).zip(members).find(|(place, _)| *place == number);
    found.map(|(_, member)| member.clone()).ok_or_else(|| no_match().into())
}

async fn leave<B: Backend>(session: &Session<'_, B>, group: &str) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?;
    let since = session.next_event_number().await?;
    session.perform(Command::GroupLeave(chat.number)).await?;
    settle_change(session, since, chat.number).await?;
    session.done(DoneRecord {
        done: "group_left",
        chat: Some(chat.number.0),
        words: format!(
            "you left {}; the others see it when one of them is online",
            session.people().await?.chat_label(&chat)
        ),
        ..DoneRecord::default()
    })
}

async fn settle_change<B: Backend>(
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
