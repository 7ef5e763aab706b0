//! What a file of vectors holds, and how a kind puts one together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name of the whole collection.
pub const SUITE: &str = "hushwire";
/// Version of the text that the vectors belong to.
pub const SPEC_VERSION: u16 = 1;

/// One file: the tests of one kind.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Suite {
    /// [`SUITE`].
    pub suite: String,
    /// The kind; also the file's name.
    pub kind: String,
    /// [`SPEC_VERSION`].
    pub spec_version: u16,
    /// What each flag means.
    pub notes: BTreeMap<String, String>,
    /// Every rule that some test of the file is about.
    pub rules: BTreeSet<String>,
    /// The tests, by what they are about.
    pub groups: Vec<Group>,
}

/// Tests that are about the same rules.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Group {
    /// What they have in common.
    pub comment: String,
    /// The rules.
    pub rules: Vec<String>,
    /// The tests.
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Test {
    /// Number within the file, from 1.
    #[serde(rename = "tcId")]
    pub id: u32,
    /// What is special here.
    pub comment: String,
    /// Names of notes.
    pub flags: Vec<String>,
    /// What goes in; its fields depend on the kind.
    pub input: Value,
    /// Whether it has to be accepted.
    pub result: Verdict,
    /// Why it has to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What has to come out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Value>,
}

/// Whether an input has to be accepted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It has.
    Valid,
    /// It has to be refused.
    Invalid,
}

/// A refusal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// Where it happens. A refusal in an earlier or later phase is a mistake too.
    pub phase: Phase,
    /// Why: an error code of the registry, or a name that the kind's spec defines.
    pub code: String,
}

/// Where a refusal happens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The bytes are not what they should be.
    Decode,
    /// A signature, tag or proof is wrong.
    Authenticate,
    /// The state does not allow it.
    State,
    /// A rule about who may do what does not allow it.
    Policy,
}

/// What came of running one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why it was refused, if it was.
    pub error: Option<Failure>,
    /// What came out, if anything does.
    pub outputs: Option<Value>,
}

impl Outcome {
    /// Accepted, with nothing to compare.
    pub const fn accepted() -> Self {
        Self { error: None, outputs: None }
    }

    /// Accepted, with these outputs.
    pub const fn valid(outputs: Value) -> Self {
        Self { error: None, outputs: Some(outputs) }
    }

    /// Refused.
    pub fn refused(phase: Phase, code: impl Into<String>) -> Self {
        Self { error: Some(Failure { phase, code: code.into() }), outputs: None }
    }

    /// With these outputs besides.
    #[must_use]
    pub fn with_outputs(self, outputs: Value) -> Self {
        Self { outputs: Some(outputs), ..self }
    }

    /// Whether the input was accepted.
    pub const fn verdict(&self) -> Verdict {
        if self.error.is_none() { Verdict::Valid } else { Verdict::Invalid }
    }
}

impl Suite {
    /// A suite without tests.
    pub fn new(kind: &str) -> Self {
        Self {
            suite: SUITE.to_owned(),
            kind: kind.to_owned(),
            spec_version: SPEC_VERSION,
            notes: BTreeMap::new(),
            rules: BTreeSet::new(),
            groups: Vec::new(),
        }
    }

    /// Says what a flag means.
    #[must_use]
    pub fn note(mut self, flag: &str, meaning: &str) -> Self {
        self.notes.insert(flag.to_owned(), meaning.to_owned());
        self
    }

    /// Adds a group; numbers its tests.
    ///
    /// # Panics
    /// When a test bears a flag without a note: that is a mistake in the kind.
    #[must_use]
    pub fn group(mut self, mut group: Group) -> Self {
        let first = 1 + self.tests().count();
        for (id, test) in (first..).zip(&mut group.tests) {
            test.id = u32::try_from(id).expect("few tests");
            for flag in &test.flags {
                assert!(self.notes.contains_key(flag), "the flag {flag} has no note");
            }
        }
        self.rules.extend(group.rules.iter().cloned());
        self.groups.push(group);
        self
    }

    /// All tests of the file.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        self.groups.iter().flat_map(|group| &group.tests)
    }

    /// How many tests have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.tests().filter(|test| test.result == verdict).count()
    }
}

impl Group {
    /// A group without tests, about these rules.
    pub fn new(comment: &str, rules: &[&str]) -> Self {
        Self {
            comment: comment.to_owned(),
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            tests: Vec::new(),
        }
    }

    /// Adds a test with its expected outcome; says what the kind's rules say, not what the code does.
    #[must_use]
    pub fn test(mut self, comment: &str, flags: &[&str], input: Value, outcome: Outcome) -> Self {
        self.tests.push(Test {
            id: 0,
            comment: comment.to_owned(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            input,
            result: outcome.verdict(),
            error: outcome.error,
            outputs: outcome.outputs,
        });
        self
    }

    /// Adds an input that has to be accepted with these outputs.
    #[must_use]
    pub fn valid(self, comment: &str, input: Value, outputs: Value) -> Self {
        self.test(comment, &[], input, Outcome::valid(outputs))
    }

    /// Adds an input that has to be refused.
    #[must_use]
    pub fn invalid(self, comment: &str, input: Value, phase: Phase, code: &str) -> Self {
        self.test(comment, &[], input, Outcome::refused(phase, code))
    }
}
