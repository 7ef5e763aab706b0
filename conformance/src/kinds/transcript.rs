//! What is hashed and signed between client and relay: layouts, hashes, signatures.

mod layout;
mod library;

use ed25519_dalek::{Signer as _, SigningKey};
use hushwire_wire::{
    id::{PublicKey, Signature},
    transcript::public_key,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

use self::{
    layout::{ALL, Layout, Use},
    library::Built,
};

/// Name of the kind.
pub const NAME: &str = "transcript";
/// Name of the refusal: a signature is not valid. It does not say why.
const BAD_SIGNATURE: &str = "BAD_SIGNATURE";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let transcript = match library::build(input) {
        Built::Hash { hash, transcript } => {
            assert_eq!(transcript.hash(), hash, "the layout and the library agree");
            return Outcome::valid(json!({
                "transcript": hex::encode(transcript.as_bytes()),
                "hash": hex::encode(hash),
            }));
        }
        Built::AssociatedData(bytes) => {
            return Outcome::valid(json!({ "transcript": hex::encode(bytes) }));
        }
        Built::ToSign(transcript) => transcript,
    };
    if input.has("seed") {
        let key = SigningKey::from_bytes(&input.bytes("seed").try_into().expect("32 bytes"));
        return Outcome::valid(json!({
            "transcript": hex::encode(transcript.as_bytes()),
            "public_key": hex::encode(public_key(&key)),
            "signature": hex::encode(transcript.sign(&key)),
        }));
    }
    let (key, signature): (PublicKey, Signature) = (input.id("public_key"), input.id("signature"));
    match transcript.verify(&key, &signature) {
        Ok(()) => Outcome::accepted(),
        Err(_) => Outcome::refused(Phase::Authenticate, BAD_SIGNATURE),
    }
}

/// The tests.
pub fn suite() -> Suite {
    let mut suite = Suite::new(NAME)
        .note("Field", "A field is not the one that was signed.")
        .note("Label", "The signature was made for another transcript with the same fields.")
        .note("Key", "The key is another one.")
        .note("Bit", "A bit of the signature is another one.")
        .note("Raw", "The signature is over the fields without a label.")
        .group(layouts(Use::Hash, &["WIRE-020", "WIRE-030", "WIRE-031"]))
        .group(layouts(Use::AssociatedData, &["WIRE-020"]))
        .group(layouts(Use::Signature, &["WIRE-020"]));
    for layout in ALL.iter().filter(|layout| layout.used == Use::Signature) {
        suite = suite.group(signatures(layout));
    }
    suite
}

fn layouts(used: Use, rules: &[&str]) -> Group {
    let mut group = Group::new(used.comment(), rules);
    for layout in ALL.iter().filter(|layout| layout.used == used) {
        for (variant, mut input) in layout.inputs() {
            let transcript = layout.encode(&input);
            let mut outputs = json!({ "transcript": hex::encode(&transcript) });
            match used {
                Use::Hash => outputs["hash"] = json!(hex::encode(Sha256::digest(&transcript))),
                Use::AssociatedData => {}
                Use::Signature => {
                    let seed = [0x5e; 32];
                    let key = SigningKey::from_bytes(&seed);
                    input["seed"] = json!(hex::encode(seed));
                    outputs["public_key"] = json!(hex::encode(key.verifying_key().as_bytes()));
                    outputs["signature"] = json!(hex::encode(key.sign(&transcript).to_bytes()));
                }
            }
            let comment = format!("{}{variant}", layout.name);
            group = group.valid(&comment, input, outputs);
        }
    }
    group
}

/// One signature that is right, and every way to pass it for another.
fn signatures(layout: &Layout) -> Group {
    let comment = format!("signatures over {}", layout.name);
    let mut group = Group::new(&comment, &["WIRE-020", "WIRE-021", "WIRE-031"]);
    let (_, input) = layout.inputs().remove(0);
    let key = SigningKey::from_bytes(&[0x5e; 32]);
    let sign = |bytes: &[u8]| key.sign(bytes).to_bytes();
    let signed = |mut input: Value, key: &SigningKey, signature: [u8; 64]| {
        input["public_key"] = json!(hex::encode(key.verifying_key().as_bytes()));
        input["signature"] = json!(hex::encode(signature));
        input
    };
    let right = sign(&layout.encode(&input));
    group = group.test("as signed", &[], signed(input.clone(), &key, right), Outcome::accepted());

    let refused = || Outcome::refused(Phase::Authenticate, BAD_SIGNATURE);
    for field in layout.fields {
        let mut other = input.clone();
        layout::change(&mut other, field);
        let comment = format!("another {}", field.name);
        group = group.test(&comment, &["Field"], signed(other, &key, right), refused());
    }
    for other in ALL.iter().filter(|other| other.used == Use::Signature) {
        if other.name != layout.name {
            let signature = sign(&other.relabel(layout, &input));
            let comment = format!("signed as {}", other.name);
            let input = signed(input.clone(), &key, signature);
            group = group.test(&comment, &["Label"], input, refused());
        }
    }
    let raw = sign(&layout.encode_fields(&input));
    group = group.test("no label", &["Raw"], signed(input.clone(), &key, raw), refused());
    let stranger = SigningKey::from_bytes(&[0x5f; 32]);
    let by_stranger = signed(input.clone(), &stranger, right);
    group = group.test("another key", &["Key"], by_stranger, refused());
    for at in [0, 31, 32, 63] {
        let mut flipped = right;
        flipped[at] ^= 1;
        let comment = format!("lowest bit of byte {at}");
        group = group.test(&comment, &["Bit"], signed(input.clone(), &key, flipped), refused());
    }
    group
}
