//! Answers that are late.

use hushwire_engine::{io::Input, session::SessionNumber};
use hushwire_wire::{frame::AnswerFrame, message::Answer};

use super::{Who, World};

/// Which answers are meant.
type Wanted = fn(&Answer) -> bool;

/// Which answers to a device are held back, and those that were.
#[derive(Default)]
pub(super) struct Late {
    wanted: Option<(Who, Wanted)>,
    held: Vec<(Who, SessionNumber, AnswerFrame)>,
}

impl Late {
    /// Holds an answer back, or gives it on.
    pub(super) fn keep(
        &mut self,
        who: Who,
        session: SessionNumber,
        frame: AnswerFrame,
    ) -> Option<AnswerFrame> {
        let holds = |(whose, wanted): (Who, Wanted)| whose == who && wanted(&frame.answer);
        if !self.wanted.is_some_and(holds) {
            return Some(frame);
        }
        self.held.push((who, session, frame));
        None
    }
}

impl World {
    /// Holds back such answers to a device.
    pub(crate) fn hold(&mut self, who: Who, wanted: Wanted) {
        self.late.wanted = Some((who, wanted));
    }

    /// Lets through what was held back; says how much that was.
    pub(crate) fn release(&mut self) -> usize {
        self.late.wanted = None;
        let held = core::mem::take(&mut self.late.held);
        let count = held.len();
        for (who, session, frame) in held {
            self.feed(who, Input::Frame(session, frame));
        }
        self.work();
        count
    }
}
