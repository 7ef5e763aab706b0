//! Which candidate of a common epoch a member follows, by what was said there.

use hushwire_protocol::group::{LeafIndex, Standpoint, Unsaid, VerifiedStatement};
use hushwire_wire::id::EntryId;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::statement::rank,
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "followed-candidate";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let objects = |name: &str| input.field(name).as_array().expect("a list");
    let entries = |name: &str| -> Vec<EntryId> {
        let list = input.list(name);
        list.iter().map(|id| id.as_slice().try_into().expect("32 bytes")).collect()
    };
    let said: Vec<VerifiedStatement> = objects("statements")
        .iter()
        .map(Input)
        .map(|said| VerifiedStatement { candidate: said.id("candidate"), rank: rank(said) })
        .collect();
    let removed: Vec<LeafIndex> = objects("removed")
        .iter()
        .map(|leaf| LeafIndex(leaf.as_str().and_then(|leaf| leaf.parse().ok()).expect("a leaf")))
        .collect();
    let standpoint = Standpoint {
        applied: input.id("applied"),
        own: rank(Input(input.field("own"))),
        unsaid: match input.text("unsaid") {
            "applied" => Unsaid::Applied,
            "nothing" => Unsaid::Nothing,
            other => panic!("no such word: {other}"),
        },
        removed: &removed,
        candidates: &entries("candidates"),
    };
    Outcome::valid(json!({ "followed": hex::encode(standpoint.followed(&said)) }))
}

/// Candidates A and B, and what is none.
const A: u8 = 10;
const B: u8 = 11;
const NONE: u8 = 12;

/// Who says what: leaf, role, candidate.
type Said = (u32, &'static str, u8);

/// A row of the table: what is said, who reads, what it applied and whom that removed.
struct Row {
    comment: &'static str,
    said: &'static [Said],
    own: (u32, &'static str),
    unsaid: &'static str,
    applied: u8,
    removed: &'static [u32],
    followed: u8,
}

const fn row(
    comment: &'static str,
    said: &'static [Said],
    own: (u32, &'static str),
    [applied, followed]: [u8; 2],
) -> Row {
    Row { comment, said, own, unsaid: "applied", applied, removed: &[], followed }
}

/// Read by who was added again.
const fn back(row: Row) -> Row {
    Row { unsaid: "nothing", ..row }
}

const fn removing(row: Row, removed: &'static [u32]) -> Row {
    Row { removed, ..row }
}

const READER: (u32, &str) = (9, "member");

const RANKS: [Row; 10] = [
    row("nothing is said", &[], READER, [A, A]),
    row(
        "the reader's own word is above both",
        &[(3, "member", A), (1, "member", B)],
        (6, "admin"),
        [A, A],
    ),
    row("the lower leaf of two owners", &[(2, "owner", A), (1, "owner", B)], READER, [A, B]),
    row(
        "an owner is above an admin with a lower leaf",
        &[(4, "admin", B), (9, "owner", A)],
        (7, "member"),
        [B, A],
    ),
    row(
        "an admin is above a member with a lower leaf",
        &[(4, "admin", A), (0, "member", B)],
        READER,
        [B, A],
    ),
    row("one below the reader", &[(10, "member", B)], READER, [A, A]),
    row("one above the reader", &[(8, "member", B)], READER, [A, B]),
    row(
        "the order of what is said does not count",
        &[(1, "owner", B), (2, "owner", A), (0, "admin", A)],
        READER,
        [A, B],
    ),
    row("the reader's word is noted", &[(9, "member", A), (3, "member", B)], READER, [A, B]),
    row(
        "the reader noted what it left since",
        &[(1, "owner", A), (3, "member", B)],
        (1, "owner"),
        [B, A],
    ),
];

const BACK: [Row; 5] = [
    back(row("nothing is said", &[], (1, "owner"), [A, A])),
    back(row("one below the reader", &[(3, "member", B)], (1, "owner"), [A, B])),
    back(row("two below the reader", &[(3, "member", B), (2, "admin", A)], (1, "owner"), [A, A])),
    back(row(
        "the reader noted it before it was added again",
        &[(1, "owner", A), (3, "member", B)],
        (1, "owner"),
        [A, A],
    )),
    back(row(
        "the reader noted the other one before",
        &[(1, "owner", A), (3, "member", B)],
        (1, "owner"),
        [B, A],
    )),
];

const REMOVED: [Row; 5] = [
    removing(
        row(
            "a removed owner against its removal",
            &[(1, "owner", B), (4, "admin", A)],
            READER,
            [A, A],
        ),
        &[1],
    ),
    removing(row("a removed owner, and nobody else", &[(1, "owner", B)], READER, [A, A]), &[1]),
    row(
        "the same, read by who applied the other one",
        &[(1, "owner", B), (4, "admin", A)],
        READER,
        [B, B],
    ),
    removing(
        row(
            "owners who are not in the group any more",
            &[(1, "owner", B), (2, "owner", B), (3, "member", A)],
            READER,
            [A, A],
        ),
        &[1, 2],
    ),
    removing(
        row(
            "an ally of who was removed",
            &[(1, "owner", B), (2, "owner", B), (4, "admin", A)],
            READER,
            [A, B],
        ),
        &[1],
    ),
];

const CANDIDATES: [Row; 2] = [
    row("what is no candidate", &[(0, "owner", NONE), (3, "member", A)], READER, [A, A]),
    row(
        "what is no candidate, and another one that is",
        &[(0, "owner", NONE), (3, "member", B)],
        READER,
        [A, B],
    ),
];

const FIRST_WORDS: [Row; 4] = [
    row("another one later", &[(1, "owner", A), (1, "owner", B)], READER, [A, A]),
    row("the other way round", &[(1, "owner", B), (1, "owner", A)], READER, [A, B]),
    row(
        "first for what is no candidate",
        &[(1, "owner", NONE), (1, "owner", B), (3, "member", A)],
        READER,
        [A, A],
    ),
    removing(
        row(
            "first against its removal",
            &[(1, "owner", B), (1, "owner", A), (3, "member", B)],
            READER,
            [A, B],
        ),
        &[1],
    ),
];

fn input(row: &Row) -> Value {
    let id = |byte: u8| hex::encode([byte; 32]);
    let said = |(leaf, role, candidate): &Said| json!({ "leaf": leaf.to_string(), "role": role, "candidate": id(*candidate) });
    json!({
        "candidates": [id(A), id(B)],
        "statements": row.said.iter().map(said).collect::<Vec<_>>(),
        "own": { "leaf": row.own.0.to_string(), "role": row.own.1 },
        "unsaid": row.unsaid,
        "applied": id(row.applied),
        "removed": row.removed.iter().map(u32::to_string).collect::<Vec<_>>(),
    })
}

fn group(comment: &str, rules: &[&str], rows: &[Row]) -> Group {
    rows.iter().fold(Group::new(comment, rules), |group, row| {
        let outputs = json!({ "followed": hex::encode([row.followed; 32]) });
        group.valid(row.comment, input(row), outputs)
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(group("ranks", &["GRP-123"], &RANKS))
        .group(group("who was added again", &["GRP-123", "CLI-198"], &BACK))
        .group(group("who was removed", &["GRP-123", "GRP-124"], &REMOVED))
        .group(group("what can be followed", &["GRP-126"], &CANDIDATES))
        .group(group("the first word of a leaf", &["GRP-125", "GRP-126"], &FIRST_WORDS))
}
