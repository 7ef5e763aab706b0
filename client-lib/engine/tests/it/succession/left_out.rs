//! Who is left out of a group that is formed anew: those whom its founder names, and nobody else.

use hushwire_engine::{
    command::{Command, CommandError, MemberRole, Reply, RequestAnswer, RequestState, Whose},
    event::Event,
    store::Table,
};
use hushwire_protocol::content::{ControlEntry, ControlKind};
use hushwire_wire::message::Answer;

use super::{ALICE, BOB, CAROL, link_of, succeeded};
use crate::{
    contests,
    hostile::GARBAGE,
    rejoining::crew,
    world::{Who, World, past::Damage},
};

#[test]
fn nobody_who_keeps_the_new_door_keeps_the_others_from_following_an_owner() {
    // spec: GRP-144, GRP-145
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(60_000);
    let (bob, carol, hers) = (crew.people[BOB], crew.people[CAROL], crew.chats[CAROL]);
    crew.world.ask(carol, Command::GroupFollow { chat: hers, by: None });
    crew.world.pass(60_000);
    // In the new group Bob is the owner, and says so of one who never was there.
    let alice = hex::decode(crew.fingerprint(ALICE)).unwrap();
    let needed = ControlEntry { kind: ControlKind::ApprovalNeeded, payload: alice };
    crew.world.tell_at_door(bob, crew.chats[BOB], vec![needed]);
    crew.world.settle();
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(120_000);
    assert_eq!(succeeded(&mut crew.world, carol), 2);
    crew.assert_together("by the owner's word");
}

#[test]
fn whoever_keeps_the_new_door_knows_who_is_left_out() {
    // spec: GRP-145, LNK-102, LNK-109
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    let (alice, bob, carol) = (crew.people[ALICE], crew.people[BOB], crew.people[CAROL]);
    crew.world.set_online(carol, false);
    crew.succeed(ALICE, &[CAROL]).unwrap();
    crew.world.pass(60_000);
    assert_eq!(crew.role(BOB, ALICE), Some(MemberRole::Admin));
    // Bob lets in who was there before, and is alone when she asks.
    crew.world.set_online(alice, false);
    crew.world.set_online(carol, true);
    crew.world.pass(120_000);
    assert_eq!(crew.members(BOB).len(), 2);
    let asked = Command::GroupRequests(crew.chats[BOB]);
    let Reply::GroupRequests(asking) = crew.world.ask(bob, asked) else { panic!() };
    let states: Vec<RequestState> = asking.iter().map(|request| request.state).collect();
    assert_eq!(states, [RequestState::Waiting]);
}

#[test]
fn no_more_are_left_out_than_the_new_group_can_name() {
    // spec: CLI-202, GRP-145
    let mut crew = crew();
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    let too_many = CommandError::TooManyLeftOut { most: 256 };
    for (count, refusal) in [(257, too_many), (256, CommandError::NoSuchMember)] {
        let without = vec!["00".repeat(32); count];
        let refused = crew.world.try_ask(alice, Command::GroupSucceed { chat, without });
        assert_eq!(refused.err(), Some(refusal));
    }
}

#[test]
fn while_changes_wait_no_more_are_left_out_than_a_note_can_name() {
    // spec: GRP-151
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let others: Vec<Who> = (0..20).map(|place| world.person(&format!("{place}"), 0)).collect();
    for other in &others {
        world.befriend(alice, *other);
    }
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let contacts = contacts.into_iter().map(|contact| contact.number).collect();
    let before = world.channels(alice);
    let new = Command::GroupNew { name: "Crew".to_owned() };
    let Reply::Chat(chat) = world.ask(alice, new) else { panic!() };
    let chat = chat.number;
    world.settle();
    world.ask(alice, Command::GroupAddAll { chat, contacts });
    world.pass(60_000);
    let Reply::Members(members) = world.ask(alice, Command::GroupMembers(chat)) else { panic!() };
    assert_eq!(members.len(), 21);
    let theirs = members.into_iter().filter(|member| member.whose == Whose::Others);
    let theirs: Vec<String> = theirs.map(|member| member.fingerprint).collect();
    // A change waits to be decided: nobody can open it, and Alice does not get through.
    for other in others {
        world.set_online(other, false);
    }
    world.set_commits_lost(alice, true);
    let known = world.channels(alice);
    let channel = *known.iter().find(|channel| !before.contains(channel)).unwrap();
    let stolen = world.steal(alice, &channel);
    let waits = world.inject(0, &stolen, contests::commit(1, &[]), &GARBAGE);
    assert!(matches!(waits, Answer::Appended(_)), "{waits:?}");
    world.pass(5_000);
    let mut succeed = |count: usize| {
        let without = theirs[..count].to_vec();
        world.try_ask(alice, Command::GroupSucceed { chat, without })
    };
    let refused = CommandError::TooManyLeftOut { most: 18 };
    for count in [19, 20] {
        assert_eq!(succeed(count).err(), Some(refused), "{count}");
    }
    assert_eq!(world.channels(alice), known);
    world.set_commits_lost(alice, false);
    world.pass(60_000);
    let without = theirs[..19].to_vec();
    world.ask(alice, Command::GroupSucceed { chat, without });
    assert_eq!(world.channels(alice).len(), known.len() + 1);
}

#[test]
fn a_word_from_the_future_is_followed_by_a_persons_word_and_is_not_the_last() {
    // spec: CLI-210
    let mut crew = crew();
    let (alice, carol) = (crew.people[ALICE], crew.people[CAROL]);
    let laptop = crate::devices::link(&mut crew.world, alice);
    crew.world.pass(120_000);
    // Whoever has this device says the last word that there can be, and lets nobody in by it.
    crew.world.set_online(laptop, false);
    crew.world.skew(laptop, 400 * 24 * 3_600_000);
    let chat = crew.world.chat(laptop, "Crew").number;
    crew.world.ask(laptop, Command::GroupSucceed { chat, without: Vec::new() });
    crew.world.set_online(laptop, true);
    crew.world.pass(60_000);
    crew.world.set_online(laptop, false);
    for place in [ALICE, BOB, CAROL] {
        let who = crew.people[place];
        assert_eq!(succeeded(&mut crew.world, who), 0, "{place}");
        let offered = |event: &Event| matches!(event, Event::SuccessorOffered { .. });
        assert_eq!(crew.events(place).into_iter().filter(offered).count(), 1, "{place}");
    }
    crew.world.ask(carol, Command::GroupFollow { chat: crew.chats[CAROL], by: None });
    crew.world.pass(60_000);
    // Bob has not followed: the owner's other device is heard.
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(120_000);
    for place in [ALICE, BOB] {
        assert_eq!(succeeded(&mut crew.world, crew.people[place]), 1, "{place}");
    }
    crew.say(ALICE, "here");
    crew.world.settle();
    assert_eq!(crew.texts(BOB), ["here"]);
}

#[test]
fn nobody_waits_for_who_is_left_out() {
    // spec: CLI-205, GRP-145
    let mut crew = crew();
    crew.world.set_online(crew.people[CAROL], false);
    crew.succeed(ALICE, &[CAROL]).unwrap();
    crew.world.pass(20_000);
    assert_eq!(crew.members(ALICE).len(), 2);
    // Else it would rest for a minute.
    crew.say(ALICE, "at once");
    crew.world.pass(5_000);
    assert_eq!(crew.texts(BOB), ["at once"]);
}

#[test]
fn a_word_from_the_future_is_not_followed_because_there_is_no_other_way_on() {
    // spec: CLI-210, CLI-211
    let mut crew = crew();
    let (alice, bob) = (crew.people[ALICE], crew.people[BOB]);
    let laptop = crate::devices::link(&mut crew.world, alice);
    crew.world.pass(120_000);
    crew.world.set_online(laptop, false);
    crew.world.skew(laptop, 36 * 3_600_000);
    let chat = crew.world.chat(laptop, "Crew").number;
    crew.world.ask(laptop, Command::GroupSucceed { chat, without: Vec::new() });
    crew.world.set_online(laptop, true);
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, bob), 0);
    // Bob gets stuck where it was said; its door is open to all who were there.
    crew.world.damage(bob, &crew.channel, Damage::Lost);
    crew.say(ALICE, "hello");
    crew.world.pass(60_000);
    assert_eq!(crew.causes(BOB).len(), 1);
    crew.world.pass(600_000);
    assert_eq!(succeeded(&mut crew.world, bob), 0);
    let rows = crew.world.rows_of(bob, Table::Profile);
    assert!(!rows.iter().any(|(key, _)| key.starts_with(b"asked ")), "nor is it asked for");
}

#[test]
fn who_is_left_out_comes_in_by_a_word_only() {
    // spec: LNK-109, CLI-202
    let mut crew = crew();
    let link = link_of(crew.succeed(ALICE, &[CAROL]).unwrap());
    crew.world.pass(60_000);
    crew.say(ALICE, "among us");
    crew.world.settle();
    assert_eq!(crew.texts(BOB), ["among us"]);
    assert_eq!(crew.texts(CAROL), Vec::<String>::new());
    assert_eq!(crew.members(ALICE).len(), 2);
    // She has asked by what the log offered, as everybody; the link lets her in no more than that.
    let carol = crew.people[CAROL];
    let joined = crew.world.try_ask(carol, Command::GroupJoin { link });
    assert!(joined.is_ok(), "{joined:?}");
    crew.world.pass(60_000);
    assert_eq!(crew.members(ALICE).len(), 2);
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    let Reply::GroupRequests(asking) = crew.world.ask(alice, Command::GroupRequests(chat)) else {
        panic!()
    };
    assert_eq!(asking.len(), 1);
    assert_eq!(asking[0].state, RequestState::Waiting);
    let (request, answer) = (asking[0].number, RequestAnswer::Approve);
    crew.world.ask(alice, Command::GroupAnswer { chat, request, answer });
    crew.world.pass(60_000);
    crew.assert_together("all the same");
}

#[test]
fn who_is_left_out_leads_nobody_away_by_a_word_of_its_own() {
    // spec: GRP-144
    let mut crew = crew();
    crew.give(BOB, MemberRole::Owner);
    let lower = if crew.fingerprint(ALICE) < crew.fingerprint(BOB) { ALICE } else { BOB };
    let upper = ALICE + BOB - lower;
    // The one whose word counts less leaves out the other.
    crew.succeed(upper, &[lower]).unwrap();
    crew.world.pass(120_000);
    assert_eq!(succeeded(&mut crew.world, crew.people[CAROL]), 1);
    crew.succeed(lower, &[]).unwrap();
    crew.world.pass(120_000);
    assert_eq!(succeeded(&mut crew.world, crew.people[CAROL]), 1);
    for place in [CAROL, upper] {
        let offered = |event: &Event| matches!(event, Event::SuccessorOffered { .. });
        assert_eq!(crew.events(place).into_iter().filter(offered).count(), 1, "{place}");
    }
    crew.say(upper, "without you");
    crew.world.settle();
    assert_eq!(crew.texts(CAROL), ["without you"]);
}
