//! One session: what of a request can be decided without the store, and the handles and readings
//! that live as long as the connection.
//!
//! Owns handles, request ids and bounds. Never knows what is stored: that comes as an [`Outcome`],
//! so that nothing is lost with a session (spec: CHN-029).

mod complete;
mod handles;
mod request;

use std::{collections::BTreeMap, sync::Arc};

use hushwire_wire::{
    error::Code,
    id::{ChannelId, EpochId, Nonce, PublicKey, RelayId, SessionId, Timestamp},
    limit::Limits,
    message::{Answer, Hello, HelloReply, Request, RequestId},
    transcript,
    version::VersionRange,
};

use crate::{
    lookup::Lookup, outcome::Outcome, reading::Reading, receipt::Reply, waiting::Source,
    write::InboxDoor, write::Write,
};
use handles::Handles;

/// What to do next about a request.
#[derive(Debug)]
pub enum Step {
    /// Send it; the request is over.
    Reply(Reply),
    /// Send it, then end the session.
    ReplyThenClose(Reply),
    /// Plan and commit it in a [`crate::Group`], then [`Session::complete`].
    Write(Write),
    /// [`Lookup::run`], then [`Session::complete`].
    Lookup(Lookup),
    /// Subscribe to the reading's object, then call [`Reading::next`] as the client has room.
    /// [`Session::reading_over`] when it is over.
    Read(Reading),
    /// Drop these readings, send [`Reply::read_over`] under the id of each, then send the reply.
    Stop {
        /// The readings.
        readings: Vec<RequestId>,
        /// The answer to the request.
        reply: Reply,
    },
}

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    relay_key: PublicKey,
    relay: RelayId,
    limits: Arc<Limits>,
    nonce: Nonce,
    source: Source,
    phase: Phase,
    handles: Handles,
    in_flight: BTreeMap<RequestId, Waiting>,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Only a hello is taken.
    Greeting,
    /// Requests are taken.
    Open(SessionId),
    /// Nothing is taken any more.
    Closed,
}

/// What a request in flight will need when it completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// An answer.
    Answer,
    /// An answer and a new handle.
    Handle,
}

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// A channel at an epoch.
    Channel { channel: ChannelId, epoch: EpochId },
    /// An inbox, for a slot.
    Inbox(InboxDoor),
}

impl Session {
    /// A session at the relay with this key, before its hello. `nonce` is fresh and random.
    pub fn new(relay: PublicKey, limits: Arc<Limits>, nonce: Nonce, source: Source) -> Self {
        Self {
            relay: transcript::relay_id(&relay),
            relay_key: relay,
            handles: Handles::new(&limits),
            limits,
            nonce,
            source,
            phase: Phase::Greeting,
            in_flight: BTreeMap::new(),
        }
    }

    /// One decoded request in; what to do about it out.
    pub fn handle(&mut self, now: Timestamp, id: RequestId, request: Request) -> Step {
        // spec: WIRE-060
        match (self.phase, request) {
            (Phase::Greeting, Request::Hello(hello)) if id == RequestId::HELLO => {
                self.greet(now, &hello)
            }
            (Phase::Greeting, _) | (Phase::Open(_), Request::Hello(_)) | (Phase::Closed, _) => {
                self.close(Code::HelloMisplaced)
            }
            (Phase::Open(session), request) => self.admit(session, id, request),
        }
    }

    /// Takes what a write or lookup came to, and says what to do about its request next.
    pub fn complete(&mut self, id: RequestId, outcome: Outcome) -> Step {
        let Some(waiting) = self.in_flight.remove(&id) else {
            return Step::Reply(Reply::refused(Code::Internal.into()));
        };
        if waiting == Waiting::Handle {
            self.handles.release();
        }
        self.finish(id, outcome)
    }

    /// A reading has said its last word; its id is free again.
    pub fn reading_over(&mut self, id: RequestId) {
        self.handles.end_reading(id);
    }

    /// Requests that wait for [`Session::complete`].
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn greet(&mut self, now: Timestamp, hello: &Hello) -> Step {
        // spec: WIRE-002, WIRE-031, WIRE-041
        let Some(version) = VersionRange::SUPPORTED.agree(hello.versions) else {
            return self.close(Code::UnsupportedVersion);
        };
        let session = transcript::session_id(version, &hello.nonce, &self.nonce, &self.relay_key);
        self.phase = Phase::Open(session);
        Step::Reply(Reply::ready(Answer::Hello(HelloReply {
            version,
            relay_key: self.relay_key,
            nonce: self.nonce,
            capabilities: 0,
            time: now,
            entry_inline_bytes_max: self.limits.entry_inline_bytes_max.into(),
            blob_bytes_max: self.limits.blob_bytes_max,
            blob_chunk_bytes: self.limits.blob_chunk_bytes.into(),
            requests_in_flight_max: self.limits.requests_in_flight_max.into(),
            message_retention_ms: self.limits.message_retention_ms,
        })))
    }

    /// A request of an open session: its id is free, and there is room for it.
    fn admit(&mut self, session: SessionId, id: RequestId, request: Request) -> Step {
        // spec: WIRE-061
        let taken = self.in_flight.contains_key(&id) || self.handles.reads(id);
        if taken || id == RequestId::HELLO {
            return self.close(Code::RequestIdInUse);
        }
        // spec: WIRE-062
        if self.in_flight.len() >= usize::from(self.limits.requests_in_flight_max) {
            return refuse(Code::LimitExceeded);
        }
        let begun = self.begin(session, id, request);
        begun.unwrap_or_else(|refusal| Step::Reply(Reply::refused(refusal)))
    }

    fn close(&mut self, code: Code) -> Step {
        self.phase = Phase::Closed;
        Step::ReplyThenClose(Reply::refused(code.into()))
    }
}

fn refuse(code: Code) -> Step {
    Step::Reply(Reply::refused(code.into()))
}
