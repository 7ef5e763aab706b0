//! What must hold, while a world runs and at its end.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use hushwire_engine::{command::ChatNumber, event::Warning};

use crate::ledger::{Agreed, ChatKey, Fate, Ledger, Said, View};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A part of the system ended itself.
    Panicked(String),
    /// Two devices at one epoch differ.
    Disagreement {
        /// The devices' epoch.
        epoch: String,
        /// What the first one saw there, and what another one sees.
        views: Box<[Agreed; 2]>,
    },
    /// Devices that are members are at different epochs though nothing is under way any more.
    Fork(String),
    /// A device does not have what its sender was told is stored.
    Lost(String),
    /// A device has a text twice.
    Twice(String),
    /// Two devices have texts in different order.
    Order(String),
    /// Somebody reads what was written after their removal.
    ReadAfterRemoval(String),
    /// A text came that nobody wrote.
    FromNowhere(String),
    /// A relay has something that it must not know.
    Plaintext(String),
    /// Something waits for ever.
    Stuck(String),
    /// A device asks its relay without end.
    Restless(String),
    /// An app missed an event, or has one twice.
    EventGap(String),
    /// A store was found damaged.
    Damaged(String),
    /// Nobody noticed what a hostile member did.
    Unnoticed(String),
    /// A device warns of what did not happen.
    FalseAlarm(String),
    /// Something failed for a reason that nothing explains.
    Unexplained(String),
}

impl Violation {
    /// Whether another one is of the same kind.
    pub fn is_like(&self, other: &Self) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disagreement { epoch, views } => {
                let [one, other] = &**views;
                write!(f, "disagreement at epoch {epoch}:\n  {one:?}\n  {other:?}")
            }
            Self::Panicked(what) => write!(f, "panicked: {what}"),
            Self::Fork(what) => write!(f, "fork: {what}"),
            Self::Lost(what) => write!(f, "lost: {what}"),
            Self::Twice(what) => write!(f, "twice: {what}"),
            Self::Order(what) => write!(f, "out of order: {what}"),
            Self::ReadAfterRemoval(what) => write!(f, "read after removal: {what}"),
            Self::FromNowhere(what) => write!(f, "from nowhere: {what}"),
            Self::Plaintext(what) => write!(f, "plaintext at a relay: {what}"),
            Self::Stuck(what) => write!(f, "stuck: {what}"),
            Self::Restless(what) => write!(f, "restless: {what}"),
            Self::EventGap(what) => write!(f, "a gap in the events: {what}"),
            Self::Damaged(what) => write!(f, "damaged store: {what}"),
            Self::Unnoticed(what) => write!(f, "unnoticed: {what}"),
            Self::FalseAlarm(what) => write!(f, "false alarm: {what}"),
            Self::Unexplained(what) => write!(f, "unexplained: {what}"),
        }
    }
}

/// A text came to a device that did not write it.
///
/// # Errors
/// [`Violation`] if it should not have come, or was there already.
pub(crate) fn received(
    ledger: &mut Ledger,
    client: usize,
    fingerprint: &str,
    key: &ChatKey,
    text: &str,
) -> Result<(), Violation> {
    let Some(said) = ledger.said.get(text) else {
        return Err(Violation::FromNowhere(format!("device {client}: {text}")));
    };
    // Who was to be added again meanwhile may have been in when the text was sealed.
    let additions = ledger.additions.get(&(key.clone(), fingerprint.to_owned()));
    if said.without.contains(fingerprint) && additions.is_none_or(|count| *count <= 1) {
        return Err(Violation::ReadAfterRemoval(format!("device {client}: {text}")));
    }
    let view = ledger.view(client, key);
    if view.received.iter().any(|had| had == text) {
        return Err(Violation::Twice(format!("device {client}: {text}")));
    }
    view.received.push(text.to_owned());
    Ok(())
}

/// A device is at an epoch.
///
/// # Errors
/// [`Violation::Disagreement`] if another one saw something else there.
pub(crate) fn at_epoch(ledger: &mut Ledger, epoch: &str, seen: Agreed) -> Result<(), Violation> {
    match ledger.epochs.get(epoch) {
        Some(first) if *first == seen => Ok(()),
        Some(first) => Err(Violation::Disagreement {
            epoch: epoch.to_owned(),
            views: Box::new([first.clone(), seen]),
        }),
        None => {
            ledger.epochs.insert(epoch.to_owned(), seen);
            Ok(())
        }
    }
}

/// Whether a warning can only come from somebody who breaks the rules.
pub(crate) const fn accuses(warning: &Warning) -> bool {
    !matches!(
        warning,
        Warning::InvitationRefused { .. } | Warning::InviterLeft { .. } | Warning::TooManyDevices
    )
}

/// The chat that a warning is about, and the code that it gives for an entry.
pub(crate) fn accused(warning: &Warning) -> Option<(ChatNumber, &str)> {
    match warning {
        Warning::EntryRejected { chat, code } | Warning::CommitRejected { chat, code } => {
            Some((*chat, code))
        }
        Warning::HistoryDiffers { chat } => Some((*chat, "HistoryDiffers")),
        Warning::OwnCommitUnknown { chat } => Some((*chat, "OwnLeaf")),
        Warning::MemberContradicts { chat } => Some((*chat, "MemberContradicts")),
        _ => None,
    }
}

/// What becomes of invitations that a relay has signed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invitations {
    /// They come sooner or later.
    Arrive,
    /// A relay showed another history to somebody: what was written there nobody else gets.
    MayBeSwallowed,
}

/// Everything that was acknowledged is with everybody who was there, in one order. The devices come
/// with the fingerprints of their people; `turned_away` are those that did not follow an invitation.
///
/// # Errors
/// [`Violation::Lost`] or [`Violation::Order`].
pub(crate) fn complete(
    ledger: &Ledger,
    devices: &BTreeMap<usize, &str>,
    turned_away: &BTreeSet<usize>,
    invitations: Invitations,
) -> Result<(), Violation> {
    for (text, said) in &ledger.said {
        let Fate::Acknowledged(_) = said.fate else { continue };
        // What a hostile member's device says may be worth nothing.
        if !devices.contains_key(&said.client) {
            continue;
        }
        for ((client, key), view) in &ledger.views {
            // Into one of several direct groups it may have come later than into the chat.
            let in_channel = |channel| match view.channels.get(channel) {
                Some(in_it) => *in_it < said.at,
                // An invitation there may be lost with what a relay has swallowed.
                None => key.is_direct() && invitations == Invitations::Arrive,
            };
            let was_there = view.open_since.is_some_and(|since| since < said.at)
                && said.channel.as_ref().is_none_or(in_channel);
            let has_to = *key == said.key && *client != said.client && devices.contains_key(client);
            // One of them was told that it is not in one of two direct groups.
            let apart = turned_away.contains(client) || turned_away.contains(&said.client);
            if said.key.is_direct() && apart {
                continue;
            }
            // Of two direct groups with one person, another own device may come into one later.
            if said.key.is_direct() && devices.get(client) == devices.get(&said.client) {
                continue;
            }
            // In a group that goes on elsewhere somebody may be removed who is in the chat by the other.
            if devices.get(client).is_some_and(|person| is_outside(ledger, said, person)) {
                continue;
            }
            // What a relay lost is brought back in the epoch in which it was said, for who is there.
            let author = ledger.views.get(&(said.client, said.key.clone()));
            let stays = |view: &View| said.epoch.is_some() && view.epoch == said.epoch;
            if said.deceived && !(stays(view) && author.is_some_and(stays)) {
                continue;
            }
            if has_to && was_there && !view.received.contains(text) {
                return Err(Violation::Lost(format!("device {client} does not have {text:?}")));
            }
        }
    }
    let views: Vec<_> =
        ledger.views.iter().filter(|((client, _), _)| devices.contains_key(client)).collect();
    for (place, ((one, key), view)) in views.iter().enumerate() {
        for ((other, other_key), other_view) in &views[place + 1..] {
            // Two direct groups of two people are read side by side.
            let twofold = view.twofold || other_view.twofold;
            let apart = key.is_direct() && (twofold || !turned_away.is_empty());
            if key == other_key && !apart {
                same_order(ledger, (*one, &view.received), (*other, &other_view.received))?;
            }
        }
    }
    Ok(())
}

/// Whether a group was without somebody when a text was acknowledged there.
fn is_outside(ledger: &Ledger, said: &Said, fingerprint: &str) -> bool {
    let agreed = said.epoch.as_ref().and_then(|epoch| ledger.epochs.get(epoch));
    agreed.is_some_and(|agreed| !agreed.members.iter().any(|one| one.starts_with(fingerprint)))
}

/// Of the texts of one channel that two devices received, those that both have are in one order.
fn same_order(
    ledger: &Ledger,
    (one, texts): (usize, &[String]),
    (other, other_texts): (usize, &[String]),
) -> Result<(), Violation> {
    let moved = |said: &Said| said.retried || said.deceived;
    let theirs: BTreeSet<&String> = other_texts.iter().collect();
    let ours: BTreeSet<&String> = texts.iter().collect();
    let channel = |text: &String| ledger.said.get(text).map(|said| &said.channel);
    let channels: BTreeSet<_> = texts.iter().map(channel).collect();
    for here in channels {
        let settled =
            |text: &&String| channel(text) == here && !ledger.said.get(*text).is_some_and(moved);
        let left = texts.iter().filter(|text| theirs.contains(text)).filter(settled);
        let right = other_texts.iter().filter(|text| ours.contains(text)).filter(settled);
        if let Some((left, right)) = left.zip(right).find(|(left, right)| left != right) {
            let what = format!("device {one} has {left:?} where device {other} has {right:?}");
            return Err(Violation::Order(what));
        }
    }
    Ok(())
}

/// What a relay must not have in any key or value.
pub(crate) fn plaintext<'a>(
    mut rows: impl Iterator<Item = &'a [u8]>,
    needles: &[Vec<u8>],
) -> Option<usize> {
    rows.find_map(|row| {
        needles.iter().position(|needle| row.windows(needle.len()).any(|part| part == needle))
    })
}
