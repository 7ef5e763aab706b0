//! The table of codes in `docs/user.md` is whole.

use std::collections::BTreeSet;

use hushwire::command::{CommandError, FailureReason, StuckCause};
use serde::de::DeserializeOwned;

const TABLE: &str = include_str!("../../../docs/user.md");
const OWN: &str = include_str!("../../src/fault.rs");
const OPENING: &str = include_str!("../../../client-lib/src/client/error.rs");
const KEY_FILE: &str = include_str!("../../../client-lib/src/key_file.rs");

type Codes = BTreeSet<String>;

/// The codes of one table.
fn listed(heading: &str) -> Codes {
    let (_, table) = TABLE.split_once(heading).unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = rows.take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

/// The words in quotes of a function that is one `match`.
fn returned(source: &str, function: &str) -> Codes {
    let (_, body) = source.split_once(function).unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    body.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every variant, by the names that serde lists when it does not know one.
fn variants<T: DeserializeOwned + std::fmt::Debug>() -> Vec<T> {
    let unknown = serde_json::from_str::<T>("\"?\"").unwrap_err().to_string();
    let names = unknown.split('`').skip(3).step_by(2);
    let unit = |name: &str| serde_json::from_value(name.into());
    let holding = |name: &str, what| serde_json::from_value(serde_json::json!({ name: what }));
    let number = || serde_json::json!(1);
    let fields = || serde_json::json!({ "oldest": 1, "most": 1 });
    let made =
        |name| unit(name).or_else(|_| holding(name, number())).or_else(|_| holding(name, fields()));
    names.map(|name| made(name).unwrap()).collect()
}

#[test]
fn there_are_words_for_every_cause_of_being_stuck() {
    let words = include_str!("../../src/human.rs");
    for cause in variants::<StuckCause>() {
        let name: String = format!("{cause:?}")
            .chars()
            .flat_map(|letter| letter.is_uppercase().then_some('_').into_iter().chain([letter]))
            .collect();
        let name = name.trim_start_matches('_').to_lowercase();
        assert!(words.contains(&format!("Some(\"{name}\") =>")), "{name}");
    }
}

#[test]
fn the_table_lists_every_code_and_no_other() {
    let refused = variants::<CommandError>().into_iter().map(|error| error.code().to_owned());
    let failed = variants::<FailureReason>().into_iter().map(|reason| reason.code().to_owned());
    let mut opening = returned(OPENING, "pub const fn code(self)");
    opening.append(&mut returned(KEY_FILE, "pub const fn code(self)"));
    let cases = [
        ("### `hush` itself", returned(OWN, "pub const fn code(&self)")),
        ("### The profile does not open", opening),
        ("### A command is refused", refused.collect()),
        ("### Something was tried", failed.collect()),
    ];
    for (heading, codes) in cases {
        assert!(codes.len() > 10, "{heading}: {codes:?}");
        assert_eq!(listed(heading), codes, "{heading}");
    }
}
