//! Contact links and relay addresses.

use hushwire_protocol::address::RelayAddress;
use hushwire_protocol::link::{ContactLink, LinkTarget};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::{derive, hash, refused},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "link";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let text = input.text("text");
    match input.text("operation") {
        "link" => ContactLink::parse(text).map_or_else(|error| refused(error.name()), describe),
        "address" => match text.parse::<RelayAddress>() {
            Ok(address) => {
                assert_eq!(address.to_string(), text, "there is one form");
                Outcome::accepted()
            }
            Err(error) => refused(error.name()),
        },
        other => panic!("{other} is no operation"),
    }
}

fn describe(link: ContactLink) -> Outcome {
    Outcome::valid(json!({
        "target": match link.target { LinkTarget::Contact => "contact", LinkTarget::Group => "group" },
        "relay": link.relay.to_string(),
        "inbox": hex::encode(link.inbox),
        "capability_secret": hex::encode(link.secret.capability().expose()),
        "card_key": hex::encode(link.secret.card_key().expose()),
        "fingerprint": hex::encode(link.identity),
    }))
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(valid()).group(damaged()).group(malformed()).group(addresses())
}

/// Base64url without padding (RFC 4648 section 5).
pub(super) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| usize::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[bits >> (18 - 6 * place) & 63]));
        }
    }
    text
}

fn link(first: u8, port: &[u8], body: usize, host: &str) -> String {
    let mut bytes = [&[first][..], port, &[0x11; 32], &vec![0x22; body], host.as_bytes()].concat();
    let sum = hash("link checksum", &bytes);
    bytes.extend_from_slice(&sum[..3]);
    format!("hush:{}", base64url(&bytes))
}

fn input(text: &str) -> Value {
    json!({ "operation": "link", "text": text })
}

fn valid() -> Group {
    let cases = [
        ("a contact, default port", "contact", 0x11, None, "relay.example.org"),
        ("a contact, another port", "contact", 0x19, Some(443u16), "relay.example.org"),
        ("a group", "group", 0x12, None, "127.0.0.1"),
        ("an IPv6 address", "contact", 0x11, None, "[2001:db8::1]"),
        ("200 bytes", "contact", 0x11, None, "a2345678901234567890123456.org"),
        ("200 bytes with a port", "contact", 0x19, Some(1), "a23456789012345678901234.org"),
    ];
    let mut group = Group::new("links", &["LNK-010", "LNK-012", "LNK-013"]);
    for (comment, target, first, port, host) in cases {
        let bytes = port.map(u16::to_be_bytes);
        let text = link(first, bytes.as_ref().map_or(&[], |bytes| &bytes[..]), 80, host);
        let outputs = json!({
            "target": target,
            "relay": format!("{host}:{}#{}", port.unwrap_or(4433), base64url(&[0x11; 32])),
            "inbox": hex::encode([0x22; 16]),
            "capability_secret": hex::encode(derive(&[0x22; 32], "link capability", &[], 32)),
            "card_key": hex::encode(derive(&[0x22; 32], "link card key", &[], 32)),
            "fingerprint": hex::encode([0x22; 32]),
        });
        group = group.valid(comment, input(&text), outputs);
    }
    group
}

fn damaged() -> Group {
    let whole = link(0x11, &[], 80, "relay.example.org");
    let end = whole.len();
    let mut group = Group::new("cut off, altered or foreign", &["LNK-011"]);
    for length in [6, 7, 40, 100, end - 4, end - 3, end - 2, end - 1] {
        let comment = format!("the first {length} of {end} characters");
        group = group.test(&comment, &[], input(&whole[..length]), refused("DAMAGED"));
    }
    let cases = [
        ("empty".to_owned(), "FOREIGN"),
        (String::new(), "FOREIGN"),
        ("https://relay.example.org".to_owned(), "FOREIGN"),
        (whole.replacen("hush:", "HUSH:", 1), "FOREIGN"),
        ("hush:".to_owned(), "DAMAGED"),
        (format!("{}+{}", &whole[..50], &whole[51..]), "CHARACTERS"),
        (format!("{whole}="), "CHARACTERS"),
        (format!("{} {}", &whole[..50], &whole[50..]), "CHARACTERS"),
        (format!("{whole}AAAA"), "DAMAGED"),
        (format!("{}_{}", &whole[..60], &whole[61..]), "DAMAGED"),
    ];
    for (text, name) in cases {
        group = group.test("altered", &[], input(&text), refused(name));
    }
    group
}

fn malformed() -> Group {
    let port = 4433u16.to_be_bytes();
    let cases = [
        ("version 2", link(0x21, &[], 80, "a.org"), "UNKNOWN_VERSION"),
        ("version 0", link(0x01, &[], 80, "a.org"), "UNKNOWN_VERSION"),
        ("kind 0", link(0x10, &[], 80, "a.org"), "UNKNOWN_KIND"),
        ("kind 7", link(0x17, &[], 80, "a.org"), "UNKNOWN_KIND"),
        ("a linking code", link(0x13, &[], 64, "a.org"), "OTHER_KIND"),
        ("the default port spelt out", link(0x19, &port, 80, "a.org"), "UNDEFINED_VALUE"),
        ("port 0", link(0x19, &[0, 0], 80, "a.org"), "UNDEFINED_VALUE"),
        ("upper-case host", link(0x11, &[], 80, "A.org"), "UNDEFINED_VALUE"),
        ("no host", link(0x11, &[], 80, ""), "UNDEFINED_VALUE"),
        ("no whole body", link(0x11, &[], 79, ""), "TRUNCATED"),
        ("204 bytes", link(0x11, &[], 80, &"a".repeat(33)), "LINK_TOO_LONG"),
    ];
    let rules = ["LNK-010", "LNK-011", "LNK-013"];
    cases.iter().fold(Group::new("right checksum, wrong fields", &rules), |group, case| {
        let (comment, text, name) = case;
        group.test(comment, &[], input(text), refused(name))
    })
}

fn addresses() -> Group {
    let id = base64url(&[0x11; 32]);
    let mut group = Group::new("relay addresses", &["LNK-001"]);
    for (place, name) in [
        ("relay.example.org:4433", None),
        ("localhost:1", None),
        ("127.0.0.1:65535", None),
        ("[2001:db8::1]:443", None),
        ("Relay.example.org:1", Some("HOST")),
        ("a..b:1", Some("HOST")),
        ("-a.org:1", Some("HOST")),
        ("a_b.org:1", Some("HOST")),
        ("1.2.3:1", Some("HOST")),
        ("127.0.0.01:1", Some("HOST")),
        ("256.0.0.1:1", Some("HOST")),
        ("[2001:DB8::1]:443", Some("HOST")),
        ("[2001:db8:0::1]:443", Some("HOST")),
        ("2001:db8::1:443", Some("HOST")),
        (":1", Some("HOST")),
        ("a.org", Some("PORT")),
        ("a.org:", Some("PORT")),
        ("a.org:0", Some("PORT")),
        ("a.org:01", Some("PORT")),
        ("a.org:65536", Some("PORT")),
    ] {
        let input = json!({ "operation": "address", "text": format!("{place}#{id}") });
        group = group.test(place, &[], input, name.map_or_else(Outcome::accepted, refused));
    }
    for text in ["a.org:1", "a.org:1#", "a.org:1#AAAA"] {
        let input = json!({ "operation": "address", "text": text });
        group = group.test("no relay id", &[], input, refused("RELAY_ID"));
    }
    for (place, name) in [
        ("[::ffff:1.2.3.4]:443", None),
        ("[::ffff:102:304]:443", Some("HOST")),
        ("[::1.2.3.4]:443", Some("HOST")),
        ("[fe80::1%eth0]:443", Some("HOST")),
        ("a.0x1f:443", None),
        ("a.31:443", Some("HOST")),
    ] {
        let input = json!({ "operation": "address", "text": format!("{place}#{id}") });
        group = group.test(place, &[], input, name.map_or_else(Outcome::accepted, refused));
    }
    group
}
