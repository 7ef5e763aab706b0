//! Safety numbers.

use hushwire_protocol::identity::Fingerprint;
use hushwire_protocol::safety_number::SafetyNumber;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::{derive, refused},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "safety-number";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let fingerprint =
        |name| Fingerprint::from_bytes(input.bytes(name).try_into().expect("32 bytes"));
    let number = SafetyNumber::between(fingerprint("own"), fingerprint("their"));
    if input.has("scanned") {
        return match number.check_scanned(input.text("scanned")) {
            Ok(()) => Outcome::accepted(),
            Err(error) => refused(error.name()),
        };
    }
    Outcome::valid(json!({ "digits": number.digits(), "scannable": number.to_scannable() }))
}

fn input(own: u8, their: u8) -> Value {
    json!({ "own": hex::encode([own; 32]), "their": hex::encode([their; 32]) })
}

fn outputs(own: u8, their: u8) -> Value {
    let joined = [[own.min(their); 32], [own.max(their); 32]].concat();
    let groups: Vec<_> = derive(&joined, "safety number", &[], 60)
        .chunks(5)
        .map(|bytes| bytes.iter().fold(0u64, |value, byte| value * 256 + u64::from(*byte)))
        .map(|value| format!("{:05}", value % 100_000))
        .collect();
    let bytes = [&[1][..], &[own; 32], &[their; 32]].concat();
    let scannable = format!("hush-safety:{}", super::link::base64url(&bytes));
    json!({ "digits": groups.join(" "), "scannable": scannable })
}

/// The tests.
pub fn suite() -> Suite {
    let mut digits = Group::new("digits", &["IDN-040"]);
    for (own, their) in [(1, 2), (2, 1), (0, 255), (7, 7)] {
        let comment = format!("{own} and {their}");
        digits = digits.valid(&comment, input(own, their), outputs(own, their));
    }
    let scannable =
        |own, their| outputs(own, their)["scannable"].as_str().expect("text").to_owned();
    let cases = [
        ("the other side's", scannable(2, 1), None),
        ("another in their place", scannable(3, 1), Some("THEIR_DIFFERS")),
        ("another in our place", scannable(2, 3), Some("OWN_DIFFERS")),
        ("our own, scanned back", scannable(1, 2), Some("THEIR_DIFFERS")),
        ("another scheme", "hush:AQ".to_owned(), Some("FOREIGN")),
        ("nothing", "hush-safety:".to_owned(), Some("FOREIGN")),
        ("version 2", "hush-safety:Ag".to_owned(), Some("UNKNOWN_VERSION")),
        ("too short", "hush-safety:AQ".to_owned(), Some("FOREIGN")),
        ("a byte too much", format!("{}AA", scannable(2, 1)), Some("FOREIGN")),
    ];
    let mut scans = Group::new("scanned by 1, who talks to 2", &["IDN-041"]);
    for (comment, text, name) in cases {
        let mut input = input(1, 2);
        input["scanned"] = text.into();
        scans = scans.test(comment, &[], input, name.map_or_else(Outcome::accepted, refused));
    }
    Suite::new(NAME).group(digits).group(scans)
}
