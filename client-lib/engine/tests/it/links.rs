//! What is said of the links that were given out, and of text that is none.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use hushwire_engine::{
    command::{ChatState, Command, CommandError, LinkInfo, LinkState, LinkUse, Reply, SecretText},
    event::Event,
};
use hushwire_wire::message::Answer;

use crate::world::{Who, World};

fn make(world: &mut World, who: Who, expires_in_ms: Option<u64>) -> LinkInfo {
    let make = Command::MakeLink { usage: LinkUse::Single, expires_in_ms };
    let Reply::Link(link) = world.ask(who, make) else { panic!() };
    world.settle();
    link
}

fn states(world: &mut World, who: Who) -> Vec<LinkState> {
    let Reply::Links(links) = world.ask(who, Command::Links) else { panic!() };
    links.into_iter().map(|link| link.state).collect()
}

#[test]
fn a_link_whose_time_is_over_is_said_to_be() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let (lasting, short) = (make(&mut world, alice, None), make(&mut world, alice, Some(60_000)));
    assert_eq!(lasting.expires_at_ms, None);
    assert!(short.expires_at_ms.is_some());
    assert_eq!(states(&mut world, alice), [LinkState::Active; 2]);
    world.pass(60_000);
    assert_eq!(states(&mut world, alice), [LinkState::Active, LinkState::Expired]);
    world.ask(alice, Command::RevokeLink(short.number));
    assert_eq!(states(&mut world, alice), [LinkState::Active, LinkState::Revoked]);
}

#[test]
fn a_used_link_stays_used_when_it_is_revoked() {
    let mut world = World::new(1);
    let (alice, bob) = (world.person("Alice", 0), world.person("Bob", 0));
    let link = make(&mut world, alice, Some(60_000));
    world.ask(bob, Command::AddContact { link: link.text });
    world.settle();
    assert_eq!(states(&mut world, alice), [LinkState::Used]);
    world.pass(60_000);
    world.ask(alice, Command::RevokeLink(link.number));
    world.settle();
    assert_eq!(states(&mut world, alice), [LinkState::Used]);
}

#[test]
fn what_is_typed_can_be_judged_without_a_profile() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let contact = make(&mut world, alice, None).text;
    let Reply::DeviceCode(code) = world.ask(alice, Command::DeviceLink) else { panic!() };
    let relay = world.address(0);
    let create = |name: &str, relay: &str| Command::CreateIdentity {
        name: name.to_owned(),
        relay: relay.to_owned(),
    };
    let join = |code: &SecretText, name: &str| Command::JoinIdentity {
        code: code.clone(),
        device_name: name.to_owned(),
    };
    let add = |link: &SecretText| Command::AddContact { link: link.clone() };
    let cut = |text: &SecretText| {
        let text = text.expose();
        SecretText::new(text.get(..text.len() - 8).unwrap().to_owned())
    };
    let other = SecretText::new("https://example.org".to_owned());
    let cases = [
        (create("Bob", &relay), Ok(())),
        (create(" ", &relay), Err(CommandError::BadText)),
        (create("Bob", "relay.example:4433"), Err(CommandError::BadRelayAddress)),
        (join(&code, "laptop"), Ok(())),
        (join(&code, ""), Err(CommandError::BadText)),
        (join(&contact, "laptop"), Err(CommandError::ContactLink)),
        (join(&cut(&code), "laptop"), Err(CommandError::LinkTruncated)),
        (join(&other, "laptop"), Err(CommandError::NotALink)),
        (add(&contact), Ok(())),
        (add(&code), Err(CommandError::LinkingCode)),
        (add(&cut(&contact)), Err(CommandError::LinkTruncated)),
        (add(&other), Err(CommandError::NotALink)),
        (Command::Chats, Ok(())),
    ];
    let bob = world.device("nobody's yet");
    for (command, expected) in cases {
        assert_eq!(command.check(), expected, "{command:?}");
        if expected.is_err() && !matches!(command, Command::AddContact { .. }) {
            assert_eq!(world.try_ask(bob, command).map(drop), expected);
        }
    }
}

#[test]
fn a_link_whose_device_list_comes_later_than_its_card_leads_there() {
    // spec: IDN-060
    let mut world = World::new(1);
    let [alice, bob, carol] = ["Alice", "Bob", "Carol"].map(|name| world.person(name, 0));
    let link = world.link(alice, LinkUse::Lasting);
    let old: Rc<RefCell<Option<bytes::Bytes>>> = Rc::default();
    let keep = Rc::clone(&old);
    world.set_tamper(move |frame| {
        if let Answer::Card { device_list, .. } = &frame.answer {
            keep.borrow_mut().get_or_insert_with(|| device_list.clone());
        }
        Some(frame)
    });
    world.ask(bob, Command::AddContact { link: link.clone() });
    world.settle();
    world.set_tamper(Some);
    crate::devices::link(&mut world, alice);
    // The link's card is of the new list by now, and the relay still has the old one.
    let left = Rc::new(Cell::new(2));
    let count = Rc::clone(&left);
    world.set_tamper(move |mut frame| {
        if let Answer::Card { device_list, .. } = &mut frame.answer
            && count.get() > 0
        {
            count.set(count.get() - 1);
            *device_list = old.borrow().clone().unwrap();
        }
        Some(frame)
    });
    world.ask(carol, Command::AddContact { link });
    world.pass(120_000);
    assert_eq!(world.chats(carol)[0].state, ChatState::Open);
    assert_eq!(left.get(), 0);
}

#[test]
fn who_came_in_by_a_link_that_is_gone_since_is_not_given_up() {
    // spec: IDN-060
    let mut world = World::new(1);
    let (alice, bob) = (world.person("Alice", 0), world.person("Bob", 0));
    let link = make(&mut world, bob, None);
    // The relay takes the invitation, and its receipt is lost.
    world.set_tamper(|frame| (!matches!(frame.answer, Answer::InboxSent { .. })).then_some(frame));
    let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link: link.text }) else {
        panic!()
    };
    world.say(alice, chat.number, "to whom it may concern");
    world.pass(1_000);
    world.set_online(alice, false);
    world.set_tamper(Some);
    world.pass(10_000);
    assert_eq!(world.chats(bob)[0].state, ChatState::Open);
    assert_eq!(world.chats(alice)[0].state, ChatState::Opening);
    world.ask(bob, Command::RevokeLink(link.number));
    world.settle();
    world.events(alice);
    world.set_online(alice, true);
    world.pass(60_000);
    assert_eq!(world.chats(alice)[0].state, ChatState::Open);
    let his = world.chats(bob)[0].number;
    assert_eq!(world.texts(bob, his), ["to whom it may concern"]);
    let warned = |event: &Event| matches!(event, Event::Warning(_) | Event::ContactFailed { .. });
    assert!(!world.events(alice).iter().any(warned));
    let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}
