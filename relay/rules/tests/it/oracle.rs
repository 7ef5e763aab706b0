//! The walks of the model in `spec/models/`, replayed: the model was written from the text of the
//! spec alone and shares no code with the rules, so what both say is what the text says.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use hushwire_relay_rules::WaitingRoom;
use hushwire_wire::{
    SigningKey,
    id::{
        ChainHead, ChannelId, EntryId, EpochId, Nonce, PublicKey, Sequence, SessionId, Signature,
        UploadKey,
    },
    limit::Limits,
    message::{
        Answer, Appended, BlobReference, ChannelOpened, Content, Entry, EntryBody, EpochEnd,
        Follow, Handle, Repeated, Request,
    },
    transcript::{self, CommitMark, Cut, Operation},
};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value, json};

use crate::world::{Client, Relay};

const WALKS: &str = include_str!("../../../../spec/models/channel-traces.json");

/// No relay gives it out so soon.
const UNKNOWN_HANDLE: Handle = Handle(1 << 40);

/// Whether rows whose time has come are removed as the clock moves, or only not seen.
#[derive(Clone, Copy)]
enum Sweeping {
    Prompt,
    Never,
}

/// Randomness that a walk has chosen: each session comes from a source of its own, so a draw takes the
/// one that came at this place among those who wait.
#[derive(Clone, Default)]
struct Chosen(Arc<AtomicU64>);

impl Chosen {
    fn choose(&self, place: u64) {
        self.0.store(place, Ordering::Relaxed);
    }
}

impl TryRng for Chosen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.load(Ordering::Relaxed) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.load(Ordering::Relaxed))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Chosen {}

/// One client: its session, the names of this session and those before it, its handles in order.
struct Seat {
    client: Client,
    names: Vec<SessionId>,
    handles: Vec<Held>,
}

struct Held {
    number: Handle,
    epoch: EpochId,
}

/// A relay, two clients, and what the names of a walk stand for.
struct Stage {
    relay: Relay,
    drawn: Chosen,
    seats: Vec<Seat>,
    uploader: Client,
    begun_at: u64,
    /// Epochs and entries by the first digits of their ids.
    ids: BTreeMap<String, [u8; 32]>,
    /// The names of the epochs' keys.
    keys: BTreeMap<String, String>,
}

fn hash(name: &str) -> [u8; 32] {
    *transcript::content_hash(name.as_bytes()).as_bytes()
}

fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&hash(name))
}

fn public(name: &str) -> PublicKey {
    transcript::public_key(&key(name))
}

fn channel(step: &Value) -> ChannelId {
    ChannelId::from_bytes(hash(step["channel"].as_str().unwrap_or("h0")))
}

fn short(id: impl AsRef<[u8]>) -> String {
    id.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn shorts(ids: &[EntryId]) -> Vec<String> {
    ids.iter().map(short).collect()
}

fn text<'a>(step: &'a Value, field: &str) -> &'a str {
    step[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {step}"))
}

fn number(step: &Value, field: &str) -> u64 {
    step[field].as_u64().unwrap_or_else(|| panic!("{field} is missing in {step}"))
}

fn sealed(name: &str) -> Bytes {
    match name {
        "full" => Bytes::from(vec![b'f'; 65_536]),
        "long" => Bytes::from(vec![b'f'; 65_537]),
        "slip" => Bytes::from(vec![b'f'; 1_024]),
        "wide" => Bytes::from(vec![b'f'; 1_025]),
        name => Bytes::copy_from_slice(name.as_bytes()),
    }
}

fn blob_bytes(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(300).collect()
}

fn content(step: &Value) -> Content {
    let name = text(step, "content");
    let Some(blob) = step["blob"].as_object().map(|_| &step["blob"]) else {
        return Content::Inline(sealed(name));
    };
    let right = blob["right_hash"] == true;
    let content = if right { blob_bytes(name) } else { sealed(name).to_vec() };
    Content::Blob(BlobReference {
        blob: transcript::blob_id(&UploadKey::from_bytes(hash(text(blob, "name")))),
        content_hash: transcript::content_hash(&content),
        size: number(blob, "size"),
    })
}

/// What the model leaves out: false, null and empty lists.
fn lean(answer: Value) -> Value {
    let Value::Object(fields) = answer else { return answer };
    let idle = [Value::Null, json!(false), json!([])];
    fields.into_iter().filter(|(_, value)| !idle.contains(value)).collect()
}

impl Stage {
    fn new() -> Self {
        let mut relay = Relay::new(Limits { candidates_max: 8, notes_max: 5, ..Limits::V1 });
        let drawn = Chosen::default();
        relay.waiting = WaitingRoom::new(Box::new(drawn.clone()));
        let seats = (0..2)
            .map(|_| {
                let client = relay.connect();
                Seat { names: vec![client.name], client, handles: Vec::new() }
            })
            .collect();
        let uploader = relay.connect();
        let begun_at = relay.now.0;
        let (ids, keys) = (BTreeMap::new(), BTreeMap::new());
        Self { relay, drawn, seats, uploader, begun_at, ids, keys }
    }

    /// Does what a step says; gives the answer in the words of the model.
    fn act(&mut self, step: &Value, sweeping: Sweeping) -> Value {
        match text(step, "do") {
            "Wait" => {
                self.relay.wait_ms(number(step, "span"));
                if matches!(sweeping, Sweeping::Prompt) {
                    self.relay.expire_all();
                }
                Value::Null
            }
            "Restart" => {
                let client = self.relay.connect();
                let seat = &mut self.seats[number(step, "session") as usize];
                seat.names.push(client.name);
                seat.handles.clear();
                seat.client = client;
                Value::Null
            }
            "BlobPut" => self.put_blob(step),
            "BlobDelete" => {
                let request = Request::BlobDelete(UploadKey::from_bytes(hash(text(step, "name"))));
                let answer = self.relay.ask(&mut self.uploader, request);
                told(&answer)
            }
            "Read" => self.read(step),
            _ => self.ask(step),
        }
    }

    fn ask(&mut self, step: &Value) -> Value {
        let session = number(step, "session") as usize;
        self.drawn.choose(step["drawn"].as_u64().unwrap_or(0));
        let request = self.request(step);
        let seat = &mut self.seats[session];
        let answer = self.relay.ask(&mut seat.client, request);
        if let Answer::ChannelOpened(opened) = &answer {
            let fresh = seat.handles.iter().all(|held| held.number != opened.handle);
            assert!(fresh, "a handle is given twice");
            seat.handles.push(Held { number: opened.handle, epoch: opened.epoch });
            return told_opened(opened, seat.handles.len() - 1);
        }
        if let Answer::Appended(appended) = &answer {
            let epoch = seat.handles[number(step, "handle") as usize].epoch;
            self.verify(&epoch, appended.sequence, &appended.head, &appended.signature);
            self.remember(step, appended);
        }
        told(&answer)
    }

    fn request(&mut self, step: &Value) -> Request {
        match text(step, "do") {
            "Create" => self.create(step),
            "Open" => {
                let epoch = EpochId::from_bytes(self.id(text(step, "epoch")));
                let signature = self.proof(step, &channel(step), &epoch);
                Request::ChannelOpen { channel: channel(step), epoch, signature }
            }
            "Append" => Request::Append {
                handle: self.handle(step),
                content: content(step),
                operation: self.operation(step),
            },
            "Close" => Request::ChannelClose(self.handle(step)),
            other => panic!("{other} is nothing that the model does"),
        }
    }

    fn create(&mut self, step: &Value) -> Request {
        let (name, channel) = (text(step, "key"), channel(step));
        let nonce = Nonce::from_bytes(hash(text(step, "nonce")));
        let root = transcript::root_epoch_id(&channel, &public(name), &nonce);
        self.ids.insert(short(root), *root.as_bytes());
        self.keys.insert(short(root), name.into());
        let signature = self.proof(step, &channel, &root);
        Request::ChannelCreate { channel, epoch_key: public(name), nonce, signature }
    }

    /// The signature of a step: the right one, unless it names another.
    fn proof(&self, step: &Value, channel: &ChannelId, epoch: &EpochId) -> Signature {
        let proof = &step["proof"];
        if proof.is_null() {
            let name = self.keys.get(&short(epoch)).map_or("k0", String::as_str);
            let session = self.seats[number(step, "session") as usize].client.name;
            return self.sign(text(step, "do"), name, &session, channel, epoch);
        }
        let names = &self.seats[number(proof, "session") as usize].names;
        let session = names[number(proof, "generation") as usize];
        let channel = ChannelId::from_bytes(hash(text(proof, "channel")));
        let epoch = EpochId::from_bytes(self.id(text(proof, "epoch")));
        let purpose = if proof["purpose"] == "create" { "Create" } else { "Open" };
        self.sign(purpose, text(proof, "key"), &session, &channel, &epoch)
    }

    fn sign(
        &self,
        purpose: &str,
        name: &str,
        session: &SessionId,
        channel: &ChannelId,
        epoch: &EpochId,
    ) -> Signature {
        let relay = self.relay.id();
        let transcript = match purpose {
            "Create" => transcript::channel_create(&relay, session, channel, epoch),
            _ => transcript::channel_open(&relay, session, channel, epoch),
        };
        transcript.sign(&key(name))
    }

    fn operation(&self, step: &Value) -> Operation {
        if step["note"] == true {
            return Operation::Note;
        }
        let commit = &step["commit"];
        if commit.is_null() {
            return Operation::Message;
        }
        let contested = commit["contested"].as_array().into_iter().flatten();
        Operation::Commit(CommitMark {
            next_key: public(text(commit, "next_key")),
            cut: if commit["cut"] == true { Cut::Cut } else { Cut::Through },
            contested: contested
                .map(|name| EntryId::from_bytes(self.id(name.as_str().expect("a name"))))
                .collect(),
        })
    }

    /// A name that nothing had so far stands for an id that nothing has.
    fn id(&self, name: &str) -> [u8; 32] {
        self.ids.get(name).copied().unwrap_or_else(|| hash(name))
    }

    fn handle(&self, step: &Value) -> Handle {
        let handles = &self.seats[number(step, "session") as usize].handles;
        let held = handles.get(number(step, "handle") as usize);
        held.map_or(UNKNOWN_HANDLE, |held| held.number)
    }

    fn remember(&mut self, step: &Value, appended: &Appended) {
        self.ids.insert(short(appended.entry), *appended.entry.as_bytes());
        if let Some(next) = step["commit"]["next_key"].as_str() {
            self.keys.insert(short(appended.entry), next.into());
        }
    }

    fn put_blob(&mut self, step: &Value) -> Value {
        let key = UploadKey::from_bytes(hash(text(step, "name")));
        let content = Bytes::from(blob_bytes(text(step, "name")));
        let create = Request::BlobCreate { key, size: 300 };
        let mut answer = self.relay.ask(&mut self.uploader, create);
        if step["whole"] == true {
            let key = UploadKey::from_bytes(hash(text(step, "name")));
            let write = Request::BlobWrite { key, offset: 0, content };
            answer = self.relay.ask(&mut self.uploader, write);
        }
        told(&answer)
    }

    /// A receipt is the relay's, over what the answer says.
    fn verify(&self, epoch: &EpochId, place: Sequence, head: &ChainHead, signature: &Signature) {
        let channel = ChannelId::from_bytes(hash("h0"));
        let receipt = transcript::entry_receipt(&self.relay.id(), &channel, epoch, place, head);
        receipt.verify(&self.relay.key(), signature).expect("a receipt verifies");
    }

    fn read(&mut self, step: &Value) -> Value {
        let request = Request::ChannelRead {
            handle: self.handle(step),
            epoch: EpochId::from_bytes(self.id(text(step, "epoch"))),
            from: Sequence(number(step, "start")),
            follow: Follow::UntilEnd,
        };
        let seat = &mut self.seats[number(step, "session") as usize];
        let (_, said) = self.relay.read(&mut seat.client, request);
        let (last, parts) = said.split_last().expect("a reading ends");
        let refused = match last {
            Answer::ReadEnd(Follow::UntilEnd) => None,
            Answer::Refused(refusal) if parts.is_empty() => {
                return told(&Answer::Refused(refusal.clone()));
            }
            Answer::Refused(refusal) => Some(refusal.code.name()),
            other => panic!("no end of a reading: {other:?}"),
        };
        let (mut shown, mut entries) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Answer::Entry(entry) => entries.push(entry),
                Answer::EpochEnd(end) => {
                    shown.push(self.told_epoch(end, &std::mem::take(&mut entries)))
                }
                other => panic!("not of a reading: {other:?}"),
            }
        }
        assert!(entries.is_empty(), "entries without the end of their epoch");
        lean(json!({ "is": "ReadOut", "shown": shown, "refused": refused }))
    }

    fn told_epoch(&self, end: &EpochEnd, entries: &[&Entry]) -> Value {
        match &end.signature {
            Some(signature) => {
                self.verify(&end.epoch, Sequence(end.next.0 - 1), &end.head, signature);
            }
            None => assert_eq!(end.next.0, 0, "only an empty epoch ends without a receipt"),
        }
        let first = end.next.0 - entries.len() as u64;
        for (sequence, entry) in (first..).zip(entries) {
            assert_eq!((entry.sequence.0, entry.epoch), (sequence, end.epoch), "a gap");
        }
        let entries: Vec<Value> = entries.iter().map(|entry| self.told_entry(entry)).collect();
        json!({
            "epoch": short(end.epoch),
            "next": end.next.0,
            "head": short(end.head),
            "entries": entries,
        })
    }

    /// Its id, computed from what is shown of it; whether it is whole; when it was stored.
    fn told_entry(&self, entry: &Entry) -> Value {
        let channel = ChannelId::from_bytes(hash("h0"));
        let stored_at = entry.stored_at.0 - self.begun_at;
        match &entry.body {
            EntryBody::Whole { content, operation } => {
                let id = transcript::entry_id(&channel, &entry.epoch, operation, &content.hash());
                json!([short(id), true, stored_at])
            }
            EntryBody::Expired(id) => json!([short(id), false, stored_at]),
        }
    }
}

fn told(answer: &Answer) -> Value {
    lean(match answer {
        Answer::Done => return Value::Null,
        Answer::Refused(refusal) => json!({
            "is": refusal.code.name(),
            "wait": (refusal.retry_after_ms > 0).then_some(refusal.retry_after_ms),
            "candidates": shorts(&refusal.candidates),
        }),
        Answer::Appended(appended) => json!({
            "is": "Appended",
            "entry": short(appended.entry),
            "sequence": appended.sequence.0,
            "head": short(appended.head),
            "repeated": appended.repeated == Repeated::Again,
        }),
        Answer::BlobState { size, stored } => {
            json!({ "is": "Stored", "whole": size == stored })
        }
        other => panic!("nothing that the model answers: {other:?}"),
    })
}

fn told_opened(opened: &ChannelOpened, place: usize) -> Value {
    lean(json!({
        "is": "Opened",
        "handle": place,
        "epoch": short(opened.epoch),
        "next": opened.next.0,
        "head": short(opened.head),
        "candidates": shorts(&opened.candidates),
        "siblings": shorts(&opened.siblings),
    }))
}

fn replay(sweeping: Sweeping) {
    let walks: Vec<Vec<Value>> = serde_json::from_str(WALKS).expect("the walks are JSON");
    assert!(walks.len() >= 100, "few walks prove little");
    let mut differing = Vec::new();
    for (index, walk) in walks.iter().enumerate() {
        let mut stage = Stage::new();
        for (place, step) in walk.iter().enumerate() {
            let answer = stage.act(step, sweeping);
            if answer != step["then"] {
                differing.push(format!("walk {index}, step {place}: {step}\n  but {answer}"));
                break;
            }
        }
    }
    assert!(differing.is_empty(), "{} walks differ:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn the_relay_answers_as_the_model_does() {
    // spec: CHN-001, CHN-002, CHN-003, CHN-005, CHN-006, CHN-007, CHN-008, CHN-013, CHN-014
    // spec: CHN-018, CHN-019, CHN-020, CHN-021, CHN-022, CHN-023, CHN-024, CHN-025, CHN-028
    // spec: CHN-032, CHN-033, CHN-034, CHN-035, CHN-036, CHN-037
    replay(Sweeping::Never);
}

#[test]
fn the_relay_answers_as_the_model_does_while_expired_rows_are_removed() {
    // spec: CHN-009, CHN-010, CHN-016, CHN-017, CHN-026, CHN-030, CHN-031, RLY-014
    replay(Sweeping::Prompt);
}
