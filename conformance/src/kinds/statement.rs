//! A member's signed word on which candidate it applied.

use hushwire_protocol::{
    group::{
        LeafIndex, PastMember, PastRoster, Rank, Rejection, Role, UnverifiedStatement,
        VerifiedStatement,
    },
    identity::Fingerprint,
};
use hushwire_wire::id::PublicKey;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{flipped, public, sign},
        envelope::rejected,
    },
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "statement";

const CHANNEL: [u8; 32] = [1; 32];
const EPOCH: [u8; 32] = [2; 32];
const CANDIDATE: [u8; 32] = [3; 32];
/// The seeds of the keys of leaf 0, an owner, and of leaf 5, a member.
const OWNER: u8 = 11;
const MEMBER: u8 = 21;

/// A role by its name.
pub(super) fn role(name: &str) -> Role {
    match name {
        "owner" => Role::Owner,
        "admin" => Role::Admin,
        "member" => Role::Member,
        other => panic!("no role {other}"),
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Member => "member",
    }
}

/// Leaf and role of an object of a vector.
pub(super) fn rank(member: Input<'_>) -> Rank {
    let leaf = LeafIndex(member.text("leaf").parse().expect("a leaf"));
    Rank { role: role(member.text("role")), leaf }
}

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let members = input.field("members").as_array().expect("a list").iter().map(|member| {
        let member = Input(member);
        let signature_key: PublicKey = member.id("signature_key");
        let identity = Fingerprint::from_bytes([0; 32]);
        PastMember { rank: rank(member), identity, signature_key }
    });
    let members = PastRoster::new(members.collect());
    let Ok(said) = UnverifiedStatement::parse(&input.bytes("statement")) else {
        return rejected(Rejection::MalformedStatement);
    };
    match said.verify(&input.id("channel"), &input.id("epoch"), &members) {
        Ok(VerifiedStatement { candidate, rank }) => Outcome::valid(json!({
            "candidate": hex::encode(candidate),
            "leaf": rank.leaf.0.to_string(),
            "role": role_name(rank.role),
        })),
        Err(rejection) => rejected(rejection),
    }
}

/// A statement for the candidate by `leaf`, signed with the key of seed `signer`.
fn statement(channel: &[u8], epoch: &[u8], leaf: u32, signer: u8) -> Vec<u8> {
    let (head, said) = ([0, 1, 1], [&CANDIDATE[..], &leaf.to_be_bytes()].concat());
    let signed = [&head[..], channel, epoch, &said].concat();
    [&head[..], &said, &sign(signer, "applied statement", &signed)].concat()
}

fn input(statement: &[u8]) -> Value {
    let member = |leaf: &str, role: &str, seed: u8| json!({ "leaf": leaf, "role": role, "signature_key": hex::encode(public(seed)) });
    json!({
        "statement": hex::encode(statement),
        "channel": hex::encode(CHANNEL),
        "epoch": hex::encode(EPOCH),
        "members": [member("0", "owner", OWNER), member("5", "member", MEMBER)],
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(taken()).group(refusals())
}

fn taken() -> Group {
    let outputs = |leaf: &str, role: &str| json!({ "candidate": hex::encode(CANDIDATE), "leaf": leaf, "role": role });
    Group::new("statements", &["GRP-120", "GRP-121"])
        .valid("of an owner", input(&statement(&CHANNEL, &EPOCH, 0, OWNER)), outputs("0", "owner"))
        .valid(
            "of a member",
            input(&statement(&CHANNEL, &EPOCH, 5, MEMBER)),
            outputs("5", "member"),
        )
}

fn refusals() -> Group {
    let good = statement(&CHANNEL, &EPOCH, 5, MEMBER);
    let mut group = Group::new("refused statements", &["GRP-120"]);
    for (comment, bytes) in [
        ("another version", flipped(&good, 1)),
        ("another kind", [&[0, 1, 2], &good[3..]].concat()),
        ("a byte less", good[..good.len() - 1].to_vec()),
        ("a byte more", [&good[..], &[0]].concat()),
        ("nothing", Vec::new()),
    ] {
        group = group.invalid(comment, input(&bytes), Phase::Decode, "MalformedStatement");
    }
    for (comment, bytes) in [
        ("another candidate than was signed", flipped(&good, 3)),
        ("another leaf than was signed", flipped(&good, 38)),
        ("signed by another leaf", statement(&CHANNEL, &EPOCH, 5, OWNER)),
        ("by a leaf that is not there", statement(&CHANNEL, &EPOCH, 1, MEMBER)),
        ("signed for another channel", statement(&EPOCH, &EPOCH, 5, MEMBER)),
        ("signed for another epoch", statement(&CHANNEL, &CHANNEL, 5, MEMBER)),
        ("the signature changed", flipped(&good, good.len() - 1)),
    ] {
        group = group.invalid(comment, input(&bytes), Phase::Authenticate, "BadStatement");
    }
    group
}
