//! `hush-relay run`: from start to signal.

use std::{
    io::{self, Write as _},
    net::{IpAddr, SocketAddr},
};

use hushwire_relay::{Config, Relay, RunningRelay};
use hushwire_wire::address::{AddressError, Place, RelayAddress};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{Failure, RunArguments};

/// Sets the level of the logs: `error`, `warn`, `info`, `debug` or `trace`.
const LOG_VARIABLE: &str = "HUSHWIRE_LOG";

/// The first line on standard output.
#[derive(Serialize)]
struct Listening<'line> {
    listening: SocketAddr,
    relay_id: &'line str,
    address: &'line str,
}

/// Runs a relay until a signal comes.
pub(super) fn run(arguments: RunArguments) -> Result<(), Failure> {
    start_logs(if arguments.json { Format::Json } else { Format::Text });
    let mut config = arguments.places.read()?;
    if let Some(listen) = arguments.listen {
        config.listen = listen;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(usize::from(config.connections.disk_reads_max) + 4)
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut relay = Relay::new(config.clone());
        if let Some(file) = arguments.dangerous_record_frames {
            tracing::warn!(
                "RECORDING EVERY FRAME, BEARER SECRETS INCLUDED: not for a relay in use"
            );
            relay = relay.dangerous_record_frames(file);
        }
        let relay = relay.run()?;
        announce(&relay, &config, if arguments.json { Format::Json } else { Format::Text })?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        relay.stop().await;
        tracing::info!("stopped");
        Ok(())
    })
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
}

/// One line, so that scripts can wait for it and learn the port (spec: RLY-008).
fn announce(relay: &RunningRelay, config: &Config, format: Format) -> io::Result<()> {
    let listening = relay.address();
    let place = config.public_address.clone().map_or_else(|| reachable(listening), Ok);
    let place = place.map_err(io::Error::other)?;
    let address = RelayAddress::at(place, *relay.relay_id()).to_string();
    let relay_id = hex::encode(relay.relay_id());
    let line = match format {
        Format::Text => format!("listening {listening} relay id {relay_id} address {address}"),
        Format::Json => {
            let line = Listening { listening, relay_id: &relay_id, address: &address };
            serde_json::to_string(&line).map_err(io::Error::from)?
        }
    };
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

/// `host:port` of an address on this machine; an unspecified one is reached as localhost.
fn reachable(listening: SocketAddr) -> Result<Place, AddressError> {
    let port = listening.port();
    match listening.ip() {
        ip if ip.is_unspecified() => super::localhost(port),
        IpAddr::V4(ip) => format!("{ip}:{port}").parse(),
        IpAddr::V6(ip) => format!("[{ip}]:{port}").parse(),
    }
}

/// Only the relay's own events: those of its libraries carry addresses (spec: RLY-042). The level
/// can be changed, the source cannot.
fn start_logs(format: Format) {
    let level = std::env::var(LOG_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(tracing::Level::INFO);
    let own = Targets::new().with_target("hushwire_relay", level).with_target("hush_relay", level);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(own)).init();
}
