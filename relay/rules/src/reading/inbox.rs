//! Reading an inbox: its items in order (spec: INB-013).

use hushwire_wire::{
    error::Code,
    id::{Sequence, Timestamp},
    message::{Answer, Follow, InboxItem},
};

use super::{Progress, Wake};
use crate::{
    inbox::row::{InboxRow, ItemRow, item_key},
    news::News,
    outcome::Refused,
    receipt::Reply,
    row::number_of_key,
    store::{Object, Read, ReadLimit, Table},
    write::InboxDoor,
};

/// A reading of an inbox.
#[derive(Debug)]
pub(super) struct InboxReading {
    door: InboxDoor,
    position: Sequence,
    follow: Follow,
    end_told: Option<Sequence>,
}

impl InboxReading {
    pub(super) const fn new(door: InboxDoor, from: Sequence, follow: Follow) -> Self {
        Self { door, position: from, follow, end_told: None }
    }

    pub(super) const fn object(&self) -> Object {
        Object::Inbox(self.door.inbox)
    }

    pub(super) fn wake(&self, news: &News) -> Wake {
        if *news == News::Inbox(self.door.inbox) { Wake::Due } else { Wake::Unconcerned }
    }

    pub(super) fn next(
        &mut self,
        view: &impl Read,
        now: Timestamp,
        budget: ReadLimit,
        replies: &mut Vec<Reply>,
    ) -> Result<Progress, Refused> {
        // Read before the items: an atomic send shows them all up to this end.
        let end = InboxRow::behind(view, now, &self.door)?.next;
        if self.position > end {
            return Err(Code::BeyondEnd.into());
        }
        let from = item_key(self.position);
        let rows = view.rows(&self.object(), Table::Item, &[], &from, budget, now)?;
        let more = budget.is_reached_by(&rows);
        for row in rows {
            let sequence = Sequence(number_of_key(&row.key)?);
            if sequence >= end {
                break;
            }
            let ItemRow { capability, stored_at, item } = ItemRow::decode(row.value)?;
            let item = InboxItem { sequence, item, capability, stored_at };
            replies.push(Reply::ready(Answer::InboxItem(item)));
            self.position = sequence.next();
        }
        if more && self.position < end {
            return Ok(Progress::More);
        }
        // What is not there any more is passed over.
        self.position = end;
        Ok(self.rest(replies))
    }

    fn rest(&mut self, replies: &mut Vec<Reply>) -> Progress {
        if self.follow == Follow::UntilEnd {
            replies.push(Reply::read_over());
            return Progress::Over;
        }
        if self.end_told != Some(self.position) {
            self.end_told = Some(self.position);
            replies.push(Reply::ready(Answer::ReadEnd(Follow::Onward)));
        }
        Progress::CaughtUp
    }
}
