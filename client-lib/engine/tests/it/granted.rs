//! Devices that were granted, and come late or never.

use hushwire_engine::command::{ChatState, Command, FailureReason, LinkUse, Reply};

use hushwire_wire::{
    error::{Code, Refusal},
    message::Answer,
};

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

#[test]
fn a_device_that_is_among_the_own_ones_is_not_revoked_for_want_of_key_packages() {
    // spec: IDN-072
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    confirm(&mut world, laptop);
    // It gets the grant, is added, and does not hear of that.
    let mut items = 0;
    world.set_tamper(move |frame| {
        items += usize::from(matches!(frame.answer, Answer::InboxItem(_)));
        (items < 2 || !matches!(frame.answer, Answer::InboxItem(_))).then_some(frame)
    });
    confirm(&mut world, alice);
    world.pass(60_000);
    let own_group = world.own_group(alice);
    assert!(world.epoch_number(alice, &own_group) > 0);
    assert!(!world.channels(laptop).contains(&own_group));
    // Its key packages are used up when it is to come into another group, long after.
    world.set_tamper(|mut frame| {
        if matches!(frame.answer, Answer::KeyPackage { .. }) {
            frame.answer = Answer::Refused(Refusal::from(Code::ShelfEmpty));
        }
        (!matches!(frame.answer, Answer::InboxItem(_))).then_some(frame)
    });
    world.pass(4_000_000);
    world.ask(alice, Command::GroupNew { name: "Crew".into() });
    world.pass(600_000);
    assert_eq!(devices(&mut world, alice).len(), 2);
    assert_eq!(failures(&mut world, alice), []);
    world.set_tamper(Some);
    world.restart(laptop);
    world.pass(600_000);
    assert_reachable(&mut world, &[alice, laptop]);
}

#[test]
fn a_device_that_has_not_come_keeps_nobody_out() {
    // spec: CLI-183, IDN-054
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    // The laptop is listed, and nobody knows whether it will come.
    confirm(&mut world, alice);
    world.pass(60_000);
    assert_eq!(devices(&mut world, alice).len(), 2);
    let Reply::Chat(crew) = world.ask(bob, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    let add = Command::GroupAdd { chat: crew.number, contact: contacts[0].number };
    world.ask(bob, add);
    // By a link as well.
    let carol = world.person("Carol", 0);
    let link = world.link(alice, LinkUse::Single);
    world.ask(carol, Command::AddContact { link });
    world.pass(60_000);
    for chat in ["Crew", "Carol"] {
        assert_eq!(world.chat(alice, chat).state, ChatState::Open, "{chat}");
    }
    // It comes after all, and is brought in.
    confirm(&mut world, laptop);
    world.pass(240_000);
    for chat in ["Crew", "Carol"] {
        assert_eq!(world.chat(laptop, chat).state, ChatState::Open, "{chat}");
    }
}
