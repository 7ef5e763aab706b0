//! The relay's configuration: `relay.toml`, where every default works without a file.
//!
//! Unknown keys are refused, since a misspelt bound is no bound (spec: RLY-004).

use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use hushwire_wire::{address::Place, limit::Limits};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::tls::ClassicalKeyExchange;

/// What `hush-relay init` writes: every key with its default, commented out.
pub const TEMPLATE: &str = include_str!("config/relay.toml");

/// Where the data lies when nothing else is said, below the working directory.
pub const DATA_DEFAULT: &str = "hush-relay-data";

/// Why a configuration cannot be used. Blame: who wrote it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file cannot be read: {0}; see --config")]
    File(#[from] io::Error),
    /// The file is no TOML, or has an unknown key or a value of a wrong type.
    #[error("the configuration is not understood; `hush-relay init` writes one that is: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A value is outside of what works.
    #[error("`{key}` must be {advice}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What would work.
        advice: &'static str,
    },
}

/// How a relay runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data directory: key and store.
    pub data: PathBuf,
    /// The UDP address to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// `host:port` as clients reach it, for the address that `init` and `run` print.
    #[serde(deserialize_with = "place")]
    pub public_address: Option<Place>,
    /// Whether clients without post-quantum key exchange are let in.
    pub classical_key_exchange: ClassicalKeyExchange,
    /// Bounds of connections.
    pub connections: Connections,
    /// Bounds of the store.
    pub store: Store,
    /// Bounds of the writer.
    pub writer: Writer,
    /// How long things are kept.
    pub retention: Retention,
}

/// Bounds of connections.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// Connections at once.
    pub connections_max: u32,
    /// Connections at once from one source, an IPv4 address or an IPv6 /56 prefix; 0: an eighth of
    /// `connections_max`, at least 64. An IPv6 /48 prefix has twice that while the relay has
    /// more than half of `connections_max`. See [`Connections::share`].
    pub connections_per_source_max: u32,
    /// While so many handshakes are under way, a new address first proves that it receives
    /// (stateless retry); 0: always.
    pub handshakes_before_retry: u32,
    /// Streams of one connection: the session and its lanes for blobs.
    pub streams_max: u8,
    /// A silent connection ends after so many milliseconds.
    pub idle_max_ms: u32,
    /// Bytes that one stream may send ahead of what the relay has read.
    pub stream_window_bytes: u32,
    /// Bytes that one connection may send ahead of what the relay has read.
    pub receive_window_bytes: u32,
    /// Bytes that the relay sends ahead of what a connection has acknowledged.
    pub send_window_bytes: u32,
    /// Reads of the disk at once, over all connections.
    pub disk_reads_max: u16,
    /// Time to finish what is under way when the relay stops, in milliseconds.
    pub stop_wait_ms: u32,
}

/// Bounds of the store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Memory for what was read, index and filters included.
    pub cache_bytes: usize,
    /// Memory for what was written and is not in its final file yet.
    pub write_buffer_bytes: usize,
    /// Files open at once.
    pub files_max: u16,
    /// Writes are refused as `STORAGE_FULL` when the disk has less free space.
    pub disk_reserve_bytes: u64,
    /// Time between two removals of expired rows, in milliseconds.
    pub expire_every_ms: u32,
    /// Expired rows removed before waiting writes get their turn.
    pub expire_rows_max: u32,
}

/// Bounds of the writer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writer {
    /// Writes that wait; more are refused as `BUSY`.
    pub queue_max: u16,
    /// Bytes that wait; more are refused as `BUSY`.
    pub queue_bytes_max: u32,
    /// Writes that share one sync.
    pub group_max: u16,
    /// Bytes that share one sync; the write that reaches it is still in.
    pub group_bytes_max: u32,
}

/// How long things are kept, in days, by the relay's clock. Parts of days are allowed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The content of a message entry.
    pub message_days: f64,
    /// The content of a commit entry.
    pub commit_days: f64,
    /// An epoch's public key after its last use.
    pub epoch_days: f64,
    /// An inbox item.
    pub item_days: f64,
    /// A blob.
    pub blob_days: f64,
    /// A device's cursor without its device.
    pub slot_lapse_days: f64,
    /// Longest blob, in bytes.
    pub blob_bytes_max: u64,
}

impl Eq for Retention {}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: DATA_DEFAULT.into(),
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 4433)),
            public_address: None,
            classical_key_exchange: ClassicalKeyExchange::default(),
            connections: Connections::default(),
            store: Store::default(),
            writer: Writer::default(),
            retention: Retention::default(),
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_source_max: 0,
            handshakes_before_retry: 256,
            streams_max: 4,
            idle_max_ms: 60_000,
            stream_window_bytes: 384 * 1024,
            receive_window_bytes: 768 * 1024,
            send_window_bytes: 512 * 1024,
            disk_reads_max: 8,
            stop_wait_ms: 10_000,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * 1024 * 1024,
            write_buffer_bytes: 32 * 1024 * 1024,
            files_max: 512,
            disk_reserve_bytes: 256 * 1024 * 1024,
            expire_every_ms: 60_000,
            expire_rows_max: 500,
        }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            queue_max: 4_096,
            queue_bytes_max: 64 * 1024 * 1024,
            group_max: 1_024,
            group_bytes_max: 8 * 1024 * 1024,
        }
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for Retention {
    fn default() -> Self {
        let days = |milliseconds: u64| (milliseconds / DAY_MS) as f64;
        let limits = Limits::V1;
        Self {
            message_days: days(limits.message_retention_ms),
            commit_days: days(limits.commit_retention_ms),
            epoch_days: days(limits.epoch_retention_ms),
            item_days: days(limits.item_retention_ms),
            blob_days: days(limits.blob_retention_ms),
            slot_lapse_days: days(limits.slot_lapse_ms),
            blob_bytes_max: limits.blob_bytes_max,
        }
    }
}

/// A place as clients take it: what they refuse is no address to print (spec: RLY-007, LNK-001).
fn place<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Place>, D::Error> {
    let text = String::deserialize(text)?;
    text.parse().map(Some).map_err(|_| {
        D::Error::custom("`public_address` must be host:port, such as relay.example:4433")
    })
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be read, understood, or used.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&std::fs::read_to_string(path)?)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be understood or used.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Whether every value is within what works.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let checks = [
            self.connections.checks().as_slice(),
            &self.store.checks(),
            &self.writer.checks(),
            &self.retention.checks(),
        ]
        .concat();
        match checks.into_iter().find(|check| !check.holds) {
            Some(Check { key, advice, .. }) => Err(ConfigError::OutOfRange { key, advice }),
            None => Ok(()),
        }
    }

    /// The rules' bounds with this configuration's retention.
    pub fn limits(&self) -> Limits {
        let days = &self.retention;
        Limits {
            message_retention_ms: milliseconds(days.message_days),
            commit_retention_ms: milliseconds(days.commit_days),
            epoch_retention_ms: milliseconds(days.epoch_days),
            item_retention_ms: milliseconds(days.item_days),
            blob_retention_ms: milliseconds(days.blob_days),
            slot_lapse_ms: milliseconds(days.slot_lapse_days),
            blob_bytes_max: days.blob_bytes_max,
            ..Limits::V1
        }
    }
}

/// Whether one value is within what works.
#[derive(Clone, Copy)]
struct Check {
    holds: bool,
    key: &'static str,
    advice: &'static str,
}

const fn check(holds: bool, key: &'static str, advice: &'static str) -> Check {
    Check { holds, key, advice }
}

const FRAME: u32 = Limits::V1.frame_bytes_max;
const FRAME_ADVICE: &str = "at least one frame, 327680";
const ONE: &str = "1 or more";
const MEGABYTE: &str = "1048576 or more";
const DAYS: &str = "more than 0 and at most 36500";

/// The least share of a source that follows from `connections_max`.
const SHARE_LEAST: u32 = 64;

impl Connections {
    /// Connections that one source may have at once (spec: RLY-044).
    pub fn share(&self) -> u32 {
        match self.connections_per_source_max {
            0 => (self.connections_max / 8).max(SHARE_LEAST),
            share => share,
        }
    }

    fn checks(&self) -> [Check; 7] {
        let (stream, all) = (self.stream_window_bytes, self.receive_window_bytes);
        let send = self.send_window_bytes;
        [
            check(self.connections_max > 0, "connections.connections_max", ONE),
            check((1..=16).contains(&self.streams_max), "connections.streams_max", "1 to 16"),
            check(self.idle_max_ms >= 5_000, "connections.idle_max_ms", "5000 or more"),
            check(stream >= FRAME, "connections.stream_window_bytes", FRAME_ADVICE),
            check(all >= stream, "connections.receive_window_bytes", "at least that of a stream"),
            check(send >= 16_384, "connections.send_window_bytes", "16384 or more"),
            check(self.disk_reads_max > 0, "connections.disk_reads_max", ONE),
        ]
    }
}

impl Store {
    fn checks(&self) -> [Check; 5] {
        [
            check(self.cache_bytes >= 1 << 20, "store.cache_bytes", MEGABYTE),
            check(self.write_buffer_bytes >= 1 << 20, "store.write_buffer_bytes", MEGABYTE),
            check(self.files_max >= 32, "store.files_max", "32 or more"),
            check(self.expire_every_ms >= 100, "store.expire_every_ms", "100 or more"),
            check(self.expire_rows_max > 0, "store.expire_rows_max", ONE),
        ]
    }
}

impl Writer {
    fn checks(&self) -> [Check; 3] {
        [
            check(self.queue_max > 0, "writer.queue_max", ONE),
            check(self.queue_bytes_max >= FRAME, "writer.queue_bytes_max", FRAME_ADVICE),
            check(self.group_max > 0, "writer.group_max", ONE),
        ]
    }
}

impl Retention {
    fn checks(&self) -> [Check; 8] {
        let (message, commit, epoch) = (self.message_days, self.commit_days, self.epoch_days);
        [
            check(valid_days(message), "retention.message_days", DAYS),
            check(valid_days(commit), "retention.commit_days", DAYS),
            check(commit >= message, "retention.commit_days", "at least that of messages"),
            check(valid_days(epoch), "retention.epoch_days", DAYS),
            check(epoch >= commit, "retention.epoch_days", "at least that of commits"),
            check(valid_days(self.item_days), "retention.item_days", DAYS),
            check(valid_days(self.blob_days), "retention.blob_days", DAYS),
            check(valid_days(self.slot_lapse_days), "retention.slot_lapse_days", DAYS),
        ]
    }
}

fn valid_days(days: f64) -> bool {
    days > 0.0 && days <= 36_500.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`check` holds days between 0 and 36500, which fit"
)]
fn milliseconds(days: f64) -> u64 {
    (days * DAY_MS as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default_and_so_is_the_template() {
        // spec: RLY-004
        assert_eq!(Config::parse("").unwrap(), Config::default());
        assert_eq!(Config::parse(TEMPLATE).unwrap(), Config::default());
        assert_eq!(Config::default().limits(), Limits::V1);
    }

    #[test]
    fn the_template_shows_every_default() {
        let lines: Vec<_> = TEMPLATE
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|_| line.contains(" = ")).unwrap_or(line))
            .filter(|line| !line.starts_with("public_address"))
            .collect();
        assert_eq!(Config::parse(&lines.join("\n")).unwrap(), Config::default());
    }

    #[test]
    fn the_share_of_a_source_follows_from_the_bound_or_is_said() {
        // spec: RLY-044
        for (all, said, share) in [(10_000, 0, 1_250), (100, 0, 64), (100, 3, 3), (8, 900, 900)] {
            let (connections_max, connections_per_source_max) = (all, said);
            let connections =
                Connections { connections_max, connections_per_source_max, ..Default::default() };
            assert_eq!(connections.share(), share);
        }
    }

    #[test]
    fn unknown_keys_and_values_that_cannot_work_are_refused() {
        // spec: RLY-004
        for text in [
            "lisen = \"[::]:1\"",
            "[store]\ncache = 1",
            "[stores]",
            "listen = 4433",
            "public_address = \"relay.example\"",
            "public_address = \"http://x y\"",
            "public_address = \"Relay.example:4433\"",
        ] {
            assert!(matches!(Config::parse(text), Err(ConfigError::Syntax(_))), "{text}");
        }
        for text in [
            "[connections]\nstreams_max = 0",
            "[connections]\nstream_window_bytes = 1024",
            "[retention]\nmessage_days = 0",
            "[retention]\nmessage_days = nan",
            "[retention]\ncommit_days = 1",
            "[writer]\nqueue_max = 0",
        ] {
            assert!(matches!(Config::parse(text), Err(ConfigError::OutOfRange { .. })), "{text}");
        }
    }
}
