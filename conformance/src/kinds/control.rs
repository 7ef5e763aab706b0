//! Control messages: the content of a part of type `application/vnd.hushwire.control`.

use hushwire_protocol::content::{ContentError, ControlMessage, ControlScope};
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "control";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let bytes = input.bytes("control");
    let message = match ControlMessage::decode(&bytes) {
        Ok(message) => message,
        Err(error) => return refused(error),
    };
    assert_eq!(message.encode(), bytes, "a control message has one encoding");
    let scope = match input.text("group") {
        "own-devices" => ControlScope::OwnDevices,
        "other" => ControlScope::AnyGroup,
        other => panic!("{other} is no group"),
    };
    let entries: Vec<_> =
        message.entries_in(scope).map(|one| entry(one.kind.number(), &one.payload)).collect();
    Outcome::valid(json!({ "entries": entries }))
}

fn refused(error: ContentError) -> Outcome {
    Outcome::refused(Phase::Decode, error.name())
}

fn entry(kind: u32, payload: &[u8]) -> Value {
    json!({ "kind": kind.to_string(), "payload": hex::encode(payload) })
}

fn input(control: &str, group: &str) -> Value {
    json!({ "control": control.replace(' ', ""), "group": group })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(taken()).group(refusals())
}

/// Every kind of the registry, those beside the ranges of own devices and doors, and large ones.
const CONTROL_KINDS: [u32; 30] = [
    0,
    1,
    2,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
    31,
    32,
    33,
    34,
    35,
    36,
    47,
    48,
    49,
    255,
    256,
    65_536,
    u32::MAX,
];

fn taken() -> Group {
    let mut group = Group::new("entries that count", &["CNT-040", "CNT-041", "CNT-042"]);
    for kind in CONTROL_KINDS {
        let control = format!("81 82 {} 43010203", unsigned(kind));
        let listed = entry(kind, &[1, 2, 3]);
        let own = json!({ "entries": [listed] });
        let other = if (16..=31).contains(&kind) { json!({ "entries": [] }) } else { own.clone() };
        group = group
            .valid(&format!("kind {kind}, own devices"), input(&control, "own-devices"), own)
            .valid(&format!("kind {kind}, another group"), input(&control, "other"), other);
    }
    let mixed = "84 82 14 40 82 01 4101 82 16 4102 82 1820 4103";
    let all = [entry(20, &[]), entry(1, &[1]), entry(22, &[2])];
    let unknown = entry(32, &[3]);
    let listed: Vec<_> = all.iter().cloned().chain([unknown.clone()]).collect();
    let most = format!("9840 {}", "820140".repeat(64));
    let first = entry(1, &[]);
    group
        .valid("in the sender's order", input(mixed, "own-devices"), json!({ "entries": listed }))
        .valid(
            "in the sender's order, another group",
            input(mixed, "other"),
            json!({ "entries": [all[1], unknown] }),
        )
        .valid("64 entries", input(&most, "other"), json!({ "entries": vec![first; 64] }))
}

/// An integer in its shortest form (RFC 8949, section 4.2.1).
fn unsigned(value: u32) -> String {
    match value {
        0..=23 => format!("{value:02x}"),
        24..=0xff => format!("18{value:02x}"),
        0x100..=0xffff => format!("19{value:04x}"),
        _ => format!("1a{value:08x}"),
    }
}

fn refusals() -> Group {
    let mut group = Group::new("refused control messages", &["CNT-002", "CNT-003", "CNT-040"]);
    for (comment, control, code) in [
        ("nothing", "", "TRUNCATED"),
        ("no entry", "80", "BAD_CONTROL"),
        ("65 entries declared", "9841", "ABOVE_BOUND"),
        ("a map", "a1 01 40", "UNEXPECTED_TYPE"),
        ("one field", "81 81 01", "UNEXPECTED_TYPE"),
        ("three fields", "81 83 01 40 40", "UNEXPECTED_TYPE"),
        ("negative kind", "81 82 20 40", "UNEXPECTED_TYPE"),
        ("kind of text", "81 82 6131 40", "UNEXPECTED_TYPE"),
        ("kind of 33 bits", "81 82 1b0000000100000000 40", "ABOVE_BOUND"),
        ("long kind", "81 82 1801 40", "NOT_SHORTEST"),
        ("payload of text", "81 82 01 60", "UNEXPECTED_TYPE"),
        ("payload missing", "81 82 01", "TRUNCATED"),
        ("payload cut off", "81 82 01 4201", "TRUNCATED"),
        ("payload of declared length only", "81 82 01 5affffffff", "TRUNCATED"),
        ("long payload length", "81 82 01 5800", "NOT_SHORTEST"),
        ("indefinite list", "9f 82 01 40 ff", "INDEFINITE_LENGTH"),
        ("indefinite payload", "81 82 01 5f 40 ff", "INDEFINITE_LENGTH"),
        ("fewer entries than declared", "82 82 01 40", "TRUNCATED"),
        ("a byte follows", "81 82 01 40 00", "TRAILING_BYTES"),
    ] {
        group = group.invalid(comment, input(control, "own-devices"), Phase::Decode, code);
    }
    group
}
