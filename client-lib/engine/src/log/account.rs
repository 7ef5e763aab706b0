//! What a relay says of a log, held against what it gave: at the opening, at the end of a reading, and
//! at the end of an epoch so far.

use std::collections::BTreeSet;

use hushwire_protocol::group::LogPlace;
use hushwire_wire::{
    id::{ChainHead, ChannelId, EntryId, EpochId, PublicKey, Sequence},
    message::{ChannelOpened, Entry, EpochEnd},
    transcript,
};

use super::{anew, entry_id, epoch_state, save_epoch, warn};
use crate::{
    advance,
    event::Warning,
    groups,
    record::{EpochRecord, ReceiptRecord},
    store::StoreError,
    work::Work,
};

/// What a relay said of an epoch when it opened the channel there.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    /// The epoch.
    pub(crate) epoch: EpochId,
    /// How many entries it has.
    pub(crate) next: Sequence,
    head: ChainHead,
    candidates: Vec<EntryId>,
}

impl Promise {
    /// Takes what the relay answered.
    pub(crate) fn of(opened: &ChannelOpened) -> Self {
        let ChannelOpened { epoch, next, head, ref candidates, .. } = *opened;
        Self { epoch, next, head, candidates: candidates.clone() }
    }

    /// Whether an entry whose content is gone is a message, as the relay says: it was there when the
    /// channel was opened, and the relay did not count it among the commits.
    pub(super) fn is_message(&self, entry: &Entry, id: &EntryId) -> bool {
        self.epoch == entry.epoch && entry.sequence < self.next && !self.candidates.contains(id)
    }
}

/// Whether an answer goes with what the relay said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// It does.
    Agrees,
    /// The relay contradicts itself, or what it gave.
    Contradicts,
}

/// What an opened channel calls for.
pub(crate) enum Opened {
    /// Read from here.
    ReadFrom(Sequence),
    /// The relay contradicts what it had signed.
    RolledBack,
}

/// The channel is open: compares what the relay says of the epoch with what we know. What is not sure
/// gives way to what the relay says (spec: CLI-042, CLI-177).
pub(crate) fn opened(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    opened: &ChannelOpened,
) -> Result<Opened, StoreError> {
    if opened.epoch != *epoch {
        return contradicts(work, channel).map(|_| Opened::RolledBack);
    }
    let (record, _) = epoch_state(work, channel, epoch)?;
    if !goes_back(&record, opened) {
        return Ok(Opened::ReadFrom(Sequence(record.next)));
    }
    warn(work, channel, |chat| Warning::RelayRolledBack { chat })?;
    let record = anew::back_to_sure(work, channel, epoch)?;
    if goes_back(&record, opened) {
        return Ok(Opened::RolledBack);
    }
    Ok(Opened::ReadFrom(Sequence(record.next)))
}

/// Whether a relay shows less of an epoch than it had acknowledged or given, or something else.
fn goes_back(record: &EpochRecord, opened: &ChannelOpened) -> bool {
    let behind = opened.next.0 < record.next.max(record.acknowledged);
    let differs = opened.next.0 == record.next && opened.head != record.head;
    behind || differs
}

/// A reading has everything, as the relay says: at least what was there at the opening, with that
/// head (spec: CLI-074).
pub(crate) fn read_end(
    work: &mut Work<'_>,
    channel: &ChannelId,
    promise: &Promise,
) -> Result<Account, StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(Account::Agrees) };
    if group.epoch != promise.epoch {
        // It moved on within this reading; the heads of that epoch were compared at its end.
        return Ok(Account::Agrees);
    }
    let seen = advance::head_at(work, channel, &promise.epoch, promise.next.0)?;
    if seen == Some(promise.head) { Ok(Account::Agrees) } else { contradicts(work, channel) }
}

/// Everything of an epoch so far: the relay's signed head is compared with ours (spec: CLI-074), and
/// with what waits for it (spec: CLI-176).
pub(crate) fn epoch_end(
    work: &mut Work<'_>,
    channel: &ChannelId,
    end: &EpochEnd,
    relay_key: Option<&PublicKey>,
    waiting: &[Entry],
) -> Result<Account, StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(Account::Agrees) };
    if group.epoch != end.epoch {
        return Ok(Account::Agrees);
    }
    let (mut record, _) = epoch_state(work, channel, &end.epoch)?;
    let mut ids = BTreeSet::new();
    let mut place = LogPlace { read_to: Sequence(record.next), head: record.head };
    let mut by_receipt = receipt_read(work, channel, &end.epoch, &record)?;
    for entry in waiting {
        if entry.sequence != place.read_to {
            return contradicts(work, channel);
        }
        let id = entry_id(channel, entry);
        let head = transcript::next_head(&place.head, entry.sequence, &id);
        ids.insert(id);
        place = LogPlace { read_to: entry.sequence.next(), head };
        by_receipt = by_receipt.or_else(|| compared(&record, place));
    }
    // spec: CLI-215
    if by_receipt == Some(Account::Contradicts) {
        return contradicts(work, channel);
    }
    if end.next != place.read_to {
        return contradicts(work, channel);
    }
    let last = Sequence(end.next.0.saturating_sub(1));
    let signed = match (relay_key, end.signature) {
        (Some(key), Some(signature)) => {
            let relay = transcript::relay_id(key);
            let receipt = transcript::entry_receipt(&relay, channel, &end.epoch, last, &end.head);
            receipt.verify(key, &signature).is_ok()
        }
        (_, None) => end.next == Sequence::FIRST,
        (None, Some(_)) => false,
    };
    if end.head != place.head || !signed {
        return contradicts(work, channel);
    }
    // What waits is not taken yet: until it is, this is what the relay has signed for (spec: CLI-215).
    record.note_receipt(ReceiptRecord { next: end.next.0, head: end.head });
    record.sure = end.next.0;
    if core::mem::take(&mut record.anew) {
        anew::end(work, channel, &end.epoch, &ids)?;
    }
    save_epoch(work, channel, &end.epoch, &record)?;
    Ok(Account::Agrees)
}

/// Whether the log goes with the furthest that the relay signed for, where it was read to there:
/// another entry can stand in its place, as many as there were (spec: CLI-215).
fn receipt_read(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    record: &EpochRecord,
) -> Result<Option<Account>, StoreError> {
    let Some(next) = record.receipt.map(|receipt| receipt.next) else { return Ok(None) };
    if next > record.next {
        return Ok(None);
    }
    let head = advance::head_at(work, channel, epoch, next)?;
    Ok(head.and_then(|head| compared(record, LogPlace { read_to: Sequence(next), head })))
}

/// What a place says of the receipt, if that is about it.
fn compared(record: &EpochRecord, place: LogPlace) -> Option<Account> {
    let receipt = record.receipt.filter(|receipt| receipt.next == place.read_to.0)?;
    Some(if receipt.head == place.head { Account::Agrees } else { Account::Contradicts })
}

/// What was read behind the last place that is sure is read again (spec: CLI-177).
fn contradicts(work: &mut Work<'_>, channel: &ChannelId) -> Result<Account, StoreError> {
    warn(work, channel, |chat| Warning::HistoryDiffers { chat })?;
    if let Some(group) = groups::record(work, channel)? {
        anew::back_to_sure(work, channel, &group.epoch)?;
    }
    Ok(Account::Contradicts)
}
