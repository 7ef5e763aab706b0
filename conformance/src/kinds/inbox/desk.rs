//! Requests of an inbox's owner and of its writers, with what the rules say to them.

use hushwire_wire::{
    SigningKey,
    id::{CapabilityId, CapabilitySecret, InboxId, PublicKey, SlotId},
    transcript,
};
use serde_json::{Value, json};

use crate::relay::script::Script;

pub(super) const INBOX: InboxId = InboxId::from_bytes([3; 16]);

pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(super) fn public(number: u8) -> PublicKey {
    transcript::public_key(&key(number))
}

pub(super) fn slot(number: u8) -> SlotId {
    SlotId::from_bytes([number; 16])
}

pub(super) fn capability(number: u8) -> CapabilityId {
    transcript::capability_id(&CapabilitySecret::from_bytes([number; 32]))
}

pub(super) fn done() -> Value {
    json!({ "done": {} })
}

pub(super) fn create_fields(script: &Script, session: &str, owner: u8, signer: u8) -> Value {
    let (relay, session) = (script.relay(), script.session(session));
    let proof = transcript::inbox_create(&relay, &session, &INBOX, &public(owner));
    json!({
        "inbox": hex::encode(INBOX),
        "owner_key": hex::encode(public(owner)),
        "signature": hex::encode(proof.sign(&key(signer))),
    })
}

/// Opens for a slot; the handle is named after it.
pub(super) fn open_fields(script: &Script, session: &str, number: u8, signer: u8) -> Value {
    let (relay, session) = (script.relay(), script.session(session));
    let proof = transcript::inbox_open(&relay, &session, &INBOX, &slot(number));
    json!({
        "inbox": hex::encode(INBOX),
        "slot": hex::encode(slot(number)),
        "signature": hex::encode(proof.sign(&key(signer))),
        "as": format!("slot {number}"),
    })
}

pub(super) fn opened(cursor: u64, next: u64) -> Value {
    json!({ "inbox_opened": { "cursor": cursor.to_string(), "next_sequence": next.to_string() } })
}

pub(super) fn rotate_fields(script: &Script, session: &str, next: u8, signer: u8) -> Value {
    let (relay, session) = (script.relay(), script.session(session));
    let proof = transcript::inbox_rotate(&relay, &session, &INBOX, &public(next));
    json!({
        "handle": "slot 1",
        "next_owner_key": hex::encode(public(next)),
        "signature": hex::encode(proof.sign(&key(signer))),
    })
}

/// An inbox of the owner key 5, open for slot 1 in session `a`.
pub(super) fn inbox(limits: Value) -> Script {
    let mut script = Script::new(limits);
    let fields = create_fields(&script, "a", 5, 5);
    script.step("a", "inbox_create", fields, done());
    let fields = open_fields(&script, "a", 1, 5);
    script.step("a", "inbox_open", fields, opened(0, 0));
    script
}

/// The owner puts a capability; 0 stands for no bound and for never.
pub(super) fn put(script: &mut Script, number: u8, items_max: u64, expires_at_ms: u64) {
    let fields = json!({
        "handle": "slot 1",
        "capability": hex::encode(capability(number)),
        "items_max": items_max.to_string(),
        "expires_at_ms": expires_at_ms.to_string(),
        "card": hex::encode("card"),
    });
    script.step("a", "capability_put", fields, done());
}

pub(super) fn send_fields(number: u8, item: &str) -> Value {
    json!({
        "inbox": hex::encode(INBOX),
        "secret": hex::encode([number; 32]),
        "item": hex::encode(item),
    })
}

/// Whether an item was there before.
#[derive(Clone, Copy)]
pub(super) enum Sent {
    First,
    Again,
}

/// Somebody writes an item.
pub(super) fn send(script: &mut Script, number: u8, item: &str, sent: Sent) {
    let id = transcript::item_id(&INBOX, item.as_bytes());
    let receipt = transcript::item_receipt(&script.relay(), &INBOX, &id);
    let said = json!({ "inbox_sent": {
        "item": hex::encode(id),
        "signature": hex::encode(receipt.sign(script.relay_key())),
        "repeated": matches!(sent, Sent::Again),
    } });
    script.step("a", "inbox_send", send_fields(number, item), said);
}

/// The owner reads from a place, and finds these items of capability 1, stored just now.
pub(super) fn read(script: &mut Script, from: u64, items: &[(u64, &str)]) {
    let stored_at_ms = script.now_ms().to_string();
    let mut parts: Vec<Value> = items
        .iter()
        .map(|(sequence, item)| {
            json!({ "inbox_item": {
                "sequence": sequence.to_string(),
                "item": hex::encode(item),
                "capability": hex::encode(capability(1)),
                "stored_at_ms": stored_at_ms,
            } })
        })
        .collect();
    parts.push(json!({ "read_end": { "following": false } }));
    script.step("a", "inbox_read", read_fields(from), json!({ "parts": parts }));
}

pub(super) fn read_fields(from: u64) -> Value {
    json!({ "handle": "slot 1", "from_sequence": from.to_string() })
}

pub(super) fn advance_fields(number: u8, cursor: u64) -> Value {
    json!({ "handle": format!("slot {number}"), "cursor": cursor.to_string() })
}
