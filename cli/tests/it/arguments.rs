//! The command line itself: what is offered, what is refused, pages.

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
            "contacts",
            "chats",
            "send",
            "send-file",
            "save",
            "read",
            "follow",
            "chat",
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
        &["group", "leave"],
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
    bench.console.nobody_reads = true;
    assert_eq!(bench.run(&["chats"]).await, 0);
    assert_eq!(bench.console.notes(), "");
}
