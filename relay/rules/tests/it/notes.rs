//! Notes beside the candidates of an epoch.

use hushwire_wire::{
    error::Code,
    id::EntryId,
    limit::Limits,
    message::{Answer, Content, EntryBody, Follow, Handle, Repeated, Request},
    transcript::{self, Cut, Operation},
};

use crate::world::{
    Client, Relay, appended, bytes, child, commit, created, inline, message, open, opened, read,
    root, short,
};

fn note(handle: Handle, content: &str) -> Request {
    Request::Append { handle, content: inline(content), operation: Operation::Note }
}

/// A channel whose first epoch has one candidate, which opens a child under the key 2.
fn contested(relay: &mut Relay) -> (Client, Handle, EntryId) {
    let mut client = relay.connect();
    let handle = created(relay, &mut client).handle;
    let first = appended(relay.ask(&mut client, commit(handle, 2, Cut::Cut, &[]))).entry;
    (client, handle, first)
}

#[test]
fn notes_stand_beside_candidates_and_nowhere_else() {
    // spec: CHN-032
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    let (reading, _) = relay.read(&mut client, read(handle, root(1), 0, Follow::Onward));
    assert_eq!(relay.code(&mut client, note(handle, "early")), Code::NoCandidates);
    let first = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[]))).entry;
    assert_eq!(short(&relay.poll(&mut client, reading)), "commit to 2 |1 |0 .");
    let noted = appended(relay.ask(&mut client, note(handle, "I took it")));
    assert_eq!((noted.sequence.0, noted.repeated), (1, Repeated::First));
    let said = relay.poll(&mut client, reading);
    assert_eq!(short(&said), "I took it |2 .");
    let kinds = said.iter().filter_map(|answer| match answer {
        Answer::Entry(entry) => match &entry.body {
            EntryBody::Whole { operation, .. } => Some(operation.clone()),
            EntryBody::Expired(_) => None,
        },
        _ => None,
    });
    assert_eq!(kinds.last(), Some(Operation::Note));
    let request = open(&relay, &client, child(&first), 2);
    let below = opened(relay.ask(&mut client, request)).handle;
    assert_eq!(relay.code(&mut client, note(below, "here?")), Code::NoCandidates);
}

#[test]
fn a_note_is_another_entry_than_a_message_and_stands_once() {
    // spec: CHN-003, CHN-018
    let mut relay = Relay::default();
    let (mut client, handle, _) = contested(&mut relay);
    let noted = appended(relay.ask(&mut client, note(handle, "one")));
    let hash = transcript::content_hash(b"one");
    let id = transcript::entry_id(&crate::world::CHANNEL, &root(1), &Operation::Note, &hash);
    assert_eq!(noted.entry, id);
    // Before its gap has passed, and however many there are.
    let again = appended(relay.ask(&mut client, note(handle, "one")));
    assert_eq!((again.repeated, again.signature), (Repeated::Again, noted.signature));
    assert_eq!(relay.code(&mut client, message(handle, "one")), Code::Stale);
}

#[test]
fn notes_are_few_short_and_apart() {
    // spec: CHN-033, CHN-035
    let limits = Limits { notes_max: 6, gap_step: 2, ..Limits::V1 };
    let mut relay = Relay::new(limits);
    let (mut client, handle, _) = contested(&mut relay);
    for (content, gap_ms) in [("1", 200), ("2", 400), ("3", 400), ("4", 800), ("5", 800)] {
        appended(relay.ask(&mut client, note(handle, content)));
        relay.wait_ms(gap_ms - 1);
        let refusal = relay.refused(&mut client, note(handle, "next"));
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooEarly, 1), "{content}");
        relay.wait_ms(1);
    }
    let longest = "x".repeat(1_024);
    appended(relay.ask(&mut client, note(handle, &longest)));
    relay.wait_ms(10_000);
    assert_eq!(relay.code(&mut client, note(handle, "7")), Code::NotesExhausted);
    let long = format!("{longest}x");
    assert_eq!(relay.code(&mut client, note(handle, &long)), Code::TooLarge);
    let reference = hushwire_wire::message::BlobReference {
        blob: hushwire_wire::id::BlobId::from_bytes([7; 32]),
        content_hash: transcript::content_hash(&bytes("x")),
        size: 1,
    };
    let content = Content::Blob(reference);
    let request = Request::Append { handle, content, operation: Operation::Note };
    assert_eq!(relay.code(&mut client, request), Code::TooLarge);
}

#[test]
fn a_note_is_no_candidate() {
    // spec: CHN-034
    let mut relay = Relay::default();
    let (mut client, handle, first) = contested(&mut relay);
    let noted = appended(relay.ask(&mut client, note(handle, "one"))).entry;
    relay.wait_ms(500);
    let refusal = relay.refused(&mut client, commit(handle, 3, Cut::Through, &[first, noted]));
    assert_eq!((refusal.code, refusal.candidates), (Code::Stale, vec![first]));
    let second = appended(relay.ask(&mut client, commit(handle, 3, Cut::Through, &[first]))).entry;
    let request = open(&relay, &client, root(1), 1);
    let answer = opened(relay.ask(&mut client, request));
    assert_eq!((answer.candidates, answer.next.0), (vec![first, second], 3));
    let as_epoch = open(&relay, &client, child(&noted), 1);
    assert_eq!(relay.code(&mut client, as_epoch), Code::Denied);
    // The gap between candidates is none between notes, nor the other way round.
    appended(relay.ask(&mut client, note(handle, "two")));
}

#[test]
fn notes_are_taken_when_an_epoch_takes_no_more_candidates() {
    // spec: CHN-032
    let mut relay = Relay::new(Limits { candidates_max: 1, ..Limits::V1 });
    let (mut client, handle, first) = contested(&mut relay);
    relay.wait_ms(500);
    let further = commit(handle, 3, Cut::Cut, &[first]);
    assert_eq!(relay.code(&mut client, further), Code::CandidatesExhausted);
    appended(relay.ask(&mut client, note(handle, "what now?")));
}

#[test]
fn notes_are_kept_as_long_as_commits() {
    // spec: CHN-016, CHN-017
    let limits = Limits { message_retention_ms: 10_000, commit_retention_ms: 20_000, ..Limits::V1 };
    let mut relay = Relay::new(limits);
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    appended(relay.ask(&mut client, message(handle, "message")));
    appended(relay.ask(&mut client, commit(handle, 2, Cut::Cut, &[])));
    appended(relay.ask(&mut client, note(handle, "note")));
    for (wait_ms, expected) in [
        (9_999, "message commit to 2 note |3 !"),
        (1, "expired commit to 2 note |3 !"),
        (9_999, "expired commit to 2 note |3 !"),
        (1, "expired expired expired |3 !"),
    ] {
        relay.wait_ms(wait_ms);
        relay.expire_all();
        let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
        assert_eq!(short(&said), expected);
    }
}

#[test]
fn notes_wait_for_their_turn_apart_from_commits() {
    // spec: CHN-036, CHN-037
    let mut relay = Relay::default();
    let (mut alice, of_alice, first) = contested(&mut relay);
    let mut bob = relay.connect();
    let request = open(&relay, &bob, root(1), 1);
    let of_bob = opened(relay.ask(&mut bob, request)).handle;
    appended(relay.ask(&mut alice, note(of_alice, "one")));
    let wait = relay.refused(&mut bob, note(of_bob, "two")).retry_after_ms;
    assert_eq!(wait, 200);
    let wait = relay.refused(&mut bob, commit(of_bob, 3, Cut::Cut, &[first])).retry_after_ms;
    assert_eq!(wait, 500);
    relay.wait_ms(500);
    // Bob is before Alice in both, and his note leaves the commit where it is.
    assert_eq!(relay.code(&mut alice, note(of_alice, "three")), Code::TooEarly);
    appended(relay.ask(&mut bob, note(of_bob, "two")));
    assert_eq!(relay.code(&mut alice, commit(of_alice, 4, Cut::Cut, &[first])), Code::TooEarly);
    appended(relay.ask(&mut bob, commit(of_bob, 3, Cut::Cut, &[first])));
    // Alice still waits to note, and is drawn before Bob, who comes when the time has passed.
    relay.wait_ms(200);
    assert_eq!(relay.code(&mut bob, note(of_bob, "four")), Code::TooEarly);
    appended(relay.ask(&mut alice, note(of_alice, "three")));
}
