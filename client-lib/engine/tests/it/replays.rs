//! What a relay, or who has old items, shows a second time.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hushwire_engine::{
    command::{ChatState, Command, LinkUse, Reply},
    event::{Event, RelayFault, Warning},
};
use hushwire_wire::{
    id::Sequence,
    message::{Answer, PackageKind},
};

use crate::world::{Who, World};

/// Somebody who was in a group by a key package of last resort and was removed, with the item that
/// brought them in.
struct Removed {
    world: World,
    alice: Who,
    bob: Who,
    item: Bytes,
}

fn removed() -> Removed {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    let of_alice = contacts[0].fingerprint.clone();
    let card = world.known_card(bob, &of_alice);
    // Bob has taken as many as he gets, and is left with the last resort.
    let single =
        |answer: &Answer| matches!(answer, Answer::KeyPackage { kind: PackageKind::Single, .. });
    while single(&world.take_package(alice, &card)) {}
    let seen = Arc::new(Mutex::new(Vec::new()));
    let items = Arc::clone(&seen);
    world.set_tamper(move |frame| {
        if let Answer::InboxItem(item) = &frame.answer {
            items.lock().unwrap().push(item.item.clone());
        }
        Some(frame)
    });
    let Reply::Chat(crew) = world.ask(bob, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    world.ask(bob, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.settle();
    assert_eq!(world.chat(alice, "Crew").state, ChatState::Open);
    world.ask(bob, Command::GroupRemove { chat: crew.number, member: of_alice });
    world.settle();
    assert_eq!(world.chat(alice, "Crew").state, ChatState::Removed);
    let item = seen.lock().unwrap().pop().unwrap();
    Removed { world, alice, bob, item }
}

fn rejected(world: &mut World, who: Who) -> Vec<String> {
    let code = |event| match event {
        Event::Warning(Warning::ItemRejected { code }) => Some(code),
        _ => None,
    };
    world.events(who).into_iter().filter_map(code).collect()
}

#[test]
fn an_item_that_comes_again_does_nothing() {
    // spec: CLI-088
    let Removed { mut world, alice, bob, item } = removed();
    let before = world.events(alice).len();
    world.set_tamper(move |mut frame| {
        if let Answer::InboxItem(other) = &mut frame.answer {
            other.item = item.clone();
        }
        Some(frame)
    });
    let capability = world.own_capability(alice);
    let answer = world.write_item(bob, alice, capability, b"anything");
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    world.settle();
    assert_eq!(world.events(alice).len(), before);
    assert_eq!(world.chat(alice, "Crew").state, ChatState::Removed);
}

#[test]
fn no_epoch_is_entered_twice() {
    // spec: LNK-061
    let Removed { mut world, alice, bob, item } = removed();
    // The same invitation in another item, of the same sender: the key package still opens it.
    let content = world.open_item(alice, &item);
    let capability = world.own_capability(alice);
    let answer = world.write_item(bob, alice, capability, &content);
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    world.settle();
    assert_eq!(rejected(&mut world, alice), ["INVITATION_NOT_VALID"]);
    assert_eq!(world.chat(alice, "Crew").state, ChatState::Removed);
}

fn rollbacks(world: &mut World, who: Who) -> usize {
    let warned = |event: &&Event| matches!(event, Event::Warning(Warning::InboxRolledBack { .. }));
    world.events(who).iter().filter(warned).count()
}

fn faults(world: &mut World, who: Who) -> Vec<RelayFault> {
    let fault = |event| match event {
        Event::Warning(Warning::RelayFault { fault, .. }) => Some(fault),
        _ => None,
    };
    world.events(who).into_iter().filter_map(fault).collect()
}

fn names(world: &mut World, who: Who) -> Vec<String> {
    let mut names: Vec<String> = world.chats(who).into_iter().map(|chat| chat.name).collect();
    names.sort();
    names
}

#[test]
fn an_inbox_that_was_put_back_is_read_on_and_told_once() {
    // spec: CLI-095
    // Bob hears of it before others have written, or not until they have filled the places again.
    for back_at_once in [true, false] {
        let mut world = World::new(2);
        let bob = world.person("Bob", 0);
        let [carol, dave, eve] = ["Carol", "Dave", "Eve"].map(|name| world.person(name, 1));
        let link = world.link(bob, LinkUse::Lasting);
        let before = world.backup(0);
        world.ask(carol, Command::AddContact { link: link.clone() });
        world.settle();
        assert_eq!(names(&mut world, bob), ["Carol"]);
        world.set_online(bob, back_at_once);
        world.restore(0, before);
        world.pass(60_000);
        for who in [dave, eve] {
            world.ask(who, Command::AddContact { link: link.clone() });
            world.pass(60_000);
        }
        world.set_online(bob, true);
        world.pass(60_000);
        assert_eq!(rollbacks(&mut world, bob), 1, "back at once: {back_at_once}");
        if back_at_once {
            assert_eq!(names(&mut world, bob), ["Carol", "Dave", "Eve"]);
        }
        // Key packages that were used before are not on the shelf any more.
        let frank = world.person("Frank", 1);
        let chat = world.ask(frank, Command::AddContact { link: link.clone() });
        let Reply::Chat(chat) = chat else { panic!() };
        world.say(frank, chat.number, "hello again");
        world.pass(60_000);
        let his = world.chat(bob, "Frank").number;
        assert_eq!(world.texts(bob, his), ["hello again"]);
        world.restart(bob);
        world.pass(60_000);
        assert_eq!(rollbacks(&mut world, bob), 1);
        assert!(faults(&mut world, bob).is_empty());
    }
}

#[test]
fn an_item_at_an_impossible_place_ends_the_session_and_nothing_else() {
    // spec: CLI-094
    for place in [1 << 60, 0] {
        let mut world = World::new(1);
        let bob = world.person("Bob", 0);
        let [alice, carol] = ["Alice", "Carol"].map(|name| world.person(name, 0));
        world.befriend(alice, bob);
        let link = world.link(bob, LinkUse::Lasting);
        let mut lied = false;
        world.set_tamper(move |mut frame| {
            if let Answer::InboxItem(item) = &mut frame.answer
                && !core::mem::replace(&mut lied, true)
            {
                item.sequence = Sequence(place);
            }
            Some(frame)
        });
        world.ask(carol, Command::AddContact { link });
        world.pass(60_000);
        assert_eq!(faults(&mut world, bob), [RelayFault::ItemOutOfPlace]);
        assert_eq!(names(&mut world, bob), ["Alice", "Carol"]);
        assert_eq!(rollbacks(&mut world, bob), 0);
    }
}

#[test]
fn a_cursor_that_a_lie_has_moved_far_ahead_comes_back() {
    // spec: CLI-095
    let mut world = World::new(1);
    let bob = world.person("Bob", 0);
    let [alice, carol] = ["Alice", "Carol"].map(|name| world.person(name, 0));
    let link = world.link(bob, LinkUse::Lasting);
    world.set_tamper(|mut frame| {
        match &mut frame.answer {
            Answer::InboxOpened { next, .. } => *next = Sequence(1 << 60),
            Answer::InboxItem(item) => item.sequence = Sequence((1 << 60) - 1),
            _ => {}
        }
        Some(frame)
    });
    world.restart(bob);
    world.ask(alice, Command::AddContact { link: link.clone() });
    world.pass(60_000);
    world.set_tamper(Some);
    world.restart(bob);
    world.ask(carol, Command::AddContact { link });
    world.pass(60_000);
    assert_eq!(names(&mut world, bob), ["Alice", "Carol"]);
    assert_eq!(rollbacks(&mut world, bob), 1);
}
