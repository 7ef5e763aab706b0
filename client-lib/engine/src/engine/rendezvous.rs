//! The place where a device that is being linked meets another: an inbox of its own, made, opened
//! and read for as long as the linking lasts. It has a session of its own, and so has what is written
//! to the other device, so that the relay does not see whose inbox it belongs to (spec: LNK-062).

use hushwire_wire::{
    id::{InboxId, Timestamp},
    message::{Answer, Follow, Handle, Request},
};

use super::Engine;
use crate::{
    backoff::{self, ToldRest},
    linking::{self, PlaceUse},
    pending::Pending,
    session::{Purpose, SessionKey, SessionNumber},
    store::{Store, StoreError},
};

/// The rendezvous as it is used now.
pub(super) struct RendezvousLive {
    pub(super) key: SessionKey,
    inbox: InboxId,
    expires_at: Timestamp,
    use_now: PlaceUse,
    phase: Phase,
}

enum Phase {
    Closed,
    Creating,
    Opening,
    Reading { handle: Handle },
    Clearing,
    Waiting { until: Timestamp },
}

impl RendezvousLive {
    /// When to look at it again.
    pub(super) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { until } if until > now => Some(until.min(self.expires_at)),
            _ => Some(self.expires_at),
        }
    }
}

impl<S: Store> Engine<S> {
    /// Takes the rendezvous from the store; begins anew if it is another one.
    pub(super) fn load_rendezvous(&mut self) -> Result<(), StoreError> {
        let Some(place) = self.transact(|work| linking::place(work))? else {
            self.rendezvous = None;
            return Ok(());
        };
        let same = |rendezvous: &RendezvousLive| {
            rendezvous.inbox == place.inbox && rendezvous.use_now == place.use_now
        };
        if !self.rendezvous.as_ref().is_some_and(same) {
            self.rendezvous = Some(RendezvousLive {
                key: SessionKey { relay: place.relay, purpose: Purpose::Rendezvous },
                inbox: place.inbox,
                expires_at: place.expires_at,
                use_now: place.use_now,
                phase: Phase::Closed,
            });
        }
        Ok(())
    }

    pub(super) fn close_rendezvous(&mut self) {
        self.set_rendezvous(Phase::Closed);
    }

    fn set_rendezvous(&mut self, phase: Phase) {
        if let Some(rendezvous) = &mut self.rendezvous {
            rendezvous.phase = phase;
        }
    }

    pub(super) fn pump_rendezvous(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let Some(live) = &mut self.rendezvous else { return Ok(()) };
        if live.expires_at <= now {
            return self.transact(linking::expire);
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
        let create = self.transact(|work| linking::create_request(work, &relay, &id))?;
        self.set_rendezvous(Phase::Creating);
        self.send(number, create, Pending::CreateRendezvous);
        Ok(())
    }

    pub(super) fn rendezvous_answered(
        &mut self,
        number: SessionNumber,
        pending: &Pending,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = &self.rendezvous else { return Ok(()) };
        match (pending, &live.phase, answer) {
            (Pending::CreateRendezvous, Phase::Creating, Answer::Done) => {
                self.open_rendezvous(number)
            }
            (Pending::OpenRendezvous, Phase::Opening, Answer::InboxOpened { handle, next, .. })
                if live.use_now == PlaceUse::Clear =>
            {
                let requests = self.transact(|work| linking::clear_requests(work, handle, next))?;
                self.set_rendezvous(Phase::Clearing);
                let [advance, revoke, drop] = requests;
                self.send(number, advance, Pending::Nothing);
                self.send(number, revoke, Pending::Nothing);
                self.send(number, drop, Pending::ClearRendezvous);
                Ok(())
            }
            (Pending::ClearRendezvous, Phase::Clearing, Answer::Done) => {
                self.transact(linking::forget)
            }
            // What was asked before the linking was over.
            (Pending::ReadRendezvous | Pending::AdmitToRendezvous, phase, _)
                if !matches!(phase, Phase::Reading { .. }) =>
            {
                Ok(())
            }
            (Pending::OpenRendezvous, Phase::Opening, Answer::InboxOpened { handle, .. }) => {
                let admit = self.transact(|work| linking::admit_request(work, handle))?;
                self.set_rendezvous(Phase::Reading { handle });
                self.send(number, admit, Pending::AdmitToRendezvous);
                Ok(())
            }
            (Pending::AdmitToRendezvous, Phase::Reading { handle }, Answer::Done) => {
                let handle = *handle;
                let from = self.transact(linking::ready)?;
                let read = Request::InboxRead { handle, from, follow: Follow::Onward };
                self.send(number, read, Pending::ReadRendezvous);
                Ok(())
            }
            (Pending::ReadRendezvous, Phase::Reading { .. }, Answer::InboxItem(item)) => {
                self.transact(|work| linking::take(work, &item))
            }
            (Pending::ReadRendezvous, Phase::Reading { .. }, Answer::ReadEnd(Follow::Onward)) => {
                Ok(())
            }
            (_, _, answer) => {
                self.rest_rendezvous(ToldRest::of(&answer));
                Ok(())
            }
        }
    }

    fn open_rendezvous(&mut self, number: SessionNumber) -> Result<(), StoreError> {
        let Some(session) = self.sessions.get(&number) else { return Ok(()) };
        let Some(id) = session.id else { return Ok(()) };
        let relay = session.relay();
        let open = self.transact(|work| linking::open_request(work, &relay, &id))?;
        self.set_rendezvous(Phase::Opening);
        self.send(number, open, Pending::OpenRendezvous);
        Ok(())
    }

    fn rest_rendezvous(&mut self, told: ToldRest) {
        let jitter = backoff::jitter_ms(backoff::RENDEZVOUS_REST_MS, &mut *self.rng);
        let rest = told.or_at_least_ms(backoff::RENDEZVOUS_REST_MS);
        let until = self.now().plus_ms(rest).plus_ms(jitter);
        self.set_rendezvous(Phase::Waiting { until });
    }
}
