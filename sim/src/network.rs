//! Connections: ordered in each direction and lane, as QUIC streams are; they break, and then each
//! end learns of it at a time of its own.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_engine::{io::Lane, session::SessionNumber};
use hushwire_wire::{id::Timestamp, message::RequestId};

use crate::{dice::Dice, relay::Seat};

/// Which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(u64);

/// What a connection still carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Whole,
    /// What is under way, and what is sent from now on, is lost.
    Broken,
}

pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) session: SessionNumber,
    pub(crate) relay: usize,
    pub(crate) seat: Seat,
    pub(crate) line: Line,
    /// When the last frame of each lane arrives.
    up: [Timestamp; 2],
    down: [Timestamp; 2],
    /// Requests that came on the lane for blobs: their answers go back on it.
    on_blobs: BTreeSet<RequestId>,
}

const fn place(lane: Lane) -> usize {
    match lane {
        Lane::Session => 0,
        Lane::Blobs => 1,
    }
}

impl Link {
    /// When a request arrives that is sent now.
    pub(crate) fn request_at(
        &mut self,
        now: Timestamp,
        delay_ms: u64,
        lane: Lane,
        id: RequestId,
    ) -> Timestamp {
        if lane == Lane::Blobs {
            self.on_blobs.insert(id);
        }
        let last = &mut self.up[place(lane)];
        *last = now.plus_ms(delay_ms).max(*last);
        *last
    }

    /// When an answer arrives that is sent now.
    pub(crate) fn answer_at(&mut self, now: Timestamp, delay_ms: u64, id: RequestId) -> Timestamp {
        let lane = if self.on_blobs.contains(&id) { Lane::Blobs } else { Lane::Session };
        let last = &mut self.down[place(lane)];
        *last = now.plus_ms(delay_ms).max(*last);
        *last
    }
}

/// Every connection that one end, or both, take for there.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) links: BTreeMap<LinkId, Link>,
    last: u64,
}

impl Network {
    pub(crate) fn open(
        &mut self,
        client: usize,
        session: SessionNumber,
        relay: usize,
        seat: Seat,
    ) -> LinkId {
        self.last += 1;
        let id = LinkId(self.last);
        let link = Link {
            client,
            session,
            relay,
            seat,
            line: Line::Whole,
            up: Default::default(),
            down: Default::default(),
            on_blobs: BTreeSet::new(),
        };
        self.links.insert(id, link);
        id
    }

    /// The connection of a relay's session.
    pub(crate) fn of_seat(&self, relay: usize, seat: Seat) -> Option<LinkId> {
        let found = self.links.iter().find(|(_, link)| link.relay == relay && link.seat == seat);
        found.map(|(id, _)| *id)
    }

    pub(crate) fn of_client(&self, client: usize) -> Vec<LinkId> {
        let own = self.links.iter().filter(|(_, link)| link.client == client);
        own.map(|(id, _)| *id).collect()
    }

    pub(crate) fn of_relay(&self, relay: usize) -> Vec<LinkId> {
        let own = self.links.iter().filter(|(_, link)| link.relay == relay);
        own.map(|(id, _)| *id).collect()
    }
}

/// How long a frame is under way, in milliseconds.
pub(crate) fn delay_ms(dice: &mut Dice, pace: Pace) -> u64 {
    match pace {
        Pace::Usual if dice.happens(20) => dice.between(200, 1_500),
        Pace::Usual => dice.between(3, 60),
        Pace::Slow => dice.between(500, 9_000),
    }
}

/// How a device's network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Usual,
    Slow,
}
