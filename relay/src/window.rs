//! What a connection may have ahead of the other side, by the crowd that it comes from.
//!
//! A client that takes nothing is not sent away: one that is slow catches up from the store, and one
//! that means harm would take a byte now and then. What it can make the relay hold is bounded
//! instead, and less where many come from one place.

use std::sync::Arc;

use quinn::{ServerConfig, TransportConfig, VarInt};

use crate::{config::Connections, source::Crowd};

/// The most that a connection out of a crowd has under way in each direction (spec: RLY-047).
const CROWD_WINDOW_BYTES: u32 = 128 * 1024;
/// The most streams that it has: the session and one lane, as many as a client of ours uses.
const CROWD_STREAMS_MAX: u8 = 2;
/// The part of a share that is no crowd, and the least of it.
const WIDE_PART: u32 = 16;
const WIDE_LEAST: u32 = 16;

/// How much a connection may have ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// What the configuration says.
    Full,
    /// No more than one out of a crowd.
    Crowded,
}

impl Width {
    /// Of one more connection from where there is this crowd (spec: RLY-047).
    pub(crate) fn of(crowd: Crowd, bounds: &Connections) -> Self {
        let full = (bounds.share() / WIDE_PART).max(WIDE_LEAST);
        let below = |count, bound: u32| usize::try_from(bound).is_ok_and(|bound| count < bound);
        if below(crowd.source, full) && below(crowd.site, full.saturating_mul(2)) {
            Self::Full
        } else {
            Self::Crowded
        }
    }
}

/// How the endpoint serves connections of each width.
#[derive(Clone)]
pub(crate) struct Widths {
    full: Arc<ServerConfig>,
    crowded: Arc<ServerConfig>,
}

impl Widths {
    /// Of a server: the same but for the bounds.
    pub(crate) fn new(mut server: ServerConfig, bounds: &Connections) -> Self {
        let mut with = |bounds: &Connections| {
            server.transport_config(Arc::new(transport(bounds)));
            Arc::new(server.clone())
        };
        Self { full: with(bounds), crowded: with(&crowded(bounds)) }
    }

    /// For a connection of this width.
    pub(crate) fn server(&self, width: Width) -> Arc<ServerConfig> {
        Arc::clone(match width {
            Width::Full => &self.full,
            Width::Crowded => &self.crowded,
        })
    }
}

/// The bounds of a connection out of a crowd. One stream has half of the window, so that the lane
/// that is not read leaves room for the session.
fn crowded(bounds: &Connections) -> Connections {
    Connections {
        streams_max: bounds.streams_max.min(CROWD_STREAMS_MAX),
        stream_window_bytes: bounds.stream_window_bytes.min(CROWD_WINDOW_BYTES / 2),
        receive_window_bytes: bounds.receive_window_bytes.min(CROWD_WINDOW_BYTES),
        send_window_bytes: bounds.send_window_bytes.min(CROWD_WINDOW_BYTES),
        ..bounds.clone()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sixteenth_of_a_share_is_no_crowd() {
        // spec: RLY-047
        use Width::{Crowded, Full};
        let default = Connections::default();
        let few = Connections { connections_per_source_max: 3, ..Connections::default() };
        let cases = [
            (&default, 0, 0, Full),
            (&default, 77, 155, Full),
            (&default, 78, 78, Crowded),
            (&default, 0, 156, Crowded),
            (&few, 15, 0, Full),
            (&few, 16, 0, Crowded),
        ];
        for (bounds, source, site, expected) in cases {
            assert_eq!(Width::of(Crowd { source, site }, bounds), expected, "{source} {site}");
        }
    }

    #[test]
    fn what_a_share_of_connections_has_ahead_is_bounded() {
        // spec: RLY-047
        let bounds = Connections::default();
        let ahead = |bounds: &Connections| {
            u64::from(bounds.receive_window_bytes) + u64::from(bounds.send_window_bytes)
        };
        let (mut total, narrow) = (0, crowded(&bounds));
        for source in 0..usize::try_from(bounds.share()).unwrap() {
            total += match Width::of(Crowd { source, site: 0 }, &bounds) {
                Width::Full => ahead(&bounds),
                Width::Crowded => ahead(&narrow),
            };
        }
        assert!(total <= 400 << 20, "{total}");
        let small = Connections { send_window_bytes: 16_384, ..bounds };
        assert_eq!(crowded(&small).send_window_bytes, 16_384, "what is less stays");
    }
}
