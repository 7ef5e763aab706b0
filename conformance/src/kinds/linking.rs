//! Linking a device, step by step. Both devices draw their randomness from ChaCha20 (rand_chacha)
//! seeded with 32 equal bytes, in the order of the fields that need it.
//!
//! Input: `operation`. `exchange`: `alter`, which message is changed on its way and how. Outputs:
//! `code`, `request`, `reveal`, `digits`, `grant`. `code`: `text`; outputs the places of meeting.

use hushwire_protocol::address::{Host, RelayAddress};
use hushwire_protocol::card::ShelfKey;
use hushwire_protocol::identity::{
    DeviceCredential, DeviceId, DeviceKey, DeviceListRank, DeviceSerial, ManagerCounter,
    ManagerKey, RootKey,
};
use hushwire_protocol::linking::{
    GrantedSecrets, InboxOwnerKey, LinkGrant, LinkingCode, LinkingError, LinkingJoin, LinkingOffer,
    Rendezvous, RequestTerms,
};
use hushwire_protocol::profile::ProfileName;
use hushwire_protocol::seal::InboxKey;
use hushwire_wire::id::{InboxId, RelayId, SlotId};
use hushwire_wire::transcript::capability_id;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::{derive, flipped, hash, refused},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "linking";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    match input.text("operation") {
        "exchange" => match exchange(input.text("alter")) {
            Ok(outputs) => Outcome::valid(outputs),
            Err(error) => refused(error.name()),
        },
        "code" => match LinkingCode::parse(input.text("text")) {
            Ok(code) => Outcome::valid(json!({
                "relay": code.relay().to_string(),
                "toward_old": place(&code.toward_old()),
                "toward_new": place(&code.toward_new()),
            })),
            Err(error) => refused(error.name()),
        },
        other => panic!("{other} is no operation"),
    }
}

fn place(place: &Rendezvous) -> Value {
    json!({
        "inbox": hex::encode(place.inbox),
        "owner_key": hex::encode(place.owner.public()),
        "capability": hex::encode(capability_id(&place.capability)),
    })
}

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn relay() -> RelayAddress {
    let host = Host::parse("relay.example.org").expect("a host");
    RelayAddress::new(host, 4433, RelayId::from_bytes([0x51; 32])).expect("an address")
}

fn terms(device: u8) -> RequestTerms {
    RequestTerms {
        device: DeviceId::from_bytes([device; 16]),
        slot: SlotId::from_bytes([device; 16]),
        device_key: DeviceKey::from_bytes(&[device; 32]).public(),
        name: ProfileName::new("laptop").expect("a name"),
    }
}

fn grant(device: u8, manager: u8) -> LinkGrant {
    let stated = ManagerKey::from_bytes(&[2; 32]);
    let root = RootKey::from_bytes(&[1; 32]);
    let statement = root.state_manager(stated.public(), ManagerCounter(3));
    let terms = terms(device);
    let certificate = stated.certify(&statement, terms.device, terms.device_key, DeviceSerial(7));
    LinkGrant {
        credential: DeviceCredential::new(statement, certificate).expect("a whole chain"),
        relay: relay(),
        inbox: InboxId::from_bytes([0x52; 16]),
        device_list: DeviceListRank::default(),
        name: ProfileName::new("Ana").expect("a name"),
        secrets: GrantedSecrets {
            inbox_owner: InboxOwnerKey::from_bytes(&[0x53; 32]),
            inbox_key: InboxKey::from_bytes([0x54; 32]),
            shelf_key: ShelfKey::from_bytes([0x55; 32]),
            manager: Some(ManagerKey::from_bytes(&[manager; 32])),
        },
        own_group: b"own group".to_vec().into(),
    }
}

/// The whole exchange; `alter` says what somebody in between does, or what a device does wrong.
fn exchange(alter: &str) -> Result<Value, LinkingError> {
    let hit = |step: &str, message: Vec<u8>| match alter == step {
        true => flipped(&message, message.len() - 1),
        false => message,
    };
    let offer = LinkingOffer::new(relay(), &mut rng(0x61));
    let text = offer.code().to_text().expect("a short host").to_string();
    let code = || LinkingCode::parse(&text).expect("what was written");
    let (join, request) = LinkingJoin::new(code(), terms(4), &mut rng(0x62))?;
    let delivered = match alter {
        "request-of-attacker" => LinkingJoin::new(code(), terms(4), &mut rng(0x66))?.1,
        _ => hit("request", request.clone()),
    };
    let (old, reveal) = offer.handle_request(&delivered, &mut rng(0x63))?;
    let delivered = match alter {
        "reveal-as-grant" => {
            let sealed = old.confirm_and_grant(&grant(4, 2), &mut rng(0x64))?;
            return join.handle_reveal(&sealed).map(|_| Value::Null);
        }
        _ => hit("reveal", reveal.clone()),
    };
    let new = join.handle_reveal(&delivered)?;
    let (shown_old, shown_new) = (old.comparison().to_string(), new.comparison().to_string());
    let granted = match alter {
        "grant-for-another-device" => grant(5, 2),
        "grant-with-another-manager" => grant(4, 9),
        _ => grant(4, 2),
    };
    let sealed = old.confirm_and_grant(&granted, &mut rng(0x64))?;
    new.confirm().handle_grant(&hit("grant", sealed.clone()))?;
    assert_eq!(shown_old, shown_new, "an exchange that ends well shows the same digits");
    Ok(json!({
        "code": text,
        "request": hex::encode(request),
        "reveal": hex::encode(reveal),
        "digits": shown_old,
        "grant": hex::encode(sealed),
    }))
}

/// The tests. What the whole exchange gives is the library's own: it pins the bytes.
pub fn suite() -> Suite {
    Suite::new(NAME).group(exchanges()).group(codes())
}

fn exchanges() -> Group {
    let input = |alter: &str| json!({ "operation": "exchange", "alter": alter });
    let rules = ["LNK-052", "LNK-053", "LNK-054", "LNK-055", "LNK-056", "LNK-057", "IDN-024"];
    let outputs = exchange("nothing").expect("an exchange");
    let mut group = Group::new("exchanges", &rules).valid("whole", input("nothing"), outputs);
    for (alter, name) in [
        ("request", "UNOPENED"),
        ("reveal", "UNOPENED"),
        ("grant", "UNOPENED"),
        ("reveal-as-grant", "UNOPENED"),
        ("request-of-attacker", "UNOPENED"),
        ("grant-for-another-device", "OTHER_DEVICE"),
        ("grant-with-another-manager", "OTHER_MANAGER"),
    ] {
        group = group.test(alter, &[], input(alter), refused(name));
    }
    group
}

fn code(first: u8, body: usize) -> String {
    let mut bytes = [&[first][..], &[0x51; 32], &vec![0x56; body], b"a.org"].concat();
    let sum = hash("link checksum", &bytes);
    bytes.extend_from_slice(&sum[..3]);
    format!("hush:{}", super::link::base64url(&bytes))
}

fn codes() -> Group {
    let input = |text: &str| json!({ "operation": "code", "text": text });
    let place = |context: u8| {
        use ed25519_dalek::SigningKey;
        let derived = |label: &str, length| derive(&[0x56; 32], label, &[context], length);
        let owner: [u8; 32] = derived("linking owner", 32).try_into().expect("32 bytes");
        json!({
            "inbox": hex::encode(derived("linking inbox", 16)),
            "owner_key": hex::encode(SigningKey::from_bytes(&owner).verifying_key().to_bytes()),
            "capability": hex::encode(hash("capability id", &derived("linking capability", 32))),
        })
    };
    let whole = code(0x13, 64);
    let relay = format!("a.org:4433#{}", super::link::base64url(&[0x51; 32]));
    let outputs = json!({ "relay": relay, "toward_old": place(1), "toward_new": place(2) });
    Group::new("codes", &["LNK-050", "LNK-051", "LNK-011"])
        .valid("a code", input(&whole), outputs)
        .test("a contact link", &[], input(&code(0x11, 80)), refused("OTHER_KIND"))
        .test("version 2", &[], input(&code(0x23, 64)), refused("UNKNOWN_VERSION"))
        .test("cut off", &[], input(&whole[..whole.len() - 4]), refused("DAMAGED"))
        .test("no whole body", &[], input(&code(0x13, 50)), refused("TRUNCATED"))
}
