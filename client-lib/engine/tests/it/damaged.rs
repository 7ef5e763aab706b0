//! Something that is stored is damaged, and something comes in the inbox that needs it.

use hushwire_engine::{
    command::{ChatState, Command, MessageState, Reply},
    event::{Event, Warning},
};
use hushwire_protocol::identity::Fingerprint;

use crate::{
    rejoining::{Crew, crew, expire},
    world::past::Damage,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Somebody forms a group with Bob.
fn invite_bob(crew: &mut Crew, place: usize, name: &str) {
    let who = crew.people[place];
    let Reply::Chat(chat) = crew.world.ask(who, Command::GroupNew { name: name.into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = crew.world.ask(who, Command::Contacts) else { panic!() };
    let contact = contacts.iter().find(|contact| contact.name == "Bob").unwrap().number;
    crew.world.ask(who, Command::GroupAdd { chat: chat.number, contact });
    crew.world.settle();
}

#[test]
fn who_cannot_read_who_was_in_a_group_comes_back_by_what_else_is_there() {
    // spec: CLI-161, LNK-045
    let mut crew = crew();
    for place in [ALICE, CAROL] {
        crew.world.set_online(crew.people[place], false);
    }
    expire(&mut crew, BOB);
    crew.world.damage(crew.people[BOB], &crew.channel.clone(), Damage::GarbledRoster);
    for place in [ALICE, CAROL] {
        crew.world.set_online(crew.people[place], true);
    }
    crew.world.pass(5 * 60_000);
    assert_eq!(crew.returns(BOB), 1);
    crew.assert_whole();
}

#[test]
fn an_item_that_needs_what_is_damaged_is_passed_over_and_the_next_are_taken() {
    // spec: CLI-147, CLI-045
    let mut crew = crew();
    let members = crew.members(ALICE);
    let carol = members.iter().find(|member| member.name == "Carol").unwrap();
    let carol = Fingerprint::from_hex(&carol.fingerprint).unwrap();
    let bob = crew.people[BOB];
    crew.world.damage(bob, &crew.channel.clone(), Damage::GarbledContact(carol));
    invite_bob(&mut crew, CAROL, "Boats");
    let damaged = Event::Warning(Warning::ItemRejected { code: "STORE_DAMAGED".into() });
    let told = crew.events(BOB).into_iter().filter(|event| *event == damaged).count();
    assert_eq!(told, 1);
    // What others send comes.
    invite_bob(&mut crew, ALICE, "Planes");
    assert_eq!(crew.world.chat(bob, "Planes").state, ChatState::Open);
    let (alice, hers) = (crew.people[ALICE], crew.world.chat(crew.people[ALICE], "Bob").number);
    crew.world.say(alice, hers, "hello");
    crew.world.settle();
    let states = crew.world.states(alice, hers);
    assert!(matches!(states[..], [MessageState::Delivered { .. }]), "{states:?}");
}
