//! Linking a device, one step of one device in each test; all that is drawn at random is given.

mod bytes;
mod refusals;

use hushwire_protocol::address::RelayAddress;
use hushwire_protocol::card::ShelfKey;
use hushwire_protocol::identity::{
    DeviceId, DeviceListRank, DeviceListVersion, ManagerCounter, ManagerKey, UnverifiedCredential,
};
use hushwire_protocol::linking::{
    ComparisonCode, GrantedSecrets, InboxOwnerKey, LinkGrant, LinkingCode, LinkingError,
    LinkingJoin, LinkingOffer, OldConfirming, OwnGroup, Rendezvous, RequestTerms,
};
use hushwire_protocol::profile::ProfileName;
use hushwire_protocol::seal::InboxKey;
use hushwire_wire::id::SlotId;
use hushwire_wire::transcript::capability_id;
use serde_json::{Value, json};

use crate::{
    given::Given,
    input::Input,
    kinds::chain::refused,
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "linking";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    if input.text("operation") == "code" {
        return match LinkingCode::parse(input.text("code")) {
            Ok(code) => Outcome::valid(describe_code(&code)),
            Err(error) => refused(error.name()),
        };
    }
    step(input).map_or_else(|error| refused(error.name()), Outcome::valid)
}

fn step(input: Input<'_>) -> Result<Value, LinkingError> {
    Ok(match input.text("operation") {
        "offer" => json!({ "code": *offer(input).code().to_text().expect("a short host") }),
        "request" => json!({ "request": hex::encode(join(input, &input.bytes("box_nonce"))?.1) }),
        "answer" => {
            let (old, reveal) = answer(input, &input.bytes("box_nonce"))?;
            json!({ "reveal": hex::encode(reveal), "digits": digits(old.comparison()) })
        }
        "compare" => {
            let new = join(input, &[0; 24])?.0.handle_reveal(&input.bytes("reveal"))?;
            json!({ "digits": digits(new.comparison()) })
        }
        "grant" => {
            let (old, _) = answer(input, &[0; 24])?;
            let drawn = [input.bytes("encapsulation_seed"), input.bytes("box_nonce")].concat();
            let grant = grant(Input(input.field("link_grant")));
            let sealed = old.confirm_and_grant(&grant, &mut Given::new(&[&drawn]))?;
            json!({ "grant": hex::encode(sealed) })
        }
        "open-grant" => {
            let new = join(input, &[0; 24])?.0.handle_reveal(&input.bytes("reveal"))?;
            let grant = new.confirm().handle_grant(&input.bytes("grant"))?;
            json!({ "link_grant": describe_grant(&grant) })
        }
        other => panic!("{other} is no operation"),
    })
}

fn offer(input: Input<'_>) -> LinkingOffer {
    let relay: RelayAddress = input.text("relay").parse().expect("an address");
    let drawn = [input.bytes("old_nonce"), input.bytes("secret")].concat();
    LinkingOffer::new(relay, &mut Given::new(&[&drawn]))
}

fn answer(input: Input<'_>, box_nonce: &[u8]) -> Result<(OldConfirming, Vec<u8>), LinkingError> {
    offer(input).handle_request(&input.bytes("request"), &mut Given::new(&[box_nonce]))
}

fn join(input: Input<'_>, box_nonce: &[u8]) -> Result<(LinkingJoin, Vec<u8>), LinkingError> {
    let code = LinkingCode::parse(input.text("code")).expect("a code");
    let terms = RequestTerms {
        device: DeviceId::from_bytes(input.bytes("device").try_into().expect("16 bytes")),
        slot: input.id::<SlotId>("slot"),
        device_key: input.id("device_key"),
        name: ProfileName::new(input.text("name")).expect("a name"),
    };
    let drawn = [input.bytes("grant_key_seed"), input.bytes("new_nonce")].concat();
    LinkingJoin::new(code, terms, &mut Given::new(&[&drawn, box_nonce]))
}

fn grant(input: Input<'_>) -> LinkGrant {
    let seed = |name| -> [u8; 32] { input.bytes(name).try_into().expect("32 bytes") };
    let credential = UnverifiedCredential::parse(&input.bytes("credential"))
        .and_then(UnverifiedCredential::verify)
        .expect("a device gives no credential that it did not verify");
    let own_group = OwnGroup::decode(&input.bytes("own_group"), &credential.identity())
        .expect("a device gives no list that it did not verify");
    LinkGrant {
        credential,
        relay: input.text("relay").parse().expect("an address"),
        inbox: input.id("inbox"),
        device_list: DeviceListRank {
            manager_counter: ManagerCounter(input.integer("list_manager_counter")),
            version: DeviceListVersion(input.integer("list_version")),
        },
        name: ProfileName::new(input.text("name")).expect("a name"),
        secrets: GrantedSecrets {
            inbox_owner: InboxOwnerKey::from_bytes(&seed("inbox_owner")),
            inbox_key: InboxKey::from_bytes(seed("inbox_key")),
            shelf_key: ShelfKey::from_bytes(seed("shelf_key")),
            manager: input.has("manager").then(|| ManagerKey::from_bytes(&seed("manager"))),
        },
        own_group,
    }
}

fn describe_grant(grant: &LinkGrant) -> Value {
    let mut value = json!({
        "credential": hex::encode(grant.credential.to_bytes()),
        "relay": grant.relay.to_string(),
        "inbox": hex::encode(grant.inbox),
        "list_manager_counter": grant.device_list.manager_counter.0.to_string(),
        "list_version": grant.device_list.version.0.to_string(),
        "name": grant.name.as_str(),
        "inbox_owner": hex::encode(*grant.secrets.inbox_owner.to_secret_bytes()),
        "inbox_key": hex::encode(grant.secrets.inbox_key.expose()),
        "shelf_key": hex::encode(grant.secrets.shelf_key.expose()),
        "own_group": hex::encode(&grant.own_group.to_bytes()[..]),
    });
    if let Some(manager) = &grant.secrets.manager {
        value["manager"] = hex::encode(*manager.to_secret_bytes()).into();
    }
    value
}

/// The digits without the space that a person is shown in their middle.
fn digits(code: ComparisonCode) -> String {
    code.to_string().replace(' ', "")
}

fn describe_code(code: &LinkingCode) -> Value {
    json!({
        "relay": code.relay().to_string(),
        "toward_old": place(&code.toward_old()),
        "toward_new": place(&code.toward_new()),
    })
}

fn place(place: &Rendezvous) -> Value {
    json!({
        "inbox": hex::encode(place.inbox),
        "owner_key": hex::encode(place.owner.public()),
        "capability_id": hex::encode(capability_id(&place.capability)),
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .note("Step", "A box of another step or of the other direction.")
        .note("Exchange", "Sealed for another exchange than this one.")
        .group(codes())
        .group(steps())
        .group(refusals::requests())
        .group(refusals::reveals())
        .group(refusals::grants())
        .group(refusals::given())
}

fn codes() -> Group {
    let input = |code: &str| json!({ "operation": "code", "code": code });
    let whole = bytes::code();
    let outputs = json!({
        "relay": bytes::relay(),
        "toward_old": bytes::place(1),
        "toward_new": bytes::place(2),
    });
    let of = |first: u8, body: usize| bytes::link(first, &vec![0x56; body]);
    Group::new("codes", &["LNK-050", "LNK-051", "LNK-011"])
        .valid("a code", input(&whole), outputs)
        .test("a contact link", &[], input(&of(0x11, 80)), refused("OTHER_KIND"))
        .test("version 2", &[], input(&of(0x23, 64)), refused("UNKNOWN_VERSION"))
        .test("cut off", &[], input(&whole[..whole.len() - 4]), refused("DAMAGED"))
        .test("no whole body", &[], input(&of(0x13, 30)), refused("TRUNCATED"))
}

fn steps() -> Group {
    let rules = ["LNK-050", "LNK-052", "LNK-053", "LNK-054", "LNK-055", "LNK-057", "IDN-053"];
    let (request, reveal) = (bytes::request(), bytes::reveal());
    let whole = bytes::grant_fields(true);
    let without_manager = bytes::grant_fields(false);
    let group = Group::new("each step of a whole exchange", &rules)
        .valid("1: the code", bytes::old("offer"), json!({ "code": bytes::code() }))
        .valid(
            "2: the request",
            with(bytes::new("request"), "box_nonce", &bytes::BOX_NONCE),
            json!({ "request": hex::encode(&request) }),
        )
        .valid(
            "3: the reveal",
            with(with(bytes::old("answer"), "request", &request), "box_nonce", &bytes::BOX_NONCE),
            json!({ "reveal": hex::encode(&reveal), "digits": bytes::digits() }),
        )
        .valid(
            "4: the comparison",
            with(bytes::new("compare"), "reveal", &reveal),
            json!({ "digits": bytes::digits() }),
        );
    [("with the manager key", whole), ("without the manager key", without_manager)]
        .into_iter()
        .fold(group, |group, (comment, grant)| {
            let sealed = bytes::grant(&bytes::grant_bytes(&grant));
            group
                .valid(
                    &format!("5: the grant, {comment}"),
                    bytes::granting(&grant),
                    json!({ "grant": hex::encode(&sealed) }),
                )
                .valid(
                    &format!("6: the grant opened, {comment}"),
                    bytes::opening(&sealed),
                    json!({ "link_grant": grant }),
                )
        })
}

/// An input with one more field of bytes.
fn with(mut input: Value, field: &str, bytes: &[u8]) -> Value {
    input[field] = hex::encode(bytes).into();
    input
}
