//! Who comes into a group that a stolen device is in: where they write, whom they bring along, and what
//! they say there.

use hushwire_engine::{
    command::{Command, LinkUse},
    event::Event,
};
use hushwire_wire::{
    id::{ChannelId, Sequence},
    message::Answer,
};

use super::{id, theft};
use crate::{
    devices::{link, number_of},
    world::{World, past::Damage},
};

#[test]
fn who_was_put_into_a_group_by_a_stolen_device_writes_where_the_contact_was_heard() {
    // spec: LNK-120, CLI-016
    for (beginning, linked) in [(1, false), (1, true), (0, false)] {
        let mut theft = theft();
        let (alice, bob, stolen) = (theft.alice, theft.bob, theft.stolen);
        let known = theft.world.channels(alice);
        // Bob has a leaf there, and reads no invitation.
        let of_thief = [0, 0, 0, 0, 0, 0, beginning, u8::from(beginning > 0)];
        theft.lure_silently(of_thief);
        let came = theft.world.channels(alice).contains(&id(of_thief));
        // spec: LNK-113
        assert_eq!(came, beginning > 0);
        let of_stolen = number_of(&mut theft.world, alice, stolen);
        theft.world.ask(alice, Command::DeviceRevoke(of_stolen));
        theft.world.pass(180_000);
        if !came {
            assert_eq!(theft.world.channels(alice), known);
            continue;
        }
        let laptop = linked.then(|| link(&mut theft.world, alice));
        theft.world.pass(60_000);
        let of_laptop = laptop.map(|laptop| theft.world.channels(laptop));
        assert!(of_laptop.is_none_or(|channels| !channels.contains(&id(of_thief))));
        let before = [theft.genuine, id(of_thief)].map(|at| theft.world.next_place(alice, &at));
        let (who, chat) = match laptop {
            Some(laptop) => (laptop, theft.world.chat(laptop, "Bob").number),
            None => (alice, theft.hers),
        };
        theft.world.say(who, chat, "from her");
        theft.world.pass(60_000);
        let after = [theft.genuine, id(of_thief)].map(|at| theft.world.next_place(alice, &at));
        assert_eq!(after, [Sequence(before[0].0 + 1), before[1]]);
        // He was invited all the same.
        theft.world.set_online(bob, true);
        theft.world.pass(60_000);
        assert!(theft.texts(bob).contains(&"from her".to_owned()));
    }
}

#[test]
fn who_revokes_brings_nobody_into_a_group_where_the_contact_may_not_be() {
    // spec: LNK-120, IDN-057
    // Alice's devices are asked for a key package in an order that is left to chance; of the two, it is
    // she who has to be there.
    let mut came = 0;
    for missing in [2, 3] {
        let mut theft = theft();
        let (alice, bob, stolen) = (theft.alice, theft.bob, theft.stolen);
        let tablet = link(&mut theft.world, alice);
        let chat = theft.world.chat(tablet, "Bob").number;
        theft.world.say(bob, theft.his, "three");
        theft.world.pass(60_000);
        theft.world.set_online(tablet, false);
        // The thief gets Bob's key package, and that of one of her devices.
        theft.without_packages(move |count| count == missing || count > 3);
        let of_thief = [0, 0, 0, 0, 0, 0, 1, 1];
        theft.lure_silently(of_thief);
        theft.world.set_tamper(Some);
        if !theft.world.channels(alice).contains(&id(of_thief)) {
            continue;
        }
        let of_stolen = number_of(&mut theft.world, alice, stolen);
        theft.world.ask(alice, Command::DeviceRevoke(of_stolen));
        theft.world.pass(60_000);
        theft.world.set_online(tablet, true);
        theft.world.pass(180_000);
        assert!(!theft.world.channels(tablet).contains(&id(of_thief)));
        let before = theft.world.next_place(alice, &theft.genuine);
        theft.world.say(tablet, chat, "from the tablet");
        theft.world.pass(60_000);
        assert!(theft.world.next_place(alice, &theft.genuine) > before);
        assert_eq!(theft.texts(alice).last().unwrap(), "from the tablet");
        came += 1;
    }
    assert_eq!(came, 1);
}

#[test]
fn who_is_brought_into_a_group_by_an_own_device_writes_where_the_contact_was_heard() {
    // spec: LNK-120, CLI-016
    let mut theft = theft();
    let (alice, bob) = (theft.alice, theft.bob);
    let of_thief = [0, 0, 0, 0, 0, 0, 1, 1];
    // Nobody knows of a theft so far.
    theft.lure_silently(of_thief);
    assert!(theft.world.channels(alice).contains(&id(of_thief)));
    let places = [theft.genuine, id(of_thief)];
    let before = places.map(|at| theft.world.next_place(alice, &at));
    theft.world.say(alice, theft.hers, "from her");
    theft.world.pass(60_000);
    let after = places.map(|at| theft.world.next_place(alice, &at));
    assert_eq!(after, [Sequence(before[0].0 + 1), before[1]]);
    // Once he is heard there, it is a group of theirs like any other, and the lowest.
    theft.world.set_online(bob, true);
    theft.world.pass(60_000);
    assert_eq!(theft.texts(bob).last().unwrap(), "from her");
    let genuine = theft.world.next_place(alice, &theft.genuine);
    theft.world.say(alice, theft.hers, "by the other");
    theft.world.pass(60_000);
    assert_eq!(theft.world.next_place(alice, &theft.genuine), genuine);
    assert_eq!(theft.texts(bob).last().unwrap(), "by the other");
}

#[test]
fn who_comes_back_into_a_group_where_a_stolen_device_stands_sends_no_card_there() {
    // spec: LNK-112
    let mut world = World::new(2);
    let alice = world.person("Alice", 1);
    let bob = world.person("Bob", 0);
    let stolen = link(&mut world, alice);
    let [to_alice, to_bob] = [alice, bob].map(|who| world.link(who, LinkUse::Lasting));
    for who in [alice, bob] {
        world.set_online(who, false);
    }
    // Each begins a group at the own relay; hers comes first.
    let [hers, his] = [[1; 32], [2; 32]].map(ChannelId::from_bytes);
    for (who, link, channel) in [(alice, to_bob, hers), (bob, to_alice, his)] {
        world.load_dice(who, *channel.as_bytes());
        world.ask(who, Command::AddContact { link });
    }
    for who in [alice, bob] {
        world.set_online(who, true);
    }
    world.pass(180_000);
    let chat = world.chat(alice, "Bob").number;
    assert!([his, hers].iter().all(|group| world.channels(bob).contains(group)));
    // He is stuck in hers and asks to be added again; she does that while he is away.
    for who in [bob, stolen] {
        world.set_online(who, false);
    }
    world.damage(bob, &hers, Damage::Lost);
    world.say(alice, chat, "one");
    world.pass(60_000);
    for (comes, goes) in [(bob, alice), (alice, bob)] {
        world.set_online(goes, false);
        world.set_online(comes, true);
        world.pass(180_000);
    }
    // Out of his group she removes the stolen device, and not of hers yet.
    world.set_up(1, false);
    let of_stolen = number_of(&mut world, alice, stolen);
    world.ask(alice, Command::DeviceRevoke(of_stolen));
    world.pass(180_000);
    world.set_online(alice, false);
    // He hears of it in his before he reads the invitation.
    let is_item = |answer: &Answer| matches!(answer, Answer::InboxItem(_));
    world.set_tamper(move |frame| (!is_item(&frame.answer)).then_some(frame));
    world.set_online(bob, true);
    world.pass(60_000);
    world.set_tamper(Some);
    world.set_up(1, true);
    world.restart(bob);
    world.pass(60_000);
    let returned = |event: &Event| matches!(event, Event::GroupRejoined { .. });
    assert_eq!(world.events(bob).iter().filter(|event| returned(event)).count(), 1);
    assert_eq!(world.next_place(bob, &hers), Sequence(0), "the thief would read it");
}

#[test]
fn a_device_that_comes_into_the_group_of_a_stolen_one_later_knows_it() {
    // spec: LNK-111, LNK-112, IDN-085
    let mut came = 0;
    for missing in [1, 2] {
        let mut theft = theft();
        let (alice, bob, stolen) = (theft.alice, theft.bob, theft.stolen);
        let tablet = link(&mut theft.world, bob);
        theft.world.pass(60_000);
        let chat = theft.world.chat(tablet, "Alice").number;
        theft.world.set_online(tablet, false);
        // The thief gets a key package of one of his devices, and none of anybody else's.
        theft.without_packages(move |count| count == missing || count > 2);
        let of_thief = [0, 0, 0, 0, 0, 0, 1, 1];
        theft.lure_silently(of_thief);
        theft.world.set_tamper(Some);
        theft.world.set_online(bob, true);
        theft.world.pass(60_000);
        if !theft.world.channels(bob).contains(&id(of_thief)) {
            continue;
        }
        let of_stolen = number_of(&mut theft.world, alice, stolen);
        theft.world.ask(alice, Command::DeviceRevoke(of_stolen));
        theft.world.pass(180_000);
        // The tablet reads what Alice says before the invitation that his other device has for it.
        let is_item = |answer: &Answer| matches!(answer, Answer::InboxItem(_));
        theft.world.set_tamper(move |frame| (!is_item(&frame.answer)).then_some(frame));
        theft.world.set_online(tablet, true);
        theft.world.pass(60_000);
        theft.world.set_tamper(Some);
        theft.world.restart(tablet);
        theft.world.pass(180_000);
        assert!(theft.world.channels(tablet).contains(&id(of_thief)), "it came into that group");
        theft.world.say(tablet, chat, "for Alice");
        theft.world.pass(60_000);
        assert_eq!(theft.texts(alice).last().unwrap(), "for Alice");
        came += 1;
    }
    assert!(came > 0);
}
