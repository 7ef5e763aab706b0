//! A commit that only some members can process: they part, hear of it, and come together again.

mod late;
mod leading;
mod lies;
mod newcomers;
mod small;

use std::collections::BTreeSet;

use hushwire_engine::{
    command::{ChatState, Command, StuckCause},
    event::{Event, Warning},
};
use hushwire_protocol::{
    group::{CommitIntent, LeafIndex, Statement},
    insider::Seals,
};
use hushwire_wire::{
    error::{Code, Refusal},
    id::{EntryId, Sequence},
    message::Answer,
    transcript::{Cut, Operation},
};

use crate::{
    rejoining::{Crew, crew},
    world::{Stolen, past::Damage},
};

/// The places of a crew: the owner, who is hostile, and who is not.
const OWNER: usize = 0;
const INSIDER: usize = 1;
const MEMBER: usize = 2;

const HOUR_MS: u64 = 60 * 60 * 1000;
const HALF_SEAL_WORLDS: u8 = 6;
const NOTES_MAX: u8 = 64;

/// A crew whose leaves have other keys for each number: other ones of them are those that a broken path
/// is broken for.
fn crew_of(number: u8) -> Crew {
    let mut crew = crew();
    for turn in 0..number {
        let place = if turn % 2 == 0 { OWNER } else { MEMBER };
        crew.world.ask(crew.people[place], Command::RefreshKeys);
        crew.world.settle();
    }
    crew
}

/// The insider's commit, of which the path opens for some; then it is seen no more.
fn part(crew: &mut Crew) -> (Stolen, EntryId) {
    let insider = crew.people[INSIDER];
    let channel = crew.channel;
    let stolen = crew.world.steal(insider, &channel);
    let (answer, entry) = crew.world.commit_unjudged(
        insider,
        &channel,
        CommitIntent::default(),
        Cut::Through,
        Seals::Half,
    );
    assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
    crew.world.set_online(insider, false);
    (stolen, entry)
}

/// Whether a device found the insider's commit invalid.
fn refused(crew: &mut Crew, place: usize) -> bool {
    let refused = |event: &Event| matches!(event, Event::Warning(Warning::CommitRejected { .. }));
    crew.events(place).iter().any(refused)
}

fn count(crew: &mut Crew, place: usize, wanted: fn(&Event) -> bool) -> usize {
    crew.events(place).iter().filter(|event| wanted(event)).count()
}

fn unsettled(event: &Event) -> bool {
    matches!(event, Event::GroupUnsettled { .. })
}

fn settled(event: &Event) -> bool {
    matches!(event, Event::GroupSettled { .. })
}

/// Whom it is broken for, of the two who keep to the program.
fn broken(crew: &mut Crew) -> [bool; 2] {
    [OWNER, MEMBER].map(|place| refused(crew, place))
}

/// The two who keep to the program are in one epoch, and hear each other.
fn assert_together(crew: &mut Crew, case: &str) {
    for place in [OWNER, MEMBER] {
        assert_eq!(crew.state(place), ChatState::Open, "{case}: {place}");
        crew.say(place, &format!("together, says {place}"));
        crew.world.settle();
    }
    for place in [OWNER, MEMBER] {
        let texts = crew.texts(place);
        for other in [OWNER, MEMBER] {
            let said = format!("together, says {other}");
            let heard = texts.iter().filter(|text| **text == said).count();
            assert_eq!(heard, 1, "{case}: {place} {texts:?}");
        }
    }
}

#[test]
fn members_whom_a_broken_path_parts_are_told_and_come_together() {
    // spec: GRP-120, GRP-121, GRP-122, GRP-123, CLI-190, CLI-191, CLI-192, CLI-193, CLI-194
    let mut cases = BTreeSet::new();
    for number in 0..HALF_SEAL_WORLDS {
        let mut crew = crew_of(number);
        part(&mut crew);
        crew.say(OWNER, "said meanwhile by the owner");
        crew.say(MEMBER, "said meanwhile by the member");
        crew.world.pass(20 * 60 * 1000);
        let broken = broken(&mut crew);
        let case = format!("{number} {broken:?}");
        assert_together(&mut crew, &case);
        let [owner, member] = broken;
        for place in [OWNER, MEMBER] {
            let texts = crew.texts(place);
            let heard = |said: &str| texts.iter().filter(|text| *text == said).count();
            assert_eq!(heard("said meanwhile by the member"), 1, "{case}: {place} {texts:?}");
            // Who comes back cannot read what was said there before.
            let missed = place == MEMBER && owner != member;
            let wanted = usize::from(!missed);
            assert_eq!(heard("said meanwhile by the owner"), wanted, "{case}: {place} {texts:?}");
        }
        assert_eq!(count(&mut crew, OWNER, unsettled), usize::from(owner), "{case}");
        assert_eq!(count(&mut crew, OWNER, settled), usize::from(owner), "{case}");
        assert_eq!(count(&mut crew, MEMBER, unsettled), usize::from(member), "{case}");
        // The owner's word settles it: nobody but the other one ever has to come back.
        assert!(crew.causes(OWNER).is_empty(), "{case}");
        let parted = usize::from(owner != member);
        assert_eq!(crew.causes(MEMBER), vec![StuckCause::OtherBranch; parted], "{case}");
        assert_eq!(crew.returns(MEMBER), parted, "{case}");
        cases.insert(broken);
    }
    assert!(cases.iter().any(|[owner, member]| owner != member), "{cases:?}");
}

/// Fills the notes of an epoch.
fn burn(crew: &mut Crew, stolen: &Stolen) {
    let mut seat = crew.world.take_seat(0, stolen);
    let mut noted = 0;
    loop {
        match crew.world.push(&mut seat, Operation::Note, &[noted; 256]) {
            Answer::Appended(_) => noted += 1,
            Answer::Refused(refusal) if refusal.code == Code::TooEarly => {
                crew.world.pass(refusal.retry_after_ms);
            }
            Answer::Refused(refusal) => {
                assert_eq!(refusal.code, Code::NotesExhausted);
                return assert_eq!(noted, NOTES_MAX);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn where_nobody_can_note_anything_those_who_are_parted_come_together() {
    // spec: CLI-195, CLI-196
    for number in 0..HALF_SEAL_WORLDS {
        let mut crew = crew_of(number);
        for place in [OWNER, MEMBER] {
            crew.world.set_online(crew.people[place], false);
        }
        let (stolen, _) = part(&mut crew);
        burn(&mut crew, &stolen);
        for place in [OWNER, MEMBER] {
            crew.world.set_online(crew.people[place], true);
        }
        crew.world.pass(3 * HOUR_MS);
        let broken = broken(&mut crew);
        assert_together(&mut crew, &format!("{number} {broken:?}"));
    }
}

#[test]
fn what_cannot_be_read_of_the_past_is_not_watched_and_all_else_goes_on() {
    // spec: CLI-161, CLI-190
    let mut crew = crew();
    let stolen = crew.world.steal(crew.people[INSIDER], &crew.channel.clone());
    crew.world.ask(crew.people[OWNER], Command::RefreshKeys);
    crew.world.settle();
    crew.world.set_online(crew.people[MEMBER], false);
    crew.world.damage(crew.people[MEMBER], &crew.channel.clone(), Damage::WithoutPast);
    // It would have to judge this by the members of that epoch.
    lies::contest(&mut crew, &stolen, INSIDER, LeafIndex(1));
    crew.world.set_online(crew.people[MEMBER], true);
    crew.world.pass(2 * HOUR_MS);
    assert!(crew.causes(MEMBER).is_empty());
    assert_together(&mut crew, "damaged");
}

#[test]
fn a_relay_that_contradicts_itself_about_the_common_epoch_is_asked_ever_less() {
    // spec: CLI-190
    for number in 0..2 {
        let mut crew = crew_of(number);
        let common = crew.world.steal(crew.people[INSIDER], &crew.channel.clone()).epoch;
        crew.world.set_tamper(move |mut frame| {
            if let Answer::ChannelOpened(opened) = &mut frame.answer
                && opened.epoch == common
            {
                opened.next = Sequence(0);
            }
            Some(frame)
        });
        part(&mut crew);
        crew.world.pass(HOUR_MS);
        for place in [OWNER, MEMBER] {
            let opens = crew.world.opens(crew.people[place], crew.channel);
            assert!((2..100).contains(&opens), "{number}, {place}: {opens}");
        }
    }
}

#[test]
fn a_relay_that_takes_back_what_stood_behind_a_commit_is_asked_ever_less() {
    // spec: CLI-177, CLI-190
    let mut crew = crew();
    let insider = crew.people[INSIDER];
    let stolen = crew.world.steal(insider, &crew.channel.clone());
    crew.world.set_online(crew.people[MEMBER], false);
    crew.world.ask(crew.people[OWNER], Command::RefreshKeys);
    crew.world.settle();
    lies::litter(&mut crew, &stolen);
    // It reads both at once, and that the relay has signed for both.
    crew.world.set_online(crew.people[MEMBER], true);
    crew.world.pass(60_000);
    lies::litter(&mut crew, &stolen);
    crew.world.pass(60_000);
    crew.world.set_tamper(move |mut frame| {
        if let Answer::ChannelOpened(opened) = &mut frame.answer
            && opened.epoch == stolen.epoch
        {
            opened.next = Sequence(0);
        }
        Some(frame)
    });
    crew.world.pass(HOUR_MS);
    assert_together(&mut crew, "taken back");
    let opens = crew.world.opens(crew.people[MEMBER], crew.channel);
    assert!((2..100).contains(&opens), "{opens}");
}

#[test]
fn who_looks_into_several_epochs_that_a_relay_has_lost_rests_between() {
    // spec: CLI-190, CLI-199
    let mut crew = crew();
    let mut lost = BTreeSet::new();
    for _ in 0..4 {
        lost.insert(crew.world.steal(crew.people[INSIDER], &crew.channel.clone()).epoch);
        crew.world.ask(crew.people[OWNER], Command::RefreshKeys);
        crew.world.settle();
    }
    crew.world.set_tamper(move |mut frame| {
        if matches!(&frame.answer, Answer::ChannelOpened(opened) if lost.contains(&opened.epoch)) {
            frame.answer = Answer::Refused(Refusal::from(Code::Denied));
        }
        Some(frame)
    });
    // Who looks has to look into each of them before it answers.
    let before = crew.world.opens(crew.people[OWNER], crew.channel);
    let (member, insider) = (crew.people[MEMBER], crew.people[INSIDER]);
    newcomers::lose_state_of(&mut crew, member, insider);
    crew.world.pass(HOUR_MS);
    assert_eq!(crew.returns(MEMBER), 1);
    let opens = crew.world.opens(crew.people[OWNER], crew.channel) - before;
    assert!((4..300).contains(&opens), "{opens}");
}

#[test]
fn a_crash_at_any_step_at_a_fork_changes_nothing() {
    // spec: CLI-001, CLI-190, CLI-193, CLI-194
    let parted = |number: &u8| {
        let mut crew = crew_of(*number);
        part(&mut crew);
        crew.world.pass(60_000);
        let [owner, member] = broken(&mut crew);
        owner != member
    };
    let number = (0..HALF_SEAL_WORLDS).find(parted).expect("a world where they part");
    for place in [OWNER, MEMBER] {
        for step in (1..60).step_by(4) {
            let mut crew = crew_of(number);
            part(&mut crew);
            crew.world.crash_at(crew.people[place], step);
            crew.world.pass(HOUR_MS);
            assert_eq!(crew.returns(MEMBER), 1, "{place} {step}");
            assert_together(&mut crew, &format!("{place} {step}"));
        }
    }
}

#[test]
fn who_says_one_thing_and_another_is_believed_the_first_and_told_of() {
    // spec: GRP-125
    let mut crew = crew();
    let insider = crew.people[INSIDER];
    let (stolen, entry) = part(&mut crew);
    let mut seat = crew.world.take_seat(0, &stolen);
    for candidate in [entry, EntryId::from_bytes([7; 32])] {
        let statement = Statement { candidate, leaf: LeafIndex(1) };
        let envelope = crew.world.seal_statement(insider, &stolen, statement);
        let answer = crew.world.push(&mut seat, Operation::Note, &envelope);
        assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
        crew.world.pass(1_000);
    }
    crew.world.pass(10 * 60 * 1000);
    let contradicts =
        |event: &Event| matches!(event, Event::Warning(Warning::MemberContradicts { .. }));
    assert!(count(&mut crew, OWNER, contradicts) > 0);
    assert_together(&mut crew, "contradiction");
}
