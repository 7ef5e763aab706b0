//! Stories of members that commit at once, contest, and are removed.

use hushwire_wire::{
    error::Code,
    message::{Follow, Handle},
    transcript::Cut,
};

use crate::world::{
    Client, Relay, appended, child, commit, create, message, open, opened, read, root, short,
};

/// Two members of a channel at its first epoch, whose key is 1.
fn two_members(relay: &mut Relay) -> ((Client, Handle), (Client, Handle)) {
    let mut alice = relay.connect();
    let request = create(relay, &alice, 1);
    let of_alice = opened(relay.ask(&mut alice, request)).handle;
    let mut bob = relay.connect();
    let request = open(relay, &bob, root(1), 1);
    let of_bob = opened(relay.ask(&mut bob, request)).handle;
    ((alice, of_alice), (bob, of_bob))
}

#[test]
fn of_two_that_race_one_is_first_and_the_other_reads_on() {
    // spec: CHN-019, CHN-020
    let mut relay = Relay::default();
    let ((mut alice, of_alice), (mut bob, of_bob)) = two_members(&mut relay);
    let won = appended(relay.ask(&mut alice, commit(of_alice, 2, Cut::Through, &[]))).entry;
    let refusal = relay.refused(&mut bob, commit(of_bob, 3, Cut::Through, &[]));
    assert_eq!((refusal.code, &refusal.candidates), (Code::Stale, &vec![won]));

    let (_, said) = relay.read(&mut bob, read(of_bob, root(1), 0, Follow::UntilEnd));
    assert_eq!(short(&said), "commit to 2 |1 |0 !");
    let request = open(&relay, &bob, child(&won), 2);
    let below = opened(relay.ask(&mut bob, request));
    relay.wait_ms(1_000);
    appended(relay.ask(&mut bob, commit(below.handle, 3, Cut::Through, &[])));
}

#[test]
fn a_garbage_commit_is_contested_and_nobody_is_stuck() {
    // spec: CHN-013, CHN-014, CHN-020
    let mut relay = Relay::default();
    let ((mut mallory, of_mallory), (mut bob, of_bob)) = two_members(&mut relay);
    let garbage = appended(relay.ask(&mut mallory, commit(of_mallory, 66, Cut::Cut, &[]))).entry;
    relay.wait_ms(500);
    let good = appended(relay.ask(&mut bob, commit(of_bob, 2, Cut::Through, &[garbage]))).entry;

    // Each child shows the other, and both are under the first epoch in the same order.
    let request = open(&relay, &bob, child(&good), 2);
    let below = opened(relay.ask(&mut bob, request));
    assert_eq!(below.siblings, [garbage]);
    let request = open(&relay, &mallory, child(&garbage), 66);
    let dead = opened(relay.ask(&mut mallory, request));
    assert_eq!(dead.siblings, [good]);
    appended(relay.ask(&mut bob, message(below.handle, "we go on here")));
    appended(relay.ask(&mut mallory, message(dead.handle, "alone")));

    // The cut hides the dead branch, not the commit that opened it.
    let request = open(&relay, &mallory, root(1), 1);
    let handle = opened(relay.ask(&mut mallory, request));
    assert_eq!(handle.candidates, [garbage, good]);
    let request = read(handle.handle, root(1), 0, Follow::UntilEnd);
    let (_, said) = relay.read(&mut mallory, request);
    assert_eq!(short(&said), "commit to 66 commit to 2 |2 we go on here |1 !");
}

#[test]
fn a_removed_member_is_shut_out_at_its_removal() {
    // spec: CHN-005, CHN-025
    let mut relay = Relay::default();
    let ((mut alice, of_alice), (mut eve, of_eve)) = two_members(&mut relay);
    let (reading, said) = relay.read(&mut eve, read(of_eve, root(1), 0, Follow::Onward));
    assert_eq!(short(&said), "|0 .");
    let cut = appended(relay.ask(&mut alice, commit(of_alice, 2, Cut::Cut, &[]))).entry;
    let request = open(&relay, &alice, child(&cut), 2);
    let below = opened(relay.ask(&mut alice, request)).handle;
    appended(relay.ask(&mut alice, message(below, "without you")));
    relay.wait_ms(1_000);
    let next = appended(relay.ask(&mut alice, commit(below, 3, Cut::Through, &[]))).entry;

    // Eve sees the commit that removed her, and nothing below it.
    assert_eq!(short(&relay.poll(&mut eve, reading)), "commit to 2 |1 .");
    for epoch in [child(&cut), child(&next)] {
        let (_, said) = relay.read(&mut eve, read(of_eve, epoch, 0, Follow::UntilEnd));
        assert_eq!(short(&said), "NOT_READABLE");
        let request = open(&relay, &eve, epoch, 1);
        assert_eq!(relay.code(&mut eve, request), Code::Denied);
    }
    // She cannot write there either: her epoch takes no messages any more.
    assert_eq!(relay.code(&mut eve, message(of_eve, "me again")), Code::Stale);
}

#[test]
fn a_commit_that_is_no_candidate_of_its_epoch_contests_nothing() {
    // spec: CHN-020
    let mut relay = Relay::default();
    let ((mut alice, of_alice), (mut bob, of_bob)) = two_members(&mut relay);
    let a = appended(relay.ask(&mut alice, commit(of_alice, 2, Cut::Through, &[]))).entry;
    let request = open(&relay, &alice, child(&a), 2);
    let below = opened(relay.ask(&mut alice, request)).handle;
    relay.wait_ms(1_000);
    let b = appended(relay.ask(&mut alice, commit(below, 3, Cut::Through, &[]))).entry;
    relay.wait_ms(1_000);
    let refusal = relay.refused(&mut bob, commit(of_bob, 4, Cut::Through, &[a, b]));
    assert_eq!((refusal.code, refusal.candidates), (Code::Stale, vec![a]));
}
