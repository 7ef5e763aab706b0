//! One run, from its plan to its outcome.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{check::Violation, plan::Plan, tally::Tally, world::World};

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What it came to.
    pub tally: Tally,
    /// What it showed that must not be.
    pub violation: Option<Violation>,
    /// The last things that happened, oldest first.
    pub journal: Vec<String>,
}

/// Runs a plan to its end, or to its first violation.
pub fn run(plan: &Plan) -> Outcome {
    let mut world = World::new(plan);
    let result = catch_unwind(AssertUnwindSafe(|| world.live(plan)));
    let violation = match result {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(Violation::Panicked(text.unwrap_or_default()))
        }
    };
    Outcome { tally: world.tally(), violation, journal: world.journal() }
}
