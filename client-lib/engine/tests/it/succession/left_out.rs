//! Who is left out of a group that is formed anew: those whom its founder names, and nobody else.

use hushwire_engine::{
    command::{Command, CommandError, MemberRole, Reply, RequestState},
    event::Event,
    store::Table,
};
use hushwire_protocol::content::{ControlEntry, ControlKind};

use super::{ALICE, BOB, CAROL, succeeded};
use crate::{rejoining::crew, world::past::Damage};

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
    for (count, refusal) in [(257, CommandError::TooManyLeftOut), (256, CommandError::NoSuchMember)]
    {
        let without = vec!["00".repeat(32); count];
        let refused = crew.world.try_ask(alice, Command::GroupSucceed { chat, without });
        assert_eq!(refused.err(), Some(refusal));
    }
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
