//! Groups that another one took the place of: what was said there, or was under way.

use hushwire_engine::command::{Command, GroupEdit, MessageNumber, MessageState, Pinned, Reply};
use hushwire_wire::{frame::AnswerFrame, message::Answer};

use super::{ALICE, BOB, CAROL, link_device, succeeded};
use crate::rejoining::crew;

#[test]
fn what_waits_in_the_old_group_is_said_in_the_new_one() {
    // spec: CLI-203
    let mut crew = crew();
    let bob = crew.people[BOB];
    crew.world.set_online(bob, false);
    crew.say(BOB, "written on the road");
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(60_000);
    crew.world.set_online(bob, true);
    crew.world.pass(120_000);
    for place in [ALICE, BOB, CAROL] {
        assert_eq!(crew.texts(place), ["written on the road"], "{place}");
    }
    crew.assert_together("after");
}

#[test]
fn what_still_waits_in_the_old_group_when_that_is_given_up_is_said_in_the_new_one() {
    // spec: CLI-203, CNT-045
    const FORTY_DAYS_MS: i64 = 40 * 24 * 60 * 60 * 1000;
    let mut crew = crew();
    let alice = crew.people[ALICE];
    crew.world.set_mute(alice, true);
    crew.say(ALICE, "sealed, and never arrived");
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.skew(alice, FORTY_DAYS_MS);
    crew.world.pass(60_000);
    crew.world.set_mute(alice, false);
    crew.world.skew(alice, 0);
    crew.world.restart(alice);
    crew.world.pass(10 * 60_000);
    // Whom a wrong clock kept from being added does not hear it; its relay has it.
    let said = crew.world.states(alice, crew.chats[ALICE]);
    assert!(
        matches!(said[..], [MessageState::Stored | MessageState::Delivered { .. }]),
        "{said:?}"
    );
}

#[test]
fn what_was_said_in_the_old_group_is_pinned_in_the_new_one() {
    // spec: CNT-043, CNT-050
    let mut crew = crew();
    crew.say(CAROL, "before");
    crew.world.settle();
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(60_000);
    let (alice, chat, message) = (crew.people[ALICE], crew.chats[ALICE], MessageNumber(1));
    crew.world.ask(alice, Command::SetPinned { chat, message, pinned: Pinned::Yes });
    crew.world.settle();
    for place in [ALICE, BOB, CAROL] {
        let (who, chat) = (crew.people[place], crew.chats[place]);
        let all = crew.world.messages(who, chat).into_iter();
        let pinned = all.filter(|one| one.pinned == Pinned::Yes).map(|one| one.number);
        assert_eq!(pinned.collect::<Vec<_>>(), [message], "{place}");
    }
}

#[test]
fn who_leaves_what_it_formed_offers_it_to_nobody() {
    // spec: CLI-202
    let mut crew = crew();
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    crew.world.set_mute(alice, true);
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.ask(alice, Command::GroupLeave(chat));
    crew.world.set_mute(alice, false);
    crew.world.restart(alice);
    crew.world.pass(300_000);
    let Reply::Status(status) = crew.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
    assert_eq!(succeeded(&mut crew.world, crew.people[BOB]), 0);
}

#[test]
fn a_device_that_is_linked_later_has_one_chat() {
    // spec: IDN-054, CLI-203
    let mut crew = crew();
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(60_000);
    for place in [ALICE, BOB] {
        let laptop = link_device(&mut crew.world, crew.people[place]);
        crew.world.pass(120_000);
        let chats = crew.world.chats(laptop).into_iter();
        assert_eq!(chats.filter(|chat| chat.name == "Crew").count(), 1, "{place}");
    }
    crew.assert_together("after");
}

/// What is stored is, and nobody hears of it.
fn without_entries(frame: AnswerFrame) -> Option<AnswerFrame> {
    let silent = matches!(frame.answer, Answer::Appended(_) | Answer::Entry(_));
    (!silent).then_some(frame)
}

#[test]
fn what_was_under_way_in_the_old_group_is_heard_once() {
    // spec: CLI-203
    // The relay has it and its answer was lost, or the relay never got it.
    for stored in [true, false] {
        let mut crew = crew();
        let bob = crew.people[BOB];
        if stored {
            crew.world.set_tamper(without_entries);
        } else {
            crew.world.set_mute(bob, true);
        }
        crew.say(BOB, "under way");
        crew.world.settle();
        crew.world.set_online(bob, false);
        crew.world.set_mute(bob, false);
        crew.world.set_tamper(Some);
        crew.succeed(ALICE, &[]).unwrap();
        crew.world.pass(60_000);
        crew.world.set_online(bob, true);
        crew.world.pass(240_000);
        for place in [ALICE, BOB, CAROL] {
            assert_eq!(crew.texts(place), ["under way"], "{place}, stored: {stored}");
        }
        crew.assert_together("after");
    }
}

#[test]
fn a_change_that_is_under_way_in_the_old_group_blocks_nothing() {
    // spec: CLI-203
    let mut crew = crew();
    let alice = crew.people[ALICE];
    crew.world.set_tamper(without_entries);
    let description = Some("ours".to_owned());
    let change = GroupEdit { description, ..GroupEdit::default() }.into();
    crew.world.ask(alice, Command::ChangeGroup { chat: crew.chats[ALICE], change });
    crew.world.settle();
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.set_tamper(Some);
    crew.world.pass(300_000);
    crew.assert_together("described");
    let (bob, chat) = (crew.people[BOB], crew.chats[BOB]);
    let Reply::Group(info) = crew.world.ask(bob, Command::GroupInfo(chat)) else { panic!() };
    assert_eq!(info.description, "ours");
    let Reply::Status(status) = crew.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn what_a_relay_lost_of_the_old_group_is_heard_once_in_the_new_one() {
    // spec: CNT-045, CLI-178, CLI-203
    let mut crew = crew();
    let bob = crew.people[BOB];
    let before = crew.world.backup(0);
    crew.say(BOB, "heard");
    crew.world.settle();
    crew.world.set_online(bob, false);
    crew.world.restore(0, before);
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(60_000);
    crew.world.set_online(bob, true);
    crew.world.pass(240_000);
    for place in [ALICE, BOB, CAROL] {
        assert_eq!(crew.texts(place), ["heard"], "{place}");
    }
    let delivered = MessageState::Delivered { people: 2, of: 2 };
    assert_eq!(crew.world.states(bob, crew.chats[BOB]), [delivered]);
    crew.assert_together("after");
}
