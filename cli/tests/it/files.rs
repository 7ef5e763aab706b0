//! Files in and out.

use hushwire::command::{Command, FailureReason, MessageBody, MessageState, Sender, TransferState};

use crate::fake::{Bench, Fate};

fn with_file() -> Bench {
    let bench = Bench::new();
    let body = MessageBody::File {
        name: "photo.jpg".into(),
        size: 4,
        media_type: "image/jpeg".into(),
        transfer: TransferState::Remote,
    };
    bench.world().state().add_message(1, Sender::Me, body, MessageState::Stored);
    bench
}

#[tokio::test]
async fn a_file_is_sent_with_its_absolute_path_and_guessed_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Photo.JPG");
    std::fs::write(&path, b"1234").unwrap();
    let bench = Bench::new();
    let sent = bench.objects(&["send-file", "bob", path.to_str().unwrap()]).await;
    assert_eq!(sent[0]["state"], "stored");
    assert_eq!(sent[0]["file_name"], "Photo.JPG");
    assert_eq!(bench.console.bars.lock().unwrap()[0], 4);
    let asked = bench.asked();
    let Command::SendFile { path: sent, media_type, .. } = &asked[0] else { panic!() };
    assert_eq!((sent.as_str(), media_type.as_str()), (path.to_str().unwrap(), "image/jpeg"));
}

#[tokio::test]
async fn what_is_no_file_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let bench = Bench::new();
    for path in [folder.path(), &missing] {
        assert_eq!(bench.run(&["send-file", "bob", path.to_str().unwrap()]).await, 1);
    }
    assert!(bench.asked().is_empty());
    assert!(bench.console.notes().contains("what to do: Check the path"));
}

#[tokio::test]
async fn a_file_is_saved_into_a_folder_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let bench = with_file();
    let saved = bench.objects(&["save", "bob", "1", folder.path().to_str().unwrap()]).await;
    let expected = folder.path().join("photo.jpg");
    assert_eq!(saved[0]["path"], expected.to_str().unwrap());
    assert_eq!(*bench.console.bars.lock().unwrap(), [4, 0, 2]);
}

#[tokio::test]
async fn a_file_name_cannot_lead_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let bench = with_file();
    if let MessageBody::File { name, .. } = &mut bench.world().state().messages[0].body {
        *name = "../../etc/passwd".into();
    }
    let saved = bench.objects(&["save", "bob", "1", folder.path().to_str().unwrap()]).await;
    assert_eq!(saved[0]["path"], folder.path().join("passwd").to_str().unwrap());
}

#[tokio::test]
async fn a_save_that_fails_or_does_not_apply_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let path = path.to_str().unwrap();
    let bench = with_file();
    bench.world().state().fate = Fate::Waits;
    assert_eq!(bench.run(&["save", "bob", "1", path, "--wait", "0"]).await, 4);
    if let MessageBody::File { transfer, .. } = &mut bench.world().state().messages[0].body {
        *transfer = TransferState::Failed(FailureReason::Expired);
    }
    let lines = bench.prints(&["read", "bob"]).await;
    assert!(lines[0].contains("; failed: the relay no longer keeps it]"), "{lines:?}");
    bench.world().receive(1, "Bob", "no file");
    assert_eq!(bench.run(&["save", "bob", "2", path]).await, 1);
    assert_eq!(bench.run(&["save", "bob", "9", path]).await, 1);
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_folder_that_is_missing_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("photo.jpg"), b"mine").unwrap();
    let bench = with_file();
    let (taken, missing) = (folder.path().join("photo.jpg"), folder.path().join("no/photo.jpg"));
    for path in [folder.path(), &taken] {
        assert_eq!(bench.run(&["save", "bob", "1", path.to_str().unwrap(), "--json"]).await, 1);
    }
    assert_eq!(bench.run(&["save", "bob", "1", missing.to_str().unwrap(), "--json"]).await, 1);
    let notes = bench.console.notes();
    assert_eq!(notes.matches(r#""code":"file_exists""#).count(), 2, "{notes}");
    assert_eq!(notes.matches(r#""code":"folder_missing""#).count(), 1, "{notes}");
    assert!(bench.asked().is_empty(), "nothing was fetched");
}

#[tokio::test]
async fn what_may_be_done_is_not_advised_to_be_repeated() {
    let bench = Bench::new();
    bench.world().state().unanswered = true;
    assert_eq!(bench.run(&["send", "bob", "hello", "--json"]).await, 1);
    let notes = bench.console.notes();
    assert!(notes.contains(r#""code":"unanswered""#), "{notes}");
    assert!(notes.contains("It may be done already"), "{notes}");
}
