//! Stories of groups whose members do not all have the same rights.

use hushwire_engine::{
    command::{
        ChatNumber, ChatState, Command, CommandError, FailureReason, GroupChange, GroupEdit,
        GroupInfo, GroupRight, MemberInfo, MemberRole, Mentioned, MessageNumber, MessageState,
        PictureChange, Pinned, Reply, RightGrant, RoleGrant,
    },
    event::{Event, GroupPart, InvitationRefusal, Warning},
};
use hushwire_protocol::{
    content::{Content, ControlMessage, MessageId, Pin, Pinning, Salt, TextFormat},
    invitation::InboxContent,
};
use hushwire_wire::id::ChannelId;

use crate::{
    devices::link,
    invitations::{invitation, send},
    world::{Who, World},
};

/// Alice owns a group; Bob is an admin, Carol a member.
struct Crew {
    world: World,
    alice: Who,
    bob: Who,
    carol: Who,
    hers: ChatNumber,
    his: ChatNumber,
    carols: ChatNumber,
    channel: ChannelId,
    of_bob: String,
    of_carol: String,
}

fn crew() -> Crew {
    let mut world = World::new(1);
    let [alice, bob, carol] = ["Alice", "Bob", "Carol"].map(|name| world.person(name, 0));
    world.befriend(alice, bob);
    world.befriend(alice, carol);
    let before = world.channels(alice);
    let Reply::Chat(chat) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
        panic!()
    };
    let channel = world.channels(alice).into_iter().find(|id| !before.contains(id)).unwrap();
    let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
    for contact in &contacts {
        world.ask(alice, Command::GroupAdd { chat: chat.number, contact: contact.number });
    }
    world.pass(60_000);
    let of = |name| contacts.iter().find(|one| one.name == name).unwrap().fingerprint.clone();
    let [of_bob, of_carol] = ["Bob", "Carol"].map(of);
    let (his, carols) = (world.chat(bob, "Crew").number, world.chat(carol, "Crew").number);
    let mut crew = Crew {
        world,
        alice,
        bob,
        carol,
        hers: chat.number,
        his,
        carols,
        channel,
        of_bob,
        of_carol,
    };
    let admin = crew.grant(crew.of_bob.clone(), MemberRole::Admin);
    crew.edit(alice, admin);
    crew.world.settle();
    crew
}

impl Crew {
    fn chat_of(&self, who: Who) -> ChatNumber {
        [(self.alice, self.hers), (self.bob, self.his), (self.carol, self.carols)]
            .into_iter()
            .find_map(|(one, chat)| (one == who).then_some(chat))
            .unwrap()
    }

    fn grant(&self, member: String, role: MemberRole) -> GroupEdit {
        GroupEdit { roles: vec![RoleGrant { member, role }], ..GroupEdit::default() }
    }

    fn try_change(&mut self, who: Who, change: GroupChange) -> Result<Reply, CommandError> {
        let chat = self.chat_of(who);
        self.world.try_ask(who, Command::ChangeGroup { chat, change })
    }

    fn edit(&mut self, who: Who, edit: GroupEdit) {
        assert_eq!(self.try_change(who, edit.into()), Ok(Reply::Done));
    }

    fn info(&mut self, who: Who) -> GroupInfo {
        let chat = self.chat_of(who);
        let Reply::Group(info) = self.world.ask(who, Command::GroupInfo(chat)) else { panic!() };
        info
    }

    fn members(&mut self, who: Who) -> Vec<MemberInfo> {
        let command = Command::GroupMembers(self.chat_of(who));
        let Reply::Members(members) = self.world.ask(who, command) else { panic!() };
        members
    }

    fn failures(&mut self, who: Who) -> Vec<FailureReason> {
        let reason = |event| match event {
            Event::GroupChangeFailed { reason, .. } => Some(reason),
            _ => None,
        };
        self.world.events(who).into_iter().filter_map(reason).collect()
    }

    fn rejected(&mut self, who: Who) -> Vec<String> {
        let code = |event| match event {
            Event::Warning(Warning::EntryRejected { code, .. }) => Some(code),
            _ => None,
        };
        self.world.events(who).into_iter().filter_map(code).collect()
    }

    fn try_say(&mut self, who: Who, text: &str) -> Result<Reply, CommandError> {
        let chat = self.chat_of(who);
        self.world.try_ask(who, Command::SendText { chat, text: text.to_owned() })
    }

    fn pin(&mut self, who: Who, message: u64, pinned: Pinned) -> Result<Reply, CommandError> {
        let chat = self.chat_of(who);
        let message = MessageNumber(message);
        self.world.try_ask(who, Command::SetPinned { chat, message, pinned })
    }

    fn pinned(&mut self, who: Who) -> Vec<u64> {
        let pinned = self.world.chat(who, "Crew").pinned;
        let chat = self.chat_of(who);
        let all = self.world.messages(who, chat).into_iter();
        let marked: Vec<_> =
            all.filter(|one| one.pinned == Pinned::Yes).map(|one| one.number).collect();
        let mut sorted = pinned.clone();
        sorted.sort_unstable();
        assert_eq!(marked, sorted);
        pinned.into_iter().map(|message| message.0).collect()
    }
}

fn named(name: &str) -> GroupEdit {
    GroupEdit { name: Some(name.to_owned()), ..GroupEdit::default() }
}

pub(crate) fn granted(right: GroupRight, least: MemberRole) -> GroupEdit {
    GroupEdit { rights: vec![RightGrant { right, least }], ..GroupEdit::default() }
}

fn announcements() -> GroupEdit {
    granted(GroupRight::Write, MemberRole::Admin)
}

#[test]
fn all_see_what_a_group_is_and_who_changed_it() {
    // spec: CLI-152, CLI-154
    let mut crew = crew();
    let picture = b"\x89PNG\r\n\x1a\n picture".to_vec();
    let edit = GroupEdit {
        description: Some("on Sundays\nat ten".into()),
        picture: Some(PictureChange::Set(picture.clone())),
        ..named("Walks")
    };
    crew.edit(crew.bob, edit);
    crew.world.settle();
    for who in [crew.alice, crew.bob, crew.carol] {
        let info = crew.info(who);
        assert_eq!((&info.name[..], &info.description[..]), ("Walks", "on Sundays\nat ten"));
        let shown = info.picture.unwrap();
        assert_eq!((&shown.media_type[..], &shown.bytes), ("image/png", &picture));
        assert!(info.rights.len() == GroupRight::ALL.len());
        assert_eq!(crew.world.chat(who, "Walks").number, info.chat);
        let changed = vec![GroupPart::Name, GroupPart::Description, GroupPart::Picture];
        let (chat, by, members) = (info.chat, crew.of_bob.clone(), vec![]);
        let event = Event::GroupChanged { chat, by, changed, members };
        assert!(crew.world.events(who).contains(&event));
    }
    crew.edit(crew.bob, GroupEdit { picture: Some(PictureChange::Remove), ..GroupEdit::default() });
    crew.world.settle();
    assert_eq!(crew.info(crew.carol).picture, None);
    let roles: Vec<_> = crew.members(crew.carol).into_iter().map(|one| one.role).collect();
    for role in [MemberRole::Owner, MemberRole::Admin, MemberRole::Member] {
        assert_eq!(roles.iter().filter(|one| **one == role).count(), 1);
    }
}

#[test]
fn what_a_person_may_not_do_is_refused_before_anything_is_stored() {
    // spec: CLI-150
    let mut crew = crew();
    let (bob, carol) = (crew.bob, crew.carol);
    let too_long = GroupEdit { description: Some("x".repeat(4_097)), ..GroupEdit::default() };
    let picture = |bytes: &[u8]| GroupEdit {
        picture: Some(PictureChange::Set(bytes.to_vec())),
        ..GroupEdit::default()
    };
    let gone = GroupEdit { remove: vec!["00".repeat(32)], ..GroupEdit::default() };
    let mine = crew.grant(crew.of_carol.clone(), MemberRole::Admin);
    let owner = crew.grant(crew.of_bob.clone(), MemberRole::Owner);
    let cases = [
        (carol, GroupChange::from(named("Mine")), CommandError::NoRight),
        (carol, mine.into(), CommandError::NoRight),
        (carol, announcements().into(), CommandError::NoRight),
        (bob, announcements().into(), CommandError::NoRight),
        (bob, owner.into(), CommandError::NoRight),
        (bob, GroupChange::Dissolve, CommandError::NoRight),
        (bob, gone.into(), CommandError::NoSuchMember),
        (bob, named("a\u{202e}b").into(), CommandError::BadText),
        (bob, too_long.into(), CommandError::BadText),
        (bob, picture(b"<html>").into(), CommandError::BadPicture),
        (bob, picture(&[0xff, 0xd8, 0xff].repeat(3_000)).into(), CommandError::BadPicture),
    ];
    for (who, change, error) in cases {
        assert_eq!(crew.try_change(who, change), Err(error));
    }
    let alice = crew.members(crew.alice).into_iter().find(|one| one.name == "Alice").unwrap();
    let down = crew.grant(alice.fingerprint, MemberRole::Member);
    assert_eq!(crew.try_change(crew.alice, down.into()), Err(CommandError::LastOwner));
    let mention = Command::MentionAll { chat: crew.his, text: "all!".into() };
    crew.edit(crew.alice, granted(GroupRight::MentionAll, MemberRole::Owner));
    crew.edit(crew.alice, announcements());
    crew.world.settle();
    assert_eq!(crew.world.try_ask(bob, mention), Err(CommandError::NoRight));
    assert_eq!(crew.try_say(carol, "hello"), Err(CommandError::NoRight));
    let (chat, path) = (crew.carols, "/a".to_owned());
    let file = Command::SendFile { chat, path, media_type: "a/b".into() };
    assert_eq!(crew.world.try_ask(carol, file), Err(CommandError::NoRight));
    assert!(crew.world.messages(carol, crew.carols).is_empty());
    let Reply::Status(status) = crew.world.ask(carol, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}

#[test]
fn two_admins_who_rename_at_once_end_with_one_name() {
    // spec: CLI-152
    let mut crew = crew();
    for who in [crew.alice, crew.bob] {
        crew.world.set_online(who, false);
    }
    crew.edit(crew.alice, named("Walks"));
    crew.edit(crew.bob, named("Climbs"));
    for who in [crew.alice, crew.bob] {
        crew.world.set_online(who, true);
    }
    crew.world.pass(120_000);
    let names = [crew.alice, crew.bob, crew.carol].map(|who| crew.info(who).name);
    assert!(names.iter().all(|name| *name == names[0] && name != "Crew"), "{names:?}");
    assert!(crew.failures(crew.alice).is_empty() && crew.failures(crew.bob).is_empty());
    // The same wish of two is dropped by the second: it is true already.
    for who in [crew.alice, crew.bob] {
        crew.world.set_online(who, false);
    }
    crew.edit(crew.alice, named("Both"));
    crew.edit(crew.bob, named("Both"));
    for who in [crew.alice, crew.bob] {
        crew.world.set_online(who, true);
    }
    crew.world.pass(120_000);
    let told = |event: &Event| match event {
        Event::GroupChanged { changed, .. } => changed.contains(&GroupPart::Name),
        _ => false,
    };
    let times = crew.world.events(crew.carol).iter().filter(|event| told(event)).count();
    assert_eq!((crew.info(crew.carol).name.as_str(), times), ("Both", 3));
}

#[test]
fn a_wish_whose_right_is_lost_fails_with_its_reason() {
    // spec: CLI-152
    let mut crew = crew();
    crew.world.set_online(crew.bob, false);
    crew.edit(crew.bob, named("Climbs"));
    crew.pin(crew.bob, 1, Pinned::Yes).unwrap_err();
    let down = crew.grant(crew.of_bob.clone(), MemberRole::Member);
    crew.edit(crew.alice, down);
    crew.world.settle();
    crew.world.set_online(crew.bob, true);
    crew.world.pass(60_000);
    assert_eq!(crew.failures(crew.bob), [FailureReason::NoRight]);
    assert_eq!(crew.info(crew.bob).name, "Crew");
    // A role for somebody who has gone meanwhile.
    crew.world.set_online(crew.alice, false);
    let up = crew.grant(crew.of_carol.clone(), MemberRole::Admin);
    crew.edit(crew.alice, up);
    crew.world.ask(crew.carol, Command::GroupLeave(crew.carols));
    crew.world.pass(60_000);
    crew.world.set_online(crew.alice, true);
    crew.world.pass(60_000);
    assert_eq!(crew.failures(crew.alice), [FailureReason::NoSuchMember]);
}

#[test]
fn what_waits_when_the_right_to_write_is_lost_fails() {
    // spec: CLI-151
    let mut crew = crew();
    crew.world.set_online(crew.carol, false);
    crew.try_say(crew.carol, "waits").unwrap();
    crew.edit(crew.alice, announcements());
    crew.world.settle();
    crew.world.set_online(crew.carol, true);
    crew.world.pass(60_000);
    let failed = MessageState::Failed(FailureReason::NoRight);
    assert_eq!(crew.world.states(crew.carol, crew.carols), [failed]);
    let (chat, message) = (crew.carols, MessageNumber(1));
    let retry = crew.world.try_ask(crew.carol, Command::Retry { chat, message });
    assert_eq!(retry, Err(CommandError::NoRight));
    // Admins write, receipts of the others come.
    crew.try_say(crew.bob, "news").unwrap();
    crew.world.pass(60_000);
    assert_eq!(crew.world.texts(crew.carol, crew.carols), ["waits", "news"]);
    let delivered = MessageState::Delivered { people: 2, of: 2 };
    assert_eq!(crew.world.states(crew.bob, crew.his), [delivered]);
    // The right comes back.
    crew.edit(crew.alice, granted(GroupRight::Write, MemberRole::Member));
    crew.world.settle();
    crew.world.ask(crew.carol, Command::Retry { chat, message });
    crew.world.settle();
    assert_eq!(crew.world.texts(crew.alice, crew.hers), ["news", "waits"]);
    assert!(crew.rejected(crew.alice).is_empty());
}

#[test]
fn what_a_changed_client_says_without_the_right_is_passed_over() {
    // spec: GRP-082, GRP-083, GRP-084
    let mut crew = crew();
    crew.try_say(crew.alice, "rules").unwrap();
    crew.edit(crew.alice, granted(GroupRight::MentionAll, MemberRole::Admin));
    crew.edit(crew.alice, announcements());
    crew.world.pass(60_000);
    let salt = |byte| Salt::from_bytes([byte; 16]);
    let text = |byte| Content::text(salt(byte), TextFormat::Plain, "psst");
    let message = MessageId::from_slice(&[1; 32]).unwrap();
    let pin = Pin { message, pinning: Pinning::Pinned }.to_entry();
    let control = ControlMessage::new(vec![pin]).unwrap();
    let reaction = Content::reaction(salt(4), message, "!").mentioning_all();
    let refused = [text(1), Content::control(salt(2), &control), reaction];
    for (count, content) in (1..).zip(refused) {
        crew.world.smuggle(crew.carol, &crew.channel, &content);
        crew.world.settle();
        for who in [crew.alice, crew.bob] {
            assert_eq!(crew.rejected(who), vec!["NoRight"; count], "{who:?}");
            assert_eq!(crew.world.messages(who, crew.chat_of(who)).len(), 1);
        }
    }
    // The group goes on, and an admin's same words are taken.
    crew.world.smuggle(crew.bob, &crew.channel, &text(5).mentioning_all());
    crew.world.settle();
    assert_eq!(crew.world.texts(crew.alice, crew.hers), ["rules", "psst"]);
}

#[test]
fn everybody_is_mentioned_by_who_may() {
    // spec: CNT-044
    let mut crew = crew();
    crew.world.ask(crew.carol, Command::MentionAll { chat: crew.carols, text: "hey".into() });
    crew.try_say(crew.carol, "you").unwrap();
    crew.world.settle();
    for who in [crew.alice, crew.bob, crew.carol] {
        let chat = crew.chat_of(who);
        let mentioned: Vec<_> =
            crew.world.messages(who, chat).into_iter().map(|one| one.mentioned).collect();
        assert_eq!(mentioned, [Mentioned::All, Mentioned::Nobody]);
        let event = Event::EverybodyMentioned { chat, message: MessageNumber(1) };
        assert_eq!(crew.world.events(who).contains(&event), who != crew.carol);
    }
}

#[test]
fn all_see_the_same_messages_pinned() {
    // spec: CNT-043
    let mut crew = crew();
    for text in ["one", "two", "three"] {
        crew.try_say(crew.carol, text).unwrap();
        crew.world.settle();
    }
    assert_eq!(crew.pin(crew.carol, 1, Pinned::Yes), Err(CommandError::NoRight));
    for message in [2, 1] {
        crew.pin(crew.alice, message, Pinned::Yes).unwrap();
        crew.world.settle();
    }
    for who in [crew.alice, crew.bob, crew.carol] {
        assert_eq!(crew.pinned(who), [2, 1]);
        let (chat, message, by) = (crew.chat_of(who), MessageNumber(2), String::new());
        let pinned = crew.world.events(who).into_iter().find_map(|event| match event {
            Event::MessagePinned { chat, message, .. } => {
                Some(Event::MessagePinned { chat, message, by: by.clone() })
            }
            _ => None,
        });
        assert_eq!(pinned, Some(Event::MessagePinned { chat, message, by: by.clone() }));
    }
    // Two who cross end with the same: what counts is the order of the log.
    for round in 0..6 {
        let (one, other) =
            if round % 2 == 0 { (crew.alice, crew.bob) } else { (crew.bob, crew.alice) };
        for who in [one, other] {
            crew.world.set_online(who, false);
        }
        crew.pin(one, 3, Pinned::Yes).unwrap();
        crew.pin(one, 2, Pinned::No).unwrap();
        crew.pin(other, 1, Pinned::No).unwrap();
        crew.pin(other, 3, Pinned::No).unwrap();
        crew.world.set_online(other, true);
        crew.world.set_online(one, true);
        crew.world.pass(60_000);
        let of_all = [crew.alice, crew.bob, crew.carol].map(|who| crew.pinned(who));
        assert!(of_all.iter().all(|pinned| *pinned == of_all[0]), "{of_all:?}");
    }
    let pending = crew.try_say(crew.alice, "four").map(|_| ());
    assert_eq!(pending, Ok(()));
    let Reply::Status(status) = crew.world.ask(crew.alice, Command::Status) else { panic!() };
    assert!(status.waiting < 2);
}

#[test]
fn what_has_not_gone_out_cannot_be_pinned() {
    // spec: CNT-043
    let mut crew = crew();
    crew.world.set_online(crew.alice, false);
    crew.try_say(crew.alice, "waits").unwrap();
    assert_eq!(crew.pin(crew.alice, 1, Pinned::Yes), Err(CommandError::NotApplicable));
    assert_eq!(crew.pin(crew.alice, 2, Pinned::Yes), Err(CommandError::NoSuchMessage));
}

#[test]
fn rights_change_and_several_go_in_one_commit() {
    // spec: CLI-152
    let mut crew = crew();
    let epochs = crew.info_of_epoch();
    let edit = GroupEdit {
        remove: vec![crew.of_bob.clone(), crew.of_carol.clone()],
        ..granted(GroupRight::Add, MemberRole::Owner)
    };
    crew.edit(crew.alice, edit);
    crew.world.settle();
    for (who, name) in [(crew.bob, "Crew"), (crew.carol, "Crew")] {
        assert_eq!(crew.world.chat(who, name).state, ChatState::Removed);
    }
    let add = crew.info(crew.alice).rights[0];
    assert_eq!((add.right, add.least), (GroupRight::Add, MemberRole::Owner));
    let removed: Vec<Vec<String>> = crew
        .world
        .events(crew.alice)
        .into_iter()
        .filter_map(|event| match event {
            Event::MembersRemoved { members, .. } => Some(members),
            _ => None,
        })
        .collect();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].len(), 2);
    assert_eq!(crew.info_of_epoch(), epochs + 1);
}

impl Crew {
    /// How many epochs the group has had, as Alice's device has seen them.
    fn info_of_epoch(&mut self) -> u64 {
        self.world.epoch_number(self.alice, &self.channel)
    }
}

#[test]
fn the_last_owner_hands_over_and_leaves() {
    // spec: GRP-044
    let mut crew = crew();
    let leave = Command::GroupLeave(crew.hers);
    assert_eq!(crew.world.try_ask(crew.alice, leave.clone()), Err(CommandError::LastOwner));
    let heir = crew.grant(crew.of_bob.clone(), MemberRole::Owner);
    crew.edit(crew.alice, heir);
    crew.world.settle();
    crew.world.ask(crew.alice, leave);
    crew.world.pass(60_000);
    assert_eq!(crew.world.chat(crew.alice, "Crew").state, ChatState::Left);
    let owners = crew.members(crew.carol).into_iter().filter(|it| it.role == MemberRole::Owner);
    assert_eq!(owners.map(|it| it.fingerprint).collect::<Vec<_>>(), [crew.of_bob.clone()]);
}

#[test]
fn of_two_owners_who_leave_at_once_one_stays_and_is_told() {
    // spec: GRP-044
    let mut crew = crew();
    let second = crew.grant(crew.of_bob.clone(), MemberRole::Owner);
    crew.edit(crew.alice, second);
    crew.world.settle();
    for who in [crew.alice, crew.bob] {
        crew.world.set_online(who, false);
        let chat = crew.chat_of(who);
        crew.world.ask(who, Command::GroupLeave(chat));
    }
    for who in [crew.alice, crew.bob] {
        crew.world.set_online(who, true);
    }
    crew.world.pass(240_000);
    let states = [crew.alice, crew.bob].map(|who| crew.world.chat(who, "Crew").state);
    let failures = [crew.alice, crew.bob].map(|who| crew.failures(who));
    let stays = usize::from(states[0] == ChatState::Left);
    assert_eq!((states[stays], states[1 - stays]), (ChatState::Open, ChatState::Left));
    assert_eq!(failures[stays], [FailureReason::LastOwner]);
    assert!(failures[1 - stays].is_empty());
    let owner = crew.members(crew.carol).into_iter().any(|it| it.role == MemberRole::Owner);
    assert!(owner);
}

#[test]
fn a_dissolved_group_is_over_for_all_and_its_history_stays() {
    // spec: CLI-153
    let mut crew = crew();
    crew.try_say(crew.alice, "farewell").unwrap();
    crew.world.settle();
    crew.world.set_online(crew.carol, false);
    crew.try_say(crew.carol, "wait").unwrap();
    crew.world.set_online(crew.bob, false);
    crew.edit(crew.bob, named("Climbs"));
    assert_eq!(crew.try_change(crew.alice, GroupChange::Dissolve), Ok(Reply::Done));
    crew.world.settle();
    for who in [crew.bob, crew.carol] {
        crew.world.set_online(who, true);
    }
    crew.world.pass(60_000);
    let by = crew.info_by();
    for who in [crew.alice, crew.bob, crew.carol] {
        let chat = crew.chat_of(who);
        assert_eq!(crew.world.chat(who, "Crew").state, ChatState::Dissolved);
        assert!(crew.world.events(who).contains(&Event::GroupDissolved { chat, by: by.clone() }));
        assert_eq!(crew.world.texts(who, chat)[0], "farewell");
        assert_eq!(crew.try_say(who, "more"), Err(CommandError::ChatClosed));
        let Reply::Status(status) = crew.world.ask(who, Command::Status) else { panic!() };
        assert_eq!(status.waiting, 0);
    }
    assert_eq!(crew.failures(crew.bob), [FailureReason::Dissolved]);
    assert!(crew.failures(crew.alice).is_empty());
    let failed = MessageState::Failed(FailureReason::Dissolved);
    assert_eq!(crew.world.states(crew.carol, crew.carols)[1], failed);
    // Nobody takes it up again, not even who ended it.
    let (alice, carol, channel) = (crew.alice, crew.carol, crew.channel);
    let again = invitation(&mut crew.world, alice, alice, channel);
    send(&mut crew.world, alice, carol, InboxContent::Invitation(Box::new(again)));
    let refused =
        Event::Warning(Warning::InvitationRefused { reason: InvitationRefusal::Dissolved });
    assert!(crew.world.events(carol).contains(&refused));
}

impl Crew {
    fn info_by(&mut self) -> String {
        let Reply::Profile(profile) = self.world.ask(self.alice, Command::Profile) else {
            panic!()
        };
        profile.fingerprint
    }
}

#[test]
fn a_person_leaves_with_all_devices() {
    // spec: GRP-049
    let mut crew = crew();
    let laptop = link(&mut crew.world, crew.carol);
    crew.world.pass(60_000);
    let lap = crew.world.chat(laptop, "Crew").number;
    let devices = |crew: &mut Crew| {
        let members = crew.members(crew.alice);
        members.iter().find(|it| it.name == "Carol").map(|it| it.devices)
    };
    assert_eq!(devices(&mut crew), Some(2));
    crew.world.ask(laptop, Command::GroupLeave(lap));
    crew.world.pass(60_000);
    assert_eq!(devices(&mut crew), None);
    for who in [crew.carol, laptop] {
        assert_eq!(crew.world.chat(who, "Crew").state, ChatState::Left);
        let Reply::Status(status) = crew.world.ask(who, Command::Status) else { panic!() };
        assert_eq!(status.waiting, 0);
    }
    let gone = |event: &Event| match event {
        Event::MembersRemoved { members, .. } => members.contains(&crew.of_carol),
        _ => false,
    };
    assert_eq!(crew.world.events(crew.alice).iter().filter(|event| gone(event)).count(), 1);
    // Who is alone with a second device takes that along, too.
    let Reply::Chat(own) = crew.world.ask(laptop, Command::GroupNew { name: "Alone".into() })
    else {
        panic!()
    };
    crew.world.pass(60_000);
    assert_eq!(crew.world.chat(crew.carol, "Alone").state, ChatState::Open);
    crew.world.ask(laptop, Command::GroupLeave(own.number));
    crew.world.pass(60_000);
    for who in [crew.carol, laptop] {
        assert_eq!(crew.world.chat(who, "Alone").state, ChatState::Left);
    }
}
