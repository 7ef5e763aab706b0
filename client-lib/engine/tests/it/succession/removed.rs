//! Who was removed, and forms the group anew by what it knew before.

use hushwire_engine::{
    command::{ChatState, Command, CommandError, MemberRole, Reply, RequestAnswer},
    event::{Event, Warning},
    store::Table,
};

use hushwire_wire::{frame::AnswerFrame, id::EpochId, message::Answer};

use super::{ALICE, BOB, CAROL, link_of, succeeded};
use crate::{
    doors::house::state,
    rejoining::{Crew, crew},
};

const MINUTE_MS: u64 = 60_000;

/// Bob, an owner, is removed while he and Carol are away.
fn remove(crew: &mut Crew) {
    crew.give(BOB, MemberRole::Owner);
    for place in [BOB, CAROL] {
        crew.world.set_online(crew.people[place], false);
    }
    let (chat, member) = (crew.chats[ALICE], crew.fingerprint(BOB));
    crew.world.ask(crew.people[ALICE], Command::GroupRemove { chat, member });
    crew.world.pass(MINUTE_MS);
}

/// Carol gets stuck, and Alice does not let her back in.
fn get_stuck(crew: &mut Crew) {
    let carol = crew.people[CAROL];
    crew.world.set_commits_lost(crew.people[ALICE], true);
    crew.world.set_barred(carol, true);
    crew.world.restart(carol);
    crew.world.pass(MINUTE_MS);
    crew.world.set_barred(carol, false);
    crew.world.pass(5 * MINUTE_MS);
}

/// Whether somebody asks at a door.
pub(super) fn asks(crew: &Crew, place: usize) -> bool {
    let rows = crew.world.rows_of(crew.people[place], Table::Profile);
    rows.iter().any(|(key, _)| key.starts_with(b"asked "))
}

/// He forms the group anew before he reads of that.
fn form_anew(crew: &mut Crew) {
    crew.succeed(BOB, &[]).unwrap();
    crew.world.set_online(crew.people[BOB], true);
    crew.world.pass(5 * MINUTE_MS);
}

/// Nobody hears anything of the log of an epoch.
pub(crate) fn without_log_of(epoch: EpochId) -> impl FnMut(AnswerFrame) -> Option<AnswerFrame> {
    move |frame| {
        let withheld = match &frame.answer {
            Answer::Entry(entry) => entry.epoch == epoch,
            Answer::EpochEnd(end) => end.epoch == epoch,
            _ => false,
        };
        (!withheld).then_some(frame)
    }
}

/// Carol is with Alice, in the chat that she had, and Bob is not.
fn assert_without_bob(crew: &mut Crew) {
    let (carol, chat) = (crew.people[CAROL], crew.chats[CAROL]);
    assert_eq!(succeeded(&mut crew.world, carol), 0);
    assert_eq!(state(&mut crew.world, carol, chat), ChatState::Open);
    let bob = crew.fingerprint(BOB);
    assert!(crew.members(CAROL).iter().all(|member| member.fingerprint != bob));
    crew.say(ALICE, "without him");
    crew.world.pass(MINUTE_MS);
    assert_eq!(crew.texts_in_chat(CAROL), ["without him"]);
    assert!(crew.texts_in_chat(BOB).is_empty());
}

impl Crew {
    fn texts_in_chat(&mut self, place: usize) -> Vec<String> {
        self.world.texts(self.people[place], self.chats[place])
    }
}

#[test]
fn a_removed_owner_takes_nobody_along_who_was_away() {
    // spec: CLI-187, CLI-188, GRP-142
    let mut crew = crew();
    remove(&mut crew);
    form_anew(&mut crew);
    // What waits for her in her inbox comes before what stands in the log.
    let carol = crew.people[CAROL];
    let epoch = crew.world.steal(carol, &crew.channel).epoch;
    crew.world.set_tamper(without_log_of(epoch));
    crew.world.set_online(carol, true);
    let offered = |event: &Event| matches!(event, Event::SuccessorOffered { .. });
    // She is told of it when the log is not there for a minute (spec: CLI-188).
    for (passes_ms, told) in [(MINUTE_MS / 2, 0), (2 * MINUTE_MS, 1)] {
        crew.world.pass(passes_ms);
        assert_eq!(succeeded(&mut crew.world, carol), 0);
        assert_eq!(crew.events(CAROL).into_iter().filter(offered).count(), told);
    }
    crew.world.set_online(carol, false);
    crew.world.set_tamper(Some);
    crew.world.set_online(carol, true);
    crew.world.pass(5 * MINUTE_MS);
    assert_without_bob(&mut crew);
    assert_eq!(crew.events(CAROL).into_iter().filter(offered).count(), 1);
    let follow = Command::GroupFollow { chat: crew.chats[CAROL], by: None };
    let follow = crew.world.try_ask(carol, follow);
    assert_eq!(follow.err(), Some(CommandError::NoSuccessor), "there is nothing to follow");
}

#[test]
fn a_removed_owner_takes_nobody_along_by_a_link() {
    // spec: CLI-187, LNK-100
    let mut crew = crew();
    remove(&mut crew);
    let link = link_of(crew.succeed(BOB, &[CAROL]).unwrap());
    crew.world.set_online(crew.people[BOB], true);
    crew.world.pass(5 * MINUTE_MS);
    // She asks by the link that he gave her, for he has not invited her, and what comes to her inbox
    // comes before the log.
    let carol = crew.people[CAROL];
    let epoch = crew.world.steal(carol, &crew.channel).epoch;
    crew.world.set_tamper(without_log_of(epoch));
    crew.world.set_online(carol, true);
    crew.world.ask(carol, Command::GroupJoin { link });
    crew.world.pass(MINUTE_MS);
    let (bob, chat) = (crew.people[BOB], crew.chats[BOB]);
    let Reply::GroupRequests(asking) = crew.world.ask(bob, Command::GroupRequests(chat)) else {
        panic!()
    };
    let (request, answer) = (asking[0].number, RequestAnswer::Approve);
    crew.world.ask(bob, Command::GroupAnswer { chat, request, answer });
    crew.world.pass(3 * MINUTE_MS);
    assert_eq!(succeeded(&mut crew.world, carol), 0);
    crew.world.set_online(carol, false);
    crew.world.set_tamper(Some);
    crew.world.set_online(carol, true);
    crew.world.pass(5 * MINUTE_MS);
    assert_without_bob(&mut crew);
}

#[test]
fn a_removed_owner_takes_nobody_along_whose_network_withholds_the_removal() {
    // spec: CLI-187
    let mut crew = crew();
    crew.give(BOB, MemberRole::Owner);
    crew.world.set_online(crew.people[BOB], false);
    // She is online, has read all, and hears nothing of the log from now on.
    let epoch = crew.world.steal(crew.people[CAROL], &crew.channel).epoch;
    crew.world.set_tamper(without_log_of(epoch));
    let (chat, member) = (crew.chats[ALICE], crew.fingerprint(BOB));
    crew.world.ask(crew.people[ALICE], Command::GroupRemove { chat, member });
    crew.world.pass(MINUTE_MS);
    crew.succeed(BOB, &[]).unwrap();
    crew.world.set_online(crew.people[BOB], true);
    crew.world.pass(MINUTE_MS / 2);
    let carol = crew.people[CAROL];
    assert_eq!(succeeded(&mut crew.world, carol), 0);
    crew.world.set_tamper(Some);
    for who in crew.people {
        crew.world.restart(who);
    }
    crew.world.pass(5 * MINUTE_MS);
    assert_without_bob(&mut crew);
}

#[test]
fn who_lost_the_role_before_an_invitation_is_read_leads_to_a_group_like_any_other() {
    // spec: GRP-142
    let mut crew = crew();
    crew.give(BOB, MemberRole::Owner);
    let [alice, bob, carol] = crew.people;
    // All read the offer, and nobody the invitations.
    let is_item = |answer: &Answer| matches!(answer, Answer::InboxItem(_));
    crew.world.set_tamper(move |frame| (!is_item(&frame.answer)).then_some(frame));
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(MINUTE_MS);
    crew.world.set_online(bob, false);
    crew.give(BOB, MemberRole::Member);
    crew.world.pass(MINUTE_MS);
    crew.world.set_tamper(Some);
    crew.world.restart(carol);
    crew.world.pass(2 * MINUTE_MS);
    assert_eq!(succeeded(&mut crew.world, carol), 0);
    let rejected = |event: &Event| matches!(event, Event::Warning(Warning::ItemRejected { .. }));
    assert!(!crew.events(CAROL).iter().any(rejected), "what Bob wrote was honest");
    let chats = crew.world.chats(carol).into_iter().filter(|chat| chat.name == "Crew");
    assert_eq!(chats.count(), 2);
    crew.world.say(alice, crew.chats[ALICE], "still here");
    crew.world.pass(MINUTE_MS);
    assert_eq!(crew.texts(CAROL), ["still here"]);
}

#[test]
fn the_word_of_who_lost_the_role_does_not_bar_that_of_another() {
    // spec: GRP-142, GRP-143
    let mut crew = crew();
    for place in [BOB, CAROL] {
        crew.give(place, MemberRole::Admin);
    }
    // The one whose word would count more.
    let dead = if crew.fingerprint(BOB) < crew.fingerprint(CAROL) { BOB } else { CAROL };
    let honest = BOB + CAROL - dead;
    crew.succeed(dead, &[]).unwrap();
    crew.world.pass(MINUTE_MS);
    crew.world.set_online(crew.people[dead], false);
    crew.give(dead, MemberRole::Member);
    crew.succeed(honest, &[]).unwrap();
    crew.world.pass(2 * MINUTE_MS);
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    crew.world.ask(alice, Command::GroupFollow { chat, by: None });
    crew.world.pass(2 * MINUTE_MS);
    let by = crew.fingerprint(honest);
    let there =
        |event: &Event| matches!(event, Event::GroupSucceeded { by: who, .. } if *who == by);
    assert_eq!(crew.events(ALICE).into_iter().filter(there).count(), 1);
    crew.say(honest, "here");
    crew.world.pass(MINUTE_MS);
    assert_eq!(crew.texts_in_chat(ALICE), ["here"]);
}

#[test]
fn who_gets_stuck_asks_nobody_whose_word_is_over() {
    // spec: CLI-200, CLI-211, GRP-142
    for over in [false, true] {
        let mut crew = crew();
        crew.give(BOB, MemberRole::Admin);
        crew.succeed(BOB, &[]).unwrap();
        crew.world.pass(MINUTE_MS);
        let carol = crew.people[CAROL];
        let told = |event: &Event| matches!(event, Event::SuccessorOffered { .. });
        assert_eq!(crew.events(CAROL).into_iter().filter(told).count(), 1);
        if over {
            crew.give(BOB, MemberRole::Member);
            crew.world.pass(MINUTE_MS);
        }
        get_stuck(&mut crew);
        assert_eq!(succeeded(&mut crew.world, carol), usize::from(!over));
        assert!(!asks(&crew, CAROL), "{over}");
    }
}

#[test]
fn a_removed_owner_takes_nobody_along_who_is_stuck() {
    // spec: CLI-187, CLI-188
    let mut crew = crew();
    remove(&mut crew);
    // She is stuck before she reads of it, and nobody lets her back in for now.
    let (carol, chat) = (crew.people[CAROL], crew.chats[CAROL]);
    crew.world.set_commits_lost(crew.people[ALICE], true);
    crew.world.set_barred(carol, true);
    crew.world.set_online(carol, true);
    crew.world.pass(MINUTE_MS);
    crew.world.set_barred(carol, false);
    form_anew(&mut crew);
    assert_eq!(state(&mut crew.world, carol, chat), ChatState::Stuck);
    assert_eq!(succeeded(&mut crew.world, carol), 0);
    let told = |event: &Event| matches!(event, Event::SuccessorOffered { .. });
    assert_eq!(crew.events(CAROL).into_iter().filter(told).count(), 1);
    // Alice does: she reads of it that he is out.
    crew.world.set_commits_lost(crew.people[ALICE], false);
    crew.world.pass(30 * MINUTE_MS);
    assert_without_bob(&mut crew);
}
