//! Direct chats that are over, or never came about, and are begun anew (spec: LNK-070).

use hushwire_engine::{
    command::{ChatState, Command, CommandError, LinkUse, MessageState, Reply, SecretText},
    event::{Event, InvitationRefusal, Warning},
};
use hushwire_wire::{
    error::{Code, Refusal},
    frame::AnswerFrame,
    id::ChannelId,
    message::Answer,
};

use crate::world::{Who, World, past::Damage};

/// No channel opens any more.
fn deny_channels(mut frame: AnswerFrame) -> Option<AnswerFrame> {
    if matches!(frame.answer, Answer::ChannelOpened(_)) {
        frame.answer = Answer::Refused(Refusal::from(Code::Denied));
    }
    Some(frame)
}

/// The direct chats of these devices cannot go on.
fn make_stuck(world: &mut World, devices: &[Who]) {
    world.set_tamper(deny_channels);
    for device in devices {
        world.restart(*device);
    }
    world.settle();
    world.set_tamper(Some);
}

fn add(world: &mut World, who: Who, link: SecretText) -> Result<(), CommandError> {
    world.try_ask(who, Command::AddContact { link }).map(|_| ())
}

fn waiting(world: &mut World, who: Who) -> u64 {
    let Reply::Status(status) = world.ask(who, Command::Status) else { panic!() };
    status.waiting
}

#[test]
fn a_stuck_chat_goes_on_by_another_link_whatever_is_drawn() {
    // spec: LNK-070, CLI-016
    for drawn in [0x00, 0x7f, 0xff] {
        for both in [false, true] {
            let mut world = World::new(1);
            let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
            let (hers, his) = world.befriend(alice, bob);
            let stuck: &[Who] = if both { &[alice, bob] } else { &[alice] };
            make_stuck(&mut world, stuck);
            assert_eq!(world.chats(alice)[0].state, ChatState::Stuck);
            let link = world.link(bob, LinkUse::Single);
            world.load_dice(alice, [drawn; 32]);
            add(&mut world, alice, link).unwrap();
            world.pass(120_000);
            world.say(bob, his, "from bob");
            world.say(alice, hers, "from alice");
            world.pass(120_000);
            let both_texts = vec!["from bob".to_owned(), "from alice".to_owned()];
            assert_eq!(world.texts(alice, hers), both_texts, "{drawn} {both}");
            let mut his_texts = world.texts(bob, his);
            his_texts.sort();
            assert_eq!(his_texts, ["from alice", "from bob"], "{drawn} {both}");
            assert_eq!((waiting(&mut world, alice), waiting(&mut world, bob)), (0, 0));
        }
    }
}

#[test]
fn what_waited_in_a_stuck_chat_goes_out_by_the_new_one() {
    // spec: LNK-070
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, his) = world.befriend(alice, bob);
    world.set_online(alice, false);
    world.say(alice, hers, "waits");
    let link = world.link(bob, LinkUse::Single);
    world.set_tamper(deny_channels);
    world.set_online(alice, true);
    // It was away for a while, and connects again within a minute.
    for _ in 0..30 {
        if world.chats(alice)[0].state != ChatState::Stuck {
            world.pass(2_000);
        }
    }
    world.set_tamper(Some);
    // Before it asks to be added again.
    assert_eq!(world.chats(alice)[0].state, ChatState::Stuck);
    add(&mut world, alice, link).unwrap();
    world.pass(60_000);
    world.say(alice, hers, "after");
    world.pass(120_000);
    assert_eq!(world.texts(bob, his), ["waits", "after"]);
    let delivered = MessageState::Delivered { people: 1, of: 1 };
    assert_eq!(world.states(alice, hers), [delivered.clone(), delivered]);
    assert_eq!(waiting(&mut world, alice), 0);
}

#[test]
fn a_chat_is_begun_anew_as_often_as_it_has_to_be() {
    // spec: LNK-065, LNK-070
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, his) = world.befriend(alice, bob);
    for round in 0..8 {
        let link = world.link(bob, LinkUse::Single);
        make_stuck(&mut world, &[alice]);
        add(&mut world, alice, link).unwrap();
        world.pass(60_000);
        world.say(alice, hers, &format!("round {round}"));
        world.pass(60_000);
        assert_eq!(world.texts(bob, his).last().unwrap(), &format!("round {round}"));
        // Those before were given up.
        assert!(world.channels(bob).len() <= 1 + 4, "{}", world.channels(bob).len());
    }
    world.say(bob, his, "still here");
    world.pass(60_000);
    assert_eq!(world.texts(alice, hers).last().unwrap(), "still here");
}

#[test]
fn a_device_that_came_later_begins_a_stuck_chat_anew() {
    // spec: LNK-058
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, _) = world.befriend(alice, bob);
    make_stuck(&mut world, &[alice, bob]);
    let laptop = crate::devices::link(&mut world, bob);
    world.pass(60_000);
    let link = world.link(alice, LinkUse::Single);
    let Reply::Chat(chat) = world.ask(laptop, Command::AddContact { link }) else { panic!() };
    world.say(laptop, chat.number, "hi");
    world.pass(120_000);
    assert_eq!(world.texts(alice, hers), ["hi"]);
    assert_eq!(world.chats(alice)[0].state, ChatState::Open);
}

#[test]
fn a_link_that_leads_nowhere_does_not_keep_the_true_one_out() {
    // spec: LNK-070
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let bob = world.person("Bob", 1);
    let dead = world.link(bob, LinkUse::Lasting);
    world.set_up(1, false);
    let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link: dead.clone() }) else {
        panic!()
    };
    world.say(alice, chat.number, "hello");
    world.pass(3_600_000);
    assert_eq!(world.chats(alice)[0].state, ChatState::Opening);
    // The same link again changes nothing, whatever it has come to.
    add(&mut world, alice, dead).unwrap();
    assert_eq!(waiting(&mut world, alice), 2, "the link and the text");
    world.set_up(1, true);
    world.pass(120_000);
    assert_eq!(world.chats(alice)[0].state, ChatState::Open);
    let link = world.link(bob, LinkUse::Lasting);
    assert_eq!(add(&mut world, alice, link), Err(CommandError::AlreadyAContact));
    let his = world.chats(bob)[0].number;
    assert_eq!(world.texts(bob, his), ["hello"]);
}

#[test]
fn another_link_takes_the_place_of_one_that_waits() {
    // spec: LNK-070
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let [first, second] = [(); 2].map(|()| world.link(bob, LinkUse::Single));
    world.set_mute(alice, true);
    let Reply::Chat(chat) = world.ask(alice, Command::AddContact { link: first }) else { panic!() };
    world.say(alice, chat.number, "hello");
    world.pass(10_000);
    add(&mut world, alice, second).unwrap();
    world.set_mute(alice, false);
    world.restart(alice);
    world.pass(120_000);
    let his = world.chats(bob);
    assert_eq!(his.len(), 1);
    assert_eq!(world.texts(bob, his[0].number), ["hello"]);
    assert_eq!(waiting(&mut world, alice), 0);
}

#[test]
fn an_item_that_is_taken_late_opens_no_group_that_was_given_up() {
    // spec: LNK-070
    for anew in [false, true] {
        let mut world = World::new(1);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        let phone = crate::devices::link(&mut world, bob);
        world.pass(60_000);
        let link = world.link(bob, LinkUse::Lasting);
        let fresh = world.link(bob, LinkUse::Single);
        // Nobody is heard in the group before it is given up.
        [bob, phone].into_iter().for_each(|his| world.set_online(his, false));
        // One of the two items is refused, twice, before the other one is taken.
        let (mut first, mut refusals) = (None, 0);
        world.set_tamper(move |mut frame| {
            if let Answer::InboxSent { item, .. } = &frame.answer {
                if *first.get_or_insert(*item) == *item {
                    refusals += 1;
                    frame.answer = Answer::Refused(Refusal::from(Code::Denied));
                } else if anew || refusals < 2 {
                    frame.answer = Answer::Refused(Refusal::from(Code::Busy));
                }
            }
            Some(frame)
        });
        let add_contact = Command::AddContact { link };
        let Reply::Chat(chat) = world.ask(alice, add_contact.clone()) else { panic!() };
        if !anew {
            world.pass(30_000);
            assert_eq!(world.chats(alice)[0].state, ChatState::Stuck);
        }
        world.set_tamper(Some);
        add(&mut world, alice, fresh).unwrap();
        [bob, phone].into_iter().for_each(|his| world.set_online(his, true));
        world.pass(120_000);
        world.say(alice, chat.number, "two");
        world.pass(120_000);
        let his = world.chats(bob).remove(0);
        assert_eq!(world.texts(bob, his.number), ["two"], "{anew}");
        assert_eq!(waiting(&mut world, alice), 0);
    }
}

#[test]
fn strangers_do_not_keep_out_the_relay_of_somebody_who_is_sought() {
    // spec: LNK-067
    let mut world = World::new(19);
    let bob = world.person("Bob", 0);
    let friend = world.person("Friend", 17);
    world.befriend(bob, friend);
    let link = world.link(bob, LinkUse::Lasting);
    for relay in 1..=17 {
        let stranger =
            world.person(&format!("Stranger {relay}"), if relay == 17 { 18 } else { relay });
        world.ask(stranger, Command::AddContact { link: link.clone() });
        world.settle();
    }
    let too_many = Warning::InvitationRefused { reason: InvitationRefusal::TooManyRelays };
    assert!(world.events(bob).contains(&Event::Warning(too_many)));
    assert_eq!(world.chats(bob).len(), 1 + 16);
    // A group of the friend's, at the friend's relay.
    let Reply::Chat(crew) = world.ask(friend, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let Reply::Contacts(contacts) = world.ask(friend, Command::Contacts) else { panic!() };
    let add = Command::GroupAdd { chat: crew.number, contact: contacts[0].number };
    world.ask(friend, add);
    world.pass(60_000);
    assert_eq!(world.chat(bob, "Crew").state, ChatState::Open);
}

/// Two people who began their chat at once, and so have two groups for it: the one that carries it
/// comes first.
fn two_groups(world: &mut World) -> ([Who; 2], [ChannelId; 2]) {
    let people = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let [alice, bob] = people;
    let [to_bob, to_alice] = [bob, alice].map(|who| world.link(who, LinkUse::Single));
    for who in people {
        world.set_online(who, false);
    }
    add(world, alice, to_bob).unwrap();
    add(world, bob, to_alice).unwrap();
    for who in people {
        world.set_online(who, true);
    }
    world.pass(120_000);
    let of_bob = world.channels(bob);
    let shared: Vec<_> =
        world.channels(alice).into_iter().filter(|id| of_bob.contains(id)).collect();
    (people, shared.try_into().unwrap())
}

#[test]
fn of_two_groups_the_one_that_goes_on_carries_the_chat() {
    // spec: LNK-094, CNT-045
    let mut world = World::new(1);
    let ([alice, bob], [first, _]) = two_groups(&mut world);
    let (hers, his) = (world.chats(alice)[0].number, world.chats(bob)[0].number);
    world.set_online(bob, false);
    // The relay has it, and its answer is lost.
    world.set_tamper(|frame| (!matches!(frame.answer, Answer::Appended(_))).then_some(frame));
    world.say(alice, hers, "under way");
    world.settle();
    world.set_online(alice, false);
    world.set_tamper(Some);
    world.damage(alice, &first, Damage::Lost);
    assert_eq!(world.chats(alice)[0].state, ChatState::Open);
    world.set_online(alice, true);
    world.settle();
    assert_eq!(world.states(alice, hers), [MessageState::Stored]);
    world.set_online(bob, true);
    world.pass(120_000);
    world.say(bob, his, "and back");
    world.pass(120_000);
    for (who, chat) in [(alice, hers), (bob, his)] {
        assert_eq!(world.texts(who, chat), ["under way", "and back"], "{who:?}");
        assert_eq!(waiting(&mut world, who), 0);
    }
}
