//! `hush group`: what the members of a group agree on.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use hushwire::command::{
    ChatNumber, Command, CommandError, GroupChange, GroupEdit, GroupInfo, GroupRight, MemberRole,
    PictureChange, Reply, RightGrant, RoleGrant,
};

use super::{file, group::settle_change, message::text_or_input};
use crate::{
    args::{GroupCommand, Switch},
    backend::Backend,
    code::code_of,
    fault::Fault,
    record::{DoneRecord, GroupRecord, Record},
    session::{Session, expect_reply},
    visible,
};

/// More of a picture's file than a group takes is not read.
const PICTURE_READ_MAX: u64 = 64 * 1024;

pub(super) async fn settings<B: Backend>(
    session: &Session<'_, B>,
    command: GroupCommand,
) -> Result<(), Fault> {
    match command {
        GroupCommand::Show { group } | GroupCommand::Rights { group, right: None, .. } => {
            show(session, &group).await
        }
        GroupCommand::Rename { group, name } => {
            let edit = GroupEdit { name: Some(name), ..GroupEdit::default() };
            edited(session, &group, edit, "group_renamed", "the group has its new name").await
        }
        GroupCommand::Describe { group, text } => {
            let description = Some(text_or_input(session, text)?);
            let edit = GroupEdit { description, ..GroupEdit::default() };
            edited(session, &group, edit, "group_described", "the group is described").await
        }
        GroupCommand::Avatar { group, save: Some(path), .. } => save(session, &group, &path).await,
        GroupCommand::Avatar { group, file: Some(path), .. } => {
            let picture = Some(PictureChange::Set(read(&path)?));
            let edit = GroupEdit { picture, ..GroupEdit::default() };
            edited(session, &group, edit, "picture_set", "the group has its new picture").await
        }
        GroupCommand::Avatar { group, .. } => {
            let picture = Some(PictureChange::Remove);
            let edit = GroupEdit { picture, ..GroupEdit::default() };
            edited(session, &group, edit, "picture_removed", "the group has no picture").await
        }
        GroupCommand::Promote { group, member, owner, .. } => {
            let role = if owner { MemberRole::Owner } else { MemberRole::Admin };
            grant_role(session, &group, &member, role).await
        }
        GroupCommand::Demote { group, member, admin } => {
            let role = if admin { MemberRole::Admin } else { MemberRole::Member };
            grant_role(session, &group, &member, role).await
        }
        GroupCommand::Rights { group, right: Some(right), role } => {
            // The command line requires both.
            let least = role.map_or(MemberRole::Owner, MemberRole::from);
            grant_right(session, &group, RightGrant { right: right.into(), least }).await
        }
        GroupCommand::Announce { group, only } => {
            let least = match only {
                Switch::On => MemberRole::Admin,
                Switch::Off => MemberRole::Member,
            };
            grant_right(session, &group, RightGrant { right: GroupRight::Write, least }).await
        }
        GroupCommand::Dissolve { group, .. } => {
            let chat = session.chat_named(&group).await?.number;
            change(session, chat, GroupChange::Dissolve).await?;
            done(session, chat, "group_dissolved", "the group is dissolved for all its members")
        }
        // The others were done before.
        _ => Ok(()),
    }
}

async fn change<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    change: GroupChange,
) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    session.perform(Command::ChangeGroup { chat, change }).await?;
    settle_change(session, since, chat).await
}

fn done<B: Backend>(
    session: &Session<'_, B>,
    chat: ChatNumber,
    done: &'static str,
    words: &str,
) -> Result<(), Fault> {
    let (chat, words) = (Some(chat.0), words.to_owned());
    session.done(DoneRecord { done, chat, words, ..DoneRecord::default() })
}

async fn edited<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    edit: GroupEdit,
    code: &'static str,
    words: &str,
) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?.number;
    change(session, chat, edit.into()).await?;
    done(session, chat, code, words)
}

async fn grant_role<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    member: &str,
    role: MemberRole,
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(group).await?.number;
    let member = session.member_named(chat, member).await?;
    let label = session.people_in(chat).await?.label(&member.name, &member.fingerprint);
    let roles = vec![RoleGrant { member: member.fingerprint.clone(), role }];
    change(session, chat, GroupEdit { roles, ..GroupEdit::default() }.into()).await?;
    let role = code_of(&role);
    session.done(DoneRecord {
        done: "role_changed",
        chat: Some(chat.0),
        fingerprint: Some(member.fingerprint),
        words: format!("{label} is now: {role}"),
        role: Some(role),
        ..DoneRecord::default()
    })
}

async fn grant_right<B: Backend>(
    session: &Session<'_, B>,
    group: &str,
    grant: RightGrant,
) -> Result<(), Fault> {
    let chat = session.chat_named(group).await?.number;
    let rights = vec![grant];
    change(session, chat, GroupEdit { rights, ..GroupEdit::default() }.into()).await?;
    let (right, role) = (code_of(&grant.right), code_of(&grant.least));
    session.done(DoneRecord {
        done: "right_changed",
        chat: Some(chat.0),
        words: format!("{}: {}", right.replace('_', " "), who(grant.least)),
        right: Some(right),
        role: Some(role),
        ..DoneRecord::default()
    })
}

/// Who has a right, for a person.
pub(crate) const fn who(least: MemberRole) -> &'static str {
    match least {
        MemberRole::Owner => "owners",
        MemberRole::Admin => "owners and admins",
        MemberRole::Member => "everybody",
    }
}

async fn info<B: Backend>(session: &Session<'_, B>, chat: ChatNumber) -> Result<GroupInfo, Fault> {
    expect_reply!(session, Command::GroupInfo(chat), Reply::Group(info) => info)
}

async fn show<B: Backend>(session: &Session<'_, B>, group: &str) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(group).await?;
    let info = info(session, chat.number).await?;
    let label = session.people().await?.chat_label(&chat);
    session.say(&Record::Group(GroupRecord::new(info, label)))
}

async fn save<B: Backend>(session: &Session<'_, B>, group: &str, path: &Path) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(group).await?.number;
    let picture = info(session, chat).await?.picture.ok_or(CommandError::NotApplicable)?;
    let path = PathBuf::from(file::target(Some(path.to_owned()), "picture")?);
    let fault = |error: std::io::Error| Fault::File { path: path.clone(), kind: error.kind() };
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(fault)?;
    file.write_all(&picture.bytes).map_err(fault)?;
    // It was here: nothing waits for the network.
    session.say(&Record::Done(DoneRecord {
        done: "picture_saved",
        chat: Some(chat.0),
        words: format!("saved to {}", visible::line(&path.to_string_lossy())),
        ..DoneRecord::default()
    }))
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |error: std::io::Error| Fault::File { path: path.to_owned(), kind: error.kind() };
    let mut picture = Vec::new();
    let file = File::open(path).map_err(fault)?;
    file.take(PICTURE_READ_MAX).read_to_end(&mut picture).map_err(fault)?;
    Ok(picture)
}
