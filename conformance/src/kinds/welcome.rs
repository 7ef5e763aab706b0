//! Joining a group by what an invitation brings: a Welcome taken apart, and the snapshot.
//!
//! Who invites is the library, by fixed randomness; the joiner's KeyPackage is put together here, from
//! private keys that stand in the input. What comes out is worked out here as well, from these keys: the
//! key schedule down to the keys of the epoch.

mod group;

use hushwire_protocol::group::{
    Group as MlsGroup, GroupError, GroupSnapshot, OpenError, OwnKeyPackage, Welcomed,
};
use hushwire_protocol::identity::DeviceKey;
use hushwire_protocol::provider::{Provider, Suite as MlsSuite};
use hushwire_protocol::storage::MemoryMlsStore;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        envelope::rejected,
        mls::schedule::{self, Epoch, derive_secret, extensions_of},
    },
    suite::{Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "welcome";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let suite = |field| {
        let code = u16::try_from(input.integer(field)).expect("16 bits");
        MlsSuite::from_code(code).expect("a suite of ours")
    };
    let (store, mut rng) = (MemoryMlsStore::default(), ChaCha20Rng::from_seed([0; 32]));
    let provider = Provider::new(&store, &mut rng);
    let [package, init_key, leaf_key] =
        ["key_package", "init_key", "leaf_key"].map(|field| input.bytes(field));
    OwnKeyPackage::import(&provider, suite("package_suite"), &package, &init_key, &leaf_key)
        .expect("a KeyPackage of ours");
    let [secrets, group_info, tree] =
        ["secrets", "group_info", "tree"].map(|field| input.bytes(field));
    let snapshot = GroupSnapshot { group_info, tree };
    let device = DeviceKey::from_bytes(&input.bytes("device_key_seed").try_into().expect("a seed"));
    let welcomed = Welcomed { suite: suite("suite"), secrets: &secrets, snapshot: &snapshot };
    let joined = match MlsGroup::join(&provider, &device, &input.id("channel"), welcomed) {
        Ok(joined) => joined,
        Err(OpenError::Rejected(rejection)) => return rejected(rejection),
        Err(OpenError::Failed(GroupError::WouldBeRejected(rejection))) => {
            return rejected(rejection);
        }
        Err(error) => panic!("no refusal: {error}"),
    };
    let code = suite("suite").code();
    let epoch = schedule::open(code, &init_key, &secrets, &snapshot.group_info);
    let members = joined.group.members().expect("members");
    let members: Vec<_> = members
        .iter()
        .map(|member| {
            let device = member.credential.device();
            listed(member.leaf.0, &member.identity().as_bytes()[..], device.as_ref())
        })
        .collect();
    Outcome::valid(with_schedule(
        &epoch,
        json!({
            "epoch_number": joined.group.epoch_number().to_string(),
            "state": hex::encode(joined.group.state().to_bytes()),
            "members": members,
            "inviter": joined.inviter.leaf.0.to_string(),
            "epoch_authenticator": hex::encode(&*joined.group.epoch_authenticator()),
            "epoch_key": hex::encode(joined.keys.public_key()),
            "envelope_key": hex::encode(joined.keys.envelope.expose()),
        }),
    ))
}

fn listed(leaf: u32, fingerprint: &[u8], device: &[u8]) -> Value {
    json!({
        "leaf": leaf.to_string(),
        "fingerprint": hex::encode(fingerprint),
        "device": hex::encode(device),
    })
}

/// What stands on the way to the keys.
fn with_schedule(epoch: &Epoch, mut outputs: Value) -> Value {
    outputs["joiner_secret"] = json!(hex::encode(epoch.joiner_secret));
    outputs["epoch_secret"] = json!(hex::encode(epoch.epoch_secret));
    outputs["extensions"] = json!(hex::encode(extensions_of(&epoch.context)));
    outputs
}

/// The same as [`run`] gives, from the key schedule and the layouts alone.
fn expected(given: &group::Given) -> Value {
    let snapshot = &given.snapshot;
    let epoch = schedule::open(given.suite, &given.init_key, &given.secrets, &snapshot.group_info);
    let [epoch_key, envelope_key] = super::safe_export::keys(&epoch.epoch_secret);
    let mut outputs = with_schedule(
        &epoch,
        json!({
            "epoch_number": "1",
            "state": hex::encode(group::state()),
            "members": [
                listed(0, &group::ALICE.fingerprint(), &[group::ALICES; 16]),
                listed(1, &group::BOB.fingerprint(), &[group::BOBS; 16]),
            ],
            "inviter": "0",
            "epoch_authenticator":
                hex::encode(derive_secret(&epoch.epoch_secret, "authentication")),
            "epoch_key": hex::encode(epoch_key),
            "envelope_key": hex::encode(envelope_key),
        }),
    );
    outputs["extensions"] = json!(hex::encode(group::context_extensions()));
    outputs
}

/// The tests.
pub fn suite() -> Suite {
    group::tests().into_iter().fold(Suite::new(NAME), Suite::group)
}
