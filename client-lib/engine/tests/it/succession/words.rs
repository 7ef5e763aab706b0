//! Whose words a person can follow: the list of them, and for how long each counts.

use hushwire_engine::{
    command::{ChatNumber, ChatState, Command, CommandError, MemberRole, Reply, SuccessorInfo},
    event::{Event, Warning},
};

use super::{ALICE, BOB, CAROL, succeeded};
use crate::{
    devices::{link, number_of},
    rejoining::{Crew, crew},
};

/// More than a clock may be wrong, in milliseconds.
const AHEAD_MS: i64 = 36 * 3_600_000;

impl Crew {
    fn successors(&mut self, place: usize) -> Vec<SuccessorInfo> {
        let list = Command::GroupSuccessors(self.chats[place]);
        let Reply::Successors(list) = self.world.ask(self.people[place], list) else { panic!() };
        list
    }

    fn follow(&mut self, place: usize) -> Result<Reply, CommandError> {
        let chat = self.chats[place];
        self.world.try_ask(self.people[place], Command::GroupFollow { chat, by: None })
    }

    /// How often a person was told that a group goes on elsewhere, by a word that was not followed.
    fn offers(&mut self, place: usize) -> usize {
        let offered = |event: &Event| matches!(event, Event::SuccessorOffered { .. });
        self.events(place).into_iter().filter(offered).count()
    }
}

#[test]
fn the_words_that_can_be_followed_are_listed() {
    // spec: CLI-200
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    assert_eq!(crew.successors(CAROL), []);
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(60_000);
    let bob = SuccessorInfo { by: crew.fingerprint(BOB), name: "Bob".to_owned() };
    assert_eq!(crew.successors(CAROL), [bob]);
    assert_eq!(crew.successors(BOB), [], "who is there already");
    crew.follow(CAROL).unwrap();
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, crew.people[CAROL]), 1);
    assert_eq!(crew.successors(CAROL), []);
    // A direct chat has none, and a chat that there is not neither.
    let carol = crew.people[CAROL];
    let direct = crew.world.chat(carol, "Bob").number;
    for (chat, refusal) in
        [(direct, CommandError::WrongChatKind), (ChatNumber(99), CommandError::NoSuchChat)]
    {
        let list = crew.world.try_ask(carol, Command::GroupSuccessors(chat));
        assert_eq!(list.err(), Some(refusal));
    }
}

#[test]
fn the_word_of_a_device_that_is_out_of_the_group_is_over_though_its_person_stays() {
    // spec: GRP-142
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    let (bob, carol) = (crew.people[BOB], crew.people[CAROL]);
    let stolen = link(&mut crew.world, bob);
    crew.world.pass(120_000);
    // Whoever has this device says where the group goes on.
    crew.world.set_online(bob, false);
    let chat = crew.world.chat(stolen, "Crew").number;
    crew.world.ask(stolen, Command::GroupSucceed { chat, without: Vec::new() });
    crew.world.pass(60_000);
    crew.world.set_online(stolen, false);
    let of_bob = crew.fingerprint(BOB);
    let said: Vec<String> = crew.successors(CAROL).into_iter().map(|word| word.by).collect();
    assert_eq!(said.as_slice(), std::slice::from_ref(&of_bob));
    let number = number_of(&mut crew.world, bob, stolen);
    crew.world.ask(bob, Command::DeviceRevoke(number));
    crew.world.set_online(bob, true);
    crew.world.pass(180_000);
    let members = crew.members(CAROL);
    let him = members.iter().find(|member| member.fingerprint == of_bob).unwrap();
    assert_eq!(him.role, MemberRole::Admin);
    assert_eq!(crew.successors(CAROL), []);
    assert_eq!(crew.follow(CAROL).err(), Some(CommandError::NoSuccessor));
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, carol), 0);
}

#[test]
fn who_follows_one_word_from_the_future_follows_no_other_of_the_same_identity() {
    // spec: CLI-210
    let mut crew = crew();
    let (alice, carol) = (crew.people[ALICE], crew.people[CAROL]);
    let laptop = link(&mut crew.world, alice);
    crew.world.pass(120_000);
    crew.world.set_online(laptop, false);
    crew.world.skew(laptop, AHEAD_MS);
    let chat = crew.world.chat(laptop, "Crew").number;
    crew.world.ask(laptop, Command::GroupSucceed { chat, without: Vec::new() });
    crew.world.set_online(laptop, true);
    crew.world.pass(60_000);
    crew.world.set_online(laptop, false);
    assert_eq!((crew.offers(CAROL), succeeded(&mut crew.world, carol)), (1, 0));
    crew.follow(CAROL).unwrap();
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, carol), 1);
    // The second one comes later still.
    crew.world.skew(alice, AHEAD_MS + 3_600_000);
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(120_000);
    assert_eq!((crew.offers(CAROL), succeeded(&mut crew.world, carol)), (2, 1));
    crew.follow(CAROL).unwrap();
    crew.world.pass(120_000);
    assert_eq!(succeeded(&mut crew.world, carol), 2);
}

#[test]
fn who_is_stuck_follows_an_invitation_by_a_word_from_the_future_when_its_person_says_so() {
    // spec: CLI-213, CLI-214, CLI-188, CLI-210
    let mut crew = crew();
    let (alice, carol) = (crew.people[ALICE], crew.people[CAROL]);
    let copy = crew.world.backup(0);
    // The relay loses the epochs since then: nobody reads there any more, nor hears of an offer.
    crew.world.pass(20 * 24 * 3_600_000);
    crew.world.restore(0, copy);
    crew.world.pass(3_600_000);
    assert_eq!(crew.state(CAROL), ChatState::Stuck);
    crew.world.skew(alice, AHEAD_MS);
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(600_000);
    assert_eq!((crew.offers(CAROL), succeeded(&mut crew.world, carol)), (1, 0));
    let alices = SuccessorInfo { by: crew.fingerprint(ALICE), name: "Alice".to_owned() };
    assert_eq!(crew.successors(CAROL), [alices]);
    crew.follow(CAROL).unwrap();
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, carol), 1);
    assert_eq!(crew.state(CAROL), ChatState::Open);
    let Reply::Status(status) = crew.world.ask(carol, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
    let events = crew.events(CAROL);
    let refused =
        |event: &Event| matches!(event, Event::Warning(Warning::InvitationRefused { .. }));
    assert!(!events.iter().any(refused), "{events:?}");
}
