//! Sending, reading, trying again.

use hushwire::command::{ChatNumber, Command, FailureReason, MessageNumber, MessageState};

use crate::fake::{Bench, Fate};

#[tokio::test]
async fn a_text_is_sent_and_its_state_said() {
    let bench = Bench::new();
    assert_eq!(
        bench.prints(&["send", "bob", "hello"]).await,
        ["   1 2026-11-21 09:41Z me: hello  stored"]
    );
    let text = Command::SendText { chat: ChatNumber(1), text: "hello".into() };
    assert_eq!(bench.asked(), [text]);
}

#[tokio::test]
async fn a_text_comes_from_input_without_its_last_line_end() {
    let bench = Bench::new();
    *bench.console.input.lock().unwrap() = "two\nlines\r\n".into();
    let sent = bench.objects(&["send", "bob", "-"]).await;
    assert_eq!(sent[0]["text"], "two\nlines");
    *bench.console.input.lock().unwrap() = vec![0xff];
    assert_eq!(bench.run(&["send", "bob", "-"]).await, 2);
}

#[tokio::test]
async fn a_text_may_begin_with_a_hyphen() {
    let bench = Bench::new();
    for text in ["-v", "--verbose", "- item"] {
        assert_eq!(bench.objects(&["send", "bob", text]).await[0]["text"], text);
    }
    let sent = bench.prints(&["send", "bob", "--", "--json"]).await;
    assert!(sent[0].contains("me: --json"), "{sent:?}");
    let sent = bench.prints(&["send", "bob", "--json", "text"]).await;
    assert!(sent[0].contains("\"text\":\"text\""), "{sent:?}");
}

#[tokio::test]
async fn what_is_not_sent_in_time_is_queued() {
    let bench = Bench::new();
    bench.world().state().fate = Fate::Waits;
    assert_eq!(bench.run(&["send", "bob", "hello", "--wait", "0"]).await, 4);
    assert_eq!(bench.console.take_printed(), ["   1 2026-11-21 09:41Z me: hello  pending"]);
    assert_eq!(bench.run(&["send", "bob", "hello", "--no-network"]).await, 0);
}

#[tokio::test]
async fn what_fails_says_why_and_can_be_tried_again() {
    let bench = Bench::new();
    bench.world().state().fate = Fate::Fails(FailureReason::NotAMember);
    assert_eq!(bench.run(&["send", "bob", "hello"]).await, 1);
    assert_eq!(
        bench.console.take_printed(),
        ["   1 2026-11-21 09:41Z me: hello  failed: you are no longer in this group"]
    );
    bench.world().state().fate = Fate::Stored;
    let again = bench.objects(&["retry", "bob", "1"]).await;
    assert_eq!(again[0]["state"], "stored");
}

#[tokio::test]
async fn refusals_of_the_client_are_told() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["send", "bob", ""]).await, 1);
    assert!(bench.console.notes().starts_with("error: the text or name is empty, too long"));
}

#[tokio::test]
async fn names_that_fit_several_are_listed() {
    let bench = Bench::new();
    bench.world().state().chats[1].name = "Bobby".into();
    assert_eq!(bench.run(&["send", "bob", "hello"]).await, 2);
    assert_eq!(
        bench.console.notes(),
        "error: \"bob\" fits more than one chat: 1 (Bob), 2 (Bobby)\n\
         what to do: Type more of the name, or the number."
    );
    assert!(bench.asked().is_empty());
}

#[tokio::test]
async fn reading_shows_the_last_ones_and_marks_them() {
    let bench = Bench::new();
    for number in 1..=30 {
        bench.world().receive(1, "Bob", &format!("text {number}"));
    }
    let lines = bench.prints(&["read", "bob", "--count", "2"]).await;
    assert_eq!(
        lines,
        ["  29 2026-11-21 09:41Z Bob: text 29", "  30 2026-11-21 09:41Z Bob: text 30",]
    );
    let mark = Command::MarkRead { chat: ChatNumber(1), upto: MessageNumber(30) };
    assert_eq!(bench.asked(), [mark]);
    bench.prints(&["read", "bob", "--keep-unread"]).await;
    assert_eq!(bench.asked().len(), 1);
    let some = bench.objects(&["read", "bob", "--from", "3", "--count", "2"]).await;
    assert_eq!(some[1]["message"], 4);
}

#[tokio::test]
async fn every_state_is_shown() {
    let states = [
        (MessageState::Pending, "pending"),
        (MessageState::Stored, "stored"),
        (MessageState::Delivered { people: 1, of: 2 }, "delivered 1/2"),
        (
            MessageState::Failed(FailureReason::TooLarge),
            "failed: the file is larger than the relay takes",
        ),
    ];
    for (state, shown) in states {
        let bench = Bench::new();
        bench.world().state().fate = Fate::Waits;
        bench.run(&["send", "bob", "hi", "--no-network"]).await;
        bench.console.take_printed();
        bench.world().state().messages[0].state = state;
        let lines = bench.prints(&["read", "bob"]).await;
        assert_eq!(lines, [format!("   1 2026-11-21 09:41Z me: hi  {shown}")]);
    }
}

#[tokio::test]
async fn the_status_says_what_waits_and_how_the_relays_are() {
    let bench = Bench::new();
    let lines = bench.prints(&["status"]).await;
    assert!(lines.contains(&"waiting      nothing".to_owned()), "{lines:?}");
    assert!(lines.contains(&"relay        relay.example:4433  up to date".to_owned()));
}

#[tokio::test]
async fn a_client_that_vanishes_is_told() {
    let bench = Bench::new();
    bench.world().vanish();
    assert_eq!(bench.run(&["chats"]).await, 1);
    assert!(bench.console.notes().contains("has ended"));
}
