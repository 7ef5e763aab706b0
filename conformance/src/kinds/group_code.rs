//! Codes that the members of a group compare.

use hushwire_protocol::group_code::group_code;
use hushwire_wire::id::{ChannelId, EpochId};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::derive,
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "group-code";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let bytes = |name| -> [u8; 32] { input.bytes(name).try_into().expect("32 bytes") };
    let channel = ChannelId::from_bytes(bytes("channel"));
    let epoch = EpochId::from_bytes(bytes("epoch"));
    Outcome::valid(json!({ "digits": group_code(&channel, &epoch, &bytes("authenticator")) }))
}

/// The tests.
pub fn suite() -> Suite {
    let mut group = Group::new("digits", &["GRP-054"]);
    for (comment, [channel, epoch, authenticator]) in [
        ("a group", [1, 2, 3]),
        ("another channel", [4, 2, 3]),
        ("another epoch", [1, 4, 3]),
        ("another view", [1, 2, 4]),
        ("zeros", [0, 0, 0]),
    ] {
        let context = [[channel; 32], [epoch; 32]].concat();
        let digits: Vec<_> = derive(&[authenticator; 32], "group code", &context, 30)
            .chunks(5)
            .map(|bytes| bytes.iter().fold(0u64, |value, byte| value * 256 + u64::from(*byte)))
            .map(|value| format!("{:05}", value % 100_000))
            .collect();
        let input = json!({
            "channel": hex::encode([channel; 32]),
            "epoch": hex::encode([epoch; 32]),
            "authenticator": hex::encode([authenticator; 32]),
        });
        group = group.valid(comment, input, json!({ "digits": digits.join(" ") }));
    }
    Suite::new(NAME).group(group)
}
