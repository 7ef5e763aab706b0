//! Reading what waits after a long absence: what one message costs does not grow with the number
//! of those before it.

use std::time::{Duration, Instant};

use hushwire_engine::{
    command::{ChatNumber, Command, MessageNumber, MessageState, Reply},
    store::Table,
};
use hushwire_protocol::content::{ControlEntry, ControlKind};
use hushwire_wire::id::ChannelId;

use crate::{
    devices::link,
    world::{Who, World},
};

/// Two people in a chat; one of them was away while the other wrote.
struct Backlog {
    world: World,
    alice: Who,
    bob: Who,
    hers: ChatNumber,
    messages: u64,
}

impl Backlog {
    fn new(messages: u64) -> Self {
        let mut world = World::new(1);
        let alice = world.person("Alice", 0);
        let bob = world.person("Bob", 0);
        let (hers, _) = world.befriend(alice, bob);
        world.set_online(bob, false);
        for number in 0..messages {
            world.say(alice, hers, &number.to_string());
        }
        world.settle();
        Self { world, alice, bob, hers, messages }
    }

    /// Lets what waits be read and answered.
    fn read(&mut self) {
        self.world.set_online(self.bob, true);
        self.world.pass(120_000);
        assert_eq!(self.world.chat(self.bob, "Alice").last.0, self.messages);
    }

    /// Reads what waits; the rows that were read for each message.
    fn count(&mut self) -> u64 {
        let before = self.world.rows_read(self.bob);
        self.read();
        (self.world.rows_read(self.bob) - before) / self.messages
    }

    /// Reads what waits; the time for each message.
    fn time(&mut self) -> Duration {
        let begin = Instant::now();
        self.read();
        begin.elapsed() / u32::try_from(self.messages).unwrap()
    }
}

#[test]
fn a_message_costs_the_same_however_many_wait() {
    // spec: CLI-106
    let few = Backlog::new(500).count();
    let many = Backlog::new(2_000).count();
    assert!(many <= few + 1, "{few} rows for each of 500 messages, {many} for each of 2000");
}

/// An own device was away while so many groups were told: the rows that were read for each.
fn rows_for_each_group_told(groups: u32) -> u64 {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let laptop = link(&mut world, alice);
    world.pass(60_000);
    let own_group = world.own_group(alice);
    world.set_online(laptop, false);
    for number in 1..=groups {
        let mut payload = vec![7; ChannelId::LENGTH];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        let joined = ControlEntry { kind: ControlKind::GroupJoined, payload };
        world.tell_in_group(alice, &own_group, vec![joined]);
    }
    let before = world.rows_read(laptop);
    world.set_online(laptop, true);
    world.settle();
    let rows = world.rows_of(laptop, Table::Wish).len();
    assert!(rows >= groups as usize, "each is waited for: {rows}");
    (world.rows_read(laptop) - before) / u64::from(groups)
}

#[test]
fn a_group_that_is_told_costs_the_same_however_many_are_waited_for() {
    // spec: CLI-106, LNK-125
    let few = rows_for_each_group_told(50);
    let many = rows_for_each_group_told(200);
    assert!(many <= few + 1, "{few} rows for each of 50 groups, {many} for each of 200");
}

#[test]
fn receipts_are_owed_for_the_newest_messages_only() {
    // spec: CLI-105
    let mut backlog = Backlog::new(2_400);
    backlog.read();
    let Backlog { world, alice, hers, .. } = &mut backlog;
    let newest = Command::Messages { chat: *hers, from: MessageNumber(1_401), count_max: 1_000 };
    let Reply::Messages(newest) = world.ask(*alice, newest) else { panic!() };
    let delivered = MessageState::Delivered { people: 1, of: 1 };
    assert_eq!(newest.len(), 1_000);
    assert!(newest.iter().all(|message| message.state == delivered));
    // Ten reports of up to 256 messages; the first two were given up.
    let oldest = world.states(*alice, *hers);
    let without = oldest.iter().take_while(|state| **state == MessageState::Stored).count();
    assert_eq!(without, 2 * 256);
    assert!(oldest[without..].iter().all(|state| *state == delivered));
}

/// Prints how long a message of a backlog takes, beside how many there are.
#[test]
#[ignore = "a measurement, of half a minute; see its output"]
fn time_for_each_message_of_a_backlog() {
    for messages in [1_000, 5_000, 20_000] {
        let each = Backlog::new(messages).time();
        println!("{messages}: {each:?} a message");
    }
}
