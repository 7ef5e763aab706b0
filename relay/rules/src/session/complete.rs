//! From what a write or lookup came to, to the answer; new handles are given out here.

use hushwire_wire::message::{Answer, Appended, ChannelOpened, RequestId};

use super::{Opened, Session, Step, Waiting};
use crate::{
    outcome::{Effect, Outcome},
    receipt::{Reply, UNSIGNED},
    write::{InboxDoor, Operand, Write},
};

impl Session {
    pub(super) fn finish(&mut self, id: RequestId, outcome: Outcome) -> Step {
        let effect = match outcome.0 {
            Ok(effect) => effect,
            Err(refused) => return Step::Reply(Reply::refused(refused.refusal())),
        };
        match effect {
            Effect::InboxProven { inbox, slot, owner } => {
                // The room for the handle was given back when the lookup completed; nothing came
                // between, so it is there still.
                if let Err(refusal) = self.handles.reserve() {
                    return Step::Reply(Reply::refused(refusal));
                }
                self.in_flight.insert(id, Waiting::Handle);
                Step::Write(Write(Operand::InboxOpen(InboxDoor { inbox, slot, owner })))
            }
            effect => Step::Reply(self.reply(effect)),
        }
    }

    fn reply(&mut self, effect: Effect) -> Reply {
        match effect {
            Effect::ChannelOpened { channel, epoch, next, head, candidates, siblings } => {
                let handle = self.handles.open(Opened::Channel { channel, epoch });
                Reply::ready(Answer::ChannelOpened(ChannelOpened {
                    handle,
                    epoch,
                    next,
                    head,
                    candidates,
                    siblings,
                }))
            }
            Effect::InboxOpened { inbox, slot, owner, cursor, next } => {
                let handle = self.handles.open(Opened::Inbox(InboxDoor { inbox, slot, owner }));
                Reply::ready(Answer::InboxOpened { handle, cursor, next })
            }
            Effect::InboxRotated { inbox, before, owner } => {
                self.handles.rotate(inbox, before, owner);
                Reply::ready(Answer::Done)
            }
            Effect::Appended { channel, epoch, entry, sequence, head, repeated } => {
                let appended = Appended { entry, sequence, head, signature: UNSIGNED, repeated };
                Reply::appended(channel, epoch, appended)
            }
            Effect::InboxSent { inbox, item, repeated } => Reply::inbox_sent(inbox, item, repeated),
            // Only `finish` sees it.
            Effect::Done | Effect::InboxProven { .. } => Reply::ready(Answer::Done),
            Effect::ShelfState { packages, last_resort } => {
                Reply::ready(Answer::ShelfState { packages, last_resort })
            }
            Effect::Card { card, device_list } => Reply::ready(Answer::Card { card, device_list }),
            Effect::KeyPackage { package, kind } => {
                Reply::ready(Answer::KeyPackage { package, kind })
            }
            Effect::BlobState { size, stored } => Reply::ready(Answer::BlobState { size, stored }),
        }
    }
}
