//! Invitations that another group may speak against: who was removed there takes nobody along. They
//! wait until that group was read to its end, or the person says to follow.
//!
//! | state | input | next |
//! |---|---|---|
//! | – | an invitation that would be followed, but for what is not read | unread |
//! | unread | the group was read to its end, or is none of this device's any more | judged again |
//! | unread | the offer is read there, or the person follows | judged again |
//! | unread | it is kept for too long, or the sender has too many later ones | passed over |
//!
//! A device that is stuck in that group reads it when it is back (spec: CLI-187).

use std::collections::{BTreeMap, BTreeSet};

use hushwire_protocol::{
    group::joiner_of,
    identity::{DeviceCredential, Fingerprint},
    invitation::{InboxContent, Invitation},
};
use hushwire_wire::id::ChannelId;

use super::{
    Came,
    held::row::{self, HeldRecord, PREFIX, Reading, Stage, Word},
};
use crate::{
    command::ChatNumber,
    record::{SecretBytes, Wish, WishNumber, credential},
    revoking, shelf,
    store::StoreError,
    succession,
    wish::{self, Step},
    work::Work,
};

/// The most that wait so of one identity; its oldest gives way (spec: CLI-187).
const UNREAD_OF_ONE_MAX: usize = 16;
/// The most that wait so (spec: CLI-187).
const UNREAD_MAX: usize = 64;

/// What has to be read before an invitation is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The group that is read to its end first.
    pub(crate) channel: ChannelId,
    /// Whose word leads on from there, in which chat; none where the new group names nobody.
    pub(crate) word: Option<Word>,
}

/// Keeps an invitation until a group was read to its end. Where there is no room it is passed over:
/// what leads on from a group is offered there too (spec: CLI-202).
pub(crate) fn hold_unread(
    work: &mut Work<'_>,
    unread: &Unread,
    sender: &DeviceCredential,
    content: &[u8],
    came: Came<'_>,
) -> Result<(), StoreError> {
    let Ok(InboxContent::Invitation(invitation)) = InboxContent::decode(content) else {
        return Ok(());
    };
    // Own devices read one inbox.
    let Ok(package) = joiner_of(&invitation.secrets) else { return Ok(()) };
    if !shelf::has(work, &package)? || make_room(work, sender)? == row::Room::None {
        return Ok(());
    }
    let record = HeldRecord {
        sender: sender.to_bytes(),
        content: SecretBytes::new(content),
        capability: came.by.copied(),
        until_ms: row::until_of(work, came.until_ms),
        reading: Some(Reading { channel: unread.channel, word: unread.word, stage: Stage::Unread }),
    };
    tell_first(work, unread)?;
    work.tx.save(&key(&invitation, sender), &record)?;
    read(work, &unread.channel)
}

/// The person is told of the first word that leads a chat on, a while from now.
fn tell_first(work: &mut Work<'_>, unread: &Unread) -> Result<(), StoreError> {
    match unread.word {
        Some(word) if !unread_words(work, word.chat)?.contains(&word.by) => {
            succession::tell_later(work, word)
        }
        _ => Ok(()),
    }
}

/// The latest of a device to a channel is the one that counts.
fn key(invitation: &Invitation, sender: &DeviceCredential) -> Vec<u8> {
    [PREFIX, invitation.group.channel.as_bytes(), sender.signature_key().as_bytes()].concat()
}

/// Forgets what waited too long, the oldest of a sender that has too many, and where all places are taken
/// the oldest of whoever has most of them: nobody keeps out others by many of their own. Own devices have
/// places of their own.
pub(super) fn make_room(
    work: &Work<'_>,
    sender: &DeviceCredential,
) -> Result<row::Room, StoreError> {
    let me = work.me()?;
    let mut rows: BTreeMap<Fingerprint, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if row.record.reading.is_none() {
            continue;
        }
        if row.record.until_ms <= work.now.0 {
            row::forget_held(work, &row.key)?;
            continue;
        }
        let by = credential(&row.record.sender)?.identity();
        rows.entry(by).or_default().push((row.record.until_ms, row.key));
    }
    let mine = rows.entry(sender.identity()).or_default();
    mine.sort_unstable();
    let surplus = (mine.len() + 1).saturating_sub(UNREAD_OF_ONE_MAX);
    for (_, oldest) in mine.drain(..surplus) {
        row::forget_held(work, &oldest)?;
    }
    let own = rows.remove(&me).is_some() && sender.identity() == me;
    if own || rows.values().map(Vec::len).sum::<usize>() < UNREAD_MAX {
        return Ok(row::Room::Made);
    }
    let Some(most) = rows.values().max_by_key(|rows| rows.len()) else {
        return Ok(row::Room::None);
    };
    match most.iter().min() {
        Some((_, oldest)) if most.len() > 1 => {
            row::forget_held(work, oldest)?;
            Ok(row::Room::Made)
        }
        _ => Ok(row::Room::None),
    }
}

/// A group is to be read to its end.
fn read(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    wish::read_to_end(work, channel)?;
    // What this device hears there may have stopped without its knowing.
    work.effects.read_anew.insert(*channel);
    Ok(())
}

/// An invitation that was looked at again has to wait: as before, but that another group may be the own
/// one by now; or it waited for something else until now, and takes a place of those that wait so, or is
/// passed over where there is none (spec: CLI-187).
pub(crate) fn still_unread(
    work: &mut Work<'_>,
    key: &[u8],
    unread: &Unread,
) -> Result<(), StoreError> {
    if let Some(record) = work.tx.load::<HeldRecord>(key)? {
        let comes = record.reading.is_none();
        if comes && make_room(work, &credential(&record.sender)?)? == row::Room::None {
            return row::forget_held(work, key);
        }
        tell_first(work, unread)?;
        let word = record.reading.and_then(|reading| reading.word).or(unread.word);
        let reading = Reading { channel: unread.channel, word, stage: Stage::Unread };
        work.tx.save(key, &HeldRecord { reading: Some(reading), ..record })?;
    }
    read(work, &unread.channel)
}

/// The snapshot of an invitation came, and shows what has to be read first.
pub(crate) fn wait_unread(
    work: &mut Work<'_>,
    number: WishNumber,
    unread: &Unread,
) -> Result<(), StoreError> {
    if let Some(Wish::JoinGroup { sender, content, read, until_ms, .. }) = wish::load(work, number)?
    {
        let sender = credential(&sender)?;
        let came = Came { by: None, read, until_ms };
        hold_unread(work, unread, &sender, content.expose(), came)?;
    }
    work.settle(number);
    Ok(())
}

/// A group was read to its end: what waited for that is looked at again.
pub(crate) fn was_read(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
) -> Result<Step, StoreError> {
    for mut row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if let Some(reading) = &mut row.record.reading
            && reading.channel == *channel
        {
            reading.stage = Stage::Read;
            work.tx.save(&row.key, &row.record)?;
        }
    }
    work.effects.held_clearer = true;
    work.settle(number);
    succession::read(work, channel)?;
    if work.identity()?.is_some_and(|identity| identity.own_group == *channel) {
        revoking::own_group_read(work)?;
    }
    Ok(Step::Settled)
}

/// The group before or the person speaks for a successor: what leads there is looked at now.
pub(crate) fn release(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), StoreError> {
    for mut row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if let Some(reading) = &mut row.record.reading
            && reading.word.is_some_and(|word| word.chat == chat)
            && reading.stage == Stage::Unread
        {
            reading.stage = Stage::Released;
            work.tx.save(&row.key, &row.record)?;
        }
    }
    work.effects.held_clearer = true;
    Ok(())
}

/// What was said of one chat is of another one from now on.
pub(crate) fn move_words(
    work: &mut Work<'_>,
    from: ChatNumber,
    to: ChatNumber,
) -> Result<(), StoreError> {
    for mut row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        if let Some(reading) = &mut row.record.reading
            && let Some(word) = reading.word.filter(|word| word.chat == from)
        {
            let word = Word { chat: to, ..word };
            reading.word = Some(word);
            work.tx.save(&row.key, &row.record)?;
            succession::tell_later(work, word)?;
        }
    }
    Ok(())
}

/// Whose word that a chat goes on elsewhere waits for what is not read.
pub(crate) fn unread_words(
    work: &Work<'_>,
    chat: ChatNumber,
) -> Result<BTreeSet<Fingerprint>, StoreError> {
    let rows = work.tx.list::<HeldRecord>(PREFIX, usize::MAX)?;
    let kept = rows.iter().filter(|row| row.record.until_ms > work.now.0);
    let words = kept.filter_map(|row| row.record.reading?.word);
    Ok(words.filter(|word| word.chat == chat).map(|word| word.by).collect())
}

/// Where an invitation leads that waits, by somebody's word of where a chat goes on; of several the one
/// that is kept longest.
pub(crate) fn unread_successor(
    work: &Work<'_>,
    chat: ChatNumber,
    by: &Fingerprint,
) -> Result<Option<ChannelId>, StoreError> {
    let mut latest: Option<(u64, ChannelId)> = None;
    for row in work.tx.list::<HeldRecord>(PREFIX, usize::MAX)? {
        let record = row.record;
        let is_it = record
            .reading
            .and_then(|reading| reading.word)
            .is_some_and(|word| word.chat == chat && word.by == *by);
        if !is_it || record.until_ms <= work.now.0 {
            continue;
        }
        if let Ok(InboxContent::Invitation(to)) = InboxContent::decode(record.content.expose()) {
            latest = latest.max(Some((record.until_ms, to.group.channel)));
        }
    }
    Ok(latest.map(|(_, channel)| channel))
}

#[cfg(test)]
mod tests;
