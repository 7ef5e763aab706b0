//! Who may say what: content of messages, judged against the group of its epoch.

use hushwire_protocol::{
    content::Content,
    group::{GroupState, judge_content},
    identity::Fingerprint,
};
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::envelope::rejected,
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "message-policy";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let state = GroupState::from_agreed(&input.bytes("state")).expect("agreed to");
    let sender = input.bytes("sender").try_into().map(Fingerprint::from_bytes).expect("32 bytes");
    let content = Content::decode(&input.bytes("content")).expect("valid content");
    match judge_content(&state, &sender, &content) {
        Ok(()) => Outcome::accepted(),
        Err(rejection) => rejected(rejection),
    }
}

/// What the sender is.
#[derive(Clone, Copy)]
enum Sender {
    Member = 0,
    Admin = 1,
    Owner = 2,
}

const SENDERS: [(&str, Sender); 3] =
    [("a member", Sender::Member), ("an admin", Sender::Admin), ("an owner", Sender::Owner)];

const MENTION_ALL: usize = 5;
const PIN: usize = 6;
const WRITE: usize = 8;

/// The agreed state of a group of this kind, byte by byte, in which this right needs this role.
fn state(kind: u8, right: usize, least: u8) -> Vec<u8> {
    let mut rights = [1, 1, 1, 2, 2, 0, 1, 1, 0];
    rights[right] = least;
    let roles = [&[Sender::Admin as u8; 32][..], &[1], &[Sender::Owner as u8; 32], &[2]].concat();
    let roles = if kind == 2 { [&[0x40, 66][..], &roles].concat() } else { vec![0] };
    [&[0, 1, 0, 1, kind, 0, 0, 0, 0][..], &roles, &[9], &rights, &[0]].concat()
}

/// A message: salt, what it replaces, what it answers, extensions and body in hex.
fn message(replaces: &str, answers: &str, extensions: &str, body: &str) -> String {
    format!("87 50{salt} {replaces} 40 f6 {answers} {extensions} {body}", salt = "07".repeat(16))
        .replace(' ', "")
}

/// Somebody's message, by its id.
fn other() -> String {
    format!("5820{}", "01".repeat(32))
}

fn single(disposition: u8, media_type: &str, content: &[u8]) -> String {
    let text = |bytes: &[u8], major: u8| {
        let length = u8::try_from(bytes.len()).expect("short");
        let head = if length < 24 { vec![major | length] } else { vec![major | 24, length] };
        format!("{}{}", hex::encode(head), hex::encode(bytes))
    };
    let media_type = text(media_type.as_bytes(), 0x60);
    format!("85 {disposition:02x} 60 01 {media_type} {}", text(content, 0x40))
}

fn words(content: &str) -> String {
    single(1, "text/plain;charset=utf-8", content.as_bytes())
}

fn reaction(length: usize) -> String {
    let body = single(2, "text/plain;charset=utf-8", &vec![b'x'; length]);
    message("f6", &other(), "a0", &body)
}

fn receipts() -> String {
    let report = hex::decode(format!("8182{}02", other())).expect("hex");
    single(0, "application/mimi-message-status", &report)
}

fn control(kind: u8) -> String {
    let payload = [&[1; 32][..], &[1]].concat();
    let entry = [&[0x81, 0x82, kind, 0x58, 33][..], &payload].concat();
    single(0, "application/vnd.hushwire.control", &entry)
}

fn several(semantics: u8, parts: &[String]) -> String {
    format!("85 01 60 03 {semantics:02x} {:02x} {}", 0x80 + parts.len(), parts.join(" "))
}

/// `hushwire.mention-all`, true.
fn all() -> String {
    format!("a1 74{} f5", hex::encode("hushwire.mention-all"))
}

/// Whether messages need the right that is varied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    It,
    Others,
}

type Case = (&'static str, String);

/// A message of each sender, where the right needs each role.
fn judged(comment: &str, rules: &[&str], right: usize, needs: Needs, cases: Vec<Case>) -> Group {
    let mut group = Group::new(comment, rules);
    for (comment, content) in cases {
        for (who, sender) in SENDERS {
            for least in 0..=2 {
                let allowed = needs == Needs::Others || sender as u8 >= least;
                let code = hushwire_protocol::group::Rejection::NoRight;
                let outcome = if allowed { Outcome::accepted() } else { rejected(code) };
                let input = json!({
                    "state": hex::encode(state(2, right, least)),
                    "sender": hex::encode([sender as u8; 32]),
                    "content": content,
                });
                let comment =
                    format!("{comment} of {who}, for {} and above", SENDERS[least as usize].0);
                group = group.test(&comment, &[], input, outcome);
            }
        }
    }
    group
}

/// The tests.
pub fn suite() -> Suite {
    let plain = |body: &str| message("f6", "f6", "a0", body);
    let writes = vec![
        ("a text", plain(&words("hi"))),
        ("an answer", message("f6", &other(), "a0", &words("hi"))),
        ("an edit", message(&other(), "f6", "a0", &words("hi"))),
        ("an unknown type", plain(&single(1, "a/b", b"x"))),
        ("a reaction that is too long", reaction(65)),
        ("words behind receipts", plain(&several(0, &[receipts(), words("hi")]))),
        ("nothing behind receipts", plain(&several(2, &[receipts(), "83 00 60 00".into()]))),
    ];
    let free = vec![
        ("a deletion", message(&other(), "f6", "a0", "83 00 60 00")),
        ("a short reaction", reaction(64)),
        ("receipts", plain(&receipts())),
        ("a card", plain(&control(1))),
    ];
    let pins = vec![
        ("a pin", plain(&control(2))),
        ("a pin behind receipts", plain(&several(0, &[receipts(), control(2)]))),
    ];
    let mentions = vec![
        ("a text", message("f6", "f6", &all(), &words("hi"))),
        ("receipts", message("f6", "f6", &all(), &receipts())),
    ];
    let elsewhere = vec![("a text", plain(&words("hi"))), ("a card", plain(&control(1)))];
    Suite::new(NAME)
        .group(judged("what needs the right to write", &["GRP-082"], WRITE, Needs::It, writes))
        .group(judged("what needs none", &["GRP-082", "GRP-085"], WRITE, Needs::Others, free))
        .group(judged("pinning", &["GRP-084"], PIN, Needs::It, pins))
        .group(judged("no pin", &["GRP-084"], PIN, Needs::Others, elsewhere.clone()))
        .group(judged("mentioning everybody", &["GRP-083"], MENTION_ALL, Needs::It, mentions))
        .group(judged("mentioning nobody", &["GRP-083"], MENTION_ALL, Needs::Others, elsewhere))
        .group(direct())
}

/// In a group of two everybody may.
fn direct() -> Group {
    let input = json!({
        "state": hex::encode(state(1, WRITE, 2)),
        "sender": hex::encode([7; 32]),
        "content": message("f6", "f6", "a0", &words("hi")),
    });
    Group::new("a group of two", &["GRP-011", "GRP-082"]).test(
        "a text of either",
        &[],
        input,
        Outcome::accepted(),
    )
}
