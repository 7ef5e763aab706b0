//! Reading a channel: an epoch, then, depth first, each child that was opened without cut
//! (spec: CHN-014).

use std::{cmp::Ordering, collections::HashMap};

use bytes::Bytes;
use hushwire_wire::{
    error::Code,
    id::{ChannelId, EpochId, Sequence, Timestamp},
    message::{Answer, Entry, EntryBody, EpochEnd, Follow},
    transcript::Cut,
};

use super::{
    Progress, Wake,
    watch::{Attention, WatchList, Watched},
};
use crate::{
    channel::row::{ContentRow, EpochRow, HeaderRow, Origin, place_key},
    news::News,
    outcome::Refused,
    receipt::Reply,
    row::number_of_key,
    store::{Object, Read, ReadLimit, Row, StoreError, Table},
};

/// A reading of a channel.
#[derive(Debug)]
pub(super) struct ChannelReading {
    channel: ChannelId,
    follow: Follow,
    stage: Stage,
    watched: WatchList,
    caught_up: CaughtUp,
}

/// How far a reading has come.
#[derive(Debug)]
enum Stage {
    /// Looking from the epoch that was asked for, upwards, for the one that the handle opened.
    Proving { opened: EpochId, at: EpochId },
    /// Reading the tree.
    Reading,
}

/// Whether the client knows that it has everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CaughtUp {
    Told,
    Untold,
}

/// One look at one epoch.
struct Visit<'a, V: Read> {
    view: &'a V,
    now: Timestamp,
    channel: ChannelId,
    /// What is left of the step.
    budget: &'a mut ReadLimit,
}

impl ChannelReading {
    pub(super) fn new(
        channel: ChannelId,
        opened: EpochId,
        epoch: EpochId,
        from: Sequence,
        follow: Follow,
    ) -> Self {
        Self {
            channel,
            follow,
            stage: Stage::Proving { opened, at: epoch },
            watched: WatchList::new(Watched::new(epoch, from)),
            caught_up: CaughtUp::Untold,
        }
    }

    pub(super) const fn object(&self) -> Object {
        Object::Channel(self.channel)
    }

    pub(super) fn wake(&mut self, news: &News) -> Wake {
        match news {
            News::Channel { channel, epoch }
                if *channel == self.channel && self.watched.wake(epoch) =>
            {
                Wake::Due
            }
            _ => Wake::Unconcerned,
        }
    }

    pub(super) fn wake_fully(&mut self) {
        self.watched.wake_fully();
    }

    pub(super) fn next(
        &mut self,
        view: &impl Read,
        now: Timestamp,
        budget: ReadLimit,
        replies: &mut Vec<Reply>,
    ) -> Result<Progress, Refused> {
        let mut budget = budget;
        while let Stage::Proving { opened, at } = self.stage {
            if budget.rows_max == 0 {
                return Ok(Progress::More);
            }
            budget.rows_max = budget.rows_max.saturating_sub(1);
            self.stage = self.climb(view, now, opened, at)?;
        }
        while budget.rows_max > 0 && budget.bytes_max > 0 {
            let Some(watched) = self.watched.due() else {
                return Ok(self.rest(replies));
            };
            let said = replies.len();
            let visit = Visit { view, now, channel: self.channel, budget: &mut budget };
            let found = visit.look(watched, replies)?;
            if replies.len() > said {
                self.caught_up = CaughtUp::Untold;
            }
            match found {
                Found::Child(child) => self.watched.visit(child)?,
                Found::End => {}
                Found::More => return Ok(Progress::More),
            }
            if self.follow == Follow::UntilEnd {
                self.watched.forget_resting();
            }
        }
        Ok(Progress::More)
    }

    /// One step up, from child to parent, as long as the child was opened without cut.
    fn climb(
        &self,
        view: &impl Read,
        now: Timestamp,
        opened: EpochId,
        at: EpochId,
    ) -> Result<Stage, Refused> {
        let row = EpochRow::load(view, now, &self.channel, &at)?;
        if at == opened {
            return if row.is_some() { Ok(Stage::Reading) } else { Err(Code::Expired.into()) };
        }
        match row.map(|row| row.origin) {
            Some(Origin::Child { parent, cut: Cut::Through }) => {
                Ok(Stage::Proving { opened, at: parent })
            }
            // spec: CHN-025: unknown, cut, or not below the handle's epoch: the same answer.
            Some(Origin::Child { cut: Cut::Cut, .. } | Origin::Root) | None => {
                Err(Code::NotReadable.into())
            }
        }
    }

    fn rest(&mut self, replies: &mut Vec<Reply>) -> Progress {
        match self.follow {
            Follow::UntilEnd => {
                replies.push(Reply::read_over());
                Progress::Over
            }
            Follow::Onward => {
                if self.caught_up == CaughtUp::Untold {
                    self.caught_up = CaughtUp::Told;
                    replies.push(Reply::ready(Answer::ReadEnd(Follow::Onward)));
                }
                Progress::CaughtUp
            }
        }
    }
}

/// What a look at an epoch found, after what it said.
enum Found {
    /// More entries, for which there is no room in this step.
    More,
    /// A child to visit before going on with this epoch.
    Child(EpochId),
    /// Nothing more for now.
    End,
}

impl<V: Read> Visit<'_, V> {
    fn look(mut self, watched: &mut Watched, replies: &mut Vec<Reply>) -> Result<Found, Refused> {
        // Read before the entries: an atomic append shows them all up to this end.
        let row = EpochRow::load(self.view, self.now, &self.channel, &watched.epoch)?;
        let Some(row) = row else {
            // A branch that nobody used for so long is passed over.
            watched.attention = Attention::Resting;
            return Ok(Found::End);
        };
        // The look itself costs a row, so that a tree of empty epochs is bounded too.
        self.budget.rows_max = self.budget.rows_max.saturating_sub(1);
        match watched.position.cmp(&row.next) {
            // spec: CHN-028
            Ordering::Greater => return Err(Code::BeyondEnd.into()),
            Ordering::Equal => {}
            Ordering::Less => {
                self.read_entries(watched, row.next, replies)?;
                if watched.position < row.next {
                    return Ok(Found::More);
                }
            }
        }
        if watched.end_told != Some(row.next) {
            watched.end_told = Some(row.next);
            let end =
                EpochEnd { epoch: watched.epoch, next: row.next, head: row.head, signature: None };
            replies.push(Reply::epoch_end(self.channel, end));
        }
        Ok(next_child(watched, &row))
    }

    fn read_entries(
        &mut self,
        watched: &mut Watched,
        end: Sequence,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Refused> {
        // Headers first: whatever has a header here has its content in the later read, or lost it.
        let limit = *self.budget;
        let all_bytes = ReadLimit { bytes_max: usize::MAX, ..limit };
        let headers = self.rows(Table::EntryHeader, watched, all_bytes)?;
        let contents = self.rows(Table::EntryContent, watched, limit)?;
        // Of what lies behind the last content, nothing is known if the read stopped at its bound.
        let stopped_at = contents.last().filter(|_| limit.is_reached_by(&contents));
        let known_to = stopped_at.map(|row| number_of_key(&row.key)).transpose()?;
        let mut contents: HashMap<Bytes, Bytes> =
            contents.into_iter().map(|row| (row.key, row.value)).collect();
        for header in headers {
            let sequence = Sequence(number_of_key(&header.key)?);
            if sequence >= end || known_to.is_some_and(|known_to| sequence.0 > known_to) {
                break;
            }
            // spec: CHN-026: a hole means that even the ids are gone.
            if sequence != watched.position {
                return Err(Code::Expired.into());
            }
            let content = contents.remove(&header.key);
            let bytes = content.as_ref().map_or(0, Bytes::len);
            self.budget.bytes_max = self.budget.bytes_max.saturating_sub(bytes);
            self.budget.rows_max = self.budget.rows_max.saturating_sub(1);
            let entry = entry(watched.epoch, sequence, header.value, content)?;
            replies.push(Reply::ready(Answer::Entry(entry)));
            watched.position = sequence.next();
        }
        Ok(())
    }

    fn rows(
        &self,
        table: Table,
        watched: &Watched,
        limit: ReadLimit,
    ) -> Result<Vec<Row>, StoreError> {
        let from = place_key(&watched.epoch, watched.position);
        let object = Object::Channel(self.channel);
        self.view.rows(&object, table, watched.epoch.as_bytes(), &from, limit, self.now)
    }
}

fn entry(
    epoch: EpochId,
    sequence: Sequence,
    header: Bytes,
    content: Option<Bytes>,
) -> Result<Entry, StoreError> {
    let header = HeaderRow::decode(header)?;
    let body = match content {
        Some(value) => {
            let ContentRow { operation, content } = ContentRow::decode(value)?;
            EntryBody::Whole { content, operation }
        }
        // spec: CHN-016
        None => EntryBody::Expired(header.entry),
    };
    Ok(Entry { epoch, sequence, body, stored_at: header.stored_at })
}

/// The next child to visit; a cut one needs a handle of its own (spec: CHN-005).
fn next_child(watched: &mut Watched, row: &EpochRow) -> Found {
    let unseen = row.candidates.iter().enumerate().skip(watched.children_seen);
    let through = unseen.into_iter().find(|(_, candidate)| candidate.cut == Cut::Through);
    watched.children_seen = through.map_or(row.candidates.len(), |(index, _)| index + 1);
    if watched.children_seen >= row.candidates.len() {
        watched.attention = Attention::Resting;
    }
    through.map_or(Found::End, |(_, candidate)| Found::Child(candidate.child()))
}
