//! What a hostile relay does to one device for a while: swallow, hold back, repeat and bend answers,
//! serve old device lists, or show it a history of its own; and a relay that is put back to an old copy.

use std::collections::BTreeSet;

use hushwire_relay_rules::MemoryStore;
use hushwire_wire::{
    frame::AnswerFrame,
    id::Timestamp,
    message::{Answer, Content, EntryBody},
};

use super::{Happening, World};
use crate::{ledger::Fate, network::LinkId};

/// Longest that one device is lied to at a time, in milliseconds.
const LIE_MAX_MS: u64 = 120_000;
/// Answers that are kept to be repeated.
const KEPT_MAX: usize = 16;

/// How a relay lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Some answers never come.
    Swallow,
    /// Some answers come behind later ones.
    Reorder,
    /// Earlier answers come again.
    Repeat,
    /// Bytes of what others wrote are changed.
    Bend,
    /// The first device list that was seen of each inbox is all that there is.
    OldList,
    /// A copy of the relay as it was, which goes on by itself.
    OtherHistory,
    /// For all: what it has now is what it has again later.
    OldCopy,
}

impl Lie {
    const ALL: [Self; 7] = [
        Self::Swallow,
        Self::Reorder,
        Self::Repeat,
        Self::Bend,
        Self::OldList,
        Self::OtherHistory,
        Self::OldCopy,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Swallow => "relay swallows answers",
            Self::Reorder => "relay reorders answers",
            Self::Repeat => "relay repeats answers",
            Self::Bend => "relay bends answers",
            Self::OldList => "relay serves an old device list",
            Self::OtherHistory => "relay shows another history",
            Self::OldCopy => "relay is put back",
        }
    }
}

/// What a device is told by relays that lie, and until when.
#[derive(Default)]
pub(crate) struct Deception {
    lie: Option<(Lie, Timestamp)>,
    /// Which relay stands in the place of which other, for this device.
    pub(crate) instead: Option<(usize, usize)>,
    /// Whether one ever stood so.
    pub(crate) was_elsewhere: bool,
    kept: Vec<AnswerFrame>,
    held: Option<(LinkId, AnswerFrame)>,
    /// Sessions in which something was swallowed: what a relay withholds at the end of a log shows when
    /// the channel is opened anew, and a relay that withholds nothing any more is another one.
    silenced: BTreeSet<LinkId>,
}

/// What a relay had once.
pub(crate) struct OldCopy {
    relay: usize,
    made_at: Timestamp,
    store: MemoryStore,
}

impl World {
    /// A relay begins to lie to a device.
    pub(crate) fn lie(
        &mut self,
        client: usize,
        relay: usize,
        draws: [u32; 3],
    ) -> Option<&'static str> {
        let [_, long, how] = draws;
        let kinds = u32::try_from(Lie::ALL.len()).ok()?;
        let lie = Lie::ALL[(how % kinds) as usize];
        let until = self.now.plus_ms(5_000 + u64::from(long) % LIE_MAX_MS);
        let deception = &mut self.clients[client].deception;
        if deception.lie.is_some_and(|(_, until)| until > self.now) || deception.instead.is_some() {
            return None;
        }
        if lie == Lie::OldCopy {
            return self.copy_relay(relay, until).map(|()| lie.name());
        }
        deception.lie = Some((lie, until));
        if lie == Lie::OtherHistory {
            let copy = self.relays[relay].copy();
            self.relays.push(copy);
            let stand_in = self.relays.len() - 1;
            let deception = &mut self.clients[client].deception;
            deception.instead = Some((relay, stand_in));
            deception.was_elsewhere = true;
            self.break_links(client, relay);
            self.agenda.put(until, Happening::TellsTruth(client));
        }
        Some(lie.name())
    }

    /// Whoever was shown another history is shown the true one again.
    pub(crate) fn tell_truth(&mut self, client: usize) {
        let deception = &mut self.clients[client].deception;
        deception.lie = None;
        let held = deception.held.take().map(|(link, _)| link);
        for link in core::mem::take(&mut deception.silenced).into_iter().chain(held) {
            if self.network.links.contains_key(&link) {
                self.break_link(link, 500, 500);
            }
        }
        if let Some((_, stand_in)) = self.clients[client].deception.instead.take() {
            self.break_links(client, stand_in);
        }
    }

    /// Makes a copy of what a relay has, to which it is put back at this time; once.
    fn copy_relay(&mut self, relay: usize, until: Timestamp) -> Option<()> {
        if self.put_back.is_some() {
            return None;
        }
        let copy = OldCopy { relay, made_at: self.now, store: self.relays[relay].store.clone() };
        self.put_back = Some(Some(Box::new(copy)));
        self.agenda.put(until, Happening::PutsBack);
        Some(())
    }

    /// Whether a relay was put back already.
    pub(super) const fn was_put_back(&self) -> bool {
        matches!(self.put_back, Some(None))
    }

    /// A relay has no more than its old copy from now on. What it had stored since may be lost.
    pub(super) fn put_back(&mut self) {
        let Some(copy) = self.put_back.as_mut().and_then(Option::take) else { return };
        let OldCopy { relay, made_at, store } = *copy;
        self.note(|| format!("relay {relay} is put back"));
        self.relays[relay].store = store;
        self.crash_relay(relay);
        for said in self.ledger.said.values_mut() {
            said.deceived |= match said.fate {
                Fate::Acknowledged(at) => at >= made_at,
                Fate::Pending | Fate::Failed => true,
            };
        }
    }

    fn break_links(&mut self, client: usize, relay: usize) {
        for link in self.network.of_client(client) {
            if self.network.links.get(&link).is_some_and(|link| link.relay == relay) {
                self.break_link(link, 500, 500);
            }
        }
    }

    /// The relay that stands at this address for a device.
    pub(super) fn at_address(&self, client: usize, relay: usize) -> usize {
        match self.clients[client].deception.instead {
            Some((true_one, stand_in)) if true_one == relay => stand_in,
            _ => relay,
        }
    }

    /// What becomes of an answer on its way to a device that is lied to.
    pub(super) fn deceive(
        &mut self,
        link: LinkId,
        client: usize,
        mut frame: AnswerFrame,
    ) -> Vec<AnswerFrame> {
        let now = self.now;
        self.note_list(&frame.answer);
        let device = &mut self.clients[client];
        let deception = &mut device.deception;
        let lie = deception.lie.filter(|(_, until)| *until > now).map(|(lie, _)| lie);
        let acts = device.dice.happens(300);
        match lie {
            Some(Lie::Swallow) if acts => {
                deception.silenced.insert(link);
                Vec::new()
            }
            Some(Lie::Reorder) if acts && deception.held.is_none() => {
                deception.held = Some((link, frame));
                Vec::new()
            }
            Some(Lie::Repeat) => {
                deception.kept.truncate(KEPT_MAX - 1);
                deception.kept.insert(0, frame.clone());
                let again = device.dice.below(deception.kept.len() as u64);
                let again = deception.kept[usize::try_from(again).unwrap_or_default()].clone();
                if acts { vec![frame, again] } else { vec![frame] }
            }
            Some(Lie::Bend) if acts => {
                bend(&mut frame.answer);
                vec![frame]
            }
            Some(Lie::OldList) => {
                if let Answer::Card { device_list, .. } = &mut frame.answer
                    && let Some(old) = self.first_list.clone()
                {
                    *device_list = old;
                }
                vec![frame]
            }
            _ => {
                let held = deception.held.take_if(|(at, _)| *at == link);
                core::iter::once(frame).chain(held.map(|(_, held)| held)).collect()
            }
        }
    }

    fn note_list(&mut self, answer: &Answer) {
        if let Answer::Card { device_list, .. } = answer {
            self.first_list.get_or_insert_with(|| device_list.clone());
        }
    }
}

/// Changes what somebody wrote.
fn bend(answer: &mut Answer) {
    let change = |bytes: &bytes::Bytes| {
        let mut other = bytes.to_vec();
        if let Some(byte) = other.last_mut() {
            *byte ^= 1;
        }
        bytes::Bytes::from(other)
    };
    match answer {
        Answer::Entry(entry) => {
            if let EntryBody::Whole { content: Content::Inline(bytes), .. } = &mut entry.body {
                *bytes = change(bytes);
            }
        }
        Answer::InboxItem(item) => item.item = change(&item.item),
        Answer::BlobChunk { content, .. } => *content = change(content),
        Answer::KeyPackage { package, .. } => *package = change(package),
        Answer::Card { card, .. } => *card = change(card),
        _ => {}
    }
}
