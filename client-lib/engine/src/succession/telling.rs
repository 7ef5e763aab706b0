//! What the person hears of an invitation that waits for the group before to be read: a device that is
//! stuck there, or whose relay is gone, follows by its person's word only (spec: CLI-188).

use hushwire_protocol::identity::Fingerprint;
use hushwire_wire::id::Timestamp;

use crate::{
    command::ChatNumber,
    event::Event,
    joining::{self, Word},
    record::{Wish, WishNumber},
    store::StoreError,
    wish::Step,
    work::Work,
};

/// How long the group before has to be read until the person is told, in milliseconds (spec: CLI-188).
const READ_MS: u64 = 60_000;

/// The person is told of a word a while from now, if it waits by then.
pub(crate) fn tell_later(work: &mut Work<'_>, word: Word) -> Result<(), StoreError> {
    let not_before_ms = work.now.plus_ms(READ_MS).0;
    let wish = Wish::TellSuccessor { chat: word.chat, by: word.by, not_before_ms };
    work.wish(wish).map(|_| ())
}

/// Tells the person, when it is time.
pub(crate) fn tell(
    work: &mut Work<'_>,
    number: WishNumber,
    chat: ChatNumber,
    by: &Fingerprint,
    not_before_ms: u64,
) -> Result<Step, StoreError> {
    // No time is further away than it can be (spec: CLI-137).
    let at = Timestamp(not_before_ms).min(work.now.plus_ms(READ_MS));
    if at > work.now {
        return Ok(Step::Later(at));
    }
    if joining::unread_words(work, chat)?.contains(by) {
        work.event(Event::SuccessorOffered { chat, by: by.to_hex() })?;
    }
    work.settle(number);
    Ok(Step::Settled)
}
