//! Links, contacts, verification, groups.

use std::time::Duration;

use hushwire::{
    command::{
        ChatNumber, ChatState, Command, ContactNumber, FailureReason, GroupEdit, LinkState,
        LinkUse, RelayState,
    },
    event::{Event, Warning},
};

use crate::fake::{Bench, Fate};

#[tokio::test]
async fn a_link_is_shown_as_text_and_as_a_code_that_fits_the_screen() {
    let bench = Bench::new();
    let lines = bench.prints(&["link", "--lasting", "--expires", "7d"]).await;
    assert!(lines.len() <= 40, "{} rows", lines.len());
    let text = lines.iter().position(|line| line.starts_with("hush:")).unwrap();
    assert_eq!(lines[text].len(), 200);
    assert!(lines[..text].iter().all(|line| line.chars().count() <= 80));
    let expected = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: Some(604_800_000) };
    assert_eq!(bench.asked(), [expected]);
}

#[tokio::test]
async fn links_are_listed_and_revoked() {
    let bench = Bench::new();
    let made = bench.objects(&["link"]).await;
    assert_eq!(made[0]["usage"], "single");
    assert_eq!(bench.objects(&["link", "list"]).await, made);
    let done = bench.objects(&["link", "revoke", "1"]).await;
    assert_eq!(done[0]["done"], "link_revoked");
    assert_eq!(done[0]["link"], 1);
    assert_eq!(bench.run(&["link", "revoke", "9"]).await, 1);
}

#[tokio::test]
async fn the_end_of_a_link_is_shown() {
    let bench = Bench::new();
    let lines = bench.prints(&["link", "--expires", "7d"]).await;
    assert_eq!(lines.last().unwrap(), "link 1, single, active until 2026-11-28 09:41Z");
    assert_eq!(bench.objects(&["link", "list"]).await[0]["expires_at_ms"], 1_795_858_860_000_u64);
    bench.world().state().links[0].state = LinkState::Expired;
    let line = &bench.prints(&["link", "list"]).await[0];
    assert!(line.starts_with("  1  single   expired 2026-11-28 09:41Z  hush:"), "{line}");
    bench.world().state().links[0].state = LinkState::Used;
    let line = &bench.prints(&["link", "list"]).await[0];
    assert!(line.starts_with("  1  single   used  hush:"), "{line}");
    let done = bench.prints(&["link", "revoke", "1"]).await;
    assert!(done[0].starts_with("link 1 was used already"), "{done:?}");
}

#[tokio::test]
async fn adding_says_the_chat_or_why_not() {
    let bench = Bench::new();
    bench.console.answer(&["hush:from input\n"]);
    assert_eq!(bench.objects(&["add", "-"]).await[0]["chat"], 1);
    bench.console.answer(&["hush:typed"]);
    assert_eq!(bench.objects(&["add"]).await[0]["chat"], 1, "without an argument it asks");
    bench.world().state().then =
        vec![Event::ContactFailed { chat: ChatNumber(1), reason: FailureReason::LinkNotValid }];
    assert_eq!(bench.run(&["add", "hush:used"]).await, 1);
    assert!(bench.console.notes().contains("ask for a new one"));
    assert_eq!(bench.run(&["add", "hush:short"]).await, 1);
    assert!(bench.console.notes().contains("the link was cut off or altered"));
    assert!(bench.console.notes().contains("what to do: Copy it again, from its first"));
}

#[tokio::test]
async fn an_empty_list_says_what_to_do() {
    let bench = Bench::new();
    {
        let world = bench.world();
        let mut state = world.state();
        state.contacts.clear();
        state.chats.clear();
    }
    for (list, advice) in [
        (&["contacts"][..], "hush link"),
        (&["chats"], "`hush add`"),
        (&["link", "list"], "no link yet"),
        (&["group", "list"], "hush group new"),
    ] {
        assert!(bench.prints(list).await.is_empty(), "{list:?}");
        assert!(bench.console.notes().contains(advice), "{list:?}: {}", bench.console.notes());
    }
}

#[tokio::test]
async fn what_waits_for_the_network_has_an_exit_code_of_its_own() {
    let bench = Bench::new();
    bench.world().state().fate = Fate::Waits;
    assert_eq!(bench.run(&["add", "hush:link", "--wait", "0"]).await, 4);
    assert!(bench.console.printed().contains("Bob"), "the chat is said all the same");
    assert!(bench.console.notes().contains("one change still waits for the network after 0 s"));
    assert_eq!(bench.run(&["add", "hush:link", "--no-network"]).await, 0);
}

#[tokio::test]
async fn warnings_met_while_waiting_are_said() {
    let bench = Bench::new();
    let relay = "evil\u{1b}[2J:1#ab".to_owned();
    bench.world().state().then = vec![Event::Warning(Warning::InboxDenied { relay })];
    bench.prints(&["group", "new", "Climbing"]).await;
    assert!(bench.console.notes().contains("inbox denied, evil␛[2J:1#ab"));
}

#[tokio::test]
async fn a_relay_with_another_key_is_named_by_every_command_that_waits_for_it() {
    // spec: CLI-033
    let waiting: &[&[&str]] = &[
        &["send", "bob", "hi"],
        &["retry", "bob", "1"],
        &["link"],
        &["add", "hush:link"],
        &["group", "new", "Club"],
        &["group", "add", "climbing", "carol"],
        &["device", "revoke", "phone"],
        &["device", "link"],
    ];
    let catching_up: &[&[&str]] = &[
        &["chats"],
        &["contacts"],
        &["read", "bob"],
        &["link", "list"],
        &["group", "members", "climbing"],
        &["device", "list"],
        &["status"],
    ];
    for command in waiting.iter().chain(catching_up) {
        let bench = Bench::new();
        bench.world().receive(1, "Bob", "hi");
        {
            let world = bench.world();
            let mut state = world.state();
            state.fate = Fate::Waits;
            state.relay = RelayState::KeyMismatch;
            let relay = "relay.example:4433#ab".to_owned();
            state.then = vec![Event::Warning(Warning::RelayKeyMismatch { relay }); 2];
        }
        tokio::time::pause();
        assert_eq!(bench.run(&[*command, &["--json"]].concat()).await, 3, "{command:?}");
        let notes = bench.console.notes();
        let error: serde_json::Value = serde_json::from_str(notes.lines().last().unwrap()).unwrap();
        assert_eq!(error["code"], "relay_key_mismatch", "{command:?}");
        assert!(error["advice"].as_str().unwrap().starts_with("Do not go on. Ask who runs"));
        assert_eq!(notes.matches("another key").count(), 1, "{command:?}: {notes}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn what_is_done_without_the_relay_with_another_key_is_done() {
    let bench = Bench::new();
    bench.world().state().relay = RelayState::KeyMismatch;
    bench.prints(&["group", "new", "Club"]).await;
    let notes = bench.console.notes();
    assert!(notes.starts_with("relay.example:4433 shows another key"), "{notes}");
    assert!(notes.contains("Do not go on. Ask who runs the relay"), "{notes}");
    bench.prints(&["send", "bob", "hi", "--no-network"]).await;
    assert_eq!(bench.console.notes(), notes, "nothing was asked of a relay");
}

#[tokio::test]
async fn an_unknown_name_is_looked_for_at_the_relay_once() {
    let bench = Bench::new();
    let new = bench.world().state().chats.pop().unwrap();
    bench.world().state().relay = RelayState::CatchingUp;
    let world = bench.world();
    let arrives = async {
        tokio::time::sleep(Duration::from_millis(120)).await;
        let mut state = world.state();
        state.chats.push(new);
        state.relay = RelayState::Current;
    };
    let (exit, ()) = tokio::join!(bench.run(&["send", "climbing", "hi"]), arrives);
    assert_eq!(exit, 0, "{}", bench.console.notes());
    assert_eq!(bench.run(&["send", "nobody", "hi"]).await, 2);
}

#[tokio::test]
async fn a_chat_that_is_over_is_looked_for_at_the_relay_once() {
    let bench = Bench::new();
    bench.world().state().chats[2].state = ChatState::Removed;
    bench.world().state().relay = RelayState::CatchingUp;
    let world = bench.world();
    let added_again = async {
        tokio::time::sleep(Duration::from_millis(120)).await;
        let mut state = world.state();
        state.chats[2].state = ChatState::Open;
        state.relay = RelayState::Current;
    };
    let (exit, ()) = tokio::join!(bench.run(&["send", "climbing", "hi"]), added_again);
    assert_eq!(exit, 0, "{}", bench.console.notes());
}

#[tokio::test]
async fn a_relay_that_is_not_reached_is_said_and_what_is_here_is_shown() {
    let bench = Bench::new();
    bench.world().state().relay = RelayState::Offline;
    assert_eq!(bench.prints(&["contacts"]).await.len(), 2);
    assert!(bench.console.notes().contains("a relay is not reached"));
}

#[tokio::test]
async fn a_relay_that_does_not_have_everything_yet_is_not_up_to_date() {
    // spec: CLI-100
    let bench = Bench::new();
    bench.world().state().relay = RelayState::Sending;
    let lines = bench.prints(&["status"]).await;
    let line = "relay        relay.example:4433  connected; not everything is sent";
    assert!(lines.contains(&line.to_owned()), "{lines:?}");
    // What is not sent is not missing here.
    bench.prints(&["contacts"]).await;
    assert!(!bench.console.notes().contains("not reached"));
}

#[tokio::test]
async fn the_safety_number_is_a_grid_and_can_be_confirmed() {
    let bench = Bench::new();
    let lines = bench.prints(&["verify", "bob"]).await;
    assert_eq!(lines[0], "Safety number with Bob (unverified)");
    assert_eq!(lines[2..5], ["  12345  12345  12345  12345"; 3]);
    let lines = bench.prints(&["verify", "bob", "--confirm"]).await;
    assert_eq!(lines[0], "Safety number with Bob (verified)");
    let lines = bench.prints(&["verify", "1", "--reset"]).await;
    assert_eq!(lines[0], "Safety number with Bob (unverified)");
}

#[tokio::test]
async fn people_are_added_to_groups_all_or_none() {
    let bench = Bench::new();
    bench.world().state().members.truncate(1);
    assert_eq!(bench.run(&["group", "add", "cl", "bob", "dave"]).await, 2);
    assert!(bench.asked().is_empty());
    let done = bench.objects(&["group", "add", "cl", "bob", "2"]).await;
    assert_eq!(done.len(), 2);
    let contacts = vec![ContactNumber(1), ContactNumber(2)];
    assert_eq!(bench.asked(), [Command::GroupAddAll { chat: ChatNumber(3), contacts }]);
}

#[tokio::test]
async fn who_is_in_a_group_already_is_said_and_who_is_named_twice_is_added_once() {
    let bench = Bench::new();
    bench.prints(&["group", "add", "climbing", "bob", "carol", "2"]).await;
    let contacts = vec![ContactNumber(2)];
    assert_eq!(bench.asked(), [Command::GroupAddAll { chat: ChatNumber(3), contacts }]);
    assert_eq!(bench.console.notes(), "in the group already: Bob");
    assert_eq!(bench.run(&["group", "add", "climbing", "bob"]).await, 1);
    assert!(bench.console.notes().contains("error: Bob is in the group already"));
    assert_eq!(bench.asked().len(), 1);
    assert_eq!(bench.run(&["group", "add", "bob", "bob"]).await, 1);
    assert!(bench.console.notes().contains("this kind of chat does not allow it"));
}

#[tokio::test]
async fn a_group_change_that_fails_says_why() {
    let bench = Bench::new();
    bench.world().state().then =
        vec![Event::GroupChangeFailed { chat: ChatNumber(3), reason: FailureReason::NoRight }];
    assert_eq!(bench.run(&["group", "add", "climbing", "carol", "--json"]).await, 1);
    let error: serde_json::Value = serde_json::from_str(&bench.console.notes()).unwrap();
    assert_eq!(error["code"], "no_right");
    assert_eq!(error["exit"], 1);
}

#[tokio::test]
async fn each_person_who_is_not_added_is_told_of() {
    let bench = Bench::new();
    bench.world().state().members.truncate(1);
    let failed = |member: &str| Event::AdditionFailed {
        chat: ChatNumber(3),
        member: member.into(),
        reason: FailureReason::NoKeyPackage,
    };
    bench.world().state().then = vec![failed("b0b0")];
    assert_eq!(bench.run(&["group", "add", "climbing", "bob", "carol"]).await, 1);
    let notes = bench.console.notes();
    assert!(notes.contains("Bob is not added: the other side must come online"), "{notes}");
    assert!(!notes.contains("Carol is not added"), "{notes}");
}

#[tokio::test]
async fn members_are_removed_by_name_or_fingerprint_but_never_by_digits() {
    for member in ["bo", "B0B0"] {
        let bench = Bench::new();
        let done = bench.objects(&["group", "remove", "climbing", member]).await;
        assert_eq!(done[0]["fingerprint"], "b0b0");
        let edit = GroupEdit { remove: vec!["b0b0".into()], ..GroupEdit::default() };
        let expected = Command::ChangeGroup { chat: ChatNumber(3), change: edit.into() };
        assert_eq!(bench.asked(), [expected]);
    }
    assert_eq!(Bench::new().run(&["group", "remove", "climbing", "2"]).await, 2);
}

#[tokio::test]
async fn twins_are_told_apart_by_the_digits_that_are_shown() {
    let bench = Bench::new();
    let prints = ["1a2b3c4d5e6f78901111", "1a2b3c4d5e6f78902222"];
    for print in prints {
        let mut twin = bench.world().state().members[1].clone();
        (twin.name, twin.fingerprint) = ("Frank".into(), print.into());
        bench.world().state().members.push(twin);
    }
    assert_eq!(bench.run(&["group", "remove", "climbing", "frank"]).await, 2);
    assert_eq!(
        bench.console.notes(),
        "error: \"frank\" fits more than one member: \
         Frank [1a2b3c4d5e6f78901], Frank [1a2b3c4d5e6f78902]\n\
         what to do: Type the digits in brackets instead of the name."
    );
    let done = bench.objects(&["group", "remove", "climbing", "1a2b3c4d5e6f78902"]).await;
    assert_eq!(done[0]["fingerprint"], prints[1]);
}

#[tokio::test]
async fn nobody_removes_themselves() {
    let bench = Bench::new();
    for me in ["alice", "aaaa1111"] {
        assert_eq!(bench.run(&["group", "remove", "climbing", me]).await, 2);
    }
    assert!(bench.console.notes().contains("what to do: To go yourself: `hush group leave`."));
    assert!(bench.asked().is_empty());
}

#[tokio::test]
async fn who_was_removed_meanwhile_has_left() {
    let bench = Bench::new();
    bench.world().state().chats[2].state = ChatState::Removed;
    assert_eq!(
        bench.prints(&["group", "leave", "climbing"]).await,
        ["you are not in Climbing any more"]
    );
    bench.world().state().chats[2].state = ChatState::Open;
    let (chat, reason) = (ChatNumber(3), FailureReason::NotAMember);
    bench.world().state().then = vec![Event::GroupChangeFailed { chat, reason }];
    bench.prints(&["group", "leave", "climbing"]).await;
    bench.world().state().fate = Fate::Waits;
    assert_eq!(bench.run(&["group", "leave", "climbing", "--wait", "0"]).await, 4);
}

#[tokio::test]
async fn groups_are_listed_left_and_their_members_shown() {
    let bench = Bench::new();
    assert_eq!(bench.prints(&["group", "list"]).await, ["  3  Climbing  group"]);
    let members = bench.prints(&["group", "members", "climbing"]).await;
    assert_eq!(members[0], "Alice (you)  owner, one device  aaaa1111");
    assert_eq!(
        bench.prints(&["group", "leave", "3"]).await,
        ["you left Climbing; the others see it when one of them is online"]
    );
    assert_eq!(
        bench.prints(&["group", "leave", "3", "--no-network"]).await,
        [
            "you left Climbing; the others see it when one of them is online (queued for the network)"
        ]
    );
}

#[tokio::test]
async fn names_of_others_cannot_steer_the_terminal() {
    let bench = Bench::new();
    let evil = "\u{1b}]0;owned\u{7}\u{202e}Bob\n  9  Mallory";
    bench.world().state().contacts[0].name = evil.into();
    bench.world().state().chats[0].name = evil.into();
    bench.world().state().members[1].name = evil.into();
    for command in [&["contacts"][..], &["chats"], &["verify", "1"], &["group", "members", "3"]] {
        let lines = bench.prints(command).await;
        assert!(lines.iter().any(|line| line.contains("␛]0;owned␇<U+202E>Bob␊")), "{lines:?}");
        for line in &lines {
            assert!(!line.chars().any(|it| it.is_control() || it == '\u{202e}'), "{line:?}");
        }
    }
    assert_eq!(bench.run(&["send", "\u{1b}]0;x\u{7}", "hi"]).await, 2);
    assert!(!bench.console.notes().contains('\u{1b}'));
}

#[tokio::test]
async fn the_code_of_a_group_is_shown_to_be_compared() {
    // spec: GRP-054
    let bench = Bench::new();
    let lines = bench.prints(&["group", "code", "climbing"]).await;
    assert_eq!(lines[0], "Code of Climbing now");
    assert_eq!(lines[2], "  00001 00002 00003 00004 00005 00006");
    let object = &bench.objects(&["group", "code", "3"]).await[0];
    assert_eq!(object["type"], "group_code");
    assert_eq!(object["chat"], 3);
    assert_eq!(object["digits"], "00001 00002 00003 00004 00005 00006");
}
