//! Stories of links of groups: who asks by one, and who lets them in.

use std::{cell::RefCell, rc::Rc};

use hushwire_engine::{
    command::{
        ChatNumber, ChatState, Command, CommandError, FailureReason, GroupEdit, GroupLinkInfo,
        GroupLinkTerms, LinkAdmission, LinkState, MemberInfo, MemberRole, Reply, RequestAnswer,
        RequestInfo, RequestState, RoleGrant, SecretText,
    },
    event::{Event, Warning},
};
use hushwire_protocol::{door::DoorCard, link::ContactLink};
use hushwire_wire::{
    error::Code,
    id::CapabilityId,
    message::{Answer, Request},
    transcript,
};

use crate::{
    devices::link as link_device,
    world::{Who, World},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Alice owns a group, and Bob is an admin of it. Dave is a stranger to both.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) alice: Who,
    pub(crate) bob: Who,
    pub(crate) dave: Who,
    pub(crate) hers: ChatNumber,
    pub(crate) his: ChatNumber,
}

pub(crate) fn house() -> House {
    let mut world = World::new(1);
    let [alice, bob, dave] = ["Alice", "Bob", "Dave"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    let Reply::Chat(chat) = world.ask(alice, Command::GroupNew { name: "House".into() }) else {
        panic!()
    };
    world.settle();
    let mut house = House { world, alice, bob, dave, hers: chat.number, his: chat.number };
    house.add(bob);
    house.his = house.world.chat(bob, "House").number;
    house.promote(bob);
    house
}

impl House {
    /// Alice adds somebody who is her contact.
    fn add(&mut self, who: Who) {
        let of = fingerprint(&mut self.world, who);
        let Reply::Contacts(contacts) = self.world.ask(self.alice, Command::Contacts) else {
            panic!()
        };
        let contact = contacts.iter().find(|contact| contact.fingerprint == of).unwrap().number;
        self.world.ask(self.alice, Command::GroupAdd { chat: self.hers, contact });
        self.world.pass(60_000);
    }

    fn promote(&mut self, who: Who) {
        let member = fingerprint(&mut self.world, who);
        let roles = vec![RoleGrant { member, role: MemberRole::Admin }];
        self.edit(GroupEdit { roles, ..GroupEdit::default() });
    }

    fn remove(&mut self, who: Who) {
        let remove = vec![fingerprint(&mut self.world, who)];
        self.edit(GroupEdit { remove, ..GroupEdit::default() });
    }

    fn edit(&mut self, edit: GroupEdit) {
        let change = edit.into();
        self.world.ask(self.alice, Command::ChangeGroup { chat: self.hers, change });
        self.world.settle();
    }

    pub(crate) fn link(&mut self, admission: LinkAdmission) -> SecretText {
        self.link_of(self.alice, GroupLinkTerms { admission, uses: None, expires_in_ms: None })
    }

    fn link_of(&mut self, who: Who, terms: GroupLinkTerms) -> SecretText {
        let chat = if who == self.alice { self.hers } else { self.his };
        let Reply::GroupLink(link) = self.world.ask(who, Command::GroupLinkMake { chat, terms })
        else {
            panic!()
        };
        self.world.settle();
        link.text
    }

    fn links(&mut self, who: Who) -> Vec<GroupLinkInfo> {
        let chat = if who == self.alice { self.hers } else { self.his };
        let Reply::GroupLinks(links) = self.world.ask(who, Command::GroupLinks(chat)) else {
            panic!()
        };
        links
    }

    fn requests(&mut self, who: Who) -> Vec<RequestInfo> {
        let chat = if who == self.alice { self.hers } else { self.his };
        let Reply::GroupRequests(all) = self.world.ask(who, Command::GroupRequests(chat)) else {
            panic!()
        };
        all
    }

    fn answer(&mut self, who: Who, answer: RequestAnswer) {
        let request = self.requests(who).remove(0);
        let (chat, request) = (request.chat, request.number);
        self.world.ask(who, Command::GroupAnswer { chat, request, answer });
    }

    fn members(&mut self) -> Vec<MemberInfo> {
        let Reply::Members(members) = self.world.ask(self.alice, Command::GroupMembers(self.hers))
        else {
            panic!()
        };
        members
    }

    fn is_in(&mut self, who: Who) -> bool {
        let of = fingerprint(&mut self.world, who);
        self.members().iter().any(|member| member.fingerprint == of)
    }
}

fn fingerprint(world: &mut World, who: Who) -> String {
    let Reply::Profile(profile) = world.ask(who, Command::Profile) else { panic!() };
    profile.fingerprint
}

pub(crate) fn join(world: &mut World, who: Who, link: &SecretText) -> ChatNumber {
    let Reply::Chat(chat) = world.ask(who, Command::GroupJoin { link: link.clone() }) else {
        panic!()
    };
    chat.number
}

fn state(world: &mut World, who: Who, chat: ChatNumber) -> ChatState {
    world.chats(who).into_iter().find(|one| one.number == chat).unwrap().state
}

fn failures(world: &mut World, who: Who) -> Vec<FailureReason> {
    let events = world.events(who).into_iter();
    events
        .filter_map(|event| match event {
            Event::JoinFailed { reason, .. } => Some(reason),
            _ => None,
        })
        .collect()
}

fn contacts(world: &mut World, who: Who) -> usize {
    let Reply::Contacts(contacts) = world.ask(who, Command::Contacts) else { panic!() };
    contacts.len()
}

/// What a device says of the inbox that a link leads to.
fn fetch(world: &mut World, link: &SecretText) -> Answer {
    let link = ContactLink::parse(link.expose()).unwrap();
    let secret = link.secret.capability();
    world.ask_relay(0, Request::CardFetch { inbox: link.inbox, secret })
}

fn capability(link: &SecretText) -> CapabilityId {
    let link = ContactLink::parse(link.expose()).unwrap();
    transcript::capability_id(&link.secret.capability())
}

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
fn a_removal_gives_the_door_keys_that_the_removed_do_not_know() {
    // spec: GRP-111, LNK-096
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let (dave, bob) = (house.dave, house.bob);
    house.world.settle();
    let stolen = house.world.door_keys(bob);
    let Answer::Card { card: before, .. } = fetch(&mut house.world, &link) else { panic!() };
    house.remove(bob);
    house.world.pass(120_000);
    assert!(house.world.has_no_door(bob), "he keeps nothing of it");
    // The relay lets nobody in by the old key.
    assert!(matches!(
        house.world.open_door(&stolen),
        Answer::Refused(refusal) if refusal.code == Code::Denied
    ));
    // The link is as it was, and its card names another key.
    let Answer::Card { card, .. } = fetch(&mut house.world, &link) else { panic!() };
    assert_ne!(card, before);
    let parsed = ContactLink::parse(link.expose()).unwrap();
    let open = |card: &[u8]| {
        let key = parsed.secret.card_key();
        let capability = capability(&link);
        DoorCard::open(&key, &parsed.inbox, &capability, &parsed.identity, card)
    };
    let (old, new) = (open(&before).unwrap().into_terms(), open(&card).unwrap().into_terms());
    assert_ne!(old.inbox_key, new.inbox_key);
    assert_eq!(stolen.inbox_key().public().unwrap(), old.inbox_key);
    join(&mut house.world, dave, &link);
    house.world.settle();
    assert_eq!(house.requests(house.alice).len(), 1);
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
}

#[test]
fn who_was_removed_is_let_in_by_a_word_only() {
    // spec: LNK-102
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let bob = house.bob;
    house.remove(bob);
    house.world.pass(120_000);
    let chat = join(&mut house.world, bob, &link);
    assert_eq!(chat, house.his, "it is the chat that he knows");
    house.world.pass(60_000);
    assert!(!house.is_in(bob));
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    assert!(house.is_in(bob));
    assert_eq!(state(&mut house.world, bob, chat), ChatState::Open);
    assert_eq!(house.world.chats(bob).iter().filter(|it| it.name == "House").count(), 1);
}

#[test]
fn who_was_removed_before_there_was_a_door_is_remembered_too() {
    // spec: LNK-102, GRP-112
    let mut house = house();
    let (bob, alice) = (house.bob, house.alice);
    house.remove(bob);
    house.world.settle();
    let carol = house.world.person("Carol", 0);
    house.world.befriend(alice, carol);
    house.add(carol);
    house.promote(carol);
    let link = house.link(LinkAdmission::Open);
    house.world.set_online(alice, false);
    let chat = join(&mut house.world, bob, &link);
    house.world.pass(60_000);
    assert_eq!(state(&mut house.world, bob, chat), ChatState::Asked);
}

#[test]
fn who_came_by_a_link_and_was_removed_is_added_as_a_contact() {
    // spec: LNK-101
    let mut house = house();
    let (alice, dave) = (house.alice, house.dave);
    let link = house.link(LinkAdmission::Open);
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    house.remove(dave);
    house.world.pass(40 * DAY_MS);
    house.world.befriend(alice, dave);
    house.add(dave);
    assert!(house.is_in(dave));
}

#[test]
fn a_door_that_somebody_shut_is_replaced_by_another() {
    // spec: GRP-114
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let stolen = house.world.door_keys(house.bob);
    house.world.shut_door(&stolen);
    house.world.pass(30 * 60_000);
    let warned = house
        .world
        .events(house.alice)
        .into_iter()
        .any(|event| matches!(event, Event::Warning(Warning::DoorDenied { .. })));
    assert!(warned);
    let fresh = house.link(LinkAdmission::Open);
    house.world.settle();
    let states: Vec<LinkState> =
        house.links(house.bob).into_iter().map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Revoked, LinkState::Active]);
    let dave = house.dave;
    join(&mut house.world, dave, &fresh);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    drop(link);
}

#[test]
fn with_who_made_a_link_goes_the_link() {
    // spec: GRP-113
    let mut house = house();
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    let link = house.link_of(house.bob, terms);
    house.remove(house.bob);
    house.world.pass(120_000);
    assert_eq!(house.links(house.alice)[0].state, LinkState::Revoked);
    let answer = fetch(&mut house.world, &link);
    assert!(matches!(answer, Answer::Refused(refusal) if refusal.code == Code::Denied));
    let dave = house.dave;
    join(&mut house.world, dave, &link);
    house.world.settle();
    assert_eq!(failures(&mut house.world, dave), [FailureReason::LinkNotValid]);
}

#[test]
fn who_comes_in_later_keeps_the_door_as_well() {
    // spec: GRP-112
    let mut house = house();
    let asking = house.link(LinkAdmission::Approval);
    let gone = house.link(LinkAdmission::Open);
    let number = house.links(house.alice)[1].number;
    house.world.ask(house.alice, Command::GroupLinkRevoke { chat: house.hers, link: number });
    house.world.settle();
    let carol = house.world.person("Carol", 0);
    house.world.befriend(house.alice, carol);
    house.add(carol);
    house.promote(carol);
    house.world.settle();
    for who in [house.alice, house.bob] {
        house.world.set_online(who, false);
    }
    let dave = house.dave;
    join(&mut house.world, dave, &asking);
    house.world.settle();
    let chat = house.world.chat(carol, "House").number;
    let Reply::GroupRequests(requests) = house.world.ask(carol, Command::GroupRequests(chat))
    else {
        panic!()
    };
    let request = requests[0].number;
    let answer = RequestAnswer::Approve;
    house.world.ask(carol, Command::GroupAnswer { chat, request, answer });
    house.world.pass(60_000);
    for who in [house.alice, house.bob] {
        house.world.set_online(who, true);
    }
    house.world.settle();
    assert!(house.is_in(dave));
    // And she knows only the links that can be used.
    let Reply::GroupLinks(links) = house.world.ask(carol, Command::GroupLinks(chat)) else {
        panic!()
    };
    assert_eq!(links.len(), 1);
    assert_ne!(links[0].text, gone);
}

#[test]
fn plain_members_keep_no_door() {
    // spec: GRP-110, GRP-112
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let (dave, alice) = (house.dave, house.alice);
    join(&mut house.world, dave, &link);
    house.world.settle();
    house.answer(alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    let chat = house.world.chat(dave, "House").number;
    let terms = GroupLinkTerms { admission: LinkAdmission::Open, uses: None, expires_in_ms: None };
    let refused = house.world.try_ask(dave, Command::GroupLinkMake { chat, terms });
    assert!(matches!(refused, Err(CommandError::NoRight)));
    // What he says of the door all the same counts nothing.
    let before = house.world.door_keys(alice);
    house.world.claim_door(dave, chat);
    house.world.settle();
    assert_eq!(house.world.door_keys(alice), before);
    // An admin's word does.
    house.promote(dave);
    house.world.claim_door(dave, chat);
    house.world.settle();
    assert_ne!(house.world.door_keys(alice), before);
}

#[test]
fn what_the_relay_says_of_the_link_opens_nothing() {
    // spec: LNK-099
    let mut house = house();
    let asking = house.link(LinkAdmission::Approval);
    let open = house.link(LinkAdmission::Open);
    let (from, to) = (capability(&asking), capability(&open));
    house.world.set_tamper(move |mut frame| {
        if let Answer::InboxItem(item) = &mut frame.answer
            && item.capability == from
        {
            item.capability = to;
        }
        Some(frame)
    });
    let dave = house.dave;
    join(&mut house.world, dave, &asking);
    house.world.pass(60_000);
    assert!(!house.is_in(dave));
    assert_eq!(house.requests(house.alice).len(), 1);
}

#[test]
fn a_card_of_before_a_rotation_still_leads_in() {
    // spec: GRP-111
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let Answer::Card { card: before, .. } = fetch(&mut house.world, &link) else { panic!() };
    house.remove(house.bob);
    house.world.pass(120_000);
    house.world.set_tamper(move |mut frame| {
        if let Answer::Card { card, .. } = &mut frame.answer
            && card.len() == before.len()
        {
            *card = before.clone();
        }
        Some(frame)
    });
    let dave = house.dave;
    join(&mut house.world, dave, &link);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
}

#[test]
fn a_request_that_comes_again_changes_nothing() {
    // spec: LNK-098, LNK-106
    let mut house = house();
    let link = house.link(LinkAdmission::Approval);
    let seen = Rc::new(RefCell::new(None));
    let (noted, by) = (Rc::clone(&seen), capability(&link));
    house.world.set_tamper(move |frame| {
        if let Answer::InboxItem(item) = &frame.answer
            && item.capability == by
        {
            *noted.borrow_mut() = Some(item.item.clone());
        }
        Some(frame)
    });
    let dave = house.dave;
    join(&mut house.world, dave, &link);
    house.world.settle();
    house.answer(house.alice, RequestAnswer::Approve);
    house.world.pass(60_000);
    house.remove(dave);
    house.world.pass(120_000);
    let item = seen.borrow().clone().unwrap();
    let parsed = ContactLink::parse(link.expose()).unwrap();
    let asked = |world: &mut World, who| {
        let events = world.events(who).into_iter();
        events.filter(|event| matches!(event, Event::JoinRequested { .. })).count()
    };
    let before = asked(&mut house.world, house.alice);
    let secret = parsed.secret.capability();
    // The relay has forgotten that it had it.
    house.world.pass(100 * DAY_MS);
    house.world.ask_relay(0, Request::InboxSend { inbox: parsed.inbox, secret, item });
    house.world.settle();
    assert_eq!(asked(&mut house.world, house.alice), before);
    assert!(house.requests(house.alice).is_empty());
}

#[test]
fn a_flood_by_one_link_leaves_the_others_open() {
    // spec: LNK-098, LNK-105, LNK-106
    let mut house = house();
    let flooded = house.link(LinkAdmission::Approval);
    let open = house.link(LinkAdmission::Open);
    let parsed = ContactLink::parse(flooded.expose()).unwrap();
    let Answer::Card { card, .. } = fetch(&mut house.world, &flooded) else { panic!() };
    let key = parsed.secret.card_key();
    let terms = DoorCard::open(&key, &parsed.inbox, &capability(&flooded), &parsed.identity, &card);
    let terms = terms.unwrap().into_terms();
    for _ in 0..100 {
        house.world.ask_at_door(&parsed, &terms.inbox_key);
    }
    house.world.settle();
    for garbage in [&b"x"[..], b"not sealed", &[0; 2048]] {
        let (inbox, secret) = (parsed.inbox, parsed.secret.capability());
        let item = bytes::Bytes::copy_from_slice(garbage);
        house.world.ask_relay(0, Request::InboxSend { inbox, secret, item });
    }
    house.world.settle();
    assert_eq!(house.requests(house.alice).len(), 64);
    let dave = house.dave;
    join(&mut house.world, dave, &open);
    house.world.pass(60_000);
    assert!(house.is_in(dave));
    let warned = house.world.events(house.alice).into_iter().any(|event| {
        matches!(event, Event::Warning(Warning::ItemRejected { code }) if code == "REQUEST_NOT_VALID")
    });
    assert!(warned);
    // With the link goes the flood, and the door is empty.
    let number = house.links(house.alice)[0].number;
    house.world.ask(house.alice, Command::GroupLinkRevoke { chat: house.hers, link: number });
    house.world.pass(60_000);
    assert!(house.requests(house.alice).is_empty());
    assert_eq!(house.world.items_at(&parsed.inbox), 0);
}

#[test]
fn who_asks_survives_a_crash_at_each_step() {
    // spec: LNK-097
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    for step in 1..=12 {
        let who = house.world.person(&format!("Asker {step}"), 0);
        house.world.crash_at(who, step);
        let chat = join(&mut house.world, who, &link);
        house.world.pass(120_000);
        assert_eq!(state(&mut house.world, who, chat), ChatState::Open, "{step}");
    }
    let devices: Vec<u32> = house.members().iter().map(|member| member.devices).collect();
    assert_eq!(devices, [1; 14]);
}

#[test]
fn who_lets_in_survives_a_crash_at_each_step() {
    // spec: LNK-103, LNK-106
    let mut house = house();
    house.world.set_online(house.bob, false);
    let link = house.link(LinkAdmission::Open);
    let alice = house.alice;
    for step in 1..=14 {
        let who = house.world.person(&format!("Asker {step}"), 0);
        house.world.crash_at(alice, step);
        let chat = join(&mut house.world, who, &link);
        house.world.pass(120_000);
        assert_eq!(state(&mut house.world, who, chat), ChatState::Open, "{step}");
    }
    let devices: Vec<u32> = house.members().iter().map(|member| member.devices).collect();
    assert_eq!(devices, [1; 16]);
}

#[test]
fn a_rotation_survives_a_crash_at_each_step() {
    // spec: GRP-111
    for step in [1, 2, 3, 4, 5, 6, 8, 10] {
        let mut house = house();
        let link = house.link(LinkAdmission::Open);
        let stolen = house.world.door_keys(house.bob);
        house.world.crash_at(house.alice, step);
        house.remove(house.bob);
        house.world.pass(180_000);
        assert!(matches!(house.world.open_door(&stolen), Answer::Refused(_)), "{step}");
        let dave = house.dave;
        join(&mut house.world, dave, &link);
        house.world.pass(60_000);
        assert!(house.is_in(dave), "{step}");
    }
}

#[test]
fn links_of_other_kinds_are_named() {
    // spec: LNK-011
    let mut house = house();
    let link = house.link(LinkAdmission::Open);
    let dave = house.dave;
    let refused = house.world.try_ask(dave, Command::AddContact { link });
    assert!(matches!(refused, Err(CommandError::GroupLink)));
    let link = house.world.link(dave, hushwire_engine::command::LinkUse::Single);
    let refused = house.world.try_ask(house.alice, Command::GroupJoin { link });
    assert!(matches!(refused, Err(CommandError::NotAGroupLink)));
}
