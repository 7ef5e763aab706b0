//! Padded lengths, and padding taken off.

use hushwire_protocol::padding::{PaddingError, is_padded_length, padded_length, unpad};
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "padding";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    match input.text("operation") {
        "length" => match padded_length(input.integer("length")) {
            Some(padded) => {
                assert!(is_padded_length(padded), "a padded length is one of the set");
                Outcome::valid(json!({ "padded_length": padded.to_string() }))
            }
            None => refused(PaddingError::TooLarge),
        },
        "unpad" => {
            let size = |name| usize::try_from(input.integer(name)).expect("a small number");
            let plaintext = input.bytes("plaintext");
            unpad(&plaintext, size("overhead"), size("content_length"))
                .map_or_else(refused, |content| {
                    Outcome::valid(json!({ "content": hex::encode(content) }))
                })
        }
        other => panic!("{other} is no operation"),
    }
}

fn refused(error: PaddingError) -> Outcome {
    Outcome::refused(Phase::Decode, error.name())
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .note("Floor", "No padded length is below 256.")
        .note("NotZero", "A byte after the content is not zero.")
        .group(lengths())
        .group(unpadding())
}

fn lengths() -> Group {
    let mut group = Group::new("padded lengths", &["ENV-010", "ENV-011"]);
    let table: [(u64, u64); 22] = [
        (0, 256),
        (1, 256),
        (255, 256),
        (256, 256),
        (257, 272),
        (272, 272),
        (273, 288),
        (511, 512),
        (512, 512),
        (513, 544),
        (1_000, 1_024),
        (1_025, 1_088),
        (65_535, 65_536),
        (65_536, 65_536),
        (65_537, 67_584),
        (262_144, 262_144),
        (262_145, 270_336),
        (1_000_000, 1_015_808),
        (1 << 32, 1 << 32),
        ((1 << 32) + 1, (1 << 32) + (1 << 26)),
        (1 << 63, 1 << 63),
        ((1 << 63) + 1, (1 << 63) + (1 << 57)),
    ];
    for (length, padded) in table {
        let flags: &[&str] = if length < 256 { &["Floor"] } else { &[] };
        let input = json!({ "operation": "length", "length": length.to_string() });
        let outputs = json!({ "padded_length": padded.to_string() });
        group = group.test(&format!("{length} bytes"), flags, input, Outcome::valid(outputs));
    }
    let input = json!({ "operation": "length", "length": u64::MAX.to_string() });
    group.invalid("no padded length fits 64 bits", input, Phase::Decode, "TOO_LARGE")
}

fn unpadding() -> Group {
    let input = |plaintext: &[u8], overhead: usize, content_length: usize| {
        json!({
            "operation": "unpad",
            "plaintext": hex::encode(plaintext),
            "overhead": overhead.to_string(),
            "content_length": content_length.to_string(),
        })
    };
    let mut plaintext = vec![0; 216];
    plaintext[..3].copy_from_slice(&[7, 8, 0]);
    let marked = |at: usize| {
        let mut marked = plaintext.clone();
        marked[at] = 1;
        marked
    };
    let not_zero = Outcome::refused(Phase::Decode, "NOT_ZERO");
    Group::new("padding of 256 bytes with an overhead of 40", &["ENV-012", "ENV-013", "ENV-014"])
        .valid(
            "content that ends with a zero",
            input(&plaintext, 40, 3),
            json!({ "content": "070800" }),
        )
        .valid("no content", input(&[0; 216], 40, 0), json!({ "content": "" }))
        .valid(
            "a larger length of the set",
            input(&[&[9][..], &[0; 471]].concat(), 40, 1),
            json!({ "content": "09" }),
        )
        .test("first byte of the padding", &["NotZero"], input(&marked(3), 40, 3), not_zero.clone())
        .test("last byte of the padding", &["NotZero"], input(&marked(215), 40, 3), not_zero)
        .invalid(
            "content beyond the end",
            input(&plaintext, 40, 217),
            Phase::Decode,
            "CONTENT_TOO_LONG",
        )
        .invalid("another overhead", input(&plaintext, 41, 3), Phase::Decode, "LENGTH_OUTSIDE_SET")
        .invalid("below the floor", input(&[0; 100], 28, 3), Phase::Decode, "LENGTH_OUTSIDE_SET")
        .invalid("nothing", input(&[], 0, 0), Phase::Decode, "LENGTH_OUTSIDE_SET")
}
