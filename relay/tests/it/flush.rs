//! A client that takes nothing does not keep what ends.

use std::time::Duration;

use hushwire_relay::{RunningRelay, dial::Dialler};
use hushwire_wire::{
    id::{BlobId, UploadKey},
    message::{Answer, Request},
    transcript,
};

use crate::{
    client::{Client, Stream, endpoint, fresh},
    story::relay,
};

/// Far more than a session that ends waits for, far less than the idle timeout that would end a
/// silent connection.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// More than the client's windows, less than what makes a relay stop reading: it sees the end.
const BLOB_BYTES: usize = 32 * 1024;

/// A session over small windows: what it does not take stays at the relay.
async fn narrow(relay: &RunningRelay) -> Client {
    let pin = *relay.relay_id();
    let dialler = Dialler { window_bytes: 4 * 1024, ..Dialler::new(pin) };
    Client::greet(dialler.connect(&endpoint(), relay.address()).await.unwrap(), pin).await
}

/// A stored blob.
async fn upload(relay: &RunningRelay) -> BlobId {
    let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
    let seed = fresh();
    let key = || UploadKey::from_bytes(seed);
    let size = BLOB_BYTES as u64;
    client.ask(Request::BlobCreate { key: key(), size }).await;
    let content = vec![7; BLOB_BYTES].into();
    let stored = client.ask(Request::BlobWrite { key: key(), offset: 0, content }).await;
    assert_eq!(stored, Answer::BlobState { size, stored: size });
    client.connection.close(0_u32.into(), b"");
    transcript::blob_id(&key())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_does_not_wait_for_a_client_that_takes_nothing() {
    // spec: RLY-043
    let (relay, _directory) = relay(|_| {});
    let blob = upload(&relay).await;
    let mut client = narrow(&relay).await;
    let length = BLOB_BYTES as u64;
    // Its beginning comes, so the rest is on its way; the client takes no more of it.
    let reading = client.begin(Request::BlobRead { blob, offset: 0, length }).await;
    let mut first = [0; 16];
    client.stream.receive.read_exact(&mut first).await.unwrap();
    client.stream.send.finish().unwrap();
    let closed = tokio::time::timeout(ENDS_WITHIN, client.connection.closed()).await;
    assert!(closed.is_ok(), "the session of {reading:?} never ends");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_ends_gives_its_place_to_the_next() {
    // spec: RLY-043
    let (relay, _directory) = relay(|config| config.connections.streams_max = 2);
    let blob = upload(&relay).await;
    let mut client = narrow(&relay).await;
    let mut lane = Stream::open(&client.connection).await;
    let (id, length) = (client.next_request(), BLOB_BYTES as u64);
    lane.send(id, Request::BlobRead { blob, offset: 0, length }).await;
    let mut first = [0; 16];
    lane.receive.read_exact(&mut first).await.unwrap();
    lane.send.finish().unwrap();
    // It learns of the end when it looks; until then its side of the stream stays.
    let next = tokio::time::timeout(ENDS_WITHIN, client.connection.open_bi()).await;
    assert!(next.is_ok(), "the lane keeps its place");
    assert!(client.ask(Request::Ping).await == Answer::Done, "the session goes on");
    relay.stop().await;
}
