//! Many runs at once: worlds share nothing, so each processor has its own.

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    plan::Plan,
    run::{Outcome, run},
    tally::Tally,
};

/// Which seeds are run.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// How many at most.
    pub count_max: u64,
    /// No run begins later than this after the first.
    pub time_max: Option<Duration>,
}

/// What many runs came to.
#[derive(Debug, Default)]
pub struct Runs {
    /// How many there were.
    pub runs: u64,
    /// What they came to together.
    pub tally: Tally,
    /// Those that showed what must not be, by seed.
    pub failed: Vec<(Plan, Outcome)>,
}

/// Runs all these seeds, on all processors.
pub fn many(seeds: Seeds) -> Runs {
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let total = Mutex::new(Runs::default());
    let work = || {
        while seeds.time_max.is_none_or(|limit| begun.elapsed() < limit) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= seeds.count_max {
                return;
            }
            let plan = Plan::draw(seeds.first.wrapping_add(place));
            let outcome = run(&plan);
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.runs += 1;
            total.tally.add(&outcome.tally);
            if outcome.violation.is_some() {
                total.failed.push((plan, outcome));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total.failed.sort_by_key(|(plan, _)| plan.seed);
    total
}
