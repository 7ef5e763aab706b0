//! Ways into a group beside a contact's word, and out of one that goes on elsewhere: links of groups and
//! who asks by them, groups formed anew.

use hushwire_engine::command::{
    ChatNumber, ChatState, Command, GroupLinkTerms, LinkAdmission, LinkState, Reply, RequestAnswer,
    RequestNumber, SecretText,
};

use super::pick;
use crate::world::{Happening, World};

/// Of so many requests, one is declined.
const DECLINES: u64 = 4;
/// Of so many groups formed anew, one leaves somebody out.
const LEAVES_OUT: u32 = 4;

impl World {
    /// Makes a link of a group, and promises it to somebody.
    pub(super) fn link_group(
        &mut self,
        client: usize,
        which: u32,
        how: u32,
    ) -> Option<&'static str> {
        let group = self.a_group(client, which)?;
        let devices: Vec<usize> = self.devices_in().into_iter().collect();
        let guest = *pick(&devices, how / 8)?;
        if self.clients[guest].person == self.clients[client].person {
            return None;
        }
        let admission =
            if how.is_multiple_of(2) { LinkAdmission::Open } else { LinkAdmission::Approval };
        let uses = [None, Some(1), Some(2)];
        let uses = pick(&uses, how).copied().flatten();
        let terms = GroupLinkTerms { admission, uses, expires_in_ms: None };
        let make = Command::GroupLinkMake { chat: group.number, terms };
        let Some(Ok(Reply::GroupLink(link))) = self.ask(client, make) else { return None };
        self.note(|| format!("device {client} makes a link of {} for {guest}", group.name));
        self.invited.insert((client, group.number, link.number), guest);
        Some("make a link of a group")
    }

    /// Revokes a link of a group.
    pub(super) fn unlink_group(
        &mut self,
        client: usize,
        which: u32,
        how: u32,
    ) -> Option<&'static str> {
        let chat = self.a_group(client, which)?.number;
        let Some(Reply::GroupLinks(links)) = self.look(client, Command::GroupLinks(chat)) else {
            return None;
        };
        let link = pick(&links, how)?.number;
        self.done(client, Command::GroupLinkRevoke { chat, link }, "revoke a link of a group")
    }

    /// Gives the links of a group to whom they were promised, once they can be used.
    pub(crate) fn give_group_links(&mut self, client: usize, chat: ChatNumber) {
        let Some(Reply::GroupLinks(links)) = self.look(client, Command::GroupLinks(chat)) else {
            return;
        };
        for link in links {
            let active = matches!(link.state, LinkState::Active);
            let promise = (client, chat, link.number);
            if active && let Some(guest) = self.invited.remove(&promise) {
                let at = self.now.plus_ms(self.clients[guest].dice.between(100, 30_000));
                self.agenda.put(at, Happening::Knocks { client: guest, link: link.text });
            }
        }
    }

    /// Asks to be let into a group.
    pub(crate) fn knock(&mut self, client: usize, link: SecretText) {
        let again = Happening::Knocks { client, link: link.clone() };
        self.note(|| format!("device {client} asks to be let in"));
        self.insist(client, Command::GroupJoin { link }, again);
    }

    /// Somebody asks to be let in: a person answers after a while.
    pub(crate) fn hear_knock(&mut self, client: usize, chat: ChatNumber, request: RequestNumber) {
        let at = self.now.plus_ms(self.clients[client].dice.between(1_000, 60_000));
        let answer = match self.clients[client].dice.below(DECLINES) {
            0 => RequestAnswer::Decline,
            _ => RequestAnswer::Approve,
        };
        self.agenda.put(at, Happening::Answers { client, chat, request, answer });
    }

    pub(crate) fn answer_knock(
        &mut self,
        client: usize,
        chat: ChatNumber,
        request: RequestNumber,
        answer: RequestAnswer,
    ) {
        let again = Happening::Answers { client, chat, request, answer };
        let command = Command::GroupAnswer { chat, request, answer };
        self.note(|| format!("device {client}: {command:?}"));
        match answer {
            RequestAnswer::Approve => self.counts_as_added(client, chat, request),
            RequestAnswer::Decline => self.declined = true,
        }
        self.insist(client, command, again);
    }

    /// Who was out is in again by a member's word.
    fn counts_as_added(&mut self, client: usize, chat: ChatNumber, request: RequestNumber) {
        let Some(Reply::GroupRequests(requests)) = self.look(client, Command::GroupRequests(chat))
        else {
            return;
        };
        let Some(asked) = requests.into_iter().find(|asked| asked.number == request) else {
            return;
        };
        if let Some(key) = self.key_of(client, chat) {
            *self.ledger.additions.entry((key, asked.fingerprint)).or_default() += 2;
        }
    }

    /// Forms a group anew, perhaps without somebody.
    pub(super) fn succeed(&mut self, client: usize, which: u32, how: u32) -> Option<&'static str> {
        let wanted = |state| matches!(state, ChatState::Open | ChatState::Stuck);
        let groups = self.groups_of(client, wanted);
        let chat = pick(&groups, which)?.clone();
        let key = self.key(client, &chat)?;
        let Some(Reply::Members(members)) = self.look(client, Command::GroupMembers(chat.number))
        else {
            return None;
        };
        let without: Vec<String> = if how.is_multiple_of(LEAVES_OUT) {
            pick(&members, how / LEAVES_OUT).map(|member| member.fingerprint.clone())
        } else {
            None
        }
        .into_iter()
        .collect();
        let command = Command::GroupSucceed { chat: chat.number, without: without.clone() };
        let done = self.done(client, command, "form a group anew");
        if done.is_some() {
            self.ledger.view(client, &key).removed.extend(without);
        }
        done
    }

    /// Goes along with an admin who formed a group anew.
    pub(super) fn follow(&mut self, client: usize, which: u32) -> Option<&'static str> {
        let groups =
            self.groups_of(client, |state| matches!(state, ChatState::Open | ChatState::Stuck));
        let chat = pick(&groups, which)?.number;
        self.done(client, Command::GroupFollow { chat, by: None }, "follow an admin")
    }
}
