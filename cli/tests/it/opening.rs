//! Opening and creating profiles: passphrases, the phrase, joining.

use std::path::PathBuf;

use hushwire::{
    command::{Command, Comparison, FailureReason, RelayState, SecretText},
    event::Event,
};
use hushwire_cli::backend::{Creation, Lock, LockKind, Opening};

use crate::fake::{Bench, FakeOpener, World};

const RELAY: &str = "relay.example:4433#BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
const INIT: [&str; 5] = ["init", "--name", "Alice", "--relay", RELAY];
/// Those of the test vectors.
const LINKING_CODE: &str = "hush:E1FRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlYLp1N77BPM2CcxmChGpRHGRDSBCMVpjf_zpAzUf_Gze2Eub3JnwfZQ";
const CONTACT_LINK: &str = "hush:ERERERERERERERERERERERERERERERERERERERERERERIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiJyZWxheS5leGFtcGxlLm9yZ2_jiQ";
const LINKING_CODE_TYPED: &str = " hush:E1FRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlYLp1N77BPM2CcxmChGpRHGRDSBCMVpjf_zpAzUf_Gze2Eub3JnwfZQ ";
const JOIN: [&str; 5] = ["init", "--link", LINKING_CODE, "--device-name", "phone"];

fn new_bench() -> Bench {
    let mut opener = FakeOpener::new(World::without_identity());
    opener.lock = None;
    Bench { opener, ..Bench::new() }
}

fn opened(bench: &Bench) -> Opening {
    bench.opener.opened.lock().unwrap().pop().unwrap()
}

fn passphrase(opening: Opening) -> String {
    let Lock::Passphrase(passphrase) = opening.lock else { panic!("{opening:?}") };
    passphrase.expose().to_owned()
}

#[tokio::test]
async fn a_new_identity_shows_its_phrase_once_in_a_grid() {
    let bench = new_bench();
    let lines = bench.prints(&INIT).await;
    assert!(lines[0].contains("Write these 24 words down"), "{lines:?}");
    assert!(
        lines.contains(&"   1 zoo          7 zoo         13 zoo         19 zoo".into()),
        "{lines:#?}"
    );
    let opening = opened(&bench);
    assert_eq!(opening.creation, Creation::New);
    assert_eq!(opening.profile, PathBuf::from("/nowhere/profile"));
    assert_eq!(passphrase(opening), "correct");
}

#[tokio::test]
async fn a_new_identity_is_one_json_object_with_the_phrase() {
    let objects = new_bench().objects(&INIT).await;
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["type"], "identity");
    assert_eq!(objects[0]["name"], "Alice");
    assert_eq!(objects[0]["phrase"], ["zoo"; 24].join(" "));
}

#[tokio::test]
async fn a_typed_passphrase_is_typed_twice_and_not_shown() {
    let mut bench = new_bench();
    bench.passphrase = None;
    bench.console.answer(&["one", "one"]);
    bench.prints(&INIT).await;
    assert_eq!(bench.console.secret_questions.lock().unwrap().len(), 2);
    assert_eq!(passphrase(opened(&bench)), "one");

    let mut bench = new_bench();
    bench.passphrase = None;
    bench.console.answer(&["one", "two"]);
    assert_eq!(bench.run(&INIT).await, 3);
    assert!(bench.opener.opened.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_passphrase_file_counts_before_the_environment_and_gives_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passphrase");
    std::fs::write(&file, "from file\r\nnot this\n").unwrap();
    let bench = Bench::new();
    bench.prints(&["chats", "--passphrase-file", file.to_str().unwrap()]).await;
    assert_eq!(passphrase(opened(&bench)), "from file");
    assert_eq!(bench.run(&["chats", "--passphrase-file", "/nowhere/file"]).await, 1);
}

#[tokio::test]
async fn without_anybody_to_ask_a_passphrase_is_an_error_to_act_on() {
    let mut bench = Bench::new();
    bench.passphrase = None;
    assert_eq!(bench.run(&["chats"]).await, 3);
    assert!(bench.console.notes().contains("HUSH_PASSPHRASE"));
    bench.passphrase = Some("");
    assert_eq!(bench.run(&["chats"]).await, 3);
}

#[tokio::test]
async fn a_profile_without_passphrase_asks_for_none() {
    let mut bench = new_bench();
    bench.passphrase = None;
    bench.prints(&[&INIT[..], &["--no-passphrase"]].concat()).await;
    assert!(matches!(opened(&bench).lock, Lock::KeyFile));
    bench.opener.lock = Some(LockKind::KeyFile);
    bench.prints(&["chats"]).await;
    assert!(matches!(opened(&bench).lock, Lock::KeyFile));
}

#[tokio::test]
async fn a_passphrase_that_would_lock_nothing_is_refused() {
    let mut bench = new_bench();
    bench.opener.lock = Some(LockKind::KeyFile);
    assert_eq!(bench.run(&["chats"]).await, 3);
    assert!(bench.console.notes().contains("this profile has no passphrase"));
    assert_eq!(bench.run(&INIT).await, 3);
    bench.opener.lock = Some(LockKind::Passphrase);
    assert_eq!(bench.run(&[&INIT[..], &["--no-passphrase"]].concat()).await, 3);
    assert!(bench.console.notes().contains("a profile with a passphrase is here already"));
}

#[tokio::test]
async fn an_init_that_was_interrupted_can_be_repeated_but_no_identity_is_replaced() {
    let mut bench = new_bench();
    bench.opener.lock = Some(LockKind::Passphrase);
    bench.prints(&INIT).await;
    assert_eq!(opened(&bench).creation, Creation::Existing);
    assert_eq!(bench.run(&INIT).await, 1);
    assert!(bench.console.notes().contains("has an identity already"));
}

#[tokio::test]
async fn what_does_not_open_says_what_to_do() {
    let mut bench = Bench::new();
    bench.opener.fault = Some(FakeOpener::wrong_passphrase());
    assert_eq!(bench.run(&["chats"]).await, 3);
    assert_eq!(bench.console.notes(), "error: the passphrase is wrong\nwhat to do: Type it again.");
    let mut bench = Bench::new();
    bench.opener.lock = None;
    assert_eq!(bench.run(&["chats"]).await, 3);
    assert!(bench.console.notes().contains("hush init"));
}

#[tokio::test]
async fn joining_shows_the_digits_and_then_the_identity() {
    let bench = new_bench();
    let code = SecretText::new("123456".into());
    bench.world().state().then = vec![Event::DeviceCompare { code }, Event::DeviceLinked];
    bench.console.answer(&["y"]);
    let lines = bench.prints(&JOIN).await;
    assert_eq!(lines[0], "Compare with the other device:  123 456");
    assert!(lines[1].contains("Alice"), "{lines:?}");
    let asked = bench.asked();
    let code = SecretText::new(LINKING_CODE.into());
    assert_eq!(asked[0], Command::JoinIdentity { code, device_name: "phone".into() });
    assert!(asked.contains(&Command::DeviceLinkConfirm(Comparison::Equal)));
}

#[tokio::test]
async fn joining_stops_when_the_digits_differ() {
    let bench = new_bench();
    let code = SecretText::new("123456".into());
    bench.world().state().then = vec![Event::DeviceCompare { code }];
    assert_eq!(bench.run(&[&JOIN[..], &["--yes-if", "654321"]].concat()).await, 1);
    assert!(bench.asked().contains(&Command::DeviceLinkConfirm(Comparison::Different)));
}

#[tokio::test]
async fn joining_that_fails_says_why_and_the_code_can_come_from_input() {
    let bench = new_bench();
    bench.console.answer(&[LINKING_CODE_TYPED]);
    bench.world().state().then = vec![Event::DeviceLinkFailed(FailureReason::IdentityNotProven)];
    assert_eq!(bench.run(&["init", "--link", "-", "--device-name", "phone"]).await, 1);
    assert!(bench.console.notes().contains("could not prove its identity"));
    let asked = bench.asked();
    let Command::JoinIdentity { code, .. } = &asked[0] else { panic!() };
    assert_eq!(code.expose(), LINKING_CODE);
}

#[tokio::test]
async fn what_is_wrong_with_an_init_is_said_before_there_is_a_profile() {
    let name = |name| ["init", "--name", name, "--relay", RELAY];
    let relay = |relay| ["init", "--name", "Alice", "--relay", relay];
    let code = |code| ["init", "--link", code, "--device-name", "phone"];
    let cases = [
        (name(""), "bad_text"),
        (name("a\u{202e}b"), "bad_text"),
        (relay("relay.example:4433"), "bad_relay_address"),
        (relay("relay.example#ab"), "bad_relay_address"),
        (code(CONTACT_LINK), "contact_link"),
        (code(&LINKING_CODE[..60]), "link_truncated"),
        (code("code"), "not_a_link"),
        (["init", "--link", LINKING_CODE, "--device-name", ""], "bad_text"),
    ];
    for (line, expected) in cases {
        let bench = new_bench();
        assert_eq!(bench.run(&[&line[..], &["--json"]].concat()).await, 1, "{line:?}");
        let error: serde_json::Value = serde_json::from_str(&bench.console.notes()).unwrap();
        assert_eq!(error["code"], expected, "{line:?}");
        assert!(bench.opener.opened.lock().unwrap().is_empty(), "{line:?}");
    }
}

#[tokio::test]
async fn a_profile_of_another_user_is_not_taken_for_one_with_a_passphrase() {
    let mut bench = Bench::new();
    bench.passphrase = None;
    bench.opener.locked_out = Some(FakeOpener::not_permitted());
    for line in [&["chats"][..], &INIT] {
        assert_eq!(bench.run(line).await, 1);
        assert!(bench.console.notes().contains("is not permitted"), "{}", bench.console.notes());
        assert!(!bench.console.notes().contains("passphrase"), "{}", bench.console.notes());
    }
}

#[tokio::test]
async fn a_new_device_does_not_wait_for_ever_and_says_that_a_relay_is_not_reached() {
    let bench = new_bench();
    bench.world().state().relay = RelayState::Offline;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    assert_eq!(bench.run(&[&JOIN[..], &["--wait", "3"]].concat()).await, 1);
    assert_eq!(begun.elapsed().as_secs(), 180);
    let notes = bench.console.notes();
    assert!(notes.starts_with("a relay is not reached; this goes on when it is"), "{notes}");
    assert!(notes.contains("linking did not finish in time"), "{notes}");
}
