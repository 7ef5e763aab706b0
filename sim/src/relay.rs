//! A relay with the real rules and a store in memory, which can die at a write.

use std::{collections::BTreeMap, sync::Arc};

use hushwire_protocol::address::{Host, RelayAddress};
use hushwire_relay_rules::{
    Group, MemoryStore, Progress, Reading, Reply, Session, Signer, Source, Step, WaitingRoom, Wake,
    store::{ReadLimit, Store as _, StoreError},
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
/// How often expired rows are swept, in milliseconds.
const SWEEP_MS: u64 = 60_000;

/// Where in a write a relay dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Before,
    After,
}

/// Which of a relay's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat(u64);

pub(crate) struct Relay {
    number: u8,
    pub(crate) address: RelayAddress,
    pub(crate) store: MemoryStore,
    pub(crate) up: bool,
    signer: Signer,
    limits: Arc<Limits>,
    waiting: WaitingRoom,
    sessions: BTreeMap<Seat, Open>,
    last: u64,
    swept: Timestamp,
    /// It dies at a write, after so many others.
    dies: Option<(u32, Edge)>,
}

struct Open {
    session: Session,
    readings: BTreeMap<RequestId, (Reading, Wake)>,
}

/// Nobody waits; draws are the same for the same seed.
fn waiting(seed: u64) -> WaitingRoom {
    WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(seed)))
}

/// What a relay says, and on which session.
pub(crate) type Said = (Seat, AnswerFrame);

/// Whether a relay is still there after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Goes,
    Died,
}

impl Relay {
    pub(crate) fn new(number: u8) -> Self {
        let signer = Signer::new(SigningKey::from_bytes(&[number; 32]));
        let id = transcript::relay_id(&signer.public_key());
        let host = Host::parse(&format!("relay{number}.example")).expect("a host");
        Self {
            number,
            address: RelayAddress::new(host, 4433, id).expect("an address"),
            store: MemoryStore::new(),
            up: true,
            signer,
            limits: Arc::new(Limits::V1),
            waiting: waiting(number.into()),
            sessions: BTreeMap::new(),
            last: 0,
            swept: Timestamp(0),
            dies: None,
        }
    }

    /// Another relay that has the same key and the same things, and goes on by itself.
    pub(crate) fn copy(&self) -> Self {
        Self { store: self.store.clone(), swept: self.swept, ..Self::new(self.number) }
    }

    /// A connection came.
    pub(crate) fn open(&mut self) -> Seat {
        self.last += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.last.to_be_bytes());
        let key = self.signer.public_key();
        let source = Source::from_bytes(self.last.to_be_bytes());
        let nonce = Nonce::from_bytes(nonce);
        let session = Session::new(key, Arc::clone(&self.limits), nonce, source);
        let seat = Seat(self.last);
        self.sessions.insert(seat, Open { session, readings: BTreeMap::new() });
        seat
    }

    /// A connection is gone.
    pub(crate) fn close(&mut self, seat: Seat) {
        self.sessions.remove(&seat);
    }

    /// Dies at a write from now on, after so many.
    pub(crate) fn die_at(&mut self, writes: u32, edge: Edge) {
        self.dies = Some((writes, edge));
    }

    /// Nothing that was planned for it happens any more.
    pub(crate) fn heal(&mut self) {
        self.dies = None;
        self.store.fail_commits(None);
    }

    /// Its disk refuses everything, or nothing any more.
    pub(crate) fn set_disk(&mut self, failure: Option<StoreError>) {
        self.store.fail_commits(failure);
    }

    /// Dies: what it had in memory is gone.
    pub(crate) fn die(&mut self) {
        self.up = false;
        self.sessions.clear();
        self.waiting = waiting(self.last);
        self.dies = None;
    }

    /// Takes a request, and says what it says to anybody.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        seat: Seat,
        frame: RequestFrame,
    ) -> (Vec<Said>, Life) {
        if now.ms_since(self.swept) >= SWEEP_MS {
            self.swept = now;
            while self.store.expire(now, 64).is_ok_and(|swept| swept == 64) {}
        }
        let Some(open) = self.sessions.get_mut(&seat) else { return (Vec::new(), Life::Goes) };
        let step = open.session.handle(now, frame.id, frame.request);
        let mut said = Vec::new();
        let life = self.act(now, seat, frame.id, step, &mut said);
        if life == Life::Died {
            return (Vec::new(), life);
        }
        self.read_on(now, &mut said);
        (said, life)
    }

    fn act(
        &mut self,
        now: Timestamp,
        seat: Seat,
        id: RequestId,
        step: Step,
        said: &mut Vec<Said>,
    ) -> Life {
        let outcome = match step {
            Step::Reply(reply) | Step::ReplyThenClose(reply) => {
                said.push((seat, AnswerFrame { id, answer: self.signer.sign(reply) }));
                return Life::Goes;
            }
            Step::Read(reading) => {
                if let Some(open) = self.sessions.get_mut(&seat) {
                    open.readings.insert(id, (reading, Wake::Due));
                }
                return Life::Goes;
            }
            Step::Stop { readings, reply } => {
                for stopped in readings {
                    let open = self.sessions.get_mut(&seat);
                    if open.is_some_and(|open| open.readings.remove(&stopped).is_some()) {
                        let answer = self.signer.sign(Reply::read_over());
                        said.push((seat, AnswerFrame { id: stopped, answer }));
                    }
                }
                said.push((seat, AnswerFrame { id, answer: self.signer.sign(reply) }));
                return Life::Goes;
            }
            Step::Lookup(lookup) => lookup.run(&self.store, now),
            Step::Write(write) => {
                let dies = match &mut self.dies {
                    Some((0, edge)) => Some(*edge),
                    Some((left, _)) => {
                        *left -= 1;
                        None
                    }
                    None => None,
                };
                if dies == Some(Edge::Before) {
                    return Life::Died;
                }
                let mut group = Group::new();
                group.plan(&self.store, &self.limits, &mut self.waiting, now, (), &write);
                let mut stored = group.commit(&mut self.store);
                if dies == Some(Edge::After) {
                    return Life::Died;
                }
                let sessions = self.sessions.values_mut();
                for (reading, wake) in sessions.flat_map(|open| open.readings.values_mut()) {
                    if stored.news.iter().any(|news| reading.wake(news) == Wake::Due) {
                        *wake = Wake::Due;
                    }
                }
                stored.outcomes.remove(0).1
            }
        };
        match self.sessions.get_mut(&seat) {
            Some(open) => {
                let step = open.session.complete(id, outcome);
                self.act(now, seat, id, step, said)
            }
            None => Life::Goes,
        }
    }

    fn read_on(&mut self, now: Timestamp, said: &mut Vec<Said>) {
        let (store, signer) = (&self.store, &mut self.signer);
        for (seat, open) in &mut self.sessions {
            let Open { session, readings } = open;
            readings.retain(|id, (reading, wake)| {
                while *wake == Wake::Due {
                    let step = reading.next(store, now, RUN);
                    said.extend(
                        step.replies.into_iter().map(|reply| {
                            (*seat, AnswerFrame { id: *id, answer: signer.sign(reply) })
                        }),
                    );
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
    }
}
