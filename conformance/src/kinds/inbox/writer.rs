//! Scripts of those who write to an inbox.

use hushwire_wire::error::Code;
use serde_json::{Value, json};

use super::desk::{
    INBOX, Sent, advance_fields, capability, done, inbox, put, read, send, send_fields, slot,
};
use crate::suite::Group;

pub(super) fn sends() -> Group {
    let rules = ["INB-003", "INB-006", "INB-007", "INB-022", "INB-023"];
    let mut group = Group::new("items", &rules);
    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    send(&mut s, 1, "one", Sent::First);
    send(&mut s, 1, "two", Sent::First);
    send(&mut s, 1, "one", Sent::Again);
    read(&mut s, 0, &[(0, "one"), (1, "two")]);
    s.step("a", "inbox_advance", advance_fields(1, 2), done());
    send(&mut s, 1, "two", Sent::Again);
    group = s.into_test(group, "each once, also when it was deleted");

    let mut s = inbox(json!({ "item_retention_ms": "5000" }));
    put(&mut s, 1, 0, 0);
    send(&mut s, 1, "one", Sent::First);
    s.wait_ms(5_000);
    read(&mut s, 0, &[]);
    send(&mut s, 1, "one", Sent::First);
    group = s.into_test(group, "forgotten after their time");

    let mut s = inbox(json!({ "inbox_item_bytes_max": "4" }));
    put(&mut s, 1, 0, 0);
    send(&mut s, 1, "four", Sent::First);
    s.refused("a", "inbox_send", send_fields(1, "fives"), Code::TooLarge);
    s.into_test(group, "longer than the bound")
}

pub(super) fn quotas() -> Group {
    let mut group =
        Group::new("quotas", &["INB-005", "INB-007", "INB-008", "INB-009", "INB-025", "INB-026"]);
    let mut s = inbox(json!({}));
    put(&mut s, 1, 1, 0);
    send(&mut s, 1, "one", Sent::First);
    send(&mut s, 1, "one", Sent::Again);
    s.refused("a", "inbox_send", send_fields(1, "two"), Code::CapabilitySpent);
    group = s.into_test(group, "of a capability, a repeat is not counted");

    let mut s = inbox(json!({}));
    put(&mut s, 1, 1, 0);
    send(&mut s, 1, "one", Sent::First);
    put(&mut s, 1, 1, 0);
    s.refused("a", "inbox_send", send_fields(1, "two"), Code::CapabilitySpent);
    group = s.into_test(group, "of a capability that was replaced");

    let mut s = inbox(json!({ "inbox_items_max": "1" }));
    put(&mut s, 1, 0, 0);
    send(&mut s, 1, "one", Sent::First);
    send(&mut s, 1, "one", Sent::Again);
    s.refused("a", "inbox_send", send_fields(1, "two"), Code::InboxFull);
    s.step("a", "inbox_advance", advance_fields(1, 1), done());
    send(&mut s, 1, "two", Sent::First);
    group = s.into_test(group, "of an inbox, until items go");

    let mut s = inbox(json!({ "inbox_items_max": "1" }));
    put(&mut s, 1, 0, 0);
    send(&mut s, 1, "one", Sent::First);
    s.refused("a", "inbox_send", send_fields(1, "two"), Code::InboxFull);
    group = s.into_test(group, "of an inbox");

    let mut s = inbox(json!({ "capability_items_max": "2" }));
    put(&mut s, 1, 0, 0);
    put(&mut s, 2, 0, 0);
    send(&mut s, 1, "one", Sent::First);
    send(&mut s, 2, "of another", Sent::First);
    send(&mut s, 1, "two", Sent::First);
    s.refused("a", "inbox_send", send_fields(1, "three"), Code::InboxFull);
    send(&mut s, 2, "of another, again", Sent::First);
    s.step("a", "inbox_advance", advance_fields(1, 1), done());
    send(&mut s, 1, "three", Sent::First);
    s.refused("a", "inbox_send", send_fields(1, "four"), Code::InboxFull);
    s.into_test(group, "of items of one capability that wait")
}

pub(super) fn denials() -> Group {
    let mut group = Group::new("what no capability opens", &["INB-004", "INB-005"]);
    let mut s = inbox(json!({}));
    s.refused("a", "inbox_send", send_fields(1, "one"), Code::Denied);
    group = s.into_test(group, "an unknown capability");

    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    let mut fields = send_fields(1, "one");
    fields["inbox"] = hex::encode([9; 16]).into();
    s.refused("a", "inbox_send", fields, Code::Denied);
    group = s.into_test(group, "an unknown inbox");

    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    send(&mut s, 1, "one", Sent::First);
    let fields = json!({ "handle": "slot 1", "capability": hex::encode(capability(1)) });
    s.step("a", "capability_revoke", fields, done());
    s.refused("a", "inbox_send", send_fields(1, "one"), Code::Denied);
    group = s.into_test(group, "a revoked one, for a repeated item too");

    let mut s = inbox(json!({}));
    let expires_at_ms = s.now_ms() + 1_000;
    put(&mut s, 1, 0, expires_at_ms);
    s.wait_ms(999);
    send(&mut s, 1, "one", Sent::First);
    s.wait_ms(1);
    s.refused("a", "inbox_send", send_fields(1, "two"), Code::Denied);
    s.into_test(group, "an expired one")
}

fn secret_fields(number: u8) -> Value {
    json!({ "inbox": hex::encode(INBOX), "secret": hex::encode([number; 32]) })
}

fn take_fields(number: u8) -> Value {
    let mut fields = secret_fields(number);
    fields["slot"] = hex::encode(slot(1)).into();
    fields
}

fn shelf_fields(package: &str, last_resort: bool, clear: bool) -> Value {
    json!({
        "handle": "slot 1",
        "package": hex::encode(package),
        "last_resort": last_resort,
        "clear": clear,
    })
}

fn state(packages: u64, last_resort: bool) -> Value {
    json!({ "shelf_state": { "packages": packages.to_string(), "last_resort": last_resort } })
}

fn package(package: &str, last_resort: bool) -> Value {
    json!({ "key_package": { "package": hex::encode(package), "last_resort": last_resort } })
}

pub(super) fn shelves() -> Group {
    let rules = ["INB-018", "INB-019", "INB-020", "INB-021", "INB-024"];
    let mut group = Group::new("cards and shelves", &rules);
    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    let card = |list: &str| json!({ "card": { "card": hex::encode("card"), "device_list": hex::encode(list) } });
    s.step("a", "card_fetch", secret_fields(1), card(""));
    for list in ["phone", "phone and laptop"] {
        let fields = json!({ "handle": "slot 1", "device_list": hex::encode(list) });
        s.step("a", "device_list_put", fields, done());
        s.step("a", "card_fetch", secret_fields(1), card(list));
    }
    group = s.into_test(group, "a card with the device list");

    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    s.step("a", "shelf_put", shelf_fields("a", false, false), state(1, false));
    s.step("a", "shelf_put", shelf_fields("z", true, false), state(1, true));
    s.step("a", "shelf_put", shelf_fields("b", false, false), state(2, true));
    for (name, last_resort) in [("a", false), ("b", false), ("z", true), ("z", true)] {
        s.step("a", "shelf_take", take_fields(1), package(name, last_resort));
    }
    group = s.into_test(group, "packages in their order, then the last resort");

    let mut s = inbox(json!({ "shelf_takes_max": "1", "shelf_takes_window_ms": "1000" }));
    put(&mut s, 1, 0, 0);
    put(&mut s, 2, 0, 0);
    for (at, name) in (1..).zip(["a", "b", "c"]) {
        s.step("a", "shelf_put", shelf_fields(name, false, false), state(at, false));
    }
    s.step("a", "shelf_take", take_fields(1), package("a", false));
    s.wait_ms(300);
    let wait = json!({ "error": "SHELF_EMPTY", "retry_after_ms": "700" });
    s.step("a", "shelf_take", take_fields(1), wait);
    s.step("a", "shelf_take", take_fields(2), package("b", false));
    s.step("a", "shelf_put", shelf_fields("z", true, false), state(1, true));
    s.step("a", "shelf_take", take_fields(1), package("z", true));
    s.wait_ms(700);
    s.step("a", "shelf_take", take_fields(1), package("c", false));
    group = s.into_test(group, "packages up to the share of one capability");

    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    s.step("a", "shelf_put", shelf_fields("a", false, false), state(1, false));
    s.step("a", "shelf_put", shelf_fields("z", true, false), state(1, true));
    s.step("a", "shelf_put", shelf_fields("b", false, true), state(1, false));
    s.step("a", "shelf_take", take_fields(1), package("b", false));
    s.refused("a", "shelf_take", take_fields(1), Code::ShelfEmpty);
    group = s.into_test(group, "a put that clears drops the last resort too");

    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    s.refused("a", "shelf_take", take_fields(1), Code::ShelfEmpty);
    group = s.into_test(group, "an empty shelf");

    let mut s = inbox(json!({}));
    s.step("a", "shelf_put", shelf_fields("a", false, false), state(1, false));
    s.refused("a", "shelf_take", take_fields(1), Code::Denied);
    s.into_test(group, "a shelf without a capability")
}

pub(super) fn spent() -> Group {
    let mut group = Group::new("a capability that has written its bound", &["INB-007", "INB-008"]);
    let spent = || {
        let mut s = inbox(json!({}));
        put(&mut s, 1, 1, 0);
        s.step("a", "shelf_put", shelf_fields("a", false, false), state(1, false));
        send(&mut s, 1, "one", Sent::First);
        s
    };
    let mut s = spent();
    s.refused("a", "card_fetch", secret_fields(1), Code::CapabilitySpent);
    group = s.into_test(group, "shows no card");

    let mut s = spent();
    s.refused("a", "shelf_take", take_fields(1), Code::CapabilitySpent);
    group = s.into_test(group, "gives no key package");

    let mut s = spent();
    send(&mut s, 1, "one", Sent::Again);
    s.into_test(group, "repeats what it has written")
}
