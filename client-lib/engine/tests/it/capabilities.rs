//! What a capability of an inbox is good for, how long, and for whom.

use hushwire_engine::{
    command::{Command, LinkUse, Reply},
    event::{Event, Warning},
};
use hushwire_wire::{error::Code, id::CapabilitySecret, message::Answer};

use crate::{
    devices,
    world::{Who, World, insider::capability_of},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn stored(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| matches!(answer, Answer::InboxSent { .. })).count()
}

fn codes(world: &mut World, who: Who) -> Vec<String> {
    let code = |event| match event {
        Event::Warning(Warning::ItemRejected { code }) => Some(code),
        _ => None,
    };
    world.events(who).into_iter().filter_map(code).collect()
}

fn fingerprint(world: &mut World, of: Who) -> String {
    let Reply::Profile(profile) = world.ask(of, Command::Profile) else { panic!() };
    profile.fingerprint
}

#[test]
fn a_capability_is_bounded_and_renewed_while_its_items_are_read() {
    // spec: IDN-061
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(alice, bob);
    world.settle();
    let of_bob = fingerprint(&mut world, bob);
    let card = world.known_card(alice, &of_bob);
    let contents: Vec<[u8; 2]> = (0..1_200_u16).map(u16::to_be_bytes).collect();
    let contents: Vec<&[u8]> = contents.iter().map(|content| &content[..]).collect();
    // Nobody reads: the inbox takes no more than the bound.
    world.set_online(bob, false);
    let answers = world.write_by(alice, &card, &contents);
    let refused = answers.iter().find_map(|answer| match answer {
        Answer::Refused(refusal) => Some(refusal.code),
        _ => None,
    });
    assert_eq!((stored(&answers) <= 1_000, refused), (true, Some(Code::CapabilitySpent)));
    // Bob reads, and the bound moves on.
    world.set_online(bob, true);
    world.settle();
    let more: Vec<[u8; 2]> = (2_000..2_900_u16).map(u16::to_be_bytes).collect();
    for part in more.chunks(300) {
        let part: Vec<&[u8]> = part.iter().map(|content| &content[..]).collect();
        let answers = world.write_by(alice, &card, &part);
        assert_eq!(stored(&answers), part.len());
        world.settle();
    }
}

#[test]
fn a_link_is_revoked_though_the_inbox_has_another_owner_key() {
    // spec: CLI-092
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let mallory = world.person("Mallory", 0);
    let (laptop, phone) = (devices::link(&mut world, alice), devices::link(&mut world, alice));
    let make = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: None };
    let Reply::Link(link) = world.ask(alice, make) else { panic!() };
    world.settle();
    // The laptop rotates the owner key, and Alice's device does not hear that its handle is over.
    world.set_tamper(|frame| {
        let denied =
            matches!(&frame.answer, Answer::Refused(refusal) if refusal.code == Code::Denied);
        (!denied).then_some(frame)
    });
    let of_phone = devices::number_of(&mut world, laptop, phone);
    world.ask(laptop, Command::DeviceRevoke(of_phone));
    world.settle();
    world.set_tamper(Some);
    world.ask(alice, Command::RevokeLink(link.number));
    world.settle();
    let answer = world.write_item(mallory, alice, capability_of(&link.text), b"anything");
    let Answer::Refused(refusal) = answer else { panic!("{answer:?}") };
    assert_eq!(refusal.code, Code::Denied);
}

#[test]
fn a_revoked_device_s_capabilities_end_with_it() {
    // spec: IDN-057
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (laptop, phone) = (devices::link(&mut world, alice), devices::link(&mut world, alice));
    world.befriend(bob, laptop);
    world.pass(60_000);
    // The capabilities that the laptop made: for Bob's first contact, and for Bob.
    let of_alice = fingerprint(&mut world, alice);
    world.set_online(bob, false);
    let card = world.known_card(bob, &of_alice);
    assert_eq!(stored(&world.write_by(bob, &card, &[b"before"])), 1);
    let number = devices::number_of(&mut world, phone, laptop);
    world.ask(phone, Command::DeviceRevoke(number));
    world.pass(180_000);
    let answers = world.write_by(bob, &card, &[b"after"]);
    let Answer::Refused(refusal) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(refusal.code, Code::Denied);
}

#[test]
fn what_was_replaced_works_for_a_while_and_then_not_any_more() {
    // spec: IDN-062
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    let laptop = devices::link(&mut world, alice);
    let of_alice = fingerprint(&mut world, alice);
    let before = world.known_card(bob, &of_alice);
    let number = devices::number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    world.pass(180_000);
    assert_eq!(world.old_seal_keys(alice), 1);
    // It never had the key before.
    let phone = devices::link(&mut world, alice);
    let after = world.known_card(bob, &of_alice);
    assert_ne!(before.capability.expose(), after.capability.expose());
    // What was sealed under way arrives, and opens.
    world.pass(29 * DAY_MS);
    assert_eq!(stored(&world.write_by(bob, &before, &[b"late"])), 1);
    world.settle();
    assert_eq!(codes(&mut world, alice), ["ITEM_NOT_UNDERSTOOD"]);
    assert_eq!(codes(&mut world, phone), [""; 0]);
    // Then the capability ends, and a day later the key.
    world.pass(2 * DAY_MS);
    world.restart(alice);
    world.settle();
    assert_eq!(stored(&world.write_by(bob, &before, &[b"too late"])), 0);
    world.pass(DAY_MS);
    world.restart(alice);
    world.settle();
    assert_eq!(world.old_seal_keys(alice), 0);
    // The old key opens nothing: not even by the capability of today.
    let mixed = hushwire_protocol::invitation::ContactCard {
        capability: CapabilitySecret::from_bytes(*after.capability.expose()),
        ..before
    };
    assert_eq!(stored(&world.write_by(bob, &mixed, &[b"to an old key"])), 1);
    world.settle();
    assert_eq!(codes(&mut world, alice), ["ITEM_NOT_UNDERSTOOD", "ITEM_NOT_OPENED"]);
    assert_eq!(codes(&mut world, phone), ["ITEM_NOT_OPENED"]);
    assert_eq!(stored(&world.write_by(bob, &after, &[b"to the new key"])), 1);
}
