//! Groups that another one took the place of: what was said there, or was under way.

use std::{cell::Cell, rc::Rc};

use hushwire_engine::{
    command::{
        ChatNumber, ChatState, Command, GroupEdit, GroupLinkTerms, LinkAdmission, MemberRole,
        MessageNumber, MessageState, Pinned, Reply,
    },
    event::{Event, Warning},
};
use hushwire_wire::{frame::AnswerFrame, message::Answer};

use super::{ALICE, BOB, CAROL, link_device, removed::without_log_of, succeeded};
use crate::{
    doors::house::{house, join, state},
    rejoining::{Crew, crew},
    world::Who,
};

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
fn what_the_old_group_was_to_hear_waits_no_more_where_it_is_lost() {
    // spec: CLI-203, CLI-214
    let mut crew = crew();
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    let copy = crew.world.backup(0);
    crew.world.pass(20 * 24 * 3_600_000);
    // The others were to hear of a link.
    crew.world.set_online(alice, false);
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    crew.world.ask(alice, Command::GroupLinkMake { chat, terms });
    crew.world.restore(0, copy);
    crew.world.set_online(alice, true);
    crew.world.pass(3_600_000);
    assert_eq!(crew.state(ALICE), ChatState::Stuck);
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(3_600_000);
    assert_eq!(crew.state(ALICE), ChatState::Open);
    let Reply::Status(status) = crew.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn who_has_left_the_chat_is_not_brought_back_by_a_word_in_the_old_group() {
    // spec: CLI-201
    // One of the two words is above the other one.
    for [first, second] in [[ALICE, BOB], [BOB, ALICE]] {
        let mut crew = crew();
        crew.give(BOB, MemberRole::Owner);
        let carol = crew.people[CAROL];
        crew.world.set_online(crew.people[second], false);
        crew.succeed(first, &[]).unwrap();
        crew.world.pass(60_000);
        crew.world.set_mute(crew.people[second], true);
        crew.world.set_online(crew.people[second], true);
        crew.succeed(second, &[]).unwrap();
        crew.world.ask(carol, Command::GroupLeave(crew.chats[CAROL]));
        crew.world.pass(60_000);
        assert_eq!(crew.state(CAROL), ChatState::Left, "{first}");
        let followed = succeeded(&mut crew.world, carol);
        crew.world.set_mute(crew.people[second], false);
        crew.world.restart(crew.people[second]);
        crew.world.pass(300_000);
        assert_eq!(crew.state(CAROL), ChatState::Left, "{first}");
        assert_eq!(succeeded(&mut crew.world, carol), followed, "{first}");
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
fn what_a_revoked_link_led_to_is_offered_to_nobody() {
    // spec: CLI-202
    // The link is revoked before the relay knows it, with another one made in its place, or when the
    // relay knows it and the group before cannot be written to.
    for (published, another) in [(false, false), (false, true), (true, false)] {
        let mut crew = crew();
        let (alice, bob, chat) = (crew.people[ALICE], crew.people[BOB], crew.chats[ALICE]);
        if published {
            crew.world.set_tamper(without_entries);
        } else {
            crew.world.set_mute(alice, true);
        }
        let Reply::GroupLink(link) = crew.succeed(ALICE, &[]).unwrap() else { panic!() };
        crew.world.pass(10_000);
        crew.world.ask(alice, Command::GroupLinkRevoke { chat, link: link.number });
        if another {
            let admission = LinkAdmission::Former;
            let terms = GroupLinkTerms { admission, uses: None, expires_in_ms: None };
            crew.world.ask(alice, Command::GroupLinkMake { chat, terms });
        }
        crew.world.set_tamper(Some);
        crew.world.set_mute(alice, false);
        crew.world.restart(alice);
        crew.world.pass(300_000);
        let Reply::Status(status) = crew.world.ask(alice, Command::Status) else { panic!() };
        assert_eq!(status.waiting, 0, "{published} {another}");
        // Her contacts are invited.
        assert_eq!(succeeded(&mut crew.world, bob), 1);
        crew.assert_together("after");
    }
}

#[test]
fn a_member_who_is_no_contact_hears_nothing_of_a_link_that_its_maker_revoked() {
    // spec: CLI-202
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let (dave, alice, hers) = (house.dave, house.alice, house.hers);
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    house.world.hold(alice, |answer| matches!(answer, Answer::Done));
    house.world.ask(alice, Command::GroupSucceed { chat: hers, without: Vec::new() });
    house.world.pass(60_000);
    let links = house.links(alice);
    let [link] = &links[..] else { panic!("{links:?}") };
    house.world.ask(alice, Command::GroupLinkRevoke { chat: hers, link: link.number });
    assert!(house.world.release() > 0);
    house.world.restart(alice);
    house.world.pass(300_000);
    let Reply::Status(status) = house.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
    assert_eq!(succeeded(&mut house.world, dave), 0);
}

#[test]
fn nobody_else_ends_what_a_member_offers() {
    // spec: CLI-202
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let dave = house.dave;
    let chat = join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    let (alice, bob, hers, his) = (house.alice, house.bob, house.hers, house.his);
    // The relay's answer to who makes the link is late, and so is the offer.
    house.world.hold(alice, |answer| matches!(answer, Answer::Done));
    house.world.ask(alice, Command::GroupSucceed { chat: hers, without: Vec::new() });
    house.world.pass(60_000);
    assert_eq!(succeeded(&mut house.world, bob), 1, "he is her contact");
    assert_eq!(succeeded(&mut house.world, dave), 0);
    let links = house.links(bob);
    let [link] = &links[..] else { panic!("{links:?}") };
    house.world.ask(bob, Command::GroupLinkRevoke { chat: his, link: link.number });
    house.world.pass(60_000);
    assert!(house.world.release() > 0);
    house.world.restart(alice);
    house.world.pass(300_000);
    assert_eq!(succeeded(&mut house.world, dave), 1);
    house.world.say(alice, hers, "after");
    house.world.pass(60_000);
    assert_eq!(house.world.texts(dave, chat), ["after"]);
    let Reply::Status(status) = house.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
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

/// Whom this one adds does not hear of it: its device goes away before it sends the invitation.
fn add_and_go(crew: &mut Crew, place: usize, newcomer: Who) {
    let (who, chat) = (crew.people[place], crew.chats[place]);
    let Reply::Contacts(contacts) = crew.world.ask(who, Command::Contacts) else { panic!() };
    let contact = contacts.last().unwrap().number;
    let gone = Rc::new(Cell::new(false));
    crew.world.set_tamper(move |frame| {
        gone.set(gone.get() || matches!(frame.answer, Answer::Appended(_)));
        (!gone.get()).then_some(frame)
    });
    crew.world.ask(who, Command::GroupAdd { chat, contact });
    crew.world.settle();
    crew.world.set_online(who, false);
    crew.world.set_tamper(Some);
    let here: Vec<Who> = crew.people.iter().copied().filter(|here| *here != who).collect();
    here.into_iter().chain([newcomer]).for_each(|here| crew.world.restart(here));
    crew.world.pass(60_000);
}

/// The chats of the crew that somebody can write to.
fn open_crews(crew: &mut Crew, who: Who) -> Vec<ChatNumber> {
    let mut crews = crew.world.chats(who);
    crews.retain(|chat| chat.name == "Crew" && chat.state == ChatState::Open);
    crews.into_iter().map(|chat| chat.number).collect()
}

#[test]
fn who_is_invited_to_the_old_group_behind_the_new_one_has_one_chat() {
    // spec: CLI-219
    let mut crew = crew();
    crew.give(BOB, MemberRole::Owner);
    let dave = crew.world.person("Dave", 0);
    for place in [BOB, ALICE] {
        crew.world.befriend(crew.people[place], dave);
    }
    add_and_go(&mut crew, ALICE, dave);
    assert_eq!(crew.members(BOB).len(), 4);
    assert!(crew.world.chats(dave).iter().all(|chat| chat.name != "Crew"));
    crew.say(CAROL, "before");
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(120_000);
    let chat = crew.world.chat(dave, "Crew").number;
    // What stands in the old group may speak against it.
    let epoch = crew.world.steal(crew.people[CAROL], &crew.channel).epoch;
    crew.world.set_tamper(without_log_of(epoch));
    crew.world.set_online(crew.people[ALICE], true);
    crew.world.pass(120_000);
    assert_eq!(open_crews(&mut crew, dave).len(), 2);
    crew.world.set_tamper(Some);
    crew.world.restart(dave);
    crew.world.pass(120_000);
    assert_eq!(open_crews(&mut crew, dave), [chat]);
    let rejected = |event: &Event| matches!(event, Event::Warning(Warning::EntryRejected { .. }));
    assert!(!crew.world.events(dave).iter().any(rejected));
    crew.world.say(dave, chat, "of Dave");
    crew.say(ALICE, "of Alice");
    crew.world.settle();
    let mut heard = crew.world.texts(dave, chat);
    heard.sort();
    assert_eq!(heard, ["of Alice", "of Dave"]);
    // What was said in the old group until then stands in the chat that it had.
    let ended = crew.world.chats(dave).into_iter().find(|chat| chat.state == ChatState::Elsewhere);
    assert_eq!(crew.world.texts(dave, ended.unwrap().number), ["before"]);
    assert_eq!(crew.texts(ALICE).len(), 3);
}

#[test]
fn who_was_away_while_a_group_was_formed_anew_twice_has_one_chat() {
    // spec: CLI-219
    let mut crew = crew();
    let carol = crew.people[CAROL];
    let before: Vec<_> = crew.world.chats(carol).iter().map(|chat| chat.number).collect();
    // Carol gets the invitations, and hears nothing of the group.
    let epoch = crew.world.steal(carol, &crew.channel).epoch;
    crew.world.set_online(carol, false);
    for _ in 0..2 {
        crew.succeed(ALICE, &[]).unwrap();
        crew.world.pass(120_000);
    }
    crew.say(ALICE, "in the third");
    crew.world.pass(60_000);
    crew.world.set_tamper(without_log_of(epoch));
    crew.world.set_online(carol, true);
    crew.world.pass(60_000);
    // The second she was to come into by what stands in the first; the third is one that she does not
    // know to be her group.
    let mut crews = crew.world.chats(carol);
    crews.retain(|chat| chat.name == "Crew" && !before.contains(&chat.number));
    assert_eq!(crews.len(), 1);
    let between = crews[0].number;
    crew.world.say(carol, between, "of Carol");
    crew.world.pass(60_000);
    crew.world.set_tamper(Some);
    crew.world.restart(carol);
    crew.world.pass(240_000);
    assert_eq!(open_crews(&mut crew, carol), [crew.chats[CAROL]]);
    assert_eq!(state(&mut crew.world, carol, between), ChatState::Elsewhere);
    assert_eq!(crew.world.texts(carol, between), ["in the third", "of Carol"]);
    let rejected = |event: &Event| matches!(event, Event::Warning(Warning::EntryRejected { .. }));
    assert!(!crew.world.events(carol).iter().any(rejected));
    for place in [ALICE, BOB, CAROL] {
        crew.say(place, "in one chat");
        crew.world.settle();
    }
    for place in [ALICE, BOB, CAROL] {
        let heard = crew.texts(place).into_iter().filter(|text| text == "in one chat");
        assert_eq!(heard.count(), 3, "{place}");
    }
}

#[test]
fn who_has_not_read_of_the_device_that_forms_it_anew_follows_all_the_same() {
    // spec: CLI-187, GRP-142
    let mut crew = crew();
    let (alice, carol) = (crew.people[ALICE], crew.people[CAROL]);
    // Carol hears nothing of the group while Alice links a tablet, which forms it anew.
    let epoch = crew.world.steal(carol, &crew.channel).epoch;
    crew.world.set_online(carol, false);
    let tablet = link_device(&mut crew.world, alice);
    let chat = crew.world.chat(tablet, "Crew").number;
    crew.world.ask(tablet, Command::GroupSucceed { chat, without: Vec::new() });
    crew.world.pass(60_000);
    crew.world.set_tamper(without_log_of(epoch));
    crew.world.set_online(carol, true);
    crew.world.pass(60_000);
    crew.world.set_tamper(Some);
    crew.world.restart(carol);
    crew.world.pass(120_000);
    let crews = crew.world.chats(carol).into_iter().filter(|chat| chat.name == "Crew");
    assert_eq!(crews.count(), 1);
    let rejected = |event: &Event| matches!(event, Event::Warning(Warning::EntryRejected { .. }));
    assert!(!crew.world.events(carol).iter().any(rejected));
    crew.assert_together("in one chat");
}
