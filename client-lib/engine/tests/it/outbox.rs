//! Stories of what is written when the network, a race or the disk gets in the way.

use hushwire_engine::{
    command::{Command, CommandError, LinkUse, MessageState, Reply},
    engine::{Engine, Settings},
    event::Event,
    io::Output,
    memory::MemoryStore,
    store::{Change, Range, Row, Store, StoreError, Table},
};
use hushwire_wire::{
    error::{Code, Refusal},
    id::{Signature, Timestamp},
    message::Answer,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use crate::world::World;

/// A store whose disk is full.
struct FullStore(MemoryStore);

impl Store for FullStore {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.0.row(table, key)
    }

    fn rows(&self, table: Table, range: Range<'_>) -> Result<Vec<Row>, StoreError> {
        self.0.rows(table, range)
    }

    fn apply(&mut self, _: Vec<Change>) -> Result<(), StoreError> {
        Err(StoreError::Full)
    }
}

#[test]
fn nothing_leaves_that_is_not_stored() {
    // spec: CLI-001, CLI-002
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let store = FullStore(MemoryStore::default());
    let mut engine = Engine::open(store, rng, Settings::default(), Timestamp(1)).unwrap();
    let relay = "relay.example:4433#C7wXDZitFIeYIjlQguVTNR9VQ1K3wNx-3FN_P2fdeA0".to_owned();
    let command = Command::CreateIdentity { name: "Alice".into(), relay };
    assert_eq!(engine.command(Timestamp(2), command), Err(CommandError::DiskFull));
    while let Some(output) = engine.poll_output() {
        assert!(!matches!(output, Output::Send { .. } | Output::Connect { .. }));
    }
    assert_eq!(engine.command(Timestamp(3), Command::Profile), Err(CommandError::NoIdentity));
}

#[test]
fn a_message_that_a_commit_overtook_is_sealed_again() {
    // spec: CLI-013
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let carol = world.person("Carol", 0);
    world.befriend(alice, bob);
    world.befriend(alice, carol);
    let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    world.ask(alice, Command::GroupAdd { chat: group.number, contact: contacts[0].number });
    world.settle();
    let his = world.chat(bob, "Crew").number;

    // Bob's message is sealed for this epoch and gets lost; then the epoch is over.
    world.set_mute(bob, true);
    world.say(bob, his, "sealed too early");
    world.ask(alice, Command::GroupAdd { chat: group.number, contact: contacts[1].number });
    world.settle();
    assert_eq!(world.states(bob, his), [MessageState::Pending]);
    world.set_mute(bob, false);
    world.set_online(bob, false);
    world.set_online(bob, true);
    world.pass(120_000);
    let hers = world.chat(carol, "Crew").number;
    assert_eq!(world.texts(carol, hers), ["sealed too early"]);
    assert_eq!(world.texts(alice, group.number), ["sealed too early"]);
    assert_eq!(world.texts(bob, his), ["sealed too early"]);
}

#[test]
fn what_is_true_already_is_not_done_again() {
    // spec: CLI-014
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(alice, bob);
    let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let add = Command::GroupAdd { chat: group.number, contact: contacts[0].number };
    world.set_online(alice, false);
    world.ask(alice, add.clone());
    world.ask(alice, add.clone());
    world.set_online(alice, true);
    world.pass(120_000);
    let events = world.events(alice);
    let added = events.iter().filter(|event| matches!(event, Event::MembersAdded { .. })).count();
    assert_eq!(added, 1);
    let failed = |event: &Event| {
        matches!(event, Event::GroupChangeFailed { .. } | Event::AdditionFailed { .. })
    };
    assert!(!events.iter().any(failed));
    let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
    assert_eq!(world.try_ask(alice, add), Err(CommandError::AlreadyAMember));
}

#[test]
fn a_forged_receipt_proves_nothing() {
    // spec: CLI-043
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, _) = world.befriend(alice, bob);
    world.set_tamper(|mut frame| {
        match &mut frame.answer {
            Answer::Appended(appended) => appended.signature = Signature::from_bytes([1; 64]),
            // Nor does the log show the message.
            Answer::Entry(_) => return None,
            _ => {}
        }
        Some(frame)
    });
    world.say(alice, hers, "stored?");
    world.settle();
    assert_eq!(world.states(alice, hers), [MessageState::Pending]);
    world.set_tamper(Some);
    world.set_online(alice, false);
    world.set_online(alice, true);
    world.pass(120_000);
    assert_ne!(world.states(alice, hers), [MessageState::Pending]);
}

#[test]
fn inbox_items_are_handled_once_and_key_packages_are_kept() {
    // spec: CLI-045, CLI-046
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    // The packages on Bob's shelf are of an engine that is gone; their private parts are not.
    world.restart(bob);
    let link = world.link(bob, LinkUse::Single);
    world.ask(alice, Command::AddContact { link });
    for _ in 0..4 {
        world.pass(2_000);
        world.restart(bob);
    }
    world.settle();
    assert_eq!(world.chats(bob).len(), 1);
    let added = |event: &&Event| matches!(event, Event::ContactAdded(_));
    assert_eq!(world.events(bob).iter().filter(added).count(), 1);
    let his = world.chats(bob)[0].number;
    world.say(bob, his, "hello");
    world.settle();
    let hers = world.chats(alice)[0].number;
    assert_eq!(world.texts(alice, hers), ["hello"]);
}

#[test]
fn receipts_come_in_batches() {
    // spec: CLI-015
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, _) = world.befriend(alice, bob);
    world.set_online(bob, false);
    for number in 0..50 {
        world.say(alice, hers, &number.to_string());
    }
    world.settle();
    let appended = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&appended);
    world.set_tamper(move |frame| {
        if matches!(frame.answer, Answer::Appended(_)) {
            count.set(count.get() + 1);
        }
        Some(frame)
    });
    world.set_online(bob, true);
    world.pass(120_000);
    let delivered = MessageState::Delivered { people: 1, of: 1 };
    assert!(world.states(alice, hers).iter().all(|state| *state == delivered));
    assert!(appended.get() <= 3, "{} receipts for 50 messages", appended.get());
}

#[test]
fn a_leave_that_the_relay_refuses_waits_here() {
    // spec: CLI-139
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let contact = contacts[0].number;
    world.ask(alice, Command::GroupAdd { chat: crew.number, contact });
    world.settle();
    let his = world.chat(bob, "Crew").number;
    world.set_online(alice, false);
    let waiting = |world: &mut World| {
        let Reply::Status(status) = world.ask(bob, Command::Status) else { panic!() };
        status.waiting
    };
    world.set_tamper(|mut frame| {
        if let Answer::Appended(_) = frame.answer {
            frame.answer = Answer::Refused(Refusal::from(Code::Stale));
        }
        Some(frame)
    });
    world.ask(bob, Command::GroupLeave(his));
    assert_eq!(waiting(&mut world), 1);
    world.settle();
    assert_eq!(waiting(&mut world), 1);
    world.set_tamper(Some);
    world.restart(bob);
    world.settle();
    assert_eq!(waiting(&mut world), 0, "the relay has it");
}
