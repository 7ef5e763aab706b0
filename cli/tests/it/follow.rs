//! The stream of events.

use hushwire::{
    command::ContactNumber,
    event::{Event, EventNumber},
};
use serde_json::Value;

use crate::fake::Bench;

async fn until_lines(bench: &Bench, count: usize) -> Vec<Value> {
    while bench.console.printed().lines().count() < count {
        tokio::task::yield_now().await;
    }
    let printed = bench.console.take_printed();
    printed.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn events_come_with_their_message_until_interrupted() {
    let bench = Bench::new();
    bench.world().receive(1, "Bob", "before");
    let talk = async {
        bench.world().receive(1, "Bob", "hello \u{202e}");
        let seen = until_lines(&bench, 1).await;
        assert_eq!(seen[0]["type"], "event");
        assert_eq!(seen[0]["event"], "message_added");
        assert_eq!(seen[0]["message"]["text"], "hello \u{202e}");
        assert_eq!(seen[0]["number"], 2);
        bench.interrupt_soon().await;
    };
    let (exit, ()) = tokio::join!(bench.run(&["follow", "--from", "2"]), talk);
    assert_eq!(exit, 0);
}

#[tokio::test]
async fn the_cursor_says_where_to_begin_and_the_default_is_now() {
    let bench = Bench::new();
    for number in 1..=5 {
        bench.world().happen(Event::ContactChanged(ContactNumber(number)));
    }
    let all = async {
        let seen = until_lines(&bench, 5).await;
        assert_eq!(seen[4]["number"], 5);
        assert_eq!(seen[4]["contact"], 5);
        bench.interrupt_soon().await;
    };
    assert_eq!(tokio::join!(bench.run(&["follow", "--from", "1"]), all).0, 0);
    let later = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        bench.world().happen(Event::DevicesChanged);
        let seen = until_lines(&bench, 1).await;
        assert_eq!(seen[0]["number"], 6);
        assert_eq!(seen[0]["event"], "devices_changed");
        bench.interrupt_soon().await;
    };
    assert_eq!(tokio::join!(bench.run(&["follow"]), later).0, 0);
}

#[tokio::test]
async fn a_client_that_vanishes_ends_it() {
    let bench = Bench::new();
    let vanish = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        bench.world().vanish();
    };
    let (exit, ()) = tokio::join!(bench.run(&["follow"]), vanish);
    assert_eq!(exit, 1);
    assert!(bench.console.notes().contains("has ended"));
}

#[tokio::test]
async fn who_was_away_for_too_long_is_told_where_to_go_on() {
    // spec: CLI-107
    let bench = Bench::new();
    for number in 1..=5 {
        bench.world().happen(Event::ContactChanged(ContactNumber(number)));
    }
    bench.world().forget_before(EventNumber(4));
    assert_eq!(bench.run(&["follow", "--from", "2"]).await, 1);
    let notes = bench.console.notes();
    assert!(notes.contains("events before number 4 are not kept"), "{notes}");
    // What is gone does not hide where the events end.
    let later = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        bench.world().happen(Event::DevicesChanged);
        assert_eq!(until_lines(&bench, 1).await[0]["number"], 6);
        bench.interrupt_soon().await;
    };
    assert_eq!(tokio::join!(bench.run(&["follow"]), later).0, 0);
}
