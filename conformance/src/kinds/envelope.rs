//! Envelopes.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hushwire_protocol::envelope::{EnvelopeError, NoteContent, Place, open, open_note};
use hushwire_protocol::epoch::EnvelopeKey;
use hushwire_protocol::group::Rejection;
use hushwire_wire::transcript::{CommitMark, Cut, Operation};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{chain::bind, sealed_box::variable},
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "envelope";

/// A rejection, as vectors name it.
pub(super) fn rejected(rejection: Rejection) -> Outcome {
    let phase = match rejection.code() / 100 {
        1 => Phase::Decode,
        2 => Phase::Authenticate,
        3 => Phase::State,
        _ => Phase::Policy,
    };
    Outcome::refused(phase, rejection.name())
}

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let (channel, epoch) = (input.id("channel"), input.id("epoch"));
    let key = EnvelopeKey::from_bytes(input.bytes("envelope_key").try_into().expect("32 bytes"));
    if input.has("note") {
        return match open_note(&key, &channel, &epoch, &input.bytes("envelope")) {
            Ok(NoteContent::Unknown) => Outcome::accepted(),
            Ok(NoteContent::Statement(said)) => {
                Outcome::valid(json!({ "statement": hex::encode(said) }))
            }
            Err(error) => rejected(error_code(error)),
        };
    }
    let operation = if input.has("next_key") {
        let contested = input.list("contested");
        Operation::Commit(CommitMark {
            next_key: input.id("next_key"),
            cut: if input.integer("cut") == 1 { Cut::Cut } else { Cut::Through },
            contested: contested
                .iter()
                .map(|id| id.as_slice().try_into().expect("32 bytes"))
                .collect(),
        })
    } else {
        Operation::Message
    };
    let place = Place { channel: &channel, epoch: &epoch, operation: &operation };
    match open(&key, place, &input.bytes("envelope")) {
        Ok(content) => Outcome::valid(json!({
            "kind": (content.kind as u8).to_string(),
            "mls_message": hex::encode(&content.message),
            "proposals": content.proposals.iter().map(hex::encode).collect::<Vec<_>>(),
            "report": hex::encode(&content.report),
        })),
        Err(error) => rejected(error_code(error)),
    }
}

fn error_code(error: EnvelopeError) -> Rejection {
    error.into()
}

const KEY: u8 = 3;
const NONCE: [u8; 24] = [9; 24];
const MESSAGE: &[u8] = b"an MLSMessage";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Message,
    Commit,
    Note,
}

/// The binding of ENV-003, byte by byte.
fn binding(kind: Kind, epoch: u8, next_key: u8) -> Vec<u8> {
    let place = [[1; 32], [epoch; 32]].concat();
    let operation = match kind {
        Kind::Message => vec![1],
        Kind::Note => vec![3],
        Kind::Commit => [&[2][..], &[next_key; 32], &[1], &[0, 0, 0, 32], &[5; 32]].concat(),
    };
    bind("envelope binding", &[place, operation].concat())
}

fn sealed(binding: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let cipher = XChaCha20Poly1305::new(&[KEY; 32].into());
    let payload = Payload { msg: plaintext, aad: binding };
    let sealed = cipher.encrypt(XNonce::from_slice(&NONCE), payload).expect("short");
    [&NONCE[..], &sealed].concat()
}

fn content(version: u16, kind: u8, proposals: &[u8], report: &[u8]) -> Vec<u8> {
    content_of(version, kind, [MESSAGE, proposals, report])
}

fn content_of(version: u16, kind: u8, fields: [&[u8]; 3]) -> Vec<u8> {
    let fields = fields.map(variable);
    [&version.to_be_bytes()[..], &[kind], &fields.concat()].concat()
}

/// The input of a note that says this.
pub(super) fn note(said: &[u8]) -> Value {
    let content = padded(content_of(1, 4, [said, &[], &[]]), 512);
    input(Kind::Note, &sealed(&binding(Kind::Note, 2, 4), &content))
}

fn padded(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.resize(length - 40, 0);
    bytes
}

fn input(kind: Kind, envelope: &[u8]) -> Value {
    let mut input = json!({
        "envelope_key": hex::encode([KEY; 32]),
        "channel": hex::encode([1; 32]),
        "epoch": hex::encode([2; 32]),
        "envelope": hex::encode(envelope),
    });
    if kind == Kind::Commit {
        input["next_key"] = hex::encode([4; 32]).into();
        input["cut"] = "1".into();
        input["contested"] = json!([hex::encode([5; 32])]);
    }
    if kind == Kind::Note {
        input["note"] = true.into();
    }
    input
}

fn outputs(kind: &str, proposals: &[&[u8]], report: &[u8]) -> Value {
    json!({
        "kind": kind,
        "mls_message": hex::encode(MESSAGE),
        "proposals": proposals.iter().map(hex::encode).collect::<Vec<_>>(),
        "report": hex::encode(report),
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(valid()).group(places()).group(contents()).group(notes())
}

fn valid() -> Group {
    let (message, commit) = (binding(Kind::Message, 2, 4), binding(Kind::Commit, 2, 4));
    let seal = |binding: &[u8], bytes| sealed(binding, &padded(bytes, 256));
    let list = [&[3][..], b"one", &[3], b"two"].concat();
    let rules = ["ENV-001", "ENV-003", "ENV-004", "ENV-005", "ENV-013"];
    Group::new("envelopes", &rules)
        .valid(
            "message",
            input(Kind::Message, &seal(&message, content(1, 1, &[], &[]))),
            outputs("1", &[], &[]),
        )
        .valid(
            "leave",
            input(Kind::Message, &seal(&message, content(1, 3, &[], &[]))),
            outputs("3", &[], &[]),
        )
        .valid(
            "commit with proposals and report",
            input(Kind::Commit, &seal(&commit, content(1, 2, &list, b"report"))),
            outputs("2", &[b"one", b"two"], b"report"),
        )
        .valid(
            "more padding than needed",
            input(Kind::Message, &sealed(&message, &padded(content(1, 1, &[], &[]), 512))),
            outputs("1", &[], &[]),
        )
}

fn places() -> Group {
    let plaintext = padded(content(1, 1, &[], &[]), 256);
    let commit = padded(content(1, 2, &[], &[]), 256);
    let good = sealed(&binding(Kind::Message, 2, 4), &plaintext);
    let mut changed = good.clone();
    changed[100] ^= 1;
    let mut other_key = input(Kind::Message, &good);
    other_key["envelope_key"] = hex::encode([8; 32]).into();
    let mut through = input(Kind::Commit, &sealed(&binding(Kind::Commit, 2, 4), &commit));
    through["cut"] = "0".into();
    let refuse = |input| (input, Rejection::Undecryptable);
    let cases = [
        ("a changed byte", refuse(input(Kind::Message, &changed))),
        ("another key", refuse(other_key)),
        (
            "another epoch",
            refuse(input(Kind::Message, &sealed(&binding(Kind::Message, 3, 4), &plaintext))),
        ),
        (
            "another next key",
            refuse(input(Kind::Commit, &sealed(&binding(Kind::Commit, 2, 5), &commit))),
        ),
        ("another cut", refuse(through)),
        ("a message in a commit's place", refuse(input(Kind::Commit, &good))),
        ("one byte short", (input(Kind::Message, &good[..255]), Rejection::BadLength)),
        ("nothing", (input(Kind::Message, &[]), Rejection::BadLength)),
    ];
    let mut group = Group::new("places", &["ENV-001", "ENV-003", "ENV-012"]);
    for (comment, (input, rejection)) in cases {
        group = group.test(comment, &[], input, rejected(rejection));
    }
    group
}

fn contents() -> Group {
    let seal = |bytes| sealed(&binding(Kind::Message, 2, 4), &padded(bytes, 256));
    let mut marked = padded(content(1, 1, &[], &[]), 256);
    *marked.last_mut().expect("not empty") = 1;
    let long = [&[0, 1, 1, 0x40, 13][..], MESSAGE, &[0, 0]].concat();
    let cases = [
        ("version 2", seal(content(2, 1, &[], &[])), Rejection::MalformedEnvelope),
        ("kind 0", seal(content(1, 0, &[], &[])), Rejection::WrongKind),
        ("kind 4", seal(content(1, 4, &[], &[])), Rejection::WrongKind),
        ("a commit as a message", seal(content(1, 2, &[], &[])), Rejection::WrongKind),
        ("a length in a longer form", seal(long), Rejection::MalformedEnvelope),
        ("past the end", seal(vec![0, 1, 1, 0x40, 250]), Rejection::MalformedEnvelope),
        ("padding not zero", sealed(&binding(Kind::Message, 2, 4), &marked), Rejection::BadPadding),
    ];
    let mut group = Group::new("contents", &["ENV-004", "ENV-005", "ENV-014"]);
    for (comment, envelope, rejection) in cases {
        group = group.test(comment, &[], input(Kind::Message, &envelope), rejected(rejection));
    }
    group
}

/// What this version knows is no note, and a note that it does not know is passed over.
fn notes() -> Group {
    let seal = |kind, version| {
        sealed(&binding(Kind::Note, 2, 4), &padded(content(version, kind, &[], &[]), 256))
    };
    let group = Group::new("notes", &["ENV-003", "ENV-005"]).test(
        "of a later version, passed over",
        &[],
        input(Kind::Note, &seal(200, 1)),
        Outcome::accepted(),
    );
    let message = sealed(&binding(Kind::Message, 2, 4), &padded(content(1, 1, &[], &[]), 256));
    let cases = [
        ("a message as a note", seal(1, 1), Rejection::WrongKind),
        ("a commit as a note", seal(2, 1), Rejection::WrongKind),
        ("a leave as a note", seal(3, 1), Rejection::WrongKind),
        (
            "a statement with a report",
            sealed(&binding(Kind::Note, 2, 4), &padded(content(1, 4, &[], b"r"), 256)),
            Rejection::MalformedEnvelope,
        ),
        ("version 2", seal(200, 2), Rejection::MalformedEnvelope),
        ("a message in a note's place", message, Rejection::Undecryptable),
    ];
    cases.into_iter().fold(group, |group, (comment, envelope, rejection)| {
        group.test(comment, &[], input(Kind::Note, &envelope), rejected(rejection))
    })
}
