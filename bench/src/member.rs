//! A member of a channel, as far as a relay can tell: it holds the epoch's key.

use std::sync::atomic::{AtomicU64, Ordering};

use hushwire_relay::dial::{self, DialError, FrameStream};
use hushwire_wire::{
    SigningKey,
    id::{ChannelId, EpochId, Nonce, Sequence},
    message::{Answer, Content, Follow, Handle, Hello, Request, RequestId},
    transcript::{self, Operation},
    version::VersionRange,
};
use quinn::{ClientConfig, Connection, Endpoint};

use crate::{fault::Fault, relay::Relay};

static FRESH: AtomicU64 = AtomicU64::new(1);

/// 32 bytes that this run has not used before; random enough for channels of a measurement.
fn fresh() -> [u8; 32] {
    let number = FRESH.fetch_add(1, Ordering::Relaxed);
    *transcript::content_hash(format!("{} {number}", std::process::id()).as_bytes()).as_bytes()
}

/// A session, greeted.
pub(crate) struct Session {
    _connection: Connection,
    stream: FrameStream,
    next: u64,
}

/// A session with a channel of its own.
pub(crate) struct Member {
    session: Session,
    handle: Handle,
    epoch: EpochId,
    sent: u64,
}

impl Session {
    pub(crate) async fn open(
        endpoint: &Endpoint,
        config: ClientConfig,
        relay: &Relay,
    ) -> Result<(Self, hushwire_wire::id::SessionId), Fault> {
        let connection = dial::connect(endpoint, config, relay.address).await?;
        let stream = FrameStream::open(&connection).await?;
        let mut session = Self { _connection: connection, stream, next: 0 };
        let nonce = Nonce::from_bytes(fresh());
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 };
        let Answer::Hello(reply) = session.ask(Request::Hello(hello)).await? else {
            return Err(Fault::Answer);
        };
        let id = transcript::session_id(reply.version, &nonce, &reply.nonce, &reply.relay_key);
        Ok((session, id))
    }

    async fn ask(&mut self, request: Request) -> Result<Answer, Fault> {
        self.send(request).await?;
        self.next().await
    }

    async fn send(&mut self, request: Request) -> Result<(), DialError> {
        let id = RequestId(self.next);
        self.next += 1;
        self.stream.request(id, request).await
    }

    async fn next(&mut self) -> Result<Answer, Fault> {
        Ok(self.stream.next().await?.ok_or(Fault::Answer)?.answer)
    }
}

impl Member {
    /// Connects and makes a channel.
    pub(crate) async fn join(
        endpoint: &Endpoint,
        config: ClientConfig,
        relay: &Relay,
    ) -> Result<Self, Fault> {
        let (mut session, id) = Session::open(endpoint, config, relay).await?;
        let key = SigningKey::from_bytes(&fresh());
        let (channel, nonce) = (ChannelId::from_bytes(fresh()), Nonce::from_bytes(fresh()));
        let epoch_key = transcript::public_key(&key);
        let epoch = transcript::root_epoch_id(&channel, &epoch_key, &nonce);
        let signature = transcript::channel_create(&relay.id, &id, &channel, &epoch).sign(&key);
        let request = Request::ChannelCreate { channel, epoch_key, nonce, signature };
        let Answer::ChannelOpened(opened) = session.ask(request).await? else {
            return Err(Fault::Answer);
        };
        Ok(Self { session, handle: opened.handle, epoch, sent: 0 })
    }

    /// Appends an entry of so many bytes, and waits until it is stored.
    pub(crate) async fn append(&mut self, bytes: usize) -> Result<(), Fault> {
        let mut content = vec![7; bytes];
        let number = self.sent.to_be_bytes();
        content.splice(..number.len().min(bytes), number);
        self.sent += 1;
        let (handle, content) = (self.handle, Content::Inline(content.into()));
        let request = Request::Append { handle, content, operation: Operation::Message };
        match self.session.ask(request).await? {
            Answer::Appended(_) => Ok(()),
            _ => Err(Fault::Answer),
        }
    }

    /// Reads the channel from its beginning, and counts.
    pub(crate) async fn read(&mut self) -> Result<u32, Fault> {
        let (handle, epoch) = (self.handle, self.epoch);
        let (from, follow) = (Sequence::FIRST, Follow::UntilEnd);
        self.session.send(Request::ChannelRead { handle, epoch, from, follow }).await?;
        let mut count = 0;
        loop {
            match self.session.next().await? {
                Answer::Entry(_) => count += 1,
                Answer::EpochEnd(_) => {}
                Answer::ReadEnd(_) => return Ok(count),
                _ => return Err(Fault::Answer),
            }
        }
    }
}
