//! Forks that somebody finds days later.

use std::collections::BTreeSet;

use super::*;
use crate::devices::link;

const DAY_MS: u64 = 24 * HOUR_MS;

/// What each of the two finds of the broken commit, and who of them was away for days.
fn worlds() -> impl Iterator<Item = (u8, usize)> {
    (0..HALF_SEAL_WORLDS).flat_map(|number| [(number, OWNER), (number, MEMBER)])
}

#[test]
fn who_comes_days_later_comes_together_with_who_was_there() {
    // spec: CLI-192, CLI-193, CLI-196, CLI-197, CLI-198
    let mut cases = BTreeSet::new();
    for (number, away) in worlds() {
        let mut crew = crew_of(number);
        crew.world.set_online(crew.people[away], false);
        part(&mut crew);
        crew.world.pass(3 * DAY_MS);
        crew.say(away, "said when it was back");
        crew.world.set_online(crew.people[away], true);
        // Those that are stuck ask anew after six hours at the latest.
        crew.world.pass(14 * HOUR_MS);
        let broken = broken(&mut crew);
        let case = format!("{number} {away} {broken:?}");
        assert_together(&mut crew, &case);
        for place in [OWNER, MEMBER] {
            let texts = crew.texts(place);
            let heard = texts.iter().filter(|text| *text == "said when it was back").count();
            // Who could not go on yet may be added again behind it, and is told of the gap.
            let gap = place != away && heard == 0 && crew.returns(place) > 0;
            assert!(heard == 1 || gap, "{case}: {place} {texts:?}");
        }
        cases.insert((away, broken));
    }
    assert!(cases.len() >= 4, "{cases:?}");
}

#[test]
fn who_comes_late_is_not_sure_of_itself_before_others_had_time_to_answer() {
    // spec: CLI-197
    let mut late = 0;
    for number in 0..HALF_SEAL_WORLDS {
        let mut crew = crew_of(number);
        crew.world.set_online(crew.people[OWNER], false);
        part(&mut crew);
        crew.world.pass(60_000);
        crew.world.set_online(crew.people[MEMBER], false);
        crew.world.pass(DAY_MS);
        crew.world.set_online(crew.people[OWNER], true);
        crew.world.pass(HOUR_MS / 2);
        let [owner, member] = broken(&mut crew);
        // The owner is above everybody, and still alone with its word.
        if owner && !member {
            late += 1;
            assert_eq!(count(&mut crew, OWNER, settled), 0, "{number}");
            assert_eq!(count(&mut crew, OWNER, unsettled), 1, "{number}");
            crew.world.set_online(crew.people[MEMBER], true);
            crew.world.pass(2 * HOUR_MS);
            // It was not followed by who was there before: it came to them.
            assert!(crew.causes(MEMBER).is_empty(), "{number}");
            assert_eq!(crew.returns(OWNER), 1, "{number}");
            assert_together(&mut crew, &format!("{number}"));
        }
    }
    assert!(late > 0);
}

#[test]
fn who_is_led_back_to_what_the_others_leave_meanwhile_comes_along() {
    // spec: CLI-198
    for number in 0..4 * HALF_SEAL_WORLDS {
        let mut crew = crew_of(number);
        let member = crew.people[MEMBER];
        let laptop = link(&mut crew.world, member);
        crew.world.pass(60_000);
        crew.world.set_online(crew.people[OWNER], false);
        let (stolen, entry) = part(&mut crew);
        lies::say(&mut crew, &stolen, INSIDER, Statement { candidate: entry, leaf: LeafIndex(1) });
        for _ in 0..600 {
            crew.world.pass(500);
            if crew.state(MEMBER) == ChatState::Stuck {
                break;
            }
        }
        if crew.state(MEMBER) != ChatState::Stuck {
            continue;
        }
        // It has asked, and is away when the answer comes; then the word above is said.
        crew.world.pass(500);
        crew.world.set_online(member, false);
        crew.world.pass(5 * 60_000);
        crew.world.set_online(crew.people[OWNER], true);
        crew.world.pass(6 * HOUR_MS);
        let returns = crew.returns(MEMBER);
        crew.world.set_online(member, true);
        crew.world.pass(14 * HOUR_MS);
        let all = [crew.people[OWNER], member, laptop];
        let epochs = all.map(|who| crew.world.steal(who, &crew.channel.clone()).epoch);
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{number}");
        if crew.returns(MEMBER) > returns + 1 {
            return;
        }
    }
    panic!("nobody was led back to what the others had left");
}

#[test]
fn who_sets_its_clock_forward_hears_of_those_who_come_later() {
    // spec: CLI-190, CLI-193
    const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1000;
    let mut parted = 0;
    for number in 0..HALF_SEAL_WORLDS {
        let mut crew = crew_of(number);
        let laptop = link(&mut crew.world, crew.people[MEMBER]);
        crew.world.pass(60_000);
        crew.world.set_online(crew.people[OWNER], false);
        part(&mut crew);
        crew.world.pass(3 * 60_000);
        crew.world.skew(laptop, TEN_YEARS_MS);
        crew.world.pass(60_000);
        crew.world.set_online(crew.people[OWNER], true);
        crew.world.pass(14 * HOUR_MS);
        let refused =
            |event: &Event| matches!(event, Event::Warning(Warning::CommitRejected { .. }));
        let elsewhere = crew.world.events(laptop).iter().any(refused);
        parted += usize::from(elsewhere != broken(&mut crew)[0]);
        // Who has to be added again asks by its clock: nobody hears it before that is right.
        crew.world.skew(laptop, 0);
        crew.world.pass(14 * HOUR_MS);
        let all = [crew.people[OWNER], crew.people[MEMBER], laptop];
        let epochs = all.map(|who| crew.world.steal(who, &crew.channel.clone()).epoch);
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{number} {elsewhere}");
    }
    assert!(parted > 0);
}

#[test]
fn who_has_not_heard_of_a_fork_looks_before_it_answers() {
    // spec: CLI-199
    let mut parted = 0;
    for number in 0..HALF_SEAL_WORLDS {
        let mut crew = crew_of(number);
        let laptop = link(&mut crew.world, crew.people[MEMBER]);
        crew.world.pass(60_000);
        part(&mut crew);
        crew.world.pass(500);
        // What it passed through it looks into minutes later.
        crew.world.restart(laptop);
        crew.world.pass(2 * HOUR_MS);
        let [owner, member] = broken(&mut crew);
        parted += usize::from(owner && !member);
        assert_together(&mut crew, &format!("{number}"));
        let all = [crew.people[OWNER], crew.people[MEMBER], laptop];
        let epochs = all.map(|who| crew.world.steal(who, &crew.channel.clone()).epoch);
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{number} {owner} {member}");
    }
    assert!(parted > 0);
}
