//! One channel at a relay with the real rules; everything that passes is a frame in bytes.

use std::sync::Arc;

use bytes::Bytes;
use hushwire_relay_rules::{
    Group, MemoryStore, Progress, Session, Signer, Source, Step, WaitingRoom, store::ReadLimit,
};
use hushwire_wire::{
    SigningKey,
    error::Code,
    frame::{
        AnswerFrame, RequestFrame, decode_answer, decode_request, encode_answer, encode_request,
    },
    id::{ChannelId, EntryId, EpochId, Nonce, RelayId, Sequence, SessionId, Timestamp},
    limit::Limits,
    message::{Answer, Content, EntryBody, Follow, Handle, Hello, Request, RequestId},
    transcript::{self, Operation},
    version::{VERSION, VersionRange},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

pub(super) const CHANNEL: ChannelId = ChannelId::from_bytes([0xC4; 32]);
/// What a frame has in front of its content: its length.
const LENGTH_BYTES: usize = 4;

/// The relay.
pub(super) struct Relay {
    store: MemoryStore,
    signer: Signer,
    limits: Arc<Limits>,
    waiting: WaitingRoom,
    now: Timestamp,
    sessions: u8,
}

/// A session that has the channel open at an epoch.
pub(super) struct Reader {
    session: Session,
    last: RequestId,
    pub(super) handle: Handle,
}

/// An entry as a member sees it.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) epoch: EpochId,
    pub(super) sequence: Sequence,
    pub(super) operation: Operation,
    pub(super) envelope: Vec<u8>,
}

impl Entry {
    pub(super) fn id(&self) -> EntryId {
        let hash = transcript::content_hash(&self.envelope);
        transcript::entry_id(&CHANNEL, &self.epoch, &self.operation, &hash)
    }

    /// The epoch that this commit opens.
    pub(super) fn opens(&self) -> EpochId {
        EpochId::from_bytes(*self.id().as_bytes())
    }
}

impl Relay {
    pub(super) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            signer: Signer::new(SigningKey::from_bytes(&[0x11; 32])),
            limits: Arc::new(Limits::V1),
            waiting: WaitingRoom::new(Box::new(ChaCha20Rng::seed_from_u64(4))),
            now: Timestamp(1_800_000_000_000),
            sessions: 0,
        }
    }

    fn connect(&mut self) -> (Reader, RelayId, SessionId) {
        self.sessions += 1;
        let key = self.signer.public_key();
        let (ours, theirs) = (Nonce::from_bytes([7; 32]), Nonce::from_bytes([self.sessions; 32]));
        let source = Source::from_bytes([self.sessions; 8]);
        let session = Session::new(key, Arc::clone(&self.limits), theirs, source);
        let mut reader = Reader { session, last: RequestId::HELLO, handle: Handle(0) };
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce: ours, capabilities: 0 };
        let answer = self.ask_as(&mut reader, RequestId::HELLO, Request::Hello(hello)).remove(0);
        let Answer::Hello(_) = answer else { panic!("no hello: {answer:?}") };
        let id = transcript::session_id(VERSION, &ours, &theirs, &key);
        (reader, transcript::relay_id(&key), id)
    }

    /// Creates the channel with the key of its first epoch; the epoch's id.
    pub(super) fn create(&mut self, key: &SigningKey) -> EpochId {
        let (mut reader, relay, session) = self.connect();
        let nonce = Nonce::from_bytes([5; 32]);
        let epoch_key = transcript::public_key(key);
        let epoch = transcript::root_epoch_id(&CHANNEL, &epoch_key, &nonce);
        let signature = transcript::channel_create(&relay, &session, &CHANNEL, &epoch).sign(key);
        let request = Request::ChannelCreate { channel: CHANNEL, epoch_key, nonce, signature };
        let answer = self.ask(&mut reader, request).remove(0);
        assert!(matches!(answer, Answer::ChannelOpened(_)), "not created: {answer:?}");
        epoch
    }

    /// Opens the channel on a new session, if the relay takes the key for that of the epoch.
    pub(super) fn open(&mut self, epoch: &EpochId, key: &SigningKey) -> Option<Reader> {
        let (mut reader, relay, session) = self.connect();
        let signature = transcript::channel_open(&relay, &session, &CHANNEL, epoch).sign(key);
        let request = Request::ChannelOpen { channel: CHANNEL, epoch: *epoch, signature };
        match self.ask(&mut reader, request).remove(0) {
            Answer::ChannelOpened(opened) => {
                reader.handle = opened.handle;
                Some(reader)
            }
            Answer::Refused(refusal) => {
                assert_eq!(refusal.code, Code::Denied);
                None
            }
            other => panic!("not opened: {other:?}"),
        }
    }

    /// Appends an entry by who holds the key of its epoch. Epochs are old enough for a commit.
    pub(super) fn append(
        &mut self,
        epoch: &EpochId,
        key: &SigningKey,
        operation: Operation,
        envelope: &[u8],
    ) -> EntryId {
        self.now = self.now.plus_ms(60_000);
        let mut reader = self.open(epoch, key).expect("a member opens its epoch");
        let content = Content::Inline(Bytes::copy_from_slice(envelope));
        let request = Request::Append { handle: reader.handle, content, operation };
        match self.ask(&mut reader, request).remove(0) {
            Answer::Appended(appended) => appended.entry,
            other => panic!("not appended: {other:?}"),
        }
    }

    /// The last entry of an epoch.
    pub(super) fn last(&mut self, epoch: &EpochId, key: &SigningKey) -> Entry {
        let mut reader = self.open(epoch, key).expect("a member opens its epoch");
        let handle = reader.handle;
        let (from, follow) = (Sequence::FIRST, Follow::UntilEnd);
        let request = Request::ChannelRead { handle, epoch: *epoch, from, follow };
        let answers = self.ask(&mut reader, request);
        let entries = answers.into_iter().filter_map(|answer| match answer {
            Answer::Entry(entry) if entry.epoch == *epoch => Some(entry),
            _ => None,
        });
        let entry = entries.last().expect("an entry");
        let EntryBody::Whole { content: Content::Inline(envelope), operation } = entry.body else {
            panic!("an entry without its content");
        };
        let envelope = envelope.to_vec();
        Entry { epoch: entry.epoch, sequence: entry.sequence, operation, envelope }
    }

    fn ask(&mut self, reader: &mut Reader, request: Request) -> Vec<Answer> {
        reader.last = RequestId(reader.last.0 + 1);
        self.ask_as(reader, reader.last, request)
    }

    fn ask_as(&mut self, reader: &mut Reader, id: RequestId, request: Request) -> Vec<Answer> {
        let sent = encode_request(&RequestFrame { id, request });
        let RequestFrame { request, .. } = decode_request(sent.slice(LENGTH_BYTES..)).unwrap();
        let mut step = reader.session.handle(self.now, id, request);
        let replies = loop {
            let outcome = match step {
                Step::Reply(reply) => break vec![reply],
                Step::Read(mut reading) => {
                    let limit = ReadLimit { rows_max: 64, bytes_max: 1 << 20 };
                    let mut replies = Vec::new();
                    loop {
                        let part = reading.next(&self.store, self.now, limit);
                        replies.extend(part.replies);
                        if part.progress != Progress::More {
                            break;
                        }
                    }
                    reader.session.reading_over(id);
                    break replies;
                }
                Step::Lookup(lookup) => lookup.run(&self.store, self.now),
                Step::Write(write) => {
                    let mut group = Group::new();
                    let waiting = &mut self.waiting;
                    group.plan(&self.store, &self.limits, waiting, self.now, (), &write);
                    group.commit(&mut self.store).outcomes.remove(0).1
                }
                Step::ReplyThenClose(_) | Step::Stop { .. } => panic!("nobody asks for this"),
            };
            step = reader.session.complete(id, outcome);
        };
        replies
            .into_iter()
            .map(|reply| {
                let answer = self.signer.sign(reply);
                let sent = encode_answer(&AnswerFrame { id, answer });
                decode_answer(sent.slice(LENGTH_BYTES..)).unwrap().answer
            })
            .collect()
    }
}
