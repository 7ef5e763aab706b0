//! `hush-relay run`: from start to signal.

use std::{
    ffi::OsStr,
    io,
    net::{IpAddr, SocketAddr},
};

use hushwire_relay::{Config, Relay, RunningRelay, key::Origin};
use hushwire_wire::address::{AddressError, Place, RelayAddress};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{Failure, RunArguments, print};

/// Sets the level of the logs: `error`, `warn`, `info`, `debug` or `trace`.
const LOG_VARIABLE: &str = "HUSHWIRE_LOG";

/// The first line on standard output.
#[derive(Serialize)]
struct Listening<'line> {
    listening: SocketAddr,
    relay_id: &'line str,
    address: &'line str,
    data: String,
    identity: &'static str,
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

/// One line, so that scripts can wait for it and learn the port (spec: RLY-008), and a warning if
/// this relay is a new one (spec: RLY-045).
fn announce(relay: &RunningRelay, config: &Config, format: Format) -> Result<(), Failure> {
    let listening = relay.address();
    let place = config.public_address.clone().map_or_else(|| reachable(listening), Ok);
    let address = RelayAddress::at(place?, *relay.relay_id()).to_string();
    let relay_id = hex::encode(relay.relay_id());
    let data = config.data.display();
    let mut line = match format {
        Format::Text => format!("listening {listening} relay id {relay_id} address {address}"),
        Format::Json => {
            let (data, identity) = (data.to_string(), identity(relay.origin()));
            let (relay_id, address) = (relay_id.as_str(), address.as_str());
            let line = Listening { listening, relay_id, address, data, identity };
            serde_json::to_string(&line)?
        }
    };
    if let (Format::Text, Origin::Made) = (format, relay.origin()) {
        line += &format!("\nmade a new relay identity in {data}; address {address}");
    }
    print(format!("{line}\n").as_bytes())
}

const fn identity(origin: Origin) -> &'static str {
    match origin {
        Origin::Kept => "kept",
        Origin::Made => "new",
    }
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
/// can be changed, the source cannot. What the variable says in vain is said.
fn start_logs(format: Format) {
    let said = std::env::var_os(LOG_VARIABLE);
    let wanted = level_of(said.as_deref());
    let level = wanted.unwrap_or(Level::INFO);
    let own = Targets::new().with_target("hushwire_relay", level).with_target("hush_relay", level);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(own)).init();
    if wanted.is_none() {
        tracing::warn!("{LOG_VARIABLE} is no log level, such as debug; the level is info");
    }
}

/// The level that the variable names, `info` where it is not set; `None` if it names none.
fn level_of(said: Option<&OsStr>) -> Option<Level> {
    match said {
        None => Some(Level::INFO),
        Some(said) if said.is_empty() => Some(Level::INFO),
        Some(said) => said.to_str()?.parse().ok(),
    }
}
