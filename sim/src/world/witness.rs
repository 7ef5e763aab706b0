//! What the apps of devices see, noted and checked against what was said.

use std::collections::BTreeSet;

use hushwire_engine::{
    command::{
        ChatInfo, ChatKind, ChatNumber, ChatState, Command, FailureReason, LinkNumber, LinkState,
        MessageBody, MessageInfo, MessageState, Reply, Sender,
    },
    event::{Event, InvitationRefusal, NumberedEvent, Warning},
    io::Input,
};
use hushwire_protocol::identity::Fingerprint;

use super::{Happening, NEEDLE, World};
use crate::{
    check::{self, Violation},
    client::{Client, Standing},
    insider::{self, digits},
    ledger::{Agreed, ChatKey, Fate, Said},
    plan::Relays,
};

/// Whether a warning is of an item that was refused with this code.
fn rejects(warning: &Warning, code: &str) -> bool {
    matches!(warning, Warning::ItemRejected { code: found } if found == code)
}

impl World {
    /// Reads what happened to a device, as an app does.
    pub(super) fn events(&mut self, client: usize) {
        loop {
            let device = &mut self.clients[client];
            let from = device.next_event;
            let now = device.time(self.now);
            let Some(engine) = device.engine.as_mut() else { return };
            let reply = engine.command(now, Command::Events { from, count_max: 100 });
            let events = match reply {
                Ok(Reply::Events(events)) if events.is_empty() => return,
                Ok(Reply::Events(events)) => events,
                other => {
                    let what = format!("device {client} cannot read its events: {other:?}");
                    self.violation = Some(Violation::Stuck(what));
                    return;
                }
            };
            for NumberedEvent { number, event, .. } in events {
                let expected = self.clients[client].next_event;
                if number != expected {
                    let what = format!("device {client}: {number:?} instead of {expected:?}");
                    self.violation = Some(Violation::EventGap(what));
                    return;
                }
                self.clients[client].next_event.0 += 1;
                self.note(|| format!("device {client} sees {event:?}"));
                if let Err(violation) = self.event(client, event) {
                    self.violation = Some(violation);
                    return;
                }
            }
        }
    }

    pub(super) fn event(&mut self, client: usize, event: Event) -> Result<(), Violation> {
        match event {
            Event::MessageAdded { chat, message }
            | Event::MessageStateChanged { chat, message } => {
                match self.message(client, chat, message) {
                    Some(info) => self.saw(client, info),
                    None => Ok(()),
                }
            }
            Event::MembersRemoved { chat, members } => {
                if let Some(key) = self.key_of(client, chat) {
                    self.ledger.view(client, &key).removed.extend(members);
                }
                self.compare(client, chat)
            }
            Event::MembersAdded { chat, members } => {
                self.are_in(client, chat, &members);
                self.compare(client, chat)
            }
            Event::GroupSucceeded { chat, .. } => {
                self.stuck.remove(&(client, Some(chat)));
                self.goes_on(client, chat);
                self.chat_moved(client, chat);
                // One own device leaves somebody out, and another one's later word does not: what waits is
                // said where that leads (spec: CLI-203, GRP-143).
                if let Some(Reply::Members(members)) =
                    self.look(client, Command::GroupMembers(chat))
                {
                    let members: Vec<String> =
                        members.into_iter().map(|member| member.fingerprint).collect();
                    self.are_in(client, chat, &members);
                }
                self.compare(client, chat)
            }
            // It may be in again by now: what was said between is not for it.
            Event::RemovedFromChat(chat) => {
                if let Some(key) = self.key_of(client, chat) {
                    self.ledger.view(client, &key).close();
                }
                self.chat_moved(client, chat);
                self.compare(client, chat)
            }
            Event::ChatAdded(chat)
            | Event::ChatChanged(chat)
            | Event::GroupChanged { chat, .. }
            | Event::GroupDissolved { chat, .. } => {
                self.chat_moved(client, chat);
                self.compare(client, chat)
            }
            Event::GroupRejoined { chat, .. } => {
                self.stuck.remove(&(client, chat));
                chat.map_or(Ok(()), |chat| self.rejoined(client, chat))
            }
            Event::Warning(warning) => self.warning(client, warning),
            other => {
                self.event_of_device(client, other);
                Ok(())
            }
        }
    }

    /// A device is told who is in a chat.
    fn are_in(&mut self, client: usize, chat: ChatNumber, members: &[String]) {
        let Some(key) = self.key_of(client, chat) else { return };
        let view = self.ledger.view(client, &key);
        view.removed.retain(|gone| !members.contains(gone));
        // What waits is sealed with them in, and the person was told so (spec: CLI-163, CLI-180).
        let waits = |said: &&mut Said| {
            said.client == client && said.key == key && said.fate == Fate::Pending
        };
        for said in self.ledger.said.values_mut().filter(waits) {
            said.without.retain(|gone| !members.contains(gone));
        }
    }

    /// What was said while a device was not in a chat, it cannot read.
    fn rejoined(&mut self, client: usize, chat: ChatNumber) -> Result<(), Violation> {
        let now = self.now;
        if let Some(key) = self.key_of(client, chat) {
            let view = self.ledger.view(client, &key);
            view.open_since = view.open_since.map(|_| now);
            // What it said in a branch that was left comes again, behind other things.
            let own = self.ledger.said.values_mut();
            own.filter(|said| said.client == client && said.key == key)
                .for_each(|said| said.retried = true);
        }
        self.compare(client, chat)
    }

    /// What is about no chat's content: links, knocks, how a device stands.
    fn event_of_device(&mut self, client: usize, event: Event) {
        let linking = self.clients[client].standing == Standing::Linking;
        match event {
            Event::GroupLinksChanged(chat) => self.give_group_links(client, chat),
            Event::JoinRequested { chat, request } => self.hear_knock(client, chat, request),
            Event::DeviceCompare { code } => {
                self.digits.insert(client, code.expose().to_owned());
                let at = self.now.plus_ms(self.clients[client].dice.between(500, 5_000));
                self.agenda.put(at, Happening::Confirms(client));
            }
            Event::DeviceLinked if linking => self.clients[client].standing = Standing::In,
            Event::DeviceLinkFailed(_) if linking => self.clients[client].standing = Standing::Out,
            // Some clock was wrong: the person is told, and begins anew.
            Event::ContactFailed {
                chat,
                reason: FailureReason::NotFresh | FailureReason::ClockWrong,
            } if self.clients.iter().any(|device| device.skewed) => {
                self.excused.insert((client, chat));
            }
            Event::LinkChanged(link) => self.give(client, link),
            Event::ThisDeviceRevoked => self.clients[client].standing = Standing::Out,
            Event::GroupStuck { chat, .. } => {
                self.stuck.insert((client, chat));
            }
            Event::ReadmissionAsked { chat, member } => {
                self.asked.insert((client, chat, member));
            }
            Event::OwnGroupFormedAnew => {
                self.stuck.remove(&(client, None));
            }
            _ => {}
        }
    }

    fn warning(&mut self, client: usize, warning: Warning) -> Result<(), Violation> {
        // An item that the relay bent may have been an invitation: the person hears of it, and nobody else.
        if self.relays_are == Relays::Liars && rejects(&warning, "ITEM_NOT_OPENED") {
            self.missed_items.insert(client);
        }
        match warning {
            Warning::InvitationRefused { reason: InvitationRefusal::DeviceNotKnown } => {
                self.turned_away.insert(client);
            }
            Warning::ClockDiffers { .. } if self.clients[client].skewed => {}
            Warning::InboxDenied { .. }
                if self.clients[client].standing == Standing::Out
                    || self.is_unlisted(client)
                    || self.has_lost_its_inbox(client) =>
            {
                self.clients[client].standing = Standing::Out;
            }
            // How long it was denied goes by the clock: keys may have changed, and the word of it be on its way.
            Warning::InboxDenied { .. } if self.clients[client].skewed => {}
            // Earlier inbox keys are deleted by the clock (spec: IDN-062).
            warning if rejects(&warning, "ITEM_NOT_OPENED") && self.clients[client].skewed => {}
            warning if self.is_explained(client, &warning) => {}
            warning if check::accuses(&warning) => {
                return Err(Violation::FalseAlarm(format!("device {client}: {warning:?}")));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a hostile member can be what a device warns of; notes what it warned of.
    fn is_explained(&mut self, client: usize, warning: &Warning) -> bool {
        let accused = check::accused(warning);
        if let Some((chat, code)) = accused {
            self.ledger.warned.insert((client, chat, code.to_owned()));
        }
        // A relay that lies gives cause for every warning.
        if self.relays_are == Relays::Liars {
            return true;
        }
        if !self.is_honest(client) {
            return true;
        }
        // A device whose clock is wrong asks at a time that is not.
        let skewed = self.clients.iter().any(|device| device.skewed);
        if skewed && rejects(warning, "REJOIN_NOT_VALID") {
            return true;
        }
        // Whose clock was set forward ends a request at a door, and its capability with it (spec: LNK-107).
        if skewed && rejects(warning, "ITEM_NOT_SENT") {
            return true;
        }
        // Where others went on by a commit of its own that its store does not know, and removed it then.
        if self.hostile.is_some() && rejects(warning, "REJOIN_NOT_A_MEMBER") {
            return true;
        }
        // A link of a device that was revoked meanwhile leads nowhere: its invitation is denied.
        let person = self.clients[client].person;
        let is_out = |device: &Client| device.standing == Standing::Out && device.person != person;
        // And so is that of whom somebody else has declined, whose capability is over (spec: LNK-107).
        if rejects(warning, "ITEM_NOT_SENT") && (self.declined || self.clients.iter().any(is_out)) {
            return true;
        }
        let Some((chat, _)) = accused else { return false };
        let Some(key) = self.key_of(client, chat) else { return false };
        let mut views = self.ledger.views.keys();
        views.any(|(other, of)| *of == key && !self.is_honest(*other))
    }

    /// Whether a device is of somebody who keeps to the program.
    pub(crate) fn is_honest(&self, client: usize) -> bool {
        self.hostile != Some(self.clients[client].person)
    }

    /// Gives a link to whom it was promised, once it can be used.
    pub(super) fn give(&mut self, client: usize, number: LinkNumber) {
        let Some(Reply::Links(links)) = self.look(client, Command::Links) else { return };
        let active = |state| matches!(state, LinkState::Active);
        let found = links.into_iter().find(|link| link.number == number && active(link.state));
        if let Some(link) = found
            && let Some(other) = self.promised.remove(&(client, number))
        {
            let at = self.now.plus_ms(self.clients[other].dice.between(100, 30_000));
            self.agenda.put(at, Happening::Adds { client: other, link: link.text });
        }
    }

    /// A device looks at its clock.
    pub(crate) fn tick(&mut self, client: usize) {
        self.feed(client, Input::Timeout);
    }

    /// A person's device of this name is one no more.
    pub(crate) fn revoked(&mut self, by: usize, name: &str) {
        let person = self.clients[by].person;
        for (number, device) in self.clients.iter_mut().enumerate() {
            let named = name == format!("{NEEDLE} device {number}");
            if device.person == person && number != by && named {
                device.standing = Standing::Out;
            }
        }
    }

    /// Whether a device that is one no more drew new keys for its person's inbox: it may have had the relay
    /// take them before the others heard of them (spec: T-5). And who was linked by a device that is one no
    /// more may not have come in before somebody drew new keys: who linked it withdraws it then (spec:
    /// IDN-063), and nobody else knows of it. Nor does a device hear of the keys that another one drew which a
    /// relay had led out of the own group by then (spec: T-11).
    fn has_lost_its_inbox(&self, client: usize) -> bool {
        let is_out = |device: usize| self.clients[device].standing == Standing::Out;
        let person = self.clients[client].person;
        let mut drew = self.drew_keys.iter().filter(|by| self.clients[**by].person == person);
        let linker_is_out = self.linked_by.get(&client).is_some_and(|by| is_out(*by));
        let was_elsewhere = self.was_put_back() || self.clients[client].deception.was_elsewhere;
        let led_away = was_elsewhere && self.stuck.contains(&(client, None));
        drew.any(|by| linker_is_out || is_out(*by) || led_away && *by != client)
    }

    /// Whether another device of the same person does not have this one in its list: it was revoked,
    /// perhaps by a device that died before it could say so.
    fn is_unlisted(&mut self, client: usize) -> bool {
        let name = format!("{NEEDLE} device {client}");
        let person = self.clients[client].person;
        let siblings = self.devices_in().into_iter();
        let siblings: Vec<usize> =
            siblings.filter(|other| self.clients[*other].person == person).collect();
        siblings.into_iter().filter(|other| *other != client).any(|other| {
            match self.look(other, Command::Devices) {
                Some(Reply::Devices(devices)) => !devices.iter().any(|device| device.name == name),
                _ => false,
            }
        })
    }

    /// A command that only reads, which does not lead to more events.
    pub(crate) fn look(&mut self, client: usize, command: Command) -> Option<Reply> {
        let now = self.clients[client].time(self.now);
        self.clients[client].engine.as_mut()?.command(now, command).ok()
    }

    pub(crate) fn chats(&mut self, client: usize) -> Vec<ChatInfo> {
        match self.look(client, Command::Chats) {
            Some(Reply::Chats(chats)) => chats,
            _ => Vec::new(),
        }
    }

    pub(super) fn message(
        &mut self,
        client: usize,
        chat: ChatNumber,
        from: hushwire_engine::command::MessageNumber,
    ) -> Option<MessageInfo> {
        match self.look(client, Command::Messages { chat, from, count_max: 1 }) {
            Some(Reply::Messages(mut messages)) => messages.pop(),
            _ => None,
        }
    }

    pub(crate) fn key_of(&mut self, client: usize, chat: ChatNumber) -> Option<ChatKey> {
        let found = self.chats(client).into_iter().find(|info| info.number == chat)?;
        self.key(client, &found)
    }

    /// What a chat is called by everybody.
    pub(crate) fn key(&mut self, client: usize, chat: &ChatInfo) -> Option<ChatKey> {
        if chat.kind == ChatKind::Group {
            let mut first = self.channel(client, chat)?;
            while let Some(before) = self.before_it.get(&first) {
                first.clone_from(before);
            }
            return Some(ChatKey(first));
        }
        let own = self.people.get(self.clients[client].person)?.clone();
        let number = chat.contact?;
        let Some(Reply::Contacts(contacts)) = self.look(client, Command::Contacts) else {
            return None;
        };
        let other = contacts.into_iter().find(|contact| contact.number == number)?.fingerprint;
        let (low, high) = if own < other { (own, other) } else { (other, own) };
        Some(ChatKey(format!("{low} {high}")))
    }

    /// The channel of a group's chat; none of a direct chat, which can have several.
    pub(crate) fn channel(&mut self, client: usize, chat: &ChatInfo) -> Option<String> {
        let place = (client, chat.number);
        if chat.kind == ChatKind::Group && !self.channels.contains_key(&place) {
            let store = self.clients[client].engine.as_ref()?.store();
            let channel = insider::channel_of(store, chat.number)?;
            self.channels.insert(place, digits(channel.as_bytes()));
        }
        self.channels.get(&place).cloned()
    }

    /// The channel in which a message of a device's own stands: what was sealed when a group went on
    /// elsewhere stays where it was, what waited goes along; a direct chat can have several groups.
    fn said_in(&self, client: usize, info: &MessageInfo) -> Option<String> {
        let store = self.clients[client].engine.as_ref()?.store();
        let me = Fingerprint::from_hex(self.people.get(self.clients[client].person)?).ok()?;
        let channel = insider::said_in(store, info.chat, info.number, &me)?;
        Some(digits(channel.as_bytes()))
    }

    /// By a device's clock, groups that go on elsewhere are over: it reads them no more.
    pub(crate) fn forget_former(&mut self, client: usize) {
        for chat in self.chats(client) {
            let (Some(key), Some(now)) = (self.key(client, &chat), self.channel(client, &chat))
            else {
                continue;
            };
            self.ledger.view(client, &key).channels.retain(|channel, _| *channel == now);
        }
    }

    /// A group's chat goes on in another channel.
    fn goes_on(&mut self, client: usize, chat: ChatNumber) {
        let Some(before) = self.channels.remove(&(client, chat)) else { return };
        let chats = self.chats(client);
        let info = chats.into_iter().find(|info| info.number == chat);
        let now = info.and_then(|info| self.channel(client, &info));
        if let Some(now) = now.filter(|now| *now != before) {
            self.before_it.entry(now).or_insert(before);
        }
    }

    pub(super) fn saw(&mut self, client: usize, info: MessageInfo) -> Result<(), Violation> {
        let place = (client, info.chat, info.number);
        if self.ledger.places.contains_key(&place) {
            let chats = self.chats(client);
            let chat = chats.into_iter().find(|chat| chat.number == info.chat);
            let channel = chat.and_then(|chat| self.channel(client, &chat));
            let stands_in = self.said_in(client, &info);
            let epoch = self.epoch(client, info.chat);
            let Some(text) = self.ledger.places.get(&place) else { return Ok(()) };
            let now = self.now;
            let deceived = self.clients[client].deception.instead.is_some();
            let Some(said) = self.ledger.said.get_mut(text) else { return Ok(()) };
            said.deceived |= deceived;
            match (info.state, said.fate) {
                (MessageState::Stored | MessageState::Delivered { .. }, Fate::Acknowledged(_)) => {}
                (MessageState::Stored | MessageState::Delivered { .. }, _) => {
                    said.fate = Fate::Acknowledged(now);
                    // What waited when its group went on elsewhere goes out there, behind other things.
                    said.retried |= said.channel != channel;
                    said.channel = stands_in.or(channel);
                    said.epoch = epoch;
                    self.tally.acknowledged += 1;
                }
                (MessageState::Failed(_), _) => said.fate = Fate::Failed,
                // In a branch that is left: it is said again, perhaps behind what came later.
                (MessageState::Pending, Fate::Acknowledged(_)) => {
                    said.fate = Fate::Pending;
                    said.retried = true;
                }
                _ => {}
            }
            return Ok(());
        }
        let MessageBody::Text(text) = info.body else { return Ok(()) };
        let from_here = info.sender == Sender::Me
            && self.ledger.said.get(&text).is_some_and(|said| said.client == client);
        if from_here
            || !matches!(
                info.state,
                MessageState::Received | MessageState::Stored | MessageState::Delivered { .. }
            )
        {
            return Ok(());
        }
        let Some(key) = self.key_of(client, info.chat) else { return Ok(()) };
        let had = self.ledger.view(client, &key).received.contains(&text);
        let changed = info.sender == Sender::Me && had;
        if changed {
            return Ok(());
        }
        self.tally.received += 1;
        let person = self.people[self.clients[client].person].clone();
        check::received(&mut self.ledger, client, &person, &key, &text)
    }

    /// Where a device stands in a chat: who is at the same epoch reads the same log.
    pub(super) fn epoch(&mut self, client: usize, chat: ChatNumber) -> Option<String> {
        match self.look(client, Command::GroupCode(chat)) {
            Some(Reply::GroupCode(code)) => Some(code.epoch),
            _ => None,
        }
    }

    pub(super) fn chat_moved(&mut self, client: usize, chat: ChatNumber) {
        let found = self.chats(client).into_iter().find(|info| info.number == chat);
        let Some(info) = found else { return };
        let Some(key) = self.key(client, &info) else { return };
        let channel = self.channel(client, &info);
        let now = self.now;
        let view = self.ledger.view(client, &key);
        match info.state {
            ChatState::Open => {
                view.open_since.get_or_insert(now);
                if let Some(channel) = channel {
                    view.channels.entry(channel).or_insert(now);
                }
            }
            _ => view.close(),
        }
    }

    /// Compares what a device sees at its epoch with what others saw there.
    pub(super) fn compare(&mut self, client: usize, chat: ChatNumber) -> Result<(), Violation> {
        if !self.is_honest(client) {
            return Ok(());
        }
        let Some(Reply::GroupCode(code)) = self.look(client, Command::GroupCode(chat)) else {
            return Ok(());
        };
        let Some(Reply::Members(members)) = self.look(client, Command::GroupMembers(chat)) else {
            return Ok(());
        };
        let name = self.chats(client).into_iter().find(|info| info.number == chat);
        let name = name.filter(|info| info.kind == ChatKind::Group).map(|info| info.name);
        let mut members: Vec<String> = members
            .into_iter()
            .map(|one| format!("{} {:?} {}", one.fingerprint, one.role, one.devices))
            .collect();
        members.sort();
        let settings = match self.look(client, Command::GroupInfo(chat)) {
            Some(Reply::Group(info)) => format!("{:?} {:?}", info.description, info.rights),
            // Its person has left, and it waits for that to be done.
            _ if name.is_some() => return Ok(()),
            _ => String::new(),
        };
        let seen = Agreed { code: code.code, members, name: name.unwrap_or_default(), settings };
        check::at_epoch(&mut self.ledger, &code.epoch, seen)
    }

    /// Devices that are in, by number.
    pub(crate) fn devices_in(&self) -> BTreeSet<usize> {
        let all = self.clients.iter().enumerate();
        all.filter(|(_, device)| device.standing == Standing::In).map(|(place, _)| place).collect()
    }
}
