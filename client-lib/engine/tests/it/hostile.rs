//! Stories with an insider or a relay that does not keep the rules.

use hushwire_engine::{
    command::{ChatNumber, ChatState, Command, MessageState, RelayState, Reply},
    event::{Event, Warning},
};
use hushwire_protocol::epoch::EpochKeys;
use hushwire_wire::{
    error::Code,
    id::ChannelId,
    message::Answer,
    transcript::{CommitMark, Cut, Operation},
};

use crate::world::{Who, World};

/// Two people with a direct chat, and its channel.
struct Pair {
    world: World,
    alice: Who,
    bob: Who,
    hers: ChatNumber,
    his: ChatNumber,
    channel: ChannelId,
}

fn pair() -> Pair {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    Pair { world, alice, bob, hers, his, channel }
}

fn codes(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Warning(
                Warning::EntryRejected { code, .. } | Warning::CommitRejected { code, .. },
            ) => Some(code.as_str()),
            _ => None,
        })
        .collect()
}

fn mark(cut: Cut, next: u8) -> CommitMark {
    let next = EpochKeys::derive(&[next; 32], &[next; 32]);
    CommitMark { next_key: next.public_key(), cut, contested: Vec::new() }
}

/// What nobody can open; of a length that envelopes have.
const GARBAGE: [u8; 256] = [5; 256];

#[test]
fn an_entry_that_does_not_open_is_passed_over() {
    // spec: CLI-044
    let Pair { mut world, alice, bob, hers, his, channel } = pair();
    let stolen = world.steal(bob, &channel);
    let answer = world.inject(0, &stolen, Operation::Message, &[1; 300]);
    assert!(matches!(answer, Answer::Appended(_)));
    world.inject(0, &stolen, Operation::Message, &GARBAGE);
    world.say(alice, hers, "still here");
    world.settle();
    assert_eq!(world.texts(bob, his), ["still here"]);
    for who in [alice, bob] {
        let events = world.events(who);
        assert_eq!(codes(&events).len(), 2, "{events:?}");
    }
}

#[test]
fn a_garbage_commit_does_not_brick_a_group() {
    // spec: GRP-022
    for cut in [Cut::Through, Cut::Cut] {
        let Pair { mut world, alice, bob, hers, his, channel } = pair();
        world.pass(5_000);
        let stolen = world.steal(bob, &channel);
        let operation = Operation::Commit(mark(cut, 1));
        let answer = world.inject(0, &stolen, operation, &GARBAGE);
        assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
        // Nobody can write to this epoch any more, until somebody contests.
        world.say(alice, hers, "one");
        world.say(bob, his, "two");
        world.pass(120_000);
        let mut texts = world.texts(bob, his);
        assert_eq!(world.texts(alice, hers).len(), 2);
        texts.sort();
        assert_eq!(texts, ["one", "two"]);
        assert!(!codes(&world.events(alice)).is_empty());
        let delivered = MessageState::Delivered { people: 1, of: 1 };
        assert!(world.states(alice, hers).contains(&delivered));
        // The thief's keys are of an epoch that is over.
        let late = world.inject(0, &stolen, Operation::Message, &[2; 300]);
        let Answer::Refused(refusal) = late else { panic!("{late:?}") };
        assert_eq!(refusal.code, Code::Stale);
    }
}

#[test]
fn several_garbage_commits_in_a_row_are_contested_too() {
    // spec: GRP-022
    let Pair { mut world, alice, bob, hers, his, channel } = pair();
    world.pass(5_000);
    let stolen = world.steal(bob, &channel);
    let mut contested = Vec::new();
    for round in 1..=3 {
        let mark = CommitMark { contested: contested.clone(), ..mark(Cut::Through, round) };
        let operation = Operation::Commit(mark);
        let Answer::Appended(appended) = world.inject(0, &stolen, operation, &GARBAGE) else {
            panic!("not appended")
        };
        contested.push(appended.entry);
        world.pass(600);
    }
    world.say(alice, hers, "on we go");
    world.pass(120_000);
    assert_eq!(world.texts(bob, his), ["on we go"]);
}

#[test]
fn a_relay_that_goes_back_is_noticed() {
    // spec: CLI-042
    let Pair { mut world, alice, bob, hers, .. } = pair();
    let before = world.backup(0);
    world.say(alice, hers, "acknowledged");
    world.settle();
    world.restore(0, before);
    world.pass(60_000);
    let warned = |event: &Event| matches!(event, Event::Warning(Warning::RelayRolledBack { .. }));
    assert!(world.events(alice).iter().any(warned));
    assert!(world.events(bob).iter().any(warned));
}

#[test]
fn a_relay_with_another_key_is_refused_loudly() {
    // spec: CLI-033
    let Pair { mut world, alice, hers, .. } = pair();
    world.replace_key(0);
    world.say(alice, hers, "not to you");
    world.pass(300_000);
    let warned = |event: &Event| matches!(event, Event::Warning(Warning::RelayKeyMismatch { .. }));
    assert!(world.events(alice).iter().any(warned));
    assert_eq!(world.states(alice, hers), [MessageState::Pending]);
    let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
    assert!(status.relays.iter().all(|relay| relay.state == RelayState::KeyMismatch));
    assert_eq!(world.chat(alice, "Bob").state, ChatState::Open);
}
