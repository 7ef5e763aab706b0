//! The keys of an epoch, from what the safe exporter gave.

use hushwire_protocol::epoch::EpochKeys;
use serde_json::{Value, json};

use ed25519_dalek::SigningKey;

use crate::{
    input::Input,
    kinds::chain::derive,
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "epoch-keys";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let keys = EpochKeys::derive(&input.bytes("epoch_secret"), &input.bytes("envelope_secret"));
    Outcome::valid(json!({
        "epoch_key": hex::encode(keys.public_key()),
        "envelope_key": hex::encode(keys.envelope.expose()),
    }))
}

/// The tests.
pub fn suite() -> Suite {
    let mut group = Group::new("keys of an epoch", &["GRP-050"]);
    for (epoch, envelope) in [(1u8, 2u8), (2, 1), (0, 0), (255, 7)] {
        let (epoch_secret, envelope_secret) = ([epoch; 32], [envelope; 32]);
        let seed: [u8; 32] =
            derive(&epoch_secret, "epoch key", &[], 32).try_into().expect("32 bytes");
        let key = SigningKey::from_bytes(&seed).verifying_key();
        let envelope_key = derive(&envelope_secret, "envelope key", &[], 32);
        group = group.valid(
            &format!("{epoch} and {envelope}"),
            json!({
                "epoch_secret": hex::encode(epoch_secret),
                "envelope_secret": hex::encode(envelope_secret),
            }),
            json!({
                "epoch_key": hex::encode(key.to_bytes()),
                "envelope_key": hex::encode(envelope_key),
            }),
        );
    }
    Suite::new(NAME).group(group)
}
