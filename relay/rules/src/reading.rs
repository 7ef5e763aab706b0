//! Readings: cursors that the driver pulls. Each call reads a bounded amount from the store and
//! yields what to send; a caught-up reading waits for news. What a stalled client has not taken is
//! not buffered anywhere: its cursor stands still.

mod blob;
mod channel;
mod inbox;
mod watch;

use hushwire_wire::{
    id::{BlobId, ChannelId, EpochId, Sequence, Timestamp},
    message::Follow,
};

use crate::{
    news::News,
    outcome::Refused,
    receipt::Reply,
    store::{Object, Read, ReadLimit, StoreError},
    write::InboxDoor,
};

/// A reading that goes on. Made by [`crate::Session::handle`] only.
#[derive(Debug)]
pub struct Reading(Kind);

#[derive(Debug)]
enum Kind {
    Channel(channel::ChannelReading),
    Inbox(inbox::InboxReading),
    Blob(blob::BlobReading),
}

/// What one call of [`Reading::next`] yields.
#[derive(Debug)]
pub struct ReadStep {
    /// To be sent, in order, under the id of the reading's request.
    pub replies: Vec<Reply>,
    /// Whether there is more.
    pub progress: Progress,
    /// The store's failure, if that ended the reading; for the operator.
    pub failure: Option<StoreError>,
}

/// Whether a reading has more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Call again as soon as the client has room.
    More,
    /// Call again when [`Reading::wake`] says so.
    CaughtUp,
    /// Its last word is among the replies; tell [`crate::Session::reading_over`].
    Over,
}

/// Whether news concern a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Call [`Reading::next`] again.
    Due,
    /// The reading has nothing new.
    Unconcerned,
}

impl Reading {
    pub(crate) fn channel(
        channel: ChannelId,
        opened: EpochId,
        epoch: EpochId,
        from: Sequence,
        follow: Follow,
    ) -> Self {
        let reading = channel::ChannelReading::new(channel, opened, epoch, from, follow);
        Self(Kind::Channel(reading))
    }

    pub(crate) const fn inbox(door: InboxDoor, from: Sequence, follow: Follow) -> Self {
        Self(Kind::Inbox(inbox::InboxReading::new(door, from, follow)))
    }

    pub(crate) const fn blob(blob: BlobId, offset: u64, length: u64) -> Self {
        Self(Kind::Blob(blob::BlobReading::new(blob, offset, length)))
    }

    /// The object it reads. Subscribe to its news before the first [`Self::next`], else what comes
    /// between is not seen until the next news.
    pub const fn object(&self) -> Object {
        match &self.0 {
            Kind::Channel(reading) => reading.object(),
            Kind::Inbox(reading) => reading.object(),
            Kind::Blob(reading) => reading.object(),
        }
    }

    /// Reads on, at most so much, from what is on disk.
    pub fn next(&mut self, view: &impl Read, now: Timestamp, budget: ReadLimit) -> ReadStep {
        let mut replies = Vec::new();
        let result = match &mut self.0 {
            Kind::Channel(reading) => reading.next(view, now, budget, &mut replies),
            Kind::Inbox(reading) => reading.next(view, now, budget, &mut replies),
            Kind::Blob(reading) => reading.next(view, now, budget, &mut replies),
        };
        match result {
            Ok(progress) => ReadStep { replies, progress, failure: None },
            Err(refused) => {
                let failure = match &refused {
                    Refused::Store(error) => Some(*error),
                    Refused::Rule(_) => None,
                };
                replies.push(Reply::refused(refused.refusal()));
                ReadStep { replies, progress: Progress::Over, failure }
            }
        }
    }

    /// Takes note of news. Every news of its object is to be shown to a reading, or
    /// [`Self::wake_fully`] called if some were lost.
    pub fn wake(&mut self, news: &News) -> Wake {
        match &mut self.0 {
            Kind::Channel(reading) => reading.wake(news),
            Kind::Inbox(reading) => reading.wake(news),
            Kind::Blob(_) => Wake::Unconcerned,
        }
    }

    /// News may have been lost: the reading looks at everything it watches again.
    pub fn wake_fully(&mut self) {
        match &mut self.0 {
            Kind::Channel(reading) => reading.wake_fully(),
            Kind::Inbox(_) | Kind::Blob(_) => {}
        }
    }
}
