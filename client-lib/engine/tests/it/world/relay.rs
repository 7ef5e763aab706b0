//! A relay with the real rules and a store in memory, without a network.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use hushwire_relay_rules::{
    Group, MemoryStore, Progress, Reading, Reply as RelayReply, Session, Signer, Source, Step,
    WaitingRoom, Wake, store::ReadLimit,
};
use hushwire_wire::{
    SigningKey,
    frame::{AnswerFrame, RequestFrame},
    id::{Nonce, Timestamp},
    limit::Limits,
    message::RequestId,
    transcript,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

/// What one run of a reading takes from the store.
const RUN: ReadLimit = ReadLimit { rows_max: 64, bytes_max: 64 * 1024 };

pub(super) struct Relay {
    pub(super) address: String,
    pub(super) store: MemoryStore,
    pub(super) signer: Signer,
    pub(super) limits: Arc<Limits>,
    waiting: WaitingRoom,
    pub(super) up: bool,
    pub(super) sessions: BTreeMap<u64, Open>,
    pub(super) last_session: u64,
}

pub(super) struct Open {
    pub(super) session: Session,
    pub(super) readings: BTreeMap<RequestId, (Reading, Wake)>,
    pub(super) answers: VecDeque<AnswerFrame>,
}

/// The key of the relay with this number, counted from 1.
pub(super) fn signing_key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// The key of a relay.
pub(crate) struct RelayKey(Signer);

impl RelayKey {
    pub(super) fn from_seed(seed: u8) -> Self {
        Self(Signer::new(signing_key(seed)))
    }
}

impl Relay {
    pub(super) fn swap_key(&mut self, key: RelayKey) -> RelayKey {
        let id = transcript::relay_id(&key.0.public_key());
        let host = self.address.split(':').next().unwrap();
        let host = hushwire_protocol::address::Host::parse(host).unwrap();
        let address = hushwire_protocol::address::RelayAddress::new(host, 4433, id).unwrap();
        self.address = address.to_string();
        RelayKey(core::mem::replace(&mut self.signer, key.0))
    }

    pub(super) fn new(seed: u8) -> Self {
        let signer = Signer::new(signing_key(seed));
        let id = transcript::relay_id(&signer.public_key());
        let host =
            hushwire_protocol::address::Host::parse(&format!("relay{seed}.example")).unwrap();
        let address = hushwire_protocol::address::RelayAddress::new(host, 4433, id).unwrap();
        Self {
            address: address.to_string(),
            store: MemoryStore::new(),
            signer,
            limits: Arc::new(Limits::V1),
            waiting: WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(seed.into()))),
            up: true,
            sessions: BTreeMap::new(),
            last_session: 0,
        }
    }

    pub(super) fn open(&mut self) -> u64 {
        self.last_session += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.last_session.to_be_bytes());
        let key = self.signer.public_key();
        let source = Source::from_bytes(self.last_session.to_be_bytes());
        let nonce = Nonce::from_bytes(nonce);
        let session = Session::new(key, Arc::clone(&self.limits), nonce, source);
        let open = Open { session, readings: BTreeMap::new(), answers: VecDeque::new() };
        self.sessions.insert(self.last_session, open);
        self.last_session
    }

    pub(super) fn take(&mut self, now: Timestamp, session: u64, frame: RequestFrame) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let step = open.session.handle(now, frame.id, frame.request);
        self.act(now, session, frame.id, step);
        self.run_readings(now);
    }

    pub(super) fn act(&mut self, now: Timestamp, session: u64, id: RequestId, step: Step) {
        let outcome = match step {
            Step::Reply(reply) | Step::ReplyThenClose(reply) => {
                return self.answer(session, id, reply);
            }
            Step::Read(reading) => {
                if let Some(open) = self.sessions.get_mut(&session) {
                    open.readings.insert(id, (reading, Wake::Due));
                }
                return;
            }
            Step::Stop { readings, reply } => {
                for stopped in readings {
                    let open = self.sessions.get_mut(&session).unwrap();
                    if open.readings.remove(&stopped).is_some() {
                        self.answer(session, stopped, RelayReply::read_over());
                    }
                }
                return self.answer(session, id, reply);
            }
            Step::Lookup(lookup) => lookup.run(&self.store, now),
            Step::Write(write) => {
                let mut group = Group::new();
                group.plan(&self.store, &self.limits, &mut self.waiting, now, (), &write);
                let mut stored = group.commit(&mut self.store);
                let sessions = self.sessions.values_mut();
                for (reading, wake) in sessions.flat_map(|open| open.readings.values_mut()) {
                    if stored.news.iter().any(|news| reading.wake(news) == Wake::Due) {
                        *wake = Wake::Due;
                    }
                }
                stored.outcomes.remove(0).1
            }
        };
        if let Some(open) = self.sessions.get_mut(&session) {
            let step = open.session.complete(id, outcome);
            self.act(now, session, id, step);
        }
    }

    pub(super) fn run_readings(&mut self, now: Timestamp) {
        let mut said = Vec::new();
        for (number, open) in &mut self.sessions {
            let Open { session, readings, .. } = open;
            readings.retain(|id, (reading, wake)| {
                while *wake == Wake::Due {
                    let step = reading.next(&self.store, now, RUN);
                    said.extend(step.replies.into_iter().map(|reply| (*number, *id, reply)));
                    match step.progress {
                        Progress::More => {}
                        Progress::CaughtUp => *wake = Wake::Unconcerned,
                        Progress::Over => {
                            session.reading_over(*id);
                            return false;
                        }
                    }
                }
                true
            });
        }
        for (session, id, reply) in said {
            self.answer(session, id, reply);
        }
    }

    pub(super) fn answer(&mut self, session: u64, id: RequestId, reply: RelayReply) {
        let answer = self.signer.sign(reply);
        if let Some(open) = self.sessions.get_mut(&session) {
            open.answers.push_back(AnswerFrame { id, answer });
        }
    }
}
