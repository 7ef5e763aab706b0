//! Messages that have to be refused.

use serde_json::json;

use super::{ROOM, SALT, SENDER, TARGET, input, text};
use crate::suite::{Group, Phase};

/// A part of a type that nobody knows.
const PART: &str = "85 01 60 01 6161 4161";

fn group(comment: &str, rules: &[&str], tests: Vec<(&str, String, &str)>) -> Group {
    tests.into_iter().fold(Group::new(comment, rules), |group, (comment, message, code)| {
        group.invalid(comment, input(&message), Phase::Decode, code)
    })
}

fn with_body(body: &str) -> String {
    format!("87{SALT} f6 40 f6 f6 a0 {body}")
}

fn with_extensions(extensions: &str) -> String {
    format!("87{SALT} f6 40 f6 f6 {extensions} {PART}")
}

pub(super) fn encoding() -> Group {
    let rules = ["CNT-001", "CNT-002", "CNT-003", "CNT-004", "CNT-008", "CNT-009"];
    let long = format!("85 01 60 01 6161 59f000 {}", "00".repeat(61_440));
    group(
        "encodings",
        &rules,
        vec![
            ("nothing", String::new(), "TRUNCATED"),
            ("too long", with_body(&long), "TOO_LONG"),
            ("trailing byte", with_body(PART) + "00", "TRAILING_BYTES"),
            ("cut", with_body("85 01 60 01 6161 41"), "TRUNCATED"),
            ("long head", format!("9807{}", &with_body(PART)[2..]), "NOT_SHORTEST"),
            ("long integer", with_body("85 1801 60 01 6161 4161"), "NOT_SHORTEST"),
            ("long string length", with_body("85 01 60 01 6161 580161"), "NOT_SHORTEST"),
            ("indefinite message", "9f".to_owned(), "INDEFINITE_LENGTH"),
            ("indefinite bytes", with_body("85 01 60 01 6161 5f4161ff"), "INDEFINITE_LENGTH"),
            ("indefinite text", with_body("85 01 7f60ff 01 6161 4161"), "INDEFINITE_LENGTH"),
            (
                "declared bytes that are not there",
                with_body("85 01 60 01 6161 5b7fffffffffffffff"),
                "TRUNCATED",
            ),
            ("text that is not UTF-8", with_body("85 01 61ff 01 6161 4161"), "NOT_UTF8"),
            ("wide float", with_extensions("a1 03 fa3f800000"), "NOT_SHORTEST"),
            ("wider float", with_extensions("a1 03 fb3ff0000000000000"), "NOT_SHORTEST"),
            ("other NaN", with_extensions("a1 03 f97e01"), "NOT_SHORTEST"),
            ("small big integer", with_extensions("a1 03 c24101"), "NOT_SHORTEST"),
            ("reserved head", with_extensions("a1 03 1c"), "MALFORMED"),
            ("simple value below 32 in two bytes", with_extensions("a1 03 f814"), "MALFORMED"),
        ],
    )
}

pub(super) fn message() -> Group {
    let fields = |fields: &str| format!("87{fields} {PART}");
    let unknown_hash = format!("582002{}", &TARGET[2..]);
    let short = format!("581f{}", &TARGET[2..]);
    let long_topic = format!("591001 {}", "00".repeat(4_097));
    group(
        "fields of a message",
        &["CNT-010", "CNT-011", "CNT-013", "CNT-020"],
        vec![
            ("map", "a0".to_owned(), "UNEXPECTED_TYPE"),
            ("six fields", format!("86{SALT} f6 40 f6 f6 a0"), "UNEXPECTED_TYPE"),
            (
                "salt of 15 bytes",
                fields("4f000102030405060708090a0b0c0d0e f6 40 f6 f6 a0"),
                "WRONG_LENGTH",
            ),
            (
                "salt of 17 bytes",
                fields("5100010203040506070809 0a0b0c0d0e0f10 f6 40 f6 f6 a0"),
                "ABOVE_BOUND",
            ),
            (
                "replaces with an unknown hash",
                fields(&format!("{SALT} {unknown_hash} 40 f6 f6 a0")),
                "UNKNOWN_HASH",
            ),
            (
                "replaces of 31 bytes",
                fields(&format!("{SALT} {short} 40 f6 f6 a0")),
                "WRONG_LENGTH",
            ),
            ("replaces undefined", fields(&format!("{SALT} f7 40 f6 f6 a0")), "UNEXPECTED_TYPE"),
            (
                "reply with an unknown hash",
                fields(&format!("{SALT} f6 40 f6 {unknown_hash} a0")),
                "UNKNOWN_HASH",
            ),
            ("topic of text", fields(&format!("{SALT} f6 60 f6 f6 a0")), "UNEXPECTED_TYPE"),
            ("long topic", fields(&format!("{SALT} f6 {long_topic} f6 f6 a0")), "ABOVE_BOUND"),
            ("expiry of one field", fields(&format!("{SALT} f6 40 81f5 f6 a0")), "UNEXPECTED_TYPE"),
            (
                "expiry with a number for relative",
                fields(&format!("{SALT} f6 40 820101 f6 a0")),
                "UNEXPECTED_TYPE",
            ),
            (
                "expiry of 33 bits",
                fields(&format!("{SALT} f6 40 82f51b0000000100000000 f6 a0")),
                "ABOVE_BOUND",
            ),
            ("extensions in a list", fields(&format!("{SALT} f6 40 f6 f6 80")), "UNEXPECTED_TYPE"),
        ],
    )
}

pub(super) fn extensions() -> Group {
    let long_name = format!("a1 790100 {} 00", "61".repeat(256));
    let rules = ["CNT-005", "CNT-006", "CNT-007", "CNT-016", "CNT-020", "CNT-044"];
    let mention = |value: &str| {
        with_extensions(&format!("a1 74{} {value}", hex::encode("hushwire.mention-all")))
    };
    group(
        "extensions",
        &rules,
        vec![
            ("unsorted", with_extensions("a2 04 00 03 00"), "KEY_ORDER"),
            ("in the order of RFC 7049", with_extensions("a2 6161 00 190100 00"), "KEY_ORDER"),
            ("twice", with_extensions("a2 03 00 03 00"), "KEY_ORDER"),
            ("key of 54 bits", with_extensions("a1 1b0020000000000000 00"), "KEY_TYPE"),
            ("boolean key", with_extensions("a1 f5 00"), "KEY_TYPE"),
            ("nested key in a list", with_extensions("a1 03 a1 8000"), "KEY_TYPE"),
            ("nested keys unsorted", with_extensions("a1 03 a2 0200 0100"), "KEY_ORDER"),
            ("key of bytes", with_extensions("a1 4101 00"), "BAD_EXTENSION"),
            ("empty name", with_extensions("a1 60 00"), "BAD_EXTENSION"),
            ("long name", with_extensions(&long_name), "ABOVE_BOUND"),
            ("sender that is no text", with_extensions("a1 01 00"), "BAD_EXTENSION"),
            ("room that is no text", with_extensions("a1 02 4101"), "BAD_EXTENSION"),
            ("everybody mentioned by no", mention("f4"), "BAD_EXTENSION"),
            ("everybody mentioned by a number", mention("01"), "BAD_EXTENSION"),
            ("five levels", with_extensions("a1 03 81 81 81 80"), "TOO_DEEP"),
            ("five levels of tags", with_extensions("a1 03 c1c1c1c100"), "TOO_DEEP"),
            ("65 declared", with_extensions("b841"), "ABOVE_BOUND"),
        ],
    )
}

pub(super) fn body() -> Group {
    let known = |media_type: &str, content: &str| {
        with_body(&format!("85 01 60 01 {} {content}", text(media_type)))
    };
    let multi = |semantics: u8, parts: &[&str]| {
        format!("85 01 60 03 0{semantics} 8{} {}", parts.len(), parts.concat())
    };
    let three = multi(2, &[&multi(2, &[&multi(2, &[PART, PART]), PART]), PART]);
    let many = format!("85 01 60 03 02 990400 {}", "83006000".repeat(1_024));
    let foreign_url = format!(
        "8f 06 60 02 60 {} 00 00 19f4a1 5820{} 40 40 01 5820{} 60 60",
        text("https://example.com/"),
        "02".repeat(32),
        "03".repeat(32)
    );
    let rules = ["CNT-017", "CNT-019", "CNT-020", "CNT-022", "CNT-030", "CNT-040", "ATT-011"];
    group(
        "bodies",
        &rules,
        vec![
            ("two fields", with_body("820160"), "BAD_PART"),
            ("null part with more", with_body("84016000f6"), "BAD_PART"),
            ("single part with less", with_body("840160016161"), "BAD_PART"),
            ("external part with less", with_body("85016002616161"), "BAD_PART"),
            ("cardinality 4", with_body("83016004"), "UNKNOWN_CARDINALITY"),
            ("semantics 3", with_body(&multi(3, &[PART, PART])), "UNKNOWN_SEMANTICS"),
            ("one part", with_body(&multi(2, &[PART])), "TOO_FEW_PARTS"),
            ("no part", with_body(&multi(2, &[])), "TOO_FEW_PARTS"),
            ("five levels", with_body(&multi(2, &[&three, PART])), "TOO_DEEP"),
            ("1,025 parts", with_body(&many), "TOO_MANY_PARTS"),
            ("disposition 256", with_body("85 190100 60 01 6161 4161"), "ABOVE_BOUND"),
            ("nothing that replaces nothing", with_body("83006000"), "EMPTY_BODY"),
            ("media type with a line feed", with_body("85 01 60 01 610a 4161"), "BAD_MEDIA_TYPE"),
            ("text that is not UTF-8", known("text/plain;charset=utf-8", "41ff"), "TEXT_NOT_UTF8"),
            (
                "Markdown that is not UTF-8",
                known("text/markdown;variant=GFM-MIMI", "41ff"),
                "TEXT_NOT_UTF8",
            ),
            (
                "empty receipts",
                known("application/mimi-message-status", "4180"),
                "BAD_STATUS_REPORT",
            ),
            ("empty control", known("application/vnd.hushwire.control", "4180"), "BAD_CONTROL"),
            (
                "attachment without a key",
                with_body("8f 06 60 02 60 60 00 00 19f4a1 40 40 40 00 40 60 60"),
                "BAD_FIELD",
            ),
            ("attachment elsewhere", with_body(&foreign_url), "BAD_FIELD"),
        ],
    )
}

pub(super) fn address() -> Group {
    let message = format!("87{SALT} f6 40 f6 f6 a2 01 6161 02 6162 {PART}").replace(' ', "");
    let from =
        |sender: &str, room: &str| json!({ "message": message, "sender": sender, "room": room });
    let wrong = "WRONG_ADDRESS";
    Group::new("a sender and room in the message", &["CNT-015"])
        .invalid("another sender", from(SENDER, "b"), Phase::Authenticate, wrong)
        .invalid("another room", from("a", ROOM), Phase::Authenticate, wrong)
}
