//! What members say of a door, again and again: it takes no more room than it may, and crowds out
//! nothing that counts.

use hushwire_engine::{
    command::{Command, GroupRight, LinkAdmission, MemberRole, RequestState},
    store::Table,
};
use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    door::{Admission, Declined, DoorLink},
    identity::Fingerprint,
    link::LinkSecret,
};
use hushwire_wire::id::ItemId;

use super::house::*;
use crate::{
    rights::granted,
    world::{Who, World},
};

/// Entries of one message.
const ENTRIES: usize = 64;
/// More than is remembered of anything.
const MANY: u16 = 1_024 + 2;

fn tell(house: &mut House, who: Who, entries: &[ControlEntry]) {
    let chat = if who == house.alice { house.hers } else { house.his };
    for part in entries.chunks(ENTRIES) {
        house.world.tell_at_door(who, chat, part.to_vec());
        house.world.settle();
    }
}

/// 32 bytes that are nobody else's.
fn bytes(number: u16) -> [u8; 32] {
    let mut bytes = [0xA5; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn rows(world: &World, who: Who, prefix: &[u8]) -> Vec<Vec<u8>> {
    let rows = world.rows_of(who, Table::Profile).into_iter().map(|(key, _)| key);
    rows.filter(|key| key.starts_with(prefix)).collect()
}

fn person(house: &mut House, who: Who) -> Fingerprint {
    Fingerprint::from_hex(&fingerprint(&mut house.world, who)).unwrap()
}

fn needed(person: &[u8]) -> ControlEntry {
    ControlEntry { kind: ControlKind::ApprovalNeeded, payload: person.to_vec() }
}

fn declined(person: Fingerprint) -> ControlEntry {
    let payload = Declined { person, item: ItemId::from_bytes([1; 32]) }.to_bytes();
    ControlEntry { kind: ControlKind::JoinDeclined, payload }
}

#[test]
fn who_went_is_let_in_by_no_open_link_whatever_else_was_told() {
    // spec: GRP-146, LNK-102
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let (alice, bob, dave) = (house.alice, house.bob, house.dave);
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    // Who is in the group is nobody to be told of.
    let his = person(&mut house, dave);
    tell(&mut house, bob, &[needed(his.as_bytes())]);
    assert!(rows(&house.world, alice, b"approval ").is_empty());
    let many: Vec<ControlEntry> = (0..MANY).map(|number| needed(&bytes(number))).collect();
    tell(&mut house, bob, &many);
    assert_eq!(rows(&house.world, alice, b"approval ").len(), 1_024);
    house.remove(dave);
    house.world.pass(120_000);
    assert_eq!(rows(&house.world, alice, b"approval ").len(), 1_024);
    house.world.set_online(bob, false);
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(!house.is_in(dave));
    assert_eq!(house.requests(alice)[0].state, RequestState::Waiting);
}

#[test]
fn of_declines_that_are_told_the_latest_are_remembered() {
    // spec: GRP-147
    let mut house = house();
    house.link(LinkAdmission::Open);
    let (alice, bob) = (house.alice, house.bob);
    let many: Vec<ControlEntry> =
        (0..MANY).map(|number| declined(Fingerprint::from_bytes(bytes(number)))).collect();
    tell(&mut house, bob, &many);
    let known = rows(&house.world, alice, b"request ");
    assert_eq!(known.len(), 1_024);
    assert!(known.iter().any(|key| key.ends_with(&bytes(MANY - 1))));
}

#[test]
fn of_links_that_are_over_the_latest_are_remembered() {
    // spec: GRP-148
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let (alice, bob) = (house.alice, house.bob);
    let revoked = |payload: &[u8]| ControlEntry {
        kind: ControlKind::DoorLinkRevoked,
        payload: payload.to_vec(),
    };
    // Such that nobody has heard of.
    let many: Vec<ControlEntry> = (0..MANY).map(|number| revoked(&bytes(number))).collect();
    tell(&mut house, bob, &many);
    let known = rows(&house.world, alice, b"group link ");
    assert_eq!(known.len(), 1_024 + 1);
    assert!(known.iter().any(|key| key.ends_with(&bytes(MANY - 1))));
    // Such that were made before.
    let (inbox, maker) = (house.world.door_keys(alice).inbox(), person(&mut house, bob));
    let made = |number: u16| {
        let secret = LinkSecret::from_bytes(bytes(number));
        let over = hushwire_wire::transcript::capability_id(&secret.capability());
        let (admission, uses, ends_at) = (Admission::Open, None, None);
        let link = DoorLink { inbox, secret, maker, admission, uses, ends_at };
        let payload = link.to_bytes().to_vec();
        let told = ControlEntry { kind: ControlKind::DoorLinkMade, payload };
        [told, revoked(over.as_bytes())]
    };
    let many: Vec<ControlEntry> = (0..MANY + 2).flat_map(made).collect();
    tell(&mut house, bob, &many);
    assert!(rows(&house.world, alice, b"group link ").len() <= 2 * 1_024 + 1);
    // What can be used goes on.
    let dave = house.dave;
    house.world.pass(60_000);
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
}

#[test]
fn who_may_not_add_declines_for_nobody_else() {
    // spec: LNK-104
    let mut house = house();
    let carol = house.world.person("Carol", 0);
    house.world.befriend(house.alice, carol);
    house.add(carol);
    // She may make links, so what she says of the door counts, and may not add.
    let right = granted(GroupRight::Invite, MemberRole::Member);
    let (alice, chat) = (house.alice, house.hers);
    house.world.ask(alice, Command::ChangeGroup { chat, change: right.into() });
    house.world.settle();
    let link = house.link(LinkAdmission::Open);
    let (dave, hers) = (house.dave, house.world.chat(carol, "House").number);
    let his = person(&mut house, dave);
    house.world.tell_at_door(carol, hers, vec![declined(his)]);
    house.world.settle();
    assert!(rows(&house.world, alice, b"request ").is_empty());
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    // Who may add does.
    house.remove(dave);
    house.world.pass(60_000);
    let erin = house.world.person("Erin", 0);
    let of_erin = person(&mut house, erin);
    let bob = house.bob;
    tell(&mut house, bob, &[declined(of_erin)]);
    // His own client has not heard of it.
    house.world.set_online(bob, false);
    join(&mut house.world, erin, &link);
    house.world.pass(60_000);
    assert!(!house.is_in(erin));
}
