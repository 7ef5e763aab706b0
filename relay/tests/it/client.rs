//! A raw client: quinn and `wire::frame`, nothing in between.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use hushwire_wire::{
    SigningKey,
    error::Code,
    frame::{self, AnswerFrame, RequestFrame, Splitter},
    id::{ChannelId, EntryId, EpochId, Nonce, PublicKey, RelayId, Sequence, SessionId, Timestamp},
    limit::Limits,
    message::{Answer, Appended, Content, EntryBody, Follow, Handle, Hello, Request, RequestId},
    transcript::{self, Operation},
    version::{ALPN, VersionRange},
};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig,
    VarInt, crypto::rustls::QuicClientConfig,
};
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// Accepts the certificate whose Ed25519 key has this relay id.
#[derive(Debug)]
struct Pin(RelayId);

/// What comes before the key in an Ed25519 SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let place = certificate.windows(SPKI.len()).position(|window| window == SPKI);
        let key = place.map(|place| &certificate[place + SPKI.len()..][..32]);
        match key.map(|key| transcript::relay_id(&PublicKey::from_slice(key).unwrap())) {
            Some(id) if id == self.0 => Ok(ServerCertVerified::assertion()),
            _ => Err(rustls::Error::General("wrong pin".into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("no TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// How a client connects.
pub(crate) struct Dialler {
    pub(crate) pin: RelayId,
    pub(crate) groups: Vec<&'static dyn SupportedKxGroup>,
    pub(crate) alpn: Vec<u8>,
    /// Bytes that the relay may send ahead of what the client has read.
    pub(crate) window_bytes: u32,
}

impl Dialler {
    pub(crate) fn new(pin: RelayId) -> Self {
        let groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
        Self { pin, groups, alpn: ALPN.to_vec(), window_bytes: 1 << 20 }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let provider =
            CryptoProvider { kx_groups: self.groups.clone(), ..aws_lc_rs::default_provider() };
        let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pin(self.pin)))
            .with_no_client_auth();
        tls.alpn_protocols = vec![self.alpn.clone()];
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let mut transport = TransportConfig::default();
        transport
            .stream_receive_window(VarInt::from_u32(self.window_bytes))
            // An unread stream must not starve the others of the connection.
            .receive_window(VarInt::from_u32(self.window_bytes * 2))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .keep_alive_interval(Some(std::time::Duration::from_secs(10)));
        config.transport_config(Arc::new(transport));
        config
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<Connection, ConnectionError> {
        connect_from(&endpoint(), self.config(), address).await
    }
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap()
}

pub(crate) async fn connect_from(
    endpoint: &Endpoint,
    config: ClientConfig,
    address: SocketAddr,
) -> Result<Connection, ConnectionError> {
    endpoint.connect_with(config, address, "relay.hushwire.invalid").unwrap().await
}

/// One stream with its frames.
pub(crate) struct Stream {
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
    splitter: Splitter,
    early: VecDeque<AnswerFrame>,
}

impl Stream {
    pub(crate) async fn open(connection: &Connection) -> Self {
        let (send, receive) = connection.open_bi().await.unwrap();
        Self { send, receive, splitter: Splitter::new(&Limits::V1), early: VecDeque::new() }
    }

    pub(crate) async fn send(&mut self, id: RequestId, request: Request) {
        let frame = frame::encode_request(&RequestFrame { id, request });
        self.send.write_all(&frame).await.unwrap();
    }

    /// The next answer; `None` when the stream or connection has ended.
    pub(crate) async fn next(&mut self) -> Option<AnswerFrame> {
        loop {
            if let Some(frame) = self.splitter.next_frame().unwrap() {
                return Some(frame::decode_answer(frame).unwrap());
            }
            let chunk = self.receive.read_chunk(1 << 16, true).await.ok()??;
            self.splitter.feed(&chunk.bytes);
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
        let connection = Dialler::new(pin).connect(address).await.unwrap();
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
