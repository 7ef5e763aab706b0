//! Forks in the groups that nobody names: those of two people, and of one's own devices.

use hushwire_engine::command::{MessageState, Reply};
use hushwire_wire::id::ChannelId;

use super::*;
use crate::{
    devices::link,
    world::{Who, World},
};

fn spoil(world: &mut World, insider: Who, channel: &ChannelId) {
    let (intent, seals) = (CommitIntent::default(), Seals::Half);
    let (answer, _) = world.commit_unjudged(insider, channel, intent, Cut::Through, seals);
    assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
    world.set_online(insider, false);
}

fn was_refused(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Warning(Warning::CommitRejected { .. })))
}

#[test]
fn of_two_the_one_who_cannot_follow_is_told_and_waits_for_nobody() {
    // spec: CLI-191
    let mut told = 0;
    for number in 0..HALF_SEAL_WORLDS {
        let mut world = World::new(1);
        let (alice, bob) = (world.person("Alice", 0), world.person("Bob", 0));
        let (hers, _) = world.befriend(alice, bob);
        let of_bob = world.channels(bob);
        let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
        for _ in 0..number {
            world.ask(alice, Command::RefreshKeys);
            world.settle();
        }
        spoil(&mut world, bob, &channel);
        world.pass(60_000);
        world.say(alice, hers, "are you there?");
        world.pass(60_000);
        let events = world.events(alice);
        told += usize::from(was_refused(&events));
        assert!(!events.iter().any(unsettled), "{number}");
        assert_eq!(world.states(alice, hers), [MessageState::Stored], "{number}");
    }
    assert!(told > 0);
}

/// A person with three devices, and the group of these.
fn devices() -> (World, [Who; 3], ChannelId) {
    let mut world = World::new(1);
    let first = world.person("Alice", 0);
    let second = link(&mut world, first);
    let third = link(&mut world, first);
    let channels = world.channels(first);
    assert_eq!(channels.len(), 1);
    (world, [first, second, third], channels[0])
}

#[test]
fn ones_own_devices_come_together_again() {
    // spec: GRP-123, CLI-191, CLI-193
    let mut parted = 0;
    for number in 0..HALF_SEAL_WORLDS {
        let (mut world, [first, insider, third], channel) = devices();
        for _ in 0..number {
            world.ask(first, Command::RefreshKeys);
            world.settle();
        }
        spoil(&mut world, insider, &channel);
        world.pass(20 * 60 * 1000);
        let [one, other] = [first, third].map(|who| {
            let waited = |event: &Event| matches!(event, Event::GroupUnsettled { chat: None });
            world.events(who).iter().any(waited)
        });
        parted += usize::from(one != other);
        world.ask(first, Command::GroupNew { name: "Crew".into() });
        world.pass(60_000);
        let Reply::Chats(chats) = world.ask(third, Command::Chats) else { panic!() };
        assert_eq!(chats.len(), 1, "{number} {one} {other}");
        let [hers, theirs] = [first, third].map(|who| world.steal(who, &channel).epoch);
        assert_eq!(hers, theirs, "{number}");
    }
    assert!(parted > 0);
}

#[test]
fn a_contact_whose_own_commit_parts_ones_devices_hears_what_they_note() {
    // spec: CLI-190, CLI-198, CLI-199
    let mut parted = 0;
    for number in 0..HALF_SEAL_WORLDS {
        let mut world = World::new(1);
        let (alice, bob) = (world.person("Alice", 0), world.person("Bob", 0));
        world.befriend(alice, bob);
        let second = link(&mut world, alice);
        let of_bob = world.channels(bob);
        let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
        for _ in 0..number {
            world.ask(second, Command::RefreshKeys);
            world.settle();
        }
        world.set_online(alice, false);
        let (intent, seals) = (CommitIntent::default(), Seals::Half);
        let (answer, _) = world.commit_unjudged(bob, &channel, intent, Cut::Through, seals);
        assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
        world.pass(2 * 60 * 1000);
        world.set_online(alice, true);
        world.pass(14 * 60 * 60 * 1000);
        let refused = [alice, second].map(|who| was_refused(&world.events(who)));
        parted += usize::from(refused[0] != refused[1]);
        let [first, other, third] =
            [alice, second, bob].map(|who| world.steal(who, &channel).epoch);
        assert_eq!([other, third], [first, first], "{number} {refused:?}");
    }
    assert!(parted > 0);
}
