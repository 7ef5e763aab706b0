//! Receipts: the content of a part of type `application/mimi-message-status`.

use hushwire_protocol::content::{ContentError, StatusReport};
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "message-status";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let bytes = Input(input).bytes("report");
    let report = match StatusReport::decode(&bytes) {
        Ok(report) => report,
        Err(error) => return refused(error),
    };
    assert_eq!(report.encode(), bytes, "a report has one encoding");
    let statuses: Vec<_> = report
        .statuses()
        .iter()
        .map(|entry| json!({ "message": hex::encode(entry.message.as_bytes()), "status": entry.status.0 }))
        .collect();
    Outcome::valid(json!({ "statuses": statuses }))
}

fn refused(error: ContentError) -> Outcome {
    Outcome::refused(Phase::Decode, error.name())
}

fn input(report: &str) -> Value {
    json!({ "report": report.replace(' ', "") })
}

fn id(byte: u8) -> String {
    format!("01{}", hex::encode([byte; 31]))
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(taken()).group(refusals())
}

fn taken() -> Group {
    let entry = |byte, status: u8| json!({ "message": id(byte), "status": status });
    let (a, b) = (id(1), id(2));
    Group::new("reports", &["CNT-030", "CNT-031"])
        .valid("one", input(&format!("81 82 5820{a} 02")), json!({ "statuses": [entry(1, 2)] }))
        .valid(
            "two, in the sender's order",
            input(&format!("82 82 5820{b} 01 82 5820{a} 02")),
            json!({ "statuses": [entry(2, 1), entry(1, 2)] }),
        )
        .valid(
            "unknown status",
            input(&format!("81 82 5820{a} 18ff")),
            json!({ "statuses": [entry(1, 255)] }),
        )
}

fn refusals() -> Group {
    let a = id(1);
    let mut group = Group::new("refused reports", &["CNT-002", "CNT-003", "CNT-013", "CNT-030"]);
    for (comment, report, code) in [
        ("no entry", "80".to_owned(), "BAD_STATUS_REPORT"),
        ("a message twice", format!("82 82 5820{a} 01 82 5820{a} 02"), "BAD_STATUS_REPORT"),
        ("status above 255", format!("81 82 5820{a} 190100"), "ABOVE_BOUND"),
        ("negative status", format!("81 82 5820{a} 20"), "UNEXPECTED_TYPE"),
        ("long status", format!("81 82 5820{a} 1801"), "NOT_SHORTEST"),
        ("three fields", format!("81 83 5820{a} 01 01"), "UNEXPECTED_TYPE"),
        ("trailing byte", format!("81 82 5820{a} 01 00"), "TRAILING_BYTES"),
        ("fewer entries than declared", format!("82 82 5820{a} 01"), "TRUNCATED"),
        ("indefinite length", format!("9f 82 5820{a} 01 ff"), "INDEFINITE_LENGTH"),
        ("unknown hash", format!("81 82 582002{} 01", &a[2..]), "UNKNOWN_HASH"),
        ("short id", format!("81 82 581f{} 01", &a[2..]), "WRONG_LENGTH"),
        ("1,025 entries declared", "990401".to_owned(), "ABOVE_BOUND"),
        ("nothing", String::new(), "TRUNCATED"),
    ] {
        group = group.invalid(comment, input(&report), Phase::Decode, code);
    }
    group
}
