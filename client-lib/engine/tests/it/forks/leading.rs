//! Who was brought in behind a fork, and whose inviter leaves: until when that binds it.

use hushwire_wire::id::EpochId;

use super::{
    newcomers::{
        branches, bring, chat_of, hears, lose_state_of, returns_of, say_left, told, with_role,
    },
    *,
};
use hushwire_engine::command::MemberRole;

const DAY_MS: u64 = 24 * HOUR_MS;

#[test]
fn who_gets_stuck_while_it_is_led_loses_nothing_of_what_it_said() {
    // spec: CLI-185
    let mut parted = 0;
    for mut crew in branches() {
        let (owner, member) = (crew.people[OWNER], crew.people[MEMBER]);
        let dave = bring(&mut crew, "Dave");
        let chat = crew.world.chat(dave, "Crew").number;
        crew.world.say(dave, chat, "said in the branch");
        crew.world.pass(60_000);
        crew.world.set_online(owner, true);
        for _ in 0..14 * 60 * 6 {
            if told(&mut crew, dave) > 0 {
                break;
            }
            crew.world.pass(10_000);
        }
        if !refused(&mut crew, OWNER) {
            continue;
        }
        parted += 1;
        assert_eq!(told(&mut crew, dave), 1);
        // What it has of the group is lost before its inviter is back to invite it.
        lose_state_of(&mut crew, dave, member);
        crew.world.pass(14 * HOUR_MS);
        assert_eq!(chat_of(&mut crew, dave), ChatState::Open);
        assert_eq!(hears(&mut crew, owner, "said in the branch"), 1);
    }
    assert!(parted > 0);
}

#[test]
fn a_word_of_leaving_that_nothing_follows_binds_nobody_for_ever() {
    // spec: CLI-185, CLI-217
    let mut crew = with_role(crew(), MemberRole::Admin);
    let dave = bring(&mut crew, "Dave");
    let erin = bring(&mut crew, "Erin");
    crew.world.befriend(erin, dave);
    say_left(&mut crew, MEMBER, EpochId::from_bytes([7; 32]));
    assert_eq!([dave, erin].map(|who| told(&mut crew, who)), [1; 2]);
    let others = crew.people;
    others.into_iter().for_each(|who| crew.world.set_online(who, false));
    // Dave gets stuck in an epoch that Erin watches no more when she hears of it.
    crew.world.set_online(erin, false);
    let channel = crew.channel;
    crew.world.damage(dave, &channel, Damage::Lost);
    crew.world.restart(dave);
    crew.world.pass(60_000);
    crew.world.set_online(dave, false);
    crew.world.set_online(erin, true);
    crew.world.ask(erin, Command::RefreshKeys);
    for _ in 0..3 {
        crew.world.pass(DAY_MS);
    }
    crew.world.set_online(dave, true);
    crew.world.pass(DAY_MS);
    assert_eq!(returns_of(&mut crew, dave), 0);
    for _ in 0..31 {
        crew.world.pass(DAY_MS);
    }
    let chat = crew.world.chat(dave, "Crew").number;
    crew.world.ask(dave, Command::Rejoin(chat));
    crew.world.pass(DAY_MS);
    assert_eq!(returns_of(&mut crew, dave), 1);
}
