//! A relay with its store and clock, and clients that talk to it, all in one thread.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use hushwire_relay_rules::{
    Group, MemoryStore, News, Outcome, Progress, Reading, Session, Signer, Source, Step,
    WaitingRoom, Wake, Write, store::ReadLimit, store::Store as _,
};
use hushwire_wire::{
    SigningKey,
    error::{Code, Refusal},
    id::{
        CapabilitySecret, ChannelId, EntryId, EpochId, InboxId, Nonce, PublicKey, RelayId,
        Sequence, SessionId, SlotId, Timestamp, UploadKey,
    },
    limit::Limits,
    message::{
        Answer, Appended, ChannelOpened, Content, Entry, EntryBody, Follow, Handle, Hello, Request,
        RequestId,
    },
    transcript::{self, CommitMark, Cut, Operation},
    version::VersionRange,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

/// What one step of a reading may take, unless a test says otherwise.
pub(crate) const PLENTY: ReadLimit = ReadLimit { rows_max: 1_000, bytes_max: 1 << 24 };

/// A relay: rules, store, clock, key.
pub(crate) struct Relay {
    pub(crate) store: MemoryStore,
    pub(crate) limits: Arc<Limits>,
    pub(crate) waiting: WaitingRoom,
    pub(crate) now: Timestamp,
    pub(crate) budget: ReadLimit,
    signer: Signer,
    sessions: u8,
    news: Vec<News>,
}

/// A client's end of one session.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) name: SessionId,
    last_id: u64,
    readings: BTreeMap<RequestId, Reading>,
}

impl Default for Relay {
    fn default() -> Self {
        Self::new(Limits::V1)
    }
}

impl Relay {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            store: MemoryStore::new(),
            limits: Arc::new(limits),
            waiting: nobody_waits(),
            now: Timestamp(1_800_000_000_000),
            budget: PLENTY,
            signer: Signer::new(SigningKey::from_bytes(&[200; 32])),
            sessions: 0,
            news: Vec::new(),
        }
    }

    /// What is on disk, and nothing else, goes on under new limits.
    pub(crate) fn restart(&mut self, limits: Limits) {
        self.limits = Arc::new(limits);
        self.waiting = nobody_waits();
        self.signer = Signer::new(SigningKey::from_bytes(&[200; 32]));
        self.news.clear();
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.signer.public_key()
    }

    pub(crate) fn id(&self) -> RelayId {
        transcript::relay_id(&self.key())
    }

    pub(crate) fn wait_ms(&mut self, milliseconds: u64) {
        self.now = self.now.plus_ms(milliseconds);
    }

    /// A session before its hello.
    pub(crate) fn accept(&mut self) -> Session {
        let source = [self.sessions.wrapping_add(1); Source::LENGTH];
        self.accept_from(Source::from_bytes(source))
    }

    /// A session from this place, before its hello.
    pub(crate) fn accept_from(&mut self, source: Source) -> Session {
        self.sessions += 1;
        let nonce = Nonce::from_bytes([self.sessions; 32]);
        Session::new(self.key(), self.limits.clone(), nonce, source)
    }

    /// A session after its hello.
    pub(crate) fn connect(&mut self) -> Client {
        let session = self.accept();
        self.greet(session)
    }

    /// A session from this place, after its hello.
    pub(crate) fn connect_from(&mut self, source: Source) -> Client {
        let session = self.accept_from(source);
        self.greet(session)
    }

    fn greet(&mut self, mut session: Session) -> Client {
        let nonce = Nonce::from_bytes([100; 32]);
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 };
        let step = session.handle(self.now, RequestId::HELLO, Request::Hello(hello));
        let Answer::Hello(reply) = self.sign(step) else { panic!("no hello") };
        let name = transcript::session_id(reply.version, &nonce, &reply.nonce, &reply.relay_key);
        Client { session, name, last_id: 0, readings: BTreeMap::new() }
    }

    /// The answer of a step that is one.
    pub(crate) fn sign(&mut self, step: Step) -> Answer {
        match step {
            Step::Reply(reply) | Step::ReplyThenClose(reply) | Step::Stop { reply, .. } => {
                self.signer.sign(reply)
            }
            other => panic!("not an answer: {other:?}"),
        }
    }

    /// Carries one request through to its answer; every write is a group of its own.
    pub(crate) fn ask(&mut self, client: &mut Client, request: Request) -> Answer {
        let id = client.new_id();
        let mut step = client.session.handle(self.now, id, request);
        loop {
            let outcome = match step {
                Step::Lookup(lookup) => lookup.run(&self.store, self.now),
                Step::Write(write) => {
                    let mut group = Group::new();
                    self.plan(&mut group, (), &write);
                    self.commit(group).remove(0).1
                }
                Step::Stop { ref readings, .. } => {
                    readings.iter().for_each(|id| drop(client.readings.remove(id)));
                    return self.sign(step);
                }
                step => return self.sign(step),
            };
            step = client.session.complete(id, outcome);
        }
    }

    /// Plans a write of a group.
    pub(crate) fn plan<T>(&mut self, group: &mut Group<T>, name: T, write: &Write) {
        group.plan(&self.store, &self.limits, &mut self.waiting, self.now, name, write);
    }

    /// The refusal that a request meets.
    pub(crate) fn refused(&mut self, client: &mut Client, request: Request) -> Refusal {
        match self.ask(client, request) {
            Answer::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The code of the refusal that a request meets.
    pub(crate) fn code(&mut self, client: &mut Client, request: Request) -> Code {
        self.refused(client, request).code
    }

    pub(crate) fn commit<T>(&mut self, group: Group<T>) -> Vec<(T, Outcome)> {
        let stored = group.commit(&mut self.store);
        self.news.extend(stored.news);
        stored.outcomes
    }

    /// Begins a reading and takes all that it says until it waits or is over.
    pub(crate) fn read(
        &mut self,
        client: &mut Client,
        request: Request,
    ) -> (RequestId, Vec<Answer>) {
        let id = client.new_id();
        match client.session.handle(self.now, id, request) {
            Step::Read(reading) => {
                client.readings.insert(id, reading);
                let said = self.drain(client, id);
                (id, said)
            }
            step => (id, vec![self.sign(step)]),
        }
    }

    /// Shows all news so far to a reading, and takes what it says if any of them concern it.
    pub(crate) fn poll(&mut self, client: &mut Client, id: RequestId) -> Vec<Answer> {
        let reading = client.readings.get_mut(&id).expect("the reading goes on");
        let mut wake = Wake::Unconcerned;
        for news in &self.news {
            if reading.wake(news) == Wake::Due {
                wake = Wake::Due;
            }
        }
        match wake {
            Wake::Due => self.drain(client, id),
            Wake::Unconcerned => Vec::new(),
        }
    }

    /// The reading goes on in steps of the relay's budget.
    pub(crate) fn drain(&mut self, client: &mut Client, id: RequestId) -> Vec<Answer> {
        let mut said = Vec::new();
        // More steps than any story needs: a reading that does not go forward is a bug.
        for _ in 0..100_000 {
            let reading = client.readings.get_mut(&id).expect("the reading goes on");
            let step = reading.next(&self.store, self.now, self.budget);
            said.extend(step.replies.into_iter().map(|reply| self.signer.sign(reply)));
            match step.progress {
                Progress::More => {}
                Progress::CaughtUp => return said,
                Progress::Over => {
                    client.readings.remove(&id);
                    client.session.reading_over(id);
                    return said;
                }
            }
        }
        panic!("the reading never ends");
    }

    pub(crate) fn expire_all(&mut self) -> usize {
        self.store.expire(self.now, usize::MAX).expect("memory does not fail")
    }
}

impl Client {
    pub(crate) fn new_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId(self.last_id)
    }

    pub(crate) fn is_reading(&self, id: RequestId) -> bool {
        self.readings.contains_key(&id)
    }
}

fn nobody_waits() -> WaitingRoom {
    WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(1)))
}

/// The secret half of an epoch or owner key.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> PublicKey {
    transcript::public_key(&key(seed))
}

pub(crate) fn bytes(content: &str) -> Bytes {
    Bytes::copy_from_slice(content.as_bytes())
}

pub(crate) fn inline(content: &str) -> Content {
    Content::Inline(bytes(content))
}

pub(crate) fn child(entry: &EntryId) -> EpochId {
    EpochId::from_bytes(*entry.as_bytes())
}

pub(crate) const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);
pub(crate) const NONCE: Nonce = Nonce::from_bytes([2; 32]);
pub(crate) const INBOX: InboxId = InboxId::from_bytes([3; 16]);

pub(crate) fn slot(seed: u8) -> SlotId {
    SlotId::from_bytes([seed; 16])
}

pub(crate) fn secret(seed: u8) -> CapabilitySecret {
    CapabilitySecret::from_bytes([seed; 32])
}

pub(crate) fn upload(seed: u8) -> UploadKey {
    UploadKey::from_bytes([seed; 32])
}

/// The first epoch of [`CHANNEL`] under the key of this seed.
pub(crate) fn root(seed: u8) -> EpochId {
    transcript::root_epoch_id(&CHANNEL, &public(seed), &NONCE)
}

pub(crate) fn create(relay: &Relay, client: &Client, seed: u8) -> Request {
    let proof = transcript::channel_create(&relay.id(), &client.name, &CHANNEL, &root(seed));
    Request::ChannelCreate {
        channel: CHANNEL,
        epoch_key: public(seed),
        nonce: NONCE,
        signature: proof.sign(&key(seed)),
    }
}

pub(crate) fn open(relay: &Relay, client: &Client, epoch: EpochId, seed: u8) -> Request {
    let proof = transcript::channel_open(&relay.id(), &client.name, &CHANNEL, &epoch);
    Request::ChannelOpen { channel: CHANNEL, epoch, signature: proof.sign(&key(seed)) }
}

pub(crate) fn message(handle: Handle, content: &str) -> Request {
    Request::Append { handle, content: inline(content), operation: Operation::Message }
}

pub(crate) fn commit(handle: Handle, next: u8, cut: Cut, contested: &[EntryId]) -> Request {
    let mark = CommitMark { next_key: public(next), cut, contested: contested.to_vec() };
    let content = inline(&format!("commit to {next}"));
    Request::Append { handle, content, operation: Operation::Commit(mark) }
}

pub(crate) fn read(handle: Handle, epoch: EpochId, from: u64, follow: Follow) -> Request {
    Request::ChannelRead { handle, epoch, from: Sequence(from), follow }
}

pub(crate) fn opened(answer: Answer) -> ChannelOpened {
    match answer {
        Answer::ChannelOpened(opened) => opened,
        other => panic!("not opened: {other:?}"),
    }
}

pub(crate) fn appended(answer: Answer) -> Appended {
    match answer {
        Answer::Appended(appended) => appended,
        other => panic!("not appended: {other:?}"),
    }
}

/// A reading's frames in short: contents, `-id`s of what expired, `|` at the end of an epoch with
/// its next sequence, `.` when it waits, `!` when it is over.
pub(crate) fn short(answers: &[Answer]) -> String {
    let words: Vec<String> = answers
        .iter()
        .map(|answer| match answer {
            Answer::Entry(Entry { body: EntryBody::Whole { content, .. }, .. }) => match content {
                Content::Inline(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Content::Blob(_) => "blob".into(),
            },
            Answer::Entry(Entry { body: EntryBody::Expired(_), .. }) => "expired".into(),
            Answer::EpochEnd(end) => format!("|{}", end.next.0),
            Answer::InboxItem(item) => String::from_utf8_lossy(&item.item).into_owned(),
            Answer::ReadEnd(Follow::Onward) => ".".into(),
            Answer::ReadEnd(Follow::UntilEnd) => "!".into(),
            Answer::Refused(refusal) => refusal.code.name().into(),
            other => panic!("not of a reading: {other:?}"),
        })
        .collect();
    words.join(" ")
}

/// Creates [`CHANNEL`] under the key 1, or opens it at its first epoch.
pub(crate) fn created(relay: &mut Relay, client: &mut Client) -> ChannelOpened {
    let request = create(relay, client, 1);
    opened(relay.ask(client, request))
}
