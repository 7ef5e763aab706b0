//! The field names that scripts rely on. A change here breaks scripts: add, never rename.

use hushwire::{
    command::{ChatNumber, FailureReason, LinkNumber, MessageNumber, MessageState},
    event::{Event, Warning},
};
use serde_json::{Value, json};

use crate::fake::{Bench, Fate};

#[tokio::test]
async fn lists() {
    let bench = Bench::new();
    assert_eq!(
        bench.objects(&["contacts"]).await[0],
        json!({"type": "contact", "contact": 1, "name": "Bob", "fingerprint": "b0b0",
            "verification": "unverified", "chat": 1})
    );
    assert_eq!(
        bench.objects(&["chats"]).await[0],
        json!({"type": "chat", "chat": 1, "name": "Bob", "kind": "direct", "state": "open",
            "contact": 1, "unread": 0, "last": 0, "relay": "relay.example:4433#ab"})
    );
    assert_eq!(
        bench.objects(&["group", "members", "3"]).await[0],
        json!({"type": "member", "fingerprint": "aaaa1111", "name": "Alice", "role": "owner",
            "devices": 1, "whose": "mine", "asking": 0})
    );
    assert_eq!(
        bench.objects(&["device", "list"]).await[0],
        json!({"type": "device", "device": 1, "name": "laptop", "current": "yes"})
    );
}

#[tokio::test]
async fn status_and_safety_number() {
    let bench = Bench::new();
    assert_eq!(
        bench.objects(&["status"]).await,
        [json!({"type": "status", "name": "Alice", "fingerprint": "aaaa1111",
            "relay": "relay.example:4433#ab", "device": 1, "waiting": 0, "refreshing": 0,
            "relays": [{"address": "relay.example:4433#ab", "state": "current"}],
            "catching_up": []})]
    );
    let digits = ["12345"; 12].join(" ");
    assert_eq!(
        bench.objects(&["verify", "2"]).await,
        [json!({"type": "safety_number", "contact": 2, "name": "Carol",
            "digits": digits, "verification": "unverified"})]
    );
    let link = bench.objects(&["link"]).await;
    assert_eq!(
        link,
        [json!({"type": "link", "link": 1, "text": format!("hush:{}", "x".repeat(195)),
            "usage": "single", "state": "active"})]
    );
}

#[tokio::test]
async fn messages() {
    let bench = Bench::new();
    bench.world().receive(1, "Bob", "hi");
    assert_eq!(
        bench.objects(&["read", "1"]).await,
        [json!({"type": "message", "chat": 1, "message": 1, "sender": "other",
            "sender_name": "Bob", "sender_fingerprint": "b0b0", "body": "text", "text": "hi",
            "state": "received", "sent_at_ms": 1_795_254_060_000_u64})]
    );
    bench.world().state().messages[0].state = MessageState::Delivered { people: 1, of: 2 };
    let message = &bench.objects(&["read", "1"]).await[0];
    assert_eq!((&message["delivered_to"], &message["delivered_of"]), (&json!(1), &json!(2)));
    bench.world().state().messages[0].state = MessageState::Failed(FailureReason::NotAMember);
    let message = &bench.objects(&["read", "1"]).await[0];
    assert_eq!(
        (&message["state"], &message["failure"]),
        (&json!("failed"), &json!("not_a_member"))
    );
}

#[tokio::test]
async fn errors_are_objects_too() {
    let bench = Bench::new();
    bench.world().state().fate = Fate::Waits;
    assert_eq!(bench.run(&["send", "1", "hi", "--wait", "0", "--json"]).await, 4);
    let error: Value = serde_json::from_str(&bench.console.notes()).unwrap();
    assert_eq!(error["type"], "error");
    assert_eq!(error["code"], "still_waiting");
    assert_eq!(error["exit"], 4);
    assert!(error["error"].is_string() && error["advice"].is_string());
}

#[tokio::test]
async fn events() {
    let bench = Bench::new();
    let (chat, message) = (ChatNumber(1), MessageNumber(9));
    let at_ms = 1_795_254_060_000_u64;
    let cases = [
        (Event::ChatAdded(chat), json!({"event": "chat_added", "chat": 1})),
        (
            Event::MessageStateChanged { chat, message },
            json!({"event": "message_state_changed", "chat": 1, "message_number": 9}),
        ),
        (
            Event::MembersAdded { chat, members: vec!["b0b0".into()] },
            json!({"event": "members_added", "chat": 1, "members": ["b0b0"]}),
        ),
        (
            Event::ContactFailed { chat, reason: FailureReason::LinkNotValid },
            json!({"event": "contact_failed", "chat": 1, "failure": "link_not_valid"}),
        ),
        (Event::LinkChanged(LinkNumber(2)), json!({"event": "link_changed", "link": 2})),
        (Event::ThisDeviceRevoked, json!({"event": "this_device_revoked"})),
        (Event::OwnGroupFormedAnew, json!({"event": "own_group_formed_anew"})),
        (
            Event::Warning(Warning::EntryRejected { chat, code: "garbage".into() }),
            json!({"event": "warning", "warning": "entry_rejected", "chat": 1, "detail": "garbage"}),
        ),
        (
            Event::Warning(Warning::RelayKeyMismatch { relay: "r:1#a".into() }),
            json!({"event": "warning", "warning": "relay_key_mismatch", "relay": "r:1#a"}),
        ),
        (
            Event::Warning(Warning::ClockDiffers { relay: "r:1#a".into() }),
            json!({"event": "warning", "warning": "clock_differs", "relay": "r:1#a"}),
        ),
    ];
    for (event, _) in &cases {
        bench.world().happen(event.clone());
    }
    let stop = async {
        while bench.console.printed().lines().count() < cases.len() {
            tokio::task::yield_now().await;
        }
        bench.interrupt_soon().await;
    };
    assert_eq!(tokio::join!(bench.run(&["follow", "--from", "1"]), stop).0, 0);
    for ((number, line), (_, expected)) in (1..).zip(bench.console.take_printed()).zip(cases) {
        let mut expected = expected;
        expected["type"] = json!("event");
        expected["number"] = json!(number);
        expected["at_ms"] = json!(at_ms);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }
}
