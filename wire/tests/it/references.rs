//! What the documents of the spec refer to stands where they say.

use std::{collections::BTreeSet, fs, path::Path};

use crate::documents::{read, table};

/// Every document with its text. The page about rules shows one that is an example.
fn documents() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.ends_with(".md") && name != "conventions.md")
        .chain(["models/README.md".to_owned()])
        .map(|name| (name.clone(), read(&format!("spec/{name}"))))
        .collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The ids of rules in a text: letters, a hyphen, three digits.
fn rule_ids(text: &str) -> impl Iterator<Item = &str> {
    const PREFIXES: [&str; 12] =
        ["WIRE", "CHN", "INB", "BLB", "ENV", "IDN", "LNK", "GRP", "CNT", "ATT", "CLI", "RLY"];
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').filter(
        |word| {
            word.split_once('-').is_some_and(|(prefix, number)| {
                PREFIXES.contains(&prefix)
                    && number.len() == 3
                    && number.bytes().all(|byte| byte.is_ascii_digit())
            })
        },
    )
}

#[test]
fn each_rule_that_a_document_names_exists() {
    let documents = documents();
    let rules: BTreeSet<&str> = documents
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| Some(line.strip_prefix("**")?.split_once("**")?.0))
        .collect();
    assert!(rules.len() > 300);
    for (name, text) in &documents {
        let unknown: BTreeSet<_> = rule_ids(text).filter(|id| !rules.contains(id)).collect();
        assert!(unknown.is_empty(), "{name} names rules that do not exist: {unknown:?}");
    }
}

#[test]
fn each_limit_that_a_document_names_exists() {
    // spec: WIRE-040
    let limits = read("spec/limits.md");
    let headings = ["# Limits", "## Between clients", "## Of one side"];
    let known: BTreeSet<String> = headings
        .iter()
        .flat_map(|heading| table(&limits, heading))
        .map(|row| row[0].clone())
        // Fields of frames and records that end alike.
        .chain(["expires_at_ms", "retry_after_ms", "time_ms"].map(str::to_owned))
        .collect();
    for (name, text) in documents() {
        let is_limit = |word: &&str| {
            let plain = !word.starts_with('_')
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            plain && (word.ends_with("_max") || word.ends_with("_ms"))
        };
        let unknown: BTreeSet<_> =
            quoted(&text).filter(is_limit).filter(|word| !known.contains(*word)).collect();
        assert!(unknown.is_empty(), "{name} names limits that do not exist: {unknown:?}");
    }
}

#[test]
fn the_index_lists_every_document() {
    let index = read("spec/index.md");
    for (name, _) in documents() {
        assert!(name == "index.md" || index.contains(&format!("`{name}`")), "{name} is not listed");
    }
}
