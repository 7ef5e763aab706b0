//! Sessions: which are needed, connecting, and where a frame goes.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_protocol::address::RelayAddress;
use hushwire_wire::{
    frame::{AnswerFrame, RequestFrame},
    id::{ChannelId, Nonce, Timestamp},
    message::{Answer, Request},
};

use super::{Engine, Isolation};
use crate::{
    backoff,
    command::{RelayInfo, RelayState, StatusInfo},
    event::{Event, RelayFault, Warning},
    io::{Disconnect, Lane, Output},
    pending::Pending,
    refreshing,
    session::{BadHello, OwnClock, Purpose, Session, SessionKey, SessionNumber, State},
    store::{Store, StoreError},
};

impl<S: Store> Engine<S> {
    /// The session for a channel's frames.
    pub(super) fn channel_key(&self, relay: &RelayAddress, channel: &ChannelId) -> SessionKey {
        let purpose = match self.settings.isolation {
            Isolation::ByKind => Purpose::Channels,
            Isolation::ByChannel => Purpose::Channel(*channel),
        };
        SessionKey { relay: relay.clone(), purpose }
    }

    /// Connects what is needed and closes what is not.
    pub(super) fn pump_sessions(&mut self) {
        let needed = self.needed_sessions();
        let idle: Vec<SessionNumber> = self
            .sessions
            .iter()
            .filter(|(_, session)| !needed.contains(&session.key))
            .filter(|(_, session)| session.state != State::KeyMismatch)
            .map(|(number, _)| *number)
            .collect();
        for number in idle {
            self.sessions.remove(&number);
            self.outputs.push_back(Output::Close(number));
        }
        for key in needed {
            if !self.sessions.values().any(|session| session.key == key) {
                self.last_session = self.last_session.saturating_add(1);
                self.sessions.insert(SessionNumber(self.last_session), Session::new(key));
            }
        }
        let due = |session: &Session| matches!(session.state, State::Waiting { until } if until <= self.now);
        let due: Vec<SessionNumber> =
            self.sessions.iter().filter(|(_, it)| due(it)).map(|(number, _)| *number).collect();
        for number in due {
            self.connect(number);
        }
    }

    /// Ends sessions on which the relay does not answer (spec: CLI-146).
    pub(super) fn end_silent_sessions(&mut self) -> Result<(), StoreError> {
        let silent: Vec<SessionNumber> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_overdue(self.now))
            .map(|(number, _)| *number)
            .collect();
        for number in silent {
            self.outputs.push_back(Output::Close(number));
            self.disconnected(number, Disconnect::Network)?;
        }
        Ok(())
    }

    /// Connects a session, under a number of its own: what is still on its way of a connection before
    /// means nothing any more (spec: CLI-145).
    fn connect(&mut self, before: SessionNumber) {
        let Some(mut session) = self.sessions.remove(&before) else { return };
        session.state = State::Connecting;
        let relay = session.key.relay.clone();
        self.last_session = self.last_session.saturating_add(1);
        let number = SessionNumber(self.last_session);
        self.sessions.insert(number, session);
        self.outputs.push_back(Output::Connect { session: number, relay });
        self.outputs.push_back(Output::StatusChanged);
    }

    fn needed_sessions(&self) -> BTreeSet<SessionKey> {
        let inbox = self.inbox.as_ref().map(|inbox| inbox.key.clone());
        // A group that cannot go on needs nothing from its relay (spec: CLI-114).
        let channels = self.channels.values().filter(|channel| channel.wants_session());
        let channels = channels.map(|channel| channel.key.clone());
        let wishes = self.wishes.values().filter_map(|wish| wish.session.clone());
        let rendezvous = self.rendezvous.as_ref().map(|rendezvous| rendezvous.key.clone());
        let doors = self.doors.values().map(|door| door.key.clone());
        inbox.into_iter().chain(rendezvous).chain(doors).chain(channels).chain(wishes).collect()
    }

    /// The ready session for this key.
    pub(super) fn ready(&self, key: &SessionKey) -> Option<SessionNumber> {
        let found = self.sessions.iter().find(|(_, session)| session.key == *key);
        found.filter(|(_, session)| session.is_ready()).map(|(number, _)| *number)
    }

    /// Sends a request on a session.
    pub(super) fn send(&mut self, number: SessionNumber, request: Request, pending: Pending) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let lane = lane(&request);
        let frame = RequestFrame { id: session.expect(pending, self.now, lane), request };
        self.outputs.push_back(Output::Send { session: number, lane, frame });
    }

    pub(super) fn connected(&mut self, number: SessionNumber) {
        let mut nonce = [0; Nonce::LENGTH];
        self.rng.fill_bytes(&mut nonce);
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let hello = session.hello(Nonce::from_bytes(nonce));
        self.send(number, hello, Pending::Hello);
    }

    pub(super) fn disconnected(
        &mut self,
        number: SessionNumber,
        why: Disconnect,
    ) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get_mut(&number) else { return Ok(()) };
        let relay = session.key.relay.clone();
        let wait = backoff::wait_ms(session.attempts, &mut *self.rng);
        if why == Disconnect::KeyMismatch {
            session.state = State::KeyMismatch;
        }
        let waiting = session.lost(self.now.plus_ms(wait));
        self.outputs.push_back(Output::StatusChanged);
        self.forget(&waiting);
        self.transfers_lost(number);
        if why == Disconnect::KeyMismatch {
            self.key_mismatch(&relay)?;
        }
        Ok(())
    }

    /// Forgets what waited for answers: it is asked again when it is looked at again.
    fn forget(&mut self, waiting: &[Pending]) {
        for pending in waiting {
            match pending {
                Pending::OpenChannel { channel, .. }
                | Pending::ReadChannel { channel, .. }
                | Pending::FetchEntry { channel } => self.close_channel(channel),
                Pending::Watch(key) => self.forget_watch(*key),
                Pending::OpenInbox { .. }
                | Pending::CreateInbox
                | Pending::ReadInbox
                | Pending::ShelfStatus
                | Pending::ShelfPut { .. } => self.close_inbox(),
                Pending::CreateRendezvous
                | Pending::OpenRendezvous
                | Pending::AdmitToRendezvous
                | Pending::ReadRendezvous
                | Pending::ClearRendezvous => self.close_rendezvous(),
                Pending::CreateDoor { channel }
                | Pending::OpenDoor { channel }
                | Pending::ReplaceDoorKeys { channel }
                | Pending::ReadDoor { channel, .. }
                | Pending::AdvanceDoor { channel } => self.close_door(channel),
                Pending::Wish { wish } | Pending::Chunk { wish, .. } => self.unasked(*wish),
                Pending::FetchSnapshot { wish } => {
                    self.drop_fetch(*wish);
                    self.unasked(*wish);
                }
                Pending::Hello | Pending::AdvanceInbox | Pending::Nothing => {}
            }
        }
    }

    /// The relay broke the rules: the session ends, what waited there is asked again on the next one,
    /// and the person is told (spec: CLI-094, CLI-096).
    pub(super) fn relay_fault(
        &mut self,
        number: SessionNumber,
        fault: RelayFault,
    ) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get_mut(&number) else { return Ok(()) };
        session.fault();
        let relay = session.key.relay.to_string();
        self.outputs.push_back(Output::Close(number));
        self.disconnected(number, Disconnect::Garbage)?;
        self.transact(|work| work.event(Event::Warning(Warning::RelayFault { relay, fault })))
    }

    /// A relay that shows another key is not used again by this engine (spec: CLI-033).
    fn key_mismatch(&mut self, relay: &RelayAddress) -> Result<(), StoreError> {
        let address = relay.to_string();
        self.transact(|work| {
            work.event(Event::Warning(Warning::RelayKeyMismatch { relay: address }))
        })?;
        self.fail_wishes_for(relay)
    }

    /// The store failed in the midst of something: what is in memory may be ahead of it or behind. The
    /// sessions end, and what they were for begins again from what is stored (spec: CLI-143).
    pub(super) fn store_failed(&mut self) {
        let numbers: Vec<SessionNumber> = self.sessions.keys().copied().collect();
        for number in numbers {
            let Some(session) = self.sessions.get_mut(&number) else { continue };
            let open = !matches!(session.state, State::Waiting { .. } | State::KeyMismatch);
            let wait = backoff::wait_ms(session.attempts, &mut *self.rng);
            session.lost(self.now.plus_ms(wait));
            if open {
                self.outputs.push_back(Output::Close(number));
            }
        }
        self.begin_again();
    }

    pub(super) fn frame(
        &mut self,
        number: SessionNumber,
        frame: AnswerFrame,
    ) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get_mut(&number) else { return Ok(()) };
        // An answer to nothing is a relay's fault; it changes nothing.
        let Some(pending) = session.pending(frame.id).cloned() else { return Ok(()) };
        if goes_on(&frame.answer) {
            session.heard(frame.id, self.now, &frame.answer);
        } else {
            session.settle(frame.id);
        }
        match pending {
            Pending::Hello => self.greeted(number, &frame.answer),
            Pending::OpenChannel { channel, epoch } => {
                self.channel_answered(number, channel, epoch, frame.answer)
            }
            Pending::ReadChannel { channel, base } => {
                self.channel_read(number, frame.id, channel, base, frame.answer)
            }
            Pending::Watch(key) => self.watch_answered(number, frame.id, key, frame.answer),
            Pending::FetchEntry { channel } => self.entry_fetched(channel, frame.answer),
            Pending::OpenInbox { owner_key } => self.inbox_opened(number, &owner_key, frame.answer),
            Pending::CreateInbox => self.inbox_created(number, frame.answer),
            Pending::ReadInbox => self.inbox_read(number, frame.answer),
            Pending::CreateRendezvous
            | Pending::OpenRendezvous
            | Pending::AdmitToRendezvous
            | Pending::ReadRendezvous
            | Pending::ClearRendezvous => self.rendezvous_answered(number, &pending, frame.answer),
            Pending::CreateDoor { channel } => self.door_created(channel, &frame.answer),
            Pending::OpenDoor { channel } => self.door_opened(number, channel, &frame.answer),
            Pending::ReplaceDoorKeys { channel } => {
                self.door_keys_replaced(channel, &frame.answer);
                Ok(())
            }
            Pending::ReadDoor { channel, inbox } => self.door_read(channel, &inbox, &frame.answer),
            Pending::AdvanceDoor { channel } => self.door_advanced(&channel),
            Pending::ShelfStatus => self.shelf_answered(number, &frame.answer),
            Pending::ShelfPut { package, before } => {
                self.shelf_put_answered(package, before, &frame.answer)
            }
            Pending::AdvanceInbox => {
                self.inbox_advanced(number);
                Ok(())
            }
            Pending::Nothing => Ok(()),
            Pending::Wish { wish } => self.wish_answered(number, wish, frame.answer),
            Pending::FetchSnapshot { wish } => self.snapshot_answered(wish, frame.answer),
            Pending::Chunk { transfer, chunk, .. } => {
                self.chunk_answered(transfer, chunk, frame.answer)
            }
        }
    }

    fn greeted(&mut self, number: SessionNumber, answer: &Answer) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get_mut(&number) else { return Ok(()) };
        let greeting = match answer {
            Answer::Hello(reply) => {
                session.clock_off_ms = self.now.0.abs_diff(reply.time.0);
                session.greeted(reply)
            }
            _ => Err(BadHello::Version),
        };
        self.outputs.push_back(Output::StatusChanged);
        let Err(bad) = greeting else { return self.compare_clocks(number) };
        self.outputs.push_back(Output::Close(number));
        match bad {
            BadHello::KeyMismatch => self.disconnected(number, Disconnect::KeyMismatch),
            BadHello::Version => self.disconnected(number, Disconnect::Garbage),
        }
    }

    /// Says so when the relay of the inbox shows another time than the own clock: which of them is
    /// wrong, a person can tell (spec: CLI-141).
    fn compare_clocks(&mut self, number: SessionNumber) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get(&number) else { return Ok(()) };
        if session.key.purpose != Purpose::Inbox || session.own_clock() == OwnClock::Agrees {
            return Ok(());
        }
        let relay = session.key.relay.to_string();
        self.transact(|work| work.event(Event::Warning(Warning::ClockDiffers { relay })))
    }

    /// How the relays are, each once, and what waits (spec: CLI-100).
    pub(super) fn status(&mut self) -> Result<StatusInfo, StoreError> {
        let refreshing = self.transact(|work| refreshing::left(work))?;
        let mut relays: BTreeMap<String, RelayState> = BTreeMap::new();
        for session in self.sessions.values() {
            let state = self.state_of(session);
            relays
                .entry(session.key.relay.to_string())
                .and_modify(|worst| *worst = state.max(*worst))
                .or_insert(state);
        }
        let waiting = self.wishes.values().filter(|live| !live.with_others);
        let relays = relays.into_iter().map(|(address, state)| RelayInfo { address, state });
        Ok(StatusInfo {
            waiting: u64::try_from(waiting.count()).unwrap_or(u64::MAX),
            refreshing,
            relays: relays.collect(),
            catching_up: self.catching_up(),
        })
    }

    fn state_of(&self, session: &Session) -> RelayState {
        match session.state {
            State::Waiting { .. } if session.attempts > 0 => RelayState::Offline,
            State::Waiting { .. } | State::Connecting | State::Greeting => RelayState::Connecting,
            State::Ready if !self.is_current(&session.key) => RelayState::CatchingUp,
            State::Ready if self.is_wanted(&session.key) => RelayState::Sending,
            State::Ready => RelayState::Current,
            State::KeyMismatch => RelayState::KeyMismatch,
        }
    }

    fn is_current(&self, key: &SessionKey) -> bool {
        let inbox = self.inbox.as_ref().is_none_or(|inbox| inbox.key != *key || inbox.is_current());
        let mut channels = self.channels.values().filter(|channel| channel.key == *key);
        inbox && channels.all(super::channels::ChannelLive::is_current)
    }

    /// The time, as far as the engine knows it.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }
}

/// Whether more answers to the same request follow.
fn goes_on(answer: &Answer) -> bool {
    use hushwire_wire::message::Follow;
    matches!(
        answer,
        Answer::Entry(_)
            | Answer::EpochEnd(_)
            | Answer::InboxItem(_)
            | Answer::BlobChunk { .. }
            | Answer::ReadEnd(Follow::Onward)
    )
}

fn lane(request: &Request) -> Lane {
    match request {
        Request::BlobCreate { .. }
        | Request::BlobWrite { .. }
        | Request::BlobStat(_)
        | Request::BlobRead { .. }
        | Request::BlobDelete(_) => Lane::Blobs,
        _ => Lane::Session,
    }
}
