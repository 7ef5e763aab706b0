//! What inbox items say, and cards as they stand in control entries: the bytes inside, unsealed.

mod bytes;
mod refusals;

pub(super) use self::bytes::card;
use hushwire_protocol::identity::Fingerprint;
use hushwire_protocol::invitation::{
    ContactCard, InboxContent, Invitation, Purpose, SnapshotPlace,
};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::refused,
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "inbox-content";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    match input.text("operation") {
        "item" => {
            let bytes = input.bytes("content");
            match InboxContent::decode(&bytes) {
                Err(error) => refused(error.name()),
                Ok(content) => {
                    assert_eq!(content.to_bytes()[..], bytes, "there is one encoding");
                    item(input, &content)
                }
            }
        }
        "contact-card" => {
            let bytes = input.bytes("card");
            match ContactCard::decode(&bytes) {
                Err(error) => refused(error.name()),
                Ok(card) => {
                    assert_eq!(card.to_bytes()[..], bytes, "there is one encoding");
                    of_sender(input, &card, describe_card(&card))
                }
            }
        }
        other => panic!("{other} is no operation"),
    }
}

fn item(input: Input<'_>, content: &InboxContent) -> Outcome {
    match content {
        InboxContent::Invitation(invitation) => {
            let outputs = json!({ "invitation": describe(invitation) });
            of_sender(input, &invitation.sender, outputs)
        }
        InboxContent::ContactCardUpdate(card) => {
            of_sender(input, card, json!({ "contact_card": describe_card(card) }))
        }
        InboxContent::JoinRequest(request) => {
            let card = describe_card(&request.card);
            let proof = hex::encode(request.proof.expose());
            let outputs = json!({ "join_request": { "proof": proof, "card": card } });
            of_sender(input, &request.card, outputs)
        }
        InboxContent::JoinDecline(decline) => {
            Outcome::valid(json!({ "join_decline": { "channel": hex::encode(decline.channel) } }))
        }
        InboxContent::RejoinRequest(request) => {
            let terms = request.terms();
            let outputs = json!({ "rejoin_request": {
                "channel": hex::encode(terms.channel),
                "epoch": hex::encode(terms.epoch),
                "asked_at_ms": terms.asked_at.0.to_string(),
                "key_package": hex::encode(request.key_package()),
                "sender": describe_card(request.sender()),
            } });
            of_sender(input, request.sender(), outputs)
        }
    }
}

/// Accepted if the card is that of who brings it.
fn of_sender(input: Input<'_>, card: &ContactCard, outputs: Value) -> Outcome {
    let sender = input.bytes("sender").try_into().expect("32 bytes");
    if card.is_of(&Fingerprint::from_bytes(sender)) {
        Outcome::valid(outputs)
    } else {
        refused("CARD_OF_ANOTHER")
    }
}

fn describe(invitation: &Invitation) -> Value {
    let snapshot = match &invitation.snapshot {
        SnapshotPlace::Inline(snapshot) => json!({
            "group_info": hex::encode(&snapshot.group_info),
            "tree": hex::encode(&snapshot.tree),
        }),
        SnapshotPlace::Blob(at) => json!({
            "blob": hex::encode(at.blob),
            "key": hex::encode(at.seal.key.expose()),
            "length": at.seal.length.bytes().to_string(),
            "hash": hex::encode(at.seal.hash),
        }),
    };
    json!({
        "relay": invitation.group.relay.to_string(),
        "channel": hex::encode(invitation.group.channel),
        "epoch": hex::encode(invitation.group.epoch),
        "suite": invitation.suite.0.to_string(),
        "purpose": match invitation.purpose {
            Purpose::Direct => "1",
            Purpose::Group => "2",
            Purpose::OwnDevices => "3",
        },
        "secrets": hex::encode(&invitation.secrets),
        "snapshot": snapshot,
        "sender": describe_card(&invitation.sender),
    })
}

fn describe_card(card: &ContactCard) -> Value {
    json!({
        "relay": card.relay.to_string(),
        "inbox": hex::encode(card.inbox),
        "capability": hex::encode(card.capability.expose()),
        "fingerprint": hex::encode(card.identity()),
        "manager_key": hex::encode(card.statement.manager_key()),
        "manager_counter": card.statement.counter().0.to_string(),
        "inbox_key": hex::encode(card.inbox_key.as_ref()),
        "shelf_key": hex::encode(card.shelf_key.expose()),
        "minimum_manager_counter": card.device_list_minimum.manager_counter.0.to_string(),
        "minimum_list_version": card.device_list_minimum.version.0.to_string(),
        "name": card.name.as_str(),
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(bytes::cards())
        .group(bytes::items())
        .group(refusals::cards())
        .group(refusals::items())
        .group(refusals::invitations())
        .group(refusals::senders())
}

fn card_input(card: &[u8]) -> Value {
    json!({
        "operation": "contact-card",
        "card": hex::encode(card),
        "sender": hex::encode(bytes::sender()),
    })
}

fn item_input(content: &[u8]) -> Value {
    json!({
        "operation": "item",
        "content": hex::encode(content),
        "sender": hex::encode(bytes::sender()),
    })
}

fn refuse(group: Group, comment: &str, input: Value, name: &str) -> Group {
    group.test(comment, &[], input, refused(name))
}
