//! Messages that expire, read at a time.

use serde_json::{Value, json};

use super::{SALT, entry, input, text};
use crate::suite::{Group, Phase};

/// By the clock of who reads, in milliseconds.
const NOW_MS: u64 = 1_700_000_000_000;

/// What stands in the field, in CBOR; and the id that the message has, computed by another program, or
/// none where it is refused.
const CASES: [(&str, &str, Option<&str>); 8] = [
    (
        "366 days after reading",
        "f5 1a01e28500",
        Some("0143a531b1c894ea8325465ed2ba815394732bf0e64604129f1faba5e3e268dc"),
    ),
    ("a second more", "f5 1a01e28501", None),
    (
        "in 366 days",
        "f4 1a67367600",
        Some("01a017f8de9f0b0670674442611af7890f3582e3c652a308ea4154c9496b9899"),
    ),
    ("a second later", "f4 1a67367601", None),
    (
        "now",
        "f4 1a6553f100",
        Some("01f15a8978924287516e401fd85773f61c996dd4301e3a3b6a3d09fce64d687b"),
    ),
    (
        "366 days ago",
        "f4 1a63716c00",
        Some("01cb59117e0e1294762fcc82cf078a11dd5c610cc1272f2f1a08a9b4697e708d"),
    ),
    ("a second before that", "f4 1a63716bff", None),
    ("in 1970", "f4 00", None),
];

pub(super) fn expiries() -> Group {
    let plain = text("text/plain;charset=utf-8");
    CASES.into_iter().fold(Group::new("expiries", &["CNT-023"]), |group, (comment, expiry, id)| {
        let message = format!("87{SALT} f6 40 82 {expiry} f6 a0 85016001 {plain} 424869");
        let mut given: Value = input(&message);
        given["now_ms"] = json!(NOW_MS.to_string());
        match id {
            None => group.invalid(comment, given, Phase::Decode, "EXPIRY_TOO_FAR"),
            Some(id) => {
                let shown = [entry(0, 1, "text")];
                let outputs = json!({ "id": id, "action": "post", "target": null, "shown": shown });
                group.valid(comment, given, outputs)
            }
        }
    })
}
