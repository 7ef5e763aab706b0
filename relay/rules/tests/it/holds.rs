//! Blobs that entries name: proven when the entry comes, held as long as its content.

use hushwire_relay_rules::{Group, Step, Write, store::StoreError};
use hushwire_wire::{
    error::Code,
    id::BlobId,
    limit::Limits,
    message::{Answer, BlobReference, Content, Follow, Handle, Repeated, Request, RequestId},
    transcript::{self, CommitMark, Cut, Operation},
};

use crate::world::{Client, Relay, appended, bytes, created, public, read, root, short, upload};

const LIMITS: Limits = Limits {
    blob_chunk_bytes: 4,
    message_retention_ms: 10_000,
    commit_retention_ms: 20_000,
    blob_retention_ms: 10_000,
    ..Limits::V1
};

fn blob() -> BlobId {
    transcript::blob_id(&upload(1))
}

/// An entry whose content is the blob, said to hash as `content`.
fn names(handle: Handle, content: &[u8], operation: Operation) -> Request {
    let content_hash = transcript::content_hash(content);
    let size = content.len() as u64;
    let content = Content::Blob(BlobReference { blob: blob(), content_hash, size });
    Request::Append { handle, content, operation }
}

fn message(handle: Handle) -> Request {
    names(handle, b"sealed", Operation::Message)
}

fn commit(handle: Handle) -> Request {
    let mark = CommitMark { next_key: public(2), cut: Cut::Cut, contested: vec![] };
    names(handle, b"sealed", Operation::Commit(mark))
}

fn delete() -> Request {
    Request::BlobDelete(upload(1))
}

fn upload_whole(relay: &mut Relay, client: &mut Client) {
    relay.ask(client, Request::BlobCreate { key: upload(1), size: 6 });
    for (offset, content) in [(0, "seal"), (4, "ed")] {
        let request = Request::BlobWrite { key: upload(1), offset, content: bytes(content) };
        relay.ask(client, request);
    }
}

/// A relay with a channel, and the blob whole.
fn uploaded(limits: Limits) -> (Relay, Client, Handle) {
    let mut relay = Relay::new(limits);
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    upload_whole(&mut relay, &mut client);
    (relay, client, handle)
}

fn is_there(relay: &mut Relay, client: &mut Client) -> bool {
    match relay.ask(client, Request::BlobStat(blob())) {
        Answer::BlobState { .. } => true,
        Answer::Refused(refusal) if refusal.code == Code::Denied => false,
        other => panic!("unexpected: {other:?}"),
    }
}

fn content_is(relay: &mut Relay, client: &mut Client, expected: &str) {
    let request = Request::BlobRead { blob: blob(), offset: 0, length: 6 };
    let said: Vec<u8> = relay
        .read(client, request)
        .1
        .iter()
        .filter_map(|answer| match answer {
            Answer::BlobChunk { content, .. } => Some(content.to_vec()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(said, expected.as_bytes());
}

#[test]
fn a_blob_with_another_hash_than_named_is_missing() {
    // spec: CHN-010
    let (mut relay, mut client, handle) = uploaded(LIMITS);
    for operation in [Operation::Message, commit_operation()] {
        let request = names(handle, b"zealed", operation);
        assert_eq!(relay.code(&mut client, request), Code::BlobMissing);
    }
    // A refused entry holds nothing.
    assert_eq!(relay.ask(&mut client, delete()), Answer::Done);
    upload_whole(&mut relay, &mut client);
    appended(relay.ask(&mut client, message(handle)));
}

fn commit_operation() -> Operation {
    Operation::Commit(CommitMark { next_key: public(2), cut: Cut::Cut, contested: vec![] })
}

#[test]
fn the_hash_is_of_all_that_was_stored_whoever_stored_it_and_when() {
    // spec: CHN-010
    let mut relay = Relay::new(LIMITS);
    let mut client = relay.connect();
    relay.ask(&mut client, Request::BlobCreate { key: upload(1), size: 6 });
    let chunk =
        |offset, content| Request::BlobWrite { key: upload(1), offset, content: bytes(content) };
    relay.ask(&mut client, chunk(0, "seal"));
    relay.ask(&mut client, chunk(0, "seal"));
    relay.restart(LIMITS);
    let mut client = relay.connect();
    relay.ask(&mut client, chunk(4, "ed"));
    relay.ask(&mut client, chunk(4, "ed"));
    let handle = created(&mut relay, &mut client).handle;
    appended(relay.ask(&mut client, message(handle)));
}

#[test]
fn a_blob_that_was_made_too_large_for_an_entry_is_never_one() {
    // spec: CHN-009, CHN-010
    let (mut relay, mut client, handle) = uploaded(Limits { entry_blob_bytes_max: 5, ..LIMITS });
    assert_eq!(relay.code(&mut client, message(handle)), Code::TooLarge);
    relay.restart(LIMITS);
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    assert_eq!(relay.code(&mut client, message(handle)), Code::BlobMissing);
}

#[test]
fn a_named_blob_stays_as_long_as_the_last_content_that_names_it() {
    // spec: CHN-031, BLB-010, BLB-012
    let (mut relay, mut client, handle) = uploaded(LIMITS);
    let alone = relay.store.rows_stored();
    relay.wait_ms(5_000);
    appended(relay.ask(&mut client, message(handle)));
    relay.wait_ms(2_000);
    appended(relay.ask(&mut client, commit(handle)));
    // Its own time would come at 10 s, the message's at 15 s, the commit's at 27 s.
    for wait_ms in [2_999, 1, 5_000, 11_999] {
        relay.wait_ms(wait_ms);
        relay.expire_all();
        assert_eq!(relay.code(&mut client, delete()), Code::BlobInUse);
        content_is(&mut relay, &mut client, "sealed");
    }
    relay.wait_ms(1);
    assert!(!is_there(&mut relay, &mut client));
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "expired expired |2 !");
    // Its row and its two chunks go with the two contents.
    let before = relay.store.rows_stored();
    relay.expire_all();
    assert!(relay.store.rows_stored() <= before - 4);
    assert!(alone > 3);
}

#[test]
fn a_message_after_a_commit_does_not_shorten_the_hold() {
    // spec: CHN-031
    let (mut relay, mut client, handle) = uploaded(LIMITS);
    let first = appended(relay.ask(&mut client, commit(handle)));
    let epoch = crate::world::child(&first.entry);
    let request = crate::world::open(&relay, &client, epoch, 2);
    let handle = crate::world::opened(relay.ask(&mut client, request)).handle;
    appended(relay.ask(&mut client, message(handle)));
    relay.wait_ms(19_999);
    content_is(&mut relay, &mut client, "sealed");
    relay.wait_ms(1);
    assert!(!is_there(&mut relay, &mut client));
}

#[test]
fn an_entry_does_not_shorten_the_life_of_its_blob_and_frees_it_when_it_goes() {
    // spec: BLB-009, BLB-010
    let limits = Limits { blob_retention_ms: 30_000, ..LIMITS };
    let (mut relay, mut client, handle) = uploaded(limits);
    appended(relay.ask(&mut client, message(handle)));
    relay.wait_ms(9_999);
    assert_eq!(relay.code(&mut client, delete()), Code::BlobInUse);
    relay.wait_ms(1);
    content_is(&mut relay, &mut client, "sealed");
    assert_eq!(relay.ask(&mut client, delete()), Answer::Done);
    assert!(!is_there(&mut relay, &mut client));
}

#[test]
fn only_who_has_the_upload_key_learns_that_a_blob_is_held() {
    // spec: BLB-011, BLB-012
    let (mut relay, mut client, handle) = uploaded(LIMITS);
    appended(relay.ask(&mut client, message(handle)));
    assert_eq!(relay.code(&mut client, Request::BlobDelete(upload(2))), Code::Denied);
    assert_eq!(relay.code(&mut client, delete()), Code::BlobInUse);
    // A repeated append changes nothing, also when its blob has gone.
    relay.wait_ms(10_000);
    relay.expire_all();
    assert!(!is_there(&mut relay, &mut client));
    assert_eq!(appended(relay.ask(&mut client, message(handle))).repeated, Repeated::Again);
}

#[test]
fn entry_and_hold_are_stored_together_or_not_at_all() {
    // spec: CHN-012, CHN-031
    let (mut relay, mut client, handle) = uploaded(LIMITS);
    relay.store.fail_commits(Some(StoreError::Failed));
    assert_eq!(relay.code(&mut client, message(handle)), Code::Internal);
    relay.store.fail_commits(None);
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "|0 !");
    assert_eq!(relay.ask(&mut client, delete()), Answer::Done);
}

fn write(relay: &Relay, client: &mut Client, request: Request) -> (RequestId, Write) {
    let id = client.new_id();
    match client.session.handle(relay.now, id, request) {
        Step::Write(write) => (id, write),
        step => panic!("not a write: {step:?}"),
    }
}

/// What two writes of one group, planned upon each other, come to.
fn together(limits: Limits, requests: impl Fn(Handle) -> [Request; 2]) -> [Option<Code>; 2] {
    let (mut relay, mut client, handle) = uploaded(limits);
    let mut group = Group::new();
    for request in requests(handle) {
        let (id, write) = write(&relay, &mut client, request);
        relay.plan(&mut group, id, &write);
    }
    let outcomes = relay.commit(group).into_iter();
    let codes: Vec<Option<Code>> = outcomes
        .map(|(id, outcome)| match client.session.complete(id, outcome) {
            Step::Reply(reply) => reply.code(),
            other => panic!("no reply: {other:?}"),
        })
        .collect();
    codes.try_into().unwrap()
}

#[test]
fn an_append_and_a_deletion_in_one_group_come_one_after_the_other() {
    // spec: CHN-010, CHN-031, BLB-012
    let kept = together(LIMITS, |handle| [message(handle), delete()]);
    assert_eq!(kept, [None, Some(Code::BlobInUse)]);
    let gone = together(LIMITS, |handle| [delete(), message(handle)]);
    assert_eq!(gone, [None, Some(Code::BlobMissing)]);
}

#[test]
fn a_blob_that_goes_between_plan_and_commit_refuses_the_entry() {
    // spec: CHN-010
    let (mut relay, mut client, handle) = uploaded(LIMITS);
    let mut group = Group::new();
    let (id, late) = write(&relay, &mut client, message(handle));
    relay.plan(&mut group, id, &late);
    assert_eq!(relay.ask(&mut client, delete()), Answer::Done);
    let stored = group.commit(&mut relay.store);
    assert_eq!(stored.failure, Some(StoreError::Conflict));
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "|0 !");
}

#[test]
fn a_blob_whose_time_came_begins_anew_without_its_old_chunks() {
    // spec: BLB-010
    let (mut relay, mut client, _) = uploaded(LIMITS);
    relay.wait_ms(10_000);
    let size = 2;
    let begun = relay.ask(&mut client, Request::BlobCreate { key: upload(1), size });
    assert_eq!(begun, Answer::BlobState { size, stored: 0 });
    let rows = relay.store.rows_stored();
    assert_eq!(relay.ask(&mut client, delete()), Answer::Done);
    assert_eq!(relay.store.rows_stored(), rows - 3, "the row and the chunks of before");
}
