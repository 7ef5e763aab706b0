//! Key packages: how many there are, and what becomes of old ones.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hushwire_engine::command::{ChatState, Command, Reply};
use hushwire_protocol::invitation::{ContactCard, InboxContent};
use hushwire_wire::{
    error::Code,
    id::{ChannelId, Sequence},
    message::{Answer, PackageKind, PackageKindsPresent},
};

use crate::{
    invitations::{invitation, send},
    world::{Who, World},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Says that every shelf is empty, always.
fn say_empty(world: &mut World) {
    world.set_tamper(|mut frame| {
        if let Answer::ShelfState { packages, .. } = &mut frame.answer {
            *packages = 0;
        }
        Some(frame)
    });
}

#[test]
fn what_a_relay_refuses_is_forgotten() {
    // spec: CLI-091
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    assert_eq!(world.own_packages(alice), 21);
    say_empty(&mut world);
    for _ in 0..8 {
        world.restart(alice);
        world.settle();
    }
    // The relay takes a hundred, and the last resort.
    assert_eq!(world.own_packages(alice), 101);
}

#[test]
fn a_relay_does_not_draw_key_packages_without_end() {
    // spec: CLI-089
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    world.set_tamper(|mut frame| {
        match &mut frame.answer {
            Answer::ShelfState { packages, .. } => *packages = 0,
            Answer::Refused(refusal) if refusal.code == Code::LimitExceeded => {
                let last_resort = PackageKindsPresent::WithLastResort;
                frame.answer = Answer::ShelfState { packages: 0, last_resort };
            }
            _ => {}
        }
        Some(frame)
    });
    for _ in 0..14 {
        world.restart(alice);
        world.settle();
    }
    assert_eq!(world.own_packages(alice), 201);
}

#[test]
fn a_relay_that_never_answers_a_put_does_not_draw_key_packages_without_end() {
    // spec: CLI-089, CLI-112
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    let mut asked = 0;
    world.set_tamper(move |mut frame| {
        match &mut frame.answer {
            // Its copy is old, so that the shelf has to be cleared.
            Answer::InboxOpened { next, .. } => {
                *next = Sequence::FIRST;
                asked = 0;
            }
            // What is on the shelf is answered, and no put.
            Answer::ShelfState { .. } => {
                asked += 1;
                return (asked == 1).then_some(frame);
            }
            _ => {}
        }
        Some(frame)
    });
    for _ in 0..230 {
        world.restart(alice);
    }
    assert_eq!(world.own_packages(alice), 200 + 200);
    // An honest relay gives out the last resort, and it is good.
    world.set_tamper(Some);
    world.restart(alice);
    world.settle();
    let carol = world.person("Carol", 0);
    world.befriend(carol, alice);
    assert_eq!(world.chat(alice, "Carol").state, ChatState::Open);
}

#[test]
fn items_do_not_make_a_client_ask_for_its_shelf_again_and_again() {
    // spec: CLI-089
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    world.pass(120_000);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    world.set_online(alice, false);
    for number in 1..10 {
        let channel = ChannelId::from_bytes([number; 32]);
        let content = invitation(&mut world, bob, bob, channel);
        send(&mut world, bob, alice, InboxContent::Invitation(Box::new(content)));
    }
    world.set_tamper(move |frame| {
        if matches!(frame.answer, Answer::ShelfState { .. }) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Some(frame)
    });
    world.set_online(alice, true);
    world.pass(30_000);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    world.pass(120_000);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// What is left on a shelf for one who has taken all that they get.
fn last_resort(world: &mut World, of: Who, card: &ContactCard) -> Vec<u8> {
    loop {
        match world.take_package(of, card) {
            Answer::KeyPackage { package, kind: PackageKind::LastResort } => {
                return package.to_vec();
            }
            Answer::KeyPackage { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_last_resort_is_replaced_and_the_old_one_forgotten() {
    // spec: CLI-090, CLI-091
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    let card = world.known_card(bob, &contacts[0].fingerprint);
    world.pass(2 * DAY_MS);
    // One that nobody used stays for a month.
    let first = last_resort(&mut world, alice, &card);
    world.pass(DAY_MS);
    assert_eq!(last_resort(&mut world, alice, &card), first);
    // Bob has taken all that he gets in a day, and joins Alice by the last resort.
    let Reply::Chat(crew) = world.ask(bob, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    world.ask(bob, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.settle();
    assert_eq!(world.chat(alice, "Crew").state, ChatState::Open);
    world.pass(DAY_MS);
    let second = last_resort(&mut world, alice, &card);
    assert_ne!(second, first);
    world.pass(31 * DAY_MS);
    let third = last_resort(&mut world, alice, &card);
    assert_ne!(third, second);
    // Those that were taken, and the replaced last resorts, are still good for what is under way.
    let many = world.own_packages(alice);
    assert!(many > 40, "{many}");
    world.pass(95 * DAY_MS);
    let few = world.own_packages(alice);
    assert!(few < 30, "{few}");
}
