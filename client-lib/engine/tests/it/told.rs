//! What own devices tell each other of the groups that they are in: one whose invitation was lost asks.

use bytes::Bytes;
use hushwire_engine::{
    command::{ChatState, Command, Reply},
    event::{Event, Warning},
    store::Table,
};
use hushwire_wire::message::Answer;

use crate::{
    devices::link,
    world::{Who, World},
};

/// The relay bends what comes into the inbox of whoever is there, from now on.
fn bend_items(world: &mut World) {
    world.set_tamper(|mut frame| {
        if let Answer::InboxItem(item) = &mut frame.answer {
            let mut bytes = item.item.to_vec();
            bytes[90] ^= 1;
            item.item = Bytes::from(bytes);
        }
        Some(frame)
    });
}

/// Alice with two devices, of which the second is away, and Bob.
fn away() -> (World, Who, Who, Who) {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let tablet = link(&mut world, alice);
    let bob = world.person("Bob", 0);
    world.set_online(tablet, false);
    (world, alice, tablet, bob)
}

/// The tablet comes, and what came for it is bent.
fn come_to_bent_items(world: &mut World, tablet: Who) {
    bend_items(world);
    world.set_online(tablet, true);
    world.pass(60_000);
    world.set_tamper(Some);
    let rejected = Event::Warning(Warning::ItemRejected { code: "ITEM_NOT_OPENED".into() });
    assert!(world.events(tablet).contains(&rejected));
}

fn add(world: &mut World, who: Who, group: &str, person: &str) {
    let Reply::Contacts(contacts) = world.ask(who, Command::Contacts) else { panic!() };
    let contact = contacts.into_iter().find(|contact| contact.name == person).unwrap().number;
    let chat = world.chat(who, group).number;
    world.ask(who, Command::GroupAdd { chat, contact });
}

/// Alice is added to a group of Bob's while her second device is away.
fn away_from_crew() -> (World, Who, Who) {
    let (mut world, alice, tablet, bob) = away();
    world.set_online(tablet, true);
    world.befriend(bob, alice);
    world.pass(60_000);
    world.set_online(tablet, false);
    world.ask(bob, Command::GroupNew { name: "Crew".into() });
    add(&mut world, bob, "Crew", "Alice");
    world.settle();
    (world, alice, tablet)
}

#[test]
fn a_device_whose_invitation_to_a_direct_chat_was_lost_comes_into_it() {
    // spec: LNK-124, LNK-125
    let (mut world, alice, tablet, bob) = away();
    world.befriend(bob, alice);
    come_to_bent_items(&mut world, tablet);
    assert!(world.chats(tablet).iter().all(|chat| chat.name != "Bob"));
    world.pass(15 * 60_000);
    let chats = [(bob, "Alice"), (alice, "Bob"), (tablet, "Bob")];
    for (who, name) in chats {
        let chat = world.chat(who, name);
        assert_eq!(chat.state, ChatState::Open, "{who:?}");
        world.say(who, chat.number, &format!("of {}", who.0));
    }
    world.settle();
    for (who, name) in chats {
        let chat = world.chat(who, name).number;
        assert_eq!(world.texts(who, chat).len(), 3, "{who:?}");
    }
    let Reply::Status(status) = world.ask(tablet, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn a_device_whose_invitation_to_a_group_was_lost_comes_into_it() {
    // spec: LNK-124, LNK-125
    let (mut world, alice, tablet) = away_from_crew();
    // And one that Alice forms herself: her device is the one that brings in the other.
    world.ask(alice, Command::GroupNew { name: "Hers".into() });
    world.settle();
    come_to_bent_items(&mut world, tablet);
    world.pass(15 * 60_000);
    for name in ["Crew", "Hers"] {
        let chat = world.chat(tablet, name);
        assert_eq!(chat.state, ChatState::Open, "{name}");
        world.say(tablet, chat.number, "here");
        world.settle();
        let chat = world.chat(alice, name).number;
        assert_eq!(world.texts(alice, chat), ["here"], "{name}");
    }
}

#[test]
fn who_hears_of_a_group_that_is_over_asks_for_a_while_and_lets_it_be() {
    // spec: LNK-125
    let (mut world, alice, tablet) = away_from_crew();
    let chat = world.chat(alice, "Crew").number;
    world.ask(alice, Command::GroupLeave(chat));
    world.settle();
    come_to_bent_items(&mut world, tablet);
    let waiting = |world: &mut World| world.rows_of(tablet, Table::ChannelWish).len();
    assert_eq!(waiting(&mut world), 1);
    world.pass(60 * 60_000);
    assert_eq!(waiting(&mut world), 0);
    let given_up = |event: &Event| matches!(event, Event::RejoinGivenUp { .. });
    assert!(!world.events(tablet).iter().any(given_up), "nobody is told of what is no loss");
    assert!(world.chats(tablet).iter().all(|chat| chat.name != "Crew"));
}

#[test]
fn nobody_is_asked_about_a_device_that_is_about_to_be_added() {
    // spec: LNK-090, LNK-124, LNK-125
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 1);
    world.befriend(bob, alice);
    world.ask(bob, Command::GroupNew { name: "Crew".into() });
    add(&mut world, bob, "Crew", "Alice");
    world.settle();
    // The tablet hears of the group, whose relay is away: it cannot be added yet.
    world.set_up(1, false);
    let tablet = link(&mut world, alice);
    world.pass(30 * 60_000);
    let asked = |event: &Event| matches!(event, Event::ReadmissionAsked { .. });
    assert!(!world.events(alice).iter().any(asked));
    assert!(world.chats(tablet).is_empty());
    world.set_up(1, true);
    world.pass(30 * 60_000);
    for name in ["Crew", "Bob"] {
        assert_eq!(world.chat(tablet, name).state, ChatState::Open, "{name}");
    }
    assert!(!world.events(alice).iter().any(asked));
}
