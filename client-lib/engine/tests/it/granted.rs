//! Devices that were granted, and come late or never.

use hushwire_engine::command::{Command, FailureReason, Reply};

use crate::{
    devices::{assert_reachable, begin, confirm, devices, failures, link},
    world::World,
};

#[test]
fn a_device_that_was_granted_and_never_comes_is_revoked() {
    // spec: IDN-072
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    // Only one of the two answers.
    confirm(&mut world, alice);
    world.pass(3_000_000);
    assert_eq!(devices(&mut world, alice).len(), 2);
    world.set_online(alice, false);
    world.pass(3_600_000);
    assert_eq!(devices(&mut world, alice).len(), 2, "nothing is known of it");
    world.set_online(alice, true);
    world.pass(1_800_000);
    assert_eq!(devices(&mut world, alice).len(), 1);
    assert_eq!(failures(&mut world, alice), [FailureReason::Expired]);
    let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
    // The keys that were granted are over, and nobody minds.
    world.say(bob, his, "still there?");
    world.settle();
    assert_eq!(world.texts(alice, hers), ["still there?"]);
    let phone = link(&mut world, alice);
    assert_reachable(&mut world, &[alice, phone]);
}

#[test]
fn a_device_that_comes_late_but_with_key_packages_stays() {
    // spec: IDN-072
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    confirm(&mut world, laptop);
    confirm(&mut world, alice);
    world.pass(600);
    world.set_online(alice, false);
    world.pass(7_200_000);
    world.set_online(alice, true);
    world.pass(180_000);
    assert_reachable(&mut world, &[alice, laptop]);
}
