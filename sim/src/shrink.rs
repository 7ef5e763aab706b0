//! Makes a failing plan small: leaves moves out as long as it still fails in the same way.

use crate::{
    check::Violation,
    plan::Plan,
    run::{Outcome, run},
};

/// Most runs that one plan is worth.
const RUNS_MAX: u32 = 300;

/// The same failure with as few moves as were found, and how that run went.
pub fn shrink(plan: &Plan, violation: &Violation) -> (Plan, Option<Outcome>) {
    let (mut best, mut outcome) = (plan.clone(), None);
    let mut runs = 0;
    let mut size = best.moves.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let before = best.moves.len();
        while start < best.moves.len() && runs < RUNS_MAX {
            let mut less = best.clone();
            let end = (start + size).min(less.moves.len());
            less.moves.drain(start..end);
            runs += 1;
            let found = run(&less);
            if found.violation.as_ref().is_some_and(|found| found.is_like(violation)) {
                (best, outcome) = (less, Some(found));
            } else {
                start = end;
            }
        }
        if runs >= RUNS_MAX || (size == 1 && best.moves.len() == before) {
            return (best, outcome);
        }
        if best.moves.len() == before {
            size = (size / 2).max(1);
        } else {
            size = size.min(best.moves.len().div_ceil(2).max(1));
        }
    }
}
