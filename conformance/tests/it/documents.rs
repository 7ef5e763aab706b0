//! What the vectors call a refusal stands in the spec, in the phase that the registry says.

use std::{collections::BTreeSet, fs};

use hushwire_conformance::{
    files, kinds,
    suite::{Failure, Phase},
};
use hushwire_protocol::{
    content::{ControlKind, KnownMediaType},
    group::Rejection,
};
use hushwire_wire::error::{Blame, Code};

fn spec(document: &str) -> String {
    fs::read_to_string(files::root().join("../spec").join(document)).unwrap()
}

/// The rows of tables under a heading, their cells as they stand.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let text = spec(document);
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The names of one row of the phases, without those that other tables give.
fn named(phase: &str) -> BTreeSet<String> {
    let rows = rows("registries.md", "## Phases of refusals");
    let row = rows.iter().find(|row| row[0] == phase).unwrap();
    quoted(&row[1]).collect()
}

fn registered(kind: &str, code: &str) -> Phase {
    if let Some(rejection) = Rejection::ALL.iter().find(|rejection| rejection.name() == code) {
        return match rejection.code() / 100 {
            1 => Phase::Decode,
            2 => Phase::Authenticate,
            3 => Phase::State,
            _ => Phase::Policy,
        };
    }
    let of_relay = kind.starts_with("wire-") || kind.starts_with("relay-");
    let known = Code::ALL.iter().find(|known| of_relay && known.name() == code);
    let relay = known.map(|code| code.blame());
    match relay {
        _ if named("`decode`").contains(code) => Phase::Decode,
        _ if named("`authenticate`").contains(code) => Phase::Authenticate,
        _ if named("`state`").contains(code) => Phase::State,
        Some(Blame::State | Blame::Relay) => Phase::State,
        Some(Blame::Client) => Phase::Policy,
        None => Phase::Decode,
    }
}

fn failures() -> Vec<(String, Failure)> {
    let mut failures = Vec::new();
    for kind in kinds::ALL {
        let suite = (kind.suite)();
        for failure in suite.tests().filter_map(|test| test.error.clone()) {
            failures.push((kind.name.to_owned(), failure));
        }
    }
    failures
}

#[test]
fn each_refusal_of_a_vector_has_its_registered_phase() {
    for (kind, Failure { phase, code }) in failures() {
        assert_eq!(phase, registered(&kind, &code), "{kind}: {code}");
    }
}

#[test]
fn each_refusal_of_a_vector_stands_in_a_table_of_the_spec() {
    // spec: GRP-030, WIRE-050
    let documents = [
        "wire.md",
        "registries.md",
        "padding.md",
        "envelope.md",
        "identity.md",
        "links.md",
        "groups.md",
        "content.md",
        "attachments.md",
    ];
    let mut known: BTreeSet<String> = BTreeSet::new();
    for document in documents {
        let text = spec(document);
        // The registry's table of phases names them once more; it explains none.
        let text = text.replace(&phases(&text), "");
        known.extend(text.lines().filter(|line| line.starts_with('|')).flat_map(quoted));
    }
    known.extend(quoted(&spec("padding.md")));
    known.extend(quoted(&spec("wire.md")));
    let missing: BTreeSet<_> = failures()
        .into_iter()
        .map(|(_, failure)| failure.code)
        .filter(|code| !known.contains(code))
        .collect();
    assert!(missing.is_empty(), "no document says what these mean: {missing:?}");
}

fn phases(text: &str) -> String {
    let lines = text.lines().skip_while(|line| *line != "## Phases of refusals").skip(1);
    lines.take_while(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

#[test]
fn kinds_of_control_entries_and_media_types_are_the_registered_ones() {
    // spec: CNT-021, CNT-042
    let kinds: Vec<u32> = rows("registries.md", "## Kinds")
        .into_iter()
        .filter(|row| row[0] == "control entry" && !row[1].contains("to"))
        .map(|row| row[1].parse().unwrap())
        .collect();
    assert_eq!(kinds, ControlKind::ALL.map(ControlKind::number));
    let types: Vec<String> = rows("registries.md", "## Content")
        .into_iter()
        .filter(|row| row[1] == "media type")
        .map(|row| row[0].replace('`', ""))
        .collect();
    assert_eq!(types, KnownMediaType::ALL.map(KnownMediaType::text));
}

#[test]
fn each_kind_of_control_entry_has_a_row_where_payloads_are_told() {
    // spec: CNT-040, CNT-041
    let mut told: Vec<u32> = Vec::new();
    for row in rows("content.md", "## Control") {
        for numbers in row[0].split(", ") {
            let (first, last) = numbers.split_once(" to ").unwrap_or((numbers, numbers));
            told.extend(first.parse::<u32>().unwrap()..=last.parse().unwrap());
        }
    }
    told.sort_unstable();
    let mut registered: Vec<u32> = Vec::new();
    for row in rows("registries.md", "## Kinds").iter().filter(|row| row[0] == "control entry") {
        let (first, last) = row[1].split_once(" to ").unwrap_or((&row[1], &row[1]));
        registered.extend(first.parse::<u32>().unwrap()..=last.parse().unwrap());
    }
    assert_eq!(told, registered);
    for kind in ControlKind::ALL {
        assert!(told.contains(&kind.number()), "{kind:?}");
    }
}

#[test]
fn codes_of_rejected_entries_are_the_documented_ones() {
    // spec: GRP-030
    let text = spec("groups.md");
    let documented: Vec<(u16, String)> = text
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let code = cells.next()?.parse().ok()?;
            Some((code, quoted(cells.next()?).next()?))
        })
        .collect();
    let code: Vec<_> = Rejection::ALL
        .iter()
        .map(|rejection| (rejection.code(), rejection.name().to_owned()))
        .collect();
    assert_eq!(documented, code);
}
