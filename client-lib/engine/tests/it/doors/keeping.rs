//! Stories of who keeps a door, of its keys, and of what strangers and the relay do there.

use std::{cell::RefCell, rc::Rc};

use hushwire_engine::{
    command::{
        ChatState, Command, CommandError, FailureReason, GroupLinkTerms, LinkAdmission, LinkState,
        Reply, RequestAnswer,
    },
    event::{Event, Warning},
};
use hushwire_protocol::{door::DoorCard, link::ContactLink};
use hushwire_wire::{
    error::Code,
    message::{Answer, Request},
};

use crate::world::World;

use super::house::*;
#[test]
fn a_removal_gives_the_door_keys_that_the_removed_do_not_know() {
    // spec: GRP-111, LNK-096
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let (dave, bob) = (house.dave, house.bob);
    house.world.settle();
    let stolen = house.world.door_keys(bob);
    let Answer::Card { card: before, .. } = fetch(&mut house.world, &link) else { panic!() };
    house.remove(bob);
    house.world.pass(120_000);
    assert!(house.world.has_no_door(bob), "he keeps nothing of it");
    // The relay lets nobody in by the old key.
    assert!(matches!(
        house.world.open_door(&stolen),
        Answer::Refused(refusal) if refusal.code == Code::Denied
    ));
    // The link is as it was, and its card names another key.
    let Answer::Card { card, .. } = fetch(&mut house.world, &link) else { panic!() };
    assert_ne!(card, before);
    let parsed = ContactLink::parse(link.expose()).unwrap();
    let open = |card: &[u8]| {
        let key = parsed.secret.card_key();
        let capability = capability(&link);
        DoorCard::open(&key, &parsed.inbox, &capability, &parsed.identity, card)
    };
    let (old, new) = (open(&before).unwrap().into_terms(), open(&card).unwrap().into_terms());
    assert_ne!(old.inbox_key, new.inbox_key);
    assert_eq!(stolen.inbox_key().public().unwrap(), old.inbox_key);
    join(&mut house.world, dave, &link);
    house.world.settle();
    assert_eq!(house.requests(house.alice).len(), 1);
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
}

#[test]
fn who_was_removed_is_let_in_by_a_word_only() {
    // spec: LNK-102
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let bob = house.bob;
    house.remove(bob);
    house.world.pass(120_000);
    let chat = join(&mut house.world, bob, &link);
    assert_eq!(chat, house.his, "it is the chat that he knows");
    house.world.pass(60_000);
    assert!(!house.is_in(bob));
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    assert!(house.is_in(bob));
    assert_eq!(state(&mut house.world, bob, chat), ChatState::Open);
    assert_eq!(house.world.chats(bob).iter().filter(|it| it.name == "House").count(), 1);
}

#[test]
fn who_was_removed_before_there_was_a_door_is_remembered_too() {
    // spec: LNK-102, GRP-112
    let mut house = house();
    let (bob, alice) = (house.bob, house.alice);
    house.remove(bob);
    house.world.settle();
    let carol = house.world.person("Carol", 0);
    house.world.befriend(alice, carol);
    house.add(carol);
    house.promote(carol);
    let link = house.link(LinkAdmission::Open);
    house.world.set_online(alice, false);
    let chat = join(&mut house.world, bob, &link);
    house.world.pass(60_000);
    assert_eq!(state(&mut house.world, bob, chat), ChatState::Asked);
}

#[test]
fn who_came_by_a_link_and_was_removed_is_added_as_a_contact() {
    // spec: LNK-101
    let mut house = house();
    let (alice, dave) = (house.alice, house.dave);
    let link = house.link(LinkAdmission::Open);
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    house.remove(dave);
    house.world.pass(40 * DAY_MS);
    house.world.befriend(alice, dave);
    house.add(dave);
    assert!(house.is_in(dave));
}

#[test]
fn a_door_that_somebody_shut_is_replaced_by_another() {
    // spec: GRP-114
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let stolen = house.world.door_keys(house.bob);
    house.world.shut_door(&stolen);
    house.world.pass(30 * 60_000);
    let warned = house
        .world
        .events(house.alice)
        .into_iter()
        .any(|event| matches!(event, Event::Warning(Warning::DoorDenied { .. })));
    assert!(warned);
    let fresh = house.link(LinkAdmission::Open);
    house.world.settle();
    let states: Vec<LinkState> =
        house.links(house.bob).into_iter().map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Revoked, LinkState::Active]);
    let dave = house.dave;
    join(&mut house.world, dave, &fresh);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    drop(link);
}

#[test]
fn a_door_that_its_relay_lost_is_made_again_with_its_links() {
    // spec: GRP-116
    let mut house = house();
    let before = house.world.backup(0);
    let link = house.link(LinkAdmission::Open);
    let revoked = house.link(LinkAdmission::Open);
    let number = house.links(house.alice)[1].number;
    let chat = house.hers;
    house.world.ask(house.alice, Command::GroupLinkRevoke { chat, link: number });
    house.world.settle();
    house.world.restore(0, before);
    house.world.pass(120_000);
    let dave = house.dave;
    join(&mut house.world, dave, &revoked);
    house.world.pass(60_000);
    assert!(!house.is_in(dave));
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    let denied = |event: &Event| matches!(event, Event::Warning(Warning::DoorDenied { .. }));
    assert!(!house.world.events(house.alice).iter().any(denied));
    let Reply::Status(status) = house.world.ask(house.alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn a_link_that_its_relay_knows_again_is_revoked_again() {
    // spec: GRP-116
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let before = house.world.backup(0);
    let (chat, number) = (house.hers, house.links(house.alice)[0].number);
    house.world.ask(house.alice, Command::GroupLinkRevoke { chat, link: number });
    house.world.settle();
    house.world.restore(0, before);
    house.world.pass(120_000);
    let dave = house.dave;
    let his = join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert_eq!(state(&mut house.world, dave, his), ChatState::NotAdmitted);
    assert_eq!(failures(&mut house.world, dave), [FailureReason::LinkNotValid]);
}

#[test]
fn with_who_made_a_link_goes_the_link() {
    // spec: GRP-113
    let mut house = house();
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    let link = house.link_of(house.bob, terms);
    house.remove(house.bob);
    house.world.pass(120_000);
    assert_eq!(house.links(house.alice)[0].state, LinkState::Revoked);
    let answer = fetch(&mut house.world, &link);
    assert!(matches!(answer, Answer::Refused(refusal) if refusal.code == Code::Denied));
    let dave = house.dave;
    join(&mut house.world, dave, &link);
    house.world.settle();
    assert_eq!(failures(&mut house.world, dave), [FailureReason::LinkNotValid]);
}

#[test]
fn who_comes_in_later_keeps_the_door_as_well() {
    // spec: GRP-112
    let mut house = house();
    let asking = house.link(LinkAdmission::Approval);
    let gone = house.link(LinkAdmission::Open);
    let number = house.links(house.alice)[1].number;
    house.world.ask(house.alice, Command::GroupLinkRevoke { chat: house.hers, link: number });
    house.world.settle();
    let carol = house.world.person("Carol", 0);
    house.world.befriend(house.alice, carol);
    house.add(carol);
    house.promote(carol);
    house.world.settle();
    for who in [house.alice, house.bob] {
        house.world.set_online(who, false);
    }
    let dave = house.dave;
    join(&mut house.world, dave, &asking);
    house.world.settle();
    let chat = house.world.chat(carol, "House").number;
    let Reply::GroupRequests(requests) = house.world.ask(carol, Command::GroupRequests(chat))
    else {
        panic!()
    };
    let request = requests[0].number;
    let answer = RequestAnswer::Approve;
    house.world.ask(carol, Command::GroupAnswer { chat, request, answer });
    house.world.pass(60_000);
    for who in [house.alice, house.bob] {
        house.world.set_online(who, true);
    }
    // Who was away for a minute connects again within another.
    house.world.pass(120_000);
    assert!(house.is_in(dave));
    // And she knows only the links that can be used.
    let Reply::GroupLinks(links) = house.world.ask(carol, Command::GroupLinks(chat)) else {
        panic!()
    };
    assert_eq!(links.len(), 1);
    assert_ne!(links[0].text, gone);
}

#[test]
fn plain_members_keep_no_door() {
    // spec: GRP-110, GRP-112
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let (dave, alice) = (house.dave, house.alice);
    join(&mut house.world, dave, &link);
    house.world.settle();
    house.answer(alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    let chat = house.world.chat(dave, "House").number;
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    let refused = house.world.try_ask(dave, Command::GroupLinkMake { chat, terms });
    assert!(matches!(refused, Err(CommandError::NoRight)));
    // What he says of the door all the same counts nothing.
    let before = house.world.door_keys(alice);
    house.world.claim_door(dave, chat);
    house.world.settle();
    assert_eq!(house.world.door_keys(alice), before);
    // An admin's word does.
    house.promote(dave);
    house.world.claim_door(dave, chat);
    house.world.settle();
    assert_ne!(house.world.door_keys(alice), before);
}

#[test]
fn what_the_relay_says_of_the_link_opens_nothing() {
    // spec: LNK-099
    let mut house = house();
    let asking = house.link(LinkAdmission::Approval);
    let open = house.link(LinkAdmission::Open);
    let (from, to) = (capability(&asking), capability(&open));
    house.world.set_tamper(move |mut frame| {
        if let Answer::InboxItem(item) = &mut frame.answer
            && item.capability == from
        {
            item.capability = to;
        }
        Some(frame)
    });
    let dave = house.dave;
    join(&mut house.world, dave, &asking);
    house.world.pass(60_000);
    assert!(!house.is_in(dave));
    assert_eq!(house.requests(house.alice).len(), 1);
}

#[test]
fn a_card_of_before_a_rotation_still_leads_in() {
    // spec: GRP-111
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let Answer::Card { card: before, .. } = fetch(&mut house.world, &link) else { panic!() };
    house.remove(house.bob);
    house.world.pass(120_000);
    house.world.set_tamper(move |mut frame| {
        if let Answer::Card { card, .. } = &mut frame.answer
            && card.len() == before.len()
        {
            *card = before.clone();
        }
        Some(frame)
    });
    let dave = house.dave;
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
}

#[test]
fn a_request_that_waits_outlives_the_keys_that_open_it() {
    // spec: LNK-122, LNK-106
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let inbox = ContactLink::parse(link.expose()).unwrap().inbox;
    let (alice, dave) = (house.alice, house.dave);
    join(&mut house.world, dave, &link);
    house.world.settle();
    assert_eq!(house.requests(alice).len(), 1);
    for number in 0..5 {
        let guest = house.world.person(&format!("Guest {number}"), 0);
        house.world.befriend(alice, guest);
        house.add(guest);
        house.remove(guest);
        house.world.pass(120_000);
    }
    for who in [alice, house.bob] {
        house.world.restart(who);
        house.world.settle();
        let warned = house.world.events(who).into_iter().any(|event| {
            matches!(event, Event::Warning(Warning::ItemRejected { code }) if code == "REQUEST_NOT_VALID")
        });
        assert!(!warned, "it is nobody's fault that the keys are gone");
    }
    assert_eq!(house.world.items_at(&inbox), 1, "it still waits");
    house.answer(house.bob, RequestAnswer::Approve);
    house.world.pass(120_000);
    assert!(house.is_in(dave));
    assert_eq!(house.world.items_at(&inbox), 0);
}

#[test]
fn a_request_that_comes_again_changes_nothing() {
    // spec: LNK-098, LNK-106
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let seen = Rc::new(RefCell::new(None));
    let (noted, by) = (Rc::clone(&seen), capability(&link));
    house.world.set_tamper(move |frame| {
        if let Answer::InboxItem(item) = &frame.answer
            && item.capability == by
        {
            *noted.borrow_mut() = Some(item.item.clone());
        }
        Some(frame)
    });
    let dave = house.dave;
    join(&mut house.world, dave, &link);
    house.world.settle();
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    house.remove(dave);
    house.world.pass(120_000);
    let item = seen.borrow().clone().unwrap();
    let parsed = ContactLink::parse(link.expose()).unwrap();
    let asked = |world: &mut World, who| {
        let events = world.events(who).into_iter();
        events.filter(|event| matches!(event, Event::JoinRequested { .. })).count()
    };
    let before = asked(&mut house.world, house.alice);
    let secret = parsed.secret.capability();
    // The relay has forgotten that it had it.
    house.world.pass(100 * DAY_MS);
    house.world.ask_relay(0, Request::InboxSend { inbox: parsed.inbox, secret, item });
    house.world.settle();
    assert_eq!(asked(&mut house.world, house.alice), before);
    assert!(house.requests(house.alice).is_empty());
}

#[test]
fn a_flood_by_one_link_leaves_the_others_open() {
    // spec: LNK-098, LNK-105, LNK-106
    let mut house = house();
    let flooded = house.link(LinkAdmission::Approval);
    let open = house.link(LinkAdmission::Open);
    let parsed = ContactLink::parse(flooded.expose()).unwrap();
    let Answer::Card { card, .. } = fetch(&mut house.world, &flooded) else { panic!() };
    let key = parsed.secret.card_key();
    let terms = DoorCard::open(&key, &parsed.inbox, &capability(&flooded), &parsed.identity, &card);
    let terms = terms.unwrap().into_terms();
    for _ in 0..100 {
        house.world.ask_at_door(&parsed, &terms.inbox_key);
    }
    house.world.settle();
    for garbage in [&b"x"[..], b"not sealed", &[0; 2048]] {
        let (inbox, secret) = (parsed.inbox, parsed.secret.capability());
        let item = bytes::Bytes::copy_from_slice(garbage);
        house.world.ask_relay(0, Request::InboxSend { inbox, secret, item });
    }
    house.world.settle();
    assert_eq!(house.requests(house.alice).len(), 64);
    let dave = house.dave;
    join(&mut house.world, dave, &open);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    let warned = house.world.events(house.alice).into_iter().any(|event| {
        matches!(event, Event::Warning(Warning::ItemRejected { code }) if code == "REQUEST_NOT_VALID")
    });
    assert!(warned);
    // With the link goes the flood, and the door is empty.
    let number = house.links(house.alice)[0].number;
    house.world.ask(house.alice, Command::GroupLinkRevoke { chat: house.hers, link: number });
    house.world.pass(60_000);
    assert!(house.requests(house.alice).is_empty());
    assert_eq!(house.world.items_at(&parsed.inbox), 0);
}

#[test]
fn who_asks_survives_a_crash_at_each_step() {
    // spec: LNK-097
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    for step in 1..=12 {
        let who = house.world.person(&format!("Asker {step}"), 0);
        house.world.crash_at(who, step);
        let chat = join(&mut house.world, who, &link);
        house.world.pass(120_000);
        assert_eq!(state(&mut house.world, who, chat), ChatState::Open, "{step}");
    }
    let devices: Vec<u32> = house.members().iter().map(|member| member.devices).collect();
    assert_eq!(devices, [1; 14]);
}

#[test]
fn who_lets_in_survives_a_crash_at_each_step() {
    // spec: LNK-103, LNK-106
    let mut house = house();
    house.world.set_online(house.bob, false);
    let link = house.link(LinkAdmission::Open);
    let alice = house.alice;
    for step in 1..=14 {
        let who = house.world.person(&format!("Asker {step}"), 0);
        house.world.crash_at(alice, step);
        let chat = join(&mut house.world, who, &link);
        house.world.pass(120_000);
        assert_eq!(state(&mut house.world, who, chat), ChatState::Open, "{step}");
    }
    let devices: Vec<u32> = house.members().iter().map(|member| member.devices).collect();
    assert_eq!(devices, [1; 16]);
}

#[test]
fn a_rotation_survives_a_crash_at_each_step() {
    // spec: GRP-111
    for step in [1, 2, 3, 4, 5, 6, 8, 10] {
        let mut house = house();
        let link = house.link(LinkAdmission::Open);
        let stolen = house.world.door_keys(house.bob);
        house.world.crash_at(house.alice, step);
        house.remove(house.bob);
        house.world.pass(180_000);
        assert!(matches!(house.world.open_door(&stolen), Answer::Refused(_)), "{step}");
        let dave = house.dave;
        join(&mut house.world, dave, &link);
        house.world.pass(60_000);
        assert!(house.is_in(dave), "{step}");
    }
}

#[test]
fn links_of_other_kinds_are_named() {
    // spec: LNK-011
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let dave = house.dave;
    let refused = house.world.try_ask(dave, Command::AddContact { link });
    assert!(matches!(refused, Err(CommandError::GroupLink)));
    let link = house.world.link(dave, hushwire_engine::command::LinkUse::Single);
    let refused = house.world.try_ask(house.alice, Command::GroupJoin { link });
    assert!(matches!(refused, Err(CommandError::NotAGroupLink)));
}
