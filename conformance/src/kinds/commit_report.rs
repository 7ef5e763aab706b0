//! A member's signed word that a candidate is not valid for it.

use hushwire_protocol::group::{GroupState, LeafIndex, Rejection, Roster, UnverifiedReport};
use hushwire_protocol::identity::UnverifiedCredential;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{Chain, flipped, sign},
        envelope::rejected,
    },
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "commit-report";

const CHANNEL: [u8; 32] = [1; 32];
const EPOCH: [u8; 32] = [2; 32];
const CANDIDATE: [u8; 32] = [3; 32];
/// The seed of the key of the device at leaf 1.
const DEVICE: u8 = 21;

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let members = input.field("members").as_array().expect("a list").iter().map(|member| {
        let member = Input(member);
        let credential = UnverifiedCredential::parse(&member.bytes("credential"));
        let credential = credential.and_then(UnverifiedCredential::verify).expect("valid");
        (LeafIndex(member.text("leaf").parse().expect("a leaf")), credential)
    });
    let state = GroupState::from_bytes(&input.bytes("state")).expect("valid");
    let roster = Roster::new(members, state);
    let Ok(report) = UnverifiedReport::parse(&input.bytes("report")) else {
        return rejected(Rejection::MalformedReport);
    };
    match report.verify(&input.id("channel"), &input.id("epoch"), &roster) {
        Ok(verified) => Outcome::valid(json!({
            "candidate": hex::encode(verified.report.candidate),
            "code": verified.report.code.to_string(),
            "leaf": verified.reporter.leaf.0.to_string(),
        })),
        Err(rejection) => rejected(rejection),
    }
}

fn chain(identity: u8) -> Chain {
    let manager = identity + 100;
    Chain { root: identity, root_signer: identity, manager, signer: manager, counter: 3 }
}

/// A report on the candidate by `leaf`, signed with the key of seed `signer`.
fn report(channel: &[u8], epoch: &[u8], code: u16, leaf: u32, signer: u8) -> Vec<u8> {
    let said = [&CANDIDATE[..], &code.to_be_bytes(), &leaf.to_be_bytes()].concat();
    let signed = [&[0, 1][..], channel, epoch, &said].concat();
    [&[0, 1][..], &said, &sign(signer, "commit report", &signed)].concat()
}

fn input(report: &[u8]) -> Value {
    let member = |leaf: &str, identity: u8, device: u8| json!({ "leaf": leaf, "credential": hex::encode(chain(identity).credential(device)) });
    // Version 1, rules 1, a group of own devices without name, description, roles; seven rights.
    let state = [0, 1, 0, 1, 3, 0, 0, 0, 0, 0, 9, 1, 1, 1, 2, 2, 0, 1, 1, 0, 0];
    json!({
        "report": hex::encode(report),
        "channel": hex::encode(CHANNEL),
        "epoch": hex::encode(EPOCH),
        "state": hex::encode(state),
        "members": [member("0", 1, 11), member("1", 1, DEVICE)],
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(taken()).group(refusals())
}

fn taken() -> Group {
    let outputs =
        |code: &str| json!({ "candidate": hex::encode(CANDIDATE), "code": code, "leaf": "1" });
    let of = |code| input(&report(&CHANNEL, &EPOCH, code, 1, DEVICE));
    Group::new("reports", &["GRP-030", "GRP-060"])
        .valid("a code of this version", of(303), outputs("303"))
        .valid("a code of a later version", of(399), outputs("399"))
}

fn refusals() -> Group {
    let good = report(&CHANNEL, &EPOCH, 303, 1, DEVICE);
    let mut group = Group::new("refused reports", &["GRP-060"]);
    for (comment, bytes) in [
        ("another version", flipped(&good, 1)),
        ("a byte less", good[..good.len() - 1].to_vec()),
        ("a byte more, or a second report", [&good[..], &good].concat()),
    ] {
        group = group.invalid(comment, input(&bytes), Phase::Decode, "MalformedReport");
    }
    for (comment, bytes) in [
        ("another candidate than was signed", flipped(&good, 2)),
        ("another code than was signed", flipped(&good, 35)),
        ("signed by another leaf", report(&CHANNEL, &EPOCH, 303, 0, DEVICE)),
        ("by a leaf that is not there", report(&CHANNEL, &EPOCH, 303, 7, DEVICE)),
        ("signed for another channel", report(&EPOCH, &EPOCH, 303, 1, DEVICE)),
        ("signed for another epoch", report(&CHANNEL, &CHANNEL, 303, 1, DEVICE)),
    ] {
        group = group.invalid(comment, input(&bytes), Phase::Authenticate, "BadReport");
    }
    group
}
