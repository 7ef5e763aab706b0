//! The own inbox: creating it, opening it, reading its items.

use hushwire_wire::{
    error::Code,
    id::{PublicKey, Sequence, Timestamp},
    message::{Answer, Follow, Handle, InboxItem, Request},
};

use super::{Engine, shelf::ShelfLive};
use crate::{
    backoff::{self, ToldRest},
    event::RelayFault,
    inbox::{self, Places},
    joining, linking,
    pending::Pending,
    session::{OwnClock, Purpose, Session, SessionKey, SessionNumber},
    store::{Store, StoreError},
    stuck::Health,
    work::Work,
};

/// How often an inbox that stays open is looked after, in milliseconds.
const TEND_EVERY_MS: u64 = 24 * 60 * 60 * 1000;
/// Why an item is passed over that needs what is stored and cannot be read.
const STORE_DAMAGED: &str = "STORE_DAMAGED";

/// The inbox as it is used now.
pub(super) struct InboxLive {
    pub(super) key: SessionKey,
    pub(super) shelf: ShelfLive,
    phase: Phase,
}

enum Phase {
    Closed,
    Opening,
    Reading(Reading),
    Waiting { until: Timestamp },
}

/// The inbox is open, and its items come.
struct Reading {
    handle: Handle,
    /// The first place that may come next.
    next: Sequence,
    /// Items before this place were there before the session, and were handled.
    fresh: Sequence,
    /// The place of the next item that is stored, as far as it was told.
    end: Sequence,
    /// When an inbox that was read to its end is looked after again.
    tend_at: Option<Timestamp>,
    advance: Advance,
}

/// Whether the relay is being told how far this device has got (spec: CLI-098).
enum Advance {
    /// It has heard of everything.
    Told,
    /// A request is under way; this place was reached since.
    UnderWay { reached: Option<Sequence> },
}

impl Reading {
    const fn begin(handle: Handle, places: Places) -> Self {
        let Places { from, fresh, end } = places;
        Self { handle, next: from, fresh, end, tend_at: None, advance: Advance::Told }
    }

    /// Moves on over an item, if one can be at its place: items come in their order, and new ones
    /// have no gap (spec: CLI-094, INB-026).
    fn place(&mut self, place: Sequence) -> Result<(), RelayFault> {
        if place < self.next || place > self.end {
            return Err(RelayFault::ItemOutOfPlace);
        }
        self.next = place.next();
        self.end = self.end.max(self.next);
        Ok(())
    }
}

impl InboxLive {
    pub(super) const fn handle(&self) -> Option<Handle> {
        match &self.phase {
            Phase::Reading(reading) => Some(reading.handle),
            _ => None,
        }
    }

    pub(super) const fn is_current(&self) -> bool {
        matches!(self.phase, Phase::Reading(Reading { tend_at: Some(_), .. }))
    }

    /// When something is to be done here without the network.
    pub(super) const fn deadline(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Reading(reading) => earliest(reading.tend_at, self.shelf.deadline()),
            Phase::Waiting { until } => Some(*until),
            Phase::Closed | Phase::Opening => None,
        }
    }
}

const fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) if other.0 < one.0 => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

impl<S: Store> Engine<S> {
    /// Takes the inbox from the store; begins anew if its relay is another one.
    pub(super) fn load_inbox(&mut self) -> Result<(), StoreError> {
        let Some(relay) = self.transact(|work| inbox::relay(work))? else {
            // There is none yet, or this device was revoked.
            self.inbox = None;
            self.transact(linking::end_if_revoked)?;
            return Ok(());
        };
        let key = SessionKey { relay, purpose: Purpose::Inbox };
        if self.inbox.as_ref().is_none_or(|inbox| inbox.key != key) {
            self.inbox = Some(InboxLive { key, shelf: ShelfLive::default(), phase: Phase::Closed });
        }
        Ok(())
    }

    pub(super) fn close_inbox(&mut self) {
        if let Some(inbox) = &mut self.inbox {
            inbox.phase = Phase::Closed;
        }
    }

    /// The handle is good no longer: the inbox is opened anew, once for all that was asked by it.
    pub(super) fn leave_inbox_handle(&mut self) {
        if let Some(inbox) = &mut self.inbox
            && matches!(inbox.phase, Phase::Reading(_))
        {
            inbox.phase = Phase::Closed;
        }
    }

    pub(super) fn pump_inbox(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let Some(live) = &mut self.inbox else { return Ok(()) };
        if let Phase::Reading(Reading { tend_at: Some(at), .. }) = &mut live.phase
            && *at <= now
        {
            *at = now.plus_ms(TEND_EVERY_MS);
            live.shelf.look(now);
            return self.tend_inbox();
        }
        if matches!(live.phase, Phase::Waiting { until } if until <= now) {
            live.phase = Phase::Closed;
        }
        if !matches!(live.phase, Phase::Closed) {
            return Ok(());
        }
        let key = live.key.clone();
        let Some(number) = self.ready(&key) else { return Ok(()) };
        let Some(id) = self.sessions.get(&number).and_then(|session| session.id) else {
            return Ok(());
        };
        let relay = key.relay.relay();
        let opening = self.transact(|work| inbox::open_request(work, &relay, &id))?;
        if let Some(live) = &mut self.inbox {
            live.phase = Phase::Opening;
        }
        self.send(number, opening.request, opening.pending);
        Ok(())
    }

    fn tend_inbox(&mut self) -> Result<(), StoreError> {
        let number = self.inbox.as_ref().and_then(|live| self.ready(&live.key));
        let session = number.and_then(|number| self.sessions.get(&number));
        let clock = session.map_or(OwnClock::Agrees, Session::own_clock);
        self.transact(|work| inbox::tend(work, clock))
    }

    pub(super) fn inbox_created(
        &mut self,
        number: SessionNumber,
        answer: Answer,
    ) -> Result<(), StoreError> {
        match answer {
            Answer::Done => {
                self.transact(inbox::created)?;
                self.close_inbox();
            }
            Answer::Refused(ref refusal) => {
                if refusal.code == Code::AlreadyExists {
                    self.transact(inbox::not_created)?;
                }
                self.rest_inbox(ToldRest::of(&answer));
            }
            answer => return self.not_expected(number, &answer),
        }
        Ok(())
    }

    /// The inbox rests after a refusal whose code is of a later version; any other answer is a fault
    /// (spec: CLI-096).
    fn not_expected(&mut self, number: SessionNumber, answer: &Answer) -> Result<(), StoreError> {
        match answer {
            Answer::RefusedUnknown { .. } => {
                self.rest_inbox(ToldRest::of(answer));
                Ok(())
            }
            _ => {
                self.close_inbox();
                self.relay_fault(number, RelayFault::AnswerNotExpected)
            }
        }
    }

    pub(super) fn inbox_opened(
        &mut self,
        number: SessionNumber,
        owner_key: &PublicKey,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let (handle, slot, end) = match answer {
            Answer::InboxOpened { handle, cursor, next } => (handle, cursor, next),
            Answer::Refused(ref refusal) => {
                if refusal.code == Code::Denied {
                    self.transact(|work| inbox::denied(work, owner_key))?;
                }
                self.rest_inbox(ToldRest::of(&answer));
                return Ok(());
            }
            answer => return self.not_expected(number, &answer),
        };
        if self.transact(|work| inbox::is_overtaken(work, owner_key))? {
            self.close_inbox();
            return Ok(());
        }
        let now = self.now();
        let places = self.transact(|work| inbox::opened(work, owner_key, slot, end))?;
        if let Some(live) = &mut self.inbox {
            live.phase = Phase::Reading(Reading::begin(handle, places));
            live.shelf = ShelfLive::default();
            live.shelf.look(now);
        }
        let read = Request::InboxRead { handle, from: places.from, follow: Follow::Onward };
        self.send(number, read, Pending::ReadInbox);
        Ok(())
    }

    pub(super) fn inbox_read(
        &mut self,
        number: SessionNumber,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let Some(InboxLive { phase: Phase::Reading(reading), .. }) = &mut self.inbox else {
            return Ok(());
        };
        match answer {
            Answer::InboxItem(item) => {
                if let Err(fault) = reading.place(item.sequence) {
                    return self.relay_fault(number, fault);
                }
                return self.take_item(number, &item);
            }
            Answer::ReadEnd(Follow::Onward) => {
                reading.tend_at = Some(now.plus_ms(TEND_EVERY_MS));
                self.tend_inbox()?;
                self.outputs.push_back(crate::io::Output::StatusChanged);
            }
            Answer::Refused(_) => self.rest_inbox(ToldRest::of(&answer)),
            // The relay ended the reading: the inbox is of an earlier owner key, or it is stopping.
            Answer::ReadEnd(Follow::UntilEnd) => self.rest_inbox(ToldRest::NONE),
            answer => return self.not_expected(number, &answer),
        }
        Ok(())
    }

    fn take_item(&mut self, number: SessionNumber, item: &InboxItem) -> Result<(), StoreError> {
        let Some(InboxLive { phase: Phase::Reading(reading), .. }) = &self.inbox else {
            return Ok(());
        };
        // spec: CLI-095
        if item.sequence < reading.fresh && self.transact(|work| inbox::is_other(work, item))? {
            self.transact(inbox::rolled_back)?;
            if let Some(InboxLive { phase: Phase::Reading(reading), .. }) = &mut self.inbox {
                reading.fresh = Sequence::FIRST;
            }
        }
        match self.judge(|work| inbox::take(work, item))? {
            Ok(()) => {}
            Err(inbox::Fault::Store(StoreError::Damaged)) => {
                self.transact(|work| inbox::reject(work, item, STORE_DAMAGED))?;
            }
            Err(inbox::Fault::Store(error)) => return Err(error),
            Err(inbox::Fault::Rejected(code)) => {
                self.transact(|work| inbox::reject(work, item, code))?;
            }
            Err(inbox::Fault::Refused(reason)) => {
                self.transact(|work| inbox::refuse(work, item, reason))?;
            }
            Err(inbox::Fault::Early) => self.transact(|work| inbox::put_by(work, item))?,
            Err(inbox::Fault::Unread(unread)) => {
                self.transact(|work| inbox::put_by_unread(work, item, &unread))?;
            }
            Err(inbox::Fault::NewerRules) => {
                self.transact(|work| inbox::put_by_for_later(work, item))?;
            }
        }
        self.advance_inbox(number, item.sequence.next());
        Ok(())
    }

    /// Tells the relay how far this device has got, or notes it while a request is under way.
    fn advance_inbox(&mut self, number: SessionNumber, cursor: Sequence) {
        let Some(InboxLive { phase: Phase::Reading(reading), .. }) = &mut self.inbox else {
            return;
        };
        if let Advance::UnderWay { reached } = &mut reading.advance {
            *reached = Some(cursor);
            return;
        }
        reading.advance = Advance::UnderWay { reached: None };
        let handle = reading.handle;
        self.send(number, Request::InboxAdvance { handle, cursor }, Pending::AdvanceInbox);
    }

    /// The relay has heard how far this device had got.
    pub(super) fn inbox_advanced(&mut self, number: SessionNumber) {
        let Some(InboxLive { phase: Phase::Reading(reading), .. }) = &mut self.inbox else {
            return;
        };
        let before = core::mem::replace(&mut reading.advance, Advance::Told);
        if let Advance::UnderWay { reached: Some(cursor) } = before {
            self.advance_inbox(number, cursor);
        }
    }

    /// Looks again at the invitations that wait, when something that they may wait for has come.
    pub(super) fn pump_held(&mut self) -> Result<(), StoreError> {
        if !core::mem::take(&mut self.held_due) {
            return Ok(());
        }
        for key in self.transact(|work| joining::held(work))? {
            match self.judge(|work| joining::take_held(work, &key))? {
                Ok(()) => {}
                // Still no contact, or not known, or in: it goes on waiting.
                Err(inbox::Fault::Refused(reason)) if reason.may_pass() => {}
                Err(inbox::Fault::Early | inbox::Fault::NewerRules) => {}
                Err(inbox::Fault::Unread(unread)) => {
                    self.transact(|work| joining::still_unread(work, &key, &unread))?;
                }
                Err(inbox::Fault::Store(StoreError::Damaged)) => {
                    self.transact(|work| joining::reject_held(work, &key, STORE_DAMAGED))?;
                }
                Err(inbox::Fault::Store(error)) => return Err(error),
                Err(inbox::Fault::Rejected(_)) => {
                    self.transact(|work| joining::forget_held(work, &key))?;
                }
                Err(inbox::Fault::Refused(reason)) => {
                    self.transact(|work| joining::refuse_held(work, &key, reason))?;
                }
            }
        }
        Ok(())
    }

    /// Judges what somebody wrote to this device. Where something that is stored cannot be read for that,
    /// the groups where it is are stuck, and it is judged again; the sessions and all else go on
    /// (spec: CLI-147, CLI-161).
    fn judge(
        &mut self,
        work: impl Fn(&mut Work<'_>) -> Result<(), inbox::Fault>,
    ) -> Result<Result<(), inbox::Fault>, StoreError> {
        match self.transact(&work) {
            Err(inbox::Fault::Store(StoreError::Damaged))
                if self.examine_groups()? == Health::Damaged =>
            {
                Ok(self.transact(work))
            }
            judged => Ok(judged),
        }
    }

    fn rest_inbox(&mut self, told: ToldRest) {
        let jitter = backoff::jitter_ms(backoff::REFUSED_REST_MS, &mut *self.rng);
        let rest = told.or_at_least_ms(backoff::REFUSED_REST_MS);
        let until = self.now().plus_ms(rest).plus_ms(jitter);
        if let Some(live) = &mut self.inbox {
            live.phase = Phase::Waiting { until };
        }
    }
}
