//! The judgement at the end: what must hold when nothing is under way any more.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_engine::command::{ChatInfo, ChatKind, ChatNumber, ChatState, Command, Reply};
use hushwire_wire::id::ChannelId;

use super::{NEEDLE, REST_MS, World};
use crate::{
    check::{self, Invitations, Violation},
    client::Client,
    insider::{self, digits},
    ledger::{ChatKey, Fate},
    plan::{Plan, Relays},
};

/// Where a device stands in a chat: the epoch of the group that it writes to.
#[derive(Clone)]
struct Seen {
    client: usize,
    chat: ChatNumber,
    epoch: String,
}

impl World {
    /// Everything that must hold when nothing is under way any more.
    pub(super) fn judge(&mut self) -> Result<(), Violation> {
        let mut devices = self.devices_in();
        devices.retain(|client| self.is_honest(*client));
        let invitations = match self.clients.iter().any(|client| client.deception.was_elsewhere) {
            true => Invitations::MayBeSwallowed,
            false => Invitations::Arrive,
        };
        let mut epochs = BTreeMap::new();
        let mut all_lost = BTreeSet::new();
        for client in devices.clone() {
            let lost = self.lost_chats(client, &devices);
            if lost.is_empty() && !self.has_lost_groups(client, &devices) {
                self.nothing_waits(client)?;
            }
            all_lost.extend(lost.iter().map(|key| (client, key.clone())));
            for chat in self.chats(client) {
                let Some(key) = self.key(client, &chat) else { continue };
                let store = self.clients[client].engine.as_ref().map(|engine| engine.store());
                let groups = store.map_or(0, |store| insider::groups_of(store, chat.number));
                let mut entered = store.map(|store| insider::entered(store, chat.number));
                if invitations == Invitations::MayBeSwallowed {
                    // What is said in a group that it gave up for one whose invitation is lost reaches it not.
                    let left = store.map(|store| insider::groups_given_up(store, chat.number));
                    let left = left.unwrap_or_default();
                    entered.iter_mut().for_each(|all| all.retain(|(one, _)| !left.contains(one)));
                }
                let view = self.ledger.view(client, &key);
                view.twofold = groups > 1;
                if key.is_direct() && (view.twofold || invitations == Invitations::MayBeSwallowed) {
                    let named = |(channel, at): &(ChannelId, _)| (digits(channel.as_bytes()), *at);
                    view.channels = entered.iter().flatten().map(named).collect();
                }
                if chat.state == ChatState::Stuck
                    && !self.excused.contains(&(client, chat.number))
                    && !lost.contains(&key)
                {
                    let helper = self.helper(client, &key, &devices);
                    let what = format!("device {client}, chat {} ({})", key.0, chat.name);
                    return Err(Violation::Stuck(format!("{what}, {helper:?} could help")));
                }
                if chat.state == ChatState::Open && !lost.contains(&key) {
                    self.is_where_the_others_are(client, &chat, &key, &mut epochs)?;
                }
            }
        }
        for (text, said) in &self.ledger.said {
            let lost = all_lost.contains(&(said.client, said.key.clone()));
            if said.fate == Fate::Pending && devices.contains(&said.client) && !lost {
                let what = format!("device {}: {text:?} is pending", said.client);
                return Err(Violation::Stuck(what));
            }
        }
        let people = devices.iter().map(|client| {
            let person = self.people.get(self.clients[*client].person);
            (*client, person.map_or("", String::as_str))
        });
        check::complete(&self.ledger, &people.collect(), &self.turned_away, invitations)?;
        // What a relay that was put back has lost, not everybody has seen.
        if self.put_back.is_none() {
            self.noticed(&devices)?;
        }
        self.search()
    }

    fn nothing_waits(&mut self, client: usize) -> Result<(), Violation> {
        match self.look(client, Command::Status) {
            Some(Reply::Status(status)) if status.waiting > 0 => {
                let Some(wishes) = self.wishes(client) else { return Ok(()) };
                // Whoever never came in, since a relay or a clock was wrong, and is known by a used link only,
                // sends no card of its own.
                let only_additions =
                    !wishes.is_empty() && wishes.iter().all(|wish| wish == "AddPerson");
                let never_came = !self.missed_items.is_empty() || !self.excused.is_empty();
                if only_additions && never_came {
                    return Ok(());
                }
                let wishes = wishes.join(", ");
                let what = format!("device {client} has {} that wait: {wishes}", status.waiting);
                Err(Violation::Stuck(what))
            }
            _ => Ok(()),
        }
    }

    /// What a device waits for; nothing, if that is for groups alone where it is stuck, or which it is
    /// leaving, and no device of somebody who keeps to the program goes on: of two groups of a direct chat
    /// the other one goes on.
    fn wishes(&self, client: usize) -> Option<Vec<String>> {
        let store =
            |client: usize| self.clients[client].engine.as_ref().map(|engine| engine.store());
        let goes_on = |channel: &ChannelId| {
            let honest = (0..self.clients.len()).filter(|other| self.is_honest(*other));
            honest.filter_map(store).any(|store| insider::is_in(store, channel))
        };
        let Some(store) = store(client) else { return Some(Vec::new()) };
        let wishes = insider::wishes(store, |_| false);
        let is_lost = |channel: &ChannelId| {
            (insider::is_stuck(store, channel) || insider::is_leaving(store, channel))
                && !goes_on(channel)
        };
        let left = insider::wishes(store, is_lost);
        (wishes.is_empty() || !left.is_empty()).then_some(left)
    }

    /// Looks whether a device sees what the others see in a chat, at the epoch of whoever of them was
    /// looked at first.
    fn is_where_the_others_are(
        &mut self,
        client: usize,
        chat: &ChatInfo,
        key: &ChatKey,
        epochs: &mut BTreeMap<String, Seen>,
    ) -> Result<(), Violation> {
        self.compare(client, chat.number)?;
        let Some(epoch) = self.epoch(client, chat.number) else { return Ok(()) };
        self.ledger.view(client, key).epoch = Some(epoch.clone());
        // What it was invited to and did not follow, the others write to.
        if key.is_direct() && self.turned_away.contains(&client) {
            return Ok(());
        }
        if self.is_left_alone(client, chat, key) {
            return Ok(());
        }
        // Two people who form a group anew, each without the other, part it for good.
        let place = self.channel(client, chat).unwrap_or_else(|| key.0.clone());
        let here = Seen { client, chat: chat.number, epoch };
        let first = epochs.entry(place).or_insert_with(|| here.clone());
        if first.epoch == here.epoch {
            return Ok(());
        }
        // Of two direct groups each reads both, and each may have heard the other side in one alone.
        let first = first.clone();
        if key.is_direct() && (self.reads_aside(&here, &first) || self.reads_aside(&first, &here)) {
            return Ok(());
        }
        if key.is_direct() && self.has_lost_an_invitation(&here, &first) {
            return Ok(());
        }
        let what = format!("devices {} and {client} in {}", first.client, key.0);
        Err(Violation::Fork(what))
    }

    /// Whether two devices have no group of their direct chat in common, and a relay showed one of them a
    /// history of its own: it has signed there for what invites the other one, which nobody else gets.
    fn has_lost_an_invitation(&self, one: &Seen, other: &Seen) -> bool {
        let groups = |seen: &Seen| {
            let engine = self.clients[seen.client].engine.as_ref();
            engine.map(|engine| insider::groups_in(engine.store(), seen.chat)).unwrap_or_default()
        };
        let lied_to = |seen: &Seen| self.clients[seen.client].deception.was_elsewhere;
        (lied_to(one) || lied_to(other)) && groups(one).is_disjoint(&groups(other))
    }

    /// Whether a device is where another one writes as well, and does not write there since it heard
    /// nobody there yet.
    fn reads_aside(&self, one: &Seen, other: &Seen) -> bool {
        let store = self.clients[one.client].engine.as_ref().map(|engine| engine.store());
        store.is_some_and(|store| insider::reads_unheard(store, one.chat, &other.epoch))
    }

    /// Time for everything to come to rest. Where a clock was wrong, a word may want the person's of whose
    /// device is stuck for so long in a group that goes on elsewhere (spec: CLI-210, CLI-213): they go
    /// along then. Nowhere else, for there a device follows by itself (spec: CLI-200). And people say that
    /// somebody's device is added again, where they are asked (spec: LNK-092).
    pub(super) fn rest(&mut self, plan: &Plan) -> Result<(), Violation> {
        self.pass(plan, self.now.plus_ms(REST_MS))?;
        let skewed = self.clients.iter().any(|device| device.skewed);
        let readmits = self.readmit_who_asks();
        let follows = skewed && self.follow_where_stuck();
        if readmits || follows {
            self.pass(plan, self.now.plus_ms(REST_MS))?;
        }
        Ok(())
    }

    /// Says whether anybody is added again.
    fn readmit_who_asks(&mut self) -> bool {
        let mut readmits = false;
        for (client, chat, member) in core::mem::take(&mut self.asked) {
            let person = self.people.iter().position(|person| *person == member);
            if person == self.hostile || !self.is_honest(client) {
                continue;
            }
            let reply = self.ask(client, Command::Readmit { chat, member });
            readmits |= matches!(reply, Some(Ok(_)));
        }
        readmits
    }

    /// Says whether anybody goes along.
    fn follow_where_stuck(&mut self) -> bool {
        let mut devices = self.devices_in();
        devices.retain(|client| self.is_honest(*client));
        let mut follows = false;
        for client in devices {
            let is_stuck =
                |chat: &ChatInfo| chat.kind == ChatKind::Group && chat.state == ChatState::Stuck;
            for chat in self.chats(client).into_iter().filter(is_stuck) {
                let command = Command::GroupFollow { chat: chat.number, by: None };
                let reply = self.ask(client, command);
                follows |= matches!(reply, Some(Ok(_)));
            }
        }
        follows
    }

    /// Who can add a device to a chat again: one of its own person or a contact, who is in there. Where a
    /// relay lost a removal, or showed it to that device alone, who is in there by that is nobody whom the
    /// device may ask, or whose invitation it may take (spec: CLI-162, LNK-045). Who does not find the
    /// device's person in the group refuses (spec: LNK-090): so where a relay lost their addition, and where
    /// they were removed in the branch that is followed, and not in theirs. Where one lost, or denied, the
    /// epoch in which somebody told their card, whom the device knows by a used link alone, or by no card at
    /// all, hears nothing of it (spec: INB-008). And who is in a group that took the place of another one
    /// alone, since the others never heard of it or a relay lost it, is helped by nobody who stayed in that.
    fn helper(&mut self, client: usize, key: &ChatKey, devices: &BTreeSet<usize>) -> Option<usize> {
        let Some(Reply::Contacts(contacts)) = self.look(client, Command::Contacts) else {
            return Some(client);
        };
        let own = self.people[self.clients[client].person].clone();
        let was_put_back = self.was_put_back();
        let was_elsewhere = |client: &Client| client.deception.was_elsewhere;
        let saw_other = was_put_back || was_elsewhere(&self.clients[client]);
        let may_be_lost = was_put_back || self.clients.iter().any(was_elsewhere);
        let card_may_be_lost = may_be_lost || self.relays_are == Relays::Liars;
        let removed = self.ledger.view(client, key).removed.clone();
        let mut chats = self.chats(client);
        chats.retain(|chat| self.key(client, chat).as_ref() == Some(key));
        let stuck = chats.iter().find(|chat| chat.state == ChatState::Stuck);
        let here = stuck.or(chats.first()).cloned();
        let here = here.and_then(|chat| self.channel(client, &chat));
        let known = |person: &String| {
            let is_contact = contacts.iter().any(|contact| contact.fingerprint == *person);
            *person == own || is_contact && !(saw_other && removed.contains(person))
        };
        devices.iter().copied().filter(|other| *other != client).find(|&other| {
            let out_there = self.ledger.view(other, key).removed.contains(&own);
            let person = self.people[self.clients[other].person].clone();
            let is_heard =
                person == own || !card_may_be_lost || !self.cannot_write_to(client, &person);
            known(&person)
                && is_heard
                && self.chats(other).into_iter().any(|chat| {
                    chat.state == ChatState::Open
                        && self.key(other, &chat).as_ref() == Some(key)
                        && here.as_ref().is_none_or(|here| self.came_by(other, &chat, here))
                        && self.led_by(other, &chat).as_ref() != Some(&own)
                        && !((may_be_lost || out_there) && self.is_absent(other, &chat, &own))
                })
        })
    }

    /// Whether a device's chat is in a group of this channel, or went on from there.
    fn came_by(&mut self, client: usize, chat: &ChatInfo, channel: &str) -> bool {
        let mut place = self.channel(client, chat);
        while place.as_deref().is_some_and(|place| place != channel) {
            place = place.and_then(|place| self.before_it.get(&place).cloned());
        }
        place.is_some()
    }

    /// Who has left a device in a branch into which they brought it: that one answers none of theirs
    /// (spec: CLI-217).
    fn led_by(&self, client: usize, chat: &ChatInfo) -> Option<String> {
        let store = self.clients[client].engine.as_ref()?.store();
        insider::led_by(store, chat.number).map(|person| person.to_hex())
    }

    /// Whether whoever brought a device into its branch has left that, and comes back to nowhere: its
    /// person was told (spec: CLI-185).
    fn is_left_alone(&mut self, client: usize, chat: &ChatInfo, key: &ChatKey) -> bool {
        let Some(inviter) = self.led_by(client, chat) else { return false };
        let devices = self.devices_in();
        let theirs: Vec<usize> = devices
            .iter()
            .copied()
            .filter(|other| *other != client)
            .filter(|other| self.people[self.clients[*other].person] == inviter)
            .collect();
        theirs.into_iter().all(|other| {
            let chats = self.chats(other);
            let there =
                chats.iter().find(|chat| self.key(other, chat).as_ref() == Some(key)).cloned();
            match there {
                Some(there) if there.state == ChatState::Open => false,
                Some(there) if there.state == ChatState::Stuck => {
                    self.helper(other, key, &devices).is_none()
                }
                _ => true,
            }
        })
    }

    /// Whether a device finds nobody of a person in a group.
    fn is_absent(&mut self, client: usize, chat: &ChatInfo, person: &str) -> bool {
        let members = self.look(client, Command::GroupMembers(chat.number));
        chat.kind == ChatKind::Group
            && matches!(members, Some(Reply::Members(members))
                if members.iter().all(|member| member.fingerprint != person))
    }

    /// Whether a relay that was put back has lost a group of a device, or that of its person's devices.
    fn has_lost_groups(&self, client: usize, devices: &BTreeSet<usize>) -> bool {
        let person = self.clients[client].person;
        let own = devices.iter().filter(|other| self.clients[**other].person == person);
        let mut lost = self.stuck.iter().filter(|(of, _)| *of == client);
        self.was_put_back()
            && (lost.next().is_some() || own.copied().any(|own| self.stuck.contains(&(own, None))))
    }

    /// The chats in which a device is stuck, or stays behind a fork alone, and nobody can help: its person
    /// left or was removed where the others are.
    fn lost_chats(&mut self, client: usize, devices: &BTreeSet<usize>) -> BTreeSet<ChatKey> {
        let chats = self.chats(client).into_iter();
        let store = self.clients[client].engine.as_ref().map(|engine| engine.store());
        let is_alone =
            |chat: &ChatInfo| store.is_some_and(|store| insider::is_unsettled(store, chat.number));
        let stuck = chats.filter(|chat| chat.state == ChatState::Stuck || is_alone(chat));
        let stuck: Vec<ChatInfo> = stuck.collect();
        let keys = stuck.iter().filter_map(|chat| self.key(client, chat));
        let keys: Vec<ChatKey> = keys.collect();
        keys.into_iter().filter(|key| self.helper(client, key, devices).is_none()).collect()
    }

    /// Each honest device that was there has noticed what a hostile member did.
    fn noticed(&mut self, devices: &BTreeSet<usize>) -> Result<(), Violation> {
        for harm in self.ledger.harms.clone() {
            if self.ledger.parted.get(&harm.channel).is_some_and(|since| *since <= harm.at) {
                continue;
            }
            for client in devices.iter().copied().filter(|_| !harm.codes.is_empty()) {
                let Some(engine) = self.clients[client].engine.as_ref() else { continue };
                let Some(chat) = insider::chat_of(engine.store(), &harm.channel) else { continue };
                // Who went out of the group, and is in the chat again, is in another group of it: it came
                // into that one since. What came here before that is not asked for, what came behind it
                // nobody could read here.
                if insider::is_out(engine.store(), &harm.channel) {
                    continue;
                }
                let Some(key) = self.key_of(client, chat) else { continue };
                let view = self.ledger.view(client, &key);
                // Of the two groups of a direct chat it may have come into this one later.
                let was_there = !(key.is_direct() && view.twofold)
                    && view.open_since.is_some_and(|since| since < harm.at);
                let has_warned = harm
                    .codes
                    .iter()
                    .any(|code| self.ledger.warned.contains(&(client, chat, (*code).to_owned())));
                if was_there && !has_warned {
                    let what = format!("device {client} in {}: {:?}", key.0, harm.codes);
                    return Err(Violation::Unnoticed(what));
                }
            }
        }
        Ok(())
    }

    /// Looks for what no relay may know in everything that one has.
    pub(super) fn search(&self) -> Result<(), Violation> {
        let mut needles = vec![NEEDLE.as_bytes().to_vec()];
        for fingerprint in &self.people {
            needles.push(fingerprint.as_bytes().to_vec());
            let digits = fingerprint.as_bytes().chunks_exact(2);
            let raw = digits
                .filter_map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok());
            needles.push(raw.collect());
        }
        for (place, relay) in self.relays.iter().enumerate() {
            if let Some(found) = check::plaintext(relay.store.contents(), &needles) {
                return Err(Violation::Plaintext(format!("relay {place}, needle {found}")));
            }
        }
        Ok(())
    }
}
