//! What goes when its time comes, and what stays.

use hushwire_wire::{
    error::Code,
    id::Sequence,
    limit::Limits,
    message::{Answer, EntryBody, Follow, Handle, Repeated, Request},
    transcript::Cut,
};

use crate::world::{
    Client, Relay, appended, bytes, child, commit, create, created, message, open, opened, read,
    root, short, upload,
};

const LIMITS: Limits = Limits {
    message_retention_ms: 10_000,
    commit_retention_ms: 20_000,
    epoch_retention_ms: 64_000,
    blob_retention_ms: 10_000,
    ..Limits::V1
};

fn channel(relay: &mut Relay) -> (Client, Handle) {
    let mut client = relay.connect();
    let request = create(relay, &client, 1);
    let handle = opened(relay.ask(&mut client, request)).handle;
    (client, handle)
}

#[test]
fn content_goes_before_ids_and_commits_stay_longer() {
    // spec: CHN-016, CHN-017, CHN-018
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    let one = appended(relay.ask(&mut client, message(handle, "one"))).entry;
    appended(relay.ask(&mut client, commit(handle, 2, Cut::Cut, &[])));
    let all = || read(handle, root(1), 0, Follow::UntilEnd);
    let cases = [
        (9_999, "one commit to 2 |2 !"),
        (1, "expired commit to 2 |2 !"),
        (9_999, "expired commit to 2 |2 !"),
        (1, "expired expired |2 !"),
    ];
    for (wait_ms, expected) in cases {
        relay.wait_ms(wait_ms);
        // Whether the rows were swept or not makes no difference.
        assert_eq!(short(&relay.read(&mut client, all()).1), expected);
        relay.expire_all();
        assert_eq!(short(&relay.read(&mut client, all()).1), expected);
    }
    let said = relay.read(&mut client, all()).1;
    let Answer::Entry(entry) = &said[0] else { panic!("unexpected: {said:?}") };
    assert_eq!(entry.body, EntryBody::Expired(one));
    let again = appended(relay.ask(&mut client, message(handle, "one")));
    assert_eq!((again.entry, again.repeated), (one, Repeated::Again));
}

#[test]
fn expired_content_between_small_steps_is_told_apart_from_content_to_come() {
    // spec: CHN-016
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    let mut expected = String::new();
    for number in 0..4 {
        appended(relay.ask(&mut client, message(handle, &format!("old {number}"))));
        expected.push_str("expired ");
    }
    relay.wait_ms(10_000);
    for number in 0..4 {
        appended(relay.ask(&mut client, message(handle, &format!("new {number}"))));
        expected.push_str(&format!("new {number} "));
    }
    expected.push_str("|8 !");
    for rows_max in [1, 2, 3, 7, 50] {
        for bytes_max in [1, 20, 1_000] {
            relay.budget = hushwire_relay_rules::store::ReadLimit { rows_max, bytes_max };
            let request = read(handle, root(1), 0, Follow::UntilEnd);
            assert_eq!(short(&relay.read(&mut client, request).1), expected);
        }
    }
}

#[test]
fn an_epoch_goes_after_its_last_use_and_is_then_unknown() {
    // spec: CHN-017, CHN-030, CHN-007
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    relay.wait_ms(60_000);
    appended(relay.ask(&mut client, message(handle, "used")));
    relay.wait_ms(64_000);
    appended(relay.ask(&mut client, message(handle, "used again")));
    // Its retention, and at most one renewal's distance more.
    relay.wait_ms(65_000);
    assert_eq!(relay.code(&mut client, message(handle, "too late")), Code::Expired);
    let request = open(&relay, &client, root(1), 1);
    assert_eq!(relay.code(&mut client, request), Code::Denied);
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "EXPIRED");
    relay.expire_all();
    assert_eq!(relay.store.rows_stored(), 0);
}

#[test]
fn a_channel_is_gone_with_its_last_epoch_swept_or_not() {
    // spec: CHN-008, CHN-017, RLY-014
    for swept in [false, true] {
        let mut relay = Relay::new(LIMITS);
        let (mut client, handle) = channel(&mut relay);
        appended(relay.ask(&mut client, message(handle, "used")));
        let request = create(&relay, &client, 2);
        assert_eq!(relay.code(&mut client, request), Code::AlreadyExists);
        relay.wait_ms(66_000);
        if swept {
            relay.expire_all();
        }
        let request = create(&relay, &client, 2);
        assert_eq!(opened(relay.ask(&mut client, request)).next, Sequence(0));
    }
}

#[test]
fn a_new_channel_never_meets_ids_of_an_old_one() {
    // spec: CHN-008, CHN-018
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    // Too soon for a renewal: the id of this entry outlives its epoch by a moment.
    relay.wait_ms(900);
    appended(relay.ask(&mut client, message(handle, "the same")));
    relay.wait_ms(64_500);
    assert_eq!(relay.code(&mut client, message(handle, "too late")), Code::Expired);
    let request = create(&relay, &client, 1);
    assert_eq!(relay.code(&mut client, request), Code::AlreadyExists);
    relay.wait_ms(500);
    let handle = created(&mut relay, &mut client).handle;
    let again = appended(relay.ask(&mut client, message(handle, "the same")));
    assert_eq!((again.repeated, again.sequence), (Repeated::First, Sequence(0)));
}

#[test]
fn ids_that_are_gone_are_not_passed_over() {
    // spec: CHN-026
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    appended(relay.ask(&mut client, message(handle, "first")));
    relay.wait_ms(40_000);
    appended(relay.ask(&mut client, message(handle, "second")));
    relay.wait_ms(40_000);
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "EXPIRED");
    let (_, said) = relay.read(&mut client, read(handle, root(1), 1, Follow::UntilEnd));
    assert_eq!(short(&said), "expired |2 !");
}

#[test]
fn a_key_is_remembered_as_long_as_its_epoch() {
    // spec: CHN-017, CHN-022
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    for _ in 0..4 {
        relay.wait_ms(50_000);
        appended(relay.ask(&mut client, message(handle, &format!("{}", relay.now.0))));
    }
    assert_eq!(relay.code(&mut client, commit(handle, 1, Cut::Cut, &[])), Code::KeyReused);
}

#[test]
fn a_child_outlives_its_parent() {
    // spec: CHN-013, CHN-017
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    let a = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[]))).entry;
    let request = open(&relay, &client, child(&a), 2);
    let below = opened(relay.ask(&mut client, request)).handle;
    relay.wait_ms(50_000);
    appended(relay.ask(&mut client, message(below, "still here")));
    relay.wait_ms(50_000);
    let request = open(&relay, &client, child(&a), 2);
    let again = opened(relay.ask(&mut client, request));
    assert_eq!((again.next.0, again.siblings.len()), (1, 0));
}

#[test]
fn a_blob_goes_at_once() {
    // spec: BLB-010
    let mut relay = Relay::new(Limits { blob_chunk_bytes: 2, ..LIMITS });
    let mut client = relay.connect();
    relay.ask(&mut client, Request::BlobCreate { key: upload(1), size: 4 });
    relay.wait_ms(9_000);
    for offset in [0, 2] {
        let request = Request::BlobWrite { key: upload(1), offset, content: bytes("ab") };
        relay.ask(&mut client, request);
    }
    relay.wait_ms(999);
    let blob = hushwire_wire::transcript::blob_id(&upload(1));
    let state = Answer::BlobState { size: 4, stored: 4 };
    assert_eq!(relay.ask(&mut client, Request::BlobStat(blob)), state);
    relay.wait_ms(1);
    assert_eq!(relay.code(&mut client, Request::BlobStat(blob)), Code::Denied);
    // Its chunks live with its row.
    assert_eq!(relay.expire_all(), 1);
    assert_eq!(relay.store.rows_stored(), 0);
}

#[test]
fn a_branch_that_is_gone_is_passed_over() {
    // spec: CHN-014, CHN-017
    let mut relay = Relay::new(LIMITS);
    let (mut client, handle) = channel(&mut relay);
    let a = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[]))).entry;
    relay.wait_ms(50_000);
    appended(relay.ask(&mut client, commit(handle, 3, Cut::Through, &[a])));
    relay.wait_ms(16_000);
    let (_, said) = relay.read(&mut client, read(handle, root(1), 1, Follow::UntilEnd));
    assert_eq!(short(&said), "commit to 3 |2 |0 !");
}
