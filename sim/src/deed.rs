//! How a move is done in whatever state the world is: who does it, and to what.

mod doors;
mod settings;

use std::collections::BTreeSet;

use hushwire_engine::command::{
    ChatInfo, ChatKind, ChatState, Command, LinkUse, MessageBody, MessageInfo, MessageNumber,
    MessageState, Reply, TransferState,
};

use crate::{
    client::Standing,
    ledger::{Fate, Said},
    plan::{Deed, Move, Relays},
    relay::Edge,
    store::Fault,
    world::{NEEDLE, World},
};

/// Longest file that is sent, in bytes: several chunks of a blob.
const FILE_BYTES_MAX: u64 = 700_000;
/// A client's trouble comes within so many batches.
const BATCHES_MAX: u32 = 40;
/// How long a device reads a group that goes on elsewhere, by its clock (spec: CLI-203).
const FORMER_LIFE_MS: i64 = 30 * 86_400_000;
/// Devices of one person at most.
const DEVICES_MAX: usize = 3;

/// One of those, by a number.
fn pick<T>(all: &[T], draw: u32) -> Option<&T> {
    let count = u32::try_from(all.len()).ok().filter(|count| *count > 0)?;
    all.get((draw % count) as usize)
}

impl World {
    /// Does a move; one that means nothing now is passed over.
    pub(crate) fn act(&mut self, one: &Move) {
        let devices: Vec<usize> = self.devices_in().into_iter().collect();
        let [first, second, third] = one.draws;
        let relay = (first as usize) % self.relays_true;
        let Some(client) = pick(&devices, first).copied() else { return };
        let done = match one.deed {
            Deed::Say => self.say(client, second),
            Deed::SendFile => self.send_file(client, second, third),
            Deed::Fetch => self.fetch(client, second),
            Deed::Befriend => self.befriend(client, second, third),
            Deed::NewGroup => self.new_group(client),
            Deed::AddMember => self.add_member(client, second, third),
            Deed::RemoveMember => self.remove_member(client, second, third),
            Deed::Leave => self.leave(client, second),
            Deed::LinkDevice => self.link_device(client),
            Deed::RevokeDevice => self.revoke_device(client, second),
            Deed::MarkRead => self.mark_read(client, second),
            Deed::Retry => self.retry(client, second),
            Deed::Describe | Deed::GrantRole | Deed::GrantRight | Deed::Dissolve => {
                self.change_group(one.deed, client, second, third)
            }
            Deed::Pin => self.pin(client, second),
            Deed::Refresh => self.refresh(client),
            Deed::Rejoin => self.rejoin(client, second),
            Deed::LinkGroup => self.link_group(client, second, third),
            Deed::UnlinkGroup => self.unlink_group(client, second, third),
            Deed::Succeed => self.succeed(client, second, third),
            Deed::Follow => self.follow(client, second),
            Deed::Mischief => self.do_mischief(one.draws),
            Deed::RelayLies if self.relays_are == Relays::Honest => None,
            Deed::RelayLies => self.lie(client, relay, one.draws),
            Deed::CutLink | Deed::Partition | Deed::Slow | Deed::ClockJumps => {
                self.trouble_network(one.deed, client, second, third)
            }
            Deed::CrashClient | Deed::CrashAtBatch | Deed::DiskFails => {
                self.trouble_client(one.deed, client, second, third)
            }
            Deed::CrashRelay | Deed::RelayDiskFails => {
                self.trouble_relay(one.deed, relay, second, third)
            }
        };
        if let Some(name) = done {
            self.note(|| format!("move {one}"));
            if one.deed < Deed::Mischief {
                self.tally.deeds.count(name);
            } else {
                self.tally.faults.count(name);
            }
        }
    }

    fn done(
        &mut self,
        client: usize,
        command: Command,
        name: &'static str,
    ) -> Option<&'static str> {
        self.note(|| format!("device {client}: {command:?}"));
        let reply = self.ask(client, command);
        self.note(|| format!("device {client}: {reply:?}"));
        matches!(reply, Some(Ok(_))).then_some(name)
    }

    fn chats_of(&mut self, client: usize, wanted: impl Fn(&ChatInfo) -> bool) -> Vec<ChatInfo> {
        let mut chats = self.chats(client);
        chats.retain(wanted);
        chats.sort_by_key(|chat| chat.number);
        chats
    }

    fn say(&mut self, client: usize, chat: u32) -> Option<&'static str> {
        let writable = |chat: &ChatInfo| matches!(chat.state, ChatState::Open | ChatState::Opening);
        let chats = self.chats_of(client, writable);
        let chat = pick(&chats, chat)?.clone();
        let key = self.key(client, &chat)?;
        let channel = self.channel(client, &chat);
        self.texts += 1;
        let text = format!("{NEEDLE} {} of device {client}", self.texts);
        let without = self.without(client, &chat, &key);
        let at = self.now;
        let fate = Fate::Pending;
        let (retried, deceived, epoch) = (false, false, None);
        let said = Said { client, key, channel, at, without, fate, retried, deceived, epoch };
        // Noted first: its events come before the reply.
        self.ledger.said.insert(text.clone(), said);
        let number = chat.number;
        let reply = self.ask(client, Command::SendText { chat: number, text: text.clone() });
        match reply {
            Some(Ok(Reply::Accepted { message, .. })) => {
                self.note(|| format!("device {client} says {text:?} in {}", chat.name));
                self.ledger.places.insert((client, number, message), text);
                Some("say")
            }
            // It may have been stored before its device died: then it goes out, unobserved.
            None => {
                self.ledger.said.entry(text).and_modify(|said| said.fate = Fate::Failed);
                Some("say")
            }
            Some(_) => {
                self.ledger.said.remove(&text);
                None
            }
        }
    }

    /// Who was removed as far as this device has seen, and was to be added once at most.
    fn without(
        &mut self,
        client: usize,
        chat: &ChatInfo,
        key: &crate::ledger::ChatKey,
    ) -> BTreeSet<String> {
        if chat.kind != ChatKind::Group {
            return BTreeSet::new();
        }
        let removed = self.ledger.view(client, key).removed.clone();
        let additions = &self.ledger.additions;
        let once = |gone: &String| {
            additions.get(&(key.clone(), gone.clone())).copied().unwrap_or_default() <= 1
        };
        removed.into_iter().filter(once).collect()
    }

    fn send_file(&mut self, client: usize, chat: u32, size: u32) -> Option<&'static str> {
        let chats = self.chats_of(client, |chat| chat.state == ChatState::Open);
        let chat = pick(&chats, chat)?.number;
        let path = format!("/{NEEDLE}-{}", self.tally.steps);
        let length = u64::from(size) % FILE_BYTES_MAX;
        let content = NEEDLE.bytes().cycle().take(usize::try_from(length).ok()?).collect();
        self.clients[client].disk.files.insert(path.clone(), content);
        let media_type = "application/octet-stream".to_owned();
        self.done(client, Command::SendFile { chat, path, media_type }, "send a file")
    }

    fn fetch(&mut self, client: usize, which: u32) -> Option<&'static str> {
        let remote = |info: &MessageInfo| match &info.body {
            MessageBody::File { transfer, .. } => *transfer == TransferState::Remote,
            _ => false,
        };
        let files = self.messages_of(client, remote);
        let info = pick(&files, which)?;
        let path = format!("/fetched-{}", self.tally.steps);
        let command = Command::Download { chat: info.chat, message: info.number, path };
        self.done(client, command, "fetch a file")
    }

    fn messages_of(
        &mut self,
        client: usize,
        wanted: impl Fn(&MessageInfo) -> bool,
    ) -> Vec<MessageInfo> {
        let mut found = Vec::new();
        for chat in self.chats_of(client, |_| true) {
            let from = MessageNumber(1);
            let command = Command::Messages { chat: chat.number, from, count_max: 1_000 };
            if let Some(Reply::Messages(messages)) = self.look(client, command) {
                found.extend(messages.into_iter().filter(&wanted));
            }
        }
        found
    }

    fn befriend(&mut self, client: usize, other: u32, usage: u32) -> Option<&'static str> {
        let devices: Vec<usize> = self.devices_in().into_iter().collect();
        let other = pick(&devices, other).copied()?;
        if self.clients[other].person == self.clients[client].person {
            return None;
        }
        let usage = if usage.is_multiple_of(2) { LinkUse::Single } else { LinkUse::Lasting };
        let made = self.ask(other, Command::MakeLink { usage, expires_in_ms: None });
        let Some(Ok(Reply::Link(link))) = made else { return None };
        self.promised.insert((other, link.number), client);
        Some("befriend")
    }

    fn new_group(&mut self, client: usize) -> Option<&'static str> {
        let name = format!("{NEEDLE} group {}", self.tally.steps);
        self.done(client, Command::GroupNew { name }, "make a group")
    }

    fn a_group(&mut self, client: usize, which: u32) -> Option<ChatInfo> {
        let groups = self.groups_of(client, |state| state == ChatState::Open);
        pick(&groups, which).cloned()
    }

    fn groups_of(&mut self, client: usize, wanted: impl Fn(ChatState) -> bool) -> Vec<ChatInfo> {
        self.chats_of(client, |chat| chat.kind == ChatKind::Group && wanted(chat.state))
    }

    fn add_member(&mut self, client: usize, group: u32, whom: u32) -> Option<&'static str> {
        let group = self.a_group(client, group)?;
        let Some(Reply::Contacts(contacts)) = self.look(client, Command::Contacts) else {
            return None;
        };
        let contact = pick(&contacts, whom)?;
        let key = self.key(client, &group)?;
        let command = Command::GroupAdd { chat: group.number, contact: contact.number };
        *self.ledger.additions.entry((key, contact.fingerprint.clone())).or_default() += 1;
        self.done(client, command, "add a member")
    }

    fn remove_member(&mut self, client: usize, group: u32, whom: u32) -> Option<&'static str> {
        let group = self.a_group(client, group)?;
        let Some(Reply::Members(members)) = self.look(client, Command::GroupMembers(group.number))
        else {
            return None;
        };
        let member = pick(&members, whom)?.fingerprint.clone();
        self.done(client, Command::GroupRemove { chat: group.number, member }, "remove a member")
    }

    fn leave(&mut self, client: usize, group: u32) -> Option<&'static str> {
        let group = self.a_group(client, group)?;
        self.done(client, Command::GroupLeave(group.number), "leave")
    }

    fn link_device(&mut self, client: usize) -> Option<&'static str> {
        let person = self.clients[client].person;
        let own = self
            .clients
            .iter()
            .filter(|device| device.person == person && device.standing != Standing::Out);
        if own.count() >= DEVICES_MAX {
            return None;
        }
        let Some(Ok(Reply::DeviceCode(code))) = self.ask(client, Command::DeviceLink) else {
            return None;
        };
        let new = self.device(person, Standing::Linking);
        self.linked_by.insert(new, client);
        let device_name = format!("{NEEDLE} device {new}");
        self.done(new, Command::JoinIdentity { code, device_name }, "link a device")
    }

    fn revoke_device(&mut self, client: usize, which: u32) -> Option<&'static str> {
        let Some(Reply::Devices(devices)) = self.look(client, Command::Devices) else {
            return None;
        };
        let device = pick(&devices, which)?;
        let number = device.number;
        let name = device.name.clone();
        let done = self.done(client, Command::DeviceRevoke(number), "revoke a device");
        if done.is_some() {
            self.revoked(client, &name);
            self.drew_keys.insert(client);
        }
        done
    }

    fn mark_read(&mut self, client: usize, chat: u32) -> Option<&'static str> {
        let chats = self.chats_of(client, |chat| chat.unread > 0);
        let chat = pick(&chats, chat)?;
        let command = Command::MarkRead { chat: chat.number, upto: chat.last };
        self.done(client, command, "mark read")
    }

    fn retry(&mut self, client: usize, which: u32) -> Option<&'static str> {
        let failed = |info: &MessageInfo| matches!(info.state, MessageState::Failed(_));
        let failed = self.messages_of(client, failed);
        let info = pick(&failed, which)?;
        let (chat, message) = (info.chat, info.number);
        let done = self.done(client, Command::Retry { chat, message }, "retry");
        if done.is_some()
            && let Some(text) = self.ledger.places.get(&(client, chat, message))
            && let Some(said) = self.ledger.said.get_mut(text)
        {
            (said.retried, said.at) = (true, self.now);
            said.fate = Fate::Pending;
        }
        done
    }

    fn do_mischief(&mut self, draws: [u32; 3]) -> Option<&'static str> {
        let person = self.hostile?;
        let devices = self.devices_in();
        let own = devices.into_iter().filter(|client| self.clients[*client].person == person);
        let own: Vec<usize> = own.collect();
        let client = *pick(&own, draws[0])?;
        self.mischief(client, draws)
    }

    fn trouble_network(
        &mut self,
        deed: Deed,
        client: usize,
        second: u32,
        third: u32,
    ) -> Option<&'static str> {
        match deed {
            Deed::CutLink => {
                let links = self.network.of_client(client);
                let link = *pick(&links, second)?;
                self.break_link(link, 30_000, 60_000);
                Some("cut")
            }
            Deed::Partition => {
                let until = self.now.plus_ms(1_000 + u64::from(second) % 180_000);
                self.clients[client].whole_at = until;
                for link in self.network.of_client(client) {
                    self.break_link(link, 30_000, 60_000);
                }
                Some("partition")
            }
            Deed::Slow => {
                let until = self.now.plus_ms(1_000 + u64::from(second) % 120_000);
                self.clients[client].slow_until = until;
                Some("slow")
            }
            _ => {
                let skews =
                    [0, 3_600_000, -3_600_000, 86_400_000, 40 * 86_400_000, 315_360_000_000];
                self.clients[client].skew_ms = *pick(&skews, third)?;
                self.clients[client].skewed = true;
                if self.clients[client].skew_ms >= FORMER_LIFE_MS {
                    self.forget_former(client);
                }
                self.tick(client);
                Some("clock")
            }
        }
    }

    fn trouble_client(
        &mut self,
        deed: Deed,
        client: usize,
        second: u32,
        third: u32,
    ) -> Option<&'static str> {
        let trigger = self.clients[client].trigger.clone();
        match deed {
            Deed::CrashClient => {
                self.clients[client].engine.as_ref()?;
                self.crash(client);
                Some("client dies")
            }
            Deed::CrashAtBatch if third.is_multiple_of(2) => {
                trigger.set(second % BATCHES_MAX, Fault::CrashBefore);
                Some("client dies before a batch")
            }
            Deed::CrashAtBatch => {
                trigger.set(second % BATCHES_MAX, Fault::CrashAfter);
                Some("client dies behind a batch")
            }
            _ if third.is_multiple_of(2) => {
                trigger.set(second % BATCHES_MAX, Fault::Full(1 + third % 6));
                Some("client's disk is full")
            }
            _ => {
                trigger.set(second % BATCHES_MAX, Fault::Failed(1 + third % 6));
                Some("client's disk fails")
            }
        }
    }

    fn trouble_relay(
        &mut self,
        deed: Deed,
        relay: usize,
        second: u32,
        third: u32,
    ) -> Option<&'static str> {
        match (deed, third % 3) {
            (Deed::RelayDiskFails, _) => {
                self.relay_disk_fails(relay, 1_000 + u64::from(second) % 60_000);
                Some("relay's disk fails")
            }
            _ if !self.relays[relay].up => None,
            (_, 0) => {
                self.crash_relay(relay);
                Some("relay dies")
            }
            (_, 1) => {
                self.relays[relay].die_at(second % 10, Edge::Before);
                Some("relay dies before a write")
            }
            _ => {
                self.relays[relay].die_at(second % 10, Edge::After);
                Some("relay dies behind a write")
            }
        }
    }
}
