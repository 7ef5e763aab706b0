//! The QUIC endpoint: transport bounds, and the loop that takes connections in.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use quinn::{
    Endpoint, Incoming, ServerConfig, TransportConfig, VarInt, crypto::rustls::QuicServerConfig,
};
use tokio::task::JoinSet;

use crate::{
    config::{Config, Connections},
    key::RelayKey,
    relay::Shared,
    reset, session,
    tls::{self, TlsError},
};

/// Why the relay cannot listen. Blame: who runs it, or the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be bound.
    #[error(
        "cannot listen on this address ({0}); is the port taken? without IPv6, try --listen 0.0.0.0:4433"
    )]
    Bind(#[source] std::io::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Binds the endpoint.
///
/// # Errors
/// [`ListenError`] if the address cannot be bound or TLS cannot be set up.
pub(crate) fn bind(config: &Config, key: &RelayKey) -> Result<Endpoint, ListenError> {
    let tls = tls::server_config(key, config.classical_key_exchange)?;
    let crypto = QuicServerConfig::try_from(tls).map_err(TlsError::from)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(Arc::new(transport(&config.connections)));
    // Handshakes that wait to be looked at; the loop below is quick, so they are few.
    server.max_incoming(1024);
    server.incoming_buffer_size(64 * 1024);
    server.incoming_buffer_size_total(16 * 1024 * 1024);
    let socket = std::net::UdpSocket::bind(config.listen).map_err(ListenError::Bind)?;
    let runtime = Arc::new(quinn::TokioRuntime);
    Endpoint::new(reset::endpoint(key), Some(server), socket, runtime).map_err(ListenError::Bind)
}

/// spec: RLY-006
fn transport(bounds: &Connections) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(bounds.streams_max.into()))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(bounds.stream_window_bytes))
        .receive_window(VarInt::from_u32(bounds.receive_window_bytes))
        .send_window(bounds.send_window_bytes.into())
        .max_idle_timeout(Some(VarInt::from_u32(bounds.idle_max_ms).into()))
        .datagram_receive_buffer_size(None);
    transport
}

/// Takes connections in until the relay stops, then waits for their sessions, within the bound.
pub(crate) async fn accept(endpoint: Endpoint, shared: Arc<Shared>, bounds: Connections) {
    let mut sessions = JoinSet::new();
    let handshakes = Arc::new(());
    let mut stop = shared.stop.clone();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                let load = Load {
                    sessions: sessions.len(),
                    // One is the original.
                    handshakes: Arc::strong_count(&handshakes).saturating_sub(1),
                };
                if let Some(incoming) = admit(incoming, &load, &bounds) {
                    let handshake = Handshake(Arc::clone(&handshakes));
                    sessions.spawn(session::serve(Arc::clone(&shared), incoming, handshake));
                }
            }
            Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
            _ = stop.wait_for(|stage| stage.is_stopping()) => break,
        }
    }
    endpoint.set_server_config(None);
    let wait = Duration::from_millis(bounds.stop_wait_ms.into());
    let drained = tokio::time::timeout(wait, async {
        while sessions.join_next().await.is_some() {}
        endpoint.wait_idle().await;
    });
    if drained.await.is_err() {
        tracing::warn!("some sessions did not end in time and were cut off");
    }
    sessions.shutdown().await;
    endpoint.close(VarInt::from_u32(0), b"");
}

/// Counts as a handshake under way until it is dropped.
pub(crate) struct Handshake(#[expect(dead_code, reason = "its count is what matters")] Arc<()>);

/// What the relay has to do already.
struct Load {
    sessions: usize,
    handshakes: usize,
}

/// Whether a connection is let in; else it was refused, or asked to prove that it receives
/// (spec: RLY-005).
fn admit(incoming: Incoming, load: &Load, bounds: &Connections) -> Option<Incoming> {
    let reaches = |count, bound: u32| usize::try_from(bound).is_ok_and(|bound| count >= bound);
    if reaches(load.sessions, bounds.connections_max) {
        incoming.refuse();
        None
    } else if reaches(load.handshakes, bounds.handshakes_before_retry)
        && !incoming.remote_address_validated()
    {
        // An error says that it may not be asked twice: the packet is dropped with it.
        let _asked = incoming.retry();
        None
    } else {
        Some(incoming)
    }
}

/// Where the endpoint listens; port 0 is resolved.
pub(crate) fn address(endpoint: &Endpoint) -> Result<SocketAddr, ListenError> {
    endpoint.local_addr().map_err(ListenError::Bind)
}
