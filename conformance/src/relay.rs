//! A relay that runs a script of requests: the rules over a store in memory, with the script's clock.
//!
//! Input: `relay_seed`, the relay's Ed25519 seed; `limits`, those that differ from version 1;
//! `steps`, each with `at_ms`, `session` and `op`, and the fields of the request by the names of
//! `wire.proto`. A step that opens gives its handle a name with `as`; `handle` uses the name, since
//! its number is the relay's choice. `restart` ends all sessions and keeps what is on disk.
//!
//! Outputs: `steps`, for each what it was answered: the fields of the answer, `error` with the code
//! (and `retry_after_ms`, `candidates`), or for a reading `parts`. The outcome of the last step is
//! the outcome of the test.

mod answer;
mod request;
pub mod script;

use std::{collections::BTreeMap, sync::Arc};

use hushwire_relay_rules::{
    Group, MemoryStore, Progress, Reading, Session, Signer, Step, store::ReadLimit,
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
    signer: Signer,
    now: Timestamp,
    sessions: BTreeMap<String, Client>,
}

struct Client {
    session: Session,
    last_id: u64,
    handles: BTreeMap<String, Handle>,
}

impl Relay {
    fn new(input: Input<'_>) -> Self {
        let seed: [u8; 32] = input.bytes("relay_seed").try_into().expect("32 bytes");
        Self {
            store: MemoryStore::new(),
            limits: Arc::new(limits(Input(input.field("limits")))),
            signer: Signer::new(SigningKey::from_bytes(&seed)),
            now: Timestamp(0),
            sessions: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: Input<'_>) -> Value {
        self.now = Timestamp(step.integer("at_ms"));
        match step.text("op") {
            "connect" => self.connect(step),
            "restart" => {
                self.sessions.clear();
                json!({})
            }
            _ => self.ask(step),
        }
    }

    fn connect(&mut self, step: Input<'_>) -> Value {
        let nonce = step.id("client_nonce");
        let key = self.signer.public_key();
        let mut session = Session::new(key, self.limits.clone(), step.id("relay_nonce"));
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 };
        let step_taken = session.handle(self.now, RequestId::HELLO, Request::Hello(hello));
        let Step::Reply(reply) = step_taken else { panic!("the hello was refused") };
        let Answer::Hello(reply) = self.signer.sign(reply) else { panic!("no hello") };
        let id = transcript::session_id(reply.version, &nonce, &reply.nonce, &reply.relay_key);
        let client = Client { session, last_id: 0, handles: BTreeMap::new() };
        self.sessions.insert(step.text("session").to_owned(), client);
        json!({ "session_id": hex::encode(id) })
    }

    fn ask(&mut self, step: Input<'_>) -> Value {
        let name = step.text("session").to_owned();
        let mut client = self.sessions.remove(&name).expect("a session that is open");
        let request = request::request(step, &client.handles);
        client.last_id += 1;
        let answers = self.carry(&mut client.session, RequestId(client.last_id), request);
        if let (Some(handle), true) = (answer::handle(&answers), step.has("as")) {
            client.handles.insert(step.text("as").to_owned(), handle);
        }
        self.sessions.insert(name, client);
        answer::value(&answers)
    }

    /// Carries a request through to its answer, or a reading to its end.
    fn carry(&mut self, session: &mut Session, id: RequestId, request: Request) -> Vec<Answer> {
        let mut step = session.handle(self.now, id, request);
        loop {
            let outcome = match step {
                Step::Reply(reply) | Step::ReplyThenClose(reply) | Step::Stop { reply, .. } => {
                    return vec![self.signer.sign(reply)];
                }
                Step::Read(reading) => {
                    let answers = self.read(reading);
                    session.reading_over(id);
                    return answers;
                }
                Step::Lookup(lookup) => lookup.run(&self.store, self.now),
                Step::Write(write) => {
                    let mut group = Group::new();
                    group.plan(&self.store, &self.limits, self.now, (), &write);
                    group.commit(&mut self.store).outcomes.remove(0).1
                }
            };
            step = session.complete(id, outcome);
        }
    }

    fn read(&mut self, mut reading: Reading) -> Vec<Answer> {
        let budget = ReadLimit { rows_max: 64, bytes_max: 1 << 20 };
        let mut answers = Vec::new();
        loop {
            let step = reading.next(&self.store, self.now, budget);
            answers.extend(step.replies.into_iter().map(|reply| self.signer.sign(reply)));
            match step.progress {
                Progress::More => {}
                Progress::CaughtUp | Progress::Over => return answers,
            }
        }
    }
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
            "candidates_max" => limits.candidates_max = u16::try_from(value).expect("a u16"),
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
            "item_retention_ms" => limits.item_retention_ms = value,
            "blob_retention_ms" => limits.blob_retention_ms = value,
            "slot_lapse_ms" => limits.slot_lapse_ms = value,
            other => panic!("scripts do not set {other}"),
        }
    }
    limits
}
