//! What a hostile member does in the groups that it is in.

use hushwire_protocol::{
    group::{CommitIntent, Role},
    identity::Fingerprint,
    insider::Seals,
};
use hushwire_wire::{
    frame::RequestFrame,
    id::{ChannelId, EpochId, Nonce, Sequence},
    message::{
        Answer, Appended, ChannelOpened, Content, Entry, EntryBody, Follow, Hello, Request,
        RequestId,
    },
    transcript::{self, Cut, Operation},
    version::VersionRange,
};
use rand_core::Rng as _;

use super::{Happening, World};
use crate::{
    insider::{self, Forgery, Loot},
    ledger::Harm,
    relay::Life,
};

/// Garbage commits in a row, the first one included.
const FLOOD: u8 = 3;
/// Valid commits in a row.
const STORM: u8 = 12;
/// The rest between two commits of a flood, in milliseconds.
const FLOOD_REST_MS: u64 = 600;
/// The same of a storm: an epoch has to be so old.
const STORM_REST_MS: u64 = 1_050;

/// What is done, with what honest members have to call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    GarbageMessage,
    GarbageCommit(Cut),
    Nonsense,
    StrangeKey,
    WithoutRight,
    RemovalWithoutCut,
    Rewrapped,
    Replayed,
    ContestedValid,
    Flood,
    Storm,
    Half,
    Departure,
}

impl Trick {
    const ALL: [Self; 14] = [
        Self::GarbageMessage,
        Self::GarbageCommit(Cut::Through),
        Self::GarbageCommit(Cut::Cut),
        Self::Nonsense,
        Self::StrangeKey,
        Self::WithoutRight,
        Self::RemovalWithoutCut,
        Self::Rewrapped,
        Self::Replayed,
        Self::ContestedValid,
        Self::Flood,
        Self::Storm,
        Self::Half,
        Self::Departure,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GarbageMessage => "garbage message",
            Self::GarbageCommit(Cut::Through) => "garbage commit",
            Self::GarbageCommit(Cut::Cut) => "garbage commit, cut",
            Self::Nonsense => "nonsense in an envelope",
            Self::StrangeKey => "commit with a strange key",
            Self::WithoutRight => "commit without the right",
            Self::RemovalWithoutCut => "removal without cut",
            Self::Rewrapped => "entry in another envelope",
            Self::Replayed => "entry replayed",
            Self::ContestedValid => "valid commit contested",
            Self::Flood => "flood of garbage commits",
            Self::Storm => "storm of commits",
            Self::Half => "commit that half can process",
            Self::Departure => "departure that is none",
        }
    }

    /// The codes of which one is what members warn with; empty: nobody need notice.
    const fn codes(self) -> &'static [&'static str] {
        match self {
            Self::GarbageMessage | Self::GarbageCommit(_) | Self::Flood | Self::Replayed => {
                &["Undecryptable"]
            }
            Self::Nonsense => &["MalformedMessage", "WrongWireFormat"],
            Self::StrangeKey => &["NextKeyMismatch"],
            Self::WithoutRight => &["NoRight", "LastOwner"],
            Self::RemovalWithoutCut => &["RemovalWithoutCut"],
            // What it wraps anew may be its own nonsense.
            Self::Rewrapped => &[
                "KeyUnavailable",
                "OwnLeaf",
                "UndecryptableMessage",
                "MalformedMessage",
                "WrongWireFormat",
            ],
            Self::ContestedValid | Self::Storm | Self::Half | Self::Departure => &[],
        }
    }
}

/// A seat at a relay, opened with the keys of an epoch.
struct Burglary {
    relay: usize,
    seat: crate::relay::Seat,
    opened: ChannelOpened,
}

impl World {
    /// The hostile member does something in one of its groups.
    pub(crate) fn mischief(&mut self, client: usize, draws: [u32; 3]) -> Option<&'static str> {
        let [_, which, how] = draws;
        let store = self.clients[client].engine.as_ref()?.store();
        let channels = insider::channels(store);
        let count = u32::try_from(channels.len()).ok().filter(|count| *count > 0)?;
        let tricks = u32::try_from(Trick::ALL.len()).ok()?;
        let trick = Trick::ALL[(how % tricks) as usize];
        // In one of its groups it can be done, if in any.
        let turned = channels.iter().cycle().skip((which % count) as usize).take(channels.len());
        let mut turned = turned.copied();
        turned.find_map(|channel| self.play(client, channel, trick)).map(|()| trick.name())
    }

    fn play(&mut self, client: usize, channel: ChannelId, trick: Trick) -> Option<()> {
        let seed = self.evil.next_u64();
        let loot = Loot::take(self.clients[client].engine.as_ref()?.store(), channel)?;
        if trick == Trick::Flood || trick == Trick::Storm {
            let left = if trick == Trick::Flood { FLOOD } else { STORM };
            return self.press(client, loot, trick, left);
        }
        if trick == Trick::ContestedValid {
            return self.contest_valid(channel, seed);
        }
        let forgery = self.forge(client, &loot, trick, seed)?;
        self.append(&loot, &forgery)?;
        let idle = trick == Trick::Rewrapped && loot.is_idle(&forgery);
        self.harmed(channel, trick, if idle { &[] } else { trick.codes() });
        Some(())
    }

    /// The entry of a trick, made of what the device has now.
    fn forge(&mut self, client: usize, loot: &Loot, trick: Trick, seed: u64) -> Option<Forgery> {
        let me = Fingerprint::from_hex(&self.people[self.clients[client].person]).ok()?;
        let sealed = |intent, cut, seals| loot.commit(intent, Vec::new(), cut, seals, seed);
        let valid = |intent, cut| sealed(intent, cut, Seals::Whole);
        match trick {
            Trick::GarbageMessage => Some(Loot::garbage(Operation::Message, seed)),
            Trick::GarbageCommit(cut) => {
                let mark = Loot::mark(cut, Vec::new(), seed);
                Some(Loot::garbage(Operation::Commit(mark), seed))
            }
            Trick::Nonsense => loot.nonsense(seed),
            Trick::Departure => loot.departure(seed),
            Trick::Half => sealed(CommitIntent::default(), Cut::Through, Seals::Half),
            Trick::StrangeKey => {
                let commit = valid(CommitIntent::default(), Cut::Through)?;
                loot.with_strange_key(commit, seed)
            }
            Trick::WithoutRight => {
                let others = loot.others(&me, seed);
                let state = loot.state(seed)?;
                let above = others.into_iter().find(|other| state.role(other) == Role::Owner)?;
                let outranked = loot.is_group(seed) && loot.role(&me, seed)? != Role::Owner;
                if !outranked {
                    return None;
                }
                valid(insider::removal(above), Cut::Cut)
            }
            Trick::RemovalWithoutCut => {
                let whom = *loot.others(&me, seed).first()?;
                if !loot.is_group(seed) {
                    return None;
                }
                valid(insider::removal(whom), Cut::Through)
            }
            Trick::Rewrapped => {
                let entry = self.read(loot)?.into_iter().find_map(whole)?;
                loot.rewrapped(&entry.0, &entry.1, seed)
            }
            Trick::Replayed => {
                let (epoch, old) = self.before.get(&loot.channel).cloned()?;
                (epoch != loot.epoch).then_some(Forgery {
                    operation: Operation::Message,
                    envelope: old,
                    next_keys: None,
                })
            }
            Trick::ContestedValid | Trick::Flood | Trick::Storm => None,
        }
    }

    /// Notes an envelope of each epoch, and the epoch's keys, for later.
    pub(crate) fn hoard(&mut self) {
        let Some(person) = self.hostile else { return };
        for client in 0..self.clients.len() {
            if self.clients[client].person != person {
                continue;
            }
            let Some(engine) = self.clients[client].engine.as_ref() else { continue };
            for channel in insider::channels(engine.store()) {
                self.hoard_of(client, channel);
            }
        }
    }

    fn hoard_of(&mut self, client: usize, channel: ChannelId) {
        let Some(engine) = self.clients[client].engine.as_ref() else { return };
        let Some(loot) = Loot::take(engine.store(), channel) else { return };
        if self.hoard.get(&channel).is_some_and(|kept| kept.epoch == loot.epoch) {
            return;
        }
        if let Some((_, envelope)) =
            self.read(&loot).and_then(|entries| entries.into_iter().find_map(whole))
        {
            self.before.entry(channel).or_insert((loot.epoch, envelope));
        }
        self.hoard.insert(channel, loot);
    }

    /// Contests the valid commit by which the epoch of the hoard ended.
    fn contest_valid(&mut self, channel: ChannelId, seed: u64) -> Option<()> {
        let loot = self.hoard.remove(&channel)?;
        let burglary = self.break_in(&loot)?;
        let candidates = burglary.opened.candidates.clone();
        let forgery = (!candidates.is_empty()).then(|| {
            loot.commit(CommitIntent::default(), candidates, Cut::Through, Seals::Whole, seed)
        });
        let appended = forgery.flatten().and_then(|forgery| self.append_at(&burglary, &forgery));
        self.leave_seat(&burglary);
        appended.map(|_| ())
    }

    /// One commit of a row, and the next one later.
    pub(crate) fn press(
        &mut self,
        client: usize,
        mut loot: Loot,
        trick: Trick,
        left: u8,
    ) -> Option<()> {
        let seed = self.evil.next_u64();
        let burglary = self.break_in(&loot)?;
        let candidates = burglary.opened.candidates.clone();
        // Of what comes behind the commit by which the others went on nobody hears.
        let is_first = candidates.is_empty();
        let forgery = match trick {
            Trick::Storm if candidates.is_empty() => {
                loot.commit(CommitIntent::default(), Vec::new(), Cut::Through, Seals::Whole, seed)
            }
            Trick::Storm => None,
            _ => {
                let mark = Loot::mark(Cut::Through, candidates, seed);
                Some(Loot::garbage(Operation::Commit(mark), seed))
            }
        };
        let appended = forgery.and_then(|forgery| {
            let appended = self.append_at(&burglary, &forgery)?;
            // Beside garbage candidates an epoch takes garbage notes.
            let _refused = self.append_at(&burglary, &Loot::garbage(Operation::Note, seed));
            Some((appended, forgery))
        });
        self.leave_seat(&burglary);
        let (appended, forgery) = appended?;
        if is_first {
            self.harmed(loot.channel, trick, trick.codes());
        }
        let rest = match forgery.next_keys {
            Some(keys) => {
                loot.follow(&appended.entry, keys, seed)?;
                STORM_REST_MS
            }
            None => FLOOD_REST_MS,
        };
        if left > 1 {
            let at = self.now.plus_ms(rest);
            let loot = Box::new(loot);
            self.agenda.put(at, Happening::Presses { client, loot, trick, left: left - 1 });
        }
        Some(())
    }

    fn append(&mut self, loot: &Loot, forgery: &Forgery) -> Option<Appended> {
        let burglary = self.break_in(loot)?;
        let appended = self.append_at(&burglary, forgery);
        self.leave_seat(&burglary);
        appended
    }

    /// What a relay has of an epoch.
    fn read(&mut self, loot: &Loot) -> Option<Vec<Entry>> {
        let burglary = self.break_in(loot)?;
        let request = Request::ChannelRead {
            handle: burglary.opened.handle,
            epoch: loot.epoch,
            from: Sequence::FIRST,
            follow: Follow::UntilEnd,
        };
        let answers = self.demand(burglary.relay, burglary.seat, 2, request);
        self.leave_seat(&burglary);
        let entries = answers.into_iter().filter_map(|answer| match answer {
            Answer::Entry(entry) if entry.epoch == loot.epoch => Some(entry),
            _ => None,
        });
        Some(entries.collect())
    }

    fn append_at(&mut self, burglary: &Burglary, forgery: &Forgery) -> Option<Appended> {
        let content = Content::Inline(bytes::Bytes::copy_from_slice(&forgery.envelope));
        let operation = forgery.operation.clone();
        let request = Request::Append { handle: burglary.opened.handle, content, operation };
        let answers = self.demand(burglary.relay, burglary.seat, 3, request);
        answers.into_iter().find_map(|answer| match answer {
            Answer::Appended(appended) => Some(appended),
            _ => None,
        })
    }

    fn break_in(&mut self, loot: &Loot) -> Option<Burglary> {
        let relay = self.relays.iter().position(|relay| relay.address.to_string() == loot.relay)?;
        if !self.relays[relay].up {
            return None;
        }
        let seat = self.relays[relay].open();
        let nonce = Nonce::from_bytes([9; 32]);
        let versions = VersionRange::SUPPORTED;
        let hello = Request::Hello(Hello { versions, nonce, capabilities: 0 });
        let reply = self.demand(relay, seat, 0, hello).pop()?;
        let Answer::Hello(reply) = reply else { return None };
        let session = transcript::session_id(1, &nonce, &reply.nonce, &reply.relay_key);
        let id = transcript::relay_id(&reply.relay_key);
        let signed = transcript::channel_open(&id, &session, &loot.channel, &loot.epoch);
        let request = Request::ChannelOpen {
            channel: loot.channel,
            epoch: loot.epoch,
            signature: signed.sign(&loot.keys.signing),
        };
        match self.demand(relay, seat, 1, request).pop()? {
            Answer::ChannelOpened(opened) => Some(Burglary { relay, seat, opened }),
            _ => {
                self.relays[relay].close(seat);
                None
            }
        }
    }

    fn leave_seat(&mut self, burglary: &Burglary) {
        self.relays[burglary.relay].close(burglary.seat);
    }

    /// Asks a relay on a seat of one's own; others hear what they have to.
    pub(super) fn demand(
        &mut self,
        relay: usize,
        seat: crate::relay::Seat,
        number: u64,
        request: Request,
    ) -> Vec<Answer> {
        let id = RequestId(number);
        let (said, life) = self.relays[relay].take(self.now, seat, RequestFrame { id, request });
        if life == Life::Died {
            self.crash_relay(relay);
            return Vec::new();
        }
        let (own, others) = said.into_iter().partition(|(at, _)| *at == seat);
        self.deliver(relay, others);
        let own: Vec<crate::relay::Said> = own;
        own.into_iter().filter(|(_, frame)| frame.id == id).map(|(_, frame)| frame.answer).collect()
    }

    /// Honest members of this group have something to notice.
    fn harmed(&mut self, channel: ChannelId, trick: Trick, codes: &'static [&'static str]) {
        if trick == Trick::Half {
            self.ledger.parted.entry(channel).or_insert(self.now);
        }
        let at = self.now;
        self.note(|| format!("the hostile member: {}", trick.name()));
        self.ledger.harms.push(Harm { channel, at, codes });
    }
}

/// An entry that is there whole: how it was written, and its envelope.
fn whole(entry: Entry) -> Option<(Operation, Vec<u8>)> {
    match entry.body {
        EntryBody::Whole { content: Content::Inline(envelope), operation } => {
            Some((operation, envelope.to_vec()))
        }
        _ => None,
    }
}

/// Names for what is kept of earlier epochs.
pub(crate) type Before = std::collections::BTreeMap<ChannelId, (EpochId, Vec<u8>)>;
