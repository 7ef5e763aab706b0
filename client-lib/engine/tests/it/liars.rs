//! A relay that answers something else than was asked.

use std::{cell::Cell, rc::Rc};

use hushwire_engine::{
    command::{
        ChatState, Command, FailureReason, LinkState, LinkUse, MessageState, RelayState, Reply,
    },
    event::{Event, RelayFault, Warning},
};
use hushwire_wire::{
    error::{Code, Refusal},
    id::{CapabilityId, ItemId, Sequence, Signature, Timestamp},
    message::{Answer, Content, Entry, EntryBody, Follow, InboxItem, PackageKindsPresent},
    transcript::Operation,
};

use crate::world::{Who, World};

fn faults(world: &mut World, who: Who) -> Vec<RelayFault> {
    let fault = |event| match event {
        Event::Warning(Warning::RelayFault { fault, .. }) => Some(fault),
        _ => None,
    };
    world.events(who).into_iter().filter_map(fault).collect()
}

/// Changes an answer.
type Lie = fn(&mut Answer);

/// What no request of these stories is answered with.
const STRANGE: Answer =
    Answer::ShelfState { packages: 1, last_resort: PackageKindsPresent::WithLastResort };

fn lie(world: &mut World, lie: Lie) {
    world.set_tamper(move |mut frame| {
        lie(&mut frame.answer);
        Some(frame)
    });
}

#[test]
fn an_item_is_sent_when_the_relay_has_signed_that() {
    // spec: CLI-096, INB-006
    let lies: [(Lie, Option<RelayFault>); 4] = [
        (
            |answer| {
                if let Answer::InboxSent { signature, .. } = answer {
                    *signature = Signature::from_bytes([1; 64]);
                }
            },
            Some(RelayFault::ReceiptNotValid),
        ),
        (
            |answer| {
                if let Answer::InboxSent { item, .. } = answer {
                    *item = ItemId::from_bytes([1; 32]);
                }
            },
            Some(RelayFault::ReceiptNotValid),
        ),
        (
            |answer| {
                if matches!(answer, Answer::InboxSent { .. }) {
                    *answer = Answer::Done;
                }
            },
            Some(RelayFault::AnswerNotExpected),
        ),
        // A refusal of a later version is no answer either.
        (
            |answer| {
                if matches!(answer, Answer::InboxSent { .. }) {
                    *answer = Answer::RefusedUnknown { number: 9_999, retry_after_ms: 0 };
                }
            },
            None,
        ),
    ];
    for (what, expected) in lies {
        let mut world = World::new(1);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        let link = world.link(bob, LinkUse::Lasting);
        lie(&mut world, what);
        let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link }) else { panic!() };
        world.say(alice, chat.number, "waits");
        world.pass(30_000);
        assert_eq!(world.chats(alice)[0].state, ChatState::Opening);
        assert_eq!(faults(&mut world, alice).first().copied(), expected);
        world.set_tamper(Some);
        world.pass(120_000);
        assert_eq!(world.chats(alice)[0].state, ChatState::Open);
        let his = world.chats(bob)[0].number;
        assert_eq!(world.texts(bob, his), ["waits"]);
    }
}

/// A refusal that makes sense for an append only.
fn stale() -> Answer {
    Answer::Refused(Refusal::from(Code::Stale))
}

#[test]
fn what_no_log_decides_is_asked_again() {
    // spec: CLI-109
    let refused: [fn(&Answer) -> bool; 5] = [
        |answer| matches!(answer, Answer::InboxSent { .. }),
        |answer| matches!(answer, Answer::Card { .. }),
        |answer| matches!(answer, Answer::KeyPackage { .. }),
        |answer| matches!(answer, Answer::ChannelOpened(_)),
        |answer| matches!(answer, Answer::Done),
    ];
    for is_refused in refused {
        let mut world = World::new(1);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        let link = world.link(bob, LinkUse::Lasting);
        world.set_tamper(move |mut frame| {
            if is_refused(&frame.answer) {
                frame.answer = stale();
            }
            Some(frame)
        });
        let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link }) else { panic!() };
        let link = Command::MakeLink { usage: LinkUse::Single, expires_in_ms: None };
        let Reply::Link(link) = world.ask(alice, link) else { panic!() };
        world.say(alice, chat.number, "waits");
        world.pass(30_000);
        world.set_tamper(Some);
        // On the same session, in the same process.
        world.pass(120_000);
        let his = world.chats(bob)[0].number;
        assert_eq!(world.texts(bob, his), ["waits"]);
        let Reply::Links(links) = world.ask(alice, Command::Links) else { panic!() };
        let known = links.iter().find(|known| known.number == link.number).unwrap();
        assert_eq!(known.state, LinkState::Active);
    }
}

#[test]
fn a_relay_that_calls_every_contest_stale_is_not_asked_without_end() {
    // spec: CLI-109, GRP-036
    let crate::hostile::Pair { mut world, alice, bob, hers, his, channel, .. } =
        crate::hostile::pair();
    world.pass(5_000);
    let stolen = world.steal(bob, &channel);
    let mut seat = world.take_seat(0, &stolen);
    world.set_tamper(|mut frame| {
        if matches!(&frame.answer, Answer::Refused(refusal) if refusal.code == Code::TooEarly) {
            frame.answer = stale();
        }
        Some(frame)
    });
    let garbage = world.push(&mut seat, crate::contests::commit(1, &[]), &crate::hostile::GARBAGE);
    assert!(matches!(garbage, Answer::Appended(_)), "{garbage:?}");
    let before = world.sends(alice);
    world.say(alice, hers, "on");
    world.pass(3_000);
    assert!(world.sends(alice) - before < 50, "{}", world.sends(alice) - before);
    world.set_tamper(Some);
    world.pass(300_000);
    assert_eq!(world.texts(bob, his), ["on"]);
}

#[test]
fn a_relay_cannot_ask_for_a_rest_without_end() {
    // spec: CLI-111
    let refused: [fn(&Answer) -> bool; 4] = [
        |answer| matches!(answer, Answer::InboxOpened { .. }),
        |answer| matches!(answer, Answer::ChannelOpened(_)),
        |answer| matches!(answer, Answer::Appended(_)),
        |answer| matches!(answer, Answer::Done),
    ];
    for is_refused in refused {
        let mut world = World::new(1);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        let (hers, his) = world.befriend(alice, bob);
        world.set_tamper(move |mut frame| {
            if is_refused(&frame.answer) {
                let busy = Refusal { retry_after_ms: 1 << 63, ..Refusal::from(Code::Busy) };
                frame.answer = Answer::Refused(busy);
            }
            Some(frame)
        });
        world.restart(bob);
        world.ask(bob, Command::MakeLink { usage: LinkUse::Single, expires_in_ms: None });
        world.say(bob, his, "waits");
        world.pass(30_000);
        world.set_tamper(Some);
        world.pass(660_000);
        assert_eq!(world.texts(alice, hers), ["waits"]);
        world.say(alice, hers, "heard");
        world.settle();
        assert_eq!(world.texts(bob, his), ["waits", "heard"]);
        let Reply::Links(links) = world.ask(bob, Command::Links) else { panic!() };
        assert_eq!(links.last().unwrap().state, LinkState::Active);
        let Reply::Status(status) = world.ask(bob, Command::Status) else { panic!() };
        assert!(status.relays.iter().all(|relay| relay.state == RelayState::Current));
    }
}

#[test]
fn a_wish_is_not_settled_by_an_answer_of_another_kind() {
    // spec: CLI-096
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, his) = world.befriend(alice, bob);
    let for_alice = world.link(bob, LinkUse::Lasting);
    let carol = world.person("Carol", 0);
    lie(&mut world, |answer| {
        if matches!(
            answer,
            Answer::Done
                | Answer::ChannelOpened(_)
                | Answer::Appended(_)
                | Answer::Card { .. }
                | Answer::KeyPackage { .. }
        ) {
            *answer = STRANGE;
        }
    });
    let reply = world.ask(alice, Command::MakeLink { usage: LinkUse::Single, expires_in_ms: None });
    let Reply::Link(link) = reply else { panic!() };
    world.ask(alice, Command::GroupNew { name: "Crew".into() });
    world.ask(carol, Command::AddContact { link: for_alice });
    world.say(alice, hers, "once");
    world.pass(30_000);
    let state = |world: &mut World| {
        let Reply::Links(links) = world.ask(alice, Command::Links) else { panic!() };
        links.iter().find(|known| known.number == link.number).unwrap().state
    };
    assert_eq!(state(&mut world), LinkState::Pending);
    assert!(faults(&mut world, alice).contains(&RelayFault::AnswerNotExpected));
    world.set_tamper(Some);
    world.pass(300_000);
    assert_eq!(state(&mut world), LinkState::Active);
    assert_eq!(world.texts(bob, his), ["once"]);
    assert_eq!(world.states(alice, hers), [MessageState::Delivered { people: 1, of: 1 }]);
    assert_eq!(world.chat(carol, "Bob").state, ChatState::Open);
    assert_eq!(world.chat(alice, "Crew").state, ChatState::Open);
}

/// What a hostile relay says without end.
const MANY: u64 = 10_000;

fn garbage_item(place: u64) -> Answer {
    Answer::InboxItem(InboxItem {
        sequence: Sequence(place),
        item: vec![7; 200].into(),
        capability: CapabilityId::from_bytes([1; 32]),
        stored_at: Timestamp(0),
    })
}

#[test]
fn bad_items_without_end_give_few_warnings() {
    // spec: CLI-097
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.restart(bob);
    world.settle();
    let before = world.events(bob).len();
    for place in 0..MANY {
        world.whisper_inbox(bob, garbage_item(place));
    }
    world.whisper_inbox(bob, Answer::ReadEnd(Follow::Onward));
    world.work();
    assert_eq!(world.events(bob).len(), before + 8);
    // A day later the first ones are told again.
    world.pass(25 * 60 * 60 * 1000);
    world.whisper_inbox(bob, garbage_item(MANY));
    assert_eq!(world.events(bob).len(), before + 9);
    // And Bob is not deaf.
    world.restart(bob);
    world.befriend(alice, bob);
}

#[test]
fn bad_entries_without_end_give_few_warnings() {
    // spec: CLI-097
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    world.pass(5_000);
    let of_alice = world.channels(alice);
    let channel = world.channels(bob).into_iter().find(|id| of_alice.contains(id)).unwrap();
    let epoch = world.steal(bob, &channel).epoch;
    let first = world.next_place(bob, &channel);
    world.settle();
    let before = world.events(bob).len();
    for place in first.0..first.0 + MANY {
        let content = Content::Inline(vec![9; 256].into());
        let body = EntryBody::Whole { content, operation: Operation::Message };
        let entry = Entry { epoch, sequence: Sequence(place), body, stored_at: Timestamp(0) };
        world.whisper(bob, epoch, Answer::Entry(entry));
    }
    assert_eq!(world.events(bob).len(), before + 8);
}

#[test]
fn a_relay_that_breaks_the_rules_all_day_gives_few_warnings() {
    // spec: CLI-096, CLI-097
    let mut world = World::new(1);
    let bob = world.person("Bob", 0);
    let before = world.events(bob).len();
    lie(&mut world, |answer| {
        if matches!(answer, Answer::InboxOpened { .. }) {
            *answer = STRANGE;
        }
    });
    world.restart(bob);
    world.pass(20 * 60 * 60 * 1000);
    assert_eq!(faults(&mut world, bob), [RelayFault::AnswerNotExpected; 8]);
    assert_eq!(world.events(bob).len(), before + 8);
}

#[test]
fn a_relay_that_answers_nothing_is_told_once_how_far_its_items_were_handled() {
    // spec: CLI-098
    let mut world = World::new(1);
    let bob = world.person("Bob", 0);
    world.restart(bob);
    world.settle();
    world.set_mute(bob, true);
    let before = world.advances(bob);
    for place in 0..MANY {
        world.whisper_inbox(bob, garbage_item(place));
    }
    world.work();
    assert_eq!(world.advances(bob), before + 1);
}

#[test]
fn a_relay_that_forgets_an_upload_is_given_it_ever_less_often() {
    // spec: CLI-140
    for forgets_at_once in [true, false] {
        let mut world = World::with_inline_max(1_000);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        let (hers, his) = world.befriend(alice, bob);
        let parts = Rc::new(Cell::new(0));
        let seen = Rc::clone(&parts);
        world.set_tamper(move |mut frame| {
            if let Answer::BlobState { stored, .. } = &mut frame.answer {
                seen.set(seen.get() + 1);
                // Nothing of what it got, or everything and then nothing.
                if forgets_at_once || seen.get() % 2 == 1 {
                    *stored = 0;
                }
            }
            if let Answer::Appended(_) = frame.answer {
                frame.answer = Answer::Refused(Refusal::from(Code::BlobMissing));
            }
            // It does not show that it has the entry.
            let shows = matches!(frame.answer, Answer::Entry(_) | Answer::EpochEnd(_));
            (!shows).then_some(frame)
        });
        let text = "long ".repeat(2_000);
        world.say(alice, hers, &text);
        let mut said = Vec::new();
        for _ in 0..4 {
            let before = parts.get();
            world.pass(300_000);
            said.push(parts.get() - before);
        }
        // Rests are of 5 s at least, and of half a minute on average in the end.
        assert!(said[0] > 0 && said[0] <= 60, "{said:?}");
        assert!(said[3] <= 30, "{said:?}");
        world.set_tamper(Some);
        world.restart(alice);
        world.restart(bob);
        world.pass(120_000);
        assert_eq!(world.texts(bob, his), [text]);
    }
}

#[test]
fn an_answer_that_is_swallowed_stops_nothing_for_ever() {
    // spec: CLI-146
    for swallowed in 0..60 {
        let mut world = World::new(1);
        let alice = world.person("Alice", 0);
        let bob = world.person("Bob", 0);
        let mut count = 0;
        // An item that a relay hides can be missed by nobody but its sender.
        world.set_tamper(move |frame| {
            if matches!(frame.answer, Answer::InboxItem(_)) {
                return Some(frame);
            }
            count += 1;
            (count != swallowed + 1).then_some(frame)
        });
        let link = world.link(bob, LinkUse::Single);
        world.pass(200_000);
        let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link }) else { panic!() };
        world.pass(200_000);
        world.say(alice, chat.number, "through");
        world.pass(400_000);
        let there = world.chats(bob).remove(0).number;
        assert_eq!(world.texts(bob, there), ["through"], "answer {swallowed}");
        let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
        assert_eq!(status.waiting, 0, "answer {swallowed}");
    }
}

#[test]
fn a_card_that_the_relay_bent_is_asked_for_again() {
    // spec: IDN-060
    for times in [3_u32, u32::MAX] {
        let mut world = World::new(1);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        let link = world.link(bob, LinkUse::Single);
        let mut left = times;
        world.set_tamper(move |mut frame| {
            if let Answer::Card { card, .. } = &mut frame.answer
                && left > 0
            {
                left -= 1;
                let mut bent = card.to_vec();
                bent[40] ^= 1;
                *card = bent.into();
            }
            Some(frame)
        });
        let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link }) else { panic!() };
        world.say(alice, chat.number, "waits");
        world.pass(30_000);
        let failed = |event: &Event| {
            let not_proven = FailureReason::IdentityNotProven;
            matches!(event, Event::ContactFailed { reason, .. } if *reason == not_proven)
        };
        assert!(!world.events(alice).iter().any(failed), "not sure yet");
        world.pass(3_600_000);
        if times == u32::MAX {
            assert!(world.events(alice).iter().any(failed));
            continue;
        }
        let his = world.chats(bob)[0].number;
        assert_eq!(world.texts(bob, his), ["waits"]);
    }
}
