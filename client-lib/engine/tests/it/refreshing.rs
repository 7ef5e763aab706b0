//! New keys for a device's leaves: on a schedule, and when a person asks.

use hushwire_engine::{
    command::{Command, FailureReason, LinkUse, Reply},
    event::{Event, Warning},
};
use hushwire_wire::{error::Code, id::ChannelId, message::Answer, transcript::Operation};

use crate::{
    devices::{assert_reachable, compare, confirm, devices, failures, link},
    rejoining::crew,
    world::{Who, World},
};

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Alice and Bob with a direct chat, and its channel.
fn pair(world: &mut World) -> (Who, Who, ChannelId) {
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    (alice, bob, channel)
}

fn epochs(world: &mut World, who: Who, channel: &ChannelId) -> u64 {
    world.look(who, channel, |group| group.epoch_number())
}

fn left(world: &mut World, who: Who) -> u64 {
    let Reply::Status(status) = world.ask(who, Command::Status) else { panic!() };
    status.refreshing
}

fn refreshed(world: &mut World, who: Who) -> usize {
    world.events(who).iter().filter(|event| **event == Event::KeysRefreshed).count()
}

#[test]
fn leaves_get_new_keys_from_time_to_time() {
    // spec: CLI-170
    let mut world = World::new(1);
    let (alice, bob, channel) = pair(&mut world);
    let before = epochs(&mut world, alice, &channel);
    world.pass(100 * DAY_MS);
    // Each of the two about once a week.
    let commits = epochs(&mut world, alice, &channel) - before;
    assert!((18..=60).contains(&commits), "{commits}");
    let (hers, his) = (world.chats(alice)[0].number, world.chats(bob)[0].number);
    world.say(alice, hers, "still here");
    world.settle();
    assert_eq!(world.texts(bob, his), ["still here"]);
}

#[test]
fn a_clock_that_jumps_makes_no_storm() {
    // spec: CLI-171
    let mut world = World::new(1);
    let (alice, bob, channel) = pair(&mut world);
    let before = epochs(&mut world, bob, &channel);
    for _ in 0..20 {
        world.skew(alice, 3_650 * DAY_MS as i64);
        world.pass(60_000);
        world.skew(alice, 0);
        world.pass(60_000);
    }
    assert_eq!(epochs(&mut world, bob, &channel), before);
    // Ahead for good, she renews once, and then as everybody.
    world.skew(alice, 3_650 * DAY_MS as i64);
    world.pass(3 * HOUR_MS);
    assert_eq!(epochs(&mut world, bob, &channel), before + 1);
    world.pass(DAY_MS);
    assert_eq!(epochs(&mut world, bob, &channel), before + 1);
}

#[test]
fn a_thief_of_the_store_is_shut_out_when_the_person_asks_for_new_keys() {
    // spec: CLI-172, IDN-075, IDN-076
    let mut world = World::new(1);
    let (alice, bob, channel) = pair(&mut world);
    let laptop = link(&mut world, alice);
    let contact = world.link(alice, LinkUse::Lasting);
    world.pass(5_000);
    let stolen = world.steal(alice, &channel);
    let own = world.channels(laptop).into_iter().find(|id| *id != channel).unwrap();
    let [owner, seal] = world.inbox_keys(alice);
    let whose = fingerprint(&mut world, alice);
    let old_card = world.known_card(bob, &whose);
    let before = [channel, own].map(|channel| epochs(&mut world, laptop, &channel));
    world.set_online(alice, false);
    world.ask(alice, Command::RefreshKeys);
    assert_eq!(left(&mut world, alice), 4);
    assert_eq!(refreshed(&mut world, alice), 0);
    world.restart(alice);
    assert_eq!(left(&mut world, alice), 4);
    world.set_online(alice, true);
    world.pass(180_000);
    assert_eq!((left(&mut world, alice), refreshed(&mut world, alice)), (0, 1));
    for (channel, before) in [channel, own].iter().zip(before) {
        assert!(epochs(&mut world, laptop, channel) > before);
    }
    // With the stolen keys nobody writes any more.
    let late = world.inject(0, &stolen, Operation::Message, &[2; 300]);
    assert!(matches!(late, Answer::Refused(_)), "{late:?}");
    // All own devices have the inbox's new keys, and so has who writes to them.
    let [new_owner, new_seal] = world.inbox_keys(alice);
    assert!(new_owner != owner && new_seal != seal);
    assert_eq!(world.inbox_keys(laptop), [new_owner, new_seal]);
    let new_card = world.known_card(bob, &whose);
    assert_ne!(new_card.capability.expose(), old_card.capability.expose());
    assert_ne!(new_card.shelf_key, old_card.shelf_key);
    // A link that was given out leads there as before.
    let carol = world.person("Carol", 0);
    world.ask(carol, Command::AddContact { link: contact });
    world.pass(180_000);
    assert!(world.chats(laptop).iter().any(|chat| chat.name == "Carol"));
    assert_reachable(&mut world, &[alice, laptop]);
    assert_eq!(refreshed(&mut world, alice), 1);
}

fn fingerprint(world: &mut World, who: Who) -> String {
    let Reply::Profile(profile) = world.ask(who, Command::Profile) else { panic!() };
    profile.fingerprint
}

#[test]
fn a_refresh_goes_on_after_a_crash_at_any_step() {
    // spec: CLI-172, CLI-175
    for step in 1..30 {
        let mut world = World::new(1);
        let (alice, bob, channel) = pair(&mut world);
        world.pass(5_000);
        let before = epochs(&mut world, bob, &channel);
        world.crash_at(alice, step);
        world.ask(alice, Command::RefreshKeys);
        world.pass(240_000);
        assert_eq!((left(&mut world, alice), refreshed(&mut world, alice)), (0, 1), "{step}");
        assert!(epochs(&mut world, bob, &channel) > before, "{step}");
        // Whatever is on the shelf can be used.
        let carol = world.person("Carol", 0);
        world.befriend(carol, alice);
        let chat = world.chat(carol, "Alice").number;
        world.say(carol, chat, "hello");
        world.settle();
        let hers = world.chat(alice, "Carol").number;
        assert_eq!(world.texts(alice, hers), ["hello"], "{step}");
    }
}

#[test]
fn a_group_that_is_being_left_is_not_waited_for() {
    // spec: CLI-172
    let mut crew = crew();
    let [alice, bob, carol] = crew.people[..] else { panic!() };
    let chat = crew.chats[1];
    // Nobody is there to take note.
    [alice, carol].into_iter().for_each(|other| crew.world.set_online(other, false));
    crew.world.ask(bob, Command::GroupLeave(chat));
    crew.world.pass(30_000);
    crew.world.ask(bob, Command::RefreshKeys);
    crew.world.pass(240_000);
    assert_eq!((left(&mut crew.world, bob), refreshed(&mut crew.world, bob)), (0, 1));
    [alice, carol].into_iter().for_each(|other| crew.world.set_online(other, true));
    crew.world.pass(240_000);
    let Reply::Status(status) = crew.world.ask(bob, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn two_refreshes_and_two_devices_at_once_come_to_one_inbox() {
    // spec: CLI-172, IDN-063, IDN-075
    let mut world = World::new(1);
    let (alice, _, channel) = pair(&mut world);
    let laptop = link(&mut world, alice);
    for _ in 0..2 {
        world.ask(alice, Command::RefreshKeys);
        world.ask(laptop, Command::RefreshKeys);
        world.ask(alice, Command::RefreshKeys);
    }
    world.pass(400_000);
    for who in [alice, laptop] {
        assert_eq!(left(&mut world, who), 0);
        assert!(refreshed(&mut world, who) > 0);
    }
    assert_eq!(world.inbox_keys(alice), world.inbox_keys(laptop));
    assert_eq!(epochs(&mut world, alice, &channel), epochs(&mut world, laptop, &channel));
    assert_reachable(&mut world, &[alice, laptop]);
}

#[test]
fn new_keys_for_who_linked_a_device_just_now_are_told_to_it_or_end_the_linking() {
    // spec: IDN-063
    let mut world = World::new(1);
    let (alice, _, _) = pair(&mut world);
    let laptop = compare(&mut world, alice);
    world.set_online(laptop, false);
    confirm(&mut world, alice);
    world.ask(alice, Command::RefreshKeys);
    confirm(&mut world, laptop);
    world.set_online(laptop, true);
    world.pass(300_000);
    assert_eq!(failures(&mut world, alice), [FailureReason::DevicesChanged]);
    assert_eq!(devices(&mut world, alice).len(), 1);
    let again = link(&mut world, alice);
    assert_reachable(&mut world, &[alice, again]);
}

#[test]
fn new_keys_for_a_device_that_has_not_read_its_invitation_end_the_linking() {
    // spec: IDN-055, IDN-063
    let mut world = World::new(1);
    let (alice, _, _) = pair(&mut world);
    let laptop = compare(&mut world, alice);
    world.set_commits_lost(alice, true);
    confirm(&mut world, alice);
    confirm(&mut world, laptop);
    world.pass(10_000);
    world.set_online(laptop, false);
    world.set_commits_lost(alice, false);
    world.restart(alice);
    world.pass(60_000);
    // It is in the group by now, and does not know.
    assert_eq!(failures(&mut world, alice), []);
    world.ask(alice, Command::RefreshKeys);
    world.pass(60_000);
    world.set_online(laptop, true);
    world.pass(300_000);
    assert_eq!(failures(&mut world, alice), [FailureReason::DevicesChanged]);
    assert_eq!(devices(&mut world, alice).len(), 1);
    let again = link(&mut world, alice);
    assert_reachable(&mut world, &[alice, again]);
    // Who has spoken is in, however long it was silent.
    world.set_online(again, false);
    world.ask(alice, Command::RefreshKeys);
    world.pass(300_000);
    world.set_online(again, true);
    world.pass(300_000);
    assert_eq!(failures(&mut world, alice), [FailureReason::DevicesChanged]);
    assert_reachable(&mut world, &[alice, again]);
}

#[test]
fn the_inbox_opens_for_the_others_while_the_renewal_among_them_waits() {
    // spec: IDN-075
    let mut world = World::new(1);
    let (alice, _, _) = pair(&mut world);
    let laptop = link(&mut world, alice);
    world.set_commits_lost(alice, true);
    world.ask(alice, Command::RefreshKeys);
    world.pass(60_000);
    world.restart(laptop);
    world.pass(15 * 60_000);
    let denied = |event: &Event| matches!(event, Event::Warning(Warning::InboxDenied { .. }));
    assert!(!world.events(laptop).iter().any(denied));
    world.set_commits_lost(alice, false);
    world.restart(alice);
    world.pass(300_000);
    assert_eq!(world.inbox_keys(laptop), world.inbox_keys(alice));
    assert!(world.events(alice).contains(&Event::KeysRefreshed));
    assert_reachable(&mut world, &[alice, laptop]);
}

#[test]
fn own_devices_write_by_the_capability_before_until_they_hear_of_the_new_one() {
    // spec: IDN-062, IDN-075
    let mut world = World::new(1);
    let (alice, _, _) = pair(&mut world);
    let laptop = link(&mut world, alice);
    world.pass(5_000);
    let earlier = world.own_capability(laptop);
    let card = world.card(laptop, earlier);
    world.set_online(laptop, false);
    world.ask(alice, Command::RefreshKeys);
    world.pass(180_000);
    assert_eq!(left(&mut world, alice), 0);
    assert_ne!(world.own_capability(alice).expose(), card.capability.expose());
    let write = |world: &mut World| world.write_by(laptop, &card, &[b"anything"]).remove(0);
    let answer = write(&mut world);
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    world.set_online(laptop, true);
    world.pass(29 * DAY_MS);
    let answer = write(&mut world);
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    // Each that has replaced it ends it.
    world.pass(2 * DAY_MS);
    world.restart(alice);
    world.settle();
    let Answer::Refused(refusal) = write(&mut world) else { panic!("it still works") };
    assert_eq!(refusal.code, Code::Denied);
}

#[test]
fn a_commit_that_was_made_before_is_no_renewal_that_was_asked_for() {
    // spec: CLI-172
    let mut world = World::new(1);
    let (alice, bob, channel) = pair(&mut world);
    world.pass(5_000);
    let before = epochs(&mut world, bob, &channel);
    // The first renewal is sealed, its answer is lost; it could have been read.
    world.set_mute(alice, true);
    world.ask(alice, Command::RefreshKeys);
    world.set_mute(alice, false);
    world.ask(alice, Command::RefreshKeys);
    world.restart(alice);
    world.pass(240_000);
    assert_eq!(epochs(&mut world, bob, &channel), before + 2);
}
