//! The safe exporter of MLS: from an epoch's secret to the keys by which its members are admitted.

use hushwire_protocol::epoch::EpochKeys;
use serde_json::{Value, json};

use ed25519_dalek::SigningKey;

use crate::{
    input::Input,
    kinds::{
        chain::derive,
        mls::schedule::{derive_secret, safe_export},
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "safe-export";

/// Component of the epoch key's seed.
const EPOCH_KEY: u16 = 0x8001;
/// Component of the envelope key.
const ENVELOPE_KEY: u16 = 0x8002;

/// Runs one input. The library gives no way into its exporter but a group: that both come to the same
/// keys is tested where one is joined, in the kind `welcome`.
pub fn run(input: &Value) -> Outcome {
    let epoch_secret = Input(input).bytes("epoch_secret").try_into().expect("32 bytes");
    let [epoch, envelope] =
        [EPOCH_KEY, ENVELOPE_KEY].map(|component| safe_export(&epoch_secret, component));
    let keys = EpochKeys::derive(&epoch, &envelope);
    Outcome::valid(json!({
        "application_export": hex::encode(derive_secret(&epoch_secret, "application_export")),
        "component_8001": hex::encode(epoch),
        "component_8002": hex::encode(envelope),
        "epoch_key": hex::encode(keys.public_key()),
        "envelope_key": hex::encode(keys.envelope.expose()),
    }))
}

/// The two keys that members of an epoch derive (GRP-050): the public epoch key, the envelope key.
pub fn keys(epoch_secret: &[u8; 32]) -> [Vec<u8>; 2] {
    let seed = derive(&safe_export(epoch_secret, EPOCH_KEY), "epoch key", &[], 32);
    let seed: [u8; 32] = seed.try_into().expect("32 bytes");
    let envelope = derive(&safe_export(epoch_secret, ENVELOPE_KEY), "envelope key", &[], 32);
    [SigningKey::from_bytes(&seed).verifying_key().to_bytes().to_vec(), envelope]
}

/// What the exporter gives for the secret of 32 bytes `61`, and of 32 zeros, computed by another
/// program from the text: `application_export`, component 0x8001, component 0x8002.
const COMPUTED: [(u8, [&str; 3]); 2] = [
    (
        0x61,
        [
            "87677435c5dd880ea06b9da9da83dea1c8248ddb46118b0815e4f52e9a0ded93",
            "e6b601fd0a4b67b6e2c1c51de5367c3ae79a61b4ad71e3920dbaf81f24ccdbae",
            "79961abe23bf97b6d28eb7c134fa7b719c39923eaf6f76c34e26e16c8734130e",
        ],
    ),
    (
        0x00,
        [
            "1eda50bae7a95e5a306c48b926916b01f32c8f5566d845fb71306e0b2889cc5c",
            "da8a9fd68513d1f112afd4c3956313cb72130d65378967bd458fb369f62b644a",
            "c0a527f3f578e99872c3f10d1a1094c01549ce4d0a10eafe57389f610189f961",
        ],
    ),
];

/// The tests.
pub fn suite() -> Suite {
    let mut group = Group::new("keys of an epoch, from its secret", &["GRP-050"]);
    for (byte, [root, epoch, envelope]) in COMPUTED {
        let epoch_secret = [byte; 32];
        let [epoch_key, envelope_key] = keys(&epoch_secret).map(hex::encode);
        group = group.valid(
            &format!("32 bytes {byte:02x}"),
            json!({ "epoch_secret": hex::encode(epoch_secret) }),
            json!({
                "application_export": root,
                "component_8001": epoch,
                "component_8002": envelope,
                "epoch_key": epoch_key,
                "envelope_key": envelope_key,
            }),
        );
    }
    Suite::new(NAME).group(group)
}
