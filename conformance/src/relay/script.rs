//! Writes scripts: each request with what the rules say to it.

use std::collections::BTreeMap;

use hushwire_wire::{
    SigningKey,
    error::Code,
    id::{Nonce, RelayId, SessionId},
    transcript,
};
use serde_json::{Value, json};

use crate::suite::{Group, Outcome};

/// A script as it grows.
pub struct Script {
    relay: SigningKey,
    limits: Value,
    now_ms: u64,
    sessions: BTreeMap<String, SessionId>,
    steps: Vec<Value>,
    said: Vec<Value>,
}

const RELAY_SEED: [u8; 32] = [0x11; 32];

impl Script {
    /// A script for a relay with these limits, with one session, `a`.
    pub fn new(limits: Value) -> Self {
        let mut script = Self {
            relay: SigningKey::from_bytes(&RELAY_SEED),
            limits,
            now_ms: 1_800_000_000_000,
            sessions: BTreeMap::new(),
            steps: Vec::new(),
            said: Vec::new(),
        };
        script.connect("a");
        script
    }

    /// The relay's clock goes on.
    pub const fn wait_ms(&mut self, milliseconds: u64) {
        self.now_ms += milliseconds;
    }

    /// The relay's clock.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The relay's id.
    pub fn relay(&self) -> RelayId {
        transcript::relay_id(&transcript::public_key(&self.relay))
    }

    /// The key that the relay signs receipts with.
    pub const fn relay_key(&self) -> &SigningKey {
        &self.relay
    }

    /// A session that is open.
    pub fn session(&self, name: &str) -> SessionId {
        self.sessions[name]
    }

    /// Opens a session.
    pub fn connect(&mut self, session: &str) {
        let number = u8::try_from(self.steps.len()).expect("a short script");
        let (client, relay) = (Nonce::from_bytes([0xc0; 32]), Nonce::from_bytes([number; 32]));
        let key = transcript::public_key(&self.relay);
        let id = transcript::session_id(hushwire_wire::version::VERSION, &client, &relay, &key);
        self.sessions.insert(session.to_owned(), id);
        let fields =
            json!({ "client_nonce": hex::encode(client), "relay_nonce": hex::encode(relay) });
        self.step(session, "connect", fields, json!({ "session_id": hex::encode(id) }));
    }

    /// Ends all sessions; what is on disk stays.
    pub fn restart(&mut self) {
        self.step("", "restart", json!({}), json!({}));
        self.sessions.clear();
        self.connect("a");
    }

    /// A request with its answer.
    pub fn step(&mut self, session: &str, op: &str, fields: Value, said: Value) {
        let mut step = json!({
            "at_ms": self.now_ms.to_string(),
            "session": session,
            "op": op,
        });
        let step_fields = step.as_object_mut().expect("an object");
        step_fields.extend(fields.as_object().expect("an object of fields").clone());
        self.steps.push(step);
        self.said.push(said);
    }

    /// A request with the code that it is refused with.
    pub fn refused(&mut self, session: &str, op: &str, fields: Value, code: Code) {
        self.step(session, op, fields, json!({ "error": code.name() }));
    }

    /// Adds the script to a group; its last step decides whether it counts as refused.
    pub fn into_test(self, group: Group, comment: &str) -> Group {
        let input = json!({
            "relay_seed": hex::encode(RELAY_SEED),
            "limits": self.limits,
            "steps": self.steps,
        });
        let outcome: Outcome = super::outcome(self.said);
        group.test(comment, &[], input, outcome)
    }
}
