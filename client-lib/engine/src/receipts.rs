//! Receipts: telling the others that a message is here.
//!
//! One report covers many messages. It waits a little, at random, so that a burst of messages gets
//! one answer, and so that the answer's time says less (spec: CLI-015).

use hushwire_protocol::content::{Content, MessageId, Status, StatusReport};
use hushwire_wire::id::ChannelId;
use serde::{Deserialize, Serialize};

use crate::{
    backoff, clock, messages,
    record::{Record, Wish, WishNumber},
    store::{StoreError, Table},
    wish::{self, Desk, Step},
    work::Work,
};

/// In groups of more people nobody sends receipts: they would outnumber the messages.
pub(crate) const RECEIPT_PEOPLE_MAX: u32 = 32;
/// Most receipts that are owed in a channel; of a longer backlog the newest messages count.
const RECEIPTS_OWED_MAX: usize = 2_048;
/// Most messages that one report covers.
const REPORT_MESSAGES_MAX: usize = 256;
/// Least and span of the wait before a report, in milliseconds.
const WAIT_MS: u64 = 100;
const WAIT_SPAN_MS: u64 = 400;

/// The reports of a channel that are not sent yet. Key: `receipts `, channel id.
#[derive(Default, Serialize, Deserialize)]
struct OwedRecord {
    /// Wishes, oldest first; some may be settled.
    reports: Vec<WishNumber>,
}

impl Record for OwedRecord {
    const TABLE: Table = Table::Profile;
}

fn owed_key(channel: &ChannelId) -> Vec<u8> {
    [&b"receipts "[..], &channel.as_bytes()[..]].concat()
}

/// Notes that a receipt is owed for a message.
pub(crate) fn owe(
    work: &mut Work<'_>,
    channel: &ChannelId,
    message: &MessageId,
) -> Result<(), StoreError> {
    let mut owed: OwedRecord = work.tx.load(&owed_key(channel))?.unwrap_or_default();
    if let Some(report) = owed.reports.last()
        && grow(work, *report, *message)?
    {
        return Ok(());
    }
    drop_oldest(work, &mut owed)?;
    let wait = WAIT_MS + backoff::jitter_ms(WAIT_SPAN_MS, work.rng);
    let not_before_ms = work.now.plus_ms(wait).0;
    let messages = vec![*message];
    owed.reports.push(work.wish(Wish::SendReceipts {
        channel: *channel,
        messages,
        not_before_ms,
    })?);
    work.tx.save(&owed_key(channel), &owed)
}

/// Adds a message to a report, if there is room and its bytes are not fixed.
fn grow(work: &Work<'_>, report: WishNumber, message: MessageId) -> Result<bool, StoreError> {
    let Some(Wish::SendReceipts { channel, mut messages, not_before_ms }) =
        wish::load(work, report)?
    else {
        return Ok(false);
    };
    if messages.len() >= REPORT_MESSAGES_MAX || crate::outbox::is_sealed(work, report)? {
        return Ok(false);
    }
    messages.push(message);
    work.update_wish(report, Wish::SendReceipts { channel, messages, not_before_ms })?;
    Ok(true)
}

/// Makes room for one more report: the oldest is given up, if there are too many (spec: CLI-105).
fn drop_oldest(work: &mut Work<'_>, owed: &mut OwedRecord) -> Result<(), StoreError> {
    let mut waiting = Vec::new();
    for report in &owed.reports {
        if wish::load(work, *report)?.is_some() && !crate::outbox::is_sealed(work, *report)? {
            waiting.push(*report);
        }
    }
    while waiting.len() >= RECEIPTS_OWED_MAX / REPORT_MESSAGES_MAX {
        work.settle(waiting.remove(0));
    }
    owed.reports = waiting;
    Ok(())
}

/// Seals and sends a report, once it has waited.
pub(crate) fn send(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
    owed: &[MessageId],
    not_before_ms: u64,
) -> Result<Step, StoreError> {
    if !clock::is_over(work.now, not_before_ms, WAIT_MS + WAIT_SPAN_MS) {
        return Ok(Step::Later(hushwire_wire::id::Timestamp(not_before_ms)));
    }
    let Ok(report) = StatusReport::batch(Status::DELIVERED, owed.iter().copied()) else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let salt = messages::salt(work);
    match Content::status(salt, &report).encode() {
        Ok(content) => {
            crate::outbox::send_content(work, number, desk, channel, content.as_bytes(), None)
        }
        Err(_) => {
            work.settle(number);
            Ok(Step::Settled)
        }
    }
}
