//! Where a group goes on: the word itself, the offer with its link, and which of several is followed.

use hushwire_protocol::{
    epoch::{EnvelopeKey, EpochKeys},
    group::{Note, PastRoster, Rejection},
    identity::Fingerprint,
    succession::{Successor, SuccessorError, SuccessorOffer, SuccessorRank},
};
use hushwire_wire::{
    SigningKey,
    id::{ChannelId, Timestamp},
};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{flipped, public, refused, sign},
        envelope::{self, rejected},
        link::base64url,
        sealed_box::variable,
        statement::role,
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "successor";

const BEFORE: [u8; 32] = [0x61; 32];
const CHANNEL: [u8; 32] = [0x62; 32];
const RELAY: [u8; 32] = [0x63; 32];
const INBOX: [u8; 16] = [0x64; 16];
const SECRET: [u8; 32] = [0x65; 32];
const MAKER: [u8; 32] = [0x66; 32];
/// The seed of the leaf's key.
const LEAF: u8 = 31;

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    match input.text("operation") {
        "successor" => outcome(Successor::from_bytes(&input.bytes("bytes")), |it| describe(&it)),
        "offer" => {
            outcome(SuccessorOffer::from_bytes(&input.bytes("bytes")), |it| describe_offer(&it))
        }
        "note" => note(input),
        "followed" => followed(input),
        other => panic!("no operation {other}"),
    }
}

fn note(input: Input<'_>) -> Outcome {
    let envelope = EnvelopeKey::from_bytes(input.bytes("envelope_key").try_into().expect("32"));
    // What signs for the relay opens no envelope.
    let keys = EpochKeys { signing: SigningKey::from_bytes(&[0; 32]), envelope };
    let (channel, epoch) = (input.id("channel"), input.id("epoch"));
    let members = PastRoster::new(Vec::new());
    match Note::open(&keys, &channel, &epoch, &members, &input.bytes("envelope")) {
        Ok(Note::Successor(offer)) => Outcome::valid(describe_offer(&offer)),
        Ok(other) => panic!("no offer: {other:?}"),
        Err(rejection) => rejected(rejection),
    }
}

fn describe_offer(offer: &SuccessorOffer) -> Value {
    let mut described = describe(&offer.successor);
    described["inbox"] = hex::encode(offer.inbox).into();
    described["secret"] = hex::encode(offer.secret.expose()).into();
    described["maker"] = hex::encode(offer.maker).into();
    described
}

fn outcome<T>(read: Result<T, SuccessorError>, describe: impl FnOnce(T) -> Value) -> Outcome {
    match read {
        Ok(read) => Outcome::valid(describe(read)),
        Err(SuccessorError::Malformed(error)) => refused(error.name()),
        Err(_) => refused("BAD_SIGNATURE"),
    }
}

fn describe(successor: &Successor) -> Value {
    json!({
        "before": hex::encode(successor.before),
        "channel": hex::encode(successor.channel),
        "relay": successor.relay.to_string(),
        "made_at": successor.made_at.0.to_string(),
        "left_out": successor.left_out.iter().map(hex::encode).collect::<Vec<_>>(),
        "key": hex::encode(successor.key),
    })
}

fn followed(input: Input<'_>) -> Outcome {
    let said = input.field("said").as_array().expect("a list").iter().map(|said| {
        let said = Input(said);
        SuccessorRank {
            role: role(said.text("role")),
            identity: Fingerprint::from_bytes(said.bytes("identity").try_into().expect("32 bytes")),
            made_at: Timestamp(said.text("made_at").parse().expect("a time")),
            channel: said.id::<ChannelId>("channel"),
        }
    });
    let highest = said.max().expect("somebody says it");
    Outcome::valid(json!({ "channel": hex::encode(highest.channel) }))
}

/// A successor at `relay.example.org` that leaves out nobody, signed with the key of seed `signer`.
pub(super) fn successor(key: [u8; 32], signer: u8) -> Vec<u8> {
    leaving_out(&[], key, signer)
}

/// The same, with what names those who are left out.
pub(super) fn leaving_out(left_out: &[u8], key: [u8; 32], signer: u8) -> Vec<u8> {
    let relay = [&variable(b"relay.example.org")[..], &4433u16.to_be_bytes(), &RELAY].concat();
    let made_at = 9u64.to_be_bytes();
    let left_out = variable(left_out);
    let fields = [&[0, 1][..], &BEFORE, &CHANNEL, &relay, &made_at, &left_out, &key].concat();
    [&fields[..], &sign(signer, "successor", &fields)].concat()
}

/// Fingerprints of one byte each, one after the other.
fn people(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [*byte; 32]).collect()
}

fn offer(successor: &[u8]) -> Vec<u8> {
    offer_by(LEAF, successor)
}

fn offer_by(signer: u8, successor: &[u8]) -> Vec<u8> {
    let fields = [&[0, 1][..], &variable(successor), &INBOX, &SECRET, &MAKER].concat();
    [&fields[..], &sign(signer, "successor offer", &fields)].concat()
}

/// The input of a note in which this stands behind version and kind.
fn noted(head: [u8; 3], offer: &[u8]) -> Value {
    let mut input = envelope::note(&[&head[..], offer].concat());
    input["operation"] = "note".into();
    input
}

/// Version and kind of an offer that is noted.
const NOTE: [u8; 3] = [0, 1, 2];

fn input(operation: &str, bytes: &[u8]) -> Value {
    json!({ "operation": operation, "bytes": hex::encode(bytes) })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(taken()).group(refusals()).group(notes()).group(ranks())
}

fn taken() -> Group {
    let whole = successor(public(LEAF), LEAF);
    let outputs = json!({
        "before": hex::encode(BEFORE),
        "channel": hex::encode(CHANNEL),
        "relay": format!("relay.example.org:4433#{}", base64url(&RELAY)),
        "made_at": "9",
        "left_out": [],
        "key": hex::encode(public(LEAF)),
    });
    let mut without = outputs.clone();
    without["left_out"] = json!([hex::encode([3; 32]), hex::encode([4; 32])]);
    let mut offered = outputs.clone();
    offered["inbox"] = hex::encode(INBOX).into();
    offered["secret"] = hex::encode(SECRET).into();
    offered["maker"] = hex::encode(MAKER).into();
    let leaves = leaving_out(&people(&[3, 4]), public(LEAF), LEAF);
    Group::new("successors and offers", &["GRP-140", "GRP-141", "GRP-145"])
        .valid("a successor", input("successor", &whole), outputs)
        .valid("two are left out", input("successor", &leaves), without)
        .valid("an offer", input("offer", &offer(&whole)), offered.clone())
        .valid("an offer as a note", noted(NOTE, &offer(&whole)), offered)
}

fn refusals() -> Group {
    let whole = successor(public(LEAF), LEAF);
    let offered = offer(&whole);
    let leaves = |left_out: &[u8]| leaving_out(left_out, public(LEAF), LEAF);
    let rules = ["GRP-140", "GRP-141", "GRP-145"];
    let mut group = Group::new("refused successors and offers", &rules);
    for (comment, operation, bytes, name) in [
        ("nothing", "successor", Vec::new(), "TRUNCATED"),
        ("another version", "successor", flipped(&whole, 1), "UNKNOWN_VERSION"),
        ("cut off", "successor", whole[..whole.len() - 1].to_vec(), "TRUNCATED"),
        ("a byte follows", "successor", [&whole[..], &[0]].concat(), "TRAILING_BYTES"),
        ("another group before", "successor", flipped(&whole, 2), "BAD_SIGNATURE"),
        ("another channel", "successor", flipped(&whole, 34), "BAD_SIGNATURE"),
        ("left out in another order", "successor", leaves(&people(&[4, 3])), "NOT_IN_ORDER"),
        ("left out twice", "successor", leaves(&people(&[3, 3])), "NOT_IN_ORDER"),
        ("left out, cut off", "successor", leaves(&people(&[3, 4])[..63]), "TRUNCATED"),
        ("too many left out", "successor", leaves(&[5; 257 * 32]), "TOO_LONG"),
        ("another is left out", "successor", flipped(&leaves(&people(&[3])), 129), "BAD_SIGNATURE"),
        ("another key signed", "successor", successor(public(LEAF), 32), "BAD_SIGNATURE"),
        ("a key that is no point", "successor", successor([2; 32], LEAF), "BAD_SIGNATURE"),
        ("signature changed", "successor", flipped(&whole, whole.len() - 1), "BAD_SIGNATURE"),
        ("another version", "offer", flipped(&offered, 1), "UNKNOWN_VERSION"),
        ("cut off", "offer", offered[..offered.len() - 1].to_vec(), "TRUNCATED"),
        ("a byte follows", "offer", [&offered[..], &[0]].concat(), "TRAILING_BYTES"),
        ("no successor", "offer", offer(&[]), "TRUNCATED"),
        (
            "a byte in the successor's place",
            "offer",
            offer(&[&whole[..], &[0]].concat()),
            "TRAILING_BYTES",
        ),
        ("successor's changed", "offer", offer(&flipped(&whole, whole.len() - 1)), "BAD_SIGNATURE"),
        ("another inbox", "offer", flipped(&offered, offered.len() - 130), "BAD_SIGNATURE"),
        ("another link", "offer", flipped(&offered, offered.len() - 97), "BAD_SIGNATURE"),
        ("another maker", "offer", flipped(&offered, offered.len() - 65), "BAD_SIGNATURE"),
        ("signature changed", "offer", flipped(&offered, offered.len() - 1), "BAD_SIGNATURE"),
        ("another key signed", "offer", offer_by(32, &whole), "BAD_SIGNATURE"),
    ] {
        group = group.test(comment, &[], input(operation, &bytes), refused(name));
    }
    group
}

fn notes() -> Group {
    let offered = offer(&successor(public(LEAF), LEAF));
    let forged = offer(&flipped(&successor(public(LEAF), LEAF), 2));
    let another_link = flipped(&offered, offered.len() - 97);
    let cut_off = &offered[..offered.len() - 1];
    let longer = [&offered[..], &[0]].concat();
    let group = Group::new("refused offers in notes", &["GRP-141"]);
    [
        ("another version", noted([0, 2, 2], &offered), Rejection::MalformedStatement),
        ("cut off", noted(NOTE, cut_off), Rejection::MalformedStatement),
        ("a byte follows", noted(NOTE, &longer), Rejection::MalformedStatement),
        ("nothing follows", noted(NOTE, &[]), Rejection::MalformedStatement),
        ("another group before", noted(NOTE, &forged), Rejection::BadStatement),
        ("another link", noted(NOTE, &another_link), Rejection::BadStatement),
    ]
    .into_iter()
    .fold(group, |group, (comment, input, rejection)| {
        group.test(comment, &[], input, rejected(rejection))
    })
}

/// Who says it: role, identity, when, the channel.
type Said = (&'static str, u8, u64, u8);

fn ranks() -> Group {
    let cases: [(&str, &[Said], u8); 7] = [
        ("one alone", &[("admin", 9, 1, 1)], 1),
        ("an owner after an admin", &[("admin", 1, 9, 1), ("owner", 9, 1, 2)], 2),
        ("an admin after an owner", &[("owner", 9, 1, 1), ("admin", 1, 9, 2)], 1),
        ("the lower of two owners", &[("owner", 3, 9, 1), ("owner", 2, 1, 2)], 2),
        ("the later word of one", &[("owner", 2, 1, 1), ("owner", 2, 2, 2)], 2),
        ("at the same time the lower channel", &[("owner", 2, 2, 8), ("owner", 2, 2, 7)], 7),
        (
            "all of that",
            &[("owner", 5, 9, 1), ("owner", 2, 3, 2), ("owner", 2, 4, 3), ("admin", 1, 9, 4)],
            3,
        ),
    ];
    cases.iter().fold(
        Group::new("which of several is followed", &["GRP-143"]),
        |group, (comment, said, followed)| {
            let said = said.iter().map(|(role, identity, made_at, channel)| {
                json!({
                    "role": role,
                    "identity": hex::encode([*identity; 32]),
                    "made_at": made_at.to_string(),
                    "channel": hex::encode([*channel; 32]),
                })
            });
            let input = json!({ "operation": "followed", "said": said.collect::<Vec<_>>() });
            group.valid(comment, input, json!({ "channel": hex::encode([*followed; 32]) }))
        },
    )
}
