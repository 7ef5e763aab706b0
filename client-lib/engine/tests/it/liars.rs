//! A relay that answers something else than was asked.

use hushwire_engine::{
    command::{ChatState, Command, LinkState, LinkUse, MessageState, Reply},
    event::{Event, RelayFault, Warning},
};
use hushwire_wire::{
    id::{ItemId, Signature},
    message::{Answer, PackageKindsPresent},
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
