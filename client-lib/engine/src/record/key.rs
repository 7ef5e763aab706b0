//! Keys of rows: fixed-width, big-endian, so that bytewise order is the order meant.

use hushwire_wire::id::{ChannelId, EpochId};

use super::WishNumber;
use crate::command::ChatNumber;

/// A number, in order.
pub(crate) fn by_number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The number that [`by_number`] wrote, or the last one of a longer key.
pub(crate) fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// A chat, and a number within it.
pub(crate) fn by_chat(chat: ChatNumber, number: u64) -> [u8; 16] {
    by_pair(chat.0, number)
}

/// Two numbers.
pub(crate) fn by_pair(first: u64, second: u64) -> [u8; 16] {
    (u128::from(first) << 64 | u128::from(second)).to_be_bytes()
}

/// A channel and one of its epochs.
pub(crate) fn by_channel(channel: &ChannelId, epoch: &EpochId) -> Vec<u8> {
    [&channel.as_bytes()[..], &epoch.as_bytes()[..]].concat()
}

/// A channel and a wish about it.
pub(crate) fn by_channel_wish(channel: &ChannelId, wish: WishNumber) -> Vec<u8> {
    [&channel.as_bytes()[..], &by_number(wish.0)].concat()
}
