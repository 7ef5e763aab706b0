//! Snapshots of groups on their way here: fetched whole into memory, a few at a time, and compared
//! with the invitation that names them before anything is done with them.
//!
//! A fetch owns nothing durable: it ends with its session or the engine, and its wish begins another.

use bytes::BytesMut;
use hushwire_wire::{
    error::Code,
    id::Timestamp,
    message::{Answer, Request},
};

use super::Engine;
use crate::{
    backoff,
    event::{Event, InvitationRefusal, Warning},
    inbox::Fault,
    joining::{self, Arrived, Missed},
    pending::Pending,
    record::WishNumber,
    session::SessionNumber,
    store::{Store, StoreError},
    wish::{Progress, Wanted},
};

/// Snapshots that are fetched at a time: what they take of memory is bounded (spec: LNK-086).
const FETCHES_MAX: usize = 4;
/// How long a relay may be silent in a fetch, in milliseconds.
const SILENCE_MAX_MS: u64 = 120_000;

/// A snapshot on its way here.
pub(super) struct FetchLive {
    session: SessionNumber,
    wanted: Wanted,
    content: BytesMut,
    /// The relay has been silent for too long then.
    ends: Timestamp,
}

impl FetchLive {
    pub(super) const fn deadline(&self) -> Timestamp {
        self.ends
    }
}

impl<S: Store> Engine<S> {
    /// Asks a relay for a snapshot, if there is room for one more.
    pub(super) fn begin_fetch(&mut self, wish: WishNumber, session: SessionNumber, wanted: Wanted) {
        if self.fetches.len() >= FETCHES_MAX {
            self.again(wish, self.now.plus_ms(backoff::TURN_REST_MS));
            return;
        }
        if let Some(live) = self.wishes.get_mut(&wish) {
            live.asked = true;
        }
        let ends = self.now.plus_ms(SILENCE_MAX_MS);
        self.fetches.insert(wish, FetchLive { session, wanted, content: BytesMut::new(), ends });
        let Wanted { blob, size } = wanted;
        let read = Request::BlobRead { blob, offset: 0, length: size };
        self.send(session, read, Pending::FetchSnapshot { wish });
    }

    /// Gives up on relays that have been silent for too long.
    pub(super) fn pump_fetches(&mut self) -> Result<(), StoreError> {
        let now = self.now;
        let silent: Vec<WishNumber> = self
            .fetches
            .iter()
            .filter(|(_, live)| live.ends <= now)
            .map(|(wish, _)| *wish)
            .collect();
        for wish in silent {
            self.snapshot_missed(wish, InvitationRefusal::SnapshotGone)?;
        }
        Ok(())
    }

    /// Ends a fetch: whatever still comes for it changes nothing.
    pub(super) fn drop_fetch(&mut self, wish: WishNumber) {
        let Some(live) = self.fetches.remove(&wish) else { return };
        if let Some(session) = self.sessions.get_mut(&live.session) {
            session.forget_wish(wish);
        }
    }

    pub(super) fn snapshot_answered(
        &mut self,
        wish: WishNumber,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let ends = self.now.plus_ms(SILENCE_MAX_MS);
        let Some(live) = self.fetches.get_mut(&wish) else { return Ok(()) };
        match answer {
            Answer::BlobChunk { offset, content } => {
                let stored = u64::try_from(live.content.len()).unwrap_or(u64::MAX);
                let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
                let fits = stored.saturating_add(length) <= live.wanted.size;
                if offset != stored || length == 0 || !fits {
                    return self.snapshot_missed(wish, InvitationRefusal::SnapshotNotGenuine);
                }
                live.content.extend_from_slice(&content);
                live.ends = ends;
                Ok(())
            }
            Answer::ReadEnd(_) => self.snapshot_whole(wish),
            Answer::Refused(refusal) => match refusal.code {
                Code::Denied | Code::Expired => {
                    self.snapshot_missed(wish, InvitationRefusal::SnapshotGone)
                }
                // Not the blob that is named: that one is whole, and as long as its seal says.
                Code::BlobIncomplete | Code::BeyondEnd => {
                    self.snapshot_missed(wish, InvitationRefusal::SnapshotNotGenuine)
                }
                _ => self.fetch_rests(wish, refusal.retry_after_ms),
            },
            Answer::RefusedUnknown { retry_after_ms, .. } => self.fetch_rests(wish, retry_after_ms),
            _ => self.snapshot_missed(wish, InvitationRefusal::SnapshotNotGenuine),
        }
    }

    fn fetch_rests(&mut self, wish: WishNumber, retry_after_ms: u64) -> Result<(), StoreError> {
        self.drop_fetch(wish);
        self.progressed(wish, Progress::Refused { retry_after_ms });
        Ok(())
    }

    fn snapshot_whole(&mut self, wish: WishNumber) -> Result<(), StoreError> {
        let Some(live) = self.fetches.remove(&wish) else { return Ok(()) };
        match self.transact(|work| joining::arrived(work, wish, &live.content)) {
            Ok(Arrived::Settled) => {
                // It is settled, or waits for this device to be out of the group.
                self.unasked(wish);
                Ok(())
            }
            Ok(Arrived::NotGenuine) => {
                self.snapshot_missed(wish, InvitationRefusal::SnapshotNotGenuine)
            }
            Err(Fault::Store(error)) => Err(error),
            Err(Fault::Early) => {
                self.unasked(wish);
                Ok(())
            }
            Err(Fault::Unread(unread)) => {
                self.transact(|work| joining::wait_unread(work, wish, &unread))
            }
            // It waits for a newer program to open this store (spec: CLI-174).
            Err(Fault::NewerRules) => {
                self.progressed(wish, Progress::AwaitOthers);
                let warning = Event::Warning(Warning::NewerRules { chat: None });
                self.transact(|work| work.event(warning))
            }
            Err(Fault::Rejected(code)) => {
                let warning = Warning::ItemRejected { code: code.to_owned() };
                self.transact(|work| joining::give_up(work, wish, warning))
            }
            Err(Fault::Refused(reason)) => {
                let warning = Warning::InvitationRefused { reason };
                self.transact(|work| joining::give_up(work, wish, warning))
            }
        }
    }

    /// The relay did not give a snapshot: it is asked again, for a bounded number of times.
    fn snapshot_missed(
        &mut self,
        wish: WishNumber,
        reason: InvitationRefusal,
    ) -> Result<(), StoreError> {
        self.drop_fetch(wish);
        match self.transact(|work| joining::missed(work, wish, reason))? {
            Missed::Again => self.progressed(wish, Progress::Refused { retry_after_ms: 0 }),
            Missed::GivenUp => {}
        }
        Ok(())
    }
}
