//! QUIC: one connection and one socket for each session (RFC 9000, RFC 9001).
//!
//! TLS 1.3 with X25519MLKEM768, the relay's key pinned, no session tickets and no early data, no
//! server name in the clear. Each lane is a bidirectional stream with two tasks: one writes what
//! comes from its channel, one reads and cuts into frames. The tasks belong to the connection and
//! end with it.

mod lane;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use hushwire_wire::{error::Code, limit::Limits, version::ALPN};
use quinn::{
    ClientConfig, ConnectionError, Endpoint, TransportConfig, TransportErrorCode, VarInt,
    crypto::rustls::QuicClientConfig,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{
    ConnectError, Connection, Lane, LinkError, RelayTarget, Transport,
    pin::{Mismatch, PinnedRelay},
};

/// Addresses of one name that are tried, one after the other.
const ADDRESSES_MAX: usize = 4;
/// Not sent (there is no SNI) and not checked (the key is); rustls wants a name.
const SERVER_NAME: &str = "relay.hushwire.invalid";

/// Which key exchanges are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyExchange {
    /// X25519MLKEM768 only.
    #[default]
    PostQuantum,
    /// X25519 as well, for a relay that has nothing better: who records the traffic today can read
    /// sizes, times and ids with a quantum computer later.
    DangerousClassicalToo,
}

/// Bounds of a connection.
#[derive(Clone, Debug)]
pub struct QuicSettings {
    /// Which key exchanges are offered.
    pub key_exchange: KeyExchange,
    /// Time to resolve the name and finish the handshake, over all addresses.
    pub connect_wait: Duration,
    /// A connection on which nothing was heard for so long is lost.
    pub idle_max: Duration,
    /// A sign of life is sent when nothing else was for so long.
    pub keep_alive: Duration,
    /// Time to say goodbye.
    pub close_wait: Duration,
    /// Frames that wait in each direction of a lane.
    pub lane_frames_max: usize,
    /// Bytes of one stream, and of the whole connection, that may wait unread here.
    pub stream_window_bytes: u32,
    /// As `stream_window_bytes`, for all streams together.
    pub connection_window_bytes: u32,
    /// Bounds of the frames.
    pub limits: Arc<Limits>,
}

impl Default for QuicSettings {
    fn default() -> Self {
        Self {
            key_exchange: KeyExchange::PostQuantum,
            connect_wait: Duration::from_secs(10),
            idle_max: Duration::from_secs(45),
            keep_alive: Duration::from_secs(15),
            close_wait: Duration::from_secs(2),
            lane_frames_max: 64,
            stream_window_bytes: 1024 * 1024,
            connection_window_bytes: 4 * 1024 * 1024,
            limits: Arc::new(Limits::V1),
        }
    }
}

/// Connects over QUIC.
#[derive(Debug, Default)]
pub struct QuicTransport {
    settings: QuicSettings,
}

impl QuicTransport {
    /// One with these bounds.
    pub const fn new(settings: QuicSettings) -> Self {
        Self { settings }
    }

    async fn connect_within(&self, target: RelayTarget) -> Result<QuicConnection, ConnectError> {
        let until = Instant::now() + self.settings.connect_wait;
        let resolved = timeout_at(until, tokio::net::lookup_host((&*target.host, target.port)));
        let resolved = resolved.await.map_err(|_| ConnectError::TimedOut)?;
        let resolved = resolved.map_err(|_| ConnectError::Unresolvable)?;
        let addresses: Vec<_> = resolved.take(ADDRESSES_MAX).collect();
        let mut failure = ConnectError::Unresolvable;
        for (tried, address) in addresses.iter().enumerate() {
            // Each address gets its share of what is left.
            let shares = u32::try_from(addresses.len().saturating_sub(tried)).unwrap_or(1);
            let share = until.saturating_duration_since(Instant::now()) / shares.max(1);
            failure = match timeout(share, self.connect_to(*address, &target)).await {
                Ok(Ok(connection)) => return Ok(connection),
                // Another address must not hide it (spec: CLI-064).
                Ok(Err(ConnectError::RelayKeyMismatch)) => {
                    tracing::error!("a relay showed another key than the pinned one");
                    return Err(ConnectError::RelayKeyMismatch);
                }
                Ok(Err(error)) => error,
                Err(_) => ConnectError::TimedOut,
            };
        }
        Err(failure)
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        target: &RelayTarget,
    ) -> Result<QuicConnection, ConnectError> {
        let mismatch = Mismatch::default();
        let config = client_config(&self.settings, target, mismatch.clone())?;
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let endpoint = Endpoint::client(any).map_err(|_| ConnectError::NoSocket)?;
        let connecting = endpoint.connect_with(config, address, SERVER_NAME);
        let connecting = connecting.map_err(|_| ConnectError::Unreachable)?;
        let connection = connecting.await.map_err(|error| {
            if mismatch.was_seen() { ConnectError::RelayKeyMismatch } else { connect_error(&error) }
        })?;
        Ok(QuicConnection {
            connection,
            endpoint,
            tasks: Mutex::new(JoinSet::new()),
            settings: self.settings.clone(),
        })
    }
}

impl Transport for QuicTransport {
    fn connect(
        &self,
        target: RelayTarget,
    ) -> BoxFuture<'_, Result<Box<dyn Connection>, ConnectError>> {
        Box::pin(async move {
            let connection = self.connect_within(target).await?;
            Ok(Box::new(connection) as Box<dyn Connection>)
        })
    }
}

/// One connection, its socket and the tasks of its lanes.
struct QuicConnection {
    connection: quinn::Connection,
    endpoint: Endpoint,
    tasks: Mutex<JoinSet<()>>,
    settings: QuicSettings,
}

impl Connection for QuicConnection {
    fn open_lane(&self) -> BoxFuture<'_, Result<Lane, LinkError>> {
        Box::pin(async move {
            let (sending, receiving) =
                self.connection.open_bi().await.map_err(|error| link_error(&error))?;
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            // Lanes that have ended are taken off the list here, so that it stays short.
            while tasks.try_join_next().is_some() {}
            Ok(lane::spawn(&mut tasks, &self.settings, sending, receiving))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.connection.close(VarInt::from_u32(0), b"");
            // A relay that does not answer is told once; more cannot be done.
            let _told = timeout(self.settings.close_wait, self.endpoint.wait_idle()).await;
        })
    }
}

impl Drop for QuicConnection {
    fn drop(&mut self) {
        self.connection.close(VarInt::from_u32(0), b"");
    }
}

/// spec: CLI-063
fn client_config(
    settings: &QuicSettings,
    target: &RelayTarget,
    mismatch: Mismatch,
) -> Result<ClientConfig, ConnectError> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    if settings.key_exchange == KeyExchange::DangerousClassicalToo {
        provider.kx_groups.push(aws_lc_rs::kx_group::X25519);
    }
    let pinned =
        PinnedRelay::new(target.relay, provider.signature_verification_algorithms, mismatch);
    let tls = tls_config(provider, pinned).map_err(|_| ConnectError::Settings)?;
    let crypto = QuicClientConfig::try_from(tls).map_err(|_| ConnectError::Settings)?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport_config(settings)?));
    Ok(config)
}

fn tls_config(
    provider: CryptoProvider,
    pinned: PinnedRelay,
) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // A ticket would let the relay link two sessions.
    tls.resumption = rustls::client::Resumption::disabled();
    tls.enable_early_data = false;
    tls.enable_sni = false;
    Ok(tls)
}

fn transport_config(settings: &QuicSettings) -> Result<TransportConfig, ConnectError> {
    let idle = settings.idle_max.try_into().map_err(|_| ConnectError::Settings)?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(settings.stream_window_bytes))
        .receive_window(VarInt::from_u32(settings.connection_window_bytes))
        .send_window(settings.connection_window_bytes.into())
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(settings.keep_alive))
        .max_idle_timeout(Some(idle));
    Ok(transport)
}

fn connect_error(error: &ConnectionError) -> ConnectError {
    match error {
        ConnectionError::TimedOut => ConnectError::TimedOut,
        ConnectionError::ConnectionClosed(frame)
            if frame.error_code == TransportErrorCode::CONNECTION_REFUSED =>
        {
            ConnectError::Refused
        }
        ConnectionError::ApplicationClosed(_) => ConnectError::Refused,
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::ConnectionClosed(_) => ConnectError::NotARelay,
        ConnectionError::Reset
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => ConnectError::Unreachable,
    }
}

fn link_error(error: &ConnectionError) -> LinkError {
    match error {
        ConnectionError::LocallyClosed => LinkError::ClosedHere,
        ConnectionError::TimedOut => LinkError::TimedOut,
        ConnectionError::ApplicationClosed(frame) if frame.error_code == VarInt::from_u32(0) => {
            LinkError::Ended
        }
        ConnectionError::ApplicationClosed(frame) => {
            let code = u32::try_from(frame.error_code.into_inner()).ok();
            code.and_then(Code::from_number)
                .map_or(LinkError::ClosedUnexplained, LinkError::ClosedByRelay)
        }
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::Reset
        | ConnectionError::CidsExhausted => LinkError::Lost,
    }
}
