//! Worlds that found something: each stays.

use hushwire_sim::{plan::Plan, run::run};

/// The moves of a seed that were enough, and what they showed.
const FOUND: &[(u64, &[usize], &str)] = &[
    // spec: CLI-143
    (9, &[0, 9, 10], "an answer that came while the disk was full was waited for again for ever"),
];

#[test]
fn what_was_found_stays_mended() {
    for (seed, places, what) in FOUND {
        let mut plan = Plan::draw(*seed);
        plan.keep(places);
        assert_eq!(plan.moves.len(), places.len());
        let outcome = run(&plan);
        assert!(outcome.violation.is_none(), "{seed}: {what}: {:?}", outcome.violation);
    }
}

#[test]
fn a_seed_runs_the_same_each_time() {
    let plan = Plan::draw(3);
    let [one, other] = [run(&plan), run(&plan)];
    assert_eq!(one.tally, other.tally);
    assert_eq!(one.journal, other.journal);
    assert!(one.tally.faults.total() > 10 && one.tally.acknowledged > 10, "{:?}", one.tally);
}
