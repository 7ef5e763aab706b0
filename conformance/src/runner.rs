//! Runs a stored file against the library.

use crate::{
    kinds::Kind,
    suite::{Suite, Test},
};

/// A test whose outcome is not the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Its number.
    pub id: u32,
    /// What differs, for a person.
    pub text: String,
}

/// Runs every test of a file.
pub fn run(kind: Kind, suite: &Suite) -> Vec<Mismatch> {
    suite.tests().filter_map(|test| compare(kind, test)).collect()
}

fn compare(kind: Kind, test: &Test) -> Option<Mismatch> {
    let outcome = (kind.run)(&test.input);
    let same = outcome.verdict() == test.result
        && outcome.error == test.error
        && outcome.outputs == test.outputs;
    (!same).then(|| Mismatch {
        id: test.id,
        text: format!(
            "{}: expected {:?} {:?} {:?}, got {:?} {:?} {:?}",
            test.comment,
            test.result,
            test.error,
            test.outputs,
            outcome.verdict(),
            outcome.error,
            outcome.outputs
        ),
    })
}
