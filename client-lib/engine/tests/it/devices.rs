//! Several devices of one identity.

use hushwire_engine::{
    command::{
        Command, CommandError, Comparison, DeviceInfo, DeviceNumber, FailureReason, LinkUse, Reply,
        SecretText, Sender, ThisDevice, Verification,
    },
    event::Event,
};

use bytes::Bytes;
use hushwire_protocol::linking::LinkingCode;
use hushwire_wire::{
    error::Code,
    message::{Answer, Request},
};

use crate::world::{Who, World};

pub(crate) fn code(world: &mut World, old: Who) -> SecretText {
    let Reply::DeviceCode(code) = world.ask(old, Command::DeviceLink) else { panic!() };
    code
}

pub(crate) fn begin(world: &mut World, old: Who, new: Who) {
    let code = code(world, old);
    world.ask(new, Command::JoinIdentity { code, device_name: name_of(new) });
}

fn name_of(device: Who) -> String {
    format!("laptop {}", device.0)
}

pub(crate) fn digits(world: &mut World, who: Who) -> Option<String> {
    world.events(who).into_iter().rev().find_map(|event| match event {
        Event::DeviceCompare { code } => Some(code.expose().to_owned()),
        _ => None,
    })
}

pub(crate) fn confirm(world: &mut World, who: Who) {
    world.ask(who, Command::DeviceLinkConfirm(Comparison::Equal));
}

/// A second device of a person, up to date.
pub(crate) fn link(world: &mut World, old: Who) -> Who {
    let new = world.device("laptop");
    begin(world, old, new);
    world.settle();
    assert!(digits(world, old).is_some());
    assert_eq!(digits(world, old), digits(world, new));
    confirm(world, old);
    confirm(world, new);
    world.pass(180_000);
    assert!(world.events(new).contains(&Event::DeviceLinked));
    new
}

/// Alice with a laptop, and Bob, who is her contact.
pub(crate) fn with_laptop_and_contact() -> (World, [Who; 3]) {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    world.pass(60_000);
    (world, [alice, laptop, bob])
}

pub(crate) fn devices(world: &mut World, who: Who) -> Vec<DeviceInfo> {
    let Reply::Devices(devices) = world.ask(who, Command::Devices) else { panic!() };
    devices
}

pub(crate) fn failures(world: &mut World, who: Who) -> Vec<FailureReason> {
    let failed = |event| match event {
        Event::DeviceLinkFailed(reason) => Some(reason),
        _ => None,
    };
    world.events(who).into_iter().filter_map(failed).collect()
}

#[test]
fn a_second_device_writes_and_reads_in_every_chat() {
    // spec: IDN-050, IDN-053, IDN-054, IDN-055
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let contact = contacts[0].number;
    let verification = Verification::Verified;
    world.ask(alice, Command::SetVerification { contact, verification });
    let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    world.ask(alice, Command::GroupAdd { chat: group.number, contact });
    world.settle();
    let laptop = link(&mut world, alice);
    for who in [alice, laptop] {
        let mut names: Vec<String> =
            devices(&mut world, who).into_iter().map(|device| device.name).collect();
        names.sort();
        assert_eq!(names, ["first device".to_owned(), name_of(laptop)]);
    }
    let Reply::Contacts(contacts) = world.ask(laptop, Command::Contacts) else { panic!() };
    assert_eq!((contacts[0].name.as_str(), contacts[0].verification), ("Bob", verification));

    let crew = world.chat(laptop, "Crew").number;
    let direct = world.chat(laptop, "Bob").number;
    for (at_old, at_new, name) in [(hers, direct, "Alice"), (group.number, crew, "Crew")] {
        let of_bob = world.chat(bob, name).number;
        world.say(bob, of_bob, "to both");
        world.settle();
        world.say(laptop, at_new, "from the laptop");
        world.settle();
        world.set_online(laptop, false);
        world.say(alice, at_old, "from the first");
        world.settle();
        world.set_online(laptop, true);
        world.pass(60_000);
        let expected = ["to both", "from the laptop", "from the first"];
        assert_eq!(world.texts(bob, of_bob), expected);
        assert_eq!(world.texts(alice, at_old), expected);
        assert_eq!(world.texts(laptop, at_new), expected);
        let mine = world.messages(alice, at_old).remove(1);
        assert_eq!(mine.sender, Sender::Me);
        assert_eq!(world.messages(laptop, at_new)[2].sender, Sender::Me);
    }
    assert_eq!(his, world.chat(bob, "Alice").number);
    // Chats that begin later are on both.
    let Reply::Chat(later) = world.ask(laptop, Command::GroupNew { name: "Later".into() }) else {
        panic!()
    };
    world.pass(120_000);
    world.say(laptop, later.number, "here too");
    world.settle();
    let there = world.chat(alice, "Later").number;
    assert_eq!(world.texts(alice, there), ["here too"]);
}

#[test]
fn different_digits_stop_the_linking() {
    // spec: IDN-052
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    for who in [alice, laptop] {
        world.ask(who, Command::DeviceLinkConfirm(Comparison::Different));
        assert_eq!(failures(&mut world, who), [FailureReason::IdentityNotProven]);
        let again = world.try_ask(who, Command::DeviceLinkConfirm(Comparison::Equal));
        assert_eq!(again, Err(CommandError::NotLinking));
    }
    world.settle();
    assert_eq!(devices(&mut world, alice).len(), 1);
    assert_eq!(world.try_ask(laptop, Command::Profile), Err(CommandError::NoIdentity));
}

#[test]
fn a_device_that_an_inviter_did_not_know_of_is_added_by_its_sibling() {
    // spec: IDN-054
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let link_of_bob = world.link(bob, LinkUse::Single);
    // The invitation is under way to the devices that Bob had, while he links another.
    world.set_tamper(|frame| match &frame.answer {
        Answer::InboxItem(item) if item.item.len() > 6_000 => None,
        _ => Some(frame),
    });
    let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link: link_of_bob }) else {
        panic!()
    };
    world.pass(60_000);
    world.set_online(alice, false);
    let laptop = link(&mut world, bob);
    assert!(world.chats(bob).is_empty());
    world.set_tamper(Some);
    world.restart(bob);
    world.pass(60_000);
    world.set_online(alice, true);
    world.pass(180_000);
    world.say(alice, chat.number, "to all of you");
    world.pass(60_000);
    for who in [bob, laptop] {
        let there = world.chat(who, "Alice").number;
        assert_eq!(world.texts(who, there), ["to all of you"]);
    }
}

#[test]
fn a_grant_does_not_replace_an_identity_made_meanwhile() {
    // spec: IDN-065
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let carol = world.device("Carol");
    begin(&mut world, alice, carol);
    world.settle();
    confirm(&mut world, carol);
    world.settle();
    let relay = world.address(0);
    world.ask(carol, Command::CreateIdentity { name: "Carol".into(), relay });
    assert_eq!(failures(&mut world, carol), [FailureReason::Cancelled]);
    confirm(&mut world, alice);
    world.pass(180_000);
    let Reply::Profile(profile) = world.ask(carol, Command::Profile) else { panic!() };
    assert_eq!(profile.name, "Carol");
    assert_eq!(devices(&mut world, carol).len(), 1);
    assert!(!world.events(carol).contains(&Event::DeviceLinked));
    // And she is one who can be reached.
    world.befriend(alice, carol);
    let chat = world.chat(carol, "Alice").number;
    world.say(carol, chat, "as myself");
    world.settle();
    let there = world.chat(alice, "Carol").number;
    assert_eq!(world.texts(alice, there), ["as myself"]);
}

#[test]
fn a_code_works_once_and_not_for_long() {
    // spec: IDN-051
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let (laptop, thief) = (world.device("laptop"), world.device("thief"));
    let code = code(&mut world, alice);
    let join = |name: &str| Command::JoinIdentity { code: code.clone(), device_name: name.into() };
    world.ask(laptop, join("laptop"));
    world.settle();
    world.ask(thief, join("thief"));
    world.settle();
    // Who photographed the code sees the exchange, but other digits, and is not asked for more.
    assert_ne!(digits(&mut world, thief), digits(&mut world, alice));
    world.pass(11 * 60 * 1000);
    for who in [alice, laptop] {
        assert_eq!(failures(&mut world, who), [FailureReason::Expired]);
    }
    assert_eq!(failures(&mut world, thief).len(), 1);
    assert_eq!(devices(&mut world, alice).len(), 1);
    // Afterwards a new code works.
    link(&mut world, alice);
}

#[test]
fn a_device_that_shows_its_code_before_it_has_a_network_is_waited_for() {
    // spec: LNK-064
    for (late_ms, arrives) in [(15_000, true), (60_000, false)] {
        let mut world = World::new(1);
        let alice = world.person("Alice", 0);
        let laptop = world.device("laptop");
        world.set_online(alice, false);
        begin(&mut world, alice, laptop);
        world.pass(late_ms);
        world.set_online(alice, true);
        world.pass(60_000);
        if arrives {
            assert_eq!(digits(&mut world, alice), digits(&mut world, laptop));
        } else {
            assert_eq!(failures(&mut world, laptop), [FailureReason::LinkNotValid]);
        }
    }
}

#[test]
fn linking_goes_on_after_a_restart_at_any_step() {
    // spec: IDN-050
    for step in 1..40 {
        for crashes in 0..2 {
            let mut world = World::new(1);
            let alice = world.person("Alice", 0);
            let laptop = world.device("laptop");
            world.crash_at(if crashes == 0 { alice } else { laptop }, step);
            begin(&mut world, alice, laptop);
            world.settle();
            assert_eq!(digits(&mut world, alice), digits(&mut world, laptop), "{step}");
            // The new device's person is slower.
            confirm(&mut world, alice);
            world.settle();
            world.restart(laptop);
            confirm(&mut world, laptop);
            world.pass(180_000);
            assert_eq!(devices(&mut world, alice).len(), 2, "{step}");
            assert_eq!(devices(&mut world, laptop).len(), 2, "{step}");
        }
    }
}

#[test]
fn new_contacts_come_to_every_device() {
    // spec: IDN-054, IDN-056
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    let carol = world.person("Carol", 0);
    let link = world.link(laptop, LinkUse::Single);
    let Reply::Chat(chat) = world.ask(carol, Command::AddContact { link }) else { panic!() };
    world.say(carol, chat.number, "hello Alice");
    world.pass(120_000);
    for who in [alice, laptop] {
        let chat = world.chat(who, "Carol").number;
        assert_eq!(world.texts(who, chat), ["hello Alice"]);
    }
}

#[test]
fn a_contact_that_was_away_while_devices_changed_finds_back() {
    // spec: IDN-060
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    let lost = link(&mut world, alice);
    world.settle();
    world.set_online(bob, false);
    let laptop = link(&mut world, alice);
    let number = number_of(&mut world, alice, lost);
    world.ask(alice, Command::DeviceRevoke(number));
    world.pass(180_000);
    world.say(alice, hers, "while you were away");
    world.settle();
    // Bob knows the revoked device and old keys only, and acts before he reads on.
    world.say(bob, his, "back");
    let Reply::Chat(crew) = world.ask(bob, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    world.ask(bob, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.set_online(bob, true);
    world.pass(300_000);
    assert_eq!(world.texts(bob, his), ["back", "while you were away"]);
    world.say(bob, crew.number, "all of you");
    world.settle();
    for who in [alice, laptop] {
        let direct = world.chat(who, "Bob").number;
        assert!(world.texts(who, direct).contains(&"back".to_owned()));
        let group = world.chat(who, "Crew").number;
        assert_eq!(world.texts(who, group), ["all of you"]);
    }
    for who in [alice, laptop] {
        let group = world.chat(who, "Crew").number;
        world.say(who, group, "hello Bob");
        world.settle();
    }
    assert_eq!(world.texts(bob, crew.number), ["all of you", "hello Bob", "hello Bob"]);
    assert!(world.chats(lost).iter().all(|chat| chat.name != "Crew"));
}

#[test]
fn a_device_list_does_not_end_while_a_device_is_used() {
    // spec: IDN-064
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    let link = world.link(alice, LinkUse::Lasting);
    // A list holds for 90 days.
    world.pass(100 * DAY_MS);
    let bob = world.person("Bob", 0);
    let Reply::Chat(chat) = world.ask(bob, Command::AddContact { link }) else { panic!() };
    world.say(bob, chat.number, "still reachable");
    world.pass(120_000);
    for who in [alice, laptop] {
        let there = world.chat(who, "Bob").number;
        assert_eq!(world.texts(who, there), ["still reachable"]);
    }
}

/// The number that one device has on another.
pub(crate) fn number_of(world: &mut World, on: Who, device: Who) -> DeviceNumber {
    let name = name_of(device);
    devices(world, on).into_iter().find(|info| info.name == name).unwrap().number
}

#[test]
fn a_device_keeps_its_number_and_no_other_gets_it() {
    // spec: IDN-066
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let numbers = |world: &mut World, who| -> Vec<u64> {
        devices(world, who).into_iter().map(|device| device.number.0).collect()
    };
    assert_eq!(numbers(&mut world, alice), [1]);
    let [laptop, phone] = [(); 2].map(|()| link(&mut world, alice));
    assert_eq!(numbers(&mut world, alice), [1, 2, 3]);
    let lost = number_of(&mut world, alice, laptop);
    assert_eq!(lost, DeviceNumber(2));
    world.ask(alice, Command::DeviceRevoke(lost));
    let again = world.try_ask(alice, Command::DeviceRevoke(lost));
    assert_eq!(again, Err(CommandError::NoSuchDevice));
    assert_eq!(numbers(&mut world, alice), [1, 3]);
    world.pass(180_000);
    world.restart(alice);
    link(&mut world, alice);
    assert_eq!(numbers(&mut world, alice), [1, 3, 4]);
    // The phone counts for itself, and names itself by its own number.
    let Reply::Profile(profile) = world.ask(phone, Command::Profile) else { panic!() };
    assert_eq!(profile.device, Some(number_of(&mut world, phone, phone)));
}

/// Somebody new reaches every one of these devices by a link of any of them.
pub(crate) fn assert_reachable(world: &mut World, devices: &[Who]) {
    for maker in devices {
        let name = format!("Friend of {maker:?}");
        let friend = world.person(&name, 0);
        let link = world.link(*maker, LinkUse::Single);
        let Reply::Chat(chat) = world.ask(friend, Command::AddContact { link }) else { panic!() };
        world.say(friend, chat.number, "hello");
        world.pass(180_000);
        for who in devices {
            let chat = world.chat(*who, &name).number;
            assert_eq!(world.texts(*who, chat), ["hello"], "{maker:?} {who:?}");
        }
    }
}

/// A linking of a new device, up to the comparison.
pub(crate) fn compare(world: &mut World, old: Who) -> Who {
    let new = world.device("laptop");
    begin(world, old, new);
    world.settle();
    assert!(digits(world, new).is_some());
    new
}

#[test]
fn two_devices_that_link_at_once_agree() {
    // spec: IDN-063
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    let one = compare(&mut world, alice);
    let two = compare(&mut world, laptop);
    world.set_online(laptop, false);
    confirm(&mut world, alice);
    confirm(&mut world, one);
    confirm(&mut world, laptop);
    confirm(&mut world, two);
    world.set_online(laptop, true);
    world.pass(300_000);
    for who in [alice, laptop, one, two] {
        assert_eq!(devices(&mut world, who).len(), 4, "{who:?}");
    }
    assert_reachable(&mut world, &[alice, laptop, one, two]);
}

#[test]
fn linking_while_another_device_revokes_fails_and_can_be_repeated() {
    // spec: IDN-063
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    let lost = link(&mut world, alice);
    let late = compare(&mut world, laptop);
    world.set_online(laptop, false);
    let lost = number_of(&mut world, alice, lost);
    world.ask(alice, Command::DeviceRevoke(lost));
    world.pass(60_000);
    confirm(&mut world, laptop);
    confirm(&mut world, late);
    world.set_online(laptop, true);
    world.pass(300_000);
    assert_eq!(failures(&mut world, laptop), [FailureReason::DevicesChanged]);
    for who in [alice, laptop] {
        assert_eq!(devices(&mut world, who).len(), 2, "{who:?}");
    }
    let again = link(&mut world, laptop);
    assert_reachable(&mut world, &[alice, laptop, again]);
}

#[test]
fn own_devices_share_what_is_verified_later() {
    // spec: IDN-055
    let (mut world, [alice, laptop, _]) = with_laptop_and_contact();
    for verification in [Verification::Verified, Verification::Unverified] {
        let Reply::Contacts(contacts) = world.ask(laptop, Command::Contacts) else { panic!() };
        let contact = contacts[0].number;
        world.ask(laptop, Command::SetVerification { contact, verification });
        world.settle();
        let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
        assert_eq!(contacts[0].verification, verification);
    }
}

#[test]
fn nothing_is_left_where_two_devices_met() {
    // spec: IDN-059
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = world.device("laptop");
    let text = code(&mut world, alice);
    let join = Command::JoinIdentity { code: text.clone(), device_name: "laptop".into() };
    world.ask(laptop, join);
    world.settle();
    let code = LinkingCode::parse(text.expose()).unwrap();
    let write = |world: &mut World| {
        [code.toward_old(), code.toward_new()].map(|place| {
            let item = Bytes::from_static(&[1; 256]);
            let secret = place.capability;
            let answer =
                world.ask_relay(0, Request::InboxSend { inbox: place.inbox, secret, item });
            let Answer::Refused(refusal) = answer else { return None };
            Some(refusal.code)
        })
    };
    // The old device's place has had its one item; there is room for the grant at the new one's.
    world.set_online(alice, false);
    world.set_online(laptop, false);
    assert_eq!(write(&mut world)[0], Some(Code::CapabilitySpent));
    world.set_online(alice, true);
    world.set_online(laptop, true);
    world.ask(alice, Command::DeviceLinkConfirm(Comparison::Different));
    world.ask(laptop, Command::DeviceLinkConfirm(Comparison::Different));
    world.settle();
    assert_eq!(write(&mut world), [Some(Code::Denied); 2]);
    assert_eq!(world.connections(laptop), 0);
}

#[test]
fn a_device_that_is_not_in_yet_neither_links_nor_revokes() {
    // spec: IDN-071
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = world.device("laptop");
    begin(&mut world, alice, laptop);
    world.settle();
    confirm(&mut world, alice);
    // The grant is there, and the one that would let it in is away.
    world.set_online(alice, false);
    confirm(&mut world, laptop);
    world.settle();
    assert!(world.events(laptop).contains(&Event::DeviceLinked));
    let others = devices(&mut world, laptop);
    let number = others.iter().find(|other| other.current == ThisDevice::No).unwrap().number;
    for command in [Command::DeviceRevoke(number), Command::DeviceLink] {
        let refused = world.try_ask(laptop, command).map(|_| ());
        assert_eq!(refused, Err(CommandError::NotInYet));
    }
    world.set_online(alice, true);
    world.pass(120_000);
    world.ask(laptop, Command::DeviceRevoke(number));
    world.pass(120_000);
    assert!(world.events(alice).contains(&Event::ThisDeviceRevoked));
}

#[test]
fn a_person_who_has_one_device_more_or_less_neither_came_nor_went() {
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, _) = world.befriend(alice, bob);
    let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    world.ask(alice, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.pass(60_000);
    assert_eq!(hers.0, 1);
    link(&mut world, bob);
    let number = devices(&mut world, bob)[1].number;
    world.ask(bob, Command::DeviceRevoke(number));
    world.pass(120_000);
    let events = world.events(alice);
    let added = |event: &&Event| matches!(event, Event::MembersAdded { .. });
    assert_eq!(events.iter().filter(added).count(), 1, "Bob himself");
    assert!(!events.iter().any(|event| matches!(event, Event::MembersRemoved { .. })));
}
