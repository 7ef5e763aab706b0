//! Many people at once: one commit, one snapshot, an invitation for each.

use hushwire_engine::{
    command::{ChatNumber, ChatState, Command, CommandError, ContactNumber, Reply},
    event::{Event, InvitationRefusal},
};
use hushwire_protocol::{
    attachment::BlobSeal,
    encoding::Writer,
    group::{GroupSnapshot, UnverifiedKeyPackage},
    invitation::{
        GroupAddress, InboxContent, Invitation, Purpose, SnapshotBlob, SnapshotPlace, SuiteCode,
    },
    provider::Suite,
};
use hushwire_wire::{
    error::{Code, Refusal},
    frame::AnswerFrame,
    id::{BlobId, ChannelId, EpochId},
    message::Answer,
};

use crate::invitations::refusals;
use crate::world::{Who, World};

/// People whose snapshots together are more than one item holds.
const MANY: usize = 12;

/// Alice, and so many others who are contacts of hers.
fn people(world: &mut World, count: usize) -> (Who, Vec<Who>) {
    let alice = world.person("Alice", 0);
    let others: Vec<Who> = (0..count).map(|place| world.person(&name(place), 0)).collect();
    for other in &others {
        world.befriend(alice, *other);
    }
    (alice, others)
}

fn name(place: usize) -> String {
    format!("Person {place}")
}

fn contacts(world: &mut World, who: Who) -> Vec<ContactNumber> {
    let Reply::Contacts(contacts) = world.ask(who, Command::Contacts) else { panic!() };
    contacts.into_iter().map(|contact| contact.number).collect()
}

fn group(world: &mut World, who: Who, name: &str) -> ChatNumber {
    let Reply::Chat(chat) = world.ask(who, Command::GroupNew { name: name.to_owned() }) else {
        panic!()
    };
    world.settle();
    chat.number
}

fn add_all(world: &mut World, who: Who, chat: ChatNumber) {
    let contacts = contacts(world, who);
    world.ask(who, Command::GroupAddAll { chat, contacts });
}

fn in_group(world: &mut World, who: Who, name: &str) -> bool {
    world.chats(who).iter().any(|chat| chat.name == name && chat.state == ChatState::Open)
}

#[test]
fn many_come_in_by_one_commit_and_one_snapshot() {
    // spec: CLI-155, LNK-046, GRP-072
    let mut world = World::new(1);
    let (alice, others) = people(&mut world, MANY);
    let crew = group(&mut world, alice, "Crew");
    let before = world.commits_sent(alice);
    let blobs = world.blobs_made(alice);
    add_all(&mut world, alice, crew);
    world.settle();
    assert_eq!(world.commits_sent(alice), before + 1);
    // The commit, and the snapshot.
    assert_eq!(world.blobs_made(alice), blobs + 1);
    let added: Vec<usize> = world
        .events(alice)
        .into_iter()
        .filter_map(|event| match event {
            Event::MembersAdded { members, .. } => Some(members.len()),
            _ => None,
        })
        .collect();
    assert_eq!(added, [MANY]);
    world.say(alice, crew, "welcome");
    world.settle();
    for who in others {
        assert_eq!(world.fetches(who), 1);
        let chat = world.chat(who, "Crew").number;
        assert_eq!(world.texts(who, chat), ["welcome"]);
    }
}

#[test]
fn who_cannot_be_reached_holds_nobody_else() {
    // spec: CLI-155
    let mut world = World::new(2);
    let alice = world.person("Alice", 0);
    let [bob, carol] = ["Bob", "Carol"].map(|name| world.person(name, 0));
    let far = world.person("Far", 1);
    for other in [bob, carol, far] {
        world.befriend(alice, other);
    }
    world.set_up(1, false);
    let crew = group(&mut world, alice, "Crew");
    add_all(&mut world, alice, crew);
    world.settle();
    assert!(in_group(&mut world, bob, "Crew") && in_group(&mut world, carol, "Crew"));
    assert!(!in_group(&mut world, far, "Crew"));
    world.set_up(1, true);
    world.pass(180_000);
    assert!(in_group(&mut world, far, "Crew"), "who was wished for comes later");
}

#[test]
fn who_is_in_already_is_passed_over() {
    let mut world = World::new(1);
    let (alice, others) = people(&mut world, 2);
    let crew = group(&mut world, alice, "Crew");
    let all = contacts(&mut world, alice);
    world.ask(alice, Command::GroupAdd { chat: crew, contact: all[0] });
    world.settle();
    world.ask(alice, Command::GroupAddAll { chat: crew, contacts: all.clone() });
    world.settle();
    assert!(others.iter().all(|who| in_group(&mut world, *who, "Crew")));
    let again = Command::GroupAddAll { chat: crew, contacts: all };
    assert_eq!(world.try_ask(alice, again), Err(CommandError::AlreadyAMember));
    let nobody = Command::GroupAddAll { chat: crew, contacts: vec![ContactNumber(99)] };
    assert_eq!(world.try_ask(alice, nobody), Err(CommandError::NoSuchContact));
}

#[test]
fn a_crash_at_any_step_loses_nobody_and_adds_nobody_twice() {
    // spec: CLI-158, CLI-010
    let mut world = World::new(1);
    let (alice, others) = people(&mut world, MANY);
    // Behind the last of them everything is done.
    for step in [1, 13, 25, 26, 27, 28, 29, 30, 31, 33, 38] {
        let name = format!("Crew {step}");
        let crew = group(&mut world, alice, &name);
        world.crash_at(alice, step);
        add_all(&mut world, alice, crew);
        world.pass(60_000);
        world.say(alice, crew, "all here");
        world.pass(60_000);
        for who in &others {
            let mut crews = world.chats(*who);
            crews.retain(|chat| chat.name == name);
            assert_eq!(crews.len(), 1, "{step}");
            assert_eq!(world.texts(*who, crews[0].number), ["all here"], "{step}");
        }
        let Reply::Members(members) = world.ask(alice, Command::GroupMembers(crew)) else {
            panic!()
        };
        assert_eq!(members.len(), 1 + MANY, "{step}");
    }
}

#[test]
fn who_was_away_during_three_commits_comes_in() {
    // spec: GRP-072, LNK-082
    let mut world = World::new(1);
    let (alice, others) = people(&mut world, MANY + 2);
    let all = contacts(&mut world, alice);
    let away = others[0];
    world.set_online(away, false);
    let crew = group(&mut world, alice, "Crew");
    world.ask(alice, Command::GroupAddAll { chat: crew, contacts: all[..MANY].to_vec() });
    world.settle();
    for contact in &all[MANY..] {
        world.ask(alice, Command::GroupAdd { chat: crew, contact: *contact });
        world.settle();
    }
    let bob = others[1];
    let theirs = world.chat(bob, "Crew").number;
    world.ask(bob, Command::GroupLeave(theirs));
    world.settle();
    world.say(alice, crew, "where are you?");
    world.set_online(away, true);
    // Who was away for so long waits up to a minute before it connects.
    world.pass(120_000);
    let chat = world.chat(away, "Crew").number;
    assert_eq!(world.texts(away, chat), ["where are you?"]);
    world.say(away, chat, "here");
    world.settle();
    assert_eq!(world.texts(alice, crew), ["where are you?", "here"]);
}

/// Every part of a blob that comes is another, or is refused.
fn spoil(answer: AnswerFrame, with: &impl Fn(u64) -> Answer) -> AnswerFrame {
    match answer.answer {
        Answer::BlobChunk { offset, .. } => AnswerFrame { answer: with(offset), ..answer },
        _ => answer,
    }
}

#[test]
fn a_relay_that_does_not_give_the_snapshot_is_told_of_and_holds_nobody_else() {
    // spec: LNK-084, LNK-048
    let garbage = |offset| Answer::BlobChunk { offset, content: vec![7; 100].into() };
    let refusal = |_| {
        let refusal = Refusal { code: Code::Denied, retry_after_ms: 0, candidates: Vec::new() };
        Answer::Refused(refusal)
    };
    let misplaced = |_| Answer::BlobChunk { offset: 1, content: vec![7; 100].into() };
    let cases: [(&dyn Fn(u64) -> Answer, _, _); 3] = [
        (&garbage, InvitationRefusal::SnapshotNotGenuine, "SNAPSHOT_NOT_GENUINE"),
        (&misplaced, InvitationRefusal::SnapshotNotGenuine, "SNAPSHOT_NOT_GENUINE"),
        (&refusal, InvitationRefusal::SnapshotGone, "SNAPSHOT_GONE"),
    ];
    let mut world = World::new(1);
    let (alice, others) = people(&mut world, MANY);
    let victim = others[0];
    for (round, (answer, reason, name)) in cases.into_iter().enumerate() {
        let large = group(&mut world, alice, &format!("Large {round}"));
        let small = group(&mut world, alice, &format!("Small {round}"));
        for who in &others {
            world.set_online(*who, false);
        }
        add_all(&mut world, alice, large);
        let contact = contacts(&mut world, alice)[0];
        world.ask(alice, Command::GroupAdd { chat: small, contact });
        world.settle();
        let spoilt = [answer(0), answer(1)];
        world.set_tamper(move |frame| {
            Some(spoil(frame, &|offset| {
                // The first part, then whatever follows.
                spoilt[usize::from(offset > 0)].clone()
            }))
        });
        let (before, fetches) = (refusals(&mut world, victim).len(), world.fetches(victim));
        world.set_online(victim, true);
        world.pass(600_000);
        assert_eq!(refusals(&mut world, victim)[before..], [reason], "{name}");
        assert_eq!(reason.name(), name);
        assert_eq!(world.fetches(victim), fetches + 8, "{name}");
        assert!(in_group(&mut world, victim, &format!("Small {round}")), "{name}");
        assert!(!in_group(&mut world, victim, &format!("Large {round}")), "{name}");
        world.set_tamper(Some);
        for who in &others {
            world.set_online(*who, true);
        }
        world.pass(180_000);
        assert!(in_group(&mut world, others[1], &format!("Large {round}")), "{name}");
    }
}

#[test]
fn a_fetch_goes_on_after_a_crash_and_a_lost_session() {
    // spec: LNK-082
    let mut world = World::new(1);
    let (alice, others) = people(&mut world, MANY);
    let joiner = others[0];
    for step in 1..8 {
        let name = format!("Crew {step}");
        let crew = group(&mut world, alice, &name);
        world.set_online(joiner, false);
        add_all(&mut world, alice, crew);
        world.settle();
        world.crash_at(joiner, step);
        world.set_online(joiner, true);
        world.pass(60_000);
        assert!(in_group(&mut world, joiner, &name), "{step}");
        assert_eq!(refusals(&mut world, joiner), []);
    }
}

/// An invitation of `from` that names one of the key packages of `to`, with its snapshot in a blob of
/// which the content has this length.
fn forged(world: &mut World, from: Who, to: Who, channel: u8, length: u64) -> InboxContent {
    forged_at(world, 0, [from, to], channel, length)
}

/// Likewise, with the group at this relay.
fn forged_at(
    world: &mut World,
    relay: usize,
    [from, to]: [Who; 2],
    channel: u8,
    length: u64,
) -> InboxContent {
    let theirs = world.reaching(from, to);
    let Answer::KeyPackage { package, .. } = world.take_package(to, &theirs) else { panic!() };
    let slot = world.slot(to);
    let package = theirs.shelf_key.open_package(&theirs.inbox, &slot, &package).unwrap();
    let package = UnverifiedKeyPackage::parse(&package).unwrap().verify(Suite::Hybrid).unwrap();
    let secrets = Writer::default().variable(package.reference().as_bytes());
    let secrets = secrets.variable(b"kem output").variable(b"ciphertext").into_bytes();
    let mut seal = [0; BlobSeal::LENGTH];
    seal[32..40].copy_from_slice(&length.to_be_bytes());
    let own = world.own_capability(from);
    let relay = world.address(relay).parse().unwrap();
    InboxContent::Invitation(Box::new(Invitation {
        group: GroupAddress {
            relay,
            channel: ChannelId::from_bytes([channel; 32]),
            epoch: EpochId::from_bytes([3; 32]),
        },
        suite: SuiteCode(Suite::Hybrid.code()),
        purpose: Purpose::Group,
        secrets,
        snapshot: SnapshotPlace::Blob(SnapshotBlob {
            blob: BlobId::from_bytes([channel; 32]),
            seal: BlobSeal::from_slice(&seal).unwrap(),
        }),
        sender: world.card(from, own),
    }))
}

fn write(world: &mut World, from: Who, to: Who, content: &InboxContent) {
    let card = world.reaching(from, to);
    let answers = world.write_by(from, &card, &[&content.to_bytes()]);
    assert!(matches!(answers[..], [Answer::InboxSent { .. }]), "{answers:?}");
}

#[test]
fn nobody_but_a_contact_makes_a_client_fetch() {
    // spec: LNK-082, LNK-083
    let mut world = World::new(1);
    let [bob, mallory] = ["Bob", "Mallory"].map(|name| world.person(name, 0));
    world.befriend(mallory, bob);
    let invitation = forged(&mut world, mallory, bob, 7, 1_000);
    let link = world.link(bob, hushwire_engine::command::LinkUse::Lasting);
    let stranger = world.person("Stranger", 0);
    let InboxContent::Invitation(mut theirs) = invitation else { panic!() };
    let own = world.own_capability(stranger);
    theirs.sender = world.card(stranger, own);
    let content = InboxContent::Invitation(theirs).to_bytes();
    let capability = crate::world::insider::capability_of(&link);
    world.write_item(stranger, bob, capability, &content);
    world.settle();
    assert_eq!(refusals(&mut world, bob), [InvitationRefusal::NotAContact]);
    // One that is for another device is passed over, and one that nobody could hold is refused.
    let InboxContent::Invitation(mut other) = forged(&mut world, mallory, bob, 7, 1_000) else {
        panic!()
    };
    other.secrets[1] ^= 1;
    write(&mut world, mallory, bob, &InboxContent::Invitation(other));
    let bound = hushwire_protocol::group::SNAPSHOT_BYTES_MAX as u64;
    let large = forged(&mut world, mallory, bob, 8, bound + 1);
    write(&mut world, mallory, bob, &large);
    world.settle();
    let expected = [InvitationRefusal::NotAContact, InvitationRefusal::SnapshotTooLarge];
    assert_eq!(refusals(&mut world, bob), expected);
    assert_eq!(expected[1].name(), "SNAPSHOT_TOO_LARGE");
    assert_eq!(world.fetches(bob), 0);
    // What could be followed is asked for, at the relay that it names.
    let whole = forged(&mut world, mallory, bob, 9, bound);
    write(&mut world, mallory, bob, &whole);
    world.settle();
    assert!(world.fetches(bob) > 0);
}

#[test]
fn invitations_that_wait_bring_few_relays() {
    // spec: LNK-067, LNK-082
    let mut world = World::new(4);
    let [bob, mallory] = ["Bob", "Mallory"].map(|name| world.person(name, 0));
    world.befriend(mallory, bob);
    for relay in 1..4 {
        world.set_up(relay, false);
        let there = u8::try_from(relay).unwrap();
        let invitation = forged_at(&mut world, relay, [mallory, bob], there, 1_000);
        write(&mut world, mallory, bob, &invitation);
        world.settle();
    }
    assert_eq!(refusals(&mut world, bob), [InvitationRefusal::TooManyRelays]);
}

#[test]
fn few_invitations_of_one_contact_wait_for_their_snapshots() {
    // spec: LNK-085, LNK-086
    let mut world = World::new(1);
    let [bob, mallory] = ["Bob", "Mallory"].map(|name| world.person(name, 0));
    world.befriend(mallory, bob);
    let waiting = |world: &mut World| {
        let Reply::Status(status) = world.ask(bob, Command::Status) else { panic!() };
        status.waiting
    };
    let before = waiting(&mut world);
    // The relay is silent where blobs are concerned.
    world.set_tamper(|frame| {
        let silent =
            matches!(&frame.answer, Answer::Refused(refusal) if refusal.code == Code::Denied);
        (!silent).then_some(frame)
    });
    let invitations: Vec<_> = (1..=20)
        .map(|channel| forged(&mut world, mallory, bob, channel, 1_000).to_bytes())
        .collect();
    let card = world.reaching(mallory, bob);
    world.settle();
    let invitations: Vec<&[u8]> = invitations.iter().map(|bytes| &bytes[..]).collect();
    let (first, more) = invitations.split_at(16);
    world.write_by(mallory, &card, first);
    world.pass(1_000);
    assert_eq!(waiting(&mut world), before + 16);
    assert_eq!(world.fetches(bob), 4, "so many are under way at a time");
    // The oldest give way; what was under way for them has ended.
    world.write_by(mallory, &card, more);
    world.pass(1_000);
    assert_eq!(waiting(&mut world), before + 16);
    assert_eq!(world.fetches(bob), 8);
    // A silent relay is left alone after a while, so that others have their turn.
    world.pass(125_000);
    assert!(world.fetches(bob) > 8);
    world.set_tamper(Some);
    world.pass(3_600_000);
    assert_eq!(waiting(&mut world), before);
}

#[test]
fn a_group_does_not_grow_beyond_its_bounds() {
    // spec: GRP-073
    let mut world = World::new(1);
    let (alice, _) = people(&mut world, 1);
    let crew = group(&mut world, alice, "Crew");
    let contact = contacts(&mut world, alice)[0];
    // Nobody has so many contacts here: the same one counts once.
    let contacts = vec![contact; 3_000];
    world.ask(alice, Command::GroupAddAll { chat: crew, contacts });
    world.settle();
    let Reply::Members(members) = world.ask(alice, Command::GroupMembers(crew)) else { panic!() };
    assert_eq!(members.len(), 2);
    let snapshot = GroupSnapshot { group_info: Vec::new(), tree: Vec::new() };
    assert_eq!(format!("{snapshot:?}"), "GroupSnapshot(..)");
}
