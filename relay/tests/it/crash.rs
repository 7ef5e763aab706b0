//! A relay process dies at every named step; what it acknowledged is there afterwards, and what it
//! did not can be sent again.

use std::path::Path;

use bytes::Bytes;
use hushwire_relay::crash::{POINTS, Point, VARIABLE};
use hushwire_wire::{
    error::Code,
    id::UploadKey,
    message::{Answer, BlobReference, Content, Request},
    transcript::{self, Operation},
};

use crate::{
    client::{Channel, Client, fresh},
    process::{Process, SETTINGS, command, configure},
    story::append_numbers,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    // spec: RLY-011
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let process = Process::start(directory.path());
    let mut client = Client::connect(process.address, process.relay).await;
    let (channel, handle) = client.create_channel().await;
    let acknowledged = append_numbers(&mut client, &channel, handle, 0..100, 1000).await;
    assert!(acknowledged.iter().all(Result::is_ok));
    process.kill();
    let process = Process::start(directory.path());
    let mut client = Client::connect(process.address, process.relay).await;
    assert_eq!(client.contents(&channel).await.len(), 100);
}

/// Appends until the relay dies; which numbers were acknowledged.
async fn append_until_death(client: &mut Client, channel: &Channel) -> Vec<u32> {
    let handle = client.open_channel(channel).await;
    let mut acknowledged = Vec::new();
    for number in 0..50_u32 {
        let content = Content::Inline(number.to_be_bytes().to_vec().into());
        let request = Request::Append { handle, content, operation: Operation::Message };
        let id = client.next_request();
        let frame = hushwire_wire::frame::RequestFrame { id, request };
        let bytes = hushwire_wire::frame::encode_request(&frame);
        if client.stream.send.write_all(&bytes).await.is_err() {
            return acknowledged;
        }
        match client.stream.next().await.map(|frame| frame.answer) {
            Some(Answer::Appended(appended)) => {
                client.check_receipt(channel, &appended);
                acknowledged.push(number);
            }
            Some(other) => panic!("a dying relay says {other:?}"),
            None => return acknowledged,
        }
    }
    panic!("the relay did not die");
}

async fn dies_and_keeps(data: &Path, point: &str, channel: &Channel) {
    let mut dying = command(data);
    dying.env(VARIABLE, format!("{point}:7"));
    let mut process = Process::spawn(dying);
    // A short silence tells the client that the relay is gone.
    let mut client = Client::connect(process.address, process.relay).await;
    let connection = client.connection.clone();
    let death = tokio::task::spawn_blocking(move || {
        let status = process.wait(std::time::Duration::from_secs(30));
        // The system answers for the dead; the client need not wait for its own timer.
        connection.close(0_u32.into(), b"");
        status
    });
    let acknowledged = append_until_death(&mut client, channel).await;
    assert!(!death.await.unwrap().success());
    let process = Process::start(data);
    let mut client = Client::connect(process.address, process.relay).await;
    let stored = client.contents(channel).await;
    for number in &acknowledged {
        assert!(stored.iter().any(|content| content[..] == number.to_be_bytes()), "{point}");
    }
    // Sent again, each is there once.
    let handle = client.open_channel(channel).await;
    let again = append_numbers(&mut client, channel, handle, 0..50, 4).await;
    assert!(again.iter().all(Result::is_ok));
    let mut stored = client.contents(channel).await;
    stored.sort_unstable();
    let expected: Vec<_> = (0..50_u32).map(|number| number.to_be_bytes().to_vec()).collect();
    assert_eq!(stored, expected, "{point}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_step_of_a_write_loses_nothing_acknowledged() {
    // spec: RLY-011, RLY-030
    for (point, name) in POINTS {
        let on_the_way = matches!(
            point,
            Point::WritePlanned
                | Point::CommitBeforeSync
                | Point::CommitAfterSync
                | Point::FanoutBeforeWake
                | Point::AnswerBeforeSend
        );
        if !on_the_way {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        configure(directory.path(), SETTINGS);
        let process = Process::start(directory.path());
        let mut client = Client::connect(process.address, process.relay).await;
        let (channel, _) = client.create_channel().await;
        process.kill();
        dies_and_keeps(directory.path(), name, &channel).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_death_between_chunks() {
    // spec: RLY-030
    const CHUNK: usize = 256 * 1024;
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let mut dying = command(directory.path());
    // The blob's record, then its first chunk.
    dying.env(VARIABLE, "relay.blob.chunk-stored:2");
    let mut process = Process::spawn(dying);
    let mut client = Client::connect(process.address, process.relay).await;
    let seed = fresh();
    let key = || UploadKey::from_bytes(seed);
    let size = 2 * CHUNK as u64;
    let created = client.ask(Request::BlobCreate { key: key(), size }).await;
    assert_eq!(created, Answer::BlobState { size, stored: 0 });
    let chunk = |byte| vec![byte; CHUNK].into();
    client.begin(Request::BlobWrite { key: key(), offset: 0, content: chunk(1) }).await;
    assert!(!process.wait(std::time::Duration::from_secs(30)).success());
    let process = Process::start(directory.path());
    let mut client = Client::connect(process.address, process.relay).await;
    let state = client.ask(Request::BlobStat(transcript::blob_id(&key()))).await;
    let Answer::BlobState { stored, .. } = state else { panic!("{state:?}") };
    assert_eq!(stored, CHUNK as u64);
    let write = Request::BlobWrite { key: key(), offset: stored, content: chunk(2) };
    assert_eq!(client.ask(write).await, Answer::BlobState { size, stored: size });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_leaves_a_large_entry_with_its_blob_held_or_neither() {
    // spec: CHN-031, RLY-011
    // The channel, the blob, its one chunk, then the entry.
    for (point, held) in
        [("relay.commit.before-sync:4", Answer::Done), ("relay.commit.after-sync:4", in_use())]
    {
        let directory = tempfile::tempdir().unwrap();
        configure(directory.path(), SETTINGS);
        let mut dying = command(directory.path());
        dying.env(VARIABLE, point);
        let mut process = Process::spawn(dying);
        let mut client = Client::connect(process.address, process.relay).await;
        let (channel, handle) = client.create_channel().await;
        let seed = fresh();
        let key = || UploadKey::from_bytes(seed);
        client.ask(Request::BlobCreate { key: key(), size: 6 }).await;
        let content = Bytes::from_static(b"sealed");
        client.ask(Request::BlobWrite { key: key(), offset: 0, content }).await;
        let content = Content::Blob(BlobReference {
            blob: transcript::blob_id(&key()),
            content_hash: transcript::content_hash(b"sealed"),
            size: 6,
        });
        client.begin(Request::Append { handle, content, operation: Operation::Message }).await;
        assert!(!process.wait(std::time::Duration::from_secs(30)).success());
        let process = Process::start(directory.path());
        let mut client = Client::connect(process.address, process.relay).await;
        assert_eq!(client.ask(Request::BlobDelete(key())).await, held, "{point}");
        let handle = client.open_channel(&channel).await;
        let content = Content::Inline(Bytes::from_static(b"next"));
        let next = Request::Append { handle, content, operation: Operation::Message };
        let Answer::Appended(appended) = client.ask(next).await else { panic!("{point}") };
        assert_eq!(appended.sequence.0, u64::from(held == in_use()), "{point}");
    }
}

fn in_use() -> Answer {
    Answer::Refused(Code::BlobInUse.into())
}

#[test]
fn steps_outside_of_writes_kill_as_well_and_an_unknown_name_stops_the_start() {
    // spec: RLY-030
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    for name in ["relay.start.opened", "relay.expire.before"] {
        let mut dying = command(directory.path());
        let status = dying.env(VARIABLE, name).output().unwrap().status;
        assert_eq!(status.code(), None, "{name} must die by a signal");
    }
    let mut stopping = command(directory.path());
    let mut process = Process::spawn({
        stopping.env(VARIABLE, "relay.stop.begun");
        stopping
    });
    process.terminate();
    assert_eq!(process.wait(std::time::Duration::from_secs(30)).code(), None);
    let mut unknown = command(directory.path());
    let output = unknown.env(VARIABLE, "relay.no.such").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(VARIABLE));
    Process::start(directory.path());
}
