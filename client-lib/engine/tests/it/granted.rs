//! Devices that were granted, and come late or never.

use hushwire_engine::{
    command::{ChatState, Command, FailureReason, LinkUse, Reply},
    event::Event,
};

use hushwire_wire::{
    error::{Code, Refusal},
    message::Answer,
};

use crate::{
    devices::{assert_reachable, begin, confirm, devices, failures, link, number_of},
    succession::without_log_of,
    world::{Who, World},
};

/// A device that is linked from now on gets the grant, and no item behind that.
fn lose_invitations(world: &mut World) {
    let mut items = 0;
    world.set_tamper(move |frame| {
        items += usize::from(matches!(frame.answer, Answer::InboxItem(_)));
        (items < 2 || !matches!(frame.answer, Answer::InboxItem(_))).then_some(frame)
    });
}

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
    lose_invitations(&mut world);
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

/// Alice's two devices, and a laptop that they have added and that has lost its invitation.
fn added_unheard() -> (World, [Who; 3]) {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let tablet = link(&mut world, alice);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    // The relay has no slot of the new device any more when that is added.
    let copy = world.backup(0);
    world.set_commits_lost(alice, true);
    confirm(&mut world, laptop);
    confirm(&mut world, alice);
    world.pass(30_000);
    let own_group = world.own_group(alice);
    let epoch = world.epoch_number(alice, &own_group);
    world.set_online(laptop, false);
    world.restore(0, copy);
    world.set_commits_lost(alice, false);
    world.pass(120_000);
    assert_eq!(world.epoch_number(alice, &own_group), epoch + 1, "it was added");
    (world, [alice, tablet, laptop])
}

#[test]
fn a_device_that_was_added_in_an_epoch_that_the_relay_lost_is_added_again() {
    // spec: LNK-090, LNK-123
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let tablet = link(&mut world, alice);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    world.set_commits_lost(alice, true);
    confirm(&mut world, laptop);
    confirm(&mut world, alice);
    world.pass(30_000);
    let own_group = world.own_group(alice);
    let epoch = world.epoch_number(alice, &own_group);
    world.set_online(laptop, false);
    world.set_online(tablet, false);
    let copy = world.backup(0);
    world.set_commits_lost(alice, false);
    world.pass(120_000);
    assert_eq!(world.epoch_number(alice, &own_group), epoch + 1, "it was added");
    world.restore(0, copy);
    world.set_online(tablet, true);
    world.pass(180_000);
    let came_back = |event: &Event| matches!(event, Event::GroupRejoined { chat: None, .. });
    assert!(world.events(alice).iter().any(came_back));
    world.set_online(laptop, true);
    world.pass(20 * 60_000);
    for who in [alice, tablet, laptop] {
        assert_eq!(world.own_group(who), own_group, "it was not formed anew");
        assert_eq!(devices(&mut world, who).len(), 3, "{who:?}");
    }
    assert!(world.channels(laptop).contains(&own_group));
    assert_reachable(&mut world, &[alice, tablet, laptop]);
}

#[test]
fn a_device_whose_invitation_was_lost_asks_to_be_let_in() {
    // spec: LNK-123
    let (mut world, home) = added_unheard();
    let [alice, _, laptop] = home;
    let own_group = world.own_group(alice);
    world.set_online(laptop, true);
    world.pass(300_000);
    assert!(!world.channels(laptop).contains(&own_group), "the others have read the invitation");
    world.pass(600_000);
    assert!(world.channels(laptop).contains(&own_group));
    assert_reachable(&mut world, &home);
    let Reply::Status(status) = world.ask(laptop, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn a_device_that_is_not_let_in_for_days_goes_on_asking() {
    // spec: LNK-123
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let (mut world, home) = added_unheard();
    let [alice, tablet, laptop] = home;
    [alice, tablet].into_iter().for_each(|who| world.set_online(who, false));
    let copy = world.backup(0);
    world.set_online(laptop, true);
    world.pass(4 * DAY_MS);
    // All that it asked until then is lost.
    world.restore(0, copy);
    [alice, tablet].into_iter().for_each(|who| world.set_online(who, true));
    world.pass(DAY_MS / 3);
    let own_group = world.own_group(alice);
    assert!(world.channels(laptop).contains(&own_group));
    assert_reachable(&mut world, &home);
}

#[test]
fn a_device_that_came_while_nobody_looked_stays_when_keys_change() {
    // spec: IDN-063
    for other in [None, Some("old phone")] {
        let mut world = World::new(1);
        let alice = world.person("Alice", 0);
        let revoked = other.map(|_| link(&mut world, alice));
        let laptop = world.device("laptop");
        begin(&mut world, alice, laptop);
        world.settle();
        confirm(&mut world, laptop);
        // The laptop comes in, and says so, when Alice's device is away; so with a command line.
        lose_invitations(&mut world);
        confirm(&mut world, alice);
        world.pass(60_000);
        world.set_online(alice, false);
        world.set_tamper(Some);
        world.restart(laptop);
        world.pass(60_000);
        let own_group = world.own_group(laptop);
        assert!(world.channels(laptop).contains(&own_group));
        match revoked {
            Some(phone) => {
                let number = number_of(&mut world, alice, phone);
                world.ask(alice, Command::DeviceRevoke(number));
            }
            None => {
                world.ask(alice, Command::RefreshKeys);
            }
        }
        world.set_online(alice, true);
        world.pass(10 * 60_000);
        assert_eq!(failures(&mut world, alice), []);
        assert_eq!(devices(&mut world, alice).len(), 2);
        assert_reachable(&mut world, &[alice, laptop]);
        let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
        assert_eq!(status.waiting, 0);
    }
}

#[test]
fn who_is_linked_behind_new_keys_has_them_and_stays() {
    // spec: IDN-063
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    // The tablet is granted, and never comes.
    let tablet = world.device("tablet");
    begin(&mut world, alice, tablet);
    world.settle();
    world.set_online(tablet, false);
    confirm(&mut world, alice);
    world.pass(60_000);
    // Alice's device draws new keys, and does not hear of its own group until it has linked another one.
    let own_group = world.own_group(alice);
    let epoch = world.steal(alice, &own_group).epoch;
    world.set_tamper(without_log_of(epoch));
    world.restart(alice);
    world.ask(alice, Command::RefreshKeys);
    world.settle();
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    confirm(&mut world, alice);
    confirm(&mut world, laptop);
    world.pass(60_000);
    assert!(world.events(laptop).contains(&Event::DeviceLinked));
    world.set_tamper(Some);
    world.restart(alice);
    world.pass(10 * 60_000);
    assert_eq!(failures(&mut world, alice), [FailureReason::DevicesChanged]);
    let listed = devices(&mut world, alice);
    assert_eq!(listed.len(), 2);
    let names: Vec<&str> = listed.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names[1..], ["laptop 2"]);
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
