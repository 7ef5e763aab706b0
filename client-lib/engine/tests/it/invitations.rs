//! Who may bring a person into a chat, and back into one.

use std::sync::{Arc, Mutex};

use hushwire_engine::{
    command::{ChatInfo, ChatState, Command, Comparison, LinkUse, Reply},
    event::{Event, InvitationRefusal, Warning},
};
use hushwire_protocol::{
    group::GroupSnapshot,
    identity::DeviceListVersion,
    invitation::{
        ContactCard, GroupAddress, InboxContent, Invitation, Purpose, SnapshotPlace, SuiteCode,
    },
    provider::Suite,
};
use hushwire_wire::{
    id::{CapabilitySecret, ChannelId, EpochId},
    message::Answer,
};

use crate::devices::link;
use crate::world::{Who, World, insider::capability_of};

pub(crate) fn refusals(world: &mut World, who: Who) -> Vec<InvitationRefusal> {
    let refusal = |event| match event {
        Event::Warning(Warning::InvitationRefused { reason }) => Some(reason),
        _ => None,
    };
    world.events(who).into_iter().filter_map(refusal).collect()
}

/// A group of `owner` with one other, who is then removed; its channel.
fn removed_from_crew(world: &mut World, owner: Who, other: Who) -> (ChatInfo, ChannelId) {
    let before = world.channels(other);
    let Reply::Chat(crew) = world.ask(owner, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(owner, Command::Contacts) else { panic!() };
    let contact = contacts[0].number;
    world.ask(owner, Command::GroupAdd { chat: crew.number, contact });
    world.settle();
    let channel = world.channels(other).into_iter().find(|id| !before.contains(id)).unwrap();
    let member = contacts[0].fingerprint.clone();
    world.ask(owner, Command::GroupRemove { chat: crew.number, member });
    world.settle();
    assert_eq!(world.chat(other, "Crew").state, ChatState::Removed);
    (crew, channel)
}

/// An invitation that no key package is for: what is refused by name is refused before MLS looks.
pub(crate) fn invitation(
    world: &mut World,
    sender: Who,
    relay_of: Who,
    channel: ChannelId,
) -> Invitation {
    let relay = world.card(relay_of, CapabilitySecret::from_bytes([0; 32])).relay;
    Invitation {
        group: GroupAddress { relay, channel, epoch: EpochId::from_bytes([3; 32]) },
        suite: SuiteCode(Suite::Hybrid.code()),
        purpose: Purpose::Group,
        secrets: vec![1; 100],
        snapshot: SnapshotPlace::Inline(GroupSnapshot { group_info: vec![], tree: vec![2; 100] }),
        sender: world.card(sender, CapabilitySecret::from_bytes([4; 32])),
    }
}

pub(crate) fn send(world: &mut World, from: Who, to: Who, content: InboxContent) {
    let capability = world.own_capability(to);
    let answer = world.write_item(from, to, capability, &content.to_bytes());
    assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    world.settle();
}

fn invite(world: &mut World, from: Who, to: Who, invitation: Invitation) {
    send(world, from, to, InboxContent::Invitation(Box::new(invitation)));
}

#[test]
fn a_chat_one_was_removed_from_is_not_opened_again_by_others() {
    // spec: LNK-045
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let mallory = world.person("Mallory", 1);
    world.befriend(alice, bob);
    let (_, channel) = removed_from_crew(&mut world, alice, bob);
    world.befriend(mallory, bob);
    let chats = world.chats(bob).len();
    // Mallory's group is a valid one, of a channel that has the same id at her relay.
    world.load_dice(mallory, *channel.as_bytes());
    let Reply::Chat(trap) = world.ask(mallory, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    assert!(world.channels(mallory).contains(&channel));
    let Reply::Contacts(contacts) = world.ask(mallory, Command::Contacts) else { panic!() };
    world.ask(mallory, Command::GroupAdd { chat: trap.number, contact: contacts[0].number });
    world.settle();
    world.say(mallory, trap.number, "it is me, Alice");
    world.settle();
    assert_eq!(refusals(&mut world, bob), [InvitationRefusal::NotAMember]);
    let crew = world.chat(bob, "Crew");
    assert_eq!((crew.state, world.chats(bob).len()), (ChatState::Removed, chats));
    assert_eq!(world.texts(bob, crew.number), [""; 0]);
}

#[test]
fn a_member_invites_again_and_only_to_what_it_was() {
    // spec: LNK-045
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let far = world.person("Far", 1);
    world.befriend(alice, bob);
    let (crew, channel) = removed_from_crew(&mut world, alice, bob);
    let his = world.chat(bob, "Crew").number;
    let elsewhere = invitation(&mut world, alice, far, channel);
    invite(&mut world, alice, bob, elsewhere);
    let direct =
        Invitation { purpose: Purpose::Direct, ..invitation(&mut world, alice, alice, channel) };
    invite(&mut world, alice, bob, direct);
    let expected = [InvitationRefusal::OtherRelay, InvitationRefusal::OtherPurpose];
    assert_eq!(refusals(&mut world, bob), expected);
    assert_eq!(world.chat(bob, "Crew").state, ChatState::Removed);

    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    world.ask(alice, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.settle();
    world.say(alice, crew.number, "welcome back");
    world.settle();
    let again = world.chat(bob, "Crew");
    assert_eq!((again.number, again.state), (his, ChatState::Open));
    assert_eq!(world.texts(bob, his), ["welcome back"]);
    world.say(bob, his, "thank you");
    world.settle();
    assert_eq!(world.texts(alice, crew.number), ["welcome back", "thank you"]);
}

#[test]
fn only_a_contact_brings_a_person_into_a_group() {
    // spec: LNK-047, LNK-048
    let mut world = World::new(1);
    let bob = world.person("Bob", 0);
    let mallory = world.person("Mallory", 0);
    let link = world.link(bob, LinkUse::Lasting);
    // A stranger with a link of Bob's: a group, then a card that would make a contact of her.
    let group = invitation(&mut world, mallory, mallory, ChannelId::from_bytes([7; 32]));
    let card = world.card(mallory, CapabilitySecret::from_bytes([4; 32]));
    let group = InboxContent::Invitation(Box::new(group));
    for content in [group, InboxContent::ContactCardUpdate(Box::new(card))] {
        let capability = capability_of(&link);
        let answer = world.write_item(mallory, bob, capability, &content.to_bytes());
        assert!(matches!(answer, Answer::InboxSent { .. }), "{answer:?}");
    }
    world.settle();
    let refused = refusals(&mut world, bob);
    assert_eq!(refused, [InvitationRefusal::NotAContact; 2]);
    assert_eq!(refused[0].name(), "NOT_A_CONTACT");
    assert!(world.chats(bob).is_empty());
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    assert!(contacts.is_empty());
}

#[test]
fn an_invitation_waits_for_its_sender_to_become_a_contact() {
    // spec: LNK-047
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    // The laptop is away before it hears whom Alice knows.
    let laptop = world.device("laptop");
    let Reply::DeviceCode(code) = world.ask(alice, Command::DeviceLink) else { panic!() };
    world.ask(laptop, Command::JoinIdentity { code, device_name: "laptop".into() });
    world.settle();
    world.ask(alice, Command::DeviceLinkConfirm(Comparison::Equal));
    world.ask(laptop, Command::DeviceLinkConfirm(Comparison::Equal));
    world.pass(100);
    world.set_online(laptop, false);
    world.pass(120_000);
    let Reply::Chat(crew) = world.ask(bob, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    world.ask(bob, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.settle();
    world.set_online(laptop, true);
    world.pass(120_000);
    // One for each of Alice's devices lay in the inbox that they share.
    assert_eq!(refusals(&mut world, laptop), [InvitationRefusal::NotAContact; 2]);
    world.say(bob, crew.number, "both of you");
    world.settle();
    for who in [alice, laptop] {
        let chat = world.chat(who, "Crew").number;
        assert_eq!(world.texts(who, chat), ["both of you"]);
    }
}

#[test]
fn a_card_of_somebody_else_changes_nothing() {
    // spec: LNK-049
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let mallory = world.person("Mallory", 0);
    world.befriend(alice, bob);
    world.befriend(mallory, bob);
    let forged = |world: &mut World| world.card(alice, CapabilitySecret::from_bytes([6; 32]));
    let card = forged(&mut world);
    send(&mut world, mallory, bob, InboxContent::ContactCardUpdate(Box::new(card)));
    let channel = ChannelId::from_bytes([7; 32]);
    let mut group = invitation(&mut world, mallory, mallory, channel);
    group.sender = forged(&mut world);
    invite(&mut world, mallory, bob, group);
    let expected = [InvitationRefusal::CardOfAnother; 2];
    assert_eq!(refusals(&mut world, bob), expected);
    // Bob still reaches Alice: her card was not replaced.
    let Reply::Chat(crew) = world.ask(bob, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    let contact = contacts.iter().find(|contact| contact.name == "Alice").unwrap().number;
    world.ask(bob, Command::GroupAdd { chat: crew.number, contact });
    world.settle();
    assert_eq!(world.chat(alice, "Crew").state, ChatState::Open);
}

#[test]
fn an_older_card_does_not_replace_a_newer_one() {
    // spec: LNK-060
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let of_bob = contacts[0].fingerprint.clone();
    let older = world.known_card(alice, &of_bob);
    link(&mut world, bob);
    let newer = world.known_card(alice, &of_bob);
    assert!(older.device_list_minimum < newer.device_list_minimum);
    // An item that comes late, or from a device that knows no better.
    let older = ContactCard { capability: CapabilitySecret::from_bytes([6; 32]), ..older };
    send(&mut world, bob, alice, InboxContent::ContactCardUpdate(Box::new(older)));
    assert_eq!(world.known_card(alice, &of_bob).to_bytes(), newer.to_bytes());
    // Of cards of one rank the last one counts.
    let equal = ContactCard { capability: CapabilitySecret::from_bytes([5; 32]), ..newer };
    let bytes = equal.to_bytes();
    send(&mut world, bob, alice, InboxContent::ContactCardUpdate(Box::new(equal)));
    assert_eq!(world.known_card(alice, &of_bob).to_bytes(), bytes);
}

#[test]
fn a_card_with_a_minimum_beyond_all_versions_is_passed_over() {
    // spec: IDN-082
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(bob, alice);
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let of_bob = contacts[0].fingerprint.clone();
    let before = world.known_card(alice, &of_bob).to_bytes();
    let now_ms = world.now().0;
    for (version, taken) in [(u64::MAX, false), (now_ms + 700_000, false), (now_ms, true)] {
        let mut card = world.known_card(alice, &of_bob);
        card.device_list_minimum.version = DeviceListVersion(version);
        let bytes = card.to_bytes();
        send(&mut world, bob, alice, InboxContent::ContactCardUpdate(Box::new(card)));
        let known = world.known_card(alice, &of_bob).to_bytes();
        assert_eq!(known, if taken { bytes } else { before.clone() }, "{version}");
    }
}

#[test]
fn nobody_drives_out_the_invitations_of_others() {
    // spec: LNK-063
    let mut world = World::new(1);
    let [alice, bob, mallory, laptop] = with_laptop_away(&mut world);
    let invite = |world: &mut World, who: Who, name: String| {
        let Reply::Chat(chat) = world.ask(who, Command::GroupNew { name }) else { panic!() };
        let Reply::Contacts(contacts) = world.ask(who, Command::Contacts) else { panic!() };
        world.ask(who, Command::GroupAdd { chat: chat.number, contact: contacts[0].number });
        world.settle();
    };
    invite(&mut world, bob, "Crew".into());
    for number in 0..17 {
        invite(&mut world, mallory, format!("Trap {number}"));
    }
    assert_eq!(world.chats(alice).len(), 2 + 1 + 17);
    // It reads its inbox before it hears whom Alice knows.
    world.set_tamper(|frame| (!matches!(frame.answer, Answer::Entry(_))).then_some(frame));
    world.set_online(laptop, true);
    world.pass(120_000);
    assert!(refusals(&mut world, laptop).contains(&InvitationRefusal::NotAContact));
    world.set_tamper(Some);
    world.restart(laptop);
    world.pass(120_000);
    assert_eq!(world.chat(laptop, "Crew").state, ChatState::Open);
    let traps = world.chats(laptop).into_iter().filter(|chat| chat.name.starts_with("Trap"));
    assert_eq!(traps.count(), 2);
}

#[test]
fn who_has_a_link_begins_few_direct_groups() {
    // spec: LNK-065, LNK-048
    let mut world = World::new(1);
    let [alice, bob, eve] = ["Alice", "Bob", "Eve"].map(|name| world.person(name, 0));
    let link = world.link(bob, LinkUse::Lasting);
    let before = world.profile(eve);
    for _ in 0..6 {
        world.put_back(eve, before.clone());
        world.ask(eve, Command::AddContact { link: link.clone() });
        world.settle();
    }
    // By chance, one that comes later is before those that are there, or behind them.
    let refused = refusals(&mut world, bob);
    assert!(refused.len() < 3 && refused.iter().all(|why| why.name() == "TOO_MANY_GROUPS"));
    // Those, and the own group.
    assert_eq!(world.channels(bob).len(), 5);
    // Others begin theirs as ever.
    let (hers, _) = world.befriend(alice, bob);
    world.say(alice, hers, "hello");
    world.settle();
    let his = world.chat(bob, "Alice").number;
    assert_eq!(world.texts(bob, his), ["hello"]);
}

#[test]
fn chats_of_one_contact_do_not_make_the_older_ones_deaf() {
    // spec: CLI-113
    let mut world = World::with_handles_max(5);
    let [alice, bob, eve] = ["Alice", "Bob", "Eve"].map(|name| world.person(name, 0));
    let (hers, his) = world.befriend(alice, bob);
    let link = world.link(bob, LinkUse::Lasting);
    world.ask(eve, Command::AddContact { link });
    world.settle();
    let before = world.profile(eve);
    for number in 0..8 {
        // Each with a channel id before all others.
        world.put_back(eve, before.clone());
        let mut id = [0; 32];
        id[31] = number;
        world.load_dice(eve, id);
        let name = format!("Trap {number}");
        let Reply::Chat(trap) = world.ask(eve, Command::GroupNew { name }) else { panic!() };
        let Reply::Contacts(contacts) = world.ask(eve, Command::Contacts) else { panic!() };
        world.ask(eve, Command::GroupAdd { chat: trap.number, contact: contacts[0].number });
        world.settle();
    }
    assert_eq!(world.chats(bob).len(), 2 + 8);
    world.restart(bob);
    world.settle();
    world.say(alice, hers, "one");
    world.settle();
    assert_eq!(world.texts(bob, his), ["one"]);
    // Its reading ends, and all that waited try to take its place.
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    let epoch = world.steal(bob, &channel).epoch;
    for _ in 0..10 {
        world.pass(30_000);
        world.whisper(bob, epoch, Answer::Done);
    }
    world.pass(30_000);
    world.say(alice, hers, "two");
    world.settle();
    assert_eq!(world.texts(bob, his), ["one", "two"]);
}

/// Alice, Bob and Mallory, who are contacts of hers, and a laptop of hers that is away before it hears
/// of that.
fn with_laptop_away(world: &mut World) -> [Who; 4] {
    // Another device draws other numbers: in this world Bob's invitation is read before Alice's.
    world.device("spare");
    let [alice, bob, mallory] = ["Alice", "Bob", "Mallory"].map(|name| world.person(name, 0));
    world.befriend(bob, alice);
    world.befriend(mallory, alice);
    let laptop = world.device("laptop");
    let Reply::DeviceCode(code) = world.ask(alice, Command::DeviceLink) else { panic!() };
    world.ask(laptop, Command::JoinIdentity { code, device_name: "laptop".into() });
    world.settle();
    world.ask(alice, Command::DeviceLinkConfirm(Comparison::Equal));
    world.ask(laptop, Command::DeviceLinkConfirm(Comparison::Equal));
    world.pass(100);
    world.set_online(laptop, false);
    world.pass(120_000);
    [alice, bob, mallory, laptop]
}

/// What the invitations of one person to another say, one for each device.
fn seen_invitations(world: &mut World, from: Who, to: Who) -> Vec<Vec<u8>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let items = Arc::clone(&seen);
    world.set_tamper(move |frame| {
        if let Answer::InboxItem(item) = &frame.answer {
            items.lock().unwrap().push(item.item.to_vec());
        }
        Some(frame)
    });
    let name = "Crew".to_owned();
    let Reply::Chat(crew) = world.ask(from, Command::GroupNew { name }) else { panic!() };
    let Reply::Contacts(contacts) = world.ask(from, Command::Contacts) else { panic!() };
    world.ask(from, Command::GroupAdd { chat: crew.number, contact: contacts[0].number });
    world.settle();
    world.set_tamper(Some);
    let seen = core::mem::take(&mut *seen.lock().unwrap());
    seen.iter().map(|item| world.open_item(to, item)).collect()
}

#[test]
fn made_up_identities_do_not_drive_out_the_invitations_of_others() {
    // spec: LNK-066
    for links in [1, 5] {
        let mut world = World::new(1);
        let [alice, bob, _, laptop] = with_laptop_away(&mut world);
        let copies = seen_invitations(&mut world, bob, alice);
        assert_eq!(copies.len(), 2, "one for each device");
        let links: Vec<_> = (0..links).map(|_| world.link(alice, LinkUse::Lasting)).collect();
        for (place, link) in links.iter().cycle().take(20).enumerate() {
            let stranger = world.person(&format!("Stranger {place}"), 0);
            let card = world.card(stranger, CapabilitySecret::from_bytes([4; 32]));
            for copy in &copies {
                let Ok(InboxContent::Invitation(mut copy)) = InboxContent::decode(copy) else {
                    panic!()
                };
                copy.sender = ContactCard::decode(&card.to_bytes()).unwrap();
                let content = InboxContent::Invitation(copy).to_bytes();
                world.write_item(stranger, alice, capability_of(link), &content);
            }
        }
        // It reads its inbox before it hears whom Alice knows.
        world.set_tamper(|frame| (!matches!(frame.answer, Answer::Entry(_))).then_some(frame));
        world.set_online(laptop, true);
        world.pass(120_000);
        assert!(refusals(&mut world, laptop).contains(&InvitationRefusal::NotAContact));
        world.set_tamper(Some);
        world.restart(laptop);
        world.pass(120_000);
        assert_eq!(world.chat(laptop, "Crew").state, ChatState::Open);
    }
}

#[test]
fn one_contact_brings_few_relays() {
    // spec: LNK-067, LNK-048
    let mut world = World::new(4);
    let [bob, mallory] = ["Bob", "Mallory"].map(|name| world.person(name, 0));
    world.befriend(mallory, bob);
    for relay in 1..4 {
        world.move_inbox(mallory, relay - 1, relay);
        let name = format!("Trap {relay}");
        let Reply::Chat(trap) = world.ask(mallory, Command::GroupNew { name }) else { panic!() };
        let Reply::Contacts(contacts) = world.ask(mallory, Command::Contacts) else { panic!() };
        world.ask(mallory, Command::GroupAdd { chat: trap.number, contact: contacts[0].number });
        world.settle();
    }
    let refused = refusals(&mut world, bob);
    assert_eq!(refused, [InvitationRefusal::TooManyRelays]);
    assert_eq!(refused[0].name(), "TOO_MANY_RELAYS");
    assert_eq!(world.chats(bob).len(), 1 + 2);
}

#[test]
fn strangers_together_bring_few_relays() {
    // spec: LNK-067
    let mut world = World::new(18);
    let bob = world.person("Bob", 0);
    let link = world.link(bob, LinkUse::Lasting);
    for relay in 1..18 {
        let stranger = world.person(&format!("Stranger {relay}"), relay);
        world.ask(stranger, Command::AddContact { link: link.clone() });
        world.settle();
    }
    assert_eq!(refusals(&mut world, bob), [InvitationRefusal::TooManyRelays]);
    assert_eq!(world.chats(bob).len(), 16);
}

#[test]
fn a_direct_group_is_at_the_relay_of_one_of_the_two() {
    // spec: LNK-068
    let mut world = World::new(2);
    let [bob, eve] = ["Bob", "Eve"].map(|name| world.person(name, 0));
    let far = world.person("Far", 1);
    let channel = ChannelId::from_bytes([7; 32]);
    let elsewhere =
        Invitation { purpose: Purpose::Direct, ..invitation(&mut world, eve, far, channel) };
    invite(&mut world, eve, bob, elsewhere);
    assert_eq!(refusals(&mut world, bob), [InvitationRefusal::OtherRelay]);
}
