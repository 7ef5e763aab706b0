//! `InboxContent`, `Invitation` and `ContactCard`, byte by byte, and what they say.

use hushwire_protocol::seal::InboxKey;
use serde_json::{Value, json};

use crate::{
    kinds::{
        chain::{Chain, public, sign},
        link::base64url,
        sealed_box::variable,
    },
    suite::Group,
};

use super::{card_input, item_input};

const RELAY_ID: [u8; 32] = [0x21; 32];
const HOST: &str = "relay.example.org";
const PORT: u16 = 4433;
const SECRETS: [u8; 80] = [0x2a; 80];
const CHANNEL: [u8; 32] = [0x2b; 32];
const EPOCH: [u8; 32] = [0x2c; 32];
const PROOF: [u8; 32] = [0x30; 32];

pub(super) fn sender() -> [u8; 32] {
    Chain::OURS.fingerprint()
}

fn inbox_key() -> Vec<u8> {
    let key = InboxKey::from_bytes([0x26; 32]).public().expect("the library derives");
    key.as_ref().to_vec()
}

/// `RelayAddress`.
pub(super) fn relay_bytes(host: &[u8], port: u16) -> Vec<u8> {
    [&variable(host)[..], &port.to_be_bytes(), &RELAY_ID].concat()
}

fn relay() -> Vec<u8> {
    relay_bytes(HOST.as_bytes(), PORT)
}

fn relay_text() -> String {
    format!("{HOST}:{PORT}#{}", base64url(&RELAY_ID))
}

/// `ContactCard` with this address, chain and name.
pub(super) fn card_bytes(relay: &[u8], chain: Chain, name: &[u8]) -> Vec<u8> {
    [
        relay,
        &[0x24; 16],
        &[0x25; 32],
        &chain.statement(),
        &inbox_key(),
        &[0x27; 32],
        &3u64.to_be_bytes(),
        &5u64.to_be_bytes(),
        &variable(name),
    ]
    .concat()
}

pub(in crate::kinds) fn card() -> Vec<u8> {
    card_bytes(&relay(), Chain::OURS, "Ana".as_bytes())
}

/// `card` with this address and the rest as it is.
pub(super) fn card_at(relay: &[u8]) -> Vec<u8> {
    card_bytes(relay, Chain::OURS, "Ana".as_bytes())
}

/// `card` with this name and the rest as it is.
pub(super) fn card_named(name: &[u8]) -> Vec<u8> {
    card_bytes(&relay(), Chain::OURS, name)
}

/// `card` of another chain.
pub(super) fn card_of(chain: Chain) -> Vec<u8> {
    card_bytes(&relay(), chain, "Ana".as_bytes())
}

fn card_outputs(name: &str) -> Value {
    json!({
        "relay": relay_text(),
        "inbox": hex::encode([0x24; 16]),
        "capability": hex::encode([0x25; 32]),
        "fingerprint": hex::encode(sender()),
        "manager_key": hex::encode(public(Chain::OURS.manager)),
        "manager_counter": Chain::OURS.counter.to_string(),
        "inbox_key": hex::encode(inbox_key()),
        "shelf_key": hex::encode([0x27; 32]),
        "minimum_manager_counter": "3",
        "minimum_list_version": "5",
        "name": name,
    })
}

/// The kind of place of a snapshot, and what it selects.
pub(super) fn inline() -> Vec<u8> {
    [&[1][..], &variable(b"group info"), &variable(b"ratchet tree")].concat()
}

pub(super) fn in_blob(length: u64) -> Vec<u8> {
    [&[2][..], &[0x2d; 32], &[0x2e; 32], &length.to_be_bytes(), &[0x2f; 32]].concat()
}

/// `Invitation` with this suite, purpose, snapshot and card of the sender.
pub(super) fn invitation(suite: u16, purpose: u8, snapshot: &[u8], card: &[u8]) -> Vec<u8> {
    [
        &relay()[..],
        &CHANNEL,
        &EPOCH,
        &suite.to_be_bytes(),
        &[purpose],
        &variable(&SECRETS),
        snapshot,
        card,
    ]
    .concat()
}

/// `InboxContent` of a kind.
pub(super) fn content(kind: u8, fields: &[u8]) -> Vec<u8> {
    [&[0, 1, kind][..], fields].concat()
}

fn invitation_outputs(suite: u16, purpose: u8, snapshot: &Value) -> Value {
    json!({ "invitation": {
        "relay": relay_text(),
        "channel": hex::encode(CHANNEL),
        "epoch": hex::encode(EPOCH),
        "suite": suite.to_string(),
        "purpose": purpose.to_string(),
        "secrets": hex::encode(SECRETS),
        "snapshot": snapshot,
        "sender": card_outputs("Ana"),
    } })
}

/// `JoinRequest` with our card.
pub(super) fn join_request() -> Vec<u8> {
    [&PROOF[..], &card()].concat()
}

/// What stands for a KeyPackage in `rejoin`.
pub(super) const KEY_PACKAGE: [u8; 70] = [0x31; 70];

/// `RejoinRequest` of our device, with or without the proof by its old leaf.
pub(super) fn rejoin(old_leaf: Option<u8>) -> Vec<u8> {
    rejoin_with(&KEY_PACKAGE, old_leaf, &card())
}

/// `rejoin` with this KeyPackage and card.
pub(super) fn rejoin_with(package: &[u8], old_leaf: Option<u8>, card: &[u8]) -> Vec<u8> {
    let asked_at = 1_700_000_000_000u64.to_be_bytes();
    let package = variable(package);
    let fields = [&sender()[..], &[4; 16], &CHANNEL, &EPOCH, &asked_at, &package].concat();
    let head = [&fields[..], &sign(4, "rejoin request", &fields)].concat();
    let proof = match old_leaf {
        None => vec![0],
        Some(key) => [&[1][..], &public(key), &sign(key, "rejoin old leaf", &fields)].concat(),
    };
    [&head[..], &proof, card].concat()
}

pub(super) fn cards() -> Group {
    let long = "x".repeat(128);
    ["Ana", "李雷", &long].iter().fold(
        Group::new("contact cards", &["LNK-043", "LNK-049", "LNK-024", "LNK-001"]),
        |group, name| {
            group.valid("a card", card_input(&card_named(name.as_bytes())), card_outputs(name))
        },
    )
}

pub(super) fn items() -> Group {
    let invite = |suite, purpose, snapshot: &[u8]| {
        item_input(&content(1, &invitation(suite, purpose, snapshot, &card())))
    };
    let here = json!({
        "group_info": hex::encode(b"group info"),
        "tree": hex::encode(b"ratchet tree"),
    });
    let blob = json!({
        "blob": hex::encode([0x2d; 32]),
        "key": hex::encode([0x2e; 32]),
        "length": "600000",
        "hash": hex::encode([0x2f; 32]),
    });
    let rejoining = json!({ "rejoin_request": {
        "channel": hex::encode(CHANNEL),
        "epoch": hex::encode(EPOCH),
        "asked_at_ms": "1700000000000",
        "key_package": hex::encode(KEY_PACKAGE),
        "sender": card_outputs("Ana"),
    } });
    let (hybrid, classic) = (0x004f, 0x0003);
    Group::new("items", &["LNK-040", "LNK-042", "LNK-046", "LNK-049", "LNK-088"])
        .valid(
            "an invitation to a direct group",
            invite(hybrid, 1, &inline()),
            invitation_outputs(hybrid, 1, &here),
        )
        .valid(
            "an invitation to a group, the other suite",
            invite(classic, 2, &inline()),
            invitation_outputs(classic, 2, &here),
        )
        .valid(
            "an invitation to own devices",
            invite(hybrid, 3, &inline()),
            invitation_outputs(hybrid, 3, &here),
        )
        .valid(
            "an invitation with its snapshot in a blob",
            invite(hybrid, 2, &in_blob(600_000)),
            invitation_outputs(hybrid, 2, &blob),
        )
        .valid(
            "a contact card update",
            item_input(&content(2, &card())),
            json!({ "contact_card": card_outputs("Ana") }),
        )
        .valid("a rejoin request", item_input(&content(3, &rejoin(None))), rejoining.clone())
        .valid(
            "a rejoin request with the old leaf",
            item_input(&content(3, &rejoin(Some(6)))),
            rejoining,
        )
        .valid(
            "a join request",
            item_input(&content(4, &join_request())),
            json!({ "join_request": { "proof": hex::encode(PROOF), "card": card_outputs("Ana") } }),
        )
        .valid(
            "a join request declined",
            item_input(&content(5, &CHANNEL)),
            json!({ "join_decline": { "channel": hex::encode(CHANNEL) } }),
        )
}
