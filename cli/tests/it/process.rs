//! The program as a process: exit codes, streams, environment.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Output, Stdio},
};

fn hush(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hush"));
    command.args(arguments).stdin(Stdio::null()).env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    hush(arguments).output().unwrap()
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [["--help"], ["--version"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.starts_with(b"hush ") || output.stdout.starts_with(b"Chat "));
        assert!(output.stderr.is_empty());
        assert!(!output.stdout.contains(&0x1b), "no colours without a terminal");
    }
}

#[test]
fn a_mistake_ends_with_2_and_says_so_on_standard_error() {
    let output = run(&["sned"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("'send'"), "a suggestion");
}

#[test]
fn the_profile_comes_from_the_option_the_environment_or_the_home() {
    let home = tempfile::tempdir().unwrap();
    let none = home.path().join("none");
    let mut by_environment = hush(&["chats"]);
    by_environment.env("HUSH_PROFILE", &none);
    let commands =
        [hush(&["chats", "--profile", none.to_str().unwrap()]), by_environment, hush(&["chats"])];
    for mut command in commands {
        let output = command.env("HOME", home.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("there is no profile here"));
    }
    let entries = std::fs::read_dir(home.path()).unwrap().count();
    assert_eq!(entries, 0, "looking for a profile leaves nothing behind");
}

#[test]
fn errors_are_json_for_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = hush(&["status", "--json"]);
    let output = command.env("HUSH_PROFILE", folder.path().join("none")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], "no_profile");
}

#[test]
fn a_reader_that_leaves_early_is_no_crash() {
    let mut child = hush(&["completion", "zsh"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_process_is_refused_by_name_and_takes_over_when_the_owner_is_killed() {
    // spec: CLI-071, CLI-087
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("profile");
    let on_profile = |arguments: &[&str]| {
        let mut command = hush(arguments);
        command.env("HUSH_PROFILE", &profile);
        command
    };
    // A key of nines; nobody listens there.
    let relay = format!("127.0.0.1:1#{}CQk", "CQkJ".repeat(10));
    let init =
        ["init", "--name", "Alice", "--relay", &relay, "--no-passphrase", "--no-network", "--json"];
    let made = on_profile(&init).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let mut owner = on_profile(&["follow", "--from", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(owner.stdout.take().unwrap()).lines();
    let change = ["group", "new", "Club", "--no-network", "--json"];
    assert_eq!(on_profile(&change).output().unwrap().status.code(), Some(0));
    said.next().unwrap().unwrap();

    let again = on_profile(&init).output().unwrap();
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("has an identity already"));
    let key = std::fs::read(profile.join("key")).unwrap();
    std::fs::write(profile.join("key"), [1; 32]).unwrap();
    let wrong = on_profile(&change).output().unwrap();
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("wrong_key"), "{wrong:?}");
    std::fs::write(profile.join("key"), key).unwrap();

    let mut second = on_profile(&["follow", "--from", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(second.stdout.take().unwrap()).lines();
    let mut numbers = vec![said.next().unwrap().unwrap()];
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_eq!(on_profile(&change).output().unwrap().status.code(), Some(0));
    numbers.push(said.next().unwrap().unwrap());
    let numbers: Vec<serde_json::Value> =
        numbers.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(numbers[0]["number"], 1, "{numbers:?}");
    assert_eq!(numbers[1]["number"], 2, "{numbers:?}");
    second.kill().unwrap();
    second.wait().unwrap();
}

#[test]
fn a_conversation_on_a_pipe_names_what_is_not_text() {
    let folder = tempfile::tempdir().unwrap();
    let on_profile = |arguments: &[&str]| {
        let mut command = hush(arguments);
        command.env("HUSH_PROFILE", folder.path().join("profile"));
        command
    };
    let relay = format!("127.0.0.1:1#{}CQk", "CQkJ".repeat(10));
    let init = ["init", "--name", "Alice", "--relay", &relay, "--no-passphrase", "--no-network"];
    assert_eq!(on_profile(&init).output().unwrap().status.code(), Some(0));
    let group = on_profile(&["group", "new", "Club", "--no-network"]).output().unwrap();
    assert_eq!(group.status.code(), Some(0), "{group:?}");
    let mut chat = on_profile(&["chat", "Club", "--no-network", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    chat.stdin.take().unwrap().write_all(b"one\ntwo \xff\nthree\n").unwrap();
    let output = chat.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], "not_text");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_named() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = hush(&["completion", "zsh"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.starts_with("error: the output cannot be written: the disk is full"), "{notes}");
}

#[test]
fn a_log_filter_that_cannot_be_read_is_said() {
    let cases =
        [("in fo", ["phrase", "--help"], "HUSH_LOG is"), ("a=loud", ["chats", "--json"], "{")];
    for (filter, arguments, begin) in cases {
        let mut command = hush(&arguments);
        let folder = tempfile::tempdir().unwrap();
        command.env("HUSH_PROFILE", folder.path().join("none"));
        let output = command.env("HUSH_LOG", filter).output().unwrap();
        let notes = String::from_utf8(output.stderr).unwrap();
        assert!(notes.starts_with(begin), "{notes}");
        assert!(notes.contains("HUSH_LOG is no log filter"), "{notes}");
    }
}
