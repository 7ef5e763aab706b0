//! Who was brought in behind a fork: it was never in the epoch where the others parted.

use hushwire_engine::command::{GroupEdit, MemberRole, Reply, RoleGrant};
use hushwire_protocol::content::{ControlEntry, ControlKind};
use hushwire_wire::id::EpochId;

use super::*;
use crate::{devices::link, world::Who};

const DAY_MS: u64 = 24 * HOUR_MS;

/// The same crew, but that the member has this role.
pub(super) fn with_role(mut crew: Crew, role: MemberRole) -> Crew {
    let member = crew.members(OWNER).into_iter().find(|it| it.name == "Carol").unwrap().fingerprint;
    let roles = vec![RoleGrant { member, role }];
    let change = GroupEdit { roles, ..GroupEdit::default() }.into();
    let chat = crew.chats[OWNER];
    crew.world.ask(crew.people[OWNER], Command::ChangeGroup { chat, change });
    crew.world.pass(10_000);
    crew
}

/// Worlds in which the member goes on behind the insider's commit while the owner is away.
pub(super) fn branches() -> impl Iterator<Item = Crew> {
    (0..2 * HALF_SEAL_WORLDS).filter_map(|number| {
        let mut crew = with_role(crew_of(number), MemberRole::Admin);
        crew.world.set_online(crew.people[OWNER], false);
        part(&mut crew);
        crew.world.pass(60_000);
        (!refused(&mut crew, MEMBER)).then_some(crew)
    })
}

/// Somebody whom the member adds.
pub(super) fn bring(crew: &mut Crew, name: &str) -> Who {
    let newcomer = crew.world.person(name, 0);
    let member = crew.people[MEMBER];
    crew.world.befriend(member, newcomer);
    let Reply::Contacts(contacts) = crew.world.ask(member, Command::Contacts) else { panic!() };
    let contact = contacts.into_iter().find(|contact| contact.name == name).unwrap().number;
    crew.world.ask(member, Command::GroupAdd { chat: crew.chats[MEMBER], contact });
    crew.world.pass(60_000);
    newcomer
}

pub(super) fn chat_of(crew: &mut Crew, who: Who) -> ChatState {
    crew.world.chat(who, "Crew").state
}

pub(super) fn hears(crew: &mut Crew, who: Who, text: &str) -> usize {
    let chat = crew.world.chat(who, "Crew").number;
    crew.world.texts(who, chat).iter().filter(|heard| *heard == text).count()
}

/// How often somebody came back to a group.
pub(super) fn returns_of(crew: &mut Crew, who: Who) -> usize {
    let back = |event: &Event| matches!(event, Event::GroupRejoined { chat: Some(_), .. });
    crew.world.events(who).iter().filter(|event| back(event)).count()
}

#[test]
fn who_was_brought_in_behind_a_fork_comes_along_with_who_brought_it() {
    // spec: CLI-184, CLI-185, CLI-186
    let mut parted = 0;
    for mut crew in branches() {
        let (owner, member) = (crew.people[OWNER], crew.people[MEMBER]);
        let laptop = link(&mut crew.world, member);
        let dave = bring(&mut crew, "Dave");
        let chat = crew.world.chat(dave, "Crew").number;
        crew.world.say(dave, chat, "said in the branch");
        crew.world.pass(60_000);
        crew.world.set_online(owner, true);
        crew.world.pass(14 * HOUR_MS);
        let all = [owner, member, laptop, dave];
        let epochs = all.map(|who| crew.world.steal(who, &crew.channel.clone()).epoch);
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]));
        for (from, text) in [(dave, "from Dave"), (owner, "from the owner"), (laptop, "from her")] {
            let chat = crew.world.chat(from, "Crew").number;
            crew.world.say(from, chat, text);
            crew.world.pass(1_000);
            assert_eq!(all.map(|who| hears(&mut crew, who, text)), [1; 4], "{text}");
        }
        if refused(&mut crew, OWNER) {
            parted += 1;
            assert_eq!(hears(&mut crew, owner, "said in the branch"), 1);
        }
    }
    assert!(parted > 0);
}

/// Says in somebody's name that it leaves for others, who parted from it in this epoch.
pub(super) fn say_left(crew: &mut Crew, place: usize, epoch: EpochId) {
    let payload = epoch.as_bytes().to_vec();
    let entry = ControlEntry { kind: ControlKind::BranchLeft, payload };
    let who = crew.people[place];
    crew.world.tell_in_group(who, &crew.channel.clone(), vec![entry]);
    crew.world.pass(10_000);
}

fn inviter_left(event: &Event) -> bool {
    matches!(event, Event::Warning(Warning::InviterLeft { .. }))
}

pub(super) fn told(crew: &mut Crew, who: Who) -> usize {
    crew.world.events(who).iter().filter(|event| inviter_left(event)).count()
}

#[test]
fn only_who_invited_a_device_leads_it_and_only_for_a_time() {
    // spec: CLI-185
    let elsewhere = EpochId::from_bytes([7; 32]);
    let mut crew = with_role(crew(), MemberRole::Admin);
    let [dave, erin, frank] = ["Dave", "Erin", "Frank"].map(|name| bring(&mut crew, name));
    say_left(&mut crew, INSIDER, elsewhere);
    assert_eq!([dave, erin, frank].map(|who| told(&mut crew, who)), [0; 3]);
    // Of an epoch that it knows itself it hears there.
    let here = crew.world.steal(dave, &crew.channel.clone()).epoch;
    say_left(&mut crew, MEMBER, here);
    // Whoever may add nobody any more.
    crew = with_role(crew, MemberRole::Member);
    say_left(&mut crew, MEMBER, elsewhere);
    assert_eq!([dave, erin, frank].map(|who| told(&mut crew, who)), [0; 3]);
    crew = with_role(crew, MemberRole::Admin);
    crew.world.set_online(erin, false);
    say_left(&mut crew, MEMBER, elsewhere);
    assert_eq!([dave, frank].map(|who| told(&mut crew, who)), [1; 2]);
    // It is told, and goes on where it is.
    assert_eq!(chat_of(&mut crew, dave), ChatState::Open);
    let chat = crew.world.chat(dave, "Crew").number;
    crew.world.say(dave, chat, "still there");
    crew.world.pass(1_000);
    assert_eq!(hears(&mut crew, frank, "still there"), 1);
    // Who hears of it after a month is no newcomer any more.
    for _ in 0..31 {
        crew.world.pass(DAY_MS);
    }
    crew.world.set_online(erin, true);
    crew.world.pass(60_000);
    assert_eq!(told(&mut crew, erin), 0);
}

#[test]
fn who_was_led_to_a_branch_that_is_left_brings_nobody_back_there() {
    // spec: CLI-185, CLI-199, CLI-217
    let elsewhere = EpochId::from_bytes([7; 32]);
    let mut crew = with_role(crew(), MemberRole::Admin);
    let dave = bring(&mut crew, "Dave");
    for place in [OWNER, INSIDER] {
        crew.world.set_online(crew.people[place], false);
    }
    lose_state(&mut crew, dave);
    crew.world.pass(5 * 60_000);
    assert_eq!(crew.returns(MEMBER), 1, "an own newcomer answers");
    say_left(&mut crew, MEMBER, elsewhere);
    assert_eq!(told(&mut crew, dave), 1);
    lose_state(&mut crew, dave);
    crew.world.pass(HOUR_MS);
    assert_eq!(crew.returns(MEMBER), 1);
    crew.world.set_online(crew.people[OWNER], true);
    crew.world.pass(2 * HOUR_MS);
    assert_eq!(crew.returns(MEMBER), 2, "the owner does");
}

/// The member's state of the group is gone, and it finds that with what this one says.
fn lose_state(crew: &mut Crew, who: Who) {
    let member = crew.people[MEMBER];
    lose_state_of(crew, member, who);
}

pub(super) fn lose_state_of(crew: &mut Crew, loser: Who, who: Who) {
    crew.world.damage(loser, &crew.channel.clone(), Damage::Lost);
    let chat = crew.world.chat(who, "Crew").number;
    crew.world.say(who, chat, "is somebody there?");
}

#[test]
fn who_was_led_answers_later_who_asks_from_where_it_is() {
    // spec: CLI-217
    let mut crew = with_role(crew(), MemberRole::Admin);
    let dave = bring(&mut crew, "Dave");
    let owner = crew.people[OWNER];
    crew.world.befriend(owner, dave);
    say_left(&mut crew, MEMBER, EpochId::from_bytes([7; 32]));
    assert_eq!(told(&mut crew, dave), 1);
    for place in [INSIDER, MEMBER] {
        crew.world.set_online(crew.people[place], false);
    }
    lose_state_of(&mut crew, owner, dave);
    crew.world.pass(58 * 60_000);
    assert_eq!(crew.causes(OWNER), [StuckCause::StateDamaged]);
    assert_eq!(crew.returns(OWNER), 0, "the inviter has an hour to come back");
    crew.world.pass(2 * HOUR_MS);
    assert_eq!(crew.returns(OWNER), 1);
    let chat = crew.world.chat(dave, "Crew").number;
    crew.world.say(dave, chat, "welcome back");
    crew.world.pass(1_000);
    assert_eq!(hears(&mut crew, owner, "welcome back"), 1);
}

#[test]
fn who_was_led_never_answers_who_asks_from_elsewhere() {
    // spec: CLI-217
    let mut crew = with_role(crew(), MemberRole::Admin);
    let dave = bring(&mut crew, "Dave");
    let owner = crew.people[OWNER];
    crew.world.befriend(owner, dave);
    crew.world.set_online(owner, false);
    crew.world.ask(crew.people[MEMBER], Command::RefreshKeys);
    crew.world.pass(60_000);
    say_left(&mut crew, MEMBER, EpochId::from_bytes([7; 32]));
    assert_eq!(told(&mut crew, dave), 1);
    for place in [INSIDER, MEMBER] {
        crew.world.set_online(crew.people[place], false);
    }
    // Dave watches no more where the owner still is.
    for _ in 0..3 {
        crew.world.pass(10 * HOUR_MS);
    }
    crew.world.damage(owner, &crew.channel.clone(), Damage::Lost);
    crew.world.set_online(owner, true);
    crew.world.pass(4 * HOUR_MS);
    assert_eq!((chat_of(&mut crew, owner), crew.returns(OWNER)), (ChatState::Stuck, 0));
    crew.world.set_online(crew.people[INSIDER], true);
    crew.world.pass(5 * HOUR_MS);
    assert_eq!(crew.returns(OWNER), 1, "others do");
}

#[test]
fn who_was_led_still_is_when_others_add_it_again() {
    // spec: CLI-218
    let elsewhere = EpochId::from_bytes([7; 32]);
    let mut crew = with_role(crew(), MemberRole::Admin);
    let dave = bring(&mut crew, "Dave");
    let owner = crew.people[OWNER];
    crew.world.befriend(owner, dave);
    say_left(&mut crew, MEMBER, elsewhere);
    assert_eq!(told(&mut crew, dave), 1);
    crew.world.set_online(crew.people[MEMBER], false);
    lose_state_of(&mut crew, dave, owner);
    crew.world.pass(5 * 60_000);
    assert_eq!(returns_of(&mut crew, dave), 1);
    crew.world.set_online(crew.people[MEMBER], true);
    crew.world.pass(60_000);
    for place in [OWNER, INSIDER] {
        crew.world.set_online(crew.people[place], false);
    }
    lose_state(&mut crew, dave);
    crew.world.pass(3 * HOUR_MS);
    assert_eq!(crew.causes(MEMBER), [StuckCause::StateDamaged]);
    assert_eq!(crew.returns(MEMBER), 0, "who has left is not brought back");
}
