//! The files of `test-vectors/`: what they have to hold, and whether they do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    kinds,
    suite::{SPEC_VERSION, SUITE, Suite, Test, Verdict},
};

/// The folder for this version of the spec, below `test-vectors/`.
pub const VERSION_FOLDER: &str = "v1";
/// The list of all files.
pub const MANIFEST: &str = "MANIFEST.json";

/// `test-vectors/` of this checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-vectors")
}

/// Path of a kind's file, below the root.
pub fn path_of(kind: &str) -> String {
    format!("{VERSION_FOLDER}/{kind}.json")
}

/// A file's text with what the manifest says of it.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Tests that have to be accepted.
    pub valid: usize,
    /// Tests that have to be refused.
    pub invalid: usize,
}

/// Every file by its path below the root; the manifest last.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The kinds' files.
    pub suites: BTreeMap<String, Rendered>,
    /// The manifest's text.
    pub manifest: String,
}

/// Makes all files in memory.
pub fn render() -> Rendering {
    let mut suites = BTreeMap::new();
    let mut entries = Vec::new();
    for kind in kinds::ALL {
        let suite = (kind.suite)();
        assert_eq!(suite.kind, kind.name, "the suite bears its kind's name");
        let rendered = Rendered {
            text: render_suite(&suite),
            valid: suite.count(Verdict::Valid),
            invalid: suite.count(Verdict::Invalid),
        };
        entries.push(json!({
            "path": path_of(kind.name),
            "kind": kind.name,
            "sha256": hex::encode(Sha256::digest(rendered.text.as_bytes())),
            "valid": rendered.valid,
            "invalid": rendered.invalid,
            "rules": suite.rules,
        }));
        suites.insert(path_of(kind.name), rendered);
    }
    let manifest = json!({ "suite": SUITE, "spec_version": SPEC_VERSION, "files": entries });
    Rendering { suites, manifest: pretty(&manifest) }
}

impl Rendering {
    /// Every path with its text.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let suites = self.suites.iter().map(|(path, file)| (path.as_str(), file.text.as_str()));
        suites.chain([(MANIFEST, self.manifest.as_str())])
    }

    /// Writes every file below the root.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, root: &Path) -> io::Result<()> {
        for (path, text) in self.files() {
            let path = root.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, text)?;
        }
        Ok(())
    }

    /// Compares every file below the root, and looks for files that nothing writes.
    ///
    /// # Errors
    /// What the file system says; a missing file is a difference, not an error.
    pub fn check(&self, root: &Path) -> io::Result<Vec<Difference>> {
        let mut differences = Vec::new();
        let mut known = BTreeSet::new();
        for (path, text) in self.files() {
            known.insert(path.to_owned());
            match fs::read(root.join(path)) {
                Ok(stored) if stored == text.as_bytes() => {}
                Ok(_) => differences.push(Difference::Changed(path.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    differences.push(Difference::Missing(path.to_owned()));
                }
                Err(error) => return Err(error),
            }
        }
        let mut stored = Vec::new();
        list(root, VERSION_FOLDER, &mut stored)?;
        let strays = stored.into_iter().filter(|path| !known.contains(path));
        differences.extend(strays.map(Difference::Stray));
        Ok(differences)
    }
}

/// A file that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It holds something else.
    Changed(String),
    /// It is not there.
    Missing(String),
    /// Nothing writes it.
    Stray(String),
}

/// Collects the paths of all files in a folder, with `/` between their parts.
fn list(root: &Path, folder: &str, paths: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(root, &path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

/// A line for each test, so that a changed test is a changed line.
fn render_suite(suite: &Suite) -> String {
    let mut head = serde_json::to_value(suite).expect("a suite is JSON");
    let marker = |index: usize| format!("tests of group {index}");
    for (index, group) in head["groups"].as_array_mut().expect("a list").iter_mut().enumerate() {
        group["tests"] = Value::String(marker(index));
    }
    let mut text = pretty(&head);
    for (index, group) in suite.groups.iter().enumerate() {
        let lines: Vec<_> = group.tests.iter().map(render_test).collect();
        let list = format!("[\n{}\n      ]", lines.join(",\n"));
        text = text.replace(&format!("\"{}\"", marker(index)), &list);
    }
    text
}

fn render_test(test: &Test) -> String {
    let value = sorted(serde_json::to_value(test).expect("a test is JSON"));
    format!("        {value}")
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value.clone())).expect("JSON");
    text.push('\n');
    text
}

/// With every object's fields in the order of their names, whatever features `serde_json` is built
/// with elsewhere in the workspace.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        other => other,
    }
}
