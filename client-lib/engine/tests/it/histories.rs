//! A relay whose account of a log does not hold: what it bent, lost or told two ways is read again, and
//! groups go on.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use hushwire_engine::{
    command::{ChatState, Command, GroupEdit, MessageState, Reply},
    event::{Event, Warning},
};
use hushwire_wire::{
    id::{Sequence, Timestamp},
    message::{Answer, Content, Entry, EntryBody},
    transcript::{CommitMark, Cut, Operation},
};

use crate::{
    devices::link,
    hostile::{Pair, pair},
    rejoining::{Crew, crew},
    world::World,
};

impl Crew {
    fn count(&mut self, who: usize, wanted: impl Fn(&Event) -> bool) -> usize {
        self.world.events(self.people[who]).iter().filter(|event| wanted(event)).count()
    }

    /// Everybody has read the same log of the same epoch, and has these texts.
    fn agree(&mut self, mut expected: Vec<&str>) {
        let places = self.people.map(|who| {
            let epoch = self.world.steal(who, &self.channel).epoch;
            (epoch, self.world.log_place(who, &self.channel))
        });
        assert_eq!(places[0], places[1]);
        assert_eq!(places[0], places[2]);
        self.world.settle();
        expected.sort_unstable();
        for (who, chat) in self.people.into_iter().zip(self.chats) {
            let mut texts = self.world.texts(who, chat);
            texts.sort();
            assert_eq!(texts, expected, "{who:?}");
        }
    }

    fn rename(&mut self, who: usize, name: &str) {
        let change = GroupEdit { name: Some(name.into()), ..GroupEdit::default() }.into();
        self.world.ask(self.people[who], Command::ChangeGroup { chat: self.chats[who], change });
    }
}

fn differs(event: &Event) -> bool {
    matches!(event, Event::Warning(Warning::HistoryDiffers { .. }))
}

fn rolled_back(event: &Event) -> bool {
    matches!(event, Event::Warning(Warning::RelayRolledBack { .. }))
}

fn anew(event: &Event) -> bool {
    matches!(event, Event::HistoryReadAnew(_))
}

fn rejected(event: &Event) -> bool {
    matches!(event, Event::Warning(Warning::CommitRejected { .. }))
}

/// What is bent of an entry of this kind, once.
fn bend_one(world: &mut World, is_wanted: fn(&Operation) -> bool) -> Rc<Cell<u32>> {
    let bent = Rc::new(Cell::new(0));
    let count = Rc::clone(&bent);
    world.set_tamper(move |mut frame| {
        if let Answer::Entry(Entry { body: EntryBody::Whole { content, operation }, .. }) =
            &mut frame.answer
            && let Content::Inline(bytes) = content
            && is_wanted(operation)
            && count.get() == 0
        {
            count.set(1);
            let mut other = bytes.to_vec();
            other[0] ^= 1;
            *content = Content::Inline(other.into());
        }
        Some(frame)
    });
    bent
}

#[test]
fn an_entry_that_the_relay_bent_is_read_again() {
    // spec: CLI-176, CLI-177
    for is_wanted in [
        (|operation| matches!(operation, Operation::Message)) as fn(&Operation) -> bool,
        |operation| matches!(operation, Operation::Commit(_)),
    ] {
        let mut crew = crew();
        let [alice, bob, _] = crew.people;
        crew.world.set_online(bob, false);
        crew.world.say(alice, crew.chats[0], "one");
        crew.world.settle();
        crew.world.say(alice, crew.chats[0], "two");
        crew.world.settle();
        crew.world.ask(alice, Command::RefreshKeys);
        crew.world.pass(60_000);
        crew.world.say(alice, crew.chats[0], "three");
        crew.world.pass(10_000);
        let bent = bend_one(&mut crew.world, is_wanted);
        crew.world.set_online(bob, true);
        crew.world.pass(120_000);
        assert_eq!(bent.get(), 1);
        crew.agree(vec!["one", "two", "three"]);
        assert!(crew.count(1, differs) > 0);
        assert_eq!(crew.count(1, rejected), 0, "the relay's fault is nobody else's");
        assert_eq!(crew.count(1, anew), 0);
    }
}

#[test]
fn no_commit_is_judged_that_the_relay_has_not_signed_for() {
    // spec: CLI-176
    let mut crew = crew();
    let bob = crew.people[1];
    crew.world.pass(5_000);
    let place = crew.world.log_place(bob, &crew.channel);
    let epoch = crew.world.steal(bob, &crew.channel).epoch;
    crew.world.settle();
    let next_key = crew.world.steal(bob, &crew.channel).keys.public_key();
    crew.world.settle();
    let mark = CommitMark { next_key, cut: Cut::Through, contested: Vec::new() };
    let content = Content::Inline(vec![7; 256].into());
    let body = EntryBody::Whole { content, operation: Operation::Commit(mark) };
    let entry = Entry { epoch, sequence: place.read_to, body, stored_at: Timestamp(0) };
    crew.world.whisper(bob, epoch, Answer::Entry(entry));
    crew.world.pass(60_000);
    assert_eq!(crew.count(1, rejected), 0);
    // Without an end of the epoch the session ends after a while, and he reads the truth.
    crew.world.say(crew.people[0], crew.chats[0], "there");
    crew.world.pass(300_000);
    assert_eq!(crew.count(1, rejected), 0);
    crew.agree(vec!["there"]);
}

#[test]
fn a_group_goes_on_when_its_relay_was_put_back() {
    // spec: CLI-042, CLI-177, CLI-178
    let mut crew = crew();
    let [alice, bob, carol] = crew.people;
    crew.world.say(alice, crew.chats[0], "kept");
    crew.world.settle();
    let before = crew.world.backup(0);
    crew.world.set_online(carol, false);
    crew.world.say(alice, crew.chats[0], "hers");
    crew.world.say(bob, crew.chats[1], "his");
    crew.world.settle();
    crew.world.restore(0, before);
    crew.world.pass(60_000);
    for who in [0, 1] {
        assert!(crew.count(who, rolled_back) > 0);
        assert_eq!(crew.count(who, anew), 1);
    }
    crew.world.set_online(carol, true);
    crew.world.say(carol, crew.chats[2], "and on");
    crew.world.pass(60_000);
    crew.agree(vec!["kept", "hers", "his", "and on"]);
    let delivered = MessageState::Delivered { people: 2, of: 2 };
    for (who, chat) in crew.people.into_iter().zip(crew.chats).take(2) {
        let states = crew.world.states(who, chat);
        let own: Vec<_> = states.iter().filter(|state| **state != MessageState::Received).collect();
        assert!(own.iter().all(|state| **state == delivered), "{own:?}");
    }
    assert_eq!(crew.count(2, rolled_back), 0, "she had seen nothing of it");
}

#[test]
fn what_a_relay_lost_is_missed_where_as_much_stands_in_its_place() {
    // spec: CLI-215, CLI-178
    let Pair { mut world, alice, bob, hers, his, .. } = pair();
    world.pass(10_000);
    let copy = world.backup(0);
    world.set_online(bob, false);
    // She has the receipt, and does not read it back.
    world.set_tamper(|frame| (!matches!(frame.answer, Answer::Entry(_))).then_some(frame));
    world.say(alice, hers, "lost");
    world.pass(1_000);
    assert_eq!(world.states(alice, hers), [MessageState::Stored]);
    world.set_online(alice, false);
    world.set_tamper(Some);
    world.restore(0, copy);
    world.set_online(bob, true);
    for text in ["one", "two"] {
        world.say(bob, his, text);
        world.settle();
    }
    world.set_online(alice, true);
    world.pass(600_000);
    let mut texts = world.texts(bob, his);
    texts.sort_unstable();
    assert_eq!(texts, ["lost", "one", "two"]);
    assert_eq!(world.texts(alice, hers).len(), 3);
    // What it signed for before is asked for once, and not in what is the log from then on.
    assert_eq!(world.events(alice).iter().filter(|event| anew(event)).count(), 1);
}

#[test]
fn what_a_relay_signed_for_is_missed_until_it_was_taken() {
    // spec: CLI-215, CLI-178
    for reader in [false, true] {
        let mut world = World::with_inline_max(1_000);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        let laptop = link(&mut world, alice);
        let (hers, his) = world.befriend(alice, bob);
        world.pass(60_000);
        let copy = world.backup(0);
        let misses = if reader { bob } else { alice };
        world.set_online(laptop, false);
        world.set_online(bob, reader);
        // What she says comes with the end of the log, but for what it says.
        world.set_tamper(|frame| {
            (!matches!(frame.answer, Answer::BlobChunk { .. })).then_some(frame)
        });
        let long = "long ".repeat(2_000);
        world.say(alice, hers, &long);
        world.pass(1_000);
        assert_eq!(world.states(alice, hers), [MessageState::Stored]);
        // As much stands in its place.
        world.set_online(alice, false);
        world.set_online(bob, false);
        world.set_tamper(Some);
        world.restore(0, copy);
        world.set_online(laptop, true);
        let chat = world.chat(laptop, "Bob").number;
        world.say(laptop, chat, "one");
        world.pass(1_000);
        world.set_online(laptop, false);
        world.set_online(misses, true);
        world.pass(600_000);
        assert_eq!(world.events(misses).iter().filter(|event| anew(event)).count(), 1);
        for who in [alice, bob, laptop] {
            world.set_online(who, true);
        }
        world.pass(600_000);
        for (who, chat) in [(alice, hers), (bob, his), (laptop, chat)] {
            let mut texts = world.texts(who, chat);
            texts.sort_unstable();
            assert!(texts == [long.as_str(), "one"], "{who:?} {reader} {}", texts.len());
        }
    }
}

#[test]
fn what_a_relay_signed_for_and_drops_before_a_commit_goes_out_again() {
    // spec: CLI-216
    let mut crew = crew();
    let bob = crew.people[1];
    let place = crew.world.log_place(bob, &crew.channel);
    crew.world.settle();
    let commits = Rc::new(RefCell::new(Vec::new()));
    let hidden = Rc::clone(&commits);
    crew.world.set_tamper(move |frame| match frame.answer {
        Answer::Entry(Entry { body: EntryBody::Whole { operation, content }, epoch, .. }) => {
            if matches!(operation, Operation::Commit(_)) {
                hidden.borrow_mut().push((epoch, EntryBody::Whole { operation, content }));
            }
            None
        }
        Answer::EpochEnd(_) => None,
        _ => Some(frame),
    });
    for text in ["one", "two"] {
        crew.world.say(bob, crew.chats[1], text);
        crew.world.pass(1_000);
    }
    assert_eq!(crew.world.states(bob, crew.chats[1]), vec![MessageState::Stored; 2]);
    crew.rename(0, "Ship");
    crew.world.pass(1_000);
    // To him the relay shows that commit where his first message was, and signs for it.
    let (epoch, body) = commits.borrow()[0].clone();
    let entry = Entry { epoch, sequence: place.read_to, body, stored_at: Timestamp(0) };
    crew.world.whisper_signed(bob, 0, &crew.channel.clone(), place, vec![entry]);
    assert_eq!(crew.count(1, differs), 1);
    assert_eq!(crew.world.states(bob, crew.chats[1]), vec![MessageState::Pending; 2]);
    crew.world.set_tamper(Some);
    // What they follow lacks what was hidden.
    for online in [false, true] {
        for who in crew.people {
            crew.world.set_online(who, online);
        }
        crew.world.pass(10_000);
    }
    crew.world.pass(120_000);
    crew.agree(vec!["one", "two"]);
    let delivered = MessageState::Delivered { people: 2, of: 2 };
    assert_eq!(crew.world.states(bob, crew.chats[1]), vec![delivered; 2]);
}

#[test]
fn who_was_shown_another_history_comes_back_to_the_one_of_all() {
    // spec: CLI-177, CLI-178
    let mut crew = crew();
    let [alice, bob, carol] = crew.people;
    let fork = crew.world.backup(0);
    for who in [alice, carol] {
        crew.world.set_online(who, false);
    }
    crew.world.say(bob, crew.chats[1], "to nobody");
    crew.world.settle();
    assert_eq!(crew.world.states(bob, crew.chats[1]), [MessageState::Stored]);
    crew.world.set_online(bob, false);
    crew.world.restore(0, fork);
    for who in [alice, carol] {
        crew.world.set_online(who, true);
    }
    crew.world.say(alice, crew.chats[0], "to all");
    crew.world.say(alice, crew.chats[0], "to all of you");
    crew.world.pass(10_000);
    crew.world.set_online(bob, true);
    crew.world.pass(60_000);
    assert_eq!(crew.count(1, anew), 1);
    crew.agree(vec!["to nobody", "to all", "to all of you"]);
}

#[test]
fn an_own_commit_that_the_others_cannot_take_is_not_applied_alone() {
    // spec: CLI-179
    let mut crew = crew();
    let [alice, bob, _] = crew.people;
    let before = crew.world.backup(0);
    crew.world.say(alice, crew.chats[0], "lost");
    crew.world.settle();
    // Her commit, made over that message, is lost on its way, and the relay put back.
    crew.world.set_mute(alice, true);
    crew.rename(0, "Ship");
    crew.world.settle();
    crew.world.set_online(bob, false);
    crew.world.restore(0, before);
    crew.world.set_mute(alice, false);
    crew.world.pass(120_000);
    crew.world.set_online(bob, true);
    crew.world.pass(120_000);
    crew.agree(vec!["lost"]);
    for (who, chat) in crew.people.into_iter().zip(crew.chats) {
        assert_eq!(crew.world.chat(who, "Ship").number, chat);
    }
}

#[test]
fn a_relay_that_never_gets_it_straight_is_asked_ever_less() {
    // spec: CLI-074, CLI-177
    let mut crew = crew();
    let bob = crew.people[1];
    crew.world.set_tamper(|mut frame| {
        if let Answer::EpochEnd(end) = &mut frame.answer {
            end.next = Sequence(end.next.0 + 1);
        }
        Some(frame)
    });
    crew.world.restart(bob);
    let channel = crew.channel;
    let asked = |world: &mut World| {
        let before = world.opens(bob, channel);
        world.pass(3_600_000);
        world.opens(bob, channel) - before
    };
    let first = asked(&mut crew.world);
    let later = asked(&mut crew.world);
    assert!(first >= later && later < 400, "{first} openings, then {later}");
    crew.world.set_tamper(Some);
    crew.world.say(crew.people[0], crew.chats[0], "straight");
    crew.world.pass(300_000);
    crew.agree(vec!["straight"]);
}

#[test]
fn who_is_in_a_lost_epoch_is_added_again_by_who_is_not() {
    // spec: CLI-160, CLI-180, LNK-045
    let mut crew = crew();
    let [alice, bob, carol] = crew.people;
    let before = crew.world.backup(0);
    for who in [bob, carol] {
        crew.world.set_online(who, false);
    }
    let Reply::Profile(hers) = crew.world.ask(carol, Command::Profile) else { panic!() };
    let member = hers.fingerprint;
    let removal = Command::GroupRemove { chat: crew.chats[0], member: member.clone() };
    crew.world.ask(alice, removal);
    crew.world.pass(60_000);
    crew.say(0, "without her");
    crew.world.settle();
    crew.world.restore(0, before);
    crew.world.pass(60_000);
    assert_eq!(crew.state(0), ChatState::Stuck);
    for who in [bob, carol] {
        crew.world.set_online(who, true);
    }
    crew.world.pass(1_800_000);
    // The relay took her removal back, and Alice is told.
    let told = |event: &Event| matches!(event, Event::MembersAdded { members, .. } if *members == [member.clone()]);
    let back = |event: &Event| matches!(event, Event::GroupRejoined { .. });
    let events = crew.world.events(alice);
    let came = events.iter().position(back).unwrap();
    assert!(events[came..].iter().any(told), "{events:?}");
    crew.say(0, "and again");
    crew.world.pass(60_000);
    assert!(crew.texts(1).contains(&"and again".to_owned()));
}

#[test]
fn handles_are_closed_when_a_relay_goes_back() {
    // spec: CLI-177
    let mut world = World::with_handles_max(3);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, his) = world.befriend(alice, bob);
    let before = world.backup(0);
    world.say(alice, hers, "lost and found");
    world.settle();
    world.restore(0, before);
    world.pass(60_000);
    world.say(alice, hers, "and on");
    world.pass(60_000);
    assert_eq!(world.texts(bob, his), ["lost and found", "and on"]);
}
