//! Stories of links of groups: who asks by one, and who lets them in.

mod crowding;
mod guarding;
pub(crate) mod house;
mod keeping;

use hushwire_engine::{
    command::{
        ChatState, Command, CommandError, FailureReason, GroupLinkInfo, GroupLinkTerms,
        LinkAdmission, LinkState, Reply, RequestAnswer, RequestState, SecretText,
    },
    event::Event,
};
use hushwire_wire::{
    error::{Code, Refusal},
    message::Answer,
};

use crate::devices::link as link_device;

use crate::world::World;
use house::*;
#[test]
fn who_has_an_open_link_comes_in_and_becomes_nobodys_contact() {
    // spec: LNK-095, LNK-096, LNK-097, LNK-098, LNK-100, LNK-101, LNK-103, GRP-110, GRP-113
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    assert!(link.expose().len() <= 200);
    assert_eq!(house.links(house.bob).len(), 1, "told to the others");
    assert_eq!(house.links(house.alice)[0].state, LinkState::Active);
    let (dave, alice) = (house.dave, house.alice);
    let chat = join(&mut house.world, dave, &link);
    assert_eq!(state(&mut house.world, dave, chat), ChatState::Asked);
    assert_eq!(house.world.chat(dave, "House").number, chat);
    house.world.pass(60_000);
    assert_eq!(state(&mut house.world, dave, chat), ChatState::Open);
    let devices: Vec<u32> = house.members().iter().map(|member| member.devices).collect();
    assert_eq!(devices, [1, 1, 1]);
    house.world.say(dave, chat, "Hello");
    house.world.say(alice, house.hers, "Welcome");
    house.world.settle();
    assert_eq!(house.world.texts(dave, chat), ["Hello", "Welcome"]);
    assert_eq!(house.world.texts(house.bob, house.his), ["Hello", "Welcome"]);
    assert_eq!((contacts(&mut house.world, dave), contacts(&mut house.world, alice)), (0, 1));
    // By the same link again there is nothing to do.
    let again = house.world.try_ask(dave, Command::GroupJoin { link });
    assert!(matches!(again, Err(CommandError::AlreadyInGroup)), "{again:?}");
}

#[test]
fn a_request_that_needs_a_word_waits_for_it() {
    // spec: LNK-103, LNK-104
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let dave = house.dave;
    let chat = join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(!house.is_in(dave));
    let request = house.requests(house.bob).remove(0);
    assert_eq!((request.name.as_str(), request.state), ("Dave", RequestState::Waiting));
    let asked = |event: &Event| matches!(event, Event::JoinRequested { .. });
    assert_eq!(house.world.events(house.alice).iter().filter(|it| asked(it)).count(), 1);
    house.answer(house.bob, RequestAnswer::Approve);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    assert_eq!(state(&mut house.world, dave, chat), ChatState::Open);
    assert!(house.requests(house.alice).is_empty() && house.requests(house.bob).is_empty());
}

#[test]
fn who_is_declined_hears_of_it_and_comes_in_by_no_open_link() {
    // spec: LNK-102, LNK-104, LNK-105
    let mut house = house();
    let asking = house.link(LinkAdmission::Approval);
    let open = house.link(LinkAdmission::Open);
    let dave = house.dave;
    let chat = join(&mut house.world, dave, &asking);
    house.world.settle();
    house.answer(house.bob, RequestAnswer::Decline);
    house.world.settle();
    assert_eq!(state(&mut house.world, dave, chat), ChatState::NotAdmitted);
    assert_eq!(failures(&mut house.world, dave), [FailureReason::Declined]);
    assert!(house.requests(house.alice).is_empty());
    // For a day nobody is asked again; then a member has to say so, whatever the link.
    join(&mut house.world, dave, &open);
    house.world.pass(60_000);
    assert!(house.requests(house.alice).is_empty() && !house.is_in(dave));
    let chat =
        house.world.chats(dave).iter().find(|it| it.state == ChatState::Asked).unwrap().number;
    house.world.ask(dave, Command::GroupLeave(chat));
    house.world.pass(2 * DAY_MS);
    join(&mut house.world, dave, &open);
    house.world.pass(60_000);
    assert!(!house.is_in(dave));
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
}

#[test]
fn of_two_answers_a_no_ends_the_adding_that_is_under_way() {
    // spec: LNK-104
    let mut house = house();
    let asking = house.link(LinkAdmission::Approval);
    let (alice, dave) = (house.alice, house.dave);
    join(&mut house.world, dave, &asking);
    house.world.settle();
    // Alice cannot get at his key packages for now.
    house.world.set_tamper(|mut frame| {
        if matches!(frame.answer, Answer::KeyPackage { .. }) {
            frame.answer = Answer::Refused(Refusal::from(Code::ShelfEmpty));
        }
        Some(frame)
    });
    let request = house.requests(house.bob).remove(0);
    house.answer(alice, RequestAnswer::Approve);
    let (chat, request, answer) = (request.chat, request.number, RequestAnswer::Decline);
    house.world.ask(house.bob, Command::GroupAnswer { chat, request, answer });
    house.world.pass(30_000);
    house.world.set_tamper(Some);
    house.world.pass(240_000);
    assert!(!house.is_in(dave));
    let Reply::Status(status) = house.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn who_is_let_in_before_the_receipt_for_the_request_comes_waits_for_nothing() {
    // spec: LNK-100
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let dave = house.dave;
    house.world.set_tamper(|frame| match frame.answer {
        Answer::InboxSent { .. } if frame.id.0 > 0 => None,
        _ => Some(frame),
    });
    let chat = join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert_eq!(state(&mut house.world, dave, chat), ChatState::Open);
    house.world.set_tamper(Some);
    house.world.pass(60_000);
    let Reply::Status(status) = house.world.ask(dave, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn a_link_ends_by_its_uses_by_its_time_and_by_being_revoked() {
    // spec: LNK-095, GRP-113
    let mut house = house();
    let (dave, admission) = (house.dave, LinkAdmission::Approval);
    let carol = house.world.person("Carol", 0);
    let terms = GroupLinkTerms { admission, uses: Some(1), expires_in_ms: None };
    let once = house.link_of(house.alice, terms);
    join(&mut house.world, dave, &once);
    house.world.settle();
    join(&mut house.world, carol, &once);
    house.world.settle();
    assert_eq!(failures(&mut house.world, carol), [FailureReason::LinkNotValid]);
    assert_eq!(house.requests(house.alice).len(), 1);
    let terms = GroupLinkTerms { admission, uses: None, expires_in_ms: Some(DAY_MS) };
    let brief = house.link_of(house.bob, terms);
    house.world.pass(2 * DAY_MS);
    join(&mut house.world, carol, &brief);
    house.world.settle();
    assert_eq!(failures(&mut house.world, carol).len(), 2);
    assert_eq!(house.links(house.bob)[1].state, LinkState::Expired);
    // Bob revokes what Alice made; what came by it is over.
    let number = house.links(house.bob)[0].number;
    house.world.ask(house.bob, Command::GroupLinkRevoke { chat: house.his, link: number });
    house.world.settle();
    assert!(house.requests(house.alice).is_empty());
    assert_eq!(house.links(house.alice)[0].state, LinkState::Revoked);
    let answer = fetch(&mut house.world, &once);
    assert!(matches!(answer, Answer::Refused(refusal) if refusal.code == Code::Denied));
    for uses in [0, 1_001] {
        let terms = GroupLinkTerms { admission, uses: Some(uses), expires_in_ms: None };
        let refused =
            house.world.try_ask(house.alice, Command::GroupLinkMake { chat: house.hers, terms });
        assert!(matches!(refused, Err(CommandError::BadUses)));
    }
}

#[test]
fn a_group_has_no_more_links_than_it_may_have() {
    // spec: GRP-113
    let mut house = house();
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    let command = Command::GroupLinkMake { chat: house.hers, terms };
    for _ in 0..32 {
        house.world.ask(house.alice, command.clone());
    }
    let refused = house.world.try_ask(house.alice, command);
    assert!(matches!(refused, Err(CommandError::TooManyLinks)));
}

#[test]
fn two_who_approve_at_once_let_in_once() {
    // spec: LNK-103
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let dave = house.dave;
    join(&mut house.world, dave, &link);
    house.world.settle();
    for who in [house.alice, house.bob] {
        house.world.set_online(who, false);
        house.answer(who, RequestAnswer::Approve);
    }
    for who in [house.alice, house.bob] {
        house.world.set_online(who, true);
    }
    house.world.pass(120_000);
    let devices: Vec<u32> = house.members().iter().map(|member| member.devices).collect();
    assert_eq!(devices, [1, 1, 1]);
    let failed = |event: &Event| matches!(event, Event::GroupChangeFailed { .. });
    for who in [house.alice, house.bob] {
        assert!(!house.world.events(who).iter().any(failed));
    }
}

#[test]
fn two_who_make_a_door_at_once_end_with_one() {
    // spec: GRP-110
    let mut house = house();
    house.world.set_online(house.alice, false);
    house.world.set_online(house.bob, false);
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    for (who, chat) in [(house.alice, house.hers), (house.bob, house.his)] {
        house.world.ask(who, Command::GroupLinkMake { chat, terms });
    }
    house.world.set_online(house.alice, true);
    house.world.set_online(house.bob, true);
    house.world.pass(120_000);
    let usable = |links: Vec<GroupLinkInfo>| -> Vec<String> {
        let usable = links.into_iter().filter(|link| link.state != LinkState::Revoked);
        usable.map(|link| link.text.expose().to_owned()).collect()
    };
    let [hers, his] = [house.alice, house.bob].map(|who| usable(house.links(who)));
    assert_eq!(hers, his);
    assert_eq!(hers.len(), 1);
    let dave = house.dave;
    join(&mut house.world, dave, &SecretText::new(hers[0].clone()));
    house.world.pass(60_000);
    assert!(house.is_in(dave));
}

#[test]
fn all_devices_of_who_asked_come_in() {
    // spec: LNK-100, LNK-108
    let mut house = house();
    let dave = house.dave;
    let second = link_device(&mut house.world, dave);
    house.world.settle();
    let link = house.link(LinkAdmission::Approval);
    join(&mut house.world, dave, &link);
    house.world.settle();
    assert_eq!(house.world.chat(second, "House").state, ChatState::Asked);
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(120_000);
    for device in [dave, second] {
        assert_eq!(house.world.chat(device, "House").state, ChatState::Open);
    }
    let devices: u32 = house.members().iter().map(|member| member.devices).sum();
    assert_eq!(devices, 4);
    let chat = house.world.chat(second, "House").number;
    house.world.say(second, chat, "Both of us");
    house.world.settle();
    assert_eq!(house.world.texts(house.alice, house.hers), ["Both of us"]);
}

#[test]
fn the_other_devices_hear_that_asking_is_over() {
    // spec: LNK-107, LNK-108
    let mut house = house();
    let dave = house.dave;
    let second = link_device(&mut house.world, dave);
    house.world.settle();
    let link = house.link(LinkAdmission::Approval);
    join(&mut house.world, dave, &link);
    house.world.settle();
    let chat = house.world.chat(second, "House").number;
    // Either of them may take it back.
    house.world.ask(second, Command::GroupLeave(chat));
    house.world.settle();
    assert_eq!(house.world.chat(second, "House").state, ChatState::Left);
    assert_eq!(house.world.chat(dave, "House").state, ChatState::NotAdmitted);
    // Who approves now reaches nobody.
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(30 * 60_000);
    assert!(!house.is_in(dave));
}

#[test]
fn a_request_that_nobody_answers_ends() {
    // spec: LNK-107
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let dave = house.dave;
    let chat = join(&mut house.world, dave, &link);
    house.world.pass(31 * DAY_MS);
    assert_eq!(state(&mut house.world, dave, chat), ChatState::NotAdmitted);
    assert_eq!(failures(&mut house.world, dave), [FailureReason::NoAnswer]);
}

#[test]
fn a_link_of_a_group_whose_channel_is_not_there_yet_works_when_it_is() {
    // spec: LNK-095, GRP-110
    let mut world = World::new(1);
    let [alice, dave] = ["Alice", "Dave"].map(|name| world.person(name, 0));
    world.set_online(alice, false);
    let Reply::Chat(chat) = world.ask(alice, Command::GroupNew { name: "House".into() }) else {
        panic!()
    };
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    let make = Command::GroupLinkMake { chat: chat.number, terms };
    let Reply::GroupLink(link) = world.ask(alice, make) else { panic!() };
    world.set_online(alice, true);
    world.pass(30_000);
    let his = join(&mut world, dave, &link.text);
    world.pass(60_000);
    assert_eq!(state(&mut world, dave, his), ChatState::Open);
}

#[test]
fn who_was_approved_and_not_added_when_the_group_went_on_elsewhere_is_not_waited_for() {
    // spec: CLI-203
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let (alice, dave, hers) = (house.alice, house.dave, house.hers);
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    house.world.set_online(alice, false);
    house.answer(alice, RequestAnswer::Approve);
    house.world.ask(alice, Command::GroupSucceed { chat: hers, without: Vec::new() });
    house.world.set_online(alice, true);
    house.world.pass(180_000);
    let Reply::Status(status) = house.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
    let member = fingerprint(&mut house.world, dave);
    let reason = FailureReason::LinkNotValid;
    let failed = Event::AdditionFailed { chat: hers, member, reason };
    assert!(house.world.events(alice).contains(&failed));
    // He asks again, by a link of the group as it is now.
    let link = house.link(LinkAdmission::Open);
    let his = join(&mut house.world, dave, &link);
    house.world.pass(120_000);
    assert_eq!(state(&mut house.world, dave, his), ChatState::Open);
}
