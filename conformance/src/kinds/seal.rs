//! Inbox items.

use hushwire_protocol::hpke::HpkeSuite;
use hushwire_protocol::invitation::InboxContent;
use hushwire_protocol::padding::padded_length;
use hushwire_protocol::seal::{InboxKey, open_item};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{Chain, bind, flipped, hash, refused, sign},
        inbox_content::card,
        sealed_box::variable,
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "seal";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let key = InboxKey::from_bytes(input.bytes("inbox_key_seed").try_into().expect("32 bytes"));
    let item = match open_item(&input.id("inbox"), &key, &input.bytes("item")) {
        Ok(item) => item,
        Err(error) => return refused(error.name()),
    };
    if input.has("parse") {
        return match InboxContent::decode(&item.content) {
            Ok(InboxContent::RejoinRequest(request)) => match request.verify(&item.sender) {
                Ok(_) => Outcome::accepted(),
                Err(_) => refused("BAD_SIGNATURE"),
            },
            Ok(_) => Outcome::accepted(),
            Err(error) => refused(error.name()),
        };
    }
    Outcome::valid(json!({
        "fingerprint": hex::encode(item.sender.identity()),
        "device": hex::encode(item.sender.device()),
        "content": hex::encode(&item.content[..]),
    }))
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(valid()).group(senders()).group(bytes()).group(contents())
}

const INBOX: [u8; 16] = [0x41; 16];
const SEED: [u8; 32] = [0x42; 32];

fn public_key() -> Vec<u8> {
    InboxKey::from_bytes(SEED).public().expect("the library derives").as_ref().to_vec()
}

fn key_id() -> [u8; 32] {
    hash("inbox key id", &public_key())
}

/// Who writes, and what they sign.
#[derive(Clone)]
struct Author {
    credential: Vec<u8>,
    signer: u8,
    inbox: [u8; 16],
    key_id: [u8; 32],
    label: &'static str,
}

fn author() -> Author {
    let credential = Chain::OURS.credential(4);
    let label = "inbox item sender";
    Author { credential, signer: 4, inbox: INBOX, key_id: key_id(), label }
}

impl Author {
    fn plaintext(&self, content: &[u8]) -> Vec<u8> {
        use sha2::{Digest as _, Sha256};
        let content_hash = Sha256::digest(content);
        let scope = [&self.inbox[..], &self.key_id, &self.credential, &content_hash[..]].concat();
        let signature = sign(self.signer, self.label, &scope);
        let length = u16::try_from(content.len()).expect("short content");
        let prefix = match length {
            0..=63 => vec![length.to_be_bytes()[1]],
            _ => (length | 0x4000).to_be_bytes().to_vec(),
        };
        [&self.credential[..], &prefix, content, &signature].concat()
    }
}

fn padded(mut plaintext: Vec<u8>) -> Vec<u8> {
    let length = padded_length(plaintext.len() as u64 + 1170).expect("short content") - 1170;
    plaintext.resize(usize::try_from(length).expect("short content"), 0);
    plaintext
}

fn sealed(info: &[u8; 16], plaintext: &[u8]) -> Vec<u8> {
    let mut rng = ChaCha20Rng::from_seed([0x43; 32]);
    let info = bind("inbox item", info);
    let (key, ciphertext) = HpkeSuite::INBOX
        .seal(&public_key(), &info, &key_id(), plaintext, &mut rng)
        .expect("the key is valid");
    [&[0, 1][..], &key_id(), &key, &ciphertext].concat()
}

fn item(author: &Author, content: &[u8]) -> Vec<u8> {
    sealed(&INBOX, &padded(author.plaintext(content)))
}

fn input(item: &[u8]) -> Value {
    json!({
        "inbox": hex::encode(INBOX),
        "inbox_key_seed": hex::encode(SEED),
        "item": hex::encode(item),
    })
}

fn valid() -> Group {
    let rules = ["LNK-030", "LNK-031", "LNK-032", "LNK-033"];
    [&b"content"[..], b"", &[7; 900]].iter().fold(Group::new("items", &rules), |group, content| {
        let outputs = json!({
            "fingerprint": hex::encode(Chain::OURS.fingerprint()),
            "device": hex::encode([4; 16]),
            "content": hex::encode(content),
        });
        let comment = format!("{} bytes", content.len());
        group.valid(&comment, input(&item(&author(), content)), outputs)
    })
}

fn senders() -> Group {
    let ours = author();
    let stranger = Chain { signer: 9, ..Chain::OURS }.credential(4);
    let mut group = Group::new("senders", &["LNK-032", "IDN-002", "IDN-024"]);
    for (comment, author, name) in [
        ("another device signed", Author { signer: 5, ..ours.clone() }, "SENDER_SIGNATURE"),
        ("for another inbox", Author { inbox: [0; 16], ..ours.clone() }, "SENDER_SIGNATURE"),
        ("for another key", Author { key_id: [0; 32], ..ours.clone() }, "SENDER_SIGNATURE"),
        ("another label", Author { label: "card", ..ours.clone() }, "SENDER_SIGNATURE"),
        ("no manager's device", Author { credential: stranger, ..ours }, "CERTIFICATE_SIGNATURE"),
    ] {
        group = group.test(comment, &[], input(&item(&author, b"content")), refused(name));
    }
    let mut swapped = author().plaintext(b"content");
    swapped[271] ^= 1;
    let swapped = sealed(&INBOX, &padded(swapped));
    group.test("content changed", &[], input(&swapped), refused("SENDER_SIGNATURE"))
}

fn bytes() -> Group {
    let whole = item(&author(), b"content");
    let mut marked = padded(author().plaintext(b"content"));
    *marked.last_mut().expect("not empty") = 1;
    let mut group = Group::new("sealed bytes", &["LNK-031", "LNK-033"]);
    for (comment, item, name) in [
        ("another version", flipped(&whole, 1), "UNKNOWN_VERSION"),
        ("another key id", flipped(&whole, 2), "OTHER_KEY"),
        ("encapsulated key changed", flipped(&whole, 34), "UNOPENED"),
        ("its X25519 part changed", flipped(&whole, 1140), "UNOPENED"),
        ("ciphertext changed", flipped(&whole, 1154), "UNOPENED"),
        ("tag changed", flipped(&whole, whole.len() - 1), "UNOPENED"),
        ("cut off", whole[..whole.len() - 1].to_vec(), "LENGTH_OUTSIDE_SET"),
        ("nothing", vec![], "LENGTH_OUTSIDE_SET"),
        ("too short for a key", [&whole[..34], &[0; 222]].concat(), "UNOPENED"),
        ("for another inbox", sealed(&[0; 16], &padded(author().plaintext(b"x"))), "UNOPENED"),
        ("padding is not zero", sealed(&INBOX, &marked), "NOT_ZERO"),
        ("no sender", sealed(&INBOX, &padded(vec![0, 1, 0, 1])), "TRUNCATED"),
    ] {
        group = group.test(comment, &[], input(&item), refused(name));
    }
    group
}

fn rejoin(fingerprint: &[u8; 32], device: u8, signer: u8, old: Option<(u8, u8)>) -> Vec<u8> {
    let package = variable(&[0x46; 70]);
    let asked_at = 1_000u64.to_be_bytes();
    let fields =
        [&fingerprint[..], &[device; 16], &[0x44; 32], &[0x45; 32], &asked_at, &package].concat();
    let signature = sign(signer, "rejoin request", &fields);
    let head = [&[0, 1, 3][..], &fields, &signature].concat();
    let proof = match old {
        None => vec![0],
        Some((key, signer)) => {
            let signature = sign(signer, "rejoin old leaf", &fields);
            [&[1][..], &super::chain::public(key), &signature].concat()
        }
    };
    [&head[..], &proof, &card()].concat()
}

fn contents() -> Group {
    let ours = Chain::OURS.fingerprint();
    let whole = rejoin(&ours, 4, 4, Some((6, 6)));
    let rules = ["LNK-040", "LNK-041", "LNK-044", "LNK-088"];
    let mut group = Group::new("rejoin requests and other content", &rules);
    for (comment, content, name) in [
        ("by the device", rejoin(&ours, 4, 4, None), None),
        ("and by its old leaf", whole.clone(), None),
        ("another device", rejoin(&ours, 5, 4, None), Some("BAD_SIGNATURE")),
        ("another identity", rejoin(&[0; 32], 4, 4, None), Some("BAD_SIGNATURE")),
        ("another key signed", rejoin(&ours, 4, 5, None), Some("BAD_SIGNATURE")),
        ("old leaf did not sign", rejoin(&ours, 4, 4, Some((6, 7))), Some("BAD_SIGNATURE")),
        ("cut off", whole[..whole.len() - 1].to_vec(), Some("TRUNCATED")),
        ("a byte follows", [&whole[..], &[0]].concat(), Some("TRAILING_BYTES")),
        ("kind 6", vec![0, 1, 6], Some("UNDEFINED_VALUE")),
        ("kind 0", vec![0, 1, 0], Some("UNDEFINED_VALUE")),
        ("version 2", vec![0, 2, 3], Some("UNKNOWN_VERSION")),
        ("nothing", vec![], Some("TRUNCATED")),
    ] {
        let mut input = input(&item(&author(), &content));
        input["parse"] = true.into();
        let outcome = name.map_or_else(Outcome::accepted, refused);
        group = group.test(comment, &[], input, outcome);
    }
    group
}
