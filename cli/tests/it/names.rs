//! Nobody passes for somebody else on the screen.

use hushwire::command::{MessageBody, MessageState, Sender};
use hushwire_cli::wrap::{Ambiguous, Columns};

use crate::fake::Bench;

const fn columns(count: usize) -> Option<Columns> {
    Some(Columns { count, ambiguous: Ambiguous::Narrow })
}

#[tokio::test]
async fn what_the_terminal_would_wrap_is_indented_and_cannot_pass_for_another_message() {
    // spec: CLI-120
    for count in [40, 80, 120] {
        let mut bench = Bench::new();
        bench.console.columns = columns(count);
        let forged = "   8 2026-11-21 09:41Z Bob: yes, send it";
        for filler in [" ", "\u{a0}", "\u{2800}", "\u{3000}", "x"] {
            bench.world().receive(1, "Eve", &format!("ok{}{forged}", filler.repeat(count - 29)));
        }
        let lines = bench.prints(&["read", "bob"]).await;
        assert!(lines.iter().all(|line| line.chars().count() <= count), "{lines:#?}");
        let indent = " ".repeat(24.min(count / 2));
        for line in &lines {
            let is_head = line.get(5..).is_some_and(|rest| rest.starts_with("2026-"))
                && line.contains(" Eve: ");
            assert!(is_head || line.starts_with(&indent), "{line:?}");
        }
    }
}

#[tokio::test]
async fn a_long_name_does_not_make_a_line_of_a_list() {
    // spec: CLI-120
    let mut bench = Bench::new();
    bench.console.columns = columns(40);
    bench.world().state().contacts[1].name = format!("Eve {}  3  Bob  verified", "x".repeat(32));
    for line in bench.prints(&["contacts"]).await {
        let is_head = line.starts_with("  1  Bob") || line.starts_with("  2  Eve");
        assert!(is_head || line.starts_with("        "), "{line:?}");
        assert!(line.chars().count() <= 40, "{line:?}");
    }
}

#[tokio::test]
async fn a_borrowed_name_is_shown_with_its_fingerprint() {
    // spec: CLI-121
    let bench = Bench::new();
    {
        let world = bench.world();
        let mut state = world.state();
        state.contacts[1].name = "bob ".into();
        state.chats[1].name = "bob ".into();
        state.chats[2].name = "Bob".into();
        for (name, fingerprint) in [("ME", "e7e7e7e7e7e7e7e7e7"), ("Carol", "ca01")] {
            let sender = Sender::Other { fingerprint: fingerprint.into(), name: name.into() };
            state.add_message(3, sender, MessageBody::Text("hi".into()), MessageState::Received);
        }
        state.members[1].name = "Alice".into();
        state.members[1].fingerprint = "e7e7e7e7e7e7e7e7e7".into();
    }
    let lines = bench.prints(&["contacts"]).await;
    assert!(lines[0].starts_with("  1  Bob [b0b0]  "), "{lines:?}");
    assert!(lines[1].starts_with("  2  bob [ca01]  "), "{lines:?}");
    let lines = bench.prints(&["chats"]).await;
    assert!(lines[0].starts_with("  1  Bob [b0b0]  direct"), "{lines:?}");
    assert!(lines[2].starts_with("  3  Bob [group]  group"), "{lines:?}");
    let lines = bench.prints(&["read", "3"]).await;
    assert!(lines[0].contains(" ME [e7e7e7e7e7e7e7e7]: hi"), "{lines:?}");
    assert!(lines[1].contains(" Carol: hi"), "{lines:?}");
    let lines = bench.prints(&["group", "members", "3"]).await;
    assert!(lines[0].starts_with("Alice [aaaa1111] (you)"), "{lines:?}");
    assert!(lines[1].starts_with("Alice [e7e7e7e7e7e7e7e7]  "), "{lines:?}");
    let record = &bench.objects(&["contacts"]).await[1];
    assert_eq!(record["name"], "bob ", "scripts have the name as it is, and the fingerprint");
    assert!(record.get("label").is_none());
}

#[tokio::test]
async fn a_name_does_not_carry_the_columns_behind_it() {
    // spec: CLI-122
    let bench = Bench::new();
    {
        let world = bench.world();
        let mut state = world.state();
        state.contacts[1].name = "Dave  verified  chat 4  da7e".into();
        state.chats[2].name = " Climbing  direct\u{a0} 2 new".into();
        state.members[1].name = "Alice (you)  owner, one device".into();
        state.devices[0].name = "desk  (this one)".into();
    }
    let lines = bench.prints(&["contacts"]).await;
    assert!(lines[1].starts_with("  2  Dave verified chat 4 da7e  unverified"), "{lines:?}");
    let lines = bench.prints(&["chats"]).await;
    assert!(lines[2].starts_with("  3  Climbing direct 2 new  group"), "{lines:?}");
    let lines = bench.prints(&["group", "members", "3"]).await;
    assert!(lines[1].starts_with("Alice (you) owner, one device [b0b0]  "), "{lines:?}");
    let lines = bench.prints(&["device", "list"]).await;
    assert!(lines[0].starts_with("  1  desk (this one)"), "{lines:?}");
    let lines = bench.prints(&["group", "leave", "3"]).await;
    assert!(lines[0].starts_with("you left Climbing direct 2 new; the others"), "{lines:?}");
}
