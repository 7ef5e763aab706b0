//! Programs of several ages in one group.

use hushwire_engine::{
    command::{ChatNumber, ChatState, Command, CommandError, MessageState},
    event::{Event, Warning},
};
use hushwire_protocol::group::RuleVersion;
use hushwire_wire::{id::ChannelId, message::Answer};

use crate::{
    devices,
    world::{Who, World, ages::NEWER},
};

/// Alice and Bob with a direct chat, in which both own the group, and its channel.
struct Pair {
    world: World,
    alice: Who,
    bob: Who,
    his: ChatNumber,
    channel: ChannelId,
}

fn pair() -> Pair {
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (_, his) = world.befriend(alice, bob);
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    world.pass(5_000);
    Pair { world, alice, bob, his, channel }
}

fn raise(world: &mut World, who: Who, channel: &ChannelId) {
    let answer = world.commit_by_hand(who, channel, |state| state.rules = NEWER);
    assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
    world.settle();
}

fn told(world: &mut World, who: Who) -> Vec<Option<ChatNumber>> {
    let newer = |event| match event {
        Event::Warning(Warning::NewerRules { chat }) => Some(chat),
        _ => None,
    };
    world.events(who).into_iter().filter_map(newer).collect()
}

#[test]
fn a_program_that_is_too_old_holds_the_group_and_goes_on_when_it_is_newer() {
    // spec: CLI-173, GRP-102
    let Pair { mut world, alice, bob, his, channel } = pair();
    let laptop = devices::link(&mut world, bob);
    world.set_rules(laptop, NEWER);
    world.settle();
    // What waits when the commit comes, waits on.
    world.set_online(bob, false);
    let waiting = world.say(bob, his, "written before");
    let place = world.next_place(bob, &channel);
    raise(&mut world, alice, &channel);
    world.set_online(bob, true);
    world.pass(120_000);
    for _ in 0..2 {
        assert_eq!(world.next_place(bob, &channel), place);
        assert_eq!(world.chat(bob, "Alice").state, ChatState::NewerRules);
        assert_eq!(told(&mut world, bob), [Some(his)]);
        let text = Command::SendText { chat: his, text: "more".to_owned() };
        assert_eq!(world.try_ask(bob, text), Err(CommandError::NewerRules));
        // The other device goes on in the next epoch, and nobody contests.
        let chat = world.chat(laptop, "Alice");
        assert_eq!(chat.state, ChatState::Open);
        world.say(laptop, chat.number, "from a newer program");
        world.pass(120_000);
        world.restart(bob);
        world.pass(120_000);
    }
    let before = world.look(laptop, &channel, |group| group.epoch_number());
    world.set_rules(bob, NEWER);
    world.pass(120_000);
    assert_eq!(world.chat(bob, "Alice").state, ChatState::Open);
    assert_eq!(world.look(bob, &channel, |group| group.epoch_number()), before);
    let mut texts = world.texts(bob, his);
    texts.sort();
    assert_eq!(texts, ["from a newer program", "from a newer program", "written before"]);
    let sent = world.messages(bob, his).into_iter().find(|message| message.number == waiting);
    assert!(matches!(sent.unwrap().state, MessageState::Stored | MessageState::Delivered { .. }));
    let chat = world.chat(laptop, "Alice").number;
    assert!(world.texts(laptop, chat).contains(&"written before".to_owned()));
}

#[test]
fn an_older_program_on_the_store_of_a_newer_one_holds_the_group() {
    // spec: CLI-173
    let Pair { mut world, alice, bob, his, channel } = pair();
    world.set_rules(bob, NEWER);
    world.settle();
    raise(&mut world, alice, &channel);
    assert_eq!(world.chat(bob, "Alice").state, ChatState::Open);
    world.set_rules(bob, RuleVersion::SUPPORTED);
    world.settle();
    assert_eq!(world.chat(bob, "Alice").state, ChatState::NewerRules);
    let text = Command::SendText { chat: his, text: "x".to_owned() };
    assert_eq!(world.try_ask(bob, text), Err(CommandError::NewerRules));
    world.set_rules(bob, NEWER);
    world.settle();
    world.say(bob, his, "again");
    world.settle();
    assert_eq!(world.states(bob, his), [MessageState::Stored]);
}

#[test]
fn an_invitation_to_newer_rules_is_kept_until_the_program_is_newer() {
    // spec: CLI-174, GRP-104
    let Pair { mut world, alice, bob, his, channel } = pair();
    world.set_rules(bob, NEWER);
    world.settle();
    raise(&mut world, alice, &channel);
    let laptop = devices::link(&mut world, bob);
    world.pass(120_000);
    assert_eq!(told(&mut world, laptop), [None]);
    assert!(!world.channels(laptop).contains(&channel));
    world.restart(laptop);
    world.pass(120_000);
    assert!(!world.channels(laptop).contains(&channel));
    world.set_rules(laptop, NEWER);
    world.pass(120_000);
    assert!(world.channels(laptop).contains(&channel));
    world.say(bob, his, "for both");
    world.settle();
    let chat = world.chat(laptop, "Alice").number;
    assert_eq!(world.texts(laptop, chat), ["for both"]);
}
