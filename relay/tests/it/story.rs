//! What clients do with a relay, in process.

use hushwire_relay::{Config, Relay, RunningRelay, config};
use hushwire_wire::{
    error::Code,
    id::{BlobId, SlotId, UploadKey},
    message::{Answer, BlobReference, Content, EntryBody, Follow, Request},
    transcript::{self, Operation},
};
use tempfile::TempDir;

use crate::client::{Channel, Client, Stream, code, fresh};

/// A relay in this process, and its directory.
pub(crate) fn relay(change: impl FnOnce(&mut Config)) -> (RunningRelay, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config {
        data: directory.path().join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        store: config::Store {
            disk_reserve_bytes: 0,
            expire_every_ms: 100,
            ..config::Store::default()
        },
        ..Config::default()
    };
    change(&mut config);
    (Relay::start(config).unwrap(), directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_acknowledged_once_and_read_by_all() {
    // spec: RLY-011, RLY-020
    let (relay, _directory) = relay(|_| {});
    let mut writer = Client::connect(relay.address(), *relay.relay_id()).await;
    let (channel, handle) = writer.create_channel().await;
    let mut reader = Client::connect(relay.address(), *relay.relay_id()).await;
    let open = reader.open_channel(&channel).await;
    let reading = reader.read(&channel, open, Follow::Onward).await;
    assert!(reader.entries(reading).await.is_empty());
    let first = writer.append(&channel, handle, &b"one"[..]).await.unwrap();
    let again = writer.append(&channel, handle, &b"one"[..]).await.unwrap();
    assert_eq!((first.sequence, first.head), (again.sequence, again.head));
    // Pushed, without another request.
    assert_eq!(reader.entries(reading).await.len(), 1);
    writer.append(&channel, handle, &b"two"[..]).await.unwrap();
    assert_eq!(reader.entries(reading).await[0].0, &b"two"[..]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_at_once_are_all_acknowledged_in_one_chain() {
    // spec: RLY-020
    let (relay, _directory) = relay(|_| {});
    let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
    let (channel, handle) = client.create_channel().await;
    let mut requests = Vec::new();
    for number in 0..200_u32 {
        let content = Content::Inline(number.to_be_bytes().to_vec().into());
        let request = Request::Append { handle, content, operation: Operation::Message };
        requests.push(client.begin(request).await);
    }
    let mut places = Vec::new();
    for id in requests {
        let Answer::Appended(appended) = client.stream.answer_to(id).await else { panic!() };
        client.check_receipt(&channel, &appended);
        places.push(appended.sequence.0);
    }
    places.sort_unstable();
    assert_eq!(places, (0..200).collect::<Vec<_>>());
    assert_eq!(client.contents(&channel).await.len(), 200);
    relay.stop().await;
}

const CHUNK: usize = 256 * 1024;

async fn upload(client: &mut Client, stream: &mut Stream, content: &[u8]) -> BlobId {
    let seed = fresh();
    let key = || UploadKey::from_bytes(seed);
    let size = content.len() as u64;
    let id = client.next_request();
    stream.send(id, Request::BlobCreate { key: key(), size }).await;
    assert_eq!(stream.answer_to(id).await, Answer::BlobState { size, stored: 0 });
    for (number, chunk) in content.chunks(CHUNK).enumerate() {
        let offset = (number * CHUNK) as u64;
        let content = chunk.to_vec().into();
        let id = client.next_request();
        stream.send(id, Request::BlobWrite { key: key(), offset, content }).await;
        let stored = offset + chunk.len() as u64;
        assert_eq!(stream.answer_to(id).await, Answer::BlobState { size, stored });
    }
    transcript::blob_id(&key())
}

async fn download(client: &mut Client, stream: &mut Stream, blob: BlobId, length: u64) -> Vec<u8> {
    let id = client.next_request();
    stream.send(id, Request::BlobRead { blob, offset: 0, length }).await;
    let mut bytes = Vec::new();
    loop {
        match stream.answer_to(id).await {
            Answer::BlobChunk { offset, content } => {
                assert_eq!(offset, bytes.len() as u64);
                bytes.extend_from_slice(&content);
            }
            Answer::ReadEnd(_) => return bytes,
            other => panic!("a blob's reading says {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_entry_travels_as_a_blob_on_a_lane() {
    // spec: RLY-023
    let (relay, _directory) = relay(|_| {});
    let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
    let (channel, handle) = client.create_channel().await;
    let content: Vec<u8> = (0..16 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    let mut lane = Stream::open(&client.connection).await;
    let blob = upload(&mut client, &mut lane, &content).await;
    let content_hash = transcript::content_hash(&content);
    let reference = BlobReference { blob, content_hash, size: content.len() as u64 };
    let request = Request::Append {
        handle,
        content: Content::Blob(reference),
        operation: Operation::Message,
    };
    let Answer::Appended(appended) = client.ask(request).await else { panic!("not appended") };
    client.check_receipt(&channel, &appended);
    let reading = client.read(&channel, handle, Follow::UntilEnd).await;
    let Answer::Entry(entry) = client.stream.answer_to(reading).await else { panic!() };
    let EntryBody::Whole { content: Content::Blob(found), .. } = entry.body else { panic!() };
    assert_eq!(found, reference);
    let bytes = download(&mut client, &mut lane, found.blob, found.size).await;
    assert!(bytes == content);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_serves_blobs_and_nothing_else() {
    // spec: RLY-023
    let (relay, _directory) = relay(|_| {});
    let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
    let (_, handle) = client.create_channel().await;
    let mut lane = Stream::open(&client.connection).await;
    let id = client.next_request();
    lane.send(id, Request::ShelfStatus(handle)).await;
    assert_eq!(code(lane.answer_to(id).await), Some(Code::Unsupported));
    let id = client.next_request();
    lane.send(id, Request::SlotDrop { handle, slot: SlotId::from_bytes([1; 16]) }).await;
    assert_eq!(code(lane.answer_to(id).await), Some(Code::Unsupported));
    let id = client.next_request();
    lane.send(id, Request::Ping).await;
    assert_eq!(lane.answer_to(id).await, Answer::Done);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_leaves_its_place() {
    // spec: RLY-014
    let (relay, _directory) = relay(|config| {
        config.retention.message_days = 1.5 / 86_400.0;
    });
    let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
    let (channel, handle) = client.create_channel().await;
    client.append(&channel, handle, &b"soon gone"[..]).await.unwrap();
    assert_eq!(client.contents(&channel).await, [&b"soon gone"[..]]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while client.contents(&channel).await != [&b""[..]] {
        assert!(std::time::Instant::now() < until, "the content stays");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_tells_sessions_and_keeps_what_was_asked_before() {
    // spec: RLY-024
    let (relay, directory) = relay(|_| {});
    let pin = *relay.relay_id();
    let mut client = Client::connect(relay.address(), pin).await;
    let (channel, handle) = client.create_channel().await;
    client.append(&channel, handle, &b"kept"[..]).await.unwrap();
    let started = std::time::Instant::now();
    let stopped = tokio::spawn(relay.stop());
    let last = client.stream.next().await.unwrap();
    assert_eq!(code(last.answer), Some(Code::ShuttingDown));
    assert!(client.stream.next().await.is_none());
    stopped.await.unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
    let config = Config {
        data: directory.path().join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    let relay = Relay::start(config).unwrap();
    assert_eq!(*relay.relay_id(), pin);
    let mut client = Client::connect(relay.address(), pin).await;
    assert_eq!(client.contents(&channel).await, [&b"kept"[..]]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_what_it_owes_before_it_says_so() {
    // spec: RLY-024
    let (relay, directory) = relay(|_| {});
    let pin = *relay.relay_id();
    let mut client = Client::connect(relay.address(), pin).await;
    let (channel, handle) = client.create_channel().await;
    for number in 0..200_u32 {
        let content = Content::Inline(number.to_be_bytes().to_vec().into());
        client.begin(Request::Append { handle, content, operation: Operation::Message }).await;
    }
    let stopped = tokio::spawn(relay.stop());
    let mut acknowledged = 0;
    loop {
        let frame = client.stream.next().await.unwrap();
        match frame.answer {
            Answer::Appended(_) => acknowledged += 1,
            other => {
                assert_eq!(code(other), Some(Code::ShuttingDown));
                break;
            }
        }
    }
    assert!(client.stream.next().await.is_none());
    stopped.await.unwrap();
    let (relay, _directory) = crate::story::relay(|config| {
        config.data = directory.path().join("data");
    });
    let mut client = Client::connect(relay.address(), pin).await;
    assert_eq!(client.contents(&channel).await.len(), acknowledged);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lanes_reading_is_stopped_from_the_session() {
    // spec: RLY-023
    let (relay, _directory) = relay(|_| {});
    let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
    let mut lane = Stream::open(&client.connection).await;
    let content = vec![7; 8 * 1024 * 1024];
    let blob = upload(&mut client, &mut lane, &content).await;
    let reading = client.next_request();
    let length = content.len() as u64;
    lane.send(reading, Request::BlobRead { blob, offset: 0, length }).await;
    let first = lane.answer_to(reading).await;
    assert!(matches!(first, Answer::BlobChunk { offset: 0, .. }));
    // The lane is not read meanwhile, so the reading stands somewhere in the middle.
    assert_eq!(client.ask(Request::Stop(reading)).await, Answer::Done);
    let mut chunks = 1;
    while let Answer::BlobChunk { .. } = lane.answer_to(reading).await {
        chunks += 1;
    }
    assert!(chunks < content.len() / CHUNK, "the reading was not stopped");
    let id = client.next_request();
    lane.send(id, Request::Ping).await;
    assert_eq!(lane.answer_to(id).await, Answer::Done);
    relay.stop().await;
}

/// Appends numbered entries and counts what was acknowledged.
pub(crate) async fn append_numbers(
    client: &mut Client,
    channel: &Channel,
    handle: hushwire_wire::message::Handle,
    numbers: std::ops::Range<u32>,
    size: usize,
) -> Vec<Result<u32, Code>> {
    let mut results = Vec::new();
    for number in numbers {
        let mut content = number.to_be_bytes().to_vec();
        content.resize(size.max(4), 0x5a);
        let result = client.append(channel, handle, content).await;
        results.push(result.map(|_| number));
    }
    results
}
