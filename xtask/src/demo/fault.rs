//! Why the demo ended early.

use core::fmt;
use std::io;

/// What was expected and did not happen, in a sentence for a person.
#[derive(Debug)]
pub(super) struct Fault(String);

impl Fault {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// The error of a file or process, with what it was about.
    pub(super) fn about(what: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A failed expectation ends the demo.
pub(super) fn expect(holds: impl Into<Expectation>, sentence: &str) -> Result<(), Fault> {
    match holds.into() {
        Expectation::Met => Ok(()),
        Expectation::NotMet => Err(Fault::new(format!("expected, and not so: {sentence}"))),
    }
}

/// Whether what was expected is so.
pub(super) enum Expectation {
    Met,
    NotMet,
}

impl From<bool> for Expectation {
    fn from(holds: bool) -> Self {
        if holds { Self::Met } else { Self::NotMet }
    }
}
