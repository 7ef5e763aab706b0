//! Groups that a device cannot go on in: it asks to be added again, and comes back.

use hushwire_engine::{
    command::{
        ChatInfo, ChatNumber, ChatState, Command, CommandError, MemberInfo, MessageState, Reply,
        StuckCause,
    },
    event::{Event, Warning},
};
use hushwire_protocol::group::{CommitIntent, Cover};
use hushwire_wire::{id::ChannelId, message::Answer};

use crate::contests;
use crate::devices::{devices, link};
use crate::world::{Who, World, past::Damage};

/// Three people who are contacts of each other, in a group that the first one owns.
pub(crate) struct Crew {
    pub(crate) world: World,
    pub(crate) people: [Who; 3],
    pub(crate) chats: [ChatNumber; 3],
    pub(crate) channel: ChannelId,
}

const NAMES: [&str; 3] = ["Alice", "Bob", "Carol"];

pub(crate) fn crew() -> Crew {
    let mut world = World::new(1);
    let people = NAMES.map(|name| world.person(name, 0));
    let [alice, bob, carol] = people;
    for (one, other) in [(alice, bob), (alice, carol), (bob, carol)] {
        world.befriend(one, other);
    }
    let before = world.channels(alice);
    let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    for contact in contacts {
        world.ask(alice, Command::GroupAdd { chat: crew.number, contact: contact.number });
        world.settle();
    }
    let chats = people.map(|person| world.chat(person, "Crew").number);
    let channel = world.channels(alice).into_iter().find(|id| !before.contains(id)).unwrap();
    Crew { world, people, chats, channel }
}

impl Crew {
    pub(crate) fn say(&mut self, place: usize, text: &str) {
        self.world.say(self.people[place], self.chats[place], text);
    }

    pub(crate) fn texts(&mut self, place: usize) -> Vec<String> {
        self.world.texts(self.people[place], self.chats[place])
    }

    pub(crate) fn state(&mut self, place: usize) -> ChatState {
        self.info(place).state
    }

    pub(crate) fn info(&mut self, place: usize) -> ChatInfo {
        self.world.chat(self.people[place], "Crew")
    }

    pub(crate) fn members(&mut self, place: usize) -> Vec<MemberInfo> {
        let command = Command::GroupMembers(self.chats[place]);
        let Reply::Members(members) = self.world.ask(self.people[place], command) else { panic!() };
        members
    }

    pub(crate) fn events(&mut self, place: usize) -> Vec<Event> {
        self.world.events(self.people[place])
    }

    /// Why a device got stuck in the group, each time.
    pub(crate) fn causes(&mut self, place: usize) -> Vec<StuckCause> {
        let here = Some(self.chats[place]);
        let cause = |event| match event {
            Event::GroupStuck { chat, cause } if chat == here => Some(cause),
            _ => None,
        };
        self.events(place).into_iter().filter_map(cause).collect()
    }

    /// How often it came back; each time after it was away.
    pub(crate) fn returns(&mut self, place: usize) -> usize {
        let here = Some(self.chats[place]);
        let back = |event| match event {
            Event::GroupRejoined { chat, from_ms, to_ms } if chat == here => {
                assert!(0 < from_ms && from_ms <= to_ms, "{from_ms} {to_ms}");
                Some(())
            }
            _ => None,
        };
        self.events(place).into_iter().filter_map(back).count()
    }

    /// How often a device saw that somebody was added again.
    pub(crate) fn readmissions(&mut self, place: usize) -> usize {
        let here = self.chats[place];
        let again =
            |event: &Event| matches!(event, Event::MemberReadmitted { chat, .. } if *chat == here);
        self.events(place).into_iter().filter(again).count()
    }

    /// Nobody met a message under keys that were used before.
    fn assert_no_key_twice(&mut self) {
        for place in 0..3 {
            let events = self.events(place);
            let reused = events.iter().any(|event| {
                matches!(event, Event::Warning(
                    Warning::EntryRejected { code, .. } | Warning::CommitRejected { code, .. })
                    if code == "KeyUnavailable")
            });
            assert!(!reused, "{place}: {events:?}");
        }
    }

    /// Everybody says something, and everybody hears it, once.
    pub(crate) fn assert_whole(&mut self) {
        for (place, name) in NAMES.into_iter().enumerate() {
            assert_eq!(self.state(place), ChatState::Open, "{name}");
            self.say(place, &format!("whole, says {name}"));
            self.world.settle();
        }
        for place in 0..3 {
            let texts = self.texts(place);
            for name in NAMES {
                let said = format!("whole, says {name}");
                let heard = texts.iter().filter(|text| **text == said).count();
                assert_eq!(heard, 1, "{place} {texts:?}");
            }
        }
        let codes: Vec<_> = (0..3)
            .map(|place| {
                let command = Command::GroupCode(self.chats[place]);
                let Reply::GroupCode(code) = self.world.ask(self.people[place], command) else {
                    panic!()
                };
                code
            })
            .collect();
        assert!(codes.windows(2).all(|pair| pair[0] == pair[1]), "{codes:?}");
        self.assert_no_key_twice();
    }
}

/// The owner adds another person, by which the group goes on.
fn add_dave(crew: &mut Crew) -> Who {
    let alice = crew.people[0];
    let dave = crew.world.person("Dave", 0);
    crew.world.befriend(dave, alice);
    let Reply::Contacts(contacts) = crew.world.ask(alice, Command::Contacts) else { panic!() };
    let contact = contacts.iter().find(|contact| contact.name == "Dave").unwrap().number;
    crew.world.ask(alice, Command::GroupAdd { chat: crew.chats[0], contact });
    crew.world.settle();
    dave
}

#[test]
fn a_device_put_back_to_an_old_copy_is_added_again() {
    // spec: CLI-160, CLI-163, CLI-165, GRP-041, LNK-045, LNK-090
    let mut crew = crew();
    let alice = crew.people[0];
    crew.say(0, "before");
    crew.say(1, "heard");
    crew.world.settle();
    crew.world.set_online(alice, false);
    crew.say(0, "waits");
    let copy = crew.world.profile(alice);
    crew.world.set_online(alice, true);
    crew.world.settle();
    add_dave(&mut crew);
    crew.say(1, "missed");
    crew.say(0, "lost");
    crew.world.settle();
    crew.world.put_back(alice, copy);
    crew.world.pass(5 * 60_000);
    assert_eq!(crew.causes(0), [StuckCause::OwnCommit]);
    assert_eq!(crew.returns(0), 1);
    assert!(crew.events(0).contains(&Event::Warning(Warning::StoreIsOld)));
    assert_eq!(crew.info(0).stuck, None);
    // What waited in the copy was sent before; nobody shows it twice, and the history is there.
    assert_eq!(crew.texts(0)[..3], ["before", "heard", "waits"]);
    let once = crew.texts(1).iter().filter(|text| *text == "waits").count();
    assert_eq!(once, 1);
    assert_ne!(crew.world.states(alice, crew.chats[0])[2], MessageState::Pending);
    crew.assert_whole();
    assert_eq!(crew.readmissions(1), 1);
}

#[test]
fn a_copy_seals_nothing_under_keys_that_may_be_used_up() {
    // spec: CLI-164
    let mut crew = crew();
    let bob = crew.people[1];
    crew.say(1, "one");
    crew.world.settle();
    let copy = crew.world.profile(bob);
    for text in ["two", "three"] {
        crew.say(1, text);
        crew.world.settle();
    }
    crew.world.set_online(bob, false);
    crew.world.put_back(bob, copy);
    crew.say(1, "four");
    crew.world.set_online(bob, true);
    crew.world.pass(60_000);
    assert_eq!(crew.texts(0), ["one", "two", "three", "four"]);
    // It went on by itself: a new epoch has new keys.
    assert!(crew.causes(1).is_empty());
    crew.assert_whole();
}

#[test]
fn a_damaged_group_is_come_back_to_and_no_other_one_is_concerned() {
    // spec: CLI-161, CLI-160
    for damage in [Damage::Garbled, Damage::Lost, Damage::WithoutKeys] {
        let mut crew = crew();
        let bob = crew.people[1];
        crew.say(1, "before");
        crew.world.settle();
        crew.world.damage(bob, &crew.channel, damage);
        crew.say(0, "not heard");
        crew.world.settle();
        let direct = crew.world.chat(bob, "Alice").number;
        crew.world.say(bob, direct, "here all is well");
        crew.world.settle();
        let hers = crew.world.chat(crew.people[0], "Bob").number;
        assert_eq!(crew.world.texts(crew.people[0], hers), ["here all is well"], "{damage:?}");
        assert_eq!(crew.info(1).stuck, Some(StuckCause::StateDamaged), "{damage:?}");
        // What needs the group is refused, and what only needs the history is not.
        let said =
            crew.world.try_ask(bob, Command::SendText { chat: crew.chats[1], text: "no".into() });
        assert_eq!(said, Err(CommandError::ChatClosed));
        assert!(crew.members(1).is_empty());
        assert_eq!(crew.texts(1), ["before"]);
        crew.world.pass(5 * 60_000);
        assert_eq!(crew.causes(1), [StuckCause::StateDamaged], "{damage:?}");
        assert_eq!(crew.returns(1), 1, "{damage:?}");
        crew.assert_whole();
    }
}

#[test]
fn a_damaged_group_that_is_used_at_once_sticks_too() {
    // spec: CLI-161
    let mut crew = crew();
    let bob = crew.people[1];
    crew.world.set_online(bob, false);
    crew.world.damage(bob, &crew.channel, Damage::Garbled);
    assert!(crew.members(1).is_empty());
    assert_eq!(crew.state(1), ChatState::Stuck);
    crew.world.set_online(bob, true);
    crew.world.pass(5 * 60_000);
    crew.assert_whole();
}

/// A device cannot go on in any group: the relay says that it knows none of its epochs.
pub(crate) fn expire(crew: &mut Crew, place: usize) {
    let who = crew.people[place];
    crew.world.set_barred(who, true);
    crew.world.restart(who);
    crew.world.pass(5_000);
    crew.world.set_barred(who, false);
}

#[test]
fn a_device_whose_epochs_are_gone_comes_back_everywhere() {
    // spec: CLI-160, LNK-089, LNK-090, CLI-167
    let mut crew = crew();
    crew.say(1, "before");
    crew.world.settle();
    expire(&mut crew, 1);
    assert_eq!(crew.info(1).stuck, Some(StuckCause::EpochGone));
    crew.say(0, "meanwhile");
    crew.world.pass(5 * 60_000);
    assert_eq!(crew.returns(1), 1);
    for name in ["Alice", "Carol"] {
        let chat = crew.world.chat(crew.people[1], name);
        assert_eq!(chat.state, ChatState::Open, "{name}");
        crew.world.say(crew.people[1], chat.number, "direct");
    }
    crew.world.settle();
    for place in [0, 2] {
        let chat = crew.world.chat(crew.people[place], "Bob").number;
        assert_eq!(crew.world.texts(crew.people[place], chat), ["direct"]);
    }
    assert_eq!(crew.texts(1), ["before"], "what was said meanwhile cannot be read");
    crew.assert_whole();
    // The group of its own devices, in which it was alone, was made anew.
    let laptop = link(&mut crew.world, crew.people[1]);
    assert_eq!(devices(&mut crew.world, laptop).len(), 2);
    crew.world.pass(60_000);
    assert_eq!(crew.world.chat(laptop, "Crew").state, ChatState::Open);
}

#[test]
fn an_own_device_answers_and_tells_what_was_missed() {
    // spec: CLI-160, LNK-090
    let mut crew = crew();
    let bob = crew.people[1];
    let laptop = link(&mut crew.world, bob);
    crew.world.pass(60_000);
    expire(&mut crew, 1);
    // Nobody else is there to answer.
    crew.world.set_online(crew.people[0], false);
    crew.world.set_online(crew.people[2], false);
    crew.world.pass(10 * 60_000);
    assert_eq!(crew.state(1), ChatState::Open);
    let theirs = crew.world.chat(laptop, "Crew").number;
    crew.world.say(laptop, theirs, "from the laptop");
    crew.world.settle();
    assert_eq!(crew.texts(1), ["from the laptop"]);
    // A device that came later has no old store.
    assert!(!crew.world.events(laptop).contains(&Event::Warning(Warning::StoreIsOld)));
    // In the group of own devices too.
    let own = crew
        .world
        .events(bob)
        .into_iter()
        .filter(|event| matches!(event, Event::GroupRejoined { chat: None, .. }));
    assert_eq!(own.count(), 1);
}

#[test]
fn two_who_answer_at_once_add_a_device_once() {
    // spec: LNK-091, LNK-093, CLI-014
    let mut crew = crew();
    expire(&mut crew, 1);
    for person in [0, 2] {
        crew.world.set_online(crew.people[person], false);
    }
    // Both find the request when they come back.
    crew.world.pass(90_000);
    for person in [0, 2] {
        crew.world.set_online(crew.people[person], true);
    }
    crew.world.pass(5 * 60_000);
    assert_eq!((crew.returns(1), crew.readmissions(0), crew.readmissions(2)), (1, 1, 1));
    crew.assert_whole();
}

#[test]
fn a_crash_at_any_step_of_either_side_changes_nothing() {
    // spec: CLI-001, CLI-010, CLI-160
    for place in [0, 1] {
        for step in (1..60).step_by(3) {
            let mut crew = crew();
            crew.world.set_online(crew.people[2], false);
            expire(&mut crew, 1);
            crew.world.pass(25_000);
            crew.world.crash_at(crew.people[place], step);
            crew.world.pass(10 * 60_000);
            crew.world.set_online(crew.people[2], true);
            crew.world.pass(60_000);
            assert_eq!(crew.returns(1), 1, "{place} {step}");
            crew.assert_whole();
        }
    }
}

#[test]
fn where_a_relay_hides_the_way_back_a_device_gives_up_and_can_be_told_to_ask_again() {
    // spec: CLI-162
    let mut crew = crew();
    crew.world.set_barred(crew.people[1], true);
    crew.world.restart(crew.people[1]);
    crew.world.settle();
    let before = crew.world.sends(crew.people[1]);
    crew.world.pass(10 * 24 * 60 * 60 * 1000);
    let here = Some(crew.chats[1]);
    let given_up = |crew: &mut Crew| {
        let gone = Event::RejoinGivenUp { chat: here };
        crew.events(1).into_iter().filter(|event| *event == gone).count()
    };
    assert_eq!(given_up(&mut crew), 1);
    let sent = crew.world.sends(crew.people[1]) - before;
    assert!(sent <= 3 * 12 * 3, "{sent}");
    assert_eq!(crew.state(1), ChatState::Stuck);
    crew.world.set_barred(crew.people[1], false);
    crew.world.ask(crew.people[1], Command::Rejoin(crew.chats[1]));
    crew.world.pass(5 * 60_000);
    assert_eq!(crew.state(1), ChatState::Open);
    let again = crew.world.try_ask(crew.people[1], Command::Rejoin(crew.chats[1]));
    assert_eq!(again, Err(CommandError::NotStuck));
}

#[test]
fn who_has_to_come_back_too_often_stops_asking() {
    // spec: CLI-162
    let mut crew = crew();
    for round in 1..=4 {
        crew.world.pass(15 * 60_000);
        expire(&mut crew, 1);
        crew.world.pass(10 * 60_000);
        assert_eq!(crew.returns(1), round);
    }
    crew.world.pass(15 * 60_000);
    expire(&mut crew, 1);
    crew.world.pass(60 * 60_000);
    assert_eq!((crew.returns(1), crew.state(1)), (4, ChatState::Stuck));
    crew.world.ask(crew.people[1], Command::Rejoin(crew.chats[1]));
    crew.world.pass(5 * 60_000);
    assert_eq!((crew.returns(1), crew.state(1)), (5, ChatState::Open));
}

#[test]
fn who_leaves_while_a_commit_of_its_own_waits_loses_neither() {
    // spec: CLI-010, GRP-049
    let mut crew = crew();
    let (bob, chat) = (crew.people[1], crew.chats[1]);
    for place in [0, 2] {
        crew.world.set_online(crew.people[place], false);
    }
    // It contests a commit that nobody can open.
    let stolen = crew.world.steal(bob, &crew.channel);
    let mut seat = crew.world.take_seat(0, &stolen);
    crew.world.set_commits_refused(bob, true);
    let answer = crew.world.push(&mut seat, contests::commit(7, &[]), &[7; 256]);
    assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
    crew.world.pass(60_000);
    crew.world.ask(bob, Command::GroupLeave(chat));
    crew.world.pass(10_000);
    crew.world.set_commits_refused(bob, false);
    crew.world.pass(5 * 60_000);
    for place in [0, 2] {
        crew.world.set_online(crew.people[place], true);
    }
    crew.world.pass(5 * 60_000);
    assert_eq!(crew.members(0).len(), 2);
    assert_eq!(crew.state(1), ChatState::Left);
    let unknown = |event: &Event| matches!(event, Event::Warning(Warning::OwnCommitUnknown { .. }));
    assert!(!crew.events(1).iter().any(unknown));
}

#[test]
fn who_wanted_to_leave_does_not_come_back() {
    // spec: CLI-160
    let mut crew = crew();
    crew.world.set_online(crew.people[0], false);
    crew.world.set_online(crew.people[2], false);
    crew.world.ask(crew.people[1], Command::GroupLeave(crew.chats[1]));
    crew.world.settle();
    expire(&mut crew, 1);
    assert_eq!(crew.state(1), ChatState::Left);
    crew.world.pass(10 * 60_000);
    assert!(crew.causes(1).is_empty());
    assert_eq!(crew.state(1), ChatState::Left);
}

#[test]
fn a_client_hundreds_of_epochs_behind_opens_the_channel_once_for_each_cut() {
    // spec: CLI-166
    let mut crew = crew();
    let [alice, bob, _] = crew.people;
    crew.world.settle();
    crew.world.set_online(bob, false);
    crew.world.pass(5_000);
    crew.world.set_online(alice, false);
    let mut puppet = crew.world.puppet(alice, &crew.channel.clone());
    crew.world.set_online(crew.people[2], false);
    let (epochs, cuts) = (300, 20);
    for epoch in 1..=epochs {
        let cut = epoch % (epochs / cuts) == 0;
        let cover = if cut { Cover::Always } else { Cover::WhenNeeded };
        crew.world.commit_as(&mut puppet, CommitIntent { cover, ..CommitIntent::default() });
        crew.world.pass(1_001);
    }
    let opens = crew.world.opens(bob, crew.channel);
    let rows = crew.world.rows_read(bob);
    let begin = std::time::Instant::now();
    crew.world.set_online(bob, true);
    crew.world.pass(120_000);
    let opened = crew.world.opens(bob, crew.channel) - opens;
    let read = crew.world.rows_read(bob) - rows;
    eprintln!("{opened} openings, {read} rows, {:?}", begin.elapsed());
    assert_eq!(opened, cuts + 1);
    let Reply::Status(status) = crew.world.ask(bob, Command::Status) else { panic!() };
    assert!(status.catching_up.is_empty());
    assert_eq!(crew.state(1), ChatState::Open);
    assert_eq!(crew.world.steal(bob, &crew.channel.clone()).epoch, puppet.epoch);
}
