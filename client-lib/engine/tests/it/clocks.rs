//! Clocks that are wrong for a while.

use std::{cell::Cell, rc::Rc};

use hushwire_engine::{
    command::{Command, CommandError, FailureReason, LinkUse, Reply},
    engine::{Engine, Settings},
    event::{Event, EventNumber, Warning},
    io::{Disconnect, Input, Output},
    memory::MemoryStore,
    session::SessionNumber,
    store::{Change, Range, Row, Store, StoreError, Table},
};
use hushwire_wire::{id::Timestamp, message::Answer};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use crate::{
    devices::link,
    world::{Who, World},
};

const DAWN: Timestamp = Timestamp(1_800_000_000_000);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const FIVE_YEARS_MS: i64 = 5 * 365 * 24 * 60 * 60 * 1000;

/// Somebody new adds `other` by a link; whether that came to be, and why not.
fn added_by_a_stranger(world: &mut World, name: &str, other: Who) -> Result<(), FailureReason> {
    let stranger = world.person(name, 0);
    let card = world.link(other, LinkUse::Single);
    world.ask(stranger, Command::AddContact { link: card });
    world.pass(30 * 60 * 1000);
    let failed = |event| match event {
        Event::ContactFailed { reason, .. } => Some(reason),
        _ => None,
    };
    world.events(stranger).into_iter().find_map(failed).map_or(Ok(()), Err)
}

#[test]
fn a_clock_that_jumps_ahead_and_back_leaves_a_client_that_goes_on() {
    // spec: CLI-136, CLI-137, IDN-067
    let mut world = World::new(1);
    let (alice, bob) = (world.person("Alice", 0), world.person("Bob", 0));
    let (hers, his) = world.befriend(alice, bob);

    world.skew(alice, FIVE_YEARS_MS);
    world.say(alice, hers, "from the future");
    world.settle();
    world.say(bob, his, "from the present");
    // A session that breaks now waits for a time that is years away.
    world.set_up(0, false);
    world.pass(90_000);
    world.say(alice, hers, "while the relay is away");
    world.skew(alice, 0);
    world.set_up(0, true);
    world.pass(120_000);
    // The list that was signed in the future is signed anew, and can be used.
    assert_eq!(added_by_a_stranger(&mut world, "Carol", alice), Ok(()));

    world.say(bob, his, "still there?");
    world.settle();
    world.say(alice, hers, "yes");
    world.settle();
    let said =
        ["from the future", "from the present", "while the relay is away", "still there?", "yes"];
    assert_eq!(world.texts(alice, hers).len(), said.len());
    assert_eq!(world.texts(bob, his), world.texts(alice, hers));
    for text in said {
        assert!(world.texts(bob, his).iter().any(|known| known == text), "{text}");
    }
}

#[test]
fn a_list_that_a_wrong_clock_signed_is_signed_anew_by_a_right_one_only() {
    // spec: IDN-067
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    // The jump happens while the inbox is open: nothing says yet that the clock is wrong.
    world.skew(alice, FIVE_YEARS_MS);
    world.settle();
    assert_eq!(
        added_by_a_stranger(&mut world, "Carol", alice),
        Err(FailureReason::NotFresh),
        "the clock did no harm"
    );
    world.skew(alice, 0);
    world.settle();
    assert_eq!(added_by_a_stranger(&mut world, "Dave", alice), Ok(()));

    // Now a slow clock: the good list is from its future, and it leaves it as it is.
    let laptop = link(&mut world, alice);
    world.skew(laptop, -FIVE_YEARS_MS);
    world.set_online(laptop, false);
    world.set_online(laptop, true);
    world.pass(3 * DAY_MS);
    assert_eq!(added_by_a_stranger(&mut world, "Erin", alice), Ok(()));
}

fn clock_warnings(world: &mut World, who: Who) -> usize {
    let warned = |event: &Event| matches!(event, Event::Warning(Warning::ClockDiffers { .. }));
    world.events(who).into_iter().filter(warned).count()
}

#[test]
fn a_relay_whose_clock_is_wrong_ends_nobody_s_device_list() {
    // spec: IDN-067, CLI-141
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    world.set_tamper(|mut frame| {
        if let Answer::Hello(hello) = &mut frame.answer {
            hello.time.0 += 2 * DAY_MS;
        }
        Some(frame)
    });
    world.restart(alice);
    world.restart(alice);
    world.settle();
    assert_eq!(clock_warnings(&mut world, alice), 1, "of a state that lasts, once a day");
    // It waits while it can.
    let before = world.lists_put(alice);
    for _ in 0..45 {
        world.pass(DAY_MS);
    }
    assert_eq!(world.lists_put(alice), before);
    for _ in 0..55 {
        world.pass(DAY_MS);
    }
    assert_eq!(world.lists_put(alice), before + 1);
    world.set_tamper(Some);
    assert_eq!(added_by_a_stranger(&mut world, "Bob", alice), Ok(()));
}

/// A store whose disk can be full.
struct Crowded {
    store: MemoryStore,
    full: Rc<Cell<bool>>,
}

impl Store for Crowded {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.store.row(table, key)
    }

    fn rows(&self, table: Table, range: Range<'_>) -> Result<Vec<Row>, StoreError> {
        self.store.rows(table, range)
    }

    fn apply(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.full.get() { Err(StoreError::Full) } else { self.store.apply(changes) }
    }
}

fn connects(engine: &mut Engine<Crowded>) -> usize {
    let outputs: Vec<Output> = core::iter::from_fn(|| engine.poll_output()).collect();
    let mut connects = 0;
    for output in outputs {
        if let Output::Connect { session, .. } = output {
            connects += 1;
            let lost = Input::Disconnected(session, Disconnect::Network);
            engine.handle_input(DAWN, lost).unwrap();
        }
    }
    connects
}

#[test]
fn a_disk_that_is_full_while_the_clock_goes_back_does_not_make_a_client_deaf() {
    // spec: CLI-136, CLI-138
    let full = Rc::new(Cell::new(false));
    let store = Crowded { store: MemoryStore::default(), full: Rc::clone(&full) };
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let mut engine = Engine::open(store, rng, Settings::default(), DAWN).unwrap();
    let relay = "relay.example:4433#C7wXDZitFIeYIjlQguVTNR9VQ1K3wNx-3FN_P2fdeA0".to_owned();
    engine.command(DAWN, Command::CreateIdentity { name: "Alice".into(), relay }).unwrap();
    // A linking has a time that is cut when the clock goes back.
    engine.command(DAWN, Command::DeviceLink).unwrap();
    assert_eq!(connects(&mut engine), 3);
    let Reply::Status(before) = engine.command(DAWN, Command::Status).unwrap() else { panic!() };

    full.set(true);
    let back = Timestamp(DAWN.0 - 120_000);
    assert_eq!(engine.handle_input(back, Input::Timeout), Err(StoreError::Full));
    assert_eq!(connects(&mut engine), 0);
    let next = engine.poll_timeout().expect("it comes back to it by itself");
    assert!(next > back && next <= back.plus_ms(5_000));
    assert_eq!(engine.handle_input(next, Input::Timeout), Err(StoreError::Full));
    assert!(engine.poll_timeout().is_some_and(|at| at > next));
    // What is stored can be read meanwhile.
    for command in [Command::Chats, Command::Events { from: EventNumber(1), count_max: 10 }] {
        assert!(engine.command(next, command).is_ok());
    }
    let refused = engine.command(next, Command::GroupNew { name: "Crew".into() });
    assert_eq!(refused, Err(CommandError::DiskFull));

    // There is room again, and the clock is right.
    full.set(false);
    engine.handle_input(DAWN, Input::Timeout).unwrap();
    assert_eq!(connects(&mut engine), 3);
    let Reply::Status(after) = engine.command(DAWN, Command::Status).unwrap() else { panic!() };
    assert_eq!(after.waiting, before.waiting);
    assert!(after.waiting > 0);
}

#[test]
fn what_comes_of_a_connection_that_is_over_changes_nothing() {
    // spec: CLI-145
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let mut engine = Engine::open(MemoryStore::default(), rng, Settings::default(), DAWN).unwrap();
    let relay = "relay.example:4433#C7wXDZitFIeYIjlQguVTNR9VQ1K3wNx-3FN_P2fdeA0".to_owned();
    engine.command(DAWN, Command::CreateIdentity { name: "Alice".into(), relay }).unwrap();
    let connects = |engine: &mut Engine<MemoryStore>| -> Vec<SessionNumber> {
        let outputs = std::iter::from_fn(|| engine.poll_output());
        outputs
            .filter_map(|output| match output {
                Output::Connect { session, .. } => Some(session),
                _ => None,
            })
            .collect()
    };
    let first = connects(&mut engine);
    assert_eq!(first.len(), 2);
    for session in &first {
        let lost = Input::Disconnected(*session, Disconnect::Network);
        engine.handle_input(DAWN, lost).unwrap();
    }
    let later = DAWN.plus_ms(120_000);
    engine.handle_input(later, Input::Timeout).unwrap();
    let second = connects(&mut engine);
    assert_eq!(second.len(), 2);
    assert!(second.iter().all(|session| !first.contains(session)));
    // The connections before say something late.
    for session in first {
        engine.handle_input(later, Input::Connected(session)).unwrap();
        engine.handle_input(later, Input::Disconnected(session, Disconnect::Network)).unwrap();
        assert!(engine.poll_output().is_none());
    }
    engine.handle_input(later, Input::Connected(second[0])).unwrap();
    assert!(matches!(engine.poll_output(), Some(Output::Send { .. })), "the hello");
}
