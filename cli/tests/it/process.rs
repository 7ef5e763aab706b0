//! The program as a process: exit codes, streams, environment.

use std::process::{Command, Output, Stdio};

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
