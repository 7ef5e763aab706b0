//! The QUIC endpoint: transport bounds, and the loop that takes connections in.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use quinn::{Endpoint, Incoming, ServerConfig, VarInt, crypto::rustls::QuicServerConfig};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    config::{Config, Connections},
    key::RelayKey,
    relay::Shared,
    reset, session,
    source::{Crowd, Sources},
    tls::{self, TlsError},
    window::{Width, Widths},
};

/// Why the relay cannot listen. Blame: who runs it, or the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another program has the port.
    #[error(
        "the UDP port is taken: another program, perhaps another relay, listens there; stop it, or choose another port with --listen"
    )]
    PortTaken,
    /// The address is none of this machine.
    #[error(
        "this machine does not have the address to listen on; with --listen, name one that it has, or 0.0.0.0 or [::] for all"
    )]
    AddressElsewhere,
    /// The user may not have the port.
    #[error(
        "this user may not listen on this port; choose one from 1024 on with --listen, or give the program the right (CAP_NET_BIND_SERVICE)"
    )]
    PortDenied,
    /// The address is an IPv6 one, and the machine has no IPv6.
    #[error("this machine has no IPv6 ({0}); try --listen 0.0.0.0:4433")]
    NoIpv6(#[source] io::Error),
    /// The address cannot be bound for another reason.
    #[error("cannot listen on the address ({0}); try another one with --listen")]
    Bind(#[source] io::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ListenError {
    fn of(error: io::Error, address: IpAddr) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortTaken,
            io::ErrorKind::AddrNotAvailable => Self::AddressElsewhere,
            io::ErrorKind::PermissionDenied => Self::PortDenied,
            // Left for a new IPv6 socket is a system without that family.
            _ if address.is_ipv6() => Self::NoIpv6(error),
            _ => Self::Bind(error),
        }
    }
}

/// A bound endpoint, and how it serves.
pub(crate) struct Listener {
    endpoint: Endpoint,
    widths: Widths,
}

/// Binds the endpoint.
///
/// # Errors
/// [`ListenError`] if the address cannot be bound or TLS cannot be set up.
pub(crate) fn bind(config: &Config, key: &RelayKey) -> Result<Listener, ListenError> {
    let tls = tls::server_config(key, config.classical_key_exchange)?;
    let crypto = QuicServerConfig::try_from(tls).map_err(TlsError::from)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    // Handshakes that wait to be looked at; the loop below is quick, so they are few.
    server.max_incoming(1024);
    server.incoming_buffer_size(64 * 1024);
    server.incoming_buffer_size_total(16 * 1024 * 1024);
    let widths = Widths::new(server, &config.connections);
    let server = Arc::unwrap_or_clone(widths.server(Width::Full));
    let socket = UdpSocket::bind(config.listen)
        .map_err(|error| ListenError::of(error, config.listen.ip()))?;
    let runtime = Arc::new(quinn::TokioRuntime);
    let endpoint = Endpoint::new(reset::endpoint(key), Some(server), socket, runtime)
        .map_err(ListenError::Bind)?;
    Ok(Listener { endpoint, widths })
}

/// Takes connections in until the relay stops, then waits for their sessions, within the bound.
pub(crate) async fn accept(listener: Listener, shared: Arc<Shared>, bounds: Connections) {
    let Listener { endpoint, widths } = listener;
    let mut sessions = JoinSet::new();
    let handshakes = Arc::new(());
    let sources = Sources::default();
    let mut refusals = Refusals::default();
    let mut stop = shared.stop.clone();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                let address = incoming.remote_address();
                let load = Load {
                    sessions: sessions.len(),
                    crowd: sources.crowd_at(address),
                    // One is the original.
                    handshakes: Arc::strong_count(&handshakes).saturating_sub(1),
                };
                match admit(&load, &bounds, Proof::of(&incoming)) {
                    Admission::Serve => {
                        let (seat, shared) = (sources.take_seat(address), Arc::clone(&shared));
                        let server = widths.server(Width::of(load.crowd, &bounds));
                        let handshake = Handshake(Arc::clone(&handshakes));
                        sessions.spawn(async move {
                            let _seat = seat;
                            session::serve(shared, (incoming, server), handshake).await;
                        });
                    }
                    // An error says that it may not be asked twice: the packet is dropped with it.
                    Admission::AskForProof => drop(incoming.retry()),
                    Admission::Refuse(reason) => {
                        incoming.refuse();
                        refusals.note(reason);
                    }
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
#[derive(Clone, Copy, Debug)]
struct Load {
    sessions: usize,
    /// Connections from where one more is asked for.
    crowd: Crowd,
    handshakes: usize,
}

/// Whether an address has shown that it receives what is sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Given,
    Missing,
}

impl Proof {
    fn of(incoming: &Incoming) -> Self {
        if incoming.remote_address_validated() { Self::Given } else { Self::Missing }
    }
}

/// Why a connection is refused; the client is told `CONNECTION_REFUSED` (RFC 9000 section 20.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The relay has all the connections that it takes.
    Full,
    /// The source has its share of them, or the site around it.
    SourceFull,
}

/// What becomes of a connection that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Serve,
    AskForProof,
    Refuse(Reason),
}

/// Whether a connection is let in (spec: RLY-005, RLY-044, RLY-046).
///
/// From half of its share on, a source proves its address: else whoever writes the address of
/// another as his own could use up the other's share. So does a site, whose share is twice that; it
/// counts only while the relay is more than half full, since many customers can share a site.
fn admit(load: &Load, bounds: &Connections, proof: Proof) -> Admission {
    let reaches = |count, bound: u32| usize::try_from(bound).is_ok_and(|bound| count >= bound);
    let (share, crowd) = (bounds.share(), load.crowd);
    let doubtful = reaches(load.handshakes, bounds.handshakes_before_retry)
        || reaches(crowd.source, share / 2)
        || reaches(crowd.site, share);
    let crowded = load.sessions > usize::try_from(bounds.connections_max / 2).unwrap_or(usize::MAX);
    if reaches(load.sessions, bounds.connections_max) {
        Admission::Refuse(Reason::Full)
    } else if doubtful && proof == Proof::Missing {
        Admission::AskForProof
    } else if reaches(crowd.source, share)
        || (crowded && reaches(crowd.site, share.saturating_mul(2)))
    {
        Admission::Refuse(Reason::SourceFull)
    } else {
        Admission::Serve
    }
}

/// Says in the log that connections are refused, once for each reason and minute, so that who asks
/// cannot fill the log.
#[derive(Default)]
struct Refusals {
    full: Option<Instant>,
    source_full: Option<Instant>,
}

impl Refusals {
    const EVERY: Duration = Duration::from_secs(60);

    fn note(&mut self, reason: Reason) {
        let last = match reason {
            Reason::Full => &mut self.full,
            Reason::SourceFull => &mut self.source_full,
        };
        let now = Instant::now();
        if last.is_some_and(|last| now.duration_since(last) < Self::EVERY) {
            return;
        }
        *last = Some(now);
        match reason {
            Reason::Full => {
                tracing::warn!("connections are refused: connections.connections_max is reached");
            }
            Reason::SourceFull => tracing::warn!(
                "connections are refused: one source, or one IPv6 /48, has its share, see connections.connections_per_source_max"
            ),
        }
    }
}

/// Where the endpoint listens; port 0 is resolved.
pub(crate) fn address(listener: &Listener) -> Result<SocketAddr, ListenError> {
    listener.endpoint.local_addr().map_err(ListenError::Bind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_bound_says_why_and_ipv6_only_where_it_is_meant() {
        let (four, six) = (IpAddr::from([127, 0, 0, 1]), "::".parse().unwrap());
        let cases = [
            (io::ErrorKind::AddrInUse, six, "the UDP port is taken"),
            (io::ErrorKind::AddrInUse, four, "the UDP port is taken"),
            (io::ErrorKind::AddrNotAvailable, four, "does not have the address"),
            (io::ErrorKind::PermissionDenied, four, "may not listen"),
            (io::ErrorKind::Unsupported, six, "no IPv6"),
            (io::ErrorKind::Unsupported, four, "cannot listen"),
        ];
        for (kind, address, expected) in cases {
            let text = ListenError::of(kind.into(), address).to_string();
            assert!(text.contains(expected) && text.contains("--listen"), "{text}");
            assert_eq!(text.contains("IPv6"), expected.contains("IPv6"), "{text}");
        }
    }

    #[test]
    fn a_connection_is_let_in_asked_for_proof_or_refused() {
        // spec: RLY-005, RLY-044, RLY-046
        use Admission::{AskForProof, Refuse, Serve};
        use Proof::{Given, Missing};
        let bounds = Connections {
            connections_max: 100,
            connections_per_source_max: 10,
            handshakes_before_retry: 8,
            ..Connections::default()
        };
        // All sessions, those of the source, of the site, handshakes.
        let cases = [
            ((0, 0, 0, 0), Missing, Serve),
            ((99, 4, 9, 7), Missing, Serve),
            ((50, 0, 0, 8), Missing, AskForProof),
            ((50, 0, 0, 8), Given, Serve),
            // Half of a share is the most that an address that is not its sender's can be charged.
            ((50, 5, 5, 0), Missing, AskForProof),
            ((50, 9, 9, 0), Given, Serve),
            ((50, 10, 10, 0), Missing, AskForProof),
            ((50, 10, 10, 0), Given, Refuse(Reason::SourceFull)),
            ((50, 0, 10, 0), Missing, AskForProof),
            ((51, 0, 19, 0), Given, Serve),
            // A site gets more where nobody else wants it.
            ((50, 0, 20, 0), Missing, AskForProof),
            ((50, 0, 20, 0), Given, Serve),
            ((50, 9, 49, 0), Given, Serve),
            ((50, 10, 49, 0), Given, Refuse(Reason::SourceFull)),
            ((51, 0, 20, 0), Missing, AskForProof),
            ((51, 0, 20, 0), Given, Refuse(Reason::SourceFull)),
            ((100, 0, 0, 0), Missing, Refuse(Reason::Full)),
            ((100, 10, 10, 9), Given, Refuse(Reason::Full)),
        ];
        for ((sessions, source, site, handshakes), proof, expected) in cases {
            let load = Load { sessions, crowd: Crowd { source, site }, handshakes };
            assert_eq!(admit(&load, &bounds, proof), expected, "{load:?} {proof:?}");
        }
    }
}
