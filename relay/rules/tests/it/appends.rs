//! Creating, opening and appending: each row of the table of an append.

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{BlobId, ChannelId, EntryId, Nonce, Sequence, Signature},
    limit::Limits,
    message::{BlobReference, Content, Handle, Repeated, Request},
    transcript::{self, CommitMark, Cut, Operation},
};

use crate::world::{
    CHANNEL, Client, NONCE, Relay, appended, child, commit, create, created, inline, key, message,
    open, opened, public, root, upload,
};

/// A channel whose first epoch has the key 1.
fn channel(relay: &mut Relay) -> (Client, Handle) {
    let mut client = relay.connect();
    let request = create(relay, &client, 1);
    let handle = opened(relay.ask(&mut client, request)).handle;
    (client, handle)
}

#[test]
fn a_channel_is_created_with_the_epoch_that_follows_from_its_key() {
    // spec: CHN-001, CHN-006, CHN-013
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let answer = created(&mut relay, &mut client);
    assert_eq!(answer.epoch, root(1));
    assert_eq!(answer.next, Sequence(0));
    assert_eq!(answer.head, transcript::first_head(&CHANNEL, &root(1)));
    assert_eq!((answer.candidates.len(), answer.siblings.len()), (0, 0));
}

#[test]
fn a_creation_is_signed_for_this_session_and_epoch() {
    // spec: CHN-001
    let mut relay = Relay::default();
    let (mut client, other) = (relay.connect(), relay.connect());
    let request = |nonce, signature| Request::ChannelCreate {
        channel: CHANNEL,
        epoch_key: public(1),
        nonce,
        signature,
    };
    let sign = |session, epoch, seed| {
        transcript::channel_create(&relay.id(), session, &CHANNEL, &epoch).sign(&key(seed))
    };
    let cases = [
        request(NONCE, sign(&client.name, root(1), 2)),
        request(NONCE, sign(&other.name, root(1), 1)),
        request(NONCE, Signature::from_bytes([0; 64])),
        request(Nonce::from_bytes([9; 32]), sign(&client.name, root(1), 1)),
    ];
    for request in cases {
        assert_eq!(relay.code(&mut client, request), Code::Denied);
    }
    assert_eq!(relay.store.rows_stored(), 0);
}

#[test]
fn creating_again_is_opening_and_another_first_epoch_is_refused() {
    // spec: CHN-008
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let receipt = appended(relay.ask(&mut client, message(handle, "one")));
    let again = created(&mut relay, &mut client);
    assert_eq!((again.next, again.head), (Sequence(1), receipt.head));
    let request = create(&relay, &client, 2);
    assert_eq!(relay.code(&mut client, request), Code::AlreadyExists);
}

#[test]
fn what_does_not_exist_is_denied_like_what_is_not_proven() {
    // spec: CHN-002, CHN-007
    let mut relay = Relay::default();
    let (_, _) = channel(&mut relay);
    let (mut client, other) = (relay.connect(), relay.connect());
    let sign = |session, channel, epoch, seed| {
        let proof = transcript::channel_open(&relay.id(), session, channel, &epoch);
        (*channel, epoch, proof.sign(&key(seed)))
    };
    let elsewhere = ChannelId::from_bytes([9; 32]);
    let cases = [
        sign(&client.name, &CHANNEL, root(1), 2),
        sign(&other.name, &CHANNEL, root(1), 1),
        sign(&client.name, &CHANNEL, root(2), 2),
        sign(&client.name, &elsewhere, root(1), 1),
        (CHANNEL, root(1), Signature::from_bytes([1; 64])),
    ];
    for (channel, epoch, signature) in cases {
        let refusal =
            relay.refused(&mut client, Request::ChannelOpen { channel, epoch, signature });
        assert_eq!(refusal, Code::Denied.into());
    }
    // A signature for creating does not open.
    let create = transcript::channel_create(&relay.id(), &client.name, &CHANNEL, &root(1));
    let signature = create.sign(&key(1));
    let request = Request::ChannelOpen { channel: CHANNEL, epoch: root(1), signature };
    assert_eq!(relay.code(&mut client, request), Code::Denied);
    let request = open(&relay, &client, root(1), 1);
    assert_eq!(opened(relay.ask(&mut client, request)).epoch, root(1));
}

#[test]
fn entries_are_named_chained_and_receipted() {
    // spec: CHN-003, CHN-006, CHN-012
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let mut head = transcript::first_head(&CHANNEL, &root(1));
    for (number, text) in ["one", "two", "three"].into_iter().enumerate() {
        let receipt = appended(relay.ask(&mut client, message(handle, text)));
        let sequence = Sequence(number as u64);
        let content = transcript::content_hash(text.as_bytes());
        let entry = transcript::entry_id(&CHANNEL, &root(1), &Operation::Message, &content);
        head = transcript::next_head(&head, sequence, &entry);
        assert_eq!((receipt.entry, receipt.sequence, receipt.head), (entry, sequence, head));
        assert_eq!(receipt.repeated, Repeated::First);
        let signed = transcript::entry_receipt(&relay.id(), &CHANNEL, &root(1), sequence, &head);
        assert_eq!(signed.verify(&relay.key(), &receipt.signature), Ok(()));
    }
}

#[test]
fn a_repeated_entry_gets_its_first_result_whatever_the_state() {
    // spec: CHN-018
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let one = appended(relay.ask(&mut client, message(handle, "one")));
    appended(relay.ask(&mut client, message(handle, "two")));
    let first = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[])));
    // The epoch takes no messages now, and the commit's key was seen: yet both are only repeated.
    for (request, expected) in
        [(message(handle, "one"), one), (commit(handle, 2, Cut::Through, &[]), first)]
    {
        let again = appended(relay.ask(&mut client, request));
        assert_eq!(again.repeated, Repeated::Again);
        assert_eq!(again.signature, expected.signature);
        let place = (expected.entry, expected.sequence, expected.head);
        assert_eq!((again.entry, again.sequence, again.head), place);
    }
}

#[test]
fn entries_above_the_bounds_are_too_large() {
    // spec: CHN-009
    let limits = Limits { entry_inline_bytes_max: 4, entry_blob_bytes_max: 9, ..Limits::V1 };
    let mut relay = Relay::new(limits);
    let (mut client, handle) = channel(&mut relay);
    appended(relay.ask(&mut client, message(handle, "four")));
    assert_eq!(relay.code(&mut client, message(handle, "fives")), Code::TooLarge);
    let reference = |size| {
        let content_hash = transcript::content_hash(b"");
        let blob = transcript::blob_id(&upload(1));
        let content = Content::Blob(BlobReference { blob, content_hash, size });
        Request::Append { handle, content, operation: Operation::Message }
    };
    assert_eq!(relay.code(&mut client, reference(10)), Code::TooLarge);
    assert_eq!(relay.code(&mut client, reference(9)), Code::BlobMissing);
}

#[test]
fn a_blob_that_an_entry_names_is_there_whole_and_has_that_size() {
    // spec: CHN-010
    let limits = Limits { blob_chunk_bytes: 4, ..Limits::V1 };
    let mut relay = Relay::new(limits);
    let (mut client, handle) = channel(&mut relay);
    let append = |size| {
        let content_hash = transcript::content_hash(b"sealed");
        let blob = transcript::blob_id(&upload(1));
        let content = Content::Blob(BlobReference { blob, content_hash, size });
        Request::Append { handle, content, operation: Operation::Message }
    };
    assert_eq!(relay.code(&mut client, append(6)), Code::BlobMissing);
    relay.ask(&mut client, Request::BlobCreate { key: upload(1), size: 6 });
    let chunk = |offset, content: &'static [u8]| Request::BlobWrite {
        key: upload(1),
        offset,
        content: Bytes::from_static(content),
    };
    relay.ask(&mut client, chunk(0, b"seal"));
    assert_eq!(relay.code(&mut client, append(6)), Code::BlobMissing);
    relay.ask(&mut client, chunk(4, b"ed"));
    assert_eq!(relay.code(&mut client, append(5)), Code::BlobMissing);
    let first = appended(relay.ask(&mut client, append(6)));
    let again = appended(relay.ask(&mut client, append(6)));
    assert_eq!((again.entry, again.repeated), (first.entry, Repeated::Again));
}

#[test]
fn an_unknown_blob_id_is_missing() {
    // spec: CHN-010
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let blob = BlobId::from_bytes([8; 32]);
    let content_hash = transcript::content_hash(b"");
    let content = Content::Blob(BlobReference { blob, content_hash, size: 0 });
    let request = Request::Append { handle, content, operation: Operation::Message };
    assert_eq!(relay.code(&mut client, request), Code::BlobMissing);
}

#[test]
fn an_epoch_takes_messages_until_its_first_commit() {
    // spec: CHN-019, CHN-011
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    appended(relay.ask(&mut client, message(handle, "one")));
    let first = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[])));
    let refusal = relay.refused(&mut client, message(handle, "late"));
    assert_eq!((refusal.code, refusal.candidates), (Code::Stale, vec![first.entry]));

    // The child has the id of the commit and the key that it carried, and takes the message.
    let request = open(&relay, &client, child(&first.entry), 2);
    let below = opened(relay.ask(&mut client, request));
    assert_eq!(below.next, Sequence(0));
    assert_eq!(below.head, transcript::first_head(&CHANNEL, &child(&first.entry)));
    appended(relay.ask(&mut client, message(below.handle, "late")));
}

#[test]
fn a_commit_lists_all_candidates_in_relay_order() {
    // spec: CHN-020
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let stranger = EntryId::from_bytes([5; 32]);
    let refusal = relay.refused(&mut client, commit(handle, 2, Cut::Through, &[stranger]));
    assert_eq!((refusal.code, refusal.candidates), (Code::Stale, vec![]));
    let a = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[]))).entry;
    relay.wait_ms(500);
    let b = appended(relay.ask(&mut client, commit(handle, 3, Cut::Through, &[a]))).entry;
    relay.wait_ms(500);
    for contested in [&[][..], &[a], &[b], &[b, a], &[a, b, stranger], &[a, a]] {
        let refusal = relay.refused(&mut client, commit(handle, 4, Cut::Through, contested));
        assert_eq!((refusal.code, refusal.candidates), (Code::Stale, vec![a, b]));
    }
    appended(relay.ask(&mut client, commit(handle, 4, Cut::Through, &[a, b])));
}

#[test]
fn an_epoch_takes_so_many_candidates_and_no_more() {
    // spec: CHN-021
    let mut relay = Relay::new(Limits { candidates_max: 3, ..Limits::V1 });
    let (mut client, handle) = channel(&mut relay);
    let mut candidates = Vec::new();
    for seed in 2..5 {
        let request = commit(handle, seed, Cut::Through, &candidates);
        candidates.push(appended(relay.ask(&mut client, request)).entry);
        relay.wait_ms(500);
    }
    let request = commit(handle, 5, Cut::Through, &candidates);
    assert_eq!(relay.code(&mut client, request), Code::CandidatesExhausted);
    // Who does not know them all is told first.
    let refusal = relay.refused(&mut client, commit(handle, 5, Cut::Through, &[]));
    assert_eq!((refusal.code, refusal.candidates), (Code::Stale, candidates));
}

#[test]
fn the_next_key_was_never_seen_in_the_channel() {
    // spec: CHN-022
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    assert_eq!(relay.code(&mut client, commit(handle, 1, Cut::Cut, &[])), Code::KeyReused);
    let a = appended(relay.ask(&mut client, commit(handle, 2, Cut::Cut, &[]))).entry;
    let request = open(&relay, &client, child(&a), 2);
    let below = opened(relay.ask(&mut client, request)).handle;
    relay.wait_ms(1_000);
    for seed in [1, 2] {
        let request = commit(below, seed, Cut::Cut, &[]);
        assert_eq!(relay.code(&mut client, request), Code::KeyReused);
    }
    // A contest with the key of the contested commit, under other content.
    let mark = CommitMark { next_key: public(2), cut: Cut::Cut, contested: vec![a] };
    let operation = Operation::Commit(mark);
    let request = Request::Append { handle, content: inline("other"), operation };
    assert_eq!(relay.code(&mut client, request), Code::KeyReused);
}

#[test]
fn a_young_epoch_takes_no_commit_unless_it_is_the_first() {
    // spec: CHN-023
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let a = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[]))).entry;
    let request = open(&relay, &client, child(&a), 2);
    let below = opened(relay.ask(&mut client, request)).handle;
    relay.wait_ms(400);
    let refusal = relay.refused(&mut client, commit(below, 3, Cut::Through, &[]));
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooEarly, 600));
    appended(relay.ask(&mut client, message(below, "a message is taken at once")));
    relay.wait_ms(600);
    appended(relay.ask(&mut client, commit(below, 3, Cut::Through, &[])));
}

#[test]
fn candidates_keep_their_distance() {
    // spec: CHN-024
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let a = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[]))).entry;
    relay.wait_ms(100);
    let refusal = relay.refused(&mut client, commit(handle, 3, Cut::Through, &[a]));
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooEarly, 400));
    relay.wait_ms(400);
    appended(relay.ask(&mut client, commit(handle, 3, Cut::Through, &[a])));
}
