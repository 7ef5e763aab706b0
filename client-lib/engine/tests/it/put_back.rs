//! A relay that was put back to an old copy of itself: what belongs in an inbox there is put again.

use hushwire_engine::{
    command::{Command, LinkNumber, LinkUse, Reply, ThisDevice},
    event::{Event, Warning},
};
use hushwire_wire::message::Answer;

use crate::{
    devices::{assert_reachable, devices, link},
    world::{Who, World},
};

fn warnings(world: &mut World, who: Who) -> usize {
    let warned = |event: &&Event| matches!(event, Event::Warning(Warning::InboxRolledBack { .. }));
    world.events(who).iter().filter(warned).count()
}

fn denied(world: &mut World, who: Who) -> bool {
    let denied = |event: &Event| matches!(event, Event::Warning(Warning::InboxDenied { .. }));
    world.events(who).iter().any(denied)
}

/// Somebody new, at another relay, reaches a person by a link, and is heard.
fn assert_reached(world: &mut World, who: Who, name: &str) {
    let link = world.link(who, LinkUse::Single);
    let stranger = world.person(name, 1);
    let Reply::Chat(chat) = world.ask(stranger, Command::AddContact { link }) else { panic!() };
    world.say(stranger, chat.number, "hello");
    world.pass(60_000);
    let theirs = world.chat(who, name).number;
    assert_eq!(world.texts(who, theirs), ["hello"], "{name}");
}

#[test]
fn an_inbox_whose_relay_forgot_new_keys_has_them_again() {
    // spec: CLI-181, CLI-182
    // One rotation is forgotten, or more than one.
    for rotations in 1..=3 {
        let mut world = World::new(2);
        let alice = world.person("Alice", 0);
        let laptop = link(&mut world, alice);
        let before = world.backup(0);
        for _ in 0..rotations {
            world.ask(alice, Command::RefreshKeys);
            world.pass(120_000);
        }
        let keys = world.inbox_keys(alice);
        world.restore(0, before);
        world.pass(240_000);
        assert!(warnings(&mut world, alice) > 0, "{rotations}");
        assert_eq!(world.inbox_keys(alice), keys);
        assert_eq!(world.inbox_keys(laptop), keys);
        assert_reached(&mut world, alice, "Bob");
        for who in [alice, laptop] {
            assert!(!denied(&mut world, who), "{who:?}");
        }
    }
}

#[test]
fn an_answer_about_a_key_that_another_has_replaced_is_no_sign_of_an_old_copy() {
    // spec: CLI-181
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    world.set_online(laptop, false);
    world.hold(laptop, |answer| matches!(answer, Answer::InboxOpened { .. }));
    world.set_online(laptop, true);
    world.pass(60_000);
    world.ask(alice, Command::RefreshKeys);
    world.pass(8_000);
    assert!(world.release() > 0);
    world.pass(240_000);
    assert_eq!(warnings(&mut world, laptop), 0);
    assert_eq!(world.inbox_keys(laptop), world.inbox_keys(alice));
    assert_reachable(&mut world, &[alice, laptop]);
}

#[test]
fn a_revoked_device_is_shut_out_again() {
    // spec: CLI-181
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let lost = link(&mut world, alice);
    let before = world.backup(0);
    world.set_online(lost, false);
    let listed = devices(&mut world, alice);
    let number = listed.iter().find(|device| device.current == ThisDevice::No).unwrap().number;
    world.ask(alice, Command::DeviceRevoke(number));
    world.pass(120_000);
    world.restore(0, before);
    world.pass(240_000);
    world.set_online(lost, true);
    world.pass(900_000);
    assert!(denied(&mut world, lost));
    assert!(!denied(&mut world, alice));
    assert_reached(&mut world, alice, "Bob");
}

#[test]
fn an_inbox_that_the_relay_does_not_have_any_more_is_made_again() {
    // spec: CLI-181, CLI-182
    let mut world = World::new(2);
    let before = world.backup(0);
    let alice = world.person("Alice", 0);
    let lasting = world.link(alice, LinkUse::Lasting);
    world.settle();
    world.restore(0, before);
    world.pass(120_000);
    assert_reached(&mut world, alice, "Bob");
    // What was given out before is good again.
    let carol = world.person("Carol", 1);
    world.ask(carol, Command::AddContact { link: lasting });
    world.pass(60_000);
    assert_eq!(world.chats(alice).len(), 2);
}

#[test]
fn what_was_put_at_an_inbox_and_taken_away_is_so_again() {
    // spec: CLI-182
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let [bob, carol, dave] = ["Bob", "Carol", "Dave"].map(|name| world.person(name, 1));
    let open = world.link(alice, LinkUse::Lasting);
    world.settle();
    let Reply::Links(links) = world.ask(alice, Command::Links) else { panic!() };
    let before = world.backup(0);
    let revoked: LinkNumber = links[0].number;
    world.ask(alice, Command::RevokeLink(revoked));
    let later = world.link(alice, LinkUse::Lasting);
    world.ask(bob, Command::AddContact { link: later.clone() });
    world.settle();
    let laptop = link(&mut world, alice);
    world.restore(0, before);
    world.pass(240_000);
    world.ask(carol, Command::AddContact { link: later });
    world.ask(dave, Command::AddContact { link: open });
    world.pass(240_000);
    let mut names: Vec<String> = world.chats(alice).into_iter().map(|chat| chat.name).collect();
    names.sort();
    assert_eq!(names, ["Bob", "Carol"]);
    // The list names the device that came meanwhile: who adds her adds it too.
    let hers = world.chat(carol, "Alice").number;
    world.say(carol, hers, "for both");
    world.pass(60_000);
    let there = world.chat(laptop, "Carol").number;
    assert_eq!(world.texts(laptop, there), ["for both"]);
    assert_reachable(&mut world, &[alice]);
}
