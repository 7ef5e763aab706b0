//! Every stored vector, read from its file, against the library.

use std::{collections::BTreeSet, fs};

use hushwire_conformance::{
    files::{self, Difference, MANIFEST, VERSION_FOLDER},
    kinds, runner,
    suite::{SPEC_VERSION, SUITE, Suite, Verdict},
};
use serde_json::Value;

fn manifest() -> Value {
    serde_json::from_str(&fs::read_to_string(files::root().join(MANIFEST)).unwrap()).unwrap()
}

#[test]
fn every_stored_vector_has_its_outcome() {
    let mut run = 0;
    for entry in manifest()["files"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        let text = fs::read_to_string(files::root().join(path)).unwrap();
        let suite: Suite = serde_json::from_str(&text).unwrap();
        assert_eq!((suite.suite.as_str(), suite.spec_version), (SUITE, SPEC_VERSION), "{path}");
        let kind = kinds::by_name(&suite.kind).unwrap_or_else(|| panic!("{path}: unknown kind"));
        let mismatches = runner::run(kind, &suite);
        assert!(mismatches.is_empty(), "{path}: {mismatches:#?}");
        assert_eq!(entry["valid"], suite.count(Verdict::Valid), "{path}");
        assert_eq!(entry["invalid"], suite.count(Verdict::Invalid), "{path}");
        run += suite.tests().count();
    }
    eprintln!("{run} vectors run, none skipped");
    assert!(run > 0);
}

#[test]
fn the_manifest_lists_every_kind_and_file() {
    let manifest = manifest();
    let listed: BTreeSet<_> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap().to_owned())
        .collect();
    let kinds: BTreeSet<_> = kinds::ALL.iter().map(|kind| files::path_of(kind.name)).collect();
    assert_eq!(listed, kinds);
    let stored: BTreeSet<_> = fs::read_dir(files::root().join(VERSION_FOLDER))
        .unwrap()
        .map(|entry| format!("{VERSION_FOLDER}/{}", entry.unwrap().file_name().display()))
        .collect();
    assert_eq!(stored, listed);
}

#[test]
fn a_test_is_numbered_once_and_says_why_it_is_refused() {
    for kind in kinds::ALL {
        let suite = (kind.suite)();
        let ids: BTreeSet<_> = suite.tests().map(|test| test.id).collect();
        assert_eq!(ids.len(), suite.tests().count(), "{}", kind.name);
        for test in suite.tests() {
            assert_eq!(test.error.is_some(), test.result == Verdict::Invalid, "{}", test.comment);
        }
        for group in &suite.groups {
            assert!(!group.rules.is_empty() && !group.tests.is_empty(), "{}", group.comment);
        }
    }
}

#[test]
fn a_runner_notices_a_wrong_outcome() {
    // The library against vectors of which each says the opposite.
    for kind in kinds::ALL {
        let mut suite = (kind.suite)();
        let tests = suite.tests().count();
        for test in suite.groups.iter_mut().flat_map(|group| &mut group.tests) {
            test.result = match test.result {
                Verdict::Valid => Verdict::Invalid,
                Verdict::Invalid => Verdict::Valid,
            };
        }
        assert_eq!(runner::run(*kind, &suite).len(), tests, "{}", kind.name);
    }
}

#[test]
fn the_check_finds_what_is_changed_missing_or_stray() {
    let folder = tempfile::tempdir().unwrap();
    let rendering = files::render();
    rendering.write(folder.path()).unwrap();
    assert_eq!(rendering.check(folder.path()).unwrap(), []);

    let paths: Vec<_> = rendering.suites.keys().cloned().collect();
    let mut text = fs::read_to_string(folder.path().join(&paths[0])).unwrap();
    text.push(' ');
    fs::write(folder.path().join(&paths[0]), text).unwrap();
    fs::remove_file(folder.path().join(&paths[1])).unwrap();
    let stray = format!("{VERSION_FOLDER}/older/old.json");
    fs::create_dir(folder.path().join(VERSION_FOLDER).join("older")).unwrap();
    fs::write(folder.path().join(&stray), "{}").unwrap();
    let expected = [
        Difference::Changed(paths[0].clone()),
        Difference::Missing(paths[1].clone()),
        Difference::Stray(stray),
    ];
    assert_eq!(rendering.check(folder.path()).unwrap(), expected);
}
