//! The conversation: `hush chat`.

use std::sync::Arc;

use hushwire::{
    command::{ChatNumber, Command, FailureReason, MessageNumber, MessageState, RelayState},
    event::{Event, Warning},
};

use crate::fake::{Bench, Fate, NOT_TEXT};

#[tokio::test]
async fn a_conversation_shows_history_incoming_lines_and_states() {
    let bench = Bench::new();
    bench.world().receive(1, "Bob", "earlier");
    *bench.console.typed.lock().unwrap() =
        vec![("Bob> ", "/help"), ("/quit ", "hello"), ("1 stored", "/quit")];
    bench.world().state().fate = Fate::Waits;
    let world = bench.world();
    let console = &bench.console;
    let peer = async {
        while !console.printed().contains("me: hello") {
            tokio::task::yield_now().await;
        }
        world.receive(1, "Bob", "yes\u{7}");
        world.receive(2, "Carol", "elsewhere");
        world.state().fate = Fate::Stored;
        while !console.printed().contains("yes␇") {
            tokio::task::yield_now().await;
        }
        let message = MessageNumber(2);
        world.state().messages[1].state = MessageState::Stored;
        world.happen(Event::MessageStateChanged { chat: ChatNumber(1), message });
        world.receive(1, "Bob", "1 stored");
    };
    let (exit, ()) = tokio::join!(bench.run(&["chat", "bob"]), peer);
    assert_eq!(exit, 0, "{}", bench.console.notes());
    let printed = bench.console.take_printed();
    assert_eq!(printed[0], "   1 2026-11-21 09:41Z Bob: earlier");
    assert_eq!(printed[1], "Bob> ");
    assert!(
        printed.contains(&"   2 2026-11-21 09:41Z me: hello  pending".to_owned()),
        "{printed:#?}"
    );
    assert!(printed.contains(&"   3 2026-11-21 09:41Z Bob: yes␇".to_owned()), "{printed:#?}");
    assert!(printed.contains(&"   2 stored".to_owned()), "{printed:#?}");
    assert!(!printed.iter().any(|line| line.contains("elsewhere")));
    let own = printed.iter().filter(|line| line.contains("me: hello"));
    assert_eq!(own.count(), 1, "{printed:#?}");
    let marks = bench.asked();
    let mark = |upto| Command::MarkRead { chat: ChatNumber(1), upto: MessageNumber(upto) };
    assert!(marks.contains(&mark(1)) && marks.contains(&mark(3)));
}

#[tokio::test]
async fn a_mistake_in_a_conversation_does_not_end_it() {
    let bench = Bench::new();
    *bench.console.typed.lock().unwrap() =
        vec![("Bob> ", "/file /nowhere/file"), ("what to do or not", "never typed")];
    let world = bench.world();
    let gone = Arc::clone(&world);
    let console = &bench.console;
    let end = async {
        while !console.printed().contains("/nowhere/file:") {
            tokio::task::yield_now().await;
        }
        gone.happen(Event::GroupChangeFailed {
            chat: ChatNumber(1),
            reason: FailureReason::NoRight,
        });
        while !console.printed().contains("group change failed: chat 1, no right") {
            tokio::task::yield_now().await;
        }
        console.print_for_typist("what to do or not");
        while !console.printed().contains("never typed") {
            tokio::task::yield_now().await;
        }
    };
    let (exit, ()) = tokio::join!(bench.run(&["chat", "bob"]), end);
    assert_eq!(exit, 0, "{}", bench.console.notes());
}

#[tokio::test]
async fn a_script_talks_in_json() {
    let bench = Bench::new();
    bench.world().state().fate = Fate::Waits;
    *bench.console.typed.lock().unwrap() = vec![("> ", "hello"), ("hello", "/quit")];
    assert_eq!(bench.run(&["chat", "bob", "--json", "--no-network"]).await, 0);
    let printed = bench.console.take_printed();
    let message: serde_json::Value = serde_json::from_str(&printed[1]).unwrap();
    assert_eq!(message["type"], "message");
    assert_eq!(message["text"], "hello");
    let count = printed.iter().filter(|line| line.contains("\"text\":\"hello\"")).count();
    assert_eq!(count, 1, "{printed:#?}");
}

#[tokio::test]
async fn what_is_not_text_ends_it_by_name_and_what_was_said_before_goes_out() {
    let bench = Bench::new();
    *bench.console.typed.lock().unwrap() = vec![("> ", "hello"), ("hello", NOT_TEXT)];
    assert_eq!(bench.run(&["chat", "bob", "--json"]).await, 2);
    let error: serde_json::Value = serde_json::from_str(&bench.console.notes()).unwrap();
    assert_eq!(error["code"], "not_text");
    assert_eq!(bench.world().state().messages[0].state, MessageState::Stored);
}

#[tokio::test]
async fn a_file_without_a_path_is_asked_for() {
    let bench = Bench::new();
    *bench.console.typed.lock().unwrap() = vec![("> ", "/file "), ("which file", "/quit")];
    assert_eq!(bench.run(&["chat", "bob"]).await, 0);
    assert!(bench.console.printed().contains("say which file: /file PATH"));
}

#[tokio::test]
async fn nobody_talks_by_way_of_a_relay_with_another_key() {
    let bench = Bench::new();
    bench.world().state().relay = RelayState::KeyMismatch;
    *bench.console.typed.lock().unwrap() = vec![("> ", "never typed")];
    bench.world().receive(1, "Bob", "earlier");
    assert_eq!(bench.run(&["chat", "bob"]).await, 3);
    let (printed, notes) = (bench.console.printed(), bench.console.notes());
    assert!(printed.contains("earlier") && !printed.contains("> "), "{printed}");
    assert!(notes.starts_with("error: relay.example:4433 shows another key"), "{notes}");
}

#[tokio::test]
async fn a_relay_that_shows_another_key_meanwhile_ends_the_conversation() {
    let bench = Bench::new();
    *bench.console.typed.lock().unwrap() = vec![("Press Enter to leave", "")];
    let mismatch = async {
        while !bench.console.printed().contains("Bob> ") {
            tokio::task::yield_now().await;
        }
        let relay = "relay.example:4433#ab".to_owned();
        bench.world().happen(Event::Warning(Warning::RelayKeyMismatch { relay }));
    };
    let (exit, ()) = tokio::join!(bench.run(&["chat", "bob"]), mismatch);
    assert_eq!(exit, 3);
    assert!(bench.console.notes().contains("Do not go on"), "{}", bench.console.notes());
}

#[tokio::test]
async fn leaving_says_what_still_waits() {
    let bench = Bench::new();
    bench.world().state().fate = Fate::Waits;
    *bench.console.typed.lock().unwrap() = vec![("> ", "hello")];
    assert_eq!(bench.run(&["chat", "bob", "--wait", "0"]).await, 4);
}

#[tokio::test]
async fn a_client_that_vanishes_lets_the_line_be_finished_first() {
    let bench = Bench::new();
    *bench.console.typed.lock().unwrap() = vec![("Press Enter to leave", "")];
    let vanish = async {
        while !bench.console.printed().contains("Bob> ") {
            tokio::task::yield_now().await;
        }
        bench.world().vanish();
    };
    let (exit, ()) = tokio::join!(bench.run(&["chat", "bob"]), vanish);
    assert_eq!(exit, 1);
    assert!(bench.console.notes().contains("has ended"));
}
