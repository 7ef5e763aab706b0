//! The relay in memory answers like a real one, and breaks when it is told to.

use std::time::Duration;

use hushwire::transport::{ConnectError, Connection, Lane, LinkError, RelayTarget, Transport as _};
use hushwire_relay_rules::store::StoreError;
use hushwire_wire::{
    SigningKey,
    error::Code,
    frame::{AnswerFrame, RequestFrame},
    id::{CapabilityId, CapabilitySecret, InboxId, Nonce, RelayId, Sequence, SlotId, UploadKey},
    limit::Limits,
    message::{Answer, Follow, Handle, Hello, HelloReply, Request, RequestId},
    transcript,
    version::VersionRange,
};

use crate::memory_relay::{Fate, MemoryRelay, Passing};

const INBOX: InboxId = InboxId::from_bytes([2; 16]);
const SLOT: SlotId = SlotId::from_bytes([3; 16]);

/// A client of one lane, which counts its requests.
struct Client {
    connection: Box<dyn Connection>,
    lane: Lane,
    hello: HelloReply,
    last_id: u64,
}

async fn hail(relay: &MemoryRelay) -> Client {
    let connection = relay.connect(relay.target()).await.unwrap();
    let mut lane = connection.open_lane().await.unwrap();
    let hello = Hello {
        versions: VersionRange::SUPPORTED,
        nonce: Nonce::from_bytes([1; 32]),
        capabilities: 0,
    };
    let frame = RequestFrame { id: RequestId(0), request: Request::Hello(hello) };
    lane.requests.send(frame).await.unwrap();
    let Some(Ok(AnswerFrame { answer: Answer::Hello(hello), .. })) = lane.answers.recv().await
    else {
        panic!("no hello");
    };
    Client { connection, lane, hello, last_id: 0 }
}

impl Client {
    async fn send(&mut self, request: Request) -> RequestId {
        self.last_id += 1;
        let frame = RequestFrame { id: RequestId(self.last_id), request };
        self.lane.requests.send(frame).await.unwrap();
        RequestId(self.last_id)
    }

    async fn next(&mut self) -> Result<AnswerFrame, LinkError> {
        self.lane.answers.recv().await.unwrap()
    }

    async fn ask(&mut self, request: Request) -> Answer {
        let id = self.send(request).await;
        let frame = self.next().await.unwrap();
        assert_eq!(frame.id, id);
        frame.answer
    }

    /// Creates the inbox, opens it and lets the secret of sevens write to it.
    async fn own_inbox(&mut self) -> Handle {
        let key = SigningKey::from_bytes(&[5; 32]);
        let relay = transcript::relay_id(&self.hello.relay_key);
        let session = transcript::session_id(
            self.hello.version,
            &Nonce::from_bytes([1; 32]),
            &self.hello.nonce,
            &self.hello.relay_key,
        );
        let owner_key = transcript::public_key(&key);
        let signature = transcript::inbox_create(&relay, &session, &INBOX, &owner_key).sign(&key);
        let created = self.ask(Request::InboxCreate { inbox: INBOX, owner_key, signature }).await;
        assert_eq!(created, Answer::Done);
        let signature = transcript::inbox_open(&relay, &session, &INBOX, &SLOT).sign(&key);
        let opened = self.ask(Request::InboxOpen { inbox: INBOX, slot: SLOT, signature }).await;
        let Answer::InboxOpened { handle, .. } = opened else { panic!("{opened:?}") };
        let put = Request::CapabilityPut {
            handle,
            capability: capability(),
            items_max: None,
            expires_at: None,
            card: bytes::Bytes::new(),
        };
        assert_eq!(self.ask(put).await, Answer::Done);
        handle
    }
}

fn capability() -> CapabilityId {
    transcript::capability_id(&CapabilitySecret::from_bytes([7; 32]))
}

fn item(text: &'static str) -> Request {
    let secret = CapabilitySecret::from_bytes([7; 32]);
    Request::InboxSend { inbox: INBOX, secret, item: bytes::Bytes::from_static(text.as_bytes()) }
}

#[tokio::test(start_paused = true)]
async fn what_one_session_writes_another_reads_as_it_comes() {
    let relay = MemoryRelay::new(1, Limits::V1);
    let mut owner = hail(&relay).await;
    let handle = owner.own_inbox().await;
    let follow = Request::InboxRead { handle, from: Sequence::FIRST, follow: Follow::Onward };
    let reading = owner.send(follow).await;
    assert_eq!(owner.next().await.unwrap().answer, Answer::ReadEnd(Follow::Onward));

    let mut writer = hail(&relay).await;
    for text in ["one", "two"] {
        assert!(matches!(writer.ask(item(text)).await, Answer::InboxSent { .. }));
        let heard = owner.next().await.unwrap();
        // It says each time that it has caught up.
        let caught_up = owner.next().await.unwrap().answer;
        assert_eq!(caught_up, Answer::ReadEnd(Follow::Onward));
        let Answer::InboxItem(found) = heard.answer else { panic!("{heard:?}") };
        assert_eq!((heard.id, &found.item[..]), (reading, text.as_bytes()));
    }
    let stop = owner.send(Request::Stop(reading)).await;
    let over = AnswerFrame { id: reading, answer: Answer::ReadEnd(Follow::UntilEnd) };
    assert_eq!(owner.next().await, Ok(over));
    assert_eq!(owner.next().await.unwrap().id, stop);
    assert!(relay.with_store(|store| store.rows_stored()) > 0);
}

#[tokio::test(start_paused = true)]
async fn further_lanes_are_for_blobs() {
    let relay = MemoryRelay::new(1, Limits::V1);
    let client = hail(&relay).await;
    let mut lane = client.connection.open_lane().await.unwrap();
    let requests =
        [Request::BlobCreate { key: UploadKey::from_bytes([1; 32]), size: 3 }, item("not here")];
    for (id, request) in (100..).zip(requests) {
        lane.requests.send(RequestFrame { id: RequestId(id), request }).await.unwrap();
    }
    let first = lane.answers.recv().await.unwrap().unwrap();
    assert_eq!(first.answer, Answer::BlobState { size: 3, stored: 0 });
    let second = lane.answers.recv().await.unwrap().unwrap();
    assert!(matches!(second.answer, Answer::Refused(refusal) if refusal.code == Code::Unsupported));
}

#[tokio::test(start_paused = true)]
async fn frames_meet_the_fate_that_a_story_gives_them() {
    let relay = MemoryRelay::new(1, Limits::V1);
    hail(&relay).await.own_inbox().await;
    let cases = [(Fate::CutBefore, 0), (Fate::CutAfter, 1)];
    for (fate, more) in cases {
        let before = relay.with_store(|store| store.rows_stored());
        let mut client = hail(&relay).await;
        relay.set_hook(move |passing| match passing {
            Passing::Request(RequestFrame { request: Request::InboxSend { .. }, .. }) => fate,
            _ => Fate::Deliver,
        });
        client.send(item("cut")).await;
        assert_eq!(client.next().await, Err(LinkError::Lost));
        let after = relay.with_store(|store| store.rows_stored());
        assert_eq!(after > before, more == 1, "{fate:?}");
    }
    let mut client = hail(&relay).await;
    relay.set_hook(|passing| match passing {
        Passing::Answer(AnswerFrame { id: RequestId(1), .. }) => Fate::Lose,
        Passing::Answer(_) => Fate::Delay(Duration::from_secs(5)),
        Passing::Request(_) => Fate::Deliver,
    });
    let started = tokio::time::Instant::now();
    client.send(Request::Ping).await;
    let second = client.send(Request::Ping).await;
    assert_eq!(client.next().await.unwrap().id, second);
    assert_eq!(started.elapsed().as_secs(), 5);
    relay.cut_all();
    assert_eq!(client.next().await, Err(LinkError::Lost));
}

#[tokio::test(start_paused = true)]
async fn the_relay_fails_and_refuses_when_told() {
    let relay = MemoryRelay::new(1, Limits::V1);
    let mut client = hail(&relay).await;
    client.own_inbox().await;
    relay.with_store(|store| store.fail_commits(Some(StoreError::Full)));
    let refused = client.ask(item("x")).await;
    assert!(matches!(refused, Answer::Refused(refusal) if refusal.code == Code::StorageFull));

    let again = RequestFrame {
        id: RequestId(0),
        request: Request::Hello(Hello {
            versions: VersionRange::SUPPORTED,
            nonce: Nonce::from_bytes([1; 32]),
            capabilities: 0,
        }),
    };
    client.lane.requests.send(again).await.unwrap();
    let refused = client.next().await;
    assert!(matches!(refused, Ok(AnswerFrame { answer: Answer::Refused(_), .. })), "{refused:?}");
    assert_eq!(client.next().await, Err(LinkError::ClosedByRelay(Code::HelloMisplaced)));

    let target = RelayTarget { relay: RelayId::from_bytes([9; 32]), ..relay.target() };
    assert_eq!(relay.connect(target).await.err(), Some(ConnectError::RelayKeyMismatch));
    relay.refuse_connections(Some(ConnectError::Refused));
    assert_eq!(relay.connect(relay.target()).await.err(), Some(ConnectError::Refused));
    relay.refuse_connections(None);
    let before = hail(&relay).await.hello.time;
    relay.advance(Duration::from_secs(60));
    assert_eq!(hail(&relay).await.hello.time.ms_since(before), 60_000);
}
