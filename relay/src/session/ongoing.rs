//! The readings of one lane: which may run, which run, which wait for news.
//!
//! A reading is in one of three states. News that come while it runs stay on its mark and are
//! looked at when it has run.
//!
//! | state   | run                | news            | has run, more | has run, caught up      |
//! |---------|--------------------|-----------------|---------------|-------------------------|
//! | waiting |                    | queued, if due  |               |                         |
//! | queued  | running            | stays queued    |               |                         |
//! | running |                    | stays running   | queued        | waiting, or queued if due |

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use hushwire_relay_rules::{Progress, Reading, Wake};
use hushwire_wire::message::RequestId;

use crate::fanout::{Bell, Fanout, Pending, Subscription};

/// Tells a reading from an earlier one that was stopped and had the same request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The request that began the reading.
    pub(super) id: RequestId,
    number: u64,
}

enum State {
    Waiting(Reading),
    Queued(Reading),
    Running,
}

struct Ongoing {
    number: u64,
    state: State,
    subscription: Subscription,
}

/// The readings of one lane.
pub(super) struct Readings {
    fanout: Arc<Fanout>,
    bell: Arc<Bell>,
    ongoing: HashMap<RequestId, Ongoing>,
    queue: VecDeque<RequestId>,
    next_number: u64,
}

impl Readings {
    /// No readings; news come through `bell`.
    pub(super) fn new(fanout: Arc<Fanout>, bell: Arc<Bell>) -> Self {
        Self { fanout, bell, ongoing: HashMap::new(), queue: VecDeque::new(), next_number: 0 }
    }

    /// Begins a reading: subscribed first, so that nothing falls between.
    pub(super) fn begin(&mut self, id: RequestId, reading: Reading) {
        let subscription = self.fanout.subscribe(reading.object(), id, &self.bell);
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        self.ongoing.insert(id, Ongoing { number, state: State::Queued(reading), subscription });
        self.queue.push_back(id);
    }

    /// Whether this lane has the reading.
    pub(super) fn has(&self, id: RequestId) -> bool {
        self.ongoing.contains_key(&id)
    }

    /// Drops a reading; whether it was there. If it runs, what the run yields is dropped too.
    pub(super) fn stop(&mut self, id: RequestId) -> bool {
        self.queue.retain(|queued| *queued != id);
        self.ongoing.remove(&id).is_some()
    }

    /// The next reading to run.
    pub(super) fn take_next(&mut self) -> Option<(Run, Reading)> {
        let id = self.queue.pop_front()?;
        let ongoing = self.ongoing.get_mut(&id)?;
        match std::mem::replace(&mut ongoing.state, State::Running) {
            State::Queued(reading) | State::Waiting(reading) => {
                Some((Run { id, number: ongoing.number }, reading))
            }
            State::Running => None,
        }
    }

    /// Takes a reading back after its run; whether what the run yielded is to be sent.
    pub(super) fn has_run(&mut self, run: Run, reading: Reading, progress: Progress) -> Yield {
        let current = self.ongoing.get_mut(&run.id).filter(|found| found.number == run.number);
        let Some(ongoing) = current else { return Yield::Drop };
        match progress {
            Progress::More => {
                ongoing.state = State::Queued(reading);
                self.queue.push_back(run.id);
            }
            Progress::CaughtUp => {
                ongoing.state = State::Waiting(reading);
                self.look_at_mark(run.id);
            }
            Progress::Over => {
                self.ongoing.remove(&run.id);
            }
        }
        Yield::Send
    }

    /// Queues the readings that the bell names, if their news concern them.
    pub(super) fn answer_bell(&mut self) {
        for id in self.bell.take_due() {
            self.look_at_mark(id);
        }
    }

    fn look_at_mark(&mut self, id: RequestId) {
        let Some(ongoing) = self.ongoing.get_mut(&id) else { return };
        let (State::Waiting(reading) | State::Queued(reading)) = &mut ongoing.state else { return };
        let wake = match ongoing.subscription.take() {
            Pending::Nothing => Wake::Unconcerned,
            Pending::One(news) => reading.wake(&news),
            Pending::Several => {
                reading.wake_fully();
                Wake::Due
            }
        };
        if wake == Wake::Due {
            ongoing.state = match std::mem::replace(&mut ongoing.state, State::Running) {
                State::Waiting(reading) => {
                    self.queue.push_back(id);
                    State::Queued(reading)
                }
                other => other,
            };
        }
    }
}

/// What becomes of what a run yielded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Yield {
    /// Send it.
    Send,
    /// The reading was stopped meanwhile.
    Drop,
}
