//! Stories of what a relay, a keeper who means harm and a stranger can not do to a door.

use std::{cell::Cell, rc::Rc};

use hushwire_engine::{
    command::{
        Command, CommandError, GroupEdit, GroupLinkTerms, LinkAdmission, LinkState, Reply,
        RequestAnswer, SecretText,
    },
    event::Event,
};
use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    door::{Admission, DoorCard, DoorLink, DoorTerms},
    identity::Fingerprint,
    link::{ContactLink, LinkSecret},
    seal::InboxPublicKey,
};
use hushwire_wire::{
    error::{Code, Refusal},
    id::InboxId,
    message::Answer,
};

use super::house::*;
use crate::world::{Who, World, door::door_entry};

#[test]
fn a_relay_that_denies_what_it_makes_is_asked_ever_less_often() {
    // spec: GRP-116
    let mut house = house();
    let denials = Rc::new(Cell::new(0));
    let counted = Rc::clone(&denials);
    house.world.set_tamper(move |mut frame| {
        match &frame.answer {
            Answer::InboxOpened { .. } => {
                counted.set(counted.get() + 1);
                frame.answer = Answer::Refused(Refusal::from(Code::Denied));
            }
            Answer::Refused(refusal) if refusal.code == Code::AlreadyExists => {
                frame.answer = Answer::Done;
            }
            _ => {}
        }
        Some(frame)
    });
    house.link(LinkAdmission::Open);
    house.world.pass(30 * 60_000);
    assert!(denials.get() < 200, "{}", denials.get());
    // The link waits once for the door, however often that was made.
    let Reply::Status(status) = house.world.ask(house.alice, Command::Status) else { panic!() };
    assert!(status.waiting <= 1, "{}", status.waiting);
    house.world.set_tamper(Some);
    house.world.pass(10 * 60_000);
    assert_eq!(house.links(house.alice)[0].state, LinkState::Active);
}

#[test]
fn keys_of_a_generation_far_above_are_passed_over() {
    // spec: GRP-110
    let mut house = house();
    house.link(LinkAdmission::Open);
    let (alice, bob, chat) = (house.alice, house.bob, house.his);
    let before = house.world.door_keys(alice);
    for generation in [u64::MAX, 1 + 1_025] {
        let entry = door_entry(before.inbox(), generation);
        house.world.tell_at_door(bob, chat, vec![entry]);
        house.world.settle();
        assert_eq!(house.world.door_keys(alice), before, "{generation}");
    }
    house.world.tell_at_door(bob, chat, vec![door_entry(before.inbox(), 1 + 1_024)]);
    house.world.settle();
    assert_ne!(house.world.door_keys(alice), before);
    // Better ones can be drawn all the same.
    let told = house.world.door_keys(alice);
    house.remove(bob);
    house.world.pass(120_000);
    assert_ne!(house.world.door_keys(alice), told);
}

#[test]
fn who_knows_no_door_takes_one_of_many_generations_but_not_of_any() {
    // spec: GRP-110
    for (generation, taken) in [(u64::MAX, false), ((1 << 32) + 1, false), (1 << 32, true)] {
        let mut house = house();
        let inbox = InboxId::from_bytes([3; 16]);
        house.world.tell_at_door(house.bob, house.his, vec![door_entry(inbox, generation)]);
        house.world.settle();
        assert_eq!(!house.world.has_no_door(house.alice), taken, "{generation}");
    }
}

#[test]
fn links_that_have_ended_leave_room_for_others() {
    // spec: GRP-113
    let mut house = house();
    let brief = GroupLinkTerms {
        admission: LinkAdmission::Approval,
        uses: None,
        expires_in_ms: Some(DAY_MS),
    };
    for _ in 0..32 {
        house.link_of(house.alice, brief);
    }
    let (chat, terms) = (house.hers, GroupLinkTerms { expires_in_ms: None, ..brief });
    let refused = house.world.try_ask(house.alice, Command::GroupLinkMake { chat, terms });
    assert!(matches!(refused, Err(CommandError::TooManyLinks)));
    house.world.pass(2 * DAY_MS);
    let fresh = house.link_of(house.alice, terms);
    let his = house.links(house.bob);
    assert!(his.iter().any(|link| link.text == fresh), "told to the others");
    assert_eq!(his.len(), 33, "those that ended are shown for a while");
    house.world.pass(40 * DAY_MS);
    for who in [house.alice, house.bob] {
        assert_eq!(house.links(who).len(), 1);
    }
}

/// A link to a house's door in somebody's name, as whoever keeps the door could tell it.
fn forged(house: &mut House, maker: Who, secret: u8) -> ControlEntry {
    let link = DoorLink {
        inbox: house.world.door_keys(house.alice).inbox(),
        secret: LinkSecret::from_bytes([secret; 32]),
        maker: person(&mut house.world, maker),
        admission: Admission::Open,
        uses: None,
        ends_at: None,
    };
    ControlEntry { kind: ControlKind::DoorLinkMade, payload: link.to_bytes().to_vec() }
}

fn person(world: &mut World, who: Who) -> Fingerprint {
    Fingerprint::from_hex(&fingerprint(world, who)).unwrap()
}

#[test]
fn a_link_in_anothers_name_goes_with_who_told_of_it() {
    // spec: GRP-113
    let mut house = house();
    let carol = house.world.person("Carol", 0);
    house.world.befriend(house.alice, carol);
    house.add(carol);
    house.promote(carol);
    house.link(LinkAdmission::Approval);
    let (alice, bob, chat) = (house.alice, house.bob, house.his);
    let entry = forged(&mut house, alice, 9);
    house.world.tell_at_door(bob, chat, vec![entry]);
    house.world.settle();
    assert_eq!(house.links(alice).len(), 2);
    house.remove(bob);
    house.world.pass(120_000);
    let states: Vec<LinkState> = house.links(alice).into_iter().map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Active, LinkState::Revoked]);
    // Her own link goes on at Carol's, the other is no more.
    let chat = house.world.chat(carol, "House").number;
    let Reply::GroupLinks(links) = house.world.ask(carol, Command::GroupLinks(chat)) else {
        panic!()
    };
    let usable = links.iter().filter(|link| link.state != LinkState::Revoked);
    assert_eq!(usable.count(), 1);
}

#[test]
fn nobody_signs_for_a_link_that_another_made_in_their_name() {
    // spec: GRP-113, LNK-096
    let mut house = house();
    let genuine = house.link(LinkAdmission::Approval);
    let (alice, bob, chat) = (house.alice, house.bob, house.his);
    let entry = forged(&mut house, alice, 9);
    house.world.tell_at_door(bob, chat, vec![entry]);
    house.world.settle();
    let forged = house.links(alice).remove(1).text;
    // The name changes, so makers put their cards again.
    house.edit(GroupEdit { name: Some("Home".into()), ..GroupEdit::default() });
    house.world.settle();
    let answer = fetch(&mut house.world, &forged);
    assert!(!matches!(answer, Answer::Card { .. }), "{answer:?}");
    // She has put a card again, for what she made herself.
    assert_eq!(card_of(&mut house, &genuine).name, "Home");
}

/// What the relay shows to whoever has a link.
fn card_of(house: &mut House, link: &SecretText) -> DoorTerms {
    let parsed = ContactLink::parse(link.expose()).unwrap();
    let answer = fetch(&mut house.world, link);
    let Answer::Card { card, .. } = answer else { panic!("{answer:?}") };
    let key = parsed.secret.card_key();
    let card = DoorCard::open(&key, &parsed.inbox, &capability(link), &parsed.identity, &card);
    card.unwrap().into_terms()
}

/// What requests by a link are sealed to.
fn door_key(house: &mut House, link: &SecretText) -> InboxPublicKey {
    card_of(house, link).inbox_key
}

#[test]
fn who_asks_twice_where_there_is_no_room_keeps_nobody_busy() {
    // spec: LNK-105, LNK-106
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let parsed = ContactLink::parse(link.expose()).unwrap();
    let key = door_key(&mut house, &link);
    for asker in 1..=64 {
        house.world.ask_at_door_as(asker, &parsed, &key);
    }
    house.world.settle();
    assert_eq!(house.requests(house.alice).len(), 64);
    house.world.ask_at_door_as(65, &parsed, &key);
    house.world.settle();
    let alice = house.alice;
    let asked = |world: &mut World| {
        let events = world.events(alice).into_iter();
        events.filter(|event| matches!(event, Event::JoinRequested { .. })).count()
    };
    let before = asked(&mut house.world);
    house.world.ask_at_door_as(64, &parsed, &key);
    house.world.pass(10 * 60_000);
    assert_eq!(asked(&mut house.world), before + 1);
    // Who had no room comes in its turn, when there is some.
    let request = house.requests(alice).remove(0);
    let (chat, request) = (request.chat, request.number);
    let answer = RequestAnswer::Decline;
    house.world.ask(alice, Command::GroupAnswer { chat, request, answer });
    house.world.pass(60_000);
    assert_eq!(house.requests(alice).len(), 64);
    assert_eq!(asked(&mut house.world), before + 2);
}

#[test]
fn who_asks_by_another_link_as_well_takes_no_room_there_that_is_not() {
    // spec: LNK-105
    let mut house = house();
    let [full, other] = [(); 2].map(|()| house.link(LinkAdmission::Approval));
    let text = full.clone();
    let [full, other] = [full, other].map(|link| ContactLink::parse(link.expose()).unwrap());
    let key = door_key(&mut house, &text);
    for asker in 1..=64 {
        house.world.ask_at_door_as(asker, &full, &key);
    }
    house.world.ask_at_door_as(65, &other, &key);
    house.world.settle();
    let before = house.requests(house.alice);
    assert_eq!(before.len(), 65);
    house.world.ask_at_door_as(65, &full, &key);
    house.world.pass(60_000);
    assert_eq!(house.requests(house.alice), before);
    // One of those goes to the other link: the one who waited for room by the full one has it.
    house.world.ask_at_door_as(1, &other, &key);
    house.world.pass(60_000);
    let after = house.requests(house.alice);
    let by_other = after.iter().filter(|request| request.link == before[64].link).count();
    assert_eq!((after.len(), by_other), (65, 1));
}
