//! Names that were taken before a character in them came to be refused.

use hushwire_engine::command::{ChatState, Command, LinkUse, Reply};

use crate::{
    devices::link,
    world::{Who, World},
};

/// As long as the names that they stand for: with a soft hyphen, and with a control character, as one
/// byte is the same in every encoding of what MLS stores.
const ALICE: &str = "Ali\u{ad}";
const CREW: &str = "Cre\u{7f}";

fn contact_names(world: &mut World, who: Who) -> Vec<String> {
    let Reply::Contacts(contacts) = world.ask(who, Command::Contacts) else { panic!() };
    contacts.into_iter().map(|contact| contact.name).collect()
}

#[test]
fn a_profile_with_a_name_that_is_refused_today_goes_on() {
    // spec: CLI-134
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bobby", 0);
    let (hers, his) = world.befriend(alice, bob);
    // Their own name, the name in a contact, and the one in the card of that contact.
    world.amend(alice, "Alice", ALICE);
    world.amend(bob, "Alice", ALICE);
    world.settle();

    world.say(alice, hers, "still here");
    world.settle();
    assert_eq!(world.texts(bob, his), ["still here"]);

    // The own name goes out as others take it: by a link, and to a new device with the contacts.
    let carol = world.person("Carol", 0);
    let card = world.link(alice, LinkUse::Single);
    world.ask(carol, Command::AddContact { link: card });
    world.settle();
    assert_eq!(contact_names(&mut world, carol), ["Ali"]);
    let laptop = link(&mut world, alice);
    assert_eq!(world.chats(laptop).len(), 2);
    let tablet = link(&mut world, bob);
    assert_eq!(contact_names(&mut world, tablet), ["Ali"]);

    // Who has the card can still bring its person into a group.
    let Reply::Chat(group) = world.ask(bob, Command::GroupNew { name: "Walks".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(bob, Command::Contacts) else { panic!() };
    let contact = contacts[0].number;
    world.ask(bob, Command::GroupAdd { chat: group.number, contact });
    world.settle();
    assert_eq!(world.chat(alice, "Walks").state, ChatState::Open);
}

#[test]
fn a_group_with_a_name_that_is_refused_today_goes_on() {
    // spec: CLI-134, CLI-135
    let mut world = World::new(1);
    let people = ["Alice", "Bobby", "Carol"].map(|name| world.person(name, 0));
    let [alice, bob, carol] = people;
    world.befriend(alice, bob);
    world.befriend(alice, carol);
    let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    for contact in &contacts {
        world.ask(alice, Command::GroupAdd { chat: crew.number, contact: contact.number });
        world.settle();
    }
    for who in people {
        world.amend(who, "Crew", CREW);
    }
    world.settle();

    let his = world.chat(bob, CREW);
    world.say(bob, his.number, "hello");
    let member = contacts.iter().find(|contact| contact.name == "Carol").unwrap();
    let member = member.fingerprint.clone();
    world.ask(alice, Command::GroupRemove { chat: crew.number, member });
    world.settle();
    world.say(alice, crew.number, "we are two");
    world.settle();
    assert_eq!(world.texts(alice, crew.number), ["hello", "we are two"]);
    assert_eq!(world.texts(bob, his.number), ["hello", "we are two"]);
    assert_eq!(world.chat(carol, CREW).state, ChatState::Removed);

    // Who is added would refuse the name: it is one that all take from then on.
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let carols = contacts.iter().find(|contact| contact.name == "Carol").unwrap().number;
    world.ask(alice, Command::GroupAdd { chat: crew.number, contact: carols });
    world.settle();
    for who in people {
        assert_eq!(world.chat(who, "Cre").state, ChatState::Open);
    }
}
