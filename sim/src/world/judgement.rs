//! The judgement at the end: what must hold when nothing is under way any more.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_engine::command::{ChatInfo, ChatState, Command, Reply};

use super::{NEEDLE, World};
use crate::{
    check::{self, Violation},
    insider,
    ledger::{ChatKey, Fate},
};

impl World {
    /// Everything that must hold when nothing is under way any more.
    pub(super) fn judge(&mut self) -> Result<(), Violation> {
        let mut devices = self.devices_in();
        devices.retain(|client| self.is_honest(*client));
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
                self.ledger.view(client, &key).twofold = groups > 1;
                if chat.state == ChatState::Stuck
                    && !self.excused.contains(&(client, chat.number))
                    && !lost.contains(&key)
                {
                    let helper = self.helper(client, &key, &devices);
                    let what = format!("device {client}, chat {} ({})", key.0, chat.name);
                    return Err(Violation::Stuck(format!("{what}, {helper:?} could help")));
                }
                if chat.state == ChatState::Open {
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
        let people = devices.iter().map(|client| (*client, self.clients[*client].person));
        check::complete(&self.ledger, &people.collect(), &self.turned_away)?;
        // What a relay that was put back has lost, not everybody has seen.
        if self.put_back.is_none() {
            self.noticed(&devices)?;
        }
        self.search()
    }

    fn nothing_waits(&mut self, client: usize) -> Result<(), Violation> {
        match self.look(client, Command::Status) {
            Some(Reply::Status(status)) if status.waiting > 0 => {
                let store = self.clients[client].engine.as_ref().map(|engine| engine.store());
                let wishes = store.map_or_else(Vec::new, insider::wishes);
                // Whoever never came in, and is known by a used link only, sends no card of its own.
                let only_additions =
                    !wishes.is_empty() && wishes.iter().all(|wish| wish == "AddPerson");
                if only_additions && !self.missed_items.is_empty() {
                    return Ok(());
                }
                let wishes = wishes.join(", ");
                let what = format!("device {client} has {} that wait: {wishes}", status.waiting);
                Err(Violation::Stuck(what))
            }
            _ => Ok(()),
        }
    }

    /// Looks whether a device sees what the others see in a chat, at the epoch of whoever of them was
    /// looked at first.
    fn is_where_the_others_are(
        &mut self,
        client: usize,
        chat: &ChatInfo,
        key: &ChatKey,
        epochs: &mut BTreeMap<String, (usize, String)>,
    ) -> Result<(), Violation> {
        self.compare(client, chat.number)?;
        let Some(epoch) = self.epoch(client, chat.number) else { return Ok(()) };
        self.ledger.view(client, key).epoch = Some(epoch.clone());
        // What it was invited to and did not follow, the others write to.
        if key.is_direct() && self.turned_away.contains(&client) {
            return Ok(());
        }
        // Two people who form a group anew, each without the other, part it for good.
        let place = self.channel(client, chat).unwrap_or_else(|| key.0.clone());
        let first = epochs.entry(place).or_insert((client, epoch.clone()));
        if first.1 != epoch {
            let what = format!("devices {} and {client} in {}", first.0, key.0);
            return Err(Violation::Fork(what));
        }
        Ok(())
    }

    /// Who can add a device to a chat again: one of its own person or a contact, who is in there.
    fn helper(&mut self, client: usize, key: &ChatKey, devices: &BTreeSet<usize>) -> Option<usize> {
        let Some(Reply::Contacts(contacts)) = self.look(client, Command::Contacts) else {
            return Some(client);
        };
        let own = self.people[self.clients[client].person].clone();
        let known = |person: &String| {
            *person == own || contacts.iter().any(|contact| contact.fingerprint == *person)
        };
        devices.iter().copied().filter(|other| *other != client).find(|&other| {
            let person = self.people[self.clients[other].person].clone();
            known(&person)
                && self.chats(other).into_iter().any(|chat| {
                    chat.state == ChatState::Open && self.key(other, &chat).as_ref() == Some(key)
                })
        })
    }

    /// Whether a relay that was put back has lost a group of a device, or that of its person's devices.
    fn has_lost_groups(&self, client: usize, devices: &BTreeSet<usize>) -> bool {
        let person = self.clients[client].person;
        let own = devices.iter().filter(|other| self.clients[**other].person == person);
        let mut lost = self.stuck.iter().filter(|(of, _)| *of == client);
        matches!(self.put_back, Some(None))
            && (lost.next().is_some() || own.copied().any(|own| self.stuck.contains(&(own, None))))
    }

    /// The chats in which a device is stuck and nobody can help.
    fn lost_chats(&mut self, client: usize, devices: &BTreeSet<usize>) -> BTreeSet<ChatKey> {
        let chats = self.chats(client).into_iter();
        let stuck: Vec<ChatInfo> = chats.filter(|chat| chat.state == ChatState::Stuck).collect();
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
