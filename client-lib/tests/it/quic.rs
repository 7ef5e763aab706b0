//! The QUIC transport against a small relay of the test's own.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use hushwire::transport::{
    ConnectError, Connection, Lane, LinkError, RelayTarget, Transport as _,
    quic::{KeyExchange, QuicSettings, QuicTransport},
};
use hushwire_wire::{
    error::Code,
    frame::{AnswerFrame, Fault, RequestFrame, Splitter, decode_request, encode_answer},
    id::{PublicKey, RelayId},
    limit::Limits,
    message::{Answer, Request, RequestId},
    transcript,
};
use quinn::{Endpoint, ServerConfig, VarInt, crypto::rustls::QuicServerConfig};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::{
    NamedGroup,
    crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs},
    pki_types::PrivateKeyDer,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// A relay's key and where it listens.
struct Relay {
    endpoint: Endpoint,
    target: RelayTarget,
    task: JoinHandle<()>,
}

/// What the relay does with each connection.
#[derive(Clone, Copy)]
enum Manner {
    /// Answers each request on each stream.
    Answer,
    /// Reads nothing.
    Silent,
    /// Answers with bytes that are no frame.
    Garbage,
    /// Closes with a code.
    Close(u32),
    /// Begins a frame, then ends the stream.
    CutOff,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.endpoint.close(VarInt::from_u32(0), b"");
    }
}

fn relay(alpn: &[u8], groups: Vec<&'static dyn SupportedKxGroup>, manner: Manner) -> Relay {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let public = PublicKey::from_slice(key.public_key_raw()).unwrap();
    let certificate =
        CertificateParams::new(vec!["relay.invalid".into()]).unwrap().self_signed(&key).unwrap();
    let provider = CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() };
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.into()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let config = ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = endpoint.local_addr().unwrap().port();
    let target =
        RelayTarget { host: "127.0.0.1".into(), port, relay: transcript::relay_id(&public) };
    let task = tokio::spawn(serve(endpoint.clone(), manner));
    Relay { endpoint, target, task }
}

fn plain_relay(manner: Manner) -> Relay {
    relay(b"hushwire/1", vec![aws_lc_rs::kx_group::X25519MLKEM768], manner)
}

async fn serve(endpoint: Endpoint, manner: Manner) {
    while let Some(incoming) = endpoint.accept().await {
        let Ok(connection) = incoming.await else { continue };
        tokio::spawn(async move {
            if let Manner::Close(code) = manner {
                connection.close(VarInt::from_u32(code), b"");
            }
            while let Ok((sending, receiving)) = connection.accept_bi().await {
                tokio::spawn(serve_lane(sending, receiving, manner));
            }
        });
    }
}

async fn serve_lane(
    mut sending: quinn::SendStream,
    mut receiving: quinn::RecvStream,
    manner: Manner,
) {
    if let Manner::Silent = manner {
        return std::future::pending().await;
    }
    let mut splitter = Splitter::new(&Limits::V1);
    while let Ok(Some(chunk)) = receiving.read_chunk(10_000, true).await {
        splitter.feed(&chunk.bytes);
        while let Ok(Some(frame)) = splitter.next_frame() {
            let id = decode_request(frame).unwrap().id;
            let answer = encode_answer(&AnswerFrame { id, answer: Answer::Done });
            let bytes = match manner {
                Manner::Garbage => &b"\xff\xff\xff\xff what is this"[..],
                Manner::CutOff => &answer[..3],
                _ => &answer[..],
            };
            sending.write_all(bytes).await.unwrap();
            if let Manner::CutOff = manner {
                return sending.finish().unwrap();
            }
        }
    }
}

fn transport() -> QuicTransport {
    QuicTransport::new(QuicSettings { lane_frames_max: 4, ..QuicSettings::default() })
}

async fn connect(relay: &Relay) -> Box<dyn Connection> {
    transport().connect(relay.target.clone()).await.unwrap()
}

async fn ask(lane: &Lane, id: u64) {
    let frame = RequestFrame { id: RequestId(id), request: Request::Ping };
    lane.requests.send(frame).await.unwrap();
}

fn done(id: u64) -> Option<Result<AnswerFrame, LinkError>> {
    Some(Ok(AnswerFrame { id: RequestId(id), answer: Answer::Done }))
}

#[tokio::test]
async fn lanes_carry_requests_and_answers_in_order() {
    // spec: CLI-065
    let relay = plain_relay(Manner::Answer);
    let connection = connect(&relay).await;
    let mut session = connection.open_lane().await.unwrap();
    let mut blobs = connection.open_lane().await.unwrap();
    for id in 1..=100 {
        ask(&session, id).await;
        ask(&blobs, id + 1_000).await;
        assert_eq!(session.answers.recv().await, done(id));
        assert_eq!(blobs.answers.recv().await, done(id + 1_000));
    }
    // A lane ends in good order when its requests do; the other goes on.
    drop(blobs.requests);
    assert_eq!(blobs.answers.recv().await, Some(Err(LinkError::Ended)));
    assert_eq!(blobs.answers.recv().await, None);
    ask(&session, 101).await;
    assert_eq!(session.answers.recv().await, done(101));
    connection.close().await;
    assert_eq!(session.answers.recv().await, Some(Err(LinkError::ClosedHere)));
    assert!(connection.open_lane().await.is_err());
}

#[tokio::test]
async fn another_key_is_refused_loudly_and_never_retried() {
    // spec: CLI-063, CLI-064
    let relay = plain_relay(Manner::Answer);
    let target = RelayTarget { relay: RelayId::from_bytes([7; 32]), ..relay.target.clone() };
    let error = transport().connect(target).await.err().unwrap();
    assert_eq!(error, ConnectError::RelayKeyMismatch);
    assert_eq!(error.retry(), hushwire_wire::error::Retry::Never);
}

#[tokio::test]
async fn the_key_exchange_is_post_quantum_unless_asked_otherwise() {
    // spec: CLI-063
    let classical = aws_lc_rs::kx_group::X25519;
    assert_eq!(classical.name(), NamedGroup::X25519);
    let relay = relay(b"hushwire/1", vec![classical], Manner::Answer);
    let refused = transport().connect(relay.target.clone()).await.err();
    assert_eq!(refused, Some(ConnectError::NotARelay));
    let key_exchange = KeyExchange::DangerousClassicalToo;
    let willing = QuicTransport::new(QuicSettings { key_exchange, ..QuicSettings::default() });
    willing.connect(relay.target.clone()).await.unwrap();
}

#[tokio::test]
async fn every_way_a_connection_fails_has_its_error() {
    let other_protocol = relay(b"h3", vec![aws_lc_rs::kx_group::X25519MLKEM768], Manner::Answer);
    let failed = transport().connect(other_protocol.target.clone()).await.err();
    assert_eq!(failed, Some(ConnectError::NotARelay));

    let nowhere =
        RelayTarget { host: "no-such-name.invalid".into(), ..other_protocol.target.clone() };
    let quick = QuicTransport::new(QuicSettings {
        connect_wait: Duration::from_millis(300),
        ..QuicSettings::default()
    });
    let failed = quick.connect(nowhere).await.err();
    assert!(
        matches!(failed, Some(ConnectError::Unresolvable | ConnectError::TimedOut)),
        "{failed:?}"
    );

    // A socket that nobody reads.
    let deaf = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = deaf.local_addr().unwrap().port();
    let target = RelayTarget { port, ..other_protocol.target.clone() };
    assert_eq!(quick.connect(target).await.err(), Some(ConnectError::TimedOut));
}

#[tokio::test]
async fn every_way_a_lane_ends_has_its_error() {
    let cases = [
        (Manner::Close(Code::Busy.number()), LinkError::ClosedByRelay(Code::Busy)),
        (Manner::Close(999_999), LinkError::ClosedUnexplained),
        (Manner::Close(0), LinkError::Ended),
    ];
    for (manner, expected) in cases {
        let relay = plain_relay(manner);
        let connection = connect(&relay).await;
        let ended = match connection.open_lane().await {
            Ok(mut lane) => lane.answers.recv().await.unwrap().unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(ended, expected);
    }
    for (manner, fault) in
        [(Manner::Garbage, Fault::Oversized { max: 0 }), (Manner::CutOff, Fault::Truncated)]
    {
        let relay = plain_relay(manner);
        let connection = connect(&relay).await;
        let mut lane = connection.open_lane().await.unwrap();
        ask(&lane, 1).await;
        let ended = lane.answers.recv().await.unwrap().unwrap_err();
        let LinkError::Garbage(error) = ended else { panic!("{ended:?}") };
        assert_eq!(std::mem::discriminant(&error.fault), std::mem::discriminant(&fault));
    }
}

#[tokio::test]
async fn a_relay_that_reads_nothing_makes_the_sender_wait() {
    // spec: CLI-065
    let relay = plain_relay(Manner::Silent);
    let connection = connect(&relay).await;
    let lane = connection.open_lane().await.unwrap();
    let item = bytes::Bytes::from(vec![0; 200_000]);
    let mut sent = 0;
    let full = loop {
        let request = Request::InboxSend {
            inbox: hushwire_wire::id::InboxId::from_bytes([1; 16]),
            secret: hushwire_wire::id::CapabilitySecret::from_bytes([2; 32]),
            item: item.clone(),
        };
        let frame = RequestFrame { id: RequestId(sent + 1), request };
        let permit =
            tokio::time::timeout(Duration::from_millis(300), lane.requests.reserve()).await;
        match permit {
            Ok(permit) => permit.unwrap().send(frame),
            Err(_) => break lane.requests.try_send(frame).unwrap_err(),
        }
        sent += 1;
        assert!(sent < 1_000, "the sender was never stopped");
    };
    assert!(matches!(full, mpsc::error::TrySendError::Full(_)));
}

#[tokio::test]
async fn a_relay_that_vanishes_is_noticed() {
    let relay = plain_relay(Manner::Answer);
    let transport = QuicTransport::new(QuicSettings {
        idle_max: Duration::from_millis(300),
        keep_alive: Duration::from_millis(100),
        ..QuicSettings::default()
    });
    let connection = transport.connect(relay.target.clone()).await.unwrap();
    let mut lane = connection.open_lane().await.unwrap();
    ask(&lane, 1).await;
    assert_eq!(lane.answers.recv().await, done(1));
    // Another socket in its place, which knows nothing and says nothing.
    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    relay.endpoint.rebind(silent).unwrap();
    assert!(lane.answers.recv().await.unwrap().is_err());
}
