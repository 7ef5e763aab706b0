//! Stories of people who chat.

use hushwire_engine::{
    command::{
        ChatState, Command, CommandError, FailureReason, LinkUse, MessageState, RelayState, Reply,
        SecretText,
    },
    event::Event,
};

use hushwire_wire::{
    error::{Code, Refusal},
    id::ChannelId,
    message::Answer,
};

use crate::{devices::link, world::World};

#[test]
fn two_people_chat_through_a_relay() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    assert_eq!(world.chat(alice, "Bob").state, ChatState::Open);
    assert_eq!(world.chat(bob, "Alice").state, ChatState::Open);

    world.say(alice, hers, "Hello, Bob");
    world.say(alice, hers, "two");
    world.settle();
    world.say(bob, his, "Grüße, Alice");
    world.settle();
    assert_eq!(world.texts(bob, his), ["Hello, Bob", "two", "Grüße, Alice"]);
    assert_eq!(world.texts(alice, hers), ["Hello, Bob", "two", "Grüße, Alice"]);
    let delivered = MessageState::Delivered { people: 1, of: 1 };
    assert_eq!(
        world.states(alice, hers),
        [delivered.clone(), delivered.clone(), MessageState::Received]
    );
    assert_eq!(world.states(bob, his)[2], delivered);
}

#[test]
fn what_is_written_before_the_other_side_is_there_arrives_in_order() {
    // spec: CLI-011, CLI-012
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let link = world.link(bob, LinkUse::Lasting);
    world.set_online(alice, false);
    let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link }) else { panic!() };
    for number in 0..20 {
        world.say(alice, chat.number, &number.to_string());
    }
    assert!(world.states(alice, chat.number).iter().all(|s| *s == MessageState::Pending));
    world.restart(alice);
    world.set_online(alice, true);
    world.settle();
    let his = world.chat(bob, "Alice").number;
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(world.texts(bob, his), expected);
}

#[test]
fn an_offline_reader_catches_up() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    world.set_online(bob, false);
    for number in 0..30 {
        world.say(alice, hers, &number.to_string());
    }
    world.settle();
    assert!(world.states(alice, hers).iter().all(|state| *state == MessageState::Stored));
    world.set_online(bob, true);
    world.pass(120_000);
    let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    assert_eq!(world.texts(bob, his), expected);
    let delivered = MessageState::Delivered { people: 1, of: 1 };
    assert!(world.states(alice, hers).iter().all(|state| *state == delivered));
}

#[test]
fn a_relay_that_comes_back_loses_and_repeats_nothing() {
    // spec: CLI-010, CLI-030
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    for number in 0..10 {
        world.say(alice, hers, &number.to_string());
        if number % 3 == 1 {
            world.set_up(0, false);
            world.pass(3_000);
            world.set_up(0, true);
        }
        if number % 4 == 2 {
            world.restart(bob);
            world.restart(alice);
        }
    }
    world.pass(200_000);
    let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(world.texts(bob, his), expected);
    assert_eq!(world.texts(alice, hers), expected);
}

#[test]
fn who_was_not_heard_in_one_group_is_written_to_in_the_other() {
    // spec: LNK-120, CLI-016
    let mut world = World::new(2);
    let alice = world.person("Alice", 1);
    let bob = world.person("Bob", 0);
    let [to_alice, to_bob] = [alice, bob].map(|who| world.link(who, LinkUse::Lasting));
    world.pass(10_000);
    let copy = world.backup(0);
    // Her group comes first by its id, and what invites him there is lost when the relay has signed for it.
    for (who, link, id) in [(alice, to_bob, 1), (bob, to_alice, 2)] {
        world.set_online(bob, who == bob);
        world.load_dice(who, [id; 32]);
        world.ask(who, Command::AddContact { link });
        world.pass(10_000);
        if who == alice {
            world.restore(0, copy.clone());
        }
    }
    world.pass(60_000);
    let [hers, his] =
        [(alice, "Bob"), (bob, "Alice")].map(|(who, name)| world.chat(who, name).number);
    assert_eq!(world.channels(alice).len(), 3, "both groups, and that of her own devices");
    world.say(alice, hers, "hello");
    world.pass(60_000);
    assert_eq!(world.texts(bob, his), ["hello"]);
    world.say(bob, his, "hello Alice");
    world.pass(60_000);
    assert_eq!(world.texts(alice, hers), ["hello", "hello Alice"]);
}

#[test]
fn own_devices_come_into_a_group_of_two_when_the_contact_was_heard_there() {
    // spec: LNK-120
    let mut world = World::new(2);
    let alice = world.person("Alice", 1);
    let bob = world.person("Bob", 0);
    let laptop = link(&mut world, alice);
    let [to_alice, to_bob] = [alice, bob].map(|who| world.link(who, LinkUse::Lasting));
    world.pass(10_000);
    let [hers, his] = [[1; 32], [2; 32]].map(ChannelId::from_bytes);
    world.set_online(alice, false);
    world.load_dice(bob, *his.as_bytes());
    world.ask(bob, Command::AddContact { link: to_alice });
    world.pass(10_000);
    world.set_online(bob, false);
    // She is in his group before she knows that her invitation to him is stored.
    world.hold(alice, |answer| matches!(answer, Answer::InboxSent { .. }));
    world.load_dice(alice, *hers.as_bytes());
    world.ask(alice, Command::AddContact { link: to_bob });
    world.set_online(alice, true);
    world.pass(5_000);
    assert!([hers, his].iter().all(|channel| world.channels(alice).contains(channel)));
    assert!(world.release() > 0);
    world.pass(60_000);
    assert!(world.channels(laptop).contains(&his));
    assert!(!world.channels(laptop).contains(&hers));
    world.set_online(bob, true);
    world.pass(120_000);
    assert!(world.channels(laptop).contains(&hers));
}

#[test]
fn two_who_add_each_other_at_once_end_in_one_chat() {
    // spec: CLI-016
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let to_bob = world.link(bob, LinkUse::Single);
    let to_alice = world.link(alice, LinkUse::Single);
    world.set_online(alice, false);
    world.set_online(bob, false);
    world.ask(alice, Command::AddContact { link: to_bob });
    world.ask(bob, Command::AddContact { link: to_alice });
    world.set_online(alice, true);
    world.set_online(bob, true);
    world.pass(120_000);
    let (hers, his) = (world.chats(alice), world.chats(bob));
    assert_eq!((hers.len(), his.len()), (1, 1));
    world.say(alice, hers[0].number, "one");
    world.settle();
    world.say(bob, his[0].number, "two");
    world.settle();
    assert_eq!(world.texts(alice, hers[0].number), ["one", "two"]);
    assert_eq!(world.texts(bob, his[0].number), ["one", "two"]);
}

#[test]
fn people_at_two_relays_chat() {
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 1);
    let (hers, his) = world.befriend(alice, bob);
    world.say(alice, hers, "from one relay");
    world.settle();
    world.say(bob, his, "to the other");
    world.settle();
    assert_eq!(world.texts(alice, hers), ["from one relay", "to the other"]);
    assert_eq!(world.texts(bob, his), ["from one relay", "to the other"]);
}

#[test]
fn a_group_of_four_talks_and_shuts_out_the_removed() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let others = ["Bob", "Carol", "Dave"].map(|name| world.person(name, 0));
    for other in others {
        world.befriend(alice, other);
    }
    let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    for contact in &contacts {
        let chat = group.number;
        world.ask(alice, Command::GroupAdd { chat, contact: contact.number });
    }
    world.pass(120_000);
    let theirs = others.map(|other| world.chat(other, "Crew").number);
    world.say(others[0], theirs[0], "hi all");
    world.settle();
    for (other, chat) in others.into_iter().zip(theirs) {
        assert_eq!(world.texts(other, chat), ["hi all"]);
    }
    assert_eq!(world.texts(alice, group.number), ["hi all"]);

    // Dave is removed while he is away, and what is said later is not for him.
    world.set_online(others[2], false);
    let dave = contacts.iter().find(|contact| contact.name == "Dave").unwrap();
    let member = dave.fingerprint.clone();
    world.ask(alice, Command::GroupRemove { chat: group.number, member });
    world.settle();
    world.say(alice, group.number, "without Dave");
    world.settle();
    world.set_online(others[2], true);
    world.pass(120_000);
    assert_eq!(world.texts(others[2], theirs[2]), ["hi all"]);
    assert_eq!(world.chat(others[2], "Crew").state, ChatState::Removed);
    assert!(world.events(others[2]).contains(&Event::RemovedFromChat(theirs[2])));
    assert_eq!(world.texts(others[0], theirs[0]), ["hi all", "without Dave"]);
    let refused =
        world.try_ask(others[2], Command::SendText { chat: theirs[2], text: "still here?".into() });
    assert_eq!(refused, Err(CommandError::ChatClosed));
}

#[test]
fn somebody_known_by_a_used_link_is_added_when_they_come_online() {
    // spec: CLI-010
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let link = world.link(bob, LinkUse::Single);
    world.set_online(bob, false);
    world.ask(alice, Command::AddContact { link });
    world.settle();
    let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    world.ask(alice, Command::GroupAdd { chat: group.number, contact: contacts[0].number });
    world.pass(120_000);
    let Reply::Status(status) = world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 1);
    world.set_online(bob, true);
    world.pass(200_000);
    let his = world.chat(bob, "Crew").number;
    world.say(alice, group.number, "here you are");
    world.settle();
    assert_eq!(world.texts(bob, his), ["here you are"]);
}

#[test]
fn a_member_without_the_right_is_refused_and_can_leave() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    world.befriend(alice, bob);
    let Reply::Chat(group) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let chat = group.number;
    world.ask(alice, Command::GroupAdd { chat, contact: contacts[0].number });
    world.settle();
    let his = world.chat(bob, "Crew").number;
    let Reply::Contacts(of_bob) = world.ask(bob, Command::Contacts) else { panic!() };
    let member = of_bob[0].fingerprint.clone();
    let refused = world.try_ask(bob, Command::GroupRemove { chat: his, member });
    assert_eq!(refused, Err(CommandError::NoRight));
    assert_eq!(world.try_ask(alice, Command::GroupLeave(chat)), Err(CommandError::LastOwner));

    // It waits for her device, and not for the network.
    world.set_online(alice, false);
    world.ask(bob, Command::GroupLeave(his));
    world.pass(5_000);
    let Reply::Status(status) = world.ask(bob, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
    assert!(status.relays.iter().all(|relay| relay.state == RelayState::Current));
    world.set_online(alice, true);
    world.pass(120_000);
    assert_eq!(world.chat(bob, "Crew").state, ChatState::Left);
    let Reply::Members(members) = world.ask(alice, Command::GroupMembers(chat)) else { panic!() };
    assert_eq!(members.len(), 1);
}

#[test]
fn a_used_or_revoked_link_fails_with_its_reason() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let carol = world.person("Carol", 0);
    let link = world.link(bob, LinkUse::Single);
    world.ask(alice, Command::AddContact { link: link.clone() });
    world.settle();
    world.set_online(carol, false);
    let Reply::Chat(chat) = world.ask(carol, Command::AddContact { link }) else { panic!() };
    world.say(carol, chat.number, "anybody?");
    world.set_online(carol, true);
    world.pass(120_000);
    let failed = MessageState::Failed(FailureReason::LinkNotValid);
    assert_eq!(world.states(carol, chat.number), [failed]);

    // spec: LNK-070
    let link = world.link(bob, LinkUse::Single);
    let Reply::Chat(again) = world.ask(carol, Command::AddContact { link }) else { panic!() };
    assert_eq!(again.number, chat.number);
    world.say(carol, chat.number, "you!");
    world.pass(120_000);
    assert_eq!(world.chat(carol, "Bob").state, ChatState::Open);
    let his = world.chat(bob, "Carol").number;
    assert_eq!(world.texts(bob, his), ["you!"]);
    let link = world.link(bob, LinkUse::Single);
    let known = world.try_ask(carol, Command::AddContact { link }).map(|_| ());
    assert_eq!(known, Err(CommandError::AlreadyAContact));
}

#[test]
fn clocks_that_are_ten_years_off_do_not_split_a_group() {
    // spec: GRP-031
    const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1000;
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 0);
    let (hers, his) = world.befriend(alice, bob);
    world.skew(bob, TEN_YEARS_MS);
    world.say(alice, hers, "from now");
    world.settle();
    world.say(bob, his, "from then");
    world.settle();
    assert_eq!(world.texts(alice, hers), ["from now", "from then"]);
    assert_eq!(world.texts(bob, his), ["from now", "from then"]);
}

#[test]
fn a_name_that_no_card_could_carry_is_refused_at_once() {
    // spec: LNK-024
    let mut world = World::new(1);
    let here = world.device("phone");
    let relay = world.address(0);
    for name in ["\u{2068}Bob\u{2069}", "Bob\u{202e}", "Bo\u{2028}b", "Bob\n1", ""] {
        let create = Command::CreateIdentity { name: name.to_owned(), relay: relay.clone() };
        assert_eq!(world.try_ask(here, create).unwrap_err(), CommandError::BadText);
    }
    // The name is looked at before the code.
    let code = SecretText::new("no code".to_owned());
    let join = Command::JoinIdentity { code, device_name: "\u{2068}laptop\u{2069}".to_owned() };
    assert_eq!(world.try_ask(here, join).unwrap_err(), CommandError::BadText);
}

#[test]
fn who_has_a_wrong_clock_is_told_when_it_keeps_people_apart() {
    // spec: CLI-108, IDN-034
    const SEVEN_YEARS_MS: i64 = 7 * 365 * 24 * 60 * 60 * 1000;
    for skew in [-SEVEN_YEARS_MS, SEVEN_YEARS_MS] {
        let mut world = World::new(1);
        let alice = world.person_off_by("Alice", 0, skew);
        let bob = world.person("Bob", 0);
        let cases =
            [(alice, bob, FailureReason::ClockWrong), (bob, alice, FailureReason::NotFresh)];
        for (adds, added, reason) in cases {
            let link = world.link(added, LinkUse::Single);
            world.set_online(adds, false);
            let Reply::Chat(chat) = world.ask(adds, Command::AddContact { link }) else { panic!() };
            world.say(adds, chat.number, "hello");
            world.set_online(adds, true);
            world.pass(120_000);
            assert_eq!(world.states(adds, chat.number), [MessageState::Failed(reason)], "{skew}");
            let failed = Event::ContactFailed { chat: chat.number, reason };
            assert!(world.events(adds).contains(&failed), "{skew}");
        }
    }
}

#[test]
fn who_is_removed_and_added_again_while_away_is_in() {
    // spec: LNK-080
    for was_in in [false, true] {
        for rounds in [1, 3] {
            let mut world = World::new(1);
            let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
            world.befriend(alice, bob);
            let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() })
            else {
                panic!()
            };
            let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
            let contact = contacts[0].number;
            let add = Command::GroupAdd { chat: crew.number, contact };
            let member = contacts[0].fingerprint.clone();
            let remove = Command::GroupRemove { chat: crew.number, member };
            if was_in {
                world.ask(alice, add.clone());
                world.settle();
                world.set_online(bob, false);
            } else {
                world.set_online(bob, false);
                world.ask(alice, add.clone());
                world.settle();
            }
            for _ in 0..rounds {
                world.ask(alice, remove.clone());
                world.settle();
                world.ask(alice, add.clone());
                world.settle();
            }
            world.say(alice, crew.number, "hello");
            world.settle();
            world.set_online(bob, true);
            world.pass(120_000);
            let his = world.chat(bob, "Crew");
            assert_eq!(his.state, ChatState::Open, "{was_in} {rounds}");
            assert_eq!(world.texts(bob, his.number), ["hello"], "{was_in} {rounds}");
        }
    }
}

#[test]
fn what_was_not_sent_when_the_last_one_leaves_is_shown_as_failed() {
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    world.set_online(alice, false);
    world.say(alice, crew.number, "waits");
    world.ask(alice, Command::GroupLeave(crew.number));
    let failed = MessageState::Failed(FailureReason::NotAMember);
    assert_eq!(world.states(alice, crew.number), [failed]);
}

#[test]
fn who_is_added_to_a_group_while_their_chat_opens_gets_both() {
    // spec: LNK-081
    let mut world = World::new(2);
    let (alice, bob) = (world.person("Alice", 0), world.person("Bob", 1));
    let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    world.settle();
    let link = world.link(bob, LinkUse::Single);
    // No channel can be made for a while, so that the chat does not open though his card is there.
    world.set_tamper(|mut frame| {
        if matches!(frame.answer, Answer::ChannelOpened(_)) {
            frame.answer = Answer::Refused(Refusal::from(Code::Busy));
        }
        Some(frame)
    });
    world.ask(alice, Command::AddContact { link });
    world.pass(10_000);
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    let add = Command::GroupAdd { chat: crew.number, contact: contacts[0].number };
    world.ask(alice, add);
    world.pass(60_000);
    world.set_tamper(Some);
    world.pass(180_000);
    assert_eq!(world.chat(alice, "Bob").state, ChatState::Open);
    assert_eq!(world.chat(bob, "Alice").state, ChatState::Open);
    assert_eq!(world.chat(bob, "Crew").state, ChatState::Open);
}
