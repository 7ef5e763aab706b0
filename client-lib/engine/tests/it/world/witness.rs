//! What relays can tie together: which inboxes and channels were used on one connection.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_engine::{io::Input, session::SessionNumber};
use hushwire_wire::{
    frame::{AnswerFrame, RequestFrame},
    id::{BlobId, ChannelId, InboxId, PublicKey},
    message::{Answer, Request, RequestId},
    transcript::{self, Operation},
};

use super::{Who, World};

/// An object that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    /// Created or opened by its owner.
    OwnInbox(InboxId),
    /// Written to.
    OtherInbox(InboxId),
    Channel(ChannelId),
}

/// The objects of each session.
#[derive(Default)]
pub(super) struct Witness {
    tied: BTreeMap<(Who, SessionNumber), BTreeSet<Object>>,
    /// The last reading of each device's inbox.
    inboxes: BTreeMap<Who, (SessionNumber, RequestId)>,
    /// How often a device said that it has handled items.
    advances: BTreeMap<Who, usize>,
    /// How often a device put its device list.
    lists: BTreeMap<Who, usize>,
    /// Blobs that a device made.
    blobs: BTreeMap<Who, BTreeSet<BlobId>>,
    /// How often a device read a blob.
    fetches: BTreeMap<Who, usize>,
    /// Next keys of the commits that a device sent.
    commits: BTreeMap<Who, BTreeSet<PublicKey>>,
    /// How often a device opened a channel.
    opens: BTreeMap<(Who, ChannelId), usize>,
    /// How often a device wrote to somebody's inbox.
    sends: BTreeMap<Who, usize>,
}

impl Witness {
    pub(super) fn see(&mut self, who: Who, session: SessionNumber, frame: &RequestFrame) {
        match &frame.request {
            Request::ChannelOpen { channel, .. } => {
                *self.opens.entry((who, *channel)).or_default() += 1;
            }
            Request::InboxSend { .. } => *self.sends.entry(who).or_default() += 1,
            _ => {}
        }
        let object = match &frame.request {
            Request::InboxCreate { inbox, .. } | Request::InboxOpen { inbox, .. } => {
                Object::OwnInbox(*inbox)
            }
            Request::InboxSend { inbox, .. }
            | Request::CardFetch { inbox, .. }
            | Request::ShelfTake { inbox, .. } => Object::OtherInbox(*inbox),
            Request::ChannelCreate { channel, .. } | Request::ChannelOpen { channel, .. } => {
                Object::Channel(*channel)
            }
            Request::InboxRead { .. } => {
                self.inboxes.insert(who, (session, frame.id));
                return;
            }
            Request::InboxAdvance { .. } => {
                *self.advances.entry(who).or_default() += 1;
                return;
            }
            Request::BlobCreate { key, .. } => {
                self.blobs.entry(who).or_default().insert(transcript::blob_id(key));
                return;
            }
            Request::BlobRead { .. } => {
                *self.fetches.entry(who).or_default() += 1;
                return;
            }
            Request::Append { operation: Operation::Commit(mark), .. } => {
                self.commits.entry(who).or_default().insert(mark.next_key);
                return;
            }
            Request::DeviceListPut { .. } => {
                *self.lists.entry(who).or_default() += 1;
                return;
            }
            _ => return,
        };
        self.tied.entry((who, session)).or_default().insert(object);
    }
}

impl World {
    /// The objects that a device used, by session.
    pub(crate) fn tied(&self, who: Who) -> Vec<BTreeSet<Object>> {
        let theirs = self.witness.tied.iter().filter(|((other, _), _)| *other == who);
        theirs.map(|(_, objects)| objects.clone()).collect()
    }

    /// How often a device said that it has handled items of its inbox.
    pub(crate) fn advances(&self, who: Who) -> usize {
        self.witness.advances.get(&who).copied().unwrap_or_default()
    }

    /// How many blobs a device made.
    pub(crate) fn blobs_made(&self, who: Who) -> usize {
        self.witness.blobs.get(&who).map_or(0, BTreeSet::len)
    }

    /// How often a device began to read a blob.
    pub(crate) fn fetches(&self, who: Who) -> usize {
        self.witness.fetches.get(&who).copied().unwrap_or_default()
    }

    /// How many different commits a device sent.
    pub(crate) fn commits_sent(&self, who: Who) -> usize {
        self.witness.commits.get(&who).map_or(0, BTreeSet::len)
    }

    /// How often a device opened a channel.
    pub(crate) fn opens(&self, who: Who, channel: ChannelId) -> usize {
        self.witness.opens.get(&(who, channel)).copied().unwrap_or_default()
    }

    /// How often a device wrote to somebody's inbox.
    pub(crate) fn sends(&self, who: Who) -> usize {
        self.witness.sends.get(&who).copied().unwrap_or_default()
    }

    /// How often a device put its device list.
    pub(crate) fn lists_put(&self, who: Who) -> usize {
        self.witness.lists.get(&who).copied().unwrap_or_default()
    }

    /// Says something to a device's last reading of its inbox, in the relay's name.
    pub(crate) fn whisper_inbox(&mut self, who: Who, answer: Answer) {
        let (session, id) = self.witness.inboxes[&who];
        self.feed(who, Input::Frame(session, AnswerFrame { id, answer }));
    }
}
