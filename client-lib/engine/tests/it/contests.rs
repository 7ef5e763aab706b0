//! Contests against an insider who loses no time, and notes beside them.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hushwire_engine::{
    command::{Command, Reply},
    event::{Event, Warning},
};
use hushwire_protocol::epoch::EpochKeys;
use hushwire_wire::{
    error::Code,
    id::EntryId,
    message::Answer,
    transcript::{CommitMark, Cut, Operation, envelope_binding},
};

use crate::{
    hostile::{GARBAGE, Pair, pair},
    world::{Stolen, World},
};

/// Two people with a direct chat, and what a thief has of it.
fn robbed() -> (Pair, Stolen) {
    let mut pair = pair();
    pair.world.pass(5_000);
    let stolen = pair.world.steal(pair.bob, &pair.channel);
    (pair, stolen)
}

pub(crate) fn commit(next: u8, contested: &[EntryId]) -> Operation {
    let keys = EpochKeys::derive(&[next; 32], &[next; 32]);
    let contested = contested.to_vec();
    Operation::Commit(CommitMark { next_key: keys.public_key(), cut: Cut::Cut, contested })
}

#[test]
fn members_get_through_against_one_who_contests_at_every_moment() {
    // spec: CHN-037, CHN-039, GRP-036
    let (Pair { mut world, alice, bob, hers, his, .. }, stolen) = robbed();
    let mut seat = world.take_seat(0, &stolen);
    let mut candidates: Vec<EntryId> = Vec::new();
    world.say(alice, hers, "on we go");
    // Long after the members are through, and long before the epoch is full.
    while candidates.len() < 40 {
        let next = u8::try_from(candidates.len()).unwrap() + 1;
        let wait_ms = match world.push(&mut seat, commit(next, &candidates), &GARBAGE) {
            Answer::Appended(appended) => {
                candidates.push(appended.entry);
                continue;
            }
            Answer::Refused(refusal) if refusal.code == Code::Stale => {
                candidates = refusal.candidates;
                continue;
            }
            Answer::Refused(refusal) => refusal.retry_after_ms,
            other => panic!("{other:?}"),
        };
        world.pass(wait_ms);
        if world.texts(bob, his) == ["on we go"] {
            break;
        }
    }
    assert_eq!(world.texts(bob, his), ["on we go"]);
    assert!(candidates.len() < 24, "{}", candidates.len());
    // What he adds to the epoch that is over moves nobody.
    world.pass(60_000);
    world.push(&mut seat, commit(200, &candidates), &GARBAGE);
    world.say(bob, his, "and on");
    world.pass(10_000);
    assert_eq!(world.texts(alice, hers).len(), 2);
}

/// An envelope around a content of this kind, as whoever has the epoch's keys can make it.
fn sealed(stolen: &Stolen, operation: &Operation, kind: u8) -> Vec<u8> {
    let secret = stolen.keys.to_secret_bytes();
    let key: [u8; 32] = secret[32..].try_into().unwrap();
    let cipher = XChaCha20Poly1305::new(&key.into());
    let binding = envelope_binding(&stolen.channel, &stolen.epoch, operation);
    let mut content = vec![0; 256 - 40];
    content[..3].copy_from_slice(&[0, 1, kind]);
    let payload = Payload { msg: &content, aad: &binding };
    let sealed = cipher.encrypt(XNonce::from_slice(&[kind; 24]), payload).unwrap();
    [&[kind; 24][..], &sealed].concat()
}

fn codes(events: &[Event]) -> Vec<&str> {
    let code = |event| match event {
        &Event::Warning(Warning::EntryRejected { ref code, .. }) => Some(code.as_str()),
        _ => None,
    };
    events.iter().filter_map(code).collect()
}

#[test]
fn a_note_is_passed_over_or_refused_and_the_log_goes_on() {
    // spec: ENV-005, CHN-032, CHN-034, CLI-040
    let (Pair { mut world, alice, bob, hers, his, channel, .. }, stolen) = robbed();
    let mut seat = world.take_seat(0, &stolen);
    let early = world.push(&mut seat, Operation::Note, &GARBAGE);
    assert!(matches!(&early, Answer::Refused(refusal) if refusal.code == Code::NoCandidates));
    let garbage = world.push(&mut seat, commit(1, &[]), &GARBAGE);
    assert!(matches!(garbage, Answer::Appended(_)), "{garbage:?}");
    let before = world.next_place(alice, &channel);

    let unknown = sealed(&stolen, &Operation::Note, 200);
    let as_message = sealed(&stolen, &Operation::Note, 1);
    for (envelope, expected) in [
        (&unknown[..], &[][..]),
        (&as_message[..], &["WrongKind"][..]),
        (&GARBAGE[..], &["WrongKind", "Undecryptable"][..]),
    ] {
        let noted = world.push(&mut seat, Operation::Note, envelope);
        assert!(matches!(noted, Answer::Appended(_)), "{noted:?}");
        assert_eq!(codes(&world.events(alice)), expected);
        world.pass(200);
    }
    assert_eq!(world.next_place(alice, &channel).0, before.0 + 3);
    // The contest is none the worse for it.
    world.say(alice, hers, "on we go");
    world.pass(30_000);
    assert_eq!(world.texts(bob, his), ["on we go"]);
}

/// When somebody asks to leave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    /// Before somebody else's commit, which nobody can open, comes.
    Before,
    /// Behind it.
    Behind,
}

#[test]
fn who_leaves_contests_where_nobody_else_does() {
    // spec: CLI-212, GRP-036
    for leaves in [Leaves::Before, Leaves::Behind] {
        let mut world = World::new(1);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        world.befriend(alice, bob);
        let before = world.channels(alice);
        let Reply::Chat(crew) = world.ask(alice, Command::GroupNew { name: "Crew".into() }) else {
            panic!()
        };
        let channel = world.channels(alice).into_iter().find(|id| !before.contains(id)).unwrap();
        let Reply::Contacts(contacts) = world.ask(alice, Command::Contacts) else { panic!() };
        let contact = contacts[0].number;
        world.ask(alice, Command::GroupAdd { chat: crew.number, contact });
        world.settle();
        let his = world.chat(bob, "Crew").number;
        world.set_online(alice, false);
        world.pass(5_000);
        let stolen = world.steal(bob, &channel);
        if leaves == Leaves::Before {
            world.ask(bob, Command::GroupLeave(his));
            world.pass(2_000);
        }
        let answer = world.inject(0, &stolen, commit(1, &[]), &GARBAGE);
        assert!(matches!(answer, Answer::Appended(_)), "{answer:?}");
        if leaves == Leaves::Behind {
            world.ask(bob, Command::GroupLeave(his));
        }
        world.pass(180_000);
        assert_ne!(world.steal(bob, &channel).epoch, stolen.epoch, "he went on by himself");
        world.pass(10_000);
        let Reply::Status(status) = world.ask(bob, Command::Status) else { panic!() };
        assert_eq!(status.waiting, 0, "the relay has his leave");
        world.set_online(alice, true);
        world.pass(120_000);
        let Reply::Members(members) = world.ask(alice, Command::GroupMembers(crew.number)) else {
            panic!()
        };
        assert_eq!(members.len(), 1, "he is out");
    }
}
