//! What fan-out carries: that an object has more to read. No content, so that it can be merged,
//! repeated or replaced by [`crate::Reading::wake_fully`] without loss.

use hushwire_wire::id::{ChannelId, EpochId, InboxId};

use crate::store::Object;

/// An object has more to read than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum News {
    /// An epoch of a channel took an entry.
    Channel {
        /// The channel.
        channel: ChannelId,
        /// The epoch that took the entry.
        epoch: EpochId,
    },
    /// An inbox took an item, or changed its owner key.
    Inbox(InboxId),
}

impl News {
    /// The object; what readings subscribe to.
    pub const fn object(&self) -> Object {
        match self {
            Self::Channel { channel, .. } => Object::Channel(*channel),
            Self::Inbox(inbox) => Object::Inbox(*inbox),
        }
    }
}
