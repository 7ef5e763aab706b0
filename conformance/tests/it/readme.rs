//! The README says what every field of every vector is.

use std::{collections::BTreeSet, fs};

use hushwire_conformance::{files, kinds};
use serde_json::Value;

fn readme() -> String {
    fs::read_to_string(files::root().join("README.md")).unwrap()
}

/// What stands between backquotes under the heading that names a kind.
fn documented(readme: &str, kind: &str) -> BTreeSet<String> {
    let section = readme.split("\n### ").skip(1).find(|section| {
        section.lines().next().unwrap_or_default().split(", ").any(|name| name == kind)
    });
    let section = section.unwrap_or_default().split("\n## ").next().unwrap_or_default();
    section.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Names of fields, requests and answers in `wire.proto`, which the README need not repeat.
fn on_the_wire() -> BTreeSet<String> {
    let proto = fs::read_to_string(files::root().join("../wire/proto/wire.proto")).unwrap();
    let lines = proto.lines().filter_map(|line| line.trim().split_once(" = "));
    lines.filter_map(|(field, _)| field.split_whitespace().last().map(str::to_owned)).collect()
}

fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            names(value, found);
        }),
        _ => {}
    }
}

/// A kind's fields whose interior is named by another document: messages as they are on the wire,
/// and limits.
const NAMED_ELSEWHERE: [(&str, &[&str]); 5] = [
    ("wire-frame", &["fields"]),
    ("relay-session", &["limits"]),
    ("relay-channel", &["limits"]),
    ("relay-inbox", &["limits"]),
    ("relay-blob", &["limits"]),
];

#[test]
fn the_readme_names_every_field() {
    let (readme, wire) = (readme(), on_the_wire());
    for kind in kinds::ALL {
        let documented = documented(&readme, kind.name);
        let elsewhere = NAMED_ELSEWHERE.iter().find(|(name, _)| *name == kind.name);
        let elsewhere = elsewhere.map_or(&[][..], |(_, fields)| fields);
        let mut found = BTreeSet::new();
        for test in (kind.suite)().tests() {
            let mut parts = vec![test.input.clone()];
            parts.extend(test.outputs.clone());
            for field in elsewhere {
                parts.iter_mut().filter_map(|part| part.get_mut(field)).for_each(|inside| {
                    *inside = Value::Null;
                });
            }
            parts.iter().for_each(|part| names(part, &mut found));
        }
        let scripted = kind.name.starts_with("relay-");
        let missing: Vec<_> = found
            .iter()
            .filter(|name| !(documented.contains(*name) || scripted && wire.contains(*name)))
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?}", kind.name);
    }
}

#[test]
fn the_readme_has_no_section_on_what_is_no_kind() {
    let headings = readme();
    let headings = headings.lines().filter_map(|line| line.strip_prefix("### "));
    let named: BTreeSet<_> = headings.flat_map(|names| names.split(", ")).collect();
    let kinds: BTreeSet<_> = kinds::ALL.iter().map(|kind| kind.name).collect();
    assert_eq!(named, kinds);
}
