//! Reading channels: order, catching up, following, small steps.

use hushwire_relay_rules::store::ReadLimit;
use hushwire_wire::{
    error::Code,
    id::{EpochId, Sequence},
    message::{Answer, EntryBody, Follow, Handle},
    transcript::{self, Cut, Operation},
};

use crate::world::{
    CHANNEL, Client, PLENTY, Relay, appended, child, commit, create, message, open, opened, public,
    read, root, short,
};

fn channel(relay: &mut Relay) -> (Client, Handle) {
    let mut client = relay.connect();
    let request = create(relay, &client, 1);
    let handle = opened(relay.ask(&mut client, request)).handle;
    (client, handle)
}

/// Commits to the key `seed` and opens the epoch.
fn descend(
    relay: &mut Relay,
    client: &mut Client,
    at: Handle,
    seed: u8,
    cut: Cut,
) -> (EpochId, Handle) {
    relay.wait_ms(1_000);
    let epoch = child(&appended(relay.ask(client, commit(at, seed, cut, &[]))).entry);
    let request = open(relay, client, epoch, seed);
    (epoch, opened(relay.ask(client, request)).handle)
}

#[test]
fn entries_come_back_as_they_were_appended() {
    // spec: CHN-004, CHN-014, CHN-015
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    appended(relay.ask(&mut client, message(handle, "one")));
    relay.wait_ms(5);
    let receipt = appended(relay.ask(&mut client, commit(handle, 2, Cut::Cut, &[])));
    let (id, said) = relay.read(&mut client, read(handle, root(1), 1, Follow::UntilEnd));
    assert!(!client.is_reading(id));
    let [Answer::Entry(entry), Answer::EpochEnd(end), Answer::ReadEnd(Follow::UntilEnd)] =
        &said[..]
    else {
        panic!("unexpected: {said:?}")
    };
    assert_eq!((entry.epoch, entry.sequence, entry.stored_at), (root(1), Sequence(1), relay.now));
    let EntryBody::Whole { operation: Operation::Commit(mark), .. } = &entry.body else {
        panic!("no commit")
    };
    assert_eq!((mark.next_key, mark.cut, mark.contested.len()), (public(2), Cut::Cut, 0));
    assert_eq!((end.epoch, end.next, end.head), (root(1), Sequence(2), receipt.head));
    assert_eq!(end.signature, Some(receipt.signature));
}

#[test]
fn an_empty_epoch_ends_without_a_receipt() {
    // spec: CHN-015
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let (_, said) = relay.read(&mut client, read(handle, root(1), 0, Follow::UntilEnd));
    let Answer::EpochEnd(end) = &said[0] else { panic!("unexpected: {said:?}") };
    assert_eq!((end.next, end.signature), (Sequence(0), None));
    assert_eq!(end.head, transcript::first_head(&CHANNEL, &root(1)));
}

#[test]
fn a_lagging_reader_needs_one_reading_for_each_cut() {
    // spec: CHN-005, CHN-014
    let mut relay = Relay::default();
    let (mut client, first) = channel(&mut relay);
    appended(relay.ask(&mut client, message(first, "a")));
    let (_, second) = descend(&mut relay, &mut client, first, 2, Cut::Through);
    appended(relay.ask(&mut client, message(second, "b")));
    let (cut, third) = descend(&mut relay, &mut client, second, 3, Cut::Cut);
    appended(relay.ask(&mut client, message(third, "c")));
    let (_, fourth) = descend(&mut relay, &mut client, third, 4, Cut::Through);
    appended(relay.ask(&mut client, message(fourth, "d")));

    let mut late = relay.connect();
    let request = open(&relay, &late, root(1), 1);
    let handle = opened(relay.ask(&mut late, request)).handle;
    let (_, said) = relay.read(&mut late, read(handle, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "a commit to 2 |2 b commit to 3 |2 !");
    let request = open(&relay, &late, cut, 3);
    let handle = opened(relay.ask(&mut late, request)).handle;
    let (_, said) = relay.read(&mut late, read(handle, cut, 0, Follow::UntilEnd));
    assert_eq!(short(&said), "c commit to 4 |2 d |1 !");
}

#[test]
fn a_handle_reads_below_itself_and_not_above_or_beside() {
    // spec: CHN-025
    let mut relay = Relay::default();
    let (mut client, first) = channel(&mut relay);
    let (a, of_a) = descend(&mut relay, &mut client, first, 2, Cut::Through);
    let (b, of_b) = descend(&mut relay, &mut client, of_a, 3, Cut::Through);
    let contested = [hushwire_wire::id::EntryId::from_bytes(*a.as_bytes())];
    let beside = appended(relay.ask(&mut client, commit(first, 4, Cut::Through, &contested))).entry;
    let cases = [
        (first, b, "|0 !"),
        (of_a, b, "|0 !"),
        (of_a, a, "commit to 3 |1 |0 !"),
        (of_b, a, "NOT_READABLE"),
        (of_b, root(1), "NOT_READABLE"),
        (of_a, child(&beside), "NOT_READABLE"),
        (first, root(9), "NOT_READABLE"),
    ];
    for (handle, epoch, expected) in cases {
        let (_, said) = relay.read(&mut client, read(handle, epoch, 0, Follow::UntilEnd));
        assert_eq!(short(&said), expected);
    }
}

#[test]
fn a_place_after_the_end_is_refused() {
    // spec: CHN-028
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    appended(relay.ask(&mut client, message(handle, "one")));
    for (from, expected) in
        [(0, "one |1 !"), (1, "|1 !"), (2, "BEYOND_END"), (u64::MAX, "BEYOND_END")]
    {
        let (id, said) = relay.read(&mut client, read(handle, root(1), from, Follow::UntilEnd));
        assert_eq!(short(&said), expected);
        assert!(!client.is_reading(id));
    }
}

#[test]
fn branches_are_read_depth_first_in_relay_order() {
    // spec: CHN-014
    let mut relay = Relay::default();
    let (mut client, first) = channel(&mut relay);
    let (a, of_a) = descend(&mut relay, &mut client, first, 2, Cut::Through);
    let (_, of_aa) = descend(&mut relay, &mut client, of_a, 3, Cut::Through);
    appended(relay.ask(&mut client, message(of_aa, "aa")));
    let entry_a = hushwire_wire::id::EntryId::from_bytes(*a.as_bytes());
    let request = commit(first, 4, Cut::Cut, &[entry_a]);
    let b = appended(relay.ask(&mut client, request)).entry;
    relay.wait_ms(500);
    let c = appended(relay.ask(&mut client, commit(first, 5, Cut::Through, &[entry_a, b]))).entry;
    let request = open(&relay, &client, child(&c), 5);
    let of_c = opened(relay.ask(&mut client, request));
    assert_eq!(of_c.siblings, [entry_a, b]);
    appended(relay.ask(&mut client, message(of_c.handle, "c")));
    let all = "commit to 2 commit to 4 commit to 5 |3 commit to 3 |1 aa |1 c |1 !";
    // The same in steps of every size.
    for rows_max in [1, 2, 3, 5, 8, 100] {
        for bytes_max in [1, 60, 200, 1 << 20] {
            relay.budget = ReadLimit { rows_max, bytes_max };
            let (_, said) = relay.read(&mut client, read(first, root(1), 0, Follow::UntilEnd));
            assert_eq!(short(&said), all, "{rows_max} rows, {bytes_max} bytes");
        }
    }
}

#[test]
fn a_step_stops_at_its_budget() {
    // A client that stalls costs a cursor: nothing is read ahead.
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    for number in 0..20 {
        appended(relay.ask(&mut client, message(handle, &format!("{number}"))));
    }
    let id = client.new_id();
    let request = read(handle, root(1), 0, Follow::UntilEnd);
    let step = client.session.handle(relay.now, id, request);
    let hushwire_relay_rules::Step::Read(mut reading) = step else { panic!("no reading") };
    let budget = ReadLimit { rows_max: 5, bytes_max: 1 << 20 };
    for _ in 0..4 {
        assert!(reading.next(&relay.store, relay.now, budget).replies.len() <= 5);
    }
    let budget = ReadLimit { rows_max: 100, bytes_max: 8 };
    let said = reading.next(&relay.store, relay.now, budget).replies.len();
    assert_eq!(said, 2, "two contents reach it; what stands beside them does not count");
}

#[test]
fn a_step_stops_at_its_budget_in_a_long_chain_too() {
    // spec: CHN-027
    let mut relay = Relay::default();
    let (mut client, first) = channel(&mut relay);
    let mut at = first;
    for seed in 2..22 {
        at = descend(&mut relay, &mut client, at, seed, Cut::Through).1;
    }
    let few = [(4, 1 << 20), (1_000, 1)];
    for (rows_max, bytes_max) in few {
        let id = client.new_id();
        let request = read(first, root(1), 0, Follow::UntilEnd);
        let step = client.session.handle(relay.now, id, request);
        let hushwire_relay_rules::Step::Read(mut reading) = step else { panic!("no reading") };
        let step = reading.next(&relay.store, relay.now, ReadLimit { rows_max, bytes_max });
        assert_eq!(step.progress, hushwire_relay_rules::Progress::More);
        assert!(step.replies.len() <= 4, "{} at {rows_max}, {bytes_max}", step.replies.len());
    }
}

#[test]
fn a_following_reading_goes_on_over_new_epochs() {
    // spec: CHN-014, CHN-015
    let mut relay = Relay::default();
    let (mut writer, first) = channel(&mut relay);
    let mut reader = relay.connect();
    let request = open(&relay, &reader, root(1), 1);
    let handle = opened(relay.ask(&mut reader, request)).handle;
    let (id, said) = relay.read(&mut reader, read(handle, root(1), 0, Follow::Onward));
    assert_eq!(short(&said), "|0 .");
    assert_eq!(short(&relay.poll(&mut reader, id)), "");
    appended(relay.ask(&mut writer, message(first, "one")));
    assert_eq!(short(&relay.poll(&mut reader, id)), "one |1 .");
    assert_eq!(short(&relay.poll(&mut reader, id)), "", "these news are old");
    let (a, of_a) = descend(&mut relay, &mut writer, first, 2, Cut::Through);
    appended(relay.ask(&mut writer, message(of_a, "two")));
    assert_eq!(short(&relay.poll(&mut reader, id)), "commit to 2 |2 two |1 .");
    // A late contest in an epoch that was left long ago.
    let entry_a = hushwire_wire::id::EntryId::from_bytes(*a.as_bytes());
    relay.wait_ms(1_000);
    let b = appended(relay.ask(&mut writer, commit(first, 3, Cut::Through, &[entry_a]))).entry;
    let request = open(&relay, &writer, child(&b), 3);
    let of_b = opened(relay.ask(&mut writer, request)).handle;
    appended(relay.ask(&mut writer, message(of_b, "b")));
    appended(relay.ask(&mut writer, message(of_a, "three")));
    let said = short(&relay.poll(&mut reader, id));
    assert_eq!(said, "three |2 commit to 3 |3 b |1 .");
    // Stopped, it says no more.
    let answer = relay.ask(&mut reader, hushwire_wire::message::Request::Stop(id));
    assert_eq!(answer, Answer::Done);
    assert!(!reader.is_reading(id));
}

#[test]
fn lost_news_are_made_up_for() {
    // spec: CHN-015
    let mut relay = Relay::default();
    let (mut client, handle) = channel(&mut relay);
    let id = client.new_id();
    let request = read(handle, root(1), 0, Follow::Onward);
    let step = client.session.handle(relay.now, id, request);
    let hushwire_relay_rules::Step::Read(mut reading) = step else { panic!("no reading") };
    assert_eq!(reading.next(&relay.store, relay.now, PLENTY).replies.len(), 2);
    appended(relay.ask(&mut client, message(handle, "one")));
    assert_eq!(reading.next(&relay.store, relay.now, PLENTY).replies.len(), 0);
    reading.wake_fully();
    assert_eq!(reading.next(&relay.store, relay.now, PLENTY).replies.len(), 3);
}

#[test]
fn a_long_chain_of_epochs_is_read_to_its_end_and_followed_there() {
    // spec: CHN-027
    let mut relay = Relay::default();
    let (mut client, first) = channel(&mut relay);
    let mut at = first;
    let chain: u64 = 250;
    for seed in 0..chain {
        at = descend(&mut relay, &mut client, at, 2 + seed as u8, Cut::Through).1;
    }
    let (id, said) = relay.read(&mut client, read(first, root(1), 0, Follow::Onward));
    assert_eq!(said.len() as u64, chain + (chain + 1) + 1);
    appended(relay.ask(&mut client, message(at, "at the end")));
    assert_eq!(short(&relay.poll(&mut client, id)), "at the end |1 .");
    assert_eq!(relay.code(&mut client, message(first, "late")), Code::Stale);
}
