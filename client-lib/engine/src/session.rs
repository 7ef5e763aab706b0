//! The client's side of one session with a relay: hello, request numbers, what waits for an answer.
//!
//! Owns nothing durable: a session that breaks is forgotten, and whatever it was for is asked again
//! on the next one (spec: CLI-030).

use std::collections::BTreeMap;

use hushwire_protocol::address::RelayAddress;
use hushwire_wire::{
    id::{ChannelId, Nonce, PublicKey, RelayId, SessionId, Timestamp},
    message::{Answer, Hello, HelloReply, Request, RequestId},
    transcript,
    version::VersionRange,
};

use crate::{io::Lane, pending::Pending};

/// Names a session towards the driver. Never reused within one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNumber(pub u64);

/// What a session is for: objects that may be linked by the relay share one (spec: CLI-031).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// The own inbox.
    Inbox,
    /// The place where a device that is being linked meets another.
    Rendezvous,
    /// Channels, other people's inboxes, blobs.
    Channels,
    /// One channel and its blobs, for who asked to isolate.
    Channel(ChannelId),
}

/// Which session: there is one for each relay and purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    pub(crate) relay: RelayAddress,
    pub(crate) purpose: Purpose,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not connected; a connection may be tried from this time on.
    Waiting { until: Timestamp },
    /// The driver is connecting.
    Connecting,
    /// Connected; the hello has no answer yet.
    Greeting,
    /// Requests may be sent.
    Ready,
    /// The relay showed another key than the pinned one. Final.
    KeyMismatch,
}

/// A hello reply that does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHello {
    /// The relay's key is not the pinned one.
    KeyMismatch,
    /// A version that was not offered.
    Version,
}

/// What the relay's clock says of the own one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnClock {
    /// They are close enough.
    Agrees,
    /// One of them is wrong by more than a day.
    Differs,
}

/// How far the relay's clock is from ours, in milliseconds, when ours is said to be wrong: a day.
pub(crate) const CLOCK_OFF_MS: u64 = 24 * 60 * 60 * 1000;

/// One session.
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) state: State,
    pub(crate) id: Option<SessionId>,
    pub(crate) relay_key: Option<PublicKey>,
    pub(crate) limits: ServerLimits,
    /// How far the relay's clock was from ours at its hello, in milliseconds.
    pub(crate) clock_off_ms: u64,
    pub(crate) attempts: u32,
    /// How often the relay broke the rules: it is asked less often then.
    faults: u32,
    pending: BTreeMap<RequestId, Waiting>,
    last_request: u64,
    nonce: Nonce,
}

/// A request whose last answer has not come.
struct Waiting {
    what: Pending,
    /// When an answer has to have come; none: it is a reading that has caught up.
    until: Option<Timestamp>,
}

/// How long a request waits for an answer, in milliseconds (spec: CLI-146).
const ANSWER_WAIT_MS: u64 = 120_000;
/// The same on the lane of blobs, where a chunk can be long under way.
const BLOB_ANSWER_WAIT_MS: u64 = 600_000;

/// When a request that is sent now, or that was just answered in part, has to have an answer.
const fn answer_due(now: Timestamp, lane: Lane) -> Timestamp {
    now.plus_ms(match lane {
        Lane::Session => ANSWER_WAIT_MS,
        Lane::Blobs => BLOB_ANSWER_WAIT_MS,
    })
}

/// What the relay said of its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerLimits {
    pub(crate) entry_inline_bytes_max: u64,
    pub(crate) blob_bytes_max: u64,
    pub(crate) blob_chunk_bytes: u64,
}

impl Default for ServerLimits {
    fn default() -> Self {
        let limits = hushwire_wire::limit::Limits::V1;
        Self {
            entry_inline_bytes_max: limits.entry_inline_bytes_max.into(),
            blob_bytes_max: limits.blob_bytes_max,
            blob_chunk_bytes: limits.blob_chunk_bytes.into(),
        }
    }
}

impl Session {
    pub(crate) fn new(key: SessionKey) -> Self {
        Self {
            key,
            state: State::Waiting { until: Timestamp(0) },
            id: None,
            relay_key: None,
            limits: ServerLimits::default(),
            clock_off_ms: 0,
            attempts: 0,
            faults: 0,
            pending: BTreeMap::new(),
            last_request: 0,
            nonce: Nonce::from_bytes([0; 32]),
        }
    }

    pub(crate) fn relay(&self) -> RelayId {
        self.key.relay.relay()
    }

    /// What the relay's clock said of ours at its hello.
    pub(crate) const fn own_clock(&self) -> OwnClock {
        if self.clock_off_ms > CLOCK_OFF_MS { OwnClock::Differs } else { OwnClock::Agrees }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// The hello of a fresh connection.
    pub(crate) fn hello(&mut self, nonce: Nonce) -> Request {
        self.state = State::Greeting;
        self.nonce = nonce;
        self.last_request = 0;
        self.pending.clear();
        Request::Hello(Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 })
    }

    /// Takes the relay's hello: from here on requests may be sent.
    pub(crate) fn greeted(&mut self, reply: &HelloReply) -> Result<(), BadHello> {
        if transcript::relay_id(&reply.relay_key) != self.relay() {
            self.state = State::KeyMismatch;
            return Err(BadHello::KeyMismatch);
        }
        let offered = VersionRange::SUPPORTED;
        if !(offered.min..=offered.max).contains(&u32::from(reply.version)) {
            return Err(BadHello::Version);
        }
        self.id = Some(transcript::session_id(
            reply.version,
            &self.nonce,
            &reply.nonce,
            &reply.relay_key,
        ));
        self.relay_key = Some(reply.relay_key);
        self.limits = ServerLimits {
            entry_inline_bytes_max: reply.entry_inline_bytes_max,
            blob_bytes_max: reply.blob_bytes_max,
            blob_chunk_bytes: reply.blob_chunk_bytes.max(1),
        };
        self.state = State::Ready;
        self.attempts = self.faults;
        Ok(())
    }

    /// The number for a new request: 0 for the hello, then counted up (spec: WIRE-004).
    pub(crate) fn expect(&mut self, what: Pending, now: Timestamp, lane: Lane) -> RequestId {
        if what != Pending::Hello {
            self.last_request = self.last_request.saturating_add(1);
        }
        let id = RequestId(self.last_request);
        self.pending.insert(id, Waiting { what, until: Some(answer_due(now, lane)) });
        id
    }

    /// A request was answered in part: it has more time for the rest. A reading that has caught up has
    /// all time.
    pub(crate) fn heard(&mut self, id: RequestId, now: Timestamp, answer: &Answer) {
        let Some(waiting) = self.pending.get_mut(&id) else { return };
        waiting.until = match answer {
            Answer::ReadEnd(_) => None,
            Answer::BlobChunk { .. } => Some(answer_due(now, Lane::Blobs)),
            _ => Some(answer_due(now, Lane::Session)),
        };
    }

    /// Whether a request has waited for too long (spec: CLI-146).
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.answer_due().is_some_and(|due| due <= now)
    }

    fn answer_due(&self) -> Option<Timestamp> {
        self.pending.values().filter_map(|waiting| waiting.until).min()
    }

    /// What a request was for. It goes on waiting if it is a reading.
    pub(crate) fn pending(&self, id: RequestId) -> Option<&Pending> {
        self.pending.get(&id).map(|waiting| &waiting.what)
    }

    /// A request has its last answer.
    pub(crate) fn settle(&mut self, id: RequestId) -> Option<Pending> {
        self.pending.remove(&id).map(|waiting| waiting.what)
    }

    /// Forgets what was asked of a door: no answer comes once its handle is closed, or it changes
    /// nothing.
    pub(crate) fn forget_door(&mut self, of: &ChannelId) {
        self.pending.retain(|_, waiting| {
            !matches!(&waiting.what,
                Pending::ReadDoor { channel, .. } | Pending::AdvanceDoor { channel } if channel == of)
        });
    }

    /// How many requests have no answer, or no last one, yet.
    pub(crate) fn under_way(&self) -> usize {
        self.pending.len()
    }

    /// Forgets what was asked for a wish: an answer that still comes changes nothing.
    pub(crate) fn forget_wish(&mut self, number: crate::record::WishNumber) {
        self.pending.retain(|_, waiting| {
            !matches!(&waiting.what,
                Pending::Wish { wish }
                | Pending::Chunk { wish, .. }
                | Pending::FetchSnapshot { wish } if *wish == number)
        });
    }

    /// The relay broke the rules.
    pub(crate) fn fault(&mut self) {
        self.faults = self.faults.saturating_add(1);
        self.attempts = self.attempts.max(self.faults);
    }

    /// The connection is gone: everything that waited comes back, to be asked again.
    pub(crate) fn lost(&mut self, until: Timestamp) -> Vec<Pending> {
        if self.state != State::KeyMismatch {
            self.state = State::Waiting { until };
        }
        self.id = None;
        self.attempts = self.attempts.saturating_add(1);
        let pending = core::mem::take(&mut self.pending);
        pending.into_values().map(|waiting| waiting.what).collect()
    }
}

impl Session {
    /// When this session wants to be looked at again.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Greeting | State::Ready => self.answer_due(),
            State::Connecting | State::KeyMismatch => None,
        }
    }
}
