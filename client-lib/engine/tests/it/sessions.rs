//! Stories of sessions and readings.

use hushwire_engine::{
    command::{ChatState, Command, LinkUse, MessageState, RelayState, Reply},
    engine::{Isolation, Settings},
    event::{Event, Warning},
};
use hushwire_wire::{
    error::Code,
    id::{EpochId, Sequence, Timestamp},
    message::{Answer, Content, Entry, EntryBody},
    transcript::Operation,
};

use crate::{
    devices,
    world::{World, witness::Object},
};

#[test]
fn two_sessions_by_default_and_one_for_each_channel_when_isolated() {
    // spec: CLI-031
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    world.ask(alice, Command::GroupNew { name: "Crew".into() });
    world.settle();
    assert_eq!(world.connections(alice), 2);
    world.set_settings(alice, Settings { isolation: Isolation::ByChannel });
    world.settle();
    // The inbox, and the channels of: own devices, the direct chat, the group.
    assert_eq!(world.connections(alice), 4);
    world.say(alice, hers, "from a session of its own");
    world.settle();
    assert_eq!(world.texts(bob, his), ["from a session of its own"]);
}

#[test]
fn a_linking_shares_no_session_with_anything_else() {
    // spec: LNK-062
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    let laptop = devices::link(&mut world, alice);
    // The rendezvous: the inboxes that one of the two made and the other wrote to.
    let made = |world: &World, who| -> Vec<Object> {
        let objects = world.tied(who).into_iter().flatten();
        objects.filter(|object| matches!(object, Object::OwnInbox(_))).collect()
    };
    let wrote = |world: &World, who| -> Vec<Object> {
        let objects = world.tied(who).into_iter().flatten();
        objects
            .filter_map(|object| match object {
                Object::OtherInbox(inbox) => Some(Object::OwnInbox(inbox)),
                _ => None,
            })
            .collect()
    };
    for (who, other) in [(alice, laptop), (laptop, alice)] {
        let theirs: Vec<Object> =
            made(&world, other).into_iter().filter(|it| !made(&world, who).contains(it)).collect();
        let there: Vec<Object> =
            wrote(&world, who).into_iter().filter(|it| theirs.contains(it)).collect();
        let [Object::OwnInbox(there)] = there[..] else { panic!("{there:?}") };
        let tied: Vec<_> = world
            .tied(who)
            .into_iter()
            .filter(|session| session.contains(&Object::OtherInbox(there)))
            .collect();
        for session in tied {
            let others: Vec<_> =
                session.iter().filter(|it| **it != Object::OtherInbox(there)).collect();
            // At most the inbox where this device reads, which has no other name.
            assert!(others.len() <= 1, "{others:?}");
            assert!(others.iter().all(|it| matches!(it, Object::OwnInbox(_))), "{others:?}");
            assert!(
                others.iter().all(|it| wrote(&world, other).contains(it)),
                "not the identity's own: {others:?}"
            );
        }
    }
}

#[test]
fn an_entry_out_of_place_is_not_taken() {
    // spec: CLI-040
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    world.say(alice, hers, "first");
    world.settle();
    let channels = world.channels(bob);
    let of_alice = world.channels(alice);
    let channel = channels.into_iter().find(|id| of_alice.contains(id)).unwrap();
    world.settle();
    let current = world.steal(bob, &channel).epoch;
    world.settle();
    for sequence in [0, 7, u64::MAX] {
        for epoch in [current, EpochId::from_bytes([3; 32])] {
            let content = Content::Inline(vec![9; 256].into());
            let body = EntryBody::Whole { content, operation: Operation::Message };
            let stored_at = Timestamp(0);
            let entry = Entry { epoch, sequence: Sequence(sequence), body, stored_at };
            world.whisper(bob, current, Answer::Entry(entry));
            world.pass(60_000);
        }
    }
    world.say(alice, hers, "second");
    world.pass(120_000);
    assert_eq!(world.texts(bob, his), ["first", "second"]);
}

#[test]
fn entries_too_large_for_a_frame_travel_as_blobs() {
    // spec: CLI-041
    let mut world = World::with_inline_max(1_000);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    world.say(alice, hers, &"long ".repeat(2_000));
    world.say(alice, hers, "short");
    world.pass(60_000);
    assert_eq!(world.texts(bob, his), ["long ".repeat(2_000), "short".to_owned()]);

    // A relay that gives other bytes is not believed, and nobody is blamed for it.
    world.set_tamper(|mut frame| {
        if let Answer::BlobChunk { content, .. } = &mut frame.answer {
            *content = vec![0; content.len()].into();
        }
        Some(frame)
    });
    world.say(alice, hers, &"more ".repeat(2_000));
    world.pass(20_000);
    assert_eq!(world.texts(bob, his).len(), 2);
    world.set_tamper(Some);
    world.pass(300_000);
    assert_eq!(world.texts(bob, his).len(), 3);
    let Reply::Status(status) = world.ask(bob, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn an_upload_of_which_the_relay_has_less_than_it_said_is_begun_anew() {
    // spec: CLI-110
    let stored: [fn(u64) -> u64; 3] = [|_| u64::MAX, |_| 10_400, |stored| stored + 1];
    for lie in stored {
        let mut world = World::with_inline_max(1_000);
        let alice = world.person("Alice", 0);
        let bob = world.person("Bob", 0);
        let (hers, his) = world.befriend(alice, bob);
        let mut told = false;
        world.set_tamper(move |mut frame| {
            if let Answer::BlobState { stored, .. } = &mut frame.answer
                && !told
            {
                told = true;
                *stored = lie(*stored);
            }
            Some(frame)
        });
        world.say(alice, hers, &"long ".repeat(2_000));
        world.pass(60_000);
        assert_eq!(world.texts(bob, his), ["long ".repeat(2_000)]);
    }
}

#[test]
fn a_large_message_whose_blob_is_gone_is_passed_over() {
    // spec: CLI-049
    let mut world = World::with_inline_max(1_000);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    world.set_tamper(|mut frame| {
        if matches!(frame.answer, Answer::BlobChunk { .. }) {
            frame.answer = Answer::Refused(Code::Denied.into());
        }
        Some(frame)
    });
    world.say(alice, hers, &"long ".repeat(2_000));
    world.pass(60_000);
    world.set_tamper(Some);
    world.say(alice, hers, "short");
    world.pass(60_000);
    assert_eq!(world.texts(bob, his), ["short"]);
    let missed = |event: &Event| matches!(event, Event::Warning(Warning::MissedTooMuch { .. }));
    assert!(world.events(bob).iter().any(missed));
    assert!(!world.events(alice).iter().any(missed), "she has what she wrote");
}

#[test]
fn a_relay_that_never_gives_the_content_of_a_large_message_does_not_hold_up_the_chat() {
    // spec: CLI-041, CLI-049
    let lies: [fn(&mut Answer); 3] = [
        |answer| {
            if let Answer::BlobChunk { content, .. } = answer {
                *content = vec![0; content.len()].into();
            }
        },
        |answer| {
            if let Answer::BlobChunk { offset, .. } = answer {
                *offset += 1;
            }
        },
        |answer| {
            if matches!(answer, Answer::BlobChunk { .. }) {
                *answer = Answer::Refused(Code::BlobIncomplete.into());
            }
        },
    ];
    for lie in lies {
        let mut world = World::with_inline_max(1_000);
        let alice = world.person("Alice", 0);
        let bob = world.person("Bob", 0);
        let (hers, his) = world.befriend(alice, bob);
        world.set_tamper(move |mut frame| {
            lie(&mut frame.answer);
            Some(frame)
        });
        world.say(alice, hers, &"long ".repeat(2_000));
        world.say(alice, hers, "short");
        let missed = |event: &Event| matches!(event, Event::Warning(Warning::MissedTooMuch { .. }));
        world.pass(10_000);
        assert!(!world.events(bob).iter().any(missed), "not at the first time");
        world.pass(900_000);
        assert_eq!(world.texts(bob, his), ["short"]);
        assert!(world.events(bob).iter().any(missed));
    }
}

#[test]
fn a_group_stops_by_name_at_a_large_commit_whose_content_never_comes() {
    // spec: CLI-049
    let mut world = World::with_inline_max(1_000);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let carol = world.person("Carol", 0);
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
    world.set_tamper(|mut frame| {
        if let Answer::BlobChunk { content, .. } = &mut frame.answer {
            *content = vec![0; content.len()].into();
        }
        Some(frame)
    });
    world.ask(alice, Command::GroupAdd { chat, contact: contacts[1].number });
    world.pass(900_000);
    assert_eq!(world.chat(bob, "Crew").state, ChatState::Stuck);
    let missed = |event: &Event| matches!(event, Event::Warning(Warning::MissedTooMuch { .. }));
    assert!(world.events(bob).iter().any(missed));
}

#[test]
fn each_relay_is_told_once_in_its_worst_state() {
    // spec: CLI-100
    let mut world = World::new(2);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, _) = world.befriend(alice, bob);
    let states = |world: &mut World| -> Vec<RelayState> {
        let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
        status.relays.into_iter().map(|relay| relay.state).collect()
    };
    assert_eq!(world.connections(alice), 2);
    assert_eq!(states(&mut world), [RelayState::Current]);
    // Nobody has noticed yet that it is gone.
    world.set_mute(alice, true);
    world.say(alice, hers, "on its way");
    assert_eq!(states(&mut world), [RelayState::Sending]);
    world.set_mute(alice, false);
    world.set_up(0, false);
    assert_eq!(states(&mut world), [RelayState::Offline]);
    world.set_up(0, true);
    world.settle();
    assert_eq!(states(&mut world), [RelayState::Current]);
    // A relay of somebody else's is one more.
    let carol = world.person("Carol", 1);
    let link = world.link(carol, LinkUse::Single);
    world.set_up(1, false);
    world.ask(alice, Command::AddContact { link });
    world.settle();
    assert_eq!(states(&mut world), [RelayState::Current, RelayState::Offline]);
}

#[test]
fn a_session_full_of_chats_that_others_made_has_room_for_one_s_own() {
    // spec: CLI-113, CLI-142
    let mut world = World::with_handles_max(5);
    let [bob, eve] = ["Bob", "Eve"].map(|name| world.person(name, 0));
    let link = world.link(bob, LinkUse::Lasting);
    world.ask(eve, Command::AddContact { link });
    world.settle();
    let before = world.profile(eve);
    for number in 0..8 {
        world.put_back(eve, before.clone());
        let name = format!("Trap {number}");
        let Reply::Chat(trap) = world.ask(eve, Command::GroupNew { name }) else { panic!() };
        let Reply::Contacts(contacts) = world.ask(eve, Command::Contacts) else { panic!() };
        let contact = contacts[0].number;
        world.ask(eve, Command::GroupAdd { chat: trap.number, contact });
        world.settle();
    }
    world.restart(bob);
    world.settle();
    let new = Command::GroupNew { name: "Mine".into() };
    let Reply::Chat(mine) = world.ask(bob, new) else { panic!() };
    world.say(bob, mine.number, "first");
    world.settle();
    assert_eq!(world.states(bob, mine.number), [MessageState::Stored]);
    let alice = world.person("Alice", 0);
    let link = world.link(alice, LinkUse::Lasting);
    let Reply::Chat(hers) = world.ask(bob, Command::AddContact { link }) else { panic!() };
    world.say(bob, hers.number, "hi");
    world.settle();
    assert_eq!(world.states(bob, hers.number), [MessageState::Delivered { people: 1, of: 1 }]);
    // They stay open, whatever asks for their places.
    let his = world.chat(alice, "Bob").number;
    world.pass(3_600_000);
    world.say(alice, his, "still there?");
    world.pass(1_000);
    assert_eq!(world.texts(bob, hers.number), ["hi", "still there?"]);
}

#[test]
fn making_a_channel_takes_one_handle() {
    // spec: CLI-142
    let mut world = World::with_handles_max(6);
    let bob = world.person("Bob", 0);
    for number in 0..5 {
        let name = format!("Mine {number}");
        let Reply::Chat(mine) = world.ask(bob, Command::GroupNew { name }) else { panic!() };
        world.say(bob, mine.number, "hello");
        world.pass(1_000);
    }
    let Reply::Status(status) = world.ask(bob, Command::Status) else { panic!() };
    assert!(status.relays.iter().all(|relay| relay.state == RelayState::Current));
    assert_eq!(status.waiting, 0);
}
