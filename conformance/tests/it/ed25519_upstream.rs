//! The edge cases of C2SP/CCTV against our strict verification.

use std::{collections::BTreeSet, fs, path::Path};

use hushwire_wire::{
    id::{PublicKey, Signature},
    transcript::verify_strict,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    number: u32,
    key: String,
    sig: String,
    msg: String,
    flags: Option<BTreeSet<String>>,
}

/// What no strict verifier takes: points of small order, other encodings, and equations that hold
/// only with the cofactor. Components of small order in points of large order are no reason.
const REFUSED: [&str; 5] =
    ["low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue"];
/// Flags that are no reason to refuse by themselves.
const TAKEN: [&str; 3] = ["low_order_component_A", "low_order_component_R", "reencoded_k"];

#[test]
fn strict_verification_takes_what_it_must_and_nothing_else() {
    // spec: WIRE-021
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/vectors/cctv-ed25519/ed25519vectors.json");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no upstream vectors at {}", path.display());
        return;
    };
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for vector in &vectors {
        let flags = vector.flags.clone().unwrap_or_default();
        let unknown = flags
            .iter()
            .find(|flag| !REFUSED.contains(&flag.as_str()) && !TAKEN.contains(&flag.as_str()));
        assert_eq!(unknown, None, "vector {}", vector.number);
        let expected = !REFUSED.iter().any(|flag| flags.contains(*flag));
        let key = PublicKey::from_slice(&hex::decode(&vector.key).unwrap()).unwrap();
        let signature = Signature::from_slice(&hex::decode(&vector.sig).unwrap()).unwrap();
        let outcome = verify_strict(&key, vector.msg.as_bytes(), &signature);
        assert_eq!(outcome.is_ok(), expected, "vector {}: {:?}", vector.number, flags);
        if expected { taken += 1 } else { refused += 1 }
    }
    eprintln!("{taken} upstream signatures taken, {refused} refused");
    assert!(taken > 0 && refused > 0);
}
