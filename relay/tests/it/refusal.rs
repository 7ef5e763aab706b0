//! What a relay refuses at its door.

use hushwire_relay::dial::{DialError, Dialler};
use hushwire_relay::tls::ClassicalKeyExchange;
use hushwire_wire::{
    error::Code,
    frame::RequestFrame,
    id::{Nonce, RelayId},
    message::{Hello, Request, RequestId},
    version::VersionRange,
};
use quinn::ConnectionError;
use rustls::crypto::aws_lc_rs::kx_group::{X25519, X25519MLKEM768};

use crate::{
    client::{Client, Stream, code, endpoint, endpoint_at, fresh},
    story::relay,
};

/// Why the connection was closed, as a code of the registry.
async fn close_code(connection: &quinn::Connection) -> Option<Code> {
    match connection.closed().await {
        ConnectionError::ApplicationClosed(close) => {
            Code::from_number(u32::try_from(close.error_code.into_inner()).unwrap())
        }
        other => panic!("closed otherwise: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_frame_end_the_session_by_name() {
    // spec: RLY-021
    let (relay, _directory) = relay(|_| {});
    let cases = [
        (&[0, 0, 0, 3, 0xff, 0xff, 0xff][..], Code::MalformedFrame),
        (&[0, 0, 0, 0], Code::MalformedFrame),
        (&[0x7f, 0xff, 0xff, 0xff], Code::FrameTooLarge),
        (&[0, 5, 0, 1], Code::FrameTooLarge),
    ];
    for (bytes, expected) in cases {
        let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
        client.stream.send.write_all(bytes).await.unwrap();
        assert_eq!(code(client.stream.next().await.unwrap().answer), Some(expected));
        assert!(client.stream.next().await.is_none());
        assert_eq!(close_code(&client.connection).await, Some(expected));
    }
    // A frame cut short says nothing; the relay lives.
    let client = Client::connect(relay.address(), *relay.relay_id()).await;
    client.connection.close(0_u32.into(), b"");
    let mut client = Client::connect(relay.address(), *relay.relay_id()).await;
    assert_eq!(code(client.ask(Request::Ping).await), None);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_version_and_a_missing_hello_are_refused() {
    let (relay, _directory) = relay(|_| {});
    let hello = |min, max| {
        let versions = VersionRange { min, max };
        Request::Hello(Hello { versions, nonce: Nonce::from_bytes(fresh()), capabilities: 0 })
    };
    let cases = [
        (RequestFrame { id: RequestId(0), request: hello(2, 9) }, Code::UnsupportedVersion),
        (RequestFrame { id: RequestId(1), request: Request::Ping }, Code::HelloMisplaced),
    ];
    for (RequestFrame { id, request }, expected) in cases {
        let connection =
            Dialler::new(*relay.relay_id()).connect(&endpoint(), relay.address()).await.unwrap();
        let mut stream = Stream::open(&connection).await;
        stream.send(id, request).await;
        assert_eq!(code(stream.next().await.unwrap().answer), Some(expected));
        assert_eq!(close_code(&connection).await, Some(expected));
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_is_sent_away() {
    let (relay, _directory) = relay(|_| {});
    let silent =
        Dialler::new(*relay.relay_id()).connect(&endpoint(), relay.address()).await.unwrap();
    let connection =
        Dialler::new(*relay.relay_id()).connect(&endpoint(), relay.address()).await.unwrap();
    let mut half = Stream::open(&connection).await;
    half.send.write_all(&[0, 0, 0, 40]).await.unwrap();
    for connection in [silent, connection] {
        assert_eq!(close_code(&connection).await, Some(Code::HelloMisplaced));
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_protocol_or_key_exchange_gets_no_session() {
    // spec: RLY-003
    let (relay, _directory) = relay(|_| {});
    let right = || Dialler::new(*relay.relay_id());
    right().connect(&endpoint(), relay.address()).await.unwrap();
    let pin = RelayId::from_bytes([7; 32]);
    let wrong = [
        Dialler { pin, ..right() },
        Dialler { alpn: b"hushwire/2".to_vec(), ..right() },
        Dialler { groups: vec![X25519], ..right() },
    ];
    for dialler in wrong {
        dialler.connect(&endpoint(), relay.address()).await.unwrap_err();
    }
    // Offered both, with a share for the classical one only, the relay asks for the other.
    Dialler { groups: vec![X25519, X25519MLKEM768], ..right() }
        .connect(&endpoint(), relay.address())
        .await
        .unwrap();
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classical_client_is_let_in_where_the_operator_says_so() {
    // spec: RLY-003
    let (relay, _directory) =
        relay(|config| config.classical_key_exchange = ClassicalKeyExchange::Allow);
    let dialler = Dialler { groups: vec![X25519], ..Dialler::new(*relay.relay_id()) };
    dialler.connect(&endpoint(), relay.address()).await.unwrap();
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_bound_are_refused_and_new_ones_prove_their_address() {
    // spec: RLY-005
    let (relay, _directory) = relay(|config| {
        config.connections.connections_max = 3;
        config.connections.handshakes_before_retry = 0;
    });
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(relay.address(), *relay.relay_id()).await);
    }
    let refused = Dialler::new(*relay.relay_id()).connect(&endpoint(), relay.address()).await;
    assert!(
        matches!(refused, Err(DialError::Ended(ConnectionError::ConnectionClosed(_)))),
        "{refused:?}"
    );
    clients.pop().unwrap().connection.close(0_u32.into(), b"");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while Dialler::new(*relay.relay_id()).connect(&endpoint(), relay.address()).await.is_err() {
        assert!(std::time::Instant::now() < until, "the place is not given free");
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_source_has_its_share_and_leaves_the_rest_to_others() {
    // spec: RLY-044
    let (relay, _directory) = relay(|config| {
        config.connections.connections_max = 5;
        config.connections.connections_per_source_max = 3;
    });
    let dialler = Dialler::new(*relay.relay_id());
    let connect = |source| {
        let (dialler, address) = (dialler.clone(), relay.address());
        async move { dialler.connect(&endpoint_at(source), address).await }
    };
    let (greedy, other) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    let mut clients = Vec::new();
    for _ in 0..3 {
        let connection = connect(greedy).await.unwrap();
        clients.push(Client::greet(connection, *relay.relay_id()).await);
    }
    let refused = connect(greedy).await;
    assert!(
        matches!(refused, Err(DialError::Ended(ConnectionError::ConnectionClosed(_)))),
        "{refused:?}"
    );
    for _ in 0..2 {
        let connection = connect(other).await.unwrap();
        clients.push(Client::greet(connection, *relay.relay_id()).await);
    }
    // The whole relay is full now, for a third source as well.
    connect([127, 0, 0, 3]).await.unwrap_err();
    for client in &mut clients {
        assert_eq!(code(client.ask(Request::Ping).await), None);
    }
    // A place that was given up is taken again by the same source.
    clients.swap_remove(0).connection.close(0_u32.into(), b"");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while connect(greedy).await.is_err() {
        assert!(std::time::Instant::now() < until, "the place is not given free");
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_beyond_the_bound_wait() {
    // spec: RLY-006
    let (relay, _directory) = relay(|config| config.connections.streams_max = 2);
    let client = Client::connect(relay.address(), *relay.relay_id()).await;
    let _lane = client.connection.open_bi().await.unwrap();
    let wait = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(wait, client.connection.open_bi()).await.is_err());
    assert!(tokio::time::timeout(wait, client.connection.open_uni()).await.is_err());
    relay.stop().await;
}

/// How many bytes a stream takes that the relay does not read: the second, before a hello. It
/// opens as many as it may.
async fn bytes_ahead(connection: &quinn::Connection, streams: usize) -> usize {
    let mut opened = Vec::new();
    let wait = std::time::Duration::from_millis(300);
    while let Ok(stream) = tokio::time::timeout(wait, connection.open_bi()).await {
        opened.push(stream.unwrap());
    }
    assert_eq!(opened.len(), streams);
    let (send, _) = &mut opened[1];
    let (mut taken, piece) = (0, [0; 4096]);
    while let Ok(written) = tokio::time::timeout(wait, send.write(&piece)).await {
        taken += written.unwrap();
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_one_source_has_less_ahead_each() {
    // spec: RLY-047
    let (relay, _directory) = relay(|config| config.connections.connections_per_source_max = 20);
    let dialler = Dialler::new(*relay.relay_id());
    let mut connections = Vec::new();
    for _ in 0..17 {
        connections.push(dialler.connect(&endpoint(), relay.address()).await.unwrap());
    }
    let crowded = connections.pop().unwrap();
    assert_eq!(bytes_ahead(&crowded, 2).await, 64 * 1024);
    // Those before it keep what they have, and who is out of a crowd is served.
    assert_eq!(bytes_ahead(&connections.pop().unwrap(), 4).await, 384 * 1024);
    let connection = dialler.connect(&endpoint(), relay.address()).await.unwrap();
    let mut client = Client::greet(connection, *relay.relay_id()).await;
    assert_eq!(code(client.ask(Request::Ping).await), None);
    // A stop waits for those who have yet to say hello.
    drop((connections, crowded));
    relay.stop().await;
}
