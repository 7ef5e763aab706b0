//! `hush-relay plant`: gives a relay bytes of the auditor's choice, as any client could.
//!
//! Who searches a relay's files, its store and a record of its frames for plaintext has to know
//! that the search would find some. What is planted takes the way of all ciphertext: a frame inside
//! TLS, the writer, the store on disk. The relay cannot tell it from a sealed file.

use std::{
    io::Read as _,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;
use hushwire_wire::{
    error::Code,
    frame::{self, AnswerFrame, FrameError, RequestFrame, Splitter},
    id::{Nonce, PublicKey, RelayId, UploadKey},
    limit::Limits,
    message::{Answer, Hello, Request, RequestId},
    transcript,
    version::{ALPN, VersionRange},
};
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{Failure, PlantArguments, print};

/// Longest wait for the whole of it.
const PLANT_WAIT: Duration = Duration::from_secs(30);
/// Not sent and not checked; the key is.
const SERVER_NAME: &str = "relay.hushwire.invalid";
/// Read from the relay at once, in bytes.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Why nothing was planted. Blame: what the auditor typed, or the relay.
#[derive(Debug, thiserror::Error)]
enum PlantError {
    /// The address has another form, or its host is not found.
    #[error("the address is not host:port#id, as `hush-relay run` prints it, or is not found")]
    Address,
    /// More than one chunk of a blob, or nothing.
    #[error("the file is empty or longer than one chunk ({0} bytes)")]
    Length(u32),
    /// The relay said no.
    #[error("the relay refused it: {0:?}")]
    Refused(Code),
    /// The relay does not speak the protocol.
    #[error("the relay gave no answer that fits")]
    Answer,
    /// What came is no frame.
    #[error("the relay sent what is no frame")]
    Frame(#[from] FrameError),
    /// Nothing came for too long.
    #[error("the relay did not answer in time")]
    Late,
}

/// Stores a file as one blob and prints the blob's id.
pub(super) fn run(arguments: &PlantArguments) -> Result<(), Failure> {
    let content = read(&arguments.file)?;
    let (place, relay) = parse(&arguments.address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let planting = async { tokio::time::timeout(PLANT_WAIT, plant(place, relay, content)).await };
    let blob = runtime.block_on(planting).map_err(|_| PlantError::Late)??;
    print(format!("{{\"blob\":\"{blob}\"}}\n").as_bytes())
}

/// The bytes to plant, if they fit one chunk.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes_max = Limits::V1.blob_chunk_bytes;
    let mut content = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(u64::from(bytes_max) + 1).read_to_end(&mut content)?;
    match u32::try_from(content.len()) {
        Ok(length) if (1..=bytes_max).contains(&length) => Ok(content),
        _ => Err(PlantError::Length(bytes_max).into()),
    }
}

/// `host:port#id`.
fn parse(address: &str) -> Result<(SocketAddr, RelayId), PlantError> {
    let (place, id) = address.split_once('#').ok_or(PlantError::Address)?;
    let id = BASE64URL_NOPAD.decode(id.as_bytes()).map_err(|_| PlantError::Address)?;
    let id = id.try_into().map(RelayId::from_bytes).map_err(|_| PlantError::Address)?;
    let mut places = place.to_socket_addrs().map_err(|_| PlantError::Address)?;
    Ok((places.next().ok_or(PlantError::Address)?, id))
}

async fn plant(place: SocketAddr, relay: RelayId, content: Vec<u8>) -> Result<String, Failure> {
    let any: SocketAddr = match place {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = Endpoint::client(any)?;
    let connection = endpoint.connect_with(config(relay)?, place, SERVER_NAME)?.await?;
    let mut session = Session::open(&connection).await?;
    let hello = Hello {
        versions: VersionRange::SUPPORTED,
        nonce: Nonce::from_bytes(random()?),
        capabilities: 0,
    };
    session.ask(RequestId(0), Request::Hello(hello)).await?;
    let key = random()?;
    let key = || UploadKey::from_bytes(key);
    let blob = hex::encode(transcript::blob_id(&key()).as_bytes());
    let size = u64::try_from(content.len()).map_err(|_| PlantError::Answer)?;
    session.ask(RequestId(1), Request::BlobCreate { key: key(), size }).await?;
    let write = Request::BlobWrite { key: key(), offset: 0, content: content.into() };
    match session.ask(RequestId(2), write).await? {
        Answer::BlobState { stored, .. } if stored == size => {}
        _ => return Err(PlantError::Answer.into()),
    }
    connection.close(0_u8.into(), &[]);
    endpoint.wait_idle().await;
    Ok(blob)
}

/// A session's first stream.
struct Session {
    send: SendStream,
    receive: RecvStream,
    splitter: Splitter,
}

impl Session {
    async fn open(connection: &Connection) -> Result<Self, Failure> {
        let (send, receive) = connection.open_bi().await?;
        Ok(Self { send, receive, splitter: Splitter::new(&Limits::V1) })
    }

    /// The answer to a request; one at a time, so the next frame is it.
    async fn ask(&mut self, id: RequestId, request: Request) -> Result<Answer, Failure> {
        let frame = frame::encode_request(&RequestFrame { id, request });
        self.send.write_all(&frame).await?;
        loop {
            if let Some(frame) = self.splitter.next_frame()? {
                return match frame::decode_answer(frame)? {
                    AnswerFrame { answer: Answer::Refused(refusal), .. } => {
                        Err(PlantError::Refused(refusal.code).into())
                    }
                    AnswerFrame { id: answered, answer } if answered == id => Ok(answer),
                    _ => Err(PlantError::Answer.into()),
                };
            }
            let chunk = self.receive.read_chunk(READ_BYTES_MAX, true).await?;
            self.splitter.feed(&chunk.ok_or(PlantError::Answer)?.bytes);
        }
    }
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    let filled = aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| "the operating system gives no randomness")?;
    Ok(bytes)
}

fn config(relay: RelayId) -> Result<ClientConfig, Failure> {
    let provider = CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    };
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(relay)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.enable_sni = false;
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls)?;
    Ok(ClientConfig::new(Arc::new(tls)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_whole_or_not_at_all() {
        let id = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let (place, relay) = parse(&format!("127.0.0.1:4433#{id}")).unwrap();
        assert_eq!((place.port(), relay), (4433, RelayId::from_bytes([7; 32])));
        for wrong in ["127.0.0.1:4433", "127.0.0.1:4433#BwcH", "nowhere#", &format!("#{id}")] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
