//! Dialling a relay: TLS with a pinned key, and frames on a stream, with nothing in between. What
//! `hush-relay plant` and the tests use; a chat client is another package, which a relay never links.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hushwire_wire::{
    frame::{self, AnswerFrame, FrameError, RequestFrame, Splitter},
    id::{PublicKey, RelayId},
    limit::Limits,
    message::{Request, RequestId},
    transcript,
    version::ALPN,
};
use quinn::{
    ClientConfig, Connection, Endpoint, RecvStream, SendStream, TransportConfig, VarInt,
    crypto::rustls::QuicClientConfig,
};
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// Not sent and not checked; the key is.
const SERVER_NAME: &str = "relay.hushwire.invalid";
/// Read from the relay at once, in bytes.
const READ_BYTES_MAX: usize = 64 * 1024;
/// A relay closes a connection that says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Why a relay was not reached. Blame: the address, the relay, or the way to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The configuration asks for what TLS does not have.
    #[error("this is no configuration of TLS 1.3 over QUIC")]
    Configuration,
    /// The address cannot be dialled.
    #[error("the relay cannot be dialled: {0}")]
    Connect(#[from] quinn::ConnectError),
    /// There is no connection, or no longer.
    #[error("the connection ended: {0}")]
    Ended(#[from] quinn::ConnectionError),
    /// Nothing more can be written.
    #[error("the relay takes no more: {0}")]
    Write(#[from] quinn::WriteError),
    /// Nothing more can be read.
    #[error("the relay says no more: {0}")]
    Read(#[from] quinn::ReadError),
    /// What came is no frame.
    #[error("the relay sent what is no frame")]
    Frame(#[from] FrameError),
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Dialler {
    /// The relay that is meant.
    pub pin: RelayId,
    /// The key exchanges that are offered, the first with a share.
    pub groups: Vec<&'static dyn SupportedKxGroup>,
    /// The protocol that is asked for.
    pub alpn: Vec<u8>,
    /// Bytes of one stream that the relay may send ahead of what was read.
    pub window_bytes: u32,
}

impl Dialler {
    /// As version 1 wants it.
    pub fn new(pin: RelayId) -> Self {
        let groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
        Self { pin, groups, alpn: ALPN.to_vec(), window_bytes: 1 << 20 }
    }

    /// The same for QUIC, to share among connections.
    ///
    /// # Errors
    /// [`DialError::Configuration`] if TLS cannot do it.
    pub fn config(&self) -> Result<ClientConfig, DialError> {
        let provider =
            CryptoProvider { kx_groups: self.groups.clone(), ..aws_lc_rs::default_provider() };
        let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|_| DialError::Configuration)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned(self.pin)))
            .with_no_client_auth();
        tls.alpn_protocols = vec![self.alpn.clone()];
        tls.enable_sni = false;
        let tls = QuicClientConfig::try_from(tls).map_err(|_| DialError::Configuration)?;
        let mut config = ClientConfig::new(Arc::new(tls));
        let mut transport = TransportConfig::default();
        transport
            .stream_receive_window(VarInt::from_u32(self.window_bytes))
            // An unread stream must not starve the others of the connection.
            .receive_window(VarInt::from_u32(self.window_bytes.saturating_mul(2)))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .keep_alive_interval(Some(KEEP_ALIVE));
        config.transport_config(Arc::new(transport));
        Ok(config)
    }

    /// Connects.
    ///
    /// # Errors
    /// [`DialError`] if it cannot be dialled, or does not hold the pinned key.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        place: SocketAddr,
    ) -> Result<Connection, DialError> {
        connect(endpoint, self.config()?, place).await
    }
}

/// Connects with a configuration of [`Dialler::config`].
///
/// # Errors
/// [`DialError`] if it cannot be dialled, or does not hold the pinned key.
pub async fn connect(
    endpoint: &Endpoint,
    config: ClientConfig,
    place: SocketAddr,
) -> Result<Connection, DialError> {
    Ok(endpoint.connect_with(config, place, SERVER_NAME)?.await?)
}

/// One stream with its frames.
#[derive(Debug)]
pub struct FrameStream {
    /// To the relay.
    pub send: SendStream,
    /// From the relay.
    pub receive: RecvStream,
    splitter: Splitter,
}

impl FrameStream {
    /// Opens the next stream of a connection.
    ///
    /// # Errors
    /// [`DialError::Ended`] if the connection is over.
    pub async fn open(connection: &Connection) -> Result<Self, DialError> {
        let (send, receive) = connection.open_bi().await?;
        Ok(Self { send, receive, splitter: Splitter::new(&Limits::V1) })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`DialError::Write`] if the stream is over.
    pub async fn request(&mut self, id: RequestId, request: Request) -> Result<(), DialError> {
        let frame = frame::encode_request(&RequestFrame { id, request });
        Ok(self.send.write_all(&frame).await?)
    }

    /// The next answer; `None` when the relay has ended the stream.
    ///
    /// # Errors
    /// [`DialError`] if the connection is lost or what came is no frame.
    pub async fn next(&mut self) -> Result<Option<AnswerFrame>, DialError> {
        loop {
            if let Some(frame) = self.splitter.next_frame()? {
                return Ok(Some(frame::decode_answer(frame)?));
            }
            match self.receive.read_chunk(READ_BYTES_MAX, true).await? {
                Some(chunk) => self.splitter.feed(&chunk.bytes),
                None => return Ok(None),
            }
        }
    }
}

/// Takes the certificate whose Ed25519 key has this id.
#[derive(Debug)]
struct Pinned(RelayId);

/// SubjectPublicKeyInfo of an Ed25519 key up to the key (RFC 8410 section 4).
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn relay_of(certificate: &CertificateDer<'_>) -> Option<RelayId> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let info = parsed.subject_public_key_info();
    let key = info.as_ref().strip_prefix(&ED25519_PREFIX)?;
    Some(transcript::relay_id(&PublicKey::from_slice(key).ok()?))
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if relay_of(certificate) == Some(self.0) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
