//! What a reading brings: entries, ends of epochs, its own end.
//!
//! Entries are kept until the relay has signed a head of the epoch that they are in: nothing is judged by
//! a log that the relay does not stand by (spec: CLI-176). Of a long backlog the first messages are taken
//! before.

use hushwire_wire::{
    id::{ChannelId, EpochId},
    message::{Answer, Content, Entry, EntryBody, EpochEnd, Follow, RequestId},
    transcript::Operation,
};

use super::{CatchUp, ChannelLive, Phase};
use crate::{
    backoff::ToldRest,
    command::StuckCause,
    engine::Engine,
    forks, log, newer_rules,
    session::SessionNumber,
    store::{Store, StoreError},
    stuck,
};

/// How often a relay contradicts what it has signed before its log is read anew (spec: CLI-177).
const DISPUTES_MAX: u32 = 3;
/// Entries that are kept until the relay has signed for them: no epoch has more from its first commit on
/// (spec: CLI-176).
const UNSIGNED_MAX: usize = 128;
/// Bytes of messages that are kept so.
const UNSIGNED_BYTES_MAX: usize = 1024 * 1024;

impl<S: Store> Engine<S> {
    pub(in crate::engine) fn channel_read(
        &mut self,
        session: SessionNumber,
        request: RequestId,
        channel: ChannelId,
        base: EpochId,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        let Phase::Reading(reading) = &mut live.phase else { return Ok(()) };
        if reading.request != request || reading.session != session || reading.base != base {
            return Ok(());
        }
        match answer {
            Answer::Entry(entry) if entry.epoch == live.epoch => self.take_entry(channel, entry),
            // Behind the candidate that was applied; and other children, of which nothing is kept.
            Answer::Entry(entry) => self.take_left(channel, &entry),
            Answer::EpochEnd(end) => self.epoch_ended(session, channel, &end),
            Answer::ReadEnd(Follow::Onward) => self.caught_up(channel),
            _ => {
                self.rest(&channel, ToldRest::of(&answer));
                Ok(())
            }
        }
    }

    /// The relay says that the reading has everything (spec: CLI-074). Behind a cut the channel is
    /// opened anew (spec: CLI-166).
    fn caught_up(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let Some(live) = self.channels.get(&channel) else { return Ok(()) };
        if !live.unsigned.is_empty() {
            // The end of the epoch did not come.
            return self.disputed(channel);
        }
        if let Some(promise) = live.promise.clone() {
            let account = self.transact(|work| log::read_end(work, &channel, &promise))?;
            if account == log::Account::Contradicts {
                return self.disputed(channel);
            }
        }
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        live.refusals = 0;
        live.disputes = 0;
        let base = match &live.phase {
            Phase::Reading(reading) => Some(reading.base),
            _ => None,
        };
        if base == Some(live.epoch) {
            live.catch_up = CatchUp::default();
        }
        if let Phase::Reading(reading) = &mut live.phase {
            reading.caught_up = true;
            self.outputs.push_back(crate::io::Output::StatusChanged);
        }
        Ok(())
    }

    /// A relay that contradicts itself is asked anew, after a rest that grows; and when that does not
    /// help, its log is read anew (spec: CLI-074, CLI-177).
    pub(super) fn disputed(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        self.rest(&channel, ToldRest::NONE);
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        live.disputes = live.disputes.saturating_add(1);
        if live.disputes < DISPUTES_MAX {
            return Ok(());
        }
        live.disputes = 0;
        self.transact(|work| log::read_anew(work, &channel))
    }

    /// Everything of an epoch so far, with the relay's signature: what waited for it is taken.
    fn epoch_ended(
        &mut self,
        session: SessionNumber,
        channel: ChannelId,
        end: &EpochEnd,
    ) -> Result<(), StoreError> {
        let key = self.sessions.get(&session).and_then(|session| session.relay_key);
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        if end.epoch != live.epoch {
            return Ok(());
        }
        let unsigned = core::mem::take(&mut live.unsigned);
        let account =
            self.transact(|work| log::epoch_end(work, &channel, end, key.as_ref(), &unsigned))?;
        if account == log::Account::Contradicts {
            return self.disputed(channel);
        }
        self.take_entries(channel, unsigned)
    }

    /// Keeps an entry until the relay has signed for it (spec: CLI-176).
    fn take_entry(&mut self, channel: ChannelId, entry: Entry) -> Result<(), StoreError> {
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        if let Phase::Reading(reading) = &mut live.phase {
            // Nothing is sealed over what the relay has not signed for.
            reading.caught_up = false;
        }
        live.unsigned.push(entry);
        let bytes: usize = live.unsigned.iter().map(length).sum();
        let begins_with_commit = live.unsigned.first().is_some_and(is_commit);
        if live.unsigned.len() > UNSIGNED_MAX || (bytes > UNSIGNED_BYTES_MAX && !begins_with_commit)
        {
            return self.take_messages(channel);
        }
        Ok(())
    }

    /// More waits for the relay's signature than is kept. Of messages the first ones are taken as they
    /// are; behind a commit an honest relay has not so many.
    fn take_messages(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        let commit = live.unsigned.iter().position(is_commit).unwrap_or(live.unsigned.len());
        if commit == 0 {
            return self.disputed(channel);
        }
        let messages: Vec<Entry> = live.unsigned.drain(..commit).collect();
        self.take_entries(channel, messages)
    }

    /// An entry of an epoch that this device left by a commit (spec: CLI-190).
    fn take_left(&mut self, channel: ChannelId, entry: &Entry) -> Result<(), StoreError> {
        let reads = |live: &ChannelLive| {
            live.epoch != entry.epoch && matches!(live.phase, Phase::Reading(_))
        };
        if !self.channels.get(&channel).is_some_and(reads) {
            return Ok(());
        }
        let taken = self.transact(|work| forks::take(work, &channel, entry))?;
        if taken == log::Taken::OutOfPlace {
            self.rest(&channel, ToldRest::NONE);
        }
        Ok(())
    }

    /// Takes entries of an epoch, as long as that is read: by the first valid commit it is left.
    fn take_entries(&mut self, channel: ChannelId, entries: Vec<Entry>) -> Result<(), StoreError> {
        for entry in entries {
            let goes_on = |live: &ChannelLive| {
                live.epoch == entry.epoch && matches!(live.phase, Phase::Reading(_))
            };
            if self.channels.get(&channel).is_some_and(goes_on) {
                self.take_one(channel, entry)?;
            } else {
                self.take_left(channel, &entry)?;
            }
        }
        Ok(())
    }

    fn take_one(&mut self, channel: ChannelId, entry: Entry) -> Result<(), StoreError> {
        if let EntryBody::Whole { content: Content::Blob(reference), .. } = &entry.body {
            let reference = *reference;
            return self.fetch_entry(channel, entry, reference);
        }
        self.apply_entry(channel, &entry)
    }

    pub(super) fn apply_entry(
        &mut self,
        channel: ChannelId,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        let Some(live) = self.channels.get(&channel) else { return Ok(()) };
        let Some(promise) = live.promise.clone() else { return Ok(()) };
        if matches!(entry.body, EntryBody::Expired(_)) && promise.epoch != entry.epoch {
            // What the relay says of the commits of this epoch is learned by opening it
            // (spec: CLI-075).
            self.leave_reading(&channel);
            return Ok(());
        }
        let taken = match self.transact(|work| log::take(work, &channel, entry, &promise)) {
            Ok(taken) => taken,
            Err(log::Fault::Store(StoreError::Damaged)) => {
                // What is stored of this group does not go together: the others are not concerned.
                self.transact(|work| stuck::stick(work, &channel, StuckCause::StateDamaged))?;
                return Ok(());
            }
            Err(log::Fault::Store(error)) => return Err(error),
            // What the attempt changed is gone; only the verdict is kept (spec: GRP-036).
            Err(log::Fault::Rejected(refused)) => {
                self.transact(|work| log::reject(work, &channel, entry, refused))?
            }
            // What the attempt changed is gone, the cursor's step too (spec: CLI-173).
            Err(log::Fault::NewerRules(rules)) => {
                return self.transact(|work| newer_rules::hold(work, &channel, rules));
            }
        };
        if taken == log::Taken::OutOfPlace {
            // The log has a gap or goes back: begin anew from what is stored.
            self.rest(&channel, ToldRest::NONE);
        } else if let Some(live) = self.channels.get_mut(&channel) {
            live.catch_up.read = live.catch_up.read.saturating_add(1);
        }
        Ok(())
    }
}

fn is_commit(entry: &Entry) -> bool {
    matches!(&entry.body, EntryBody::Whole { operation: Operation::Commit(_), .. })
}

/// What an entry takes of memory.
fn length(entry: &Entry) -> usize {
    match &entry.body {
        EntryBody::Whole { content: Content::Inline(bytes), .. } => bytes.len(),
        EntryBody::Whole { content: Content::Blob(_), .. } | EntryBody::Expired(_) => 0,
    }
}
