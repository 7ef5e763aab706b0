//! A raw client: what a member can ask of a relay, over frames.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use hushwire_relay::dial::{DialError, Dialler, FrameStream};
use hushwire_wire::{
    SigningKey,
    error::Code,
    frame::AnswerFrame,
    id::{ChannelId, EntryId, EpochId, Nonce, PublicKey, RelayId, Sequence, SessionId, Timestamp},
    message::{Answer, Appended, Content, EntryBody, Follow, Handle, Hello, Request, RequestId},
    transcript::{self, Operation},
    version::VersionRange,
};
use quinn::{Connection, Endpoint};

pub(crate) fn endpoint() -> Endpoint {
    endpoint_at([127, 0, 0, 1])
}

/// One whose packets come from this address.
pub(crate) fn endpoint_at(source: [u8; 4]) -> Endpoint {
    Endpoint::client((source, 0).into()).unwrap()
}

/// One stream with its frames, and those that came before they were asked for.
pub(crate) struct Stream {
    frames: FrameStream,
    early: VecDeque<AnswerFrame>,
}

impl Deref for Stream {
    type Target = FrameStream;

    fn deref(&self) -> &FrameStream {
        &self.frames
    }
}

impl DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut FrameStream {
        &mut self.frames
    }
}

impl Stream {
    pub(crate) async fn open(connection: &Connection) -> Self {
        Self { frames: FrameStream::open(connection).await.unwrap(), early: VecDeque::new() }
    }

    pub(crate) async fn send(&mut self, id: RequestId, request: Request) {
        self.frames.request(id, request).await.unwrap();
    }

    /// The next answer; `None` when the stream or connection has ended.
    pub(crate) async fn next(&mut self) -> Option<AnswerFrame> {
        match self.frames.next().await {
            Ok(frame) => frame,
            Err(DialError::Frame(error)) => panic!("no frame: {error}"),
            Err(_) => None,
        }
    }

    /// The next answer to this request; others are kept for later.
    pub(crate) async fn answer_to(&mut self, id: RequestId) -> Answer {
        if let Some(place) = self.early.iter().position(|frame| frame.id == id) {
            return self.early.remove(place).unwrap().answer;
        }
        loop {
            let frame = self.next().await.expect("the session goes on");
            if frame.id == id {
                return frame.answer;
            }
            self.early.push_back(frame);
        }
    }
}

static FRESH: AtomicU64 = AtomicU64::new(1);

/// 32 bytes that this run of the tests has not used before.
pub(crate) fn fresh() -> [u8; 32] {
    let number = FRESH.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    *transcript::content_hash(format!("{process} {number}").as_bytes()).as_bytes()
}

/// A session after its hello.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) stream: Stream,
    pub(crate) relay: RelayId,
    pub(crate) relay_key: PublicKey,
    pub(crate) session: SessionId,
    next_request: u64,
}

/// A channel at an epoch, as its members know it.
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) epoch: EpochId,
    pub(crate) key: SigningKey,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, pin: RelayId) -> Self {
        let connection = Dialler::new(pin).connect(&endpoint(), address).await.unwrap();
        Self::greet(connection, pin).await
    }

    pub(crate) async fn greet(connection: Connection, pin: RelayId) -> Self {
        let mut stream = Stream::open(&connection).await;
        let nonce = Nonce::from_bytes(fresh());
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 };
        stream.send(RequestId(0), Request::Hello(hello)).await;
        let Answer::Hello(reply) = stream.answer_to(RequestId(0)).await else {
            panic!("no hello");
        };
        assert_eq!(transcript::relay_id(&reply.relay_key), pin);
        let session = transcript::session_id(reply.version, &nonce, &reply.nonce, &reply.relay_key);
        let relay_key = reply.relay_key;
        Self { connection, stream, relay: pin, relay_key, session, next_request: 1 }
    }

    pub(crate) fn next_request(&mut self) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        id
    }

    pub(crate) async fn begin(&mut self, request: Request) -> RequestId {
        let id = self.next_request();
        self.stream.send(id, request).await;
        id
    }

    pub(crate) async fn ask(&mut self, request: Request) -> Answer {
        let id = self.begin(request).await;
        self.stream.answer_to(id).await
    }

    pub(crate) async fn create_channel(&mut self) -> (Channel, Handle) {
        let key = SigningKey::from_bytes(&fresh());
        let (id, nonce) = (ChannelId::from_bytes(fresh()), Nonce::from_bytes(fresh()));
        let epoch_key = transcript::public_key(&key);
        let epoch = transcript::root_epoch_id(&id, &epoch_key, &nonce);
        let signature =
            transcript::channel_create(&self.relay, &self.session, &id, &epoch).sign(&key);
        let request = Request::ChannelCreate { channel: id, epoch_key, nonce, signature };
        let Answer::ChannelOpened(opened) = self.ask(request).await else { panic!("not created") };
        assert_eq!(opened.epoch, epoch);
        (Channel { id, epoch, key }, opened.handle)
    }

    pub(crate) async fn open_channel(&mut self, channel: &Channel) -> Handle {
        let signature =
            transcript::channel_open(&self.relay, &self.session, &channel.id, &channel.epoch)
                .sign(&channel.key);
        let request = Request::ChannelOpen { channel: channel.id, epoch: channel.epoch, signature };
        match self.ask(request).await {
            Answer::ChannelOpened(opened) => opened.handle,
            other => panic!("not opened: {other:?}"),
        }
    }

    /// Appends a message and checks the receipt.
    pub(crate) async fn append(
        &mut self,
        channel: &Channel,
        handle: Handle,
        content: impl Into<Bytes>,
    ) -> Result<Appended, Code> {
        let content = Content::Inline(content.into());
        let entry = entry_id(channel, &content);
        match self.ask(Request::Append { handle, content, operation: Operation::Message }).await {
            Answer::Appended(appended) => {
                assert_eq!(appended.entry, entry);
                self.check_receipt(channel, &appended);
                Ok(appended)
            }
            Answer::Refused(refusal) => Err(refusal.code),
            other => panic!("no answer to an append: {other:?}"),
        }
    }

    /// spec: RLY-011
    pub(crate) fn check_receipt(&self, channel: &Channel, appended: &Appended) {
        let (sequence, head) = (appended.sequence, &appended.head);
        transcript::entry_receipt(&self.relay, &channel.id, &channel.epoch, sequence, head)
            .verify(&self.relay_key, &appended.signature)
            .unwrap();
    }

    pub(crate) async fn read(
        &mut self,
        channel: &Channel,
        handle: Handle,
        follow: Follow,
    ) -> RequestId {
        let (epoch, from) = (channel.epoch, Sequence::FIRST);
        self.begin(Request::ChannelRead { handle, epoch, from, follow }).await
    }

    /// The next entries of a reading until it has caught up: content and time of storing.
    pub(crate) async fn entries(&mut self, reading: RequestId) -> Vec<(Bytes, Timestamp)> {
        let mut entries = Vec::new();
        loop {
            match self.stream.answer_to(reading).await {
                Answer::Entry(entry) => match entry.body {
                    EntryBody::Whole { content: Content::Inline(bytes), .. } => {
                        entries.push((bytes, entry.stored_at));
                    }
                    EntryBody::Expired(_) => entries.push((Bytes::new(), entry.stored_at)),
                    EntryBody::Whole { .. } => panic!("a blob"),
                },
                Answer::EpochEnd(_) => {}
                Answer::ReadEnd(_) => return entries,
                other => panic!("a reading says {other:?}"),
            }
        }
    }

    /// Everything in the channel's epoch.
    pub(crate) async fn contents(&mut self, channel: &Channel) -> Vec<Bytes> {
        let handle = self.open_channel(channel).await;
        let reading = self.read(channel, handle, Follow::UntilEnd).await;
        self.entries(reading).await.into_iter().map(|(content, _)| content).collect()
    }
}

pub(crate) fn entry_id(channel: &Channel, content: &Content) -> EntryId {
    transcript::entry_id(&channel.id, &channel.epoch, &Operation::Message, &content.hash())
}

pub(crate) fn code(answer: Answer) -> Option<Code> {
    match answer {
        Answer::Refused(refusal) => Some(refusal.code),
        _ => None,
    }
}
