//! Cards, and what else lies in boxes on the relay.

use hushwire_protocol::card::{Card, ShelfKey};
use hushwire_protocol::identity::Fingerprint;
use hushwire_protocol::link::CardKey;
use hushwire_protocol::seal::InboxKey;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{Chain, flipped, refused},
        sealed_box::{self, padded, varint},
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "card";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let key: [u8; 32] = input.bytes("key").try_into().expect("32 bytes");
    let (inbox, sealed) = (input.id("inbox"), input.bytes("sealed"));
    let shelf = ShelfKey::from_bytes(key);
    let opened = match input.text("operation") {
        "card" => return open_card(input, &CardKey::from_bytes(key), &sealed),
        "package" => shelf.open_package(&inbox, &input.id("slot"), &sealed),
        "device-list" => shelf.open_device_list(&inbox, &sealed),
        other => panic!("{other} is no operation"),
    };
    opened.map_or_else(
        |error| refused(error.name()),
        |content| Outcome::valid(json!({ "content": hex::encode(&content[..]) })),
    )
}

fn open_card(input: Input<'_>, key: &CardKey, sealed: &[u8]) -> Outcome {
    let fingerprint = input.bytes("fingerprint").try_into().expect("32 bytes");
    let identity = Fingerprint::from_bytes(fingerprint);
    match Card::open(key, &input.id("inbox"), &input.id("capability_id"), &identity, sealed) {
        Err(error) => refused(error.name()),
        Ok(card) => Outcome::valid(describe(
            card.terms().inbox_key.as_ref(),
            card.terms().shelf_key.expose(),
            card.terms().device_list_minimum.manager_counter.0,
            card.terms().device_list_minimum.version.0,
            card.terms().name.as_str(),
        )),
    }
}

fn describe(inbox_key: &[u8], shelf_key: &[u8], counter: u64, version: u64, name: &str) -> Value {
    json!({
        "inbox_key": hex::encode(inbox_key),
        "shelf_key": hex::encode(shelf_key),
        "minimum_manager_counter": counter.to_string(),
        "minimum_list_version": version.to_string(),
        "name": name,
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(valid()).group(places()).group(signatures()).group(shelf())
}

const INBOX: [u8; 16] = [0x31; 16];
const CAPABILITY: [u8; 32] = [0x32; 32];
const KEY: [u8; 32] = [0x33; 32];
const SHELF_KEY: [u8; 32] = [0x34; 32];

/// A box of this test's key, with a fixed nonce, as only this generator may.
fn sealed(label: &str, place: &[u8], plaintext: &[u8]) -> Vec<u8> {
    sealed_box::sealed(&KEY, label, place, plaintext, &[0x35; 24])
}

fn inbox_key() -> Vec<u8> {
    let key = InboxKey::from_bytes([0x36; 32]).public().expect("the library derives");
    key.as_ref().to_vec()
}

fn card(chain: Chain, inbox: &[u8], name: &[u8]) -> Vec<u8> {
    let fields = [
        &[0, 1][..],
        &chain.statement(),
        &inbox_key(),
        &SHELF_KEY,
        &3u64.to_be_bytes(),
        &5u64.to_be_bytes(),
        &varint(name.len()),
        name,
    ];
    chain.signed("card", inbox, &fields.concat())
}

fn sealed_card(content: &[u8]) -> Vec<u8> {
    sealed("card seal", &[&INBOX[..], &CAPABILITY].concat(), &padded(content))
}

fn input(sealed: &[u8]) -> Value {
    json!({
        "operation": "card",
        "key": hex::encode(KEY),
        "inbox": hex::encode(INBOX),
        "capability_id": hex::encode(CAPABILITY),
        "fingerprint": hex::encode(Chain::OURS.fingerprint()),
        "sealed": hex::encode(sealed),
    })
}

fn valid() -> Group {
    let rules = ["LNK-020", "LNK-021", "LNK-022", "LNK-023", "LNK-024", "LNK-025"];
    ["Ana", "李雷", &"x".repeat(128)].iter().fold(Group::new("cards", &rules), |group, name| {
        let sealed = sealed_card(&card(Chain::OURS, &INBOX, name.as_bytes()));
        assert!(sealed.len() <= 2048, "LNK-025");
        let outputs = describe(&inbox_key(), &SHELF_KEY, 3, 5, name);
        group.valid("a card", input(&sealed), outputs)
    })
}

fn places() -> Group {
    let content = card(Chain::OURS, &INBOX, b"Ana");
    let whole = sealed_card(&content);
    let place = [&INBOX[..], &CAPABILITY].concat();
    let mut marked = padded(&content);
    *marked.last_mut().expect("not empty") = 1;
    let mut group = Group::new("boxes", &["LNK-020", "LNK-021", "LNK-022"]);
    for (field, other) in [("inbox", &INBOX[..]), ("capability_id", &CAPABILITY), ("key", &KEY)] {
        let mut input = input(&whole);
        input[field] = hex::encode(flipped(other, 0)).into();
        group = group.test(&format!("another {field}"), &[], input, refused("UNOPENED"));
    }
    for (comment, sealed, name) in [
        ("nonce changed", flipped(&whole, 0), "UNOPENED"),
        ("ciphertext changed", flipped(&whole, 24), "UNOPENED"),
        ("tag changed", flipped(&whole, whole.len() - 1), "UNOPENED"),
        ("another label", sealed("shelf package", &place, &padded(&content)), "UNOPENED"),
        ("cut off", whole[..whole.len() - 1].to_vec(), "LENGTH_OUTSIDE_SET"),
        ("nothing", vec![], "LENGTH_OUTSIDE_SET"),
        ("zeros", vec![0; 256], "UNOPENED"),
        ("padding is not zero", sealed("card seal", &place, &marked), "NOT_ZERO"),
        ("content longer than the box", sealed("card seal", &place, &[0x7f; 216]), "TOO_LONG"),
        (
            "length of the content not minimal",
            sealed("card seal", &place, &[&[0x40, 1][..], &[0; 214]].concat()),
            "BAD_LENGTH",
        ),
    ] {
        group = group.test(comment, &[], input(&sealed), refused(name));
    }
    group
}

fn signatures() -> Group {
    let ours = Chain::OURS;
    let whole = card(ours, &INBOX, b"Ana");
    let of = |chain: Chain| card(chain, &INBOX, b"Ana");
    let mut group = Group::new("card inside", &["IDN-001", "IDN-022", "LNK-023", "LNK-024"]);
    for (comment, content, name) in [
        ("another identity", of(Chain { root: 9, root_signer: 9, ..ours }), "OTHER_IDENTITY"),
        ("another root signed", of(Chain { root_signer: 9, ..ours }), "STATEMENT_SIGNATURE"),
        ("another manager signed", of(Chain { signer: 9, ..ours }), "CARD_SIGNATURE"),
        ("signed for another inbox", card(ours, &[0; 16], b"Ana"), "CARD_SIGNATURE"),
        ("signed for no inbox", card(ours, &[], b"Ana"), "CARD_SIGNATURE"),
        ("key changed", flipped(&whole, 200), "CARD_SIGNATURE"),
        ("signature changed", flipped(&whole, whole.len() - 1), "CARD_SIGNATURE"),
        ("another version", flipped(&whole, 1), "UNKNOWN_VERSION"),
        ("cut off", whole[..whole.len() - 1].to_vec(), "TRUNCATED"),
        ("a byte follows", [&whole[..], &[1]].concat(), "TRAILING_BYTES"),
        ("no name", card(ours, &INBOX, b""), "UNDEFINED_VALUE"),
        ("name with an escape", card(ours, &INBOX, b"a\x1b[31m"), "UNDEFINED_VALUE"),
        ("name written backwards", card(ours, &INBOX, "a\u{202e}b".as_bytes()), "UNDEFINED_VALUE"),
        ("name with a soft hyphen", card(ours, &INBOX, "a\u{ad}b".as_bytes()), "UNDEFINED_VALUE"),
        ("name with a tag", card(ours, &INBOX, "a\u{e0041}".as_bytes()), "UNDEFINED_VALUE"),
        ("name with U+FFF8", card(ours, &INBOX, "a\u{fff8}b".as_bytes()), "UNDEFINED_VALUE"),
        ("musical control", card(ours, &INBOX, "a\u{1d173}b".as_bytes()), "UNDEFINED_VALUE"),
        ("shorthand control", card(ours, &INBOX, "a\u{1bca3}b".as_bytes()), "UNDEFINED_VALUE"),
        ("name not UTF-8", card(ours, &INBOX, &[0xff]), "NOT_TEXT"),
        ("name of 129 bytes", card(ours, &INBOX, &[b'x'; 129]), "TOO_LONG"),
    ] {
        group = group.test(comment, &[], input(&sealed_card(&content)), refused(name));
    }
    group
}

fn shelf() -> Group {
    let (slot, content) = ([0x37; 16], b"content");
    let shelf_input = |operation: &str, sealed: &[u8]| {
        json!({
            "operation": operation,
            "key": hex::encode(KEY),
            "inbox": hex::encode(INBOX),
            "slot": hex::encode(slot),
            "sealed": hex::encode(sealed),
        })
    };
    let outputs = json!({ "content": hex::encode(content) });
    let package = sealed("shelf package", &[INBOX, slot].concat(), &padded(content));
    let other_slot = sealed("shelf package", &[INBOX, [0; 16]].concat(), &padded(content));
    let list = sealed("shelf device list", &INBOX, &padded(content));
    let other_inbox = sealed("shelf device list", &[0; 16], &padded(content));
    Group::new("shelf", &["LNK-020", "LNK-021", "LNK-026"])
        .valid("a key package", shelf_input("package", &package), outputs.clone())
        .valid("a device list", shelf_input("device-list", &list), outputs)
        .test("another slot", &[], shelf_input("package", &other_slot), refused("UNOPENED"))
        .test("a list as a package", &[], shelf_input("package", &list), refused("UNOPENED"))
        .test("a package as a list", &[], shelf_input("device-list", &package), refused("UNOPENED"))
        .test("another inbox", &[], shelf_input("device-list", &other_inbox), refused("UNOPENED"))
}
