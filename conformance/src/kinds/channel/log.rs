//! What the rules say a channel's log holds, computed from the transcripts alone.

use hushwire_wire::{
    SigningKey,
    error::Code,
    id::{ChainHead, ChannelId, EntryId, EpochId, Nonce, PublicKey, Sequence},
    transcript::{self, CommitMark, Cut, Operation},
};
use serde_json::{Value, json};

use crate::relay::script::Script;

pub(super) const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);
pub(super) const NONCE: Nonce = Nonce::from_bytes([2; 32]);

/// An epoch's key, by number.
pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(super) fn public(number: u8) -> PublicKey {
    transcript::public_key(&key(number))
}

/// One epoch, as far as the script has come.
pub(super) struct Log {
    pub(super) epoch: EpochId,
    pub(super) key: u8,
    pub(super) next: u64,
    pub(super) head: ChainHead,
    pub(super) candidates: Vec<EntryId>,
    pub(super) siblings: Vec<EntryId>,
}

/// The fields of a creation under a key, signed by another one perhaps.
pub(super) fn create_fields(script: &Script, session: &str, key_number: u8, signer: u8) -> Value {
    let epoch = transcript::root_epoch_id(&CHANNEL, &public(key_number), &NONCE);
    let proof =
        transcript::channel_create(&script.relay(), &script.session(session), &CHANNEL, &epoch);
    json!({
        "channel": hex::encode(CHANNEL),
        "epoch_key": hex::encode(public(key_number)),
        "nonce": hex::encode(NONCE),
        "signature": hex::encode(proof.sign(&key(signer))),
        "as": format!("of {key_number}"),
    })
}

/// The fields of an opening, signed by another key perhaps.
pub(super) fn open_fields(script: &Script, session: &str, epoch: &EpochId, signer: u8) -> Value {
    let proof =
        transcript::channel_open(&script.relay(), &script.session(session), &CHANNEL, epoch);
    json!({
        "channel": hex::encode(CHANNEL),
        "epoch": hex::encode(epoch),
        "signature": hex::encode(proof.sign(&key(signer))),
        "as": format!("of {signer}"),
    })
}

fn ids(ids: &[EntryId]) -> Value {
    ids.iter().map(hex::encode).collect::<Vec<_>>().into()
}

/// The operation of a commit.
pub(super) fn commit(next_key: u8, cut: Cut, contested: &[EntryId]) -> Operation {
    let contested = contested.to_vec();
    Operation::Commit(CommitMark { next_key: public(next_key), cut, contested })
}

impl Log {
    /// Creates the channel in session `a` under this key.
    pub(super) fn create(script: &mut Script, key_number: u8) -> Self {
        let epoch = transcript::root_epoch_id(&CHANNEL, &public(key_number), &NONCE);
        let log = Self::empty(epoch, key_number, vec![]);
        let fields = create_fields(script, "a", key_number, key_number);
        script.step("a", "channel_create", fields, log.opened());
        log
    }

    fn empty(epoch: EpochId, key: u8, siblings: Vec<EntryId>) -> Self {
        let head = transcript::first_head(&CHANNEL, &epoch);
        Self { epoch, key, next: 0, head, candidates: vec![], siblings }
    }

    /// What opening it answers.
    pub(super) fn opened(&self) -> Value {
        json!({ "channel_opened": {
            "epoch": hex::encode(self.epoch),
            "next_sequence": self.next.to_string(),
            "head": hex::encode(self.head),
            "candidates": ids(&self.candidates),
            "siblings": ids(&self.siblings),
        } })
    }

    /// Opens it in session `a`.
    pub(super) fn open(&self, script: &mut Script) {
        let fields = open_fields(script, "a", &self.epoch, self.key);
        script.step("a", "channel_open", fields, self.opened());
    }

    /// The fields of an append in session `a`.
    pub(super) fn fields(&self, content: &str, operation: &Operation) -> Value {
        let mut fields =
            json!({ "handle": format!("of {}", self.key), "inline": hex::encode(content) });
        if let Operation::Commit(mark) = operation {
            fields["commit"] = json!({
                "next_key": hex::encode(mark.next_key),
                "cut": mark.cut == Cut::Cut,
                "contested": ids(&mark.contested),
            });
        }
        if *operation == Operation::Note {
            fields["note"] = true.into();
        }
        fields
    }

    /// Appends, and says what the answer is.
    pub(super) fn append(
        &mut self,
        script: &mut Script,
        content: &str,
        operation: &Operation,
    ) -> Value {
        let fields = self.fields(content, operation);
        self.append_fields(script, content, operation, fields)
    }

    /// Appends a content that these fields carry or name, and says what the answer is.
    pub(super) fn append_fields(
        &mut self,
        script: &mut Script,
        content: &str,
        operation: &Operation,
        fields: Value,
    ) -> Value {
        self.append_in(script, "a", content, operation, fields)
    }

    /// The same in another session.
    pub(super) fn append_in(
        &mut self,
        script: &mut Script,
        session: &str,
        content: &str,
        operation: &Operation,
        fields: Value,
    ) -> Value {
        let hash = transcript::content_hash(content.as_bytes());
        let entry = transcript::entry_id(&CHANNEL, &self.epoch, operation, &hash);
        let sequence = Sequence(self.next);
        self.head = transcript::next_head(&self.head, sequence, &entry);
        self.next += 1;
        if matches!(operation, Operation::Commit(_)) {
            self.candidates.push(entry);
        }
        let receipt = self.receipt(script);
        let said = json!({ "appended": {
            "entry": hex::encode(entry),
            "sequence": sequence.0.to_string(),
            "head": hex::encode(self.head),
            "signature": receipt,
            "repeated": false,
        } });
        script.step(session, "append", fields, said.clone());
        said
    }

    /// The receipt of the last entry.
    pub(super) fn receipt(&self, script: &Script) -> String {
        let last = Sequence(self.next - 1);
        let receipt =
            transcript::entry_receipt(&script.relay(), &CHANNEL, &self.epoch, last, &self.head);
        hex::encode(receipt.sign(script.relay_key()))
    }

    /// Appends a message.
    pub(super) fn message(&mut self, script: &mut Script, content: &str) -> Value {
        self.append(script, content, &Operation::Message)
    }

    /// Appends a commit that contests all candidates, and opens its child in the script.
    pub(super) fn child(&mut self, script: &mut Script, next_key: u8, cut: Cut) -> Self {
        let child = self.commit(script, next_key, cut);
        child.open(script);
        child
    }

    /// Appends a commit that contests all candidates.
    pub(super) fn commit(&mut self, script: &mut Script, next_key: u8, cut: Cut) -> Self {
        let operation = commit(next_key, cut, &self.candidates);
        let siblings = self.candidates.clone();
        self.append(script, &format!("commit {next_key}"), &operation);
        let entry = self.candidates.last().expect("the commit");
        Self::empty(EpochId::from_bytes(*entry.as_bytes()), next_key, siblings)
    }

    /// An append that is refused.
    pub(super) fn refused(&self, script: &mut Script, operation: &Operation, code: Code) {
        script.refused("a", "append", self.fields("refused", operation), code);
    }

    /// An append that is refused because the epoch has moved on.
    pub(super) fn stale(&self, script: &mut Script, operation: &Operation) {
        let said = json!({ "error": "STALE", "candidates": ids(&self.candidates) });
        script.step("a", "append", self.fields("stale", operation), said);
    }

    /// A commit that is refused because the epoch is too young.
    pub(super) fn early(&self, script: &mut Script, operation: &Operation, left_ms: u64) {
        let said = json!({ "error": "TOO_EARLY", "retry_after_ms": left_ms.to_string() });
        script.step("a", "append", self.fields("early", operation), said);
    }

    /// What a reading says at its end.
    pub(super) fn end(&self, script: &Script) -> Value {
        json!({ "epoch_end": {
            "epoch": hex::encode(self.epoch),
            "next_sequence": self.next.to_string(),
            "head": hex::encode(self.head),
            "signature": if self.next > 0 { self.receipt(script) } else { String::new() },
        } })
    }

    /// An entry of its as a reading shows it.
    pub(super) fn entry(
        &self,
        script: &Script,
        sequence: u64,
        content: &str,
        operation: &Operation,
    ) -> Value {
        let mut entry = self.fields(content, operation);
        let fields = entry.as_object_mut().expect("an object");
        fields.remove("handle");
        fields.insert("epoch".into(), hex::encode(self.epoch).into());
        fields.insert("sequence".into(), sequence.to_string().into());
        fields.insert("stored_at_ms".into(), script.now_ms().to_string().into());
        json!({ "entry": entry })
    }

    /// The fields of a reading with this epoch's handle.
    pub(super) fn read_fields(&self, epoch: &EpochId, from: u64) -> Value {
        json!({
            "handle": format!("of {}", self.key),
            "epoch": hex::encode(epoch),
            "from_sequence": from.to_string(),
        })
    }
}
