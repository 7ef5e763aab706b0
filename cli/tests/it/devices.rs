//! Linking and revoking devices; the recovery phrase.

use hushwire::{
    command::{Command, Comparison, DeviceNumber, FailureReason, SecretText},
    event::Event,
};

use crate::fake::Bench;

fn linking() -> Bench {
    let bench = Bench::new();
    let code = SecretText::new("123456".into());
    bench.world().state().then = vec![Event::DeviceCompare { code }, Event::DeviceLinked];
    bench
}

fn confirmed(bench: &Bench) -> Option<Comparison> {
    bench.asked().into_iter().find_map(|command| match command {
        Command::DeviceLinkConfirm(comparison) => Some(comparison),
        _ => None,
    })
}

#[tokio::test]
async fn linking_shows_the_code_then_the_digits_and_asks() {
    let bench = linking();
    bench.console.answer(&["y"]);
    let lines = bench.prints(&["device", "link"]).await;
    assert!(lines.contains(&"hush-device:code".to_owned()));
    assert!(lines.contains(&"Compare with the other device:  123 456".to_owned()));
    assert_eq!(lines.last().unwrap(), "The new device is linked.");
    assert_eq!(confirmed(&bench), Some(Comparison::Equal));
}

#[tokio::test]
async fn only_a_clear_answer_counts() {
    for answers in [&["n"][..], &["", "NO"], &["maybe", "123456", "no"]] {
        let bench = linking();
        bench.console.answer(answers);
        assert_eq!(bench.run(&["device", "link"]).await, 1);
        assert_eq!(confirmed(&bench), Some(Comparison::Different), "{answers:?}");
    }
    for answers in [&["Y"][..], &["what", "yes"]] {
        let bench = linking();
        bench.console.answer(answers);
        bench.prints(&["device", "link"]).await;
        assert_eq!(confirmed(&bench), Some(Comparison::Equal), "{answers:?}");
    }
}

#[tokio::test]
async fn scripts_compare_by_given_digits() {
    let cases = [
        (["--yes-if", "123 456"], "", Comparison::Equal),
        (["--yes-if", "123457"], "", Comparison::Different),
        (["--yes-if", "-"], "123456", Comparison::Equal),
        (["--yes-if", "-"], "654321", Comparison::Different),
    ];
    for (arguments, answer, expected) in cases {
        let bench = linking();
        bench.console.answer(&[answer]);
        let exit = bench.run(&[&["device", "link", "--json"], &arguments[..]].concat()).await;
        assert_eq!(confirmed(&bench), Some(expected), "{arguments:?}");
        assert_eq!(exit, u8::from(expected == Comparison::Different));
    }
}

#[tokio::test]
async fn devices_are_listed_and_revoked_by_name() {
    let bench = Bench::new();
    assert_eq!(bench.prints(&["device", "list"]).await, ["  1  laptop  (this one)", "  2  phone"]);
    assert_eq!(bench.prints(&["device", "revoke", "ph"]).await, ["phone is revoked"]);
    assert_eq!(bench.asked(), [Command::DeviceRevoke(DeviceNumber(2))]);
    assert_eq!(bench.run(&["device", "revoke", "tablet"]).await, 2);
}

#[tokio::test]
async fn a_device_gets_new_keys() {
    let bench = Bench::new();
    assert_eq!(bench.prints(&["device", "refresh"]).await, ["This device has new keys."]);
    assert_eq!(bench.asked(), [Command::RefreshKeys]);
}

#[tokio::test]
async fn a_linking_that_new_keys_end_is_told() {
    // spec: IDN-063
    for arguments in [&["device", "refresh"][..], &["device", "revoke", "phone"]] {
        let bench = Bench::new();
        let ended = Event::DeviceLinkFailed(FailureReason::DevicesChanged);
        bench.world().state().then = vec![ended];
        assert_eq!(bench.run(arguments).await, 0);
        let notes = bench.console.notes();
        assert!(notes.contains("device link failed: devices changed"), "{notes}");
    }
}

#[tokio::test]
async fn the_phrase_is_checked_without_being_shown() {
    let bench = Bench::new();
    bench.console.answer(&["right"]);
    bench.prints(&["phrase"]).await;
    assert!(bench.console.notes().contains("kept on no device"));
    assert_eq!(bench.console.secret_questions.lock().unwrap().len(), 1);
    bench.console.answer(&["wrong"]);
    assert_eq!(bench.run(&["phrase"]).await, 1);
    assert!(bench.console.notes().contains("another identity"));
    assert!(!bench.console.printed().contains("right"), "only the verdict is shown");
}
