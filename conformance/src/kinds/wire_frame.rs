//! One frame, without its length prefix.

mod description;
mod mutation;
mod raw;
mod samples;

use bytes::Bytes;
use hushwire_wire::frame::{FrameError, decode_answer, decode_request};
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

pub(crate) use self::description::hello_reply;
use self::{
    raw::RawField,
    samples::{Sample, Side},
};

/// Name of the kind.
pub const NAME: &str = "wire-frame";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let message = Bytes::from(input.bytes("message"));
    match input.text("direction") {
        "to_relay" => decode_request(message)
            .map_or_else(refused, |frame| Outcome::valid(description::request(&frame))),
        "to_client" => decode_answer(message)
            .map_or_else(refused, |frame| Outcome::valid(description::answer(&frame))),
        other => panic!("{other} is no direction"),
    }
}

fn refused(error: FrameError) -> Outcome {
    Outcome::refused(Phase::Decode, error.code().name())
}

fn input(side: Side, message: &[u8]) -> Value {
    json!({ "direction": side.name(), "message": hex::encode(message) })
}

/// Code of everything that is no frame.
const MALFORMED: &str = "MALFORMED_FRAME";
/// Code of what is reserved or not known.
const UNSUPPORTED: &str = "UNSUPPORTED";

/// The tests.
pub fn suite() -> Suite {
    let samples = samples::all();
    Suite::new(NAME)
        .note("Cut", "The message ends before its last byte.")
        .note("Length", "A field has not the length that its type fixes.")
        .note("Missing", "A field that is required is not there.")
        .note("Order", "A field comes twice, or after one with a higher number.")
        .note("WireType", "A field has a wire type that it must not have.")
        .note("Range", "An integer does not fit its field.")
        .group(valid(&samples))
        .group(unknown_fields(&samples))
        .group(collect(
            "messages that end too early",
            &["WIRE-005", "WIRE-016"],
            &samples,
            mutation::cut,
        ))
        .group(collect("fields twice or out of order", &["WIRE-006"], &samples, mutation::order))
        .group(collect("wire types", &["WIRE-013"], &samples, mutation::wire_type))
        .group(collect("lengths", &["WIRE-010", "WIRE-018"], &samples, mutation::length))
        .group(collect("missing fields", &["WIRE-017"], &samples, mutation::missing))
        .group(collect("request ids", &["WIRE-004"], &samples, mutation::request_id))
        .group(excluded())
        .group(ranges())
        .group(varints())
        .group(operations())
        .group(reserved())
        .group(unknown_codes())
}

/// A mutation of a message: what was done, and the bytes.
struct Mutant {
    comment: String,
    flag: &'static str,
    message: Vec<u8>,
}

/// Every mutation of every sample, each of which has to be refused as malformed.
fn collect(
    comment: &str,
    rules: &[&str],
    samples: &[Sample],
    mutate: fn(&Sample) -> Vec<Mutant>,
) -> Group {
    let mut group = Group::new(comment, rules);
    for sample in samples {
        for mutant in mutate(sample) {
            let comment = format!("{}: {}", sample.name, mutant.comment);
            let flags: &[&str] = if mutant.flag.is_empty() { &[] } else { &[mutant.flag] };
            let outcome = Outcome::refused(Phase::Decode, MALFORMED);
            group = group.test(&comment, flags, input(sample.side, &mutant.message), outcome);
        }
    }
    group
}

fn valid(samples: &[Sample]) -> Group {
    let rules = ["WIRE-004", "WIRE-005", "WIRE-008", "WIRE-010", "WIRE-017"];
    let mut group = Group::new("every message", &rules);
    for sample in samples {
        let outputs = sample.outputs.clone();
        group = group.valid(&sample.name, input(sample.side, &sample.encode()), outputs);
    }
    group
}

fn unknown_fields(samples: &[Sample]) -> Group {
    let mut group = Group::new("fields of a later version", &["WIRE-015"]);
    let values = [
        ("varint", RawField::integer(2_000, u64::MAX)),
        ("eight bytes", RawField::fixed64(2_000)),
        ("bytes that are no message", RawField::bytes(2_000, &[0xff; 3])),
        ("four bytes", RawField::fixed32(2_000)),
    ];
    for (index, sample) in samples.iter().enumerate() {
        let (what, field) = &values[index % values.len()];
        let mut inside = sample.clone();
        inside.operation.fields.push(field.clone());
        let comment = format!("{}: {what} in the operation", sample.name);
        let outputs = sample.outputs.clone();
        group = group.valid(&comment, input(sample.side, &inside.encode()), outputs);

        let top = [sample.id_field(), Some(RawField::bytes(7, &[0xff]))];
        let top: Vec<_> = top.into_iter().flatten().chain([sample.operation_field()]).collect();
        let comment = format!("{}: number 7 at the top", sample.name);
        let outputs = sample.outputs.clone();
        group = group.valid(&comment, input(sample.side, &raw::encode(&top)), outputs);
    }
    group
}

fn excluded() -> Group {
    let mut group = Group::new("fields that exclude each other", &["WIRE-017"]);
    let blob = RawField::message(
        4,
        vec![RawField::bytes(1, &[1; 32]), RawField::bytes(2, &[2; 32]), RawField::integer(3, 9)],
    );
    let commit = RawField::message(5, vec![RawField::bytes(1, &[3; 32])]);
    let inline = RawField::bytes(3, b"sealed");
    let expired = RawField::bytes(6, &[4; 32]);
    let note = RawField::integer(8, 1);
    let epoch = RawField::bytes(1, &[5; 32]);
    let entries = [
        ("inline and blob", vec![inline.clone(), blob.clone()]),
        ("inline and expired", vec![inline.clone(), expired.clone()]),
        ("blob and expired", vec![blob.clone(), expired.clone()]),
        ("commit and expired", vec![commit.clone(), expired.clone()]),
        ("blob and note", vec![blob.clone(), note.clone()]),
        ("inline, commit and note", vec![inline.clone(), commit.clone(), note.clone()]),
        ("expired and note", vec![expired, note]),
    ];
    for (comment, mut fields) in entries {
        fields.insert(0, epoch.clone());
        let message = raw::encode(&[RawField::integer(1, 1), RawField::message(18, fields)]);
        let comment = format!("entry: {comment}");
        group = group.invalid(&comment, input(Side::ToClient, &message), Phase::Decode, MALFORMED);
    }
    let (blob, commit, note) = (blob.renumbered(3), commit.renumbered(4), RawField::integer(5, 1));
    let inline = RawField::bytes(2, b"sealed");
    let appends = [
        ("inline and blob", vec![inline.clone(), blob.clone()]),
        ("blob and note", vec![blob, note.clone()]),
        ("commit and note", vec![inline, commit, note]),
    ];
    for (comment, mut fields) in appends {
        fields.insert(0, RawField::integer(1, 1));
        let message = raw::encode(&[RawField::integer(1, 1), RawField::message(19, fields)]);
        let comment = format!("append: {comment}");
        group = group.invalid(&comment, input(Side::ToRelay, &message), Phase::Decode, MALFORMED);
    }
    group
}

fn ranges() -> Group {
    let mut group = Group::new("integers that do not fit", &["WIRE-014"]);
    let hello = |min: u64, max: u64| {
        let nonce = RawField::bytes(3, &[7; 32]);
        vec![RawField::integer(1, min), RawField::integer(2, max), nonce]
    };
    let read = |follow| {
        let epoch = RawField::bytes(2, &[7; 32]);
        vec![RawField::integer(1, 1), epoch, RawField::integer(4, follow)]
    };
    let code = |number| vec![RawField::integer(1, number)];
    let cases = [
        ("hello: lowest version 2^32 + 1", Side::ToRelay, 0, 8, hello((1 << 32) + 1, 1)),
        ("hello: highest version 2^64 - 1", Side::ToRelay, 0, 8, hello(1, u64::MAX)),
        ("channel_read: follow is 2", Side::ToRelay, 1, 20, read(2)),
        ("channel_read: follow is 2^32", Side::ToRelay, 1, 20, read(1 << 32)),
        ("error: code 2^32 + 1", Side::ToClient, 1, 10, code((1 << 32) + 1)),
        ("read_end: following is 2", Side::ToClient, 1, 20, code(2)),
    ];
    for (comment, side, id, number, fields) in cases {
        let mut message = raw::encode(&[RawField::message(number, fields)]);
        if id > 0 {
            message = [raw::encode(&[RawField::integer(1, id)]), message].concat();
        }
        let outcome = Outcome::refused(Phase::Decode, MALFORMED);
        group = group.test(comment, &["Range"], input(side, &message), outcome);
    }
    group
}

fn varints() -> Group {
    let mut group = Group::new("varints and field numbers", &["WIRE-012", "WIRE-013"]);
    let ping = [0x4a, 0];
    let cases: [(&str, &[u8]); 8] = [
        ("id of two bytes where one does", &[0x08, 0x81, 0x00]),
        ("id of ten bytes where one does", &[8, 0x81, 128, 128, 128, 128, 128, 128, 128, 128, 0]),
        ("key of two bytes where one does", &[0x88, 0x00, 0x01]),
        ("id of 65 bits", &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
        ("id of eleven bytes", &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ("field number 0", &[0x00, 0x01]),
        ("field number 2^29", &[0x08, 0x01, 0x80, 0x80, 0x80, 0x80, 0x10, 0x01]),
        ("length of two bytes where one does", &[0x08, 0x01, 0x3a, 0x80, 0x00]),
    ];
    for (comment, head) in cases {
        let message = [head, &ping].concat();
        group = group.invalid(comment, input(Side::ToRelay, &message), Phase::Decode, MALFORMED);
    }
    let outputs = json!({ "request": u64::MAX.to_string(), "operation": "ping", "fields": {} });
    let message = [&[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1][..], &ping].concat();
    group.valid("id of 64 bits", input(Side::ToRelay, &message), outputs)
}

fn operations() -> Group {
    let group = Group::new("none, or more than one operation", &["WIRE-005"]);
    let malformed = |group: Group, comment: &str, side: Side, message: &[u8]| {
        group.invalid(comment, input(side, message), Phase::Decode, MALFORMED)
    };
    let group = malformed(group, "nothing", Side::ToRelay, &[]);
    let group = malformed(group, "nothing", Side::ToClient, &[]);
    let group = malformed(group, "an id alone", Side::ToRelay, &[8, 1]);
    let group = malformed(group, "an id alone", Side::ToClient, &[8, 1]);
    let group = malformed(group, "ping and stop", Side::ToRelay, &[8, 1, 0x4a, 0, 0x52, 0]);
    let group = malformed(group, "ping and unknown", Side::ToRelay, &[8, 1, 0x4a, 0, 0x5a, 0]);
    malformed(group, "done and error", Side::ToClient, &[8, 1, 0x4a, 0, 0x52, 2, 8, 1])
}

fn reserved() -> Group {
    let mut group = Group::new("what version 1 does not have", &["WIRE-009", "WIRE-007"]);
    let ping = RawField::message(9, vec![]);
    let id = RawField::integer(1, 1);
    let token = RawField::bytes(2, &[1]);
    let mut cases = vec![
        ("an admission token".to_owned(), vec![id.clone(), token, ping.clone()]),
        ("flags".to_owned(), vec![id.clone(), RawField::integer(3, 1), ping.clone()]),
    ];
    for number in [11, 15, 21, 22, 23, 31, 43, 63, 69, 500, (1 << 29) - 1] {
        let comment = format!("operation {number}");
        cases.push((comment, vec![id.clone(), RawField::message(number, vec![])]));
    }
    for (comment, fields) in cases {
        let message = input(Side::ToRelay, &raw::encode(&fields));
        group = group.invalid(&comment, message, Phase::Decode, UNSUPPORTED);
    }
    for number in [21, 22] {
        let message = raw::encode(&[id.clone(), RawField::message(number, vec![])]);
        let comment = format!("answer {number}");
        group =
            group.invalid(&comment, input(Side::ToClient, &message), Phase::Decode, UNSUPPORTED);
    }
    let empty = raw::encode(&[id, RawField::bytes(2, &[]), RawField::integer(3, 0), ping]);
    let outputs = json!({ "request": "1", "operation": "ping", "fields": {} });
    group.valid("reserved fields that are empty", input(Side::ToRelay, &empty), outputs)
}

fn unknown_codes() -> Group {
    let mut group = Group::new("error codes of a later version", &["WIRE-051"]);
    for code in [12, 99, 1_000, u64::from(u32::MAX)] {
        let fields = vec![RawField::integer(1, code), RawField::integer(2, 500)];
        let message = raw::encode(&[RawField::integer(1, 1), RawField::message(10, fields)]);
        let outputs = json!({
            "request": "1",
            "operation": "error",
            "fields": { "code": code.to_string(), "known": false, "retry_after_ms": "500" },
        });
        group = group.valid(&format!("code {code}"), input(Side::ToClient, &message), outputs);
    }
    group
}
