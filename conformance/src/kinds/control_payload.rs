//! Payloads of control entries that are no layout with a name of its own.

use hushwire_protocol::{
    content::{ControlKind, Pin, Pinning},
    identity::{DeviceId, Fingerprint},
    own_devices::{CapabilityMade, Comparison, ContactCompared, DeviceNamed, InboxKeys},
};
use hushwire_wire::id::{ChannelId, EpochId};
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "control-payload";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let kind = u32::try_from(input.integer("kind")).expect("32 bits");
    let payload = input.bytes("payload");
    Outcome::valid(json!({ "says": says(ControlKind::from_number(kind), &payload) }))
}

/// What a payload says; null: nothing, it is not of its form.
fn says(kind: ControlKind, payload: &[u8]) -> Option<Value> {
    Some(match kind {
        ControlKind::Pin => {
            let pin = Pin::of_payload(payload)?;
            json!({
                "message": hex::encode(pin.message.as_bytes()),
                "pinned": pin.pinning == Pinning::Pinned,
            })
        }
        ControlKind::InboxKeysRotated => {
            let keys = InboxKeys::of_payload(payload).ok()?;
            json!({
                "generation": keys.generation.0.to_string(),
                "owner": hex::encode(keys.owner.expose()),
                "inbox_key": hex::encode(keys.inbox_key.expose()),
                "shelf_key": hex::encode(keys.shelf_key.expose()),
                "capability": hex::encode(keys.capability.expose()),
            })
        }
        ControlKind::DeviceNamed => {
            let named = DeviceNamed::of_payload(payload)?;
            json!({ "device": hex::encode(named.device), "name": named.name.as_str() })
        }
        ControlKind::ContactVerified => {
            let compared = ContactCompared::of_payload(payload)?;
            json!({
                "fingerprint": hex::encode(compared.person),
                "verified": compared.comparison == Comparison::Equal,
            })
        }
        ControlKind::CapabilityMade => {
            let made = CapabilityMade::of_payload(payload)?;
            json!({
                "device": hex::encode(made.device),
                "capability_id": hex::encode(made.capability),
            })
        }
        ControlKind::BranchLeft => {
            json!({ "epoch": hex::encode(EpochId::from_slice(payload).ok()?) })
        }
        ControlKind::GroupJoined => {
            json!({ "channel": hex::encode(ChannelId::from_slice(payload).ok()?) })
        }
        ControlKind::DeviceRevoked => {
            json!({ "device": hex::encode(DeviceId::try_from(payload).ok()?) })
        }
        ControlKind::ApprovalNeeded => {
            json!({ "fingerprint": hex::encode(Fingerprint::try_from(payload).ok()?) })
        }
        other => panic!("{other:?} has a layout of its own"),
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(pins())
        .group(inbox_keys())
        .group(names())
        .group(verifications())
        .group(capabilities())
        .group(fixed("a branch that is left", "CLI-184", 4, "epoch", 32))
        .group(fixed("a group of an own device", "LNK-124", 19, "channel", 32))
        .group(fixed("a device that was revoked", "IDN-055", 26, "device", 16))
        .group(fixed("by a member's word only", "LNK-102", 36, "fingerprint", 32))
}

fn test(group: Group, comment: &str, kind: u32, payload: &[u8], says: Value) -> Group {
    let input = json!({ "kind": kind.to_string(), "payload": hex::encode(payload) });
    group.valid(comment, input, json!({ "says": says }))
}

fn nothing(group: Group, comment: &str, kind: u32, payload: &[u8]) -> Group {
    test(group, &format!("{comment}: says nothing"), kind, payload, Value::Null)
}

/// Payloads of any other length say nothing.
fn other_lengths(mut group: Group, kind: u32, payload: &[u8]) -> Group {
    let longer = [payload, &[1]].concat();
    for (comment, payload) in [
        ("nothing", &[][..]),
        ("a byte too short", &payload[..payload.len() - 1]),
        ("a byte too long", &longer),
    ] {
        group = nothing(group, comment, kind, payload);
    }
    group
}

fn fixed(comment: &str, rule: &str, kind: u32, field: &str, length: usize) -> Group {
    let payload = vec![7; length];
    let group = Group::new(comment, &[rule]);
    let group = test(group, "named", kind, &payload, json!({ field: hex::encode(&payload) }));
    other_lengths(group, kind, &payload)
}

fn pins() -> Group {
    let payload = |state: u8| [&[1; 32][..], &[state]].concat();
    let mut group = Group::new("pins", &["CNT-043", "CNT-013"]);
    for (comment, state, pinned) in [("pinned", 1, true), ("not any more", 0, false)] {
        let says = json!({ "message": hex::encode([1; 32]), "pinned": pinned });
        group = test(group, comment, 2, &payload(state), says);
    }
    group = nothing(group, "another state", 2, &payload(2));
    let no_id = [&[2; 32][..], &[1]].concat();
    group = nothing(group, "an id that begins otherwise", 2, &no_id);
    other_lengths(group, 2, &payload(1))
}

fn inbox_keys() -> Group {
    let keys: Vec<u8> = [1u8, 2, 3, 4].iter().flat_map(|byte| [*byte; 32]).collect();
    let payload = |generation: u64| [&generation.to_be_bytes()[..], &keys].concat();
    let says = |generation: u64| {
        json!({
            "generation": generation.to_string(),
            "owner": hex::encode([1; 32]),
            "inbox_key": hex::encode([2; 32]),
            "shelf_key": hex::encode([3; 32]),
            "capability": hex::encode([4; 32]),
        })
    };
    let mut group = Group::new("new keys of the inbox", &["IDN-055", "IDN-058", "IDN-073"]);
    for (comment, generation) in [("four keys", 5), ("the last generation", u64::MAX)] {
        group = test(group, comment, 21, &payload(generation), says(generation));
    }
    let group = nothing(group, "three keys", 21, &payload(5)[..104]);
    let group = nothing(group, "no generation", 21, &keys);
    other_lengths(group, 21, &payload(5))
}

fn names() -> Group {
    let payload = |name: &[u8]| [&[4; 16][..], name].concat();
    let mut group = Group::new("names of devices", &["IDN-055", "LNK-024"]);
    for name in ["phone", "Téléphone d’Anne", "a", &"x".repeat(128)] {
        let says = json!({ "device": hex::encode([4; 16]), "name": name });
        group = test(group, &format!("{} bytes", name.len()), 23, &payload(name.as_bytes()), says);
    }
    for (comment, name) in [
        ("no name", &b""[..]),
        ("129 bytes", &[b'x'; 129]),
        ("a line break", b"a\nb"),
        ("a hidden character", "a\u{200b}b".as_bytes()),
        ("no UTF-8", &[0xff]),
    ] {
        group = nothing(group, comment, 23, &payload(name));
    }
    nothing(group, "a device id cut off", 23, &[4; 15])
}

fn verifications() -> Group {
    let payload = |state: u8| [&[5; 32][..], &[state]].concat();
    let mut group = Group::new("whether a contact was verified", &["IDN-055"]);
    for (comment, state, verified) in [("compared and equal", 1, true), ("not", 0, false)] {
        let says = json!({ "fingerprint": hex::encode([5; 32]), "verified": verified });
        group = test(group, comment, 24, &payload(state), says);
    }
    group = nothing(group, "another state", 24, &payload(2));
    other_lengths(group, 24, &payload(1))
}

fn capabilities() -> Group {
    let payload = [&[4; 16][..], &[6; 32]].concat();
    let says = json!({ "device": hex::encode([4; 16]), "capability_id": hex::encode([6; 32]) });
    let group = Group::new("a capability that a device made", &["IDN-055"]);
    other_lengths(test(group, "made", 25, &payload, says), 25, &payload)
}
