//! What the person hears of an invitation that waits for the group before to be read: a device that is
//! stuck there, or whose relay is gone, follows by its person's word only (spec: CLI-188).

use hushwire_protocol::identity::Fingerprint;
use hushwire_wire::id::Timestamp;

use crate::{
    clock,
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
    if !clock::is_over(work.now, not_before_ms, READ_MS) {
        return Ok(Step::Later(Timestamp(not_before_ms)));
    }
    if joining::unread_words(work, chat)?.contains(by) {
        work.event(Event::SuccessorOffered { chat, by: by.to_hex() })?;
    }
    work.settle(number);
    Ok(Step::Settled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::trial::with_profile;

    #[test]
    fn a_wait_that_was_noted_by_a_clock_ahead_ends() {
        // spec: CLI-137, CLI-188
        with_profile(|work, _| {
            let word = Word { chat: ChatNumber(1), by: work.me().unwrap() };
            for (ahead_ms, ends) in [(0, true), (READ_MS, false), (READ_MS + 1, true)] {
                let at_ms = work.now.plus_ms(ahead_ms).0;
                let step = tell(work, WishNumber(1), word.chat, &word.by, at_ms).unwrap();
                assert_eq!(matches!(step, Step::Settled), ends, "{ahead_ms}");
            }
        });
    }
}
