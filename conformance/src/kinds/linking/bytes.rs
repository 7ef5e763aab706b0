//! The bytes of one exchange, from the layouts of `links.md`. Only the HPKE and the key pair of its
//! recipient are the library's.

use ed25519_dalek::SigningKey;
use hushwire_protocol::{hpke::HpkeSuite, seal::InboxKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    given::Given,
    kinds::{
        chain::{Chain, bind, derive, hash, public},
        device_list,
        link::base64url,
        sealed_box::{padded, sealed, variable},
    },
};

use super::with;

pub(super) const SECRET: [u8; 32] = [0x56; 32];
pub(super) const OLD_NONCE: [u8; 32] = [0x57; 32];
pub(super) const NEW_NONCE: [u8; 32] = [0x58; 32];
pub(super) const GRANT_KEY_SEED: [u8; 32] = [0x59; 32];
pub(super) const BOX_NONCE: [u8; 24] = [0x5a; 24];
const ENCAPSULATION_SEED: [u8; 64] = [0x5b; 64];
const RELAY_ID: [u8; 32] = [0x51; 32];
const HOST: &str = "a.org";
const SLOT: [u8; 16] = [8; 16];
const NAME: &str = "laptop";
/// Seed of the new device's key, and each byte of its id.
const DEVICE: u8 = 4;
/// Of the device list: at least the serial of the device's certificate.
pub(super) const LIST_VERSION: u64 = 7;

pub(super) fn relay() -> String {
    format!("{HOST}:4433#{}", base64url(&RELAY_ID))
}

/// A link with this first byte and body, and the right checksum.
pub(super) fn link(first: u8, body: &[u8]) -> String {
    let mut bytes = [&[first][..], &RELAY_ID, body, HOST.as_bytes()].concat();
    let sum = hash("link checksum", &bytes);
    bytes.extend_from_slice(&sum[..3]);
    format!("hush:{}", base64url(&bytes))
}

fn commitment() -> [u8; 32] {
    hash("linking commitment", &OLD_NONCE)
}

pub(super) fn code() -> String {
    link(0x13, &[SECRET, commitment()].concat())
}

fn derived(label: &str, context: u8, length: usize) -> Vec<u8> {
    derive(&SECRET, label, &[context], length)
}

pub(super) fn place(context: u8) -> Value {
    let owner: [u8; 32] = derived("linking owner", context, 32).try_into().expect("32 bytes");
    let capability = derived("linking capability", context, 32);
    json!({
        "inbox": hex::encode(derived("linking inbox", context, 16)),
        "owner_key": hex::encode(SigningKey::from_bytes(&owner).verifying_key().to_bytes()),
        "capability_id": hex::encode(hash("capability id", &capability)),
    })
}

/// A box for the device that reads the inbox of `context`, at a step.
pub(super) fn boxed(context: u8, step: u8, content: &[u8]) -> Vec<u8> {
    boxed_plaintext(context, step, &padded(content))
}

pub(super) fn boxed_plaintext(context: u8, step: u8, plaintext: &[u8]) -> Vec<u8> {
    let key = derived("linking seal key", context, 32).try_into().expect("32 bytes");
    sealed(&key, "linking message", &[step], plaintext, &BOX_NONCE)
}

fn public_key(seed: [u8; 32]) -> Vec<u8> {
    InboxKey::from_bytes(seed).public().expect("the library derives").as_ref().to_vec()
}

/// `LinkRequest`.
pub(super) fn request_bytes(name: &[u8]) -> Vec<u8> {
    [
        &[0, 1][..],
        &NEW_NONCE,
        &public_key(GRANT_KEY_SEED),
        &[DEVICE; 16],
        &SLOT,
        &public(DEVICE),
        &variable(name),
    ]
    .concat()
}

pub(super) fn request() -> Vec<u8> {
    boxed(1, 1, &request_bytes(NAME.as_bytes()))
}

/// `LinkReveal`.
pub(super) fn reveal_bytes(nonce: [u8; 32]) -> Vec<u8> {
    [&[0, 1][..], &nonce].concat()
}

pub(super) fn reveal() -> Vec<u8> {
    boxed(2, 2, &reveal_bytes(OLD_NONCE))
}

/// The hash of `Exchange` with this nonce of the new device in its request.
pub(super) fn exchange(new_nonce: [u8; 32]) -> [u8; 32] {
    let mut request = request_bytes(NAME.as_bytes());
    request[2..34].copy_from_slice(&new_nonce);
    let fields = [&RELAY_ID[..], &SECRET, &commitment(), &OLD_NONCE, &variable(&request)];
    Sha256::digest(bind("linking comparison", &fields.concat())).into()
}

pub(super) fn digits() -> String {
    let first: [u8; 8] = exchange(NEW_NONCE)[..8].try_into().expect("eight bytes");
    format!("{:06}", u64::from_be_bytes(first) % 1_000_000)
}

/// The field `own_group` of a grant, with a list of this version that names this device.
pub(super) fn own_group(version: u64, device: u8) -> Vec<u8> {
    let certificate = hash("certificate hash", &Chain::OURS.certificate(device));
    let entry = [&[device; 16][..], &SLOT, &certificate, &[1]].concat();
    let list = device_list::list_of(Chain::OURS, version, &entry);
    [&[0x5d; 32][..], &[0x5e; 32], &9u64.to_be_bytes(), &list].concat()
}

/// The fields of `LinkGrant` as vectors show them.
pub(super) fn grant_fields(with_manager: bool) -> Value {
    let mut fields = json!({
        "credential": hex::encode(Chain::OURS.credential(DEVICE)),
        "relay": relay(),
        "inbox": hex::encode([0x52; 16]),
        "list_manager_counter": "3",
        "list_version": LIST_VERSION.to_string(),
        "name": "Ana",
        "inbox_owner": hex::encode([0x53; 32]),
        "inbox_key": hex::encode([0x54; 32]),
        "shelf_key": hex::encode([0x55; 32]),
        "own_group": hex::encode(own_group(LIST_VERSION, DEVICE)),
    });
    if with_manager {
        fields["manager"] = hex::encode([Chain::OURS.manager; 32]).into();
    }
    fields
}

/// `LinkGrant` of such fields.
pub(super) fn grant_bytes(fields: &Value) -> Vec<u8> {
    let field = |name: &str| hex::decode(fields[name].as_str().expect("text")).expect("hex");
    let number = |name: &str| -> [u8; 8] {
        fields[name].as_str().expect("text").parse::<u64>().expect("a number").to_be_bytes()
    };
    let manager = match fields.get("manager") {
        None => vec![0],
        Some(_) => [&[1][..], &field("manager")].concat(),
    };
    [
        &[0, 1][..],
        &field("credential"),
        &variable(HOST.as_bytes()),
        &4433u16.to_be_bytes(),
        &RELAY_ID,
        &field("inbox"),
        &number("list_manager_counter"),
        &number("list_version"),
        &variable(fields["name"].as_str().expect("text").as_bytes()),
        &field("inbox_owner"),
        &field("inbox_key"),
        &field("shelf_key"),
        &manager,
        &variable(&field("own_group")),
    ]
    .concat()
}

/// The encapsulated key and ciphertext of a grant.
pub(super) fn hpke(
    seed: [u8; 32],
    exchange: [u8; 32],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    let info = bind("linking grant", &exchange);
    let mut drawn = Given::new(&[&ENCAPSULATION_SEED]);
    let (key, ciphertext) = HpkeSuite::INBOX
        .seal(&public_key(seed), &info, associated_data, plaintext, &mut drawn)
        .expect("the key is valid");
    [key, ciphertext].concat()
}

/// A sealed grant of this plaintext.
pub(super) fn grant(plaintext: &[u8]) -> Vec<u8> {
    boxed(2, 3, &hpke(GRANT_KEY_SEED, exchange(NEW_NONCE), b"", plaintext))
}

/// What the old device knows, for an operation of its own.
pub(super) fn old(operation: &str) -> Value {
    json!({
        "operation": operation,
        "relay": relay(),
        "secret": hex::encode(SECRET),
        "old_nonce": hex::encode(OLD_NONCE),
    })
}

/// What the new device knows, for an operation of its own.
pub(super) fn new(operation: &str) -> Value {
    json!({
        "operation": operation,
        "code": code(),
        "grant_key_seed": hex::encode(GRANT_KEY_SEED),
        "new_nonce": hex::encode(NEW_NONCE),
        "device": hex::encode([DEVICE; 16]),
        "slot": hex::encode(SLOT),
        "device_key": hex::encode(public(DEVICE)),
        "name": NAME,
    })
}

/// The input of the old device that grants.
pub(super) fn granting(grant: &Value) -> Value {
    let mut input = with(old("grant"), "request", &request());
    input["link_grant"] = grant.clone();
    input["encapsulation_seed"] = hex::encode(ENCAPSULATION_SEED).into();
    with(input, "box_nonce", &BOX_NONCE)
}

/// The input of the new device that gets a grant.
pub(super) fn opening(sealed: &[u8]) -> Value {
    with(with(new("open-grant"), "reveal", &reveal()), "grant", sealed)
}
