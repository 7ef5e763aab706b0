//! A relay that runs a script of requests: the rules over a store in memory, with the script's clock.
//! What the fields of a script mean is said in `test-vectors/README.md`.

mod answer;
mod request;
pub mod script;

use std::{collections::BTreeMap, sync::Arc};

use hushwire_relay_rules::{
    Group, MemoryStore, Progress, Reading, Session, Signer, Source, Step, WaitingRoom,
    store::ReadLimit,
};
use hushwire_wire::{
    SigningKey,
    error::{Blame, Code},
    id::Timestamp,
    limit::Limits,
    message::{Answer, Handle, Hello, Request, RequestId},
    transcript,
    version::VersionRange,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Outcome, Phase},
};

/// Runs a script.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let steps = input.field("steps").as_array().expect("a list of steps");
    let mut relay = Relay::new(input);
    let said: Vec<Value> = steps.iter().map(|step| relay.step(Input(step))).collect();
    outcome(said)
}

/// The outcome of a script whose steps were answered like this.
pub fn outcome(said: Vec<Value>) -> Outcome {
    let last = said.last().and_then(|answer| answer.get("error")).and_then(Value::as_str);
    let code = last.map(|name| {
        *Code::ALL.iter().find(|code| code.name() == name).expect("a code of the registry")
    });
    let outputs = json!({ "steps": said });
    code.map_or_else(Outcome::accepted, |code| Outcome::refused(phase(code), code.name()))
        .with_outputs(outputs)
}

fn phase(code: Code) -> Phase {
    match (code, code.blame()) {
        (Code::Denied, _) => Phase::Authenticate,
        (_, Blame::Client) => Phase::Policy,
        (_, Blame::State | Blame::Relay) => Phase::State,
    }
}

struct Relay {
    store: MemoryStore,
    limits: Arc<Limits>,
    waiting: WaitingRoom,
    signer: Signer,
    now: Timestamp,
    sessions: BTreeMap<String, Client>,
}

struct Client {
    session: Session,
    last_id: u64,
    handles: BTreeMap<String, Handle>,
    /// Requests that the store has not answered yet.
    held: BTreeMap<RequestId, Step>,
}

impl Client {
    const fn new(session: Session) -> Self {
        Self { session, last_id: 0, handles: BTreeMap::new(), held: BTreeMap::new() }
    }
}

/// What became of a step.
struct Said {
    answers: Vec<Answer>,
    /// Readings that ended with it.
    readings_over: Vec<RequestId>,
    life: Life,
}

/// Whether the session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    GoesOn,
    Ended,
}

impl Said {
    const fn answers(answers: Vec<Answer>) -> Self {
        Self { answers, readings_over: Vec::new(), life: Life::GoesOn }
    }

    fn value(&self) -> Value {
        let mut value = answer::value(&self.answers);
        if !self.readings_over.is_empty() {
            let ids: Vec<_> = self.readings_over.iter().map(|id| id.0.to_string()).collect();
            value["readings_over"] = ids.into();
        }
        if self.life == Life::Ended {
            value["ended"] = true.into();
        }
        value
    }
}

impl Relay {
    fn new(input: Input<'_>) -> Self {
        let seed: [u8; 32] = input.bytes("relay_seed").try_into().expect("32 bytes");
        Self {
            store: MemoryStore::new(),
            limits: Arc::new(limits(Input(input.field("limits")))),
            waiting: nobody_waits(),
            signer: Signer::new(SigningKey::from_bytes(&seed)),
            now: Timestamp(0),
            sessions: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: Input<'_>) -> Value {
        self.now = Timestamp(step.integer("at_ms"));
        match step.text("op") {
            "connect" => self.connect(step),
            "stream" => {
                self.insert(step, Client::new(self.session(step)));
                json!({})
            }
            "restart" => {
                self.sessions.clear();
                self.waiting = nobody_waits();
                json!({})
            }
            _ => self.ask(step),
        }
    }

    fn connect(&mut self, step: Input<'_>) -> Value {
        let nonce = step.id("client_nonce");
        let mut session = self.session(step);
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 };
        let step_taken = session.handle(self.now, RequestId::HELLO, Request::Hello(hello));
        let Step::Reply(reply) = step_taken else { panic!("the hello was refused") };
        let Answer::Hello(reply) = self.signer.sign(reply) else { panic!("no hello") };
        let id = transcript::session_id(reply.version, &nonce, &reply.nonce, &reply.relay_key);
        self.insert(step, Client::new(session));
        json!({ "session_id": hex::encode(id) })
    }

    /// A session before its hello.
    fn session(&self, step: Input<'_>) -> Session {
        // All sessions of a script come from one place.
        let source = Source::from_bytes([0; Source::LENGTH]);
        let nonce = step.id("relay_nonce");
        Session::new(self.signer.public_key(), self.limits.clone(), nonce, source)
    }

    fn insert(&mut self, step: Input<'_>, client: Client) {
        self.sessions.insert(step.text("session").to_owned(), client);
    }

    fn ask(&mut self, step: Input<'_>) -> Value {
        let name = step.text("session").to_owned();
        let mut client = self.sessions.remove(&name).expect("a session that is open");
        let id = match step.text("op") {
            "hello" => RequestId::HELLO,
            _ if step.has("request") => RequestId(step.integer("request")),
            _ => RequestId(client.last_id + 1),
        };
        client.last_id = client.last_id.max(id.0);
        let taken = match step.text("op") {
            "release" => client.held.remove(&id).expect("a request that is held"),
            _ => client.session.handle(self.now, id, request::request(step, &client.handles)),
        };
        if step.has("held") && matches!(taken, Step::Lookup(_) | Step::Write(_)) {
            client.held.insert(id, taken);
            self.sessions.insert(name, client);
            return json!({ "held": true });
        }
        let said = self.carry(&mut client.session, id, taken);
        if let (Some(handle), true) = (answer::handle(&said.answers), step.has("as")) {
            client.handles.insert(step.text("as").to_owned(), handle);
        }
        if said.life == Life::GoesOn {
            self.sessions.insert(name, client);
        }
        said.value()
    }

    /// Carries a request through to its answer, or a reading to its end or until it waits for news.
    fn carry(&mut self, session: &mut Session, id: RequestId, mut step: Step) -> Said {
        loop {
            let outcome = match step {
                Step::Reply(reply) => return Said::answers(vec![self.signer.sign(reply)]),
                Step::ReplyThenClose(reply) => {
                    let said = Said::answers(vec![self.signer.sign(reply)]);
                    return Said { life: Life::Ended, ..said };
                }
                Step::Stop { readings: readings_over, reply } => {
                    let said = Said::answers(vec![self.signer.sign(reply)]);
                    return Said { readings_over, ..said };
                }
                Step::Read(reading) => {
                    let (answers, progress) = self.read(reading);
                    if progress == Progress::Over {
                        session.reading_over(id);
                    }
                    return Said::answers(answers);
                }
                Step::Lookup(lookup) => lookup.run(&self.store, self.now),
                Step::Write(write) => {
                    let mut group = Group::new();
                    group.plan(&self.store, &self.limits, &mut self.waiting, self.now, (), &write);
                    group.commit(&mut self.store).outcomes.remove(0).1
                }
            };
            step = session.complete(id, outcome);
        }
    }

    fn read(&mut self, mut reading: Reading) -> (Vec<Answer>, Progress) {
        let budget = ReadLimit { rows_max: 64, bytes_max: 1 << 20 };
        let mut answers = Vec::new();
        loop {
            let step = reading.next(&self.store, self.now, budget);
            answers.extend(step.replies.into_iter().map(|reply| self.signer.sign(reply)));
            match step.progress {
                Progress::More => {}
                progress => return (answers, progress),
            }
        }
    }
}

/// A script never asks for a draw among several: its seed decides nothing.
fn nobody_waits() -> WaitingRoom {
    WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(0)))
}

/// The bounds of version 1, but for those that are given.
fn limits(given: Input<'_>) -> Limits {
    let mut limits = Limits::V1;
    for name in given.0.as_object().expect("an object of limits").keys() {
        let value = given.integer(name);
        let small = || u32::try_from(value).expect("a small limit");
        match name.as_str() {
            "entry_inline_bytes_max" => limits.entry_inline_bytes_max = small(),
            "entry_blob_bytes_max" => limits.entry_blob_bytes_max = value,
            "handles_max" => limits.handles_max = u16::try_from(value).expect("a u16"),
            "readings_max" => limits.readings_max = u16::try_from(value).expect("a u16"),
            "requests_in_flight_max" => {
                limits.requests_in_flight_max = u16::try_from(value).expect("a u16");
            }
            "candidates_max" => limits.candidates_max = u16::try_from(value).expect("a u16"),
            "notes_max" => limits.notes_max = u16::try_from(value).expect("a u16"),
            "note_bytes_max" => limits.note_bytes_max = small(),
            "gap_step" => limits.gap_step = u16::try_from(value).expect("a u16"),
            "inbox_item_bytes_max" => limits.inbox_item_bytes_max = small(),
            "inbox_items_max" => limits.inbox_items_max = small(),
            "capability_items_max" => limits.capability_items_max = small(),
            "shelf_takes_max" => limits.shelf_takes_max = u16::try_from(value).expect("a u16"),
            "shelf_takes_window_ms" => limits.shelf_takes_window_ms = value,
            "slots_max" => limits.slots_max = u16::try_from(value).expect("a u16"),
            "blob_bytes_max" => limits.blob_bytes_max = value,
            "blob_chunk_bytes" => limits.blob_chunk_bytes = small(),
            "message_retention_ms" => limits.message_retention_ms = value,
            "commit_retention_ms" => limits.commit_retention_ms = value,
            "epoch_retention_ms" => limits.epoch_retention_ms = value,
            "item_retention_ms" => limits.item_retention_ms = value,
            "blob_retention_ms" => limits.blob_retention_ms = value,
            "slot_lapse_ms" => limits.slot_lapse_ms = value,
            other => panic!("scripts do not set {other}"),
        }
    }
    limits
}
