//! What people do with a group beside talking: its settings, rights and roles, its end; pins, new keys.

use hushwire_engine::command::{
    ChatInfo, ChatState, Command, GroupChange, GroupEdit, GroupRight, MemberRole, MessageInfo,
    MessageState, Pinned, Reply, RightGrant, RoleGrant,
};

use super::pick;
use crate::{
    plan::Deed,
    world::{NEEDLE, World},
};

const ROLES: [MemberRole; 3] = [MemberRole::Member, MemberRole::Admin, MemberRole::Owner];

impl World {
    /// Changes something of a group that the device is in.
    pub(super) fn change_group(
        &mut self,
        deed: Deed,
        client: usize,
        which: u32,
        how: u32,
    ) -> Option<&'static str> {
        let group = self.a_group(client, which)?;
        let (change, name) = match deed {
            Deed::Describe => (self.other_words(how), "describe"),
            Deed::GrantRole => (self.other_role(client, &group, how)?, "change a role"),
            Deed::GrantRight => (other_right(how), "change a right"),
            _ => (GroupChange::Dissolve, "dissolve"),
        };
        self.done(client, Command::ChangeGroup { chat: group.number, change }, name)
    }

    fn other_words(&self, how: u32) -> GroupChange {
        let words = Some(format!("{NEEDLE} words {}", self.tally.steps));
        let edit = match how % 3 {
            0 => GroupEdit { name: words, ..GroupEdit::default() },
            1 => GroupEdit { description: words, ..GroupEdit::default() },
            _ => GroupEdit { name: words.clone(), description: words, ..GroupEdit::default() },
        };
        edit.into()
    }

    fn other_role(&mut self, client: usize, group: &ChatInfo, how: u32) -> Option<GroupChange> {
        let Some(Reply::Members(members)) = self.look(client, Command::GroupMembers(group.number))
        else {
            return None;
        };
        let member = pick(&members, how / 3)?.fingerprint.clone();
        let role = *pick(&ROLES, how)?;
        let roles = vec![RoleGrant { member, role }];
        Some(GroupEdit { roles, ..GroupEdit::default() }.into())
    }

    /// Pins a message, or takes a pin away.
    pub(super) fn pin(&mut self, client: usize, which: u32) -> Option<&'static str> {
        let stored = |info: &MessageInfo| {
            !matches!(info.state, MessageState::Pending | MessageState::Failed(_))
        };
        let messages = self.messages_of(client, stored);
        let info = pick(&messages, which)?;
        let pinned = match info.pinned {
            Pinned::Yes => Pinned::No,
            Pinned::No => Pinned::Yes,
        };
        let command = Command::SetPinned { chat: info.chat, message: info.number, pinned };
        self.done(client, command, "pin")
    }

    /// Asks again to be added to a chat in which the device is stuck.
    pub(super) fn rejoin(&mut self, client: usize, which: u32) -> Option<&'static str> {
        let stuck = self.chats_of(client, |chat| chat.state == ChatState::Stuck);
        let chat = pick(&stuck, which)?.number;
        self.done(client, Command::Rejoin(chat), "ask to be added again")
    }

    /// Asks for new keys everywhere.
    pub(super) fn refresh(&mut self, client: usize) -> Option<&'static str> {
        let done = self.done(client, Command::RefreshKeys, "ask for new keys");
        if done.is_some() {
            self.drew_keys.insert(client);
        }
        done
    }
}

fn other_right(how: u32) -> GroupChange {
    let right = pick(&GroupRight::ALL, how).copied().unwrap_or(GroupRight::Write);
    let least = pick(&ROLES, how / 16).copied().unwrap_or(MemberRole::Member);
    GroupEdit { rights: vec![RightGrant { right, least }], ..GroupEdit::default() }.into()
}
