//! What the sender of an entry signed about its place: MLS' authenticated data.

use hushwire_protocol::group::{Binding, LogPlace};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{chain::flipped, envelope::rejected},
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "group-binding";

const CHANNEL: [u8; 32] = [1; 32];
const EPOCH: [u8; 32] = [2; 32];

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let bytes = input.bytes("authenticated_data");
    let (channel, epoch) = (input.id("channel"), input.id("epoch"));
    let binding = match Binding::read(&bytes, &channel, &epoch) {
        Ok(binding) => binding,
        Err(rejection) => return rejected(rejection),
    };
    assert_eq!(binding.to_bytes(&channel, &epoch), bytes, "a binding has one encoding");
    let place = |read: &LogPlace| (read.read_to.0.to_string(), hex::encode(read.head));
    Outcome::valid(match &binding {
        Binding::Message(read) => {
            let (read_to, head) = place(read);
            json!({ "kind": "message", "read_to": read_to, "head": head })
        }
        Binding::Commit { read, cut, contested } => {
            let (read_to, head) = place(read);
            let contested: Vec<_> = contested.iter().map(hex::encode).collect();
            json!({
                "kind": "commit",
                "read_to": read_to,
                "head": head,
                "cut": cut.code().to_string(),
                "contested": contested,
            })
        }
        Binding::Leave => json!({ "kind": "leave" }),
    })
}

/// Version, kind, channel and epoch id, then what the kind has.
fn bytes(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    [&[0, 1, kind][..], &CHANNEL, &EPOCH, &fields.concat()].concat()
}

fn input(bytes: &[u8]) -> Value {
    json!({
        "authenticated_data": hex::encode(bytes),
        "channel": hex::encode(CHANNEL),
        "epoch": hex::encode(EPOCH),
    })
}

const READ_TO: [u8; 8] = [0, 0, 0, 0, 0, 0, 1, 4];
const HEAD: [u8; 32] = [3; 32];

fn commit(cut: u8, contested: &[&[u8]]) -> Vec<u8> {
    bytes(2, &[&READ_TO, &HEAD, &[cut], &contested.concat()])
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(taken()).group(refusals())
}

fn taken() -> Group {
    let head = hex::encode(HEAD);
    let of_commit = |cut: &str, contested: &[String]| {
        json!({
            "kind": "commit", "read_to": "260", "head": head, "cut": cut, "contested": contested,
        })
    };
    let two = [hex::encode([5; 32]), hex::encode([4; 32])];
    Group::new("bindings", &["GRP-051"])
        .valid(
            "a message",
            input(&bytes(1, &[&READ_TO, &HEAD])),
            json!({ "kind": "message", "read_to": "260", "head": head }),
        )
        .valid("a first commit", input(&commit(0, &[&[0]])), of_commit("0", &[]))
        .valid(
            "a commit that contests two, in relay order, and is cut",
            input(&commit(1, &[&[0x40, 64], &[5; 32], &[4; 32]])),
            of_commit("1", &two),
        )
        .valid("a leave", input(&bytes(3, &[])), json!({ "kind": "leave" }))
}

fn refusals() -> Group {
    let (message, leave, first) = (bytes(1, &[&READ_TO, &HEAD]), bytes(3, &[]), commit(0, &[&[0]]));
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let mut group = Group::new("refused bindings", &["GRP-051"]);
    for (comment, bytes) in [
        ("nothing", vec![]),
        ("another version", flipped(&message, 1)),
        ("an unknown kind", bytes(4, &[])),
        ("a message without its head", bytes(1, &[&READ_TO])),
        ("a message with a byte more", longer(&message)),
        ("a commit without what its author had read", bytes(2, &[&[0, 0]])),
        ("a commit with a byte more", longer(&first)),
        ("an undefined cut", commit(2, &[&[0]])),
        ("half an entry id", commit(0, &[&[16], &[5; 16]])),
        ("a length that is not in its shortest form", commit(0, &[&[0x40, 0]])),
        ("a leave with a byte more", longer(&leave)),
    ] {
        let code = "MalformedBinding";
        group = group.invalid(comment, input(&bytes), Phase::Decode, code);
    }
    for (comment, at) in [("of another channel", 3), ("of another epoch", 35)] {
        let bytes = flipped(&message, at);
        group = group.invalid(comment, input(&bytes), Phase::State, "WrongBinding");
    }
    group
}
