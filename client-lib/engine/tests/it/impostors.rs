//! Devices that speak for a person whose they are no more.

use hushwire_engine::{
    command::{ChatState, Command, CommandError, Comparison, FailureReason, Reply},
    event::{Event, InvitationRefusal},
};
use hushwire_protocol::{
    identity::{
        DeviceCredential, DeviceId, DeviceKey, DeviceSerial, ManagerCounter, ManagerKey,
        RecoveryPhrase, RootKey,
    },
    invitation::{ContactCard, InboxContent, Invitation, Purpose},
    seal::ItemSender,
};
use hushwire_wire::{
    id::{CapabilitySecret, ChannelId},
    message::Answer,
};

use crate::{
    devices::{link, number_of},
    invitations::{invitation, refusals, send},
    world::{Who, World},
};

/// A channel id that wins over every other one.
const LOWEST: [u8; 32] = [0; 32];

fn fingerprint(world: &mut World, who: Who) -> String {
    let Reply::Profile(profile) = world.ask(who, Command::Profile) else { panic!() };
    profile.fingerprint
}

/// What a device can send in its person's name: both kinds of invitation, and a card.
fn claims(world: &mut World, device: Who) -> [InboxContent; 3] {
    let channel = ChannelId::from_bytes(LOWEST);
    let invite = |invitation| InboxContent::Invitation(Box::new(invitation));
    let group = invitation(world, device, device, channel);
    let direct =
        Invitation { purpose: Purpose::Direct, ..invitation(world, device, device, channel) };
    let card = world.card(device, CapabilitySecret::from_bytes([4; 32]));
    [invite(direct), invite(group), InboxContent::ContactCardUpdate(Box::new(card))]
}

#[test]
fn a_revoked_device_of_a_contact_is_refused() {
    // spec: LNK-058
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    let thief = link(&mut world, bob);
    let of_thief = number_of(&mut world, bob, thief);
    // While it is his, it counts: only the group behind the invitation is none.
    let channel = ChannelId::from_bytes([1; 32]);
    let early =
        Invitation { purpose: Purpose::Direct, ..invitation(&mut world, thief, thief, channel) };
    send(&mut world, thief, alice, InboxContent::Invitation(Box::new(early)));
    assert_eq!(refusals(&mut world, alice), []);

    world.ask(bob, Command::DeviceRevoke(of_thief));
    world.pass(180_000);
    let of_bob = fingerprint(&mut world, bob);
    let card = world.known_card(alice, &of_bob).to_bytes();
    for claim in claims(&mut world, thief) {
        send(&mut world, thief, alice, claim);
    }
    assert_eq!(refusals(&mut world, alice), [InvitationRefusal::DeviceNotKnown; 3]);
    assert_eq!(InvitationRefusal::DeviceNotKnown.name(), "DEVICE_NOT_KNOWN");
    assert_eq!(world.known_card(alice, &of_bob).to_bytes(), card);
    world.say(alice, hers, "for Bob only");
    world.settle();
    assert_eq!(world.texts(bob, his), ["for Bob only"]);
    let there = world.chat(thief, "Alice").number;
    assert_eq!(world.texts(thief, there), [""; 0]);
}

#[test]
fn a_revoked_device_does_not_invite_its_own_identity() {
    // spec: LNK-058
    let mut world = World::new(1);
    let bob = world.person("Bob", 0);
    let thief = link(&mut world, bob);
    let of_thief = number_of(&mut world, bob, thief);
    world.ask(bob, Command::DeviceRevoke(of_thief));
    world.pass(180_000);
    let channel = ChannelId::from_bytes(LOWEST);
    for purpose in [Purpose::OwnDevices, Purpose::Group] {
        let invitation = Invitation { purpose, ..invitation(&mut world, thief, thief, channel) };
        send(&mut world, thief, bob, InboxContent::Invitation(Box::new(invitation)));
    }
    assert_eq!(refusals(&mut world, bob), [InvitationRefusal::DeviceNotKnown; 2]);
}

#[test]
fn there_is_one_group_of_own_devices() {
    // spec: LNK-059
    let mut world = World::new(1);
    let bob = world.person("Bob", 0);
    let carol = world.person("Carol", 0);
    world.befriend(carol, bob);
    let laptop = link(&mut world, bob);
    let channel = ChannelId::from_bytes(LOWEST);
    for sender in [laptop, carol] {
        let purpose = Purpose::OwnDevices;
        let other = Invitation { purpose, ..invitation(&mut world, sender, sender, channel) };
        send(&mut world, sender, bob, InboxContent::Invitation(Box::new(other)));
    }
    // What the laptop leads to is no group of this device's: nothing is said of that.
    assert_eq!(refusals(&mut world, bob), [InvitationRefusal::OtherPurpose]);
    assert!(!world.channels(bob).contains(&channel));
}

#[test]
fn a_device_that_was_linked_just_now_invites() {
    // spec: LNK-058
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(alice, bob);
    world.set_online(alice, false);
    let laptop = link(&mut world, bob);
    let Reply::Chat(crew) = world.ask(laptop, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(laptop, Command::Contacts) else { panic!() };
    world.ask(laptop, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.pass(120_000);
    // She reads the invitation first, and then the commit that makes the laptop known.
    world.set_tamper(|frame| (!matches!(frame.answer, Answer::ChannelOpened(_))).then_some(frame));
    world.set_online(alice, true);
    world.pass(120_000);
    assert_eq!(refusals(&mut world, alice), [InvitationRefusal::DeviceNotKnown]);
    world.set_tamper(Some);
    world.restart(alice);
    world.settle();
    world.say(laptop, crew.number, "from my new laptop");
    world.settle();
    let there = world.chat(alice, "Crew");
    assert_eq!(there.state, ChatState::Open);
    assert_eq!(world.texts(alice, there.number), ["from my new laptop"]);
}

#[test]
fn a_new_manager_key_brings_devices_that_count() {
    // spec: LNK-058, LNK-060
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.device("Bob");
    let relay = world.address(0);
    let create = Command::CreateIdentity { name: "Bob".into(), relay };
    let Reply::IdentityCreated { phrase, .. } = world.ask(bob, create) else { panic!() };
    world.settle();
    world.befriend(alice, bob);
    let root = RootKey::from_phrase(&RecoveryPhrase::parse(phrase.expose()).unwrap());
    let to_alice = world.own_capability(alice);
    let to_alice = world.card(alice, to_alice);
    let of_bob = fingerprint(&mut world, bob);
    let minimum = world.known_card(alice, &of_bob).device_list_minimum;
    // Nobody knows the device; it counts by the number of its manager key.
    for counter in [1, 2] {
        let manager = ManagerKey::from_bytes(&[9; 32]);
        let statement = root.state_manager(manager.public(), ManagerCounter(counter));
        let key = DeviceKey::from_bytes(&[8; 32]);
        let id = DeviceId::from_bytes([7; 16]);
        let certificate = manager.certify(&statement, id, key.public(), DeviceSerial(1));
        let credential = DeviceCredential::new(statement.clone(), certificate).unwrap();
        let card = world.card(bob, CapabilitySecret::from_bytes([4; 32]));
        let card = ContactCard { statement, ..card };
        let content = InboxContent::ContactCardUpdate(Box::new(card)).to_bytes();
        let sender = ItemSender { credential: &credential, key: &key };
        world.write_as(sender, &to_alice, &[&content]);
        world.settle();
        assert_eq!(refusals(&mut world, alice), [InvitationRefusal::DeviceNotKnown]);
        let known = world.known_card(alice, &of_bob);
        assert_eq!(known.statement.counter(), ManagerCounter(counter));
        assert_eq!(known.device_list_minimum, minimum);
    }
}

#[test]
fn a_revoked_device_links_nobody() {
    // spec: IDN-070
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    world.pass(60_000);
    let tablet = world.device("tablet");
    let Reply::DeviceCode(code) = world.ask(laptop, Command::DeviceLink) else { panic!() };
    let join = Command::JoinIdentity { code, device_name: "tablet".into() };
    world.ask(tablet, join.clone());
    world.pass(10_000);
    let compared = |event: &Event| matches!(event, Event::DeviceCompare { .. });
    assert!(world.events(laptop).iter().any(compared));

    let Reply::Devices(devices) = world.ask(alice, Command::Devices) else { panic!() };
    world.ask(alice, Command::DeviceRevoke(devices[1].number));
    world.pass(60_000);
    let events = world.events(laptop);
    assert!(events.contains(&Event::ThisDeviceRevoked));
    assert!(events.contains(&Event::DeviceLinkFailed(FailureReason::DevicesChanged)));
    for answer in [Comparison::Equal, Comparison::Different] {
        let refused = world.try_ask(laptop, Command::DeviceLinkConfirm(answer)).map(|_| ());
        assert_eq!(refused, Err(CommandError::DeviceRevoked));
    }
    let refused = world.try_ask(laptop, join).map(|_| ());
    assert_eq!(refused, Err(CommandError::IdentityExists));
    world.ask(tablet, Command::DeviceLinkConfirm(Comparison::Equal));
    world.pass(15 * 60_000);
    assert!(world.events(tablet).contains(&Event::DeviceLinkFailed(FailureReason::Expired)));
    let profile = world.try_ask(tablet, Command::Profile).map(|_| ());
    assert_eq!(profile, Err(CommandError::NoIdentity));
}
