//! Worlds in which one thing goes wrong at every place where it can, and worlds of whole seeds.

use hushwire_sim::{
    plan::{Deed, Detail, Move, Plan, Relays},
    run::run,
};

/// Batches that the trouble is tried at, one after the other.
const BATCHES: u32 = 40;

/// Two people become contacts, one links a device, both write; at one batch of the first one's
/// device something goes wrong.
fn story(deed: Deed, batch: u32, kind: u32) -> Plan {
    let moves = [
        (0, deed, [0, batch, kind]),
        (1_000, Deed::Befriend, [0, 1, 0]),
        (50_000, Deed::Say, [0, 0, 0]),
        (60_000, Deed::LinkDevice, [0, 0, 0]),
        (90_000, Deed::Say, [0, 0, 0]),
        (91_000, Deed::Say, [1, 0, 0]),
        (95_000, Deed::SendFile, [0, 0, 70_000]),
    ];
    let moves = moves.into_iter().enumerate();
    let moves = moves.map(|(place, (at_ms, deed, draws))| Move { place, at_ms, deed, draws });
    Plan {
        seed: 1,
        people: 2,
        relays: 1,
        hostile: None,
        relays_are: Relays::Honest,
        moves: moves.collect(),
        detail: Detail::People,
    }
}

fn nothing_is_held_up(deed: Deed, kind: u32) {
    let mut struck = 0;
    for batch in 0..BATCHES {
        let outcome = run(&story(deed, batch, kind));
        struck += u64::from(outcome.tally.struck > 0);
        assert!(outcome.violation.is_none(), "{deed:?} {batch}: {:?}", outcome.violation);
        assert!(outcome.tally.acknowledged >= 2, "{deed:?} {batch}");
    }
    // The first batches of a world are all there; later ones may not come.
    assert!(struck >= u64::from(BATCHES) / 2, "{deed:?} came {struck} times");
}

#[test]
fn a_disk_that_is_full_at_any_batch_holds_nothing_up() {
    // spec: CLI-143
    nothing_is_held_up(Deed::DiskFails, 0);
}

#[test]
fn a_disk_that_fails_at_any_batches_holds_nothing_up() {
    // spec: CLI-143
    nothing_is_held_up(Deed::DiskFails, 1);
}

#[test]
fn a_client_that_dies_before_any_batch_loses_nothing() {
    // spec: CLI-001
    nothing_is_held_up(Deed::CrashAtBatch, 0);
}

#[test]
fn a_client_that_dies_behind_any_batch_repeats_nothing() {
    // spec: CLI-001
    nothing_is_held_up(Deed::CrashAtBatch, 1);
}

#[test]
fn a_seed_runs_the_same_each_time() {
    let plan = Plan::draw(3);
    let [one, other] = [run(&plan), run(&plan)];
    assert_eq!(one.tally, other.tally);
    assert_eq!(one.journal, other.journal);
    assert!(one.tally.faults.total() > 10 && one.tally.acknowledged > 10, "{:?}", one.tally);
}
