//! What goes over the network: connections, requests, answers, and what breaks.

use hushwire_engine::{
    io::{Disconnect, Input, Lane},
    session::SessionNumber,
};
use hushwire_wire::frame::{
    AnswerFrame, RequestFrame, decode_answer, decode_request, encode_answer, encode_request,
};

use super::{Happening, World};
use crate::{
    check::Violation,
    network::{Line, LinkId, Pace, delay_ms},
    plan::Detail,
    relay::{Life, Said as RelaySaid},
};

impl World {
    pub(super) fn delay(&mut self, client: usize) -> u64 {
        let slow = self.clients[client].slow_until > self.now;
        delay_ms(&mut self.clients[client].dice, if slow { Pace::Slow } else { Pace::Usual })
    }

    pub(super) fn connects(&mut self, client: usize, session: SessionNumber, relay: Option<usize>) {
        if !self.clients[client].wanted.remove(&session) {
            return;
        }
        let reached = relay
            .filter(|relay| self.relays[*relay].up && self.clients[client].whole_at <= self.now);
        let Some(relay) = reached else {
            return self.feed(client, Input::Disconnected(session, Disconnect::Network));
        };
        let seat = self.relays[relay].open();
        let link = self.network.open(client, session, relay, seat);
        self.clients[client].links.insert(session, link);
        self.feed(client, Input::Connected(session));
    }

    pub(super) fn send(
        &mut self,
        client: usize,
        session: SessionNumber,
        lane: Lane,
        frame: RequestFrame,
    ) {
        let delay = self.delay(client);
        let now = self.now;
        let Some(id) = self.clients[client].links.get(&session).copied() else { return };
        let Some(link) = self.network.links.get_mut(&id) else { return };
        let line = link.line;
        if self.detail == Detail::Frames {
            self.frame(client, &format!("{line:?} asks {:?} {:?}", frame.id, frame.request));
        }
        if self.clients[client].asked.is_too_often(now) {
            let what = format!("device {client} asks {:?}", frame.request);
            self.violation = Some(Violation::Restless(what));
            return;
        }
        let Some(link) = self.network.links.get_mut(&id) else { return };
        if line == Line::Whole {
            let at = link.request_at(now, delay, lane, frame.id);
            self.agenda.put(at, Happening::Request { link: id, frame });
        }
    }

    pub(super) fn request(&mut self, id: LinkId, frame: RequestFrame) {
        let Some(link) = self.network.links.get(&id) else { return };
        if link.line == Line::Broken {
            return;
        }
        let (relay, seat) = (link.relay, link.seat);
        let bytes = encode_request(&frame);
        let Ok(frame) = decode_request(bytes.slice(4..)) else {
            self.violation = Some(Violation::Unexplained("an engine sent what is no frame".into()));
            return;
        };
        let (said, life) = self.relays[relay].take(self.now, seat, frame);
        match life {
            Life::Goes => self.deliver(relay, said),
            Life::Died => self.crash_relay(relay),
        }
    }

    pub(super) fn deliver(&mut self, relay: usize, said: Vec<RelaySaid>) {
        for (seat, frame) in said {
            let Some(id) = self.network.of_seat(relay, seat) else { continue };
            let Some(client) = self.network.links.get(&id).map(|link| link.client) else {
                continue;
            };
            for frame in self.deceive(id, client, frame) {
                let delay = self.delay(client);
                let now = self.now;
                let Some(link) = self.network.links.get_mut(&id) else { continue };
                if link.line == Line::Whole {
                    let at = link.answer_at(now, delay, frame.id);
                    self.agenda.put(at, Happening::Answer { link: id, frame });
                }
            }
        }
    }

    pub(super) fn answer(&mut self, id: LinkId, frame: AnswerFrame) {
        let Some(link) = self.network.links.get(&id) else { return };
        let (client, session) = (link.client, link.session);
        let is_current = self.clients[client].links.get(&session) == Some(&id);
        if link.line == Line::Broken || !is_current {
            return;
        }
        if self.detail == Detail::Frames {
            self.frame(client, &format!("hears {:?} {:?}", frame.id, frame.answer));
        }
        let bytes = encode_answer(&frame);
        match decode_answer(bytes.slice(4..)) {
            Ok(frame) => self.feed(client, Input::Frame(session, frame)),
            Err(_) => {
                let what = "a relay sent what is no frame".into();
                self.violation = Some(Violation::Unexplained(what));
            }
        }
    }

    /// Breaks a connection: nothing arrives any more, and each end learns of it within these times.
    pub(crate) fn break_link(&mut self, id: LinkId, client_ms: u64, relay_ms: u64) {
        if let Some(link) = self.network.links.get_mut(&id) {
            link.line = Line::Broken;
            let dice = &mut self.clients[link.client].dice;
            let at = self.now.plus_ms(dice.between(1, client_ms));
            self.agenda.put(at, Happening::ClientLoses(id));
            self.lose_at_relay(id, relay_ms);
        }
    }

    pub(super) fn lose_at_relay(&mut self, id: LinkId, within_ms: u64) {
        let Some(link) = self.network.links.get(&id) else { return };
        let at = self.now.plus_ms(self.clients[link.client].dice.between(0, within_ms));
        self.agenda.put(at, Happening::RelayLoses(id));
    }

    pub(super) fn client_loses(&mut self, id: LinkId) {
        let Some(link) = self.network.links.get(&id) else { return };
        let (client, session) = (link.client, link.session);
        if self.clients[client].links.get(&session) == Some(&id) {
            self.clients[client].links.remove(&session);
            self.feed(client, Input::Disconnected(session, Disconnect::Network));
        }
    }

    pub(super) fn relay_loses(&mut self, id: LinkId) {
        let Some(link) = self.network.links.get_mut(&id) else { return };
        link.line = Line::Broken;
        let (relay, seat, client, session) = (link.relay, link.seat, link.client, link.session);
        self.relays[relay].close(seat);
        // The client hears of it in any case; it is forgotten when both know.
        if self.clients[client].links.get(&session) == Some(&id) {
            let at = self.now.plus_ms(self.clients[client].dice.between(1, 2_000));
            self.agenda.put(at, Happening::ClientLoses(id));
        } else {
            self.network.links.remove(&id);
        }
    }

    /// Kills a relay, breaks its connections, and starts it again after a while.
    pub(crate) fn crash_relay(&mut self, relay: usize) {
        self.note(|| format!("relay {relay} dies"));
        self.relays[relay].die();
        for link in self.network.of_relay(relay) {
            self.break_link(link, 3_000, 1);
        }
        let again = self.now.plus_ms(self.dice.between(200, 40_000));
        self.agenda.put(again, Happening::RelayStarts(relay));
    }
}
