//! What leads to a group's door, and what members tell each other of it.

use hushwire_protocol::door::{
    Admission, Asked, AskingOver, Declined, DoorCard, DoorKeys, DoorLink,
};
use hushwire_protocol::encoding::DecodeError;
use hushwire_protocol::identity::Fingerprint;
use hushwire_protocol::link::{CardKey, LinkSecret};
use hushwire_protocol::seal::InboxKey;
use hushwire_wire::id::Timestamp;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{Chain, derive, flipped, refused},
        sealed_box::{self, padded, variable},
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "door";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    match input.text("operation") {
        "card" => card(input),
        "proof" => {
            let secret = LinkSecret::from_bytes(array(&input.bytes("secret")));
            let asker = Fingerprint::from_bytes(array(&input.bytes("fingerprint")));
            let proof = secret.join_proof(&input.id("inbox"), &asker);
            Outcome::valid(json!({ "proof": hex::encode(proof.expose()) }))
        }
        "keys" => notice(input, DoorKeys::decode, |keys| keys.to_bytes().to_vec(), describe_keys),
        "link" => notice(input, DoorLink::decode, |link| link.to_bytes().to_vec(), describe_link),
        "declined" => notice(input, Declined::decode, Declined::to_bytes, |declined| {
            json!({
                "fingerprint": hex::encode(declined.person),
                "item": hex::encode(declined.item),
            })
        }),
        "asked" => notice(
            input,
            Asked::decode,
            |asked| asked.to_bytes().to_vec(),
            |asked| {
                json!({
                    "relay": asked.relay.to_string(),
                    "channel": hex::encode(asked.channel),
                    "capability": hex::encode(asked.capability.expose()),
                    "ends_at": asked.ends_at.0.to_string(),
                    "name": asked.name,
                })
            },
        ),
        "over" => notice(
            input,
            AskingOver::decode,
            AskingOver::to_bytes,
            |over| json!({ "capability_id": hex::encode(over.capability) }),
        ),
        other => panic!("{other} is no operation"),
    }
}

fn array<const LENGTH: usize>(bytes: &[u8]) -> [u8; LENGTH] {
    bytes.try_into().expect("as many bytes as the field has")
}

fn notice<T>(
    input: Input<'_>,
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
    describe: impl Fn(&T) -> Value,
) -> Outcome {
    let bytes = input.bytes("payload");
    match decode(&bytes) {
        Err(error) => refused(error.name()),
        Ok(notice) => {
            assert_eq!(encode(&notice), bytes, "there is one encoding");
            Outcome::valid(describe(&notice))
        }
    }
}

fn card(input: Input<'_>) -> Outcome {
    let key = CardKey::from_bytes(array(&input.bytes("key")));
    let maker = Fingerprint::from_bytes(array(&input.bytes("fingerprint")));
    let (inbox, capability) = (input.id("inbox"), input.id("capability_id"));
    match DoorCard::open(&key, &inbox, &capability, &maker, &input.bytes("sealed")) {
        Err(error) => refused(error.name()),
        Ok(card) => {
            let terms = card.into_terms();
            Outcome::valid(json!({
                "inbox_key": hex::encode(terms.inbox_key.as_ref()),
                "channel": hex::encode(terms.channel),
                "admission": code(terms.admission),
                "ends_at": moment(terms.ends_at),
                "name": terms.name,
            }))
        }
    }
}

fn code(admission: Admission) -> &'static str {
    match admission {
        Admission::Open => "1",
        Admission::Approval => "2",
        Admission::Former => "3",
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or(0, |at| at.0).to_string()
}

fn describe_keys(keys: &DoorKeys) -> Value {
    let earlier = keys.earlier.iter().map(|keys| {
        json!({
            "owner": hex::encode(keys.owner.expose()),
            "inbox_key": hex::encode(keys.inbox_key.expose()),
        })
    });
    json!({
        "inbox": hex::encode(keys.inbox),
        "generation": keys.generation.0.to_string(),
        "owner": hex::encode(keys.owner.expose()),
        "inbox_key": hex::encode(keys.inbox_key.expose()),
        "earlier": earlier.collect::<Vec<_>>(),
    })
}

fn describe_link(link: &DoorLink) -> Value {
    json!({
        "inbox": hex::encode(link.inbox),
        "secret": hex::encode(link.secret.expose()),
        "maker": hex::encode(link.maker),
        "admission": code(link.admission),
        "uses": link.uses.unwrap_or(0).to_string(),
        "ends_at": moment(link.ends_at),
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(cards())
        .group(refused_cards())
        .group(proofs())
        .group(notices())
        .group(refused_notices())
}

const INBOX: [u8; 16] = [0x41; 16];
const CAPABILITY: [u8; 32] = [0x42; 32];
const KEY: [u8; 32] = [0x43; 32];
const CHANNEL: [u8; 32] = [0x44; 32];

fn inbox_key() -> Vec<u8> {
    let key = InboxKey::from_bytes([0x46; 32]).public().expect("the library derives");
    key.as_ref().to_vec()
}

fn card_bytes(chain: Chain, inbox: &[u8], admission: u8, ends_at: u64, name: &[u8]) -> Vec<u8> {
    let fields = [
        &[0, 1][..],
        &chain.statement(),
        &inbox_key(),
        &CHANNEL,
        &[admission],
        &ends_at.to_be_bytes(),
        &variable(name),
    ];
    chain.signed("door card", inbox, &fields.concat())
}

fn sealed(label: &str, content: &[u8]) -> Vec<u8> {
    let place = [&INBOX[..], &CAPABILITY].concat();
    sealed_box::sealed(&KEY, label, &place, &padded(content), &[0x45; 24])
}

fn card_input(sealed: &[u8]) -> Value {
    json!({
        "operation": "card",
        "key": hex::encode(KEY),
        "inbox": hex::encode(INBOX),
        "capability_id": hex::encode(CAPABILITY),
        "fingerprint": hex::encode(Chain::OURS.fingerprint()),
        "sealed": hex::encode(sealed),
    })
}

fn cards() -> Group {
    let long = "n".repeat(256);
    let rules = ["LNK-020", "LNK-025", "LNK-096"];
    let cases =
        [(1, 0, "Climbing"), (2, 1_700_000_000_000, "登山"), (1, u64::MAX, &long), (2, 1, "")];
    cases.iter().fold(Group::new("cards", &rules), |group, (admission, ends_at, name)| {
        let content = card_bytes(Chain::OURS, &INBOX, *admission, *ends_at, name.as_bytes());
        let sealed = sealed("card seal", &content);
        assert!(sealed.len() <= 2048, "LNK-025");
        let outputs = json!({
            "inbox_key": hex::encode(inbox_key()),
            "channel": hex::encode(CHANNEL),
            "admission": admission.to_string(),
            "ends_at": ends_at.to_string(),
            "name": name,
        });
        group.valid("a card", card_input(&sealed), outputs)
    })
}

fn refused_cards() -> Group {
    let ours = Chain::OURS;
    let of = |chain: Chain| card_bytes(chain, &INBOX, 1, 0, b"Climbing");
    let named = |name: &[u8]| card_bytes(ours, &INBOX, 1, 0, name);
    let whole = of(ours);
    let elsewhere = card_bytes(ours, &[0; 16], 1, 0, b"Climbing");
    let of_person = ours.signed("card", &INBOX, &whole[..whole.len() - 64]);
    let mut group = Group::new("card inside", &["LNK-020", "LNK-096", "IDN-001", "IDN-022"]);
    for (comment, content, name) in [
        ("another identity", of(Chain { root: 9, root_signer: 9, ..ours }), "OTHER_IDENTITY"),
        ("another root signed", of(Chain { root_signer: 9, ..ours }), "STATEMENT_SIGNATURE"),
        ("another manager signed", of(Chain { signer: 9, ..ours }), "CARD_SIGNATURE"),
        ("signed for another inbox", elsewhere, "CARD_SIGNATURE"),
        ("signed as a person's card", of_person, "CARD_SIGNATURE"),
        ("key changed", flipped(&whole, 200), "CARD_SIGNATURE"),
        ("channel changed", flipped(&whole, 2 + 138 + 1216), "CARD_SIGNATURE"),
        ("admission changed", flipped(&whole, 2 + 138 + 1216 + 32), "UNDEFINED_VALUE"),
        ("admission 4", card_bytes(ours, &INBOX, 4, 0, b"Climbing"), "UNDEFINED_VALUE"),
        ("another version", flipped(&whole, 1), "UNKNOWN_VERSION"),
        ("cut off", whole[..whole.len() - 1].to_vec(), "TRUNCATED"),
        ("a byte follows", [&whole[..], &[1]].concat(), "TRAILING_BYTES"),
        ("name with an escape", named(b"a\x1b[31m"), "UNDEFINED_VALUE"),
        ("name written backwards", named("a\u{202e}b".as_bytes()), "UNDEFINED_VALUE"),
        ("name not UTF-8", named(&[0xff]), "NOT_TEXT"),
        ("name of 257 bytes", named(&[b'x'; 257]), "TOO_LONG"),
    ] {
        let input = card_input(&sealed("card seal", &content));
        group = group.test(comment, &[], input, refused(name));
    }
    let elsewhere = card_input(&sealed("shelf package", &whole));
    group.test("sealed for another place", &[], elsewhere, refused("UNOPENED"))
}

fn proofs() -> Group {
    let mut group = Group::new("proofs", &["LNK-097"]);
    for (secret, inbox, asker) in [(1, 2, 3), (4, 2, 3), (1, 4, 3), (1, 2, 4)] {
        let context = [&[inbox; 16][..], &[asker; 32]].concat();
        let input = json!({
            "operation": "proof",
            "secret": hex::encode([secret; 32]),
            "inbox": hex::encode([inbox; 16]),
            "fingerprint": hex::encode([asker; 32]),
        });
        let proof = derive(&[secret; 32], "join proof", &context, 32);
        group = group.valid("a proof", input, json!({ "proof": hex::encode(proof) }));
    }
    group
}

fn keys(earlier: &[u8]) -> Vec<u8> {
    let fields = [&[0, 1][..], &INBOX, &7u64.to_be_bytes(), &[0x51; 32], &[0x52; 32]];
    [&fields.concat()[..], &variable(earlier)].concat()
}

fn link(admission: u8, uses: u64, ends_at: u64) -> Vec<u8> {
    let fields = [&[0, 1][..], &INBOX, &[0x53; 32], &[0x54; 32], &[admission]];
    [&fields.concat()[..], &uses.to_be_bytes(), &ends_at.to_be_bytes()].concat()
}

fn asked(name: &[u8]) -> Vec<u8> {
    let relay = [&variable(b"relay.example.org")[..], &4433u16.to_be_bytes(), &[0x21; 32]];
    let fields = [&[0, 1][..], &relay.concat(), &CHANNEL, &[0x55; 32], &9u64.to_be_bytes()];
    [&fields.concat()[..], &variable(name)].concat()
}

fn payload(operation: &str, payload: &[u8]) -> Value {
    json!({ "operation": operation, "payload": hex::encode(payload) })
}

fn notices() -> Group {
    let keys_outputs = |earlier: Value| {
        json!({
            "inbox": hex::encode(INBOX),
            "generation": "7",
            "owner": hex::encode([0x51; 32]),
            "inbox_key": hex::encode([0x52; 32]),
            "earlier": earlier,
        })
    };
    let link_outputs = |admission: &str, uses: &str, ends_at: &str| {
        json!({
            "inbox": hex::encode(INBOX),
            "secret": hex::encode([0x53; 32]),
            "maker": hex::encode([0x54; 32]),
            "admission": admission,
            "uses": uses,
            "ends_at": ends_at,
        })
    };
    let one = json!({ "owner": hex::encode([1; 32]), "inbox_key": hex::encode([2; 32]) });
    let pair = [[1; 32], [2; 32]].concat();
    let rules = ["GRP-110", "GRP-113", "LNK-104", "LNK-108"];
    Group::new("notices", &rules)
        .valid("first keys", payload("keys", &keys(&[])), keys_outputs(json!([])))
        .valid(
            "keys with all that may go before",
            payload("keys", &keys(&pair.repeat(4))),
            keys_outputs(json!([one, one, one, one])),
        )
        .valid("an open link", payload("link", &link(1, 0, 0)), link_outputs("1", "0", "0"))
        .valid("a link with bounds", payload("link", &link(2, 5, 9)), link_outputs("2", "5", "9"))
        .valid(
            "a link for those who were there",
            payload("link", &link(3, 0, 0)),
            link_outputs("3", "0", "0"),
        )
        .valid(
            "a request that was declined",
            payload("declined", &[[1; 32], [2; 32]].concat()),
            json!({ "fingerprint": hex::encode([1; 32]), "item": hex::encode([2; 32]) }),
        )
        .valid(
            "an asking",
            payload("asked", &asked(b"Climbing")),
            json!({
                "relay": format!("relay.example.org:4433#{}", super::link::base64url(&[0x21; 32])),
                "channel": hex::encode(CHANNEL),
                "capability": hex::encode([0x55; 32]),
                "ends_at": "9",
                "name": "Climbing",
            }),
        )
        .valid(
            "an asking that is over",
            payload("over", &[1; 32]),
            json!({ "capability_id": hex::encode([1; 32]) }),
        )
}

fn refused_notices() -> Group {
    let (whole, pair) = (keys(&[]), [0; 64]);
    let mut group =
        Group::new("refused notices", &["GRP-110", "GRP-113", "LNK-104", "LNK-108", "IDN-001"]);
    for (comment, operation, bytes, name) in [
        ("nothing", "keys", vec![], "TRUNCATED"),
        ("another version", "keys", flipped(&whole, 1), "UNKNOWN_VERSION"),
        ("cut off", "keys", whole[..whole.len() - 1].to_vec(), "TRUNCATED"),
        ("a byte follows", "keys", [&whole[..], &[0]].concat(), "TRAILING_BYTES"),
        ("five earlier keys", "keys", keys(&pair.repeat(5)), "TOO_LONG"),
        ("half of a pair", "keys", keys(&[0; 32]), "TRUNCATED"),
        ("admission 0", "link", link(0, 0, 0), "UNDEFINED_VALUE"),
        ("admission 4", "link", link(4, 0, 0), "UNDEFINED_VALUE"),
        ("another version", "link", flipped(&link(1, 0, 0), 1), "UNKNOWN_VERSION"),
        ("a byte follows", "link", [&link(1, 0, 0)[..], &[0]].concat(), "TRAILING_BYTES"),
        ("cut off", "declined", vec![0; 63], "TRUNCATED"),
        ("a byte follows", "declined", vec![0; 65], "TRAILING_BYTES"),
        ("name written backwards", "asked", asked("a\u{202e}b".as_bytes()), "UNDEFINED_VALUE"),
        ("name of 257 bytes", "asked", asked(&[b'x'; 257]), "TOO_LONG"),
        ("cut off", "asked", asked(b"a")[..40].to_vec(), "TRUNCATED"),
        ("cut off", "over", vec![0; 31], "TRUNCATED"),
        ("a byte follows", "over", vec![0; 33], "TRAILING_BYTES"),
    ] {
        group = group.test(comment, &[], payload(operation, &bytes), refused(name));
    }
    group
}
