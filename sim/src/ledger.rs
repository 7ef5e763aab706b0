//! What was said, what was acknowledged, and what each device has: the truth that checks compare with.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_engine::command::{ChatNumber, MessageNumber};
use hushwire_wire::id::{ChannelId, Timestamp};

/// A chat, the same for all of its members: the channel in which a group began, or two fingerprints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChatKey(pub String);

impl ChatKey {
    /// Whether it is of two people.
    pub fn is_direct(&self) -> bool {
        self.0.len() == 129
    }
}

/// How far a text has come, as its sender's device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// On the device only.
    Pending,
    /// The relay has it, since this time.
    Acknowledged(Timestamp),
    /// It will not go out by itself.
    Failed,
}

/// A text that an app handed to its engine, which took it.
#[derive(Clone, Debug)]
pub struct Said {
    /// The device that wrote it.
    pub client: usize,
    /// Where.
    pub key: ChatKey,
    /// The channel in which it went out last; of a direct chat, as far as it is known.
    pub channel: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The identities that its writer did not know as members, though they had been.
    pub without: BTreeSet<String>,
    /// How far it has come.
    pub fate: Fate,
    /// Whether it was tried again after a failure: then its place is a later one.
    pub retried: bool,
    /// Whether it was acknowledged in a history that a relay showed to its device alone, or that it lost.
    pub deceived: bool,
    /// The epoch of its device when it was acknowledged.
    pub epoch: Option<String>,
}

/// A device's view of one chat.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Since when it can be written to, if it can.
    pub open_since: Option<Timestamp>,
    /// The channels of a group in which it came in, and when: a group can go on in another one. Of a
    /// direct chat those of several, known at the end.
    pub channels: BTreeMap<String, Timestamp>,
    /// Whether it is a direct chat with two groups, because both began it at once: a device that was away
    /// reads one behind the other.
    pub twofold: bool,
    /// Texts of others, in order.
    pub received: Vec<String>,
    /// Where it stands at the end.
    pub epoch: Option<String>,
    /// Identities whose removal it has seen.
    pub removed: BTreeSet<String>,
}

impl View {
    /// It cannot be written to any more.
    pub fn close(&mut self) {
        self.open_since = None;
        self.channels.clear();
    }
}

/// Something that a hostile member did in a group, which the others have to notice.
#[derive(Clone, Copy, Debug)]
pub struct Harm {
    /// Where.
    pub channel: ChannelId,
    /// When.
    pub at: Timestamp,
    /// Codes of warnings, one of which has to come; empty if none has to.
    pub codes: &'static [&'static str],
}

/// What everybody agreed on at one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What people compare.
    pub code: String,
    /// Fingerprints with roles and devices.
    pub members: Vec<String>,
    /// The group's name.
    pub name: String,
    /// Its description, and who has which right.
    pub settings: String,
}

/// Everything that is known of a run.
#[derive(Default)]
pub struct Ledger {
    /// Texts by what they say; no two say the same.
    pub said: BTreeMap<String, Said>,
    /// Where a text stands on its sender's device.
    pub places: BTreeMap<(usize, ChatNumber, MessageNumber), String>,
    /// What each device has of each chat.
    pub views: BTreeMap<(usize, ChatKey), View>,
    /// What the first device at an epoch saw there.
    pub epochs: BTreeMap<String, Agreed>,
    /// Channels in which a hostile member parted the others, and since when: who is in one branch sees
    /// nothing of what is done in the other.
    pub parted: BTreeMap<ChannelId, Timestamp>,
    /// What a hostile member did.
    pub harms: Vec<Harm>,
    /// Codes that a device warned of, by chat.
    pub warned: BTreeSet<(usize, ChatNumber, String)>,
    /// How often somebody was to be added to a chat.
    pub additions: BTreeMap<(ChatKey, String), u32>,
}

impl Ledger {
    /// A device's view of a chat.
    pub fn view(&mut self, client: usize, key: &ChatKey) -> &mut View {
        self.views.entry((client, key.clone())).or_default()
    }
}
