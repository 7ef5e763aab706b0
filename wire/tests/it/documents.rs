//! The tables of the spec say what the code says, so that neither drifts.

use std::{collections::BTreeSet, fs, path::Path};

use hushwire_wire::{
    error::{Blame, Code, Retry},
    limit::Limits,
    transcript::Label,
    version::ALPN,
};

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

/// The cells of the table's rows under a heading, without the two rows of its head and without
/// backquotes.
pub(crate) fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    document
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

#[test]
fn alpn_is_the_registered_one() {
    // spec: WIRE-001
    let rows = table(&read("spec/registries.md"), "## ALPN");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][0].as_bytes(), ALPN);
}

#[test]
fn labels_are_the_registered_ones() {
    // spec: WIRE-020
    let registries = read("spec/registries.md");
    let labels: Vec<_> =
        table(&registries, "## Labels of the wire").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(labels, Label::ALL.map(Label::text));

    // No label of another part of the protocol is one of ours, or a second one of its own.
    let mut all = BTreeSet::new();
    for line in registries.lines().filter(|line| line.starts_with("| `hushwire/1 ")) {
        let label = line.split('`').nth(1).unwrap();
        assert!(all.insert(label.to_owned()), "{label} stands twice");
    }
}

#[test]
fn each_transcript_of_the_table_has_a_label() {
    // spec: WIRE-020
    let rows = table(&read("spec/wire.md"), "## Transcripts");
    let names: Vec<_> = rows.iter().map(|row| format!("hushwire/1 {}", row[0])).collect();
    assert_eq!(names, Label::ALL.map(Label::text));
}

#[test]
fn error_codes_are_the_registered_ones() {
    // spec: WIRE-050
    let rows = table(&read("spec/registries.md"), "## Error codes");
    let in_code: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            let blame = match code.blame() {
                Blame::Client => "client",
                Blame::State => "state",
                Blame::Relay => "relay",
            };
            let retry = match code.retry() {
                Retry::Never => "never",
                Retry::AfterSync => "after sync",
                Retry::Later => "later",
            };
            [code.number().to_string().as_str(), code.name(), blame, retry]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    let in_text: Vec<_> = rows.into_iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(in_text, in_code);
}

/// The fields of one `oneof` of the proto file: number and message.
fn choices(proto: &str, message: &str) -> BTreeSet<(u32, String)> {
    proto
        .lines()
        .skip_while(|line| *line != format!("message {message} {{"))
        .skip_while(|line| !line.trim_start().starts_with("oneof"))
        .skip(1)
        .take_while(|line| line.trim() != "}")
        .filter_map(|line| {
            let (declared, number) = line.trim().strip_suffix(';')?.split_once(" = ")?;
            let (kind, _) = declared.split_once(' ')?;
            Some((number.parse().unwrap(), kind.to_owned()))
        })
        .collect()
}

#[test]
fn operations_and_answers_are_the_registered_ones() {
    // spec: WIRE-005, WIRE-009
    let (registries, proto) = (read("spec/registries.md"), read("wire/proto/wire.proto"));
    for (heading, message) in [("## Operations", "ToRelay"), ("## Answers", "ToClient")] {
        let registered: BTreeSet<_> = table(&registries, heading)
            .into_iter()
            .filter(|row| !row[1].starts_with("reserved"))
            .map(|row| (row[0].parse().unwrap(), row[1].clone()))
            .collect();
        let declared = choices(&proto, message);
        assert!(declared.len() > 10, "{message} could not be read");
        assert_eq!(registered, declared, "{message}");
    }
}

/// Every limit with its name. A new field does not compile until it stands here.
fn limits() -> Vec<(String, u64)> {
    macro_rules! rows {
        ($($name:ident),+ $(,)?) => {{
            let Limits { $($name),+ } = Limits::V1;
            vec![$((stringify!($name).to_owned(), u64::from($name))),+]
        }};
    }
    rows![
        frame_bytes_max,
        entry_inline_bytes_max,
        entry_blob_bytes_max,
        candidates_max,
        epoch_age_min_ms,
        candidate_gap_min_ms,
        notes_max,
        note_bytes_max,
        note_gap_min_ms,
        gap_step,
        turn_ms,
        handles_max,
        requests_in_flight_max,
        readings_max,
        hello_wait_ms,
        inbox_item_bytes_max,
        inbox_items_max,
        capability_items_max,
        capabilities_max,
        slots_max,
        card_bytes_max,
        device_list_bytes_max,
        key_package_bytes_max,
        shelf_packages_max,
        shelf_takes_max,
        shelf_takes_window_ms,
        blob_bytes_max,
        blob_chunk_bytes,
        message_retention_ms,
        commit_retention_ms,
        epoch_retention_ms,
        item_retention_ms,
        blob_retention_ms,
        slot_lapse_ms,
    ]
}

#[test]
fn limits_are_the_documented_ones() {
    // spec: WIRE-040
    let documented: Vec<_> = table(&read("spec/limits.md"), "# Limits")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].replace(',', "").parse().unwrap()))
        .collect();
    assert_eq!(documented, limits());
}

#[test]
fn a_frame_holds_the_largest_content() {
    // spec: WIRE-040
    let largest = [
        Limits::V1.entry_inline_bytes_max,
        Limits::V1.inbox_item_bytes_max,
        Limits::V1.card_bytes_max + Limits::V1.device_list_bytes_max,
        Limits::V1.key_package_bytes_max,
        Limits::V1.blob_chunk_bytes,
    ];
    let fields = 4 * 1024;
    assert!(largest.iter().all(|bytes| bytes + fields <= Limits::V1.frame_bytes_max));
}

/// The ids in a cell: single ones, and `A to B` of one prefix.
fn listed_rules(cell: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut words = cell.split([' ', ',']).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let is_id = |text: &str| text.len() == 7 && text.as_bytes()[3] == b'-';
        if is_id(word) {
            ids.push(word.to_owned());
        } else if word == "to" {
            let (first, last) = (ids.pop().unwrap(), words.next().unwrap());
            let number = |id: &str| id[4..].parse::<u32>().unwrap();
            let prefix = &first[..4];
            ids.extend((number(&first)..=number(last)).map(|n| format!("{prefix}{n:03}")));
        }
    }
    ids
}

#[test]
fn rules_of_our_programs_only_exist() {
    let rules: BTreeSet<String> = ["relay.md", "client.md", "client-store.md", "client-files.md"]
        .iter()
        .flat_map(|file| {
            let text = read(&format!("spec/{file}"));
            let ids: Vec<_> = text
                .lines()
                .filter_map(|line| Some(line.strip_prefix("**")?.split_once("**")?.0.to_owned()))
                .collect();
            ids
        })
        .collect();
    let classes = table(&read("spec/index.md"), "## Conformance");
    for class in ["hush-relay", "hush"] {
        let row = classes.iter().find(|row| row[0] == class).unwrap();
        let listed = listed_rules(&row[1]);
        assert!(listed.len() > 5, "{class}: {listed:?}");
        for id in listed {
            assert!(rules.contains(&id), "{class}: there is no rule {id}");
        }
    }
}
