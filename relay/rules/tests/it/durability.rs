//! Groups: nothing is said before the sync, nothing is lost with a process, failures change nothing.

use hushwire_relay_rules::{
    Group, Progress, Step, Write,
    store::{Action, Batch, Change, Object, Read as _, Store as _, StoreError, Table},
};
use hushwire_wire::{
    error::Code,
    limit::Limits,
    message::{Answer, Follow, Handle, Repeated, Request, RequestId},
    transcript::Cut,
};

use crate::world::{
    CHANNEL, Client, INBOX, PLENTY, Relay, appended, bytes, child, commit, create, key, message,
    open, opened, public, read, root, secret, short, upload,
};

fn channel(relay: &mut Relay) -> (Client, Handle) {
    let mut client = relay.connect();
    let request = create(relay, &client, 1);
    let handle = opened(relay.ask(&mut client, request)).handle;
    (client, handle)
}

fn write(relay: &Relay, client: &mut Client, request: Request) -> (RequestId, Write) {
    let id = client.new_id();
    match client.session.handle(relay.now, id, request) {
        Step::Write(write) => (id, write),
        step => panic!("not a write: {step:?}"),
    }
}

#[test]
fn many_writes_are_planned_upon_each_other_and_synced_once() {
    // spec: CHN-012, CHN-018, CHN-019
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let mut group = Group::new();
    assert!(group.is_empty());
    let requests = [
        message(handle, "one"),
        message(handle, "two"),
        message(handle, "one"),
        commit(handle, 2, Cut::Through, &[]),
        message(handle, "three"),
    ];
    for request in requests {
        let (id, write) = write(&relay, &mut client, request);
        relay.plan(&mut group, id, &write);
    }
    // Planned is not stored: a reader sees nothing of it yet.
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "|0 !");
    assert_eq!((group.len(), group.is_empty()), (5, false));

    let answers: Vec<Answer> = relay
        .commit(group)
        .into_iter()
        .map(|(id, outcome)| {
            let step = client.session.complete(id, outcome);
            relay.sign(step)
        })
        .collect();
    let places: Vec<_> = answers[..4]
        .iter()
        .map(|answer| match answer {
            Answer::Appended(appended) => (appended.sequence.0, appended.repeated),
            other => panic!("not appended: {other:?}"),
        })
        .collect();
    let (first, again) = (Repeated::First, Repeated::Again);
    assert_eq!(places, [(0, first), (1, first), (0, again), (2, first)]);
    assert!(matches!(&answers[4], Answer::Refused(refusal) if refusal.code == Code::Stale));
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "one two commit to 2 |3 |0 !");
}

#[test]
fn what_the_store_did_not_take_did_not_happen() {
    // spec: CHN-012, INB-006, BLB-004
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    relay.ask(&mut client, Request::BlobCreate { key: upload(1), size: 3 });
    let cases = [
        (StoreError::Failed, Code::Internal),
        (StoreError::Full, Code::StorageFull),
        (StoreError::Conflict, Code::Busy),
    ];
    for (failure, code) in cases {
        relay.store.fail_commits(Some(failure));
        assert_eq!(relay.code(&mut client, message(handle, "one")), code);
        let chunk = Request::BlobWrite { key: upload(1), offset: 0, content: bytes("abc") };
        assert_eq!(relay.code(&mut client, chunk), code);
        let proof =
            hushwire_wire::transcript::inbox_create(&relay.id(), &client.name, &INBOX, &public(5));
        let signature = proof.sign(&key(5));
        let request = Request::InboxCreate { inbox: INBOX, owner_key: public(5), signature };
        assert_eq!(relay.code(&mut client, request), code);
    }
    relay.store.fail_commits(None);
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "|0 !");
    let request = Request::InboxSend { inbox: INBOX, secret: secret(1), item: bytes("x") };
    assert_eq!(relay.code(&mut client, request), Code::Denied);
    // The same request later is its first.
    assert_eq!(appended(relay.ask(&mut client, message(handle, "one"))).repeated, Repeated::First);
}

#[test]
fn a_failed_group_wakes_nobody_and_says_why() {
    // spec: CHN-012
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    for (failure, news) in [(Some(StoreError::Failed), 0), (None, 1)] {
        relay.store.fail_commits(failure);
        let (id, write) = write(&relay, &mut client, message(handle, "one"));
        let mut group = Group::new();
        relay.plan(&mut group, id, &write);
        let stored = group.commit(&mut relay.store);
        assert_eq!((stored.news.len(), stored.failure), (news, failure));
        for (id, outcome) in stored.outcomes {
            assert_eq!(outcome.failure(), failure);
            client.session.complete(id, outcome);
        }
    }
}

#[test]
fn a_group_planned_from_an_older_state_is_refused_whole() {
    // spec: CHN-012
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let mut group = Group::new();
    let (id, late) = write(&relay, &mut client, message(handle, "late"));
    relay.plan(&mut group, id, &late);
    appended(relay.ask(&mut client, message(handle, "meanwhile")));
    let stored = group.commit(&mut relay.store);
    assert_eq!(stored.failure, Some(StoreError::Conflict));
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "meanwhile |1 !");
}

#[test]
fn a_restart_loses_handles_and_nothing_else() {
    // spec: CHN-029
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let one = appended(relay.ask(&mut client, message(handle, "one")));
    let first = appended(relay.ask(&mut client, commit(handle, 2, Cut::Through, &[])));
    let age = relay.limits.epoch_age_min_ms;

    relay.restart(Limits::V1);
    let mut client = relay.connect();
    assert_eq!(relay.code(&mut client, message(handle, "two")), Code::UnknownHandle);
    let request = open(&relay, &client, root(1), 1);
    let again = opened(relay.ask(&mut client, request));
    assert_eq!((again.next.0, again.head), (2, first.head));
    assert_eq!(again.candidates, [first.entry]);
    // Repeats, seen keys, the age of epochs and the gap between candidates are remembered.
    let repeated = appended(relay.ask(&mut client, message(again.handle, "one")));
    assert_eq!((repeated.repeated, repeated.signature), (Repeated::Again, one.signature));
    let request = commit(again.handle, 2, Cut::Cut, &[first.entry]);
    assert_eq!(relay.code(&mut client, request), Code::KeyReused);
    let request = commit(again.handle, 3, Cut::Cut, &[first.entry]);
    assert_eq!(relay.code(&mut client, request), Code::TooEarly);
    let request = open(&relay, &client, child(&first.entry), 2);
    let below = opened(relay.ask(&mut client, request)).handle;
    let refusal = relay.refused(&mut client, commit(below, 4, Cut::Cut, &[]));
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooEarly, age));
}

#[test]
fn the_weight_of_a_write_counts_its_content() {
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let (_, small) = write(&relay, &mut client, message(handle, ""));
    let (_, large) = write(&relay, &mut client, message(handle, &"x".repeat(1_000)));
    assert_eq!(large.weight_bytes() - small.weight_bytes(), 1_000);
    assert_eq!(small.object(), large.object());
}

#[test]
fn a_damaged_row_is_an_internal_error_and_known_to_the_operator() {
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let object = Object::Channel(CHANNEL);
    let change = Change {
        table: Table::Epoch,
        key: root(1).to_field(),
        action: Action::Put { value: bytes("no row"), expires: None },
    };
    let batch =
        Batch { object, expected: relay.store.revision(&object).unwrap(), changes: vec![change] };
    relay.store.commit(&[batch]).unwrap();
    assert_eq!(relay.code(&mut client, message(handle, "one")), Code::Internal);
    let request = open(&relay, &client, root(1), 1);
    let id = client.new_id();
    let Step::Lookup(lookup) = client.session.handle(relay.now, id, request) else {
        panic!("no lookup")
    };
    assert_eq!(lookup.run(&relay.store, relay.now).failure(), Some(StoreError::Damaged));
    let id = client.new_id();
    let request = read(handle, root(1), 0, Follow::UntilEnd);
    let Step::Read(mut reading) = client.session.handle(relay.now, id, request) else {
        panic!("no reading")
    };
    let step = reading.next(&relay.store, relay.now, PLENTY);
    assert_eq!((step.progress, step.failure), (Progress::Over, Some(StoreError::Damaged)));
}
