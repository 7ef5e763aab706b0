//! Reading a log again: a place that a relay has signed for, going back to it, and what is the same
//! when it is read once more.
//!
//! | what the relay says | effect |
//! |---|---|
//! | signs the head that was read | that place is sure |
//! | contradicts what was read behind a sure place | back to that place |
//! | contradicts what is sure, `DISPUTES_MAX` times | back to the epoch's beginning: its log now is the log |
//!
//! An entry that was handled is known by its id and not handled again. What this device wrote, and a
//! log that was read anew does not have, goes out again (spec: CLI-177, CLI-178); likewise what an epoch
//! does not have that is left (spec: CLI-216).

use std::collections::BTreeSet;

use hushwire_wire::id::{ChannelId, EntryId, EpochId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{epoch_state, save_epoch, warn};
use crate::{
    advance::{self, head_row},
    door,
    event::{Event, Warning},
    groups, inbox, messages, outbox,
    record::{EpochRecord, GroupRecord, Shown, Wish, by_channel},
    store::{Order, Range, StoreError, Table},
    work::Work,
};

/// What comes behind channel and epoch in the key of an entry that was handled before: its id.
const KNOWN: &[u8] = b"known ";
/// The same of an entry of this device that the relay had.
const SENT: &[u8] = b"sent ";

/// Content of this device that the relay said it has.
#[derive(Serialize, Deserialize)]
struct SentRecord {
    /// The message that it is, which has the content.
    message: Option<Shown>,
    /// The content, if it is no message that a person sees.
    #[serde(with = "serde_bytes")]
    content: Vec<u8>,
}

fn key(channel: &ChannelId, epoch: &EpochId, kind: &[u8], entry: &[u8]) -> Vec<u8> {
    [&by_channel(channel, epoch)[..], kind, entry].concat()
}

/// Whether an entry was handled before its epoch was read again. It is asked once.
pub(super) fn was_handled(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    entry: &EntryId,
) -> Result<bool, StoreError> {
    let key = key(channel, epoch, KNOWN, entry.as_bytes());
    let known = work.tx.row(Table::Head, &key)?.is_some();
    if known {
        work.tx.remove(Table::Head, &key);
    }
    Ok(known)
}

/// The relay has content of this device.
pub(crate) fn note_sent(
    work: &Work<'_>,
    epoch: &EpochId,
    entry: &EntryId,
    wish: &Wish,
) -> Result<(), StoreError> {
    let Wish::SendContent { channel, content, message } = wish else { return Ok(()) };
    let content = if message.is_some() { Vec::new() } else { content.clone() };
    let record = SentRecord { message: *message, content };
    let value = crate::record::encode(&record)?;
    work.tx.put(Table::Head, &key(channel, epoch, SENT, entry.as_bytes()), value);
    Ok(())
}

/// Goes back to an earlier place of an epoch: what was handled behind it is known from then on.
fn go_back(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    record: &mut EpochRecord,
    to: u64,
) -> Result<(), StoreError> {
    let head = advance::head_at(work, channel, epoch, to)?.ok_or(StoreError::Damaged)?;
    for place in to.saturating_add(1)..=record.next {
        if let Some(entry) = head_row(work, channel, epoch, place)?.and_then(|row| row.handled) {
            let known = key(channel, epoch, KNOWN, entry.as_bytes());
            work.tx.put(Table::Head, &known, Zeroizing::new(Vec::new()));
        }
        advance::forget_head(work, channel, epoch, place);
    }
    record.next = to;
    record.head = head;
    Ok(())
}

/// Goes back to the last place that the relay has signed for, if something was read behind it.
pub(super) fn back_to_sure(
    work: &Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<EpochRecord, StoreError> {
    let (mut record, _) = epoch_state(work, channel, epoch)?;
    if record.next > record.sure {
        let sure = record.sure;
        go_back(work, channel, epoch, &mut record, sure)?;
        save_epoch(work, channel, epoch, &record)?;
    }
    Ok(record)
}

/// The relay of a group does not have any more what it had: nor may it what belongs to the own inbox, or to
/// the group's door (spec: CLI-182, GRP-116).
pub(super) fn relay_lost(
    work: &mut Work<'_>,
    channel: &ChannelId,
    relay: &str,
) -> Result<(), StoreError> {
    inbox::doubt(work, relay)?;
    door::opening::doubt(work, channel)
}

/// The relay goes on contradicting what it has signed: what it has now is read from the epoch's
/// beginning, and is the log (spec: CLI-177).
pub(crate) fn begin(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    let (mut record, _) = epoch_state(work, channel, &group.epoch)?;
    go_back(work, channel, &group.epoch, &mut record, 0)?;
    let record = EpochRecord {
        sure: 0,
        acknowledged: 0,
        receipt: None,
        candidates: Vec::new(),
        anew: true,
        ..record
    };
    save_epoch(work, channel, &group.epoch, &record)?;
    groups::save(work, channel, &GroupRecord { contest: None, ..group.clone() })?;
    relay_lost(work, channel, &group.relay)?;
    work.effects.channels.insert(*channel);
    match group.purpose.chat() {
        Some(chat) => work.event(Event::HistoryReadAnew(chat)),
        None => Ok(()),
    }
}

/// A log that was read anew is read to its end, but for these entries, which are taken next: what this
/// device had there, and the relay has not, goes out again (spec: CLI-178).
pub(super) fn end(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    waiting: &BTreeSet<EntryId>,
) -> Result<(), StoreError> {
    send_again(work, channel, epoch, |work, entry| {
        let known = key(channel, epoch, KNOWN, entry.as_bytes());
        let read_before = work.tx.row(Table::Head, &known)?.is_some();
        Ok(!waiting.contains(entry) && (read_before || outbox::is_unread(work, entry)?))
    })
    .map(|_| ())
}

/// An epoch is left: what the relay signed for there, and did not show, it has dropped. It goes out again
/// (spec: CLI-216).
pub(crate) fn leave(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
) -> Result<(), StoreError> {
    match send_again(work, channel, epoch, outbox::is_unread)? {
        0 => Ok(()),
        _ => warn(work, channel, |chat| Warning::HistoryDiffers { chat }),
    }
}

/// Sends once more what this device wrote in an epoch and the relay had, as far as it is gone; says how
/// much that is.
fn send_again(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: &EpochId,
    is_gone: impl Fn(&Work<'_>, &EntryId) -> Result<bool, StoreError>,
) -> Result<usize, StoreError> {
    let prefix = key(channel, epoch, SENT, &[]);
    let range =
        Range { prefix: &prefix, from: None, order: Order::Ascending, rows_max: usize::MAX };
    let mut count = 0;
    for row in work.tx.rows(Table::Head, range)? {
        let entry = row.key.get(prefix.len()..).unwrap_or_default();
        let entry = EntryId::from_slice(entry).map_err(|_| StoreError::Damaged)?;
        if !is_gone(work, &entry)? {
            continue;
        }
        let SentRecord { message, content } = crate::record::decode(&row.value)?;
        work.tx.remove(Table::Head, &row.key);
        match message {
            Some(shown) => messages::send_again(work, channel, shown)?,
            None => {
                work.wish(Wish::SendContent { channel: *channel, content, message: None })?;
            }
        }
        count += 1;
    }
    Ok(count)
}
