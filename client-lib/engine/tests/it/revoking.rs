//! Devices that are shut out of everything, and those that go on.

use std::{cell::Cell, rc::Rc};

use hushwire_engine::{
    command::{ChatNumber, ChatState, Command, CommandError, LinkUse, Reply, ThisDevice},
    event::{Event, Warning},
    store::Table,
};
use hushwire_protocol::{
    card::ShelfKey,
    content::{ControlEntry, ControlKind},
    door::OwnerKeySeed,
    own_devices::{InboxGeneration, InboxKeys},
    seal::InboxKey,
};
use hushwire_wire::{
    error::Code,
    frame::AnswerFrame,
    id::CapabilitySecret,
    message::{Answer, Entry, EntryBody},
    transcript::Operation,
};

use crate::{
    devices::{assert_reachable, devices, link, number_of, with_laptop_and_contact},
    world::{Who, World},
};

#[test]
fn a_revoked_device_is_shut_out_and_the_others_go_on() {
    // spec: IDN-057, IDN-058
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    let laptop = link(&mut world, alice);
    let phone = link(&mut world, alice);
    let lost = world.chat(laptop, "Bob").number;
    let kept = world.chat(phone, "Bob").number;
    let all = devices(&mut world, alice);
    let current = all.iter().find(|device| device.current == ThisDevice::Yes).unwrap().number;
    let refused = world.try_ask(alice, Command::DeviceRevoke(current));
    assert_eq!(refused, Err(CommandError::ThisDevice));
    let number = number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    world.pass(180_000);
    assert!(world.events(laptop).contains(&Event::ThisDeviceRevoked));
    assert_eq!(devices(&mut world, phone).len(), 2);
    world.say(bob, his, "after");
    world.settle();
    assert_eq!(world.texts(alice, hers), ["after"]);
    assert_eq!(world.texts(phone, kept), ["after"]);
    assert_eq!(world.texts(laptop, lost), [""; 0]);
    // New contacts reach both devices that are left, at an inbox with new keys.
    let carol = world.person("Carol", 0);
    let link = world.link(phone, LinkUse::Single);
    let Reply::Chat(chat) = world.ask(carol, Command::AddContact { link }) else { panic!() };
    world.say(carol, chat.number, "hello Alice");
    world.pass(180_000);
    for who in [alice, phone] {
        let chat = world.chat(who, "Carol").number;
        assert_eq!(world.texts(who, chat), ["hello Alice"]);
    }
    assert!(world.chats(laptop).iter().all(|chat| chat.name != "Carol"));
}

#[test]
fn own_capabilities_that_still_worked_end_when_a_device_is_revoked() {
    // spec: IDN-057, IDN-075
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let [laptop, phone] = [(); 2].map(|()| link(&mut world, alice));
    world.pass(5_000);
    let earlier = world.own_capability(laptop);
    let card = world.card(laptop, earlier);
    world.ask(alice, Command::RefreshKeys);
    world.pass(180_000);
    let answer = world.write_by(bob, &card, &[b"before"]).remove(0);
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    // Not by the one that has drawn.
    let number = number_of(&mut world, phone, laptop);
    world.ask(phone, Command::DeviceRevoke(number));
    world.pass(180_000);
    let answer = world.write_by(bob, &card, &[b"after"]).remove(0);
    let Answer::Refused(refusal) = answer else { panic!("{answer:?}") };
    assert_eq!(refusal.code, Code::Denied);
    assert_reachable(&mut world, &[alice, phone]);
}

#[test]
fn revoking_goes_on_after_a_crash_at_any_step() {
    // spec: IDN-057
    for step in 1..25 {
        let mut world = World::new(1);
        let alice = world.person("Alice", 0);
        let laptop = link(&mut world, alice);
        let number = number_of(&mut world, alice, laptop);
        world.crash_at(alice, step);
        world.ask(alice, Command::DeviceRevoke(number));
        world.pass(180_000);
        assert!(world.events(laptop).contains(&Event::ThisDeviceRevoked), "{step}");
        let bob = world.person("Bob", 0);
        world.befriend(bob, alice);
        let his = world.chat(bob, "Alice").number;
        world.say(bob, his, "hello");
        world.settle();
        let hers = world.chat(alice, "Bob").number;
        assert_eq!(world.texts(alice, hers), ["hello"], "{step}");
    }
}

#[test]
fn whom_a_revoked_device_was_to_bring_in_is_brought_in_by_who_revokes_it() {
    // spec: IDN-057
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 1);
    let (_, his) = world.befriend(alice, bob);
    let Reply::Chat(house) = world.ask(bob, Command::GroupNew { name: "House".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    let add = Command::GroupAdd { chat: house.number, contact: contacts[0].number };
    world.ask(bob, add);
    world.pass(60_000);
    let laptop = link(&mut world, alice);
    // Where the groups are, nothing is reached while the laptop links a phone.
    world.set_up(1, false);
    let phone = link(&mut world, laptop);
    assert!(world.chats(phone).iter().all(|chat| chat.name != "House"));
    world.set_online(laptop, false);
    let number = number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    world.set_up(1, true);
    world.set_online(laptop, true);
    world.pass(600_000);
    for (chat, name) in [(his, "Bob"), (house.number, "House")] {
        let theirs = world.chat(phone, name).number;
        world.say(bob, chat, "hello");
        world.settle();
        assert_eq!(world.texts(phone, theirs), ["hello"], "{name}");
    }
}

/// Bob forms a group with Alice, all of whose devices come in as they are online.
fn house(world: &mut World, bob: Who) -> ChatNumber {
    let Reply::Chat(house) = world.ask(bob, Command::GroupNew { name: "House".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    let add = Command::GroupAdd { chat: house.number, contact: contacts[0].number };
    world.ask(bob, add);
    world.pass(60_000);
    house.number
}

/// How many devices of Alice stand in a group of Bob's.
fn leaves(world: &mut World, bob: Who, chat: ChatNumber) -> u32 {
    let Reply::Members(members) = world.ask(bob, Command::GroupMembers(chat)) else { panic!() };
    members.iter().find(|member| member.name == "Alice").unwrap().devices
}

/// From how many groups a device wishes somebody out.
fn removals(world: &World, who: Who) -> usize {
    let rows = world.rows_of(who, Table::Wish);
    let removes =
        |row: &[u8]| row.windows(b"RemoveDevice".len()).any(|part| part == b"RemoveDevice");
    rows.iter().filter(|(_, row)| removes(row)).count()
}

#[test]
fn a_device_that_is_revoked_by_one_that_is_stuck_goes_out_all_the_same() {
    // spec: IDN-057
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, his) = world.befriend(alice, bob);
    let laptop = link(&mut world, alice);
    let house = house(&mut world, bob);
    assert_eq!(leaves(&mut world, bob, house), 2);
    let lost = world.chat(laptop, "Bob").number;
    world.set_barred(alice, true);
    world.restart(alice);
    world.settle();
    assert!(world.chats(alice).iter().all(|chat| chat.state == ChatState::Stuck));
    let number = number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    // From the chat, the group, and that of her own devices: it does not wait for her to be back.
    assert_eq!(removals(&world, alice), 3);
    world.set_barred(alice, false);
    world.pass(60 * 60_000);
    world.say(bob, his, "after");
    world.settle();
    assert_eq!(world.texts(alice, hers), ["after"]);
    assert_eq!(world.texts(laptop, lost), [""; 0]);
    assert_eq!(leaves(&mut world, bob, house), 1);
}

#[test]
fn a_device_that_was_revoked_goes_out_of_a_group_that_is_come_into_later() {
    // spec: IDN-057
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    let laptop = link(&mut world, alice);
    world.set_online(alice, false);
    let house = house(&mut world, bob);
    let number = number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    assert_eq!(leaves(&mut world, bob, house), 2);
    world.set_online(alice, true);
    world.pass(60_000);
    assert_eq!(world.chat(alice, "House").state, ChatState::Open);
    assert_eq!(leaves(&mut world, bob, house), 1);
}

#[test]
fn a_revoked_device_does_not_read_the_new_card() {
    // spec: IDN-057
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    let laptop = link(&mut world, alice);
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    // The relay takes no commit of hers for a while, and every message.
    let epoch = world.steal(laptop, &channel).epoch;
    let told = Rc::new(Cell::new(0));
    let count = Rc::clone(&told);
    world.set_tamper(move |frame| {
        let message = matches!(&frame.answer, Answer::Entry(Entry {
            epoch: at, body: EntryBody::Whole { operation: Operation::Message, .. }, ..
        }) if *at == epoch);
        count.set(count.get() + u32::from(message));
        Some(frame)
    });
    world.set_commits_refused(alice, true);
    let number = number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    world.pass(60_000);
    assert_eq!(told.get(), 0);
    world.set_commits_refused(alice, false);
    world.pass(180_000);
    assert_eq!(told.get(), 0);
    assert_reachable(&mut world, &[alice]);
}

#[test]
fn two_devices_that_revoke_at_once_agree() {
    // spec: IDN-063
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let [laptop, one, two] = [(); 3].map(|()| link(&mut world, alice));
    let (first, second) = (number_of(&mut world, alice, one), number_of(&mut world, laptop, two));
    world.set_online(alice, false);
    world.set_online(laptop, false);
    world.ask(alice, Command::DeviceRevoke(first));
    world.ask(laptop, Command::DeviceRevoke(second));
    world.set_online(alice, true);
    world.set_online(laptop, true);
    world.pass(600_000);
    for who in [one, two] {
        assert!(world.events(who).contains(&Event::ThisDeviceRevoked), "{who:?}");
    }
    for who in [alice, laptop] {
        assert_eq!(devices(&mut world, who).len(), 2, "{who:?}");
    }
    assert_reachable(&mut world, &[alice, laptop]);
}

#[test]
fn a_device_that_rotates_too_late_rotates_again() {
    // spec: IDN-063
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let [laptop, one, two] = [(); 3].map(|()| link(&mut world, alice));
    let (first, second) = (number_of(&mut world, alice, one), number_of(&mut world, laptop, two));
    world.set_online(laptop, false);
    world.ask(laptop, Command::DeviceRevoke(second));
    world.ask(alice, Command::DeviceRevoke(first));
    world.pass(300_000);
    // Nobody told the first that the other one is revoked: it has the new keys.
    assert_eq!(world.inbox_keys(two), world.inbox_keys(alice));
    world.set_online(laptop, true);
    world.pass(600_000);
    assert!(world.events(two).contains(&Event::ThisDeviceRevoked));
    assert_eq!(world.inbox_keys(laptop), world.inbox_keys(alice));
    let known = world.inbox_keys(two);
    for (old, new) in known.iter().zip(world.inbox_keys(alice)) {
        assert_ne!(*old, new);
    }
    assert_reachable(&mut world, &[alice, laptop]);
}

#[test]
fn a_revoked_device_tells_nobody_keys_who_knows_of_it() {
    // spec: IDN-073, IDN-074
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let [laptop, phone] = [(); 2].map(|()| link(&mut world, alice));
    let own_group = world.own_group(alice);
    world.set_online(alice, false);
    let number = number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    // The thief has not heard of it.
    for (generation, byte) in [(1, 1), (7, 2), (u64::MAX, 3)] {
        let keys = InboxKeys {
            generation: InboxGeneration(generation),
            owner: OwnerKeySeed::from_bytes([byte; 32]),
            inbox_key: InboxKey::from_bytes([byte; 32]),
            shelf_key: ShelfKey::from_bytes([byte; 32]),
            capability: CapabilitySecret::from_bytes([byte; 32]),
        };
        let payload = keys.to_payload().to_vec();
        let told = ControlEntry { kind: ControlKind::InboxKeysRotated, payload };
        world.tell_in_group(laptop, &own_group, vec![told]);
    }
    world.set_online(laptop, false);
    world.pass(60_000);
    let made_up = vec![2; 32];
    assert!(world.inbox_keys(phone).contains(&made_up), "who does not know takes them");
    world.set_online(alice, true);
    world.pass(600_000);
    assert_eq!(world.inbox_keys(alice), world.inbox_keys(phone));
    for keys in [[1; 32], [2; 32], [3; 32]] {
        assert!(!world.inbox_keys(alice).contains(&keys.to_vec()));
    }
    assert_eq!(devices(&mut world, phone).len(), 2);
    assert_reachable(&mut world, &[alice, phone]);
}

#[test]
fn who_is_revoked_while_it_draws_keys_keeps_nobody_out() {
    // spec: IDN-074, CLI-181
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let [laptop, phone] = [(); 2].map(|()| link(&mut world, alice));
    world.pass(60_000);
    world.set_online(alice, false);
    let number = number_of(&mut world, alice, laptop);
    world.ask(alice, Command::DeviceRevoke(number));
    let before = world.inbox_keys(laptop);
    world.ask(laptop, Command::RefreshKeys);
    world.pass(180_000);
    let drawn = world.inbox_keys(laptop);
    assert_ne!(drawn, before);
    assert_eq!(world.inbox_keys(phone), drawn);
    world.set_online(alice, true);
    world.pass(600_000);
    assert!(world.events(laptop).contains(&Event::ThisDeviceRevoked));
    assert_eq!(world.inbox_keys(alice), world.inbox_keys(phone));
    for (ours, theirs) in world.inbox_keys(alice).iter().zip(&drawn) {
        assert_ne!(ours, theirs);
    }
    assert_reachable(&mut world, &[alice, phone]);
    // That it opened by another key is no sign that the relay was put back.
    for who in [alice, phone] {
        assert!(!world.events(who).iter().any(|event| matches!(event, Event::Warning(_))));
    }
}

#[test]
fn who_revokes_twice_keeps_its_inbox_whatever_the_relay_has_taken_between() {
    // spec: IDN-083
    for lost in [false, true] {
        let mut world = World::new(1);
        let alice = world.person("Alice", 0);
        let gone = [link(&mut world, alice), link(&mut world, alice)];
        let phone = link(&mut world, alice);
        let numbers = gone.map(|device| number_of(&mut world, alice, device));
        // The relay takes what the first revocation has drawn, and its answer comes late, or never.
        let held = Rc::new(Cell::new(0));
        let count = held.clone();
        world.set_tamper(move |frame| {
            let holds = matches!(frame.answer, Answer::Done);
            count.set(count.get() + u32::from(holds));
            (!holds).then_some(frame)
        });
        world.ask(alice, Command::DeviceRevoke(numbers[0]));
        assert!(held.get() > 0);
        if !lost {
            world.set_tamper(Some);
        }
        world.ask(alice, Command::DeviceRevoke(numbers[1]));
        world.set_online(alice, false);
        world.set_tamper(Some);
        world.set_online(alice, true);
        world.pass(180_000);
        assert_eq!(devices(&mut world, phone).len(), 2);
        assert_reachable(&mut world, &[alice, phone]);
        for who in [alice, phone] {
            let warned = |event: &Event| matches!(event, Event::Warning(_));
            assert!(!world.events(who).iter().any(warned));
        }
    }
}

#[test]
fn a_revoked_device_is_told_so_and_changes_nothing() {
    // spec: IDN-070
    for asks_before_it_knows in [false, true] {
        let (mut world, [alice, laptop, _]) = with_laptop_and_contact();
        world.set_online(laptop, false);
        let number = devices(&mut world, alice)[1].number;
        world.ask(alice, Command::DeviceRevoke(number));
        world.pass(60_000);
        let commands = || {
            let make = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: None };
            [make, Command::GroupNew { name: "zz".into() }, Command::DeviceLink]
        };
        if asks_before_it_knows {
            for command in commands() {
                world.ask(laptop, command);
            }
        }
        world.set_online(laptop, true);
        world.pass(60_000);
        for command in commands() {
            let refused = world.try_ask(laptop, command).map(|_| ());
            assert_eq!(refused, Err(CommandError::DeviceRevoked));
        }
        world.restart(laptop);
        world.pass(60_000);
        assert!(world.events(laptop).contains(&Event::ThisDeviceRevoked));
        let Reply::Profile(profile) = world.ask(laptop, Command::Profile) else { panic!() };
        assert_eq!(profile.device, None);
        assert!(!world.chats(laptop).is_empty());
    }
}

#[test]
fn who_is_revoked_is_not_warned_of_what_it_was_sending() {
    // spec: IDN-070
    let (mut world, [alice, laptop, bob]) = with_laptop_and_contact();
    // Its invitation is stored, and it does not hear of that.
    let unanswered =
        |frame: AnswerFrame| (!matches!(frame.answer, Answer::InboxSent { .. })).then_some(frame);
    world.set_tamper(unanswered);
    let Reply::Chat(club) = world.ask(laptop, Command::GroupNew { name: "Club".into() }) else {
        panic!()
    };
    let contact = world.chat(laptop, "Bob").contact.unwrap();
    world.ask(laptop, Command::GroupAdd { chat: club.number, contact });
    world.pass(30_000);
    assert!(world.chats(bob).iter().any(|chat| chat.name == "Club"));
    world.set_online(laptop, false);
    world.set_tamper(Some);
    let number = devices(&mut world, alice)[1].number;
    world.ask(alice, Command::DeviceRevoke(number));
    world.pass(60_000);
    world.set_online(laptop, true);
    world.pass(60_000);
    let events = world.events(laptop);
    assert!(events.contains(&Event::ThisDeviceRevoked));
    let not_sent = Event::Warning(Warning::ItemRejected { code: "ITEM_NOT_SENT".into() });
    assert!(!events.contains(&not_sent));
}

fn is_inbox_denied(event: &Event) -> bool {
    matches!(event, Event::Warning(Warning::InboxDenied { .. }))
}

#[test]
fn a_device_that_was_away_while_another_was_revoked_is_not_alarmed() {
    // spec: CLI-144, IDN-058
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let [laptop, _tablet] = [(); 2].map(|()| link(&mut world, alice));
    world.set_online(laptop, false);
    let number = devices(&mut world, alice)[2].number;
    world.ask(alice, Command::DeviceRevoke(number));
    world.pass(60_000);
    world.set_online(laptop, true);
    world.pass(120_000);
    assert!(!world.events(laptop).iter().any(is_inbox_denied));
    let bob = world.person("Bob", 0);
    let (his, _) = world.befriend(bob, alice);
    world.say(bob, his, "hello");
    world.pass(60_000);
    let hers = world.chat(laptop, "Bob").number;
    assert_eq!(world.texts(laptop, hers), ["hello"]);
    // One whose relay goes on denying it says so, once.
    world.set_tamper(|mut frame| {
        if matches!(frame.answer, Answer::InboxOpened { .. }) {
            frame.answer = Answer::Refused(hushwire_wire::error::Refusal::from(Code::Denied));
        }
        Some(frame)
    });
    let denied =
        |world: &mut World| world.events(laptop).iter().filter(|it| is_inbox_denied(it)).count();
    world.restart(laptop);
    world.pass(500_000);
    assert_eq!(denied(&mut world), 0);
    world.restart(laptop);
    world.pass(700_000);
    assert_eq!(denied(&mut world), 1);
}
