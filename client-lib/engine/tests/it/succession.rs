//! Groups that are formed anew: who does it, who comes along, and who does not.

mod former;
mod left_out;
mod removed;
mod words;

pub(crate) use removed::without_log_of;

use std::collections::BTreeSet;

use hushwire_engine::{
    command::{
        ChatNumber, ChatState, Command, CommandError, GroupEdit, LinkAdmission, MemberRole,
        MessageState, Reply, RequestAnswer, RoleGrant, SecretText,
    },
    event::{Event, Warning},
};
use hushwire_protocol::epoch::EpochKeys;
use hushwire_wire::{
    error::Code,
    id::EntryId,
    message::Answer,
    transcript::{CommitMark, Cut, Operation},
};

use crate::{
    devices::link as link_device,
    doors::house::{house, join, state},
    rejoining::{Crew, crew},
    world::{Who, World},
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

impl Crew {
    fn fingerprint(&mut self, place: usize) -> String {
        fingerprint(&mut self.world, self.people[place])
    }

    fn give(&mut self, place: usize, role: MemberRole) {
        let roles = vec![RoleGrant { member: self.fingerprint(place), role }];
        let change = GroupEdit { roles, ..GroupEdit::default() }.into();
        let chat = self.chats[ALICE];
        self.world.ask(self.people[ALICE], Command::ChangeGroup { chat, change });
        self.world.settle();
    }

    fn succeed(&mut self, place: usize, without: &[usize]) -> Result<Reply, CommandError> {
        let without = without.iter().map(|place| self.fingerprint(*place)).collect();
        let chat = self.chats[place];
        self.world.try_ask(self.people[place], Command::GroupSucceed { chat, without })
    }

    fn role(&mut self, of: usize, by: usize) -> Option<MemberRole> {
        let of = self.fingerprint(of);
        let members = self.members(by);
        members.iter().find(|member| member.fingerprint == of).map(|member| member.role)
    }

    /// Everybody is in the chat as before, and what is said there is heard by all.
    fn assert_together(&mut self, text: &str) {
        for place in [ALICE, BOB, CAROL] {
            assert_eq!(self.state(place), ChatState::Open, "{place}");
            assert_eq!(self.info(place).number, self.chats[place]);
            assert_eq!(self.members(place).len(), 3, "{place}");
        }
        let mut said = BTreeSet::new();
        for place in [ALICE, BOB, CAROL] {
            let text = format!("{text} {place}");
            self.say(place, &text);
            self.world.settle();
            said.insert(text);
        }
        for place in [ALICE, BOB, CAROL] {
            let heard: Vec<String> = self.texts(place);
            let times = |text: &String| heard.iter().filter(|heard| *heard == text).count();
            assert!(said.iter().all(|text| times(text) == 1), "{place} {heard:?}");
        }
    }
}

fn fingerprint(world: &mut World, who: Who) -> String {
    let Reply::Profile(profile) = world.ask(who, Command::Profile) else { panic!() };
    profile.fingerprint
}

fn succeeded(world: &mut World, who: Who) -> usize {
    let events = world.events(who);
    events.iter().filter(|event| matches!(event, Event::GroupSucceeded { .. })).count()
}

fn link_of(reply: Reply) -> SecretText {
    let Reply::GroupLink(link) = reply else { panic!() };
    assert_eq!(link.admission, LinkAdmission::Former);
    link.text
}

#[test]
fn an_owner_forms_the_group_anew_and_all_go_on_in_their_chats() {
    // spec: GRP-140, GRP-142, CLI-200, CLI-201, CLI-202, CLI-203, CLI-204
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    crew.say(CAROL, "before");
    crew.world.settle();
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(60_000);
    crew.assert_together("after");
    for place in [ALICE, BOB, CAROL] {
        assert_eq!(crew.texts(place)[0], "before");
        assert_eq!(succeeded(&mut crew.world, crew.people[place]), 1, "{place}");
        assert!(!crew.world.channels(crew.people[place]).is_empty());
    }
    // Who was what is that again.
    assert_eq!(crew.role(BOB, CAROL), Some(MemberRole::Admin));
    assert_eq!(crew.role(ALICE, CAROL), Some(MemberRole::Owner));
    assert_eq!(crew.role(CAROL, CAROL), Some(MemberRole::Member));
    // The group before is not written to any more; the new one can be formed anew as well.
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(60_000);
    crew.assert_together("once more");
}

#[test]
fn who_is_nobodys_contact_hears_of_it_and_comes_in_by_the_door() {
    // spec: GRP-141, LNK-109, CLI-201
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let dave = house.dave;
    let chat = join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    let laptop = link_device(&mut house.world, dave);
    house.world.pass(60_000);
    house.world.say(dave, chat, "before");
    house.world.settle();
    let (alice, hers) = (house.alice, house.hers);
    let succeed = Command::GroupSucceed { chat: hers, without: Vec::new() };
    house.world.ask(alice, succeed);
    house.world.pass(120_000);
    house.world.say(alice, hers, "after");
    house.world.pass(60_000);
    for (who, chat) in [(dave, chat), (house.bob, house.his)] {
        assert_eq!(house.world.texts(who, chat), ["before", "after"]);
        assert_eq!(succeeded(&mut house.world, who), 1);
    }
    // Another own device goes on in the chat that it had, too.
    let groups: Vec<ChatNumber> = house.world.chats(laptop).iter().map(|it| it.number).collect();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(house.world.texts(laptop, groups[0]), ["before", "after"]);
    assert_eq!(succeeded(&mut house.world, laptop), 1);
    // The relay of the person knows no more than before of who is whose contact.
    let Reply::Contacts(contacts) = house.world.ask(dave, Command::Contacts) else { panic!() };
    assert!(contacts.is_empty());
}

/// Fills the epoch of the group with candidates that nobody can open, while nobody is online.
fn exhaust(world: &mut World, thief: Who, channel: &hushwire_wire::id::ChannelId) {
    let stolen = world.steal(thief, channel);
    let mut seat = world.take_seat(0, &stolen);
    let mut candidates: Vec<EntryId> = Vec::new();
    loop {
        let next = u8::try_from(candidates.len()).unwrap() + 1;
        let keys = EpochKeys::derive(&[next; 32], &[next; 32]);
        let (cut, contested) = (Cut::Cut, candidates.clone());
        let mark = CommitMark { next_key: keys.public_key(), cut, contested };
        match world.push(&mut seat, Operation::Commit(mark), &[7; 256]) {
            Answer::Appended(appended) => candidates.push(appended.entry),
            Answer::Refused(refusal) if refusal.code == Code::CandidatesExhausted => return,
            Answer::Refused(refusal) => {
                assert!(refusal.retry_after_ms > 0, "{refusal:?}");
                world.pass(refusal.retry_after_ms);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn where_no_commit_can_be_stored_any_more_a_note_tells() {
    // spec: GRP-141, CLI-202, CLI-205, CLI-206
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let (alice, bob, dave) = (house.alice, house.bob, house.dave);
    let chat = join(&mut house.world, dave, &link);
    house.world.pass(120_000);
    let channel = house.world.channels(dave)[1];
    for who in [alice, bob, dave] {
        house.world.set_online(who, false);
    }
    exhaust(&mut house.world, dave, &channel);
    for who in [alice, bob, dave] {
        house.world.set_online(who, true);
    }
    house.world.settle();
    house.world.say(dave, chat, "stuck");
    house.world.say(alice, house.hers, "stuck too");
    // Who was away for so long connects a minute later at most.
    house.world.pass(70_000);
    assert_eq!(house.world.texts(bob, house.his), Vec::<String>::new());
    for who in [alice, bob] {
        let full = |event: &Event| matches!(event, Event::Warning(Warning::EpochFull { .. }));
        assert_eq!(house.world.events(who).iter().filter(|event| full(event)).count(), 1);
    }
    let succeed = Command::GroupSucceed { chat: house.hers, without: Vec::new() };
    house.world.ask(alice, succeed);
    house.world.pass(600_000);
    // What waited has gone along.
    let both: BTreeSet<String> = house.world.texts(bob, house.his).into_iter().collect();
    assert_eq!(both, BTreeSet::from(["stuck".to_owned(), "stuck too".to_owned()]));
    assert_eq!(house.world.texts(dave, chat).len(), 2);
    let stored = |state: &MessageState| matches!(state, MessageState::Pending);
    assert!(!house.world.states(dave, chat).iter().any(stored));
}

#[test]
fn who_follows_one_admin_follows_no_other() {
    // spec: CLI-200
    let mut crew = crew();
    for place in [BOB, CAROL] {
        crew.give(place, MemberRole::Admin);
    }
    let [first, second] =
        if crew.fingerprint(BOB) > crew.fingerprint(CAROL) { [BOB, CAROL] } else { [CAROL, BOB] };
    crew.succeed(first, &[]).unwrap();
    crew.world.pass(60_000);
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    crew.world.ask(alice, Command::GroupFollow { chat, by: None });
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, alice), 1);
    // The word of the other one counts more.
    crew.succeed(second, &[]).unwrap();
    crew.world.pass(120_000);
    assert_eq!(succeeded(&mut crew.world, alice), 1);
    let [of_first, of_second] = [first, second].map(|place| crew.fingerprint(place));
    let mut offered = crew.events(ALICE).into_iter().filter_map(|event| match event {
        Event::SuccessorOffered { by, .. } => Some(by),
        _ => None,
    });
    assert_eq!(offered.next_back(), Some(of_second.clone()));
    let follow = Command::GroupFollow { chat, by: Some(of_first) };
    let follow = crew.world.try_ask(alice, follow);
    assert!(matches!(follow, Err(CommandError::NoSuchSuccessor)), "{follow:?}");
    crew.world.ask(alice, Command::GroupFollow { chat, by: Some(of_second) });
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, alice), 2);
}

#[test]
fn an_admins_word_counts_as_an_owners_when_they_are_one() {
    // spec: GRP-142, GRP-143, CLI-200
    let mut crew = crew();
    for place in [BOB, CAROL] {
        crew.give(place, MemberRole::Admin);
    }
    let [first, second] =
        if crew.fingerprint(BOB) > crew.fingerprint(CAROL) { [BOB, CAROL] } else { [CAROL, BOB] };
    // Nobody reads an invitation yet, so that the words in the log decide.
    let is_item = |answer: &Answer| matches!(answer, Answer::InboxItem(_));
    crew.world.set_tamper(move |frame| (!is_item(&frame.answer)).then_some(frame));
    crew.succeed(first, &[]).unwrap();
    crew.world.pass(60_000);
    crew.give(first, MemberRole::Owner);
    let alice = crew.people[ALICE];
    assert!(!removed::asks(&crew, ALICE), "it is judged when there is something new");
    // Among admins the word of the other one would count more.
    crew.succeed(second, &[]).unwrap();
    crew.world.pass(60_000);
    assert!(removed::asks(&crew, ALICE), "an owner is followed");
    crew.world.set_tamper(Some);
    for who in crew.people {
        crew.world.restart(who);
    }
    crew.world.pass(120_000);
    let by = crew.fingerprint(first);
    let there =
        |event: &Event| matches!(event, Event::GroupSucceeded { by: who, .. } if *who == by);
    assert_eq!(crew.events(ALICE).into_iter().filter(there).count(), 1);
    assert_eq!(succeeded(&mut crew.world, alice), 1);
}

#[test]
fn an_admin_is_followed_by_a_word_and_an_owner_without() {
    // spec: CLI-200, GRP-143
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(60_000);
    for place in [ALICE, CAROL] {
        let offered = |event: &Event| matches!(event, Event::SuccessorOffered { .. });
        assert_eq!(crew.events(place).into_iter().filter(offered).count(), 1, "{place}");
        assert_eq!(succeeded(&mut crew.world, crew.people[place]), 0);
        assert_eq!(crew.world.chats(crew.people[place]).len(), 3, "no other chat");
    }
    // The old group goes on for those who stay.
    crew.say(ALICE, "still here");
    crew.world.settle();
    assert_eq!(crew.texts(CAROL), ["still here"]);
    assert_eq!(crew.texts(BOB), ["still here"], "who left it reads on");
    let (carol, hers) = (crew.people[CAROL], crew.chats[CAROL]);
    crew.world.ask(carol, Command::GroupFollow { chat: hers, by: None });
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, carol), 1);
    crew.say(BOB, "new rooms");
    crew.world.settle();
    assert_eq!(crew.texts(CAROL), ["still here", "new rooms"]);
    assert_eq!(crew.texts(ALICE), ["still here"]);
    let again = crew.world.try_ask(carol, Command::GroupFollow { chat: hers, by: None });
    assert!(matches!(again, Err(CommandError::NoSuccessor)), "{again:?}");
    // The owner comes along, is owner again, and Bob is not any more.
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    crew.world.ask(alice, Command::GroupFollow { chat, by: None });
    crew.world.pass(60_000);
    crew.assert_together("all");
    assert_eq!(crew.role(ALICE, CAROL), Some(MemberRole::Owner));
    assert_eq!(crew.role(BOB, CAROL), Some(MemberRole::Admin));
}

#[test]
fn the_other_devices_of_an_admin_go_along() {
    // spec: CLI-200, CLI-201
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    let bob = crew.people[BOB];
    let laptop = link_device(&mut crew.world, bob);
    crew.world.pass(60_000);
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(60_000);
    assert_eq!(succeeded(&mut crew.world, laptop), 1);
    crew.say(BOB, "both of me");
    crew.world.pass(120_000);
    let chat = crew.world.chat(laptop, "Crew").number;
    assert_eq!(crew.world.texts(laptop, chat), ["both of me"]);
    let crews = crew.world.chats(laptop).into_iter().filter(|chat| chat.name == "Crew");
    assert_eq!(crews.count(), 1);
}

#[test]
fn an_owners_word_takes_the_place_of_an_admins() {
    // spec: GRP-143, CLI-203
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(60_000);
    let (carol, hers) = (crew.people[CAROL], crew.chats[CAROL]);
    crew.world.ask(carol, Command::GroupFollow { chat: hers, by: None });
    crew.world.pass(60_000);
    crew.succeed(ALICE, &[]).unwrap();
    crew.world.pass(60_000);
    crew.assert_together("with the owner");
    assert_eq!(crew.role(BOB, CAROL), Some(MemberRole::Admin));
    // An admin's later word moves nobody back.
    crew.succeed(BOB, &[]).unwrap();
    crew.world.pass(60_000);
    assert_eq!(crew.state(ALICE), ChatState::Open);
    crew.say(ALICE, "here");
    crew.world.settle();
    assert_eq!(crew.texts(CAROL).last().unwrap(), "here");
}

#[test]
fn two_owners_at_once_come_together() {
    // spec: GRP-143
    let mut crew = crew();
    crew.give(BOB, MemberRole::Owner);
    for place in [ALICE, BOB] {
        crew.world.set_online(crew.people[place], false);
    }
    crew.succeed(ALICE, &[]).unwrap();
    crew.succeed(BOB, &[]).unwrap();
    for place in [ALICE, BOB] {
        crew.world.set_online(crew.people[place], true);
    }
    crew.world.pass(300_000);
    crew.assert_together("one");
}

#[test]
fn members_form_nothing_anew_and_nobody_leaves_out_who_is_above() {
    // spec: CLI-202
    let mut crew = crew();
    assert!(matches!(crew.succeed(CAROL, &[]), Err(CommandError::NoRight)));
    crew.give(BOB, MemberRole::Admin);
    assert!(matches!(crew.succeed(BOB, &[ALICE]), Err(CommandError::NoRight)));
    assert!(matches!(crew.succeed(ALICE, &[ALICE]), Err(CommandError::NoRight)));
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    let without = vec!["00".repeat(32)];
    let stranger = crew.world.try_ask(alice, Command::GroupSucceed { chat, without });
    assert!(matches!(stranger, Err(CommandError::NoSuchMember)), "{stranger:?}");
    let follow = crew.world.try_ask(alice, Command::GroupFollow { chat, by: None });
    assert!(matches!(follow, Err(CommandError::NoSuccessor)), "{follow:?}");
    let direct = crew.world.chat(alice, "Bob").number;
    let succeed = Command::GroupSucceed { chat: direct, without: Vec::new() };
    let direct = crew.world.try_ask(alice, succeed);
    assert!(matches!(direct, Err(CommandError::WrongChatKind)), "{direct:?}");
}

#[test]
fn what_has_settled_stays_against_a_word_of_the_same_role() {
    // spec: GRP-144
    for (days, moves) in [(0, 1), (2, 0)] {
        let mut crew = crew();
        crew.give(BOB, MemberRole::Owner);
        let lower = if crew.fingerprint(ALICE) < crew.fingerprint(BOB) { ALICE } else { BOB };
        let upper = ALICE + BOB - lower;
        crew.world.set_online(crew.people[lower], false);
        crew.succeed(lower, &[]).unwrap();
        crew.succeed(upper, &[]).unwrap();
        crew.world.pass(days * 24 * 3_600_000 + 60_000);
        crew.world.set_online(crew.people[lower], true);
        crew.world.pass(300_000);
        assert_eq!(succeeded(&mut crew.world, crew.people[CAROL]), 1 + moves, "{days}");
    }
}

#[test]
fn who_came_into_the_old_group_afterwards_is_not_let_into_the_new_one() {
    // spec: LNK-109
    let mut house = house();
    let (bob, dave) = (house.bob, house.dave);
    let succeed = Command::GroupSucceed { chat: house.his, without: Vec::new() };
    let link = link_of(house.world.ask(bob, succeed));
    house.world.pass(60_000);
    // Alice, who does not follow her admin, lets Dave into the old group.
    let open = house.link(LinkAdmission::Open);
    let old = join(&mut house.world, dave, &open);
    house.world.pass(60_000);
    assert_eq!(state(&mut house.world, dave, old), ChatState::Open);
    let chat = join(&mut house.world, dave, &link);
    house.world.pass(120_000);
    assert_ne!(chat, old);
    assert_eq!(state(&mut house.world, dave, chat), ChatState::Asked);
}

#[test]
fn the_link_by_hand_lets_in_who_has_lost_the_group() {
    // spec: CLI-201, CLI-202
    let mut house = house();
    let open = house.link(LinkAdmission::Open);
    let (alice, dave) = (house.alice, house.dave);
    let chat = join(&mut house.world, dave, &open);
    house.world.pass(60_000);
    // He cannot read the group any more when it is formed anew.
    let channel = house.world.channels(dave)[1];
    house.world.set_online(dave, false);
    house.world.damage(dave, &channel, crate::world::past::Damage::Garbled);
    let succeed = Command::GroupSucceed { chat: house.hers, without: Vec::new() };
    let link = link_of(house.world.ask(alice, succeed));
    house.world.pass(60_000);
    house.world.set_online(dave, true);
    house.world.pass(60_000);
    let new = join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    house.world.say(alice, house.hers, "welcome back");
    house.world.settle();
    assert_eq!(house.world.texts(dave, new), ["welcome back"]);
    assert_ne!(new, chat, "of what it cannot read it cannot say that it goes on");
}

#[test]
fn who_leaves_while_it_asks_to_go_along_is_not_brought_back() {
    // spec: CLI-200
    let mut crew = crew();
    let carol = crew.people[CAROL];
    crew.succeed(ALICE, &[CAROL]).unwrap();
    crew.world.pass(60_000);
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    let Reply::GroupRequests(asking) = crew.world.ask(alice, Command::GroupRequests(chat)) else {
        panic!()
    };
    assert!(!asking.is_empty());
    crew.world.ask(carol, Command::GroupLeave(crew.chats[CAROL]));
    crew.world.pass(30_000);
    for request in asking {
        let (request, answer) = (request.number, RequestAnswer::Approve);
        let _gone = crew.world.try_ask(alice, Command::GroupAnswer { chat, request, answer });
    }
    crew.world.pass(120_000);
    let left = crew.world.chats(carol);
    assert!(left.iter().all(|chat| chat.contact.is_some() || chat.state == ChatState::Left));
    let accuses = |event: &Event| matches!(event, Event::Warning(Warning::ItemRejected { .. }));
    assert!(!crew.world.events(carol).iter().any(accuses));
}

#[test]
fn a_device_that_reads_of_the_offer_and_of_leaving_at_once_is_not_brought_back() {
    // spec: LNK-107, CLI-200
    let mut crew = crew();
    let carol = crew.people[CAROL];
    let laptop = link_device(&mut crew.world, carol);
    crew.world.pass(60_000);
    crew.world.set_online(laptop, false);
    crew.succeed(ALICE, &[CAROL]).unwrap();
    crew.world.pass(60_000);
    crew.world.ask(carol, Command::GroupLeave(crew.chats[CAROL]));
    crew.world.pass(30_000);
    crew.world.set_online(laptop, true);
    crew.world.pass(60_000);
    let (alice, chat) = (crew.people[ALICE], crew.chats[ALICE]);
    let Reply::GroupRequests(asking) = crew.world.ask(alice, Command::GroupRequests(chat)) else {
        panic!()
    };
    for request in asking {
        let (request, answer) = (request.number, RequestAnswer::Approve);
        let _gone = crew.world.try_ask(alice, Command::GroupAnswer { chat, request, answer });
    }
    crew.world.pass(120_000);
    for who in [carol, laptop] {
        let left = crew.world.chats(who);
        let is_out = |state| matches!(state, ChatState::Left | ChatState::Removed);
        assert!(left.iter().all(|chat| chat.contact.is_some() || is_out(chat.state)), "{left:?}");
        let accuses = |event: &Event| {
            let Event::Warning(warning) = event else { return false };
            matches!(warning, Warning::ItemRejected { .. } | Warning::InvitationRefused { .. })
        };
        assert!(!crew.world.events(who).iter().any(accuses));
    }
}

#[test]
fn a_warning_names_a_word_that_does_not_count() {
    // spec: GRP-142
    let mut crew = crew();
    crew.give(BOB, MemberRole::Admin);
    let bob = crew.people[BOB];
    // Bob is no admin any more when the others read what he said as one.
    crew.world.set_online(bob, false);
    crew.succeed(BOB, &[]).unwrap();
    crew.give(BOB, MemberRole::Member);
    crew.world.set_online(bob, true);
    crew.world.pass(120_000);
    for place in [ALICE, CAROL] {
        let codes = crew.events(place).into_iter().filter_map(|event| match event {
            Event::Warning(Warning::EntryRejected { code, .. }) => Some(code),
            _ => None,
        });
        assert_eq!(codes.collect::<Vec<_>>(), ["SUCCESSOR_NOT_ALLOWED"], "{place}");
        assert_eq!(succeeded(&mut crew.world, crew.people[place]), 0);
        assert_eq!(crew.state(place), ChatState::Open);
    }
}

#[test]
fn who_forms_it_survives_a_crash_at_each_step() {
    // spec: CLI-010, CLI-202
    for step in 1..12 {
        let mut crew = crew();
        crew.succeed(ALICE, &[]).unwrap();
        crew.world.crash_at(crew.people[ALICE], step);
        crew.world.pass(180_000);
        crew.assert_together(&format!("crash {step}"));
    }
}

#[test]
fn who_follows_survives_a_crash_at_each_step() {
    // spec: CLI-010, CLI-201
    for step in 1..12 {
        let mut crew = crew();
        crew.world.crash_at(crew.people[CAROL], step);
        crew.succeed(ALICE, &[]).unwrap();
        crew.world.pass(180_000);
        crew.assert_together(&format!("crash {step}"));
    }
}
