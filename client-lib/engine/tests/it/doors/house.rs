//! A group with links: who is in it, who asks, and what is done with links and requests.

use hushwire_engine::{
    command::{
        ChatNumber, ChatState, Command, FailureReason, GroupEdit, GroupLinkInfo, GroupLinkTerms,
        LinkAdmission, MemberInfo, MemberRole, Reply, RequestAnswer, RequestInfo, RoleGrant,
        SecretText,
    },
    event::Event,
};
use hushwire_protocol::link::ContactLink;
use hushwire_wire::{
    id::CapabilityId,
    message::{Answer, Request},
    transcript,
};

use crate::world::{Who, World};

pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

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
    pub(crate) fn add(&mut self, who: Who) {
        let of = fingerprint(&mut self.world, who);
        let Reply::Contacts(contacts) = self.world.ask(self.alice, Command::Contacts) else {
            panic!()
        };
        let contact = contacts.iter().find(|contact| contact.fingerprint == of).unwrap().number;
        self.world.ask(self.alice, Command::GroupAdd { chat: self.hers, contact });
        self.world.pass(60_000);
    }

    pub(crate) fn promote(&mut self, who: Who) {
        let member = fingerprint(&mut self.world, who);
        let roles = vec![RoleGrant { member, role: MemberRole::Admin }];
        self.edit(GroupEdit { roles, ..GroupEdit::default() });
    }

    pub(crate) fn remove(&mut self, who: Who) {
        let remove = vec![fingerprint(&mut self.world, who)];
        self.edit(GroupEdit { remove, ..GroupEdit::default() });
    }

    pub(crate) fn edit(&mut self, edit: GroupEdit) {
        let change = edit.into();
        self.world.ask(self.alice, Command::ChangeGroup { chat: self.hers, change });
        self.world.settle();
    }

    pub(crate) fn link(&mut self, admission: LinkAdmission) -> SecretText {
        self.link_of(self.alice, GroupLinkTerms { admission, uses: None, expires_in_ms: None })
    }

    pub(crate) fn link_of(&mut self, who: Who, terms: GroupLinkTerms) -> SecretText {
        let chat = if who == self.alice { self.hers } else { self.his };
        let Reply::GroupLink(link) = self.world.ask(who, Command::GroupLinkMake { chat, terms })
        else {
            panic!()
        };
        self.world.settle();
        link.text
    }

    pub(crate) fn links(&mut self, who: Who) -> Vec<GroupLinkInfo> {
        let chat = if who == self.alice { self.hers } else { self.his };
        let Reply::GroupLinks(links) = self.world.ask(who, Command::GroupLinks(chat)) else {
            panic!()
        };
        links
    }

    pub(crate) fn requests(&mut self, who: Who) -> Vec<RequestInfo> {
        let chat = if who == self.alice { self.hers } else { self.his };
        let Reply::GroupRequests(all) = self.world.ask(who, Command::GroupRequests(chat)) else {
            panic!()
        };
        all
    }

    pub(crate) fn answer(&mut self, who: Who, answer: RequestAnswer) {
        let request = self.requests(who).remove(0);
        let (chat, request) = (request.chat, request.number);
        self.world.ask(who, Command::GroupAnswer { chat, request, answer });
    }

    pub(crate) fn members(&mut self) -> Vec<MemberInfo> {
        let Reply::Members(members) = self.world.ask(self.alice, Command::GroupMembers(self.hers))
        else {
            panic!()
        };
        members
    }

    pub(crate) fn is_in(&mut self, who: Who) -> bool {
        let of = fingerprint(&mut self.world, who);
        self.members().iter().any(|member| member.fingerprint == of)
    }
}

pub(crate) fn fingerprint(world: &mut World, who: Who) -> String {
    let Reply::Profile(profile) = world.ask(who, Command::Profile) else { panic!() };
    profile.fingerprint
}

pub(crate) fn join(world: &mut World, who: Who, link: &SecretText) -> ChatNumber {
    let Reply::Chat(chat) = world.ask(who, Command::GroupJoin { link: link.clone() }) else {
        panic!()
    };
    chat.number
}

pub(crate) fn state(world: &mut World, who: Who, chat: ChatNumber) -> ChatState {
    world.chats(who).into_iter().find(|one| one.number == chat).unwrap().state
}

pub(crate) fn failures(world: &mut World, who: Who) -> Vec<FailureReason> {
    let events = world.events(who).into_iter();
    events
        .filter_map(|event| match event {
            Event::JoinFailed { reason, .. } => Some(reason),
            _ => None,
        })
        .collect()
}

pub(crate) fn contacts(world: &mut World, who: Who) -> usize {
    let Reply::Contacts(contacts) = world.ask(who, Command::Contacts) else { panic!() };
    contacts.len()
}

/// What a device says of the inbox that a link leads to.
pub(crate) fn fetch(world: &mut World, link: &SecretText) -> Answer {
    let link = ContactLink::parse(link.expose()).unwrap();
    let secret = link.secret.capability();
    world.ask_relay(0, Request::CardFetch { inbox: link.inbox, secret })
}

pub(crate) fn capability(link: &SecretText) -> CapabilityId {
    let link = ContactLink::parse(link.expose()).unwrap();
    transcript::capability_id(&link.secret.capability())
}
