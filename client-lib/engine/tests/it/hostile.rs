//! Stories with an insider or a relay that does not keep the rules.

use hushwire_engine::{
    command::{ChatNumber, ChatState, Command, MessageState, RelayState, Reply},
    event::{Event, Warning},
};
use hushwire_protocol::{epoch::EpochKeys, group::LogPlace};
use hushwire_wire::{
    error::Code,
    id::{ChannelId, EntryId, Sequence, Timestamp},
    message::{Answer, BlobReference, Content, Entry, EntryBody},
    transcript::{self, CommitMark, Cut, Operation},
};

use crate::world::{Who, World, end_behind};

/// Two people with a direct chat, and its channel.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) alice: Who,
    pub(crate) bob: Who,
    pub(crate) hers: ChatNumber,
    pub(crate) his: ChatNumber,
    pub(crate) channel: ChannelId,
    /// Which of the relays has it.
    pub(crate) relay: usize,
}

pub(crate) fn pair() -> Pair {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    Pair { world, alice, bob, hers, his, channel, relay: 0 }
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
pub(crate) const GARBAGE: [u8; 256] = [5; 256];

#[test]
fn an_entry_that_does_not_open_is_passed_over() {
    // spec: CLI-044
    let Pair { mut world, alice, bob, hers, his, channel, .. } = pair();
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
fn a_message_behind_a_commit_is_refused() {
    // spec: CLI-072
    let Pair { mut world, bob, channel, .. } = pair();
    world.pass(5_000);
    let epoch = world.steal(bob, &channel).epoch;
    let place = world.log_place(bob, &channel);
    let first = place.read_to;
    world.settle();
    let commit = Operation::Commit(mark(Cut::Through, 1));
    let entries = [(first, commit), (first.next(), Operation::Message)];
    let entries = entries.map(|(sequence, operation)| {
        let content = Content::Inline(GARBAGE.to_vec().into());
        let body = EntryBody::Whole { content, operation };
        Entry { epoch, sequence, body, stored_at: Timestamp(0) }
    });
    world.whisper_signed(bob, 0, &channel, place, entries.to_vec());
    world.pass(1_000);
    let events = world.events(bob);
    assert!(codes(&events).contains(&"MESSAGE_AFTER_COMMIT"), "{events:?}");
}

#[test]
fn a_garbage_commit_does_not_brick_a_group() {
    // spec: GRP-036, CHN-020
    for cut in [Cut::Through, Cut::Cut] {
        let Pair { mut world, alice, bob, hers, his, channel, .. } = pair();
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
    // spec: GRP-036, CHN-020
    let Pair { mut world, alice, bob, hers, his, channel, .. } = pair();
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
    let _before = world.replace_key(0);
    world.say(alice, hers, "not to you");
    world.pass(300_000);
    let warned = |event: &Event| matches!(event, Event::Warning(Warning::RelayKeyMismatch { .. }));
    assert!(world.events(alice).iter().any(warned));
    assert_eq!(world.states(alice, hers), [MessageState::Pending]);
    let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
    assert!(status.relays.iter().all(|relay| relay.state == RelayState::KeyMismatch));
    assert_eq!(world.chat(alice, "Bob").state, ChatState::Open);
}

#[test]
fn what_waits_for_a_relay_outlives_one_that_pretends_to_be_it() {
    // spec: CLI-093
    // However many answers of the relays have come when the other one takes its place.
    for answers in (0..24).step_by(2) {
        let mut world = World::new(2);
        let alice = world.person("Alice", 0);
        let bob = world.person("Bob", 1);
        world.befriend(alice, bob);
        let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Club".into() }) else {
            panic!()
        };
        world.settle();
        let mut left = answers;
        world.set_tamper(move |answer| {
            let comes = left > 0;
            left -= u32::from(comes);
            comes.then_some(answer)
        });
        let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
        let (chat, contact) = (group.number, contacts[0].number);
        world.ask(alice, Command::GroupAdd { chat, contact });
        world.settle();
        let key = world.replace_key(1);
        world.set_tamper(Some);
        world.restart(alice);
        world.pass(120_000);
        let _liar = world.swap_key(1, key);
        world.restart(alice);
        world.restart(bob);
        world.pass(300_000);
        let failed = |event: &Event| {
            matches!(event, Event::GroupChangeFailed { .. } | Event::AdditionFailed { .. })
        };
        assert!(!world.events(alice).iter().any(failed), "after {answers} answers");
        let chats = world.chats(bob);
        assert!(chats.iter().any(|chat| chat.name == "Club"), "after {answers} answers");
    }
}

#[test]
fn a_relay_that_hides_messages_is_noticed() {
    // spec: CLI-048
    for hidden in [1_usize, 2, 5] {
        let Pair { mut world, alice, bob, hers, his, .. } = pair();
        world.say(bob, his, "seen by all");
        world.settle();
        world.set_online(bob, false);
        for number in 0..=hidden {
            world.say(alice, hers, &number.to_string());
            // She has it back from the log before she writes the next.
            world.settle();
        }
        // Bob is shown only the last message, in the place of the first that is hidden.
        let mut dropped = 0;
        world.set_tamper(move |mut frame| {
            if let Answer::Entry(entry) = &mut frame.answer {
                if dropped < hidden {
                    dropped += 1;
                    return None;
                }
                let shift = u64::try_from(hidden).unwrap();
                entry.sequence = Sequence(entry.sequence.0.saturating_sub(shift));
            }
            Some(frame)
        });
        world.set_online(bob, true);
        world.pass(120_000);
        let warned =
            |event: &Event| matches!(event, Event::Warning(Warning::HistoryDiffers { .. }));
        let events = world.events(bob);
        assert!(
            events.iter().any(warned),
            "{hidden} hidden: {:?} {events:?}",
            world.texts(bob, his)
        );
    }
}

#[test]
fn a_candidate_that_contests_what_was_not_shown_is_not_judged() {
    // spec: CLI-047
    let Pair { mut world, bob, channel, .. } = pair();
    world.pass(5_000);
    let epoch = world.steal(bob, &channel).epoch;
    let contested = vec![EntryId::from_bytes([1; 32])];
    let second = Operation::Commit(CommitMark { contested, ..mark(Cut::Through, 2) });
    let place = world.log_place(bob, &channel);
    world.settle();
    let content = Content::Inline(GARBAGE.to_vec().into());
    let body = EntryBody::Whole { content, operation: second };
    let entry = Entry { epoch, sequence: place.read_to, body, stored_at: Timestamp(0) };
    world.whisper_signed(bob, 0, &channel, place, vec![entry]);
    world.pass(1_000);
    assert_eq!(world.chats(bob)[0].state, ChatState::Stuck);
}

fn history_differs(event: &Event) -> bool {
    matches!(event, Event::Warning(Warning::HistoryDiffers { .. }))
}

#[test]
fn a_relay_that_hides_the_last_messages_of_an_epoch_is_noticed() {
    // spec: CLI-073, GRP-053
    let mut world = World::new(1);
    let [alice, bob, carol] = ["Alice", "Bob", "Carol"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    world.befriend(alice, carol);
    let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!("no group")
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let chat = group.number;
    world.ask(alice, Command::GroupAdd { chat, contact: contacts[0].number });
    world.pass(60_000);
    assert_eq!(world.chat(bob, "Crew").state, ChatState::Open);
    world.set_online(bob, false);
    world.say(alice, chat, "hidden from Bob");
    world.pass(60_000);
    world.ask(alice, Command::GroupAdd { chat, contact: contacts[1].number });
    world.pass(60_000);
    let of_carol = world.channels(carol);
    // Bob is shown the commit in the place of the message before it, and the relay signs for that.
    let of_bob = world.channels(bob);
    let shared = |id: &ChannelId| of_bob.contains(id) && of_carol.contains(id);
    let channel = world.channels(alice).into_iter().find(shared).unwrap();
    let mut shown = None;
    world.set_tamper(move |mut frame| {
        match &mut frame.answer {
            Answer::Entry(entry) => match &entry.body {
                EntryBody::Whole { operation: Operation::Message, .. } => return None,
                _ => {
                    entry.sequence = Sequence::FIRST;
                    shown.get_or_insert_with(|| entry.clone());
                }
            },
            Answer::EpochEnd(end) => {
                if let Some(shown) = shown.as_ref().filter(|shown| shown.epoch == end.epoch) {
                    *end = end_behind(
                        0,
                        &channel,
                        LogPlace::start(&channel, &end.epoch),
                        std::slice::from_ref(shown),
                    );
                }
            }
            _ => {}
        }
        Some(frame)
    });
    world.set_online(bob, true);
    world.pass(60_000);
    let events = world.events(bob);
    assert!(codes(&events).contains(&"OtherHistory"), "{events:?}");
    assert!(events.iter().any(history_differs));
    let moved = |event: &Event| matches!(event, Event::MembersAdded { .. });
    assert!(!events.iter().any(moved), "he stays where the history is his: {events:?}");
}

#[test]
fn a_relay_that_contradicts_itself_is_noticed() {
    // spec: CLI-074
    for end_is_wrong in [true, false] {
        let Pair { mut world, alice, bob, hers, his, .. } = pair();
        world.set_online(bob, false);
        world.say(alice, hers, "there");
        world.settle();
        world.set_tamper(move |mut frame| {
            match &mut frame.answer {
                // Another place than that behind the entries that were given.
                Answer::EpochEnd(end) if end_is_wrong => end.next = end.next.next(),
                // Nothing is given, though the opening said that there is something.
                Answer::Entry(_) | Answer::EpochEnd(_) if !end_is_wrong => return None,
                _ => {}
            }
            Some(frame)
        });
        world.set_online(bob, true);
        world.pass(60_000);
        assert!(world.events(bob).iter().any(history_differs));
        world.set_tamper(Some);
        world.pass(300_000);
        assert_eq!(world.texts(bob, his), ["there"], "asked anew, once the relay is honest");
    }
}

/// Shows the reader of a channel an entry that no honest relay would show, at its next place, and signs
/// for it.
fn show(pair: &mut Pair, body: EntryBody) {
    let (bob, channel) = (pair.bob, pair.channel);
    pair.world.pass(5_000);
    let epoch = pair.world.steal(bob, &channel).epoch;
    let place = pair.world.log_place(bob, &channel);
    pair.world.settle();
    let entry = Entry { epoch, sequence: place.read_to, body, stored_at: Timestamp(0) };
    pair.world.whisper_signed(bob, pair.relay, &channel, place, vec![entry]);
    pair.world.pass(1_000);
}

#[test]
fn an_entry_that_may_be_a_commit_is_not_passed_over() {
    // spec: CLI-075
    let mut pair = pair();
    show(&mut pair, EntryBody::Expired(EntryId::from_bytes([1; 32])));
    assert_eq!(pair.world.chats(pair.bob)[0].state, ChatState::Stuck);
    let missed = |event: &Event| matches!(event, Event::Warning(Warning::MissedTooMuch { .. }));
    assert!(pair.world.events(pair.bob).iter().any(missed));
}

#[test]
fn a_group_that_cannot_go_on_keeps_no_connection() {
    // spec: CLI-114
    let mut world = World::new(2);
    let [alice, bob] = [("Alice", 1), ("Bob", 0)].map(|(name, relay)| world.person(name, relay));
    let (hers, his) = world.befriend(alice, bob);
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    let mut pair = Pair { world, alice, bob, hers, his, channel, relay: 1 };
    pair.world.settle();
    // The inbox, the own group, and the chat at her relay.
    assert_eq!(pair.world.connections(bob), 3);
    show(&mut pair, EntryBody::Expired(EntryId::from_bytes([1; 32])));
    assert_eq!(pair.world.chats(bob)[0].state, ChatState::Stuck);
    assert_eq!(pair.world.connections(bob), 2);
}

#[test]
fn an_entry_with_a_size_that_no_relay_takes_is_not_judged() {
    // spec: CLI-041
    let mut pair = pair();
    let reference = BlobReference {
        blob: hushwire_wire::id::BlobId::from_bytes([1; 32]),
        content_hash: transcript::content_hash(&GARBAGE),
        size: hushwire_wire::limit::Limits::V1.entry_blob_bytes_max + 1,
    };
    let before = pair.world.next_place(pair.bob, &pair.channel);
    let operation = Operation::Commit(mark(Cut::Through, 1));
    show(&mut pair, EntryBody::Whole { content: Content::Blob(reference), operation });
    assert_eq!(pair.world.next_place(pair.bob, &pair.channel), before);
    assert!(codes(&pair.world.events(pair.bob)).is_empty());
    // He asks again, and an honest relay shows what is there.
    pair.world.say(pair.alice, pair.hers, "still here");
    pair.world.pass(120_000);
    assert_eq!(pair.world.texts(pair.bob, pair.his), ["still here"]);
}

#[test]
fn a_candidate_behind_the_valid_one_changes_nothing() {
    // spec: GRP-039
    let Pair { mut world, alice, bob, hers, his, channel, .. } = pair();
    world.pass(5_000);
    let stolen = world.steal(bob, &channel);
    world.inject(0, &stolen, Operation::Commit(mark(Cut::Through, 1)), &GARBAGE);
    world.pass(60_000);
    assert_ne!(world.steal(bob, &channel).epoch, stolen.epoch, "a valid one came");
    let late = Operation::Commit(mark(Cut::Through, 2));
    let Answer::Refused(refusal) = world.inject(0, &stolen, late, &GARBAGE) else { panic!() };
    let late = CommitMark { contested: refusal.candidates, ..mark(Cut::Through, 2) };
    let answer = world.inject(0, &stolen, Operation::Commit(late), &GARBAGE);
    assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
    let epoch = world.steal(bob, &channel).epoch;
    world.say(alice, hers, "on");
    world.pass(60_000);
    assert_eq!(world.texts(bob, his), ["on"]);
    assert_eq!(world.steal(bob, &channel).epoch, epoch, "nobody contests");
    assert_eq!(codes(&world.events(bob)).len(), 1);
}
