//! The command line itself: what is offered, what is refused, pages.

use std::io::ErrorKind;

use crate::fake::Bench;

#[tokio::test]
async fn the_help_lists_every_command() {
    let bench = Bench::new();
    let help = bench.prints(&["-h"]).await.join("\n");
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        commands,
        [
            "init",
            "link",
            "add",
            "join",
            "contacts",
            "chats",
            "send",
            "send-file",
            "save",
            "read",
            "follow",
            "chat",
            "pin",
            "unpin",
            "group",
            "device",
            "verify",
            "phrase",
            "status",
            "retry",
            "completion",
            "man",
        ]
    );
}

#[tokio::test]
async fn the_long_help_has_the_exit_codes_and_the_environment() {
    let help = Bench::new().prints(&["--help"]).await.join("\n");
    for words in ["EXIT CODES", "  4  accepted", "HUSH_PASSPHRASE", "NO_COLOR", "JSON", "--wait"] {
        assert!(help.contains(words), "{words}");
    }
}

#[tokio::test]
async fn every_command_has_a_help() {
    let bench = Bench::new();
    let commands: &[&[&str]] = &[
        &["init"],
        &["link"],
        &["link", "list"],
        &["link", "revoke"],
        &["add"],
        &["join"],
        &["contacts"],
        &["chats"],
        &["send"],
        &["send-file"],
        &["save"],
        &["read"],
        &["follow"],
        &["chat"],
        &["group"],
        &["group", "new"],
        &["group", "add"],
        &["group", "remove"],
        &["group", "show"],
        &["group", "rename"],
        &["group", "describe"],
        &["group", "avatar"],
        &["group", "promote"],
        &["group", "demote"],
        &["group", "rights"],
        &["group", "announce"],
        &["group", "dissolve"],
        &["group", "link"],
        &["group", "links"],
        &["group", "unlink"],
        &["group", "requests"],
        &["group", "approve"],
        &["group", "decline"],
        &["group", "leave"],
        &["group", "successors"],
        &["pin"],
        &["unpin"],
        &["group", "members"],
        &["group", "list"],
        &["device"],
        &["device", "link"],
        &["device", "list"],
        &["device", "revoke"],
        &["verify"],
        &["phrase"],
        &["status"],
        &["retry"],
        &["completion"],
        &["man"],
    ];
    for command in commands {
        let help = bench.prints(&[command, &["--help"][..]].concat()).await.join("\n");
        assert!(help.contains("Usage: hush "), "{command:?}");
    }
}

#[tokio::test]
async fn mistakes_are_usage_errors() {
    let mistakes: &[&[&str]] = &[
        &[],
        &["sned", "bob", "hi"],
        &["send", "bob"],
        &["init"],
        &["init", "--name", "Alice"],
        &["init", "--link", "code"],
        &["init", "--link", "code", "--device-name", "phone", "--name", "Alice"],
        &["init", "--name", "A", "--relay", "r", "--device-name", "phone"],
        &["link", "--single", "--lasting"],
        &["link", "--expires", "soon"],
        &["link", "revoke", "first"],
        &["group", "add", "climbing"],
        &["group", "remove", "climbing"],
        &["group", "promote", "climbing", "bob"],
        &["group", "promote", "climbing", "bob", "--admin", "--owner"],
        &["group", "avatar", "climbing"],
        &["group", "avatar", "climbing", "a.png", "--remove"],
        &["group", "rights", "climbing", "write"],
        &["group", "rights", "climbing", "sing", "admin"],
        &["group", "announce", "climbing", "loud"],
        &["group", "dissolve", "climbing"],
        &["verify", "bob", "--confirm", "--reset"],
        &["chats", "--wait", "-1"],
        &["chats", "--wait", "5", "--no-network"],
        &["completion", "tcl"],
    ];
    for mistake in mistakes {
        let bench = Bench::new();
        assert_eq!(bench.run(mistake).await, 2, "{mistake:?}");
        assert!(!bench.console.notes().is_empty(), "{mistake:?}");
        assert!(bench.opener.opened.lock().unwrap().is_empty(), "{mistake:?}");
    }
}

#[tokio::test]
async fn mistakes_are_json_for_scripts() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["sned", "--json"]).await, 2);
    let error: serde_json::Value = serde_json::from_str(&bench.console.notes()).unwrap();
    assert_eq!(error["type"], "error");
    assert_eq!(error["code"], "usage");
    let words = error["error"].as_str().unwrap();
    assert!(words.starts_with("unrecognized subcommand 'sned'"), "{words}");
    assert_eq!(error["exit"], 2);
}

#[tokio::test]
async fn completions_are_made_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = Bench::new().prints(&["completion", shell]).await.join("\n");
        assert!(script.contains("hush") && script.contains("send-file"), "{shell}");
    }
}

#[tokio::test]
async fn manual_pages_are_printed_and_written() {
    let bench = Bench::new();
    let page = bench.prints(&["man"]).await.join("\n");
    assert!(page.contains(".TH hush 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man1");
    bench.prints(&["man", "--out", out.to_str().unwrap()]).await;
    for page in ["hush.1", "hush-send.1", "hush-group-add.1"] {
        assert!(out.join(page).is_file(), "{page}");
    }
    assert!(bench.opener.opened.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure() {
    let mut bench = Bench::new();
    bench.console.output_fault = Some(ErrorKind::BrokenPipe);
    assert_eq!(bench.run(&["chats"]).await, 0);
    assert_eq!(bench.console.notes(), "");
}

#[tokio::test]
async fn an_output_that_takes_nothing_does_not_hide_what_was_done() {
    let cases: [(&[&str], u8, &str); 5] = [
        (&["send", "bob", "hi"], 5, "it is done all the same: message 1 of chat 1 is stored"),
        (&["group", "leave", "3"], 5, "it is done all the same: you left Climbing"),
        (&["link"], 5, "it is done all the same: link 1 is made"),
        (&["chats"], 1, "error: the output cannot be written: the disk is full\n"),
        (&["--help"], 1, "the output cannot be written"),
    ];
    for (arguments, exit, words) in cases {
        let mut bench = Bench::new();
        bench.console.output_fault = Some(ErrorKind::StorageFull);
        assert_eq!(bench.run(arguments).await, exit, "{arguments:?}");
        assert!(bench.console.notes().contains(words), "{}", bench.console.notes());
    }
    let mut bench = Bench::new();
    bench.console.output_fault = Some(ErrorKind::StorageFull);
    bench.run(&["chats", "--json"]).await;
    assert!(bench.console.notes().contains("\"code\":\"output_not_written\""));
}

#[tokio::test]
async fn a_wrong_value_is_refused_with_what_is_right() {
    let cases: &[(&[&str], &str)] = &[
        (&["link", "--expires", "0h"], "from 1s to 3650d"),
        (&["link", "--expires", "99999w"], "from 1s to 3650d"),
        (&["link", "--expires", "soon"], "as in 7d"),
        (&["link", "revoke", "abc"], "write a number, as the lists show it"),
        (&["retry", "bob", "last"], "write a number, as the lists show it"),
        (&["device", "link", "--yes-if", "abc"], "write the six digits"),
        (&["device", "link", "--yes-if", "12345"], "write the six digits"),
    ];
    for (arguments, words) in cases {
        let bench = Bench::new();
        assert_eq!(bench.run(arguments).await, 2, "{arguments:?}");
        assert!(bench.console.notes().contains(words), "{}", bench.console.notes());
    }
}
