//! `cargo sim`: runs seeds, and shows the smallest story of one that fails.

#![expect(clippy::print_stdout, reason = "this program's results go to standard output")]

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hushwire_sim::{
    many::{Runs, Seeds, many},
    plan::{Detail, Plan},
    run::{Outcome, run},
    shrink::shrink,
    tally::Tally,
};

const USAGE: &str = "usage: cargo sim [--seed S] [--seeds N] [--first S] [--seconds N]
  --seed S     runs one seed and shows its journal; with --keep 3,7 only these of its moves,
               with --frames yes every request and answer too
  --seeds N    runs N seeds, from --first (0) on
  --seconds N  runs fresh seeds for that long
  --shrink no  shows the seeds that fail as they are";

struct Wanted {
    seed: Option<u64>,
    seeds: Option<u64>,
    first: u64,
    seconds: Option<u64>,
    keep: Option<Vec<usize>>,
    detail: Detail,
    shrink: Shrink,
}

/// Whether a story is made small before it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shrink {
    Yes,
    No,
}

fn main() -> ExitCode {
    let mut wanted = Wanted {
        seed: None,
        seeds: None,
        first: 0,
        seconds: None,
        keep: None,
        detail: Detail::People,
        shrink: Shrink::Yes,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let text = arguments.next().unwrap_or_default();
        match (name.as_str(), text.parse().ok()) {
            ("--keep", _) => match text.split(',').map(|place| place.parse().ok()).collect() {
                Some(places) => wanted.keep = Some(places),
                None => return usage(),
            },
            ("--shrink", _) if text == "no" => wanted.shrink = Shrink::No,
            ("--frames", _) if text == "yes" => wanted.detail = Detail::Frames,
            ("--seed", Some(value)) => wanted.seed = Some(value),
            ("--seeds", Some(value)) => wanted.seeds = Some(value),
            ("--first", Some(value)) => wanted.first = value,
            ("--seconds", Some(value)) => wanted.seconds = Some(value),
            _ => return usage(),
        }
    }
    // A violation is printed once it is small; what panics on the way there is not.
    std::panic::set_hook(Box::new(|_| {}));
    match wanted {
        Wanted { seed: Some(seed), keep, detail, .. } => one(seed, keep.as_deref(), detail),
        Wanted { seeds, first, seconds, shrink, .. } => several(seeds, first, seconds, shrink),
    }
}

fn usage() -> ExitCode {
    println!("{USAGE}");
    ExitCode::from(2)
}

/// Runs one seed and shows what happened.
fn one(seed: u64, keep: Option<&[usize]>, detail: Detail) -> ExitCode {
    let mut plan = Plan::draw(seed);
    plan.detail = detail;
    if let Some(places) = keep {
        plan.keep(places);
    }
    let outcome = run(&plan);
    for line in &outcome.journal {
        println!("{line}");
    }
    println!("{}", plan.cast());
    let mut total = Tally::default();
    total.add(&outcome.tally);
    let failed = outcome.violation.is_some();
    if let Some(violation) = &outcome.violation {
        println!("{violation}");
    }
    sum(1, usize::from(failed), &total, None);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn several(seeds: Option<u64>, first: u64, seconds: Option<u64>, shrink: Shrink) -> ExitCode {
    let begun = Instant::now();
    let seeds = match (seeds, seconds) {
        (None, Some(seconds)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let first = now.as_secs().wrapping_mul(1_000_000);
            let time_max = Some(Duration::from_secs(seconds));
            Seeds { first, count_max: u64::MAX, time_max }
        }
        (count, _) => Seeds { first, count_max: count.unwrap_or(20), time_max: None },
    };
    let Runs { runs, tally, failed } = many(seeds);
    let violations = failed.len();
    for (plan, outcome) in failed {
        match shrink {
            Shrink::Yes => show(&plan, outcome),
            Shrink::No => name(&plan, &outcome),
        }
    }
    sum(runs, violations, &tally, Some(begun.elapsed()));
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Names a violation.
fn name(plan: &Plan, outcome: &Outcome) {
    if let Some(violation) = &outcome.violation {
        println!("seed {} ({}): {violation}", plan.seed, plan.cast());
    }
}

/// Shows a violation as small as it can be made.
fn show(plan: &Plan, outcome: Outcome) {
    name(plan, &outcome);
    let Some(violation) = &outcome.violation else { return };
    let (least, found) = shrink(plan, violation);
    let found = found.unwrap_or(outcome);
    println!("  the same with {} of {} moves:", least.moves.len(), plan.moves.len());
    for one in &least.moves {
        println!("    {one}");
    }
    println!("  and the end of it:");
    for line in found.journal.iter().rev().take(60).rev() {
        println!("    {line}");
    }
    if let Some(violation) = &found.violation {
        println!("  {violation}");
    }
    let places: Vec<String> = least.moves.iter().map(|one| one.place.to_string()).collect();
    println!("  replay: cargo sim --seed {} --keep {}", plan.seed, places.join(","));
}

fn sum(runs: u64, violations: usize, total: &Tally, took: Option<Duration>) {
    println!("deeds: {}", total.deeds);
    println!("faults: {}", total.faults);
    let took = took.map(|took| format!(", {:.1} s", took.as_secs_f64())).unwrap_or_default();
    println!(
        "{runs} runs, {} steps, {} faults, {} texts acknowledged, {} received, {violations} violations{took}",
        total.steps,
        total.faults.total(),
        total.acknowledged,
        total.received,
    );
}
