//! Citations in code, tests and vectors.

use std::io;

use serde::Deserialize;

use crate::checkout::Source;

use super::rule::RuleId;

/// What a citation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Code keeps the rule.
    Code,
    /// A test or a vector shows that it does.
    Test,
}

/// A citation of one rule.
#[derive(Clone, Debug)]
pub(super) struct Citation {
    pub(super) id: RuleId,
    pub(super) place: Place,
    pub(super) at: String,
}

const MARK: &str = "spec: ";

/// The citations of a file of code.
pub(super) fn read(source: &Source) -> Vec<Citation> {
    let mut citations = Vec::new();
    let mut place = place_of(&source.path);
    let mut continued = false;
    let mut lines = (1_usize..).zip(source.text.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        // Unit tests stand last in a file.
        if line.trim() == "#[cfg(test)]" && begins_module(lines.clone()) {
            place = Place::Test;
        }
        let text = comment_text(line);
        let mut open = if continued { Some(text) } else { behind_mark(text) };
        continued = false;
        while let Some(rest) = open {
            let read = ids(rest);
            continued = read.continued;
            citations.extend(read.ids.into_iter().map(|id| Citation {
                id,
                place,
                at: format!("{}:{number}", source.path),
            }));
            open = behind_mark(read.rest);
        }
    }
    citations
}

/// Whether a module begins here, perhaps behind further attributes of one line.
fn begins_module<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> bool {
    let mut lines = lines.map(|(_, line)| line.trim_start());
    lines.find(|line| !line.starts_with("#[")).is_some_and(|line| line.starts_with("mod "))
}

/// Where a file stands says what it is: the conformance crate is a test as a whole.
fn place_of(path: &str) -> Place {
    let test = path.starts_with("conformance/")
        || path.split('/').any(|part| part == "tests" || part == "tests.rs");
    if test { Place::Test } else { Place::Code }
}

/// A line without what begins a comment.
fn comment_text(line: &str) -> &str {
    line.trim_start().trim_start_matches(['/', '!', '*']).trim_start()
}

fn behind_mark(text: &str) -> Option<&str> {
    text.split_once(MARK).map(|(_, behind)| behind)
}

/// Ids as they follow one another.
struct Ids<'a> {
    ids: Vec<RuleId>,
    rest: &'a str,
    /// The line ends with a comma: the next one goes on.
    continued: bool,
}

fn ids(text: &str) -> Ids<'_> {
    let mut rest = text;
    let mut ids = Vec::new();
    while let Some((id, behind)) = RuleId::strip(rest) {
        ids.push(id);
        rest = behind;
        let next = behind.strip_prefix(", ").or_else(|| behind.strip_prefix(" and "));
        match next {
            Some(next) => rest = next,
            None => break,
        }
    }
    let continued = !ids.is_empty() && rest.trim_end() == ",";
    Ids { ids, rest, continued }
}

#[derive(Deserialize)]
struct Manifest {
    files: Vec<VectorFile>,
}

#[derive(Deserialize)]
struct VectorFile {
    path: String,
    rules: Vec<String>,
}

/// The rules that vectors are about.
pub(super) fn read_manifest(text: &str) -> io::Result<Vec<Citation>> {
    let manifest: Manifest = serde_json::from_str(text)?;
    let mut citations = Vec::new();
    for file in manifest.files {
        for rule in &file.rules {
            match RuleId::strip(rule) {
                Some((id, "")) => {
                    let at = format!("test-vectors/{}", file.path);
                    citations.push(Citation { id, place: Place::Test, at });
                }
                _ => return Err(io::Error::other(format!("{}: {rule} is no rule", file.path))),
            }
        }
    }
    Ok(citations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(path: &str, text: &str) -> Vec<(String, Place, String)> {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        read(&source).into_iter().map(|one| (one.id.to_string(), one.place, one.at)).collect()
    }

    fn ids_of(text: &str) -> Vec<String> {
        cited("wire/src/id.rs", text).into_iter().map(|(id, ..)| id).collect()
    }

    #[test]
    fn every_form_of_citation_is_read() {
        assert_eq!(ids_of("// spec: WIRE-001"), ["WIRE-001"]);
        assert_eq!(ids_of("/// Refused (spec: WIRE-001, CHN-002)."), ["WIRE-001", "CHN-002"]);
        assert_eq!(ids_of("// spec: WIRE-001 and CHN-002: why"), ["WIRE-001", "CHN-002"]);
        assert_eq!(ids_of("// (spec: WIRE-001) and (spec: CHN-002)"), ["WIRE-001", "CHN-002"]);
        assert_eq!(ids_of("/// spec: WIRE-001,\n/// CHN-002"), ["WIRE-001", "CHN-002"]);
        assert_eq!(ids_of("// WIRE-001 in passing"), Vec::<String>::new());
        assert_eq!(ids_of("// spec: WIRE-1"), Vec::<String>::new());
    }

    #[test]
    fn what_stands_in_tests_counts_as_a_test() {
        let text = "// spec: WIRE-001\n#[cfg(test)]\nmod tests {\n// spec: WIRE-002\n}\n";
        let places: Vec<_> = cited("wire/src/id.rs", text).into_iter().map(|one| one.1).collect();
        assert_eq!(places, [Place::Code, Place::Test]);
        // A single item under cfg(test) does not make a test of what follows.
        let text = "#[cfg(test)]\nuse std::fs;\n// spec: WIRE-001\n";
        assert_eq!(cited("wire/src/id.rs", text)[0].1, Place::Code);
        let text = "#[cfg(test)]\n#[expect(unused)]\nmod tests {\n// spec: WIRE-001\n}\n";
        assert_eq!(cited("wire/src/id.rs", text)[0].1, Place::Test);
        for path in ["wire/tests/it/main.rs", "relay/src/store/tests.rs", "conformance/src/a.rs"] {
            assert_eq!(cited(path, "// spec: WIRE-001")[0].1, Place::Test, "{path}");
        }
    }

    #[test]
    fn vectors_cite_as_tests() {
        let manifest = r#"{"files": [{"path": "v1/a.json", "rules": ["WIRE-003"]}]}"#;
        let citations = read_manifest(manifest).unwrap();
        assert_eq!(citations[0].place, Place::Test);
        assert_eq!(citations[0].at, "test-vectors/v1/a.json");
        assert!(read_manifest(r#"{"files": [{"path": "a", "rules": ["WIRE"]}]}"#).is_err());
        assert!(read_manifest("{}").is_err());
    }
}
