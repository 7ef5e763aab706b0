//! Messages of a linking that have to be refused; each is wrong in one thing.

use serde_json::Value;

use crate::{
    kinds::{
        chain::{Chain, flipped, refused},
        sealed_box::{padded, variable},
    },
    suite::Group,
};

use super::{bytes, with};

/// A comment, flags, a message and the name of its refusal.
type Case<'a> = (&'a str, &'a [&'a str], Vec<u8>, &'a str);

fn group(comment: &str, rules: &[&str], input: fn(&[u8]) -> Value, cases: Vec<Case<'_>>) -> Group {
    cases.into_iter().fold(Group::new(comment, rules), |group, (comment, flags, message, name)| {
        group.test(comment, flags, input(&message), refused(name))
    })
}

/// What every box is refused for, whatever stands in it.
fn boxes(context: u8, step: u8, content: &[u8]) -> Vec<Case<'static>> {
    let whole = bytes::boxed(context, step, content);
    let end = whole.len() - 1;
    let mut marked = padded(content);
    *marked.last_mut().expect("not empty") = 1;
    let (other_context, other_step) = (3 - context, step % 3 + 1);
    vec![
        ("nonce changed", &[], flipped(&whole, 0), "UNOPENED"),
        ("tag changed", &[], flipped(&whole, end), "UNOPENED"),
        ("a byte short", &[], whole[..end].to_vec(), "LENGTH_OUTSIDE_SET"),
        ("of another step", &["Step"], bytes::boxed(context, other_step, content), "UNOPENED"),
        ("for the other device", &["Step"], bytes::boxed(other_context, step, content), "UNOPENED"),
        ("padding is not zero", &[], bytes::boxed_plaintext(context, step, &marked), "NOT_ZERO"),
    ]
}

/// What every message is refused for.
fn layouts(context: u8, step: u8, content: &[u8]) -> Vec<Case<'static>> {
    let boxed = |content: &[u8]| bytes::boxed(context, step, content);
    vec![
        ("version 2", &[], boxed(&[&[0, 2][..], &content[2..]].concat()), "UNKNOWN_VERSION"),
        ("cut off", &[], boxed(&content[..content.len() - 1]), "TRUNCATED"),
        ("a byte follows", &[], boxed(&[content, &[0]].concat()), "TRAILING_BYTES"),
    ]
}

pub(super) fn requests() -> Group {
    let input = |request: &[u8]| {
        with(with(bytes::old("answer"), "request", request), "box_nonce", &bytes::BOX_NONCE)
    };
    let boxed = |name: &[u8]| bytes::boxed(1, 1, &bytes::request_bytes(name));
    let content = bytes::request_bytes(b"laptop");
    let mut cases = boxes(1, 1, &content);
    cases.extend(layouts(1, 1, &content));
    cases.extend::<[Case<'_>; 4]>([
        ("no name", &[], boxed(b""), "UNDEFINED_VALUE"),
        ("a name with an escape", &[], boxed(b"a\x1b[31m"), "UNDEFINED_VALUE"),
        ("a name that is not UTF-8", &[], boxed(&[0xff]), "NOT_TEXT"),
        ("a name of 129 bytes", &[], boxed(&[b'x'; 129]), "TOO_LONG"),
    ]);
    let rules = ["LNK-021", "LNK-024", "LNK-053", "LNK-054", "IDN-001"];
    group("requests", &rules, input, cases)
}

pub(super) fn reveals() -> Group {
    let input = |reveal: &[u8]| with(bytes::new("compare"), "reveal", reveal);
    let content = bytes::reveal_bytes(bytes::OLD_NONCE);
    let other = bytes::boxed(2, 2, &bytes::reveal_bytes([0x75; 32]));
    let mut cases = boxes(2, 2, &content);
    cases.extend(layouts(2, 2, &content));
    cases.push(("a nonce that the code does not commit to", &[], other, "COMMITMENT"));
    let rules = ["LNK-021", "LNK-052", "LNK-053", "IDN-001"];
    group("reveals", &rules, input, cases)
}

pub(super) fn grants() -> Group {
    let fields = bytes::grant_fields(true);
    let content = bytes::grant_bytes(&fields);
    let exchange = bytes::exchange(bytes::NEW_NONCE);
    let hpke = |seed, exchange, plaintext: &[u8]| {
        bytes::boxed(2, 3, &bytes::hpke(seed, exchange, b"", plaintext))
    };
    let inside = |plaintext: &[u8]| hpke(bytes::GRANT_KEY_SEED, exchange, plaintext);
    let sealed = bytes::hpke(bytes::GRANT_KEY_SEED, exchange, b"", &content);
    let mut cases = boxes(2, 3, &sealed);
    let other_exchange = bytes::exchange([0x76; 32]);
    let with_data = bytes::hpke(bytes::GRANT_KEY_SEED, exchange, b"data", &content);
    cases.extend::<[Case<'_>; 8]>([
        ("sealed to another key", &[], hpke([0x77; 32], exchange, &content), "UNOPENED"),
        (
            "sealed for another exchange",
            &["Exchange"],
            hpke(bytes::GRANT_KEY_SEED, other_exchange, &content),
            "UNOPENED",
        ),
        ("sealed with associated data", &[], bytes::boxed(2, 3, &with_data), "UNOPENED"),
        ("not sealed to a key", &[], bytes::boxed(2, 3, &content), "UNOPENED"),
        ("shorter than an encapsulated key", &[], bytes::boxed(2, 3, &sealed[..1119]), "UNOPENED"),
        ("version 2", &[], inside(&[&[0, 2][..], &content[2..]].concat()), "UNKNOWN_VERSION"),
        ("cut off", &[], inside(&content[..content.len() - 1]), "TRUNCATED"),
        ("a byte follows", &[], inside(&[&content[..], &[0]].concat()), "TRAILING_BYTES"),
    ]);
    cases.extend(unfit(&content).into_iter().map(|(comment, content, name)| {
        let flags: &[&str] = &[];
        (comment, flags, inside(&content), name)
    }));
    let rules = ["LNK-021", "LNK-053", "LNK-057", "IDN-001", "IDN-024", "IDN-053"];
    group("grants", &rules, bytes::opening, cases)
}

/// Grants of which a field is wrong.
fn unfit(content: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let credential = |bytes: Vec<u8>| [&content[..2], &bytes, &content[272..]].concat();
    let ours = Chain::OURS;
    let own_group = bytes::own_group(bytes::LIST_VERSION, 4);
    let own_group_at = content.len() - variable(&own_group).len();
    let has_manager = own_group_at - 33;
    let holding = |field: &[u8]| [&content[..own_group_at], &variable(field)].concat();
    let replaced = |at: usize, byte: u8| {
        let mut changed = content.to_vec();
        changed[at] = byte;
        changed
    };
    let mut other_key = ours.credential(5);
    // The id of the device that asked, with the key of another.
    other_key[142..158].fill(4);
    let resigned = ours.signed("device certificate", &[], &other_key[140..206]);
    other_key.splice(140.., resigned);
    vec![
        ("of another device", credential(ours.credential(5)), "OTHER_DEVICE"),
        ("of another key of the device", credential(other_key), "OTHER_DEVICE"),
        ("of another manager's key", replaced(has_manager + 1, 9), "OTHER_MANAGER"),
        (
            "another manager certified",
            credential(Chain { signer: 9, ..ours }.credential(4)),
            "CERTIFICATE_SIGNATURE",
        ),
        (
            "another root stated",
            credential(Chain { root_signer: 9, ..ours }.credential(4)),
            "STATEMENT_SIGNATURE",
        ),
        ("the own group's fields are cut off", holding(&own_group[..71]), "TRUNCATED"),
        ("the device list is cut off", holding(&own_group[..own_group.len() - 1]), "TRUNCATED"),
        ("a device list of another version", holding(&bytes::own_group(8, 4)), "OTHER_RANK"),
        ("a device list without the device", holding(&bytes::own_group(7, 5)), "NOT_LISTED"),
        ("mark of the manager key is 2", replaced(has_manager, 2), "UNDEFINED_VALUE"),
        ("no valid host", replaced(273, b'A'), "UNDEFINED_VALUE"),
    ]
}

pub(super) fn given() -> Group {
    let mut group = Group::new("grants that the old device does not give", &["LNK-057", "IDN-053"]);
    let mut other_device = bytes::grant_fields(true);
    other_device["credential"] = hex::encode(Chain::OURS.credential(5)).into();
    let mut other_manager = bytes::grant_fields(true);
    other_manager["manager"] = hex::encode([9; 32]).into();
    let mut other_rank = bytes::grant_fields(true);
    other_rank["list_version"] = "8".into();
    let mut not_listed = bytes::grant_fields(true);
    not_listed["own_group"] = hex::encode(bytes::own_group(bytes::LIST_VERSION, 5)).into();
    for (comment, grant, name) in [
        ("with a device list of another rank", other_rank, "OTHER_RANK"),
        ("with a device list without the device", not_listed, "NOT_LISTED"),
        ("for another device", other_device, "OTHER_DEVICE"),
        ("with another manager's key", other_manager, "OTHER_MANAGER"),
    ] {
        group = group.test(comment, &[], bytes::granting(&grant), refused(name));
    }
    group
}
