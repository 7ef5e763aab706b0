//! The doors of groups that this device keeps: creating and opening them, reading the requests that
//! come there, and moving the group's place over those that are over.
//!
//! A door has the session of its group's channel: who reads both is the same group in any case.

use std::collections::VecDeque;

use hushwire_protocol::door::DoorGeneration;
use hushwire_wire::{
    error::Code,
    id::{ChannelId, InboxId, Sequence, Timestamp},
    message::{Answer, Follow, Handle, InboxItem, Request},
};

use super::Engine;
use crate::{
    backoff::{self, ToldRest},
    door::{
        self,
        knocks::{self, DoorItem},
        opening::{self, Made, Opening},
        requests,
    },
    groups,
    pending::Pending,
    session::{SessionKey, SessionNumber},
    store::{Store, StoreError},
};

/// Items of one door that are looked at: a relay stores no more (`inbox_items_max`).
const ITEMS_MAX: usize = 10_000;

/// A door as it is used now.
pub(super) struct DoorLive {
    pub(super) key: SessionKey,
    inbox: InboxId,
    generation: DoorGeneration,
    phase: Phase,
    /// Which of the owner keys is tried: the present one, then those before.
    attempt: usize,
    /// Refusals in a row.
    refusals: u32,
}

enum Phase {
    Closed,
    Creating,
    Opening,
    /// Open by an earlier key; the relay is asked to take the present one.
    Replacing {
        opened: OpenAt,
        from: Sequence,
    },
    Reading(Reading),
    Waiting {
        until: Timestamp,
    },
}

/// What the relay opened, and in which session.
#[derive(Clone, Copy)]
struct OpenAt {
    session: SessionNumber,
    handle: Handle,
}

struct Reading {
    opened: OpenAt,
    /// The first place that may come next.
    next: Sequence,
    /// The group's place there.
    place: Sequence,
    /// The place that the relay was told.
    told: Sequence,
    advance: Advance,
    /// When it is read again, for what could not be judged.
    again: Option<Timestamp>,
    /// Items from the place on.
    items: VecDeque<PlacedItem>,
}

/// Whether the relay is being told of the place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Advance {
    Told,
    UnderWay,
}

struct PlacedItem {
    place: Sequence,
    item: DoorItem,
}

impl DoorLive {
    pub(super) const fn handle(&self) -> Option<Handle> {
        match &self.phase {
            Phase::Reading(reading) => Some(reading.opened.handle),
            _ => None,
        }
    }

    const fn opened(&self) -> Option<OpenAt> {
        match &self.phase {
            Phase::Reading(Reading { opened, .. }) | Phase::Replacing { opened, .. } => {
                Some(*opened)
            }
            _ => None,
        }
    }

    pub(super) const fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Reading(Reading { again, .. }) => again,
            _ => None,
        }
    }
}

impl<S: Store> Engine<S> {
    pub(super) fn load_doors(&mut self) -> Result<(), StoreError> {
        for channel in self.transact(|work| groups::channels(work))? {
            self.load_door(channel)?;
        }
        Ok(())
    }

    /// Takes a door from the store, if this device keeps it; begins anew if its keys are others.
    pub(super) fn load_door(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        if self.transact(|work| door::record(work, &channel))?.is_none() {
            self.drop_door(&channel);
            return Ok(());
        }
        let kept = self.transact(|work| door::kept(work, &channel))?;
        let placed = self.transact(|work| groups::with_relay(work, &channel))?;
        let (Some(kept), Some(placed)) = (kept, placed) else {
            self.drop_door(&channel);
            return self.transact(|work| requests::drop_wishes(work, &channel));
        };
        let same =
            |live: &DoorLive| live.inbox == kept.inbox && live.generation == kept.generation();
        if !self.doors.get(&channel).is_some_and(same) {
            self.leave_door(&channel);
            let live = DoorLive {
                key: self.channel_key(&placed.relay, &channel),
                inbox: kept.inbox,
                generation: kept.generation(),
                phase: Phase::Closed,
                attempt: 0,
                refusals: 0,
            };
            self.doors.insert(channel, live);
        }
        Ok(())
    }

    fn set_door(&mut self, channel: &ChannelId, phase: Phase) {
        if let Some(live) = self.doors.get_mut(channel) {
            live.phase = phase;
        }
    }

    /// The session is lost, and with it what was open there.
    pub(super) fn close_door(&mut self, channel: &ChannelId) {
        self.set_door(channel, Phase::Closed);
    }

    fn drop_door(&mut self, channel: &ChannelId) {
        self.leave_door(channel);
        self.doors.remove(channel);
    }

    /// Closes what is open at the relay, if anything is, and waits for nothing of it.
    pub(super) fn leave_door(&mut self, channel: &ChannelId) {
        let opened = self.doors.get(channel).and_then(DoorLive::opened);
        self.close_door(channel);
        let Some(OpenAt { session: number, handle }) = opened else { return };
        if let Some(session) = self.sessions.get_mut(&number) {
            session.forget_door(channel);
        }
        self.send(number, Request::ChannelClose(handle), Pending::Nothing);
    }

    fn rest_door(&mut self, channel: &ChannelId, told: ToldRest) {
        self.leave_door(channel);
        let refusals = self.doors.get(channel).map_or(0, |live| live.refusals);
        let wait = backoff::REFUSED_REST_MS + backoff::wait_ms(refusals, &mut *self.rng);
        let until = self.now().plus_ms(told.or_at_least_ms(wait));
        if let Some(live) = self.doors.get_mut(channel) {
            live.refusals = live.refusals.saturating_add(1);
            live.attempt = 0;
            live.phase = Phase::Waiting { until };
        }
    }

    pub(super) fn pump_doors(&mut self) -> Result<(), StoreError> {
        let channels: Vec<ChannelId> = self.doors.keys().copied().collect();
        for channel in channels {
            self.pump_door(&channel)?;
        }
        Ok(())
    }

    fn pump_door(&mut self, channel: &ChannelId) -> Result<(), StoreError> {
        let now = self.now();
        let Some(live) = self.doors.get_mut(channel) else { return Ok(()) };
        if matches!(live.phase, Phase::Waiting { until } if until <= now) {
            live.phase = Phase::Closed;
        }
        if matches!(&live.phase, Phase::Reading(Reading { again: Some(at), .. }) if *at <= now) {
            self.leave_door(channel);
        }
        let Some(live) = self.doors.get_mut(channel) else { return Ok(()) };
        if !matches!(live.phase, Phase::Closed) {
            return Ok(());
        }
        let (key, attempt) = (live.key.clone(), live.attempt);
        let Some(number) = self.ready(&key) else { return Ok(()) };
        let Some(id) = self.sessions.get(&number).and_then(|session| session.id) else {
            return Ok(());
        };
        let relay = key.relay.relay();
        match self.transact(|work| opening::opening(work, channel, &relay, &id, attempt))? {
            Opening::Create(request) => {
                self.set_door(channel, Phase::Creating);
                self.send(number, request, Pending::CreateDoor { channel: *channel });
            }
            Opening::Open(request) => {
                self.set_door(channel, Phase::Opening);
                self.send(number, request, Pending::OpenDoor { channel: *channel });
            }
            Opening::None => {
                self.transact(|work| opening::denied(work, channel))?;
                self.rest_door(channel, ToldRest::NONE);
            }
        }
        Ok(())
    }

    pub(super) fn door_created(
        &mut self,
        channel: ChannelId,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = self.doors.get_mut(&channel) else { return Ok(()) };
        match answer {
            // With another owner key: it was made, and its keys were changed since.
            Answer::Refused(refusal) if refusal.code == Code::AlreadyExists => {
                live.attempt = live.attempt.saturating_add(1);
                if !self.transact(|work| opening::exists(work, &channel))? {
                    self.first_attempt(&channel);
                }
            }
            Answer::Done => {
                self.first_attempt(&channel);
                if self.transact(|work| opening::created(work, &channel))? == Made::Again {
                    // One that denies what it makes is not asked without rest.
                    self.rest_door(&channel, ToldRest::NONE);
                    return Ok(());
                }
            }
            _ => {
                self.rest_door(&channel, ToldRest::of(answer));
                return Ok(());
            }
        }
        self.close_door(&channel);
        Ok(())
    }

    fn first_attempt(&mut self, channel: &ChannelId) {
        if let Some(live) = self.doors.get_mut(channel) {
            live.attempt = 0;
        }
    }

    pub(super) fn door_opened(
        &mut self,
        number: SessionNumber,
        channel: ChannelId,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = self.doors.get_mut(&channel) else { return Ok(()) };
        if !matches!(live.phase, Phase::Opening) {
            // Of keys that are over by now.
            if let Answer::InboxOpened { handle, .. } = answer {
                self.send(number, Request::ChannelClose(*handle), Pending::Nothing);
            }
            return Ok(());
        }
        match answer {
            Answer::InboxOpened { handle, cursor, .. } if live.attempt == 0 => {
                self.transact(|work| opening::opened(work, &channel))?;
                let opened = OpenAt { session: number, handle: *handle };
                self.read_door(channel, opened, *cursor);
                Ok(())
            }
            Answer::InboxOpened { handle, cursor, .. } => {
                let opened = OpenAt { session: number, handle: *handle };
                self.replace_keys(channel, opened, *cursor)
            }
            Answer::Refused(refusal) if refusal.code == Code::Denied => {
                // The relay may not have heard of these keys: those before are tried.
                live.attempt = live.attempt.saturating_add(1);
                live.phase = Phase::Closed;
                Ok(())
            }
            _ => {
                self.rest_door(&channel, ToldRest::of(answer));
                Ok(())
            }
        }
    }

    /// The door opened by an earlier key: the relay takes the present one from here.
    fn replace_keys(
        &mut self,
        channel: ChannelId,
        opened: OpenAt,
        from: Sequence,
    ) -> Result<(), StoreError> {
        let OpenAt { session: number, handle } = opened;
        self.set_door(&channel, Phase::Replacing { opened, from });
        let Some(session) = self.sessions.get(&number) else { return Ok(()) };
        let (Some(id), relay) = (session.id, session.relay()) else { return Ok(()) };
        let request =
            self.transact(|work| opening::replacing(work, &channel, &relay, &id, handle))?;
        match request {
            Some(request) => self.send(number, request, Pending::ReplaceDoorKeys { channel }),
            // The others have to hear of the key first.
            None => self.rest_door(&channel, ToldRest::NONE),
        }
        Ok(())
    }

    pub(super) fn door_keys_replaced(&mut self, channel: ChannelId, answer: &Answer) {
        let Some(live) = self.doors.get_mut(&channel) else { return };
        let Phase::Replacing { opened, from } = live.phase else { return };
        live.attempt = 0;
        match answer {
            Answer::Done => self.read_door(channel, opened, from),
            _ => self.rest_door(&channel, ToldRest::of(answer)),
        }
    }

    fn read_door(&mut self, channel: ChannelId, opened: OpenAt, from: Sequence) {
        let reading = Reading {
            opened,
            next: from,
            place: from,
            told: from,
            advance: Advance::Told,
            again: None,
            items: VecDeque::new(),
        };
        let Some(live) = self.doors.get_mut(&channel) else { return };
        live.phase = Phase::Reading(reading);
        let inbox = live.inbox;
        let OpenAt { session, handle } = opened;
        let read = Request::InboxRead { handle, from, follow: Follow::Onward };
        self.send(session, read, Pending::ReadDoor { channel, inbox });
    }

    pub(super) fn door_read(
        &mut self,
        channel: ChannelId,
        inbox: &InboxId,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = self.doors.get_mut(&channel) else { return Ok(()) };
        if !matches!(live.phase, Phase::Reading(_)) || live.inbox != *inbox {
            return Ok(());
        }
        match answer {
            Answer::InboxItem(item) => self.take_door_item(channel, item),
            Answer::ReadEnd(Follow::Onward) => {
                live.refusals = 0;
                Ok(())
            }
            // Refused; or the owner key is another one, or the relay is stopping.
            _ => {
                self.rest_door(&channel, ToldRest::of(answer));
                Ok(())
            }
        }
    }

    fn take_door_item(&mut self, channel: ChannelId, item: &InboxItem) -> Result<(), StoreError> {
        let place = item.sequence;
        let Some(reading) = self.door_reading(&channel) else { return Ok(()) };
        if place < reading.next || reading.items.len() >= ITEMS_MAX {
            return Ok(());
        }
        reading.next = place.next();
        let taken = self.transact(|work| knocks::take(work, &channel, item))?;
        if let Some(reading) = self.door_reading(&channel) {
            reading.items.push_back(PlacedItem { place, item: taken });
        }
        self.advance_door(&channel)
    }

    fn door_reading(&mut self, channel: &ChannelId) -> Option<&mut Reading> {
        match self.doors.get_mut(channel) {
            Some(DoorLive { phase: Phase::Reading(reading), .. }) => Some(reading),
            _ => None,
        }
    }

    /// Moves the group's place at the door over what is over (spec: LNK-106).
    fn advance_door(&mut self, channel: &ChannelId) -> Result<(), StoreError> {
        while let Some(reading) = self.door_reading(channel) {
            let Some(first) = reading.items.front().map(|first| first.item.clone()) else { break };
            if !self.transact(|work| knocks::is_over(work, channel, &first))? {
                break;
            }
            let Some(reading) = self.door_reading(channel) else { break };
            if let Some(passed) = reading.items.pop_front() {
                reading.place = passed.place.next();
            }
        }
        let Some(reading) = self.door_reading(channel) else { return Ok(()) };
        if reading.advance == Advance::UnderWay || reading.place <= reading.told {
            return Ok(());
        }
        reading.advance = Advance::UnderWay;
        reading.told = reading.place;
        let OpenAt { session, handle } = reading.opened;
        let request = Request::InboxAdvance { handle, cursor: reading.place };
        self.send(session, request, Pending::AdvanceDoor { channel: *channel });
        Ok(())
    }

    pub(super) fn door_advanced(&mut self, channel: &ChannelId) -> Result<(), StoreError> {
        if let Some(reading) = self.door_reading(channel) {
            reading.advance = Advance::Told;
        }
        self.advance_door(channel)
    }

    /// What is known of a door, of its links or of its requests has changed.
    pub(super) fn door_moved(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        self.load_door(channel)?;
        self.advance_door(&channel)
    }

    /// What this device could not judge is read again, after a rest: it may be much, and change again
    /// at once (spec: LNK-106).
    pub(super) fn look_again_at_door(&mut self, channel: &ChannelId) {
        let rest = backoff::REFUSED_REST_MS + backoff::wait_ms(0, &mut *self.rng);
        let at = self.now().plus_ms(rest);
        if let Some(reading) = self.door_reading(channel)
            && reading.items.iter().any(|placed| placed.item == DoorItem::Unclear)
        {
            reading.again.get_or_insert(at);
        }
    }
}
