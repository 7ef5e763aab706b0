//! Scripts of an inbox's owner and its devices.

use hushwire_wire::error::Code;
use serde_json::json;

use super::desk::{
    Sent, advance_fields, capability, create_fields, done, inbox, open_fields, opened, put, read,
    read_fields, rotate_fields, send, slot,
};
use crate::{relay::script::Script, suite::Group};

fn script() -> Script {
    Script::new(json!({}))
}

pub(super) fn creations() -> Group {
    let mut group = Group::new("creating and opening", &["INB-001", "INB-002", "INB-012"]);
    let mut s = inbox(json!({}));
    let fields = create_fields(&s, "a", 5, 5);
    s.step("a", "inbox_create", fields, done());
    s.restart();
    let fields = open_fields(&s, "a", 1, 5);
    s.step("a", "inbox_open", fields, opened(0, 0));
    group = s.into_test(group, "twice, and after a restart");

    let mut s = inbox(json!({}));
    let fields = create_fields(&s, "a", 6, 6);
    s.refused("a", "inbox_create", fields, Code::AlreadyExists);
    group = s.into_test(group, "created with another owner key");

    let mut s = script();
    let fields = create_fields(&s, "a", 5, 6);
    s.refused("a", "inbox_create", fields, Code::Denied);
    group = s.into_test(group, "created with another key's signature");

    let mut s = inbox(json!({}));
    let fields = open_fields(&s, "a", 1, 6);
    s.refused("a", "inbox_open", fields, Code::Denied);
    group = s.into_test(group, "opened with another key");

    let mut s = inbox(json!({}));
    s.connect("b");
    let fields = open_fields(&s, "b", 1, 5);
    s.refused("a", "inbox_open", fields, Code::Denied);
    group = s.into_test(group, "opened with a signature for another session");

    let mut s = inbox(json!({}));
    let mut fields = open_fields(&s, "a", 1, 5);
    fields["slot"] = hex::encode(slot(2)).into();
    s.refused("a", "inbox_open", fields, Code::Denied);
    group = s.into_test(group, "opened with a signature for another slot");

    let mut s = script();
    let fields = open_fields(&s, "a", 1, 5);
    s.refused("a", "inbox_open", fields, Code::Denied);
    group = s.into_test(group, "opened where there is none");

    let mut s = inbox(json!({ "slots_max": "1" }));
    let fields = open_fields(&s, "a", 2, 5);
    s.refused("a", "inbox_open", fields, Code::LimitExceeded);
    s.into_test(group, "opened for one slot too many")
}

pub(super) fn rotations() -> Group {
    let mut group = Group::new("changing the owner key", &["INB-010", "INB-011"]);
    let mut s = inbox(json!({}));
    let fields = rotate_fields(&s, "a", 6, 6);
    s.step("a", "inbox_rotate", fields, done());
    s.step("a", "inbox_advance", advance_fields(1, 0), done());
    let fields = open_fields(&s, "a", 2, 6);
    s.step("a", "inbox_open", fields, opened(0, 0));
    group = s.into_test(group, "the session that did it goes on");

    let mut s = inbox(json!({}));
    let fields = rotate_fields(&s, "a", 6, 5);
    s.refused("a", "inbox_rotate", fields, Code::Denied);
    group = s.into_test(group, "signed by the present key");

    let mut s = inbox(json!({}));
    s.connect("b");
    let fields = open_fields(&s, "b", 1, 5);
    s.step("b", "inbox_open", fields, opened(0, 0));
    let fields = rotate_fields(&s, "a", 6, 6);
    s.step("a", "inbox_rotate", fields, done());
    s.refused("b", "inbox_read", read_fields(0), Code::Denied);
    s.refused("b", "inbox_advance", advance_fields(1, 0), Code::Denied);
    group = s.into_test(group, "another session's handle is shut out");

    let mut s = inbox(json!({}));
    let fields = rotate_fields(&s, "a", 6, 6);
    s.step("a", "inbox_rotate", fields, done());
    let fields = open_fields(&s, "a", 1, 5);
    s.refused("a", "inbox_open", fields, Code::Denied);
    s.into_test(group, "the old key opens no more")
}

pub(super) fn slots() -> Group {
    let rules = ["INB-013", "INB-014", "INB-015", "INB-016", "INB-017"];
    let mut group = Group::new("slots and what they hold", &rules);
    let two_devices = || {
        let mut s = inbox(json!({ "slot_lapse_ms": "5000" }));
        put(&mut s, 1, 0, 0);
        let fields = open_fields(&s, "a", 2, 5);
        s.step("a", "inbox_open", fields, opened(0, 0));
        send(&mut s, 1, "one", Sent::First);
        send(&mut s, 1, "two", Sent::First);
        s
    };
    let mut s = two_devices();
    s.step("a", "inbox_advance", advance_fields(1, 2), done());
    read(&mut s, 0, &[(0, "one"), (1, "two")]);
    s.step("a", "inbox_advance", advance_fields(2, 1), done());
    read(&mut s, 0, &[(1, "two")]);
    // A cursor does not go back.
    s.step("a", "inbox_advance", advance_fields(1, 0), done());
    s.step("a", "inbox_advance", advance_fields(2, 2), done());
    read(&mut s, 0, &[]);
    group = s.into_test(group, "items go when both have passed");

    let mut s = two_devices();
    s.wait_ms(5_000);
    s.step("a", "inbox_advance", advance_fields(1, 1), done());
    let fields = open_fields(&s, "a", 2, 5);
    s.step("a", "inbox_open", fields, opened(1, 2));
    group = s.into_test(group, "a lapsed one holds nothing and comes back to what is left");

    let mut s = two_devices();
    s.step("a", "inbox_advance", advance_fields(1, 2), done());
    let fields = json!({ "handle": "slot 1", "slot": hex::encode(slot(2)) });
    s.step("a", "slot_drop", fields, done());
    read(&mut s, 0, &[]);
    s.refused("a", "inbox_advance", advance_fields(2, 2), Code::UnknownHandle);
    group = s.into_test(group, "a dropped one holds nothing and is gone");

    let mut s = two_devices();
    s.refused("a", "inbox_advance", advance_fields(1, 3), Code::BeyondEnd);
    group = s.into_test(group, "advanced beyond the end");

    let mut s = two_devices();
    s.refused("a", "inbox_read", read_fields(3), Code::BeyondEnd);
    s.into_test(group, "read beyond the end")
}

pub(super) fn absences() -> Group {
    let rules = ["INB-015", "INB-017", "INB-027"];
    let mut group = Group::new("what is not there, and what is over", &rules);
    let mut s = inbox(json!({}));
    let fields = json!({ "handle": "slot 1", "capability": hex::encode(capability(9)) });
    s.step("a", "capability_revoke", fields, done());
    group = s.into_test(group, "a capability that never was is revoked");

    let mut s = inbox(json!({}));
    let fields = json!({ "handle": "slot 1", "slot": hex::encode(slot(9)) });
    s.step("a", "slot_drop", fields, done());
    group = s.into_test(group, "a slot that never was is dropped");

    let mut s = inbox(json!({}));
    put(&mut s, 1, 0, 0);
    send(&mut s, 1, "one", Sent::First);
    s.step("a", "inbox_advance", advance_fields(1, 1), done());
    s.step("a", "inbox_advance", advance_fields(1, 0), done());
    let fields = open_fields(&s, "a", 1, 5);
    s.step("a", "inbox_open", fields, opened(1, 1));
    group = s.into_test(group, "a cursor does not go back");

    for (operation, mut fields) in [
        ("inbox_advance", json!({ "cursor": "0" })),
        ("shelf_status", json!({})),
        ("shelf_put", json!({ "package": "aa", "last_resort": false, "clear": false })),
    ] {
        let mut s = inbox(json!({}));
        let drop = json!({ "handle": "slot 1", "slot": hex::encode(slot(1)) });
        s.step("a", "slot_drop", drop, done());
        fields["handle"] = "slot 1".into();
        s.refused("a", operation, fields, Code::UnknownHandle);
        group = s.into_test(group, &format!("{operation} by the handle of a dropped slot"));
    }
    group
}
