//! Waiting for the network, and saying what still waits.

use core::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use std::sync::OnceLock;

use hushwire::{
    command::{
        ChatNumber, FailureReason, MessageInfo, MessageNumber, RelayInfo, RelayState, StatusInfo,
    },
    event::{Event, EventNumber, Warning},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    backend::Backend,
    fault::Fault,
    feed::Feed,
    record::{EventRecord, Record},
    session::{Patience, Session},
};

/// How often the progress of a transfer is read; it is no event.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// How often the relays are looked at while catching up.
const STATUS_INTERVAL: Duration = Duration::from_millis(50);
/// How long the end of a command is held up by what goes out beside it, such as receipts.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(3);
/// Events read at once after waiting.
const EVENTS_PER_READ: u32 = 256;

/// What a session has done about the network so far.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Milliseconds that were waited in vain: the patience is for the whole command.
    spent_ms: AtomicU64,
    begun: OnceLock<()>,
    caught_up: OnceLock<()>,
}

impl<B: Backend> Session<'_, B> {
    /// Waits until nothing waits for the network. An event from `since` on that `failure` calls a
    /// failure of the command ends it; warnings are noted.
    ///
    /// # Errors
    /// [`Fault::Refused`] for such a failure, [`Fault::StillWaiting`] if the time is over.
    pub(crate) async fn settle(
        &self,
        since: EventNumber,
        failure: impl Fn(&Event) -> Option<FailureReason>,
    ) -> Result<(), Fault> {
        let Some(status) = self.settled().await? else { return Ok(()) };
        match (self.report_since(since, failure).await?, status.waiting) {
            (Some(reason), _) => Err(Fault::Refused(reason)),
            (None, 0) => Ok(()),
            (None, waiting) => Err(self.still_waiting(waiting)),
        }
    }

    /// Waits until nothing waits for the network, or no more can be hoped for; [`None`] if it is not
    /// to be waited for.
    pub(crate) async fn settled(&self) -> Result<Option<StatusInfo>, Fault> {
        let Some(mut patience) = self.time_left() else { return Ok(None) };
        if let Patience::Wait(all) = self.patience
            && self.status().await?.relays.iter().any(|it| it.state <= RelayState::CatchingUp)
        {
            // Now there is somebody to wait for.
            patience = all;
        }
        let begun = Instant::now();
        let status = tokio::select! {
            biased;
            status = self.backend.settled(patience) => status?,
            status = self.hopeless() => status?,
        };
        self.spend(begun);
        Ok(Some(status))
    }

    /// Waits until a relay shows another key, and no other has anything to do.
    async fn hopeless(&self) -> Result<StatusInfo, Fault> {
        loop {
            let status = self.status().await?;
            if is_hopeless(&status) {
                return Ok(status);
            }
            sleep(PROGRESS_INTERVAL).await;
        }
    }

    /// So many wishes are not settled, and the time is over.
    pub(crate) const fn still_waiting(&self, waiting: u64) -> Fault {
        let patience = match self.patience {
            Patience::Wait(patience) => patience,
            Patience::NoNetwork => Duration::ZERO,
        };
        Fault::StillWaiting { waiting, patience }
    }

    /// How a command ended, with an eye on the relays; every command that waits for one or catches
    /// up ends here. What a relay with another key holds up waits for a person, and what was shown
    /// without it is not all; if all was done without it, the person is told beside the result
    /// (spec: CLI-033).
    pub(crate) async fn judged(&self, done: Result<(), Fault>) -> Result<(), Fault> {
        let is_concerned = match &done {
            Ok(()) => self.waits.begun.get().is_some(),
            Err(Fault::StillWaiting { .. } | Fault::LinkingTimedOut) => true,
            Err(_) => false,
        };
        let relay = match self.status().await {
            Ok(status) if is_concerned => distrusted(&status),
            _ => None,
        };
        let Some(relay) = relay else { return done };
        let fault = Fault::RelayKeyMismatch { relay };
        if done.is_ok() && self.waits.caught_up.get().is_none() {
            self.note(&format!("{fault}. {}", fault.advice()));
            return done;
        }
        Err(fault)
    }

    /// How long the network may still be waited for.
    fn time_left(&self) -> Option<Duration> {
        let Patience::Wait(patience) = self.patience else { return None };
        // If it is set already, it is.
        let _ = self.waits.begun.set(());
        let spent = Duration::from_millis(self.waits.spent_ms.load(Ordering::Relaxed));
        Some(patience.saturating_sub(spent))
    }

    fn spend(&self, since: Instant) {
        let spent = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.waits.spent_ms.fetch_add(spent, Ordering::Relaxed);
    }

    async fn report_since(
        &self,
        since: EventNumber,
        failure: impl Fn(&Event) -> Option<FailureReason>,
    ) -> Result<Option<FailureReason>, Fault> {
        let mut from = since;
        loop {
            let events = self.events(from, EVENTS_PER_READ).await?;
            let Some(last) = events.last() else { return Ok(None) };
            from = EventNumber(last.number.0.saturating_add(1));
            for event in events {
                if let Some(reason) = failure(&event.event) {
                    return Ok(Some(reason));
                }
                match event.event {
                    // It stays so, and is told at the end.
                    Event::Warning(Warning::RelayKeyMismatch { .. }) => {}
                    // It may be this command that ended a linking.
                    Event::Warning(_) | Event::DeviceLinkFailed(_) => self.note_event(event.into()),
                    _ => {}
                }
            }
        }
    }

    fn note_event(&self, event: EventRecord) {
        let lines =
            crate::human::lines(&Record::Event(Box::new(event)), crate::human::Paint::Plain);
        lines.iter().for_each(|line| self.note(line));
    }

    /// Waits until what the relays have is here, so that what is shown next is not old; once for a
    /// command. Says so if a relay is not reached, and goes on with what is here.
    pub(crate) async fn catch_up(&self) -> Result<(), Fault> {
        let Some(patience) = self.time_left() else { return Ok(()) };
        if self.waits.caught_up.set(()).is_err() {
            return Ok(());
        }
        let begun = Instant::now();
        let relays = loop {
            let relays = self.status().await?.relays;
            let moving = relays.iter().any(|relay| {
                matches!(relay.state, RelayState::Connecting | RelayState::CatchingUp)
            });
            if !moving || begun.elapsed() >= patience {
                break relays;
            }
            sleep(STATUS_INTERVAL).await;
        };
        self.spend(begun);
        match not_reached(&relays) {
            0 => {}
            1 => self.note("a relay is not reached; newer things may be missing (hush status)"),
            count => self.note(&format!(
                "{count} relays are not reached; newer things may be missing (hush status)"
            )),
        }
        Ok(())
    }

    /// Lets receipts and the like go out before the client ends, if there is a relay to take them.
    /// They are durable, so nothing is lost if not, and nothing is said.
    pub(crate) async fn flush(&self) {
        let Patience::Wait(patience) = self.patience else { return };
        let Ok(status) = self.status().await else { return };
        if status.waiting > 0 && status.relays.iter().any(|it| it.state <= RelayState::CatchingUp) {
            tokio::select! {
                () = self.console.interrupted() => {}
                _ = self.backend.settled(patience.min(FLUSH_TIME_MAX)) => {}
            }
        }
    }

    /// Waits until a message is where `ended` wants it. As long as it gets on, the patience begins
    /// anew; `progress` sees each step.
    ///
    /// # Errors
    /// [`Fault`] of the client. When the time is over the message is returned as it is.
    pub(crate) async fn follow_message(
        &self,
        (chat, number): (ChatNumber, MessageNumber),
        ended: impl Fn(&MessageInfo) -> bool,
        mut progress: impl FnMut(&MessageInfo),
    ) -> Result<MessageInfo, Fault> {
        let mut feed = Feed::new(self.backend, self.next_event_number().await?);
        let mut message = self.message(chat, number).await?;
        let Some(patience) = self.time_left() else { return Ok(message) };
        let begun = Instant::now();
        let mut deadline = begun + patience;
        loop {
            progress(&message);
            let now = Instant::now();
            if ended(&message) || now >= deadline || is_hopeless(&self.status().await?) {
                self.spend(begun);
                return Ok(message);
            }
            let pause = PROGRESS_INTERVAL.min(deadline - now);
            if let Ok(event) = timeout(pause, feed.next()).await {
                event?;
            }
            let later = self.message(chat, number).await?;
            if later != message {
                deadline = Instant::now() + patience;
            }
            message = later;
        }
    }
}

/// The relays that nothing newer comes from. What is not sent yet is not missing here, and one with
/// another key is told of by [`Session::judged`].
pub(crate) fn not_reached(relays: &[RelayInfo]) -> usize {
    let is_missing = |relay: &&RelayInfo| {
        matches!(relay.state, RelayState::CatchingUp | RelayState::Connecting | RelayState::Offline)
    };
    relays.iter().filter(is_missing).count()
}

/// The address of a relay that shows another key.
pub(crate) fn distrusted(status: &StatusInfo) -> Option<String> {
    let mut relays = status.relays.iter();
    relays.find(|it| it.state == RelayState::KeyMismatch).map(|relay| relay.address.clone())
}

/// Whether waiting is for a relay with another key alone, which is not tried again.
fn is_hopeless(status: &StatusInfo) -> bool {
    let is_over = |state| matches!(state, RelayState::Current | RelayState::KeyMismatch);
    distrusted(status).is_some() && status.relays.iter().all(|relay| is_over(relay.state))
}
