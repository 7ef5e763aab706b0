//! Receipts: telling the others that a message is here.
//!
//! One report covers many messages. It waits a little, at random, so that a burst of messages gets
//! one answer, and so that the answer's time says less (spec: CLI-015).

use hushwire_protocol::content::{Content, MessageId, Status, StatusReport};
use hushwire_wire::id::ChannelId;

use crate::{
    backoff, messages,
    record::{Wish, WishNumber},
    store::StoreError,
    wish::{self, Desk, Step},
    work::Work,
};

/// In groups of more people nobody sends receipts: they would outnumber the messages.
pub(crate) const RECEIPT_PEOPLE_MAX: u32 = 32;
/// Most messages that one report covers.
const REPORT_MESSAGES_MAX: usize = 256;
/// Least and span of the wait before a report, in milliseconds.
const WAIT_MS: u64 = 100;
const WAIT_SPAN_MS: u64 = 400;

/// Notes that a receipt is owed for a message.
pub(crate) fn owe(
    work: &mut Work<'_>,
    channel: &ChannelId,
    message: &MessageId,
) -> Result<(), StoreError> {
    let id = serde_bytes::ByteArray::new(*message.as_bytes());
    let open = wish::of_channel(work, channel)?.into_iter().rev().find(|row| {
        matches!(&row.wish, Wish::SendReceipts { messages, .. }
            if messages.len() < REPORT_MESSAGES_MAX)
    });
    if let Some(row) = open {
        // Sealed bytes are fixed; a report that waits for its seal can still grow.
        let sealed = crate::outbox::is_sealed(work, row.number)?;
        if let (false, Wish::SendReceipts { mut messages, not_before_ms, .. }) = (sealed, row.wish)
        {
            messages.push(id);
            let channel = *channel;
            return work
                .update_wish(row.number, Wish::SendReceipts { channel, messages, not_before_ms });
        }
    }
    let wait = WAIT_MS + backoff::jitter_ms(WAIT_SPAN_MS, work.rng);
    let not_before_ms = work.now.plus_ms(wait).0;
    work.wish(Wish::SendReceipts { channel: *channel, messages: vec![id], not_before_ms })?;
    Ok(())
}

/// Seals and sends a report, once it has waited.
pub(crate) fn send(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    channel: &ChannelId,
    owed: &[serde_bytes::ByteArray<32>],
    not_before_ms: u64,
) -> Result<Step, StoreError> {
    if work.now.0 < not_before_ms {
        return Ok(Step::Later(hushwire_wire::id::Timestamp(not_before_ms)));
    }
    let ids = owed.iter().filter_map(|id| MessageId::from_slice(&id[..]).ok());
    let Ok(report) = StatusReport::batch(Status::DELIVERED, ids) else {
        work.settle(number);
        return Ok(Step::Settled);
    };
    let salt = messages::salt(work);
    match Content::status(salt, &report).encode() {
        Ok(content) => crate::outbox::send_content(work, number, desk, channel, content.as_bytes()),
        Err(_) => {
            work.settle(number);
            Ok(Step::Settled)
        }
    }
}
