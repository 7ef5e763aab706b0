//! Epochs that this device left and looks into again, for their members may have parted there.
//!
//! | phase | input | next |
//! |---|---|---|
//! | resting | it is time, and the channel is caught up | opening |
//! | opening | opened, something is new | reading |
//! | opening | opened, nothing is new | noting, or resting |
//! | reading | the end of the epoch | noting, or resting |
//! | noting | any answer | resting |
//! | any | session lost, or any other answer | resting |

use std::collections::BTreeMap;

use hushwire_wire::{
    error::Code,
    id::{ChannelId, EpochId, Timestamp},
    message::{Answer, ChannelOpened, Content, Follow, Handle, Request, RequestId},
    transcript::Operation,
};

use super::Engine;
use crate::{
    backoff,
    forks::{self, Noted, Urgency, Watched},
    log,
    pending::Pending,
    session::SessionNumber,
    store::{Store, StoreError},
    work::Work,
};

/// The first rest between two looks, and the longest, in milliseconds, where nothing is expected.
const CALM_REST_MS: u64 = 4_000;
const CALM_REST_MAX_MS: u64 = 60 * 60 * 1000;
/// The first rest after an epoch that was passed through while this device was behind: what was noted
/// there it has read already, and first of all it has to catch up (spec: CLI-166).
const PASSED_REST_MS: u64 = 3 * 60 * 1000;
/// The same where members may have parted.
const PRESSING_REST_MS: u64 = 2_000;
const PRESSING_REST_MAX_MS: u64 = 2 * 60 * 1000;
/// The rest after a refusal, in milliseconds.
const REFUSED_REST_MS: u64 = 30_000;

/// An epoch of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchKey {
    pub(crate) channel: ChannelId,
    pub(crate) epoch: EpochId,
}

/// Watched epochs.
pub(super) type Watches = BTreeMap<WatchKey, WatchLive>;

/// An epoch as it is watched now.
pub(super) struct WatchLive {
    watched: Watched,
    phase: Phase,
    look_at: Timestamp,
    rest_ms: u64,
    /// Not before this is anything said, whatever else moves in the channel: the relay has just refused.
    quiet_until: Timestamp,
}

#[derive(Clone, Copy)]
enum Phase {
    Resting,
    Opening,
    Reading { session: SessionNumber, handle: Handle, request: Option<RequestId> },
    Noting { handle: Handle },
}

impl WatchLive {
    fn new(watched: Watched, now: Timestamp, rest_ms: u64, jitter_ms: u64) -> Self {
        let look_at = now.plus_ms(rest_ms).plus_ms(jitter_ms);
        let quiet_until = Timestamp(0);
        Self { watched, phase: Phase::Resting, look_at, rest_ms, quiet_until }
    }

    fn next_at(&self) -> Timestamp {
        self.watched.say_at.map_or(self.look_at, |at| at.max(self.quiet_until).min(self.look_at))
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let look = matches!(self.phase, Phase::Resting).then(|| self.next_at());
        look.into_iter().chain(self.watched.ends_at).min()
    }
}

/// Whether an epoch was left while this device read what it had missed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Passing,
    AtItsTime,
}

const fn first_rest_ms(urgency: Urgency, leaving: Leaving) -> u64 {
    match (urgency, leaving) {
        (Urgency::Pressing, _) => PRESSING_REST_MS,
        (Urgency::Calm, Leaving::AtItsTime) => CALM_REST_MS,
        (Urgency::Calm, Leaving::Passing) => PASSED_REST_MS,
    }
}

impl<S: Store> Engine<S> {
    /// What is watched of a channel may be something else now.
    pub(super) fn watches_moved(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let watched = self.transact(|work| forks::watched(work, &channel))?;
        let now = self.now();
        self.watches.retain(|key, _| {
            key.channel != channel || watched.iter().any(|watched| watched.epoch == key.epoch)
        });
        let leaving = match self.is_behind(&channel) {
            true => Leaving::Passing,
            false => Leaving::AtItsTime,
        };
        for watched in watched {
            let key = WatchKey { channel, epoch: watched.epoch };
            let rest_ms = first_rest_ms(watched.urgency, leaving);
            let jitter = backoff::jitter_ms(rest_ms, &mut *self.rng);
            let new = || WatchLive::new(watched, now, rest_ms, jitter);
            let live = self.watches.entry(key).or_insert_with(new);
            if live.watched.urgency != watched.urgency {
                live.rest_ms = first_rest_ms(watched.urgency, Leaving::AtItsTime);
                live.look_at = live.look_at.min(now.plus_ms(live.rest_ms));
            }
            live.watched = watched;
        }
        Ok(())
    }

    pub(super) fn pump_watches(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let keys: Vec<WatchKey> = self.watches.keys().copied().collect();
        for key in keys {
            let Some(live) = self.watches.get(&key) else { continue };
            if live.watched.ends_at.is_some_and(|at| at <= now) {
                self.on_watch(key, |work| forks::expired(work, &key.channel, &key.epoch))?;
            }
            let Some(live) = self.watches.get(&key) else { continue };
            if matches!(live.phase, Phase::Resting) && live.next_at() <= now {
                self.look(key)?;
            }
        }
        Ok(())
    }

    /// Opens the epoch, once the channel itself has nothing to read any more.
    fn look(&mut self, key: WatchKey) -> Result<(), StoreError> {
        let Some(session) = self.reading_session(&key.channel) else { return Ok(()) };
        let Some(at) = self.sessions.get(&session) else { return Ok(()) };
        let (Some(id), relay) = (at.id, at.relay()) else { return Ok(()) };
        let request = self
            .on_watch(key, |work| log::open_request(work, &relay, &id, &key.channel, &key.epoch))?;
        let Some(request) = request else { return Ok(()) };
        if let Some(live) = self.watches.get_mut(&key) {
            live.phase = Phase::Opening;
        }
        self.send(session, request, Pending::Watch(key));
        Ok(())
    }

    pub(super) fn watch_answered(
        &mut self,
        session: SessionNumber,
        request: RequestId,
        key: WatchKey,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = self.watches.get(&key) else {
            if let Answer::ChannelOpened(opened) = answer {
                self.send(session, Request::ChannelClose(opened.handle), Pending::Nothing);
            }
            return Ok(());
        };
        match (live.phase, answer) {
            (Phase::Opening, Answer::ChannelOpened(opened)) => {
                self.watch_opened(session, key, &opened)
            }
            (Phase::Reading { request: Some(own), .. }, Answer::Entry(entry))
                if own == request && entry.epoch == key.epoch =>
            {
                let taken = self.on_watch(key, |work| forks::take(work, &key.channel, &entry))?;
                if taken == Some(log::Taken::OutOfPlace) {
                    self.looked_in_vain(key)?;
                    self.end_watch_reading(key);
                }
                Ok(())
            }
            (Phase::Reading { handle, request: Some(own), .. }, _) if own == request => {
                // Its end, its children, or a refusal: there is no more of it.
                if let Some(at) = self.sessions.get_mut(&session) {
                    at.settle(request);
                }
                self.note_or_rest(key, session, handle)
            }
            (Phase::Noting { handle, .. }, answer) => {
                self.note_answered(key, session, handle, &answer)
            }
            (Phase::Opening, _) => {
                self.looked_in_vain(key)?;
                self.rest_watch(key, session, None);
                self.refuse_watch(key, REFUSED_REST_MS);
                self.quieten_watch(key);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn watch_opened(
        &mut self,
        session: SessionNumber,
        key: WatchKey,
        opened: &ChannelOpened,
    ) -> Result<(), StoreError> {
        let WatchKey { channel, epoch } = key;
        let handle = opened.handle;
        let told = self.on_watch(key, |work| log::opened(work, &channel, &epoch, opened))?;
        let Some(log::Opened::ReadFrom(from)) = told else {
            self.looked_in_vain(key)?;
            self.dispute_watch(key, session, handle);
            return Ok(());
        };
        if opened.next == from {
            return self.note_or_rest(key, session, handle);
        }
        let read = Request::ChannelRead { handle, epoch, from, follow: Follow::UntilEnd };
        let request = self.send_tracked(session, read, Pending::Watch(key));
        self.set_watch(key, Phase::Reading { session, handle, request });
        Ok(())
    }

    fn note_or_rest(
        &mut self,
        key: WatchKey,
        session: SessionNumber,
        handle: Handle,
    ) -> Result<(), StoreError> {
        let note = self.on_watch(key, |work| forks::due(work, &key.channel, &key.epoch))?;
        match note.flatten() {
            Some(envelope) if self.watches.contains_key(&key) => {
                let content = Content::Inline(envelope.into());
                let request = Request::Append { handle, content, operation: Operation::Note };
                self.set_watch(key, Phase::Noting { handle });
                self.send(session, request, Pending::Watch(key));
            }
            _ => self.rest_watch(key, session, Some(handle)),
        }
        Ok(())
    }

    fn note_answered(
        &mut self,
        key: WatchKey,
        session: SessionNumber,
        handle: Handle,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        self.rest_watch(key, session, Some(handle));
        let noted = match answer {
            Answer::Appended(_) => Noted::Stored,
            Answer::Refused(refusal) if refusal.code == Code::NotesExhausted => Noted::NoRoom,
            Answer::Refused(refusal) if refusal.code == Code::TooEarly => {
                self.refuse_watch(key, refusal.retry_after_ms);
                return Ok(());
            }
            _ => {
                self.refuse_watch(key, REFUSED_REST_MS);
                return Ok(());
            }
        };
        self.on_watch(key, |work| forks::noted(work, &key.channel, &key.epoch, noted)).map(|_| ())
    }

    /// The time since the last look counts; what is to be said next is set back after this.
    fn looked_in_vain(&mut self, key: WatchKey) -> Result<(), StoreError> {
        self.on_watch(key, |work| forks::in_vain(work, &key.channel, &key.epoch)).map(|_| ())
    }

    /// Does something for a watched epoch. Where what is stored of that cannot be used, it alone is given
    /// up: a group that goes on elsewhere, and all others, need nothing of it.
    fn on_watch<T>(
        &mut self,
        key: WatchKey,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.transact(work) {
            Err(StoreError::Damaged) => {
                self.transact(|work| forks::forget(work, &key.channel, &key.epoch))?;
                Ok(None)
            }
            done => done.map(Some),
        }
    }

    fn set_watch(&mut self, key: WatchKey, phase: Phase) {
        if let Some(live) = self.watches.get_mut(&key) {
            live.phase = phase;
        }
    }

    /// What the relay shows does not go on from what was read.
    fn end_watch_reading(&mut self, key: WatchKey) {
        let Some(live) = self.watches.get(&key) else { return };
        if let Phase::Reading { session, handle, request } = live.phase {
            if let (Some(request), Some(at)) = (request, self.sessions.get_mut(&session)) {
                at.settle(request);
            }
            self.dispute_watch(key, session, handle);
        }
    }

    /// Nothing can be said there either before the next look.
    fn dispute_watch(&mut self, key: WatchKey, session: SessionNumber, handle: Handle) {
        self.rest_watch(key, session, Some(handle));
        self.quieten_watch(key);
    }

    /// Nothing is said before the next look.
    fn quieten_watch(&mut self, key: WatchKey) {
        if let Some(live) = self.watches.get_mut(&key) {
            live.quiet_until = live.look_at;
        }
    }

    /// Looks again later; the longer, the less there was to see.
    fn rest_watch(&mut self, key: WatchKey, session: SessionNumber, handle: Option<Handle>) {
        if let Some(handle) = handle {
            self.send(session, Request::ChannelClose(handle), Pending::Nothing);
        }
        let now = self.now();
        let Some(live) = self.watches.get_mut(&key) else { return };
        live.phase = Phase::Resting;
        live.look_at = now.plus_ms(live.rest_ms);
        let (grown, most) = match live.watched.urgency {
            Urgency::Calm => (live.rest_ms.saturating_mul(2), CALM_REST_MAX_MS),
            Urgency::Pressing => (live.rest_ms.saturating_mul(5) / 4, PRESSING_REST_MAX_MS),
        };
        live.rest_ms = grown.min(most);
    }

    /// Nothing was learned: not before this rest is over.
    fn refuse_watch(&mut self, key: WatchKey, rest_ms: u64) {
        let until = self.now().plus_ms(rest_ms.max(1));
        let Some(live) = self.watches.get_mut(&key) else { return };
        live.phase = Phase::Resting;
        live.look_at = live.look_at.max(until);
        live.quiet_until = until;
    }

    /// The session is gone, on which this was asked.
    pub(super) fn forget_watch(&mut self, key: WatchKey) {
        self.refuse_watch(key, PRESSING_REST_MS);
    }
}
