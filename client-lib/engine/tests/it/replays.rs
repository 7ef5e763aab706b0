//! What a relay, or who has old items, shows a second time.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hushwire_engine::{
    command::{ChatState, Command, Reply},
    event::{Event, Warning},
};
use hushwire_wire::message::{Answer, PackageKind};

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
